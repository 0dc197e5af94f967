/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-virtio-net.c - what the network card offers; frames both ways
 */
#include "net-rig.h"

/* ---- pause ---- */

/* While the machine is paused, frames wait on the host, and the guest's in the ring. */
static void test_pause(const void *layout)
{
	g_autofree uint8_t *before = NULL;
	struct rig rig;

	rig_open(&rig, layout, NULL, ALL_NET);
	rig_post(&rig, RX, 2048, 64);
	rig_input(&rig, mac, 100);
	rig_expect(&rig, mac, 100, 0);
	before = g_memdup2(vdriver_ptr(rig.d, 1 << 20, 1 << 20), 1 << 20);
	virtio_pause(rig.dev);
	g_assert_true(virtio_is_quiet(rig.dev));
	rig_input(&rig, mac, 200);
	rig_expect_nothing(&rig);
	g_assert_cmpmem(before, 1 << 20, vdriver_ptr(rig.d, 1 << 20, 1 << 20), 1 << 20);
	rig_send(&rig, TX, NULL, PLAIN, 4096);
	g_assert_null(fake_net_output(&rig.net, 0));
	virtio_resume(rig.dev);
	vdriver_run(rig.d);
	rig_expect(&rig, mac, 200, 0);
	g_assert_cmpuint(rig_used(&rig, TX), ==, 1);
	g_free(fake_net_output(&rig.net, 0));
	rig_close(&rig);
}

/* ---- features ---- */

static void test_offer(const void *layout)
{
	struct virtio_net_config plain = { .no_offload = true,
					   .no_mrg_rxbuf = true,
					   .packed_off = true };
	uint64_t offloads = VIRTIO_NET_F_CSUM | VIRTIO_NET_GUEST_OFFLOADS | VIRTIO_NET_F_HOST_TSO4 |
			    VIRTIO_NET_F_HOST_TSO6 | VIRTIO_NET_F_HOST_ECN;
	struct rig rig;

	rig_open(&rig, layout, NULL, ALL_NET);
	g_assert_cmphex(rig.dev->offered & offloads, ==, offloads);
	g_assert_cmphex(rig.dev->offered & (1 << 14 | 1 << 10), ==, 0); /* no UFO */
	g_assert_cmphex(rig.dev->offered & VIRTIO_NET_F_MQ, ==, 0);
	g_assert_cmphex(rig.dev->offered & VIRTIO_NET_F_MTU, ==, 0);
	g_assert_cmphex(rig.net.offloads, ==,
			NET_OFFLOAD_CSUM | NET_OFFLOAD_TSO4 | NET_OFFLOAD_TSO6 | NET_OFFLOAD_ECN);
	for (unsigned i = 0; i < 6; i++)
		g_assert_cmphex(virtio_read_config(rig.dev, i, 1), ==, mac[i]);
	g_assert_cmpuint(virtio_read_config(rig.dev, CONFIG_STATUS, 2), ==, STATUS_LINK_UP);
	rig_close(&rig);

	rig_open(&rig, &(uint64_t){ 0 }, &plain, ALL_NET);
	g_assert_cmphex(rig.dev->offered & offloads, ==, 0);
	g_assert_cmphex(rig.dev->offered & (VIRTIO_NET_F_MRG_RXBUF | VIRTIO_F_RING_PACKED), ==, 0);
	rig_close(&rig);

	plain = (struct virtio_net_config){ .mtu = 9000, .queue_pairs = 4 };
	rig_open(&rig, layout, &plain, ALL_NET);
	g_assert_cmpuint(virtio_read_config(rig.dev, CONFIG_MTU, 2), ==, 9000);
	g_assert_cmpuint(virtio_read_config(rig.dev, CONFIG_MAX_PAIRS, 2), ==, 4);
	g_assert_true(rig.dev->offered & VIRTIO_NET_F_MQ);
	rig_close(&rig);
}

