/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * null.c - an image that is not there: reads zeroes, loses writes, costs next to nothing
 *
 * What is in front of an image can be measured with it.
 */
#include "base/error.h"
#include "block/block-int.h"

static struct block *null_open(const struct block_open *options, GError **error)
{
	struct block *block;

	if (options->null_size > INT64_MAX || options->null_size % 512) {
		error_set(error, SOCLE_ERROR_USAGE,
			  "the size of a null image must be a multiple of 512 bytes");
		return NULL;
	}
	block = g_new0(struct block, 1);
	block->size = options->null_size;
	block->info = (struct block_info){
		.request_alignment = 512,
		.physical_block = 4096,
		.discard_alignment = 4096,
		.read_only = options->read_only,
		.direct = options->direct,
	};
	return block;
}

static void null_close(struct block *block)
{
	g_free(block);
}

static bool null_resize(struct block *block, uint64_t size, GError **error)
{
	(void)error;
	atomic_store(&block->size, size);
	return true;
}

DATA_PATH static void null_submit(struct block_queue *queue, struct block_request *req)
{
	if (req->op == BLOCK_READ)
		(void)block_iov_zero(req, 0, req->len);
	block_ready(queue, req, 0);
}

const struct block_ops block_null_ops = {
	.format = "null",
	.open = null_open,
	.close = null_close,
	.resize = null_resize,
	.submit = null_submit,
};
