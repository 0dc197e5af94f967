/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * depot-lvm.c - storage pools of type logical: a volume group of lvm2
 *
 * A volume with something behind it is a snapshot of that. One that is to have less allocated than its
 * size is thin if the group has a thin pool, else whole.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/sys.h"
#include "block/image.h"
#include "daemon/pools-int.h"
#include "host/lvm.h"
#include "host/tool.h"

enum {
	EXTENT = 4 << 20, /* lvm2's own, of which snapshots are given multiples */
};

static const char *group_of(const struct depot *depot)
{
	return depot->def->source.name;
}

/* @argv is taken over. */
static bool run(char **argv, char **ret_output, GError **error)
{
	bool ok = host_tool_run((const char *const *)argv, NULL, ret_output, error);

	g_strfreev(argv);
	return ok;
}

static bool available(GError **error)
{
	return host_tool_find("lvs", "lvm2", error);
}

/* == The group == */

static GPtrArray *devices_of(const struct depot *depot, const GPtrArray *but)
{
	const struct storage_pool_source *source = &depot->def->source;
	GPtrArray *paths = g_ptr_array_new();

	for (unsigned i = 0; i < source->device_count; i++) {
		char *path = source->devices[i].path;

		if (!but || !g_ptr_array_find_with_equal_func((GPtrArray *)(uintptr_t)but, path,
							      g_str_equal, NULL))
			g_ptr_array_add(paths, path);
	}
	g_ptr_array_add(paths, NULL);
	return paths;
}

/* What the group has already, or NULL: there is no such group. */
static GPtrArray *present_devices(const struct depot *depot)
{
	g_autofree char *output = NULL;

	return run(lvm_argv_report_devices(group_of(depot)), &output, NULL)
		       ? lvm_parse_names(output)
		       : NULL;
}

/* A group that is there gets the disks that it does not have yet. */
static bool build(const struct depot *depot, unsigned flags, GError **error)
{
	g_autoptr(GPtrArray) present = present_devices(depot);
	g_autoptr(GPtrArray) paths = devices_of(depot, present);
	const char *const *list = (const char *const *)paths->pdata;

	if (paths->len == 1)
		return present ||
		       error_set(error, SOCLE_ERROR_USAGE,
				 "there is no volume group '%s', and none can be made of "
				 "nothing; name its devices in <source>",
				 group_of(depot));
	for (unsigned i = 0; list[i]; i++) {
		if (!run(lvm_argv_pvcreate(list[i], flags & POOL_BUILD_OVERWRITE), NULL, error))
			return false;
	}
	return run(present ? lvm_argv_vgextend(group_of(depot), list)
			   : lvm_argv_vgcreate(group_of(depot), list),
		   NULL, error);
}

static bool erase(const struct depot *depot, unsigned flags, GError **error)
{
	const struct storage_pool_source *source = &depot->def->source;

	(void)flags;
	if (!run(lvm_argv_vgremove(group_of(depot)), NULL, error))
		return false;
	for (unsigned i = 0; i < source->device_count; i++) {
		if (!run(lvm_argv_pvremove(source->devices[i].path), NULL, error))
			return false;
	}
	return true;
}

static bool find_sources(const struct storage_pool *like, GPtrArray *list, GError **error)
{
	g_autofree char *output = NULL;
	g_autoptr(GPtrArray) names = NULL;

	(void)like;
	if (!run(lvm_argv_report_groups(), &output, error))
		return false;
	names = lvm_parse_names(output);
	for (unsigned i = 0; i < names->len; i++) {
		struct storage_pool *pool = g_new0(struct storage_pool, 1);

		pool->source.name = g_strdup(names->pdata[i]);
		pool->source.format.type = g_strdup("lvm2");
		g_ptr_array_add(list, pool);
	}
	return true;
}

static bool start(const struct depot *depot, unsigned flags, GError **error)
{
	(void)flags;
	return run(lvm_argv_activate(group_of(depot), true), NULL, error);
}

static bool stop(const struct depot *depot, GError **error)
{
	return run(lvm_argv_activate(group_of(depot), false), NULL, error);
}

