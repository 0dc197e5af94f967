/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-mmio.c - virtio over memory-mapped registers
 */
#include "virtio/virtio-mmio.h"

#include <sys/eventfd.h>

#include "tests/lib/virtio-toy.h"

static const uint64_t base = 0xfeb00000;

enum {
	RING = 0x10000
};

struct fixture {
	struct irq_sink sink;
	bool level;
	const struct io_notify *notify[TOY_QUEUES];
	struct io_loop *loop;
	struct mem *mem;
	struct io_space *mmio;
	struct toy *toy;
	struct virtio_mmio *m;
	bool freed;
};

static void set_line(struct irq_sink *sink, unsigned gsi, bool level)
{
	g_assert_cmpuint(gsi, ==, 7);
	container_of(sink, struct fixture, sink)->level = level;
}

static const struct irq_sink_ops sink_ops = { .set_line = set_line };

static int set_notify(void *opaque, const struct io_notify *notify, bool on)
{
	struct fixture *f = opaque;

	g_assert_true(notify->mmio && notify->match && notify->size == 4);
	g_assert_cmphex(notify->addr, ==, base + 0x50);
	g_assert_cmpuint(notify->value, <, TOY_QUEUES);
	f->notify[notify->value] = on ? notify : NULL;
	return 0;
}

static void set_up(struct fixture *f)
{
	GError *error = NULL;

	*f = (struct fixture){ .sink = { &sink_ops } };
	f->loop = io_loop_new_manual(IO_LOOP_THREADS, NULL, NULL, &error);
	g_assert_no_error(error);
	f->mem = mem_new();
	g_assert_true(mem_add_ram(f->mem, 0, 1 << 20, NULL));
	f->mmio = io_space_new("mmio", UINT64_C(1) << 32);
	f->toy = toy_new(f->loop, 16);
	f->toy->freed = &f->freed;
	f->m = virtio_mmio_new(&f->toy->dev,
			       &(struct virtio_mmio_config){
				       .mem = f->mem,
				       .mmio = f->mmio,
				       .base = base,
				       .irq = { &f->sink, 7 },
				       .notifier = { set_notify, f },
			       },
			       &error);
	g_assert_no_error(error);
}

static void tear_down(struct fixture *f)
{
	virtio_mmio_free(f->m);
	g_assert_true(f->freed);
	for (unsigned i = 0; i < TOY_QUEUES; i++)
		g_assert_null(f->notify[i]);
	g_assert_cmphex(io_read(f->mmio, base, 4), ==, UINT32_MAX);
	io_space_free(f->mmio);
	mem_free(f->mem);
	io_loop_free(f->loop);
}

static uint32_t rd(struct fixture *f, unsigned off)
{
	return (uint32_t)io_read(f->mmio, base + off, 4);
}

static void wr(struct fixture *f, unsigned off, uint32_t value)
{
	io_write(f->mmio, base + off, 4, value);
}

static void run(struct fixture *f)
{
	while (io_loop_run(f->loop, false))
		;
}

static void start(struct fixture *f)
{
	wr(f, 0x70, 1);
	wr(f, 0x70, 3);
	wr(f, 0x24, 1);
	wr(f, 0x20, 1 | (uint32_t)(VIRTIO_F_RING_RESET >> 32));
	wr(f, 0x70, 0xb);
	g_assert_cmphex(rd(f, 0x70), ==, 0xb);
	wr(f, 0x30, 0);
	g_assert_cmpuint(rd(f, 0x34), ==, 16);
	wr(f, 0x38, 8);
	wr(f, 0x80, RING);
	wr(f, 0x84, 0);
	wr(f, 0x90, RING + 0x1000);
	wr(f, 0x94, 0);
	wr(f, 0xa0, RING + 0x2000);
	wr(f, 0xa4, 0);
	g_assert_cmpuint(rd(f, 0x44), ==, 0);
	wr(f, 0x44, 1);
	g_assert_cmpuint(rd(f, 0x44), ==, 1);
	wr(f, 0x70, 0xf);
	g_assert_cmphex(rd(f, 0x70), ==, 0xf);
	run(f);
}

