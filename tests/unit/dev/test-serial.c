/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dev/serial.h"

#include <string.h>

#include "fake.h"

enum {
	BASE = 0x3f8,
	IRQ = 4
};
enum {
	DATA,
	IER,
	IIR,
	LCR,
	MCR,
	LSR,
	MSR,
	SCR
};

struct fixture {
	struct io_space *pio;
	struct fake_clock clock;
	struct fake_irq irq;
	struct fake_chardev chr;
	struct serial *serial;
};

static void setup(struct fixture *f, const void *data)
{
	g_autoptr(GError) error = NULL;

	(void)data;
	f->pio = io_space_new("ports", 0x10000);
	fake_clock_init(&f->clock);
	fake_irq_init(&f->irq);
	fake_chardev_init(&f->chr);
	f->serial = serial_new(
		&(struct serial_config){
			.pio = f->pio,
			.base = BASE,
			.irq = { &f->irq.sink, IRQ },
			.chr = &f->chr.chr,
			.clock = &f->clock.clock,
		},
		&error);
	g_assert_no_error(error);
}

static void teardown(struct fixture *f, const void *data)
{
	(void)data;
	serial_free(f->serial);
	g_assert_null(f->chr.chr.front);
	fake_chardev_release(&f->chr);
	io_space_free(f->pio);
}

static unsigned in(struct fixture *f, unsigned reg)
{
	return (unsigned)io_read(f->pio, BASE + reg, 1);
}

static void out(struct fixture *f, unsigned reg, uint8_t value)
{
	io_write(f->pio, BASE + reg, 1, value);
}

static void test_transmit(struct fixture *f, const void *data)
{
	(void)data;
	for (const char *p = "hello"; *p; p++) {
		g_assert_cmphex(in(f, LSR), ==, 0x60);
		out(f, DATA, (uint8_t)*p);
	}
	g_assert_cmpstr(f->chr.out->str, ==, "hello");
	g_assert_cmphex(in(f, LSR), ==, 0x60);
	g_assert_false(f->irq.level[IRQ]);
}

static void test_registers(struct fixture *f, const void *data)
{
	(void)data;
	out(f, SCR, 0xa5);
	g_assert_cmphex(in(f, SCR), ==, 0xa5);
	out(f, IER, 0xf0);
	g_assert_cmphex(in(f, IER), ==, 0x00);
	/* Both divisor bytes in one access: the chip has an 8-bit bus. */
	out(f, LCR, 0x83);
	io_write(f->pio, BASE, 2, 0x0180);
	g_assert_cmphex(in(f, DATA), ==, 0x80);
	g_assert_cmphex(in(f, IER), ==, 0x01);
	out(f, LCR, 0x03);
	g_assert_cmphex(in(f, LCR), ==, 0x03);
	g_assert_cmphex(in(f, IER), ==, 0x00);
	g_assert_cmpstr(f->chr.out->str, ==, "");
	/* LSR and MSR cannot be written. */
	out(f, LSR, 0xff);
	out(f, MSR, 0xff);
	g_assert_cmphex(in(f, LSR), ==, 0x60);
	g_assert_cmphex(in(f, MSR), ==, 0xb0);
	/* No FIFO, then FIFO: the top bits of IIR. */
	g_assert_cmphex(in(f, IIR), ==, 0x01);
	out(f, IIR, 0x01);
	g_assert_cmphex(in(f, IIR), ==, 0xc1);
	/* Bit 5 is a 16750's. */
	out(f, IIR, 0x21);
	g_assert_cmphex(in(f, IIR), ==, 0xc1);
}

/* What Linux does in autoconfig(), and the events of the lines. */
static void test_loopback_lines(struct fixture *f, const void *data)
{
	(void)data;
	out(f, MCR, 0x10 | 0x0a);
	g_assert_cmphex(in(f, MSR) & 0xf0, ==, 0x90);
	out(f, MCR, 0x10 | 0x04);
	/* RI went up, which is no event; DCD and CTS went down. */
	g_assert_cmphex(in(f, MSR), ==, 0x40 | 0x09);
	g_assert_cmphex(in(f, MSR), ==, 0x40);
	out(f, MCR, 0x10);
	g_assert_cmphex(in(f, MSR), ==, 0x04);
}

