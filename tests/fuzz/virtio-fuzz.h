/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-fuzz.h - a hostile driver for fuzz targets of virtio devices
 *
 * The input is a string of bytes that is read as acts: proper requests, descriptors of any kind,
 * bytes anywhere in the rings, indices that jump, resets, status and configuration writes, time.
 * What is common to all devices is here; a target adds acts of its own. It is checked that
 *
 *  (1) a reset ends, whatever happened before, and leaves nothing behind,
 *  (2) a sane driver that comes after it is served (by the target).
 *
 * The world is made once; each input starts from guest memory that is zero and a reset device. The
 * second check costs as much as a short input, so it is done for a quarter of them.
 */
#ifndef TESTS_FUZZ_VIRTIO_FUZZ_H
#define TESTS_FUZZ_VIRTIO_FUZZ_H

#include <string.h>

#include "base/bytes.h"
#include "tests/lib/virtio-driver.h"

enum {
	VFUZZ_RAM = 2 << 20, /* in two regions that adjoin */
	VFUZZ_BUFFERS = 64,  /* places for buffers, a page each */
	VFUZZ_MAX_ACTS = 400,
	VFUZZ_QUEUE_SIZE = 16,
};

#define VFUZZ_FAR (UINT64_C(4) << 30) /* a third region, of 64 KiB */

/* What is left of the input; zeroes behind its end. */
struct vfuzz_input {
	const uint8_t *p;
	size_t len;
};

struct vfuzz {
	struct vfuzz_input in;
	uint64_t now_ns;
	struct io_loop *loop;
	struct io_idle idle;
	bool halted; /* the only vCPU */
	struct mem *mem;
	struct virtio_device *dev;
	struct vdriver *d;
	uint64_t buffers;
	uint64_t features;                      /* that the driver asks for */
	uint64_t (*allowed)(uint64_t features); /* those of them that go together; NULL: all do */
	bool honest;                            /* nothing hostile since the last restart */
	unsigned restarts;                      /* so many, at least 1 */
};

static inline uint64_t vfuzz_get(struct vfuzz_input *in, unsigned bytes)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < bytes && in->len; i++) {
		v |= (uint64_t)*in->p++ << (i * 8);
		in->len--;
	}
	return v;
}

static inline uint64_t vfuzz_now_ns(void *opaque)
{
	return ((struct vfuzz *)opaque)->now_ns;
}

static inline void vfuzz_init(struct vfuzz *f, enum io_loop_kind kind)
{
	f->now_ns = 1000000000;
	f->loop = io_loop_new_manual(kind, vfuzz_now_ns, f, NULL);
	g_assert_nonnull(f->loop);
	f->idle = IO_IDLE_INITIALIZER;
	f->idle.told = true;
	f->mem = mem_new();
	g_assert_true(mem_add_ram(f->mem, 0, VFUZZ_RAM / 2, NULL) &&
		      mem_add_ram(f->mem, VFUZZ_RAM / 2, VFUZZ_RAM / 2, NULL) &&
		      mem_add_ram(f->mem, VFUZZ_FAR, 64 << 10, NULL));
}

static inline void vfuzz_attach(struct vfuzz *f, struct virtio_device *dev)
{
	f->dev = dev;
	dev->idle = &f->idle;
	f->d = vdriver_new(&(struct vdriver_config){
		.dev = dev,
		.loop = f->loop,
		.mem = f->mem,
		.len = VFUZZ_RAM,
		.queue_size = VFUZZ_QUEUE_SIZE,
		.hold = true,
	});
	f->buffers = (vdriver_alloc(f->d, (VFUZZ_BUFFERS + 1) << 12) + 4095) & ~UINT64_C(4095);
}

/* Run until there is nothing to do, or a driver of another vCPU could go on for ever. */
static inline void vfuzz_run(struct vfuzz *f)
{
	for (unsigned i = 0; i < 64 && io_loop_run(f->loop, false); i++)
		;
}

static inline void vfuzz_halt(struct vfuzz *f, bool on)
{
	if (f->halted != on)
		(on ? io_idle_begin : io_idle_end)(&f->idle);
	f->halted = on;
}

