/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * network-dnsmasq.h - the process that gives addresses and names to a network's guests
 *
 * Its files are in the network's folder: dnsmasq.conf, hosts (who gets which address), names, pid, log. The leases are
 * elsewhere, since they outlive the network.
 *
 * Threads: main loop.
 */
#ifndef DAEMON_NETWORK_DNSMASQ_H
#define DAEMON_NETWORK_DNSMASQ_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"

struct network;

struct dnsmasq_places {
	const char *program; /* NULL: there is none on this host */
	const char *folder, *leases;
	const char *user; /* whom it becomes */
};

/* Does the network want one? */
bool dnsmasq_wanted(const struct network *network);

/* Texts of its files, for g_free(). */
char *dnsmasq_config(const struct network *network, const struct dnsmasq_places *places);
char *dnsmasq_hosts(const struct network *network);
char *dnsmasq_names(const struct network *network);

struct dnsmasq;

/**
 * dnsmasq_new() - write its files, and start it
 * @ready:   called once: it answers guests now, or with an error: it does not, and has ended
 * @changed: its process is another one
 *
 * If it ends later it is started again.
 */
struct dnsmasq *dnsmasq_new(const struct network *network, const struct dnsmasq_places *places,
			    void (*ready)(void *opaque, const GError *error),
			    void (*changed)(void *opaque), void *opaque, GError **error);
/* The one of an earlier daemon; if it has ended another one is started. */
struct dnsmasq *dnsmasq_find(const struct network *network, const struct dnsmasq_places *places,
			     int pid, uint64_t start, void (*changed)(void *opaque), void *opaque);
/* The definition has changed. */
bool dnsmasq_update(struct dnsmasq *dnsmasq, const struct network *network, GError **error);
/* As it is, with another process. */
bool dnsmasq_restart(struct dnsmasq *dnsmasq, GError **error);
/* Its process; false: there is none at the moment. */
bool dnsmasq_process(const struct dnsmasq *dnsmasq, int *ret_pid, uint64_t *ret_start);
/* It ends, and its files go but the leases. */
void dnsmasq_end(struct dnsmasq *dnsmasq);
/* It goes on. NULL is fine. */
void dnsmasq_free(struct dnsmasq *dnsmasq);

/* Leases of the file at @path, of struct network_lease; a file that is not there has none. */
bool dnsmasq_leases(const char *path, const struct network *network, GPtrArray *list,
		    GError **error);
/* What such a file says; @now: in seconds. */
void dnsmasq_parse_leases(const char *text, int64_t now, const struct network *network,
			  GPtrArray *list);

#endif