/* One request of 4 bytes to be written, made by hand. */
static void request(struct fixture *f, uint16_t n)
{
	uint8_t desc[16] = { 0, 0, 2, 0, 0, 0, 0, 0, 4, 0, 0, 0, 2 }, entry[2] = { 0 }, index[2];

	g_assert_cmpint(mem_write(f->mem, RING, desc, 16), ==, 0);
	g_assert_cmpint(mem_write(f->mem, RING + 0x1004 + n % 8 * 2, entry, 2), ==, 0);
	index[0] = (uint8_t)(n + 1);
	index[1] = 0;
	g_assert_cmpint(mem_write(f->mem, RING + 0x1002, index, 2), ==, 0);
}

static void test_identity(void)
{
	struct fixture f;

	set_up(&f);
	g_assert_cmphex(rd(&f, 0), ==, 0x74726976);
	g_assert_cmpuint(rd(&f, 4), ==, 2);
	g_assert_cmpuint(rd(&f, 8), ==, VIRTIO_RNG);
	for (unsigned off = 0xb0; off <= 0xbc; off += 4)
		g_assert_cmphex(rd(&f, off), ==, UINT32_MAX);
	wr(&f, 0x14, 1);
	g_assert_cmphex(rd(&f, 0x10), ==, (uint32_t)(VIRTIO_F_COMMON >> 32));
	wr(&f, 0x14, 2);
	g_assert_cmphex(rd(&f, 0x10), ==, 0);
	wr(&f, 0x30, TOY_QUEUES);
	g_assert_cmpuint(rd(&f, 0x34), ==, 0);
	g_assert_cmphex(rd(&f, 0x100), ==, 0x13121110);
	g_assert_cmphex(io_read(f.mmio, base + 0x10b, 1), ==, 0x1b);
	g_assert_cmphex(io_read(f.mmio, base + 0x10b, 4), ==, 0x1b);
	tear_down(&f);
}

static void test_request(void)
{
	struct fixture f;

	set_up(&f);
	f.toy->no_suppression = true;
	start(&f);
	/* By the register, with data in the upper half. */
	request(&f, 0);
	wr(&f, 0x50, 5 << 16);
	run(&f);
	g_assert_cmpuint(f.toy->popped, ==, 1);
	g_assert_true(f.level);
	g_assert_cmpuint(rd(&f, 0x60), ==, 1);
	wr(&f, 0x64, 2);
	g_assert_true(f.level);
	virtio_lock(&f.toy->dev);
	virtio_config_changed(&f.toy->dev);
	virtio_unlock(&f.toy->dev);
	g_assert_cmpuint(rd(&f, 0x60), ==, 3);
	g_assert_cmpuint(rd(&f, 0xfc), ==, 1);
	wr(&f, 0x64, 1);
	g_assert_true(f.level);
	wr(&f, 0x64, 2);
	g_assert_false(f.level);
	/* By a call, and by an eventfd. */
	request(&f, 1);
	f.notify[0]->call(f.notify[0]->opaque);
	run(&f);
	g_assert_cmpuint(f.toy->popped, ==, 2);
	request(&f, 2);
	g_assert_cmpint(eventfd_write(f.notify[0]->eventfd, 1), ==, 0);
	run(&f);
	g_assert_cmpuint(f.toy->popped, ==, 3);
	/* A queue that is not there. */
	wr(&f, 0x50, TOY_QUEUES);
	wr(&f, 0x50, UINT32_MAX);
	run(&f);
	/* Reset takes the interrupt away. */
	g_assert_true(f.level);
	wr(&f, 0x70, 0);
	g_assert_false(f.level);
	g_assert_cmpuint(rd(&f, 0x44), ==, 0);
	tear_down(&f);
}

static void test_queue_reset(void)
{
	struct fixture f;

	set_up(&f);
	f.toy->hold = f.toy->slow = true;
	start(&f);
	request(&f, 0);
	wr(&f, 0x50, 0);
	run(&f);
	wr(&f, 0xc0, 1);
	g_assert_cmpuint(rd(&f, 0xc0), ==, 1);
	g_assert_cmpuint(rd(&f, 0x44), ==, 1);
	toy_complete_all(f.toy);
	g_assert_cmpuint(rd(&f, 0xc0), ==, 0);
	g_assert_cmpuint(rd(&f, 0x44), ==, 0);
	virtio_mmio_reset(f.m);
	g_assert_cmphex(rd(&f, 0x70), ==, 0);
	tear_down(&f);
}

