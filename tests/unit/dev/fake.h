/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fake.h - a clock, an interrupt line and a character device that a test holds in its hand
 */
#ifndef TESTS_UNIT_DEV_FAKE_H
#define TESTS_UNIT_DEV_FAKE_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "bus/io.h"
#include "bus/irq.h"
#include "dev/chardev.h"
#include "dev/clock.h"

enum {
	FAKE_TIMERS = 6
};

struct fake_timer {
	struct dev_timer timer;
	bool used;
	uint64_t deadline_ns;
};

struct fake_clock {
	struct dev_clock clock;
	uint64_t monotonic_ns, realtime_ns;
	struct fake_timer timer[FAKE_TIMERS];
};

static inline uint64_t fake_monotonic_ns(struct dev_clock *clock)
{
	return container_of(clock, struct fake_clock, clock)->monotonic_ns;
}

static inline uint64_t fake_realtime_ns(struct dev_clock *clock)
{
	return container_of(clock, struct fake_clock, clock)->realtime_ns;
}

static inline struct dev_timer *fake_timer_new(struct dev_clock *clock, void (*fn)(void *opaque),
					       void *opaque)
{
	struct fake_clock *fake = container_of(clock, struct fake_clock, clock);
	unsigned i = 0;

	while (fake->timer[i].used)
		g_assert_cmpuint(++i, <, FAKE_TIMERS);
	fake->timer[i] = (struct fake_timer){
		.timer = { clock, fn, opaque },
		.used = true,
		.deadline_ns = DEV_TIMER_NEVER,
	};
	return &fake->timer[i].timer;
}

static inline void fake_timer_set(struct dev_timer *timer, uint64_t deadline_ns)
{
	container_of(timer, struct fake_timer, timer)->deadline_ns = deadline_ns;
}

static inline void fake_timer_free(struct dev_timer *timer)
{
	container_of(timer, struct fake_timer, timer)->used = false;
}

static const struct dev_clock_ops fake_clock_ops = {
	.monotonic_ns = fake_monotonic_ns,
	.realtime_ns = fake_realtime_ns,
	.timer_new = fake_timer_new,
	.timer_set = fake_timer_set,
	.timer_free = fake_timer_free,
};

static inline void fake_clock_init(struct fake_clock *fake)
{
	*fake = (struct fake_clock){
		.clock = { &fake_clock_ops },
		.monotonic_ns = 77 * (uint64_t)1000000000,
		.realtime_ns = 1700000000 * (uint64_t)1000000000, /* 2023-11-14 22:13:20 */
	};
}

/* Call what is due; how many timers were. */
static inline unsigned fake_clock_run(struct fake_clock *fake)
{
	unsigned count = 0;

	for (unsigned i = 0; i < FAKE_TIMERS; i++) {
		struct fake_timer *t = &fake->timer[i];

		if (!t->used || t->deadline_ns > fake->monotonic_ns)
			continue;
		t->deadline_ns = DEV_TIMER_NEVER;
		t->timer.fn(t->timer.opaque);
		count++;
	}
	return count;
}

static inline uint64_t fake_clock_next(const struct fake_clock *fake)
{
	uint64_t next = DEV_TIMER_NEVER;

	for (unsigned i = 0; i < FAKE_TIMERS; i++) {
		if (fake->timer[i].used)
			next = MIN(next, fake->timer[i].deadline_ns);
	}
	return next;
}

/* Time passes, in steps from timer to timer. */
static inline void fake_clock_advance(struct fake_clock *fake, uint64_t ns)
{
	uint64_t end = fake->monotonic_ns + ns;

	for (;;) {
		uint64_t next = MIN(MAX(fake_clock_next(fake), fake->monotonic_ns), end);

		fake->realtime_ns += next - fake->monotonic_ns;
		fake->monotonic_ns = next;
		if (fake_clock_run(fake) == 0)
			return;
	}
}

struct fake_irq {
	struct irq_sink sink;
	bool level[24];
	unsigned rises[24];
};

static inline void fake_set_line(struct irq_sink *sink, unsigned gsi, bool level)
{
	struct fake_irq *irq = container_of(sink, struct fake_irq, sink);

	g_assert_cmpuint(gsi, <, 24);
	irq->rises[gsi] += level && !irq->level[gsi];
	irq->level[gsi] = level;
}

static const struct irq_sink_ops fake_irq_ops = { .set_line = fake_set_line };

static inline void fake_irq_init(struct fake_irq *irq)
{
	*irq = (struct fake_irq){ .sink = { &fake_irq_ops } };
}

/* Takes up to @room bytes. */
struct fake_chardev {
	struct chardev chr;
	size_t room;
	GString *out;
	unsigned resumed;
};

static inline size_t fake_chardev_write(struct chardev *chr, const uint8_t *buf, size_t len)
{
	struct fake_chardev *fake = container_of(chr, struct fake_chardev, chr);
	size_t taken = MIN(len, fake->room);

	g_string_append_len(fake->out, (const char *)buf, (gssize)taken);
	fake->room -= taken;
	return taken;
}

static inline void fake_chardev_resume(struct chardev *chr)
{
	container_of(chr, struct fake_chardev, chr)->resumed++;
}

static const struct chardev_ops fake_chardev_ops = {
	.write = fake_chardev_write,
	.resume = fake_chardev_resume,
};

static inline void fake_chardev_init(struct fake_chardev *fake)
{
	*fake = (struct fake_chardev){
		.chr = { .ops = &fake_chardev_ops },
		.room = SIZE_MAX,
		.out = g_string_new(NULL),
	};
}

static inline size_t fake_chardev_input(struct fake_chardev *fake, const char *text, size_t len)
{
	return fake->chr.front->receive(fake->chr.front_opaque, (const uint8_t *)text, len);
}

static inline void fake_chardev_make_room(struct fake_chardev *fake, size_t room)
{
	fake->room = room;
	fake->chr.front->writable(fake->chr.front_opaque);
}

static inline void fake_chardev_release(struct fake_chardev *fake)
{
	g_string_free(fake->out, TRUE);
}

#endif
