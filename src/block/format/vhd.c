/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vhd.c - images of Virtual PC, Hyper-V and Azure: "vpc", fixed and dynamic
 *
 * A fixed one is the disk and a footer of 512 bytes behind it. A dynamic one begins with a copy of
 * the footer and a header, then comes the table of blocks (BAT), in sectors; before each block lies
 * a bitmap of its sectors, all ones here. The footer moves with the end of the file: the new one is
 * written before the block that goes over the old one, and the copy is always there.
 *
 * The size is what the footer says, or cylinders x heads x sectors if its maker is one that means
 * that; others see as many bytes only if the size can be told in both ways, hence force_size.
 */
#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "block/format/format.h"
#include "block/format/sparse.h"

enum {
	SECTOR = 512,
	FOOTER_LEN = 512,
	HEADER_LEN = 1024,
	BLOCK_SIZE = 2 << 20,
	MIN_BLOCK = 512,
	MAX_BLOCK = 256 << 20,
	FLAT_BLOCK = 2 << 20, /* of a fixed one, for counting only */

	F_COOKIE = 0,
	F_FEATURES = 8,
	F_VERSION = 12,
	F_HEADER_OFF = 16,
	F_TIME = 24,
	F_MAKER = 28,
	F_MAKER_VERSION = 32,
	F_HOST = 36,
	F_ORIGINAL_SIZE = 40,
	F_SIZE = 48,
	F_CYLINDERS = 56,
	F_HEADS = 58,
	F_SECTORS = 59,
	F_TYPE = 60,
	F_CHECKSUM = 64,
	F_UUID = 68,

	TYPE_FIXED = 2,
	TYPE_DYNAMIC = 3,
	TYPE_DIFFERENCING = 4,

	D_COOKIE = 0,
	D_NEXT = 8,
	D_TABLE_OFF = 16,
	D_VERSION = 24,
	D_ENTRIES = 28,
	D_BLOCK_SIZE = 32,
	D_CHECKSUM = 36,
};

#define VERSION_1   0x00010000u
#define NOT_THERE   0xffffffffu
#define MAX_CHS     (UINT64_C(65535) * 16 * 255)
#define MAX_SECTORS UINT64_C(0xff000000) /* 2040 GiB, as Hyper-V has it */
#define NOWHERE     UINT64_MAX

struct vhd {
	struct sparse s;
	uint64_t table_off;
	uint32_t entries, bitmap_len;
	bool fixed;
	uint8_t footer[FOOTER_LEN];
};

static struct vhd *vhd_of(struct sparse *s)
{
	return container_of(s, struct vhd, s);
}

static bool vhd_probe(const uint8_t *head, size_t len, uint64_t size, struct block_file *file)
{
	/* The footer of a fixed one is where its guest cannot write, but any raw disk's guest can. */
	(void)size;
	(void)file;
	return len >= FOOTER_LEN && !memcmp(head, "conectix", 8);
}

/* The complement of the sum of all bytes, but for those of the sum. */
static uint32_t checksum(const uint8_t *bytes, size_t len, size_t at)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i++)
		if (i < at || i >= at + 4)
			sum += bytes[i];
	return ~sum;
}

/* ---- blocks ---- */

static bool vhd_lookup(struct sparse *s, uint64_t index, struct sparse_block *ret, GError **error)
{
	const struct vhd *vhd = vhd_of(s);
	uint8_t bytes[4];
	uint32_t entry;

	if (vhd->fixed) {
		ret->kind = IMAGE_DATA;
		ret->host_off = index * s->block_size;
		ret->count = s->base.size / s->block_size + 1 - index;
		return true;
	}
	if (!sparse_meta_read(s, vhd->table_off + index * 4, bytes, 4, "the table", error))
		return false;
	entry = get_be32(bytes);
	ret->kind = entry == NOT_THERE ? IMAGE_ABSENT : IMAGE_DATA;
	ret->host_off = (uint64_t)entry * SECTOR + vhd->bitmap_len;
	return true;
}

