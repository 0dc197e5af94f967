/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bitmap-bits.c - the bits of a dirty bitmap, from the image and back
 *
 * In memory they are as in the image, the lowest of a byte first. A table and clusters of bits that
 * are in the image are never written to: new ones take their place.
 */
#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "block/qcow2/bitmap-int.h"

#define MAX_LEN (UINT64_C(128) << 20) /* bytes */

void qcow2_bits_release(struct qcow2_bits *bits)
{
	g_clear_pointer(&bits->bytes, g_free);
}

uint64_t qcow2_bits_len(const struct qcow2_bits *bits)
{
	return bits->count / 8 + !!(bits->count % 8);
}

/* Of an image of @size bytes. */
static uint64_t count_bits(uint64_t size, unsigned granularity)
{
	return (size >> granularity) + !!(size & ((UINT64_C(1) << granularity) - 1));
}

uint64_t qcow2_bits_needed(uint64_t size, unsigned granularity)
{
	return count_bits(size, MIN(granularity, 63u)) / 8 + 1;
}

static bool bits_init(struct qcow2_bits *bits, const struct qcow2 *q,
		      const struct qcow2_bitmap_entry *e, GError **error)
{
	if (e->granularity < 9 || e->granularity > 31 || e->flags & QCOW2_BITMAP_IN_USE)
		return error_set(error, SOCLE_ERROR_STATE,
				 "bitmap '%s' of image '%s' was not saved by who used it, and says "
				 "nothing; remove it",
				 e->name, q->name);
	*bits = (struct qcow2_bits){
		.image_size = q->base.size,
		.granularity = e->granularity,
		.count = count_bits(q->base.size, e->granularity),
	};
	if (qcow2_bits_len(bits) <= MAX_LEN)
		bits->bytes = g_try_malloc0(qcow2_bits_len(bits) + 1);
	return bits->bytes || error_set(error, SOCLE_ERROR_LIMIT,
					"bitmap '%s' of image '%s' is too large to be in memory; "
					"one with a larger granularity is smaller",
					e->name, q->name);
}

/* The cluster of bits that begins with byte @at of them. */
static bool read_part(struct qcow2 *q, const struct qcow2_bitmap_entry *e, struct qcow2_bits *bits,
		      uint64_t at, GError **error)
{
	const uint64_t size = qcow2_cluster_size(q), index = at >> q->cluster_bits;
	const size_t len = (size_t)MIN(size, qcow2_bits_len(bits) - at);
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

/* What the last byte has behind the end says nothing. */
static void clear_tail(struct qcow2_bits *bits)
{
	if (bits->count % 8)
		bits->bytes[bits->count / 8] &= (uint8_t)((1u << bits->count % 8) - 1);
}

bool qcow2_bits_read(struct qcow2 *q, const struct qcow2_bitmap_entry *e, struct qcow2_bits *bits,
		     GError **error)
{
	if (!bits_init(bits, q, e, error))
		return false;
	for (uint64_t at = 0; at < qcow2_bits_len(bits); at += qcow2_cluster_size(q)) {
		if (!read_part(q, e, bits, at, error))
			return false;
	}
	clear_tail(bits);
	return true;
}

void qcow2_bits_set(struct qcow2_bits *bits, uint64_t off, uint64_t len)
{
	uint64_t i = off >> bits->granularity, end;

	if (!len || i >= bits->count)
		return;
	end = MIN((off + len - 1) >> bits->granularity, bits->count - 1) + 1;
	for (; i < end && i % 8; i++)
		bits->bytes[i / 8] |= (uint8_t)(1u << i % 8);
	if (i + 8 <= end) {
		memset(bits->bytes + i / 8, 0xff, (end - i) / 8);
		i += (end - i) / 8 * 8;
	}
	for (; i < end; i++)
		bits->bytes[i / 8] |= (uint8_t)(1u << i % 8);
}

void qcow2_bits_resize(struct qcow2_bits *bits, uint64_t size)
{
	const uint64_t before = qcow2_bits_len(bits);

	bits->image_size = size;
	bits->count = count_bits(size, bits->granularity);
	bits->bytes = g_realloc(bits->bytes, qcow2_bits_len(bits) + 1);
	if (qcow2_bits_len(bits) > before)
		memset(bits->bytes + before, 0, qcow2_bits_len(bits) - before);
	clear_tail(bits);
}

static bool is_zero(const uint8_t *bytes, size_t len)
{
	return !len || (!bytes[0] && !memcmp(bytes, bytes + 1, len - 1));
}

/* A new table, and bits where there are any; all of it is free again if that fails. */
static bool write_bits(struct qcow2 *q, const struct qcow2_bits *bits, struct qcow2_bitmap_entry *e,
		       GError **error)
{
	const uint64_t size = qcow2_cluster_size(q), len = qcow2_bits_len(bits);
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

bool qcow2_bits_replace(struct qcow2 *q, const GPtrArray *list, struct qcow2_bitmap_entry *entry,
			const struct qcow2_bits *bits, GError **error)
{
	const uint64_t old_off = entry->table_off;
	const uint32_t old_size = entry->table_size;

	return write_bits(q, bits, entry, error) && qcow2_bitmap_store(q, list, error) &&
	       qcow2_bitmap_free_table(q, old_off, old_size, error);
}
