/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-io.c - address spaces: who answers, who is refused, changes while others look up
 */
#include "bus/io.h"

#include <malloc.h>
#include <stdatomic.h>
#include <string.h>

#include "base/error.h"
#include "base/thread.h"

struct fake {
	struct io_range range;
	uint64_t answer; /* to reads */
	uint64_t off, value;
	unsigned size, reads, writes;
};

static uint64_t fake_read(struct io_range *range, uint64_t off, unsigned size)
{
	struct fake *fake = container_of(range, struct fake, range);

	fake->reads++;
	fake->off = off;
	fake->size = size;
	return fake->answer;
}

static void fake_write(struct io_range *range, uint64_t off, unsigned size, uint64_t value)
{
	struct fake *fake = container_of(range, struct fake, range);

	fake->writes++;
	fake->off = off;
	fake->size = size;
	fake->value = value;
}

static const struct io_ops fake_ops = { .read = fake_read, .write = fake_write };
static const struct io_ops mute_ops = { 0 };

static struct fake fake_at(uint64_t base, uint64_t len, uint64_t answer)
{
	return (struct fake){
		.range = { .ops = &fake_ops, .base = base, .len = len, .name = "fake" },
		.answer = answer,
	};
}

static void test_unassigned(void)
{
	autoptr(io_space) space = io_space_new("ports", 0x10000);

	g_assert_cmphex(io_read(space, 0x80, 1), ==, 0xff);
	g_assert_cmphex(io_read(space, 0x80, 2), ==, 0xffff);
	g_assert_cmphex(io_read(space, 0x80, 4), ==, 0xffffffff);
	g_assert_cmphex(io_read(space, 0x80, 8), ==, UINT64_MAX);
	g_assert_cmphex(io_read(space, UINT64_MAX, 8), ==, UINT64_MAX);
	io_write(space, 0x80, 4, 1);
}

static void test_dispatch(void)
{
	autoptr(io_space) space = io_space_new("mmio", UINT64_MAX);
	struct fake a = fake_at(0x1000, 0x100, 0x1122334455667788);
	struct fake b = fake_at(0x1100, 8, 0xb);
	struct fake c = fake_at(0x10, 1, 0xc);

	g_assert_true(io_space_add(space, &a.range, NULL));
	g_assert_true(io_space_add(space, &b.range, NULL));
	g_assert_true(io_space_add(space, &c.range, NULL));

	/* Only the bytes asked for come back. */
	g_assert_cmphex(io_read(space, 0x1000, 1), ==, 0x88);
	g_assert_cmphex(io_read(space, 0x1002, 2), ==, 0x7788);
	g_assert_cmphex(io_read(space, 0x1004, 4), ==, 0x55667788);
	g_assert_cmphex(io_read(space, 0x10f8, 8), ==, 0x1122334455667788);
	g_assert_cmphex(a.off, ==, 0xf8);
	g_assert_cmpuint(a.size, ==, 8);
	g_assert_cmphex(io_read(space, 0x10, 1), ==, 0xc);
	g_assert_cmphex(io_read(space, 0x1100, 8), ==, 0xb);
	g_assert_cmpuint(b.off, ==, 0);

	/* Beside and across. */
	g_assert_cmpuint(a.reads, ==, 4);
	g_assert_cmphex(io_read(space, 0xf, 1), ==, 0xff);
	g_assert_cmphex(io_read(space, 0x11, 1), ==, 0xff);
	g_assert_cmphex(io_read(space, 0x10, 2), ==, 0xffff);
	g_assert_cmphex(io_read(space, 0xffe, 4), ==, 0xffffffff);
	g_assert_cmphex(io_read(space, 0x10fe, 4), ==, 0xffffffff);
	g_assert_cmphex(io_read(space, 0x1108, 1), ==, 0xff);
	g_assert_cmpuint(a.reads, ==, 4);

	io_write(space, 0x1010, 2, 0xdeadbeef);
	g_assert_cmphex(a.value, ==, 0xbeef);
	g_assert_cmphex(a.off, ==, 0x10);
	io_write(space, 0x1010, 8, UINT64_MAX);
	g_assert_cmphex(a.value, ==, UINT64_MAX);
	io_write(space, 0x10ff, 2, 1);
	g_assert_cmpuint(a.writes, ==, 2);
	g_assert_cmpuint(b.writes, ==, 0);
}

