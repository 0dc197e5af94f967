/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * file-image.c - what is in an image, as the file of another one
 */
#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "block/image.h"

enum {
	SECTOR = 512,
};

struct inner_file {
	struct block_file base;
	struct image *image;
};

static struct image *image_of(struct block_file *base)
{
	return container_of(base, struct inner_file, base)->image;
}

/* The code of the system's error, if it is one. */
static int code_of(GError *error)
{
	const int code = error->domain == SYS_ERROR ? -error->code : -EIO;

	g_error_free(error);
	return code;
}

static ssize_t inner_read(struct block_file *base, uint64_t off, void *buf, size_t len)
{
	struct image *image = image_of(base);
	GError *error = NULL;

	if (off >= image->size)
		return 0;
	len = MIN(len, image->size - off);
	return image_read(image, off, buf, len, &error) ? (ssize_t)len : code_of(error);
}

/* Part of a sector; the last one of an image may be short. */
static int write_part(struct image *image, uint64_t off, const void *buf, size_t len)
{
	const uint64_t first = off & ~(uint64_t)(SECTOR - 1);
	const size_t whole = MIN((uint64_t)SECTOR, image->size - first);
	GError *error = NULL;
	uint8_t sector[SECTOR];

	if (!image_read(image, first, sector, whole, &error))
		return code_of(error);
	memcpy(sector + (off - first), buf, len);
	return image_write(image, first, sector, whole, &error) ? 0 : code_of(error);
}

static int inner_write(struct block_file *base, uint64_t off, const void *buf, size_t len)
{
	struct image *image = image_of(base);
	GError *error = NULL;
	int ret = 0;

	if (off > image->size || len > image->size - off)
		return -ENOSPC;
	for (size_t n; !ret && len; off += n, len -= n, buf = (const uint8_t *)buf + n) {
		const size_t in = off % SECTOR;

		n = in || len < SECTOR ? MIN(len, SECTOR - in) : len - len % SECTOR;
		if (n % SECTOR)
			ret = write_part(image, off, buf, n);
		else if (!image_write(image, off, buf, n, &error))
			ret = code_of(error);
	}
	return ret;
}

static int inner_sync(struct block_file *base)
{
	GError *error = NULL;

	return image_flush(image_of(base), &error) ? 0 : code_of(error);
}

static int64_t inner_size(struct block_file *base)
{
	return (int64_t)image_of(base)->size;
}

/* As that of a device, its size is not ours. */
static int inner_resize(struct block_file *base, uint64_t size)
{
	return size == image_of(base)->size ? 0 : -ENOTSUP;
}

static int inner_punch(struct block_file *base, uint64_t off, uint64_t len)
{
	struct image *image = image_of(base);
	GError *error = NULL;

	if ((off | len) % SECTOR)
		return -ENOTSUP;
	return image_zero(image, off, len, true, &error) ? 0 : code_of(error);
}

static int inner_extent(struct block_file *base, uint64_t off, uint64_t *ret_len, bool *ret_data)
{
	struct image *image = image_of(base);
	struct image_extent extent;
	GError *error = NULL;

	if (!image_map_chain(image, off, image->size - off, &extent, &error))
		return code_of(error);
	*ret_len = extent.len;
	*ret_data = extent.kind == IMAGE_DATA;
	return 0;
}

static int inner_allocate(struct block_file *base, uint64_t off, uint64_t len)
{
	(void)base;
	(void)off;
	(void)len;
	return -ENOTSUP;
}

static int64_t inner_allocated(struct block_file *base)
{
	return block_file_allocated(image_of(base)->file);
}

static void inner_close(struct block_file *base)
{
	struct inner_file *file = container_of(base, struct inner_file, base);

	image_close(file->image);
	g_free(file);
}

struct block_file *image_as_file(struct image *image)
{
	static const struct block_file_ops ops = {
		.read = inner_read,
		.write = inner_write,
		.sync = inner_sync,
		.size = inner_size,
		.resize = inner_resize,
		.punch = inner_punch,
		.extent = inner_extent,
		.allocate = inner_allocate,
		.allocated = inner_allocated,
		.close = inner_close,
	};
	struct inner_file *file = g_new0(struct inner_file, 1);

	file->base.ops = &ops;
	file->image = image;
	return &file->base;
}
