/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * conn-io.c - the thread that reads what comes, sends what waits, and asks whether the server lives
 *
 * Reading stops while a stream has received much that nobody takes, if no call waits for an answer: so
 * a slow reader slows the server down. Questions of the server cannot be answered then; ours go on, by
 * which it knows that we live.
 */
#include "client/conn-int.h"

#include <fcntl.h>
#include <poll.h>

#include "base/sys.h"
#include "base/thread.h"
#include "client/error-int.h"

enum {
	READS_AT_ONCE = 64, /* packets, before others get the lock */
	NS_PER_MS = 1000000,
};

void conn_wake(struct socle_conn *conn)
{
	uint64_t one = 1;

	(void)sys_write(conn->wake_fd, &one, sizeof(one));
}

void conn_rest(struct socle_conn *conn)
{
	uint64_t count;

	(void)sys_read(conn->wake_fd, &count, sizeof(count));
}

/* == Sending == */

static void break_link_locked(struct socle_conn *conn, GError *why)
{
	if (!conn->broken)
		conn->broken = g_strdup(why->message);
	g_error_free(why);
	conn_wake(conn);
}

void conn_out_free(struct out *out)
{
	fd_autoclose(&out->fd);
	rpc_message_free(out->msg);
	g_free(out);
}

/* A part of it; as link_write(). */
static ssize_t write_some(struct link *link, struct out *out, GError **why)
{
	struct span packet = rpc_message_packet(out->msg);
	ssize_t n;

	if (out->sent < packet.len) {
		n = link_write(link, packet.p + out->sent, packet.len - out->sent, why);
		out->sent += n > 0 ? (size_t)n : 0;
		return n;
	}
	n = link_write_fd(link, out->fd, why);
	if (n > 0)
		fd_autoclose(&out->fd);
	return n;
}

static void flush_locked(struct socle_conn *conn)
{
	struct out *out;

	while (conn->link && !conn->broken && (out = g_queue_peek_head(&conn->out))) {
		const size_t len = rpc_message_packet(out->msg).len;
		GError *why = NULL;
		ssize_t n = write_some(conn->link, out, &why);

		if (n < 0)
			break_link_locked(conn, why);
		if (n <= 0)
			return;
		if (out->sent < len || out->fd >= 0)
			continue;
		g_queue_pop_head(&conn->out);
		if (out->stream)
			stream_sent_locked(out->stream, len);
		conn_out_free(out);
	}
}

static void put_out_locked(struct socle_conn *conn, const struct out *what)
{
	g_queue_push_tail(&conn->out, g_memdup2(what, sizeof(*what)));
	flush_locked(conn);
}

static void send_locked(struct socle_conn *conn, const struct out *what)
{
	put_out_locked(conn, what);
	/* The I/O thread sends the rest; and if it does not read it is to do so, for the answer. */
	if (conn->out.length > 0 || conn->stream_bytes >= CONN_STREAM_PAUSE)
		conn_wake(conn);
}

void conn_send_locked(struct socle_conn *conn, struct rpc_message *msg, struct socle_stream *stream)
{
	send_locked(conn, &(struct out){ .msg = msg, .fd = -1, .stream = stream });
}

void conn_send_fd_locked(struct socle_conn *conn, struct rpc_message *msg, int fd)
{
	send_locked(conn, &(struct out){ .msg = msg, .fd = fd });
}

/* One at a time is enough, however often it asks. */
static void send_pong_locked(struct socle_conn *conn)
{
	for (GList *l = conn->out.head; l; l = l->next) {
		if (((struct out *)l->data)->pong)
			return;
	}
	put_out_locked(conn, &(struct out){ .msg = rpc_message_new_keepalive(RPC_KEEPALIVE_PONG),
					    .fd = -1,
					    .pong = true });
}

/* == Reading == */

