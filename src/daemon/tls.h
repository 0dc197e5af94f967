/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tls.h - clients with certificates
 *
 * Nothing here waits: what cannot go on returns -EAGAIN, and tls_wants() says what for.
 *
 * Threads: main loop.
 */
#ifndef DAEMON_TLS_H
#define DAEMON_TLS_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"

/* Paths; @crl and @allowed_dn may be NULL. */
struct tls_config {
	const char *ca, *cert, *key, *crl;
	const char *allowed_dn; /* patterns with semicolons between them */
};

struct tls;
struct tls_session;

/* Read our own certificate, and who signs those of clients. */
struct tls *tls_new(const struct tls_config *config, GError **error);
void tls_free(struct tls *tls);
DEFINE_AUTOPTR(tls, tls_free);

/* With a client behind @fd, which stays the caller's. @tls must outlive it. */
struct tls_session *tls_session_new(struct tls *tls, int fd, GError **error);
void tls_session_free(struct tls_session *session);
DEFINE_AUTOPTR(tls_session, tls_session_free);

/**
 * tls_session_greet() - go on with the handshake, look at the client's certificate, and tell it that it is
 * welcome
 *
 * Return: 1 it is, 0 not yet, -1 with @error set: it is not, and the connection has to be closed
 */
int tls_session_greet(struct tls_session *session, GError **error);
/* Its certificate's name, once it was greeted. */
const char *tls_session_dn(const struct tls_session *session);

/* As read(2) and write(2), with -errno. A write that returned -EAGAIN has to be repeated as it was. */
ssize_t tls_session_read(struct tls_session *session, void *buf, size_t len);
ssize_t tls_session_write(struct tls_session *session, const void *buf, size_t len);
/* Bytes that were taken from the socket already: poll(2) does not tell of them. */
bool tls_session_pending(const struct tls_session *session);
/* Does what returned -EAGAIN wait to write? Else it waits to read. */
bool tls_session_wants_out(const struct tls_session *session);

#endif
