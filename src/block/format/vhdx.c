/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vhdx.c - images of Hyper-V: two headers, a log, regions with metadata and a table, and blocks
 *
 * A log that was left is replayed when the image is opened: into the file if that is written to, or
 * else in memory. We write none. The table is all we change once there is a header that says so,
 * and it is changed after what it points to is durable: a sector of it, torn or lost, has entries
 * of which each is right by itself.
 *
 * Of the table each entry after a chunk's blocks stands for a bitmap, which only images with a
 * parent have; those are refused.
 */
#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "block/format/format.h"
#include "block/format/sparse.h"
#include "block/format/vhdx-log.h"

enum {
	KIB = 1 << 10,
	MIB = 1 << 20,
	HEADER_LEN = 4 * KIB,
	REGIONS_LEN = 64 * KIB,
	METADATA_LEN = 64 * KIB, /* of its table */
	MAX_ENTRIES = 2047,
	MIN_BLOCK = MIB,
	MAX_BLOCK = 256 * MIB,

	H_CHECKSUM = 4,
	H_SEQUENCE = 8,
	H_FILE_GUID = 16,
	H_DATA_GUID = 32,
	H_LOG_GUID = 48,
	H_LOG_VERSION = 64,
	H_VERSION = 66,
	H_LOG_LEN = 68,
	H_LOG_OFF = 72,

	STATE_NOT_PRESENT = 0,
	STATE_UNDEFINED = 1,
	STATE_ZERO = 2,
	STATE_UNMAPPED = 3,
	STATE_PRESENT = 6,
	STATE_PARTIAL = 7,

	FILE_HAS_PARENT = 2,
	META_VIRTUAL = 2, /* of the disk, not of the file */
	META_REQUIRED = 4,
};

static const uint64_t header_offs[] = { UINT64_C(64) * KIB, UINT64_C(128) * KIB };
static const uint64_t regions_offs[] = { UINT64_C(192) * KIB, UINT64_C(256) * KIB };
static const uint64_t max_size = UINT64_C(64) << 40;

struct guid {
	uint8_t bytes[16];
};

static const struct guid guid_none;
static const struct guid region_bat = { { 0x66, 0x77, 0xc2, 0x2d, 0x23, 0xf6, 0x00, 0x42, 0x9d,
					  0x64, 0x11, 0x5e, 0x9b, 0xfd, 0x4a, 0x08 } };
static const struct guid region_metadata = { { 0x06, 0xa2, 0x7c, 0x8b, 0x90, 0x47, 0x9a, 0x4b, 0xb8,
					       0xfe, 0x57, 0x5f, 0x05, 0x0f, 0x88, 0x6e } };

enum item {
	ITEM_FILE,
	ITEM_SIZE,
	ITEM_DISK_ID,
	ITEM_SECTOR,
	ITEM_PHYSICAL,
	ITEM_COUNT
};

static const struct {
	struct guid guid;
	uint32_t len, flags;
} items[ITEM_COUNT] = {
	[ITEM_FILE] = { { { 0x37, 0x67, 0xa1, 0xca, 0x36, 0xfa, 0x43, 0x4d, 0xb3, 0xb6, 0x33, 0xf0,
			    0xaa, 0x44, 0xe7, 0x6b } },
			8,
			META_REQUIRED },
	[ITEM_SIZE] = { { { 0x24, 0x42, 0xa5, 0x2f, 0x1b, 0xcd, 0x76, 0x48, 0xb2, 0x11, 0x5d, 0xbe,
			    0xd8, 0x3b, 0xf4, 0xb8 } },
			8,
			META_REQUIRED | META_VIRTUAL },
	[ITEM_DISK_ID] = { { { 0xab, 0x12, 0xca, 0xbe, 0xe6, 0xb2, 0x23, 0x45, 0x93, 0xef, 0xc3,
			       0x09, 0xe0, 0x00, 0xc7, 0x46 } },
			   16,
			   META_REQUIRED | META_VIRTUAL },
	[ITEM_SECTOR] = { { { 0x1d, 0xbf, 0x41, 0x81, 0x6f, 0xa9, 0x09, 0x47, 0xba, 0x47, 0xf2,
			      0x33, 0xa8, 0xfa, 0xab, 0x5f } },
			  4,
			  META_REQUIRED | META_VIRTUAL },
	[ITEM_PHYSICAL] = { { { 0xc7, 0x48, 0xa3, 0xcd, 0x5d, 0x44, 0x71, 0x44, 0x9c, 0xc9, 0xe9,
				0x88, 0x52, 0x51, 0xc5, 0x56 } },
			    4,
			    META_REQUIRED | META_VIRTUAL },
};

