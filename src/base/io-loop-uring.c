/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * io-loop-uring.c - the loop on io_uring: one system call a round submits and waits
 *
 * Ops and watches become entries of the submission queue, which the kernel gets at the end of the
 * round, by the call that also waits. Where a round has many ops, the kernel gets them by fours, lest
 * the disk has nothing to do until the last one is there. A watch is a poll for one
 * event, submitted anew after each: with that it is level-triggered, at no system call of its own.
 *
 * The loop's own eventfd is the exception: one poll that lasts tells of each write to it. Nobody reads
 * the eventfd; its counter has room for the writes of centuries.
 *
 * user_data holds a pointer to an op, or a watch's cookie; the two lowest bits tell which.
 *
 * No completion is lost: not more ops are in the kernel than the completion queue has room for, the
 * rest waits in the backlog; and kernels without IORING_FEAT_NODROP are refused, as are those before
 * Linux 5.13, which have no polls that last (IORING_FEAT_RSRC_TAGS came with these).
 *
 * Completions do not interrupt the loop: they are worked off when it asks for them (DEFER_TASKRUN; on
 * kernels before 6.1 when it is in the kernel anyhow), so that it can doze. There is never a thread of
 * the kernel that polls (SQPOLL): an idle machine must not use a CPU.
 */
#include <assert.h>
#include <errno.h>
#include <liburing.h>
#include <linux/time_types.h>
#include <poll.h>

#include "base/io-loop-int.h"
#include "base/sys.h"

enum {
	SQ_ENTRIES = 512,
	SUBMIT_AT = 4, /* ops; more take longer to reach the disk, fewer cost more calls */
	CQ_ENTRIES = 4096,
	OPS_MAX = CQ_ENTRIES - 1024, /* the rest is for polls */
};

enum {
	TAG_OP,
	TAG_WATCH,
	TAG_WAKE,
	TAG_IGNORE,
	TAG_MASK = 3
};

struct loop_uring {
	struct io_uring ring;
	unsigned ops; /* in the rings and the kernel */
	struct io_op *backlog, **backlog_end;
	bool wake_armed;
};

/* An entry to fill in; NULL if the kernel does not take what is there. */
DATA_PATH static struct io_uring_sqe *sqe_get(struct loop_uring *u)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&u->ring);

	if (likely(sqe))
		return sqe;
	(void)io_uring_submit(&u->ring);
	return io_uring_get_sqe(&u->ring);
}

DATA_PATH static void tag(struct io_uring_sqe *sqe, uint64_t value, unsigned kind)
{
	sqe->user_data = value | kind;
}

/* Watches */

DATA_PATH static void uring_arm(struct io_loop *loop, struct io_watch *watch)
{
	struct io_uring_sqe *sqe = sqe_get(loop->uring);

	if (!sqe) {
		loop->rearm = true;
		return;
	}
	io_uring_prep_poll_add(sqe, watch->fd, watch->events);
	tag(sqe, watch->cookie << 2, TAG_WATCH);
	watch->armed = watch->events;
}

/*
 * The file is held by the poll. Its owner is about to close it, and may rely on what closing does
 * (a port is free, a tap can be opened again), so this does not wait for the end of the round.
 */
static void uring_disarm(struct io_loop *loop, struct io_watch *watch)
{
	struct loop_uring *u = loop->uring;
	struct io_uring_sqe *sqe = sqe_get(u);

	/* A kernel short of memory: ask until it has some; there is no other way to be rid of it. */
	while (!sqe) {
		(void)io_uring_submit_and_get_events(&u->ring);
		sqe = io_uring_get_sqe(&u->ring);
	}
	io_uring_prep_poll_remove(sqe, watch->cookie << 2 | TAG_WATCH);
	tag(sqe, 0, TAG_IGNORE);
	(void)io_uring_submit_and_get_events(&u->ring);
}

DATA_PATH static void arm_wake(struct io_loop *loop)
{
	struct loop_uring *u = loop->uring;
	struct io_uring_sqe *sqe = sqe_get(u);

	if (!sqe) {
		loop->rearm = true;
		return;
	}
	io_uring_prep_poll_multishot(sqe, loop->wake_fd, POLLIN);
	tag(sqe, 0, TAG_WAKE);
	u->wake_armed = true;
}

/* Ops */

/* What a test wants of it: 0, -errno, or -SYS_SHORT. */
DATA_PATH static int op_injected(const struct io_op *op)
{
	static const enum sys_call calls[IO_OP_KIND_COUNT] = {
		[IO_OP_READV] = SYS_PREADV,        [IO_OP_WRITEV] = SYS_PWRITEV,
		[IO_OP_FDATASYNC] = SYS_FDATASYNC, [IO_OP_FALLOCATE] = SYS_FALLOCATE,
		[IO_OP_BLKDISCARD] = SYS_IOCTL,
	};

	return sys_fail_now(calls[op->kind]);
}

