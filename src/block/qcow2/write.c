/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * write.c - writing to a qcow2 image: in place, to new clusters with copy on write, compressed
 *
 * Clusters that are alike and behind each other are written together: those whose host cluster is
 * ours alone and stays, or those that get a new one. What a write covers only in part, a subcluster
 * or what there was in an old host cluster, is read before and written with it.
 *
 * Nothing names a new cluster before its data is written; the order on disk is the flush's.
 */
#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "block/qcow2/qcow2-int.h"

/* Clusters that are written together. All offsets in bytes. */
struct batch {
	uint64_t off, end; /* what the guest writes */
	uint64_t lo, hi;   /* what is written to the file, with what is copied */
	uint64_t first;    /* of the guest, where the first cluster begins */
	uint64_t clusters;
	uint64_t host;       /* where the first one is */
	bool in_place, pure; /* pure: no mapping changes */
	bool zero;           /* it is mapped, and reads as zero whatever is in the file */
};

void qcow2_release_state(struct qcow2 *q, const struct qcow2_state *s)
{
	uint64_t off, len;

	if (s->compressed) {
		qcow2_packed_range(q, s->host, &off, &len);
		qcow2_free_later(q, off >> q->cluster_bits,
				 ((off + len - 1) >> q->cluster_bits) - (off >> q->cluster_bits) +
					 1);
	} else if (s->has_host && !(q->header->incompatible & QCOW2_DATA_FILE)) {
		qcow2_free_later(q, s->host >> q->cluster_bits, 1);
	}
}

/* ---- which clusters ---- */

/* Subclusters that [from, to) of the cluster at @first touches. */
static uint32_t touched(const struct qcow2 *q, uint64_t first, uint64_t from, uint64_t to)
{
	const uint64_t sub = qcow2_subcluster_size(q), size = qcow2_cluster_size(q);
	const uint64_t begin = MAX(from, first) - first, end = MIN(to, first + size) - first;
	const unsigned lowest = (unsigned)(begin / sub), highest = (unsigned)((end - 1) / sub);

	return (uint32_t)((UINT64_C(2) << highest) - (UINT64_C(1) << lowest));
}

static bool stays(const struct qcow2_state *s)
{
	return s->has_host && s->copied && !s->compressed;
}

/* From the cluster of b->off on: as many as are alike, within one piece of the table. */
static bool collect(struct qcow2 *q, const struct qcow2_piece *piece, struct batch *b,
		    GError **error)
{
	const uint64_t size = qcow2_cluster_size(q);
	const unsigned index = qcow2_piece_index(q, b->off);

	b->first = b->off & ~(size - 1);
	b->pure = true;
	for (unsigned i = index; i < qcow2_piece_entries(q); i++) {
		const uint64_t at = b->first + b->clusters * size;
		struct qcow2_state s;

		if (at >= b->end)
			break;
		if (!qcow2_decode(q, piece, i, &s, error))
			return false;
		if (!b->clusters) {
			b->in_place = stays(&s);
			b->host = s.host;
		} else if (stays(&s) != b->in_place ||
			   (b->in_place && s.host != b->host + b->clusters * size)) {
			break;
		}
		if (!b->in_place || touched(q, at, b->off, b->end) & ~s.allocated)
			b->pure = false;
		b->clusters++;
	}
	b->end = MIN(b->end, b->first + b->clusters * size);
	return true;
}

/* What of a cluster must be in the file once the write is there: the lowest and highest byte. */
static void widen(const struct qcow2 *q, struct batch *b, uint64_t first,
		  const struct qcow2_state *s)
{
	const uint64_t sub = qcow2_subcluster_size(q);
	const uint32_t mask = touched(q, first, b->off, b->end);
	const unsigned lowest = (unsigned)__builtin_ctz(mask);
	const unsigned highest = 31 - (unsigned)__builtin_clz(mask);
	uint32_t all = mask;

	if (!b->in_place)
		all |= s->compressed ? qcow2_all(q) : s->allocated;
	if (first == b->first && !(b->in_place && s->allocated >> lowest & 1))
		b->lo = first + (unsigned)__builtin_ctz(all) * sub;
	if (first + qcow2_cluster_size(q) >= b->end &&
	    !(b->in_place && s->allocated >> highest & 1))
		b->hi = first + (32 - (unsigned)__builtin_clz(all)) * sub;
}

