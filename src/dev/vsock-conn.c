/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vsock-conn.c - connections of virtio-vsock: table, credit, buffers, the ends of their lives
 *
 *  (1) Of the guest's bytes at most VSOCK_BUF are here. It is told so (buf_alloc, fwd_cnt), and one
 *      that sends more is reset.
 *  (2) Of the host's bytes none are here: they are read into the guest's buffers, if it has credit.
 *  (3) Numbers of the guest are used for nothing but (2): whatever it claims, it only holds up
 *      itself.
 *  (4) A connection that has something to tell stands in the ready list; each has its turn.
 *  (5) There are at most VSOCK_MAX_CONNS; states in which a peer owes an answer have a deadline.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "base/sys.h"
#include "dev/vsock-int.h"

enum {
	TICK_MS = 500,
	CLOSE_MS = 8000,  /* until the guest confirms that both ends have shut down */
	DRAIN_MS = 30000, /* until the host has read what a guest sent that has gone */
	IOV_MAX_PACKET = 64,
};

DATA_PATH static struct vsock_conn **bucket(struct vsock *vsock, uint32_t host, uint32_t guest)
{
	uint32_t hash = (host * 31 ^ guest) * 0x9e3779b1u;

	return &vsock->bucket[(hash >> 16) % VSOCK_BUCKETS];
}

DATA_PATH struct vsock_conn *vsock_conn_find(struct vsock *vsock, uint32_t host_port,
					     uint32_t guest_port)
{
	struct vsock_conn *conn = *bucket(vsock, host_port, guest_port);

	while (conn && (conn->host_port != host_port || conn->guest_port != guest_port))
		conn = conn->next;
	return conn;
}

void vsock_conn_insert(struct vsock_conn *conn, uint32_t host_port, uint32_t guest_port)
{
	struct vsock_conn **head = bucket(conn->vsock, host_port, guest_port);

	conn->host_port = host_port;
	conn->guest_port = guest_port;
	conn->next = *head;
	conn->in_table = true;
	*head = conn;
}

static void take_out(struct vsock_conn *conn)
{
	struct vsock_conn **p = bucket(conn->vsock, conn->host_port, conn->guest_port);

	if (!conn->in_table)
		return;
	while (*p != conn)
		p = &(*p)->next;
	*p = conn->next;
	conn->in_table = false;
}

DATA_PATH static uint32_t buffered(const struct vsock_conn *conn)
{
	return conn->taken - conn->fwd;
}

static void on_event(void *opaque, unsigned events);

static void listen_if_room(struct vsock *vsock)
{
	io_watch_set(vsock->loop, &vsock->listen_watch, vsock->free ? POLLIN : 0);
}

struct vsock_conn *vsock_conn_new(struct vsock *vsock, int fd, enum conn_state state)
{
	struct vsock_conn *conn = vsock->free;
	size_t index;

	if (!conn) {
		fd_autoclose(&fd);
		return NULL;
	}
	vsock->free = conn->next;
	index = (size_t)(conn - vsock->conns);
	*conn = (struct vsock_conn){
		.vsock = vsock,
		.state = state,
		.watch = { .fd = fd, .fn = on_event, .opaque = conn },
		.watched = true,
		.deadline_ns = IO_TIMER_NEVER,
		.buf = vsock->bufs + index * VSOCK_BUF,
	};
	io_watch_add(vsock->loop, &conn->watch, 0);
	listen_if_room(vsock);
	return conn;
}

/* The host's end is closed, and what was for it forgotten. */
static void close_host(struct vsock_conn *conn)
{
	if (!conn->watched)
		return;
	io_watch_remove(conn->vsock->loop, &conn->watch);
	conn->watched = false;
	fd_autoclose(&conn->watch.fd);
	conn->deadline_ns = IO_TIMER_NEVER;
	/* What is more than a page may have been touched for one burst only. */
	if (conn->taken > 4096)
		(void)sys_madvise(conn->buf, VSOCK_BUF, MADV_DONTNEED);
	conn->taken = conn->fwd = 0;
}

