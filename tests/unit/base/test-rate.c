/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-rate.c - rate limits with a clock in the hand: averages, bursts, changes
 */
#include "base/rate.h"

#include <glib.h>

static const uint64_t s_ns = 1000000000;

/* As many units of @size as pass from *now until @until, waiting as told. */
static uint64_t pass(struct rate *rate, uint64_t *now, uint64_t until, uint64_t size)
{
	uint64_t units = 0;

	while (*now < until) {
		uint64_t wait = rate_wait_ns(rate, *now);

		if (wait) {
			*now += wait;
			continue;
		}
		rate_take(rate, *now, size);
		units += size;
	}
	return units;
}

static void assert_near(uint64_t value, uint64_t want, uint64_t slack)
{
	g_assert_cmpuint(value, >=, want - MIN(want, slack));
	g_assert_cmpuint(value, <=, want + slack);
}

static void test_none(void)
{
	struct rate rate = { 0 };

	rate_take(&rate, 5, UINT64_MAX);
	g_assert_cmpuint(rate_wait_ns(&rate, 6), ==, 0);
}

/* A tenth of a second's worth may pass at once, then the average holds. */
static void test_average(void)
{
	struct rate rate = { 0 };
	uint64_t now = 7 * s_ns, begin = now;

	rate_set(&rate, 1000, 0, 0);
	assert_near(pass(&rate, &now, begin + 1, 1), 101, 1);
	assert_near(pass(&rate, &now, begin + 10 * s_ns, 1), 10000, 101);
	/* Idle time is not saved up. */
	now += 1000 * s_ns;
	begin = now;
	assert_near(pass(&rate, &now, begin + s_ns, 1), 1100, 2);
}

static void test_exact_wait(void)
{
	struct rate rate = { 0 };

	rate_set(&rate, 100, 0, 0);
	rate_take(&rate, 0, 10); /* full to the brim, which is not too much */
	g_assert_cmpuint(rate_wait_ns(&rate, 0), ==, 0);
	rate_take(&rate, 0, 20); /* 20 too much: 0.2 s */
	assert_near(rate_wait_ns(&rate, 0), s_ns / 5, 2);
	g_assert_cmpuint(rate_wait_ns(&rate, s_ns / 5 - 1000), >, 0);
	g_assert_cmpuint(rate_wait_ns(&rate, s_ns / 5 + 2), ==, 0);
}

/* max x burst_s units may pass faster than the average, at most at max; then the average. */
static void test_burst(void)
{
	struct rate rate = { 0 };
	uint64_t now = s_ns, begin = now, second;

	rate_set(&rate, 100, 2000, 5);
	/* Within the burst: not all at once but 2000 a second. */
	assert_near(pass(&rate, &now, begin + 1, 1), 201, 2);
	second = pass(&rate, &now, begin + s_ns, 1);
	assert_near(second, 2000, 2);
	(void)pass(&rate, &now, begin + 5 * s_ns, 1);
	/* The bucket of 10000 fills at 1900 a second, so in 5.26 s; after that the average. */
	(void)pass(&rate, &now, begin + 6 * s_ns, 1);
	begin = now;
	assert_near(pass(&rate, &now, begin + 10 * s_ns, 1), 1000, 2);
	/* Half empty after 50 s of rest, which is half a burst. */
	now += 50 * s_ns;
	begin = now;
	assert_near(pass(&rate, &now, begin + 2 * s_ns, 1), 4000 + 200, 10);
	assert_near(pass(&rate, &now, begin + 4 * s_ns, 1), 1450, 400);
}

/* A burst of one second may pass at once, as in QEMU. */
static void test_burst_of_one(void)
{
	struct rate rate = { 0 };
	uint64_t now = s_ns, begin = now;

	rate_set(&rate, 100, 2000, 1);
	assert_near(pass(&rate, &now, begin + 1, 1), 2001, 1);
	assert_near(pass(&rate, &now, begin + 10 * s_ns, 1), 1000, 2);
}