static void test_dependencies(const void *layout)
{
	static const struct {
		uint64_t features;
		bool ok;
	} cases[] = {
		{ VIRTIO_NET_F_GUEST_TSO4, false },
		{ VIRTIO_NET_F_GUEST_TSO6, false },
		{ VIRTIO_NET_F_GUEST_TSO4 | VIRTIO_NET_F_GUEST_CSUM, true },
		{ VIRTIO_NET_F_GUEST_ECN | VIRTIO_NET_F_GUEST_CSUM, false },
		{ VIRTIO_NET_F_GUEST_ECN | VIRTIO_NET_F_GUEST_TSO6 | VIRTIO_NET_F_GUEST_CSUM,
		  true },
		{ VIRTIO_NET_F_HOST_TSO4, false },
		{ VIRTIO_NET_F_HOST_TSO6, false },
		{ VIRTIO_NET_F_HOST_TSO6 | VIRTIO_NET_F_CSUM, true },
		{ VIRTIO_NET_F_HOST_ECN | VIRTIO_NET_F_CSUM, false },
		{ VIRTIO_NET_F_HOST_ECN | VIRTIO_NET_F_HOST_TSO4 | VIRTIO_NET_F_CSUM, true },
		{ VIRTIO_NET_F_CTRL_RX, false },
		{ VIRTIO_NET_F_CTRL_VLAN, false },
		{ VIRTIO_NET_F_GUEST_ANNOUNCE, false },
		{ VIRTIO_NET_F_MQ, false },
		{ VIRTIO_NET_F_MQ | VIRTIO_NET_F_CTRL_VQ, true },
		{ VIRTIO_NET_F_CTRL_MAC_ADDR, false },
		{ 0, true },
		{ ALL_NET, true },
	};
	struct virtio_net_config config = { .queue_pairs = 2 };
	struct rig rig;

	rig_open(&rig, layout, &config, 0);
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++)
		g_assert_true(vdriver_restart(rig.d, cases[i].features | rig.layout) ==
			      cases[i].ok);
	rig_close(&rig);
}

static void test_refused(void)
{
	struct fake_net net;
	GError *error = NULL;
	struct virtio_net_config config = { .net = &net.net, .queue_pairs = 1 };

	fake_net_init(&net);
	config.queue_pairs = 17;
	g_assert_null(virtio_net_new(&config, &error));
	g_assert_nonnull(error);
	g_clear_error(&error);
	config.queue_pairs = 1;
	config.queue_size = 100;
	g_assert_null(virtio_net_new(&config, &error));
	g_assert_nonnull(error);
	g_clear_error(&error);
	config.queue_size = 0;
	config.mtu = 67;
	g_assert_null(virtio_net_new(&config, &error));
	g_assert_nonnull(error);
	g_clear_error(&error);
	config.mtu = 0;
	config.mac[0] = 1;
	g_assert_null(virtio_net_new(&config, &error));
	g_assert_nonnull(error);
	g_clear_error(&error);
}

/* ---- TX ---- */

static void test_tx(const void *layout)
{
	uint8_t header[HEADER_LEN] = {
		NET_HEADER_NEEDS_CSUM, NET_GSO_TCPV4, 54, 0, 0xb4, 5, 34, 0, 16, 0, 9, 9
	};
	struct fake_frame *frame;
	uint8_t want[2000];
	struct rig rig;

	rig_open(&rig, layout, NULL, ALL_NET);
	rig_fill_frame(want, sizeof(want), other);
	/* Headers and frames cut anywhere, the header's middle included. */
	for (uint32_t piece = 50; piece < 2100; piece += 97) {
		rig_send(&rig, TX, header, sizeof(want), piece);
		frame = fake_net_output(&rig.net, 0);
		g_assert_nonnull(frame);
		g_assert_cmpmem(frame->data, frame->len, want, sizeof(want));
		header[10] = header[11] = 0; /* num_buffers is nobody's business */
		g_assert_cmpmem(&frame->header, HEADER_LEN, header, HEADER_LEN);
		g_free(frame);
	}
	g_assert_cmpuint(rig_used(&rig, TX), ==, 22);
	for (uint32_t piece = 1; piece < 14; piece++) {
		rig_send(&rig, TX, NULL, 50, piece > 1 ? piece : 1);
		frame = fake_net_output(&rig.net, 0);
		g_assert_cmpmem(frame->data + 14, frame->len - 14, want + 14, 36);
		g_free(frame);
	}
	g_assert_cmpuint(rig_stats(&rig).tx_frames, ==, 22 + 13);
	g_assert_cmpuint(rig_stats(&rig).tx_bytes, ==, 22 * 2000 + 13 * 50);
	rig_close(&rig);
}

