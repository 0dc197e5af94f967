/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * image-raw.c - raw images, call by call
 *
 * The image is as long as its file, rounded up to sectors as QEMU does it: what the last sector
 * lacks reads as zero.
 */
#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "base/sys.h"
#include "block/image.h"

static bool failed(const struct image *image, int ret, const char *what, GError **error)
{
	return ret < 0 ? error_sys(error, ret, "cannot %s image '%s'", what, image->path) : true;
}

static struct image *raw_open(const char *path, struct block_file *file, unsigned flags,
			      GError **error)
{
	int64_t size = block_file_size(file);
	struct image *image;

	(void)flags;
	if (size < 0) {
		error_sys(error, (int)size, "cannot find out the size of image '%s'", path);
		return NULL;
	}
	image = g_new0(struct image, 1);
	image->size = ((uint64_t)size + 511) & ~(uint64_t)511;
	return image;
}

static void raw_close(struct image *image)
{
	g_free(image);
}

static bool raw_create(struct block_file *file, const struct image_create *what, GError **error)
{
	static const char *const names[] = { "off", "falloc", "full", NULL };
	const char *preallocation = image_create_option(what, "preallocation", "off");
	int ret;

	if (!g_strv_contains(names, preallocation))
		return error_set(error, SOCLE_ERROR_USAGE,
				 "preallocation of a raw image is off, falloc or full, not '%s'",
				 preallocation);
	ret = block_file_resize(file, what->size);
	if (!ret && !strcmp(preallocation, "falloc"))
		ret = block_file_allocate(file, 0, what->size);
	else if (!ret && !strcmp(preallocation, "full"))
		ret = block_file_write_zeroes(file, 0, what->size);
	return ret < 0 ? error_sys(error, ret, "cannot create image '%s'", what->path) : true;
}

static bool raw_read(struct image *image, uint64_t off, void *buf, size_t len, GError **error)
{
	return failed(image, block_file_read(image->file, off, buf, len), "read", error);
}

static bool raw_write(struct image *image, uint64_t off, const void *buf, size_t len,
		      GError **error)
{
	return failed(image, block_file_write(image->file, off, buf, len), "write", error);
}

static bool raw_zero(struct image *image, uint64_t off, uint64_t len, bool unmap, GError **error)
{
	int ret = unmap ? block_file_zero(image->file, off, len)
			: block_file_write_zeroes(image->file, off, len);

	return failed(image, ret, "write", error);
}

static bool raw_discard(struct image *image, uint64_t off, uint64_t len, GError **error)
{
	return failed(image, block_file_punch(image->file, off, len), "discard parts of", error);
}

static bool raw_flush(struct image *image, GError **error)
{
	return failed(image, block_file_sync(image->file), "flush", error);
}

static bool raw_map(struct image *image, uint64_t off, uint64_t len,
		    struct image_extent *ret_extent, GError **error)
{
	int64_t size = block_file_size(image->file);
	bool data = false;
	int ret = size < 0 ? (int)size : 0;

	ret_extent->len = len;
	if (!ret && off < (uint64_t)size)
		ret = block_file_extent(image->file, off, &ret_extent->len, &data);
	ret_extent->kind = data ? IMAGE_DATA : IMAGE_ZERO;
	ret_extent->has_host_off = true;
	ret_extent->host_off = off;
	return failed(image, ret, "look for holes in", error);
}

static bool raw_resize(struct image *image, uint64_t size, GError **error)
{
	if (!failed(image, block_file_resize(image->file, size), "resize", error))
		return false;
	image->size = size;
	return true;
}

static const struct image_option raw_options[] = {
	{ "preallocation", "off|falloc|full", "whether space is allocated, or zeroes written" },
	{ NULL, NULL, NULL },
};

const struct image_ops image_raw_ops = {
	.format = "raw",
	.create_options = raw_options,
	.open = raw_open,
	.create = raw_create,
	.close = raw_close,
	.read = raw_read,
	.write = raw_write,
	.zero = raw_zero,
	.discard = raw_discard,
	.flush = raw_flush,
	.map = raw_map,
	.resize = raw_resize,
};
