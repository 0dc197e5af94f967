/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-i6300esb.c - the watchdog as Linux's driver (drivers/watchdog/i6300esb.c) drives it
 */
#include "dev/i6300esb.h"

#include "fake-pci.h"

enum {
	ESB_CONFIG = 0x60,
	ESB_LOCK = 0x68,
	ESB_TIMER1 = 0x0,
	ESB_TIMER2 = 0x4,
	ESB_RELOAD = 0xc,
	ESB_ENABLE = 2,
	ESB_LOCKED = 1,
	ESB_FREE_RUNNING = 4,
	ESB_NOW = 0x100,
	ESB_TIMED_OUT = 0x200,
};

#define SECOND UINT64_C(1000000000)

struct dog {
	struct fake_pci pci;
	struct fake_clock clock;
	unsigned expired;
};

static void on_expired(void *opaque)
{
	((struct dog *)opaque)->expired++;
}

static void setup(struct dog *dog)
{
	*dog = (struct dog){ .expired = 0 };
	fake_clock_init(&dog->clock);
	fake_pci_init(&dog->pci, i6300esb_new(&(struct i6300esb_config){
					 .clock = &dog->clock.clock,
					 .expired = on_expired,
					 .opaque = dog,
				 }));
}

static void teardown(struct dog *dog)
{
	fake_pci_release(&dog->pci);
	for (unsigned i = 0; i < FAKE_TIMERS; i++)
		g_assert_false(dog->clock.timer[i].used);
}

static void mmio_set(struct dog *dog, unsigned off, unsigned size, uint32_t value)
{
	io_write(dog->pci.mmio, dog->pci.bar0 + off, size, value);
}

static uint32_t mmio_get(struct dog *dog, unsigned off, unsigned size)
{
	return (uint32_t)io_read(dog->pci.mmio, dog->pci.bar0 + off, size);
}

static void unlock(struct dog *dog)
{
	mmio_set(dog, ESB_RELOAD, 2, 0x80);
	mmio_set(dog, ESB_RELOAD, 2, 0x86);
}

static void feed(struct dog *dog)
{
	unlock(dog);
	mmio_set(dog, ESB_RELOAD, 2, ESB_NOW);
}

static void set_heartbeat(struct dog *dog, unsigned seconds)
{
	feed(dog);
	unlock(dog);
	mmio_set(dog, ESB_TIMER1, 4, seconds << 9);
	unlock(dog);
	mmio_set(dog, ESB_TIMER2, 4, seconds << 9);
	feed(dog);
}

/* esb_initdevice(); what it finds about the last start. */
static bool init_device(struct dog *dog, unsigned seconds)
{
	bool timed_out;

	fake_pci_set(&dog->pci, ESB_CONFIG, 2, 0x0003);
	g_assert_cmphex(fake_pci_get(&dog->pci, ESB_LOCK, 1) & ESB_LOCKED, ==, 0);
	fake_pci_set(&dog->pci, ESB_LOCK, 1, 0);
	unlock(dog);
	timed_out = mmio_get(dog, ESB_RELOAD, 2) & ESB_TIMED_OUT;
	unlock(dog);
	mmio_set(dog, ESB_RELOAD, 2, ESB_TIMED_OUT | ESB_NOW);
	set_heartbeat(dog, seconds);
	return timed_out;
}

static void start(struct dog *dog, unsigned lock)
{
	feed(dog);
	fake_pci_set(&dog->pci, ESB_LOCK, 1, ESB_ENABLE | lock);
}

