/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fake-lapics.h - local APICs under an engine that only remembers what it was told
 */
#ifndef TESTS_FAKE_LAPICS_H
#define TESTS_FAKE_LAPICS_H

#include <glib.h>
#include <stdatomic.h>

#include "cpu/lapic.h"
#include "cpu/msr.h"

enum {
	FAKE_CPUS_MAX = 40,
	FAKE_TSC_PER_NS = 3,

	ID = 0x20,
	VERSION = 0x30,
	TPR = 0x80,
	PPR = 0xa0,
	EOI = 0xb0,
	LDR = 0xd0,
	DFR = 0xe0,
	SVR = 0xf0,
	ISR = 0x100,
	TMR = 0x180,
	IRR = 0x200,
	ESR = 0x280,
	ICR = 0x300,
	ICR_HIGH = 0x310,
	LVT_TIMER = 0x320,
	LVT_THERMAL = 0x330,
	LVT_PERF = 0x340,
	LVT_LINT0 = 0x350,
	LVT_LINT1 = 0x360,
	LVT_ERROR = 0x370,
	TMICT = 0x380,
	TMCCT = 0x390,
	TDCR = 0x3e0,
	SELF_IPI = 0x3f0,

	ENABLED = 0x1ff, /* for SVR */
	MASKED = 0x10000,
	PERIODIC = 0x20000,
	TSC_DEADLINE = 0x40000,
};

struct fake {
	struct lapic_set *set;
	unsigned cpus;
	uint64_t now;
	uint64_t tsc_back;                /* the guest has set its TSC back by this */
	uint64_t deadline[FAKE_CPUS_MAX]; /* as told last */
	unsigned changes;                 /* of deadlines */
	atomic_uint kicks[FAKE_CPUS_MAX];
	unsigned eois;
	uint8_t eoi_vector;
	void (*on_eoi)(void *opaque, uint8_t vector); /* as well */
	void *on_eoi_opaque;
	int external; /* the vector behind LINT0, or -1 */
	unsigned externals;
};

static inline void fake_kick(void *opaque, unsigned cpu)
{
	struct fake *f = opaque;

	atomic_fetch_add(&f->kicks[cpu], 1);
}

static inline void fake_timer_changed(void *opaque, unsigned cpu, uint64_t deadline_ns)
{
	struct fake *f = opaque;

	f->deadline[cpu] = deadline_ns;
	f->changes++;
}

static inline uint64_t fake_now(void *opaque)
{
	return ((struct fake *)opaque)->now;
}

static inline uint64_t fake_tsc(void *opaque, unsigned cpu)
{
	(void)cpu;
	return fake_now(opaque) * FAKE_TSC_PER_NS - ((struct fake *)opaque)->tsc_back;
}

static inline uint64_t fake_tsc_to_ns(void *opaque, unsigned cpu, uint64_t tsc)
{
	(void)cpu;
	return (tsc + ((struct fake *)opaque)->tsc_back + FAKE_TSC_PER_NS - 1) / FAKE_TSC_PER_NS;
}

static inline void fake_eoi(void *opaque, unsigned cpu, uint8_t vector)
{
	struct fake *f = opaque;

	(void)cpu;
	f->eois++;
	f->eoi_vector = vector;
	if (f->on_eoi)
		f->on_eoi(f->on_eoi_opaque, vector);
}

static inline int fake_external(void *opaque, unsigned cpu)
{
	struct fake *f = opaque;

	(void)cpu;
	f->externals++;
	return f->external;
}

/* All APICs enabled by software, the clock at 1000 ns. */
static inline struct fake *fake_new(unsigned cpus)
{
	static const struct lapic_ops ops = {
		.kick = fake_kick,
		.timer_changed = fake_timer_changed,
		.now_ns = fake_now,
		.tsc = fake_tsc,
		.tsc_to_ns = fake_tsc_to_ns,
		.eoi = fake_eoi,
		.external = fake_external,
	};
	struct fake *f = g_new0(struct fake, 1);

	g_assert_cmpuint(cpus, <=, FAKE_CPUS_MAX);
	f->cpus = cpus;
	f->now = 1000;
	f->set = lapic_set_new(cpus, &ops, f);
	for (unsigned i = 0; i < cpus; i++)
		lapic_mmio_write(lapic_set_get(f->set, i), SVR, ENABLED);
	return f;
}

static inline void fake_free(struct fake *f)
{
	lapic_set_free(f->set);
	g_free(f);
}
DEFINE_AUTOPTR(fake, fake_free);

static inline struct lapic *apic(struct fake *f, unsigned cpu)
{
	return lapic_set_get(f->set, cpu);
}

static inline void x2apic_on(struct fake *f, unsigned cpu)
{
	uint64_t base = lapic_base(apic(f, cpu)) | APIC_BASE_X2APIC;

	g_assert_cmpint(lapic_msr_write(apic(f, cpu), MSR_APIC_BASE, base), ==, 0);
}

/* Take the interrupt that is there, which must be this one, and end it. */
static inline void take(struct fake *f, unsigned cpu, int vector)
{
	struct lapic *l = apic(f, cpu);
	uint64_t id;

	g_assert_cmpint(lapic_pending(l), ==, vector);
	g_assert_cmpint(lapic_ack(l), ==, vector);
	if (lapic_msr_read(l, 0x802, &id) == 0)
		g_assert_cmpint(lapic_msr_write(l, 0x80b, 0), ==, 0);
	else
		lapic_mmio_write(l, EOI, 0);
}

static inline void assert_idle(struct fake *f, unsigned cpu)
{
	g_assert_cmpint(lapic_pending(apic(f, cpu)), ==, -1);
	g_assert_cmpint(lapic_ack(apic(f, cpu)), ==, -1);
}

#endif
