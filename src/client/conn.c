/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * conn.c - connections: opened, shared and closed
 */
#include "client/conn-int.h"

#include <fcntl.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "base/sys.h"
#include "base/thread.h"
#include "base/unix-connect.h"
#include "client/error-int.h"
#include "rpc/codes.h"

enum {
	OPEN_TIMEOUT_MS = 60000, /* for a server that is there */
	CLOSE_TIMEOUT_MS = 1000, /* for its good-bye */
	KEEPALIVE_MS = 5000,
	KEEPALIVE_COUNT = 5,
	FIRST_SERIAL = 256, /* behind those of the first calls */
};

/* == Waiting == */

void conn_cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(cond, &attr);
	pthread_condattr_destroy(&attr);
}

uint64_t conn_deadline(unsigned timeout_ms)
{
	return timeout_ms == 0 ? UINT64_MAX : sys_monotonic_ns() + timeout_ms * UINT64_C(1000000);
}

bool conn_wait_locked(struct socle_conn *conn, pthread_cond_t *cond, uint64_t deadline)
{
	struct timespec until;
	bool more;

	if (conn->threadless) {
		/* What is not there will never come. */
		if (conn->link && (!conn_read_locked(conn, &more) || !more))
			conn_lost_locked(conn, SOCLE_CLOSE_EOF,
					 conn->broken ? conn->broken : "nothing more comes");
		return true;
	}
	if (!conn->io && !conn->driven && conn->state == CONN_UP) {
		conn_drive_locked(conn, deadline);
		return deadline == UINT64_MAX || sys_monotonic_ns() < deadline;
	}
	conn_need_io_locked(conn);
	if (deadline == UINT64_MAX) {
		pthread_cond_wait(cond, &conn->lock);
		return true;
	}
	until.tv_sec = (time_t)(deadline / 1000000000);
	until.tv_nsec = (long)(deadline % 1000000000);
	return pthread_cond_timedwait(cond, &conn->lock, &until) == 0;
}

bool flag_fd_init(struct flag_fd *flag, GError **error)
{
	int fd = sys_eventfd(0, O_NONBLOCK);

	if (fd < 0)
		return error_sys(error, fd, "cannot make an event descriptor");
	*flag = (struct flag_fd){ .fd = fd };
	return true;
}

void flag_fd_set(struct flag_fd *flag, bool set)
{
	uint64_t value = 1;

	if (set == flag->set)
		return;
	flag->set = set;
	/* Neither can block: it is 0 before and 1 behind, or the other way round. */
	if (set)
		(void)sys_write(flag->fd, &value, sizeof(value));
	else
		(void)sys_read(flag->fd, &value, sizeof(value));
}

void flag_fd_release(struct flag_fd *flag)
{
	fd_autoclose(&flag->fd);
}

/* == Opening == */

struct link *conn_dial(struct dialer *dialer, bool readonly, bool again, bool *ret_keepalive,
		       struct socle_error **error)
{
	unsigned usual_ms = dialer->slow ? 0 : OPEN_TIMEOUT_MS;
	uint64_t deadline = conn_deadline(dialer->timeout_ms ? dialer->timeout_ms : usual_ms);
	g_autofree char *name = NULL;
	GError *why = NULL;
	autoptr(link) link = NULL;
	struct transport *transport;

	transport = dialer->ops->dial(dialer, again, deadline, &name, &why);
	if (!transport) {
		client_error_take(error, SOCLE_ERR_NO_CONNECT, why);
		return NULL;
	}
	link = link_new(transport);
	if (!link_open(link, name, readonly, deadline, ret_keepalive, error))
		return NULL;
	return g_steal_pointer(&link);
}

static struct socle_conn *conn_alloc(struct dialer *dialer, bool readonly, bool reconnect)
{
	struct socle_conn *conn = g_new(struct socle_conn, 1);

