/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * network-rules.h - what packets may do at a network, as nftables' rules
 *
 * Threads: main loop.
 */
#ifndef DAEMON_NETWORK_RULES_H
#define DAEMON_NETWORK_RULES_H

#include <glib.h>
#include <stdbool.h>

struct network;

/* Commands that put the network's own table in the place of the one that is there; for g_free(). */
char *network_rules(const struct network *network);
/* Those that take it away. */
char *network_no_rules(const struct network *network);
/* Else network_rules() makes none. */
bool network_has_table(const struct network *network);
/* The table's name, for g_free(). */
char *network_table(const struct network *network);

/* A chain of others that drops what it does not know, in a place that is known. */
struct network_door {
	const char *chain; /* family, table and chain */
	bool input;        /* packets to the host; else those through it */
	bool by_policy;    /* it drops at its end: what is put there is heard */
};

extern const struct network_door network_doors[];
extern const unsigned network_door_count;

/* Commands that let the network's packets through @door, whose rules are @listing ("list chain"), and that are
 * not there yet; NULL: all are. */
char *network_open_door(const struct network *network, const struct network_door *door,
			const char *listing);
/* Commands that take them out; NULL: there are none. */
char *network_close_door(const struct network *network, const struct network_door *door,
			 const char *listing);
/* A base chain among @chains ("list chains") that drops what it does not know of packets to the host (@input) or through
 * it, where we do not help ourselves; for g_free(), NULL: there is none. */
char *network_closed_chain(const char *chains, bool input);

#endif
