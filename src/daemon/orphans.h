/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * orphans.h - processes of machines that nobody knows
 *
 * A daemon that is killed between the start of a process and the file that tells of it leaves one
 * behind. Its guest has not begun, and nobody was told of it: it is ended. One whose guest has run was
 * known once: that one is told of, and goes on.
 */
#ifndef DAEMON_ORPHANS_H
#define DAEMON_ORPHANS_H

#include <glib.h>

/* The process that a file of STORE_STATUS tells of is put into the set @known. */
void orphans_know(GHashTable *known, const char *status);
/* End processes whose pidfile is in a folder of @run_dir and that are not in the set. */
void orphans_end(GHashTable *known, const char *run_dir);

#endif
