/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * doze.h - let work gather while the guest computes
 *
 * A guest that executes slowly brings requests or frames one at a time, each of which would wake the
 * loop, and the host's disk or network as well. So where they come in quick succession, the loop dozes:
 * the driver is asked not to notify, and what has happened on the host is not looked at. It ends
 *
 *  (1) after the time that the device says;
 *  (2) when a vCPU halts, for it may be this device that it waits for. Nothing of this happens under
 *      an engine that does not tell (KVM).
 *
 * Then all is done together. A doze that gathered something is followed by the next, as long as no vCPU
 * halts. One in vain (the guest polls, or does something else) raises the number of events in quick
 * succession that it takes to begin another.
 *
 * Threads: [loop] = on the device's loop, which it has for itself. With the device's lock held but for
 * adding and removing.
 */
#ifndef DEV_DOZE_H
#define DEV_DOZE_H

#include "virtio/virtio.h"

struct doze {
	struct virtio_device *dev;
	struct io_loop *loop;
	uint64_t time_ns; /* how long */
	/* [loop] Do what queue @index has, and tell doze_found() how much it was. */
	void (*take)(struct virtio_device *dev, unsigned index, uint64_t now_ns);
	/* private */
	bool dozes;
	uint64_t queues;     /* a bit each: the driver does not notify, we look */
	unsigned found;      /* requests or frames since the doze began */
	uint64_t last_ns;    /* the last event */
	unsigned streak;     /* events in quick succession */
	unsigned streak_min; /* that many begin a doze */
	struct io_timer timer;
	struct io_idle_call halted;
	struct io_work work;
};

void doze_init(struct doze *doze, struct virtio_device *dev, struct io_loop *loop, uint64_t time_ns,
	       void (*take)(struct virtio_device *dev, unsigned index, uint64_t now_ns));

/* [loop] Without the lock: before the first event and after the last one. */
void doze_add(struct doze *doze);
void doze_remove(struct doze *doze);

/* [loop] The driver has notified, or @events frames have come. */
void doze_event(struct doze *doze, unsigned events, uint64_t now_ns);
/* [loop] All is done. True: the loop dozes, and then looks at queue @index without a notification. */
bool doze_begin(struct doze *doze, unsigned index, uint64_t now_ns);
static inline void doze_found(struct doze *doze, unsigned count)
{
	doze->found += count;
}
/* [loop] The loop is awake anyhow: do what has gathered. */
void doze_take(struct doze *doze, uint64_t now_ns);
/* [any] Queue @index, or the device (-1), is reset. */
void doze_reset(struct doze *doze, int index);

#endif
