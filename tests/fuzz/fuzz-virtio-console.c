/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz-virtio-console.c - a hostile driver before consoles and ports, and a host that is slow
 *
 * Acts of its own: buffers, control messages, output, input, room, sizes. Checked is what
 * virtio-fuzz.h checks.
 */
#include "dev/virtio-console.h"

#include "../unit/dev/fake.h"
#include "virtio-fuzz.h"

enum {
	ACT_POST = VFUZZ_ACTS,
	ACT_SAY,
	ACT_OUTPUT,
	ACT_INPUT,
	ACT_ROOM,
	ACT_SIZE,
	ACT_COUNT,
	PORTS = 2,
};

struct world {
	struct vfuzz f;
	struct fake_clock clock;
	struct fake_chardev chr[PORTS];
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void world_init(struct world *w)
{
	struct virtio_console_port ports[PORTS + 1] = {
		{ .chr = &w->chr[0].chr, .console = true },
		{ .chr = &w->chr[1].chr, .name = "agent" },
		{ .name = "nobody" },
	};
	struct virtio_device *dev;

	vfuzz_init(&w->f, IO_LOOP_THREADS);
	fake_clock_init(&w->clock);
	for (unsigned i = 0; i < PORTS; i++)
		fake_chardev_init(&w->chr[i]);
	dev = virtio_console_new(
		&(struct virtio_console_config){
			.loop = w->f.loop,
			.clock = &w->clock.clock,
			.ports = ports,
			.count = PORTS + 1,
		},
		NULL);
	g_assert_nonnull(dev);
	vfuzz_attach(&w->f, dev);
}

static uint64_t place(struct world *w)
{
	return w->f.buffers + (vfuzz_get(&w->f.in, 1) % VFUZZ_BUFFERS << 12);
}

static void offer(struct world *w, unsigned queue, uint64_t gpa, uint32_t len, bool write)
{
	struct vdriver_buf bufs[2] = { { gpa, len / 2, write },
				       { gpa + len / 2, len - len / 2, write } };

	if (vdriver_add(w->f.d, queue, bufs, 2, NULL))
		virtio_kick(w->f.dev, queue);
}

static void say(struct world *w)
{
	uint64_t gpa = place(w);
	uint8_t *p = vdriver_ptr(w->f.d, gpa, 8);

	memset(p, 0, 8);
	p[0] = (uint8_t)(vfuzz_get(&w->f.in, 1) % (PORTS + 3));
	p[4] = (uint8_t)(vfuzz_get(&w->f.in, 1) % 9);
	p[6] = (uint8_t)vfuzz_get(&w->f.in, 1) & 1;
	offer(w, 3, gpa, 8, false);
}

static void act(struct world *w)
{
	static const char text[256] = "input";
	unsigned byte = (unsigned)vfuzz_get(&w->f.in, 1) % (ACT_COUNT + 4);
	struct fake_chardev *chr;
	unsigned queue;

	switch (byte) {
	case ACT_POST:
	case ACT_COUNT:
		queue = vfuzz_queue(&w->f) & ~1u;
		offer(w, queue, place(w), (uint32_t)vfuzz_get(&w->f.in, 1), true);
		break;
	case ACT_SAY:
	case ACT_COUNT + 1:
		say(w);
		break;
	case ACT_OUTPUT:
	case ACT_COUNT + 2:
		queue = vfuzz_queue(&w->f) | 1;
		offer(w, queue, place(w), (uint32_t)vfuzz_get(&w->f.in, 2), false);
		break;
	case ACT_INPUT:
		chr = &w->chr[vfuzz_get(&w->f.in, 1) % PORTS];
		queue = (unsigned)vfuzz_get(&w->f.in, 1);
		g_assert_cmpuint(fake_chardev_input(chr, text, queue), <=, queue);
		(void)fake_clock_run(&w->clock);
		break;
	case ACT_ROOM:
		chr = &w->chr[vfuzz_get(&w->f.in, 1) % PORTS];
		fake_chardev_make_room(chr, vfuzz_get(&w->f.in, 2));
		g_string_truncate(chr->out, 0);
		break;
	case ACT_SIZE:
		virtio_console_resize(w->f.dev, (unsigned)vfuzz_get(&w->f.in, 1) % 4,
				      (uint16_t)vfuzz_get(&w->f.in, 2), 25);
		break;
	case ACT_COUNT + 3:
		vfuzz_run(&w->f);
		break;
	default:
		vfuzz_act(&w->f, byte);
		break;
	}
}

static void check(struct world *w)
{
	uint64_t gpa = w->f.buffers;
	uint32_t len;
	void *token;

	vfuzz_run(&w->f);
	g_assert_cmpuint(vdriver_request(w->f.d, 1, "hello", 5, NULL, 0), ==, 0);
	g_assert_cmpstr(w->chr[0].out->str, ==, "hello");
	g_assert_true(vdriver_add(w->f.d, 0, &(struct vdriver_buf){ gpa, 64, true }, 1, NULL));
	virtio_kick(w->f.dev, 0);
	vfuzz_run(&w->f);
	(void)fake_clock_run(&w->clock);
	g_assert_cmpuint(fake_chardev_input(&w->chr[0], "there", 5), ==, 5);
	g_assert_true(vdriver_used(w->f.d, 0, &token, &len));
	g_assert_cmpmem(vdriver_ptr(w->f.d, gpa, len), len, "there", 5);
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
	vfuzz_reset(&w->f);
	for (unsigned i = 0; i < PORTS; i++) {
		g_string_truncate(w->chr[i].out, 0);
		fake_chardev_make_room(&w->chr[i], SIZE_MAX);
	}
	if (!vfuzz_checks(size))
		return 0;
	mem_clear(w->f.mem);
	/* One port, as the simplest driver has it. */
	vfuzz_restart(&w->f, w->f.features & ~UINT64_C(0xffffff));
	check(w);
	return 0;
}
