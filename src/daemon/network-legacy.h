/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * network-legacy.h - rules in the old tables of iptables, which nftables does not see
 *
 * Threads: main loop; the programs take some ms.
 */
#ifndef DAEMON_NETWORK_LEGACY_H
#define DAEMON_NETWORK_LEGACY_H

#include <stdbool.h>

struct network;

/* If this host has such tables: let the network's packets through them, or do it no more. */
void legacy_open(const struct network *network);
void legacy_close(const struct network *network);

/* What 'iptables-legacy-restore --noflush' is to be told for that, when the rules are @saved; for g_free(), or NULL: nothing. */
char *legacy_commands(const struct network *network, bool v6, bool open, const char *saved);

#endif
