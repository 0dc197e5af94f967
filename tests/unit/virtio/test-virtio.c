/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-virtio.c - status, features, configuration and kicks, without a transport
 */
#include "virtio/virtio.h"

#include "base/sys.h"
#include "tests/lib/virtio-driver.h"
#include "tests/lib/virtio-toy.h"

struct fixture {
	struct io_loop *loop;
	struct toy *toy;
	struct virtio_device *dev;
	struct vdriver *d;
};

static struct fixture set_up(void)
{
	GError *error = NULL;
	struct fixture f = { .loop = io_loop_new_manual(IO_LOOP_THREADS, NULL, NULL, &error) };

	g_assert_no_error(error);
	f.toy = toy_new(f.loop, 8);
	f.dev = &f.toy->dev;
	f.d = vdriver_new(&(struct vdriver_config){ .dev = f.dev, .loop = f.loop, .hold = true });
	return f;
}

static void tear_down(struct fixture *f)
{
	vdriver_free(f->d);
	toy_free(f->dev);
	io_loop_free(f->loop);
}

static void expect_status(struct fixture *f, uint8_t written, uint8_t status)
{
	virtio_write_status(f->dev, written);
	g_assert_cmphex(virtio_read_status(f->dev), ==, status);
}

static void test_status(void)
{
	struct fixture f = set_up();

	g_assert_cmphex(virtio_read_status(f.dev), ==, 0);
	expect_status(&f, 1, 1);
	expect_status(&f, 3, 3);
	/* Without VERSION_1 there are no features, without features no start. */
	expect_status(&f, 0xb, 3);
	expect_status(&f, 0xf, 3);
	expect_status(&f, 7, 3);
	g_assert_cmpuint(f.toy->starts, ==, 0);
	virtio_write_features(f.dev, 1, 1);
	expect_status(&f, 0xb, 0xb);
	/* Bits are not taken away, and those that are the device's are not written. */
	expect_status(&f, 3, 0xb);
	expect_status(&f, 0x4b, 0xb);
	expect_status(&f, 0x3b, 0xb);
	expect_status(&f, 0xf, 0xf);
	g_assert_cmpuint(f.toy->starts, ==, 1);
	expect_status(&f, 0xf, 0xf);
	g_assert_cmpuint(f.toy->starts, ==, 1);
	/* The device breaks: the bit stays until a reset. */
	virtio_lock(f.dev);
	g_assert_true(virtio_live(f.dev));
	virtio_needs_reset(f.dev);
	virtio_needs_reset(f.dev);
	g_assert_false(virtio_live(f.dev));
	virtio_unlock(f.dev);
	g_assert_cmpuint(vdriver_interrupts(f.d, -1), ==, 1);
	expect_status(&f, 0xf, 0x4f);
	expect_status(&f, 0x8f, 0xcf);
	expect_status(&f, 0, 0);
	g_assert_cmpuint(f.toy->resets, ==, 1);
	tear_down(&f);
}

/* A driver that has failed is served no more. */
static void test_failed(void)
{
	struct fixture f = set_up();

	g_assert_true(vdriver_restart(f.d, 0));
	expect_status(&f, 0x8f, 0x8f);
	virtio_kick(f.dev, 0);
	vdriver_run(f.d);
	virtio_lock(f.dev);
	g_assert_false(virtio_live(f.dev));
	virtio_unlock(f.dev);
	tear_down(&f);
}

/* Broken before DRIVER_OK: the interrupt comes with it. */
static void test_broken_early(void)
{
	struct fixture f = set_up();
	struct virtq_setup setup = { .size = 8, .desc = VDRIVER_HOLE };

	g_assert_true(vdriver_negotiate(f.d, 0));
	virtio_write_queue(f.dev, 0, &setup);
	virtio_enable_queue(f.dev, 0);
	g_assert_cmphex(virtio_read_status(f.dev), ==, 0x4b);
	g_assert_cmpuint(vdriver_interrupts(f.d, -1), ==, 0);
	expect_status(&f, 0xf, 0x4f);
	g_assert_cmpuint(vdriver_interrupts(f.d, -1), ==, 1);
	g_assert_cmpuint(f.toy->starts, ==, 0);
	tear_down(&f);
}

