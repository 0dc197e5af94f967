/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-virtio-blk-swap.c - a disk goes on with another image
 */
#include "blk-rig.h"

struct swap_rig {
	struct rig rig;
	struct block other;
	unsigned swapped, gone;
};

static void on_swapped(void *opaque, bool done)
{
	struct swap_rig *s = opaque;

	if (done)
		s->swapped++;
	else
		s->gone++;
}

static void start(struct swap_rig *s, uint64_t features)
{
	*s = (struct swap_rig){ .swapped = 0 };
	rig_init(&s->rig, features);
	fake_block_init(&s->other, RIG_SIZE);
	memset(s->other.data, 0x33, RIG_SIZE);
}

static bool swap(struct swap_rig *s)
{
	GError *error = NULL;
	const bool ok = virtio_blk_swap(s->rig.dev, &s->other, on_swapped, s, &error);

	g_assert_true(ok == !error);
	g_clear_error(&error);
	return ok;
}

static void release(struct swap_rig *s)
{
	rig_release(&s->rig);
	fake_block_release(&s->other);
}

/* What is under way ends in the old image; what comes meanwhile waits, and finds the new one. */
static void test_busy(const void *features)
{
	struct rig_request before, during;
	struct swap_rig s;

	start(&s, *(const uint64_t *)features & ~VIRTIO_F_IN_ORDER);
	s.rig.block.hold = true;
	rig_make(&s.rig, &before, BLK_T_OUT, 0, 512, 0);
	memset(before.out + 16, 0x11, 512);
	rig_send(&s.rig, 0, &before, NULL, NULL);
	g_assert_cmpuint(rig_run(&s.rig), ==, 0);
	g_assert_true(swap(&s));
	g_assert_false(swap(&s));
	rig_make(&s.rig, &during, BLK_T_IN, 0, 0, 512);
	rig_send(&s.rig, 0, &during, NULL, NULL);
	g_assert_cmpuint(rig_run(&s.rig), ==, 0);
	(void)fake_clock_run(&s.rig.clock);
	g_assert_cmpuint(s.swapped, ==, 0);
	fake_block_go(&s.rig.block);
	g_assert_cmpuint(rig_run(&s.rig), ==, 1);
	g_assert_true(before.done);
	g_assert_cmpuint(s.rig.block.data[0], ==, 0x11);
	(void)fake_clock_run(&s.rig.clock);
	g_assert_cmpuint(s.swapped, ==, 1);
	g_assert_cmpuint(s.rig.block.queues, ==, 0);
	g_assert_cmpuint(rig_run(&s.rig), ==, 1);
	g_assert_true(during.done);
	g_assert_cmpuint(*during.status, ==, BLK_S_OK);
	g_assert_cmpuint(during.in[0], ==, 0x33);
	release(&s);
}

/* A disk that does nothing, and one that is paused with a request that waits. */
static void test_idle(const void *features)
{
	struct rig_request req;
	struct swap_rig s;

	start(&s, *(const uint64_t *)features);
	g_assert_true(swap(&s));
	rig_make(&s.rig, &req, BLK_T_IN, 8, 0, 512);
	rig_send(&s.rig, 0, &req, NULL, NULL);
	g_assert_cmpuint(rig_run(&s.rig), ==, 0);
	virtio_pause(s.rig.dev);
	(void)fake_clock_run(&s.rig.clock);
	g_assert_cmpuint(s.swapped, ==, 1);
	g_assert_cmpuint(rig_run(&s.rig), ==, 0);
	virtio_resume(s.rig.dev);
	g_assert_cmpuint(rig_run(&s.rig), ==, 1);
	g_assert_cmpuint(req.in[0], ==, 0x33);
	release(&s);
}

/* A list of ranges goes on in the new image with what is left. */
static void test_ranges(const void *features)
{
	struct rig_request req;
	struct swap_rig s;

	start(&s, *(const uint64_t *)features);
	rig_make(&s.rig, &req, BLK_T_WRITE_ZEROES, 0, 32, 0);
	for (unsigned i = 0; i < 2; i++) {
		put_le64(req.out + 16 + i * 16, i * 8);
		put_le32(req.out + 24 + i * 16, 8);
		put_le32(req.out + 28 + i * 16, 0);
	}
	s.rig.block.hold = true;
	rig_send(&s.rig, 0, &req, NULL, NULL);
	g_assert_cmpuint(rig_run(&s.rig), ==, 0);
	g_assert_true(swap(&s));
	fake_block_go(&s.rig.block);
	g_assert_cmpuint(rig_run(&s.rig), ==, 0);
	(void)fake_clock_run(&s.rig.clock);
	g_assert_cmpuint(rig_run(&s.rig), ==, 1);
	g_assert_cmpuint(s.rig.block.count, ==, 1);
	g_assert_cmpuint(s.other.count, ==, 1);
	g_assert_cmpuint(s.other.log[0].off, ==, 4096);
	release(&s);
}

/* A reset drops what waits; the exchange goes on. */
static void test_reset(const void *features)
{
	struct rig_request req;
	struct swap_rig s;

	start(&s, *(const uint64_t *)features);
	g_assert_true(swap(&s));
	rig_make(&s.rig, &req, BLK_T_OUT, 0, 512, 0);
	rig_send(&s.rig, 0, &req, NULL, NULL);
	g_assert_cmpuint(rig_run(&s.rig), ==, 0);
	virtio_write_status(s.rig.dev, 0);
	g_assert_cmpuint(virtio_read_status(s.rig.dev), ==, 0);
	(void)fake_clock_run(&s.rig.clock);
	g_assert_cmpuint(s.swapped, ==, 1);
	vdriver_run(s.rig.d);
	g_assert_cmpuint(s.other.count, ==, 0);
	g_assert_true(vdriver_restart(s.rig.d, *(const uint64_t *)features));
	g_assert_cmpuint(rig_simple(&s.rig, BLK_T_IN, 0, 0, 512), ==, BLK_S_OK);
	g_assert_cmpuint(s.other.count, ==, 1);
	release(&s);
}

/* The disk is unplugged before it comes to that. */
static void test_gone(const void *features)
{
	struct swap_rig s;

	start(&s, *(const uint64_t *)features);
	g_assert_true(swap(&s));
	release(&s);
	g_assert_cmpuint(s.swapped, ==, 0);
	g_assert_cmpuint(s.gone, ==, 1);
}

/* An image with larger sectors, or one that cannot be written to. */
static void test_refused(const void *features)
{
	struct swap_rig s;

	start(&s, *(const uint64_t *)features);
	s.other.info.request_alignment = 4096;
	g_assert_false(swap(&s));
	s.other.info.request_alignment = 512;
	s.other.info.read_only = true;
	g_assert_false(swap(&s));
	release(&s);
}

int main(int argc, char **argv)
{
	static const char prefix[] = "/dev/virtio-blk-swap";

	g_test_init(&argc, &argv, NULL);
	rig_add(prefix, "busy", test_busy);
	rig_add(prefix, "idle", test_idle);
	rig_add(prefix, "ranges", test_ranges);
	rig_add(prefix, "reset", test_reset);
	rig_add(prefix, "gone", test_gone);
	rig_add(prefix, "refused", test_refused);
	return g_test_run();
}