/* Lesson 5: what a header may say follows from what was negotiated. Lesson 8: nonsense is no frame. */
static void test_tx_header_lesson_5_8(const void *layout)
{
	static const struct {
		uint8_t flags, gso;
		uint16_t size;
		uint64_t features;
		bool passes;
	} cases[] = {
		{ 0, 0, 0, 0, true },
		{ 1, 0, 0, 0, false },
		{ 1, 0, 0, VIRTIO_NET_F_CSUM, true },
		{ 1, 1, 1448, VIRTIO_NET_F_CSUM, false },
		{ 1, 1, 1448, VIRTIO_NET_F_CSUM | VIRTIO_NET_F_HOST_TSO4, true },
		{ 1, 1, 0, VIRTIO_NET_F_CSUM | VIRTIO_NET_F_HOST_TSO4, false },
		{ 1, 4, 1448, VIRTIO_NET_F_CSUM | VIRTIO_NET_F_HOST_TSO4, false },
		{ 1, 4, 1448, VIRTIO_NET_F_CSUM | VIRTIO_NET_F_HOST_TSO6, true },
		{ 1, 0x81, 1448, VIRTIO_NET_F_CSUM | VIRTIO_NET_F_HOST_TSO4, false },
		{ 1, 0x81, 1448, VIRTIO_NET_F_CSUM | VIRTIO_NET_F_HOST_TSO4 | VIRTIO_NET_F_HOST_ECN,
		  true },
		{ 1, 3, 1448, ALL_NET, false },
		{ 1, 5, 1448, ALL_NET, false },
		{ 1, 2, 1448, ALL_NET, false },
		{ 1, 0x80, 1448, ALL_NET, false },
		{ 0xfe, 0, 0, 0, true },
	};
	struct rig rig;

	rig_open(&rig, layout, NULL, 0);
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		uint8_t header[HEADER_LEN] = { cases[i].flags, cases[i].gso };
		struct fake_frame *frame;

		put_le16(header + 4, cases[i].size);
		rig_restart(&rig, cases[i].features);
		rig_send(&rig, TX, header, 100, 4096);
		g_assert_cmpuint(rig_used(&rig, TX), ==, 1);
		frame = fake_net_output(&rig.net, 0);
		g_assert_true((frame != NULL) == cases[i].passes);
		if (frame)
			g_assert_cmphex(frame->header.flags, ==, cases[i].flags & 1);
		g_free(frame);
	}
	rig_close(&rig);
}

/* Lesson 9: frames of all lengths round the limits. */
static void test_tx_lengths_lesson_9(const void *layout)
{
	static const struct {
		size_t len;
		bool passes;
	} cases[] = {
		{ 0, false },
		{ 1, false },
		{ 13, false },
		{ 14, true },
		{ 1514, true },
		{ 1518, true },
		{ 9018, true },
		{ NET_MAX_FRAME - 1, true },
		{ NET_MAX_FRAME, true },
		{ NET_MAX_FRAME + 1, false },
		{ 200000, false },
	};
	struct rig rig;

	rig_open(&rig, layout, NULL, ALL_NET);
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct fake_frame *frame;

		rig_send(&rig, TX, NULL, cases[i].len, 4096);
		g_assert_cmpuint(rig_used(&rig, TX), ==, 1);
		frame = fake_net_output(&rig.net, 0);
		g_assert_true((frame != NULL) == cases[i].passes);
		if (frame)
			g_assert_cmpuint(frame->len, ==, cases[i].len);
		g_free(frame);
	}
	/* Shorter than a header is no frame at all. */
	rig_send(&rig, TX, NULL, 0, 4096);
	g_assert_cmpuint(rig_used(&rig, TX), ==, 1);
	{
		uint64_t gpa = vdriver_alloc(rig.d, 16);
		struct vdriver_buf buf = { gpa, 11, false };

		g_assert_true(vdriver_add(rig.d, TX, &buf, 1, NULL));
		vdriver_kick(rig.d, TX);
		vdriver_run(rig.d);
	}
	g_assert_true(virtio_read_status(rig.dev) & VIRTIO_STATUS_NEEDS_RESET);
	rig_restart(&rig, ALL_NET);
	rig_send(&rig, TX, NULL, 100, 4096);
	g_assert_cmpuint(rig_used(&rig, TX), ==, 1);
	rig_close(&rig);
}

