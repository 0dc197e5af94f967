/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pool.c - storage pools: handles, life, what they are
 */
#include "client/socle-pool.h"

#include <string.h>

#include "base/uuid.h"
#include "client/error-int.h"
#include "client/object-int.h"

/* == Handles == */

struct socle_pool *client_pool_new(struct socle_conn *conn, const rpc_storage_pool *wire)
{
	struct socle_pool *pool = g_new(struct socle_pool, 1);

	*pool = (struct socle_pool){
		.refs = 1,
		.conn = socle_conn_ref(conn),
		.name = g_strdup(wire->name),
	};
	memcpy(pool->uuid, wire->uuid, sizeof(pool->uuid));
	uuid_write(pool->uuid, pool->uuid_text);
	return pool;
}

rpc_storage_pool client_pool_wire(const struct socle_pool *pool)
{
	rpc_storage_pool wire = { .name = pool->name };

	memcpy(wire.uuid, pool->uuid, sizeof(wire.uuid));
	return wire;
}

struct socle_pool *socle_pool_ref(struct socle_pool *pool)
{
	atomic_fetch_add(&pool->refs, 1);
	return pool;
}

void socle_pool_unref(struct socle_pool *pool)
{
	if (!pool || atomic_fetch_sub(&pool->refs, 1) != 1)
		return;
	socle_conn_unref(pool->conn);
	g_free(pool->name);
	g_free(pool);
}

void socle_pools_free(struct socle_pool **pools)
{
	for (size_t i = 0; pools && pools[i]; i++)
		socle_pool_unref(pools[i]);
	g_free(pools);
}

struct socle_conn *socle_pool_conn(const struct socle_pool *pool)
{
	return pool->conn;
}

const char *socle_pool_name(const struct socle_pool *pool)
{
	return pool->name;
}

const unsigned char *socle_pool_uuid(const struct socle_pool *pool)
{
	return pool->uuid;
}

const char *socle_pool_uuid_text(const struct socle_pool *pool)
{
	return pool->uuid_text;
}

/* == Finding == */

/* Those answers that have a pool and nothing else look alike. */
static struct socle_pool *take(struct socle_conn *conn, rpc_storage_pool *wire)
{
	struct socle_pool *pool = client_pool_new(conn, wire);

	rpc_body_release(rpc_storage_pool, wire);
	return pool;
}

int socle_pool_list(struct socle_conn *conn, unsigned flags, struct socle_pool ***ret_pools,
		    struct socle_error **error)
{
	rpc_connect_list_all_storage_pools_args args = {
		.need_results = ret_pools != NULL,
		.flags = flags,
	};
	rpc_connect_list_all_storage_pools_ret ret;
	unsigned count;

	if (!CALL(conn, CONNECT_LIST_ALL_STORAGE_POOLS, connect_list_all_storage_pools, &args, &ret,
		  error))
		return -1;
	count = ret_pools ? ret.pools.pools_len : MIN(ret.ret, RPC_MAX_STORAGE_POOLS);
	if (ret_pools) {
		*ret_pools = g_new0(struct socle_pool *, (size_t)count + 1);
		for (unsigned i = 0; i < count; i++)
			(*ret_pools)[i] = client_pool_new(conn, &ret.pools.pools_val[i]);
	}
	rpc_body_release(rpc_connect_list_all_storage_pools_ret, &ret);
	return (int)count;
}

struct socle_pool *socle_pool_by_name(struct socle_conn *conn, const char *name,
				      struct socle_error **error)
{
	rpc_storage_pool_lookup_by_name_args args = { .name = TEXT(name) };
	rpc_storage_pool_lookup_by_name_ret ret;

	if (!client_has(name, "name of a pool", error) ||
	    !CALL(conn, STORAGE_POOL_LOOKUP_BY_NAME, storage_pool_lookup_by_name, &args, &ret,
		  error))
		return NULL;
	return take(conn, &ret.pool);
}

struct socle_pool *socle_pool_by_uuid(struct socle_conn *conn, const unsigned char *uuid,
				      struct socle_error **error)
{
	rpc_storage_pool_lookup_by_uuid_args args;
	rpc_storage_pool_lookup_by_uuid_ret ret;

