/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-uri.c - URIs: what they say, which sockets they mean, and what ssh is called with
 */
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "client/dial-int.h"
#include "client/uri-int.h"

struct good {
	const char *text;
	const char *name; /* for the server */
	enum uri_way way;
	const char *host;
	unsigned port;
	const char *socket;
};

static const struct good good[] = {
	{ "qemu+unix:///system?socket=/S", "qemu:///system", URI_UNIX, NULL, 0, "/S" },
	{ "qemu:///system?socket=/S", "qemu:///system", URI_UNIX, NULL, 0, "/S" },
	{ "qemu:///system?socket=/S&mode=legacy", "qemu:///system", URI_UNIX, NULL, 0, "/S" },
	{ "socle:///session", "socle:///session", URI_UNIX, NULL, 0, NULL },
	{ "kvm+unix:///?socket=/S", "kvm:///", URI_UNIX, NULL, 0, "/S" },
	{ "remote+unix:///?socket=/S", "", URI_UNIX, NULL, 0, "/S" },
	{ "test+unix:///default?socket=/a%20b", "test:///default", URI_UNIX, NULL, 0, "/a b" },
	{ "test:///default", "test:///default", URI_LOCAL, NULL, 0, NULL },
	{ "qemu+tcp://host/system", "qemu:///system", URI_TCP, "host", 0, NULL },
	{ "qemu+tcp://host:77/system", "qemu:///system", URI_TCP, "host", 77, NULL },
	{ "qemu://host/system", "qemu:///system", URI_TLS, "host", 0, NULL },
	{ "qemu+tls://[::1]:5/system?no_verify=1", "qemu:///system", URI_TLS, "::1", 5, NULL },
	{ "qemu+ssh://root@host/system", "qemu:///system", URI_SSH, "host", 0, NULL },
	{ "socle+ext:///system?command=/p", "socle:///system", URI_EXT, NULL, 0, NULL },
	/* What is not meant for us goes on. */
	{ "esx+unix:///a?x=1&socket=/S&y=%3F", "esx:///a?x=1&y=%3F", URI_UNIX, NULL, 0, "/S" },
};

static void test_good(const void *opaque)
{
	const struct good *g = opaque;
	g_autoptr(GError) error = NULL;
	autoptr(uri) uri = uri_parse(g->text, &error);

	g_assert_no_error(error);
	g_assert_cmpstr(uri->name, ==, g->name);
	g_assert_cmpint(uri->way, ==, g->way);
	g_assert_cmpstr(uri->host, ==, g->host);
	g_assert_cmpuint(uri->port, ==, g->port);
	g_assert_cmpstr(uri->socket, ==, g->socket);
}

static const char *const bad[][2] = {
	{ "system", "is no URI" },
	{ "qemu+carrier-pigeon://host/system", "transport 'carrier-pigeon' is not known" },
	{ "qemu+ssh:///system", "no host" },
	{ "qemu+unix://host/system", "stays on this host" },
	{ "qemu:///system?mode=sideways", "'mode' of the URI cannot be 'sideways'" },
	{ "qemu+ssh://h/s?proxy=none", "'proxy' of the URI cannot be 'none'" },
	{ "socle+ext:///system", "?command=" },
	{ "qemu:///system?socket=%00", "stands for nothing" },
	{ "qemu:///system?socket=%zz", "is no URI" },
	{ "qemu+ssh://host:99999/system", "is no URI" },
};

static void test_bad(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		g_autoptr(GError) error = NULL;

		g_assert_null(uri_parse(bad[i][0], &error));
		g_assert_nonnull(error);
		if (!strstr(error->message, bad[i][1]))
			g_error("'%s' does not say '%s'", error->message, bad[i][1]);
	}
}

