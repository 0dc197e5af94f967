/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * raw.c - raw images: requests become I/O on a file or a block device
 *
 * A request is a small machine without memory of its own: req->step says what the I/O under way is
 * for, req->progress how many bytes are done. Each I/O that completes leads to the next one, or to
 * the end.
 *
 *	STEP_MOVE	reads, writes on the guest's buffers; what was short goes on behind it
 *	STEP_BOUNCE	the same in pieces through a buffer of ours, where the guest's is not as
 *			O_DIRECT wants it; requests wait for such a buffer in a row
 *	STEP_DISCARD	a hole, or the device's discard
 *	STEP_PUNCH	write zeroes: by a hole (BLOCK_UNMAP); where that cannot be, by
 *	STEP_RANGE	a range that the file system knows to be zero; where that cannot be, by
 *	STEP_ZEROES	writing them, up to a MiB at a time; then, if it has to be durable,
 *	STEP_SYNC	a flush, which is also what BLOCK_FLUSH is
 *
 * A file may end before the image does, by less than a sector: that much reads as zero. An end
 * before that means that somebody has cut the file: an I/O error, not zeroes.
 *
 * When the kernel cannot write back what its page cache holds, it tells once, and forgets what it
 * could not write. So once a flush has failed, none may succeed any more, lest the guest repeats it
 * and believes that its data is safe. (Not with O_DIRECT, where each write has told for itself.)
 */
#include <errno.h>
#include <fcntl.h>

#include "block/raw-int.h"

enum raw_step {
	STEP_MOVE,
	STEP_BOUNCE,
	STEP_DISCARD,
	STEP_PUNCH,
	STEP_RANGE,
	STEP_ZEROES,
	STEP_SYNC,
};

DATA_PATH static struct raw *raw_of(const struct block_request *req)
{
	return container_of(req->queue->block, struct raw, base);
}

DATA_PATH static struct raw_queue *queue_of(const struct block_request *req)
{
	return container_of(req->queue, struct raw_queue, base);
}

DATA_PATH static bool wants_fua(const struct block_request *req)
{
	return req->flags & BLOCK_FUA && !req->queue->block->no_flush;
}

static void raw_done(struct io_op *io, ssize_t result);

DATA_PATH static void start(struct block_request *req, enum raw_step step, enum io_op_kind kind)
{
	req->step = step;
	req->io.kind = kind;
	req->io.fd = raw_of(req)->fd;
	req->io.off = req->off + req->progress;
	req->io.cached = !raw_of(req)->base.info.direct;
	req->io.done = raw_done;
	io_op_submit(req->queue->loop, &req->io);
}

/* Moving data */

DATA_PATH static void start_move(struct block_request *req, enum raw_step step)
{
	req->io.rw_flags = req->op == BLOCK_WRITE && wants_fua(req) ? RWF_DSYNC : 0;
	start(req, step, req->op == BLOCK_READ ? IO_OP_READV : IO_OP_WRITEV);
}

DATA_PATH static void start_piece(struct block_request *req)
{
	uint64_t n = MIN(req->len - req->progress, (uint64_t)BOUNCE_LEN);

	if (req->op == BLOCK_WRITE)
		(void)block_iov_read(req, req->progress, req->bounce, n);
	req->tail[0] = (struct iovec){ req->bounce, n };
	req->io.iov = req->tail;
	req->io.iov_count = 1;
	start_move(req, STEP_BOUNCE);
}

DATA_PATH static void bounce_begin(struct block_request *req)
{
	struct raw_queue *queue = queue_of(req);

	if (queue->free_count) {
		req->bounce = queue->free[--queue->free_count];
		start_piece(req);
		return;
	}
	req->next = NULL;
	*queue->waiting_end = req;
	queue->waiting_end = &req->next;
}

/* The buffer goes to who waits longest. */
DATA_PATH static void bounce_end(struct block_request *req)
{
	struct raw_queue *queue = queue_of(req);
	struct block_request *next = queue->waiting;

	queue->free[queue->free_count++] = req->bounce;
	req->bounce = NULL;
	if (!next)
		return;
	queue->waiting = next->next;
	if (!queue->waiting)
		queue->waiting_end = &queue->waiting;
	bounce_begin(next);
}

