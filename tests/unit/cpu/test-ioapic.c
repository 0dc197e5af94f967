/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-ioapic.c - I/O APIC: registers, edge and level, masks, remote IRR, state
 */
#include "cpu/ioapic.h"

#include <sched.h>
#include <string.h>

#include "base/error.h"
#include "base/thread.h"
#include "cpu/cpu.h"
#include "fake-lapics.h"

enum {
	PIN = 4,
	VECTOR = 0x34,
	LEVEL = 0x8000,
	REMOTE_IRR = 0x4000,
	LOGICAL = 0x800,
};

struct board {
	struct io_space *mmio;
	struct fake *fake;
	struct ioapic *ioapic;
};

static void on_eoi(void *opaque, uint8_t vector)
{
	ioapic_eoi(opaque, vector);
}

static struct board *board_new(unsigned cpus)
{
	struct board *b = g_new0(struct board, 1);

	b->mmio = io_space_new("mmio", UINT64_MAX);
	b->fake = fake_new(cpus);
	b->ioapic = ioapic_new(b->mmio, b->fake->set, NULL);
	g_assert_nonnull(b->ioapic);
	b->fake->on_eoi = on_eoi;
	b->fake->on_eoi_opaque = b->ioapic;
	return b;
}

static void board_free(struct board *b)
{
	ioapic_free(b->ioapic);
	fake_free(b->fake);
	io_space_free(b->mmio);
	g_free(b);
}
DEFINE_AUTOPTR(board, board_free);

static uint32_t reg_read(struct board *b, uint32_t index)
{
	io_write(b->mmio, IOAPIC_BASE, 4, index);
	return (uint32_t)io_read(b->mmio, IOAPIC_BASE + 0x10, 4);
}

static void reg_write(struct board *b, uint32_t index, uint32_t value)
{
	io_write(b->mmio, IOAPIC_BASE, 4, index);
	io_write(b->mmio, IOAPIC_BASE + 0x10, 4, value);
}

static uint32_t redir(struct board *b, unsigned pin)
{
	return reg_read(b, 0x10 + 2 * pin);
}

static void set_redir(struct board *b, unsigned pin, uint32_t high, uint32_t low)
{
	reg_write(b, 0x11 + 2 * pin, high);
	reg_write(b, 0x10 + 2 * pin, low);
}

static void test_registers(void)
{
	autoptr(board) b = board_new(1);

	g_assert_cmphex(reg_read(b, 1), ==, 0x00170011);
	g_assert_cmphex(reg_read(b, 0), ==, 0);
	reg_write(b, 0, UINT32_MAX);
	g_assert_cmphex(reg_read(b, 0), ==, 0x0f000000);
	g_assert_cmphex(reg_read(b, 2), ==, 0x0f000000);
	reg_write(b, 1, 0);
	g_assert_cmphex(reg_read(b, 1), ==, 0x00170011);
	for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
		g_assert_cmphex(redir(b, pin), ==, MASKED);
		g_assert_cmphex(reg_read(b, 0x11 + 2 * pin), ==, 0);
	}
	/* Delivery status and remote IRR are read only, what is reserved is zero. */
	set_redir(b, PIN, UINT32_MAX, UINT32_MAX);
	g_assert_cmphex(redir(b, PIN), ==, 0x1afff);
	g_assert_cmphex(reg_read(b, 0x11 + 2 * PIN), ==, 0xff000000);
	/* The select register, beyond the last entry, between registers. */
	g_assert_cmphex(io_read(b->mmio, IOAPIC_BASE, 4), ==, 0x11 + 2 * PIN);
	reg_write(b, 0x40, 0x1234);
	g_assert_cmphex(reg_read(b, 0x40), ==, 0);
	g_assert_cmphex(reg_read(b, 0xff), ==, 0);
	g_assert_cmphex(reg_read(b, 3), ==, 0);
	g_assert_cmphex(io_read(b->mmio, IOAPIC_BASE + 0x40, 4), ==, 0);
	io_write(b->mmio, IOAPIC_BASE + 0x40, 4, VECTOR); /* version 0x11: no EOI register */
	g_assert_cmphex(io_read(b->mmio, IOAPIC_BASE + 4, 4), ==, 0);

	ioapic_reset(b->ioapic);
	g_assert_cmphex(reg_read(b, 0), ==, 0);
	g_assert_cmphex(redir(b, PIN), ==, MASKED);
}

static void test_place_taken(void)
{
	autoptr(board) b = board_new(1);
	g_autoptr(GError) error = NULL;

	g_assert_null(ioapic_new(b->mmio, b->fake->set, &error));
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_EXISTS);
	g_assert_cmphex(reg_read(b, 1), ==, 0x00170011); /* the first one is still there */
}

