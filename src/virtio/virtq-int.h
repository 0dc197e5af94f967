/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtq-int.h - inside of a queue: state, the two layouts, and what virtio.c does with a queue
 *
 * A queue is stopped or serves. It serves from virtq_enable() until it breaks, or until a reset
 * stops it; a stopped queue gives no chains, and forgets those that are given back. After a reset
 * virtq_clear() makes it new, when no chain is out any more.
 *
 * Invariants, under the device's lock:
 *   1. Chains popped and not used yet stand in a list, first popped first. There are at most size
 *      of them, and in a packed ring they take at most size slots, however often a driver offers
 *      the same descriptor. So free chains never run out while this holds.
 *   2. in_flight counts those of the list that the device has; the others are pushed and held back
 *      by a predecessor (VIRTIO_F_IN_ORDER).
 *   3. Ring memory is RAM of one region each, translated once. What lies there is read once.
 */
#ifndef VIRTIO_VIRTQ_INT_H
#define VIRTIO_VIRTQ_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "mem/mem.h"
#include "virtio/virtq.h"

/* Flags of descriptors, both layouts. */
enum {
	DESC_NEXT = 1,
	DESC_WRITE = 2,
	DESC_INDIRECT = 4,
	DESC_LEN = 16,
};

/* A part of the ring in host memory. */
struct virtq_area {
	uint8_t *host;
	uint64_t gpa, len;
};

/* A piece that the device may write, as the guest sees it. */
struct virtq_seg {
	uint64_t gpa, len;
};

struct virtq {
	struct virtio_device *dev;
	struct mem *mem;
	unsigned index, max_size;
	bool stopped, broken, packed, event_idx, in_order, indirect;
	struct virtq_setup setup;

	unsigned size;
	struct virtq_area desc, driver, device;

	/* Both layouts; a split ring's counters are free-running. */
	uint16_t next_avail; /* the next descriptor, or entry of the available ring, to be popped */
	uint16_t next_used;
	bool avail_wrap, used_wrap; /* packed */
	uint16_t avail_seen;        /* split: the driver's index, as read last */
	unsigned slots;             /* packed: taken by chains in the list */
	uint16_t unflushed;   /* entries or slots that the driver has not been shown; <= size */
	uint16_t first_flags; /* packed: flags of the first of them, kept back */
	uint16_t first_used;
	uint16_t notify_flags; /* as written last */
	uint16_t event_at;     /* likewise; split with event index */

	unsigned in_flight;
	struct virtq_chain *free, *oldest, *newest;
	const struct mem_region *region; /* where a buffer was found last */

	uint8_t *chains, *spill;
	bool spilled; /* something of the spill area has been touched */
	size_t chain_stride, inline_off;
};

/* What is being read of a chain. */
struct virtq_gather {
	struct virtq *vq;
	struct virtq_chain *chain;
	struct iovec *iov;
	struct virtq_seg *seg;
	unsigned count, seg_count, room;
	unsigned seen, limit; /* descriptors */
	bool indirect;        /* in a table */
	bool writing;         /* none to be read may follow */
	size_t out_len, in_len;
};

/* A descriptor as read once: low and high are flags and next (split), buffer ID and flags (packed). */
struct virtq_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t low, high;
};

struct virtq_unaligned64 {
	uint64_t v;
} __attribute__((packed, may_alias));

/* Tables need no alignment. Volatile: the compiler must not read it again later. */
static inline uint64_t virtq_read64(const uint8_t *p)
{
	return le64toh(((const volatile struct virtq_unaligned64 *)(const void *)p)->v);
}

static inline struct virtq_desc virtq_read_desc(const uint8_t *p)
{
	uint64_t addr = virtq_read64(p), rest = virtq_read64(p + 8);

	return (struct virtq_desc){
		.addr = addr,
		.len = (uint32_t)rest,
		.low = (uint16_t)(rest >> 32),
		.high = (uint16_t)(rest >> 48),
	};
}

static inline uint16_t virtq_load16(const void *p, int order)
{
	const uint16_t *from = p;

	return le16toh(__atomic_load_n(from, order));
}

static inline void virtq_store16(void *p, uint16_t v, int order)
{
	uint16_t *to = p;

	__atomic_store_n(to, htole16(v), order);
}

static inline void virtq_store32(void *p, uint32_t v)
{
	uint32_t *to = p;

	__atomic_store_n(to, htole32(v), __ATOMIC_RELAXED);
}

/* ---- virtq.c, for the layouts ---- */

/* One buffer; false if it breaks the rules. */
bool virtq_gather_add(struct virtq_gather *g, uint64_t gpa, uint32_t len, bool write);
/* An indirect table: its host address and how many descriptors it has, or NULL. */
const uint8_t *virtq_gather_table(struct virtq_gather *g, uint64_t gpa, uint32_t len,
				  unsigned *ret_count);

/* ---- the layouts ---- */

/* The ring memory is found. Start from the beginning. */
bool virtq_split_enable(struct virtq *vq);
bool virtq_packed_enable(struct virtq *vq);
/* More to pop? -1: the ring is broken. */
int virtq_split_pending(struct virtq *vq);
int virtq_packed_pending(struct virtq *vq);
/* Read the next chain, which is there; false: it is broken, and nothing has changed. */
bool virtq_split_read(struct virtq *vq, struct virtq_gather *g);
bool virtq_packed_read(struct virtq *vq, struct virtq_gather *g);
void virtq_split_use(struct virtq *vq, const struct virtq_chain *chain);
void virtq_packed_use(struct virtq *vq, const struct virtq_chain *chain);
/* Show what was used; does the driver want an interrupt? */
bool virtq_split_publish(struct virtq *vq);
bool virtq_packed_publish(struct virtq *vq);
void virtq_split_notify(struct virtq *vq, bool on);
void virtq_packed_notify(struct virtq *vq, bool on);
/* The chain that was popped last was not popped. */
void virtq_packed_back(struct virtq *vq, const struct virtq_chain *chain);

/* ---- for virtio.c ---- */

void virtq_get_setup(const struct virtq *vq, struct virtq_setup *ret_setup);
/* Addresses and size, while it is not enabled. */
void virtq_set_setup(struct virtq *vq, const struct virtq_setup *setup);
/* The driver switches it on. False: what it has set up is not possible. */
bool virtq_enable(struct virtq *vq, struct mem *mem, uint64_t features);
/* No chains any more; those that come back are forgotten. */
void virtq_stop(struct virtq *vq);
/* As new. No chain is out. */
void virtq_clear(struct virtq *vq);

#endif
