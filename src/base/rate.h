/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rate.h - a rate limit with bursts: how long must the next unit wait?
 *
 * A leaky bucket as QEMU's throttling documents it (docs/throttle.txt): it leaks @avg units a
 * second; without bursts it holds a tenth of a second's worth. With @max above @avg, up to @max
 * units a second may pass for @burst_s seconds, after which the average holds again.
 * Or a bucket as the kernel's tbf has it, whose size is told in units and not in seconds.
 *
 * Pure computation; the caller has the lock and the time.
 */
#ifndef BASE_RATE_H
#define BASE_RATE_H

#include <stdbool.h>
#include <stdint.h>

struct rate {
	/* private, but for avg */
	uint64_t avg;              /* units per second, 0: no limit */
	uint64_t max;              /* units per second in a burst */
	bool paced;                /* a burst passes at max, not at once */
	double size;               /* what the bucket holds */
	double level, burst_level; /* what is in the buckets, in units */
	uint64_t at_ns;            /* when they were leaked last */
};

/*
 * Set limits; what is in the bucket stays, so that changing a limit gives nothing away.
 * @max is 0 (no bursts) or at least @avg; @burst_s: seconds that a burst at @max may last, at least 1.
 */
void rate_set(struct rate *rate, uint64_t avg, uint64_t max, uint64_t burst_s);
/* The same by the bucket's @size, 0: none; what it holds passes at @peak, 0: at once. */
void rate_set_bucket(struct rate *rate, uint64_t avg, uint64_t peak, uint64_t size);
/* Nanoseconds from @now_ns until the next unit may pass; 0: now. */
uint64_t rate_wait_ns(struct rate *rate, uint64_t now_ns);
/* @units pass at @now_ns, whether they fit or not: what is too much makes the next one wait. */
void rate_take(struct rate *rate, uint64_t now_ns, uint64_t units);

#endif
