/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pool-list.c - lists of storage pools, how they are found, and what they say of themselves
 */
#include <string.h>

#include "base/uuid.h"
#include "manage/handler-int.h"
#include "manage/pool-int.h"

enum {
	/* libvirt's filter: within a group any will do, and each group counts. */
	LIST_INACTIVE = 1 << 0,
	LIST_ACTIVE = 1 << 1,
	LIST_PERSISTENT = 1 << 2,
	LIST_TRANSIENT = 1 << 3,
	LIST_AUTOSTART = 1 << 4,
	LIST_NO_AUTOSTART = 1 << 5,
	LIST_TYPES = 0xfffc0,
	LIST_FLAGS = 0xfffff,

	XML_INACTIVE = 1 << 0,
	POOL_STATE_INACTIVE = 0,
	POOL_STATE_RUNNING = 2,
	POOL_STATE_INACCESSIBLE = 4,

	USAGE_MS = 3000, /* a pool that takes longer is answered for without its numbers */
};

/* The bits of types are in another order than types. */
static unsigned type_bit(enum storage_pool_type type)
{
	static const unsigned bits[STORAGE_POOL_TYPE_COUNT] = {
		[STORAGE_POOL_DIR] = 1 << 6,       [STORAGE_POOL_FS] = 1 << 7,
		[STORAGE_POOL_NETFS] = 1 << 8,     [STORAGE_POOL_LOGICAL] = 1 << 9,
		[STORAGE_POOL_DISK] = 1 << 10,     [STORAGE_POOL_ISCSI] = 1 << 11,
		[STORAGE_POOL_SCSI] = 1 << 12,     [STORAGE_POOL_MPATH] = 1 << 13,
		[STORAGE_POOL_RBD] = 1 << 14,      [STORAGE_POOL_SHEEPDOG] = 1 << 15,
		[STORAGE_POOL_GLUSTER] = 1 << 16,  [STORAGE_POOL_ZFS] = 1 << 17,
		[STORAGE_POOL_VSTORAGE] = 1 << 18, [STORAGE_POOL_ISCSI_DIRECT] = 1 << 19,
	};

	return bits[type];
}

static bool is_wanted(const struct pool *pool, unsigned flags)
{
	return list_in_group(flags, LIST_ACTIVE | LIST_INACTIVE,
			     pool_active(pool) ? LIST_ACTIVE : LIST_INACTIVE) &&
	       list_in_group(flags, LIST_PERSISTENT | LIST_TRANSIENT,
			     pool->config ? LIST_PERSISTENT : LIST_TRANSIENT) &&
	       list_in_group(flags, LIST_AUTOSTART | LIST_NO_AUTOSTART,
			     pool->autostart ? LIST_AUTOSTART : LIST_NO_AUTOSTART) &&
	       list_in_group(flags, LIST_TYPES, type_bit(pool_shown(pool)->type));
}

static void on_list_all(struct call *call, const rpc_connect_list_all_storage_pools_args *args)
{
	GPtrArray *pools = call->node->pools;
	rpc_connect_list_all_storage_pools_ret ret = { .ret = 0 };
	g_autofree rpc_storage_pool *handles = NULL;

	if (!call_pool_flags(call, args->flags, LIST_FLAGS))
		return;
	handles = g_new(rpc_storage_pool, MAX(pools->len, 1));
	for (unsigned i = 0; i < pools->len && ret.ret < RPC_MAX_STORAGE_POOLS; i++) {
		if (is_wanted(pools->pdata[i], args->flags))
			handles[ret.ret++] = pool_handle(pools->pdata[i]);
	}
	if (args->need_results) {
		ret.pools.pools_val = handles;
		ret.pools.pools_len = ret.ret;
	}
	call_reply(call, &ret);
}

static int count(const struct node *node, bool active)
{
	int n = 0;

	for (unsigned i = 0; i < node->pools->len; i++)
		n += pool_active(node->pools->pdata[i]) == active;
	return n;
}

static void on_num(struct call *call, const void *args)
{
	rpc_connect_num_of_storage_pools_ret ret = { .num = count(call->node, true) };

	(void)args;
	call_reply(call, &ret);
}

static void on_num_defined(struct call *call, const void *args)
{
	rpc_connect_num_of_defined_storage_pools_ret ret = { .num = count(call->node, false) };

	(void)args;
	call_reply(call, &ret);
}

