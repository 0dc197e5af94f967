/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * events.c - tell what happens to machines, also when the daemon is restarted meanwhile
 *
 * usage: events [URI [COUNT]]		ends after COUNT events, 0: never
 *
 *	cc events.c $(pkg-config --cflags --libs socle) -o events
 */
#include <poll.h>
#include <socle/socle.h>
#include <stdio.h>
#include <stdlib.h>

struct told {
	unsigned long count;
};

static void on_lifecycle(struct socle_conn *conn, const struct socle_event *event, void *opaque)
{
	struct told *told = opaque;

	(void)conn;
	told->count++;
	printf("%s: %s (%s)\n", socle_domain_name(event->domain),
	       socle_event_lifecycle_name(event->u.lifecycle.event),
	       socle_event_detail_name(event->u.lifecycle.event, event->u.lifecycle.detail));
	fflush(stdout);
}

static void on_connection(struct socle_conn *conn, const struct socle_event *event, void *opaque)
{
	(void)conn;
	(void)opaque;
	printf("the connection: %s\n", socle_event_name((int)event->id));
	if (event->id == SOCLE_EVENT_REOPENED && event->u.reopened.problem)
		printf("%s\n", event->u.reopened.problem);
	fflush(stdout);
}

/* A program with a loop of its own polls one descriptor, beside its others. */
static int loop(struct socle_conn *conn, const struct told *told, unsigned long until,
		struct socle_error **error)
{
	struct pollfd fd = { .fd = socle_conn_event_fd(conn), .events = POLLIN };

	while (until == 0 || told->count < until) {
		if (poll(&fd, 1, -1) < 0)
			continue;
		if (socle_conn_dispatch(conn, 0, error) < 0)
			return -1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct told told = { 0 };
	SOCLE_AUTO(error) error = NULL;
	SOCLE_AUTO(conn)
	conn = socle_conn_open(argc > 1 ? argv[1] : NULL, SOCLE_OPEN_RECONNECT, &error);

	if (!conn ||
	    socle_event_register(conn, SOCLE_EVENT_LIFECYCLE, NULL, on_lifecycle, &told, NULL,
				 &error) < 0 ||
	    socle_event_register(conn, SOCLE_EVENT_LOST, NULL, on_connection, NULL, NULL, &error) <
		    0 ||
	    socle_event_register(conn, SOCLE_EVENT_REOPENED, NULL, on_connection, NULL, NULL,
				 &error) < 0) {
		fprintf(stderr, "events: %s\n", socle_error_message(error));
		return 1;
	}
	printf("waiting\n");
	fflush(stdout);
	if (loop(conn, &told, argc > 2 ? strtoul(argv[2], NULL, 10) : 0, &error) < 0) {
		fprintf(stderr, "events: %s\n", socle_error_message(error));
		return 1;
	}
	return 0;
}
