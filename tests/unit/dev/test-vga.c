/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dev/vga.h"

#include "display/surface.h"

#include "fake-vga.h"

enum {
	SEQ = 0x3c4,
	GFX = 0x3ce,
	CRT = 0x3d4,

	DISPI_WIDTH = 1,
	DISPI_HEIGHT,
	DISPI_DEPTH,
	DISPI_ENABLE,
	DISPI_BANK,
	DISPI_VIRT_WIDTH,
	DISPI_VIRT_HEIGHT,
	DISPI_X,
	DISPI_Y,
	DISPI_MEMORY,
};

#define GREY  0xaaaaaau
#define WHITE 0xffffffu

struct screen {
	struct fake_vga vga;
	struct surface *surface;
};

static void setup(struct screen *s)
{
	s->surface = surface_new();
	fake_vga_init(&s->vga);
}

static void teardown(struct screen *s)
{
	fake_vga_release(&s->vga);
	surface_free(s->surface);
}

static uint32_t pixel(const struct screen *s, unsigned x, unsigned y)
{
	g_assert_cmpuint(x, <, s->surface->width);
	g_assert_cmpuint(y, <, s->surface->height);
	return s->surface->pixels[(size_t)y * s->surface->width + x];
}

/* The rows that have changed since the last time; -1: also the size. */
static int changes(struct screen *s)
{
	struct surface_rows rows = { { 0 } };
	bool resized = false;
	int count = 0;

	vga_draw(s->vga.pci.dev, s->surface);
	(void)surface_take_changes(s->surface, &rows, &resized);
	for (unsigned i = 0; i < G_N_ELEMENTS(rows.bits); i++)
		count += __builtin_popcountll(rows.bits[i]);
	return resized ? -1 : count;
}

static uint64_t window(struct screen *s, uint32_t off, unsigned size)
{
	return io_read(s->vga.pci.mmio, 0xa0000 + off, size);
}

static void window_set(struct screen *s, uint32_t off, unsigned size, uint64_t value)
{
	io_write(s->vga.pci.mmio, 0xa0000 + off, size, value);
}

static void memory_set(struct screen *s, uint32_t off, unsigned size, uint64_t value)
{
	io_write(s->vga.pci.mmio, s->vga.pci.bar0 + off, size, value);
}

static uint64_t memory(struct screen *s, uint32_t off, unsigned size)
{
	return io_read(s->vga.pci.mmio, s->vga.pci.bar0 + off, size);
}

static uint16_t dispi(struct screen *s, uint16_t index)
{
	io_write(s->vga.pci.pio, 0x1ce, 2, index);
	return (uint16_t)io_read(s->vga.pci.pio, 0x1cf, 2);
}

static void set_mode(struct screen *s, uint16_t width, uint16_t height, uint16_t depth)
{
	fake_vga_dispi(&s->vga, DISPI_ENABLE, 0);
	fake_vga_dispi(&s->vga, DISPI_WIDTH, width);
	fake_vga_dispi(&s->vga, DISPI_HEIGHT, height);
	fake_vga_dispi(&s->vga, DISPI_DEPTH, depth);
	fake_vga_dispi(&s->vga, DISPI_ENABLE, 0x41);
	fake_vga_attribute(&s->vga, 0, 0);
}

static void test_off(void)
{
	struct screen s;

	setup(&s);
	g_assert_cmpint(changes(&s), ==, -1);
	g_assert_cmpint(changes(&s), ==, 0);
	g_assert_cmphex(fake_pci_get(&s.vga.pci, 0, 4), ==, 0x11111234);
	g_assert_cmphex(fake_pci_get(&s.vga.pci, 8, 4), ==, 0x03000002);
	teardown(&s);
}

