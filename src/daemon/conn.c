/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conn.c - the socket of one client
 *
 * One source on the main loop stands for it. It waits for
 *
 *	input   while the peer wants some and none that was read is left
 *	output  while something is in the queue
 *	time    a deadline; or at once, if something was found out where nobody may be called back
 *
 * and all that follows from that happens in turn(). States go one way:
 *
 *	GREETING -> WAITING -> SERVED -> CLOSING -> LOST
 *
 * GREETING is TLS's handshake, WAITING is for the owner to say who it is. A connection that is LOST
 * is told to its owner at the end of the turn.
 *
 * Descriptors come with a byte of their own behind a packet, and the kernel ends a read behind such a
 * byte. So when all bytes that were read are used up, all descriptors are, or were not asked for.
 */
#include "daemon/conn.h"

#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "base/sys.h"
#include "daemon/conn-int.h"
#include "daemon/tls.h"

enum {
	READ_SIZE = 32 * 1024,
	STEPS = 64, /* of the peer in one turn: a packet takes two */
};

enum state {
	GREETING,
	WAITING,
	SERVED,
	CLOSING,
	LOST,
};

struct conn {
	GSource *source;
	void *tag;
	GIOCondition waiting_for;
	gint64 deadline; /* monotonic, 0: none */
	const char *deadline_why;
	char *why; /* it ends, for the owner; NULL: it has gone, or we have closed */
	struct conn_owner owner;

	int fd;
	struct tls_session *tls;
	enum state state;
	struct peer *peer; /* since SERVED */
	struct output output;
	size_t told; /* what the peer knows of the queue */
	bool in_turn;

	uint8_t *rest; /* was read, and the peer did not want it yet; NULL: nothing */
	size_t rest_off, rest_len;
	int fds[RPC_FDS_MAX];
	unsigned fd_count;
};

struct conn_source {
	GSource source;
	struct conn *conn;
};

/* Let turn() find out. */
static void wake(struct conn *conn)
{
	if (!conn->in_turn)
		g_source_set_ready_time(conn->source, 0);
}

static void lose(struct conn *conn, const char *why)
{
	if (conn->state == LOST)
		return;
	conn->state = LOST;
	if (why && !conn->why)
		conn->why = g_strdup(why);
	output_release(&conn->output);
	wake(conn);
}

/* == What the peer calls == */

static void on_send(void *opaque, struct rpc_message *msg, const int *fds, unsigned fd_count)
{
	struct conn *conn = opaque;

	output_add(&conn->output, msg, fds, fd_count);
	if (conn->state == LOST) {
		output_release(&conn->output);
		return;
	}
	if (conn->output.queued > CONN_OUTPUT_MAX)
		lose(conn, "it does not take what it has asked for");
	else if (*conn->owner.total > conn->owner.total_max)
		conn->owner.crowded(conn->owner.opaque);
	/* In a turn all answers go together, at its end. */
	if (conn->in_turn || conn->state == LOST)
		return;
	if (conn->output.queue.length == 1 && output_flush(&conn->output) < 0)
		lose(conn, NULL);
	if (conn->output.queue.length)
		wake(conn);
}

static void on_close(void *opaque)
{
	conn_close(opaque);
}

static bool wants_input(const struct conn *conn);

static void on_changed(void *opaque)
{
	struct conn *conn = opaque;

	/* Mostly an answer was sent, and all is waited for that there is to wait for. */
	if (conn->state == SERVED && !conn->rest && conn->told == conn->output.queued &&
	    conn->waiting_for == G_IO_IN && wants_input(conn))
		return;
	wake(conn);
}

/* == Input == */

static void take_fds(struct conn *conn, struct msghdr *msg)
{
	for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
		unsigned count;

		if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
			continue;
		count = (unsigned)((cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		for (unsigned i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(cmsg) + i * sizeof(int), sizeof(int));
			if (conn->fd_count < RPC_FDS_MAX)
				conn->fds[conn->fd_count++] = fd;
			else
				fd_autoclose(&fd);
		}
	}
}

static ssize_t receive(struct conn *conn, uint8_t *buf, size_t len)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(RPC_FDS_MAX * sizeof(int))];
	} control;
	struct iovec iov = { buf, len };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n;

	if (conn->tls)
		return tls_session_read(conn->tls, buf, len);
	n = sys_recvmsg(conn->fd, &msg, 0);
	if (n > 0 && msg.msg_controllen)
		take_fds(conn, &msg);
	return n;
}

