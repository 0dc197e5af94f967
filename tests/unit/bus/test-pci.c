/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-pci.c - the root complex: configuration accesses, BARs and where they answer, INTx, plugging
 */
#include "bus/pci.h"

#include "base/error.h"
#include "base/thread.h"

#include "pci-test.h"

enum {
	STATUS_INTERRUPT = 8,
	DECODE = PCI_COMMAND_IO | PCI_COMMAND_MEMORY,
};

static struct test_device *plug(struct test_bus *t, struct test_device *dev, unsigned slot)
{
	g_autoptr(GError) error = NULL;

	g_assert_true(pci_plug(t->bus, &dev->pci, slot, &error));
	g_assert_no_error(error);
	return dev;
}

/* Number 1 in slot 3: a port BAR, a small and a large memory BAR. */
static struct test_device *plug_usual(struct test_bus *t)
{
	struct test_device *dev = test_device_new(1, true);

	test_add_bar(dev, 0, 32, PCI_BAR_IO);
	test_add_bar(dev, 1, 0x2000, 0);
	test_add_bar(dev, 2, 64 << 20, PCI_BAR_64 | PCI_BAR_PREFETCH);
	return plug(t, dev, 3);
}

static void test_host_bridge(void)
{
	struct test_bus t;

	test_bus_init(&t);
	g_assert_cmphex(test_get(&t, 0, PCI_VENDOR, 4), ==, 0x00081b36);
	g_assert_cmphex(test_get(&t, 0, PCI_REVISION, 4), ==, 0x06000000);
	g_assert_cmphex(test_get(&t, 0, PCI_HEADER_TYPE, 1), ==, 0);
	g_assert_cmphex(test_get(&t, 0, PCI_STATUS, 2), ==, 0);
	g_assert_nonnull(pci_at(t.bus, 0));
	g_assert_null(pci_at(t.bus, 1));
	g_assert_null(pci_at(t.bus, 32));
	/* As Linux looks for it (arch/x86/pci/direct.c, pci_check_type1()). */
	io_write(t.pio, 0xcfb, 1, 1);
	g_assert_cmphex(io_read(t.pio, 0xcf8, 4), ==, 0);
	io_write(t.pio, 0xcf8, 4, 0x80000000);
	g_assert_cmphex(io_read(t.pio, 0xcf8, 4), ==, 0x80000000);
	g_assert_cmphex(test_in(&t, 0x80000008, 2, 2), ==, 0x0600);
	test_bus_release(&t);
}

/* The reset register, as dev/acpi-pm.c adds it. */
static uint64_t reset_value;

static uint64_t reset_read(struct io_range *range, uint64_t off, unsigned size)
{
	(void)range;
	g_assert_cmpuint(off, ==, 0);
	g_assert_cmpuint(size, ==, 1);
	return reset_value;
}

static void reset_write(struct io_range *range, uint64_t off, unsigned size, uint64_t value)
{
	(void)range;
	g_assert_cmpuint(off, ==, 0);
	g_assert_cmpuint(size, ==, 1);
	reset_value = value;
}

static const struct io_ops reset_ops = { .read = reset_read, .write = reset_write };

/* Firmware finds a bridge that it knows, and devices as RESET leaves them. */
static void test_firmware(void)
{
	struct test_bus t;

	test_bus_init(&t);
	pci_bus_free(t.bus);
	t.config.firmware = true;
	t.bus = pci_bus_new(&t.config, NULL);
	g_assert_nonnull(t.bus);
	io_write(t.pio, 0xcf8, 4, 0x80000000);
	g_assert_cmphex(io_read(t.pio, 0xcfc, 4), ==, 0x12378086);
	/* What is RAM below 1 MiB: two bits for each half. */
	io_write(t.pio, 0xcf8, 4, 0x80000058);
	io_write(t.pio, 0xcfc, 4, 0xffffffff);
	g_assert_cmphex(io_read(t.pio, 0xcfc, 4), ==, 0x33333000);
	io_write(t.pio, 0xcf8, 4, 0x8000005c);
	io_write(t.pio, 0xcfc, 4, 0x10313133);
	g_assert_cmphex(io_read(t.pio, 0xcfc, 4), ==, 0x10313133);
	pci_bus_reset(t.bus);
	io_write(t.pio, 0xcf8, 4, 0x8000005c);
	g_assert_cmphex(io_read(t.pio, 0xcfc, 4), ==, 0);
	test_bus_release(&t);
}

