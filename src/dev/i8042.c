/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * i8042.c - a PC's keyboard controller with a keyboard and a mouse
 *
 * One byte waits to be read, and says from where it is (IBM PS/2 Hardware Interface Technical
 * Reference, "Keyboard and Auxiliary Device Controller"):
 *
 *  (1) An interrupt line is up exactly while a byte of its device waits and its interrupt is enabled.
 *      Between two bytes it goes down, for 8259s see edges.
 *  (2) The controller's own answer goes first, and there is one: the next command replaces it.
 *  (3) A byte of a device leaves it only when nothing waits and its clock is not stopped.
 *
 * What a guest writes into the output port is ignored except for the reset line: there is no A20.
 */
#include "dev/i8042.h"

#include <pthread.h>

#include "bus/io.h"
#include "dev/ps2-int.h"

enum {
	STATUS_FULL = 1 << 0,
	STATUS_SYSTEM = 1 << 2,
	STATUS_COMMAND = 1 << 3,
	STATUS_UNLOCKED = 1 << 4,
	STATUS_MOUSE = 1 << 5,

	CONFIG_KEYBOARD_IRQ = 1 << 0,
	CONFIG_MOUSE_IRQ = 1 << 1,
	CONFIG_SYSTEM = 1 << 2,
	CONFIG_KEYBOARD_OFF = 1 << 4,
	CONFIG_MOUSE_OFF = 1 << 5,
	CONFIG_TRANSLATE = 1 << 6,

	CMD_READ_CONFIG = 0x20,
	CMD_WRITE_CONFIG = 0x60,
	CMD_MOUSE_OFF = 0xa7,
	CMD_MOUSE_ON = 0xa8,
	CMD_TEST_MOUSE = 0xa9,
	CMD_SELF_TEST = 0xaa,
	CMD_TEST_KEYBOARD = 0xab,
	CMD_KEYBOARD_OFF = 0xad,
	CMD_KEYBOARD_ON = 0xae,
	CMD_READ_INPUT = 0xc0,
	CMD_READ_OUTPUT = 0xd0,
	CMD_WRITE_OUTPUT = 0xd1,
	CMD_FROM_KEYBOARD = 0xd2, /* the next byte is as if it came from there */
	CMD_FROM_MOUSE = 0xd3,
	CMD_TO_MOUSE = 0xd4,
	CMD_RESET = 0xfe,

	SELF_TEST_OK = 0x55,
	OUTPUT_RUN = 1 << 0, /* the CPU is not in reset */
	OUTPUT_A20 = 1 << 1,
	OUTPUT_KEYBOARD_IRQ = 1 << 4,
	OUTPUT_MOUSE_IRQ = 1 << 5,
	BREAK = 0xf0,
};

enum source {
	NOBODY,
	CONTROLLER,
	KEYBOARD,
	MOUSE,
};

struct i8042 {
	struct i8042_config config;
	struct io_range data, command;
	bool data_added, command_added;

	pthread_mutex_t lock; /* guards all below */
	struct ps2_keyboard keyboard;
	struct ps2_mouse mouse;
	uint8_t mode;    /* CONFIG_ */
	uint8_t waiting; /* command that waits for its byte; 0: none does */
	bool commanded;  /* the last write was a command */
	uint8_t out;
	enum source from, answer_from; /* of out, of answer */
	uint8_t answer;
	bool breaking; /* translating, and the next code is of a release */
};

static void set_lines_locked(struct i8042 *i8042)
{
	irq_line_set(&i8042->config.keyboard,
		     (i8042->from == KEYBOARD || i8042->from == CONTROLLER) &&
			     i8042->mode & CONFIG_KEYBOARD_IRQ);
	irq_line_set(&i8042->config.mouse, i8042->from == MOUSE && i8042->mode & CONFIG_MOUSE_IRQ);
}

static void give_locked(struct i8042 *i8042, enum source from, uint8_t value)
{
	i8042->from = from;
	i8042->out = value;
}

static void give_code_locked(struct i8042 *i8042)
{
	uint8_t code = ps2_keyboard_read(&i8042->keyboard);

	if (!(i8042->mode & CONFIG_TRANSLATE)) {
		give_locked(i8042, KEYBOARD, code);
	} else if (code == BREAK) {
		i8042->breaking = true;
	} else {
		code = ps2_translate(code);
		/* 0xe0 between, as in no code of a key, keeps it. */
		give_locked(i8042, KEYBOARD, i8042->breaking ? code | 0x80 : code);
		i8042->breaking = false;
	}
}

