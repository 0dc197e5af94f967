/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * meta.h - the tables of an image, cached, and written after what they point to
 *
 * For formats that have no counts of references (vdi, vhd, vhdx, vmdk, qcow): an entry of a table
 * is all that makes a block part of the image. What meta_write() gets stays in memory until
 * meta_flush(), which first makes durable what was written to the file directly. So after a power
 * cut an entry that is there points to what was written, and a lost one is space that nobody uses.
 *
 * Sectors of 512 bytes are written whole; nothing else may lie in the same sector as metadata.
 *
 * Threads: meta_read() from several at once, while nobody else does anything.
 */
#ifndef BLOCK_FORMAT_META_H
#define BLOCK_FORMAT_META_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "block/file.h"

enum {
	META_PAGES = 128,
	META_PAGE = 4096,
};

struct meta_page;

struct meta {
	struct block_file *file;
	bool dirty;
	pthread_mutex_t lock; /* guards pages */
	struct meta_page *pages[META_PAGES];
};

void meta_init(struct meta *meta, struct block_file *file);
/* What was not flushed is lost. */
void meta_release(struct meta *meta);
/* 0 or -errno, all of them. What lies behind the end of the file reads as zero. */
int meta_read(struct meta *meta, uint64_t off, void *buf, size_t len);
/* By the next flush; read back at once. */
int meta_write(struct meta *meta, uint64_t off, const void *buf, size_t len);
/* Now, as data: for what nothing points to yet. */
int meta_write_now(struct meta *meta, uint64_t off, const void *buf, size_t len);
/* All that was written survives a power cut, the file's data before what points to it. */
int meta_flush(struct meta *meta);

#endif
