/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dio.h - files that are open past the page cache (O_DIRECT)
 *
 * Offsets, lengths and addresses have to be multiples of what the host's disk wants. Who moves guests'
 * data sees to that himself; dio_read() and dio_write() are for those who need not care, and pay with
 * a copy where it is not so.
 */
#ifndef BLOCK_DIO_H
#define BLOCK_DIO_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"

/* Powers of two: of addresses; of offsets and lengths, 512 or 4096. Both are 1 with the page cache. */
struct dio_align {
	uint32_t mem, len;
};

/* What @fd wants. @path: in messages. */
bool dio_find(int fd, bool device, const char *path, struct dio_align *ret, GError **error);

static inline bool dio_fits(struct dio_align align, const void *buf, uint64_t off, uint64_t len)
{
	return !((uintptr_t)buf & (align.mem - 1)) && !((off | len) & (align.len - 1));
}

/* How many bytes there were, fewer than @len only at the end of the file; or -errno. */
ssize_t dio_read(int fd, struct dio_align align, uint64_t off, void *buf, size_t len);
/*
 * All of it, or -errno and any part of it. What shares a sector with it is read, and written as it was:
 * nobody else may be writing there. A file ends where it would without O_DIRECT.
 */
int dio_write(int fd, struct dio_align align, uint64_t off, const void *buf, size_t len);

#endif
