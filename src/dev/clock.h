/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * clock.h - the time that devices see, and their way onto the main loop
 *
 * Devices are given a struct dev_clock, so that a test can hold the time in its hand. A timer calls
 * its function on the main loop; set to 0 it does so at once, which is how a device on a vCPU's
 * thread hands work over.
 *
 * Threads: as marked; [main] = the main loop, [any] = any.
 */
#ifndef DEV_CLOCK_H
#define DEV_CLOCK_H

#include <stdint.h>

struct dev_clock;

/* A clock's implementation embeds this and sets all of it in timer_new(). */
struct dev_timer {
	struct dev_clock *clock;
	void (*fn)(void *opaque);
	void *opaque;
};

#define DEV_TIMER_NEVER UINT64_MAX

struct dev_clock_ops {
	/* [any] Nanoseconds since some moment in the past; never goes back. */
	uint64_t (*monotonic_ns)(struct dev_clock *clock);
	/* [any] Nanoseconds since 1970 in UTC; may jump either way. */
	uint64_t (*realtime_ns)(struct dev_clock *clock);
	/* [main] A timer that is not set. */
	struct dev_timer *(*timer_new)(struct dev_clock *clock, void (*fn)(void *opaque),
				       void *opaque);
	/* [any] Call fn(opaque) once when monotonic_ns() has reached @deadline_ns. The last call
	 * counts, but one that is made while the timer goes off may be forgotten: fn must look at
	 * what there is to do under the device's lock, and set the timer again under it. */
	void (*timer_set)(struct dev_timer *timer, uint64_t deadline_ns);
	/* [main] fn is not called any more. */
	void (*timer_free)(struct dev_timer *timer);
};

struct dev_clock {
	const struct dev_clock_ops *ops;
};

/* The host's clocks, and timers on the default GMainContext. */
struct dev_clock *dev_clock_host(void);

static inline uint64_t dev_clock_monotonic_ns(struct dev_clock *clock)
{
	return clock->ops->monotonic_ns(clock);
}

static inline uint64_t dev_clock_realtime_ns(struct dev_clock *clock)
{
	return clock->ops->realtime_ns(clock);
}

static inline struct dev_timer *dev_timer_new(struct dev_clock *clock, void (*fn)(void *opaque),
					      void *opaque)
{
	return clock->ops->timer_new(clock, fn, opaque);
}

static inline void dev_timer_set(struct dev_timer *timer, uint64_t deadline_ns)
{
	timer->clock->ops->timer_set(timer, deadline_ns);
}

/* NULL is fine. */
static inline void dev_timer_free(struct dev_timer *timer)
{
	if (timer)
		timer->clock->ops->timer_free(timer);
}

#endif
