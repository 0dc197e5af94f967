/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * peer.h - a client that is connected: bytes come in, messages go out
 *
 * No sockets here: the room daemon has them, the client library has a pair of its own for the driver
 * "test", and tests and fuzzers feed what they like.
 *
 * A client cannot make us hold more than a few calls and a bounded heap of answers: while
 * peer_wants_input() is false its owner does not read, and TCP makes it wait.
 *
 * Threads: main loop.
 */
#ifndef MANAGE_PEER_H
#define MANAGE_PEER_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "rpc/message.h"

struct node;
struct peer;
struct server;

enum {
	PEER_CALLS_MAX = 32,               /* of one client, that have no answer yet */
	PEER_OUTPUT_MAX = 8 * 1024 * 1024, /* bytes not sent yet, beyond which no call is read */
	PEER_STREAMS_MAX = 64,
};

/* Who may connect at all, and which node a URI leads to. */
struct server_config {
	/* For CONNECT_OPEN: @uri as the client gave it, "" if none. NULL with an error refuses. */
	struct node *(*open)(void *opaque, const char *uri, const struct peer *peer,
			     GError **error);
	void *opaque;
	unsigned keepalive_interval; /* seconds without a word after which it is pinged; 0: never */
	unsigned keepalive_count;    /* pings without an answer after which it is gone */
};

struct server *server_new(const struct server_config *config);
/* Tells all clients that the connection is closed, and forgets them. */
void server_free(struct server *server);
DEFINE_AUTOPTR(server, server_free);

struct peer_config {
	bool read_only;  /* came by the read-only socket, or the policy says so */
	bool secure;     /* TLS or a local socket: CONNECT_IS_SECURE */
	bool local;      /* descriptors can be sent */
	const char *who; /* for logs: "uid 1000, pid 4711" or a certificate's name; copied */
	unsigned uid;    /* (unsigned)-1: not known */
	/* Send it, then free it; never calls back at once. @fds are the owner's to close, too. */
	void (*send)(void *opaque, struct rpc_message *msg, const int *fds, unsigned fd_count);
	/* Behind what was sent the connection is to be closed: the client broke the protocol, or said
	 * goodbye. */
	void (*close)(void *opaque);
	/* peer_wants_input() may have changed. */
	void (*changed)(void *opaque);
	void *opaque;
};

struct peer *peer_new(struct server *server, const struct peer_config *config);
/* The client is gone. What it has begun goes on, its answers are dropped. */
void peer_free(struct peer *peer);
DEFINE_AUTOPTR(peer, peer_free);

/**
 * peer_buffer() - where the next bytes go, as rpc_frame_buffer()
 *
 * Reading never goes past the end of a packet, since descriptors may come behind it:
 * while peer_wants_fds() says how many, they are read one by one, each with its byte of zero.
 */
uint8_t *peer_buffer(struct peer *peer, size_t *ret_len);
/* @len bytes are in it. False: the connection has to be closed. */
bool peer_filled(struct peer *peer, size_t len, GError **error);
unsigned peer_wants_fds(const struct peer *peer);
void peer_add_fd(struct peer *peer, int fd); /* taken over; -1: its byte came alone */

bool peer_wants_input(const struct peer *peer);
/* How many bytes that were sent by send() are still in the owner's queue: streams wait by that. */
void peer_set_queued(struct peer *peer, size_t bytes);

const char *peer_who(const struct peer *peer);
bool peer_read_only(const struct peer *peer);
unsigned peer_uid(const struct peer *peer);

#endif
