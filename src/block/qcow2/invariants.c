/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * invariants.c - does what is in memory of a qcow2 image agree with itself? For tests only
 *
 * What is said of the file itself (the head of qcow2.c) only a power cut can show.
 */
#include <assert.h>

#include "block/qcow2/qcow2-int.h"

enum {
	LOOK = 16, /* at so many of each kind, as this is done often */
};

/* Without reading, which could fail, or make the cache be written: what is not there is fine. */
static bool is_counted(struct qcow2 *q, uint64_t cluster)
{
	uint64_t count;

	return !qcow2_peek_count(q, cluster, &count) || count;
}

static void assert_cache(const struct qcow2_cache *cache)
{
	unsigned used = 0, dirty[QCOW2_PIECE_KINDS] = { 0 };

	for (const GList *l = cache->lru.head; l; l = l->next) {
		const struct qcow2_piece *piece = l->data;

		assert(piece->off % cache->piece == 0);
		used++;
		dirty[piece->kind] += piece->dirty;
	}
	assert(used == cache->used && used <= cache->slots);
	for (unsigned i = 0; i < QCOW2_PIECE_KINDS; i++)
		assert(dirty[i] == cache->dirty[i]);
}

/* Who is in quarantine is not free; nobody allocates where compressed data may go on. */
static void assert_counts(struct qcow2 *q)
{
	for (guint i = 0; i < q->quarantine->len && i < LOOK; i++) {
		const struct qcow2_quarantined *range =
			&g_array_index(q->quarantine, struct qcow2_quarantined, i);

		for (uint64_t k = 0; k < range->count && k < LOOK; k++)
			assert(is_counted(q, range->cluster + k));
	}
	if (q->tail)
		assert(is_counted(q, q->tail >> q->cluster_bits));
	/* No cluster below the hint is free. */
	for (uint64_t i = q->hint > LOOK ? q->hint - LOOK : 0; i < q->hint && i < q->end; i++)
		assert(is_counted(q, i));
}

/* Nothing of the guest's goes where tables are. */
static void assert_uses(struct qcow2 *q)
{
	for (uint32_t i = 0; i < q->l1.size; i++) {
		const uint64_t table = q->l1.entry[i] & QCOW2_OFFSET;

		if (table)
			assert(g_hash_table_contains(q->uses,
						     GSIZE_TO_POINTER(table >> q->cluster_bits)));
	}
	for (uint32_t i = 0; i < q->reftable.size; i++) {
		const uint64_t block = q->reftable.entry[i] & QCOW2_OFFSET;

		if (block)
			assert(g_hash_table_contains(q->uses,
						     GSIZE_TO_POINTER(block >> q->cluster_bits)));
	}
}

void qcow2_assert(struct qcow2 *q, bool flushed)
{
	if (!qcow2_test_checks || q->broken)
		return;
	assert_cache(&q->cache);
	assert_counts(q);
	if (!flushed)
		return;
	assert_uses(q);
	assert(!q->quarantine->len && !q->l1.any_dirty && !q->cache.dirty[QCOW2_PIECE_L2]);
}
