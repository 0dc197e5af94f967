/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sparse.h - what the formats have in common that keep an image in blocks of one size
 *
 * A format says where a block is, makes one, and notes it; reading, writing and mapping are here.
 *
 * Order: a new block is written to its end of the file at once, the entry that points to it goes
 * through meta.h. A block once allocated stays where it is; zeroes make a hole in it.
 *
 * Threads: as image.h says.
 */
#ifndef BLOCK_FORMAT_SPARSE_H
#define BLOCK_FORMAT_SPARSE_H

#include "block/format/meta.h"
#include "block/image.h"

struct sparse;

struct sparse_block {
	enum image_kind kind;
	bool compressed;
	uint32_t packed_len; /* of a compressed one, if the format says it */
	uint64_t host_off;   /* of DATA */
	uint64_t count; /* blocks for which this holds, in the file one behind the other; >= 1 */
};

struct sparse_ops {
	/* Where is block @index? What its table says need not be checked but for what it means. */
	bool (*lookup)(struct sparse *s, uint64_t index, struct sparse_block *ret, GError **error);
	/* All of a compressed block. NULL: there are none. */
	bool (*unpack)(struct sparse *s, const struct sparse_block *block, uint8_t *out,
		       GError **error);
	/* Before the first write. NULL: nothing to do. */
	bool (*prepare)(struct sparse *s, GError **error);
	/* Room for block @index, that reads as zero, at the end of the file. NULL: read-only. */
	bool (*allocate)(struct sparse *s, uint64_t index, uint64_t *ret_off, GError **error);
	/* The block is there from now on, or from the next flush on if the power is cut. */
	bool (*point)(struct sparse *s, uint64_t index, uint64_t host_off, GError **error);
	/* Bytes of an allocated block will be written. NULL: nothing to do. */
	bool (*touch)(struct sparse *s, uint64_t index, uint64_t host_off, GError **error);
};

struct sparse {
	struct image base;
	const struct sparse_ops *ops;
	struct block_file *file;
	struct meta meta;
	char *name;
	uint64_t block_size;
	uint64_t begin, end; /* of what of the file can be blocks */
	bool prepared;
};

/* Fills in what is not the format's: all but base.size, base.cluster_size, block_size, begin. */
bool sparse_init(struct sparse *s, const char *name, struct block_file *file,
		 const struct sparse_ops *ops, GError **error);
/* For an open() that fails. */
void sparse_release(struct sparse *s);
/* close() of a format whose struct begins with its struct sparse, and owns nothing else. */
void sparse_close(struct image *image);

bool sparse_read(struct image *image, uint64_t off, void *buf, size_t len, GError **error);
bool sparse_write(struct image *image, uint64_t off, const void *buf, size_t len, GError **error);
bool sparse_zero(struct image *image, uint64_t off, uint64_t len, bool unmap, GError **error);
bool sparse_discard(struct image *image, uint64_t off, uint64_t len, GError **error);
bool sparse_flush(struct image *image, GError **error);
bool sparse_map(struct image *image, uint64_t off, uint64_t len, struct image_extent *ret_extent,
		GError **error);

/* For formats: where a block is, and that it is within the file. */
bool sparse_lookup(struct sparse *s, uint64_t index, struct sparse_block *ret, GError **error);
/* Grow the file; @off is where the new bytes begin. */
bool sparse_grow(struct sparse *s, uint64_t len, uint64_t *ret_off, GError **error);
/* Metadata, with an error that names @what. */
bool sparse_meta_read(struct sparse *s, uint64_t off, void *buf, size_t len, const char *what,
		      GError **error);
bool sparse_meta_write(struct sparse *s, uint64_t off, const void *buf, size_t len,
		       const char *what, GError **error);
bool sparse_write_now(struct sparse *s, uint64_t off, const void *buf, size_t len, const char *what,
		      GError **error);
/* "image 'x' ...", as SOCLE_ERROR_CORRUPT. False. */
bool sparse_bad(const struct sparse *s, GError **error, const char *format, ...)
	G_GNUC_PRINTF(3, 4);

#endif
