/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-lapic-route.c - who is meant by a message, an IPI, an MSI, and what it does
 */
#include <errno.h>

#include "fake-lapics.h"

enum {
	VECTOR = 0x40
};

/* Which of the CPUs got VECTOR, as a set; takes it from them. */
static uint64_t got(struct fake *f)
{
	uint64_t set = 0;

	for (unsigned i = 0; i < f->cpus; i++) {
		if (lapic_pending(apic(f, i)) < 0)
			continue;
		take(f, i, VECTOR);
		set |= UINT64_C(1) << i;
	}
	return set;
}

static uint64_t send(struct fake *f, uint32_t dest, bool x2apic, bool logical)
{
	struct lapic_message msg = {
		.dest = dest,
		.dest_x2apic = x2apic,
		.logical = logical,
		.delivery = LAPIC_FIXED,
		.assert_ = true,
		.vector = VECTOR,
	};
	unsigned count = lapic_set_deliver(f->set, &msg);
	uint64_t set = got(f);

	g_assert_cmpuint(count, ==, (unsigned)__builtin_popcountll(set));
	return set;
}

static void test_physical(void)
{
	autoptr(fake) f = fake_new(4);

	g_assert_cmphex(send(f, 2, false, false), ==, 1 << 2);
	g_assert_cmphex(send(f, 4, false, false), ==, 0);
	g_assert_cmphex(send(f, 0xff, false, false), ==, 0xf);
	/* From an x2APIC: 0xff is an ID like others. */
	g_assert_cmphex(send(f, 0xff, true, false), ==, 0);
	g_assert_cmphex(send(f, 0xffffffff, true, false), ==, 0xf);
	g_assert_cmphex(send(f, 3, true, false), ==, 1 << 3);
	g_assert_cmphex(send(f, 0x100, true, false), ==, 0);
	/* Mixed modes, as while a guest starts its CPUs. */
	x2apic_on(f, 0);
	x2apic_on(f, 1);
	g_assert_cmphex(send(f, 1, false, false), ==, 1 << 1);
	g_assert_cmphex(send(f, 2, true, false), ==, 1 << 2);
	g_assert_cmphex(send(f, 0xff, false, false), ==, 0xf);
	g_assert_cmphex(send(f, 0xffffffff, true, false), ==, 0xf);
}

static void test_flat(void)
{
	autoptr(fake) f = fake_new(4);

	for (unsigned i = 0; i < 4; i++)
		lapic_mmio_write(apic(f, i), LDR, 1u << (24 + i));
	g_assert_cmphex(send(f, 0x01, false, true), ==, 1);
	g_assert_cmphex(send(f, 0x0a, false, true), ==, 0xa);
	g_assert_cmphex(send(f, 0x80, false, true), ==, 0);
	g_assert_cmphex(send(f, 0, false, true), ==, 0);
	g_assert_cmphex(send(f, 0xff, false, true), ==, 0xf);
	lapic_mmio_write(apic(f, 1), LDR, 0);
	g_assert_cmphex(send(f, 0xff, false, true), ==, 0xf); /* all are all */
	g_assert_cmphex(send(f, 0x7f, false, true), ==, 0xd);
}

static void test_cluster(void)
{
	autoptr(fake) f = fake_new(8);

	/* Two clusters of four. */
	for (unsigned i = 0; i < 8; i++) {
		lapic_mmio_write(apic(f, i), DFR, 0);
		lapic_mmio_write(apic(f, i), LDR, ((i / 4 + 1) << 4 | 1u << i % 4) << 24);
	}
	g_assert_cmphex(send(f, 0x11, false, true), ==, 0x01);
	g_assert_cmphex(send(f, 0x1f, false, true), ==, 0x0f);
	g_assert_cmphex(send(f, 0x2a, false, true), ==, 0xa0);
	g_assert_cmphex(send(f, 0x3f, false, true), ==, 0);
	g_assert_cmphex(send(f, 0x20, false, true), ==, 0);
	g_assert_cmphex(send(f, 0xff, false, true), ==, 0xff);
	/* A model that is neither. */
	lapic_mmio_write(apic(f, 0), DFR, 0x70000000);
	g_assert_cmphex(send(f, 0x1f, false, true), ==, 0x0e);
}

