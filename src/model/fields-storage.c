/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fields-storage.c - where the members of storage pools and volumes stand in XML
 */
#include "model/fields-int.h"
#include "model/storage.h"

enum {
	MODE_MAX = 07777,
};

const char *const storage_pool_type_names[] = {
	NULL,   "dir",   "fs",  "netfs",    "logical", "disk", "iscsi",    "iscsi-direct",
	"scsi", "mpath", "rbd", "sheepdog", "gluster", "zfs",  "vstorage", NULL,
};
static_assert(ARRAY_SIZE(storage_pool_type_names) == STORAGE_POOL_TYPE_COUNT + 1,
	      "a name for each, and NULL");

static const char *const vol_type_names[] = {
	NULL, "file", "block", "dir", "network", "netdir", NULL,
};
static_assert(ARRAY_SIZE(vol_type_names) == STORAGE_VOL_TYPE_COUNT + 1,
	      "a name for each, and NULL");

#define T storage_permissions
static const struct field permissions_fields[] = {
	F_OCTAL("mode", mode, MODE_MAX),
	F_NUM("owner", owner, -1, UINT32_MAX),
	F_NUM("group", group, -1, UINT32_MAX),
	F_TEXT("label", label),
};
#undef T
static const struct record permissions_record = RECORD(storage_permissions, permissions_fields);

#define T storage_host
static const struct field host_fields[] = {
	F_TEXT("@name", name),
	F_NUM("@port", port, 0, 65535),
};
#undef T
static const struct record host_record = RECORD(storage_host, host_fields);

#define T storage_extent
static const struct field extent_fields[] = {
	F_NUM("@start", start, 0, INT64_MAX),
	F_NUM("@end", end, 0, INT64_MAX),
};
#undef T
static const struct record extent_record = RECORD(storage_extent, extent_fields);

#define T storage_device
static const struct field device_fields[] = {
	F_TEXT("@path", path),
	F_ENUM("@part_separator", part_separator, yes_no_names),
	F_LIST("freeExtent", free, free_count, extent_record, STORAGE_DEVICES_MAX),
};
#undef T
const struct record storage_device_record = RECORD(storage_device, device_fields);

#define T storage_named
static const struct field named_fields[] = { F_TEXT("@name", name) };
#undef T
static const struct record named_record = RECORD(storage_named, named_fields);

#define T storage_path
static const struct field path_fields[] = { F_TEXT("@path", path) };
#undef T
static const struct record path_record = RECORD(storage_path, path_fields);

#define T storage_format
static const struct field format_fields[] = { F_TEXT("@type", type) };
#undef T
static const struct record format_record = RECORD(storage_format, format_fields);

#define T storage_protocol
static const struct field protocol_fields[] = { F_TEXT("@ver", ver) };
#undef T
static const struct record protocol_record = RECORD(storage_protocol, protocol_fields);

#define T storage_iqn
static const struct field iqn_fields[] = { F_STRUCT("iqn", iqn, named_record) };
#undef T
static const struct record iqn_record = RECORD(storage_iqn, iqn_fields);

#define T storage_pool_source
static const struct field pool_source_fields[] = {
	F_LIST("host", hosts, host_count, host_record, STORAGE_DEVICES_MAX),
	F_LIST("device", devices, device_count, storage_device_record, STORAGE_DEVICES_MAX),
	F_STRUCT("dir", dir, path_record),
	F_KEEP("adapter", kept_adapter),
	F_TEXT("name", name),
	F_STRUCT("initiator", initiator, iqn_record),
	F_STRUCT("auth", auth, auth_record),
	F_STRUCT("format", format, format_record),
	F_STRUCT("protocol", protocol, protocol_record),
	F_STRUCT("vendor", vendor, named_record),
	F_STRUCT("product", product, named_record),
};
#undef T
const struct record storage_source_record = RECORD(storage_pool_source, pool_source_fields);

#define T storage_sources
static const struct field sources_fields[] = {
	F_LIST("source", list, count, storage_source_record, STORAGE_SOURCES_MAX),
};
#undef T
const struct record storage_sources_record = RECORD(storage_sources, sources_fields);

#define T storage_pool_target
static const struct field pool_target_fields[] = {
	F_TEXT("path", path),
	F_STRUCT("permissions", permissions, permissions_record),
	F_KEEP("encryption", kept_encryption),
};
#undef T
static const struct record pool_target_record = RECORD(storage_pool_target, pool_target_fields);

