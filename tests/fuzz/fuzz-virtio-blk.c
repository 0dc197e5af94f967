/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz-virtio-blk.c - a hostile driver before a disk, over nothing and over a small raw file
 *
 * Acts of its own: requests that are nearly right, limits, a retry, another size, another image, and
 * (over the file) system calls that fail. Beside what virtio-fuzz.h checks: a request of a sane driver comes
 * back with a status that is one, and a read after all that is served.
 */
#include <errno.h>
#include <unistd.h>

#include "base/sys.h"
#include "dev/virtio-blk.h"

#include "../unit/dev/fake.h"
#include "virtio-fuzz.h"

enum {
	SIZE = 1 << 20,
	HEADER = 16,
	QUEUES = 2,
	SLOT_LEN = 16384,
	SLOTS = VFUZZ_BUFFERS * 4096 / SLOT_LEN,
	NOT_YET = 0xee
};

enum {
	ACT_REQUEST = VFUZZ_ACTS,
	ACT_LIMITS,
	ACT_RETRY,
	ACT_RESIZE,
	ACT_FAIL,
	ACT_SWAP,
	ACT_COUNT,
};

/* Memory of one request at a time. */
struct slot {
	uint8_t *status;
	unsigned busy; /* vfuzz.restarts when it was given to the device; 0: it is free */
};

struct world {
	struct vfuzz f;
	struct fake_clock clock;
	struct block *block, *spare;
	bool file, swaps;
	unsigned stops, next;
	struct slot slots[SLOTS];
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_error(void *opaque, const struct disk_error *error)
{
	struct world *w = opaque;

	g_assert_cmpint(error->err, <, 0);
	w->stops += error->action == DISK_ERROR_STOP;
}

static struct block *open_block(bool file)
{
	struct block_open open = { .node_name = "fuzz", .format = "null", .null_size = SIZE };
	char path[] = "/tmp/fuzz-virtio-blk-XXXXXX";
	struct block *block;
	int fd;

