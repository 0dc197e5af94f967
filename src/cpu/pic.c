/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pic.c - the two interrupt controllers of a PC before the APIC, in software
 *
 * A chip has eight inputs. A request stands in irr until it is taken, then in isr until the guest
 * ends it. An input is level-triggered if its bit in elcr is set: then irr follows the wire; else
 * irr gets its bit when the wire rises. Priority goes round in a circle that starts at input first.
 *
 *  (1) The second chip's output is the request at input 2 of the first one, as of a wire that counts
 *      by its level.
 *  (2) INTR, as output() was told last, is the first chip's output, whenever the lock is free.
 *
 * Left out are modes for the 8085, other masters and buffers: their bits are taken and do nothing.
 * A request whose wire falls again before it is taken stays, as in KVM's chips.
 */
#include "cpu/pic.h"

#include <pthread.h>

#include "bus/io.h"
#include "cpu/cpu.h"

enum {
	CHIPS = 2,
	INPUTS = 8,
	PORT_COMMAND = 0,
	PORT_DATA = 1,
	PORTS = 2,
	PORT_FIRST = 0x20,
	PORT_SECOND = 0xa0,
	PORT_ELCR = 0x4d0,

	ICW1 = 0x10,
	ICW1_ICW4 = 0x01,
	ICW1_SINGLE = 0x02,
	ICW4_AUTO_EOI = 0x02,
	ICW4_NESTED = 0x10,

	OCW3 = 0x08,
	OCW3_READ_ISR = 0x01,
	OCW3_READ = 0x02,
	OCW3_POLL = 0x04,
	OCW3_MASK = 0x20,
	OCW3_SET_MASK = 0x40,

	/* What OCW2 asks for, bits 7:5. */
	OCW2_ROTATE_AUTO_OFF = 0,
	OCW2_EOI = 1,
	OCW2_EOI_OF = 3,
	OCW2_ROTATE_AUTO_ON = 4,
	OCW2_ROTATE_EOI = 5,
	OCW2_SET_PRIORITY = 6,
	OCW2_ROTATE_EOI_OF = 7,

	POLL_REQUEST = 0x80,
	SPURIOUS = 7,
};

/* Timer, cascade and keyboard, and clock and coprocessor: always edges. */
static const uint8_t elcr_writable[CHIPS] = { 0xf8, 0xde };

struct pic {
	struct io_space *pio;
	struct io_range first, second, elcr;
	unsigned added; /* how many of the ranges are */
	void (*output)(void *opaque, bool level);
	void *opaque;

	pthread_mutex_t lock; /* guards all below */
	struct cpu_pic_state chip[CHIPS];
	bool level; /* of INTR */
};

/* ---- one chip ---- */

/* The place in the circle, 0 first, of the most urgent one of @inputs; INPUTS: there is none. */
DATA_PATH static unsigned urgency(const struct cpu_pic_state *chip, uint8_t inputs)
{
	unsigned place = 0;

	while (place < INPUTS && !(inputs >> ((place + chip->first) % INPUTS) & 1))
		place++;
	return place;
}

/* The input whose request is to be served now, or -1. */
DATA_PATH static int wanted(const struct cpu_pic_state *chip, bool is_first)
{
	uint8_t serving = chip->isr;
	unsigned place = urgency(chip, chip->irr & (uint8_t)~chip->imr);

	if (chip->special_mask)
		serving &= (uint8_t)~chip->imr;
	/* The second chip tells what is more urgent than what it has told. */
	if (chip->special_nested && is_first)
		serving &= (uint8_t) ~(1u << PIC_CASCADE);
	if (place >= urgency(chip, serving))
		return -1;
	return (int)((place + chip->first) % INPUTS);
}

DATA_PATH static void chip_set_line(struct cpu_pic_state *chip, unsigned input, bool level)
{
	uint8_t bit = (uint8_t)(1u << input);
	bool rises = level && !(chip->lines & bit);

	chip->lines = level ? chip->lines | bit : chip->lines & (uint8_t)~bit;
	if (rises)
		chip->irr |= bit;
	else if (!level && chip->elcr & bit)
		chip->irr &= (uint8_t)~bit;
}

DATA_PATH static void chip_taken(struct cpu_pic_state *chip, unsigned input)
{
	uint8_t bit = (uint8_t)(1u << input);

	if (!(chip->elcr & bit))
		chip->irr &= (uint8_t)~bit;
	if (!chip->auto_eoi)
		chip->isr |= bit;
	else if (chip->rotate)
		chip->first = (input + 1) % INPUTS;
}

/* ---- both ---- */

DATA_PATH static void update_locked(struct pic *pic)
{
	struct cpu_pic_state *first = &pic->chip[0];
	const uint8_t cascade = 1u << PIC_CASCADE;
	bool level;

	first->irr &= (uint8_t)~cascade;
	if (wanted(&pic->chip[1], false) >= 0)
		first->irr |= cascade;
	level = wanted(first, true) >= 0;
	if (level == pic->level)
		return;
	pic->level = level;
	pic->output(pic->opaque, level);
}

