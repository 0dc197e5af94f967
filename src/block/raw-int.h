/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * raw-int.h - a raw image: what opening it (raw-open.c) finds out for its requests (raw.c)
 */
#ifndef BLOCK_RAW_INT_H
#define BLOCK_RAW_INT_H

#include <stdatomic.h>

#include "block/block-int.h"
#include "block/dio.h"

enum {
	ZERO_LEN = 64 << 10, /* of the buffer of zeroes */
	ZERO_IOVS = 16,      /* that often in one write */
	BOUNCE_LEN = 128 << 10,
	BOUNCE_COUNT = 8, /* in a queue */
	BOUNCE_ALIGN = 4096,
};

struct raw {
	struct block base;
	int fd;
	bool device;            /* a block device, not a regular file */
	struct dio_align align; /* with O_DIRECT */
	/* What the file system turned out not to have. */
	atomic_bool no_punch, no_zero_range;
	/* -errno of the first flush that failed, 0: none has. */
	atomic_int flush_error;
	void *zeroes;
	struct iovec zero_iov[ZERO_IOVS];
};

struct raw_queue {
	struct block_queue base;
	/* Direct only: buffers for guests' buffers that the host's disk would not take. */
	char *bounce;
	char *free[BOUNCE_COUNT];
	unsigned free_count;
	struct block_request *waiting, **waiting_end;
};

struct block *raw_open(const struct block_open *options, GError **error);
/* The file that is open as @fd, once more; the locks pass over. */
struct block *raw_open_again(const struct block_open *options, int fd, GError **error);
void raw_close(struct block *block);
bool raw_resize(struct block *block, uint64_t size, GError **error);
uint64_t raw_allocated(struct block *block);

#endif
