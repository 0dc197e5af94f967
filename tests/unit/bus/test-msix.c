/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-msix.c - MSI-X: the table by all widths, masks, pending bits, INTx beside it
 */
#include "bus/pci.h"

#include "base/thread.h"

#include "pci-test.h"

enum {
	SLOT = 4,
	VECTORS = 70,
	CAP = 0x40,
	CONTROL = CAP + 2,
	ENABLE = 0x8000,
	MASK_ALL = 0x4000,
};

#define TABLE   0xd0000000ull
#define PENDING 0xd0000800ull

static struct test_device *start_with(struct test_bus *t, unsigned vectors)
{
	struct test_device *dev = test_device_new(1, false);

	test_bus_init(t);
	pci_add_msix(&dev->pci, 1, vectors);
	g_assert_true(pci_plug(t->bus, &dev->pci, SLOT, NULL));
	test_set(t, SLOT, PCI_BAR0 + 4, 4, (uint32_t)TABLE);
	test_set(t, SLOT, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	return dev;
}

static struct test_device *start(struct test_bus *t)
{
	return start_with(t, VECTORS);
}

static void set_vector(struct test_bus *t, unsigned vector, bool masked)
{
	io_write(t->mmio, TABLE + vector * 16, 4, 0xfee00000 | vector << 12);
	io_write(t->mmio, TABLE + vector * 16 + 4, 4, 0);
	io_write(t->mmio, TABLE + vector * 16 + 8, 4, 0x4000 + vector);
	io_write(t->mmio, TABLE + vector * 16 + 12, 4, masked);
}

static bool pending(struct test_bus *t, unsigned vector)
{
	return io_read(t->mmio, PENDING + vector / 64 * 8, 8) >> vector % 64 & 1;
}

static void expect_last(struct test_bus *t, unsigned messages, unsigned vector)
{
	const struct test_message *last = &t->sink.message[(messages - 1) % TEST_MESSAGES];

	g_assert_cmpuint(t->sink.messages, ==, messages);
	g_assert_cmphex(last->addr, ==, 0xfee00000 | vector << 12);
	g_assert_cmphex(last->data, ==, 0x4000 + vector);
}

static void test_capability(void)
{
	static const struct {
		unsigned vectors;
		uint32_t size;
	} sizes[] = { { 1, 0x1000 },    { 128, 0x1000 },   { 129, 0x2000 },
		      { 1024, 0x8000 }, { 2047, 0x10000 }, { 2048, 0x10000 } };
	struct test_bus t;

	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
		uint32_t size = sizes[i].size, last = (sizes[i].vectors - 1) / 64 * 8;

		start_with(&t, sizes[i].vectors);
		g_assert_cmphex(test_get(&t, SLOT, PCI_CAPABILITIES, 1), ==, CAP);
		g_assert_cmphex(test_get(&t, SLOT, CAP, 4), ==,
				(sizes[i].vectors - 1) << 16 | 0x11);
		g_assert_cmphex(test_get(&t, SLOT, CAP + 4, 4), ==, 1);
		g_assert_cmphex(test_get(&t, SLOT, CAP + 8, 4), ==, size / 2 + 1);
		test_set(&t, SLOT, CONTROL, 2, 0xffff);
		g_assert_cmphex(test_get(&t, SLOT, CONTROL, 2), ==,
				0xc000 | (sizes[i].vectors - 1));
		test_set(&t, SLOT, CAP + 4, 4, 0xffffffff);
		g_assert_cmphex(test_get(&t, SLOT, CAP + 4, 4), ==, 1);
		test_set(&t, SLOT, PCI_BAR0 + 4, 4, 0xffffffff);
		g_assert_cmphex(~test_get(&t, SLOT, PCI_BAR0 + 4, 4) + 1, ==, size);
		test_set(&t, SLOT, PCI_BAR0 + 4, 4, (uint32_t)TABLE);
		/* Masked when new; behind the end there is nothing. */
		g_assert_cmphex(io_read(t.mmio, TABLE + (sizes[i].vectors - 1) * 16 + 12, 4), ==,
				1);
		if (sizes[i].vectors * 16 < size / 2)
			g_assert_cmphex(io_read(t.mmio, TABLE + sizes[i].vectors * 16 + 12, 4), ==,
					0);
		g_assert_cmphex(io_read(t.mmio, TABLE + size / 2 + last, 8), ==, 0);
		g_assert_cmphex(io_read(t.mmio, TABLE + size - 8, 8), ==, 0);
		g_assert_cmphex(io_read(t.mmio, TABLE + size, 4), ==, 0xffffffff);
		test_bus_release(&t);
	}
}

