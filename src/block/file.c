/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * file.c - a file that a format reads and writes in place: what all have, and those of the host
 */
#include "block/file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/sys.h"
#include "block/block-int.h"

enum {
	ZERO_LEN = 64 << 10, /* written at a time */
};

void block_file_close(struct block_file *file)
{
	if (file)
		file->ops->close(file);
}

int64_t block_file_size(struct block_file *file)
{
	return file->ops->size(file);
}

int block_file_read(struct block_file *file, uint64_t off, void *buf, size_t len)
{
	ssize_t n = off > INT64_MAX - len ? -EINVAL : file->ops->read(file, off, buf, len);

	if (n < 0)
		return (int)n;
	memset((uint8_t *)buf + n, 0, len - (size_t)n);
	return 0;
}

int block_file_write(struct block_file *file, uint64_t off, const void *buf, size_t len)
{
	if (off > INT64_MAX - len)
		return -EFBIG;
	block_mark_note(&file->mark, off + len);
	return len ? file->ops->write(file, off, buf, len) : 0;
}

int block_file_sync(struct block_file *file)
{
	return file->ops->sync(file);
}

int block_file_resize(struct block_file *file, uint64_t size)
{
	return size > INT64_MAX ? -EFBIG : file->ops->resize(file, size);
}

int block_file_write_zeroes(struct block_file *file, uint64_t off, uint64_t len)
{
	static const uint8_t zeroes[ZERO_LEN];

	if (off > INT64_MAX - len)
		return -EFBIG;
	while (len) {
		size_t n = MIN(len, sizeof(zeroes));
		int ret = file->ops->write(file, off, zeroes, n);

		if (ret < 0)
			return ret;
		off += n;
		len -= n;
	}
	return 0;
}

int block_file_zero(struct block_file *file, uint64_t off, uint64_t len)
{
	int64_t size = file->ops->size(file);
	uint64_t inside;
	int ret = 0;

	if (size < 0)
		return (int)size;
	if (off > INT64_MAX - len)
		return -EFBIG;
	inside = off < (uint64_t)size ? MIN(len, (uint64_t)size - off) : 0;
	if (off + len > (uint64_t)size) {
		ret = file->ops->resize(file, off + len);
		if (ret == -ENOTSUP)
			return -ENOSPC;
	}
	if (!ret && inside)
		ret = file->ops->punch(file, off, inside);
	return ret == -ENOTSUP ? block_file_write_zeroes(file, off, inside) : ret;
}

int block_file_punch(struct block_file *file, uint64_t off, uint64_t len)
{
	int ret = len ? file->ops->punch(file, off, len) : 0;

	return ret == -ENOTSUP ? 0 : ret;
}

int block_file_allocate(struct block_file *file, uint64_t off, uint64_t len)
{
	int ret = len ? file->ops->allocate(file, off, len) : 0;

	return ret == -ENOTSUP ? block_file_write_zeroes(file, off, len) : ret;
}

int64_t block_file_allocated(struct block_file *file)
{
	return file->ops->allocated(file);
}

int block_file_extent(struct block_file *file, uint64_t off, uint64_t *ret_len, bool *ret_data)
{
	return file->ops->extent(file, off, ret_len, ret_data);
}

/* ---- of the host ---- */

struct host_file {
	struct block_file base;
	int fd, sync_error;
	unsigned flags;
	bool device;
	struct dio_align align;
};

static ssize_t host_read(struct block_file *base, uint64_t off, void *buf, size_t len)
{
	struct host_file *file = container_of(base, struct host_file, base);

	return dio_read(file->fd, file->align, off, buf, len);
}

static int64_t host_size(struct block_file *base)
{
	struct host_file *file = container_of(base, struct host_file, base);
	struct stat st;
	uint64_t size;
	int ret = sys_fstat(file->fd, &st);

	if (ret < 0)
		return ret;
	if (S_ISREG(st.st_mode))
		return st.st_size;
	if (S_ISCHR(st.st_mode))
		return sys_lseek(file->fd, 0, SEEK_END);
	if (!S_ISBLK(st.st_mode))
		return -EINVAL;
	ret = sys_ioctl(file->fd, BLKGETSIZE64, &size);
	if (ret < 0)
		return ret;
	return size > INT64_MAX ? -EFBIG : (int64_t)size;
}

