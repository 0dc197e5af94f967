/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vol-copy.c - bytes from volume to volume: only data moves, and the kernel moves it where it can
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/error.h"
#include "base/sys.h"
#include "block/image.h"
#include "daemon/pools-int.h"

enum {
	COPY_STEP =
		16
		<< 20, /* of the kernel; between two of them is looked whether it is still wanted */
	COPY_BUFFER = 1 << 20,
};

static const uint64_t map_step = UINT64_C(1) << 30;

static void count(struct vol_work *work, uint64_t bytes)
{
	if (work)
		atomic_fetch_add(&work->done, bytes);
}

/* Where the kernel cannot. */
static ssize_t copy_by_hand(int from, uint64_t from_off, int to, uint64_t to_off, size_t len)
{
	g_autofree uint8_t *buffer = g_malloc(MIN(len, (size_t)COPY_BUFFER));
	ssize_t n = sys_pread(from, buffer, MIN(len, (size_t)COPY_BUFFER), (off_t)from_off), m;

	for (ssize_t done = 0; done < n; done += m) {
		m = sys_pwrite(to, buffer + done, (size_t)(n - done), (off_t)to_off + done);
		if (m <= 0)
			return m ? m : -ENOSPC;
	}
	return n;
}

static bool is_refused(ssize_t ret)
{
	return ret == -EXDEV || ret == -EINVAL || ret == -EOPNOTSUPP || ret == -ENOSYS ||
	       ret == -EBADF || ret == -EPERM;
}

ssize_t vol_copy_some(int from, uint64_t from_off, int to, uint64_t to_off, size_t len,
		      bool *by_hand)
{
	ssize_t n = -EXDEV;

	if (!*by_hand)
		n = sys_copy_range(from, (off_t)from_off, to, (off_t)to_off, len);
	if (!is_refused(n))
		return n;
	*by_hand = true;
	return copy_by_hand(from, from_off, to, to_off, len);
}

/* [off, end) of data. */
static bool copy_range(int from, int to, uint64_t off, uint64_t end, bool soon,
		       struct vol_work *work, GError **error)
{
	bool by_hand = false;

	while (off < end) {
		size_t step = (size_t)MIN(end - off, (uint64_t)COPY_STEP);
		ssize_t n = vol_copy_some(from, off, to, off, step, &by_hand);

		if (!work_is_wanted(work, error))
			return false;
		if (n < 0)
			return error_sys(error, (int)n, "cannot copy the volume's bytes");
		/* It has become shorter meanwhile. */
		if (n == 0)
			return true;
		if (soon)
			sys_write_soon(to, (off_t)off, (off_t)n);
		off += (uint64_t)n;
		count(work, (uint64_t)n);
	}
	return true;
}

bool vol_copy_data(int from, int to, uint64_t off, uint64_t len, bool soon, struct vol_work *work,
		   GError **error)
{
	const uint64_t end = off + len;

	while (off < end) {
		off_t data = sys_lseek(from, (off_t)off, SEEK_DATA), hole;
		uint64_t stop = end;

		if (data == -ENXIO)
			return true;
		/* Who cannot tell has data everywhere. */
		if (data < 0)
			return copy_range(from, to, off, end, soon, work, error);
		if ((uint64_t)data >= end)
			return true;
		hole = sys_lseek(from, data, SEEK_HOLE);
		if (hole > data)
			stop = MIN(end, (uint64_t)hole);
		if (!copy_range(from, to, (uint64_t)data, stop, soon, work, error))
			return false;
		off = stop;
	}
	return true;
}

/* == From image to image == */

static bool is_zero(const uint8_t *bytes, size_t len)
{
	return !bytes[0] && !memcmp(bytes, bytes + 1, len - 1);
}

struct conversion {
	struct image *from, *to;
	bool blank; /* @to is new */
	uint8_t *buffer;
	struct vol_work *work;
};

static bool put_zeroes(const struct conversion *c, uint64_t off, uint64_t len, GError **error)
{
	return (c->blank && !c->to->backing_file && !c->to->ops->new_is_noise) ||
	       image_zero(c->to, off, MIN(len, c->to->size - off), true, error);
}

static bool put_data(const struct conversion *c, uint64_t off, uint64_t len, GError **error)
{
	while (len) {
		size_t n = (size_t)MIN(len, (uint64_t)COPY_BUFFER);
		size_t padded = MIN((n + 511) / 512 * 512, (size_t)(c->to->size - off));
		bool ok;

		if (!work_is_wanted(c->work, error) ||
		    !image_read(c->from, off, c->buffer, n, error))
			return false;
		memset(c->buffer + n, 0, padded - n);
		ok = is_zero(c->buffer, padded) ? put_zeroes(c, off, padded, error)
						: image_write(c->to, off, c->buffer, padded, error);
		if (!ok)
			return false;
		count(c->work, n);
		off += n;
		len -= n;
	}
	return true;
}

bool vol_convert(struct image *from, struct image *to, bool blank, struct vol_work *work,
		 GError **error)
{
	g_autofree uint8_t *buffer = g_malloc(COPY_BUFFER + 512);
	const struct conversion c = { from, to, blank, buffer, work };
	uint64_t off = 0;

	while (off < from->size) {
		struct image_extent extent;
		bool ok;

		if (!work_is_wanted(work, error) ||
		    !image_map_chain(from, off, MIN(from->size - off, map_step), &extent, error))
			return false;
		ok = extent.kind == IMAGE_DATA
			     ? put_data(&c, off, extent.len, error)
			     : put_zeroes(&c, off, (extent.len + 511) / 512 * 512, error);
		if (!ok)
			return false;
		off += extent.len;
	}
	if (to->size > off && !put_zeroes(&c, off, to->size - off, error))
		return false;
	return image_flush(to, error);
}