/* Each offset by each width: only 4 and 8 bytes at multiples of themselves write, and only there. */
static void test_matrix(void)
{
	static const uint8_t kept[16] = { 0xfc, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
					  0xff, 0xff, 0xff, 0xff, 0x01, 0,    0,    0 };
	struct test_bus t;

	start(&t);
	for (unsigned size = 1; size <= 8; size *= 2) {
		for (unsigned off = 0; off <= 0x1000 - size; off++) {
			bool counts = size >= 4 && off % size == 0 && off < VECTORS * 16;

			io_write(t.mmio, TABLE + off, size, UINT64_MAX);
			for (unsigned i = 0; i < size; i++) {
				uint8_t want = counts ? kept[(off + i) % 16] : 0;

				if (!counts && off + i < VECTORS * 16 && (off + i) % 16 == 12)
					want = 1; /* as it was */
				g_assert_cmphex(io_read(t.mmio, TABLE + off + i, 1), ==, want);
			}
			g_assert_cmphex(io_read(t.mmio, PENDING, 8), ==, 0);
			g_assert_cmphex(io_read(t.mmio, PENDING + 8, 8), ==, 0);
			if (!counts)
				continue;
			io_write(t.mmio, TABLE + off, size, 0);
			g_assert_cmphex(io_read(t.mmio, TABLE + off, size), ==, 0);
			io_write(t.mmio, TABLE + (off & ~15u) + 12, 4, 1);
		}
	}
	/* Reads of every width put together the same bytes. */
	io_write(t.mmio, TABLE + 32, 8, 0x1122334455667788);
	io_write(t.mmio, TABLE + 40, 8, 0x99aabbccddeeff00);
	g_assert_cmphex(io_read(t.mmio, TABLE + 32, 8), ==, 0x1122334455667788);
	g_assert_cmphex(io_read(t.mmio, TABLE + 36, 4), ==, 0x11223344);
	g_assert_cmphex(io_read(t.mmio, TABLE + 37, 2), ==, 0x2233);
	g_assert_cmphex(io_read(t.mmio, TABLE + 35, 8), ==, 0xeeff001122334455);
	g_assert_cmphex(io_read(t.mmio, TABLE + 44, 4), ==, 0);
	test_bus_release(&t);
}

static void test_send(void)
{
	struct test_device *dev;
	struct test_bus t;

	dev = start(&t);
	set_vector(&t, 3, false);
	set_vector(&t, 69, false);
	/* Off: nothing, and nothing to come. */
	g_assert_false(pci_msix_enabled(&dev->pci));
	pci_msix_notify(&dev->pci, 3);
	test_set(&t, SLOT, CONTROL, 2, ENABLE);
	g_assert_true(pci_msix_enabled(&dev->pci));
	g_assert_cmpuint(t.sink.messages, ==, 0);
	pci_msix_notify(&dev->pci, 3);
	expect_last(&t, 1, 3);
	pci_msix_notify(&dev->pci, 69);
	expect_last(&t, 2, 69);
	pci_msix_notify(&dev->pci, VECTORS);
	pci_msix_notify(&dev->pci, PCI_MSIX_NONE);
	pci_msix_notify(&dev->pci, UINT32_MAX);
	expect_last(&t, 2, 69);
	/* All 64 bits of an address. */
	io_write(t.mmio, TABLE + 3 * 16 + 4, 4, 0x12345678);
	pci_msix_notify(&dev->pci, 3);
	g_assert_cmphex(t.sink.message[2].addr, ==, 0x12345678fee03000);
	test_bus_release(&t);
}