static void break_off(struct conn *conn, const char *what)
{
	if (!conn->why)
		conn->why = g_strdup(what);
	conn_close(conn);
}

static void give_fd(struct conn *conn)
{
	int fd;

	/* Something between us may pass nothing but bytes: the call will be refused. */
	if (!conn->fd_count) {
		peer_add_fd(conn->peer, -1);
		return;
	}
	fd = conn->fds[0];
	conn->fd_count--;
	memmove(conn->fds, conn->fds + 1, conn->fd_count * sizeof(fd));
	peer_add_fd(conn->peer, fd);
}

/* Give the peer what it wants of that. Returns how many bytes. */
static size_t feed(struct conn *conn, const uint8_t *data, size_t len)
{
	size_t used = 0;

	for (unsigned i = 0; i < STEPS && used < len && conn->state == SERVED; i++) {
		g_autoptr(GError) error = NULL;
		size_t room, n;
		uint8_t *to;

		if (peer_wants_fds(conn->peer)) {
			used++;
			give_fd(conn);
			continue;
		}
		if (!peer_wants_input(conn->peer))
			break;
		to = peer_buffer(conn->peer, &room);
		n = MIN(room, len - used);
		memcpy(to, data + used, n);
		used += n;
		if (!peer_filled(conn->peer, n, &error))
			break_off(conn, error->message);
	}
	if (used == len && conn->fd_count && conn->state == SERVED)
		break_off(conn, "descriptors came that were not announced");
	return used;
}

static void feed_rest(struct conn *conn)
{
	conn->rest_off += feed(conn, conn->rest + conn->rest_off, conn->rest_len - conn->rest_off);
	if (conn->rest_off == conn->rest_len)
		g_clear_pointer(&conn->rest, g_free);
}

static void read_more(struct conn *conn)
{
	/* All connections are read on one thread, one after the other. */
	static uint8_t buf[READ_SIZE];
	ssize_t n = receive(conn, buf, sizeof(buf));
	size_t used;

	if (n == -EAGAIN)
		return;
	/* What it has begun goes on; there is nobody left to hear of it. */
	if (n <= 0) {
		lose(conn, n == -EPROTO ? "its TLS is broken" : NULL);
		return;
	}
	used = feed(conn, buf, (size_t)n);
	if (used == (size_t)n || conn->state != SERVED)
		return;
	conn->rest_off = 0;
	conn->rest_len = (size_t)n - used;
	conn->rest = g_memdup2(buf + used, conn->rest_len);
}

static bool wants_input(const struct conn *conn)
{
	return conn->state == SERVED &&
	       (peer_wants_input(conn->peer) || peer_wants_fds(conn->peer));
}

static void input(struct conn *conn, GIOCondition got)
{
	if (!wants_input(conn)) {
		/* Nobody is there to take the answers that we wait for. */
		if (got & (G_IO_HUP | G_IO_ERR))
			lose(conn, NULL);
		return;
	}
	if (conn->rest)
		feed_rest(conn);
	else if (got || (conn->tls && tls_session_pending(conn->tls)))
		read_more(conn);
}

/* == The turn == */

static void greet(struct conn *conn)
{
	g_autoptr(GError) error = NULL;
	int r = tls_session_greet(conn->tls, &error);

	if (r == 0)
		return;
	if (r < 0) {
		lose(conn, error->message);
		return;
	}
	conn->state = WAITING;
	conn->owner.ready(conn->owner.opaque);
}

static void flush(struct conn *conn)
{
	if (conn->state == LOST)
		return;
	if (output_flush(&conn->output) < 0)
		lose(conn, NULL);
	else if (conn->state == CLOSING && !conn->output.queue.length)
		lose(conn, NULL);
	/* Streams may send more now; then there is another turn. */
	if (conn->state == SERVED && conn->told != conn->output.queued) {
		conn->told = conn->output.queued;
		peer_set_queued(conn->peer, conn->told);
	}
}

