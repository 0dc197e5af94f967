/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vdi.c - images of VirtualBox: a header, a map of 32-bit numbers of blocks, and the blocks
 *
 * The next block is taken from the end of the file, not from the header's count of blocks, which
 * may be old after a crash. The count is written before the map, so that others, who do believe it,
 * do not give away a block twice.
 */
#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "block/format/format.h"
#include "block/format/sparse.h"

enum {
	HEADER_LEN = 512,
	MAP_OFF = HEADER_LEN,
	BLOCK_SIZE = 1 << 20,
	MIN_BLOCK = 4096,
	MAX_BLOCK = 64 << 20,

	H_TEXT = 0,
	H_SIGNATURE = 0x40,
	H_VERSION = 0x44,
	H_LEN = 0x48,
	H_TYPE = 0x4c,
	H_MAP_OFF = 0x154,
	H_DATA_OFF = 0x158,
	H_SECTOR = 0x168,
	H_SIZE = 0x170,
	H_BLOCK_SIZE = 0x178,
	H_BLOCK_EXTRA = 0x17c,
	H_BLOCKS = 0x180,
	H_ALLOCATED = 0x184,
	H_UUID = 0x188,
	H_UUID_SNAPSHOT = 0x198,
	H_UUID_LINK = 0x1a8,
	H_UUID_PARENT = 0x1b8,

	VERSION_1_1 = 0x00010001,
	LEN_1_1 = 0x180, /* of the header, from H_LEN on as VirtualBox counts it */
	TYPE_DYNAMIC = 1,
	TYPE_STATIC = 2,
};

#define SIGNATURE  0xbeda107fu
#define NOT_THERE  0xffffffffu
#define ZERO_BLOCK 0xfffffffeu
#define MAX_BLOCKS 0x3fffffffu /* as QEMU has it */
#define MAKER      "<<< Socle Virtual Disk Image >>>\n"

struct vdi {
	struct sparse s;
	uint64_t map_off, data_off;
	uint32_t blocks, allocated;
};

static struct vdi *vdi_of(struct sparse *s)
{
	return container_of(s, struct vdi, s);
}

static bool vdi_probe(const uint8_t *head, size_t len, uint64_t size, struct block_file *file)
{
	(void)size;
	(void)file;
	return len >= HEADER_LEN && get_le32(head + H_SIGNATURE) == SIGNATURE;
}

static bool vdi_lookup(struct sparse *s, uint64_t index, struct sparse_block *ret, GError **error)
{
	const struct vdi *vdi = vdi_of(s);
	uint8_t bytes[4];
	uint32_t entry;

	if (!sparse_meta_read(s, vdi->map_off + index * 4, bytes, 4, "the map", error))
		return false;
	entry = get_le32(bytes);
	if (entry == NOT_THERE) {
		ret->kind = IMAGE_ABSENT;
	} else if (entry == ZERO_BLOCK) {
		ret->kind = IMAGE_ZERO;
	} else {
		ret->kind = IMAGE_DATA;
		ret->host_off = vdi->data_off + entry * s->block_size;
	}
	return true;
}

static bool vdi_allocate(struct sparse *s, uint64_t index, uint64_t *ret_off, GError **error)
{
	struct vdi *vdi = vdi_of(s);
	const uint64_t used = s->end > vdi->data_off ? s->end - vdi->data_off : 0;
	const uint64_t number = MAX((used + s->block_size - 1) / s->block_size, vdi->allocated);
	uint8_t bytes[4];

	(void)index;
	if (number >= MAX_BLOCKS)
		return error_set(error, SOCLE_ERROR_LIMIT,
				 "image '%s' has no number for one more "
				 "block; convert it to make it shorter",
				 s->name);
	if (!sparse_grow(s, vdi->data_off + (number + 1) * s->block_size - s->end, ret_off, error))
		return false;
	*ret_off = vdi->data_off + number * s->block_size;
	vdi->allocated = (uint32_t)number + 1;
	put_le32(bytes, vdi->allocated);
	return sparse_write_now(s, H_ALLOCATED, bytes, 4, "the header", error);
}

