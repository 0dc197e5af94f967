/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * io-loop.c - a thread that waits: rounds, calls of other threads, timers, watches
 *
 * A round: call the prepare functions; write to the page cache; hand to the kernel what has
 * gathered, and wait; call back for what came; then for timers that are due; then run the calls
 * that were posted. What is posted by one of them has to wait for the next round, which then does
 * not sleep; so calls that post calls do not keep I/O and timers waiting.
 *
 * Posting. A call is pushed to a stack that the loop takes as a whole (so there is no ABA), and
 * turns round: first in, first out. The loop is woken only if it sleeps or is about to:
 *
 *	poster				loop
 *	P1 push to posted		L1 sleeping = SLEEPS
 *	P2 read sleeping		L2 read posted
 *	P3 if so, and I am the one	L3 if empty, wait for wake_fd and the rest
 *	   who makes it AWAKE,		L4 sleeping = AWAKE
 *	   write to wake_fd
 *
 * P1, P2, L1 and L2 are sequentially consistent, so they have one order for all threads. If L2
 * does not see the push, then L2 is before P1, therefore L1 before P2, and P2 reads SLEEPS, unless
 * another poster has made it AWAKE since L1, who will write, or L4 has come; then the next L1 is
 * behind P2, so the next L2 sees the push. So no call is left while the loop sleeps. The write may
 * come when the loop has woken for another reason: then it wakes up once in vain.
 *
 * On the loop itself, sleeping is AWAKE: a post costs no system call. A loop that dozes is woken in the
 * same way, but by a futex on sleeping.
 *
 * A call that is queued already is not pushed again, but its poster's writes must be seen by the
 * call: both sides exchange the flag, so the loop reads from the last of those who found it set.
 */
#include "base/io-loop.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <semaphore.h>
#include <sys/eventfd.h>

#include "base/error.h"
#include "base/io-loop-int.h"
#include "base/sys.h"
#include "base/thread.h"

/* What a write may take; what writes of a round may take; for how long threads write then. */
#define WRITE_SLOW_NS  UINT64_C(2000000)
#define WRITE_ROUND_NS UINT64_C(2000000)
#define WRITE_PAUSE_NS UINT64_C(100000000)

DATA_PATH uint64_t io_loop_now_ns(const struct io_loop *loop)
{
	return unlikely(loop->now_ns) ? loop->now_ns(loop->now_opaque) : sys_monotonic_ns();
}

enum io_loop_kind io_loop_kind(const struct io_loop *loop)
{
	return loop->ops->kind;
}

DATA_PATH bool io_loop_is_current(const struct io_loop *loop)
{
	return loop->manual || pthread_equal(pthread_self(), loop->owner);
}

/* Calls */

DATA_PATH void io_loop_post(struct io_loop *loop, struct io_work *work)
{
	static const uint64_t one = 1;
	struct io_work *head;

	if (atomic_exchange_explicit(&work->queued, true, memory_order_acq_rel))
		return;
	head = atomic_load_explicit(&loop->posted, memory_order_relaxed);
	do {
		work->next = head;
	} while (!atomic_compare_exchange_weak(&loop->posted, &head, work));
	if (atomic_load(&loop->sleeping) == LOOP_AWAKE)
		return;
	switch (atomic_exchange(&loop->sleeping, LOOP_AWAKE)) {
	case LOOP_SLEEPS:
		(void)sys_write(loop->wake_fd, &one, sizeof(one));
		break;
	case LOOP_DOZES:
		sys_futex_wake(&loop->sleeping);
		break;
	default:
		break;
	}
}

