/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vol-change.c - volumes are made, copied, resized, wiped, removed; bytes of them come and go
 *
 * All of it is a call's turn at a struct vol, without a deadline: it takes as long as its bytes. While
 * it lasts the pool is busy and is not stopped. A client that goes away does not want it any more.
 */
#include <string.h>

#include "base/error.h"
#include "manage/node-int.h"
#include "manage/peer-int.h"
#include "manage/pool-int.h"

enum {
	VOL_CREATE_VALIDATE = 1 << 2,
	VOL_CREATE_FLAGS = 7,
	/* Ours, far from libvirt's: what a snapshot has goes into its origin before it is deleted. */
	VOL_DELETE_RESTORE = 1 << 30,
	VOL_RESIZE_FLAGS = 7,
	VOL_SPARSE_STREAM = 1 << 0,
};

/* == A turn at a volume == */

/* The work of a call whose turn it is. */
static void forsaken(struct call *call)
{
	struct vol *vol = vol_of(call->object);

	if (call->running && vol->work)
		atomic_store(&vol->work->cancelled, true);
}

static void turn(struct call *call, struct pool *pool, const char *name,
		 void (*run)(struct call *call))
{
	struct vol *vol = vol_get(pool, name);

	call_takes_long(call);
	call->forsaken = forsaken;
	call_job_object(call, &vol->object, run);
	object_unref(&vol->object);
}

/* The call's turn has come: NULL: the pool has ended, and the call has failed. */
static struct storage *begin(struct call *call)
{
	struct vol *vol = vol_of(call->object);

	if (!call_pool_still_active(call, vol->pool))
		return NULL;
	if (!call->peer && call->proc) {
		call_fail(call, RPC_CODE_OPERATION_ABORTED, RPC_FROM_STORAGE,
			  "the client has gone");
		return NULL;
	}
	vol->pool->busy++;
	vol->work = vol_work_new();
	return vol->pool->storage;
}

/* The work of the turn has ended, one way or the other. */
void vol_turn_end(struct call *call)
{
	struct vol *vol = vol_of(call->object);

	vol->pool->busy--;
	g_clear_pointer(&vol->work, vol_work_unref);
	g_clear_pointer(&vol->making, storage_vol_free);
}

static void undone(struct call *call, const GError *error)
{
	if (error)
		g_warning("storage volume '%s' has not got its bytes, and cannot be removed: %s",
			  vol_of(call->object)->name, error->message);
	vol_turn_end(call);
	call_reply(call, NULL);
}

void vol_turn_drop(struct call *call, bool undo)
{
	const struct vol *vol = vol_of(call->object);
	struct storage *storage = vol->pool->storage;

	if (!undo || !storage->ops->remove) {
		undone(call, NULL);
		return;
	}
	/* It was the bytes that nobody wanted any more. */
	atomic_store(&vol->work->cancelled, false);
	storage->ops->remove(storage, vol->name, 0, vol->work, call_task(call, undone));
}

static void changed(struct call *call, const GError *error)
{
	const struct vol *vol = vol_of(call->object);

	vol_turn_end(call);
	if (error)
		call_fail_vol(call, vol->name, error);
	else
		call_reply(call, NULL);
}

/* == Bytes that go by a descriptor == */

static bool takes_file(struct call *call)
{
	if (call->fd_count != 1)
		call_fail(call, RPC_CODE_INVALID_ARG, RPC_FROM_RPC,
			  "this call comes with one descriptor, a file");
	else if (!peer_is_ourselves(call->peer))
		call_fail(
			call, RPC_CODE_OPERATION_DENIED, RPC_FROM_RPC,
			"only the daemon's own user may have it copy to and from descriptors; send "
			"the bytes by the stream");
	else
		return true;
	return false;
}

/* == Make: call->subject is what it is to be, call->data whom it is made of == */

struct making {
	struct pool *from; /* held, and busy while the copy lasts; NULL: from nothing */
	char *name;
	unsigned flags;
	bool by_stream, by_fd; /* its bytes come then */
	bool no_sync;
	struct vol_create what;
	struct storage_vol *seen; /* what is copied */
	struct vol_open open;
	struct vol_io *io;
};

