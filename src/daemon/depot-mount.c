/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * depot-mount.c - storage pools of types fs and netfs: a file system that is mounted while the pool is active
 *
 * It is mounted without the rights of devices and programs in it. What somebody has mounted there already is
 * used as it is.
 */
#include <string.h>

#include "base/error.h"
#include "daemon/pools-int.h"
#include "host/mounts.h"
#include "host/tool.h"

static const char mount_options[] = "nodev,nosuid,noexec";

/* @argv is taken over. */
static bool run(char **argv, GError **error)
{
	bool ok = host_tool_run((const char *const *)argv, NULL, NULL, error);

	g_strfreev(argv);
	return ok;
}

static bool fs_available(GError **error)
{
	return host_tool_find("mount", "mount", error);
}

static const char *format_of(const struct depot *depot)
{
	const char *type = depot->def->source.format.type;

	return type && strcmp(type, "auto") != 0 ? type : NULL;
}

static bool start_mounted(const struct depot *depot, const char *type, const char *what,
			  GError **error)
{
	const char *where = depot->def->target.path;

	if (mounts_has(where, NULL))
		return folder_start(depot, error);
	return run(mounts_argv_mount(type, mount_options, what, where), error) &&
	       folder_start(depot, error);
}

static bool stop(const struct depot *depot, GError **error)
{
	const char *where = depot->def->target.path;

	return !mounts_has(where, NULL) || run(mounts_argv_umount(where), error);
}

static bool erase(const struct depot *depot, unsigned flags, GError **error)
{
	return depot_dir.erase(depot, flags, error);
}

/* == A device of this host == */

static bool make_file_system(const struct depot *depot, unsigned flags, GError **error)
{
	const char *device = depot->def->source.devices[0].path;
	const char *type = format_of(depot) ? format_of(depot) : "ext4";
	char **argv;

	if (flags & POOL_BUILD_NO_OVERWRITE && run(mounts_argv_probe(device), NULL))
		return error_set(
			error, SOCLE_ERROR_EXISTS,
			"there is something on '%s' already; build with overwrite to lose it",
			device);
	argv = mounts_argv_mkfs(type, device, flags & POOL_BUILD_OVERWRITE);
	if (!argv)
		return error_set(
			error, SOCLE_ERROR_UNSUPPORTED,
			"file systems of type '%.64s' are not made here; make it by hand, or "
			"use ext4, xfs or vfat",
			type);
	return run(argv, error);
}

static bool fs_build(const struct depot *depot, unsigned flags, GError **error)
{
	bool make = flags & (POOL_BUILD_OVERWRITE | POOL_BUILD_NO_OVERWRITE);

	return folder_build(depot, error) && (!make || make_file_system(depot, flags, error));
}

static bool fs_start(const struct depot *depot, unsigned flags, GError **error)
{
	(void)flags;
	return start_mounted(depot, format_of(depot), depot->def->source.devices[0].path, error);
}

const struct depot_kind depot_fs = {
	.available = fs_available,
	.build = fs_build,
	.erase = erase,
	.start = fs_start,
	.stop = stop,
	.usage = folder_usage,
	.list = folder_list,
	.open = folder_open_volume,
	.remove = vol_file_remove,
	.files = true,
};

/* == Another host's folder == */

/* mount finds a program of the type. */
static const struct {
	const char *type, *program, *package;
} helpers[] = {
	{ "nfs", "mount.nfs", "nfs-common" },
	{ "cifs", "mount.cifs", "cifs-utils" },
	{ "glusterfs", "mount.glusterfs", "glusterfs-client" },
};

static bool netfs_build(const struct depot *depot, unsigned flags, GError **error)
{
	(void)flags;
	return folder_build(depot, error);
}

static bool netfs_start(const struct depot *depot, unsigned flags, GError **error)
{
	const struct storage_pool_source *source = &depot->def->source;
	const char *format = format_of(depot), *type = format ? format : "nfs";
	g_autofree char *what = NULL;

	(void)flags;
	for (size_t i = 0; i < ARRAY_SIZE(helpers); i++) {
		if (!strcmp(helpers[i].type, type) &&
		    !host_tool_find(helpers[i].program, helpers[i].package, error))
			return false;
	}
	what = strcmp(type, "cifs") != 0
		       ? g_strdup_printf("%s:%s", source->hosts[0].name, source->dir.path)
		       : g_strdup_printf("//%s/%s", source->hosts[0].name, source->dir.path);
	return start_mounted(depot, type, what, error);
}

static bool netfs_find_sources(const struct storage_pool *like, GPtrArray *list, GError **error)
{
	const struct storage_pool_source *source = &like->source;
	const char *host = source->host_count ? source->hosts[0].name : NULL;
	g_autofree char *output = NULL;
	g_autoptr(GPtrArray) folders = NULL;
	char **argv;
	bool ok;

	if (!host || *host == '-')
		return error_set(error, SOCLE_ERROR_USAGE,
				 "folders of others are looked for on a host; name it in "
				 "<source><host name='...'/>");
	if (!host_tool_find("showmount", "nfs-common", error))
		return false;
	argv = mounts_argv_exports(host);
	ok = host_tool_run((const char *const *)argv, NULL, &output, error);
	g_strfreev(argv);
	if (!ok)
		return false;
	folders = mounts_parse_exports(output);
	for (unsigned i = 0; i < folders->len; i++) {
		struct storage_pool *pool = g_new0(struct storage_pool, 1);

		pool->source.hosts = g_new0(struct storage_host, 1);
		pool->source.host_count = 1;
		pool->source.hosts[0].name = g_strdup(host);
		pool->source.dir.path = g_strdup(folders->pdata[i]);
		pool->source.format.type = g_strdup("nfs");
		g_ptr_array_add(list, pool);
	}
	return true;
}

const struct depot_kind depot_netfs = {
	.find_sources = netfs_find_sources,
	.available = fs_available,
	.build = netfs_build,
	.erase = erase,
	.start = netfs_start,
	.stop = stop,
	.usage = folder_usage,
	.list = folder_list,
	.open = folder_open_volume,
	.remove = vol_file_remove,
	.files = true,
};
