/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-blk-io.c - requests of a virtio disk (virtio 1.2, 5.2.6), from the ring to the image and back
 *
 * The driver's data is never copied: the image gets the chain's own lists, without the header at
 * the front of the one and without the status byte at the end of the other. Either may be split
 * over descriptors in any way, or share one with data.
 *
 *  (1) Each byte of a header or a list of ranges is read once, into a copy that then is checked.
 *  (2) Whether a request lies within the disk is checked each time when it is handed to the image,
 *      so that one that waited while the disk shrank does not slip through.
 *  (3) Nothing is pushed outside blk_settle(). So a kick takes at most as many requests as the ring
 *      has slots, however fast another vCPU refills it, and a round of the loop ends with one flush
 *      for each queue.
 *  (4) The status byte is written only while the chain is the driver's wish: after a reset the
 *      memory may be anything.
 */
#include "dev/virtio-blk-int.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>

#include "base/bytes.h"

enum {
	SUBMIT = -1 /* what parse() says beside BLK_S_ */
};

static_assert(VIRTQ_MAX_SIZE <= IOV_MAX, "any chain's list is one that the image takes");

DATA_PATH static void list_add(struct blk_list *list, struct blk_request *req)
{
	req->next = NULL;
	if (list->tail)
		list->tail->next = req;
	else
		list->head = req;
	list->tail = req;
}

DATA_PATH static struct blk_request *list_take(struct blk_list *list)
{
	struct blk_request *req = list->head;

	if (req) {
		list->head = req->next;
		if (!list->head)
			list->tail = NULL;
	}
	return req;
}

DATA_PATH static struct virtq_chain *chain_of(struct blk_request *req)
{
	return (struct virtq_chain *)(void *)req - 1;
}

DATA_PATH static void begin(struct blk_request *req)
{
	struct virtio_blk *blk = req->blk;

	if (req->under_way)
		return;
	req->under_way = true;
	req->era = (uint8_t)blk->era;
	blk->under_way[req->era]++;
}

DATA_PATH static void end(struct blk_request *req)
{
	req->under_way = false;
	req->blk->under_way[req->era]--;
}

/* Done, or a step of it is: blk_settle() sees to it. */
DATA_PATH static void to_settle(struct blk_request *req)
{
	struct virtio_blk *blk = req->blk;

	if (!blk->done.head)
		io_loop_post(blk->loop, &blk->settle);
	list_add(&blk->done, req);
}

DATA_PATH static void finish(struct blk_request *req, uint8_t code)
{
	req->code = code;
	req->range = req->range_count;
	begin(req);
	to_settle(req);
}

DATA_PATH static void on_done(struct block_request *io, int result)
{
	struct blk_request *req = container_of(io, struct blk_request, io);

	req->result = result;
	if (result == 0 && req->range < req->range_count)
		req->range++;
	to_settle(req);
}

DATA_PATH static bool within(const struct virtio_blk *blk, uint64_t off, uint64_t len)
{
	return off <= blk->size && len <= blk->size - off;
}

/* ---- what does the driver want? ---- */

/* Find the status byte, and cut it off the list. There is one: in_len > 0. */
DATA_PATH static unsigned cut_status(struct blk_request *req, struct virtq_chain *chain)
{
	unsigned count = chain->in_count;

	struct iovec *last;

	while (chain->in[count - 1].iov_len == 0)
		count--;
	last = &chain->in[count - 1];
	last->iov_len--;
	req->status = (uint8_t *)last->iov_base + last->iov_len;
	return last->iov_len ? count : count - 1;
}

DATA_PATH static int parse_data(struct blk_request *req, uint64_t sector, struct iovec *iov,
				unsigned count, uint64_t len)
{
	req->bytes = len;
	if (len > BLK_MAX_DATA || sector > UINT64_MAX / BLK_SECTOR ||
	    ((sector * BLK_SECTOR) | len) % req->blk->logical_block)
		return BLK_S_IOERR;
	req->io.off = sector * BLK_SECTOR;
	req->io.len = len;
	req->io.iov = iov;
	req->io.iov_count = count;
	return len ? SUBMIT : BLK_S_OK;
}

