/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-pic.c - the two 8259s: initialization, priority, edges and levels, modes, state
 */
#include "cpu/pic.h"

#include <string.h>

#include "bus/io.h"
#include "cpu/cpu.h"

struct board {
	struct io_space *pio;
	struct pic *pic;
	bool level;
	unsigned changes;
};

static void on_output(void *opaque, bool level)
{
	struct board *b = opaque;

	/* Only changes are told. */
	g_assert_true(level != b->level);
	b->level = level;
	b->changes++;
}

static void out(struct board *b, uint16_t port, uint8_t value)
{
	io_write(b->pio, port, 1, value);
}

static unsigned in(struct board *b, uint16_t port)
{
	return (unsigned)io_read(b->pio, port, 1);
}

/* As PC firmware does it, with vectors 0x08 and 0x70, and all inputs open. */
static void initialize(struct board *b, uint8_t icw4)
{
	out(b, 0x20, 0x11);
	out(b, 0x21, 0x08);
	out(b, 0x21, 0x04);
	out(b, 0x21, icw4);
	out(b, 0xa0, 0x11);
	out(b, 0xa1, 0x70);
	out(b, 0xa1, 0x02);
	out(b, 0xa1, icw4);
	out(b, 0x21, 0);
	out(b, 0xa1, 0);
}

static void setup(struct board *b, const void *data)
{
	g_autoptr(GError) error = NULL;

	(void)data;
	*b = (struct board){ .pio = io_space_new("ports", 0x10000) };
	b->pic = pic_new(b->pio, on_output, b, &error);
	g_assert_no_error(error);
	initialize(b, 0x01);
}

static void teardown(struct board *b, const void *data)
{
	(void)data;
	pic_free(b->pic);
	io_space_free(b->pio);
}

static void pulse(struct board *b, unsigned wire)
{
	pic_set_line(b->pic, wire, true);
	pic_set_line(b->pic, wire, false);
}

static void eoi(struct board *b, bool second)
{
	if (second)
		out(b, 0xa0, 0x20);
	out(b, 0x20, 0x20);
}

static void test_edge(struct board *b, const void *data)
{
	(void)data;
	g_assert_cmpint(pic_ack(b->pic), ==, -1);
	pulse(b, 4);
	g_assert_true(b->level);
	g_assert_cmphex(in(b, 0x20), ==, 0x10); /* IRR */
	g_assert_cmpint(pic_ack(b->pic), ==, 0x0c);
	g_assert_false(b->level);
	out(b, 0x20, 0x0b);
	g_assert_cmphex(in(b, 0x20), ==, 0x10); /* ISR */
	/* It rises again before it has ended. */
	pulse(b, 4);
	g_assert_false(b->level);
	eoi(b, false);
	g_assert_cmpint(pic_ack(b->pic), ==, 0x0c);
	eoi(b, false);
	g_assert_cmpint(pic_ack(b->pic), ==, -1);
	/* A wire that stays up is one edge. */
	pic_set_line(b->pic, 1, true);
	pic_set_line(b->pic, 1, true);
	g_assert_cmpint(pic_ack(b->pic), ==, 0x09);
	eoi(b, false);
	g_assert_false(b->level);
	/* No such wires. */
	pulse(b, PIC_CASCADE);
	pulse(b, PIC_WIRES);
	g_assert_false(b->level);
}

static void test_level(struct board *b, const void *data)
{
	(void)data;
	io_write(b->pio, 0x4d0, 2, 0xffff);
	g_assert_cmphex(io_read(b->pio, 0x4d0, 2), ==, 0xdef8);
	pic_set_line(b->pic, 11, true);
	for (int i = 0; i < 3; i++) {
		g_assert_cmpint(pic_ack(b->pic), ==, 0x73);
		g_assert_false(b->level);
		eoi(b, true);
		g_assert_true(b->level);
	}
	pic_set_line(b->pic, 11, false);
	g_assert_false(b->level);
	/* A wire that is up when it becomes one that counts by its level. */
	out(b, 0x4d1, 0);
	pic_set_line(b->pic, 10, true);
	g_assert_cmpint(pic_ack(b->pic), ==, 0x72);
	eoi(b, true);
	g_assert_false(b->level);
	out(b, 0x4d1, 0x04);
	g_assert_true(b->level);
}

