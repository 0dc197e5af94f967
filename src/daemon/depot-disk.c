/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * depot-disk.c - storage pools of type disk: a disk of this host, whose partitions are the volumes
 *
 * The table is changed while partitions of it are in use. The kernel, which knows who has which open, is told of
 * what is new behind that, and of what goes before it. Not every disk has devices for its partitions: the
 * table is what counts.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/sys.h"
#include "block/file.h"
#include "daemon/pools-int.h"
#include "host/partitions.h"
#include "host/tool.h"

enum {
	FORGET_TRIES = 5,
	FORGET_PAUSE_US = 200000,
};

/* Its own name, whose partitions are called after it; g_free() it. */
static char *disk_of(const struct depot *depot)
{
	const char *path = depot->def->source.devices[0].path;
	g_autofree char *real = realpath(path, NULL);

	return g_strdup(real ? real : path);
}

/* @argv and @input are taken over. */
static bool run(char **argv, char *input, char **ret_output, GError **error)
{
	bool ok = host_tool_run((const char *const *)argv, input, ret_output, error);

	g_strfreev(argv);
	g_free(input);
	return ok;
}

static bool available(GError **error)
{
	return host_tool_find("sfdisk", "fdisk", error);
}

static GPtrArray *partitions_of(const struct depot *depot, GError **error)
{
	g_autofree char *disk = disk_of(depot), *output = NULL;

	return run(partitions_argv_dump(disk), NULL, &output, error) ? partitions_parse(output)
								     : NULL;
}

static bool build(const struct depot *depot, unsigned flags, GError **error)
{
	const char *label = depot->def->source.format.type;
	g_autofree char *disk = disk_of(depot);
	bool overwrite = flags & POOL_BUILD_OVERWRITE;
	g_autoptr(GPtrArray) present = overwrite ? NULL : partitions_of(depot, NULL);

	if (present)
		return error_set(error, SOCLE_ERROR_EXISTS,
				 "'%s' has partitions already; build with overwrite to lose them",
				 disk);
	if (label && strcmp(label, "dos") != 0 && strcmp(label, "gpt") != 0)
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "tables of type '%.64s' are not made here; use gpt or dos", label);
	return run(partitions_argv_label(disk, overwrite),
		   partitions_input_label(label ? label : "gpt"), NULL, error);
}

static bool start(const struct depot *depot, unsigned flags, GError **error)
{
	g_autoptr(GPtrArray) partitions = partitions_of(depot, error);

	(void)flags;
	return partitions != NULL;
}

static bool usage(const struct depot *depot, struct pool_usage *ret_usage, GError **error)
{
	g_autoptr(GPtrArray) partitions = partitions_of(depot, error);
	g_autofree char *disk = disk_of(depot);
	autofd int fd = partitions ? sys_open(disk, O_RDONLY, 0) : -1;
	off_t size = fd < 0 ? fd : sys_lseek(fd, 0, SEEK_END);
	uint64_t taken = 0;

	if (!partitions)
		return false;
	if (size < 0)
		return error_sys(error, (int)size, "cannot open disk '%s'", disk);
	for (unsigned i = 0; i < partitions->len; i++)
		taken += ((const struct partition *)partitions->pdata[i])->size;
	*ret_usage = (struct pool_usage){ (uint64_t)size, taken,
					  (uint64_t)size - MIN(taken, (uint64_t)size) };
	return true;
}

static bool list(const struct depot *depot, GPtrArray *names, GError **error)
{
	g_autoptr(GPtrArray) partitions = partitions_of(depot, error);

	if (!partitions)
		return false;
	for (unsigned i = 0; i < partitions->len; i++)
		g_ptr_array_add(names,
				g_path_get_basename(
					((const struct partition *)partitions->pdata[i])->path));
	return true;
}

static int open_volume(const struct depot *depot, const char *name, int flags, GError **error)
{
	g_autofree char *disk = disk_of(depot), *folder = g_path_get_dirname(disk);
	g_autofree char *path = g_build_filename(folder, name, NULL);
	autofd int fd = -1;
	struct stat st;

	if (!partitions_number(disk, name)) {
		error_set(error, SOCLE_ERROR_NOT_FOUND, "there is no volume '%s' on disk '%s'",
			  name, disk);
		return -1;
	}
	fd = sys_open(path, flags | O_NONBLOCK | O_NOCTTY, 0);
	if (fd < 0 || sys_fstat(fd, &st) < 0 || !S_ISBLK(st.st_mode)) {
		error_set(error, SOCLE_ERROR_NOT_FOUND, "there is no partition '%s'", path);
		return -1;
	}
	return fd_steal(&fd);
}

static struct storage_vol *vol_of_partition(const struct partition *partition, const char *name)
{
	struct storage_vol *vol = g_new0(struct storage_vol, 1);

	vol->type = STORAGE_VOL_BLOCK;
	vol->name = g_strdup(name);
	vol->capacity = vol->allocation = vol->physical = number_of((int64_t)partition->size);
	return vol;
}

/* The table says enough of a partition whose device is not there. */
static struct storage_vol *look(const struct depot *depot, const char *name, GError **error)
{
	g_autoptr(GPtrArray) partitions = partitions_of(depot, error);
	autofd int fd = partitions ? open_volume(depot, name, O_RDONLY, NULL) : -1;
	struct storage_vol *vol = fd >= 0 ? vol_look_raw(fd, name, NULL) : NULL;

	for (unsigned i = 0; !vol && partitions && i < partitions->len; i++) {
		const struct partition *partition = partitions->pdata[i];
		g_autofree char *own = g_path_get_basename(partition->path);

		if (!strcmp(own, name))
			vol = vol_of_partition(partition, name);
	}
	if (!vol && partitions)
		error_set(error, SOCLE_ERROR_NOT_FOUND, "there is no volume '%s' on disk '%s'",
			  name, depot->def->source.devices[0].path);
	return vol;
}