static void making_free(void *data)
{
	struct making *making = data;

	if (making->from)
		object_unref(&making->from->object);
	storage_vol_free(making->seen);
	g_free(making->name);
	g_free(making);
}

static void free_vol(void *data)
{
	storage_vol_free(data);
}

/* @path: of the volume. */
static rpc_storage_vol_create_xml_ret answer_of(const struct vol *vol, char *path)
{
	return (rpc_storage_vol_create_xml_ret){
		.vol = { .pool = vol->pool->name, .name = vol->name, .key = path }
	};
}

/* @undo: the volume is there, without its bytes. */
static void fill(struct call *call, bool undo)
{
	const struct vol *vol = vol_of(call->object);
	const struct making *making = call->data;
	g_autofree char *path = vol_path(vol->pool, vol->name);
	const rpc_storage_vol_create_xml_ret ret = answer_of(vol, path);
	const struct vol_streaming how = {
		.upload = true,
		.by_fd = making->by_fd,
		.undo = undo,
		.ret = &ret,
	};

	atomic_store(&vol->work->done, 0);
	vol_stream_open(call, making->io, &how);
}

static void opened_new(struct call *call, const GError *error)
{
	if (!error) {
		fill(call, true);
		return;
	}
	call_fail_late(call, call_code_of(error), RPC_FROM_STORAGE, error->message);
	vol_turn_drop(call, true);
}

static void made(struct call *call, const GError *error)
{
	const struct vol *vol = vol_of(call->object);
	struct storage *storage = vol->pool->storage;
	struct making *making = call->data;
	g_autofree char *path = NULL;
	rpc_storage_vol_create_xml_ret ret;

	if (making->from)
		making->from->busy--;
	if (error) {
		vol_turn_end(call);
		call_fail_vol(call, making->from ? making->name : vol->name, error);
	} else if (making->io) {
		fill(call, false);
	} else if (making->by_stream) {
		making->open.write = true;
		making->open.no_sync = making->no_sync;
		storage->ops->open(storage, vol->name, &making->open, &making->io,
				   call_task(call, opened_new));
	} else {
		path = vol_path(vol->pool, vol->name);
		ret = answer_of(vol, path);
		vol_turn_end(call);
		call_reply(call, &ret);
	}
}

/* What is copied is known, if anything is. */
static void make_now(struct call *call, const GError *error)
{
	const struct vol *vol = vol_of(call->object);
	struct making *making = call->data;
	struct storage *storage = vol->pool->storage;

	if (error) {
		made(call, error);
		return;
	}
	making->what = (struct vol_create){
		.vol = call->subject,
		.flags = making->flags,
		.source = making->from ? making->from->storage : NULL,
		.source_name = making->name,
		.source_raw = making->seen && storage_vol_is_raw(making->seen),
		.no_sync = making->no_sync,
		.ret_io = making->by_stream ? &making->io : NULL,
	};
	storage->ops->create(storage, &making->what, vol->work, call_task(call, made));
}

static void make_run(struct call *call)
{
	struct vol *vol = vol_of(call->object);
	struct making *making = call->data;

	if (making->from && !call_pool_still_active(call, making->from))
		return;
	if (!begin(call))
		return;
	if (making->from)
		making->from->busy++;
	vol->making = storage_vol_copy(call->subject);
	number_default(&vol->making->capacity, 0);
	if (making->from)
		pool_look(making->from, making->name, &making->seen, call_task(call, make_now));
	else
		make_now(call, NULL);
}

/* A new volume's definition, or NULL: the call has failed. */
static struct storage_vol *call_vol_def(struct call *call, const char *xml, bool strict,
					bool is_copy)
{
	g_autoptr(GError) error = NULL;
	autoptr(storage_vol) def = storage_vol_parse(
		xml, strlen(xml), strict ? STORAGE_PARSE_STRICT : 0, NULL, &error);

	/* A copy has its source's, if that is larger. */
	if (def && is_copy)
		number_default(&def->capacity, 0);
	if (def && storage_vol_check(def, &error))
		return g_steal_pointer(&def);
	call_fail_pool_xml(call, error);
	return NULL;
}

