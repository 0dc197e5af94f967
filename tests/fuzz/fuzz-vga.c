/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz-vga.c - a guest that does anything to the VGA's registers and memory, while somebody looks
 *
 * The input is a list of records of 8 bytes: what, size, where (2), value (4). At the end it is checked
 * that
 *
 *  (1) the picture that came bit by bit, as things were touched, is the one that is drawn at once,
 *  (2) however it was treated, after a reset it shows text that is written.
 *
 * The device is made once: its memory and that of a picture are 16 MiB each, which take longer to have and to
 * give back than all else. Pictures are kept small, whatever the guest asks for: what a row does shows in a few,
 * and there are 1,000 executions in a second instead of 30.
 */
#include <string.h>

#include "base/bytes.h"
#include "dev/vga-int.h"
#include "display/surface.h"

#include "../unit/dev/fake-vga.h"

enum {
	RECORD = 8,
	RECORDS = 256,
	COSTLY = 6, /* actions of one input that take long */
	MAX_COLUMNS = 8,
	MAX_ROWS = 32,
};

enum what {
	WHAT_PORT_WRITE,
	WHAT_PORT_READ,
	WHAT_INDEXED, /* an index and its value at once */
	WHAT_ATTRIBUTE,
	WHAT_WINDOW_WRITE,
	WHAT_WINDOW_READ,
	WHAT_MEMORY_WRITE,
	WHAT_MEMORY_READ,
	WHAT_DISPI,
	WHAT_REGISTER_WRITE,
	WHAT_REGISTER_READ,
	WHAT_DRAW,
	WHAT_TEXT_MODE,
	WHAT_COUNT,
};

struct world {
	struct fake_vga vga;
	struct surface *surface, *fresh;
	unsigned costly;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* As if the guest had asked for a small picture only. */
static void make_small(struct world *w)
{
	struct vga *vga = container_of(w->vga.pci.dev, struct vga, pci);

	vga->crt[VGA_CRT_WIDTH] %= MAX_COLUMNS;
	vga->crt[VGA_CRT_HEIGHT] %= MAX_ROWS;
	vga->crt[VGA_CRT_OVERFLOW] &= (uint8_t) ~(1u << 1 | 1u << 6);
	vga->dispi[VGA_DISPI_WIDTH] = MIN(vga->dispi[VGA_DISPI_WIDTH], MAX_COLUMNS * 8);
	vga->dispi[VGA_DISPI_HEIGHT] = MIN(vga->dispi[VGA_DISPI_HEIGHT], MAX_ROWS);
}

static void draw(struct world *w, struct surface *surface)
{
	make_small(w);
	vga_draw(w->vga.pci.dev, surface);
}

/* Width and height of what is cleared are not more either. */
static void set_dispi(struct world *w, unsigned reg, uint16_t value)
{
	if (reg == VGA_DISPI_WIDTH)
		value %= MAX_COLUMNS * 8 + 1;
	if (reg == VGA_DISPI_HEIGHT)
		value %= MAX_ROWS + 1;
	fake_vga_dispi(&w->vga, (uint16_t)reg, value);
}

static void act(struct world *w, const uint8_t *record)
{
	static const uint16_t parts[] = { 0x3c4, 0x3ce, 0x3d4, 0x3b4 };
	struct io_space *pio = w->vga.pci.pio, *mmio = w->vga.pci.mmio;
	unsigned size = 1u << (record[1] & 3), where = get_le16(record + 2);
	uint32_t value = get_le32(record + 4);
	uint64_t memory = (uint64_t)where << 8 | record[1];

	switch (record[0] % WHAT_COUNT) {
	case WHAT_PORT_WRITE:
		io_write(pio, 0x3b0 + where % 0x38, MIN(size, 4), value);
		break;
	case WHAT_PORT_READ:
		(void)io_read(pio, 0x3b0 + where % 0x38, MIN(size, 4));
		break;
	case WHAT_INDEXED:
		io_write(pio, parts[record[1] % 4], 2, where);
		break;
	case WHAT_ATTRIBUTE:
		fake_vga_attribute(&w->vga, record[2] % 0x18, record[3]);
		break;
	case WHAT_WINDOW_WRITE:
		io_write(mmio, 0xa0000 + memory % 0x20000, size, value);
		break;
	case WHAT_WINDOW_READ:
		(void)io_read(mmio, 0xa0000 + memory % 0x20000, size);
		break;
	case WHAT_MEMORY_WRITE:
		io_write(mmio, w->vga.pci.bar0 + memory, size, value);
		break;
	case WHAT_MEMORY_READ:
		(void)io_read(mmio, w->vga.pci.bar0 + memory, size);
		break;
	case WHAT_DISPI:
		if (w->costly++ < COSTLY)
			set_dispi(w, where % 12, (uint16_t)value);
		break;
	case WHAT_REGISTER_WRITE:
		if (w->costly++ < COSTLY)
			io_write(mmio, w->vga.registers + where % 4096, size, value);
		break;
	case WHAT_REGISTER_READ:
		(void)io_read(mmio, w->vga.registers + where % 4096, size);
		break;
	case WHAT_DRAW:
		if (w->costly++ < COSTLY)
			draw(w, w->surface);
		break;
	default:
		fake_vga_text_mode(&w->vga);
		break;
	}
}

static void check_same(struct world *w)
{
	uint8_t mask = (uint8_t)io_read(w->vga.pci.pio, 0x3c6, 1);

	draw(w, w->surface);
	io_write(w->vga.pci.pio, 0x3c6, 1, mask ^ 1u);
	io_write(w->vga.pci.pio, 0x3c6, 1, mask);
	/* A screen that is off keeps its size. */
	surface_resize(w->fresh, w->surface->width, w->surface->height);
	draw(w, w->fresh);
	g_assert_cmpuint(w->fresh->width, ==, w->surface->width);
	g_assert_cmpuint(w->fresh->height, ==, w->surface->height);
	g_assert_true(!memcmp(w->fresh->pixels, w->surface->pixels,
			      (size_t)w->fresh->width * w->fresh->height * sizeof(uint32_t)));
}

static void check_works(struct world *w)
{
	pci_bus_reset(w->vga.pci.bus);
	fake_vga_text_mode(&w->vga);
	fake_vga_font(&w->vga, 'X', 0xff);
	io_write(w->vga.pci.mmio, 0xb8000, 2, 'X' | 0x0700);
	draw(w, w->surface);
	g_assert_cmpuint(w->surface->width, ==, (0x4f % MAX_COLUMNS + 1) * 9);
	g_assert_cmpuint(w->surface->height, ==, 0x8f % MAX_ROWS + 1);
	g_assert_cmphex(w->surface->pixels[0], ==, 0xaaaaaa);
	g_assert_cmphex(w->surface->pixels[9], ==, 0);
}

/* Each input finds the device, and the picture, as all others do. */
static struct world *world(void)
{
	static struct world w;

	if (!w.surface) {
		w.surface = surface_new();
		w.fresh = surface_new();
		fake_vga_init(&w.vga);
	}
	pci_bus_reset(w.vga.pci.bus);
	surface_resize(w.surface, 8, 8);
	w.costly = 0;
	return &w;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world *w = world();

	for (size_t off = 0; off + RECORD <= MIN(size, (size_t)RECORD * RECORDS); off += RECORD)
		act(w, data + off);
	check_same(w);
	check_works(w);
	return 0;
}
