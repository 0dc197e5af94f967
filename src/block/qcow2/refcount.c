/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * refcount.c - reference counts of a qcow2 image: allocation, freeing, growth of the tables
 *
 * A cluster is free if its count is 0, asked anew each time; the hint only says where no look is
 * needed. A count goes up at once in the cache, and down when its quarantine is over.
 *
 * Where no refcount block is, extend() puts new ones, a longer table if they need one, and what was
 * asked for, behind the end of all that is used. New blocks are written whole before any table in
 * memory names them, so that nothing is half done when a write fails.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "block/qcow2/qcow2-int.h"

static const char *const use_names[] = {
	[QCOW2_USE_HEADER] = "header",
	[QCOW2_USE_L1] = "L1 table",
	[QCOW2_USE_L2] = "L2 table",
	[QCOW2_USE_REFTABLE] = "reference count table",
	[QCOW2_USE_COUNTS] = "reference counts",
	[QCOW2_USE_SNAPSHOTS] = "list of snapshots",
	[QCOW2_USE_SNAPSHOT_L1] = "L1 table of a snapshot",
	[QCOW2_USE_BITMAPS] = "bitmaps",
	[QCOW2_USE_LUKS] = "LUKS header",
};

/* ---- what clusters are used for ---- */

void qcow2_use(struct qcow2 *q, uint64_t off, uint64_t len, enum qcow2_use use)
{
	for (uint64_t i = off >> q->cluster_bits; q->uses && i < qcow2_clusters(q, off + len); i++)
		g_hash_table_insert(q->uses, GSIZE_TO_POINTER(i), GINT_TO_POINTER(use));
	q->uses_end = MAX(q->uses_end, qcow2_clusters(q, off + len));
}

void qcow2_unuse(struct qcow2 *q, uint64_t off, uint64_t len)
{
	for (uint64_t i = off >> q->cluster_bits; q->uses && i < qcow2_clusters(q, off + len); i++)
		g_hash_table_remove(q->uses, GSIZE_TO_POINTER(i));
}

bool qcow2_check_overlap(struct qcow2 *q, uint64_t off, uint64_t len, GError **error)
{
	const uint64_t end = q->uses ? MIN(qcow2_clusters(q, off + len), q->uses_end) : 0;

	for (uint64_t i = off >> q->cluster_bits; i < end; i++) {
		const int use = GPOINTER_TO_INT(g_hash_table_lookup(q->uses, GSIZE_TO_POINTER(i)));

		if (use)
			return qcow2_mark_corrupt(q, error,
						  "would have its %s at %#" PRIx64 " overwritten",
						  use_names[use], i << q->cluster_bits);
	}
	return true;
}

/* ---- one count ---- */

uint64_t qcow2_count_in(unsigned order, const uint8_t *bytes, uint64_t index)
{
	const unsigned bits = 1u << order;

	switch (order) {
	case 3:
		return bytes[index];
	case 4:
		return get_be16(bytes + index * 2);
	case 5:
		return get_be32(bytes + index * 4);
	case 6:
		return get_be64(bytes + index * 8);
	default:
		return bytes[index * bits / 8] >> (index * bits % 8) & ((1u << bits) - 1);
	}
}

void qcow2_set_count_in(unsigned order, uint8_t *bytes, uint64_t index, uint64_t count)
{
	const unsigned bits = 1u << order;
	const unsigned shift = (unsigned)(index * bits % 8);
	const unsigned mask = ((1u << MIN(bits, 8u)) - 1) << shift;

	switch (order) {
	case 3:
		bytes[index] = (uint8_t)count;
		return;
	case 4:
		put_be16(bytes + index * 2, (uint16_t)count);
		return;
	case 5:
		put_be32(bytes + index * 4, (uint32_t)count);
		return;
	case 6:
		put_be64(bytes + index * 8, count);
		return;
	default:
		bytes[index * bits / 8] =
			(uint8_t)((bytes[index * bits / 8] & ~mask) | (unsigned)count << shift);
	}
}

static uint64_t count_in(const struct qcow2 *q, const uint8_t *bytes, uint64_t index)
{
	return qcow2_count_in(q->header->refcount_order, bytes, index);
}

static void set_count_in(const struct qcow2 *q, uint8_t *bytes, uint64_t index, uint64_t count)
{
	qcow2_set_count_in(q->header->refcount_order, bytes, index, count);
}

void qcow2_take_width(struct qcow2 *q)
{
	const unsigned order = q->header->refcount_order;

	q->block_bits = q->header->cluster_bits + 3 - order;
	q->count_max = order == 6 ? UINT64_MAX : (UINT64_C(1) << (1u << order)) - 1;
}

