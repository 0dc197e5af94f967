/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vol-file.c - volumes that are files: made, copied, resized, wiped, removed
 *
 * A new one is made as a part (depot-dir.c), so that its name stands for something complete or nothing.
 * What a machine has open is locked by it, and refused here.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/sys.h"
#include "block/image.h"
#include "block/qcow2/header.h"
#include "daemon/pools-int.h"

enum {
	NEW_MODE = 0600,
	WIPE_BUFFER = 1 << 20,
};

static const uint64_t allocate_step = UINT64_C(256) << 20;

/* == Who has it == */

struct block_file *vol_hold(int fd, const char *path, bool write, GError **error)
{
	return block_file_of_fd(fd, path, write ? BLOCK_FILE_WRITE : 0, error);
}

/* == New ones == */

/* What block calls it; NULL with @error. */
static const struct image_ops *format_of(const struct storage_vol *vol, GError **error)
{
	const char *name = vol->target.format.type ? vol->target.format.type : "raw";

	return image_format_find(!strcmp(name, "iso") ? "raw" : name, error);
}

static bool allocate(int fd, uint64_t from, uint64_t to, struct vol_work *work, GError **error)
{
	while (from < to) {
		uint64_t len = MIN(to - from, allocate_step);
		int ret = sys_fallocate(fd, 0, (off_t)from, (off_t)len);

		if (!work_is_wanted(work, error))
			return false;
		/* Where space cannot be promised it is not. */
		if (ret == -EOPNOTSUPP)
			return true;
		if (ret < 0)
			return error_sys(error, ret, "cannot allocate space for the volume");
		from += len;
		if (work)
			atomic_fetch_add(&work->done, len);
	}
	return true;
}

static bool make_raw(const struct part *part, const struct storage_vol *vol, uint64_t size,
		     struct vol_work *work, GError **error)
{
	uint64_t taken = vol->allocation.set ? (uint64_t)vol->allocation.value : size;
	int ret = sys_ftruncate(part->fd, (off_t)size);

	if (ret < 0)
		return error_sys(error, ret, "cannot make a volume of %" PRIu64 " bytes", size);
	return allocate(part->fd, 0, MIN(taken, size), work, error);
}

/* Bytes of what stands behind, which is opened to see that it is what it is said to be. */
static bool size_behind(const struct storage_vol *vol, uint64_t *ret_size, GError **error)
{
	const char *format = vol->backing.format.type ? vol->backing.format.type : "raw";
	autoptr(image) image = image_open(vol->backing.path, format,
					  IMAGE_SHARED | IMAGE_NO_LOCK | IMAGE_LOCKED, error);

	if (!image)
		return false;
	*ret_size = image->size;
	return true;
}

static GHashTable *qcow2_options(const struct storage_vol *vol, unsigned flags)
{
	GHashTable *options = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	const struct storage_target *target = &vol->target;

#define PUT(name, value) g_hash_table_insert(options, g_strdup(name), (value))
	if (target->compat)
		PUT("compat", g_strdup(target->compat));
	if (target->cluster_size.set)
		PUT("cluster_size", g_strdup_printf("%" PRId64, target->cluster_size.value));
	if (target->features.lazy_refcounts)
		PUT("lazy_refcounts", g_strdup("on"));
	if (target->features.extended_l2)
		PUT("extended_l2", g_strdup("on"));
	if (flags & VOL_CREATE_PREALLOC_METADATA)
		PUT("preallocation", g_strdup("metadata"));
#undef PUT
	return options;
}

/* An empty image in the part. */
static bool make_image(const struct part *part, const struct image_ops *ops,
		       const struct storage_vol *vol, uint64_t size, unsigned flags, GError **error)
{
	g_autoptr(GHashTable) options =
		strcmp(ops->format, "qcow2") ? NULL : qcow2_options(vol, flags);
	struct image_create what = {
		.path = vol->name,
		.size = (size + 511) / 512 * 512,
		.backing_file = vol->backing.path,
		.backing_format =
			vol->backing.path
				? (vol->backing.format.type ? vol->backing.format.type : "raw")
				: NULL,
		.options = options,
		.nocow = vol->target.nocow,
	};
	autoptr(block_file) file = block_file_of_fd(part->fd, vol->name, BLOCK_FILE_WRITE, error);

	if (!file)
		return false;
	if (!ops->create)
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "volumes of format '%s' cannot be created; use qcow2 or raw",
				 ops->format);
	block_file_hint(file, 0, vol->target.nocow);
	return ops->create(file, &what, error);
}