struct region {
	uint64_t off;
	uint32_t len;
};

struct vhdx {
	struct sparse s;
	struct block_file *overlay; /* or NULL: nothing to replay */
	uint8_t header[HEADER_LEN];
	unsigned current; /* of header_offs */
	struct region bat, metadata;
	uint64_t chunk_blocks; /* between two bitmaps */
};

static struct vhdx *vhdx_of(struct sparse *s)
{
	return container_of(s, struct vhdx, s);
}

static bool vhdx_probe(const uint8_t *head, size_t len, uint64_t size, struct block_file *file)
{
	(void)size;
	(void)file;
	return len >= 8 && !memcmp(head, "vhdxfile", 8);
}

static bool is_guid(const uint8_t *bytes, const struct guid *guid)
{
	return !memcmp(bytes, guid->bytes, sizeof(guid->bytes));
}

/* ---- blocks ---- */

static uint64_t entry_off(const struct vhdx *vhdx, uint64_t index)
{
	return vhdx->bat.off + (index + index / vhdx->chunk_blocks) * 8;
}

static bool vhdx_lookup(struct sparse *s, uint64_t index, struct sparse_block *ret, GError **error)
{
	const struct vhdx *vhdx = vhdx_of(s);
	uint8_t bytes[8];
	uint64_t entry;

	if (!sparse_meta_read(s, entry_off(vhdx, index), bytes, 8, "the table", error))
		return false;
	entry = get_le64(bytes);
	switch (entry & 7) {
	case STATE_NOT_PRESENT:
	case STATE_UNDEFINED:
	case STATE_UNMAPPED:
		ret->kind = IMAGE_ABSENT;
		return true;
	case STATE_ZERO:
		ret->kind = IMAGE_ZERO;
		return true;
	case STATE_PRESENT:
		ret->kind = IMAGE_DATA;
		ret->host_off = entry & ~(uint64_t)(MIB - 1);
		return true;
	default:
		return sparse_bad(s, error, "has block %" PRIu64 " in an unknown state (%u)", index,
				  (unsigned)(entry & 7));
	}
}

static bool vhdx_allocate(struct sparse *s, uint64_t index, uint64_t *ret_off, GError **error)
{
	const uint64_t place = (s->end + MIB - 1) & ~(uint64_t)(MIB - 1);
	uint64_t off;

	(void)index;
	if (!sparse_grow(s, place - s->end + s->block_size, &off, error))
		return false;
	*ret_off = place;
	return true;
}

static bool vhdx_point(struct sparse *s, uint64_t index, uint64_t host_off, GError **error)
{
	uint8_t bytes[8];

	put_le64(bytes, host_off | STATE_PRESENT);
	return sparse_meta_write(s, entry_off(vhdx_of(s), index), bytes, 8, "the table", error);
}