static uint64_t per_block(const struct qcow2 *q)
{
	return UINT64_C(1) << q->block_bits;
}

/* Counts in a piece of the cache. */
static uint64_t per_piece(const struct qcow2 *q)
{
	return q->cache.piece * 8 >> q->header->refcount_order;
}

bool qcow2_count_block(struct qcow2 *q, uint64_t cluster, uint64_t *ret_off, GError **error)
{
	const uint64_t index = cluster >> q->block_bits;
	uint64_t off;

	*ret_off = 0;
	if (index >= q->reftable.size)
		return true;
	off = q->reftable.entry[index];
	if (off & ~QCOW2_OFFSET || off & (qcow2_cluster_size(q) - 1))
		return qcow2_mark_corrupt(
			q, error, "has reference counts at %#" PRIx64 ", where none can be", off);
	*ret_off = off;
	return true;
}

/* The piece that has a cluster's count; NULL without an error: there is none. */
static bool piece_of(struct qcow2 *q, uint64_t cluster, struct qcow2_piece **ret, GError **error)
{
	const uint64_t in_block = cluster & (per_block(q) - 1);
	uint64_t off;

	*ret = NULL;
	if (!qcow2_count_block(q, cluster, &off, error))
		return false;
	if (!off)
		return true;
	*ret = qcow2_cache_get(q, QCOW2_PIECE_COUNTS,
			       off + in_block / per_piece(q) * q->cache.piece, error);
	return *ret;
}

bool qcow2_get_count(struct qcow2 *q, uint64_t cluster, uint64_t *ret, GError **error)
{
	struct qcow2_piece *piece;

	*ret = 0;
	if (!piece_of(q, cluster, &piece, error))
		return false;
	if (piece)
		*ret = count_in(q, piece->bytes, cluster & (per_piece(q) - 1));
	return true;
}

bool qcow2_peek_count(struct qcow2 *q, uint64_t cluster, uint64_t *ret)
{
	const uint64_t index = cluster >> q->block_bits, in_block = cluster & (per_block(q) - 1);
	const uint64_t off = index < q->reftable.size ? q->reftable.entry[index] : 0;
	const struct qcow2_piece *piece;

	piece = off ? qcow2_cache_peek(q, off + in_block / per_piece(q) * q->cache.piece) : NULL;
	if (piece)
		*ret = count_in(q, piece->bytes, cluster & (per_piece(q) - 1));
	return piece;
}

static bool add_one(struct qcow2 *q, uint64_t cluster, int add, GError **error)
{
	struct qcow2_piece *piece;
	uint64_t count;

	if (!piece_of(q, cluster, &piece, error))
		return false;
	count = piece ? count_in(q, piece->bytes, cluster & (per_piece(q) - 1)) : 0;
	if (add < 0 ? !count : !piece)
		return qcow2_mark_corrupt(
			q, error, "uses cluster %" PRIu64 ", which nobody has allocated", cluster);
	if (add > 0 && count == q->count_max)
		return error_set(
			error, SOCLE_ERROR_LIMIT,
			"image '%s' has too many references to one cluster for its "
			"reference counts; widen them with `socle-img amend -o refcount_bits=64`",
			q->name);
	count = add < 0 ? count - 1 : count + 1;
	set_count_in(q, piece->bytes, cluster & (per_piece(q) - 1), count);
	qcow2_cache_dirty(q, piece);
	if (count)
		q->end = MAX(q->end, cluster + 1);
	else
		q->hint = MIN(q->hint, cluster);
	if (!count)
		qcow2_cache_drop(q, cluster << q->cluster_bits, qcow2_cluster_size(q));
	return true;
}

bool qcow2_add_count(struct qcow2 *q, uint64_t cluster, uint64_t n, int add, GError **error)
{
	for (uint64_t i = 0; i < n; i++) {
		if (add_one(q, cluster + i, add, error))
			continue;
		while (i--)
			(void)add_one(q, cluster + i, -add, NULL);
		return false;
	}
	return true;
}

/* ---- growth ---- */

/* What extend() puts behind the end, in this order. */
struct extension {
	uint64_t begin;
	uint64_t table;  /* clusters of a new table of blocks; 0: the one there is will do */
	uint64_t blocks; /* new ones */
	uint64_t payload;
};

static uint64_t extension_end(const struct extension *e)
{
	return e->begin + e->table + e->blocks + e->payload;
}

static bool has_block(const struct qcow2 *q, uint64_t index)
{
	return index < q->reftable.size && q->reftable.entry[index];
}

