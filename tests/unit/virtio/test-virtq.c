/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-virtq.c - queues of both layouts against a driver and a model, and what memory is told
 */
#include "virtio/virtq.h"

#include <string.h>

#include "tests/lib/virtio-driver.h"
#include "tests/lib/virtio-toy.h"

enum {
	MAX_BUFS = 6,
	MAX_LEN = 300,
#ifdef __SANITIZE_THREAD__
	REQUESTS = 2000, /* one thread, slowly: nothing to be seen here */
#else
	REQUESTS = 70000, /* so that 16-bit indices go round */
#endif
};

static const uint64_t layouts[] = { 0, VIRTIO_F_RING_PACKED };

struct request {
	uint64_t gpa;
	unsigned count;
	struct vdriver_buf bufs[MAX_BUFS];
	size_t out_len, in_len;
	uint8_t seed;
	bool out;
};

struct model {
	struct io_loop *loop;
	struct toy *toy;
	struct vdriver *d;
	GRand *rand;
	struct request *requests;
	unsigned slots, under_way, added, done;
	bool asleep; /* the driver waits for an interrupt */
	unsigned interrupts;
};

static struct io_loop *manual_loop(void)
{
	GError *error = NULL;
	struct io_loop *loop = io_loop_new_manual(IO_LOOP_THREADS, NULL, NULL, &error);

	g_assert_no_error(error);
	return loop;
}

static void make_buffers(struct model *m, struct request *r)
{
	unsigned outs = (unsigned)g_rand_int_range(m->rand, 0, MAX_BUFS / 2 + 1);
	unsigned ins = (unsigned)g_rand_int_range(m->rand, outs ? 0 : 1, MAX_BUFS / 2 + 1);
	uint64_t gpa = r->gpa;

	r->out_len = r->in_len = 0;
	r->count = outs + ins;
	r->seed = (uint8_t)g_rand_int(m->rand);
	for (unsigned i = 0; i < r->count; i++) {
		uint32_t len = (uint32_t)g_rand_int_range(m->rand, 0, MAX_LEN);
		bool write = i >= outs;

		r->bufs[i] = (struct vdriver_buf){ gpa, len, write };
		*(write ? &r->in_len : &r->out_len) += len;
		for (uint32_t k = 0; k < len; k++)
			*(uint8_t *)vdriver_ptr(m->d, gpa + k, 1) = (uint8_t)(r->seed + k + i);
		gpa += len;
	}
}

static bool add_one(struct model *m)
{
	struct request *r = NULL;

	for (unsigned i = 0; i < m->slots && !r; i++) {
		if (!m->requests[i].out)
			r = &m->requests[i];
	}
	if (!r)
		return false;
	make_buffers(m, r);
	if (!vdriver_add(m->d, 0, r->bufs, r->count, r))
		return false;
	r->out = true;
	m->added++;
	m->under_way++;
	return true;
}

/* The bytes that the device read, as byte @at of all. */
static uint8_t out_byte(const struct request *r, size_t at)
{
	unsigned i = 0;

	while (at >= r->bufs[i].len)
		at -= r->bufs[i++].len;
	return (uint8_t)(r->seed + at + i);
}

static void check(struct model *m, struct request *r, uint32_t len)
{
	size_t at = 0;

	g_assert_true(r->out);
	g_assert_cmpuint(len, ==, MIN(r->out_len, r->in_len));
	for (unsigned i = 0; i < r->count; i++) {
		for (uint32_t k = 0; k < r->bufs[i].len; k++) {
			uint8_t is = *(uint8_t *)vdriver_ptr(m->d, r->bufs[i].gpa + k, 1);
			uint8_t was = (uint8_t)(r->seed + k + i);

			if (!r->bufs[i].write)
				g_assert_cmpuint(is, ==, was);
			else if (at < len)
				g_assert_cmpuint(is, ==, (uint8_t)~out_byte(r, at));
			else
				g_assert_cmpuint(is, ==, was);
			at += r->bufs[i].write;
		}
	}
	r->out = false;
	m->under_way--;
	m->done++;
}

