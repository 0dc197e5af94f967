/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nics.h - the host's network interfaces, as they are now
 *
 * Threads: any.
 */
#ifndef HOST_NICS_H
#define HOST_NICS_H

#include <stdbool.h>

struct host_facts;

enum {
	HOST_NICS_MAX = 1024 /* more are not looked at */
};

struct host_nic {
	char *name;
	char *mac;      /* "52:54:00:12:34:56"; "" if it has none */
	char *state;    /* "up", "down", "unknown" ... */
	char *path;     /* its folder in /sys, without the root */
	unsigned speed; /* in Mbit/s; 0: unknown */
};

/* Sorted by name; NULL and 0 if there is none. For host_nics_free(). */
struct host_nic *host_nics(const struct host_facts *facts, unsigned *ret_count);
void host_nics_free(struct host_nic *nics, unsigned count);

#endif
