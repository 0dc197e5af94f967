/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * idle.h - does the guest wait for something? For devices that could let requests gather till then
 *
 * While each vCPU has something to execute, an interrupt a moment later harms nobody much; once one
 * of them halts, it may well be the device that it waits for. The engine tells: the software engine
 * does, KVM cannot, as HLT is the kernel's there.
 *
 *	vCPU				who wants to know
 *	V1 halted++			W1 armed++
 *	V2 read armed: call		W2 read halted: do not wait for the call
 *
 * All are sequentially consistent: one of them sees the other.
 *
 * Threads: any.
 */
#ifndef BUS_IDLE_H
#define BUS_IDLE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

/* Set fn and opaque, the rest zero. */
struct io_idle_call {
	void (*fn)(void *opaque); /* on the vCPU's thread, with a lock held: let it post, no more */
	void *opaque;
	/* private */
	bool armed;
	struct io_idle_call *next;
};

/* One for each machine. */
struct io_idle {
	atomic_bool told;   /* set by the engine: it tells */
	atomic_uint halted; /* vCPUs */
	atomic_uint armed;  /* calls */
	pthread_mutex_t lock;
	struct io_idle_call *calls;
};

#define IO_IDLE_INITIALIZER                       \
	(struct io_idle)                          \
	{                                         \
		.lock = PTHREAD_MUTEX_INITIALIZER \
	}

/* For engines: this vCPU has nothing to do until something comes; and something has. The second may be
 * said by whoever wakes it. */
void io_idle_begin(struct io_idle *idle);
void io_idle_end(struct io_idle *idle);

/* True: @call will be called once, when the next vCPU halts. False: one has halted by now, or nobody
 * tells. NULL is an engine that does not tell. */
bool io_idle_arm(struct io_idle *idle, struct io_idle_call *call);
/* It is not called any more when this returns. */
void io_idle_disarm(struct io_idle *idle, struct io_idle_call *call);

#endif
