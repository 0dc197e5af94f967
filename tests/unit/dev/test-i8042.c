/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-i8042.c - the keyboard controller as drivers use it, and as none does
 */
#include "dev/i8042.h"

#include "dev/ps2-int.h"
#include "display/keys.h"
#include "fake.h"

enum {
	FULL = 1,
	FROM_MOUSE = 0x20,
	KEYBOARD_IRQ = 1,
	MOUSE_IRQ = 12,
};

struct rig {
	struct io_space *pio;
	struct fake_irq irq;
	struct i8042 *i8042;
	unsigned resets;
};

static void count(void *opaque)
{
	++*(unsigned *)opaque;
}

static void set_up(struct rig *rig, gconstpointer data)
{
	(void)data;
	rig->pio = io_space_new("ports", 0x10000);
	fake_irq_init(&rig->irq);
	rig->i8042 = i8042_new(&(struct i8042_config){ .pio = rig->pio,
						       .keyboard = { &rig->irq.sink, KEYBOARD_IRQ },
						       .mouse = { &rig->irq.sink, MOUSE_IRQ },
						       .reset = count,
						       .opaque = &rig->resets },
			       NULL);
	g_assert_nonnull(rig->i8042);
}

static void tear_down(struct rig *rig, gconstpointer data)
{
	(void)data;
	i8042_free(rig->i8042);
	io_space_free(rig->pio);
}

static unsigned status(struct rig *rig)
{
	return (unsigned)io_read(rig->pio, I8042_COMMAND, 1);
}

static void command(struct rig *rig, uint8_t value)
{
	io_write(rig->pio, I8042_COMMAND, 1, value);
}

static void say(struct rig *rig, uint8_t value)
{
	io_write(rig->pio, I8042_DATA, 1, value);
}

static void expect_from(struct rig *rig, unsigned from, const uint8_t *want, unsigned len)
{
	for (unsigned i = 0; i < len; i++) {
		g_assert_cmphex(status(rig) & (FULL | FROM_MOUSE), ==, FULL | from);
		g_assert_cmphex(io_read(rig->pio, I8042_DATA, 1), ==, want[i]);
	}
}

#define EXPECT(rig, from, ...)                                   \
	expect_from(rig, from, (const uint8_t[]){ __VA_ARGS__ }, \
		    (unsigned)sizeof((const uint8_t[]){ __VA_ARGS__ }))
#define EXPECT_NOTHING(rig) g_assert_cmphex(status(rig) & FULL, ==, 0)

static void configure(struct rig *rig, uint8_t value)
{
	command(rig, 0x60);
	say(rig, value);
	command(rig, 0x20);
	EXPECT(rig, 0, value);
}

static void say_to_mouse(struct rig *rig, uint8_t value)
{
	command(rig, 0xd4);
	say(rig, value);
}

static void test_controller(struct rig *rig, gconstpointer data)
{
	(void)data;
	EXPECT_NOTHING(rig);
	command(rig, 0xaa);
	EXPECT(rig, 0, 0x55);
	command(rig, 0xab);
	EXPECT(rig, 0, 0x00);
	command(rig, 0xa9);
	EXPECT(rig, 0, 0x00);
	command(rig, 0xa7);
	command(rig, 0x20);
	EXPECT(rig, 0, 0x67);
	configure(rig, 0x44);
	g_assert_false(rig->irq.level[KEYBOARD_IRQ]);
	/* A byte that comes back, from either side. */
	command(rig, 0xd2);
	say(rig, 0x12);
	EXPECT(rig, 0, 0x12);
	command(rig, 0xd3);
	say(rig, 0x34);
	EXPECT(rig, FROM_MOUSE, 0x34);
	g_assert_cmpuint(rig->irq.rises[MOUSE_IRQ], ==, 0);
	command(rig, 0xd0);
	EXPECT(rig, 0, 0x03);
	EXPECT_NOTHING(rig);
}

static void test_reset_line(struct rig *rig, gconstpointer data)
{
	(void)data;
	command(rig, 0xd1);
	say(rig, 0x03);
	g_assert_cmpuint(rig->resets, ==, 0);
	command(rig, 0xd1);
	say(rig, 0x02);
	g_assert_cmpuint(rig->resets, ==, 1);
	command(rig, 0xfe);
	g_assert_cmpuint(rig->resets, ==, 2);
	say(rig, 0xfe);
	g_assert_cmpuint(rig->resets, ==, 2);
}

