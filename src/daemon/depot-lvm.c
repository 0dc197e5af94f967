/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * depot-lvm.c - storage pools of type logical: a volume group of lvm2
 *
 * A volume with something behind it is a snapshot of that. One that is to have less allocated than its
 * size is thin if the group has a thin pool, else whole. A thin pool is made as a volume of that format; it
 * is not listed, but can be looked at and removed. All others are raw, whatever a guest has written to
 * their beginning.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/sys.h"
#include "block/image.h"
#include "daemon/lvm.h"
#include "daemon/pools-int.h"
#include "host/tool.h"

static const char *group_of(const struct depot *depot)
{
	return depot->def->source.name;
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

	return lvm_run(lvm_argv_report_devices(group_of(depot)), &output, NULL)
		       ? lvm_parse_names(output)
		       : NULL;
}

/* What is on it goes to the others. One that has nothing can go where nothing can be moved, too. */
static bool let_one_go(const char *group, const char *path, GError **error)
{
	return (lvm_run(lvm_argv_vgreduce(group, path), NULL, NULL) ||
		(lvm_run(lvm_argv_pvmove(path), NULL, error) &&
		 lvm_run(lvm_argv_vgreduce(group, path), NULL, error))) &&
	       lvm_run(lvm_argv_pvremove(path), NULL, error);
}

/* Disks that are not to be in the group any more. */
static bool let_go(const struct depot *depot, const GPtrArray *present, GError **error)
{
	g_autoptr(GPtrArray) wanted = devices_of(depot, NULL);

	g_ptr_array_set_size(wanted, (int)wanted->len - 1);
	for (unsigned i = 0; i < present->len; i++) {
		const char *path = present->pdata[i];

		if (g_ptr_array_find_with_equal_func(wanted, path, g_str_equal, NULL))
			continue;
		if (!let_one_go(group_of(depot), path, error))
			return false;
	}
	return true;
}

/* A group that is there gets the disks that it does not have yet; only who asks for it loses some. */
static bool build(const struct depot *depot, unsigned flags, GError **error)
{
	g_autoptr(GPtrArray) present = present_devices(depot);
	g_autoptr(GPtrArray) paths = devices_of(depot, present);
	const char *const *list = (const char *const *)paths->pdata;

	if (!present && paths->len == 1)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "there is no volume group '%s', and none can be made of "
				 "nothing; name its devices in <source>",
				 group_of(depot));
	for (unsigned i = 0; list[i]; i++) {
		if (!lvm_run(lvm_argv_pvcreate(list[i], flags & POOL_BUILD_OVERWRITE), NULL, error))
			return false;
	}
	if (list[0] && !lvm_run(present ? lvm_argv_vgextend(group_of(depot), list)
					: lvm_argv_vgcreate(group_of(depot), list),
				NULL, error))
		return false;
	return !present || !(flags & POOL_BUILD_RESIZE) || !depot->def->source.device_count ||
	       let_go(depot, present, error);
}

static bool erase(const struct depot *depot, unsigned flags, GError **error)
{
	const struct storage_pool_source *source = &depot->def->source;

	(void)flags;
	if (!lvm_run(lvm_argv_vgremove(group_of(depot)), NULL, error))
		return false;
	for (unsigned i = 0; i < source->device_count; i++) {
		if (!lvm_run(lvm_argv_pvremove(source->devices[i].path), NULL, error))
			return false;
	}
	return true;
}

/* Of one group come one after the other. */
static struct storage_pool_source *source_of(GPtrArray *list, const char *group)
{
	struct storage_pool *pool = list->len ? list->pdata[list->len - 1] : NULL;

	if (!pool || strcmp(pool->source.name, group) != 0) {
		pool = g_new0(struct storage_pool, 1);
		pool->source.name = g_strdup(group);
		pool->source.format.type = g_strdup("lvm2");
		g_ptr_array_add(list, pool);
	}
	return &pool->source;
}

static bool find_sources(const struct storage_pool *like, GPtrArray *list, GError **error)
{
	g_autofree char *output = NULL;
	g_autoptr(GPtrArray) lines = NULL;

	(void)like;
	if (!lvm_run(lvm_argv_report_groups(), &output, error))
		return false;
	lines = lvm_parse_names(output);
	for (unsigned i = 0; i < lines->len; i++) {
		g_autofree char *group = NULL, *device = NULL;

		if (lvm_parse_pair(lines->pdata[i], &group, &device))
			storage_source_add_device(source_of(list, group), device);
	}
	return true;
}