/* Until nothing is added any more: blocks and table need counts, too. */
static bool plan(struct qcow2 *q, struct extension *e, GError **error)
{
	const uint64_t per_cluster = qcow2_cluster_size(q) / 8;

	for (;;) {
		const uint64_t last = (extension_end(e) - 1) >> q->block_bits;
		uint64_t blocks = 0, table = 0;

		if (last >= q->reftable.size)
			table = MAX(last + 1, q->reftable.size * UINT64_C(3) / 2) / per_cluster + 1;
		if (table << q->cluster_bits > QCOW2_MAX_REFTABLE)
			table = QCOW2_MAX_REFTABLE >> q->cluster_bits;
		if (last >= MAX(table * per_cluster, q->reftable.size) ||
		    extension_end(e) << q->cluster_bits >= QCOW2_END)
			return error_set(error, SOCLE_ERROR_LIMIT,
					 "image '%s' cannot grow any more: its table of reference "
					 "counts is full; convert it to one with larger clusters",
					 q->name);
		for (uint64_t i = e->begin >> q->block_bits; i <= last; i++)
			blocks += !has_block(q, i);
		if (blocks <= e->blocks && table <= e->table)
			return true;
		e->blocks = MAX(blocks, e->blocks);
		e->table = MAX(table, e->table);
	}
}

/* Clusters of the extension that blocks there are already count: +1, or none of them. */
static bool count_known(struct qcow2 *q, const struct extension *e, int add, GError **error)
{
	for (uint64_t i = e->begin; i < extension_end(e); i++) {
		if (!has_block(q, i >> q->block_bits) || add_one(q, i, add, error))
			continue;
		while (add > 0 && i-- > e->begin) {
			if (has_block(q, i >> q->block_bits))
				(void)add_one(q, i, -add, NULL);
		}
		return false;
	}
	return true;
}

static bool write_blocks(struct qcow2 *q, const struct extension *e, GError **error)
{
	const uint64_t size = qcow2_cluster_size(q);
	g_autofree uint8_t *block = g_malloc(size);
	uint64_t at = e->begin + e->table, last = at + e->blocks;
	uint64_t index = e->begin >> q->block_bits;

	for (; at < last; at++, index++) {
		uint64_t i, to;

		while (has_block(q, index))
			index++;
		memset(block, 0, size);
		i = MAX(e->begin, index << q->block_bits);
		to = MIN(extension_end(e), (index + 1) << q->block_bits);
		for (; i < to; i++)
			set_count_in(q, block, i & (per_block(q) - 1), 1);
		if (!qcow2_file_write(q, at << q->cluster_bits, block, size, "reference counts",
				      error))
			return false;
	}
	return true;
}

static void link_blocks(struct qcow2 *q, const struct extension *e, struct qcow2_table *table)
{
	uint64_t index = e->begin >> q->block_bits;

	for (uint64_t k = 0; k < e->blocks; k++) {
		const uint64_t at = (e->begin + e->table + k) << q->cluster_bits;

		while (table->entry[index])
			index++;
		qcow2_table_set(table, (uint32_t)index, at);
		qcow2_use(q, at, qcow2_cluster_size(q), QCOW2_USE_COUNTS);
	}
}

/* The longer table, with the new blocks, durably in the header; the old one goes. */
static bool switch_table(struct qcow2 *q, const struct extension *e, GError **error)
{
	const uint32_t size = (uint32_t)((e->table << q->cluster_bits) / 8);
	const uint64_t old_off = q->reftable.off, off = e->begin << q->cluster_bits;
	const uint64_t old_clusters = q->header->reftable_clusters;
	struct qcow2_table table = {
		.off = off,
		.size = size,
		.entry = g_new0(uint64_t, size),
		.dirty = g_malloc0(size * 8 / QCOW2_SECTOR),
	};

	memcpy(table.entry, q->reftable.entry, (size_t)q->reftable.size * 8);
	link_blocks(q, e, &table);
	if (!qcow2_write_counts(q, error) ||
	    !qcow2_table_write_all(q, off, table.entry, size, "reference count table", error) ||
	    !qcow2_sync(q, error)) {
		qcow2_unuse(q, (e->begin + e->table) << q->cluster_bits,
			    e->blocks << q->cluster_bits);
		qcow2_table_release(&table);
		return false;
	}
	memset(table.dirty, 0, size * 8 / QCOW2_SECTOR);
	table.any_dirty = false;
	qcow2_table_release(&q->reftable);
	q->reftable = table;
	q->header->reftable_off = off;
	q->header->reftable_clusters = (uint32_t)e->table;
	qcow2_use(q, off, e->table << q->cluster_bits, QCOW2_USE_REFTABLE);
	if (!qcow2_update_header(q, error))
		return false;
	qcow2_unuse(q, old_off, old_clusters << q->cluster_bits);
	return qcow2_add_count(q, old_off >> q->cluster_bits, old_clusters, -1, error);
}

