/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * unpack.c - the compressions that Linux kernels come in, as a stream from a file
 *
 * All but LZ4 are streams of their libraries: input goes through a buffer, output is written where
 * the caller wants it (guest memory, mostly) without a copy. A step that neither takes nor gives
 * bytes while there are some to take and room to give is damage, so hostile data cannot loop.
 *
 * LZ4 legacy frames (lz4_Frame_format.md, "Legacy frame") are a magic number and then blocks: le32
 * length, that many bytes, which unpack to 8 MiB, the last one to less. There is no end mark: a
 * kernel has its unpacked size behind the blocks, a file just ends. Whole blocks are unpacked where
 * the caller wants them, the others in a buffer of their own.
 *
 * Bounds: output by the limit; memory by liblzma's own limit, by libzstd's (a window of 128 MiB),
 * bzip2 and zlib need less than 4 MiB.
 */
#define ZLIB_CONST
#include "machine/unpack.h"

#include <bzlib.h>
#include <lz4.h>
#include <lzma.h>
#include <sys/mman.h>
#include <zlib.h>
#include <zstd.h>

#include "base/sys.h"
#include "machine/boot-int.h"

enum {
	INPUT_SIZE = 256 << 10,
	SCRATCH_SIZE = 64 << 10,
	STEP_MAX = 1 << 30, /* some libraries count in unsigned int */
	LZ4_BLOCK = 8 << 20,
	LZ4_MAGIC = 0x184c2102,
};

#define LZMA_MEMORY (256ull << 20)

enum step {
	STEP_MORE,
	STEP_END,
	STEP_DAMAGED,
	STEP_NO_MEMORY
};

struct unpack {
	enum unpack_kind kind;
	const struct boot_file *file;
	uint64_t src_pos, src_end; /* not read yet */
	uint64_t pos, limit;
	bool ended;

	/* Streams. */
	uint8_t *input;
	const uint8_t *in;
	size_t in_len;
	uint8_t *out;
	size_t out_len;
	uint8_t *scratch;
	union {
		z_stream zlib;
		lzma_stream lzma;
		bz_stream bz2;
	};
	ZSTD_DStream *zstd;
	bool started;

	/* LZ4: one mapping for a packed and an unpacked block, and what of the latter is left. */
	uint8_t *blocks;
	size_t block_pos, block_len;
};

static const struct {
	const char *name;
	uint8_t magic[UNPACK_MAGIC_SIZE];
	size_t magic_len;
} formats[UNPACK_KIND_COUNT] = {
	[UNPACK_NONE] = { "unknown", { 0 }, 0 },
	[UNPACK_GZIP] = { "gzip", { 0x1f, 0x8b, 0x08 }, 3 },
	[UNPACK_XZ] = { "xz", { 0xfd, '7', 'z', 'X', 'Z', 0x00 }, 6 },
	[UNPACK_LZMA] = { "lzma", { 0x5d, 0x00, 0x00 }, 3 },
	[UNPACK_LZ4] = { "lz4", { 0x02, 0x21, 0x4c, 0x18 }, 4 },
	[UNPACK_ZSTD] = { "zstd", { 0x28, 0xb5, 0x2f, 0xfd }, 4 },
	[UNPACK_BZIP2] = { "bzip2", { 'B', 'Z', 'h' }, 3 },
};

enum unpack_kind unpack_detect(const uint8_t *head, size_t len)
{
	for (unsigned kind = UNPACK_NONE + 1; kind < UNPACK_KIND_COUNT; kind++) {
		if (len >= formats[kind].magic_len &&
		    memcmp(head, formats[kind].magic, formats[kind].magic_len) == 0)
			return (enum unpack_kind)kind;
	}
	return UNPACK_NONE;
}

const char *unpack_name(enum unpack_kind kind)
{
	return formats[kind].name;
}

static bool damaged(const struct unpack *unpack, GError **error)
{
	return boot_refuse(unpack->file, error, SOCLE_ERROR_CORRUPT,
			   "is damaged: its %s data cannot be unpacked; take a fresh copy",
			   formats[unpack->kind].name);
}

static bool ends_early(const struct unpack *unpack, GError **error)
{
	return boot_refuse(unpack->file, error, SOCLE_ERROR_CORRUPT,
			   "is damaged: its %s data ends too early; take a fresh copy",
			   formats[unpack->kind].name);
}

/* ---- the libraries ----------------------------------------------------------------------- */

