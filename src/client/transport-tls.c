/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * transport-tls.c - TLS on a socket
 *
 * The server must have a certificate that an authority of ours has signed, for the name that it was
 * called by; and it asks for one of ours. When it is content it sends the byte 1, before all else.
 */
#include "client/transport-int.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "base/error.h"
#include "base/sys.h"
#include "client/gnutls-int.h"

struct tls_transport {
	struct transport transport;
	const struct gnutls *lib;
	gnutls_session_t session;
	gnutls_certificate_credentials_t credentials;
};

static struct tls_transport *tls_of(struct transport *transport)
{
	return container_of(transport, struct tls_transport, transport);
}

/* What GnuTLS says, as our transports say it. */
static ssize_t tls_result(ssize_t n)
{
	if (n > 0)
		return n;
	if (n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED)
		return -EAGAIN;
	if (n == 0 || n == GNUTLS_E_PREMATURE_TERMINATION)
		return -EPIPE;
	return -EPROTO;
}

static ssize_t tls_send(struct transport *transport, const void *data, size_t len)
{
	const struct tls_transport *tls = tls_of(transport);

	return tls_result(tls->lib->record_send(tls->session, data, len));
}

static ssize_t tls_recv(struct transport *transport, void *data, size_t len)
{
	const struct tls_transport *tls = tls_of(transport);

	return tls_result(tls->lib->record_recv(tls->session, data, len));
}

static void tls_free(struct transport *transport)
{
	struct tls_transport *tls = tls_of(transport);

	if (tls->session)
		tls->lib->deinit(tls->session);
	if (tls->credentials)
		tls->lib->certificate_free_credentials(tls->credentials);
	fd_autoclose(&tls->transport.fd);
	g_free(tls);
}

static const struct transport_ops tls_ops = {
	.send = tls_send,
	.recv = tls_recv,
	.free = tls_free,
};

