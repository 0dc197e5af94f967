/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vol.c - volumes of storage pools: lists, look-ups, what they say of themselves
 *
 * All of it is asked of the storage at that moment. Only a volume that is being made is known here: it is
 * listed, and its allocation is what is there of it.
 */
#include <string.h>

#include "base/error.h"
#include "manage/pool-int.h"

enum {
	INFO_PHYSICAL = 1 << 0,
};

/* == Those that somebody is at == */

static void vol_free(struct object *object)
{
	struct vol *vol = vol_of(object);

	g_hash_table_remove(vol->pool->vols, vol->name);
	storage_vol_free(vol->making);
	vol_work_unref(vol->work);
	object_unref(&vol->pool->object);
	g_free(vol->name);
	g_free(vol);
}

static const struct object_kind vol_kind = {
	"storage volume",
	RPC_FROM_STORAGE,
	"wait until it is done",
	vol_free,
};

struct vol *vol_get(struct pool *pool, const char *name)
{
	struct vol *vol = g_hash_table_lookup(pool->vols, name);

	if (vol) {
		object_ref(&vol->object);
		return vol;
	}
	vol = g_new0(struct vol, 1);
	vol->name = g_strdup(name);
	vol->pool = pool;
	object_ref(&pool->object);
	object_init(&vol->object, &vol_kind, vol->name);
	g_hash_table_insert(pool->vols, vol->name, vol);
	return vol;
}

char *vol_path(const struct pool *pool, const char *name)
{
	return storage_vol_path(pool_shown(pool), name);
}

static const struct vol *find_making(const struct pool *pool, const char *name)
{
	const struct vol *vol = g_hash_table_lookup(pool->vols, name);

	return vol && vol->making ? vol : NULL;
}

bool call_vol_is_being_made(struct call *call, struct pool *pool, const char *name)
{
	if (!find_making(pool, name))
		return false;
	call_fail(call, RPC_CODE_OPERATION_INVALID, RPC_FROM_STORAGE,
		  "Requested operation is not valid: volume '%s' is still being allocated; wait "
		  "until it is there",
		  name);
	return true;
}

static void say_no_vol(struct call *call, const char *what, const char *text)
{
	call_fail(call, RPC_CODE_NO_STORAGE_VOL, RPC_FROM_STORAGE,
		  "Storage volume not found: no storage vol with matching %s '%.256s'", what, text);
}

void call_fail_vol(struct call *call, const char *name, const GError *error)
{
	if (g_error_matches(error, SOCLE_ERROR, SOCLE_ERROR_NOT_FOUND))
		say_no_vol(call, "name", name);
	else if (g_error_matches(error, SOCLE_ERROR, SOCLE_ERROR_EXISTS))
		call_fail(call, RPC_CODE_STORAGE_VOL_EXIST, RPC_FROM_STORAGE, "%s", error->message);
	else
		call_fail_error(call, RPC_FROM_STORAGE, error);
}

struct pool *call_vol_pool(struct call *call, const rpc_storage_vol *handle)
{
	struct pool *pool = pool_by_name(call->node, handle->pool);

	if (!pool) {
		call_fail(call, RPC_CODE_NO_STORAGE_POOL, RPC_FROM_STORAGE,
			  "Storage pool not found: no storage pool with matching name '%.256s'",
			  handle->pool);
		return NULL;
	}
	if (!call_pool_still_active(call, pool))
		return NULL;
	if (!storage_vol_name_check(handle->name, NULL)) {
		say_no_vol(call, "name", handle->name);
		return NULL;
	}
	return pool;
}

/* == Lists == */

static void free_names(void *data)
{
	g_ptr_array_unref(data);
}

/* Behind what is there come those that are being made; of devices the storage knows already. */
static void add_making(struct pool *pool, GPtrArray *names)
{
	g_autoptr(GList) vols = g_hash_table_get_values(pool->vols);

	for (GList *l = vols; l; l = l->next) {
		const struct vol *vol = l->data;

		if (vol->making &&
		    !g_ptr_array_find_with_equal_func(names, vol->name, g_str_equal, NULL))
			g_ptr_array_add(names, g_strdup(vol->name));
	}
}

