/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio.h - what all virtio devices have in common: status, features, configuration, queues
 *
 * Source: virtio 1.2, chapters 2 and 3. Modern drivers only (VIRTIO_F_VERSION_1).
 *
 * A device (dev/virtio-*.c) embeds struct virtio_device and implements struct virtio_ops. A
 * transport (virtio-pci.h, virtio-mmio.h) is what the driver sees: it turns registers into the
 * calls of the second half of this file. Neither knows the other.
 *
 * Threads and the lock. Each device has a lock and a loop. The lock guards all of the device's
 * state and its queues; ops are called with it held unless said otherwise. Kicks are handled on the
 * loop: the vCPU only posts there, so that it never waits for a disk, and never longer for the lock
 * than a batch takes. What completes elsewhere (I/O, the main loop's input) takes the lock itself.
 * Interrupts are sent with the lock held. A device never waits with its lock held.
 *
 * Reset. A driver's reset (and that of one queue) is asked for on a vCPU: ops->reset() gives back
 * (virtq_drop()) what the device can give back at once; requests whose I/O is under way are dropped
 * when it completes, which the device must check by virtq_live(). The status reads 0, and
 * queue_reset reads 0, only when no chain is out any more. Until then the device is RESETTING and
 * ignores the driver.
 *
 * Pause. While the machine is paused, guest memory must stand still: nothing is taken from the
 * queues, and what was taken is completed. A device whose I/O goes on behind its lock says so by
 * ops->busy() and virtio_idle().
 */
#ifndef VIRTIO_VIRTIO_H
#define VIRTIO_VIRTIO_H

#include <glib.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/io-loop.h"
#include "bus/idle.h"
#include "mem/mem.h"
#include "virtio/virtq.h"

struct virtio_device;

enum virtio_type {
	VIRTIO_NET = 1,
	VIRTIO_BLOCK = 2,
	VIRTIO_CONSOLE = 3,
	VIRTIO_RNG = 4,
	VIRTIO_BALLOON = 5,
	VIRTIO_SCSI = 8,
	VIRTIO_VSOCK = 19,
};

/* Feature bits that belong to no device type (6). */
#define VIRTIO_F_INDIRECT_DESC     (1ull << 28)
#define VIRTIO_F_EVENT_IDX         (1ull << 29)
#define VIRTIO_F_VERSION_1         (1ull << 32)
#define VIRTIO_F_ACCESS_PLATFORM   (1ull << 33)
#define VIRTIO_F_RING_PACKED       (1ull << 34)
#define VIRTIO_F_IN_ORDER          (1ull << 35)
#define VIRTIO_F_NOTIFICATION_DATA (1ull << 38)
#define VIRTIO_F_RING_RESET        (1ull << 40)

/* What every device may offer; a device masks what the user switched off. ACCESS_PLATFORM is not
 * offered: there is no IOMMU. */
#define VIRTIO_F_COMMON                                                                            \
	(VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX | VIRTIO_F_VERSION_1 | VIRTIO_F_RING_PACKED | \
	 VIRTIO_F_IN_ORDER | VIRTIO_F_NOTIFICATION_DATA | VIRTIO_F_RING_RESET)

enum virtio_status {
	VIRTIO_STATUS_ACKNOWLEDGE = 1,
	VIRTIO_STATUS_DRIVER = 2,
	VIRTIO_STATUS_DRIVER_OK = 4,
	VIRTIO_STATUS_FEATURES_OK = 8,
	VIRTIO_STATUS_NEEDS_RESET = 0x40,
	VIRTIO_STATUS_FAILED = 0x80,
};

enum {
	VIRTIO_MAX_QUEUES = 64, /* a bit each in the word of kicks */
	VIRTIO_MAX_CONFIG = 256,
};

struct virtio_ops {
	/* The driver chose @features, a subset of what was offered with its dependencies as the
	 * specification wants them? NULL: any subset is fine. */
	bool (*features_ok)(struct virtio_device *dev, uint64_t features);
	/* DRIVER_OK: dev->features are final, queues are set up. May be NULL. */
	void (*start)(struct virtio_device *dev);
	/* [loop] The driver says that queue @index has something. Also called once for each ready
	 * queue after start(), and spuriously. The device is live. */
	void (*kick)(struct virtio_device *dev, unsigned index);
	/* Give back what you have of queue @index, or of all (@index -1, everything the driver
	 * negotiated is void, too). See the head of this file. May be NULL if the device never
	 * keeps a chain longer than its lock. */
	void (*reset)(struct virtio_device *dev, int index);
	/* Is I/O under way that will write guest memory? NULL: never when the lock is free. */
	bool (*busy)(struct virtio_device *dev);
	/* The driver has written dev->config[off, off + size); only where dev->config_writable
	 * allows. May be NULL. */
	void (*config_written)(struct virtio_device *dev, unsigned off, unsigned size);
	/* [main, no lock] Unplugged, or the machine's end: nothing of the guest reaches the device
	 * any more, and no chain is out. Free everything. */
	void (*free)(struct virtio_device *dev);
};

/* The driver's end: what a transport does for a device. */
struct virtio_transport {
	/* [any, device's lock held] Queue @index has used something (-1: configuration changed). */
	void (*interrupt)(struct virtio_transport *transport, int index);
};

struct virtio_config {
	const struct virtio_ops *ops;
	enum virtio_type type;
	uint64_t features; /* offered */
	struct io_loop *loop;
	unsigned queues, queue_size;
	size_t private_size; /* behind each chain */
	unsigned config_len;
};

struct virtio_device {
	const struct virtio_ops *ops;
	enum virtio_type type;
	struct io_loop *loop;
	uint64_t offered;
	unsigned queue_count;
	/* The words of kicks that the loop has not served yet, and the call that serves them. */
	atomic_ullong kicks;
	struct io_work kick_work;

	pthread_mutex_t lock;
	/* guarded by lock: */
	struct mem *mem;                    /* NULL until it is attached */
	struct virtio_transport *transport; /* NULL until it is attached */
	struct io_idle *idle;               /* NULL: nobody tells when vCPUs halt */
	uint64_t features;                  /* negotiated, 0 before FEATURES_OK */
	uint8_t status;
	bool resetting; /* waits for chains to come back */
	bool paused;
	uint32_t generation;
	unsigned config_len;
	uint8_t config[VIRTIO_MAX_CONFIG], config_writable[VIRTIO_MAX_CONFIG];
	struct virtq *queue[VIRTIO_MAX_QUEUES];
	uint64_t driver_features; /* as written, before FEATURES_OK */
	uint64_t alien_windows;   /* windows that there are not, in which some were written */
	uint64_t queues_resetting;
	bool giving_back; /* inside ops->reset() */
	pthread_cond_t reset_done;
	bool reset_awaited; /* by virtio_try_reset() */
	bool answered;      /* the loop, since virtio_begin_reset() */
	struct io_work answer_work;
	/* set by virtio_on_quiet(): */
	void (*quiet)(void *opaque);
	void *quiet_opaque;
};

/* ---- for devices ---- */

/* Queues are made; config is zero. */
void virtio_init(struct virtio_device *dev, const struct virtio_config *config);
/* Frees the queues. The loop does not serve kicks any more. */
void virtio_release(struct virtio_device *dev);

static inline void virtio_lock(struct virtio_device *dev)
{
	pthread_mutex_lock(&dev->lock);
}

static inline void virtio_unlock(struct virtio_device *dev)
{
	pthread_mutex_unlock(&dev->lock);
}

static inline bool virtio_has(const struct virtio_device *dev, uint64_t feature)
{
	return dev->features & feature;
}

/* DRIVER_OK, not broken, not resetting: requests may be served. */
bool virtio_live(const struct virtio_device *dev);
/* Is a chain of this queue still the driver's wish? False: virtq_drop() it. */
bool virtq_live(const struct virtq *vq);
/* The bytes of config changed: tell the driver. Bump the generation first if more than one field
 * belongs together; this does. */
void virtio_config_changed(struct virtio_device *dev);
/* The device is broken or the driver is: NEEDS_RESET, a configuration interrupt, no requests. */
void virtio_needs_reset(struct virtio_device *dev);
/* ops->busy() is not true any more. */
void virtio_idle(struct virtio_device *dev);
/* [any] As if the driver had kicked: ops->kick() on the loop. */
void virtio_kick_self(struct virtio_device *dev, unsigned index);

/* ---- for virtq.c ---- */

void virtio_interrupt(struct virtio_device *dev, unsigned queue);
/* A chain came back: a reset that waits for it may be finished. */
void virtio_chain_returned(struct virtio_device *dev, unsigned queue);

/* ---- for transports; they take the lock ---- */

/* From now on the driver may come. */
void virtio_attach(struct virtio_device *dev, struct mem *mem, struct virtio_transport *transport);
/**
 * virtio_detach() - reset the device and wait for what is under way
 *
 * [main, not the loop] No vCPU is inside the device's registers. Afterwards kicks and interrupts
 * have ended, and ops->free() may follow.
 */
void virtio_detach(struct virtio_device *dev);
/* [main] As the machine's reset does: like the driver's reset, and waits for what is under way. */
void virtio_reset(struct virtio_device *dev);

/* [main] Begin the same, for one of the next two. */
void virtio_begin_reset(struct virtio_device *dev);
/* [main] Is it done? Waits until @deadline_ns of CLOCK_MONOTONIC for the device's loop, which answers
 * at once unless something holds it, and not for I/O. False: quiet() tells when to begin again. */
bool virtio_try_reset(struct virtio_device *dev, uint64_t deadline_ns);
/* [main] The same, waiting for I/O, too. */
bool virtio_reset_until(struct virtio_device *dev, uint64_t deadline_ns);

/* [main] Take nothing from the queues any more, and take again. */
void virtio_pause(struct virtio_device *dev);
void virtio_resume(struct virtio_device *dev);
/* [main] Is it paused, and nothing under way? False: quiet() tells when to ask again. */
bool virtio_is_quiet(struct virtio_device *dev);
/* [main] Call quiet(), [any, device's lock held], when one of those that were false may be true. */
void virtio_on_quiet(struct virtio_device *dev, void (*quiet)(void *opaque), void *opaque);

/* [any, no lock] The driver notified queue @index; anything is fine. */
void virtio_kick(struct virtio_device *dev, unsigned index);

uint32_t virtio_read_features(struct virtio_device *dev, uint32_t select);
uint32_t virtio_read_driver_features(struct virtio_device *dev, uint32_t select);
void virtio_write_features(struct virtio_device *dev, uint32_t select, uint32_t value);
uint8_t virtio_read_status(struct virtio_device *dev);
void virtio_write_status(struct virtio_device *dev, uint8_t status);
uint32_t virtio_read_generation(struct virtio_device *dev);
/* Bytes of the configuration at any @off and @size 1 to 8; beyond its end zero, and ignored. */
uint64_t virtio_read_config(struct virtio_device *dev, unsigned off, unsigned size);
void virtio_write_config(struct virtio_device *dev, unsigned off, unsigned size, uint64_t value);

/* A queue as the driver sees it; false (and size 0) if there is no such queue. */
bool virtio_read_queue(struct virtio_device *dev, unsigned index, struct virtq_setup *ret_setup);
/* Addresses and size, while the queue is not enabled; then nothing happens. */
void virtio_write_queue(struct virtio_device *dev, unsigned index, const struct virtq_setup *setup);
/* Addresses that are no RAM break the device. */
void virtio_enable_queue(struct virtio_device *dev, unsigned index);
/* Stop it; it is new when no chain is out any more, and can then be enabled again. */
void virtio_disable_queue(struct virtio_device *dev, unsigned index);
/* The same, where VIRTIO_F_RING_RESET was negotiated. */
void virtio_reset_queue(struct virtio_device *dev, unsigned index);
/* Is that reset still under way? */
bool virtio_queue_resetting(struct virtio_device *dev, unsigned index);

#endif
