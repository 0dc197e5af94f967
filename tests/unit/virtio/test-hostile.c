/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-hostile.c - drivers that break the rules, one by one, and resets in the middle of everything
 *
 * Each broken ring leads to the same: no request reaches the device, NEEDS_RESET is set, one
 * configuration interrupt comes, and after a reset the device works. Lessons are numbered as in the
 * list of published bugs that the project keeps; 1 chains longer than the ring, 2 addresses that
 * are no RAM, 3 sums of lengths, 6 device registers as buffers, 18 the end of regions, 19 queues
 * that are full, 20 requests that outlive a reset.
 */
#include <string.h>

#include "tests/lib/virtio-driver.h"
#include "tests/lib/virtio-toy.h"

enum {
	SIZE = 16
};

struct fixture {
	struct io_loop *loop;
	struct toy *toy;
	struct vdriver *d;
	uint64_t features;
	bool packed, freed;
	uint64_t data, table; /* guest memory */
};

static void set_up(struct fixture *f, uint64_t features)
{
	GError *error = NULL;

	*f = (struct fixture){ .features = features };
	f->loop = io_loop_new_manual(IO_LOOP_THREADS, NULL, NULL, &error);
	g_assert_no_error(error);
	f->toy = toy_new(f->loop, SIZE);
	f->toy->freed = &f->freed;
	f->packed = features & VIRTIO_F_RING_PACKED;
	f->d = vdriver_new(&(struct vdriver_config){
		.dev = &f->toy->dev, .loop = f->loop, .features = features });
	f->data = vdriver_alloc(f->d, 4096);
	f->table = vdriver_alloc(f->d, 65536);
}

static void tear_down(struct fixture *f)
{
	vdriver_free(f->d);
	toy_free(&f->toy->dev);
	g_assert_true(f->freed);
	io_loop_free(f->loop);
}

static void expect_works(struct fixture *f)
{
	uint8_t out[4] = { 1, 2, 3, 4 }, in[4] = { 0 };

	f->toy->hold = false;
	g_assert_cmpuint(vdriver_request(f->d, 0, out, 4, in, 4), ==, 4);
	g_assert_cmpuint(in[3], ==, (uint8_t)~4);
	g_assert_cmpuint(vdriver_request(f->d, 1, out, 4, in, 4), ==, 4);
}

static void expect_broken(struct fixture *f, unsigned popped)
{
	struct virtio_device *dev = &f->toy->dev;

	vdriver_run(f->d);
	g_assert_cmpuint(f->toy->popped, ==, popped);
	g_assert_cmpuint(virtio_read_status(dev), ==, 0x4f);
	g_assert_cmpuint(vdriver_interrupts(f->d, -1), ==, 1);
	g_assert_true(virtq_broken(dev->queue[0]));
	g_assert_false(virtq_ready(dev->queue[0]));
	g_assert_false(virtio_live(dev));
	/* It stays so, whatever comes. */
	virtio_kick(dev, 0);
	virtio_kick(dev, 1);
	virtio_write_status(dev, 0xf);
	vdriver_run(f->d);
	g_assert_cmpuint(f->toy->popped, ==, popped);
	g_assert_cmpuint(virtio_read_status(dev), ==, 0x4f);
	g_assert_cmpuint(vdriver_interrupts(f->d, -1), ==, 1);
	virtio_lock(dev);
	g_assert_null(virtq_pop(dev->queue[0]));
	g_assert_null(virtq_pop(dev->queue[1]));
	g_assert_false(virtq_notify_on(dev->queue[0]));
	virtq_flush(dev->queue[0]);
	virtio_unlock(dev);
	g_assert_true(vdriver_restart(f->d, f->features));
	expect_works(f);
}

/* Descriptors that break the queue. */
static void raw(struct fixture *f, const struct vdriver_desc *descs, unsigned count)
{
	vdriver_raw(f->d, 0, descs, count);
}