	if (!file)
		return block_open(&open, NULL);
	fd = g_mkstemp(path);
	g_assert_cmpint(fd, >=, 0);
	g_assert_cmpint(sys_ftruncate(fd, SIZE), ==, 0);
	(void)close(fd);
	open.path = path;
	open.format = "raw";
	open.no_flush = true;
	block = block_open(&open, NULL);
	(void)sys_unlink(path);
	return block;
}

static void world_init(struct world *w, bool file)
{
	struct virtio_device *dev;

	*w = (struct world){ .file = file };
	/* System calls fail on demand in worker threads only. */
	vfuzz_init(&w->f, file ? IO_LOOP_THREADS : IO_LOOP_AUTO);
	fake_clock_init(&w->clock);
	w->block = open_block(file);
	w->spare = open_block(file);
	g_assert_true(w->block && w->spare);
	dev = virtio_blk_new(
		&(struct virtio_blk_config){
			.block = w->block,
			.loop = w->f.loop,
			.clock = &w->clock.clock,
			.serial = "fuzz",
			.queues = QUEUES,
			.queue_size = VFUZZ_QUEUE_SIZE,
			.read_error = DISK_ERROR_STOP,
			.write_error = DISK_ERROR_ENOSPC,
			.error = on_error,
			.opaque = w,
		},
		NULL);
	g_assert_nonnull(dev);
	vfuzz_attach(&w->f, dev);
}

/* A header, data and a status byte that are as they should be, but for what the input says. */
static void request(struct world *w)
{
	static const uint32_t types[] = { 0, 1, 4, 8, 11, 13, 0, 1 };
	struct vfuzz *f = &w->f;
	const unsigned queue = (unsigned)vfuzz_get(&f->in, 1) % QUEUES;
	const unsigned byte = (unsigned)vfuzz_get(&f->in, 1);
	const uint32_t type = byte & 0x80 ? (uint32_t)vfuzz_get(&f->in, 1) : types[byte % 8];
	const uint64_t sector = vfuzz_get(&f->in, byte & 0x40 ? 8 : 2);
	const unsigned number = w->next++ % SLOTS;
	const uint64_t gpa = f->buffers + (uint64_t)number * SLOT_LEN;
	const uint32_t len = byte & 0x20 ? vfuzz_len(f) % 16000 : 4096;
	uint8_t *p = vdriver_ptr(f->d, gpa, SLOT_LEN);
	struct slot *slot = &w->slots[number];
	const bool in = type == 0 || type == 8;

	if (slot->busy == f->restarts)
		return;
	put_le32(p, type);
	put_le64(p + 8, sector);
	p[HEADER] = NOT_YET;
	/* Ranges, if it is a request with ranges. */
	for (unsigned i = 0; i < 2; i++) {
		put_le64(p + 64 + i * 16, vfuzz_get(&f->in, 2));
		put_le32(p + 72 + i * 16, (uint32_t)vfuzz_get(&f->in, 2));
		put_le32(p + 76 + i * 16, (uint32_t)vfuzz_get(&f->in, 1) & 3);
	}
	if (vdriver_add(
		    f->d, queue,
		    (struct vdriver_buf[]){ { gpa, HEADER, false },
					    { gpa + 64, type == 11 || type == 13 ? 32 : len, in },
					    { gpa + HEADER, 1, true } },
		    3, slot)) {
		*slot = (struct slot){ p + HEADER, f->restarts };
		(void)vdriver_kick(f->d, queue);
	}
}

static void limits(struct world *w)
{
	struct disk_limits limits = { 0 };
	struct vfuzz *f = &w->f;
	const unsigned byte = (unsigned)vfuzz_get(&f->in, 1);
	const unsigned kind = byte % DISK_LIMIT_COUNT;

	limits.limit[kind].avg = vfuzz_get(&f->in, 3);
	if (byte & 0x80)
		limits.limit[kind].max = limits.limit[kind].avg + vfuzz_get(&f->in, 2);
	if (disk_limits_check(&limits, NULL))
		virtio_blk_set_limits(f->dev, &limits);
}

static void resize(struct world *w)
{
	const uint64_t size = (vfuzz_get(&w->f.in, 1) + 1) * 4096;

	/* Its queues have to be idle, and its image its own. */
	vfuzz_reset(&w->f);
	(void)fake_clock_run(&w->clock);
	if (block_resize(w->block, size, NULL))
		virtio_blk_resized(w->f.dev);
	vfuzz_restart(&w->f, w->f.features);
}

static void on_swapped(void *opaque, bool done)
{
	struct world *w = opaque;
	struct block *block = w->block;

	g_assert_true(done && w->swaps);
	w->swaps = false;
	w->block = w->spare;
	w->spare = block;
}

static void swap(struct world *w)
{
	g_assert_true(virtio_blk_swap(w->f.dev, w->spare, on_swapped, w, NULL) == !w->swaps);
	w->swaps = true;
	if (vfuzz_get(&w->f.in, 1) & 1)
		(void)fake_clock_run(&w->clock);
}

static void fail(struct world *w)
{
	static const int errs[] = { EIO, ENOSPC, SYS_SHORT };
	const unsigned byte = (unsigned)vfuzz_get(&w->f.in, 1);

	if (w->file)
		sys_fail_nth(byte & 0x80 ? SYS_PREADV : SYS_PWRITEV, 1 + byte % 4,
			     errs[(byte >> 4) % 3]);
}

static void act(struct world *w)
{
	const unsigned byte = (unsigned)vfuzz_get(&w->f.in, 1) % (ACT_COUNT + 5);

	switch (byte) {
	case ACT_LIMITS:
		limits(w);
		break;
	case ACT_RETRY:
		(void)fake_clock_run(&w->clock);
		virtio_blk_retry(w->f.dev);
		break;
	case ACT_RESIZE:
		resize(w);
		break;
	case ACT_FAIL:
		fail(w);
		break;
	case ACT_SWAP:
		swap(w);
		break;
	default:
		if (byte >= ACT_REQUEST)
			request(w);
		else
			vfuzz_act(&w->f, byte);
		break;
	}
}

/* What came back of honest requests has a status. */
static void check_used(struct world *w)
{
	struct slot *slot;
	void *token;
	uint32_t len;

	if (!w->f.honest)
		return;
	for (unsigned queue = 0; queue < QUEUES; queue++) {
		while (vdriver_used(w->f.d, queue, &token, &len)) {
			g_assert_cmpuint(len, <=, 16001);
			slot = token;
			if (!slot)
				continue;
			g_assert_cmpuint(*slot->status, <=, 2);
			slot->busy = 0;
		}
	}
}

/* After all that, the disk serves a driver that behaves. */
static void check_serves(struct world *w)
{
	uint8_t header[HEADER] = { 0 }, in[513];

	mem_clear(w->f.mem);
	vfuzz_restart(&w->f, w->f.features);
	in[512] = NOT_YET;
	g_assert_cmpuint(vdriver_request(w->f.d, 1, header, HEADER, in, sizeof(in)), ==,
			 sizeof(in));
	g_assert_cmpuint(in[512], ==, 0);
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
	w = &worlds[size && data[0] & 0x40];
	w->next = 0;
	vfuzz_begin(&w->f, data, size);
	for (unsigned i = 0; i < VFUZZ_MAX_ACTS && w->f.in.len; i++) {
		act(w);
		check_used(w);
	}
	sys_fail_nth(SYS_PREADV, 0, 0);
	sys_fail_nth(SYS_PWRITEV, 0, 0);
	vfuzz_reset(&w->f);
	virtio_blk_set_limits(w->f.dev, &(struct disk_limits){ 0 });
	(void)fake_clock_run(&w->clock);
	g_assert_false(w->swaps);
	if (vfuzz_checks(size))
		check_serves(w);
	return 0;
}
