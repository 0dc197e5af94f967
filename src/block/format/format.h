/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * format.h - the formats beside raw and qcow2, and small things that several of them need
 */
#ifndef BLOCK_FORMAT_FORMAT_H
#define BLOCK_FORMAT_FORMAT_H

#include "block/image.h"

extern const struct image_ops vdi_image_ops;
extern const struct image_ops vhd_image_ops;
extern const struct image_ops vhdx_image_ops;
extern const struct image_ops vmdk_image_ops;
extern const struct image_ops qcow1_image_ops;
extern const struct image_ops luks_image_ops;

struct luks_header;
/* NULL: it is of another format. */
const struct luks_header *luks_image_header(struct image *image);

/*
 * Options of create(): false with an error if the word is no such value; *ret stays as it is if the
 * option is not given. @choices ends with NULL, *ret is an index into it.
 */
bool format_option_choice(const struct image_create *what, const char *name,
			  const char *const *choices, unsigned *ret, GError **error);
bool format_option_bool(const struct image_create *what, const char *name, bool *ret,
			GError **error);
/* Bytes, with or without one of the letters kKMG. */
bool format_option_size(const struct image_create *what, const char *name, uint64_t *ret,
			GError **error);

/* An image that says it has a backing file cannot be made in this format. */
bool format_no_backing(const struct image_create *what, const char *format, GError **error);
/* A piece of a new image, with an error that names it. */
bool format_put(struct block_file *file, const struct image_create *what, uint64_t off,
		const void *buf, size_t len, GError **error);
bool format_resize(struct block_file *file, const struct image_create *what, uint64_t size,
		   GError **error);

/* CRC-32C (Castagnoli) of bytes among which it stands itself, at @at, and counts as zero. */
uint32_t format_crc32c(const void *buf, size_t len, size_t at);
/* 16 random bytes that are a UUID of version 4. */
void format_uuid(uint8_t *ret);

/* The characters, without a NUL behind them: a magic word. */
void format_text(uint8_t *ret, const char *text);

/*
 * All @out_len bytes, or the first of them and zeroes, from a stream of @window_bits (zlib's: below
 * 0 for raw deflate). False: it is none. It never becomes more than @out_len.
 */
bool format_inflate(const uint8_t *in, size_t in_len, uint8_t *out, size_t out_len,
		    int window_bits);

#endif