/* A bucket of a size of its own: it is emptied at the peak, and filled at the average. */
static void test_bucket(void)
{
	struct rate rate = { 0 };
	uint64_t now = s_ns, begin = now;

	rate_set_bucket(&rate, 100, 1000, 4500);
	/* A tenth of a second's worth at once, then at the peak, until the bucket is empty after 5 s. */
	assert_near(pass(&rate, &now, begin + 1, 1), 101, 1);
	assert_near(pass(&rate, &now, begin + 4 * s_ns, 1), 4000, 2);
	assert_near(pass(&rate, &now, begin + 14 * s_ns, 1), 4500 + 1400 - 4101, 3);
	begin = now;
	assert_near(pass(&rate, &now, begin + 10 * s_ns, 1), 1000, 2);
	/* Rest fills it, but never above its size. */
	now += 1000 * s_ns;
	begin = now;
	assert_near(pass(&rate, &now, begin + 20 * s_ns, 1), 4500 + 2000, 3);
}

/* Without a peak it is emptied at once; without a size it is as small as without bursts. */
static void test_bucket_without(void)
{
	struct rate rate = { 0 };
	uint64_t now = s_ns, begin = now;

	rate_set_bucket(&rate, 100, 0, 4500);
	assert_near(pass(&rate, &now, begin + 1, 1), 4501, 1);
	assert_near(pass(&rate, &now, begin + 10 * s_ns, 1), 1000, 2);
	now += 1000 * s_ns;
	begin = now;
	rate_set_bucket(&rate, 100, 5000, 0);
	assert_near(pass(&rate, &now, begin + 1, 1), 11, 1);
	assert_near(pass(&rate, &now, begin + 10 * s_ns, 1), 1000, 2);
	/* A peak that is no more than the average leaves no bursts. */
	now += 1000 * s_ns;
	begin = now;
	rate_set_bucket(&rate, 100, 100, 4500);
	assert_near(pass(&rate, &now, begin + 10 * s_ns, 1), 1010, 2);
	rate_set_bucket(&rate, 0, 100, 4500);
	rate_take(&rate, now, 1 << 30);
	g_assert_cmpuint(rate_wait_ns(&rate, now), ==, 0);
}

/* Large units (bytes) and small limits. */
static void test_large(void)
{
	struct rate rate = { 0 };
	uint64_t now = 0;

	rate_set(&rate, 10 << 20, 0, 0);
	assert_near(pass(&rate, &now, 20 * s_ns, 1 << 20), 201 << 20, 2 << 20);
	rate_set(&rate, 1, 0, 0);
	rate_take(&rate, now, UINT64_MAX);
	g_assert_cmpuint(rate_wait_ns(&rate, now), ==, 1000000000000000000u);
}

/* Who changes a limit gains nothing; and a clock that steps back does no harm. */
static void test_change(void)
{
	struct rate rate = { 0 };

	rate_set(&rate, 100, 0, 0);
	rate_take(&rate, s_ns, 110);
	assert_near(rate_wait_ns(&rate, s_ns), s_ns, 2);
	rate_set(&rate, 200, 0, 0);
	assert_near(rate_wait_ns(&rate, s_ns), s_ns * 90 / 200, 2);
	assert_near(rate_wait_ns(&rate, s_ns / 2), s_ns * 90 / 200, 2);
	rate_set(&rate, 0, 0, 0);
	g_assert_cmpuint(rate_wait_ns(&rate, s_ns), ==, 0);
	rate_set(&rate, 100, 0, 0);
	g_assert_cmpuint(rate_wait_ns(&rate, s_ns), ==, 0);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/rate/none", test_none);
	g_test_add_func("/rate/average", test_average);
	g_test_add_func("/rate/exact-wait", test_exact_wait);
	g_test_add_func("/rate/burst", test_burst);
	g_test_add_func("/rate/burst-of-one", test_burst_of_one);
	g_test_add_func("/rate/bucket", test_bucket);
	g_test_add_func("/rate/bucket-without", test_bucket_without);
	g_test_add_func("/rate/large", test_large);
	g_test_add_func("/rate/change", test_change);
	return g_test_run();
}