static void raw1(struct fixture *f, uint64_t addr, uint32_t len, unsigned flags)
{
	raw(f, &(struct vdriver_desc){ addr, len, (uint16_t)flags, 0 }, 1);
}

static void break_loop(struct fixture *f)
{
	struct vdriver_desc descs[SIZE];

	/* Lesson 1. Each leads to the next, and the last to the first. */
	for (unsigned i = 0; i < SIZE; i++)
		descs[i] = (struct vdriver_desc){ f->data, 4, VDRIVER_NEXT,
						  (uint16_t)((i + 1) % SIZE) };
	raw(f, descs, SIZE);
}

static void break_loop_of_zeros(struct fixture *f)
{
	struct vdriver_desc descs[SIZE];

	/* Lesson 7: nothing to do is no reason to go on for ever. */
	for (unsigned i = 0; i < SIZE; i++)
		descs[i] = (struct vdriver_desc){ 0, 0, VDRIVER_NEXT, 0 };
	raw(f, descs, SIZE);
}

static void make_table(struct fixture *f, const struct vdriver_desc *descs, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		vdriver_write_desc(f->d, f->table + i * 16, &descs[i]);
}

static void break_long_table(struct fixture *f)
{
	struct vdriver_desc desc = { f->data, 4, VDRIVER_NEXT, 0 };

	for (unsigned i = 0; i < VIRTQ_MAX_SIZE + 1; i++) {
		desc.next = (uint16_t)(i + 1);
		if (i == VIRTQ_MAX_SIZE)
			desc.flags = 0;
		vdriver_write_desc(f->d, f->table + i * 16, &desc);
	}
	raw1(f, f->table, (VIRTQ_MAX_SIZE + 1) * 16, VDRIVER_INDIRECT);
}

static void break_table_and_ring(struct fixture *f)
{
	struct vdriver_desc descs[2] = {
		{ f->data, 4, VDRIVER_NEXT, 1 },
		{ f->table, VIRTQ_MAX_SIZE * 16, VDRIVER_INDIRECT, 1 },
	};
	struct vdriver_desc desc = { f->data, 4, VDRIVER_NEXT, 0 };

	/* Lesson 1: one in the ring and 1024 in the table. */
	for (unsigned i = 0; i < VIRTQ_MAX_SIZE; i++) {
		desc.next = (uint16_t)(i + 1);
		if (i + 1 == VIRTQ_MAX_SIZE)
			desc.flags = 0;
		vdriver_write_desc(f->d, f->table + i * 16, &desc);
	}
	raw(f, descs, 2);
}

static void break_table_loop(struct fixture *f)
{
	struct vdriver_desc desc = { f->data, 4, VDRIVER_NEXT, 0 };

	/* A table knows no loop in the packed layout; there it is a nested one. */
	if (f->packed)
		desc.flags = VDRIVER_INDIRECT;
	make_table(f, &desc, 1);
	raw1(f, f->table, 16, VDRIVER_INDIRECT);
}

static void break_nested(struct fixture *f)
{
	struct vdriver_desc desc = { f->table + 16, 16, VDRIVER_INDIRECT, 0 };

	make_table(f, &desc, 1);
	raw1(f, f->table, 16, VDRIVER_INDIRECT);
}

static void break_next_in_table(struct fixture *f)
{
	struct vdriver_desc desc = { f->data, 4, VDRIVER_NEXT, 7 };

	/* Beyond the end of the table; packed: readable behind writable. */
	if (f->packed) {
		struct vdriver_desc two[] = { { f->data, 4, VDRIVER_WRITE, 0 },
					      { f->data, 4, 0, 0 } };

		make_table(f, two, 2);
		raw1(f, f->table, 32, VDRIVER_INDIRECT);
		return;
	}
	make_table(f, &desc, 1);
	raw1(f, f->table, 16, VDRIVER_INDIRECT);
}

static void break_next_indirect(struct fixture *f)
{
	struct vdriver_desc descs[] = {
		{ f->table, 16, VDRIVER_INDIRECT | VDRIVER_NEXT, 1 },
		{ f->data, 4, 0, 0 },
	};

	make_table(f, &descs[1], 1);
	raw(f, descs, 2);
}

