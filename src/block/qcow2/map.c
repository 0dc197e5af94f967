/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * map.c - from an offset of the guest to what is there, and reading it
 */
#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "block/qcow2/qcow2-int.h"

enum {
	MAP_PIECES = 1024, /* one answer of qcow2_map() looks at, at most */
};

/* ---- entries ---- */

unsigned qcow2_piece_entries(const struct qcow2 *q)
{
	return 1u << (q->cache.piece_bits - q->entry_bits);
}

unsigned qcow2_piece_index(const struct qcow2 *q, uint64_t off)
{
	return (unsigned)(off >> q->cluster_bits) & (qcow2_piece_entries(q) - 1);
}

static bool decode_plain(const struct qcow2 *q, uint64_t entry, struct qcow2_state *s)
{
	const uint64_t zero = q->subclusters == 1 && q->header->version >= 3 ? QCOW2_ZERO_FLAG : 0;

	s->host = entry & QCOW2_OFFSET;
	s->copied = entry & QCOW2_COPIED;
	s->has_host = s->host || (q->external && s->copied);
	s->zero = q->subclusters == 1 && entry & zero;
	s->allocated = q->subclusters == 1 && s->has_host && !s->zero;
	return !(entry & ~(QCOW2_COPIED | QCOW2_OFFSET | zero)) &&
	       !(s->host & (qcow2_cluster_size(q) - 1));
}

static bool decode_bitmap(uint64_t bitmap, struct qcow2_state *s)
{
	s->allocated = (uint32_t)bitmap;
	s->zero = (uint32_t)(bitmap >> 32);
	return !(s->allocated & s->zero) && (!s->allocated || s->has_host);
}

bool qcow2_decode(struct qcow2 *q, const struct qcow2_piece *piece, unsigned index,
		  struct qcow2_state *ret, GError **error)
{
	const uint8_t *at = piece->bytes + (size_t)index * q->entry_len;
	const uint64_t entry = qcow2_get_word(at);
	const uint64_t bitmap = q->subclusters > 1 ? qcow2_get_word(at + 8) : 0;
	struct qcow2_state s = { 0 };
	bool ok;

	if (entry & QCOW2_COMPRESSED) {
		s.compressed = true;
		s.host = entry & ~QCOW2_COPIED;
		ok = !q->external && !bitmap;
	} else {
		ok = decode_plain(q, entry, &s) &&
		     (q->subclusters == 1 || decode_bitmap(bitmap, &s));
	}
	*ret = s;
	if (ok)
		return true;
	return qcow2_bad(q, error,
			 "has an entry in an L2 table that cannot be: %#" PRIx64 " %#" PRIx64,
			 entry, bitmap);
}

/* Who reads the one before and the other after it sees by the number that he has neither. */
static void put_both(struct qcow2_piece *piece, uint8_t *at, uint64_t entry, uint64_t bitmap)
{
	const unsigned number = atomic_load_explicit(&piece->sequence, memory_order_relaxed);

	atomic_store_explicit(&piece->sequence, number + 1, memory_order_relaxed);
	qcow2_put_word(at, entry);
	qcow2_put_word(at + 8, bitmap);
	atomic_store_explicit(&piece->sequence, number + 2, memory_order_release);
}

void qcow2_encode(struct qcow2 *q, struct qcow2_piece *piece, unsigned index,
		  const struct qcow2_state *s)
{
	uint8_t *at = piece->bytes + (size_t)index * q->entry_len;
	uint64_t entry = 0;

	if (s->compressed)
		entry = s->host;
	else if (s->has_host)
		entry = s->host | (s->copied ? QCOW2_COPIED : 0);
	if (q->subclusters == 1 && s->zero)
		entry |= QCOW2_ZERO_FLAG;
	if (q->subclusters == 1)
		qcow2_put_word(at, entry);
	else
		put_both(piece, at, entry, (uint64_t)s->zero << 32 | s->allocated);
	qcow2_cache_dirty(q, piece);
}

void qcow2_packed_range(const struct qcow2 *q, uint64_t entry, uint64_t *ret_off, uint64_t *ret_len)
{
	const unsigned shift = 62 - (q->cluster_bits - 8);
	const uint64_t off = entry & ((UINT64_C(1) << shift) - 1);

	*ret_off = off & ~UINT64_C(511);
	*ret_len = (((entry & (QCOW2_COMPRESSED - 1)) >> shift) + 1) * 512;
}