static void make(struct call *call, struct pool *pool, struct storage_vol *def,
		 const struct making *how)
{
	struct making *making;

	call->subject = def;
	call->subject_free = free_vol;
	making = call_data(call, sizeof(*making));
	*making = *how;
	call->data_free = making_free;
	if (!pool->storage->ops->create) {
		call_pool_unsupported(call, pool, "have new volumes");
		return;
	}
	if (g_hash_table_contains(pool->vols, def->name)) {
		call_fail(call, RPC_CODE_STORAGE_VOL_EXIST, RPC_FROM_STORAGE,
			  "storage volume '%s' exists already, or is being made", def->name);
		return;
	}
	turn(call, pool, def->name, make_run);
}

static void on_create(struct call *call, const rpc_storage_vol_create_xml_args *args)
{
	struct pool *pool = call_active_pool(call, &args->pool);
	struct making how = {
		.flags = args->flags & VOL_CREATE_FLAGS,
		.by_stream = args->flags & RPC_VOL_BY_STREAM,
		.by_fd = args->flags & RPC_VOL_BY_FD,
		.no_sync = args->flags & RPC_VOL_NO_SYNC,
	};
	unsigned known = VOL_CREATE_FLAGS | RPC_VOL_BY_STREAM;
	struct storage_vol *def;

	if (how.by_stream)
		known |= RPC_VOL_BY_FD | RPC_VOL_NO_SYNC;
	if (!pool || !call_pool_flags(call, args->flags, known) || (how.by_fd && !takes_file(call)))
		return;
	if (how.by_stream && !pool->storage->ops->open) {
		call_pool_unsupported(call, pool, "be read and written by clients");
		return;
	}
	def = call_vol_def(call, args->xml, args->flags & VOL_CREATE_VALIDATE, false);
	if (def)
		make(call, pool, def, &how);
}

static void on_create_from(struct call *call, const rpc_storage_vol_create_xml_from_args *args)
{
	struct pool *pool = call_active_pool(call, &args->pool);
	struct pool *from = pool ? call_vol_pool(call, &args->vol) : NULL;
	struct making how = {
		.flags = args->flags & VOL_CREATE_FLAGS,
		.no_sync = args->flags & RPC_VOL_NO_SYNC,
		.from = from,
	};
	struct storage_vol *def;

	if (!from || !call_pool_flags(call, args->flags, VOL_CREATE_FLAGS | RPC_VOL_NO_SYNC) ||
	    call_vol_is_being_made(call, from, args->vol.name))
		return;
	def = call_vol_def(call, args->xml, args->flags & VOL_CREATE_VALIDATE, true);
	if (!def)
		return;
	how.name = g_strdup(args->vol.name);
	object_ref(&from->object);
	make(call, pool, def, &how);
}

/* == Change: the call's arguments begin with the volume's handle == */

static const rpc_storage_vol *handle_of(const struct call *call)
{
	return call->args;
}

/* @has: there is a function for it. */
static void change(struct call *call, unsigned flags, unsigned known, void (*run)(struct call *))
{
	const rpc_storage_vol *handle = handle_of(call);
	struct pool *pool = call_vol_pool(call, handle);

	if (pool && call_pool_flags(call, flags, known) &&
	    !call_vol_is_being_made(call, pool, handle->name))
		turn(call, pool, handle->name, run);
}

/* False: the storage has no such function, and the call has failed. */
static bool can(struct call *call, bool has, const char *what)
{
	if (!has) {
		const struct vol *vol = vol_of(call->object);

		vol_turn_end(call);
		call_pool_unsupported(call, vol->pool, what);
	}
	return has;
}

