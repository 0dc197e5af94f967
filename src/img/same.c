/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * same.c - where do two chains of images differ?
 *
 * What both have from the same place of the same file is the same, and is not read. Where neither has
 * anything in front of an image that both stand on, not even that image's tables are looked at.
 */
#include <string.h>

#include "base/error.h"
#include "img/img.h"

/* Are these and all that is behind them the same files, read in the same way? */
static bool is_same_chain(const struct image *a, const struct image *b)
{
	while (a && b && a->ops == b->ops && block_file_is_same(a->file, b->file)) {
		a = a->backing;
		b = b->backing;
	}
	return !a && !b;
}

static void find_shared(struct img_same *same)
{
	for (const struct image *a = same->a; a; a = a->backing) {
		for (const struct image *b = same->b; b; b = b->backing) {
			if (!is_same_chain(a, b))
				continue;
			same->shared_a = a;
			same->shared_b = b;
			return;
		}
	}
}

void img_same_init(struct img_same *same, struct image *a, struct image *b)
{
	*same = (struct img_same){ .a = a, .b = b };
	find_shared(same);
}

void img_same_release(struct img_same *same)
{
	g_aligned_free(same->buf_a);
	g_aligned_free(same->buf_b);
}

/* Behind its end an image has zeroes; NULL has nothing else. */
static bool map_one(struct image *image, uint64_t off, uint64_t len, struct image_extent *ret,
		    GError **error)
{
	if (!image || off >= image->size) {
		*ret = (struct image_extent){ .len = len };
		return true;
	}
	if (!image_map_chain(image, off, MIN(len, image->size - off), ret, error))
		return false;
	if (ret->len)
		return true;
	return error_set(error, SOCLE_ERROR_CORRUPT, "image '%s' has an extent of no bytes",
			 image->path);
}

/* For how many bytes has @image, and what is in front of @base, nothing of its own? */
static bool map_nothing(struct image *image, const struct image *base, uint64_t off, uint64_t len,
			uint64_t *ret_len, GError **error)
{
	struct image_extent extent = { .len = len };

	*ret_len = 0;
	if (off >= image->size)
		return true;
	len = MIN(len, image->size - off);
	if (image != base && !image_map_above(image, base, off, len, &extent, error))
		return false;
	if (image == base || extent.kind == IMAGE_ABSENT)
		*ret_len = MIN(len, extent.len);
	return true;
}

/* Both read the same for so many bytes, as both read what they share. */
static bool map_shared(const struct img_same *same, uint64_t off, uint64_t len, uint64_t *ret_len,
		       GError **error)
{
	*ret_len = 0;
	if (!same->shared_a)
		return true;
	if (!map_nothing(same->a, same->shared_a, off, len, &len, error))
		return false;
	return !len || map_nothing(same->b, same->shared_b, off, len, ret_len, error);
}

static const struct image *behind(const struct image *image, unsigned depth)
{
	while (image && depth--)
		image = image->backing;
	return image;
}

static bool is_same_place(const struct img_same *same, const struct image_extent *a,
			  const struct image_extent *b)
{
	const struct image *x = behind(same->a, a->depth), *y = behind(same->b, b->depth);

	/* The same offset of the same image; how it is stored there does not matter. */
	return x && y && x->ops == y->ops && block_file_is_same(x->file, y->file);
}

static bool read_one(struct image *image, uint64_t off, uint8_t **buf, size_t len, GError **error)
{
	size_t there = image && off < image->size ? MIN(len, image->size - off) : 0;

	if (!*buf)
		*buf = g_aligned_alloc(1, IMG_PIECE, 4096);
	memset(*buf + there, 0, len - there);
	return !there || image_read(image, off, *buf, there, error);
}

/* Of the first sector that differs; @len if none does. */
static size_t first_difference(const uint8_t *a, const uint8_t *b, size_t len)
{
	size_t off = 0;

	if (!memcmp(a, b, len))
		return len;
	while (!memcmp(a + off, b + off, MIN(IMG_SECTOR, len - off)))
		off += IMG_SECTOR;
	return off;
}

static size_t first_data(const uint8_t *a, size_t len)
{
	size_t off = 0;

	if (img_is_zero(a, len))
		return len;
	while (img_is_zero(a + off, MIN(IMG_SECTOR, len - off)))
		off += IMG_SECTOR;
	return off;
}

bool img_same_piece(struct img_same *same, uint64_t off, uint64_t len, uint64_t *ret_len,
		    uint64_t *ret_differ, GError **error)
{
	struct image_extent a, b;
	bool data_a, data_b;
	size_t at;

	*ret_differ = UINT64_MAX;
	if (!map_shared(same, off, len, ret_len, error))
		return false;
	if (*ret_len)
		return true;
	if (!map_one(same->a, off, len, &a, error) || !map_one(same->b, off, a.len, &b, error))
		return false;
	data_a = a.kind == IMAGE_DATA;
	data_b = b.kind == IMAGE_DATA;
	len = b.len;
	*ret_len = len;
	if ((!data_a && !data_b) || (data_a && data_b && is_same_place(same, &a, &b)))
		return true;
	len = MIN(len, IMG_PIECE);
	*ret_len = len;
	if ((data_a && !read_one(same->a, off, &same->buf_a, len, error)) ||
	    (data_b && !read_one(same->b, off, &same->buf_b, len, error)))
		return false;
	if (data_a && data_b)
		at = first_difference(same->buf_a, same->buf_b, len);
	else
		at = first_data(data_a ? same->buf_a : same->buf_b, len);
	if (at < len)
		*ret_differ = off + at;
	return true;
}
