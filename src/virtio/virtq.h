/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtq.h - a virtqueue, split or packed: requests of a driver as lists of host memory
 *
 * Sources: virtio 1.2, 2.7 (split), 2.8 (packed), 2.7.10 and 2.8.10 (notification suppression).
 *
 * The driver is hostile. Each field in guest memory is read once; addresses are translated with
 * their length, and may cross from one RAM region into an adjacent one; a chain is never longer
 * than the queue, or with an indirect table than VIRTQ_MAX_SIZE. Whatever breaks these rules breaks
 * the queue: it gives nothing any more, and the device needs a reset (virtio.c). Memory that is no
 * RAM is never accessed, so a device cannot be made to write into its own registers.
 *
 * A device's life with a queue:
 *
 *   do {
 *           virtq_notify_off(vq);
 *           while ((chain = virtq_pop(vq)))
 *                   ...; virtq_push(vq, chain, written);
 *   } while (virtq_notify_on(vq));
 *   virtq_flush(vq);
 *
 * Each popped chain is pushed (used), unpopped (given back untouched, last one first), or dropped
 * (virtq_drop(), at a reset). Chains live in an array made with the queue; a device may have bytes
 * of its own behind each (@private_size).
 *
 * Threads: all functions under the device's lock (virtio.h), on any thread.
 */
#ifndef VIRTIO_VIRTQ_H
#define VIRTIO_VIRTQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/cleanup.h"
#include "base/iov.h"
#include "mem/mem.h"

struct virtio_device;
struct virtq;
struct virtq_seg;

enum {
	/* Descriptors in a ring; also what a chain with an indirect table may have, and entries of
	 * its lists, out and in together. */
	VIRTQ_MAX_SIZE = 1024,
	VIRTQ_NO_VECTOR = 0xffff,
};

/* One request. The lists are host memory; guest memory changes under them at any time. */
struct virtq_chain {
	struct iovec *out; /* what the device may read */
	struct iovec *in;  /* what the device may write; behind out */
	unsigned out_count, in_count;
	size_t out_len, in_len; /* bytes in all; each below 2^32 * VIRTQ_MAX_SIZE */
	/* private */
	uint16_t id, slots; /* head or buffer ID; ring slots that it takes (packed) */
	uint16_t index;     /* of this struct in the queue's array */
	bool done;          /* pushed, waits for those before it (in order) */
	uint32_t written;
	struct virtq_chain *next, *prev; /* popped ones in order, or free ones */
	const struct virtq_seg *seg;     /* in, as the guest sees it */
	unsigned seg_count;
} __attribute__((aligned(16)));

/* What the driver has set up, as the transports show it. */
struct virtq_setup {
	uint16_t size;
	bool enabled;
	uint64_t desc, driver, device; /* guest addresses: descriptors; avail or driver event
					* suppression; used or device event suppression */
};

/* The device's private bytes behind a chain. */
static inline void *virtq_private(struct virtq_chain *chain)
{
	return chain + 1;
}

/**
 * virtq_new() - a queue, not set up yet
 * @max_size:     what the driver finds; a power of two, at most VIRTQ_MAX_SIZE
 * @private_size: bytes behind each chain, zeroed once
 *
 * Memory for the chains is reserved now and committed when it is touched.
 */
struct virtq *virtq_new(struct virtio_device *dev, unsigned index, unsigned max_size,
			size_t private_size);
void virtq_free(struct virtq *vq);

unsigned virtq_index(const struct virtq *vq);
unsigned virtq_max_size(const struct virtq *vq);
/* Set up and not broken: pop may find something. */
bool virtq_ready(const struct virtq *vq);
bool virtq_broken(const struct virtq *vq);
/* Chains that were popped and not given back yet. */
unsigned virtq_in_flight(const struct virtq *vq);

/* The next request, or NULL: there is none, or the queue is broken (now). */
struct virtq_chain *virtq_pop(struct virtq *vq);
/* Is there a request? Cheap; may be wrong about a broken one. */
bool virtq_pending(struct virtq *vq);
/* Give back the chain that was popped last, as if it had not been. */
void virtq_unpop(struct virtq *vq, struct virtq_chain *chain);
/* The device is done with it and has written @written bytes to the start of its in list, which are
 * told to mem here. The driver sees it at the next virtq_flush(). */
void virtq_push(struct virtq *vq, struct virtq_chain *chain, size_t written);
/* Forget it: the queue is not live any more. (To push it instead does the same.) Of what the device
 * may have written mem is told up to 64 MiB. */
void virtq_drop(struct virtq *vq, struct virtq_chain *chain);
/* Show the driver what was pushed, and interrupt it if it wants to know. */
void virtq_flush(struct virtq *vq);

/* Ask the driver not to notify. A hint. */
void virtq_notify_off(struct virtq *vq);
/* Ask it to notify again. True: a request came meanwhile and may not be notified, so look again. */
bool virtq_notify_on(struct virtq *vq);

/* The device says that the driver broke the rules in a chain (a header too short and the like).
 * The queue is not live any more. The chain must still be given back like all others that are out:
 * virtq_drop(). */
void virtq_break(struct virtq *vq);

#endif
