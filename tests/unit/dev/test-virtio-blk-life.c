/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-virtio-blk-life.c - a disk in trouble: errors, limits, resets, another size, no allocation
 */
#include "allocations.h"
#include "blk-rig.h"

/* ---- no allocation ---- */

/* From the ring to the image and back, not a byte is allocated: each type, good ones and bad. */
static void test_no_allocation(const void *features)
{
	static const uint32_t types[] = { BLK_T_IN, BLK_T_OUT, BLK_T_FLUSH, BLK_T_GET_ID, 99 };
	struct rig_request req[ARRAY_SIZE(types)];
	unsigned before, during = 0;
	struct rig rig;

	if (!COUNTS_ALLOCATIONS) {
		g_test_skip("the sanitizer has its own malloc()");
		return;
	}
	rig_init(&rig, *(const uint64_t *)features);
	before = allocations;
	g_free(g_malloc(100));
	g_assert_cmpuint(allocations, >, before);
	for (unsigned i = 0; i < ARRAY_SIZE(types); i++)
		rig_make(&rig, &req[i], types[i], i * 8, types[i] == BLK_T_OUT ? 4096 : 0,
			 types[i] == BLK_T_IN ? 4096 : 0);
	for (unsigned round = 0; round < 1000; round++) {
		if (round == 500)
			put_le64(req[0].out + 8, UINT64_MAX);
		for (unsigned i = 0; i < ARRAY_SIZE(types); i++)
			rig_send(&rig, 0, &req[i], NULL, NULL);
		before = allocations;
		vdriver_run(rig.d);
		during += allocations - before;
		g_assert_cmpuint(rig_run(&rig), ==, ARRAY_SIZE(types));
	}
	g_assert_cmpuint(during, ==, 0);
	g_assert_cmpuint(rig.block.counted[BLOCK_READ], ==, 500);
	rig_release(&rig);
}

/* ---- batches ---- */

/* A batch costs one interrupt, though its requests complete one by one. */
static void test_batch(const void *features)
{
	struct rig_request req[20];
	unsigned before;
	struct rig rig;

	rig_init(&rig, *(const uint64_t *)features);
	for (unsigned i = 0; i < 20; i++)
		rig_make(&rig, &req[i], i % 2 ? BLK_T_OUT : BLK_T_IN, i, i % 2 ? 512 : 0,
			 i % 2 ? 0 : 512);
	for (unsigned round = 0; round < 3; round++) {
		before = vdriver_interrupts(rig.d, 0);
		for (unsigned i = 0; i < 20; i++)
			rig_send(&rig, 0, &req[i], NULL, NULL);
		(void)vdriver_irq_on(rig.d, 0);
		g_assert_cmpuint(rig_run(&rig), ==, 20);
		g_assert_cmpuint(vdriver_interrupts(rig.d, 0) - before, ==, 1);
	}
	rig_release(&rig);
}

/* The ring is filled to its last slot, again and again; out of order completions. */
static void test_full(const void *features)
{
	static struct rig_request req[256];
	struct rig rig;

	rig_init(&rig, *(const uint64_t *)features);
	for (unsigned i = 0; i < 256; i++)
		rig_make(&rig, &req[i], BLK_T_IN, i, 0, 512);
	for (unsigned round = 0; round < 5; round++) {
		unsigned sent = 0;

		for (; sent < 256; sent++) {
			struct vdriver_buf bufs[2] = { { req[sent].out_gpa, 16, false },
						       { req[sent].in_gpa, 513, true } };

			if (!vdriver_add(rig.d, 0, bufs, 2, &req[sent]))
				break;
			(void)vdriver_kick(rig.d, 0);
		}
		g_assert_cmpuint(sent, >=, 128);
		g_assert_cmpuint(rig_run(&rig), ==, sent);
		for (unsigned i = 0; i < sent; i++)
			g_assert_cmpmem(req[i].in, 512, rig.block.data + i * 512, 512);
	}
	rig_release(&rig);
}

static void test_queues(const void *features)
{
	struct rig_request req[8];
	struct rig rig;

	rig_prepare(&rig);
	rig.config.queues = 4;
	rig_start(&rig, *(const uint64_t *)features | RIG_ALL);
	for (unsigned i = 0; i < 8; i++) {
		rig_make(&rig, &req[i], BLK_T_IN, i, 0, 512);
		rig_send(&rig, i % 4, &req[i], NULL, NULL);
	}
	g_assert_cmpuint(rig_run(&rig), ==, 8);
	for (unsigned i = 0; i < 8; i++)
		g_assert_cmpmem(req[i].in, 512, rig.block.data + i * 512, 512);
	for (unsigned i = 0; i < 4; i++)
		g_assert_cmpuint(vdriver_interrupts(rig.d, (int)i), ==, 1);
	rig_release(&rig);
}

