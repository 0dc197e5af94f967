/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * width.c - the reference counts of a qcow2 image get another width
 *
 * A new table and new blocks are written behind the end of all that is used, where nobody refers to
 * them, and are durable before one write of the header's first sector says where they are and how
 * wide a count is. They count themselves, and what the old ones took no more: so at every moment the
 * counts that the header leads to are right, and nothing is lost by a power cut.
 */
#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "block/qcow2/qcow2-int.h"

enum {
	MAX_BLOCKS = QCOW2_MAX_REFTABLE / 8,
};

struct width {
	struct qcow2 *q;
	unsigned order, block_bits; /* the new ones */
	uint64_t begin;             /* of the new table's clusters; the blocks' follow */
	uint64_t table, blocks;
	uint64_t last;   /* the highest block that counts need */
	uint8_t *needed; /* is the block with that index? MAX_BLOCKS */
	uint8_t *old;    /* the bytes of an old block */
	uint64_t loaded; /* its index */
	GArray *freed;   /* uint64_t: clusters that only the old table and blocks had */
};

/* ---- the old counts ---- */

static bool load(struct width *w, uint64_t index, GError **error)
{
	struct qcow2 *q = w->q;
	uint64_t off;

	if (w->loaded == index)
		return true;
	w->loaded = UINT64_MAX;
	if (!qcow2_count_block(q, index << q->block_bits, &off, error))
		return false;
	if (!off)
		memset(w->old, 0, qcow2_cluster_size(q));
	else if (!qcow2_file_read(q, off, w->old, qcow2_cluster_size(q), "reference counts", error))
		return false;
	w->loaded = index;
	return true;
}

static bool is_old(const struct width *w, uint64_t cluster)
{
	const int use = GPOINTER_TO_INT(g_hash_table_lookup(w->q->uses, GSIZE_TO_POINTER(cluster)));

	return use == QCOW2_USE_REFTABLE || use == QCOW2_USE_COUNTS;
}

/* Of the block that is loaded; the old table and blocks have no reference any more then. */
static uint64_t count_of(const struct width *w, uint64_t cluster)
{
	const uint64_t mask = (UINT64_C(1) << w->q->block_bits) - 1;
	const uint64_t count = qcow2_count_in(w->q->header->refcount_order, w->old, cluster & mask);

	return count && is_old(w, cluster) ? count - 1 : count;
}

static bool too_large(const struct width *w, GError **error)
{
	return error_set(error, SOCLE_ERROR_LIMIT,
			 "the table of reference counts of image '%s' would become too large for "
			 "counts of %u bits; convert it to one with larger clusters",
			 w->q->name, 1u << w->order);
}

static bool scan_block(struct width *w, uint64_t index, GError **error)
{
	const unsigned bits = 1u << w->order;
	const uint64_t max = bits == 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1;
	const uint64_t from = index << w->q->block_bits;

	if (!load(w, index, error))
		return false;
	for (uint64_t i = from; i < from + (UINT64_C(1) << w->q->block_bits); i++) {
		const uint64_t count = count_of(w, i);

		if (!count && is_old(w, i))
			g_array_append_val(w->freed, i);
		if (!count)
			continue;
		if (count > max)
			return error_set(error, SOCLE_ERROR_LIMIT,
					 "Cannot decrease refcount entry width to %u bits: Cluster "
					 "at offset %#" PRIx64 " has a refcount of %" PRIu64,
					 bits, i << w->q->cluster_bits, count);
		w->last = i >> w->block_bits;
		if (w->last >= MAX_BLOCKS)
			return too_large(w, error);
		w->needed[w->last] = 1;
	}
	return true;
}

/* Which blocks are needed, and does every count fit? */
static bool scan(struct width *w, GError **error)
{
	for (uint64_t i = 0; i < w->q->reftable.size; i++) {
		if (w->q->reftable.entry[i] && !scan_block(w, i, error))
			return false;
	}
	return true;
}

/* ---- the place for the new ones ---- */

static uint64_t end_of(const struct width *w)
{
	return w->begin + w->table + w->blocks;
}

/* Until nothing is added any more: they count themselves. */
static bool plan(struct width *w, GError **error)
{
	const uint64_t per_cluster = qcow2_cluster_size(w->q) / 8;

	w->table = w->blocks = 1;
	for (;;) {
		const uint64_t first = w->begin >> w->block_bits;
		const uint64_t last = (end_of(w) - 1) >> w->block_bits;
		const uint64_t table = MAX(last, w->last) / per_cluster + 1;
		uint64_t blocks = 0;

		if (last >= MAX_BLOCKS || table << w->q->cluster_bits > QCOW2_MAX_REFTABLE)
			return too_large(w, error);
		for (uint64_t i = 0; i <= MAX(last, w->last); i++)
			blocks += w->needed[i] || (i >= first && i <= last);
		if (blocks <= w->blocks && table <= w->table)
			break;
		w->blocks = MAX(blocks, w->blocks);
		w->table = MAX(table, w->table);
	}
	return true;
}

