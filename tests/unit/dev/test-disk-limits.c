/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-disk-limits.c - which limits are possible, and what they make requests wait
 */
#include "base/error.h"
#include "dev/disk-limits-int.h"

enum {
	READ = false,
	WRITE = true
};

static const uint64_t second = 1000000000;

static void refused(const struct disk_limits *limits, const char *words)
{
	g_autoptr(GError) error = NULL;

	g_assert_false(disk_limits_check(limits, &error));
	g_assert_true(g_error_matches(error, SOCLE_ERROR, SOCLE_ERROR_USAGE));
	g_assert_nonnull(strstr(error->message, words));
}

static void accepted(const struct disk_limits *limits)
{
	g_autoptr(GError) error = NULL;

	g_assert_true(disk_limits_check(limits, &error));
	g_assert_no_error(error);
}

static void test_possible(void)
{
	struct disk_limits limits = { 0 };

	accepted(&limits);
	for (unsigned i = 0; i < DISK_LIMIT_COUNT; i++) {
		limits = (struct disk_limits){ 0 };
		limits.limit[i].avg = 1;
		accepted(&limits);
		limits.limit[i].max = 1;
		limits.limit[i].max_length = 3600;
		accepted(&limits);
	}
	limits = (struct disk_limits){ .limit = {
		[DISK_LIMIT_BPS_RD] = { 100, 200, 5 },
		[DISK_LIMIT_BPS_WR] = { 100, 0, 1 },
		[DISK_LIMIT_IOPS] = { 1000, 1000, 0 },
	}, .iops_size = 4096 };
	accepted(&limits);
}

static void test_impossible(void)
{
	static const char *const name[] = { "'bps'",  "'bps_rd'",  "'bps_wr'",
					    "'iops'", "'iops_rd'", "'iops_wr'" };
	struct disk_limits limits = { 0 };

	for (unsigned i = 0; i < DISK_LIMIT_COUNT; i++) {
		limits = (struct disk_limits){ 0 };
		limits.limit[i].max = 1;
		refused(&limits, "_max' needs");
		refused(&limits, name[i]);
		limits.limit[i].avg = 2;
		refused(&limits, "must not be below");
		limits.limit[i].max = 0;
		limits.limit[i].max_length = 2;
		refused(&limits, "_max_length' needs");
		limits.limit[i].max = 1000000000;
		limits.limit[i].max_length = 1000001;
		refused(&limits, "too long");
		limits.limit[i].max = 0;
		limits.limit[i].max_length = 0;
		limits.limit[i].avg = 1000000000000001;
		refused(&limits, "at most");
		limits.limit[i].avg = UINT64_MAX;
		refused(&limits, "at most");
	}
	for (unsigned i = 0; i < DISK_LIMIT_COUNT; i++) {
		if (i == DISK_LIMIT_BPS || i == DISK_LIMIT_IOPS)
			continue;
		limits = (struct disk_limits){ 0 };
		limits.limit[i].avg = 10;
		limits.limit[i < DISK_LIMIT_IOPS ? DISK_LIMIT_BPS : DISK_LIMIT_IOPS].avg = 10;
		refused(&limits, "together");
	}
	limits = (struct disk_limits){ .iops_size = 4096 };
	limits.limit[DISK_LIMIT_BPS].avg = 1;
	refused(&limits, "iops_size");
}

/* So many requests pass until @end_ns. */
static unsigned run(struct disk_throttle *throttle, bool write, uint64_t bytes, uint64_t *now_ns,
		    uint64_t end_ns)
{
	unsigned passed = 0;

	for (;;) {
		const uint64_t wait = disk_throttle_wait_ns(throttle, write, *now_ns);

		if (wait) {
			if (*now_ns + wait > end_ns)
				return passed;
			*now_ns += wait;
			continue;
		}
		disk_throttle_take(throttle, write, *now_ns, bytes);
		passed++;
	}
}

static void set(struct disk_throttle *throttle, enum disk_limit_kind kind, uint64_t avg,
		uint64_t max, uint64_t length)
{
	struct disk_limits limits = { 0 };

	limits.limit[kind].avg = avg;
	limits.limit[kind].max = max;
	limits.limit[kind].max_length = length;
	accepted(&limits);
	disk_throttle_set(throttle, &limits);
}