/* The other header becomes the one that counts. Durable. */
static bool next_header(struct vhdx *vhdx, GError **error)
{
	struct sparse *s = &vhdx->s;
	int ret;

	put_le64(vhdx->header + H_SEQUENCE, get_le64(vhdx->header + H_SEQUENCE) + 1);
	put_le32(vhdx->header + H_CHECKSUM, format_crc32c(vhdx->header, HEADER_LEN, H_CHECKSUM));
	ret = meta_write_now(&s->meta, header_offs[!vhdx->current], vhdx->header, HEADER_LEN);
	if (ret >= 0)
		ret = block_file_sync(s->file);
	if (ret < 0)
		return error_sys(error, ret, "cannot write the header of image '%s'", s->name);
	vhdx->current = !vhdx->current;
	return true;
}

/* Who has seen the image before can tell now that it is another. */
static bool vhdx_prepare(struct sparse *s, GError **error)
{
	struct vhdx *vhdx = vhdx_of(s);

	format_uuid(vhdx->header + H_FILE_GUID);
	format_uuid(vhdx->header + H_DATA_GUID);
	return next_header(vhdx, error);
}

static const struct sparse_ops vhdx_sparse_ops = {
	.lookup = vhdx_lookup,
	.prepare = vhdx_prepare,
	.allocate = vhdx_allocate,
	.point = vhdx_point,
};

/* ---- open ---- */

static bool read_header(struct vhdx *vhdx, GError **error)
{
	g_autofree uint8_t *h = g_malloc(HEADER_LEN);
	uint64_t best = 0;
	bool found = false;

	for (unsigned i = 0; i < ARRAY_SIZE(header_offs); i++) {
		if (!sparse_meta_read(&vhdx->s, header_offs[i], h, HEADER_LEN, "a header", error))
			return false;
		if (memcmp(h, "head", 4) != 0 ||
		    get_le32(h + H_CHECKSUM) != format_crc32c(h, HEADER_LEN, H_CHECKSUM) ||
		    (found && get_le64(h + H_SEQUENCE) <= best))
			continue;
		found = true;
		best = get_le64(h + H_SEQUENCE);
		memcpy(vhdx->header, h, HEADER_LEN);
		vhdx->current = i;
	}
	if (!found)
		return sparse_bad(&vhdx->s, error, "has no header that is whole");
	if (get_le16(vhdx->header + H_VERSION) != 1 || get_le16(vhdx->header + H_LOG_VERSION))
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "image '%s' is VHDX of version %u with a log of version %u; 1 and "
				 "0 are known",
				 vhdx->s.name, get_le16(vhdx->header + H_VERSION),
				 get_le16(vhdx->header + H_LOG_VERSION));
	return true;
}

static bool is_place(const struct vhdx *vhdx, uint64_t off, uint64_t len)
{
	return off >= MIB && off % MIB == 0 && len && len % MIB == 0 && len <= vhdx->s.end &&
	       off <= vhdx->s.end - len;
}

/* The file is as the log says from now on, whether or not it is written to. */
static bool replay(struct vhdx *vhdx, unsigned flags, GError **error)
{
	const uint64_t off = get_le64(vhdx->header + H_LOG_OFF);
	const uint32_t len = get_le32(vhdx->header + H_LOG_LEN);
	struct sparse *s = &vhdx->s;
	autoptr(vhdx_log) log = NULL;
	int64_t size;
	int ret;

	if (is_guid(vhdx->header + H_LOG_GUID, &guid_none))
		return true;
	if (!is_place(vhdx, off, len))
		return sparse_bad(s, error,
				  "has its log at %#" PRIx64 ", which is not where one can be",
				  off);
	log = vhdx_log_read(s->name, s->file, off, len, vhdx->header + H_LOG_GUID, error);
	if (!log)
		return false;
	/* What was read until now may be older than the log. */
	meta_release(&s->meta);
	if (flags & IMAGE_WRITE) {
		ret = vhdx_log_apply(log, s->file);
		if (ret < 0)
			return error_sys(error, ret, "cannot replay the log of image '%s'",
					 s->name);
		memcpy(vhdx->header + H_LOG_GUID, guid_none.bytes, sizeof(guid_none.bytes));
		if (!next_header(vhdx, error))
			return false;
	} else {
		vhdx->overlay = vhdx_log_overlay(g_steal_pointer(&log), s->file);
		s->file = vhdx->overlay;
	}
	meta_init(&s->meta, s->file);
	size = block_file_size(s->file);
	if (size < 0)
		return error_sys(error, (int)size, "cannot get the size of image '%s'", s->name);
	s->end = (uint64_t)size;
	return true;
}

