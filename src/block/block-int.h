/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * block-int.h - what formats fill in and share, inside the room
 */
#ifndef BLOCK_BLOCK_INT_H
#define BLOCK_BLOCK_INT_H

#include "block/block.h"
#include "block/dio.h"
#include "block/mark.h"

/* Base of what a format's open() makes. */
struct block {
	/* The format's. */
	_Atomic uint64_t size;
	struct block_info info; /* but for the size */

	/* block_open()'s. */
	const struct block_ops *ops;
	const char *format; /* of a kept image it changes */
	char *node_name, *path;
	bool no_flush, ignore_discard;
	unsigned queues;
	struct block_mark mark; /* of one without a keeper; an image's file has its own */
};

/* Base of what a format's queue_new() makes. */
struct block_queue {
	struct block *block;
	struct io_loop *loop;
	/* Requests that need no more than to be told. */
	struct block_request *ready, **ready_end;
	struct io_work ready_work;
};

extern const struct block_ops block_raw_ops, block_qcow2_ops, block_null_ops;
/* Raw images that other hosts keep (remote/). */
extern const struct block_ops block_iscsi_ops, block_rbd_ops;
/* An image of any format, with a temporary one in front that takes what is written. */
extern const struct block_ops block_snapshot_ops;

/* [main] What block_open() does with what a format's open() has made. */
void block_init(struct block *block, const struct block_ops *ops, const struct block_open *options);

/* [main] Take the locks on an image that say what we do with it, and what others may not do. */
bool block_lock(int fd, const char *path, bool read_only, bool shared, GError **error);
/* [any] The same for a file that is open as @old already, and will be closed there: nobody gets in
 * between. */
bool block_lock_again(int fd, int old, bool old_read_only, const char *path, bool read_only,
		      bool shared, GError **error);

/* [loop] Complete @req at the end of the loop's round. */
void block_ready(struct block_queue *queue, struct block_request *req, int result);

/*
 * [loop] The buffers of a request, from byte @from on. What lies behind them is not touched; the
 * count of bytes done is returned.
 */
uint64_t block_iov_read(const struct block_request *req, uint64_t from, void *to, uint64_t len);
uint64_t block_iov_write(const struct block_request *req, uint64_t from, const void *data,
			 uint64_t len);
uint64_t block_iov_zero(const struct block_request *req, uint64_t from, uint64_t len);
bool block_iov_fits(const struct block_request *req, struct dio_align align);

/*
 * [loop] Let req->io go on behind the first @from bytes: with the rest of the buffer that is
 * half done (in req->tail), or with all buffers behind it. False if there is nothing behind.
 */
bool block_iov_seek(struct block_request *req, uint64_t from);

#endif
