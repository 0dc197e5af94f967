/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pool-life.c - storage pools are built, started, stopped and taken apart
 */
#include <string.h>

#include "base/error.h"
#include "manage/pool-define-int.h"
#include "manage/secret.h"
#include "manage/timer-int.h"

enum {
	CREATE_WITH_BUILD = 1 << 0,
	CREATE_OVERWRITE = 1 << 1,
	CREATE_NO_OVERWRITE = 1 << 2,
	CREATE_FLAGS = 7,
	BUILD_FLAGS = 15,
	ERASE_FLAGS = 1,
};

/* == Start == */

struct starting {
	struct storage_pool *def;
	struct storage *storage;
	unsigned flags;
	call_next next;
};

static void starting_free(void *data)
{
	struct starting *starting = data;

	storage_pool_free(starting->def);
	g_free(starting);
}

static void started(struct call *call, const GError *error)
{
	struct starting *starting = call->data;
	struct pool *pool = pool_of(call->object);

	if (!error) {
		storage_pool_free(pool->live);
		pool->live = g_steal_pointer(&starting->def);
		pool->storage = starting->storage;
		pool_keep_status(pool);
		event_pool(pool, POOL_EVENT_STARTED);
	}
	starting->next(call, error);
}

/* With the password that it needs. */
static void start_storage(struct call *call, unsigned flags)
{
	struct starting *starting = call->data;
	const struct node_config *config = &call->node->config;
	const struct auth *auth = &starting->def->source.auth;
	g_autofree char *of = g_strdup_printf("storage pool '%s'", starting->def->name);
	g_autoptr(GError) error = NULL;
	g_autoptr(GBytes) password = NULL;

	if (auth_is_set(auth)) {
		password = node_password(call->node, auth, starting->def->type == STORAGE_POOL_RBD,
					 of, &error);
		if (!password) {
			starting->next(call, error);
			return;
		}
	}
	config->pools->start(config->pools_opaque, starting->def, password, flags,
			     &starting->storage, call_task(call, started));
}

static void start_built(struct call *call, const GError *error)
{
	struct starting *starting = call->data;

	if (error)
		starting->next(call, error);
	else
		start_storage(call, 0);
}

void pool_start(struct call *call, struct storage_pool *def, unsigned flags, call_next next)
{
	struct starting *starting = call_data(call, sizeof(*starting));

	call->data_free = starting_free;
	starting->def = def;
	starting->next = next;
	start_storage(call, flags);
}

static unsigned build_flags(unsigned flags)
{
	return (flags & CREATE_OVERWRITE ? POOL_BUILD_OVERWRITE : 0) |
	       (flags & CREATE_NO_OVERWRITE ? POOL_BUILD_NO_OVERWRITE : 0);
}

/* With what a client has asked for besides; @def is taken over. */
static void build_and_start(struct call *call, struct storage_pool *def, unsigned flags,
			    call_next next)
{
	const struct node_config *config = &call->node->config;
	struct starting *starting;

	if (!(flags & CREATE_FLAGS) || !config->pools->build) {
		pool_start(call, def, 0, next);
		return;
	}
	starting = call_data(call, sizeof(*starting));
	call->data_free = starting_free;
	starting->def = def;
	starting->next = next;
	config->pools->build(config->pools_opaque, def, build_flags(flags),
			     call_task(call, start_built));
}

static bool check_create_flags(struct call *call, unsigned flags)
{
	if ((flags & CREATE_OVERWRITE) && (flags & CREATE_NO_OVERWRITE)) {
		call_fail(call, RPC_CODE_INVALID_ARG, RPC_FROM_STORAGE,
			  "overwrite and no-overwrite exclude each other; give one");
		return false;
	}
	return call_pool_flags(call, flags, CREATE_FLAGS);
}

static void say_active(struct call *call, const struct pool *pool)
{
	call_fail(call, RPC_CODE_OPERATION_INVALID, RPC_FROM_STORAGE,
		  "Requested operation is not valid: storage pool '%s' is already active",
		  pool->name);
}

static void create_run(struct call *call)
{
	const rpc_storage_pool_create_args *args = call->args;
	struct pool *pool = pool_of(call->object);

	if (!call_pool_still_there(call))
		return;
	if (pool_active(pool))
		say_active(call, pool);
	else
		build_and_start(call, storage_pool_copy(pool->config), args->flags, call_pool_done);
}

static void on_create(struct call *call, const rpc_storage_pool_create_args *args)
{
	struct pool *pool = call_pool(call, &args->pool);

	if (pool && check_create_flags(call, args->flags))
		call_job_object(call, &pool->object, create_run);
}

/* == Create: the pool is there while it starts, and goes if that fails and it has no definition == */

