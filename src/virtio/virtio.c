/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio.c - what all virtio devices have in common: status, features, configuration, queues
 *
 * Source: virtio 1.2, chapters 2 and 3.
 *
 * A reset has three parts. begin_reset() stops all queues, so that no chain is live any more, and
 * lets the device give back what it can. The last chain that comes back, perhaps within the first
 * part, leads to finish_reset(), which makes everything new and the status 0. In between the device
 * is RESETTING: it ignores the driver, sends no interrupts, and its status stays what it was. The
 * reset of one queue is the same on a smaller scale.
 */
#include "virtio/virtio.h"

#include <assert.h>
#include <string.h>

#include "base/sys.h"
#include "virtio/virtq-int.h"

enum {
	STATUS_ALL = VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER | VIRTIO_STATUS_DRIVER_OK |
		     VIRTIO_STATUS_FEATURES_OK | VIRTIO_STATUS_FAILED,
};

static void serve_kicks(void *opaque);

static void tell_quiet(struct virtio_device *dev)
{
	if (dev->quiet)
		dev->quiet(dev->quiet_opaque);
}

/* virtio_try_reset() may have more luck now. */
static void tell_reset(struct virtio_device *dev)
{
	if (dev->reset_awaited)
		tell_quiet(dev);
	dev->reset_awaited = false;
}

static void answer(void *opaque)
{
	struct virtio_device *dev = opaque;

	virtio_lock(dev);
	dev->answered = true;
	pthread_cond_broadcast(&dev->reset_done);
	if (!dev->resetting)
		tell_reset(dev);
	virtio_unlock(dev);
}

static void nothing(void *opaque)
{
	(void)opaque;
}

/*
 * All calls that were posted before have returned. A second round, because in the first one ours
 * may have been called before the others. A loop that calls itself current is a manual one: we
 * are its thread.
 */
static void loop_sync(struct io_loop *loop)
{
	for (int i = 0; i < 2; i++) {
		if (io_loop_is_current(loop))
			(void)io_loop_run(loop, false);
		else
			io_loop_call(loop, nothing, NULL);
	}
}

void virtio_init(struct virtio_device *dev, const struct virtio_config *config)
{
	assert(config->queues <= VIRTIO_MAX_QUEUES && config->config_len <= VIRTIO_MAX_CONFIG);
	*dev = (struct virtio_device){
		.ops = config->ops,
		.type = config->type,
		.loop = config->loop,
		.offered = config->features,
		.queue_count = config->queues,
		.kick_work = { .fn = serve_kicks, .opaque = dev },
		.answer_work = { .fn = answer, .opaque = dev },
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.reset_done = PTHREAD_COND_INITIALIZER,
		.config_len = config->config_len,
	};
	for (unsigned i = 0; i < config->queues; i++)
		dev->queue[i] = virtq_new(dev, i, config->queue_size, config->private_size);
}

void virtio_release(struct virtio_device *dev)
{
	/* A timer that is gone, or a notification that was late, may have posted a kick. */
	loop_sync(dev->loop);
	for (unsigned i = 0; i < dev->queue_count; i++)
		virtq_free(dev->queue[i]);
	dev->queue_count = 0;
	pthread_cond_destroy(&dev->reset_done);
	pthread_mutex_destroy(&dev->lock);
}

DATA_PATH bool virtio_live(const struct virtio_device *dev)
{
	unsigned mask = VIRTIO_STATUS_DRIVER_OK | VIRTIO_STATUS_NEEDS_RESET | VIRTIO_STATUS_FAILED;

	return (dev->status & mask) == VIRTIO_STATUS_DRIVER_OK && !dev->resetting;
}

/* ---- interrupts ---- */

DATA_PATH static void interrupt(struct virtio_device *dev, int index)
{
	if (dev->transport && dev->status & VIRTIO_STATUS_DRIVER_OK && !dev->resetting)
		dev->transport->interrupt(dev->transport, index);
}

DATA_PATH void virtio_interrupt(struct virtio_device *dev, unsigned queue)
{
	interrupt(dev, (int)queue);
}

void virtio_config_changed(struct virtio_device *dev)
{
	dev->generation++;
	interrupt(dev, -1);
}

void virtio_needs_reset(struct virtio_device *dev)
{
	if (dev->resetting || dev->status & VIRTIO_STATUS_NEEDS_RESET)
		return;
	dev->status |= VIRTIO_STATUS_NEEDS_RESET;
	interrupt(dev, -1);
}

/* ---- kicks ---- */