void vsock_conn_told(struct vsock_conn *conn)
{
	if (conn->is_ready)
		TAILQ_REMOVE(&conn->vsock->ready, conn, ready);
	conn->is_ready = false;
}

void vsock_conn_free(struct vsock_conn *conn)
{
	struct vsock *vsock = conn->vsock;

	close_host(conn);
	vsock_conn_told(conn);
	take_out(conn);
	conn->state = CONN_FREE;
	conn->next = vsock->free;
	vsock->free = conn;
	listen_if_room(vsock);
}

void vsock_conn_free_all(struct vsock *vsock)
{
	for (unsigned i = 0; i < VSOCK_MAX_CONNS; i++) {
		if (vsock->conns[i].state != CONN_FREE)
			vsock_conn_free(&vsock->conns[i]);
	}
}

DATA_PATH void vsock_conn_tell(struct vsock_conn *conn, unsigned tell)
{
	conn->tell |= tell;
	if (!conn->is_ready)
		TAILQ_INSERT_TAIL(&conn->vsock->ready, conn, ready);
	conn->is_ready = true;
}

void vsock_conn_reset(struct vsock_conn *conn)
{
	close_host(conn);
	conn->state = CONN_DEAD;
	conn->tell = 0;
	vsock_conn_tell(conn, TELL_RST);
}

void vsock_conn_deadline(struct vsock_conn *conn, unsigned ms)
{
	struct vsock *vsock = conn->vsock;
	uint64_t now_ns = io_loop_now_ns(vsock->loop);

	conn->deadline_ns = now_ns + ms * 1000000ull;
	if (!vsock->ticking)
		io_timer_set(vsock->loop, &vsock->tick, now_ns + TICK_MS * 1000000ull);
	vsock->ticking = true;
}

DATA_PATH uint32_t vsock_conn_credit(const struct vsock_conn *conn)
{
	uint32_t used = conn->sent - conn->peer_fwd;

	return used < conn->peer_alloc ? conn->peer_alloc - used : 0;
}

DATA_PATH void vsock_conn_watch(struct vsock_conn *conn)
{
	unsigned events = 0;

	if (!conn->watched)
		return;
	if (conn->state == CONN_GREET)
		events = POLLIN;
	if (conn->state == CONN_OPEN && !(conn->tell & TELL_DATA) &&
	    !(conn->host_shut & SHUTDOWN_SEND) && !(conn->guest_shut & SHUTDOWN_RECEIVE) &&
	    vsock_conn_credit(conn))
		events |= POLLIN;
	if (buffered(conn))
		events |= POLLOUT;
	io_watch_set(conn->vsock->loop, &conn->watch, events);
}

/* ---- from the guest ---- */

/* @len bytes have gone to the host, or nowhere. Tell the guest, now and then. */
DATA_PATH static void forwarded(struct vsock_conn *conn, uint32_t len)
{
	conn->fwd += len;
	conn->head = (conn->head + len) % VSOCK_BUF;
	if (conn->fwd - conn->told_fwd >= VSOCK_BUF / 4 && conn->state == CONN_OPEN)
		vsock_conn_tell(conn, TELL_CREDIT);
}

/* The host reads no more: the guest need not send. */
static void host_deaf(struct vsock_conn *conn)
{
	forwarded(conn, buffered(conn));
	if (conn->host_shut & SHUTDOWN_RECEIVE)
		return;
	conn->host_shut |= SHUTDOWN_RECEIVE;
	if (conn->state == CONN_OPEN)
		vsock_conn_tell(conn, TELL_SHUTDOWN);
}

