/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * event-limit.c - events that a guest causes as often as it likes: once a second, as QEMU has it
 */
#include "vmm/event-limit.h"

#include <glib.h>

#include "dev/clock.h"

static const uint64_t second_ns = 1000000000;

struct event_limit {
	struct dev_clock *clock;
	struct dev_timer *timer;
	void (*tell)(void *opaque, json_t *data);
	void *opaque;
	uint64_t next_ns; /* not before */
	json_t *held;     /* or NULL */
};

static void tell(struct event_limit *limit, json_t *data)
{
	limit->next_ns = dev_clock_monotonic_ns(limit->clock) + second_ns;
	limit->tell(limit->opaque, data);
}

static void due(void *opaque)
{
	struct event_limit *limit = opaque;

	if (limit->held)
		tell(limit, g_steal_pointer(&limit->held));
}

struct event_limit *event_limit_new(struct dev_clock *clock,
				    void (*tell_fn)(void *opaque, json_t *data), void *opaque)
{
	struct event_limit *limit = g_new(struct event_limit, 1);

	*limit = (struct event_limit){ .clock = clock, .tell = tell_fn, .opaque = opaque };
	limit->timer = dev_timer_new(clock, due, limit);
	return limit;
}

void event_limit_free(struct event_limit *limit)
{
	if (!limit)
		return;
	dev_timer_free(limit->timer);
	json_decref(limit->held);
	g_free(limit);
}

void event_limit_post(struct event_limit *limit, json_t *data)
{
	if (!limit->held && dev_clock_monotonic_ns(limit->clock) >= limit->next_ns) {
		tell(limit, data);
		return;
	}
	json_decref(limit->held);
	limit->held = data;
	dev_timer_set(limit->timer, limit->next_ns);
}
