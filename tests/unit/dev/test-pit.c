/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-pit.c - the interval timer: modes, ways to read and write a count, interrupts, the gate
 */
#include "dev/pit.h"

#include "dev/port-b.h"

#include "fake.h"

#define NS_PER_S ((uint64_t)1000000000)

struct fixture {
	struct io_space *pio;
	struct fake_clock clock;
	struct fake_irq irq;
	struct pit *pit;
	struct port_b *port_b;
};

static void setup(struct fixture *f, const void *data)
{
	g_autoptr(GError) error = NULL;

	(void)data;
	f->pio = io_space_new("ports", 0x10000);
	fake_clock_init(&f->clock);
	fake_irq_init(&f->irq);
	f->pit = pit_new(
		&(struct pit_config){
			.pio = f->pio,
			.irq = { &f->irq.sink, 0 },
			.clock = &f->clock.clock,
		},
		&error);
	g_assert_no_error(error);
	f->port_b = port_b_new(
		&(struct port_b_config){ .pio = f->pio, .pit = f->pit, .clock = &f->clock.clock },
		&error);
	g_assert_no_error(error);
}

static void teardown(struct fixture *f, const void *data)
{
	(void)data;
	port_b_free(f->port_b);
	pit_free(f->pit);
	io_space_free(f->pio);
}

static void out(struct fixture *f, uint16_t port, uint8_t value)
{
	io_write(f->pio, port, 1, value);
}

static unsigned in(struct fixture *f, uint16_t port)
{
	return (unsigned)io_read(f->pio, port, 1);
}

/* Mode and count of a counter, both bytes. */
static void program(struct fixture *f, unsigned counter, unsigned mode, unsigned count)
{
	out(f, 0x43, (uint8_t)(counter << 6 | 0x30 | mode << 1));
	out(f, (uint16_t)(0x40 + counter), (uint8_t)count);
	out(f, (uint16_t)(0x40 + counter), (uint8_t)(count >> 8));
}

static unsigned count_of(struct fixture *f, unsigned counter)
{
	uint16_t port = (uint16_t)(0x40 + counter);
	unsigned low;

	out(f, 0x43, (uint8_t)(counter << 6));
	low = in(f, port);
	return low | in(f, port) << 8;
}

/* So many ticks later. */
static void pass(struct fixture *f, uint64_t ticks)
{
	fake_clock_advance(&f->clock, (ticks * NS_PER_S + PIT_HZ - 1) / PIT_HZ);
}

/* The clock of the BIOS: 18.2 interrupts in a second. */
static void test_ticks(struct fixture *f, const void *data)
{
	unsigned before = f->irq.rises[0];

	(void)data;
	program(f, 0, 2, 0);
	before = f->irq.rises[0];
	fake_clock_advance(&f->clock, 10 * NS_PER_S);
	g_assert_cmpuint(f->irq.rises[0] - before, ==, 182);
	program(f, 0, 3, 11932);
	before = f->irq.rises[0];
	fake_clock_advance(&f->clock, NS_PER_S);
	g_assert_cmpuint(f->irq.rises[0] - before, ==, 99);
	/* A host that was late raises it once, and keeps the rhythm. */
	f->clock.monotonic_ns += NS_PER_S;
	before = f->irq.rises[0];
	g_assert_cmpuint(fake_clock_run(&f->clock), ==, 1);
	g_assert_cmpuint(f->irq.rises[0] - before, ==, 1);
	g_assert_cmpuint(fake_clock_next(&f->clock) - f->clock.monotonic_ns, <=, NS_PER_S / 99);
	/* Too often for a host. */
	program(f, 0, 2, 2);
	before = f->irq.rises[0];
	fake_clock_advance(&f->clock, NS_PER_S / 100);
	g_assert_cmpuint(f->irq.rises[0] - before, ==, 100);
}

