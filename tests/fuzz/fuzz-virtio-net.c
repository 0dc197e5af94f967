/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz-virtio-net.c - a hostile driver before a network card, and a network that sends anything
 *
 * Acts of its own: buffers for frames, frames with any header both ways, commands, a back end that
 * is full, links that go and come, limits, time. Checked beside what virtio-fuzz.h checks: what
 * reaches the back end is a frame with a header that the driver negotiated, and a sane driver that
 * comes afterwards sends and receives.
 */
#include "dev/virtio-net-int.h"

#include "../unit/dev/fake-net.h"
#include "../unit/dev/fake.h"
#include "virtio-fuzz.h"

enum {
	ACT_POST = VFUZZ_ACTS,
	ACT_SEND,
	ACT_CTRL,
	ACT_INPUT,
	ACT_ROOM,
	ACT_LINK,
	ACT_MONITOR,
	ACT_COUNT,
	PAIRS = 2,
	FRAMES = 64, /* of the network, at a time */
};

struct world {
	struct vfuzz f;
	struct fake_clock clock;
	struct fake_net net;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_filter(void *opaque)
{
	struct world *w = opaque;
	struct virtio_net_filter filter;

	virtio_net_filter(w->f.dev, &filter);
	g_assert_cmpuint(filter.unicast_count, <=, VIRTIO_NET_MAX_MACS);
	g_assert_cmpuint(filter.multicast_count, <=, VIRTIO_NET_MAX_MACS);
}

/* What depends on others goes with them. */
static uint64_t allowed(uint64_t features)
{
	const uint64_t host = VIRTIO_NET_F_HOST_TSO4 | VIRTIO_NET_F_HOST_TSO6;
	const uint64_t guest = VIRTIO_NET_F_GUEST_TSO4 | VIRTIO_NET_F_GUEST_TSO6;

	if (!(features & VIRTIO_NET_F_CSUM))
		features &= ~host;
	if (!(features & host))
		features &= ~(uint64_t)VIRTIO_NET_F_HOST_ECN;
	if (!(features & VIRTIO_NET_F_GUEST_CSUM))
		features &= ~guest;
	if (!(features & guest))
		features &= ~(uint64_t)VIRTIO_NET_F_GUEST_ECN;
	if (!(features & VIRTIO_NET_F_CTRL_VQ))
		features &= ~(uint64_t)(VIRTIO_NET_F_CTRL_RX | VIRTIO_NET_F_CTRL_VLAN |
					VIRTIO_NET_F_GUEST_ANNOUNCE | VIRTIO_NET_F_MQ |
					VIRTIO_NET_F_CTRL_MAC_ADDR);
	return features;
}

static void world_init(struct world *w)
{
	struct virtio_device *dev;

	vfuzz_init(&w->f, IO_LOOP_THREADS);
	w->f.allowed = allowed;
	fake_clock_init(&w->clock);
	fake_net_init(&w->net);
	dev = virtio_net_new(
		&(struct virtio_net_config){
			.net = &w->net.net,
			.loop = w->f.loop,
			.clock = &w->clock.clock,
			.mac = { 2, 0, 0, 0, 0, 1 },
			.queue_pairs = PAIRS,
			.filter_changed = on_filter,
			.opaque = w,
		},
		NULL);
	g_assert_nonnull(dev);
	vfuzz_attach(&w->f, dev);
}

static uint64_t place(struct world *w)
{
	return w->f.buffers + (vfuzz_get(&w->f.in, 1) % (VFUZZ_BUFFERS - 4) << 12);
}

static void offer(struct world *w, unsigned queue, uint64_t gpa, uint32_t len, bool write)
{
	struct vdriver_buf bufs[2] = { { gpa, MIN(len, 100), write },
				       { gpa + 100, len - MIN(len, 100), write } };

	if (vdriver_add(w->f.d, queue, bufs, len > 100 ? 2 : 1, NULL))
		virtio_kick(w->f.dev, queue);
}

/* Buffers of a usual kind. */
static void post(struct world *w)
{
	unsigned queue = 2 * ((unsigned)vfuzz_get(&w->f.in, 1) % PAIRS);
	uint32_t len = (uint32_t)vfuzz_get(&w->f.in, 2) % 12000;
	unsigned count = (unsigned)vfuzz_get(&w->f.in, 1) % 16;

	for (unsigned i = 0; i < count; i++)
		offer(w, queue, place(w), len + 1, true);
}

static void send(struct world *w)
{
	unsigned queue = 2 * ((unsigned)vfuzz_get(&w->f.in, 1) % PAIRS) + 1;
	uint64_t gpa = place(w);
	uint8_t *p = vdriver_ptr(w->f.d, gpa, HEADER_LEN);

	for (unsigned i = 0; i < HEADER_LEN; i++)
		p[i] = (uint8_t)vfuzz_get(&w->f.in, 1);
	offer(w, queue, gpa, (uint32_t)vfuzz_get(&w->f.in, 2), false);
}

static void ctrl(struct world *w)
{
	uint64_t gpa = place(w);
	uint8_t *p = vdriver_ptr(w->f.d, gpa, 1024);
	unsigned len = 2 + (unsigned)vfuzz_get(&w->f.in, 1), queue = 2 * PAIRS;
	struct vdriver_buf bufs[2] = { { gpa, len, false }, { gpa + 2048, 1, true } };

	p[0] = (uint8_t)(vfuzz_get(&w->f.in, 1) % 7);
	p[1] = (uint8_t)(vfuzz_get(&w->f.in, 1) % 7);
	for (unsigned i = 2; i < MIN(len, 24); i++)
		p[i] = (uint8_t)vfuzz_get(&w->f.in, 1);
	if (!virtio_has(w->f.dev, VIRTIO_NET_F_MQ))
		queue = 2;
	if (vdriver_add(w->f.d, queue, bufs, 2, NULL))
		virtio_kick(w->f.dev, queue);
}

static void input(struct world *w)
{
	static uint8_t data[NET_MAX_FRAME];
	unsigned queue = (unsigned)vfuzz_get(&w->f.in, 1) % PAIRS;
	size_t len = vfuzz_get(&w->f.in, 3) % (NET_MAX_FRAME + 1);
	struct net_header header = {
		.flags = (uint8_t)vfuzz_get(&w->f.in, 1),
		.gso_type = (uint8_t)vfuzz_get(&w->f.in, 1),
		.num_buffers = 0xffff,
	};

	if (len > 2000 && !(header.flags & 0x10))
		len %= 2000;
	for (unsigned i = 0; i < 18; i++)
		data[i] = (uint8_t)vfuzz_get(&w->f.in, 1);
	header.flags &= 3;
	if (g_queue_get_length(&w->net.to_guest[queue]) < FRAMES)
		fake_net_input(&w->net, queue, &header, data, len);
}

static void monitor(struct world *w)
{
	struct net_limit tx = { .pps = vfuzz_get(&w->f.in, 1) }, rx = { 0 };
	struct virtio_net_stats stats;

	rx.bps = vfuzz_get(&w->f.in, 2);
	virtio_net_announce(w->f.dev);
	virtio_net_stats(w->f.dev, &stats);
	virtio_net_set_limits(w->f.dev, &tx, &rx);
	(void)fake_clock_run(&w->clock);
}

static void act(struct world *w)
{
	unsigned byte = (unsigned)vfuzz_get(&w->f.in, 1) % (ACT_COUNT + 8);

	switch (byte) {
	case ACT_POST:
	case ACT_COUNT:
	case ACT_COUNT + 1:
		post(w);
		break;
	case ACT_SEND:
	case ACT_COUNT + 2:
		send(w);
		break;
	case ACT_CTRL:
	case ACT_COUNT + 3:
		ctrl(w);
		break;
	case ACT_INPUT:
	case ACT_COUNT + 4:
	case ACT_COUNT + 5:
		input(w);
		break;
	case ACT_ROOM:
		w->net.full = !w->net.full;
		if (!w->net.full)
			fake_net_make_room(&w->net, (unsigned)vfuzz_get(&w->f.in, 1) % 4);
		break;
	case ACT_LINK:
		virtio_net_set_link(w->f.dev, vfuzz_get(&w->f.in, 1) & 1);
		w->net.front->link_changed(w->net.opaque, vfuzz_get(&w->f.in, 1) & 3);
		break;
	case ACT_MONITOR:
		monitor(w);
		break;
	case ACT_COUNT + 6:
	case ACT_COUNT + 7:
		vfuzz_run(&w->f);
		break;
	default:
		vfuzz_act(&w->f, byte);
		break;
	}
}

/* What the driver sent is what a back end may be given. */
static void drain(struct world *w)
{
	for (unsigned i = 0; i < NET_MAX_QUEUES; i++) {
		struct fake_frame *frame;

		while ((frame = fake_net_output(&w->net, i))) {
			g_assert_cmpuint(i, <, PAIRS);
			g_assert_cmpuint(frame->len, >=, NET_ETHER_LEN);
			g_assert_cmphex(frame->header.flags & ~1, ==, 0);
			g_assert_cmpuint(frame->header.num_buffers, ==, 0);
			g_assert_true(!frame->header.gso_type == !frame->header.gso_size);
			g_free(frame);
		}
	}
}

/* All is well again on the host's side. */
static void heal(struct world *w)
{
	struct net_limit none = { 0 };

	virtio_net_set_limits(w->f.dev, &none, &none);
	virtio_net_set_link(w->f.dev, true);
	w->net.front->link_changed(w->net.opaque, true);
	for (unsigned i = 0; i < PAIRS; i++) {
		g_queue_clear_full(&w->net.to_guest[i], g_free);
		fake_net_make_room(&w->net, i);
	}
}

static void check(struct world *w)
{
	uint8_t out[HEADER_LEN + 100] = { 0 }, in[HEADER_LEN + 100];
	struct fake_frame *frame;
	uint64_t gpa = w->f.buffers;
	uint32_t len;
	void *token;

	vfuzz_run(&w->f);
	memset(out + HEADER_LEN, 0x66, 100);
	g_assert_cmpuint(vdriver_request(w->f.d, 1, out, sizeof(out), NULL, 0), ==, 0);
	frame = fake_net_output(&w->net, 0);
	g_assert_nonnull(frame);
	g_assert_cmpmem(frame->data, frame->len, out + HEADER_LEN, 100);
	g_free(frame);
	g_assert_true(vdriver_add(w->f.d, 0, &(struct vdriver_buf){ gpa, 2048, true }, 1, NULL));
	virtio_kick(w->f.dev, 0);
	fake_net_input(&w->net, 0, NULL, out + HEADER_LEN, 100);
	vfuzz_run(&w->f);
	g_assert_true(vdriver_used(w->f.d, 0, &token, &len));
	g_assert_cmpuint(len, ==, sizeof(in));
	memcpy(in, vdriver_ptr(w->f.d, gpa, sizeof(in)), sizeof(in));
	g_assert_cmpmem(in + HEADER_LEN, 100, out + HEADER_LEN, 100);
	g_assert_cmpuint(get_le16(in + 10), ==, 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct world world;
	static bool made;
	struct world *w = &world;

	if (!made)
		world_init(w);
	made = true;
	vfuzz_begin(&w->f, data, size);
	for (unsigned i = 0; i < VFUZZ_MAX_ACTS && w->f.in.len; i++)
		act(w);
	vfuzz_run(&w->f);
	drain(w);
	vfuzz_reset(&w->f);
	heal(w);
	if (!vfuzz_checks(size))
		return 0;
	mem_clear(w->f.mem);
	vfuzz_restart(&w->f, w->f.features | 0xffffff);
	check(w);
	return 0;
}