static void test_linux(void)
{
	struct dog dog;

	setup(&dog);
	g_assert_cmphex(fake_pci_get(&dog.pci, PCI_VENDOR, 4), ==, 0x25ab8086);
	g_assert_false(init_device(&dog, 30));
	fake_clock_advance(&dog.clock, 1000 * SECOND);
	g_assert_cmpuint(dog.expired, ==, 0);
	start(&dog, 0);
	g_assert_cmphex(fake_pci_get(&dog.pci, ESB_LOCK, 1), ==, ESB_ENABLE);
	for (unsigned i = 0; i < 20; i++) {
		fake_clock_advance(&dog.clock, 29 * SECOND);
		g_assert_cmpuint(dog.expired, ==, 0);
		feed(&dog);
	}
	/* 2 * 30 * 512 ticks of 2^15 / 33 MHz are 30.5 s. */
	fake_clock_advance(&dog.clock, 30 * SECOND);
	g_assert_cmpuint(dog.expired, ==, 0);
	fake_clock_advance(&dog.clock, SECOND);
	g_assert_cmpuint(dog.expired, ==, 1);
	/* Once. */
	fake_clock_advance(&dog.clock, 100 * SECOND);
	feed(&dog);
	fake_clock_advance(&dog.clock, 100 * SECOND);
	g_assert_cmpuint(dog.expired, ==, 1);
	g_assert_cmphex(fake_pci_get(&dog.pci, ESB_LOCK, 1), ==, 0);

	/* The next kernel hears of it, the one after that does not. */
	pci_bus_reset(dog.pci.bus);
	g_assert_true(init_device(&dog, 30));
	pci_bus_reset(dog.pci.bus);
	g_assert_false(init_device(&dog, 1));
	start(&dog, 0);
	fake_clock_advance(&dog.clock, 2 * SECOND);
	g_assert_cmpuint(dog.expired, ==, 2);
	teardown(&dog);
}

static void test_stop(void)
{
	struct dog dog;

	setup(&dog);
	init_device(&dog, 10);
	start(&dog, 0);
	fake_clock_advance(&dog.clock, 9 * SECOND);
	feed(&dog);
	fake_pci_set(&dog.pci, ESB_LOCK, 1, 0);
	g_assert_cmphex(fake_pci_get(&dog.pci, ESB_LOCK, 1), ==, 0);
	fake_clock_advance(&dog.clock, 100 * SECOND);
	g_assert_cmpuint(dog.expired, ==, 0);
	/* No way out: the lock holds until a reset. */
	start(&dog, ESB_LOCKED);
	fake_pci_set(&dog.pci, ESB_LOCK, 1, 0);
	g_assert_cmphex(fake_pci_get(&dog.pci, ESB_LOCK, 1), ==, ESB_ENABLE | ESB_LOCKED);
	fake_pci_set(&dog.pci, ESB_LOCK, 4, 0);
	fake_clock_advance(&dog.clock, 11 * SECOND);
	g_assert_cmpuint(dog.expired, ==, 1);
	pci_bus_reset(dog.pci.bus);
	init_device(&dog, 10);
	start(&dog, ESB_LOCKED);
	pci_bus_reset(dog.pci.bus);
	g_assert_cmphex(fake_pci_get(&dog.pci, ESB_LOCK, 4), ==, 0);
	fake_clock_advance(&dog.clock, 100 * SECOND);
	g_assert_cmpuint(dog.expired, ==, 1);
	teardown(&dog);
}

/* Writes count only behind the whole sequence, one each. */
static void test_unlock(void)
{
	struct dog dog;

	setup(&dog);
	g_assert_cmphex(mmio_get(&dog, ESB_TIMER1, 4), ==, 0xfffff);
	mmio_set(&dog, ESB_TIMER1, 4, 1);
	mmio_set(&dog, ESB_RELOAD, 2, 0x86);
	mmio_set(&dog, ESB_TIMER1, 4, 1);
	mmio_set(&dog, ESB_RELOAD, 2, 0x80);
	mmio_set(&dog, ESB_TIMER1, 4, 1);
	mmio_set(&dog, ESB_RELOAD, 2, 0x86);
	mmio_set(&dog, ESB_TIMER1, 4, 1);
	g_assert_cmphex(mmio_get(&dog, ESB_TIMER1, 4), ==, 0xfffff);
	unlock(&dog);
	unlock(&dog);
	mmio_set(&dog, ESB_TIMER1, 4, 0xfff12345);
	mmio_set(&dog, ESB_TIMER2, 4, 1);
	g_assert_cmphex(mmio_get(&dog, ESB_TIMER1, 4), ==, 0x12345);
	g_assert_cmphex(mmio_get(&dog, ESB_TIMER2, 4), ==, 0xfffff);
	/* By bytes. */
	mmio_set(&dog, ESB_RELOAD, 1, 0x80);
	mmio_set(&dog, ESB_RELOAD, 1, 0x86);
	mmio_set(&dog, ESB_TIMER2, 4, 7);
	g_assert_cmphex(mmio_get(&dog, ESB_TIMER2, 4), ==, 7);
	/* All offsets by all widths are harmless. */
	for (unsigned size = 1; size <= 8; size *= 2) {
		for (unsigned off = 0; off + size <= 16; off++) {
			unlock(&dog);
			mmio_set(&dog, off, size, 0xffffffff);
			(void)mmio_get(&dog, off, size);
		}
	}
	teardown(&dog);
}

