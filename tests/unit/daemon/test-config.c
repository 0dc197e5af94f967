/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-config.c - the command line of socled, its file, and which of them counts
 */
#include "daemon/config.h"

#include <string.h>

#include "base/error.h"
#include "base/session.h"

/* socled WORDS, separated by spaces; with @text, that is what --config F stands for. */
static bool parse(struct config *config, const char *words, const char *text, GError **error)
{
	g_autofree char *dir = g_dir_make_tmp("test-config-XXXXXX", NULL);
	g_autofree char *path = g_build_filename(dir, "socled.conf", NULL);
	g_autofree char *line = g_strconcat("socled", *words ? " " : "", words,
					    text ? " --config " : NULL, path, NULL);
	g_auto(GStrv) argv = NULL;
	bool ok;

	if (text)
		g_assert_true(g_file_set_contents(path, text, -1, NULL));
	argv = g_strsplit(line, " ", -1);
	ok = config_parse(config, (int)g_strv_length(argv), argv, error);
	if (text)
		g_assert_cmpint(unlink(path), ==, 0);
	g_assert_cmpint(rmdir(dir), ==, 0);
	return ok;
}

static struct config good(const char *words, const char *file)
{
	g_autoptr(GError) error = NULL;
	struct config config;

	if (!parse(&config, words, file, &error))
		g_error("%s", error->message);
	return config;
}

static void test_defaults(void)
{
	struct config config = good("--log warning", NULL);

	g_assert_cmpstr(config.listen, ==, "/run/socle/socled-sock");
	g_assert_cmpstr(config.state, ==, "/var/lib/socle");
	g_assert_cmpstr(config.run, ==, "/run/socle");
	g_assert_cmpint(config.log, ==, LOG_WARNING);
	g_assert_cmpuint(config.timeout_s, ==, 0);
	g_assert_cmpuint(config.max_clients, ==, 5000);
	g_assert_null(config.tls_cert);
	g_assert_true(g_path_is_absolute(config.vm));
	config_release(&config);
}

static void test_session(void)
{
	g_autofree char *sock = session_socket(true, false);
	struct config config = good("--session", NULL);

	g_assert_cmpstr(config.listen, ==, sock);
	g_assert_cmpuint(config.timeout_s, ==, 120);
	config_release(&config);
	config = good("--session --timeout 0", NULL);
	g_assert_cmpuint(config.timeout_s, ==, 0);
	config_release(&config);
}

/* Relative names are those of the folder where it was started. */
static void test_paths(void)
{
	g_autofree char *here = g_get_current_dir();
	g_autofree char *state = g_build_filename(here, "st", NULL);
	g_autofree char *run = g_build_filename(here, "st/run", NULL);
	struct config config = good("--state st --listen=/x/sock", NULL);

	g_assert_cmpstr(config.state, ==, state);
	g_assert_cmpstr(config.run, ==, run);
	g_assert_cmpstr(config.listen, ==, "/x/sock");
	config_release(&config);
}

static void test_file(void)
{
	static const char text[] = "# a comment\n[socled]\nlog = debug\nmax-clients=7\n"
				   "libvirt-sockets = yes\nauth-rw=polkit\nstate = /from/file\n"
				   "tls-allowed-dn = CN=a,O=b;CN=c*\nlisten-tls = [::]:16514\n";
	struct config config = good("--state /from/line --max-clients 9", text);

	g_assert_cmpint(config.log, ==, LOG_DEBUG);
	g_assert_cmpuint(config.max_clients, ==, 9);
	g_assert_true(config.libvirt_sockets);
	g_assert_cmpint(config.auth_rw, ==, CONFIG_AUTH_POLKIT);
	g_assert_cmpint(config.auth_ro, ==, CONFIG_AUTH_NONE);
	g_assert_cmpstr(config.state, ==, "/from/line");
	g_assert_cmpstr(config.tls_allowed_dn, ==, "CN=a,O=b;CN=c*");
	g_assert_cmpstr(config.tls_ca, ==, "/etc/pki/CA/cacert.pem");
	config_release(&config);
	config = good("", "");
	config_release(&config);
}

static void test_actions(void)
{
	struct config config = good("--help --nothing", NULL);
	g_autofree char *help = config_help(), *man = config_man();

	g_assert_cmpint(config.action, ==, CONFIG_HELP);
	config_release(&config);
	config = good("--version", NULL);
	g_assert_cmpint(config.action, ==, CONFIG_VERSION);
	config_release(&config);
	g_assert_nonnull(strstr(help, "--listen-tls ADDRESS:PORT\n"));
	g_assert_null(strstr(help, "help-man"));
	g_assert_nonnull(strstr(man, ".TP\n.B \\-\\-max\\-clients \\fIN\\fR\n"));
	g_assert_null(strstr(man, "help\\-man"));
}

static void test_mistakes(void)
{
	static const struct {
		const char *words, *file, *says;
	} cases[] = {
		{ "--nothing", NULL, "unknown option '--nothing'" },
		{ "word", NULL, "unexpected argument 'word'" },
		{ "--state", NULL, "--state needs a value: --state DIR" },
		{ "--state=", NULL, "--state: it is empty; give DIR" },
		{ "--session=yes", NULL, "--session takes no value" },
		{ "--log loud", NULL, "--log: 'loud' is none of warning|info|debug" },
		{ "--timeout -1", NULL, "--timeout: '-1' is not a number from 0 to 1000000" },
		{ "--max-clients 0", NULL, "'0' is not a number from 1 to" },
		{ "--listen-tcp 0.0.0.0:16509", NULL, "an address of loopback" },
		{ "--listen-tcp [::]:16509", NULL, "an address of loopback" },
		{ "--session --auth-rw polkit", NULL, "polkit is not asked" },
		{ "--config /nonexistent", NULL, "'/nonexistent': No such file" },
		{ "", "[socled]\nstat=x\n", "there is no key 'stat'" },
		{ "", "[socled]\nsession=yes\n", "there is no key 'session' for a file" },
		{ "", "[socled]\nlibvirt-sockets=maybe\n",
		  "key 'libvirt-sockets': 'maybe' is neither yes nor no" },
		{ "", "[socled]\nmax-clients=many\n", "key 'max-clients': 'many' is not a number" },
		{ "", "[libvirt]\nx=y\n", "there is no group [libvirt]" },
		{ "", "log=debug\n", "socled.conf': " },
		{ "", "[socled]\nstate=\n", "it is empty" },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		struct config config;

		g_test_message("%s %s", cases[i].words, cases[i].file);
		g_assert_false(parse(&config, cases[i].words, cases[i].file, &error));
		if (!strstr(error->message, cases[i].says))
			g_error("'%s' is not in '%s'", cases[i].says, error->message);
	}
}

int main(int argc, char **argv)
{
	/* Before the first question: GLib keeps the answers. */
	g_assert_true(g_setenv("XDG_CONFIG_HOME", "/nonexistent", TRUE));
	g_assert_true(g_setenv("XDG_RUNTIME_DIR", "/tmp", TRUE));
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/config/defaults", test_defaults);
	g_test_add_func("/config/session", test_session);
	g_test_add_func("/config/paths", test_paths);
	g_test_add_func("/config/file", test_file);
	g_test_add_func("/config/actions", test_actions);
	g_test_add_func("/config/mistakes", test_mistakes);
	return g_test_run();
}
