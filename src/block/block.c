/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * block.c - disk images: opening by format, queues, and the checks in front of every request
 */
#include "block/block.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <string.h>

#include "base/error.h"
#include "block/block-int.h"
#include "block/image.h"
#include "block/keep.h"
#include "block/remote/url.h"

static const struct block_ops *const formats[] = { &block_raw_ops, &block_qcow2_ops,
						   &block_null_ops };

const char *block_format_names(void)
{
	return "raw, qcow2, null";
}

static const struct block_ops *lookup(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		if (name && !strcmp(name, formats[i]->format))
			return formats[i];
	}
	return NULL;
}

bool block_format_is_known(const char *name)
{
	return lookup(name) != NULL;
}

static const struct block_ops *format_find(const char *name, GError **error)
{
	const struct block_ops *ops = lookup(name);

	if (ops)
		return ops;
	error_set(error, SOCLE_ERROR_UNSUPPORTED,
		  "there is no image format '%s'; those there are: %s", name ? name : "",
		  block_format_names());
	return NULL;
}

/* Who gives a secret must not learn later that nothing was encrypted. */
static bool check_secrets(const struct block_ops *ops, const struct block_open *options,
			  GError **error)
{
	return !options->secret_count || ops->takes_secrets ||
	       error_set(error, SOCLE_ERROR_USAGE,
			 "images of format '%s' are not encrypted, but a secret is given; leave "
			 "encrypt.key-secret out, or give format=qcow2",
			 ops->format);
}

/* Raw images that are elsewhere are reached in another way; other formats read them as a file. */
static const struct block_ops *by_place(const struct block_ops *ops, const char *path)
{
	if (ops != &block_raw_ops || !remote_url_is(path))
		return ops;
	return g_str_has_prefix(path, "iscsi:") ? &block_iscsi_ops : &block_rbd_ops;
}

struct block *block_open(const struct block_open *options, GError **error)
{
	const struct block_ops *ops = by_place(format_find(options->format, error), options->path);
	struct block *block;

	if (ops && options->snapshot)
		ops = &block_snapshot_ops;
	block = ops && check_secrets(ops, options, error) ? ops->open(options, error) : NULL;

	if (!block)
		return NULL;
	block_init(block, ops, options);
	return block;
}

void block_init(struct block *block, const struct block_ops *ops, const struct block_open *options)
{
	block->ops = ops;
	if (!block->format)
		block->format = ops->format;
	block->node_name = g_strdup(options->node_name ? options->node_name : "");
	block->path = g_strdup(options->path ? options->path : "");
	block->no_flush = options->no_flush && !ops->flushes_itself;
	block->ignore_discard = options->discard == BLOCK_DISCARD_IGNORE;
}

void block_close(struct block *block)
{
	if (!block)
		return;
	assert(!block->queues);
	g_free(block->node_name);
	g_free(block->path);
	block->ops->close(block);
}

const char *block_node_name(const struct block *block)
{
	return block->node_name;
}

const char *block_path(const struct block *block)
{
	return block->path;
}

const char *block_format(const struct block *block)
{
	return block->format;
}

void block_info(const struct block *block, struct block_info *ret_info)
{
	*ret_info = block->info;
	ret_info->size = atomic_load(&block->size);
}

uint64_t block_allocated(const struct block *block)
{
	return block->ops->allocated ? block->ops->allocated((struct block *)(uintptr_t)block) : 0;
}

bool block_resize_check(const struct block *block, uint64_t size, GError **error)
{
	if (block->info.read_only)
		return error_set(error, SOCLE_ERROR_DENIED,
				 "image '%s' is open for reading only; open it with read-only=off",
				 block->path);
	if (!block->ops->resize)
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "images of format '%s' cannot be resized", block->format);
	if (size > INT64_MAX || size % block->info.request_alignment)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "the size of image '%s' must be a multiple of %u bytes",
				 block->path, block->info.request_alignment);
	return true;
}