static void test_address_port(void)
{
	struct io_range reset = { .ops = &reset_ops, .base = 0xcf9, .len = 1, .name = "reset" };
	struct test_bus t;

	test_bus_init(&t);
	g_assert_true(io_space_add(t.pio, &reset, NULL));
	io_write(t.pio, 0xcf8, 4, UINT32_MAX);
	g_assert_cmphex(io_read(t.pio, 0xcf8, 4), ==, 0x80fffffc);
	g_assert_cmphex(reset_value, ==, 0);
	io_write(t.pio, 0xcf9, 1, 0x06);
	g_assert_cmphex(reset_value, ==, 0x06);
	g_assert_cmphex(io_read(t.pio, 0xcf9, 1), ==, 0x06);
	g_assert_cmphex(io_read(t.pio, 0xcf8, 4), ==, 0x80fffffc);
	/* Neither register. */
	for (unsigned size = 1; size <= 8; size *= 2) {
		for (unsigned off = 0; off < 4; off++) {
			if ((off == 0 && size == 4) || (off == 1 && size == 1))
				continue;
			io_write(t.pio, 0xcf8 + off, size, 0);
			g_assert_cmphex(io_read(t.pio, 0xcf8 + off, size) | ~UINT64_C(0) << 8, ==,
					UINT64_MAX);
		}
	}
	g_assert_cmphex(reset_value, ==, 0x06);
	g_assert_cmphex(io_read(t.pio, 0xcf8, 4), ==, 0x80fffffc);
	io_space_remove(t.pio, &reset);
	test_bus_release(&t);
}

/* All widths at all data ports see the same bytes as the ECAM. */
static void test_widths(void)
{
	struct test_bus t;

	test_bus_init(&t);
	plug_usual(&t);
	for (unsigned reg = 0; reg < 256; reg += 4) {
		uint64_t bytes = test_get(&t, 3, reg, 4);

		for (unsigned off = 0; off < 4; off++) {
			for (unsigned size = 1; size <= 4 - off; size *= 2) {
				uint32_t want = (uint32_t)(bytes >> (8 * off) &
							   ((UINT64_C(1) << (8 * size)) - 1));

				g_assert_cmphex(test_in(&t, 0x80001800 | reg, off, size), ==, want);
				g_assert_cmphex(test_get(&t, 3, reg + off, size), ==, want);
			}
		}
	}
	/* Across registers, across the end of a function, eight bytes. */
	g_assert_cmphex(test_get(&t, 3, 1, 4), ==, 0x00560112);
	g_assert_cmphex(io_read(t.mmio, test_config_at(3, 0), 8), ==, 0x0010000056011234);
	g_assert_cmphex(io_read(t.mmio, test_config_at(3, 5), 8), ==, 0x0001800003001000);
	g_assert_cmphex(io_read(t.mmio, test_config_at(3, 0xffe), 4), ==, 0xffff0000);
	/* A word that begins at the last data port. */
	g_assert_cmphex(test_in(&t, 0x80001800, 3, 2), ==, 0xffff);
	/* Not switched on. */
	g_assert_cmphex(test_in(&t, 0x00001800, 0, 4), ==, 0xffffffff);
	test_bus_release(&t);
}

static void test_nobody(void)
{
	static const uint32_t empty[] = {
		0x80001000, /* slot 2 */
		0x80001900, /* slot 3, function 1 */
		0x80011800, /* bus 1 */
		0x80ff1800,
	};
	struct test_bus t;

	test_bus_init(&t);
	plug_usual(&t);
	for (unsigned i = 0; i < ARRAY_SIZE(empty); i++) {
		uint64_t at = TEST_ECAM + ((empty[i] & 0xffff00) << 4);

		g_assert_cmphex(test_in(&t, empty[i], 0, 4), ==, 0xffffffff);
		g_assert_cmphex(test_in(&t, empty[i], 1, 1), ==, 0xff);
		io_write(t.pio, 0xcfc, 4, 0);
		g_assert_cmphex(io_read(t.mmio, at, 4), ==, 0xffffffff);
		g_assert_cmphex(io_read(t.mmio, at + 0x800, 2), ==, 0xffff);
		io_write(t.mmio, at + 4, 4, 7);
	}
	/* Extended space: nothing in it, which reads as zeros. */
	g_assert_cmphex(test_get(&t, 3, 0x100, 4), ==, 0);
	test_set(&t, 3, 0x100, 4, 0xffffffff);
	g_assert_cmphex(test_get(&t, 3, 0x100, 4), ==, 0);
	g_assert_cmphex(io_read(t.mmio, TEST_ECAM + (256 << 20) - 4, 4), ==, 0xffffffff);
	test_bus_release(&t);
}

