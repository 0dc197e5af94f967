/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * gnutls-int.h - GnuTLS, loaded by the first connection that needs it
 *
 * Most connections are local, and to load it with all that it needs takes longer than most calls do.
 * Only its types are known when we are built; docs/design/0013 says what else was thought of.
 */
#ifndef CLIENT_GNUTLS_INT_H
#define CLIENT_GNUTLS_INT_H

#include <glib.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#define GNUTLS_SYMBOLS(SYMBOL)                        \
	SYMBOL(certificate_allocate_credentials)      \
	SYMBOL(certificate_free_credentials)          \
	SYMBOL(certificate_set_x509_crl_file)         \
	SYMBOL(certificate_set_x509_key_file)         \
	SYMBOL(certificate_set_x509_trust_file)       \
	SYMBOL(certificate_type_get)                  \
	SYMBOL(certificate_verification_status_print) \
	SYMBOL(credentials_set)                       \
	SYMBOL(deinit)                                \
	SYMBOL(error_is_fatal)                        \
	SYMBOL(free)                                  \
	SYMBOL(handshake)                             \
	SYMBOL(init)                                  \
	SYMBOL(record_get_direction)                  \
	SYMBOL(record_recv)                           \
	SYMBOL(record_send)                           \
	SYMBOL(server_name_set)                       \
	SYMBOL(session_get_verify_cert_status)        \
	SYMBOL(session_set_verify_cert)               \
	SYMBOL(set_default_priority)                  \
	SYMBOL(strerror)                              \
	SYMBOL(transport_set_errno)                   \
	SYMBOL(transport_set_ptr)                     \
	SYMBOL(transport_set_pull_function)           \
	SYMBOL(transport_set_push_function)

/* Its functions without their "gnutls_"; "free" is a variable of the library, which points to one. */
struct gnutls {
#define GNUTLS_MEMBER(name) typeof(gnutls_##name) *name;
	GNUTLS_SYMBOLS(GNUTLS_MEMBER)
#undef GNUTLS_MEMBER
};

/* Stays loaded; NULL with @error: it is not installed. Any thread. */
const struct gnutls *gnutls_load(GError **error);

#endif
