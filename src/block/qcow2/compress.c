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

/* What a thread packs with; kept, as new memory costs more than many a cluster. */
struct qcow2_packer {
	struct qcow2_packer *next;
	z_stream z;
	ZSTD_CCtx *zstd; /* NULL: this one is for zlib */
};

static void packer_free(struct qcow2_packer *packer)
{
	if (packer->zstd)
		ZSTD_freeCCtx(packer->zstd);
	else
		(void)deflateEnd(&packer->z);
	g_free(packer);
}

static struct qcow2_packer *packer_new(enum qcow2_compression type)
{
	struct qcow2_packer *packer = g_new0(struct qcow2_packer, 1);
	bool ok;

	if (type == QCOW2_ZSTD) {
		packer->zstd = ZSTD_createCCtx();
		ok = packer->zstd;
	} else {
		ok = deflateInit2(&packer->z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, WINDOW_BITS,
				  MEMORY_LEVEL, Z_DEFAULT_STRATEGY) == Z_OK;
	}
	if (ok)
		return packer;
	g_free(packer);
	return NULL;
}

static struct qcow2_packer *take_packer(struct qcow2 *q)
{
	struct qcow2_packer *packer;

	pthread_mutex_lock(&q->packers_lock);
	packer = q->packers;
	if (packer)
		q->packers = packer->next;
	pthread_mutex_unlock(&q->packers_lock);
	return packer ? packer : packer_new(q->header->compression);
}

static void return_packer(struct qcow2 *q, struct qcow2_packer *packer)
{
	pthread_mutex_lock(&q->packers_lock);
	packer->next = q->packers;
	q->packers = packer;
	pthread_mutex_unlock(&q->packers_lock);
}

void qcow2_free_packers(struct qcow2 *q)
{
	while (q->packers) {
		struct qcow2_packer *packer = q->packers;

		q->packers = packer->next;
		packer_free(packer);
	}
}

static ssize_t pack_zlib(z_stream *z, const void *in, void *out, size_t len)
{
	if (qcow2_is_noise(in, len) || deflateReset(z) != Z_OK)
		return 0;
	z->next_in = (Bytef *)(uintptr_t)in;
	z->avail_in = (uInt)len;
	z->next_out = out;
	z->avail_out = (uInt)len - 1;
	return deflate(z, Z_FINISH) == Z_STREAM_END ? (ssize_t)z->total_out : 0;
}

static ssize_t pack_zstd(ZSTD_CCtx *zstd, const void *in, void *out, size_t len)
{
	const size_t packed = ZSTD_compressCCtx(zstd, out, len - 1, in, len, ZSTD_CLEVEL_DEFAULT);

	return ZSTD_isError(packed) ? 0 : (ssize_t)packed;
}

ssize_t qcow2_pack(struct image *image, const void *in, void *out)
{
	struct qcow2 *q = qcow2_of(image);
	struct qcow2_packer *packer;
	ssize_t packed;

	if (q->header->incompatible & QCOW2_DATA_FILE || qcow2_is_encrypted(q))
		return 0;
	packer = take_packer(q);
	if (!packer)
		return 0;
	packed = packer->zstd ? pack_zstd(packer->zstd, in, out, image->cluster_size)
			      : pack_zlib(&packer->z, in, out, image->cluster_size);
	return_packer(q, packer);
	return packed;
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
