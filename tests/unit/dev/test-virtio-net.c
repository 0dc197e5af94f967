/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-virtio-net.c - the network card, by a driver and a back end in the test's hand
 *
 * Each case runs with split rings without extras, split rings with all, and packed rings with all.
 */
#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "dev/virtio-net-int.h"
#include "fake-net.h"
#include "fake.h"
#include "tests/lib/virtio-driver.h"

enum {
	RX = 0,
	TX = 1,
	CTRL = 2,
	PLAIN = 60,
	OK = 0,
	ERR = 1
};

#define ALL_NET UINT64_C(0xffffff)

static const uint8_t mac[6] = { 0x52, 0x54, 0, 1, 2, 3 };
static const uint8_t other[6] = { 0x52, 0x54, 0, 9, 9, 9 };
static const uint8_t group[6] = { 0x33, 0x33, 0, 0, 0, 1 };
static const uint8_t everybody[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

struct rig {
	struct io_loop *loop;
	struct fake_net net;
	struct fake_clock clock;
	struct virtio_device *dev;
	struct vdriver *d;
	uint64_t now_ns, layout;
	unsigned filter_changes;
};

static uint64_t rig_now(void *opaque)
{
	return ((struct rig *)opaque)->now_ns;
}

static void on_filter(void *opaque)
{
	((struct rig *)opaque)->filter_changes++;
}

static void rig_open(struct rig *rig, const void *layout, const struct virtio_net_config *more,
		     uint64_t features)
{
	struct virtio_net_config config = more ? *more : (struct virtio_net_config){ 0 };
	bool no_net = more && more->opaque == rig;
	GError *error = NULL;

	memset(rig, 0, sizeof(*rig));
	rig->layout = *(const uint64_t *)layout;
	rig->now_ns = 1000000000;
	fake_clock_init(&rig->clock);
	fake_net_init(&rig->net);
	rig->net.net.mtu = config.net ? config.net->mtu : 0;
	rig->loop = io_loop_new_manual(IO_LOOP_THREADS, rig_now, rig, &error);
	g_assert_no_error(error);
	config.net = no_net ? NULL : &rig->net.net;
	config.loop = rig->loop;
	config.clock = &rig->clock.clock;
	memcpy(config.mac, mac, sizeof(mac));
	config.queue_pairs = config.queue_pairs ?: 1;
	config.filter_changed = on_filter;
	config.opaque = rig;
	rig->dev = virtio_net_new(&config, &error);
	g_assert_no_error(error);
	rig->d = vdriver_new(&(struct vdriver_config){
		.dev = rig->dev,
		.loop = rig->loop,
		.features = features | rig->layout,
	});
	vdriver_run(rig->d);
}

static void restart(struct rig *rig, uint64_t features)
{
	g_assert_true(vdriver_restart(rig->d, features | rig->layout));
	vdriver_run(rig->d);
}

static void rig_close(struct rig *rig)
{
	vdriver_free(rig->d);
	rig->dev->ops->free(rig->dev);
	g_assert_null(rig->net.front);
	fake_net_free(&rig->net.net);
	io_loop_free(rig->loop);
}

static void post(struct rig *rig, unsigned queue, uint32_t len, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		uint64_t gpa = vdriver_alloc(rig->d, len);
		struct vdriver_buf buf = { gpa, len, true };

		g_assert_true(vdriver_add(rig->d, queue, &buf, 1, GSIZE_TO_POINTER(gpa)));
	}
	vdriver_kick(rig->d, queue);
	vdriver_run(rig->d);
}

/* The next frame that the driver has received, header included; NULL: none. */
static GByteArray *got(struct rig *rig, unsigned queue, unsigned *ret_buffers)
{
	GByteArray *all = g_byte_array_new();
	unsigned buffers = 1;

	for (unsigned i = 0; i < buffers; i++) {
		uint32_t len;
		void *token;

		if (!vdriver_used(rig->d, queue, &token, &len)) {
			g_assert_cmpuint(i, ==, 0);
			g_byte_array_unref(all);
			return NULL;
		}
		g_byte_array_append(all, vdriver_ptr(rig->d, GPOINTER_TO_SIZE(token), len), len);
		if (i == 0) {
			g_assert_cmpuint(len, >=, HEADER_LEN);
			buffers = get_le16(all->data + 10);
			g_assert_cmpuint(buffers, >=, 1);
		}
	}
	if (ret_buffers)
		*ret_buffers = buffers;
	return all;
}

static void fill_frame(uint8_t *data, size_t len, const uint8_t *to)
{
	for (size_t i = 0; i < len; i++)
		data[i] = (uint8_t)(i * 7 + i / 251);
	if (len >= 14) {
		memcpy(data, to, 6);
		memcpy(data + 6, other, 6);
		put_be16(data + 12, 0x0800);
	}
}

static void input(struct rig *rig, const uint8_t *to, size_t len)
{
	g_autofree uint8_t *data = g_malloc(len + 1);

	fill_frame(data, len, to);
	fake_net_input(&rig->net, 0, NULL, data, len);
	vdriver_run(rig->d);
}

static void expect(struct rig *rig, const uint8_t *to, size_t len, unsigned want_buffers)
{
	g_autofree uint8_t *data = g_malloc(len + 1);
	GByteArray *frame;
	unsigned buffers = 0;

	fill_frame(data, len, to);
	frame = got(rig, RX, &buffers);
	assert(frame);
	g_assert_cmpmem(frame->data + HEADER_LEN, frame->len - HEADER_LEN, data, len);
	if (want_buffers)
		g_assert_cmpuint(buffers, ==, want_buffers);
	g_byte_array_unref(frame);
}