static void break_table_0(struct fixture *f)
{
	raw1(f, f->table, 0, VDRIVER_INDIRECT);
}

static void break_table_15(struct fixture *f)
{
	raw1(f, f->table, 15, VDRIVER_INDIRECT);
}

static void break_table_40(struct fixture *f)
{
	raw1(f, f->table, 40, VDRIVER_INDIRECT);
}

static void break_table_huge(struct fixture *f)
{
	raw1(f, f->table, 0xfffffff0, VDRIVER_INDIRECT);
}

static void break_table_hole(struct fixture *f)
{
	raw1(f, VDRIVER_HOLE - 16, 32, VDRIVER_INDIRECT);
}

static void break_table_wraps(struct fixture *f)
{
	raw1(f, UINT64_MAX - 15, 32, VDRIVER_INDIRECT);
}

static void break_order(struct fixture *f)
{
	struct vdriver_desc descs[] = {
		{ f->data, 4, VDRIVER_NEXT | VDRIVER_WRITE, 1 },
		{ f->data, 4, 0, 0 },
	};

	raw(f, descs, 2);
}

static void break_hole(struct fixture *f)
{
	/* Lessons 2 and 6: no RAM, as a device's own registers are not. */
	raw1(f, VDRIVER_HOLE, 4, VDRIVER_WRITE);
}

static void break_registers(struct fixture *f)
{
	/* Lesson 6: where a BAR would be. */
	raw1(f, 0xfebc0000, 4096, 0);
}

static void break_hole_end(struct fixture *f)
{
	/* Lesson 18: the last byte is beyond the region's end. */
	raw1(f, VDRIVER_HOLE - 4095, 4096, VDRIVER_WRITE);
}

static void break_ram_end(struct fixture *f)
{
	raw1(f, VDRIVER_END - 1, 2, 0);
}

static void break_hole_before(struct fixture *f)
{
	raw1(f, (UINT64_C(4) << 30) - 1, 2, 0);
}

static void break_wraps(struct fixture *f)
{
	raw1(f, UINT64_MAX - 1, 16, VDRIVER_WRITE);
}

static void break_wraps_to_ram(struct fixture *f)
{
	/* Lesson 3: its end, in 64 bits, is in RAM. */
	raw1(f, UINT64_MAX - 0xff, 0x1000, VDRIVER_WRITE);
}

static void break_4g(struct fixture *f)
{
	/* Lesson 3. */
	raw1(f, 0, UINT32_MAX, VDRIVER_WRITE);
}

static void break_second(struct fixture *f)
{
	struct vdriver_desc descs[] = {
		{ f->data, 4, VDRIVER_NEXT, 1 },
		{ VDRIVER_HOLE, 4, VDRIVER_WRITE, 1 },
	};

	/* Lesson 4: nothing of the first is kept. */
	raw(f, descs, 2);
}

static void break_head(struct fixture *f)
{
	vdriver_offer(f->d, 0, SIZE, 1);
}

static void break_head_max(struct fixture *f)
{
	vdriver_offer(f->d, 0, UINT16_MAX, 1);
}

static void break_next(struct fixture *f)
{
	raw(f, &(struct vdriver_desc){ f->data, 4, VDRIVER_NEXT, SIZE }, 1);
}

static void break_index(struct fixture *f)
{
	vdriver_offer(f->d, 0, 0, SIZE + 1);
}

static void break_index_back(struct fixture *f)
{
	vdriver_offer(f->d, 0, 0, UINT16_MAX);
}

enum {
	SPLIT = 1,
	PACKED = 2,
	BOTH = 3,
};

