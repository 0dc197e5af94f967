/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * io-loop-threads.c - the loop without io_uring: epoll, and worker threads for I/O that blocks
 *
 * epoll wants to be told of each descriptor once. A watch that hears nothing is left in it until
 * an event comes that nobody wants, and is taken out then; so a watch that is turned off and on
 * again costs nothing. Regular files, which epoll refuses, are always ready.
 *
 * Workers are started when an op finds none that is idle. They end with the pool. The loop on
 * io_uring has a pool too, for what io_uring does not know.
 */
#include <assert.h>
#include <errno.h>
#include <linux/fs.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>

#include "base/io-loop-int.h"
#include "base/sys.h"
#include "base/thread.h"

static_assert(EPOLLIN == POLLIN && EPOLLOUT == POLLOUT && EPOLLERR == POLLERR &&
		      EPOLLHUP == POLLHUP && EPOLLPRI == POLLPRI && EPOLLRDHUP == POLLRDHUP,
	      "events of poll are those of epoll");

enum {
	EVENTS_MAX = 64,
	WORKERS_MAX = 4
};

/* In watch->armed, above all events: not with epoll, and always ready. */
static const unsigned always_ready = 1u << 31;

struct loop_epoll {
	int fd;
	int count; /* of events that wait() has brought */
	unsigned always;
	struct epoll_event events[EVENTS_MAX];
};

/* Watches */

DATA_PATH static void epoll_arm(struct io_loop *loop, struct io_watch *watch)
{
	struct loop_epoll *e = loop->epoll;
	int ret = sys_epoll_ctl(e->fd, EPOLL_CTL_ADD, watch->fd, watch->events, watch->cookie);

	watch->armed = watch->events;
	if (unlikely(ret == -EPERM)) {
		watch->armed |= always_ready;
		e->always++;
	} else if (unlikely(ret < 0)) {
		watch->armed = 0;
		loop->rearm = true;
	}
}

DATA_PATH static void epoll_disarm(struct io_loop *loop, struct io_watch *watch)
{
	struct loop_epoll *e = loop->epoll;

	if (unlikely(watch->armed & always_ready))
		e->always--;
	else
		(void)sys_epoll_ctl(e->fd, EPOLL_CTL_DEL, watch->fd, 0, 0);
	watch->armed = 0;
}

/* The kernel goes on looking, unlike io_uring's: what has been seen of the watch stays armed. */
DATA_PATH static void epoll_event(struct io_loop *loop, uint64_t cookie, unsigned events)
{
	struct io_watch *watch = loop_watch(loop, cookie);

	if (!watch)
		return;
	events &= watch->events | POLLERR | POLLHUP;
	if (watch->events && events) {
		loop->worked = true;
		watch->fn(watch->opaque, events);
	} else {
		epoll_disarm(loop, watch);
		loop_watch_arm(loop, watch);
	}
}

static void deliver_always(struct io_loop *loop)
{
	/* By cookie: calls may add and remove. What they add is looked at in the next round. */
	for (unsigned i = 0; i < WATCH_BUCKETS; i++) {
		struct io_watch *watch = loop->watches[i];

		while (watch) {
			uint64_t cookie = watch->cookie;
			bool ready = watch->armed & always_ready;

			if (ready)
				epoll_event(loop, cookie, watch->events & (POLLIN | POLLOUT));
			watch = ready ? loop_watch(loop, cookie) : watch;
			watch = watch ? watch->next : NULL;
		}
	}
}

/* Rounds */

DATA_PATH static void epoll_round_wait(struct io_loop *loop, uint64_t timeout_ns)
{
	struct loop_epoll *e = loop->epoll;
	int ret = sys_epoll_wait(e->fd, e->events, EVENTS_MAX, e->always ? 0 : timeout_ns);

	e->count = ret < 0 ? 0 : ret;
}

DATA_PATH static void epoll_deliver(struct io_loop *loop)
{
	struct loop_epoll *e = loop->epoll;
	uint64_t count;

	for (int i = 0; i < e->count; i++) {
		if (e->events[i].data.u64 == COOKIE_WAKE)
			(void)sys_read(loop->wake_fd, &count, sizeof(count));
		else
			epoll_event(loop, e->events[i].data.u64, e->events[i].events);
	}
	if (unlikely(e->always))
		deliver_always(loop);
}

DATA_PATH static void epoll_submit(struct io_loop *loop, struct io_op *op)
{
	io_pool_submit(loop->pool, op);
}

static void epoll_release(struct io_loop *loop)
{
	fd_autoclose(&loop->epoll->fd);
	g_free(loop->epoll);
}

