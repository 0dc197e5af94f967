/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conn.h - the socket of one client: bytes between it and its peer (manage/peer.h)
 *
 * A connection is never waited for. What the client does not take waits in a queue; while that is
 * long, or the peer has enough to do, nothing is read, and the client has to wait. Each connection
 * gets its turn for a few packets at a time, so one that floods us delays others by little.
 *
 * Threads: main loop.
 */
#ifndef DAEMON_CONN_H
#define DAEMON_CONN_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "manage/peer.h"

struct conn;
struct tls_session;

enum {
	/* Bytes that wait for one client; more, and it is given up: the peer stops long before. */
	CONN_OUTPUT_MAX = 96 * 1024 * 1024,
	CONN_CLOSING_MS = 5000, /* for a client to take the last words */
};

struct conn_owner {
	/* TLS: its certificate was taken. conn_serve() may follow at once or later. */
	void (*ready)(void *opaque);
	/* It is over; conn_free() is to be called, here or later. @why says what was wrong with it,
	 * NULL: nothing. */
	void (*gone)(void *opaque, const char *why);
	/* All clients together have more than @total_max bytes waiting. May drop this one. */
	void (*crowded)(void *opaque);
	size_t *total; /* bytes that wait for all clients */
	size_t total_max;
	void *opaque;
};

/* @fd is not blocking; it is taken over, as is @tls, which may be NULL. */
struct conn *conn_new(int fd, struct tls_session *tls, const struct conn_owner *owner);
/* Closes. NULL is fine. */
void conn_free(struct conn *conn);
DEFINE_AUTOPTR(conn, conn_free);

/* Read what the client says; the functions and the opaque of @config are set here. */
struct peer *conn_serve(struct conn *conn, struct server *server, struct peer_config *config);
/* The certificate's name, or NULL. */
const char *conn_dn(const struct conn *conn);
/* It is gone() if it is there @ms from now; 0: no such limit. @why must live on. */
void conn_set_deadline(struct conn *conn, unsigned ms, const char *why);
/* gone() behind what was sent, or without that; never at once. */
void conn_close(struct conn *conn);
void conn_drop(struct conn *conn, const char *why);
/* As conn_close(), and the peer is gone at once. Not from what the peer calls. */
void conn_leave(struct conn *conn);
size_t conn_queued(const struct conn *conn);

#endif