/* Last: the request, and maybe the queue, is gone afterwards. */
DATA_PATH static void finish(struct block_request *req, int result)
{
	if (unlikely(req->bounce))
		bounce_end(req);
	req->done(req, result);
}

/* The file ends here, which is all right in the last sector only. */
DATA_PATH static void end_of_file(struct block_request *req)
{
	uint64_t size = atomic_load_explicit(&req->queue->block->size, memory_order_relaxed);
	uint64_t pos = req->off + req->progress, rest = req->len - req->progress;

	if (req->op != BLOCK_READ || pos > size ||
	    size - pos >= req->queue->block->info.request_alignment) {
		finish(req, -EIO);
		return;
	}
	finish(req, block_iov_zero(req, req->progress, rest) == rest ? 0 : -EINVAL);
}

DATA_PATH static int note_flush(struct raw *raw, ssize_t result)
{
	int none = 0;

	if (unlikely(result < 0) && !raw->base.info.direct)
		atomic_compare_exchange_strong(&raw->flush_error, &none, (int)result);
	return (int)result;
}

/* The error of a write that flushes may come from the flush. */
DATA_PATH static void move_failed(struct block_request *req, ssize_t result)
{
	if (req->io.rw_flags & RWF_DSYNC)
		(void)note_flush(raw_of(req), result);
	finish(req, (int)result);
}

DATA_PATH static void move_done(struct block_request *req, ssize_t result)
{
	struct raw *raw = raw_of(req);

	if (unlikely(result < 0)) {
		move_failed(req, result);
		return;
	}
	if (unlikely(req->step == STEP_BOUNCE && req->op == BLOCK_READ))
		(void)block_iov_write(req, req->progress, req->bounce, (uint64_t)result);
	req->progress += (uint64_t)result;
	if (likely(req->progress >= req->len))
		finish(req, 0);
	else if (!result || (raw->base.info.direct && req->progress % raw->align.len))
		end_of_file(req);
	else if (req->step == STEP_BOUNCE)
		start_piece(req);
	else if (block_iov_seek(req, req->progress))
		start_move(req, STEP_MOVE);
	else
		finish(req, -EINVAL); /* the buffers are shorter than the request says */
}

/* Zeroes and holes */

DATA_PATH static bool is_unsupported(ssize_t result)
{
	return result == -EOPNOTSUPP || result == -ENOSYS || result == -ENOTTY;
}

DATA_PATH static void start_fallocate(struct block_request *req, enum raw_step step, int mode)
{
	req->io.len = req->len;
	req->io.mode = mode | FALLOC_FL_KEEP_SIZE;
	start(req, step, IO_OP_FALLOCATE);
}

DATA_PATH static void start_zeroes(struct block_request *req)
{
	struct raw *raw = raw_of(req);
	uint64_t left = req->len - req->progress;

	if (left < ZERO_LEN) {
		req->tail[0] = (struct iovec){ raw->zeroes, left };
		req->io.iov = req->tail;
		req->io.iov_count = 1;
	} else {
		req->io.iov = raw->zero_iov;
		req->io.iov_count = (unsigned)MIN(left / ZERO_LEN, (uint64_t)ZERO_IOVS);
	}
	req->io.rw_flags = 0;
	start(req, STEP_ZEROES, IO_OP_WRITEV);
}

DATA_PATH static void zero_begin(struct block_request *req)
{
	struct raw *raw = raw_of(req);

	if (req->flags & BLOCK_UNMAP && raw->base.info.discard && !raw->no_punch)
		start_fallocate(req, STEP_PUNCH, FALLOC_FL_PUNCH_HOLE);
	else if (!raw->no_zero_range)
		start_fallocate(req, STEP_RANGE, FALLOC_FL_ZERO_RANGE);
	else
		start_zeroes(req);
}

DATA_PATH static void zero_end(struct block_request *req)
{
	if (wants_fua(req))
		start(req, STEP_SYNC, IO_OP_FDATASYNC);
	else
		finish(req, 0);
}

/* A hole or range is done, or has to be done otherwise. */
DATA_PATH static void fallocate_done(struct block_request *req, ssize_t result)
{
	struct raw *raw = raw_of(req);

	if (result >= 0) {
		zero_end(req);
	} else if (is_unsupported(result)) {
		atomic_store(req->step == STEP_PUNCH ? &raw->no_punch : &raw->no_zero_range, true);
		zero_begin(req);
	} else if (result == -EINVAL) {
		start_zeroes(req); /* this range, then */
	} else {
		finish(req, (int)result);
	}
}