static void ask_names(struct call *call, struct pool *pool, call_next next)
{
	call->data = g_ptr_array_new_with_free_func(g_free);
	call->data_free = free_names;
	call_hold_object(call, &pool->object);
	pool->storage->ops->list(pool->storage, call->data, call_task(call, next));
}

/* NULL: the call has failed. */
static GPtrArray *got_names(struct call *call, const GError *error)
{
	GPtrArray *names = call->data;

	if (error) {
		call_fail_error(call, RPC_FROM_STORAGE, error);
		return NULL;
	}
	add_making(pool_of(call->object), names);
	if (names->len > RPC_MAX_STORAGE_VOLS) {
		call_fail(call, RPC_CODE_RPC, RPC_FROM_RPC,
			  "there are %u volumes, and %d fit into an answer; spread them over more "
			  "pools",
			  names->len, RPC_MAX_STORAGE_VOLS);
		return NULL;
	}
	return names;
}

static void listed_all(struct call *call, const GError *error)
{
	const rpc_storage_pool_list_all_volumes_args *args = call->args;
	const struct pool *pool = pool_of(call->object);
	GPtrArray *names = got_names(call, error), *paths;
	rpc_storage_pool_list_all_volumes_ret ret = { .ret = names ? names->len : 0 };
	g_autofree rpc_storage_vol *vols = NULL;

	if (!names)
		return;
	paths = g_ptr_array_new_full(names->len, g_free);
	vols = g_new(rpc_storage_vol, MAX(names->len, 1));
	for (unsigned i = 0; i < names->len; i++) {
		g_ptr_array_add(paths, vol_path(pool, names->pdata[i]));
		vols[i] = (rpc_storage_vol){ .pool = pool->name,
					     .name = names->pdata[i],
					     .key = paths->pdata[i] };
	}
	if (args->need_results) {
		ret.vols.vols_val = vols;
		ret.vols.vols_len = names->len;
	}
	call_reply(call, &ret);
	g_ptr_array_unref(paths);
}

static void on_list_all(struct call *call, const rpc_storage_pool_list_all_volumes_args *args)
{
	struct pool *pool = call_active_pool(call, &args->pool);

	if (pool && call_pool_flags(call, args->flags, 0))
		ask_names(call, pool, listed_all);
}

static void counted(struct call *call, const GError *error)
{
	GPtrArray *names = got_names(call, error);
	rpc_storage_pool_num_of_volumes_ret ret;

	if (!names)
		return;
	ret.num = (int)names->len;
	call_reply(call, &ret);
}

static void on_num(struct call *call, const rpc_storage_pool_num_of_volumes_args *args)
{
	struct pool *pool = call_active_pool(call, &args->pool);

	if (pool)
		ask_names(call, pool, counted);
}

static void listed(struct call *call, const GError *error)
{
	const rpc_storage_pool_list_volumes_args *args = call->args;
	GPtrArray *names = got_names(call, error);
	rpc_storage_pool_list_volumes_ret ret = { { 0 } };

	if (!names)
		return;
	ret.names.names_val = (rpc_text *)(void *)names->pdata;
	ret.names.names_len = MIN(names->len, (unsigned)args->maxnames);
	call_reply(call, &ret);
}

static void on_list(struct call *call, const rpc_storage_pool_list_volumes_args *args)
{
	struct pool *pool = call_active_pool(call, &args->pool);

	if (!pool)
		return;
	if (args->maxnames < 0 || args->maxnames > RPC_MAX_STORAGE_VOLS) {
		call_fail(call, RPC_CODE_RPC, RPC_FROM_RPC, "a list of %d volumes: it has 0 to %d",
			  args->maxnames, RPC_MAX_STORAGE_VOLS);
		return;
	}
	ask_names(call, pool, listed);
}

/* == A volume: call->data is what was asked, call->object its pool == */

struct asked {
	char *name;
	struct storage_vol *vol;
	void (*answer)(struct call *call, const struct storage_vol *vol);
	const char *by, *text; /* how the client has found it */
};

static void asked_free(void *data)
{
	struct asked *asked = data;

	g_free(asked->name);
	storage_vol_free(asked->vol);
	g_free(asked);
}

static void looked(struct call *call, const GError *error)
{
	struct asked *asked = call->data;

	if (!error)
		asked->answer(call, asked->vol);
	else if (g_error_matches(error, SOCLE_ERROR, SOCLE_ERROR_NOT_FOUND))
		say_no_vol(call, asked->by, asked->text);
	else
		call_fail_error(call, RPC_FROM_STORAGE, error);
}

