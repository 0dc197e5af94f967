/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * resize.c - a qcow2 image gets longer or shorter
 */
#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "block/qcow2/qcow2-int.h"

uint64_t qcow2_l1_entries(const struct qcow2 *q, uint64_t size)
{
	const unsigned bits = q->cluster_bits + q->l2_bits;

	return (size >> bits) + !!(size & ((UINT64_C(1) << bits) - 1));
}

bool qcow2_grow_l1(struct qcow2 *q, uint32_t size, GError **error)
{
	const uint64_t old_off = q->l1.off, old_len = (uint64_t)q->l1.size * 8;
	struct qcow2_table table = { .size = size };
	uint64_t cluster;

	if (!qcow2_alloc_all(q, qcow2_clusters(q, (uint64_t)size * 8), &cluster, error))
		return false;
	table.off = cluster << q->cluster_bits;
	table.entry = g_new0(uint64_t, size);
	table.dirty = g_malloc0(size / (QCOW2_SECTOR / 8) + 1);
	if (q->l1.size)
		memcpy(table.entry, q->l1.entry, old_len);
	if (!qcow2_write_counts(q, error) ||
	    !qcow2_file_zero(q, table.off, qcow2_clusters(q, (uint64_t)size * 8) << q->cluster_bits,
			     error) ||
	    !qcow2_table_write_all(q, table.off, table.entry, size, "L1 table", error) ||
	    !qcow2_sync(q, error)) {
		qcow2_unalloc(q, cluster, qcow2_clusters(q, (uint64_t)size * 8));
		qcow2_table_release(&table);
		return false;
	}
	qcow2_table_release(&q->l1);
	q->l1 = table;
	q->header->l1_off = table.off;
	q->header->l1_size = size;
	qcow2_use(q, table.off, (uint64_t)size * 8, QCOW2_USE_L1);
	if (!qcow2_update_header(q, error))
		return false;
	qcow2_unuse(q, old_off, old_len);
	if (old_len)
		qcow2_free_later(q, old_off >> q->cluster_bits, qcow2_clusters(q, old_len));
	return true;
}

/* Clusters behind the end may have what a snapshot's machine was, or what a short one left. */
static bool clear_beyond(struct qcow2 *q, uint64_t from, GError **error)
{
	const uint64_t size = qcow2_cluster_size(q);
	const uint64_t begin = (from + size - 1) & ~(size - 1);
	const uint64_t end = (uint64_t)q->l1.size << (q->cluster_bits + q->l2_bits);

	return begin >= end || qcow2_forget(q, begin, end - begin, error);
}

static bool check_snapshots(struct qcow2 *q, GError **error)
{
	for (unsigned i = 0; i < q->snapshots->len; i++) {
		const struct qcow2_snapshot *s = g_ptr_array_index(q->snapshots, i);

		/* Version 2 has no size of its own for each. */
		if (s->disk_size != q->base.size && q->header->version < 3)
			return error_set(error, SOCLE_ERROR_UNSUPPORTED,
					 "image '%s' has snapshots of other sizes", q->name);
	}
	if (q->snapshots->len && q->header->version < 3)
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "image '%s' is of version 2 and has snapshots, which would lose "
				 "their size; delete them, or change it to compat=1.1",
				 q->name);
	return true;
}

static bool set_size(struct qcow2 *q, uint64_t size, GError **error)
{
	if (!qcow2_flush_locked(q, error))
		return false;
	q->header->size = size;
	if (!qcow2_update_header(q, error))
		return false;
	q->base.size = size;
	return true;
}

/*
 * New bytes read as zero: what the last cluster has behind the old end, and what the image behind
 * has there. They are made so while they are not part of the image, hence the size in between.
 */
static bool grow(struct qcow2 *q, uint64_t size, GError **error)
{
	const uint64_t old = q->base.size, needed = qcow2_l1_entries(q, size);
	const uint64_t cluster = qcow2_cluster_size(q);
	const uint64_t last = MIN(size, (old + cluster - 1) & ~(cluster - 1));
	/* How far what is behind could be seen; who has not opened it does not know. */
	const uint64_t behind = !q->header->backing_file ? 0
				: q->base.backing        ? q->base.backing->size
							 : size;
	bool ok;

	if (needed > QCOW2_MAX_L1 / 8)
		return error_set(error, SOCLE_ERROR_LIMIT,
				 "image '%s' cannot have %" PRIu64
				 " bytes in clusters of %u; convert it to one with larger ones",
				 q->name, size, q->base.cluster_size);
	if (!clear_beyond(q, old, error) || !qcow2_flush_locked(q, error))
		return false;
	if (needed > q->l1.size && !qcow2_grow_l1(q, (uint32_t)needed, error))
		return false;
	q->base.size = size;
	ok = qcow2_zero_locked(q, old, MAX(last, MIN(size, behind)) - old, false, error);
	q->base.size = old;
	return ok && set_size(q, size, error);
}