static void collect(struct model *m)
{
	void *token;
	uint32_t len;

	while (vdriver_used(m->d, 0, &token, &len))
		check(m, token, len);
}

/* A driver that waits must have been woken when there is something. */
static void collect_or_sleep(struct model *m)
{
	bool more = m->asleep && vdriver_interrupts(m->d, 0) == m->interrupts &&
		    vdriver_irq_on(m->d, 0);

	g_assert_false(more);
	if (m->asleep && vdriver_interrupts(m->d, 0) == m->interrupts)
		return;
	m->asleep = false;
	if (g_rand_boolean(m->rand))
		vdriver_irq_off(m->d, 0);
	do
		collect(m);
	while (vdriver_irq_on(m->d, 0));
	m->asleep = true;
	m->interrupts = vdriver_interrupts(m->d, 0);
}

static void complete_some(struct model *m)
{
	unsigned left = (unsigned)g_rand_int_range(m->rand, 0, (int)m->toy->count + 1);

	virtio_lock(&m->toy->dev);
	while (left--) {
		toy_complete_locked(m->toy,
				    (unsigned)g_rand_int_range(m->rand, 0, (int)m->toy->count));
		if (g_rand_int_range(m->rand, 0, 4) == 0)
			virtq_flush(m->toy->dev.queue[0]);
	}
	virtq_flush(m->toy->dev.queue[0]);
	virtio_unlock(&m->toy->dev);
}

static void run_model(uint64_t features, unsigned size, unsigned requests)
{
	struct model m = { .loop = manual_loop(), .rand = g_rand_new_with_seed(size) };

	m.toy = toy_new(m.loop, 64);
	m.toy->hold = true;
	m.toy->unpop = size % 2;
	m.d = vdriver_new(&(struct vdriver_config){
		.dev = &m.toy->dev, .loop = m.loop, .features = features, .queue_size = size });
	m.slots = size;
	m.requests = g_new0(struct request, m.slots);
	/* Some buffers cross the border of two regions. */
	m.requests[0].gpa = VDRIVER_BORDER - 4 * MAX_LEN;
	for (unsigned i = 1; i < m.slots; i++)
		m.requests[i].gpa = vdriver_alloc(m.d, MAX_BUFS * MAX_LEN);
	collect_or_sleep(&m);
	while (m.done < requests) {
		unsigned burst = (unsigned)g_rand_int_range(m.rand, 0, (int)size + 2);

		while (burst-- && add_one(&m))
			;
		(void)vdriver_kick(m.d, 0);
		vdriver_run(m.d);
		/* Never a lost wake-up: the device has seen all there is. */
		g_assert_cmpuint(m.toy->popped, ==, m.added);
		complete_some(&m);
		g_assert_false(virtq_broken(m.toy->dev.queue[0]));
		collect_or_sleep(&m);
	}
	toy_complete_all(m.toy);
	collect(&m);
	g_assert_cmpuint(m.under_way, ==, 0);
	g_assert_cmpuint(m.done, ==, m.added);
	g_assert_cmpuint(virtq_in_flight(m.toy->dev.queue[0]), ==, 0);
	vdriver_free(m.d);
	toy_free(&m.toy->dev);
	io_loop_free(m.loop);
	g_rand_free(m.rand);
	g_free(m.requests);
}

static void test_model(gconstpointer data)
{
	unsigned bits = GPOINTER_TO_UINT(data);
	uint64_t features =
		(bits & 1 ? VIRTIO_F_RING_PACKED : 0) | (bits & 2 ? VIRTIO_F_INDIRECT_DESC : 0) |
		(bits & 4 ? VIRTIO_F_EVENT_IDX : 0) | (bits & 8 ? VIRTIO_F_IN_ORDER : 0);

	/* Only a split ring has indices that run on. */
	run_model(features, 8, bits & 1 ? REQUESTS / 4 : REQUESTS);
	run_model(features, 64, REQUESTS / 14);
	/* A packed ring may have any size. */
	run_model(features, bits & 1 ? 13 : 16, REQUESTS / 14);
	run_model(features, bits & 1 ? 7 : 8, REQUESTS / 14);
}

/* ---- single properties ---- */