/* GnuTLS is not to raise SIGPIPE, and leaves its reason in a place of its own. */
static ssize_t push(gnutls_transport_ptr_t ptr, const void *data, size_t len)
{
	struct tls_transport *tls = ptr;
	struct iovec iov = { .iov_base = (void *)(uintptr_t)data, .iov_len = len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n = sys_sendmsg(tls->transport.fd, &msg, 0);

	if (n >= 0)
		return n;
	tls->lib->transport_set_errno(tls->session, (int)-n);
	return -1;
}

static ssize_t pull(gnutls_transport_ptr_t ptr, void *data, size_t len)
{
	struct tls_transport *tls = ptr;
	ssize_t n = sys_read(tls->transport.fd, data, len);

	if (n >= 0)
		return n;
	tls->lib->transport_set_errno(tls->session, (int)-n);
	return -1;
}

/* Files of certificates, each of a folder, of the user, or of the host, whichever is there. */
struct tls_files {
	char *ca;
	char *crl; /* certificates that their authority has taken back; may be missing */
	char *cert;
	char *key;
};

static void tls_files_release(struct tls_files *files)
{
	g_free(files->ca);
	g_free(files->crl);
	g_free(files->cert);
	g_free(files->key);
}

static bool file_is_there(const char *path)
{
	struct stat st;

	return sys_stat(path, &st) == 0;
}

static void in_folder(struct tls_files *files, const char *folder)
{
	files->ca = g_build_filename(folder, "cacert.pem", NULL);
	files->crl = g_build_filename(folder, "cacrl.pem", NULL);
	files->cert = g_build_filename(folder, "clientcert.pem", NULL);
	files->key = g_build_filename(folder, "clientkey.pem", NULL);
}

static void set(char **path, const char *text)
{
	g_free(*path);
	*path = g_strdup(text);
}

static void find_files(struct tls_files *files, const char *pkipath)
{
	g_autofree char *own = g_build_filename(g_get_home_dir(), ".pki", "libvirt", NULL);
	bool root = geteuid() == 0;

	in_folder(files, pkipath ? pkipath : own);
	if (pkipath)
		return;
	if (root || !file_is_there(files->ca))
		set(&files->ca, "/etc/pki/CA/cacert.pem");
	if (root || !file_is_there(files->crl))
		set(&files->crl, "/etc/pki/CA/cacrl.pem");
	/* One is of no use without the other. */
	if (root || !file_is_there(files->cert) || !file_is_there(files->key)) {
		set(&files->cert, "/etc/pki/libvirt/clientcert.pem");
		set(&files->key, "/etc/pki/libvirt/private/clientkey.pem");
	}
}

static bool load_files(struct tls_transport *tls, const char *pkipath, bool no_verify,
		       GError **error)
{
	__attribute__((cleanup(tls_files_release))) struct tls_files files = { NULL };
	int rc;

	find_files(&files, pkipath);
	rc = tls->lib->certificate_set_x509_trust_file(tls->credentials, files.ca,
						       GNUTLS_X509_FMT_PEM);
	if (rc < 0 && !no_verify)
		return error_set(error, SOCLE_ERROR_NOT_FOUND,
				 "cannot read the authority's certificate '%s' (%s): put it there, "
				 "or name its folder by ?pkipath=",
				 files.ca, tls->lib->strerror(rc));
	if (rc == 0 && !no_verify)
		return error_set(error, SOCLE_ERROR_CORRUPT,
				 "the file '%s' has no certificate of an authority in it",
				 files.ca);
	rc = no_verify || !file_is_there(files.crl)
		     ? 0
		     : tls->lib->certificate_set_x509_crl_file(tls->credentials, files.crl,
							       GNUTLS_X509_FMT_PEM);
	if (rc < 0)
		return error_set(error, SOCLE_ERROR_CORRUPT,
				 "cannot read the list of certificates taken back '%s': %s",
				 files.crl, tls->lib->strerror(rc));
	if (!file_is_there(files.cert) && !file_is_there(files.key))
		return true;
	rc = tls->lib->certificate_set_x509_key_file(tls->credentials, files.cert, files.key,
						     GNUTLS_X509_FMT_PEM);
	if (rc < 0)
		return error_set(error, SOCLE_ERROR_CORRUPT,
				 "cannot use our certificate '%s' with the key '%s': %s",
				 files.cert, files.key, tls->lib->strerror(rc));
	return true;
}

static bool setup(struct tls_transport *tls, const char *host, bool no_verify, GError **error)
{
	int rc = tls->lib->init(&tls->session, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL);

	if (rc == 0)
		rc = tls->lib->set_default_priority(tls->session);
	if (rc == 0)
		rc = tls->lib->credentials_set(tls->session, GNUTLS_CRD_CERTIFICATE,
					       tls->credentials);
	if (rc == 0 && !g_hostname_is_ip_address(host))
		rc = tls->lib->server_name_set(tls->session, GNUTLS_NAME_DNS, host, strlen(host));
	if (rc != 0)
		return error_set(error, SOCLE_ERROR_FAILED, "cannot set up TLS: %s",
				 tls->lib->strerror(rc));
	if (!no_verify)
		tls->lib->session_set_verify_cert(tls->session, host, 0);
	tls->lib->transport_set_ptr(tls->session, tls);
	tls->lib->transport_set_push_function(tls->session, push);
	tls->lib->transport_set_pull_function(tls->session, pull);
	return true;
}

static bool refuse_certificate(struct tls_transport *tls, const char *host, GError **error)
{
	gnutls_datum_t text = { NULL, 0 };
	unsigned status = tls->lib->session_get_verify_cert_status(tls->session);
	bool told = tls->lib->certificate_verification_status_print(
			    status, tls->lib->certificate_type_get(tls->session), &text, 0) == 0;
	g_autofree char *why = g_strdup(told ? (const char *)text.data : "for no known reason");
	size_t len;

	(*tls->lib->free)(text.data);
	/* Its last sentence is the end of ours. */
	len = strlen(g_strchomp(why));
	if (len > 0 && why[len - 1] == '.')
		why[len - 1] = '\0';
	return error_set(error, SOCLE_ERROR_DENIED, "the certificate of '%s' is not accepted: %s",
			 host, why);
}

static bool handshake(struct tls_transport *tls, const char *host, uint64_t deadline,
		      GError **error)
{
	for (;;) {
		int rc = tls->lib->handshake(tls->session);

		if (rc == GNUTLS_E_SUCCESS)
			return true;
		if (rc == GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR)
			return refuse_certificate(tls, host, error);
		if (tls->lib->error_is_fatal(rc))
			return error_set(error, SOCLE_ERROR_FAILED,
					 "cannot agree on TLS with '%s': %s", host,
					 tls->lib->strerror(rc));
		if (rc == GNUTLS_E_AGAIN &&
		    !transport_wait(&tls->transport,
				    tls->lib->record_get_direction(tls->session) ? POLLOUT : POLLIN,
				    deadline, error))
			return false;
	}
}

/* The server has looked at our certificate, and says 1, or hangs up. */
static bool wait_for_welcome(struct tls_transport *tls, const char *host, uint64_t deadline,
			     GError **error)
{
	uint8_t byte = 0;
	ssize_t n;

	while ((n = tls_recv(&tls->transport, &byte, 1)) == -EAGAIN) {
		if (!transport_wait(&tls->transport, POLLIN, deadline, error))
			return false;
	}
	if (n == 1 && byte == 1)
		return true;
	return error_set(
		error, SOCLE_ERROR_DENIED,
		"'%s' does not accept our certificate: is clientcert.pem there, and signed "
		"by an authority that the server knows?",
		host);
}

struct transport *transport_new_tls(int fd, const char *host, const char *pkipath, bool no_verify,
				    uint64_t deadline, GError **error)
{
	struct tls_transport *tls = g_new0(struct tls_transport, 1);
	autoptr(transport) transport = &tls->transport;
	int rc;

	tls->transport = (struct transport){ .ops = &tls_ops, .fd = fd, .secure = true };
	(void)sys_set_nonblock(fd);
	tls->lib = gnutls_load(error);
	if (!tls->lib)
		return NULL;
	rc = tls->lib->certificate_allocate_credentials(&tls->credentials);
	if (rc != 0) {
		error_set(error, SOCLE_ERROR_FAILED, "cannot set up TLS: %s",
			  tls->lib->strerror(rc));
		return NULL;
	}
	if (!load_files(tls, pkipath, no_verify, error) || !setup(tls, host, no_verify, error) ||
	    !handshake(tls, host, deadline, error) || !wait_for_welcome(tls, host, deadline, error))
		return NULL;
	return g_steal_pointer(&transport);
}
