/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-blk.c - a virtio disk (virtio 1.2, 5.2): what it offers, its configuration, its life
 *
 * Requests are the business of virtio-blk-io.c. Where more than bytes of guest memory crosses
 * threads: what the main loop wants of the loop (limits, a retry) it writes under the lock and
 * kicks a queue itself; what the loop wants of the main loop (errors to tell) it writes under the
 * lock and rings the bell.
 */
#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "dev/virtio-blk-int.h"

enum {
	DEFAULT_QUEUE_SIZE = 256,
	MIN_QUEUE_SIZE = 4, /* header, data, status; a power of two */
};

static const uint64_t doze_ns = 1000000;

static void blk_dev_kick(struct virtio_device *dev, unsigned index)
{
	blk_kick(blk_of(dev), index);
}

static void set_write_cache(struct virtio_blk *blk, bool on)
{
	blk->write_cache = on;
	blk->dev.config[BLK_CONFIG_WRITEBACK] = on;
}

/* A driver that cannot flush must not be told of a write before it is durable (5.2.6.2). */
static void blk_dev_start(struct virtio_device *dev)
{
	if (!virtio_has(dev, VIRTIO_BLK_F_CONFIG_WCE))
		set_write_cache(blk_of(dev), virtio_has(dev, VIRTIO_BLK_F_FLUSH));
}

static void blk_dev_reset(struct virtio_device *dev, int index)
{
	struct virtio_blk *blk = blk_of(dev);

	blk_reset(blk, index);
	if (index < 0)
		set_write_cache(blk, !blk->no_write_cache);
}

static bool blk_dev_busy(struct virtio_device *dev)
{
	struct virtio_blk *blk = blk_of(dev);

	return blk->under_way[0] || blk->under_way[1];
}

/* Of the configuration only the write cache can be written. */
static void blk_dev_config_written(struct virtio_device *dev, unsigned off, unsigned size)
{
	struct virtio_blk *blk = blk_of(dev);

	(void)off;
	(void)size;
	if (virtio_has(dev, VIRTIO_BLK_F_CONFIG_WCE))
		set_write_cache(blk, dev->config[BLK_CONFIG_WRITEBACK] & 1);
	else
		set_write_cache(blk, blk->write_cache);
}

static void remove_timers(void *opaque)
{
	struct virtio_blk *blk = opaque;

	io_timer_remove(blk->loop, &blk->timer);
	doze_remove(&blk->doze);
}

static void add_timers(void *opaque)
{
	struct virtio_blk *blk = opaque;

	io_timer_add(blk->loop, &blk->timer);
	doze_add(&blk->doze);
}

static void blk_dev_free(struct virtio_device *dev)
{
	struct virtio_blk *blk = blk_of(dev);

	io_loop_call(blk->loop, remove_timers, blk);
	virtio_release(&blk->dev);
	block_queue_free(blk->queue);
	dev_timer_free(blk->bell);
	block_queue_free(blk->next_queue);
	if (blk->swapped)
		blk->swapped(blk->swapped_opaque, false);
	/* Nothing is under way any more. */
	if (blk->shrunk)
		blk->shrunk(blk->shrunk_opaque);
	g_free(blk);
}

static const struct virtio_ops blk_ops = {
	.start = blk_dev_start,
	.kick = blk_dev_kick,
	.reset = blk_dev_reset,
	.busy = blk_dev_busy,
	.config_written = blk_dev_config_written,
	.free = blk_dev_free,
};

static void set_capacity(struct virtio_blk *blk, uint64_t size)
{
	blk->size = size - size % blk->logical_block;
	put_le64(blk->dev.config + BLK_CONFIG_CAPACITY, blk->size / BLK_SECTOR);
}

/* The image is as large as it is. */
static void follow_size(struct virtio_blk *blk, bool tell)
{
	struct block_info info;

	block_info(blk->block, &info);
	virtio_lock(&blk->dev);
	tell |= blk->size != info.size - info.size % blk->logical_block;
	set_capacity(blk, info.size);
	if (tell)
		virtio_config_changed(&blk->dev);
	virtio_unlock(&blk->dev);
}

