/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-lapic.c - local APIC: registers in both forms, priorities, modes, errors, state
 */
#include "cpu/lapic.h"

#include <errno.h>
#include <sched.h>
#include <string.h>

#include "base/bytes.h"
#include "base/thread.h"
#include "fake-lapics.h"

static void give(struct fake *f, unsigned cpu, uint8_t vector, bool level)
{
	struct lapic_message msg = {
		.dest = cpu,
		.delivery = LAPIC_FIXED,
		.level = level,
		.assert_ = true,
		.vector = vector,
	};

	g_assert_cmpuint(lapic_set_deliver(f->set, &msg), ==, 1);
}

static uint64_t msr(struct lapic *l, uint32_t number)
{
	uint64_t value = 0xdead;

	g_assert_cmpint(lapic_msr_read(l, number, &value), ==, 0);
	return value;
}

static void assert_after_reset(struct lapic *l)
{
	g_assert_cmphex(lapic_mmio_read(l, VERSION), ==, 0x50014);
	g_assert_cmphex(lapic_mmio_read(l, SVR), ==, 0xff);
	g_assert_cmphex(lapic_mmio_read(l, DFR), ==, UINT32_MAX);
	g_assert_cmphex(lapic_mmio_read(l, LDR), ==, 0);
	g_assert_cmphex(lapic_mmio_read(l, TPR), ==, 0);
	g_assert_cmphex(lapic_mmio_read(l, ICR), ==, 0);
	g_assert_cmphex(lapic_mmio_read(l, ICR_HIGH), ==, 0);
	g_assert_cmphex(lapic_mmio_read(l, TMICT), ==, 0);
	g_assert_cmphex(lapic_mmio_read(l, TDCR), ==, 0);
	for (uint32_t off = LVT_TIMER; off <= LVT_ERROR; off += 0x10)
		g_assert_cmphex(lapic_mmio_read(l, off), ==, MASKED);
	for (uint32_t off = ISR; off < ESR; off += 0x10)
		g_assert_cmphex(lapic_mmio_read(l, off), ==, 0);
	g_assert_cmpuint(lapic_timer_deadline(l), ==, 0);
}

static void test_reset(void)
{
	autoptr(fake) f = fake_new(2);
	struct lapic *l = apic(f, 1);
	uint8_t sipi = 0;

	g_assert_cmphex(lapic_base(apic(f, 0)), ==, 0xfee00900);
	g_assert_cmphex(lapic_base(l), ==, 0xfee00800);
	g_assert_cmphex(lapic_mmio_read(l, ID), ==, 0x01000000);
	lapic_mmio_write(l, ID, 0x05000000); /* read only */
	g_assert_cmphex(lapic_mmio_read(l, ID), ==, 0x01000000);

	for (int init = 0; init < 2; init++) {
		struct lapic_message nmi = { .dest = 1, .delivery = LAPIC_NMI, .assert_ = true };

		lapic_mmio_write(l, SVR, ENABLED);
		lapic_mmio_write(l, TPR, 0x10);
		lapic_mmio_write(l, LDR, 0x0f000000);
		lapic_mmio_write(l, DFR, 0);
		lapic_mmio_write(l, TDCR, 0xb);
		lapic_mmio_write(l, LVT_TIMER, 0x40);
		lapic_mmio_write(l, TMICT, 1000);
		give(f, 1, 0x80, true);
		g_assert_cmpint(lapic_ack(l), ==, 0x80);
		give(f, 1, 0x90, true);
		lapic_set_deliver(f->set, &nmi);
		g_assert_cmpuint(f->deadline[1], !=, 0);

		lapic_reset(l, init);
		assert_after_reset(l);
		assert_idle(f, 1);
		g_assert_cmpuint(f->deadline[1], ==, 0);
		/* INIT leaves requests alone: a SIPI may be among them. */
		g_assert_cmphex(lapic_requests(l, &sipi), ==, init ? LAPIC_REQ_NMI : 0);
	}
}

static void test_reset_x2apic(void)
{
	autoptr(fake) f = fake_new(34);
	struct lapic *l = apic(f, 33);

	x2apic_on(f, 33);
	lapic_reset(l, true);
	g_assert_cmphex(lapic_base(l), ==, 0xfee00c00);
	g_assert_cmphex(msr(l, 0x802), ==, 33);
	g_assert_cmphex(msr(l, 0x80d), ==, 0x20002);
	g_assert_cmphex(msr(l, 0x80f), ==, 0xff);
	lapic_reset(l, false);
	g_assert_cmphex(lapic_base(l), ==, 0xfee00800);
	assert_after_reset(l);
}

/* ---- Priorities ---- */