/* As SeaBIOS and Linux do it. */
static void test_keyboard_driver(struct rig *rig, gconstpointer data)
{
	(void)data;
	configure(rig, 0x30);
	say(rig, 0xff);
	EXPECT(rig, 0, 0xfa, 0xaa);
	say(rig, 0xf2);
	EXPECT(rig, 0, 0xfa, 0xab, 0x83);
	say(rig, 0xf5);
	EXPECT(rig, 0, 0xfa);
	i8042_key(rig->i8042, 0x1e, true);
	EXPECT_NOTHING(rig);
	say(rig, 0xf0);
	EXPECT(rig, 0, 0xfa);
	say(rig, 0x02);
	EXPECT(rig, 0, 0xfa);
	say(rig, 0xf0);
	say(rig, 0x00);
	EXPECT(rig, 0, 0xfa); /* of the first */
	EXPECT(rig, 0, 0xfa, 0x02);
	say(rig, 0xf0);
	EXPECT(rig, 0, 0xfa);
	say(rig, 0x03);
	EXPECT(rig, 0, 0xfe);
	say(rig, 0xed);
	EXPECT(rig, 0, 0xfa);
	say(rig, 0x07);
	EXPECT(rig, 0, 0xfa);
	say(rig, 0xee);
	EXPECT(rig, 0, 0xee);
	say(rig, 0x01);
	EXPECT(rig, 0, 0xfe);
	say(rig, 0xf4);
	EXPECT(rig, 0, 0xfa);
	say(rig, 0xfe);
	EXPECT(rig, 0, 0xfa);
	EXPECT_NOTHING(rig);
}

static void tap(struct rig *rig, uint8_t number)
{
	i8042_key(rig->i8042, number, true);
	i8042_key(rig->i8042, number, false);
}

static void test_codes(struct rig *rig, gconstpointer data)
{
	(void)data;
	configure(rig, 0x04);
	tap(rig, 0x1e);
	EXPECT(rig, 0, 0x1c, 0xf0, 0x1c);
	tap(rig, 0xc8);
	EXPECT(rig, 0, 0xe0, 0x75, 0xe0, 0xf0, 0x75);
	tap(rig, KEYS_PAUSE);
	EXPECT(rig, 0, 0xe1, 0x14, 0x77, 0xe1, 0xf0, 0x14, 0xf0, 0x77);
	tap(rig, 0x41);
	EXPECT(rig, 0, 0x83, 0xf0, 0x83);
	EXPECT_NOTHING(rig);

	configure(rig, 0x44);
	tap(rig, 0x1e);
	EXPECT(rig, 0, 0x1e, 0x9e);
	tap(rig, 0xc8);
	EXPECT(rig, 0, 0xe0, 0x48, 0xe0, 0xc8);
	tap(rig, KEYS_PAUSE);
	EXPECT(rig, 0, 0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5);
	EXPECT_NOTHING(rig);
}

/* Every key: translated it is the code of set 1, which the keyboard can also say itself. */
static void test_all_keys(struct rig *rig, gconstpointer data)
{
	(void)data;
	for (unsigned set = 1; set <= 2; set++) {
		configure(rig, set == 1 ? 0x04 : 0x44);
		say(rig, 0xf0);
		EXPECT(rig, 0, 0xfa);
		say(rig, (uint8_t)set);
		EXPECT(rig, 0, 0xfa);
		for (unsigned number = 1; number < 0x100; number++) {
			uint8_t code = number & 0x7f;

			/* The number of no key, and that of which the codes are others. */
			if (!code || number == KEYS_PAUSE)
				continue;
			tap(rig, (uint8_t)number);
			if (number & KEYS_EXTENDED)
				EXPECT(rig, 0, 0xe0, code, 0xe0, code | 0x80);
			else
				EXPECT(rig, 0, code, code | 0x80);
			EXPECT_NOTHING(rig);
		}
	}
}

/* Whatever does not fit: what was pressed is released, once, and nothing else is. */
static void test_slow_guest(struct rig *rig, gconstpointer data)
{
	unsigned down[0x80] = { 0 };

	(void)data;
	for (uint8_t number = 1; number < 0x54; number++)
		i8042_key(rig->i8042, number, true);
	for (uint8_t number = 1; number < 0x54; number++)
		i8042_key(rig->i8042, number, false);
	while (status(rig) & FULL) {
		uint8_t code = (uint8_t)io_read(rig->pio, I8042_DATA, 1);

		g_assert_cmpuint(down[code & 0x7f], ==, code >> 7);
		down[code & 0x7f]++;
	}
	g_assert_cmpuint(down[1], ==, 2);
	g_assert_cmpuint(down[PS2_KEYS], ==, 2);
	g_assert_cmpuint(down[0x50], ==, 0);
	for (unsigned i = 0; i < 0x80; i++)
		g_assert_cmpuint(down[i] & 1, ==, 0);
}

static void test_interrupts(struct rig *rig, gconstpointer data)
{
	(void)data;
	configure(rig, 0x47);
	i8042_reset(rig->i8042);
	rig->irq.rises[KEYBOARD_IRQ] = 0;
	tap(rig, 0x1e);
	g_assert_true(rig->irq.level[KEYBOARD_IRQ]);
	EXPECT(rig, 0, 0x1e);
	g_assert_cmpuint(rig->irq.rises[KEYBOARD_IRQ], ==, 2);
	EXPECT(rig, 0, 0x9e);
	g_assert_false(rig->irq.level[KEYBOARD_IRQ]);
	/* A stopped clock: the key waits. */
	command(rig, 0xad);
	tap(rig, 0x1e);
	EXPECT_NOTHING(rig);
	command(rig, 0xae);
	EXPECT(rig, 0, 0x1e, 0x9e);
	say_to_mouse(rig, 0xf4);
	g_assert_true(rig->irq.level[MOUSE_IRQ]);
	EXPECT(rig, FROM_MOUSE, 0xfa);
	g_assert_false(rig->irq.level[MOUSE_IRQ]);
}