/* What all ones written to every register leave, and then zeros. */
static void test_masks(void)
{
	static const struct {
		unsigned off, size;
		uint32_t ones, zeros;
	} want[] = {
		{ PCI_VENDOR, 4, 0x56011234, 0x56011234 },
		{ PCI_COMMAND, 2, 0x0547, 0 },
		{ PCI_STATUS, 2, 0x0010, 0x0010 },
		{ PCI_REVISION, 4, 0x01800003, 0x01800003 },
		{ 0x0c, 4, 0x000000ff, 0 },
		{ PCI_BAR0, 4, 0xffffffe1, 1 },
		{ PCI_BAR0 + 4, 4, 0xffffe000, 0 },
		{ PCI_BAR0 + 8, 4, 0xfc00000c, 0xc },
		{ PCI_BAR0 + 12, 4, 0xffffffff, 0 },
		{ PCI_BAR0 + 16, 4, 0, 0 },
		{ PCI_BAR0 + 20, 4, 0, 0 },
		{ PCI_SUBSYSTEM_VENDOR, 4, 0xdef09abc, 0xdef09abc },
		{ 0x30, 4, 0, 0 }, /* no ROM */
		{ PCI_CAPABILITIES, 4, 0x40, 0x40 },
		{ PCI_INTERRUPT_LINE, 4, 0x1ff, 0x100 },
		{ 0x40, 4, 0x00920010, 0x00920010 }, /* Express, the last capability */
		{ 0x44, 4, 0x8000, 0x8000 },
		{ 0x48, 4, 0x781f, 0 },
		{ 0x4c, 4, 0, 0 },
	};
	struct test_bus t;

	test_bus_init(&t);
	plug_usual(&t);
	g_assert_cmphex(test_get(&t, 3, 0x48, 4), ==, 0x2810);
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned off = 0; off < 256; off += 4)
			test_set(&t, 3, off, 4, round ? 0 : 0xffffffff);
		for (unsigned i = 0; i < ARRAY_SIZE(want); i++)
			g_assert_cmphex(test_get(&t, 3, want[i].off, want[i].size), ==,
					round ? want[i].zeros : want[i].ones);
	}
	test_bus_release(&t);
}

/* Single bytes of a register, and bits that a written 1 clears. */
static void test_bytes(void)
{
	struct test_device *dev = test_device_new(1, false);
	struct test_bus t;
	unsigned cap;

	test_bus_init(&t);
	cap = pci_add_capability(&dev->pci, PCI_CAP_VENDOR, 7);
	g_assert_cmphex(cap, ==, 0x40);
	g_assert_cmphex(pci_add_capability(&dev->pci, PCI_CAP_VENDOR, 4), ==, 0x48);
	dev->pci.config[cap + 4] = 0xa5;
	dev->pci.clears[cap + 4] = 0xf0;
	dev->pci.writable[cap + 5] = 0x3c;
	dev->pci.config[0xf0] = 0x0f;
	plug(&t, dev, 5);
	g_assert_cmphex(test_get(&t, 5, PCI_CAPABILITIES, 1), ==, 0x40);
	g_assert_cmphex(test_get(&t, 5, 0x40, 2), ==, 0x4809);
	g_assert_cmphex(test_get(&t, 5, 0x48, 2), ==, 0x0009);
	test_set(&t, 5, cap + 4, 2, 0xff20);
	g_assert_cmphex(test_get(&t, 5, cap + 4, 2), ==, 0x3c85);
	test_set(&t, 5, cap + 5, 1, 0);
	g_assert_cmphex(test_get(&t, 5, cap + 4, 2), ==, 0x0085);
	/* The device hears of what is its own. */
	g_assert_cmpuint(dev->written, ==, 2);
	g_assert_cmphex(dev->written_off, ==, cap + 5);
	test_set(&t, 5, PCI_COMMAND, 4, 7);
	test_set(&t, 5, PCI_INTERRUPT_LINE, 1, 7);
	test_set(&t, 5, 0x7c, 4, 7);
	g_assert_cmpuint(dev->written, ==, 3);
	g_assert_cmphex(test_get(&t, 5, 0xf0, 1), ==, 0xf0);
	test_bus_release(&t);
}

static bool answers(struct test_bus *t, const struct test_device *dev, unsigned bar, uint64_t addr)
{
	bool io = dev->pci.bar[bar].flags & PCI_BAR_IO;
	uint64_t last = dev->pci.bar[bar].size - 4;
	struct io_space *space = io ? t->pio : t->mmio;

	return io_read(space, addr, 4) == test_bar_value(dev->number, bar, 0) &&
	       io_read(space, addr + last, 4) == test_bar_value(dev->number, bar, last);
}

