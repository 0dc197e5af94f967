/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pool.c - storage pools in the tables of their node
 */
#include <string.h>

#include "base/error.h"
#include "base/uuid.h"
#include "manage/pool-int.h"
#include "manage/vm-int.h"

static void pool_free(struct object *object);

static const struct object_kind pool_kind = {
	"storage pool",
	RPC_FROM_STORAGE,
	"wait until it is done",
	pool_free,
};

struct pool *pool_new(struct node *node, struct storage_pool *config, struct storage_pool *live)
{
	const struct storage_pool *def = live ? live : config;
	struct pool *pool = g_new0(struct pool, 1);

	pool->node = node;
	pool->name = g_strdup(def->name);
	pool->config = config;
	pool->live = live;
	pool->vols = g_hash_table_new(g_str_hash, g_str_equal);
	object_init(&pool->object, &pool_kind, pool->name);
	/* The step check has looked at it. */
	(void)uuid_read(def->uuid, pool->uuid);
	uuid_write(pool->uuid, pool->uuid_text);
	g_ptr_array_add(node->pools, pool);
	return pool;
}

static void pool_free(struct object *object)
{
	struct pool *pool = pool_of(object);

	if (pool->storage)
		pool->storage->ops->free(pool->storage);
	storage_pool_free(pool->config);
	storage_pool_free(pool->live);
	g_hash_table_unref(pool->vols);
	g_free(pool->name);
	g_free(pool);
}

void pool_remove(struct pool *pool)
{
	if (pool->object.gone)
		return;
	pool->object.gone = true;
	g_ptr_array_remove(pool->node->pools, pool);
	object_unref(&pool->object);
}

/* Hosts have some pools, and some dozens at most: the list is the table. */
struct pool *pool_by_name(struct node *node, const char *name)
{
	for (unsigned i = 0; i < node->pools->len; i++) {
		struct pool *pool = node->pools->pdata[i];

		if (!strcmp(pool->name, name))
			return pool;
	}
	return NULL;
}

struct pool *pool_by_uuid_text(struct node *node, const char *text)
{
	uint8_t uuid[UUID_BYTES];

	return uuid_read(text, uuid) ? pool_by_uuid(node, uuid) : NULL;
}

struct pool *pool_by_uuid(struct node *node, const uint8_t uuid[16])
{
	for (unsigned i = 0; i < node->pools->len; i++) {
		struct pool *pool = node->pools->pdata[i];

		if (!memcmp(pool->uuid, uuid, sizeof(pool->uuid)))
			return pool;
	}
	return NULL;
}

rpc_storage_pool pool_handle(const struct pool *pool)
{
	rpc_storage_pool handle = { .name = pool->name };

	memcpy(handle.uuid, pool->uuid, sizeof(handle.uuid));
	return handle;
}

static void refuse_waiting(struct object *object)
{
	struct call *call;

	while ((call = g_queue_peek_tail(&object->jobs)) && !call->running)
		call_fail(call, RPC_CODE_OPERATION_ABORTED, RPC_FROM_STORAGE,
			  "the daemon is being stopped");
}

void pools_let_go(struct node *node)
{
	while (node->pools->len) {
		struct pool *pool = node->pools->pdata[node->pools->len - 1];
		g_autoptr(GList) vols = g_hash_table_get_values(pool->vols);

		object_ref(&pool->object);
		for (GList *l = vols; l; l = l->next) {
			struct vol *vol = l->data;

			object_ref(&vol->object);
			refuse_waiting(&vol->object);
			if (vol->work)
				atomic_store(&vol->work->cancelled, true);
			object_unref(&vol->object);
		}
		refuse_waiting(&pool->object);
		pool_remove(pool);
		object_unref(&pool->object);
	}
}

/* == What calls name == */

static void say_no_pool(struct call *call, const char *name)
{
	call_fail(call, RPC_CODE_NO_STORAGE_POOL, RPC_FROM_STORAGE,
		  "Storage pool not found: no storage pool with matching name or uuid '%.256s'",
		  name);
}

struct pool *call_pool(struct call *call, const rpc_storage_pool *handle)
{
	struct pool *pool = pool_by_uuid(call->node, (const uint8_t *)handle->uuid);

	if (!pool)
		say_no_pool(call, handle->name);
	return pool;
}

bool call_pool_still_active(struct call *call, const struct pool *pool)
{
	if (pool_active(pool))
		return true;
	call_fail(call, RPC_CODE_OPERATION_INVALID, RPC_FROM_STORAGE,
		  "Requested operation is not valid: storage pool '%s' is not active; start it "
		  "first",
		  pool->name);
	return false;
}

struct pool *call_active_pool(struct call *call, const rpc_storage_pool *handle)
{
	struct pool *pool = call_pool(call, handle);

	return pool && call_pool_still_active(call, pool) ? pool : NULL;
}

bool call_pool_still_there(struct call *call)
{
	if (!call->object->gone)
		return true;
	say_no_pool(call, call->object->name);
	return false;
}

bool call_pool_flags(struct call *call, unsigned flags, unsigned known)
{
	if (!(flags & ~known))
		return true;
	call_fail(call, RPC_CODE_INVALID_ARG, RPC_FROM_STORAGE,
		  "unsupported flags (0x%x) for this operation", flags & ~known);
	return false;
}

void call_pool_unsupported(struct call *call, const struct pool *pool, const char *what)
{
	call_fail(call, RPC_CODE_NO_SUPPORT, RPC_FROM_STORAGE,
		  "storage pools of type %s cannot %s; use one of another type",
		  storage_pool_type_names[pool_shown(pool)->type], what);
}

void call_pool_done(struct call *call, const GError *error)
{
	if (error)
		call_fail_error(call, RPC_FROM_STORAGE, error);
	else
		call_reply(call, NULL);
}

void call_fail_pool_xml(struct call *call, const GError *error)
{
	bool unsupported = g_error_matches(error, SOCLE_ERROR, SOCLE_ERROR_UNSUPPORTED);

	call_fail(call, unsupported ? RPC_CODE_CONFIG_UNSUPPORTED : RPC_CODE_XML_ERROR,
		  RPC_FROM_STORAGE, "%s%s", unsupported ? "" : "XML error: ", error->message);
}