static bool is_raw(const struct image_ops *ops)
{
	return ops == &image_raw_ops;
}

static bool make_empty(const struct part *part, const struct storage_vol *vol, unsigned flags,
		       struct vol_work *work, GError **error)
{
	const struct image_ops *ops = format_of(vol, error);
	uint64_t size = (uint64_t)vol->capacity.value, behind = 0;

	if (!ops)
		return false;
	if (vol->backing.path && !size_behind(vol, &behind, error))
		return false;
	if (vol->backing.path && is_raw(ops))
		return error_set(error, SOCLE_ERROR_USAGE,
				 "a raw volume has nothing behind it; make '%s' qcow2, or leave "
				 "<backingStore> out",
				 vol->name);
	if (!vol->capacity.set || !size)
		size = behind;
	if (size > (uint64_t)INT64_MAX / 2)
		return error_set(error, SOCLE_ERROR_LIMIT, "the volume '%s' would be too large",
				 vol->name);
	return is_raw(ops) ? make_raw(part, vol, size, work, error)
			   : make_image(part, ops, vol, size, flags, error);
}

/* Room for bytes that will come: an image's are all its own, from the first on. */
static bool make_room(const struct part *part, const struct storage_vol *vol, struct vol_work *work,
		      GError **error)
{
	const struct image_ops *ops = format_of(vol, error);

	if (!ops)
		return false;
	if (vol->backing.path)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "what is behind the volume '%s' stands in the bytes that are to "
				 "come; leave <backingStore> out",
				 vol->name);
	return !is_raw(ops) || make_raw(part, vol, (uint64_t)vol->capacity.value, work, error);
}

/* == Copies == */

struct copy_source {
	int fd;
	struct block_file *held; /* nobody writes to it meanwhile */
	char *path;
	struct storage_vol *vol;
};

static void source_release(struct copy_source *from)
{
	block_file_close(from->held);
	fd_autoclose(&from->fd);
	g_free(from->path);
	storage_vol_free(from->vol);
}

static bool source_init(struct copy_source *from, const struct depot *depot, const char *name,
			bool raw, GError **error)
{
	*from = (struct copy_source){ .fd = depot->kind->open(depot, name, O_RDONLY, error),
				      .path = depot_path(depot, name) };
	from->held = from->fd < 0 ? NULL : vol_hold(from->fd, from->path, false, error);
	if (!from->held)
		return false;
	from->vol = vol_look(from->fd, name, from->path, error);
	if (from->vol && raw)
		storage_vol_take_raw(from->vol);
	return from->vol != NULL;
}

/* Is what is there byte for byte what is wanted? */
static bool is_alike(const struct copy_source *from, const struct storage_vol *vol,
		     const struct image_ops *ops)
{
	const struct storage_target *has = &from->vol->target, *wants = &vol->target;
	const struct image_ops *its = format_of(from->vol, NULL);

	if (its != ops || from->vol->backing.path || vol->backing.path)
		return false;
	if (is_raw(ops))
		return true;
	/* Others may need the end of their file to be where it is, and so on. */
	if (strcmp(ops->format, "qcow2") != 0)
		return false;
	return (!wants->compat || !g_strcmp0(wants->compat, has->compat)) &&
	       (!wants->cluster_size.set || wants->cluster_size.value == has->cluster_size.value) &&
	       (!wants->features.lazy_refcounts || has->features.lazy_refcounts) &&
	       (!wants->features.extended_l2 || has->features.extended_l2);
}

/* Guest data that lies in another file does not come along. */
static bool is_whole(const struct copy_source *from, const struct image_ops *ops, GError **error)
{
	autoptr(block_file) file = NULL;
	autoptr(qcow2_header) header = NULL;

	if (is_raw(ops))
		return true;
	file = block_file_of_fd(from->fd, from->path, BLOCK_FILE_NO_LOCK | BLOCK_FILE_SHARED,
				error);
	header = file ? qcow2_header_read(from->path, file, error) : NULL;
	if (!header)
		return false;
	if (header->incompatible & QCOW2_DATA_FILE || header->crypt != QCOW2_CRYPT_NONE)
		return error_set(
			error, SOCLE_ERROR_UNSUPPORTED,
			"volume '%s' is encrypted or has its data in another file; copy it "
			"with socle-img convert",
			from->vol->name);
	return true;
}