DATA_PATH static int parse_read(struct blk_request *req, struct virtq_chain *chain, unsigned count,
				uint64_t sector)
{
	req->io.op = BLOCK_READ;
	req->counted = true;
	return parse_data(req, sector, chain->in, count, chain->in_len - 1);
}

DATA_PATH static int parse_write(struct blk_request *req, struct virtq_chain *chain,
				 uint64_t sector)
{
	struct iovec *iov = chain->out;
	unsigned count = chain->out_count;

	req->io.op = BLOCK_WRITE;
	req->counted = true;
	if (req->blk->read_only)
		return BLK_S_IOERR;
	iov_skip(&iov, &count, BLK_HEADER_LEN);
	return parse_data(req, sector, iov, count, chain->out_len - BLK_HEADER_LEN);
}

DATA_PATH static int parse_range(struct blk_request *req, struct blk_range *range,
				 const uint8_t *raw)
{
	const uint64_t sector = get_le64(raw);
	const uint32_t sectors = get_le32(raw + 8), flags = get_le32(raw + 12);

	if (flags & ~(uint32_t)BLK_RANGE_UNMAP)
		return BLK_S_UNSUPP;
	if (req->io.op == BLOCK_DISCARD && flags)
		return BLK_S_UNSUPP;
	if (sectors > BLK_MAX_RANGE_SECTORS || sector > UINT64_MAX / BLK_SECTOR)
		return BLK_S_IOERR;
	*range = (struct blk_range){
		.off = sector * BLK_SECTOR,
		.len = (uint64_t)sectors * BLK_SECTOR,
		.unmap = flags & BLK_RANGE_UNMAP,
	};
	if ((range->off | range->len) % req->blk->logical_block ||
	    !within(req->blk, range->off, range->len))
		return BLK_S_IOERR;
	req->bytes += range->len;
	return SUBMIT;
}

DATA_PATH static int parse_ranges(struct blk_request *req, struct virtq_chain *chain,
				  enum block_op op, uint64_t feature)
{
	const uint64_t len = chain->out_len - BLK_HEADER_LEN;
	uint8_t raw[BLK_MAX_RANGES * BLK_RANGE_LEN];
	int code = SUBMIT;

	if (!virtio_has(&req->blk->dev, feature))
		return BLK_S_UNSUPP;
	req->io.op = op;
	req->counted = true;
	if (req->blk->read_only || len == 0 || len > sizeof(raw) || len % BLK_RANGE_LEN)
		return BLK_S_IOERR;
	(void)iov_copy_out(chain->out, chain->out_count, BLK_HEADER_LEN, raw, (size_t)len);
	req->range_count = (unsigned)(len / BLK_RANGE_LEN);
	for (unsigned i = 0; i < req->range_count && code == SUBMIT; i++)
		code = parse_range(req, &req->ranges[i], raw + (size_t)i * BLK_RANGE_LEN);
	return code;
}

/* 20 bytes, or as many as there is room for. */
DATA_PATH static int parse_id(struct blk_request *req, struct virtq_chain *chain, unsigned count)
{
	req->filled = iov_copy_in(chain->in, count, 0, req->blk->serial, BLK_ID_LEN);
	return BLK_S_OK;
}

DATA_PATH static int parse(struct blk_request *req, struct virtq_chain *chain)
{
	const unsigned in_count = cut_status(req, chain);
	uint8_t header[BLK_HEADER_LEN];
	uint64_t sector;

	(void)iov_copy_out(chain->out, chain->out_count, 0, header, sizeof(header));
	sector = get_le64(header + 8);
	switch (get_le32(header)) {
	case BLK_T_IN:
		return parse_read(req, chain, in_count, sector);
	case BLK_T_OUT:
		return parse_write(req, chain, sector);
	case BLK_T_FLUSH:
		req->io.op = BLOCK_FLUSH;
		req->counted = true;
		return SUBMIT;
	case BLK_T_GET_ID:
		return parse_id(req, chain, in_count);
	case BLK_T_DISCARD:
		return parse_ranges(req, chain, BLOCK_DISCARD, VIRTIO_BLK_F_DISCARD);
	case BLK_T_WRITE_ZEROES:
		return parse_ranges(req, chain, BLOCK_WRITE_ZEROES, VIRTIO_BLK_F_WRITE_ZEROES);
	default:
		return BLK_S_UNSUPP;
	}
}