static void test_tx_back_pressure(const void *layout)
{
	struct rig rig;

	rig_open(&rig, layout, NULL, ALL_NET);
	rig.net.full = true;
	for (unsigned i = 0; i < 5; i++)
		rig_send(&rig, TX, NULL, 100 + i, 4096);
	g_assert_cmpuint(rig_used(&rig, TX), ==, 0);
	g_assert_cmpuint(rig.net.refused, ==, 1); /* not asked again before it has room */
	fake_net_make_room(&rig.net, 0);
	vdriver_run(rig.d);
	g_assert_cmpuint(rig_used(&rig, TX), ==, 5);
	for (unsigned i = 0; i < 5; i++) {
		struct fake_frame *frame = fake_net_output(&rig.net, 0);

		g_assert_cmpuint(frame->len, ==, 100 + i);
		g_free(frame);
	}
	/* An error of the back end drops that frame only. */
	rig.net.send_error = -EIO;
	rig_send(&rig, TX, NULL, 100, 4096);
	g_assert_cmpuint(rig_used(&rig, TX), ==, 1);
	g_assert_cmpuint(rig_stats(&rig).tx_dropped, ==, 1);
	rig.net.send_error = 0;
	/* A reset and an unplug with a frame that waits. */
	rig.net.full = true;
	rig_send(&rig, TX, NULL, 100, 4096);
	g_assert_cmpuint(rig.net.forgotten, ==, 0);
	vdriver_reset(rig.d);
	g_assert_cmpuint(rig.net.forgotten, ==, 1);
	rig_restart(&rig, ALL_NET);
	rig_send(&rig, TX, NULL, 100, 4096);
	if (rig.layout & VIRTIO_F_RING_RESET) {
		virtio_reset_queue(rig.dev, TX);
		g_assert_false(virtio_queue_resetting(rig.dev, TX));
		g_assert_cmpuint(rig.net.forgotten, ==, 2);
		vdriver_setup_queue(rig.d, TX);
		rig_send(&rig, TX, NULL, 100, 4096);
	}
	rig_close(&rig);
}

/* A back end that calls back from inside of its own functions, which all hold our lock. */
static void test_reentry(const void *layout)
{
	struct rig rig;

	rig_open(&rig, layout, NULL, ALL_NET);
	rig_post(&rig, RX, 2048, 64);
	/* From here on the loop has no end: each question makes the back end say that it has more. */
	rig.net.reenter = true;
	for (unsigned i = 0; i < 10; i++)
		g_queue_push_tail(&rig.net.to_guest[0], fake_frame_new(NULL, other, 6));
	for (unsigned i = 0; i < 3; i++) {
		uint8_t data[PLAIN];

		rig_fill_frame(data, PLAIN, mac);
		g_queue_push_tail(&rig.net.to_guest[0], fake_frame_new(NULL, data, PLAIN));
	}
	rig.net.front->readable(rig.net.opaque, 0);
	for (unsigned i = 0; i < 100; i++)
		(void)io_loop_run(rig.loop, false);
	for (unsigned i = 0; i < 3; i++)
		rig_expect(&rig, mac, PLAIN, 1);
	g_assert_cmpuint(rig_stats(&rig).rx_dropped, ==, 10);
	rig.net.full = true;
	{
		uint64_t gpa = vdriver_alloc(rig.d, 100);
		struct vdriver_buf buf = { gpa, 100, false };

		g_assert_true(vdriver_add(rig.d, TX, &buf, 1, NULL));
		vdriver_kick(rig.d, TX);
	}
	for (unsigned i = 0; i < 10; i++)
		(void)io_loop_run(rig.loop, false);
	g_assert_cmpuint(rig.net.refused, >, 1);
	rig_close(&rig);
}

