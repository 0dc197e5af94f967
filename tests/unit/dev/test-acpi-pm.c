/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dev/acpi-pm.h"

#include "fake.h"

#define NS_PER_S ((uint64_t)1000000000)

enum {
	BASE = 0x600,
	SCI = 9,
	STS = 0,
	EN = 2,
	CNT = 4,
	TMR = 8,
	GPE_STS = 12,
	GPE_EN = 14,
	PWRBTN = 0x100
};

struct fixture {
	struct io_space *pio;
	struct fake_clock clock;
	struct fake_irq irq;
	struct acpi_pm *pm;
	unsigned power_offs, resets;
};

static void count_power_off(void *opaque)
{
	((struct fixture *)opaque)->power_offs++;
}

static void count_reset(void *opaque)
{
	((struct fixture *)opaque)->resets++;
}

static void setup(struct fixture *f, const void *data)
{
	g_autoptr(GError) error = NULL;

	f->pio = io_space_new("ports", 0x10000);
	fake_clock_init(&f->clock);
	fake_irq_init(&f->irq);
	f->pm = acpi_pm_new(
		&(struct acpi_pm_config){
			.pio = f->pio,
			.base = BASE,
			.sci = { &f->irq.sink, SCI },
			.clock = &f->clock.clock,
			.timer_24bit = data,
			.power_off = count_power_off,
			.reset = count_reset,
			.opaque = f,
		},
		&error);
	g_assert_no_error(error);
}

static void teardown(struct fixture *f, const void *data)
{
	(void)data;
	acpi_pm_free(f->pm);
	io_space_free(f->pio);
}

static unsigned in(struct fixture *f, unsigned off, unsigned size)
{
	return (unsigned)io_read(f->pio, BASE + off, size);
}

static void out(struct fixture *f, unsigned off, unsigned size, uint64_t value)
{
	io_write(f->pio, BASE + off, size, value);
}

static void test_timer(struct fixture *f, const void *data)
{
	uint64_t mask = data ? 0xffffff : 0xffffffff;

	g_assert_cmphex(in(f, TMR, 4), ==, 0);
	fake_clock_advance(&f->clock, NS_PER_S);
	g_assert_cmphex(in(f, TMR, 4), ==, 3579545);
	g_assert_cmphex(in(f, TMR + 1, 1), ==, 3579545 >> 8 & 0xff);
	fake_clock_advance(&f->clock, NS_PER_S / 5);
	g_assert_cmphex(in(f, TMR, 4), ==, 3579545 + 715909);
	/* A year, exactly; it wraps. */
	fake_clock_advance(&f->clock, 365 * (86400 * NS_PER_S) - NS_PER_S / 5 - NS_PER_S);
	g_assert_cmphex(in(f, TMR, 4), ==, (uint64_t)365 * 86400 * 3579545 & mask);
	out(f, TMR, 4, 0);
	g_assert_cmphex(in(f, TMR, 4), ==, (uint64_t)365 * 86400 * 3579545 & mask);
}

static void test_timer_carry(struct fixture *f, const void *data)
{
	uint64_t half = data ? 1 << 23 : (uint64_t)1 << 31;
	uint64_t half_ns = half * NS_PER_S / 3579545;

	/* Without being asked, it keeps a note only. */
	g_assert_cmpuint(fake_clock_next(&f->clock), ==, DEV_TIMER_NEVER);
	fake_clock_advance(&f->clock, half_ns + 300);
	g_assert_cmphex(in(f, STS, 2), ==, 1);
	out(f, STS, 2, 1);
	g_assert_cmphex(in(f, STS, 2), ==, 0);

	out(f, EN, 2, 1);
	fake_clock_advance(&f->clock, half_ns - 1000);
	g_assert_false(f->irq.level[SCI]);
	fake_clock_advance(&f->clock, 1000);
	g_assert_true(f->irq.level[SCI]);
	g_assert_cmphex(in(f, TMR, 4), <, 10);
	/* Not again until it is cleared. */
	g_assert_cmpuint(fake_clock_next(&f->clock), ==, DEV_TIMER_NEVER);
	out(f, STS, 1, 1);
	g_assert_false(f->irq.level[SCI]);
	fake_clock_advance(&f->clock, half_ns);
	g_assert_cmpuint(f->irq.rises[SCI], ==, 2);
}

static void test_power_button(struct fixture *f, const void *data)
{
	(void)data;
	/* SCI_EN is always set: there is no legacy mode. */
	g_assert_cmphex(in(f, CNT, 2), ==, 1);
	acpi_pm_power_button(f->pm);
	g_assert_false(f->irq.level[SCI]);
	g_assert_cmphex(in(f, STS, 4), ==, PWRBTN);
	out(f, EN, 2, PWRBTN);
	g_assert_true(f->irq.level[SCI]);
	acpi_pm_reset(f->pm);
	g_assert_false(f->irq.level[SCI]);
	g_assert_cmphex(in(f, STS, 4), ==, 0);
}

