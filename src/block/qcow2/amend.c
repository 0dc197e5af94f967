/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * amend.c - changes of what an image is: version, features, what stands behind it
 */
#include <string.h>

#include "base/error.h"
#include "block/qcow2/qcow2-int.h"

/* Flushed, so that the header is the only thing left to be changed. */
static bool begin(struct qcow2 *q, GError **error)
{
	return qcow2_begin_change(q, error) && qcow2_flush_locked(q, error);
}

/* ---- what stands behind it ---- */

static bool set_backing(struct qcow2 *q, const char *file, const char *format, GError **error)
{
	struct qcow2_header *h = q->header;
	g_autofree char *old_file = NULL, *old_format = NULL;

	if (file && (!*file || strlen(file) > QCOW2_MAX_NAME))
		return error_set(error, SOCLE_ERROR_LIMIT,
				 "the name of the backing file is empty or longer than %d bytes",
				 QCOW2_MAX_NAME);
	if (file && h->autoclear & QCOW2_AUTOCLEAR_RAW_DATA)
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "image '%s' has a raw data file, and so nothing behind it",
				 q->name);
	if (!begin(q, error))
		return false;
	old_file = g_steal_pointer(&h->backing_file);
	old_format = g_steal_pointer(&h->backing_format);
	h->backing_file = g_strdup(file);
	h->backing_format = g_strdup(format);
	if (qcow2_rewrite_header(q, error)) {
		g_free(q->base.backing_file);
		g_free(q->base.backing_format);
		q->base.backing_file = g_strdup(file);
		q->base.backing_format = g_strdup(format);
		return true;
	}
	/* It may be the name that finds no room. */
	g_free(h->backing_file);
	g_free(h->backing_format);
	h->backing_file = g_steal_pointer(&old_file);
	h->backing_format = g_steal_pointer(&old_format);
	return false;
}

bool qcow2_set_backing(struct image *image, const char *file, const char *format, GError **error)
{
	struct qcow2 *q = qcow2_of(image);
	bool ok;

	pthread_mutex_lock(&q->lock);
	ok = set_backing(q, file, format, error);
	pthread_mutex_unlock(&q->lock);
	return ok;
}

static bool make_empty(struct qcow2 *q, GError **error)
{
	const uint64_t mask = qcow2_cluster_size(q) - 1;

	if (q->snapshots->len)
		return error_set(
			error, SOCLE_ERROR_UNSUPPORTED,
			"image '%s' has internal snapshots, and is not emptied; say -d, or "
			"delete them",
			q->name);
	if (q->header->incompatible & QCOW2_DATA_FILE)
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "image '%s' has a data file, and is not emptied; say -d", q->name);
	return qcow2_begin_change(q, error) &&
	       qcow2_forget(q, 0, (q->base.size + mask) & ~mask, error) &&
	       qcow2_flush_locked(q, error);
}

bool qcow2_make_empty(struct image *image, GError **error)
{
	struct qcow2 *q = qcow2_of(image);
	bool ok;

	pthread_mutex_lock(&q->lock);
	ok = make_empty(q, error);
	pthread_mutex_unlock(&q->lock);
	return ok;
}

/* ---- versions and features ---- */

/* Version 2 has no word for zero. */
static bool spell_zeroes_out(struct qcow2 *q, GError **error)
{
	const uint64_t cluster = qcow2_cluster_size(q);
	uint64_t off = 0;

	while (off < q->base.size) {
		struct qcow2_run run;
		uint64_t len;

		if (!qcow2_lookup(q, off, q->base.size - off, &run, error))
			return false;
		len = MIN(run.len, q->base.size - off);
		if (run.kind == QCOW2_KIND_ZERO && q->header->backing_file) {
			g_autofree uint8_t *zeroes = NULL;

			len = MIN(len, (uint64_t)1 << 20);
			zeroes = g_malloc0(len);
			if (!qcow2_write_locked(q, off, zeroes, len, error))
				return false;
		} else if (run.kind == QCOW2_KIND_ZERO) {
			if (!qcow2_forget(q, off, (len + cluster - 1) & ~(cluster - 1), error))
				return false;
		}
		off += len;
	}
	return true;
}

static bool to_version_2(struct qcow2 *q, GError **error)
{
	struct qcow2_header *h = q->header;

	if (h->incompatible & ~(uint64_t)QCOW2_DIRTY || h->refcount_order != 4 || h->bitmaps ||
	    h->tail)
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "image '%s' uses what version 2 (compat=0.10) does not have; "
				 "convert it",
				 q->name);
	if (q->snapshots->len)
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "image '%s' has internal snapshots, which may use what version 2 "
				 "does not have; delete them first",
				 q->name);
	h->compatible = 0;
	if (!spell_zeroes_out(q, error) || !qcow2_flush_locked(q, error) ||
	    !qcow2_set_dirty(q, false, error))
		return false;
	h->version = 2;
	h->autoclear = 0;
	return qcow2_rewrite_header(q, error);
}

static bool to_version_3(struct qcow2 *q, GError **error)
{
	q->header->version = 3;
	return qcow2_rewrite_header(q, error);
}

static bool set_lazy(struct qcow2 *q, bool lazy, GError **error)
{
	struct qcow2_header *h = q->header;

	if (lazy && h->version < 3)
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "lazy_refcounts needs version 3 (compat=1.1)");
	if (lazy)
		h->compatible |= QCOW2_LAZY_REFCOUNTS;
	else
		h->compatible &= ~(uint64_t)QCOW2_LAZY_REFCOUNTS;
	/* Without it, a flush brings the counts up to date. */
	return (lazy || (qcow2_flush_locked(q, error) && qcow2_set_dirty(q, false, error))) &&
	       (h->version < 3 || qcow2_update_header(q, error));
}

static bool set_data_file_raw(struct qcow2 *q, bool raw, GError **error)
{
	struct qcow2_header *h = q->header;

	if (raw == !!(h->autoclear & QCOW2_AUTOCLEAR_RAW_DATA))
		return true;
	if (raw)
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "data_file_raw cannot be switched on later; convert the image");
	h->autoclear &= ~(uint64_t)QCOW2_AUTOCLEAR_RAW_DATA;
	return qcow2_update_header(q, error);
}

static bool amend(struct qcow2 *q, const struct qcow2_amend *what, GError **error)
{
	const unsigned bits = 1u << q->header->refcount_order;

	if (what->refcount_bits && what->refcount_bits != bits)
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "image '%s' has counts of %u bits, which stay; convert it to have "
				 "others",
				 q->name, bits);
	if (what->version && what->version != 2 && what->version != 3)
		return error_set(error, SOCLE_ERROR_USAGE, "versions are 2 and 3");
	if (!begin(q, error))
		return false;
	if (what->version == 3 && q->header->version == 2 && !to_version_3(q, error))
		return false;
	if (what->lazy_refcounts >= 0 && !set_lazy(q, what->lazy_refcounts, error))
		return false;
	if (what->data_file_raw >= 0 && !set_data_file_raw(q, what->data_file_raw, error))
		return false;
	return what->version != 2 || q->header->version == 2 || to_version_2(q, error);
}

bool qcow2_amend(struct image *image, const struct qcow2_amend *what, GError **error)
{
	struct qcow2 *q = qcow2_of(image);
	bool ok;

	pthread_mutex_lock(&q->lock);
	ok = amend(q, what, error);
	pthread_mutex_unlock(&q->lock);
	return ok;
}
