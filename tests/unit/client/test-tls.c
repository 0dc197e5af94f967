/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-tls.c - TLS: a server with the right certificate, with another's name, of another authority,
 * and one that does not like ours
 */
#include <errno.h>
#include <glib/gstdio.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <poll.h>
#include <string.h>
#include <time.h>

#include "base/sys.h"
#include "base/thread.h"
#include "client/transport-int.h"

/* A key, and a certificate of it, signed by @ca, or by itself. */
struct identity {
	gnutls_x509_privkey_t key;
	gnutls_x509_crt_t cert;
};

static void ok(int rc)
{
	g_assert_cmpstr(rc < 0 ? gnutls_strerror(rc) : "fine", ==, "fine");
}

static void make(struct identity *id, const char *name, const struct identity *ca, bool is_ca)
{
	static unsigned char serial;

	serial++;
	ok(gnutls_x509_privkey_init(&id->key));
	ok(gnutls_x509_privkey_generate(id->key, GNUTLS_PK_ECDSA,
					GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0));
	ok(gnutls_x509_crt_init(&id->cert));
	ok(gnutls_x509_crt_set_version(id->cert, 3));
	ok(gnutls_x509_crt_set_serial(id->cert, &serial, 1));
	ok(gnutls_x509_crt_set_dn_by_oid(id->cert, GNUTLS_OID_X520_COMMON_NAME, 0, name,
					 (unsigned)strlen(name)));
	ok(gnutls_x509_crt_set_subject_alt_name(id->cert, GNUTLS_SAN_DNSNAME, name,
						(unsigned)strlen(name), GNUTLS_FSAN_SET));
	ok(gnutls_x509_crt_set_key(id->cert, id->key));
	ok(gnutls_x509_crt_set_activation_time(id->cert, time(NULL) - 3600));
	ok(gnutls_x509_crt_set_expiration_time(id->cert, time(NULL) + 3600));
	ok(gnutls_x509_crt_set_basic_constraints(id->cert, is_ca, -1));
	ok(gnutls_x509_crt_sign2(id->cert, ca ? ca->cert : id->cert, ca ? ca->key : id->key,
				 GNUTLS_DIG_SHA256, 0));
}

static void write_file(const char *folder, const char *name, const gnutls_datum_t *datum)
{
	g_autofree char *path = g_build_filename(folder, name, NULL);

	g_assert_true(g_file_set_contents(path, (const char *)datum->data, datum->size, NULL));
}

static void write_cert(const char *folder, const char *name, const struct identity *id)
{
	gnutls_datum_t datum;

	ok(gnutls_x509_crt_export2(id->cert, GNUTLS_X509_FMT_PEM, &datum));
	write_file(folder, name, &datum);
	gnutls_free(datum.data);
}

static void release(struct identity *id)
{
	gnutls_x509_crt_deinit(id->cert);
	gnutls_x509_privkey_deinit(id->key);
}

/* == The server == */

struct server {
	int fd;
	const struct identity *id;
	const struct identity *ca; /* whose certificates it likes */
	bool liked;
};

static void talk(gnutls_session_t session, struct server *s)
{
	unsigned status = 1;
	char buf[16];
	ssize_t n;

	if (gnutls_handshake(session) < 0)
		return;
	s->liked = gnutls_certificate_verify_peers2(session, &status) == 0 && status == 0;
	if (!s->liked)
		return;
	ok((int)gnutls_record_send(session, "\1", 1));
	/* What comes goes back. */
	while ((n = gnutls_record_recv(session, buf, sizeof(buf))) > 0)
		(void)gnutls_record_send(session, buf, (size_t)n);
}

static void serve(void *opaque)
{
	struct server *s = opaque;
	gnutls_certificate_credentials_t cred;
	gnutls_session_t session;
	gnutls_x509_crt_t cert = s->id->cert, ca = s->ca->cert;

	ok(gnutls_certificate_allocate_credentials(&cred));
	ok(gnutls_certificate_set_x509_key(cred, &cert, 1, s->id->key));
	ok(gnutls_certificate_set_x509_trust(cred, &ca, 1));
	ok(gnutls_init(&session, GNUTLS_SERVER | GNUTLS_NO_SIGNAL));
	ok(gnutls_set_default_priority(session));
	ok(gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, cred));
	gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUEST);
	gnutls_transport_set_int(session, s->fd);
	talk(session, s);
	gnutls_deinit(session);
	gnutls_certificate_free_credentials(cred);
	fd_autoclose(&s->fd);
}