static void test_mute(void)
{
	autoptr(io_space) space = io_space_new("ports", 0x10000);
	struct io_range range = { .ops = &mute_ops, .base = 0x60, .len = 4, .name = "mute" };

	g_assert_true(io_space_add(space, &range, NULL));
	g_assert_cmphex(io_read(space, 0x60, 2), ==, 0xffff);
	io_write(space, 0x60, 2, 0);
}

static void test_refused(void)
{
	static const struct {
		uint64_t base, len;
		int code;
	} bad[] = {
		{ 0x3f8, 8, SOCLE_ERROR_EXISTS },     { 0x3f7, 2, SOCLE_ERROR_EXISTS },
		{ 0x3ff, 1, SOCLE_ERROR_EXISTS },     { 0, 0x10000, SOCLE_ERROR_EXISTS },
		{ 0x100, 0, SOCLE_ERROR_LIMIT },      { 0x10000, 1, SOCLE_ERROR_LIMIT },
		{ 0xffff, 2, SOCLE_ERROR_LIMIT },     { UINT64_MAX, 2, SOCLE_ERROR_LIMIT },
		{ 2, UINT64_MAX, SOCLE_ERROR_LIMIT },
	};
	autoptr(io_space) space = io_space_new("ports", 0x10000);
	struct fake uart = fake_at(0x3f8, 8, 1), low = fake_at(0x3f7, 1, 2);
	struct fake high = fake_at(0x400, 1, 3), top = fake_at(0xffff, 1, 4);

	g_assert_true(io_space_add(space, &uart.range, NULL));
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		struct fake other = fake_at(bad[i].base, bad[i].len, 9);
		g_autoptr(GError) error = NULL;

		g_assert_false(io_space_add(space, &other.range, &error));
		g_assert_error(error, SOCLE_ERROR, bad[i].code);
	}
	g_assert_true(io_space_add(space, &low.range, NULL));
	g_assert_true(io_space_add(space, &high.range, NULL));
	g_assert_true(io_space_add(space, &top.range, NULL));
	g_assert_cmphex(io_read(space, 0x3f7, 1), ==, 2);
	g_assert_cmphex(io_read(space, 0x3ff, 1), ==, 1);
	g_assert_cmphex(io_read(space, 0x400, 1), ==, 3);
	g_assert_cmphex(io_read(space, 0xffff, 1), ==, 4);
}

static void test_remove(void)
{
	autoptr(io_space) space = io_space_new("mmio", UINT64_MAX);
	struct fake fakes[5], stranger = fake_at(0x1000, 1, 0);

	for (uint64_t i = 0; i < 5; i++) {
		fakes[i] = fake_at(i * 0x10, 0x10, i);
		g_assert_true(io_space_add(space, &fakes[i].range, NULL));
	}
	io_space_remove(space, &fakes[2].range);
	io_space_remove(space, &fakes[2].range);
	io_space_remove(space, &stranger.range);
	for (uint64_t i = 0; i < 5; i++)
		g_assert_cmphex(io_read(space, i * 0x10 + 5, 1), ==, i == 2 ? 0xff : i);
	/* The place is free, and a range may move by being taken away and added. */
	fakes[2].range.len = 4;
	g_assert_true(io_space_add(space, &fakes[2].range, NULL));
	g_assert_cmphex(io_read(space, 0x23, 1), ==, 2);
	g_assert_cmphex(io_read(space, 0x24, 1), ==, 0xff);
}

static void test_many(void)
{
	enum {
		COUNT = 300
	};
	autoptr(io_space) space = io_space_new("mmio", UINT64_MAX);
	g_autofree struct fake *fakes = g_new(struct fake, COUNT);

	for (uint64_t i = 0; i < COUNT; i++) {
		uint64_t at = i * 77 % COUNT; /* any order */

		fakes[at] = fake_at(at * 16, 8, at);
		g_assert_true(io_space_add(space, &fakes[at].range, NULL));
	}
	for (uint64_t i = 0; i < COUNT; i++) {
		g_assert_cmphex(io_read(space, i * 16, 4), ==, i);
		g_assert_cmphex(io_read(space, i * 16 + 7, 1), ==, i & 0xff);
		g_assert_cmphex(io_read(space, i * 16 + 8, 1), ==, 0xff);
	}
}

