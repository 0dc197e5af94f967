/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * iscsi.c - a disk of an iSCSI target: requests become SCSI commands
 *
 * A request is done in pieces, one after the other, each of which the target takes as one command;
 * req->progress says how many bytes are done, req->step how (enum way). Until when it may take is
 * req->deadline_ns.
 */
#include <errno.h>

#include "base/error.h"
#include "block/remote/iscsi-int.h"

#define NS_PER_S UINT64_C(1000000000)

static struct lun *lun_of_req(const struct block_request *req)
{
	return lun_of(req->queue->block);
}

/* == Back to who asked == */

static void tell(void *opaque)
{
	struct block_request *req = opaque;

	req->done(req, req->result);
}

static void finish(struct block_request *req, int result)
{
	req->result = result;
	req->work = (struct io_work){ .fn = tell, .opaque = req };
	io_loop_post(req->queue->loop, &req->work);
}

/* == The list of those that wait == */

static void wait_last(struct lun *lun, struct block_request *req)
{
	req->next = NULL;
	*lun->waiting_end = req;
	lun->waiting_end = &req->next;
	lun_set_tick(lun);
}

static void wait_first(struct lun *lun, struct block_request *req)
{
	req->next = lun->waiting;
	if (!lun->waiting)
		lun->waiting_end = &req->next;
	lun->waiting = req;
	lun_set_tick(lun);
}

static struct block_request *take_first(struct lun *lun)
{
	struct block_request *req = lun->waiting;

	lun->waiting = req->next;
	if (!lun->waiting)
		lun->waiting_end = &lun->waiting;
	return req;
}

void lun_expire(struct lun *lun)
{
	const uint64_t now = io_loop_now_ns(lun->loop);
	struct block_request *req = lun->waiting;

	lun->waiting = NULL;
	lun->waiting_end = &lun->waiting;
	while (req) {
		struct block_request *next = req->next;

		if (req->deadline_ns <= now)
			finish(req, -EIO);
		else
			wait_last(lun, req);
		req = next;
	}
}

/* == Commands == */

/* The request's memory from where it is on, at most @max bytes of it: how many there are in slices. */
static uint64_t slice(struct flight *flight, uint64_t max, unsigned *ret_count)
{
	const struct block_request *req = flight->req;
	uint64_t skip = req->progress, len = 0;
	unsigned n = 0;

	for (unsigned i = 0; i < req->iov_count && n < SLICES && len < max; i++) {
		const struct iovec *iov = &req->iov[i];

		if (skip >= iov->iov_len) {
			skip -= iov->iov_len;
			continue;
		}
		flight->slices[n].iov_base = (char *)iov->iov_base + skip;
		flight->slices[n].iov_len = MIN(iov->iov_len - skip, max - len);
		len += flight->slices[n++].iov_len;
		skip = 0;
	}
	*ret_count = n;
	return len - len % flight->lun->block_len;
}

static uint64_t fill_zeroes(struct flight *flight, uint64_t max, unsigned *ret_count)
{
	uint64_t len = 0;
	unsigned n = 0;

	for (; n < SLICES && len < max; n++) {
		flight->slices[n].iov_base = flight->lun->zeroes;
		flight->slices[n].iov_len = MIN(max - len, (uint64_t)ZERO_LEN);
		len += flight->slices[n].iov_len;
	}
	*ret_count = n;
	return len;
}

static void command_done(struct iscsi_context *context, int status, void *data, void *opaque);

static struct scsi_task *move(struct flight *flight, uint64_t lba, uint64_t left)
{
	const struct block_request *req = flight->req;
	struct lun *lun = flight->lun;
	const uint64_t max = MIN(left, (uint64_t)PIECE_MAX);
	const bool zeroes = req->step == WAY_ZEROES;
	unsigned count;

	flight->len = (zeroes ? fill_zeroes : slice)(flight, max, &count);
	if (!flight->len)
		return NULL; /* the guest's memory is in pieces that no disk takes */
	if (req->op == BLOCK_READ)
		return iscsi_calls->iscsi_read16_iov_task(
			lun->context, (int)lun->url->lun, lba, (uint32_t)flight->len,
			(int)lun->block_len, 0, 0, 0, 0, 0, command_done, flight, flight->slices,
			(int)count);
	return iscsi_calls->iscsi_write16_iov_task(lun->context, (int)lun->url->lun, lba, NULL,
						   (uint32_t)flight->len, (int)lun->block_len, 0, 0,
						   0, 0, 0, command_done, flight, flight->slices,
						   (int)count);
}

