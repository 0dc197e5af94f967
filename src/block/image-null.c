/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * image-null.c - an image that is nowhere: it reads as zero, and what is written to it is lost
 */
#include <string.h>

#include "block/image.h"

struct null_image {
	struct image base;
	bool zeroes; /* and says so */
};

static const struct image_ops null_ops;

struct image *image_null_new(uint64_t size, bool zeroes, unsigned flags)
{
	struct null_image *null = g_new0(struct null_image, 1);

	null->base = (struct image){
		.size = size,
		.ops = &null_ops,
		.path = g_strdup("null-co://"),
		.flags = flags,
		.file = block_file_scratch(0),
	};
	null->zeroes = zeroes;
	return &null->base;
}

static void null_close(struct image *image)
{
	g_free(container_of(image, struct null_image, base));
}

static bool null_read(struct image *image, uint64_t off, void *buf, size_t len, GError **error)
{
	(void)image;
	(void)off;
	(void)error;
	memset(buf, 0, len);
	return true;
}

static bool null_write(struct image *image, uint64_t off, const void *buf, size_t len,
		       GError **error)
{
	(void)image;
	(void)off;
	(void)buf;
	(void)len;
	(void)error;
	return true;
}

static bool null_zero(struct image *image, uint64_t off, uint64_t len, bool unmap, GError **error)
{
	(void)image;
	(void)off;
	(void)len;
	(void)unmap;
	(void)error;
	return true;
}

static bool null_map(struct image *image, uint64_t off, uint64_t len,
		     struct image_extent *ret_extent, GError **error)
{
	const struct null_image *null = container_of(image, struct null_image, base);

	(void)off;
	(void)error;
	ret_extent->len = len;
	ret_extent->kind = null->zeroes ? IMAGE_ZERO : IMAGE_DATA;
	return true;
}

static const struct image_ops null_ops = {
	.format = "null-co",
	.close = null_close,
	.read = null_read,
	.write = null_write,
	.zero = null_zero,
	.map = null_map,
};