static void test_priority(void)
{
	autoptr(fake) f = fake_new(1);
	struct lapic *l = apic(f, 0);

	assert_idle(f, 0);
	give(f, 0, 0x31, false);
	give(f, 0, 0x52, false);
	give(f, 0, 0x3f, false);
	g_assert_cmphex(lapic_mmio_read(l, IRR + 0x10), ==, 1u << 0x11 | 1u << 0x1f);
	g_assert_cmphex(lapic_mmio_read(l, IRR + 0x20), ==, 1u << 0x12);
	g_assert_cmpint(lapic_pending(l), ==, 0x52);
	g_assert_cmpint(lapic_pending(l), ==, 0x52); /* looking takes nothing */
	g_assert_cmpint(lapic_ack(l), ==, 0x52);
	g_assert_cmphex(lapic_mmio_read(l, ISR + 0x20), ==, 1u << 0x12);
	g_assert_cmphex(lapic_mmio_read(l, IRR + 0x20), ==, 0);
	g_assert_cmphex(lapic_mmio_read(l, PPR), ==, 0x50);
	assert_idle(f, 0); /* lower class waits */
	give(f, 0, 0x5f, false);
	assert_idle(f, 0); /* so does the same class */
	give(f, 0, 0x60, false);
	g_assert_cmpint(lapic_ack(l), ==, 0x60);
	lapic_mmio_write(l, EOI, 0); /* ends 0x60 */
	g_assert_cmphex(lapic_mmio_read(l, PPR), ==, 0x50);
	assert_idle(f, 0);
	lapic_mmio_write(l, EOI, 0); /* ends 0x52 */
	take(f, 0, 0x5f);
	take(f, 0, 0x3f);
	take(f, 0, 0x31);
	assert_idle(f, 0);
	g_assert_cmphex(lapic_mmio_read(l, PPR), ==, 0);
	lapic_mmio_write(l, EOI, 0); /* nothing in service */
	assert_idle(f, 0);
	g_assert_cmpuint(f->eois, ==, 0); /* all of them were edges */
}

/* What lowers the priority tells the engine that something may be done now. */
static void test_tpr(void)
{
	autoptr(fake) f = fake_new(1);
	struct lapic *l = apic(f, 0);
	unsigned kicks;

	lapic_mmio_write(l, TPR, 0x43);
	g_assert_cmpuint(lapic_cr8(l), ==, 4);
	g_assert_cmphex(lapic_mmio_read(l, PPR), ==, 0x43);
	give(f, 0, 0x4f, false);
	assert_idle(f, 0);
	kicks = atomic_load(&f->kicks[0]);
	lapic_mmio_write(l, TPR, 0x41);
	assert_idle(f, 0);
	g_assert_cmpuint(atomic_load(&f->kicks[0]), ==, kicks);
	lapic_set_cr8(l, 3);
	g_assert_cmphex(lapic_mmio_read(l, TPR), ==, 0x30);
	g_assert_cmpuint(atomic_load(&f->kicks[0]), ==, kicks + 1);
	take(f, 0, 0x4f);
	/* The class in service rules while it is above the task's. */
	give(f, 0, 0x51, false);
	g_assert_cmpint(lapic_ack(l), ==, 0x51);
	g_assert_cmphex(lapic_mmio_read(l, PPR), ==, 0x50);
	lapic_set_cr8(l, 5);
	g_assert_cmphex(lapic_mmio_read(l, PPR), ==, 0x50);
	lapic_mmio_write(l, TPR, 0x5a);
	g_assert_cmphex(lapic_mmio_read(l, PPR), ==, 0x5a);
	kicks = atomic_load(&f->kicks[0]);
	give(f, 0, 0x54, false);
	g_assert_cmpuint(atomic_load(&f->kicks[0]), ==, kicks + 1);
	lapic_set_cr8(l, 0);
	assert_idle(f, 0);
	lapic_mmio_write(l, EOI, 0);
	g_assert_cmpuint(atomic_load(&f->kicks[0]), ==, kicks + 2); /* the EOI made room */
	take(f, 0, 0x54);
	lapic_mmio_write(l, TPR, 0xfffff0);
	g_assert_cmphex(lapic_mmio_read(l, TPR), ==, 0xf0);
	give(f, 0, 0xff, false);
	assert_idle(f, 0);
	lapic_set_cr8(l, 0xe);
	take(f, 0, 0xff);
}

static void test_level(void)
{
	autoptr(fake) f = fake_new(1);
	struct lapic *l = apic(f, 0);

	give(f, 0, 0x45, true);
	g_assert_cmphex(lapic_mmio_read(l, TMR + 0x20), ==, 1 << 5);
	take(f, 0, 0x45);
	g_assert_cmpuint(f->eois, ==, 1);
	g_assert_cmphex(f->eoi_vector, ==, 0x45);
	/* The same vector as an edge now: not told. */
	give(f, 0, 0x45, false);
	g_assert_cmphex(lapic_mmio_read(l, TMR + 0x20), ==, 0);
	take(f, 0, 0x45);
	g_assert_cmpuint(f->eois, ==, 1);
}