static void expect_nothing(struct rig *rig)
{
	g_assert_null(got(rig, RX, NULL));
}

static struct virtio_net_stats stats(struct rig *rig)
{
	struct virtio_net_stats s;

	virtio_net_stats(rig->dev, &s);
	return s;
}

/* Send a frame behind @header, in pieces of @piece bytes. */
static void send_pieces(struct rig *rig, unsigned queue, const uint8_t *header, size_t len,
			uint32_t piece)
{
	uint64_t gpa = vdriver_alloc(rig->d, HEADER_LEN + len + 1);
	uint8_t *p = vdriver_ptr(rig->d, gpa, HEADER_LEN + len + 1);
	struct vdriver_buf bufs[VDRIVER_TABLE];
	unsigned count = 0;

	memset(p, 0, HEADER_LEN);
	if (header)
		memcpy(p, header, HEADER_LEN);
	fill_frame(p + HEADER_LEN, len, other);
	for (size_t off = 0; off < HEADER_LEN + len; off += piece) {
		g_assert_cmpuint(count, <, VDRIVER_TABLE);
		bufs[count++] =
			(struct vdriver_buf){ gpa + off,
					      (uint32_t)MIN(piece, HEADER_LEN + len - off), false };
	}
	g_assert_true(vdriver_add(rig->d, queue, bufs, count, NULL));
	vdriver_kick(rig->d, queue);
	vdriver_run(rig->d);
}

static unsigned used(struct rig *rig, unsigned queue)
{
	unsigned n = 0;
	uint32_t len;
	void *token;

	while (vdriver_used(rig->d, queue, &token, &len)) {
		g_assert_cmpuint(len, ==, 0);
		n++;
	}
	return n;
}

static uint8_t ctrl_at(struct rig *rig, unsigned queue, uint8_t class, uint8_t command,
		       const void *data, size_t len)
{
	g_autofree uint8_t *out = g_malloc(2 + len);
	uint8_t ack = 0xee;

	out[0] = class;
	out[1] = command;
	if (len)
		memcpy(out + 2, data, len);
	g_assert_cmpuint(vdriver_request(rig->d, queue, out, 2 + len, &ack, 1), ==, 1);
	return ack;
}

static uint8_t ctrl(struct rig *rig, uint8_t class, uint8_t command, const void *data, size_t len)
{
	return ctrl_at(rig, CTRL, class, command, data, len);
}

static uint8_t mode(struct rig *rig, uint8_t command, uint8_t on)
{
	return ctrl(rig, 0, command, &on, 1);
}

/* ---- pause ---- */

/* While the machine is paused, frames wait on the host, and the guest's in the ring. */
static void test_pause(const void *layout)
{
	g_autofree uint8_t *before = NULL;
	struct rig rig;

	rig_open(&rig, layout, NULL, ALL_NET);
	post(&rig, RX, 2048, 64);
	input(&rig, mac, 100);
	expect(&rig, mac, 100, 0);
	before = g_memdup2(vdriver_ptr(rig.d, 1 << 20, 1 << 20), 1 << 20);
	virtio_pause(rig.dev);
	g_assert_true(virtio_is_quiet(rig.dev));
	input(&rig, mac, 200);
	expect_nothing(&rig);
	g_assert_cmpmem(before, 1 << 20, vdriver_ptr(rig.d, 1 << 20, 1 << 20), 1 << 20);
	send_pieces(&rig, TX, NULL, PLAIN, 4096);
	g_assert_null(fake_net_output(&rig.net, 0));
	virtio_resume(rig.dev);
	vdriver_run(rig.d);
	expect(&rig, mac, 200, 0);
	g_assert_cmpuint(used(&rig, TX), ==, 1);
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
	fill_frame(want, sizeof(want), other);
	/* Headers and frames cut anywhere, the header's middle included. */
	for (uint32_t piece = 50; piece < 2100; piece += 97) {
		send_pieces(&rig, TX, header, sizeof(want), piece);
		frame = fake_net_output(&rig.net, 0);
		g_assert_nonnull(frame);
		g_assert_cmpmem(frame->data, frame->len, want, sizeof(want));
		header[10] = header[11] = 0; /* num_buffers is nobody's business */
		g_assert_cmpmem(&frame->header, HEADER_LEN, header, HEADER_LEN);
		g_free(frame);
	}
	g_assert_cmpuint(used(&rig, TX), ==, 22);
	for (uint32_t piece = 1; piece < 14; piece++) {
		send_pieces(&rig, TX, NULL, 50, piece > 1 ? piece : 1);
		frame = fake_net_output(&rig.net, 0);
		g_assert_cmpmem(frame->data + 14, frame->len - 14, want + 14, 36);
		g_free(frame);
	}
	g_assert_cmpuint(stats(&rig).tx_frames, ==, 22 + 13);
	g_assert_cmpuint(stats(&rig).tx_bytes, ==, 22 * 2000 + 13 * 50);
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
		restart(&rig, cases[i].features);
		send_pieces(&rig, TX, header, 100, 4096);
		g_assert_cmpuint(used(&rig, TX), ==, 1);
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

		send_pieces(&rig, TX, NULL, cases[i].len, 4096);
		g_assert_cmpuint(used(&rig, TX), ==, 1);
		frame = fake_net_output(&rig.net, 0);
		g_assert_true((frame != NULL) == cases[i].passes);
		if (frame)
			g_assert_cmpuint(frame->len, ==, cases[i].len);
		g_free(frame);
	}
	/* Shorter than a header is no frame at all. */
	send_pieces(&rig, TX, NULL, 0, 4096);
	g_assert_cmpuint(used(&rig, TX), ==, 1);
	{
		uint64_t gpa = vdriver_alloc(rig.d, 16);
		struct vdriver_buf buf = { gpa, 11, false };

		g_assert_true(vdriver_add(rig.d, TX, &buf, 1, NULL));
		vdriver_kick(rig.d, TX);
		vdriver_run(rig.d);
	}
	g_assert_true(virtio_read_status(rig.dev) & VIRTIO_STATUS_NEEDS_RESET);
	restart(&rig, ALL_NET);
	send_pieces(&rig, TX, NULL, 100, 4096);
	g_assert_cmpuint(used(&rig, TX), ==, 1);
	rig_close(&rig);
}

