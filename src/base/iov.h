/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * iov.h - lists of memory as one row of bytes
 *
 * Entries may be empty. Any thread; nothing is allocated.
 */
#ifndef BASE_IOV_H
#define BASE_IOV_H

#include <stddef.h>
#include <sys/uio.h>

/* Copy from or to a list, or clear it, starting at byte @off of it; how many bytes there were. */
size_t iov_copy_out(const struct iovec *iov, unsigned count, size_t off, void *buf, size_t len);
size_t iov_copy_in(const struct iovec *iov, unsigned count, size_t off, const void *buf,
		   size_t len);
size_t iov_zero(const struct iovec *iov, unsigned count, size_t off, size_t len);
/* Sum of the lengths; SIZE_MAX if there are more than fit. */
size_t iov_len(const struct iovec *iov, unsigned count);
/* Drop @len bytes from the front of a list in place: *iov and *count change, and one entry. */
void iov_skip(struct iovec **iov, unsigned *count, size_t len);

#endif
