/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-rng.c - entropy from the host (virtio 1.2, 5.4), rate-limited
 *
 * The kernel's generator writes straight into the driver's buffers. One call fills CALL_MAX bytes
 * at most, since other devices share the loop; a buffer that is larger comes back partly filled,
 * as the specification permits. What the limit does not let pass stays in the ring, so there is
 * never anything to give back at a reset.
 */
#include "dev/virtio-rng.h"

#include "base/io-loop.h"
#include "base/rate.h"
#include "base/sys.h"

enum {
	QUEUE_SIZE = 64,
	BUFFER_MAX = 16 << 10, /* bytes into one buffer */
	CALL_MAX = 64 << 10,
};

static const uint64_t retry_ns = 1000000000;

struct virtio_rng {
	struct virtio_device dev;
	struct io_loop *loop;
	struct io_timer timer;

	/* guarded by dev.lock: */
	struct rate rate;
	bool waits; /* for the timer */
};

static struct virtio_rng *rng_of(struct virtio_device *dev)
{
	return container_of(dev, struct virtio_rng, dev);
}

/* Bytes written, or -errno. */
DATA_PATH static ssize_t fill(const struct virtq_chain *chain, size_t max)
{
	size_t done = 0;

	for (unsigned i = 0; i < chain->in_count && done < max; i++) {
		size_t len = chain->in[i].iov_len;
		int err;

		if (len > max - done)
			len = max - done;
		err = sys_random(chain->in[i].iov_base, len);
		if (err < 0)
			return err;
		done += len;
	}
	return (ssize_t)done;
}

/* How much may one buffer get? A tenth of a second's worth, so that the limit is kept evenly. */
DATA_PATH static size_t buffer_max(const struct virtio_rng *rng)
{
	const uint64_t tenth = rng->rate.avg / 10;

	if (!rng->rate.avg || tenth >= BUFFER_MAX)
		return BUFFER_MAX;
	return tenth ? (size_t)tenth : 1;
}

DATA_PATH static bool wait_until(struct virtio_rng *rng, uint64_t deadline_ns)
{
	rng->waits = true;
	io_timer_set(rng->loop, &rng->timer, deadline_ns);
	return false;
}

/* Serve the next buffer, adding to *done. False: there is none, or it has to wait. */
DATA_PATH static bool serve_one(struct virtio_rng *rng, struct virtq *vq, uint64_t now_ns,
				size_t *done)
{
	const uint64_t wait = rng->rate.avg ? rate_wait_ns(&rng->rate, now_ns) : 0;
	struct virtq_chain *chain;
	ssize_t len;

	if (!virtq_pending(vq))
		return false;
	if (wait)
		return wait_until(rng, now_ns + wait);
	chain = virtq_pop(vq);
	if (!chain)
		return false;
	len = fill(chain, buffer_max(rng));
	if (len < 0) {
		virtq_unpop(vq, chain);
		return wait_until(rng, now_ns + retry_ns);
	}
	if (rng->rate.avg)
		rate_take(&rng->rate, now_ns, (uint64_t)len);
	virtq_push(vq, chain, (size_t)len);
	*done += (size_t)len;
	return true;
}

DATA_PATH static void rng_kick(struct virtio_device *dev, unsigned index)
{
	struct virtio_rng *rng = rng_of(dev);
	struct virtq *vq = dev->queue[index];
	const uint64_t now_ns = io_loop_now_ns(rng->loop);
	size_t done = 0;

	rng->waits = false;
	virtq_notify_off(vq);
	for (unsigned i = 0; i < QUEUE_SIZE && done < CALL_MAX; i++) {
		if (!serve_one(rng, vq, now_ns, &done))
			break;
	}
	virtq_flush(vq);
	if (virtq_notify_on(vq) && !rng->waits)
		virtio_kick_self(dev, index);
}

DATA_PATH static void rng_on_timer(void *opaque)
{
	struct virtio_rng *rng = opaque;

	virtio_lock(&rng->dev);
	virtio_kick_self(&rng->dev, 0);
	virtio_unlock(&rng->dev);
}

static void add_timer(void *opaque)
{
	struct virtio_rng *rng = opaque;

	io_timer_add(rng->loop, &rng->timer);
}

static void remove_timer(void *opaque)
{
	struct virtio_rng *rng = opaque;

	io_timer_remove(rng->loop, &rng->timer);
}

static void rng_free(struct virtio_device *dev)
{
	struct virtio_rng *rng = rng_of(dev);

	io_loop_call(rng->loop, remove_timer, rng);
	virtio_release(dev);
	g_free(rng);
}

static const struct virtio_ops rng_ops = { .kick = rng_kick, .free = rng_free };

struct virtio_device *virtio_rng_new(const struct virtio_rng_config *config, GError **error)
{
	struct virtio_rng *rng = g_new0(struct virtio_rng, 1);

	(void)error;
	virtio_init(&rng->dev, &(struct virtio_config){
				       .ops = &rng_ops,
				       .type = VIRTIO_RNG,
				       .features = VIRTIO_F_COMMON,
				       .loop = config->loop,
				       .queues = 1,
				       .queue_size = QUEUE_SIZE,
			       });
	rng->loop = config->loop;
	rng->timer = (struct io_timer){ .fn = rng_on_timer, .opaque = rng };
	rate_set(&rng->rate, config->bps, 0, 1);
	io_loop_call(rng->loop, add_timer, rng);
	return &rng->dev;
}
