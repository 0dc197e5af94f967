/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Only timers that are due at once: no test waits for a clock. */
#include "dev/clock.h"

#include <glib.h>

static void iterate(void)
{
	while (g_main_context_iteration(NULL, FALSE))
		;
}

static void count(void *opaque)
{
	++*(unsigned *)opaque;
}

static void test_at_once(void)
{
	struct dev_clock *clock = dev_clock_host();
	unsigned calls = 0;
	struct dev_timer *timer = dev_timer_new(clock, count, &calls);

	iterate();
	g_assert_cmpuint(calls, ==, 0);
	dev_timer_set(timer, 0);
	g_assert_cmpuint(calls, ==, 0);
	iterate();
	g_assert_cmpuint(calls, ==, 1);
	dev_timer_set(timer, dev_clock_monotonic_ns(clock));
	dev_timer_set(timer, DEV_TIMER_NEVER);
	iterate();
	g_assert_cmpuint(calls, ==, 1);
	dev_timer_set(timer, 0);
	dev_timer_free(timer);
	iterate();
	g_assert_cmpuint(calls, ==, 1);
	dev_timer_free(NULL);
}

struct own {
	struct dev_timer *timer;
};

static void free_own(void *opaque)
{
	struct own *own = opaque;

	dev_timer_free(own->timer);
	own->timer = NULL;
}

static void test_frees_itself(void)
{
	struct own own = { NULL };

	own.timer = dev_timer_new(dev_clock_host(), free_own, &own);
	dev_timer_set(own.timer, 0);
	iterate();
	g_assert_null(own.timer);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/dev/clock/at-once", test_at_once);
	g_test_add_func("/dev/clock/frees-itself", test_frees_itself);
	return g_test_run();
}