struct fixture {
	struct io_loop *loop;
	struct toy *toy;
	struct vdriver *d;
};

static struct fixture set_up(uint64_t features, unsigned size)
{
	struct fixture f = { .loop = manual_loop() };

	f.toy = toy_new(f.loop, size);
	f.d = vdriver_new(&(struct vdriver_config){
		.dev = &f.toy->dev, .loop = f.loop, .features = features });
	return f;
}

static void tear_down(struct fixture *f)
{
	vdriver_free(f->d);
	toy_free(&f->toy->dev);
	io_loop_free(f->loop);
}

/* Lesson 18: buffers that cross two regions, and the end of one, are checked against each. */
static void test_regions(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(layouts); i++) {
		struct fixture f = set_up(layouts[i], 16);
		struct vdriver_buf bufs[] = {
			{ VDRIVER_BORDER - 3, 10, false },
			{ VDRIVER_HOLE - 8, 8, true }, /* up to the last byte */
		};
		const struct virtq_chain *chain;
		uint32_t len;

		f.toy->hold = true;
		g_assert_true(vdriver_add(f.d, 0, bufs, 2, NULL));
		(void)vdriver_kick(f.d, 0);
		vdriver_run(f.d);
		g_assert_cmpuint(f.toy->count, ==, 1);
		chain = f.toy->held[0].chain;
		g_assert_cmpuint(chain->out_count, ==, 2);
		g_assert_cmpuint(chain->out[0].iov_len, ==, 3);
		g_assert_true(chain->out[0].iov_base == vdriver_ptr(f.d, VDRIVER_BORDER - 3, 3));
		g_assert_cmpuint(chain->out[1].iov_len, ==, 7);
		g_assert_true(chain->out[1].iov_base == vdriver_ptr(f.d, VDRIVER_BORDER, 7));
		g_assert_cmpuint(chain->in_count, ==, 1);
		toy_complete_all(f.toy);
		g_assert_true(vdriver_used(f.d, 0, NULL, &len));
		g_assert_cmpuint(len, ==, 8);
		tear_down(&f);
	}
}

static void test_zero_length(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(layouts); i++) {
		struct fixture f = set_up(layouts[i], 16);
		uint64_t gpa = vdriver_alloc(f.d, 64);
		/* The address of nothing may be anything. */
		struct vdriver_buf bufs[] = {
			{ VDRIVER_HOLE, 0, false }, { gpa, 4, false },    { gpa, 0, false },
			{ UINT64_MAX, 0, true },    { gpa + 8, 4, true },
		};
		struct vdriver_buf nothing = { VDRIVER_HOLE, 0, true };
		uint32_t len;

		g_assert_true(vdriver_add(f.d, 0, bufs, G_N_ELEMENTS(bufs), NULL));
		g_assert_true(vdriver_add(f.d, 0, &nothing, 1, NULL));
		(void)vdriver_kick(f.d, 0);
		vdriver_run(f.d);
		g_assert_true(vdriver_used(f.d, 0, NULL, &len));
		g_assert_cmpuint(len, ==, 4);
		g_assert_true(vdriver_used(f.d, 0, NULL, &len));
		g_assert_cmpuint(len, ==, 0);
		tear_down(&f);
	}
}

