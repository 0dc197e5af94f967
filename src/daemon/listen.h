/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * listen.h - where clients can come: sockets of our own, and those that the system has made for us
 *
 * Threads: main loop.
 */
#ifndef DAEMON_LISTEN_H
#define DAEMON_LISTEN_H

#include <glib.h>
#include <stdbool.h>

#include "base/cleanup.h"

struct clients;
struct tls;

struct listeners;

/* None yet. Clients go to @clients, which must outlive it. */
struct listeners *listeners_new(struct clients *clients);
/* Nobody comes any more; files of ours are removed. NULL is fine. */
void listeners_free(struct listeners *listeners);
DEFINE_AUTOPTR(listeners, listeners_free);

/**
 * listeners_add_pair() - a socket that may do everything, and PATH-ro, which may only read
 * @group: who may connect to the first one besides this user, or NULL
 * @open:  everybody may connect to the second one; else only this user
 */
bool listeners_add_pair(struct listeners *listeners, const char *path, const char *group, bool open,
			GError **error);
/* "ADDRESS:PORT"; @tls NULL: as it is. */
bool listeners_add_inet(struct listeners *listeners, const char *where, struct tls *tls,
			GError **error);

/**
 * listeners_add_activated() - take the sockets that a service manager has given us
 * @tls:        for those of the internet; NULL: there must be none
 * @ret_local: how many are Unix sockets
 */
bool listeners_add_activated(struct listeners *listeners, struct tls *tls, unsigned *ret_local,
			     GError **error);

#endif
