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

/* Around a change: the image is dirty in between. */
bool qcow2_bitmap_begin(struct qcow2 *q, GError **error);
/* @ok: did the change succeed? What it says otherwise stays in @error. */
bool qcow2_bitmap_end(struct qcow2 *q, bool ok, GError **error);

#endif
