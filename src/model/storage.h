/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * storage.h - storage pools and their volumes: <pool> and <volume>, in the same four steps as a domain
 */
#ifndef MODEL_STORAGE_H
#define MODEL_STORAGE_H

#include <glib.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "model/auth.h"
#include "model/notes.h"
#include "model/value.h"

enum {
	STORAGE_NAME_MAX = 255, /* bytes: it becomes a file's name */
	STORAGE_DEVICES_MAX = 256,
	STORAGE_SOURCES_MAX = 4096,
};

enum storage_pool_type {
	STORAGE_POOL_ABSENT,
	STORAGE_POOL_DIR,
	STORAGE_POOL_FS,
	STORAGE_POOL_NETFS,
	STORAGE_POOL_LOGICAL,
	STORAGE_POOL_DISK,
	STORAGE_POOL_ISCSI,
	STORAGE_POOL_ISCSI_DIRECT,
	STORAGE_POOL_SCSI,
	STORAGE_POOL_MPATH,
	STORAGE_POOL_RBD,
	STORAGE_POOL_SHEEPDOG,
	STORAGE_POOL_GLUSTER,
	STORAGE_POOL_ZFS,
	STORAGE_POOL_VSTORAGE,
	STORAGE_POOL_TYPE_COUNT
};

/* What stands in XML for each; [0] is NULL. */
extern const char *const storage_pool_type_names[];

struct storage_permissions {
	struct number mode, owner, group; /* the last two: -1 leaves it as it is */
	char *label;
};

struct storage_host {
	char *name;
	struct number port;
};

struct storage_extent {
	struct number start, end;
};

struct storage_device {
	char *path;
	enum tristate part_separator;
	struct storage_extent *free; /* of a disk: where there is room */
	unsigned free_count;
};

struct storage_named {
	char *name;
};

struct storage_path {
	char *path;
};

struct storage_format {
	char *type;
};

struct storage_protocol {
	char *ver;
};

struct storage_iqn {
	struct storage_named iqn;
};

struct storage_pool_source {
	struct storage_host *hosts;
	unsigned host_count;
	struct storage_device *devices;
	unsigned device_count;
	struct storage_path dir;
	char *name;
	struct storage_format format;
	struct storage_protocol protocol;
	struct storage_iqn initiator;
	struct storage_named vendor, product;
	struct auth auth;
	char *kept_adapter;
};

struct storage_pool_target {
	char *path;
	struct storage_permissions permissions;
	char *kept_encryption;
};

struct storage_cow {
	enum tristate state;
};

struct storage_pool_features {
	struct storage_cow cow;
};

struct storage_pool {
	enum storage_pool_type type;
	char *name, *uuid;
	struct number capacity, allocation, available; /* bytes; produced */
	struct storage_pool_features features;
	struct storage_pool_source source;
	struct storage_pool_target target;
	char *kept_refresh, *kept_mount_opts, *kept_config_opts;
};

enum storage_vol_type {
	STORAGE_VOL_ABSENT,
	STORAGE_VOL_FILE,
	STORAGE_VOL_BLOCK,
	STORAGE_VOL_DIR,
	STORAGE_VOL_NETWORK,
	STORAGE_VOL_NETDIR,
	STORAGE_VOL_TYPE_COUNT
};

struct storage_timestamps {
	char *atime, *mtime, *ctime, *btime; /* seconds.nanoseconds */
};

struct storage_features {
	bool set; /* the element is there */
	bool lazy_refcounts, extended_l2;
};

struct storage_target {
	char *path;
	struct storage_format format;
	struct storage_permissions permissions;
	struct storage_timestamps timestamps;
	char *kept_encryption;
	char *compat;
	bool nocow;
	struct number cluster_size; /* bytes */
	struct storage_features features;
};

struct storage_backing {
	char *path;
	struct storage_format format;
	struct storage_permissions permissions;
	struct storage_timestamps timestamps;
};

