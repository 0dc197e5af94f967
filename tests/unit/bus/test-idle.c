/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-idle.c - who asked is told once when a vCPU halts, and is not left waiting for one that has
 */
#include "bus/idle.h"

#include <glib.h>
#include <sched.h>

static void count(void *opaque)
{
	(*(unsigned *)opaque)++;
}

static void test_once(void)
{
	struct io_idle idle = IO_IDLE_INITIALIZER;
	unsigned n[2] = { 0 };
	struct io_idle_call call[2] = { { .fn = count, .opaque = &n[0] },
					{ .fn = count, .opaque = &n[1] } };

	g_assert_false(io_idle_arm(NULL, &call[0]));
	io_idle_disarm(NULL, &call[0]);
	g_assert_false(io_idle_arm(&idle, &call[0])); /* nobody tells */
	idle.told = true;
	for (unsigned i = 0; i < 2; i++) {
		g_assert_true(io_idle_arm(&idle, &call[0]));
		g_assert_true(io_idle_arm(&idle, &call[i])); /* also for a second time */
	}
	io_idle_begin(&idle);
	g_assert_cmpuint(n[0], ==, 1);
	g_assert_cmpuint(n[1], ==, 1);
	g_assert_false(io_idle_arm(&idle, &call[0]));
	io_idle_begin(&idle); /* another vCPU */
	io_idle_end(&idle);
	g_assert_false(io_idle_arm(&idle, &call[0]));
	io_idle_end(&idle);
	g_assert_true(io_idle_arm(&idle, &call[0]));
	g_assert_true(io_idle_arm(&idle, &call[1]));
	io_idle_disarm(&idle, &call[0]);
	io_idle_disarm(&idle, &call[0]);
	io_idle_begin(&idle);
	g_assert_cmpuint(n[0], ==, 1);
	g_assert_cmpuint(n[1], ==, 2);
}

enum {
	PROMISES = 2000
};

struct race {
	struct io_idle idle;
	atomic_bool stop;
	atomic_uint called;
};

static void note(void *opaque)
{
	atomic_store((atomic_uint *)opaque, 1);
}

static void *halts(void *opaque)
{
	struct race *race = opaque;

	while (!atomic_load(&race->stop)) {
		io_idle_begin(&race->idle);
		io_idle_end(&race->idle);
	}
	return NULL;
}

/* Whoever was promised a call gets it. */
static void test_race(void)
{
	struct race race = { .idle = IO_IDLE_INITIALIZER };
	struct io_idle_call call = { .fn = note, .opaque = &race.called };
	pthread_t thread;

	race.idle.told = true;
	g_assert_cmpint(pthread_create(&thread, NULL, halts, &race), ==, 0);
	for (unsigned promises = 0; promises < PROMISES;) {
		atomic_store(&race.called, 0);
		if (io_idle_arm(&race.idle, &call)) {
			promises++;
			while (!atomic_load(&race.called))
				sched_yield();
		} else {
			io_idle_disarm(&race.idle, &call);
		}
	}
	atomic_store(&race.stop, true);
	pthread_join(thread, NULL);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/bus/idle/once", test_once);
	g_test_add_func("/bus/idle/race", test_race);
	return g_test_run();
}