/* More than a batch: others have their turn, and all of it arrives. One interrupt a batch. */
static void test_batch(const void *layout)
{
	uint64_t gpa;
	unsigned before;
	struct rig rig;

	rig_open(&rig, layout, &(struct virtio_net_config){ .queue_size = 1024 }, ALL_NET);
	gpa = vdriver_alloc(rig.d, 100);
	memset(vdriver_ptr(rig.d, gpa, 100), 0, 100);
	before = vdriver_interrupts(rig.d, TX);
	for (unsigned i = 0; i < 1000; i++) {
		struct vdriver_buf buf = { gpa, 100, false };

		g_assert_true(vdriver_add(rig.d, TX, &buf, 1, NULL));
	}
	vdriver_kick(rig.d, TX);
	(void)io_loop_run(rig.loop, false);
	g_assert_cmpuint(g_queue_get_length(&rig.net.from_guest[0]), ==, BATCH_FRAMES);
	vdriver_run(rig.d);
	g_assert_cmpuint(rig_used(&rig, TX), ==, 1000);
	g_assert_cmpuint(vdriver_interrupts(rig.d, TX) - before, <=, 1000 / BATCH_FRAMES + 1);
	rig_close(&rig);
}

/* ---- RX ---- */

static void test_rx_plain(const void *layout)
{
	uint64_t features = ALL_NET & ~(uint64_t)VIRTIO_NET_F_MRG_RXBUF;
	struct rig rig;

	rig_open(&rig, layout, NULL, features);
	rig_post(&rig, RX, HEADER_LEN + 1514, 8);
	for (size_t len = 14; len <= 1514; len += 300) {
		rig_input(&rig, mac, len);
		rig_expect(&rig, mac, len, 1);
	}
	/* Too long for a buffer: gone, and the next one is there. */
	rig_input(&rig, mac, 1515);
	rig_expect_nothing(&rig);
	rig_input(&rig, mac, 1514);
	rig_expect(&rig, mac, 1514, 1);
	/* Too short to be one. */
	rig_input(&rig, mac, 13);
	rig_expect_nothing(&rig);
	g_assert_cmpuint(rig_stats(&rig).rx_dropped, ==, 1);
	g_assert_cmpuint(rig_stats(&rig).rx_frames, ==, 7);
	rig_close(&rig);
}

/* Mergeable buffers: every way to split a frame, header included. */
static void test_rx_merge(const void *layout)
{
	static const size_t lens[] = { 14, 60, 1514, 4000, 65549, NET_MAX_FRAME };
	struct rig rig;

	for (uint32_t size = HEADER_LEN; size < 5000; size = size * 3 / 2 + 1) {
		rig_open(&rig, layout, &(struct virtio_net_config){ .queue_size = 1024 }, ALL_NET);
		rig_post(&rig, RX, size, 1000);
		for (unsigned i = 0; i < ARRAY_SIZE(lens); i++) {
			size_t need = (HEADER_LEN + lens[i] + size - 1) / size;

			if (need > 120)
				continue;
			rig_input(&rig, mac, lens[i]);
			rig_expect(&rig, mac, lens[i], (unsigned)need);
		}
		g_assert_cmpuint(rig_stats(&rig).rx_dropped, ==, 0);
		rig_close(&rig);
	}
}

/* A guest may have raised its MTU as far as it goes, whatever its card does in hardware. */
static void test_rx_jumbo(const void *layout)
{
	const struct virtio_net_config config = { .no_offload = true };
	struct rig rig;

	rig_open(&rig, layout, &config, ALL_NET);
	rig_post(&rig, RX, 1536, 100);
	rig_input(&rig, mac, NET_MAX_FRAME);
	rig_expect(&rig, mac, NET_MAX_FRAME, (HEADER_LEN + NET_MAX_FRAME + 1535) / 1536);
	rig_close(&rig);
}

