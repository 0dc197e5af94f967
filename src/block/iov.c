/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * iov.c - a request's buffers as one row of bytes
 */
#include "base/iov.h"
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

DATA_PATH bool block_iov_fits(const struct block_request *req, struct dio_align align)
{
	uintptr_t bits = 0;

	for (unsigned i = 0; i < req->iov_count; i++) {
		bits |= (uintptr_t)req->iov[i].iov_base & (align.mem - 1);
		bits |= req->iov[i].iov_len & (align.len - 1);
	}
	return !bits;
}

DATA_PATH uint64_t block_iov_read(const struct block_request *req, uint64_t from, void *to,
				  uint64_t len)
{
	return iov_copy_out(req->iov, req->iov_count, from, to, len);
}

DATA_PATH uint64_t block_iov_write(const struct block_request *req, uint64_t from, const void *data,
				   uint64_t len)
{
	return iov_copy_in(req->iov, req->iov_count, from, data, len);
}

DATA_PATH uint64_t block_iov_zero(const struct block_request *req, uint64_t from, uint64_t len)
{
	return iov_zero(req->iov, req->iov_count, from, len);
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
