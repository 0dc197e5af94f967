/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz-virtq.c - a driver made of bytes, in front of the queues and the life of a device
 *
 * The first bytes say what is negotiated and where the rings lie; the rest are steps: write guest
 * memory (rings above all), kick, and what the device does meanwhile: complete, flush, unpop, ask
 * for notifications; resets of all kinds. Whatever comes, each list must lie in RAM, be no longer
 * than allowed, and each chain come back exactly once.
 */
#include <stdint.h>
#include <string.h>

#include "base/bytes.h"
#include "tests/lib/virtio-toy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	QUEUE_SIZE = 16,
	/* RAM: two regions side by side, a hole, and one more. */
	REGION = 0x2000,
	BORDER = REGION,
	HOLE = 2 * REGION,
	LAST = 0x10000,
	LAST_LEN = 0x1000,
	DESC = 0x1000,
	DRIVER = 0x1400,
	DEVICE = 0x1800,
	MAX_STEPS = 400,
};

struct fuzz {
	struct io_loop *loop;
	struct mem *mem;
	struct toy *toy;
	struct virtio_transport transport;
	bool packed, avail_wrap;
	unsigned next_avail, queue_size;
	const uint8_t *p;
	size_t left;
};

static uint8_t byte(struct fuzz *f)
{
	if (!f->left)
		return 0;
	f->left--;
	return *f->p++;
}

static uint16_t two(struct fuzz *f)
{
	uint16_t low = byte(f);

	return (uint16_t)(low | byte(f) << 8);
}

/* An address: most often good, or next to where it is not good any more. */
static uint64_t address(struct fuzz *f)
{
	static const uint64_t edges[] = {
		BORDER - 8,
		BORDER,
		HOLE - 16,
		HOLE,
		LAST,
		LAST - 1,
		LAST + LAST_LEN - 8,
		0xfebc0000,
		UINT64_MAX - 7,
		UINT64_MAX - 0xfff,
	};
	uint8_t kind = byte(f);

	if (kind < 0xa0)
		return two(f) % HOLE;
	if (kind < 0xd0)
		return edges[kind % ARRAY_SIZE(edges)] + byte(f) % 16;
	if (kind < 0xf0)
		return DESC + two(f) % 0x300 * 4u;
	return (uint64_t)two(f) << 48 | (uint64_t)two(f) << 16 | two(f);
}

static uint32_t length(struct fuzz *f)
{
	uint8_t kind = byte(f);

	if (kind < 0x80)
		return kind;
	if (kind < 0xc0)
		return (kind - 0x80u) * 16;
	if (kind < 0xf0)
		return two(f);
	return UINT32_MAX - byte(f);
}

static void interrupt(struct virtio_transport *transport, int index)
{
	struct fuzz *f = container_of(transport, struct fuzz, transport);

	g_assert_true(f->toy->dev.status & VIRTIO_STATUS_DRIVER_OK);
	g_assert_false(f->toy->dev.resetting);
	g_assert_cmpint(index, <, TOY_QUEUES);
}

static bool in_ram(const struct fuzz *f, const struct iovec *iov)
{
	const uint8_t *p = iov->iov_base;

	for (unsigned i = 0; i < f->mem->count; i++) {
		const struct mem_region *r = &f->mem->region[i];

		if (p >= r->host && p < r->host + r->size)
			return iov->iov_len && iov->iov_len <= (size_t)(r->host + r->size - p);
	}
	return false;
}

static void check_chain(const struct fuzz *f, const struct virtq_chain *chain)
{
	g_assert_cmpuint(chain->out_count + chain->in_count, <=, VIRTQ_MAX_SIZE);
	for (unsigned i = 0; i < chain->out_count + chain->in_count; i++)
		g_assert_true(in_ram(f, &chain->out[i]));
	g_assert_true(chain->in == chain->out + chain->out_count);
}

static void run(struct fuzz *f)
{
	while (io_loop_run(f->loop, false))
		;
	for (unsigned i = 0; i < f->toy->count; i++)
		check_chain(f, f->toy->held[i].chain);
}