static void test_decode(void)
{
	struct test_bus t;
	struct test_device *dev;

	test_bus_init(&t);
	dev = plug_usual(&t);
	test_set(&t, 3, PCI_BAR0, 4, 0xc040);
	test_set(&t, 3, PCI_BAR0 + 4, 4, 0xd0000000);
	test_set(&t, 3, PCI_BAR0 + 8, 4, 0x08000000);
	test_set(&t, 3, PCI_BAR0 + 12, 4, 0x90);
	g_assert_false(answers(&t, dev, 0, 0xc040));
	g_assert_false(answers(&t, dev, 1, 0xd0000000));

	test_set(&t, 3, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	g_assert_false(answers(&t, dev, 0, 0xc040));
	g_assert_true(answers(&t, dev, 1, 0xd0000000));
	g_assert_true(answers(&t, dev, 2, 0x9008000000));
	g_assert_cmphex(dev->at[2], ==, 0x9008000000);
	g_assert_cmphex(pci_bar_get(&dev->pci, 2).addr, ==, 0x9008000000);
	g_assert_true(pci_bar_get(&dev->pci, 2).mapped);
	test_set(&t, 3, PCI_COMMAND, 2, PCI_COMMAND_IO);
	g_assert_true(answers(&t, dev, 0, 0xc040));
	g_assert_false(answers(&t, dev, 1, 0xd0000000));
	g_assert_false(answers(&t, dev, 2, 0x9008000000));
	io_write(t.pio, 0xc044, 2, 0x1234);
	g_assert_cmphex(dev->last_write, ==, 0x1234);

	/* A move, half by half. */
	test_set(&t, 3, PCI_COMMAND, 2, DECODE);
	test_set(&t, 3, PCI_BAR0 + 8, 4, 0x10000000);
	g_assert_false(answers(&t, dev, 2, 0x9008000000));
	g_assert_true(answers(&t, dev, 2, 0x9010000000));
	test_set(&t, 3, PCI_BAR0 + 12, 4, 0x91);
	g_assert_false(answers(&t, dev, 2, 0x9010000000));
	g_assert_true(answers(&t, dev, 2, 0x9110000000));
	/* Sizing while decoding is on, and back. */
	test_set(&t, 3, PCI_BAR0 + 4, 4, 0xffffffff);
	g_assert_false(dev->pci.bar[1].mapped);
	test_set(&t, 3, PCI_BAR0 + 4, 4, 0xd0000000);
	g_assert_true(answers(&t, dev, 1, 0xd0000000));
	/* The same written again is no move. */
	g_assert_cmpuint(dev->mapped[1], ==, 3);
	test_set(&t, 3, PCI_BAR0 + 4, 4, 0xd0000fff);
	g_assert_cmpuint(dev->mapped[1], ==, 3);
	test_bus_release(&t);
}

/* Places where nothing can be mapped; the guest gets what it asked for, and no more. */
static void test_hostile_places(void)
{
	struct test_bus t;
	struct test_device *a, *b;

	test_bus_init(&t);
	a = plug_usual(&t);
	b = test_device_new(2, false);
	test_add_bar(b, 0, 0x2000, 0);
	plug(&t, b, 4);
	test_set(&t, 3, PCI_COMMAND, 2, DECODE);
	test_set(&t, 4, PCI_COMMAND, 2, DECODE);
	test_set(&t, 3, PCI_BAR0 + 4, 4, 0xd0000000);
	test_set(&t, 3, PCI_BAR0 + 8, 4, 0);
	test_set(&t, 3, PCI_BAR0 + 12, 4, 0x90);

	/* Over another, over the ECAM, over the ports of the bus, beyond the end. */
	test_set(&t, 4, PCI_BAR0, 4, 0xd0000000);
	g_assert_false(b->pci.bar[0].mapped);
	g_assert_true(answers(&t, a, 1, 0xd0000000));
	test_set(&t, 4, PCI_BAR0, 4, TEST_ECAM);
	g_assert_false(b->pci.bar[0].mapped);
	g_assert_cmphex(test_get(&t, 4, PCI_BAR0, 4), ==, TEST_ECAM);
	test_set(&t, 3, PCI_BAR0, 4, 0xce0);
	g_assert_false(a->pci.bar[0].mapped);
	test_set(&t, 3, PCI_BAR0, 4, 0x10000);
	g_assert_false(a->pci.bar[0].mapped);
	test_set(&t, 3, PCI_BAR0, 4, 0xffe0);
	g_assert_true(a->pci.bar[0].mapped);
	test_set(&t, 3, PCI_BAR0 + 12, 4, 0xffffff);
	g_assert_false(a->pci.bar[2].mapped);
	/* Address 0 is what a BAR has that was not placed. */
	test_set(&t, 4, PCI_BAR0, 4, 0);
	g_assert_false(b->pci.bar[0].mapped);
	test_set(&t, 3, PCI_BAR0, 4, 0);
	g_assert_false(a->pci.bar[0].mapped);
	/* Over one half of a large one. */
	test_set(&t, 3, PCI_BAR0 + 12, 4, 0);
	test_set(&t, 3, PCI_BAR0 + 8, 4, 0xd4000000);
	test_set(&t, 4, PCI_BAR0, 4, 0xd7ffe000);
	g_assert_true(a->pci.bar[2].mapped);
	g_assert_false(b->pci.bar[0].mapped);

	/* Two change places while decoding is on. */
	test_set(&t, 4, PCI_BAR0, 4, 0xd0002000);
	g_assert_true(answers(&t, b, 0, 0xd0002000));
	test_set(&t, 3, PCI_BAR0 + 4, 4, 0xd0002000);
	g_assert_false(a->pci.bar[1].mapped);
	g_assert_true(answers(&t, b, 0, 0xd0002000));
	test_set(&t, 4, PCI_BAR0, 4, 0xd0000000);
	g_assert_true(answers(&t, b, 0, 0xd0000000));
	g_assert_true(answers(&t, a, 1, 0xd0002000));
	/* What was in the way is unplugged. */
	test_set(&t, 4, PCI_BAR0, 4, 0xd0002000);
	g_assert_false(b->pci.bar[0].mapped);
	pci_unplug(t.bus, &a->pci);
	g_assert_true(answers(&t, b, 0, 0xd0002000));
	test_bus_release(&t);
}

static void check_placed(struct test_bus *t, struct test_device *dev)
{
	for (unsigned b = 0; b < 3; b++) {
		const struct pci_bar *bar = &dev->pci.bar[b];

		g_assert_true(answers(t, dev, b, bar->addr));
		g_assert_cmphex(bar->addr & (bar->size - 1), ==, 0);
		g_assert_true(b == 1 || !(bar->addr & 0xfff));
	}
}

static void test_reset_places(void)
{
	static const uint64_t sizes[] = { 16, 0x4000, 0x1000, 0x100000, 0x2000, 0x10000 };
	struct test_device *dev[20];
	struct test_bus t;

	test_bus_init(&t);
	for (unsigned i = 0; i < ARRAY_SIZE(dev); i++) {
		dev[i] = test_device_new((uint8_t)i, i % 2);
		test_add_bar(dev[i], 0, sizes[i % 6], 0);
		test_add_bar(dev[i], 1, 8u << i % 3, PCI_BAR_IO);
		test_add_bar(dev[i], 2, i % 3 ? 0x4000 : 1ull << 30, PCI_BAR_64 | PCI_BAR_PREFETCH);
		plug(&t, dev[i], 0);
	}
	pci_bus_reset(t.bus);
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < ARRAY_SIZE(dev); i++) {
			const struct pci_bar *bar = dev[i]->pci.bar;

			check_placed(&t, dev[i]);
			g_assert_true(bar[0].addr >= TEST_WINDOW32 && bar[0].addr < TEST_ECAM);
			g_assert_true(bar[1].addr >= 0xc000 && bar[1].addr < 0xd000);
			g_assert_true((bar[2].addr >= TEST_WINDOW64) == (i % 3 == 0));
			g_assert_cmphex(test_get(&t, i + 1, PCI_COMMAND, 2), ==, DECODE);
			g_assert_cmphex(test_get(&t, i + 1, PCI_INTERRUPT_LINE, 1), ==,
					TEST_GSI + (i + 1) % 4);
			g_assert_cmpuint(dev[i]->resets, ==, round + 1);
			/* A guest leaves a mess, a reset tidies up. */
			for (unsigned off = 4; off < 64; off += 4)
				test_set(&t, i + 1, off, 4, 0x5a5a5a5a + off * i);
		}
		pci_bus_reset(t.bus);
	}
	test_bus_release(&t);
}

