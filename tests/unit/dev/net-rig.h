/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * net-rig.h - the network card, by a driver and a back end in the test's hand
 *
 * Each case runs with split rings without extras, split rings with more and more of them, and packed
 * rings.
 */
#ifndef TESTS_UNIT_DEV_NET_RIG_H
#define TESTS_UNIT_DEV_NET_RIG_H

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

static const uint8_t mac[6] = { 0x52, 0x54, 0, 1, 2, 3 };
static const uint8_t other[6] = { 0x52, 0x54, 0, 9, 9, 9 };
static const uint8_t group[6] = { 0x33, 0x33, 0, 0, 0, 1 };
static const uint8_t everybody[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

/* Features that may be there. */
#define ALL_NET UINT64_C(0xffffff)

struct rig {
	struct io_loop *loop;
	struct fake_net net;
	struct fake_clock clock;
	struct virtio_device *dev;
	struct vdriver *d;
	uint64_t now_ns, layout;
	unsigned filter_changes;
};

static inline uint64_t rig_now(void *opaque)
{
	return ((struct rig *)opaque)->now_ns;
}

static inline void rig_on_filter(void *opaque)
{
	((struct rig *)opaque)->filter_changes++;
}

static inline void rig_open(struct rig *rig, const void *layout,
			    const struct virtio_net_config *more, uint64_t features)
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
	config.filter_changed = rig_on_filter;
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

static inline void rig_restart(struct rig *rig, uint64_t features)
{
	g_assert_true(vdriver_restart(rig->d, features | rig->layout));
	vdriver_run(rig->d);
}

static inline void rig_close(struct rig *rig)
{
	vdriver_free(rig->d);
	rig->dev->ops->free(rig->dev);
	g_assert_null(rig->net.front);
	fake_net_free(&rig->net.net);
	io_loop_free(rig->loop);
}

static inline void rig_post(struct rig *rig, unsigned queue, uint32_t len, unsigned count)
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
static inline GByteArray *rig_got(struct rig *rig, unsigned queue, unsigned *ret_buffers)
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

static inline void rig_fill_frame(uint8_t *data, size_t len, const uint8_t *to)
{
	for (size_t i = 0; i < len; i++)
		data[i] = (uint8_t)(i * 7 + i / 251);
	if (len >= 14) {
		memcpy(data, to, 6);
		memcpy(data + 6, other, 6);
		put_be16(data + 12, 0x0800);
	}
}

static inline void rig_input(struct rig *rig, const uint8_t *to, size_t len)
{
	g_autofree uint8_t *data = g_malloc(len + 1);

	rig_fill_frame(data, len, to);
	fake_net_input(&rig->net, 0, NULL, data, len);
	vdriver_run(rig->d);
}

static inline void rig_expect(struct rig *rig, const uint8_t *to, size_t len, unsigned want_buffers)
{
	g_autofree uint8_t *data = g_malloc(len + 1);
	GByteArray *frame;
	unsigned buffers = 0;

	rig_fill_frame(data, len, to);
	frame = rig_got(rig, RX, &buffers);
	assert(frame);
	g_assert_cmpmem(frame->data + HEADER_LEN, frame->len - HEADER_LEN, data, len);
	if (want_buffers)
		g_assert_cmpuint(buffers, ==, want_buffers);
	g_byte_array_unref(frame);
}

static inline void rig_expect_nothing(struct rig *rig)
{
	g_assert_null(rig_got(rig, RX, NULL));
}

static inline struct virtio_net_stats rig_stats(struct rig *rig)
{
	struct virtio_net_stats s;

	virtio_net_stats(rig->dev, &s);
	return s;
}

/* Send a frame behind @header, in pieces of @piece bytes. */
static inline void rig_send(struct rig *rig, unsigned queue, const uint8_t *header, size_t len,
			    uint32_t piece)
{
	uint64_t gpa = vdriver_alloc(rig->d, HEADER_LEN + len + 1);
	uint8_t *p = vdriver_ptr(rig->d, gpa, HEADER_LEN + len + 1);
	struct vdriver_buf bufs[VDRIVER_TABLE];
	unsigned count = 0;

	memset(p, 0, HEADER_LEN);
	if (header)
		memcpy(p, header, HEADER_LEN);
	rig_fill_frame(p + HEADER_LEN, len, other);
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

static inline unsigned rig_used(struct rig *rig, unsigned queue)
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

static inline uint8_t rig_ctrl_at(struct rig *rig, unsigned queue, uint8_t class, uint8_t command,
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

static inline uint8_t rig_ctrl(struct rig *rig, uint8_t class, uint8_t command, const void *data,
			       size_t len)
{
	return rig_ctrl_at(rig, CTRL, class, command, data, len);
}

static inline uint8_t rig_mode(struct rig *rig, uint8_t command, uint8_t on)
{
	return rig_ctrl(rig, 0, command, &on, 1);
}

static const uint64_t rig_layouts[] = {
	0,
	VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX | VIRTIO_F_RING_RESET,
	VIRTIO_F_COMMON & ~VIRTIO_F_RING_PACKED,
	VIRTIO_F_COMMON & ~VIRTIO_F_IN_ORDER,
	VIRTIO_F_COMMON,
};

static inline void rig_add(const char *name, void (*fn)(const void *layout))
{
	static const char *const names[] = { "split", "split-event", "split-in-order", "packed",
					     "packed-in-order" };

	for (unsigned i = 0; i < ARRAY_SIZE(rig_layouts); i++) {
		g_autofree char *path = g_strdup_printf("/virtio-net/%s/%s", names[i], name);

		/* A long list of pieces needs indirect descriptors or a large ring. */
		g_test_add_data_func(path, &rig_layouts[i], fn);
	}
}

#endif