static bool take_region(struct vhdx *vhdx, const uint8_t *entry, GError **error)
{
	const struct region region = { get_le64(entry + 16), get_le32(entry + 24) };
	const bool required = get_le32(entry + 28) & 1;
	struct region *ret = NULL;

	if (is_guid(entry, &region_bat))
		ret = &vhdx->bat;
	else if (is_guid(entry, &region_metadata))
		ret = &vhdx->metadata;
	if (!ret && required)
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "image '%s' has a region that must be known, and is not",
				 vhdx->s.name);
	if (!ret)
		return true;
	if (ret->len || !is_place(vhdx, region.off, region.len))
		return sparse_bad(&vhdx->s, error,
				  "has a region at %#" PRIx64 " twice, or where none can be",
				  region.off);
	*ret = region;
	return true;
}

static bool take_regions(struct vhdx *vhdx, const uint8_t *r, GError **error)
{
	const uint32_t entries = get_le32(r + 8);

	if (entries > MAX_ENTRIES)
		return sparse_bad(&vhdx->s, error, "has %u regions; %d are the most", entries,
				  MAX_ENTRIES);
	for (uint32_t i = 0; i < entries; i++)
		if (!take_region(vhdx, r + 16 + (size_t)i * 32, error))
			return false;
	if (!vhdx->bat.len || !vhdx->metadata.len)
		return sparse_bad(&vhdx->s, error, "has no metadata, or no table");
	if (vhdx->bat.off < vhdx->metadata.off + vhdx->metadata.len &&
	    vhdx->metadata.off < vhdx->bat.off + vhdx->bat.len)
		return sparse_bad(&vhdx->s, error, "has its table in its metadata");
	return true;
}

static bool read_regions(struct vhdx *vhdx, GError **error)
{
	g_autofree uint8_t *r = g_malloc(REGIONS_LEN);

	for (unsigned i = 0; i < ARRAY_SIZE(regions_offs); i++) {
		if (!sparse_meta_read(&vhdx->s, regions_offs[i], r, REGIONS_LEN, "the regions",
				      error))
			return false;
		if (!memcmp(r, "regi", 4) && get_le32(r + 4) == format_crc32c(r, REGIONS_LEN, 4))
			return take_regions(vhdx, r, error);
	}
	return sparse_bad(&vhdx->s, error, "has no table of regions that is whole");
}

/* An entry of the metadata's table, and what it stands for into @values. */
static bool take_item(struct vhdx *vhdx, const uint8_t *entry, uint8_t values[ITEM_COUNT][16],
		      unsigned *seen, GError **error)
{
	const uint32_t off = get_le32(entry + 16), len = get_le32(entry + 20);
	const uint32_t flags = get_le32(entry + 24);
	unsigned i = 0;

	while (i < ITEM_COUNT && !is_guid(entry, &items[i].guid))
		i++;
	if (i == ITEM_COUNT) {
		if (!(flags & META_REQUIRED))
			return true;
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "image '%s' has metadata that must be known, and are not; it may "
				 "have a parent: merge it in Hyper-V first",
				 vhdx->s.name);
	}
	if (*seen >> i & 1 || len != items[i].len || off < METADATA_LEN ||
	    off > vhdx->metadata.len - len)
		return sparse_bad(&vhdx->s, error,
				  "has metadata of %u bytes at %#x, twice or where "
				  "none can be",
				  len, off);
	*seen |= 1u << i;
	return sparse_meta_read(&vhdx->s, vhdx->metadata.off + off, values[i], len, "metadata",
				error);
}