static const struct hostile {
	const char *name;
	void (*fn)(struct fixture *f);
	unsigned layouts;
} cases[] = {
	{ "loop", break_loop, BOTH },
	{ "loop-of-zeros", break_loop_of_zeros, BOTH },
	{ "long-table", break_long_table, BOTH },
	{ "table-and-ring", break_table_and_ring, BOTH },
	{ "table-loop", break_table_loop, BOTH },
	{ "nested", break_nested, BOTH },
	{ "next-in-table", break_next_in_table, BOTH },
	{ "next-indirect", break_next_indirect, BOTH },
	{ "table-0", break_table_0, BOTH },
	{ "table-15", break_table_15, BOTH },
	{ "table-40", break_table_40, BOTH },
	{ "table-huge", break_table_huge, BOTH },
	{ "table-hole", break_table_hole, BOTH },
	{ "table-wraps", break_table_wraps, BOTH },
	{ "order", break_order, BOTH },
	{ "hole", break_hole, BOTH },
	{ "registers", break_registers, BOTH },
	{ "hole-end", break_hole_end, BOTH },
	{ "ram-end", break_ram_end, BOTH },
	{ "hole-before", break_hole_before, BOTH },
	{ "wraps", break_wraps, BOTH },
	{ "wraps-to-ram", break_wraps_to_ram, BOTH },
	{ "4g", break_4g, BOTH },
	{ "second", break_second, BOTH },
	{ "head", break_head, SPLIT },
	{ "head-max", break_head_max, SPLIT },
	{ "next", break_next, SPLIT },
	{ "index", break_index, SPLIT },
	{ "index-back", break_index_back, SPLIT },
};

static void test_broken(gconstpointer data)
{
	const struct hostile *c = data;

	for (unsigned layout = SPLIT; layout <= PACKED; layout++) {
		struct fixture f;

		if (!(c->layouts & layout))
			continue;
		set_up(&f, VIRTIO_F_INDIRECT_DESC | (layout == PACKED ? VIRTIO_F_RING_PACKED : 0));
		c->fn(&f);
		expect_broken(&f, 0);
		tear_down(&f);
	}
}

/* Indirect tables that were not negotiated. */
static void test_not_indirect(void)
{
	for (unsigned i = 0; i < 2; i++) {
		struct fixture f;

		set_up(&f, i ? VIRTIO_F_RING_PACKED : 0);
		make_table(&f, &(struct vdriver_desc){ f.data, 4, 0, 0 }, 1);
		raw1(&f, f.table, 16, VDRIVER_INDIRECT);
		expect_broken(&f, 0);
		tear_down(&f);
	}
}

/* Lesson 19: one descriptor offered again and again, while the device keeps what it got. */
static void test_repeated(void)
{
	struct fixture f;

	set_up(&f, 0);
	f.toy->hold = true;
	raw1(&f, f.data, 4, 0);
	for (unsigned i = 1; i < SIZE; i++) {
		vdriver_offer(f.d, 0, 0, 1);
		vdriver_run(f.d);
	}
	g_assert_cmpuint(f.toy->count, ==, SIZE);
	g_assert_false(virtq_broken(f.toy->dev.queue[0]));
	vdriver_offer(f.d, 0, 0, 1);
	expect_broken(&f, SIZE);
	tear_down(&f);
}

/* The same in a packed ring: slots that the device has are made available again. */
static void test_repeated_packed(void)
{
	struct vdriver_desc desc = { 0, 4, 0, 0 };
	struct fixture f;

	set_up(&f, VIRTIO_F_RING_PACKED);
	f.toy->hold = true;
	desc.addr = f.data;
	for (unsigned i = 0; i < SIZE * 3; i++) {
		raw(&f, &desc, 1);
		vdriver_run(f.d);
	}
	/* More than there are slots it does not take, and that is all. */
	g_assert_cmpuint(f.toy->count, ==, SIZE);
	vdriver_reset(f.d);
	g_assert_cmpuint(f.toy->count, ==, 0);
	/* A chain that runs into slots which the device has. */
	g_assert_true(vdriver_restart(f.d, f.features));
	f.toy->popped = 0;
	for (unsigned i = 0; i < SIZE - 2; i++)
		raw(&f, &desc, 1);
	vdriver_run(f.d);
	desc.flags = VDRIVER_NEXT;
	raw(&f, (struct vdriver_desc[]){ desc, desc, desc }, 3);
	expect_broken(&f, SIZE - 2);
	tear_down(&f);
}

