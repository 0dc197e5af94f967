/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * boot-file.c - kernels and initrds as files: opened once, read in pieces, told by name in errors
 */
#include <errno.h>
#include <fcntl.h>

#include "base/sys.h"
#include "machine/boot-int.h"

bool boot_refuse(const struct boot_file *file, GError **error, enum error_kind kind,
		 const char *fmt, ...)
{
	g_autofree char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	text = g_strdup_vprintf(fmt, ap);
	va_end(ap);
	return error_set(error, kind, "%s '%s' %s", file->what, file->name, text);
}

bool boot_file_open(struct boot_file *file, const char *what, const char *path, GError **error)
{
	autofd int fd = -1;
	int64_t size;

	*file = (struct boot_file){ .what = what, .fd = -1 };
	/* Not to wait for the writer of a FIFO, which is then refused. */
	fd = sys_open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
	if (fd < 0)
		return error_sys(error, fd, "cannot open %s '%s'", what, path);
	size = sys_file_size(fd);
	if (size == -EINVAL)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "%s '%s' is %s: name a file with the image in it", what, path,
				 g_file_test(path, G_FILE_TEST_IS_DIR) ? "a directory"
								       : "not a regular file");
	if (size < 0)
		return error_sys(error, (int)size, "cannot read %s '%s'", what, path);
	if (size == 0)
		return error_set(error, SOCLE_ERROR_CORRUPT,
				 "%s '%s' is empty: it was not written completely", what, path);
	file->name = g_strdup(path);
	file->fd = fd_steal(&fd);
	file->size = (uint64_t)size;
	return true;
}

void boot_file_memory(struct boot_file *file, const char *what, struct span bytes)
{
	*file = (struct boot_file){
		.what = what,
		.name = g_strdup(what),
		.fd = -1,
		.bytes = bytes,
		.size = bytes.len,
	};
}

void boot_file_release(struct boot_file *file)
{
	if (file->mapped)
		sys_munmap((void *)(uintptr_t)file->bytes.p, file->mapped);
	fd_autoclose(&file->fd);
	g_free(file->name);
	*file = (struct boot_file){ .fd = -1 };
}

bool boot_file_read(const struct boot_file *file, uint64_t off, void *buf, uint64_t len,
		    GError **error)
{
	uint64_t done = 0;

	if (off > file->size || len > file->size - off)
		return boot_refuse(file, error, SOCLE_ERROR_CORRUPT,
				   "is truncated: it has %" PRIu64 " bytes and at least %" PRIu64
				   " are needed; take a complete copy",
				   file->size, off + len);
	if (file->fd < 0) {
		if (len)
			memcpy(buf, file->bytes.p + off, len);
		return true;
	}
	while (done < len) {
		ssize_t n =
			sys_pread(file->fd, (uint8_t *)buf + done, len - done, (off_t)(off + done));

		if (n < 0)
			return error_sys(error, (int)n, "cannot read %s '%s'", file->what,
					 file->name);
		if (n == 0)
			return boot_refuse(file, error, SOCLE_ERROR_CORRUPT,
					   "became shorter while it was read: "
					   "wait until it is written, and start again");
		done += (uint64_t)n;
	}
	return true;
}

bool boot_stream_read(struct boot_stream *stream, uint64_t off, void *buf, uint64_t len,
		      GError **error)
{
	size_t got;

	if (!stream->unpack)
		return boot_file_read(stream->file, off, buf, len, error);
	if (off < unpack_pos(stream->unpack))
		return boot_refuse(stream->file, error, SOCLE_ERROR_CORRUPT,
				   "has a payload whose parts overlap: it is no Linux kernel");
	if (!unpack_seek(stream->unpack, off, error) ||
	    !unpack_read(stream->unpack, buf, len, &got, error))
		return false;
	if (got < len)
		return boot_refuse(stream->file, error, SOCLE_ERROR_CORRUPT,
				   "has a payload that ends too early: "
				   "the file is damaged, take a fresh copy");
	return true;
}