/* ---- what becomes of errors ---- */

static void fail_one(struct rig *rig, bool write, int err, unsigned code, bool told,
		     enum disk_error_policy action)
{
	rig->errors = 0;
	rig->block.fail = err;
	g_assert_cmpuint(write ? rig_simple(rig, BLK_T_OUT, 0, 512, 0)
			       : rig_simple(rig, BLK_T_IN, 0, 0, 512),
			 ==, code);
	rig->block.fail = 0;
	g_assert_cmpuint(rig->errors, ==, 0); /* not on the loop */
	(void)fake_clock_run(&rig->clock);
	g_assert_cmpuint(rig->errors, ==, told);
	if (!told)
		return;
	g_assert_cmpint(rig->error.write, ==, write);
	g_assert_cmpint(rig->error.err, ==, err);
	g_assert_cmpint(rig->error.nospace, ==, err == -ENOSPC);
	g_assert_cmpint(rig->error.action, ==, action);
}

static void test_report_ignore(const void *features)
{
	struct rig rig;

	rig_init(&rig, *(const uint64_t *)features);
	fail_one(&rig, false, -EIO, BLK_S_IOERR, true, DISK_ERROR_REPORT);
	fail_one(&rig, true, -ENOSPC, BLK_S_IOERR, true, DISK_ERROR_REPORT);
	rig_release(&rig);

	rig_prepare(&rig);
	rig.config.read_error = DISK_ERROR_IGNORE;
	rig.config.write_error = DISK_ERROR_ENOSPC;
	rig_start(&rig, *(const uint64_t *)features | RIG_ALL);
	fail_one(&rig, false, -EIO, BLK_S_OK, true, DISK_ERROR_IGNORE);
	fail_one(&rig, true, -EIO, BLK_S_IOERR, true, DISK_ERROR_REPORT);
	rig_release(&rig);

	/* Nobody wants to know. */
	rig_prepare(&rig);
	rig.config.error = NULL;
	rig_start(&rig, *(const uint64_t *)features | RIG_ALL);
	fail_one(&rig, true, -EIO, BLK_S_IOERR, false, 0);
	rig_release(&rig);
}

static void start_stop(struct rig *rig, uint64_t features, enum disk_error_policy policy)
{
	rig_prepare(rig);
	rig->config.read_error = DISK_ERROR_STOP;
	rig->config.write_error = policy;
	rig_start(rig, features | RIG_ALL);
}

static void assert_stopped(struct rig *rig, unsigned errors)
{
	g_assert_cmpuint(rig_run(rig), ==, 0);
	(void)fake_clock_run(&rig->clock);
	g_assert_cmpuint(rig->errors, ==, errors);
	g_assert_cmpint(rig->error.action, ==, DISK_ERROR_STOP);
}

static void test_stop(const void *features)
{
	struct rig_request req;
	struct rig rig;

	start_stop(&rig, *(const uint64_t *)features, DISK_ERROR_ENOSPC);
	rig_make(&rig, &req, BLK_T_OUT, 3, 1024, 0);
	memset(req.out + 16, 0x77, 1024);
	rig_send(&rig, 0, &req, (unsigned[]){ 5, 100, 0 }, NULL);
	rig.block.fail = -ENOSPC;
	assert_stopped(&rig, 1);
	g_assert_true(rig.error.nospace);
	g_assert_cmpuint(*req.status, ==, RIG_NOT_YET);
	/* Still no space. Without an error the guest's time does not help. */
	virtio_blk_retry(rig.dev);
	assert_stopped(&rig, 2);
	rig.block.fail = 0;
	rig.now_ns += 100 * rig_second;
	g_assert_cmpuint(rig_run(&rig), ==, 0);
	virtio_blk_retry(rig.dev);
	g_assert_cmpuint(rig_run(&rig), ==, 1);
	g_assert_cmpuint(*req.status, ==, BLK_S_OK);
	g_assert_cmpmem(rig.block.data + 1536, 1024, req.out + 16, 1024);
	virtio_blk_retry(rig.dev);
	g_assert_cmpuint(rig_run(&rig), ==, 0);
	rig_release(&rig);
}

