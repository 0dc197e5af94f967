/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmdk.c - images of VMware: monolithicSparse, streamOptimized, and to be read monolithicFlat
 *
 * A directory of tables of 32-bit sectors of grains. An image that is written in place has both
 * twice; the second copy is kept the same. A text, the descriptor, says what it all is; the text of
 * a flat image names the file where the bytes are, in the same folder.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "block/format/format.h"
#include "block/format/vmdk-int.h"

enum {
	MAX_GRAIN = 4096,        /* sectors */
	MAX_TABLE = 512,         /* entries */
	DESCRIPTOR_SECTORS = 20, /* of those we make */
	FOOTER_BACK = 1024,      /* bytes before the end of the file */
	DEFLATE = 1,             /* a compression */
	FLAT_BLOCK = 2 << 20,
	CID_LEN = 8,
};

static bool vmdk_probe(const uint8_t *head, size_t len, uint64_t size, struct block_file *file)
{
	(void)size;
	(void)file;
	return (len >= VMDK_HEADER_LEN && vmdk_is_header(head)) ||
	       vmdk_is_descriptor((const char *)head, len);
}

/* ---- grains ---- */

/* The table of grain @index, in bytes, by one of the two directories; 0: there is none. */
static bool find_table(struct vmdk *vmdk, uint64_t directory, uint64_t index, uint64_t *ret_off,
		       GError **error)
{
	struct sparse *s = &vmdk->s;
	uint8_t bytes[4];

	if (!sparse_meta_read(s, directory * VMDK_SECTOR + index / vmdk->header.table_entries * 4,
			      bytes, 4, "the directory", error))
		return false;
	*ret_off = (uint64_t)get_le32(bytes) * VMDK_SECTOR;
	if (*ret_off >= s->end)
		return sparse_bad(s, error, "has a grain table at %#" PRIx64 ", behind its end",
				  *ret_off);
	return true;
}

static bool vmdk_lookup(struct sparse *s, uint64_t index, struct sparse_block *ret, GError **error)
{
	struct vmdk *vmdk = vmdk_of(s);
	const struct vmdk_header *h = &vmdk->header;
	const uint32_t in = (uint32_t)(index % MAX(h->table_entries, 1));
	uint64_t table;
	uint8_t bytes[4];

	if (vmdk->stream)
		return vmdk_stream_lookup(vmdk, index, ret, error);
	if (!find_table(vmdk, h->directory, index, &table, error))
		return false;
	ret->kind = IMAGE_ABSENT;
	if (!table) {
		ret->count = h->table_entries - in;
		return true;
	}
	if (!sparse_meta_read(s, table + (uint64_t)in * 4, bytes, 4, "a grain table", error))
		return false;
	ret->host_off = (uint64_t)get_le32(bytes) * VMDK_SECTOR;
	if (ret->host_off == VMDK_SECTOR && h->flags & VMDK_ZEROES)
		ret->kind = IMAGE_ZERO;
	else if (ret->host_off)
		ret->kind = IMAGE_DATA;
	ret->compressed = h->flags & VMDK_COMPRESSED;
	return true;
}

static bool vmdk_unpack(struct sparse *s, const struct sparse_block *block, uint8_t *out,
			GError **error)
{
	struct vmdk *vmdk = vmdk_of(s);
	const bool marker = vmdk->header.flags & VMDK_MARKERS;
	uint64_t off = block->host_off, len = 2 * s->block_size;
	uint8_t head[VMDK_MARKER_LEN];
	g_autofree uint8_t *packed = NULL;
	int ret;

	if (vmdk_stream_has(vmdk, block, out))
		return true;
	if (marker) {
		ret = block_file_read(s->file, off, head, sizeof(head));
		if (ret < 0)
			return error_sys(error, ret, "cannot read data of image '%s'", s->name);
		off += sizeof(head);
		/* Data that cannot be compressed becomes a little longer. */
		if (get_le32(head + 8) > len)
			return sparse_bad(s, error, "has a grain of %u bytes at %#" PRIx64,
					  get_le32(head + 8), block->host_off);
		len = get_le32(head + 8);
	}
	packed = g_malloc(len + 1);
	ret = block_file_read(s->file, off, packed, len);
	if (ret < 0)
		return error_sys(error, ret, "cannot read data of image '%s'", s->name);
	if (!format_inflate(packed, len, out, s->block_size, 15))
		return sparse_bad(s, error, "has compressed data at %#" PRIx64 " that are none",
				  block->host_off);
	return true;
}

