/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fds.h - descriptors that QMP's client has sent, by names: getfd and closefd
 *
 * Threads: main loop.
 */
#ifndef VMM_FDS_H
#define VMM_FDS_H

#include <glib.h>

struct fds;

struct fds *fds_new(void);
/* Closes those that nobody took. NULL is fine. */
void fds_free(struct fds *fds);
/* The caller's from now on, or -1 with @error. */
int fds_take(struct fds *fds, const char *name, GError **error);

#endif
