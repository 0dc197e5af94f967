/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-virtio-kicks.c - no request is forgotten, whenever the driver adds it
 *
 * A driver that adds a request while the device looks at the queue tells it only if the device has
 * asked for that; so the device must see it, or have asked. Here the driver adds one between any two
 * steps of the device: before its first call of a virtq function, then before its second ... until it
 * makes no more; and another one a few steps later. The linker puts us between (--wrap). What brings
 * the device to look is a kick in vain, or a request; some doze meanwhile; some have something to say,
 * for which they wait for buffers.
 */
#include <glib/gstdio.h>
#include <string.h>

#include "bus/idle.h"
#include "dev/virtio-balloon.h"
#include "dev/virtio-blk.h"
#include "dev/virtio-console.h"
#include "dev/virtio-net.h"
#include "dev/virtio-rng.h"
#include "dev/virtio-scsi.h"
#include "dev/virtio-vsock.h"
#include "tests/lib/virtio-driver.h"

#include "fake-block.h"
#include "fake-net.h"
#include "fake.h"
#include "virtio-rig.h"

enum {
	IMAGE = 1 << 20,
	MEMORY = 129 << 20,
	CID = 42,
	MANY = 40, /* requests that make a device doze, or more */
	GAPS = 8,  /* steps between two requests, or fewer */
};

static const uint64_t doze_ns = 1000000; /* or less */

#define MRG_RXBUF (UINT64_C(1) << 15)
#define MULTIPORT (UINT64_C(1) << 1)

struct rig {
	const struct side *side;
	uint64_t now_ns;
	struct io_loop *loop;
	struct fake_clock clock;
	struct fake_net net;
	struct fake_chardev chr;
	struct block block;
	struct io_idle idle;
	char *dir, *path;
	struct virtio_device *dev;
	struct vdriver *d;
	struct vdriver_buf bufs[2];
	unsigned count;
	unsigned input; /* bytes that the console did not take yet */
	unsigned asked; /* requests that were not seen used */
};

/* A queue of a device, and what is asked of it. */
struct side {
	const char *name;
	struct virtio_device *(*open)(struct rig *rig, GError **error);
	/* It is to have something to say, for @count requests. */
	void (*feed)(struct rig *rig, unsigned count);
	unsigned queue;
	uint64_t without; /* features */
	bool dozes;
	size_t out_len, in_len;
	uint8_t out[64];
};

/* ---- between two steps ---- */

/* Requests that a driver adds: before the step that is counted down to 1. */
static struct {
	struct rig *rig;
	unsigned left[2];
} adds;

static void add(struct rig *rig)
{
	g_assert_true(vdriver_add(rig->d, rig->side->queue, rig->bufs, rig->count, NULL));
	rig->asked++;
	(void)vdriver_kick(rig->d, rig->side->queue);
}

static void step(void)
{
	for (unsigned i = 0; i < G_N_ELEMENTS(adds.left); i++) {
		if (adds.left[i] && --adds.left[i] == 0)
			add(adds.rig);
	}
}

/* NOLINTBEGIN(bugprone-reserved-identifier): the linker's names */
struct virtq_chain *__real_virtq_pop(struct virtq *vq);
struct virtq_chain *__wrap_virtq_pop(struct virtq *vq);
bool __real_virtq_pending(struct virtq *vq);
bool __wrap_virtq_pending(struct virtq *vq);
bool __real_virtq_notify_on(struct virtq *vq);
bool __wrap_virtq_notify_on(struct virtq *vq);
void __real_virtq_notify_off(struct virtq *vq);
void __wrap_virtq_notify_off(struct virtq *vq);
void __real_virtq_push(struct virtq *vq, struct virtq_chain *chain, size_t written);
void __wrap_virtq_push(struct virtq *vq, struct virtq_chain *chain, size_t written);
void __real_virtq_flush(struct virtq *vq);
void __wrap_virtq_flush(struct virtq *vq);

struct virtq_chain *__wrap_virtq_pop(struct virtq *vq)
{
	step();
	return __real_virtq_pop(vq);
}

bool __wrap_virtq_pending(struct virtq *vq)
{
	step();
	return __real_virtq_pending(vq);
}

