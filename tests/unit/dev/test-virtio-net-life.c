/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-virtio-net-life.c - the network card: its link, limits, resets, threads
 */
#include "net-rig.h"

/* ---- link, announcements, limits ---- */

static void test_link(const void *layout)
{
	unsigned forgotten;
	struct rig rig;
	unsigned before;

	rig_open(&rig, layout, NULL, ALL_NET);
	rig_post(&rig, RX, 2048, 64);
	before = vdriver_interrupts(rig.d, -1);
	virtio_net_set_link(rig.dev, false);
	g_assert_false(virtio_net_link(rig.dev));
	g_assert_cmpuint(virtio_read_config(rig.dev, CONFIG_STATUS, 2), ==, 0);
	g_assert_cmpuint(vdriver_interrupts(rig.d, -1), ==, before + 1);
	virtio_net_set_link(rig.dev, false);
	g_assert_cmpuint(vdriver_interrupts(rig.d, -1), ==, before + 1);
	rig_input(&rig, mac, 100);
	rig_expect_nothing(&rig);
	rig_send(&rig, TX, NULL, 100, 4096);
	g_assert_cmpuint(rig_used(&rig, TX), ==, 1);
	g_assert_null(fake_net_output(&rig.net, 0));
	g_assert_cmpuint(rig_stats(&rig).rx_dropped, ==, 1);
	g_assert_cmpuint(rig_stats(&rig).tx_dropped, ==, 1);
	/* Both must be up. */
	rig.net.front->link_changed(rig.net.opaque, false);
	virtio_net_set_link(rig.dev, true);
	g_assert_false(virtio_net_link(rig.dev));
	rig.net.front->link_changed(rig.net.opaque, true);
	g_assert_true(virtio_net_link(rig.dev));
	rig_input(&rig, mac, 100);
	rig_expect(&rig, mac, 100, 1);
	/* What a full back end does not take is dropped when the link goes. */
	forgotten = rig.net.forgotten;
	rig.net.full = true;
	rig_send(&rig, TX, NULL, 100, 4096);
	g_assert_cmpuint(rig_used(&rig, TX), ==, 0);
	virtio_net_set_link(rig.dev, false);
	vdriver_run(rig.d);
	g_assert_cmpuint(rig_used(&rig, TX), ==, 1);
	g_assert_cmpuint(rig.net.forgotten, ==, forgotten + 1);
	rig_close(&rig);
}

static void test_announce(const void *layout)
{
	struct rig rig;

	rig_open(&rig, layout, NULL, ALL_NET);
	g_assert_cmpuint(rig_ctrl(&rig, 3, 0, NULL, 0), ==, ERR);
	virtio_net_announce(rig.dev);
	g_assert_cmpuint(vdriver_interrupts(rig.d, -1), ==, 1);
	g_assert_cmpuint(virtio_read_config(rig.dev, CONFIG_STATUS, 2), ==,
			 STATUS_LINK_UP | STATUS_ANNOUNCE);
	/* The link changes beside it. */
	virtio_net_set_link(rig.dev, false);
	virtio_net_set_link(rig.dev, true);
	g_assert_cmpuint(rig_ctrl(&rig, 3, 1, NULL, 0), ==, ERR);
	g_assert_cmpuint(rig_ctrl(&rig, 3, 0, NULL, 0), ==, OK);
	g_assert_cmpuint(virtio_read_config(rig.dev, CONFIG_STATUS, 2), ==, STATUS_LINK_UP);
	/* One that cannot is not asked. */
	rig_restart(&rig, 0);
	virtio_net_announce(rig.dev);
	g_assert_cmpuint(virtio_read_config(rig.dev, CONFIG_STATUS, 2), ==, STATUS_LINK_UP);
	rig_close(&rig);
}

