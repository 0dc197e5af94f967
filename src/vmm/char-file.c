/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * char-file.c - what the guest prints goes to a file; nothing comes back
 */
#include <fcntl.h>

#include "base/error.h"
#include "base/sys.h"
#include "vmm/chars.h"
#include "vmm/writer.h"

struct char_file {
	struct chardev chr;
	int fd;
	struct writer *writer;
};

static size_t file_write(struct chardev *chr, const uint8_t *buf, size_t len)
{
	return writer_put(container_of(chr, struct char_file, chr)->writer, buf, len);
}

static void file_free(struct chardev *chr)
{
	struct char_file *file = container_of(chr, struct char_file, chr);

	writer_free(file->writer);
	fd_autoclose(&file->fd);
	g_free(file);
}

static void file_writable(void *opaque)
{
	struct char_file *file = opaque;

	if (file->chr.front)
		file->chr.front->writable(file->chr.front_opaque);
}

static const struct chardev_ops file_ops = { .write = file_write, .free = file_free };

struct chardev *char_file_new(const char *path, GError **error)
{
	struct char_file *file = g_new(struct char_file, 1);

	*file = (struct char_file){
		.chr = { .ops = &file_ops },
		.fd = sys_open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOCTTY, 0666),
	};
	if (file->fd < 0) {
		error_sys(error, file->fd, "cannot open '%s' for the serial output", path);
		file_free(&file->chr);
		return NULL;
	}
	file->writer = writer_new(&(struct writer_config){ .what = "serial output",
							   .fd = file->fd,
							   .writable = file_writable,
							   .opaque = file },
				  error);
	if (!file->writer) {
		file_free(&file->chr);
		return NULL;
	}
	return &file->chr;
}