/* @n clusters behind all others, and the counts that they need. */
static bool extend(struct qcow2 *q, uint64_t n, uint64_t *ret, GError **error)
{
	struct extension e = { .begin = q->end, .payload = n };

	if (!plan(q, &e, error))
		return false;
	/* Somebody may have counted clusters that the file does not have. */
	for (uint64_t i = e.begin; i < extension_end(&e); i++) {
		uint64_t count;

		if (!qcow2_get_count(q, i, &count, error))
			return false;
		if (!count)
			continue;
		e = (struct extension){ .begin = i + 1, .payload = n };
		if (!plan(q, &e, error))
			return false;
		i = e.begin - 1;
	}
	if (!write_blocks(q, &e, error) || !count_known(q, &e, 1, error))
		return false;
	if (e.table && !switch_table(q, &e, error)) {
		if (!q->broken && q->reftable.off != e.begin << q->cluster_bits)
			(void)count_known(q, &e, -1, NULL);
		return false;
	}
	if (!e.table)
		link_blocks(q, &e, &q->reftable);
	/* What a new block has in front of them is free. */
	if (e.blocks)
		q->hint = MIN(q->hint, e.begin >> q->block_bits << q->block_bits);
	q->end = extension_end(&e);
	*ret = q->end - n;
	return true;
}

/* ---- allocation ---- */

static bool check_new(struct qcow2 *q, uint64_t cluster, uint64_t n, GError **error)
{
	if (qcow2_check_overlap(q, cluster << q->cluster_bits, n << q->cluster_bits, error))
		return true;
	qcow2_unalloc(q, cluster, n);
	return false;
}

/* In one piece of counts, from @cluster on: the first that is free; @n of them, at most as given. */
static uint64_t scan(const struct qcow2 *q, const struct qcow2_piece *piece, uint64_t cluster,
		     uint64_t *n)
{
	const uint64_t max = *n, mask = per_piece(q) - 1;
	uint64_t i = cluster & mask, found;

	while (i <= mask && count_in(q, piece->bytes, i))
		i++;
	found = i;
	while (i <= mask && i - found < max && !count_in(q, piece->bytes, i))
		i++;
	*n = i - found;
	return (cluster & ~mask) + found;
}

bool qcow2_alloc(struct qcow2 *q, uint64_t n, uint64_t *ret_cluster, uint64_t *ret_n,
		 GError **error)
{
	while (q->hint < MAX(q->end, 1) || has_block(q, q->hint >> q->block_bits)) {
		const uint64_t from = q->hint;
		uint64_t got = n, cluster;
		struct qcow2_piece *piece;

		if (!piece_of(q, from, &piece, error))
			return false;
		/* To make room in the cache may have ended a quarantine. */
		if (q->hint != from)
			continue;
		if (!piece) {
			q->hint = ((q->hint >> q->block_bits) + 1) << q->block_bits;
			continue;
		}
		cluster = scan(q, piece, from, &got);
		q->hint = cluster;
		if (!got)
			continue;
		for (uint64_t i = cluster; i < cluster + got; i++)
			set_count_in(q, piece->bytes, i & (per_piece(q) - 1), 1);
		qcow2_cache_dirty(q, piece);
		q->hint = cluster + got;
		q->end = MAX(q->end, cluster + got);
		*ret_cluster = cluster;
		*ret_n = got;
		return check_new(q, cluster, got, error);
	}
	if (!extend(q, n, ret_cluster, error))
		return false;
	*ret_n = n;
	return check_new(q, *ret_cluster, n, error);
}

bool qcow2_alloc_all(struct qcow2 *q, uint64_t n, uint64_t *ret_cluster, GError **error)
{
	uint64_t got;

	if (n == 1)
		return qcow2_alloc(q, 1, ret_cluster, &got, error);
	return extend(q, n, ret_cluster, error) && check_new(q, *ret_cluster, n, error);
}

bool qcow2_alloc_at(struct qcow2 *q, uint64_t cluster, bool *ret_done, GError **error)
{
	uint64_t count;

	*ret_done = false;
	if (!has_block(q, cluster >> q->block_bits))
		return true;
	if (!qcow2_get_count(q, cluster, &count, error))
		return false;
	if (count)
		return true;
	*ret_done = add_one(q, cluster, 1, error) && check_new(q, cluster, 1, error);
	return *ret_done;
}

