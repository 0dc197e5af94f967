/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * transport-int.h - bytes to and from a server: a socket, or TLS on one
 *
 * Nothing here waits, but transport_wait().
 *
 * Threads: one at a time for each transport; transport_wait() may go on meanwhile.
 */
#ifndef CLIENT_TRANSPORT_INT_H
#define CLIENT_TRANSPORT_INT_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"

struct transport;

struct transport_ops {
	/* Each returns a count above 0, or -errno: -EAGAIN if it would have to wait, -EPIPE if the
	 * peer has gone. */
	ssize_t (*send)(struct transport *transport, const void *data, size_t len);
	ssize_t (*recv)(struct transport *transport, void *data, size_t len);
	/* A descriptor and the byte that it comes with. NULL: there are none. */
	int (*recv_fd)(struct transport *transport);
	/* The same, out: 1, or as the others. Only of a local one. */
	ssize_t (*send_fd)(struct transport *transport, int fd);
	/* Why it broke, in the peer's own words, for free; NULL: nothing is known. May be NULL. */
	char *(*last_words)(struct transport *transport);
	/* Close it all, and free the rest. */
	void (*free)(struct transport *transport);
};

struct transport {
	const struct transport_ops *ops;
	int fd;      /* for poll(2) */
	bool secure; /* nobody else can read it */
	bool local; /* a socket of this host: descriptors can go by it, if the peer is the server */
};

/**
 * transport_new_socket() - bytes as they are
 * @fd: is owned from now on, and made not to block
 */
struct transport *transport_new_socket(int fd, bool secure);
/* The same of a Unix socket. */
struct transport *transport_new_unix(int fd);

/* To a program: @words is a file with what it prints to its standard error, or -1. */
struct transport *transport_new_program(int fd, int words, bool secure);

/* To a server in this process. */
struct local_server;
struct transport *transport_new_local(const struct local_server *server);

/**
 * transport_new_tls() - TLS on a socket, for a server that is checked
 * @fd:       connected; is owned from now on
 * @host:     the name that its certificate must be for
 * @pkipath:  folder of certificates and key, or NULL for the usual places
 * @deadline: of sys_monotonic_ns(), UINT64_MAX: none
 */
struct transport *transport_new_tls(int fd, const char *host, const char *pkipath, bool no_verify,
				    uint64_t deadline, GError **error);

void transport_free(struct transport *transport);
DEFINE_AUTOPTR(transport, transport_free);

/**
 * transport_wait() - wait for bytes (POLLIN) or for room (POLLOUT)
 *
 * Return: false after the deadline
 */
bool transport_wait(const struct transport *transport, short events, uint64_t deadline,
		    GError **error);

#endif