static void handle_locked(struct socle_conn *conn, struct packet *packet)
{
	const struct rpc_procedure *proc;

	switch (rpc_sort_for_client(&packet->received.header, &proc, NULL)) {
	case RPC_SORT_REPLY:
		conn_answer_locked(conn, packet);
		return;
	case RPC_SORT_EVENT:
		conn_queue_event_locked(conn, packet);
		return;
	case RPC_SORT_STREAM:
		stream_packet_locked(conn, packet);
		return;
	case RPC_SORT_PING:
		send_pong_locked(conn);
		break;
	case RPC_SORT_PONG:
	case RPC_SORT_CALL:
	case RPC_SORT_REFUSE:
	case RPC_SORT_DROP:
		break;
	}
	packet_free(packet);
}

bool conn_read_locked(struct socle_conn *conn, bool *ret_more)
{
	struct packet *packet;
	GError *why = NULL;

	if (!link_read(conn->link, &packet, &why)) {
		break_link_locked(conn, why);
		return false;
	}
	*ret_more = packet != NULL;
	if (packet)
		handle_locked(conn, packet);
	return true;
}

static bool is_paused_locked(const struct socle_conn *conn)
{
	return conn->stream_bytes >= CONN_STREAM_PAUSE && g_hash_table_size(conn->calls) == 0;
}

/* Return: whether more may be there. */
static bool read_some_locked(struct socle_conn *conn)
{
	bool more = true;

	for (int i = 0; i < READS_AT_ONCE; i++) {
		if (conn->broken)
			return false;
		/* What TLS has decrypted already is nothing that poll() would tell of. */
		if (is_paused_locked(conn))
			return true;
		if (!conn_read_locked(conn, &more) || !more)
			return false;
	}
	return true;
}

/* == Keepalive == */

/* Return: ns until there is something to do, UINT64_MAX: never. */
static uint64_t keep_alive_locked(struct socle_conn *conn)
{
	uint64_t now = sys_monotonic_ns();
	uint64_t interval = conn->keepalive_ms * UINT64_C(1000000), since;
	bool paused = is_paused_locked(conn);

	if (link_bytes_in(conn->link) != conn->heard_bytes || paused) {
		conn->heard_bytes = link_bytes_in(conn->link);
		conn->heard_ns = now;
		conn->pings = 0;
	}
	if (interval == 0 || !conn->keepalive)
		return UINT64_MAX;
	since = MAX(paused ? 0 : conn->heard_ns, conn->pinged_ns);
	if (now - since < interval)
		return interval - (now - since);
	if (conn->pings >= conn->keepalive_count) {
		conn_lost_locked(conn, SOCLE_CLOSE_KEEPALIVE,
				 "the server has not answered for too long");
		return 0;
	}
	conn->pings++;
	conn->pinged_ns = now;
	put_out_locked(conn, &(struct out){ .msg = rpc_message_new_keepalive(RPC_KEEPALIVE_PING),
					    .fd = -1 });
	return interval;
}

/* == The end of a link == */

static void drop_out_locked(struct socle_conn *conn)
{
	struct out *out;

	while ((out = g_queue_pop_head(&conn->out)))
		conn_out_free(out);
}

void conn_lost_locked(struct socle_conn *conn, enum socle_close_reason reason, const char *why)
{
	bool again = conn->reconnect && !conn->stopping;

	socle_error_free(conn->why);
	conn->why = NULL;
	client_error(&conn->why, SOCLE_ERR_CONNECTION_LOST,
		     again ? "the connection is lost and being opened again: %s"
			   : "the connection is closed: %s",
		     why);
	conn_fail_calls_locked(conn, why);
	drop_out_locked(conn);
	stream_fail_all_locked(conn, why);
	conn->state = again ? CONN_REOPENING : CONN_CLOSED;
	conn_queue_local_locked(conn, again ? SOCLE_EVENT_LOST : SOCLE_EVENT_CLOSED, (int)reason,
				NULL);
	link_free(conn->link);
	conn->link = NULL;
	g_free(conn->broken);
	conn->broken = NULL;
	pthread_cond_broadcast(&conn->changed);
}

