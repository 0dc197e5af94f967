/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * conn-reopen.c - a connection that was lost is opened again, with its events
 */
#include <poll.h>

#include "base/sys.h"
#include "client/conn-int.h"
#include "client/error-int.h"

enum {
	PAUSE_FIRST_MS = 50,
	PAUSE_MAX_MS = 2000,
	REGISTER_TIMEOUT_MS = 30000,
};

/* What is to be registered again, and what the server says. */
struct registration {
	int handler;
	int event;
	struct event_subject of;
	int server_id;
};

static void registration_clear(void *opaque)
{
	g_free(((struct registration *)opaque)->of.name);
}

static GArray *list_registrations(struct socle_conn *conn)
{
	GArray *list = g_array_new(FALSE, FALSE, sizeof(struct registration));

	g_array_set_clear_func(list, registration_clear);
	pthread_mutex_lock(&conn->lock);
	for (unsigned i = 0; i < conn->handlers->len; i++) {
		const struct handler *h = conn->handlers->pdata[i];
		struct registration r = {
			.handler = h->id,
			.event = (int)h->event,
			.of = h->of,
			.server_id = -1,
		};

		r.of.name = g_strdup(h->of.name);
		r.of.id = -1;
		if (event_kind_of(r.event))
			g_array_append_val(list, r);
		else
			registration_clear(&r);
	}
	pthread_mutex_unlock(&conn->lock);
	return list;
}

/* Return: false if the link is broken. What a server refuses is told, and left out. */
static bool register_again(struct link *link, struct registration *r, char **problem)
{
	struct event_args args;
	rpc_connect_domain_event_callback_register_any_ret ret;
	struct socle_error *server = NULL;
	uint64_t deadline = conn_deadline(REGISTER_TIMEOUT_MS);

	event_args_init(&args, r->event, &r->of);
	if (link_call(link, event_kind_of(r->event)->ask, &args.u, &ret, deadline, &server, NULL)) {
		r->server_id = ret.callbackID;
		return true;
	}
	if (!server)
		return false;
	if (!*problem)
		*problem = g_strdup_printf("events of kind %d are not told any more: %s", r->event,
					   socle_error_message(server));
	socle_error_free(server);
	return true;
}

static bool register_all(struct link *link, GArray *list, char **problem)
{
	for (unsigned i = 0; i < list->len; i++) {
		if (!register_again(link, &g_array_index(list, struct registration, i), problem))
			return false;
	}
	return true;
}

static void up_again_locked(struct socle_conn *conn, struct link *link, bool keepalive,
			    const GArray *list, const char *problem)
{
	struct packet *packet;

	conn_bind_events_locked(conn);
	conn->link = link;
	conn->generation++;
	for (unsigned i = 0; i < list->len; i++) {
		const struct registration *r = &g_array_index(list, struct registration, i);
		struct handler *h = conn_find_handler_locked(conn, r->handler);

		/* It may have gone meanwhile. */
		if (h)
			h->server_id = r->server_id;
		else if (r->server_id >= 0)
			conn_deregister_locked(conn, event_kind_of(r->event), r->server_id);
	}
	conn->keepalive = keepalive;
	conn->state = CONN_UP;
	conn->pings = 0;
	conn->heard_ns = sys_monotonic_ns();
	conn->heard_bytes = link_bytes_in(link);
	conn_queue_local_locked(conn, SOCLE_EVENT_REOPENED, 0, problem);
	while ((packet = link_take_event(link)))
		conn_queue_event_locked(conn, packet);
	pthread_cond_broadcast(&conn->changed);
}

/* Return: whether it is up. */
static bool try_once(struct socle_conn *conn)
{
	bool keepalive;
	g_autoptr(GArray) list = NULL;
	g_autofree char *problem = NULL;
	autoptr(link) link = conn_dial(conn->dialer, conn->readonly, true, &keepalive, NULL);
	bool up;

	if (!link)
		return false;
	list = list_registrations(conn);
	if (!register_all(link, list, &problem))
		return false;
	pthread_mutex_lock(&conn->lock);
	up = !conn->stopping && conn->state == CONN_REOPENING;
	if (up)
		up_again_locked(conn, g_steal_pointer(&link), keepalive, list, problem);
	pthread_mutex_unlock(&conn->lock);
	return up;
}

static bool is_wanted(struct socle_conn *conn, bool dialing)
{
	bool wanted;

	pthread_mutex_lock(&conn->lock);
	wanted = !conn->stopping && conn->state == CONN_REOPENING;
	conn->dialing = wanted && dialing;
	/* Who closes waits for the thread unless it dials. */
	pthread_cond_broadcast(&conn->changed);
	pthread_mutex_unlock(&conn->lock);
	return wanted;
}

void conn_reopen(struct socle_conn *conn)
{
	int pause_ms = PAUSE_FIRST_MS;

	while (is_wanted(conn, true)) {
		struct pollfd fd = { .fd = conn->wake_fd, .events = POLLIN };

		if (try_once(conn) || !is_wanted(conn, false))
			break;
		/* Somebody who closes the connection wakes us. */
		if (sys_poll(&fd, 1, pause_ms) > 0)
			conn_rest(conn);
		pause_ms = MIN(pause_ms * 2, PAUSE_MAX_MS);
	}
	(void)is_wanted(conn, false);
}