static enum step step_zlib(struct unpack *unpack)
{
	z_stream *z = &unpack->zlib;
	int r;

	z->next_in = unpack->in;
	z->avail_in = (unsigned)unpack->in_len;
	z->next_out = unpack->out;
	z->avail_out = (unsigned)unpack->out_len;
	r = inflate(z, Z_NO_FLUSH);
	unpack->in = z->next_in;
	unpack->in_len = z->avail_in;
	unpack->out = z->next_out;
	unpack->out_len = z->avail_out;
	switch (r) {
	case Z_OK:
	case Z_BUF_ERROR:
		return STEP_MORE;
	case Z_STREAM_END:
		return STEP_END;
	case Z_MEM_ERROR:
		return STEP_NO_MEMORY;
	default:
		return STEP_DAMAGED;
	}
}

static enum step step_lzma(struct unpack *unpack)
{
	lzma_stream *s = &unpack->lzma;
	lzma_ret r;

	s->next_in = unpack->in;
	s->avail_in = unpack->in_len;
	s->next_out = unpack->out;
	s->avail_out = unpack->out_len;
	r = lzma_code(s, LZMA_RUN);
	unpack->in = s->next_in;
	unpack->in_len = s->avail_in;
	unpack->out = s->next_out;
	unpack->out_len = s->avail_out;
	if (r == LZMA_OK || r == LZMA_BUF_ERROR)
		return STEP_MORE;
	if (r == LZMA_STREAM_END)
		return STEP_END;
	return r == LZMA_MEM_ERROR || r == LZMA_MEMLIMIT_ERROR ? STEP_NO_MEMORY : STEP_DAMAGED;
}

static enum step step_bz2(struct unpack *unpack)
{
	bz_stream *s = &unpack->bz2;
	int r;

	/* The library does not write to its input, it only says so. */
	s->next_in = (char *)(uintptr_t)unpack->in;
	s->avail_in = (unsigned)unpack->in_len;
	s->next_out = (char *)unpack->out;
	s->avail_out = (unsigned)unpack->out_len;
	r = BZ2_bzDecompress(s);
	unpack->in += unpack->in_len - s->avail_in;
	unpack->in_len = s->avail_in;
	unpack->out += unpack->out_len - s->avail_out;
	unpack->out_len = s->avail_out;
	if (r == BZ_OK)
		return STEP_MORE;
	if (r == BZ_STREAM_END)
		return STEP_END;
	return r == BZ_MEM_ERROR ? STEP_NO_MEMORY : STEP_DAMAGED;
}

static enum step step_zstd(struct unpack *unpack)
{
	ZSTD_inBuffer in = { unpack->in, unpack->in_len, 0 };
	ZSTD_outBuffer out = { unpack->out, unpack->out_len, 0 };
	size_t r = ZSTD_decompressStream(unpack->zstd, &out, &in);

	unpack->in += in.pos;
	unpack->in_len -= in.pos;
	unpack->out += out.pos;
	unpack->out_len -= out.pos;
	if (ZSTD_isError(r))
		return STEP_DAMAGED;
	return r == 0 ? STEP_END : STEP_MORE;
}

static bool start(struct unpack *unpack)
{
	switch (unpack->kind) {
	case UNPACK_GZIP:
		return inflateInit2(&unpack->zlib, 15 + 16) == Z_OK; /* + 16: with gzip's header */
	case UNPACK_XZ:
		return lzma_stream_decoder(&unpack->lzma, LZMA_MEMORY, 0) == LZMA_OK;
	case UNPACK_LZMA:
		return lzma_alone_decoder(&unpack->lzma, LZMA_MEMORY) == LZMA_OK;
	case UNPACK_BZIP2:
		return BZ2_bzDecompressInit(&unpack->bz2, 0, 0) == BZ_OK;
	case UNPACK_ZSTD:
		unpack->zstd = ZSTD_createDStream();
		return unpack->zstd != NULL;
	case UNPACK_LZ4:
	case UNPACK_NONE:
	case UNPACK_KIND_COUNT:
		break;
	}
	return true;
}

static enum step step(struct unpack *unpack)
{
	switch (unpack->kind) {
	case UNPACK_GZIP:
		return step_zlib(unpack);
	case UNPACK_XZ:
	case UNPACK_LZMA:
		return step_lzma(unpack);
	case UNPACK_BZIP2:
		return step_bz2(unpack);
	case UNPACK_ZSTD:
		return step_zstd(unpack);
	case UNPACK_LZ4:
	case UNPACK_NONE:
	case UNPACK_KIND_COUNT:
		break;
	}
	return STEP_DAMAGED;
}

