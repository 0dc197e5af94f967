/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-lapic-timer.c - the local APIC's timer with a clock that the test moves
 */
#include "fake-lapics.h"

enum {
	VECTOR = 0x31
};

/* The engine's part: nothing happens before the deadline it was told. */
static void advance_to_deadline(struct fake *f)
{
	g_assert_cmpuint(f->deadline[0], !=, 0);
	g_assert_cmpuint(f->deadline[0], ==, lapic_timer_deadline(apic(f, 0)));
	f->now = f->deadline[0];
	lapic_timer_expire(apic(f, 0));
}

static void test_divide(void)
{
	static const struct {
		uint32_t code, divide;
	} codes[] = { { 0x0, 2 },  { 0x1, 4 },  { 0x2, 8 },   { 0x3, 16 },
		      { 0x8, 32 }, { 0x9, 64 }, { 0xa, 128 }, { 0xb, 1 } };

	for (unsigned i = 0; i < ARRAY_SIZE(codes); i++) {
		autoptr(fake) f = fake_new(1);
		struct lapic *l = apic(f, 0);

		lapic_mmio_write(l, TDCR, codes[i].code);
		lapic_mmio_write(l, LVT_TIMER, VECTOR);
		lapic_mmio_write(l, TMICT, UINT32_MAX);
		g_assert_cmpuint(f->deadline[0], ==, 1000 + UINT64_C(0xffffffff) * codes[i].divide);
		g_assert_cmphex(lapic_mmio_read(l, TMCCT), ==, UINT32_MAX);
		f->now += 10 * (uint64_t)codes[i].divide;
		g_assert_cmphex(lapic_mmio_read(l, TMCCT), ==, UINT32_MAX - 10);
	}
}

static void test_one_shot(void)
{
	autoptr(fake) f = fake_new(1);
	struct lapic *l = apic(f, 0);

	lapic_mmio_write(l, TDCR, 0xb);
	lapic_mmio_write(l, LVT_TIMER, VECTOR);
	lapic_timer_expire(l); /* off: nothing */
	assert_idle(f, 0);
	lapic_mmio_write(l, TMICT, 1000);
	g_assert_cmpuint(lapic_mmio_read(l, TMICT), ==, 1000);
	f->now += 999;
	g_assert_cmpuint(lapic_mmio_read(l, TMCCT), ==, 1);
	lapic_timer_expire(l); /* too early: told again, not fired */
	assert_idle(f, 0);
	g_assert_cmpuint(f->deadline[0], ==, 2000);
	f->now += 1;
	g_assert_cmpuint(lapic_mmio_read(l, TMCCT), ==, 0);
	lapic_timer_expire(l);
	take(f, 0, VECTOR);
	g_assert_cmpuint(f->deadline[0], ==, 0);
	f->now += 100000;
	lapic_timer_expire(l);
	assert_idle(f, 0);
	g_assert_cmpuint(lapic_mmio_read(l, TMCCT), ==, 0);
	/* Written again, it runs again; 0 stops. */
	lapic_mmio_write(l, TMICT, 5);
	g_assert_cmpuint(f->deadline[0], ==, f->now + 5);
	lapic_mmio_write(l, TMICT, 0);
	g_assert_cmpuint(f->deadline[0], ==, 0);
	f->now += 5;
	lapic_timer_expire(l);
	assert_idle(f, 0);
}

static void test_periodic(void)
{
	autoptr(fake) f = fake_new(1);
	struct lapic *l = apic(f, 0);

	lapic_mmio_write(l, TDCR, 0xb);
	lapic_mmio_write(l, LVT_TIMER, PERIODIC | VECTOR);
	lapic_mmio_write(l, TMICT, 1000000);
	for (unsigned i = 1; i <= 3; i++) {
		advance_to_deadline(f);
		g_assert_cmpuint(f->now, ==, 1000 + i * 1000000);
		take(f, 0, VECTOR);
		assert_idle(f, 0);
		g_assert_cmpuint(lapic_mmio_read(l, TMCCT), ==, 1000000);
	}
	/* The count wraps by itself, though the expiry has not been served yet. */
	f->now += 1000000 + 200000;
	g_assert_cmpuint(lapic_mmio_read(l, TMCCT), ==, 800000);
	/* Ten missed: one interrupt, and on in the old rhythm. */
	f->now = 1000 + 3000000 + 10 * 1000000 + 7;
	lapic_timer_expire(l);
	g_assert_cmpuint(f->deadline[0], ==, 1000 + 3000000 + 11 * 1000000);
	take(f, 0, VECTOR);
	lapic_timer_expire(l);
	assert_idle(f, 0);
}

