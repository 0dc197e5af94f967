/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-blk.h - a disk (virtio 1.2, 5.2)
 *
 * Threads: [main] = main loop; the device works on its loop (virtio.h).
 */
#ifndef DEV_VIRTIO_BLK_H
#define DEV_VIRTIO_BLK_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/io-loop.h"
#include "block/block.h"
#include "dev/clock.h"
#include "virtio/virtio.h"

/* What becomes of a request that failed on the host. */
enum disk_error_policy {
	DISK_ERROR_REPORT, /* the guest gets an error */
	DISK_ERROR_STOP,   /* the machine stops; the request is tried again when it goes on */
	DISK_ERROR_IGNORE, /* the guest is told that it went well */
	DISK_ERROR_ENOSPC, /* STOP if the disk is full, else REPORT; for writes */
};

struct disk_error {
	bool write;
	bool nospace;
	int err;                       /* -errno */
	enum disk_error_policy action; /* never ENOSPC */
};

/* Limits as in QEMU's BlockIOThrottle; 0: none. */
enum disk_limit_kind {
	DISK_LIMIT_BPS,
	DISK_LIMIT_BPS_RD,
	DISK_LIMIT_BPS_WR,
	DISK_LIMIT_IOPS,
	DISK_LIMIT_IOPS_RD,
	DISK_LIMIT_IOPS_WR,
	DISK_LIMIT_COUNT,
};

struct disk_limits {
	struct {
		uint64_t avg, max, max_length; /* per second; burst; its length in seconds */
	} limit[DISK_LIMIT_COUNT];
	uint64_t iops_size; /* a larger request counts as several of this many bytes; 0: as one */
};

/* Counters since the start, by enum block_op. */
struct disk_stats {
	uint64_t ops[BLOCK_OP_COUNT], failed[BLOCK_OP_COUNT], invalid[BLOCK_OP_COUNT];
	uint64_t bytes[BLOCK_OP_COUNT], time_ns[BLOCK_OP_COUNT];
	uint64_t highest_off;   /* of a write's end */
	uint64_t idle_since_ns; /* the loop's clock at the end of the last request; 0: none yet */
};

struct virtio_blk_config {
	struct block *block; /* borrowed */
	struct io_loop *loop;
	struct dev_clock *clock;
	const char *serial;  /* at most 20 bytes; NULL: none */
	unsigned queues;     /* 1 to VIRTIO_MAX_QUEUES */
	unsigned queue_size; /* 0: the usual 256 */
	bool read_only;
	bool no_write_cache; /* the guest sees write-through; each write is made durable */
	bool no_discard, packed_off;
	uint32_t logical_block; /* 0: as the image wants it; else 512 or 4096 */
	enum disk_error_policy read_error, write_error;
	struct disk_limits limits;
	/* [main] A request failed. For STOP: the machine must be paused now. May be NULL. */
	void (*error)(void *opaque, const struct disk_error *error);
	void *opaque;
};

/* Strings are copied. */
struct virtio_device *virtio_blk_new(const struct virtio_blk_config *config, GError **error);

/* All [main]. */
void virtio_blk_limits(struct virtio_device *dev, struct disk_limits *ret_limits);
void virtio_blk_set_limits(struct virtio_device *dev, const struct disk_limits *limits);
void virtio_blk_stats(struct virtio_device *dev, struct disk_stats *ret_stats);
/* The image has another size now: tell the guest. */
void virtio_blk_resized(struct virtio_device *dev);
/* The image will have @size bytes, fewer than now: the driver may address no more from now on, and is
 * told. @shrunk is called once, [main], when no request of before is under way any more: it cuts the
 * image, and what the size is then, the driver may address. False: it is shrinking already. */
bool virtio_blk_shrink(struct virtio_device *dev, uint64_t size, void (*shrunk)(void *opaque),
		       void *opaque);
/* Go on with @block, which has room for the same requests: those that come wait until none of before
 * is under way. @swapped is called once, [main]: the old block is of no use to the disk any more; or
 * !@done, the disk has gone before that. False with @error: it is at it already, or @block is not such
 * a one. */
bool virtio_blk_swap(struct virtio_device *dev, struct block *block,
		     void (*swapped)(void *opaque, bool done), void *opaque, GError **error);
/* The machine goes on: requests that were held by DISK_ERROR_STOP are tried again. */
void virtio_blk_retry(struct virtio_device *dev);
/* What the guest chose by the write cache feature: is its data durable only after a flush? */
bool virtio_blk_write_cache(struct virtio_device *dev);

/* Are these limits possible? (max without avg, max below avg, total beside read or write ...) */
bool disk_limits_check(const struct disk_limits *limits, GError **error);

#endif