/* Several fail, each queue's; all are tried again, a read into the right place. */
static void test_stop_many(const void *features)
{
	struct rig_request req[12];
	struct rig rig;

	rig_prepare(&rig);
	rig.config.queues = 3;
	rig.config.read_error = rig.config.write_error = DISK_ERROR_STOP;
	rig_start(&rig, *(const uint64_t *)features | RIG_ALL);
	rig.block.fail = -EIO;
	for (unsigned i = 0; i < 12; i++) {
		rig_make(&rig, &req[i], BLK_T_IN, i, 0, 512);
		rig_send(&rig, i % 3, &req[i], NULL, (unsigned[]){ 100, 512, 0 });
	}
	assert_stopped(&rig, 1); /* told once */
	rig.block.pass = 5;
	virtio_blk_retry(rig.dev);
	(void)rig_run(&rig);
	rig.block.fail = 0;
	virtio_blk_retry(rig.dev);
	(void)rig_run(&rig);
	for (unsigned i = 0; i < 12; i++) {
		g_assert_true(req[i].done);
		g_assert_cmpuint(*req[i].status, ==, BLK_S_OK);
		g_assert_cmpmem(req[i].in, 512, rig.block.data + i * 512, 512);
	}
	rig_release(&rig);
}

/* A list of ranges goes on with the range that failed. */
static void test_stop_ranges(const void *features)
{
	struct rig_request req;
	struct rig rig;

	start_stop(&rig, *(const uint64_t *)features, DISK_ERROR_STOP);
	rig_make(&rig, &req, BLK_T_WRITE_ZEROES, 0, 64, 0);
	for (unsigned i = 0; i < 4; i++) {
		put_le64(req.out + 16 + i * 16, i * 8);
		put_le32(req.out + 24 + i * 16, 8);
		put_le32(req.out + 28 + i * 16, 0);
	}
	rig_send(&rig, 0, &req, NULL, NULL);
	rig.block.fail = -EIO;
	rig.block.pass = 2;
	assert_stopped(&rig, 1);
	g_assert_cmpuint(rig.block.count, ==, 3);
	rig.block.fail = 0;
	virtio_blk_retry(rig.dev);
	g_assert_cmpuint(rig_run(&rig), ==, 1);
	g_assert_cmpuint(*req.status, ==, BLK_S_OK);
	g_assert_cmpuint(rig.block.count, ==, 5);
	g_assert_cmpuint(rig.block.log[3].off, ==, 2 * 4096);
	rig_release(&rig);
}

/* The guest is reset while a request is held: it is forgotten, and not tried again. */
static void test_stop_reset(const void *features)
{
	struct rig_request req;
	struct rig rig;

	start_stop(&rig, *(const uint64_t *)features, DISK_ERROR_STOP);
	rig.block.fail = -EIO;
	rig_make(&rig, &req, BLK_T_OUT, 0, 512, 0);
	rig_send(&rig, 0, &req, NULL, NULL);
	assert_stopped(&rig, 1);
	virtio_blk_retry(rig.dev);
	virtio_write_status(rig.dev, 0);
	g_assert_cmpuint(virtio_read_status(rig.dev), ==, 0);
	vdriver_run(rig.d);
	virtio_blk_retry(rig.dev);
	vdriver_run(rig.d);
	g_assert_cmpuint(rig.block.count, ==, 1);
	g_assert_cmpuint(*req.status, ==, RIG_NOT_YET);
	rig.block.fail = 0;
	g_assert_true(vdriver_restart(rig.d, *(const uint64_t *)features));
	g_assert_cmpuint(rig_simple(&rig, BLK_T_IN, 0, 0, 512), ==, BLK_S_OK);
	rig_release(&rig);
}

/* ---- limits ---- */

static void limit(struct rig *rig, enum disk_limit_kind kind, uint64_t avg)
{
	struct disk_limits limits = { 0 };

	if (avg)
		limits.limit[kind].avg = avg;
	if (rig->dev)
		virtio_blk_set_limits(rig->dev, &limits);
	else
		rig->config.limits = limits;
}

/* Ten requests a second: they come one by one, in order. */
static void test_limit(const void *features)
{
	struct disk_limits limits;
	static struct rig_request req[30];
	unsigned done = 0;
	struct rig rig;

	rig_prepare(&rig);
	limit(&rig, DISK_LIMIT_IOPS, 10);
	rig_start(&rig, *(const uint64_t *)features | RIG_ALL);
	virtio_blk_limits(rig.dev, &limits);
	g_assert_cmpuint(limits.limit[DISK_LIMIT_IOPS].avg, ==, 10);
	for (unsigned i = 0; i < 30; i++) {
		rig_make(&rig, &req[i], BLK_T_IN, i, 0, 512);
		rig_send(&rig, 0, &req[i], NULL, NULL);
	}
	for (unsigned tenth = 1; done < 30; tenth++) {
		done += rig_run(&rig);
		g_assert_cmpuint(done, <=, tenth + 2);
		g_assert_cmpuint(done + 2, >=, tenth);
		for (unsigned i = 0; i < 30; i++)
			g_assert_cmpint(req[i].done, ==, i < done);
		rig.now_ns += rig_second / 10;
	}
	rig_release(&rig);
}