/* Beyond its end, if it says so; there another may live. */
static void test_overhang(void)
{
	autoptr(io_space) space = io_space_new("ports", 0x10000);
	struct fake wide = fake_at(0xcf8, 1, 0x11223344), inner = fake_at(0xcf9, 1, 0x55);

	wide.range.overhang = 3;
	g_assert_true(io_space_add(space, &inner.range, NULL));
	g_assert_true(io_space_add(space, &wide.range, NULL));
	for (unsigned size = 1; size <= 4; size *= 2) {
		io_write(space, 0xcf8, size, 0);
		g_assert_cmpuint(wide.size, ==, size);
	}
	g_assert_cmphex(io_read(space, 0xcf8, 4), ==, 0x11223344);
	g_assert_cmphex(io_read(space, 0xcf8, 8), ==, UINT64_MAX);
	g_assert_cmphex(io_read(space, 0xcf9, 1), ==, 0x55);
	g_assert_cmphex(io_read(space, 0xcf9, 2), ==, 0xffff);
	g_assert_cmphex(io_read(space, 0xcfa, 2), ==, 0xffff);
	/* It may hang over the limit, where nothing can be asked for. */
	wide.range.base = 0xffff;
	io_space_remove(space, &wide.range);
	g_assert_true(io_space_add(space, &wide.range, NULL));
	g_assert_cmphex(io_read(space, 0xffff, 1), ==, 0x44);
}

/* A guest that moves BARs all day does not eat memory. */
static void test_bounded(void)
{
	autoptr(io_space) space = io_space_new("mmio", UINT64_MAX);
	struct fake fakes[40];
	size_t before, after;

	for (uint64_t i = 0; i < ARRAY_SIZE(fakes); i++) {
		fakes[i] = fake_at(i * 0x100, 0x10, i);
		g_assert_true(io_space_add(space, &fakes[i].range, NULL));
	}
	before = mallinfo2().uordblks;
	for (uint64_t i = 0; i < 10000; i++) {
		struct io_range *range = &fakes[i % ARRAY_SIZE(fakes)].range;

		io_space_remove(space, range);
		range->base ^= 0x80;
		g_assert_true(io_space_add(space, range, NULL));
	}
	after = mallinfo2().uordblks;
	g_assert_cmpuint(after, ==, before);
	for (uint64_t i = 0; i < ARRAY_SIZE(fakes); i++)
		g_assert_cmphex(io_read(space, i * 0x100 + 0x4, 1), ==, i);
}

/*
 * Look-ups while others add and remove: a range that stays answers always, one that moves never for
 * another. Writers run a small table up to a large one and back, so that it is replaced too.
 */
enum {
	WRITERS = 2,
	READERS = 2,
	CROWD = 200,
};

struct crowd {
	struct io_space *space;
	struct io_range *ranges;
	atomic_bool *stop;
	uint64_t wrong;
};

static uint64_t steady_read(struct io_range *range, uint64_t off, unsigned size)
{
	uint64_t stamp;

	/* The first word of the name stands for who it is: the range's place at the start. */
	(void)size;
	memcpy(&stamp, range->name, sizeof(stamp));
	return stamp + off;
}

static const struct io_ops steady_ops = { .read = steady_read };

static void reader_main(void *arg)
{
	struct crowd *c = arg;

	do {
		for (uint64_t at = 0x2000; at < 0x2000 + WRITERS * CROWD * 0x10; at += 0x10) {
			uint64_t moving = io_read(c->space, at + 4, 4);

			if (io_read(c->space, 0x1004, 4) != 0x1004)
				c->wrong++;
			if (moving != at + 4 && moving != UINT32_MAX)
				c->wrong++;
		}
	} while (!atomic_load(c->stop));
}

static void writer_main(void *arg)
{
	struct crowd *c = arg;

	for (unsigned round = 0; round < 4; round++) {
		for (unsigned i = 0; i < CROWD; i++) {
			if (!io_space_add(c->space, &c->ranges[i * 77 % CROWD], NULL))
				c->wrong++;
		}
		for (unsigned i = 0; i < CROWD; i++)
			io_space_remove(c->space, &c->ranges[i]);
	}
}