static bool grow_image(const struct part *part, const struct image_ops *ops, uint64_t size,
		       GError **error)
{
	struct block_file *file = block_file_of_fd(part->fd, part->name, BLOCK_FILE_WRITE, error);
	autoptr(image) image =
		file ? image_open_file(part->name, file, ops->format, IMAGE_WRITE, error) : NULL;

	return image && image_resize(image, size, error) && image_flush(image, error);
}

static bool copy_bytes(const struct part *part, const struct copy_source *from,
		       const struct storage_vol *vol, const struct image_ops *ops, unsigned flags,
		       struct vol_work *work, GError **error)
{
	uint64_t len = (uint64_t)from->vol->physical.value;
	uint64_t size = (uint64_t)MAX(vol->capacity.value, from->vol->capacity.value);
	int shared = sys_ioctl_int(part->fd, FICLONE, (unsigned long)from->fd), ret;

	if (shared < 0 && flags & VOL_CREATE_REFLINK)
		return error_sys(error, shared,
				 "the file system cannot share blocks between volumes; leave "
				 "--reflink out");
	ret = sys_ftruncate(part->fd, (off_t)(is_raw(ops) ? MAX(len, size) : len));
	if (ret < 0)
		return error_sys(error, ret, "cannot make a volume of %" PRIu64 " bytes", size);
	if (shared < 0 && !vol_copy_data(from->fd, part->fd, 0, len, !part->no_sync, work, error))
		return false;
	return is_raw(ops) || size == (uint64_t)from->vol->capacity.value ||
	       grow_image(part, ops, size, error);
}

/* Every file that was opened lies in the folder of an active pool, whatever the images have named. */
static bool is_chain_ours(const struct depot *depot, const struct image *front, GError **error)
{
	for (const struct image *image = front->backing; image; image = image->backing) {
		g_autofree char *link =
			g_strdup_printf("/proc/self/fd/%d", block_file_fd(image->file));
		g_autofree char *path = g_file_read_link(link, NULL);
		g_autofree char *folder = path ? g_path_get_dirname(path) : g_strdup("");
		bool ours = false;

		for (char **known = depot->folders; *known && !ours; known++) {
			g_autofree char *real = realpath(*known, NULL);

			ours = real && !strcmp(real, folder);
		}
		if (!ours)
			return error_set(error, SOCLE_ERROR_DENIED,
					 "image '%s' names '%s' behind it, which is in no storage "
					 "pool; define a pool for that folder to allow it",
					 front->path, path ? path : image->path);
	}
	return true;
}

static bool convert(const struct depot *depot, const struct part *part,
		    const struct copy_source *from, const struct storage_vol *vol,
		    const struct image_ops *ops, struct vol_work *work, GError **error)
{
	const struct image_ops *its = format_of(from->vol, error);
	struct block_file *file = its ? block_file_of_fd(from->fd, from->path, 0, error) : NULL;
	autoptr(image) source =
		file ? image_open_file(from->path, file, its->format, IMAGE_BACKING, error) : NULL;
	autoptr(image) target = NULL;
	uint64_t size;

	if (!source || !is_chain_ours(depot, source, error))
		return false;
	size = MAX((uint64_t)vol->capacity.value, source->size);
	if (is_raw(ops)) {
		int ret = sys_ftruncate(part->fd, (off_t)size);

		if (ret < 0)
			return error_sys(error, ret, "cannot make a volume of %" PRIu64 " bytes",
					 size);
	} else if (!make_image(part, ops, vol, size, 0, error)) {
		return false;
	}
	file = block_file_of_fd(part->fd, vol->name, BLOCK_FILE_WRITE, error);
	target =
		file ? image_open_file(vol->name, file, ops->format,
				       IMAGE_WRITE | (vol->backing.path ? IMAGE_BACKING : 0), error)
		     : NULL;
	return target && vol_convert(source, target, true, work, error);
}

static bool make_copy(const struct depot *depot, const struct part *part,
		      const struct vol_create *what, const struct depot *source,
		      struct vol_work *work, GError **error)
{
	const struct image_ops *ops = format_of(what->vol, error);
	struct copy_source from = { .fd = -1 };
	bool ok = ops && source_init(&from, source, what->source_name, what->source_raw, error);

