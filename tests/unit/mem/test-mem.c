/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-mem.c - guest memory: regions, look-ups, copies, dirty and code flags
 */
#include "mem/mem.h"

#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "base/sys.h"
#include "base/thread.h"

#define PAGE UINT64_C(4096)

static const uint64_t MiB = 1 << 20;
static const uint64_t GiB = 1 << 30;

/* What the software engine was told. */
struct heard {
	unsigned calls;
	uint64_t gpa, len, sum;
};

static void heard_written(void *opaque, uint64_t gpa, uint64_t len)
{
	struct heard *heard = opaque;

	heard->calls++;
	heard->gpa = gpa;
	heard->len = len;
	heard->sum += len;
}

static const struct mem_code_ops code_ops = { .written = heard_written };

static struct mem *mem_with(uint64_t gpa, uint64_t size)
{
	struct mem *mem = mem_new();
	GError *error = NULL;

	g_assert_true(mem_add_ram(mem, gpa, size, &error));
	g_assert_no_error(error);
	return mem;
}

static unsigned byte_at(const struct mem *mem, uint64_t gpa)
{
	uint8_t byte = 0xff;

	g_assert_cmpint(mem_read(mem, gpa, &byte, 1), ==, 0);
	return byte;
}

static uint64_t dirty_word(struct mem *mem, uint64_t gpa, uint64_t pages)
{
	uint64_t bitmap = 0;

	g_assert_cmpuint(pages, <=, 64);
	mem_dirty_fetch(mem, gpa, pages, &bitmap);
	return bitmap;
}

static void test_regions(void)
{
	autoptr(mem) mem = mem_new();

	g_assert_cmpuint(mem_size(mem), ==, 0);
	g_assert_null(mem_find(mem, 0, 1));
	/* Added in the wrong order, kept in the right one. */
	g_assert_true(mem_add_ram(mem, 4 * GiB, 4 * MiB, NULL));
	g_assert_true(mem_add_ram(mem, 0, 3 * MiB, NULL));
	g_assert_true(mem_add_ram(mem, 1 * GiB, MEM_PAGE_SIZE, NULL));
	g_assert_cmpuint(mem->count, ==, 3);
	g_assert_cmpuint(mem->region[0].gpa, ==, 0);
	g_assert_cmpuint(mem->region[1].gpa, ==, 1 * GiB);
	g_assert_cmpuint(mem->region[2].gpa, ==, 4 * GiB);
	g_assert_cmpuint(mem_size(mem), ==, 7 * MiB + MEM_PAGE_SIZE);

	g_assert_true(mem_find(mem, 3 * MiB - 1, 1) == &mem->region[0]);
	g_assert_null(mem_find(mem, 3 * MiB - 1, 2));
	g_assert_null(mem_find(mem, 3 * MiB, 1));
	g_assert_null(mem_find(mem, 3 * MiB, 0));
	g_assert_true(mem_find(mem, 4 * GiB, 4 * MiB) == &mem->region[2]);
	g_assert_null(mem_find(mem, 4 * GiB, 4 * MiB + 1));
	g_assert_null(mem_find(mem, 4 * GiB - 1, 2));
	/* Sums that overflow. */
	g_assert_null(mem_find(mem, 4 * GiB, UINT64_MAX));
	g_assert_null(mem_find(mem, UINT64_MAX, 2));
	g_assert_null(mem_ptr(mem, UINT64_MAX, 1));
	g_assert_null(mem_ptr_write(mem, 3 * MiB, 1));
	g_assert_null(mem_page_flags(mem, 3 * MiB));
	g_assert_true(mem_ptr(mem, 4096, 1) == mem->region[0].host + 4096);
	g_assert_true(mem_ptr_write(mem, 4 * GiB + 5, 1) == mem->region[2].host + 5);
	g_assert_true(mem_page_flags(mem, 4 * GiB + 8191) == &mem->region[2].flags[1]);
	/* Huge pages: host and guest addresses agree below 2 MiB. */
	g_assert_cmpuint((uintptr_t)mem->region[0].host % (2 * MiB), ==, 0);
	g_assert_cmpuint((uintptr_t)mem->region[2].host % (2 * MiB), ==, 0);
}

static void test_huge_offset(void)
{
	autoptr(mem) mem = mem_with(MiB, 8 * MiB);

	g_assert_cmpuint((uintptr_t)mem->region[0].host % (2 * MiB), ==, MiB);
	mem->region[0].host[0] = 1;
	mem->region[0].host[8 * MiB - 1] = 1;
}

