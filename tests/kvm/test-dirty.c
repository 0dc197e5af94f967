/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-dirty.c - on the device: which pages were written, by bitmap and by ring
 */
#include <errno.h>
#include <glib.h>

#include "base/error.h"
#include "base/sys.h"
#include "guest.h"
#include "kvm/kvm.h"

enum {
	PAGES = LOW_RAM_LEN / MEM_PAGE_SIZE,
	WORDS = PAGES / 64,
	FIRST = PAGES_ADDR / MEM_PAGE_SIZE,
	RING = 4096,
};

static bool fetched(const uint64_t *bitmap, unsigned page)
{
	return bitmap[page / 64] >> page % 64 & 1;
}

static unsigned fetched_count(const uint64_t *bitmap)
{
	unsigned n = 0;

	for (unsigned i = 0; i < WORDS; i++)
		n += (unsigned)__builtin_popcountll(bitmap[i]);
	return n;
}

static void fetch(struct guest *guest, uint64_t bitmap[WORDS])
{
	for (unsigned i = 0; i < WORDS; i++)
		bitmap[i] = 0;
	g_assert_cmpint(kvm_cpu_ops.dirty_fetch(guest->engine, 0, PAGES, bitmap), ==, 0);
}

/* A guest that is about to write @pages pages, each @stride-th. */
static struct guest *writing_guest(unsigned pages, unsigned stride)
{
	struct guest *guest = guest_new(1);
	g_autofree struct x86_state *state = g_new0(struct x86_state, 1);

	state->gpr[X86_RSI] = PAGES_ADDR;
	state->gpr[X86_R14] = stride * MEM_PAGE_SIZE;
	state->gpr[X86_R15] = pages;
	atomic_store(&guest->read_value, 0);
	guest_enter(guest, guest_dirty, state);
	return guest;
}

static void check_log(void)
{
	autoptr(guest) guest = writing_guest(10, 3);
	uint64_t bitmap[WORDS];

	g_assert_cmpint(kvm_cpu_ops.dirty_fetch(guest->engine, 0, PAGES, bitmap), ==, -EINVAL);
	g_assert_cmpint(kvm_cpu_ops.dirty_log(guest->engine, true), ==, 0);
	g_assert_cmpint(kvm_cpu_ops.dirty_log(guest->engine, true), ==, 0);
	guest_run(guest);
	/* A device writes too. */
	g_assert_cmpint(mem_write(guest->mem, PAGES_ADDR + 0x1000 + 5, "x", 1), ==, 0);
	fetch(guest, bitmap);
	for (unsigned i = 0; i < 30; i++)
		g_assert_cmpint(fetched(bitmap, FIRST + i), ==, i % 3 == 0 || i == 1);
	/* Clean now, and some of it dirty again. */
	fetch(guest, bitmap);
	g_assert_cmpuint(fetched_count(bitmap), ==, 0);
	guest_enter(guest, guest_io, NULL);
	guest_run(guest);
	fetch(guest, bitmap);
	g_assert_true(fetched(bitmap, DATA / MEM_PAGE_SIZE));
	g_assert_false(fetched(bitmap, FIRST));
	bitmap[0] = 0;
	g_assert_cmpint(kvm_cpu_ops.dirty_fetch(guest->engine, HIGH_RAM, 1, bitmap), ==, 0);
	g_assert_cmphex(bitmap[0], ==, 1);

	/* A part of a region takes nothing from the rest. */
	guest_enter(guest, guest_io, NULL);
	guest_run(guest);
	bitmap[0] = 0;
	g_assert_cmpint(kvm_cpu_ops.dirty_fetch(guest->engine, PAGES_ADDR, 64, bitmap), ==, 0);
	g_assert_cmphex(bitmap[0], ==, 0);
	fetch(guest, bitmap);
	g_assert_true(fetched(bitmap, DATA / MEM_PAGE_SIZE));

	g_assert_cmpint(kvm_cpu_ops.dirty_fetch(guest->engine, LOW_RAM_LEN, 1, bitmap), ==,
			-EFAULT);
	g_assert_cmpint(kvm_cpu_ops.dirty_fetch(guest->engine, 0, UINT64_C(1) << 52 | 1, bitmap),
			==, -EFAULT);

	/* Off and on again: what was written in between is not told. */
	g_assert_cmpint(kvm_cpu_ops.dirty_log(guest->engine, false), ==, 0);
	guest_enter(guest, guest_io, NULL);
	guest_run(guest);
	g_assert_cmpint(kvm_cpu_ops.dirty_log(guest->engine, true), ==, 0);
	fetch(guest, bitmap);
	g_assert_cmpuint(fetched_count(bitmap), ==, 0);
}