/* Send what a list has: how many bytes went; all of them, if the host does not care. */
static size_t send_host(struct vsock_conn *conn, struct iovec *iov, unsigned count, size_t len)
{
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = count };
	ssize_t n;

	if (conn->host_shut & SHUTDOWN_RECEIVE)
		return len;
	n = sys_sendmsg(conn->watch.fd, &msg, MSG_DONTWAIT);
	if (n >= 0)
		return (size_t)n;
	if (n == -EAGAIN || n == -ENOBUFS || n == -ENOMEM)
		return 0;
	host_deaf(conn);
	return len;
}

/* The guest sends no more, and all it sent is gone. */
static void end_of_stream(struct vsock_conn *conn)
{
	if (conn->state == CONN_DRAIN) {
		vsock_conn_free(conn);
	} else if (conn->guest_shut & SHUTDOWN_RECEIVE) {
		vsock_conn_reset(conn);
	} else if (!conn->host_closed) {
		conn->host_closed = true;
		(void)sys_shutdown(conn->watch.fd, SHUT_WR);
	}
}

/* Write what is here. The connection may be gone afterwards. */
static void flush(struct vsock_conn *conn)
{
	uint32_t used = buffered(conn), first;
	struct iovec iov[2];

	if (used) {
		first = MIN(used, VSOCK_BUF - conn->head);
		iov[0] = (struct iovec){ conn->buf + conn->head, first };
		iov[1] = (struct iovec){ conn->buf, used - first };
		used = (uint32_t)send_host(conn, iov, used > first ? 2 : 1, used);
		/* Nothing is left when the host has turned out to be deaf. */
		forwarded(conn, MIN(used, buffered(conn)));
	}
	if (!buffered(conn) && conn->guest_shut & SHUTDOWN_SEND)
		end_of_stream(conn);
}

bool vsock_conn_take(struct vsock_conn *conn, const struct virtq_chain *chain, size_t off,
		     size_t len)
{
	struct iovec part[IOV_MAX_PACKET], *iov = part;
	unsigned count = chain->out_count;
	size_t done = 0;

	if (conn->guest_shut & SHUTDOWN_SEND || len > VSOCK_BUF - buffered(conn))
		return false;
	if (!buffered(conn) && count <= IOV_MAX_PACKET) {
		size_t behind = chain->out_len - off - len;

		memcpy(part, chain->out, count * sizeof(*part));
		iov_skip(&iov, &count, off);
		/* The chain may be longer than its packet. */
		while (behind && count) {
			size_t cut = MIN(behind, iov[count - 1].iov_len);

			iov[count - 1].iov_len -= cut;
			behind -= cut;
			count -= !iov[count - 1].iov_len;
		}
		if (len)
			done = send_host(conn, iov, count, len);
		conn->head = 0;
	}
	conn->taken += (uint32_t)done;
	conn->fwd += (uint32_t)done;
	/* The rest is copied behind what waits: the buffer is a ring. */
	while (done < len) {
		uint32_t tail = (conn->head + buffered(conn)) % VSOCK_BUF;
		size_t n = MIN(len - done, VSOCK_BUF - tail);

		(void)iov_copy_out(chain->out, chain->out_count, off + done, conn->buf + tail, n);
		conn->taken += (uint32_t)n;
		done += n;
	}
	forwarded(conn, 0);
	vsock_conn_watch(conn);
	return true;
}

void vsock_conn_guest_shut(struct vsock_conn *conn, unsigned flags)
{
	conn->guest_shut |= flags & (SHUTDOWN_RECEIVE | SHUTDOWN_SEND);
	if (conn->guest_shut & SHUTDOWN_RECEIVE)
		conn->tell &= ~(unsigned)TELL_DATA;
	if (conn->guest_shut == (SHUTDOWN_RECEIVE | SHUTDOWN_SEND))
		vsock_conn_deadline(conn, DRAIN_MS);
	if (conn->guest_shut & SHUTDOWN_SEND)
		flush(conn);
	vsock_conn_watch(conn);
}