/* While in service a vector can be pending once more; more often than that is lost. */
static void test_pending_again(void)
{
	autoptr(fake) f = fake_new(1);
	struct lapic *l = apic(f, 0);

	give(f, 0, 0x45, false);
	give(f, 0, 0x45, false);
	g_assert_cmpint(lapic_ack(l), ==, 0x45);
	assert_idle(f, 0);
	give(f, 0, 0x45, false);
	give(f, 0, 0x45, false);
	assert_idle(f, 0);
	lapic_mmio_write(l, EOI, 0);
	take(f, 0, 0x45);
	assert_idle(f, 0);
}

/* ---- Enabling ---- */

static void test_software_disable(void)
{
	autoptr(fake) f = fake_new(1);
	struct lapic *l = apic(f, 0);
	struct lapic_message fixed = { .delivery = LAPIC_FIXED, .assert_ = true, .vector = 0x40 };
	struct lapic_message nmi = { .delivery = LAPIC_NMI, .assert_ = true };
	uint8_t sipi;

	lapic_mmio_write(l, LVT_LINT0, 0x700);
	give(f, 0, 0x41, false);
	lapic_mmio_write(l, SVR, 0xff);
	/* Entries are masked and stay so. */
	g_assert_cmphex(lapic_mmio_read(l, LVT_LINT0), ==, 0x10700);
	lapic_mmio_write(l, LVT_TIMER, 0x50);
	g_assert_cmphex(lapic_mmio_read(l, LVT_TIMER), ==, 0x10050);
	lapic_mmio_write(l, TMICT, 10);
	f->now += 10;
	lapic_timer_expire(l);
	/* Fixed interrupts are ignored, those that were there are not; NMI comes through. */
	g_assert_cmpuint(lapic_set_deliver(f->set, &fixed), ==, 0);
	fixed.delivery = LAPIC_LOWEST;
	g_assert_cmpuint(lapic_set_deliver(f->set, &fixed), ==, 0);
	g_assert_cmpuint(lapic_set_deliver(f->set, &nmi), ==, 1);
	g_assert_cmphex(lapic_requests(l, &sipi), ==, LAPIC_REQ_NMI);
	take(f, 0, 0x41);
	assert_idle(f, 0);
	/* Enabling does not unmask. */
	lapic_mmio_write(l, SVR, 0x1ff);
	g_assert_cmphex(lapic_mmio_read(l, LVT_TIMER), ==, 0x10050);
	lapic_mmio_write(l, SVR, UINT32_MAX);
	g_assert_cmphex(lapic_mmio_read(l, SVR), ==, 0x3ff);
}

static void test_base(void)
{
	enum {
		OFF = 0,
		X = 0x800,
		X2 = 0xc00,
		BAD = 0x400
	};
	static const struct {
		unsigned from, to;
		bool ok;
	} moves[] = {
		{ X, X, true },     { X, X2, true },  { X, OFF, true },   { X, BAD, false },
		{ X2, X2, true },   { X2, X, false }, { X2, OFF, true },  { X2, BAD, false },
		{ OFF, OFF, true }, { OFF, X, true }, { OFF, X2, false }, { OFF, BAD, false },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(moves); i++) {
		autoptr(fake) f = fake_new(1);
		struct lapic *l = apic(f, 0);

		if (moves[i].from != X)
			g_assert_cmpint(
				lapic_msr_write(l, MSR_APIC_BASE, 0xfee00100 | moves[i].from), ==,
				0);
		g_assert_cmpint(lapic_msr_write(l, MSR_APIC_BASE, 0xfee00100 | moves[i].to), ==,
				moves[i].ok ? 0 : -EINVAL);
		g_assert_cmphex(lapic_base(l), ==,
				0xfee00100 | (moves[i].ok ? moves[i].to : moves[i].from));
		g_assert_cmphex(msr(l, MSR_APIC_BASE), ==, lapic_base(l));
	}
}

static void test_base_bits(void)
{
	autoptr(fake) f = fake_new(2);
	static const uint64_t bad[] = {
		0xfed00900, 0x900,      0x1fee00900, UINT64_C(1) << 52 | 0xfee00900,
		0xfee00901, 0xfee00b00, 0xfee00980,  UINT64_MAX,
	};

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++)
		g_assert_cmpint(lapic_msr_write(apic(f, 0), MSR_APIC_BASE, bad[i]), ==, -EINVAL);
	/* Who is the boot CPU does not change. */
	g_assert_cmpint(lapic_msr_write(apic(f, 0), MSR_APIC_BASE, 0xfee00c00), ==, 0);
	g_assert_cmphex(lapic_base(apic(f, 0)), ==, 0xfee00d00);
	g_assert_cmpint(lapic_msr_write(apic(f, 1), MSR_APIC_BASE, 0xfee00d00), ==, 0);
	g_assert_cmphex(lapic_base(apic(f, 1)), ==, 0xfee00c00);
}