/* ---- L2 tables ---- */

static uint64_t l1_index(const struct qcow2 *q, uint64_t off)
{
	return off >> q->cluster_bits >> q->l2_bits;
}

static bool check_l1_entry(const struct qcow2 *q, uint64_t entry, GError **error)
{
	const uint64_t table = entry & QCOW2_OFFSET;

	if (entry & ~(QCOW2_COPIED | QCOW2_OFFSET) || table & (qcow2_cluster_size(q) - 1))
		return qcow2_bad(q, error, "has an entry in its L1 table that cannot be: %#" PRIx64,
				 entry);
	return true;
}

/* Where the piece of @table begins that has the entry of @off. */
static uint64_t piece_off(const struct qcow2 *q, uint64_t table, uint64_t off)
{
	const uint64_t in_table = (off >> q->cluster_bits) & ((UINT64_C(1) << q->l2_bits) - 1);

	return table + (in_table >> (q->cache.piece_bits - q->entry_bits) << q->cache.piece_bits);
}

static struct qcow2_piece *get_piece(struct qcow2 *q, uint64_t table, uint64_t off, GError **error)
{
	return qcow2_cache_get(q, QCOW2_PIECE_L2, piece_off(q, table, off), error);
}

bool qcow2_l2_get(struct qcow2 *q, uint64_t off, struct qcow2_piece **ret, GError **error)
{
	const uint64_t index = l1_index(q, off);
	const uint64_t entry = index < q->l1.size ? q->l1.entry[index] : 0;

	*ret = NULL;
	if (!check_l1_entry(q, entry, error))
		return false;
	if (!(entry & QCOW2_OFFSET))
		return true;
	*ret = get_piece(q, entry & QCOW2_OFFSET, off, error);
	return *ret;
}

/* A table of our own: empty, or with what the one that others use, too, has. */
static bool make_l2(struct qcow2 *q, uint64_t index, GError **error)
{
	const uint64_t size = qcow2_cluster_size(q), old = q->l1.entry[index] & QCOW2_OFFSET;
	g_autofree uint8_t *bytes = old ? g_malloc(size) : NULL;
	uint64_t cluster, n, table;

	if (old && !qcow2_file_read(q, old, bytes, size, "L2 table", error))
		return false;
	if (!qcow2_alloc(q, 1, &cluster, &n, error))
		return false;
	table = cluster << q->cluster_bits;
	if (!(old ? qcow2_file_write(q, table, bytes, size, "L2 table", error)
		  : qcow2_file_zero(q, table, size, error))) {
		qcow2_unalloc(q, cluster, 1);
		return false;
	}
	if (old) {
		qcow2_free_later(q, old >> q->cluster_bits, 1);
		qcow2_unuse(q, old, size);
	}
	qcow2_use(q, table, size, QCOW2_USE_L2);
	qcow2_table_set(&q->l1, (uint32_t)index, table | QCOW2_COPIED);
	return true;
}

struct qcow2_piece *qcow2_l2_change(struct qcow2 *q, uint64_t off, GError **error)
{
	const uint64_t index = l1_index(q, off);
	uint64_t entry;

	if (index >= q->l1.size) {
		qcow2_bad(q, error, "has too short an L1 table");
		return NULL;
	}
	entry = q->l1.entry[index];
	if (!check_l1_entry(q, entry, error))
		return NULL;
	if ((entry & QCOW2_OFFSET) >> q->cluster_bits >= q->end) {
		qcow2_bad(q, error, "has an L2 table behind its end: %#" PRIx64, entry);
		return NULL;
	}
	if (!(entry & QCOW2_COPIED) || !(entry & QCOW2_OFFSET)) {
		if (!make_l2(q, index, error))
			return NULL;
	}
	return get_piece(q, q->l1.entry[index] & QCOW2_OFFSET, off, error);
}

/* ---- lookup ---- */

static enum qcow2_kind kind_of(const struct qcow2_state *s, unsigned sub)
{
	if (s->compressed)
		return QCOW2_KIND_PACKED;
	if (s->zero >> sub & 1)
		return QCOW2_KIND_ZERO;
	return s->allocated >> sub & 1 ? QCOW2_KIND_DATA : QCOW2_KIND_ABSENT;
}