/* == Both == */

struct world {
	struct identity ca, other_ca, server, client;
	char *folder;
};

static void world_init(struct world *w)
{
	gnutls_datum_t datum;

	make(&w->ca, "authority", NULL, true);
	make(&w->other_ca, "another", NULL, true);
	make(&w->server, "host.test", &w->ca, false);
	make(&w->client, "client", &w->ca, false);
	w->folder = g_dir_make_tmp("socle-tls-XXXXXX", NULL);
	g_assert_nonnull(w->folder);
	write_cert(w->folder, "cacert.pem", &w->ca);
	write_cert(w->folder, "clientcert.pem", &w->client);
	ok(gnutls_x509_privkey_export2(w->client.key, GNUTLS_X509_FMT_PEM, &datum));
	write_file(w->folder, "clientkey.pem", &datum);
	gnutls_free(datum.data);
}

static void remove_file(const struct world *w, const char *name)
{
	g_autofree char *path = g_build_filename(w->folder, name, NULL);

	(void)sys_unlink(path);
}

static void world_release(struct world *w)
{
	remove_file(w, "cacert.pem");
	remove_file(w, "clientcert.pem");
	remove_file(w, "clientkey.pem");
	g_assert_cmpint(g_remove(w->folder), ==, 0);
	g_free(w->folder);
	release(&w->ca);
	release(&w->other_ca);
	release(&w->server);
	release(&w->client);
}

static void echo(struct transport *t)
{
	char buf[5] = "";
	ssize_t n;

	g_assert_cmpint((int)t->ops->send(t, "ping", 4), ==, 4);
	while ((n = t->ops->recv(t, buf, sizeof(buf))) == -EAGAIN)
		g_assert_true(transport_wait(t, POLLIN, UINT64_MAX, NULL));
	g_assert_cmpint((int)n, ==, 4);
	g_assert_cmpstr(buf, ==, "ping");
	g_assert_null((void *)(uintptr_t)t->ops->recv_fd);
	g_assert_true(t->secure);
}

/* Connect; @words is part of the error that is due, NULL if all is to go well. */
static void try(struct world *w, const struct identity *ca, const char *host, bool no_verify,
		const char *words)
{
	struct server s = { .id = &w->server, .ca = ca };
	g_autoptr(GError) error = NULL;
	struct transport *t;
	struct thread *thread;
	int fds[2];

	g_assert_cmpint(sys_socketpair(AF_UNIX, SOCK_STREAM, fds), ==, 0);
	s.fd = fds[0];
	thread = thread_start("tls-server", serve, &s, NULL);
	t = transport_new_tls(fds[1], host, w->folder, no_verify, UINT64_MAX, &error);
	if (words) {
		g_assert_null(t);
		if (!strstr(error->message, words))
			g_error("'%s' does not say '%s'", error->message, words);
	} else {
		g_assert_no_error(error);
		echo(t);
	}
	transport_free(t);
	thread_join(thread);
	g_assert_cmpint(s.liked, ==, !words);
}

static void test_all(void)
{
	struct world w;

	world_init(&w);
	try(&w, &w.ca, "host.test", false, NULL);
	try(&w, &w.ca, "other.test", false, "the certificate of 'other.test' is not accepted");
	try(&w, &w.ca, "other.test", true, NULL);
	try(&w, &w.other_ca, "host.test", false, "does not accept our certificate");
	write_cert(w.folder, "cacert.pem", &w.other_ca);
	try(&w, &w.ca, "host.test", false, "the certificate of 'host.test' is not accepted");
	world_release(&w);
}

static void test_no_files(void)
{
	g_autoptr(GError) error = NULL;
	int fds[2];

	g_assert_cmpint(sys_socketpair(AF_UNIX, SOCK_STREAM, fds), ==, 0);
	g_assert_null(transport_new_tls(fds[1], "h", "/nonexistent", false, UINT64_MAX, &error));
	g_assert_nonnull(strstr(error->message, "'/nonexistent/cacert.pem'"));
	fd_autoclose(&fds[0]);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/client/tls/certificates", test_all);
	g_test_add_func("/client/tls/no-files", test_no_files);
	return g_test_run();
}