static void delete_now(struct call *call, struct storage *storage)
{
	const rpc_storage_vol_delete_args *args = call->args;
	const struct vol *vol = vol_of(call->object);

	if (can(call, storage->ops->remove, "lose volumes"))
		storage->ops->remove(storage, vol->name, args->flags, vol->work,
				     call_task(call, changed));
}

static void delete_run(struct call *call)
{
	struct storage *storage = begin(call);

	if (storage)
		vol_guarded(call, storage, true, delete_now);
}

static void restore_now(struct call *call, struct storage *storage)
{
	const struct vol *vol = vol_of(call->object);

	if (can(call, storage->ops->restore, "restore volumes"))
		storage->ops->restore(storage, vol->name, vol->work, call_task(call, changed));
}

static void restore_run(struct call *call)
{
	struct storage *storage = begin(call);

	if (storage)
		vol_guarded(call, storage, false, restore_now);
}

static void on_delete(struct call *call, const rpc_storage_vol_delete_args *args)
{
	const bool restores = args->flags == VOL_DELETE_RESTORE;

	if (call_vol_is_needed(call, &args->vol, !restores))
		return;
	if (restores)
		change(call, args->flags, VOL_DELETE_RESTORE, restore_run);
	else
		change(call, args->flags, VOL_REMOVE_ZEROED | VOL_REMOVE_WITH_SNAPSHOTS,
		       delete_run);
}

struct resizing {
	struct storage_vol *seen;
};

static void resizing_free(void *data)
{
	struct resizing *resizing = data;

	storage_vol_free(resizing->seen);
	g_free(resizing);
}

static void resize_seen(struct call *call, const GError *error)
{
	const rpc_storage_vol_resize_args *args = call->args;
	const struct vol *vol = vol_of(call->object);
	struct storage *storage = vol->pool->storage;
	const struct resizing *resizing = call->data;
	unsigned flags = args->flags;

	if (error) {
		changed(call, error);
		return;
	}
	if (storage_vol_is_raw(resizing->seen))
		flags |= VOL_RESIZE_RAW;
	storage->ops->resize(storage, vol->name, args->capacity, flags, vol->work,
			     call_task(call, changed));
}

static void resize_now(struct call *call, struct storage *storage)
{
	const struct vol *vol = vol_of(call->object);
	struct resizing *resizing;

	if (!can(call, storage->ops->resize, "resize volumes"))
		return;
	resizing = call_data(call, sizeof(*resizing));
	call->data_free = resizing_free;
	pool_look(vol->pool, vol->name, &resizing->seen, call_task(call, resize_seen));
}

static void resize_run(struct call *call)
{
	struct storage *storage = begin(call);

	if (storage)
		vol_guarded(call, storage, false, resize_now);
}

static void on_resize(struct call *call, const rpc_storage_vol_resize_args *args)
{
	if (!call_vol_is_needed(call, &args->vol, false))
		change(call, args->flags, VOL_RESIZE_FLAGS, resize_run);
}

static void wipe_now(struct call *call, struct storage *storage)
{
	const struct vol *vol = vol_of(call->object);
	unsigned how = call->proc->number == RPC_PROC_STORAGE_VOL_WIPE
			       ? VOL_WIPE_ZERO
			       : ((const rpc_storage_vol_wipe_pattern_args *)call->args)->algorithm;

	if (can(call, storage->ops->wipe, "wipe volumes"))
		storage->ops->wipe(storage, vol->name, (enum vol_wipe)how, vol->work,
				   call_task(call, changed));
}

static void wipe_run(struct call *call)
{
	struct storage *storage = begin(call);

	if (storage)
		vol_guarded(call, storage, false, wipe_now);
}

static void on_wipe(struct call *call, const rpc_storage_vol_wipe_args *args)
{
	if (!call_vol_is_needed(call, &args->vol, false))
		change(call, args->flags, 0, wipe_run);
}

