/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stream.c - frames on a stream socket, each behind a 32-bit big-endian length
 *
 * The framing is that of QEMU's -netdev stream, so QEMU and passt are peers. It has no header for
 * offloads: frames are made complete before they are sent.
 *
 * States, all on the loop:
 *
 *   DOWN        no peer. A listener is watched, or a timer will connect again, or that was it.
 *   CONNECTING  connect() has not answered yet
 *   UP
 *
 * Both directions have one buffer. What the card sends gathers and goes out before the loop waits;
 * when a frame has no room, send() says -EAGAIN until the socket has taken enough. What the peer
 * sends is read in large pieces and handed out frame by frame; as long as the card takes none, no
 * more is read. A length that no frame has closes the connection: what follows would be noise.
 *
 * The link's state is told on the main loop by a GSource that is always there and becomes ready
 * when the state changes.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>

#include "base/acceptor.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/log.h"
#include "base/sys.h"
#include "base/unix-listener.h"
#include "net/net.h"
#include "net/offload.h"
#include "net/socket.h"

enum {
	LENGTH_LEN = 4,
	BUFFER_LEN = 128 << 10, /* a frame of the largest kind, and what a cache holds */
	/* In QEMU a frame may be a bit longer than ours. */
	PEER_MAX_FRAME = 65536 + 4096,
	CONNECT_WAIT_MS = 100, /* for an answer that can be told at once */
	READS_A_CALL = 2,      /* for a peer of runts: then others' turn */
};

enum stream_state {
	STREAM_DOWN,
	STREAM_CONNECTING,
	STREAM_UP,
};

struct stream_buffer {
	size_t head, tail; /* what is in it */
	uint8_t *data;     /* BUFFER_LEN bytes */
};

struct link_source {
	GSource source;
	struct net_stream *stream;
};

struct net_stream {
	struct net_backend base;
	enum net_socket_role role;
	struct socket_address address;
	unsigned reconnect_s;
	struct unix_listener *listener; /* of a path */
	struct acceptor *acceptor;      /* of a port */

	/* Of the loop while there is one. */
	enum stream_state state;
	int fd;
	unsigned events;
	bool rx_waiting, tx_waiting;
	struct io_watch watch, listen_watch;
	struct io_timer timer;   /* the next attempt */
	struct io_timer release; /* of a card that waits */
	struct io_prepare prepare;

	struct io_loop *loop;
	const struct net_front *front;
	void *opaque;

	atomic_bool link_up; /* written on the loop, told on the main loop */
	GSource *link;

	struct stream_buffer rx, tx;
	unsigned sent; /* segments of the frame that waits */
	struct net_offload offload;
};

static struct net_stream *stream_of(struct net_backend *net)
{
	return container_of(net, struct net_stream, base);
}

/* ---- the link ---- */

static int link_dispatch(GSource *source, GSourceFunc callback, void *unused)
{
	struct net_stream *stream = ((struct link_source *)source)->stream;
	bool up;

	(void)callback;
	(void)unused;
	/* First, so that a change from now on is not lost. */
	g_source_set_ready_time(source, -1);
	up = atomic_load(&stream->link_up);
	if (up != stream->base.link_up) {
		stream->base.link_up = up;
		if (stream->base.attached)
			stream->front->link_changed(stream->opaque, up);
	}
	return G_SOURCE_CONTINUE;
}

static GSourceFuncs link_source_funcs = { .dispatch = link_dispatch };

static void tell_link(struct net_stream *stream, bool up)
{
	atomic_store(&stream->link_up, up);
	g_source_set_ready_time(stream->link, 0);
}

/* ---- connections ---- */

static void set_events(struct net_stream *stream)
{
	unsigned events = 0;

	if (stream->state == STREAM_CONNECTING)
		events = POLLOUT;
	else if (stream->state == STREAM_UP)
		events = POLLIN | (stream->tx.head < stream->tx.tail ? POLLOUT : 0u);
	if (stream->state == STREAM_UP && !stream->rx_waiting)
		events &= ~(unsigned)POLLIN;
	if (events != stream->events)
		io_watch_set(stream->loop, &stream->watch, events);
	stream->events = events;
}

static void stream_event(void *opaque, unsigned events);

/* A descriptor comes to the loop. */
static void watch_fd(struct net_stream *stream, enum stream_state state)
{
	stream->state = state;
	stream->events = 0;
	stream->watch = (struct io_watch){ .fd = stream->fd, .fn = stream_event, .opaque = stream };
	io_watch_add(stream->loop, &stream->watch, 0);
	set_events(stream);
}