/* Terabytes to be written, and a reset that has to be quick nevertheless. */
static void test_huge_drop(void)
{
	struct vdriver_desc entry = { 0, 64 << 20, VDRIVER_WRITE | VDRIVER_NEXT, 0 };
	struct fixture f;

	set_up(&f, VIRTIO_F_INDIRECT_DESC);
	f.toy->hold = true;
	for (unsigned i = 0; i < VIRTQ_MAX_SIZE; i++) {
		entry.next = (uint16_t)(i + 1);
		if (i + 1 == VIRTQ_MAX_SIZE)
			entry.flags = VDRIVER_WRITE;
		vdriver_write_desc(f.d, f.table + i * 16, &entry);
	}
	raw1(&f, f.table, VIRTQ_MAX_SIZE * 16, VDRIVER_INDIRECT);
	for (unsigned i = 1; i < SIZE; i++)
		vdriver_offer(f.d, 0, 0, 1);
	vdriver_run(f.d);
	g_assert_cmpuint(f.toy->count, ==, SIZE);
	g_assert_cmpuint(f.toy->held[0].chain->in_len, ==, UINT64_C(64) << 30);
	mem_dirty_log(vdriver_mem(f.d), true);
	vdriver_reset(f.d);
	g_assert_true(vdriver_restart(f.d, f.features));
	expect_works(&f);
	tear_down(&f);
}

/* ---- rings in bad places ---- */

static void enable(struct fixture *f, const struct virtq_setup *setup, bool good)
{
	struct virtio_device *dev = &f->toy->dev;
	struct virtq_setup got;

	vdriver_reset(f->d);
	g_assert_true(vdriver_negotiate(f->d, f->features));
	virtio_write_queue(dev, 0, setup);
	virtio_enable_queue(dev, 0);
	g_assert_cmpuint(!!(virtio_read_status(dev) & VIRTIO_STATUS_NEEDS_RESET), ==, !good);
	g_assert_true(virtio_read_queue(dev, 0, &got));
	g_assert_true(got.enabled);
	g_assert_cmpuint(virtq_ready(dev->queue[0]), ==, good);
	virtio_write_status(dev, 0xf);
	virtio_kick(dev, 0);
	vdriver_run(f->d);
}

static void try_place(struct fixture *f, unsigned part, uint64_t gpa, bool good)
{
	const struct vdriver_queue *q = vdriver_queue(f->d, 0);
	struct virtq_setup setup = {
		.size = SIZE, .desc = q->desc, .driver = q->driver, .device = q->device
	};

	*(part == 0 ? &setup.desc : part == 1 ? &setup.driver : &setup.device) = gpa;
	enable(f, &setup, good);
}

/* Lessons 2, 6 and 18, for the rings themselves. */
static void test_rings(void)
{
	static const uint64_t bad[] = { VDRIVER_HOLE, VDRIVER_HOLE - 2, VDRIVER_BORDER - 2,
					VDRIVER_END,  UINT64_MAX,       UINT64_MAX - 15,
					0xfebc0000 };

	for (unsigned packed = 0; packed < 2; packed++) {
		/* What a part is aligned to, and how long it is. */
		unsigned align[] = { 16, packed ? 4 : 2, 4 };
		unsigned len[] = { SIZE * 16, packed ? 4 : 4 + SIZE * 2,
				   packed ? 4 : 4 + SIZE * 8 };
		struct fixture f;

		set_up(&f, packed ? VIRTIO_F_RING_PACKED : 0);
		for (unsigned part = 0; part < 3; part++) {
			uint64_t last = (VDRIVER_HOLE - len[part]) & ~(uint64_t)(align[part] - 1);

			for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
				try_place(&f, part, bad[i], false);
			try_place(&f, part, 4096 + align[part] / 2, false);
			try_place(&f, part, last, true);
			try_place(&f, part, last + align[part], false);
		}
		g_assert_true(vdriver_restart(f.d, f.features));
		expect_works(&f);
		tear_down(&f);
	}
}