static const struct io_loop_ops epoll_ops = {
	.kind = IO_LOOP_THREADS,
	.arm = epoll_arm,
	.disarm = epoll_disarm,
	.submit = epoll_submit,
	.wait = epoll_round_wait,
	.deliver = epoll_deliver,
	.release = epoll_release,
};

int loop_epoll_open(struct io_loop *loop)
{
	autofd int fd = sys_epoll_create();
	int ret;

	if (fd < 0)
		return fd;
	ret = sys_epoll_ctl(fd, EPOLL_CTL_ADD, loop->wake_fd, EPOLLIN, COOKIE_WAKE);
	if (ret < 0)
		return ret;
	loop->epoll = g_new0(struct loop_epoll, 1);
	loop->epoll->fd = fd_steal(&fd);
	loop->ops = &epoll_ops;
	return 0;
}

/* Workers */

struct io_pool {
	pthread_mutex_t lock;
	pthread_cond_t more; /* an op, or the end */
	struct io_op *first, **end;
	unsigned queued, idle, count;
	bool ending;
	struct thread *workers[WORKERS_MAX];
};

DATA_PATH ssize_t loop_execute(const struct io_op *op)
{
	uint64_t range[2] = { op->off, op->len };

	switch (op->kind) {
	case IO_OP_READV:
		return sys_preadv(op->fd, op->iov, (int)op->iov_count, (off_t)op->off,
				  op->rw_flags);
	case IO_OP_WRITEV:
		return sys_pwritev(op->fd, op->iov, (int)op->iov_count, (off_t)op->off,
				   op->rw_flags);
	case IO_OP_FDATASYNC:
		return sys_fdatasync(op->fd);
	case IO_OP_FALLOCATE:
		return sys_fallocate(op->fd, op->mode, (off_t)op->off, (off_t)op->len);
	case IO_OP_BLKDISCARD:
		return sys_ioctl(op->fd, BLKDISCARD, range);
	case IO_OP_KIND_COUNT:
	default:
		return -EINVAL;
	}
}

DATA_PATH static struct io_op *pool_take_locked(struct io_pool *pool)
{
	struct io_op *op = pool->first;

	pool->first = op->next;
	if (!pool->first)
		pool->end = &pool->first;
	pool->queued--;
	return op;
}

static void worker_main(void *opaque)
{
	struct io_pool *pool = opaque;

	pthread_mutex_lock(&pool->lock);
	for (;;) {
		struct io_op *op;

		while (!pool->first && !pool->ending) {
			pool->idle++;
			pthread_cond_wait(&pool->more, &pool->lock);
			pool->idle--;
		}
		if (!pool->first)
			break;
		op = pool_take_locked(pool);
		pthread_mutex_unlock(&pool->lock);
		op->result = loop_execute(op);
		loop_finish(op->loop, op);
		pthread_mutex_lock(&pool->lock);
	}
	pthread_mutex_unlock(&pool->lock);
}

/* Without a single worker nobody would ever do the op. */
static bool worker_start(struct io_pool *pool)
{
	struct thread *thread = thread_start("socle-io", worker_main, pool, NULL);

	if (thread)
		pool->workers[pool->count++] = thread;
	return pool->count;
}

void io_pool_submit(struct io_pool *pool, struct io_op *op)
{
	bool start;

	pthread_mutex_lock(&pool->lock);
	start = pool->queued >= pool->idle && pool->count < WORKERS_MAX;
	pthread_mutex_unlock(&pool->lock);
	/* Only the loop starts workers. */
	if (start && !worker_start(pool)) {
		op->result = -EAGAIN;
		loop_finish(op->loop, op);
		return;
	}
	pthread_mutex_lock(&pool->lock);
	op->next = NULL;
	*pool->end = op;
	pool->end = &op->next;
	pool->queued++;
	pthread_cond_signal(&pool->more);
	pthread_mutex_unlock(&pool->lock);
}

struct io_pool *io_pool_new(void)
{
	struct io_pool *pool = g_new0(struct io_pool, 1);

	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->more, NULL);
	pool->end = &pool->first;
	return pool;
}

void io_pool_free(struct io_pool *pool)
{
	if (!pool)
		return;
	pthread_mutex_lock(&pool->lock);
	pool->ending = true;
	pthread_cond_broadcast(&pool->more);
	pthread_mutex_unlock(&pool->lock);
	for (unsigned i = 0; i < pool->count; i++)
		thread_join(pool->workers[i]);
	pthread_cond_destroy(&pool->more);
	pthread_mutex_destroy(&pool->lock);
	g_free(pool);
}