static void test_bad_regions(void)
{
	static const struct {
		uint64_t gpa, size;
		int code;
	} bad[] = {
		{ 0, 0, SOCLE_ERROR_USAGE },
		{ 1, 4096, SOCLE_ERROR_USAGE },
		{ 0, 4097, SOCLE_ERROR_USAGE },
		{ UINT64_MAX - 4095, 8192, SOCLE_ERROR_USAGE },
		{ 8 * PAGE, 4096, SOCLE_ERROR_EXISTS },
		{ 7 * PAGE, 2 * PAGE, SOCLE_ERROR_EXISTS },
		{ 15 * PAGE, 2 * PAGE, SOCLE_ERROR_EXISTS },
		{ 0, 64 * PAGE, SOCLE_ERROR_EXISTS },
		{ 9 * PAGE, 4096, SOCLE_ERROR_EXISTS },
	};
	autoptr(mem) mem = mem_with(8 * PAGE, 8 * PAGE);

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		g_autoptr(GError) error = NULL;

		g_assert_false(mem_add_ram(mem, bad[i].gpa, bad[i].size, &error));
		g_assert_error(error, SOCLE_ERROR, bad[i].code);
		g_assert_cmpuint(mem->count, ==, 1);
	}
	/* Touching is not overlapping. */
	g_assert_true(mem_add_ram(mem, 7 * PAGE, 4096, NULL));
	g_assert_true(mem_add_ram(mem, 16 * PAGE, 4096, NULL));
	for (unsigned i = mem->count; i < MEM_MAX_REGIONS; i++)
		g_assert_true(mem_add_ram(mem, i * MiB, 4096, NULL));
	g_assert_false(mem_add_ram(mem, GiB, 4096, NULL));
	g_assert_cmpuint(mem->count, ==, MEM_MAX_REGIONS);
}

static void test_no_memory(void)
{
	for (unsigned nth = 1; nth <= 2; nth++) {
		autoptr(mem) mem = mem_new();
		g_autoptr(GError) error = NULL;

		sys_fail_nth(SYS_MMAP, nth, ENOMEM);
		g_assert_false(mem_add_ram(mem, 0, 4 * MiB, &error));
		g_assert_error(error, SYS_ERROR, ENOMEM);
		g_assert_cmpuint(mem->count, ==, 0);
	}
}

/* 1 TiB is declared, not used. */
static void test_large(void)
{
	autoptr(mem) mem = mem_with(4 * GiB, 1024 * GiB);
	uint64_t last = 4 * GiB + 1024 * GiB - 1;
	uint8_t byte = 0x5a;

	g_assert_cmpint(mem_write(mem, last, &byte, 1), ==, 0);
	byte = 0;
	g_assert_cmpint(mem_read(mem, last, &byte, 1), ==, 0);
	g_assert_cmpuint(byte, ==, 0x5a);
	g_assert_cmpint(mem_write(mem, last, &byte, 2), ==, -EFAULT);
}

static void test_copies(void)
{
	autoptr(mem) mem = mem_with(MiB, 4 * PAGE);
	static uint8_t out[8192], in[8192];

	for (unsigned i = 0; i < sizeof(out); i++)
		out[i] = (uint8_t)(i * 7 + 1);
	g_assert_cmpint(mem_write(mem, MiB + 4000, out, sizeof(out)), ==, 0);
	g_assert_cmpint(mem_read(mem, MiB + 4000, in, sizeof(in)), ==, 0);
	g_assert_cmpmem(in, sizeof(in), out, sizeof(out));

	/* Without effect when not all of it is RAM. */
	g_assert_cmpint(mem_write(mem, MiB + 4 * PAGE - 1, out + 1, 2), ==, -EFAULT);
	g_assert_cmpuint(byte_at(mem, MiB + 4 * PAGE - 1), ==, 0);
	memset(in, 0x11, sizeof(in));
	g_assert_cmpint(mem_read(mem, MiB - 1, in, 2), ==, -EFAULT);
	g_assert_cmpuint(in[0], ==, 0x11);
	g_assert_cmpuint(in[1], ==, 0x11);
	g_assert_cmpint(mem_read(mem, MiB, NULL, 0), ==, 0);
	g_assert_cmpint(mem_write(mem, MiB, NULL, 0), ==, 0);
}