DATA_PATH static int ack_locked(struct pic *pic)
{
	struct cpu_pic_state *first = &pic->chip[0], *second = &pic->chip[1];
	int input = wanted(first, true), vector;

	if (input < 0)
		return -1;
	vector = first->base + input;
	if (input == PIC_CASCADE) {
		/* It may have changed its mind: then it is asked all the same. */
		int other = wanted(second, false);

		vector = second->base + (other < 0 ? SPURIOUS : other);
		if (other >= 0)
			chip_taken(second, (unsigned)other);
	}
	chip_taken(first, (unsigned)input);
	update_locked(pic);
	return vector;
}

void pic_set_line(struct pic *pic, unsigned wire, bool level)
{
	if (wire >= PIC_WIRES || wire == PIC_CASCADE)
		return;
	pthread_mutex_lock(&pic->lock);
	chip_set_line(&pic->chip[wire / INPUTS], wire % INPUTS, level);
	update_locked(pic);
	pthread_mutex_unlock(&pic->lock);
}

int pic_ack(struct pic *pic)
{
	int vector;

	pthread_mutex_lock(&pic->lock);
	vector = ack_locked(pic);
	pthread_mutex_unlock(&pic->lock);
	return vector;
}

/* ---- registers ---- */

static void icw1(struct cpu_pic_state *chip, uint8_t value)
{
	/* A wire that is up has to rise again, unless it counts by its level. */
	*chip = (struct cpu_pic_state){
		.lines = chip->lines,
		.irr = chip->irr & chip->elcr,
		.base = chip->base,
		.elcr = chip->elcr,
		.step = 1,
		.single = value & ICW1_SINGLE,
		.icw4 = value & ICW1_ICW4,
	};
}

static void ocw2(struct cpu_pic_state *chip, uint8_t value)
{
	unsigned what = value >> 5, input = value % INPUTS;
	bool named = what == OCW2_EOI_OF || what == OCW2_ROTATE_EOI_OF;

	switch (what) {
	case OCW2_ROTATE_AUTO_OFF:
	case OCW2_ROTATE_AUTO_ON:
		chip->rotate = what == OCW2_ROTATE_AUTO_ON;
		break;
	case OCW2_SET_PRIORITY:
		chip->first = (input + 1) % INPUTS;
		break;
	case OCW2_EOI:
	case OCW2_EOI_OF:
	case OCW2_ROTATE_EOI:
	case OCW2_ROTATE_EOI_OF:
		if (!named && !chip->isr)
			break;
		if (!named)
			input = (urgency(chip, chip->isr) + chip->first) % INPUTS;
		chip->isr &= (uint8_t) ~(1u << input);
		if (what >= OCW2_ROTATE_EOI)
			chip->first = (input + 1) % INPUTS;
		break;
	default:
		break;
	}
}

static void ocw3(struct cpu_pic_state *chip, uint8_t value)
{
	if (value & OCW3_POLL)
		chip->poll = true;
	if (value & OCW3_READ)
		chip->read_isr = value & OCW3_READ_ISR;
	if (value & OCW3_SET_MASK)
		chip->special_mask = value & OCW3_MASK;
}

/* Words 2 to 4 of the initialization, in which the second chip's place is ours to know. */
static void icw_next(struct cpu_pic_state *chip, uint8_t value)
{
	switch (chip->step) {
	case 1:
		chip->base = value & 0xf8;
		chip->step = !chip->single ? 2 : chip->icw4 ? 3 : 0;
		break;
	case 2:
		chip->step = chip->icw4 ? 3 : 0;
		break;
	default:
		chip->auto_eoi = value & ICW4_AUTO_EOI;
		chip->special_nested = value & ICW4_NESTED;
		chip->step = 0;
		break;
	}
}

static void chip_write_locked(struct pic *pic, unsigned index, uint64_t port, uint8_t value)
{
	struct cpu_pic_state *chip = &pic->chip[index];

	if (port == PORT_DATA && chip->step)
		icw_next(chip, value);
	else if (port == PORT_DATA)
		chip->imr = value;
	else if (value & ICW1)
		icw1(chip, value);
	else if (value & OCW3)
		ocw3(chip, value);
	else
		ocw2(chip, value);
	update_locked(pic);
}

/* The poll command's answer: what would be the vector, as the number of an input. */
static uint8_t poll_locked(struct pic *pic, unsigned index)
{
	struct cpu_pic_state *chip = &pic->chip[index];
	int input = wanted(chip, index == 0);

	chip->poll = false;
	if (input < 0)
		return 0;
	chip_taken(chip, (unsigned)input);
	update_locked(pic);
	return (uint8_t)(POLL_REQUEST | input);
}

static uint8_t chip_read_locked(struct pic *pic, unsigned index, uint64_t port)
{
	const struct cpu_pic_state *chip = &pic->chip[index];

	if (chip->poll)
		return poll_locked(pic, index);
	if (port == PORT_DATA)
		return chip->imr;
	return chip->read_isr ? chip->isr : chip->irr;
}

