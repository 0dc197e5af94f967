/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fake-pci.h - a bus with one device in slot 1, placed as after a reset
 */
#ifndef TESTS_UNIT_DEV_FAKE_PCI_H
#define TESTS_UNIT_DEV_FAKE_PCI_H

#include "bus/pci.h"

#include "fake.h"

#define FAKE_PCI_ECAM 0xe0000000ull

struct fake_pci {
	struct io_space *pio, *mmio;
	struct fake_irq irq;
	struct pci_bus *bus;
	struct pci_device *dev;
	uint64_t bar0;
};

static inline void fake_pci_init(struct fake_pci *fake, struct pci_device *dev)
{
	struct pci_bus_config config = {
		.gsi = { 16, 17, 18, 19 },
		.ecam = FAKE_PCI_ECAM,
		.window32 = 0xc0000000,
		.window32_end = FAKE_PCI_ECAM,
	};

	fake->pio = config.pio = io_space_new("ports", 0x10000);
	fake->mmio = config.mmio = io_space_new("memory", UINT64_C(1) << 52);
	fake_irq_init(&fake->irq);
	config.sink = &fake->irq.sink;
	fake->bus = pci_bus_new(&config, NULL);
	g_assert_nonnull(fake->bus);
	fake->dev = dev;
	g_assert_true(pci_plug(fake->bus, dev, 1, NULL));
	pci_bus_reset(fake->bus);
	fake->bar0 = pci_bar_get(dev, 0).addr;
	g_assert_cmphex(fake->bar0, !=, 0);
}

static inline void fake_pci_release(struct fake_pci *fake)
{
	pci_bus_free(fake->bus);
	io_space_free(fake->mmio);
	io_space_free(fake->pio);
}

static inline uint32_t fake_pci_get(struct fake_pci *fake, unsigned off, unsigned size)
{
	return (uint32_t)io_read(fake->mmio, FAKE_PCI_ECAM + (1 << 15) + off, size);
}

static inline void fake_pci_set(struct fake_pci *fake, unsigned off, unsigned size, uint32_t value)
{
	io_write(fake->mmio, FAKE_PCI_ECAM + (1 << 15) + off, size, value);
}

#endif
