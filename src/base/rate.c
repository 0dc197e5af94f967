/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rate.c - a rate limit with bursts: how long must the next unit wait?
 *
 * Two buckets, as in QEMU (util/throttle.c). The big one leaks at the average rate, and decides
 * how long a burst may last: without bursts it holds a tenth of a second's worth, with them what
 * passes in burst_s seconds at the burst's rate. The small one leaks at the burst's rate and holds
 * a tenth of a second's worth: it keeps a burst of several seconds from passing at once.
 */
#include "base/rate.h"

#include "base/cleanup.h"

static const double ns_per_s = 1e9;

DATA_PATH static double leak_from(double level, uint64_t per_s, uint64_t ns)
{
	double left = level - (double)per_s * (double)ns / ns_per_s;

	return left > 0 ? left : 0;
}

DATA_PATH static void leak(struct rate *rate, uint64_t now_ns)
{
	uint64_t ns = now_ns - rate->at_ns;

	/* Time of several threads may seem to go back by a little. */
	if (now_ns <= rate->at_ns)
		return;
	rate->at_ns = now_ns;
	rate->level = leak_from(rate->level, rate->avg, ns);
	rate->burst_level = leak_from(rate->burst_level, rate->max, ns);
}

void rate_set(struct rate *rate, uint64_t avg, uint64_t max, uint64_t burst_s)
{
	rate->avg = avg;
	rate->max = max;
	rate->burst_s = burst_s ? burst_s : 1;
	if (!avg)
		rate->level = 0;
	if (!max)
		rate->burst_level = 0;
}

/* Rounded up, so that who waits as long as he is told need not wait again. */
DATA_PATH static uint64_t drain_ns(double excess, uint64_t per_s)
{
	double ns = excess * ns_per_s / (double)per_s;

	return ns < 1e18 ? (uint64_t)ns + 1 : (uint64_t)1e18;
}

DATA_PATH uint64_t rate_wait_ns(struct rate *rate, uint64_t now_ns)
{
	double size, excess;

	if (!rate->avg)
		return 0;
	leak(rate, now_ns);
	if (rate->max)
		size = (double)rate->max * (double)rate->burst_s;
	else
		size = (double)rate->avg / 10;
	excess = rate->level - size;
	if (excess > 0)
		return drain_ns(excess, rate->avg);
	excess = rate->burst_level - (double)rate->max / 10;
	if (rate->burst_s > 1 && rate->max && excess > 0)
		return drain_ns(excess, rate->max);
	return 0;
}

DATA_PATH void rate_take(struct rate *rate, uint64_t now_ns, uint64_t units)
{
	if (!rate->avg)
		return;
	leak(rate, now_ns);
	rate->level += (double)units;
	if (rate->burst_s > 1 && rate->max)
		rate->burst_level += (double)units;
}