/* Both lists of names have one layout. */
static void list_names(struct call *call, int max, bool active)
{
	GPtrArray *pools = call->node->pools;
	rpc_connect_list_storage_pools_ret ret = { { 0 } };
	g_autofree rpc_text *names = NULL;

	if (max < 0 || max > RPC_MAX_STORAGE_POOLS) {
		call_fail(call, RPC_CODE_RPC, RPC_FROM_RPC,
			  "a list of %d storage pools: it has 0 to %d", max, RPC_MAX_STORAGE_POOLS);
		return;
	}
	names = g_new(rpc_text, MAX(pools->len, 1));
	for (unsigned i = 0; i < pools->len && ret.names.names_len < (unsigned)max; i++) {
		const struct pool *pool = pools->pdata[i];

		if (pool_active(pool) == active)
			names[ret.names.names_len++] = pool->name;
	}
	ret.names.names_val = names;
	call_reply(call, &ret);
}

static void on_list(struct call *call, const rpc_connect_list_storage_pools_args *args)
{
	list_names(call, args->maxnames, true);
}

static void on_list_defined(struct call *call,
			    const rpc_connect_list_defined_storage_pools_args *args)
{
	list_names(call, args->maxnames, false);
}

/* == Look-ups, whose answers have one layout == */

static void reply_pool(struct call *call, const struct pool *pool)
{
	rpc_storage_pool_lookup_by_name_ret ret = { .pool = pool_handle(pool) };

	call_reply(call, &ret);
}

static void on_by_name(struct call *call, const rpc_storage_pool_lookup_by_name_args *args)
{
	const struct pool *pool = pool_by_name(call->node, args->name);

	if (pool)
		reply_pool(call, pool);
	else
		call_fail(call, RPC_CODE_NO_STORAGE_POOL, RPC_FROM_STORAGE,
			  "Storage pool not found: no storage pool with matching name '%.256s'",
			  args->name);
}

static void on_by_uuid(struct call *call, const rpc_storage_pool_lookup_by_uuid_args *args)
{
	const uint8_t *uuid = (const uint8_t *)args->uuid;
	const struct pool *pool = pool_by_uuid(call->node, uuid);

	if (!pool) {
		char text[UUID_TEXT_SIZE];

		uuid_write(uuid, text);
		call_fail(call, RPC_CODE_NO_STORAGE_POOL, RPC_FROM_STORAGE,
			  "Storage pool not found: no storage pool with matching uuid '%s'", text);
		return;
	}
	reply_pool(call, pool);
}

static void on_by_volume(struct call *call, const rpc_storage_pool_lookup_by_volume_args *args)
{
	const struct pool *pool = pool_by_name(call->node, args->vol.pool);

	if (pool)
		reply_pool(call, pool);
	else
		call_fail(call, RPC_CODE_NO_STORAGE_POOL, RPC_FROM_STORAGE,
			  "Storage pool not found: no storage pool with matching name '%.256s'",
			  args->vol.pool);
}

static void on_by_target(struct call *call, const rpc_storage_pool_lookup_by_target_path_args *args)
{
	g_autofree char *path = g_canonicalize_filename(args->path, "/");

	for (unsigned i = 0; i < call->node->pools->len; i++) {
		const struct pool *pool = call->node->pools->pdata[i];
		const char *target = pool_shown(pool)->target.path;
		g_autofree char *clean = target ? g_canonicalize_filename(target, "/") : NULL;

		if (pool_active(pool) && clean && !strcmp(clean, path)) {
			reply_pool(call, pool);
			return;
		}
	}
	call_fail(call, RPC_CODE_NO_STORAGE_POOL, RPC_FROM_STORAGE,
		  "Storage pool not found: no storage pool with matching target path '%.256s'",
		  args->path);
}

/* == What is known without asking == */

static void on_is_active(struct call *call, const rpc_storage_pool_is_active_args *args)
{
	const struct pool *pool = call_pool(call, &args->pool);
	rpc_storage_pool_is_active_ret ret;

	if (!pool)
		return;
	ret.active = pool_active(pool);
	call_reply(call, &ret);
}

static void on_is_persistent(struct call *call, const rpc_storage_pool_is_persistent_args *args)
{
	const struct pool *pool = call_pool(call, &args->pool);
	rpc_storage_pool_is_persistent_ret ret;

	if (!pool)
		return;
	ret.persistent = pool->config != NULL;
	call_reply(call, &ret);
}

static void on_get_autostart(struct call *call, const rpc_storage_pool_get_autostart_args *args)
{
	const struct pool *pool = call_pool(call, &args->pool);
	rpc_storage_pool_get_autostart_ret ret;

	if (!pool)
		return;
	ret.autostart = pool->autostart;
	call_reply(call, &ret);
}

/* == What the storage is asked for == */

/* Its server or its device may hang. Whoever lists pools does not wait for that one, nor is it asked ever again. */
struct usage_query {
	struct pool_usage usage;
	bool late;
	void (*got)(struct call *call, const GError *error);
	void (*reply_late)(struct call *call);
};