static void test_hardware_disable(void)
{
	autoptr(fake) f = fake_new(1);
	struct lapic *l = apic(f, 0);
	struct lapic_message msg = { .delivery = LAPIC_FIXED, .assert_ = true, .vector = 0x40 };

	give(f, 0, 0x44, false);
	lapic_mmio_write(l, LVT_TIMER, 0x50);
	lapic_mmio_write(l, TMICT, 10);
	g_assert_cmpint(lapic_msr_write(l, MSR_APIC_BASE, 0xfee00100), ==, 0);
	g_assert_cmpuint(f->deadline[0], ==, 0);
	assert_idle(f, 0);
	for (unsigned d = LAPIC_FIXED; d <= LAPIC_EXTINT; d++) {
		msg.delivery = d;
		g_assert_cmpuint(lapic_set_deliver(f->set, &msg), ==, 0);
	}
	g_assert_false(lapic_has_requests(l));
	g_assert_cmphex(lapic_mmio_read(l, VERSION), ==, UINT32_MAX);
	lapic_mmio_write(l, SVR, ENABLED);
	g_assert_cmpint(lapic_msr_write(l, MSR_APIC_BASE, 0xfee00900), ==, 0);
	assert_after_reset(l);
	assert_idle(f, 0);
}

static void test_to_x2apic(void)
{
	autoptr(fake) f = fake_new(20);
	struct lapic *l = apic(f, 19);

	lapic_mmio_write(l, LDR, 0x0f000000);
	lapic_mmio_write(l, TPR, 0x20);
	lapic_mmio_write(l, LVT_ERROR, 0xfe);
	give(f, 19, 0x44, false);
	x2apic_on(f, 19);
	g_assert_cmphex(msr(l, 0x802), ==, 19);
	g_assert_cmphex(msr(l, 0x80d), ==, 0x10008);
	/* The rest stays. */
	g_assert_cmphex(msr(l, 0x808), ==, 0x20);
	g_assert_cmphex(msr(l, 0x837), ==, 0xfe);
	g_assert_cmphex(msr(l, 0x80f), ==, ENABLED);
	/* The page is not there any more. */
	g_assert_cmphex(lapic_mmio_read(l, VERSION), ==, UINT32_MAX);
	lapic_mmio_write(l, TPR, 0xf0);
	g_assert_cmphex(msr(l, 0x808), ==, 0x20);
	take(f, 19, 0x44);
}

/* ---- Registers ---- */

static void test_mmio_registers(void)
{
	static const struct {
		uint32_t off, readable; /* what is left of all ones */
	} registers[] = {
		{ TPR, 0xff },
		{ LDR, 0xff000000 },
		{ DFR, 0xffffffff },
		{ ICR_HIGH, 0xff000000 },
		{ TDCR, 0xb },
		{ LVT_THERMAL, 0x107ff },
		{ LVT_PERF, 0x107ff },
		{ LVT_LINT0, 0x1a7ff },
		{ LVT_LINT1, 0x1a7ff },
		{ LVT_ERROR, 0x100ff },
		{ LVT_TIMER, 0x100ff }, /* the reserved mode is no mode */
		{ VERSION, 0x50014 },
		{ ISR, 0 },
		{ TMR, 0 },
		{ IRR, 0 },
		{ ISR + 0x70, 0 },
		{ TMCCT, 0 },
		{ ESR, 0 },
	};
	autoptr(fake) f = fake_new(1);
	struct lapic *l = apic(f, 0);

	for (unsigned i = 0; i < ARRAY_SIZE(registers); i++) {
		lapic_mmio_write(l, registers[i].off, UINT32_MAX);
		g_assert_cmphex(lapic_mmio_read(l, registers[i].off), ==, registers[i].readable);
	}
	lapic_mmio_write(l, TPR, 0);
	lapic_mmio_write(l, DFR, 0);
	g_assert_cmphex(lapic_mmio_read(l, DFR), ==, 0x0fffffff);
	lapic_mmio_write(l, LVT_TIMER, PERIODIC | 0x1030);
	g_assert_cmphex(lapic_mmio_read(l, LVT_TIMER), ==, PERIODIC | 0x30);
	/* Between registers there is nothing. */
	lapic_mmio_write(l, TPR + 4, 0x70);
	g_assert_cmphex(lapic_mmio_read(l, TPR), ==, 0);
	g_assert_cmphex(lapic_mmio_read(l, VERSION + 4), ==, 0);
	/* The delivery status is never busy. */
	lapic_mmio_write(l, ICR, 0x1400 | 0x40000 /* NMI to itself */);
	g_assert_cmphex(lapic_mmio_read(l, ICR), ==, 0x40400);
}

