/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pool.h - the seam between a storage pool and what keeps its volumes
 *
 * Two implementations: fake-pool.c here, in memory, for the driver "test"; and the room daemon, with
 * folders and the host's tools. What they have in common (definitions, names, turns, events, volumes
 * that are being made, what is kept) is above the seam.
 *
 * Each function that takes a task ends it, once, at once or later; where results go (ret_x, lists)
 * lives until then. A function that is NULL is not supported, and its callers are told. Errors of the
 * kinds NOT_FOUND and EXISTS are about the volume that was named.
 *
 * Nothing of a volume is remembered above: what is told of it is asked for each time.
 *
 * Threads: main loop. What takes long is done elsewhere, and looks at its struct vol_work.
 */
#ifndef MANAGE_POOL_H
#define MANAGE_POOL_H

#include <glib.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "manage/task.h"
#include "model/storage.h"

/* What keeps the volumes of an active pool; the implementation embeds it. */
struct storage {
	const struct pool_ops *ops;
};

struct pool_usage {
	uint64_t capacity, allocation, available; /* bytes */
};

enum file_kind {
	FILE_UNKNOWN,
	FILE_REGULAR,
	FILE_DEVICE, /* a block device */
};

/* A file of this host, whatever path leads to it. */
struct file_id {
	enum file_kind kind;
	uint64_t dev, ino; /* where it lies; of a device: what it is, and 0 */
};

static inline bool file_id_same(const struct file_id *a, const struct file_id *b)
{
	return a->kind != FILE_UNKNOWN && a->kind == b->kind && a->dev == b->dev &&
	       a->ino == b->ino;
}

/* Something that takes long: how far is it, and is it still wanted? Any thread. */
struct vol_work {
	_Atomic uint64_t done; /* bytes that are there */
	atomic_bool cancelled; /* the task is to end soon, with an error, and to leave nothing */
};

/* Counted: whoever works may be later than whoever has asked. */
static inline struct vol_work *vol_work_new(void)
{
	return g_atomic_rc_box_new0(struct vol_work);
}

static inline struct vol_work *vol_work_ref(struct vol_work *work)
{
	return g_atomic_rc_box_acquire(work);
}

static inline void vol_work_unref(struct vol_work *work)
{
	if (work)
		g_atomic_rc_box_release(work);
}

enum pool_start_flags {
	POOL_START_FOUND = 1 << 0, /* it was active when the daemon before this one ended */
};

/* libvirt's numbers. */
enum pool_build_flags {
	POOL_BUILD_REPAIR = 1 << 0,
	POOL_BUILD_RESIZE = 1 << 1,
	POOL_BUILD_NO_OVERWRITE = 1 << 2,
	POOL_BUILD_OVERWRITE = 1 << 3,
};

enum vol_create_flags {
	VOL_CREATE_PREALLOC_METADATA = 1 << 0,
	VOL_CREATE_REFLINK = 1 << 1, /* share blocks, or fail */
};

/* libvirt's numbers. */
enum vol_remove_flags {
	VOL_REMOVE_ZEROED = 1 << 0,
	VOL_REMOVE_WITH_SNAPSHOTS = 1 << 1,
};

enum vol_resize_flags {
	VOL_RESIZE_ALLOCATE = 1 << 0,
	VOL_RESIZE_DELTA = 1 << 1,
	VOL_RESIZE_SHRINK = 1 << 2,
	VOL_RESIZE_RAW = 1 << 16, /* ours: it is raw, whatever its first bytes say */
};

enum vol_wipe {
	VOL_WIPE_ZERO = 0,
	VOL_WIPE_RANDOM = 8,
	VOL_WIPE_TRIM = 9,
	VOL_WIPE_COUNT = 10,
};

/* Bytes of a volume that come or go, piece by piece. */
struct vol_io {
	const struct vol_io_ops *ops;
};

struct vol_create {
	const struct storage_vol *vol; /* checked */
	unsigned flags;                /* of enum vol_create_flags */
	struct storage *source;        /* where a volume is that is copied, or NULL */
	const char *source_name;
	bool source_raw; /* whatever its first bytes say */
	bool no_sync;    /* of one that gets bytes: the disk need not have them when it is there */
	/*
	 * Not NULL: its bytes are to come, by this; it is there when they have been finished, and never if this
	 * is freed before. Who leaves it NULL has made the volume: it is opened and written as others are.
	 */
	struct vol_io **ret_io;
};