/* How many subclusters from @sub on are of its kind. */
static unsigned count_kind(const struct qcow2 *q, const struct qcow2_state *s, unsigned sub)
{
	const enum qcow2_kind kind = kind_of(s, sub);
	unsigned n = 1;

	while (sub + n < q->subclusters && kind_of(s, sub + n) == kind)
		n++;
	return n;
}

/* No L2 tables: that is known for many at once. */
static uint64_t absent_len(const struct qcow2 *q, uint64_t off, uint64_t len)
{
	const unsigned reach_bits = q->cluster_bits + q->l2_bits;
	uint64_t index = l1_index(q, off);

	while (index < q->l1.size && !(q->l1.entry[index] & QCOW2_OFFSET) &&
	       index << reach_bits < off + len)
		index++;
	return index < q->l1.size ? MIN(len, (index << reach_bits) - off) : len;
}

/* From the entry of @off on, as far as @piece has them. */
static bool look(struct qcow2 *q, const struct qcow2_piece *piece, uint64_t off, uint64_t len,
		 struct qcow2_run *ret, GError **error)
{
	const uint64_t size = qcow2_cluster_size(q), sub_size = qcow2_subcluster_size(q);
	const unsigned entries = qcow2_piece_entries(q);
	unsigned sub = (unsigned)((off & (size - 1)) / sub_size);
	uint64_t reach = 0; /* from the begin of the first subcluster */
	struct qcow2_run run = { 0 };

	for (unsigned i = qcow2_piece_index(q, off); i < entries && reach < len + sub_size; i++) {
		struct qcow2_state s;
		enum qcow2_kind kind;
		unsigned n;

		if (!qcow2_decode(q, piece, i, &s, error))
			return false;
		kind = kind_of(&s, sub);
		n = count_kind(q, &s, sub);
		if (!reach)
			run = (struct qcow2_run){
				.kind = kind,
				.has_host = s.has_host && kind != QCOW2_KIND_ABSENT,
				.host = s.compressed ? s.host : s.host + sub * sub_size,
				.copied = true,
			};
		else if (kind != run.kind || kind == QCOW2_KIND_PACKED ||
			 (kind != QCOW2_KIND_ABSENT && s.has_host != run.has_host) ||
			 (run.has_host && s.host != run.host + reach))
			break;
		run.copied &= s.copied;
		reach += n * sub_size;
		if (sub + n < q->subclusters)
			break;
		sub = 0;
	}
	if (run.has_host)
		run.host += off & (sub_size - 1);
	run.len = MIN(len, reach - (off & (sub_size - 1)));
	*ret = run;
	return true;
}

bool qcow2_lookup(struct qcow2 *q, uint64_t off, uint64_t len, struct qcow2_run *ret,
		  GError **error)
{
	struct qcow2_piece *piece;

	if (!qcow2_l2_get(q, off, &piece, error))
		return false;
	if (piece)
		return look(q, piece, off, len, ret, error);
	*ret = (struct qcow2_run){ .len = absent_len(q, off, len) };
	return true;
}

/* What most want: bytes of one cluster, which is there as it is, and has no subclusters. */
static bool look_at_one(const struct qcow2 *q, const struct qcow2_piece *piece, uint64_t off,
			uint64_t len, struct qcow2_run *ret)
{
	const uint64_t within = off & (qcow2_cluster_size(q) - 1);
	const uint64_t entry =
		qcow2_get_word(piece->bytes + ((size_t)qcow2_piece_index(q, off) << q->entry_bits));
	const uint64_t host = entry & QCOW2_OFFSET;

	if (q->subclusters > 1 || within + len > qcow2_cluster_size(q) || !host ||
	    entry & ~(QCOW2_COPIED | QCOW2_OFFSET) || host & (qcow2_cluster_size(q) - 1))
		return false;
	*ret = (struct qcow2_run){
		.kind = QCOW2_KIND_DATA,
		.len = len,
		.has_host = true,
		.copied = entry & QCOW2_COPIED,
		.host = host + within,
	};
	return true;
}

