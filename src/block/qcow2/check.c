/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check.c - is a qcow2 image consistent? Counts all references anew and compares
 *
 * One pass over everything that refers to host clusters: the header, the tables of counts, the
 * active L1 with its L2 tables, each snapshot's, the bitmaps, the LUKS header. Then a pass over the
 * counts in the file. Whether a cluster was met with or without the COPIED flag is noted in the first
 * pass; only if that does not go with a count, the active tables are read again to tell where.
 *
 * An L2 table that many entries of one L1 point to is read once: whoever made it so gets his
 * findings, but not our time. Texts are those of qemu-img check, for those who compare.
 */
#include "block/qcow2/check.h"

#include <inttypes.h>
#include <stdarg.h>

#include "base/bytes.h"
#include "base/error.h"

#define L1_OFFSET  UINT64_C(0x00fffffffffffe00)
#define L2_OFFSET  UINT64_C(0x00fffffffffffe00)
#define COPIED     (UINT64_C(1) << 63)
#define COMPRESSED (UINT64_C(1) << 62)
#define ZERO_FLAG  UINT64_C(1)

enum {
	CHUNK_BITS = 12, /* clusters whose counts are allocated together */
	CHUNK = 1 << CHUNK_BITS,
	MAX_CHUNKS = 1 << 16,    /* 1 GiB: enough for 16 TiB in clusters of 64 KiB */
	SNAPSHOT_LEN = 40,       /* the fixed part of an entry */
	SNAPSHOT_MIN_EXTRA = 16, /* of version 3 */
	SNAPSHOT_EXTRA = 24,     /* that we write */
	SNAPSHOT_MAX_EXTRA = 1024,
	SNAPSHOT_MAX_TABLE = 64 << 20,
	BITMAP_LEN = 24,
	READ_LEN = 64 << 10, /* of a table, at a time */
};

struct chunk {
	uint32_t count[CHUNK];
	uint8_t seen[CHUNK / 8]; /* bits: an L2 table that this L1 has met */
	/* Bits: an entry of the active tables points to it with COPIED, or without. */
	uint8_t copied[CHUNK / 8], plain[CHUNK / 8];
};

struct check {
	const char *name;
	struct block_file *file;
	const struct qcow2_header *header;
	const struct qcow2_check_listener *listener;
	struct qcow2_check *result;
	GError **error;
	unsigned cluster_bits;
	uint64_t clusters;     /* of the file, as far as they can be counted */
	struct chunk **chunks; /* NULL: nothing refers to them */
	GPtrArray *made;       /* those that there are */
	uint32_t count_max;    /* what a count can say */
	uint64_t next_host;    /* where this L2 table's next cluster is if nothing is fragmented */
	bool copied_wrong;     /* some COPIED flag is, or points to where no count is */
};

/* ---- telling ---- */

static void found(struct check *c, enum qcow2_finding finding, const char *format, ...)
	G_GNUC_PRINTF(3, 4);

static void found(struct check *c, enum qcow2_finding finding, const char *format, ...)
{
	g_autofree char *text = NULL;
	va_list args;

	va_start(args, format);
	text = g_strdup_vprintf(format, args);
	va_end(args);
	if (finding == QCOW2_LEAK)
		c->result->leaks++;
	else
		c->result->corruptions++;
	if (c->listener && c->listener->found)
		c->listener->found(c->listener->opaque, finding, text);
}

static bool read_at(struct check *c, uint64_t off, void *buf, size_t len, const char *what)
{
	int ret = block_file_read(c->file, off, buf, len);

	if (ret < 0)
		return error_sys(c->error, ret, "cannot read the %s of image '%s'", what, c->name);
	return true;
}

/* ---- counting ---- */

static uint32_t references(const struct check *c, uint64_t cluster)
{
	const struct chunk *chunk = c->chunks[cluster >> CHUNK_BITS];

	return chunk ? chunk->count[cluster & (CHUNK - 1)] : 0;
}

/* No count can say that: it is none that could be put right. */
static void overflow(struct check *c, uint64_t cluster)
{
	c->result->overflows++;
	found(c, QCOW2_CORRUPTION,
	      "ERROR: overflow cluster offset=0x%" PRIx64 ": it has more references than counts of "
	      "%u bits can say; widen them with `socle-img amend -o refcount_bits=64`, or convert "
	      "the image",
	      cluster << c->cluster_bits, 1u << c->header->refcount_order);
}

