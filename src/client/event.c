/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * event.c - who wants to be told of events, and telling him
 */
#include <string.h>

#include "base/sys.h"
#include "client/conn-int.h"
#include "client/error-int.h"
#include "client/object-int.h"
#include "rpc/codes.h"

enum {
	TOLD_AT_ONCE = 1000 /* by one call of socle_conn_dispatch() */
};

/* == Handlers == */

void handler_unref(struct handler *handler)
{
	if (--handler->refs > 0)
		return;
	if (handler->release)
		handler->release(handler->opaque);
	g_free(handler->of.name);
	g_free(handler);
}

struct handler *conn_find_handler_locked(const struct socle_conn *conn, int id)
{
	for (unsigned i = 0; i < conn->handlers->len; i++) {
		struct handler *h = conn->handlers->pdata[i];

		if (h->id == id)
			return h;
	}
	return NULL;
}

static struct handler *handler_new(enum socle_event_id id, const struct event_subject *of,
				   socle_event_fn *fn, void *opaque)
{
	struct handler *h = g_new(struct handler, 1);

	*h = (struct handler){
		.refs = 1,
		.event = id,
		.server_id = -1,
		.of = *of,
		.fn = fn,
		.opaque = opaque,
	};
	h->of.name = g_strdup(of->name);
	return h;
}

/* Ask the server, in whose answer the I/O thread finds the number. */
static bool ask_for_events(struct socle_conn *conn, struct handler *h,
			   const struct event_kind *kind, const struct event_subject *of,
			   struct socle_error **error)
{
	struct call call = { .procedure = kind->ask, .handler = h };
	struct event_args args;
	rpc_connect_domain_event_callback_register_any_ret ret;

	event_args_init(&args, (int)h->event, of);
	return conn_call_for(conn, &call, atomic_load(&conn->timeout_ms), &args.u, &ret, error);
}

static bool can_register(enum socle_event_id id, const struct event_kind *kind,
			 const struct event_subject *of, struct socle_error **error)
{
	bool local = id >= SOCLE_EVENT_CLOSED && id <= SOCLE_EVENT_DROPPED;

	if (!local && !kind)
		return client_error(error, SOCLE_ERR_INVALID_ARG, "there is no event %d", (int)id);
	return !local || !of->one ||
	       client_error(error, SOCLE_ERR_INVALID_ARG,
			    "events of the connection are no domain's");
}

/* What it has must be released without the lock, for it is the caller's. */
static void put_back(struct socle_conn *conn, struct handler *h)
{
	bool last;

	pthread_mutex_lock(&conn->lock);
	last = h->refs == 1;
	if (!last)
		h->refs--;
	pthread_mutex_unlock(&conn->lock);
	if (last)
		handler_unref(h);
}

/* It was not registered, as far as the caller can know. */
static void give_up_locked(struct socle_conn *conn, struct handler *h)
{
	h->refs--;
	/* The call was lost with its link, and the new one has it. */
	if (h->server_id >= 0 && conn->state == CONN_UP)
		conn_deregister_locked(conn, event_kind_of((int)h->event), h->server_id);
}

static int register_for(struct socle_conn *conn, enum socle_event_id id,
			const struct event_subject *of, socle_event_fn *fn, void *opaque,
			void (*release)(void *opaque), struct socle_error **error)
{
	const struct event_kind *kind = event_kind_of((int)id);
	struct handler *h;
	int number;
	bool ok = true;

	if (!client_has((const void *)(uintptr_t)fn, "function to call back", error) ||
	    !can_register(id, kind, of, error))
		return -1;
	h = handler_new(id, of, fn, opaque);
	pthread_mutex_lock(&conn->lock);
	number = h->id = conn->next_handler++;
	g_ptr_array_add(conn->handlers, h);
	conn_need_io_locked(conn);
	/* Ours: its first event, on another thread, may deregister it. */
	h->refs++;
	conn->registering++;
	pthread_mutex_unlock(&conn->lock);
	if (kind)
		ok = ask_for_events(conn, h, kind, of, error);
	pthread_mutex_lock(&conn->lock);
	conn->registering--;
	if (ok)
		h->release = release;
	else if (g_ptr_array_remove(conn->handlers, h))
		give_up_locked(conn, h);
	pthread_cond_broadcast(&conn->changed);
	pthread_mutex_unlock(&conn->lock);
	put_back(conn, h);
	return ok ? number : -1;
}