static void test_place_one(void)
{
	g_autoptr(GError) error = NULL;
	struct test_device *a, *b;
	struct test_bus t;

	test_bus_init(&t);
	a = plug_usual(&t);
	pci_bus_reset(t.bus);
	/* The guest has put one right at the start of the window: the next goes behind it. */
	test_set(&t, 3, PCI_BAR0 + 4, 4, TEST_WINDOW32 + 0x2000);
	b = test_device_new(2, false);
	test_add_bar(b, 0, 0x4000, 0);
	test_add_bar(b, 1, 0x2000, 0);
	plug(&t, b, 0);
	g_assert_cmpuint(b->pci.slot, ==, 1);
	g_assert_cmphex(test_get(&t, 1, PCI_COMMAND, 2), ==, 0);
	g_assert_true(pci_place_bars(t.bus, &b->pci, &error));
	g_assert_cmphex(b->at[0], ==, TEST_WINDOW32 + 0x4000);
	g_assert_cmphex(b->at[1], ==, TEST_WINDOW32);
	g_assert_true(answers(&t, a, 1, TEST_WINDOW32 + 0x2000));
	pci_unplug(t.bus, &b->pci);
	/* All of it taken. */
	b = test_device_new(3, false);
	test_add_bar(b, 0, 0x80000000, 0);
	test_add_bar(b, 1, 0x1000, 0);
	plug(&t, b, 9);
	g_assert_false(pci_place_bars(t.bus, &b->pci, &error));
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_LIMIT);
	g_assert_cmphex(b->pci.bar[1].addr, ==, 0);
	g_assert_cmphex(test_get(&t, 9, PCI_COMMAND, 2), ==, 0);
	test_bus_release(&t);
}