static void on_wipe_pattern(struct call *call, const rpc_storage_vol_wipe_pattern_args *args)
{
	if (args->algorithm != VOL_WIPE_ZERO && args->algorithm != VOL_WIPE_RANDOM &&
	    args->algorithm != VOL_WIPE_TRIM) {
		call_fail(call, RPC_CODE_NO_SUPPORT, RPC_FROM_STORAGE,
			  "wiping by pattern %u is not supported; today's disks need no more than "
			  "zero, random or trim",
			  args->algorithm);
		return;
	}
	if (!call_vol_is_needed(call, &args->vol, false))
		change(call, args->flags, 0, wipe_run);
}

/* == Bytes: call->data is the struct vol_io that was opened == */

struct opening {
	struct vol_open how;
	bool by_fd;
	struct vol_io *io;
};

static void opened(struct call *call, const GError *error)
{
	struct opening *opening = call->data;
	const struct vol *vol = vol_of(call->object);

	if (error) {
		vol_turn_end(call);
		call_fail_vol(call, vol->name, error);
		return;
	}
	vol_stream_open(
		call, opening->io,
		&(struct vol_streaming){ .upload = opening->how.write, .by_fd = opening->by_fd });
}

static void open_now(struct call *call, struct storage *storage)
{
	/* Both have one layout. */
	const rpc_storage_vol_upload_args *args = call->args;
	const struct vol *vol = vol_of(call->object);
	struct opening *opening;

	if (!can(call, storage->ops->open, "be read and written by clients"))
		return;
	opening = call_data(call, sizeof(*opening));
	opening->how =
		(struct vol_open){ .off = args->offset,
				   .len = args->length,
				   .write = call->proc->number == RPC_PROC_STORAGE_VOL_UPLOAD,
				   .sparse = args->flags & VOL_SPARSE_STREAM,
				   .no_sync = args->flags & RPC_VOL_NO_SYNC };
	opening->by_fd = args->flags & RPC_VOL_BY_FD;
	storage->ops->open(storage, vol->name, &opening->how, &opening->io,
			   call_task(call, opened));
}

static void open_run(struct call *call)
{
	struct storage *storage = begin(call);

	if (storage && call->proc->number == RPC_PROC_STORAGE_VOL_UPLOAD)
		vol_guarded(call, storage, false, open_now);
	else if (storage)
		open_now(call, storage);
}

static void open_bytes(struct call *call, unsigned flags, unsigned known)
{
	if (!(flags & RPC_VOL_BY_FD) || takes_file(call))
		change(call, flags, known | VOL_SPARSE_STREAM | RPC_VOL_BY_FD, open_run);
}

static void on_upload(struct call *call, const rpc_storage_vol_upload_args *args)
{
	if (!call_vol_is_needed(call, &args->vol, false))
		open_bytes(call, args->flags, RPC_VOL_NO_SYNC);
}

static void on_download(struct call *call, const rpc_storage_vol_download_args *args)
{
	open_bytes(call, args->flags, 0);
}

const struct call_entry vol_change_handlers[] = {
	HANDLE(RPC_PROC_STORAGE_VOL_CREATE_XML, rpc_storage_vol_create_xml_args, on_create),
	HANDLE(RPC_PROC_STORAGE_VOL_CREATE_XML_FROM, rpc_storage_vol_create_xml_from_args,
	       on_create_from),
	HANDLE(RPC_PROC_STORAGE_VOL_DELETE, rpc_storage_vol_delete_args, on_delete),
	HANDLE(RPC_PROC_STORAGE_VOL_RESIZE, rpc_storage_vol_resize_args, on_resize),
	HANDLE(RPC_PROC_STORAGE_VOL_WIPE, rpc_storage_vol_wipe_args, on_wipe),
	HANDLE(RPC_PROC_STORAGE_VOL_WIPE_PATTERN, rpc_storage_vol_wipe_pattern_args,
	       on_wipe_pattern),
	HANDLE(RPC_PROC_STORAGE_VOL_UPLOAD, rpc_storage_vol_upload_args, on_upload),
	HANDLE(RPC_PROC_STORAGE_VOL_DOWNLOAD, rpc_storage_vol_download_args, on_download),
	HANDLERS_END,
};
