/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * store.h - definitions and states in files: what is left of a daemon that was killed
 *
 *	STATE/domains/UUID.xml    STORE_DOMAIN
 *	STATE/snapshots/UUID.xml  STORE_SNAPSHOTS
 *	STATE/networks/UUID.xml   STORE_NETWORK
 *	RUN/status/UUID.xml       STORE_STATUS
 *	RUN/network-status/UUID.xml  STORE_NETWORK_STATUS
 *	STATE/pools/UUID.xml      STORE_POOL
 *	RUN/pool-status/UUID.xml  STORE_POOL_STATUS
 *	STATE/secrets/UUID.xml    STORE_SECRET
 *	STATE/secret-values/UUID.xml  STORE_SECRET_VALUE
 *	STATE/wal                 changes that may not be on the disk in their files (store-wal.h)
 *	STATE/reserve             room for those files on a disk that is full (store-reserve.h)
 *
 * A change is done by a thread, so that the main loop never waits for a disk. At any moment a file has
 * one of its texts as a whole. A task that has ended well means that any start from now on finds the new
 * one, behind a crash of the daemon or of the host, too; the file itself follows some milliseconds later. If a
 * change fails, the old text stays. All that is waiting is done together: one write to the disk serves many.
 *
 * Threads: main loop.
 */
#ifndef DAEMON_STORE_H
#define DAEMON_STORE_H

#include <glib.h>
#include <stdbool.h>

#include "base/cleanup.h"
#include "manage/store.h"

struct store;

/* What store_load() found. */
struct store_count {
	unsigned loaded[STORE_KIND_COUNT];
	unsigned refused; /* kept under another name */
};

/**
 * store_new() - make what folders are missing, remove what a killed daemon has left half-written, and
 * put in place what a crash of the host has left in the log; where the disk does not take that, store_load() has
 * it all the same, and until it does there are no changes
 * @state: the folder of definitions
 * @run:   the folder of what a restart of the host ends
 */
struct store *store_new(const char *state, const char *run, GError **error);
/* Do all that was asked for, and end its tasks. What is asked for from now on fails at once. */
void store_finish(struct store *store);
/* The same first. NULL is fine. */
void store_free(struct store *store);
DEFINE_AUTOPTR(store, store_free);

/**
 * store_load() - read all files, kind by kind, in the order of enum store_kind but states last
 * @load: an error means that the text makes no sense
 *
 * A file that cannot be read, or makes no sense, is told and kept as NAME.broken.
 */
void store_load(struct store *store,
		bool (*load)(void *opaque, enum store_kind kind, const char *key, const char *text,
			     GError **error),
		void *opaque, struct store_count *ret_count);

/* Has the folder of this kind just been made? */
bool store_is_new(const struct store *store, enum store_kind kind);

/* Their opaque is the store. */
extern const struct store_ops store_file_ops;

#endif
