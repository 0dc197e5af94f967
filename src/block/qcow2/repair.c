/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * repair.c - counts and COPIED flags of a qcow2 image become what its tables say
 *
 * check.c tells which counts are wrong and what they should be; they are set where they are, in new
 * blocks if there are none. Then the flags. The dirty bit is set meanwhile (version 3).
 */
#include <string.h>

#include "base/error.h"
#include "block/qcow2/qcow2-int.h"

enum {
	ROUNDS = 3, /* a bad block may hide what the next one finds */
};

/* @n clusters one behind the other with the same number of references. */
struct wrong {
	uint64_t cluster, n, counted;
};

struct findings {
	const struct qcow2_check_listener *listener;
	enum qcow2_repair what;
	GArray *wrong;  /* struct wrong */
	GArray *blocks; /* uint64_t, indices in the table */
};

static void on_found(void *opaque, enum qcow2_finding finding, const char *text)
{
	const struct findings *f = opaque;

	if (f->listener && f->listener->found)
		f->listener->found(f->listener->opaque, finding, text);
}

static void on_count(void *opaque, uint64_t cluster, uint64_t stored, uint32_t counted)
{
	struct findings *f = opaque;
	struct wrong *last =
		f->wrong->len ? &g_array_index(f->wrong, struct wrong, f->wrong->len - 1) : NULL;
	const struct wrong new = { cluster, 1, counted };

	if (f->what == QCOW2_REPAIR_LEAKS && stored < counted)
		return;
	if (last && last->cluster + last->n == cluster && last->counted == counted)
		last->n++;
	else
		g_array_append_val(f->wrong, new);
}

static void on_block(void *opaque, uint64_t index)
{
	struct findings *f = opaque;

	g_array_append_val(f->blocks, index);
}

static bool set_counts(struct qcow2 *q, const struct findings *f, GError **error)
{
	for (unsigned i = 0; i < f->blocks->len && f->what == QCOW2_REPAIR_ALL; i++)
		qcow2_forget_block(q, g_array_index(f->blocks, uint64_t, i));
	for (unsigned i = 0; i < f->wrong->len; i++) {
		const struct wrong *w = &g_array_index(f->wrong, struct wrong, i);

		for (uint64_t k = 0; k < w->n; k++) {
			if (!qcow2_set_count(q, w->cluster + k, w->counted, error))
				return false;
		}
	}
	return true;
}

/* Nothing is allocated here but behind the end: what the counts say is free need not be. */
static bool fix(const char *name, struct block_file *file, const struct findings *f, GError **error)
{
	autoptr(qcow2) q = qcow2_open_file(name, file, IMAGE_WRITE | IMAGE_CHECK, error);

	if (!q)
		return false;
	return qcow2_set_dirty(q, true, error) && set_counts(q, f, error) &&
	       qcow2_write_counts(q, error) && qcow2_sync(q, error) &&
	       (f->what == QCOW2_REPAIR_LEAKS || qcow2_fix_copied(q, NULL, error)) &&
	       qcow2_cache_write(q, QCOW2_PIECE_L2, error) &&
	       qcow2_table_write(q, &q->l1, "L1 table", error) && qcow2_sync(q, error);
}

/* What the header says of a state that is over: that something is wrong, and what others kept true. */
static bool has_bits(const struct qcow2_header *header, uint64_t incompatible)
{
	return header->incompatible & incompatible ||
	       header->autoclear & ~(uint64_t)QCOW2_AUTOCLEAR;
}

/* Nothing is wrong any more: the header says so. */
static bool clear_bits(const char *name, struct block_file *file, uint64_t bits, GError **error)
{
	autoptr(qcow2) q = qcow2_open_file(name, file, IMAGE_WRITE | IMAGE_CHECK, error);

	if (!q)
		return false;
	if (!has_bits(q->header, bits))
		return true;
	q->header->incompatible &= ~bits;
	q->header->autoclear &= QCOW2_AUTOCLEAR;
	return qcow2_update_header(q, error);
}

static bool check_again(const char *name, struct block_file *file, struct findings *f,
			struct qcow2_check *ret, bool *ret_flagged, GError **error)
{
	autoptr(qcow2_header) header = qcow2_header_read(name, file, error);
	const struct qcow2_check_listener listener = {
		.found = on_found,
		.count = on_count,
		.block = on_block,
		.opaque = f,
	};

	g_array_set_size(f->wrong, 0);
	g_array_set_size(f->blocks, 0);
	if (!header || !qcow2_check(name, file, header, &listener, ret, error))
		return false;
	*ret_flagged = has_bits(header, QCOW2_DIRTY | QCOW2_CORRUPT);
	return true;
}

static bool repair(const char *name, struct block_file *file, struct findings *f,
		   struct qcow2_check *before, struct qcow2_check *after, GError **error)
{
	bool flagged, was_flagged;

	if (!check_again(name, file, f, before, &flagged, error))
		return false;
	was_flagged = flagged;
	f->listener = NULL;
	*after = *before;
	for (unsigned i = 0; i < ROUNDS; i++) {
		const bool all = f->what == QCOW2_REPAIR_ALL;

		if (!after->leaks && !(all && after->corruptions > after->overflows))
			break;
		if (!fix(name, file, f, error) ||
		    !check_again(name, file, f, after, &flagged, error))
			return false;
	}
	/* What is left is not for a repair: who opens the image must not be told to try again. */
	if (!was_flagged && after->overflows && after->corruptions == after->overflows)
		return clear_bits(name, file, QCOW2_DIRTY, error);
	if (!flagged || after->corruptions || (after->leaks && f->what == QCOW2_REPAIR_ALL))
		return true;
	return clear_bits(name, file,
			  QCOW2_DIRTY | (f->what == QCOW2_REPAIR_ALL ? QCOW2_CORRUPT : 0), error);
}

bool qcow2_repair(const char *name, struct block_file *file, enum qcow2_repair what,
		  const struct qcow2_check_listener *listener, struct qcow2_check *before,
		  struct qcow2_check *after, struct qcow2_repaired *ret, GError **error)
{
	struct findings f = {
		.listener = listener,
		.what = what,
		.wrong = g_array_new(FALSE, FALSE, sizeof(struct wrong)),
		.blocks = g_array_new(FALSE, FALSE, sizeof(uint64_t)),
	};
	struct qcow2_check first;
	const bool ok = repair(name, file, &f, &first, after, error);

	g_array_unref(f.wrong);
	g_array_unref(f.blocks);
	if (!ok)
		return false;
	*ret = (struct qcow2_repaired){
		.leaks = first.leaks - MIN(first.leaks, after->leaks),
		.corruptions = first.corruptions - MIN(first.corruptions, after->corruptions),
	};
	if (before)
		*before = first;
	return true;
}