/* Has the last request ended that came before the disk shrank? */
static void ring_shrunk(struct virtio_blk *blk)
{
	void (*shrunk)(void *opaque) = NULL;

	virtio_lock(&blk->dev);
	if (!blk->under_way[!blk->era]) {
		shrunk = blk->shrunk;
		blk->shrunk = NULL;
	}
	virtio_unlock(&blk->dev);
	if (!shrunk)
		return;
	shrunk(blk->shrunk_opaque);
	follow_size(blk, false);
}

/* What is held is tried again on the loop. */
static void retry_held(struct virtio_blk *blk)
{
	if (!blk->held.head)
		return;
	blk->retry = true;
	virtio_kick_self(&blk->dev, virtq_index(blk->held.head->vq));
}

/* Has the last request of the old image ended? */
static void ring_swapped(struct virtio_blk *blk)
{
	void (*swapped)(void *opaque, bool done) = blk->swapped;
	struct block_queue *old = NULL;

	virtio_lock(&blk->dev);
	if (blk->next_queue && !blk->under_way[0] && !blk->under_way[1]) {
		old = blk->queue;
		blk->queue = g_steal_pointer(&blk->next_queue);
		blk->block = block_queue_block(blk->queue);
		blk->swapped = NULL;
		retry_held(blk);
	}
	virtio_unlock(&blk->dev);
	if (!old)
		return;
	block_queue_free(old);
	follow_size(blk, false);
	swapped(blk->swapped_opaque, true);
}

/* On the main loop: tell of what failed since, and go on with what waited for requests. */
static void ring(void *opaque)
{
	struct virtio_blk *blk = opaque;
	struct disk_error failure[2 * DISK_ERROR_ENOSPC];
	unsigned count = 0;

	virtio_lock(&blk->dev);
	for (unsigned write = 0; write < 2; write++) {
		for (unsigned action = 0; action < DISK_ERROR_ENOSPC; action++) {
			if (blk->failed[write][action])
				failure[count++] = blk->failure[write][action];
			blk->failed[write][action] = false;
		}
	}
	virtio_unlock(&blk->dev);
	for (unsigned i = 0; blk->error && i < count; i++)
		blk->error(blk->opaque, &failure[i]);
	ring_shrunk(blk);
	ring_swapped(blk);
}

/* ---- making one ---- */

static bool check_config(const struct virtio_blk_config *config, const struct block_info *info,
			 GError **error)
{
	const char *name = block_node_name(config->block);
	const unsigned size = config->queue_size;

	if (config->queues < 1 || config->queues > VIRTIO_MAX_QUEUES)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "disk '%s' can have 1 to %d queues, not %u", name,
				 VIRTIO_MAX_QUEUES, config->queues);
	if (size && (size < MIN_QUEUE_SIZE || size > VIRTQ_MAX_SIZE || (size & (size - 1))))
		return error_set(error, SOCLE_ERROR_USAGE,
				 "queue size of disk '%s' must be a power of two from %d to %d, "
				 "not %u",
				 name, MIN_QUEUE_SIZE, VIRTQ_MAX_SIZE, size);
	if (config->serial && strlen(config->serial) > BLK_ID_LEN)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "serial number '%s' is longer than %d bytes", config->serial,
				 BLK_ID_LEN);
	if (config->logical_block != 0 && config->logical_block != 512 &&
	    config->logical_block != 4096)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "logical block of disk '%s' must be 512 or 4096 bytes, not %u",
				 name, config->logical_block);
	if (config->logical_block && config->logical_block < info->request_alignment)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "image '%s' needs a logical block of %u bytes", name,
				 info->request_alignment);
	if (info->read_only && !config->read_only)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "image '%s' is open read-only, so its disk must be read-only, too",
				 name);
	return disk_limits_check(&config->limits, error);
}