static void test_x2apic_access(void)
{
	autoptr(fake) f = fake_new(1);
	struct lapic *l = apic(f, 0);
	uint64_t value;

	/* Not in xAPIC mode. */
	for (uint32_t m = MSR_X2APIC_FIRST; m <= MSR_X2APIC_LAST; m++) {
		g_assert_cmpint(lapic_msr_read(l, m, &value), ==, -EINVAL);
		g_assert_cmpint(lapic_msr_write(l, m, 0), ==, -EINVAL);
	}
	x2apic_on(f, 0);
	for (uint32_t m = MSR_X2APIC_FIRST; m <= MSR_X2APIC_LAST; m++) {
		bool both = m == 0x808 || m == 0x80f || m == 0x828 || m == 0x830 ||
			    (m >= 0x832 && m <= 0x838) || m == 0x83e;
		bool readable = both || m == 0x802 || m == 0x803 || m == 0x80a || m == 0x80d ||
				(m >= 0x810 && m <= 0x827) || m == 0x839;
		bool writable = both || m == 0x80b || m == 0x83f;

		g_assert_cmpint(lapic_msr_read(l, m, &value), ==, readable ? 0 : -EINVAL);
		g_assert_cmpint(lapic_msr_write(l, m, 0), ==, writable ? 0 : -EINVAL);
	}
	g_assert_cmpint(lapic_msr_read(l, 0x7ff, &value), ==, -EINVAL);
	g_assert_cmpint(lapic_msr_read(l, 0x900, &value), ==, -EINVAL);
	g_assert_cmpint(lapic_msr_write(l, 0x1000, 0), ==, -EINVAL);
}

static void test_x2apic_reserved(void)
{
	static const struct {
		uint32_t msr;
		uint64_t valid;
	} registers[] = {
		{ 0x808, 0xff },       { 0x80b, 0 },
		{ 0x80f, 0x3ff },      { 0x828, 0 },
		{ 0x832, 0x710ff },    { 0x833, 0x117ff },
		{ 0x834, 0x117ff },    { 0x835, 0x1f7ff },
		{ 0x836, 0x1f7ff },    { 0x837, 0x110ff },
		{ 0x838, 0xffffffff }, { 0x83e, 0xb },
		{ 0x83f, 0xff },       { 0x830, 0xffffffff000cdfff },
	};
	autoptr(fake) f = fake_new(1);
	struct lapic *l = apic(f, 0);

	x2apic_on(f, 0);
	for (unsigned i = 0; i < ARRAY_SIZE(registers); i++) {
		for (unsigned bit = 0; bit < 64; bit++) {
			uint64_t value = UINT64_C(1) << bit;

			g_assert_cmpint(lapic_msr_write(l, registers[i].msr, value), ==,
					registers[i].valid & value ? 0 : -EINVAL);
		}
	}
	/* Timer mode 3. */
	g_assert_cmpint(lapic_msr_write(l, 0x832, 0x60000), ==, -EINVAL);
	g_assert_cmpint(lapic_msr_write(l, 0x832, TSC_DEADLINE | 0x31), ==, 0);
	g_assert_cmphex(msr(l, 0x832), ==,
			MASKED | TSC_DEADLINE | 0x31); /* SVR has no enable bit */
	/* A refused value changes nothing. */
	g_assert_cmpint(lapic_msr_write(l, 0x808, 0x20), ==, 0);
	g_assert_cmpint(lapic_msr_write(l, 0x808, 0x130), ==, -EINVAL);
	g_assert_cmphex(msr(l, 0x808), ==, 0x20);
	/* ICR is one of 64 bits. */
	g_assert_cmpint(lapic_msr_write(l, 0x830, 0x12345678000000fe), ==, 0);
	g_assert_cmphex(msr(l, 0x830), ==, 0x12345678000000fe);
}

/* ---- Errors ---- */

static void test_esr(void)
{
	autoptr(fake) f = fake_new(1);
	struct lapic *l = apic(f, 0);
	struct lapic_message bad = { .delivery = LAPIC_FIXED, .assert_ = true, .vector = 15 };

	lapic_mmio_write(l, LVT_ERROR, 0xfe);
	lapic_set_deliver(f->set, &bad);
	g_assert_cmphex(lapic_mmio_read(l, IRR), ==, 0);
	take(f, 0, 0xfe);
	/* Shown after a write only. */
	g_assert_cmphex(lapic_mmio_read(l, ESR), ==, 0);
	lapic_mmio_write(l, ESR, 0);
	g_assert_cmphex(lapic_mmio_read(l, ESR), ==, 0x40);
	g_assert_cmphex(lapic_mmio_read(l, ESR), ==, 0x40);
	lapic_mmio_write(l, ESR, 0);
	g_assert_cmphex(lapic_mmio_read(l, ESR), ==, 0);

	lapic_mmio_write(l, ICR, 0x4000f); /* to itself, vector 15 */
	take(f, 0, 0xfe);
	lapic_mmio_write(l, 0x3a0, 0); /* no such register */
	take(f, 0, 0xfe);
	lapic_mmio_write(l, ESR, 0);
	g_assert_cmphex(lapic_mmio_read(l, ESR), ==, 0xa0);
	g_assert_cmphex(lapic_mmio_read(l, 0x400), ==, 0);
	take(f, 0, 0xfe);

	/* Masked: noted, not told. */
	lapic_mmio_write(l, LVT_ERROR, MASKED | 0xfe);
	lapic_set_deliver(f->set, &bad);
	assert_idle(f, 0);
	lapic_mmio_write(l, ESR, 0);
	g_assert_cmphex(lapic_mmio_read(l, ESR), ==, 0xc0);
	/* An illegal vector in the error entry itself. */
	lapic_mmio_write(l, LVT_ERROR, 0x05);
	lapic_set_deliver(f->set, &bad);
	assert_idle(f, 0);
	lapic_mmio_write(l, ESR, 0);
	g_assert_cmphex(lapic_mmio_read(l, ESR), ==, 0x40);
	/* Registers that are there but cannot be written or read make no error. */
	lapic_mmio_write(l, VERSION, 0);
	lapic_mmio_write(l, TMCCT, 0);
	lapic_mmio_write(l, IRR, 0);
	(void)lapic_mmio_read(l, EOI);
	lapic_mmio_write(l, ESR, 0);
	g_assert_cmphex(lapic_mmio_read(l, ESR), ==, 0);
}

