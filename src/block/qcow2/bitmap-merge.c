/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bitmap-merge.c - what one dirty bitmap of a qcow2 image says is added to another
 */
#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "block/qcow2/bitmap-int.h"

static void add_bits(struct qcow2_bits *into, const struct qcow2_bits *from)
{
	for (uint64_t i = 0; i < from->count; i++) {
		if (from->bytes[i / 8] >> i % 8 & 1)
			qcow2_bits_set(into, i << from->granularity,
				       UINT64_C(1) << from->granularity);
	}
}

static bool merge(struct qcow2 *q, const char *name, const struct qcow2_bits *from, GError **error)
{
	g_autoptr(GPtrArray) list = qcow2_bitmap_load(q, error);
	struct qcow2_bits bits = { 0 };
	unsigned i;
	bool ok;

	if (!list || !qcow2_bitmap_find(q, list, name, &i, error))
		return false;
	ok = qcow2_bits_read(q, g_ptr_array_index(list, i), &bits, error);
	if (ok && bits.image_size != from->image_size)
		ok = error_set(error, SOCLE_ERROR_USAGE,
			       "bitmap '%s' is that of an image of %" PRIu64
			       " bytes, and the other one is not",
			       name, bits.image_size);
	if (ok) {
		add_bits(&bits, from);
		ok = qcow2_bits_replace(q, list, g_ptr_array_index(list, i), &bits, error);
	}
	qcow2_bits_release(&bits);
	return ok;
}

static bool read_source(struct image *image, const char *name, struct qcow2_bits *bits,
			GError **error)
{
	struct qcow2 *q = qcow2_of(image);
	g_autoptr(GPtrArray) list = NULL;
	unsigned i;
	bool ok;

	pthread_mutex_lock(&q->lock);
	if (qcow2_bitmaps_put(q, error))
		list = qcow2_bitmap_load(q, error);
	ok = list && qcow2_bitmap_find(q, list, name, &i, error) &&
	     qcow2_bits_read(q, g_ptr_array_index(list, i), bits, error);
	pthread_mutex_unlock(&q->lock);
	return ok;
}

bool qcow2_bitmap_merge(struct image *image, const char *name, struct image *from,
			const char *source, GError **error)
{
	struct qcow2 *q = qcow2_of(image);
	struct qcow2_bits bits = { 0 };
	bool ok = read_source(from, source, &bits, error);

	if (ok) {
		pthread_mutex_lock(&q->lock);
		ok = qcow2_bitmap_begin(q, error);
		if (ok)
			ok = qcow2_bitmap_end(q, merge(q, name, &bits, error), error);
		pthread_mutex_unlock(&q->lock);
	}
	qcow2_bits_release(&bits);
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