static void test_prescaler(void)
{
	struct dog dog;

	setup(&dog);
	init_device(&dog, 30);
	fake_pci_set(&dog.pci, ESB_CONFIG, 2, 0x0007);
	g_assert_cmphex(fake_pci_get(&dog.pci, ESB_CONFIG, 2), ==, 0x0007);
	start(&dog, 0);
	/* 1024 times faster: 29.8 ms. */
	fake_clock_advance(&dog.clock, 29 * SECOND / 1000);
	g_assert_cmpuint(dog.expired, ==, 0);
	fake_clock_advance(&dog.clock, SECOND / 1000);
	g_assert_cmpuint(dog.expired, ==, 1);
	/* Free running has one stage. */
	fake_pci_set(&dog.pci, ESB_LOCK, 1, 0);
	start(&dog, ESB_FREE_RUNNING);
	fake_clock_advance(&dog.clock, 15 * SECOND / 1000);
	g_assert_cmpuint(dog.expired, ==, 2);
	/* Without its output nobody is told, but the driver can see it. */
	fake_pci_set(&dog.pci, ESB_CONFIG, 2, 0xffff);
	g_assert_cmphex(fake_pci_get(&dog.pci, ESB_CONFIG, 2), ==, 0x0027);
	unlock(&dog);
	mmio_set(&dog, ESB_RELOAD, 2, ESB_TIMED_OUT);
	g_assert_cmphex(mmio_get(&dog, ESB_RELOAD, 2), ==, 0);
	start(&dog, 0);
	fake_clock_advance(&dog.clock, SECOND);
	g_assert_cmpuint(dog.expired, ==, 2);
	g_assert_cmphex(mmio_get(&dog, ESB_RELOAD, 2), ==, ESB_TIMED_OUT);
	teardown(&dog);
}

static void test_hold(void)
{
	struct dog dog;

	setup(&dog);
	init_device(&dog, 10);
	start(&dog, 0);
	fake_clock_advance(&dog.clock, 8 * SECOND);
	i6300esb_hold(dog.pci.dev, true);
	i6300esb_hold(dog.pci.dev, true);
	fake_clock_advance(&dog.clock, 1000 * SECOND);
	g_assert_cmpuint(dog.expired, ==, 0);
	i6300esb_hold(dog.pci.dev, false);
	i6300esb_hold(dog.pci.dev, false);
	fake_clock_advance(&dog.clock, SECOND);
	g_assert_cmpuint(dog.expired, ==, 0);
	fake_clock_advance(&dog.clock, 2 * SECOND);
	g_assert_cmpuint(dog.expired, ==, 1);
	teardown(&dog);
}

/* A timer that goes off although it was set anew meanwhile does nothing. */
static void test_early(void)
{
	struct dog dog;

	setup(&dog);
	init_device(&dog, 10);
	start(&dog, 0);
	fake_clock_advance(&dog.clock, 7 * SECOND);
	feed(&dog);
	for (unsigned i = 0; i < FAKE_TIMERS; i++) {
		if (dog.clock.timer[i].used)
			dog.clock.timer[i].timer.fn(dog.clock.timer[i].timer.opaque);
	}
	fake_clock_advance(&dog.clock, 9 * SECOND);
	g_assert_cmpuint(dog.expired, ==, 0);
	fake_clock_advance(&dog.clock, 2 * SECOND);
	g_assert_cmpuint(dog.expired, ==, 1);
	teardown(&dog);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/i6300esb/linux", test_linux);
	g_test_add_func("/i6300esb/stop", test_stop);
	g_test_add_func("/i6300esb/unlock", test_unlock);
	g_test_add_func("/i6300esb/prescaler", test_prescaler);
	g_test_add_func("/i6300esb/hold", test_hold);
	g_test_add_func("/i6300esb/early", test_early);
	return g_test_run();
}