/* ---- State ---- */

static void test_state(void)
{
	autoptr(fake) f = fake_new(2);
	struct lapic *from = apic(f, 0), *to = apic(f, 1);
	uint8_t regs[X86_LAPIC_REGS], again[X86_LAPIC_REGS];
	uint64_t tsc_deadline, tsc_again;

	lapic_mmio_write(from, LDR, 0x02000000);
	lapic_mmio_write(from, DFR, 0);
	lapic_mmio_write(from, LVT_LINT0, 0x700);
	lapic_mmio_write(from, LVT_ERROR, 0xfe);
	lapic_mmio_write(from, TDCR, 0x1);
	lapic_mmio_write(from, LVT_TIMER, PERIODIC | 0x31);
	lapic_mmio_write(from, TMICT, 1000000);
	lapic_mmio_write(from, ICR_HIGH, 0x05000000);
	lapic_mmio_write(from, ICR, 0x000000fd);
	give(f, 0, 0x60, true);
	g_assert_cmpint(lapic_ack(from), ==, 0x60);
	give(f, 0, 0x71, false);
	give(f, 0, 0x41, true);
	lapic_mmio_write(from, TPR, 0x20);
	f->now += 4000;
	lapic_get_state(from, regs, &tsc_deadline);
	g_assert_cmpuint(tsc_deadline, ==, 0);
	g_assert_cmphex(get_le32(regs + VERSION), ==, 0x50014);
	g_assert_cmphex(get_le32(regs + TMCCT), ==, 999000);

	lapic_set_state(to, regs, lapic_base(from), tsc_deadline);
	g_assert_cmphex(lapic_base(to), ==, lapic_base(from));
	lapic_get_state(to, again, &tsc_again);
	/* The ID is not taken over. */
	g_assert_cmphex(get_le32(again + ID), ==, 0x01000000);
	memcpy(again + ID, regs + ID, 4);
	g_assert_cmpmem(again, sizeof(again), regs, sizeof(regs));
	g_assert_cmpuint(f->deadline[1], ==, f->now + UINT64_C(999000) * 4);
	g_assert_cmpint(lapic_ack(to), ==, 0x71);
	lapic_mmio_write(to, EOI, 0);
	lapic_mmio_write(to, EOI, 0);
	g_assert_cmpuint(f->eois, ==, 1);
	take(f, 1, 0x41);
	g_assert_cmpuint(f->eois, ==, 2);
	/* It goes on in its period. */
	f->now += UINT64_C(999000) * 4;
	lapic_timer_expire(to);
	take(f, 1, 0x31);
	g_assert_cmpuint(f->deadline[1], ==, f->now + 4000000);
}

static void test_state_x2apic(void)
{
	autoptr(fake) f = fake_new(20);
	struct lapic *from = apic(f, 18), *to = apic(f, 19);
	uint8_t regs[X86_LAPIC_REGS];
	uint64_t tsc_deadline;

	x2apic_on(f, 18);
	g_assert_cmpint(lapic_msr_write(from, 0x832, TSC_DEADLINE | 0x31), ==, 0);
	g_assert_cmpint(lapic_msr_write(from, MSR_TSC_DEADLINE, 9000), ==, 0);
	g_assert_cmpint(lapic_msr_write(from, 0x830, 0x123000000fe), ==, 0);
	lapic_get_state(from, regs, &tsc_deadline);
	g_assert_cmpuint(tsc_deadline, ==, 9000);
	g_assert_cmphex(get_le32(regs + ID), ==, 18);
	g_assert_cmphex(get_le32(regs + LDR), ==, 0x10004);
	lapic_set_state(to, regs, lapic_base(from), tsc_deadline);
	g_assert_cmphex(msr(to, 0x802), ==, 19);
	g_assert_cmphex(msr(to, 0x80d), ==, 0x10008);
	g_assert_cmphex(msr(to, 0x830), ==, 0x123000000fe);
	g_assert_cmpuint(msr(to, MSR_TSC_DEADLINE), ==, 9000);
	g_assert_cmpuint(f->deadline[19], ==, 3000);
	f->now = 3000;
	lapic_timer_expire(to);
	take(f, 19, 0x31);
}

