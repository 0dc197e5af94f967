/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pit.c - the interval timer of a PC: three counters at 1.193182 MHz
 *
 * A counter's value and output are computed from the time that has passed since it began to count
 * (began_ns), when somebody asks. Counter 0 has a timer for the next moment in which its output
 * rises. Its wire goes down and up again then, since only that it rises is of interest to edge
 * triggered inputs. A host that was late for several of these moments raises it once; periods below
 * MIN_PERIOD_NS are lengthened, which concerns the interrupt, not what is read.
 *
 * A new count begins at once, not at the end of the period in which it was written. Gates: counters
 * 0 and 1 have theirs always on. That of counter 2 stops it in modes 0 and 4 (held has the ticks
 * that it got), starts it anew when it rises in the others.
 *
 *  (1) count is 1 to 65536, in BCD 1 to 10000; 0: no count was written since the mode was set.
 */
#include "dev/pit.h"

#include <pthread.h>
#include <stdint.h>

#include "bus/io.h"

enum {
	COUNTERS = 3,
	PORT_CONTROL = 3,
	GATED = 2, /* the counter whose gate somebody can set */

	CONTROL_BCD = 0x01,
	CONTROL_READ_BACK = 3, /* as a counter's number */
	READ_BACK_NO_STATUS = 0x10,
	READ_BACK_NO_COUNT = 0x20,

	STATUS_OUT = 0x80,
	STATUS_NO_COUNT = 0x40,

	/* How a count comes and goes, bits 5:4. */
	ACCESS_LATCH = 0,
	ACCESS_LOW = 1,
	ACCESS_HIGH = 2,
	ACCESS_BOTH = 3,

	MODE_COUNT = 0,    /* output rises at the end */
	MODE_ONE_SHOT = 1, /* the same, begun by the gate; low in between */
	MODE_RATE = 2,
	MODE_SQUARE = 3,
	MODE_STROBE = 4,
	MODE_GATE_STROBE = 5,

	MIN_PERIOD_NS = 100000,
	NS_PER_S = 1000000000,
};

struct counter {
	uint32_t count;
	uint8_t mode, access;
	bool bcd, gate;
	bool runs;         /* it has begun, and in modes 1 and 5 was triggered */
	uint64_t began_ns; /* the moment of tick 0 */
	uint64_t held;     /* ticks, while the gate stops it */
	uint8_t low;       /* a written first byte that waits for the second one */
	bool low_written, high_next;
	bool has_latch, has_status;
	uint16_t latch;
	uint8_t status;
};

struct pit {
	struct pit_config config;
	struct io_range range;
	struct dev_timer *timer;

	pthread_mutex_t lock; /* guards all below */
	struct counter counter[COUNTERS];
	uint64_t rise_ns; /* when counter 0's output rises, or DEV_TIMER_NEVER */
};

/* ---- counting ---- */

static uint64_t ns_to_ticks(uint64_t ns)
{
	return ns / NS_PER_S * PIT_HZ + ns % NS_PER_S * PIT_HZ / NS_PER_S;
}

/* The first moment in which so many ticks have passed. */
static uint64_t ticks_to_ns(uint64_t ticks)
{
	return ticks / PIT_HZ * NS_PER_S + (ticks % PIT_HZ * NS_PER_S + PIT_HZ - 1) / PIT_HZ;
}

static bool gate_stops(const struct counter *c)
{
	return !c->gate && (c->mode == MODE_COUNT || c->mode == MODE_STROBE);
}

static bool is_periodic(const struct counter *c)
{
	return c->mode == MODE_RATE || c->mode == MODE_SQUARE;
}

static uint64_t ticks_since(const struct counter *c, uint64_t now_ns)
{
	if (gate_stops(c))
		return c->held;
	return now_ns > c->began_ns ? ns_to_ticks(now_ns - c->began_ns) : 0;
}

static bool output(const struct counter *c, uint64_t now_ns)
{
	uint64_t ticks = ticks_since(c, now_ns);

	if (!c->runs)
		return c->mode != MODE_COUNT;
	switch (c->mode) {
	case MODE_COUNT:
	case MODE_ONE_SHOT:
		return ticks >= c->count;
	case MODE_RATE:
		return !c->gate || ticks % c->count != c->count - 1;
	case MODE_SQUARE:
		return !c->gate || ticks % c->count < (c->count + 1) / 2;
	default:
		return ticks != c->count;
	}
}

/* What is left of the count, as it is read. */
static uint16_t value(const struct counter *c, uint64_t now_ns)
{
	const uint32_t limit = c->bcd ? 10000 : 0x10000;
	uint64_t ticks = ticks_since(c, now_ns);
	uint32_t left;

	if (!c->runs)
		left = c->count;
	else if (c->mode == MODE_SQUARE)
		left = c->count - (uint32_t)(ticks * 2 % c->count);
	else if (c->mode == MODE_RATE)
		left = c->count - (uint32_t)(ticks % c->count);
	else
		left = c->count + limit - (uint32_t)(ticks % limit);
	left %= limit;
	if (c->bcd)
		left = left / 1000 << 12 | left / 100 % 10 << 8 | left / 10 % 10 << 4 | left % 10;
	return (uint16_t)left;
}

