/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * local.h - a server in this process, for test:///default
 *
 * The seam to whoever serves it: a thread that speaks the protocol on one end of a socket pair. The
 * library has the other end, and treats it like any other server.
 */
#ifndef CLIENT_LOCAL_H
#define CLIENT_LOCAL_H

#include <glib.h>
#include <stdbool.h>

/* What a server in this process gives. */
struct local_server {
	int fd; /* our end of the socket pair; the library closes it */
	/* Called once, after the library has closed its end: end the thread and wait for it. */
	void (*stop)(void *opaque);
	void *opaque; /* for stop() */
};

/**
 * local_server_open() - start a server for one connection
 * @uri: scheme and path, such as "test:///default"
 * @ret: set on success
 *
 * Return: false if nobody in this process serves @uri
 */
bool local_server_open(const char *uri, struct local_server *ret, GError **error);

#endif