static void test_event_bytes(struct fixture *f, const void *data)
{
	(void)data;
	acpi_pm_power_button(f->pm);
	out(f, EN, 2, 0xffff);
	g_assert_cmphex(in(f, EN, 2), ==, 0x521);
	g_assert_true(f->irq.level[SCI]);
	out(f, STS, 2, 0xfeff);
	g_assert_true(f->irq.level[SCI]);
	/* By bytes; zeros clear nothing. */
	out(f, STS, 2, 0);
	out(f, STS + 1, 1, 0x01);
	g_assert_false(f->irq.level[SCI]);
	g_assert_cmphex(in(f, EN + 1, 1), ==, 0x05);
	out(f, EN + 1, 1, 0);
	g_assert_cmphex(in(f, EN, 2), ==, 0x21);
}

static void test_gpe(struct fixture *f, const void *data)
{
	(void)data;
	acpi_pm_gpe(f->pm, 1);
	acpi_pm_gpe(f->pm, 15);
	g_assert_cmphex(in(f, GPE_STS, 2), ==, 0x8002);
	g_assert_false(f->irq.level[SCI]);
	/* By bytes, as the guest's interpreter does. */
	out(f, GPE_EN, 1, 0x02);
	g_assert_true(f->irq.level[SCI]);
	out(f, GPE_STS + 1, 1, 0xff);
	g_assert_cmphex(in(f, GPE_STS, 4), ==, 0x00020002);
	out(f, GPE_STS, 1, 0x02);
	g_assert_false(f->irq.level[SCI]);
	/* The wire is down when neither block has an event. */
	out(f, EN, 2, PWRBTN);
	acpi_pm_power_button(f->pm);
	acpi_pm_gpe(f->pm, 1);
	out(f, STS, 2, PWRBTN);
	g_assert_true(f->irq.level[SCI]);
	out(f, GPE_EN, 1, 0);
	g_assert_false(f->irq.level[SCI]);
	out(f, GPE_EN, 2, 0xffff);
	g_assert_true(f->irq.level[SCI]);
	acpi_pm_reset(f->pm);
	g_assert_false(f->irq.level[SCI]);
	g_assert_cmphex(in(f, GPE_STS, 4), ==, 0);
	g_assert_cmpuint(f->irq.rises[SCI], ==, 3);
}

static void test_sleep(struct fixture *f, const void *data)
{
	(void)data;
	/* The type alone does nothing, other states are unknown. */
	out(f, CNT, 2, 5 << 10 | 1);
	g_assert_cmphex(in(f, CNT, 2), ==, 5 << 10 | 1);
	out(f, CNT, 2, 1 << 10 | 1 << 13);
	g_assert_cmpuint(f->power_offs, ==, 0);
	g_assert_cmphex(in(f, CNT, 2), ==, 1 << 10 | 1);
	out(f, CNT, 2, 5 << 10 | 1 << 13);
	g_assert_cmpuint(f->power_offs, ==, 1);
	/* SLP_EN reads as 0; the high byte will do. */
	g_assert_cmphex(in(f, CNT, 2), ==, 5 << 10 | 1);
	out(f, CNT + 1, 1, (5 << 10 | 1 << 13) >> 8);
	g_assert_cmpuint(f->power_offs, ==, 2);
}

static void test_reset_register(struct fixture *f, const void *data)
{
	(void)data;
	io_write(f->pio, 0xcf9, 1, 0x02);
	g_assert_cmphex(io_read(f->pio, 0xcf9, 1), ==, 0x02);
	g_assert_cmpuint(f->resets, ==, 0);
	io_write(f->pio, 0xcf9, 1, 0x06);
	g_assert_cmpuint(f->resets, ==, 1);
	/* The address register of PCI is not ours. */
	io_write(f->pio, 0xcf8, 4, 0x80000600);
	g_assert_cmpuint(f->resets, ==, 1);
	g_assert_cmphex(io_read(f->pio, 0xcf8, 4), ==, 0xffffffff);
}

static void test_occupied(struct fixture *f, const void *data)
{
	g_autoptr(GError) error = NULL;
	const struct acpi_pm_config config = {
		.pio = f->pio,
		.base = 0x800, /* the ports are free, the reset register is not */
		.clock = &f->clock.clock,
	};

	(void)data;
	g_assert_null(acpi_pm_new(&config, &error));
	g_assert_nonnull(error);
	g_assert_cmphex(io_read(f->pio, 0x804, 2), ==, 0xffff);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *path;
		void (*fn)(struct fixture *f, const void *data);
		bool timer_24bit;
	} tests[] = {
		{ "/dev/acpi-pm/timer-32", test_timer, false },
		{ "/dev/acpi-pm/timer-24", test_timer, true },
		{ "/dev/acpi-pm/timer-carry-32", test_timer_carry, false },
		{ "/dev/acpi-pm/timer-carry-24", test_timer_carry, true },
		{ "/dev/acpi-pm/power-button", test_power_button, false },
		{ "/dev/acpi-pm/event-bytes", test_event_bytes, false },
		{ "/dev/acpi-pm/gpe", test_gpe, false },
		{ "/dev/acpi-pm/sleep", test_sleep, false },
		{ "/dev/acpi-pm/reset-register", test_reset_register, false },
		{ "/dev/acpi-pm/occupied", test_occupied, false },
	};

	g_test_init(&argc, &argv, NULL);
	for (unsigned i = 0; i < ARRAY_SIZE(tests); i++)
		g_test_add(tests[i].path, struct fixture, tests[i].timer_24bit ? tests : NULL,
			   setup, tests[i].fn, teardown);
	return g_test_run();
}