/* Lesson 4: frames that meet too few buffers. Lesson 19: and then more. */
static void test_rx_short_lesson_4_19(const void *layout)
{
	struct rig rig;

	rig_open(&rig, layout, NULL, ALL_NET);
	/* No buffer: the back end is not asked. */
	rig_input(&rig, mac, 1000);
	g_assert_cmpuint(rig.net.asked, ==, 0);
	/* Too few: the frame is held, nothing is lost, no other is asked for. */
	rig_post(&rig, RX, 512, 1);
	g_assert_cmpuint(rig.net.asked, ==, 1);
	rig_input(&rig, mac, 60);
	g_assert_cmpuint(rig.net.asked, ==, 1);
	rig_expect_nothing(&rig);
	rig_post(&rig, RX, 512, 1);
	rig_expect(&rig, mac, 1000, 2);
	rig_expect_nothing(&rig);
	rig_post(&rig, RX, 512, 1);
	rig_expect(&rig, mac, 60, 1);
	/* Never enough: this frame is lost after a while, and those behind it are not. */
	rig_post(&rig, RX, 512, 1);
	rig_input(&rig, mac, 1000);
	rig_input(&rig, mac, 61);
	rig.now_ns += HOLD_MS * 1000000ull - 1;
	vdriver_run(rig.d);
	rig_expect_nothing(&rig);
	rig.now_ns += 1;
	vdriver_run(rig.d);
	rig_expect(&rig, mac, 61, 1);
	g_assert_cmpuint(rig_stats(&rig).rx_dropped, ==, 1);
	/* A reset while one is held, and chains are. */
	rig_post(&rig, RX, 512, 1);
	rig_input(&rig, mac, 1000);
	vdriver_reset(rig.d);
	rig_restart(&rig, ALL_NET);
	rig_post(&rig, RX, 512, 4);
	rig_expect_nothing(&rig);
	rig_input(&rig, mac, 62);
	rig_expect(&rig, mac, 62, 1);
	if (rig.layout & VIRTIO_F_RING_RESET) {
		virtio_reset_queue(rig.dev, RX);
		g_assert_false(virtio_queue_resetting(rig.dev, RX));
		vdriver_setup_queue(rig.d, RX);
		rig_post(&rig, RX, 512, 4);
		rig_input(&rig, mac, 63);
		rig_expect(&rig, mac, 63, 1);
	}
	/* Unplugged with all that. */
	rig_input(&rig, mac, 60000);
	rig_close(&rig);
}

/* A buffer that does not hold a header breaks the device, and not us. */
static void test_rx_tiny(const void *layout)
{
	struct rig rig;

	rig_open(&rig, layout, NULL, ALL_NET);
	rig_input(&rig, mac, 100);
	rig_post(&rig, RX, 512, 1);
	rig_expect(&rig, mac, 100, 1);
	rig_post(&rig, RX, HEADER_LEN - 1, 1);
	rig_input(&rig, mac, 100);
	g_assert_true(virtio_read_status(rig.dev) & VIRTIO_STATUS_NEEDS_RESET);
	rig_restart(&rig, ALL_NET);
	rig_post(&rig, RX, 512, 1);
	rig_expect(&rig, mac, 100, 1);
	rig_close(&rig);
}

/* Many pieces in a chain: more than the back end is given at once. */
static void test_rx_pieces(const void *layout)
{
	struct vdriver_buf bufs[VDRIVER_TABLE];
	uint64_t gpa;
	struct rig rig;

	rig_open(&rig, layout, NULL, ALL_NET);
	gpa = vdriver_alloc(rig.d, 64 * 8 * 20);
	for (unsigned n = 0; n < 20; n++) {
		for (unsigned i = 0; i < 32; i++)
			bufs[i] = (struct vdriver_buf){ gpa + n * 512 + i * 16, 16, true };
		if (!vdriver_add(rig.d, RX, bufs, 32, GSIZE_TO_POINTER(gpa + n * 512)))
			break;
	}
	vdriver_kick(rig.d, RX);
	vdriver_run(rig.d);
	rig_input(&rig, mac, 700);
	rig_expect(&rig, mac, 700, 2);
	rig_close(&rig);
}