/* ---- to the image ---- */

/* The next range that is not empty; false: there is none. */
DATA_PATH static bool load_range(struct blk_request *req)
{
	const struct blk_range *range;

	while (req->range < req->range_count && req->ranges[req->range].len == 0)
		req->range++;
	if (req->range == req->range_count)
		return false;
	range = &req->ranges[req->range];
	req->io.off = range->off;
	req->io.len = range->len;
	req->io.flags = range->unmap ? BLOCK_UNMAP : 0;
	return true;
}

/* Hand it, or the next step of it, to the image. */
DATA_PATH static void issue(struct blk_request *req)
{
	struct virtio_blk *blk = req->blk;

	req->result = 0;
	req->io.flags = 0;
	if (unlikely(blk->next_queue)) {
		list_add(&blk->held, req);
		return;
	}
	if (req->range_count && !load_range(req)) {
		finish(req, BLK_S_OK);
		return;
	}
	if (req->io.op != BLOCK_FLUSH && !within(blk, req->io.off, req->io.len)) {
		finish(req, BLK_S_IOERR);
		return;
	}
	if (req->io.op == BLOCK_READ)
		req->filled = req->io.len;
	if (!blk->write_cache && (req->io.op == BLOCK_WRITE || req->io.op == BLOCK_WRITE_ZEROES))
		req->io.flags |= BLOCK_FUA;
	begin(req);
	block_submit(blk->queue, &req->io);
}

DATA_PATH static bool is_write(const struct blk_request *req)
{
	return req->io.op != BLOCK_READ;
}

DATA_PATH static bool let_pass(struct virtio_blk *blk, bool write, uint64_t now_ns,
			       uint64_t *next_ns)
{
	const uint64_t wait = disk_throttle_wait_ns(&blk->throttle, write, now_ns);
	struct blk_request *req;

	if (wait) {
		if (now_ns + wait < *next_ns)
			*next_ns = now_ns + wait;
		return false;
	}
	req = list_take(&blk->waiting[write]);
	/* Discards cost requests, not bytes: a trim of a large disk moves nothing. */
	disk_throttle_take(&blk->throttle, write, now_ns,
			   req->io.op == BLOCK_DISCARD ? 0 : req->bytes);
	issue(req);
	return true;
}

/* Let pass what may, in turns, and set the timer for the rest. */
DATA_PATH static void serve_waiting(struct virtio_blk *blk, uint64_t now_ns)
{
	uint64_t next_ns;
	bool passed;

	do {
		next_ns = IO_TIMER_NEVER;
		passed = false;
		for (unsigned i = 0; i < 2 && !passed; i++) {
			const bool write = blk->turn ^ (i != 0);

			if (blk->waiting[write].head && let_pass(blk, write, now_ns, &next_ns)) {
				blk->turn = !write;
				passed = true;
			}
		}
	} while (passed);
	io_timer_set(blk->loop, &blk->timer, next_ns);
}

DATA_PATH static void enter(struct blk_request *req)
{
	struct virtio_blk *blk = req->blk;

	if (likely(!blk->throttle.limited) || req->io.op == BLOCK_FLUSH)
		issue(req);
	else
		list_add(&blk->waiting[is_write(req)], req);
}

DATA_PATH static void serve_held(struct virtio_blk *blk)
{
	struct blk_list held = blk->held;
	struct blk_request *req;

	blk->held = (struct blk_list){ 0 };
	blk->retry = false;
	while ((req = list_take(&held)))
		issue(req);
}