static bool usage(const struct depot *depot, struct pool_usage *ret_usage, GError **error)
{
	g_autofree char *output = NULL;
	struct lvm_group group;

	if (!run(lvm_argv_report_group(group_of(depot)), &output, error))
		return false;
	if (!lvm_parse_group(output, &group))
		return error_set(error, SOCLE_ERROR_FAILED,
				 "vgs says nothing of use about volume group '%s'",
				 group_of(depot));
	*ret_usage = (struct pool_usage){ group.size, group.size - MIN(group.free, group.size),
					  group.free };
	return true;
}

/* == Volumes == */

static GPtrArray *volumes_of(const struct depot *depot, GError **error)
{
	g_autofree char *output = NULL;

	return run(lvm_argv_report_volumes(group_of(depot)), &output, error)
		       ? lvm_parse_volumes(output)
		       : NULL;
}

/* Thin pools hold volumes, and are none. */
static bool is_volume(const struct lvm_volume *volume)
{
	return volume->kind != 't' && volume->kind != 'T' && volume->kind != 'e';
}

static const struct lvm_volume *find(const GPtrArray *volumes, const char *name)
{
	for (unsigned i = 0; i < volumes->len; i++) {
		const struct lvm_volume *volume = volumes->pdata[i];

		if (!strcmp(volume->name, name))
			return volume;
	}
	return NULL;
}

static bool list(const struct depot *depot, GPtrArray *names, GError **error)
{
	g_autoptr(GPtrArray) volumes = volumes_of(depot, error);

	if (!volumes)
		return false;
	for (unsigned i = 0; i < volumes->len; i++) {
		const struct lvm_volume *volume = volumes->pdata[i];

		if (is_volume(volume))
			g_ptr_array_add(names, g_strdup(volume->name));
	}
	return true;
}

static bool not_found(const struct depot *depot, const char *name, GError **error)
{
	return error_set(error, SOCLE_ERROR_NOT_FOUND,
			 "there is no volume '%s' in volume group '%s'", name, group_of(depot));
}

static int open_volume(const struct depot *depot, const char *name, int flags, GError **error)
{
	g_autoptr(GPtrArray) volumes = volumes_of(depot, error);
	g_autofree char *path = depot_path(depot, name);
	autofd int fd = -1;
	struct stat st;

	if (!volumes)
		return -1;
	if (!find(volumes, name)) {
		not_found(depot, name, error);
		return -1;
	}
	/* Links that device-mapper's rules have made. */
	fd = sys_open(path, flags | O_NONBLOCK | O_NOCTTY, 0);
	if (fd < 0) {
		error_sys(error, fd, "cannot open volume '%s'", path);
		return -1;
	}
	if (sys_fstat(fd, &st) < 0 || !S_ISBLK(st.st_mode)) {
		error_set(error, SOCLE_ERROR_FAILED, "'%s' is no block device", path);
		return -1;
	}
	return fd_steal(&fd);
}

/* What lvm2 says is enough for a volume that is not active. */
static struct storage_vol *look(const struct depot *depot, const char *name, GError **error)
{
	g_autoptr(GPtrArray) volumes = volumes_of(depot, error);
	const struct lvm_volume *volume = volumes ? find(volumes, name) : NULL;
	g_autofree char *path = depot_path(depot, name);
	autofd int fd = -1;
	struct storage_vol *vol;

	if (!volume || !is_volume(volume)) {
		if (volumes)
			not_found(depot, name, error);
		return NULL;
	}
	fd = volume->active ? open_volume(depot, name, O_RDONLY, NULL) : -1;
	vol = fd >= 0 ? vol_look(fd, name, path, NULL) : NULL;
	if (!vol) {
		vol = g_new0(struct storage_vol, 1);
		vol->name = g_strdup(name);
		vol->target.format.type = g_strdup("raw");
		vol->capacity = number_of((int64_t)volume->size);
	}
	vol->type = STORAGE_VOL_BLOCK;
	vol->physical = number_of((int64_t)volume->size);
	vol->allocation = number_of(
		volume->pool ? (int64_t)((double)volume->size * volume->data_percent / 100)
			     : (int64_t)volume->size);
	if (volume->origin) {
		g_free(vol->backing.path);
		vol->backing.path = depot_path(depot, volume->origin);
	}
	return vol;
}