	if (!client_has(uuid, "UUID", error))
		return NULL;
	memcpy(args.uuid, uuid, sizeof(args.uuid));
	if (!CALL(conn, STORAGE_POOL_LOOKUP_BY_UUID, storage_pool_lookup_by_uuid, &args, &ret,
		  error))
		return NULL;
	return take(conn, &ret.pool);
}

struct socle_pool *socle_pool_by_uuid_text(struct socle_conn *conn, const char *uuid,
					   struct socle_error **error)
{
	unsigned char bytes[16];

	return client_uuid(uuid, bytes, error) ? socle_pool_by_uuid(conn, bytes, error) : NULL;
}

struct socle_pool *socle_pool_by_target_path(struct socle_conn *conn, const char *path,
					     struct socle_error **error)
{
	rpc_storage_pool_lookup_by_target_path_args args = { .path = TEXT(path) };
	rpc_storage_pool_lookup_by_target_path_ret ret;

	if (!client_has(path, "path", error) ||
	    !CALL(conn, STORAGE_POOL_LOOKUP_BY_TARGET_PATH, storage_pool_lookup_by_target_path,
		  &args, &ret, error))
		return NULL;
	return take(conn, &ret.pool);
}

/* == Life == */

struct socle_pool *socle_pool_define(struct socle_conn *conn, const char *xml, unsigned flags,
				     struct socle_error **error)
{
	rpc_storage_pool_define_xml_args args = { .xml = TEXT(xml), .flags = flags };
	rpc_storage_pool_define_xml_ret ret;

	if (!client_has(xml, "XML", error) ||
	    !CALL(conn, STORAGE_POOL_DEFINE_XML, storage_pool_define_xml, &args, &ret, error))
		return NULL;
	return take(conn, &ret.pool);
}

struct socle_pool *socle_pool_create_xml(struct socle_conn *conn, const char *xml, unsigned flags,
					 struct socle_error **error)
{
	rpc_storage_pool_create_xml_args args = { .xml = TEXT(xml), .flags = flags };
	rpc_storage_pool_create_xml_ret ret;

	if (!client_has(xml, "XML", error) ||
	    !CALL(conn, STORAGE_POOL_CREATE_XML, storage_pool_create_xml, &args, &ret, error))
		return NULL;
	return take(conn, &ret.pool);
}

int socle_pool_create(struct socle_pool *pool, unsigned flags, struct socle_error **error)
{
	rpc_storage_pool_create_args args = { .pool = client_pool_wire(pool), .flags = flags };

	return CALL_ARGS(pool->conn, STORAGE_POOL_CREATE, storage_pool_create, &args, error);
}

int socle_pool_build(struct socle_pool *pool, unsigned flags, struct socle_error **error)
{
	rpc_storage_pool_build_args args = { .pool = client_pool_wire(pool), .flags = flags };

	return CALL_ARGS(pool->conn, STORAGE_POOL_BUILD, storage_pool_build, &args, error);
}

int socle_pool_destroy(struct socle_pool *pool, struct socle_error **error)
{
	rpc_storage_pool_destroy_args args = { .pool = client_pool_wire(pool) };

	return CALL_ARGS(pool->conn, STORAGE_POOL_DESTROY, storage_pool_destroy, &args, error);
}

int socle_pool_undefine(struct socle_pool *pool, struct socle_error **error)
{
	rpc_storage_pool_undefine_args args = { .pool = client_pool_wire(pool) };

	return CALL_ARGS(pool->conn, STORAGE_POOL_UNDEFINE, storage_pool_undefine, &args, error);
}

int socle_pool_delete(struct socle_pool *pool, unsigned flags, struct socle_error **error)
{
	rpc_storage_pool_delete_args args = { .pool = client_pool_wire(pool), .flags = flags };

	return CALL_ARGS(pool->conn, STORAGE_POOL_DELETE, storage_pool_delete, &args, error);
}

