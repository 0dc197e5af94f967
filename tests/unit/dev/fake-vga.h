/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fake-vga.h - a VGA on a bus, and what a BIOS does with it
 */
#ifndef TESTS_UNIT_DEV_FAKE_VGA_H
#define TESTS_UNIT_DEV_FAKE_VGA_H

#include "dev/vga.h"

#include "fake-pci.h"

struct fake_vga {
	struct fake_pci pci;
	uint64_t registers; /* BAR 2 */
};

static inline void fake_vga_init(struct fake_vga *vga)
{
	const struct pci_bus_config bus = {
		.gsi = { 16, 17, 18, 19 },
		.ecam = FAKE_PCI_ECAM,
		.window32 = 0xc0000000,
		.window32_end = FAKE_PCI_ECAM,
	};
	struct pci_bus_config config = bus;
	struct vga_config vga_config;

	vga->pci.pio = config.pio = io_space_new("ports", 0x10000);
	vga->pci.mmio = config.mmio = io_space_new("memory", UINT64_C(1) << 52);
	fake_irq_init(&vga->pci.irq);
	config.sink = &vga->pci.irq.sink;
	vga->pci.bus = pci_bus_new(&config, NULL);
	vga_config = (struct vga_config){ .pio = config.pio, .mmio = config.mmio };
	vga->pci.dev = vga_new(&vga_config, NULL);
	g_assert_nonnull(vga->pci.dev);
	g_assert_true(pci_plug(vga->pci.bus, vga->pci.dev, 1, NULL));
	pci_bus_reset(vga->pci.bus);
	vga->pci.bar0 = pci_bar_get(vga->pci.dev, 0).addr;
	vga->registers = pci_bar_get(vga->pci.dev, 2).addr;
}

static inline void fake_vga_release(struct fake_vga *vga)
{
	fake_pci_release(&vga->pci);
}

static inline void fake_vga_out(struct fake_vga *vga, uint16_t port, uint8_t value)
{
	io_write(vga->pci.pio, port, 1, value);
}

/* A register of sequencer (0x3c4), graphics controller (0x3ce) or CRT controller (0x3d4). */
static inline void fake_vga_set(struct fake_vga *vga, uint16_t port, uint8_t index, uint8_t value)
{
	io_write(vga->pci.pio, port, 2, index | (unsigned)value << 8);
}

static inline void fake_vga_attribute(struct fake_vga *vga, uint8_t index, uint8_t value)
{
	(void)io_read(vga->pci.pio, 0x3da, 1);
	(void)io_read(vga->pci.pio, 0x3ba, 1);
	fake_vga_out(vga, 0x3c0, index);
	fake_vga_out(vga, 0x3c0, value);
	fake_vga_out(vga, 0x3c0, 0x20);
	(void)io_read(vga->pci.pio, 0x3da, 1);
	(void)io_read(vga->pci.pio, 0x3ba, 1);
}

static inline void fake_vga_dispi(struct fake_vga *vga, uint16_t index, uint16_t value)
{
	io_write(vga->pci.pio, 0x1ce, 2, index);
	io_write(vga->pci.pio, 0x1cf, 2, value);
}

static inline void fake_vga_colour(struct fake_vga *vga, uint8_t index, uint8_t r, uint8_t g,
				   uint8_t b)
{
	fake_vga_out(vga, 0x3c8, index);
	fake_vga_out(vga, 0x3c9, r);
	fake_vga_out(vga, 0x3c9, g);
	fake_vga_out(vga, 0x3c9, b);
}

/* What all modes of 1987 have here: colours as the BIOS sets them, a picture of 400 rows. */
static inline void fake_vga_common(struct fake_vga *vga)
{
	static const uint8_t crt[] = { 0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0,
				       0x4f, 0x0d, 0x0e, 0,    0,    0,    0,    0x9c, 0x0e,
				       0x8f, 0x28, 0x1f, 0x96, 0xb9, 0xa3, 0xff };

	fake_vga_dispi(vga, 4, 0);
	fake_vga_out(vga, 0x3c2, 0x67);
	fake_vga_set(vga, 0x3d4, 0x11, 0);
	for (size_t i = 0; i < sizeof(crt); i++)
		fake_vga_set(vga, 0x3d4, (uint8_t)i, crt[i]);
	for (uint8_t i = 0; i < 16; i++) {
		uint8_t dark = i & 8 ? 0x15 : 0;

		fake_vga_colour(vga, i, (uint8_t)(i & 4 ? 0x2a + dark : dark),
				(uint8_t)(i & 2 ? 0x2a + dark : dark),
				(uint8_t)(i & 1 ? 0x2a + dark : dark));
		fake_vga_attribute(vga, i, i);
	}
	fake_vga_attribute(vga, 0x12, 0x0f);
	fake_vga_attribute(vga, 0x14, 0);
	fake_vga_out(vga, 0x3c6, 0xff);
	fake_vga_set(vga, 0x3ce, 8, 0xff);
	fake_vga_set(vga, 0x3ce, 1, 0);
	fake_vga_set(vga, 0x3ce, 3, 0);
	fake_vga_set(vga, 0x3ce, 4, 0);
}

/* Mode 3: 80 columns, 25 rows, cells of 9 by 16. */
static inline void fake_vga_text_mode(struct fake_vga *vga)
{
	fake_vga_common(vga);
	fake_vga_set(vga, 0x3c4, 1, 0);
	fake_vga_set(vga, 0x3c4, 2, 3);
	fake_vga_set(vga, 0x3c4, 3, 0);
	fake_vga_set(vga, 0x3c4, 4, 2);
	fake_vga_set(vga, 0x3ce, 5, 0x10);
	fake_vga_set(vga, 0x3ce, 6, 0x0e);
	fake_vga_attribute(vga, 0x10, 0x0c);
	fake_vga_set(vga, 0x3d4, 0x0a, 0x20);
}

/* Each row of a glyph is @bits. */
static inline void fake_vga_font(struct fake_vga *vga, uint8_t character, uint8_t bits)
{
	fake_vga_set(vga, 0x3c4, 2, 4);
	fake_vga_set(vga, 0x3c4, 4, 7);
	fake_vga_set(vga, 0x3ce, 5, 0);
	fake_vga_set(vga, 0x3ce, 6, 4);
	for (unsigned line = 0; line < 16; line++)
		io_write(vga->pci.mmio, 0xa0000 + character * 32u + line, 1, bits);
	fake_vga_set(vga, 0x3c4, 2, 3);
	fake_vga_set(vga, 0x3c4, 4, 2);
	fake_vga_set(vga, 0x3ce, 5, 0x10);
	fake_vga_set(vga, 0x3ce, 6, 0x0e);
}

#endif