static void clear_buffers(struct net_stream *stream)
{
	stream->rx.head = stream->rx.tail = 0;
	stream->tx.head = stream->tx.tail = 0;
	stream->sent = 0;
}

static void peer_here(struct net_stream *stream)
{
	(void)sys_setsockopt_int(stream->fd, IPPROTO_TCP, TCP_NODELAY, 1);
	stream->state = STREAM_UP;
	tell_link(stream, true);
	set_events(stream);
}

static void peer_gone(struct net_stream *stream)
{
	bool was_up = stream->state == STREAM_UP;

	io_watch_remove(stream->loop, &stream->watch);
	fd_autoclose(&stream->fd);
	stream->state = STREAM_DOWN;
	clear_buffers(stream);
	if (was_up)
		tell_link(stream, false);
	if (stream->role == NET_SOCKET_LISTEN)
		io_watch_set(stream->loop, &stream->listen_watch, POLLIN);
	else if (stream->role == NET_SOCKET_CONNECT && stream->reconnect_s)
		io_timer_set(stream->loop, &stream->timer,
			     io_loop_now_ns(stream->loop) +
				     (uint64_t)stream->reconnect_s * 1000000000);
	/* A card that was told to wait would wait for ever. Not from here: it may be calling us. */
	if (stream->tx_waiting)
		io_timer_set(stream->loop, &stream->release, 0);
}

static void release_card(void *opaque)
{
	struct net_stream *stream = opaque;

	if (!stream->tx_waiting)
		return;
	stream->tx_waiting = false;
	stream->front->writable(stream->opaque, 0);
}

static int start_connect(const struct socket_address *address, int *ret_fd)
{
	int fd = sys_socket(address->addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0), r;

	if (fd < 0)
		return fd;
	r = sys_connect(fd, (const void *)&address->addr, address->len);
	if (r < 0 && r != -EINPROGRESS) {
		fd_autoclose(&fd);
		return r;
	}
	*ret_fd = fd;
	return r;
}

static void connect_again(void *opaque)
{
	struct net_stream *stream = opaque;
	int r = start_connect(&stream->address, &stream->fd);

	if (r < 0 && r != -EINPROGRESS) {
		io_timer_set(stream->loop, &stream->timer,
			     io_loop_now_ns(stream->loop) +
				     (uint64_t)stream->reconnect_s * 1000000000);
		return;
	}
	watch_fd(stream, STREAM_CONNECTING);
	if (r == 0)
		peer_here(stream);
}

static bool listens(const struct net_stream *stream)
{
	return stream->listener || stream->acceptor;
}

static void listen_event(void *opaque, unsigned events)
{
	struct net_stream *stream = opaque;
	int fd;

	(void)events;
	fd = stream->listener ? unix_listener_accept(stream->listener)
			      : acceptor_accept(stream->acceptor);
	if (fd < 0)
		return;
	/* One peer at a time; the next waits in the queue. */
	io_watch_set(stream->loop, &stream->listen_watch, 0);
	stream->fd = fd;
	watch_fd(stream, STREAM_UP);
	peer_here(stream);
}

/* ---- to the peer ---- */

/* Write what there is. False: the peer has gone. */
DATA_PATH static bool flush(struct net_stream *stream)
{
	struct stream_buffer *tx = &stream->tx;

	while (tx->head < tx->tail) {
		struct iovec iov = { tx->data + tx->head, tx->tail - tx->head };
		struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
		ssize_t n = sys_sendmsg(stream->fd, &msg, MSG_DONTWAIT);

		if (n == -EAGAIN)
			return true;
		if (n < 0) {
			peer_gone(stream);
			return false;
		}
		tx->head += (size_t)n;
	}
	tx->head = tx->tail = 0;
	return true;
}

/* Room for @need bytes at the tail? */
DATA_PATH static bool make_room(struct net_stream *stream, size_t need)
{
	struct stream_buffer *tx = &stream->tx;

	if (need <= BUFFER_LEN - tx->tail)
		return true;
	if (!flush(stream))
		return false;
	if (tx->head && need > BUFFER_LEN - tx->tail) {
		memmove(tx->data, tx->data + tx->head, tx->tail - tx->head);
		tx->tail -= tx->head;
		tx->head = 0;
	}
	return need <= BUFFER_LEN - tx->tail;
}

/* Room for a frame of @len bytes, and its length before it; NULL: not now, or nobody is there. */
DATA_PATH static uint8_t *begin_frame(struct net_stream *stream, size_t len)
{
	struct stream_buffer *tx = &stream->tx;
	uint8_t *p;

	if (!make_room(stream, LENGTH_LEN + len))
		return NULL;
	p = tx->data + tx->tail;
	put_be32(p, (uint32_t)len);
	tx->tail += LENGTH_LEN + len;
	return p + LENGTH_LEN;
}

