/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-virtio-blk-image.c - a disk on real images: a file whose system calls fail, and a loop with
 * a thread of its own
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/sys.h"
#include "dev/virtio-blk-int.h"
#include "tests/lib/virtio-driver.h"

#include "allocations.h"
#include "fake.h"
#include "virtio-rig.h"

enum {
	SIZE = 1 << 20,
	REQUESTS = 12,
	LEN = 4096,
	NOT_YET = 0xee,
};

#define FEATURES \
	(VIRTIO_BLK_F_FLUSH | VIRTIO_BLK_F_DISCARD | VIRTIO_BLK_F_WRITE_ZEROES | VIRTIO_BLK_F_MQ)

struct rig {
	struct io_loop *loop;
	struct fake_clock clock;
	struct block *block;
	struct virtio_device *dev;
	struct vdriver *d;
	uint64_t now_ns;
	int fd; /* of the file */
	unsigned errors;
	struct disk_error error;
};

struct request {
	uint64_t gpa; /* header, data, status, a page each */
	uint8_t *header, *data, *status;
	bool done;
};

static void on_error(void *opaque, const struct disk_error *error)
{
	struct rig *rig = opaque;

	rig->errors++;
	rig->error = *error;
}

static void open_file(struct rig *rig, bool direct)
{
	/* Where the build is, and not in /tmp, which may have no O_DIRECT. */
	char path[] = "test-virtio-blk-XXXXXX";
	GError *error = NULL;

	rig->fd = g_mkstemp(path);
	g_assert_cmpint(rig->fd, >=, 0);
	g_assert_cmpint(sys_ftruncate(rig->fd, SIZE), ==, 0);
	rig->block = block_open(
		&(struct block_open){
			.node_name = "disk", .path = path, .format = "raw", .direct = direct },
		&error);
	g_assert_no_error(error);
	(void)sys_unlink(path);
}

static void rig_init(struct rig *rig, uint64_t features, bool thread, bool file,
		     enum disk_error_policy policy, bool direct, enum io_loop_kind kind)
{
	GError *error = NULL;

	*rig = (struct rig){ .now_ns = 1000000000, .fd = -1 };
	fake_clock_init(&rig->clock);
	rig->loop = thread ? io_loop_new("test", IO_LOOP_AUTO, &error)
			   : io_loop_new_manual(kind, rig_now_ns, &rig->now_ns, &error);
	g_assert_no_error(error);
	if (file)
		open_file(rig, direct);
	else
		rig->block = block_open(&(struct block_open){ .node_name = "disk",
							      .format = "null",
							      .null_size = SIZE },
					&error);
	g_assert_no_error(error);
	rig->dev = virtio_blk_new(
		&(struct virtio_blk_config){
			.block = rig->block,
			.loop = rig->loop,
			.clock = &rig->clock.clock,
			.queues = 2,
			.read_error = policy,
			.write_error = policy,
			.error = on_error,
			.opaque = rig,
		},
		&error);
	g_assert_no_error(error);
	rig->d = vdriver_new(&(struct vdriver_config){
		.dev = rig->dev, .loop = rig->loop, .features = features | FEATURES });
}

static void rig_release(struct rig *rig)
{
	vdriver_free(rig->d);
	rig->dev->ops->free(rig->dev);
	block_close(rig->block);
	io_loop_free(rig->loop);
	fd_autoclose(&rig->fd);
}

static void make(struct rig *rig, struct request *req, uint32_t type, uint64_t sector)
{
	if (!req->gpa)
		req->gpa = vdriver_alloc(rig->d, 3 * LEN);
	req->header = vdriver_ptr(rig->d, req->gpa, 3 * LEN);
	req->data = req->header + LEN;
	req->status = req->data + LEN;
	put_le32(req->header, type);
	put_le64(req->header + 8, sector);
	*req->status = NOT_YET;
	req->done = false;
}