int socle_pool_refresh(struct socle_pool *pool, unsigned flags, struct socle_error **error)
{
	rpc_storage_pool_refresh_args args = { .pool = client_pool_wire(pool), .flags = flags };

	return CALL_ARGS(pool->conn, STORAGE_POOL_REFRESH, storage_pool_refresh, &args, error);
}

/* == What it is == */

int socle_pool_info(struct socle_pool *pool, struct socle_pool_info *ret_info,
		    struct socle_error **error)
{
	rpc_storage_pool_get_info_args args = { .pool = client_pool_wire(pool) };
	rpc_storage_pool_get_info_ret ret;

	if (!CALL(pool->conn, STORAGE_POOL_GET_INFO, storage_pool_get_info, &args, &ret, error))
		return -1;
	*ret_info = (struct socle_pool_info){
		.state = ret.state,
		.capacity = ret.capacity,
		.allocation = ret.allocation,
		.available = ret.available,
	};
	return 0;
}

char *socle_pool_xml(struct socle_pool *pool, unsigned flags, struct socle_error **error)
{
	rpc_storage_pool_get_xml_desc_args args = { .pool = client_pool_wire(pool),
						    .flags = flags };
	rpc_storage_pool_get_xml_desc_ret ret;

	if (!CALL(pool->conn, STORAGE_POOL_GET_XML_DESC, storage_pool_get_xml_desc, &args, &ret,
		  error))
		return NULL;
	return ret.xml;
}

int socle_pool_get_autostart(struct socle_pool *pool, struct socle_error **error)
{
	rpc_storage_pool_get_autostart_args args = { .pool = client_pool_wire(pool) };
	rpc_storage_pool_get_autostart_ret ret;

	if (!CALL(pool->conn, STORAGE_POOL_GET_AUTOSTART, storage_pool_get_autostart, &args, &ret,
		  error))
		return -1;
	return ret.autostart != 0;
}

int socle_pool_set_autostart(struct socle_pool *pool, bool on, struct socle_error **error)
{
	rpc_storage_pool_set_autostart_args args = { .pool = client_pool_wire(pool),
						     .autostart = on };

	return CALL_ARGS(pool->conn, STORAGE_POOL_SET_AUTOSTART, storage_pool_set_autostart, &args,
			 error);
}

int socle_pool_is_active(struct socle_pool *pool, struct socle_error **error)
{
	rpc_storage_pool_is_active_args args = { .pool = client_pool_wire(pool) };
	rpc_storage_pool_is_active_ret ret;

	if (!CALL(pool->conn, STORAGE_POOL_IS_ACTIVE, storage_pool_is_active, &args, &ret, error))
		return -1;
	return ret.active != 0;
}

int socle_pool_is_persistent(struct socle_pool *pool, struct socle_error **error)
{
	rpc_storage_pool_is_persistent_args args = { .pool = client_pool_wire(pool) };
	rpc_storage_pool_is_persistent_ret ret;

	if (!CALL(pool->conn, STORAGE_POOL_IS_PERSISTENT, storage_pool_is_persistent, &args, &ret,
		  error))
		return -1;
	return ret.persistent != 0;
}

/* == What there could be == */

char *socle_pool_find_sources(struct socle_conn *conn, const char *type, const char *spec,
			      unsigned flags, struct socle_error **error)
{
	rpc_connect_find_storage_pool_sources_args args = {
		.type = TEXT(type),
		.srcSpec = OPTIONAL(spec),
		.flags = flags,
	};
	rpc_connect_find_storage_pool_sources_ret ret;

	if (!client_has(type, "kind of pools", error) ||
	    !CALL(conn, CONNECT_FIND_STORAGE_POOL_SOURCES, connect_find_storage_pool_sources, &args,
		  &ret, error))
		return NULL;
	return ret.xml;
}

char *socle_pool_capabilities(struct socle_conn *conn, unsigned flags, struct socle_error **error)
{
	rpc_connect_get_storage_pool_capabilities_args args = { .flags = flags };
	rpc_connect_get_storage_pool_capabilities_ret ret;

	if (!CALL(conn, CONNECT_GET_STORAGE_POOL_CAPABILITIES,
		  connect_get_storage_pool_capabilities, &args, &ret, error))
		return NULL;
	return ret.capabilities;
}
