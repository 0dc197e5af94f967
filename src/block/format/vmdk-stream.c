/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmdk-stream.c - VMDK images that are written from front to back: streamOptimized
 *
 * Compressed grains, each behind a marker; behind the last one of a table, the table; at the end
 * the directory, a footer (the header anew, with the directory's place) and a marker of the end.
 * What is read while it is written comes from the same tables in memory.
 *
 * A flush writes all that makes it a whole image, behind the last grain. Is more written
 * afterwards, that goes over it. So the image is whole after each flush, and from the next write on
 * it is not.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <zlib.h>

#include "base/bytes.h"
#include "base/error.h"
#include "block/format/format.h"
#include "block/format/vmdk-int.h"

enum {
	TABLE_LEN = VMDK_TABLE * 4,

	MARK_END = 0,
	MARK_TABLE = 1,
	MARK_DIRECTORY = 2,
	MARK_FOOTER = 3,
	MARK_TYPE = 12, /* offset */

	IN_BUFFER = 0xffffffff, /* packed_len: not in the file yet */
};

#define NONE UINT64_MAX

struct vmdk_stream {
	uint64_t pos;         /* bytes; what is before it stays */
	uint32_t *directory;  /* sectors of the tables, 0: none */
	uint64_t table_index; /* of @table, or NONE */
	uint32_t table[VMDK_TABLE];
	uint64_t grain_index; /* of @grain, which is to be written; or NONE */
	uint8_t *grain, *packed;
	uint64_t next; /* grain: those before it are written, or stay absent */
};

static uint64_t padded(uint64_t len)
{
	return (len + VMDK_SECTOR - 1) / VMDK_SECTOR * VMDK_SECTOR;
}

size_t vmdk_pack(const void *in, size_t in_len, void *out, size_t out_len)
{
	uLongf len = (uLongf)out_len;

	return compress2(out, &len, in, (uLong)in_len, Z_DEFAULT_COMPRESSION) == Z_OK ? len : 0;
}

static void put_marker(uint8_t *at, uint32_t type, uint64_t sectors)
{
	put_le64(at, sectors);
	put_le32(at + MARK_TYPE, type);
}

/* A table and its marker; @ret_sector is where the table is. */
static int put_table(struct block_file *file, uint64_t pos, const uint32_t *table,
		     uint32_t *ret_sector)
{
	uint8_t bytes[VMDK_SECTOR + TABLE_LEN] = { 0 };

	put_marker(bytes, MARK_TABLE, TABLE_LEN / VMDK_SECTOR);
	for (unsigned i = 0; i < VMDK_TABLE; i++)
		put_le32(bytes + VMDK_SECTOR + (size_t)i * 4, table[i]);
	*ret_sector = (uint32_t)(pos / VMDK_SECTOR + 1);
	return block_file_write(file, pos, bytes, sizeof(bytes));
}

int vmdk_put_end(struct block_file *file, uint64_t pos, const struct vmdk_header *header,
		 const uint32_t *directory, uint64_t tables)
{
	const uint64_t directory_len = padded(tables * 4),
		       len = directory_len + UINT64_C(4) * VMDK_SECTOR;
	struct vmdk_header footer = *header;
	g_autofree uint8_t *bytes = g_try_malloc0(len);
	uint8_t *at = bytes;
	int ret;

	if (!bytes)
		return -ENOMEM;
	put_marker(at, MARK_DIRECTORY, directory_len / VMDK_SECTOR);
	at += VMDK_SECTOR;
	for (uint64_t i = 0; directory && i < tables; i++)
		put_le32(at + i * 4, directory[i]);
	at += directory_len;
	put_marker(at, MARK_FOOTER, 1);
	at += VMDK_SECTOR;
	footer.directory = pos / VMDK_SECTOR + 1;
	vmdk_header_format(&footer, at);
	/* The last sector is zero: MARK_END. */
	ret = block_file_write(file, pos, bytes, len);
	return ret < 0 ? ret : block_file_resize(file, pos + len);
}

/* ---- writing ---- */

static bool written(struct vmdk *vmdk, int ret, GError **error)
{
	if (ret < 0)
		return error_sys(error, ret, "cannot write data of image '%s'", vmdk->s.name);
	return true;
}

static bool put_open_table(struct vmdk *vmdk, GError **error)
{
	struct vmdk_stream *stream = vmdk->stream;
	uint32_t sector;

	if (stream->table_index == NONE)
		return true;
	if (!written(vmdk, put_table(vmdk->s.file, stream->pos, stream->table, &sector), error))
		return false;
	stream->directory[stream->table_index] = sector;
	stream->table_index = NONE;
	stream->pos += VMDK_SECTOR + TABLE_LEN;
	return true;
}

static bool put_grain(struct vmdk *vmdk, uint64_t index, const void *data, size_t len,
		      GError **error)
{
	struct vmdk_stream *stream = vmdk->stream;
	const size_t all = (size_t)padded(VMDK_MARKER_LEN + len);
	g_autofree uint8_t *bytes = g_malloc0(all);

	if (stream->table_index != index / VMDK_TABLE && !put_open_table(vmdk, error))
		return false;
	if (stream->pos / VMDK_SECTOR > UINT32_MAX - all / VMDK_SECTOR)
		return error_set(error, SOCLE_ERROR_LIMIT,
				 "image '%s' cannot become longer than 2 TiB", vmdk->s.name);
	put_le64(bytes, index * (VMDK_GRAIN / VMDK_SECTOR));
	put_le32(bytes + 8, (uint32_t)len);
	memcpy(bytes + VMDK_MARKER_LEN, data, len);
	if (!written(vmdk, block_file_write(vmdk->s.file, stream->pos, bytes, all), error))
		return false;
	if (stream->table_index == NONE)
		memset(stream->table, 0, sizeof(stream->table));
	stream->table_index = index / VMDK_TABLE;
	stream->table[index % VMDK_TABLE] = (uint32_t)(stream->pos / VMDK_SECTOR);
	stream->pos += all;
	stream->next = index + 1;
	vmdk->s.end = MAX(vmdk->s.end, stream->pos);
	return true;
}

/* The grain that waits for more of itself. */
static bool put_open_grain(struct vmdk *vmdk, GError **error)
{
	struct vmdk_stream *stream = vmdk->stream;
	size_t len;

	if (stream->grain_index == NONE)
		return true;
	len = vmdk_pack(stream->grain, VMDK_GRAIN, stream->packed, compressBound(VMDK_GRAIN));
	if (!len)
		return error_set(error, SOCLE_ERROR_LIMIT,
				 "there is no memory to compress for image '%s'", vmdk->s.name);
	if (!put_grain(vmdk, stream->grain_index, stream->packed, len, error))
		return false;
	stream->grain_index = NONE;
	return true;
}

/* @index comes next, or later. */
static bool go_to(struct vmdk *vmdk, uint64_t index, GError **error)
{
	if (!put_open_grain(vmdk, error))
		return false;
	if (index >= vmdk->stream->next)
		return true;
	return error_set(error, SOCLE_ERROR_UNSUPPORTED,
			 "image '%s' is streamOptimized, and written from front to back only",
			 vmdk->s.name);
}

bool vmdk_stream_write(struct vmdk *vmdk, uint64_t off, const void *buf, size_t len, GError **error)
{
	struct vmdk_stream *stream = vmdk->stream;

	while (len) {
		const uint64_t index = off / VMDK_GRAIN;
		const size_t in = off % VMDK_GRAIN, n = MIN(len, VMDK_GRAIN - in);

		if (index != stream->grain_index) {
			if (!go_to(vmdk, index, error))
				return false;
			memset(stream->grain, 0, VMDK_GRAIN);
			stream->grain_index = index;
		}
		memcpy(stream->grain + in, buf, n);
		off += n;
		buf = (const uint8_t *)buf + n;
		len -= n;
	}
	return true;
}

bool vmdk_stream_write_packed(struct vmdk *vmdk, uint64_t off, const void *data, size_t len,
			      GError **error)
{
	return go_to(vmdk, off / VMDK_GRAIN, error) &&
	       put_grain(vmdk, off / VMDK_GRAIN, data, len, error);
}

bool vmdk_stream_zero(struct vmdk *vmdk, uint64_t off, uint64_t len, GError **error)
{
	struct vmdk_stream *stream = vmdk->stream;
	const uint64_t end = off + len, start = stream->grain_index * VMDK_GRAIN;
	const bool open = stream->grain_index != NONE;

	if (off < (open ? stream->grain_index : stream->next) * VMDK_GRAIN)
		return go_to(vmdk, 0, error);
	if (open && off < start + VMDK_GRAIN)
		memset(stream->grain + (off - start), 0, MIN(end, start + VMDK_GRAIN) - off);
	return true;
}

bool vmdk_stream_finish(struct vmdk *vmdk, GError **error)
{
	struct vmdk_stream *stream = vmdk->stream;
	uint64_t pos;
	int ret = 0;

	if (!put_open_grain(vmdk, error))
		return false;
	pos = stream->pos;
	/* More may come for this table: it stays open, and is written again. */
	if (stream->table_index != NONE) {
		ret = put_table(vmdk->s.file, pos, stream->table,
				&stream->directory[stream->table_index]);
		pos += VMDK_SECTOR + TABLE_LEN;
	}
	if (ret >= 0)
		ret = vmdk_put_end(vmdk->s.file, pos, &vmdk->header, stream->directory,
				   vmdk->tables);
	if (ret >= 0)
		ret = block_file_sync(vmdk->s.file);
	return written(vmdk, ret, error);
}

/* ---- reading ---- */

bool vmdk_stream_lookup(struct vmdk *vmdk, uint64_t index, struct sparse_block *ret, GError **error)
{
	const struct vmdk_stream *stream = vmdk->stream;
	const uint64_t table = index / VMDK_TABLE, in = index % VMDK_TABLE;
	uint32_t entry = 0;
	uint8_t bytes[4];
	int err;

	ret->compressed = true;
	if (index == stream->grain_index) {
		ret->kind = IMAGE_DATA;
		ret->host_off = vmdk->s.begin;
		ret->packed_len = IN_BUFFER;
		return true;
	}
	if (table == stream->table_index) {
		entry = stream->table[in];
	} else if (stream->directory[table]) {
		err = block_file_read(vmdk->s.file,
				      (uint64_t)stream->directory[table] * VMDK_SECTOR + in * 4,
				      bytes, 4);
		if (err < 0)
			return error_sys(error, err, "cannot read a table of image '%s'",
					 vmdk->s.name);
		entry = get_le32(bytes);
	}
	ret->kind = entry ? IMAGE_DATA : IMAGE_ABSENT;
	ret->host_off = (uint64_t)entry * VMDK_SECTOR;
	return true;
}

bool vmdk_stream_has(const struct vmdk *vmdk, const struct sparse_block *block, uint8_t *out)
{
	if (!vmdk->stream || block->packed_len != IN_BUFFER)
		return false;
	memcpy(out, vmdk->stream->grain, VMDK_GRAIN);
	return true;
}

/* ---- */

void vmdk_stream_free(struct vmdk_stream *stream)
{
	if (!stream)
		return;
	g_free(stream->directory);
	g_free(stream->grain);
	g_free(stream->packed);
	g_free(stream);
}

struct vmdk_stream *vmdk_stream_new(const struct vmdk *vmdk)
{
	struct vmdk_stream *stream;
	uint32_t *directory = g_try_new0(uint32_t, vmdk->tables + 1);

	if (!directory)
		return NULL;
	stream = g_new0(struct vmdk_stream, 1);
	stream->directory = directory;
	stream->pos = vmdk->header.overhead * VMDK_SECTOR;
	stream->table_index = NONE;
	stream->grain_index = NONE;
	stream->grain = g_malloc(VMDK_GRAIN);
	stream->packed = g_malloc(compressBound(VMDK_GRAIN));
	return stream;
}