/* A flush waits for no limit; a write does not wait for a limit of reads. */
static void test_limit_kinds(const void *features)
{
	struct rig_request req[4], write, flush;
	struct rig rig;

	rig_prepare(&rig);
	limit(&rig, DISK_LIMIT_BPS_RD, 1024);
	rig_start(&rig, (*(const uint64_t *)features & ~VIRTIO_F_IN_ORDER) | RIG_ALL);
	for (unsigned i = 0; i < 4; i++) {
		rig_make(&rig, &req[i], BLK_T_IN, i, 0, 1024);
		rig_send(&rig, 0, &req[i], NULL, NULL);
	}
	rig_make(&rig, &write, BLK_T_OUT, 0, 1024, 0);
	rig_send(&rig, 0, &write, NULL, NULL);
	rig_make(&rig, &flush, BLK_T_FLUSH, 0, 0, 0);
	rig_send(&rig, 0, &flush, NULL, NULL);
	(void)rig_run(&rig);
	g_assert_true(write.done && flush.done && req[0].done && !req[1].done);
	rig.now_ns += rig_second + 1;
	(void)rig_run(&rig);
	g_assert_true(req[1].done && !req[2].done);
	/* Lifted, what waits goes. */
	limit(&rig, DISK_LIMIT_BPS, 0);
	g_assert_cmpuint(rig_run(&rig), ==, 2);
	rig_release(&rig);
}

/* A total: neither direction starves. */
static void test_limit_total(const void *features)
{
	struct rig_request req[20];
	unsigned reads = 0, writes = 0;
	struct rig rig;

	rig_prepare(&rig);
	limit(&rig, DISK_LIMIT_IOPS, 10);
	rig_start(&rig, (*(const uint64_t *)features & ~VIRTIO_F_IN_ORDER) | RIG_ALL);
	for (unsigned i = 0; i < 20; i++) {
		const bool write = i >= 10;

		rig_make(&rig, &req[i], write, i, write ? 512 : 0, write ? 0 : 512);
		rig_send(&rig, 0, &req[i], NULL, NULL);
	}
	for (unsigned tenth = 0; tenth < 10; tenth++) {
		(void)rig_run(&rig);
		rig.now_ns += rig_second / 10;
	}
	for (unsigned i = 0; i < 20; i++) {
		reads += i < 10 && req[i].done;
		writes += i >= 10 && req[i].done;
	}
	g_assert_cmpuint(reads + writes, >=, 9);
	g_assert_cmpuint(reads, >=, 4);
	g_assert_cmpuint(writes, >=, 4);
	rig_release(&rig);
}

/* Live: from none to some, to others, while requests wait; a reset drops what waits. */
static void test_limit_live(const void *features)
{
	struct rig_request req[6];
	struct rig rig;

	rig_init(&rig, *(const uint64_t *)features);
	g_assert_cmpuint(rig_simple(&rig, BLK_T_IN, 0, 0, 512), ==, BLK_S_OK);
	limit(&rig, DISK_LIMIT_IOPS, 1);
	for (unsigned i = 0; i < 6; i++) {
		rig_make(&rig, &req[i], BLK_T_IN, i, 0, 512);
		rig_send(&rig, 0, &req[i], NULL, NULL);
	}
	g_assert_cmpuint(rig_run(&rig), ==, 1);
	limit(&rig, DISK_LIMIT_IOPS, 1000);
	rig.now_ns += rig_second / 100;
	g_assert_cmpuint(rig_run(&rig), ==, 5);
	limit(&rig, DISK_LIMIT_IOPS, 1);
	rig.now_ns += rig_second;
	for (unsigned i = 0; i < 6; i++)
		rig_send(&rig, 0, &req[i], NULL, NULL);
	(void)rig_run(&rig);
	/* Waiting requests do not keep a reset. */
	virtio_write_status(rig.dev, 0);
	g_assert_cmpuint(virtio_read_status(rig.dev), ==, 0);
	rig.now_ns += 100 * rig_second;
	vdriver_run(rig.d);
	g_assert_cmpuint(rig.block.counted[BLOCK_READ], <=, 9);
	g_assert_true(vdriver_restart(rig.d, *(const uint64_t *)features));
	g_assert_cmpuint(rig_simple(&rig, BLK_T_IN, 0, 0, 512), ==, BLK_S_OK);
	rig_release(&rig);
}

/* ---- another size ---- */

