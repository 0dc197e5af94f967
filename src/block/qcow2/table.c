/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * table.c - tables of a qcow2 image: whole ones in memory, and a cache of pieces of the others
 *
 * A piece of counts may be written at any time: what would make that wrong, a count that goes down
 * too early, waits in quarantine. A piece of an L2 table may be written only when the counts, the
 * data and the tables that it refers to are durable, so a cache that is full of those is flushed as
 * a whole.
 */
#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "block/qcow2/qcow2-int.h"

enum {
	PER_SECTOR = QCOW2_SECTOR / 8,
	CHUNK = 64 << 10, /* bytes of a table read or written at a time */
};

/* ---- whole tables ---- */

bool qcow2_table_load(struct qcow2 *q, struct qcow2_table *table, uint64_t off, uint32_t size,
		      const char *what, GError **error)
{
	uint64_t *entry = g_try_new0(uint64_t, (size_t)size + 1);
	struct qcow2_table made = { .off = off, .size = size, .entry = entry };

	if (!entry)
		return error_set(error, SOCLE_ERROR_LIMIT, "image '%s': no memory for its %s",
				 q->name, what);
	if (size && !qcow2_file_read(q, off, entry, (size_t)size * 8, what, error)) {
		g_free(entry);
		return false;
	}
	for (uint32_t i = 0; i < size; i++)
		entry[i] = get_be64(entry + i);
	made.dirty = g_malloc0(size / PER_SECTOR + 1);
	*table = made;
	return true;
}

void qcow2_table_release(struct qcow2_table *table)
{
	g_free(table->entry);
	g_free(table->dirty);
	*table = (struct qcow2_table){ 0 };
}

void qcow2_table_set(struct qcow2_table *table, uint32_t index, uint64_t value)
{
	table->entry[index] = value;
	table->dirty[index / PER_SECTOR] = 1;
	table->any_dirty = true;
}

bool qcow2_table_write_all(struct qcow2 *q, uint64_t off, const uint64_t *entry, uint32_t size,
			   const char *what, GError **error)
{
	g_autofree uint8_t *buf = g_malloc(CHUNK);

	for (uint32_t done = 0; done < size;) {
		const uint32_t n = MIN(size - done, (uint32_t)CHUNK / 8);

		for (uint32_t i = 0; i < n; i++)
			put_be64(buf + i * 8, entry[done + i]);
		if (!qcow2_file_write(q, off + (uint64_t)done * 8, buf, (size_t)n * 8, what, error))
			return false;
		done += n;
	}
	return true;
}

bool qcow2_table_write(struct qcow2 *q, struct qcow2_table *table, const char *what, GError **error)
{
	for (uint32_t i = 0; table->any_dirty && i < table->size; i += PER_SECTOR) {
		if (!table->dirty[i / PER_SECTOR])
			continue;
		if (!qcow2_table_write_all(q, table->off + (uint64_t)i * 8, table->entry + i,
					   MIN(table->size - i, (uint32_t)PER_SECTOR), what, error))
			return false;
		table->dirty[i / PER_SECTOR] = 0;
	}
	table->any_dirty = false;
	return true;
}

/* ---- pieces ---- */

static const char *const piece_names[] = {
	[QCOW2_PIECE_L2] = "L2 table",
	[QCOW2_PIECE_COUNTS] = "reference counts",
};
static_assert(ARRAY_SIZE(piece_names) == QCOW2_PIECE_KINDS, "a kind without a name");

void qcow2_cache_init(struct qcow2_cache *cache, size_t piece, unsigned slots)
{
	unsigned size = 1;

	while (size < slots)
		size *= 2;
	*cache = (struct qcow2_cache){
		.hash = g_new0(struct qcow2_piece *, size),
		.hash_size = size,
		.slots = slots,
		.piece = piece,
		.lru = G_QUEUE_INIT,
	};
}

static struct qcow2_piece **bucket(struct qcow2_cache *cache, uint64_t off)
{
	const uint64_t number = off / cache->piece;

	return &cache->hash[(number ^ number >> 17) & (cache->hash_size - 1)];
}

static struct qcow2_piece *find(struct qcow2_cache *cache, uint64_t off)
{
	struct qcow2_piece *piece = *bucket(cache, off);

	while (piece && piece->off != off)
		piece = piece->hash_next;
	return piece;
}

const struct qcow2_piece *qcow2_cache_peek(struct qcow2 *q, uint64_t off)
{
	return find(&q->cache, off);
}

static void forget(struct qcow2_cache *cache, struct qcow2_piece *piece)
{
	struct qcow2_piece **p = bucket(cache, piece->off);

	while (*p != piece)
		p = &(*p)->hash_next;
	*p = piece->hash_next;
	g_queue_unlink(&cache->lru, &piece->lru);
	if (piece->dirty)
		cache->dirty[piece->kind]--;
	cache->used--;
	g_free(piece);
}

