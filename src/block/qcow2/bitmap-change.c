/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bitmap-change.c - dirty bitmaps of a qcow2 image are added, removed, cleared, switched on and off
 *
 * A bitmap is an entry of the list (directory), a table, and clusters of bits that the table names.
 * Nothing that is there is written to: a change makes a new list, and new tables where needed; when
 * they are durable the header gets the new list, and then what only the old one names is freed.
 * A crash leaves the old list or the new one, and at worst leaks.
 *
 * Guest data is not touched, so bitmaps that are in use by nobody stay as true as they were.
 */
#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "block/qcow2/bitmap-int.h"

enum {
	TYPE_DIRTY = 1,

	MIN_GRANULARITY = 9,
	MAX_GRANULARITY = 31,
	MAX_LIST = 64 << 20,   /* bytes */
	TABLE_PART = 64 << 10, /* bytes of a table that are looked at together */
};

static void entry_free(void *opaque)
{
	struct qcow2_bitmap_entry *entry = opaque;

	g_free(entry->name);
	g_bytes_unref(entry->extra);
	g_free(entry);
}

/* ---- the list, from bytes and back ---- */

/* The entry at @p, of *ret_len bytes with what it is padded by; NULL: it cannot be. */
static struct qcow2_bitmap_entry *parse(const struct qcow2 *q, const uint8_t *p, uint64_t left,
					uint64_t *ret_len)
{
	uint64_t name_len, extra_len, len;
	struct qcow2_bitmap_entry *entry;

	if (left < ENTRY_LEN)
		return NULL;
	name_len = get_be16(p + ENTRY_NAME_LEN);
	extra_len = get_be32(p + ENTRY_EXTRA_LEN);
	len = (ENTRY_LEN + extra_len + name_len + 7) & ~UINT64_C(7);
	if (!name_len || name_len > QCOW2_MAX_NAME || len > left ||
	    get_be64(p + ENTRY_TABLE_OFF) & (qcow2_cluster_size(q) - 1) ||
	    get_be32(p + ENTRY_TABLE_SIZE) > QCOW2_BITMAP_MAX_TABLE ||
	    memchr(p + ENTRY_LEN + extra_len, 0, name_len))
		return NULL;
	entry = g_new(struct qcow2_bitmap_entry, 1);
	*entry = (struct qcow2_bitmap_entry){
		.table_off = get_be64(p + ENTRY_TABLE_OFF),
		.table_size = get_be32(p + ENTRY_TABLE_SIZE),
		.flags = get_be32(p + ENTRY_FLAGS),
		.type = p[ENTRY_TYPE],
		.granularity = p[ENTRY_GRANULARITY],
		.name = g_strndup((const char *)p + ENTRY_LEN + extra_len, name_len),
		.extra = g_bytes_new(p + ENTRY_LEN, extra_len),
	};
	*ret_len = len;
	return entry;
}

GPtrArray *qcow2_bitmap_load(struct qcow2 *q, GError **error)
{
	const struct qcow2_header *h = q->header;
	g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func(entry_free);
	g_autofree uint8_t *bytes = NULL;
	uint64_t off = 0, len;

	if (!h->bitmaps)
		return g_steal_pointer(&list);
	if (h->bitmaps_size > MAX_LIST || !(bytes = g_try_malloc(h->bitmaps_size))) {
		error_set(error, SOCLE_ERROR_LIMIT, "the list of bitmaps of image '%s' is too long",
			  q->name);
		return NULL;
	}
	if (!qcow2_file_read(q, h->bitmaps_off, bytes, h->bitmaps_size, "list of bitmaps", error))
		return NULL;
	while (list->len < h->bitmaps) {
		struct qcow2_bitmap_entry *entry =
			parse(q, bytes + off, h->bitmaps_size - off, &len);

		if (!entry) {
			(void)qcow2_bad(q, error, "has a list of bitmaps that cannot be");
			return NULL;
		}
		g_ptr_array_add(list, entry);
		off += len;
	}
	return g_steal_pointer(&list);
}