static void test_tx_back_pressure(const void *layout)
{
	struct rig rig;

	rig_open(&rig, layout, NULL, ALL_NET);
	rig.net.full = true;
	for (unsigned i = 0; i < 5; i++)
		send_pieces(&rig, TX, NULL, 100 + i, 4096);
	g_assert_cmpuint(used(&rig, TX), ==, 0);
	g_assert_cmpuint(rig.net.refused, ==, 1); /* not asked again before it has room */
	fake_net_make_room(&rig.net, 0);
	vdriver_run(rig.d);
	g_assert_cmpuint(used(&rig, TX), ==, 5);
	for (unsigned i = 0; i < 5; i++) {
		struct fake_frame *frame = fake_net_output(&rig.net, 0);

		g_assert_cmpuint(frame->len, ==, 100 + i);
		g_free(frame);
	}
	/* An error of the back end drops that frame only. */
	rig.net.send_error = -EIO;
	send_pieces(&rig, TX, NULL, 100, 4096);
	g_assert_cmpuint(used(&rig, TX), ==, 1);
	g_assert_cmpuint(stats(&rig).tx_dropped, ==, 1);
	rig.net.send_error = 0;
	/* A reset and an unplug with a frame that waits. */
	rig.net.full = true;
	send_pieces(&rig, TX, NULL, 100, 4096);
	g_assert_cmpuint(rig.net.forgotten, ==, 0);
	vdriver_reset(rig.d);
	g_assert_cmpuint(rig.net.forgotten, ==, 1);
	restart(&rig, ALL_NET);
	send_pieces(&rig, TX, NULL, 100, 4096);
	if (rig.layout & VIRTIO_F_RING_RESET) {
		virtio_reset_queue(rig.dev, TX);
		g_assert_false(virtio_queue_resetting(rig.dev, TX));
		g_assert_cmpuint(rig.net.forgotten, ==, 2);
		vdriver_setup_queue(rig.d, TX);
		send_pieces(&rig, TX, NULL, 100, 4096);
	}
	rig_close(&rig);
}

/* A back end that calls back from inside of its own functions, which all hold our lock. */
static void test_reentry(const void *layout)
{
	struct rig rig;

	rig_open(&rig, layout, NULL, ALL_NET);
	post(&rig, RX, 2048, 64);
	/* From here on the loop has no end: each question makes the back end say that it has more. */
	rig.net.reenter = true;
	for (unsigned i = 0; i < 10; i++)
		g_queue_push_tail(&rig.net.to_guest[0], fake_frame_new(NULL, other, 6));
	for (unsigned i = 0; i < 3; i++) {
		uint8_t data[PLAIN];

		fill_frame(data, PLAIN, mac);
		g_queue_push_tail(&rig.net.to_guest[0], fake_frame_new(NULL, data, PLAIN));
	}
	rig.net.front->readable(rig.net.opaque, 0);
	for (unsigned i = 0; i < 100; i++)
		(void)io_loop_run(rig.loop, false);
	for (unsigned i = 0; i < 3; i++)
		expect(&rig, mac, PLAIN, 1);
	g_assert_cmpuint(stats(&rig).rx_dropped, ==, 10);
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
	g_assert_cmpuint(used(&rig, TX), ==, 1000);
	g_assert_cmpuint(vdriver_interrupts(rig.d, TX) - before, <=, 1000 / BATCH_FRAMES + 1);
	rig_close(&rig);
}

/* ---- RX ---- */

static void test_rx_plain(const void *layout)
{
	uint64_t features = ALL_NET & ~(uint64_t)VIRTIO_NET_F_MRG_RXBUF;
	struct rig rig;

	rig_open(&rig, layout, NULL, features);
	post(&rig, RX, HEADER_LEN + 1514, 8);
	for (size_t len = 14; len <= 1514; len += 300) {
		input(&rig, mac, len);
		expect(&rig, mac, len, 1);
	}
	/* Too long for a buffer: gone, and the next one is there. */
	input(&rig, mac, 1515);
	expect_nothing(&rig);
	input(&rig, mac, 1514);
	expect(&rig, mac, 1514, 1);
	/* Too short to be one. */
	input(&rig, mac, 13);
	expect_nothing(&rig);
	g_assert_cmpuint(stats(&rig).rx_dropped, ==, 1);
	g_assert_cmpuint(stats(&rig).rx_frames, ==, 7);
	rig_close(&rig);
}

