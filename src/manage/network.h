/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * network.h - the seam between a network and what makes it
 *
 * Implementations: fake-network.c here, in memory, for the driver "test"; and the room daemon, with bridges,
 * rules and dnsmasq for a system, and with what user networks can do for a session. Definitions,
 * names, lists, jobs, events, ports are above the seam.
 *
 * Whoever calls holds the network's job, but for state(), leases() and neighbours(), which come at any time and do
 * not wait. Each function that takes a task ends it once; free() ends those that have not. A function that is NULL is
 * not supported.
 *
 * Threads: main loop.
 */
#ifndef MANAGE_NETWORK_H
#define MANAGE_NETWORK_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "manage/task.h"

struct domain_interface;
struct network;
struct node;

struct virtnet {
	struct node *node;
	char *name;
	uint8_t uuid[16];
	char uuid_text[37];
	struct network *config; /* NULL: transient */
	struct network *live;   /* NULL: not active */
	void *made;             /* of the implementation, while it is active */
};

/* An address that a guest has, or is to have. */
struct network_lease {
	char *mac, *iaid, *ip, *hostname, *clientid; /* NULL: not known */
	char *dev;                                   /* the bridge that it was seen on */
	int64_t expiry;                              /* seconds since 1970; 0: for ever */
	bool v6;
	unsigned prefix;
};

void network_lease_free(void *lease);

struct network_ops {
	/* Each card has a network of its own, like that of the definition: there is no bridge to join. */
	bool is_user;

	/* Make what @net->live says, and set @net->made. On an error nothing is left of it. */
	void (*start)(void *opaque, struct virtnet *net, struct task *task);
	/* Take over what an earlier daemon has made; what of it has gone is made anew. @state is what
	 * state() said. */
	void (*find)(void *opaque, struct virtnet *net, const char *state, struct task *task);
	/* A line of text for find(); g_free() it. */
	char *(*state)(struct virtnet *net);
	/* Give up what the daemon has of it; the network goes on. */
	void (*free)(struct virtnet *net);
	/* Nothing of it is left on the host; free() follows. */
	void (*stop)(struct virtnet *net, struct task *task);
	/* It is not active, and nobody can start it again: what outlived its end goes, such as leases. */
	void (*forget)(void *opaque, const struct virtnet *net);
	/* @net->live has changed: make it so without disturbing guests. */
	void (*update)(struct virtnet *net, struct task *task);

	/* Of struct network_lease, into @list. */
	bool (*leases)(struct virtnet *net, GPtrArray *list, GError **error);
	/* Who was heard on a bridge. */
	bool (*neighbours)(void *opaque, const char *bridge, GPtrArray *list, GError **error);
	/* Has the host an interface of this name? */
	bool (*is_taken)(void *opaque, const char *name);
	/* A machine that runs is in this network by the tap @card->target.dev: see that it is in the bridge. */
	bool (*join)(struct virtnet *net, const struct domain_interface *card, GError **error);
};

/* state() has changed: it is to be kept. */
void virtnet_changed(struct virtnet *net);
/* Its bridge is another one: machines that run are to join it. */
void virtnet_anew(struct virtnet *net);

#endif