bool block_resize(struct block *block, uint64_t size, GError **error)
{
	return block_resize_check(block, size, error) && block->ops->resize(block, size, error);
}

static struct block_mark *mark_of(struct block *block)
{
	struct image *image = block_is_kept(block) ? block_image(block) : NULL;

	return image && image->file ? &image->file->mark : &block->mark;
}

void block_set_threshold(struct block *block, uint64_t off)
{
	block_mark_set(mark_of(block), off);
}

uint64_t block_threshold(struct block *block)
{
	return atomic_load(&mark_of(block)->limit);
}

uint64_t block_beyond_threshold(struct block *block)
{
	return atomic_exchange(&mark_of(block)->beyond, 0);
}

/* Queues */

/* The queue may be freed as soon as the last request has been told. */
DATA_PATH static void ready_run(void *opaque)
{
	struct block_queue *queue = opaque;
	struct block_request *req = queue->ready;

	queue->ready = NULL;
	queue->ready_end = &queue->ready;
	while (req) {
		struct block_request *next = req->next;

		req->done(req, req->result);
		req = next;
	}
}

DATA_PATH void block_ready(struct block_queue *queue, struct block_request *req, int result)
{
	bool first = !queue->ready;

	req->result = result;
	req->next = NULL;
	*queue->ready_end = req;
	queue->ready_end = &req->next;
	if (first)
		io_loop_post(queue->loop, &queue->ready_work);
}

struct block_queue *block_queue_new(struct block *block, struct io_loop *loop, GError **error)
{
	struct block_queue *queue = block->ops->queue_new ? block->ops->queue_new(block, loop)
							  : g_new0(struct block_queue, 1);

	if (!queue) {
		error_set(error, SOCLE_ERROR_LIMIT, "no memory for a queue of image '%s'",
			  block->path);
		return NULL;
	}
	queue->block = block;
	queue->loop = loop;
	queue->ready_end = &queue->ready;
	queue->ready_work = (struct io_work){ .fn = ready_run, .opaque = queue };
	block->queues++;
	return queue;
}

void block_queue_free(struct block_queue *queue)
{
	if (!queue)
		return;
	assert(!queue->ready);
	queue->block->queues--;
	if (queue->block->ops->queue_free)
		queue->block->ops->queue_free(queue);
	else
		g_free(queue);
}

struct block *block_queue_block(const struct block_queue *queue)
{
	return queue->block;
}

/* Requests */

enum {
	GO_ON = 1
};

DATA_PATH static int check_range(const struct block *block, const struct block_request *req)
{
	uint64_t size = atomic_load_explicit(&block->size, memory_order_relaxed);
	uint64_t mask = block->info.request_alignment - 1;

	if ((req->off | req->len) & mask)
		return -EINVAL;
	if (req->off > size || req->len > size - req->off)
		return -EINVAL;
	return 0;
}

/* A result that is known without asking the format, or GO_ON. */
DATA_PATH static int check(const struct block *block, const struct block_request *req)
{
	int ret;

	if (req->op == BLOCK_FLUSH)
		return block->no_flush || block->info.read_only ? 0 : GO_ON;
	if ((unsigned)req->op >= BLOCK_OP_COUNT)
		return -EINVAL;
	if (req->op != BLOCK_READ && block->info.read_only)
		return -EROFS;
	ret = check_range(block, req);
	if (ret < 0)
		return ret;
	if (req->op == BLOCK_READ || req->op == BLOCK_WRITE) {
		if (req->iov_count > IOV_MAX)
			return -EINVAL;
	} else if (req->op == BLOCK_DISCARD && block->ignore_discard) {
		return 0;
	}
	return req->len ? GO_ON : 0;
}

DATA_PATH void block_submit(struct block_queue *queue, struct block_request *req)
{
	int ret = check(queue->block, req);

	req->queue = queue;
	if (likely(ret == GO_ON))
		queue->block->ops->submit(queue, req);
	else
		block_ready(queue, req, ret);
}