static void append(GByteArray *bytes, const struct qcow2_bitmap_entry *entry)
{
	static const uint8_t padding[8];
	uint8_t fixed[ENTRY_LEN] = { 0 };
	const size_t name_len = strlen(entry->name), extra_len = g_bytes_get_size(entry->extra);

	put_be64(fixed + ENTRY_TABLE_OFF, entry->table_off);
	put_be32(fixed + ENTRY_TABLE_SIZE, entry->table_size);
	put_be32(fixed + ENTRY_FLAGS, entry->flags);
	fixed[ENTRY_TYPE] = entry->type;
	fixed[ENTRY_GRANULARITY] = entry->granularity;
	put_be16(fixed + ENTRY_NAME_LEN, (uint16_t)name_len);
	put_be32(fixed + ENTRY_EXTRA_LEN, (uint32_t)extra_len);
	g_byte_array_append(bytes, fixed, sizeof(fixed));
	if (extra_len)
		g_byte_array_append(bytes, g_bytes_get_data(entry->extra, NULL), (guint)extra_len);
	g_byte_array_append(bytes, (const uint8_t *)entry->name, (guint)name_len);
	g_byte_array_append(bytes, padding, (8 - bytes->len % 8) % 8);
}

bool qcow2_bitmap_store(struct qcow2 *q, const GPtrArray *list, GError **error)
{
	struct qcow2_header *h = q->header;
	const uint64_t old_off = h->bitmaps_off, old_len = h->bitmaps ? h->bitmaps_size : 0;
	g_autoptr(GByteArray) bytes = g_byte_array_new();
	uint64_t cluster = 0, clusters;

	for (unsigned i = 0; i < list->len; i++)
		append(bytes, g_ptr_array_index(list, i));
	if (list->len > QCOW2_MAX_BITMAPS || bytes->len > MAX_LIST)
		return error_set(error, SOCLE_ERROR_LIMIT,
				 "image '%s' has too many bitmaps; remove some", q->name);
	clusters = qcow2_clusters(q, bytes->len);
	if (clusters && !qcow2_alloc_all(q, clusters, &cluster, error))
		return false;
	if ((clusters && !qcow2_file_write(q, cluster << q->cluster_bits, bytes->data, bytes->len,
					   "list of bitmaps", error)) ||
	    !qcow2_write_counts(q, error) || !qcow2_sync(q, error)) {
		qcow2_unalloc(q, cluster, clusters);
		return false;
	}
	h->bitmaps = list->len;
	h->bitmaps_off = cluster << q->cluster_bits;
	h->bitmaps_size = bytes->len;
	if (list->len)
		h->autoclear |= QCOW2_AUTOCLEAR_BITMAPS;
	else
		h->autoclear &= ~(uint64_t)QCOW2_AUTOCLEAR_BITMAPS;
	/* Bits that nobody here knows do not outlive a change. */
	h->autoclear &= QCOW2_AUTOCLEAR_BITMAPS | QCOW2_AUTOCLEAR_RAW_DATA;
	q->bitmaps_new = true;
	if (!qcow2_rewrite_header(q, error))
		return false;
	if (old_len) {
		qcow2_unuse(q, old_off, old_len);
		qcow2_free_later(q, old_off >> q->cluster_bits, qcow2_clusters(q, old_len));
	}
	if (clusters)
		qcow2_use(q, cluster << q->cluster_bits, bytes->len, QCOW2_USE_BITMAPS);
	return true;
}

/* ---- tables ---- */

/* Entries of the table that a bitmap of an image of @size bytes has. */
static uint64_t table_entries(const struct qcow2 *q, unsigned granularity, uint64_t size)
{
	const uint64_t granule = UINT64_C(1) << granularity;
	const uint64_t bits = size / granule + !!(size % granule);

	return qcow2_clusters(q, bits / 8 + !!(bits % 8));
}