/* Somebody may have counted clusters that the file does not have. */
static bool find_place(struct width *w, GError **error)
{
	w->begin = w->q->end;
	if (!plan(w, error))
		return false;
	for (uint64_t i = w->begin; i < end_of(w); i++) {
		uint64_t count;

		if (!qcow2_get_count(w->q, i, &count, error))
			return false;
		if (!count)
			continue;
		w->begin = i + 1;
		if (!plan(w, error))
			return false;
	}
	/* One block more than were needed may have been planned: it is as good as the others. */
	for (uint64_t i = w->begin; i < end_of(w); i++)
		w->needed[i >> w->block_bits] = 1;
	return true;
}

/* ---- writing ---- */

static bool fill(struct width *w, uint64_t index, uint8_t *block, GError **error)
{
	const uint64_t from = index << w->block_bits, to = from + (UINT64_C(1) << w->block_bits);

	memset(block, 0, qcow2_cluster_size(w->q));
	for (uint64_t i = from; i < to; i++) {
		uint64_t count = i >= w->begin && i < end_of(w);

		if (!count && i >> w->q->block_bits < w->q->reftable.size) {
			if (!load(w, i >> w->q->block_bits, error))
				return false;
			count = count_of(w, i);
		}
		qcow2_set_count_in(w->order, block, i - from, count);
	}
	return true;
}

/* Blocks and table, durably. */
static bool write_new(struct width *w, struct qcow2_table *table, GError **error)
{
	struct qcow2 *q = w->q;
	g_autofree uint8_t *block = g_malloc(qcow2_cluster_size(q));
	uint64_t at = w->begin + w->table;

	for (uint64_t i = 0; i < table->size; i++) {
		if (!w->needed[i])
			continue;
		table->entry[i] = at++ << q->cluster_bits;
		if (!fill(w, i, block, error) ||
		    !qcow2_file_write(q, table->entry[i], block, qcow2_cluster_size(q),
				      "reference counts", error))
			return false;
	}
	return qcow2_table_write_all(q, table->off, table->entry, table->size,
				     "reference count table", error) &&
	       qcow2_sync(q, error);
}

static void use_blocks(struct qcow2 *q, bool use)
{
	const uint64_t size = qcow2_cluster_size(q);

	for (uint32_t i = 0; i < q->reftable.size; i++) {
		const uint64_t off = q->reftable.entry[i] & QCOW2_OFFSET;

		if (!off)
			continue;
		if (use) {
			qcow2_use(q, off, size, QCOW2_USE_COUNTS);
			continue;
		}
		qcow2_unuse(q, off, size);
		qcow2_cache_drop(q, off, size);
	}
}

static void give_back(struct width *w)
{
	for (guint i = 0; i < w->freed->len; i++)
		qcow2_give_back(w->q, g_array_index(w->freed, uint64_t, i), 1);
}

static bool switch_over(struct width *w, struct qcow2_table *table, GError **error)
{
	struct qcow2 *q = w->q;
	struct qcow2_header *h = q->header;
	struct qcow2_table old = q->reftable;
	const uint64_t old_clusters = h->reftable_clusters;
	bool ok;

	use_blocks(q, false);
	qcow2_unuse(q, old.off, old_clusters << q->cluster_bits);
	h->refcount_order = w->order;
	h->reftable_off = table->off;
	h->reftable_clusters = (uint32_t)w->table;
	qcow2_take_width(q);
	q->reftable = *table;
	*table = (struct qcow2_table){ 0 };
	use_blocks(q, true);
	qcow2_use(q, q->reftable.off, w->table << q->cluster_bits, QCOW2_USE_REFTABLE);
	q->end = end_of(w);
	q->hint = q->tail = 0;
	ok = qcow2_update_header(q, error);
	if (ok)
		give_back(w);
	qcow2_table_release(&old);
	return ok;
}

bool qcow2_change_width(struct qcow2 *q, unsigned order, GError **error)
{
	const size_t cluster = qcow2_cluster_size(q);
	g_autofree uint8_t *needed = NULL, *old = NULL;
	g_autoptr(GArray) freed = g_array_new(FALSE, FALSE, sizeof(uint64_t));
	struct width w = { .q = q, .order = order, .loaded = UINT64_MAX, .freed = freed };
	struct qcow2_table table = { 0 };
	bool ok;

	if (order == q->header->refcount_order)
		return true;
	w.block_bits = q->cluster_bits + 3 - order;
	w.needed = needed = g_malloc0(MAX_BLOCKS);
	w.old = old = g_malloc(cluster);
	/* What is read here is what the file has. */
	if (!qcow2_write_counts(q, error) || !qcow2_sync(q, error) || !scan(&w, error) ||
	    !find_place(&w, error))
		return false;
	table.off = w.begin << q->cluster_bits;
	table.size = (uint32_t)(w.table * cluster / 8);
	table.entry = g_new0(uint64_t, table.size);
	table.dirty = g_malloc0(table.size * 8 / QCOW2_SECTOR);
	ok = write_new(&w, &table, error) && switch_over(&w, &table, error);
	qcow2_table_release(&table);
	return ok;
}