static uint64_t features_of(const struct virtio_blk_config *config)
{
	uint64_t features = VIRTIO_F_COMMON | VIRTIO_BLK_F_SEG_MAX | VIRTIO_BLK_F_BLK_SIZE |
			    VIRTIO_BLK_F_TOPOLOGY;

	if (config->packed_off)
		features &= ~VIRTIO_F_RING_PACKED;
	if (config->queues > 1)
		features |= VIRTIO_BLK_F_MQ;
	/* A write cache that must stay off is not offered: no driver can turn it on. */
	if (!config->no_write_cache)
		features |= VIRTIO_BLK_F_FLUSH | VIRTIO_BLK_F_CONFIG_WCE;
	if (config->read_only)
		return features | VIRTIO_BLK_F_RO;
	if (!config->no_discard)
		features |= VIRTIO_BLK_F_DISCARD;
	return features | VIRTIO_BLK_F_WRITE_ZEROES;
}

/* 2^n logical blocks make a physical one. */
static uint8_t physical_exp(const struct virtio_blk *blk, const struct block_info *info)
{
	uint8_t exp = 0;

	while (exp < 16 && (uint64_t)blk->logical_block << (exp + 1) <= info->physical_block)
		exp++;
	return exp;
}

static void fill_config(struct virtio_blk *blk, const struct virtio_blk_config *config,
			const struct block_info *info, unsigned queue_size)
{
	uint8_t *c = blk->dev.config;
	const uint8_t exp = physical_exp(blk, info);
	const uint32_t discard = info->discard_alignment / BLK_SECTOR;

	set_capacity(blk, info->size);
	put_le32(c + BLK_CONFIG_SEG_MAX, queue_size - 2);
	put_le32(c + BLK_CONFIG_BLK_SIZE, blk->logical_block);
	c[BLK_CONFIG_PHYSICAL_EXP] = exp;
	put_le16(c + BLK_CONFIG_MIN_IO, (uint16_t)(1u << (exp < 15 ? exp : 15)));
	set_write_cache(blk, !config->no_write_cache);
	put_le16(c + BLK_CONFIG_QUEUES, (uint16_t)config->queues);
	if (blk->dev.offered & VIRTIO_BLK_F_CONFIG_WCE)
		blk->dev.config_writable[BLK_CONFIG_WRITEBACK] = 0xff;
	if (blk->dev.offered & VIRTIO_BLK_F_DISCARD) {
		put_le32(c + BLK_CONFIG_DISCARD_SECTORS, BLK_MAX_RANGE_SECTORS);
		put_le32(c + BLK_CONFIG_DISCARD_SEG, BLK_MAX_RANGES);
		put_le32(c + BLK_CONFIG_DISCARD_ALIGN,
			 MAX(discard, blk->logical_block / BLK_SECTOR));
	}
	if (blk->dev.offered & VIRTIO_BLK_F_WRITE_ZEROES) {
		put_le32(c + BLK_CONFIG_ZEROES_SECTORS, BLK_MAX_RANGE_SECTORS);
		put_le32(c + BLK_CONFIG_ZEROES_SEG, BLK_MAX_RANGES);
		c[BLK_CONFIG_ZEROES_UNMAP] = info->discard;
	}
}

struct virtio_device *virtio_blk_new(const struct virtio_blk_config *config, GError **error)
{
	const unsigned queue_size = config->queue_size ? config->queue_size : DEFAULT_QUEUE_SIZE;
	struct block_info info;
	struct block_queue *queue;
	struct virtio_blk *blk;

	block_info(config->block, &info);
	if (!check_config(config, &info, error))
		return NULL;
	queue = block_queue_new(config->block, config->loop, error);
	if (!queue)
		return NULL;
	blk = g_new0(struct virtio_blk, 1);
	virtio_init(&blk->dev, &(struct virtio_config){
				       .ops = &blk_ops,
				       .type = VIRTIO_BLOCK,
				       .features = features_of(config),
				       .loop = config->loop,
				       .queues = config->queues,
				       .queue_size = queue_size,
				       .private_size = sizeof(struct blk_request),
				       .config_len = BLK_CONFIG_LEN,
			       });
	blk->block = config->block;
	blk->queue = queue;
	blk->loop = config->loop;
	blk->bell = dev_timer_new(config->clock, ring, blk);
	blk->logical_block = config->logical_block ? config->logical_block : info.request_alignment;
	blk->read_only = config->read_only;
	blk->no_write_cache = config->no_write_cache;
	if (config->serial)
		memcpy(blk->serial, config->serial, strlen(config->serial));
	blk->read_error = config->read_error;
	blk->write_error = config->write_error;
	blk->error = config->error;
	blk->opaque = config->opaque;
	blk->settle = (struct io_work){ .fn = blk_settle, .opaque = blk };
	blk->timer = (struct io_timer){ .fn = blk_on_timer, .opaque = blk };
	doze_init(&blk->doze, &blk->dev, blk->loop, doze_ns, blk_take_dozing);
	disk_throttle_set(&blk->throttle, &config->limits);
	fill_config(blk, config, &info, queue_size);
	io_loop_call(blk->loop, add_timers, blk);
	return &blk->dev;
}

