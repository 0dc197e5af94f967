/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dgram.c - a frame a datagram, over UDP or Unix sockets (QEMU's -netdev dgram)
 *
 * Datagrams go straight between the guest's buffers and the socket. What the socket cannot take at
 * the moment makes the card wait; what the peer does not want (it is not there) is lost.
 *
 * A Unix socket whose peer's queue is full says so when it is sent to; poll(2) knows of it only in
 * sockets that are connected (unix(7) is silent, see unix_dgram_poll() of Linux), which ours is not,
 * as its peer may come later and go. There, a timer looks again, soon at first and then less often.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "base/error.h"
#include "base/sys.h"
#include "net/net.h"
#include "net/offload.h"
#include "net/socket.h"

enum {
	MAX_IOV = 64,   /* longer lists go through a buffer */
	MAX_DROPS = 16, /* in a row, within one receive() */
	SOCKET_BUFFER = 1 << 20,
	RETRY_MIN_NS = 50000,
	RETRY_MAX_NS = 10000000,
};

struct net_dgram {
	struct net_backend base;
	int fd;
	struct socket_address local, remote;
	bool bound;     /* to a file */
	bool connected; /* no address is needed to send */

	struct io_loop *loop;
	const struct net_front *front;
	void *opaque;
	struct io_watch watch;
	unsigned events;
	bool rx_waiting, tx_waiting;
	struct io_timer retry;
	uint64_t retry_ns; /* how long the last wait was; 0: sent since */

	unsigned sent; /* segments of the frame that waits */
	struct net_offload offload;
	uint8_t bounce[NET_MAX_FRAME];
};

static struct net_dgram *dgram_of(struct net_backend *net)
{
	return container_of(net, struct net_dgram, base);
}

DATA_PATH static void set_events(struct net_dgram *dgram)
{
	unsigned events = dgram->rx_waiting ? POLLIN : 0u;

	if (dgram->tx_waiting && dgram->connected)
		events |= POLLOUT;

	if (events != dgram->events)
		io_watch_set(dgram->loop, &dgram->watch, events);
	dgram->events = events;
}

/* 0, or -EAGAIN. */
DATA_PATH static int send_iov(struct net_dgram *dgram, const struct iovec *iov, unsigned count)
{
	struct msghdr msg = {
		.msg_name = dgram->connected ? NULL : &dgram->remote.addr,
		.msg_namelen = dgram->connected ? 0 : dgram->remote.len,
		/* It is not written to. */
		.msg_iov = (struct iovec *)(uintptr_t)iov,
		.msg_iovlen = count,
	};
	ssize_t n = sys_sendmsg(dgram->fd, &msg, MSG_DONTWAIT);

	/* An error of before (nobody listens) is told once, by a call that has done nothing. */
	if (n == -ECONNREFUSED)
		n = sys_sendmsg(dgram->fd, &msg, MSG_DONTWAIT);
	if (n == -EAGAIN)
		return -EAGAIN;
	dgram->retry_ns = 0;
	return 0;
}

/* NOLINTNEXTLINE(readability-non-const-parameter): the type is the caller's */
DATA_PATH static int send_frame(void *opaque, uint8_t *frame, size_t len)
{
	const struct iovec iov = { frame, len };

	return send_iov(opaque, &iov, 1);
}

DATA_PATH static void wait_for_room(struct net_dgram *dgram)
{
	dgram->tx_waiting = true;
	if (dgram->connected) {
		set_events(dgram);
		return;
	}
	dgram->retry_ns = CLAMP(2 * dgram->retry_ns, RETRY_MIN_NS, RETRY_MAX_NS);
	io_timer_set(dgram->loop, &dgram->retry, io_loop_now_ns(dgram->loop) + dgram->retry_ns);
}

DATA_PATH static void retry(void *opaque)
{
	struct net_dgram *dgram = opaque;

	if (!dgram->tx_waiting)
		return;
	dgram->tx_waiting = false;
	dgram->front->writable(dgram->opaque, 0);
}

DATA_PATH static int dgram_send(struct net_backend *net, unsigned queue,
				const struct net_header *header, const struct iovec *iov,
				unsigned count)
{
	struct net_dgram *dgram = dgram_of(net);
	size_t len = iov_len(iov, count);
	int r;

	(void)queue;
	if (len > NET_MAX_FRAME || len < NET_ETHER_LEN)
		return 0;
	if (net_offload_needed(header)) {
		r = net_offload_run(&dgram->offload, header, iov, count, send_frame, dgram,
				    &dgram->sent);
	} else if (count > MAX_IOV) {
		(void)iov_copy_out(iov, count, 0, dgram->bounce, len);
		r = send_iov(dgram, &(struct iovec){ dgram->bounce, len }, 1);
	} else {
		r = send_iov(dgram, iov, count);
	}
	if (r != -EAGAIN)
		return 0;
	wait_for_room(dgram);
	return r;
}

DATA_PATH static void dgram_forget(struct net_backend *net, unsigned queue)
{
	dgram_of(net)->sent = 0;
	(void)queue;
}

/* One datagram: its length, more than @room if it was longer, or -errno. */
DATA_PATH static ssize_t receive_one(struct net_dgram *dgram, const struct iovec *iov,
				     unsigned count, size_t room)
{
	struct iovec whole = { dgram->bounce, sizeof(dgram->bounce) };
	struct msghdr msg = { .msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = count };
	ssize_t n;

	if (count > MAX_IOV) {
		msg.msg_iov = &whole;
		msg.msg_iovlen = 1;
	}
	/* With MSG_TRUNC the length is the datagram's, not what was copied of it. */
	n = sys_recvmsg(dgram->fd, &msg, MSG_DONTWAIT | MSG_TRUNC);
	if (count > MAX_IOV && n > 0 && (size_t)n <= room)
		(void)iov_copy_in(iov, count, 0, dgram->bounce, (size_t)n);
	return n;
}

DATA_PATH static ssize_t dgram_receive(struct net_backend *net, unsigned queue,
				       struct net_header *ret_header, const struct iovec *iov,
				       unsigned count)
{
	struct net_dgram *dgram = dgram_of(net);
	size_t room = iov_len(iov, count);

	(void)queue;
	if (room > NET_MAX_FRAME)
		room = NET_MAX_FRAME;
	for (unsigned i = 0; i < MAX_DROPS; i++) {
		ssize_t n = receive_one(dgram, iov, count, room);

		if (n >= NET_ETHER_LEN && (size_t)n <= room) {
			*ret_header = (struct net_header){ 0 };
			return n;
		}
		if (n == -EAGAIN)
			break;
	}
	dgram->rx_waiting = true;
	set_events(dgram);
	return -EAGAIN;
}

DATA_PATH static void dgram_event(void *opaque, unsigned events)
{
	struct net_dgram *dgram = opaque;
	int err;

	/* Taken off, or it would be told for ever. */
	if (events & POLLERR)
		(void)sys_getsockopt_int(dgram->fd, SOL_SOCKET, SO_ERROR, &err);
	if (dgram->tx_waiting && (events & (POLLOUT | POLLERR))) {
		dgram->tx_waiting = false;
		dgram->front->writable(dgram->opaque, 0);
	}
	if (dgram->rx_waiting && (events & POLLIN)) {
		dgram->rx_waiting = false;
		dgram->front->readable(dgram->opaque, 0);
	}
	/* A pair whose other end is closed. */
	if ((events & POLLHUP) && !(events & POLLIN)) {
		dgram->rx_waiting = false;
		dgram->tx_waiting = false;
	}
	set_events(dgram);
}

/* ---- life ---- */

static void start_on_loop(void *opaque)
{
	struct net_dgram *dgram = opaque;

	dgram->watch = (struct io_watch){ .fd = dgram->fd, .fn = dgram_event, .opaque = dgram };
	dgram->events = 0;
	dgram->rx_waiting = false;
	dgram->tx_waiting = false;
	dgram->sent = 0;
	dgram->retry_ns = 0;
	dgram->retry = (struct io_timer){ .fn = retry, .opaque = dgram };
	io_timer_add(dgram->loop, &dgram->retry);
	io_watch_add(dgram->loop, &dgram->watch, 0);
}

static void stop_on_loop(void *opaque)
{
	struct net_dgram *dgram = opaque;

	io_timer_remove(dgram->loop, &dgram->retry);
	io_watch_remove(dgram->loop, &dgram->watch);
}

static bool dgram_attach(struct net_backend *net, struct io_loop *loop,
			 const struct net_front *front, void *opaque, GError **error)
{
	struct net_dgram *dgram = dgram_of(net);

	(void)error;
	dgram->loop = loop;
	dgram->front = front;
	dgram->opaque = opaque;
	io_loop_call(loop, start_on_loop, dgram);
	return true;
}

static void dgram_detach(struct net_backend *net)
{
	struct net_dgram *dgram = dgram_of(net);

	io_loop_call(dgram->loop, stop_on_loop, dgram);
	dgram->loop = NULL;
}

static void dgram_configure(struct net_backend *net, unsigned offloads, unsigned queues)
{
	(void)net;
	(void)offloads;
	(void)queues;
}

static void dgram_free(struct net_backend *net)
{
	struct net_dgram *dgram = dgram_of(net);

	if (dgram->bound)
		socket_unlink(&dgram->local);
	fd_autoclose(&dgram->fd);
	socket_address_release(&dgram->local);
	socket_address_release(&dgram->remote);
	g_free(dgram);
}

static char *dgram_describe(struct net_backend *net)
{
	struct net_dgram *dgram = dgram_of(net);

	if (!dgram->remote.name)
		return g_strdup("dgram: a descriptor");
	return g_strdup_printf("dgram: %s to %s",
			       dgram->local.name ? dgram->local.name : "any port",
			       dgram->remote.name);
}

static const struct net_ops dgram_ops = {
	.type = "dgram",
	.attach = dgram_attach,
	.detach = dgram_detach,
	.configure = dgram_configure,
	.send = dgram_send,
	.forget = dgram_forget,
	.receive = dgram_receive,
	.free = dgram_free,
	.describe = dgram_describe,
};

static bool open_unix(struct net_dgram *dgram, const struct net_dgram_config *config,
		      GError **error)
{
	if (!config->local_path || !config->remote_path)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "a datagram network on Unix sockets needs a local and a remote "
				 "path; give both");
	return socket_address_unix(&dgram->local, config->local_path, error) &&
	       socket_address_unix(&dgram->remote, config->remote_path, error);
}