/* A table for the whole image, with all bits clear; it is new. */
static bool make_table(struct qcow2 *q, struct qcow2_bitmap_entry *entry, GError **error)
{
	const uint64_t size = table_entries(q, entry->granularity, q->base.size);
	uint64_t cluster = 0, clusters;

	if (size > QCOW2_BITMAP_MAX_TABLE)
		return error_set(error, SOCLE_ERROR_LIMIT,
				 "bitmap '%s' would be too large; give a larger granularity",
				 entry->name);
	clusters = qcow2_clusters(q, size * 8);
	if (clusters && !qcow2_alloc_all(q, clusters, &cluster, error))
		return false;
	if (clusters &&
	    !qcow2_file_zero(q, cluster << q->cluster_bits, clusters << q->cluster_bits, error)) {
		qcow2_unalloc(q, cluster, clusters);
		return false;
	}
	entry->table_off = cluster << q->cluster_bits;
	entry->table_size = (uint32_t)size;
	return true;
}

/* Clusters of bits; the table is hostile: what cannot be is left alone, and check tells of it. */
static bool free_bits(struct qcow2 *q, const uint8_t *part, size_t len, GError **error)
{
	for (size_t i = 0; i + 8 <= len; i += 8) {
		const uint64_t off = get_be64(part + i) & QCOW2_BITMAP_OFFSET;
		uint64_t count;

		if (!off || off & (qcow2_cluster_size(q) - 1))
			continue;
		if (!qcow2_get_count(q, off >> q->cluster_bits, &count, error))
			return false;
		if (count)
			qcow2_free_later(q, off >> q->cluster_bits, 1);
	}
	return true;
}

bool qcow2_bitmap_free_table(struct qcow2 *q, uint64_t table_off, uint32_t table_size,
			     GError **error)
{
	g_autofree uint8_t *part = g_malloc(TABLE_PART);
	const uint64_t len = (uint64_t)table_size * 8;

	for (uint64_t off = 0; off < len; off += TABLE_PART) {
		const size_t n = MIN(len - off, TABLE_PART);

		if (!qcow2_file_read(q, table_off + off, part, n, "table of a bitmap", error) ||
		    !free_bits(q, part, n, error))
			return false;
	}
	if (len)
		qcow2_free_later(q, table_off >> q->cluster_bits, qcow2_clusters(q, len));
	return true;
}

/* ---- changes ---- */

bool qcow2_bitmap_find(const struct qcow2 *q, const GPtrArray *list, const char *name,
		       unsigned *ret, GError **error)
{
	for (unsigned i = 0; i < list->len; i++) {
		const struct qcow2_bitmap_entry *entry = g_ptr_array_index(list, i);

		if (strcmp(entry->name, name) != 0)
			continue;
		*ret = i;
		return true;
	}
	return error_set(error, SOCLE_ERROR_NOT_FOUND, "image '%s' has no bitmap '%s'", q->name,
			 name);
}

static bool add(struct qcow2 *q, GPtrArray *list, const char *name, unsigned granularity,
		GError **error)
{
	struct qcow2_bitmap_entry *entry;
	unsigned i;

	if (qcow2_bitmap_find(q, list, name, &i, NULL))
		return error_set(error, SOCLE_ERROR_EXISTS, "image '%s' has a bitmap '%s' already",
				 q->name, name);
	if (!*name || strlen(name) > QCOW2_MAX_NAME)
		return error_set(error, SOCLE_ERROR_USAGE, "the name of a bitmap has 1 to %d bytes",
				 QCOW2_MAX_NAME);
	if (granularity < MIN_GRANULARITY || granularity > MAX_GRANULARITY)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "the granularity of a bitmap is a power of two from 512 to 2G");
	entry = g_new0(struct qcow2_bitmap_entry, 1);
	entry->name = g_strdup(name);
	entry->extra = g_bytes_new(NULL, 0);
	entry->type = TYPE_DIRTY;
	entry->flags = QCOW2_BITMAP_AUTO;
	entry->granularity = (uint8_t)granularity;
	g_ptr_array_add(list, entry);
	return make_table(q, entry, error);
}

