/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pool-define.c - definitions of storage pools come, change and go
 *
 * A client is told that a definition is there when it is kept. If it cannot be kept all is as before.
 */
#include <string.h>

#include "base/error.h"
#include "manage/pool-define-int.h"
#include "manage/vm-int.h"

enum {
	DEFINE_VALIDATE = 1 << 0,
};

struct storage_pool *call_pool_def(struct call *call, const char *xml, bool strict)
{
	const struct node_config *config = &call->node->config;
	g_autoptr(GError) error = NULL;
	autoptr(storage_pool) def = storage_pool_parse(
		xml, strlen(xml), strict ? STORAGE_PARSE_STRICT : 0, NULL, &error);

	if (def) {
		/* They are what is found, whatever the client has written there. */
		def->capacity = def->allocation = def->available = number_of(0);
		storage_pool_fill(def);
	}
	if (!def || !storage_pool_check(def, &error)) {
		call_fail_pool_xml(call, error);
		return NULL;
	}
	if (!config->pools || !config->pools->supports(config->pools_opaque, def->type)) {
		call_fail(call, RPC_CODE_CONFIG_UNSUPPORTED, RPC_FROM_STORAGE,
			  "storage pools of type %s are not supported by this daemon; use dir, fs, "
			  "netfs, logical or disk",
			  storage_pool_type_names[def->type]);
		return NULL;
	}
	return g_steal_pointer(&def);
}

/* Do both keep their volumes in the same place? */
static bool same_place(const struct storage_pool *a, const struct storage_pool *b)
{
	if (a->type == STORAGE_POOL_LOGICAL || b->type == STORAGE_POOL_LOGICAL)
		return a->type == b->type && !g_strcmp0(a->source.name, b->source.name);
	if (a->type == STORAGE_POOL_DISK || b->type == STORAGE_POOL_DISK)
		return a->type == b->type && a->source.device_count && b->source.device_count &&
		       !g_strcmp0(a->source.devices[0].path, b->source.devices[0].path);
	if (!a->target.path || !b->target.path)
		return false;
	{
		g_autofree char *one = g_canonicalize_filename(a->target.path, "/");
		g_autofree char *other = g_canonicalize_filename(b->target.path, "/");

		return !strcmp(one, other);
	}
}

static bool is_place_free(struct call *call, const struct storage_pool *def,
			  const struct pool *self)
{
	for (unsigned i = 0; i < call->node->pools->len; i++) {
		const struct pool *pool = call->node->pools->pdata[i];

		if (pool == self || !same_place(pool_shown(pool), def))
			continue;
		call_fail(call, RPC_CODE_OPERATION_FAILED, RPC_FROM_STORAGE,
			  "operation failed: Storage source conflict with pool: '%s'; use that, "
			  "or give another place",
			  pool->name);
		return false;
	}
	return true;
}

bool call_same_pool(struct call *call, const struct storage_pool *def, struct pool **ret_pool)
{
	struct pool *by_name = pool_by_name(call->node, def->name);
	struct pool *by_uuid = pool_by_uuid_text(call->node, def->uuid);

	if (by_uuid && strcmp(by_uuid->name, def->name) != 0) {
		call_fail(call, RPC_CODE_OPERATION_FAILED, RPC_FROM_STORAGE,
			  "operation failed: pool '%s' is already defined with uuid %s",
			  by_uuid->name, by_uuid->uuid_text);
		return false;
	}
	if (by_name && by_name != by_uuid) {
		call_fail(call, RPC_CODE_OPERATION_FAILED, RPC_FROM_STORAGE,
			  "operation failed: pool '%s' already exists with uuid %s", by_name->name,
			  by_name->uuid_text);
		return false;
	}
	if (!is_place_free(call, def, by_uuid))
		return false;
	*ret_pool = by_uuid;
	return true;
}

/* == Define: call->subject is the new definition, afterwards the old one == */

static void free_def(void *data)
{
	storage_pool_free(data);
}

static void swap_config(struct call *call)
{
	struct pool *pool = pool_of(call->object);
	struct storage_pool *config = pool->config;

	pool->config = call->subject;
	call->subject = config;
}