/* Beyond MAX_CHUNKS nothing is counted; check_all() fails then. */
static void refer_cluster(struct check *c, uint64_t cluster)
{
	struct chunk *chunk = c->chunks[cluster >> CHUNK_BITS];

	if (!chunk) {
		if (c->made->len > MAX_CHUNKS)
			return;
		chunk = g_new0(struct chunk, 1);
		c->chunks[cluster >> CHUNK_BITS] = chunk;
		g_ptr_array_add(c->made, chunk);
	}
	if (chunk->count[cluster & (CHUNK - 1)] < c->count_max)
		chunk->count[cluster & (CHUNK - 1)]++;
	else if (c->count_max < UINT32_MAX)
		overflow(c, cluster);
}

/* An entry of the active tables, aligned, and referred to. */
static void note_copied(struct check *c, uint64_t entry)
{
	const uint64_t cluster = (entry & L2_OFFSET) >> c->cluster_bits;
	struct chunk *chunk = cluster < c->clusters ? c->chunks[cluster >> CHUNK_BITS] : NULL;

	if (chunk)
		(entry & COPIED ? chunk->copied : chunk->plain)[(cluster & (CHUNK - 1)) / 8] |=
			(uint8_t)(1u << cluster % 8);
	else
		c->copied_wrong = true;
}

/* Has this L1 met the L2 table in this cluster before? */
static bool seen_before(struct check *c, uint64_t cluster)
{
	struct chunk *chunk = c->chunks[cluster >> CHUNK_BITS];
	uint8_t *byte, bit = (uint8_t)(1u << cluster % 8);
	bool seen;

	if (!chunk)
		return true;
	byte = &chunk->seen[(cluster & (CHUNK - 1)) / 8];
	seen = *byte & bit;
	*byte |= bit;
	return seen;
}

static void forget_seen(struct check *c)
{
	for (unsigned i = 0; i < c->made->len; i++) {
		struct chunk *chunk = g_ptr_array_index(c->made, i);

		memset(chunk->seen, 0, sizeof(chunk->seen));
	}
}

/* Something refers to these bytes. False, and told, if they are not in the file. */
static bool refer(struct check *c, uint64_t off, uint64_t len)
{
	const uint64_t end = c->clusters << c->cluster_bits;

	if (!len)
		return true;
	if (off > end || len > end - off) {
		found(c, QCOW2_CORRUPTION,
		      "ERROR: counting reference for region exceeding the end of the file by one "
		      "cluster or more: offset 0x%" PRIx64 " size 0x%" PRIx64,
		      off, len);
		return false;
	}
	for (uint64_t i = off >> c->cluster_bits; i <= (off + len - 1) >> c->cluster_bits; i++)
		refer_cluster(c, i);
	return true;
}

static bool is_aligned(const struct check *c, uint64_t off)
{
	return !(off & ((UINT64_C(1) << c->cluster_bits) - 1));
}

/* ---- tables of references ---- */

/* Calls each(c, index, entry) for the big-endian numbers at @off. */
static bool for_entries(struct check *c, uint64_t off, uint64_t count, const char *what,
			bool (*each)(struct check *c, uint64_t index, uint64_t entry))
{
	g_autofree uint8_t *buf = g_malloc(READ_LEN);

	for (uint64_t i = 0; i < count;) {
		const uint64_t n = MIN(count - i, (uint64_t)READ_LEN / 8);

		if (!read_at(c, off + i * 8, buf, (size_t)n * 8, what))
			return false;
		for (uint64_t k = 0; k < n; k++, i++) {
			const uint64_t entry = get_be64(buf + k * 8);

			if (entry && !each(c, i, entry))
				return false;
		}
	}
	return true;
}

