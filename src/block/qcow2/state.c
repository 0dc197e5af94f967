/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * state.c - what a qcow2 image keeps of a machine: bytes behind the end of the disk
 *
 * They lie where an L1 entry begins that has nothing of the disk. Whole clusters are written, so
 * that nothing of what is behind the image gets in.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "block/qcow2/qcow2-int.h"

uint64_t qcow2_state_off(struct image *image)
{
	const struct qcow2 *q = qcow2_of(image);

	return qcow2_l1_entries(q, image->size) << (q->cluster_bits + q->l2_bits);
}

/* Could an L1 table reach that far? *ret_begin: where it is among the guest's bytes. */
static bool check(struct image *image, uint64_t off, uint64_t len, uint64_t *ret_begin,
		  GError **error)
{
	struct qcow2 *q = qcow2_of(image);
	uint64_t begin;

	if (image->ops != &image_qcow2_ops)
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "images of format '%s' cannot keep the state of a machine",
				 image->ops->format);
	begin = qcow2_state_off(image);
	if (off > INT64_MAX - len || off + len > INT64_MAX - begin ||
	    qcow2_l1_entries(q, begin + off + len) > QCOW2_MAX_L1 / 8) {
		g_set_error(error, SYS_ERROR, EFBIG,
			    "image '%s' cannot have the state of a machine at %" PRIu64
			    "; one with larger clusters can",
			    q->name, off);
		return false;
	}
	*ret_begin = begin + off;
	return true;
}

bool qcow2_state_read(struct image *image, uint64_t off, void *buf, size_t len, GError **error)
{
	struct qcow2 *q;
	uint64_t begin;
	bool ok;

	if (!check(image, off, len, &begin, error))
		return false;
	q = qcow2_of(image);
	pthread_mutex_lock(&q->lock);
	ok = qcow2_read_locked(q, begin, buf, len, error);
	pthread_mutex_unlock(&q->lock);
	return ok;
}

static bool write_cluster(struct qcow2 *q, uint64_t off, const uint8_t *bytes, size_t len,
			  GError **error)
{
	const size_t size = qcow2_cluster_size(q);
	const uint64_t start = off & ~(uint64_t)(size - 1);
	g_autofree uint8_t *cluster = g_malloc(size);

	if (!qcow2_read_locked(q, start, cluster, size, error))
		return false;
	memcpy(cluster + (off - start), bytes, len);
	return qcow2_write_locked(q, start, cluster, size, error);
}

static bool write_locked(struct qcow2 *q, uint64_t off, const uint8_t *bytes, size_t len,
			 GError **error)
{
	const uint64_t size = qcow2_cluster_size(q);
	const uint64_t needed = qcow2_l1_entries(q, off + len);

	if (!qcow2_begin_change(q, error))
		return false;
	if (needed > q->l1.size &&
	    (!qcow2_flush_locked(q, error) || !qcow2_grow_l1(q, (uint32_t)needed, error)))
		return false;
	while (len) {
		const size_t n = (size_t)MIN((uint64_t)len, size - (off & (size - 1)));

		if (!write_cluster(q, off, bytes, n, error))
			return false;
		off += n;
		bytes += n;
		len -= n;
	}
	return true;
}

bool qcow2_state_write(struct image *image, uint64_t off, const void *buf, size_t len,
		       GError **error)
{
	struct qcow2 *q;
	uint64_t begin;
	bool ok;

	if (!check(image, off, len, &begin, error))
		return false;
	q = qcow2_of(image);
	if (!q->writable)
		return error_set(error, SOCLE_ERROR_DENIED, "image '%s' is open for reading only",
				 q->name);
	if (q->data != q->file)
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "image '%s' has a data file, in which there is no place for the "
				 "state of a machine",
				 q->name);
	qcow2_lock_alone(q);
	ok = write_locked(q, begin, buf, len, error);
	qcow2_unlock_alone(q);
	return ok;
}