static void test_edge(void)
{
	autoptr(board) b = board_new(2);
	struct fake *f = b->fake;

	set_redir(b, PIN, 1u << 24, VECTOR);
	ioapic_set_line(b->ioapic, PIN, true);
	assert_idle(f, 0);
	take(f, 1, VECTOR);
	ioapic_set_line(b->ioapic, PIN, true); /* no edge */
	assert_idle(f, 1);
	ioapic_set_line(b->ioapic, PIN, false);
	assert_idle(f, 1);
	ioapic_set_line(b->ioapic, PIN, true);
	take(f, 1, VECTOR);
	g_assert_cmphex(redir(b, PIN), ==, VECTOR);
	g_assert_cmpuint(f->eois, ==, 0);
	/* Wires that are not there. */
	ioapic_set_line(b->ioapic, IOAPIC_PINS, true);
	ioapic_set_line(b->ioapic, UINT_MAX, true);
	assert_idle(f, 0);
}

static void test_edge_masked(void)
{
	autoptr(board) b = board_new(1);
	struct fake *f = b->fake;

	set_redir(b, PIN, 0, VECTOR | MASKED);
	ioapic_set_line(b->ioapic, PIN, true);
	set_redir(b, PIN, 0, VECTOR);
	assert_idle(f, 0); /* lost */
	ioapic_set_line(b->ioapic, PIN, false);
	ioapic_set_line(b->ioapic, PIN, true);
	take(f, 0, VECTOR);
}

static void test_level(void)
{
	autoptr(board) b = board_new(1);
	struct fake *f = b->fake;

	set_redir(b, PIN, 0, VECTOR | LEVEL);
	ioapic_set_line(b->ioapic, PIN, true);
	g_assert_cmphex(redir(b, PIN), ==, VECTOR | LEVEL | REMOTE_IRR);
	g_assert_cmpint(lapic_ack(apic(f, 0)), ==, VECTOR);
	/* In service: neither again nor anew. */
	ioapic_set_line(b->ioapic, PIN, true);
	ioapic_set_line(b->ioapic, PIN, false);
	ioapic_set_line(b->ioapic, PIN, true);
	lapic_mmio_write(apic(f, 0), EOI, 0);
	g_assert_cmpuint(f->eois, ==, 1);
	/* Still up: fires again, once. */
	g_assert_cmpint(lapic_ack(apic(f, 0)), ==, VECTOR);
	g_assert_cmphex(redir(b, PIN), ==, VECTOR | LEVEL | REMOTE_IRR);
	ioapic_set_line(b->ioapic, PIN, false);
	lapic_mmio_write(apic(f, 0), EOI, 0);
	assert_idle(f, 0);
	g_assert_cmphex(redir(b, PIN), ==, VECTOR | LEVEL);
}

static void test_level_masked(void)
{
	autoptr(board) b = board_new(1);
	struct fake *f = b->fake;

	set_redir(b, PIN, 0, VECTOR | LEVEL | MASKED);
	ioapic_set_line(b->ioapic, PIN, true);
	assert_idle(f, 0);
	set_redir(b, PIN, 0, VECTOR | LEVEL);
	g_assert_cmpint(lapic_ack(apic(f, 0)), ==, VECTOR); /* fires at the unmasking */
	/* Masked by the handler: the EOI clears remote IRR, the unmasking fires. */
	set_redir(b, PIN, 0, VECTOR | LEVEL | MASKED);
	g_assert_cmphex(redir(b, PIN), ==, VECTOR | LEVEL | MASKED | REMOTE_IRR);
	lapic_mmio_write(apic(f, 0), EOI, 0);
	assert_idle(f, 0);
	g_assert_cmphex(redir(b, PIN), ==, VECTOR | LEVEL | MASKED);
	set_redir(b, PIN, 0, VECTOR | LEVEL);
	ioapic_set_line(b->ioapic, PIN, false);
	take(f, 0, VECTOR); /* it was sent already */
	assert_idle(f, 0);
	/* Gone before the unmasking: nothing. */
	set_redir(b, PIN, 0, VECTOR | LEVEL | MASKED);
	ioapic_set_line(b->ioapic, PIN, true);
	ioapic_set_line(b->ioapic, PIN, false);
	set_redir(b, PIN, 0, VECTOR | LEVEL);
	assert_idle(f, 0);
}