/* Lesson 3: lengths near 2^32 are summed without loss. */
static void test_long_lengths(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(layouts); i++) {
		struct io_loop *loop = manual_loop();
		struct toy *toy = toy_new(loop, 16);
		struct mem *mem = mem_new();
		struct vdriver_buf bufs[8];
		struct vdriver *d;

		g_assert_true(mem_add_ram(mem, 0, UINT64_C(8) << 30, NULL));
		d = vdriver_new(&(struct vdriver_config){ .dev = &toy->dev,
							  .loop = loop,
							  .features = layouts[i],
							  .mem = mem,
							  .base = 4096,
							  .len = 1 << 20 });
		toy->hold = true;
		for (unsigned k = 0; k < 8; k++)
			bufs[k] = (struct vdriver_buf){ 1 << 20, UINT32_MAX, k >= 4 };
		g_assert_true(vdriver_add(d, 0, bufs, 8, NULL));
		(void)vdriver_kick(d, 0);
		vdriver_run(d);
		g_assert_cmpuint(toy->count, ==, 1);
		g_assert_cmpuint(toy->held[0].chain->out_len, ==, UINT64_C(4) * UINT32_MAX);
		g_assert_cmpuint(toy->held[0].chain->in_len, ==, UINT64_C(4) * UINT32_MAX);
		/* And a length that does not fit into the ring is cut. */
		virtio_lock(&toy->dev);
		virtq_push(toy->held[0].vq, toy->held[0].chain, UINT64_C(2) * UINT32_MAX);
		virtq_flush(toy->held[0].vq);
		virtio_unlock(&toy->dev);
		toy->count = 0;
		uint32_t len;
		g_assert_true(vdriver_used(d, 0, NULL, &len));
		g_assert_cmpuint(len, ==, UINT32_MAX);
		vdriver_free(d);
		toy_free(&toy->dev);
		io_loop_free(loop);
		mem_free(mem);
	}
}

static bool dirty(struct vdriver *d, uint64_t gpa)
{
	uint64_t bitmap = 0;

	mem_dirty_fetch(vdriver_mem(d), gpa & ~UINT64_C(4095), 1, &bitmap);
	return bitmap;
}

/* As long as can be: an indirect table of 1024, of which lists beside the chain have no room. */
static void test_long_chain(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(layouts); i++) {
		struct fixture f = set_up(layouts[i] | VIRTIO_F_INDIRECT_DESC, 16);
		uint64_t table = vdriver_alloc(f.d, VIRTQ_MAX_SIZE * 16);
		uint64_t data = vdriver_alloc(f.d, (VIRTQ_MAX_SIZE + 1) * 4096) | 4088;
		struct vdriver_desc desc = { table, VIRTQ_MAX_SIZE * 16, VDRIVER_INDIRECT, 0 };
		const struct virtq_chain *chain;

		for (unsigned k = 0; k < VIRTQ_MAX_SIZE; k++) {
			struct vdriver_desc entry = { .addr = data + k * 4096, .len = 8 };

			entry.flags = k >= 4 ? VDRIVER_WRITE : 0;
			if (k + 1 < VIRTQ_MAX_SIZE) {
				entry.flags |= VDRIVER_NEXT;
				entry.next = (uint16_t)(k + 1);
			}
			vdriver_write_desc(f.d, table + k * 16, &entry);
		}
		f.toy->hold = true;
		vdriver_raw(f.d, 0, &desc, 1);
		vdriver_run(f.d);
		g_assert_cmpuint(f.toy->count, ==, 1);
		chain = f.toy->held[0].chain;
		g_assert_cmpuint(chain->out_count, ==, 4);
		g_assert_cmpuint(chain->in_count, ==, VIRTQ_MAX_SIZE - 4);
		for (unsigned k = 0; k < VIRTQ_MAX_SIZE; k++)
			g_assert_true(chain->out[k].iov_base ==
				      vdriver_ptr(f.d, data + k * 4096, 8));
		/* As many bytes as there were to be read: four buffers. */
		mem_dirty_log(vdriver_mem(f.d), true);
		toy_complete_all(f.toy);
		for (unsigned k = 0; k < 20; k++)
			g_assert_cmpuint(dirty(f.d, data + k * 4096), ==, k >= 4 && k < 8);
		tear_down(&f);
	}
}

