/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bitmap.c - the list of an image's dirty bitmaps
 */
#include "base/bytes.h"
#include "base/error.h"
#include "block/qcow2/qcow2-int.h"

enum {
	ENTRY_LEN = 24, /* without extra data and the name */
	ENTRY_FLAGS = 12,
	ENTRY_GRANULARITY = 17,
	ENTRY_NAME_LEN = 18,
	ENTRY_EXTRA_LEN = 20,

	FLAG_IN_USE = 1 << 0,
	FLAG_AUTO = 1 << 1,

	MAX_LIST = 64 << 20, /* bytes */
};

static void bitmap_free(void *opaque)
{
	struct qcow2_bitmap *bitmap = opaque;

	g_free(bitmap->name);
	g_free(bitmap);
}

/* The entry at the start of @p; its length, padding included, or 0: it is none. */
static uint64_t parse(const uint8_t *p, uint64_t left, GPtrArray *list)
{
	struct qcow2_bitmap *bitmap;
	uint64_t name_len, extra_len, len;
	uint32_t flags;

	if (left < ENTRY_LEN)
		return 0;
	name_len = get_be16(p + ENTRY_NAME_LEN);
	extra_len = get_be32(p + ENTRY_EXTRA_LEN);
	len = (ENTRY_LEN + name_len + extra_len + 7) & ~UINT64_C(7);
	if (!name_len || name_len > QCOW2_MAX_NAME || len > left || p[ENTRY_GRANULARITY] < 9 ||
	    p[ENTRY_GRANULARITY] > 31)
		return 0;
	flags = get_be32(p + ENTRY_FLAGS);
	bitmap = g_new0(struct qcow2_bitmap, 1);
	bitmap->name = g_strndup((const char *)p + ENTRY_LEN + extra_len, name_len);
	bitmap->granularity_bits = p[ENTRY_GRANULARITY];
	bitmap->in_use = flags & FLAG_IN_USE;
	bitmap->automatic = flags & FLAG_AUTO;
	g_ptr_array_add(list, bitmap);
	return len;
}

static GPtrArray *load(struct qcow2 *q, GError **error)
{
	const struct qcow2_header *h = q->header;
	g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func(bitmap_free);
	g_autofree uint8_t *bytes = NULL;
	uint64_t off = 0;

	if (!h->bitmaps)
		return g_steal_pointer(&list);
	bytes = h->bitmaps_size <= MAX_LIST ? g_try_malloc(h->bitmaps_size) : NULL;
	if (!bytes) {
		(void)qcow2_bad(q, error, "has a list of bitmaps of %" G_GUINT64_FORMAT " bytes",
				h->bitmaps_size);
		return NULL;
	}
	if (!qcow2_file_read(q, h->bitmaps_off, bytes, h->bitmaps_size, "list of bitmaps", error))
		return NULL;
	for (uint32_t i = 0; i < h->bitmaps; i++) {
		const uint64_t len = parse(bytes + off, h->bitmaps_size - off, list);

		if (!len) {
			(void)qcow2_bad(q, error, "has a list of bitmaps whose entry %u cannot be",
					i + 1);
			return NULL;
		}
		off += len;
	}
	return g_steal_pointer(&list);
}

GPtrArray *qcow2_bitmaps(struct image *image, GError **error)
{
	struct qcow2 *q = qcow2_of(image);
	GPtrArray *list;

	pthread_mutex_lock(&q->lock);
	list = load(q, error);
	pthread_mutex_unlock(&q->lock);
	return list;
}
