/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-driver.h - a virtio driver in the test's process: for tests and fuzzers of devices
 *
 * It is the transport of a device as well, by the virtio_ functions directly: no PCI, no vCPU. It
 * speaks both layouts, indirect descriptors, event index, and in order, as negotiated:
 *
 *	autoptr(io_loop) loop = io_loop_new_manual(IO_LOOP_THREADS, NULL, NULL, &error);
 *	struct virtio_device *dev = virtio_rng_new(...loop...);
 *	struct vdriver *d = vdriver_new(&(struct vdriver_config){
 *		.dev = dev, .loop = loop, .features = VIRTIO_F_COMMON });
 *	uint8_t random[16];
 *
 *	g_assert_cmpuint(vdriver_request(d, 0, NULL, 0, random, sizeof(random)), ==, 16);
 *	vdriver_free(d);         // resets and detaches; then
 *	dev->ops->free(dev);
 *
 * vdriver_request() does one request with two buffers. The long way, for more of them at a time:
 * vdriver_alloc() guest memory, fill vdriver_ptr(), vdriver_add(), vdriver_kick() (only if the
 * device wants it), vdriver_run() (the manual loop, until nothing is to be done), vdriver_used().
 * With a loop that has a thread of its own use vdriver_wait() instead of vdriver_run().
 *
 * A hostile driver writes descriptors by vdriver_raw(), and anything anywhere by vdriver_ptr() and
 * the addresses in struct vdriver_queue; the next vdriver_restart() makes the queues sane again.
 *
 * Own memory, if the caller gives none: RAM at 0 to 64 MiB and, adjoining it, to 128 MiB; RAM at
 * 4 GiB to 4 GiB + 1 MiB; a hole between. Rings and buffers are taken from the first MiB on;
 * VDRIVER_HOLE, VDRIVER_BORDER and VDRIVER_END name addresses that a hostile one likes.
 *
 * Everything asserts, for it is tests that call it. One thread, but for the interrupt counters.
 */
#ifndef TESTS_LIB_VIRTIO_DRIVER_H
#define TESTS_LIB_VIRTIO_DRIVER_H

#include <glib.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/io-loop.h"
#include "mem/mem.h"
#include "virtio/virtio.h"

struct vdriver;

#define VDRIVER_BORDER (UINT64_C(64) << 20)              /* RAM on both sides */
#define VDRIVER_HOLE   (UINT64_C(128) << 20)             /* RAM ends here */
#define VDRIVER_END    ((UINT64_C(4) << 30) + (1 << 20)) /* so does the last of it */

enum {
	VDRIVER_TABLE = 64, /* descriptors in an indirect table */
};

/* Flags of descriptors. */
enum {
	VDRIVER_NEXT = 1,
	VDRIVER_WRITE = 2,
	VDRIVER_INDIRECT = 4,
	VDRIVER_AVAIL = 1 << 7,
	VDRIVER_USED = 1 << 15,
};

struct vdriver_config {
	struct virtio_device *dev; /* borrowed */
	struct io_loop *loop;      /* the device's */
	uint64_t features;         /* to accept of those offered; VERSION_1 is added */
	unsigned queue_size;       /* 0: what the device offers */
	struct mem *mem;           /* borrowed; NULL: own, as told above */
	uint64_t base, len;        /* the part of @mem that rings and buffers are taken from */
	bool hold;                 /* do not start: the test calls vdriver_restart() */
};

struct vdriver_buf {
	uint64_t gpa;
	uint32_t len;
	bool write; /* by the device */
};

/* A descriptor as it stands in the ring; @next is the buffer ID in a packed ring. */
struct vdriver_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags, next;
};

/* A queue as the driver sees it; tests may read all of it. */
struct vdriver_queue {
	unsigned size;
	uint64_t desc, driver, device; /* guest addresses of the parts */
	uint64_t tables;               /* an indirect table for each id */

	uint16_t next_avail, next_used; /* split: free-running */
	bool avail_wrap, used_wrap;     /* packed */
	uint16_t kicked;                /* next_avail at the last kick */
	unsigned free;                  /* descriptors */
	uint16_t *ids;                  /* a ring of those that are free */
	unsigned ids_head, ids_tail;
	struct {
		void *token;
		unsigned slots;
		bool busy;
	} * request;  /* by id */
	GQueue order; /* of ids under way */
	atomic_uint interrupts;
};

struct vdriver *vdriver_new(const struct vdriver_config *config);
/* Reset the device, detach from it. NULL is fine. */
void vdriver_free(struct vdriver *d);
DEFINE_AUTOPTR(vdriver, vdriver_free);

struct mem *vdriver_mem(struct vdriver *d);
struct vdriver_queue *vdriver_queue(struct vdriver *d, unsigned queue);
/* What was negotiated. */
uint64_t vdriver_features(const struct vdriver *d);

/* The driver's reset; returns when the status is 0, having run a manual loop until then. */
void vdriver_reset(struct vdriver *d);
/* Reset, negotiate, set up all queues anew, DRIVER_OK. False: the device refused the features. */
bool vdriver_restart(struct vdriver *d, uint64_t features);
/* The steps of it, for tests that stop between. */
bool vdriver_negotiate(struct vdriver *d, uint64_t features);
void vdriver_setup_queue(struct vdriver *d, unsigned queue);

/* Guest memory, 64-byte aligned, until the driver goes. */
uint64_t vdriver_alloc(struct vdriver *d, size_t len);
/* Where it is on the host. */
void *vdriver_ptr(struct vdriver *d, uint64_t gpa, size_t len);

/* Offer a request; 2 to VDRIVER_TABLE buffers go into an indirect table, if negotiated. False: there
 * is no room. */
bool vdriver_add(struct vdriver *d, unsigned queue, const struct vdriver_buf *bufs, unsigned count,
		 void *token);
/* Notify the device if it wants to know of what was added; did it? */
bool vdriver_kick(struct vdriver *d, unsigned queue);
/* Run a manual loop until it has nothing to do. */
void vdriver_run(struct vdriver *d);
/* The next request that the device has used; false: none. */
bool vdriver_used(struct vdriver *d, unsigned queue, void **ret_token, uint32_t *ret_len);
/* The same, waiting for it 10 s at most; runs a manual loop, sleeps beside one with a thread. */
void vdriver_wait(struct vdriver *d, unsigned queue, void **ret_token, uint32_t *ret_len);
/* One request, and wait for it: copies @out into guest memory, the first bytes of what the device
 * wrote into @in. The length that the device tells. */
uint32_t vdriver_request(struct vdriver *d, unsigned queue, const void *out, size_t out_len,
			 void *in, size_t in_len);

/* Interrupts since the start, of a queue or (-1) of the configuration. */
unsigned vdriver_interrupts(struct vdriver *d, int queue);
/* Ask for none; ask for them again (true: look again, something was used meanwhile). */
void vdriver_irq_off(struct vdriver *d, unsigned queue);
bool vdriver_irq_on(struct vdriver *d, unsigned queue);

/**
 * vdriver_raw() - offer descriptors exactly as they are
 *
 * Split: written to the table from index 0 on, and head 0 is offered. Packed: written from the next
 * free slot on, with AVAIL and USED as they must be. Kicks.
 */
void vdriver_raw(struct vdriver *d, unsigned queue, const struct vdriver_desc *descs,
		 unsigned count);
/* Split: offer any head, or move the index by any step. */
void vdriver_offer(struct vdriver *d, unsigned queue, uint16_t head, uint16_t step);
void vdriver_write_desc(struct vdriver *d, uint64_t gpa, const struct vdriver_desc *desc);

#endif