/* A window that is just large enough, where a guest has put something into the middle of a page. */
static void test_small_window(void)
{
	struct test_device *dev[4];
	struct test_bus t;

	test_bus_init(&t);
	pci_bus_free(t.bus);
	t.config.window32_end = TEST_WINDOW32 + 0x3000;
	t.bus = pci_bus_new(&t.config, NULL);
	for (unsigned i = 0; i < ARRAY_SIZE(dev); i++) {
		dev[i] = test_device_new((uint8_t)i, false);
		test_add_bar(dev[i], 0, 16, 0);
		plug(&t, dev[i], 0);
	}
	test_set(&t, 1, PCI_BAR0, 4, TEST_WINDOW32 + 0x1810);
	g_assert_true(pci_place_bars(t.bus, &dev[1]->pci, NULL));
	g_assert_true(pci_place_bars(t.bus, &dev[2]->pci, NULL));
	g_assert_cmphex(dev[1]->at[0], ==, TEST_WINDOW32);
	g_assert_cmphex(dev[2]->at[0], ==, TEST_WINDOW32 + 0x2000);
	g_assert_false(pci_place_bars(t.bus, &dev[3]->pci, NULL));
	pci_unplug(t.bus, &dev[1]->pci);
	g_assert_true(pci_place_bars(t.bus, &dev[3]->pci, NULL));
	g_assert_cmphex(dev[3]->at[0], ==, TEST_WINDOW32);
	/* Half of it would fit. */
	dev[1] = test_device_new(4, false);
	test_add_bar(dev[1], 0, 0x2000, 0);
	plug(&t, dev[1], 0);
	pci_unplug(t.bus, &dev[0]->pci);
	g_assert_true(pci_place_bars(t.bus, &dev[2]->pci, NULL));
	g_assert_cmphex(dev[2]->at[0], ==, TEST_WINDOW32 + 0x1000);
	g_assert_false(pci_place_bars(t.bus, &dev[1]->pci, NULL));
	pci_unplug(t.bus, &dev[1]->pci);
	dev[0] = test_device_new(0, false);
	test_add_bar(dev[0], 0, 16, 0);
	plug(&t, dev[0], 0);
	/* Too many for a reset too: the last one stays without a place. */
	dev[1] = test_device_new(5, false);
	test_add_bar(dev[1], 0, 16, 0);
	plug(&t, dev[1], 0);
	pci_bus_reset(t.bus);
	g_assert_true(dev[0]->at[0] && dev[1]->at[0] && dev[2]->at[0]);
	g_assert_cmphex(dev[3]->pci.bar[0].addr, ==, 0);
	test_bus_release(&t);
}