/* Who knows the contents by their number must see that they are others. */
static bool change_cid(struct vmdk *vmdk, GError **error)
{
	struct sparse *s = &vmdk->s;
	g_autofree char *text = g_malloc0(vmdk->text_len + 1);
	char cid[CID_LEN + 1];
	const char *at;

	if (!sparse_meta_read(s, vmdk->text_off, text, vmdk->text_len, "the descriptor", error))
		return false;
	at = vmdk_descriptor_cid(text);
	if (!at)
		return true;
	g_snprintf(cid, sizeof(cid), "%08x", g_random_int() & 0x7fffffff);
	return sparse_meta_write(s, vmdk->text_off + (uint64_t)(at - text), cid, CID_LEN,
				 "the descriptor", error);
}

static bool vmdk_prepare(struct sparse *s, GError **error)
{
	struct vmdk *vmdk = vmdk_of(s);

	if (vmdk->header.flags & VMDK_COMPRESSED || vmdk->header.version > 2 ||
	    (vmdk->type && strcmp(vmdk->type, "monolithicSparse") != 0))
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "image '%s' is VMDK of a kind that is only read (%s); convert it "
				 "first",
				 s->name, vmdk->type ? vmdk->type : "unknown");
	return change_cid(vmdk, error);
}

static bool vmdk_allocate(struct sparse *s, uint64_t index, uint64_t *ret_off, GError **error)
{
	const uint64_t place = (s->end + s->block_size - 1) / s->block_size * s->block_size;
	uint64_t off;

	(void)index;
	if (place / VMDK_SECTOR > UINT32_MAX)
		return error_set(
			error, SOCLE_ERROR_LIMIT,
			"image '%s' cannot become longer than 2 TiB; convert it to make it "
			"shorter",
			s->name);
	if (!sparse_grow(s, place - s->end + s->block_size, &off, error))
		return false;
	*ret_off = place;
	return true;
}

/* A table for a directory that has none there. */
static bool make_table(struct vmdk *vmdk, uint64_t directory, uint64_t index, uint64_t *ret_off,
		       GError **error)
{
	const uint64_t len = (vmdk->header.table_entries * 4 + VMDK_SECTOR - 1) / VMDK_SECTOR;
	struct sparse *s = &vmdk->s;
	uint64_t place = (s->end + VMDK_SECTOR - 1) / VMDK_SECTOR, off;
	uint8_t bytes[4];

	if (place > UINT32_MAX)
		return error_set(error, SOCLE_ERROR_LIMIT,
				 "image '%s' cannot become longer than 2 TiB", s->name);
	if (!sparse_grow(s, (place + len) * VMDK_SECTOR - s->end, &off, error))
		return false;
	put_le32(bytes, (uint32_t)place);
	*ret_off = place * VMDK_SECTOR;
	return sparse_meta_write(s,
				 directory * VMDK_SECTOR + index / vmdk->header.table_entries * 4,
				 bytes, 4, "the directory", error);
}

static bool vmdk_point(struct sparse *s, uint64_t index, uint64_t host_off, GError **error)
{
	struct vmdk *vmdk = vmdk_of(s);
	const struct vmdk_header *h = &vmdk->header;
	const uint64_t directories[] = { h->second, h->directory };
	uint8_t bytes[4];

	put_le32(bytes, (uint32_t)(host_off / VMDK_SECTOR));
	for (unsigned i = h->flags & VMDK_SECOND ? 0 : 1; i < ARRAY_SIZE(directories); i++) {
		uint64_t table;

		if (!find_table(vmdk, directories[i], index, &table, error))
			return false;
		if (!table && !make_table(vmdk, directories[i], index, &table, error))
			return false;
		if (!sparse_meta_write(s, table + index % h->table_entries * 4, bytes, 4,
				       "a grain table", error))
			return false;
	}
	return true;
}