static void got_usage(struct call *call, const GError *error)
{
	const struct usage_query *query = call->data;

	pool_of(call->object)->silent -= query->late;
	query->got(call, error);
}

static void late_usage(struct call *call)
{
	struct usage_query *query = call->data;

	query->late = true;
	pool_of(call->object)->silent++;
	query->reply_late(call);
}

/* @reply_late answers by call_answer_late(). */
static void ask_usage(struct call *call, struct pool *pool,
		      void (*got)(struct call *call, const GError *error),
		      void (*reply_late)(struct call *call))
{
	struct usage_query *query = call_data(call, sizeof(*query));

	query->got = got;
	query->reply_late = reply_late;
	call_hold_object(call, &pool->object);
	call_deadline(call, USAGE_MS, late_usage);
	pool->storage->ops->usage(pool->storage, &query->usage, call_task(call, got_usage));
}

static void got_info(struct call *call, const GError *error)
{
	const struct usage_query *query = call->data;
	const struct pool_usage *usage = &query->usage;
	rpc_storage_pool_get_info_ret ret = { .state = POOL_STATE_RUNNING,
					      .capacity = usage->capacity,
					      .allocation = usage->allocation,
					      .available = usage->available };

	if (error)
		call_fail_error(call, RPC_FROM_STORAGE, error);
	else
		call_reply(call, &ret);
}

static void late_info(struct call *call)
{
	rpc_storage_pool_get_info_ret ret = { .state = POOL_STATE_INACCESSIBLE };

	call_answer_late(call, &ret);
}

static void on_get_info(struct call *call, const rpc_storage_pool_get_info_args *args)
{
	struct pool *pool = call_pool(call, &args->pool);
	rpc_storage_pool_get_info_ret ret = { .state = POOL_STATE_INACTIVE };

	if (!pool)
		return;
	if (pool_active(pool) && pool->silent)
		ret.state = POOL_STATE_INACCESSIBLE;
	if (!pool_active(pool) || pool->silent)
		call_reply(call, &ret);
	else
		ask_usage(call, pool, got_info, late_info);
}

static void reply_xml(struct call *call, const struct storage_pool *def)
{
	g_autofree char *xml = storage_pool_format(def);
	rpc_storage_pool_get_xml_desc_ret ret = { .xml = xml };

	call_reply(call, &ret);
}

static void late_xml(struct call *call)
{
	g_autofree char *xml = storage_pool_format(pool_shown(pool_of(call->object)));
	rpc_storage_pool_get_xml_desc_ret ret = { .xml = xml };

	call_answer_late(call, &ret);
}

static void got_usage_for_xml(struct call *call, const GError *error)
{
	const struct usage_query *query = call->data;
	const struct pool_usage *usage = &query->usage;
	struct pool *pool = pool_of(call->object);
	autoptr(storage_pool) def = storage_pool_copy(pool_shown(pool));

	/* A pool whose numbers are not to be had still has a definition. */
	if (!error) {
		def->capacity = number_of((int64_t)MIN(usage->capacity, (uint64_t)INT64_MAX));
		def->allocation = number_of((int64_t)MIN(usage->allocation, (uint64_t)INT64_MAX));
		def->available = number_of((int64_t)MIN(usage->available, (uint64_t)INT64_MAX));
	}
	reply_xml(call, def);
}

static void on_get_xml(struct call *call, const rpc_storage_pool_get_xml_desc_args *args)
{
	struct pool *pool = call_pool(call, &args->pool);

	if (!pool || !call_pool_flags(call, args->flags, XML_INACTIVE))
		return;
	if (!pool_active(pool) || (args->flags & XML_INACTIVE && pool->config))
		reply_xml(call, pool->config ? pool->config : pool->live);
	else if (pool->silent)
		reply_xml(call, pool->live);
	else
		ask_usage(call, pool, got_usage_for_xml, late_xml);
}

/* == What could be a pool == */

static void on_caps(struct call *call, const rpc_connect_get_storage_pool_capabilities_args *args)
{
	const struct node_config *config = &call->node->config;
	struct storage_caps_type types[STORAGE_POOL_TYPE_COUNT];
	unsigned n = 0;
	g_autofree char *text = NULL;
	rpc_connect_get_storage_pool_capabilities_ret ret;

	if (!call_pool_flags(call, args->flags, 0))
		return;
	for (int i = STORAGE_POOL_DIR; i < STORAGE_POOL_TYPE_COUNT; i++) {
		enum storage_pool_type type = (enum storage_pool_type)i;

		types[n++] = (struct storage_caps_type){
			type, config->pools && config->pools->supports(config->pools_opaque, type)
		};
	}
	ret.capabilities = text = storage_caps_format(types, n);
	call_reply(call, &ret);
}

static void free_pool(void *data)
{
	storage_pool_free(data);
}

