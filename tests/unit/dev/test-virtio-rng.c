/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-virtio-rng.c - entropy: buffers are filled, not beyond their end, and not faster than told
 */
#include <string.h>

#include "dev/virtio-rng.h"
#include "tests/lib/virtio-driver.h"

#include "virtio-rig.h"

static const uint64_t second = 1000000000;

struct rig {
	uint64_t now_ns;
	struct io_loop *loop;
	struct virtio_device *dev;
	struct vdriver *d;
};

static void rig_init(struct rig *rig, uint64_t features, uint64_t bps)
{
	GError *error = NULL;

	*rig = (struct rig){ .now_ns = 5 * second };
	rig->loop = rig_loop_new(&rig->now_ns);
	rig->dev = virtio_rng_new(&(struct virtio_rng_config){ rig->loop, bps }, &error);
	g_assert_no_error(error);
	rig->d = vdriver_new(&(struct vdriver_config){
		.dev = rig->dev, .loop = rig->loop, .features = features });
}

static void rig_release(struct rig *rig)
{
	vdriver_free(rig->d);
	rig->dev->ops->free(rig->dev);
	io_loop_free(rig->loop);
}

static unsigned changed(const uint8_t *p, size_t len)
{
	unsigned count = 0;

	for (size_t i = 0; i < len; i++)
		count += p[i] != 0xa5;
	return count;
}

static void test_fill(const void *features)
{
	struct rig rig;
	uint64_t gpa;
	uint8_t *p;
	uint32_t len;

	rig_init(&rig, *(const uint64_t *)features, 0);
	gpa = vdriver_alloc(rig.d, 4096);
	p = vdriver_ptr(rig.d, gpa, 4096);
	memset(p, 0xa5, 4096);
	/* Two pieces, with a gap between. */
	g_assert_true(vdriver_add(
		rig.d, 0,
		(struct vdriver_buf[]){ { gpa + 64, 1000, true }, { gpa + 2048, 500, true } }, 2,
		NULL));
	(void)vdriver_kick(rig.d, 0);
	vdriver_run(rig.d);
	g_assert_true(vdriver_used(rig.d, 0, NULL, &len));
	g_assert_cmpuint(len, ==, 1500);
	g_assert_cmpuint(changed(p, 64), ==, 0);
	g_assert_cmpuint(changed(p + 64, 1000), >, 900);
	g_assert_cmpuint(changed(p + 1064, 2048 - 1064), ==, 0);
	g_assert_cmpuint(changed(p + 2048, 500), >, 450);
	g_assert_cmpuint(changed(p + 2548, 4096 - 2548), ==, 0);
	g_assert_cmpuint(vdriver_interrupts(rig.d, 0), ==, 1);
	rig_release(&rig);
}

/* A buffer of many megabytes does not keep the loop: it comes back partly filled. */
static void test_large(const void *features)
{
	struct rig rig;
	uint32_t len;

	rig_init(&rig, *(const uint64_t *)features, 0);
	g_assert_true(vdriver_add(
		rig.d, 0, &(struct vdriver_buf){ VDRIVER_BORDER - 4096, 32 << 20, true }, 1, NULL));
	(void)vdriver_kick(rig.d, 0);
	vdriver_run(rig.d);
	g_assert_true(vdriver_used(rig.d, 0, NULL, &len));
	g_assert_cmpuint(len, >=, 4096);
	g_assert_cmpuint(len, <=, 64 << 10);
	rig_release(&rig);
}

/* The whole ring at once, more than one call does; nothing writable gives nothing. */
static void test_many(const void *features)
{
	struct rig rig;
	unsigned count = 0;
	uint64_t gpa;
	uint32_t len;

	rig_init(&rig, *(const uint64_t *)features, 0);
	gpa = vdriver_alloc(rig.d, 16 << 10);
	while (vdriver_add(rig.d, 0, &(struct vdriver_buf){ gpa, 16 << 10, count != 5 }, 1, NULL))
		count++;
	g_assert_cmpuint(count, ==, 64);
	(void)vdriver_kick(rig.d, 0);
	vdriver_run(rig.d);
	for (unsigned i = 0; i < count; i++) {
		g_assert_true(vdriver_used(rig.d, 0, NULL, &len));
		g_assert_cmpuint(len, ==, i == 5 ? 0 : 16 << 10);
	}
	rig_release(&rig);
}

