/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * volume.c - volumes of storage pools: handles, life, what they are, their bytes
 */
#include "client/socle-volume.h"

#include <assert.h>
#include <stddef.h>

#include "client/error-int.h"
#include "client/object-int.h"

/* == Handles == */

struct socle_volume *client_volume_new(struct socle_conn *conn, const rpc_storage_vol *wire)
{
	struct socle_volume *vol = g_new(struct socle_volume, 1);

	*vol = (struct socle_volume){
		.refs = 1,
		.conn = socle_conn_ref(conn),
		.pool = g_strdup(wire->pool),
		.name = g_strdup(wire->name),
		.key = g_strdup(wire->key),
	};
	return vol;
}

/* Lent by the handle. */
static rpc_storage_vol client_volume_wire(const struct socle_volume *vol)
{
	return (rpc_storage_vol){ .pool = vol->pool, .name = vol->name, .key = vol->key };
}

struct socle_volume *socle_volume_ref(struct socle_volume *vol)
{
	atomic_fetch_add(&vol->refs, 1);
	return vol;
}

void socle_volume_unref(struct socle_volume *vol)
{
	if (!vol || atomic_fetch_sub(&vol->refs, 1) != 1)
		return;
	socle_conn_unref(vol->conn);
	g_free(vol->pool);
	g_free(vol->name);
	g_free(vol->key);
	g_free(vol);
}

void socle_volumes_free(struct socle_volume **vols)
{
	for (size_t i = 0; vols && vols[i]; i++)
		socle_volume_unref(vols[i]);
	g_free(vols);
}

struct socle_conn *socle_volume_conn(const struct socle_volume *vol)
{
	return vol->conn;
}

const char *socle_volume_name(const struct socle_volume *vol)
{
	return vol->name;
}

const char *socle_volume_pool_name(const struct socle_volume *vol)
{
	return vol->pool;
}

const char *socle_volume_key(const struct socle_volume *vol)
{
	return vol->key;
}

/* == Finding == */

/* Those answers that have a volume and nothing else look alike. */
static struct socle_volume *take(struct socle_conn *conn, rpc_storage_vol *wire)
{
	struct socle_volume *vol = client_volume_new(conn, wire);

	rpc_body_release(rpc_storage_vol, wire);
	return vol;
}

int socle_volume_list(struct socle_pool *pool, unsigned flags, struct socle_volume ***ret_vols,
		      struct socle_error **error)
{
	rpc_storage_pool_list_all_volumes_args args = {
		.pool = client_pool_wire(pool),
		.need_results = ret_vols != NULL,
		.flags = flags,
	};
	rpc_storage_pool_list_all_volumes_ret ret;
	unsigned count;

	if (!CALL(pool->conn, STORAGE_POOL_LIST_ALL_VOLUMES, storage_pool_list_all_volumes, &args,
		  &ret, error))
		return -1;
	count = ret_vols ? ret.vols.vols_len : MIN(ret.ret, RPC_MAX_STORAGE_VOLS);
	if (ret_vols) {
		*ret_vols = g_new0(struct socle_volume *, (size_t)count + 1);
		for (unsigned i = 0; i < count; i++)
			(*ret_vols)[i] = client_volume_new(pool->conn, &ret.vols.vols_val[i]);
	}
	rpc_body_release(rpc_storage_pool_list_all_volumes_ret, &ret);
	return (int)count;
}

struct socle_volume *socle_volume_by_name(struct socle_pool *pool, const char *name,
					  struct socle_error **error)
{
	rpc_storage_vol_lookup_by_name_args args = { .pool = client_pool_wire(pool),
						     .name = TEXT(name) };
	rpc_storage_vol_lookup_by_name_ret ret;

	if (!client_has(name, "name of a volume", error) ||
	    !CALL(pool->conn, STORAGE_VOL_LOOKUP_BY_NAME, storage_vol_lookup_by_name, &args, &ret,
		  error))
		return NULL;
	return take(pool->conn, &ret.vol);
}

struct socle_volume *socle_volume_by_key(struct socle_conn *conn, const char *key,
					 struct socle_error **error)
{
	rpc_storage_vol_lookup_by_key_args args = { .key = TEXT(key) };
	rpc_storage_vol_lookup_by_key_ret ret;

	if (!client_has(key, "key of a volume", error) ||
	    !CALL(conn, STORAGE_VOL_LOOKUP_BY_KEY, storage_vol_lookup_by_key, &args, &ret, error))
		return NULL;
	return take(conn, &ret.vol);
}