void vsock_conn_guest_reset(struct vsock_conn *conn)
{
	/* One that has said all and was closed, rather than broken: the host is to have it. */
	if (conn->state == CONN_OPEN && conn->guest_shut & SHUTDOWN_SEND && buffered(conn)) {
		take_out(conn);
		vsock_conn_told(conn);
		conn->state = CONN_DRAIN;
		vsock_conn_deadline(conn, DRAIN_MS);
		vsock_conn_watch(conn);
		return;
	}
	vsock_conn_free(conn);
}

/* ---- from the host ---- */

/* The host sends no more. If it has closed the socket, it will not read either. */
static void host_ends(struct vsock_conn *conn)
{
	struct pollfd pfd = { .fd = conn->watch.fd };

	conn->host_shut |= SHUTDOWN_SEND;
	if (sys_poll(&pfd, 1, 0) > 0 && pfd.revents & POLLHUP)
		conn->host_shut |= SHUTDOWN_RECEIVE;
	if (conn->host_shut & SHUTDOWN_RECEIVE)
		vsock_conn_deadline(conn, CLOSE_MS);
	vsock_conn_tell(conn, TELL_SHUTDOWN);
}

size_t vsock_conn_read(struct vsock_conn *conn, const struct iovec *iov, unsigned count)
{
	size_t room = iov_len(iov, count);
	ssize_t n;

	/* A read of nothing looks like the end. */
	if (!room)
		return 0;
	n = sys_readv(conn->watch.fd, iov, (int)count);
	if (n <= 0 || (size_t)n < room)
		conn->tell &= ~(unsigned)TELL_DATA;
	if (n == 0)
		host_ends(conn);
	else if (n < 0 && n != -EAGAIN)
		vsock_conn_reset(conn);
	if (n > 0)
		conn->sent += (uint32_t)n;
	return n > 0 ? (size_t)n : 0;
}

static void on_event(void *opaque, unsigned events)
{
	struct vsock_conn *conn = opaque;
	struct vsock *vsock = conn->vsock;

	virtio_lock(&vsock->dev);
	vsock_purge(vsock);
	if (conn->state == CONN_GREET) {
		vsock_greet(conn);
	} else if (conn->state != CONN_FREE) {
		if (conn->state == CONN_OPEN && events & (POLLIN | POLLHUP | POLLERR) &&
		    !(conn->host_shut & SHUTDOWN_SEND) && !(conn->guest_shut & SHUTDOWN_RECEIVE) &&
		    vsock_conn_credit(conn))
			vsock_conn_tell(conn, TELL_DATA);
		if (events & (POLLOUT | POLLHUP | POLLERR) && buffered(conn))
			flush(conn);
		vsock_conn_watch(conn);
	}
	vsock_rx_run(vsock);
	virtio_unlock(&vsock->dev);
}

/* ---- time ---- */

void vsock_tick(void *opaque)
{
	struct vsock *vsock = opaque;
	uint64_t now_ns = io_loop_now_ns(vsock->loop);
	bool again = false;

	virtio_lock(&vsock->dev);
	vsock_purge(vsock);
	vsock->ticking = false;
	for (unsigned i = 0; i < VSOCK_MAX_CONNS; i++) {
		struct vsock_conn *conn = &vsock->conns[i];

		if (conn->state == CONN_FREE || conn->deadline_ns == IO_TIMER_NEVER)
			continue;
		if (conn->deadline_ns > now_ns)
			again = true;
		else if (conn->state == CONN_GREET || conn->state == CONN_DRAIN)
			vsock_conn_free(conn);
		else
			vsock_conn_reset(conn);
	}
	if (again) {
		vsock->ticking = true;
		io_timer_set(vsock->loop, &vsock->tick, now_ns + TICK_MS * 1000000ull);
	}
	vsock_rx_run(vsock);
	virtio_unlock(&vsock->dev);
}
