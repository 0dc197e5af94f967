/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bitmap-keep.c - dirty bitmaps while an image is written to
 *
 * With the first change of an image its automatic bitmaps are read, and marked as being in use. From
 * then on they are in memory, and get their bits there; when the image is closed, or when bitmaps are
 * changed, they are written anew, and are not in use any more. Who crashes in between leaves them in
 * use: they say nothing then, and everybody knows that. So does a bitmap that cannot be read, or is
 * too large.
 *
 * When the image gets another size all bitmaps do, also those that are not automatic.
 */
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/log.h"
#include "block/qcow2/bitmap-int.h"

#define MAX_KEPT (UINT64_C(256) << 20) /* bytes, of all bitmaps */

struct kept_bitmap {
	char *name;
	bool automatic;
	struct qcow2_bits bits;
};

static void kept_free(void *opaque)
{
	struct kept_bitmap *kept = opaque;

	g_free(kept->name);
	qcow2_bits_release(&kept->bits);
	g_free(kept);
}

static bool is_kept(const struct qcow2 *q, const char *name)
{
	for (unsigned i = 0; i < q->kept->len; i++) {
		const struct kept_bitmap *kept = g_ptr_array_index(q->kept, i);

		if (!strcmp(kept->name, name))
			return true;
	}
	return false;
}

static uint64_t kept_len(const struct qcow2 *q)
{
	uint64_t len = 0;

	for (unsigned i = 0; i < q->kept->len; i++) {
		const struct kept_bitmap *kept = g_ptr_array_index(q->kept, i);

		len += qcow2_bits_len(&kept->bits);
	}
	return len;
}

/* ---- into memory ---- */

static bool take(struct qcow2 *q, const struct qcow2_bitmap_entry *entry, GError **error)
{
	struct kept_bitmap *kept = g_new0(struct kept_bitmap, 1);

	kept->name = g_strdup(entry->name);
	kept->automatic = entry->flags & QCOW2_BITMAP_AUTO;
	if (kept_len(q) + qcow2_bits_needed(q->base.size, entry->granularity) > MAX_KEPT) {
		kept_free(kept);
		return error_set(error, SOCLE_ERROR_LIMIT,
				 "image '%s' has bitmaps that are too large to be kept; remove "
				 "some",
				 q->name);
	}
	if (!qcow2_bits_read(q, entry, &kept->bits, error)) {
		kept_free(kept);
		return false;
	}
	g_ptr_array_add(q->kept, kept);
	return true;
}

/*
 * Mark entries of the list as being in use, in place: those that are automatic, or all. A list that is
 * not well is left alone from there on.
 */
static bool mark_in_use(struct qcow2 *q, bool all, GError **error)
{
	uint64_t off = q->header->bitmaps_off;
	const uint64_t end = off + q->header->bitmaps_size;

	for (uint32_t i = 0; i < q->header->bitmaps && end - off >= ENTRY_LEN; i++) {
		uint8_t entry[ENTRY_LEN];
		uint32_t flags;
		uint64_t len;

		if (!qcow2_file_read(q, off, entry, sizeof(entry), "list of bitmaps", error))
			return false;
		flags = get_be32(entry + ENTRY_FLAGS);
		if (!(flags & QCOW2_BITMAP_IN_USE) && (all || flags & QCOW2_BITMAP_AUTO)) {
			put_be32(entry + ENTRY_FLAGS, flags | QCOW2_BITMAP_IN_USE);
			if (!qcow2_file_write(q, off, entry, sizeof(entry), "list of bitmaps",
					      error))
				return false;
		}
		len = ENTRY_LEN + (uint64_t)get_be16(entry + ENTRY_NAME_LEN) +
		      get_be32(entry + ENTRY_EXTRA_LEN);
		len = (len + 7) & ~UINT64_C(7);
		if (len > end - off)
			break;
		off += len;
	}
	return qcow2_sync(q, error);
}

/* A disk that does not answer is somebody's who wants to write; what is not well says nothing then. */
static bool may_go_without(const char *what, GError *cause, GError **error)
{
	if (cause->domain == SYS_ERROR) {
		g_propagate_error(error, cause);
		return false;
	}
	log_warning("%s: %s", what, cause->message);
	g_error_free(cause);
	return true;
}