static void test_x2apic_logical(void)
{
	autoptr(fake) f = fake_new(40);

	for (unsigned i = 0; i < 40; i++)
		x2apic_on(f, i);
	g_assert_cmphex(send(f, 0x00000001, true, true), ==, 1);
	g_assert_cmphex(send(f, 0x00018001, true, true), ==, UINT64_C(1) << 16 | UINT64_C(1) << 31);
	g_assert_cmphex(send(f, 0x0002ffff, true, true), ==, UINT64_C(0xff) << 32);
	g_assert_cmphex(send(f, 0x0003ffff, true, true), ==, 0);
	g_assert_cmphex(send(f, 0x00010000, true, true), ==, 0);
	g_assert_cmphex(send(f, 0xffffffff, true, true), ==, (UINT64_C(1) << 40) - 1);
	/* Eight bits from a device: cluster 0. */
	g_assert_cmphex(send(f, 0x82, false, true), ==, 0x82);
}

static void test_lowest(void)
{
	autoptr(fake) f = fake_new(4);
	struct lapic_message msg = { .dest = 0x0d,
				     .logical = true,
				     .delivery = LAPIC_LOWEST,
				     .assert_ = true,
				     .vector = VECTOR };
	unsigned times[4] = { 0 };

	for (unsigned i = 0; i < 4; i++)
		lapic_mmio_write(apic(f, i), LDR, 1u << (24 + i));
	for (unsigned i = 0; i < 40; i++) {
		uint64_t set;

		g_assert_cmpuint(lapic_set_deliver(f->set, &msg), ==, 1);
		set = got(f);
		g_assert_cmpint(__builtin_popcountll(set), ==, 1);
		times[__builtin_ctzll(set)]++;
	}
	/* In turn, those meant only. */
	g_assert_cmpuint(times[1], ==, 0);
	g_assert_cmpuint(times[0], >=, 10);
	g_assert_cmpuint(times[2], >=, 10);
	g_assert_cmpuint(times[3], >=, 10);
	/* Who is off by software is passed over. */
	lapic_mmio_write(apic(f, 0), SVR, 0xff);
	lapic_mmio_write(apic(f, 2), SVR, 0xff);
	for (unsigned i = 0; i < 8; i++) {
		g_assert_cmpuint(lapic_set_deliver(f->set, &msg), ==, 1);
		g_assert_cmphex(got(f), ==, 1 << 3);
	}
	lapic_mmio_write(apic(f, 3), SVR, 0xff);
	g_assert_cmpuint(lapic_set_deliver(f->set, &msg), ==, 0);
}

static void test_kick(void)
{
	autoptr(fake) f = fake_new(3);

	g_assert_cmphex(send(f, 1, false, false), ==, 1 << 1);
	g_assert_cmpuint(atomic_load(&f->kicks[0]), ==, 0);
	g_assert_cmpuint(atomic_load(&f->kicks[1]), ==, 1);
	g_assert_cmpuint(atomic_load(&f->kicks[2]), ==, 0);
}

/* ---- IPIs ---- */

static uint64_t ipi(struct fake *f, unsigned from, uint32_t high, uint32_t low)
{
	lapic_mmio_write(apic(f, from), ICR_HIGH, high);
	lapic_mmio_write(apic(f, from), ICR, low);
	return got(f);
}

static void test_shorthands(void)
{
	enum {
		SELF = 1 << 18,
		ALL = 2 << 18,
		OTHERS = 3 << 18,
		LOGICAL = 1 << 11
	};
	autoptr(fake) f = fake_new(4);

	/* The destination field is there to mislead. */
	g_assert_cmphex(ipi(f, 1, 0x03000000, VECTOR | SELF), ==, 0x2);
	g_assert_cmphex(ipi(f, 1, 0x03000000, VECTOR | ALL), ==, 0xf);
	g_assert_cmphex(ipi(f, 1, 0x03000000, VECTOR | OTHERS), ==, 0xd);
	g_assert_cmphex(ipi(f, 1, 0x03000000, VECTOR), ==, 0x8);
	g_assert_cmphex(ipi(f, 1, 0xff000000, VECTOR), ==, 0xf);
	lapic_mmio_write(apic(f, 2), LDR, 0x10000000);
	g_assert_cmphex(ipi(f, 1, 0x10000000, VECTOR | LOGICAL), ==, 0x4);
	/* IPIs are edges, whatever the trigger mode says. */
	g_assert_cmphex(ipi(f, 1, 0x03000000, VECTOR | 0xc000), ==, 0x8);
	g_assert_cmpuint(f->eois, ==, 0);
	/* A reserved delivery mode. */
	g_assert_cmphex(ipi(f, 1, 0x03000000, VECTOR | 0x300), ==, 0);
}