static void test_dirty(void)
{
	autoptr(mem) mem = mem_with(0, 64 * PAGE);
	static uint8_t bytes[3 * PAGE];

	g_assert_cmpint(mem_write(mem, 0, bytes, 1), ==, 0);
	g_assert_cmphex(dirty_word(mem, 0, 64), ==, 0); /* was not being kept */

	mem_dirty_log(mem, true);
	g_assert_cmpint(mem_write(mem, 4095, bytes, 2), ==, 0);
	g_assert_cmpint(mem_write(mem, 8 * PAGE, bytes, 4096), ==, 0);
	g_assert_cmpint(mem_write(mem, 63 * PAGE + 4095, bytes, 1), ==, 0);
	mem_written(mem, 20 * PAGE + 1, 3 * PAGE);
	mem_written(mem, 30 * PAGE, 0);
	mem_written(mem, 64 * PAGE - 1, 2); /* outside */
	g_assert_cmphex(dirty_word(mem, 0, 64), ==, 0x8000000000f00103);
	g_assert_cmphex(dirty_word(mem, 0, 64), ==, 0); /* fetching cleans */

	/* Part of the region; bits are ORed in. */
	mem_written(mem, 10 * PAGE, 2 * PAGE);
	{
		uint64_t bitmap = 0x80;

		mem_dirty_fetch(mem, 11 * PAGE, 1, &bitmap);
		g_assert_cmphex(bitmap, ==, 0x81);
	}
	g_assert_cmphex(dirty_word(mem, 0, 64), ==, 1 << 10);

	/* Starting again begins with clean pages; nothing is kept when stopped. */
	mem_written(mem, 0, 1);
	mem_dirty_log(mem, true);
	g_assert_cmphex(dirty_word(mem, 0, 64), ==, 0);
	mem_dirty_log(mem, false);
	mem_written(mem, 0, 1);
	g_assert_cmphex(dirty_word(mem, 0, 64), ==, 0);
}

static void test_dirty_two_words(void)
{
	autoptr(mem) mem = mem_with(GiB, 130 * PAGE);
	uint64_t bitmap[3] = { 0 };

	mem_dirty_log(mem, true);
	mem_written(mem, GiB + 64 * PAGE, 1);
	mem_written(mem, GiB + 129 * PAGE, 1);
	mem_dirty_fetch(mem, GiB, 130, bitmap);
	g_assert_cmphex(bitmap[0], ==, 0);
	g_assert_cmphex(bitmap[1], ==, 1);
	g_assert_cmphex(bitmap[2], ==, 2);
}

static void test_code(void)
{
	autoptr(mem) mem = mem_with(0, 8 * PAGE);
	struct heard heard = { 0 };
	static uint8_t bytes[2 * PAGE];

	atomic_store(mem_page_flags(mem, 4096), MEM_PAGE_CODE);
	/* Nobody wants to know. */
	g_assert_cmpint(mem_write(mem, 4096, bytes, 1), ==, 0);

	mem->code_ops = &code_ops;
	mem->code_opaque = &heard;
	g_assert_cmpint(mem_write(mem, 0, bytes, 4096), ==, 0);
	g_assert_cmpint(mem_write(mem, 8192, bytes, 4096), ==, 0);
	g_assert_cmpuint(heard.calls, ==, 0);
	/* Only the part within the page is told. */
	g_assert_cmpint(mem_write(mem, 4000, bytes, 2 * PAGE), ==, 0);
	g_assert_cmpuint(heard.calls, ==, 1);
	g_assert_cmpuint(heard.gpa, ==, 4096);
	g_assert_cmpuint(heard.len, ==, 4096);
	mem_written(mem, 4100, 3);
	g_assert_cmpuint(heard.calls, ==, 2);
	g_assert_cmpuint(heard.gpa, ==, 4100);
	g_assert_cmpuint(heard.len, ==, 3);
	/* The flag is the engine's: it stays, beside the dirty one. */
	mem_dirty_log(mem, true);
	mem_written(mem, 4100, 3);
	g_assert_cmpuint(atomic_load(mem_page_flags(mem, 4096)), ==,
			 MEM_PAGE_CODE | MEM_PAGE_DIRTY);
	g_assert_cmphex(dirty_word(mem, 0, 8), ==, 2);
	g_assert_cmpuint(atomic_load(mem_page_flags(mem, 4096)), ==, MEM_PAGE_CODE);
	g_assert_cmpuint(heard.calls, ==, 3);
}