DATA_PATH static bool run_posted(struct io_loop *loop)
{
	struct io_work *list, *fifo = NULL;

	if (!atomic_load_explicit(&loop->posted, memory_order_relaxed))
		return false;
	list = atomic_exchange(&loop->posted, NULL);
	while (list) {
		struct io_work *next = list->next;

		list->next = fifo;
		fifo = list;
		list = next;
	}
	while (fifo) {
		struct io_work *work = fifo;

		/* When the flag is down, the struct is its owner's again. */
		fifo = work->next;
		(void)atomic_exchange_explicit(&work->queued, false, memory_order_acq_rel);
		work->fn(work->opaque);
	}
	return true;
}

struct loop_call {
	struct io_work work;
	void (*fn)(void *opaque);
	void *opaque;
	sem_t done;
};

static void call_run(void *opaque)
{
	struct loop_call *call = opaque;

	call->fn(call->opaque);
	sem_post(&call->done);
}

void io_loop_call(struct io_loop *loop, void (*fn)(void *opaque), void *opaque)
{
	struct loop_call call = {
		.work = { .fn = call_run, .opaque = &call },
		.fn = fn,
		.opaque = opaque,
	};

	if (loop->manual) {
		fn(opaque);
		return;
	}
	assert(!io_loop_is_current(loop));
	sem_init(&call.done, 0, 0);
	io_loop_post(loop, &call.work);
	while (sem_wait(&call.done) < 0)
		assert(errno == EINTR);
	sem_destroy(&call.done);
}

/* Watches */

static struct io_watch **bucket(struct io_loop *loop, uint64_t cookie)
{
	return &loop->watches[cookie % WATCH_BUCKETS];
}

DATA_PATH struct io_watch *loop_watch(struct io_loop *loop, uint64_t cookie)
{
	struct io_watch *watch = *bucket(loop, cookie);

	while (watch && watch->cookie != cookie)
		watch = watch->next;
	return watch;
}

static void watch_link(struct io_loop *loop, struct io_watch *watch)
{
	struct io_watch **head;

	watch->cookie = ++loop->cookies;
	head = bucket(loop, watch->cookie);
	watch->next = *head;
	*head = watch;
}

static void watch_unlink(struct io_loop *loop, struct io_watch *watch)
{
	struct io_watch **p = bucket(loop, watch->cookie);

	while (*p != watch) {
		assert(*p); /* is removed twice, or from another loop */
		p = &(*p)->next;
	}
	*p = watch->next;
}

DATA_PATH void loop_watch_arm(struct io_loop *loop, struct io_watch *watch)
{
	if (!(watch->events & ~watch->armed))
		return;
	if (watch->armed) {
		/* What the kernel says of the old one from now on must not be taken for news. */
		loop->ops->disarm(loop, watch);
		watch_unlink(loop, watch);
		watch_link(loop, watch);
	}
	loop->ops->arm(loop, watch);
}

DATA_PATH void loop_watch_event(struct io_loop *loop, uint64_t cookie, unsigned events)
{
	struct io_watch *watch = loop_watch(loop, cookie);

	if (!watch)
		return;
	watch->armed = 0;
	events &= watch->events | POLLERR | POLLHUP;
	if (watch->events && events) {
		loop->worked = true;
		watch->fn(watch->opaque, events);
		watch = loop_watch(loop, cookie);
	}
	if (watch)
		loop_watch_arm(loop, watch);
}

void io_watch_add(struct io_loop *loop, struct io_watch *watch, unsigned events)
{
	watch_link(loop, watch);
	loop->watch_count++;
	watch->armed = 0;
	watch->events = events;
	loop_watch_arm(loop, watch);
}

/* Who wants less than before leaves the kernel as it is, and does not arm again after the event. */
DATA_PATH void io_watch_set(struct io_loop *loop, struct io_watch *watch, unsigned events)
{
	watch->events = events;
	loop_watch_arm(loop, watch);
}

void io_watch_remove(struct io_loop *loop, struct io_watch *watch)
{
	if (watch->armed)
		loop->ops->disarm(loop, watch);
	watch->armed = 0;
	watch_unlink(loop, watch);
	loop->watch_count--;
}