/* Everything that the device writes is told to mem, and nothing else. */
static void test_written(void)
{
	for (unsigned bits = 0; bits < 4; bits++) {
		struct fixture f = set_up((bits & 1 ? VIRTIO_F_RING_PACKED : 0) |
						  (bits & 2 ? VIRTIO_F_EVENT_IDX : 0),
					  512);
		uint64_t page = (vdriver_alloc(f.d, 8 * 4096) + 4095) & ~UINT64_C(4095);
		const struct vdriver_queue *q = vdriver_queue(f.d, 0);
		struct vdriver_buf bufs[] = {
			{ page, 5000, false },                  /* pages 0 and 1 */
			{ page + 2 * 4096, 10, true },          /* page 2 */
			{ page + 3 * 4096 + 4000, 6000, true }, /* 3, 4, 5; 4990 bytes written */
		};

		mem_dirty_log(vdriver_mem(f.d), true);
		g_assert_true(vdriver_add(f.d, 0, bufs, 3, NULL));
		(void)vdriver_kick(f.d, 0);
		vdriver_run(f.d);
		for (unsigned i = 0; i < 6; i++)
			g_assert_cmpuint(dirty(f.d, page + i * 4096), ==, i >= 2 && i <= 5);
		g_assert_true(vdriver_used(f.d, 0, NULL, NULL));
		if (bits & 1)
			g_assert_true(dirty(f.d, q->desc));
		else
			g_assert_true(dirty(f.d, q->device + 2));
		if (bits & 1 && q->device / 4096 != q->desc / 4096)
			g_assert_true(dirty(f.d, q->device));
		tear_down(&f);
	}
}

/* Those used in one flush make one interrupt; what is not flushed is not seen. */
static void test_batch(void)
{
	for (unsigned bits = 0; bits < 4; bits++) {
		struct fixture f = set_up((bits & 1 ? VIRTIO_F_RING_PACKED : 0) |
						  (bits & 2 ? VIRTIO_F_EVENT_IDX : 0),
					  16);
		struct vdriver_buf buf = { vdriver_alloc(f.d, 64), 8, true };

		f.toy->hold = true;
		(void)vdriver_irq_on(f.d, 0);
		for (unsigned i = 0; i < 16; i++)
			g_assert_true(vdriver_add(f.d, 0, &buf, 1, NULL));
		(void)vdriver_kick(f.d, 0);
		vdriver_run(f.d);
		g_assert_cmpuint(f.toy->count, ==, 16);
		virtio_lock(&f.toy->dev);
		while (f.toy->count)
			toy_complete_locked(f.toy, 0);
		virtio_unlock(&f.toy->dev);
		g_assert_false(vdriver_used(f.d, 0, NULL, NULL));
		g_assert_cmpuint(vdriver_interrupts(f.d, 0), ==, 0);
		virtio_lock(&f.toy->dev);
		virtq_flush(f.toy->dev.queue[0]);
		virtq_flush(f.toy->dev.queue[0]);
		virtio_unlock(&f.toy->dev);
		g_assert_cmpuint(vdriver_interrupts(f.d, 0), ==, 1);
		for (unsigned i = 0; i < 16; i++)
			g_assert_true(vdriver_used(f.d, 0, NULL, NULL));
		g_assert_false(vdriver_used(f.d, 0, NULL, NULL));
		tear_down(&f);
	}
}

/* In order: what is done early is held back until those before it are done. */
/* @count requests are used without a flush. */
static void use_many(struct fixture *f, unsigned count)
{
	const uint64_t gpa = VDRIVER_BORDER;

	for (unsigned i = 0; i < count; i++) {
		struct virtq *vq = f->toy->dev.queue[0];
		struct virtq_chain *chain;

		vdriver_raw(f->d, 0, &(struct vdriver_desc){ gpa, 4, VDRIVER_WRITE, 0 }, 1);
		virtio_lock(&f->toy->dev);
		chain = virtq_pop(vq);
		g_assert_nonnull(chain);
		virtq_push(vq, chain, 4);
		virtio_unlock(&f->toy->dev);
	}
	virtio_lock(&f->toy->dev);
	virtq_flush(f->toy->dev.queue[0]);
	virtio_unlock(&f->toy->dev);
}

/*
 * A driver that offers again and again what it was not shown as used, until a 16-bit count of it goes
 * round: it is interrupted, and memory is told of no more than the ring.
 */
static void test_unflushed(void)
{
	for (unsigned i = 0; i < G_N_ELEMENTS(layouts); i++) {
		struct fixture f = set_up(layouts[i], 512);
		const struct vdriver_queue *q = vdriver_queue(f.d, 0);
		uint64_t end = i ? q->desc + 512 * 16 : q->device + 4 + 512 * 8 + 2;
		unsigned before;

		mem_dirty_log(vdriver_mem(f.d), true);
		use_many(&f, 60000);
		for (unsigned page = 1; page < 300; page++)
			g_assert_false(dirty(f.d, end + page * 4096));
		before = vdriver_interrupts(f.d, 0);
		g_assert_cmpuint(before, >, 0);
		use_many(&f, 65536);
		g_assert_cmpuint(vdriver_interrupts(f.d, 0), >, before);
		tear_down(&f);
	}
}

