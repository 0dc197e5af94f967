/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * socket.h - addresses and sockets for the back ends that speak to a peer
 *
 * Threads: any; what looks up names may wait for a name server.
 */
#ifndef NET_SOCKET_H
#define NET_SOCKET_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct socket_address {
	struct sockaddr_storage addr;
	socklen_t len;
	char *name; /* for messages: a path, or "host:port" */
};

void socket_address_release(struct socket_address *address);
void socket_address_copy(struct socket_address *ret, const struct socket_address *address);

/* A path in the file system. */
bool socket_address_unix(struct socket_address *ret, const char *path, GError **error);
/* A host by name or in figures; NULL with @passive means all addresses of this one. A name may take
 * as long as a name server lets us wait. */
bool socket_address_inet(struct socket_address *ret, const char *host, uint16_t port, int type,
			 bool passive, GError **error);

/* Is nobody to be asked for this host? NULL is fine. */
bool socket_is_numeric(const char *host);

/* Bind, and listen if it is a stream: the descriptor, not blocking, or -1. A socket file that
 * nobody listens at any more is replaced. */
int socket_bind(const struct socket_address *address, int type, GError **error);
/* Remove the file of a Unix socket that was bound. */
void socket_unlink(const struct socket_address *address);

/* Is it a socket of @type? Also makes it non-blocking. */
bool socket_take_fd(int fd, int type, GError **error);

#endif