static void test_default(void)
{
	autoptr(uri) said = NULL;
	autoptr(uri) old = NULL;
	autoptr(uri) none = NULL;

	g_setenv("SOCLE_DEFAULT_URI", "test+unix:///x", TRUE);
	said = uri_parse(NULL, NULL);
	g_assert_cmpstr(said->name, ==, "test:///x");
	g_assert_false(said->chosen);
	g_unsetenv("SOCLE_DEFAULT_URI");
	g_setenv("LIBVIRT_DEFAULT_URI", "qemu:///y", TRUE);
	old = uri_parse("", NULL);
	g_assert_cmpstr(old->name, ==, "qemu:///y");
	g_unsetenv("LIBVIRT_DEFAULT_URI");
	none = uri_parse("", NULL);
	g_assert_true(none->chosen);
	g_assert_cmpstr(none->scheme, ==, "socle");
}

/* == Sockets == */

static char *sockets_of(const char *text, bool readonly)
{
	autoptr(uri) uri = uri_parse(text, NULL);
	g_auto(GStrv) names = NULL;
	g_auto(GStrv) sockets = dial_unix_sockets(uri, readonly, &names);

	g_assert_cmpuint(g_strv_length(sockets), ==, g_strv_length(names));
	return g_strjoinv(" ", sockets);
}

static void assert_sockets(const char *text, bool readonly, const char *want)
{
	g_autofree char *got = sockets_of(text, readonly);

	g_assert_cmpstr(got, ==, want);
}

static void test_sockets(void)
{
	g_setenv("XDG_RUNTIME_DIR", "/rt", TRUE);
	assert_sockets("qemu:///system", false,
		       "/run/libvirt/virtqemud-sock /run/libvirt/libvirt-sock");
	assert_sockets("qemu:///system", true,
		       "/run/libvirt/virtqemud-sock-ro /run/libvirt/libvirt-sock-ro");
	assert_sockets("qemu:///system?mode=direct", false, "/run/libvirt/virtqemud-sock");
	assert_sockets("qemu:///system?mode=legacy", false, "/run/libvirt/libvirt-sock");
	assert_sockets("remote+unix:///", false, "/run/libvirt/libvirt-sock");
	assert_sockets("socle:///system", false,
		       "/run/socle/socled-sock /run/libvirt/virtsocled-sock "
		       "/run/libvirt/libvirt-sock");
	assert_sockets("socle:///system?mode=direct", true,
		       "/run/socle/socled-sock-ro /run/libvirt/virtsocled-sock-ro");
	assert_sockets("qemu:///system?socket=/S", true, "/S");
}

static void test_session_sockets(void)
{
	g_autofree char *got = sockets_of("socle:///session?mode=direct", true);

	g_assert_true(g_str_has_prefix(got, "/rt/socle/socled-sock "));
}

/* Who says nothing: ours, then libvirt's; root also has a session. */
static void test_chosen_sockets(void)
{
	g_autofree char *got = sockets_of(NULL, false);

	if (geteuid() == 0)
		g_assert_cmpstr(got, ==,
				"/run/socle/socled-sock /rt/socle/socled-sock "
				"/run/libvirt/virtsocled-sock /run/libvirt/libvirt-sock "
				"/run/libvirt/virtqemud-sock /run/libvirt/libvirt-sock");
	else
		g_assert_true(g_str_has_prefix(got, "/rt/socle/socled-sock /rt/libvirt/"));
}

/* == ssh == */

static void assert_words(const char *text, bool readonly, const char *want)
{
	autoptr(uri) uri = uri_parse(text, NULL);
	g_auto(GStrv) words = NULL;
	g_autofree char *got = NULL;

	g_assert_nonnull(uri);
	words = dial_ssh_words(uri, readonly);
	/* All but the last, which is the command. */
	g_free(words[g_strv_length(words) - 1]);
	words[g_strv_length(words) - 1] = NULL;
	got = g_strjoinv(" ", words);
	g_assert_cmpstr(got, ==, want);
}