#define T storage_cow
static const struct field cow_fields[] = { F_ENUM("@state", state, yes_no_names) };
#undef T
static const struct record cow_record = RECORD(storage_cow, cow_fields);

#define T storage_pool_features
static const struct field features_fields[] = { F_STRUCT("cow", cow, cow_record) };
#undef T
static const struct record features_record = RECORD(storage_pool_features, features_fields);

#define T storage_pool
static const struct field pool_fields[] = {
	F_ENUM("@type", type, storage_pool_type_names),
	F_TEXT("name", name),
	F_TEXT("uuid", uuid),
	F_BYTES("capacity", capacity),
	F_BYTES("allocation", allocation),
	F_BYTES("available", available),
	F_STRUCT("features", features, features_record),
	F_STRUCT("source", source, storage_source_record),
	F_STRUCT("target", target, pool_target_record),
	F_KEEP("refresh", kept_refresh),
	{ .name = "mount_opts",
	  .kind = FIELD_KEEP,
	  .offset = offsetof(struct storage_pool, kept_mount_opts),
	  .namespace = "http://libvirt.org/schemas/storagepool/fs/1.0" },
	{ .name = "config_opts",
	  .kind = FIELD_KEEP,
	  .offset = offsetof(struct storage_pool, kept_config_opts),
	  .namespace = "http://libvirt.org/schemas/storagepool/rbd/1.0" },
};
#undef T
const struct record storage_pool_record = RECORD(storage_pool, pool_fields);

/* == Volumes == */

#define T storage_timestamps
static const struct field timestamps_fields[] = {
	F_TEXT("atime", atime),
	F_TEXT("mtime", mtime),
	F_TEXT("ctime", ctime),
	F_TEXT("btime", btime),
};
#undef T
static const struct record timestamps_record = RECORD(storage_timestamps, timestamps_fields);

#define T storage_features
static const struct field vol_features_fields[] = {
	F_SELF(set),
	F_FLAG("lazy_refcounts", lazy_refcounts),
	F_FLAG("extended_l2", extended_l2),
};
#undef T
static const struct record vol_features_record = RECORD(storage_features, vol_features_fields);

#define T storage_target
static const struct field target_fields[] = {
	F_TEXT("path", path),
	F_STRUCT("format", format, format_record),
	F_STRUCT("permissions", permissions, permissions_record),
	F_STRUCT("timestamps", timestamps, timestamps_record),
	F_KEEP("encryption", kept_encryption),
	F_TEXT("compat", compat),
	F_FLAG("nocow", nocow),
	F_BYTES("clusterSize", cluster_size),
	F_STRUCT("features", features, vol_features_record),
};
#undef T
static const struct record target_record = RECORD(storage_target, target_fields);

#define T storage_backing
static const struct field backing_fields[] = {
	F_TEXT("path", path),
	F_STRUCT("format", format, format_record),
	F_STRUCT("permissions", permissions, permissions_record),
	F_STRUCT("timestamps", timestamps, timestamps_record),
};
#undef T
static const struct record backing_record = RECORD(storage_backing, backing_fields);

#define T storage_extents
static const struct field extents_fields[] = {
	F_TEXT("@path", path),
	F_LIST("extent", list, count, extent_record, STORAGE_DEVICES_MAX),
};
#undef T
static const struct record extents_record = RECORD(storage_extents, extents_fields);

#define T storage_vol_source
static const struct field vol_source_fields[] = {
	F_LIST("device", devices, count, extents_record, STORAGE_DEVICES_MAX),
};
#undef T
static const struct record vol_source_record = RECORD(storage_vol_source, vol_source_fields);

#define T storage_vol
static const struct field vol_fields[] = {
	F_ENUM("@type", type, vol_type_names),
	F_TEXT("name", name),
	F_TEXT("key", key),
	F_STRUCT("source", source, vol_source_record),
	F_BYTES("capacity", capacity),
	F_BYTES("allocation", allocation),
	F_BYTES("physical", physical),
	F_STRUCT("target", target, target_record),
	F_STRUCT("backingStore", backing, backing_record),
};
#undef T
const struct record storage_vol_record = RECORD(storage_vol, vol_fields);
