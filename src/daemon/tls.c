/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tls.c - clients with certificates
 *
 * libvirt's clients wait behind the handshake for one byte that says that their certificate was
 * taken: a refusal of it comes later than their end of the handshake.
 */
#include "daemon/tls.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "base/error.h"
#include "base/sys.h"
#include "daemon/policy.h"

static const char priorities[] = "NORMAL:-VERS-TLS1.1:-VERS-TLS1.0";

struct tls {
	gnutls_certificate_credentials_t credentials;
	gnutls_priority_t priority;
	char *allowed_dn;
};

struct tls_session {
	struct tls *tls;
	gnutls_session_t session;
	int fd;
	char *dn;    /* NULL: the certificate was not looked at */
	bool shaken; /* the handshake is done */
};

/* == Our own files == */

static bool tls_fail(GError **error, int r, const char *what, const char *path)
{
	return error_set(error, SOCLE_ERROR_FAILED,
			 "cannot take %s '%s': %s; name a PEM file that this user can read", what,
			 path, gnutls_strerror(r));
}

static bool load(struct tls *tls, const struct tls_config *config, GError **error)
{
	int r = gnutls_certificate_set_x509_trust_file(tls->credentials, config->ca,
						       GNUTLS_X509_FMT_PEM);

	/* It returns how many there are. */
	if (r <= 0)
		return tls_fail(error, r ? r : GNUTLS_E_NO_CERTIFICATE_FOUND, "--tls-ca",
				config->ca);
	r = gnutls_certificate_set_x509_key_file(tls->credentials, config->cert, config->key,
						 GNUTLS_X509_FMT_PEM);
	if (r < 0)
		return error_set(
			error, SOCLE_ERROR_FAILED,
			"cannot take --tls-cert '%s' with --tls-key '%s': %s; name PEM files "
			"that this user can read and that belong together",
			config->cert, config->key, gnutls_strerror(r));
	r = config->crl ? gnutls_certificate_set_x509_crl_file(tls->credentials, config->crl,
							       GNUTLS_X509_FMT_PEM)
			: 0;
	if (r < 0)
		return tls_fail(error, r, "--tls-crl", config->crl);
	r = gnutls_priority_init(&tls->priority, priorities, NULL);
	if (r < 0)
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "this system's GnuTLS has no TLS 1.2: %s; mend its configuration",
				 gnutls_strerror(r));
	return true;
}

struct tls *tls_new(const struct tls_config *config, GError **error)
{
	autoptr(tls) tls = g_new0(struct tls, 1);
	int r = gnutls_certificate_allocate_credentials(&tls->credentials);

	if (r < 0) {
		error_set(error, SOCLE_ERROR_FAILED, "cannot use GnuTLS: %s", gnutls_strerror(r));
		return NULL;
	}
	tls->allowed_dn = g_strdup(config->allowed_dn);
	return load(tls, config, error) ? g_steal_pointer(&tls) : NULL;
}

void tls_free(struct tls *tls)
{
	if (!tls)
		return;
	if (tls->credentials)
		gnutls_certificate_free_credentials(tls->credentials);
	if (tls->priority)
		gnutls_priority_deinit(tls->priority);
	g_free(tls->allowed_dn);
	g_free(tls);
}

/* == A client == */

static ssize_t pull(gnutls_transport_ptr_t opaque, void *buf, size_t len)
{
	struct tls_session *session = opaque;
	ssize_t n = sys_read(session->fd, buf, len);

	if (n < 0)
		gnutls_transport_set_errno(session->session, (int)-n);
	return n < 0 ? -1 : n;
}

