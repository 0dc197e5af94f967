/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-scsi.c - a SCSI controller with one CD drive
 *
 * A CD is slow, and so may this be: one command at a time, its bytes through a buffer of the device's,
 * since sectors of a CD need not be where the image's file wants its requests. What is read by one
 * request to the image is a step; a command takes as many as it needs.
 *
 * Commands that are not reads, and tasks of the control queue, are answered at once. The drive is
 * target 0, which has unit 0; nothing is ever told on the event queue, drivers poll for media.
 *
 * The main loop rings at a bell for what is its business: the driver moves the tray, and a read has
 * ended that a change of the medium waits for.
 *
 *  (1) chain is the read that is under way, or NULL; then the image has no request of ours.
 *  (2) While there is one, nothing is taken from the request queues.
 */
#include "dev/virtio-scsi.h"

#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/iov.h"
#include "block/block.h"
#include "dev/clock.h"
#include "dev/scsi-cd.h"
#include "dev/virtio-blk.h"

enum {
	QUEUE_CONTROL = 0,
	QUEUE_EVENT = 1,
	QUEUE_REQUEST = 2,
	QUEUES = 3,
	QUEUE_SIZE = 128,

	CONFIG_QUEUES = 0,
	CONFIG_SEG_MAX = 4,
	CONFIG_MAX_SECTORS = 8,
	CONFIG_PER_LUN = 12,
	CONFIG_EVENT_LEN = 16,
	CONFIG_SENSE_LEN = 20,
	CONFIG_CDB_LEN = 24,
	CONFIG_LEN = 36,

	/* A request: LUN, tag, attributes, command. */
	REQUEST_CDB = 19,
	CDB_LEN = 32,
	REQUEST_LEN = REQUEST_CDB + CDB_LEN,
	/* Its response. */
	RESPONSE_SENSE_LEN = 0,
	RESPONSE_RESIDUAL = 4,
	RESPONSE_STATUS = 10,
	RESPONSE_CODE = 11,
	RESPONSE_SENSE = 12,
	SENSE_LEN = 96,
	RESPONSE_LEN = RESPONSE_SENSE + SENSE_LEN,

	CODE_OK = 0,
	CODE_BAD_TARGET = 3,

	/* Control: type, subtype and LUN of a task; or type, LUN and events that are asked for. */
	CONTROL_TASK = 0,
	TASK_LEN = 24,
	TASK_DONE = 0,
	NOTIFICATION_RESPONSE_LEN = 5,

	LUN_MASK = 0x3fff, /* above it the way of addressing, of which all mean the same here */

	BUFFER_LEN = 256 << 10,
	ALIGN = 4096, /* what all images can be asked for */
};

struct virtio_scsi {
	struct virtio_device dev;
	struct block_request io;
	struct iovec io_iov;
	uint8_t *buffer;
	struct dev_clock *clock;
	struct dev_timer *bell;
	void (*tray)(void *opaque, bool open);
	void *opaque;

	/* of the main loop: a change of the medium, NULL if there is none */
	void (*changed)(void *opaque, bool done);
	void *changed_opaque;

	/* guarded by dev.lock; a step's belong to the image until it is done */
	struct scsi_cd cd;
	struct block_queue *queue, *next_queue; /* NULL: of no medium */
	bool changing;
	bool told_open; /* as config.tray() has heard */
	struct virtq_chain *chain;
	struct virtq *vq;
	struct scsi_answer answer; /* of chain */
	uint64_t done;             /* bytes of it that are in the driver's memory */
	uint64_t wanted;           /* and that there is room for */
	uint64_t begin_ns;         /* of chain */
	struct disk_stats stats;
};

static struct virtio_scsi *scsi_of(struct virtio_device *dev)
{
	return container_of(dev, struct virtio_scsi, dev);
}

/* ---- answers ---- */

/* The response goes in front of the data, of which there are @len bytes already. */
static void respond(struct virtq *vq, struct virtq_chain *chain, const struct scsi_answer *answer,
		    uint8_t code, uint64_t len)
{
	uint8_t response[RESPONSE_LEN] = { 0 };
	uint64_t room = chain->in_len > RESPONSE_LEN ? chain->in_len - RESPONSE_LEN : 0;

	if (answer->status == SCSI_CHECK_CONDITION) {
		put_le32(response + RESPONSE_SENSE_LEN, SCSI_SENSE_LEN);
		memcpy(response + RESPONSE_SENSE, answer->sense, SCSI_SENSE_LEN);
	}
	put_le32(response + RESPONSE_RESIDUAL, (uint32_t)(room - len));
	response[RESPONSE_STATUS] = answer->status;
	response[RESPONSE_CODE] = code;
	(void)iov_copy_in(chain->in, chain->in_count, 0, response, RESPONSE_LEN);
	virtq_push(vq, chain, RESPONSE_LEN + len);
}