static struct scsi_task *command(struct flight *flight)
{
	const struct block_request *req = flight->req;
	struct lun *lun = flight->lun;
	const int number = (int)lun->url->lun;
	const uint64_t lba = (req->off + req->progress) / lun->block_len;
	const uint64_t left = req->len - req->progress;

	switch ((enum way)req->step) {
	case WAY_MOVE:
	case WAY_ZEROES:
		return move(flight, lba, left);
	case WAY_SYNC:
		flight->len = 0;
		return iscsi_calls->iscsi_synchronizecache16_task(lun->context, number, 0, 0, 0, 0,
								  command_done, flight);
	case WAY_UNMAP:
		flight->len = MIN(left, (uint64_t)lun->max_unmap * lun->block_len);
		flight->unmap =
			(struct unmap_list){ lba, (uint32_t)(flight->len / lun->block_len) };
		return iscsi_calls->iscsi_unmap_task(lun->context, number, 0, 0, &flight->unmap, 1,
						     command_done, flight);
	case WAY_SAME:
		flight->len = MIN(left, lun->max_same);
		return iscsi_calls->iscsi_writesame16_task(
			lun->context, number, lba, lun->zeroes, lun->block_len,
			(uint32_t)(flight->len / lun->block_len), 0,
			req->flags & BLOCK_UNMAP && lun->same_unmaps, 0, 0, command_done, flight);
	}
	return NULL;
}

static void land(struct flight *flight)
{
	struct lun *lun = flight->lun;

	if (flight->task)
		iscsi_calls->scsi_free_scsi_task(flight->task);
	flight->task = NULL;
	flight->req = NULL;
	lun->free[lun->free_count++] = (unsigned)(flight - lun->flights);
}

void lun_send(struct lun *lun)
{
	while (lun->link == LINK_UP && !lun->link_broken && !lun->target_busy && lun->waiting &&
	       lun->free_count) {
		struct flight *flight = &lun->flights[lun->free[--lun->free_count]];
		struct block_request *req = take_first(lun);

		flight->req = req;
		flight->task = command(flight);
		if (flight->task)
			continue;
		land(flight);
		finish(req, req->step == WAY_MOVE && req->iov_count > 1 ? -EINVAL : -ENOMEM);
	}
}

/* == Answers == */

enum verdict {
	GOOD,
	AGAIN,
	LATER,
	LOST,
	OTHER_WAY,
	FAILED
};

static enum verdict judge_sense(const struct scsi_task *task, int *ret_err)
{
	const enum scsi_sense_key key = task->sense.key;
	const int code = task->sense.ascq;

	*ret_err = -EIO;
	if (key == SCSI_SENSE_UNIT_ATTENTION || key == SCSI_SENSE_COMMAND_ABORTED)
		return AGAIN;
	if (key == SCSI_SENSE_NOT_READY && code >> 8 == 0x04)
		return LATER; /* it is becoming ready */
	if (key == SCSI_SENSE_ILLEGAL_REQUEST && (code == SCSI_SENSE_ASCQ_INVALID_OPERATION_CODE ||
						  code == SCSI_SENSE_ASCQ_INVALID_FIELD_IN_CDB))
		return OTHER_WAY;
	/* "Space allocation failed, write protect": a thin disk without space. */
	if (key == SCSI_SENSE_DATA_PROTECTION)
		*ret_err = code == 0x2707 ? -ENOSPC : -EROFS;
	return FAILED;
}

static enum verdict judge(int status, const struct scsi_task *task, int *ret_err)
{
	*ret_err = -EIO;
	switch (status) {
	case SCSI_STATUS_GOOD:
		return GOOD;
	case SCSI_STATUS_CHECK_CONDITION:
		return judge_sense(task, ret_err);
	case SCSI_STATUS_BUSY:
	case SCSI_STATUS_TASK_SET_FULL:
		return LATER;
	case SCSI_STATUS_TASK_ABORTED:
		return AGAIN;
	case SCSI_STATUS_RESERVATION_CONFLICT:
		*ret_err = -EBUSY;
		return FAILED;
	default:
		return LOST; /* by libiscsi, not by the target */
	}
}

