/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * transport.c - bytes to and from a server by a socket; what all transports share
 */
#include "client/transport-int.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "base/error.h"
#include "base/sys.h"
#include "client/local.h"

enum {
	LAST_WORDS_MAX = 1000 /* bytes of what a program has to say */
};

struct socket_transport {
	struct transport transport;
	int words; /* file with the program's last words, or -1 */
	struct local_server server;
};

static ssize_t socket_send(struct transport *transport, const void *data, size_t len)
{
	struct iovec iov = { .iov_base = (void *)(uintptr_t)data, .iov_len = len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	return sys_sendmsg(transport->fd, &msg, 0);
}

static ssize_t socket_recv(struct transport *transport, void *data, size_t len)
{
	ssize_t n = sys_read(transport->fd, data, len);

	return n == 0 ? -EPIPE : n;
}

/* The first descriptor of a message; all others are closed. */
static int take_fd(struct msghdr *msg)
{
	int taken = -EPROTO;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		size_t count;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (taken < 0)
				taken = fd;
			else
				fd_autoclose(&fd);
		}
	}
	return taken;
}

static int socket_recv_fd(struct transport *transport)
{
	char byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	ssize_t n = sys_recvmsg(transport->fd, &msg, MSG_CMSG_CLOEXEC);

	if (n <= 0)
		return n == 0 ? -EPIPE : (int)n;
	return take_fd(&msg);
}

static ssize_t socket_send_fd(struct transport *transport, int fd)
{
	return sys_send_fd(transport->fd, fd);
}

static char *socket_last_words(struct transport *transport)
{
	struct socket_transport *s = container_of(transport, struct socket_transport, transport);
	char text[LAST_WORDS_MAX + 1];
	ssize_t n;

	n = s->words < 0 ? -1 : sys_pread(s->words, text, LAST_WORDS_MAX, 0);
	if (n <= 0)
		return NULL;
	text[n] = '\0';
	g_strstrip(text);
	g_strdelimit(text, "\r\n", ' ');
	return text[0] != '\0' ? g_utf8_make_valid(text, -1) : NULL;
}

static void socket_free(struct transport *transport)
{
	struct socket_transport *s = container_of(transport, struct socket_transport, transport);

	fd_autoclose(&s->transport.fd);
	fd_autoclose(&s->words);
	if (s->server.stop)
		s->server.stop(s->server.opaque);
	g_free(s);
}

static const struct transport_ops socket_ops = {
	.send = socket_send,
	.recv = socket_recv,
	.recv_fd = socket_recv_fd,
	.send_fd = socket_send_fd,
	.last_words = socket_last_words,
	.free = socket_free,
};

struct transport *transport_new_program(int fd, int words, bool secure)
{
	struct socket_transport *s = g_new0(struct socket_transport, 1);

	/* What is no socket could block; all of ours are. */
	(void)sys_set_nonblock(fd);
	s->transport = (struct transport){ .ops = &socket_ops, .fd = fd, .secure = secure };
	s->words = words;
	return &s->transport;
}

struct transport *transport_new_socket(int fd, bool secure)
{
	return transport_new_program(fd, -1, secure);
}

struct transport *transport_new_unix(int fd)
{
	struct transport *transport = transport_new_socket(fd, true);

	transport->local = true;
	return transport;
}

struct transport *transport_new_local(const struct local_server *server)
{
	struct transport *transport = transport_new_unix(server->fd);

	container_of(transport, struct socket_transport, transport)->server = *server;
	return transport;
}

void transport_free(struct transport *transport)
{
	if (transport)
		transport->ops->free(transport);
}

bool transport_wait(const struct transport *transport, short events, uint64_t deadline,
		    GError **error)
{
	struct pollfd fd = { .fd = transport->fd, .events = events };
	uint64_t now = sys_monotonic_ns();
	int timeout_ms = -1, n;

	if (deadline != UINT64_MAX)
		timeout_ms = deadline <= now ? 0 : (int)MIN((deadline - now) / 1000000 + 1, 60000);
	n = sys_poll(&fd, 1, timeout_ms);
	if (n < 0)
		return error_sys(error, n, "cannot wait for the server");
	if (n == 0 && sys_monotonic_ns() >= deadline)
		return error_set(
			error, SOCLE_ERROR_BUSY,
			"the server does not answer in time: is it stopped, or overloaded?");
	return true;
}