static ssize_t push(gnutls_transport_ptr_t opaque, const void *buf, size_t len)
{
	struct tls_session *session = opaque;
	struct iovec iov = { (void *)(uintptr_t)buf, len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n = sys_sendmsg(session->fd, &msg, 0);

	if (n < 0)
		gnutls_transport_set_errno(session->session, (int)-n);
	return n < 0 ? -1 : n;
}

struct tls_session *tls_session_new(struct tls *tls, int fd, GError **error)
{
	struct tls_session *session = g_new(struct tls_session, 1);
	int r;

	*session = (struct tls_session){ .tls = tls, .fd = fd };
	r = gnutls_init(&session->session, GNUTLS_SERVER | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL);
	if (r == 0)
		r = gnutls_priority_set(session->session, tls->priority);
	if (r == 0)
		r = gnutls_credentials_set(session->session, GNUTLS_CRD_CERTIFICATE,
					   tls->credentials);
	if (r < 0) {
		error_set(error, SOCLE_ERROR_FAILED, "cannot begin TLS: %s", gnutls_strerror(r));
		tls_session_free(session);
		return NULL;
	}
	gnutls_certificate_server_set_request(session->session, GNUTLS_CERT_REQUIRE);
	/* The owner has a deadline of its own. */
	gnutls_handshake_set_timeout(session->session, 0);
	gnutls_transport_set_ptr(session->session, session);
	gnutls_transport_set_pull_function(session->session, pull);
	gnutls_transport_set_push_function(session->session, push);
	return session;
}

void tls_session_free(struct tls_session *session)
{
	if (!session)
		return;
	if (session->session)
		gnutls_deinit(session->session);
	g_free(session->dn);
	g_free(session);
}

static char *name_of(const gnutls_datum_t *raw, GError **error)
{
	gnutls_x509_crt_t cert;
	gnutls_datum_t text = { NULL, 0 };
	char *name = NULL;
	int r = gnutls_x509_crt_init(&cert);

	if (r < 0) {
		error_set(error, SOCLE_ERROR_FAILED, "cannot look at it: %s", gnutls_strerror(r));
		return NULL;
	}
	r = gnutls_x509_crt_import(cert, raw, GNUTLS_X509_FMT_DER);
	if (r == 0)
		r = gnutls_x509_crt_get_dn3(cert, &text, 0);
	if (r == 0)
		name = g_strndup((char *)text.data, text.size);
	else
		error_set(error, SOCLE_ERROR_CORRUPT, "it has no name: %s", gnutls_strerror(r));
	gnutls_free(text.data);
	gnutls_x509_crt_deinit(cert);
	return name;
}

/* Was it signed by whom we trust, for clients, is it valid now, and is its owner on the list? */
static bool check_certificate(struct tls_session *session, GError **error)
{
	gnutls_typed_vdata_st purpose = {
		.type = GNUTLS_DT_KEY_PURPOSE_OID,
		.data = (unsigned char *)(uintptr_t)GNUTLS_KP_TLS_WWW_CLIENT
	};
	const gnutls_datum_t *list;
	unsigned count = 0, status = 0;
	int r = gnutls_certificate_verify_peers(session->session, &purpose, 1, &status);

	if (r < 0)
		return error_set(error, SOCLE_ERROR_DENIED, "its certificate cannot be checked: %s",
				 gnutls_strerror(r));
	if (status) {
		gnutls_datum_t text = { NULL, 0 };

		(void)gnutls_certificate_verification_status_print(status, GNUTLS_CRT_X509, &text,
								   0);
		error_set(error, SOCLE_ERROR_DENIED, "its certificate is not taken: %s",
			  text.data ? (char *)text.data : "no reason was given");
		gnutls_free(text.data);
		return false;
	}
	list = gnutls_certificate_get_peers(session->session, &count);
	if (!list || !count)
		return error_set(error, SOCLE_ERROR_DENIED, "it has no certificate");
	session->dn = name_of(&list[0], error);
	if (!session->dn)
		return false;
	if (session->tls->allowed_dn && !policy_dn_matches(session->tls->allowed_dn, session->dn))
		return error_set(error, SOCLE_ERROR_DENIED,
				 "its certificate's name '%s' is none of those in --tls-allowed-dn",
				 session->dn);
	return true;
}

static bool again(int r)
{
	return r == GNUTLS_E_AGAIN || r == GNUTLS_E_INTERRUPTED;
}

int tls_session_greet(struct tls_session *session, GError **error)
{
	static const char welcome = 1;
	int r = 0;

	while (!session->shaken) {
		r = gnutls_handshake(session->session);
		if (again(r))
			return 0;
		if (r < 0 && gnutls_error_is_fatal(r)) {
			error_set(error, SOCLE_ERROR_FAILED, "its TLS handshake failed: %s",
				  gnutls_strerror(r));
			return -1;
		}
		session->shaken = r == 0;
	}
	if (!session->dn && !check_certificate(session, error))
		return -1;
	r = (int)gnutls_record_send(session->session, &welcome, 1);
	if (again(r))
		return 0;
	if (r < 0) {
		error_set(error, SOCLE_ERROR_FAILED, "it has gone: %s", gnutls_strerror(r));
		return -1;
	}
	return 1;
}

const char *tls_session_dn(const struct tls_session *session)
{
	return session->dn;
}

ssize_t tls_session_read(struct tls_session *session, void *buf, size_t len)
{
	ssize_t n = gnutls_record_recv(session->session, buf, len);

	if (n >= 0)
		return n;
	/* A client may ask for new keys; whoever wants another handshake does not get it. */
	if (again((int)n) || !gnutls_error_is_fatal((int)n))
		return -EAGAIN;
	return n == GNUTLS_E_PREMATURE_TERMINATION ? 0 : -EPROTO;
}

ssize_t tls_session_write(struct tls_session *session, const void *buf, size_t len)
{
	ssize_t n = gnutls_record_send(session->session, buf, len);

	if (n >= 0)
		return n;
	return again((int)n) ? -EAGAIN : -EPIPE;
}

bool tls_session_pending(const struct tls_session *session)
{
	return gnutls_record_check_pending(session->session) > 0;
}

bool tls_session_wants_out(const struct tls_session *session)
{
	return gnutls_record_get_direction(session->session) == 1;
}