/* QUEUE_READY 0 stops a queue, and reads as 1 until nothing is under way (4.2.2.2). */
static void test_queue_not_ready(void)
{
	struct fixture f;

	set_up(&f);
	f.toy->no_suppression = true;
	start(&f);
	wr(&f, 0x44, 0);
	g_assert_cmpuint(rd(&f, 0x44), ==, 0);
	request(&f, 0);
	wr(&f, 0x50, 0);
	run(&f);
	g_assert_cmpuint(f.toy->popped, ==, 0);
	/* It can be set up anew. */
	wr(&f, 0x38, 8);
	wr(&f, 0x80, RING);
	wr(&f, 0x90, RING + 0x1000);
	wr(&f, 0xa0, RING + 0x2000);
	f.toy->hold = f.toy->slow = true;
	wr(&f, 0x44, 1);
	run(&f);
	g_assert_cmpuint(f.toy->popped, ==, 1);
	wr(&f, 0x44, 0);
	wr(&f, 0x44, 0);
	g_assert_cmpuint(rd(&f, 0x44), ==, 1);
	/* Nor can it be enabled meanwhile. */
	wr(&f, 0x44, 1);
	request(&f, 1);
	wr(&f, 0x50, 0);
	run(&f);
	g_assert_cmpuint(f.toy->popped, ==, 1);
	toy_complete_all(f.toy);
	g_assert_cmpuint(rd(&f, 0x44), ==, 0);
	/* No such queue, and one that is off. */
	wr(&f, 0x44, 0);
	wr(&f, 0x30, TOY_QUEUES);
	wr(&f, 0x44, 0);
	g_assert_cmphex(rd(&f, 0x70), ==, 0xf);
	tear_down(&f);
}

/* Any access at any offset, and then the device still works. */
static void test_fuzz(void)
{
	struct fixture f;

	set_up(&f);
	for (unsigned size = 1; size <= 8; size *= 2) {
		for (unsigned off = 0; off < VIRTIO_MMIO_LEN; off++) {
			uint64_t value = io_read(f.mmio, base + off, size);

			if (off < 0x100 && (size != 4 || off % 4))
				g_assert_true(value == 0);
			if (off != 0x50)
				io_write(f.mmio, base + off, size, UINT64_MAX >> (64 - size * 8));
		}
	}
	for (unsigned i = 0; i < 100000; i++) {
		unsigned size = 1u << g_test_rand_int_range(0, 4);
		uint64_t off = (uint64_t)g_test_rand_int_range(0, VIRTIO_MMIO_LEN);
		uint64_t value = (uint64_t)g_test_rand_int() >> g_test_rand_int_range(0, 32);

		if (i % 2)
			off &= ~UINT64_C(3);
		if (i % 2)
			size = 4;
		io_write(f.mmio, base + off, size,
			 size < 8 ? value & (UINT32_MAX >> (32 - size * 8)) : value);
		(void)io_read(f.mmio, base + off, size);
		run(&f);
	}
	wr(&f, 0x70, 0);
	/* Sane again. */
	f.toy->no_suppression = true;
	mem_clear(f.mem);
	f.toy->popped = 0;
	start(&f);
	request(&f, 0);
	wr(&f, 0x50, 0);
	run(&f);
	g_assert_cmpuint(f.toy->popped, ==, 1);
	tear_down(&f);
}

static void test_overlap(void)
{
	struct fixture f;
	GError *error = NULL;

	set_up(&f);
	g_assert_null(virtio_mmio_new(
		&f.toy->dev,
		&(struct virtio_mmio_config){ .mem = f.mem, .mmio = f.mmio, .base = base },
		&error));
	g_assert_nonnull(error);
	g_error_free(error);
	tear_down(&f);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/mmio/identity", test_identity);
	g_test_add_func("/mmio/request", test_request);
	g_test_add_func("/mmio/queue-reset", test_queue_reset);
	g_test_add_func("/mmio/queue-not-ready", test_queue_not_ready);
	g_test_add_func("/mmio/fuzz", test_fuzz);
	g_test_add_func("/mmio/overlap", test_overlap);
	return g_test_run();
}