/* What it will be, and how much of that is there. */
static void answer_making(struct call *call, const struct vol *vol)
{
	struct asked *asked = call->data;
	uint64_t done = vol->work ? atomic_load(&vol->work->done) : 0;

	asked->vol = storage_vol_copy(vol->making);
	asked->vol->allocation = number_of((int64_t)MIN(done, (uint64_t)INT64_MAX));
	asked->answer(call, asked->vol);
}

static void ask(struct call *call, struct pool *pool, const char *name, const char *by,
		const char *text, void (*answer)(struct call *call, const struct storage_vol *vol))
{
	struct asked *asked = call_data(call, sizeof(*asked));
	const struct vol *making = find_making(pool, name);

	call->data_free = asked_free;
	*asked = (struct asked){ g_strdup(name), NULL, answer, by, text };
	call_hold_object(call, &pool->object);
	if (making)
		answer_making(call, making);
	else
		pool_look(pool, asked->name, &asked->vol, call_task(call, looked));
}

static void ask_handle(struct call *call, const rpc_storage_vol *handle,
		       void (*answer)(struct call *call, const struct storage_vol *vol))
{
	struct pool *pool = call_vol_pool(call, handle);

	if (pool)
		ask(call, pool, handle->name, "name", handle->name, answer);
}

/* All look-ups have one layout of answers, which that of a new volume has, too. */
static void answer_handle(struct call *call, const struct storage_vol *vol)
{
	const struct pool *pool = pool_of(call->object);
	g_autofree char *path = vol_path(pool, vol->name);
	rpc_storage_vol_lookup_by_name_ret ret = {
		.vol = { .pool = pool->name, .name = vol->name, .key = path }
	};

	call_reply(call, &ret);
}

static void on_by_name(struct call *call, const rpc_storage_vol_lookup_by_name_args *args)
{
	struct pool *pool = call_active_pool(call, &args->pool);

	if (!pool)
		return;
	if (storage_vol_name_check(args->name, NULL))
		ask(call, pool, args->name, "name", args->name, answer_handle);
	else
		say_no_vol(call, "name", args->name);
}

/* The active pool whose folder @path lies in directly, and the name in there; both NULL: none. */
static struct pool *find_folder(struct node *node, const char *path, char **ret_name)
{
	g_autofree char *clean = g_canonicalize_filename(path, "/");
	g_autofree char *folder = g_path_get_dirname(clean);
	g_autofree char *name = g_path_get_basename(clean);

	if (path[0] != '/' || !storage_vol_name_check(name, NULL))
		return NULL;
	for (unsigned i = 0; i < node->pools->len; i++) {
		struct pool *pool = node->pools->pdata[i];
		const char *target = pool_active(pool) ? pool->live->target.path : NULL;
		g_autofree char *own = target ? g_canonicalize_filename(target, "/") : NULL;

		if (own && !strcmp(own, folder)) {
			*ret_name = g_steal_pointer(&name);
			return pool;
		}
	}
	return NULL;
}

/* The same of pools without a folder, whose volumes have paths of their own. */
static struct pool *find_path(struct node *node, const char *path, char **ret_name)
{
	for (unsigned i = 0; path[0] != '/' && i < node->pools->len; i++) {
		struct pool *pool = node->pools->pdata[i];
		g_autofree char *name =
			pool_active(pool) ? storage_vol_of_path(pool->live, path) : NULL;

		if (name && storage_vol_name_check(name, NULL)) {
			*ret_name = g_steal_pointer(&name);
			return pool;
		}
	}
	return find_folder(node, path, ret_name);
}

static void find(struct call *call, const char *by, const char *path)
{
	g_autofree char *name = NULL;
	struct pool *pool = find_path(call->node, path, &name);

	if (pool)
		ask(call, pool, name, by, path, answer_handle);
	else
		say_no_vol(call, by, path);
}

static void on_by_key(struct call *call, const rpc_storage_vol_lookup_by_key_args *args)
{
	find(call, "key", args->key);
}

static void on_by_path(struct call *call, const rpc_storage_vol_lookup_by_path_args *args)
{
	find(call, "path", args->path);
}

