/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bitmap-merge.c - what one dirty bitmap of a qcow2 image says is added to another
 *
 * Both are in memory meanwhile, as they are in the image: bits, the lowest of a byte first. The table
 * and the bits of the one that changes are written anew, as with all other changes.
 */
#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "block/qcow2/bitmap-int.h"

#define MAX_BITS (UINT64_C(1) << 30) /* 128 MiB of them */

struct bits {
	uint64_t image_size; /* bytes */
	unsigned granularity;
	uint64_t count;
	uint8_t *bytes;
};

static void bits_release(struct bits *bits)
{
	g_clear_pointer(&bits->bytes, g_free);
}

static uint64_t bits_len(const struct bits *bits)
{
	return bits->count / 8 + !!(bits->count % 8);
}

static bool bits_init(struct bits *bits, const struct qcow2 *q, const struct qcow2_bitmap_entry *e,
		      GError **error)
{
	const uint64_t size = q->base.size;

	if (e->granularity < 9 || e->granularity > 31 || e->flags & QCOW2_BITMAP_IN_USE)
		return error_set(error, SOCLE_ERROR_STATE,
				 "bitmap '%s' of image '%s' was not saved by who used it, and says "
				 "nothing; remove it",
				 e->name, q->name);
	*bits = (struct bits){ .image_size = size, .granularity = e->granularity };
	bits->count = (size >> e->granularity) + !!(size & ((UINT64_C(1) << e->granularity) - 1));
	if (bits->count <= MAX_BITS)
		bits->bytes = g_try_malloc0(bits_len(bits) + 1);
	return bits->bytes || error_set(error, SOCLE_ERROR_LIMIT,
					"bitmap '%s' of image '%s' is too large to be merged; one "
					"with a larger granularity is smaller",
					e->name, q->name);
}

/* The cluster of bits that begins with byte @at of them. */
static bool read_part(struct qcow2 *q, const struct qcow2_bitmap_entry *e, struct bits *bits,
		      uint64_t at, GError **error)
{
	const uint64_t size = qcow2_cluster_size(q), index = at >> q->cluster_bits;
	const size_t len = (size_t)MIN(size, bits_len(bits) - at);
	uint8_t entry[8];
	uint64_t off;

	if (index >= e->table_size)
		return qcow2_bad(q, error, "has bitmap '%s' with too short a table", e->name);
	if (!qcow2_file_read(q, e->table_off + index * 8, entry, 8, "table of a bitmap", error))
		return false;
	off = get_be64(entry) & QCOW2_BITMAP_OFFSET;
	if (off & (size - 1))
		return qcow2_bad(q, error, "has bits of bitmap '%s' where none can be", e->name);
	if (off)
		return qcow2_file_read(q, off, bits->bytes + at, len, "bits of a bitmap", error);
	memset(bits->bytes + at, entry[7] & 1 ? 0xff : 0, len);
	return true;
}

static bool read_bits(struct qcow2 *q, const struct qcow2_bitmap_entry *e, struct bits *bits,
		      GError **error)
{
	if (!bits_init(bits, q, e, error))
		return false;
	for (uint64_t at = 0; at < bits_len(bits); at += qcow2_cluster_size(q)) {
		if (!read_part(q, e, bits, at, error))
			return false;
	}
	/* What the last byte has behind the end says nothing. */
	if (bits->count % 8)
		bits->bytes[bits->count / 8] &= (uint8_t)((1u << bits->count % 8) - 1);
	return true;
}

static void set_range(struct bits *bits, uint64_t off, uint64_t len)
{
	const uint64_t last = MIN((off + len - 1) >> bits->granularity, bits->count - 1);

	for (uint64_t i = off >> bits->granularity; i <= last; i++)
		bits->bytes[i / 8] |= (uint8_t)(1u << i % 8);
}

static void add_bits(struct bits *into, const struct bits *from)
{
	for (uint64_t i = 0; i < from->count; i++) {
		if (from->bytes[i / 8] >> i % 8 & 1)
			set_range(into, i << from->granularity, UINT64_C(1) << from->granularity);
	}
}

static bool is_zero(const uint8_t *bytes, size_t len)
{
	return !len || (!bytes[0] && !memcmp(bytes, bytes + 1, len - 1));
}

