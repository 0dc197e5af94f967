/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * clock.c - the host's clocks, and timers on the default GMainContext
 */
#include "dev/clock.h"

#include <glib.h>

#include "base/cleanup.h"
#include "base/sys.h"

struct host_source {
	GSource source;
	struct dev_timer *timer;
};

struct host_timer {
	struct dev_timer timer;
	GSource *source;
};

DATA_PATH static uint64_t host_monotonic_ns(struct dev_clock *clock)
{
	(void)clock;
	return sys_monotonic_ns();
}

DATA_PATH static uint64_t host_realtime_ns(struct dev_clock *clock)
{
	(void)clock;
	return sys_realtime_ns();
}

static int host_dispatch(GSource *source, GSourceFunc callback, void *opaque)
{
	struct dev_timer *timer = ((struct host_source *)source)->timer;

	(void)callback;
	(void)opaque;
	/* First, so that a setting from now on is not lost. */
	g_source_set_ready_time(source, -1);
	timer->fn(timer->opaque);
	/* The timer may be gone now, the source lives until we return. */
	return G_SOURCE_CONTINUE;
}

static GSourceFuncs host_source_funcs = { .dispatch = host_dispatch };

static struct dev_timer *host_timer_new(struct dev_clock *clock, void (*fn)(void *opaque),
					void *opaque)
{
	struct host_timer *host = g_new(struct host_timer, 1);

	*host = (struct host_timer){
		.timer = { .clock = clock, .fn = fn, .opaque = opaque },
		.source = g_source_new(&host_source_funcs, sizeof(struct host_source)),
	};
	((struct host_source *)host->source)->timer = &host->timer;
	g_source_set_static_name(host->source, "device timer");
	g_source_attach(host->source, NULL);
	return &host->timer;
}

static void host_timer_set(struct dev_timer *timer, uint64_t deadline_ns)
{
	struct host_timer *host = container_of(timer, struct host_timer, timer);
	int64_t ready_us = -1;

	/* Rounded up: never early. GLib counts the same clock in microseconds. */
	if (deadline_ns != DEV_TIMER_NEVER)
		ready_us = (int64_t)(deadline_ns / 1000 + (deadline_ns % 1000 != 0));
	g_source_set_ready_time(host->source, ready_us);
}

static void host_timer_free(struct dev_timer *timer)
{
	struct host_timer *host = container_of(timer, struct host_timer, timer);

	g_source_destroy(host->source);
	g_source_unref(host->source);
	g_free(host);
}

static const struct dev_clock_ops host_clock_ops = {
	.monotonic_ns = host_monotonic_ns,
	.realtime_ns = host_realtime_ns,
	.timer_new = host_timer_new,
	.timer_set = host_timer_set,
	.timer_free = host_timer_free,
};

static struct dev_clock host_clock = { .ops = &host_clock_ops };

struct dev_clock *dev_clock_host(void)
{
	return &host_clock;
}