static void test_priority(struct board *b, const void *data)
{
	(void)data;
	pulse(b, 7);
	pulse(b, 3);
	g_assert_cmpint(pic_ack(b->pic), ==, 0x0b);
	g_assert_false(b->level); /* 7 has to wait */
	pulse(b, 1);
	g_assert_cmpint(pic_ack(b->pic), ==, 0x09);
	pulse(b, 14);
	g_assert_false(b->level);
	eoi(b, false);
	/* The second chip is between 1 and 3. */
	g_assert_cmpint(pic_ack(b->pic), ==, 0x76);
	eoi(b, true);
	eoi(b, false);
	g_assert_cmpint(pic_ack(b->pic), ==, 0x0f);
	eoi(b, false);
	/* Masks. */
	out(b, 0x21, 0x10);
	pulse(b, 4);
	g_assert_false(b->level);
	out(b, 0x21, 0);
	g_assert_true(b->level);
	g_assert_cmphex(in(b, 0x21), ==, 0);
	g_assert_cmpint(pic_ack(b->pic), ==, 0x0c);
	/* By name. */
	out(b, 0x20, 0x64);
	out(b, 0x20, 0x0b);
	g_assert_cmphex(in(b, 0x20), ==, 0);
}

/* Two requests on the second chip: each needs its own turn on the first one. */
static void test_second(struct board *b, const void *data)
{
	(void)data;
	pulse(b, 8);
	pulse(b, 15);
	g_assert_cmpint(pic_ack(b->pic), ==, 0x70);
	g_assert_false(b->level);
	eoi(b, true);
	g_assert_cmpint(pic_ack(b->pic), ==, 0x77);
	/* More urgent, but the first chip is busy with the second one. */
	pulse(b, 8);
	g_assert_false(b->level);
	out(b, 0x20, 0x20);
	g_assert_cmpint(pic_ack(b->pic), ==, 0x70);
	out(b, 0xa0, 0x20);
	out(b, 0xa0, 0x20);
	out(b, 0x20, 0x20);
	/* Fully nested, it would have been let through. */
	initialize(b, 0x11);
	pulse(b, 15);
	g_assert_cmpint(pic_ack(b->pic), ==, 0x77);
	pulse(b, 8);
	g_assert_cmpint(pic_ack(b->pic), ==, 0x70);
}

static void test_rotation(struct board *b, const void *data)
{
	(void)data;
	out(b, 0x20, 0xc0 | 4); /* 5 is the most urgent one */
	pulse(b, 0);
	pulse(b, 6);
	g_assert_cmpint(pic_ack(b->pic), ==, 0x0e);
	out(b, 0x20, 0xa0); /* end, and 6 is the least urgent one */
	pulse(b, 6);
	g_assert_cmpint(pic_ack(b->pic), ==, 0x08);
	out(b, 0x20, 0xe0 | 0);
	g_assert_cmpint(pic_ack(b->pic), ==, 0x0e);
	out(b, 0x20, 0x20);
	/* By itself, with an end that comes by itself. */
	initialize(b, 0x03);
	out(b, 0x20, 0x80);
	pulse(b, 0);
	pulse(b, 5);
	g_assert_cmpint(pic_ack(b->pic), ==, 0x08);
	pulse(b, 0);
	g_assert_cmpint(pic_ack(b->pic), ==, 0x0d);
	g_assert_cmpint(pic_ack(b->pic), ==, 0x08);
	out(b, 0x20, 0x0b);
	g_assert_cmphex(in(b, 0x20), ==, 0);
	out(b, 0x20, 0x00);
}