static bool find_bounds(struct qcow2 *q, struct batch *b, GError **error)
{
	const uint64_t last = b->first + (b->clusters - 1) * qcow2_cluster_size(q);
	struct qcow2_piece *piece;
	struct qcow2_state s;

	b->lo = b->off;
	b->hi = b->end;
	if (!qcow2_l2_get(q, b->first, &piece, error) ||
	    !qcow2_decode(q, piece, qcow2_piece_index(q, b->first), &s, error))
		return false;
	widen(q, b, b->first, &s);
	if (last == b->first)
		return true;
	if (!qcow2_decode(q, piece, qcow2_piece_index(q, last), &s, error))
		return false;
	widen(q, b, last, &s);
	return true;
}

/* ---- data ---- */

/* [from, to) of the guest as it is, to the file; nothing if it is zero, and is so already. */
static bool copy_part(struct qcow2 *q, const struct batch *b, uint64_t from, uint64_t to,
		      bool fresh, GError **error)
{
	g_autofree uint8_t *bytes = NULL;
	bool zero = false;

	if (from == to || (fresh && !qcow2_is_zero(q, from, to - from, true, &zero, error)))
		return from == to;
	if (zero)
		return true;
	bytes = g_malloc(to - from);
	return qcow2_read_locked(q, from, bytes, to - from, error) &&
	       qcow2_data_write(q, from, b->host + (from - b->first), bytes, to - from, error);
}

static bool write_data(struct qcow2 *q, const struct batch *b, const uint8_t *buf, GError **error)
{
	const int64_t size = b->lo < b->off || b->end < b->hi ? block_file_size(q->data) : 0;
	/* A hole in the file is no zero if that is decrypted. */
	const bool fresh =
		!qcow2_is_encrypted(q) && size >= 0 && !b->in_place && b->host >= (uint64_t)size;

	if (b->in_place && q->data == q->file) {
		const uint64_t len = b->clusters << q->cluster_bits;

		if ((b->host + len) >> q->cluster_bits > q->end)
			return qcow2_bad(q, error, "has a cluster behind its end: %#" PRIx64,
					 b->host);
		if (!qcow2_check_overlap(q, b->host, len, error))
			return false;
	}
	return copy_part(q, b, b->lo, b->off, fresh, error) &&
	       copy_part(q, b, b->end, b->hi, fresh, error) &&
	       qcow2_data_write(q, b->off, b->host + (b->off - b->first), buf, b->end - b->off,
				error);
}

/* ---- mappings ---- */

static bool map_batch(struct qcow2 *q, const struct batch *b, GError **error)
{
	const uint64_t size = qcow2_cluster_size(q);
	struct qcow2_piece *piece;
	unsigned index = qcow2_piece_index(q, b->first);

	/* It is there, and our own; but it may have left the cache. */
	if (!qcow2_l2_get(q, b->first, &piece, error))
		return false;
	for (uint64_t i = 0; i < b->clusters; i++, index++) {
		const uint64_t at = b->first + i * size;
		const uint32_t mask = touched(q, at, b->lo, b->hi);
		struct qcow2_state s;

		if (!qcow2_decode(q, piece, index, &s, error))
			return false;
		if (!b->in_place) {
			qcow2_release_state(q, &s);
			s.host = b->host + i * size;
			s.has_host = s.copied = true;
			if (s.compressed)
				s.compressed = false;
		}
		s.allocated = b->zero ? s.allocated & ~mask : s.allocated | mask;
		s.zero = b->zero ? s.zero | mask : s.zero & ~mask;
		qcow2_encode(q, piece, index, &s);
	}
	return true;
}

/* New clusters for a batch, which may get shorter by that. */
static bool allocate(struct qcow2 *q, struct batch *b, GError **error)
{
	uint64_t cluster, n;

	if (q->header->incompatible & QCOW2_DATA_FILE) {
		b->host = b->first;
		return true;
	}
	if (!qcow2_alloc(q, b->clusters, &cluster, &n, error))
		return false;
	b->host = cluster << q->cluster_bits;
	b->clusters = n;
	b->end = MIN(b->end, b->first + (n << q->cluster_bits));
	return true;
}