/* ---- reading ---- */

static void step(struct virtio_scsi *scsi);

static void count(struct virtio_scsi *scsi)
{
	struct disk_stats *s = &scsi->stats;

	s->idle_since_ns = dev_clock_monotonic_ns(scsi->clock);
	s->time_ns[BLOCK_READ] += s->idle_since_ns - scsi->begin_ns;
	s->bytes[BLOCK_READ] += scsi->done;
	if (scsi->answer.status == SCSI_GOOD)
		s->ops[BLOCK_READ]++;
	else
		s->failed[BLOCK_READ]++;
}

/* The read is over; the next one may come. */
static void finish(struct virtio_scsi *scsi)
{
	struct virtq *vq = scsi->vq;
	struct virtq_chain *chain = scsi->chain;

	scsi->chain = NULL;
	if (scsi->changing)
		dev_timer_set(scsi->bell, 0);
	count(scsi);
	if (virtq_live(vq)) {
		respond(vq, chain, &scsi->answer, CODE_OK, scsi->done);
		virtq_flush(vq);
	} else {
		virtq_drop(vq, chain);
	}
	virtio_idle(&scsi->dev);
	virtio_kick_self(&scsi->dev, QUEUE_REQUEST);
}

static void step_done(struct block_request *req, int result)
{
	struct virtio_scsi *scsi = container_of(req, struct virtio_scsi, io);
	uint64_t at = scsi->answer.read_off + scsi->done - req->off;
	uint64_t len = req->len - at;

	virtio_lock(&scsi->dev);
	if (len > scsi->wanted - scsi->done)
		len = scsi->wanted - scsi->done;
	if (result < 0) {
		scsi_fail(&scsi->answer, SCSI_READ_ERROR);
		scsi->wanted = scsi->done;
	} else if (virtq_live(scsi->vq)) {
		(void)iov_copy_in(scsi->chain->in, scsi->chain->in_count,
				  RESPONSE_LEN + (size_t)scsi->done, scsi->buffer + at,
				  (size_t)len);
		scsi->done += len;
	}
	if (virtq_live(scsi->vq) && scsi->done < scsi->wanted)
		step(scsi);
	else
		finish(scsi);
	virtio_unlock(&scsi->dev);
}

/* Read as much as fits into the buffer, from and to where the image likes it. */
static void step(struct virtio_scsi *scsi)
{
	uint64_t from = scsi->answer.read_off + scsi->done;
	uint64_t off = from & ~(uint64_t)(ALIGN - 1);
	uint64_t end = (scsi->answer.read_off + scsi->wanted + ALIGN - 1) & ~(uint64_t)(ALIGN - 1);

	if (end > scsi->cd.size)
		end = scsi->cd.size;
	if (end - off > BUFFER_LEN)
		end = off + BUFFER_LEN;
	scsi->io_iov = (struct iovec){ scsi->buffer, (size_t)(end - off) };
	scsi->io = (struct block_request){
		.op = BLOCK_READ,
		.off = off,
		.len = end - off,
		.iov = &scsi->io_iov,
		.iov_count = 1,
		.done = step_done,
	};
	block_submit(scsi->queue, &scsi->io);
}

/* ---- commands ---- */

/* Unit of the one target, by the first level of addressing; false: another target. */
static bool parse_lun(const uint8_t lun[8], uint32_t *ret)
{
	if (lun[0] != 1 || lun[1] != 0)
		return false;
	*ret = get_be16(lun + 2) & LUN_MASK;
	return true;
}

/* False: it is a read that is under way now. */
static bool execute(struct virtio_scsi *scsi, struct virtq *vq, struct virtq_chain *chain)
{
	uint8_t request[REQUEST_LEN];
	uint64_t room = chain->in_len - RESPONSE_LEN;
	struct scsi_answer answer = { 0 };
	uint32_t lun;

	(void)iov_copy_out(chain->out, chain->out_count, 0, request, REQUEST_LEN);
	if (!parse_lun(request, &lun)) {
		respond(vq, chain, &answer, CODE_BAD_TARGET, 0);
		return true;
	}
	scsi_cd_execute(&scsi->cd, lun, request + REQUEST_CDB, &answer);
	if (scsi->cd.open != scsi->told_open)
		dev_timer_set(scsi->bell, 0);
	if (answer.read_len && room) {
		scsi->chain = chain;
		scsi->vq = vq;
		scsi->answer = answer;
		scsi->done = 0;
		scsi->wanted = MIN(answer.read_len, room);
		scsi->begin_ns = dev_clock_monotonic_ns(scsi->clock);
		step(scsi);
		return false;
	}
	answer.len = (uint32_t)MIN(answer.len, room);
	(void)iov_copy_in(chain->in, chain->in_count, RESPONSE_LEN, answer.data, answer.len);
	respond(vq, chain, &answer, CODE_OK, answer.len);
	return true;
}

