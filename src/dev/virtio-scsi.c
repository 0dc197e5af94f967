/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-scsi.c - a SCSI controller with one CD drive
 *
 * A CD is slow, and so may this be: one command at a time, its bytes through a buffer of the device's,
 * since sectors of a CD need not be where the image's file wants its requests. What is read by one
 * request to the image is a step; a command takes as many as it needs.
 *
 * Commands that are not reads, and tasks of the control queue, are answered at once. The drive is
 * target 0, which has unit 0; nothing is ever told on the event queue.
 *
 *  (1) chain is the read that is under way, or NULL; then the image has no request of ours.
 *  (2) While there is one, nothing is taken from the request queues.
 */
#include "dev/virtio-scsi.h"

#include <string.h>

#include "base/bytes.h"
#include "base/iov.h"
#include "block/block.h"
#include "dev/scsi-cd.h"

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
	struct block_queue *queue;
	struct block_request io;
	struct iovec io_iov;
	uint64_t size; /* bytes of the medium */
	uint8_t *buffer;

	/* guarded by dev.lock; a step's belong to the image until it is done */
	struct virtq_chain *chain;
	struct virtq *vq;
	struct scsi_answer answer; /* of chain */
	uint64_t done;             /* bytes of it that are in the driver's memory */
	uint64_t wanted;           /* and that there is room for */
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

/* The read is over; the next one may come. */
static void finish(struct virtio_scsi *scsi)
{
	struct virtq *vq = scsi->vq;
	struct virtq_chain *chain = scsi->chain;

	scsi->chain = NULL;
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

	if (end > scsi->size)
		end = scsi->size;
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
	scsi_cd_execute(scsi->size, lun, request + REQUEST_CDB, &answer);
	if (answer.read_len && room) {
		scsi->chain = chain;
		scsi->vq = vq;
		scsi->answer = answer;
		scsi->done = 0;
		scsi->wanted = MIN(answer.read_len, room);
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

/* ---- life ---- */

static void scsi_free(struct virtio_device *dev)
{
	struct virtio_scsi *scsi = scsi_of(dev);

	block_queue_free(scsi->queue);
	virtio_release(dev);
	g_aligned_free(scsi->buffer);
	g_free(scsi);
}

static const struct virtio_ops scsi_ops = {
	.kick = scsi_kick,
	.busy = scsi_busy,
	.free = scsi_free,
};

struct virtio_device *virtio_scsi_new(const struct virtio_scsi_config *config, GError **error)
{
	struct virtio_scsi *scsi = g_new0(struct virtio_scsi, 1);
	struct block_info info;
	uint8_t *c;

	block_info(config->block, &info);
	scsi->size = info.size - info.size % SCSI_CD_SECTOR;
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
	scsi->queue = block_queue_new(config->block, config->loop, error);
	if (!scsi->queue) {
		scsi_free(&scsi->dev);
		return NULL;
	}
	return &scsi->dev;
}