static bool read_items(struct vhdx *vhdx, uint8_t values[ITEM_COUNT][16], GError **error)
{
	g_autofree uint8_t *m = g_malloc(METADATA_LEN);
	unsigned seen = 0;
	uint16_t entries;

	if (!sparse_meta_read(&vhdx->s, vhdx->metadata.off, m, METADATA_LEN, "metadata", error))
		return false;
	entries = get_le16(m + 10);
	if (memcmp(m, "metadata", 8) != 0 || entries > MAX_ENTRIES)
		return sparse_bad(&vhdx->s, error, "has metadata that are none, or %u of them",
				  entries);
	for (unsigned i = 0; i < entries; i++)
		if (!take_item(vhdx, m + 32 + (size_t)i * 32, values, &seen, error))
			return false;
	if ((seen | 1u << ITEM_DISK_ID | 1u << ITEM_PHYSICAL) != (1u << ITEM_COUNT) - 1)
		return sparse_bad(&vhdx->s, error, "does not say how large it is");
	return true;
}

static uint64_t bat_entries(uint64_t size, uint64_t block_size, uint64_t chunk_blocks)
{
	const uint64_t blocks = size / block_size + !!(size % block_size);

	return blocks + (blocks ? (blocks - 1) / chunk_blocks : 0);
}

static bool parse_items(struct vhdx *vhdx, GError **error)
{
	uint8_t values[ITEM_COUNT][16] = { { 0 } };
	struct sparse *s = &vhdx->s;
	uint32_t block, sector;
	uint64_t size;

	if (!read_items(vhdx, values, error))
		return false;
	block = get_le32(values[ITEM_FILE]);
	sector = get_le32(values[ITEM_SECTOR]);
	size = get_le64(values[ITEM_SIZE]);
	if (get_le32(values[ITEM_FILE] + 4) & FILE_HAS_PARENT)
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "image '%s' has a parent; merge it in Hyper-V first", s->name);
	if (block < MIN_BLOCK || block > MAX_BLOCK || block & (block - 1) ||
	    (sector != 512 && sector != 4096))
		return sparse_bad(s, error, "has blocks of %u and sectors of %u bytes", block,
				  sector);
	vhdx->chunk_blocks = (UINT64_C(1) << 23) * sector / block;
	if (size > max_size || size % sector ||
	    bat_entries(size, block, vhdx->chunk_blocks) > vhdx->bat.len / 8)
		return sparse_bad(s, error,
				  "has %" PRIu64 " bytes, too many, or more than its table is for",
				  size);
	s->base.size = size;
	s->base.cluster_size = block;
	s->block_size = block;
	s->begin = MIB;
	return true;
}

static void vhdx_free(struct vhdx *vhdx)
{
	block_file_close(vhdx->overlay);
	g_free(vhdx);
}

static struct image *vhdx_open(const char *path, struct block_file *file, unsigned flags,
			       GError **error)
{
	struct vhdx *vhdx = g_new0(struct vhdx, 1);
	struct sparse *s = &vhdx->s;
	uint8_t id[8];

	if (sparse_init(s, path, file, &vhdx_sparse_ops, error) &&
	    sparse_meta_read(s, 0, id, sizeof(id), "the header", error) &&
	    (vhdx_probe(id, sizeof(id), 0, NULL) || sparse_bad(s, error, "is no VHDX image")) &&
	    read_header(vhdx, error) && replay(vhdx, flags, error) && read_regions(vhdx, error) &&
	    parse_items(vhdx, error))
		return &s->base;
	sparse_release(s);
	vhdx_free(vhdx);
	return NULL;
}

static void vhdx_close(struct image *image)
{
	struct vhdx *vhdx = container_of(image, struct vhdx, s.base);

	block_file_close(vhdx->overlay);
	sparse_close(image);
}

/* ---- create ---- */