/* If nothing waits, let something wait. */
static void refill_locked(struct i8042 *i8042)
{
	if (i8042->from == NOBODY && i8042->answer_from != NOBODY) {
		give_locked(i8042, i8042->answer_from, i8042->answer);
		i8042->answer_from = NOBODY;
	}
	/* Ends: only the first byte of a release is swallowed. */
	while (i8042->from == NOBODY && !(i8042->mode & CONFIG_KEYBOARD_OFF) &&
	       ps2_keyboard_ready(&i8042->keyboard))
		give_code_locked(i8042);
	if (i8042->from == NOBODY && !(i8042->mode & CONFIG_MOUSE_OFF) &&
	    ps2_mouse_ready(&i8042->mouse))
		give_locked(i8042, MOUSE, ps2_mouse_read(&i8042->mouse));
	set_lines_locked(i8042);
}

static void answer_locked(struct i8042 *i8042, enum source from, uint8_t value)
{
	i8042->answer = value;
	i8042->answer_from = from;
}

static uint64_t data_read(struct io_range *range, uint64_t off, unsigned size)
{
	struct i8042 *i8042 = container_of(range, struct i8042, data);
	uint8_t value;

	(void)off;
	(void)size;
	pthread_mutex_lock(&i8042->lock);
	value = i8042->out;
	i8042->from = NOBODY;
	set_lines_locked(i8042);
	refill_locked(i8042);
	pthread_mutex_unlock(&i8042->lock);
	return value;
}

static uint8_t status_locked(const struct i8042 *i8042)
{
	unsigned value = STATUS_UNLOCKED | (i8042->mode & CONFIG_SYSTEM ? STATUS_SYSTEM : 0);

	if (i8042->from != NOBODY)
		value |= STATUS_FULL;
	if (i8042->from == MOUSE)
		value |= STATUS_MOUSE;
	if (i8042->commanded)
		value |= STATUS_COMMAND;
	return (uint8_t)value;
}

static uint64_t command_read(struct io_range *range, uint64_t off, unsigned size)
{
	struct i8042 *i8042 = container_of(range, struct i8042, command);
	uint8_t value;

	(void)off;
	(void)size;
	pthread_mutex_lock(&i8042->lock);
	value = status_locked(i8042);
	pthread_mutex_unlock(&i8042->lock);
	return value;
}

static uint8_t output_locked(const struct i8042 *i8042)
{
	unsigned value = OUTPUT_RUN | OUTPUT_A20;

	if (i8042->from == KEYBOARD || i8042->from == CONTROLLER)
		value |= OUTPUT_KEYBOARD_IRQ;
	if (i8042->from == MOUSE)
		value |= OUTPUT_MOUSE_IRQ;
	return (uint8_t)value;
}

/* The byte that belongs to a command. True: the CPU is to be reset. */
static bool take_byte_locked(struct i8042 *i8042, uint8_t command, uint8_t value)
{
	switch (command) {
	case CMD_WRITE_CONFIG:
		i8042->mode = value;
		break;
	case CMD_FROM_KEYBOARD:
	case CMD_FROM_MOUSE:
		answer_locked(i8042, command == CMD_FROM_MOUSE ? MOUSE : KEYBOARD, value);
		break;
	case CMD_WRITE_OUTPUT:
		return !(value & OUTPUT_RUN);
	case CMD_TO_MOUSE:
		i8042->mode &= (uint8_t)~CONFIG_MOUSE_OFF;
		ps2_mouse_write(&i8042->mouse, value);
		break;
	default:
		i8042->mode &= (uint8_t)~CONFIG_KEYBOARD_OFF;
		ps2_keyboard_write(&i8042->keyboard, value);
		break;
	}
	return false;
}

static void data_write(struct io_range *range, uint64_t off, unsigned size, uint64_t value)
{
	struct i8042 *i8042 = container_of(range, struct i8042, data);
	uint8_t command;
	bool reset;

	(void)off;
	(void)size;
	pthread_mutex_lock(&i8042->lock);
	command = i8042->waiting;
	i8042->waiting = 0;
	i8042->commanded = false;
	reset = take_byte_locked(i8042, command, (uint8_t)value);
	refill_locked(i8042);
	pthread_mutex_unlock(&i8042->lock);
	if (reset)
		i8042->config.reset(i8042->config.opaque);
}