DATA_PATH static void zeroes_done(struct block_request *req, ssize_t result)
{
	if (result <= 0) {
		finish(req, result ? (int)result : -EIO);
		return;
	}
	req->progress += (uint64_t)result;
	if (req->progress >= req->len)
		zero_end(req);
	else if (raw_of(req)->base.info.direct && req->progress % raw_of(req)->align.len)
		finish(req, -EIO);
	else
		start_zeroes(req);
}

DATA_PATH static void discard_begin(struct block_request *req)
{
	struct raw *raw = raw_of(req);

	if (!raw->base.info.discard || raw->no_punch) {
		block_ready(req->queue, req, 0);
	} else if (raw->device) {
		req->io.len = req->len;
		start(req, STEP_DISCARD, IO_OP_BLKDISCARD);
	} else {
		start_fallocate(req, STEP_DISCARD, FALLOC_FL_PUNCH_HOLE);
	}
}

/* A discard is advice: who cannot take it has not failed. */
DATA_PATH static void discard_done(struct block_request *req, ssize_t result)
{
	if (is_unsupported(result)) {
		atomic_store(&raw_of(req)->no_punch, true);
		result = 0;
	}
	finish(req, (int)result);
}

/* Dispatch */

DATA_PATH static void raw_done(struct io_op *io, ssize_t result)
{
	struct block_request *req = container_of(io, struct block_request, io);

	switch ((enum raw_step)req->step) {
	case STEP_MOVE:
	case STEP_BOUNCE:
		move_done(req, result);
		break;
	case STEP_DISCARD:
		discard_done(req, result);
		break;
	case STEP_PUNCH:
	case STEP_RANGE:
		fallocate_done(req, result);
		break;
	case STEP_ZEROES:
		zeroes_done(req, result);
		break;
	case STEP_SYNC:
		result = note_flush(raw_of(req), result);
		finish(req, result < 0 ? (int)result : raw_of(req)->flush_error);
		break;
	}
}

DATA_PATH static void raw_submit(struct block_queue *queue, struct block_request *req)
{
	struct raw *raw = container_of(queue->block, struct raw, base);

	req->progress = 0;
	req->bounce = NULL;
	if (req->op == BLOCK_WRITE || req->op == BLOCK_WRITE_ZEROES)
		block_mark_note(&raw->base.mark, req->off + req->len);
	switch (req->op) {
	case BLOCK_READ:
	case BLOCK_WRITE:
		if (raw->base.info.direct && unlikely(!block_iov_fits(req, raw->align))) {
			bounce_begin(req);
			break;
		}
		req->io.iov = req->iov;
		req->io.iov_count = req->iov_count;
		start_move(req, STEP_MOVE);
		break;
	case BLOCK_FLUSH:
		start(req, STEP_SYNC, IO_OP_FDATASYNC);
		break;
	case BLOCK_DISCARD:
		discard_begin(req);
		break;
	case BLOCK_WRITE_ZEROES:
		zero_begin(req);
		break;
	case BLOCK_OP_COUNT:
	default:
		block_ready(queue, req, -EINVAL);
		break;
	}
}

static struct block_queue *raw_queue_new(struct block *block, struct io_loop *loop)
{
	struct raw_queue *queue = g_new0(struct raw_queue, 1);

	(void)loop;
	queue->waiting_end = &queue->waiting;
	if (!block->info.direct)
		return &queue->base;
	queue->bounce = g_aligned_alloc(BOUNCE_COUNT, BOUNCE_LEN, BOUNCE_ALIGN);
	for (size_t i = 0; i < BOUNCE_COUNT; i++)
		queue->free[queue->free_count++] = queue->bounce + i * BOUNCE_LEN;
	return &queue->base;
}

static void raw_queue_free(struct block_queue *base)
{
	struct raw_queue *queue = container_of(base, struct raw_queue, base);

	g_aligned_free(queue->bounce);
	g_free(queue);
}

const struct block_ops block_raw_ops = {
	.format = "raw",
	.open = raw_open,
	.close = raw_close,
	.resize = raw_resize,
	.allocated = raw_allocated,
	.queue_new = raw_queue_new,
	.queue_free = raw_queue_free,
	.submit = raw_submit,
};