DATA_PATH static int put_frame(void *opaque, uint8_t *frame, size_t len)
{
	struct net_stream *stream = opaque;
	uint8_t *p = begin_frame(stream, len);

	if (!p)
		return stream->state == STREAM_UP ? -EAGAIN : -EPIPE;
	memcpy(p, frame, len);
	return 0;
}

DATA_PATH static int stream_send(struct net_backend *net, unsigned queue,
				 const struct net_header *header, const struct iovec *iov,
				 unsigned count)
{
	struct net_stream *stream = stream_of(net);
	size_t len = iov_len(iov, count);
	uint8_t *p;

	(void)queue;
	/* Nobody is there: lost, as on a cable that is not plugged in. */
	if (stream->state != STREAM_UP || len > NET_MAX_FRAME || len < NET_ETHER_LEN)
		return 0;
	if (net_offload_needed(header)) {
		if (net_offload_run(&stream->offload, header, iov, count, put_frame, stream,
				    &stream->sent) != -EAGAIN)
			return 0;
	} else {
		p = begin_frame(stream, len);
		if (p)
			(void)iov_copy_out(iov, count, 0, p, len);
		if (p || stream->state != STREAM_UP)
			return 0;
	}
	stream->tx_waiting = true;
	set_events(stream);
	return -EAGAIN;
}

DATA_PATH static void stream_forget(struct net_backend *net, unsigned queue)
{
	stream_of(net)->sent = 0;
	(void)queue;
}

/* NOLINTNEXTLINE(readability-non-const-parameter): the type is the caller's */
DATA_PATH static void before_wait(void *opaque, uint64_t *deadline_ns)
{
	struct net_stream *stream = opaque;

	(void)deadline_ns;
	if (stream->state != STREAM_UP)
		return;
	/* What does not go now goes when the socket says so. */
	if (stream->events & POLLOUT)
		return;
	if (flush(stream))
		set_events(stream);
}

/* ---- from the peer ---- */

/* Read as much as fits. 0: there is something new; -EAGAIN: nothing; else the peer has gone. */
DATA_PATH static int read_more(struct net_stream *stream)
{
	struct stream_buffer *rx = &stream->rx;
	ssize_t n;

	if (rx->head) {
		memmove(rx->data, rx->data + rx->head, rx->tail - rx->head);
		rx->tail -= rx->head;
		rx->head = 0;
	}
	n = sys_read(stream->fd, rx->data + rx->tail, BUFFER_LEN - rx->tail);
	if (n == -EAGAIN)
		return -EAGAIN;
	if (n <= 0)
		return -EPIPE;
	rx->tail += (size_t)n;
	return 0;
}

/* The next whole frame in the buffer: its length; -EAGAIN: not whole; -EPROTO: it can be none. */
DATA_PATH static ssize_t next_frame(struct stream_buffer *rx, const uint8_t **ret_frame)
{
	size_t have = rx->tail - rx->head, len;

	if (have < LENGTH_LEN)
		return -EAGAIN;
	len = get_be32(rx->data + rx->head);
	if (len > PEER_MAX_FRAME)
		return -EPROTO;
	if (have - LENGTH_LEN < len)
		return -EAGAIN;
	*ret_frame = rx->data + rx->head + LENGTH_LEN;
	rx->head += LENGTH_LEN + len;
	return (ssize_t)len;
}

DATA_PATH static ssize_t stream_receive(struct net_backend *net, unsigned queue,
					struct net_header *ret_header, const struct iovec *iov,
					unsigned count)
{
	struct net_stream *stream = stream_of(net);
	size_t room = iov_len(iov, count);
	unsigned reads = 0;

	(void)queue;
	while (stream->state == STREAM_UP) {
		const uint8_t *frame = NULL;
		ssize_t len = next_frame(&stream->rx, &frame);
		int r;

		if (len >= NET_ETHER_LEN && (size_t)len <= room) {
			*ret_header = (struct net_header){ 0 };
			(void)iov_copy_in(iov, count, 0, frame, (size_t)len);
			return len;
		}
		/* A runt, or one that does not fit. */
		if (len >= 0)
			continue;
		if (len == -EPROTO) {
			peer_gone(stream);
			break;
		}
		if (reads++ == READS_A_CALL)
			break;
		r = read_more(stream);
		if (r == -EAGAIN)
			break;
		if (r < 0)
			peer_gone(stream);
	}
	stream->rx_waiting = true;
	if (stream->state == STREAM_UP)
		set_events(stream);
	return -EAGAIN;
}