bool __wrap_virtq_notify_on(struct virtq *vq)
{
	step();
	return __real_virtq_notify_on(vq);
}

void __wrap_virtq_notify_off(struct virtq *vq)
{
	step();
	__real_virtq_notify_off(vq);
}

void __wrap_virtq_push(struct virtq *vq, struct virtq_chain *chain, size_t written)
{
	step();
	__real_virtq_push(vq, chain, written);
}

void __wrap_virtq_flush(struct virtq *vq)
{
	step();
	__real_virtq_flush(vq);
}
/* NOLINTEND(bugprone-reserved-identifier) */

/* ---- devices ---- */

static struct virtio_device *open_blk(struct rig *rig, GError **error)
{
	return virtio_blk_new(&(struct virtio_blk_config){ .block = &rig->block,
							   .loop = rig->loop,
							   .clock = &rig->clock.clock,
							   .queues = 1 },
			      error);
}

static struct virtio_device *open_scsi(struct rig *rig, GError **error)
{
	rig->block.info.read_only = true;
	return virtio_scsi_new(&(struct virtio_scsi_config){ .block = &rig->block,
							     .loop = rig->loop,
							     .clock = &rig->clock.clock },
			       error);
}

static struct virtio_device *open_net(struct rig *rig, GError **error)
{
	return virtio_net_new(&(struct virtio_net_config){ .net = &rig->net.net,
							   .loop = rig->loop,
							   .clock = &rig->clock.clock,
							   .mac = { 0x52, 0x54 },
							   .queue_pairs = 1 },
			      error);
}

static void feed_net(struct rig *rig, unsigned count)
{
	static const uint8_t frame[60] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

	while (count--)
		fake_net_input(&rig->net, 0, NULL, frame, sizeof(frame));
}

static struct virtio_device *open_rng(struct rig *rig, GError **error)
{
	return virtio_rng_new(&(struct virtio_rng_config){ .loop = rig->loop }, error);
}

static void on_changed(void *opaque, uint64_t actual)
{
	(void)opaque;
	(void)actual;
}

static struct virtio_device *open_balloon(struct rig *rig, GError **error)
{
	return virtio_balloon_new(&(struct virtio_balloon_config){ .loop = rig->loop,
								   .clock = &rig->clock.clock,
								   .memory = MEMORY,
								   .changed = on_changed },
				  error);
}

static struct virtio_device *open_console(struct rig *rig, GError **error)
{
	const struct virtio_console_port port = { .chr = &rig->chr.chr, .console = true };

	return virtio_console_new(
		&(struct virtio_console_config){
			.loop = rig->loop, .clock = &rig->clock.clock, .ports = &port, .count = 1 },
		error);
}

static void feed_console(struct rig *rig, unsigned count)
{
	static const char text[2 * MANY];

	rig->input += count;
	rig->input -= (unsigned)fake_chardev_input(&rig->chr, text, rig->input);
}

/* DEVICE_READY is answered by the one port that there is; PORT_READY by two messages about it. */
static void feed_control(struct rig *rig, unsigned count)
{
	static const uint8_t device_ready[8] = { [6] = 1 }, port_ready[8] = { [4] = 3, [6] = 1 };

	if (count & 1)
		(void)vdriver_request(rig->d, 3, device_ready, sizeof(device_ready), NULL, 0);
	if (count >= 2)
		(void)vdriver_request(rig->d, 3, port_ready, sizeof(port_ready), NULL, 0);
}

static struct virtio_device *open_vsock(struct rig *rig, GError **error)
{
	rig->dir = g_dir_make_tmp("kicks-XXXXXX", error);
	rig->path = g_build_filename(rig->dir, "v", NULL);
	return virtio_vsock_new(
		&(struct virtio_vsock_config){ .loop = rig->loop, .cid = CID, .path = rig->path },
		error);
}

