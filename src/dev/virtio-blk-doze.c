/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-blk-doze.c - let requests gather while the guest computes
 *
 * A guest that executes slowly brings requests one at a time, each of which would wake the loop twice,
 * and the host's disk as well. So where requests come in quick succession, the loop dozes: the driver
 * is asked not to notify, and what the host's disk has done is not looked at. It ends
 *
 *  (1) after DOZE_NS;
 *  (2) when a vCPU halts, for it may be this disk that it waits for. Nothing of this happens under an
 *      engine that does not tell (KVM).
 *
 * Then all is taken, settled and submitted together. A doze that gathered something is followed by the
 * next, as long as no vCPU halts. One in vain (the guest polls, or does something else) raises the
 * number of requests in quick succession that it takes to begin another.
 *
 * A disk with rate limits does not doze: its timer has the say.
 */
#include "dev/virtio-blk-int.h"

#define DOZE_NS UINT64_C(1000000)

enum {
	STREAK_MIN = 4, /* requests in a row, each within DOZE_NS of the one before */
	STREAK_MAX = 32,
	FRUIT = 2, /* requests that are worth a doze */
};

DATA_PATH static void over(struct virtio_blk *blk)
{
	struct blk_doze *doze = &blk->doze;

	io_loop_doze(blk->loop, false);
	io_timer_set(blk->loop, &doze->timer, IO_TIMER_NEVER);
	doze->dozes = false;
	doze->streak = 0;
	doze->streak_min =
		doze->found >= FRUIT ? STREAK_MIN : MIN(doze->streak_min * 2, STREAK_MAX);
}

DATA_PATH bool blk_doze_begin(struct virtio_blk *blk, unsigned index, uint64_t now_ns)
{
	struct blk_doze *doze = &blk->doze;

	if (doze->streak < doze->streak_min || blk->throttle.limited ||
	    !io_idle_arm(blk->dev.idle, &doze->halted))
		return false;
	doze->queues |= UINT64_C(1) << index;
	if (doze->dozes)
		return true;
	doze->dozes = true;
	doze->found = 0;
	io_timer_set(blk->loop, &doze->timer, now_ns + DOZE_NS);
	io_loop_doze(blk->loop, true);
	return true;
}

DATA_PATH void blk_doze_kicked(struct virtio_blk *blk, uint64_t now_ns)
{
	struct blk_doze *doze = &blk->doze;

	if (now_ns - doze->kicked_ns >= DOZE_NS)
		doze->streak /= 2;
	else if (doze->streak < doze->streak_min)
		doze->streak++;
	doze->kicked_ns = now_ns;
}

DATA_PATH void blk_doze_take(struct virtio_blk *blk, uint64_t now_ns)
{
	uint64_t queues = blk->doze.queues;

	for (unsigned i = 0; queues; i++, queues >>= 1) {
		if (queues & 1)
			(void)blk_take(blk, blk->dev.queue[i], now_ns, &blk->doze.found);
	}
}

/* The driver notifies again. */
DATA_PATH static void notify_all(struct virtio_blk *blk)
{
	uint64_t queues = blk->doze.queues;

	blk->doze.queues = 0;
	for (unsigned i = 0; queues; i++, queues >>= 1) {
		if (queues & 1 && virtq_notify_on(blk->dev.queue[i]))
			virtio_kick_self(&blk->dev, i);
	}
}

/* [loop] Without the lock: the time is over, or a vCPU has halted. */
DATA_PATH static void wake(void *opaque)
{
	struct virtio_blk *blk = opaque;
	struct blk_doze *doze = &blk->doze;
	const uint64_t now_ns = io_loop_now_ns(blk->loop);

	virtio_lock(&blk->dev);
	if (doze->dozes && virtio_live(&blk->dev) && !blk->dev.paused) {
		blk_doze_take(blk, now_ns);
		if (doze->found >= FRUIT && io_idle_arm(blk->dev.idle, &doze->halted)) {
			doze->found = 0;
			io_timer_set(blk->loop, &doze->timer, now_ns + DOZE_NS);
		} else {
			over(blk);
			notify_all(blk);
		}
	} else if (doze->dozes) {
		over(blk);
		doze->queues = 0; /* a resume kicks all, a reset forgets */
	}
	virtio_unlock(&blk->dev);
}

/* [any vCPU] */
DATA_PATH static void halted(void *opaque)
{
	struct virtio_blk *blk = opaque;

	io_loop_post(blk->loop, &blk->doze.work);
}

void blk_doze_reset(struct virtio_blk *blk, int index)
{
	if (index >= 0) {
		blk->doze.queues &= ~(UINT64_C(1) << index);
		return;
	}
	blk->doze.queues = 0;
	blk->doze.streak = 0;
	io_idle_disarm(blk->dev.idle, &blk->doze.halted);
}

void blk_doze_init(struct virtio_blk *blk)
{
	blk->doze = (struct blk_doze){
		.halted = { .fn = halted, .opaque = blk },
		.work = { .fn = wake, .opaque = blk },
		.timer = { .fn = wake, .opaque = blk },
		.streak_min = STREAK_MIN,
	};
}

/* [loop] */
void blk_doze_add(struct virtio_blk *blk)
{
	io_timer_add(blk->loop, &blk->doze.timer);
}

/* [loop] */
void blk_doze_remove(struct virtio_blk *blk)
{
	if (blk->doze.dozes)
		over(blk);
	io_timer_remove(blk->loop, &blk->doze.timer);
}
