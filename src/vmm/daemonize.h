/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * daemonize.h - go to the background, and let the parent tell how it went
 *
 * Threads: the only one there is.
 */
#ifndef VMM_DAEMONIZE_H
#define VMM_DAEMONIZE_H

#include <glib.h>
#include <stdbool.h>

struct daemonize {
	bool parent;
	int status; /* parent: what to end with */
	int fd;     /* child: for daemonize_ready() */
};

/**
 * daemonize_fork() - split; returns twice
 *
 * The parent returns when the child has called daemonize_ready() (status 0) or has ended (with its
 * status). The child has a session of its own and still writes to stderr.
 */
bool daemonize_fork(struct daemonize *ret_daemon, GError **error);

/* The machine runs: let the parent go, and be silent from now on. */
bool daemonize_ready(struct daemonize *daemon, GError **error);

#endif