static void test_features(void)
{
	struct fixture f = set_up();
	uint64_t offered = VIRTIO_F_COMMON | 1;

	g_assert_cmphex(virtio_read_features(f.dev, 0), ==, (uint32_t)offered);
	g_assert_cmphex(virtio_read_features(f.dev, 1), ==, (uint32_t)(offered >> 32));
	g_assert_cmphex(virtio_read_features(f.dev, 2), ==, 0);
	g_assert_cmphex(virtio_read_features(f.dev, UINT32_MAX), ==, 0);
	virtio_write_status(f.dev, 3);
	/* Who takes what is not offered is told so (3.1.1, 6). */
	virtio_write_features(f.dev, 1, 1);
	virtio_write_features(f.dev, 0, UINT32_MAX);
	g_assert_cmphex(virtio_read_driver_features(f.dev, 0), ==, UINT32_MAX);
	g_assert_cmphex(virtio_read_driver_features(f.dev, 1), ==, 1);
	expect_status(&f, 0xb, 3);
	virtio_write_features(f.dev, 0, (uint32_t)offered | 2);
	expect_status(&f, 0xb, 3);
	virtio_write_features(f.dev, 0, 1);
	virtio_write_features(f.dev, 1, 1 | 1u << 31);
	expect_status(&f, 0xb, 3);
	virtio_write_features(f.dev, 1, 1);
	/* There are no windows behind, but what was taken there can be taken back, too. */
	virtio_write_features(f.dev, 2, 4);
	virtio_write_features(f.dev, 3, 1);
	expect_status(&f, 0xb, 3);
	virtio_write_features(f.dev, 3, 0);
	expect_status(&f, 0xb, 3);
	virtio_write_features(f.dev, 2, 0);
	virtio_write_features(f.dev, UINT32_MAX, 0);
	g_assert_cmphex(virtio_read_driver_features(f.dev, 2), ==, 0);
	g_assert_cmphex(f.dev->features, ==, 0);
	f.toy->refuse = true;
	expect_status(&f, 0xb, 3);
	g_assert_cmphex(f.dev->features, ==, 0);
	f.toy->refuse = false;
	expect_status(&f, 0xb, 0xb);
	g_assert_cmphex(f.dev->features, ==, VIRTIO_F_VERSION_1 | 1);
	/* Now they stand. */
	virtio_write_features(f.dev, 0, UINT32_MAX);
	g_assert_cmphex(f.dev->features, ==, VIRTIO_F_VERSION_1 | 1);
	g_assert_cmphex(virtio_read_driver_features(f.dev, 0), ==, 1);
	expect_status(&f, 0, 0);
	g_assert_cmphex(f.dev->features, ==, 0);
	g_assert_cmphex(virtio_read_driver_features(f.dev, 0), ==, 0);
	/* Bits of a window that does not exist were not offered either, until the next reset. */
	virtio_write_status(f.dev, 3);
	virtio_write_features(f.dev, 1, 1);
	virtio_write_features(f.dev, 2, 4);
	expect_status(&f, 0xb, 3);
	expect_status(&f, 0, 0);
	virtio_write_status(f.dev, 3);
	virtio_write_features(f.dev, 1, 1);
	expect_status(&f, 0xb, 0xb);
	tear_down(&f);
}

/* Every offset and width, against the bytes. */
static void test_config(void)
{
	static const unsigned far[] = { VIRTIO_MAX_CONFIG - 1, VIRTIO_MAX_CONFIG, 0x1000,
					UINT32_MAX - 7, UINT32_MAX };
	struct fixture f = set_up();

	for (unsigned size = 1; size <= 8; size++) {
		for (unsigned off = 0; off < TOY_CONFIG + 10; off++) {
			uint64_t expect = 0;

			for (unsigned i = 0; i < size && off + i < TOY_CONFIG; i++)
				expect |= (uint64_t)(0x10 + off + i) << i * 8;
			g_assert_cmphex(virtio_read_config(f.dev, off, size), ==, expect);
		}
		for (size_t i = 0; i < G_N_ELEMENTS(far); i++) {
			g_assert_cmphex(virtio_read_config(f.dev, far[i], size), ==, 0);
			virtio_write_config(f.dev, far[i], size, UINT64_MAX);
		}
	}
	g_assert_cmphex(virtio_read_config(f.dev, 0, 9), ==, 0);
	g_assert_cmpuint(f.toy->config_writes, ==, 0);
	for (unsigned size = 1; size <= 8; size++) {
		for (unsigned off = 0; off < TOY_CONFIG + 2; off++) {
			unsigned writes = f.toy->config_writes, part;
			bool any = off < 8 && off + size > 4;

			for (unsigned i = 0; i < TOY_CONFIG; i++)
				f.dev->config[i] = 0;
			virtio_write_config(f.dev, off, size, UINT64_MAX);
			for (unsigned i = 0; i < TOY_CONFIG; i++)
				g_assert_cmphex(f.dev->config[i], ==,
						i >= 4 && i < 8 && i >= off && i < off + size ? 0xff
											      : 0);
			g_assert_cmpuint(f.toy->config_writes, ==, writes + any);
			part = MIN(size, TOY_CONFIG - off);
			if (any)
				g_assert_cmpuint(f.toy->last_off + f.toy->last_size, ==,
						 off + part);
		}
	}
	tear_down(&f);
}