enum {
	VOL_CHUNK_MAX = 256 * 1024 - 24 /* what a packet has room for */
};

struct vol_chunk {
	uint8_t *bytes; /* room for VOL_CHUNK_MAX */
	size_t len;     /* how many there are ... */
	uint64_t hole;  /* ... or that so many zeroes follow, only if holes were asked for */
	bool end;       /* ... or that there is no more */
};

struct vol_io_ops {
	/* One at a time. @data stays until the task has ended. */
	void (*write)(struct vol_io *io, const void *data, size_t len, struct task *task);
	void (*skip)(struct vol_io *io, uint64_t len, struct task *task);
	/* All was written: the volume has it when the task ends well. */
	void (*finish)(struct vol_io *io, struct task *task);
	void (*read)(struct vol_io *io, struct vol_chunk *chunk, struct task *task);
	/*
	 * All at once, instead of write() and skip(), or of read(): between the volume and @file, a regular
	 * file whose position moves along. @file stays open until the task has ended. NULL: it cannot.
	 */
	void (*copy)(struct vol_io *io, int file, struct vol_work *work, struct task *task);
	/* No task is under way. What was not finished is undone, or stays where it was written if it
	 * was a part of the volume only. */
	void (*free)(struct vol_io *io);
};

struct vol_open {
	uint64_t off, len; /* len 0: to the end */
	bool write, sparse;
	bool no_sync; /* as that of struct vol_create, when it has been finished */
};

struct pool_ops {
	/* == Of a definition: @opaque is the node's pools_opaque == */

	bool (*supports)(void *opaque, enum storage_pool_type type);
	/* Make what start() needs: a folder, a file system, a volume group. */
	void (*build)(void *opaque, const struct storage_pool *def, unsigned flags,
		      struct task *task);
	/* The opposite. */
	void (*erase)(void *opaque, const struct storage_pool *def, unsigned flags,
		      struct task *task);
	/* What could be a pool's source on this host; @like has what the client knows, or is NULL.
	 * Adds struct storage_pool to @list, whose elements it owns. */
	void (*find_sources)(void *opaque, enum storage_pool_type type,
			     const struct storage_pool *like, GPtrArray *list, struct task *task);
	/* Which files @paths lead to, an array of char * that does not change any more; a pool has nothing
	 * to do with it. What leads nowhere, or to a server that is gone, stays unknown: @ret_ids is cleared.
	 * NULL: a file has one path. */
	void (*identify)(void *opaque, GPtrArray *paths, struct file_id *ret_ids,
			 struct task *task);
	/* @password: what its <auth> means, or NULL if it has none. */
	void (*start)(void *opaque, const struct storage_pool *def, GBytes *password,
		      unsigned flags, struct storage **ret_storage, struct task *task);

	/* == Of an active pool == */

	/* It is not to be active any more; the caller frees it when the task has ended well. */
	void (*stop)(struct storage *storage, struct task *task);
	/* Give up what the daemon has of it; what is under way still ends. */
	void (*free)(struct storage *storage);
	void (*usage)(struct storage *storage, struct pool_usage *ret_usage, struct task *task);
	/* Adds names, which @names owns. */
	void (*list)(struct storage *storage, GPtrArray *names, struct task *task);
	/* What is there of a volume; and which file it is, unless it is raw whatever its bytes are. */
	void (*look)(struct storage *storage, const char *name, struct storage_vol **ret_vol,
		     struct file_id *ret_id, struct task *task);

	void (*create)(struct storage *storage, const struct vol_create *what,
		       struct vol_work *work, struct task *task);
	void (*remove)(struct storage *storage, const char *name, unsigned flags,
		       struct vol_work *work, struct task *task);
	/* Whose snapshot @name is becomes what that is, and @name goes. */
	void (*restore)(struct storage *storage, const char *name, struct vol_work *work,
			struct task *task);
	/* @bytes: as the guest sees it. */
	void (*resize)(struct storage *storage, const char *name, uint64_t bytes, unsigned flags,
		       struct vol_work *work, struct task *task);
	void (*wipe)(struct storage *storage, const char *name, enum vol_wipe how,
		     struct vol_work *work, struct task *task);
	void (*open)(struct storage *storage, const char *name, const struct vol_open *how,
		     struct vol_io **ret_io, struct task *task);
};

/* The driver "test". */
extern const struct pool_ops fake_pools;

#endif
