/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz-virtio-balloon.c - a hostile driver before a balloon, or before the source of entropy
 *
 * Acts of its own: lists of page numbers, statistics, targets, polls, time on the main loop.
 * Checked beside what virtio-fuzz.h checks: a sane driver is served afterwards, and only whole
 * pages that were named are gone.
 */
#include "dev/virtio-balloon.h"
#include "dev/virtio-rng.h"

#include "../unit/dev/fake.h"
#include "virtio-fuzz.h"

enum {
	ACT_PAGES = VFUZZ_ACTS,
	ACT_TARGET,
	ACT_POLL,
	ACT_TIME,
	ACT_COUNT,
	MEMORY = VFUZZ_RAM + (64 << 10),
	WITNESS = 60, /* a buffer that the last check gives back */
};

struct world {
	struct vfuzz f;
	struct fake_clock clock;
	bool balloon;
	unsigned changes;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_changed(void *opaque, uint64_t actual)
{
	struct world *w = opaque;

	g_assert_cmpuint(actual, <=, MEMORY);
	w->changes++;
}

static void world_init(struct world *w, bool balloon)
{
	struct virtio_device *dev;

	*w = (struct world){ .balloon = balloon };
	vfuzz_init(&w->f, IO_LOOP_THREADS);
	fake_clock_init(&w->clock);
	dev = balloon ? virtio_balloon_new(
				&(struct virtio_balloon_config){
					.loop = w->f.loop,
					.clock = &w->clock.clock,
					.memory = MEMORY,
					.deflate_on_oom = true,
					.free_page_reporting = true,
					.changed = on_changed,
					.opaque = w,
				},
				NULL)
		      : virtio_rng_new(&(struct virtio_rng_config){ w->f.loop, 100000 }, NULL);
	g_assert_nonnull(dev);
	vfuzz_attach(&w->f, dev);
}

/* A list of page numbers, or statistics: it is up to the queue. */
static void pages(struct world *w)
{
	struct vfuzz *f = &w->f;
	const unsigned queue = vfuzz_queue(f), count = (unsigned)vfuzz_get(&f->in, 1) % 16;
	const uint64_t gpa = f->buffers + (vfuzz_get(&f->in, 1) % VFUZZ_BUFFERS << 12);
	uint8_t *p = vdriver_ptr(f->d, gpa, 64);

	for (unsigned i = 0; i < count; i++)
		put_le32(p + (size_t)i * 4, (uint32_t)vfuzz_get(&f->in, i % 4 ? 2 : 4));
	if (vdriver_add(f->d, queue, &(struct vdriver_buf){ gpa, count * 4, false }, 1, NULL))
		virtio_kick(f->dev, queue);
	/* The pages may be those of the rings. */
	f->honest = false;
}

static void act(struct world *w)
{
	const unsigned byte = (unsigned)vfuzz_get(&w->f.in, 1) % (ACT_COUNT + 4);

	if (byte < VFUZZ_ACTS) {
		vfuzz_act(&w->f, byte);
		return;
	}
	switch (w->balloon ? byte : (unsigned)ACT_PAGES) {
	case ACT_TARGET:
		virtio_balloon_set_target(w->f.dev, vfuzz_get(&w->f.in, 4));
		break;
	case ACT_POLL:
		virtio_balloon_set_poll(w->f.dev, (unsigned)vfuzz_get(&w->f.in, 1));
		break;
	case ACT_TIME:
		w->clock.monotonic_ns += vfuzz_get(&w->f.in, 4) * 16;
		(void)fake_clock_run(&w->clock);
		break;
	default:
		pages(w);
		break;
	}
}

static void check_balloon(struct world *w)
{
	const uint64_t gpa = w->f.buffers + (WITNESS << 12);
	uint8_t *p = vdriver_ptr(w->f.d, gpa - 1, 4096 + 2), list[4];
	struct balloon_stats stats;

	memset(p, 1, 4096 + 2);
	put_le32(list, (uint32_t)(gpa >> 12));
	g_assert_cmpuint(vdriver_request(w->f.d, 0, list, 4, NULL, 0), ==, 0);
	for (unsigned i = 0; i < 4096; i += 512)
		g_assert_cmpuint(p[1 + i], ==, 0);
	g_assert_true(p[0] && p[4097]);
	virtio_balloon_stats(w->f.dev, &stats);
	g_assert_cmpuint(virtio_balloon_actual(w->f.dev), <=, MEMORY);
}

static void check_rng(struct world *w)
{
	uint8_t random[16];

	w->f.now_ns += UINT64_C(100000000000000);
	g_assert_cmpuint(vdriver_request(w->f.d, 0, NULL, 0, random, sizeof(random)), ==,
			 sizeof(random));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct world worlds[2];
	static bool made;
	struct world *w;

	if (!made) {
		world_init(&worlds[0], false);
		world_init(&worlds[1], true);
		made = true;
	}
	w = &worlds[!(size && data[0] & 0x40)];
	vfuzz_begin(&w->f, data, size);
	for (unsigned i = 0; i < VFUZZ_MAX_ACTS && w->f.in.len; i++)
		act(w);
	vfuzz_reset(&w->f);
	if (!vfuzz_checks(size))
		return 0;
	mem_clear(w->f.mem);
	vfuzz_restart(&w->f, w->f.features);
	if (w->balloon)
		check_balloon(w);
	else
		check_rng(w);
	return 0;
}
