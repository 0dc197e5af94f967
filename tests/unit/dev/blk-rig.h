/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * blk-rig.h - a disk on a fake image, with a driver before it
 */
#ifndef TESTS_UNIT_DEV_BLK_RIG_H
#define TESTS_UNIT_DEV_BLK_RIG_H

#include <string.h>

#include "base/bytes.h"
#include "dev/virtio-blk-int.h"
#include "tests/lib/virtio-driver.h"

#include "fake-block.h"
#include "fake.h"
#include "virtio-rig.h"

enum {
	RIG_SIZE = 1 << 20, /* of the image */
	RIG_SECTORS = RIG_SIZE / 512,
	RIG_PIECES = 32,
	RIG_NOT_YET = 0xee, /* in the status byte before it is written */
};

#define RIG_ALL                                                                                \
	(VIRTIO_BLK_F_SEG_MAX | VIRTIO_BLK_F_RO | VIRTIO_BLK_F_BLK_SIZE | VIRTIO_BLK_F_FLUSH | \
	 VIRTIO_BLK_F_TOPOLOGY | VIRTIO_BLK_F_CONFIG_WCE | VIRTIO_BLK_F_MQ |                   \
	 VIRTIO_BLK_F_DISCARD | VIRTIO_BLK_F_WRITE_ZEROES)

static const uint64_t rig_second = 1000000000;

struct rig {
	uint64_t now_ns;
	struct io_loop *loop;
	struct fake_clock clock;
	struct block block;
	struct virtio_blk_config config;
	struct virtio_device *dev;
	struct vdriver *d;
	unsigned errors, shrunk;
	struct disk_error error;
};

static inline void rig_on_error(void *opaque, const struct disk_error *error)
{
	struct rig *rig = opaque;

	rig->errors++;
	rig->error = *error;
}

/* Change rig->config and rig->block, then rig_start(). */
static inline void rig_prepare(struct rig *rig)
{
	*rig = (struct rig){ .now_ns = 5 * rig_second };
	rig->loop = rig_loop_new(&rig->now_ns);
	fake_clock_init(&rig->clock);
	fake_block_init(&rig->block, RIG_SIZE);
	for (unsigned i = 0; i < RIG_SIZE; i++)
		rig->block.data[i] = (uint8_t)(i * 7 + (i >> 9));
	rig->config = (struct virtio_blk_config){
		.block = &rig->block,
		.loop = rig->loop,
		.clock = &rig->clock.clock,
		.serial = "serial-0123",
		.queues = 1,
		.error = rig_on_error,
		.opaque = rig,
	};
}

static inline void rig_start(struct rig *rig, uint64_t features)
{
	GError *error = NULL;

	rig->dev = virtio_blk_new(&rig->config, &error);
	g_assert_no_error(error);
	rig->d = vdriver_new(&(struct vdriver_config){
		.dev = rig->dev, .loop = rig->loop, .features = features });
}

static inline void rig_init(struct rig *rig, uint64_t features)
{
	rig_prepare(rig);
	rig_start(rig, features | RIG_ALL);
}

static inline void rig_release(struct rig *rig)
{
	if (rig->d)
		vdriver_free(rig->d);
	if (rig->dev)
		rig->dev->ops->free(rig->dev);
	fake_block_release(&rig->block);
	io_loop_free(rig->loop);
}

/* A request under way: its buffers lie one behind the other in guest memory. */
struct rig_request {
	uint8_t *out, *in, *status;
	size_t out_len, in_len;
	uint64_t out_gpa, in_gpa;
	uint32_t used; /* as the device told */
	bool done;
};

/* Pieces of @len bytes, cut at the ascending offsets @cuts (0: no more). */
static inline unsigned rig_cut(struct vdriver_buf *bufs, uint64_t gpa, size_t len,
			       const unsigned *cuts, bool write)
{
	size_t at = 0;
	unsigned count = 0;

	for (; cuts && *cuts && *cuts < len; cuts++) {
		bufs[count++] = (struct vdriver_buf){ gpa + at, (uint32_t)(*cuts - at), write };
		at = *cuts;
	}
	if (len > at)
		bufs[count++] = (struct vdriver_buf){ gpa + at, (uint32_t)(len - at), write };
	return count;
}