/* A guest cannot keep its thread busy with a period of a nanosecond. */
static void test_short_period(void)
{
	autoptr(fake) f = fake_new(1);
	struct lapic *l = apic(f, 0);

	lapic_mmio_write(l, TDCR, 0xb);
	lapic_mmio_write(l, LVT_TIMER, PERIODIC | VECTOR);
	lapic_mmio_write(l, TMICT, 1);
	g_assert_cmpuint(f->deadline[0], >=, f->now + 20000);
	g_assert_cmpuint(lapic_mmio_read(l, TMCCT), <=, 1);
	advance_to_deadline(f);
	take(f, 0, VECTOR);
	g_assert_cmpuint(f->deadline[0], >=, f->now + 20000);
	/* One-shot may be as short as it likes. */
	lapic_mmio_write(l, LVT_TIMER, VECTOR);
	lapic_mmio_write(l, TMICT, 1);
	g_assert_cmpuint(f->deadline[0], ==, f->now + 1);
}

static void test_masked(void)
{
	autoptr(fake) f = fake_new(1);
	struct lapic *l = apic(f, 0);

	lapic_mmio_write(l, TDCR, 0xb);
	lapic_mmio_write(l, LVT_TIMER, MASKED | PERIODIC | VECTOR);
	lapic_mmio_write(l, TMICT, 1000000);
	f->now += 400000;
	g_assert_cmpuint(lapic_mmio_read(l, TMCCT), ==, 600000); /* runs, silently */
	f->now += 600000;
	lapic_timer_expire(l);
	assert_idle(f, 0);
	lapic_mmio_write(l, LVT_TIMER, PERIODIC | VECTOR);
	assert_idle(f, 0);
	advance_to_deadline(f);
	take(f, 0, VECTOR);
}

static void test_divide_while_running(void)
{
	autoptr(fake) f = fake_new(1);
	struct lapic *l = apic(f, 0);

	lapic_mmio_write(l, TDCR, 0xb);
	lapic_mmio_write(l, LVT_TIMER, VECTOR);
	lapic_mmio_write(l, TMICT, 1000);
	f->now += 400;
	lapic_mmio_write(l, TDCR, 0x1);
	g_assert_cmpuint(lapic_mmio_read(l, TMCCT), ==, 600);
	g_assert_cmpuint(f->deadline[0], ==, f->now + 2400);
}

static void test_modes(void)
{
	autoptr(fake) f = fake_new(1);
	struct lapic *l = apic(f, 0);
	uint64_t value;

	lapic_mmio_write(l, TDCR, 0xb);
	lapic_mmio_write(l, LVT_TIMER, VECTOR);
	lapic_mmio_write(l, TMICT, 1000000);
	/* One-shot to periodic and back: goes on. */
	lapic_mmio_write(l, LVT_TIMER, PERIODIC | VECTOR);
	g_assert_cmpuint(f->deadline[0], ==, 1001000);
	advance_to_deadline(f);
	g_assert_cmpuint(f->deadline[0], ==, 2001000);
	lapic_mmio_write(l, LVT_TIMER, VECTOR);
	advance_to_deadline(f);
	g_assert_cmpuint(f->deadline[0], ==, 0);
	take(f, 0, VECTOR);

	/* To and from TSC deadline: disarmed. */
	lapic_mmio_write(l, TMICT, 1000);
	lapic_mmio_write(l, LVT_TIMER, TSC_DEADLINE | VECTOR);
	g_assert_cmpuint(f->deadline[0], ==, 0);
	g_assert_cmpuint(lapic_mmio_read(l, TMICT), ==, 0);
	lapic_mmio_write(l, TMICT, 1000); /* ignored */
	g_assert_cmpuint(lapic_mmio_read(l, TMICT), ==, 0);
	g_assert_cmpuint(f->deadline[0], ==, 0);
	g_assert_cmpint(lapic_msr_write(l, MSR_TSC_DEADLINE, UINT64_C(1) << 40), ==, 0);
	g_assert_cmpuint(f->deadline[0], !=, 0);
	g_assert_cmpuint(lapic_mmio_read(l, TMCCT), ==, 0);
	lapic_mmio_write(l, LVT_TIMER, VECTOR);
	g_assert_cmpuint(f->deadline[0], ==, 0);
	g_assert_cmpint(lapic_msr_read(l, MSR_TSC_DEADLINE, &value), ==, 0);
	g_assert_cmpuint(value, ==, 0);
	/* Not in that mode: writes are ignored. */
	g_assert_cmpint(lapic_msr_write(l, MSR_TSC_DEADLINE, UINT64_C(1) << 40), ==, 0);
	g_assert_cmpuint(f->deadline[0], ==, 0);
	lapic_mmio_write(l, LVT_TIMER, TSC_DEADLINE | VECTOR);
	g_assert_cmpint(lapic_msr_read(l, MSR_TSC_DEADLINE, &value), ==, 0);
	g_assert_cmpuint(value, ==, 0);
	assert_idle(f, 0);
}