static void found_sources(struct call *call, const GError *error)
{
	GPtrArray *list = call->data;
	g_autofree char *text = NULL;
	rpc_connect_find_storage_pool_sources_ret ret;

	if (error) {
		call_fail_error(call, RPC_FROM_STORAGE, error);
		return;
	}
	ret.xml = text =
		storage_sources_format((const struct storage_pool *const *)list->pdata, list->len);
	call_reply(call, &ret);
}

static enum storage_pool_type type_of(const char *name)
{
	for (int i = STORAGE_POOL_DIR; i < STORAGE_POOL_TYPE_COUNT; i++) {
		if (!strcmp(storage_pool_type_names[i], name))
			return (enum storage_pool_type)i;
	}
	return STORAGE_POOL_ABSENT;
}

static void on_find_sources(struct call *call,
			    const rpc_connect_find_storage_pool_sources_args *args)
{
	const struct node_config *config = &call->node->config;
	const char *spec = args->srcSpec ? *args->srcSpec : NULL;
	enum storage_pool_type type = type_of(args->type);
	autoptr(storage_pool) like = NULL;
	g_autoptr(GError) error = NULL;

	if (!call_pool_flags(call, args->flags, 0))
		return;
	if (type == STORAGE_POOL_ABSENT || !config->pools || !config->pools->find_sources) {
		call_fail(call, RPC_CODE_NO_SUPPORT, RPC_FROM_STORAGE,
			  "sources of storage pools of type '%.64s' cannot be looked for; name one "
			  "in <source>",
			  args->type);
		return;
	}
	if (spec && *spec) {
		like = storage_source_parse(spec, strlen(spec), &error);
		if (!like) {
			call_fail_pool_xml(call, error);
			return;
		}
	}
	call->data = g_ptr_array_new_with_free_func(free_pool);
	call->data_free = (GDestroyNotify)g_ptr_array_unref;
	config->pools->find_sources(config->pools_opaque, type, like, call->data,
				    call_task(call, found_sources));
}

const struct call_entry pool_list_handlers[] = {
	HANDLE(RPC_PROC_CONNECT_LIST_ALL_STORAGE_POOLS, rpc_connect_list_all_storage_pools_args,
	       on_list_all),
	HANDLE_BARE(RPC_PROC_CONNECT_NUM_OF_STORAGE_POOLS, on_num),
	HANDLE_BARE(RPC_PROC_CONNECT_NUM_OF_DEFINED_STORAGE_POOLS, on_num_defined),
	HANDLE(RPC_PROC_CONNECT_LIST_STORAGE_POOLS, rpc_connect_list_storage_pools_args, on_list),
	HANDLE(RPC_PROC_CONNECT_LIST_DEFINED_STORAGE_POOLS,
	       rpc_connect_list_defined_storage_pools_args, on_list_defined),
	HANDLE(RPC_PROC_STORAGE_POOL_LOOKUP_BY_NAME, rpc_storage_pool_lookup_by_name_args,
	       on_by_name),
	HANDLE(RPC_PROC_STORAGE_POOL_LOOKUP_BY_UUID, rpc_storage_pool_lookup_by_uuid_args,
	       on_by_uuid),
	HANDLE(RPC_PROC_STORAGE_POOL_LOOKUP_BY_VOLUME, rpc_storage_pool_lookup_by_volume_args,
	       on_by_volume),
	HANDLE(RPC_PROC_STORAGE_POOL_LOOKUP_BY_TARGET_PATH,
	       rpc_storage_pool_lookup_by_target_path_args, on_by_target),
	HANDLE(RPC_PROC_STORAGE_POOL_IS_ACTIVE, rpc_storage_pool_is_active_args, on_is_active),
	HANDLE(RPC_PROC_STORAGE_POOL_IS_PERSISTENT, rpc_storage_pool_is_persistent_args,
	       on_is_persistent),
	HANDLE(RPC_PROC_STORAGE_POOL_GET_AUTOSTART, rpc_storage_pool_get_autostart_args,
	       on_get_autostart),
	HANDLE(RPC_PROC_STORAGE_POOL_GET_INFO, rpc_storage_pool_get_info_args, on_get_info),
	HANDLE(RPC_PROC_STORAGE_POOL_GET_XML_DESC, rpc_storage_pool_get_xml_desc_args, on_get_xml),
	HANDLE(RPC_PROC_CONNECT_GET_STORAGE_POOL_CAPABILITIES,
	       rpc_connect_get_storage_pool_capabilities_args, on_caps),
	HANDLE(RPC_PROC_CONNECT_FIND_STORAGE_POOL_SOURCES,
	       rpc_connect_find_storage_pool_sources_args, on_find_sources),
	HANDLERS_END,
};
