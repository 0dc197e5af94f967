/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vsock-unix.c - virtio-vsock's Unix sockets: clients of the host, and servers for the guest
 *
 * The protocol of Firecracker (docs/vsock.md there): "CONNECT 1234\n", answered "OK 1073741824\n"
 * with the host's port, or by closing. What the client sends behind its line belongs to the guest.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "base/sys.h"
#include "base/unix-connect.h"
#include "dev/vsock-int.h"

enum {
	GREET_MS = 10000, /* a client may be a person who types */
	REQUEST_MS = 5000,
	FIRST_PORT = 1 << 30,
	BATCH_CLIENTS = 16,
};

void vsock_on_client(void *opaque, unsigned events)
{
	struct vsock *vsock = opaque;

	(void)events;
	virtio_lock(&vsock->dev);
	vsock_purge(vsock);
	for (unsigned i = 0; i < BATCH_CLIENTS && vsock->free; i++) {
		int fd = unix_listener_accept(vsock->listener);
		struct vsock_conn *conn;

		if (fd < 0)
			break;
		/* No guest: better told now than after a while. */
		if (!virtio_live(&vsock->dev)) {
			fd_autoclose(&fd);
			continue;
		}
		conn = vsock_conn_new(vsock, fd, CONN_GREET);
		if (!conn)
			break;
		vsock_conn_deadline(conn, GREET_MS);
		vsock_conn_watch(conn);
	}
	virtio_unlock(&vsock->dev);
}

/* "CONNECT 1234", decimal, nothing else. */
static bool parse_line(const char *line, uint32_t *ret_port)
{
	static const char word[] = "CONNECT ";
	uint64_t port = 0;

	if (strncmp(line, word, sizeof(word) - 1) != 0)
		return false;
	line += sizeof(word) - 1;
	if (!*line)
		return false;
	for (; *line; line++) {
		if (*line < '0' || *line > '9')
			return false;
		port = port * 10 + (uint64_t)(*line - '0');
		if (port >= UINT32_MAX)
			return false;
	}
	*ret_port = (uint32_t)port;
	return true;
}

/* A port of the host that has no connection to @guest_port. There are more than connections. */
static uint32_t choose_port(struct vsock *vsock, uint32_t guest_port)
{
	do {
		if (vsock->next_port < FIRST_PORT || vsock->next_port > INT32_MAX)
			vsock->next_port = FIRST_PORT;
		vsock->next_port++;
	} while (vsock_conn_find(vsock, vsock->next_port - 1, guest_port));
	return vsock->next_port - 1;
}

void vsock_greet(struct vsock_conn *conn)
{
	uint32_t port;
	char c = 0;

	/* Byte by byte, so as to leave what follows. */
	while (conn->line_len < VSOCK_LINE_MAX) {
		ssize_t n = sys_read(conn->watch.fd, &c, 1);

		if (n == -EAGAIN)
			return;
		if (n <= 0) {
			vsock_conn_free(conn);
			return;
		}
		if (c == '\n')
			break;
		conn->line[conn->line_len++] = c;
	}
	if (conn->line_len == VSOCK_LINE_MAX) {
		vsock_conn_free(conn);
		return;
	}
	conn->line[conn->line_len] = 0;
	if (strlen(conn->line) != conn->line_len || !parse_line(conn->line, &port)) {
		vsock_conn_free(conn);
		return;
	}
	conn->state = CONN_REQUEST;
	vsock_conn_insert(conn, choose_port(conn->vsock, port), port);
	vsock_conn_tell(conn, TELL_REQUEST);
	vsock_conn_deadline(conn, REQUEST_MS);
	vsock_conn_watch(conn);
}

void vsock_answer(struct vsock_conn *conn)
{
	char line[32];
	int len = snprintf(line, sizeof(line), "OK %u\n", conn->host_port);
	struct iovec iov = { line, (size_t)len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	/* Nothing else has been written there, so there is room. */
	if (sys_sendmsg(conn->watch.fd, &msg, MSG_DONTWAIT) != len) {
		vsock_conn_reset(conn);
		return;
	}
	conn->state = CONN_OPEN;
	conn->deadline_ns = IO_TIMER_NEVER;
	vsock_conn_watch(conn);
}

struct vsock_conn *vsock_connect(struct vsock *vsock, uint32_t host_port, uint32_t guest_port)
{
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	struct vsock_conn *conn;
	autofd int fd = -1;

	if (!vsock->free)
		return NULL;
	/* That it fits was checked when the device was made. */
	(void)snprintf(path, sizeof(path), "%s_%u", vsock->path, host_port);
	fd = unix_connect(path, SOCK_NONBLOCK);
	if (fd < 0)
		return NULL;
	conn = vsock_conn_new(vsock, fd_steal(&fd), CONN_OPEN);
	if (conn)
		vsock_conn_insert(conn, host_port, guest_port);
	return conn;
}
