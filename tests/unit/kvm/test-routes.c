/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-routes.c - which GSI carries which message
 */
#include <errno.h>
#include <glib.h>
#include <linux/kvm.h>

#include "kvm/kvm-int.h"

static void test_add_remove(void)
{
	struct kvm_routes routes = { .max = 4096 };

	g_assert_cmpint(kvm_routes_add(&routes, 10, 0xfee00000, 0x41), ==, 24);
	g_assert_cmpint(kvm_routes_add(&routes, 11, 0xfee00000, 0x42), ==, 25);
	g_assert_cmpint(kvm_routes_add(&routes, 12, 0xfee00000, 0x43), ==, 26);
	g_assert_cmpint(kvm_routes_add(&routes, 11, 0xfee00000, 0x44), ==, -EEXIST);
	g_assert_cmpint(kvm_routes_remove(&routes, 11), ==, 25);
	g_assert_cmpint(kvm_routes_remove(&routes, 11), ==, -ENOENT);
	/* What became free is used first. */
	g_assert_cmpint(kvm_routes_add(&routes, 13, 0xfee00000, 0x45), ==, 25);
	g_assert_cmpint(kvm_routes_add(&routes, 14, 0xfee00000, 0x46), ==, 27);
	kvm_routes_release(&routes);
}

static void test_full(void)
{
	struct kvm_routes routes = { .max = KVM_IOAPIC_LINES + 2 };

	g_assert_cmpint(kvm_routes_add(&routes, 10, 0, 0), ==, 24);
	g_assert_cmpint(kvm_routes_add(&routes, 11, 0, 0), ==, 25);
	g_assert_cmpint(kvm_routes_add(&routes, 12, 0, 0), ==, -ENOSPC);
	g_assert_cmpint(kvm_routes_remove(&routes, 10), ==, 24);
	g_assert_cmpint(kvm_routes_add(&routes, 12, 0, 0), ==, 24);
	kvm_routes_release(&routes);
}

/* The pins of the I/O APIC are always there, the 8259s never, free GSIs are left out. */
static void test_table(void)
{
	struct kvm_routes routes = { .max = 4096 };
	g_autofree struct kvm_irq_routing *table = NULL;

	kvm_routes_add(&routes, 10, 0x1fee01000, 0x41);
	kvm_routes_add(&routes, 11, 0xfee02000, 0x42);
	kvm_routes_remove(&routes, 10);
	table = kvm_routes_table(&routes);
	g_assert_cmpuint(table->nr, ==, KVM_IOAPIC_LINES + 1);
	for (unsigned i = 0; i < KVM_IOAPIC_LINES; i++) {
		g_assert_cmpuint(table->entries[i].gsi, ==, i);
		g_assert_cmpuint(table->entries[i].type, ==, KVM_IRQ_ROUTING_IRQCHIP);
		g_assert_cmpuint(table->entries[i].u.irqchip.irqchip, ==, KVM_IRQCHIP_IOAPIC);
		g_assert_cmpuint(table->entries[i].u.irqchip.pin, ==, i);
	}
	g_assert_cmpuint(table->entries[24].gsi, ==, 25);
	g_assert_cmpuint(table->entries[24].type, ==, KVM_IRQ_ROUTING_MSI);
	g_assert_cmphex(table->entries[24].u.msi.address_lo, ==, 0xfee02000);
	g_assert_cmphex(table->entries[24].u.msi.address_hi, ==, 0);
	g_assert_cmphex(table->entries[24].u.msi.data, ==, 0x42);
	kvm_routes_release(&routes);
}

/* With 8259s the lower half has two ends, the timer's at pin 2, and the cascade none. */
static void test_pics(void)
{
	struct kvm_routes routes = { .max = 4096, .pics = true };
	g_autofree struct kvm_irq_routing *table = kvm_routes_table(&routes);
	unsigned ioapic = 0, pic = 0;

	g_assert_cmpuint(table->nr, ==, KVM_IOAPIC_LINES - 1 + 15);
	for (unsigned i = 0; i < table->nr; i++) {
		const struct kvm_irq_routing_entry *e = &table->entries[i];
		const unsigned chip = e->u.irqchip.irqchip, pin = e->u.irqchip.pin;

		g_assert_cmpuint(e->gsi, !=, 2);
		if (chip == KVM_IRQCHIP_IOAPIC) {
			g_assert_cmpuint(pin, ==, e->gsi ? e->gsi : 2);
			ioapic |= 1u << pin;
		} else {
			g_assert_cmpuint(chip, ==,
					 e->gsi < 8 ? KVM_IRQCHIP_PIC_MASTER
						    : KVM_IRQCHIP_PIC_SLAVE);
			g_assert_cmpuint(pin, ==, e->gsi % 8);
			pic |= 1u << e->gsi;
		}
	}
	g_assert_cmphex(ioapic, ==, 0xfffffe);
	g_assert_cmphex(pic, ==, 0xfffb);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/kvm/routes/add-remove", test_add_remove);
	g_test_add_func("/kvm/routes/full", test_full);
	g_test_add_func("/kvm/routes/table", test_table);
	g_test_add_func("/kvm/routes/pics", test_pics);
	return g_test_run();
}
