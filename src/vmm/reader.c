/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * reader.c - bytes from a file descriptor to the front end of a chardev
 */
#include "vmm/reader.h"

#include <errno.h>
#include <glib-unix.h>
#include <string.h>

#include "base/sys.h"

struct reader {
	struct reader_config config;
	int fd; /* -1: stopped */
	guint source;
	GIOCondition waiting_for;
	bool delivering;
	size_t len; /* read and not taken yet */
	uint8_t buf[4096];
};

static gboolean on_readable(gint fd, GIOCondition condition, gpointer opaque);

struct reader *reader_new(const struct reader_config *config)
{
	struct reader *reader = g_new(struct reader, 1);

	reader->config = *config;
	reader->fd = -1;
	reader->source = 0;
	reader->waiting_for = 0;
	reader->delivering = false;
	reader->len = 0;
	return reader;
}

static void disarm(struct reader *reader)
{
	if (reader->source)
		g_source_remove(reader->source);
	reader->source = 0;
}

void reader_free(struct reader *reader)
{
	if (!reader)
		return;
	disarm(reader);
	g_free(reader);
}

static void rearm(struct reader *reader)
{
	GIOCondition want = reader->config.end_on_hup ? G_IO_HUP | G_IO_ERR : 0;

	if (reader->config.lossy || reader->len < sizeof(reader->buf))
		want |= G_IO_IN;
	if (reader->fd < 0)
		want = 0;
	if (reader->source && want == reader->waiting_for)
		return;
	disarm(reader);
	reader->waiting_for = want;
	if (want)
		reader->source = g_unix_fd_add(reader->fd, want, on_readable, reader);
}

/* Give the front end what it takes. */
static void deliver(struct reader *reader)
{
	const struct chardev_front *front = reader->config.chr->front;
	size_t taken = 1;

	if (!front || reader->delivering)
		return;
	reader->delivering = true;
	while (reader->len > 0 && taken > 0) {
		taken = front->receive(reader->config.chr->front_opaque, reader->buf, reader->len);
		reader->len -= taken;
		memmove(reader->buf, reader->buf + taken, reader->len);
	}
	reader->delivering = false;
}

static gboolean on_readable(gint fd, GIOCondition condition, gpointer opaque)
{
	struct reader *reader = opaque;
	uint8_t chunk[1024];
	size_t room = sizeof(reader->buf) - reader->len, len;
	ssize_t n = 0;

	if (condition & G_IO_IN || !reader->config.end_on_hup)
		n = sys_read(fd, chunk,
			     reader->config.lossy ? sizeof(chunk) : MIN(sizeof(chunk), room));
	if (n == -EAGAIN)
		return G_SOURCE_CONTINUE;
	if (n <= 0) {
		disarm(reader);
		reader->fd = -1;
		if (reader->config.closed)
			reader->config.closed(reader->config.opaque);
		return G_SOURCE_REMOVE;
	}
	len = (size_t)n;
	if (reader->config.filter)
		len = reader->config.filter(reader->config.opaque, chunk, len);
	len = MIN(len, room);
	memcpy(reader->buf + reader->len, chunk, len);
	reader->len += len;
	deliver(reader);
	rearm(reader);
	return G_SOURCE_CONTINUE;
}

void reader_start(struct reader *reader, int fd)
{
	reader->fd = fd;
	rearm(reader);
}

void reader_stop(struct reader *reader)
{
	reader->fd = -1;
	reader->len = 0;
	disarm(reader);
}

void reader_resume(struct reader *reader)
{
	deliver(reader);
	rearm(reader);
}
