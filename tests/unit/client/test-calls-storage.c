/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-calls-storage.c - calls about storage pools and their volumes
 */
#include "calls.h"

/* == Pools == */

static char *run_list(struct env *e)
{
	struct socle_pool **pools = NULL;
	int count = socle_pool_list(e->conn, SOCLE_POOL_LIST_DIR, &pools, ERR);
	char *said = say_if(
		count, g_strdup_printf("%d %s", count, count > 0 ? socle_pool_name(pools[0]) : ""));

	socle_pools_free(pools);
	return said;
}

static char *run_info(struct env *e)
{
	struct socle_pool_info i = { .state = 0 };
	int rc = socle_pool_info(e->pool, &i, ERR);

	return say_if(rc, g_strdup_printf("%s %d %d %d", socle_pool_state_name(i.state),
					  (int)i.capacity, (int)i.allocation, (int)i.available));
}

RUN(number, say_int(socle_pool_list(e->conn, 0, NULL, ERR)));
RUN(by_name, say_pool(socle_pool_by_name(e->conn, "pool", ERR)));
RUN(by_uuid, say_pool(socle_pool_by_uuid(e->conn, fake_uuid, ERR)));
RUN(by_uuid_text,
    say_pool(socle_pool_by_uuid_text(e->conn, "01234567-89AB-cdef-fedc-ba9876543210", ERR)));
RUN(by_target_path, say_pool(socle_pool_by_target_path(e->conn, "/pool", ERR)));
RUN(define, say_pool(socle_pool_define(e->conn, "<p/>", 1, ERR)));
RUN(create_xml, say_pool(socle_pool_create_xml(e->conn, "<p/>", 2, ERR)));
RUN(create, say_int(socle_pool_create(e->pool, 1, ERR)));
RUN(build, say_int(socle_pool_build(e->pool, 8, ERR)));
RUN(destroy, say_int(socle_pool_destroy(e->pool, ERR)));
RUN(undefine, say_int(socle_pool_undefine(e->pool, ERR)));
RUN(pool_delete, say_int(socle_pool_delete(e->pool, 1, ERR)));
RUN(refresh, say_int(socle_pool_refresh(e->pool, 0, ERR)));
RUN(xml, say_text(socle_pool_xml(e->pool, 1, ERR)));
RUN(get_autostart, say_int(socle_pool_get_autostart(e->pool, ERR)));
RUN(set_autostart, say_int(socle_pool_set_autostart(e->pool, false, ERR)));
RUN(is_active, say_int(socle_pool_is_active(e->pool, ERR)));
RUN(is_persistent, say_int(socle_pool_is_persistent(e->pool, ERR)));
RUN(find_sources, say_text(socle_pool_find_sources(e->conn, "netfs", "<s/>", 0, ERR)));
RUN(find_all, say_text(socle_pool_find_sources(e->conn, "logical", NULL, 0, ERR)));
RUN(capabilities, say_text(socle_pool_capabilities(e->conn, 0, ERR)));

/* == Volumes == */

static char *run_vol_list(struct env *e)
{
	struct socle_volume **vols = NULL;
	int count = socle_volume_list(e->pool, 0, &vols, ERR);
	char *said = say_if(count, g_strdup_printf("%d %s", count,
						   count > 0 ? socle_volume_name(vols[0]) : ""));

	socle_volumes_free(vols);
	return said;
}

static char *say_info(struct env *e, unsigned flags)
{
	struct socle_volume_info i = { .type = 0 };
	int rc = socle_volume_info(e->vol, flags, &i, ERR);

	return say_if(rc, g_strdup_printf("%s %d %d", socle_volume_type_name(i.type),
					  (int)i.capacity, (int)i.allocation));
}

static char *say_stream(struct socle_stream *stream)
{
	char *said = g_strdup(stream ? "a stream" : "NULL");

	socle_stream_unref(stream);
	return said;
}

static char *say_new(struct env *e)
{
	struct socle_stream *stream;
	struct socle_volume *vol =
		socle_volume_create_stream(e->pool, "<v/>", 1, -1, 0, &stream, ERR);
	bool both = vol && stream;

	socle_stream_unref(stream);
	return both ? say_volume(vol) : g_strdup("NULL");
}

static char *say_fast_copy(struct env *e)
{
	return say_volume(socle_volume_create_from(e->pool, "<v/>", e->vol,
						   2 | SOCLE_VOLUME_CREATE_NO_SYNC, ERR));
}