struct socle_volume *socle_volume_by_path(struct socle_conn *conn, const char *path,
					  struct socle_error **error)
{
	rpc_storage_vol_lookup_by_path_args args = { .path = TEXT(path) };
	rpc_storage_vol_lookup_by_path_ret ret;

	if (!client_has(path, "path of a volume", error) ||
	    !CALL(conn, STORAGE_VOL_LOOKUP_BY_PATH, storage_vol_lookup_by_path, &args, &ret, error))
		return NULL;
	return take(conn, &ret.vol);
}

struct socle_pool *socle_volume_pool(struct socle_volume *vol, struct socle_error **error)
{
	rpc_storage_pool_lookup_by_volume_args args = { .vol = client_volume_wire(vol) };
	rpc_storage_pool_lookup_by_volume_ret ret;
	struct socle_pool *pool;

	if (!CALL(vol->conn, STORAGE_POOL_LOOKUP_BY_VOLUME, storage_pool_lookup_by_volume, &args,
		  &ret, error))
		return NULL;
	pool = client_pool_new(vol->conn, &ret.pool);
	rpc_body_release(rpc_storage_pool_lookup_by_volume_ret, &ret);
	return pool;
}

/* == Life == */

struct socle_volume *socle_volume_create(struct socle_pool *pool, const char *xml, unsigned flags,
					 struct socle_error **error)
{
	rpc_storage_vol_create_xml_args args = {
		.pool = client_pool_wire(pool),
		.xml = TEXT(xml),
		.flags = flags,
	};
	rpc_storage_vol_create_xml_ret ret;

	if (!client_has(xml, "XML", error) ||
	    !CALL(pool->conn, STORAGE_VOL_CREATE_XML, storage_vol_create_xml, &args, &ret, error))
		return NULL;
	return take(pool->conn, &ret.vol);
}

/* Servers that have no such feature would take the call for another one. */
static bool ask_feature(struct socle_conn *conn, int feature, bool *ret_has,
			struct socle_error **error)
{
	rpc_connect_supports_feature_args args = { .feature = feature };
	rpc_connect_supports_feature_ret ret = { 0 };

	if (!CALL(conn, CONNECT_SUPPORTS_FEATURE, connect_supports_feature, &args, &ret, error))
		return false;
	*ret_has = ret.supported;
	return true;
}

static bool server_has(struct socle_conn *conn, int feature, const char *what,
		       struct socle_error **error)
{
	bool has;

	return ask_feature(conn, feature, &has, error) &&
	       (has || client_error(error, SOCLE_ERR_NO_SUPPORT, "this server does not %s", what));
}

/* Who does not know this flag syncs, which does no harm. */
static bool skip_sync(struct socle_conn *conn, unsigned *flags, struct socle_error **error)
{
	bool has = true;

	if (*flags & RPC_VOL_NO_SYNC && !ask_feature(conn, RPC_FEATURE_VOL_NO_SYNC, &has, error))
		return false;
	if (!has)
		*flags &= ~(unsigned)RPC_VOL_NO_SYNC;
	return true;
}

static_assert((int)SOCLE_VOLUME_NO_SYNC == (int)RPC_VOL_NO_SYNC, "it is sent as it is");

struct socle_volume *socle_volume_create_from(struct socle_pool *pool, const char *xml,
					      struct socle_volume *from, unsigned flags,
					      struct socle_error **error)
{
	rpc_storage_vol_create_xml_from_args args = {
		.pool = client_pool_wire(pool),
		.xml = TEXT(xml),
		.vol = client_volume_wire(from),
		.flags = flags,
	};
	rpc_storage_vol_create_xml_from_ret ret;

	if (!client_has(xml, "XML", error) || !skip_sync(pool->conn, &args.flags, error) ||
	    !CALL(pool->conn, STORAGE_VOL_CREATE_XML_FROM, storage_vol_create_xml_from, &args, &ret,
		  error))
		return NULL;
	return take(pool->conn, &ret.vol);
}

int socle_volume_delete(struct socle_volume *vol, unsigned flags, struct socle_error **error)
{
	rpc_storage_vol_delete_args args = { .vol = client_volume_wire(vol), .flags = flags };

	return CALL_ARGS(vol->conn, STORAGE_VOL_DELETE, storage_vol_delete, &args, error);
}

int socle_volume_resize(struct socle_volume *vol, uint64_t bytes, unsigned flags,
			struct socle_error **error)
{
	rpc_storage_vol_resize_args args = {
		.vol = client_volume_wire(vol),
		.capacity = bytes,
		.flags = flags,
	};