/* Requests below one in service, and the poll command. */
static void test_special(struct board *b, const void *data)
{
	(void)data;
	pulse(b, 1);
	g_assert_cmpint(pic_ack(b->pic), ==, 0x09);
	pulse(b, 6);
	out(b, 0x21, 0x02);
	g_assert_false(b->level);
	out(b, 0x20, 0x68);
	g_assert_true(b->level);
	g_assert_cmpint(pic_ack(b->pic), ==, 0x0e);
	out(b, 0x20, 0x48);
	initialize(b, 0x01);
	out(b, 0x20, 0x0c);
	g_assert_cmphex(in(b, 0x20), ==, 0); /* nobody */
	pulse(b, 3);
	out(b, 0x20, 0x0c);
	g_assert_cmphex(in(b, 0x20), ==, 0x83);
	g_assert_false(b->level);
	/* Without the fourth word of the initialization, and without the third one. */
	out(b, 0x20, 0x12);
	out(b, 0x21, 0x40);
	out(b, 0x21, 0x80);
	g_assert_cmphex(in(b, 0x21), ==, 0x80);
	pulse(b, 3);
	g_assert_cmpint(pic_ack(b->pic), ==, 0x43);
}

static void test_state(struct board *b, const void *data)
{
	struct cpu_chip_state state = { 0 }, again = { 0 };

	(void)data;
	pulse(b, 3);
	pulse(b, 12);
	g_assert_cmpint(pic_ack(b->pic), ==, 0x74);
	out(b, 0xa1, 0x01);
	out(b, 0x4d1, 0x0c);
	out(b, 0x20, 0x11); /* in the midst of an initialization */
	pic_get_state(b->pic, &state);
	g_assert_cmpuint(state.pic[0].step, ==, 1);
	g_assert_cmphex(state.pic[1].elcr, ==, 0x0c);
	g_assert_cmphex(state.pic[1].isr, ==, 0x10);
	pic_set_state(b->pic, &again);
	g_assert_false(b->level);
	pic_set_state(b->pic, &state);
	pic_get_state(b->pic, &again);
	g_assert_cmpmem(&state.pic, sizeof(state.pic), &again.pic, sizeof(again.pic));
	/* Nonsense is cut. */
	memset(&state.pic, 0xff, sizeof(state.pic));
	for (unsigned i = 0; i < 2; i++) {
		struct cpu_pic_state *chip = &state.pic[i];

		chip->read_isr = chip->poll = chip->special_mask = chip->auto_eoi = true;
		chip->rotate = chip->special_nested = chip->single = chip->icw4 = true;
	}
	pic_set_state(b->pic, &state);
	pic_get_state(b->pic, &state);
	g_assert_cmpuint(state.pic[0].first, <, 8);
	g_assert_cmpuint(state.pic[0].step, <, 4);
	g_assert_cmphex(state.pic[0].elcr, ==, 0xf8);
	(void)pic_ack(b->pic);
	for (unsigned wire = 0; wire < PIC_WIRES; wire++)
		pic_set_line(b->pic, wire, false);
	initialize(b, 0x01);
	pulse(b, 0);
	g_assert_cmpint(pic_ack(b->pic), ==, 0x08);
}

static void test_taken(struct board *b, const void *data)
{
	g_autoptr(GError) error = NULL;

	(void)data;
	g_assert_null(pic_new(b->pio, on_output, b, &error));
	g_assert_nonnull(error);
	pic_free(NULL);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *path;
		void (*fn)(struct board *b, const void *data);
	} tests[] = {
		{ "/pic/edge", test_edge },         { "/pic/level", test_level },
		{ "/pic/priority", test_priority }, { "/pic/second", test_second },
		{ "/pic/rotation", test_rotation }, { "/pic/special", test_special },
		{ "/pic/state", test_state },       { "/pic/taken", test_taken },
	};

	g_test_init(&argc, &argv, NULL);
	for (unsigned i = 0; i < G_N_ELEMENTS(tests); i++)
		g_test_add(tests[i].path, struct board, NULL, setup, tests[i].fn, teardown);
	return g_test_run();
}
