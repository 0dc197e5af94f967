/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * amend.c - changes of a qcow2 image's header: version, lazy refcounts, backing file
 */
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "block/qcow2/qcow2-int.h"

/* ---- version ---- */

/* Version 2 has no zero flag: clusters with it become absent, or are written. */
static bool write_out_zeroes(struct qcow2 *q, GError **error)
{
	const uint64_t cluster = qcow2_cluster_size(q);
	g_autofree uint8_t *zeroes = g_malloc0(cluster);
	struct qcow2_run run;

	for (uint64_t off = 0; off < q->base.size; off += run.len) {
		const uint64_t left = q->base.size - off;
		bool ok = qcow2_begin_change(q, error) && qcow2_lookup(q, off, left, &run, error);

		if (ok && run.kind == QCOW2_KIND_ZERO) {
			run.len = MIN(run.len, cluster);
			ok = q->header->backing_file
				     ? qcow2_write_locked(q, off, zeroes, run.len, error)
				     : qcow2_forget(q, off, run.len, error);
		}
		if (!ok)
			return false;
	}
	return true;
}

static bool to_version_2(struct qcow2 *q, GError **error)
{
	struct qcow2_header *h = q->header;

	if (h->incompatible & ~(uint64_t)QCOW2_DIRTY || h->bitmaps)
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "image '%s' has what compat=0.10 does not: extended_l2, a data "
				 "file, zstd or bitmaps; convert it",
				 q->name);
	if (q->snapshots->len)
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "image '%s' has snapshots, which may have zero clusters, and "
				 "compat=0.10 has none; delete them, or convert it",
				 q->name);
	if (!write_out_zeroes(q, error) || !qcow2_flush_locked(q, error) ||
	    !qcow2_write_counts(q, error) || !qcow2_sync(q, error))
		return false;
	h->version = 2;
	h->incompatible = h->compatible = h->autoclear = 0;
	g_clear_pointer(&h->tail, g_bytes_unref);
	return qcow2_rewrite_header(q, error);
}

static bool change_version(struct qcow2 *q, uint32_t version, GError **error)
{
	if (!version || version == q->header->version)
		return true;
	if (version == 2)
		return to_version_2(q, error);
	if (version != 3)
		return error_set(error, SOCLE_ERROR_USAGE, "qcow2 has versions 2 and 3, not %u",
				 version);
	/* Their entries have more data there. */
	if (!qcow2_rewrite_snapshots(q, error))
		return false;
	q->header->version = 3;
	return qcow2_rewrite_header(q, error);
}

/* ---- the rest ---- */

static bool change_lazy(struct qcow2 *q, int lazy, GError **error)
{
	if (lazy < 0 || lazy == (q->header->compatible & QCOW2_LAZY_REFCOUNTS ? 1 : 0))
		return true;
	if (q->header->version < 3)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "lazy_refcounts needs compat=1.1, which image '%s' is not",
				 q->name);
	if (!qcow2_write_counts(q, error) || !qcow2_sync(q, error))
		return false;
	q->header->compatible ^= QCOW2_LAZY_REFCOUNTS;
	q->header->incompatible &= ~(uint64_t)QCOW2_DIRTY;
	/* The next change says that it is dirty, if it is to be. */
	q->changing = q->dirtied = false;
	return qcow2_update_header(q, error);
}

static bool change_raw(struct qcow2 *q, int raw, GError **error)
{
	if (raw < 0 || raw == (q->header->autoclear & QCOW2_AUTOCLEAR_RAW_DATA ? 1 : 0))
		return true;
	if (raw)
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "data_file_raw=on can only be given when an image is created");
	q->header->autoclear &= ~(uint64_t)QCOW2_AUTOCLEAR_RAW_DATA;
	return qcow2_update_header(q, error);
}

static bool change_width(struct qcow2 *q, unsigned bits, GError **error)
{
	return !bits || qcow2_change_width(q, (unsigned)__builtin_ctz(bits), error);
}

/* In qemu-img's words. */
static bool check_width(const struct qcow2 *q, const struct qcow2_amend *what, GError **error)
{
	const unsigned now = 1u << q->header->refcount_order;
	const unsigned bits = what->refcount_bits ? what->refcount_bits : now;
	const uint32_t version = what->version ? what->version : q->header->version;

	if (bits > 64 || bits & (bits - 1))
		return error_set(error, SOCLE_ERROR_USAGE,
				 "Refcount width must be a power of two and may not exceed 64 "
				 "bits");
	if (version >= 3 || bits == 16)
		return true;
	if (bits != now)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "Refcount widths other than 16 bits require compatibility level "
				 "1.1 or above (use compat=1.1 or greater)");
	return error_set(error, SOCLE_ERROR_USAGE, "compat=0.10 requires refcount_bits=16");
}