static void test_tsc_deadline(void)
{
	autoptr(fake) f = fake_new(1);
	struct lapic *l = apic(f, 0);
	uint64_t value;

	lapic_mmio_write(l, LVT_TIMER, TSC_DEADLINE | VECTOR);
	g_assert_cmpint(lapic_msr_write(l, MSR_TSC_DEADLINE, 6001), ==, 0);
	g_assert_cmpint(lapic_msr_read(l, MSR_TSC_DEADLINE, &value), ==, 0);
	g_assert_cmpuint(value, ==, 6001);
	g_assert_cmpuint(f->deadline[0], ==, 2001);
	advance_to_deadline(f);
	take(f, 0, VECTOR);
	/* Fired once; the MSR says so. */
	g_assert_cmpint(lapic_msr_read(l, MSR_TSC_DEADLINE, &value), ==, 0);
	g_assert_cmpuint(value, ==, 0);
	g_assert_cmpuint(f->deadline[0], ==, 0);
	/* In the past: at once. */
	g_assert_cmpint(lapic_msr_write(l, MSR_TSC_DEADLINE, 1), ==, 0);
	take(f, 0, VECTOR);
	g_assert_cmpuint(f->deadline[0], ==, 0);
	/* 0 disarms, a new one replaces. */
	g_assert_cmpint(lapic_msr_write(l, MSR_TSC_DEADLINE, 9000), ==, 0);
	g_assert_cmpint(lapic_msr_write(l, MSR_TSC_DEADLINE, 12000), ==, 0);
	g_assert_cmpuint(f->deadline[0], ==, 4000);
	g_assert_cmpint(lapic_msr_write(l, MSR_TSC_DEADLINE, 0), ==, 0);
	g_assert_cmpuint(f->deadline[0], ==, 0);
	f->now = 5000;
	lapic_timer_expire(l);
	assert_idle(f, 0);
	/* Masked: it passes without an interrupt. */
	lapic_mmio_write(l, LVT_TIMER, TSC_DEADLINE | MASKED | VECTOR);
	g_assert_cmpint(lapic_msr_write(l, MSR_TSC_DEADLINE, 18000), ==, 0);
	advance_to_deadline(f);
	assert_idle(f, 0);
	g_assert_cmpint(lapic_msr_read(l, MSR_TSC_DEADLINE, &value), ==, 0);
	g_assert_cmpuint(value, ==, 0);
}

/* The guest has set its TSC back: the deadline is not reached when the clock says so. */
static void test_tsc_moved(void)
{
	autoptr(fake) f = fake_new(1);
	struct lapic *l = apic(f, 0);

	lapic_mmio_write(l, LVT_TIMER, TSC_DEADLINE | VECTOR);
	g_assert_cmpint(lapic_msr_write(l, MSR_TSC_DEADLINE, 6000), ==, 0);
	f->tsc_back = 1500;
	advance_to_deadline(f);
	assert_idle(f, 0);
	g_assert_cmpuint(f->deadline[0], ==, 2500);
	advance_to_deadline(f);
	take(f, 0, VECTOR);
}

static void test_illegal_vector(void)
{
	autoptr(fake) f = fake_new(1);
	struct lapic *l = apic(f, 0);

	lapic_mmio_write(l, TDCR, 0xb);
	lapic_mmio_write(l, LVT_TIMER, 3);
	lapic_mmio_write(l, TMICT, 10);
	advance_to_deadline(f);
	assert_idle(f, 0);
	lapic_mmio_write(l, ESR, 0);
	g_assert_cmphex(lapic_mmio_read(l, ESR), ==, 0x40);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/lapic-timer/divide", test_divide);
	g_test_add_func("/lapic-timer/one-shot", test_one_shot);
	g_test_add_func("/lapic-timer/periodic", test_periodic);
	g_test_add_func("/lapic-timer/short-period", test_short_period);
	g_test_add_func("/lapic-timer/masked", test_masked);
	g_test_add_func("/lapic-timer/divide-while-running", test_divide_while_running);
	g_test_add_func("/lapic-timer/modes", test_modes);
	g_test_add_func("/lapic-timer/tsc-deadline", test_tsc_deadline);
	g_test_add_func("/lapic-timer/tsc-moved", test_tsc_moved);
	g_test_add_func("/lapic-timer/illegal-vector", test_illegal_vector);
	return g_test_run();
}
