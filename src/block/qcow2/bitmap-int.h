/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bitmap-int.h - what changes dirty bitmaps of a qcow2 image: the list, and one entry of it
 *
 * All functions are called with the image's lock held. The head of bitmap-change.c says in what
 * order things are written.
 */
#ifndef BLOCK_QCOW2_BITMAP_INT_H
#define BLOCK_QCOW2_BITMAP_INT_H

#include "block/qcow2/qcow2-int.h"

#define QCOW2_BITMAP_OFFSET UINT64_C(0x00fffffffffffe00)

enum {
	QCOW2_BITMAP_IN_USE = 1 << 0,
	QCOW2_BITMAP_AUTO = 1 << 1,
	QCOW2_BITMAP_MAX_TABLE = 1 << 27, /* entries, as QEMU has it */
};

/* An entry of the list, in the file: bytes from its begin to the fields. */
enum {
	ENTRY_TABLE_OFF = 0,
	ENTRY_TABLE_SIZE = 8,
	ENTRY_FLAGS = 12,
	ENTRY_TYPE = 16,
	ENTRY_GRANULARITY = 17,
	ENTRY_NAME_LEN = 18,
	ENTRY_EXTRA_LEN = 20,
	ENTRY_LEN = 24, /* without extra data and name */
};

struct qcow2_bitmap_entry {
	uint64_t table_off;
	uint32_t table_size, flags;
	uint8_t type, granularity;
	char *name;
	GBytes *extra;
};

/* Array of struct qcow2_bitmap_entry, the caller's. */
GPtrArray *qcow2_bitmap_load(struct qcow2 *q, GError **error);
/* The header gets this list; the clusters of the old one are free then. */
bool qcow2_bitmap_store(struct qcow2 *q, const GPtrArray *list, GError **error);
bool qcow2_bitmap_find(const struct qcow2 *q, const GPtrArray *list, const char *name,
		       unsigned *ret, GError **error);
bool qcow2_bitmap_free_table(struct qcow2 *q, uint64_t table_off, uint32_t table_size,
			     GError **error);

/* ---- bitmap-bits.c ---- */

struct qcow2_bits {
	uint64_t image_size; /* bytes */
	unsigned granularity;
	uint64_t count;
	uint8_t *bytes; /* one more than needed; behind the last bit of the last byte all is 0 */
};

/* False: it is in use, is not well, or too large. */
bool qcow2_bits_read(struct qcow2 *q, const struct qcow2_bitmap_entry *entry,
		     struct qcow2_bits *ret, GError **error);
void qcow2_bits_release(struct qcow2_bits *bits);
uint64_t qcow2_bits_len(const struct qcow2_bits *bits);
/* Bytes of memory for an image of @size bytes. */
uint64_t qcow2_bits_needed(uint64_t size, unsigned granularity);
/* Those of [off, off + len) of the image; what is behind its end is left out. */
void qcow2_bits_set(struct qcow2_bits *bits, uint64_t off, uint64_t len);
/* The image has another size: new bits are clear. */
void qcow2_bits_resize(struct qcow2_bits *bits, uint64_t size);
/* @entry of @list has these bits from now on, the header that list, and what was there is free. */
bool qcow2_bits_replace(struct qcow2 *q, const GPtrArray *list, struct qcow2_bitmap_entry *entry,
			const struct qcow2_bits *bits, GError **error);

/* Around a change: the image is dirty in between. */
bool qcow2_bitmap_begin(struct qcow2 *q, GError **error);
/* @ok: did the change succeed? What it says otherwise stays in @error. */
bool qcow2_bitmap_end(struct qcow2 *q, bool ok, GError **error);

#endif