static void test_resize(const void *features)
{
	struct rig_request req;
	uint32_t generation;
	struct rig rig;

	rig_init(&rig, *(const uint64_t *)features);
	generation = virtio_read_generation(rig.dev);
	rig.block.info.size = 2 * RIG_SIZE;
	g_assert_cmpuint(rig_simple(&rig, BLK_T_IN, RIG_SECTORS, 0, 512), ==, BLK_S_IOERR);
	virtio_blk_resized(rig.dev);
	g_assert_cmpuint(vdriver_interrupts(rig.d, -1), ==, 1);
	g_assert_cmpuint(virtio_read_generation(rig.dev), !=, generation);
	g_assert_cmpuint(virtio_read_config(rig.dev, 0, 8), ==, 2 * RIG_SECTORS);
	g_assert_cmpuint(rig_simple(&rig, BLK_T_IN, RIG_SECTORS, 0, 512), ==, BLK_S_OK);
	rig.block.info.size = RIG_SIZE;
	virtio_blk_resized(rig.dev);
	g_assert_cmpuint(rig_simple(&rig, BLK_T_IN, RIG_SECTORS, 0, 512), ==, BLK_S_IOERR);
	/* Lesson 14: what waited while the disk shrank is checked again. */
	limit(&rig, DISK_LIMIT_IOPS, 1);
	(void)rig_simple(&rig, BLK_T_IN, 0, 0, 512);
	rig_make(&rig, &req, BLK_T_IN, RIG_SECTORS - 1, 0, 512);
	rig_send(&rig, 0, &req, NULL, NULL);
	g_assert_cmpuint(rig_run(&rig), ==, 0);
	rig.block.info.size = RIG_SIZE / 2;
	virtio_blk_resized(rig.dev);
	rig.now_ns += 2 * rig_second;
	g_assert_cmpuint(rig_run(&rig), ==, 1);
	g_assert_cmpuint(*req.status, ==, BLK_S_IOERR);
	rig_release(&rig);
}

static void count_call(void *opaque)
{
	++*(unsigned *)opaque;
}

/* Cuts the image to the size that the disk has now, but for the second time, when it cannot. */
static void on_shrunk(void *opaque)
{
	struct rig *rig = opaque;

	rig->shrunk++;
	if (rig->shrunk != 2)
		rig->block.info.size = virtio_read_config(rig->dev, 0, 8) * 512;
}

/* The image may be cut when all that was under way has ended, whatever came since. */
static void test_shrink(const void *features)
{
	struct rig_request before, behind, since;
	struct rig rig;

	rig_init(&rig, *(const uint64_t *)features);
	rig.block.hold = true;
	rig_make(&rig, &before, BLK_T_IN, RIG_SECTORS - 8, 0, 512);
	rig_make(&rig, &behind, BLK_T_IN, RIG_SECTORS - 8, 0, 512);
	rig_make(&rig, &since, BLK_T_IN, 0, 0, 512);
	rig_send(&rig, 0, &before, NULL, NULL);
	(void)rig_run(&rig);
	g_assert_true(virtio_blk_shrink(rig.dev, RIG_SIZE / 2, on_shrunk, &rig));
	g_assert_false(virtio_blk_shrink(rig.dev, RIG_SIZE / 4, on_shrunk, &rig));
	g_assert_cmpuint(vdriver_interrupts(rig.d, -1), ==, 1);
	g_assert_cmpuint(virtio_read_config(rig.dev, 0, 8), ==, RIG_SECTORS / 2);
	(void)fake_clock_run(&rig.clock);
	rig_send(&rig, 0, &behind, NULL, NULL);
	rig_send(&rig, 0, &since, NULL, NULL);
	(void)rig_run(&rig);
	g_assert_cmpuint(*behind.status, ==, BLK_S_IOERR);
	(void)fake_clock_run(&rig.clock);
	g_assert_cmpuint(rig.shrunk, ==, 0);
	g_assert_true(fake_block_complete(&rig.block));
	(void)rig_run(&rig);
	g_assert_true(before.done && behind.done && *before.status == BLK_S_OK);
	g_assert_cmpuint(rig.shrunk, ==, 0);
	(void)fake_clock_run(&rig.clock);
	g_assert_cmpuint(rig.shrunk, ==, 1);
	g_assert_false(since.done);
	fake_block_go(&rig.block);
	(void)rig_run(&rig);
	/* Once more, with nothing under way, in vain; and one that ends with the disk. */
	g_assert_true(virtio_blk_shrink(rig.dev, RIG_SIZE / 4, on_shrunk, &rig));
	g_assert_cmpuint(virtio_read_config(rig.dev, 0, 8), ==, RIG_SECTORS / 4);
	(void)fake_clock_run(&rig.clock);
	g_assert_cmpuint(rig.shrunk, ==, 2);
	g_assert_cmpuint(virtio_read_config(rig.dev, 0, 8), ==, RIG_SECTORS / 2);
	g_assert_cmpuint(vdriver_interrupts(rig.d, -1), ==, 3);
	g_assert_true(virtio_blk_shrink(rig.dev, RIG_SIZE / 8, count_call, &rig.shrunk));
	rig_release(&rig);
	g_assert_cmpuint(rig.shrunk, ==, 3);
}