static bool flat_lookup(struct sparse *s, uint64_t index, struct sparse_block *ret, GError **error)
{
	(void)error;
	ret->kind = IMAGE_DATA;
	ret->host_off = vmdk_of(s)->extent_off + index * s->block_size;
	ret->count = s->base.size / s->block_size + 1 - index;
	return true;
}

static const struct sparse_ops vmdk_sparse_ops = {
	.lookup = vmdk_lookup,
	.unpack = vmdk_unpack,
	.prepare = vmdk_prepare,
	.allocate = vmdk_allocate,
	.point = vmdk_point,
};

static const struct sparse_ops vmdk_flat_ops = { .lookup = flat_lookup };

/* ---- open ---- */

static bool check_kind(struct vmdk *vmdk, GError **error)
{
	const struct vmdk_header *h = &vmdk->header;
	struct sparse *s = &vmdk->s;

	if (!h->version || h->version > 3)
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "image '%s' is VMDK of version %u; 1 to 3 are known", s->name,
				 h->version);
	if (h->flags & VMDK_NEWLINES && h->is_text)
		return sparse_bad(s, error, "was copied as a text, which has broken it");
	if (h->compression > DEFLATE || (h->flags & VMDK_COMPRESSED && !h->compression))
		return sparse_bad(s, error, "is compressed in an unknown way (%u)", h->compression);
	if (!h->grain || h->grain > MAX_GRAIN || h->grain & (h->grain - 1))
		return sparse_bad(s, error,
				  "has grains of %" PRIu64
				  " sectors; they must be a power of two up to %d",
				  h->grain, MAX_GRAIN);
	if (!h->table_entries || h->table_entries > MAX_TABLE)
		return sparse_bad(s, error, "has grain tables of %u entries; 1 to %d are possible",
				  h->table_entries, MAX_TABLE);
	if (h->sectors > INT64_MAX / VMDK_SECTOR)
		return sparse_bad(s, error, "says that it has %" PRIu64 " sectors", h->sectors);
	return true;
}

static bool check_directory(struct vmdk *vmdk, uint64_t sector, GError **error)
{
	const uint64_t len = vmdk->tables * 4, end = vmdk->s.end;

	if (!sector || len > end || sector > (end - len) / VMDK_SECTOR)
		return sparse_bad(&vmdk->s, error,
				  "has a directory of %" PRIu64 " entries at sector %" PRIu64
				  ", which is not in the file",
				  vmdk->tables, sector);
	return true;
}

/* The header, or the footer if that says where the directory is. */
static bool read_header(struct vmdk *vmdk, GError **error)
{
	struct vmdk_header *h = &vmdk->header;
	struct sparse *s = &vmdk->s;
	uint8_t bytes[VMDK_HEADER_LEN];
	uint64_t reach;

	if (!sparse_meta_read(s, 0, bytes, sizeof(bytes), "the header", error))
		return false;
	vmdk_header_parse(bytes, h);
	vmdk->at_end = h->directory == VMDK_AT_END;
	if (vmdk->at_end) {
		if (s->end < FOOTER_BACK || s->end % VMDK_SECTOR ||
		    !sparse_meta_read(s, s->end - FOOTER_BACK, bytes, sizeof(bytes), "the footer",
				      NULL) ||
		    !vmdk_is_header(bytes))
			return sparse_bad(s, error, "has no footer; it was not written to its end");
		vmdk_header_parse(bytes, h);
	}
	if (!check_kind(vmdk, error))
		return false;
	reach = h->grain * h->table_entries;
	vmdk->tables = h->sectors / reach + !!(h->sectors % reach);
	s->base.size = h->sectors * VMDK_SECTOR;
	s->block_size = h->grain * VMDK_SECTOR;
	s->base.cluster_size = (uint32_t)s->block_size;
	s->begin = VMDK_HEADER_LEN;
	return check_directory(vmdk, h->directory, error) &&
	       (!(h->flags & VMDK_SECOND) || check_directory(vmdk, h->second, error));
}