/* Mergeable buffers: every way to split a frame, header included. */
static void test_rx_merge(const void *layout)
{
	static const size_t lens[] = { 14, 60, 1514, 4000, 65549, NET_MAX_FRAME };
	struct rig rig;

	for (uint32_t size = HEADER_LEN; size < 5000; size = size * 3 / 2 + 1) {
		rig_open(&rig, layout, &(struct virtio_net_config){ .queue_size = 1024 }, ALL_NET);
		post(&rig, RX, size, 1000);
		for (unsigned i = 0; i < ARRAY_SIZE(lens); i++) {
			size_t need = (HEADER_LEN + lens[i] + size - 1) / size;

			if (need > 120)
				continue;
			input(&rig, mac, lens[i]);
			expect(&rig, mac, lens[i], (unsigned)need);
		}
		g_assert_cmpuint(stats(&rig).rx_dropped, ==, 0);
		rig_close(&rig);
	}
}

/* A guest may have raised its MTU as far as it goes, whatever its card does in hardware. */
static void test_rx_jumbo(const void *layout)
{
	const struct virtio_net_config config = { .no_offload = true };
	struct rig rig;

	rig_open(&rig, layout, &config, ALL_NET);
	post(&rig, RX, 1536, 100);
	input(&rig, mac, NET_MAX_FRAME);
	expect(&rig, mac, NET_MAX_FRAME, (HEADER_LEN + NET_MAX_FRAME + 1535) / 1536);
	rig_close(&rig);
}

/* Lesson 4: frames that meet too few buffers. Lesson 19: and then more. */
static void test_rx_short_lesson_4_19(const void *layout)
{
	struct rig rig;

	rig_open(&rig, layout, NULL, ALL_NET);
	/* No buffer: the back end is not asked. */
	input(&rig, mac, 1000);
	g_assert_cmpuint(rig.net.asked, ==, 0);
	/* Too few: the frame is held, nothing is lost, no other is asked for. */
	post(&rig, RX, 512, 1);
	g_assert_cmpuint(rig.net.asked, ==, 1);
	input(&rig, mac, 60);
	g_assert_cmpuint(rig.net.asked, ==, 1);
	expect_nothing(&rig);
	post(&rig, RX, 512, 1);
	expect(&rig, mac, 1000, 2);
	expect_nothing(&rig);
	post(&rig, RX, 512, 1);
	expect(&rig, mac, 60, 1);
	/* Never enough: this frame is lost after a while, and those behind it are not. */
	post(&rig, RX, 512, 1);
	input(&rig, mac, 1000);
	input(&rig, mac, 61);
	rig.now_ns += HOLD_MS * 1000000ull - 1;
	vdriver_run(rig.d);
	expect_nothing(&rig);
	rig.now_ns += 1;
	vdriver_run(rig.d);
	expect(&rig, mac, 61, 1);
	g_assert_cmpuint(stats(&rig).rx_dropped, ==, 1);
	/* A reset while one is held, and chains are. */
	post(&rig, RX, 512, 1);
	input(&rig, mac, 1000);
	vdriver_reset(rig.d);
	restart(&rig, ALL_NET);
	post(&rig, RX, 512, 4);
	expect_nothing(&rig);
	input(&rig, mac, 62);
	expect(&rig, mac, 62, 1);
	if (rig.layout & VIRTIO_F_RING_RESET) {
		virtio_reset_queue(rig.dev, RX);
		g_assert_false(virtio_queue_resetting(rig.dev, RX));
		vdriver_setup_queue(rig.d, RX);
		post(&rig, RX, 512, 4);
		input(&rig, mac, 63);
		expect(&rig, mac, 63, 1);
	}
	/* Unplugged with all that. */
	input(&rig, mac, 60000);
	rig_close(&rig);
}