static int host_write(struct block_file *base, uint64_t off, const void *buf, size_t len)
{
	struct host_file *file = container_of(base, struct host_file, base);

	return dio_write(file->fd, file->align, off, buf, len);
}

static int host_sync(struct block_file *base)
{
	struct host_file *file = container_of(base, struct host_file, base);

	if (file->flags & BLOCK_FILE_NO_FLUSH)
		return 0;
	/* The kernel tells of lost writes once only. */
	if (!file->sync_error)
		file->sync_error = sys_fdatasync(file->fd);
	/* A character device has nothing that could wait. */
	if (file->sync_error == -EINVAL && file->device)
		file->sync_error = 0;
	return file->sync_error;
}

static int host_resize(struct block_file *base, uint64_t size)
{
	struct host_file *file = container_of(base, struct host_file, base);

	return file->device ? -ENOTSUP : sys_ftruncate(file->fd, (off_t)size);
}

static int host_punch(struct block_file *base, uint64_t off, uint64_t len)
{
	struct host_file *file = container_of(base, struct host_file, base);
	int ret = sys_fallocate(file->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)off,
				(off_t)len);

	return ret == -ENODEV || ret == -ENOSYS || ret == -EINVAL ? -ENOTSUP : ret;
}

static int host_extent(struct block_file *base, uint64_t off, uint64_t *ret_len, bool *ret_data)
{
	struct host_file *file = container_of(base, struct host_file, base);
	off_t next = sys_lseek(file->fd, (off_t)off, SEEK_DATA);

	if (next < 0 && next != -ENXIO) {
		/* Not this file system, not this device. */
		*ret_len = INT64_MAX - off;
		*ret_data = true;
		return next == -EINVAL || next == -ENOTSUP ? 0 : (int)next;
	}
	*ret_data = next == (off_t)off;
	if (next == -ENXIO)
		next = INT64_MAX;
	else if (*ret_data)
		next = sys_lseek(file->fd, (off_t)off, SEEK_HOLE);
	if (next < 0)
		return (int)next;
	if (next <= (off_t)off)
		return -EIO; /* it was cut meanwhile */
	*ret_len = (uint64_t)next - off;
	return 0;
}

static int host_allocate(struct block_file *base, uint64_t off, uint64_t len)
{
	struct host_file *file = container_of(base, struct host_file, base);
	int ret = sys_fallocate(file->fd, 0, (off_t)off, (off_t)len);

	return ret == -ENODEV || ret == -ENOSYS || ret == -EOPNOTSUPP ? -ENOTSUP : ret;
}

static int64_t host_allocated(struct block_file *base)
{
	struct host_file *file = container_of(base, struct host_file, base);
	struct stat st;
	int ret = sys_fstat(file->fd, &st);

	return ret < 0 ? ret : file->device ? host_size(base) : st.st_blocks * 512;
}

static void host_close(struct block_file *base)
{
	struct host_file *file = container_of(base, struct host_file, base);

	fd_autoclose(&file->fd);
	g_free(file);
}

static const struct block_file_ops host_ops = {
	.read = host_read,
	.write = host_write,
	.sync = host_sync,
	.size = host_size,
	.resize = host_resize,
	.punch = host_punch,
	.extent = host_extent,
	.allocate = host_allocate,
	.allocated = host_allocated,
	.close = host_close,
};

/* What @fd is, with the locks that @old (-1: none) has, or its own. */
static struct block_file *host_new(int owned, int old, bool old_writes, const char *path,
				   unsigned flags, GError **error)
{
	const bool write = flags & (BLOCK_FILE_CREATE | BLOCK_FILE_WRITE);
	const bool shared = flags & BLOCK_FILE_SHARED;
	struct dio_align align = { 1, 1 };
	autofd int fd = owned;
	struct host_file *file;
	struct stat st;
	int ret = fd;

	if (ret >= 0)
		ret = sys_fstat(fd, &st);
	if (ret < 0) {
		error_sys(error, ret, "Could not %s '%s'%s",
			  flags & BLOCK_FILE_CREATE ? "create" : "open", path,
			  ret == -EINVAL && flags & BLOCK_FILE_DIRECT
				  ? " past the page cache (another cache mode goes through it)"
				  : "");
		return NULL;
	}
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode) &&
	    !(S_ISCHR(st.st_mode) && flags & BLOCK_FILE_CHAR)) {
		error_set(error, SOCLE_ERROR_USAGE,
			  "image '%s' is neither a file nor a block device", path);
		return NULL;
	}
	if (!(flags & BLOCK_FILE_NO_LOCK) &&
	    !(old < 0 ? block_lock(fd, path, !write, shared, error)
		      : block_lock_again(fd, old, !old_writes, path, !write, shared, error)))
		return NULL;
	if (flags & BLOCK_FILE_DIRECT && !dio_find(fd, S_ISBLK(st.st_mode), path, &align, error))
		return NULL;
	file = g_new0(struct host_file, 1);
	file->base.ops = &host_ops;
	file->fd = fd_steal(&fd);
	file->flags = flags;
	file->device = !S_ISREG(st.st_mode);
	file->align = align;
	return &file->base;
}