/* All that a task could be told of is done before it comes here, but for one read that goes on. */
static void control(struct virtq *vq, struct virtq_chain *chain)
{
	const uint8_t response[NOTIFICATION_RESPONSE_LEN] = { TASK_DONE };
	uint8_t request[4];
	size_t len;

	(void)iov_copy_out(chain->out, chain->out_count, 0, request, sizeof(request));
	/* A task is answered by a byte, a wish for events by those that will come, none, and a byte. */
	len = get_le32(request) == CONTROL_TASK ? 1 : NOTIFICATION_RESPONSE_LEN;
	virtq_push(vq, chain, iov_copy_in(chain->in, chain->in_count, 0, response, len));
}

static bool is_whole(const struct virtq_chain *chain, unsigned index)
{
	if (index == QUEUE_CONTROL)
		return chain->out_len >= 4 && chain->in_len >= 1;
	return chain->out_len >= REQUEST_LEN && chain->in_len >= RESPONSE_LEN;
}

/* Take what there is. False: the rest has to wait for a read. */
static bool serve(struct virtio_scsi *scsi, struct virtq *vq, unsigned index)
{
	struct virtq_chain *chain;

	while ((index == QUEUE_CONTROL || !scsi->chain) && (chain = virtq_pop(vq))) {
		if (!is_whole(chain, index)) {
			virtq_break(vq);
			virtq_drop(vq, chain);
			return true;
		}
		if (index == QUEUE_CONTROL)
			control(vq, chain);
		else if (!execute(scsi, vq, chain))
			return false;
	}
	return index == QUEUE_CONTROL || !scsi->chain;
}

static void scsi_kick(struct virtio_device *dev, unsigned index)
{
	struct virtio_scsi *scsi = scsi_of(dev);
	struct virtq *vq = dev->queue[index];
	bool all;

	/* Buffers for events wait for ever, in the ring. */
	if (index == QUEUE_EVENT)
		return;
	virtq_notify_off(vq);
	all = serve(scsi, vq, index);
	virtq_flush(vq);
	if (all && virtq_notify_on(vq))
		virtio_kick_self(dev, index);
}

static bool scsi_busy(struct virtio_device *dev)
{
	return scsi_of(dev)->chain;
}

/* The driver begins anew, and so does the drive. */
static void scsi_reset(struct virtio_device *dev, int index)
{
	struct virtio_scsi *scsi = scsi_of(dev);

	if (index >= 0)
		return;
	scsi->cd.locked = scsi->cd.changed = false;
	scsi->cd.event = SCSI_CD_NOTHING;
}

/* ---- the medium ---- */

/* Its size, and that it is there; the lock is held, or nobody has the device. */
static void set_medium(struct virtio_scsi *scsi, struct block *block)
{
	struct block_info info = { 0 };

	if (block)
		block_info(block, &info);
	scsi->cd.medium = block;
	scsi->cd.size = info.size - info.size % SCSI_CD_SECTOR;
}

/* On the main loop. */
static void ring(void *opaque)
{
	struct virtio_scsi *scsi = opaque;
	struct block_queue *old = NULL;
	bool open, moved, changed;

	virtio_lock(&scsi->dev);
	open = scsi->cd.open;
	moved = open != scsi->told_open;
	scsi->told_open = open;
	changed = scsi->changing && !scsi->chain;
	if (changed) {
		old = scsi->queue;
		scsi->queue = g_steal_pointer(&scsi->next_queue);
		set_medium(scsi, scsi->queue ? block_queue_block(scsi->queue) : NULL);
		scsi->changing = false;
	}
	virtio_unlock(&scsi->dev);
	block_queue_free(old);
	if (moved && scsi->tray)
		scsi->tray(scsi->opaque, open);
	if (changed)
		scsi->changed(scsi->changed_opaque, true);
}