static uint64_t read_ports(struct pic *pic, unsigned index, uint64_t off, unsigned size)
{
	uint64_t value = 0;

	pthread_mutex_lock(&pic->lock);
	for (unsigned i = 0; i < size && off + i < PORTS; i++)
		value |= (uint64_t)chip_read_locked(pic, index, off + i) << (8 * i);
	pthread_mutex_unlock(&pic->lock);
	return value;
}

static void write_ports(struct pic *pic, unsigned index, uint64_t off, unsigned size,
			uint64_t value)
{
	pthread_mutex_lock(&pic->lock);
	for (unsigned i = 0; i < size && off + i < PORTS; i++)
		chip_write_locked(pic, index, off + i, (uint8_t)(value >> (8 * i)));
	pthread_mutex_unlock(&pic->lock);
}

static uint64_t first_read(struct io_range *range, uint64_t off, unsigned size)
{
	return read_ports(container_of(range, struct pic, first), 0, off, size);
}

static void first_write(struct io_range *range, uint64_t off, unsigned size, uint64_t value)
{
	write_ports(container_of(range, struct pic, first), 0, off, size, value);
}

static uint64_t second_read(struct io_range *range, uint64_t off, unsigned size)
{
	return read_ports(container_of(range, struct pic, second), 1, off, size);
}

static void second_write(struct io_range *range, uint64_t off, unsigned size, uint64_t value)
{
	write_ports(container_of(range, struct pic, second), 1, off, size, value);
}

static uint64_t elcr_read(struct io_range *range, uint64_t off, unsigned size)
{
	struct pic *pic = container_of(range, struct pic, elcr);
	uint64_t value;

	(void)size;
	pthread_mutex_lock(&pic->lock);
	value = (uint64_t)pic->chip[1].elcr << 8 | pic->chip[0].elcr;
	pthread_mutex_unlock(&pic->lock);
	return value >> (8 * off);
}

static void set_elcr(struct cpu_pic_state *chip, uint8_t elcr)
{
	uint8_t now_level = elcr & (uint8_t)~chip->elcr;

	chip->elcr = elcr;
	chip->irr = (chip->irr & (uint8_t)~now_level) | (chip->lines & now_level);
}

static void elcr_write(struct io_range *range, uint64_t off, unsigned size, uint64_t value)
{
	struct pic *pic = container_of(range, struct pic, elcr);

	pthread_mutex_lock(&pic->lock);
	for (unsigned i = 0; i < size && off + i < PORTS; i++)
		set_elcr(&pic->chip[off + i], (uint8_t)(value >> (8 * i)) & elcr_writable[off + i]);
	update_locked(pic);
	pthread_mutex_unlock(&pic->lock);
}

static const struct io_ops first_ops = { .read = first_read, .write = first_write };
static const struct io_ops second_ops = { .read = second_read, .write = second_write };
static const struct io_ops elcr_ops = { .read = elcr_read, .write = elcr_write };

/* ---- life ---- */

struct pic *pic_new(struct io_space *pio, void (*output)(void *opaque, bool level), void *opaque,
		    GError **error)
{
	autoptr(pic) pic = g_new(struct pic, 1);
	struct io_range *ranges[] = { &pic->first, &pic->second, &pic->elcr };

	*pic = (struct pic){
		.pio = pio,
		.first = { .ops = &first_ops, .base = PORT_FIRST, .len = PORTS, .name = "pic0" },
		.second = { .ops = &second_ops, .base = PORT_SECOND, .len = PORTS, .name = "pic1" },
		.elcr = { .ops = &elcr_ops, .base = PORT_ELCR, .len = PORTS, .name = "elcr" },
		.output = output,
		.opaque = opaque,
		.lock = PTHREAD_MUTEX_INITIALIZER,
	};
	for (; pic->added < ARRAY_SIZE(ranges); pic->added++) {
		if (!io_space_add(pio, ranges[pic->added], error))
			return NULL;
	}
	return g_steal_pointer(&pic);
}

void pic_free(struct pic *pic)
{
	if (!pic)
		return;

	struct io_range *ranges[] = { &pic->first, &pic->second, &pic->elcr };

	while (pic->added)
		io_space_remove(pic->pio, ranges[--pic->added]);
	pthread_mutex_destroy(&pic->lock);
	g_free(pic);
}

void pic_get_state(struct pic *pic, struct cpu_chip_state *state)
{
	pthread_mutex_lock(&pic->lock);
	for (unsigned i = 0; i < CHIPS; i++)
		state->pic[i] = pic->chip[i];
	pthread_mutex_unlock(&pic->lock);
}

void pic_set_state(struct pic *pic, const struct cpu_chip_state *state)
{
	pthread_mutex_lock(&pic->lock);
	for (unsigned i = 0; i < CHIPS; i++) {
		struct cpu_pic_state *chip = &pic->chip[i];

		*chip = state->pic[i];
		chip->first %= INPUTS;
		chip->base &= 0xf8;
		chip->step %= 4;
		chip->elcr &= elcr_writable[i];
	}
	update_locked(pic);
	pthread_mutex_unlock(&pic->lock);
}
