/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-pci.c - virtio over PCI, on the bus: capabilities, registers, interrupts, notifications
 */
#include <sys/eventfd.h>

#include "base/bytes.h"
#include "tests/lib/virtio-toy.h"
#include "virtio/virtio-pci.h"

static const uint64_t ecam = 0xe0000000;

enum {
	SLOT = 3,
	GSI = 20,
	RING = 0x10000,
	NONE = 0xffff,
};

/* The parts of BAR 4. */
enum {
	COMMON = 0,
	ISR = 0x1000,
	DEVICE = 0x2000,
	NOTIFY = 0x3000,
};

struct fixture {
	struct irq_sink sink;
	bool level;
	unsigned messages;
	uint32_t message;
	unsigned notify_count;
	const struct io_notify *notify[TOY_QUEUES];
	struct io_loop *loop;
	struct mem *mem;
	struct io_space *mmio, *pio;
	struct pci_bus *bus;
	struct pci_device *pci;
	struct toy *toy;
	bool freed;
	uint64_t bar, msix;
};

static void set_line(struct irq_sink *sink, unsigned gsi, bool level)
{
	g_assert_cmpuint(gsi, ==, GSI + SLOT % PCI_PINS);
	container_of(sink, struct fixture, sink)->level = level;
}

static void send_msi(struct irq_sink *sink, uint64_t addr, uint32_t data)
{
	struct fixture *f = container_of(sink, struct fixture, sink);

	g_assert_cmphex(addr, ==, 0xfee00000);
	f->messages++;
	f->message = data;
}

static const struct irq_sink_ops sink_ops = { .set_line = set_line, .send_msi = send_msi };

static int set_notify(void *opaque, const struct io_notify *notify, bool on)
{
	struct fixture *f = opaque;
	uint64_t i = (notify->addr - f->bar - NOTIFY) / 4;

	g_assert_true(notify->mmio && !notify->match);
	if (!on) {
		f->notify_count--;
		return 0;
	}
	g_assert_cmpuint(i, <, TOY_QUEUES);
	f->notify[i] = notify;
	f->notify_count++;
	return 0;
}

static uint32_t cfg(struct fixture *f, unsigned off, unsigned size)
{
	return (uint32_t)io_read(f->mmio, ecam + (SLOT << 15) + off, size);
}

static void cfg_write(struct fixture *f, unsigned off, unsigned size, uint32_t value)
{
	io_write(f->mmio, ecam + (SLOT << 15) + off, size, value);
}

static uint64_t rd(struct fixture *f, unsigned off, unsigned size)
{
	return io_read(f->mmio, f->bar + off, size);
}

static void wr(struct fixture *f, unsigned off, unsigned size, uint64_t value)
{
	io_write(f->mmio, f->bar + off, size, value);
}

static void run(struct fixture *f)
{
	while (io_loop_run(f->loop, false))
		;
}