	if (ok && is_alike(&from, what->vol, ops))
		ok = is_whole(&from, ops, error) &&
		     copy_bytes(part, &from, what->vol, ops, what->flags, work, error);
	else if (ok)
		ok = convert(depot, part, &from, what->vol, ops, work, error);
	source_release(&from);
	return ok;
}

static bool protect(const struct depot *depot, const struct part *part,
		    const struct storage_permissions *wanted, GError **error)
{
	g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", part->fd);
	uid_t uid = depot->uid ? depot->uid : (uid_t)-1;
	gid_t gid = depot->gid ? depot->gid : (gid_t)-1;
	int ret;

	if (wanted->owner.set && wanted->owner.value >= 0)
		uid = (uid_t)wanted->owner.value;
	if (wanted->group.set && wanted->group.value >= 0)
		gid = (gid_t)wanted->group.value;
	ret = uid == (uid_t)-1 && gid == (gid_t)-1 ? 0 : sys_chown(path, uid, gid);
	if (ret < 0 && (wanted->owner.set || wanted->group.set))
		return error_sys(error, ret, "cannot give the volume to user %d and group %d",
				 (int)uid, (int)gid);
	ret = sys_chmod(path, wanted->mode.set ? (mode_t)wanted->mode.value : NEW_MODE);
	return ret >= 0 || error_sys(error, ret, "cannot set the volume's mode");
}

/* A part of what it is to be, which has all but its name. */
static bool begin(const struct depot *depot, const struct vol_create *what,
		  const struct depot *source, struct vol_work *work, int dir, struct part *part,
		  GError **error)
{
	struct stat st;
	bool ok;

	if (sys_stat_at(dir, what->vol->name, &st) >= 0)
		return error_set(error, SOCLE_ERROR_EXISTS,
				 "storage vol '%s' already exists; give the new one another name",
				 what->vol->name);
	if (!part_init(part, dir, error))
		return false;
	part->no_sync = what->no_sync;
	if (what->ret_io)
		ok = make_room(part, what->vol, work, error);
	else if (source)
		ok = make_copy(depot, part, what, source, work, error);
	else
		ok = make_empty(part, what->vol, what->flags, work, error);
	if (ok && protect(depot, part, &what->vol->target.permissions, error) &&
	    work_is_wanted(work, error))
		return true;
	part_release(part);
	return false;
}

bool vol_file_create(const struct depot *depot, const struct vol_create *what,
		     const struct depot *source, struct vol_work *work, GError **error)
{
	autofd int dir = folder_open(depot, error);
	struct part part;
	bool ok;

	if (dir < 0 || !begin(depot, what, source, work, dir, &part, error))
		return false;
	ok = part_finish(&part, what->vol->name, false, error);
	part_release(&part);
	return ok;
}

int vol_file_begin(const struct depot *depot, const struct vol_create *what, struct vol_work *work,
		   struct part *ret_part, GError **error)
{
	autofd int dir = folder_open(depot, error);

	return dir >= 0 && begin(depot, what, NULL, work, dir, ret_part, error) ? fd_steal(&dir)
										: -1;
}

/* == Those that are there == */

/* A volume open for writing, which nobody else has until @ret_held is closed; or -1. */
static int open_free(const struct depot *depot, const char *name, struct block_file **ret_held,
		     GError **error)
{
	g_autofree char *path = depot_path(depot, name);
	autofd int fd = depot->kind->open(depot, name, O_RDWR, error);

	*ret_held = fd < 0 ? NULL : vol_hold(fd, path, true, error);
	return *ret_held ? fd_steal(&fd) : -1;
}

bool vol_file_remove(const struct depot *depot, const char *name, bool all, GError **error)
{
	autofd int dir = folder_open(depot, error);
	autofd int fd = dir < 0 ? -1 : depot->kind->open(depot, name, O_RDONLY, error);
	g_autofree char *path = depot_path(depot, name);
	autoptr(block_file) held = NULL;
	g_autoptr(GError) busy = NULL;
	int ret;

	(void)all;
	if (fd < 0)
		return false;
	held = vol_hold(fd, path, true, &busy);
	if (!held && !g_error_matches(busy, SYS_ERROR, EACCES)) {
		g_propagate_error(error, g_steal_pointer(&busy));
		return false;
	}
	ret = sys_unlink_at(dir, name);
	return ret >= 0 || error_sys(error, ret, "cannot remove volume '%s'", name);
}