static void test_limits(const void *layout)
{
	struct virtio_net_config config = { .tx = { .pps = 100 }, .rx = { .bps = 10000 } };
	unsigned sent = 0, received = 0;
	GByteArray *frame;
	struct rig rig;

	rig_open(&rig, layout, &config, ALL_NET);
	rig_post(&rig, RX, 2048, 200);
	for (unsigned i = 0; i < 200; i++) {
		rig_send(&rig, TX, NULL, 100, 4096);
		rig_input(&rig, mac, 1000);
	}
	for (unsigned i = 0; i < 10; i++) {
		rig.now_ns += 100000000;
		vdriver_run(rig.d);
	}
	sent = rig_used(&rig, TX);
	while ((frame = rig_got(&rig, RX, NULL))) {
		received++;
		g_byte_array_unref(frame);
	}
	/* A second's worth, and a burst of a tenth. */
	g_assert_cmpuint(sent, >=, 95);
	g_assert_cmpuint(sent, <=, 125);
	g_assert_cmpuint(received, >=, 9);
	g_assert_cmpuint(received, <=, 14);
	virtio_net_set_limits(rig.dev, &(struct net_limit){ 0 }, &(struct net_limit){ 0 });
	vdriver_run(rig.d);
	g_assert_cmpuint(sent + rig_used(&rig, TX), ==, 200);
	while ((frame = rig_got(&rig, RX, NULL))) {
		received++;
		g_byte_array_unref(frame);
	}
	g_assert_cmpuint(received, ==, 200);
	rig_close(&rig);
}

/* Bytes that came within @tenths of a second, in frames of 1000. */
static unsigned received_in(struct rig *rig, unsigned tenths)
{
	unsigned bytes = 0;
	GByteArray *frame;

	for (unsigned i = 0; i < tenths * 10; i++) {
		rig->now_ns += 10000000;
		vdriver_run(rig->d);
	}
	while ((frame = rig_got(rig, RX, NULL))) {
		bytes += 1000;
		g_byte_array_unref(frame);
	}
	return bytes;
}

/* A bucket of 100,000 bytes passes at 50,000 in a second, then the average of 10,000 holds. */
static void test_peak(const void *layout)
{
	struct virtio_net_config config = {
		.rx = { .bps = 10000, .bps_peak = 50000, .burst = 100000 }
	};
	unsigned first, burst, after;
	struct rig rig;

	rig_open(&rig, layout, &config, ALL_NET);
	rig_post(&rig, RX, 2048, 250);
	for (unsigned i = 0; i < 240; i++)
		rig_input(&rig, mac, 1000);
	first = received_in(&rig, 10);
	burst = first + received_in(&rig, 15);
	after = received_in(&rig, 20);
	/* A frame and a tenth of a second's worth are ahead of the clock. */
	g_assert_cmpuint(first, >=, 50000);
	g_assert_cmpuint(first, <=, 57000);
	g_assert_cmpuint(burst, >=, 122000);
	g_assert_cmpuint(burst, <=, 132000);
	g_assert_cmpuint(after, >=, 18000);
	g_assert_cmpuint(after, <=, 22000);
	/* Changed while it runs: no peak, so that the rest of a larger bucket comes at once. */
	virtio_net_set_limits(rig.dev, &(struct net_limit){ 0 },
			      &(struct net_limit){ .bps = 10000, .burst = 150000 });
	vdriver_run(rig.d);
	g_assert_cmpuint(received_in(&rig, 1), >=, 50000);
	rig_close(&rig);
}

static void test_no_net(const void *layout)
{
	struct rig rig;
	struct virtio_net_config config = { .opaque = &rig };

	rig_open(&rig, layout, &config, ALL_NET);
	rig_send(&rig, TX, NULL, 100, 4096);
	g_assert_cmpuint(rig_used(&rig, TX), ==, 1);
	g_assert_cmpuint(rig_stats(&rig).tx_dropped, ==, 1);
	rig_post(&rig, RX, 2048, 4);
	rig_expect_nothing(&rig);
	g_assert_cmpuint(rig_mode(&rig, 0, 0), ==, OK);
	rig_close(&rig);
}

