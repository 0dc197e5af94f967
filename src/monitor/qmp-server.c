/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qmp-server.c - QMP on a Unix socket: one client at a time, the others wait
 *
 * Sources on the main loop:
 *   accept  while there is no client
 *   client  while there is one; waits for input unless the client lags, for room if output waits
 */
#include "monitor/qmp-server.h"

#include <errno.h>
#include <glib-unix.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/log.h"
#include "base/sys.h"
#include "base/unix-listener.h"

enum {
	FAREWELL_MS = 100,
	FDS_AT_ONCE = 4, /* that a client sends with one message; more are closed */
};

struct qmp_server {
	struct qmp_config config;
	struct unix_listener *listener;
	guint accept_source;

	int fd; /* of the client, -1: none */
	guint client_source;
	int given; /* a descriptor that it has sent, -1: none */
	GIOCondition waiting_for;
	struct qmp_session *session;
	GString *out;
	char in[4096];
	size_t in_off, in_len; /* read and not yet fed */
	unsigned long dropped; /* events for this client */
	bool feeding;          /* what is answered now is sent behind that */
	bool deaf;             /* takes no answers any more; what it has sent still counts */
	bool lost;             /* it has sent all: close */
};

static void server_listen(struct qmp_server *server);
static gboolean on_client(gint fd, GIOCondition condition, gpointer opaque);

static void client_close(struct qmp_server *server)
{
	if (server->client_source)
		g_source_remove(server->client_source);
	server->client_source = 0;
	if (server->dropped)
		log_info("%lu events were dropped: the monitor's client did not read them",
			 server->dropped);
	g_clear_pointer(&server->session, qmp_session_free);
	g_string_free(server->out, TRUE);
	server->out = NULL;
	fd_autoclose(&server->fd);
	fd_autoclose(&server->given);
	server_listen(server);
}

/* Write what the socket takes now. */
static void client_flush(struct qmp_server *server)
{
	while (server->out->len > 0 && !server->deaf) {
		ssize_t n = sys_write(server->fd, server->out->str, server->out->len);

		if (n == -EAGAIN)
			return;
		if (n < 0)
			server->deaf = true;
		else
			g_string_erase(server->out, 0, n);
	}
	if (server->deaf)
		g_string_truncate(server->out, 0);
}

/* Are there answers that it has to take, or to get, before its next request? */
static bool client_waits(const struct qmp_server *server)
{
	return server->out->len >= QMP_SERVER_HIGH_WATER || qmp_session_busy(server->session);
}

/* Wait for what the client's state asks for, and no more. */
static void client_rearm(struct qmp_server *server)
{
	GIOCondition want = G_IO_HUP | G_IO_ERR;

	if (!client_waits(server))
		want |= G_IO_IN;
	if (server->out->len > 0)
		want |= G_IO_OUT;
	if (server->client_source && want == server->waiting_for)
		return;
	if (server->client_source)
		g_source_remove(server->client_source);
	server->waiting_for = want;
	server->client_source = g_unix_fd_add(server->fd, want, on_client, server);
}

/* Has it sent more than what is being worked at? */
static bool client_has_more(const struct qmp_server *server)
{
	int unread = 0;

	return server->in_off < server->in_len ||
	       (sys_ioctl(server->fd, FIONREAD, &unread) >= 0 && unread > 0);
}

/* It has hung up, and its request is not answered yet: on_send() comes back to what is behind that.
 * Nobody can wait for anything less than a hang-up. */
static void client_park(struct qmp_server *server)
{
	g_source_remove(server->client_source);
	server->client_source = 0;
}

/* Give the session what was read, as long as it has not to wait. */
static void client_feed(struct qmp_server *server)
{
	while (server->in_off < server->in_len && !client_waits(server)) {
		server->feeding = true;
		server->in_off += qmp_session_feed(server->session, server->in + server->in_off,
						   server->in_len - server->in_off);
		server->feeding = false;
		client_flush(server);
	}
}

/* Of several descriptors that nobody has taken the last one stays. */
static void take_fds(struct qmp_server *server, struct msghdr *msg)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < count; i++) {
			fd_autoclose(&server->given);
			memcpy(&server->given, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
		}
	}
}