/* Not to wait for somebody at the other end of a pipe. */
static int host_open(const char *path, unsigned flags)
{
	const bool create = flags & BLOCK_FILE_CREATE;

	return sys_open(path,
			(create || flags & BLOCK_FILE_WRITE ? O_RDWR : O_RDONLY) | O_NONBLOCK |
				O_NOCTTY | O_CLOEXEC | (create ? O_CREAT | O_EXCL : 0) |
				(flags & BLOCK_FILE_DIRECT ? O_DIRECT : 0),
			0666);
}

struct block_file *block_file_open(const char *path, unsigned flags, GError **error)
{
	return host_new(host_open(path, flags), -1, false, path, flags, error);
}

struct block_file *block_file_again(int fd, bool fd_writes, const char *path, unsigned flags,
				    GError **error)
{
	g_autofree char *name = g_strdup_printf("/proc/self/fd/%d", fd);

	if (fd < 0) {
		error_set(error, SOCLE_ERROR_UNSUPPORTED, "image '%s' is no file of the host",
			  path);
		return NULL;
	}
	return host_new(host_open(name, flags), fd, fd_writes, path, flags, error);
}

struct block_file *block_file_of_fd(int fd, const char *path, unsigned flags, GError **error)
{
	const unsigned of_opening = BLOCK_FILE_WRITE | BLOCK_FILE_CREATE | BLOCK_FILE_DIRECT;
	g_autofree char *name = g_strdup_printf("/proc/self/fd/%d", fd);
	/* Without locks, which would be those of @fd, to read by the same one will do. */
	bool same = flags & BLOCK_FILE_NO_LOCK && !(flags & of_opening);

	return host_new(same ? sys_dup(fd) : host_open(name, flags), -1, false, path, flags, error);
}

int block_file_sync_error(struct block_file *file)
{
	return file->ops == &host_ops ? container_of(file, struct host_file, base)->sync_error : 0;
}

void block_file_set_sync_error(struct block_file *file, int err)
{
	if (file->ops == &host_ops)
		container_of(file, struct host_file, base)->sync_error = err;
}

int block_file_fd(struct block_file *file)
{
	return file->ops == &host_ops ? container_of(file, struct host_file, base)->fd : -1;
}

void block_file_hint(struct block_file *file, uint64_t extent, bool nocow)
{
	const int fd = block_file_fd(file);
	struct fsxattr attributes;
	int flags;

	if (nocow && sys_ioctl(fd, FS_IOC_GETFLAGS, &flags) >= 0) {
		flags |= FS_NOCOW_FL;
		(void)sys_ioctl(fd, FS_IOC_SETFLAGS, &flags);
	}
	if (extent && extent <= UINT32_MAX && sys_ioctl(fd, FS_IOC_FSGETXATTR, &attributes) >= 0) {
		attributes.fsx_xflags |= FS_XFLAG_EXTSIZE;
		attributes.fsx_extsize = (uint32_t)extent;
		(void)sys_ioctl(fd, FS_IOC_FSSETXATTR, &attributes);
	}
}

struct dio_align block_file_align(struct block_file *file)
{
	return file->ops == &host_ops ? container_of(file, struct host_file, base)->align
				      : (struct dio_align){ 1, 1 };
}

bool block_file_is_same(struct block_file *a, struct block_file *b)
{
	const int fa = block_file_fd(a), fb = block_file_fd(b);
	struct stat sa, sb;

	if (a == b || fa < 0 || fb < 0)
		return a == b;
	return sys_fstat(fa, &sa) >= 0 && sys_fstat(fb, &sb) >= 0 && sa.st_dev == sb.st_dev &&
	       sa.st_ino == sb.st_ino;
}