static inline void vfuzz_restart(struct vfuzz *f, uint64_t features)
{
	f->honest = true;
	f->restarts++;
	g_assert_true(vdriver_restart(f->d, f->allowed ? f->allowed(features) : features));
}

static inline void vfuzz_begin(struct vfuzz *f, const uint8_t *data, size_t size)
{
	static const uint64_t bits[] = { VIRTIO_F_RING_PACKED, VIRTIO_F_INDIRECT_DESC,
					 VIRTIO_F_EVENT_IDX, VIRTIO_F_IN_ORDER,
					 VIRTIO_F_RING_RESET };
	uint64_t byte;

	f->in = (struct vfuzz_input){ data, size };
	vfuzz_halt(f, false);
	mem_clear(f->mem);
	byte = vfuzz_get(&f->in, 1);
	f->features = 0;
	for (unsigned i = 0; i < G_N_ELEMENTS(bits); i++)
		f->features |= byte >> i & 1 ? bits[i] : 0;
	/* The device's own: all, or what the input says. */
	f->features |= byte & 0x80 ? vfuzz_get(&f->in, 2) : 0xffffff;
	vfuzz_restart(f, f->features);
}

/* (1); and the driver that comes then waits for what it asks for. */
static inline void vfuzz_reset(struct vfuzz *f)
{
	unsigned rounds = 0;

	vfuzz_halt(f, true);
	virtio_write_status(f->dev, 0);
	while (virtio_read_status(f->dev)) {
		g_assert_cmpuint(rounds++, <, 100000);
		(void)io_loop_run(f->loop, true);
	}
	for (unsigned i = 0; i < f->dev->queue_count; i++)
		g_assert_cmpuint(virtq_in_flight(f->dev->queue[i]), ==, 0);
}

/* Is this an input after which (2) is checked? */
static inline bool vfuzz_checks(size_t size)
{
	return size % 4 == 0;
}

static inline uint64_t vfuzz_addr(struct vfuzz *f)
{
	const unsigned byte = (unsigned)vfuzz_get(&f->in, 1);
	const struct vdriver_queue *q = vdriver_queue(f->d, 0);

	if (byte < 0x80)
		return f->buffers + (uint64_t)(byte % VFUZZ_BUFFERS << 12);
	switch (byte % 16) {
	case 0:
		return VFUZZ_RAM - 64;
	case 1:
		return VFUZZ_RAM;
	case 2:
		return VFUZZ_RAM / 2 - 64;
	case 3:
		return VFUZZ_FAR;
	case 4:
		return VFUZZ_FAR + (64 << 10) - 512;
	case 5:
		return UINT64_MAX - 511;
	case 6:
		return q->desc;
	case 7:
		return q->driver;
	case 8:
		return q->device;
	case 9:
		return q->tables;
	case 10:
		return vfuzz_get(&f->in, 8);
	default:
		return vfuzz_get(&f->in, 3);
	}
}

static inline uint32_t vfuzz_len(struct vfuzz *f)
{
	static const uint32_t lens[] = { 0,       1,       2,        4,         8,    10,   15,
					 16,      17,      20,       32,        64,   511,  512,
					 513,     1024,    4095,     4096,      4097, 8192, 65536,
					 1 << 20, 1 << 21, 1u << 31, UINT32_MAX };
	const unsigned byte = (unsigned)vfuzz_get(&f->in, 1);

	return byte < 0xc0 ? lens[byte % G_N_ELEMENTS(lens)] : (uint32_t)vfuzz_get(&f->in, 3);
}

static inline unsigned vfuzz_queue(struct vfuzz *f)
{
	return (unsigned)(vfuzz_get(&f->in, 1) % f->dev->queue_count);
}

/* Some buffers, as a list that is well-formed. */
static inline void vfuzz_add(struct vfuzz *f, unsigned queue)
{
	struct vdriver_buf bufs[8];
	const unsigned byte = (unsigned)vfuzz_get(&f->in, 1), count = 1 + byte % 8;

	for (unsigned i = 0; i < count; i++)
		bufs[i] = (struct vdriver_buf){ vfuzz_addr(f), vfuzz_len(f), i >= byte >> 4 };
	(void)vdriver_add(f->d, queue, bufs, count, NULL);
	/* Nobody knows whether the device will take these. */
	f->honest = false;
}