DATA_PATH static void prep_rw(struct io_uring_sqe *sqe, const struct io_op *op)
{
	bool is_short = unlikely(op->result == -SYS_SHORT);
	bool read = op->kind == IO_OP_READV;

	if (op->iov_count == 1 || (is_short && op->iov_count)) {
		size_t len = is_short ? sys_short_len(op->iov->iov_len) : op->iov->iov_len;
		/* The field has 32 bits; what is left out is a short transfer. */
		unsigned n = (unsigned)MIN(len, (size_t)1 << 30);

		io_uring_prep_rw(read ? IORING_OP_READ : IORING_OP_WRITE, sqe, op->fd,
				 op->iov->iov_base, n, op->off);
	} else {
		io_uring_prep_rw(read ? IORING_OP_READV : IORING_OP_WRITEV, sqe, op->fd, op->iov,
				 op->iov_count, op->off);
	}
	sqe->rw_flags = op->rw_flags;
}

DATA_PATH static void prep_op(struct io_uring_sqe *sqe, struct io_op *op)
{
	switch (op->kind) {
	case IO_OP_READV:
	case IO_OP_WRITEV:
		prep_rw(sqe, op);
		break;
	case IO_OP_FDATASYNC:
		io_uring_prep_fsync(sqe, op->fd, IORING_FSYNC_DATASYNC);
		break;
	case IO_OP_FALLOCATE:
		io_uring_prep_rw(IORING_OP_FALLOCATE, sqe, op->fd, NULL, (unsigned)op->mode,
				 op->off);
		sqe->addr = op->len;
		break;
	case IO_OP_BLKDISCARD:
	case IO_OP_KIND_COUNT:
	default:
		io_uring_prep_nop(sqe);
		break;
	}
	if (unlikely(op->punt))
		sqe->flags |= IOSQE_ASYNC;
	tag(sqe, (uint64_t)(uintptr_t)op, TAG_OP);
}

DATA_PATH static void backlog_add(struct loop_uring *u, struct io_op *op)
{
	op->next = NULL;
	*u->backlog_end = op;
	u->backlog_end = &op->next;
}

/* False if there is no room. */
DATA_PATH static bool op_push(struct io_loop *loop, struct io_op *op)
{
	struct loop_uring *u = loop->uring;
	struct io_uring_sqe *sqe;

	if (u->ops >= OPS_MAX)
		return false;
	sqe = sqe_get(u);
	if (!sqe)
		return false;
	prep_op(sqe, op);
	u->ops++;
	if (io_uring_sq_ready(&u->ring) >= SUBMIT_AT)
		(void)io_uring_submit(&u->ring);
	return true;
}

DATA_PATH static void op_queue(struct io_loop *loop, struct io_op *op)
{
	struct loop_uring *u = loop->uring;

	if (unlikely(u->backlog) || !op_push(loop, op))
		backlog_add(u, op);
}

DATA_PATH static void uring_submit(struct io_loop *loop, struct io_op *op)
{
	op->result = op_injected(op);
	if (unlikely(op->result < 0 && op->result != -SYS_SHORT))
		loop_finish(loop, op);
	else
		op_queue(loop, op);
}

DATA_PATH static void push_backlog(struct io_loop *loop)
{
	struct loop_uring *u = loop->uring;

	while (u->backlog) {
		struct io_op *op = u->backlog, *next = op->next;

		if (!op_push(loop, op))
			return;
		u->backlog = next;
		if (!next)
			u->backlog_end = &u->backlog;
	}
}

/* The kernel asks for patience by -EAGAIN: the op goes to one of its threads, which can wait. */
DATA_PATH static void op_complete(struct io_loop *loop, struct io_op *op, int result)
{
	struct loop_uring *u = loop->uring;

	u->ops--;
	if (unlikely(result == -EINTR || (result == -EAGAIN && !op->punt))) {
		op->punt |= result == -EAGAIN;
		op_queue(loop, op);
		return;
	}
	loop->inflight--;
	loop->worked = true;
	op->done(op, result);
}

/* Rounds */

DATA_PATH static void uring_wait(struct io_loop *loop, uint64_t timeout_ns)
{
	struct loop_uring *u = loop->uring;
	struct io_uring_cqe *cqe;

	if (unlikely(!u->wake_armed))
		arm_wake(loop);
	if (unlikely(u->backlog))
		push_backlog(loop);
	if (timeout_ns == IO_TIMER_NEVER) {
		(void)io_uring_submit_and_wait(&u->ring, 1);
	} else if (timeout_ns) {
		struct __kernel_timespec ts = {
			.tv_sec = (int64_t)(timeout_ns / 1000000000u),
			.tv_nsec = (long long)(timeout_ns % 1000000000u),
		};

		(void)io_uring_submit_and_wait_timeout(&u->ring, &cqe, 1, &ts, NULL);
	} else if (io_uring_sq_ready(&u->ring)) {
		(void)io_uring_submit_and_get_events(&u->ring);
	} else {
		/* Asks the kernel only if it says that it has something. */
		(void)io_uring_peek_batch_cqe(&u->ring, &cqe, 1);
	}
}

