/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * depot-dir.c - storage pools that are a folder, and what all that are on a file system share
 *
 * The folder is opened for each piece of work: one that was replaced, or mounted over, is the new one, and
 * nothing keeps a file system from being unmounted. Within the work all goes through that descriptor.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/error.h"
#include "base/sys.h"
#include "daemon/folders.h"
#include "daemon/pools-int.h"

enum {
	PART_LOCK = 90,  /* the byte that its maker has locked; no image's locks are there */
	PART_OLD_S = 60, /* where there are no locks, younger ones may still be made */
	PART_TRIES = 10,
	PART_DIGITS = 16,
	BUILD_MODE = 0711,
};

static const char part_prefix[] = ".socle-", part_suffix[] = ".part";

int folder_open(const struct depot *depot, GError **error)
{
	const char *path = depot->def->target.path;
	int fd = sys_open(path, O_RDONLY | O_DIRECTORY, 0);

	if (fd < 0)
		error_sys(error, fd, "cannot open directory '%s' of storage pool '%s'%s", path,
			  depot->def->name,
			  fd == -ENOENT ? " (build the pool to have it made)" : "");
	return fd;
}

bool folder_has_volume(int dir, const char *name)
{
	struct stat st;

	return storage_vol_name_check(name, NULL) && sys_stat_at(dir, name, &st) >= 0 &&
	       (S_ISREG(st.st_mode) || S_ISBLK(st.st_mode));
}

/* == What is not complete == */

static bool is_part(const char *name)
{
	const char *number = name + strlen(part_prefix);

	return g_str_has_prefix(name, part_prefix) &&
	       strspn(number, "0123456789abcdef") == PART_DIGITS &&
	       !strcmp(number + PART_DIGITS, part_suffix);
}

/*
 * Who sweeps has the byte for himself while he removes a part, so one whose maker has a lock stays. It may
 * be gone, or about to go, before that has one: then the next one is made. -EAGAIN: so it is.
 */
static int part_make(struct part *part)
{
	uint64_t number;
	struct stat st;
	int ret = sys_random(&number, sizeof(number));

	if (ret < 0)
		return ret;
	g_snprintf(part->name, sizeof(part->name), "%s%016" PRIx64 "%s", part_prefix, number,
		   part_suffix);
	part->fd = sys_open_beneath(part->dir, part->name, O_RDWR | O_CREAT | O_EXCL, 0600);
	if (part->fd < 0)
		return part->fd;
	/* Where there are no locks, as on some network file systems, age alone protects it. */
	ret = sys_lock_byte(part->fd, PART_LOCK);
	if (ret != -EAGAIN && (sys_fstat(part->fd, &st) < 0 || st.st_nlink))
		return 0;
	(void)sys_unlink_at(part->dir, part->name);
	fd_autoclose(&part->fd);
	return -EAGAIN;
}

bool part_init(struct part *part, int dir, GError **error)
{
	int ret = -EAGAIN;

	*part = (struct part){ .dir = dir, .fd = -1 };
	parts_sweep(dir);
	for (unsigned tries = 0; ret == -EAGAIN && tries < PART_TRIES; tries++)
		ret = part_make(part);
	if (ret < 0)
		return error_sys(error, ret, "cannot make a file for a new volume");
	part->path = g_strdup_printf("/proc/self/fd/%d/%s", dir, part->name);
	return true;
}

/* To rename over a file makes some file systems (ext4) write the bytes first, whether they are wanted there or not. */
static int take_name(const struct part *part, const char *name, bool replace)
{
	if (!replace || !part->no_sync || sys_exchange_at(part->dir, part->name, name) < 0)
		return sys_rename_at(part->dir, part->name, name, replace);
	/* What had the name is now one that was never finished. */
	(void)sys_unlink_at(part->dir, part->name);
	return 0;
}

bool part_finish(struct part *part, const char *name, bool replace, GError **error)
{
	int ret = part->no_sync ? 0 : sys_fsync(part->fd);

	if (ret < 0)
		return error_sys(error, ret, "cannot write volume '%s'", name);
	ret = take_name(part, name, replace);
	if (ret == -EEXIST)
		return error_set(error, SOCLE_ERROR_EXISTS,
				 "storage vol '%s' already exists; give "
				 "the new one another name",
				 name);
	if (ret < 0)
		return error_sys(error, ret, "cannot give volume '%s' its name", name);
	part->done = true;
	ret = part->no_sync ? 0 : sys_fsync(part->dir);
	return ret >= 0 || error_sys(error, ret, "cannot write the folder of volume '%s'", name);
}

void part_release(struct part *part)
{
	if (part->fd >= 0 && !part->done)
		(void)sys_unlink_at(part->dir, part->name);
	fd_autoclose(&part->fd);
	g_clear_pointer(&part->path, g_free);
}

