/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pool-int.h - storage pools and those of their volumes that somebody is at, as this room sees them
 *
 * A pool is active while it has a storage; then it has a live definition, too. Calls that change it
 * take their turn at it, those that change a volume at a struct vol, which is there while somebody
 * does. A pool is not stopped while one of its volumes changes.
 */
#ifndef MANAGE_POOL_INT_H
#define MANAGE_POOL_INT_H

#include "manage/call.h"
#include "manage/node-int.h"
#include "manage/object-int.h"
#include "manage/pool.h"
#include "rpc/procedure.h"

struct raw_round;

struct pool {
	struct object object;
	struct node *node;
	uint8_t uuid[16];
	char uuid_text[37];
	char *name;
	struct storage_pool *config; /* what is started the next time; NULL: transient */
	struct storage_pool *live;   /* what is active; NULL: nothing */
	struct storage *storage;     /* NULL: not active */
	bool autostart;
	GHashTable *vols; /* of struct vol by name: each with a reference of a call */
	unsigned busy;    /* calls that change volumes */
	unsigned silent;  /* questions about its usage that are late */

	bool status_busy, status_again;
	struct task status_task;
};

/* A volume that calls have their turn at. */
struct vol {
	struct object object;
	struct pool *pool; /* held */
	char *name;
	struct storage_vol *making; /* it is not there yet: what it will be; or NULL */
	struct vol_work *work;      /* of what goes on with it now, or NULL */
};

/* == Tables (pool.c) == */

/* With one of both definitions, which are taken over; belongs to the node. */
struct pool *pool_new(struct node *node, struct storage_pool *config, struct storage_pool *live);
/* Out of the tables; calls that hold it see it gone. */
void pool_remove(struct pool *pool);
struct pool *pool_by_name(struct node *node, const char *name);
struct pool *pool_by_uuid(struct node *node, const uint8_t uuid[16]);
struct pool *pool_by_uuid_text(struct node *node, const char *text);
static inline struct pool *pool_of(struct object *object)
{
	return container_of(object, struct pool, object);
}
rpc_storage_pool pool_handle(const struct pool *pool);
/* All of a node, when it ends. */
void pools_let_go(struct node *node);

static inline bool pool_active(const struct pool *pool)
{
	return pool->storage != NULL;
}
static inline const struct storage_pool *pool_shown(const struct pool *pool)
{
	return pool->live ? pool->live : pool->config;
}

/* The pool that a client names, or NULL: then the call has failed. */
struct pool *call_pool(struct call *call, const rpc_storage_pool *handle);
/* The same, and it is active. */
struct pool *call_active_pool(struct call *call, const rpc_storage_pool *handle);
/* A job's turn has come, or a task has ended: is the call's pool still there? Active? False: the call has
 * failed. */
bool call_pool_still_there(struct call *call);
bool call_pool_still_active(struct call *call, const struct pool *pool);
bool call_pool_flags(struct call *call, unsigned flags, unsigned known);
/* Of a NULL function: the call has failed. */
void call_pool_unsupported(struct call *call, const struct pool *pool, const char *what);
/* The end of a call that says nothing but yes. */
void call_pool_done(struct call *call, const GError *error);
/* @error is about a definition. */
void call_fail_pool_xml(struct call *call, const GError *error);

/* == Volumes in change (vol.c) == */

/* The one of this name, made for it if need be; with a reference. */
struct vol *vol_get(struct pool *pool, const char *name);
static inline struct vol *vol_of(struct object *object)
{
	return container_of(object, struct vol, object);
}
/* Its path, which is its key, too. */
char *vol_path(const struct pool *pool, const char *name);
/* The pool of a client's handle, active; @ret_name: borrowed from the handle, and a volume's. NULL: failed. */
struct pool *call_vol_pool(struct call *call, const rpc_storage_vol *handle);
/* @error of a task about a volume. */
void call_fail_vol(struct call *call, const char *name, const GError *error);
/* What a call's turn at a volume was for is over; it still has to be ended (vol-change.c). */
void vol_turn_end(struct call *call);
/* The same of a call that has been answered, which is ended, too. @undo: when its volume is gone again. */
void vol_turn_drop(struct call *call, bool undo);
/* Is it being made? Then the call has failed: it is not there yet. */
bool call_vol_is_being_made(struct call *call, struct pool *pool, const char *name);

/* == What a volume is (vol-raw.c) == */

/* As look() of the storage, but the disk that a machine has as raw is that, whatever a guest has written. */
void pool_look(struct pool *pool, const char *name, struct storage_vol **ret_vol,
	       struct task *task);
/* Of a node, which has no question on its way. NULL is fine. */
void raw_round_free(struct raw_round *round);

/* == Those that machines need (vol-protect.c) == */

typedef void (*vol_change_run)(struct call *call, struct storage *storage);

/*
 * A template begins with this volume, or disks refer to it: it is neither deleted (@deletes) nor changed, and
 * the call has failed. By its name only.
 */
bool call_vol_is_needed(struct call *call, const rpc_storage_vol *handle, bool deletes);
/* The call's turn at it has begun: @run, if it is not needed by another name either. */
void vol_guarded(struct call *call, struct storage *storage, bool deletes, vol_change_run run);

/* == Life (pool-life.c) == */

/* The call's pool, as @def, which is taken over. @next: it is active, or there is an error. */
void pool_start(struct call *call, struct storage_pool *def, unsigned flags, call_next next);
/* At a daemon's start: those that were active, and those with autostart if the host has just begun. */
void pools_loaded(struct node *node);
/* All of those have started, or have not (life.c). */
void vms_pools_ready(struct node *node);

/* == Disks (pool-disk.c) == */

struct domain;
struct domain_disk;
/* Where its bytes are, if that is a path; g_free() it. NULL: it has none. */
char *node_disk_path(struct node *node, const struct domain_disk *disk);
/* As identify() of the pools; without it nothing is known. */
void node_identify(struct node *node, GPtrArray *paths, struct file_id *ret_ids, struct task *task);
/* Disks that are volumes become what those are: files and devices. @domain is to run. */
bool pools_resolve(struct node *node, struct domain *domain, GError **error);

/* == Events (pool-event.c) == */

enum pool_event {
	POOL_EVENT_DEFINED = 0,
	POOL_EVENT_UNDEFINED = 1,
	POOL_EVENT_STARTED = 2,
	POOL_EVENT_STOPPED = 3,
	POOL_EVENT_CREATED = 4,
	POOL_EVENT_DELETED = 5,
};

void event_pool(struct pool *pool, enum pool_event event);
void event_pool_refresh(struct pool *pool);

/* == Kept (pool-keep.c): each ends its task, also if there is no store == */

void pool_keep_config(struct pool *pool, struct task *task);
void pool_keep_no_config(struct pool *pool, struct task *task);
void pool_keep_status(struct pool *pool);
bool pool_load(struct node *node, enum store_kind kind, const char *key, const char *text,
	       GError **error);

/* == Streams (vol-stream.c) == */

struct vol_streaming {
	bool upload;
	bool by_fd; /* the bytes go between the volume and the call's descriptor, only their end by the stream */
	bool undo;       /* the volume is to have these bytes or to go again */
	const void *ret; /* of the answer */
};

/* The call's answer opens a stream of @io, which is taken over; its turn at the volume lasts until that ends. */
void vol_stream_open(struct call *call, struct vol_io *io, const struct vol_streaming *how);

#endif