static void test_ssh_words(void)
{
	assert_words("qemu+ssh://host/system", false, "ssh -T -e none -- host");
	assert_words("qemu+ssh://root@host:22/system?keyfile=/k&no_tty=1&no_verify=1", false,
		     "ssh -p 22 -l root -i /k -o BatchMode=yes -o NumberOfPasswordPrompts=0 "
		     "-o StrictHostKeyChecking=no -T -e none -- host");
	assert_words("qemu+ssh://h/system?known_hosts_verify=auto", false,
		     "ssh -o StrictHostKeyChecking=accept-new -T -e none -- h");
	assert_words("qemu+ssh://h/system?known_hosts_verify=ignore", false,
		     "ssh -o StrictHostKeyChecking=no -T -e none -- h");
	assert_words("qemu+ssh://-oProxyCommand=x/system?command=/my/ssh", false,
		     "/my/ssh -T -e none -- -oProxyCommand=x");
}

/* What the other host's shell makes of the command: its words, by a shell's own rules. */
static char *script_of(const char *text, bool readonly)
{
	autoptr(uri) uri = uri_parse(text, NULL);
	g_auto(GStrv) words = dial_ssh_words(uri, readonly);
	g_auto(GStrv) argv = NULL;
	int argc = 0;

	g_assert_true(g_shell_parse_argv(words[g_strv_length(words) - 1], &argc, &argv, NULL));
	g_assert_cmpint(argc, ==, 3);
	g_assert_cmpstr(argv[0], ==, "sh");
	g_assert_cmpstr(argv[1], ==, "-c");
	return g_strdup(argv[2]);
}

static void test_ssh_script(void)
{
	g_autofree char *both = script_of("qemu+ssh://h/system", true);
	g_autofree char *socket =
		script_of("qemu+ssh://h/system?socket=/a%20b'c&netcat=n%20c", false);
	g_autofree char *native = script_of("socle+ssh://h/system?proxy=native", false);
	g_autofree char *netcat = script_of("socle+ssh://h/system?proxy=netcat", true);
	g_autofree char *session = script_of("qemu+ssh://h/session", false);
	g_autofree char *nasty = script_of("qemu+ssh://h/$(touch%20x);'?proxy=native", false);
	g_auto(GStrv) argv = NULL;

	g_assert_nonnull(strstr(both,
				"for h in virt-ssh-helper socle-ssh-helper; do if command -v $h "
				">/dev/null 2>&1; then exec $h -r 'qemu:///system'; fi; done; "));
	g_assert_nonnull(strstr(both, "-U '/run/libvirt/libvirt-sock-ro'"));
	g_assert_nonnull(strstr(socket, "exec 'n c' $q -U '/a b'\\''c'"));
	g_assert_null(strstr(socket, "exec $h"));
	g_assert_nonnull(strstr(native, "for h in socle-ssh-helper virt-ssh-helper;"));
	g_assert_nonnull(strstr(native, "exec $h 'socle:///system'; fi; done; { echo "));
	g_assert_null(strstr(native, "-U"));
	g_assert_nonnull(strstr(session, "exec $h 'qemu:///session'"));
	g_assert_null(strstr(session, "libvirt-sock"));
	g_assert_nonnull(strstr(netcat, "-U '/run/socle/socled-sock-ro'"));
	g_assert_true(g_shell_parse_argv(nasty, NULL, &argv, NULL));
	g_assert_true(g_strv_contains((const char *const *)argv, "qemu:///$(touch%20x);';"));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_unsetenv("SOCLE_DEFAULT_URI");
	g_unsetenv("LIBVIRT_DEFAULT_URI");
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		g_autofree char *path = g_strdup_printf("/client/uri/good/%zu", i);

		g_test_add_data_func(path, &good[i], test_good);
	}
	g_test_add_func("/client/uri/bad", test_bad);
	g_test_add_func("/client/uri/default", test_default);
	g_test_add_func("/client/uri/sockets", test_sockets);
	g_test_add_func("/client/uri/session-sockets", test_session_sockets);
	g_test_add_func("/client/uri/chosen-sockets", test_chosen_sockets);
	g_test_add_func("/client/uri/ssh-words", test_ssh_words);
	g_test_add_func("/client/uri/ssh-script", test_ssh_script);
	return g_test_run();
}