static void stop(struct unpack *unpack)
{
	if (!unpack->started)
		return;
	switch (unpack->kind) {
	case UNPACK_GZIP:
		(void)inflateEnd(&unpack->zlib);
		break;
	case UNPACK_XZ:
	case UNPACK_LZMA:
		lzma_end(&unpack->lzma);
		break;
	case UNPACK_BZIP2:
		(void)BZ2_bzDecompressEnd(&unpack->bz2);
		break;
	case UNPACK_ZSTD:
		(void)ZSTD_freeDStream(unpack->zstd);
		break;
	case UNPACK_LZ4:
	case UNPACK_NONE:
	case UNPACK_KIND_COUNT:
		break;
	}
}

static bool read_source(struct unpack *unpack, void *buf, size_t len, GError **error)
{
	if (!boot_file_read(unpack->file, unpack->src_pos, buf, len, error))
		return false;
	unpack->src_pos += len;
	return true;
}

static bool read_stream(struct unpack *unpack, uint8_t *buf, size_t len, size_t *ret_len,
			GError **error)
{
	size_t done = 0;

	while (done < len && !unpack->ended) {
		const size_t want = MIN(len - done, STEP_MAX);
		size_t had;
		enum step result;

		if (unpack->in_len == 0 && unpack->src_pos < unpack->src_end) {
			unpack->in = unpack->input;
			unpack->in_len = MIN(INPUT_SIZE, unpack->src_end - unpack->src_pos);
			if (!read_source(unpack, unpack->input, unpack->in_len, error))
				return false;
		}
		had = unpack->in_len;
		unpack->out = buf + done;
		unpack->out_len = want;
		result = step(unpack);
		done += want - unpack->out_len;
		if (result == STEP_END)
			unpack->ended = true;
		else if (result == STEP_NO_MEMORY)
			return boot_refuse(unpack->file, error, SOCLE_ERROR_LIMIT,
					   "needs too much memory to unpack its %s data: "
					   "compress it with a smaller dictionary",
					   formats[unpack->kind].name);
		else if (result == STEP_DAMAGED)
			return damaged(unpack, error);
		else if (had == unpack->in_len && want == unpack->out_len)
			return had ? damaged(unpack, error) : ends_early(unpack, error);
	}
	*ret_len = done;
	return true;
}

/* ---- LZ4 --------------------------------------------------------------------------------- */

/* Read the next block into the first half of the buffers; *ret_len 0: there is none. */
static bool lz4_next(struct unpack *unpack, size_t *ret_len, GError **error)
{
	const size_t bound = LZ4_COMPRESSBOUND(LZ4_BLOCK);
	uint8_t head[4];
	uint32_t len;

	do {
		/* A file that is cut off between blocks has all of the blocks before. */
		if (unpack->src_pos == unpack->src_end) {
			*ret_len = 0;
			return true;
		}
		if (unpack->src_end - unpack->src_pos < sizeof(head))
			return ends_early(unpack, error);
		if (!read_source(unpack, head, sizeof(head), error))
			return false;
		len = get_le32(head);
	} while (len == LZ4_MAGIC); /* at the start, and where frames were joined */

	if (len == 0 || len > bound)
		return damaged(unpack, error);
	if (len > unpack->src_end - unpack->src_pos)
		return ends_early(unpack, error);
	if (!read_source(unpack, unpack->blocks, len, error))
		return false;
	*ret_len = len;
	return true;
}

static bool read_lz4(struct unpack *unpack, uint8_t *buf, size_t len, size_t *ret_len,
		     GError **error)
{
	uint8_t *const second = unpack->blocks + LZ4_COMPRESSBOUND(LZ4_BLOCK);
	size_t done = 0;

	while (done < len && !unpack->ended) {
		const bool direct = len - done >= LZ4_BLOCK;
		size_t packed = 0, n;
		int got;

		if (unpack->block_len) {
			n = MIN(unpack->block_len, len - done);
			memcpy(buf + done, second + unpack->block_pos, n);
			unpack->block_pos += n;
			unpack->block_len -= n;
			done += n;
			continue;
		}
		if (!lz4_next(unpack, &packed, error))
			return false;
		if (packed == 0) {
			unpack->ended = true;
			break;
		}
		got = LZ4_decompress_safe((const char *)unpack->blocks,
					  direct ? (char *)buf + done : (char *)second, (int)packed,
					  LZ4_BLOCK);
		if (got <= 0)
			return damaged(unpack, error);
		if (direct) {
			done += (size_t)got;
		} else {
			unpack->block_pos = 0;
			unpack->block_len = (size_t)got;
		}
	}
	*ret_len = done;
	return true;
}