static void unallocate(struct qcow2 *q, const struct batch *b)
{
	if (!b->in_place && !(q->header->incompatible & QCOW2_DATA_FILE))
		qcow2_unalloc(q, b->host >> q->cluster_bits, b->clusters);
}

/* Some of it; how many bytes that were. */
static bool write_some(struct qcow2 *q, uint64_t off, const uint8_t *buf, size_t len,
		       size_t *ret_done, GError **error)
{
	struct qcow2_piece *piece = qcow2_l2_change(q, off, error);
	struct batch b = { .off = off, .end = off + len };

	if (!piece || !collect(q, piece, &b, error) || (!b.in_place && !allocate(q, &b, error)))
		return false;
	if (!find_bounds(q, &b, error) || !write_data(q, &b, buf, error) ||
	    (!b.pure && !map_batch(q, &b, error))) {
		unallocate(q, &b);
		return false;
	}
	*ret_done = (size_t)(b.end - off);
	return true;
}

bool qcow2_write_locked(struct qcow2 *q, uint64_t off, const void *buf, size_t len, GError **error)
{
	for (size_t done = 0; done < len;) {
		size_t n;

		if (!qcow2_begin_change(q, error) ||
		    !write_some(q, off + done, (const uint8_t *)buf + done, len - done, &n, error))
			return false;
		done += n;
	}
	return true;
}

bool qcow2_write(struct image *image, uint64_t off, const void *buf, size_t len, GError **error)
{
	struct qcow2 *q = qcow2_of(image);
	bool ok;

	pthread_mutex_lock(&q->lock);
	ok = qcow2_begin_data(q, off, len, error) && qcow2_write_locked(q, off, buf, len, error);
	pthread_mutex_unlock(&q->lock);
	return ok;
}

/* ---- preallocation ---- */

/*
 * The new clusters of @b read as zero. Behind the file's end nobody has ever written: there the file
 * grows, by as much as @left bytes need in any case. *@grown: up to where that was done; 0: not yet.
 */
static bool zero_new(struct qcow2 *q, const struct batch *b, uint64_t used, uint64_t left,
		     uint64_t *grown, GError **error)
{
	const uint64_t len = b->clusters << q->cluster_bits;
	int64_t size;
	int ret;

	if (b->host < used || (*grown && b->host + len <= *grown))
		return b->host >= used || qcow2_file_zero(q, b->host, len, error);
	size = *grown ? (int64_t)*grown : block_file_size(q->file);
	if (size < 0 || b->host < (uint64_t)size)
		return qcow2_file_zero(q, b->host, len, error);
	q->unsynced = true;
	ret = block_file_resize(q->file, b->host + left);
	if (ret == -ENOTSUP)
		return qcow2_file_zero(q, b->host, len, error);
	if (ret < 0)
		return error_sys(error, ret, "cannot allocate image '%s'", q->name);
	*grown = b->host + left;
	return true;
}

bool qcow2_preallocate(struct qcow2 *q, uint64_t off, uint64_t len, GError **error)
{
	struct batch b;
	uint64_t grown = 0;

	for (const uint64_t end = off + len; off < end; off = b.end) {
		struct qcow2_piece *piece = qcow2_l2_change(q, off, error);
		uint64_t used, left;

		b = (struct batch){ .off = off, .end = end, .zero = qcow2_is_encrypted(q) };
		if (!piece || !collect(q, piece, &b, error))
			return false;
		b.lo = b.first;
		if (b.in_place)
			continue;
		used = q->end << q->cluster_bits;
		if (!allocate(q, &b, error))
			return false;
		b.hi = b.first + (b.clusters << q->cluster_bits);
		left = qcow2_clusters(q, end - b.first) << q->cluster_bits;
		if ((q->data == q->file && !zero_new(q, &b, used, left, &grown, error)) ||
		    !map_batch(q, &b, error)) {
			unallocate(q, &b);
			return false;
		}
	}
	return true;
}

/* ---- compressed ---- */