static const char *const subformats[] = { "dynamic", "fixed", NULL };

static const struct image_option vhdx_options[] = {
	{ "subformat", "dynamic|fixed", "all of it is there from the beginning, or not (default)" },
	{ "block_size", "BYTES", "the unit of allocation, 1M to 256M (default: by the size)" },
	{ "log_size", "BYTES", "room for the log of those who write one (default: 1M)" },
	{ NULL, NULL, NULL },
};

struct layout {
	uint64_t block, log, fixed, metadata_off, bat_off, bat_len, data_off, blocks, chunk_blocks;
};

static uint64_t default_block(uint64_t size)
{
	if (size > UINT64_C(32) << 40)
		return UINT64_C(64) * MIB;
	if (size > UINT64_C(100) << 30)
		return UINT64_C(32) * MIB;
	return size > UINT64_C(1) << 30 ? UINT64_C(16) * MIB : UINT64_C(8) * MIB;
}

static bool plan(const struct image_create *what, struct layout *l, GError **error)
{
	unsigned fixed = 0;

	*l = (struct layout){ .block = default_block(what->size), .log = MIB };
	if (!format_option_choice(what, "subformat", subformats, &fixed, error) ||
	    !format_option_size(what, "block_size", &l->block, error) ||
	    !format_option_size(what, "log_size", &l->log, error))
		return false;
	if (l->block < MIN_BLOCK || l->block > MAX_BLOCK || l->block & (l->block - 1))
		return error_set(error, SOCLE_ERROR_USAGE,
				 "option 'block_size' must be a power of two from 1M to 256M");
	if (!l->log || l->log % MIB || l->log > UINT64_C(32) * MIB)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "option 'log_size' must be a multiple of 1M up to 32M");
	if (what->size > max_size)
		return error_set(error, SOCLE_ERROR_LIMIT,
				 "image '%s' cannot have %" PRIu64
				 " bytes; VHDX has at most 64 TiB",
				 what->path, what->size);
	l->fixed = fixed;
	l->blocks = what->size / l->block + !!(what->size % l->block);
	l->chunk_blocks = (UINT64_C(1) << 32) / l->block;
	l->bat_len = bat_entries(what->size, l->block, l->chunk_blocks) * 8;
	l->bat_len = MAX((l->bat_len + MIB - 1) / MIB, 1) * MIB;
	l->metadata_off = MIB + l->log;
	l->bat_off = l->metadata_off + MIB;
	l->data_off = l->bat_off + l->bat_len;
	return true;
}

static bool put_headers(struct block_file *file, const struct image_create *what,
			const struct layout *l, GError **error)
{
	static const char maker[] = "Socle";
	g_autofree uint8_t *h = g_malloc0(HEADER_LEN);
	uint8_t id[64] = "vhdxfile";

	for (unsigned i = 0; maker[i]; i++)
		put_le16(id + 8 + 2 * (size_t)i, (uint8_t)maker[i]);
	format_text(h, "head");
	format_uuid(h + H_FILE_GUID);
	format_uuid(h + H_DATA_GUID);
	put_le16(h + H_VERSION, 1);
	put_le32(h + H_LOG_LEN, (uint32_t)l->log);
	put_le64(h + H_LOG_OFF, MIB);
	for (unsigned i = 0; i < ARRAY_SIZE(header_offs); i++) {
		put_le64(h + H_SEQUENCE, i + 1);
		put_le32(h + H_CHECKSUM, 0);
		put_le32(h + H_CHECKSUM, format_crc32c(h, HEADER_LEN, H_CHECKSUM));
		if (!format_put(file, what, header_offs[i], h, HEADER_LEN, error))
			return false;
	}
	return format_put(file, what, 0, id, sizeof(id), error);
}

