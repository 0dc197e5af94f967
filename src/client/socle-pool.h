/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * socle-pool.h - storage pools: folders, volume groups, shares ... that have volumes
 *
 * A pool is a name and a UUID; what it is stands in its XML, as for domains.
 */
#ifndef CLIENT_SOCLE_POOL_H
#define CLIENT_SOCLE_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "client/socle-conn.h"
#include "client/socle-error.h"

struct socle_pool;

enum socle_pool_state {
	SOCLE_POOL_INACTIVE = 0,
	SOCLE_POOL_BUILDING = 1,
	SOCLE_POOL_RUNNING = 2,
	SOCLE_POOL_DEGRADED = 3,
	SOCLE_POOL_INACCESSIBLE = 4,
};

enum socle_pool_list_flags {
	SOCLE_POOL_LIST_INACTIVE = 1 << 0,
	SOCLE_POOL_LIST_ACTIVE = 1 << 1,
	SOCLE_POOL_LIST_PERSISTENT = 1 << 2,
	SOCLE_POOL_LIST_TRANSIENT = 1 << 3,
	SOCLE_POOL_LIST_AUTOSTART = 1 << 4,
	SOCLE_POOL_LIST_NO_AUTOSTART = 1 << 5,
	SOCLE_POOL_LIST_DIR = 1 << 6,
	SOCLE_POOL_LIST_FS = 1 << 7,
	SOCLE_POOL_LIST_NETFS = 1 << 8,
	SOCLE_POOL_LIST_LOGICAL = 1 << 9,
	SOCLE_POOL_LIST_DISK = 1 << 10,
	SOCLE_POOL_LIST_ISCSI = 1 << 11,
	SOCLE_POOL_LIST_SCSI = 1 << 12,
	SOCLE_POOL_LIST_MPATH = 1 << 13,
	SOCLE_POOL_LIST_RBD = 1 << 14,
	SOCLE_POOL_LIST_SHEEPDOG = 1 << 15,
	SOCLE_POOL_LIST_GLUSTER = 1 << 16,
	SOCLE_POOL_LIST_ZFS = 1 << 17,
	SOCLE_POOL_LIST_VSTORAGE = 1 << 18,
	SOCLE_POOL_LIST_ISCSI_DIRECT = 1 << 19,
};

enum socle_pool_define_flags {
	SOCLE_POOL_DEFINE_VALIDATE = 1 << 0, /* refuse what the schema does not know */
};

enum socle_pool_create_flags {
	SOCLE_POOL_CREATE_BUILD = 1 << 0, /* build it first */
	SOCLE_POOL_CREATE_BUILD_OVERWRITE = 1 << 1,
	SOCLE_POOL_CREATE_BUILD_NO_OVERWRITE = 1 << 2,
};

enum socle_pool_build_flags {
	SOCLE_POOL_BUILD_REPAIR = 1 << 0,
	SOCLE_POOL_BUILD_RESIZE = 1 << 1,
	SOCLE_POOL_BUILD_NO_OVERWRITE = 1 << 2, /* fail if something is there */
	SOCLE_POOL_BUILD_OVERWRITE = 1 << 3,    /* whatever is there */
};

enum socle_pool_delete_flags {
	SOCLE_POOL_DELETE_ZEROED = 1 << 0,
};

enum socle_pool_xml_flags {
	SOCLE_POOL_XML_INACTIVE = 1 << 0, /* as it will be at the next start */
};

/* For socle_pool_info(). */
struct socle_pool_info {
	int state;           /* enum socle_pool_state */
	uint64_t capacity;   /* bytes */
	uint64_t allocation; /* of these are in use */
	uint64_t available;
};

/**
 * socle_pool_ref() - one more owner
 * @pool: the pool
 *
 * Return: @pool
 */
SOCLE_API struct socle_pool *socle_pool_ref(struct socle_pool *pool);

/**
 * socle_pool_unref() - one owner less
 * @pool: may be NULL
 */
SOCLE_API void socle_pool_unref(struct socle_pool *pool);

/**
 * socle_pools_free() - give back a list of pools
 * @pools: a NULL behind the last; may be NULL
 */