static bool shrink(struct qcow2 *q, uint64_t size, GError **error)
{
	/* First the size: a power cut in between leaves clusters that nobody sees. */
	return set_size(q, size, error) && clear_beyond(q, size, error) &&
	       qcow2_flush_locked(q, error);
}

static bool resize_data(struct qcow2 *q, uint64_t size, GError **error)
{
	const int ret = q->data == q->file ? 0 : block_file_resize(q->data, size);

	return ret < 0 ? error_sys(error, ret, "cannot resize the data file of image '%s'", q->name)
		       : true;
}

/* ---- space for what is not written yet ---- */

static bool write_zeroes(struct qcow2 *q, uint64_t off, GError **error)
{
	enum {
		LEN = 1 << 20
	};
	g_autofree uint8_t *zeroes = g_malloc0(LEN);

	for (; off < q->base.size; off += LEN) {
		if (!qcow2_write_locked(q, off, zeroes,
					(size_t)MIN(q->base.size - off, (uint64_t)LEN), error))
			return false;
	}
	return true;
}

bool qcow2_preallocation_writes(const struct qcow2 *q, enum qcow2_preallocation how)
{
	/* Version 2 has no word for a zero that is allocated. */
	return how == QCOW2_PREALLOCATE_FULL ||
	       (how != QCOW2_PREALLOCATE_OFF && qcow2_is_encrypted(q) && q->header->version < 3);
}

bool qcow2_preallocate_as(struct qcow2 *q, uint64_t off, enum qcow2_preallocation how,
			  GError **error)
{
	const uint64_t begin = q->end << q->cluster_bits;
	int ret = 0;

	if (how == QCOW2_PREALLOCATE_OFF || off >= q->base.size)
		return true;
	if (q->header->backing_file && !off)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "an image with a backing file cannot be preallocated, as that "
				 "would hide the file");
	if (qcow2_preallocation_writes(q, how))
		return write_zeroes(q, off, error);
	/* The cluster that is old in parts may be one of the image behind. */
	off = (off + qcow2_cluster_size(q) - 1) & ~(qcow2_cluster_size(q) - 1);
	if (off >= q->base.size)
		return true;
	if (!qcow2_begin_change(q, error) || !qcow2_preallocate(q, off, q->base.size - off, error))
		return false;
	if (how == QCOW2_PREALLOCATE_FALLOC)
		ret = q->data == q->file ? block_file_allocate(q->file, begin,
							       (q->end << q->cluster_bits) - begin)
					 : block_file_allocate(q->data, off, q->base.size - off);
	return ret < 0 ? error_sys(error, ret, "cannot allocate image '%s'", q->name) : true;
}

bool qcow2_preallocate_new(struct image *image, uint64_t off, enum qcow2_preallocation how,
			   GError **error)
{
	struct qcow2 *q = qcow2_of(image);
	bool ok;

	pthread_mutex_lock(&q->lock);
	ok = qcow2_preallocate_as(q, off, how, error);
	pthread_mutex_unlock(&q->lock);
	return ok;
}

static bool change_size(struct qcow2 *q, uint64_t size, GError **error)
{
	if (size > q->base.size)
		return resize_data(q, size, error) && grow(q, size, error);
	return shrink(q, size, error) && resize_data(q, size, error);
}

bool qcow2_resize_locked(struct qcow2 *q, uint64_t size, GError **error)
{
	if (!qcow2_begin_change(q, error) || !qcow2_flush_locked(q, error) ||
	    !check_snapshots(q, error) || !qcow2_bitmaps_resize(q, size, error))
		return false;
	if (size == q->base.size || change_size(q, size, error))
		return true;
	qcow2_bitmaps_fit(q);
	return false;
}

bool qcow2_resize(struct image *image, uint64_t size, GError **error)
{
	struct qcow2 *q = qcow2_of(image);
	bool ok;

	qcow2_lock_alone(q);
	ok = qcow2_resize_locked(q, size, error);
	qcow2_unlock_alone(q);
	return ok;
}