/* Bytes of an image of any format, to a device of its size. */
bool vol_fill_device(const char *path, const struct storage_vol *source, int source_fd,
		     struct vol_work *work, GError **error)
{
	const char *format = source->target.format.type;
	struct block_file *file = block_file_of_fd(source_fd, source->name, 0, error);
	autoptr(image) from =
		file ? image_open_file(source->name, file, strcmp(format, "iso") ? format : "raw",
				       0, error)
		     : NULL;
	autoptr(image) to = from ? image_open(path, "raw", IMAGE_WRITE, error) : NULL;

	if (from && from->backing_file)
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "volume '%s' has another image behind it; copy it into a pool of "
				 "files first",
				 source->name);
	return to && vol_convert(from, to, work, error);
}

static const char *thin_pool(const GPtrArray *volumes)
{
	for (unsigned i = 0; i < volumes->len; i++) {
		const struct lvm_volume *volume = volumes->pdata[i];

		if (volume->kind == 't')
			return volume->name;
	}
	return NULL;
}

static char **arguments(const struct depot *depot, const struct storage_vol *vol, uint64_t size,
			const GPtrArray *volumes, GError **error)
{
	bool sparse = vol->allocation.set && (uint64_t)vol->allocation.value < size;
	g_autofree char *origin = NULL;
	const struct lvm_volume *behind;
	uint64_t room;

	if (!vol->backing.path)
		return lvm_argv_lvcreate(group_of(depot), vol->name, size,
					 sparse ? thin_pool(volumes) : NULL);
	origin = g_path_get_basename(vol->backing.path);
	behind = find(volumes, origin);
	if (!behind) {
		error_set(error, SOCLE_ERROR_USAGE,
			  "'%s' is no volume of volume group '%s', so volume '%s' cannot be a "
			  "snapshot of it",
			  vol->backing.path, group_of(depot), vol->name);
		return NULL;
	}
	room = sparse && vol->allocation.value ? (uint64_t)vol->allocation.value : behind->size;
	return lvm_argv_snapshot(group_of(depot), vol->name, origin,
				 behind->pool ? 0 : (room + EXTENT - 1) / EXTENT * EXTENT);
}

static bool create(const struct depot *depot, const struct vol_create *what,
		   const struct storage_vol *source, int source_fd, struct vol_work *work,
		   GError **error)
{
	g_autofree char *path = depot_path(depot, what->vol->name);
	const struct storage_vol *vol = what->vol;
	g_autoptr(GPtrArray) volumes = volumes_of(depot, error);
	uint64_t size = (uint64_t)vol->capacity.value;
	char **argv;

	if (!volumes)
		return false;
	if (find(volumes, vol->name))
		return error_set(error, SOCLE_ERROR_EXISTS,
				 "storage vol '%s' already exists; give the new one another name",
				 vol->name);
	if (vol->name[0] == '-')
		return error_set(
			error, SOCLE_ERROR_USAGE,
			"a logical volume's name does not begin with '-'; give '%s' another "
			"one",
			vol->name);
	if (source)
		size = MAX(size, (uint64_t)source->capacity.value);
	argv = arguments(depot, vol, size, volumes, error);
	if (!argv || !run(argv, NULL, error))
		return false;
	if (!source || vol_fill_device(path, source, source_fd, work, error))
		return true;
	/* Nothing half stays. */
	(void)run(lvm_argv_lvremove(group_of(depot), vol->name), NULL, NULL);
	return false;
}

static bool remove_volume(const struct depot *depot, const char *name, GError **error)
{
	g_autoptr(GPtrArray) volumes = volumes_of(depot, error);

	if (!volumes)
		return false;
	if (!find(volumes, name))
		return not_found(depot, name, error);
	return run(lvm_argv_lvremove(group_of(depot), name), NULL, error);
}

static bool resize(const struct depot *depot, const char *name, uint64_t now, uint64_t wanted,
		   unsigned flags, struct vol_work *work, GError **error)
{
	(void)flags;
	(void)work;
	return wanted == now ||
	       run(lvm_argv_lvresize(group_of(depot), name, wanted, wanted < now), NULL, error);
}

const struct depot_kind depot_logical = {
	.available = available,
	.build = build,
	.erase = erase,
	.find_sources = find_sources,
	.start = start,
	.stop = stop,
	.usage = usage,
	.list = list,
	.open = open_volume,
	.look = look,
	.create = create,
	.remove = remove_volume,
	.resize = resize,
};