static void test_x2apic_icr(void)
{
	autoptr(fake) f = fake_new(4);

	for (unsigned i = 0; i < 4; i++)
		x2apic_on(f, i);
	g_assert_cmpint(lapic_msr_write(apic(f, 0), 0x830, UINT64_C(3) << 32 | VECTOR), ==, 0);
	g_assert_cmphex(got(f), ==, 1 << 3);
	g_assert_cmpint(lapic_msr_write(apic(f, 0), 0x830, UINT64_C(0xffffffff) << 32 | VECTOR), ==,
			0);
	g_assert_cmphex(got(f), ==, 0xf);
	g_assert_cmpint(lapic_msr_write(apic(f, 0), 0x830, UINT64_C(6) << 32 | 0x800 | VECTOR), ==,
			0);
	g_assert_cmphex(got(f), ==, 0x6);
	g_assert_cmpint(lapic_msr_write(apic(f, 2), 0x83f, VECTOR), ==, 0);
	g_assert_cmphex(got(f), ==, 0x4);
	/* An illegal vector is the sender's error. */
	g_assert_cmpint(lapic_msr_write(apic(f, 2), 0x83f, 15), ==, 0);
	g_assert_cmphex(got(f), ==, 0);
	g_assert_cmpint(lapic_msr_write(apic(f, 2), 0x828, 0), ==, 0);
	{
		uint64_t esr;

		g_assert_cmpint(lapic_msr_read(apic(f, 2), 0x828, &esr), ==, 0);
		g_assert_cmphex(esr, ==, 0x20);
	}
}

static void test_requests(void)
{
	enum {
		INIT = 0x500,
		SIPI = 0x600,
		NMI = 0x400,
		ASSERT = 0x4000,
		LEVEL = 0x8000
	};
	autoptr(fake) f = fake_new(3);
	struct lapic *l = apic(f, 1);
	uint8_t sipi = 0;
	unsigned kicks;

	g_assert_false(lapic_has_requests(l));
	g_assert_cmpuint(lapic_requests(l, &sipi), ==, 0);
	ipi(f, 0, 0x01000000, NMI | ASSERT);
	g_assert_true(lapic_has_requests(l));
	g_assert_false(lapic_has_requests(apic(f, 0)));
	g_assert_false(lapic_has_requests(apic(f, 2)));
	g_assert_cmpuint(lapic_requests(l, &sipi), ==, LAPIC_REQ_NMI);
	g_assert_false(lapic_has_requests(l));

	/* The start of a CPU: INIT, its de-assertion (ignored), two SIPIs. */
	ipi(f, 0, 0x01000000, INIT | ASSERT | LEVEL);
	g_assert_cmpuint(lapic_requests(l, &sipi), ==, LAPIC_REQ_INIT);
	kicks = atomic_load(&f->kicks[1]);
	ipi(f, 0, 0x01000000, INIT | LEVEL);
	g_assert_false(lapic_has_requests(l));
	g_assert_cmpuint(atomic_load(&f->kicks[1]), ==, kicks);
	ipi(f, 0, 0x01000000, SIPI | 0x9a);
	ipi(f, 0, 0x01000000, SIPI | 0x9b);
	g_assert_cmpuint(lapic_requests(l, &sipi), ==, LAPIC_REQ_SIPI);
	g_assert_cmphex(sipi, ==, 0x9b);
	g_assert_cmpuint(atomic_load(&f->kicks[1]), ==, kicks + 2);

	/* Both before the vCPU looks: both are seen. The other way round, the SIPI is void. */
	ipi(f, 0, 0x01000000, INIT | ASSERT);
	ipi(f, 0, 0x01000000, SIPI | 0x10);
	g_assert_cmpuint(lapic_requests(l, &sipi), ==, LAPIC_REQ_INIT | LAPIC_REQ_SIPI);
	g_assert_cmphex(sipi, ==, 0x10);
	ipi(f, 0, 0x01000000, SIPI | 0x10);
	ipi(f, 0, 0x01000000, NMI | ASSERT);
	ipi(f, 0, 0x01000000, INIT | ASSERT);
	g_assert_cmpuint(lapic_requests(l, &sipi), ==, LAPIC_REQ_INIT | LAPIC_REQ_NMI);

	/* All but itself, as kernels start all at once; they need not be enabled by software. */
	lapic_mmio_write(apic(f, 2), SVR, 0xff);
	ipi(f, 0, 0, INIT | ASSERT | 3 << 18);
	g_assert_false(lapic_has_requests(apic(f, 0)));
	g_assert_cmpuint(lapic_requests(apic(f, 1), &sipi), ==, LAPIC_REQ_INIT);
	g_assert_cmpuint(lapic_requests(apic(f, 2), &sipi), ==, LAPIC_REQ_INIT);
	/* There is no SMM. */
	ipi(f, 0, 0x01000000, 0x200 | ASSERT);
	g_assert_false(lapic_has_requests(l));
}