static void place(struct fixture *f)
{
	/* Where the bus will put it, which the notifier checks. */
	f->bar = 0x8000000000;
	cfg_write(f, 4, 2, 0);
	cfg_write(f, 0x20, 4, (uint32_t)f->bar);
	cfg_write(f, 0x24, 4, (uint32_t)(f->bar >> 32));
	f->msix = 0xf0000000;
	cfg_write(f, 0x14, 4, (uint32_t)f->msix);
	cfg_write(f, 4, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
}

static void set_up(struct fixture *f)
{
	GError *error = NULL;
	struct pci_bus_config config = {
		.sink = &f->sink,
		.gsi = { GSI, GSI + 1, GSI + 2, GSI + 3 },
		.ecam = ecam,
		.window32 = 0xf0000000,
		.window32_end = 0xf8000000,
		.window64 = 0x8000000000,
		.window64_end = 0x9000000000,
		.ports = 0x6000,
		.ports_end = 0x7000,
	};

	*f = (struct fixture){ .sink = { &sink_ops } };
	f->loop = io_loop_new_manual(IO_LOOP_THREADS, NULL, NULL, &error);
	g_assert_no_error(error);
	f->mem = mem_new();
	g_assert_true(mem_add_ram(f->mem, 0, 1 << 20, NULL));
	f->mmio = io_space_new("mmio", UINT64_C(1) << 46);
	f->pio = io_space_new("pio", 1 << 16);
	config.mmio = f->mmio;
	config.pio = f->pio;
	f->bus = pci_bus_new(&config, &error);
	g_assert_no_error(error);
	f->toy = toy_new(f->loop, 16);
	f->toy->freed = &f->freed;
	f->pci = virtio_pci_new(&f->toy->dev, &(struct virtio_pci_config){
						      .mem = f->mem,
						      .notifier = { set_notify, f },
					      });
	g_assert_true(pci_plug(f->bus, f->pci, SLOT, &error));
	place(f);
}

static void tear_down(struct fixture *f)
{
	pci_bus_free(f->bus);
	g_assert_true(f->freed);
	g_assert_cmpuint(f->notify_count, ==, 0);
	io_space_free(f->mmio);
	io_space_free(f->pio);
	mem_free(f->mem);
	io_loop_free(f->loop);
}

static void start(struct fixture *f)
{
	wr(f, 0x14, 1, 1);
	wr(f, 0x14, 1, 3);
	wr(f, 0x08, 4, 1);
	wr(f, 0x0c, 4, 1 | (uint32_t)(VIRTIO_F_RING_RESET >> 32));
	wr(f, 0x14, 1, 0xb);
	g_assert_cmphex(rd(f, 0x14, 1), ==, 0xb);
	wr(f, 0x16, 2, 0);
	g_assert_cmpuint(rd(f, 0x18, 2), ==, 16);
	wr(f, 0x18, 2, 8);
	wr(f, 0x20, 8, RING);
	wr(f, 0x28, 4, RING + 0x1000);
	wr(f, 0x2c, 4, 0);
	wr(f, 0x34, 4, 0);
	wr(f, 0x30, 4, RING + 0x2000);
	g_assert_cmpuint(rd(f, 0x1c, 2), ==, 0);
	wr(f, 0x1c, 2, 1);
	g_assert_cmpuint(rd(f, 0x1c, 2), ==, 1);
	wr(f, 0x14, 1, 0xf);
	g_assert_cmphex(rd(f, 0x14, 1), ==, 0xf);
	run(f);
}

/* One request of 4 bytes to be written, made by hand. */
static void request(struct fixture *f, uint8_t n)
{
	uint8_t desc[16] = { 0, 0, 2, 0, 0, 0, 0, 0, 4, 0, 0, 0, 2 }, entry[2] = { 0 };
	uint8_t index[2] = { (uint8_t)(n + 1), 0 };

	g_assert_cmpint(mem_write(f->mem, RING, desc, 16), ==, 0);
	g_assert_cmpint(mem_write(f->mem, RING + 0x1004 + n % 8 * 2, entry, 2), ==, 0);
	g_assert_cmpint(mem_write(f->mem, RING + 0x1002, index, 2), ==, 0);
}

/* The layout that drivers and firmware know from QEMU. */
static void test_capabilities(void)
{
	static const struct {
		uint8_t at, type, len;
		uint32_t off;
	} caps[] = {
		{ 0x40, 1, 16, 0 },      { 0x50, 3, 16, 0x1000 }, { 0x60, 4, 16, 0x2000 },
		{ 0x70, 2, 20, 0x3000 }, { 0x84, 5, 20, 0 },
	};
	struct fixture f;
	unsigned at;

	set_up(&f);
	g_assert_cmphex(cfg(&f, 0, 4), ==, 0x10441af4);
	g_assert_cmphex(cfg(&f, 8, 4), ==, 0x00ff0001);
	g_assert_cmphex(cfg(&f, 0x2c, 2), ==, 0x1af4);
	g_assert_cmphex(cfg(&f, 0x2e, 2), >=, 0x40);
	at = cfg(&f, 0x34, 1);
	for (size_t i = 0; i < G_N_ELEMENTS(caps); i++) {
		g_assert_cmphex(at, ==, caps[i].at);
		g_assert_cmphex(cfg(&f, at, 1), ==, 9);
		g_assert_cmphex(cfg(&f, at + 2, 1), ==, caps[i].len);
		g_assert_cmphex(cfg(&f, at + 3, 1), ==, caps[i].type);
		if (caps[i].type != 5) {
			g_assert_cmphex(cfg(&f, at + 4, 1), ==, 4);
			g_assert_cmphex(cfg(&f, at + 8, 4), ==, caps[i].off);
			g_assert_cmphex(cfg(&f, at + 12, 4), ==, 0x1000);
		}
		at = cfg(&f, at + 1, 1);
	}
	g_assert_cmphex(at, ==, 0x98);
	g_assert_cmphex(cfg(&f, at, 1), ==, 0x11);
	g_assert_cmphex(cfg(&f, at + 2, 2), ==, TOY_QUEUES);
	g_assert_cmphex(cfg(&f, 0x80, 4), ==, 4);
	tear_down(&f);
}

static void test_classes(void)
{
	static const struct {
		enum virtio_type type;
		uint32_t class;
	} classes[] = {
		{ VIRTIO_NET, 0x0200 }, { VIRTIO_BLOCK, 0x0100 },   { VIRTIO_CONSOLE, 0x0780 },
		{ VIRTIO_RNG, 0x00ff }, { VIRTIO_BALLOON, 0x00ff }, { VIRTIO_VSOCK, 0x0780 },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(classes); i++) {
		struct toy *toy = g_new0(struct toy, 1);
		struct io_loop *loop = io_loop_new_manual(IO_LOOP_THREADS, NULL, NULL, NULL);
		struct mem *mem = mem_new();
		struct pci_device *pci;

		virtio_init(&toy->dev, &(struct virtio_config){ .ops = &toy_ops,
								.type = classes[i].type,
								.loop = loop,
								.queues = 1,
								.queue_size = 8 });
		pci = virtio_pci_new(&toy->dev, &(struct virtio_pci_config){ .mem = mem });
		g_assert_cmphex(get_le16(pci->config + 2), ==, 0x1040 + classes[i].type);
		g_assert_cmphex(get_le16(pci->config + 10), ==, classes[i].class);
		pci->ops->free(pci);
		io_loop_free(loop);
		mem_free(mem);
	}
}

static void test_common(void)
{
	struct fixture f;

	set_up(&f);
	g_assert_cmphex(rd(&f, 4, 4), ==, (uint32_t)(VIRTIO_F_COMMON | 1));
	wr(&f, 0, 4, 1);
	g_assert_cmphex(rd(&f, 4, 4), ==, (uint32_t)(VIRTIO_F_COMMON >> 32));
	wr(&f, 0, 4, 2);
	g_assert_cmphex(rd(&f, 4, 4), ==, 0);
	g_assert_cmphex(rd(&f, 0, 8), ==, 2);
	g_assert_cmphex(rd(&f, 0x10, 2), ==, NONE);
	g_assert_cmpuint(rd(&f, 0x12, 2), ==, TOY_QUEUES);
	/* Vectors: the configuration's, a queue's, one too high, a queue that is not there. */
	wr(&f, 0x10, 2, 2);
	g_assert_cmphex(rd(&f, 0x10, 2), ==, 2);
	wr(&f, 0x10, 2, 3);
	g_assert_cmphex(rd(&f, 0x10, 2), ==, NONE);
	wr(&f, 0x16, 2, 1);
	wr(&f, 0x1a, 2, 1);
	g_assert_cmphex(rd(&f, 0x1a, 2), ==, 1);
	g_assert_cmpuint(rd(&f, 0x1e, 2), ==, 1);
	g_assert_cmpuint(rd(&f, 0x38, 2), ==, 1);
	wr(&f, 0x16, 2, 2);
	g_assert_cmphex(rd(&f, 0x1a, 2), ==, NONE);
	g_assert_cmphex(rd(&f, 0x18, 2), ==, 0);
	wr(&f, 0x1a, 2, 1);
	wr(&f, 0x16, 2, NONE);
	wr(&f, 0x1a, 2, 1);
	wr(&f, 0x1c, 2, 1);
	wr(&f, 0x3a, 2, 1);
	/* Wide reads give what the fields give, at any offset. */
	wr(&f, 0x16, 2, 1);
	wr(&f, 0x20, 8, UINT64_C(0x1122334455667788));
	wr(&f, 0x24, 4, 0x99aabbcc);
	g_assert_cmphex(rd(&f, 0x20, 8), ==, UINT64_C(0x99aabbcc55667788));
	g_assert_cmphex(rd(&f, 0x23, 2), ==, 0xcc55);
	g_assert_cmphex(rd(&f, 0x18, 4), ==, 0x00010010);
	g_assert_cmphex(rd(&f, 0x3c, 4), ==, 0);
	g_assert_cmphex(rd(&f, 0xff8, 8), ==, 0);
	g_assert_cmphex(rd(&f, DEVICE, 4), ==, 0x13121110);
	g_assert_cmphex(rd(&f, DEVICE + 11, 8), ==, 0x1b);
	wr(&f, DEVICE + 4, 4, 0x04030201);
	g_assert_cmphex(rd(&f, DEVICE + 4, 8), ==, UINT64_C(0x1b1a191804030201));
	/* A reset clears vectors. */
	wr(&f, 0x10, 2, 1);
	wr(&f, 0x14, 1, 0);
	g_assert_cmphex(rd(&f, 0x10, 2), ==, NONE);
	g_assert_cmphex(rd(&f, 0x1a, 2), ==, NONE);
	tear_down(&f);
}

static void test_intx(void)
{
	struct fixture f;

	set_up(&f);
	start(&f);
	request(&f, 0);
	wr(&f, NOTIFY, 2, 0);
	run(&f);
	g_assert_true(f.level);
	virtio_lock(&f.toy->dev);
	virtio_config_changed(&f.toy->dev);
	virtio_unlock(&f.toy->dev);
	g_assert_cmpuint(rd(&f, 0x15, 1), ==, 1);
	/* Disabled by the command register, and again. */
	cfg_write(&f, 4, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_INTX_DISABLE);
	g_assert_false(f.level);
	cfg_write(&f, 4, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	g_assert_true(f.level);
	g_assert_cmphex(rd(&f, ISR + 1, 1), ==, 0);
	g_assert_true(f.level);
	g_assert_cmphex(rd(&f, ISR, 1), ==, 3);
	g_assert_false(f.level);
	g_assert_cmphex(rd(&f, ISR, 1), ==, 0);
	request(&f, 1);
	wr(&f, NOTIFY, 4, 1 << 16);
	run(&f);
	g_assert_true(f.level);
	wr(&f, 0x14, 1, 0);
	g_assert_false(f.level);
	tear_down(&f);
}

static void set_vector(struct fixture *f, unsigned vector, uint32_t data, bool masked)
{
	uint64_t entry = f->msix + vector * 16;

	io_write(f->mmio, entry, 4, 0xfee00000);
	io_write(f->mmio, entry + 4, 4, 0);
	io_write(f->mmio, entry + 8, 4, data);
	io_write(f->mmio, entry + 12, 4, masked);
}

static void test_msix(void)
{
	struct fixture f;

	set_up(&f);
	cfg_write(&f, 0x9a, 2, 0x8000);
	set_vector(&f, 0, 0x40, false);
	set_vector(&f, 1, 0x41, true);
	wr(&f, 0x10, 2, 0);
	wr(&f, 0x16, 2, 0);
	wr(&f, 0x1a, 2, 1);
	start(&f);
	request(&f, 0);
	wr(&f, NOTIFY, 2, 0);
	run(&f);
	/* Masked: pending, then sent. The wire has no part in it. */
	g_assert_cmpuint(f.messages, ==, 0);
	g_assert_false(f.level);
	set_vector(&f, 1, 0x41, false);
	g_assert_cmpuint(f.messages, ==, 1);
	g_assert_cmphex(f.message, ==, 0x41);
	virtio_lock(&f.toy->dev);
	virtio_config_changed(&f.toy->dev);
	virtio_unlock(&f.toy->dev);
	g_assert_cmpuint(f.messages, ==, 2);
	g_assert_cmphex(f.message, ==, 0x40);
	g_assert_cmphex(rd(&f, ISR, 1), ==, 3);
	/* No vector: nothing. */
	wr(&f, 0x1a, 2, NONE);
	request(&f, 1);
	wr(&f, NOTIFY, 2, 0);
	run(&f);
	g_assert_cmpuint(f.toy->popped, ==, 2);
	g_assert_cmpuint(f.messages, ==, 2);
	tear_down(&f);
}

static void test_notifiers(void)
{
	struct fixture f;

	set_up(&f);
	g_assert_cmpuint(f.notify_count, ==, 0);
	start(&f);
	g_assert_cmpuint(f.notify_count, ==, TOY_QUEUES);
	f.toy->no_suppression = true;
	request(&f, 0);
	f.notify[0]->call(f.notify[0]->opaque);
	run(&f);
	g_assert_cmpuint(f.toy->popped, ==, 1);
	request(&f, 1);
	g_assert_cmpint(eventfd_write(f.notify[0]->eventfd, 1), ==, 0);
	run(&f);
	g_assert_cmpuint(f.toy->popped, ==, 2);
	/* They follow the BAR. */
	cfg_write(&f, 4, 2, 0);
	g_assert_cmpuint(f.notify_count, ==, 0);
	f.bar = 0x8000010000;
	cfg_write(&f, 0x20, 4, (uint32_t)f.bar);
	cfg_write(&f, 4, 2, PCI_COMMAND_MEMORY);
	g_assert_cmpuint(f.notify_count, ==, TOY_QUEUES);
	request(&f, 2);
	wr(&f, NOTIFY, 2, 0);
	run(&f);
	g_assert_cmpuint(f.toy->popped, ==, 3);
	/* The machine's reset ends them. */
	f.bar = 0x8000000000;
	pci_bus_reset(f.bus);
	g_assert_cmpuint(f.notify_count, ==, 0);
	g_assert_cmpuint(f.toy->dev.status, ==, 0);
	tear_down(&f);
}

/* Unplugged in the middle of everything (lesson 20). */
static void test_unplug(void)
{
	struct fixture f;

	set_up(&f);
	start(&f);
	f.toy->hold = true;
	request(&f, 0);
	wr(&f, NOTIFY, 2, 0);
	run(&f);
	g_assert_cmpuint(f.toy->count, ==, 1);
	wr(&f, NOTIFY, 2, 0);
	pci_unplug(f.bus, f.pci);
	g_assert_true(f.freed);
	run(&f);
	tear_down(&f);
}

/* Lesson 6: a buffer, or a ring, in the device's own registers is no RAM, and is not touched. */
static void test_own_bar(void)
{
	for (unsigned part = 0; part < 4; part++) {
		struct fixture f;
		uint8_t addr[8];

		set_up(&f);
		start(&f);
		request(&f, 0);
		if (part == 0) {
			put_le64(addr, f.bar + 0x14);
			g_assert_cmpint(mem_write(f.mem, RING, addr, 8), ==, 0);
		} else {
			wr(&f, 0x14, 1, 0);
			wr(&f, 0x14, 1, 3);
			wr(&f, 0x08, 4, 1);
			wr(&f, 0x0c, 4, 1);
			wr(&f, 0x14, 1, 0xb);
			wr(&f, 0x20, 8, part == 1 ? f.bar : RING);
			wr(&f, 0x28, 8, part == 2 ? f.bar : RING + 0x1000);
			wr(&f, 0x30, 8, part == 3 ? f.bar : RING + 0x2000);
			wr(&f, 0x1c, 2, 1);
			wr(&f, 0x14, 1, 0xf);
		}
		wr(&f, NOTIFY, 2, 0);
		run(&f);
		g_assert_cmpuint(f.toy->popped, ==, 0);
		g_assert_cmphex(rd(&f, 0x14, 1), ==, 0x4f);
		g_assert_cmphex(rd(&f, ISR, 1), ==, 2);
		tear_down(&f);
	}
}

/* ---- the window ---- */

static void aim(struct fixture *f, unsigned bar, uint32_t off, uint32_t len)
{
	cfg_write(f, 0x84 + 4, 1, bar);
	cfg_write(f, 0x84 + 8, 4, off);
	cfg_write(f, 0x84 + 12, 4, len);
}

static void test_window(void)
{
	struct fixture f;

	set_up(&f);
	/* It needs no BAR that is mapped. */
	cfg_write(&f, 4, 2, 0);
	aim(&f, 4, 0x12, 2);
	g_assert_cmphex(cfg(&f, 0x94, 2), ==, TOY_QUEUES);
	aim(&f, 4, 0x14, 1);
	cfg_write(&f, 0x94, 1, 1);
	cfg_write(&f, 0x94, 1, 3);
	g_assert_cmphex(cfg(&f, 0x94, 1), ==, 3);
	g_assert_cmphex(virtio_read_status(&f.toy->dev), ==, 3);
	aim(&f, 4, DEVICE + 4, 4);
	cfg_write(&f, 0x94, 4, 0x44332211);
	g_assert_cmphex(virtio_read_config(&f.toy->dev, 4, 4), ==, 0x44332211);
	g_assert_cmphex(cfg(&f, 0x94, 4), ==, 0x44332211);
	/* Where it cannot lead it is plain memory. */
	aim(&f, 4, 0x4000, 4);
	cfg_write(&f, 0x94, 4, 5);
	g_assert_cmphex(cfg(&f, 0x94, 4), ==, 5);
	aim(&f, 4, UINT32_MAX - 3, 4);
	g_assert_cmphex(cfg(&f, 0x94, 4), ==, 5);
	aim(&f, 4, 0x14, 3);
	g_assert_cmphex(cfg(&f, 0x94, 4), ==, 5);
	aim(&f, 4, 0x15, 2);
	g_assert_cmphex(cfg(&f, 0x94, 4), ==, 5);
	aim(&f, 1, 0, 4);
	g_assert_cmphex(cfg(&f, 0x94, 4), ==, 5);
	aim(&f, 4, 0, UINT32_MAX);
	g_assert_cmphex(cfg(&f, 0x94, 4), ==, 5);
	aim(&f, 255, 0, 4);
	g_assert_cmphex(cfg(&f, 0x94, 4), ==, 5);
	tear_down(&f);
}

/* Lesson 20: any access of registers and MSI-X at any offset and width. */
static void test_matrix(void)
{
	static const struct {
		uint64_t start, end;
	} parts[] = { { 0, 0x50 },
		      { 0xff0, 0x1010 },
		      { 0x1ff0, 0x2040 },
		      { 0x2ff0, 0x3200 },
		      { 0x3ff0, 0x4000 } };
	struct fixture f;

	set_up(&f);
	start(&f);
	for (unsigned size = 1; size <= 8; size *= 2) {
		uint64_t ones = UINT64_MAX >> (64 - size * 8);

		for (size_t i = 0; i < G_N_ELEMENTS(parts); i++) {
			for (uint64_t off = parts[i].start; off < parts[i].end; off++) {
				(void)io_read(f.mmio, f.bar + off, size);
				io_write(f.mmio, f.bar + off, size, off % 3 ? ones : off % 7);
			}
		}
		for (uint64_t off = 0; off < 0x1000; off++) {
			(void)io_read(f.mmio, f.msix + off, size);
			io_write(f.mmio, f.msix + off, size, 0);
		}
		run(&f);
	}
	for (unsigned i = 0; i < 100000; i++) {
		unsigned size = 1u << g_test_rand_int_range(0, 4);
		uint64_t off = (uint64_t)g_test_rand_int_range(0, 0x40) & ~(uint64_t)(size - 1);
		uint64_t value = (uint64_t)g_test_rand_int() >> g_test_rand_int_range(0, 32);

		if (i % 16 == 0)
			off += DEVICE;
		if (i % 16 == 1)
			off += NOTIFY;
		io_write(f.mmio, f.bar + off, size,
			 size < 8 ? value & (UINT32_MAX >> (32 - size * 8)) : value);
		(void)io_read(f.mmio, f.bar + off, size);
		if (i % 8 == 0)
			run(&f);
	}
	wr(&f, 0x14, 1, 0);
	g_assert_cmphex(rd(&f, 0x14, 1), ==, 0);
	mem_clear(f.mem);
	f.toy->popped = 0;
	start(&f);
	request(&f, 0);
	wr(&f, NOTIFY, 2, 0);
	run(&f);
	g_assert_cmpuint(f.toy->popped, ==, 1);
	tear_down(&f);
}

static void test_queue_reset(void)
{
	struct fixture f;

	set_up(&f);
	start(&f);
	f.toy->hold = f.toy->slow = true;
	request(&f, 0);
	wr(&f, NOTIFY, 2, 0);
	run(&f);
	wr(&f, 0x3a, 2, 1);
	g_assert_cmpuint(rd(&f, 0x3a, 2), ==, 1);
	g_assert_cmpuint(rd(&f, 0x1c, 2), ==, 0);
	toy_complete_all(f.toy);
	g_assert_cmpuint(rd(&f, 0x3a, 2), ==, 0);
	/* Status of a reset that waits. */
	wr(&f, 0x20, 8, RING);
	wr(&f, 0x28, 8, RING + 0x1000);
	wr(&f, 0x30, 8, RING + 0x2000);
	wr(&f, 0x18, 2, 8);
	wr(&f, 0x1c, 2, 1);
	run(&f);
	g_assert_cmpuint(f.toy->count, ==, 1);
	wr(&f, 0x14, 1, 0);
	g_assert_cmphex(rd(&f, 0x14, 1), ==, 0xf);
	toy_complete_all(f.toy);
	g_assert_cmphex(rd(&f, 0x14, 1), ==, 0);
	tear_down(&f);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/pci/capabilities", test_capabilities);
	g_test_add_func("/pci/classes", test_classes);
	g_test_add_func("/pci/common", test_common);
	g_test_add_func("/pci/intx", test_intx);
	g_test_add_func("/pci/msix", test_msix);
	g_test_add_func("/pci/notifiers", test_notifiers);
	g_test_add_func("/pci/unplug", test_unplug);
	g_test_add_func("/pci/own-bar", test_own_bar);
	g_test_add_func("/pci/window", test_window);
	g_test_add_func("/pci/matrix", test_matrix);
	g_test_add_func("/pci/queue-reset", test_queue_reset);
	return g_test_run();
}