static void test_once(struct fixture *f, const void *data)
{
	unsigned before;

	(void)data;
	program(f, 0, 0, 1000);
	g_assert_false(f->irq.level[0]);
	before = f->irq.rises[0];
	pass(f, 999);
	g_assert_cmpuint(f->irq.rises[0], ==, before);
	pass(f, 2);
	g_assert_cmpuint(f->irq.rises[0], ==, before + 1);
	g_assert_true(f->irq.level[0]);
	fake_clock_advance(&f->clock, 10 * NS_PER_S);
	g_assert_cmpuint(f->irq.rises[0], ==, before + 1);
	/* A strobe, and a mode that waits for a gate which counter 0 has not. */
	program(f, 0, 4, 1000);
	before = f->irq.rises[0];
	fake_clock_advance(&f->clock, NS_PER_S);
	g_assert_cmpuint(f->irq.rises[0], ==, before + 1);
	program(f, 0, 1, 1000);
	before = f->irq.rises[0];
	fake_clock_advance(&f->clock, NS_PER_S);
	g_assert_cmpuint(f->irq.rises[0], ==, before);
	/* A mode alone begins nothing. */
	out(f, 0x43, 0x34);
	fake_clock_advance(&f->clock, NS_PER_S);
	g_assert_cmpuint(f->irq.rises[0], ==, before);
}

static void test_read(struct fixture *f, const void *data)
{
	(void)data;
	program(f, 0, 2, 1000);
	g_assert_cmpuint(count_of(f, 0), ==, 1000);
	pass(f, 100);
	g_assert_cmpuint(count_of(f, 0), ==, 900);
	pass(f, 1000);
	g_assert_cmpuint(count_of(f, 0), ==, 900);
	/* Latched, it stands still, and the second latch does nothing. */
	out(f, 0x43, 0x00);
	pass(f, 100);
	g_assert_cmpuint(count_of(f, 0), ==, 900);
	g_assert_cmpuint(count_of(f, 0), ==, 800);
	/* Without a latch. */
	g_assert_cmpuint(in(f, 0x40), ==, 800 & 0xff);
	g_assert_cmpuint(in(f, 0x40), ==, 800 >> 8);
	/* A square goes down in twos. */
	program(f, 0, 3, 1000);
	pass(f, 100);
	g_assert_cmpuint(count_of(f, 0), ==, 800);
	/* Past its end a single count goes on from the top. */
	program(f, 0, 0, 100);
	pass(f, 110);
	g_assert_cmpuint(count_of(f, 0), ==, 0xfff6);
	/* The control word cannot be read. */
	g_assert_cmphex(in(f, 0x43), ==, 0xff);
}

static void test_bytes(struct fixture *f, const void *data)
{
	(void)data;
	out(f, 0x43, 0x14); /* low byte only, rate */
	out(f, 0x40, 200);
	pass(f, 50);
	g_assert_cmpuint(in(f, 0x40), ==, 150);
	g_assert_cmpuint(in(f, 0x40), ==, 150);
	out(f, 0x43, 0x24); /* high byte only */
	out(f, 0x40, 2);
	pass(f, 0x10);
	g_assert_cmpuint(in(f, 0x40), ==, 1);
	/* Decimal: 0x1000 is a thousand. */
	out(f, 0x43, 0x35);
	out(f, 0x40, 0x00);
	out(f, 0x40, 0x10);
	pass(f, 1);
	g_assert_cmphex(count_of(f, 0), ==, 0x999);
	pass(f, 1000);
	g_assert_cmphex(count_of(f, 0), ==, 0x999);
	out(f, 0x40, 0x00);
	out(f, 0x40, 0x00);
	pass(f, 1);
	g_assert_cmphex(count_of(f, 0), ==, 0x9999);
	/* What is no decimal number is something all the same. */
	out(f, 0x40, 0xff);
	out(f, 0x40, 0xff);
	(void)count_of(f, 0);
	/* All ports at once. */
	(void)io_read(f->pio, 0x40, 4);
	io_write(f->pio, 0x40, 4, 0x34000000);
}

static void test_read_back(struct fixture *f, const void *data)
{
	(void)data;
	program(f, 0, 2, 1000);
	program(f, 2, 0, 1000);
	pass(f, 100);
	out(f, 0x43, 0xc0 | 0x02 | 0x08); /* count and status of 0 and 2 */
	pass(f, 100);
	g_assert_cmphex(in(f, 0x40), ==, 0x80 | 0x30 | 2 << 1);
	g_assert_cmpuint(in(f, 0x40), ==, 900 & 0xff);
	g_assert_cmpuint(in(f, 0x40), ==, 900 >> 8);
	/* The gate is off. */
	g_assert_cmphex(in(f, 0x42), ==, 0x30 | 0 << 1);
	g_assert_cmpuint(in(f, 0x42) | in(f, 0x42) << 8, ==, 1000);
	/* Status alone; no count was written yet. */
	out(f, 0x43, 0x70);
	out(f, 0x43, 0xe0 | 0x04);
	g_assert_cmphex(in(f, 0x41), ==, 0x40 | 0x30 | 0 << 1);
	/* 6 and 7 are 2 and 3. */
	out(f, 0x43, 0x7e);
	out(f, 0x43, 0xe0 | 0x04);
	g_assert_cmphex(in(f, 0x41) & 0x0e, ==, 3 << 1);
}