/* One that has a name and a UUID, if it is there. */
static struct event_subject subject(const char *name, const unsigned char *uuid, int id)
{
	struct event_subject of = { .one = name != NULL, .name = TEXT(name ? name : ""), .id = id };

	if (uuid)
		memcpy(of.uuid, uuid, sizeof(of.uuid));
	return of;
}

static bool is_of(enum socle_event_id id, enum socle_event_id first, const char *what,
		  struct socle_error **error)
{
	if (event_kind_of((int)id) == event_kind_of((int)first))
		return true;
	return client_error(error, SOCLE_ERR_INVALID_ARG, "event %d is none of a %s", (int)id,
			    what);
}

int socle_event_register(struct socle_conn *conn, enum socle_event_id id, struct socle_domain *dom,
			 socle_event_fn *fn, void *opaque, void (*release)(void *opaque),
			 struct socle_error **error)
{
	struct event_subject of =
		subject(dom ? dom->name : NULL, dom ? dom->uuid : NULL, dom ? dom->id : -1);

	if (dom && event_kind_of((int)id) && !is_of(id, SOCLE_EVENT_LIFECYCLE, "domain", error))
		return -1;
	return register_for(conn, id, &of, fn, opaque, release, error);
}

int socle_event_register_network(struct socle_conn *conn, enum socle_event_id id,
				 struct socle_network *net, socle_event_fn *fn, void *opaque,
				 void (*release)(void *opaque), struct socle_error **error)
{
	struct event_subject of = subject(net ? net->name : NULL, net ? net->uuid : NULL, -1);

	if (!is_of(id, SOCLE_EVENT_NETWORK_LIFECYCLE, "network", error))
		return -1;
	return register_for(conn, id, &of, fn, opaque, release, error);
}

int socle_event_register_pool(struct socle_conn *conn, enum socle_event_id id,
			      struct socle_pool *pool, socle_event_fn *fn, void *opaque,
			      void (*release)(void *opaque), struct socle_error **error)
{
	struct event_subject of = subject(pool ? pool->name : NULL, pool ? pool->uuid : NULL, -1);

	if (!is_of(id, SOCLE_EVENT_POOL_LIFECYCLE, "pool", error))
		return -1;
	return register_for(conn, id, &of, fn, opaque, release, error);
}

int socle_event_register_secret(struct socle_conn *conn, enum socle_event_id id,
				struct socle_secret *secret, socle_event_fn *fn, void *opaque,
				void (*release)(void *opaque), struct socle_error **error)
{
	struct event_subject of =
		subject(secret ? secret->usage_id : NULL, secret ? secret->uuid : NULL,
			secret ? secret->usage_type : SOCLE_SECRET_USAGE_NONE);

	if (!is_of(id, SOCLE_EVENT_SECRET_LIFECYCLE, "secret", error))
		return -1;
	return register_for(conn, id, &of, fn, opaque, release, error);
}

int socle_event_deregister(struct socle_conn *conn, int callback_id, struct socle_error **error)
{
	rpc_connect_domain_event_callback_deregister_any_args args;
	struct call call = { .procedure = 0 };
	struct handler *h;
	bool ask;

	pthread_mutex_lock(&conn->lock);
	h = conn_find_handler_locked(conn, callback_id);
	if (h) {
		args.callbackID = h->server_id;
		g_ptr_array_remove(conn->handlers, h);
	}
	ask = h && h->server_id >= 0 && conn->state == CONN_UP;
	if (ask)
		call.procedure = event_kind_of((int)h->event)->stop;
	/* On another link the number may be somebody else's. */
	call.generation = conn->generation;
	conn_event_fd_locked(conn);
	pthread_mutex_unlock(&conn->lock);
	if (!h) {
		client_error(error, SOCLE_ERR_INVALID_ARG, "there is no callback %d", callback_id);
		return -1;
	}
	put_back(conn, h);
	if (!ask)
		return 0;
	/* All kinds look alike. */
	return conn_call_for(conn, &call, atomic_load(&conn->timeout_ms),
			     RPC_BODY(rpc_connect_domain_event_callback_deregister_any_args, &args),
			     NULL, error)
		       ? 0
		       : -1;
}

/* == Telling == */

static bool is_for(const struct queued *q, int server_id, const struct handler *h)
{
	if (h->event != q->id)
		return false;
	if (!q->packet)
		return true;
	return q->handler == QUEUED_BY_NUMBER ? h->server_id == server_id : h->id == q->handler;
}

