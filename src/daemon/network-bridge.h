/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * network-bridge.h - the bridge of a network, with its addresses
 *
 * Threads: main loop.
 */
#ifndef DAEMON_NETWORK_BRIDGE_H
#define DAEMON_NETWORK_BRIDGE_H

#include <glib.h>
#include <stdbool.h>

#include "model/inet.h"

struct network;

/* Make it. What an earlier daemon has left of the same network is taken over; on an error nothing is left. */
bool bridge_make(const struct network *network, GError **error);
/* Is it there, switched on, with all of its addresses? */
bool bridge_is_whole(const struct network *network);
/* See that all is there, and make what is not; guests do not notice. @ret_anew: it is another bridge. */
bool bridge_mend(const struct network *network, bool *ret_anew, GError **error);
void bridge_remove(const struct network *network);
/* Is what the network takes from the host there: a bridge, interfaces? */
bool bridge_check_others(const struct network *network, GError **error);
/* An interface other than @except, which may be NULL, that has or reaches addresses of this network; its name and
 * network for g_free(), or NULL. */
char *bridge_find_user(const struct inet *address, unsigned prefix, const char *except);

#endif