static bool check_amend(struct qcow2 *q, const struct qcow2_amend *what, GError **error)
{
	if (!q->writable)
		return error_set(error, SOCLE_ERROR_DENIED, "image '%s' is open for reading only",
				 q->name);
	return check_width(q, what, error);
}

bool qcow2_amend(struct image *image, const struct qcow2_amend *what, GError **error)
{
	struct qcow2 *q = qcow2_of(image);
	bool ok;

	qcow2_lock_alone(q);
	ok = check_amend(q, what, error) && qcow2_begin_change(q, error) &&
	     qcow2_flush_locked(q, error);
	/* Lazy refcounts and other widths go before version 3 does, and come after it. */
	ok = ok && (what->lazy_refcounts > 0 || change_lazy(q, what->lazy_refcounts, error)) &&
	     (what->version == 2 || change_version(q, what->version, error)) &&
	     change_width(q, what->refcount_bits, error) &&
	     (what->version != 2 || change_version(q, 2, error)) &&
	     (what->lazy_refcounts <= 0 || change_lazy(q, 1, error)) &&
	     change_raw(q, what->data_file_raw, error);
	qcow2_unlock_alone(q);
	return ok;
}

static bool set_backing(struct qcow2 *q, const char *file, const char *format, GError **error)
{
	struct qcow2_header *h = q->header;

	if (!q->writable)
		return error_set(error, SOCLE_ERROR_DENIED, "image '%s' is open for reading only",
				 q->name);
	if (file && (!*file || strlen(file) > QCOW2_MAX_NAME))
		return error_set(error, SOCLE_ERROR_USAGE,
				 "the name of the backing file is empty or longer than %d bytes",
				 QCOW2_MAX_NAME);
	if (file && h->autoclear & QCOW2_AUTOCLEAR_RAW_DATA)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "image '%s' has a raw data file, and so no backing file", q->name);
	if (!qcow2_begin_change(q, error) || !qcow2_flush_locked(q, error))
		return false;
	g_free(h->backing_file);
	g_free(h->backing_format);
	h->backing_file = g_strdup(file);
	h->backing_format = g_strdup(file ? format : NULL);
	if (!qcow2_rewrite_header(q, error)) {
		/* What is noted is what the open image has. */
		g_free(h->backing_file);
		g_free(h->backing_format);
		h->backing_file = g_strdup(q->base.backing_file);
		h->backing_format = g_strdup(q->base.backing_format);
		return false;
	}
	g_free(q->base.backing_file);
	g_free(q->base.backing_format);
	q->base.backing_file = g_strdup(h->backing_file);
	q->base.backing_format = g_strdup(h->backing_format);
	return true;
}

bool qcow2_set_backing(struct image *image, const char *file, const char *format, GError **error)
{
	struct qcow2 *q = qcow2_of(image);
	bool ok;

	qcow2_lock_alone(q);
	ok = set_backing(q, file, format, error);
	qcow2_unlock_alone(q);
	return ok;
}

/* ---- bitmaps ---- */

static void bitmap_free(void *opaque)
{
	struct qcow2_bitmap *bitmap = opaque;

	g_free(bitmap->name);
	g_free(bitmap);
}

GPtrArray *qcow2_bitmaps(struct image *image, GError **error)
{
	enum {
		LEN = 24,
		IN_USE = 1,
		AUTO = 2
	};
	struct qcow2 *q = qcow2_of(image);
	g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func(bitmap_free);
	uint64_t off = q->header->bitmaps_off;
	const uint64_t end = off + q->header->bitmaps_size;

	for (uint32_t i = 0; i < q->header->bitmaps; i++) {
		uint8_t entry[LEN], name[QCOW2_MAX_NAME];
		uint64_t name_at;
		struct qcow2_bitmap *bitmap;

		if (end - off < LEN)
			break;
		if (!qcow2_file_read(q, off, entry, LEN, "list of bitmaps", error))
			return NULL;
		name_at = LEN + (uint64_t)get_be32(entry + 20);
		if (name_at + get_be16(entry + 18) > end - off ||
		    get_be16(entry + 18) > QCOW2_MAX_NAME)
			break;
		if (!qcow2_file_read(q, off + name_at, name, get_be16(entry + 18),
				     "list of bitmaps", error))
			return NULL;
		bitmap = g_new(struct qcow2_bitmap, 1);
		*bitmap = (struct qcow2_bitmap){
			.name = g_strndup((char *)name, get_be16(entry + 18)),
			.granularity_bits = entry[17],
			.in_use = get_be32(entry + 12) & IN_USE,
			.automatic = get_be32(entry + 12) & AUTO,
		};
		g_ptr_array_add(all, bitmap);
		off += (name_at + get_be16(entry + 18) + 7) & ~UINT64_C(7);
		if (off > end)
			break;
	}
	if (all->len < q->header->bitmaps) {
		(void)qcow2_bad(q, error, "has a list of bitmaps that cannot be");
		return NULL;
	}
	return g_steal_pointer(&all);
}