DATA_PATH static void serve_kicks(void *opaque)
{
	struct virtio_device *dev = opaque;
	uint64_t bits = atomic_exchange(&dev->kicks, 0);

	virtio_lock(dev);
	while (bits) {
		unsigned i = (unsigned)__builtin_ctzll(bits);

		bits &= bits - 1;
		/* virtio_resume() kicks all. */
		if (virtio_live(dev) && !dev->paused && virtq_ready(dev->queue[i]))
			dev->ops->kick(dev, i);
	}
	virtio_unlock(dev);
}

DATA_PATH void virtio_kick(struct virtio_device *dev, unsigned index)
{
	uint64_t bit;

	if (index >= dev->queue_count)
		return;
	bit = UINT64_C(1) << index;
	/* Who set a bit that is still there has posted, or is about to. */
	if (!(atomic_fetch_or(&dev->kicks, bit) & bit))
		io_loop_post(dev->loop, &dev->kick_work);
}

void virtio_kick_self(struct virtio_device *dev, unsigned index)
{
	virtio_kick(dev, index);
}

/* ---- pause ---- */

static void kick_ready(struct virtio_device *dev)
{
	for (unsigned i = 0; i < dev->queue_count; i++) {
		if (virtq_ready(dev->queue[i]))
			virtio_kick(dev, i);
	}
}

void virtio_on_quiet(struct virtio_device *dev, void (*quiet)(void *opaque), void *opaque)
{
	virtio_lock(dev);
	dev->quiet = quiet;
	dev->quiet_opaque = opaque;
	virtio_unlock(dev);
}

void virtio_pause(struct virtio_device *dev)
{
	/* A kick that is being served holds the lock, and is the last one. */
	virtio_lock(dev);
	dev->paused = true;
	virtio_unlock(dev);
}

void virtio_resume(struct virtio_device *dev)
{
	virtio_lock(dev);
	dev->paused = false;
	if (virtio_live(dev))
		kick_ready(dev);
	virtio_unlock(dev);
}

bool virtio_is_quiet(struct virtio_device *dev)
{
	bool quiet;

	virtio_lock(dev);
	quiet = dev->paused && (!dev->ops->busy || !dev->ops->busy(dev));
	virtio_unlock(dev);
	return quiet;
}

void virtio_idle(struct virtio_device *dev)
{
	if (dev->paused)
		tell_quiet(dev);
}

/* ---- reset ---- */

static void finish_reset(struct virtio_device *dev)
{
	for (unsigned i = 0; i < dev->queue_count; i++)
		virtq_clear(dev->queue[i]);
	dev->status = 0;
	dev->features = dev->driver_features = 0;
	dev->alien_windows = 0;
	dev->queues_resetting = 0;
	dev->resetting = false;
	pthread_cond_broadcast(&dev->reset_done);
	tell_reset(dev);
}

static void finish_queue_reset(struct virtio_device *dev, unsigned index)
{
	virtq_clear(dev->queue[index]);
	dev->queues_resetting &= ~(UINT64_C(1) << index);
}

void virtio_chain_returned(struct virtio_device *dev, unsigned queue)
{
	if (dev->giving_back)
		return;
	if (!dev->resetting) {
		if (dev->queues_resetting >> queue & 1 && !virtq_in_flight(dev->queue[queue]))
			finish_queue_reset(dev, queue);
		return;
	}
	for (unsigned i = 0; i < dev->queue_count; i++) {
		if (virtq_in_flight(dev->queue[i]))
			return;
	}
	finish_reset(dev);
}

static void give_back(struct virtio_device *dev, int index)
{
	if (!dev->ops->reset)
		return;
	dev->giving_back = true;
	dev->ops->reset(dev, index);
	dev->giving_back = false;
}

static void begin_reset(struct virtio_device *dev)
{
	if (dev->resetting)
		return;
	dev->resetting = true;
	for (unsigned i = 0; i < dev->queue_count; i++)
		virtq_stop(dev->queue[i]);
	give_back(dev, -1);
	/* It may have been the last, or there was none. */
	virtio_chain_returned(dev, 0);
}

static void begin_queue_reset(struct virtio_device *dev, unsigned index)
{
	struct virtq_setup setup;

	if (index >= dev->queue_count || dev->resetting || dev->queues_resetting >> index & 1)
		return;
	virtq_get_setup(dev->queue[index], &setup);
	if (!setup.enabled)
		return;
	dev->queues_resetting |= UINT64_C(1) << index;
	virtq_stop(dev->queue[index]);
	give_back(dev, (int)index);
	virtio_chain_returned(dev, index);
}

void virtio_disable_queue(struct virtio_device *dev, unsigned index)
{
	virtio_lock(dev);
	begin_queue_reset(dev, index);
	virtio_unlock(dev);
}

void virtio_reset_queue(struct virtio_device *dev, unsigned index)
{
	virtio_lock(dev);
	if (virtio_has(dev, VIRTIO_F_RING_RESET))
		begin_queue_reset(dev, index);
	virtio_unlock(dev);
}