/* The device is done with one: it has written a little, and says anything about how much. */
static void complete(struct fuzz *f)
{
	struct toy *toy = f->toy;
	uint8_t how = byte(f), what = byte(f);
	struct virtq_chain *chain;
	struct virtq *vq;

	if (!toy->count)
		return;
	how = (uint8_t)(how % toy->count);
	vq = toy->held[how].vq;
	chain = toy->held[how].chain;
	toy->held[how] = toy->held[--toy->count];
	virtio_lock(&toy->dev);
	(void)iov_copy_in(chain->in, chain->in_count, what, "written", 7);
	if (!virtq_live(vq) && what & 1)
		virtq_drop(vq, chain);
	else
		virtq_push(vq, chain, what & 2 ? chain->in_len : length(f));
	if (what & 4)
		virtq_flush(vq);
	virtio_unlock(&toy->dev);
}

static void other(struct fuzz *f)
{
	struct virtio_device *dev = &f->toy->dev;
	uint8_t what = byte(f);
	struct virtq *vq = dev->queue[what / 8 % TOY_QUEUES];
	struct virtq_chain *chain;

	virtio_lock(dev);
	switch (what % 8) {
	case 0:
		virtq_flush(vq);
		break;
	case 1:
		chain = virtq_pop(vq);
		if (chain) {
			check_chain(f, chain);
			virtq_unpop(vq, chain);
		}
		break;
	case 2:
		virtq_notify_off(vq);
		break;
	case 3:
		(void)virtq_notify_on(vq);
		break;
	case 4:
		virtio_config_changed(dev);
		break;
	case 5:
		if (what > 0xf0)
			virtq_break(vq);
		break;
	default:
		(void)virtq_pending(vq);
		break;
	}
	virtio_unlock(dev);
}

static void write_memory(struct fuzz *f)
{
	uint64_t gpa = address(f);
	uint8_t bytes[8];
	unsigned len = byte(f) % 8 + 1;

	for (unsigned i = 0; i < len; i++)
		bytes[i] = byte(f);
	(void)mem_write(f->mem, gpa, bytes, len);
}

static void write_desc(struct fuzz *f, uint64_t at, bool own)
{
	uint8_t desc[16];
	uint64_t addr = address(f);
	uint32_t len = length(f);
	uint16_t flags = byte(f) & 7, other = byte(f);

	if (flags & 4 && own) {
		/* A table that is likely to be one. */
		addr &= ~UINT64_C(15);
		len = (len % 8 + 1) * 16;
	}
	put_le64(desc, addr);
	put_le32(desc + 8, len);
	if (f->packed) {
		flags |= f->avail_wrap ? 1 << 7 : 1 << 15;
		put_le16(desc + 12, other);
		put_le16(desc + 14, flags);
	} else {
		put_le16(desc + 12, flags);
		put_le16(desc + 14, other % (QUEUE_SIZE + 1));
	}
	(void)mem_write(f->mem, at, desc, sizeof(desc));
}

/* Offer something as a driver does. */
static void offer(struct fuzz *f)
{
	uint8_t head[2] = { 0 }, index[2];

	if (f->packed) {
		write_desc(f, DESC + f->next_avail * 16u, true);
		if (++f->next_avail >= f->queue_size) {
			f->next_avail = 0;
			f->avail_wrap = !f->avail_wrap;
		}
		return;
	}
	head[0] = byte(f) % (QUEUE_SIZE + 1);
	(void)mem_write(f->mem, DRIVER + 4 + f->next_avail % f->queue_size * 2, head, 2);
	f->next_avail++;
	put_le16(index, (uint16_t)f->next_avail);
	(void)mem_write(f->mem, DRIVER + 2, index, 2);
}