static void check_compressed(struct check *c, uint64_t entry, uint64_t bitmap)
{
	const unsigned shift = 62 - (c->cluster_bits - 8);
	const uint64_t off = entry & ((UINT64_C(1) << shift) - 1);
	const uint64_t sectors = ((entry & (COMPRESSED - 1)) >> shift) + 1;
	const uint64_t begin = off & ~UINT64_C(511);

	if (c->header->incompatible & QCOW2_DATA_FILE)
		found(c, QCOW2_CORRUPTION,
		      "ERROR compressed cluster %#" PRIx64 " in an image with a data file", entry);
	if (entry & COPIED)
		found(c, QCOW2_CORRUPTION,
		      "ERROR: coffset=0x%" PRIx64 ": copied flag must never be set for compressed "
		      "clusters",
		      off);
	if (bitmap)
		found(c, QCOW2_CORRUPTION,
		      "ERROR compressed cluster %#" PRIx64 " has a subcluster allocation map",
		      entry);
	(void)refer(c, begin, sectors * 512);
}

static bool has_subclusters(const struct check *c)
{
	return c->header->incompatible & QCOW2_EXTENDED_L2;
}

/* Entries with a flag or bits that nobody may have. */
static void check_reserved(struct check *c, uint64_t entry, uint64_t bitmap)
{
	const uint64_t flags =
		COPIED | L2_OFFSET | (has_subclusters(c) || c->header->version < 3 ? 0 : ZERO_FLAG);

	if (entry & ~flags)
		found(c, QCOW2_CORRUPTION, "ERROR found l2 entry with reserved bits set: %" PRIx64,
		      entry);
	if (bitmap & UINT32_MAX && !(entry & L2_OFFSET) && !(entry & COPIED))
		found(c, QCOW2_CORRUPTION,
		      "ERROR: Unallocated cluster has non-zero subcluster allocation map");
	if (bitmap & bitmap >> 32 & UINT32_MAX)
		found(c, QCOW2_CORRUPTION,
		      "ERROR L2 entry %" PRIx64
		      " has subclusters that are both allocated and zero: "
		      "%" PRIx64,
		      entry, bitmap);
}

/* An entry of an L2 table, of the active L1 or of a snapshot's. */
static void check_entry(struct check *c, uint64_t entry, uint64_t bitmap, bool active)
{
	const bool own = !(c->header->incompatible & QCOW2_DATA_FILE);
	const uint64_t off = entry & L2_OFFSET;
	struct qcow2_check *result = c->result;

	if (entry & COMPRESSED) {
		check_compressed(c, entry, bitmap);
		if (active) {
			result->allocated++;
			result->compressed++;
			result->fragmented++;
		}
		return;
	}
	check_reserved(c, entry, bitmap);
	if (!off && (own || !(entry & COPIED)))
		return;
	if (!is_aligned(c, off)) {
		found(c, QCOW2_CORRUPTION,
		      "ERROR offset=%" PRIx64
		      ": Cluster is not properly aligned; L2 entry corrupted.",
		      off);
		return;
	}
	if (active) {
		result->allocated++;
		if (c->next_host && off != c->next_host)
			result->fragmented++;
		c->next_host = off + (UINT64_C(1) << c->cluster_bits);
	}
	if (!own)
		return;
	(void)refer(c, off, UINT64_C(1) << c->cluster_bits);
	if (active && off)
		note_copied(c, entry);
}

static bool check_l2(struct check *c, uint64_t off, bool active)
{
	const size_t len = (size_t)1 << c->cluster_bits, step = has_subclusters(c) ? 16 : 8;
	g_autofree uint8_t *table = g_malloc(len);

	if (!read_at(c, off, table, len, "L2 table"))
		return false;
	c->next_host = 0;
	for (size_t i = 0; i < len; i += step) {
		const uint64_t entry = get_be64(table + i);
		const uint64_t bitmap = step == 16 ? get_be64(table + i + 8) : 0;

		if (entry || bitmap)
			check_entry(c, entry, bitmap, active);
	}
	return true;
}

static bool check_l1_entry(struct check *c, uint64_t entry, bool active)
{
	const uint64_t off = entry & L1_OFFSET, cluster = off >> c->cluster_bits;

	if (entry & ~(COPIED | L1_OFFSET))
		found(c, QCOW2_CORRUPTION, "ERROR found L1 entry with reserved bits set: %" PRIx64,
		      entry);
	if (!off)
		return true;
	if (!is_aligned(c, off)) {
		found(c, QCOW2_CORRUPTION,
		      "ERROR l2_offset=%" PRIx64
		      ": Table is not cluster aligned; L1 entry corrupted",
		      off);
		return true;
	}
	if (!refer(c, off, UINT64_C(1) << c->cluster_bits))
		return true;
	if (active)
		note_copied(c, entry);
	return seen_before(c, cluster) || check_l2(c, off, active);
}