/* Where the footer is, the next block begins; or where a file without one ends. */
static uint64_t next_place(const struct vhd *vhd)
{
	return (vhd->s.end + SECTOR - 1) / SECTOR * SECTOR;
}

static bool put_bitmap(struct sparse *s, uint64_t off, uint32_t len, GError **error)
{
	g_autofree uint8_t *ones = g_malloc(len);

	memset(ones, 0xff, len);
	return sparse_write_now(s, off, ones, len, "a bitmap", error);
}

static bool vhd_allocate(struct sparse *s, uint64_t index, uint64_t *ret_off, GError **error)
{
	const struct vhd *vhd = vhd_of(s);
	const uint64_t place = next_place(vhd), len = vhd->bitmap_len + s->block_size;

	(void)index;
	if (place / SECTOR >= NOT_THERE)
		return error_set(error, SOCLE_ERROR_LIMIT,
				 "image '%s' cannot become longer than 2 TiB; convert it to make "
				 "it shorter",
				 s->name);
	/* This makes the file longer, too; of the old footer the bitmap leaves nothing. */
	if (!sparse_write_now(s, place + len, vhd->footer, FOOTER_LEN, "the footer", error))
		return false;
	s->end = place + len;
	*ret_off = place + vhd->bitmap_len;
	return put_bitmap(s, place, vhd->bitmap_len, error);
}

static bool vhd_point(struct sparse *s, uint64_t index, uint64_t host_off, GError **error)
{
	const struct vhd *vhd = vhd_of(s);
	uint8_t bytes[4];

	put_be32(bytes, (uint32_t)((host_off - vhd->bitmap_len) / SECTOR));
	return sparse_meta_write(s, vhd->table_off + index * 4, bytes, 4, "the table", error);
}

/* Others believe the bitmap; so what is written must be in it. All else reads as zero. */
static bool vhd_touch(struct sparse *s, uint64_t index, uint64_t host_off, GError **error)
{
	const struct vhd *vhd = vhd_of(s);
	uint8_t piece[SECTOR];

	(void)index;
	if (vhd->fixed)
		return true;
	for (uint64_t off = host_off - vhd->bitmap_len; off < host_off; off += SECTOR) {
		if (!sparse_meta_read(s, off, piece, SECTOR, "a bitmap", error))
			return false;
		if (piece[0] != 0xff || memcmp(piece, piece + 1, SECTOR - 1) != 0)
			return put_bitmap(s, host_off - vhd->bitmap_len, vhd->bitmap_len, error);
	}
	return true;
}

/* All of a fixed one is there. */
static bool vhd_allocate_fixed(struct sparse *s, uint64_t index, uint64_t *ret_off, GError **error)
{
	(void)index;
	*ret_off = 0;
	return sparse_bad(s, error, "is a fixed VHD image, and not all of it is there");
}

static const struct sparse_ops vhd_dynamic_ops = {
	.lookup = vhd_lookup,
	.allocate = vhd_allocate,
	.point = vhd_point,
	.touch = vhd_touch,
};

static const struct sparse_ops vhd_fixed_ops = {
	.lookup = vhd_lookup,
	.allocate = vhd_allocate_fixed,
	.point = vhd_point,
};

/* ---- open ---- */

static bool is_footer(const uint8_t *footer)
{
	return !memcmp(footer, "conectix", 8) &&
	       get_be32(footer + F_CHECKSUM) == checksum(footer, FOOTER_LEN, F_CHECKSUM);
}