static void take_command_locked(struct i8042 *i8042, uint8_t value)
{
	switch (value) {
	case CMD_READ_CONFIG:
		answer_locked(i8042, CONTROLLER, i8042->mode);
		break;
	case CMD_MOUSE_OFF:
		i8042->mode |= CONFIG_MOUSE_OFF;
		break;
	case CMD_MOUSE_ON:
		i8042->mode &= (uint8_t)~CONFIG_MOUSE_OFF;
		break;
	case CMD_KEYBOARD_OFF:
		i8042->mode |= CONFIG_KEYBOARD_OFF;
		break;
	case CMD_KEYBOARD_ON:
		i8042->mode &= (uint8_t)~CONFIG_KEYBOARD_OFF;
		break;
	case CMD_SELF_TEST:
		i8042->mode |= CONFIG_SYSTEM;
		answer_locked(i8042, CONTROLLER, SELF_TEST_OK);
		break;
	case CMD_TEST_MOUSE:
	case CMD_TEST_KEYBOARD:
		answer_locked(i8042, CONTROLLER, 0);
		break;
	case CMD_READ_INPUT:
		answer_locked(i8042, CONTROLLER, 0x80); /* the lock is open */
		break;
	case CMD_READ_OUTPUT:
		answer_locked(i8042, CONTROLLER, output_locked(i8042));
		break;
	case CMD_WRITE_CONFIG:
	case CMD_WRITE_OUTPUT:
	case CMD_FROM_KEYBOARD:
	case CMD_FROM_MOUSE:
	case CMD_TO_MOUSE:
		i8042->waiting = value;
		break;
	default:
		break;
	}
}

static void command_write(struct io_range *range, uint64_t off, unsigned size, uint64_t value)
{
	struct i8042 *i8042 = container_of(range, struct i8042, command);

	(void)off;
	(void)size;
	pthread_mutex_lock(&i8042->lock);
	i8042->waiting = 0;
	i8042->commanded = true;
	take_command_locked(i8042, (uint8_t)value);
	refill_locked(i8042);
	pthread_mutex_unlock(&i8042->lock);
	if ((uint8_t)value == CMD_RESET)
		i8042->config.reset(i8042->config.opaque);
}

static const struct io_ops data_ops = { .read = data_read, .write = data_write };
static const struct io_ops command_ops = { .read = command_read, .write = command_write };

struct i8042 *i8042_new(const struct i8042_config *config, GError **error)
{
	autoptr(i8042) i8042 = g_new0(struct i8042, 1);

	i8042->config = *config;
	i8042->data = (struct io_range){
		.ops = &data_ops, .base = I8042_DATA, .len = 1, .name = "i8042 data"
	};
	i8042->command = (struct io_range){
		.ops = &command_ops, .base = I8042_COMMAND, .len = 1, .name = "i8042"
	};
	pthread_mutex_init(&i8042->lock, NULL);
	i8042_reset(i8042);
	i8042->data_added = io_space_add(config->pio, &i8042->data, error);
	if (!i8042->data_added)
		return NULL;
	i8042->command_added = io_space_add(config->pio, &i8042->command, error);
	if (!i8042->command_added)
		return NULL;
	return g_steal_pointer(&i8042);
}

void i8042_free(struct i8042 *i8042)
{
	if (!i8042)
		return;
	if (i8042->data_added)
		io_space_remove(i8042->config.pio, &i8042->data);
	if (i8042->command_added)
		io_space_remove(i8042->config.pio, &i8042->command);
	pthread_mutex_destroy(&i8042->lock);
	g_free(i8042);
}

void i8042_reset(struct i8042 *i8042)
{
	pthread_mutex_lock(&i8042->lock);
	ps2_keyboard_reset(&i8042->keyboard);
	ps2_mouse_reset(&i8042->mouse);
	/* As the BIOS would leave it, for those that begin without one. */
	i8042->mode = CONFIG_KEYBOARD_IRQ | CONFIG_MOUSE_IRQ | CONFIG_SYSTEM | CONFIG_TRANSLATE;
	i8042->waiting = i8042->out = 0;
	i8042->from = i8042->answer_from = NOBODY;
	i8042->commanded = i8042->breaking = false;
	set_lines_locked(i8042);
	pthread_mutex_unlock(&i8042->lock);
}

void i8042_key(struct i8042 *i8042, uint8_t number, bool down)
{
	pthread_mutex_lock(&i8042->lock);
	ps2_keyboard_key(&i8042->keyboard, number, down);
	refill_locked(i8042);
	pthread_mutex_unlock(&i8042->lock);
}

void i8042_move(struct i8042 *i8042, int dx, int dy, int dz, unsigned buttons)
{
	const struct ps2_motion motion = { dx, -CLAMP(dy, -0xffff, 0xffff), dz, (uint8_t)buttons };

	pthread_mutex_lock(&i8042->lock);
	ps2_mouse_move(&i8042->mouse, &motion);
	refill_locked(i8042);
	pthread_mutex_unlock(&i8042->lock);
}
