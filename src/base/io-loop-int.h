/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * io-loop-int.h - what the two kinds of loops share, inside the room
 *
 * Both kinds look for a watch by its cookie, a number that is never used twice. So what the kernel
 * still tells of a watch that has been removed meets nobody, even if the struct, its memory, or
 * the number of its descriptor serve something else by then.
 */
#ifndef BASE_IO_LOOP_INT_H
#define BASE_IO_LOOP_INT_H

#include <liburing.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/io-loop.h"

struct loop_uring;
struct loop_epoll;
struct io_pool;
struct thread;

enum {
	WATCH_BUCKETS = 128,
	CACHE_LINE = 64
};

/* What a kernel must be able to do for io_uring to be used. */
enum {
	LOOP_URING_FEATURES = IORING_FEAT_NODROP | IORING_FEAT_EXT_ARG | IORING_FEAT_RSRC_TAGS
};

/* Does it have to be woken, and how? */
enum {
	LOOP_AWAKE,
	LOOP_SLEEPS, /* by wake_fd */
	LOOP_DOZES,  /* by the futex */
};

/* Cookie of the loop's own eventfd; those of watches begin behind it. */
enum {
	COOKIE_WAKE = 0
};

struct io_loop_ops {
	enum io_loop_kind kind;
	/* Let the kernel look for watch->events (not 0), and set watch->armed to what it looks for. */
	void (*arm)(struct io_loop *loop, struct io_watch *watch);
	/* The kernel lets go of the watch, which is armed, and of its file, before this returns. */
	void (*disarm)(struct io_loop *loop, struct io_watch *watch);
	void (*submit)(struct io_loop *loop, struct io_op *op);
	/* Hand over what has gathered; wait for an event until @timeout_ns has passed (0: do not,
	 * IO_TIMER_NEVER: as long as it takes). */
	void (*wait)(struct io_loop *loop, uint64_t timeout_ns);
	/* The same, but what the kernel has done meanwhile does not end the wait: only who sets
	 * loop->sleeping to LOOP_AWAKE does. NULL: cannot. */
	void (*doze)(struct io_loop *loop, uint64_t timeout_ns);
	/* Call back for what wait() has brought, and set loop->worked if there was anything. */
	void (*deliver)(struct io_loop *loop);
	void (*release)(struct io_loop *loop);
};

struct io_loop {
	/* Written by anybody. */
	_Alignas(CACHE_LINE) _Atomic(struct io_work *) posted; /* the latest first */
	_Atomic(struct io_op *) finished;                      /* by workers; the latest first */
	/* Written by the loop, before and after it sleeps, and by the one who wakes it. */
	_Alignas(CACHE_LINE) atomic_uint sleeping; /* LOOP_ */
	int wake_fd;

	_Alignas(CACHE_LINE) const struct io_loop_ops *ops;
	struct loop_uring *uring; /* one of these two */
	struct loop_epoll *epoll;
	struct io_pool *pool;
	uint64_t (*now_ns)(void *opaque); /* NULL: CLOCK_MONOTONIC */
	void *now_opaque;
	bool manual, stop;
	bool rearm;                         /* some watch has not been armed for want of room */
	bool worked;                        /* this round has done something */
	struct io_op *writes, **writes_end; /* to the page cache, due in this round */
	unsigned inflight;                  /* ops that have not come back */
	unsigned dozers;                    /* io_loop_doze() */
	uint64_t write_again_ns;            /* when the loop may write by itself again */
	unsigned watch_count;
	uint64_t cookies;        /* the last one given */
	struct io_timer *timers; /* the earliest first */
	unsigned timer_count;    /* how many there are */
	struct io_prepare *prepares, *prepare_next;
	struct io_work finish_work, stop_work;
	pthread_t owner;
	struct thread *thread;
	struct io_watch *watches[WATCH_BUCKETS];
};

/* Make the loop's way to the kernel: 0, or -errno and nothing has changed. */
int loop_uring_open(struct io_loop *loop);
int loop_epoll_open(struct io_loop *loop);

/* The watch that has this cookie, NULL: it is no more. */
struct io_watch *loop_watch(struct io_loop *loop, uint64_t cookie);
/* The kernel says @events of the watch with this cookie, and looks no more. */
void loop_watch_event(struct io_loop *loop, uint64_t cookie, unsigned events);
/* Arm the watch if it wants to know more than the kernel looks for. */
void loop_watch_arm(struct io_loop *loop, struct io_watch *watch);

/* [any] @op is done, with its result set: call back on the loop. */
void loop_finish(struct io_loop *loop, struct io_op *op);

/* Do it, on the calling thread. */
ssize_t loop_execute(const struct io_op *op);

/* Worker threads for what would block the loop. They are started when there is work. */
struct io_pool *io_pool_new(void);
void io_pool_free(struct io_pool *pool); /* ops in it are finished first */
/* Its result comes by loop_finish(). */
void io_pool_submit(struct io_pool *pool, struct io_op *op);

#endif
