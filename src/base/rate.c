/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rate.c - a rate limit with bursts: how long must the next unit wait?
 *
 * Two buckets, as in QEMU (util/throttle.c). The big one leaks at the average rate, and decides
 * how long a burst may last: without bursts it holds a tenth of a second's worth, with them what
 * passes in burst_s seconds at the burst's rate, or what it is told. The small one leaks at the burst's
 * rate and holds a tenth of a second's worth: it keeps a longer burst from passing at once.
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

DATA_PATH static double tenth_of(uint64_t per_s)
{
	return (double)per_s / 10;
}

static void set(struct rate *rate, uint64_t avg, uint64_t max, bool paced, double size)
{
	rate->avg = avg;
	rate->max = max;
	rate->paced = paced;
	rate->size = size;
	if (!avg)
		rate->level = 0;
	if (!paced)
		rate->burst_level = 0;
}

void rate_set(struct rate *rate, uint64_t avg, uint64_t max, uint64_t burst_s)
{
	set(rate, avg, max, max && burst_s > 1,
	    max ? (double)max * (double)(burst_s ? burst_s : 1) : tenth_of(avg));
}

void rate_set_bucket(struct rate *rate, uint64_t avg, uint64_t peak, uint64_t size)
{
	set(rate, avg, peak, peak > 0, size ? (double)size : tenth_of(avg));
}

/* Rounded up, so that who waits as long as he is told need not wait again. */
DATA_PATH static uint64_t drain_ns(double excess, uint64_t per_s)
{
	double ns = excess * ns_per_s / (double)per_s;

	return ns < 1e18 ? (uint64_t)ns + 1 : (uint64_t)1e18;
}

DATA_PATH uint64_t rate_wait_ns(struct rate *rate, uint64_t now_ns)
{
	double excess;

	if (!rate->avg)
		return 0;
	leak(rate, now_ns);
	excess = rate->level - rate->size;
	if (excess > 0)
		return drain_ns(excess, rate->avg);
	excess = rate->burst_level - tenth_of(rate->max);
	if (rate->paced && excess > 0)
		return drain_ns(excess, rate->max);
	return 0;
}

DATA_PATH void rate_take(struct rate *rate, uint64_t now_ns, uint64_t units)
{
	if (!rate->avg)
		return;
	leak(rate, now_ns);
	rate->level += (double)units;
	if (rate->paced)
		rate->burst_level += (double)units;
}
