/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pci-test.h - a PCI bus with devices, wires and messages that a test holds in its hand
 */
#ifndef TESTS_UNIT_BUS_PCI_TEST_H
#define TESTS_UNIT_BUS_PCI_TEST_H

#include <pthread.h>

#include "bus/pci.h"

enum {
	TEST_GSI = 16, /* 16 to 19 */
	TEST_MESSAGES = 16,
};

#define TEST_ECAM     0xe0000000ull
#define TEST_WINDOW32 0xc0000000ull
#define TEST_WINDOW64 0x8000000000ull

struct test_message {
	uint64_t addr;
	uint32_t data;
};

struct test_sink {
	struct irq_sink sink;
	pthread_mutex_t lock;
	bool level[24];
	unsigned changes, messages;
	struct test_message
		message[TEST_MESSAGES]; /* the last ones; [messages % TEST_MESSAGES] next */
};

static inline void test_set_line(struct irq_sink *sink, unsigned gsi, bool level)
{
	struct test_sink *t = container_of(sink, struct test_sink, sink);

	pthread_mutex_lock(&t->lock);
	g_assert_cmpuint(gsi, <, 24);
	/* Only changes are told. */
	g_assert_true(t->level[gsi] != level);
	t->level[gsi] = level;
	t->changes++;
	pthread_mutex_unlock(&t->lock);
}

static inline void test_send_msi(struct irq_sink *sink, uint64_t addr, uint32_t data)
{
	struct test_sink *t = container_of(sink, struct test_sink, sink);

	pthread_mutex_lock(&t->lock);
	t->message[t->messages++ % TEST_MESSAGES] = (struct test_message){ addr, data };
	pthread_mutex_unlock(&t->lock);
}

static const struct irq_sink_ops test_sink_ops = {
	.set_line = test_set_line,
	.send_msi = test_send_msi,
};

struct test_bus {
	struct io_space *pio, *mmio;
	struct test_sink sink;
	struct pci_bus_config config;
	struct pci_bus *bus;
};

static inline void test_bus_init(struct test_bus *t)
{
	*t = (struct test_bus){
		.pio = io_space_new("ports", 0x10000),
		.mmio = io_space_new("memory", UINT64_C(1) << 52),
		.sink = { .sink = { &test_sink_ops }, .lock = PTHREAD_MUTEX_INITIALIZER },
	};
	t->config = (struct pci_bus_config){
		.pio = t->pio,
		.mmio = t->mmio,
		.sink = &t->sink.sink,
		.gsi = { TEST_GSI, TEST_GSI + 1, TEST_GSI + 2, TEST_GSI + 3 },
		.ecam = TEST_ECAM,
		.window32 = TEST_WINDOW32,
		.window32_end = TEST_ECAM,
		.window64 = TEST_WINDOW64,
		.window64_end = 2 * TEST_WINDOW64,
		.ports = 0xc000,
		.ports_end = 0xd000,
	};
	t->bus = pci_bus_new(&t->config, NULL);
	g_assert_nonnull(t->bus);
}

static inline void test_bus_release(struct test_bus *t)
{
	pci_bus_free(t->bus);
	io_space_free(t->mmio);
	io_space_free(t->pio);
	pthread_mutex_destroy(&t->sink.lock);
}

/* A device that answers in BAR b with a number that tells device, BAR and offset. */
struct test_device {
	struct pci_device pci;
	struct io_range range[PCI_BARS];
	uint8_t number; /* which device */
	unsigned mapped[PCI_BARS], unmapped[PCI_BARS], resets, written, written_off, changed;
	uint64_t at[PCI_BARS];
	uint64_t last_write; /* of a BAR */
	unsigned *freed;     /* counts those that are gone */
};

static inline struct test_device *test_device_of(struct pci_device *dev)
{
	return container_of(dev, struct test_device, pci);
}

static inline uint64_t test_bar_value(unsigned number, unsigned bar, uint64_t off)
{
	return 0x40000000 | number << 24 | bar << 20 | (off & 0xfffff);
}

/* The name tells which BAR it is, and so where in range[] it stands. */
static inline uint64_t test_bar_read(struct io_range *range, uint64_t off, unsigned size)
{
	unsigned bar = (unsigned)(range->name[0] - '0');
	struct test_device *dev = container_of(range - bar, struct test_device, range[0]);

	g_assert_cmpuint(off, <, dev->pci.bar[bar].size);
	g_assert_cmpuint(size, <=, dev->pci.bar[bar].size - off);
	return test_bar_value(dev->number, bar, off);
}