bool virtio_queue_resetting(struct virtio_device *dev, unsigned index)
{
	bool resetting;

	virtio_lock(dev);
	resetting = index < dev->queue_count && dev->queues_resetting >> index & 1;
	virtio_unlock(dev);
	return resetting;
}

void virtio_reset(struct virtio_device *dev)
{
	bool manual = io_loop_is_current(dev->loop);

	virtio_lock(dev);
	begin_reset(dev);
	while (dev->resetting) {
		if (!manual) {
			pthread_cond_wait(&dev->reset_done, &dev->lock);
			continue;
		}
		virtio_unlock(dev);
		(void)io_loop_run(dev->loop, true);
		virtio_lock(dev);
	}
	virtio_unlock(dev);
	loop_sync(dev->loop);
}

void virtio_begin_reset(struct virtio_device *dev)
{
	virtio_lock(dev);
	begin_reset(dev);
	dev->answered = false;
	dev->reset_awaited = false;
	io_loop_post(dev->loop, &dev->answer_work);
	virtio_unlock(dev);
}

/* Wait for the loop's answer, and, if @io, for what is under way. */
static bool wait_reset(struct virtio_device *dev, bool io, uint64_t deadline_ns)
{
	const struct timespec deadline = {
		.tv_sec = (time_t)(deadline_ns / 1000000000),
		.tv_nsec = (long)(deadline_ns % 1000000000),
	};
	bool manual = io_loop_is_current(dev->loop);
	int err = 0;

	if (manual) {
		virtio_unlock(dev);
		(void)io_loop_run(dev->loop, false);
		virtio_lock(dev);
	}
	while (!manual && !err && (dev->resetting ? io : !dev->answered))
		err = pthread_cond_clockwait(&dev->reset_done, &dev->lock, CLOCK_MONOTONIC,
					     &deadline);
	return !dev->resetting && dev->answered;
}

bool virtio_try_reset(struct virtio_device *dev, uint64_t deadline_ns)
{
	bool done;

	virtio_lock(dev);
	done = wait_reset(dev, false, deadline_ns);
	dev->reset_awaited = !done;
	virtio_unlock(dev);
	return done;
}

bool virtio_reset_until(struct virtio_device *dev, uint64_t deadline_ns)
{
	bool done;

	virtio_lock(dev);
	done = wait_reset(dev, true, deadline_ns);
	virtio_unlock(dev);
	return done;
}

/* ---- transports ---- */

void virtio_attach(struct virtio_device *dev, struct mem *mem, struct virtio_transport *transport)
{
	virtio_lock(dev);
	dev->mem = mem;
	dev->transport = transport;
	virtio_unlock(dev);
}

void virtio_detach(struct virtio_device *dev)
{
	virtio_reset(dev);
	virtio_lock(dev);
	dev->transport = NULL;
	virtio_unlock(dev);
}

/* A 32-bit window of 64 features; there are none above. */
static uint32_t window(uint64_t features, uint32_t select)
{
	return select < 2 ? (uint32_t)(features >> (select * 32)) : 0;
}

uint32_t virtio_read_features(struct virtio_device *dev, uint32_t select)
{
	return window(dev->offered, select);
}

uint32_t virtio_read_driver_features(struct virtio_device *dev, uint32_t select)
{
	uint32_t value;

	virtio_lock(dev);
	value = window(dev->driver_features, select);
	virtio_unlock(dev);
	return value;
}

/*
 * A bit for a window in which nothing is offered. The specification has four windows; those from 64
 * on share a bit, which cannot be taken back before the reset.
 */
static uint64_t alien_window(uint32_t select)
{
	return select < 64 ? UINT64_C(1) << select : 1;
}

void virtio_write_features(struct virtio_device *dev, uint32_t select, uint32_t value)
{
	virtio_lock(dev);
	if (dev->resetting || dev->status & VIRTIO_STATUS_FEATURES_OK) {
		/* They stand. */
	} else if (select < 2) {
		dev->driver_features &= ~((uint64_t)UINT32_MAX << (select * 32));
		dev->driver_features |= (uint64_t)value << (select * 32);
	} else if (value) {
		dev->alien_windows |= alien_window(select);
	} else if (select < 64) {
		dev->alien_windows &= ~alien_window(select);
	}
	virtio_unlock(dev);
}

uint8_t virtio_read_status(struct virtio_device *dev)
{
	uint8_t status;

	virtio_lock(dev);
	status = dev->status;
	virtio_unlock(dev);
	return status;
}

