/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * zero.c - zeroes without writing them, where the image can say so, and giving space back
 *
 * Version 2 has no word for zero: a cluster that is absent reads as zero if nothing is behind the
 * image, and otherwise zeroes must be written.
 */
#include <string.h>

#include "base/error.h"
#include "block/qcow2/qcow2-int.h"

enum {
	WRITE_LEN = 1 << 20, /* zeroes written at a time */
};

enum how {
	HOW_ZERO,    /* reads as zero; what is allocated stays so */
	HOW_UNMAP,   /* reads as zero */
	HOW_DISCARD, /* whole clusters that take space: read as zero, and do not */
	HOW_FORGET,  /* whole clusters: absent */
};

static bool has_data_file(const struct qcow2 *q)
{
	return q->header->incompatible & QCOW2_DATA_FILE;
}

static bool write_zeroes(struct qcow2 *q, uint64_t off, uint64_t len, GError **error)
{
	g_autofree uint8_t *zeroes = NULL;
	bool zero;

	if (!qcow2_is_zero(q, off, len, false, &zero, error))
		return false;
	if (zero)
		return true;
	zeroes = g_malloc0(MIN(len, (uint64_t)WRITE_LEN));
	while (len) {
		const uint64_t n = MIN(len, (uint64_t)WRITE_LEN);

		if (!qcow2_write_locked(q, off, zeroes, n, error))
			return false;
		off += n;
		len -= n;
	}
	return true;
}

/* Can nothing but a mapping make it read as zero? */
static bool needs_zero(const struct qcow2 *q, enum how how)
{
	return how != HOW_FORGET && (q->header->backing_file || q->hides);
}

/* What a state becomes where @mask is to be zero. False: it stays. */
static bool change_state(struct qcow2 *q, struct qcow2_state *s, uint32_t mask, enum how how)
{
	const bool whole = mask == qcow2_all(q), keep = how == HOW_ZERO && s->copied;
	const bool absent = !s->has_host && !s->compressed && !s->zero;

	if (how == HOW_DISCARD && !s->has_host && !s->compressed)
		return false;
	if (absent && !needs_zero(q, how))
		return false;
	if ((s->zero & mask) == mask && !(whole && s->has_host && !keep) && how != HOW_FORGET)
		return false;
	if (whole && !keep) {
		qcow2_release_state(q, s);
		*s = (struct qcow2_state){ .zero = needs_zero(q, how) ? mask : 0 };
		return true;
	}
	s->allocated &= ~mask;
	s->zero |= mask;
	return true;
}

/* A part of a cluster that cannot be said by its entry. */
static bool must_write(const struct qcow2 *q, const struct qcow2_state *s, uint32_t mask,
		       enum how how)
{
	const bool whole = mask == qcow2_all(q);

	if (how == HOW_FORGET || how == HOW_DISCARD)
		return false;
	if (q->header->version < 3)
		return !whole || needs_zero(q, how) || how == HOW_ZERO;
	return s->compressed && !whole;
}

static uint32_t mask_of(const struct qcow2 *q, uint64_t first, uint64_t off, uint64_t end)
{
	const uint64_t sub = qcow2_subcluster_size(q), size = qcow2_cluster_size(q);
	const unsigned lowest = (unsigned)((MAX(off, first) - first) / sub);
	const unsigned highest = (unsigned)((MIN(end, first + size) - first) / sub);

	return (uint32_t)((UINT64_C(1) << highest) - (UINT64_C(1) << lowest));
}

/* In the file of the data it is zero by itself; the map only says so, too. */
static bool zero_data_file(struct qcow2 *q, uint64_t off, uint64_t len, GError **error)
{
	const int ret = block_file_zero(q->data, off, len);

	q->data_unsynced = true;
	return ret < 0 ? error_sys(error, ret, "cannot write to image '%s'", q->name) : true;
}

static bool change_data_file_state(struct qcow2_state *s, uint64_t first, uint32_t mask)
{
	if (!s->has_host)
		*s = (struct qcow2_state){ .zero = s->zero };
	s->has_host = s->copied = true;
	s->host = first;
	s->allocated &= ~mask;
	s->zero |= mask;
	return true;
}

/* One cluster, or a part of it that is whole subclusters. */
static bool change_cluster(struct qcow2 *q, uint64_t off, uint64_t end, enum how how,
			   GError **error)
{
	const uint64_t size = qcow2_cluster_size(q), first = off & ~(size - 1);
	const uint32_t mask = mask_of(q, first, off, end);
	struct qcow2_piece *piece = qcow2_l2_change(q, off, error);
	const unsigned index = qcow2_piece_index(q, off);
	struct qcow2_state s;
	bool changed;

	if (!piece || !qcow2_decode(q, piece, index, &s, error))
		return false;
	if (must_write(q, &s, mask, how))
		return write_zeroes(q, off, MIN(end, first + size) - off, error);
	if (has_data_file(q) && how != HOW_FORGET)
		changed = change_data_file_state(&s, first, mask);
	else
		changed = change_state(q, &s, mask, how);
	if (changed)
		qcow2_encode(q, piece, index, &s);
	return true;
}