static void sweep_one(void *opaque, const char *name)
{
	const int dir = *(const int *)opaque;
	autofd int fd = is_part(name) ? sys_open_beneath(dir, name, O_RDWR | O_NONBLOCK, 0) : -1;
	int64_t now_s = (int64_t)(sys_realtime_ns() / 1000000000);
	struct stat st;
	int ret;

	if (fd < 0 || sys_fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return;
	ret = sys_lock_byte_alone(fd, PART_LOCK);
	if (ret >= 0 || (ret != -EAGAIN && ret != -EACCES && now_s - st.st_ctime > PART_OLD_S))
		(void)sys_unlink_at(dir, name);
}

void parts_sweep(int dir)
{
	(void)sys_list_dir(dir, sweep_one, &dir);
}

/* == The kind's functions == */

bool folder_build(const struct depot *depot, GError **error)
{
	const struct storage_permissions *wanted = &depot->def->target.permissions;
	const char *path = depot->def->target.path;
	mode_t mode = wanted->mode.set ? (mode_t)wanted->mode.value : BUILD_MODE;
	int ret;

	if (!folders_make(path, mode, error))
		return false;
	if (wanted->mode.set && (ret = sys_chmod(path, mode)) < 0)
		return error_sys(error, ret, "cannot set the mode of '%s'", path);
	if ((wanted->owner.set && wanted->owner.value >= 0) ||
	    (wanted->group.set && wanted->group.value >= 0)) {
		ret = sys_chown(path, wanted->owner.set ? (uid_t)wanted->owner.value : (uid_t)-1,
				wanted->group.set ? (gid_t)wanted->group.value : (gid_t)-1);
		if (ret < 0)
			return error_sys(error, ret, "cannot set the owner of '%s'", path);
	}
	return true;
}

static bool dir_build(const struct depot *depot, unsigned flags, GError **error)
{
	(void)flags;
	return folder_build(depot, error);
}

static bool dir_erase(const struct depot *depot, unsigned flags, GError **error)
{
	int ret = sys_rmdir(depot->def->target.path);

	(void)flags;
	return ret >= 0 ||
	       error_sys(error, ret, "cannot remove directory '%s'%s", depot->def->target.path,
			 ret == -ENOTEMPTY ? " (remove what is in it first)" : "");
}

bool folder_start(const struct depot *depot, GError **error)
{
	autofd int dir = folder_open(depot, error);

	if (dir < 0)
		return false;
	parts_sweep(dir);
	return true;
}

static bool dir_start(const struct depot *depot, unsigned flags, GError **error)
{
	(void)flags;
	return folder_start(depot, error);
}

bool folder_usage(const struct depot *depot, struct pool_usage *ret_usage, GError **error)
{
	autofd int dir = folder_open(depot, error);
	g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", dir);
	struct statvfs vfs;
	int ret;

	if (dir < 0)
		return false;
	ret = sys_statvfs(path, &vfs);
	if (ret < 0)
		return error_sys(error, ret, "cannot find out how large '%s' is",
				 depot->def->target.path);
	*ret_usage = (struct pool_usage){
		.capacity = (uint64_t)vfs.f_blocks * vfs.f_frsize,
		.allocation = (uint64_t)(vfs.f_blocks - vfs.f_bfree) * vfs.f_frsize,
		.available = (uint64_t)vfs.f_bavail * vfs.f_frsize,
	};
	return true;
}

struct listing {
	int dir;
	GPtrArray *names;
};

static void list_one(void *opaque, const char *name)
{
	const struct listing *listing = opaque;

	/* What no client could take as text is no volume either. */
	if (g_utf8_validate(name, -1, NULL) && folder_has_volume(listing->dir, name))
		g_ptr_array_add(listing->names, g_strdup(name));
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

bool folder_list(const struct depot *depot, GPtrArray *names, GError **error)
{
	autofd int dir = folder_open(depot, error);
	struct listing listing = { dir, names };
	int ret;

	if (dir < 0)
		return false;
	ret = sys_list_dir(dir, list_one, &listing);
	if (ret < 0)
		return error_sys(error, ret, "cannot read directory '%s'", depot->def->target.path);
	g_ptr_array_sort(names, by_name);
	return true;
}

int folder_open_volume(const struct depot *depot, const char *name, int flags, GError **error)
{
	autofd int dir = folder_open(depot, error);
	autofd int fd = -1;
	struct stat st;

	if (dir < 0 || !storage_vol_name_check(name, error))
		return -1;
	fd = sys_open_beneath(dir, name, flags | O_NONBLOCK | O_NOCTTY, 0);
	if (fd == -ENOENT || fd == -ELOOP || fd == -EXDEV || fd == -ENXIO || fd == -EISDIR) {
		error_set(error, SOCLE_ERROR_NOT_FOUND, "there is no volume '%s' in '%s'%s", name,
			  depot->def->target.path, fd == -ELOOP ? ": it is a symbolic link" : "");
		return -1;
	}
	if (fd < 0) {
		error_sys(error, fd, "cannot open volume '%s'", name);
		return -1;
	}
	if (sys_fstat(fd, &st) < 0 || (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))) {
		error_set(error, SOCLE_ERROR_NOT_FOUND,
			  "'%s' in '%s' is no volume: it is neither a file nor a block device",
			  name, depot->def->target.path);
		return -1;
	}
	return fd_steal(&fd);
}

const struct depot_kind depot_dir = {
	.build = dir_build,
	.erase = dir_erase,
	.start = dir_start,
	.usage = folder_usage,
	.list = folder_list,
	.open = folder_open_volume,
	.remove = vol_file_remove,
	.files = true,
};