static void set_up_queue(struct fuzz *f, unsigned queue)
{
	uint8_t where = byte(f);
	struct virtq_setup setup = {
		.size = (uint16_t)f->queue_size, .desc = DESC, .driver = DRIVER, .device = DEVICE
	};

	if (where > 0xe0)
		setup.desc = address(f) & ~UINT64_C(15);
	if (where & 1 && where > 0xc0)
		setup.driver = address(f) & ~UINT64_C(3);
	if (where & 2 && where > 0xc0)
		setup.device = address(f) & ~UINT64_C(3);
	virtio_write_queue(&f->toy->dev, queue, &setup);
	virtio_enable_queue(&f->toy->dev, queue);
}

static void start(struct fuzz *f)
{
	struct virtio_device *dev = &f->toy->dev;
	uint8_t features = byte(f), size = byte(f);

	virtio_write_status(dev, 3);
	f->packed = features & 1;
	f->avail_wrap = true;
	f->next_avail = 0;
	f->queue_size = f->packed ? size % QUEUE_SIZE + 1u : 1u << size % 5;
	virtio_write_features(dev, 0,
			      (features & 2 ? (uint32_t)VIRTIO_F_INDIRECT_DESC : 0) |
				      (features & 4 ? (uint32_t)VIRTIO_F_EVENT_IDX : 0));
	virtio_write_features(dev, 1,
			      1 | (f->packed ? 1u << 2 : 0) | (features & 8 ? 1u << 3 : 0) |
				      (features & 16 ? 1u << 8 : 0));
	f->toy->slow = features & 32;
	f->toy->unpop = features & 64;
	virtio_write_status(dev, 0xb);
	set_up_queue(f, 0);
	if (features & 128)
		set_up_queue(f, 1);
	virtio_write_status(dev, 0xf);
}

static void step(struct fuzz *f)
{
	uint8_t what = byte(f);

	switch (what % 16) {
	case 0:
		write_memory(f);
		break;
	case 1:
	case 2:
	case 3:
		write_desc(f, DESC + byte(f) % QUEUE_SIZE * 16u, true);
		break;
	case 4:
		write_desc(f, address(f) & ~UINT64_C(15), false);
		break;
	case 5:
	case 6:
	case 7:
		offer(f);
		break;
	case 8:
	case 9:
		virtio_kick(&f->toy->dev, what / 16 % (TOY_QUEUES + 1));
		run(f);
		break;
	case 10:
	case 11:
		complete(f);
		break;
	case 12:
	case 13:
		other(f);
		break;
	case 14:
		if (what & 0x10)
			virtio_reset_queue(&f->toy->dev, what / 32 % TOY_QUEUES);
		else
			set_up_queue(f, what / 32 % TOY_QUEUES);
		break;
	default:
		virtio_write_status(&f->toy->dev, what & 0x10 ? 0 : what);
		if (what & 0x80)
			start(f);
		break;
	}
}

static void init(struct fuzz *f)
{
	f->loop = io_loop_new_manual(IO_LOOP_THREADS, NULL, NULL, NULL);
	f->mem = mem_new();
	g_assert_true(mem_add_ram(f->mem, 0, REGION, NULL));
	g_assert_true(mem_add_ram(f->mem, BORDER, REGION, NULL));
	g_assert_true(mem_add_ram(f->mem, LAST, LAST_LEN, NULL));
	f->transport.interrupt = interrupt;
	f->toy = toy_new(f->loop, QUEUE_SIZE);
	f->toy->hold = true;
	virtio_attach(&f->toy->dev, f->mem, &f->transport);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct fuzz fuzz;
	struct fuzz *f = &fuzz;

	if (!f->loop)
		init(f);
	for (unsigned i = 0; i < f->mem->count; i++)
		memset(f->mem->region[i].host, 0, f->mem->region[i].size);
	f->p = data;
	f->left = size;
	start(f);
	for (unsigned i = 0; f->left && i < MAX_STEPS; i++)
		step(f);
	/* The device is the same for all inputs: a reset makes it new. */
	run(f);
	virtio_write_status(&f->toy->dev, 0);
	toy_complete_all(f->toy);
	g_assert_cmpuint(virtio_read_status(&f->toy->dev), ==, 0);
	return 0;
}