	return CALL_ARGS(vol->conn, STORAGE_VOL_RESIZE, storage_vol_resize, &args, error);
}

int socle_volume_wipe(struct socle_volume *vol, unsigned algorithm, unsigned flags,
		      struct socle_error **error)
{
	rpc_storage_vol_wipe_args args = { .vol = client_volume_wire(vol), .flags = flags };
	rpc_storage_vol_wipe_pattern_args pattern_args = {
		.vol = client_volume_wire(vol),
		.algorithm = algorithm,
		.flags = flags,
	};

	if (algorithm == SOCLE_WIPE_ZERO)
		return CALL_ARGS(vol->conn, STORAGE_VOL_WIPE, storage_vol_wipe, &args, error);
	return CALL_ARGS(vol->conn, STORAGE_VOL_WIPE_PATTERN, storage_vol_wipe_pattern,
			 &pattern_args, error);
}

/* == What it is == */

/* Not all servers know the call with flags. */
static int info_with_flags(struct socle_volume *vol, unsigned flags,
			   struct socle_volume_info *ret_info, struct socle_error **error)
{
	rpc_storage_vol_get_info_flags_args args = { .vol = client_volume_wire(vol),
						     .flags = flags };
	rpc_storage_vol_get_info_flags_ret ret;

	if (!CALL(vol->conn, STORAGE_VOL_GET_INFO_FLAGS, storage_vol_get_info_flags, &args, &ret,
		  error))
		return -1;
	*ret_info = (struct socle_volume_info){ ret.type, ret.capacity, ret.allocation };
	return 0;
}

int socle_volume_info(struct socle_volume *vol, unsigned flags, struct socle_volume_info *ret_info,
		      struct socle_error **error)
{
	rpc_storage_vol_get_info_args args = { .vol = client_volume_wire(vol) };
	rpc_storage_vol_get_info_ret ret;

	if (flags)
		return info_with_flags(vol, flags, ret_info, error);
	if (!CALL(vol->conn, STORAGE_VOL_GET_INFO, storage_vol_get_info, &args, &ret, error))
		return -1;
	*ret_info = (struct socle_volume_info){ ret.type, ret.capacity, ret.allocation };
	return 0;
}

char *socle_volume_xml(struct socle_volume *vol, unsigned flags, struct socle_error **error)
{
	rpc_storage_vol_get_xml_desc_args args = { .vol = client_volume_wire(vol), .flags = flags };
	rpc_storage_vol_get_xml_desc_ret ret;

	if (!CALL(vol->conn, STORAGE_VOL_GET_XML_DESC, storage_vol_get_xml_desc, &args, &ret,
		  error))
		return NULL;
	return ret.xml;
}

enum {
	TOGETHER = 32 /* calls on their way: a daemon that takes fewer lets the others wait */
};

static bool begin_xml(struct socle_volume *vol, unsigned flags, struct call *call,
		      struct socle_error **error)
{
	rpc_storage_vol_get_xml_desc_args args = { .vol = client_volume_wire(vol), .flags = flags };

	*call = (struct call){ .procedure = RPC_PROC_STORAGE_VOL_GET_XML_DESC };
	return conn_call_begin(vol->conn, call, RPC_BODY(rpc_storage_vol_get_xml_desc_args, &args),
			       error);
}

static char *end_xml(struct socle_volume *vol, struct call *call)
{
	rpc_storage_vol_get_xml_desc_ret ret;

	return conn_call_end(vol->conn, call, RPC_BODY(rpc_storage_vol_get_xml_desc_ret, &ret),
			     NULL)
		       ? ret.xml
		       : NULL;
}

int socle_volumes_xml(struct socle_volume *const *vols, unsigned flags, socle_volume_xml_fn *tell,
		      void *opaque, struct socle_error **error)
{
	struct call calls[TOGETHER];
	size_t begun = 0, ended = 0;

	for (; vols[ended]; ended++) {
		/* Those that are on their way are to be ended, whatever becomes of the next. */
		while (vols[begun] && begun < ended + TOGETHER &&
		       begin_xml(vols[begun], flags, &calls[begun % TOGETHER],
				 begun == ended ? error : NULL))
			begun++;
		if (begun == ended)
			return -1;
		tell(vols[ended], end_xml(vols[ended], &calls[ended % TOGETHER]), opaque);
	}
	return 0;
}