static void test_in_order(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(layouts); i++) {
		struct fixture f = set_up(layouts[i] | VIRTIO_F_IN_ORDER, 8);
		struct vdriver_buf buf = { vdriver_alloc(f.d, 64), 8, true };
		uintptr_t seen = 0;
		void *token;

		f.toy->hold = true;
		for (uintptr_t k = 0; k < 4; k++)
			g_assert_true(vdriver_add(f.d, 0, &buf, 1, (void *)k));
		(void)vdriver_kick(f.d, 0);
		vdriver_run(f.d);
		/* 3 comes last in the array and takes the place of the one before. */
		toy_complete(f.toy, 3);
		toy_complete(f.toy, 1);
		g_assert_false(vdriver_used(f.d, 0, NULL, NULL));
		g_assert_cmpuint(virtq_in_flight(f.toy->dev.queue[0]), ==, 2);
		toy_complete(f.toy, 0);
		while (vdriver_used(f.d, 0, &token, NULL))
			g_assert_cmpuint((uintptr_t)token, ==, seen++);
		g_assert_cmpuint(seen, ==, 2);
		/* A reset finds one that is held back, and one that is out. */
		g_assert_cmpuint(f.toy->count, ==, 1);
		vdriver_reset(f.d);
		g_assert_cmpuint(f.toy->count, ==, 0);
		tear_down(&f);
	}
}

static void test_suppression(void)
{
	for (unsigned bits = 0; bits < 4; bits++) {
		struct fixture f = set_up((bits & 1 ? VIRTIO_F_RING_PACKED : 0) |
						  (bits & 2 ? VIRTIO_F_EVENT_IDX : 0),
					  16);
		struct vdriver_buf buf = { vdriver_alloc(f.d, 64), 8, true };
		struct virtq *vq = f.toy->dev.queue[0];

		f.toy->hold = true;
		vdriver_irq_off(f.d, 0);
		g_assert_true(vdriver_add(f.d, 0, &buf, 1, NULL));
		g_assert_true(vdriver_kick(f.d, 0));
		vdriver_run(f.d);
		toy_complete_all(f.toy);
		g_assert_cmpuint(vdriver_interrupts(f.d, 0), ==, 0);
		g_assert_true(vdriver_irq_on(f.d, 0));
		g_assert_true(vdriver_used(f.d, 0, NULL, NULL));
		g_assert_false(vdriver_irq_on(f.d, 0));
		/* The device, busy, does not want to be told; then it does, and looks. */
		virtio_lock(&f.toy->dev);
		virtq_notify_off(vq);
		virtio_unlock(&f.toy->dev);
		for (unsigned i = 0; i < 2; i++) {
			g_assert_true(vdriver_add(f.d, 0, &buf, 1, NULL));
			g_assert_false(vdriver_kick(f.d, 0));
		}
		virtio_lock(&f.toy->dev);
		g_assert_true(virtq_notify_on(vq));
		virtio_unlock(&f.toy->dev);
		virtio_kick(&f.toy->dev, 0);
		vdriver_run(f.d);
		g_assert_cmpuint(f.toy->count, ==, 2);
		toy_complete_all(f.toy);
		g_assert_cmpuint(vdriver_interrupts(f.d, 0), ==, (bits & 2) ? 1 : 2);
		tear_down(&f);
	}
}