static void test_text(void)
{
	struct screen s;

	setup(&s);
	fake_vga_text_mode(&s.vga);
	fake_vga_font(&s.vga, 'A', 0x81);
	fake_vga_font(&s.vga, 0xc4, 0xff); /* a line, which goes on */
	fake_vga_font(&s.vga, ' ', 0);
	(void)changes(&s);
	g_assert_cmpuint(s.surface->width, ==, 720);
	g_assert_cmpuint(s.surface->height, ==, 400);

	/* The third cell of the second row: white on blue. */
	window_set(&s, 0x18000 + 2 * 82, 2, 'A' | 0x1f00);
	window_set(&s, 0x18000 + 2 * 83, 1, 0xc4);
	window_set(&s, 0x18000 + 2 * 83 + 1, 1, 0x07);
	g_assert_cmphex(window(&s, 0x18000 + 2 * 82, 4), ==, 0x07c41f41);
	g_assert_cmpint(changes(&s), ==, 16);
	g_assert_cmphex(pixel(&s, 18, 16), ==, WHITE);
	g_assert_cmphex(pixel(&s, 19, 16), ==, 0x0000aa);
	g_assert_cmphex(pixel(&s, 25, 31), ==, WHITE);
	g_assert_cmphex(pixel(&s, 26, 31), ==, 0x0000aa);
	g_assert_cmphex(pixel(&s, 27, 31), ==, GREY);
	g_assert_cmphex(pixel(&s, 35, 31), ==, GREY);
	g_assert_cmphex(pixel(&s, 36, 31), ==, 0);
	g_assert_cmpint(changes(&s), ==, 0);

	/* A cursor of two lines there. */
	fake_vga_set(&s.vga, CRT, 0x0e, 0);
	fake_vga_set(&s.vga, CRT, 0x0f, 82);
	fake_vga_set(&s.vga, CRT, 0x0a, 0x0d);
	g_assert_cmpint(changes(&s), ==, 2);
	g_assert_cmphex(pixel(&s, 20, 16 + 13), ==, WHITE);
	fake_vga_set(&s.vga, CRT, 0x0a, 0x2d);

	/* Scrolled by one row. */
	fake_vga_set(&s.vga, CRT, 0x0d, 80);
	(void)changes(&s);
	g_assert_cmphex(pixel(&s, 18, 0), ==, WHITE);
	/* Switched off. */
	fake_vga_set(&s.vga, SEQ, 1, 0x20);
	(void)changes(&s);
	g_assert_cmphex(pixel(&s, 18, 0), ==, 0);
	teardown(&s);
}

/* 640 by 400 dots of four planes. */
static void planar_mode(struct screen *s)
{
	fake_vga_common(&s->vga);
	fake_vga_set(&s->vga, SEQ, 1, 1);
	fake_vga_set(&s->vga, SEQ, 2, 0x0f);
	fake_vga_set(&s->vga, SEQ, 4, 6);
	fake_vga_set(&s->vga, GFX, 5, 0);
	fake_vga_set(&s->vga, GFX, 6, 5);
	fake_vga_set(&s->vga, CRT, 9, 0);
	fake_vga_set(&s->vga, CRT, 0x17, 0xe3);
	fake_vga_attribute(&s->vga, 0x10, 1);
}

static void test_planes(void)
{
	struct screen s;

	setup(&s);
	planar_mode(&s);
	(void)changes(&s);
	g_assert_cmpuint(s.surface->width, ==, 640);
	/* All planes: white. */
	window_set(&s, 80, 1, 0xc0);
	g_assert_cmpint(changes(&s), ==, 1);
	g_assert_cmphex(pixel(&s, 1, 1), ==, WHITE);
	g_assert_cmphex(pixel(&s, 2, 1), ==, 0);
	/* Planes 0 and 2 only: magenta, the others are kept. */
	fake_vga_set(&s.vga, SEQ, 2, 5);
	window_set(&s, 80, 1, 0x20);
	(void)changes(&s);
	g_assert_cmphex(pixel(&s, 0, 1), ==, 0x55ff55);
	g_assert_cmphex(pixel(&s, 2, 1), ==, 0xaa00aa);
	/* A look at one plane. */
	fake_vga_set(&s.vga, GFX, 4, 1);
	g_assert_cmphex(window(&s, 80, 1), ==, 0xc0);
	fake_vga_set(&s.vga, GFX, 4, 2);
	g_assert_cmphex(window(&s, 80, 1), ==, 0x20);
	teardown(&s);
}

