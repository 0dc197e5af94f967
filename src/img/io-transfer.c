/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * io-transfer.c - what socle-io does to images that image.h does not do by itself
 *
 * An image is written in sectors; here in bytes: a sector that is written in parts is read first.
 */
#include <string.h>

#include "base/error.h"
#include "img/img.h"
#include "img/io.h"

enum {
	MAX_CLUSTER = 2 << 20,
};

/* The part of [off, off + len) within the first sector, if it is not all of that. */
static size_t head_len(uint64_t off, uint64_t len)
{
	uint64_t within = off % IMG_SECTOR, rest = IMG_SECTOR - within;

	return within || len < IMG_SECTOR ? (size_t)MIN(rest, len) : 0;
}

/* @bytes NULL: zeroes. Within one sector. */
static bool write_part(struct image *image, uint64_t off, const uint8_t *bytes, size_t len,
		       GError **error)
{
	uint64_t start = off / IMG_SECTOR * IMG_SECTOR;
	size_t n = (size_t)MIN((uint64_t)IMG_SECTOR, image->size - start);
	uint8_t sector[IMG_SECTOR];

	if (!len)
		return true;
	if (!image_read(image, start, sector, n, error))
		return false;
	if (bytes)
		memcpy(sector + (off - start), bytes, len);
	else
		memset(sector + (off - start), 0, len);
	return image_write(image, start, sector, n, error);
}

bool io_write_bytes(struct image *image, uint64_t off, const uint8_t *bytes, size_t len,
		    GError **error)
{
	size_t head = head_len(off, len), tail = (len - head) % IMG_SECTOR;
	size_t middle = len - head - tail;

	return write_part(image, off, bytes, head, error) &&
	       (!middle || image_write(image, off + head, bytes + head, middle, error)) &&
	       write_part(image, off + head + middle, bytes + head + middle, tail, error);
}

bool io_write_zeroes(struct image *image, uint64_t off, uint64_t len, bool unmap, GError **error)
{
	size_t head = head_len(off, len), tail = (size_t)((len - head) % IMG_SECTOR);
	uint64_t middle = len - head - tail;

	return write_part(image, off, NULL, head, error) &&
	       (!middle || image_zero(image, off + head, middle, unmap, error)) &&
	       write_part(image, off + head + middle, NULL, tail, error);
}

static bool write_cluster(struct image *image, uint64_t off, const uint8_t *bytes, size_t len,
			  uint8_t *buf, GError **error)
{
	const uint32_t cluster = image->cluster_size;
	ssize_t packed;

	/* The last one may be shorter than a cluster; what is packed is not. */
	memcpy(buf, bytes, len);
	memset(buf + len, 0, cluster - len);
	packed = image->ops->pack(image, buf, buf + cluster);
	if (packed > 0)
		return image->ops->write_packed(image, off, buf + cluster, (size_t)packed, error);
	return image_write(image, off, bytes, len, error);
}

bool io_write_packed(struct image *image, uint64_t off, const uint8_t *bytes, size_t len,
		     GError **error)
{
	const uint32_t cluster = image->cluster_size;
	g_autofree uint8_t *buf = NULL;

	if (!image->ops->pack || !cluster || cluster > MAX_CLUSTER)
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "images of format '%s' cannot be compressed", image->ops->format);
	if (off % cluster || (len % cluster && off + len != image->size))
		return error_set(error, SOCLE_ERROR_USAGE,
				 "what is compressed are whole clusters, of %u bytes", cluster);
	buf = g_malloc(2 * (size_t)cluster);
	for (size_t done = 0; done < len; done += cluster) {
		if (!write_cluster(image, off + done, bytes + done,
				   MIN(len - done, (size_t)cluster), buf, error))
			return false;
	}
	return true;
}

/* The clusters that [off, off + len) touches. */
static void round_out(const struct image *image, uint64_t *off, uint64_t *len)
{
	uint64_t unit = MAX(image->cluster_size, (uint32_t)IMG_SECTOR);
	uint64_t end = *off + *len + unit - 1;

	*off = *off / unit * unit;
	*len = MIN(end / unit * unit, image->size) - *off;
}

bool io_copy_on_read(struct image *image, uint64_t off, uint64_t len, GError **error)
{
	g_autofree uint8_t *buf = g_malloc(MAX_CLUSTER);

	if (!len || !image->backing)
		return true;
	round_out(image, &off, &len);
	while (len) {
		struct image_extent extent;
		uint64_t n;

		if (!image_map(image, off, len, &extent, error))
			return false;
		n = MIN(extent.len, (uint64_t)MAX_CLUSTER);
		if (extent.kind == IMAGE_ABSENT) {
			if (!image_read(image, off, buf, (size_t)n, error))
				return false;
			if (!(img_is_zero(buf, (size_t)n)
				      ? image_zero(image, off, n, true, error)
				      : image_write(image, off, buf, (size_t)n, error)))
				return false;
		}
		off += n;
		len -= n;
	}
	return true;
}