static void test_generation(void)
{
	struct fixture f = set_up();
	uint32_t generation = virtio_read_generation(f.dev);

	virtio_lock(f.dev);
	virtio_config_changed(f.dev);
	virtio_unlock(f.dev);
	/* Before DRIVER_OK nobody is told. */
	g_assert_cmpuint(virtio_read_generation(f.dev), ==, generation + 1);
	g_assert_cmpuint(vdriver_interrupts(f.d, -1), ==, 0);
	g_assert_true(vdriver_restart(f.d, 0));
	virtio_lock(f.dev);
	virtio_config_changed(f.dev);
	virtio_unlock(f.dev);
	g_assert_cmpuint(virtio_read_generation(f.dev), ==, generation + 2);
	g_assert_cmpuint(vdriver_interrupts(f.d, -1), ==, 1);
	tear_down(&f);
}

/* Kicks of all kinds; those that make no sense do nothing. */
static void test_kicks(void)
{
	struct fixture f = set_up();
	struct vdriver_buf buf = { 4096, 4, true };

	virtio_kick(f.dev, 0);
	virtio_kick(f.dev, TOY_QUEUES);
	virtio_kick(f.dev, 64);
	virtio_kick(f.dev, UINT32_MAX);
	vdriver_run(f.d);
	g_assert_true(vdriver_negotiate(f.d, 0));
	vdriver_setup_queue(f.d, 0);
	g_assert_true(vdriver_add(f.d, 0, &buf, 1, NULL));
	/* Before DRIVER_OK. */
	virtio_kick(f.dev, 0);
	vdriver_run(f.d);
	g_assert_cmpuint(f.toy->popped, ==, 0);
	/* What was there before is served without a kick. */
	virtio_write_status(f.dev, 0xf);
	vdriver_run(f.d);
	g_assert_cmpuint(f.toy->popped, ==, 1);
	/* A queue that is not enabled; then it is, with the device running. */
	virtio_kick(f.dev, 1);
	vdriver_run(f.d);
	vdriver_setup_queue(f.d, 1);
	g_assert_true(vdriver_add(f.d, 1, &buf, 1, NULL));
	for (int i = 0; i < 5; i++)
		virtio_kick(f.dev, 1);
	vdriver_run(f.d);
	g_assert_cmpuint(f.toy->popped, ==, 2);
	virtio_kick_self(f.dev, 1);
	vdriver_run(f.d);
	g_assert_cmpuint(f.toy->popped, ==, 2);
	tear_down(&f);
}

static void test_queue_setup(void)
{
	struct fixture f = set_up();
	struct virtq_setup setup, got;

	g_assert_false(virtio_read_queue(f.dev, TOY_QUEUES, &got));
	g_assert_cmpuint(got.size, ==, 0);
	g_assert_true(virtio_read_queue(f.dev, 1, &got));
	g_assert_cmpuint(got.size, ==, 8);
	setup = (struct virtq_setup){ .size = 4, .desc = 1, .driver = 2, .device = 3 };
	virtio_write_queue(f.dev, 1, &setup);
	virtio_write_queue(f.dev, TOY_QUEUES, &setup);
	g_assert_true(virtio_read_queue(f.dev, 1, &got));
	g_assert_cmpuint(got.size, ==, 4);
	g_assert_cmpuint(got.device, ==, 3);
	/* Before FEATURES_OK it cannot be enabled. */
	virtio_enable_queue(f.dev, 1);
	virtio_enable_queue(f.dev, TOY_QUEUES);
	g_assert_true(virtio_read_queue(f.dev, 1, &got));
	g_assert_false(got.enabled);
	g_assert_true(vdriver_restart(f.d, 0));
	/* And while it is, nothing changes. */
	virtio_write_queue(f.dev, 1, &setup);
	virtio_enable_queue(f.dev, 1);
	g_assert_true(virtio_read_queue(f.dev, 1, &got));
	g_assert_true(got.enabled);
	g_assert_cmpuint(got.size, ==, 8);
	g_assert_cmphex(virtio_read_status(f.dev), ==, 0xf);
	tear_down(&f);
}

static void count_quiet(void *opaque)
{
	++*(unsigned *)opaque;
}

static bool try_reset(struct virtio_device *dev)
{
	virtio_begin_reset(dev);
	return virtio_try_reset(dev, sys_monotonic_ns() + 1000000);
}

static bool reset_until(struct virtio_device *dev, uint64_t deadline_ns)
{
	virtio_begin_reset(dev);
	return virtio_reset_until(dev, deadline_ns);
}