	*conn = (struct socle_conn){
		.refs = 1,
		.dialer = dialer,
		.readonly = readonly,
		.reconnect = reconnect,
		.next_serial = FIRST_SERIAL,
		.wake_fd = -1,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.calls = g_hash_table_new(g_direct_hash, g_direct_equal),
		.streams = g_hash_table_new(g_direct_hash, g_direct_equal),
		.late = g_hash_table_new(g_direct_hash, g_direct_equal),
		.generation = 1,
		.out = G_QUEUE_INIT,
		.events = G_QUEUE_INIT,
		.event_fd = { .fd = -1 },
		.keepalive_ms = KEEPALIVE_MS,
		.keepalive_count = KEEPALIVE_COUNT,
		.handlers = g_ptr_array_new(),
	};
	conn_cond_init(&conn->changed);
	return conn;
}

static bool conn_start(struct socle_conn *conn, bool brief, GError **error)
{
	bool ok = true;

	conn->wake_fd = sys_eventfd(0, O_NONBLOCK);
	if (conn->wake_fd < 0)
		return error_sys(error, conn->wake_fd, "cannot make an event descriptor");
	if (!flag_fd_init(&conn->event_fd, error))
		return false;
	pthread_mutex_lock(&conn->lock);
	if (!brief)
		conn_need_io_locked(conn);
	if (conn->broken)
		ok = error_set(error, SOCLE_ERROR_FAILED, "%s", conn->broken);
	pthread_mutex_unlock(&conn->lock);
	return ok;
}

struct socle_conn *conn_new(struct link *link, bool keepalive, struct dialer *dialer,
			    unsigned flags, bool threadless, struct socle_error **error)
{
	const unsigned lasting = SOCLE_OPEN_BRIEF | SOCLE_OPEN_RECONNECT;
	struct socle_conn *conn =
		conn_alloc(dialer, flags & SOCLE_OPEN_READONLY, flags & SOCLE_OPEN_RECONNECT);
	GError *why = NULL;

	conn->link = link;
	conn->secure = link_transport(link)->secure;
	conn->local = link_transport(link)->local;
	conn->keepalive = keepalive;
	conn->threadless = threadless;
	conn->heard_ns = sys_monotonic_ns();
	if (!conn_start(conn, (flags & lasting) == SOCLE_OPEN_BRIEF, &why)) {
		client_error_take(error, SOCLE_ERR_SYSTEM_ERROR, why);
		conn_destroy(conn);
		return NULL;
	}
	return conn;
}

struct socle_conn *conn_open_dialer(struct dialer *dialer, unsigned flags,
				    struct socle_error **error)
{
	bool readonly = flags & SOCLE_OPEN_READONLY;
	bool keepalive;
	struct link *link = conn_dial(dialer, readonly, false, &keepalive, error);

	if (!link) {
		dialer_free(dialer);
		return NULL;
	}
	return conn_new(link, keepalive, dialer, flags, false, error);
}

struct socle_conn *socle_conn_open_timeout(const char *uri, unsigned flags, unsigned timeout_ms,
					   struct socle_error **error)
{
	const unsigned known = SOCLE_OPEN_READONLY | SOCLE_OPEN_RECONNECT |
			       SOCLE_OPEN_NO_AUTOSTART | SOCLE_OPEN_NO_QUESTIONS | SOCLE_OPEN_BRIEF;
	struct dialer *dialer;
	struct uri *parsed;
	GError *why = NULL;

	if (flags & ~known) {
		client_error(error, SOCLE_ERR_INVALID_ARG,
			     "flags 0x%x of an open call are not known", flags & ~known);
		return NULL;
	}
	parsed = uri_parse(uri, &why);
	if (!parsed) {
		client_error_take(error, SOCLE_ERR_INVALID_ARG, why);
		return NULL;
	}
	parsed->no_tty |= (flags & SOCLE_OPEN_NO_QUESTIONS) != 0;
	dialer =
		dialer_new(parsed, flags & SOCLE_OPEN_READONLY, !(flags & SOCLE_OPEN_NO_AUTOSTART));
	dialer->timeout_ms = timeout_ms;
	return conn_open_dialer(dialer, flags, error);
}

struct socle_conn *socle_conn_open(const char *uri, unsigned flags, struct socle_error **error)
{
	return socle_conn_open_timeout(uri, flags, 0, error);
}

/* == Closing == */

static void good_bye(struct socle_conn *conn)
{
	struct call close = { .procedure = RPC_PROC_CONNECT_CLOSE };

	(void)conn_call_for(conn, &close, CLOSE_TIMEOUT_MS, NULL, NULL, NULL);
}