SOCLE_API void socle_pools_free(struct socle_pool **pools);

/**
 * socle_pool_conn() - the connection that it was got by
 * @pool: the pool
 *
 * Return: it belongs to @pool
 */
SOCLE_API struct socle_conn *socle_pool_conn(const struct socle_pool *pool);

/**
 * socle_pool_name() - its name
 * @pool: the pool
 *
 * Return: it belongs to @pool
 */
SOCLE_API const char *socle_pool_name(const struct socle_pool *pool);

/**
 * socle_pool_uuid() - its UUID
 * @pool: the pool
 *
 * Return: 16 bytes that belong to @pool
 */
SOCLE_API const unsigned char *socle_pool_uuid(const struct socle_pool *pool);

/**
 * socle_pool_uuid_text() - its UUID with hyphens, in small letters
 * @pool: the pool
 *
 * Return: it belongs to @pool
 */
SOCLE_API const char *socle_pool_uuid_text(const struct socle_pool *pool);

/**
 * socle_pool_state_name() - word for a state, such as "running"
 * @state: enum socle_pool_state
 *
 * Return: constant; "unknown" for other numbers
 */
SOCLE_API const char *socle_pool_state_name(int state);

/**
 * socle_pool_list() - which pools there are
 * @conn:      the connection
 * @flags:     enum socle_pool_list_flags; 0: all
 * @ret_pools: for socle_pools_free(); may be NULL if only the number matters
 * @error:     says why not
 *
 * Return: how many, or -1
 */
SOCLE_API int socle_pool_list(struct socle_conn *conn, unsigned flags,
			      struct socle_pool ***ret_pools, struct socle_error **error);

/**
 * socle_pool_by_name() - look a pool up
 * @conn:  the connection
 * @name:  whole
 * @error: SOCLE_ERR_NO_STORAGE_POOL if there is none
 *
 * Return: for socle_pool_unref(); NULL on failure
 */
SOCLE_API struct socle_pool *socle_pool_by_name(struct socle_conn *conn, const char *name,
						struct socle_error **error);

/**
 * socle_pool_by_uuid() - look a pool up
 * @conn:  the connection
 * @uuid:  16 bytes
 * @error: SOCLE_ERR_NO_STORAGE_POOL if there is none
 *
 * Return: for socle_pool_unref(); NULL on failure
 */
SOCLE_API struct socle_pool *socle_pool_by_uuid(struct socle_conn *conn, const unsigned char *uuid,
						struct socle_error **error);

/**
 * socle_pool_by_uuid_text() - look a pool up
 * @conn:  the connection
 * @uuid:  with or without hyphens
 * @error: SOCLE_ERR_NO_STORAGE_POOL if there is none
 *
 * Return: for socle_pool_unref(); NULL on failure
 */
SOCLE_API struct socle_pool *socle_pool_by_uuid_text(struct socle_conn *conn, const char *uuid,
						     struct socle_error **error);

/**
 * socle_pool_by_target_path() - the pool whose volumes are in a folder
 * @conn:  the connection
 * @path:  of the folder, on the daemon's host
 * @error: SOCLE_ERR_NO_STORAGE_POOL if there is none
 *
 * Return: for socle_pool_unref(); NULL on failure
 */
SOCLE_API struct socle_pool *socle_pool_by_target_path(struct socle_conn *conn, const char *path,
						       struct socle_error **error);

/**
 * socle_pool_define() - make a pool that stays, or another one of it; it is not started
 * @conn:  the connection
 * @xml:   a <pool>
 * @flags: enum socle_pool_define_flags
 * @error: says why not
 *
 * Return: for socle_pool_unref(); NULL on failure
 */
SOCLE_API struct socle_pool *socle_pool_define(struct socle_conn *conn, const char *xml,
					       unsigned flags, struct socle_error **error);

/**
 * socle_pool_create_xml() - start a pool that is forgotten when it stops
 * @conn:  the connection
 * @xml:   a <pool>
 * @flags: enum socle_pool_create_flags
 * @error: says why not
 *
 * Return: for socle_pool_unref(); NULL on failure
 */
