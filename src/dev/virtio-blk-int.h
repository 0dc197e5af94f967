/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-blk-int.h - the state of a virtio disk, and of a request on its way through it
 *
 * A request lives in the private bytes of its chain, so nothing is allocated for it. It is always
 * in exactly one place:
 *
 *   waiting  for the rate limits, in a FIFO of its direction        (guarded by the lock)
 *   image    block_submit() has it                                  ([loop], until on_done())
 *   done     has its status, or another step to take; settled by    ([loop])
 *            blk_settle() at the end of the loop's round
 *   held     failed under DISK_ERROR_STOP, until virtio_blk_retry(), or (guarded by the lock)
 *            came while the disk gets another image
 *
 * Those with the image or done are under way: they are counted, by the era in which they came. A
 * disk that shrinks begins a new era, and waits for the last one of the old. A disk that gets
 * another image waits for all; what comes meanwhile is held.
 *
 * A reset of the queue drops those that wait or are held at once; the others are dropped by
 * blk_settle(), which asks virtq_live().
 */
#ifndef DEV_VIRTIO_BLK_INT_H
#define DEV_VIRTIO_BLK_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "dev/disk-limits-int.h"
#include "dev/doze.h"
#include "dev/virtio-blk.h"

/* Feature bits (5.2.3). */
#define VIRTIO_BLK_F_SEG_MAX      (1ull << 2)
#define VIRTIO_BLK_F_RO           (1ull << 5)
#define VIRTIO_BLK_F_BLK_SIZE     (1ull << 6)
#define VIRTIO_BLK_F_FLUSH        (1ull << 9)
#define VIRTIO_BLK_F_TOPOLOGY     (1ull << 10)
#define VIRTIO_BLK_F_CONFIG_WCE   (1ull << 11)
#define VIRTIO_BLK_F_MQ           (1ull << 12)
#define VIRTIO_BLK_F_DISCARD      (1ull << 13)
#define VIRTIO_BLK_F_WRITE_ZEROES (1ull << 14)

/* Offsets of the configuration (5.2.4). */
enum {
	BLK_CONFIG_CAPACITY = 0,
	BLK_CONFIG_SEG_MAX = 12,
	BLK_CONFIG_BLK_SIZE = 20,
	BLK_CONFIG_PHYSICAL_EXP = 24,
	BLK_CONFIG_ALIGNMENT = 25,
	BLK_CONFIG_MIN_IO = 26,
	BLK_CONFIG_OPT_IO = 28,
	BLK_CONFIG_WRITEBACK = 32,
	BLK_CONFIG_QUEUES = 34,
	BLK_CONFIG_DISCARD_SECTORS = 36,
	BLK_CONFIG_DISCARD_SEG = 40,
	BLK_CONFIG_DISCARD_ALIGN = 44,
	BLK_CONFIG_ZEROES_SECTORS = 48,
	BLK_CONFIG_ZEROES_SEG = 52,
	BLK_CONFIG_ZEROES_UNMAP = 56,
	BLK_CONFIG_LEN = 60,
};

/* Requests (5.2.6). */
enum {
	BLK_T_IN = 0,
	BLK_T_OUT = 1,
	BLK_T_FLUSH = 4,
	BLK_T_GET_ID = 8,
	BLK_T_DISCARD = 11,
	BLK_T_WRITE_ZEROES = 13,
};

enum {
	BLK_S_OK = 0,
	BLK_S_IOERR = 1,
	BLK_S_UNSUPP = 2,
};

enum {
	BLK_SECTOR = 512,
	BLK_HEADER_LEN = 16,
	BLK_ID_LEN = 20,
	BLK_RANGE_LEN = 16,              /* of a range to discard or to zero */
	BLK_RANGE_UNMAP = 1 << 0,        /* its only flag */
	BLK_MAX_RANGES = 16,             /* in a request */
	BLK_MAX_RANGE_SECTORS = 1 << 22, /* 2 GiB; a multiple of all block sizes */
	BLK_MAX_DATA = 1 << 30,          /* bytes that one read or write moves */
};

struct virtio_blk;

struct blk_range {
	uint64_t off, len;
	bool unmap;
};

struct blk_request {
	struct block_request io;
	struct virtio_blk *blk;
	struct virtq *vq;
	struct blk_request *next; /* in the list of its place */
	uint8_t *status;          /* the last byte that the device may write */
	uint64_t start_ns, bytes;
	uint64_t filled; /* so much of what the device may write was written, maybe */
	int result;      /* of the last step */
	uint8_t code;    /* BLK_S_ */
	bool under_way;
	uint8_t era;
	bool counted;                /* io.op is set, for the statistics */
	unsigned range, range_count; /* the one under way */
	struct blk_range ranges[BLK_MAX_RANGES];
};

struct blk_list {
	struct blk_request *head, *tail;
};

struct virtio_blk {
	struct virtio_device dev;
	struct block *block;
	struct block_queue *queue;
	struct io_loop *loop;
	struct dev_timer *bell; /* blk_ring() on the main loop */
	uint32_t logical_block;
	bool read_only, no_write_cache;
	uint8_t serial[BLK_ID_LEN];
	enum disk_error_policy read_error, write_error;
	void (*error)(void *opaque, const struct disk_error *error);
	void *opaque;

	/* on the loop only: */
	struct blk_list done;
	struct io_work settle; /* blk_settle() */
	struct io_timer timer; /* the limits let the next one pass */

	/* guarded by dev.lock: */
	uint64_t size;    /* bytes that the driver may address */
	bool write_cache; /* what is written is durable after a flush only */
	bool retry;       /* try again what is held */
	unsigned era, under_way[2];
	void (*shrunk)(void *opaque); /* of virtio_blk_shrink(), until it is called */
	void *shrunk_opaque;
	struct block_queue *next_queue; /* of virtio_blk_swap(), until it is in use */
	void (*swapped)(void *opaque, bool done);
	void *swapped_opaque;
	bool turn; /* which direction passes first, if either may */
	struct disk_throttle throttle;
	struct blk_list waiting[2]; /* reads, writes */
	struct blk_list held;
	struct doze doze; /* but its timer and work: on the loop */
	struct disk_stats stats;
	/* Not told yet: the last one by direction and action. */
	bool failed[2][DISK_ERROR_ENOSPC];
	struct disk_error failure[2][DISK_ERROR_ENOSPC];
};

static inline struct virtio_blk *blk_of(struct virtio_device *dev)
{
	return container_of(dev, struct virtio_blk, dev);
}

/* ---- virtio-blk-io.c; all with the lock held ---- */

/* [loop] Take what the driver has for us; go on with what may go on. */
void blk_kick(struct virtio_blk *blk, unsigned index);
/* [loop] For the doze: take what the ring of queue @index has, and let pass what may. */
void blk_take_dozing(struct virtio_device *dev, unsigned index, uint64_t now_ns);
/* [any] Give back what waits or is held of queue @index, or of all (-1). */
void blk_reset(struct virtio_blk *blk, int index);

/* ---- and without ---- */

/* [loop] Requests that are done since the last call: push them, or go on with them. */
void blk_settle(void *opaque);
/* [loop] The timer of the limits. */
void blk_on_timer(void *opaque);

#endif
