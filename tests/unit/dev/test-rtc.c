/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dev/rtc.h"

#include "fake.h"

#define NS_PER_S ((uint64_t)1000000000)
#define GIB      ((uint64_t)1 << 30)

enum {
	IRQ = 8,
	UF = 0x10,
	AF = 0x20,
	PF = 0x40,
	IRQF = 0x80,
	SET = 0x80
};

struct fixture {
	struct io_space *pio;
	struct fake_clock clock;
	struct fake_irq irq;
	struct rtc *rtc;
};

static void setup(struct fixture *f, const void *data)
{
	g_autoptr(GError) error = NULL;

	(void)data;
	f->pio = io_space_new("ports", 0x10000);
	fake_clock_init(&f->clock);
	fake_irq_init(&f->irq);
	f->rtc = rtc_new(
		&(struct rtc_config){
			.pio = f->pio,
			.irq = { &f->irq.sink, IRQ },
			.clock = &f->clock.clock,
			.ram_below_4g = 3 * GIB,
			.ram_above_4g = 5 * GIB,
		},
		&error);
	g_assert_no_error(error);
}

static void teardown(struct fixture *f, const void *data)
{
	(void)data;
	rtc_free(f->rtc);
	io_space_free(f->pio);
}

static unsigned get(struct fixture *f, uint8_t index)
{
	io_write(f->pio, 0x70, 1, index);
	return (unsigned)io_read(f->pio, 0x71, 1);
}

static void set(struct fixture *f, uint8_t index, uint8_t value)
{
	io_write(f->pio, 0x70, 1, index);
	io_write(f->pio, 0x71, 1, value);
}

/* Century to seconds as the cells have them, in hexadecimal. */
static void assert_time(struct fixture *f, uint64_t expected)
{
	static const uint8_t index[] = { 0x32, 9, 8, 7, 4, 2, 0 };
	uint64_t value = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(index); i++)
		value = value << 8 | get(f, index[i]);
	g_assert_cmphex(value, ==, expected);
}

static void test_time(struct fixture *f, const void *data)
{
	(void)data;
	assert_time(f, 0x20231114221320);
	g_assert_cmphex(get(f, 6), ==, 3); /* a Tuesday */
	fake_clock_advance(&f->clock, 7200 * NS_PER_S);
	assert_time(f, 0x20231115001320);
	/* Binary */
	set(f, 0x0b, 0x06);
	assert_time(f, 0x14170b0f000d14);
	/* Twelve hours, midnight and afternoon */
	set(f, 0x0b, 0x00);
	g_assert_cmphex(get(f, 4), ==, 0x12);
	fake_clock_advance(&f->clock, 54000 * NS_PER_S);
	g_assert_cmphex(get(f, 4), ==, 0x83);
	/* NMI's bit in the index is none of ours, nor can the index be read. */
	g_assert_cmphex(get(f, 0x84), ==, 0x83);
	g_assert_cmphex(io_read(f->pio, 0x70, 1), ==, 0xff);
	g_assert_cmphex(get(f, 0x0d), ==, 0x80);
}

static void test_update_in_progress(struct fixture *f, const void *data)
{
	(void)data;
	g_assert_cmphex(get(f, 0x0a), ==, 0x26);
	fake_clock_advance(&f->clock, NS_PER_S - 200000);
	g_assert_cmphex(get(f, 0x0a), ==, 0xa6);
	fake_clock_advance(&f->clock, 200000);
	g_assert_cmphex(get(f, 0x0a), ==, 0x26);
	assert_time(f, 0x20231114221321);
}

/* As Linux does it: SET, divider in reset, cells, SET off, divider on. */
static void test_set_time(struct fixture *f, const void *data)
{
	(void)data;
	set(f, 0x0b, SET | 0x02);
	set(f, 0x0a, 0x76);
	set(f, 0x32, 0x19), set(f, 9, 0x99), set(f, 8, 0x12), set(f, 7, 0x31);
	set(f, 4, 0x23), set(f, 2, 0x59), set(f, 0, 0x58);
	fake_clock_advance(&f->clock, 10 * NS_PER_S);
	assert_time(f, 0x19991231235958);
	g_assert_cmphex(get(f, 0x0a), ==, 0x76);
	set(f, 0x0b, 0x02);
	set(f, 0x0a, 0x26);
	assert_time(f, 0x19991231235958);
	/* The first second has half the length. */
	fake_clock_advance(&f->clock, NS_PER_S / 2);
	assert_time(f, 0x19991231235959);
	fake_clock_advance(&f->clock, NS_PER_S);
	assert_time(f, 0x20000101000000);
	g_assert_cmphex(get(f, 6), ==, 7);
	/* Without stopping it. */
	set(f, 4, 0x12);
	assert_time(f, 0x20000101120000);
	/* A reset does not touch it. */
	rtc_reset(f->rtc);
	assert_time(f, 0x20000101120000);
}