static bool vdi_point(struct sparse *s, uint64_t index, uint64_t host_off, GError **error)
{
	const struct vdi *vdi = vdi_of(s);
	uint8_t bytes[4];

	put_le32(bytes, (uint32_t)((host_off - vdi->data_off) / s->block_size));
	return sparse_meta_write(s, vdi->map_off + index * 4, bytes, 4, "the map", error);
}

static const struct sparse_ops vdi_sparse_ops = {
	.lookup = vdi_lookup,
	.allocate = vdi_allocate,
	.point = vdi_point,
};

static bool is_zero_uuid(const uint8_t *uuid)
{
	static const uint8_t zero[16];

	return !memcmp(uuid, zero, sizeof(zero));
}

static bool parse_kind(struct vdi *vdi, const uint8_t *h, GError **error)
{
	const uint32_t version = get_le32(h + H_VERSION), type = get_le32(h + H_TYPE);

	if (get_le32(h + H_SIGNATURE) != SIGNATURE)
		return sparse_bad(&vdi->s, error, "is no VDI image");
	if (version != VERSION_1_1)
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "image '%s' is VDI of version %u.%u; 1.1 is known", vdi->s.name,
				 version >> 16, version & 0xffff);
	if ((type != TYPE_DYNAMIC && type != TYPE_STATIC) || !is_zero_uuid(h + H_UUID_LINK) ||
	    !is_zero_uuid(h + H_UUID_PARENT))
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "image '%s' is a VDI image with another behind it, or of an "
				 "unknown type (%u); merge it in VirtualBox first",
				 vdi->s.name, type);
	return true;
}

static bool parse_sizes(struct vdi *vdi, const uint8_t *h, GError **error)
{
	const uint32_t block = get_le32(h + H_BLOCK_SIZE);
	const uint64_t size = get_le64(h + H_SIZE);
	struct sparse *s = &vdi->s;

	if (get_le32(h + H_SECTOR) != 512)
		return sparse_bad(s, error, "has sectors of %u bytes; only 512 are possible",
				  get_le32(h + H_SECTOR));
	if (block < MIN_BLOCK || block > MAX_BLOCK || block & (block - 1) ||
	    get_le32(h + H_BLOCK_EXTRA))
		return sparse_bad(s, error,
				  "has blocks of %u and %u bytes; they must be a power of two",
				  block, get_le32(h + H_BLOCK_EXTRA));
	vdi->blocks = get_le32(h + H_BLOCKS);
	vdi->allocated = get_le32(h + H_ALLOCATED);
	if (vdi->blocks > MAX_BLOCKS || size > (uint64_t)vdi->blocks * block)
		return sparse_bad(s, error,
				  "has %u blocks of %u bytes, too many, or too few for its size of "
				  "%" PRIu64,
				  vdi->blocks, block, size);
	s->base.size = size & ~UINT64_C(511);
	s->base.cluster_size = block;
	s->block_size = block;
	return true;
}

static bool parse_places(struct vdi *vdi, const uint8_t *h, GError **error)
{
	const uint64_t map = get_le32(h + H_MAP_OFF), data = get_le32(h + H_DATA_OFF);
	const uint64_t map_len = (uint64_t)vdi->blocks * 4;

	vdi->map_off = map;
	vdi->data_off = data;
	vdi->s.begin = data;
	if (map < HEADER_LEN || map % 512 || map_len > vdi->s.end || map > vdi->s.end - map_len)
		return sparse_bad(&vdi->s, error,
				  "has its map at %#" PRIx64 ", which is not where one can be",
				  map);
	if (data % 512 || data < map + map_len)
		return sparse_bad(&vdi->s, error, "has its data at %#" PRIx64 ", over its map",
				  data);
	return true;
}

