/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * session-start.h - connect to a daemon, and start that of this user's session if there is none
 */
#ifndef DAEMON_SESSION_START_H
#define DAEMON_SESSION_START_H

#include <glib.h>
#include <stdbool.h>

/* A descriptor that is connected to the socket, or -errno. */
int session_connect(const char *path);

/**
 * session_start() - start socled --session, which does not end with us, and connect to it
 * @path: its socket
 *
 * Return: the descriptor, or -1 with @error set. Two who do this at once get the same daemon
 */
int session_start(const char *path, GError **error);

#endif