/* What of an entry that is there is changed; *ret_stale: its table is not needed any more. */
static bool change(struct qcow2 *q, GPtrArray *list, unsigned i, enum qcow2_bitmap_change what,
		   bool *ret_stale, GError **error)
{
	struct qcow2_bitmap_entry *entry = g_ptr_array_index(list, i);

	*ret_stale = what == QCOW2_BITMAP_REMOVE || what == QCOW2_BITMAP_CLEAR;
	if (what == QCOW2_BITMAP_REMOVE) {
		g_ptr_array_remove_index(list, i);
		return true;
	}
	if (entry->flags & QCOW2_BITMAP_IN_USE)
		return error_set(error, SOCLE_ERROR_STATE,
				 "bitmap '%s' was not saved by who used it, and says nothing; "
				 "remove it",
				 entry->name);
	if (what == QCOW2_BITMAP_CLEAR)
		return make_table(q, entry, error);
	if (what == QCOW2_BITMAP_ENABLE)
		entry->flags |= QCOW2_BITMAP_AUTO;
	else
		entry->flags &= ~(uint32_t)QCOW2_BITMAP_AUTO;
	return true;
}

static bool change_list(struct qcow2 *q, const char *name, enum qcow2_bitmap_change what,
			unsigned granularity, GError **error)
{
	g_autoptr(GPtrArray) list = qcow2_bitmap_load(q, error);
	const struct qcow2_bitmap_entry *entry;
	uint64_t table_off;
	uint32_t table_size;
	bool stale;
	unsigned i;

	if (!list)
		return false;
	if (what == QCOW2_BITMAP_ADD)
		return add(q, list, name, granularity, error) && qcow2_bitmap_store(q, list, error);
	if (!qcow2_bitmap_find(q, list, name, &i, error))
		return false;
	entry = g_ptr_array_index(list, i);
	table_off = entry->table_off;
	table_size = entry->table_size;
	return change(q, list, i, what, &stale, error) && qcow2_bitmap_store(q, list, error) &&
	       (!stale || qcow2_bitmap_free_table(q, table_off, table_size, error));
}

static bool may_change(const struct qcow2 *q, GError **error)
{
	if (!q->writable)
		return error_set(error, SOCLE_ERROR_DENIED, "image '%s' is open for reading only",
				 q->name);
	if (q->header->version < 3)
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "image '%s' has compat=0.10, which has no bitmaps; amend it",
				 q->name);
	return !q->broken || error_set(error, SOCLE_ERROR_STATE,
				       "image '%s' is not written to any more after an error; "
				       "check it",
				       q->name);
}

bool qcow2_bitmap_end(struct qcow2 *q, bool ok, GError **error)
{
	GError **told = ok ? error : NULL;

	/* Also after a failure: what was allocated in vain is given back. */
	if (qcow2_flush_locked(q, told) && qcow2_write_counts(q, told) && qcow2_sync(q, told) &&
	    qcow2_set_dirty(q, false, told))
		return ok;
	q->broken = true;
	return false;
}

bool qcow2_bitmap_begin(struct qcow2 *q, GError **error)
{
	if (!may_change(q, error) || !qcow2_flush_locked(q, error) ||
	    !qcow2_set_dirty(q, true, error))
		return false;
	return qcow2_bitmaps_put(q, error) || qcow2_bitmap_end(q, false, error);
}

bool qcow2_bitmap_change(struct image *image, const char *name, enum qcow2_bitmap_change what,
			 unsigned granularity, GError **error)
{
	struct qcow2 *q = qcow2_of(image);
	bool ok;

	pthread_mutex_lock(&q->lock);
	ok = qcow2_bitmap_begin(q, error);
	if (ok)
		ok = qcow2_bitmap_end(q, change_list(q, name, what, granularity, error), error);
	pthread_mutex_unlock(&q->lock);
	return ok;
}