char *socle_volume_path(struct socle_volume *vol, struct socle_error **error)
{
	rpc_storage_vol_get_path_args args = { .vol = client_volume_wire(vol) };
	rpc_storage_vol_get_path_ret ret;

	if (!CALL(vol->conn, STORAGE_VOL_GET_PATH, storage_vol_get_path, &args, &ret, error))
		return NULL;
	return ret.name;
}

/* == Its bytes == */

/* Their calls have one layout. @fd: goes with it, or NULL. */
static struct socle_stream *open_bytes(struct socle_volume *vol, int procedure, uint64_t offset,
				       uint64_t length, unsigned flags, const int *fd,
				       unsigned stream_flags, struct socle_error **error)
{
	rpc_storage_vol_upload_args args = {
		.vol = client_volume_wire(vol),
		.offset = offset,
		.length = length,
		.flags = flags,
	};

	if (!skip_sync(vol->conn, &args.flags, error))
		return NULL;
	return stream_open_call_fd(vol->conn, procedure, &args, NULL, fd, stream_flags, error);
}

static_assert(sizeof(rpc_storage_vol_upload_args) == sizeof(rpc_storage_vol_download_args) &&
		      offsetof(rpc_storage_vol_upload_args, flags) ==
			      offsetof(rpc_storage_vol_download_args, flags),
	      "upload and download have one layout");

struct socle_stream *socle_volume_upload(struct socle_volume *vol, uint64_t offset, uint64_t length,
					 unsigned flags, unsigned stream_flags,
					 struct socle_error **error)
{
	return open_bytes(vol, RPC_PROC_STORAGE_VOL_UPLOAD, offset, length, flags, NULL,
			  stream_flags, error);
}

struct socle_stream *socle_volume_download(struct socle_volume *vol, uint64_t offset,
					   uint64_t length, unsigned flags, unsigned stream_flags,
					   struct socle_error **error)
{
	return open_bytes(vol, RPC_PROC_STORAGE_VOL_DOWNLOAD, offset, length, flags, NULL,
			  stream_flags, error);
}

static bool server_copies(struct socle_conn *conn, struct socle_error **error)
{
	static const char what[] = "copy volumes from and to descriptors";

	return conn->local
		       ? server_has(conn, RPC_FEATURE_VOL_BY_FD, what, error)
		       : client_error(error, SOCLE_ERR_NO_SUPPORT, "this server does not %s", what);
}

static struct socle_stream *open_copy(struct socle_volume *vol, int procedure, uint64_t offset,
				      uint64_t length, int fd, unsigned flags,
				      struct socle_error **error)
{
	if (!server_copies(vol->conn, error))
		return NULL;
	return open_bytes(vol, procedure, offset, length, flags | RPC_VOL_BY_FD, &fd, 0, error);
}

struct socle_stream *socle_volume_upload_fd(struct socle_volume *vol, uint64_t offset,
					    uint64_t length, int fd, unsigned flags,
					    struct socle_error **error)
{
	return open_copy(vol, RPC_PROC_STORAGE_VOL_UPLOAD, offset, length, fd, flags, error);
}

struct socle_stream *socle_volume_download_fd(struct socle_volume *vol, uint64_t offset,
					      uint64_t length, int fd, struct socle_error **error)
{
	return open_copy(vol, RPC_PROC_STORAGE_VOL_DOWNLOAD, offset, length, fd, 0, error);
}

struct socle_volume *socle_volume_create_stream(struct socle_pool *pool, const char *xml,
						unsigned flags, int fd, unsigned stream_flags,
						struct socle_stream **ret_stream,
						struct socle_error **error)
{
	rpc_storage_vol_create_xml_args args = {
		.pool = client_pool_wire(pool),
		.xml = TEXT(xml),
		.flags = flags | RPC_VOL_BY_STREAM | (fd < 0 ? 0 : RPC_VOL_BY_FD),
	};
	rpc_storage_vol_create_xml_ret ret;

	*ret_stream = NULL;
	if (!client_has(xml, "XML", error) || (fd >= 0 && !server_copies(pool->conn, error)) ||
	    !server_has(pool->conn, RPC_FEATURE_VOL_BY_STREAM, "make volumes of a stream", error) ||
	    !skip_sync(pool->conn, &args.flags, error))
		return NULL;
	*ret_stream = stream_open_call_fd(pool->conn, RPC_PROC_STORAGE_VOL_CREATE_XML, &args, &ret,
					  fd < 0 ? NULL : &fd, stream_flags, error);
	return *ret_stream ? take(pool->conn, &ret.vol) : NULL;
}