/* Where the last ones end, if there is room, or the next cluster is free. Counts what is used. */
static bool place_at_tail(struct qcow2 *q, size_t len, bool *ret_done, GError **error)
{
	const uint64_t size = qcow2_cluster_size(q), cluster = q->tail >> q->cluster_bits;
	bool more = len > size - (q->tail & (size - 1)), have = true;
	uint64_t count;

	*ret_done = false;
	if (!q->tail)
		return true;
	if (!qcow2_get_count(q, cluster, &count, error))
		return false;
	if (!count || count == q->count_max)
		return true;
	if (more && !qcow2_alloc_at(q, cluster + 1, &have, error))
		return false;
	if (!have)
		return true;
	*ret_done = qcow2_add_count(q, cluster, 1, 1, error);
	if (!*ret_done && more)
		qcow2_unalloc(q, cluster + 1, 1);
	return *ret_done;
}

static bool place_packed(struct qcow2 *q, size_t len, uint64_t *ret_off, GError **error)
{
	uint64_t cluster, n;
	bool done;

	*ret_off = q->tail;
	if (!place_at_tail(q, len, &done, error))
		return false;
	if (done)
		return true;
	if (!qcow2_alloc(q, 1, &cluster, &n, error))
		return false;
	*ret_off = cluster << q->cluster_bits;
	return true;
}

static uint64_t packed_entry(const struct qcow2 *q, uint64_t off, size_t len)
{
	const unsigned shift = 62 - (q->cluster_bits - 8);
	const uint64_t sectors = ((off + len - 1) >> 9) - (off >> 9);

	return QCOW2_COMPRESSED | sectors << shift | off;
}

static bool write_packed_data(struct qcow2 *q, uint64_t off, const void *data, size_t len,
			      GError **error)
{
	/* Whole sectors, as others read them; what follows in the last one is ours, too. */
	const size_t padded = (size_t)(((off + len + 511) & ~UINT64_C(511)) - off);
	g_autofree uint8_t *bytes = g_malloc0(padded);

	memcpy(bytes, data, len);
	return qcow2_data_write_plain(q, off, bytes, padded, error);
}

static bool map_packed(struct qcow2 *q, uint64_t off, uint64_t entry, GError **error)
{
	const struct qcow2_state new = { .compressed = true, .host = entry };
	struct qcow2_piece *piece = qcow2_l2_change(q, off, error);
	struct qcow2_state old;

	if (!piece || !qcow2_decode(q, piece, qcow2_piece_index(q, off), &old, error))
		return false;
	qcow2_release_state(q, &old);
	qcow2_encode(q, piece, qcow2_piece_index(q, off), &new);
	return true;
}

static bool write_packed_locked(struct qcow2 *q, uint64_t off, const void *data, size_t len,
				GError **error)
{
	uint64_t host;

	if (qcow2_is_encrypted(q))
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "image '%s' is encrypted, and compressed data would not be",
				 q->name);
	if (off & (qcow2_cluster_size(q) - 1) || !len || len >= qcow2_cluster_size(q) ||
	    q->header->incompatible & QCOW2_DATA_FILE)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "image '%s' takes compressed data by whole clusters only, and "
				 "none with a data file",
				 q->name);
	/* A table that is missing comes first, as others have it: for who reads an image by eye. */
	if (!qcow2_begin_change(q, error) || !qcow2_l2_change(q, off, error) ||
	    !place_packed(q, len, &host, error))
		return false;
	pthread_mutex_lock(&q->unpacked_lock);
	q->unpacked_entry = 0;
	pthread_mutex_unlock(&q->unpacked_lock);
	if (!write_packed_data(q, host, data, len, error) ||
	    !map_packed(q, off, packed_entry(q, host, len), error)) {
		qcow2_unalloc(q, host >> q->cluster_bits,
			      ((host + len - 1) >> q->cluster_bits) - (host >> q->cluster_bits) +
				      1);
		q->tail = 0;
		return false;
	}
	/* Though map_packed() may have freed another one there: this one still has the cluster. */
	q->tail = (host + len) & (qcow2_cluster_size(q) - 1) ? host + len : 0;
	return true;
}

bool qcow2_write_packed(struct image *image, uint64_t off, const void *data, size_t len,
			GError **error)
{
	struct qcow2 *q = qcow2_of(image);
	bool ok;

	pthread_mutex_lock(&q->lock);
	ok = qcow2_begin_data(q, off, qcow2_cluster_size(q), error) &&
	     write_packed_locked(q, off, data, len, error);
	pthread_mutex_unlock(&q->lock);
	return ok;
}
