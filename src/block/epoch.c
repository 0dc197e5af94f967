/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * epoch.c - who is inside, counted without a line of memory that threads fight for
 *
 * @state is CLOSED or not, and twice the number of turns. There are two counters in each slot, for
 * turns that are even and odd: who enters is counted with the turn that he has read, and reads it
 * once more behind that. All of it is sequentially consistent, so one of two holds:
 *
 *	he has read the old turn	then he was counted before the turn, and who has turned and
 *					looks at the counters sees him;
 *	he has read the new one		then he sees all that was done before the turn.
 *
 * A turn needs the counters of the turn before to be 0, as the next one is counted there. They stay
 * so: who counts himself there too late takes that back before he has looked at anything.
 */
#include "block/epoch.h"

#include <glib.h>
#include <sched.h>
#include <stdatomic.h>

enum {
	CACHE_LINE = 64,
	SLOTS = 32, /* threads beyond share them, which costs them time and nothing else */
	PATIENCE = 100,
	NAP_US = 50,
	CLOSED = 1,
	TURN = 2,
};

struct slot {
	_Alignas(CACHE_LINE) atomic_uint inside[2];
};

struct epoch {
	_Alignas(CACHE_LINE) atomic_uint state; /* read by all, written with each turn */
	struct slot slots[SLOTS];
};

struct epoch *epoch_new(void)
{
	return g_aligned_alloc0(1, sizeof(struct epoch), CACHE_LINE);
}

void epoch_free(struct epoch *epoch)
{
	g_aligned_free(epoch);
}

static unsigned parity(unsigned state)
{
	return state / TURN & 1;
}

/* ---- any thread ---- */

/* Threads get numbers as they come. */
DATA_PATH static unsigned own_slot(void)
{
	static atomic_uint threads;
	static _Thread_local unsigned own; /* 0: not known yet */

	if (unlikely(!own))
		own = atomic_fetch_add_explicit(&threads, 1, memory_order_relaxed) % SLOTS + 1;
	return own - 1;
}

DATA_PATH bool epoch_enter(struct epoch *epoch, unsigned *ret_token)
{
	const unsigned own = own_slot();
	struct slot *slot = &epoch->slots[own];
	unsigned state = atomic_load(&epoch->state);

	while (!(state & CLOSED)) {
		const unsigned old = state;

		atomic_fetch_add(&slot->inside[parity(old)], 1);
		state = atomic_load(&epoch->state);
		if (likely(state == old)) {
			*ret_token = own * 2 + parity(old);
			return true;
		}
		atomic_fetch_sub(&slot->inside[parity(old)], 1);
	}
	return false;
}

DATA_PATH void epoch_leave(struct epoch *epoch, unsigned token)
{
	atomic_fetch_sub(&epoch->slots[token / 2].inside[token % 2], 1);
}

/* ---- one ---- */

unsigned epoch_now(const struct epoch *epoch)
{
	return atomic_load(&epoch->state) / TURN;
}

bool epoch_turn(struct epoch *epoch)
{
	const unsigned before = parity(atomic_load(&epoch->state)) ^ 1;

	for (unsigned i = 0; i < SLOTS; i++) {
		if (atomic_load(&epoch->slots[i].inside[before]))
			return false;
	}
	atomic_fetch_add(&epoch->state, TURN);
	return true;
}

bool epoch_is_over(const struct epoch *epoch, unsigned then)
{
	/* Of numbers that begin anew at 2^31. */
	return (epoch_now(epoch) - then) % (UINT_MAX / TURN + 1) >= 2;
}

void epoch_wait(struct epoch *epoch)
{
	const unsigned then = epoch_now(epoch);

	/* Who is inside may wait for a disk. */
	for (unsigned tries = 0; !epoch_is_over(epoch, then);) {
		if (epoch_turn(epoch))
			continue;
		if (tries++ < PATIENCE)
			sched_yield();
		else
			g_usleep(NAP_US);
	}
}

void epoch_close(struct epoch *epoch)
{
	atomic_fetch_or(&epoch->state, CLOSED);
	epoch_wait(epoch);
}

void epoch_open(struct epoch *epoch)
{
	atomic_fetch_and(&epoch->state, ~(unsigned)CLOSED);
}