static void test_threads(void)
{
	autoptr(io_space) space = io_space_new("mmio", UINT64_MAX);
	g_autofree uint64_t *stamps = g_new(uint64_t, WRITERS * CROWD);
	g_autofree struct io_range *ranges = g_new(struct io_range, WRITERS * CROWD);
	uint64_t stamp = 0x1000;
	struct io_range stays = {
		.ops = &steady_ops, .base = 0x1000, .len = 8, .name = (const char *)&stamp
	};
	struct crowd crowds[WRITERS + READERS];
	struct thread *threads[WRITERS + READERS];
	atomic_bool stop = false;

	g_assert_true(io_space_add(space, &stays, NULL));
	for (unsigned i = 0; i < WRITERS * CROWD; i++) {
		stamps[i] = 0x2000 + i * 0x10;
		ranges[i] = (struct io_range){
			.ops = &steady_ops,
			.base = stamps[i],
			.len = 8,
			.name = (const char *)&stamps[i],
		};
	}
	for (unsigned i = 0; i < ARRAY_SIZE(crowds); i++) {
		bool writes = i < WRITERS;

		crowds[i] = (struct crowd){
			.space = space,
			.ranges = writes ? &ranges[i * CROWD] : NULL,
			.stop = &stop,
		};
		threads[i] = thread_start(writes ? "writer" : "reader",
					  writes ? writer_main : reader_main, &crowds[i], NULL);
		g_assert_nonnull(threads[i]);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(crowds); i++) {
		if (i == WRITERS)
			atomic_store(&stop, true);
		thread_join(threads[i]);
		g_assert_cmpuint(crowds[i].wrong, ==, 0);
	}
	g_assert_cmphex(io_read(space, 0x1000, 4), ==, 0x1000);
	g_assert_cmphex(io_read(space, 0x2000, 4), ==, UINT32_MAX);
}

/*
 * Two ranges, one of which jumps to and fro over the other as fast as it can: the table is so small
 * that it is filled again within a search, and the one that stays changes its place in it each time.
 */
struct looker {
	struct io_space *space;
	atomic_bool *stop;
	uint64_t wrong;
};

static void looker_main(void *arg)
{
	struct looker *l = arg;

	do {
		for (unsigned i = 0; i < 1000; i++) {
			if (io_read(l->space, 0x1004, 4) != 0x1004)
				l->wrong++;
		}
	} while (!atomic_load(l->stop));
}

static void test_jumps(void)
{
	autoptr(io_space) space = io_space_new("mmio", UINT64_MAX);
	uint64_t stamp = 0x1000, other = 0x10;
	struct io_range stays = {
		.ops = &steady_ops, .base = 0x1000, .len = 8, .name = (const char *)&stamp
	};
	struct io_range jumps = {
		.ops = &steady_ops, .base = 0x10, .len = 8, .name = (const char *)&other
	};
	atomic_bool stop = false;
	struct looker looker = { space, &stop, 0 };
	struct thread *thread;

	g_assert_true(io_space_add(space, &stays, NULL));
	thread = thread_start("looker", looker_main, &looker, NULL);
	g_assert_nonnull(thread);
	for (unsigned i = 0; i < 300000; i++) {
		jumps.base = i % 2 ? 0x10 : 0x10000;
		g_assert_true(io_space_add(space, &jumps, NULL));
		io_space_remove(space, &jumps);
	}
	atomic_store(&stop, true);
	thread_join(thread);
	g_assert_cmpuint(looker.wrong, ==, 0);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/io/unassigned", test_unassigned);
	g_test_add_func("/io/dispatch", test_dispatch);
	g_test_add_func("/io/mute", test_mute);
	g_test_add_func("/io/refused", test_refused);
	g_test_add_func("/io/remove", test_remove);
	g_test_add_func("/io/many", test_many);
	g_test_add_func("/io/overhang", test_overhang);
	g_test_add_func("/io/bounded", test_bounded);
	g_test_add_func("/io/threads", test_threads);
	g_test_add_func("/io/jumps", test_jumps);
	return g_test_run();
}
