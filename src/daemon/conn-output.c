/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conn-output.c - what waits for a client
 */
#include <errno.h>
#include <string.h>

#include "base/sys.h"
#include "daemon/conn-int.h"
#include "daemon/tls.h"

enum {
	TOGETHER = 16,  /* packets in one system call */
	OVERHEAD = 256, /* bytes of memory of a packet beside its own: small ones are mostly that */
};

void output_init(struct output *output, int fd, struct tls_session *tls, size_t *total)
{
	*output = (struct output){ .fd = fd, .tls = tls, .total = total };
	g_queue_init(&output->queue);
}

static void outgoing_free(struct outgoing *item)
{
	rpc_message_free(item->msg);
	for (unsigned i = 0; i < item->fd_count; i++)
		fd_autoclose(&item->fds[i]);
	g_free(item->fds);
	g_free(item);
}

static void count(struct output *output, size_t added, size_t sent)
{
	output->queued += added - sent;
	*output->total += added - sent;
}

void output_release(struct output *output)
{
	struct outgoing *item;

	while ((item = g_queue_pop_head(&output->queue)))
		outgoing_free(item);
	count(output, 0, output->queued);
	output->off = 0;
}

void output_add(struct output *output, struct rpc_message *msg, const int *fds, unsigned fd_count)
{
	struct outgoing *item = g_new(struct outgoing, 1);

	*item = (struct outgoing){
		.msg = msg,
		.fds = g_memdup2(fds, fd_count * sizeof(*fds)),
		.fd_count = fd_count,
	};
	g_queue_push_tail(&output->queue, item);
	count(output, rpc_message_packet(msg).len + fd_count + OVERHEAD, 0);
}

/* The first one's packets, and those of the next ones up to the first with descriptors. */
static ssize_t send_packets(struct output *output)
{
	struct iovec iov[TOGETHER];
	struct msghdr msg = { .msg_iov = iov };
	size_t off = output->off;

	for (GList *at = output->queue.head; at && msg.msg_iovlen < TOGETHER; at = at->next) {
		const struct outgoing *item = at->data;
		struct span packet = rpc_message_packet(item->msg);

		iov[msg.msg_iovlen++] = (struct iovec){
			.iov_base = (void *)(uintptr_t)(packet.p + off),
			.iov_len = packet.len - off,
		};
		off = 0;
		if (item->fd_count || output->tls)
			break;
	}
	if (output->tls)
		return tls_session_write(output->tls, iov[0].iov_base, iov[0].iov_len);
	return sys_sendmsg(output->fd, &msg, 0);
}

static ssize_t send_fd(struct output *output, struct outgoing *item)
{
	ssize_t n = sys_send_fd(output->fd, item->fds[item->fd_sent]);

	if (n == 1)
		fd_autoclose(&item->fds[item->fd_sent++]);
	return n;
}

/* @n more bytes of packets were sent: forget what is done. */
static void advance(struct output *output, size_t n)
{
	count(output, 0, n);
	output->off += n;
	for (;;) {
		struct outgoing *item = g_queue_peek_head(&output->queue);
		size_t len = item ? rpc_message_packet(item->msg).len : 0;

		if (!item || output->off < len || item->fd_sent < item->fd_count)
			return;
		output->off -= len;
		count(output, 0, OVERHEAD);
		outgoing_free(g_queue_pop_head(&output->queue));
	}
}

int output_flush(struct output *output)
{
	struct outgoing *item;

	while ((item = g_queue_peek_head(&output->queue))) {
		bool fds = output->off == rpc_message_packet(item->msg).len;
		ssize_t n = fds ? send_fd(output, item) : send_packets(output);

		if (n == -EAGAIN)
			return 0;
		if (n < 0)
			return (int)n;
		if (fds) {
			/* A byte of a descriptor is not one of the packet. */
			count(output, 0, 1);
			advance(output, 0);
		} else {
			advance(output, (size_t)n);
		}
	}
	return 0;
}