/* == The loop == */

static int timeout_of(uint64_t ns, uint64_t deadline)
{
	uint64_t now;

	if (deadline != UINT64_MAX) {
		now = sys_monotonic_ns();
		ns = MIN(ns, deadline > now ? deadline - now : 0);
	}
	return ns == UINT64_MAX ? -1 : (int)MIN(ns / NS_PER_MS + 1, 60000);
}

/* Wait for something to do, and do it. */
static void step_locked(struct socle_conn *conn, uint64_t deadline)
{
	uint64_t wait_ns = keep_alive_locked(conn);
	struct pollfd fds[2] = { { .fd = conn->wake_fd, .events = POLLIN } };
	bool paused, more = conn->more;

	/* Keepalive has given it up. */
	if (!conn->link)
		return;
	paused = is_paused_locked(conn);
	fds[1].fd = link_transport(conn->link)->fd;
	fds[1].events = (short)((paused ? 0 : POLLIN) | (conn->out.length > 0 ? POLLOUT : 0));
	pthread_mutex_unlock(&conn->lock);
	(void)sys_poll(fds, 2, more && !paused ? 0 : timeout_of(wait_ns, deadline));
	if (fds[0].revents)
		conn_rest(conn);
	pthread_mutex_lock(&conn->lock);
	if (fds[1].revents & POLLOUT)
		flush_locked(conn);
	/* A peer that has gone is found out by reading, behind all that it has sent. */
	if (!paused && (more || (fds[1].revents & (POLLIN | POLLERR | POLLHUP))))
		conn->more = read_some_locked(conn);
	else if (paused && (fds[1].revents & (POLLERR | POLLHUP)))
		(void)conn_read_locked(conn, &conn->more);
}

/* Look whether there still is a link; if so, wait for something to do, and do it. */
static void round_locked(struct socle_conn *conn, uint64_t deadline)
{
	g_autofree char *why = g_strdup(conn->broken);

	if (why)
		conn_lost_locked(conn, SOCLE_CLOSE_EOF, why);
	else
		step_locked(conn, deadline);
}

void conn_drive_locked(struct socle_conn *conn, uint64_t deadline)
{
	conn->driven = true;
	round_locked(conn, deadline);
	conn->driven = false;
	/* The I/O thread has been waiting for that. */
	if (conn->io)
		pthread_cond_broadcast(&conn->changed);
}

static void end(struct socle_conn *conn)
{
	bool orphan;

	pthread_mutex_lock(&conn->lock);
	if (conn->state != CONN_CLOSED)
		conn_lost_locked(conn, SOCLE_CLOSE_CLIENT, "it was closed on this side");
	conn->dialing = false;
	orphan = conn->orphan;
	pthread_mutex_unlock(&conn->lock);
	if (!orphan)
		return;
	thread_detach(conn->io);
	conn_destroy(conn);
}

static void io_main(void *opaque)
{
	struct socle_conn *conn = opaque;

	pthread_mutex_lock(&conn->lock);
	while (conn->driven)
		pthread_cond_wait(&conn->changed, &conn->lock);
	while (!conn->stopping && conn->state != CONN_CLOSED) {
		if (conn->state == CONN_REOPENING) {
			pthread_mutex_unlock(&conn->lock);
			conn_reopen(conn);
			pthread_mutex_lock(&conn->lock);
			conn->more = true;
			continue;
		}
		round_locked(conn, UINT64_MAX);
	}
	pthread_mutex_unlock(&conn->lock);
	end(conn);
}

void conn_need_io_locked(struct socle_conn *conn)
{
	GError *why = NULL;

	if (conn->io || conn->threadless || conn->state != CONN_UP)
		return;
	conn->io = thread_start("socle-client", io_main, conn, &why);
	if (!conn->io)
		break_link_locked(conn, why);
	else if (conn->driven)
		conn_wake(conn);
}
