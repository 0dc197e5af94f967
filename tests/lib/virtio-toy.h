/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-toy.h - a virtio device for tests: answers with the bytes that it was given, turned over
 *
 * It answers at once, or holds its chains until the test completes them by toy_complete(), one or
 * any; at a reset it gives them back, or (slow) has I/O under way that ends when the test says so.
 */
#ifndef TESTS_LIB_VIRTIO_TOY_H
#define TESTS_LIB_VIRTIO_TOY_H

#include <glib.h>

#include "virtio/virtio.h"

enum {
	TOY_QUEUES = 2,
	TOY_MAX_HELD = TOY_QUEUES * VIRTQ_MAX_SIZE,
	TOY_CONFIG = 12,
};

struct toy {
	struct virtio_device dev;
	bool hold, slow, busy, refuse, unpop, no_suppression;
	unsigned popped, starts, resets, config_writes;
	int reset_index;
	unsigned last_off, last_size;
	struct {
		struct virtq *vq;
		struct virtq_chain *chain;
	} held[TOY_MAX_HELD];
	unsigned count;
	bool *freed;
};

static inline struct toy *toy_of(struct virtio_device *dev)
{
	return container_of(dev, struct toy, dev);
}

/* Read the whole list, turn it over, write what fits; how much. */
static inline size_t toy_answer(struct virtq_chain *chain)
{
	uint8_t part[256];
	size_t done = 0, len = MIN(chain->in_len, chain->out_len);

	while (done < len) {
		size_t n = iov_copy_out(chain->out, chain->out_count, done, part,
					MIN(sizeof(part), len - done));

		for (size_t i = 0; i < n; i++)
			part[i] ^= 0xff;
		g_assert_cmpuint(iov_copy_in(chain->in, chain->in_count, done, part, n), ==, n);
		done += n;
	}
	return done;
}

/* Pop one, now and then only at the second attempt. */
static inline struct virtq_chain *toy_pop(struct toy *toy, struct virtq *vq)
{
	struct virtq_chain *chain = virtq_pop(vq);

	if (!chain || !toy->unpop || toy->popped % 3)
		return chain;
	virtq_unpop(vq, chain);
	g_assert_true(virtq_pending(vq));
	chain = virtq_pop(vq);
	g_assert_nonnull(chain);
	return chain;
}

static inline void toy_take(struct toy *toy, struct virtq *vq, struct virtq_chain *chain)
{
	toy->popped++;
	g_assert_cmpuint(iov_len(chain->out, chain->out_count), ==, chain->out_len);
	g_assert_cmpuint(iov_len(chain->in, chain->in_count), ==, chain->in_len);
	g_assert_cmpuint(chain->out_count + chain->in_count, <=, VIRTQ_MAX_SIZE);
	if (!toy->hold) {
		virtq_push(vq, chain, toy_answer(chain));
		return;
	}
	g_assert_cmpuint(toy->count, <, TOY_MAX_HELD);
	toy->held[toy->count].vq = vq;
	toy->held[toy->count++].chain = chain;
}

static inline void toy_kick(struct virtio_device *dev, unsigned index)
{
	struct toy *toy = toy_of(dev);
	struct virtq *vq = dev->queue[index];
	struct virtq_chain *chain;

	g_assert_true(virtio_live(dev));
	do {
		if (!toy->no_suppression)
			virtq_notify_off(vq);
		while ((chain = toy_pop(toy, vq)))
			toy_take(toy, vq, chain);
	} while (!toy->no_suppression && virtq_notify_on(vq));
	virtq_flush(vq);
}

/* Complete the held chain @i, as I/O that ends; the caller has the lock. */
static inline void toy_complete_locked(struct toy *toy, unsigned i)
{
	struct virtq *vq = toy->held[i].vq;
	struct virtq_chain *chain = toy->held[i].chain;

	g_assert_cmpuint(i, <, toy->count);
	toy->held[i] = toy->held[--toy->count];
	if (!virtq_live(vq)) {
		virtq_drop(vq, chain);
		return;
	}
	virtq_push(vq, chain, toy_answer(chain));
}

static inline void toy_complete(struct toy *toy, unsigned i)
{
	struct virtq *vq = toy->held[i].vq;

	virtio_lock(&toy->dev);
	toy_complete_locked(toy, i);
	virtq_flush(vq);
	virtio_unlock(&toy->dev);
}

static inline void toy_complete_all(struct toy *toy)
{
	while (toy->count)
		toy_complete(toy, 0);
}

static inline bool toy_features_ok(struct virtio_device *dev, uint64_t features)
{
	(void)features;
	return !toy_of(dev)->refuse;
}

static inline void toy_start(struct virtio_device *dev)
{
	g_assert_true(virtio_live(dev));
	toy_of(dev)->starts++;
}

static inline void toy_reset(struct virtio_device *dev, int index)
{
	struct toy *toy = toy_of(dev);

	toy->resets++;
	toy->reset_index = index;
	for (unsigned i = toy->count; i-- > 0 && !toy->slow;) {
		if (index < 0 || virtq_index(toy->held[i].vq) == (unsigned)index)
			toy_complete_locked(toy, i);
	}
	/* It is not over before this returns. */
	g_assert_true(dev->resetting || (index >= 0 && dev->queues_resetting >> index & 1));
}

static inline bool toy_busy(struct virtio_device *dev)
{
	return toy_of(dev)->busy;
}

static inline void toy_config_written(struct virtio_device *dev, unsigned off, unsigned size)
{
	struct toy *toy = toy_of(dev);

	toy->config_writes++;
	toy->last_off = off;
	toy->last_size = size;
}

static inline void toy_free(struct virtio_device *dev)
{
	struct toy *toy = toy_of(dev);

	g_assert_cmpuint(toy->count, ==, 0);
	if (toy->freed)
		*toy->freed = true;
	virtio_release(dev);
	g_free(toy);
}

static const struct virtio_ops toy_ops = {
	.features_ok = toy_features_ok,
	.start = toy_start,
	.kick = toy_kick,
	.reset = toy_reset,
	.busy = toy_busy,
	.config_written = toy_config_written,
	.free = toy_free,
};

static inline struct toy *toy_new(struct io_loop *loop, unsigned queue_size)
{
	struct toy *toy = g_new0(struct toy, 1);

	virtio_init(&toy->dev, &(struct virtio_config){
				       .ops = &toy_ops,
				       .type = VIRTIO_RNG,
				       .features = VIRTIO_F_COMMON | 1,
				       .loop = loop,
				       .queues = TOY_QUEUES,
				       .queue_size = queue_size,
				       .private_size = 24,
				       .config_len = TOY_CONFIG,
			       });
	for (unsigned i = 0; i < TOY_CONFIG; i++)
		toy->dev.config[i] = (uint8_t)(0x10 + i);
	/* Bytes 4 to 7 may be written. */
	memset(toy->dev.config_writable + 4, 0xff, 4);
	return toy;
}

#endif