static bool active_l1_entry(struct check *c, uint64_t index, uint64_t entry)
{
	(void)index;
	return check_l1_entry(c, entry, true);
}

static bool snapshot_l1_entry(struct check *c, uint64_t index, uint64_t entry)
{
	(void)index;
	return check_l1_entry(c, entry, false);
}

static bool check_l1(struct check *c, uint64_t off, uint64_t size, bool active)
{
	forget_seen(c);
	if (!refer(c, off, size * 8))
		return true;
	return for_entries(c, off, size, "L1 table", active ? active_l1_entry : snapshot_l1_entry);
}

/* ---- snapshots and bitmaps ---- */

/* What a repair puts right; @extra: bytes of extra data. */
static void check_extra(struct check *c, uint32_t index, uint32_t extra)
{
	if (extra > SNAPSHOT_MAX_EXTRA) {
		c->result->oversized++;
		found(c, QCOW2_CORRUPTION,
		      "ERROR too much extra metadata in snapshot table entry %u (%u > %d)", index,
		      extra, SNAPSHOT_MAX_EXTRA);
	} else if (c->header->version >= 3 && extra < SNAPSHOT_MIN_EXTRA) {
		c->result->incomplete++;
		found(c, QCOW2_CORRUPTION, "ERROR snapshot table entry %u is incomplete", index);
	}
}

static void unreadable(struct check *c, uint32_t index)
{
	c->result->unreadable++;
	found(c, QCOW2_CORRUPTION, "ERROR snapshot %u: its entry in the list cannot be", index + 1);
}

/*
 * Does an entry end within the file? One with too much extra data may reach into what would be the
 * next cluster, if no other follows it.
 */
static bool is_inside(const struct check *c, uint64_t off, uint64_t len, uint32_t extra, bool last)
{
	const uint64_t cluster = UINT64_C(1) << c->cluster_bits;
	const uint64_t end = c->clusters << c->cluster_bits;

	return off < end &&
	       len <= end - off + (last && extra > SNAPSHOT_MAX_EXTRA ? cluster - 1 : 0);
}

/* Cut as far as it can be, is the list longer than it may be? @len: without what is cut. */
static void check_length(struct check *c, uint64_t len)
{
	if (len <= SNAPSHOT_MAX_TABLE)
		return;
	c->result->oversized++;
	found(c, QCOW2_CORRUPTION,
	      "ERROR snapshot table is too big: it may have %d bytes, and would have %" PRIu64,
	      SNAPSHOT_MAX_TABLE, len);
}

static bool check_snapshots(struct check *c)
{
	const uint64_t begin = c->header->snapshots_off, end = c->clusters << c->cluster_bits;
	uint64_t off = begin, room = end; /* for L1 tables: two cannot be at the same place */
	uint64_t total = 0;

	for (uint32_t i = 0; i < c->header->snapshots; i++) {
		uint8_t entry[SNAPSHOT_LEN] = { 0 };
		uint64_t l1_off, l1_size, len;
		uint32_t extra;

		if (off < end && !read_at(c, off, entry, sizeof(entry), "list of snapshots"))
			return false;
		l1_off = get_be64(entry);
		l1_size = get_be32(entry + 8);
		len = SNAPSHOT_LEN + (uint64_t)get_be16(entry + 12) + get_be16(entry + 14) +
		      get_be32(entry + 36);
		extra = get_be32(entry + 36);
		if (!is_inside(c, off, len, extra, i + 1 == c->header->snapshots)) {
			unreadable(c, i);
			break;
		}
		check_extra(c, i, extra);
		total = ((total + 7) & ~UINT64_C(7)) + len - extra +
			CLAMP(extra, (uint32_t)SNAPSHOT_EXTRA, (uint32_t)SNAPSHOT_MAX_EXTRA);
		off += (len + 7) & ~UINT64_C(7);
		if (l1_size > QCOW2_MAX_L1 / 8 || !is_aligned(c, l1_off) || l1_size * 8 > room) {
			unreadable(c, i);
			continue;
		}
		room -= l1_size * 8;
		if (!check_l1(c, l1_off, l1_size, false))
			return false;
	}
	check_length(c, total);
	(void)refer(c, begin, MIN(off, MAX(end, begin)) - begin);
	return true;
}