static void test_iov(void)
{
	char a[] = "abc", b[] = "", c[] = "defgh", got[16] = "";
	struct iovec list[] = { { a, 3 }, { b, 0 }, { c, 5 } }, *iov = list;
	unsigned count = 3;

	g_assert_cmpuint(iov_len(list, 3), ==, 8);
	g_assert_cmpuint(iov_copy_out(list, 3, 0, got, sizeof(got)), ==, 8);
	g_assert_cmpstr(got, ==, "abcdefgh");
	memset(got, 0, sizeof(got));
	g_assert_cmpuint(iov_copy_out(list, 3, 2, got, 3), ==, 3);
	g_assert_cmpstr(got, ==, "cde");
	g_assert_cmpuint(iov_copy_out(list, 3, 8, got, 3), ==, 0);
	g_assert_cmpuint(iov_copy_out(list, 3, SIZE_MAX, got, 3), ==, 0);
	g_assert_cmpuint(iov_copy_in(list, 3, 1, "XYZ", 3), ==, 3);
	g_assert_cmpstr(a, ==, "aXY");
	g_assert_cmpstr(c, ==, "Zefgh");
	g_assert_cmpuint(iov_copy_in(list, 3, 6, "1234", 4), ==, 2);
	g_assert_cmpstr(c, ==, "Zef12");
	iov_skip(&iov, &count, 0);
	g_assert_cmpuint(count, ==, 3);
	iov_skip(&iov, &count, 4);
	g_assert_cmpuint(count, ==, 1);
	g_assert_true(iov->iov_base == c + 1 && iov->iov_len == 4);
	iov_skip(&iov, &count, 100);
	g_assert_cmpuint(count, ==, 0);
}

/* ---- two threads ---- */

/* The driver spins, the loop has a thread of its own; neither may wait for ever. */
static void test_threads(void)
{
	for (unsigned bits = 0; bits < 4; bits++) {
		GError *error = NULL;
		struct io_loop *loop = io_loop_new("toy", IO_LOOP_THREADS, &error);
		struct toy *toy;
		struct vdriver *d;
		struct vdriver_buf bufs[2];
		unsigned done = 0, under_way = 0;

		g_assert_no_error(error);
		toy = toy_new(loop, 32);
		d = vdriver_new(&(struct vdriver_config){
			.dev = &toy->dev,
			.loop = loop,
			.features = (bits & 1 ? VIRTIO_F_RING_PACKED : 0) |
				    (bits & 2 ? VIRTIO_F_EVENT_IDX : 0) });
		bufs[0] = (struct vdriver_buf){ vdriver_alloc(d, 64), 16, false };
		bufs[1] = (struct vdriver_buf){ vdriver_alloc(d, 64), 16, true };
		while (done < 20000) {
			unsigned before = vdriver_interrupts(d, 0);

			while (under_way < 8 && vdriver_add(d, 0, bufs, 2, NULL))
				under_way++;
			(void)vdriver_kick(d, 0);
			if (!vdriver_irq_on(d, 0)) {
				/* The interrupt must come; the test's time limit sees if not. */
				while (vdriver_interrupts(d, 0) == before)
					g_thread_yield();
			}
			vdriver_irq_off(d, 0);
			while (vdriver_used(d, 0, NULL, NULL)) {
				under_way--;
				done++;
			}
		}
		vdriver_free(d);
		toy_free(&toy->dev);
		io_loop_free(loop);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	for (unsigned bits = 0; bits < 16; bits++) {
		g_autofree char *name =
			g_strdup_printf("/virtq/model/%s%s%s%s", bits & 1 ? "packed" : "split",
					bits & 2 ? "-indirect" : "", bits & 4 ? "-event" : "",
					bits & 8 ? "-order" : "");

		g_test_add_data_func(name, GUINT_TO_POINTER(bits), test_model);
	}
	g_test_add_func("/virtq/regions", test_regions);
	g_test_add_func("/virtq/zero-length", test_zero_length);
	g_test_add_func("/virtq/long-lengths", test_long_lengths);
	g_test_add_func("/virtq/long-chain", test_long_chain);
	g_test_add_func("/virtq/written", test_written);
	g_test_add_func("/virtq/batch", test_batch);
	g_test_add_func("/virtq/unflushed", test_unflushed);
	g_test_add_func("/virtq/in-order", test_in_order);
	g_test_add_func("/virtq/suppression", test_suppression);
	g_test_add_func("/virtq/iov", test_iov);
	g_test_add_func("/virtq/threads", test_threads);
	return g_test_run();
}