DATA_PATH static void start(struct virtio_blk *blk, struct virtq *vq, struct virtq_chain *chain,
			    uint64_t now_ns)
{
	struct blk_request *req = virtq_private(chain);
	int code;

	req->blk = blk;
	req->vq = vq;
	req->io.done = on_done;
	req->start_ns = now_ns;
	req->bytes = 0;
	req->result = 0;
	req->filled = 0;
	req->under_way = req->counted = false;
	req->range = req->range_count = 0;
	req->code = BLK_S_OK;
	code = parse(req, chain);
	if (likely(code == SUBMIT))
		enter(req);
	else
		finish(req, (uint8_t)code);
}

/* Take what the ring has, count it, and let pass what may. False: the driver has broken it. */
DATA_PATH static bool take(struct virtio_blk *blk, struct virtq *vq, uint64_t now_ns,
			   unsigned *count)
{
	struct virtq_chain *chain;

	while ((chain = virtq_pop(vq))) {
		if (chain->out_len < BLK_HEADER_LEN || chain->in_len == 0) {
			virtq_break(vq);
			virtq_drop(vq, chain);
			return false;
		}
		start(blk, vq, chain, now_ns);
		(*count)++;
	}
	if (unlikely(blk->waiting[0].head || blk->waiting[1].head))
		serve_waiting(blk, now_ns);
	return true;
}

DATA_PATH void blk_take_dozing(struct virtio_device *dev, unsigned index, uint64_t now_ns)
{
	struct virtio_blk *blk = blk_of(dev);
	unsigned count = 0;

	(void)take(blk, dev->queue[index], now_ns, &count);
	doze_found(&blk->doze, count);
}

/* With limits their timer has the say. */
DATA_PATH static bool begin_doze(struct virtio_blk *blk, unsigned index, uint64_t now_ns)
{
	return !blk->throttle.limited && doze_begin(&blk->doze, index, now_ns);
}

DATA_PATH void blk_kick(struct virtio_blk *blk, unsigned index)
{
	struct virtq *vq = blk->dev.queue[index];
	const uint64_t now_ns = io_loop_now_ns(blk->loop);
	unsigned count = 0;

	if (unlikely(blk->retry))
		serve_held(blk);
	doze_event(&blk->doze, 1, now_ns);
	/* Also behind a kick in vain: who has added one meanwhile was asked not to tell. */
	do {
		virtq_notify_off(vq);
		if (!take(blk, vq, now_ns, &count))
			return;
	} while (!begin_doze(blk, index, now_ns) && virtq_notify_on(vq));
}

DATA_PATH void blk_on_timer(void *opaque)
{
	struct virtio_blk *blk = opaque;

	virtio_lock(&blk->dev);
	if (virtio_live(&blk->dev) && !blk->dev.paused)
		serve_waiting(blk, io_loop_now_ns(blk->loop));
	virtio_unlock(&blk->dev);
}

/* ---- and back ---- */

DATA_PATH static enum disk_error_policy action_on(const struct virtio_blk *blk, bool write, int err)
{
	const enum disk_error_policy policy = write ? blk->write_error : blk->read_error;

	if (policy != DISK_ERROR_ENOSPC)
		return policy;
	return err == -ENOSPC ? DISK_ERROR_STOP : DISK_ERROR_REPORT;
}

/* The image failed. True: the request is held. */
DATA_PATH static bool failed(struct virtio_blk *blk, struct blk_request *req)
{
	const bool write = is_write(req);
	const enum disk_error_policy action = action_on(blk, write, req->result);

	blk->failed[write][action] = true;
	blk->failure[write][action] = (struct disk_error){
		.write = write,
		.nospace = req->result == -ENOSPC,
		.err = req->result,
		.action = action,
	};
	dev_timer_set(blk->bell, 0);
	if (action == DISK_ERROR_STOP) {
		list_add(&blk->held, req);
		return true;
	}
	req->code = action == DISK_ERROR_IGNORE ? BLK_S_OK : BLK_S_IOERR;
	return false;
}