static void test_write_modes(void)
{
	struct screen s;

	setup(&s);
	planar_mode(&s);
	/* 2: a colour through the bit mask, the rest from the latch. */
	window_set(&s, 0, 1, 0xff);
	(void)window(&s, 0, 1);
	fake_vga_set(&s.vga, GFX, 5, 2);
	fake_vga_set(&s.vga, GFX, 8, 0x0f);
	window_set(&s, 0, 1, 2);
	g_assert_cmphex(memory(&s, 0, 4), ==, 0xf0f0fff0);
	/* 1: the latch as it is. */
	(void)window(&s, 0, 1);
	fake_vga_set(&s.vga, GFX, 5, 1);
	window_set(&s, 1, 1, 0);
	g_assert_cmphex(memory(&s, 4, 4), ==, 0xf0f0fff0);
	/* 3: set/reset where the value and the mask are. */
	fake_vga_set(&s.vga, GFX, 5, 3);
	fake_vga_set(&s.vga, GFX, 0, 1);
	fake_vga_set(&s.vga, GFX, 8, 0xff);
	(void)window(&s, 1, 1);
	window_set(&s, 1, 1, 0x81);
	g_assert_cmphex(memory(&s, 4, 4), ==, 0x70707ef1);
	/* 0: rotated, and mixed with the latch by XOR. */
	fake_vga_set(&s.vga, GFX, 5, 0);
	fake_vga_set(&s.vga, GFX, 3, 0x19);
	(void)window(&s, 0, 1);
	window_set(&s, 0, 1, 0x02);
	g_assert_cmphex(memory(&s, 0, 4), ==, 0xf1f1fef1);
	/* Set/reset of two planes instead of the value. */
	fake_vga_set(&s.vga, GFX, 3, 0);
	fake_vga_set(&s.vga, GFX, 1, 3);
	window_set(&s, 2, 1, 0x55);
	g_assert_cmphex(memory(&s, 8, 4), ==, 0x555500ff);
	/* Where is colour 1 in planes 0 and 1? */
	fake_vga_set(&s.vga, GFX, 5, 8);
	fake_vga_set(&s.vga, GFX, 2, 1);
	fake_vga_set(&s.vga, GFX, 7, 3);
	g_assert_cmphex(window(&s, 2, 1), ==, 0xff);
	fake_vga_set(&s.vga, GFX, 7, 7);
	g_assert_cmphex(window(&s, 2, 1), ==, 0xaa);
	teardown(&s);
}

static void test_chain4(void)
{
	struct screen s;

	setup(&s);
	planar_mode(&s);
	fake_vga_set(&s.vga, SEQ, 4, 0x0e);
	fake_vga_set(&s.vga, GFX, 5, 0x40);
	fake_vga_set(&s.vga, CRT, 9, 0x41);
	fake_vga_colour(&s.vga, 200, 63, 0, 1);
	window_set(&s, 320 + 3, 1, 200);
	(void)changes(&s);
	g_assert_cmphex(window(&s, 320 + 3, 1), ==, 200);
	for (unsigned y = 2; y < 4; y++) {
		g_assert_cmphex(pixel(&s, 6, y), ==, 0xff0004);
		g_assert_cmphex(pixel(&s, 7, y), ==, 0xff0004);
		g_assert_cmphex(pixel(&s, 8, y), ==, 0);
	}
	g_assert_cmphex(pixel(&s, 6, 4), ==, 0);
	teardown(&s);
}

static void test_cga(void)
{
	struct screen s;

	setup(&s);
	planar_mode(&s);
	fake_vga_set(&s.vga, SEQ, 1, 9);
	fake_vga_set(&s.vga, SEQ, 2, 3);
	fake_vga_set(&s.vga, SEQ, 4, 2);
	fake_vga_set(&s.vga, GFX, 5, 0x30);
	fake_vga_set(&s.vga, GFX, 6, 0x0f);
	fake_vga_set(&s.vga, CRT, 1, 0x27);
	fake_vga_set(&s.vga, CRT, 9, 0xc1);
	fake_vga_set(&s.vga, CRT, 0x13, 0x14);
	fake_vga_set(&s.vga, CRT, 0x17, 0xa2);
	/* The first pixel of the second row is in the other bank, and twice as high and wide. */
	window_set(&s, 0x18000 + 0x2000, 1, 0xc0);
	(void)changes(&s);
	g_assert_cmpuint(s.surface->width, ==, 640);
	g_assert_cmphex(pixel(&s, 0, 1), ==, 0);
	g_assert_cmphex(pixel(&s, 1, 2), ==, 0x00aaaa);
	g_assert_cmphex(pixel(&s, 1, 3), ==, 0x00aaaa);
	g_assert_cmphex(pixel(&s, 2, 2), ==, 0);
	g_assert_cmphex(pixel(&s, 0, 4), ==, 0);
	teardown(&s);
}