static void test_nonsense(struct fixture *f, const void *data)
{
	(void)data;
	set(f, 0x0b, SET | 0x06);
	for (uint8_t i = 0; i < 10; i++)
		set(f, i, 0xff);
	set(f, 0x32, 0xff);
	set(f, 0x0b, 0x06);
	get(f, 9);
	set(f, 0x0b, SET);
	for (uint8_t i = 0; i < 10; i++)
		set(f, i, 0);
	set(f, 0x32, 0);
	set(f, 0x0b, 0x70);
	get(f, 9);
	fake_clock_advance(&f->clock, 2 * NS_PER_S);
	g_assert_cmphex(get(f, 0x0c) & UF, ==, UF);
}

static void test_update_interrupt(struct fixture *f, const void *data)
{
	(void)data;
	/* Flags without interrupts need no timer. */
	g_assert_cmpuint(fake_clock_next(&f->clock), ==, DEV_TIMER_NEVER);
	fake_clock_advance(&f->clock, NS_PER_S);
	g_assert_cmphex(get(f, 0x0c), ==, UF | PF);
	g_assert_cmphex(get(f, 0x0c), ==, 0);

	set(f, 0x0b, 0x02 | UF);
	for (unsigned i = 1; i <= 3; i++) {
		fake_clock_advance(&f->clock, NS_PER_S - 1);
		g_assert_false(f->irq.level[IRQ]);
		fake_clock_advance(&f->clock, 1);
		g_assert_true(f->irq.level[IRQ]);
		g_assert_cmphex(get(f, 0x0c), ==, UF | PF | IRQF);
		g_assert_false(f->irq.level[IRQ]);
		g_assert_cmpuint(f->irq.rises[IRQ], ==, i);
	}
	/* A guest that does not fetch it costs nothing. */
	fake_clock_advance(&f->clock, NS_PER_S);
	g_assert_cmpuint(fake_clock_next(&f->clock), ==, DEV_TIMER_NEVER);
	/* SET switches it off. */
	set(f, 0x0b, SET | 0x02 | UF);
	g_assert_cmphex(get(f, 0x0b), ==, SET | 0x02);
	g_assert_false(f->irq.level[IRQ]);
}

static void test_alarm(struct fixture *f, const void *data)
{
	(void)data;
	/* 22:13:20 now. */
	set(f, 5, 0x22), set(f, 3, 0x14), set(f, 1, 0x05);
	set(f, 0x0b, 0x02 | AF);
	fake_clock_advance(&f->clock, 44 * NS_PER_S);
	g_assert_false(f->irq.level[IRQ]);
	fake_clock_advance(&f->clock, NS_PER_S);
	g_assert_true(f->irq.level[IRQ]);
	g_assert_cmphex(get(f, 0x0c), ==, UF | AF | PF | IRQF);
	/* Next time tomorrow, with one wake-up. */
	g_assert_cmpuint(fake_clock_next(&f->clock), ==, f->clock.monotonic_ns + 86400 * NS_PER_S);
	/* Every minute at :05 */
	set(f, 5, 0xff), set(f, 3, 0xc0);
	g_assert_cmpuint(fake_clock_next(&f->clock), ==, f->clock.monotonic_ns + 60 * NS_PER_S);
	/* Every second */
	set(f, 1, 0xff);
	g_assert_cmpuint(fake_clock_next(&f->clock), ==, f->clock.monotonic_ns + NS_PER_S);
	/* Never */
	set(f, 5, 0x77);
	g_assert_cmpuint(fake_clock_next(&f->clock), ==, DEV_TIMER_NEVER);
	/* An alarm that has passed while nobody looked. */
	set(f, 5, 0xff), set(f, 3, 0xff), set(f, 1, 0x07);
	set(f, 0x0b, 0x02);
	fake_clock_advance(&f->clock, 600 * NS_PER_S);
	g_assert_cmphex(get(f, 0x0c), ==, UF | AF | PF);
	rtc_reset(f->rtc);
	g_assert_cmphex(get(f, 0x0b), ==, 0x02);
}

