/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * event-queue.c - events that wait to be told; who does not take them loses the newest
 */
#include "client/conn-int.h"

void queued_free(struct queued *queued)
{
	if (!queued)
		return;
	packet_free(queued->packet);
	g_free(queued->problem);
	g_free(queued);
}

static size_t cost_of(const struct queued *queued)
{
	return queued->packet ? queued->packet->received.body.len : 0;
}

/* When the connection has ended its descriptor stays readable: dispatching says so. */
void conn_event_fd_locked(struct socle_conn *conn)
{
	flag_fd_set(&conn->event_fd, conn->events.length > 0 || conn->state == CONN_CLOSED);
}

static void push_locked(struct socle_conn *conn, struct queued queued)
{
	conn->event_bytes += cost_of(&queued);
	g_queue_push_tail(&conn->events, g_memdup2(&queued, sizeof(queued)));
	conn_event_fd_locked(conn);
	pthread_cond_broadcast(&conn->changed);
}

struct queued *conn_next_event_locked(struct socle_conn *conn)
{
	struct queued *queued = g_queue_pop_head(&conn->events);

	if (!queued)
		return NULL;
	conn->event_bytes -= cost_of(queued);
	conn_event_fd_locked(conn);
	return queued;
}

/* One place in the queue stands for all that are lost. */
static void drop_locked(struct socle_conn *conn)
{
	if (conn->events_dropped++ == 0)
		push_locked(conn, (struct queued){ .id = SOCLE_EVENT_DROPPED });
}

void conn_queue_local_locked(struct socle_conn *conn, enum socle_event_id id, int reason,
			     const char *problem)
{
	/* A connection may be lost and opened again for ever; it is closed once. */
	if (id != SOCLE_EVENT_CLOSED && conn->events.length >= CONN_EVENTS_MAX) {
		drop_locked(conn);
		return;
	}
	push_locked(conn, (struct queued){
				  .id = id,
				  .reason = reason,
				  .problem = g_strdup(problem),
			  });
}

void conn_queue_event_locked(struct socle_conn *conn, struct packet *packet)
{
	struct queued queued = { .packet = packet, .handler = QUEUED_BY_NUMBER };
	int server_id;

	/* Also that of the server that it closes: the end itself comes right behind. */
	if (!event_peek(packet, &queued.id, &server_id)) {
		packet_free(packet);
		return;
	}
	if (conn->events.length >= CONN_EVENTS_MAX ||
	    conn->event_bytes + cost_of(&queued) > CONN_EVENT_BYTES_MAX) {
		packet_free(packet);
		drop_locked(conn);
		return;
	}
	push_locked(conn, queued);
}

void conn_bind_events_locked(struct socle_conn *conn)
{
	for (GList *l = conn->events.head; l; l = l->next) {
		struct queued *q = l->data;
		int server_id = -1;

		if (!q->packet || q->handler != QUEUED_BY_NUMBER)
			continue;
		(void)event_peek(q->packet, &q->id, &server_id);
		q->handler = QUEUED_FOR_NOBODY;
		for (unsigned i = 0; i < conn->handlers->len; i++) {
			const struct handler *h = conn->handlers->pdata[i];

			if (h->event == q->id && h->server_id == server_id)
				q->handler = h->id;
		}
	}
}