/* Packets to nobody are refused. */
static void feed_vsock(struct rig *rig, unsigned count)
{
	static const uint8_t packet[44] = { CID, [8] = 99, [28] = 1, [30] = 1 };
	const struct vdriver_buf buf = { vdriver_alloc(rig->d, sizeof(packet)), sizeof(packet),
					 false };
	uint32_t len;

	memcpy(vdriver_ptr(rig->d, buf.gpa, sizeof(packet)), packet, sizeof(packet));
	for (unsigned i = 0; i < count; i++)
		g_assert_true(vdriver_add(rig->d, 1, &buf, 1, NULL));
	(void)vdriver_kick(rig->d, 1);
	vdriver_run(rig->d);
	while (vdriver_used(rig->d, 1, NULL, &len))
		continue;
}

static const struct side sides[] = {
	{ .name = "blk", .open = open_blk, .out_len = 16, .in_len = 513 },
	{ .name = "blk-doze", .open = open_blk, .out_len = 16, .in_len = 513, .dozes = true },
	{ .name = "scsi-control", .open = open_scsi, .out_len = 24, .in_len = 1 },
	{ .name = "scsi-command",
	  .open = open_scsi,
	  .queue = 2,
	  .out_len = 51,
	  .in_len = 108,
	  .out = { 1, 0, 0x40 } },
	{ .name = "scsi-read",
	  .open = open_scsi,
	  .queue = 2,
	  .out_len = 51,
	  .in_len = 108 + 2048,
	  .out = { 1, 0, 0x40, [19] = 0x28, [27] = 1 } },
	{ .name = "net-tx", .open = open_net, .queue = 1, .out_len = 64 },
	{ .name = "net-tx-doze", .open = open_net, .queue = 1, .out_len = 64, .dozes = true },
	{ .name = "net-rx",
	  .open = open_net,
	  .feed = feed_net,
	  .in_len = 2048,
	  .without = MRG_RXBUF },
	{ .name = "net-rx-merge", .open = open_net, .feed = feed_net, .in_len = 2048 },
	{ .name = "net-control",
	  .open = open_net,
	  .queue = 2,
	  .out_len = 3,
	  .in_len = 1,
	  .out = { 0, 0, 1 } },
	{ .name = "rng", .open = open_rng, .in_len = 64 },
	{ .name = "balloon-inflate", .open = open_balloon, .out_len = 4, .out = { 0, 0x46 } },
	{ .name = "balloon-deflate",
	  .open = open_balloon,
	  .queue = 1,
	  .out_len = 4,
	  .out = { 0, 0x46 } },
	{ .name = "console-rx",
	  .open = open_console,
	  .feed = feed_console,
	  .in_len = 1,
	  .without = MULTIPORT },
	{ .name = "console-tx",
	  .open = open_console,
	  .queue = 1,
	  .out_len = 3,
	  .without = MULTIPORT },
	{ .name = "console-control-rx",
	  .open = open_console,
	  .feed = feed_control,
	  .queue = 2,
	  .in_len = 16 },
	{ .name = "console-control-tx",
	  .open = open_console,
	  .queue = 3,
	  .out_len = 8,
	  .out = { [4] = 99 } },
	{ .name = "vsock-rx", .open = open_vsock, .feed = feed_vsock, .in_len = 44 },
	{ .name = "vsock-tx", .open = open_vsock, .queue = 1, .out_len = 44 },
};

/* ---- the test ---- */

static void add_part(struct rig *rig, size_t len, bool write)
{
	const uint64_t gpa = vdriver_alloc(rig->d, MAX(len, 1));

	if (len)
		rig->bufs[rig->count++] = (struct vdriver_buf){ gpa, (uint32_t)len, write };
	if (!write)
		memcpy(vdriver_ptr(rig->d, gpa, len), rig->side->out, len);
}

static void rig_open(struct rig *rig, const struct side *side, uint64_t layout)
{
	GError *error = NULL;

	*rig = (struct rig){ .side = side, .now_ns = 1000000000 };
	rig->loop = rig_loop_new(&rig->now_ns);
	fake_clock_init(&rig->clock);
	fake_net_init(&rig->net);
	fake_chardev_init(&rig->chr);
	fake_block_init(&rig->block, IMAGE);
	rig->dev = side->open(rig, &error);
	g_assert_no_error(error);
	if (side->dozes) {
		rig->idle = IO_IDLE_INITIALIZER;
		rig->idle.told = true;
		rig->dev->idle = &rig->idle;
	}
	rig->d = vdriver_new(&(struct vdriver_config){
		.dev = rig->dev,
		.loop = rig->loop,
		.features = (UINT64_C(0xffffff) & ~side->without) | layout,
	});
	vdriver_run(rig->d);
	add_part(rig, side->out_len, false);
	add_part(rig, side->in_len, true);
}

