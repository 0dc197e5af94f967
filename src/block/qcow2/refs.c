/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * refs.c - everything that an L1 table refers to: one reference more or less, and COPIED flags
 */
#include <inttypes.h>

#include "base/bytes.h"
#include "base/error.h"
#include "block/qcow2/qcow2-int.h"

enum how {
	HOW_ADD,
	HOW_TAKE_BACK, /* what was added: the first @limit of them */
	HOW_FREE_LATER,
};

struct walk {
	struct qcow2 *q;
	enum how how;
	uint64_t done, limit; /* ranges of clusters */
	GHashTable *seen;     /* tables */
	GError **error;
};

static bool change(struct walk *w, uint64_t cluster, uint64_t n)
{
	if (w->done == w->limit)
		return false;
	if (w->how == HOW_FREE_LATER)
		qcow2_free_later(w->q, cluster, n);
	else if (!qcow2_add_count(w->q, cluster, n, w->how == HOW_ADD ? 1 : -1, w->error))
		return false;
	w->done++;
	return true;
}

static bool walk_entry(struct walk *w, uint64_t entry)
{
	const struct qcow2 *q = w->q;
	const uint64_t host = entry & QCOW2_OFFSET;
	uint64_t off, len, first;

	if (!(entry & QCOW2_COMPRESSED))
		return !host || change(w, host >> q->cluster_bits, 1);
	qcow2_packed_range(q, entry, &off, &len);
	first = off >> q->cluster_bits;
	return change(w, first, ((off + len - 1) >> q->cluster_bits) - first + 1);
}

static bool walk_table(struct walk *w, uint64_t table)
{
	struct qcow2 *q = w->q;
	const size_t size = (size_t)qcow2_cluster_size(q);
	g_autofree uint8_t *bytes = g_malloc(size);

	/* Otherwise a small file could keep us busy for years. */
	if (!g_hash_table_add(w->seen, GSIZE_TO_POINTER(table)))
		return qcow2_bad(q, w->error,
				 "has an L1 table that names an L2 table twice: %#" PRIx64, table);
	if (!qcow2_file_read(q, table, bytes, size, "L2 table", w->error))
		return false;
	for (size_t i = 0; i < size; i += q->entry_len) {
		const uint64_t entry = get_be64(bytes + i);

		if (entry && !walk_entry(w, entry))
			return false;
	}
	return change(w, table >> q->cluster_bits, 1);
}

static bool walk_l1(struct walk *w, const uint64_t *l1, uint32_t size)
{
	bool ok = true;

	w->seen = g_hash_table_new(NULL, NULL);
	for (uint32_t i = 0; ok && i < size; i++) {
		const uint64_t table = l1[i] & QCOW2_OFFSET;

		if (table & (qcow2_cluster_size(w->q) - 1))
			ok = qcow2_bad(w->q, w->error,
				       "has an L1 table with an entry that cannot "
				       "be: %#" PRIx64,
				       l1[i]);
		else
			ok = !table || walk_table(w, table);
	}
	g_hash_table_unref(w->seen);
	return ok;
}

bool qcow2_ref_all(struct qcow2 *q, const uint64_t *l1, uint32_t size, GError **error)
{
	struct walk w = { .q = q, .how = HOW_ADD, .limit = UINT64_MAX, .error = error };
	struct walk back = { .q = q, .how = HOW_TAKE_BACK };

	if (walk_l1(&w, l1, size))
		return true;
	back.limit = w.done;
	(void)walk_l1(&back, l1, size);
	return false;
}

bool qcow2_unref_all(struct qcow2 *q, const uint64_t *l1, uint32_t size, bool now, GError **error)
{
	struct walk w = {
		.q = q,
		.how = now ? HOW_TAKE_BACK : HOW_FREE_LATER,
		.limit = UINT64_MAX,
		.error = error,
	};

	return walk_l1(&w, l1, size);
}

/* ---- COPIED ---- */

struct flags {
	struct qcow2 *q;
	bool clear;     /* all, whatever the counts say */
	uint64_t fixed; /* entries */
	GError **error;
};

static bool fix_entry(struct flags *f, uint64_t *entry, bool *ret_changed)
{
	const struct qcow2 *q = f->q;
	const uint64_t host = *entry & QCOW2_OFFSET;
	uint64_t count = 0, fixed;

	*ret_changed = false;
	if (*entry & QCOW2_COMPRESSED || !host || host & (qcow2_cluster_size(q) - 1))
		return true;
	if (!f->clear && !qcow2_get_count(f->q, host >> q->cluster_bits, &count, f->error))
		return false;
	fixed = (*entry & ~QCOW2_COPIED) | (count == 1 ? QCOW2_COPIED : 0);
	*ret_changed = fixed != *entry;
	*entry = fixed;
	f->fixed += *ret_changed;
	return true;
}

/* Counting may throw the table's piece out of the cache, so it is asked for anew. */
static bool fix_l2_entry(struct flags *f, uint64_t at)
{
	struct qcow2 *q = f->q;
	const uint64_t in_piece = at & (q->cache.piece - 1);
	struct qcow2_piece *piece = qcow2_cache_get(q, QCOW2_PIECE_L2, at - in_piece, f->error);
	uint64_t entry;
	bool changed;

	if (!piece)
		return false;
	entry = get_be64(piece->bytes + in_piece);
	if (!fix_entry(f, &entry, &changed))
		return false;
	if (!changed)
		return true;
	piece = qcow2_cache_get(q, QCOW2_PIECE_L2, at - in_piece, f->error);
	if (!piece)
		return false;
	qcow2_put_word(piece->bytes + in_piece, entry);
	qcow2_cache_dirty(q, piece);
	return true;
}

static bool fix_l2(struct flags *f, uint64_t table)
{
	for (uint64_t i = 0; i < qcow2_cluster_size(f->q); i += f->q->entry_len) {
		if (!fix_l2_entry(f, table + i))
			return false;
	}
	return true;
}

static bool fix_all(struct flags *f)
{
	g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
	struct qcow2 *q = f->q;

	for (uint32_t i = 0; i < q->l1.size; i++) {
		const uint64_t table = q->l1.entry[i] & QCOW2_OFFSET;
		uint64_t entry = q->l1.entry[i];
		bool changed;

		if (!table || table & (qcow2_cluster_size(q) - 1) ||
		    table >> q->cluster_bits >= q->end)
			continue;
		if (!fix_entry(f, &entry, &changed))
			return false;
		if (changed)
			qcow2_table_set(&q->l1, i, entry);
		if (q->header->incompatible & QCOW2_DATA_FILE ||
		    !g_hash_table_add(seen, GSIZE_TO_POINTER(table)))
			continue;
		if (!fix_l2(f, table))
			return false;
	}
	return true;
}

bool qcow2_fix_copied(struct qcow2 *q, uint64_t *ret_fixed, GError **error)
{
	struct flags flags = { .q = q, .error = error };

	if (!fix_all(&flags))
		return false;
	if (ret_fixed)
		*ret_fixed = flags.fixed;
	return true;
}

bool qcow2_clear_copied(struct qcow2 *q, GError **error)
{
	struct flags flags = { .q = q, .clear = true, .error = error };

	return fix_all(&flags);
}