/* ---- what the monitor wants ---- */

void virtio_blk_limits(struct virtio_device *dev, struct disk_limits *ret_limits)
{
	virtio_lock(dev);
	*ret_limits = blk_of(dev)->throttle.limits;
	virtio_unlock(dev);
}

void virtio_blk_set_limits(struct virtio_device *dev, const struct disk_limits *limits)
{
	struct virtio_blk *blk = blk_of(dev);

	virtio_lock(dev);
	disk_throttle_set(&blk->throttle, limits);
	/* What waits for the old limits may pass now, or its timer is to be set anew. */
	for (unsigned i = 0; i < 2; i++) {
		if (blk->waiting[i].head)
			virtio_kick_self(dev, virtq_index(blk->waiting[i].head->vq));
	}
	virtio_unlock(dev);
}

void virtio_blk_stats(struct virtio_device *dev, struct disk_stats *ret_stats)
{
	virtio_lock(dev);
	*ret_stats = blk_of(dev)->stats;
	virtio_unlock(dev);
}

void virtio_blk_resized(struct virtio_device *dev)
{
	follow_size(blk_of(dev), true);
}

bool virtio_blk_shrink(struct virtio_device *dev, uint64_t size, void (*shrunk)(void *opaque),
		       void *opaque)
{
	struct virtio_blk *blk = blk_of(dev);
	bool ok;

	virtio_lock(dev);
	ok = !blk->shrunk;
	if (ok) {
		blk->shrunk = shrunk;
		blk->shrunk_opaque = opaque;
		/* Its requests have all ended, or the last shrinking would be under way still. */
		blk->era = !blk->era;
		set_capacity(blk, size);
		virtio_config_changed(dev);
		dev_timer_set(blk->bell, 0);
	}
	virtio_unlock(dev);
	return ok;
}

bool virtio_blk_swap(struct virtio_device *dev, struct block *block,
		     void (*swapped)(void *opaque, bool done), void *opaque, GError **error)
{
	struct virtio_blk *blk = blk_of(dev);
	struct block_queue *queue;
	struct block_info info;

	block_info(block, &info);
	if (blk->swapped)
		return error_set(error, SOCLE_ERROR_BUSY,
				 "the disk's image is being exchanged already");
	if (info.request_alignment > blk->logical_block || (info.read_only && !blk->read_only))
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "image '%s' is read-only, or its sectors are larger than those of "
				 "its disk",
				 block_node_name(block));
	queue = block_queue_new(block, blk->loop, error);
	if (!queue)
		return false;
	virtio_lock(dev);
	blk->next_queue = queue;
	blk->swapped = swapped;
	blk->swapped_opaque = opaque;
	dev_timer_set(blk->bell, 0);
	virtio_unlock(dev);
	return true;
}

void virtio_blk_retry(struct virtio_device *dev)
{
	struct virtio_blk *blk = blk_of(dev);

	virtio_lock(dev);
	/* A stop that was not told yet is void: if it fails again, it is told again. */
	blk->failed[false][DISK_ERROR_STOP] = blk->failed[true][DISK_ERROR_STOP] = false;
	retry_held(blk);
	virtio_unlock(dev);
}

bool virtio_blk_write_cache(struct virtio_device *dev)
{
	bool on;

	virtio_lock(dev);
	on = blk_of(dev)->write_cache;
	virtio_unlock(dev);
	return on;
}