/* A completion does not wake who waits for something else: it is worked off afterwards. */
DATA_PATH static void uring_doze(struct io_loop *loop, uint64_t timeout_ns)
{
	struct loop_uring *u = loop->uring;

	if (unlikely(!u->wake_armed))
		arm_wake(loop);
	if (unlikely(u->backlog))
		push_backlog(loop);
	if (io_uring_sq_ready(&u->ring))
		(void)io_uring_submit(&u->ring);
	sys_futex_wait(&loop->sleeping, LOOP_DOZES, timeout_ns);
	(void)io_uring_get_events(&u->ring);
}

/*
 * What woke a poll is not what there is: sockets wake for ordinary data as if it were urgent, too,
 * and io_uring hands that on. So POLLPRI counts only if poll(2) says it as well.
 */
DATA_PATH static unsigned check_urgent(int fd, unsigned events)
{
	struct pollfd poll = { .fd = fd, .events = POLLPRI };

	if (sys_poll(&poll, 1, 0) <= 0 || !(poll.revents & POLLPRI))
		events &= ~(unsigned)POLLPRI;
	return events;
}

DATA_PATH static void watch_complete(struct io_loop *loop, uint64_t cookie, int result)
{
	unsigned events = result < 0 ? POLLERR : (unsigned)result;
	struct io_watch *watch;

	if (unlikely(result == -EAGAIN || result == -EINTR || result == -ENOMEM ||
		     result == -ECANCELED))
		events = 0; /* no event: arm again */
	watch = loop_watch(loop, cookie);
	if (watch && unlikely(events & watch->events & POLLPRI))
		events = check_urgent(watch->fd, events);
	loop_watch_event(loop, cookie, events);
}

/* An entry is taken off before the call, since that may have the kernel add others. */
DATA_PATH static void uring_deliver(struct io_loop *loop)
{
	struct loop_uring *u = loop->uring;
	unsigned left = io_uring_cq_ready(&u->ring);
	struct io_uring_cqe *cqe;

	while (left-- && io_uring_peek_batch_cqe(&u->ring, &cqe, 1)) {
		uint64_t data = cqe->user_data;
		uint32_t flags = cqe->flags;
		int result = cqe->res;

		io_uring_cq_advance(&u->ring, 1);
		switch (data & TAG_MASK) {
		case TAG_OP:
			/* NOLINTNEXTLINE(performance-no-int-to-ptr): as it was given to the kernel */
			op_complete(loop, (struct io_op *)(uintptr_t)data, result);
			break;
		case TAG_WATCH:
			watch_complete(loop, data >> 2, result);
			break;
		case TAG_WAKE:
			u->wake_armed = flags & IORING_CQE_F_MORE;
			break;
		default:
			break;
		}
	}
}

static void uring_release(struct io_loop *loop)
{
	io_uring_queue_exit(&loop->uring->ring);
	g_free(loop->uring);
}

static const struct io_loop_ops uring_ops = {
	.kind = IO_LOOP_URING,
	.arm = uring_arm,
	.disarm = uring_disarm,
	.submit = uring_submit,
	.wait = uring_wait,
	.doze = uring_doze,
	.deliver = uring_deliver,
	.release = uring_release,
};

static int ring_open(struct io_uring *ring, bool manual)
{
	/* What a manual loop does is done by whoever calls it: no single issuer. */
	static const unsigned flags[] = {
		IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
		IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
		0,
	};
	int ret = sys_fail_now(SYS_URING);

	if (ret < 0)
		return ret;
	for (size_t i = manual; i < ARRAY_SIZE(flags); i++) {
		struct io_uring_params params = {
			.flags = flags[i] | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP |
				 IORING_SETUP_SUBMIT_ALL,
			.cq_entries = CQ_ENTRIES,
		};

		ret = io_uring_queue_init_params(SQ_ENTRIES, ring, &params);
		if (ret != -EINVAL)
			break;
	}
	if (ret < 0)
		return ret;
	if ((ring->features & LOOP_URING_FEATURES) != LOOP_URING_FEATURES) {
		io_uring_queue_exit(ring);
		return -ENOSYS;
	}
	(void)io_uring_ring_dontfork(ring);
	return 0;
}

int loop_uring_open(struct io_loop *loop)
{
	struct loop_uring *u = g_new0(struct loop_uring, 1);
	int ret = ring_open(&u->ring, loop->manual);

	if (ret < 0) {
		g_free(u);
		return ret;
	}
	u->backlog_end = &u->backlog;
	loop->uring = u;
	loop->ops = &uring_ops;
	return 0;
}
