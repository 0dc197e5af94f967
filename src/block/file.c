/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * file.c - a file that a format reads in place: of the host, or in memory
 */
#include "block/file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/sys.h"

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

/* ---- of the host ---- */

struct host_file {
	struct block_file base;
	int fd;
};

static ssize_t host_read(struct block_file *base, uint64_t off, void *buf, size_t len)
{
	struct host_file *file = container_of(base, struct host_file, base);
	size_t done = 0;

	while (done < len) {
		ssize_t n =
			sys_pread(file->fd, (uint8_t *)buf + done, len - done, (off_t)(off + done));

		if (n < 0)
			return n;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
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
	if (!S_ISBLK(st.st_mode))
		return -EINVAL;
	ret = sys_ioctl(file->fd, BLKGETSIZE64, &size);
	if (ret < 0)
		return ret;
	return size > INT64_MAX ? -EFBIG : (int64_t)size;
}

static void host_close(struct block_file *base)
{
	struct host_file *file = container_of(base, struct host_file, base);

	fd_autoclose(&file->fd);
	g_free(file);
}

static const struct block_file_ops host_ops = {
	.read = host_read,
	.size = host_size,
	.close = host_close,
};

struct block_file *block_file_open(const char *path, GError **error)
{
	/* Not to wait for somebody at the other end of a pipe. */
	int fd = sys_open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC, 0);
	struct host_file *file;
	int64_t size;

	if (fd < 0) {
		error_sys(error, fd, "cannot open image '%s'", path);
		return NULL;
	}
	file = g_new(struct host_file, 1);
	*file = (struct host_file){ { &host_ops }, fd };
	size = host_size(&file->base);
	if (size < 0) {
		error_sys(error, (int)size, "image '%s' is no file or block device", path);
		host_close(&file->base);
		return NULL;
	}
	return &file->base;
}

/* ---- in memory ---- */

struct memory_file {
	struct block_file base;
	const uint8_t *bytes;
	size_t len;
};

static ssize_t memory_read(struct block_file *base, uint64_t off, void *buf, size_t len)
{
	struct memory_file *file = container_of(base, struct memory_file, base);
	size_t n = off < file->len ? MIN(len, file->len - (size_t)off) : 0;

	if (n)
		memcpy(buf, file->bytes + off, n);
	return (ssize_t)n;
}

static int64_t memory_size(struct block_file *base)
{
	return (int64_t)container_of(base, struct memory_file, base)->len;
}

static void memory_close(struct block_file *base)
{
	g_free(container_of(base, struct memory_file, base));
}

static const struct block_file_ops memory_ops = {
	.read = memory_read,
	.size = memory_size,
	.close = memory_close,
};

struct block_file *block_file_memory(const uint8_t *bytes, size_t len)
{
	struct memory_file *file = g_new(struct memory_file, 1);

	*file = (struct memory_file){ { &memory_ops }, bytes, len };
	return &file->base;
}
