/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * compress.c - clusters of a qcow2 image, compressed
 *
 * zlib clusters are raw deflate with a window of 4 KiB, which is what other readers have room for;
 * zstd clusters are one frame. What lies behind, up to the end of the last sector, is anything.
 */
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "block/qcow2/qcow2-int.h"

enum {
	WINDOW_BITS = -12, /* negative: no header, no checksum */
	MEMORY_LEVEL = 9,
};

static ssize_t pack_zlib(const void *in, void *out, size_t len)
{
	z_stream z = { 0 };
	ssize_t packed = 0;

	if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, WINDOW_BITS, MEMORY_LEVEL,
			 Z_DEFAULT_STRATEGY) != Z_OK)
		return 0;
	z.next_in = (Bytef *)(uintptr_t)in;
	z.avail_in = (uInt)len;
	z.next_out = out;
	z.avail_out = (uInt)len - 1;
	if (deflate(&z, Z_FINISH) == Z_STREAM_END)
		packed = (ssize_t)z.total_out;
	deflateEnd(&z);
	return packed;
}

static ssize_t pack_zstd(const void *in, void *out, size_t len)
{
	const size_t packed = ZSTD_compress(out, len - 1, in, len, ZSTD_CLEVEL_DEFAULT);

	return ZSTD_isError(packed) ? 0 : (ssize_t)packed;
}

ssize_t qcow2_pack(struct image *image, const void *in, void *out)
{
	const struct qcow2 *q = qcow2_of(image);

	if (q->header->incompatible & QCOW2_DATA_FILE || qcow2_is_encrypted(q))
		return 0;
	return q->header->compression == QCOW2_ZSTD ? pack_zstd(in, out, image->cluster_size)
						    : pack_zlib(in, out, image->cluster_size);
}

static bool unpack_zlib(const void *in, size_t in_len, void *out, size_t out_len)
{
	z_stream z = { 0 };
	int ret;
	bool ok;

	if (inflateInit2(&z, WINDOW_BITS) != Z_OK)
		return false;
	z.next_in = (Bytef *)(uintptr_t)in;
	z.avail_in = (uInt)in_len;
	z.next_out = out;
	z.avail_out = (uInt)out_len;
	ret = inflate(&z, Z_FINISH);
	/* There may be more than a cluster in it: that is nobody's business. */
	ok = !z.avail_out && (ret == Z_STREAM_END || ret == Z_BUF_ERROR || ret == Z_OK);
	inflateEnd(&z);
	return ok;
}

static bool unpack_zstd(const void *in, size_t in_len, void *out, size_t out_len)
{
	ZSTD_DCtx *context = ZSTD_createDCtx();
	ZSTD_inBuffer from = { in, in_len, 0 };
	ZSTD_outBuffer to = { out, out_len, 0 };

	while (context && to.pos < to.size) {
		const size_t in_before = from.pos, out_before = to.pos;
		const size_t ret = ZSTD_decompressStream(context, &to, &from);

		if (ZSTD_isError(ret) || !ret || (from.pos == in_before && to.pos == out_before))
			break;
	}
	ZSTD_freeDCtx(context);
	return to.pos == to.size;
}

bool qcow2_unpack(enum qcow2_compression type, const void *in, size_t in_len, void *out,
		  size_t out_len)
{
	return type == QCOW2_ZSTD ? unpack_zstd(in, in_len, out, out_len)
				  : unpack_zlib(in, in_len, out, out_len);
}