static void test_sizes(void)
{
	for (unsigned packed = 0; packed < 2; packed++) {
		struct fixture f;

		set_up(&f, packed ? VIRTIO_F_RING_PACKED : 0);
		for (unsigned size = 0; size <= SIZE + 1; size++) {
			const struct vdriver_queue *q = vdriver_queue(f.d, 0);
			struct virtq_setup setup = { .size = (uint16_t)size,
						     .desc = q->desc,
						     .driver = q->driver,
						     .device = q->device };

			/* What is not possible at all is not taken: 16 stays. */
			enable(&f, &setup, packed || !size || size > SIZE || !(size & (size - 1)));
		}
		tear_down(&f);
	}
}

/* All parts at one place: nonsense, but harmless. */
static void test_overlap(void)
{
	for (unsigned packed = 0; packed < 2; packed++) {
		struct fixture f;

		set_up(&f, packed ? VIRTIO_F_RING_PACKED : 0);
		for (unsigned i = 0; i < 200; i++) {
			struct virtq_setup setup = { SIZE, false, f.data, f.data, f.data };
			uint8_t *p = vdriver_ptr(f.d, f.data, 512);

			for (unsigned k = 0; k < 512; k++)
				p[k] = (uint8_t)g_test_rand_int();
			enable(&f, &setup, true);
		}
		tear_down(&f);
	}
}

/* ---- lesson 20: requests that outlive what asked for them ---- */

static void offer(struct fixture *f, unsigned queue, unsigned count)
{
	struct vdriver_buf bufs[] = { { f->data, 8, false }, { f->data + 64, 8, true } };

	while (count--)
		g_assert_true(vdriver_add(f->d, queue, bufs, 2, NULL));
	(void)vdriver_kick(f->d, queue);
	vdriver_run(f->d);
}

/* The device ignores the driver until the last is back. */
static void end_slowly(struct fixture *f, unsigned left)
{
	struct virtio_device *dev = &f->toy->dev;

	g_assert_cmpuint(f->toy->count, ==, left);
	virtio_write_status(dev, 1);
	virtio_write_status(dev, 0);
	virtio_kick(dev, 0);
	vdriver_run(f->d);
	g_assert_cmpuint(virtio_read_status(dev), ==, 0xf);
	while (f->toy->count) {
		g_assert_cmpuint(virtio_read_status(dev), ==, 0xf);
		toy_complete(f->toy, f->toy->count / 2);
	}
}

static unsigned queue_interrupts(struct fixture *f)
{
	return vdriver_interrupts(f->d, 0) + vdriver_interrupts(f->d, 1);
}

/* A reset after each number of completions; I/O that is under way ends afterwards. */
static void reset_at(struct fixture *f, unsigned done, bool slow)
{
	struct virtio_device *dev = &f->toy->dev;
	unsigned interrupts;

	f->toy->hold = true;
	f->toy->slow = slow;
	offer(f, 0, 5);
	offer(f, 1, 5);
	for (unsigned i = 0; i < done; i++)
		toy_complete(f->toy, (unsigned)g_test_rand_int_range(0, (int)f->toy->count));
	interrupts = queue_interrupts(f);
	virtio_write_status(dev, 0);
	if (slow)
		end_slowly(f, 2 * 5 - done);
	g_assert_cmpuint(virtio_read_status(dev), ==, 0);
	g_assert_cmpuint(queue_interrupts(f), ==, interrupts);
	g_assert_true(vdriver_restart(f->d, f->features));
	expect_works(f);
}

static void test_reset(void)
{
	for (unsigned bits = 0; bits < 8; bits++) {
		struct fixture f;

		set_up(&f,
		       (bits & 1 ? VIRTIO_F_RING_PACKED : 0) | (bits & 2 ? VIRTIO_F_IN_ORDER : 0));
		for (unsigned done = 0; done < 10; done++)
			reset_at(&f, done, bits & 4);
		tear_down(&f);
	}
}

