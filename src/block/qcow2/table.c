/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * table.c - tables of a qcow2 image: whole ones in memory, and a cache of pieces of the others
 *
 * A piece of counts may be written at any time: what would make that wrong, a count that goes down
 * too early, waits in quarantine. A piece of an L2 table may be written only when the counts, the
 * data and the tables that it refers to are durable, so a cache that is full of those is flushed as
 * a whole.
 *
 * Who reads finds L1 and pieces of L2 tables without the lock. So each entry is stored as a whole,
 * behind what it refers to; chains of the hash lead somewhere at all times; and what leaves the cache
 * is freed when nobody is inside any more who may still have it. (A chain that changes on the way may
 * hide a piece: who does not find one takes the lock.)
 */
#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "block/qcow2/qcow2-int.h"

enum {
	PER_SECTOR = QCOW2_SECTOR / 8,
	CHUNK = 64 << 10, /* bytes of a table read or written at a time */
	TURN_EACH = 16,   /* pieces that leave the cache */
	MIN_GONE = 256,   /* pieces that may wait to be freed */
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
	/* Behind what it refers to. */
	atomic_store_explicit((_Atomic(uint64_t) *)&table->entry[index], value,
			      memory_order_release);
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
		.hash = g_malloc0(size * sizeof(*cache->hash)),
		.hash_size = size,
		.slots = slots,
		.piece = piece,
		.piece_bits = (unsigned)__builtin_ctzll(piece),
		.lru = G_QUEUE_INIT,
		.gone = G_QUEUE_INIT,
	};
}

static _Atomic(struct qcow2_piece *) *bucket(struct qcow2_cache *cache, uint64_t off)
{
	const uint64_t number = off >> cache->piece_bits;

	return &cache->hash[(number ^ number >> 17) & (cache->hash_size - 1)];
}

static struct qcow2_piece *follow(const _Atomic(struct qcow2_piece *) *link)
{
	return atomic_load_explicit(link, memory_order_acquire);
}

static void lead_to(_Atomic(struct qcow2_piece *) *link, struct qcow2_piece *piece)
{
	atomic_store_explicit(link, piece, memory_order_release);
}

static struct qcow2_piece *find(struct qcow2_cache *cache, uint64_t off)
{
	struct qcow2_piece *piece = follow(bucket(cache, off));

	while (piece && piece->off != off)
		piece = follow(&piece->hash_next);
	return piece;
}

struct qcow2_piece *qcow2_cache_peek(struct qcow2 *q, uint64_t off)
{
	struct qcow2_piece *piece = find(&q->cache, off);

	/* Written rarely, as others read the same line. */
	if (piece && !atomic_load_explicit(&piece->wanted, memory_order_relaxed))
		atomic_store_explicit(&piece->wanted, true, memory_order_relaxed);
	return piece;
}

void qcow2_put_word(uint8_t *at, uint64_t value)
{
	uint64_t raw;

	put_be64(&raw, value);
	atomic_store_explicit((_Atomic(uint64_t) *)(void *)at, raw, memory_order_release);
}

/* Of those that have left the cache the ones that nobody can have any more. */
static void free_gone(struct qcow2 *q)
{
	struct qcow2_cache *cache = &q->cache;

	if (cache->gone.length > MAX(cache->slots / 4, (unsigned)MIN_GONE))
		epoch_wait(q->epoch);
	else if (!(cache->gone.length % TURN_EACH))
		(void)epoch_turn(q->epoch);
	while (cache->gone.head) {
		struct qcow2_piece *piece = cache->gone.head->data;

		if (!epoch_is_over(q->epoch, piece->gone))
			return;
		g_queue_unlink(&cache->gone, &piece->link);
		g_free(piece);
	}
}

static void forget(struct qcow2 *q, struct qcow2_piece *piece)
{
	struct qcow2_cache *cache = &q->cache;
	_Atomic(struct qcow2_piece *) *link = bucket(cache, piece->off);

	while (follow(link) != piece)
		link = &follow(link)->hash_next;
	lead_to(link, follow(&piece->hash_next));
	g_queue_unlink(&cache->lru, &piece->link);
	if (piece->dirty)
		cache->dirty[piece->kind]--;
	cache->used--;
	piece->gone = epoch_now(q->epoch);
	g_queue_push_tail_link(&cache->gone, &piece->link);
	free_gone(q);
}

void qcow2_cache_release(struct qcow2 *q)
{
	struct qcow2_cache *cache = &q->cache;

	while (cache->lru.head)
		forget(q, cache->lru.head->data);
	while (cache->gone.head) {
		struct qcow2_piece *piece = cache->gone.head->data;

		g_queue_unlink(&cache->gone, &piece->link);
		g_free(piece);
	}
	g_free(cache->hash);
	cache->hash = NULL;
}