static void created(struct call *call, const GError *error)
{
	struct pool *pool = pool_of(call->object);
	rpc_storage_pool_create_xml_ret ret = { .pool = pool_handle(pool) };

	if (!error) {
		call_reply(call, &ret);
		return;
	}
	if (!pool->config)
		pool_remove(pool);
	call_fail_error(call, RPC_FROM_STORAGE, error);
}

static void create_xml_run(struct call *call)
{
	const rpc_storage_pool_create_xml_args *args = call->args;
	struct pool *pool = pool_of(call->object);

	if (!call_pool_still_there(call))
		return;
	if (pool_active(pool))
		say_active(call, pool);
	else
		build_and_start(call, g_steal_pointer(&call->subject), args->flags, created);
}

static void free_def(void *data)
{
	storage_pool_free(data);
}

static void on_create_xml(struct call *call, const rpc_storage_pool_create_xml_args *args)
{
	struct storage_pool *def;
	struct pool *pool;

	if (!check_create_flags(call, args->flags))
		return;
	def = call_pool_def(call, args->xml, false);
	if (!def)
		return;
	if (!call_same_pool(call, def, &pool)) {
		storage_pool_free(def);
		return;
	}
	if (pool && pool_active(pool)) {
		storage_pool_free(def);
		say_active(call, pool);
		return;
	}
	call->subject = def;
	call->subject_free = free_def;
	if (!pool)
		pool = pool_new(call->node, NULL, storage_pool_copy(def));
	call_job_object(call, &pool->object, create_xml_run);
}

/* == Stop == */

static void stopped(struct call *call, const GError *error)
{
	struct pool *pool = pool_of(call->object);

	if (error) {
		call_fail_error(call, RPC_FROM_STORAGE, error);
		return;
	}
	pool->storage->ops->free(pool->storage);
	pool->storage = NULL;
	if (pool->config)
		g_clear_pointer(&pool->live, storage_pool_free);
	pool_keep_status(pool);
	event_pool(pool, POOL_EVENT_STOPPED);
	if (!pool->config)
		pool_remove(pool);
	call_reply(call, NULL);
}

static void destroy_run(struct call *call)
{
	struct pool *pool = pool_of(call->object);

	if (!call_pool_still_there(call) || !call_pool_still_active(call, pool))
		return;
	if (pool->busy) {
		call_fail(call, RPC_CODE_OPERATION_INVALID, RPC_FROM_STORAGE,
			  "pool '%s' has asynchronous jobs running: %u of its volumes are being "
			  "changed; wait until they are done",
			  pool->name, pool->busy);
		return;
	}
	pool->storage->ops->stop(pool->storage, call_task(call, stopped));
}

static void on_destroy(struct call *call, const rpc_storage_pool_destroy_args *args)
{
	struct pool *pool = call_active_pool(call, &args->pool);

	if (pool)
		call_job_object(call, &pool->object, destroy_run);
}

/* == Build and erase: of a pool that is not active == */

static bool is_idle(struct call *call)
{
	struct pool *pool = pool_of(call->object);

	if (!call_pool_still_there(call))
		return false;
	if (pool_active(pool)) {
		call_fail(call, RPC_CODE_OPERATION_INVALID, RPC_FROM_STORAGE,
			  "Requested operation is not valid: storage pool '%s' is already active; "
			  "destroy it first",
			  pool->name);
		return false;
	}
	return true;
}

/* It was built while it is active: it has the disks of its definition by now. */
static void take_devices(struct pool *pool)
{
	autoptr(storage_pool) copy = storage_pool_copy(pool->config);
	struct storage_pool_source *now = &pool->live->source, before = *now;

	now->devices = copy->source.devices;
	now->device_count = copy->source.device_count;
	copy->source.devices = before.devices;
	copy->source.device_count = before.device_count;
	pool_keep_status(pool);
}

static void built(struct call *call, const GError *error)
{
	struct pool *pool = pool_of(call->object);

	if (!error && pool_active(pool))
		take_devices(pool);
	if (!error)
		event_pool(pool, POOL_EVENT_CREATED);
	call_pool_done(call, error);
}

static void build_run(struct call *call)
{
	const rpc_storage_pool_build_args *args = call->args;
	const struct node_config *config = &call->node->config;
	struct pool *pool = pool_of(call->object);

	/* A volume group gets more disks while it is in use. */
	if (!(pool_active(pool) && pool->config && pool->config->type == STORAGE_POOL_LOGICAL) &&
	    !is_idle(call))
		return;
	if (config->pools->build)
		config->pools->build(config->pools_opaque, pool->config, args->flags,
				     call_task(call, built));
	else
		call_pool_unsupported(call, pool, "be built");
}

static void on_build(struct call *call, const rpc_storage_pool_build_args *args)
{
	struct pool *pool = call_pool(call, &args->pool);

	if (!pool || !call_pool_flags(call, args->flags, BUILD_FLAGS))
		return;
	if (args->flags & POOL_BUILD_OVERWRITE && args->flags & POOL_BUILD_NO_OVERWRITE) {
		call_fail(call, RPC_CODE_INVALID_ARG, RPC_FROM_STORAGE,
			  "overwrite and no-overwrite exclude each other; give one");
		return;
	}
	call_takes_long(call);
	call_job_object(call, &pool->object, build_run);
}