/* While the machine is paused, nothing is taken, and what was taken comes to its end. */
static void test_pause(const void *features)
{
	struct rig_request req[2], limited[2];
	unsigned quiet = 0;
	struct rig rig;

	rig_init(&rig, *(const uint64_t *)features);
	virtio_on_quiet(rig.dev, count_call, &quiet);
	rig.block.hold = true;
	for (unsigned i = 0; i < 2; i++)
		rig_make(&rig, &req[i], BLK_T_IN, 8 * i, 0, 512);
	rig_send(&rig, 0, &req[0], NULL, NULL);
	(void)rig_run(&rig);
	virtio_pause(rig.dev);
	g_assert_false(virtio_is_quiet(rig.dev));
	rig_send(&rig, 0, &req[1], NULL, NULL);
	(void)rig_run(&rig);
	g_assert_cmpuint(rig.block.pending, ==, 1);
	fake_block_go(&rig.block);
	g_assert_cmpuint(rig_run(&rig), ==, 1);
	g_assert_true(req[0].done && !req[1].done);
	g_assert_cmpuint(quiet, ==, 1);
	g_assert_true(virtio_is_quiet(rig.dev));
	virtio_resume(rig.dev);
	g_assert_cmpuint(rig_run(&rig), ==, 1);
	g_assert_true(req[1].done);
	g_assert_false(virtio_is_quiet(rig.dev));
	/* Nor does the limits' timer let one pass. */
	limit(&rig, DISK_LIMIT_IOPS, 1);
	for (unsigned i = 0; i < 2; i++) {
		rig_make(&rig, &limited[i], BLK_T_IN, 8 * i, 0, 512);
		rig_send(&rig, 0, &limited[i], NULL, NULL);
	}
	g_assert_cmpuint(rig_run(&rig), ==, 1);
	virtio_pause(rig.dev);
	g_assert_true(virtio_is_quiet(rig.dev));
	rig.now_ns += 100 * rig_second;
	g_assert_cmpuint(rig_run(&rig), ==, 0);
	virtio_resume(rig.dev);
	g_assert_cmpuint(rig_run(&rig), ==, 1);
	rig_release(&rig);
}

/* Lesson 14, on: a list of ranges is checked again at each of them. */
static void test_lesson_14(const void *features)
{
	struct rig_request req;
	struct rig rig;

	rig_init(&rig, *(const uint64_t *)features);
	rig.block.hold = true;
	rig_make(&rig, &req, BLK_T_DISCARD, 0, 32, 0);
	memset(req.out + 16, 0, 32);
	put_le32(req.out + 24, 8);
	put_le64(req.out + 32, RIG_SECTORS - 8);
	put_le32(req.out + 40, 8);
	rig_send(&rig, 0, &req, NULL, NULL);
	g_assert_cmpuint(rig_run(&rig), ==, 0);
	rig.block.info.size = RIG_SIZE / 2;
	virtio_blk_resized(rig.dev);
	fake_block_go(&rig.block);
	g_assert_cmpuint(rig_run(&rig), ==, 1);
	g_assert_cmpuint(*req.status, ==, BLK_S_IOERR);
	g_assert_cmpuint(rig.block.count, ==, 1);
	rig_release(&rig);
}

/* ---- resets ---- */

static unsigned count_untouched(const struct rig_request *req, unsigned count)
{
	unsigned untouched = 0;

	for (unsigned i = 0; i < count; i++)
		untouched += *req[i].status == RIG_NOT_YET;
	return untouched;
}

/* Lesson 20: a completion owns its request until it is reaped. The status is 0 only then, and
 * nothing is written to the ring or the status byte. */
