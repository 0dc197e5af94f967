/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * daemon.h - socled: all its parts, in the order in which they start
 *
 * Threads: main loop.
 */
#ifndef DAEMON_DAEMON_H
#define DAEMON_DAEMON_H

#include <glib.h>

#include "base/cleanup.h"

struct config;

enum {
	DAEMON_EXIT_OK = 0,
	DAEMON_EXIT_ERROR = 1,
	DAEMON_EXIT_OTHER = 3, /* another one has the folder, or the socket */
};

struct daemon;

/* @config must outlive it. SOCLE_ERROR_BUSY: another one has the folder, or the socket. */
struct daemon *daemon_new(const struct config *config, GError **error);
/* Clients are told, machines go on. NULL is fine. */
void daemon_free(struct daemon *daemon);
DEFINE_AUTOPTR(daemon, daemon_free);

/* Until a signal or the time ends it. */
void daemon_run(struct daemon *daemon);

#endif
