/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-epoch.c - who waits for those who are inside, and for whom nobody waits
 */
#include <glib.h>
#include <sched.h>
#include <stdatomic.h>

#include "block/epoch.h"

enum {
	READERS = 3,
	ROUNDS = 3000,
	GOOD = 0x600d,
	BAD = 0xbad,
};

static void test_turns(void)
{
	struct epoch *epoch = epoch_new();
	const unsigned then = epoch_now(epoch);
	unsigned one, two;

	g_assert_true(epoch_enter(epoch, &one));
	g_assert_true(epoch_turn(epoch));
	/* One is inside since before that; who has come since does not matter. */
	g_assert_true(epoch_enter(epoch, &two));
	g_assert_false(epoch_turn(epoch));
	g_assert_false(epoch_is_over(epoch, then));
	epoch_leave(epoch, one);
	g_assert_true(epoch_turn(epoch));
	g_assert_true(epoch_is_over(epoch, then));
	g_assert_false(epoch_turn(epoch));
	epoch_leave(epoch, two);
	epoch_wait(epoch);
	epoch_free(epoch);
}

static void test_closed(void)
{
	struct epoch *epoch = epoch_new();
	unsigned token;

	epoch_close(epoch);
	g_assert_false(epoch_enter(epoch, &token));
	epoch_wait(epoch);
	g_assert_false(epoch_enter(epoch, &token));
	epoch_open(epoch);
	g_assert_true(epoch_enter(epoch, &token));
	epoch_leave(epoch, token);
	epoch_free(epoch);
}

struct shared {
	struct epoch *epoch;
	_Atomic(unsigned *) found;
	atomic_bool over;
	atomic_uint looks;
};

static gpointer look(gpointer opaque)
{
	struct shared *s = opaque;
	unsigned token;

	while (!atomic_load(&s->over)) {
		if (!epoch_enter(s->epoch, &token)) {
			sched_yield();
			continue;
		}
		g_assert_cmpuint(*atomic_load(&s->found), ==, GOOD);
		epoch_leave(s->epoch, token);
		atomic_fetch_add(&s->looks, 1);
	}
	return NULL;
}

static unsigned *make(void)
{
	unsigned *made = g_new(unsigned, 1);

	*made = GOOD;
	return made;
}

/* What is freed too early is written to while somebody reads it, which the sanitizers see. */
static void test_many(void)
{
	struct shared s = { .epoch = epoch_new() };
	GThread *threads[READERS];

	atomic_store(&s.found, make());
	for (unsigned i = 0; i < READERS; i++)
		threads[i] = g_thread_new("look", look, &s);
	for (unsigned i = 0; i < ROUNDS || atomic_load(&s.looks) < ROUNDS; i++) {
		unsigned *old = atomic_exchange(&s.found, make());

		if (i % 8) {
			epoch_wait(s.epoch);
			*old = BAD;
		} else {
			epoch_close(s.epoch);
			*old = BAD;
			*atomic_load(&s.found) = BAD;
			*atomic_load(&s.found) = GOOD;
			epoch_open(s.epoch);
		}
		g_free(old);
	}
	atomic_store(&s.over, true);
	for (unsigned i = 0; i < READERS; i++)
		(void)g_thread_join(threads[i]);
	g_free(atomic_load(&s.found));
	epoch_free(s.epoch);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/block/epoch/turns", test_turns);
	g_test_add_func("/block/epoch/closed", test_closed);
	g_test_add_func("/block/epoch/many", test_many);
	return g_test_run();
}