static struct image *vdi_open(const char *path, struct block_file *file, unsigned flags,
			      GError **error)
{
	struct vdi *vdi = g_new0(struct vdi, 1);
	uint8_t h[HEADER_LEN];

	(void)flags;
	if (sparse_init(&vdi->s, path, file, &vdi_sparse_ops, error) &&
	    sparse_meta_read(&vdi->s, 0, h, sizeof(h), "the header", error) &&
	    parse_kind(vdi, h, error) && parse_sizes(vdi, h, error) && parse_places(vdi, h, error))
		return &vdi->s.base;
	sparse_release(&vdi->s);
	g_free(vdi);
	return NULL;
}

/* ---- create ---- */

static const struct image_option vdi_options[] = {
	{ "static", "on|off", "all blocks are there from the beginning (default: off)" },
	{ NULL, NULL, NULL },
};

static void format_header(uint8_t *h, const struct image_create *what, uint32_t blocks,
			  bool is_static)
{
	const uint64_t map_len = ((uint64_t)blocks * 4 + 511) & ~UINT64_C(511);

	format_text(h + H_TEXT, MAKER);
	put_le32(h + H_SIGNATURE, SIGNATURE);
	put_le32(h + H_VERSION, VERSION_1_1);
	put_le32(h + H_LEN, LEN_1_1);
	put_le32(h + H_TYPE, is_static ? TYPE_STATIC : TYPE_DYNAMIC);
	put_le32(h + H_MAP_OFF, MAP_OFF);
	put_le32(h + H_DATA_OFF, (uint32_t)(MAP_OFF + map_len));
	put_le32(h + H_SECTOR, 512);
	put_le64(h + H_SIZE, what->size);
	put_le32(h + H_BLOCK_SIZE, BLOCK_SIZE);
	put_le32(h + H_BLOCKS, blocks);
	put_le32(h + H_ALLOCATED, is_static ? blocks : 0);
	format_uuid(h + H_UUID);
	format_uuid(h + H_UUID_SNAPSHOT);
}

/* The map, in pieces. */
static bool put_map(struct block_file *file, const struct image_create *what, uint32_t blocks,
		    bool is_static, GError **error)
{
	uint8_t piece[2048];

	for (uint32_t i = 0; i < blocks;) {
		const uint64_t off = MAP_OFF + (uint64_t)i * 4;
		size_t len = 0;

		for (; len < sizeof(piece) && i < blocks; len += 4, i++)
			put_le32(piece + len, is_static ? i : NOT_THERE);
		if (!format_put(file, what, off, piece, len, error))
			return false;
	}
	return true;
}

static bool vdi_create(struct block_file *file, const struct image_create *what, GError **error)
{
	const uint64_t blocks = what->size / BLOCK_SIZE + !!(what->size % BLOCK_SIZE);
	uint8_t h[HEADER_LEN] = { 0 };
	bool is_static = false;
	uint64_t len;

	if (!format_no_backing(what, "VDI", error) ||
	    !format_option_bool(what, "static", &is_static, error))
		return false;
	if (blocks > MAX_BLOCKS)
		return error_set(error, SOCLE_ERROR_LIMIT,
				 "image '%s' cannot have %" PRIu64
				 " bytes; VDI has at most %" PRIu64,
				 what->path, what->size, (uint64_t)MAX_BLOCKS * BLOCK_SIZE);
	format_header(h, what, (uint32_t)blocks, is_static);
	len = get_le32(h + H_DATA_OFF) + (is_static ? blocks * BLOCK_SIZE : 0);
	return format_resize(file, what, len, error) &&
	       put_map(file, what, (uint32_t)blocks, is_static, error) &&
	       format_put(file, what, 0, h, sizeof(h), error);
}

const struct image_ops vdi_image_ops = {
	.format = "vdi",
	.create_options = vdi_options,
	.probe = vdi_probe,
	.open = vdi_open,
	.create = vdi_create,
	.close = sparse_close,
	.read = sparse_read,
	.write = sparse_write,
	.zero = sparse_zero,
	.discard = sparse_discard,
	.flush = sparse_flush,
	.map = sparse_map,
};