static bool put_regions(struct block_file *file, const struct image_create *what,
			const struct layout *l, GError **error)
{
	g_autofree uint8_t *r = g_malloc0(REGIONS_LEN);
	uint8_t *at = r + 16;

	format_text(r, "regi");
	put_le32(r + 8, 2);
	memcpy(at, region_bat.bytes, 16);
	put_le64(at + 16, l->bat_off);
	put_le32(at + 24, (uint32_t)l->bat_len);
	put_le32(at + 28, 1);
	at += 32;
	memcpy(at, region_metadata.bytes, 16);
	put_le64(at + 16, l->metadata_off);
	put_le32(at + 24, MIB);
	put_le32(at + 28, 1);
	put_le32(r + 4, format_crc32c(r, REGIONS_LEN, 4));
	for (unsigned i = 0; i < ARRAY_SIZE(regions_offs); i++)
		if (!format_put(file, what, regions_offs[i], r, REGIONS_LEN, error))
			return false;
	return true;
}

static bool put_metadata(struct block_file *file, const struct image_create *what,
			 const struct layout *l, GError **error)
{
	uint8_t table[32 + 32 * ITEM_COUNT] = "metadata", values[ITEM_COUNT][16] = { { 0 } };
	uint8_t *at = table + 32;

	put_le16(table + 10, ITEM_COUNT);
	put_le32(values[ITEM_FILE], (uint32_t)l->block);
	put_le32(values[ITEM_FILE] + 4, l->fixed ? 1 : 0); /* blocks stay allocated */
	put_le64(values[ITEM_SIZE], what->size);
	format_uuid(values[ITEM_DISK_ID]);
	put_le32(values[ITEM_SECTOR], 512);
	put_le32(values[ITEM_PHYSICAL], 512);
	for (unsigned i = 0; i < ITEM_COUNT; i++, at += 32) {
		const uint32_t off = METADATA_LEN + i * 16;

		memcpy(at, items[i].guid.bytes, 16);
		put_le32(at + 16, off);
		put_le32(at + 20, items[i].len);
		put_le32(at + 24, items[i].flags);
		if (!format_put(file, what, l->metadata_off + off, values[i], 16, error))
			return false;
	}
	return format_put(file, what, l->metadata_off, table, sizeof(table), error);
}

/* The table of a fixed image, in pieces. */
static bool put_bat(struct block_file *file, const struct image_create *what,
		    const struct layout *l, GError **error)
{
	const uint64_t entries = bat_entries(what->size, l->block, l->chunk_blocks);
	uint8_t piece[2048];
	uint64_t block = 0;

	for (uint64_t i = 0; i < entries;) {
		const uint64_t off = l->bat_off + i * 8;
		size_t len = 0;

		for (; len < sizeof(piece) && i < entries; len += 8, i++) {
			const bool bitmap = i % (l->chunk_blocks + 1) == l->chunk_blocks;

			put_le64(piece + len,
				 bitmap ? 0 : (l->data_off + block * l->block) | STATE_PRESENT);
			block += !bitmap;
		}
		if (!format_put(file, what, off, piece, len, error))
			return false;
	}
	return true;
}

static bool vhdx_create(struct block_file *file, const struct image_create *what, GError **error)
{
	struct layout l;

	return format_no_backing(what, "VHDX", error) && plan(what, &l, error) &&
	       format_resize(file, what, l.data_off + (l.fixed ? l.blocks * l.block : 0), error) &&
	       (!l.fixed || put_bat(file, what, &l, error)) &&
	       put_metadata(file, what, &l, error) && put_regions(file, what, &l, error) &&
	       put_headers(file, what, &l, error);
}

const struct image_ops vhdx_image_ops = {
	.format = "vhdx",
	.create_options = vhdx_options,
	.probe = vhdx_probe,
	.open = vhdx_open,
	.create = vhdx_create,
	.close = vhdx_close,
	.read = sparse_read,
	.write = sparse_write,
	.zero = sparse_zero,
	.discard = sparse_discard,
	.flush = sparse_flush,
	.map = sparse_map,
};
