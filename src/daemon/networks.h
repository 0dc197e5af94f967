/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * networks.h - the networks of a host: bridges, rules, dnsmasq; and those of a session
 *
 * Threads: main loop.
 */
#ifndef DAEMON_NETWORKS_H
#define DAEMON_NETWORKS_H

#include <glib.h>
#include <stdbool.h>

#include "manage/network.h"

struct config;

/* What all networks of the daemon share. */
struct networks {
	char *run_dir, *lease_dir, *dnsmasq, *user;
	GPtrArray *active; /* of struct hostnet */
	struct network_guard *guard;
};

void networks_init(struct networks *networks, const struct config *config);
void networks_release(struct networks *networks);

/* The opaque of both is struct networks. */
extern const struct network_ops network_host_ops, network_user_ops;

/* The definition of a network 'default' whose addresses nobody has, for g_free(). */
char *networks_default(void);

#endif
