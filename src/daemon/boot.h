/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * boot.h - has the host been started since a daemon was here?
 */
#ifndef DAEMON_BOOT_H
#define DAEMON_BOOT_H

#include <stdbool.h>

/* @boot_id: that of now; NULL: not known, then it has if nothing is remembered. */
bool boot_is_new(const char *run, const char *boot_id);
/* From now on it has not. */
void boot_remember(const char *run, const char *boot_id);

#endif