static void test_plug(void)
{
	g_autoptr(GError) error = NULL;
	struct test_device *dev;
	unsigned freed = 0;
	struct test_bus t;

	test_bus_init(&t);
	for (unsigned i = 1; i < PCI_SLOTS; i++) {
		dev = test_device_new((uint8_t)i, false);
		dev->freed = &freed;
		test_add_bar(dev, 0, 0x1000, 0);
		plug(&t, dev, 0);
		g_assert_cmpuint(dev->pci.slot, ==, i);
		g_assert_true(pci_at(t.bus, i) == &dev->pci);
		g_assert_cmpuint(pci_gsi(t.bus, i), ==, TEST_GSI + i % 4);
	}
	pci_bus_reset(t.bus);
	dev = test_device_new(77, false);
	test_add_bar(dev, 0, 0x1000, 0);
	g_assert_false(pci_plug(t.bus, &dev->pci, 0, &error));
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_LIMIT);
	g_clear_error(&error);
	g_assert_false(pci_plug(t.bus, &dev->pci, 7, &error));
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_EXISTS);
	g_clear_error(&error);
	g_assert_false(pci_plug(t.bus, &dev->pci, 32, &error));
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_LIMIT);

	for (unsigned i = 0; i < 100; i++) {
		struct test_device *old = test_device_of(pci_at(t.bus, 7));
		uint64_t at = old->at[0];

		pci_irq_set(&old->pci, true);
		g_assert_true(t.sink.level[TEST_GSI + 3]);
		pci_unplug(t.bus, &old->pci);
		g_assert_false(t.sink.level[TEST_GSI + 3]);
		g_assert_cmphex(io_read(t.mmio, at, 4), ==, 0xffffffff);
		g_assert_cmphex(test_get(&t, 7, 0, 4), ==, 0xffffffff);
		plug(&t, dev, 0);
		g_assert_cmpuint(dev->pci.slot, ==, 7);
		g_assert_true(pci_place_bars(t.bus, &dev->pci, NULL));
		g_assert_true(answers(&t, dev, 0, at));
		dev->freed = &freed;
		dev = test_device_new((uint8_t)i, false);
		test_add_bar(dev, 0, 0x1000, 0);
	}
	dev->pci.ops->free(&dev->pci);
	test_bus_release(&t);
	g_assert_cmpuint(freed, ==, 131);
}

static void test_new_refused(void)
{
	struct io_range other = { .ops = &reset_ops, .base = 0xcfe, .len = 1, .name = "other" };
	g_autoptr(GError) error = NULL;
	struct test_bus t;

	test_bus_init(&t);
	g_assert_null(pci_bus_new(&t.config, &error));
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_EXISTS);
	g_clear_error(&error);
	pci_bus_free(t.bus);
	g_assert_true(io_space_add(t.pio, &other, NULL));
	t.bus = pci_bus_new(&t.config, &error);
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_EXISTS);
	g_assert_cmphex(io_read(t.pio, 0xcf8, 4), ==, 0xffffffff);
	test_bus_release(&t);
}

static bool interrupt_status(struct test_bus *t, unsigned slot)
{
	return test_get(t, slot, PCI_STATUS, 2) & STATUS_INTERRUPT;
}

static void test_intx(void)
{
	struct test_device *a = test_device_new(1, false), *b = test_device_new(2, false);
	const bool *level;
	struct test_bus t;

	test_bus_init(&t);
	plug(&t, a, 2);
	plug(&t, b, 6);
	level = &t.sink.level[TEST_GSI + 2];
	pci_irq_set(&a->pci, true);
	pci_irq_set(&a->pci, true);
	g_assert_true(*level);
	g_assert_true(interrupt_status(&t, 2));
	g_assert_false(interrupt_status(&t, 6));
	g_assert_cmphex(test_get(&t, 2, PCI_COMMAND, 4), ==, 8 << 16);
	g_assert_cmphex(test_get(&t, 2, PCI_STATUS + 1, 1), ==, 0);
	/* Two on one wire. */
	pci_irq_set(&b->pci, true);
	pci_irq_set(&a->pci, false);
	g_assert_true(*level);
	g_assert_false(interrupt_status(&t, 2));
	test_set(&t, 6, PCI_COMMAND, 2, PCI_COMMAND_INTX_DISABLE);
	g_assert_false(*level);
	g_assert_true(interrupt_status(&t, 6));
	pci_irq_set(&a->pci, true);
	g_assert_true(*level);
	pci_irq_set(&a->pci, false);
	g_assert_false(*level);
	test_set(&t, 6, PCI_COMMAND, 2, 0);
	g_assert_true(*level);
	pci_irq_set(&b->pci, false);
	g_assert_false(*level);
	/* Up and down while it is disabled is not seen. */
	test_set(&t, 6, PCI_COMMAND, 2, PCI_COMMAND_INTX_DISABLE);
	t.sink.changes = 0;
	pci_irq_set(&b->pci, true);
	pci_irq_set(&b->pci, false);
	test_set(&t, 6, PCI_COMMAND, 2, 0);
	g_assert_cmpuint(t.sink.changes, ==, 0);
	/* A reset lowers it. */
	pci_irq_set(&b->pci, true);
	pci_bus_reset(t.bus);
	g_assert_false(*level);
	g_assert_false(interrupt_status(&t, 6));
	pci_irq_set(&b->pci, true);
	g_assert_true(*level);
	test_bus_release(&t);
	g_assert_false(*level);
}