/* ---- MSIs ---- */

static uint64_t msi(struct fake *f, uint64_t addr, uint32_t data)
{
	lapic_set_msi(f->set, addr, data);
	return got(f);
}

static void test_msi(void)
{
	autoptr(fake) f = fake_new(4);
	uint8_t sipi;

	for (unsigned i = 0; i < 4; i++)
		lapic_mmio_write(apic(f, i), LDR, 1u << (24 + i));
	g_assert_cmphex(msi(f, 0xfee02000, VECTOR), ==, 1 << 2);
	g_assert_cmphex(msi(f, 0xfeeff000, VECTOR), ==, 0xf);
	g_assert_cmphex(msi(f, 0xfee06004, VECTOR), ==, 0x6);
	/* Redirection hint, lowest priority: to one of them. */
	g_assert_cmpint(__builtin_popcountll(msi(f, 0xfee0600c, VECTOR)), ==, 1);
	g_assert_cmpint(__builtin_popcountll(msi(f, 0xfee06004, VECTOR | 0x100)), ==, 1);
	g_assert_cmphex(msi(f, 0xfee02008, VECTOR), ==, 1 << 2);
	/* Not the address of an interrupt. */
	g_assert_cmphex(msi(f, 0xfed02000, VECTOR), ==, 0);
	g_assert_cmphex(msi(f, 0x1fee02000, VECTOR), ==, 0);
	g_assert_cmphex(msi(f, 0, VECTOR), ==, 0);
	/* Level: the message that takes it back does nothing. */
	g_assert_cmpuint(f->eois, ==, 0);
	g_assert_cmphex(msi(f, 0xfee02000, VECTOR | 0xc000), ==, 1 << 2);
	g_assert_cmpuint(f->eois, ==, 1);
	g_assert_cmphex(msi(f, 0xfee02000, VECTOR | 0x8000), ==, 0);

	g_assert_cmpuint(lapic_set_msi(f->set, 0xfee01000, 0x400), ==, 1);
	g_assert_cmpuint(lapic_requests(apic(f, 1), &sipi), ==, LAPIC_REQ_NMI);
	g_assert_cmpuint(lapic_set_msi(f->set, 0xfee01000, 0x700), ==, 1);
	g_assert_cmpuint(lapic_requests(apic(f, 1), &sipi), ==, LAPIC_REQ_EXTINT);
	/* A device cannot start a CPU, nor use a reserved mode. */
	g_assert_cmpuint(lapic_set_msi(f->set, 0xfee01000, 0x610), ==, 0);
	g_assert_cmpuint(lapic_set_msi(f->set, 0xfee01000, 0x300 | VECTOR), ==, 0);
	g_assert_false(lapic_has_requests(apic(f, 1)));
	/* Illegal vectors end in the receiver's ESR. */
	g_assert_cmphex(msi(f, 0xfee01000, 0x0f), ==, 0);
	lapic_mmio_write(apic(f, 1), ESR, 0);
	g_assert_cmphex(lapic_mmio_read(apic(f, 1), ESR), ==, 0x40);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/lapic-route/physical", test_physical);
	g_test_add_func("/lapic-route/flat", test_flat);
	g_test_add_func("/lapic-route/cluster", test_cluster);
	g_test_add_func("/lapic-route/x2apic-logical", test_x2apic_logical);
	g_test_add_func("/lapic-route/lowest", test_lowest);
	g_test_add_func("/lapic-route/kick", test_kick);
	g_test_add_func("/lapic-route/shorthands", test_shorthands);
	g_test_add_func("/lapic-route/x2apic-icr", test_x2apic_icr);
	g_test_add_func("/lapic-route/requests", test_requests);
	g_test_add_func("/lapic-route/msi", test_msi);
	return g_test_run();
}
