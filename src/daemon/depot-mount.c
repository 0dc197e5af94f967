/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * depot-mount.c - storage pools of types fs and netfs: a file system that is mounted while the pool is active
 *
 * It is mounted without the rights of devices and programs in it. If somebody has mounted it there already it is
 * used as it is; something else that is mounted there is not taken for it.
 *
 * Another host may be gone, and who asks its file system waits until it is back. So a pool that is found
 * again is not asked, and one that stops is unmounted by force when its host does not answer, unless
 * somebody has a file of it open, whose I/O would fail by that.
 */
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/error.h"
#include "base/sys.h"
#include "daemon/pools-int.h"
#include "host/mounts.h"
#include "host/tool.h"

enum {
	MOUNT_MS = 60000,
	/* What is written back is told to who has closed the file: there is little to do. */
	UNMOUNT_MS = 10000,
	FORCE_MS = 5000,
	FORCE_TRIES = 4, /* who has waited needs a moment to let go */
	FORCE_PAUSE_US = 500000,
};

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

static size_t length_without_slashes(const char *text)
{
	size_t len = strlen(text);

	while (len > 1 && text[len - 1] == '/')
		len--;
	return len;
}

/* Is it what the pool names? Devices have several names, and "host:/folder/" is "host:/folder". */
static bool is_source(const struct mount_entry *entry, const char *what)
{
	const size_t len = length_without_slashes(what);
	struct stat st;

	if (what[0] == '/' && sys_stat(what, &st) == 0 && S_ISBLK(st.st_mode) &&
	    major(st.st_rdev) == entry->major && minor(st.st_rdev) == entry->minor)
		return true;
	return length_without_slashes(entry->source) == len && !strncmp(entry->source, what, len);
}

static bool mount_it(const char *type, const char *options, const char *what, const char *where,
		     GError **error)
{
	g_auto(GStrv) argv = mounts_argv_mount(type, options, what, where);
	bool late;

	if (host_tool_run_within((const char *const *)argv, MOUNT_MS, &late, error))
		return true;
	if (late)
		g_prefix_error(error, "'%s' does not answer: ", what);
	return false;
}

static bool start_mounted(const struct depot *depot, unsigned flags, const char *type,
			  const char *options, const char *what, GError **error)
{
	const char *where = depot->def->target.path;
	autoptr(mount_entry) entry = mounts_find(where, NULL);

	if (entry && !is_source(entry, what))
		return error_set(error, SOCLE_ERROR_BUSY,
				 "'%s' is mounted at '%s' already, and not '%s'; unmount it, or "
				 "give the pool another <target>",
				 entry->source, where, what);
	if (entry && flags & POOL_START_FOUND)
		return true;
	return (entry || mount_it(type, options, what, where, error)) && folder_start(depot, error);
}

static bool is_mounted(const char *where)
{
	autoptr(mount_entry) entry = mounts_find(where, NULL);

	return entry;
}

/* Its host does not answer. Who waits for it gets errors, and lets it go. */
static bool unmount_by_force(const struct mount_entry *entry, const char *where, GError **error)
{
	g_auto(GStrv) argv = mounts_argv_umount(where, true);
	const int user = mounts_user(entry);
	bool late;

	if (user)
		return error_set(error, SOCLE_ERROR_BUSY,
				 "'%s' does not answer, and process %d has files of it open in "
				 "'%s'; end that first, as by destroying the machine",
				 entry->source, user, where);
	/* What was ended for being late may have done it all the same. */
	for (unsigned i = 1; i < FORCE_TRIES; i++) {
		if (!is_mounted(where) ||
		    host_tool_run_within((const char *const *)argv, FORCE_MS, &late, NULL))
			return true;
		g_usleep(FORCE_PAUSE_US);
	}
	return !is_mounted(where) ||
	       host_tool_run_within((const char *const *)argv, FORCE_MS, &late, error);
}

static bool stop(const struct depot *depot, GError **error)
{
	const char *where = depot->def->target.path;
	g_auto(GStrv) argv = mounts_argv_umount(where, false);
	autoptr(mount_entry) entry = mounts_find(where, NULL);
	g_autoptr(GError) why = NULL;
	bool late;

	if (!entry || host_tool_run_within((const char *const *)argv, UNMOUNT_MS, &late, &why))
		return true;
	/* "Busy" by nobody: what was closed waits for the server, as umount would have. */
	if (depot->def->type == STORAGE_POOL_NETFS && (late || !mounts_user(entry)))
		return unmount_by_force(entry, where, error);
	g_propagate_error(error, g_steal_pointer(&why));
	return false;
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
	return start_mounted(depot, flags, format_of(depot), mount_options,
			     depot->def->source.devices[0].path, error);
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

/* As mount is told it. An address with colons is in brackets, since another one follows. */
static char *remote_of(const struct storage_pool_source *source, const char *type)
{
	const char *host = source->hosts[0].name, *dir = source->dir.path;

	if (!strcmp(type, "cifs"))
		return g_strdup_printf("//%s/%s", host, dir);
	return strchr(host, ':') ? g_strdup_printf("[%s]:%s", host, dir)
				 : g_strdup_printf("%s:%s", host, dir);
}

/* An NFS server that is not there is not asked again for minutes. NULL with @error: no such version. */
static char *netfs_options(const struct storage_pool_source *source, const char *type,
			   GError **error)
{
	const char *version = source->protocol.ver;

	if (strcmp(type, "nfs") != 0)
		return g_strdup(mount_options);
	if (!version)
		return g_strconcat(mount_options, ",retry=0", NULL);
	if (*version && !version[strspn(version, "0123456789.")])
		return g_strconcat(mount_options, ",retry=0,nfsvers=", version, NULL);
	error_set(error, SOCLE_ERROR_USAGE,
		  "'%.16s' is no version of NFS; give one as 3 or 4.2 in <protocol ver='...'/>",
		  version);
	return NULL;
}

static bool netfs_start(const struct depot *depot, unsigned flags, GError **error)
{
	const struct storage_pool_source *source = &depot->def->source;
	const char *format = format_of(depot), *type = format ? format : "nfs";
	g_autofree char *what = remote_of(source, type);
	g_autofree char *options = netfs_options(source, type, error);

	if (!options)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(helpers); i++) {
		if (!strcmp(helpers[i].type, type) &&
		    !host_tool_find(helpers[i].program, helpers[i].package, error))
			return false;
	}
	return start_mounted(depot, flags, type, options, what, error);
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