/* Wait for what the state asks for, and no more. */
static void rearm(struct conn *conn)
{
	GIOCondition want = 0;
	bool soon = false;

	if (conn->state == GREETING) {
		want = tls_session_wants_out(conn->tls) ? G_IO_OUT : G_IO_IN;
	} else {
		if (wants_input(conn)) {
			soon = conn->rest || (conn->tls && tls_session_pending(conn->tls));
			want |= conn->rest ? 0 : G_IO_IN;
		}
		if (conn->output.queue.length)
			want |= G_IO_OUT;
	}
	soon |= conn->state == SERVED && conn->told != conn->output.queued;
	if (want != conn->waiting_for)
		g_source_modify_unix_fd(conn->source, conn->tag, want);
	conn->waiting_for = want;
	g_source_set_ready_time(conn->source, soon ? 0 : conn->deadline ? conn->deadline : -1);
}

static int turn(GSource *source, GSourceFunc callback, void *opaque)
{
	struct conn *conn = ((struct conn_source *)source)->conn;
	GIOCondition got = g_source_query_unix_fd(source, conn->tag);

	(void)callback;
	(void)opaque;
	conn->in_turn = true;
	if (conn->deadline && g_get_monotonic_time() >= conn->deadline)
		lose(conn, conn->deadline_why);
	else if (conn->state == GREETING)
		greet(conn);
	else if (conn->state != SERVED && got & (G_IO_HUP | G_IO_ERR))
		lose(conn, NULL);
	else if (conn->state == SERVED)
		input(conn, got);
	flush(conn);
	conn->in_turn = false;
	if (conn->state == LOST)
		conn->owner.gone(conn->owner.opaque, conn->why);
	else
		rearm(conn);
	return G_SOURCE_CONTINUE;
}

/* == What the owner calls == */

struct conn *conn_new(int fd, struct tls_session *tls, const struct conn_owner *owner)
{
	static GSourceFuncs funcs = { .dispatch = turn };
	struct conn *conn = g_new(struct conn, 1);

	*conn = (struct conn){
		.fd = fd,
		.tls = tls,
		.owner = *owner,
		.state = tls ? GREETING : WAITING,
		.source = g_source_new(&funcs, sizeof(struct conn_source)),
	};
	((struct conn_source *)conn->source)->conn = conn;
	output_init(&conn->output, fd, tls, owner->total);
	conn->tag = g_source_add_unix_fd(conn->source, fd, 0);
	/* Else GLib takes the descriptor out of the loop and back for each turn, and wakes itself twice. */
	g_source_set_can_recurse(conn->source, TRUE);
	g_source_set_static_name(conn->source, "client");
	g_source_attach(conn->source, g_main_context_get_thread_default());
	wake(conn);
	return conn;
}

void conn_free(struct conn *conn)
{
	if (!conn)
		return;
	/* Its last words, if any, have nowhere to go. */
	conn->state = LOST;
	g_clear_pointer(&conn->peer, peer_free);
	output_release(&conn->output);
	g_source_destroy(conn->source);
	g_source_unref(conn->source);
	for (unsigned i = 0; i < conn->fd_count; i++)
		fd_autoclose(&conn->fds[i]);
	tls_session_free(conn->tls);
	fd_autoclose(&conn->fd);
	g_free(conn->rest);
	g_free(conn->why);
	g_free(conn);
}

struct peer *conn_serve(struct conn *conn, struct server *server, struct peer_config *config)
{
	config->send = on_send;
	config->close = on_close;
	config->changed = on_changed;
	config->opaque = conn;
	if (conn->state == WAITING)
		conn->state = SERVED;
	conn->peer = peer_new(server, config);
	wake(conn);
	return conn->peer;
}

const char *conn_dn(const struct conn *conn)
{
	return conn->tls ? tls_session_dn(conn->tls) : NULL;
}

void conn_set_deadline(struct conn *conn, unsigned ms, const char *why)
{
	conn->deadline = ms ? g_get_monotonic_time() + ms * 1000ll : 0;
	conn->deadline_why = why;
	wake(conn);
}

void conn_close(struct conn *conn)
{
	if (conn->state >= CLOSING)
		return;
	conn->state = CLOSING;
	conn_set_deadline(conn, CONN_CLOSING_MS, NULL);
}

void conn_leave(struct conn *conn)
{
	conn_close(conn);
	g_clear_pointer(&conn->peer, peer_free);
}

void conn_drop(struct conn *conn, const char *why)
{
	lose(conn, why);
}

size_t conn_queued(const struct conn *conn)
{
	return conn->output.queued;
}
