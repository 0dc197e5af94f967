/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * iov.c - lists of memory as one row of bytes
 */
#include "base/iov.h"

#include <stdint.h>
#include <string.h>

#include "base/cleanup.h"

/* Where byte @off is: *iov, *count and *off become the entry and the offset in it. */
DATA_PATH static void seek(const struct iovec **iov, unsigned *count, size_t *off)
{
	while (*count && *off >= (*iov)->iov_len) {
		*off -= (*iov)->iov_len;
		++*iov;
		--*count;
	}
}

DATA_PATH size_t iov_copy_out(const struct iovec *iov, unsigned count, size_t off, void *buf,
			      size_t len)
{
	size_t done = 0;

	seek(&iov, &count, &off);
	for (; count && done < len; iov++, count--, off = 0) {
		size_t part = iov->iov_len - off;

		if (part > len - done)
			part = len - done;
		if (part)
			memcpy((uint8_t *)buf + done, (const uint8_t *)iov->iov_base + off, part);
		done += part;
	}
	return done;
}

DATA_PATH size_t iov_copy_in(const struct iovec *iov, unsigned count, size_t off, const void *buf,
			     size_t len)
{
	size_t done = 0;

	seek(&iov, &count, &off);
	for (; count && done < len; iov++, count--, off = 0) {
		size_t part = iov->iov_len - off;

		if (part > len - done)
			part = len - done;
		if (part)
			memcpy((uint8_t *)iov->iov_base + off, (const uint8_t *)buf + done, part);
		done += part;
	}
	return done;
}

DATA_PATH size_t iov_zero(const struct iovec *iov, unsigned count, size_t off, size_t len)
{
	size_t done = 0;

	seek(&iov, &count, &off);
	for (; count && done < len; iov++, count--, off = 0) {
		size_t part = iov->iov_len - off;

		if (part > len - done)
			part = len - done;
		if (part)
			memset((uint8_t *)iov->iov_base + off, 0, part);
		done += part;
	}
	return done;
}

DATA_PATH size_t iov_len(const struct iovec *iov, unsigned count)
{
	size_t len = 0;

	for (unsigned i = 0; i < count; i++) {
		if (iov[i].iov_len > SIZE_MAX - len)
			return SIZE_MAX;
		len += iov[i].iov_len;
	}
	return len;
}

DATA_PATH void iov_skip(struct iovec **iov, unsigned *count, size_t len)
{
	while (*count && len >= (*iov)->iov_len) {
		len -= (*iov)->iov_len;
		++*iov;
		--*count;
	}
	if (*count && len) {
		(*iov)->iov_base = (uint8_t *)(*iov)->iov_base + len;
		(*iov)->iov_len -= len;
	}
}