static void test_loopback_data(struct fixture *f, const void *data)
{
	(void)data;
	out(f, MCR, 0x10);
	out(f, DATA, 'x');
	g_assert_cmphex(in(f, LSR), ==, 0x61);
	g_assert_cmphex(in(f, DATA), ==, 'x');
	/* The wire is cut, both ways. */
	g_assert_cmpuint(fake_chardev_input(&f->chr, "y", 1), ==, 0);
	g_assert_cmpstr(f->chr.out->str, ==, "");
	/* The second byte overruns the first. */
	out(f, IER, 0x04);
	out(f, DATA, '1');
	out(f, DATA, '2');
	g_assert_true(f->irq.level[IRQ]);
	g_assert_cmphex(in(f, IIR), ==, 0x06);
	g_assert_cmphex(in(f, LSR), ==, 0x63);
	g_assert_false(f->irq.level[IRQ]);
	g_assert_cmphex(in(f, LSR), ==, 0x61);
	g_assert_cmphex(in(f, DATA), ==, '2');

	/* Plugged in again, the host may go on. */
	g_assert_cmpuint(f->chr.resumed, ==, 0);
	out(f, MCR, 0);
	fake_clock_run(&f->clock);
	g_assert_cmpuint(f->chr.resumed, ==, 1);
	g_assert_cmpuint(fake_chardev_input(&f->chr, "y", 1), ==, 1);
	g_assert_cmphex(in(f, DATA), ==, 'y');
}

static void test_thre_interrupt(struct fixture *f, const void *data)
{
	(void)data;
	/* Enabled with nothing to send: at once, each time (UART_BUG_THRE, UART_BUG_TXEN). */
	for (unsigned i = 0; i < 2; i++) {
		out(f, IER, 0x02);
		g_assert_true(f->irq.level[IRQ]);
		g_assert_cmphex(in(f, IIR), ==, 0x02);
		g_assert_false(f->irq.level[IRQ]);
		g_assert_cmphex(in(f, IIR), ==, 0x01);
		out(f, IER, 0x00);
	}
	out(f, IER, 0x02);
	in(f, IIR);
	out(f, DATA, 'a');
	g_assert_true(f->irq.level[IRQ]);
	/* Switched off it is silent, but still due. */
	out(f, IER, 0x00);
	g_assert_false(f->irq.level[IRQ]);
	g_assert_cmphex(in(f, IIR), ==, 0x01);
}

static void test_thre_run(struct fixture *f, const void *data)
{
	unsigned rounds = 0;

	(void)data;
	/* A handler that always has more to send comes to an end ... */
	out(f, IER, 0x02);
	while (in(f, IIR) == 0x02) {
		out(f, DATA, 'a');
		g_assert_cmpuint(++rounds, <, 512);
	}
	g_assert_false(f->irq.level[IRQ]);
	/* ... and is called again with a new edge. */
	g_assert_cmpuint(fake_clock_run(&f->clock), ==, 1);
	g_assert_true(f->irq.level[IRQ]);
	g_assert_cmphex(in(f, IIR), ==, 0x02);
	g_assert_cmpuint(f->chr.out->len, ==, rounds);
}

