/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * direct.c - the short way: reads and overwrites that a disk does itself
 *
 * What a guest does most needs one look into a table that is in memory. It is taken on the disk's
 * own thread if nobody holds the lock, which is held for long only by who changes the image; then
 * the disk reads or writes the file itself. Meanwhile q->direct counts: a cluster that is given back
 * leaves the quarantine, and an image is shared with a snapshot, only while it is 0.
 */
#include <sched.h>

#include "block/qcow2/qcow2-int.h"

/* Does a table lie there, by the fault of a corrupt image? The long way tells it. */
static bool overlaps(const struct qcow2 *q, uint64_t host, uint64_t len)
{
	const uint64_t last = (host + len - 1) >> q->cluster_bits;

	for (uint64_t i = host >> q->cluster_bits; i <= last; i++) {
		if (g_hash_table_contains(q->uses, GSIZE_TO_POINTER(i)))
			return true;
	}
	return false;
}

static bool find(struct qcow2 *q, uint64_t off, uint64_t len, bool write, uint64_t *ret_host)
{
	struct qcow2_run run;

	if (qcow2_is_encrypted(q))
		return false;
	if (write && (!q->writable || !q->changing || q->bitmaps_new || q->broken || !q->uses))
		return false;
	if (!qcow2_l2_cached(q, off) || !qcow2_lookup(q, off, len, &run, NULL))
		return false;
	if (run.kind != QCOW2_KIND_DATA || run.len < len || !run.has_host ||
	    run.host > INT64_MAX - len)
		return false;
	if (write && (!run.copied || (q->data == q->file && overlaps(q, run.host, len))))
		return false;
	*ret_host = run.host;
	return true;
}

bool qcow2_direct_begin(struct image *image, uint64_t off, uint64_t len, bool write,
			uint64_t *ret_host, int *ret_fd)
{
	struct qcow2 *q = qcow2_of(image);
	const int fd = block_file_fd(q->data);
	bool ok;

	if (fd < 0 || pthread_mutex_trylock(&q->lock) != 0)
		return false;
	ok = find(q, off, len, write, ret_host);
	if (ok)
		atomic_fetch_add(&q->direct, 1);
	pthread_mutex_unlock(&q->lock);
	*ret_fd = fd;
	return ok;
}

void qcow2_direct_end(struct image *image, bool written)
{
	struct qcow2 *q = qcow2_of(image);

	/* A flush that comes after this write must not find that nothing has been written. */
	if (written)
		atomic_store(&q->direct_written, true);
	atomic_fetch_sub(&q->direct, 1);
}

void qcow2_wait_direct(struct qcow2 *q)
{
	while (atomic_load(&q->direct))
		sched_yield();
}