static void rearm(struct io_loop *loop)
{
	loop->rearm = false;
	for (unsigned i = 0; i < WATCH_BUCKETS; i++) {
		struct io_watch *next;

		for (struct io_watch *watch = loop->watches[i]; watch; watch = next) {
			next = watch->next;
			loop_watch_arm(loop, watch);
		}
	}
}

/* Timers */

static void timer_link(struct io_loop *loop, struct io_timer *timer)
{
	struct io_timer **p = &loop->timers;

	while (*p && (*p)->deadline_ns <= timer->deadline_ns)
		p = &(*p)->next;
	timer->next = *p;
	*p = timer;
}

static void timer_unlink(struct io_loop *loop, struct io_timer *timer)
{
	struct io_timer **p = &loop->timers;

	while (*p != timer) {
		assert(*p); /* was not added, or to another loop */
		p = &(*p)->next;
	}
	*p = timer->next;
}

void io_timer_add(struct io_loop *loop, struct io_timer *timer)
{
	timer->deadline_ns = IO_TIMER_NEVER;
	timer_link(loop, timer);
	loop->timer_count++;
}

DATA_PATH void io_timer_set(struct io_loop *loop, struct io_timer *timer, uint64_t deadline_ns)
{
	if (timer->deadline_ns == deadline_ns)
		return;
	timer_unlink(loop, timer);
	timer->deadline_ns = deadline_ns;
	timer_link(loop, timer);
}

void io_timer_remove(struct io_loop *loop, struct io_timer *timer)
{
	timer_unlink(loop, timer);
	loop->timer_count--;
}

/* A timer that sets itself to a time that has passed is due again in the next round. */
DATA_PATH static bool run_timers(struct io_loop *loop)
{
	unsigned left = loop->timer_count;
	bool any = false;
	uint64_t now;

	if (!loop->timers || loop->timers->deadline_ns == IO_TIMER_NEVER)
		return false;
	now = io_loop_now_ns(loop);
	while (left-- && loop->timers && loop->timers->deadline_ns <= now) {
		struct io_timer *timer = loop->timers;

		io_timer_set(loop, timer, IO_TIMER_NEVER);
		timer->fn(timer->opaque);
		any = true;
	}
	return any;
}

void io_prepare_add(struct io_loop *loop, struct io_prepare *prepare)
{
	prepare->next = loop->prepares;
	loop->prepares = prepare;
}

void io_prepare_remove(struct io_loop *loop, struct io_prepare *prepare)
{
	struct io_prepare **p = &loop->prepares;

	while (*p != prepare) {
		assert(*p);
		p = &(*p)->next;
	}
	*p = prepare->next;
	if (loop->prepare_next == prepare)
		loop->prepare_next = prepare->next;
}

/* Ops */

/*
 * A write to the page cache is a copy most of the time. The kernel does not promise that, so most
 * file systems have io_uring hand it to a thread, which costs several times what the copy does. So
 * the loop writes by itself, as long as it need not wait: a write that took long (the kernel
 * throttles who makes too many dirty pages; or it had to read the rest of a page) sends the next
 * ones to threads for a while, and so does a round that has written for long enough. It writes
 * before it waits, when no callback is under way, which might hold a lock.
 */
DATA_PATH static bool write_here(struct io_loop *loop, struct io_op *op, uint64_t *left_ns)
{
	uint64_t start, took;

	if (!*left_ns)
		return false;
	start = io_loop_now_ns(loop);
	if (start < loop->write_again_ns)
		return false;
	op->result = loop_execute(op);
	took = io_loop_now_ns(loop) - start;
	*left_ns -= MIN(took, *left_ns);
	if (unlikely(took > WRITE_SLOW_NS))
		loop->write_again_ns = start + took + WRITE_PAUSE_NS;
	loop_finish(loop, op);
	return true;
}

