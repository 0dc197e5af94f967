/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * gnutls-int.h - GnuTLS, loaded by the first connection that needs it
 *
 * Most connections are local, and to load it with all that it needs takes longer than most calls do.
 */
#ifndef CLIENT_GNUTLS_INT_H
#define CLIENT_GNUTLS_INT_H

#include <glib.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#define GNUTLS_CALLS(X)                          \
	X(certificate_allocate_credentials)      \
	X(certificate_free_credentials)          \
	X(certificate_set_x509_crl_file)         \
	X(certificate_set_x509_key_file)         \
	X(certificate_set_x509_trust_file)       \
	X(certificate_type_get)                  \
	X(certificate_verification_status_print) \
	X(credentials_set)                       \
	X(deinit)                                \
	X(error_is_fatal)                        \
	X(free)                                  \
	X(handshake)                             \
	X(init)                                  \
	X(record_get_direction)                  \
	X(record_recv)                           \
	X(record_send)                           \
	X(server_name_set)                       \
	X(session_get_verify_cert_status)        \
	X(session_set_verify_cert)               \
	X(set_default_priority)                  \
	X(strerror)                              \
	X(transport_set_errno)                   \
	X(transport_set_ptr)                     \
	X(transport_set_pull_function)           \
	X(transport_set_push_function)

/* Its functions without their "gnutls_"; "free" is a variable of the library, which points to one. */
struct gnutls {
#define X(call) typeof(gnutls_##call) *call;
	GNUTLS_CALLS(X)
#undef X
};

/* Stays loaded; NULL with @error: it is not installed. Any thread. */
const struct gnutls *gnutls_load(GError **error);

#endif