/* ---- the interrupt ---- */

/* When the output rises next after @now_ns. */
static uint64_t next_rise(const struct counter *c, uint64_t now_ns)
{
	uint64_t ticks = ticks_since(c, now_ns), at;

	if (!c->runs)
		return DEV_TIMER_NEVER;
	if (is_periodic(c)) {
		/* Mode 2 is low in a period's last tick, so it rises as mode 3 does: at its end. */
		at = (ticks / c->count + 1) * c->count;
	} else {
		at = c->mode == MODE_COUNT ? c->count : c->count + 1;
		if (ticks >= at)
			return DEV_TIMER_NEVER;
	}
	return c->began_ns + ticks_to_ns(at);
}

static void arm_locked(struct pit *pit)
{
	const struct counter *c = &pit->counter[0];
	uint64_t now = dev_clock_monotonic_ns(pit->config.clock), rise = next_rise(c, now);

	if (is_periodic(c) && rise < now + MIN_PERIOD_NS)
		rise = now + MIN_PERIOD_NS;
	pit->rise_ns = rise;
	dev_timer_set(pit->timer, rise);
}

static void expired(void *opaque)
{
	struct pit *pit = opaque;

	pthread_mutex_lock(&pit->lock);
	if (dev_clock_monotonic_ns(pit->config.clock) >= pit->rise_ns) {
		irq_line_set(&pit->config.irq, false);
		irq_line_set(&pit->config.irq, true);
		arm_locked(pit);
	}
	pthread_mutex_unlock(&pit->lock);
}

/* ---- registers ---- */

static uint32_t count_from(const struct counter *c, uint16_t word)
{
	uint32_t count = word;

	if (c->bcd)
		count = (word >> 12) * 1000u + (word >> 8 & 15) * 100u + (word >> 4 & 15) * 10u +
			(word & 15);
	if (count == 0)
		return c->bcd ? 10000 : 0x10000;
	/* Digits beyond 9 can say more than there is. */
	return c->bcd && count > 10000 ? 10000 : count;
}

/* A whole count was written. */
static void load_locked(struct pit *pit, unsigned index, uint16_t word)
{
	struct counter *c = &pit->counter[index];

	c->count = count_from(c, word);
	c->began_ns = dev_clock_monotonic_ns(pit->config.clock);
	c->held = 0;
	/* These wait for the gate to rise; the counters that have none wait for ever. */
	c->runs = c->mode != MODE_ONE_SHOT && c->mode != MODE_GATE_STROBE;
	if (index != 0)
		return;
	if (c->mode == MODE_COUNT)
		irq_line_set(&pit->config.irq, false);
	arm_locked(pit);
}

static void counter_write_locked(struct pit *pit, unsigned index, uint8_t byte)
{
	struct counter *c = &pit->counter[index];

	if (c->access == ACCESS_LOW) {
		load_locked(pit, index, byte);
	} else if (c->access == ACCESS_HIGH) {
		load_locked(pit, index, (uint16_t)(byte << 8));
	} else if (!c->low_written) {
		c->low = byte;
		c->low_written = true;
	} else {
		c->low_written = false;
		load_locked(pit, index, (uint16_t)(byte << 8 | c->low));
	}
}

static uint8_t counter_read_locked(struct pit *pit, unsigned index)
{
	struct counter *c = &pit->counter[index];
	uint16_t word;
	bool high;

	if (c->has_status) {
		c->has_status = false;
		return c->status;
	}
	word = c->has_latch ? c->latch : value(c, dev_clock_monotonic_ns(pit->config.clock));
	high = c->access == ACCESS_HIGH || (c->access == ACCESS_BOTH && c->high_next);
	if (c->access == ACCESS_BOTH)
		c->high_next = !c->high_next;
	if (c->access != ACCESS_BOTH || high)
		c->has_latch = false;
	return (uint8_t)(high ? word >> 8 : word);
}

static void latch_count(struct counter *c, uint64_t now_ns)
{
	if (c->has_latch)
		return;
	c->latch = value(c, now_ns);
	c->has_latch = true;
}

static void latch_status(struct counter *c, uint64_t now_ns)
{
	if (c->has_status)
		return;
	c->status =
		(uint8_t)((output(c, now_ns) ? STATUS_OUT : 0) | (c->count ? 0 : STATUS_NO_COUNT) |
			  c->access << 4 | c->mode << 1 | (c->bcd ? CONTROL_BCD : 0));
	c->has_status = true;
}

static void read_back_locked(struct pit *pit, uint8_t byte)
{
	uint64_t now = dev_clock_monotonic_ns(pit->config.clock);

	for (unsigned i = 0; i < COUNTERS; i++) {
		if (!(byte & 2u << i))
			continue;
		if (!(byte & READ_BACK_NO_COUNT))
			latch_count(&pit->counter[i], now);
		if (!(byte & READ_BACK_NO_STATUS))
			latch_status(&pit->counter[i], now);
	}
}