void qcow2_unalloc(struct qcow2 *q, uint64_t cluster, uint64_t n)
{
	/* If that fails the clusters are lost, which is a leak. */
	(void)qcow2_add_count(q, cluster, n, -1, NULL);
}

/* ---- freeing ---- */

void qcow2_free_later(struct qcow2 *q, uint64_t cluster, uint64_t n)
{
	struct qcow2_quarantined *last =
		q->quarantine->len ? &g_array_index(q->quarantine, struct qcow2_quarantined,
						    q->quarantine->len - 1)
				   : NULL;
	const struct qcow2_quarantined range = { cluster, n };

	if (q->tail >> q->cluster_bits >= cluster && q->tail >> q->cluster_bits < cluster + n)
		q->tail = 0;
	if (last && last->cluster + last->count == cluster)
		last->count += n;
	else
		g_array_append_val(q->quarantine, range);
}

void qcow2_give_back(struct qcow2 *q, uint64_t cluster, uint64_t n)
{
	const uint64_t off = cluster << q->cluster_bits, len = n << q->cluster_bits;
	const int64_t size = block_file_size(q->file);

	if (size > 0 && off < (uint64_t)size)
		(void)block_file_punch(q->file, off, MIN(len, (uint64_t)size - off));
}

static bool release(struct qcow2 *q, struct qcow2_quarantined *range, GError **error)
{
	uint64_t free_from = range->cluster, free_n = 0;

	while (range->count) {
		uint64_t count = 0;

		if (!qcow2_get_count(q, range->cluster, &count, error) ||
		    !add_one(q, range->cluster, -1, error))
			break;
		if (count == 1 && !free_n++)
			free_from = range->cluster;
		range->cluster++;
		range->count--;
		if (count > 1 && free_n) {
			qcow2_give_back(q, free_from, free_n);
			free_n = 0;
		}
	}
	if (free_n)
		qcow2_give_back(q, free_from, free_n);
	return !range->count;
}

bool qcow2_drain_quarantine(struct qcow2 *q, GError **error)
{
	bool ok = true;
	guint i;

	/* Who has found a cluster before it went here may be at it still. */
	if (q->quarantine->len)
		epoch_wait(q->epoch);
	for (i = 0; ok && i < q->quarantine->len; i++)
		ok = release(q, &g_array_index(q->quarantine, struct qcow2_quarantined, i), error);
	g_array_remove_range(q->quarantine, 0, ok ? i : i - 1);
	return ok;
}

bool qcow2_write_counts(struct qcow2 *q, GError **error)
{
	if (!qcow2_cache_write(q, QCOW2_PIECE_COUNTS, error))
		return false;
	if (!q->reftable.any_dirty)
		return true;
	return qcow2_sync(q, error) &&
	       qcow2_table_write(q, &q->reftable, "reference count table", error);
}

/* ---- repair ---- */

void qcow2_forget_block(struct qcow2 *q, uint64_t index)
{
	if (index < q->reftable.size)
		qcow2_table_set(&q->reftable, (uint32_t)index, 0);
}

/* A block of its own for counts that have none. */
static bool make_block(struct qcow2 *q, uint64_t index, GError **error)
{
	uint64_t cluster;

	if (index >= q->reftable.size || !extend(q, 1, &cluster, error))
		return qcow2_bad(q, error, "has clusters that no count can be for");
	/* extend() may have made it, for what is behind the end. */
	if (q->reftable.entry[index]) {
		qcow2_unalloc(q, cluster, 1);
		return true;
	}
	if (!qcow2_file_zero(q, cluster << q->cluster_bits, qcow2_cluster_size(q), error))
		return false;
	qcow2_table_set(&q->reftable, (uint32_t)index, cluster << q->cluster_bits);
	qcow2_use(q, cluster << q->cluster_bits, qcow2_cluster_size(q), QCOW2_USE_COUNTS);
	return true;
}

bool qcow2_set_count(struct qcow2 *q, uint64_t cluster, uint64_t count, GError **error)
{
	struct qcow2_piece *piece;

	if (count > q->count_max)
		return error_set(error, SOCLE_ERROR_LIMIT,
				 "image '%s' has more references to one cluster than its reference "
				 "counts can say; widen them with `socle-img amend -o "
				 "refcount_bits=64`, then repair it",
				 q->name);
	if (!has_block(q, cluster >> q->block_bits) && count &&
	    !make_block(q, cluster >> q->block_bits, error))
		return false;
	if (!piece_of(q, cluster, &piece, error))
		return false;
	if (!piece)
		return true;
	set_count_in(q, piece->bytes, cluster & (per_piece(q) - 1), count);
	qcow2_cache_dirty(q, piece);
	return true;
}