/* That at the end, or else the copy at the beginning. One that is damaged is none. */
static bool read_footer(struct vhd *vhd, GError **error)
{
	struct sparse *s = &vhd->s;

	if (s->end >= FOOTER_LEN) {
		if (!sparse_meta_read(s, s->end - FOOTER_LEN, vhd->footer, FOOTER_LEN, "the footer",
				      error))
			return false;
		if (is_footer(vhd->footer)) {
			s->end -= FOOTER_LEN;
			return true;
		}
		if (!sparse_meta_read(s, 0, vhd->footer, FOOTER_LEN, "the footer", error))
			return false;
		if (is_footer(vhd->footer) && get_be32(vhd->footer + F_TYPE) != TYPE_FIXED)
			return true;
	}
	return sparse_bad(s, error, "has no VHD footer, neither at its end nor at its beginning");
}

static uint64_t chs_sectors(const uint8_t *footer)
{
	return (uint64_t)get_be16(footer + F_CYLINDERS) * footer[F_HEADS] * footer[F_SECTORS];
}

static uint64_t disk_size(const uint8_t *footer)
{
	static const char *const makers[] = { "vpc ", "vs  ", "qemu" };
	const uint64_t chs = chs_sectors(footer);

	for (unsigned i = 0; i < ARRAY_SIZE(makers); i++)
		if (!memcmp(footer + F_MAKER, makers[i], 4) && chs && chs != MAX_CHS)
			return chs * SECTOR;
	return get_be64(footer + F_SIZE) & ~UINT64_C(511);
}

static bool open_fixed(struct vhd *vhd, GError **error)
{
	struct sparse *s = &vhd->s;

	/* CHS may say more than there is. */
	if (s->base.size > s->end)
		s->base.size = get_be64(vhd->footer + F_SIZE) & ~UINT64_C(511);
	if (s->base.size > s->end)
		return sparse_bad(s, error,
				  "is a fixed VHD image of %" PRIu64 " bytes, of which %" PRIu64
				  " are there",
				  s->base.size, s->end);
	vhd->fixed = true;
	s->ops = &vhd_fixed_ops;
	s->block_size = FLAT_BLOCK;
	return true;
}

static bool open_dynamic(struct vhd *vhd, GError **error)
{
	const uint64_t off = get_be64(vhd->footer + F_HEADER_OFF);
	struct sparse *s = &vhd->s;
	uint8_t d[HEADER_LEN];
	uint64_t table_len;

	if (off > s->end || HEADER_LEN > s->end - off)
		return sparse_bad(s, error, "has its header at %#" PRIx64 ", behind its end", off);
	if (!sparse_meta_read(s, off, d, sizeof(d), "the header", error))
		return false;
	if (memcmp(d, "cxsparse", 8) != 0 ||
	    get_be32(d + D_CHECKSUM) != checksum(d, sizeof(d), D_CHECKSUM))
		return sparse_bad(s, error, "has a VHD header that is damaged");
	s->block_size = get_be32(d + D_BLOCK_SIZE);
	vhd->table_off = get_be64(d + D_TABLE_OFF);
	vhd->entries = get_be32(d + D_ENTRIES);
	if (s->block_size < MIN_BLOCK || s->block_size > MAX_BLOCK ||
	    s->block_size & (s->block_size - 1))
		return sparse_bad(s, error,
				  "has blocks of %" PRIu64 " bytes; they must be a power of two "
				  "from %d to %d",
				  s->block_size, MIN_BLOCK, MAX_BLOCK);
	table_len = (uint64_t)vhd->entries * 4;
	if (s->base.size > vhd->entries * s->block_size)
		return sparse_bad(s, error,
				  "has a table of %u entries, too few for its size of %" PRIu64,
				  vhd->entries, s->base.size);
	if (vhd->table_off % SECTOR || table_len > s->end || vhd->table_off > s->end - table_len)
		return sparse_bad(s, error,
				  "has its table at %#" PRIx64 ", which is not where one can be",
				  vhd->table_off);
	vhd->bitmap_len = (uint32_t)((s->block_size / SECTOR / 8 + SECTOR - 1) / SECTOR * SECTOR);
	s->base.cluster_size = (uint32_t)s->block_size;
	s->begin = FOOTER_LEN + vhd->bitmap_len;
	return true;
}

