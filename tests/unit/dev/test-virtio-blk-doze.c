/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-virtio-blk-doze.c - requests gather while the guest computes, and not while it waits
 */
#include "blk-rig.h"

static const uint64_t doze_ns = 1000000;

enum {
	STREAK = 6,   /* requests in quick succession that begin a doze, and one more */
	VAIN = 1 << 6 /* as many as it ever takes */
};

struct doze_rig {
	struct rig rig;
	struct io_idle idle;
};

static void doze_open(struct doze_rig *r, uint64_t features)
{
	rig_init(&r->rig, features);
	r->idle = IO_IDLE_INITIALIZER;
	r->idle.told = true;
	r->rig.dev->idle = &r->idle;
}

static void doze_close(struct doze_rig *r)
{
	rig_release(&r->rig);
	g_assert_cmpuint(r->idle.armed, ==, 0);
}

/* Offer a read; is the device told? */
static bool offer(struct doze_rig *r, struct rig_request *req)
{
	struct vdriver_buf bufs[2];

	rig_make(&r->rig, req, BLK_T_IN, 1, 0, 512);
	bufs[0] = (struct vdriver_buf){ req->out_gpa, (uint32_t)req->out_len, false };
	bufs[1] = (struct vdriver_buf){ req->in_gpa, (uint32_t)req->in_len, true };
	g_assert_true(vdriver_add(r->rig.d, 0, bufs, 2, req));
	return vdriver_kick(r->rig.d, 0);
}

/* One after the other; how many the device was told of. */
static unsigned stream(struct doze_rig *r, unsigned count)
{
	unsigned told = 0;
	struct rig_request req;

	for (unsigned i = 0; i < count; i++) {
		r->rig.now_ns += doze_ns / 4;
		told += offer(r, &req);
		while (!rig_run(&r->rig))
			r->rig.now_ns += doze_ns;
	}
	return told;
}

static void begin_doze(struct doze_rig *r)
{
	struct rig_request req;

	for (unsigned i = 0; i < STREAK - 1; i++) {
		r->rig.now_ns += doze_ns / 4;
		g_assert_true(offer(r, &req));
		g_assert_cmpuint(rig_run(&r->rig), ==, 1);
	}
}

static void test_gather(const void *features)
{
	struct rig_request req[8];
	struct doze_rig r;
	unsigned before;

	doze_open(&r, *(const uint64_t *)features);
	begin_doze(&r);
	for (unsigned round = 0; round < 3; round++) {
		before = r.rig.block.count;
		for (unsigned i = 0; i < 8; i++) {
			r.rig.now_ns += doze_ns / 10;
			g_assert_false(offer(&r, &req[i]));
			g_assert_cmpuint(rig_run(&r.rig), ==, 0);
		}
		g_assert_cmpuint(r.rig.block.count, ==, before);
		r.rig.now_ns += doze_ns / 4;
		g_assert_cmpuint(rig_run(&r.rig), ==, 8);
		g_assert_cmpuint(r.rig.block.count, ==, before + 8);
	}
	/* One that brings nothing is the last. */
	r.rig.now_ns += doze_ns;
	g_assert_cmpuint(rig_run(&r.rig), ==, 0);
	g_assert_true(offer(&r, &req[0]));
	g_assert_cmpuint(rig_run(&r.rig), ==, 1);
	doze_close(&r);
}

/* Who halts is served at once, and notifies from then on. */
static void test_halt(const void *features)
{
	struct rig_request req;
	struct doze_rig r;

	doze_open(&r, *(const uint64_t *)features);
	begin_doze(&r);
	g_assert_false(offer(&r, &req));
	g_assert_cmpuint(rig_run(&r.rig), ==, 0);
	io_idle_begin(&r.idle);
	g_assert_cmpuint(rig_run(&r.rig), ==, 1);
	g_assert_cmpuint(stream(&r, VAIN), ==, VAIN);
	io_idle_end(&r.idle);
	g_assert_cmpuint(stream(&r, VAIN), <, VAIN);
	doze_close(&r);
}