/* A broken queue with requests out. */
static void test_reset_broken(void)
{
	for (unsigned bits = 0; bits < 4; bits++) {
		struct fixture f;

		set_up(&f, bits & 1 ? VIRTIO_F_RING_PACKED : 0);
		f.toy->hold = true;
		f.toy->slow = bits & 2;
		offer(&f, 0, 3);
		offer(&f, 1, 3);
		virtio_lock(&f.toy->dev);
		virtq_break(f.toy->dev.queue[0]);
		virtio_unlock(&f.toy->dev);
		g_assert_cmpuint(virtio_read_status(&f.toy->dev), ==, 0x4f);
		/* Some come back before the reset, some after it. */
		toy_complete(f.toy, 0);
		virtio_write_status(&f.toy->dev, 0);
		toy_complete_all(f.toy);
		g_assert_cmpuint(virtio_read_status(&f.toy->dev), ==, 0);
		g_assert_true(vdriver_restart(f.d, f.features));
		expect_works(&f);
		tear_down(&f);
	}
}

/* Work that ends on the loop, as I/O does, while the main thread waits for the reset. */
struct ending {
	struct fixture *f;
	struct io_work work;
};

static void end_one(void *opaque)
{
	struct ending *e = opaque;

	toy_complete(e->f->toy, 0);
	if (e->f->toy->count)
		io_loop_post(e->f->loop, &e->work);
}

/* The machine's reset and unplug wait for what is under way. */
static void test_wait(void)
{
	for (unsigned detach = 0; detach < 2; detach++) {
		struct fixture f;
		struct ending e = { .f = &f, .work = { .fn = end_one, .opaque = &e } };

		set_up(&f, 0);
		f.toy->hold = f.toy->slow = true;
		offer(&f, 0, 4);
		io_loop_post(f.loop, &e.work);
		virtio_kick(&f.toy->dev, 0);
		if (detach)
			virtio_detach(&f.toy->dev);
		else
			virtio_reset(&f.toy->dev);
		g_assert_cmpuint(f.toy->count, ==, 0);
		g_assert_cmpuint(virtio_read_status(&f.toy->dev), ==, 0);
		tear_down(&f);
	}
}

/* The same with a loop that has a thread of its own. */
static void test_wait_thread(void)
{
	for (unsigned round = 0; round < 50; round++) {
		struct fixture f = { .features = 0 };
		struct ending e = { .f = &f, .work = { .fn = end_one, .opaque = &e } };
		GError *error = NULL;

		f.loop = io_loop_new("toy", IO_LOOP_THREADS, &error);
		g_assert_no_error(error);
		f.toy = toy_new(f.loop, SIZE);
		f.toy->freed = &f.freed;
		f.toy->hold = f.toy->slow = true;
		f.d = vdriver_new(&(struct vdriver_config){ .dev = &f.toy->dev, .loop = f.loop });
		f.data = vdriver_alloc(f.d, 4096);
		for (unsigned i = 0; i < 4; i++) {
			struct vdriver_buf buf = { f.data, 8, true };

			g_assert_true(vdriver_add(f.d, 0, &buf, 1, NULL));
		}
		(void)vdriver_kick(f.d, 0);
		for (unsigned count = 0; count < 4;) {
			virtio_lock(&f.toy->dev);
			count = f.toy->count;
			virtio_unlock(&f.toy->dev);
			g_thread_yield();
		}
		io_loop_post(f.loop, &e.work);
		virtio_kick(&f.toy->dev, 0);
		tear_down(&f);
	}
}

