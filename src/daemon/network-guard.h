/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * network-guard.h - rules of networks, and that bridges and rules stay as they were made
 *
 * Threads: main loop.
 */
#ifndef DAEMON_NETWORK_GUARD_H
#define DAEMON_NETWORK_GUARD_H

#include <glib.h>
#include <stdbool.h>

struct dnsmasq;
struct networks;
struct task;
struct virtnet;

/* A network of the host that is active, or begins. */
struct hostnet {
	struct networks *all;
	struct virtnet *net;
	char *folder, *leases;
	char *table;    /* its rules, as they are listed; NULL: not made yet, or it has none */
	bool is_broken; /* its bridge cannot be made again, which was told */
	struct dnsmasq *dnsmasq; /* NULL: it has none */
	struct task *begin;      /* of start(), until it has ended */
};

/* What is watched; NULL: nothing yet. */
struct network_guard;

/* Put its rules in the place of those that are there, and see from now on that all stays there. */
bool guard_make_rules(struct hostnet *hostnet, GError **error);
/* The same of a bridge of the host's, which has no rules but in others' chains. */
void guard_open_doors(struct hostnet *hostnet);
void guard_remove_rules(struct hostnet *hostnet);
void guard_free(struct network_guard *guard);

#endif