static bool start(const struct depot *depot, unsigned flags, GError **error)
{
	(void)flags;
	return lvm_run(lvm_argv_activate(group_of(depot), true), NULL, error);
}

static bool stop(const struct depot *depot, GError **error)
{
	g_autoptr(GPtrArray) volumes = lvm_volumes(group_of(depot), error);

	if (!volumes)
		return false;
	for (unsigned i = 0; i < volumes->len; i++) {
		const struct lvm_volume *volume = volumes->pdata[i];

		/* A thin pool is open as long as it has active volumes. */
		if (volume->open && volume->kind != 't')
			return error_set(
				error, SOCLE_ERROR_BUSY,
				"volume '%s' is in use; stop the machine that has it first",
				volume->name);
	}
	return lvm_run(lvm_argv_activate(group_of(depot), false), NULL, error);
}

static bool usage(const struct depot *depot, struct pool_usage *ret_usage, GError **error)
{
	g_autofree char *output = NULL;
	struct lvm_group group;

	if (!lvm_run(lvm_argv_report_group(group_of(depot)), &output, error))
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

/* Thin pools hold volumes, and are none. */
static const char thin_pool_format[] = "thin-pool";

static bool is_volume(const struct lvm_volume *volume)
{
	return volume->kind != 't' && volume->kind != 'T' && volume->kind != 'e';
}

static bool list(const struct depot *depot, GPtrArray *names, GError **error)
{
	g_autoptr(GPtrArray) volumes = lvm_volumes(group_of(depot), error);

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
	g_autoptr(GPtrArray) volumes = lvm_volumes(group_of(depot), error);
	g_autofree char *path = depot_path(depot, name);
	autofd int fd = -1;
	struct stat st;

	if (!volumes)
		return -1;
	if (!lvm_find(volumes, name) || !is_volume(lvm_find(volumes, name))) {
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

static int64_t allocated(const struct lvm_volume *volume)
{
	return volume->pool || volume->kind == 't'
		       ? (int64_t)((double)volume->size * volume->data_percent / 100)
		       : (int64_t)volume->size;
}

/* Whose it is and since when: of one that is active. */
static struct storage_vol *look_at_node(const struct depot *depot, const struct lvm_volume *volume)
{
	autofd int fd = volume->active && is_volume(volume)
				? open_volume(depot, volume->name, O_RDONLY, NULL)
				: -1;
	struct storage_vol *vol = fd >= 0 ? vol_look_raw(fd, volume->name, NULL) : NULL;

	if (vol)
		return vol;
	vol = g_new0(struct storage_vol, 1);
	vol->name = g_strdup(volume->name);
	return vol;
}

static struct storage_vol *look(const struct depot *depot, const char *name, GError **error)
{
	g_autoptr(GPtrArray) volumes = lvm_volumes(group_of(depot), error);
	const struct lvm_volume *volume = volumes ? lvm_find(volumes, name) : NULL;
	struct storage_vol *vol;

	if (!volume) {
		if (volumes)
			not_found(depot, name, error);
		return NULL;
	}
	vol = look_at_node(depot, volume);
	vol->type = STORAGE_VOL_BLOCK;
	g_free(vol->target.format.type);
	vol->target.format.type = g_strdup(volume->kind == 't' ? thin_pool_format : "raw");
	/* A snapshot's own size is its room. */
	vol->capacity =
		number_of((int64_t)(volume->origin_size ? volume->origin_size : volume->size));
	vol->physical = number_of((int64_t)volume->size);
	vol->allocation = number_of(allocated(volume));
	if (volume->origin)
		vol->backing.path = depot_path(depot, volume->origin);
	return vol;
}

/* Bytes of an image of any format, to a device of its size. */
bool vol_fill_device(const char *path, bool blank, const struct storage_vol *source, int source_fd,
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
	return to && vol_convert(from, to, blank, work, error);
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

static bool is_sparse(const struct storage_vol *vol, uint64_t size)
{
	return vol->allocation.set && (uint64_t)vol->allocation.value < size;
}

/* As virsh says it: the room of a snapshot is what is allocated, or else its capacity. */
static bool create_snapshot(const struct depot *depot, const struct storage_vol *vol,
			    const GPtrArray *volumes, GError **error)
{
	g_autofree char *origin = g_path_get_basename(vol->backing.path);
	g_autofree char *path = depot_path(depot, origin);
	int64_t room = vol->allocation.value ? vol->allocation.value : vol->capacity.value;

	if (!lvm_find(volumes, origin) || strcmp(path, vol->backing.path) != 0)
		return error_set(
			error, SOCLE_ERROR_USAGE,
			"'%s' is no volume of volume group '%s', so volume '%s' cannot be a "
			"snapshot of it",
			vol->backing.path, group_of(depot), vol->name);
	return lvm_snapshot(group_of(depot), vol->name, origin, (uint64_t)room, NULL, error);
}

/* Nothing is in it yet; @ret_blank: it reads as zero. */
static bool create_empty(const struct depot *depot, const struct storage_vol *vol, const char *as,
			 uint64_t size, const GPtrArray *volumes, bool *ret_blank, GError **error)
{
	const char *pool = is_sparse(vol, size) ? thin_pool(volumes) : NULL;

	*ret_blank = pool;
	if (!g_strcmp0(vol->target.format.type, thin_pool_format))
		return lvm_run_for(lvm_argv_thin_pool(group_of(depot), as, size), group_of(depot),
				   vol->name, size, error);
	return lvm_run_for(lvm_argv_lvcreate(group_of(depot), as, size, pool), group_of(depot),
			   vol->name, pool ? 0 : size, error);
}

static bool check_new(const struct storage_vol *vol, const GPtrArray *volumes, bool copied,
		      GError **error)
{
	const char *format = vol->target.format.type;

	if (lvm_find(volumes, vol->name))
		return error_set(error, SOCLE_ERROR_EXISTS,
				 "storage vol '%s' already exists; give the new one another name",
				 vol->name);
	if (vol->name[0] == '-')
		return error_set(
			error, SOCLE_ERROR_USAGE,
			"a logical volume's name does not begin with '-'; give '%s' another "
			"one",
			vol->name);
	if (copied && !g_strcmp0(format, thin_pool_format))
		return error_set(error, SOCLE_ERROR_USAGE,
				 "thin pool '%s' cannot be a copy; make it, then volumes in it",
				 vol->name);
	return true;
}

static bool create(const struct depot *depot, const struct vol_create *what, const char *as,
		   const struct storage_vol *source, int source_fd, struct vol_work *work,
		   GError **error)
{
	g_autofree char *path = depot_path(depot, as);
	const struct storage_vol *vol = what->vol;
	g_autoptr(GPtrArray) volumes = lvm_volumes(group_of(depot), error);
	uint64_t size = (uint64_t)vol->capacity.value;
	bool blank;

	if (!volumes || !check_new(vol, volumes, source != NULL, error))
		return false;
	if (vol->backing.path && !source)
		return create_snapshot(depot, vol, volumes, error);
	if (source)
		size = MAX(size, (uint64_t)source->capacity.value);
	if (!create_empty(depot, vol, as, size, volumes, &blank, error))
		return false;
	if (!source || vol_fill_device(path, blank, source, source_fd, work, error))
		return true;
	/* Nothing half stays. */
	(void)lvm_run(lvm_argv_lvremove(group_of(depot), as), NULL, NULL);
	return false;
}

static bool rename_volume(const struct depot *depot, const char *name, const char *new_name,
			  GError **error)
{
	return lvm_run(lvm_argv_lvrename(group_of(depot), name, new_name), NULL, error);
}

static bool remove_volume(const struct depot *depot, const char *name, bool all, GError **error)
{
	return lvm_remove(group_of(depot), name, all, error);
}

static bool restore(const struct depot *depot, const char *name, GError **error)
{
	return lvm_restore(group_of(depot), name, error);
}

static bool resize(const struct depot *depot, const char *name, uint64_t now, uint64_t wanted,
		   unsigned flags, struct vol_work *work, GError **error)
{
	g_autoptr(GPtrArray) volumes = lvm_volumes(group_of(depot), error);
	const struct lvm_volume *volume = volumes ? lvm_find(volumes, name) : NULL;

	(void)flags;
	(void)work;
	if (!volume)
		return volumes && not_found(depot, name, error);
	if (wanted == now)
		return true;
	if (volume->origin && !volume->pool)
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "snapshot '%s' is as large as '%s' was; it cannot be resized",
				 name, volume->origin);
	if (volume->kind == 'o' && volume->open && !volume->pool)
		return error_set(
			error, SOCLE_ERROR_BUSY,
			"volume '%s' has snapshots, and is in use: delete those, or stop the "
			"machine that has it",
			name);
	return lvm_run_for(lvm_argv_lvresize(group_of(depot), name, wanted, wanted < now),
			   group_of(depot), name, volume->pool || wanted < now ? 0 : wanted - now,
			   error);
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
	.rename = rename_volume,
	.remove = remove_volume,
	.resize = resize,
	.restore = restore,
};