static char *say_fast_upload(struct env *e)
{
	return say_stream(socle_volume_upload(e->vol, 0, 0,
					      SOCLE_VOLUME_SPARSE | SOCLE_VOLUME_NO_SYNC, 0, ERR));
}

RUN(vol_number, say_int(socle_volume_list(e->pool, 0, NULL, ERR)));
RUN(vol_by_name, say_volume(socle_volume_by_name(e->pool, "vol", ERR)));
RUN(vol_by_key, say_volume(socle_volume_by_key(e->conn, "/vol", ERR)));
RUN(vol_by_path, say_volume(socle_volume_by_path(e->conn, "/vol", ERR)));
RUN(vol_pool, say_pool(socle_volume_pool(e->vol, ERR)));
RUN(vol_create, say_volume(socle_volume_create(e->pool, "<v/>", 1, ERR)));
RUN(vol_create_from, say_volume(socle_volume_create_from(e->pool, "<v/>", e->vol, 2, ERR)));
RUN(vol_create_from_fast, say_fast_copy(e));
RUN(vol_create_from_synced, say_fast_copy(e));
RUN(vol_create_stream, say_new(e));
RUN(vol_delete, say_int(socle_volume_delete(e->vol, 1, ERR)));
RUN(vol_info, say_info(e, 0));
RUN(vol_info_flags, say_info(e, SOCLE_VOLUME_INFO_PHYSICAL));
RUN(vol_xml, say_text(socle_volume_xml(e->vol, 0, ERR)));
RUN(vol_path, say_text(socle_volume_path(e->vol, ERR)));
RUN(vol_upload, say_stream(socle_volume_upload(e->vol, 512, 1024, SOCLE_VOLUME_SPARSE, 0, ERR)));
RUN(vol_upload_fast, say_fast_upload(e));
RUN(vol_upload_synced, say_fast_upload(e));
RUN(vol_download, say_stream(socle_volume_download(e->vol, 0, 0, 0, 0, ERR)));
RUN(vol_resize, say_int(socle_volume_resize(e->vol, 4096, SOCLE_VOLUME_RESIZE_DELTA, ERR)));
RUN(vol_wipe, say_int(socle_volume_wipe(e->vol, SOCLE_WIPE_ZERO, 0, ERR)));
RUN(vol_wipe_trim, say_int(socle_volume_wipe(e->vol, SOCLE_WIPE_TRIM, 0, ERR)));