static void offer(struct rig *rig, unsigned queue, struct request *req)
{
	const bool in = get_le32(req->header) == BLK_T_IN;
	const struct vdriver_buf bufs[] = { { req->gpa, 16, false },
					    { req->gpa + LEN, LEN, in },
					    { req->gpa + (uint64_t)2 * LEN, 1, true } };

	g_assert_true(vdriver_add(rig->d, queue, bufs, 3, req));
	(void)vdriver_kick(rig->d, queue);
}

static void wait_for(struct rig *rig, unsigned queue, unsigned count)
{
	while (count--) {
		void *token;

		vdriver_wait(rig->d, queue, &token, NULL);
		((struct request *)token)->done = true;
		g_assert_cmpuint(*((struct request *)token)->status, <=, BLK_S_UNSUPP);
	}
}

/* Data goes to the file and comes back, is gone after a discard, and zero after zeroing. */
static void test_file(const void *features)
{
	struct request req[REQUESTS] = { 0 }, range = { 0 };
	g_autofree uint8_t *buf = g_malloc(LEN);
	struct rig rig;

	rig_init(&rig, *(const uint64_t *)features, false, true, DISK_ERROR_REPORT, false,
		 IO_LOOP_THREADS);
	for (unsigned i = 0; i < REQUESTS; i++) {
		make(&rig, &req[i], BLK_T_OUT, i * 16);
		memset(req[i].data, (int)i + 1, LEN);
		offer(&rig, 0, &req[i]);
	}
	wait_for(&rig, 0, REQUESTS);
	for (unsigned i = 0; i < REQUESTS; i++) {
		g_assert_cmpuint(*req[i].status, ==, BLK_S_OK);
		g_assert_cmpint(sys_pread(rig.fd, buf, LEN, (off_t)i * 8192), ==, LEN);
		g_assert_cmpmem(buf, LEN, req[i].data, LEN);
	}
	for (uint32_t type = BLK_T_DISCARD; type <= BLK_T_WRITE_ZEROES; type += 2) {
		struct vdriver_buf bufs[2];

		make(&rig, &range, type, 0);
		memset(range.header + 16, 0, 32);
		put_le64(range.header + 16, type == BLK_T_DISCARD ? 0 : 16);
		put_le32(range.header + 24, 8);
		put_le64(range.header + 32, type == BLK_T_DISCARD ? 32 : 48);
		put_le32(range.header + 40, 8);
		bufs[0] = (struct vdriver_buf){ range.gpa, 48, false };
		bufs[1] = (struct vdriver_buf){ range.gpa + (uint64_t)2 * LEN, 1, true };
		g_assert_true(vdriver_add(rig.d, 1, bufs, 2, &range));
		(void)vdriver_kick(rig.d, 1);
		wait_for(&rig, 1, 1);
		g_assert_cmpuint(*range.status, ==, BLK_S_OK);
	}
	for (unsigned i = 0; i < REQUESTS; i++) {
		make(&rig, &req[i], BLK_T_IN, i * 16);
		offer(&rig, 0, &req[i]);
	}
	wait_for(&rig, 0, REQUESTS);
	for (unsigned i = 0; i < REQUESTS; i++)
		g_assert_cmpuint(req[i].data[LEN - 1], ==, i < 4 ? 0 : i + 1);
	rig_release(&rig);
}