bool qcow2_peek(struct qcow2 *q, uint64_t off, uint64_t len, struct qcow2_run *ret)
{
	const uint64_t index = l1_index(q, off);
	const uint64_t entry = index < q->l1.size ? qcow2_table_peek(&q->l1, (uint32_t)index) : 0;
	const uint64_t reach = UINT64_C(1) << (q->cluster_bits + q->l2_bits);
	const struct qcow2_piece *piece;
	unsigned number;

	if (!(entry & QCOW2_OFFSET)) {
		*ret = (struct qcow2_run){ .len = MIN(len, reach - (off & (reach - 1))) };
		return check_l1_entry(q, entry, NULL);
	}
	if (!check_l1_entry(q, entry, NULL))
		return false;
	piece = qcow2_cache_peek(q, piece_off(q, entry & QCOW2_OFFSET, off));
	if (!piece || piece->kind != QCOW2_PIECE_L2)
		return false;
	if (look_at_one(q, piece, off, len, ret))
		return true;
	number = atomic_load_explicit(&piece->sequence, memory_order_acquire);
	return !(number & 1) && look(q, piece, off, len, ret, NULL) &&
	       atomic_load_explicit(&piece->sequence, memory_order_relaxed) == number;
}

/* Of what the image has not itself: how many bytes from @off on are alike, and are they zero? */
static bool zero_behind(struct qcow2 *q, uint64_t off, uint64_t len, bool look, uint64_t *ret_len,
			bool *ret, GError **error)
{
	struct image *behind = look ? q->base.backing : NULL;
	struct image_extent extent;

	*ret_len = len;
	*ret = !(q->hides || (q->header->backing_file && off < q->base.size && !behind));
	if (!*ret || !behind || off >= q->base.size || off >= behind->size)
		return true;
	if (!image_map_chain(behind, off, MIN(len, behind->size - off), &extent, error))
		return false;
	*ret_len = extent.len;
	*ret = extent.kind != IMAGE_DATA;
	return true;
}

bool qcow2_is_zero(struct qcow2 *q, uint64_t off, uint64_t len, bool behind, bool *ret,
		   GError **error)
{
	struct qcow2_run run;

	*ret = true;
	for (; len && *ret; off += run.len, len -= run.len) {
		if (!qcow2_lookup(q, off, len, &run, error))
			return false;
		*ret = run.kind == QCOW2_KIND_ZERO;
		if (run.kind == QCOW2_KIND_ABSENT &&
		    !zero_behind(q, off, run.len, behind, &run.len, ret, error))
			return false;
	}
	return true;
}

static bool merges(const struct qcow2_run *run, const struct qcow2_run *next)
{
	return run->kind == next->kind && run->kind != QCOW2_KIND_PACKED &&
	       run->has_host == next->has_host &&
	       (!run->has_host || run->host + run->len == next->host);
}

bool qcow2_map(struct image *image, uint64_t off, uint64_t len, struct image_extent *ret_extent,
	       GError **error)
{
	struct qcow2 *q = qcow2_of(image);
	struct qcow2_run run, next;
	bool ok;

	pthread_mutex_lock(&q->lock);
	ok = qcow2_lookup(q, off, len, &run, error);
	for (unsigned i = 0; ok && run.len < len && i < MAP_PIECES; i++) {
		ok = qcow2_lookup(q, off + run.len, len - run.len, &next, error);
		if (!ok || !merges(&run, &next))
			break;
		run.len += next.len;
	}
	pthread_mutex_unlock(&q->lock);
	if (!ok)
		return false;
	ret_extent->len = run.len;
	ret_extent->kind = run.kind == QCOW2_KIND_ABSENT ? IMAGE_ABSENT
			   : run.kind == QCOW2_KIND_ZERO ? IMAGE_ZERO
							 : IMAGE_DATA;
	ret_extent->compressed = run.kind == QCOW2_KIND_PACKED;
	/* Encrypted bytes do not lie there as they are. */
	ret_extent->has_host_off = run.has_host && !qcow2_is_encrypted(q);
	ret_extent->host_off = ret_extent->has_host_off ? run.host : 0;
	if (q->data_name)
		ret_extent->file = q->data_name;
	return true;
}

/* ---- reading ---- */

static bool unpack_entry(struct qcow2 *q, uint64_t entry, uint8_t *out, GError **error)
{
	const unsigned shift = 62 - (q->cluster_bits - 8);
	const uint64_t in_sector = entry & ((UINT64_C(1) << shift) - 1) & 511;
	g_autofree uint8_t *packed = NULL;
	uint64_t off, len;

	qcow2_packed_range(q, entry, &off, &len);
	packed = g_malloc(len);
	if (!qcow2_file_read(q, off, packed, len, "compressed data", error))
		return false;
	if (!qcow2_unpack(q->header->compression, packed + in_sector, len - in_sector, out,
			  qcow2_cluster_size(q)))
		return qcow2_bad(q, error,
				 "has a compressed cluster at %#" PRIx64 " that cannot be unpacked",
				 off + in_sector);
	return true;
}