/* An engine that does not tell; a disk with limits; requests far apart. */
static void test_never(const void *features)
{
	struct disk_limits limits = { 0 };
	struct rig_request req;
	struct doze_rig r;

	doze_open(&r, *(const uint64_t *)features);
	r.idle.told = false;
	g_assert_cmpuint(stream(&r, VAIN), ==, VAIN);
	r.idle.told = true;
	for (unsigned i = 0; i < VAIN; i++) {
		r.rig.now_ns += 2 * doze_ns;
		g_assert_true(offer(&r, &req));
		g_assert_cmpuint(rig_run(&r.rig), ==, 1);
	}
	limits.limit[DISK_LIMIT_IOPS].avg = 1000000;
	virtio_blk_set_limits(r.rig.dev, &limits);
	g_assert_cmpuint(stream(&r, VAIN), ==, VAIN);
	doze_close(&r);
}

/* A guest that waits without halting soon is made to wait for one request in many. */
static void test_vain(const void *features)
{
	struct doze_rig r;
	unsigned told;

	doze_open(&r, *(const uint64_t *)features);
	told = stream(&r, 1000);
	g_assert_cmpuint(told, <, 1000);
	g_assert_cmpuint(told, >, 950);
	doze_close(&r);
}

static void test_reset(const void *features)
{
	struct rig_request req;
	struct doze_rig r;

	doze_open(&r, *(const uint64_t *)features);
	begin_doze(&r);
	g_assert_false(offer(&r, &req));
	g_assert_true(vdriver_restart(r.rig.d, *(const uint64_t *)features | RIG_ALL));
	g_assert_cmpuint(r.idle.armed, ==, 0);
	g_assert_cmpuint(rig_run(&r.rig), ==, 0);
	g_assert_true(offer(&r, &req));
	g_assert_cmpuint(rig_run(&r.rig), ==, 1);
	doze_close(&r);
}

static void test_pause(const void *features)
{
	struct rig_request req;
	struct doze_rig r;

	for (unsigned late = 0; late < 2; late++) {
		doze_open(&r, *(const uint64_t *)features);
		begin_doze(&r);
		g_assert_false(offer(&r, &req));
		virtio_pause(r.rig.dev);
		r.rig.now_ns += late * doze_ns;
		g_assert_cmpuint(rig_run(&r.rig), ==, 0);
		virtio_resume(r.rig.dev);
		r.rig.now_ns += doze_ns;
		g_assert_cmpuint(rig_run(&r.rig), ==, 1);
		doze_close(&r);
	}
}

/* Limits that are set meanwhile hold for what has gathered, and do not make it wait for ever. */
static void test_limits(const void *features)
{
	struct disk_limits limits = { 0 };
	struct rig_request req[8];
	struct doze_rig r;
	unsigned done = 0;

	limits.limit[DISK_LIMIT_IOPS].avg = 10;
	doze_open(&r, *(const uint64_t *)features);
	begin_doze(&r);
	for (unsigned i = 0; i < G_N_ELEMENTS(req); i++)
		g_assert_false(offer(&r, &req[i]));
	virtio_blk_set_limits(r.rig.dev, &limits);
	r.rig.now_ns += doze_ns;
	/* Ten a second, give or take two, as without a doze. */
	for (unsigned tenth = 1; done < G_N_ELEMENTS(req); tenth++) {
		done += rig_run(&r.rig);
		g_assert_cmpuint(done, <=, tenth + 2);
		g_assert_cmpuint(done + 2, >=, tenth);
		r.rig.now_ns += rig_second / 10;
	}
	doze_close(&r);
}

int main(int argc, char **argv)
{
	static const char prefix[] = "/dev/virtio-blk-doze";

	g_test_init(&argc, &argv, NULL);
	rig_add(prefix, "gather", test_gather);
	rig_add(prefix, "halt", test_halt);
	rig_add(prefix, "never", test_never);
	rig_add(prefix, "vain", test_vain);
	rig_add(prefix, "reset", test_reset);
	rig_add(prefix, "pause", test_pause);
	rig_add(prefix, "limits", test_limits);
	return g_test_run();
}