static void erased(struct call *call, const GError *error)
{
	if (!error)
		event_pool(pool_of(call->object), POOL_EVENT_DELETED);
	call_pool_done(call, error);
}

static void delete_run(struct call *call)
{
	const rpc_storage_pool_delete_args *args = call->args;
	const struct node_config *config = &call->node->config;
	struct pool *pool = pool_of(call->object);

	if (!is_idle(call))
		return;
	if (config->pools->erase)
		config->pools->erase(config->pools_opaque, pool->config, args->flags,
				     call_task(call, erased));
	else
		call_pool_unsupported(call, pool, "be deleted");
}

static void on_delete(struct call *call, const rpc_storage_pool_delete_args *args)
{
	struct pool *pool = call_pool(call, &args->pool);

	if (pool && call_pool_flags(call, args->flags, ERASE_FLAGS))
		call_job_object(call, &pool->object, delete_run);
}

/* == Refresh: there is nothing that could be old, but is the pool still there? == */

static void refreshed(struct call *call, const GError *error)
{
	if (!error)
		event_pool_refresh(pool_of(call->object));
	call_pool_done(call, error);
}

static void on_refresh(struct call *call, const rpc_storage_pool_refresh_args *args)
{
	struct pool *pool = call_active_pool(call, &args->pool);

	if (!pool || !call_pool_flags(call, args->flags, 0))
		return;
	call_hold_object(call, &pool->object);
	pool->storage->ops->usage(pool->storage, call_data(call, sizeof(struct pool_usage)),
				  call_task(call, refreshed));
}

/* == At the daemon's start == */

static void loaded(struct node *node)
{
	timer_stop(&node->pools_timer);
	vms_pools_ready(node);
}

/* The others' machines do not wait for a server that is gone. */
static gboolean on_pools_late(void *data)
{
	struct node *node = data;

	for (unsigned i = 0; i < node->pools->len; i++) {
		const struct pool *pool = node->pools->pdata[i];

		if (!pool_active(pool) && (pool->live || (node->autostart && pool->autostart)))
			g_warning("storage pool '%s' is not active yet; machines are started "
				  "without it",
				  pool->name);
	}
	loaded(node);
	return G_SOURCE_REMOVE;
}

static void one_less(struct node *node)
{
	if (--node->pools_loading == 0 && node->pools_timer)
		loaded(node);
}

static void found(struct call *call, const GError *error)
{
	struct pool *pool = pool_of(call->object);

	if (error) {
		g_warning("storage pool '%s' cannot be started: %s", pool->name, error->message);
		g_clear_pointer(&pool->live, storage_pool_free);
		pool_keep_status(pool);
		if (!pool->config)
			pool_remove(pool);
	}
	one_less(call->node);
	call_reply(call, NULL);
}

static void find_run(struct call *call)
{
	struct pool *pool = pool_of(call->object);

	if (pool->object.gone || pool_active(pool)) {
		one_less(call->node);
		call_reply(call, NULL);
	} else if (pool->live) {
		pool_start(call, storage_pool_copy(pool->live), POOL_START_FOUND, found);
	} else {
		pool_start(call, storage_pool_copy(pool->config), 0, found);
	}
}

void pools_loaded(struct node *node)
{
	g_autoptr(GPtrArray) pools = g_ptr_array_copy(node->pools, NULL, NULL);

	node->pools_loading = 1;
	node->pools_timer = timer_start(node_deadline(node), on_pools_late, node);
	for (unsigned i = 0; i < pools->len; i++) {
		struct pool *pool = pools->pdata[i];

		if (!pool->live && !(node->autostart && pool->autostart))
			continue;
		node->pools_loading++;
		call_job_object(call_new(node), &pool->object, find_run);
	}
	one_less(node);
}

const struct call_entry pool_life_handlers[] = {
	HANDLE(RPC_PROC_STORAGE_POOL_CREATE, rpc_storage_pool_create_args, on_create),
	HANDLE(RPC_PROC_STORAGE_POOL_CREATE_XML, rpc_storage_pool_create_xml_args, on_create_xml),
	HANDLE(RPC_PROC_STORAGE_POOL_DESTROY, rpc_storage_pool_destroy_args, on_destroy),
	HANDLE(RPC_PROC_STORAGE_POOL_BUILD, rpc_storage_pool_build_args, on_build),
	HANDLE(RPC_PROC_STORAGE_POOL_DELETE, rpc_storage_pool_delete_args, on_delete),
	HANDLE(RPC_PROC_STORAGE_POOL_REFRESH, rpc_storage_pool_refresh_args, on_refresh),
	HANDLERS_END,
};
