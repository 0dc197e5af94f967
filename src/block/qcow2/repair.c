/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * repair.c - counts and COPIED flags of a qcow2 image become what its tables say
 *
 * check.c tells which counts are wrong and what they should be; they are set where they are, in new
 * blocks if there are none. Then the flags. The dirty bit is set meanwhile (version 3).
 */
#include <string.h>

#include "base/error.h"
#include "block/qcow2/header-int.h"
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

/* Once the counts are right: all entries of the list have what they must have, and no more. */
static bool fix_snapshots(const char *name, struct block_file *file, GError **error)
{
	autoptr(qcow2) q = qcow2_open_file(name, file, IMAGE_WRITE | IMAGE_CHECK, error);

	return q && qcow2_rewrite_snapshots(q, error);
}

/* Nothing of the image but the number of its snapshots, which is lower than before. */
static bool put_number(const char *name, struct block_file *file, uint32_t n, GError **error)
{
	uint8_t sector[QCOW2_SECTOR];
	int ret = block_file_read(file, 0, sector, sizeof(sector));

	put_be32(sector + H_SNAPSHOTS, n);
	if (ret >= 0)
		ret = block_file_write(file, 0, sector, sizeof(sector));
	if (ret >= 0)
		ret = block_file_sync(file);
	return ret < 0 ? error_sys(error, ret, "cannot change the header of image '%s'", name)
		       : true;
}

static void tell_discarded(const struct findings *f, uint32_t n, const char *why)
{
	g_autofree char *text = g_strdup_printf("Discarding %u overhanging snapshots%s", n, why);

	on_found((void *)(uintptr_t)f, QCOW2_CORRUPTION, text);
}

/* Those that the header must not have, so that it cannot be read at all. */
static bool drop_too_many(const char *name, struct block_file *file, const struct findings *f,
			  uint32_t *ret_dropped, GError **error)
{
	uint8_t head[QCOW2_V2_LEN];
	const int ret = block_file_read(file, 0, head, sizeof(head));
	const uint32_t n = ret < 0 ? 0 : get_be32(head + H_SNAPSHOTS);

	*ret_dropped = 0;
	if (n <= QCOW2_MAX_SNAPSHOTS || !qcow2_header_cluster_bits(head, sizeof(head)))
		return true;
	*ret_dropped = n - QCOW2_MAX_SNAPSHOTS;
	tell_discarded(f, *ret_dropped, "");
	return put_number(name, file, QCOW2_MAX_SNAPSHOTS, error);
}

/*
 * Snapshots that nobody can get at, as the list is longer than it may be, go; whoever wanted a repair
 * is told. Without a listener nobody is, and then nothing of the kind is done.
 */
static bool drop_overhanging(const char *name, struct block_file *file, const struct findings *f,
			     uint32_t *ret_dropped, GError **error)
{
	autoptr(qcow2_header) header = NULL;
	uint32_t fit, more;

	*ret_dropped = 0;
	if (f->what != QCOW2_REPAIR_ALL || !f->listener)
		return true;
	if (!drop_too_many(name, file, f, ret_dropped, error))
		return false;
	header = qcow2_header_read(name, file, error);
	if (!header || !qcow2_snapshots_fit(name, file, header, &fit, error))
		return false;
	more = header->snapshots - fit;
	*ret_dropped += more;
	if (!more)
		return true;
	tell_discarded(f, more, " (snapshot table is too big)");
	return put_number(name, file, fit, error);
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

/* Corruptions that are not of counts and flags. */
static uint64_t others(const struct qcow2_check *check)
{
	return check->overflows + check->incomplete + check->oversized;
}

/* Counts and flags, until nothing is wrong with them any more. */
static bool fix_counts(const char *name, struct block_file *file, struct findings *f,
		       struct qcow2_check *after, bool *ret_flagged, GError **error)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		const bool all = f->what == QCOW2_REPAIR_ALL;

		if (!after->leaks && !(all && after->corruptions > others(after)))
			break;
		if (!fix(name, file, f, error) ||
		    !check_again(name, file, f, after, ret_flagged, error))
			return false;
	}
	return true;
}

static bool repair(const char *name, struct block_file *file, struct findings *f,
		   struct qcow2_check *before, struct qcow2_check *after, GError **error)
{
	const bool all = f->what == QCOW2_REPAIR_ALL, told = f->listener;
	bool flagged, was_flagged;
	uint32_t dropped;

	if (!drop_overhanging(name, file, f, &dropped, error) ||
	    !check_again(name, file, f, before, &flagged, error))
		return false;
	was_flagged = flagged;
	f->listener = NULL;
	*after = *before;
	before->corruptions += dropped;
	/* What looks like a leak may be all that there is of a snapshot. */
	if (after->unreadable)
		return true;
	if (!fix_counts(name, file, f, after, &flagged, error))
		return false;
	if (all && after->incomplete + after->oversized && (told || !after->oversized) &&
	    !after->leaks && after->corruptions == others(after) &&
	    (!fix_snapshots(name, file, error) ||
	     !check_again(name, file, f, after, &flagged, error)))
		return false;
	/* What is left is not for a repair: who opens the image must not be told to try again. */
	if (!was_flagged && after->overflows && after->corruptions == after->overflows)
		return clear_bits(name, file, QCOW2_DIRTY, error);
	if (!flagged || after->corruptions || (after->leaks && all))
		return true;
	return clear_bits(name, file, QCOW2_DIRTY | (all ? QCOW2_CORRUPT : 0), error);
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
