/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * direct.c - the short way: reads and overwrites that a disk does itself
 *
 * What a guest does most needs one look into tables that are in memory. Then the disk reads or writes
 * the file itself. Until that is done it is inside of q->epoch: a cluster that is given back leaves
 * the quarantine when all are out who may have found it, and while an image is shared with a snapshot
 * nobody is in.
 *
 * Who reads takes no lock, and does not wait for who changes the image. Who overwrites needs more than
 * a look (is it ours alone, does a table lie there?), and only tries to take the lock: whoever has it
 * for long is about to change something.
 */
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

	if (write && (!q->writable || !q->changing || q->bitmaps_new || q->broken || !q->uses))
		return false;
	if (!qcow2_peek(q, off, len, &run))
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
			struct qcow2_direct *ret)
{
	struct qcow2 *q = qcow2_of(image);
	bool ok;

	ret->fd = block_file_fd(q->data);
	ret->align = block_file_align(q->data);
	if (ret->fd < 0 || qcow2_is_encrypted(q) || (write && pthread_mutex_trylock(&q->lock) != 0))
		return false;
	ok = epoch_enter(q->epoch, &ret->token);
	if (ok && !find(q, off, len, write, &ret->host)) {
		epoch_leave(q->epoch, ret->token);
		ok = false;
	}
	if (ok && write)
		qcow2_bitmaps_mark(q, off, len);
	if (write)
		pthread_mutex_unlock(&q->lock);
	return ok;
}

void qcow2_direct_end(struct image *image, unsigned token, bool written)
{
	struct qcow2 *q = qcow2_of(image);

	/* A flush that comes after this write must not find that nothing has been written. */
	if (written && !atomic_load(&q->direct_written))
		atomic_store(&q->direct_written, true);
	epoch_leave(q->epoch, token);
}