static void rig_close(struct rig *rig)
{
	vdriver_free(rig->d);
	rig->dev->ops->free(rig->dev);
	fake_block_release(&rig->block);
	fake_chardev_release(&rig->chr);
	fake_net_free(&rig->net.net);
	io_loop_free(rig->loop);
	if (rig->dir)
		g_assert_cmpint(g_rmdir(rig->dir), ==, 0);
	g_free(rig->dir);
	g_free(rig->path);
}

/* All that the device does of its own accord, behind a doze too. */
static void settle(struct rig *rig)
{
	vdriver_run(rig->d);
	for (unsigned i = 0; i < 2 && rig->side->dozes; i++) {
		rig->now_ns += doze_ns;
		vdriver_run(rig->d);
	}
	while (fake_clock_run(&rig->clock) && rig->chr.resumed) {
		rig->chr.resumed = 0;
		feed_console(rig, 0);
		vdriver_run(rig->d);
	}
}

static void look_at_used(struct rig *rig)
{
	uint32_t len;

	while (vdriver_used(rig->d, rig->side->queue, NULL, &len))
		rig->asked--;
}

/* It dozes, and what has been asked of it is not done. */
static void fall_asleep(struct rig *rig)
{
	for (unsigned i = 0; i < MANY; i++) {
		add(rig);
		vdriver_run(rig->d);
	}
	look_at_used(rig);
	g_assert_cmpuint(rig->asked, >, 0);
}

/* What makes the device look. */
struct cause {
	bool kick, request;
};

static void look(struct rig *rig, const struct cause *cause)
{
	if (cause->request)
		add(rig);
	if (rig->side->feed)
		rig->side->feed(rig, cause->request ? 3 : 2);
	if (cause->kick)
		virtio_kick(rig->dev, rig->side->queue);
	settle(rig);
}

/* Add a request before step @at, another one @gap later. False: there are no such steps. */
static bool add_at(struct rig *rig, const struct cause *cause, unsigned at, unsigned gap)
{
	bool all;

	if (rig->side->dozes)
		fall_asleep(rig);
	adds.rig = rig;
	adds.left[0] = at;
	adds.left[1] = at + gap;
	look(rig, cause);
	all = !adds.left[0] && !adds.left[1];
	look_at_used(rig);
	if (all && rig->asked)
		g_error("%s: one of what is added before steps %u and %u is not looked at",
			rig->side->name, at, at + gap);
	/* Whoever comes too late takes what was left for him. */
	for (unsigned i = 0; i < G_N_ELEMENTS(adds.left); i++) {
		if (adds.left[i])
			add(rig);
		adds.left[i] = 0;
	}
	settle(rig);
	look_at_used(rig);
	g_assert_cmpuint(rig->asked, ==, 0);
	return all;
}

static void test_side(const void *data)
{
	static const struct cause causes[] = {
		{ .kick = true }, { .kick = true, .request = true }, { .request = true }, { 0 }
	};
	const struct side *side = data;

	for (unsigned i = 0; i < G_N_ELEMENTS(rig_layouts) * G_N_ELEMENTS(causes) * GAPS; i++) {
		const struct cause *cause = &causes[i / GAPS % G_N_ELEMENTS(causes)];
		struct rig rig;
		unsigned at = 1;

		if (!cause->kick && !side->feed)
			continue;
		rig_open(&rig, side, rig_layouts[i / GAPS / G_N_ELEMENTS(causes)].features);
		while (add_at(&rig, cause, at, i % GAPS))
			at++;
		/* We are between them indeed. */
		g_assert_true(i % GAPS || at > 2);
		rig_close(&rig);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	for (unsigned i = 0; i < G_N_ELEMENTS(sides); i++) {
		g_autofree char *path = g_strdup_printf("/dev/virtio-kicks/%s", sides[i].name);

		g_test_add_data_func(path, &sides[i], test_side);
	}
	return g_test_run();
}