/* One that runs out while nobody looks: the count is 0, the tick has been fired. */
static void test_state_one_shot(void)
{
	autoptr(fake) f = fake_new(1);
	struct lapic *l = apic(f, 0);
	uint8_t regs[X86_LAPIC_REGS];
	uint64_t tsc_deadline;

	lapic_mmio_write(l, TDCR, 0xb);
	lapic_mmio_write(l, LVT_TIMER, 0x31);
	lapic_mmio_write(l, TMICT, 100);
	f->now += 100;
	lapic_timer_expire(l);
	lapic_get_state(l, regs, &tsc_deadline);
	lapic_set_state(l, regs, lapic_base(l), tsc_deadline);
	g_assert_cmpuint(f->deadline[0], ==, 0);
	take(f, 0, 0x31);
	/* And a periodic one that is just about to fire. */
	put_le32(regs + LVT_TIMER, PERIODIC | 0x31);
	put_le32(regs + TMICT, 1000000);
	put_le32(regs + TMCCT, 0);
	lapic_set_state(l, regs, lapic_base(l), 0);
	g_assert_cmpuint(f->deadline[0], ==, f->now + 1000000);
}

/* All ones, and random bytes, from a stream that nobody vouches for. */
static void test_state_hostile(void)
{
	autoptr(fake) f = fake_new(1);
	struct lapic *l = apic(f, 0);
	GRand *rand = g_rand_new_with_seed(1);
	uint8_t regs[X86_LAPIC_REGS];

	for (unsigned round = 0; round < 3000; round++) {
		uint64_t base =
			round ? (uint64_t)g_rand_int(rand) << 32 | g_rand_int(rand) : UINT64_MAX;

		for (unsigned i = 0; i < sizeof(regs); i++)
			regs[i] = round ? (uint8_t)g_rand_int(rand) : 0xff;
		lapic_set_state(l, regs, base, base);
		g_assert_cmphex(lapic_base(l) & ~UINT64_C(0xd00), ==, 0xfee00000);
		g_assert_cmphex(lapic_base(l) & 0xc00, !=, 0x400);
		for (unsigned i = 0; i < 600; i++) {
			uint64_t deadline = lapic_timer_deadline(l);
			int vector = lapic_ack(l);

			if (vector < 0 && !deadline)
				break;
			g_assert_true(vector < 0 || vector >= 16);
			if (deadline && i > 300)
				f->now = deadline;
			lapic_timer_expire(l);
			lapic_mmio_write(l, EOI, 0);
			(void)lapic_msr_write(l, 0x80b, 0);
		}
		(void)lapic_mmio_read(l, TMCCT);
		lapic_reset(l, false);
	}
	g_rand_free(rand);
}

/* ---- Several threads ---- */

enum {
	SENDERS = 3,
	ROUNDS = 4000,
	SENDER_VECTORS = 16
};

struct sender {
	struct fake *fake;
	unsigned number;
	atomic_uint *acks; /* of each vector */
	atomic_uint *done;
};

/* Each vector is sent again only after it has been taken: none may get lost. */
static void sender_main(void *arg)
{
	struct sender *s = arg;
	unsigned sent[SENDER_VECTORS] = { 0 };

	for (unsigned round = 0; round < ROUNDS; round++) {
		unsigned i = round % SENDER_VECTORS;
		uint8_t vector = (uint8_t)(0x20 + s->number + i * 13);

		while (atomic_load(&s->acks[vector]) != sent[i])
			sched_yield();
		give(s->fake, 0, vector, false);
		sent[i]++;
	}
	atomic_fetch_add(s->done, 1);
}

static void test_threads(void)
{
	autoptr(fake) f = fake_new(1);
	struct lapic *l = apic(f, 0);
	struct sender senders[SENDERS];
	struct thread *threads[SENDERS];
	atomic_uint acks[256], done = 0;
	unsigned total = 0;

	for (unsigned i = 0; i < 256; i++)
		atomic_init(&acks[i], 0);
	for (unsigned i = 0; i < SENDERS; i++) {
		senders[i] = (struct sender){ f, i, acks, &done };
		threads[i] = thread_start("sender", sender_main, &senders[i], NULL);
		g_assert_nonnull(threads[i]);
	}
	for (;;) {
		bool last = atomic_load(&done) == SENDERS;
		int vector;

		while ((vector = lapic_ack(l)) >= 0) {
			total++;
			/* Ended before the sender may send it again. */
			lapic_mmio_write(l, EOI, 0);
			atomic_fetch_add(&acks[vector], 1);
		}
		if (last)
			break;
		sched_yield();
	}
	for (unsigned i = 0; i < SENDERS; i++)
		thread_join(threads[i]);
	g_assert_cmpuint(total, ==, (guint64)SENDERS * ROUNDS);
	assert_idle(f, 0);
}

/* ---- LINT0 ---- */

enum {
	EXTINT = 0x700,
	LEVEL_TRIGGERED = 0x8000,
};