DATA_PATH static void run_writes(struct io_loop *loop)
{
	struct io_op *list = loop->writes;
	uint64_t left_ns = WRITE_ROUND_NS;

	loop->writes = NULL;
	loop->writes_end = &loop->writes;
	while (list) {
		struct io_op *op = list;

		list = op->next;
		if (!write_here(loop, op, &left_ns))
			loop->ops->submit(loop, op);
	}
}

DATA_PATH void io_op_submit(struct io_loop *loop, struct io_op *op)
{
	op->loop = loop;
	op->punt = false;
	loop->inflight++;
	if (op->cached && op->kind == IO_OP_WRITEV && !op->rw_flags) {
		op->next = NULL;
		*loop->writes_end = op;
		loop->writes_end = &op->next;
	} else if (unlikely(op->kind == IO_OP_BLKDISCARD)) {
		io_pool_submit(loop->pool, op);
	} else {
		loop->ops->submit(loop, op);
	}
}

DATA_PATH void loop_finish(struct io_loop *loop, struct io_op *op)
{
	struct io_op *head = atomic_load_explicit(&loop->finished, memory_order_relaxed);

	do {
		op->next = head;
	} while (!atomic_compare_exchange_weak(&loop->finished, &head, op));
	io_loop_post(loop, &loop->finish_work);
}

DATA_PATH static void finish_run(void *opaque)
{
	struct io_loop *loop = opaque;
	struct io_op *list = atomic_exchange(&loop->finished, NULL), *fifo = NULL;

	while (list) {
		struct io_op *next = list->next;

		list->next = fifo;
		fifo = list;
		list = next;
	}
	while (fifo) {
		struct io_op *op = fifo;

		fifo = op->next;
		loop->inflight--;
		op->done(op, op->result);
	}
}

/* Rounds */

DATA_PATH void io_loop_doze(struct io_loop *loop, bool on)
{
	loop->dozers += on ? 1 : -1u;
}

/* How long may this round wait? Calls the prepare functions to find out. */
DATA_PATH static uint64_t prepare(struct io_loop *loop)
{
	uint64_t deadline = IO_TIMER_NEVER, now;

	for (struct io_prepare *p = loop->prepares; p; p = loop->prepare_next) {
		loop->prepare_next = p->next;
		p->fn(p->opaque, &deadline);
	}
	if (unlikely(loop->rearm))
		rearm(loop);
	if (loop->timers && loop->timers->deadline_ns < deadline)
		deadline = loop->timers->deadline_ns;
	if (deadline == IO_TIMER_NEVER)
		return deadline;
	now = io_loop_now_ns(loop);
	return deadline > now ? deadline - now : 0;
}

DATA_PATH static bool run_round(struct io_loop *loop, bool may_wait)
{
	uint64_t timeout_ns = prepare(loop);
	bool doze;

	if (loop->writes)
		run_writes(loop);
	loop->worked = false;
	if (!may_wait || loop->rearm)
		timeout_ns = 0;
	doze = loop->dozers && loop->ops->doze && !loop->manual;
	if (timeout_ns) {
		atomic_store(&loop->sleeping, doze ? LOOP_DOZES : LOOP_SLEEPS);
		if (atomic_load(&loop->posted)) {
			atomic_store_explicit(&loop->sleeping, LOOP_AWAKE, memory_order_relaxed);
			timeout_ns = 0;
		}
	}
	(timeout_ns && doze ? loop->ops->doze : loop->ops->wait)(loop, timeout_ns);
	if (timeout_ns)
		atomic_store_explicit(&loop->sleeping, LOOP_AWAKE, memory_order_relaxed);
	loop->ops->deliver(loop);
	loop->worked |= run_timers(loop);
	loop->worked |= run_posted(loop);
	return loop->worked;
}

bool io_loop_run(struct io_loop *loop, bool wait)
{
	assert(loop->manual);
	return run_round(loop, wait);
}

/* Life */