static bool bitmap_entry(struct check *c, uint64_t index, uint64_t entry)
{
	const uint64_t off = entry & L2_OFFSET;

	if (entry & ~(L2_OFFSET | 1) || !is_aligned(c, off)) {
		found(c, QCOW2_CORRUPTION,
		      "ERROR bitmap: entry %" PRIu64 " of its table cannot be: %" PRIx64, index,
		      entry);
		return true;
	}
	if (off)
		(void)refer(c, off, UINT64_C(1) << c->cluster_bits);
	return true;
}

static bool check_bitmaps(struct check *c)
{
	const struct qcow2_header *h = c->header;
	uint64_t off = h->bitmaps_off, end = off + h->bitmaps_size;

	if (!h->bitmaps || !refer(c, off, h->bitmaps_size))
		return true;
	for (uint32_t i = 0; i < h->bitmaps; i++) {
		uint8_t entry[BITMAP_LEN] = { 0 };
		uint64_t table, size, len;

		if (end - off >= BITMAP_LEN &&
		    !read_at(c, off, entry, sizeof(entry), "list of bitmaps"))
			return false;
		table = get_be64(entry);
		size = get_be32(entry + 8);
		len = BITMAP_LEN + (uint64_t)get_be16(entry + 18) + get_be32(entry + 20);
		len = (len + 7) & ~UINT64_C(7);
		if (end - off < BITMAP_LEN || len > end - off || !is_aligned(c, table)) {
			found(c, QCOW2_CORRUPTION,
			      "ERROR bitmap %u: its entry in the list cannot be", i + 1);
			return true;
		}
		if (refer(c, table, size * 8) &&
		    !for_entries(c, table, size, "table of a bitmap", bitmap_entry))
			return false;
		off += len;
	}
	return true;
}

/* ---- the counts in the file ---- */

static uint64_t stored_count(const uint8_t *block, uint64_t index, unsigned order)
{
	const unsigned bits = 1u << order;

	switch (order) {
	case 3:
		return block[index];
	case 4:
		return get_be16(block + index * 2);
	case 5:
		return get_be32(block + index * 4);
	case 6:
		return get_be64(block + index * 8);
	default:
		return block[index * bits / 8] >> (index * bits % 8) & ((1u << bits) - 1);
	}
}

static void compare(struct check *c, uint64_t cluster, uint64_t stored)
{
	const struct chunk *chunk = c->chunks[cluster >> CHUNK_BITS];
	const uint64_t in_chunk = cluster & (CHUNK - 1);
	const uint32_t counted = chunk ? chunk->count[in_chunk] : 0;

	if (stored)
		c->result->image_end = (cluster + 1) << c->cluster_bits;
	if (chunk && (stored == 1 ? chunk->plain : chunk->copied)[in_chunk / 8] >> in_chunk % 8 & 1)
		c->copied_wrong = true;
	if (stored == counted)
		return;
	if (c->listener && c->listener->count)
		c->listener->count(c->listener->opaque, cluster, stored, counted);
	found(c, stored > counted ? QCOW2_LEAK : QCOW2_CORRUPTION,
	      "%s cluster %" PRIu64 " refcount=%" PRIu64 " reference=%u",
	      stored > counted ? "Leaked" : "ERROR", cluster, stored, counted);
}

/* Clusters that no refcount block is for. */
static void compare_none(struct check *c, uint64_t from, uint64_t to)
{
	while (from < to) {
		const uint64_t next = MIN(to, ((from >> CHUNK_BITS) + 1) << CHUNK_BITS);

		if (!c->chunks[from >> CHUNK_BITS])
			from = next;
		for (; from < next; from++)
			compare(c, from, 0);
	}
}

static bool compare_block(struct check *c, uint64_t off, uint64_t from, uint64_t to)
{
	g_autofree uint8_t *block = g_malloc((size_t)1 << c->cluster_bits);

	if (!read_at(c, off, block, (size_t)1 << c->cluster_bits, "reference counts"))
		return false;
	for (uint64_t i = from; i < to; i++)
		compare(c, i, stored_count(block, i - from, c->header->refcount_order));
	return true;
}

static unsigned block_bits(const struct check *c)
{
	return c->cluster_bits + 3 - c->header->refcount_order;
}