static void test_external(void)
{
	autoptr(fake) f = fake_new(2);
	struct lapic *l = apic(f, 0);

	f->external = 0x08;
	/* Masked: the wire reaches nobody. */
	lapic_set_lint0(f->set, true);
	assert_idle(f, 0);
	/* Open: it does, also if it was up before. */
	lapic_mmio_write(l, LVT_LINT0, EXTINT | LEVEL_TRIGGERED);
	g_assert_cmpuint(f->kicks[0], ==, 1);
	g_assert_cmpint(lapic_pending(l), ==, LAPIC_EXTERNAL);
	/* Before all others, and whatever the priority. */
	lapic_mmio_write(l, TPR, 0xf0);
	give(f, 0, 0xfe, false);
	g_assert_cmpint(lapic_ack(l), ==, 0x08);
	g_assert_cmpuint(f->externals, ==, 1);
	/* The wire is up: there is more. */
	g_assert_cmpint(lapic_pending(l), ==, LAPIC_EXTERNAL);
	f->external = -1;
	g_assert_cmpint(lapic_ack(l), ==, -1);
	lapic_set_lint0(f->set, false);
	g_assert_cmpint(lapic_pending(l), ==, -1);
	lapic_mmio_write(l, TPR, 0);
	g_assert_cmpint(lapic_ack(l), ==, 0xfe);
	/* Each time that it rises the vCPU is kicked, and only the one that listens. */
	f->kicks[0] = 0;
	lapic_set_lint0(f->set, true);
	g_assert_cmpuint(f->kicks[0], ==, 1);
	g_assert_cmpuint(f->kicks[1], ==, 0);
	lapic_reset(l, false);
	g_assert_cmpint(lapic_pending(l), ==, -1);
}

/* An APIC that is switched off is a wire from LINT0 to the first CPU. */
static void test_external_off(void)
{
	autoptr(fake) f = fake_new(2);

	for (unsigned cpu = 0; cpu < 2; cpu++)
		g_assert_cmpint(lapic_msr_write(apic(f, cpu), 0x1b,
						lapic_base(apic(f, cpu)) & ~UINT64_C(0x800)),
				==, 0);
	f->external = 0x70;
	lapic_set_lint0(f->set, true);
	g_assert_cmpint(lapic_ack(apic(f, 0)), ==, 0x70);
	g_assert_cmpint(lapic_pending(apic(f, 1)), ==, -1);
	lapic_set_lint0(f->set, false);
	g_assert_cmpint(lapic_pending(apic(f, 0)), ==, -1);
}

/* Linux tries it: the timer through the 8259s as an interrupt of the APIC. */
static void test_lint0_fixed(void)
{
	autoptr(fake) f = fake_new(1);

	lapic_mmio_write(apic(f, 0), LVT_LINT0, 0x31);
	lapic_set_lint0(f->set, true);
	lapic_set_lint0(f->set, false);
	g_assert_cmpint(lapic_ack(apic(f, 0)), ==, 0x31);
}

/* What Linux writes when it switches off is no #GP: bits 12 and 14 are to be read only. */
static void test_lint0_x2apic(void)
{
	autoptr(fake) f = fake_new(1);

	x2apic_on(f, 0);
	g_assert_cmpint(lapic_msr_write(apic(f, 0), 0x835, 0x5700), ==, 0);
	g_assert_cmphex(msr(apic(f, 0), 0x835), ==, 0x700);
	g_assert_cmpint(lapic_msr_write(apic(f, 0), 0x836, 0x5400), ==, 0);
	g_assert_cmpint(lapic_msr_write(apic(f, 0), 0x837, 0x4000), ==, -EINVAL);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/lapic/reset", test_reset);
	g_test_add_func("/lapic/reset-x2apic", test_reset_x2apic);
	g_test_add_func("/lapic/priority", test_priority);
	g_test_add_func("/lapic/tpr", test_tpr);
	g_test_add_func("/lapic/level", test_level);
	g_test_add_func("/lapic/pending-again", test_pending_again);
	g_test_add_func("/lapic/software-disable", test_software_disable);
	g_test_add_func("/lapic/base", test_base);
	g_test_add_func("/lapic/base-bits", test_base_bits);
	g_test_add_func("/lapic/hardware-disable", test_hardware_disable);
	g_test_add_func("/lapic/to-x2apic", test_to_x2apic);
	g_test_add_func("/lapic/mmio-registers", test_mmio_registers);
	g_test_add_func("/lapic/x2apic-access", test_x2apic_access);
	g_test_add_func("/lapic/x2apic-reserved", test_x2apic_reserved);
	g_test_add_func("/lapic/esr", test_esr);
	g_test_add_func("/lapic/state", test_state);
	g_test_add_func("/lapic/state-x2apic", test_state_x2apic);
	g_test_add_func("/lapic/state-one-shot", test_state_one_shot);
	g_test_add_func("/lapic/state-hostile", test_state_hostile);
	g_test_add_func("/lapic/threads", test_threads);
	g_test_add_func("/lapic/external", test_external);
	g_test_add_func("/lapic/external-off", test_external_off);
	g_test_add_func("/lapic/lint0-fixed", test_lint0_fixed);
	g_test_add_func("/lapic/lint0-x2apic", test_lint0_x2apic);
	return g_test_run();
}