/* All pins at one GSI: one wire. */
static void test_one_gsi(void)
{
	struct test_device *a = test_device_new(1, false), *b = test_device_new(2, false);
	struct test_bus t;

	test_bus_init(&t);
	pci_bus_free(t.bus);
	for (unsigned i = 0; i < PCI_PINS; i++)
		t.config.gsi[i] = 11;
	t.bus = pci_bus_new(&t.config, NULL);
	plug(&t, a, 2);
	plug(&t, b, 5);
	pci_irq_set(&a->pci, true);
	pci_irq_set(&b->pci, true);
	pci_irq_set(&a->pci, false);
	g_assert_true(t.sink.level[11]);
	pci_irq_set(&b->pci, false);
	g_assert_false(t.sink.level[11]);
	g_assert_cmpuint(t.sink.changes, ==, 2);
	test_bus_release(&t);
}

/* Two vCPUs move BARs, one reads a BAR that stays, one device pulls at its wire. */
struct mover {
	struct test_bus *t;
	unsigned slot;
	struct test_device *stays;
	uint64_t wrong;
};

static void mover_main(void *arg)
{
	struct mover *m = arg;

	for (unsigned i = 0; i < 3000; i++) {
		test_set(m->t, m->slot, PCI_COMMAND, 2, i % 7 ? DECODE : 0);
		test_set(m->t, m->slot, PCI_BAR0, 4, 0xd0000000 + i % 5 * 0x1000);
		if (!answers(m->t, m->stays, 1, 0xc8000000))
			m->wrong++;
	}
}

static void puller_main(void *arg)
{
	struct mover *m = arg;

	for (unsigned i = 0; i < 3000; i++) {
		pci_irq_set(&m->stays->pci, i % 2);
		(void)pci_bar_get(&m->stays->pci, 1);
	}
}

static void test_threads(void)
{
	struct thread *threads[3];
	struct mover movers[3];
	struct test_device *dev[3];
	struct test_bus t;

	test_bus_init(&t);
	for (unsigned i = 0; i < 3; i++) {
		dev[i] = test_device_new((uint8_t)i, false);
		test_add_bar(dev[i], i == 2, 0x1000, 0);
		plug(&t, dev[i], i + 1);
	}
	test_set(&t, 3, PCI_BAR0 + 4, 4, 0xc8000000);
	test_set(&t, 3, PCI_COMMAND, 2, DECODE);
	for (unsigned i = 0; i < 3; i++) {
		movers[i] = (struct mover){ &t, i + 1, dev[2], 0 };
		threads[i] =
			thread_start("mover", i < 2 ? mover_main : puller_main, &movers[i], NULL);
		g_assert_nonnull(threads[i]);
	}
	for (unsigned i = 0; i < 1000; i++)
		test_set(&t, 3, PCI_COMMAND, 2, DECODE | (i % 2 ? PCI_COMMAND_INTX_DISABLE : 0));
	for (unsigned i = 0; i < 3; i++) {
		thread_join(threads[i]);
		g_assert_cmpuint(movers[i].wrong, ==, 0);
	}
	g_assert_true(interrupt_status(&t, 3));
	test_set(&t, 3, PCI_COMMAND, 2, DECODE);
	g_assert_true(t.sink.level[TEST_GSI + 3]);
	test_bus_release(&t);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/pci/host-bridge", test_host_bridge);
	g_test_add_func("/pci/firmware", test_firmware);
	g_test_add_func("/pci/address-port", test_address_port);
	g_test_add_func("/pci/widths", test_widths);
	g_test_add_func("/pci/nobody", test_nobody);
	g_test_add_func("/pci/masks", test_masks);
	g_test_add_func("/pci/bytes", test_bytes);
	g_test_add_func("/pci/decode", test_decode);
	g_test_add_func("/pci/hostile-places", test_hostile_places);
	g_test_add_func("/pci/reset-places", test_reset_places);
	g_test_add_func("/pci/place-one", test_place_one);
	g_test_add_func("/pci/small-window", test_small_window);
	g_test_add_func("/pci/plug", test_plug);
	g_test_add_func("/pci/new-refused", test_new_refused);
	g_test_add_func("/pci/intx", test_intx);
	g_test_add_func("/pci/one-gsi", test_one_gsi);
	g_test_add_func("/pci/threads", test_threads);
	return g_test_run();
}