/* The count that the file has for a cluster; 0 if it has none. */
static bool load_count(struct check *c, uint64_t cluster, uint64_t *ret)
{
	const uint64_t index = cluster >> block_bits(c);
	const uint64_t in_block = cluster & ((UINT64_C(1) << block_bits(c)) - 1);
	const uint64_t bit = in_block << c->header->refcount_order;
	uint8_t raw[8], count[8] = { 0 };
	uint64_t off;

	*ret = 0;
	if (index >= (uint64_t)c->header->reftable_clusters << (c->cluster_bits - 3))
		return true;
	if (!read_at(c, c->header->reftable_off + index * 8, raw, 8, "reference count table"))
		return false;
	off = get_be64(raw) & L1_OFFSET;
	if (!off || !is_aligned(c, off))
		return true;
	if (!read_at(c, off + bit / 8, count, 8, "reference counts"))
		return false;
	if (c->header->refcount_order < 3)
		*ret = count[0] >> bit % 8 & ((1u << (1u << c->header->refcount_order)) - 1);
	else
		*ret = stored_count(count, 0, c->header->refcount_order);
	return true;
}

static void bad_block(struct check *c, uint64_t index)
{
	if (c->listener && c->listener->block)
		c->listener->block(c->listener->opaque, index);
}

/* The blocks themselves refer to their clusters. */
static bool reftable_entry(struct check *c, uint64_t index, uint64_t entry)
{
	const uint64_t off = entry & L1_OFFSET;

	if (entry & ~L1_OFFSET) {
		found(c, QCOW2_CORRUPTION,
		      "ERROR refcount table entry %" PRIu64 " has reserved bits set", index);
		bad_block(c, index);
	}
	if (!off)
		return true;
	if (!is_aligned(c, off)) {
		found(c, QCOW2_CORRUPTION,
		      "ERROR refcount block %" PRIu64
		      " is not cluster aligned; refcount table entry corrupted",
		      index);
		bad_block(c, index);
		return true;
	}
	if (off >> c->cluster_bits >= c->clusters) {
		found(c, QCOW2_CORRUPTION, "ERROR refcount block %" PRIu64 " is outside image",
		      index);
		bad_block(c, index);
		return true;
	}
	(void)refer(c, off, UINT64_C(1) << c->cluster_bits);
	if (references(c, off >> c->cluster_bits) != 1) {
		bad_block(c, index);
		found(c, QCOW2_CORRUPTION, "ERROR refcount block %" PRIu64 " refcount=%u", index,
		      references(c, off >> c->cluster_bits));
	}
	return true;
}

static bool compare_all(struct check *c)
{
	const uint64_t per_block = UINT64_C(1) << block_bits(c);
	const uint64_t blocks = (uint64_t)c->header->reftable_clusters << (c->cluster_bits - 3);
	uint64_t from = 0;

	for (uint64_t i = 0; from < c->clusters; i++, from += per_block) {
		const uint64_t to = MIN(c->clusters, from + per_block);
		uint8_t raw[8] = { 0 };
		uint64_t off;

		if (i >= blocks) {
			compare_none(c, from, c->clusters);
			break;
		}
		if (!read_at(c, c->header->reftable_off + i * 8, raw, 8, "reference count table"))
			return false;
		off = get_be64(raw) & L1_OFFSET;
		if (!off || !is_aligned(c, off) || off >> c->cluster_bits >= c->clusters)
			compare_none(c, from, to);
		else if (!compare_block(c, off, from, to))
			return false;
	}
	return true;
}

/* ---- COPIED ---- */

static bool check_copied_l2(struct check *c, uint64_t off)
{
	const size_t len = (size_t)1 << c->cluster_bits, step = has_subclusters(c) ? 16 : 8;
	g_autofree uint8_t *table = g_malloc(len);

	if (!read_at(c, off, table, len, "L2 table"))
		return false;
	for (size_t i = 0; i < len; i += step) {
		const uint64_t entry = get_be64(table + i), host = entry & L2_OFFSET;
		uint64_t count;

		if (entry & COMPRESSED || !host || !is_aligned(c, host))
			continue;
		if (!load_count(c, host >> c->cluster_bits, &count))
			return false;
		if ((count == 1) != !!(entry & COPIED))
			found(c, QCOW2_CORRUPTION,
			      "ERROR OFLAG_COPIED data cluster: l2_entry=%" PRIx64
			      " refcount=%" PRIu64,
			      entry, count);
	}
	return true;
}