static void test_dispi(void)
{
	static const struct {
		uint16_t depth;
		uint64_t value;
		uint32_t pixel;
	} depths[] = { { 32, 0xff123456, 0x123456 },
		       { 24, 0x123456, 0x123456 },
		       { 16, 0xf81f, 0xff00ff },
		       { 15, 0x7c1f, 0xff00ff },
		       { 8, 9, 0x5555ff } };
	struct screen s;

	setup(&s);
	fake_vga_common(&s.vga);
	g_assert_cmphex(dispi(&s, 0), ==, 0xb0c5);
	g_assert_cmphex(dispi(&s, DISPI_MEMORY), ==, 256);
	for (unsigned i = 0; i < G_N_ELEMENTS(depths); i++) {
		unsigned bytes = (depths[i].depth + 7u) / 8;

		set_mode(&s, 800, 600, depths[i].depth);
		(void)changes(&s);
		g_assert_cmpuint(s.surface->width, ==, 800);
		g_assert_cmpuint(s.surface->height, ==, 600);
		memory_set(&s, (800 * 7 + 5) * bytes, bytes == 3 ? 4 : bytes, depths[i].value);
		g_assert_cmpint(changes(&s), ==, 1);
		g_assert_cmphex(pixel(&s, 5, 7), ==, depths[i].pixel);
		g_assert_cmphex(pixel(&s, 6, 7), ==, 0);
	}
	/* Planes, by the window. */
	set_mode(&s, 800, 600, 4);
	window_set(&s, 100, 1, 0x40);
	(void)changes(&s);
	g_assert_cmphex(pixel(&s, 1, 1), ==, WHITE);
	/* A bank of 64 KiB. */
	set_mode(&s, 800, 600, 32);
	fake_vga_dispi(&s.vga, DISPI_BANK, 2);
	window_set(&s, 4, 4, 0x77);
	g_assert_cmphex(memory(&s, 0x20004, 4), ==, 0x77);
	teardown(&s);
}

static void test_dispi_shifted(void)
{
	struct screen s;

	setup(&s);
	fake_vga_common(&s.vga);
	set_mode(&s, 640, 480, 32);
	fake_vga_dispi(&s.vga, DISPI_VIRT_WIDTH, 1024);
	g_assert_cmpuint(dispi(&s, DISPI_VIRT_HEIGHT), ==, 4096);
	fake_vga_dispi(&s.vga, DISPI_X, 10);
	fake_vga_dispi(&s.vga, DISPI_Y, 100);
	memory_set(&s, (102 * 1024 + 13) * 4, 4, 0xabcdef);
	(void)changes(&s);
	g_assert_cmphex(pixel(&s, 3, 2), ==, 0xabcdef);
	/* What is behind the memory is black, and touches nothing. */
	fake_vga_dispi(&s.vga, DISPI_Y, 0xffff);
	fake_vga_dispi(&s.vga, DISPI_X, 0xffff);
	(void)changes(&s);
	g_assert_cmphex(pixel(&s, 3, 2), ==, 0);
	memory_set(&s, 0, 4, 1);
	g_assert_cmpint(changes(&s), ==, 0);
	teardown(&s);
}

static void test_dispi_limits(void)
{
	struct screen s;

	setup(&s);
	set_mode(&s, 0xffff, 0xffff, 32);
	(void)changes(&s);
	g_assert_cmpuint(s.surface->width, ==, 2560);
	g_assert_cmpuint(s.surface->height, ==, 1600);
	fake_vga_dispi(&s.vga, DISPI_VIRT_WIDTH, 0xffff);
	g_assert_cmpuint(dispi(&s, DISPI_VIRT_WIDTH), ==, 8192);
	set_mode(&s, 0, 0, 77);
	(void)changes(&s);
	g_assert_cmpuint(s.surface->width, ==, 8);
	g_assert_cmpuint(s.surface->height, ==, 1);
	g_assert_cmpuint(dispi(&s, DISPI_DEPTH), ==, 8);
	/* What is possible at most is told. */
	fake_vga_dispi(&s.vga, DISPI_ENABLE, 2);
	g_assert_cmpuint(dispi(&s, DISPI_WIDTH), ==, 2560);
	g_assert_cmpuint(dispi(&s, DISPI_DEPTH), ==, 32);
	/* No such register, no such size. */
	fake_vga_dispi(&s.vga, 0x1234, 5);
	g_assert_cmphex(dispi(&s, 0x1234), ==, 0);
	g_assert_cmphex(io_read(s.vga.pci.pio, 0x1cf, 1), ==, 0xff);
	teardown(&s);
}