SOCLE_API struct socle_pool *socle_pool_create_xml(struct socle_conn *conn, const char *xml,
						   unsigned flags, struct socle_error **error);

/**
 * socle_pool_create() - start a pool that is defined
 * @pool:  the pool
 * @flags: enum socle_pool_create_flags
 * @error: says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_pool_create(struct socle_pool *pool, unsigned flags,
				struct socle_error **error);

/**
 * socle_pool_build() - make what it is on: a folder, a file system, a volume group
 * @pool:  the pool; not active
 * @flags: enum socle_pool_build_flags
 * @error: says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_pool_build(struct socle_pool *pool, unsigned flags, struct socle_error **error);

/**
 * socle_pool_destroy() - stop it; nothing is lost
 * @pool:  the pool
 * @error: says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_pool_destroy(struct socle_pool *pool, struct socle_error **error);

/**
 * socle_pool_undefine() - forget its definition; nothing is lost
 * @pool:  the pool; not active
 * @error: says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_pool_undefine(struct socle_pool *pool, struct socle_error **error);

/**
 * socle_pool_delete() - delete what it is on; what it had is lost
 * @pool:  the pool; not active
 * @flags: enum socle_pool_delete_flags
 * @error: says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_pool_delete(struct socle_pool *pool, unsigned flags,
				struct socle_error **error);

/**
 * socle_pool_refresh() - look again which volumes there are
 * @pool:  the pool
 * @flags: 0
 * @error: says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_pool_refresh(struct socle_pool *pool, unsigned flags,
				 struct socle_error **error);

/**
 * socle_pool_info() - its state and how much it has
 * @pool:     the pool
 * @ret_info: set on success
 * @error:    says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_pool_info(struct socle_pool *pool, struct socle_pool_info *ret_info,
			      struct socle_error **error);

/**
 * socle_pool_xml() - what it is
 * @pool:  the pool
 * @flags: enum socle_pool_xml_flags
 * @error: says why not
 *
 * Return: for free(3); NULL on failure
 */
SOCLE_API char *socle_pool_xml(struct socle_pool *pool, unsigned flags, struct socle_error **error);

/**
 * socle_pool_get_autostart() - does it start with the host?
 * @pool:  the pool
 * @error: says why not
 *
 * Return: 1, 0, or -1
 */
SOCLE_API int socle_pool_get_autostart(struct socle_pool *pool, struct socle_error **error);

/**
 * socle_pool_set_autostart() - let it start with the host, or not
 * @pool:  the pool
 * @on:    whether it does
 * @error: says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_pool_set_autostart(struct socle_pool *pool, bool on,
				       struct socle_error **error);

/**
 * socle_pool_is_active() - can its volumes be used?
 * @pool:  the pool
 * @error: says why not
 *
 * Return: 1, 0, or -1
 */
SOCLE_API int socle_pool_is_active(struct socle_pool *pool, struct socle_error **error);

/**
 * socle_pool_is_persistent() - does its definition stay when it stops?
 * @pool:  the pool
 * @error: says why not
 *
 * Return: 1, 0, or -1
 */
SOCLE_API int socle_pool_is_persistent(struct socle_pool *pool, struct socle_error **error);

/**
 * socle_pool_find_sources() - what pools of a kind could be made of, in XML
 * @conn:  the connection
 * @type:  such as "logical" or "netfs"
 * @spec:  a <source> that says where to look, or NULL
 * @flags: 0
 * @error: says why not
 *
 * Return: a <sources>, for free(3); NULL on failure
 */
SOCLE_API char *socle_pool_find_sources(struct socle_conn *conn, const char *type, const char *spec,
					unsigned flags, struct socle_error **error);

/**
 * socle_pool_capabilities() - which kinds of pools the daemon has, in XML
 * @conn:  the connection
 * @flags: 0
 * @error: says why not
 *
 * Return: for free(3); NULL on failure
 */
SOCLE_API char *socle_pool_capabilities(struct socle_conn *conn, unsigned flags,
					struct socle_error **error);

#endif