/* What cannot be allocated is not promised: then it is as large as it was. */
static bool resize_raw(int fd, const struct storage_vol *vol, uint64_t wanted, bool takes_room,
		       struct vol_work *work, GError **error)
{
	int ret = sys_ftruncate(fd, (off_t)wanted);

	if (ret < 0)
		return error_sys(error, ret, "cannot resize volume '%s'", vol->name);
	if (!takes_room || allocate(fd, 0, wanted, work, error))
		return true;
	if ((uint64_t)vol->physical.value < wanted)
		(void)sys_ftruncate(fd, (off_t)vol->physical.value);
	return false;
}

bool vol_file_resize(const struct depot *depot, const char *name, uint64_t wanted, unsigned flags,
		     struct vol_work *work, GError **error)
{
	g_autofree char *path = depot_path(depot, name);
	autoptr(block_file) held = NULL;
	autofd int fd = open_free(depot, name, &held, error);
	autoptr(storage_vol) vol = fd < 0 ? NULL : vol_look(fd, name, path, error);
	const struct image_ops *ops;
	struct block_file *file;
	autoptr(image) image = NULL;

	if (vol && flags & VOL_RESIZE_RAW)
		storage_vol_take_raw(vol);
	ops = vol ? format_of(vol, error) : NULL;
	if (!ops)
		return false;
	if (is_raw(ops))
		return resize_raw(fd, vol, wanted, flags & VOL_RESIZE_ALLOCATE, work, error);
	/* The image has a hold of its own. */
	g_clear_pointer(&held, block_file_close);
	file = block_file_of_fd(fd, path, BLOCK_FILE_WRITE, error);
	image = file ? image_open_file(path, file, ops->format, IMAGE_WRITE, error) : NULL;
	return image && image_resize(image, (wanted + 511) / 512 * 512, error) &&
	       image_flush(image, error);
}

/* == Wiping: what was ever written lies where there is data now == */

static bool wipe_range(int fd, uint64_t off, uint64_t end, enum vol_wipe how, uint8_t *buffer,
		       struct vol_work *work, GError **error)
{
	int ret;

	if (how == VOL_WIPE_TRIM) {
		ret = sys_fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)off,
				    (off_t)(end - off));
		return ret >= 0 || error_sys(error, ret, "cannot trim the volume; wipe it by zero");
	}
	while (off < end) {
		size_t len = (size_t)MIN(end - off, (uint64_t)WIPE_BUFFER);
		ssize_t n;

		if (!work_is_wanted(work, error))
			return false;
		ret = how == VOL_WIPE_RANDOM ? sys_random(buffer, len) : 0;
		n = ret < 0 ? ret : sys_pwrite(fd, buffer, len, (off_t)off);
		if (n <= 0)
			return error_sys(error, n ? (int)n : -ENOSPC, "cannot wipe the volume");
		off += (uint64_t)n;
		if (work)
			atomic_fetch_add(&work->done, (uint64_t)n);
	}
	return true;
}

bool vol_wipe_bytes(const struct depot *depot, const char *name, enum vol_wipe how,
		    struct vol_work *work, GError **error)
{
	autoptr(block_file) held = NULL;
	autofd int fd = open_free(depot, name, &held, error);
	g_autofree uint8_t *buffer = g_malloc0(WIPE_BUFFER);
	off_t end = fd < 0 ? -1 : sys_lseek(fd, 0, SEEK_END), off = 0;
	int ret;

	if (fd < 0)
		return false;
	while (off < end) {
		off_t data = sys_lseek(fd, off, SEEK_DATA), hole;

		if (data == -ENXIO)
			break;
		data = data < 0 ? off : data;
		hole = sys_lseek(fd, data, SEEK_HOLE);
		off = hole > data ? MIN(hole, end) : end;
		if (!wipe_range(fd, (uint64_t)data, (uint64_t)off, how, buffer, work, error))
			return false;
	}
	ret = sys_fdatasync(fd);
	return ret >= 0 || error_sys(error, ret, "cannot wipe volume '%s'", name);
}
