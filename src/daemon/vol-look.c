/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vol-look.c - what a volume is: its inode, and the first bytes of its header
 *
 * Headers are hostile, and nothing that they name is opened. One that makes no sense makes the volume raw:
 * it is there all the same. The work is bounded: some reads, at most a cluster each.
 */
#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "base/sys.h"
#include "block/image.h"
#include "block/qcow2/header.h"
#include "daemon/pools-int.h"

enum {
	ISO_MAGIC_OFF = 32769,
	SECTOR = 512,
};

static char *time_text(const struct statx_timestamp *t)
{
	return g_strdup_printf("%" PRId64 ".%09" PRIu32, (int64_t)MAX(t->tv_sec, 0), t->tv_nsec);
}

static void set_text(char **text, const char *value)
{
	g_free(*text);
	*text = g_strdup(value);
}

static void look_inode(struct storage_vol *vol, const struct statx *stx)
{
	struct storage_target *target = &vol->target;

	vol->type = S_ISBLK(stx->stx_mode) ? STORAGE_VOL_BLOCK : STORAGE_VOL_FILE;
	target->permissions.mode = number_of(stx->stx_mode & 07777);
	target->permissions.owner = number_of(stx->stx_uid);
	target->permissions.group = number_of(stx->stx_gid);
	target->timestamps.atime = time_text(&stx->stx_atime);
	target->timestamps.mtime = time_text(&stx->stx_mtime);
	target->timestamps.ctime = time_text(&stx->stx_ctime);
	if (stx->stx_mask & STATX_BTIME)
		target->timestamps.btime = time_text(&stx->stx_btime);
}

/* Of a device the size is where its end is. */
static bool look_size(struct storage_vol *vol, int fd, const struct statx *stx, GError **error)
{
	off_t size =
		vol->type == STORAGE_VOL_BLOCK ? sys_lseek(fd, 0, SEEK_END) : (off_t)stx->stx_size;
	int64_t taken = vol->type == STORAGE_VOL_BLOCK ? size : (int64_t)stx->stx_blocks * SECTOR;

	if (size < 0)
		return error_sys(error, (int)size, "cannot find out how large volume '%s' is",
				 vol->name);
	vol->capacity = vol->physical = number_of(size);
	vol->allocation = number_of(taken);
	return true;
}

/* @name that an image gives, as text that may stand in XML; NULL: it may not. */
static char *name_behind(const char *path, const char *name)
{
	g_autofree char *full = name ? image_resolve(path, name) : NULL;

	if (!full || !g_utf8_validate(full, -1, NULL) || full[0] != '/')
		return NULL;
	for (const char *p = full; *p; p++) {
		if (g_ascii_iscntrl(*p))
			return NULL;
	}
	return g_steal_pointer(&full);
}

static void look_backing(struct storage_vol *vol, const char *path, const char *file,
			 const char *format)
{
	vol->backing.path = name_behind(path, file);
	/* A name that nobody has is no format. */
	if (vol->backing.path && format && image_format_find(format, NULL))
		set_text(&vol->backing.format.type, format);
}

static bool look_qcow2(struct storage_vol *vol, const char *path, struct block_file *file)
{
	autoptr(qcow2_header) header = qcow2_header_read(path, file, NULL);
	struct storage_target *target = &vol->target;

	if (!header)
		return false;
	vol->capacity = number_of((int64_t)MIN(header->size, (uint64_t)INT64_MAX));
	target->cluster_size = number_of(INT64_C(1) << header->cluster_bits);
	set_text(&target->compat, header->version == 2 ? "0.10" : "1.1");
	target->features.set = header->version > 2;
	target->features.lazy_refcounts = header->compatible & QCOW2_LAZY_REFCOUNTS;
	target->features.extended_l2 = header->incompatible & QCOW2_EXTENDED_L2;
	look_backing(vol, path, header->backing_file, header->backing_format);
	return true;
}

static bool look_other(struct storage_vol *vol, const char *path, struct block_file *file,
		       const char *format)
{
	autoptr(image) image =
		image_open_file(path, file, format,
				IMAGE_CHECK | IMAGE_LOCKED | IMAGE_NO_LOCK | IMAGE_SHARED, NULL);

	if (!image)
		return false;
	vol->capacity = number_of((int64_t)MIN(image->size, (uint64_t)INT64_MAX));
	look_backing(vol, path, image->backing_file, image->backing_format);
	return true;
}

static bool is_iso(struct block_file *file)
{
	char magic[5];

	return block_file_read(file, ISO_MAGIC_OFF, magic, sizeof(magic)) >= 0 &&
	       !memcmp(magic, "CD001", sizeof(magic));
}

/* What libvirt's schema has no word for is told as raw. */
static bool has_word(const char *format)
{
	static const char *const words[] = { "qcow", "qcow2", "vmdk", "vpc", "vdi", "luks" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (!strcmp(words[i], format))
			return true;
	}
	return false;
}

static void look_format(struct storage_vol *vol, const char *path, int fd)
{
	autoptr(block_file) file =
		block_file_of_fd(fd, path, BLOCK_FILE_NO_LOCK | BLOCK_FILE_SHARED, NULL);
	const struct image_ops *ops = file ? image_probe(path, file, NULL) : NULL;
	const char *format = "raw";

	if (ops && !strcmp(ops->format, "qcow2")) {
		if (look_qcow2(vol, path, file))
			format = "qcow2";
	} else if (ops && has_word(ops->format)) {
		if (look_other(vol, path, g_steal_pointer(&file), ops->format))
			format = ops->format;
	} else if (file && is_iso(file)) {
		format = "iso";
	}
	set_text(&vol->target.format.type, format);
}

struct storage_vol *vol_look_raw(int fd, const char *name, GError **error)
{
	autoptr(storage_vol) vol = g_new0(struct storage_vol, 1);
	struct statx stx;
	int ret = sys_statx(fd, STATX_BASIC_STATS | STATX_BTIME, &stx);

	vol->name = g_strdup(name);
	if (ret < 0) {
		error_sys(error, ret, "cannot look at volume '%s'", name);
		return NULL;
	}
	look_inode(vol, &stx);
	if (!look_size(vol, fd, &stx, error))
		return NULL;
	set_text(&vol->target.format.type, "raw");
	return g_steal_pointer(&vol);
}

struct storage_vol *vol_look(int fd, const char *name, const char *path, GError **error)
{
	struct storage_vol *vol = vol_look_raw(fd, name, error);

	if (vol)
		look_format(vol, path, fd);
	return vol;
}