static void test_mouse(struct rig *rig, gconstpointer data)
{
	(void)data;
	i8042_move(rig->i8042, 5, 5, 0, 0);
	EXPECT_NOTHING(rig);
	say_to_mouse(rig, 0xff);
	EXPECT(rig, FROM_MOUSE, 0xfa, 0xaa, 0x00);
	say_to_mouse(rig, 0xf4);
	EXPECT(rig, FROM_MOUSE, 0xfa);
	i8042_move(rig->i8042, 5, 3, 0, I8042_LEFT);
	EXPECT(rig, FROM_MOUSE, 0x29, 0x05, 0xfd);
	EXPECT_NOTHING(rig);
	/* A click that nobody waited for, and more motion than a packet holds. */
	i8042_move(rig->i8042, 1, 0, 0, 0);
	i8042_move(rig->i8042, 300, 0, 0, 0);
	i8042_move(rig->i8042, 0, 0, 0, I8042_RIGHT);
	i8042_move(rig->i8042, 0, 0, 0, 0);
	EXPECT(rig, FROM_MOUSE, 0x08, 0x01, 0x00, 0x08, 0xff, 0x00, 0x08, 0x2d, 0x00);
	EXPECT(rig, FROM_MOUSE, 0x0a, 0x00, 0x00, 0x08, 0x00, 0x00);
	EXPECT_NOTHING(rig);
	say_to_mouse(rig, 0xe9);
	EXPECT(rig, FROM_MOUSE, 0xfa, 0x20, 0x02, 0x64);
	say_to_mouse(rig, 0x12);
	EXPECT(rig, FROM_MOUSE, 0xfe);
}

static void knock(struct rig *rig, uint8_t a, uint8_t b, uint8_t c)
{
	const uint8_t rates[] = { a, b, c };

	for (unsigned i = 0; i < sizeof(rates); i++) {
		say_to_mouse(rig, 0xf3);
		EXPECT(rig, FROM_MOUSE, 0xfa);
		say_to_mouse(rig, rates[i]);
		EXPECT(rig, FROM_MOUSE, 0xfa);
	}
	say_to_mouse(rig, 0xf2);
}

static void test_wheel(struct rig *rig, gconstpointer data)
{
	(void)data;
	knock(rig, 200, 100, 80);
	EXPECT(rig, FROM_MOUSE, 0xfa, 0x03);
	say_to_mouse(rig, 0xf4);
	EXPECT(rig, FROM_MOUSE, 0xfa);
	i8042_move(rig->i8042, 0, 0, -1, 0);
	EXPECT(rig, FROM_MOUSE, 0x08, 0x00, 0x00, 0xff);
	knock(rig, 200, 200, 80);
	EXPECT(rig, FROM_MOUSE, 0xfa, 0x04);
	i8042_move(rig->i8042, 0, 0, 1, I8042_SIDE);
	EXPECT(rig, FROM_MOUSE, 0x08, 0x00, 0x00, 0x11);
	/* Asked for, not sent. */
	say_to_mouse(rig, 0xf0);
	EXPECT(rig, FROM_MOUSE, 0xfa);
	i8042_move(rig->i8042, 2, 0, 0, 0);
	EXPECT_NOTHING(rig);
	say_to_mouse(rig, 0xeb);
	EXPECT(rig, FROM_MOUSE, 0xfa, 0x08, 0x02, 0x00, 0x00);
}

static void test_taken_ports(void)
{
	g_autoptr(GError) error = NULL;
	autoptr(io_space) pio = io_space_new("ports", 0x10000);
	const struct i8042_config config = { .pio = pio };
	autoptr(i8042) first = i8042_new(&config, &error);

	g_assert_no_error(error);
	g_assert_nonnull(first);
	g_assert_null(i8042_new(&config, &error));
	g_assert_nonnull(error);
}

#define ADD(name, fn) g_test_add("/dev/i8042/" name, struct rig, NULL, set_up, fn, tear_down)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD("controller", test_controller);
	ADD("reset-line", test_reset_line);
	ADD("keyboard-driver", test_keyboard_driver);
	ADD("codes", test_codes);
	ADD("all-keys", test_all_keys);
	ADD("slow-guest", test_slow_guest);
	ADD("interrupts", test_interrupts);
	ADD("mouse", test_mouse);
	ADD("wheel", test_wheel);
	g_test_add_func("/dev/i8042/taken-ports", test_taken_ports);
	return g_test_run();
}