static inline void vfuzz_raw(struct vfuzz *f, unsigned queue)
{
	struct vdriver_desc descs[4];
	const unsigned count = 1 + vfuzz_get(&f->in, 1) % G_N_ELEMENTS(descs);

	for (unsigned i = 0; i < count; i++)
		descs[i] = (struct vdriver_desc){
			.addr = vfuzz_addr(f),
			.len = vfuzz_len(f),
			.flags = (uint16_t)(vfuzz_get(&f->in, 1) & 7),
			.next = (uint16_t)vfuzz_get(&f->in, 1),
		};
	vdriver_raw(f->d, queue, descs, count);
}

/* Write into the rings. */
static inline void vfuzz_poke(struct vfuzz *f, unsigned queue)
{
	const struct vdriver_queue *q = vdriver_queue(f->d, queue);
	const unsigned byte = (unsigned)vfuzz_get(&f->in, 1);
	const uint64_t part[] = { q->desc, q->driver, q->device, q->tables };
	const uint64_t gpa = part[byte % 4] + vfuzz_get(&f->in, 2) % 1024;
	const uint64_t value = vfuzz_get(&f->in, 1 + (byte >> 4) % 8);

	memcpy(vdriver_ptr(f->d, gpa, 8), &value, 1 + (byte >> 4) % 8);
}

static inline void vfuzz_write_config(struct vfuzz *f)
{
	static const uint8_t sizes[] = { 1, 2, 4, 8 };
	const unsigned off = (unsigned)vfuzz_get(&f->in, 1) % 80;
	const unsigned size = sizes[vfuzz_get(&f->in, 1) % 4];

	virtio_write_config(f->dev, off, size, vfuzz_get(&f->in, size));
	(void)virtio_read_config(f->dev, off, size);
}

static inline void vfuzz_reset_queue(struct vfuzz *f, unsigned queue)
{
	virtio_reset_queue(f->dev, queue);
	vfuzz_run(f);
	if (!virtio_queue_resetting(f->dev, queue))
		vdriver_setup_queue(f->d, queue);
}

enum {
	VFUZZ_ACTS = 14
};

/* One of the acts that all devices know. */
static inline void vfuzz_act(struct vfuzz *f, unsigned act)
{
	const unsigned queue = vfuzz_queue(f);

	if (act >= 4 && act != 12)
		f->honest = false;
	switch (act) {
	case 0:
		vfuzz_add(f, queue);
		break;
	case 1:
		virtio_kick(f->dev, queue);
		break;
	case 2:
		(void)io_loop_run(f->loop, false);
		break;
	case 3:
		vfuzz_run(f);
		break;
	case 4:
		vfuzz_raw(f, queue);
		break;
	case 5:
		vfuzz_poke(f, queue);
		break;
	case 6:
		if (!(vdriver_features(f->d) & VIRTIO_F_RING_PACKED))
			vdriver_offer(f->d, queue, (uint16_t)vfuzz_get(&f->in, 1),
				      (uint16_t)vfuzz_get(&f->in, 2));
		break;
	case 7:
		virtio_write_status(f->dev, 0);
		break;
	case 8:
		vfuzz_restart(f,
			      f->features ^ (vfuzz_get(&f->in, 1) & 1 ? VIRTIO_F_RING_PACKED : 0));
		break;
	case 9:
		vfuzz_reset_queue(f, queue);
		break;
	case 10:
		vfuzz_write_config(f);
		break;
	case 11:
		virtio_write_status(f->dev, (uint8_t)vfuzz_get(&f->in, 1));
		break;
	case 12:
		f->now_ns += vfuzz_get(&f->in, 4);
		vfuzz_halt(f, f->now_ns & 1);
		break;
	default:
		virtio_kick(f->dev, (unsigned)vfuzz_get(&f->in, 2));
		break;
	}
}

#endif