/* Those whom an event is for, each with a reference; for g_ptr_array_free(). */
static GPtrArray *find_handlers_locked(struct socle_conn *conn, const struct queued *q,
				       int server_id)
{
	GPtrArray *list = g_ptr_array_new();

	for (unsigned i = 0; i < conn->handlers->len; i++) {
		struct handler *h = conn->handlers->pdata[i];

		if (!is_for(q, server_id, h))
			continue;
		h->refs++;
		g_ptr_array_add(list, h);
	}
	return list;
}

static bool tell_local(struct socle_conn *conn, const struct queued *q, uint64_t dropped,
		       const struct handler *h)
{
	struct socle_event event = { .id = q->id, .callback_id = h->id };

	if (q->id == SOCLE_EVENT_REOPENED)
		event.u.reopened.problem = q->problem;
	else if (q->id == SOCLE_EVENT_DROPPED)
		event.u.dropped.count = dropped;
	else
		event.u.closed.reason = q->reason;
	h->fn(conn, &event, h->opaque);
	return true;
}

/* [unlocked] Return: whether somebody was told. */
static bool tell(struct socle_conn *conn, struct queued *q, uint64_t dropped, GPtrArray *list)
{
	bool told = false;

	for (unsigned i = 0; i < list->len; i++) {
		struct handler *h = list->pdata[i];

		if (q->packet)
			told = event_tell(conn, q->packet, h) || told;
		else
			told = tell_local(conn, q, dropped, h) || told;
		put_back(conn, h);
	}
	g_ptr_array_free(list, TRUE);
	queued_free(q);
	return told;
}

/* The next one that somebody waits for, told. Return: 1 told, 0 nobody wanted it, -1 there is none. */
static int tell_next_locked(struct socle_conn *conn)
{
	struct queued *q = g_queue_peek_head(&conn->events);
	GPtrArray *list;
	uint64_t dropped = 0;
	int server_id = -1;
	bool told;

	if (!q)
		return -1;
	if (q->packet)
		(void)event_peek(q->packet, &q->id, &server_id);
	list = find_handlers_locked(conn, q, server_id);
	/* Its callback may be one whose number is not known yet. */
	if (list->len == 0 && q->packet && q->handler == QUEUED_BY_NUMBER &&
	    conn->registering > 0) {
		g_ptr_array_free(list, TRUE);
		return -1;
	}
	q = conn_next_event_locked(conn);
	if (q->id == SOCLE_EVENT_DROPPED) {
		dropped = conn->events_dropped;
		conn->events_dropped = 0;
	}
	pthread_mutex_unlock(&conn->lock);
	told = tell(conn, q, dropped, list);
	pthread_mutex_lock(&conn->lock);
	return told;
}

static int dispatch_locked(struct socle_conn *conn, uint64_t deadline, struct socle_error **error)
{
	bool in_time = true;
	int count = 0;

	while (count < TOLD_AT_ONCE) {
		int told = tell_next_locked(conn);

		if (told >= 0) {
			count += told;
			continue;
		}
		if (count > 0 || !in_time)
			break;
		if (conn->state == CONN_CLOSED) {
			if (error)
				*error = client_error_copy(conn->why);
			return -1;
		}
		in_time = sys_monotonic_ns() < deadline &&
			  conn_wait_locked(conn, &conn->changed, deadline);
	}
	return count;
}

int socle_conn_dispatch(struct socle_conn *conn, int timeout_ms, struct socle_error **error)
{
	uint64_t deadline = UINT64_MAX;
	int count;

	if (timeout_ms >= 0)
		deadline = sys_monotonic_ns() + (uint64_t)timeout_ms * 1000000;
	/* A callback may give back what the caller has. */
	socle_conn_ref(conn);
	pthread_mutex_lock(&conn->lock);
	while (conn->dispatching)
		conn_wait_locked(conn, &conn->changed, UINT64_MAX);
	conn->dispatching = true;
	count = dispatch_locked(conn, deadline, error);
	conn->dispatching = false;
	conn_event_fd_locked(conn);
	pthread_cond_broadcast(&conn->changed);
	pthread_mutex_unlock(&conn->lock);
	socle_conn_unref(conn);
	return count;
}

int socle_conn_event_fd(struct socle_conn *conn)
{
	pthread_mutex_lock(&conn->lock);
	conn_need_io_locked(conn);
	pthread_mutex_unlock(&conn->lock);
	return conn->event_fd.fd;
}