static bool has(const GPtrArray *list, const char *path)
{
	for (unsigned i = 0; i < list->len; i++) {
		if (!strcmp(((const struct partition *)list->pdata[i])->path, path))
			return true;
	}
	return false;
}

/* The one that was not there before; NULL: none. */
static const char *find_new(const GPtrArray *before, const GPtrArray *after)
{
	for (unsigned i = 0; i < after->len; i++) {
		const struct partition *partition = after->pdata[i];

		if (!has(before, partition->path))
			return partition->path;
	}
	return NULL;
}

/* The kernel has it no more. Of a new one udev takes a look, so who has it open may let it go soon. */
static bool forget(const char *disk, unsigned number, GError **error)
{
	for (unsigned i = 1; i < FORGET_TRIES; i++) {
		if (run(partitions_argv_forget(disk, number), NULL, NULL, NULL))
			return true;
		g_usleep(FORGET_PAUSE_US);
	}
	return run(partitions_argv_forget(disk, number), NULL, NULL, error);
}

static bool remove_volume(const struct depot *depot, const char *name, bool all, GError **error)
{
	g_autofree char *disk = disk_of(depot);
	const unsigned number = partitions_number(disk, name);
	autofd int fd = number ? open_volume(depot, name, O_RDONLY, NULL) : -1;
	const bool known = fd >= 0;
	g_autoptr(GError) why = NULL;

	(void)all;
	if (!number)
		return error_set(error, SOCLE_ERROR_NOT_FOUND,
				 "there is no volume '%s' on disk '%s'", name, disk);
	fd_autoclose(&fd);
	if (known && !forget(disk, number, &why))
		return error_set(error, SOCLE_ERROR_BUSY,
				 "partition '%s' is in use (%s); unmount it, or stop the machine "
				 "that has it first",
				 name, why->message);
	if (run(partitions_argv_delete(disk, number), NULL, NULL, error))
		return true;
	if (known)
		(void)run(partitions_argv_update(disk), NULL, NULL, NULL);
	return false;
}

/* A new one, as large as that; its name, or NULL. */
static char *append(const struct depot *depot, uint64_t size, GError **error)
{
	g_autoptr(GPtrArray) before = partitions_of(depot, error), after = NULL;
	g_autofree char *disk = disk_of(depot);
	const char *path;

	if (!before || !run(partitions_argv_append(disk), partitions_input_size(size), NULL, error))
		return NULL;
	(void)run(partitions_argv_update(disk), NULL, NULL, NULL);
	after = partitions_of(depot, error);
	path = after ? find_new(before, after) : NULL;
	if (after && !path)
		error_set(error, SOCLE_ERROR_FAILED, "sfdisk has made no partition on '%s'", disk);
	return path ? g_path_get_basename(path) : NULL;
}

/* The disk gives the next name; a client that wants another one is told. */
static bool create(const struct depot *depot, const struct vol_create *what, const char *as,
		   const struct storage_vol *source, int source_fd, struct vol_work *work,
		   GError **error)
{
	const char *name = what->vol->name;
	uint64_t size = (uint64_t)what->vol->capacity.value;
	g_autofree char *disk = disk_of(depot), *folder = g_path_get_dirname(disk);
	g_autofree char *made = NULL, *path = NULL;

	(void)as;
	if (!partitions_number(disk, name))
		return error_set(
			error, SOCLE_ERROR_USAGE,
			"a partition of '%s' has that disk's name and a number, which '%s' "
			"is not; give the next free one",
			disk, name);
	if (source)
		size = MAX(size, (uint64_t)source->capacity.value);
	made = append(depot, size, error);
	if (!made)
		return false;
	path = g_build_filename(folder, made, NULL);
	if (strcmp(made, name) != 0)
		error_set(error, SOCLE_ERROR_USAGE,
			  "the next partition of '%s' is '%s'; give the volume that name", disk,
			  made);
	else if (!source || vol_fill_device(path, false, source, source_fd, work, error))
		return true;
	(void)remove_volume(depot, made, false, NULL);
	return false;
}

/* Where it begins it stays, so there has to be room behind it. */
static bool resize(const struct depot *depot, const char *name, uint64_t now, uint64_t wanted,
		   unsigned flags, struct vol_work *work, GError **error)
{
	g_autofree char *disk = disk_of(depot);
	const unsigned number = partitions_number(disk, name);
	const bool less = wanted < now;
	autofd int fd = less ? open_volume(depot, name, O_RDWR | O_EXCL, NULL) : -1;
	autoptr(block_file) held = fd >= 0 ? vol_hold(fd, name, true, NULL) : NULL;
	g_autoptr(GError) why = NULL;

	(void)flags;
	(void)work;
	if (wanted == now)
		return true;
	/* Who has it open says so: file systems by O_EXCL, machines by locks. */
	if (less && !held)
		return error_set(error, SOCLE_ERROR_BUSY,
				 "partition '%s' is in use, and can only become larger", name);
	if (!run(partitions_argv_resize(disk, number), partitions_input_size(wanted), NULL, &why))
		return error_set(error, SOCLE_ERROR_LIMIT,
				 "partition '%s' cannot have %" PRIu64 " bytes: there has to be "
				 "as much room between it and the next one, or the disk's end (%s)",
				 name, wanted, why->message);
	return run(partitions_argv_update(disk), NULL, NULL, error);
}

const struct depot_kind depot_disk = {
	.available = available,
	.build = build,
	.start = start,
	.usage = usage,
	.list = list,
	.open = open_volume,
	.look = look,
	.create = create,
	.remove = remove_volume,
	.resize = resize,
};