/* While the guest writes, over and over: the union of all fetches is what it wrote. */
static void check_running(unsigned pages)
{
	autoptr(guest) guest = writing_guest(pages, 1);
	uint64_t bitmap[WORDS] = { 0 };

	atomic_store(&guest->read_value, 1);
	g_assert_cmpint(kvm_cpu_ops.dirty_log(guest->engine, true), ==, 0);
	guest_start(guest, 0);
	while (atomic_load(&guest->ready) < 3) {
		g_assert_cmpint(kvm_cpu_ops.dirty_fetch(guest->engine, 0, PAGES, bitmap), ==, 0);
		g_usleep(200);
	}
	atomic_store(&guest->read_value, 0);
	g_assert_cmpint(guest_wait(guest, 0), ==, CPU_EXIT_KICKED);
	g_assert_cmpint(kvm_cpu_ops.dirty_fetch(guest->engine, 0, PAGES, bitmap), ==, 0);
	for (unsigned i = 0; i < pages; i++)
		g_assert_true(fetched(bitmap, FIRST + i));
	g_assert_false(fetched(bitmap, FIRST + pages));
}

/* A log that could not be switched on is off. */
static void check_fails(void)
{
	autoptr(guest) guest = writing_guest(10, 1);
	uint64_t bitmap[WORDS];

	for (unsigned nth = 1; nth <= 2; nth++) {
		sys_fail_nth(SYS_IOCTL, nth, ENOMEM);
		g_assert_cmpint(kvm_cpu_ops.dirty_log(guest->engine, true), ==, -ENOMEM);
		g_assert_cmpint(kvm_cpu_ops.dirty_fetch(guest->engine, 0, PAGES, bitmap), ==,
				-EINVAL);
	}
	g_assert_cmpint(kvm_cpu_ops.dirty_log(guest->engine, true), ==, 0);
}

static void test_bitmap(void)
{
	check_log();
}

static void test_bitmap_running(void)
{
	check_running(1500);
}

static void test_bitmap_fails(void)
{
	check_fails();
}

/* Engines from now on have rings; false, and the case is skipped, where KVM has none. */
static bool use_ring(unsigned entries)
{
	autoptr(mem) mem = mem_new();
	const struct cpu_config config = { .cpus = 1, .mem = mem };
	g_autoptr(GError) error = NULL;
	struct cpu_engine *engine;

	kvm_use_dirty_ring(entries);
	engine = kvm_cpu_ops.open(&config, &error);
	if (engine) {
		kvm_cpu_ops.close(engine);
		return true;
	}
	kvm_use_dirty_ring(0);
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_UNSUPPORTED);
	g_test_skip(error->message);
	return false;
}

static void test_ring(void)
{
	if (!use_ring(RING))
		return;
	check_log();
	check_fails();
	kvm_use_dirty_ring(0);
}

/* More pages than the ring has entries: it becomes full, and the vCPU empties it. */
static void test_ring_full(void)
{
	if (!use_ring(1024))
		return;
	check_running(5000);
	kvm_use_dirty_ring(0);
}

static void test_ring_large(void)
{
	autoptr(mem) mem = mem_new();
	const struct cpu_config config = { .cpus = 1, .mem = mem };
	g_autoptr(GError) error = NULL;

	if (!use_ring(RING))
		return;
	kvm_use_dirty_ring(1u << 24);
	g_assert_null(kvm_cpu_ops.open(&config, &error));
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_LIMIT);
	kvm_use_dirty_ring(0);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	guest_need_kvm();
	g_test_add_func("/kvm/dirty/bitmap", test_bitmap);
	g_test_add_func("/kvm/dirty/bitmap-running", test_bitmap_running);
	g_test_add_func("/kvm/dirty/bitmap-fails", test_bitmap_fails);
	g_test_add_func("/kvm/dirty/ring", test_ring);
	g_test_add_func("/kvm/dirty/ring-full", test_ring_full);
	g_test_add_func("/kvm/dirty/ring-large", test_ring_large);
	return g_test_run();
}