/* The n-th call of the host fails: that request has an error, no other one. */
static void test_failing(const void *features)
{
	static const struct {
		enum sys_call call;
		uint32_t type;
		int err;
		bool whole; /* short ones go on */
	} cases[] = {
		{ SYS_PREADV, BLK_T_IN, EIO, false },
		{ SYS_PWRITEV, BLK_T_OUT, ENOSPC, false },
		{ SYS_PREADV, BLK_T_IN, SYS_SHORT, true },
		{ SYS_PWRITEV, BLK_T_OUT, SYS_SHORT, true },
	};
	struct request req[REQUESTS] = { 0 };
	struct rig rig;

	rig_init(&rig, *(const uint64_t *)features, false, true, DISK_ERROR_REPORT, false,
		 IO_LOOP_THREADS);
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		for (unsigned nth = 1; nth <= REQUESTS; nth++) {
			unsigned failed = 0;

			sys_fail_nth(cases[i].call, nth, cases[i].err);
			for (unsigned j = 0; j < REQUESTS; j++) {
				make(&rig, &req[j], cases[i].type, j * 8);
				offer(&rig, j % 2, &req[j]);
			}
			wait_for(&rig, 0, REQUESTS / 2);
			wait_for(&rig, 1, REQUESTS / 2);
			for (unsigned j = 0; j < REQUESTS; j++)
				failed += *req[j].status != BLK_S_OK;
			sys_fail_nth(cases[i].call, 0, 0);
			g_assert_cmpuint(failed, ==, cases[i].whole ? 0 : 1);
			rig.errors = 0;
			(void)fake_clock_run(&rig.clock);
			g_assert_cmpuint(rig.errors, ==, cases[i].whole ? 0 : 1);
			if (!cases[i].whole)
				g_assert_cmpint(rig.error.err, ==, -cases[i].err);
		}
	}
	rig_release(&rig);
}

static unsigned flush(struct rig *rig, struct request *req)
{
	make(rig, req, BLK_T_FLUSH, 0);
	offer(rig, 0, req);
	wait_for(rig, 0, 1);
	return *req->status;
}

/* A flush that failed has lost data, which no later one brings back. */
static void test_failing_flush(const void *features)
{
	struct request req = { 0 };
	struct rig rig;

	rig_init(&rig, *(const uint64_t *)features, false, true, DISK_ERROR_REPORT, false,
		 IO_LOOP_THREADS);
	g_assert_cmpuint(flush(&rig, &req), ==, BLK_S_OK);
	sys_fail_nth(SYS_FDATASYNC, 1, EIO);
	g_assert_cmpuint(flush(&rig, &req), ==, BLK_S_IOERR);
	g_assert_cmpuint(flush(&rig, &req), ==, BLK_S_IOERR);
	(void)fake_clock_run(&rig.clock);
	g_assert_cmpuint(rig.errors, ==, 1);
	g_assert_true(rig.error.write);
	g_assert_cmpint(rig.error.err, ==, -EIO);
	rig_release(&rig);
}

/* The disk is full, the machine stops; there is room again, it goes on, and nothing is lost. */
static void test_full_disk(const void *features)
{
	struct request req[REQUESTS] = { 0 };
	g_autofree uint8_t *buf = g_malloc(LEN);
	struct rig rig;

	rig_init(&rig, *(const uint64_t *)features, false, true, DISK_ERROR_ENOSPC, false,
		 IO_LOOP_THREADS);
	sys_fail_nth(SYS_PWRITEV, 3, ENOSPC);
	for (unsigned i = 0; i < REQUESTS; i++) {
		make(&rig, &req[i], BLK_T_OUT, i * 8);
		memset(req[i].data, (int)i + 50, LEN);
		offer(&rig, 0, &req[i]);
	}
	for (unsigned i = 0; rig.errors == 0; i++) {
		g_assert_cmpuint(i, <, 100000);
		(void)io_loop_run(rig.loop, true);
		(void)fake_clock_run(&rig.clock);
	}
	g_assert_cmpint(rig.error.action, ==, DISK_ERROR_STOP);
	virtio_blk_retry(rig.dev);
	wait_for(&rig, 0, REQUESTS);
	for (unsigned i = 0; i < REQUESTS; i++) {
		g_assert_cmpuint(*req[i].status, ==, BLK_S_OK);
		g_assert_cmpint(sys_pread(rig.fd, buf, LEN, (off_t)i * LEN), ==, LEN);
		g_assert_cmpmem(buf, LEN, req[i].data, LEN);
	}
	rig_release(&rig);
}

