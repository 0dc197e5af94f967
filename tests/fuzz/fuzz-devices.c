/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz-devices.c - a guest that does anything to any port, a host that is slow, and time
 *
 * The input is a list of records of 6 bytes: what, port or amount (2), size, value (2). Beside
 * what the sanitizers see, it is checked that
 *
 *  (1) the serial port's interrupt line is high exactly while IIR tells of an interrupt,
 *  (2) however the guest treated the serial port, one that opens it anew finds it working,
 *  (3) the SCI is high exactly while an enabled status bit is set, of PM1 or of the GPE block,
 *  (4) the guest can always switch the machine off,
 *  (5) a keyboard's or mouse's line is high only while a byte of it waits, all that waits comes to an
 *      end, and the controller answers whoever begins anew,
 *  (6) what firmware reads after all that is what it was told, and its timer ticks.
 */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "dev/acpi-hotplug.h"
#include "dev/acpi-pm.h"
#include "dev/debugcon.h"
#include "dev/debugexit.h"
#include "dev/fw-cfg.h"
#include "dev/i8042.h"
#include "dev/pit.h"
#include "dev/port-a.h"
#include "dev/port-b.h"
#include "dev/rtc.h"
#include "dev/serial.h"
#include "mem/mem.h"

#include "../unit/dev/fake.h"

enum {
	SERIAL = 0x3f8,
	SERIAL_IRQ = 4,
	RTC_IRQ = 8,
	PM = 0x600,
	KEYBOARD_IRQ = 1,
	MOUSE_IRQ = 12,
	SCI = 9,
	HOTPLUG = 0xae00,
	RECORD = 6,
	RAM = 0x4000
};

enum what {
	WHAT_READ,
	WHAT_WRITE,
	WHAT_INPUT,  /* bytes from the host */
	WHAT_ROOM,   /* the host takes so many bytes */
	WHAT_TIME,   /* passes */
	WHAT_STEP,   /* the host's clock is set */
	WHAT_BUTTON, /* is pressed */
	WHAT_RESET,
	WHAT_COUNT,
};