/* One that waits for I/O does not keep who asks for it. */
static void test_try_reset(void)
{
	struct fixture f = set_up();
	struct vdriver_buf buf = { 4096, 4, true };
	unsigned quiet = 0;

	virtio_on_quiet(f.dev, count_quiet, &quiet);
	g_assert_true(vdriver_restart(f.d, 0));
	g_assert_true(try_reset(f.dev));
	g_assert_cmphex(virtio_read_status(f.dev), ==, 0);
	g_assert_true(vdriver_restart(f.d, 0));
	f.toy->hold = f.toy->slow = true;
	g_assert_true(vdriver_add(f.d, 0, &buf, 1, NULL));
	(void)vdriver_kick(f.d, 0);
	vdriver_run(f.d);
	g_assert_false(try_reset(f.dev));
	g_assert_false(try_reset(f.dev));
	g_assert_cmphex(virtio_read_status(f.dev), !=, 0);
	g_assert_cmpuint(quiet, ==, 0);
	toy_complete_all(f.toy);
	g_assert_cmpuint(quiet, ==, 1);
	g_assert_true(try_reset(f.dev));
	g_assert_cmphex(virtio_read_status(f.dev), ==, 0);
	/* A driver's own resets interest nobody. */
	g_assert_true(vdriver_restart(f.d, 0));
	g_assert_cmpuint(quiet, ==, 1);
	tear_down(&f);
}

/* On a loop of its own thread: until the I/O ends, or until there is no more time. */
static void test_reset_until(void)
{
	g_autoptr(GError) error = NULL;
	struct io_loop *loop = io_loop_new("toy", IO_LOOP_THREADS, &error);
	struct toy *toy = toy_new(loop, 8);
	struct vdriver *d = vdriver_new(&(struct vdriver_config){ .dev = &toy->dev, .loop = loop });
	struct vdriver_buf buf = { 4096, 4, true };
	unsigned popped = 0;

	g_assert_true(reset_until(&toy->dev, UINT64_MAX / 2));
	g_assert_true(vdriver_restart(d, 0));
	toy->hold = toy->slow = true;
	g_assert_true(vdriver_add(d, 0, &buf, 1, NULL));
	(void)vdriver_kick(d, 0);
	while (!popped) {
		virtio_lock(&toy->dev);
		popped = toy->count;
		virtio_unlock(&toy->dev);
		g_thread_yield();
	}
	g_assert_false(reset_until(&toy->dev, 1));
	toy_complete_all(toy);
	g_assert_true(reset_until(&toy->dev, UINT64_MAX / 2));
	vdriver_free(d);
	toy_free(&toy->dev);
	io_loop_free(loop);
}

/* Device-private bytes: zero at first, each chain's own, kept. */
static void test_private(void)
{
	struct fixture f = set_up();
	struct vdriver_buf buf = { 4096, 4, true };
	uint64_t *seen[8];

	g_assert_true(vdriver_restart(f.d, 0));
	f.toy->hold = true;
	for (unsigned i = 0; i < 8; i++)
		g_assert_true(vdriver_add(f.d, 0, &buf, 1, NULL));
	(void)vdriver_kick(f.d, 0);
	vdriver_run(f.d);
	g_assert_cmpuint(f.toy->count, ==, 8);
	for (unsigned i = 0; i < 8; i++) {
		seen[i] = virtq_private(f.toy->held[i].chain);
		g_assert_cmpuint((uintptr_t)seen[i] % 16, ==, 0);
		for (unsigned k = 0; k < 3; k++) {
			g_assert_cmpuint(seen[i][k], ==, 0);
			seen[i][k] = UINT64_MAX - i;
		}
	}
	for (unsigned i = 0; i < 8; i++) {
		struct virtq_chain *chain = f.toy->held[i].chain;

		g_assert_cmpuint(seen[i][2], ==, UINT64_MAX - i);
		g_assert_cmpuint(chain->in_count, ==, 1);
		g_assert_cmpuint(chain->in->iov_len, ==, 4);
	}
	toy_complete_all(f.toy);
	tear_down(&f);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/virtio/status", test_status);
	g_test_add_func("/virtio/failed", test_failed);
	g_test_add_func("/virtio/broken-early", test_broken_early);
	g_test_add_func("/virtio/features", test_features);
	g_test_add_func("/virtio/config", test_config);
	g_test_add_func("/virtio/generation", test_generation);
	g_test_add_func("/virtio/kicks", test_kicks);
	g_test_add_func("/virtio/queue-setup", test_queue_setup);
	g_test_add_func("/virtio/private", test_private);
	g_test_add_func("/virtio/try-reset", test_try_reset);
	g_test_add_func("/virtio/reset-until", test_reset_until);
	return g_test_run();
}
