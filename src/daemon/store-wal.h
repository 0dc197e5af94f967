/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * store-wal.h - the write-ahead log of a store: changes that are on the disk before their files are
 *
 * A change costs one synchronous write to a file whose blocks are there already, instead of two
 * fsync(2), each with a commit of the file system's own journal. The files are changed at once,
 * too, and synced later, all together; then the log is emptied. It is read when a daemon starts.
 *
 * Threads: the store's, or the main loop while that one is not there.
 */
#ifndef DAEMON_STORE_WAL_H
#define DAEMON_STORE_WAL_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemon/store-int.h"

struct wal {
	char *path;
	int fd;     /* negative: there is none, and nothing has room */
	int direct; /* the same, O_DIRECT and O_DSYNC; -1: the file system has no such thing */
	off_t end;  /* of what was confirmed; the next batch goes there */
	off_t next; /* the end when the last batch is confirmed */
	uint64_t epoch;
};

/* The one of the folder @state, with what it has; wal_begin() comes when that is in place. */
bool wal_open(struct wal *wal, const char *state, GError **error);
/* Make it, if it is not there yet, and empty it. 0 or -errno: then wal_discard() is next. */
int wal_begin(struct wal *wal);
/* Do without one. 0, or -errno: the next start may find what it had. */
int wal_discard(struct wal *wal);
void wal_close(struct wal *wal);

static inline bool wal_is_empty(const struct wal *wal)
{
	return wal->end == 0;
}

/**
 * wal_append() - a batch of changes, without their paths
 *
 * A crash behind it may bring them about. They are to be confirmed by wal_confirm(), or undone by
 * wal_clear(), before anything else.
 *
 * Return: 0: they are on the disk; -EFBIG: there is no room, nothing was written; -errno: they may be
 * there or not
 */
int wal_append(struct wal *wal, struct store_change *const *changes, unsigned count);
static inline void wal_confirm(struct wal *wal)
{
	wal->end = wal->next;
}

/* Add all changes that were confirmed, in order, to @changes, of struct store_change. 0 or -errno. */
int wal_read(const struct wal *wal, GPtrArray *changes);
/* All of it is on the disk elsewhere. 0 or -errno. */
int wal_clear(struct wal *wal);

#endif
