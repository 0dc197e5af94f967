/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * char-unix.c - a socket on which one client at a time is the guest's terminal
 */
#include <glib-unix.h>

#include "base/sys.h"
#include "base/unix-listener.h"
#include "vmm/chars.h"
#include "vmm/reader.h"
#include "vmm/writer.h"

struct char_unix {
	struct chardev chr;
	struct unix_listener *listener;
	guint accept_source; /* while there is no client */
	int fd;              /* of the client, or -1 */
	struct reader *reader;
	struct writer *writer;
};

static size_t unix_write(struct chardev *chr, const uint8_t *buf, size_t len)
{
	return writer_put(container_of(chr, struct char_unix, chr)->writer, buf, len);
}

static void unix_resume(struct chardev *chr)
{
	reader_resume(container_of(chr, struct char_unix, chr)->reader);
}

static void unix_free(struct chardev *chr)
{
	struct char_unix *sock = container_of(chr, struct char_unix, chr);

	if (sock->accept_source)
		g_source_remove(sock->accept_source);
	reader_free(sock->reader);
	writer_free(sock->writer);
	fd_autoclose(&sock->fd);
	unix_listener_free(sock->listener);
	g_free(sock);
}

static void unix_writable(void *opaque)
{
	struct char_unix *sock = opaque;

	if (sock->chr.front)
		sock->chr.front->writable(sock->chr.front_opaque);
}

static gboolean on_connect(gint fd, GIOCondition condition, gpointer opaque)
{
	struct char_unix *sock = opaque;
	int client = unix_listener_accept(sock->listener);

	(void)fd;
	(void)condition;
	if (client < 0)
		return G_SOURCE_CONTINUE;
	sock->accept_source = 0;
	sock->fd = client;
	writer_set_fd(sock->writer, client);
	chardev_presence(&sock->chr, true);
	reader_start(sock->reader, client);
	return G_SOURCE_REMOVE;
}

static void listen_again(struct char_unix *sock)
{
	sock->accept_source =
		g_unix_fd_add(unix_listener_fd(sock->listener), G_IO_IN, on_connect, sock);
}

static void on_closed(void *opaque)
{
	struct char_unix *sock = opaque;

	writer_set_fd(sock->writer, -1);
	reader_stop(sock->reader);
	fd_autoclose(&sock->fd);
	chardev_presence(&sock->chr, false);
	listen_again(sock);
}

static const struct chardev_ops unix_ops = {
	.write = unix_write,
	.resume = unix_resume,
	.free = unix_free,
};

struct chardev *char_unix_new(const char *path, GError **error)
{
	struct char_unix *sock = g_new(struct char_unix, 1);

	*sock = (struct char_unix){ .chr = { .ops = &unix_ops, .absent = true }, .fd = -1 };
	sock->reader = reader_new(&(struct reader_config){
		.chr = &sock->chr, .end_on_hup = true, .closed = on_closed, .opaque = sock });
	sock->listener = unix_listener_new(path, error);
	if (!sock->listener)
		goto fail;
	sock->writer = writer_new(&(struct writer_config){ .what = "serial output",
							   .fd = -1,
							   .writable = unix_writable,
							   .opaque = sock },
				  error);
	if (!sock->writer)
		goto fail;
	listen_again(sock);
	return &sock->chr;
fail:
	unix_free(&sock->chr);
	return NULL;
}