static const struct case_ cases[] = {
	CASE(list, CONNECT_LIST_ALL_STORAGE_POOLS, "i1 i64", "i1 P i1", "1 pool"),
	CASE(number, CONNECT_LIST_ALL_STORAGE_POOLS, "i0 i0", "i0 i5", "5"),
	CASE(by_name, STORAGE_POOL_LOOKUP_BY_NAME, "s:pool", "P", "pool"),
	CASE(by_uuid, STORAGE_POOL_LOOKUP_BY_UUID, "U", "P", "pool"),
	CASE(by_uuid_text, STORAGE_POOL_LOOKUP_BY_UUID, "U", "P", "pool"),
	CASE(by_target_path, STORAGE_POOL_LOOKUP_BY_TARGET_PATH, "s:/pool", "P", "pool"),
	CASE(define, STORAGE_POOL_DEFINE_XML, "s:<p/> i1", "P", "pool"),
	CASE(create_xml, STORAGE_POOL_CREATE_XML, "s:<p/> i2", "P", "pool"),
	CASE(create, STORAGE_POOL_CREATE, "P i1", "", "0"),
	CASE(build, STORAGE_POOL_BUILD, "P i8", "", "0"),
	CASE(destroy, STORAGE_POOL_DESTROY, "P", "", "0"),
	CASE(undefine, STORAGE_POOL_UNDEFINE, "P", "", "0"),
	CASE(pool_delete, STORAGE_POOL_DELETE, "P i1", "", "0"),
	CASE(refresh, STORAGE_POOL_REFRESH, "P i0", "", "0"),
	CASE(info, STORAGE_POOL_GET_INFO, "P", "i2 h30 h20 h10", "running 30 20 10"),
	CASE(xml, STORAGE_POOL_GET_XML_DESC, "P i1", "s:<p/>", "<p/>"),
	CASE(get_autostart, STORAGE_POOL_GET_AUTOSTART, "P", "i1", "1"),
	CASE(set_autostart, STORAGE_POOL_SET_AUTOSTART, "P i0", "", "0"),
	CASE(is_active, STORAGE_POOL_IS_ACTIVE, "P", "i0", "0"),
	CASE(is_persistent, STORAGE_POOL_IS_PERSISTENT, "P", "i1", "1"),
	CASE(find_sources, CONNECT_FIND_STORAGE_POOL_SOURCES, "s:netfs ?:<s/> i0", "s:<sources/>",
	     "<sources/>"),
	CASE(find_all, CONNECT_FIND_STORAGE_POOL_SOURCES, "s:logical - i0", "s:<sources/>",
	     "<sources/>"),
	CASE(capabilities, CONNECT_GET_STORAGE_POOL_CAPABILITIES, "i0", "s:<c/>", "<c/>"),
	CASE(vol_list, STORAGE_POOL_LIST_ALL_VOLUMES, "P i1 i0", "i2 V V i2", "2 vol"),
	CASE(vol_number, STORAGE_POOL_LIST_ALL_VOLUMES, "P i0 i0", "i0 i9", "9"),
	CASE(vol_by_name, STORAGE_VOL_LOOKUP_BY_NAME, "P s:vol", "V", "vol in pool at /vol"),
	CASE(vol_by_key, STORAGE_VOL_LOOKUP_BY_KEY, "s:/vol", "V", "vol in pool at /vol"),
	CASE(vol_by_path, STORAGE_VOL_LOOKUP_BY_PATH, "s:/vol", "V", "vol in pool at /vol"),
	CASE(vol_pool, STORAGE_POOL_LOOKUP_BY_VOLUME, "V", "P", "pool"),
	CASE(vol_create, STORAGE_VOL_CREATE_XML, "P s:<v/> i1", "V", "vol in pool at /vol"),
	CASE(vol_create_from, STORAGE_VOL_CREATE_XML_FROM, "P s:<v/> V i2", "V",
	     "vol in pool at /vol"),
	/* Servers that have not heard of it sync. */
	CASE2(vol_create_from_fast, CONNECT_SUPPORTS_FEATURE, "i1", STORAGE_VOL_CREATE_XML_FROM,
	      "P s:<v/> V i268435458", "V", "vol in pool at /vol"),
	CASE2(vol_create_from_synced, CONNECT_SUPPORTS_FEATURE, "i0", STORAGE_VOL_CREATE_XML_FROM,
	      "P s:<v/> V i2", "V", "vol in pool at /vol"),
	CASE2(vol_create_stream, CONNECT_SUPPORTS_FEATURE, "i1", STORAGE_VOL_CREATE_XML,
	      "P s:<v/> i536870913", "V", "vol in pool at /vol"),
	CASE(vol_delete, STORAGE_VOL_DELETE, "V i1", "", "0"),
	CASE(vol_info, STORAGE_VOL_GET_INFO, "V", "i1 h30 h20", "block 30 20"),
	CASE(vol_info_flags, STORAGE_VOL_GET_INFO_FLAGS, "V i1", "i0 h30 h20", "file 30 20"),
	CASE(vol_xml, STORAGE_VOL_GET_XML_DESC, "V i0", "s:<v/>", "<v/>"),
	CASE(vol_path, STORAGE_VOL_GET_PATH, "V", "s:/vol", "/vol"),
	CASE(vol_upload, STORAGE_VOL_UPLOAD, "V h512 h1024 i1", "", "a stream"),
	CASE2(vol_upload_fast, CONNECT_SUPPORTS_FEATURE, "i1", STORAGE_VOL_UPLOAD,
	      "V h0 h0 i268435457", "", "a stream"),
	CASE2(vol_upload_synced, CONNECT_SUPPORTS_FEATURE, "i0", STORAGE_VOL_UPLOAD, "V h0 h0 i1",
	      "", "a stream"),
	CASE(vol_download, STORAGE_VOL_DOWNLOAD, "V h0 h0 i0", "", "a stream"),
	CASE(vol_resize, STORAGE_VOL_RESIZE, "V h4096 i2", "", "0"),
	CASE(vol_wipe, STORAGE_VOL_WIPE, "V i0", "", "0"),
	CASE(vol_wipe_trim, STORAGE_VOL_WIPE_PATTERN, "V i9 i0", "", "0"),
};

int main(int argc, char **argv)
{
	return calls_main(argc, argv, cases, G_N_ELEMENTS(cases));
}