static void piece_done(struct lun *lun, struct block_request *req, uint64_t len)
{
	req->progress += len;
	if (req->step == WAY_SYNC) {
		finish(req, 0);
		return;
	}
	if (req->progress >= req->len) {
		if (!(req->flags & BLOCK_FUA) || lun->base.no_flush || req->op == BLOCK_DISCARD) {
			finish(req, 0);
			return;
		}
		req->step = WAY_SYNC;
	}
	wait_first(lun, req);
}

/* What this target has no command for. */
static void other_way(struct lun *lun, struct block_request *req)
{
	if (req->step == WAY_SAME) {
		atomic_store(&lun->no_same, true);
		req->step = WAY_ZEROES;
		wait_first(lun, req);
	} else {
		/* A discard is advice, and without a cache there is nothing to write back. */
		finish(req, req->step == WAY_UNMAP || req->step == WAY_SYNC ? 0 : -EIO);
	}
}

/* Called by libiscsi, inside of iscsi_service() or of iscsi_destroy_context(). */
static void command_done(struct iscsi_context *context, int status, void *data, void *opaque)
{
	struct flight *flight = opaque;
	struct block_request *req = flight->req;
	struct lun *lun = flight->lun;
	const uint64_t len = flight->len;
	int err;
	enum verdict verdict = judge(status, data ? data : flight->task, &err);

	(void)context;
	land(flight);
	switch (verdict) {
	case GOOD:
		piece_done(lun, req, len);
		break;
	case OTHER_WAY:
		other_way(lun, req);
		break;
	case LOST:
		lun->link_broken = true;
		wait_first(lun, req);
		break;
	case LATER:
		lun->target_busy = true;
		wait_last(lun, req);
		break;
	case AGAIN:
		wait_last(lun, req);
		break;
	case FAILED:
		finish(req, err);
		break;
	}
}

/* == Requests == */

static enum way way_of(const struct lun *lun, const struct block_request *req)
{
	switch (req->op) {
	case BLOCK_FLUSH:
		return WAY_SYNC;
	case BLOCK_DISCARD:
		return WAY_UNMAP;
	case BLOCK_WRITE_ZEROES:
		return atomic_load(&lun->no_same) ? WAY_ZEROES : WAY_SAME;
	case BLOCK_READ:
	case BLOCK_WRITE:
	case BLOCK_OP_COUNT:
		break;
	}
	return WAY_MOVE;
}

static void begin(void *opaque)
{
	struct block_request *req = opaque;
	struct lun *lun = lun_of_req(req);

	req->progress = 0;
	req->step = way_of(lun, req);
	req->deadline_ns = io_loop_now_ns(lun->loop) + REMOTE_PATIENCE_S * NS_PER_S;
	if (req->step == WAY_UNMAP && !lun->can_unmap) {
		finish(req, 0);
		return;
	}
	wait_last(lun, req);
	lun_send(lun);
	lun_watch(lun);
}

void lun_submit(struct block_queue *queue, struct block_request *req)
{
	struct lun *lun = lun_of(queue->block);

	if (req->op == BLOCK_WRITE || req->op == BLOCK_WRITE_ZEROES)
		block_mark_note(&lun->base.mark, req->off + req->len);
	req->work = (struct io_work){ .fn = begin, .opaque = req };
	io_loop_post(lun->loop, &req->work);
}

static void nothing(void *opaque)
{
	(void)opaque;
}

/* Its loop may still be about to wake the queue's, which has done the request by now. */
static void queue_free(struct block_queue *queue)
{
	io_loop_call(lun_of(queue->block)->loop, nothing, NULL);
	g_free(queue);
}

const struct block_ops block_iscsi_ops = {
	.format = "raw",
	.open = lun_open,
	.close = lun_close,
	.resize = lun_resize,
	.queue_free = queue_free,
	.submit = lun_submit,
};
