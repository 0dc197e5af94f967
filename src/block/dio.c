/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dio.c - files that are open past the page cache (O_DIRECT)
 */
#include "block/dio.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/sys.h"

enum {
	BOUNCE_LEN = 256 << 10,
	BOUNCE_ALIGN = 4096,
};

bool dio_find(int fd, bool device, const char *path, struct dio_align *ret, GError **error)
{
	struct statx stx = { 0 };
	uint32_t mem = 0;
	int sector = 4096;

	if (device && sys_ioctl(fd, BLKSSZGET, &sector) < 0)
		sector = 4096;
	if (!sys_statx(fd, STATX_DIOALIGN, &stx) && stx.stx_mask & STATX_DIOALIGN) {
		if (!stx.stx_dio_offset_align)
			return error_set(error, SOCLE_ERROR_UNSUPPORTED,
					 "image '%s' can only be used through the page cache; "
					 "say direct=off",
					 path);
		mem = stx.stx_dio_mem_align;
		sector = (int)stx.stx_dio_offset_align;
	}
	if (sector <= 0 || sector > 4096 || sector & (sector - 1))
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "image '%s' wants sectors of %d bytes; say direct=off", path,
				 sector);
	ret->len = sector > 512 ? 4096 : 512;
	ret->mem = mem && !(mem & (mem - 1)) ? mem : ret->len;
	return true;
}

/* ---- whole sectors ---- */

/* A part that is no multiple of sectors is the file's last. */
static ssize_t read_sectors(int fd, struct dio_align align, uint64_t off, void *buf, size_t len)
{
	size_t done = 0;

	while (done < len) {
		const ssize_t n =
			sys_pread(fd, (uint8_t *)buf + done, len - done, (off_t)(off + done));

		if (n < 0)
			return n;
		done += (size_t)n;
		if (!n || done % align.len)
			break;
	}
	return (ssize_t)done;
}

static int write_sectors(int fd, uint64_t off, const void *buf, size_t len)
{
	size_t done = 0;

	while (done < len) {
		const ssize_t n = sys_pwrite(fd, (const uint8_t *)buf + done, len - done,
					     (off_t)(off + done));

		if (n < 0)
			return (int)n;
		if (!n)
			return -ENOSPC; /* the end of a device */
		done += (size_t)n;
	}
	return 0;
}

/* ---- any bytes, through a buffer ---- */

/* A piece of [off, off + len): the sectors that it needs, as many as a buffer holds. */
struct piece {
	uint64_t first;    /* of the first sector */
	size_t all;        /* of the sectors */
	size_t skip, used; /* what of these bytes is asked for */
};

static struct piece cut_piece(struct dio_align align, uint64_t off, size_t len)
{
	const uint64_t mask = align.len - 1;
	struct piece piece = { .first = off & ~mask, .skip = (size_t)(off & mask) };

	piece.used = MIN(len, BOUNCE_LEN - piece.skip);
	piece.all = (size_t)((piece.skip + piece.used + mask) & ~mask);
	return piece;
}

static void *bounce_new(struct dio_align align, size_t len)
{
	return g_aligned_alloc(1, MIN((len + 2 * (size_t)align.len), (size_t)BOUNCE_LEN),
			       BOUNCE_ALIGN);
}

ssize_t dio_read(int fd, struct dio_align align, uint64_t off, void *buf, size_t len)
{
	uint8_t *bounce;
	size_t done = 0;
	ssize_t got = 0;

	if (dio_fits(align, buf, off, len))
		return read_sectors(fd, align, off, buf, len);
	bounce = bounce_new(align, len);
	while (done < len) {
		const struct piece piece = cut_piece(align, off + done, len - done);
		size_t n;

		got = read_sectors(fd, align, piece.first, bounce, piece.all);
		if (got < 0)
			break;
		n = MIN(MAX((size_t)got, piece.skip) - piece.skip, piece.used);
		memcpy((uint8_t *)buf + done, bounce + piece.skip, n);
		done += n;
		if (n < piece.used)
			break;
	}
	g_aligned_free(bounce);
	return got < 0 ? got : (ssize_t)done;
}

/* What its first and its last sector have, if it has not all of them. */
static int fill_edges(int fd, struct dio_align align, const struct piece *piece, uint8_t *bounce)
{
	const size_t end = piece->skip + piece->used, last = piece->all - align.len;
	const bool head = piece->skip, tail = end < piece->all && (last || !head);
	ssize_t got = 0;

	memset(bounce, 0, align.len);
	memset(bounce + last, 0, align.len);
	if (head)
		got = read_sectors(fd, align, piece->first, bounce, align.len);
	if (got >= 0 && tail)
		got = read_sectors(fd, align, piece->first + last, bounce + last, align.len);
	return got < 0 ? (int)got : 0;
}

static int write_pieces(int fd, struct dio_align align, uint64_t off, const uint8_t *buf,
			size_t len, uint8_t *bounce)
{
	for (size_t done = 0; done < len;) {
		const struct piece piece = cut_piece(align, off + done, len - done);
		int ret = fill_edges(fd, align, &piece, bounce);

		memcpy(bounce + piece.skip, buf + done, piece.used);
		if (!ret)
			ret = write_sectors(fd, piece.first, bounce, piece.all);
		if (ret < 0)
			return ret;
		done += piece.used;
	}
	return 0;
}

int dio_write(int fd, struct dio_align align, uint64_t off, const void *buf, size_t len)
{
	const uint64_t end = off + len, padded = (end + align.len - 1) & ~(uint64_t)(align.len - 1);
	struct stat st;
	uint8_t *bounce;
	int ret;

	if (dio_fits(align, buf, off, len))
		return write_sectors(fd, off, buf, len);
	ret = sys_fstat(fd, &st);
	if (ret < 0)
		return ret;
	bounce = bounce_new(align, len);
	ret = write_pieces(fd, align, off, buf, len, bounce);
	g_aligned_free(bounce);
	if (!ret && S_ISREG(st.st_mode) && (uint64_t)st.st_size < padded && end < padded)
		ret = sys_ftruncate(fd, (off_t)MAX((uint64_t)st.st_size, end));
	return ret;
}