/* A driver that takes what was not offered must learn that it is not understood (2.2.2, 3.1.1). */
static bool features_ok(struct virtio_device *dev)
{
	uint64_t features = dev->driver_features;

	return features & VIRTIO_F_VERSION_1 && !(features & ~dev->offered) &&
	       !dev->alien_windows &&
	       (!dev->ops->features_ok || dev->ops->features_ok(dev, features));
}

static void start(struct virtio_device *dev)
{
	if (dev->ops->start)
		dev->ops->start(dev);
	kick_ready(dev);
}

/* The driver can add bits, in their order, and take none away but all. */
static void add_status(struct virtio_device *dev, unsigned bits)
{
	bits &= STATUS_ALL & ~(unsigned)dev->status;
	if (bits & VIRTIO_STATUS_FEATURES_OK) {
		if (features_ok(dev))
			dev->features = dev->driver_features;
		else
			bits &= ~(unsigned)VIRTIO_STATUS_FEATURES_OK;
	}
	dev->status |= (uint8_t)(bits & ~(unsigned)VIRTIO_STATUS_DRIVER_OK);
	if (!(bits & VIRTIO_STATUS_DRIVER_OK) || !(dev->status & VIRTIO_STATUS_FEATURES_OK))
		return;
	dev->status |= VIRTIO_STATUS_DRIVER_OK;
	if (virtio_live(dev))
		start(dev);
	else if (dev->status & VIRTIO_STATUS_NEEDS_RESET)
		interrupt(dev, -1);
}

void virtio_write_status(struct virtio_device *dev, uint8_t status)
{
	virtio_lock(dev);
	if (!status)
		begin_reset(dev);
	else if (!dev->resetting)
		add_status(dev, status);
	virtio_unlock(dev);
}

uint32_t virtio_read_generation(struct virtio_device *dev)
{
	uint32_t generation;

	virtio_lock(dev);
	generation = dev->generation;
	virtio_unlock(dev);
	return generation;
}

/* The bytes of [off, off + size) that exist. */
static unsigned config_part(const struct virtio_device *dev, unsigned off, unsigned size)
{
	if (size > 8 || off >= dev->config_len)
		return 0;
	return size < dev->config_len - off ? size : dev->config_len - off;
}

uint64_t virtio_read_config(struct virtio_device *dev, unsigned off, unsigned size)
{
	uint8_t bytes[8] = { 0 };
	unsigned part;

	virtio_lock(dev);
	part = config_part(dev, off, size);
	if (part)
		memcpy(bytes, dev->config + off, part);
	virtio_unlock(dev);
	return get_le64(bytes);
}

void virtio_write_config(struct virtio_device *dev, unsigned off, unsigned size, uint64_t value)
{
	unsigned part;
	bool any = false;

	virtio_lock(dev);
	part = dev->resetting ? 0 : config_part(dev, off, size);
	for (unsigned i = 0; i < part; i++) {
		uint8_t mask = dev->config_writable[off + i];
		uint8_t byte = (uint8_t)(value >> (i * 8));

		dev->config[off + i] = (uint8_t)((dev->config[off + i] & ~mask) | (byte & mask));
		any |= mask != 0;
	}
	if (any && dev->ops->config_written)
		dev->ops->config_written(dev, off, part);
	virtio_unlock(dev);
}

bool virtio_read_queue(struct virtio_device *dev, unsigned index, struct virtq_setup *ret_setup)
{
	*ret_setup = (struct virtq_setup){ 0 };
	if (index >= dev->queue_count)
		return false;
	virtio_lock(dev);
	virtq_get_setup(dev->queue[index], ret_setup);
	/* A queue under reset is off already: drivers look at that without waiting. */
	if (dev->resetting || dev->queues_resetting >> index & 1)
		ret_setup->enabled = false;
	virtio_unlock(dev);
	return true;
}

void virtio_write_queue(struct virtio_device *dev, unsigned index, const struct virtq_setup *setup)
{
	if (index >= dev->queue_count)
		return;
	virtio_lock(dev);
	if (!dev->resetting)
		virtq_set_setup(dev->queue[index], setup);
	virtio_unlock(dev);
}

void virtio_enable_queue(struct virtio_device *dev, unsigned index)
{
	struct virtq_setup setup;

	if (index >= dev->queue_count)
		return;
	virtio_lock(dev);
	virtq_get_setup(dev->queue[index], &setup);
	/* Before FEATURES_OK nobody knows which layout it has. */
	if (dev->mem && !dev->resetting && !setup.enabled &&
	    dev->status & VIRTIO_STATUS_FEATURES_OK) {
		if (!virtq_enable(dev->queue[index], dev->mem, dev->features))
			virtio_needs_reset(dev);
		else if (virtio_live(dev))
			virtio_kick(dev, index);
	}
	virtio_unlock(dev);
}