static bool open_kind(struct vhd *vhd, GError **error)
{
	const uint32_t type = get_be32(vhd->footer + F_TYPE);

	vhd->s.base.size = disk_size(vhd->footer);
	if (vhd->s.base.size > INT64_MAX)
		return sparse_bad(&vhd->s, error, "says that it has %" PRIu64 " bytes",
				  vhd->s.base.size);
	if (type == TYPE_FIXED)
		return open_fixed(vhd, error);
	if (type == TYPE_DYNAMIC)
		return open_dynamic(vhd, error);
	return error_set(
		error, SOCLE_ERROR_UNSUPPORTED,
		"image '%s' is a VHD image %s (type %u); merge it in Hyper-V first", vhd->s.name,
		type == TYPE_DIFFERENCING ? "with another behind it" : "of an unknown kind", type);
}

static struct image *vhd_open(const char *path, struct block_file *file, unsigned flags,
			      GError **error)
{
	struct vhd *vhd = g_new0(struct vhd, 1);

	(void)flags;
	if (sparse_init(&vhd->s, path, file, &vhd_dynamic_ops, error) && read_footer(vhd, error) &&
	    open_kind(vhd, error))
		return &vhd->s.base;
	sparse_release(&vhd->s);
	g_free(vhd);
	return NULL;
}

/* ---- create ---- */

static const char *const subformats[] = { "dynamic", "fixed", NULL };

static const struct image_option vhd_options[] = {
	{ "subformat", "dynamic|fixed", "all of it is there from the beginning, or not (default)" },
	{ "force_size", "on|off", "exactly the size asked for, as Hyper-V and Azure need it" },
	{ NULL, NULL, NULL },
};

struct chs {
	uint32_t cylinders, heads, sectors;
};

/* The appendix of Microsoft's specification: not more sectors than there are. */
static struct chs chs_below(uint64_t total)
{
	struct chs chs = { .heads = 16, .sectors = 255 };
	uint64_t tracks;

	total = MIN(total, MAX_CHS);
	if (total < UINT64_C(65535) * 16 * 63) {
		chs.sectors = 17;
		tracks = total / 17;
		chs.heads = (uint32_t)MAX((tracks + 1023) / 1024, 4);
		if (tracks >= (uint64_t)chs.heads * 1024 || chs.heads > 16) {
			chs.sectors = 31;
			chs.heads = 16;
			tracks = total / 31;
		}
		if (tracks >= (uint64_t)chs.heads * 1024) {
			chs.sectors = 63;
			chs.heads = 16;
			tracks = total / 63;
		}
	} else {
		tracks = total / 255;
	}
	chs.cylinders = (uint32_t)(tracks / chs.heads);
	return chs;
}

/* The first that holds them all. */
static struct chs chs_above(uint64_t total)
{
	struct chs chs;
	uint64_t want = total;

	do
		chs = chs_below(want++);
	while ((uint64_t)chs.cylinders * chs.heads * chs.sectors < total && want <= MAX_CHS);
	return chs;
}

static void format_footer(uint8_t *f, uint64_t size, struct chs chs, bool fixed, bool exact)
{
	format_text(f + F_COOKIE, "conectix");
	put_be32(f + F_FEATURES, 2); /* a bit that is always set */
	put_be32(f + F_VERSION, VERSION_1);
	put_be64(f + F_HEADER_OFF, fixed ? NOWHERE : FOOTER_LEN);
	/* Who reads it takes a size from the maker's name: QEMU's are known everywhere. */
	format_text(f + F_MAKER, exact ? "qem2" : "qemu");
	put_be16(f + F_MAKER_VERSION, 5);
	put_be16(f + F_MAKER_VERSION + 2, 3);
	format_text(f + F_HOST, "Wi2k");
	put_be64(f + F_ORIGINAL_SIZE, size);
	put_be64(f + F_SIZE, size);
	put_be16(f + F_CYLINDERS, (uint16_t)chs.cylinders);
	f[F_HEADS] = (uint8_t)chs.heads;
	f[F_SECTORS] = (uint8_t)chs.sectors;
	put_be32(f + F_TYPE, fixed ? TYPE_FIXED : TYPE_DYNAMIC);
	format_uuid(f + F_UUID);
	put_be32(f + F_CHECKSUM, checksum(f, FOOTER_LEN, F_CHECKSUM));
}