static void test_host_is_slow(struct fixture *f, const void *data)
{
	(void)data;
	out(f, IIR, 0x01);
	out(f, IER, 0x02);
	in(f, IIR);
	f->chr.room = 2;
	for (unsigned i = 0; i < 18; i++)
		out(f, DATA, (uint8_t)('a' + i));
	g_assert_cmpstr(f->chr.out->str, ==, "ab");
	g_assert_cmphex(in(f, LSR), ==, 0x00);
	g_assert_false(f->irq.level[IRQ]);
	/* The FIFO is full: a guest that does not care loses it. */
	out(f, DATA, '!');
	fake_chardev_make_room(&f->chr, 5);
	g_assert_cmphex(in(f, LSR), ==, 0x00);
	g_assert_false(f->irq.level[IRQ]);
	/* Around the end of the ring. */
	out(f, DATA, 's');
	out(f, DATA, 't');
	fake_chardev_make_room(&f->chr, 100);
	g_assert_cmphex(in(f, LSR), ==, 0x60);
	g_assert_true(f->irq.level[IRQ]);
	g_assert_cmpstr(f->chr.out->str, ==, "abcdefghijklmnopqrst");
	/* Nothing to do. */
	fake_chardev_make_room(&f->chr, 100);
	g_assert_cmpuint(f->irq.rises[IRQ], ==, 3);
}

static void test_clear_transmitter(struct fixture *f, const void *data)
{
	(void)data;
	out(f, IIR, 0x01);
	out(f, IER, 0x02);
	in(f, IIR);
	f->chr.room = 0;
	out(f, DATA, 'a');
	g_assert_cmphex(in(f, LSR), ==, 0x00);
	out(f, IIR, 0x05);
	g_assert_cmphex(in(f, LSR), ==, 0x60);
	g_assert_true(f->irq.level[IRQ]);
	fake_chardev_make_room(&f->chr, 100);
	g_assert_cmpstr(f->chr.out->str, ==, "");
}

static void test_receive_fifo(struct fixture *f, const void *data)
{
	(void)data;
	out(f, IIR, 0x81); /* interrupt from 8 bytes on */
	out(f, IER, 0x01);
	g_assert_cmpuint(fake_chardev_input(&f->chr, "1234567", 7), ==, 7);
	/* Nothing more comes: timeout. */
	g_assert_true(f->irq.level[IRQ]);
	g_assert_cmphex(in(f, IIR), ==, 0xcc);
	g_assert_cmpuint(fake_chardev_input(&f->chr, "8", 1), ==, 1);
	g_assert_cmphex(in(f, IIR), ==, 0xc4);
	in(f, DATA);
	g_assert_cmphex(in(f, IIR), ==, 0xcc);
}

static void test_host_is_fast(struct fixture *f, const void *data)
{
	(void)data;
	out(f, IIR, 0x81);
	out(f, IER, 0x01);
	/* 16 fit. */
	g_assert_cmpuint(fake_chardev_input(&f->chr, "1234567890abcdefghij", 20), ==, 16);
	for (const char *p = "1234567890abcdef"; *p; p++) {
		g_assert_cmpuint(fake_clock_run(&f->clock), ==, 0);
		g_assert_cmphex(in(f, LSR), ==, 0x61);
		g_assert_true(f->irq.level[IRQ]);
		g_assert_cmphex(in(f, DATA), ==, (uint8_t)*p);
	}
	g_assert_false(f->irq.level[IRQ]);
	g_assert_cmphex(in(f, LSR), ==, 0x60);
	g_assert_cmphex(in(f, DATA), ==, 0);
	g_assert_cmpuint(fake_clock_run(&f->clock), ==, 1);
	g_assert_cmpuint(f->chr.resumed, ==, 1);
	g_assert_cmpuint(fake_chardev_input(&f->chr, "ghij", 4), ==, 4);
	/* All taken: nobody waits for the guest. */
	for (unsigned i = 0; i < 4; i++)
		in(f, DATA);
	g_assert_cmpuint(fake_clock_run(&f->clock), ==, 0);
}

static void test_receive_single(struct fixture *f, const void *data)
{
	(void)data;
	out(f, IER, 0x01);
	g_assert_cmpuint(fake_chardev_input(&f->chr, "ab", 2), ==, 1);
	g_assert_cmphex(in(f, IIR), ==, 0x04);
	/* Turning the FIFO on empties it: room again. */
	out(f, IIR, 0x01);
	g_assert_cmphex(in(f, IIR), ==, 0xc1);
	fake_clock_run(&f->clock);
	g_assert_cmpuint(f->chr.resumed, ==, 1);
}