void qcow2_cache_dirty(struct qcow2 *q, struct qcow2_piece *piece)
{
	if (!piece->dirty)
		q->cache.dirty[piece->kind]++;
	piece->dirty = true;
}

static void now_clean(struct qcow2 *q, struct qcow2_piece *piece)
{
	piece->dirty = false;
	q->cache.dirty[piece->kind]--;
}

static bool write_piece(struct qcow2 *q, struct qcow2_piece *piece, GError **error)
{
	if (!qcow2_file_write(q, piece->off, piece->bytes, q->cache.piece, piece_names[piece->kind],
			      error))
		return false;
	now_clean(q, piece);
	return true;
}

/* Of @n pieces the first ones, as many as are behind each other and have room in @buf; returns those. */
static unsigned write_run(struct qcow2 *q, struct qcow2_piece **pieces, unsigned n,
			  uint8_t buf[CHUNK], GError **error)
{
	const size_t size = q->cache.piece;
	unsigned run = 1;

	while (run < n && (run + 1) * size <= CHUNK &&
	       pieces[run]->off == pieces[run - 1]->off + size)
		run++;
	if (run == 1)
		return write_piece(q, pieces[0], error);
	for (unsigned i = 0; i < run; i++)
		memcpy(buf + i * size, pieces[i]->bytes, size);
	if (!qcow2_file_write(q, pieces[0]->off, buf, run * size, piece_names[pieces[0]->kind],
			      error))
		return 0;
	for (unsigned i = 0; i < run; i++)
		now_clean(q, pieces[i]);
	return run;
}

static int by_offset(const void *a, const void *b)
{
	const struct qcow2_piece *const *x = a, *const *y = b;

	return (*x)->off < (*y)->off ? -1 : (*x)->off > (*y)->off;
}

bool qcow2_cache_write(struct qcow2 *q, enum qcow2_piece_kind kind, GError **error)
{
	g_autofree struct qcow2_piece **pieces = NULL;
	g_autofree uint8_t *buf = NULL;
	unsigned n = 0;

	if (!q->cache.dirty[kind])
		return true;
	buf = g_malloc(CHUNK);
	pieces = g_new(struct qcow2_piece *, q->cache.dirty[kind]);
	for (GList *l = q->cache.lru.head; l; l = l->next) {
		struct qcow2_piece *piece = l->data;

		if (piece->dirty && piece->kind == kind)
			pieces[n++] = piece;
	}
	qsort(pieces, n, sizeof(*pieces), by_offset);
	for (unsigned done = 0; done < n;) {
		const unsigned run = write_run(q, pieces + done, n - done, buf, error);

		if (!run)
			return false;
		done += run;
	}
	return true;
}

static void make_youngest(struct qcow2_cache *cache, struct qcow2_piece *piece)
{
	if (cache->lru.head == &piece->link)
		return;
	g_queue_unlink(&cache->lru, &piece->link);
	g_queue_push_head_link(&cache->lru, &piece->link);
}

/*
 * One that may go at once: the oldest that is clean, or one of counts, which is then. Who reads does
 * not change the order, and says only that he wants it: such a piece is the youngest now.
 */
static struct qcow2_piece *find_victim(struct qcow2 *q, GError **error)
{
	struct qcow2_piece *counts = NULL;
	unsigned favours = q->cache.used; /* they may be faster than we are */

	for (GList *l = q->cache.lru.tail, *next; l; l = next) {
		struct qcow2_piece *piece = l->data;

		next = l->prev;
		if (favours &&
		    atomic_exchange_explicit(&piece->wanted, false, memory_order_relaxed)) {
			favours--;
			make_youngest(&q->cache, piece);
			next = next ? next : q->cache.lru.tail;
			continue;
		}
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
		forget(q, victim);
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
		make_youngest(cache, piece);
		return piece;
	}
	if (!make_room(q, error))
		return NULL;
	/* A flush for room ends quarantines, which may have needed the very same piece. */
	if (find(cache, off))
		return qcow2_cache_get(q, kind, off, error);
	piece = g_malloc(sizeof(*piece) + cache->piece);
	*piece = (struct qcow2_piece){ .off = off, .kind = kind, .link = { .data = piece } };
	if (!load_piece(q, piece, error)) {
		g_free(piece);
		return NULL;
	}
	lead_to(&piece->hash_next, follow(bucket(cache, off)));
	lead_to(bucket(cache, off), piece);
	g_queue_push_head_link(&cache->lru, &piece->link);
	cache->used++;
	return piece;
}

void qcow2_cache_drop(struct qcow2 *q, uint64_t off, uint64_t len)
{
	for (uint64_t at = off; at < off + len; at += q->cache.piece) {
		struct qcow2_piece *piece = find(&q->cache, at);

		if (piece)
			forget(q, piece);
	}
}