DATA_PATH static void count(struct virtio_blk *blk, const struct blk_request *req, uint64_t now_ns)
{
	struct disk_stats *stats = &blk->stats;
	const enum block_op op = req->io.op;

	stats->idle_since_ns = now_ns;
	if (!req->counted)
		return;
	if (likely(req->code == BLK_S_OK)) {
		stats->ops[op]++;
		stats->bytes[op] += req->bytes;
	} else if (req->result < 0) {
		stats->failed[op]++;
	} else {
		stats->invalid[op]++;
		return;
	}
	stats->time_ns[op] += now_ns - req->start_ns;
	if ((op == BLOCK_WRITE || op == BLOCK_WRITE_ZEROES) && req->code == BLK_S_OK &&
	    req->io.off + req->io.len > stats->highest_off)
		stats->highest_off = req->io.off + req->io.len;
}

/* Write the status; how many bytes from the start of the list are written by now? Where that is not
 * all up to the status, mem is told of the status here. */
DATA_PATH static size_t put_status(struct blk_request *req, const struct virtq_chain *chain)
{
	struct mem *mem = req->blk->dev.mem;

	*req->status = req->code;
	if (likely(req->filled + 1 == chain->in_len))
		return chain->in_len;
	mem_written(mem, mem_gpa(mem, req->status), 1);
	return (size_t)req->filled;
}

/* virtq_drop() does not tell mem of all that a large read may have written. */
DATA_PATH static void drop(struct blk_request *req)
{
	struct mem *mem = req->blk->dev.mem;

	for (unsigned i = 0; req->counted && req->filled && i < req->io.iov_count; i++)
		mem_written(mem, mem_gpa(mem, req->io.iov[i].iov_base), req->io.iov[i].iov_len);
	virtq_drop(req->vq, chain_of(req));
}

/* True if something was pushed. */
DATA_PATH static bool settle_one(struct virtio_blk *blk, struct blk_request *req, uint64_t now_ns)
{
	struct virtq_chain *chain = chain_of(req);

	if (unlikely(!virtq_live(req->vq))) {
		drop(req);
		return false;
	}
	if (unlikely(req->result < 0) && failed(blk, req))
		return false;
	count(blk, req, now_ns);
	virtq_push(req->vq, chain, put_status(req, chain));
	return true;
}

/* Who waits for requests to end? */
DATA_PATH static void tell_ended(struct virtio_blk *blk)
{
	if (unlikely(blk->shrunk) && !blk->under_way[!blk->era])
		dev_timer_set(blk->bell, 0);
	if (unlikely(blk->next_queue) && !blk->under_way[0] && !blk->under_way[1])
		dev_timer_set(blk->bell, 0);
	if (unlikely(blk->dev.paused) && !blk->under_way[0] && !blk->under_way[1])
		virtio_idle(&blk->dev);
}

DATA_PATH void blk_settle(void *opaque)
{
	struct virtio_blk *blk = opaque;
	struct blk_list done = blk->done;
	struct blk_request *req;
	uint64_t now_ns, pushed = 0;

	blk->done = (struct blk_list){ 0 };
	virtio_lock(&blk->dev);
	now_ns = io_loop_now_ns(blk->loop);
	while ((req = list_take(&done))) {
		end(req);
		if (unlikely(req->range < req->range_count) && req->result == 0 &&
		    virtq_live(req->vq))
			issue(req);
		else if (settle_one(blk, req, now_ns))
			pushed |= 1ull << virtq_index(req->vq);
	}
	for (unsigned i = 0; pushed; i++, pushed >>= 1) {
		if (pushed & 1)
			virtq_flush(blk->dev.queue[i]);
	}
	doze_take(&blk->doze, now_ns);
	tell_ended(blk);
	virtio_unlock(&blk->dev);
}

/* ---- reset ---- */

DATA_PATH static void drop_from(struct blk_list *list, int index)
{
	struct blk_list all = *list;
	struct blk_request *req;

	*list = (struct blk_list){ 0 };
	while ((req = list_take(&all))) {
		if (index < 0 || virtq_index(req->vq) == (unsigned)index)
			virtq_drop(req->vq, chain_of(req));
		else
			list_add(list, req);
	}
}

DATA_PATH void blk_reset(struct virtio_blk *blk, int index)
{
	drop_from(&blk->waiting[0], index);
	drop_from(&blk->waiting[1], index);
	drop_from(&blk->held, index);
	doze_reset(&blk->doze, index);
}