static void test_periodic(struct fixture *f, const void *data)
{
	(void)data;
	set(f, 0x0a, 0x26); /* 1024 Hz */
	set(f, 0x0b, 0x02 | PF);
	for (unsigned i = 0; i < 1024; i++) {
		uint64_t next = fake_clock_next(&f->clock);

		g_assert_cmpuint(next - f->clock.monotonic_ns, <=, NS_PER_S / 1024 + 2);
		fake_clock_advance(&f->clock, next - f->clock.monotonic_ns);
		g_assert_true(f->irq.level[IRQ]);
		g_assert_cmphex(get(f, 0x0c) & (PF | IRQF), ==, PF | IRQF);
	}
	g_assert_cmpuint(f->clock.monotonic_ns / NS_PER_S, ==, 78);
	g_assert_cmpuint(f->clock.monotonic_ns % NS_PER_S, <, 2000);
	/* Rate 0 is off; 1 and 2 mean 256 and 128 Hz. */
	set(f, 0x0a, 0x20);
	g_assert_cmpuint(fake_clock_next(&f->clock), ==, DEV_TIMER_NEVER);
	set(f, 0x0a, 0x21);
	g_assert_cmpuint(fake_clock_next(&f->clock) - f->clock.monotonic_ns, >, NS_PER_S / 300);
	g_assert_cmpuint(fake_clock_next(&f->clock) - f->clock.monotonic_ns, <, NS_PER_S / 256 + 9);
	/* The divider in reset: no ticks. */
	set(f, 0x0a, 0x66);
	g_assert_cmpuint(fake_clock_next(&f->clock), ==, DEV_TIMER_NEVER);
}

static void test_host_steps_back(struct fixture *f, const void *data)
{
	(void)data;
	get(f, 0x0c);
	f->clock.realtime_ns -= 3600 * NS_PER_S;
	g_assert_cmphex(get(f, 0x0c), ==, 0);
	assert_time(f, 0x20231114211320);
	fake_clock_advance(&f->clock, NS_PER_S);
	g_assert_cmphex(get(f, 0x0c), ==, UF | PF);
}

static void test_memory_cells(struct fixture *f, const void *data)
{
	(void)data;
	g_assert_cmphex(get(f, 0x16) << 8 | get(f, 0x15), ==, 640);
	g_assert_cmphex(get(f, 0x18) << 8 | get(f, 0x17), ==, 0xffff);
	g_assert_cmphex(get(f, 0x31) << 8 | get(f, 0x30), ==, 0xffff);
	g_assert_cmphex(get(f, 0x35) << 8 | get(f, 0x34), ==, (3 * GIB >> 16) - 0x100);
	g_assert_cmphex(get(f, 0x5d) << 16 | get(f, 0x5c) << 8 | get(f, 0x5b), ==, 5 * GIB >> 16);
	/* The rest is memory, which a reset keeps; index and cell in one access. */
	io_write(f->pio, 0x70, 2, 0x5a0f);
	rtc_reset(f->rtc);
	g_assert_cmphex(get(f, 0x0f), ==, 0x5a);
	g_assert_cmphex(io_read(f->pio, 0x70, 2), ==, 0x5aff);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *path;
		void (*fn)(struct fixture *f, const void *data);
	} tests[] = {
		{ "/dev/rtc/time", test_time },
		{ "/dev/rtc/update-in-progress", test_update_in_progress },
		{ "/dev/rtc/set-time", test_set_time },
		{ "/dev/rtc/nonsense", test_nonsense },
		{ "/dev/rtc/update-interrupt", test_update_interrupt },
		{ "/dev/rtc/alarm", test_alarm },
		{ "/dev/rtc/periodic", test_periodic },
		{ "/dev/rtc/host-steps-back", test_host_steps_back },
		{ "/dev/rtc/memory-cells", test_memory_cells },
	};

	g_test_init(&argc, &argv, NULL);
	for (unsigned i = 0; i < ARRAY_SIZE(tests); i++)
		g_test_add(tests[i].path, struct fixture, NULL, setup, tests[i].fn, teardown);
	return g_test_run();
}
