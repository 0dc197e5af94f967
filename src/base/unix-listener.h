/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * unix-listener.h - a Unix socket in the file system that waits for clients
 *
 * Threads: main loop; unix_listener_accept() from the one thread that waits for the descriptor.
 */
#ifndef BASE_UNIX_LISTENER_H
#define BASE_UNIX_LISTENER_H

#include <glib.h>

#include "base/cleanup.h"

struct unix_listener;

/**
 * unix_listener_new() - listen at @path
 *
 * A socket file on which nobody listens any more is replaced; one in use and a file of another kind
 * are refused. Only this user may connect.
 *
 * Return: the listener, or NULL with @error set
 */
struct unix_listener *unix_listener_new(const char *path, GError **error);

/* Stop listening, and remove the file if it is still ours. NULL is fine. */
void unix_listener_free(struct unix_listener *listener);
DEFINE_AUTOPTR(unix_listener, unix_listener_free);

/* The next client, non-blocking, or -errno (-EAGAIN: there is none, or not now; acceptor.h). */
int unix_listener_accept(struct unix_listener *listener);

/* For poll: readable when there may be one. */
int unix_listener_fd(const struct unix_listener *listener);

#endif