static void test_priority(struct fixture *f, const void *data)
{
	(void)data;
	out(f, IER, 0x0f);
	out(f, MCR, 0x10);
	out(f, DATA, '1');
	out(f, DATA, '2');
	g_assert_cmphex(in(f, IIR), ==, 0x06);
	in(f, LSR);
	g_assert_cmphex(in(f, IIR), ==, 0x04);
	in(f, DATA);
	g_assert_cmphex(in(f, IIR), ==, 0x02);
	g_assert_cmphex(in(f, IIR), ==, 0x00);
	g_assert_true(f->irq.level[IRQ]);
	in(f, MSR);
	g_assert_cmphex(in(f, IIR), ==, 0x01);
	g_assert_false(f->irq.level[IRQ]);
}

static void test_reset(struct fixture *f, const void *data)
{
	(void)data;
	out(f, IIR, 0x01);
	out(f, IER, 0x01);
	out(f, MCR, 0x0b);
	g_assert_cmpuint(fake_chardev_input(&f->chr, "0123456789abcdefg", 17), ==, 16);
	g_assert_true(f->irq.level[IRQ]);
	serial_reset(f->serial);
	g_assert_false(f->irq.level[IRQ]);
	g_assert_cmphex(in(f, IER), ==, 0);
	g_assert_cmphex(in(f, IIR), ==, 0x01);
	g_assert_cmphex(in(f, MCR), ==, 0);
	g_assert_cmphex(in(f, LSR), ==, 0x60);
	fake_clock_run(&f->clock);
	g_assert_cmpuint(f->chr.resumed, ==, 1);
}

static void test_nobody_listens(struct fixture *f, const void *data)
{
	g_autoptr(GError) error = NULL;
	struct serial_config config = {
		.pio = f->pio,
		.base = 0x2f8,
		.irq = { &f->irq.sink, 3 },
		.clock = &f->clock.clock,
	};
	autoptr(serial) com2 = serial_new(&config, &error);

	(void)data;
	g_assert_no_error(error);
	g_assert_nonnull(com2);
	io_write(f->pio, 0x2f8 + IER, 1, 0x02);
	io_write(f->pio, 0x2f8, 1, 'x');
	g_assert_true(f->irq.level[3]);
	g_assert_cmphex(io_read(f->pio, 0x2f8 + LSR, 1), ==, 0x60);
	/* There is one already. */
	g_assert_null(serial_new(&config, &error));
	g_assert_nonnull(error);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *path;
		void (*fn)(struct fixture *f, const void *data);
	} tests[] = {
		{ "/dev/serial/transmit", test_transmit },
		{ "/dev/serial/registers", test_registers },
		{ "/dev/serial/loopback-lines", test_loopback_lines },
		{ "/dev/serial/loopback-data", test_loopback_data },
		{ "/dev/serial/thre-interrupt", test_thre_interrupt },
		{ "/dev/serial/thre-run", test_thre_run },
		{ "/dev/serial/host-is-slow", test_host_is_slow },
		{ "/dev/serial/clear-transmitter", test_clear_transmitter },
		{ "/dev/serial/receive-fifo", test_receive_fifo },
		{ "/dev/serial/host-is-fast", test_host_is_fast },
		{ "/dev/serial/receive-single", test_receive_single },
		{ "/dev/serial/priority", test_priority },
		{ "/dev/serial/reset", test_reset },
		{ "/dev/serial/nobody-listens", test_nobody_listens },
	};

	g_test_init(&argc, &argv, NULL);
	for (unsigned i = 0; i < ARRAY_SIZE(tests); i++)
		g_test_add(tests[i].path, struct fixture, NULL, setup, tests[i].fn, teardown);
	return g_test_run();
}
