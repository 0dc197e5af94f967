/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pipeline.h - read an image piece by piece, on several threads, in order
 *
 * Threads read pieces, look for zeroes, and compress; the caller takes the pieces one after the
 * other. Nobody may change the source meanwhile.
 */
#ifndef IMG_PIPELINE_H
#define IMG_PIPELINE_H

#include "block/image.h"

enum {
	PIECE_LEN = 2 << 20, /* of data, at most */
};

struct piece {
	uint64_t off, len;
	bool zero;     /* reads as zero, and was not read */
	uint8_t *data; /* @len bytes */
	/* With compression: for each cluster of the target how many bytes of @packed, which has room
	 * for a cluster each, it became; 0: it did not become smaller; -1: it is all zero. */
	ssize_t *packed_len;
	uint8_t *packed;
};

struct pipeline_config {
	struct image *source;
	uint64_t size;  /* bytes of the source */
	uint64_t align; /* pieces begin at multiples of it; a power of two up to PIECE_LEN */
	unsigned threads;
	struct image *target;     /* its pack() compresses; NULL: nothing is compressed */
	const struct image *base; /* what it and those behind it have is left out; or NULL */
	bool salvage;             /* what cannot be read is zero */
};

struct pipeline;

struct pipeline *pipeline_new(const struct pipeline_config *config, GError **error);
/* NULL is fine. */
void pipeline_free(struct pipeline *pipeline);
DEFINE_AUTOPTR(pipeline, pipeline_free);

/*
 * The next piece, which is the caller's until the next call. *ret_piece is NULL behind the last one.
 * Pieces that nobody has are left out if there is a base, else zero.
 */
bool pipeline_next(struct pipeline *pipeline, const struct piece **ret_piece, GError **error);

#endif