static void control_write_locked(struct pit *pit, uint8_t byte)
{
	unsigned index = byte >> 6, access = byte >> 4 & 3, mode = byte >> 1 & 7;
	struct counter *c;

	if (index == CONTROL_READ_BACK) {
		read_back_locked(pit, byte);
		return;
	}
	c = &pit->counter[index];
	if (access == ACCESS_LATCH) {
		latch_count(c, dev_clock_monotonic_ns(pit->config.clock));
		return;
	}
	*c = (struct counter){
		/* 6 and 7 are 2 and 3. */
		.mode = (uint8_t)(mode > MODE_GATE_STROBE ? mode - 4 : mode),
		.access = (uint8_t)access,
		.bcd = byte & CONTROL_BCD,
		.gate = c->gate,
	};
	if (index != 0)
		return;
	irq_line_set(&pit->config.irq, c->mode != MODE_COUNT);
	arm_locked(pit);
}

static uint64_t pit_read(struct io_range *range, uint64_t off, unsigned size)
{
	struct pit *pit = container_of(range, struct pit, range);
	uint64_t result = 0;

	pthread_mutex_lock(&pit->lock);
	for (unsigned i = 0; i < size && off + i < PIT_PORTS; i++) {
		/* The control word cannot be read. */
		uint8_t byte = off + i == PORT_CONTROL
				       ? 0xff
				       : counter_read_locked(pit, (unsigned)off + i);

		result |= (uint64_t)byte << (8 * i);
	}
	pthread_mutex_unlock(&pit->lock);
	return result;
}

static void pit_write(struct io_range *range, uint64_t off, unsigned size, uint64_t value_written)
{
	struct pit *pit = container_of(range, struct pit, range);

	pthread_mutex_lock(&pit->lock);
	for (unsigned i = 0; i < size && off + i < PIT_PORTS; i++) {
		uint8_t byte = (uint8_t)(value_written >> (8 * i));

		if (off + i == PORT_CONTROL)
			control_write_locked(pit, byte);
		else
			counter_write_locked(pit, (unsigned)off + i, byte);
	}
	pthread_mutex_unlock(&pit->lock);
}

static const struct io_ops pit_ops = { .read = pit_read, .write = pit_write };

/* ---- port 0x61 ---- */

void pit_set_gate(struct pit *pit, bool gate)
{
	struct counter *c = &pit->counter[GATED];
	uint64_t now;

	pthread_mutex_lock(&pit->lock);
	now = dev_clock_monotonic_ns(pit->config.clock);
	if (gate != c->gate) {
		bool holds = c->mode == MODE_COUNT || c->mode == MODE_STROBE;

		if (!gate)
			c->held = ticks_since(c, now);
		c->gate = gate;
		if (gate && holds)
			c->began_ns = now - ticks_to_ns(c->held);
		else if (gate)
			c->began_ns = now;
		if (gate && c->count)
			c->runs = true;
	}
	pthread_mutex_unlock(&pit->lock);
}

bool pit_gate(struct pit *pit)
{
	bool gate;

	pthread_mutex_lock(&pit->lock);
	gate = pit->counter[GATED].gate;
	pthread_mutex_unlock(&pit->lock);
	return gate;
}

bool pit_out(struct pit *pit)
{
	bool out;

	pthread_mutex_lock(&pit->lock);
	out = output(&pit->counter[GATED], dev_clock_monotonic_ns(pit->config.clock));
	pthread_mutex_unlock(&pit->lock);
	return out;
}

/* ---- life ---- */

struct pit *pit_new(const struct pit_config *config, GError **error)
{
	autoptr(pit) pit = g_new(struct pit, 1);

	*pit = (struct pit){
		.config = *config,
		.range = { .ops = &pit_ops, .base = PIT_PORT, .len = PIT_PORTS, .name = "pit" },
		.lock = PTHREAD_MUTEX_INITIALIZER,
	};
	pit->timer = dev_timer_new(config->clock, expired, pit);
	pit_reset(pit);
	if (!io_space_add(config->pio, &pit->range, error)) {
		pit->config.pio = NULL;
		return NULL;
	}
	return g_steal_pointer(&pit);
}

void pit_free(struct pit *pit)
{
	if (!pit)
		return;
	if (pit->config.pio)
		io_space_remove(pit->config.pio, &pit->range);
	dev_timer_free(pit->timer);
	pthread_mutex_destroy(&pit->lock);
	g_free(pit);
}

void pit_reset(struct pit *pit)
{
	pthread_mutex_lock(&pit->lock);
	for (unsigned i = 0; i < COUNTERS; i++)
		pit->counter[i] = (struct counter){ .access = ACCESS_BOTH, .gate = i != GATED };
	irq_line_set(&pit->config.irq, false);
	arm_locked(pit);
	pthread_mutex_unlock(&pit->lock);
}