/* Polarity: a wire that is true asserts, also where the guest says "active low". */
static void test_polarity(void)
{
	autoptr(board) b = board_new(1);

	set_redir(b, PIN, 0, VECTOR | LEVEL | 0x2000);
	assert_idle(b->fake, 0);
	ioapic_set_line(b->ioapic, PIN, true);
	g_assert_cmpint(lapic_pending(apic(b->fake, 0)), ==, VECTOR);
}

/* How Linux ends a level-triggered interrupt on version 0x11 by hand. */
static void test_remote_irr_by_edge(void)
{
	autoptr(board) b = board_new(1);
	struct fake *f = b->fake;

	set_redir(b, PIN, 0, VECTOR | LEVEL);
	ioapic_set_line(b->ioapic, PIN, true);
	g_assert_cmpint(lapic_ack(apic(f, 0)), ==, VECTOR);
	set_redir(b, PIN, 0, VECTOR | MASKED);
	g_assert_cmphex(redir(b, PIN), ==, VECTOR | MASKED);
	ioapic_set_line(b->ioapic, PIN, false);
	set_redir(b, PIN, 0, VECTOR | LEVEL);
	g_assert_cmphex(redir(b, PIN), ==, VECTOR | LEVEL);
}

/* Two pins with one vector; an EOI of another vector. */
static void test_shared_vector(void)
{
	autoptr(board) b = board_new(1);
	struct fake *f = b->fake;

	set_redir(b, 5, 0, VECTOR | LEVEL);
	set_redir(b, 6, 0, VECTOR | LEVEL);
	set_redir(b, 7, 0, 0x55 | LEVEL);
	ioapic_set_line(b->ioapic, 5, true);
	ioapic_set_line(b->ioapic, 6, true);
	ioapic_set_line(b->ioapic, 7, true);
	g_assert_cmpint(lapic_ack(apic(f, 0)), ==, 0x55);
	ioapic_set_line(b->ioapic, 7, false);
	lapic_mmio_write(apic(f, 0), EOI, 0);
	g_assert_cmphex(redir(b, 5), ==, VECTOR | LEVEL | REMOTE_IRR);
	g_assert_cmphex(redir(b, 7), ==, 0x55 | LEVEL);
	ioapic_set_line(b->ioapic, 5, false);
	take(f, 0, VECTOR);
	g_assert_cmphex(redir(b, 5), ==, VECTOR | LEVEL);
	g_assert_cmphex(redir(b, 6), ==, VECTOR | LEVEL | REMOTE_IRR);
	ioapic_set_line(b->ioapic, 6, false);
	take(f, 0, VECTOR);
	assert_idle(f, 0);
}

static void test_delivery(void)
{
	autoptr(board) b = board_new(4);
	struct fake *f = b->fake;
	uint8_t sipi = 0;

	for (unsigned i = 0; i < 4; i++)
		lapic_mmio_write(apic(f, i), LDR, 1u << (24 + i));
	set_redir(b, 1, 0x06u << 24, VECTOR | LOGICAL);
	ioapic_set_line(b->ioapic, 1, true);
	take(f, 1, VECTOR);
	take(f, 2, VECTOR);
	/* Lowest priority: one of them. */
	set_redir(b, 2, 0x06u << 24, VECTOR | LOGICAL | 0x100);
	ioapic_set_line(b->ioapic, 2, true);
	g_assert_true((lapic_ack(apic(f, 1)) < 0) != (lapic_ack(apic(f, 2)) < 0));
	/* NMI, ExtINT, INIT: always edges; SIPI never. */
	set_redir(b, 3, 3u << 24, 0x400 | LEVEL);
	ioapic_set_line(b->ioapic, 3, true);
	g_assert_cmpuint(lapic_requests(apic(f, 3), &sipi), ==, LAPIC_REQ_NMI);
	set_redir(b, 4, 3u << 24, 0x700);
	ioapic_set_line(b->ioapic, 4, true);
	g_assert_cmpuint(lapic_requests(apic(f, 3), &sipi), ==, LAPIC_REQ_EXTINT);
	set_redir(b, 5, 3u << 24, 0x500);
	ioapic_set_line(b->ioapic, 5, true);
	g_assert_cmpuint(lapic_requests(apic(f, 3), &sipi), ==, LAPIC_REQ_INIT);
	set_redir(b, 6, 3u << 24, 0x610);
	ioapic_set_line(b->ioapic, 6, true);
	g_assert_cmpuint(lapic_requests(apic(f, 3), &sipi), ==, 0);
}