static inline void test_bar_write(struct io_range *range, uint64_t off, unsigned size,
				  uint64_t value)
{
	unsigned bar = (unsigned)(range->name[0] - '0');

	(void)off;
	(void)size;
	container_of(range - bar, struct test_device, range[0])->last_write = value;
}

static const struct io_ops test_bar_ops = { .read = test_bar_read, .write = test_bar_write };

static inline void test_bar_mapped(struct pci_device *pci, unsigned bar, uint64_t addr, bool mapped)
{
	struct test_device *dev = test_device_of(pci);

	/* In turns, and taken away where it was. */
	g_assert_cmpuint(dev->mapped[bar], ==, dev->unmapped[bar] + !mapped);
	g_assert_true(mapped || dev->at[bar] == addr);
	dev->at[bar] = mapped ? addr : 0;
	dev->mapped[bar] += mapped;
	dev->unmapped[bar] += !mapped;
}

static inline uint32_t test_config_read(struct pci_device *pci, unsigned off, unsigned size,
					uint32_t value)
{
	(void)pci;
	g_assert_cmpuint(off % size, ==, 0);
	/* One register of its own that is not what was written. */
	return (off & ~3u) == 0xf0 ? ~value : value;
}

static inline void test_config_written(struct pci_device *pci, unsigned off, unsigned size)
{
	g_assert_cmpuint(off % size, ==, 0);
	test_device_of(pci)->written++;
	test_device_of(pci)->written_off = off;
}

static inline void test_msix_changed(struct pci_device *pci, unsigned vector)
{
	(void)vector;
	__atomic_fetch_add(&test_device_of(pci)->changed, 1, __ATOMIC_RELAXED);
}

static inline void test_reset(struct pci_device *pci)
{
	for (unsigned bar = 0; bar < PCI_BARS; bar++)
		g_assert_false(pci->bar[bar].mapped);
	test_device_of(pci)->resets++;
}

static inline void test_free(struct pci_device *pci)
{
	struct test_device *dev = test_device_of(pci);

	g_assert_null(pci->bus);
	for (unsigned bar = 0; bar < PCI_BARS; bar++)
		g_assert_cmpuint(dev->mapped[bar], ==, dev->unmapped[bar]);
	/* Interrupts come to nothing. */
	pci_irq_set(pci, true);
	pci_msix_notify(pci, 0);
	if (dev->freed)
		++*dev->freed;
	pci_device_release(pci);
	g_free(dev);
}

static const struct pci_device_ops test_device_ops = {
	.config_read = test_config_read,
	.config_written = test_config_written,
	.bar_mapped = test_bar_mapped,
	.msix_changed = test_msix_changed,
	.reset = test_reset,
	.free = test_free,
};

/* The device without BARs. */
static inline struct test_device *test_device_new(uint8_t number, bool express)
{
	struct test_device *dev = g_new0(struct test_device, 1);

	dev->number = number;
	pci_device_init(&dev->pci, &test_device_ops,
			&(struct pci_ids){
				.vendor = 0x1234,
				.device = (uint16_t)(0x5600 + number),
				.subsystem_vendor = 0x9abc,
				.subsystem = 0xdef0,
				.class_code = 0x018000,
				.revision = 3,
				.express = express,
				.intx = true,
			});
	return dev;
}

static inline void test_add_bar(struct test_device *dev, unsigned bar, uint64_t size,
				unsigned flags)
{
	static const char *const names[PCI_BARS] = { "0", "1", "2", "3", "4", "5" };

	dev->range[bar] = (struct io_range){ .ops = &test_bar_ops, .name = names[bar] };
	pci_add_bar(&dev->pci, bar, size, flags, &dev->range[bar]);
}

/* Configuration as a guest reaches it: by ECAM. */
static inline uint64_t test_config_at(unsigned slot, unsigned off)
{
	return TEST_ECAM + (slot << 15) + off;
}

static inline uint32_t test_get(struct test_bus *t, unsigned slot, unsigned off, unsigned size)
{
	return (uint32_t)io_read(t->mmio, test_config_at(slot, off), size);
}

static inline void test_set(struct test_bus *t, unsigned slot, unsigned off, unsigned size,
			    uint32_t value)
{
	io_write(t->mmio, test_config_at(slot, off), size, value);
}

/* And by the ports. */
static inline uint32_t test_in(struct test_bus *t, uint32_t address, unsigned off, unsigned size)
{
	io_write(t->pio, 0xcf8, 4, address);
	return (uint32_t)io_read(t->pio, 0xcfc + off, size);
}

#endif