static char *read_text(struct vmdk *vmdk, GError **error)
{
	g_autofree char *text = g_malloc0(vmdk->text_len + 1);

	if (!sparse_meta_read(&vmdk->s, vmdk->text_off, text, vmdk->text_len, "the descriptor",
			      error))
		return NULL;
	return g_steal_pointer(&text);
}

static bool open_sparse(struct vmdk *vmdk, GError **error)
{
	struct vmdk_descriptor d;
	g_autofree char *text = NULL;
	bool ok;

	if (!read_header(vmdk, error))
		return false;
	/* Some have none, and are a part of something then; they can be read by themselves. */
	if (!vmdk->header.descriptor || vmdk->header.descriptor > vmdk->s.end / VMDK_SECTOR)
		return true;
	vmdk->text_off = vmdk->header.descriptor * VMDK_SECTOR;
	vmdk->text_len = VMDK_MAX_DESCRIPTOR;
	if (vmdk->header.descriptor_len < VMDK_MAX_DESCRIPTOR / VMDK_SECTOR)
		vmdk->text_len = vmdk->header.descriptor_len * VMDK_SECTOR;
	text = read_text(vmdk, error);
	if (!text)
		return false;
	ok = vmdk_descriptor_parse(vmdk->s.name, text, &d, error);
	vmdk->type = g_steal_pointer(&d.type);
	if (d.parent != UINT32_MAX) {
		vmdk->s.base.backing_file = g_steal_pointer(&d.parent_name);
		vmdk->s.base.backing_format = g_strdup("vmdk");
	}
	if (ok && d.extents > 1)
		ok = error_set(error, SOCLE_ERROR_UNSUPPORTED,
			       "image '%s' is in %u files; only those in one are supported",
			       vmdk->s.name, d.extents);
	if (ok && d.parent != UINT32_MAX && !vmdk->s.base.backing_file)
		ok = sparse_bad(&vmdk->s, error, "has a parent that it does not name");
	vmdk_descriptor_clear(&d);
	return ok;
}

/* Its bytes are in a file of the same folder. */
static bool open_extent(struct vmdk *vmdk, const char *name, unsigned flags, GError **error)
{
	struct sparse *s = &vmdk->s;
	int64_t size;

	if (!*name || strchr(name, '/') || !strcmp(name, ".") || !strcmp(name, ".."))
		return sparse_bad(s, error,
				  "has its data in '%s', which is not a file of its folder", name);
	if (!(flags & IMAGE_BACKING))
		return error_set(
			error, SOCLE_ERROR_DENIED,
			"image '%s' has its data in '%s', and other files may not be opened",
			s->name, name);
	vmdk->extent_path = image_resolve(s->name, name);
	vmdk->extent = block_file_open(vmdk->extent_path,
				       (flags & IMAGE_SHARED ? BLOCK_FILE_SHARED : 0) |
					       (flags & IMAGE_NO_LOCK ? BLOCK_FILE_NO_LOCK : 0) |
					       (flags & IMAGE_DIRECT ? BLOCK_FILE_DIRECT : 0),
				       error);
	if (!vmdk->extent)
		return false;
	size = block_file_size(vmdk->extent);
	if (size < 0)
		return error_sys(error, (int)size, "cannot get the size of '%s'",
				 vmdk->extent_path);
	s->file = vmdk->extent;
	s->end = (uint64_t)size;
	if (vmdk->extent_off > s->end || s->base.size > s->end - vmdk->extent_off)
		return sparse_bad(s, error, "has its data in '%s', which is too short",
				  vmdk->extent_path);
	return true;
}