/* A buffer that does not hold a header breaks the device, and not us. */
static void test_rx_tiny(const void *layout)
{
	struct rig rig;

	rig_open(&rig, layout, NULL, ALL_NET);
	input(&rig, mac, 100);
	post(&rig, RX, 512, 1);
	expect(&rig, mac, 100, 1);
	post(&rig, RX, HEADER_LEN - 1, 1);
	input(&rig, mac, 100);
	g_assert_true(virtio_read_status(rig.dev) & VIRTIO_STATUS_NEEDS_RESET);
	restart(&rig, ALL_NET);
	post(&rig, RX, 512, 1);
	expect(&rig, mac, 100, 1);
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
	input(&rig, mac, 700);
	expect(&rig, mac, 700, 2);
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

		restart(&rig, cases[i].features);
		post(&rig, RX, 2048, 64);
		fill_frame(data, sizeof(data), mac);
		fake_net_input(&rig.net, 0, &header, data, sizeof(data));
		vdriver_run(rig.d);
		frame = got(&rig, RX, NULL);
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

/* ---- the control queue ---- */

static bool passes(struct rig *rig, const uint8_t *to)
{
	GByteArray *frame;

	input(rig, to, PLAIN);
	frame = got(rig, RX, NULL);
	if (!frame)
		return false;
	g_byte_array_unref(frame);
	return true;
}

static void test_filter_modes(const void *layout)
{
	struct virtio_net_filter filter;
	struct rig rig;

	rig_open(&rig, layout, NULL, ALL_NET);
	post(&rig, RX, 2048, 128);
	/* As it comes: everything passes. */
	g_assert_true(passes(&rig, other) && passes(&rig, mac) && passes(&rig, group));
	g_assert_cmpuint(mode(&rig, 0, 0), ==, OK);
	g_assert_true(!passes(&rig, other) && passes(&rig, mac) && !passes(&rig, group));
	g_assert_true(passes(&rig, everybody));
	g_assert_cmpuint(mode(&rig, 1, 1), ==, OK); /* all multicast */
	g_assert_true(passes(&rig, group) && !passes(&rig, other));
	g_assert_cmpuint(mode(&rig, 3, 1), ==, OK); /* no multicast */
	g_assert_true(!passes(&rig, group) && passes(&rig, everybody));
	g_assert_cmpuint(mode(&rig, 2, 1), ==, OK); /* all unicast */
	g_assert_true(passes(&rig, other));
	g_assert_cmpuint(mode(&rig, 4, 1), ==, OK); /* no unicast */
	g_assert_true(!passes(&rig, other) && !passes(&rig, mac));
	g_assert_cmpuint(mode(&rig, 5, 1), ==, OK); /* no broadcast */
	g_assert_true(!passes(&rig, everybody));
	g_assert_cmpuint(mode(&rig, 6, 1), ==, ERR);
	g_assert_cmpuint(ctrl(&rig, 0, 0, NULL, 0), ==, ERR);
	/* The monitor is told once until it looks. */
	fake_clock_run(&rig.clock);
	g_assert_cmpuint(rig.filter_changes, ==, 1);
	virtio_net_filter(rig.dev, &filter);
	g_assert_true(filter.all_multicast && filter.no_multicast && !filter.promiscuous);
	g_assert_cmpmem(filter.mac, 6, mac, 6);
	g_assert_cmpuint(mode(&rig, 0, 1), ==, OK);
	fake_clock_run(&rig.clock);
	g_assert_cmpuint(rig.filter_changes, ==, 2);
	g_assert_true(passes(&rig, other));
	/* A reset forgets it. */
	g_assert_cmpuint(mode(&rig, 0, 0), ==, OK);
	restart(&rig, ALL_NET);
	post(&rig, RX, 2048, 64);
	g_assert_true(passes(&rig, other));
	rig_close(&rig);
}

static size_t put_table(uint8_t *p, uint32_t claim, unsigned count, uint8_t first)
{
	put_le32(p, claim);
	for (unsigned i = 0; i < count; i++) {
		memset(p + 4 + i * 6, 0, 6);
		p[4 + i * 6] = first;
		put_be16(p + 4 + i * 6 + 4, (uint16_t)i);
	}
	return 4 + (size_t)count * 6;
}

static void test_filter_tables(const void *layout)
{
	static uint8_t table[2 * (4 + 200 * 6)];
	uint8_t unicast[6] = { 2, 0, 0, 0, 0, 63 }, multicast[6] = { 3, 0, 0, 0, 0, 3 };
	struct virtio_net_filter filter;
	size_t len;
	struct rig rig;

	rig_open(&rig, layout, NULL, ALL_NET);
	post(&rig, RX, 2048, 128);
	g_assert_cmpuint(mode(&rig, 0, 0), ==, OK);
	len = put_table(table, 64, 64, 2);
	len += put_table(table + len, 4, 4, 3);
	g_assert_cmpuint(ctrl(&rig, 1, 0, table, len), ==, OK);
	g_assert_true(passes(&rig, unicast) && passes(&rig, multicast) && passes(&rig, mac));
	g_assert_true(!passes(&rig, other) && !passes(&rig, group));
	virtio_net_filter(rig.dev, &filter);
	g_assert_cmpuint(filter.unicast_count, ==, 64);
	g_assert_cmpuint(filter.multicast_count, ==, 4);
	/* Lesson table 1.12, bounded: more overflow the table, and all of that kind pass. */
	len = put_table(table, 65, 65, 2);
	len += put_table(table + len, 4, 4, 3);
	g_assert_cmpuint(ctrl(&rig, 1, 0, table, len), ==, OK);
	g_assert_true(passes(&rig, other) && !passes(&rig, group));
	virtio_net_filter(rig.dev, &filter);
	g_assert_true(filter.unicast_overflow && !filter.multicast_overflow);
	/* What claims more than is there changes nothing. */
	len = put_table(table, 0, 0, 2);
	len += put_table(table + len, UINT32_MAX, 10, 3);
	g_assert_cmpuint(ctrl(&rig, 1, 0, table, len), ==, ERR);
	len = put_table(table, 0x2aaaaaab, 10, 2);
	g_assert_cmpuint(ctrl(&rig, 1, 0, table, len), ==, ERR);
	g_assert_cmpuint(ctrl(&rig, 1, 0, table, 3), ==, ERR);
	virtio_net_filter(rig.dev, &filter);
	g_assert_true(filter.unicast_overflow && filter.multicast_count == 4);
	/* A new address. */
	g_assert_cmpuint(ctrl(&rig, 1, 1, other, 6), ==, OK);
	g_assert_cmpuint(ctrl(&rig, 1, 1, other, 5), ==, ERR);
	g_assert_cmpuint(ctrl(&rig, 1, 1, table, 7), ==, ERR);
	g_assert_cmpuint(ctrl(&rig, 1, 2, other, 6), ==, ERR);
	len = put_table(table, 0, 0, 2);
	len += put_table(table + len, 0, 0, 3);
	g_assert_cmpuint(ctrl(&rig, 1, 0, table, len), ==, OK);
	g_assert_true(passes(&rig, other) && !passes(&rig, mac));
	g_assert_cmphex(virtio_read_config(rig.dev, 3, 1), ==, 9);
	vdriver_reset(rig.d);
	g_assert_cmphex(virtio_read_config(rig.dev, 3, 1), ==, 1);
	rig_close(&rig);
}

static bool vlan_passes(struct rig *rig, unsigned vid)
{
	uint8_t data[PLAIN];
	GByteArray *frame;

	fill_frame(data, sizeof(data), mac);
	put_be16(data + 12, 0x8100);
	put_be16(data + 14, (uint16_t)(0xe000 | vid));
	fake_net_input(&rig->net, 0, NULL, data, sizeof(data));
	vdriver_run(rig->d);
	frame = got(rig, RX, NULL);
	if (frame)
		g_byte_array_unref(frame);
	return frame;
}

static void test_vlans(const void *layout)
{
	uint8_t vid[2];
	struct rig rig;

	rig_open(&rig, layout, NULL, ALL_NET);
	post(&rig, RX, 2048, 64);
	g_assert_true(vlan_passes(&rig, 7)); /* promiscuous */
	g_assert_cmpuint(mode(&rig, 0, 0), ==, OK);
	g_assert_false(vlan_passes(&rig, 7));
	put_le16(vid, 7);
	g_assert_cmpuint(ctrl(&rig, 2, 0, vid, 2), ==, OK);
	g_assert_true(vlan_passes(&rig, 7) && !vlan_passes(&rig, 8) && passes(&rig, mac));
	g_assert_cmpuint(ctrl(&rig, 2, 1, vid, 2), ==, OK);
	g_assert_false(vlan_passes(&rig, 7));
	put_le16(vid, 4095);
	g_assert_cmpuint(ctrl(&rig, 2, 0, vid, 2), ==, OK);
	g_assert_true(vlan_passes(&rig, 4095));
	put_le16(vid, 4096);
	g_assert_cmpuint(ctrl(&rig, 2, 0, vid, 2), ==, ERR);
	g_assert_cmpuint(ctrl(&rig, 2, 0, vid, 1), ==, ERR);
	g_assert_cmpuint(ctrl(&rig, 2, 2, vid, 2), ==, ERR);
	/* A driver that cannot say which it wants gets them all. */
	restart(&rig, (ALL_NET & ~(uint64_t)VIRTIO_NET_F_CTRL_VLAN));
	post(&rig, RX, 2048, 64);
	g_assert_cmpuint(mode(&rig, 0, 0), ==, OK);
	g_assert_true(vlan_passes(&rig, 9));
	rig_close(&rig);
}

static void test_ctrl_unknown(const void *layout)
{
	uint64_t bare = VIRTIO_NET_F_CTRL_VQ;
	uint8_t zeros[16] = { 0 };
	struct rig rig;

	rig_open(&rig, layout, NULL, bare);
	for (unsigned class = 0; class < 8; class ++) {
		for (unsigned command = 0; command < 8; command++)
			g_assert_cmpuint(ctrl(&rig, (uint8_t) class, (uint8_t)command, zeros, 16),
					 ==, ERR);
	}
	/* No place for the answer, or no command: the driver is broken. */
	g_assert_cmpuint(vdriver_interrupts(rig.d, -1), ==, 0);
	{
		uint64_t gpa = vdriver_alloc(rig.d, 64);
		struct vdriver_buf buf = { gpa, 64, false };

		g_assert_true(vdriver_add(rig.d, CTRL, &buf, 1, NULL));
		vdriver_kick(rig.d, CTRL);
		vdriver_run(rig.d);
	}
	g_assert_true(virtio_read_status(rig.dev) & VIRTIO_STATUS_NEEDS_RESET);
	rig_close(&rig);
}

static void test_guest_offloads(const void *layout)
{
	uint64_t all = VIRTIO_NET_GUEST_OFFLOADS;
	uint8_t raw[8];
	struct rig rig;

	rig_open(&rig, layout, NULL, ALL_NET);
	put_le64(raw, VIRTIO_NET_F_GUEST_CSUM);
	g_assert_cmpuint(ctrl(&rig, 5, 0, raw, 8), ==, OK);
	g_assert_cmphex(rig.net.offloads, ==, NET_OFFLOAD_CSUM);
	put_le64(raw, VIRTIO_NET_F_GUEST_TSO4);
	g_assert_cmpuint(ctrl(&rig, 5, 0, raw, 8), ==, ERR);
	put_le64(raw, VIRTIO_NET_F_GUEST_CSUM | VIRTIO_NET_F_GUEST_ECN);
	g_assert_cmpuint(ctrl(&rig, 5, 0, raw, 8), ==, ERR);
	put_le64(raw, all | VIRTIO_NET_F_MAC);
	g_assert_cmpuint(ctrl(&rig, 5, 0, raw, 8), ==, ERR);
	g_assert_cmpuint(ctrl(&rig, 5, 0, raw, 7), ==, ERR);
	g_assert_cmphex(rig.net.offloads, ==, NET_OFFLOAD_CSUM);
	put_le64(raw, all);
	g_assert_cmpuint(ctrl(&rig, 5, 0, raw, 8), ==, OK);
	g_assert_cmphex(rig.net.offloads & NET_OFFLOAD_TSO6, ==, NET_OFFLOAD_TSO6);
	/* What was not negotiated cannot be had. */
	restart(&rig, (ALL_NET & ~all) | VIRTIO_NET_F_GUEST_CSUM);
	g_assert_cmphex(rig.net.offloads, ==, NET_OFFLOAD_CSUM);
	put_le64(raw, VIRTIO_NET_F_GUEST_CSUM | VIRTIO_NET_F_GUEST_TSO4);
	g_assert_cmpuint(ctrl(&rig, 5, 0, raw, 8), ==, ERR);
	rig_close(&rig);
}

static void test_multi_queue(const void *layout)
{
	struct virtio_net_config config = { .queue_pairs = 4 };
	uint8_t pairs[2], data[PLAIN];
	GByteArray *frame;
	struct rig rig;

	rig_open(&rig, layout, &config, ALL_NET);
	fill_frame(data, sizeof(data), mac);
	g_assert_cmpuint(rig.net.queues, ==, 1);
	/* Queues of pairs that are not in use stand still. */
	send_pieces(&rig, 2 * 3 + 1, NULL, 100, 4096);
	g_assert_cmpuint(used(&rig, 2 * 3 + 1), ==, 0);
	post(&rig, 2 * 3, 2048, 64);
	fake_net_input(&rig.net, 3, NULL, data, sizeof(data));
	vdriver_run(rig.d);
	g_assert_null(got(&rig, 2 * 3, NULL));
	for (unsigned bad = 0; bad < 70000; bad += bad == 0 ? 5 : bad) {
		put_le16(pairs, (uint16_t)bad);
		g_assert_cmpuint(ctrl_at(&rig, 8, 4, 0, pairs, 2), ==, ERR);
		if (bad > 65535 / 2)
			break;
	}
	put_le16(pairs, 4);
	g_assert_cmpuint(ctrl_at(&rig, 8, 4, 1, pairs, 2), ==, ERR);
	g_assert_cmpuint(ctrl_at(&rig, 8, 4, 0, pairs, 2), ==, OK);
	g_assert_cmpuint(rig.net.queues, ==, 4);
	vdriver_run(rig.d);
	g_assert_cmpuint(used(&rig, 2 * 3 + 1), ==, 1);
	g_assert_cmpuint(g_queue_get_length(&rig.net.from_guest[3]), ==, 1);
	frame = got(&rig, 2 * 3, NULL);
	g_assert_nonnull(frame);
	g_byte_array_unref(frame);
	put_le16(pairs, 1);
	g_assert_cmpuint(ctrl_at(&rig, 8, 4, 0, pairs, 2), ==, OK);
	send_pieces(&rig, 2 * 3 + 1, NULL, 100, 4096);
	g_assert_cmpuint(used(&rig, 2 * 3 + 1), ==, 0);
	/* A back end that names a queue we do not have. */
	rig.net.front->readable(rig.net.opaque, 4);
	rig.net.front->writable(rig.net.opaque, 1000);
	/* Without MQ the control queue is the third, whatever the card could do. */
	restart(&rig, (ALL_NET & ~(uint64_t)VIRTIO_NET_F_MQ));
	g_assert_cmpuint(mode(&rig, 0, 0), ==, OK);
	rig_close(&rig);
}

/* ---- link, announcements, limits ---- */

static void test_link(const void *layout)
{
	unsigned forgotten;
	struct rig rig;
	unsigned before;

	rig_open(&rig, layout, NULL, ALL_NET);
	post(&rig, RX, 2048, 64);
	before = vdriver_interrupts(rig.d, -1);
	virtio_net_set_link(rig.dev, false);
	g_assert_false(virtio_net_link(rig.dev));
	g_assert_cmpuint(virtio_read_config(rig.dev, CONFIG_STATUS, 2), ==, 0);
	g_assert_cmpuint(vdriver_interrupts(rig.d, -1), ==, before + 1);
	virtio_net_set_link(rig.dev, false);
	g_assert_cmpuint(vdriver_interrupts(rig.d, -1), ==, before + 1);
	input(&rig, mac, 100);
	expect_nothing(&rig);
	send_pieces(&rig, TX, NULL, 100, 4096);
	g_assert_cmpuint(used(&rig, TX), ==, 1);
	g_assert_null(fake_net_output(&rig.net, 0));
	g_assert_cmpuint(stats(&rig).rx_dropped, ==, 1);
	g_assert_cmpuint(stats(&rig).tx_dropped, ==, 1);
	/* Both must be up. */
	rig.net.front->link_changed(rig.net.opaque, false);
	virtio_net_set_link(rig.dev, true);
	g_assert_false(virtio_net_link(rig.dev));
	rig.net.front->link_changed(rig.net.opaque, true);
	g_assert_true(virtio_net_link(rig.dev));
	input(&rig, mac, 100);
	expect(&rig, mac, 100, 1);
	/* What a full back end does not take is dropped when the link goes. */
	forgotten = rig.net.forgotten;
	rig.net.full = true;
	send_pieces(&rig, TX, NULL, 100, 4096);
	g_assert_cmpuint(used(&rig, TX), ==, 0);
	virtio_net_set_link(rig.dev, false);
	vdriver_run(rig.d);
	g_assert_cmpuint(used(&rig, TX), ==, 1);
	g_assert_cmpuint(rig.net.forgotten, ==, forgotten + 1);
	rig_close(&rig);
}

static void test_announce(const void *layout)
{
	struct rig rig;

	rig_open(&rig, layout, NULL, ALL_NET);
	g_assert_cmpuint(ctrl(&rig, 3, 0, NULL, 0), ==, ERR);
	virtio_net_announce(rig.dev);
	g_assert_cmpuint(vdriver_interrupts(rig.d, -1), ==, 1);
	g_assert_cmpuint(virtio_read_config(rig.dev, CONFIG_STATUS, 2), ==,
			 STATUS_LINK_UP | STATUS_ANNOUNCE);
	/* The link changes beside it. */
	virtio_net_set_link(rig.dev, false);
	virtio_net_set_link(rig.dev, true);
	g_assert_cmpuint(ctrl(&rig, 3, 1, NULL, 0), ==, ERR);
	g_assert_cmpuint(ctrl(&rig, 3, 0, NULL, 0), ==, OK);
	g_assert_cmpuint(virtio_read_config(rig.dev, CONFIG_STATUS, 2), ==, STATUS_LINK_UP);
	/* One that cannot is not asked. */
	restart(&rig, 0);
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
	post(&rig, RX, 2048, 200);
	for (unsigned i = 0; i < 200; i++) {
		send_pieces(&rig, TX, NULL, 100, 4096);
		input(&rig, mac, 1000);
	}
	for (unsigned i = 0; i < 10; i++) {
		rig.now_ns += 100000000;
		vdriver_run(rig.d);
	}
	sent = used(&rig, TX);
	while ((frame = got(&rig, RX, NULL))) {
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
	g_assert_cmpuint(sent + used(&rig, TX), ==, 200);
	while ((frame = got(&rig, RX, NULL))) {
		received++;
		g_byte_array_unref(frame);
	}
	g_assert_cmpuint(received, ==, 200);
	rig_close(&rig);
}

static void test_no_net(const void *layout)
{
	struct rig rig;
	struct virtio_net_config config = { .opaque = &rig };

	rig_open(&rig, layout, &config, ALL_NET);
	send_pieces(&rig, TX, NULL, 100, 4096);
	g_assert_cmpuint(used(&rig, TX), ==, 1);
	g_assert_cmpuint(stats(&rig).tx_dropped, ==, 1);
	post(&rig, RX, 2048, 4);
	expect_nothing(&rig);
	g_assert_cmpuint(mode(&rig, 0, 0), ==, OK);
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
		post(&rig, RX, 1000, steps % 5);
		for (unsigned i = 0; i < 4; i++) {
			uint8_t data[900];

			fill_frame(data, sizeof(data), mac);
			fake_net_input(&rig.net, 0, NULL, data, steps & 2 ? 900 : PLAIN);
		}
		g_assert_true(vdriver_add(rig.d, TX, &buf, 1, NULL));
		vdriver_kick(rig.d, TX);
		for (unsigned i = 0; i < steps / 4; i++)
			(void)io_loop_run(rig.loop, false);
		g_queue_clear_full(&rig.net.to_guest[0], g_free);
		restart(&rig, ALL_NET);
		vdriver_run(rig.d);
	}
	fake_net_make_room(&rig.net, 0);
	post(&rig, RX, 2048, 40);
	g_queue_clear_full(&rig.net.from_guest[0], g_free);
	send_pieces(&rig, TX, NULL, 100, 4096);
	g_assert_cmpuint(used(&rig, TX), ==, 1);
	input(&rig, mac, 100);
	expect(&rig, mac, 100, 1);
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

static const uint64_t layouts[] = {
	0,
	VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX | VIRTIO_F_RING_RESET,
	VIRTIO_F_COMMON & ~VIRTIO_F_RING_PACKED,
	VIRTIO_F_COMMON & ~VIRTIO_F_IN_ORDER,
	VIRTIO_F_COMMON,
};

static void add(const char *name, void (*fn)(const void *layout))
{
	static const char *const names[] = { "split", "split-event", "split-in-order", "packed",
					     "packed-in-order" };

	for (unsigned i = 0; i < ARRAY_SIZE(layouts); i++) {
		g_autofree char *path = g_strdup_printf("/virtio-net/%s/%s", names[i], name);

		/* A long list of pieces needs indirect descriptors or a large ring. */
		g_test_add_data_func(path, &layouts[i], fn);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/virtio-net/refused", test_refused);
	add("offer", test_offer);
	add("dependencies", test_dependencies);
	add("pause", test_pause);
	add("tx", test_tx);
	add("tx-header-lesson-5-8", test_tx_header_lesson_5_8);
	add("tx-lengths-lesson-9", test_tx_lengths_lesson_9);
	add("tx-back-pressure", test_tx_back_pressure);
	add("reentry", test_reentry);
	add("batch", test_batch);
	add("rx-plain", test_rx_plain);
	add("rx-jumbo", test_rx_jumbo);
	add("rx-merge", test_rx_merge);
	add("rx-short-lesson-4-19", test_rx_short_lesson_4_19);
	add("rx-tiny", test_rx_tiny);
	add("rx-pieces", test_rx_pieces);
	add("rx-header", test_rx_header);
	add("filter-modes", test_filter_modes);
	add("filter-tables", test_filter_tables);
	add("vlans", test_vlans);
	add("ctrl-unknown", test_ctrl_unknown);
	add("guest-offloads", test_guest_offloads);
	add("multi-queue", test_multi_queue);
	add("link", test_link);
	add("announce", test_announce);
	add("limits", test_limits);
	add("no-net", test_no_net);
	add("reset", test_reset);
	add("thread", test_thread);
	return g_test_run();
}