/* As kernels and firmware measure the TSC. */
static void test_gate(struct fixture *f, const void *data)
{
	(void)data;
	g_assert_cmphex(in(f, 0x61) & 0x03, ==, 0);
	out(f, 0x61, PORT_B_TIMER_GATE);
	program(f, 2, 0, 0xffff);
	g_assert_cmphex(in(f, 0x61) & PORT_B_TIMER_OUT, ==, 0);
	pass(f, 0xfff0);
	g_assert_cmphex(in(f, 0x61) & PORT_B_TIMER_OUT, ==, 0);
	pass(f, 0x10);
	g_assert_cmphex(in(f, 0x61) & PORT_B_TIMER_OUT, ==, PORT_B_TIMER_OUT);
	/* The gate stops it, and lets it go on. */
	program(f, 2, 0, 1000);
	pass(f, 100);
	out(f, 0x61, PORT_B_SPEAKER);
	pass(f, 5000);
	g_assert_cmpuint(count_of(f, 2), ==, 900);
	out(f, 0x61, PORT_B_TIMER_GATE | PORT_B_SPEAKER);
	g_assert_cmphex(in(f, 0x61) & 0x03, ==, 0x03);
	pass(f, 100);
	g_assert_cmpuint(count_of(f, 2), ==, 800);
	/* In the others it begins anew. */
	program(f, 2, 2, 1000);
	pass(f, 100);
	out(f, 0x61, 0);
	out(f, 0x61, PORT_B_TIMER_GATE);
	g_assert_cmpuint(count_of(f, 2), ==, 1000);
	program(f, 2, 1, 1000);
	pass(f, 2000);
	g_assert_cmphex(in(f, 0x61) & PORT_B_TIMER_OUT, ==, PORT_B_TIMER_OUT);
	out(f, 0x61, 0);
	out(f, 0x61, PORT_B_TIMER_GATE);
	g_assert_cmphex(in(f, 0x61) & PORT_B_TIMER_OUT, ==, 0);
	pass(f, 1001);
	g_assert_cmphex(in(f, 0x61) & PORT_B_TIMER_OUT, ==, PORT_B_TIMER_OUT);
}

static void test_refresh(struct fixture *f, const void *data)
{
	unsigned first = in(f, 0x61) & PORT_B_REFRESH;

	(void)data;
	fake_clock_advance(&f->clock, 15085);
	g_assert_cmphex(in(f, 0x61) & PORT_B_REFRESH, !=, first);
}

static void test_reset(struct fixture *f, const void *data)
{
	g_autoptr(GError) error = NULL;
	unsigned before;

	(void)data;
	program(f, 0, 2, 1000);
	out(f, 0x61, 0x03);
	pit_reset(f->pit);
	port_b_reset(f->port_b);
	before = f->irq.rises[0];
	fake_clock_advance(&f->clock, NS_PER_S);
	g_assert_cmpuint(f->irq.rises[0], ==, before);
	g_assert_cmphex(in(f, 0x61) & 0x03, ==, 0);
	g_assert_null(
		pit_new(&(struct pit_config){ .pio = f->pio, .clock = &f->clock.clock }, &error));
	g_assert_nonnull(error);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *path;
		void (*fn)(struct fixture *f, const void *data);
	} tests[] = {
		{ "/dev/pit/ticks", test_ticks },         { "/dev/pit/once", test_once },
		{ "/dev/pit/read", test_read },           { "/dev/pit/bytes", test_bytes },
		{ "/dev/pit/read-back", test_read_back }, { "/dev/pit/gate", test_gate },
		{ "/dev/pit/refresh", test_refresh },     { "/dev/pit/reset", test_reset },
	};

	g_test_init(&argc, &argv, NULL);
	for (unsigned i = 0; i < G_N_ELEMENTS(tests); i++)
		g_test_add(tests[i].path, struct fixture, NULL, setup, tests[i].fn, teardown);
	return g_test_run();
}
