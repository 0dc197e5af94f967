/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-event-limit.c - a guest cannot flood who listens to the monitor
 */
#include <glib.h>

#include "base/cleanup.h"
#include "dev/clock.h"
#include "vmm/event-limit.h"

static const uint64_t second = 1000000000;

/* A clock with one timer, which is called inside advance(). */
struct fake_clock {
	struct dev_clock clock;
	struct dev_timer timer;
	uint64_t now_ns, due_ns;
};

static uint64_t fake_now(struct dev_clock *clock)
{
	return container_of(clock, struct fake_clock, clock)->now_ns;
}

static struct dev_timer *fake_timer_new(struct dev_clock *clock, void (*fn)(void *opaque),
					void *opaque)
{
	struct fake_clock *fake = container_of(clock, struct fake_clock, clock);

	fake->timer = (struct dev_timer){ clock, fn, opaque };
	return &fake->timer;
}

static void fake_timer_set(struct dev_timer *timer, uint64_t deadline_ns)
{
	container_of(timer, struct fake_clock, timer)->due_ns = deadline_ns;
}

static void fake_timer_free(struct dev_timer *timer)
{
	fake_timer_set(timer, DEV_TIMER_NEVER);
}

static const struct dev_clock_ops fake_clock_ops = {
	.monotonic_ns = fake_now,
	.timer_new = fake_timer_new,
	.timer_set = fake_timer_set,
	.timer_free = fake_timer_free,
};

static void advance(struct fake_clock *fake, uint64_t ns)
{
	fake->now_ns += ns;
	if (fake->now_ns < fake->due_ns)
		return;
	fake->due_ns = DEV_TIMER_NEVER;
	fake->timer.fn(fake->timer.opaque);
}

struct told {
	unsigned count;
	json_int_t last;
};

static void on_told(void *opaque, json_t *data)
{
	struct told *told = opaque;

	told->count++;
	told->last = json_integer_value(data);
	json_decref(data);
}

static void test_limit(void)
{
	struct told told = { 0 };
	struct fake_clock clock = { .clock = { &fake_clock_ops }, .due_ns = DEV_TIMER_NEVER };
	struct event_limit *limit;

	clock.now_ns = 77 * second;
	limit = event_limit_new(&clock.clock, on_told, &told);
	/* The first one at once, the last one of many when a second has passed. */
	for (int i = 0; i < 1000; i++)
		event_limit_post(limit, json_integer(i));
	g_assert_cmpuint(told.count, ==, 1);
	g_assert_cmpint(told.last, ==, 0);
	advance(&clock, second - 1);
	g_assert_cmpuint(told.count, ==, 1);
	advance(&clock, 1);
	g_assert_cmpuint(told.count, ==, 2);
	g_assert_cmpint(told.last, ==, 999);
	/* That was one as well. */
	event_limit_post(limit, json_integer(5));
	g_assert_cmpuint(told.count, ==, 2);
	advance(&clock, second);
	g_assert_cmpint(told.last, ==, 5);
	advance(&clock, 100 * second);
	g_assert_cmpuint(told.count, ==, 3);
	event_limit_post(limit, json_integer(6));
	g_assert_cmpuint(told.count, ==, 4);
	/* Going with one that waits. */
	event_limit_post(limit, json_integer(7));
	event_limit_free(limit);
	g_assert_cmpuint(told.count, ==, 4);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/vmm/event-limit", test_limit);
	return g_test_run();
}