void virtio_scsi_tray(struct virtio_device *dev, struct virtio_scsi_tray *ret_tray)
{
	struct virtio_scsi *scsi = scsi_of(dev);

	virtio_lock(dev);
	*ret_tray = (struct virtio_scsi_tray){ scsi->cd.open, scsi->cd.locked };
	virtio_unlock(dev);
}

void virtio_scsi_stats(struct virtio_device *dev, struct disk_stats *ret_stats)
{
	virtio_lock(dev);
	*ret_stats = scsi_of(dev)->stats;
	virtio_unlock(dev);
}

void virtio_scsi_set_tray(struct virtio_device *dev, bool open)
{
	struct virtio_scsi *scsi = scsi_of(dev);

	virtio_lock(dev);
	if (open)
		scsi_cd_open(&scsi->cd);
	else
		scsi_cd_close(&scsi->cd);
	scsi->told_open = open;
	virtio_unlock(dev);
}

void virtio_scsi_request_eject(struct virtio_device *dev)
{
	virtio_lock(dev);
	scsi_of(dev)->cd.event = SCSI_CD_EJECT_REQUEST;
	virtio_unlock(dev);
}

bool virtio_scsi_change(struct virtio_device *dev, struct block *block,
			void (*changed)(void *opaque, bool done), void *opaque, GError **error)
{
	struct virtio_scsi *scsi = scsi_of(dev);
	struct block_queue *queue = NULL;
	bool open;

	virtio_lock(dev);
	open = scsi->cd.open;
	virtio_unlock(dev);
	if (!open)
		return error_set(error, SOCLE_ERROR_STATE, "the tray of the drive is not open");
	if (scsi->changing)
		return error_set(error, SOCLE_ERROR_BUSY,
				 "the medium is being changed already; try again");
	if (block) {
		queue = block_queue_new(block, dev->loop, error);
		if (!queue)
			return false;
	}
	virtio_lock(dev);
	scsi->next_queue = queue;
	scsi->changing = true;
	scsi->changed = changed;
	scsi->changed_opaque = opaque;
	dev_timer_set(scsi->bell, 0);
	virtio_unlock(dev);
	return true;
}

/* ---- life ---- */

static void scsi_free(struct virtio_device *dev)
{
	struct virtio_scsi *scsi = scsi_of(dev);

	dev_timer_free(scsi->bell);
	block_queue_free(scsi->queue);
	block_queue_free(scsi->next_queue);
	if (scsi->changing)
		scsi->changed(scsi->changed_opaque, false);
	virtio_release(dev);
	g_aligned_free(scsi->buffer);
	g_free(scsi);
}

static const struct virtio_ops scsi_ops = {
	.kick = scsi_kick,
	.reset = scsi_reset,
	.busy = scsi_busy,
	.free = scsi_free,
};

struct virtio_device *virtio_scsi_new(const struct virtio_scsi_config *config, GError **error)
{
	struct virtio_scsi *scsi = g_new0(struct virtio_scsi, 1);
	uint8_t *c;

	scsi->clock = config->clock;
	scsi->tray = config->tray;
	scsi->opaque = config->opaque;
	set_medium(scsi, config->block);
	scsi->buffer = g_aligned_alloc(1, BUFFER_LEN, ALIGN);
	virtio_init(&scsi->dev, &(struct virtio_config){
					.ops = &scsi_ops,
					.type = VIRTIO_SCSI,
					.features = VIRTIO_F_COMMON,
					.loop = config->loop,
					.queues = QUEUES,
					.queue_size = QUEUE_SIZE,
					.config_len = CONFIG_LEN,
				});
	c = scsi->dev.config;
	put_le32(c + CONFIG_QUEUES, 1);
	put_le32(c + CONFIG_SEG_MAX, QUEUE_SIZE - 2);
	put_le32(c + CONFIG_MAX_SECTORS, BUFFER_LEN / 512);
	put_le32(c + CONFIG_PER_LUN, QUEUE_SIZE);
	put_le32(c + CONFIG_EVENT_LEN, 16);
	put_le32(c + CONFIG_SENSE_LEN, SENSE_LEN);
	put_le32(c + CONFIG_CDB_LEN, CDB_LEN);
	/* Channel, target and unit go up to 0. */
	scsi->bell = dev_timer_new(config->clock, ring, scsi);
	if (!config->block)
		return &scsi->dev;
	scsi->queue = block_queue_new(config->block, config->loop, error);
	if (!scsi->queue) {
		scsi_free(&scsi->dev);
		return NULL;
	}
	return &scsi->dev;
}