static bool copied_l1_entry(struct check *c, uint64_t index, uint64_t entry)
{
	const uint64_t off = entry & L1_OFFSET, cluster = off >> c->cluster_bits;
	uint64_t count;

	if (!off || !is_aligned(c, off) || cluster >= c->clusters)
		return true;
	if (!load_count(c, cluster, &count))
		return false;
	if ((count == 1) != !!(entry & COPIED))
		found(c, QCOW2_CORRUPTION,
		      "ERROR OFLAG_COPIED L2 cluster: l1_index=%" PRIu64 " l1_entry=%" PRIx64
		      " refcount=%" PRIu64,
		      index, entry, count);
	return seen_before(c, cluster) || c->header->incompatible & QCOW2_DATA_FILE ||
	       check_copied_l2(c, off);
}

static bool check_copied(struct check *c)
{
	if (!c->copied_wrong)
		return true;
	forget_seen(c);
	return for_entries(c, c->header->l1_off, c->header->l1_size, "L1 table", copied_l1_entry);
}

/* ---- all of it ---- */

static bool check_all(struct check *c)
{
	const struct qcow2_header *h = c->header;
	const uint64_t reftable_len = (uint64_t)h->reftable_clusters << c->cluster_bits;

	(void)refer(c, 0, UINT64_C(1) << c->cluster_bits);
	if (!check_l1(c, h->l1_off, h->l1_size, true) || !check_snapshots(c) || !check_bitmaps(c))
		return false;
	(void)refer(c, h->luks_off, h->luks_len);
	(void)refer(c, h->reftable_off, reftable_len);
	if (!for_entries(c, h->reftable_off, reftable_len / 8, "reference count table",
			 reftable_entry))
		return false;
	return compare_all(c) && check_copied(c);
}

/* The file's clusters, as far as the table of counts could reach: what lies behind is nobody's. */
static uint64_t clusters_of(const struct check *c, uint64_t size)
{
	const uint64_t mask = (UINT64_C(1) << c->cluster_bits) - 1;
	const uint64_t blocks = (uint64_t)c->header->reftable_clusters << (c->cluster_bits - 3);

	return MIN((size + mask) >> c->cluster_bits, blocks << block_bits(c));
}

bool qcow2_check(const char *name, struct block_file *file, const struct qcow2_header *header,
		 const struct qcow2_check_listener *listener, struct qcow2_check *ret_check,
		 GError **error)
{
	const int64_t size = block_file_size(file);
	const uint64_t mask = (UINT64_C(1) << header->cluster_bits) - 1;
	g_autoptr(GPtrArray) made = g_ptr_array_new_with_free_func(g_free);
	struct check c = {
		.name = name,
		.file = file,
		.header = header,
		.listener = listener,
		.result = ret_check,
		.error = error,
		.cluster_bits = header->cluster_bits,
		.count_max = header->refcount_order < 5
				     ? (UINT32_C(1) << (1u << header->refcount_order)) - 1
				     : UINT32_MAX,
		.made = made,
	};
	bool ok;

	*ret_check = (struct qcow2_check){ 0 };
	if (size < 0)
		return error_sys(error, (int)size, "cannot tell the size of image '%s'", name);
	ret_check->total = (header->size + mask) >> header->cluster_bits;
	c.clusters = clusters_of(&c, (uint64_t)size);
	c.chunks = g_try_new0(struct chunk *, (c.clusters >> CHUNK_BITS) + 1);
	ok = c.chunks && check_all(&c);
	if (!c.chunks || (ok && made->len > MAX_CHUNKS))
		ok = error_set(error, SOCLE_ERROR_LIMIT,
			       "image '%s' refers to places too far apart to be checked here",
			       name);
	g_free(c.chunks);
	return ok;
}

bool qcow2_check_file(const char *name, struct block_file *file,
		      const struct qcow2_check_listener *listener, struct qcow2_check *ret_check,
		      GError **error)
{
	autoptr(qcow2_header) header = qcow2_header_read(name, file, error);

	return header && qcow2_check(name, file, header, listener, ret_check, error);
}