/* libvirt counts types from 0. */
static char type_of(const struct storage_vol *vol)
{
	return (char)(vol->type == STORAGE_VOL_ABSENT ? 0 : vol->type - STORAGE_VOL_FILE);
}

static void answer_info(struct call *call, const struct storage_vol *vol)
{
	rpc_storage_vol_get_info_ret ret = { .type = type_of(vol),
					     .capacity = (uint64_t)vol->capacity.value,
					     .allocation = (uint64_t)vol->allocation.value };

	call_reply(call, &ret);
}

static void answer_physical(struct call *call, const struct storage_vol *vol)
{
	rpc_storage_vol_get_info_flags_ret ret = { .type = type_of(vol),
						   .capacity = (uint64_t)vol->capacity.value,
						   .allocation = (uint64_t)vol->physical.value };

	call_reply(call, &ret);
}

static void on_get_info(struct call *call, const rpc_storage_vol_get_info_args *args)
{
	ask_handle(call, &args->vol, answer_info);
}

static void on_get_info_flags(struct call *call, const rpc_storage_vol_get_info_flags_args *args)
{
	if (call_pool_flags(call, args->flags, INFO_PHYSICAL))
		ask_handle(call, &args->vol,
			   args->flags & INFO_PHYSICAL ? answer_physical : answer_info);
}

static void answer_xml(struct call *call, const struct storage_vol *vol)
{
	const struct pool *pool = pool_of(call->object);
	autoptr(storage_vol) shown = storage_vol_copy(vol);
	g_autofree char *xml = NULL;
	rpc_storage_vol_get_xml_desc_ret ret;

	g_free(shown->key);
	g_free(shown->target.path);
	shown->key = vol_path(pool, vol->name);
	shown->target.path = g_strdup(shown->key);
	xml = storage_vol_format(shown);
	ret.xml = xml;
	call_reply(call, &ret);
}

static void on_get_xml(struct call *call, const rpc_storage_vol_get_xml_desc_args *args)
{
	if (call_pool_flags(call, args->flags, 0))
		ask_handle(call, &args->vol, answer_xml);
}

/* It follows from the name: who lists a thousand volumes asks for each of them, and nothing has to be looked at. */
static void on_get_path(struct call *call, const rpc_storage_vol_get_path_args *args)
{
	const struct pool *pool = call_vol_pool(call, &args->vol);
	g_autofree char *path = pool ? vol_path(pool, args->vol.name) : NULL;
	rpc_storage_vol_get_path_ret ret = { .name = path };

	if (pool)
		call_reply(call, &ret);
}

const struct call_entry vol_handlers[] = {
	HANDLE(RPC_PROC_STORAGE_POOL_LIST_ALL_VOLUMES, rpc_storage_pool_list_all_volumes_args,
	       on_list_all),
	HANDLE(RPC_PROC_STORAGE_POOL_NUM_OF_VOLUMES, rpc_storage_pool_num_of_volumes_args, on_num),
	HANDLE(RPC_PROC_STORAGE_POOL_LIST_VOLUMES, rpc_storage_pool_list_volumes_args, on_list),
	HANDLE(RPC_PROC_STORAGE_VOL_LOOKUP_BY_NAME, rpc_storage_vol_lookup_by_name_args,
	       on_by_name),
	HANDLE(RPC_PROC_STORAGE_VOL_LOOKUP_BY_KEY, rpc_storage_vol_lookup_by_key_args, on_by_key),
	HANDLE(RPC_PROC_STORAGE_VOL_LOOKUP_BY_PATH, rpc_storage_vol_lookup_by_path_args,
	       on_by_path),
	HANDLE(RPC_PROC_STORAGE_VOL_GET_INFO, rpc_storage_vol_get_info_args, on_get_info),
	HANDLE(RPC_PROC_STORAGE_VOL_GET_INFO_FLAGS, rpc_storage_vol_get_info_flags_args,
	       on_get_info_flags),
	HANDLE(RPC_PROC_STORAGE_VOL_GET_XML_DESC, rpc_storage_vol_get_xml_desc_args, on_get_xml),
	HANDLE(RPC_PROC_STORAGE_VOL_GET_PATH, rpc_storage_vol_get_path_args, on_get_path),
	HANDLERS_END,
};
