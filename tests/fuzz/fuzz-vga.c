/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz-vga.c - a guest that does anything to the VGA's registers and memory, while somebody looks
 *
 * The input is a list of records of 8 bytes: what, size, where (2), value (4). At the end it is checked
 * that
 *
 *  (1) the picture that came bit by bit, as things were touched, is the one that is drawn at once,
 *  (2) however it was treated, after a reset it shows text that is written.
 */
#include <string.h>

#include "base/bytes.h"
#include "dev/vga.h"
#include "display/surface.h"

#include "../unit/dev/fake-vga.h"

enum {
	RECORD = 8,
	RECORDS = 256,
	COSTLY = 6, /* actions of one input that take long */
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
	struct surface *surface;
	unsigned costly;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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
			fake_vga_dispi(&w->vga, where % 12, (uint16_t)value);
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
			vga_draw(w->vga.pci.dev, w->surface);
		break;
	default:
		fake_vga_text_mode(&w->vga);
		break;
	}
}

static void check_same(struct world *w)
{
	autoptr(surface) fresh = surface_new();
	uint8_t mask = (uint8_t)io_read(w->vga.pci.pio, 0x3c6, 1);

	vga_draw(w->vga.pci.dev, w->surface);
	io_write(w->vga.pci.pio, 0x3c6, 1, mask ^ 1u);
	io_write(w->vga.pci.pio, 0x3c6, 1, mask);
	/* A screen that is off keeps its size. */
	surface_resize(fresh, w->surface->width, w->surface->height);
	vga_draw(w->vga.pci.dev, fresh);
	g_assert_cmpuint(fresh->width, ==, w->surface->width);
	g_assert_cmpuint(fresh->height, ==, w->surface->height);
	g_assert_true(!memcmp(fresh->pixels, w->surface->pixels,
			      (size_t)fresh->width * fresh->height * sizeof(uint32_t)));
}

static void check_works(struct world *w)
{
	pci_bus_reset(w->vga.pci.bus);
	fake_vga_text_mode(&w->vga);
	fake_vga_font(&w->vga, 'X', 0xff);
	io_write(w->vga.pci.mmio, 0xb8000, 2, 'X' | 0x0700);
	vga_draw(w->vga.pci.dev, w->surface);
	g_assert_cmpuint(w->surface->width, ==, 720);
	g_assert_cmphex(w->surface->pixels[0], ==, 0xaaaaaa);
	g_assert_cmphex(w->surface->pixels[9], ==, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world w = { .surface = surface_new() };

	fake_vga_init(&w.vga);
	for (size_t off = 0; off + RECORD <= MIN(size, (size_t)RECORD * RECORDS); off += RECORD)
		act(&w, data + off);
	check_same(&w);
	check_works(&w);
	fake_vga_release(&w.vga);
	surface_free(w.surface);
	return 0;
}