static void test_average(void)
{
	static const enum disk_limit_kind bytes[] = { DISK_LIMIT_BPS, DISK_LIMIT_BPS_RD };

	for (unsigned i = 0; i < ARRAY_SIZE(bytes); i++) {
		struct disk_throttle throttle = { 0 };
		uint64_t now = 5 * second;

		set(&throttle, bytes[i], 1 << 20, 0, 0);
		g_assert_true(throttle.limited);
		/* 256 pages a second for ten seconds, and what the bucket holds. */
		g_assert_cmpuint(run(&throttle, READ, 4096, &now, 15 * second), >=, 2560);
		g_assert_cmpuint(now, <=, 15 * second);
		now = 15 * second;
		g_assert_cmpuint(run(&throttle, READ, 4096, &now, 25 * second), >=, 2559);
		now = 25 * second;
		g_assert_cmpuint(run(&throttle, READ, 4096, &now, 35 * second), <=, 2561);
	}
}

static void test_directions(void)
{
	struct disk_throttle throttle = { 0 };
	uint64_t now = 0;

	set(&throttle, DISK_LIMIT_IOPS_WR, 10, 0, 0);
	for (unsigned i = 0; i < 100000; i++) {
		g_assert_cmpuint(disk_throttle_wait_ns(&throttle, READ, now), ==, 0);
		disk_throttle_take(&throttle, READ, now, 1 << 20);
	}
	g_assert_cmpuint(run(&throttle, WRITE, 512, &now, 10 * second), <=, 102);
	set(&throttle, DISK_LIMIT_IOPS, 10, 0, 0);
	now = 100 * second;
	(void)run(&throttle, READ, 512, &now, 101 * second);
	g_assert_cmpuint(disk_throttle_wait_ns(&throttle, WRITE, now), >, 0);
}

static void test_burst(void)
{
	struct disk_throttle throttle = { 0 };
	uint64_t now = 0;
	unsigned first;

	set(&throttle, DISK_LIMIT_IOPS, 100, 1000, 5);
	first = run(&throttle, READ, 512, &now, 5 * second);
	g_assert_cmpuint(first, >=, 4500);
	g_assert_cmpuint(first, <=, 5200);
	/* The burst is spent (a second of it at most is left): the average holds. */
	now = 10 * second;
	(void)run(&throttle, READ, 512, &now, 20 * second);
	now = 20 * second;
	g_assert_cmpuint(run(&throttle, READ, 512, &now, 30 * second), <=, 1001);
}

static void test_request_size(void)
{
	struct disk_throttle throttle = { 0 };
	struct disk_limits limits = { .iops_size = 4096 };
	uint64_t now = 0;

	limits.limit[DISK_LIMIT_IOPS].avg = 1000;
	disk_throttle_set(&throttle, &limits);
	/* 4097 bytes are two requests. */
	(void)run(&throttle, READ, 4097, &now, second);
	now = second;
	g_assert_cmpuint(run(&throttle, READ, 4097, &now, 11 * second), <=, 5001);
	now = 11 * second;
	g_assert_cmpuint(run(&throttle, READ, 4096, &now, 21 * second), >=, 9990);
	/* Nothing overflows, and the debt of a huge one is finite. */
	disk_throttle_take(&throttle, WRITE, now, UINT64_MAX);
	g_assert_cmpuint(disk_throttle_wait_ns(&throttle, WRITE, now), >, 1000 * second);
	g_assert_cmpuint(disk_throttle_wait_ns(&throttle, WRITE, now), <, UINT64_MAX / 2);
}

/* Limits that are set again and again give nothing away. */
static void test_change(void)
{
	struct disk_throttle throttle = { 0 };
	uint64_t now = second;
	unsigned passed = 0;

	for (unsigned i = 0; i < 100; i++) {
		set(&throttle, DISK_LIMIT_IOPS, 100, 0, 0);
		passed += run(&throttle, READ, 512, &now, second + i);
	}
	g_assert_cmpuint(passed, <=, 12);
	disk_throttle_set(&throttle, &(struct disk_limits){ 0 });
	g_assert_false(throttle.limited);
	g_assert_cmpuint(disk_throttle_wait_ns(&throttle, READ, now), ==, 0);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/dev/disk-limits/possible", test_possible);
	g_test_add_func("/dev/disk-limits/impossible", test_impossible);
	g_test_add_func("/dev/disk-limits/average", test_average);
	g_test_add_func("/dev/disk-limits/directions", test_directions);
	g_test_add_func("/dev/disk-limits/burst", test_burst);
	g_test_add_func("/dev/disk-limits/request-size", test_request_size);
	g_test_add_func("/dev/disk-limits/change", test_change);
	return g_test_run();
}