static void defined(struct call *call, const GError *error)
{
	struct pool *pool = pool_of(call->object);
	rpc_storage_pool_define_xml_ret ret = { .pool = pool_handle(pool) };

	if (error) {
		swap_config(call);
		if (!pool->live && !pool->config)
			pool_remove(pool);
		call_fail(call, call_code_of(error), RPC_FROM_STORAGE,
			  "the definition of storage pool '%s' cannot be kept: %s", pool->name,
			  error->message);
		return;
	}
	pool_keep_status(pool);
	event_pool(pool, POOL_EVENT_DEFINED);
	call_reply(call, &ret);
}

static void define_run(struct call *call)
{
	if (!call_pool_still_there(call))
		return;
	swap_config(call);
	pool_keep_config(pool_of(call->object), call_task(call, defined));
}

/* It is there for others as soon as for its own job, with the definition in place. */
static void define_new_run(struct call *call)
{
	if (call_pool_still_there(call))
		pool_keep_config(pool_of(call->object), call_task(call, defined));
}

static void on_define(struct call *call, const rpc_storage_pool_define_xml_args *args)
{
	struct storage_pool *def;
	struct pool *pool;

	if (!call_pool_flags(call, args->flags, DEFINE_VALIDATE))
		return;
	def = call_pool_def(call, args->xml, args->flags & DEFINE_VALIDATE);
	if (!def)
		return;
	if (!call_same_pool(call, def, &pool)) {
		storage_pool_free(def);
		return;
	}
	call->subject_free = free_def;
	if (pool) {
		call->subject = def;
		call_job_object(call, &pool->object, define_run);
	} else {
		pool = pool_new(call->node, def, NULL);
		call_job_object(call, &pool->object, define_new_run);
	}
}

/* == Undefine == */

static void undefined(struct call *call, const GError *error)
{
	struct pool *pool = pool_of(call->object);

	if (error) {
		call_fail(call, call_code_of(error), RPC_FROM_STORAGE,
			  "the definition of storage pool '%s' cannot be removed: %s", pool->name,
			  error->message);
		return;
	}
	event_pool(pool, POOL_EVENT_UNDEFINED);
	pool_remove(pool);
	call_reply(call, NULL);
}

static void undefine_run(struct call *call)
{
	struct pool *pool = pool_of(call->object);

	if (!call_pool_still_there(call))
		return;
	if (pool_active(pool)) {
		call_fail(call, RPC_CODE_OPERATION_INVALID, RPC_FROM_STORAGE,
			  "Requested operation is not valid: storage pool '%s' is still active; "
			  "destroy it first",
			  pool->name);
		return;
	}
	pool_keep_no_config(pool, call_task(call, undefined));
}

static void on_undefine(struct call *call, const rpc_storage_pool_undefine_args *args)
{
	struct pool *pool = call_pool(call, &args->pool);

	if (pool)
		call_job_object(call, &pool->object, undefine_run);
}

/* == Autostart == */

static void autostart_kept(struct call *call, const GError *error)
{
	struct pool *pool = pool_of(call->object);

	if (error)
		pool->autostart = !pool->autostart;
	call_pool_done(call, error);
}

static void autostart_run(struct call *call)
{
	const rpc_storage_pool_set_autostart_args *args = call->args;
	struct pool *pool = pool_of(call->object);

	if (!call_pool_still_there(call))
		return;
	if (!pool->config) {
		call_fail(call, RPC_CODE_OPERATION_INVALID, RPC_FROM_STORAGE,
			  "Requested operation is not valid: storage pool '%s' is transient and "
			  "cannot start by itself; define it",
			  pool->name);
		return;
	}
	if (pool->autostart == !!args->autostart) {
		call_reply(call, NULL);
		return;
	}
	pool->autostart = args->autostart;
	pool_keep_config(pool, call_task(call, autostart_kept));
}

static void on_set_autostart(struct call *call, const rpc_storage_pool_set_autostart_args *args)
{
	struct pool *pool = call_pool(call, &args->pool);

	if (pool)
		call_job_object(call, &pool->object, autostart_run);
}

const struct call_entry pool_define_handlers[] = {
	HANDLE(RPC_PROC_STORAGE_POOL_DEFINE_XML, rpc_storage_pool_define_xml_args, on_define),
	HANDLE(RPC_PROC_STORAGE_POOL_UNDEFINE, rpc_storage_pool_undefine_args, on_undefine),
	HANDLE(RPC_PROC_STORAGE_POOL_SET_AUTOSTART, rpc_storage_pool_set_autostart_args,
	       on_set_autostart),
	HANDLERS_END,
};