static void test_lesson_20(const void *features)
{
	struct rig_request req[6];
	struct rig rig;

	rig_init(&rig, *(const uint64_t *)features);
	rig.block.hold = true;
	for (unsigned i = 0; i < 6; i++) {
		rig_make(&rig, &req[i], i % 2 ? BLK_T_OUT : BLK_T_IN, i, i % 2 ? 512 : 0,
			 i % 2 ? 0 : 512);
		rig_send(&rig, 0, &req[i], NULL, NULL);
	}
	vdriver_run(rig.d);
	g_assert_cmpuint(rig.block.pending, ==, 6);
	virtio_write_status(rig.dev, 0);
	g_assert_cmpuint(virtio_read_status(rig.dev), !=, 0);
	for (unsigned i = 0; i < 5; i++) {
		g_assert_true(fake_block_complete(&rig.block));
		vdriver_run(rig.d);
		g_assert_cmpuint(virtio_read_status(rig.dev), !=, 0);
	}
	g_assert_true(fake_block_complete(&rig.block));
	g_assert_cmpuint(virtio_read_status(rig.dev), !=, 0); /* done, but not reaped */
	vdriver_run(rig.d);
	g_assert_cmpuint(virtio_read_status(rig.dev), ==, 0);
	g_assert_cmpuint(count_untouched(req, 6), ==, 6);
	g_assert_false(vdriver_used(rig.d, 0, NULL, NULL));
	g_assert_cmpuint(vdriver_interrupts(rig.d, 0), ==, 0);
	rig.block.hold = false;
	g_assert_true(vdriver_restart(rig.d, *(const uint64_t *)features));
	g_assert_cmpuint(rig_simple(&rig, BLK_T_IN, 0, 0, 512), ==, BLK_S_OK);
	rig_release(&rig);
}

/* Between completion and the end of the round the driver resets. */
static void test_reset_between(const void *features)
{
	struct rig_request req;
	struct rig rig;

	rig_init(&rig, *(const uint64_t *)features);
	rig.block.hold = true;
	rig_make(&rig, &req, BLK_T_IN, 0, 0, 512);
	rig_send(&rig, 0, &req, NULL, NULL);
	vdriver_run(rig.d);
	g_assert_true(fake_block_complete(&rig.block));
	virtio_write_status(rig.dev, 0);
	g_assert_cmpuint(virtio_read_status(rig.dev), !=, 0);
	vdriver_run(rig.d);
	g_assert_cmpuint(virtio_read_status(rig.dev), ==, 0);
	g_assert_cmpuint(*req.status, ==, RIG_NOT_YET);
	rig_release(&rig);
}

/* What a read has written by the time of a reset is told to mem, however much it is. */
static void test_reset_told(const void *features)
{
	enum {
		PIECE = 32 << 20
	};
	struct vdriver_buf bufs[5];
	struct rig_request req;
	_Atomic(uint8_t) *flags;
	struct rig rig;

	rig_prepare(&rig);
	rig.block.info.size = 1 << 30;
	rig_start(&rig, *(const uint64_t *)features | RIG_ALL);
	rig.block.hold = true;
	rig_make(&rig, &req, BLK_T_IN, 0, 0, 0);
	bufs[0] = (struct vdriver_buf){ req.out_gpa, 16, false };
	for (unsigned i = 1; i < 4; i++)
		bufs[i] = (struct vdriver_buf){ VDRIVER_BORDER - PIECE, PIECE, true };
	bufs[3].gpa = VDRIVER_BORDER + PIECE;
	bufs[4] = (struct vdriver_buf){ req.in_gpa, 1, true };
	g_assert_true(vdriver_add(rig.d, 0, bufs, 5, &req));
	(void)vdriver_kick(rig.d, 0);
	vdriver_run(rig.d);
	mem_dirty_log(vdriver_mem(rig.d), true);
	virtio_write_status(rig.dev, 0);
	fake_block_go(&rig.block);
	vdriver_run(rig.d);
	g_assert_cmpuint(virtio_read_status(rig.dev), ==, 0);
	flags = mem_page_flags(vdriver_mem(rig.d), VDRIVER_BORDER + 2 * PIECE - 1);
	g_assert_cmpuint(atomic_load(flags) & MEM_PAGE_DIRTY, !=, 0);
	flags = mem_page_flags(vdriver_mem(rig.d), VDRIVER_BORDER + PIECE - 1);
	g_assert_cmpuint(atomic_load(flags) & MEM_PAGE_DIRTY, ==, 0);
	rig_release(&rig);
}