static bool open_flat(struct vmdk *vmdk, unsigned flags, GError **error)
{
	struct sparse *s = &vmdk->s;
	struct vmdk_descriptor d = { 0 };
	g_autofree char *text = NULL;
	bool ok;

	vmdk->text_len = MIN(s->end, VMDK_MAX_DESCRIPTOR);
	text = read_text(vmdk, error);
	if (!text)
		return false;
	if (!vmdk_is_descriptor(text, strlen(text)))
		return sparse_bad(s, error, "is no VMDK image");
	ok = vmdk_descriptor_parse(s->name, text, &d, error);
	if (ok && (d.extents != 1 || !d.flat || d.parent != UINT32_MAX))
		ok = error_set(error, SOCLE_ERROR_UNSUPPORTED,
			       "image '%s' is VMDK of a kind that is not supported (%s)", s->name,
			       d.type ? d.type : "unknown");
	s->ops = &vmdk_flat_ops;
	s->block_size = FLAT_BLOCK;
	s->base.size = d.extent_len * VMDK_SECTOR;
	vmdk->extent_off = d.extent_off * VMDK_SECTOR;
	if (ok && flags & IMAGE_WRITE)
		ok = error_set(error, SOCLE_ERROR_UNSUPPORTED,
			       "image '%s' is VMDK of a kind that is only read (%s); convert it "
			       "first",
			       s->name, d.type ? d.type : "unknown");
	ok = ok && open_extent(vmdk, d.extent_name, flags, error);
	vmdk_descriptor_clear(&d);
	return ok;
}

/* An image that is made just now is written as a stream. One with something in it is read. */
static bool open_stream(struct vmdk *vmdk, GError **error)
{
	const struct vmdk_header *h = &vmdk->header;

	if (!vmdk->at_end || !(h->flags & VMDK_COMPRESSED) || !(h->flags & VMDK_MARKERS) ||
	    h->grain != VMDK_GRAIN / VMDK_SECTOR || h->table_entries != VMDK_TABLE ||
	    !h->overhead || h->overhead > vmdk->s.end / VMDK_SECTOR)
		return true;
	for (uint64_t i = 0; i < vmdk->tables; i++) {
		struct sparse_block first = { .count = 1 };

		if (!vmdk_lookup(&vmdk->s, i * VMDK_TABLE, &first, error))
			return false;
		/* Each table is absent as a whole. */
		if (first.kind != IMAGE_ABSENT || first.count != VMDK_TABLE)
			return true;
	}
	vmdk->stream = vmdk_stream_new(vmdk);
	return vmdk->stream ||
	       error_set(error, SOCLE_ERROR_LIMIT,
			 "there is no memory for the directory of image '%s'", vmdk->s.name);
}

static void vmdk_clear(struct vmdk *vmdk)
{
	block_file_close(vmdk->extent);
	g_free(vmdk->extent_path);
	g_free(vmdk->type);
	vmdk_stream_free(vmdk->stream);
}

static struct image *vmdk_open(const char *path, struct block_file *file, unsigned flags,
			       GError **error)
{
	struct vmdk *vmdk = g_new0(struct vmdk, 1);
	uint8_t magic[4];
	bool ok = sparse_init(&vmdk->s, path, file, &vmdk_sparse_ops, error) &&
		  sparse_meta_read(&vmdk->s, 0, magic, sizeof(magic), "the header", error);

	if (ok && vmdk_is_header(magic))
		ok = open_sparse(vmdk, error) &&
		     (!(flags & IMAGE_WRITE) || open_stream(vmdk, error));
	else if (ok)
		ok = open_flat(vmdk, flags, error);
	if (ok)
		return &vmdk->s.base;
	vmdk_clear(vmdk);
	sparse_release(&vmdk->s);
	g_free(vmdk);
	return NULL;
}

static struct vmdk *vmdk_of_image(struct image *image)
{
	return container_of(image, struct vmdk, s.base);
}

static void vmdk_close(struct image *image)
{
	vmdk_clear(vmdk_of_image(image));
	sparse_close(image);
}

/* ---- calls ---- */

static bool vmdk_write(struct image *image, uint64_t off, const void *buf, size_t len,
		       GError **error)
{
	struct vmdk *vmdk = vmdk_of_image(image);

	return vmdk->stream ? vmdk_stream_write(vmdk, off, buf, len, error)
			    : sparse_write(image, off, buf, len, error);
}

static bool vmdk_zero(struct image *image, uint64_t off, uint64_t len, bool unmap, GError **error)
{
	struct vmdk *vmdk = vmdk_of_image(image);

	return vmdk->stream ? vmdk_stream_zero(vmdk, off, len, error)
			    : sparse_zero(image, off, len, unmap, error);
}

