/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * io-loop.h - a thread that waits for descriptors, kernel I/O, times, and calls of other threads
 *
 * Disks and network cards live on such a loop, so that neither a vCPU nor the main loop waits for
 * them. Where the host permits io_uring, one system call of the loop submits what has gathered and
 * waits for all there is; elsewhere the loop waits by epoll, and a few worker threads do the I/O.
 * Callers cannot tell.
 *
 * All structs here are the caller's, embedded in what they serve; nothing is allocated after
 * io_loop_new(). What is registered must be removed, and what is submitted completed, before the
 * loop is freed.
 *
 * Threads: [loop] = the loop's own thread, that is: inside one of its callbacks; [any] = any.
 */
#ifndef BASE_IO_LOOP_H
#define BASE_IO_LOOP_H

#include <glib.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "base/cleanup.h"

struct io_loop;

enum io_loop_kind {
	IO_LOOP_AUTO,    /* io_uring where it is permitted, else threads */
	IO_LOOP_URING,   /* or fail */
	IO_LOOP_THREADS, /* epoll and worker threads */
};

/* A call that is wanted on the loop. Set fn and opaque, the rest zero. Lives until it has run. */
struct io_work {
	void (*fn)(void *opaque);
	void *opaque;
	/* private */
	atomic_bool queued;
	struct io_work *next;
};

/* A descriptor to be watched, level-triggered. A loop has at most one watch for a descriptor. */
struct io_watch {
	int fd;
	/* [loop] @events are of poll(2): POLLIN, POLLOUT, POLLERR, POLLHUP */
	void (*fn)(void *opaque, unsigned events);
	void *opaque;
	/* private */
	unsigned events, armed;
	struct io_watch *next;
	uint64_t cookie;
};

#define IO_TIMER_NEVER UINT64_MAX

struct io_timer {
	void (*fn)(void *opaque); /* [loop] once, when the deadline has passed */
	void *opaque;
	/* private */
	uint64_t deadline_ns;
	struct io_timer *next;
};

/* Called each time before the loop waits; it may register, submit, and lower *deadline_ns. */
struct io_prepare {
	void (*fn)(void *opaque, uint64_t *deadline_ns); /* [loop] */
	void *opaque;
	/* private */
	struct io_prepare *next;
};

enum io_op_kind {
	IO_OP_READV,
	IO_OP_WRITEV,
	IO_OP_FDATASYNC,
	IO_OP_FALLOCATE,
	IO_OP_BLKDISCARD, /* of a block device, by ioctl(2), hence on a worker thread */
	IO_OP_KIND_COUNT,
};

/* One request to the kernel on a file or block device. */
struct io_op {
	enum io_op_kind kind;
	int fd;
	uint64_t off;
	const struct iovec *iov; /* READV, WRITEV: lives until done() */
	unsigned iov_count;      /* at most IOV_MAX */
	int rw_flags;            /* READV, WRITEV: RWF_DSYNC or 0 */
	bool cached;             /* WRITEV: to the page cache, where it rarely has to wait */
	uint64_t len;            /* FALLOCATE, BLKDISCARD */
	int mode;                /* FALLOCATE: FALLOC_FL_... */
	/* [loop] Bytes moved (maybe fewer than asked for), 0, or -errno; EINTR is retried. The
	 * struct is the caller's again. Never called from inside io_op_submit(). */
	void (*done)(struct io_op *op, ssize_t result);
	/* private */
	struct io_loop *loop;
	struct io_op *next;
	ssize_t result;
	bool punt;
};

/**
 * io_loop_new() - start a loop in a thread of its own
 * @name: of the thread, at most 15 bytes
 */
struct io_loop *io_loop_new(const char *name, enum io_loop_kind kind, GError **error);
/**
 * io_loop_new_manual() - a loop without a thread, for tests: io_loop_run() is its thread
 * @now_ns: where its time comes from; NULL: the host's monotonic clock. It tells which timers are
 *          due; a loop that waits, waits in the host's time.
 */
struct io_loop *io_loop_new_manual(enum io_loop_kind kind, uint64_t (*now_ns)(void *opaque),
				   void *opaque, GError **error);
/* Would a loop of IO_LOOP_AUTO have io_uring? Return: 0, or -errno, which says why not. */
int io_loop_try_uring(void);
/* Ends the thread. NULL is fine. Not on the loop. */
void io_loop_free(struct io_loop *loop);
DEFINE_AUTOPTR(io_loop, io_loop_free);

/* One round of a manual loop: do what is to be done, waiting for the first of it if @wait.
 * True if something was. */
bool io_loop_run(struct io_loop *loop, bool wait);

/* What it came to be: IO_LOOP_URING or IO_LOOP_THREADS. */
enum io_loop_kind io_loop_kind(const struct io_loop *loop);
/* Is the caller the loop's thread? Always true for a manual loop. [any] */
bool io_loop_is_current(const struct io_loop *loop);
/* The loop's clock: CLOCK_MONOTONIC in nanoseconds. [any] */
uint64_t io_loop_now_ns(const struct io_loop *loop);

/* [any] Call work->fn(work->opaque) on the loop soon, once if it is asked for several times before
 * that. On the loop itself: at the end of this round, before it waits. No lock, no allocation. */
void io_loop_post(struct io_loop *loop, struct io_work *work);
/* [any, not the loop] Call fn on the loop and wait until it has returned. A manual loop calls it at
 * once. */
void io_loop_call(struct io_loop *loop, void (*fn)(void *opaque), void *opaque);

/* [loop] @events 0 keeps the watch but hears nothing, except errors in some modes. The descriptor
 * must stay open until io_watch_remove(), after which fn is not called any more. */
void io_watch_add(struct io_loop *loop, struct io_watch *watch, unsigned events);
void io_watch_set(struct io_loop *loop, struct io_watch *watch, unsigned events);
void io_watch_remove(struct io_loop *loop, struct io_watch *watch);

/* [loop] A timer is added unset, and removed before its struct goes. */
void io_timer_add(struct io_loop *loop, struct io_timer *timer);
void io_timer_set(struct io_loop *loop, struct io_timer *timer, uint64_t deadline_ns);
void io_timer_remove(struct io_loop *loop, struct io_timer *timer);

/* [loop] */
void io_prepare_add(struct io_loop *loop, struct io_prepare *prepare);
void io_prepare_remove(struct io_loop *loop, struct io_prepare *prepare);

/*
 * [loop] While somebody wants it (each @on needs its !@on) the loop waits for calls and timers only:
 * what has happened to ops and watches is seen when one of these comes. For who expects many and
 * can wait a moment; a timer must set an end to it. A loop with worker threads does not doze, nor
 * does a manual one.
 */
void io_loop_doze(struct io_loop *loop, bool on);

/* [loop] Never fails: what the kernel refuses comes back by done(). Ops may go to the kernel as late
 * as at the end of the round, in groups. */
void io_op_submit(struct io_loop *loop, struct io_op *op);

#endif
