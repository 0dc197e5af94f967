/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * wire.h - a client for tests, that says what it likes; the daemon's main loop turns while it waits
 */
#ifndef TESTS_DAEMON_WIRE_H
#define TESTS_DAEMON_WIRE_H

#include <errno.h>
#include <glib.h>
#include <string.h>

#include "base/sys.h"
#include "rpc/frame.h"
#include "rpc/message.h"

struct wire {
	int fd;
	struct rpc_frame *frame;
	struct rpc_received got; /* the packet that came last */
	uint32_t serial;
	bool closed;
};

static inline void wire_init(struct wire *wire, int fd)
{
	*wire = (struct wire){ .fd = fd, .frame = rpc_frame_new() };
	g_assert_cmpint(sys_set_nonblock(fd), ==, 0);
}

static inline void wire_release(struct wire *wire)
{
	fd_autoclose(&wire->fd);
	g_clear_pointer(&wire->frame, rpc_frame_free);
}

/* The main loop has turned until it has nothing to do. */
static inline void settle(void)
{
	while (g_main_context_iteration(NULL, FALSE))
		;
}

/* A call without a body, or with one that is @type. */
#define wire_message(wire, number, type, body) \
	wire_message_xdr(wire, number, (body) ? (xdrproc_t)(void (*)(void))xdr_##type : NULL, body)

static inline struct rpc_message *wire_message_xdr(struct wire *wire, int procedure, xdrproc_t xdr,
						   void *body)
{
	struct rpc_header header = {
		.program = RPC_PROGRAM_REMOTE,
		.version = RPC_VERSION,
		.procedure = procedure,
		.serial = wire->serial++,
	};
	struct rpc_message *msg = rpc_message_new(&header);
	g_autoptr(GError) error = NULL;

	if (body)
		g_assert_true(rpc_message_put_xdr(msg, xdr, body, &error));
	return msg;
}

/* All of it; the loop turns while the socket is full. */
static inline void wire_send(struct wire *wire, struct rpc_message *msg)
{
	struct span packet = rpc_message_packet(msg);
	size_t off = 0;

	while (off < packet.len) {
		struct iovec iov = { (void *)(uintptr_t)(packet.p + off), packet.len - off };
		struct msghdr to = { .msg_iov = &iov, .msg_iovlen = 1 };
		ssize_t n = sys_sendmsg(wire->fd, &to, 0);

		/* It may have been closed: that shows when an answer is waited for. */
		if (n == -EPIPE || n == -ECONNRESET)
			break;
		g_assert_true(n >= 0 || n == -EAGAIN);
		if (n > 0)
			off += (size_t)n;
		else
			settle();
	}
	rpc_message_free(msg);
}

/* The next packet into wire->got; false: the connection was closed. */
static inline bool wire_receive(struct wire *wire)
{
	for (;;) {
		enum rpc_frame_result result;
		size_t room;
		uint8_t *to = rpc_frame_buffer(wire->frame, &room);
		ssize_t n = sys_read(wire->fd, to, room);

		if (n == -EAGAIN) {
			struct pollfd pollfd = { .fd = wire->fd, .events = POLLIN };

			settle();
			(void)sys_poll(&pollfd, 1, 1);
			continue;
		}
		if (n <= 0) {
			wire->closed = true;
			return false;
		}
		result = rpc_frame_filled(wire->frame, (size_t)n, NULL);
		g_assert_cmpint(result, !=, RPC_FRAME_BROKEN);
		if (result == RPC_FRAME_PACKET) {
			g_assert_true(
				rpc_received_init(&wire->got, rpc_frame_packet(wire->frame), NULL));
			return true;
		}
	}
}

/* 0: it was answered well; else the code of the error. -1: closed. */
static inline int wire_status(struct wire *wire, char **ret_text)
{
	rpc_error error;
	int code;

	if (!wire_receive(wire))
		return -1;
	if (wire->got.header.status == RPC_STATUS_OK)
		return 0;
	g_assert_true(rpc_received_get(&wire->got, rpc_error, &error, NULL));
	code = error.code;
	if (ret_text)
		*ret_text = g_strdup(error.message ? *error.message : "");
	rpc_body_release(rpc_error, &error);
	return code;
}

static inline int wire_call(struct wire *wire, int procedure)
{
	wire_send(wire, wire_message_xdr(wire, procedure, NULL, NULL));
	return wire_status(wire, NULL);
}

static inline int wire_open(struct wire *wire, const char *uri, char **ret_text)
{
	char *name = (char *)(uintptr_t)uri;
	rpc_connect_open_args args = { .name = &name };

	if (wire_call(wire, RPC_PROC_AUTH_LIST))
		return -1;
	wire_send(wire, wire_message_xdr(wire, RPC_PROC_CONNECT_OPEN,
					 (xdrproc_t)xdr_rpc_connect_open_args, &args));
	return wire_status(wire, ret_text);
}

#endif