static void stream_event(void *opaque, unsigned events)
{
	struct net_stream *stream = opaque;
	int err = 0;

	if (stream->state == STREAM_CONNECTING) {
		(void)sys_getsockopt_int(stream->fd, SOL_SOCKET, SO_ERROR, &err);
		/* Who hangs up at once leaves no error behind. */
		if (!err && events & (POLLERR | POLLHUP))
			err = ECONNRESET;
		if (err && !stream->reconnect_s)
			log_warning("cannot connect to '%s': %s", stream->address.name,
				    g_strerror(err));
		if (err)
			peer_gone(stream);
		else
			peer_here(stream);
		return;
	}
	if (events & POLLOUT) {
		if (!flush(stream))
			return;
		if (stream->tx_waiting && stream->tx.tail - stream->tx.head < BUFFER_LEN / 2) {
			stream->tx_waiting = false;
			stream->front->writable(stream->opaque, 0);
		}
	}
	if (stream->state == STREAM_UP && stream->rx_waiting &&
	    (events & (POLLIN | POLLHUP | POLLERR))) {
		stream->rx_waiting = false;
		stream->front->readable(stream->opaque, 0);
	}
	if (stream->state != STREAM_UP)
		return;
	/* The card has no buffers; the kernel says that the peer has gone again and again. */
	if (!stream->rx_waiting && (events & (POLLHUP | POLLERR)) &&
	    stream->rx.head == stream->rx.tail && read_more(stream) == -EPIPE) {
		peer_gone(stream);
		return;
	}
	set_events(stream);
}

/* ---- life ---- */

static void start_on_loop(void *opaque)
{
	struct net_stream *stream = opaque;

	stream->rx_waiting = false;
	stream->tx_waiting = false;
	stream->timer = (struct io_timer){ .fn = connect_again, .opaque = stream };
	stream->prepare = (struct io_prepare){ .fn = before_wait, .opaque = stream };
	stream->release = (struct io_timer){ .fn = release_card, .opaque = stream };
	io_timer_add(stream->loop, &stream->timer);
	io_timer_add(stream->loop, &stream->release);
	io_prepare_add(stream->loop, &stream->prepare);
	if (stream->fd >= 0)
		watch_fd(stream, atomic_load(&stream->link_up) ? STREAM_UP : STREAM_CONNECTING);
	else if (stream->role == NET_SOCKET_CONNECT && stream->reconnect_s)
		io_timer_set(stream->loop, &stream->timer, 0);
	if (!listens(stream))
		return;
	stream->listen_watch = (struct io_watch){
		.fd = stream->listener ? unix_listener_fd(stream->listener)
				       : acceptor_fd(stream->acceptor),
		.fn = listen_event,
		.opaque = stream,
	};
	io_watch_add(stream->loop, &stream->listen_watch, stream->fd < 0 ? POLLIN : 0u);
}

static void stop_on_loop(void *opaque)
{
	struct net_stream *stream = opaque;

	/* The card's last words. */
	if (stream->state == STREAM_UP)
		(void)flush(stream);
	if (stream->state != STREAM_DOWN)
		io_watch_remove(stream->loop, &stream->watch);
	/* The one attempt that there is goes on meanwhile. */
	if (stream->state == STREAM_CONNECTING && stream->reconnect_s)
		fd_autoclose(&stream->fd);
	stream->state = STREAM_DOWN;
	/* Half a frame that went out cannot be taken back: the rest follows with the next card. */
	if (listens(stream))
		io_watch_remove(stream->loop, &stream->listen_watch);
	io_prepare_remove(stream->loop, &stream->prepare);
	io_timer_remove(stream->loop, &stream->timer);
	io_timer_remove(stream->loop, &stream->release);
}

static bool stream_attach(struct net_backend *net, struct io_loop *loop,
			  const struct net_front *front, void *opaque, GError **error)
{
	struct net_stream *stream = stream_of(net);

	(void)error;
	stream->loop = loop;
	stream->front = front;
	stream->opaque = opaque;
	io_loop_call(loop, start_on_loop, stream);
	return true;
}

static void stream_detach(struct net_backend *net)
{
	struct net_stream *stream = stream_of(net);

	io_loop_call(stream->loop, stop_on_loop, stream);
	stream->loop = NULL;
	stream->front = NULL;
}

static void stream_configure(struct net_backend *net, unsigned offloads, unsigned queues)
{
	/* The wire knows one kind of frame, and one queue. */
	(void)net;
	(void)offloads;
	(void)queues;
}

