/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * disk-limits.c - rate limits of a disk: which are possible, and what they make a request wait
 *
 * Rules and names are those of QEMU's block_set_io_throttle, so that a management that checks by
 * them is never surprised.
 */
#include "dev/disk-limits-int.h"

#include <assert.h>
#include <inttypes.h>

#include "base/error.h"

/* QEMU's THROTTLE_VALUE_MAX. */
static const uint64_t limit_max = 1000000000000000;

static const char *const limit_name[] = {
	[DISK_LIMIT_BPS] = "bps",         [DISK_LIMIT_BPS_RD] = "bps_rd",
	[DISK_LIMIT_BPS_WR] = "bps_wr",   [DISK_LIMIT_IOPS] = "iops",
	[DISK_LIMIT_IOPS_RD] = "iops_rd", [DISK_LIMIT_IOPS_WR] = "iops_wr",
};
static_assert(ARRAY_SIZE(limit_name) == DISK_LIMIT_COUNT, "a name for each limit");

/* Which concern a read, which a write. */
static const enum disk_limit_kind concerned[2][4] = {
	{ DISK_LIMIT_BPS, DISK_LIMIT_BPS_RD, DISK_LIMIT_IOPS, DISK_LIMIT_IOPS_RD },
	{ DISK_LIMIT_BPS, DISK_LIMIT_BPS_WR, DISK_LIMIT_IOPS, DISK_LIMIT_IOPS_WR },
};

DATA_PATH static bool counts_bytes(enum disk_limit_kind kind)
{
	return kind == DISK_LIMIT_BPS || kind == DISK_LIMIT_BPS_RD || kind == DISK_LIMIT_BPS_WR;
}

static bool check_one(const struct disk_limits *limits, enum disk_limit_kind kind, GError **error)
{
	const uint64_t avg = limits->limit[kind].avg, max = limits->limit[kind].max;
	const uint64_t max_length = limits->limit[kind].max_length;
	const char *name = limit_name[kind];

	if (avg > limit_max || max > limit_max)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "'%s' and its burst must be at most %" PRIu64, name, limit_max);
	if (max && !avg)
		return error_set(error, SOCLE_ERROR_USAGE, "'%s_max' needs '%s' to be set, too",
				 name, name);
	if (max && max < avg)
		return error_set(error, SOCLE_ERROR_USAGE, "'%s_max' must not be below '%s'", name,
				 name);
	if (max_length > 1 && !max)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "'%s_max_length' needs '%s_max' to be set, too", name, name);
	if (max && max_length > limit_max / max)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "'%s_max_length' is too long for a burst of %" PRIu64, name, max);
	return true;
}

/* A total and a part of it cannot be limited both. */
static bool check_total(const struct disk_limits *limits, enum disk_limit_kind total,
			enum disk_limit_kind rd, enum disk_limit_kind wr, GError **error)
{
	const bool avg = limits->limit[rd].avg || limits->limit[wr].avg;
	const bool max = limits->limit[rd].max || limits->limit[wr].max;

	if ((limits->limit[total].avg && avg) || (limits->limit[total].max && max))
		return error_set(error, SOCLE_ERROR_USAGE,
				 "'%s' cannot be used together with '%s' or '%s'",
				 limit_name[total], limit_name[rd], limit_name[wr]);
	return true;
}

bool disk_limits_check(const struct disk_limits *limits, GError **error)
{
	for (unsigned i = 0; i < DISK_LIMIT_COUNT; i++) {
		if (!check_one(limits, (enum disk_limit_kind)i, error))
			return false;
	}
	if (!check_total(limits, DISK_LIMIT_BPS, DISK_LIMIT_BPS_RD, DISK_LIMIT_BPS_WR, error) ||
	    !check_total(limits, DISK_LIMIT_IOPS, DISK_LIMIT_IOPS_RD, DISK_LIMIT_IOPS_WR, error))
		return false;
	if (limits->iops_size && !limits->limit[DISK_LIMIT_IOPS].avg &&
	    !limits->limit[DISK_LIMIT_IOPS_RD].avg && !limits->limit[DISK_LIMIT_IOPS_WR].avg)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "'iops_size' needs 'iops', 'iops_rd' or 'iops_wr' to be set, too");
	return true;
}

void disk_throttle_set(struct disk_throttle *throttle, const struct disk_limits *limits)
{
	throttle->limits = *limits;
	throttle->limited = false;
	for (unsigned i = 0; i < DISK_LIMIT_COUNT; i++) {
		const uint64_t length = limits->limit[i].max_length;

		rate_set(&throttle->rate[i], limits->limit[i].avg, limits->limit[i].max,
			 length ? length : 1);
		throttle->limited |= limits->limit[i].avg != 0;
	}
}

DATA_PATH uint64_t disk_throttle_wait_ns(struct disk_throttle *throttle, bool write,
					 uint64_t now_ns)
{
	uint64_t wait = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(concerned[0]); i++) {
		struct rate *rate = &throttle->rate[concerned[write][i]];
		const uint64_t ns = rate->avg ? rate_wait_ns(rate, now_ns) : 0;

		if (ns > wait)
			wait = ns;
	}
	return wait;
}

DATA_PATH void disk_throttle_take(struct disk_throttle *throttle, bool write, uint64_t now_ns,
				  uint64_t bytes)
{
	const uint64_t size = throttle->limits.iops_size;
	uint64_t requests = 1;

	if (size && bytes > size)
		requests = bytes / size + (bytes % size != 0);
	for (unsigned i = 0; i < ARRAY_SIZE(concerned[0]); i++) {
		const enum disk_limit_kind kind = concerned[write][i];

		if (throttle->rate[kind].avg)
			rate_take(&throttle->rate[kind], now_ns,
				  counts_bytes(kind) ? bytes : requests);
	}
}