/* Those who read a compressed cluster bit by bit unpack it once. */
static bool read_packed(struct qcow2 *q, uint64_t entry, uint64_t in_cluster, void *buf, size_t len,
			GError **error)
{
	g_autofree uint8_t *bytes = NULL;
	bool have;

	pthread_mutex_lock(&q->unpacked_lock);
	have = q->unpacked_entry == entry;
	if (have)
		memcpy(buf, q->unpacked + in_cluster, len);
	pthread_mutex_unlock(&q->unpacked_lock);
	if (have)
		return true;
	bytes = g_malloc(qcow2_cluster_size(q));
	if (!unpack_entry(q, entry, bytes, error))
		return false;
	memcpy(buf, bytes + in_cluster, len);
	pthread_mutex_lock(&q->unpacked_lock);
	g_free(q->unpacked);
	q->unpacked = g_steal_pointer(&bytes);
	q->unpacked_entry = entry;
	pthread_mutex_unlock(&q->unpacked_lock);
	return true;
}

/* What is behind, as far as the image has it. */
static bool read_behind(struct qcow2 *q, uint64_t off, void *buf, size_t len, GError **error)
{
	const size_t there = off < q->base.size ? (size_t)MIN(len, q->base.size - off) : 0;

	if (there && q->header->backing_file && !q->base.backing)
		return error_set(error, SOCLE_ERROR_STATE,
				 "image '%s' has '%s' behind it, which is needed and not open",
				 q->name, q->header->backing_file);
	memset((uint8_t *)buf + there, 0, len - there);
	return !there || image_read_backing(&q->base, off, buf, there, error);
}

static bool read_run(struct qcow2 *q, uint64_t off, void *buf, const struct qcow2_run *run,
		     GError **error)
{
	const size_t len = (size_t)run->len;
	int ret;

	switch (run->kind) {
	case QCOW2_KIND_ABSENT:
		return read_behind(q, off, buf, len, error);
	case QCOW2_KIND_ZERO:
		memset(buf, 0, len);
		return true;
	case QCOW2_KIND_PACKED:
		return read_packed(q, run->host, off & (qcow2_cluster_size(q) - 1), buf, len,
				   error);
	case QCOW2_KIND_DATA:
	default:
		if (qcow2_is_encrypted(q))
			return qcow2_crypt_read(q, off, run->host, buf, len, error);
		ret = block_file_read(q->data, run->host, buf, len);
		return ret < 0 ? error_sys(error, ret, "cannot read image '%s'", q->name) : true;
	}
}

bool qcow2_read_locked(struct qcow2 *q, uint64_t off, void *buf, size_t len, GError **error)
{
	for (size_t done = 0; done < len;) {
		struct qcow2_run run;

		if (!qcow2_lookup(q, off + done, len - done, &run, error) ||
		    !read_run(q, off + done, (uint8_t *)buf + done, &run, error))
			return false;
		done += (size_t)run.len;
	}
	return true;
}

/* By a look without the lock, or with it; inside until it has been read. */
static bool read_some(struct qcow2 *q, uint64_t off, void *buf, size_t len, size_t *ret_done,
		      GError **error)
{
	struct qcow2_run run = { 0 };
	unsigned token;
	bool inside = epoch_enter(q->epoch, &token);
	bool ok = inside && qcow2_peek(q, off, len, &run);

	if (!ok) {
		/* Not inside while waiting for the lock: who has it may wait for us. */
		if (inside)
			epoch_leave(q->epoch, token);
		pthread_mutex_lock(&q->lock);
		ok = qcow2_lookup(q, off, len, &run, error);
		inside = epoch_enter(q->epoch, &token);
		pthread_mutex_unlock(&q->lock);
	}
	ok = ok && read_run(q, off, buf, &run, error);
	if (inside)
		epoch_leave(q->epoch, token);
	*ret_done = (size_t)run.len;
	return ok;
}

bool qcow2_read(struct image *image, uint64_t off, void *buf, size_t len, GError **error)
{
	struct qcow2 *q = qcow2_of(image);

	for (size_t done = 0, n; done < len; done += n) {
		if (!read_some(q, off + done, (uint8_t *)buf + done, len - done, &n, error))
			return false;
	}
	return true;
}
