/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz-net-stream.c - a hostile peer on a stream: any bytes, in any pieces, and hanging up
 *
 * Input: pieces, each behind a byte: its length, or with the top bit a frame that the card sends.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/io-loop.h"
#include "base/sys.h"
#include "net/net.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void on_queue(void *opaque, unsigned queue)
{
	(void)opaque;
	(void)queue;
}

static void on_link(void *opaque, bool up)
{
	(void)opaque;
	(void)up;
}

static const struct net_front front = {
	.readable = on_queue,
	.writable = on_queue,
	.link_changed = on_link,
};

static uint8_t room[NET_MAX_FRAME];

/* The card may have hung up: no signal for that. */
static void write_peer(int fd, const uint8_t *data, size_t len)
{
	struct iovec iov = { (void *)(uintptr_t)data, len };
	const struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	(void)sys_sendmsg(fd, &msg, MSG_DONTWAIT);
}

/* Take what there is; bounded, for what came in is. */
static void drain(struct net_backend *net, size_t len)
{
	const struct iovec iov[] = { { room, 12 }, { room + 12, len } };
	struct net_header header;
	unsigned n = 0;

	for (;;) {
		ssize_t got = net->ops->receive(net, 0, &header, iov, 2);

		if (got < 0)
			break;
		check(got >= NET_ETHER_LEN && (size_t)got <= len + 12);
		check(n++ < 20000);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct io_loop *loop;
	struct net_stream_config config = { .role = NET_SOCKET_FD };
	const struct net_header none = { 0 };
	struct net_backend *net;
	static uint8_t sink[65536];
	int fds[2];

	if (!loop)
		loop = io_loop_new_manual(IO_LOOP_THREADS, NULL, NULL, NULL);
	check(loop && size <= 65536);
	check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0);
	config.fd = fds[0];
	net = net_stream_new(&config, NULL);
	check(net && net_attach(net, loop, &front, NULL, NULL));
	net->ops->configure(net, 0, 1);
	for (size_t off = 0; off < size;) {
		uint8_t op = data[off++];
		size_t len = op & 0x7f;

		len = len < size - off ? len : size - off;
		if (op & 0x80) {
			const struct iovec iov = { (void *)(uintptr_t)(data + off), len };

			(void)net->ops->send(net, 0, &none, &iov, 1);
			off += len;
		} else if (len == 0) {
			(void)io_loop_run(loop, false);
			(void)sys_read(fds[1], sink, sizeof(sink));
		} else {
			write_peer(fds[1], data + off, len);
			off += len;
			drain(net, size % 2 ? 1502 : sizeof(room) - 12);
		}
	}
	(void)close(fds[1]);
	drain(net, 100);
	for (unsigned i = 0; i < 10 && io_loop_run(loop, false); i++)
		;
	net_free(net);
	return 0;
}
