/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * iov.c - lists of memory as one row of bytes
 */
#include "base/iov.h"

#include <stdint.h>
#include <string.h>

#include "base/cleanup.h"

/* Where one is in a list: the entries from here on, and the offset in the first of them. */
struct place {
	const struct iovec *iov;
	unsigned count;
	size_t off;
};

/* The next bytes that lie in one piece, at most @max: *ret_at, and how many; 0: the list ends here. */
DATA_PATH static inline size_t next_piece(struct place *p, size_t max, uint8_t **ret_at)
{
	size_t n;

	while (p->count && p->off >= p->iov->iov_len) {
		p->off -= p->iov->iov_len;
		p->iov++;
		p->count--;
	}
	if (!p->count || !max)
		return 0;
	n = p->iov->iov_len - p->off;
	if (n > max)
		n = max;
	*ret_at = (uint8_t *)p->iov->iov_base + p->off;
	p->off += n;
	return n;
}

DATA_PATH size_t iov_copy_out(const struct iovec *iov, unsigned count, size_t off, void *buf,
			      size_t len)
{
	struct place place = { iov, count, off };
	size_t done = 0, n;
	uint8_t *at;

	for (; (n = next_piece(&place, len - done, &at)); done += n)
		memcpy((uint8_t *)buf + done, at, n);
	return done;
}

DATA_PATH size_t iov_copy_in(const struct iovec *iov, unsigned count, size_t off, const void *buf,
			     size_t len)
{
	struct place place = { iov, count, off };
	size_t done = 0, n;
	uint8_t *at;

	for (; (n = next_piece(&place, len - done, &at)); done += n)
		memcpy(at, (const uint8_t *)buf + done, n);
	return done;
}

DATA_PATH size_t iov_zero(const struct iovec *iov, unsigned count, size_t off, size_t len)
{
	struct place place = { iov, count, off };
	size_t done = 0, n;
	uint8_t *at;

	for (; (n = next_piece(&place, len - done, &at)); done += n)
		memset(at, 0, n);
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