/* A new table, and bits where there are any; all of it is free again if that fails. */
static bool write_bits(struct qcow2 *q, const struct bits *bits, struct qcow2_bitmap_entry *e,
		       GError **error)
{
	const uint64_t size = qcow2_cluster_size(q), len = bits_len(bits);
	const uint32_t entries = (uint32_t)qcow2_clusters(q, len);
	const uint64_t clusters = qcow2_clusters(q, (uint64_t)entries * 8);
	g_autofree uint64_t *table = g_new0(uint64_t, entries + 1);
	g_autofree uint8_t *cluster = g_malloc0(size);
	uint64_t at = 0, host = 0;
	bool ok = true;

	for (uint32_t i = 0; ok && i < entries; i++) {
		const size_t n = (size_t)MIN(size, len - i * size);

		if (is_zero(bits->bytes + i * size, n))
			continue;
		memset(cluster, 0, size);
		memcpy(cluster, bits->bytes + i * size, n);
		ok = qcow2_alloc_all(q, 1, &host, error);
		if (ok)
			table[i] = host << q->cluster_bits;
		ok = ok && qcow2_file_write(q, table[i], cluster, size, "bits of a bitmap", error);
	}
	ok = ok && (!clusters || qcow2_alloc_all(q, clusters, &at, error));
	if (ok && qcow2_table_write_all(q, at << q->cluster_bits, table, entries,
					"table of a bitmap", error)) {
		e->table_off = at << q->cluster_bits;
		e->table_size = entries;
		return true;
	}
	for (uint32_t i = 0; i < entries; i++) {
		if (table[i])
			qcow2_unalloc(q, table[i] >> q->cluster_bits, 1);
	}
	if (at)
		qcow2_unalloc(q, at, clusters);
	return false;
}

static bool merge(struct qcow2 *q, const char *name, const struct bits *from, GError **error)
{
	g_autoptr(GPtrArray) list = qcow2_bitmap_load(q, error);
	struct qcow2_bitmap_entry *e;
	struct bits bits = { 0 };
	uint64_t old_off;
	uint32_t old_size;
	unsigned i;
	bool ok;

	if (!list || !qcow2_bitmap_find(q, list, name, &i, error))
		return false;
	e = g_ptr_array_index(list, i);
	old_off = e->table_off;
	old_size = e->table_size;
	ok = read_bits(q, e, &bits, error);
	if (ok && bits.image_size != from->image_size)
		ok = error_set(error, SOCLE_ERROR_USAGE,
			       "bitmap '%s' is that of an image of %" PRIu64
			       " bytes, and the other one is not",
			       name, bits.image_size);
	if (ok) {
		add_bits(&bits, from);
		ok = write_bits(q, &bits, e, error) && qcow2_bitmap_store(q, list, error) &&
		     qcow2_bitmap_free_table(q, old_off, old_size, error);
	}
	bits_release(&bits);
	return ok;
}

static bool read_source(struct image *image, const char *name, struct bits *bits, GError **error)
{
	struct qcow2 *q = qcow2_of(image);
	g_autoptr(GPtrArray) list = NULL;
	unsigned i;
	bool ok;

	pthread_mutex_lock(&q->lock);
	list = qcow2_bitmap_load(q, error);
	ok = list && qcow2_bitmap_find(q, list, name, &i, error) &&
	     read_bits(q, g_ptr_array_index(list, i), bits, error);
	pthread_mutex_unlock(&q->lock);
	return ok;
}

bool qcow2_bitmap_merge(struct image *image, const char *name, struct image *from,
			const char *source, GError **error)
{
	struct qcow2 *q = qcow2_of(image);
	struct bits bits = { 0 };
	bool ok = read_source(from, source, &bits, error);

	if (ok) {
		pthread_mutex_lock(&q->lock);
		ok = qcow2_bitmap_begin(q, error);
		if (ok)
			ok = qcow2_bitmap_end(q, merge(q, name, &bits, error), error);
		pthread_mutex_unlock(&q->lock);
	}
	bits_release(&bits);
	return ok;
}

uint64_t qcow2_bitmaps_size(const GPtrArray *bitmaps, uint64_t image_size, uint64_t cluster)
{
	uint64_t all = 0, list = 0;

	for (unsigned i = 0; i < bitmaps->len; i++) {
		const struct qcow2_bitmap *bitmap = g_ptr_array_index(bitmaps, i);
		const uint64_t granule = UINT64_C(1) << bitmap->granularity_bits;
		const uint64_t bits = image_size / granule + !!(image_size % granule);
		const uint64_t bytes = bits / 8 + !!(bits % 8);
		const uint64_t clusters = bytes / cluster + !!(bytes % cluster);

		all += clusters * cluster + (clusters * 8 + cluster - 1) / cluster * cluster;
		list += (24 + strlen(bitmap->name) + 7) & ~UINT64_C(7);
	}
	return all + (list + cluster - 1) / cluster * cluster;
}