/* Lay out a request: header and @out_len bytes; @in_len bytes and status. */
static inline void rig_make(struct rig *rig, struct rig_request *req, uint32_t type,
			    uint64_t sector, size_t out_len, size_t in_len)
{
	*req = (struct rig_request){ .out_len = 16 + out_len, .in_len = in_len + 1 };
	req->out_gpa = vdriver_alloc(rig->d, req->out_len);
	req->in_gpa = vdriver_alloc(rig->d, req->in_len);
	req->out = vdriver_ptr(rig->d, req->out_gpa, req->out_len);
	req->in = vdriver_ptr(rig->d, req->in_gpa, req->in_len);
	req->status = req->in + in_len;
	put_le32(req->out, type);
	put_le32(req->out + 4, 0);
	put_le64(req->out + 8, sector);
	memset(req->in, RIG_NOT_YET, req->in_len);
}

static inline void rig_send(struct rig *rig, unsigned queue, struct rig_request *req,
			    const unsigned *out_cuts, const unsigned *in_cuts)
{
	struct vdriver_buf bufs[2 * RIG_PIECES];
	unsigned count;

	count = rig_cut(bufs, req->out_gpa, req->out_len, out_cuts, false);
	count += rig_cut(bufs + count, req->in_gpa, req->in_len, in_cuts, true);
	g_assert_true(vdriver_add(rig->d, queue, bufs, count, req));
	(void)vdriver_kick(rig->d, queue);
}

/* Run the loop, note what came back; how many. */
static inline unsigned rig_run(struct rig *rig)
{
	unsigned count = 0;
	void *token;
	uint32_t used;

	vdriver_run(rig->d);
	for (unsigned queue = 0; queue < rig->dev->queue_count; queue++) {
		while (vdriver_used(rig->d, queue, &token, &used)) {
			struct rig_request *req = token;

			req->done = true;
			req->used = used;
			g_assert_cmpuint(*req->status, !=, RIG_NOT_YET);
			count++;
		}
	}
	return count;
}

/* What the device should tell that it wrote, from the start of what it may write. */
static inline size_t rig_expect_used(const struct rig_request *req)
{
	size_t data = 0;

	/* A read that failed has come to the image, and may have written, or has not. */
	if (get_le32(req->out) == BLK_T_IN && (*req->status == BLK_S_OK || req->used))
		data = req->in_len - 1;
	else if (get_le32(req->out) == BLK_T_GET_ID)
		data = MIN(req->in_len - 1, BLK_ID_LEN);
	return data + 1 == req->in_len ? req->in_len : data;
}

/* Send, run, and what the status is. */
static inline unsigned rig_do(struct rig *rig, struct rig_request *req)
{
	rig_send(rig, 0, req, NULL, NULL);
	g_assert_cmpuint(rig_run(rig), ==, 1);
	g_assert_true(req->done);
	g_assert_cmpuint(req->used, ==, rig_expect_used(req));
	return *req->status;
}

/* A request without data; its status. */
static inline unsigned rig_simple(struct rig *rig, uint32_t type, uint64_t sector, size_t out_len,
				  size_t in_len)
{
	struct rig_request req;

	rig_make(rig, &req, type, sector, out_len, in_len);
	return rig_do(rig, &req);
}

static inline const struct fake_block_entry *rig_last(const struct rig *rig)
{
	g_assert_cmpuint(rig->block.count, >, 0);
	return &rig->block.log[(rig->block.count - 1) % FAKE_BLOCK_LOG];
}

static inline bool rig_broken(struct rig *rig)
{
	return virtio_read_status(rig->dev) & VIRTIO_STATUS_NEEDS_RESET;
}

#endif