void socle_conn_close(struct socle_conn *conn)
{
	bool polite;

	pthread_mutex_lock(&conn->lock);
	conn->reconnect = false;
	polite = conn->state == CONN_UP && !conn->stopping;
	pthread_mutex_unlock(&conn->lock);
	if (polite)
		good_bye(conn);
	pthread_mutex_lock(&conn->lock);
	conn->stopping = true;
	conn_wake(conn);
	if (!conn->io && !conn->driven && conn->state != CONN_CLOSED)
		conn_lost_locked(conn, SOCLE_CLOSE_CLIENT, "it was closed on this side");
	/* A thread that is dialing looks when it is done. */
	while (conn->state != CONN_CLOSED && !conn->dialing)
		conn_wait_locked(conn, &conn->changed, UINT64_MAX);
	if (conn->state != CONN_CLOSED)
		conn_lost_locked(conn, SOCLE_CLOSE_CLIENT, "it was closed on this side");
	pthread_mutex_unlock(&conn->lock);
}

static void free_queued(void *queued)
{
	queued_free(queued);
}

static void free_out(void *out)
{
	conn_out_free(out);
}

void conn_destroy(struct socle_conn *conn)
{
	link_free(conn->link);
	dialer_free(conn->dialer);
	g_queue_clear_full(&conn->events, free_queued);
	g_queue_clear_full(&conn->out, free_out);
	g_ptr_array_free(conn->handlers, TRUE);
	g_hash_table_destroy(conn->calls);
	g_hash_table_destroy(conn->streams);
	g_hash_table_destroy(conn->late);
	socle_error_free(conn->why);
	g_free(conn->broken);
	flag_fd_release(&conn->event_fd);
	fd_autoclose(&conn->wake_fd);
	pthread_cond_destroy(&conn->changed);
	pthread_mutex_destroy(&conn->lock);
	g_free(conn);
}

struct socle_conn *socle_conn_ref(struct socle_conn *conn)
{
	atomic_fetch_add(&conn->refs, 1);
	return conn;
}

/* On the thread of who has no connection any more: the I/O thread never calls back. */
static void release_handlers(GPtrArray *handlers)
{
	for (unsigned i = 0; i < handlers->len; i++)
		handler_unref(handlers->pdata[i]);
	g_ptr_array_free(handlers, TRUE);
}

void socle_conn_unref(struct socle_conn *conn)
{
	GPtrArray *handlers;
	bool orphan;

	if (!conn || atomic_fetch_sub(&conn->refs, 1) != 1)
		return;
	socle_conn_close(conn);
	pthread_mutex_lock(&conn->lock);
	handlers = conn->handlers;
	conn->handlers = g_ptr_array_new();
	orphan = conn->orphan = conn->dialing;
	pthread_mutex_unlock(&conn->lock);
	release_handlers(handlers);
	if (orphan)
		return;
	thread_join(conn->io);
	conn_destroy(conn);
}

/* == Settings == */

void socle_conn_set_timeout(struct socle_conn *conn, unsigned timeout_ms)
{
	atomic_store(&conn->timeout_ms, timeout_ms);
}

void socle_conn_set_keepalive(struct socle_conn *conn, unsigned interval_ms, unsigned count)
{
	pthread_mutex_lock(&conn->lock);
	conn->keepalive_ms = interval_ms;
	conn->keepalive_count = count;
	conn_need_io_locked(conn);
	conn_wake(conn);
	pthread_mutex_unlock(&conn->lock);
}

bool socle_conn_is_alive(struct socle_conn *conn)
{
	bool up;

	pthread_mutex_lock(&conn->lock);
	up = conn->state == CONN_UP && !conn->broken;
	pthread_mutex_unlock(&conn->lock);
	return up;
}

bool socle_conn_is_encrypted(struct socle_conn *conn)
{
	bool secure;

	pthread_mutex_lock(&conn->lock);
	secure = conn->secure;
	pthread_mutex_unlock(&conn->lock);
	return secure;
}

char *socle_conn_socket(struct socle_conn *conn)
{
	char *path;

	pthread_mutex_lock(&conn->lock);
	path = conn->link ? unix_peer_path(link_transport(conn->link)->fd) : NULL;
	pthread_mutex_unlock(&conn->lock);
	return path;
}
