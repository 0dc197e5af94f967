/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * iov.c - a request's buffers as one row of bytes
 */
#include <string.h>

#include "block/block-int.h"

/* Index of the buffer that holds byte @from, and how far into it that is. */
DATA_PATH static unsigned iov_find(const struct block_request *req, uint64_t from,
				   uint64_t *ret_skip)
{
	unsigned i = 0;

	while (i < req->iov_count && from >= req->iov[i].iov_len) {
		from -= req->iov[i].iov_len;
		i++;
	}
	*ret_skip = from;
	return i;
}

enum iov_move {
	IOV_READ,
	IOV_WRITE,
	IOV_ZERO
};

DATA_PATH static void move_bytes(enum iov_move move, char *at, char *data, uint64_t n)
{
	if (move == IOV_READ)
		memcpy(data, at, n);
	else if (move == IOV_WRITE)
		memcpy(at, data, n);
	else
		memset(at, 0, n);
}

DATA_PATH static uint64_t iov_move(const struct block_request *req, uint64_t from, char *data,
				   uint64_t len, enum iov_move move)
{
	uint64_t skip, done = 0;

	for (unsigned i = iov_find(req, from, &skip); i < req->iov_count && done < len; i++) {
		uint64_t n = MIN(req->iov[i].iov_len - skip, len - done);

		move_bytes(move, (char *)req->iov[i].iov_base + skip, data ? data + done : NULL, n);
		done += n;
		skip = 0;
	}
	return done;
}

DATA_PATH uint64_t block_iov_read(const struct block_request *req, uint64_t from, void *to,
				  uint64_t len)
{
	return iov_move(req, from, to, len, IOV_READ);
}

DATA_PATH uint64_t block_iov_write(const struct block_request *req, uint64_t from, const void *data,
				   uint64_t len)
{
	return iov_move(req, from, (char *)(uintptr_t)data, len, IOV_WRITE);
}

DATA_PATH uint64_t block_iov_zero(const struct block_request *req, uint64_t from, uint64_t len)
{
	return iov_move(req, from, NULL, len, IOV_ZERO);
}

DATA_PATH bool block_iov_seek(struct block_request *req, uint64_t from)
{
	uint64_t skip;
	unsigned i = iov_find(req, from, &skip);

	if (i >= req->iov_count)
		return false;
	if (skip) {
		req->tail[0] = (struct iovec){
			.iov_base = (char *)req->iov[i].iov_base + skip,
			.iov_len = req->iov[i].iov_len - skip,
		};
		req->io.iov = req->tail;
		req->io.iov_count = 1;
	} else {
		req->io.iov = &req->iov[i];
		req->io.iov_count = req->iov_count - i;
	}
	return true;
}
