/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lvm.h - logical volumes: what storage pools and snapshots of machines both do with them
 *
 * Programs of lvm2 are run, and waited for. What they refuse for a reason that a person can mend is told in
 * a sentence of ours: no room, in use, a snapshot that is lost.
 *
 * Threads: any, but none that others wait for.
 */
#ifndef DAEMON_LVM_H
#define DAEMON_LVM_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "host/lvm.h"

/* Run a program; @argv is taken over. */
bool lvm_run(char **argv, char **ret_output, GError **error);
/* The same; volume @name needs @bytes of the group for it. */
bool lvm_run_for(char **argv, const char *group, const char *name, uint64_t bytes, GError **error);

/* Of struct lvm_volume: all of a group; NULL with an error. */
GPtrArray *lvm_volumes(const char *group, GError **error);
const struct lvm_volume *lvm_find(const GPtrArray *volumes, const char *name);
/* Which one the device @path is; false: it is none, or there is no lvm2. */
bool lvm_place(const char *path, char **ret_group, char **ret_name, GError **error);

/*
 * @name shows what @origin has now, whatever is written there later. @room: for what changes, 0: for all
 * of it. A thin one needs none. @tag: for lvm_remove_tagged(), or NULL.
 */
bool lvm_snapshot(const char *group, const char *name, const char *origin, uint64_t room,
		  const char *tag, GError **error);
/* Could lvm_restore() do it? @later: it does not matter that they are in use. */
bool lvm_restore_check(const char *group, const char *name, bool later, GError **error);
/* The origin of @name becomes what that is, and @name goes. Nobody may use either. */
bool lvm_restore(const char *group, const char *name, GError **error);
/* Only if it has this tag; else nothing is done. */
bool lvm_remove_tagged(const char *group, const char *name, const char *tag, GError **error);
/* @all: with its snapshots, which else is refused; volumes of a thin pool never go with that. */
bool lvm_remove(const char *group, const char *name, bool all, GError **error);

#endif
