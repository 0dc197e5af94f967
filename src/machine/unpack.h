/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * unpack.h - the compressions that Linux kernels come in, as a stream from a file
 *
 * The bytes are hostile: memory and output are bounded, damage is an error. Threads: main loop.
 */
#ifndef MACHINE_UNPACK_H
#define MACHINE_UNPACK_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

enum unpack_kind {
	UNPACK_NONE, /* not compressed, or nothing that is known here (LZO) */
	UNPACK_GZIP,
	UNPACK_XZ,
	UNPACK_LZMA,
	UNPACK_LZ4, /* legacy frames */
	UNPACK_ZSTD,
	UNPACK_BZIP2,
	UNPACK_KIND_COUNT,
};

struct boot_file;
struct unpack;

enum {
	UNPACK_MAGIC_SIZE = 6
};

/* By the first UNPACK_MAGIC_SIZE bytes, or as many as there are. */
enum unpack_kind unpack_detect(const uint8_t *head, size_t len);
const char *unpack_name(enum unpack_kind kind);

/**
 * unpack_new() - start to unpack a part of a file
 * @off, @len: where the compressed bytes are; checked when they are read
 * @limit:     more than that never comes out
 */
struct unpack *unpack_new(enum unpack_kind kind, const struct boot_file *file, uint64_t off,
			  uint64_t len, uint64_t limit, GError **error);
void unpack_free(struct unpack *unpack);
DEFINE_AUTOPTR(unpack, unpack_free);

/**
 * unpack_read() - the next @len bytes
 * @ret_len: fewer than @len only at the end, which may be the limit
 */
bool unpack_read(struct unpack *unpack, void *buf, size_t len, size_t *ret_len, GError **error);

/* How many bytes have come out. */
uint64_t unpack_pos(const struct unpack *unpack);

/* Go on to offset @pos of the output, which has not been read yet. */
bool unpack_seek(struct unpack *unpack, uint64_t pos, GError **error);

/* Read and check what is left. What has come out then must be all, and not hit the limit before
 * the end: @exact bytes unless that is 0. */
bool unpack_finish(struct unpack *unpack, uint64_t exact, GError **error);

#endif
