/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fake-block.h - an image that a test holds in its hand: linked instead of room block
 *
 * It defines those functions of block.h that a disk uses, so a program that includes it links
 * nothing of the room. It checks the contract of block_submit(), keeps a log of what came, and
 * completes at the end of the loop's round, or when the test says so.
 */
#ifndef TESTS_UNIT_DEV_FAKE_BLOCK_H
#define TESTS_UNIT_DEV_FAKE_BLOCK_H

#include <errno.h>
#include <glib.h>
#include <string.h>

#include "block/block.h"
#include "virtio/virtq.h"

enum {
	FAKE_BLOCK_LOG = 64,
	FAKE_BLOCK_MAX = 1 << 20, /* bytes that really exist, from 0 on */
};

struct block {
	struct block_info info;
	uint8_t *data;
	bool hold;     /* complete nothing by yourself */
	int fail;      /* -errno for what completes ... */
	unsigned pass; /* ... after so many */
	unsigned queues, pending;
	struct block_queue *queue;
	/* What came. */
	struct fake_block_entry {
		enum block_op op;
		unsigned flags;
		uint64_t off, len;
	} log[FAKE_BLOCK_LOG];
	unsigned count, counted[BLOCK_OP_COUNT];
};

struct block_queue {
	struct block *block;
	struct io_loop *loop;
	struct io_work work;
	struct block_request *head, **tail;
};

static inline void fake_block_init(struct block *block, uint64_t size)
{
	*block = (struct block){
		.info = { .size = size,
			  .request_alignment = 512,
			  .physical_block = 4096,
			  .discard_alignment = 4096,
			  .discard = true },
		.data = g_malloc0(FAKE_BLOCK_MAX),
	};
}

static inline void fake_block_release(struct block *block)
{
	g_assert_cmpuint(block->queues, ==, 0);
	g_assert_cmpuint(block->pending, ==, 0);
	g_free(block->data);
}

static inline int fake_block_do(struct block *block, struct block_request *req)
{
	uint64_t off = req->off;

	if (block->fail && block->pass == 0)
		return block->fail;
	if (block->pass)
		block->pass--;
	if (req->op == BLOCK_DISCARD || req->op == BLOCK_WRITE_ZEROES) {
		if (off < FAKE_BLOCK_MAX)
			memset(block->data + off, 0, MIN(req->len, FAKE_BLOCK_MAX - off));
		return 0;
	}
	if (req->op == BLOCK_FLUSH)
		return 0;
	for (unsigned i = 0; i < req->iov_count; i++) {
		const size_t len = req->iov[i].iov_len;

		if (off < FAKE_BLOCK_MAX && len <= FAKE_BLOCK_MAX - off) {
			if (req->op == BLOCK_READ)
				memcpy(req->iov[i].iov_base, block->data + off, len);
			else
				memcpy(block->data + off, req->iov[i].iov_base, len);
		}
		off += len;
	}
	return 0;
}

/* Complete the oldest one. False: there is none. */
static inline bool fake_block_complete(struct block *block)
{
	struct block_queue *queue = block->queue;
	struct block_request *req = queue->head;

	if (!req)
		return false;
	queue->head = req->next;
	if (!queue->head)
		queue->tail = &queue->head;
	block->pending--;
	req->done(req, fake_block_do(block, req));
	return true;
}

static inline void fake_block_work(void *opaque)
{
	struct block_queue *queue = opaque;

	while (!queue->block->hold && fake_block_complete(queue->block))
		;
}

/* From now on they complete again, also those that are there. */
static inline void fake_block_go(struct block *block)
{
	block->hold = false;
	io_loop_post(block->queue->loop, &block->queue->work);
}

static inline void fake_block_check(const struct block *block, const struct block_request *req)
{
	uint64_t sum = 0;

	g_assert_nonnull(req->done);
	if (req->op == BLOCK_FLUSH)
		return;
	g_assert_cmpuint(req->len, >, 0);
	g_assert_cmpuint((req->off | req->len) % block->info.request_alignment, ==, 0);
	g_assert_cmpuint(req->off, <=, block->info.size);
	g_assert_cmpuint(req->len, <=, block->info.size - req->off);
	if (req->op != BLOCK_READ)
		g_assert_false(block->info.read_only);
	if (req->op != BLOCK_READ && req->op != BLOCK_WRITE)
		return;
	g_assert_cmpuint(req->iov_count, <=, VIRTQ_MAX_SIZE);
	for (unsigned i = 0; i < req->iov_count; i++)
		sum += req->iov[i].iov_len;
	g_assert_cmpuint(sum, ==, req->len);
}

void block_submit(struct block_queue *queue, struct block_request *req)
{
	struct block *block = queue->block;

	fake_block_check(block, req);
	block->log[block->count++ % FAKE_BLOCK_LOG] =
		(struct fake_block_entry){ req->op, req->flags, req->off, req->len };
	block->counted[req->op]++;
	block->pending++;
	req->next = NULL;
	*queue->tail = req;
	queue->tail = &req->next;
	io_loop_post(queue->loop, &queue->work);
}

struct block_queue *block_queue_new(struct block *block, struct io_loop *loop, GError **error)
{
	struct block_queue *queue = g_new0(struct block_queue, 1);

	(void)error;
	queue->block = block;
	queue->loop = loop;
	queue->work = (struct io_work){ .fn = fake_block_work, .opaque = queue };
	queue->tail = &queue->head;
	block->queue = queue;
	block->queues++;
	return queue;
}

void block_queue_free(struct block_queue *queue)
{
	if (!queue)
		return;
	g_assert_null(queue->head);
	queue->block->queues--;
	g_free(queue);
}

struct block *block_queue_block(const struct block_queue *queue)
{
	return queue->block;
}

const char *block_node_name(const struct block *block)
{
	(void)block;
	return "fake";
}

void block_info(const struct block *block, struct block_info *ret_info)
{
	*ret_info = block->info;
}

#endif