struct loop_start {
	struct io_loop *loop;
	enum io_loop_kind kind;
	int result;
	sem_t done;
};

static int open_kind(struct io_loop *loop, enum io_loop_kind kind)
{
	int ret;

	if (kind == IO_LOOP_THREADS)
		return loop_epoll_open(loop);
	ret = loop_uring_open(loop);
	if (ret < 0 && kind == IO_LOOP_AUTO)
		ret = loop_epoll_open(loop);
	return ret;
}

/* The ring belongs to the thread that makes it, so it is made here. */
static void loop_main(void *arg)
{
	struct loop_start *start = arg;
	struct io_loop *loop = start->loop;
	int ret;

	loop->owner = pthread_self();
	ret = open_kind(loop, start->kind);
	start->result = ret;
	sem_post(&start->done); /* start is no more */
	if (ret < 0)
		return;
	while (!loop->stop)
		(void)run_round(loop, true);
}

static void stop_run(void *opaque)
{
	struct io_loop *loop = opaque;

	loop->stop = true;
}

static void loop_destroy(struct io_loop *loop)
{
	io_pool_free(loop->pool);
	if (loop->ops)
		loop->ops->release(loop);
	fd_autoclose(&loop->wake_fd);
	g_aligned_free(loop);
}

static struct io_loop *loop_alloc(GError **error)
{
	int fd = sys_eventfd(0, 0);
	struct io_loop *loop;

	if (fd < 0) {
		error_sys(error, fd, "cannot make an eventfd");
		return NULL;
	}
	loop = g_aligned_alloc0(1, sizeof(*loop), CACHE_LINE);
	loop->wake_fd = fd;
	loop->cookies = COOKIE_WAKE;
	loop->writes_end = &loop->writes;
	loop->finish_work = (struct io_work){ .fn = finish_run, .opaque = loop };
	loop->stop_work = (struct io_work){ .fn = stop_run, .opaque = loop };
	loop->pool = io_pool_new();
	return loop;
}

static void start_error(GError **error, enum io_loop_kind kind, int err)
{
	error_sys(error, err,
		  kind == IO_LOOP_URING ? "cannot set up io_uring" : "cannot set up an I/O loop");
}

struct io_loop *io_loop_new(const char *name, enum io_loop_kind kind, GError **error)
{
	struct io_loop *loop = loop_alloc(error);
	struct loop_start start = { .loop = loop, .kind = kind };

	if (!loop)
		return NULL;
	sem_init(&start.done, 0, 0);
	loop->thread = thread_start(name, loop_main, &start, error);
	if (!loop->thread) {
		sem_destroy(&start.done);
		loop_destroy(loop);
		return NULL;
	}
	while (sem_wait(&start.done) < 0)
		assert(errno == EINTR);
	sem_destroy(&start.done);
	if (start.result < 0) {
		start_error(error, kind, start.result);
		thread_join(loop->thread);
		loop_destroy(loop);
		return NULL;
	}
	return loop;
}

struct io_loop *io_loop_new_manual(enum io_loop_kind kind, uint64_t (*now_ns)(void *opaque),
				   void *opaque, GError **error)
{
	struct io_loop *loop = loop_alloc(error);
	int ret;

	if (!loop)
		return NULL;
	loop->manual = true;
	loop->now_ns = now_ns;
	loop->now_opaque = opaque;
	ret = open_kind(loop, kind);
	if (ret < 0) {
		start_error(error, kind, ret);
		loop_destroy(loop);
		return NULL;
	}
	return loop;
}

void io_loop_free(struct io_loop *loop)
{
	if (!loop)
		return;
	if (loop->thread) {
		assert(!io_loop_is_current(loop));
		io_loop_post(loop, &loop->stop_work);
		thread_join(loop->thread);
	}
	assert(!loop->watch_count && !loop->timer_count && !loop->prepares && !loop->inflight);
	loop_destroy(loop);
}
