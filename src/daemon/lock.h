/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lock.h - one daemon for a folder, and its number in a file
 */
#ifndef DAEMON_LOCK_H
#define DAEMON_LOCK_H

#include <glib.h>
#include <stdbool.h>

#include "base/cleanup.h"

struct lock;

/*
 * SOCLE_ERROR_BUSY: another one has it. It is free again when this process has ended, however it does, and its children
 * run programs of their own; that is waited for.
 */
struct lock *lock_new(const char *folder, GError **error);
/* Removes the pidfile. NULL is fine. */
void lock_free(struct lock *lock);
DEFINE_AUTOPTR(lock, lock_free);

/* Our number in a file until lock_free(); a stale one is replaced. @path NULL: nothing to do. */
bool lock_write_pidfile(struct lock *lock, const char *path, GError **error);

#endif