static ssize_t read_with_fd(struct qmp_server *server)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(FDS_AT_ONCE * sizeof(int))];
	} control;
	struct iovec iov = { .iov_base = server->in, .iov_len = sizeof(server->in) };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n = sys_recvmsg(server->fd, &msg, MSG_CMSG_CLOEXEC);

	if (n > 0)
		take_fds(server, &msg);
	return n;
}

int qmp_server_take_fd(struct qmp_server *server)
{
	return server ? fd_steal(&server->given) : -1;
}

static void client_read(struct qmp_server *server)
{
	ssize_t n = read_with_fd(server);

	if (n == -EAGAIN)
		return;
	if (n <= 0) {
		server->lost = true;
		return;
	}
	server->in_off = 0;
	server->in_len = (size_t)n;
}

static gboolean on_client(gint fd, GIOCondition condition, gpointer opaque)
{
	struct qmp_server *server = opaque;

	(void)fd;
	client_flush(server);
	client_feed(server);
	/* What a peer wrote before it hung up is still there to be read. */
	if (server->in_off == server->in_len && !client_waits(server) &&
	    condition & (G_IO_IN | G_IO_HUP | G_IO_ERR))
		client_read(server);
	else if (condition & (G_IO_HUP | G_IO_ERR) && !client_has_more(server))
		server->lost = true;
	client_feed(server);
	if (server->lost)
		client_close(server);
	else if (client_waits(server) && condition & (G_IO_HUP | G_IO_ERR))
		client_park(server);
	else
		client_rearm(server);
	return G_SOURCE_CONTINUE;
}

static void on_send(void *opaque, const char *line, size_t len)
{
	struct qmp_server *server = opaque;

	g_string_append_len(server->out, line, (gssize)len);
	if (server->feeding)
		return;
	/* An answer that took its time. It goes out, and the next request in, from on_client(). */
	client_rearm(server);
}

static gboolean on_connect(gint fd, GIOCondition condition, gpointer opaque)
{
	struct qmp_server *server = opaque;
	int client = unix_listener_accept(server->listener);

	(void)fd;
	(void)condition;
	if (client < 0)
		return G_SOURCE_CONTINUE;
	server->accept_source = 0;
	server->fd = client;
	server->deaf = server->lost = false;
	server->in_off = server->in_len = 0;
	server->dropped = 0;
	server->out = g_string_new(NULL);
	server->session = qmp_session_new(&server->config, on_send, server);
	server->feeding = true;
	qmp_session_greet(server->session);
	server->feeding = false;
	client_flush(server);
	client_rearm(server);
	return G_SOURCE_REMOVE;
}

static void server_listen(struct qmp_server *server)
{
	server->accept_source =
		g_unix_fd_add(unix_listener_fd(server->listener), G_IO_IN, on_connect, server);
}

struct qmp_server *qmp_server_new(const struct qmp_config *config, const char *path, GError **error)
{
	struct unix_listener *listener = unix_listener_new(path, error);
	struct qmp_server *server;

	if (!listener)
		return NULL;
	server = g_new(struct qmp_server, 1);
	*server = (struct qmp_server){
		.config = *config, .listener = listener, .fd = -1, .given = -1
	};
	server_listen(server);
	return server;
}

void qmp_server_event(struct qmp_server *server, const char *name, json_t *data)
{
	json_auto_t *owned = data;
	g_autofree char *line = NULL;

	if (!server || server->fd < 0 || !qmp_session_ready(server->session))
		return;
	if (server->out->len >= QMP_SERVER_MAX_QUEUE) {
		server->dropped++;
		return;
	}
	line = qmp_event_format(name, owned);
	g_string_append(server->out, line);
	client_flush(server);
	/* This may be within on_client(): a client that is gone shows at its next turn. */
	client_rearm(server);
}

void qmp_server_free(struct qmp_server *server)
{
	if (!server)
		return;
	if (server->fd >= 0) {
		struct pollfd pfd = { .fd = server->fd, .events = POLLOUT };
		uint64_t end = sys_monotonic_ns() + FAREWELL_MS * 1000000ull;

		client_flush(server);
		while (server->out->len > 0 && sys_monotonic_ns() < end) {
			(void)sys_poll(&pfd, 1, FAREWELL_MS);
			client_flush(server);
		}
		client_close(server);
	}
	g_source_remove(server->accept_source);
	unix_listener_free(server->listener);
	g_free(server);
}