static void test_rx_header(const void *layout)
{
	static const struct {
		uint8_t flags, gso;
		uint64_t features;
		bool passes;
		uint8_t want;
	} cases[] = {
		{ 0, 0, 0, true, 0 },
		{ 2, 0, 0, true, 0 },
		{ 2, 0, VIRTIO_NET_F_GUEST_CSUM, true, 2 },
		{ 1, 0, 0, false, 0 },
		{ 1, 0, VIRTIO_NET_F_GUEST_CSUM, true, 1 },
		{ 1, 1, VIRTIO_NET_F_GUEST_CSUM, false, 0 },
		{ 1, 1, VIRTIO_NET_F_GUEST_CSUM | VIRTIO_NET_F_GUEST_TSO4, true, 1 },
		{ 1, 4, VIRTIO_NET_F_GUEST_CSUM | VIRTIO_NET_F_GUEST_TSO4, false, 0 },
		{ 1, 4, VIRTIO_NET_F_GUEST_CSUM | VIRTIO_NET_F_GUEST_TSO6, true, 1 },
		{ 1, 0x81, VIRTIO_NET_F_GUEST_CSUM | VIRTIO_NET_F_GUEST_TSO4, false, 0 },
		{ 1, 0x81,
		  VIRTIO_NET_F_GUEST_CSUM | VIRTIO_NET_F_GUEST_TSO4 | VIRTIO_NET_F_GUEST_ECN, true,
		  1 },
		{ 1, 3, ALL_NET, false, 0 },
		{ 0xf8, 0, ALL_NET, true, 0 },
	};
	struct rig rig;

	rig_open(&rig, layout, NULL, 0);
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct net_header header = { .flags = cases[i].flags,
					     .gso_type = cases[i].gso,
					     .gso_size = htole16(1448),
					     .csum_start = htole16(34),
					     .num_buffers = 77 };
		uint8_t data[100];
		GByteArray *frame;

		rig_restart(&rig, cases[i].features);
		rig_post(&rig, RX, 2048, 64);
		rig_fill_frame(data, sizeof(data), mac);
		fake_net_input(&rig.net, 0, &header, data, sizeof(data));
		vdriver_run(rig.d);
		frame = rig_got(&rig, RX, NULL);
		g_assert_true((frame != NULL) == cases[i].passes);
		if (!frame)
			continue;
		g_assert_cmphex(frame->data[0], ==, cases[i].want);
		g_assert_cmphex(frame->data[1], ==, cases[i].gso);
		g_assert_cmpuint(get_le16(frame->data + 4), ==, cases[i].gso ? 1448 : 0);
		g_assert_cmpuint(get_le16(frame->data + 6), ==, cases[i].want & 1 ? 34 : 0);
		g_assert_cmpuint(get_le16(frame->data + 10), ==, 1); /* lesson table 1.12 */
		g_byte_array_unref(frame);
	}
	rig_close(&rig);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/virtio-net/refused", test_refused);
	rig_add("offer", test_offer);
	rig_add("dependencies", test_dependencies);
	rig_add("pause", test_pause);
	rig_add("tx", test_tx);
	rig_add("tx-header-lesson-5-8", test_tx_header_lesson_5_8);
	rig_add("tx-lengths-lesson-9", test_tx_lengths_lesson_9);
	rig_add("tx-back-pressure", test_tx_back_pressure);
	rig_add("reentry", test_reentry);
	rig_add("batch", test_batch);
	rig_add("rx-plain", test_rx_plain);
	rig_add("rx-jumbo", test_rx_jumbo);
	rig_add("rx-merge", test_rx_merge);
	rig_add("rx-short-lesson-4-19", test_rx_short_lesson_4_19);
	rig_add("rx-tiny", test_rx_tiny);
	rig_add("rx-pieces", test_rx_pieces);
	rig_add("rx-header", test_rx_header);
	return g_test_run();
}