static bool open_inet(struct net_dgram *dgram, const struct net_dgram_config *config,
		      GError **error)
{
	if (!config->remote_host)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "a datagram network needs a remote host and port; give both");
	if (config->remote)
		socket_address_copy(&dgram->remote, config->remote);
	else if (!socket_address_inet(&dgram->remote, config->remote_host, config->remote_port,
				      SOCK_DGRAM, false, error))
		return false;
	if (config->local)
		socket_address_copy(&dgram->local, config->local);
	else if (!socket_address_inet(&dgram->local, config->local_host, config->local_port,
				      SOCK_DGRAM, true, error))
		return false;
	if (dgram->local.addr.ss_family == dgram->remote.addr.ss_family)
		return true;
	if (config->local_host)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "'%s' and '%s' are not of one address family; choose two that are",
				 dgram->local.name, dgram->remote.name);
	/* All addresses of this host, but of the other family. */
	socket_address_release(&dgram->local);
	return socket_address_inet(&dgram->local,
				   dgram->remote.addr.ss_family == AF_INET6 ? "::" : "0.0.0.0",
				   config->local_port, SOCK_DGRAM, true, error);
}

/* So that the kernel takes datagrams of the peer only. A file's peer may come later. */
static bool connect_inet(struct net_dgram *dgram, GError **error)
{
	int r = sys_connect(dgram->fd, (const void *)&dgram->remote.addr, dgram->remote.len);

	if (r < 0)
		return error_sys(error, r, "cannot reach '%s'", dgram->remote.name);
	dgram->connected = true;
	return true;
}