void qcow2_cache_release(struct qcow2_cache *cache)
{
	while (cache->lru.head)
		forget(cache, cache->lru.head->data);
	g_free(cache->hash);
	cache->hash = NULL;
}

void qcow2_cache_dirty(struct qcow2 *q, struct qcow2_piece *piece)
{
	if (!piece->dirty)
		q->cache.dirty[piece->kind]++;
	piece->dirty = true;
}

static bool write_piece(struct qcow2 *q, struct qcow2_piece *piece, GError **error)
{
	if (!qcow2_file_write(q, piece->off, piece->bytes, q->cache.piece, piece_names[piece->kind],
			      error))
		return false;
	piece->dirty = false;
	q->cache.dirty[piece->kind]--;
	return true;
}

static int by_offset(const void *a, const void *b)
{
	const struct qcow2_piece *const *x = a, *const *y = b;

	return (*x)->off < (*y)->off ? -1 : (*x)->off > (*y)->off;
}

bool qcow2_cache_write(struct qcow2 *q, enum qcow2_piece_kind kind, GError **error)
{
	g_autofree struct qcow2_piece **pieces = NULL;
	unsigned n = 0;

	if (!q->cache.dirty[kind])
		return true;
	pieces = g_new(struct qcow2_piece *, q->cache.dirty[kind]);
	for (GList *l = q->cache.lru.head; l; l = l->next) {
		struct qcow2_piece *piece = l->data;

		if (piece->dirty && piece->kind == kind)
			pieces[n++] = piece;
	}
	qsort(pieces, n, sizeof(*pieces), by_offset);
	for (unsigned i = 0; i < n; i++) {
		if (!write_piece(q, pieces[i], error))
			return false;
	}
	return true;
}

/* One that may go at once: the oldest that is clean, or one of counts, which is then. */
static struct qcow2_piece *find_victim(struct qcow2 *q, GError **error)
{
	struct qcow2_piece *counts = NULL;

	for (GList *l = q->cache.lru.tail; l; l = l->prev) {
		struct qcow2_piece *piece = l->data;

		if (!piece->dirty)
			return piece;
		if (!counts && piece->kind == QCOW2_PIECE_COUNTS)
			counts = piece;
	}
	return counts && write_piece(q, counts, error) ? counts : NULL;
}

static bool make_room(struct qcow2 *q, GError **error)
{
	struct qcow2_cache *cache = &q->cache;
	struct qcow2_piece *victim;

	if (cache->used < cache->slots)
		return true;
	/* Early, so that there are always enough clean ones and the search is short. */
	if (cache->dirty[QCOW2_PIECE_L2] > cache->slots / 4 * 3 && !qcow2_flush_locked(q, error))
		return false;
	if (cache->dirty[QCOW2_PIECE_COUNTS] > cache->slots / 4 &&
	    !qcow2_cache_write(q, QCOW2_PIECE_COUNTS, error))
		return false;
	victim = find_victim(q, error);
	if (victim)
		forget(cache, victim);
	return victim;
}

static bool load_piece(struct qcow2 *q, struct qcow2_piece *piece, GError **error)
{
	return qcow2_file_read(q, piece->off, piece->bytes, q->cache.piece,
			       piece_names[piece->kind], error);
}

struct qcow2_piece *qcow2_cache_get(struct qcow2 *q, enum qcow2_piece_kind kind, uint64_t off,
				    GError **error)
{
	struct qcow2_cache *cache = &q->cache;
	struct qcow2_piece *piece = find(cache, off);

	if (piece && piece->kind != kind) {
		qcow2_mark_corrupt(q, error,
				   "has a cluster at %#" G_GINT64_MODIFIER
				   "x that is both an L2 table and reference counts",
				   off);
		return NULL;
	}
	if (piece) {
		if (cache->lru.head != &piece->lru) {
			g_queue_unlink(&cache->lru, &piece->lru);
			g_queue_push_head_link(&cache->lru, &piece->lru);
		}
		return piece;
	}
	if (!make_room(q, error))
		return NULL;
	/* A flush for room ends quarantines, which may have needed the very same piece. */
	if (find(cache, off))
		return qcow2_cache_get(q, kind, off, error);
	piece = g_malloc(sizeof(*piece) + cache->piece);
	*piece = (struct qcow2_piece){ .off = off, .kind = kind, .lru = { .data = piece } };
	if (!load_piece(q, piece, error)) {
		g_free(piece);
		return NULL;
	}
	piece->hash_next = *bucket(cache, off);
	*bucket(cache, off) = piece;
	g_queue_push_head_link(&cache->lru, &piece->lru);
	cache->used++;
	return piece;
}

void qcow2_cache_drop(struct qcow2 *q, uint64_t off, uint64_t len)
{
	for (uint64_t at = off; at < off + len; at += q->cache.piece) {
		struct qcow2_piece *piece = find(&q->cache, at);

		if (piece)
			forget(&q->cache, piece);
	}
}
