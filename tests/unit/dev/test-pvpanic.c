/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-pvpanic.c - what a guest reads, what it can tell
 */
#include "dev/pvpanic.h"

#include "fake-pci.h"

static void keep(void *opaque, unsigned event)
{
	g_array_append_val((GArray *)opaque, event);
}

static void test_events(void)
{
	static const unsigned want[] = { PVPANIC_PANICKED, PVPANIC_CRASH_LOADED, PVPANIC_PANICKED,
					 PVPANIC_PANICKED };
	g_autoptr(GArray) events = g_array_new(FALSE, FALSE, sizeof(unsigned));
	struct fake_pci pci;

	fake_pci_init(&pci, pvpanic_new(keep, events));
	g_assert_cmphex(fake_pci_get(&pci, PCI_VENDOR, 4), ==, 0x00111b36);
	g_assert_cmphex(io_read(pci.mmio, pci.bar0, 1), ==, 3);
	g_assert_cmphex(io_read(pci.mmio, pci.bar0, 4), ==, 3);
	g_assert_cmphex(io_read(pci.mmio, pci.bar0 + 1, 1), ==, 0);
	io_write(pci.mmio, pci.bar0, 1, PVPANIC_PANICKED);
	io_write(pci.mmio, pci.bar0, 1, PVPANIC_CRASH_LOADED);
	io_write(pci.mmio, pci.bar0, 1, 0xff);
	io_write(pci.mmio, pci.bar0, 8, 1);
	/* Nothing that we know. */
	io_write(pci.mmio, pci.bar0, 1, 0);
	io_write(pci.mmio, pci.bar0, 4, 0xfffffffc);
	io_write(pci.mmio, pci.bar0 + 1, 1, 1);
	g_assert_cmpmem(events->data, events->len * sizeof(unsigned), want, sizeof(want));
	fake_pci_release(&pci);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/pvpanic/events", test_events);
	return g_test_run();
}