/* One queue is reset and set up anew while the other works. */
static void test_ring_reset(void)
{
	for (unsigned bits = 0; bits < 8; bits++) {
		uint64_t features = VIRTIO_F_RING_RESET | (bits & 1 ? VIRTIO_F_RING_PACKED : 0) |
				    (bits & 4 ? VIRTIO_F_IN_ORDER : 0);
		struct virtio_device *dev;
		struct virtq_setup setup;
		struct fixture f;

		set_up(&f, features);
		dev = &f.toy->dev;
		f.toy->hold = true;
		f.toy->slow = bits & 2;
		offer(&f, 0, 3);
		offer(&f, 1, 3);
		virtio_reset_queue(dev, 0);
		g_assert_cmpint(f.toy->reset_index, ==, 0);
		g_assert_cmpuint(virtio_queue_resetting(dev, 0), ==, f.toy->slow);
		g_assert_false(virtio_queue_resetting(dev, 1));
		g_assert_true(virtio_read_queue(dev, 0, &setup));
		g_assert_false(setup.enabled);
		if (f.toy->slow) {
			/* Not twice, and it cannot come back before it is finished. */
			virtio_reset_queue(dev, 0);
			virtio_enable_queue(dev, 0);
			g_assert_cmpuint(f.toy->resets, ==, 2);
		}
		/* The other one goes on. */
		toy_complete(f.toy, f.toy->slow ? 3 : 0);
		g_assert_true(vdriver_used(f.d, 1, NULL, NULL) || bits & 4);
		toy_complete_all(f.toy);
		g_assert_false(virtio_queue_resetting(dev, 0));
		g_assert_false(vdriver_used(f.d, 0, NULL, NULL));
		while (vdriver_used(f.d, 1, NULL, NULL))
			;
		g_assert_true(virtio_read_queue(dev, 0, &setup));
		g_assert_cmpuint(setup.size, ==, SIZE);
		g_assert_cmpuint(setup.desc, ==, 0);
		vdriver_setup_queue(f.d, 0);
		expect_works(&f);
		g_assert_cmpuint(virtio_read_status(dev), ==, 0xf);
		/* A queue that is not enabled, or is not there. */
		virtio_reset_queue(dev, TOY_QUEUES);
		virtio_reset_queue(dev, UINT32_MAX);
		tear_down(&f);
	}
}

/* A full reset while a queue is being reset. */
static void test_ring_reset_reset(void)
{
	struct fixture f;

	set_up(&f, VIRTIO_F_RING_RESET);
	f.toy->hold = f.toy->slow = true;
	offer(&f, 0, 2);
	offer(&f, 1, 2);
	virtio_reset_queue(&f.toy->dev, 0);
	virtio_write_status(&f.toy->dev, 0);
	g_assert_cmpuint(virtio_read_status(&f.toy->dev), ==, 0xf);
	toy_complete_all(f.toy);
	g_assert_cmpuint(virtio_read_status(&f.toy->dev), ==, 0);
	g_assert_false(virtio_queue_resetting(&f.toy->dev, 0));
	g_assert_true(vdriver_restart(f.d, 0));
	expect_works(&f);
	/* Not negotiated: nothing happens. */
	virtio_reset_queue(&f.toy->dev, 0);
	expect_works(&f);
	tear_down(&f);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *name = g_strdup_printf("/hostile/broken/%s", cases[i].name);

		g_test_add_data_func(name, &cases[i], test_broken);
	}
	g_test_add_func("/hostile/not-indirect", test_not_indirect);
	g_test_add_func("/hostile/repeated", test_repeated);
	g_test_add_func("/hostile/repeated-packed", test_repeated_packed);
	g_test_add_func("/hostile/huge-drop", test_huge_drop);
	g_test_add_func("/hostile/rings", test_rings);
	g_test_add_func("/hostile/sizes", test_sizes);
	g_test_add_func("/hostile/overlap", test_overlap);
	g_test_add_func("/hostile/reset", test_reset);
	g_test_add_func("/hostile/reset-broken", test_reset_broken);
	g_test_add_func("/hostile/wait", test_wait);
	g_test_add_func("/hostile/wait-thread", test_wait_thread);
	g_test_add_func("/hostile/ring-reset", test_ring_reset);
	g_test_add_func("/hostile/ring-reset-reset", test_ring_reset_reset);
	return g_test_run();
}