/* Whole subclusters, or to the end of the image. */
static bool change_range(struct qcow2 *q, uint64_t off, uint64_t end, enum how how, GError **error)
{
	const uint64_t size = qcow2_cluster_size(q);

	while (off < end) {
		struct qcow2_piece *piece;
		struct qcow2_run run;

		if (!qcow2_begin_change(q, error) || !qcow2_l2_get(q, off, &piece, error) ||
		    !qcow2_lookup(q, off, piece ? MIN(end - off, size) : end - off, &run, error))
			return false;
		/*
		 * Long stretches without tables must not cost a step for each cluster. Where there
		 * is one subclusters may be absent, and have a host cluster all the same.
		 */
		if (run.kind == QCOW2_KIND_ABSENT && (q->subclusters == 1 || !piece) &&
		    !has_data_file(q) && (how == HOW_DISCARD || !needs_zero(q, how))) {
			off += run.len;
			continue;
		}
		if (!change_cluster(q, off, end, how, error))
			return false;
		off = MIN(end, (off & ~(size - 1)) + size);
	}
	return true;
}

/*
 * Where a subcluster is to be zero in parts, and the rest of it is zero, all of it can be said to be:
 * then [*lo, *hi), the whole ones, begins or ends with it.
 */
static bool round_out(struct qcow2 *q, uint64_t off, uint64_t end, uint64_t *lo, uint64_t *hi,
		      GError **error)
{
	const uint64_t sub = qcow2_subcluster_size(q);
	const uint64_t first = off & ~(sub - 1), last = (end + sub - 1) & ~(sub - 1);
	bool head = off == first, tail = end == last || end >= q->base.size;

	if (q->header->version < 3 || has_data_file(q) || (head && tail))
		return true;
	if ((!head && !qcow2_is_zero(q, first, off - first, true, &head, error)) ||
	    (!tail && !qcow2_is_zero(q, end, last - end, true, &tail, error)))
		return false;
	if (last - first == sub)
		head = tail = head && tail;
	if (head)
		*lo = first;
	if (tail)
		*hi = last;
	return true;
}

bool qcow2_zero_locked(struct qcow2 *q, uint64_t off, uint64_t len, bool unmap, GError **error)
{
	const uint64_t sub = qcow2_subcluster_size(q), end = off + len;
	uint64_t lo = (off + sub - 1) & ~(sub - 1);
	/* What is behind the image's end does not matter. */
	uint64_t hi = (end >= q->base.size ? end + sub - 1 : end) & ~(sub - 1);

	if (!qcow2_begin_change(q, error) || !round_out(q, off, end, &lo, &hi, error))
		return false;
	if (lo >= hi)
		return write_zeroes(q, off, len, error);
	if (has_data_file(q) && !zero_data_file(q, off, len, error))
		return false;
	return (off >= lo || write_zeroes(q, off, lo - off, error)) &&
	       change_range(q, lo, hi, unmap ? HOW_UNMAP : HOW_ZERO, error) &&
	       (end <= hi || write_zeroes(q, hi, end - hi, error));
}

bool qcow2_forget(struct qcow2 *q, uint64_t off, uint64_t len, GError **error)
{
	return change_range(q, off, off + len, HOW_FORGET, error);
}

static bool discard_locked(struct qcow2 *q, uint64_t off, uint64_t len, GError **error)
{
	const uint64_t size = qcow2_cluster_size(q), end = off + len;
	const uint64_t lo = (off + size - 1) & ~(size - 1);
	const uint64_t hi = (end >= q->base.size ? end + size - 1 : end) & ~(size - 1);

	if (lo >= hi || (q->header->version < 3 && q->header->backing_file))
		return true;
	if (has_data_file(q) && !zero_data_file(q, lo, MIN(hi, q->base.size) - lo, error))
		return false;
	return change_range(q, lo, hi, HOW_DISCARD, error);
}

/* What a guest sees, and what a machine has left behind it. */
static bool empty_locked(struct qcow2 *q, GError **error)
{
	const uint64_t reach = (uint64_t)q->l1.size << (q->cluster_bits + q->l2_bits);

	return qcow2_begin_data(q, 0, q->base.size, error) && qcow2_flush_locked(q, error) &&
	       qcow2_forget(q, 0, reach, error) && qcow2_flush_locked(q, error);
}

bool qcow2_empty(struct image *image, GError **error)
{
	struct qcow2 *q = qcow2_of(image);
	bool ok;

	if (!q->writable)
		return error_set(error, SOCLE_ERROR_DENIED, "image '%s' is open for reading only",
				 q->name);
	pthread_mutex_lock(&q->lock);
	ok = empty_locked(q, error);
	pthread_mutex_unlock(&q->lock);
	return ok;
}

void qcow2_expect_backing(struct image *image)
{
	struct qcow2 *q = qcow2_of(image);

	pthread_mutex_lock(&q->lock);
	q->hides = true;
	pthread_mutex_unlock(&q->lock);
}

bool qcow2_zero(struct image *image, uint64_t off, uint64_t len, bool unmap, GError **error)
{
	struct qcow2 *q = qcow2_of(image);
	bool ok;

	pthread_mutex_lock(&q->lock);
	ok = qcow2_begin_data(q, off, len, error) && qcow2_zero_locked(q, off, len, unmap, error);
	pthread_mutex_unlock(&q->lock);
	return ok;
}

bool qcow2_discard(struct image *image, uint64_t off, uint64_t len, GError **error)
{
	struct qcow2 *q = qcow2_of(image);
	bool ok;

	pthread_mutex_lock(&q->lock);
	ok = qcow2_begin_data(q, off, len, error) && discard_locked(q, off, len, error);
	pthread_mutex_unlock(&q->lock);
	return ok;
}