/* Nobody takes it: remote IRR stays clear, so that a later look may send it. */
static void test_nobody(void)
{
	autoptr(board) b = board_new(1);
	struct fake *f = b->fake;

	lapic_mmio_write(apic(f, 0), SVR, 0xff);
	set_redir(b, PIN, 0, VECTOR | LEVEL);
	ioapic_set_line(b->ioapic, PIN, true);
	g_assert_cmphex(redir(b, PIN), ==, VECTOR | LEVEL);
	lapic_mmio_write(apic(f, 0), SVR, ENABLED);
	set_redir(b, PIN, 0, VECTOR | LEVEL);
	take(f, 0, VECTOR);
}

static void test_state(void)
{
	autoptr(board) a = board_new(1);
	autoptr(board) b = board_new(1);
	struct cpu_chip_state state = { 0 }, again = { 0 };
	struct fake *f = b->fake;

	reg_write(a, 0, 0x03000000);
	set_redir(a, PIN, 0, VECTOR | LEVEL);
	set_redir(a, 9, 5u << 24, 0x77);
	ioapic_set_line(a->ioapic, PIN, true);
	ioapic_set_line(a->ioapic, 9, true);
	ioapic_get_state(a->ioapic, &state);
	g_assert_cmphex(state.ioapic_redir[PIN], ==, VECTOR | LEVEL | REMOTE_IRR);
	g_assert_cmphex(state.ioapic_redir[9], ==, UINT64_C(5) << 56 | 0x77);
	g_assert_cmphex(state.ioapic_irr, ==, 1 << PIN | 1 << 9);

	ioapic_set_state(b->ioapic, &state);
	assert_idle(f, 0); /* what is on its way is in the APICs' state */
	ioapic_get_state(b->ioapic, &again);
	g_assert_cmpmem(&again, sizeof(again), &state, sizeof(state));
	/* It goes on: no second edge, and the EOI finds the level still up. */
	ioapic_set_line(b->ioapic, 9, true);
	assert_idle(f, 0);
	ioapic_eoi(b->ioapic, VECTOR);
	g_assert_cmpint(lapic_pending(apic(f, 0)), ==, VECTOR);

	/* Values that cannot be. */
	memset(&state, 0xff, sizeof(state));
	ioapic_set_state(b->ioapic, &state);
	ioapic_get_state(b->ioapic, &again);
	g_assert_cmphex(again.ioapic_id, ==, 0xf);
	g_assert_cmphex(again.ioapic_select, ==, 0xff);
	g_assert_cmphex(again.ioapic_irr, ==, 0xffffff);
	g_assert_cmphex(again.ioapic_redir[0], ==, UINT64_C(0xff) << 56 | 0x1efff);
}

/* A device toggles its wire in another thread while the vCPU handles and ends interrupts. */
enum {
	ROUNDS = 3000
};

struct device {
	struct board *board;
	atomic_uint handled, done;
};

static void device_main(void *arg)
{
	struct device *d = arg;

	for (unsigned i = 0; i < ROUNDS; i++) {
		ioapic_set_line(d->board->ioapic, PIN, true);
		while (atomic_load(&d->handled) == i)
			sched_yield();
	}
	atomic_store(&d->done, 1);
}

static void test_threads(void)
{
	autoptr(board) b = board_new(1);
	struct device device = { .board = b };
	struct lapic *l = apic(b->fake, 0);
	struct thread *thread;

	set_redir(b, PIN, 0, VECTOR | LEVEL);
	thread = thread_start("device", device_main, &device, NULL);
	g_assert_nonnull(thread);
	while (!atomic_load(&device.done)) {
		if (lapic_ack(l) < 0) {
			sched_yield();
			continue;
		}
		/* The handler quiets the device, ends, and only then lets it go on. */
		ioapic_set_line(b->ioapic, PIN, false);
		lapic_mmio_write(l, EOI, 0);
		atomic_fetch_add(&device.handled, 1);
	}
	thread_join(thread);
	g_assert_cmpuint(atomic_load(&device.handled), ==, ROUNDS);
	assert_idle(b->fake, 0);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/ioapic/registers", test_registers);
	g_test_add_func("/ioapic/place-taken", test_place_taken);
	g_test_add_func("/ioapic/edge", test_edge);
	g_test_add_func("/ioapic/edge-masked", test_edge_masked);
	g_test_add_func("/ioapic/level", test_level);
	g_test_add_func("/ioapic/level-masked", test_level_masked);
	g_test_add_func("/ioapic/polarity", test_polarity);
	g_test_add_func("/ioapic/remote-irr-by-edge", test_remote_irr_by_edge);
	g_test_add_func("/ioapic/shared-vector", test_shared_vector);
	g_test_add_func("/ioapic/delivery", test_delivery);
	g_test_add_func("/ioapic/nobody", test_nobody);
	g_test_add_func("/ioapic/state", test_state);
	g_test_add_func("/ioapic/threads", test_threads);
	return g_test_run();
}