/* One queue is reset while both have requests everywhere: waiting, with the image, held. */
static void test_queue_reset(const void *features)
{
	struct rig_request flight[2], wait[2];
	struct rig rig;

	if (!(*(const uint64_t *)features & VIRTIO_F_RING_RESET))
		return;
	rig_prepare(&rig);
	rig.config.queues = 2;
	limit(&rig, DISK_LIMIT_IOPS_RD, 1);
	rig_start(&rig, *(const uint64_t *)features | RIG_ALL);
	(void)rig_simple(&rig, BLK_T_IN, 0, 0, 512);
	rig.block.hold = true;
	for (unsigned i = 0; i < 2; i++) {
		rig_make(&rig, &flight[i], BLK_T_OUT, i, 512, 0);
		rig_send(&rig, i, &flight[i], NULL, NULL);
		rig_make(&rig, &wait[i], BLK_T_IN, i, 0, 512);
		rig_send(&rig, i, &wait[i], NULL, NULL);
	}
	vdriver_run(rig.d);
	virtio_reset_queue(rig.dev, 1);
	g_assert_true(virtio_queue_resetting(rig.dev, 1));
	fake_block_go(&rig.block);
	g_assert_cmpuint(rig_run(&rig), ==, 1);
	g_assert_false(virtio_queue_resetting(rig.dev, 1));
	g_assert_true(flight[0].done && !flight[1].done);
	g_assert_cmpuint(*flight[1].status, ==, RIG_NOT_YET);
	rig.now_ns += 10 * rig_second;
	g_assert_cmpuint(rig_run(&rig), ==, 1);
	g_assert_true(wait[0].done);
	g_assert_cmpuint(*wait[1].status, ==, RIG_NOT_YET);
	/* It lives again. */
	vdriver_setup_queue(rig.d, 1);
	rig_make(&rig, &wait[1], BLK_T_OUT, 5, 512, 0);
	rig_send(&rig, 1, &wait[1], NULL, NULL);
	g_assert_cmpuint(rig_run(&rig), ==, 1);
	rig_release(&rig);
}

/* Unplugged, or the end of the machine, in the middle of I/O. */
static void test_unplug(const void *features)
{
	struct rig_request req[4];
	struct rig rig;

	rig_prepare(&rig);
	limit(&rig, DISK_LIMIT_IOPS_RD, 1);
	rig_start(&rig, *(const uint64_t *)features | RIG_ALL);
	for (unsigned i = 0; i < 4; i++) {
		rig_make(&rig, &req[i], i % 2 ? BLK_T_OUT : BLK_T_IN, 0, i % 2 ? 512 : 0,
			 i % 2 ? 0 : 512);
		rig_send(&rig, 0, &req[i], NULL, NULL);
	}
	rig.block.hold = true;
	vdriver_run(rig.d);
	g_assert_cmpuint(rig.block.pending, ==, 3);
	fake_block_go(&rig.block);
	rig_release(&rig);
}

/* A broken queue does not keep the others' completions, and its own are dropped at the reset. */
static void test_broken_in_flight(const void *features)
{
	struct rig_request req;
	struct rig rig;

	rig_init(&rig, *(const uint64_t *)features);
	rig.block.hold = true;
	rig_make(&rig, &req, BLK_T_IN, 0, 0, 512);
	rig_send(&rig, 0, &req, NULL, NULL);
	vdriver_run(rig.d);
	vdriver_raw(rig.d, 0, &(struct vdriver_desc){ VDRIVER_HOLE, 16, 0, 0 }, 1);
	vdriver_run(rig.d);
	g_assert_true(rig_broken(&rig));
	virtio_write_status(rig.dev, 0);
	g_assert_cmpuint(virtio_read_status(rig.dev), !=, 0);
	fake_block_go(&rig.block);
	vdriver_run(rig.d);
	g_assert_cmpuint(virtio_read_status(rig.dev), ==, 0);
	g_assert_true(vdriver_restart(rig.d, *(const uint64_t *)features));
	g_assert_cmpuint(rig_simple(&rig, BLK_T_IN, 0, 0, 512), ==, BLK_S_OK);
	rig_release(&rig);
}

int main(int argc, char **argv)
{
	static const char prefix[] = "/dev/virtio-blk-life";

	g_test_init(&argc, &argv, NULL);
	rig_add(prefix, "no-allocation", test_no_allocation);
	rig_add(prefix, "batch", test_batch);
	rig_add(prefix, "full", test_full);
	rig_add(prefix, "queues", test_queues);
	rig_add(prefix, "report-ignore", test_report_ignore);
	rig_add(prefix, "stop", test_stop);
	rig_add(prefix, "stop-many", test_stop_many);
	rig_add(prefix, "stop-ranges", test_stop_ranges);
	rig_add(prefix, "stop-reset", test_stop_reset);
	rig_add(prefix, "limit", test_limit);
	rig_add(prefix, "limit-kinds", test_limit_kinds);
	rig_add(prefix, "limit-total", test_limit_total);
	rig_add(prefix, "limit-live", test_limit_live);
	rig_add(prefix, "lesson-14-resize", test_resize);
	rig_add(prefix, "lesson-14-ranges", test_lesson_14);
	rig_add(prefix, "shrink", test_shrink);
	rig_add(prefix, "pause", test_pause);
	rig_add(prefix, "lesson-20", test_lesson_20);
	rig_add(prefix, "reset-between", test_reset_between);
	rig_add(prefix, "reset-told", test_reset_told);
	rig_add(prefix, "queue-reset", test_queue_reset);
	rig_add(prefix, "unplug", test_unplug);
	rig_add(prefix, "broken-in-flight", test_broken_in_flight);
	return g_test_run();
}
