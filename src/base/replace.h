/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * replace.h - a small file gets a new text as a whole
 *
 * Threads: any.
 */
#ifndef BASE_REPLACE_H
#define BASE_REPLACE_H

#include <sys/types.h>

/**
 * file_replace() - write @text beside @path, and rename it over that
 *
 * Readers see the old text or the new one. It is not made sure that either outlives a crash of the host.
 * Return: 0 or -errno; then the old file is as it was
 */
int file_replace(const char *path, const char *text, mode_t mode);

#endif