/* Table 1.12, rng: rate limit. 1000 bytes a second for ten seconds. */
static void test_rate(const void *features)
{
	struct rig rig;
	uint64_t gpa, sum = 0, end;
	uint32_t len;

	rig_init(&rig, *(const uint64_t *)features, 1000);
	gpa = vdriver_alloc(rig.d, 4096);
	end = rig.now_ns + 10 * second;
	while (rig.now_ns < end) {
		(void)vdriver_add(rig.d, 0, &(struct vdriver_buf){ gpa, 4096, true }, 1, NULL);
		(void)vdriver_kick(rig.d, 0);
		vdriver_run(rig.d);
		while (vdriver_used(rig.d, 0, NULL, &len)) {
			g_assert_cmpuint(len, >, 0);
			sum += len;
		}
		rig.now_ns += second / 20;
	}
	g_assert_cmpuint(sum, >=, 9500);
	g_assert_cmpuint(sum, <=, 10300);
	rig_release(&rig);
}

/* While the machine is paused, no memory is written, whatever the time is. */
static void test_pause(const void *features)
{
	struct rig rig;
	uint64_t gpa;

	rig_init(&rig, *(const uint64_t *)features, 1000);
	gpa = vdriver_alloc(rig.d, 4096);
	for (unsigned i = 0; i < 8; i++)
		(void)vdriver_add(rig.d, 0, &(struct vdriver_buf){ gpa, 512, true }, 1, NULL);
	(void)vdriver_kick(rig.d, 0);
	vdriver_run(rig.d);
	while (vdriver_used(rig.d, 0, NULL, NULL))
		;
	virtio_pause(rig.dev);
	g_assert_true(virtio_is_quiet(rig.dev));
	rig.now_ns += second;
	virtio_kick(rig.dev, 0);
	vdriver_run(rig.d);
	g_assert_false(vdriver_used(rig.d, 0, NULL, NULL));
	virtio_resume(rig.dev);
	vdriver_run(rig.d);
	g_assert_true(vdriver_used(rig.d, 0, NULL, NULL));
	rig_release(&rig);
}

/* What waits for the limit is still in the ring: a reset is done at once, and the timer is harmless. */
static void test_reset(const void *features)
{
	struct rig rig;
	uint64_t gpa;

	rig_init(&rig, *(const uint64_t *)features, 10);
	gpa = vdriver_alloc(rig.d, 4096);
	for (unsigned i = 0; i < 8; i++)
		(void)vdriver_add(rig.d, 0, &(struct vdriver_buf){ gpa, 64, true }, 1, NULL);
	(void)vdriver_kick(rig.d, 0);
	vdriver_run(rig.d);
	virtio_write_status(rig.dev, 0);
	g_assert_cmpuint(virtio_read_status(rig.dev), ==, 0);
	rig.now_ns += 100 * second;
	vdriver_run(rig.d);
	g_assert_true(vdriver_restart(rig.d, *(const uint64_t *)features));
	(void)vdriver_add(rig.d, 0, &(struct vdriver_buf){ gpa, 64, true }, 1, NULL);
	(void)vdriver_kick(rig.d, 0);
	vdriver_run(rig.d);
	g_assert_true(vdriver_used(rig.d, 0, NULL, NULL));
	rig_release(&rig);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	rig_add("/dev/virtio-rng", "fill", test_fill);
	rig_add("/dev/virtio-rng", "large", test_large);
	rig_add("/dev/virtio-rng", "many", test_many);
	rig_add("/dev/virtio-rng", "1.12-rate", test_rate);
	rig_add("/dev/virtio-rng", "pause", test_pause);
	rig_add("/dev/virtio-rng", "reset", test_reset);
	return g_test_run();
}
