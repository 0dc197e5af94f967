/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * raw-open.c - raw images: opening, what the host's disk wants, size
 *
 * The size of a file is rounded up to whole sectors, as QEMU does: what is missing reads as zero
 * until it is written.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/error.h"
#include "base/sys.h"
#include "block/raw-int.h"

static bool open_error(GError **error, int err, const struct block_open *options)
{
	const char *remedy = "";

	if (err == -EISDIR)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "image '%s' is a directory; name a file or a block device",
				 options->path);
	if ((err == -EACCES || err == -EROFS || err == -EPERM) && !options->read_only)
		remedy = " for writing (read-only=on asks for less)";
	else if (err == -EINVAL && options->direct)
		remedy = " past the page cache (direct=off goes through it)";
	return error_sys(error, err, "cannot open image '%s'%s", options->path, remedy);
}

/* Not waiting for anybody: what is named may be a FIFO or a terminal. */
static int image_open(const struct block_open *options, const char *path, struct stat *ret_st,
		      GError **error)
{
	int flags = O_NONBLOCK | O_NOCTTY | (options->read_only ? O_RDONLY : O_RDWR) |
		    (options->direct ? O_DIRECT : 0);
	autofd int fd = sys_open(path, flags, 0);
	int ret = fd;

	if (ret >= 0)
		ret = sys_fstat(fd, ret_st);
	if (ret >= 0)
		ret = sys_set_block(fd);
	if (ret >= 0 && S_ISDIR(ret_st->st_mode))
		ret = -EISDIR;
	if (ret < 0) {
		open_error(error, ret, options);
		return -1;
	}
	if (!S_ISREG(ret_st->st_mode) && !S_ISBLK(ret_st->st_mode)) {
		error_set(error, SOCLE_ERROR_USAGE,
			  "image '%s' is neither a file nor a block device", options->path);
		return -1;
	}
	return fd_steal(&fd);
}

/* A number in the device's folder in sysfs; a partition has it in its disk's. 0: none. */
static uint64_t device_attribute(dev_t dev, const char *name)
{
	static const char *const places[] = { "queue", "../queue" };
	char text[32] = "";

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		g_autofree char *path = g_strdup_printf("/sys/dev/block/%u:%u/%s/%s", major(dev),
							minor(dev), places[i], name);
		autofd int fd = sys_open(path, O_RDONLY, 0);

		if (fd >= 0 && sys_read_full(fd, text, sizeof(text) - 1) > 0)
			return g_ascii_strtoull(text, NULL, 10);
	}
	return 0;
}

static uint32_t clamp_block(uint64_t len)
{
	if (len < 512 || len > 64 << 10 || (len & (len - 1)))
		return len > 64 << 10 ? 64 << 10 : 4096;
	return (uint32_t)len;
}

/* Bytes, rounded up to what requests are made of; negative: -errno. */
static int64_t find_size(const struct raw *raw)
{
	uint64_t align = raw->base.info.request_alignment, size = 0;
	struct stat st;
	int ret;

	if (raw->device) {
		ret = sys_ioctl(raw->fd, BLKGETSIZE64, &size);
		size = size / align * align;
	} else {
		ret = sys_fstat(raw->fd, &st);
		size = ret < 0 ? 0 : (uint64_t)st.st_size;
	}
	if (ret < 0)
		return ret;
	if (size > INT64_MAX - align)
		return -EFBIG;
	return (int64_t)((size + align - 1) / align * align);
}

/* Would a discard give space back? A hole behind the end of a file changes nothing. */
static bool can_discard(const struct raw *raw, const struct block_open *options, dev_t dev)
{
	off_t behind = (off_t)((raw->base.size + 0xffff) & ~(uint64_t)0xffff);

	if (options->read_only || options->discard == BLOCK_DISCARD_IGNORE)
		return false;
	if (raw->device)
		return device_attribute(dev, "discard_max_bytes") > 0;
	return sys_fallocate(raw->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, behind, 4096) >=
	       0;
}