static bool put_dynamic(struct block_file *file, const struct image_create *what,
			const uint8_t *footer, uint64_t size, GError **error)
{
	const uint64_t entries = size / BLOCK_SIZE + !!(size % BLOCK_SIZE);
	const uint64_t table_off = FOOTER_LEN + HEADER_LEN;
	const uint64_t table_end = table_off + (entries * 4 + SECTOR - 1) / SECTOR * SECTOR;
	uint8_t d[HEADER_LEN] = { 0 }, ones[SECTOR];

	memset(ones, 0xff, sizeof(ones));
	format_text(d + D_COOKIE, "cxsparse");
	put_be64(d + D_NEXT, NOWHERE);
	put_be64(d + D_TABLE_OFF, table_off);
	put_be32(d + D_VERSION, VERSION_1);
	put_be32(d + D_ENTRIES, (uint32_t)entries);
	put_be32(d + D_BLOCK_SIZE, BLOCK_SIZE);
	put_be32(d + D_CHECKSUM, checksum(d, sizeof(d), D_CHECKSUM));
	for (uint64_t off = table_off; off < table_end; off += SECTOR)
		if (!format_put(file, what, off, ones, sizeof(ones), error))
			return false;
	return format_put(file, what, table_end, footer, FOOTER_LEN, error) &&
	       format_put(file, what, FOOTER_LEN, d, sizeof(d), error) &&
	       format_put(file, what, 0, footer, FOOTER_LEN, error);
}

static bool vhd_create(struct block_file *file, const struct image_create *what, GError **error)
{
	uint64_t sectors = what->size / SECTOR;
	uint8_t footer[FOOTER_LEN] = { 0 };
	bool exact = false;
	unsigned fixed = 0;
	struct chs chs;

	if (!format_no_backing(what, "VHD", error) ||
	    !format_option_choice(what, "subformat", subformats, &fixed, error) ||
	    !format_option_bool(what, "force_size", &exact, error))
		return false;
	if (sectors > MAX_SECTORS)
		return error_set(error, SOCLE_ERROR_LIMIT,
				 "image '%s' cannot have %" PRIu64
				 " bytes; VHD has at most 2040 GiB, take vhdx",
				 what->path, what->size);
	if (exact || sectors > MAX_CHS) {
		/* The largest of all says to everybody that the size counts. */
		chs = (struct chs){ 65535, 16, 255 };
	} else {
		chs = chs_above(sectors);
		sectors = (uint64_t)chs.cylinders * chs.heads * chs.sectors;
	}
	format_footer(footer, sectors * SECTOR, chs, fixed, exact);
	if (!fixed)
		return put_dynamic(file, what, footer, sectors * SECTOR, error);
	return format_resize(file, what, sectors * SECTOR, error) &&
	       format_put(file, what, sectors * SECTOR, footer, sizeof(footer), error);
}

const struct image_ops vhd_image_ops = {
	.format = "vpc",
	.create_options = vhd_options,
	.probe = vhd_probe,
	.open = vhd_open,
	.create = vhd_create,
	.close = sparse_close,
	.read = sparse_read,
	.write = sparse_write,
	.zero = sparse_zero,
	.discard = sparse_discard,
	.flush = sparse_flush,
	.map = sparse_map,
};