static bool vmdk_discard(struct image *image, uint64_t off, uint64_t len, GError **error)
{
	return vmdk_of_image(image)->stream || sparse_discard(image, off, len, error);
}

static bool vmdk_flush(struct image *image, GError **error)
{
	struct vmdk *vmdk = vmdk_of_image(image);

	return vmdk->stream ? vmdk_stream_finish(vmdk, error) : sparse_flush(image, error);
}

static bool vmdk_map(struct image *image, uint64_t off, uint64_t len,
		     struct image_extent *ret_extent, GError **error)
{
	struct vmdk *vmdk = vmdk_of_image(image);

	if (!sparse_map(image, off, len, ret_extent, error))
		return false;
	if (vmdk->extent)
		ret_extent->file = vmdk->extent_path;
	return true;
}

static ssize_t vmdk_pack_grain(struct image *image, const void *in, void *out)
{
	if (!vmdk_of_image(image)->stream)
		return 0;
	return (ssize_t)vmdk_pack(in, VMDK_GRAIN, out, VMDK_GRAIN);
}

static bool vmdk_write_packed(struct image *image, uint64_t off, const void *data, size_t len,
			      GError **error)
{
	struct vmdk *vmdk = vmdk_of_image(image);

	if (!vmdk->stream)
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "image '%s' is not compressed; create it with "
				 "subformat=streamOptimized",
				 vmdk->s.name);
	return vmdk_stream_write_packed(vmdk, off, data, len, error);
}

/* ---- create ---- */

static const char *const subformats[] = { "monolithicSparse", "streamOptimized", NULL };
static const char *const adapters[] = { "ide", "buslogic", "lsilogic", "legacyESX", NULL };

static const struct image_option vmdk_options[] = {
	{ "subformat", "monolithicSparse|streamOptimized",
	  "to be written in place (default), or once and compressed, as in an OVA" },
	{ "adapter_type", "ide|buslogic|lsilogic|legacyESX",
	  "what it is plugged into (default: ide)" },
	{ "hwversion", "NUMBER", "of the virtual machine it is for (default: 4)" },
	{ "compat6", "on|off", "the same as hwversion=6" },
	{ "zeroed_grain", "on|off", "grains of zeroes may be said to be such (default: off)" },
	{ NULL, NULL, NULL },
};

struct vmdk_choice {
	unsigned stream, adapter;
	const char *hwversion;
	bool zeroes;
};

static bool choose(const struct image_create *what, struct vmdk_choice *c, GError **error)
{
	const char *hwversion = image_create_option(what, "hwversion", NULL);
	bool compat6 = false;

	*c = (struct vmdk_choice){ 0 };
	if (!format_no_backing(what, "VMDK", error) ||
	    !format_option_choice(what, "subformat", subformats, &c->stream, error) ||
	    !format_option_choice(what, "adapter_type", adapters, &c->adapter, error) ||
	    !format_option_bool(what, "compat6", &compat6, error) ||
	    !format_option_bool(what, "zeroed_grain", &c->zeroes, error))
		return false;
	if (hwversion && (compat6 || !*hwversion || strlen(hwversion) > 4 ||
			  strspn(hwversion, "0123456789") != strlen(hwversion)))
		return error_set(error, SOCLE_ERROR_USAGE,
				 "option 'hwversion' is a number, and does not go with 'compat6'");
	if (strpbrk(what->path, "\"\n"))
		return error_set(error, SOCLE_ERROR_USAGE,
				 "a VMDK image cannot be named '%s'; it notes its name in quotes",
				 what->path);
	c->hwversion = hwversion ? hwversion : compat6 ? "6" : "4";
	return true;
}

/* One of the two directories, and behind it its tables, which are holes. */
static bool put_directory(struct block_file *file, const struct image_create *what, uint64_t sector,
			  uint64_t tables, uint64_t table_sector, GError **error)
{
	uint8_t piece[2048];

	for (uint64_t i = 0; i < tables;) {
		const uint64_t off = sector * VMDK_SECTOR + i * 4;
		size_t len = 0;

		for (; len < sizeof(piece) && i < tables; len += 4, i++)
			put_le32(piece + len,
				 (uint32_t)(table_sector + i * (VMDK_TABLE * 4 / VMDK_SECTOR)));
		if (!format_put(file, what, off, piece, len, error))
			return false;
	}
	return true;
}

