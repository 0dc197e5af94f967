/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * clients.h - all clients of the daemon: who they are, what they may, and how many there can be
 *
 * A client that may do nothing is served all the same, until it asks for machines: then it is told
 * why not. Limits count by origin, which is a user or an address, so whoever fills them gets in his
 * own way.
 *
 * Threads: main loop.
 */
#ifndef DAEMON_CLIENTS_H
#define DAEMON_CLIENTS_H

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/cleanup.h"

struct node;
struct policy;
struct tls;

struct clients_config {
	unsigned max_clients, max_anonymous;
	unsigned keepalive_interval_s, keepalive_count;
	unsigned anonymous_ms; /* until a client has to say what it wants; 0: a minute */
	uid_t only_uid;        /* of a session; (uid_t)-1: everybody */
	bool polkit_rw, polkit_ro;
	/* Which machines a URI means. */
	struct node *(*open)(void *opaque, const char *uri, GError **error);
	/* There is one more, or one less. */
	void (*changed)(void *opaque);
	void *opaque;
};

/* By what a client came. */
struct clients_door {
	bool read_only;
	bool local;      /* a Unix socket */
	struct tls *tls; /* or NULL; not owned */
};

struct clients;

struct clients *clients_new(const struct clients_config *config);
/* Tells all of them that it is over, and waits for those that do not take it, for @patience_ms. */
void clients_free(struct clients *clients, unsigned patience_ms);

/* For clients that come from now on. Taken over; NULL: no rules. */
void clients_set_policy(struct clients *clients, struct policy *policy);
/* @fd is not blocking; it is taken over. */
void clients_add(struct clients *clients, int fd, const struct clients_door *door);
unsigned clients_count(const struct clients *clients);

#endif