/* BAR 2 has them all, too. */
static void test_registers(void)
{
	struct screen s;
	struct io_space *mmio;

	setup(&s);
	mmio = s.vga.pci.mmio;
	g_assert_cmphex(io_read(mmio, s.vga.registers + 0x500, 2), ==, 0xb0c5);
	io_write(mmio, s.vga.registers + 0x502, 2, 1024);
	g_assert_cmpuint(dispi(&s, DISPI_WIDTH), ==, 1024);
	io_write(mmio, s.vga.registers + 0x402, 1, 0x67);
	g_assert_cmphex(io_read(s.vga.pci.pio, 0x3cc, 1), ==, 0x67);
	io_write(mmio, s.vga.registers + 0x414, 2, 0x5513);
	g_assert_cmphex(io_read(mmio, s.vga.registers + 0x415, 1), ==, 0x55);
	/* No EDID, and nothing beyond. */
	g_assert_cmphex(io_read(mmio, s.vga.registers, 4), ==, 0);
	g_assert_cmphex(io_read(mmio, s.vga.registers + 0x600, 4), ==, 0);
	g_assert_cmphex(io_read(mmio, s.vga.registers + 0x515, 2), ==, 0);
	/* The last bytes of both. */
	io_write(mmio, s.vga.registers + 4088, 8, UINT64_MAX);
	memory_set(&s, (16 << 20) - 8, 8, 0x1122334455667788);
	g_assert_cmphex(memory(&s, (16 << 20) - 4, 4), ==, 0x11223344);
	teardown(&s);
}

static void test_ports(void)
{
	struct screen s;
	struct io_space *pio;

	setup(&s);
	pio = s.vga.pci.pio;
	/* Monochrome: the CRT controller is at 0x3b4. */
	io_write(pio, 0x3b4, 2, 0x120a);
	g_assert_cmphex(io_read(pio, 0x3b5, 1), ==, 0x12);
	g_assert_cmphex(io_read(pio, 0x3d5, 1), ==, 0xff);
	fake_vga_out(&s.vga, 0x3c2, 1);
	g_assert_cmphex(io_read(pio, 0x3b5, 1), ==, 0xff);
	g_assert_cmphex(io_read(pio, 0x3d5, 1), ==, 0x12);
	/* Protected registers, but for one bit. */
	fake_vga_set(&s.vga, CRT, 0x11, 0x80);
	fake_vga_set(&s.vga, CRT, 1, 0x55);
	g_assert_cmphex(io_read(pio, 0x3d5, 1), ==, 0);
	fake_vga_set(&s.vga, CRT, 7, 0xff);
	g_assert_cmphex(io_read(pio, 0x3d5, 1), ==, 0x10);
	/* A retrace comes and goes. */
	g_assert_cmphex(io_read(pio, 0x3da, 1) ^ io_read(pio, 0x3da, 1), ==, 9);
	/* Colours count on. */
	fake_vga_colour(&s.vga, 255, 1, 2, 3);
	fake_vga_out(&s.vga, 0x3c7, 255);
	g_assert_cmphex(io_read(pio, 0x3c9, 1), ==, 1);
	g_assert_cmphex(io_read(pio, 0x3c9, 1), ==, 2);
	g_assert_cmphex(io_read(pio, 0x3c9, 1), ==, 3);
	g_assert_cmphex(io_read(pio, 0x3c9, 1), ==, 0);
	/* No such registers. */
	for (unsigned index = 0; index < 256; index++) {
		fake_vga_set(&s.vga, CRT, (uint8_t)index, 0);
		fake_vga_set(&s.vga, SEQ, (uint8_t)index, 0);
		fake_vga_set(&s.vga, GFX, (uint8_t)index, 0);
		fake_vga_attribute(&s.vga, (uint8_t)index, 0);
	}
	(void)changes(&s);
	teardown(&s);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/dev/vga/off", test_off);
	g_test_add_func("/dev/vga/text", test_text);
	g_test_add_func("/dev/vga/planes", test_planes);
	g_test_add_func("/dev/vga/write-modes", test_write_modes);
	g_test_add_func("/dev/vga/chain4", test_chain4);
	g_test_add_func("/dev/vga/cga", test_cga);
	g_test_add_func("/dev/vga/dispi", test_dispi);
	g_test_add_func("/dev/vga/dispi-shifted", test_dispi_shifted);
	g_test_add_func("/dev/vga/dispi-limits", test_dispi_limits);
	g_test_add_func("/dev/vga/registers", test_registers);
	g_test_add_func("/dev/vga/ports", test_ports);
	return g_test_run();
}