static bool find_info(struct raw *raw, const struct block_open *options, const struct stat *st,
		      GError **error)
{
	struct block_info *info = &raw->base.info;
	unsigned physical = (unsigned)st->st_blksize;
	uint64_t granularity = 0;
	int64_t size;

	*info = (struct block_info){
		.request_alignment = 512,
		.read_only = options->read_only,
		.direct = options->direct,
		.fixed_size = raw->device,
	};
	if (options->direct && !dio_find(raw->fd, raw->device, options->path, &raw->align, error))
		return false;
	if (options->direct)
		info->request_alignment = raw->align.len;
	size = find_size(raw);
	if (size < 0)
		return error_sys(error, (int)size, "cannot find out the size of image '%s'",
				 options->path);
	raw->base.size = (uint64_t)size;
	if (raw->device) {
		(void)sys_ioctl(raw->fd, BLKPBSZGET, &physical);
		granularity = device_attribute(st->st_rdev, "discard_granularity");
	}
	info->physical_block = clamp_block(MAX(physical, info->request_alignment));
	info->discard_alignment = granularity ? clamp_block(granularity) : info->physical_block;
	info->discard = can_discard(raw, options, st->st_rdev);
	return true;
}

/* @old: of the same file, whose locks pass over; -1: none. */
static struct block *open_path(const struct block_open *options, const char *path, int old,
			       GError **error)
{
	const bool read_only = options->read_only, shared = options->shared;
	struct stat st = { 0 };
	struct raw *raw;
	int fd = image_open(options, path, &st, error);

	if (fd < 0)
		return NULL;
	raw = g_new0(struct raw, 1);
	raw->fd = fd;
	raw->device = S_ISBLK(st.st_mode);
	raw->zeroes = g_aligned_alloc0(1, ZERO_LEN, BOUNCE_ALIGN);
	for (size_t i = 0; i < ZERO_IOVS; i++)
		raw->zero_iov[i] = (struct iovec){ raw->zeroes, ZERO_LEN };
	if (!(old < 0 ? block_lock(fd, options->path, read_only, shared, error)
		      : block_lock_again(fd, old, read_only, options->path, read_only, shared,
					 error)) ||
	    !find_info(raw, options, &st, error)) {
		raw_close(&raw->base);
		return NULL;
	}
	return &raw->base;
}

struct block *raw_open(const struct block_open *options, GError **error)
{
	if (options->path && *options->path)
		return open_path(options, options->path, -1, error);
	error_set(error, SOCLE_ERROR_USAGE, "an image of format 'raw' needs a file name");
	return NULL;
}

struct block *raw_open_again(const struct block_open *options, int fd, GError **error)
{
	g_autofree char *name = g_strdup_printf("/proc/self/fd/%d", fd);

	return open_path(options, name, fd, error);
}

void raw_close(struct block *block)
{
	struct raw *raw = container_of(block, struct raw, base);

	fd_autoclose(&raw->fd);
	g_aligned_free(raw->zeroes);
	g_free(raw);
}

bool raw_resize(struct block *block, uint64_t size, GError **error)
{
	struct raw *raw = container_of(block, struct raw, base);
	int64_t is;
	int ret;

	if (!raw->device) {
		ret = sys_ftruncate(raw->fd, (off_t)size);
		if (ret < 0)
			return error_sys(error, ret, "cannot resize image '%s'", block->path);
	}
	is = find_size(raw);
	if (is < 0)
		return error_sys(error, (int)is, "cannot find out the size of image '%s'",
				 block->path);
	atomic_store(&block->size, (uint64_t)is);
	if (size > (uint64_t)is)
		return error_set(error, SOCLE_ERROR_LIMIT,
				 "device '%s' has %" PRIu64 " bytes; make it larger first",
				 block->path, (uint64_t)is);
	return true;
}

uint64_t raw_allocated(struct block *block)
{
	struct raw *raw = container_of(block, struct raw, base);
	struct stat st;

	if (raw->device)
		return atomic_load(&block->size);
	return sys_fstat(raw->fd, &st) < 0 ? 0 : (uint64_t)st.st_blocks * 512;
}