/* Two queues on a loop that has a thread; meanwhile the main loop asks, limits, and resets. */
static void with_thread(uint64_t features, bool file)
{
	struct request req[2][REQUESTS] = { 0 };
	struct disk_limits limits = { 0 };
	struct disk_stats stats;
	struct rig rig;

	rig_init(&rig, features, true, file, DISK_ERROR_REPORT, false, IO_LOOP_THREADS);
	for (unsigned round = 0; round < 60; round++) {
		limits.limit[DISK_LIMIT_IOPS].avg = round % 3 ? 0 : 100000;
		virtio_blk_set_limits(rig.dev, &limits);
		for (unsigned i = 0; i < REQUESTS; i++) {
			for (unsigned queue = 0; queue < 2; queue++) {
				make(&rig, &req[queue][i], (round + i) % 2 ? BLK_T_IN : BLK_T_OUT,
				     i * 8);
				offer(&rig, queue, &req[queue][i]);
			}
		}
		virtio_blk_stats(rig.dev, &stats);
		virtio_blk_retry(rig.dev);
		virtio_blk_resized(rig.dev);
		if (round % 5 == 4) {
			g_assert_true(vdriver_restart(rig.d, features | FEATURES));
			continue;
		}
		if (round % 7 == 6 && features & VIRTIO_F_RING_RESET) {
			virtio_reset_queue(rig.dev, 1);
			while (virtio_queue_resetting(rig.dev, 1))
				g_usleep(10);
			vdriver_setup_queue(rig.d, 1);
		} else {
			wait_for(&rig, 1, REQUESTS);
		}
		wait_for(&rig, 0, REQUESTS);
		for (unsigned i = 0; i < REQUESTS; i++)
			g_assert_cmpuint(*req[0][i].status, ==, BLK_S_OK);
	}
	virtio_blk_stats(rig.dev, &stats);
	g_assert_cmpuint(stats.ops[BLOCK_READ], >=, 24 * REQUESTS);
	rig_release(&rig);
}

/* So many allocations as there were during @rounds of reads, writes and flushes. */
static unsigned count_allocations(struct rig *rig, unsigned rounds)
{
	static const uint32_t types[] = { BLK_T_IN, BLK_T_OUT, BLK_T_FLUSH, BLK_T_IN };
	struct request req[REQUESTS] = { 0 };
	unsigned during = 0;

	for (unsigned i = 0; i < REQUESTS; i++)
		make(rig, &req[i], types[i % ARRAY_SIZE(types)], i * 8);
	for (unsigned round = 0; round < rounds; round++) {
		unsigned before;

		for (unsigned i = 0; i < REQUESTS; i++)
			offer(rig, 0, &req[i]);
		before = allocations;
		for (unsigned done = 0; done < REQUESTS;) {
			(void)io_loop_run(rig->loop, true);
			while (vdriver_used(rig->d, 0, NULL, NULL))
				done++;
		}
		during += allocations - before;
		for (unsigned i = 0; i < REQUESTS; i++)
			g_assert_cmpuint(*req[i].status, ==, BLK_S_OK);
	}
	return during;
}

/* On a real file too, by io_uring and by threads, cached and direct, no request allocates. */
static void no_allocation(uint64_t features, enum io_loop_kind kind)
{
	struct io_loop *loop = io_loop_new_manual(kind, NULL, NULL, NULL);

	if (!COUNTS_ALLOCATIONS || !loop) {
		g_test_skip(loop ? "the sanitizer has its own malloc()" : "no io_uring here");
		io_loop_free(loop);
		return;
	}
	io_loop_free(loop);
	for (unsigned direct = 0; direct < 2; direct++) {
		autofd int fd = sys_open(".", O_TMPFILE | O_RDWR | (direct ? O_DIRECT : 0), 0600);
		struct rig rig;

		if (fd < 0) {
			g_test_skip("no O_DIRECT here");
			return;
		}

		rig_init(&rig, features, false, true, DISK_ERROR_REPORT, direct, kind);
		g_assert_cmpint(io_loop_kind(rig.loop), ==, kind);
		/* Workers are started as they are needed. */
		(void)count_allocations(&rig, 50);
		g_assert_cmpuint(count_allocations(&rig, 200), ==, 0);
		rig_release(&rig);
	}
}