static void test_vector_mask(void)
{
	struct test_device *dev;
	struct test_bus t;

	dev = start(&t);
	test_set(&t, SLOT, CONTROL, 2, ENABLE);
	set_vector(&t, 65, true);
	pci_msix_notify(&dev->pci, 65);
	pci_msix_notify(&dev->pci, 65);
	g_assert_true(pending(&t, 65));
	g_assert_false(pending(&t, 1));
	/* The pending bits are not the guest's to write. */
	io_write(t.mmio, PENDING + 8, 8, 0);
	io_write(t.mmio, PENDING, 4, 0xffffffff);
	g_assert_cmphex(io_read(t.mmio, PENDING, 8), ==, 0);
	g_assert_cmphex(io_read(t.mmio, PENDING + 8, 4), ==, 2);
	g_assert_cmpuint(t.sink.messages, ==, 0);
	/* Pointed elsewhere and unmasked at once: it goes where it is to go now, once. */
	io_write(t.mmio, TABLE + 65 * 16 + 8, 8, 0x4041);
	expect_last(&t, 1, 65);
	g_assert_false(pending(&t, 65));
	io_write(t.mmio, TABLE + 65 * 16 + 12, 4, 1);
	io_write(t.mmio, TABLE + 65 * 16 + 12, 4, 0);
	expect_last(&t, 1, 65);
	g_assert_cmpuint(dev->changed, >=, 5);
	test_bus_release(&t);
}

static void test_function_mask(void)
{
	struct test_device *dev;
	struct test_bus t;

	dev = start(&t);
	test_set(&t, SLOT, CONTROL, 2, ENABLE | MASK_ALL);
	set_vector(&t, 0, false);
	set_vector(&t, 1, true);
	set_vector(&t, 66, false);
	for (unsigned i = 0; i < VECTORS; i++)
		pci_msix_notify(&dev->pci, i);
	g_assert_cmphex(io_read(t.mmio, PENDING, 8), ==, UINT64_MAX);
	g_assert_cmphex(io_read(t.mmio, PENDING + 8, 8), ==, 0x3f);
	io_write(t.mmio, TABLE + 12, 4, 0);
	g_assert_cmpuint(t.sink.messages, ==, 0);
	test_set(&t, SLOT, CONTROL + 1, 1, ENABLE >> 8);
	g_assert_cmpuint(t.sink.messages, ==, 2);
	g_assert_cmphex(t.sink.message[0].data, ==, 0x4000);
	expect_last(&t, 2, 66);
	g_assert_true(pending(&t, 1));
	/* Switched off, all is forgotten. */
	test_set(&t, SLOT, CONTROL, 2, 0);
	g_assert_false(pending(&t, 1));
	test_set(&t, SLOT, CONTROL, 2, ENABLE);
	set_vector(&t, 1, false);
	g_assert_cmpuint(t.sink.messages, ==, 2);
	test_bus_release(&t);
}

