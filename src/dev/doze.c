/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * doze.c - let work gather while the guest computes
 */
#include "dev/doze.h"

enum {
	STREAK_MIN = 4, /* events in a row, each within time_ns of the one before */
	STREAK_MAX = 32,
	FRUIT = 2, /* requests or frames that are worth a doze */
};

DATA_PATH static void over(struct doze *doze)
{
	io_loop_doze(doze->loop, false);
	io_timer_set(doze->loop, &doze->timer, IO_TIMER_NEVER);
	doze->dozes = false;
	doze->streak = 0;
	doze->streak_min =
		doze->found >= FRUIT ? STREAK_MIN : MIN(doze->streak_min * 2, STREAK_MAX);
}

DATA_PATH bool doze_begin(struct doze *doze, unsigned index, uint64_t now_ns)
{
	const uint64_t bit = UINT64_C(1) << index;

	/* Asked by take(), it goes on. */
	if (doze->streak < doze->streak_min && !(doze->queues & bit))
		return false;
	if (!io_idle_arm(doze->dev->idle, &doze->halted))
		return false;
	doze->queues |= bit;
	if (doze->dozes)
		return true;
	doze->dozes = true;
	doze->found = 0;
	io_timer_set(doze->loop, &doze->timer, now_ns + doze->time_ns);
	io_loop_doze(doze->loop, true);
	return true;
}

DATA_PATH void doze_event(struct doze *doze, unsigned events, uint64_t now_ns)
{
	if (now_ns - doze->last_ns >= doze->time_ns)
		doze->streak /= 2;
	else if (doze->streak < doze->streak_min)
		doze->streak += events;
	doze->last_ns = now_ns;
}

static bool may_take(const struct doze *doze)
{
	return virtio_live(doze->dev) && !doze->dev->paused;
}

DATA_PATH static void take_all(struct doze *doze, uint64_t now_ns)
{
	uint64_t queues = doze->queues;

	for (unsigned i = 0; queues; i++, queues >>= 1) {
		if (queues & 1)
			doze->take(doze->dev, i, now_ns);
	}
}

DATA_PATH void doze_take(struct doze *doze, uint64_t now_ns)
{
	if (doze->queues && may_take(doze))
		take_all(doze, now_ns);
}

/* The driver notifies again. */
DATA_PATH static void notify_all(struct doze *doze)
{
	uint64_t queues = doze->queues;

	doze->queues = 0;
	for (unsigned i = 0; queues; i++, queues >>= 1) {
		if (queues & 1 && virtq_notify_on(doze->dev->queue[i]))
			virtio_kick_self(doze->dev, i);
	}
}

/* [loop] Without the lock: the time is over, or a vCPU has halted. */
DATA_PATH static void wake(void *opaque)
{
	struct doze *doze = opaque;
	const uint64_t now_ns = io_loop_now_ns(doze->loop);

	virtio_lock(doze->dev);
	if (doze->dozes && may_take(doze)) {
		take_all(doze, now_ns);
		if (doze->found >= FRUIT && io_idle_arm(doze->dev->idle, &doze->halted)) {
			doze->found = 0;
			io_timer_set(doze->loop, &doze->timer, now_ns + doze->time_ns);
		} else {
			over(doze);
			notify_all(doze);
		}
	} else if (doze->dozes) {
		over(doze);
		doze->queues = 0; /* a resume kicks all, a reset forgets */
	}
	virtio_unlock(doze->dev);
}

/* [any vCPU] */
DATA_PATH static void on_halt(void *opaque)
{
	struct doze *doze = opaque;

	io_loop_post(doze->loop, &doze->work);
}

void doze_reset(struct doze *doze, int index)
{
	if (index >= 0) {
		doze->queues &= ~(UINT64_C(1) << index);
		return;
	}
	doze->queues = 0;
	doze->streak = 0;
	io_idle_disarm(doze->dev->idle, &doze->halted);
}

void doze_init(struct doze *doze, struct virtio_device *dev, struct io_loop *loop, uint64_t time_ns,
	       void (*take)(struct virtio_device *dev, unsigned index, uint64_t now_ns))
{
	*doze = (struct doze){
		.dev = dev,
		.loop = loop,
		.time_ns = time_ns,
		.take = take,
		.halted = { .fn = on_halt, .opaque = doze },
		.work = { .fn = wake, .opaque = doze },
		.timer = { .fn = wake, .opaque = doze },
		.streak_min = STREAK_MIN,
	};
}

void doze_add(struct doze *doze)
{
	io_timer_add(doze->loop, &doze->timer);
}

void doze_remove(struct doze *doze)
{
	if (doze->dozes)
		over(doze);
	io_timer_remove(doze->loop, &doze->timer);
}