static void test_no_allocation_uring(const void *features)
{
	no_allocation(*(const uint64_t *)features, IO_LOOP_URING);
}

static void test_no_allocation_threads(const void *features)
{
	no_allocation(*(const uint64_t *)features, IO_LOOP_THREADS);
}

static void test_thread_null(const void *features)
{
	with_thread(*(const uint64_t *)features, false);
}

static void test_thread_file(const void *features)
{
	with_thread(*(const uint64_t *)features, true);
}

/* Lesson 20: unplugged in the middle of I/O, on a loop with a thread. */
static void test_lesson_20(const void *features)
{
	struct rig rig;

	for (unsigned round = 0; round < 20; round++) {
		struct request req[REQUESTS] = { 0 };

		rig_init(&rig, *(const uint64_t *)features, true, true, DISK_ERROR_STOP, false,
			 IO_LOOP_THREADS);
		for (unsigned i = 0; i < REQUESTS; i++) {
			make(&rig, &req[i], i % 2 ? BLK_T_IN : BLK_T_OUT, i * 8);
			offer(&rig, i % 2, &req[i]);
		}
		rig_release(&rig);
	}
}

static void note_quiet(void *opaque)
{
	atomic_store((atomic_bool *)opaque, true);
}

static uint64_t soon(void)
{
	return sys_monotonic_ns() + 10000000;
}

/*
 * A write to the page cache that hangs holds the loop itself. Nobody else: the disk is asked, reset
 * and paused beside it, no wait for it is without a limit, and it tells when it is over.
 */
static void test_hung_write(const void *features)
{
	struct request req[2] = { 0 };
	struct disk_stats stats;
	atomic_bool quiet = false;
	struct rig rig;

	rig_init(&rig, *(const uint64_t *)features, true, true, DISK_ERROR_REPORT, false,
		 IO_LOOP_THREADS);
	virtio_on_quiet(rig.dev, note_quiet, &quiet);
	sys_fail_nth(SYS_PWRITEV, 1, SYS_HANG);
	for (unsigned i = 0; i < 2; i++) {
		make(&rig, &req[i], BLK_T_OUT, i * 8);
		offer(&rig, 0, &req[i]);
	}
	while (sys_fail_pending(SYS_PWRITEV))
		g_thread_yield();
	virtio_blk_stats(rig.dev, &stats);
	virtio_kick(rig.dev, 1);
	virtio_pause(rig.dev);
	g_assert_false(virtio_is_quiet(rig.dev));
	virtio_resume(rig.dev);
	virtio_begin_reset(rig.dev);
	g_assert_false(virtio_reset_until(rig.dev, soon()));
	virtio_begin_reset(rig.dev);
	g_assert_false(virtio_try_reset(rig.dev, soon()));
	atomic_store(&quiet, false);
	sys_fail_nth(SYS_PWRITEV, 0, 0);
	do {
		while (!atomic_exchange(&quiet, false))
			g_thread_yield();
		virtio_begin_reset(rig.dev);
	} while (!virtio_try_reset(rig.dev, soon()));
	g_assert_cmphex(virtio_read_status(rig.dev), ==, 0);
	g_assert_cmpuint(*req[0].status, ==, NOT_YET);
	rig_release(&rig);
}

int main(int argc, char **argv)
{
	static const char prefix[] = "/dev/virtio-blk-image";

	g_test_init(&argc, &argv, NULL);
	rig_add(prefix, "file", test_file);
	rig_add(prefix, "failing", test_failing);
	rig_add(prefix, "failing-flush", test_failing_flush);
	rig_add(prefix, "full-disk", test_full_disk);
	rig_add(prefix, "no-allocation-uring", test_no_allocation_uring);
	rig_add(prefix, "no-allocation-threads", test_no_allocation_threads);
	rig_add(prefix, "thread-null", test_thread_null);
	rig_add(prefix, "thread-file", test_thread_file);
	rig_add(prefix, "hung-write", test_hung_write);
	rig_add(prefix, "lesson-20", test_lesson_20);
	return g_test_run();
}