/* ---- for the callers --------------------------------------------------------------------- */

struct unpack *unpack_new(enum unpack_kind kind, const struct boot_file *file, uint64_t off,
			  uint64_t len, uint64_t limit, GError **error)
{
	autoptr(unpack) unpack = g_new0(struct unpack, 1);
	void *blocks;
	int r;

	unpack->kind = kind;
	unpack->file = file;
	unpack->src_pos = off;
	unpack->src_end = off + len;
	unpack->limit = limit;
	unpack->scratch = g_malloc(SCRATCH_SIZE);
	if (kind == UNPACK_LZ4) {
		r = sys_mmap(&blocks, LZ4_COMPRESSBOUND(LZ4_BLOCK) + LZ4_BLOCK,
			     PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (r < 0) {
			(void)error_sys(error, r, "no memory to unpack %s '%s'", file->what,
					file->name);
			return NULL;
		}
		unpack->blocks = (uint8_t *)blocks;
		/* They go soon, and half of the time would be spent on their page faults. */
		(void)sys_madvise(blocks, LZ4_COMPRESSBOUND(LZ4_BLOCK) + LZ4_BLOCK, MADV_HUGEPAGE);
	} else {
		unpack->input = g_malloc(INPUT_SIZE);
	}
	if (!start(unpack)) {
		(void)boot_refuse(file, error, SOCLE_ERROR_LIMIT,
				  "cannot be unpacked: not enough memory for its %s data",
				  formats[kind].name);
		return NULL;
	}
	unpack->started = true;
	return g_steal_pointer(&unpack);
}

void unpack_free(struct unpack *unpack)
{
	if (!unpack)
		return;
	stop(unpack);
	if (unpack->blocks)
		sys_munmap(unpack->blocks, LZ4_COMPRESSBOUND(LZ4_BLOCK) + LZ4_BLOCK);
	g_free(unpack->input);
	g_free(unpack->scratch);
	g_free(unpack);
}

uint64_t unpack_pos(const struct unpack *unpack)
{
	return unpack->pos;
}

bool unpack_read(struct unpack *unpack, void *buf, size_t len, size_t *ret_len, GError **error)
{
	const size_t want = MIN(len, unpack->limit - unpack->pos);
	size_t got = 0;

	if (unpack->kind == UNPACK_LZ4 ? !read_lz4(unpack, buf, want, &got, error)
				       : !read_stream(unpack, buf, want, &got, error))
		return false;
	unpack->pos += got;
	*ret_len = got;
	return true;
}

bool unpack_seek(struct unpack *unpack, uint64_t pos, GError **error)
{
	size_t got;

	while (unpack->pos < pos) {
		if (!unpack_read(unpack, unpack->scratch, MIN(SCRATCH_SIZE, pos - unpack->pos),
				 &got, error))
			return false;
		if (got == 0)
			return ends_early(unpack, error);
	}
	return true;
}

bool unpack_finish(struct unpack *unpack, uint64_t exact, GError **error)
{
	const uint64_t limit = unpack->limit;
	size_t got;

	do {
		if (!unpack_read(unpack, unpack->scratch, SCRATCH_SIZE, &got, error))
			return false;
	} while (got);

	/* Where the end is marked, it must come now; an LZ4 kernel ends where its size says. */
	if (!unpack->ended && (unpack->kind != UNPACK_LZ4 || exact == 0)) {
		unpack->limit++;
		if (!unpack_read(unpack, unpack->scratch, 1, &got, error))
			return false;
		unpack->limit--;
		if (got)
			return boot_refuse(unpack->file, error, SOCLE_ERROR_LIMIT,
					   "unpacks to more than the %" PRIu64
					   " bytes that are allowed: it is damaged or no kernel",
					   limit);
	}
	if (exact && unpack->pos != exact)
		return boot_refuse(unpack->file, error, SOCLE_ERROR_CORRUPT,
				   "is damaged: its %s data unpacks to %" PRIu64
				   " bytes instead of %" PRIu64 "; take a fresh copy",
				   formats[unpack->kind].name, unpack->pos, exact);
	return true;
}