bool qcow2_bitmaps_take(struct qcow2 *q, GError **error)
{
	g_autoptr(GPtrArray) list = NULL;
	GError *cause = NULL;

	if (!q->header->bitmaps)
		return true;
	list = qcow2_bitmap_load(q, &cause);
	if (!list && !may_go_without("bitmaps are not kept", cause, error))
		return false;
	for (unsigned i = 0; list && i < list->len; i++) {
		const struct qcow2_bitmap_entry *entry = g_ptr_array_index(list, i);

		if ((entry->flags & (QCOW2_BITMAP_AUTO | QCOW2_BITMAP_IN_USE)) !=
			    QCOW2_BITMAP_AUTO ||
		    is_kept(q, entry->name))
			continue;
		cause = NULL;
		if (!take(q, entry, &cause) && !may_go_without(entry->name, cause, error))
			return false;
	}
	return mark_in_use(q, false, error);
}

/* ---- in memory ---- */

void qcow2_bitmaps_mark(struct qcow2 *q, uint64_t off, uint64_t len)
{
	for (unsigned i = 0; i < q->kept->len; i++) {
		struct kept_bitmap *kept = g_ptr_array_index(q->kept, i);

		if (kept->automatic)
			qcow2_bits_set(&kept->bits, off, len);
	}
}

bool qcow2_begin_data(struct qcow2 *q, uint64_t off, uint64_t len, GError **error)
{
	if (!qcow2_begin_change(q, error))
		return false;
	qcow2_bitmaps_mark(q, off, len);
	return true;
}

/* All that say something, whoever keeps them. */
static bool take_rest(struct qcow2 *q, GError **error)
{
	g_autoptr(GPtrArray) list = qcow2_bitmap_load(q, error);

	if (!list)
		return false;
	for (unsigned i = 0; i < list->len; i++) {
		const struct qcow2_bitmap_entry *entry = g_ptr_array_index(list, i);

		if (!(entry->flags & QCOW2_BITMAP_IN_USE) && !is_kept(q, entry->name) &&
		    !take(q, entry, error))
			return false;
	}
	return mark_in_use(q, true, error);
}

static void fit(struct qcow2 *q, uint64_t size)
{
	for (unsigned i = 0; i < q->kept->len; i++) {
		struct kept_bitmap *kept = g_ptr_array_index(q->kept, i);

		qcow2_bits_resize(&kept->bits, size);
	}
}

bool qcow2_bitmaps_resize(struct qcow2 *q, uint64_t size, GError **error)
{
	uint64_t len = 0;

	if (!q->header->bitmaps || size == q->base.size)
		return true;
	if (!take_rest(q, error))
		return false;
	for (unsigned i = 0; i < q->kept->len; i++) {
		const struct kept_bitmap *kept = g_ptr_array_index(q->kept, i);

		len += qcow2_bits_needed(size, kept->bits.granularity);
		if (len > MAX_KEPT)
			return error_set(error, SOCLE_ERROR_LIMIT,
					 "bitmap '%s' of image '%s' would be too large; remove it "
					 "first",
					 kept->name, q->name);
	}
	fit(q, size);
	return true;
}

void qcow2_bitmaps_fit(struct qcow2 *q)
{
	fit(q, q->base.size);
}

/* ---- and back ---- */

static bool put_one(struct qcow2 *q, const struct kept_bitmap *kept, GError **error)
{
	g_autoptr(GPtrArray) list = qcow2_bitmap_load(q, error);
	struct qcow2_bitmap_entry *entry;
	unsigned i;

	if (!list || !qcow2_bitmap_find(q, list, kept->name, &i, error))
		return false;
	entry = g_ptr_array_index(list, i);
	entry->flags &= ~(uint32_t)QCOW2_BITMAP_IN_USE;
	return qcow2_bits_replace(q, list, entry, &kept->bits, error);
}

bool qcow2_bitmaps_put(struct qcow2 *q, GError **error)
{
	bool ok = true;

	while (ok && q->kept->len) {
		ok = put_one(q, g_ptr_array_index(q->kept, q->kept->len - 1), error);
		if (ok)
			g_ptr_array_set_size(q->kept, (gint)q->kept->len - 1);
	}
	return ok;
}

GPtrArray *qcow2_bitmaps_new(void)
{
	return g_ptr_array_new_with_free_func(kept_free);
}
