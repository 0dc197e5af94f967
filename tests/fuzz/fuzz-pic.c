/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz-pic.c - a guest that does anything to the two 8259s, wires that change, interrupts taken
 *
 * The input is a list of records of 3 bytes: what, where, value. It is checked that
 *
 *  (1) INTR is up exactly while there is an interrupt to take,
 *  (2) a state that is read and loaded again is the same,
 *  (3) however it was treated, a pair that is initialized anew works.
 */
#include <string.h>

#include "base/cleanup.h"
#include "bus/io.h"
#include "cpu/cpu.h"
#include "cpu/pic.h"

enum {
	RECORD = 3,
	WHAT_READ = 0,
	WHAT_WRITE,
	WHAT_LINE,
	WHAT_ACK,
	WHAT_STATE,
	WHAT_ANY_STATE,
	WHAT_COUNT,
};

struct world {
	struct io_space *pio;
	struct pic *pic;
	bool level;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_output(void *opaque, bool level)
{
	struct world *w = opaque;

	g_assert_true(level != w->level);
	w->level = level;
}

static uint16_t port(uint8_t where)
{
	static const uint16_t base[] = { 0x20, 0xa0, 0x4d0, 0x20 };

	return (uint16_t)(base[where >> 1 & 3] + (where & 1));
}

static void reload(struct world *w)
{
	struct cpu_chip_state state = { 0 }, again = { 0 };

	pic_get_state(w->pic, &state);
	pic_set_state(w->pic, &state);
	pic_get_state(w->pic, &again);
	g_assert_true(!memcmp(state.pic, again.pic, sizeof(state.pic)));
}

/* Bytes are all there is to choose in a state; the rest is true or false. */
static void any_state(struct world *w, uint8_t where, uint8_t value)
{
	struct cpu_chip_state state = { 0 };
	struct cpu_pic_state *chip;

	pic_get_state(w->pic, &state);
	chip = &state.pic[where & 1];
	chip->lines ^= value;
	chip->irr ^= where;
	chip->isr ^= (uint8_t)(value << 1);
	chip->first = value;
	chip->step = where;
	chip->elcr = value;
	chip->special_nested = value & 1;
	chip->auto_eoi = value & 2;
	chip->rotate = value & 4;
	pic_set_state(w->pic, &state);
}

static void act(struct world *w, const uint8_t *record)
{
	bool level = w->level;
	int vector;

	switch (record[0] % WHAT_COUNT) {
	case WHAT_READ:
		(void)io_read(w->pio, port(record[1]), 1 + (record[1] & 1 ? 0u : record[2] & 1u));
		break;
	case WHAT_WRITE:
		io_write(w->pio, port(record[1]), 1, record[2]);
		break;
	case WHAT_LINE:
		pic_set_line(w->pic, record[1] % 20, record[2] & 1);
		break;
	case WHAT_ACK:
		vector = pic_ack(w->pic);
		g_assert_true((vector >= 0) == level);
		g_assert_cmpint(vector, <, 256);
		break;
	case WHAT_STATE:
		reload(w);
		break;
	default:
		any_state(w, record[1], record[2]);
		break;
	}
}

static void check_works(struct world *w)
{
	static const uint8_t words[][2] = {
		{ 0x20, 0x11 }, { 0x21, 0x20 }, { 0x21, 4 }, { 0x21, 1 }, { 0xa0, 0x11 },
		{ 0xa1, 0x28 }, { 0xa1, 2 },    { 0xa1, 1 }, { 0x21, 0 }, { 0xa1, 0 },
	};

	for (unsigned wire = 0; wire < PIC_WIRES; wire++)
		pic_set_line(w->pic, wire, false);
	for (unsigned i = 0; i < ARRAY_SIZE(words); i++)
		io_write(w->pio, words[i][0], 1, words[i][1]);
	g_assert_false(w->level);
	pic_set_line(w->pic, 12, true);
	g_assert_cmpint(pic_ack(w->pic), ==, 0x2c);
	pic_set_line(w->pic, 12, false);
	io_write(w->pio, 0xa0, 1, 0x20);
	io_write(w->pio, 0x20, 1, 0x20);
	g_assert_cmpint(pic_ack(w->pic), ==, -1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world w = { .pio = io_space_new("ports", 0x10000) };

	w.pic = pic_new(w.pio, on_output, &w, NULL);
	g_assert_nonnull(w.pic);
	for (size_t off = 0; off + RECORD <= MIN(size, (size_t)RECORD * 1024); off += RECORD)
		act(&w, data + off);
	check_works(&w);
	pic_free(w.pic);
	io_space_free(w.pio);
	return 0;
}