/* A message is a write of the device: it waits until the device may. */
static void test_master(void)
{
	struct test_device *dev;
	struct test_bus t;

	dev = start(&t);
	test_set(&t, SLOT, CONTROL, 2, ENABLE);
	set_vector(&t, 2, false);
	test_set(&t, SLOT, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	pci_msix_notify(&dev->pci, 2);
	g_assert_cmpuint(t.sink.messages, ==, 0);
	g_assert_true(pending(&t, 2));
	test_set(&t, SLOT, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	expect_last(&t, 1, 2);
	test_bus_release(&t);
}

static void test_beside_intx(void)
{
	struct test_device *dev;
	struct test_bus t;

	dev = start(&t);
	pci_irq_set(&dev->pci, true);
	g_assert_true(t.sink.level[TEST_GSI]);
	test_set(&t, SLOT, CONTROL, 2, ENABLE);
	g_assert_false(t.sink.level[TEST_GSI]);
	test_set(&t, SLOT, CONTROL, 2, 0);
	g_assert_true(t.sink.level[TEST_GSI]);
	test_bus_release(&t);
}

static void test_reset_and_unplug(void)
{
	struct test_device *dev;
	struct test_bus t;

	dev = start(&t);
	test_set(&t, SLOT, CONTROL, 2, ENABLE | MASK_ALL);
	set_vector(&t, 0, false);
	pci_msix_notify(&dev->pci, 0);
	pci_bus_reset(t.bus);
	g_assert_false(pci_msix_enabled(&dev->pci));
	g_assert_cmphex(test_get(&t, SLOT, CONTROL, 2), ==, VECTORS - 1);
	test_set(&t, SLOT, PCI_BAR0 + 4, 4, (uint32_t)TABLE);
	g_assert_cmphex(io_read(t.mmio, TABLE, 8), ==, 0);
	g_assert_cmphex(io_read(t.mmio, TABLE + 8, 8), ==, 1ull << 32);
	g_assert_false(pending(&t, 0));
	test_set(&t, SLOT, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	test_set(&t, SLOT, CONTROL, 2, ENABLE);
	set_vector(&t, 0, false);
	pci_msix_notify(&dev->pci, 0);
	expect_last(&t, 1, 0);
	pci_unplug(t.bus, &dev->pci); /* which tries to notify */
	expect_last(&t, 1, 0);
	g_assert_cmphex(io_read(t.mmio, TABLE, 4), ==, 0xffffffff);
	test_bus_release(&t);
}

/* A loop notifies while the guest masks and unmasks: the last one is never lost. */
struct notifier {
	struct pci_device *pci;
	unsigned rounds;
};

static void notifier_main(void *arg)
{
	struct notifier *n = arg;

	for (unsigned i = 0; i < n->rounds; i++)
		pci_msix_notify(n->pci, 5);
}

static void test_threads(void)
{
	struct test_device *dev;
	struct notifier n;
	struct thread *thread;
	struct test_bus t;
	unsigned before;

	dev = start(&t);
	test_set(&t, SLOT, CONTROL, 2, ENABLE);
	set_vector(&t, 5, false);
	n = (struct notifier){ &dev->pci, 5000 };
	thread = thread_start("notifier", notifier_main, &n, NULL);
	g_assert_nonnull(thread);
	for (unsigned i = 0; i < 1000; i++) {
		io_write(t.mmio, TABLE + 5 * 16 + 12, 4, 1);
		/* Once this has returned no message is on its way. */
		pthread_mutex_lock(&t.sink.lock);
		before = t.sink.messages;
		pthread_mutex_unlock(&t.sink.lock);
		(void)io_read(t.mmio, PENDING, 8);
		pthread_mutex_lock(&t.sink.lock);
		g_assert_cmpuint(t.sink.messages, ==, before);
		pthread_mutex_unlock(&t.sink.lock);
		io_write(t.mmio, TABLE + 5 * 16 + 12, 4, 0);
		test_set(&t, SLOT, CONTROL, 2, ENABLE | (i % 2 ? MASK_ALL : 0));
	}
	test_set(&t, SLOT, CONTROL, 2, ENABLE);
	thread_join(thread);
	g_assert_false(pending(&t, 5));
	expect_last(&t, t.sink.messages, 5);
	test_bus_release(&t);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/msix/capability", test_capability);
	g_test_add_func("/msix/matrix", test_matrix);
	g_test_add_func("/msix/send", test_send);
	g_test_add_func("/msix/vector-mask", test_vector_mask);
	g_test_add_func("/msix/function-mask", test_function_mask);
	g_test_add_func("/msix/master", test_master);
	g_test_add_func("/msix/beside-intx", test_beside_intx);
	g_test_add_func("/msix/reset-and-unplug", test_reset_and_unplug);
	g_test_add_func("/msix/threads", test_threads);
	return g_test_run();
}