struct storage_extents {
	char *path;
	struct storage_extent *list;
	unsigned count;
};

struct storage_vol_source {
	struct storage_extents *devices;
	unsigned count;
};

struct storage_vol {
	enum storage_vol_type type;
	char *name, *key;
	struct storage_vol_source source;
	struct number capacity, allocation, physical; /* bytes */
	struct storage_target target;
	struct storage_backing backing;
};

enum storage_parse_flags {
	STORAGE_PARSE_STRICT = 1 << 0, /* an unknown element or attribute is an error */
};

/* A name of a volume: that of a file in one folder. False: @error says why it is none. */
bool storage_vol_name_check(const char *name, GError **error);

/* == Pools == */

struct storage_pool *storage_pool_parse(const char *xml, size_t len, unsigned flags,
					struct notes *notes, GError **error)
	G_GNUC_WARN_UNUSED_RESULT;
/* The step fill in: UUID, the name and path that follow from the source. */
void storage_pool_fill(struct storage_pool *pool);
/* The step check, of a pool that was filled in: does it say what its type needs? */
bool storage_pool_check(const struct storage_pool *pool, GError **error) G_GNUC_WARN_UNUSED_RESULT;
char *storage_pool_format(const struct storage_pool *pool);
struct storage_pool *storage_pool_copy(const struct storage_pool *pool);
void storage_pool_free(struct storage_pool *pool);
DEFINE_AUTOPTR(storage_pool, storage_pool_free);

/* A volume's path, which is its key, too; of pools without a folder it only names it. */
char *storage_vol_path(const struct storage_pool *pool, const char *name);
/* The name of the volume that has this path in a pool without a folder; NULL: none can. */
char *storage_vol_of_path(const struct storage_pool *pool, const char *path);

/* What a client gives to look for sources with: <source>; or NULL. The pool has nothing else. */
struct storage_pool *storage_source_parse(const char *xml, size_t len, GError **error)
	G_GNUC_WARN_UNUSED_RESULT;
/* <sources> of some pools. */
char *storage_sources_format(const struct storage_pool *const *pools, unsigned count);
/* The same, read: of struct storage_pool with nothing but a source, which the array owns. */
GPtrArray *storage_sources_parse(const char *xml, size_t len, GError **error)
	G_GNUC_WARN_UNUSED_RESULT;
void storage_source_add_device(struct storage_pool_source *source, const char *path);
/* False: it has none of that path. */
bool storage_source_remove_device(struct storage_pool_source *source, const char *path);

/* == Volumes == */

struct storage_vol *storage_vol_parse(const char *xml, size_t len, unsigned flags,
				      struct notes *notes, GError **error)
	G_GNUC_WARN_UNUSED_RESULT;
/*
 * What most want to know of a volume, for a fraction of the time: type, texts and sizes; lists, numbers and what
 * is kept are absent. NULL: it is not that plain, or wrong; storage_vol_parse() knows.
 */
struct storage_vol *storage_vol_skim(const char *xml, size_t len);
/* Whatever its first bytes say: it is the disk of a machine that has it as raw, and may write to it. */
void storage_vol_take_raw(struct storage_vol *vol);
/* It is its bytes, and nothing else. */
bool storage_vol_is_raw(const struct storage_vol *vol);
/* The step check, of a volume that is to be made. */
bool storage_vol_check(const struct storage_vol *vol, GError **error) G_GNUC_WARN_UNUSED_RESULT;
char *storage_vol_format(const struct storage_vol *vol);
struct storage_vol *storage_vol_copy(const struct storage_vol *vol);
void storage_vol_free(struct storage_vol *vol);
DEFINE_AUTOPTR(storage_vol, storage_vol_free);

/* == What kinds of pools there are: <storagepoolCapabilities> == */

struct storage_caps_type {
	enum storage_pool_type type;
	bool supported;
};

char *storage_caps_format(const struct storage_caps_type *types, unsigned count);

#endif