static bool put_tables(struct block_file *file, const struct image_create *what,
		       const struct vmdk_header *h, uint64_t tables, uint64_t directory_sectors,
		       GError **error)
{
	int ret;

	if (h->flags & VMDK_COMPRESSED) {
		ret = vmdk_put_end(file, h->overhead * VMDK_SECTOR, h, NULL, tables);
		if (ret < 0)
			return error_sys(error, ret, "cannot write image '%s'", what->path);
		return true;
	}
	return format_resize(file, what, h->overhead * VMDK_SECTOR, error) &&
	       put_directory(file, what, h->second, tables, h->second + directory_sectors, error) &&
	       put_directory(file, what, h->directory, tables, h->directory + directory_sectors,
			     error);
}

static bool vmdk_create(struct block_file *file, const struct image_create *what, GError **error)
{
	const uint64_t reach = (uint64_t)VMDK_GRAIN * VMDK_TABLE;
	const uint64_t tables = what->size / reach + !!(what->size % reach);
	const uint64_t directory_sectors = (tables * 4 + VMDK_SECTOR - 1) / VMDK_SECTOR;
	const uint64_t copy = directory_sectors + tables * (VMDK_TABLE * 4 / VMDK_SECTOR);
	const uint64_t grain = VMDK_GRAIN / VMDK_SECTOR, text_end = 1 + DESCRIPTOR_SECTORS;
	struct vmdk_header h = {
		.flags = VMDK_NEWLINES,
		.table_entries = VMDK_TABLE,
		.sectors = what->size / VMDK_SECTOR,
		.grain = grain,
		.descriptor = 1,
		.descriptor_len = DESCRIPTOR_SECTORS,
	};
	uint8_t bytes[VMDK_HEADER_LEN];
	g_autofree char *text = NULL;
	struct vmdk_choice c;

	if (!choose(what, &c, error))
		return false;
	if (what->size > UINT64_C(32) << 40)
		return error_set(error, SOCLE_ERROR_LIMIT,
				 "image '%s' cannot have %" PRIu64
				 " bytes; VMDK has at most 32 TiB",
				 what->path, what->size);
	h.version = c.stream ? 3 : c.zeroes ? 2 : 1;
	h.flags |= c.stream ? VMDK_COMPRESSED | VMDK_MARKERS : VMDK_SECOND;
	h.flags |= c.zeroes ? VMDK_ZEROES : 0;
	h.compression = c.stream ? DEFLATE : 0;
	h.second = c.stream ? 0 : text_end;
	h.directory = c.stream ? VMDK_AT_END : text_end + copy;
	h.overhead = (text_end + (c.stream ? 0 : 2 * copy) + grain - 1) / grain * grain;
	vmdk_header_format(&h, bytes);
	text = vmdk_descriptor_format(what, subformats[c.stream], adapters[c.adapter], c.hwversion);
	if (strlen(text) >= (size_t)DESCRIPTOR_SECTORS * VMDK_SECTOR)
		return error_set(error, SOCLE_ERROR_LIMIT, "the name '%s' is too long", what->path);
	return put_tables(file, what, &h, tables, directory_sectors, error) &&
	       format_put(file, what, VMDK_SECTOR, text, strlen(text), error) &&
	       format_put(file, what, 0, bytes, sizeof(bytes), error);
}

const struct image_ops vmdk_image_ops = {
	.format = "vmdk",
	.create_options = vmdk_options,
	.probe = vmdk_probe,
	.open = vmdk_open,
	.create = vmdk_create,
	.close = vmdk_close,
	.read = sparse_read,
	.write = vmdk_write,
	.zero = vmdk_zero,
	.discard = vmdk_discard,
	.flush = vmdk_flush,
	.map = vmdk_map,
	.pack = vmdk_pack_grain,
	.write_packed = vmdk_write_packed,
};