static void stream_free(struct net_backend *net)
{
	struct net_stream *stream = stream_of(net);

	if (stream->link) {
		g_source_destroy(stream->link);
		g_source_unref(stream->link);
	}
	fd_autoclose(&stream->fd);
	unix_listener_free(stream->listener);
	acceptor_free(stream->acceptor);
	socket_address_release(&stream->address);
	g_free(stream->rx.data);
	g_free(stream->tx.data);
	g_free(stream);
}

static char *stream_describe(struct net_backend *net)
{
	struct net_stream *stream = stream_of(net);
	const char *up = net->link_up ? "connected" : "no peer";

	switch (stream->role) {
	case NET_SOCKET_LISTEN:
		return g_strdup_printf("stream: listening at %s, %s", stream->address.name, up);
	case NET_SOCKET_CONNECT:
		return g_strdup_printf("stream: to %s, %s", stream->address.name, up);
	case NET_SOCKET_FD:
	default:
		return g_strdup_printf("stream: a descriptor, %s", up);
	}
}

static const struct net_ops stream_ops = {
	.type = "stream",
	.attach = stream_attach,
	.detach = stream_detach,
	.configure = stream_configure,
	.send = stream_send,
	.forget = stream_forget,
	.receive = stream_receive,
	.free = stream_free,
	.describe = stream_describe,
};

/*
 * The first connection, when there will be no second attempt. What fails at once is told; a peer
 * that is far away or silent is waited for on the loop, so that nobody here has to.
 */
static bool connect_now(struct net_stream *stream, GError **error)
{
	int r = start_connect(&stream->address, &stream->fd), err = 0;

	if (r == -EINPROGRESS) {
		struct pollfd pfd = { .fd = stream->fd, .events = POLLOUT };

		r = sys_poll(&pfd, 1, CONNECT_WAIT_MS);
		if (r == 0)
			return true;
		if (r > 0)
			r = sys_getsockopt_int(stream->fd, SOL_SOCKET, SO_ERROR, &err);
		if (r == 0)
			r = -err;
	}
	if (r < 0)
		return error_sys(error, r, "cannot connect to '%s'", stream->address.name);
	(void)sys_setsockopt_int(stream->fd, IPPROTO_TCP, TCP_NODELAY, 1);
	stream->base.link_up = true;
	return true;
}

static bool find_address(struct net_stream *stream, const struct net_stream_config *config,
			 GError **error)
{
	if (config->unix_path)
		return socket_address_unix(&stream->address, config->unix_path, error);
	if (!config->address)
		return socket_address_inet(&stream->address, config->host, config->port,
					   SOCK_STREAM, config->role == NET_SOCKET_LISTEN, error);
	socket_address_copy(&stream->address, config->address);
	return true;
}

static bool open_role(struct net_stream *stream, const struct net_stream_config *config,
		      GError **error)
{
	bool passive = config->role == NET_SOCKET_LISTEN;
	int listen_fd;

	if (config->role == NET_SOCKET_FD) {
		stream->fd = config->fd;
		stream->base.link_up = true;
		return socket_take_fd(config->fd, SOCK_STREAM, error);
	}
	if (!find_address(stream, config, error))
		return false;
	if (passive && config->unix_path) {
		stream->listener = unix_listener_new(config->unix_path, error);
		return stream->listener;
	}
	if (passive) {
		listen_fd = socket_bind(&stream->address, SOCK_STREAM, error);
		stream->acceptor = listen_fd < 0 ? NULL : acceptor_new(listen_fd, error);
		return stream->acceptor;
	}
	/* Whoever wants attempts gets them from the start. */
	return stream->reconnect_s || connect_now(stream, error);
}

struct net_backend *net_stream_new(const struct net_stream_config *config, GError **error)
{
	struct net_stream *stream = g_new0(struct net_stream, 1);
	autoptr(net_backend) net = &stream->base;

	stream->base.ops = &stream_ops;
	stream->base.queues = 1;
	stream->role = config->role;
	stream->reconnect_s = config->reconnect_s;
	stream->fd = -1;
	stream->rx.data = g_malloc(BUFFER_LEN);
	stream->tx.data = g_malloc(BUFFER_LEN);
	if (!open_role(stream, config, error))
		return NULL;
	atomic_init(&stream->link_up, stream->base.link_up);
	stream->link = g_source_new(&link_source_funcs, sizeof(struct link_source));
	((struct link_source *)stream->link)->stream = stream;
	g_source_set_static_name(stream->link, "network link");
	g_source_attach(stream->link, NULL);
	return g_steal_pointer(&net);
}