/* A reset at every step of a frame's way, and work afterwards. */
static void test_reset(const void *layout)
{
	struct rig rig;

	rig_open(&rig, layout, NULL, ALL_NET);
	for (unsigned steps = 0; steps < 24; steps++) {
		struct vdriver_buf buf = { vdriver_alloc(rig.d, 2048), 2048, false };

		rig.net.full = steps & 1;
		rig_post(&rig, RX, 1000, steps % 5);
		for (unsigned i = 0; i < 4; i++) {
			uint8_t data[900];

			rig_fill_frame(data, sizeof(data), mac);
			fake_net_input(&rig.net, 0, NULL, data, steps & 2 ? 900 : PLAIN);
		}
		g_assert_true(vdriver_add(rig.d, TX, &buf, 1, NULL));
		vdriver_kick(rig.d, TX);
		for (unsigned i = 0; i < steps / 4; i++)
			(void)io_loop_run(rig.loop, false);
		g_queue_clear_full(&rig.net.to_guest[0], g_free);
		rig_restart(&rig, ALL_NET);
		vdriver_run(rig.d);
	}
	fake_net_make_room(&rig.net, 0);
	rig_post(&rig, RX, 2048, 40);
	g_queue_clear_full(&rig.net.from_guest[0], g_free);
	rig_send(&rig, TX, NULL, 100, 4096);
	g_assert_cmpuint(rig_used(&rig, TX), ==, 1);
	rig_input(&rig, mac, 100);
	rig_expect(&rig, mac, 100, 1);
	rig_close(&rig);
}

/* The loop in a thread of its own, the monitor beside it, resets in the middle. */
static void test_thread(const void *layout)
{
	uint64_t features = ALL_NET | *(const uint64_t *)layout;
	struct virtio_net_filter filter;
	struct virtio_net_stats s;
	autoptr(io_loop) loop = io_loop_new("net", IO_LOOP_THREADS, NULL);
	struct fake_clock clock;
	struct fake_net net;
	struct virtio_device *dev;
	struct vdriver *d;
	uint8_t frame[100] = { 0 };

	g_assert_nonnull(loop);
	fake_clock_init(&clock);
	fake_net_init(&net);
	dev = virtio_net_new(
		&(struct virtio_net_config){
			.net = &net.net, .loop = loop, .clock = &clock.clock, .queue_pairs = 1 },
		NULL);
	d = vdriver_new(&(struct vdriver_config){ .dev = dev, .loop = loop, .features = features });
	for (unsigned round = 0; round < 20; round++) {
		uint64_t gpa = vdriver_alloc(d, 2048);
		struct vdriver_buf buf = { gpa, 2048, true };

		g_assert_true(vdriver_add(d, RX, &buf, 1, NULL));
		vdriver_kick(d, RX);
		for (unsigned i = 0; i < 20; i++) {
			vdriver_request(d, TX, frame, sizeof(frame), NULL, 0);
			virtio_net_set_link(dev, i & 1);
			virtio_net_announce(dev);
			virtio_net_filter(dev, &filter);
			virtio_net_set_limits(dev, &(struct net_limit){ 0 },
					      &(struct net_limit){ 0 });
		}
		virtio_net_stats(dev, &s);
		g_assert_cmpuint(s.tx_frames + s.tx_dropped, ==, (round + 1) * 20);
		g_assert_true(vdriver_restart(d, features));
	}
	vdriver_free(d);
	dev->ops->free(dev);
	fake_net_free(&net.net);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	rig_add("link", test_link);
	rig_add("announce", test_announce);
	rig_add("limits", test_limits);
	rig_add("peak", test_peak);
	rig_add("no-net", test_no_net);
	rig_add("reset", test_reset);
	rig_add("thread", test_thread);
	return g_test_run();
}
