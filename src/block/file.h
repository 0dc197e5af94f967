/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * file.h - a file that a format reads and writes in place, call by call
 *
 * The seam below the synchronous half of formats (docs/design/0007-qcow2.md): a file of the host,
 * bytes in memory, or what a test puts in between to record or to fail.
 *
 * Threads: one at a time.
 */
#ifndef BLOCK_FILE_H
#define BLOCK_FILE_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"

struct block_file;

struct block_file_ops {
	/* How many bytes there were, fewer than @len only at the end of the file; or -errno. */
	ssize_t (*read)(struct block_file *file, uint64_t off, void *buf, size_t len);
	/* Bytes, or -errno. */
	int64_t (*size)(struct block_file *file);
	void (*close)(struct block_file *file);
};

struct block_file {
	const struct block_file_ops *ops;
};

/* A file of the host, to be read. Nothing keeps others from writing to it meanwhile. */
struct block_file *block_file_open(const char *path, GError **error);
/* Bytes in memory, which stay the caller's and must not go before the file. */
struct block_file *block_file_memory(const uint8_t *bytes, size_t len);
/* NULL is fine. */
void block_file_close(struct block_file *file);
DEFINE_AUTOPTR(block_file, block_file_close);

int64_t block_file_size(struct block_file *file);
/* All of it: what lies behind the end reads as zero. 0 or -errno. */
int block_file_read(struct block_file *file, uint64_t off, void *buf, size_t len);

#endif