static void test_clear(void)
{
	autoptr(mem) mem = mem_with(0, 8 * PAGE);
	struct heard heard = { 0 };
	static uint8_t bytes[8 * PAGE];

	g_assert_true(mem_add_ram(mem, MiB, 4096, NULL));
	memset(bytes, 0xaa, sizeof(bytes));
	g_assert_cmpint(mem_write(mem, 0, bytes, sizeof(bytes)), ==, 0);
	g_assert_cmpint(mem_write(mem, MiB, bytes, 4096), ==, 0);
	atomic_store(mem_page_flags(mem, 3 * PAGE), MEM_PAGE_CODE);
	mem->code_ops = &code_ops;
	mem->code_opaque = &heard;
	mem_dirty_log(mem, true);

	mem_clear(mem);
	for (unsigned i = 0; i < 8 * PAGE; i += 512)
		g_assert_cmpuint(byte_at(mem, i), ==, 0);
	g_assert_cmpuint(byte_at(mem, MiB), ==, 0);
	/* Decoded code is void, and all pages have changed. */
	g_assert_cmpuint(heard.calls, ==, 1);
	g_assert_cmpuint(heard.gpa, ==, 3 * PAGE);
	g_assert_cmpuint(heard.len, ==, 4096);
	g_assert_cmphex(dirty_word(mem, 0, 8), ==, 0xff);
	g_assert_cmphex(dirty_word(mem, MiB, 1), ==, 1);
}

/* Devices write while the main loop collects: no write is forgotten. */
enum {
	THREADS = 3,
	ROUNDS = 3000,
	PAGES = 64
};

struct writer {
	struct mem *mem;
	unsigned first;
	atomic_uint *written; /* by page: the last value whose write is complete */
	atomic_uint *running;
};

static void writer_main(void *arg)
{
	struct writer *w = arg;

	for (unsigned round = 1; round <= ROUNDS; round++) {
		unsigned page = (round * 7 + w->first) % PAGES / THREADS * THREADS + w->first;

		if (page >= PAGES)
			continue;
		atomic_store(&w->written[page], round);
		mem_written(w->mem, page * PAGE, 1);
	}
	atomic_fetch_sub(w->running, 1);
}

static void test_dirty_threads(void)
{
	autoptr(mem) mem = mem_with(0, PAGES * PAGE);
	struct writer writers[THREADS];
	struct thread *threads[THREADS];
	atomic_uint written[PAGES], running;
	unsigned seen[PAGES] = { 0 };
	bool last = false;

	for (unsigned i = 0; i < PAGES; i++)
		atomic_init(&written[i], 0);
	atomic_init(&running, THREADS);
	mem_dirty_log(mem, true);
	for (unsigned i = 0; i < THREADS; i++) {
		writers[i] = (struct writer){ mem, i, written, &running };
		threads[i] = thread_start("writer", writer_main, &writers[i], NULL);
		g_assert_nonnull(threads[i]);
	}
	while (!last) {
		uint64_t bitmap;

		last = atomic_load(&running) == 0;
		bitmap = dirty_word(mem, 0, PAGES);
		for (unsigned i = 0; i < PAGES; i++) {
			if (bitmap & UINT64_C(1) << i)
				seen[i] = atomic_load(&written[i]);
		}
	}
	for (unsigned i = 0; i < THREADS; i++)
		thread_join(threads[i]);
	for (unsigned i = 0; i < PAGES; i++)
		g_assert_cmpuint(seen[i], ==, atomic_load(&written[i]));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/mem/regions", test_regions);
	g_test_add_func("/mem/huge-offset", test_huge_offset);
	g_test_add_func("/mem/bad-regions", test_bad_regions);
	g_test_add_func("/mem/no-memory", test_no_memory);
	g_test_add_func("/mem/large", test_large);
	g_test_add_func("/mem/copies", test_copies);
	g_test_add_func("/mem/dirty", test_dirty);
	g_test_add_func("/mem/dirty-two-words", test_dirty_two_words);
	g_test_add_func("/mem/code", test_code);
	g_test_add_func("/mem/clear", test_clear);
	g_test_add_func("/mem/dirty-threads", test_dirty_threads);
	return g_test_run();
}