static bool open_dgram(struct net_dgram *dgram, const struct net_dgram_config *config,
		       GError **error)
{
	bool paths = config->local_path || config->remote_path;

	if (!paths && !config->local_host && !config->remote_host && !config->remote_port) {
		dgram->fd = config->fd;
		dgram->connected = true;
		return socket_take_fd(config->fd, SOCK_DGRAM, error);
	}
	if (paths ? !open_unix(dgram, config, error) : !open_inet(dgram, config, error))
		return false;
	dgram->fd = socket_bind(&dgram->local, SOCK_DGRAM, error);
	if (dgram->fd < 0)
		return false;
	dgram->bound = paths;
	return paths || connect_inet(dgram, error);
}

struct net_backend *net_dgram_new(const struct net_dgram_config *config, GError **error)
{
	struct net_dgram *dgram = g_new0(struct net_dgram, 1);
	autoptr(net_backend) net = &dgram->base;

	dgram->base.ops = &dgram_ops;
	dgram->base.queues = 1;
	dgram->base.link_up = true;
	dgram->fd = -1;
	if (!open_dgram(dgram, config, error))
		return NULL;
	/* Bursts of a card are long; best effort. */
	(void)sys_setsockopt_int(dgram->fd, SOL_SOCKET, SO_RCVBUF, SOCKET_BUFFER);
	(void)sys_setsockopt_int(dgram->fd, SOL_SOCKET, SO_SNDBUF, SOCKET_BUFFER);
	return g_steal_pointer(&net);
}