struct world {
	struct io_space *pio;
	struct fake_clock clock;
	struct fake_irq irq;
	struct fake_chardev chr;
	struct serial *serial;
	struct rtc *rtc;
	struct acpi_pm *pm;
	struct acpi_hotplug *hotplug;
	struct i8042 *i8042;
	struct debugexit *debugexit;
	struct mem *mem;
	struct pit *pit;
	struct port_a *port_a;
	struct port_b *port_b;
	struct debugcon *debugcon;
	struct fw_cfg *fw_cfg;
	unsigned power_offs, resets, exits;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_power_off(void *opaque)
{
	((struct world *)opaque)->power_offs++;
}

static void on_reset(void *opaque)
{
	((struct world *)opaque)->resets++;
}

static void on_exit_status(void *opaque, uint8_t status)
{
	(void)status;
	((struct world *)opaque)->exits++;
}

static void on_eject(void *opaque, uint32_t slots)
{
	struct world *w = opaque;

	g_assert_cmphex(slots, !=, 0);
	acpi_hotplug_forget(w->hotplug, slots % 32);
}

static void on_line(void *opaque, const char *text)
{
	(void)opaque;
	g_assert_cmpuint(strlen(text), <=, DEBUGCON_LINE);
}

/* What is there with firmware. */
static void build_firmware(struct world *w)
{
	w->mem = mem_new();
	w->pit = pit_new(&(struct pit_config){ .pio = w->pio,
					       .irq = { &w->irq.sink, 0 },
					       .clock = &w->clock.clock },
			 NULL);
	w->port_a = port_a_new(w->pio, on_reset, w, NULL);
	w->port_b = port_b_new(
		&(struct port_b_config){ .pio = w->pio, .pit = w->pit, .clock = &w->clock.clock },
		NULL);
	w->debugcon = debugcon_new(w->pio, on_line, NULL, NULL);
	g_assert_true(mem_add_ram(w->mem, 0, RAM, NULL));
	w->fw_cfg = fw_cfg_new(w->pio, w->mem, NULL);
	g_assert_true(w->pit && w->port_a && w->port_b && w->debugcon && w->fw_cfg);
	fw_cfg_set_file(w->fw_cfg, "etc/x", "some text", 9);
	/* A transfer of it, for those that find the address. */
	mem_write(w->mem, 0x100, "\0\x20\0\x0a\0\0\0\x09\0\0\0\0\0\0\2\0", 16);
}

static void build(struct world *w)
{
	w->pio = io_space_new("ports", 0x10000);
	fake_clock_init(&w->clock);
	fake_irq_init(&w->irq);
	fake_chardev_init(&w->chr);
	w->serial = serial_new(
		&(struct serial_config){
			.pio = w->pio,
			.base = SERIAL,
			.irq = { &w->irq.sink, SERIAL_IRQ },
			.chr = &w->chr.chr,
			.clock = &w->clock.clock,
		},
		NULL);
	w->rtc = rtc_new(
		&(struct rtc_config){
			.pio = w->pio,
			.irq = { &w->irq.sink, RTC_IRQ },
			.clock = &w->clock.clock,
			.ram_below_4g = 1 << 30,
		},
		NULL);
	w->pm = acpi_pm_new(
		&(struct acpi_pm_config){
			.pio = w->pio,
			.base = PM,
			.sci = { &w->irq.sink, SCI },
			.clock = &w->clock.clock,
			.power_off = on_power_off,
			.reset = on_reset,
			.opaque = w,
		},
		NULL);
	w->hotplug = acpi_hotplug_new(
		&(struct acpi_hotplug_config){
			.pio = w->pio,
			.base = HOTPLUG,
			.eject = on_eject,
			.opaque = w,
		},
		NULL);
	w->i8042 = i8042_new(
		&(struct i8042_config){
			.pio = w->pio,
			.keyboard = { &w->irq.sink, KEYBOARD_IRQ },
			.mouse = { &w->irq.sink, MOUSE_IRQ },
			.reset = on_reset,
			.opaque = w,
		},
		NULL);
	w->debugexit = debugexit_new(w->pio, on_exit_status, w, NULL);
	g_assert_true(w->serial && w->rtc && w->pm && w->hotplug && w->i8042 && w->debugexit);
	build_firmware(w);
}

static void demolish(struct world *w)
{
	fw_cfg_free(w->fw_cfg);
	debugcon_free(w->debugcon);
	port_b_free(w->port_b);
	port_a_free(w->port_a);
	pit_free(w->pit);
	mem_free(w->mem);
	debugexit_free(w->debugexit);
	i8042_free(w->i8042);
	acpi_hotplug_free(w->hotplug);
	acpi_pm_free(w->pm);
	rtc_free(w->rtc);
	serial_free(w->serial);
	fake_chardev_release(&w->chr);
	io_space_free(w->pio);
}

/* Half of the ports that are asked for are ones where somebody lives. */
static uint16_t choose_port(uint16_t raw)
{
	static const uint16_t base[] = { SERIAL, 0x70, PM,   0x60,  0xf4,  0xcf9, 0xcf8, HOTPLUG,
					 0x40,   0x61, 0x92, 0x402, 0x510, 0x514, 0x518, 0x42 };

	if (raw & 0x8000)
		return raw & 0x7fff;
	return (uint16_t)(base[raw >> 4 & 15] + (raw & 0x0f));
}

static void input(struct world *w, uint16_t len)
{
	static const char text[64] = "the quick brown fox";
	size_t taken = fake_chardev_input(&w->chr, text, len % sizeof(text));

	g_assert_cmpuint(taken, <=, 16);
}

static void act(struct world *w, const uint8_t *record)
{
	uint16_t raw = get_le16(record + 1);
	unsigned bytes = 1u << (record[3] & 3);
	uint64_t value = get_le16(record + 4) * UINT64_C(0x0001000100010001);

	switch ((enum what)(record[0] % WHAT_COUNT)) {
	case WHAT_READ:
		(void)io_read(w->pio, choose_port(raw), bytes);
		break;
	case WHAT_WRITE:
		if (bytes < 8)
			value &= (UINT64_C(1) << (8 * bytes)) - 1;
		io_write(w->pio, choose_port(raw), bytes, value);
		break;
	case WHAT_INPUT:
		input(w, raw);
		break;
	case WHAT_ROOM:
		fake_chardev_make_room(&w->chr, raw);
		break;
	case WHAT_TIME:
		/* From 1 ns to 18 hours; not too many periodic interrupts. */
		fake_clock_advance(&w->clock, raw & 1 ? raw * UINT64_C(1000) : raw);
		if (raw % 7 == 0) {
			w->clock.monotonic_ns += raw * UINT64_C(1000000000);
			w->clock.realtime_ns += raw * UINT64_C(1000000000);
		}
		fake_clock_run(&w->clock);
		break;
	case WHAT_STEP:
		w->clock.realtime_ns = value;
		break;
	case WHAT_BUTTON:
		acpi_pm_power_button(w->pm);
		acpi_pm_gpe(w->pm, raw % ACPI_PM_GPES);
		acpi_hotplug_insert(w->hotplug, raw / 16 % 32);
		acpi_hotplug_ask(w->hotplug, raw / 512 % 32);
		i8042_key(w->i8042, (uint8_t)raw, raw & 0x100);
		i8042_move(w->i8042, (int16_t)raw, (int)value, (int)(value >> 32), raw & 31);
		break;
	case WHAT_RESET:
		serial_reset(w->serial);
		rtc_reset(w->rtc);
		acpi_pm_reset(w->pm);
		acpi_hotplug_reset(w->hotplug);
		i8042_reset(w->i8042);
		pit_reset(w->pit);
		port_a_reset(w->port_a);
		port_b_reset(w->port_b);
		debugcon_reset(w->debugcon);
		fw_cfg_reset(w->fw_cfg);
		break;
	case WHAT_COUNT:
		break;
	}
}

/* Looks only: nothing changes by it except for THRE, hence last. */
static void check(struct world *w)
{
	bool level = w->irq.level[SERIAL_IRQ];
	uint64_t keyboard = io_read(w->pio, I8042_COMMAND, 1);
	uint64_t events = io_read(w->pio, PM, 4);
	uint64_t gpes = io_read(w->pio, PM + ACPI_PM_GPE, 4);

	events = (events & events >> 16 & 0xffff) | (gpes & gpes >> 16 & 0xffff);
	g_assert_true((events != 0) == w->irq.level[SCI]);
	g_assert_true(!w->irq.level[KEYBOARD_IRQ] || (keyboard & 0x21) == 0x01);
	g_assert_true(!w->irq.level[MOUSE_IRQ] || (keyboard & 0x21) == 0x21);
	g_assert_true(!(io_read(w->pio, SERIAL + 2, 1) & 1) == level);
}

/* As a driver opens the port: whatever came before, it works. */
static void check_serial(struct world *w)
{
	unsigned lsr;

	io_write(w->pio, SERIAL + 3, 1, 0x03);
	io_write(w->pio, SERIAL + 4, 1, 0x0b);
	io_write(w->pio, SERIAL + 1, 1, 0x00);
	io_write(w->pio, SERIAL + 2, 1, 0x01);
	io_write(w->pio, SERIAL + 2, 1, 0x07);
	g_assert_false(w->irq.level[SERIAL_IRQ]);
	w->chr.room = SIZE_MAX;
	g_string_truncate(w->chr.out, 0);
	(void)io_read(w->pio, SERIAL + 5, 1);
	lsr = (unsigned)io_read(w->pio, SERIAL + 5, 1);
	g_assert_cmphex(lsr, ==, 0x60);
	io_write(w->pio, SERIAL, 1, 'x');
	g_assert_cmpstr(w->chr.out->str, ==, "x");
	g_assert_cmpuint(fake_chardev_input(&w->chr, "yz", 2), ==, 2);
	g_assert_cmphex(io_read(w->pio, SERIAL, 1), ==, 'y');
	g_assert_cmphex(io_read(w->pio, SERIAL, 1), ==, 'z');
	g_assert_cmphex(io_read(w->pio, SERIAL + 5, 1), ==, 0x60);
}

static void drain(struct world *w)
{
	for (unsigned i = 0; io_read(w->pio, I8042_COMMAND, 1) & 1; i++) {
		g_assert_cmpuint(i, <, 8192);
		(void)io_read(w->pio, I8042_DATA, 1);
	}
}

static void check_keyboard(struct world *w)
{
	drain(w);
	io_write(w->pio, I8042_COMMAND, 1, 0xaa);
	g_assert_cmphex(io_read(w->pio, I8042_DATA, 1), ==, 0x55);
	io_write(w->pio, I8042_COMMAND, 1, 0x60);
	io_write(w->pio, I8042_DATA, 1, 0x41);
	drain(w);
	io_write(w->pio, I8042_DATA, 1, 0xff);
	g_assert_cmphex(io_read(w->pio, I8042_DATA, 1), ==, 0xfa);
	g_assert_cmphex(io_read(w->pio, I8042_DATA, 1), ==, 0xaa);
	i8042_key(w->i8042, 0x1e, true);
	g_assert_cmphex(io_read(w->pio, I8042_DATA, 1), ==, 0x1e);
}

static void check_power(struct world *w)
{
	unsigned before = w->power_offs;

	io_write(w->pio, PM + 4, 2, ACPI_PM_SLP_TYP_S5 << 10 | 1 << 13);
	g_assert_cmpuint(w->power_offs, ==, before + 1);
}

static void check_firmware(struct world *w)
{
	unsigned before;
	char text[9];

	io_write(w->pio, 0x510, 2, 0x20);
	for (unsigned i = 0; i < sizeof(text); i++)
		text[i] = (char)io_read(w->pio, 0x511, 1);
	g_assert_cmpmem(text, sizeof(text), "some text", sizeof(text));
	io_write(w->pio, 0x43, 1, 0x34);
	io_write(w->pio, 0x40, 1, 0);
	io_write(w->pio, 0x40, 1, 0);
	before = w->irq.rises[0];
	fake_clock_advance(&w->clock, 200000000);
	g_assert_cmpuint(w->irq.rises[0], ==, before + 3);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world w = { .power_offs = 0 };

	build(&w);
	/* Long enough for every state, short enough to be fast. */
	for (size_t off = 0; off + RECORD <= MIN(size, (size_t)RECORD * 512); off += RECORD) {
		act(&w, data + off);
		check(&w);
	}
	check_serial(&w);
	check_power(&w);
	check_keyboard(&w);
	check_firmware(&w);
	demolish(&w);
	return 0;
}
