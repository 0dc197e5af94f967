/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * file.c - an image on another host as a file, call by call
 *
 * Requests of block.h one at a time, on a loop that is there for nothing else. What does not begin and end
 * with a block is read, changed and written as whole blocks.
 */
#include "block/file.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "base/error.h"
#include "block/block.h"
#include "block/remote/remote.h"

enum {
	BOUNCE_LEN = 64 << 10,
};

struct remote_file {
	struct block_file base;
	struct block *block;
	struct io_loop *loop;
	struct block_queue *queue;
};

/* Reads may come from several threads at once: each waits for its own. */
struct wait {
	struct block_request req;
	struct iovec iov;
	struct io_work work;
	struct remote_file *file;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool done;
	int result;
};

static struct remote_file *remote_of(struct block_file *file)
{
	return container_of(file, struct remote_file, base);
}

static void on_done(struct block_request *req, int result)
{
	struct wait *wait = container_of(req, struct wait, req);

	pthread_mutex_lock(&wait->lock);
	wait->done = true;
	wait->result = result;
	pthread_cond_signal(&wait->changed);
	pthread_mutex_unlock(&wait->lock);
}

static void submit(void *opaque)
{
	struct wait *wait = opaque;

	block_submit(wait->file->queue, &wait->req);
}

static int call(struct remote_file *file, enum block_op op, unsigned flags, uint64_t off, void *buf,
		uint64_t len)
{
	struct wait wait = {
		.req = { .op = op,
			 .flags = flags,
			 .off = off,
			 .len = len,
			 .iov_count = buf ? 1 : 0,
			 .done = on_done },
		.iov = { buf, len },
		.work = { .fn = submit },
		.file = file,
	};

	wait.req.iov = &wait.iov;
	wait.work.opaque = &wait;
	pthread_mutex_init(&wait.lock, NULL);
	pthread_cond_init(&wait.changed, NULL);
	io_loop_post(file->loop, &wait.work);
	pthread_mutex_lock(&wait.lock);
	while (!wait.done)
		pthread_cond_wait(&wait.changed, &wait.lock);
	pthread_mutex_unlock(&wait.lock);
	pthread_cond_destroy(&wait.changed);
	pthread_mutex_destroy(&wait.lock);
	return wait.result;
}

static struct block_info info_of(const struct remote_file *file)
{
	struct block_info info;

	block_info(file->block, &info);
	return info;
}

static int64_t remote_size(struct block_file *base)
{
	return (int64_t)info_of(remote_of(base)).size;
}

/* A part of a block, or several: @len bytes at @off by way of a buffer. */
static int move_odd(struct remote_file *file, bool write, uint64_t off, uint8_t *buf, size_t len)
{
	const uint64_t unit = info_of(file).request_alignment;
	const uint64_t first = off / unit * unit;
	const uint64_t all = (off + len + unit - 1) / unit * unit - first;
	g_autofree uint8_t *bounce = g_malloc(all);
	int ret = call(file, BLOCK_READ, 0, first, bounce, all);

	if (ret < 0)
		return ret;
	if (!write) {
		memcpy(buf, bounce + (off - first), len);
		return 0;
	}
	memcpy(bounce + (off - first), buf, len);
	return call(file, BLOCK_WRITE, 0, first, bounce, all);
}

static int move(struct remote_file *file, bool write, uint64_t off, uint8_t *buf, size_t len)
{
	const uint64_t unit = info_of(file).request_alignment;
	int ret = 0;

	while (len && ret >= 0) {
		const bool odd = off % unit || len < unit;
		size_t n = odd ? MIN(len, (size_t)(BOUNCE_LEN - off % unit)) : len - len % unit;

		/* Up to the next block, so that the rest of it goes straight. */
		if (odd && off % unit)
			n = MIN(n, (size_t)(unit - off % unit));
		ret = odd ? move_odd(file, write, off, buf, n)
			  : call(file, write ? BLOCK_WRITE : BLOCK_READ, 0, off, buf, n);
		off += n;
		buf += n;
		len -= n;
	}
	return ret;
}

static ssize_t remote_read(struct block_file *base, uint64_t off, void *buf, size_t len)
{
	struct remote_file *file = remote_of(base);
	const uint64_t size = info_of(file).size;
	const size_t n = off < size ? (size_t)MIN((uint64_t)len, size - off) : 0;
	const int ret = n ? move(file, false, off, buf, n) : 0;

	return ret < 0 ? ret : (ssize_t)n;
}

static int remote_write(struct block_file *base, uint64_t off, const void *buf, size_t len)
{
	struct remote_file *file = remote_of(base);
	const uint64_t size = info_of(file).size;

	if (off > size || len > size - off)
		return -ENOSPC;
	return move(file, true, off, (uint8_t *)(uintptr_t)buf, len);
}

static int remote_sync(struct block_file *base)
{
	return call(remote_of(base), BLOCK_FLUSH, 0, 0, NULL, 0);
}

static int remote_resize(struct block_file *base, uint64_t size)
{
	return size == info_of(remote_of(base)).size ? 0 : -ENOTSUP;
}

static int remote_punch(struct block_file *base, uint64_t off, uint64_t len)
{
	struct remote_file *file = remote_of(base);
	const uint64_t unit = info_of(file).request_alignment;

	if (off % unit || len % unit)
		return -ENOTSUP;
	return call(file, BLOCK_WRITE_ZEROES, BLOCK_UNMAP, off, NULL, len);
}

static int remote_extent(struct block_file *base, uint64_t off, uint64_t *ret_len, bool *ret_data)
{
	(void)base;
	*ret_len = INT64_MAX - off;
	*ret_data = true;
	return 0;
}

static int remote_allocate(struct block_file *base, uint64_t off, uint64_t len)
{
	(void)base;
	(void)off;
	(void)len;
	return -ENOTSUP;
}

static void remote_close(struct block_file *base)
{
	struct remote_file *file = remote_of(base);

	block_queue_free(file->queue);
	io_loop_free(file->loop);
	block_close(file->block);
	g_free(file);
}

static const struct block_file_ops remote_ops = {
	.read = remote_read,
	.write = remote_write,
	.sync = remote_sync,
	.size = remote_size,
	.resize = remote_resize,
	.punch = remote_punch,
	.extent = remote_extent,
	.allocate = remote_allocate,
	.allocated = remote_size,
	.close = remote_close,
};

struct block_file *remote_file_open(const char *url, const struct remote_login *login,
				    unsigned flags, GError **error)
{
	const struct block_open options = {
		.path = url,
		.format = "raw",
		.login = login,
		.read_only = !(flags & BLOCK_FILE_WRITE),
		.no_flush = flags & BLOCK_FILE_NO_FLUSH,
	};
	struct remote_file *file;
	struct block *block;

	if (flags & BLOCK_FILE_CREATE) {
		error_set(error, SOCLE_ERROR_UNSUPPORTED,
			  "image '%s' is another host's, which makes it; write to it as it is",
			  url);
		return NULL;
	}
	block = block_open(&options, error);
	if (!block)
		return NULL;
	file = g_new0(struct remote_file, 1);
	file->base.ops = &remote_ops;
	file->block = block;
	file->loop = io_loop_new("remote", IO_LOOP_THREADS, error);
	file->queue = file->loop ? block_queue_new(block, file->loop, error) : NULL;
	if (file->queue)
		return &file->base;
	remote_close(&file->base);
	return NULL;
}
