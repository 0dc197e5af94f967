/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * folders.h - what a daemon needs of its surroundings before it starts
 */
#ifndef DAEMON_FOLDERS_H
#define DAEMON_FOLDERS_H

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

/* The folder, and what it is in, with @mode unless they are there. */
bool folders_make(const char *path, mode_t mode, GError **error);

/* As many descriptors as this user may have: each client is one, each machine some. */
void folders_raise_limits(void);

#endif
