/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * dial-program.c - to a daemon by a program that talks to it: ssh, or one that the user names
 *
 * No shell of this host sees any word. On the other host sshd gives the command to the user's shell, of
 * whatever make; so that command is "sh -c" with one quoted word.
 */
#include "client/dial-int.h"

#include <string.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/sys.h"

enum {
	SAID_MAX = 65536 /* bytes */
};

/* The socket that netcat is to connect to, on the other host. */
static char *remote_socket(const struct uri *uri, bool readonly)
{
	const char *end = readonly ? "-ro" : "";

	if (uri->socket)
		return g_strdup(uri->socket);
	if (!strcmp(uri->scheme, "socle"))
		return g_strdup_printf("/run/socle/socled-sock%s", end);
	if (uri->mode == URI_MODE_DIRECT)
		return g_strdup_printf("/run/libvirt/virt%sd-sock%s", uri->scheme, end);
	return g_strdup_printf("/run/libvirt/libvirt-sock%s", end);
}

/* What ends the script with a sentence, for who reads it here. */
static char *refuse(const char *text)
{
	g_autofree char *quoted = g_shell_quote(text);

	return g_strdup_printf("{ echo %s >&2; exit 127; }", quoted);
}

/* Some netcats must be told to end when we do. */
static char *netcat_script(const struct uri *uri, bool readonly)
{
	g_autofree char *socket = remote_socket(uri, readonly);
	g_autofree char *program = g_shell_quote(uri->netcat ? uri->netcat : "nc");
	g_autofree char *quoted = g_shell_quote(socket);
	g_autofree char *missing = refuse("there is no socle-ssh-helper, virt-ssh-helper or netcat "
					  "on that host that could lead to its daemon");
	g_autofree char *no_session =
		refuse("the daemon of a session is reached by socle-ssh-helper "
		       "or virt-ssh-helper on that host, or by ?socket=PATH");

	/* Where that socket is only the far side knows; the system's is another daemon. */
	if (uri->session && !uri->socket)
		return g_steal_pointer(&no_session);
	return g_strdup_printf(
		"command -v %s >/dev/null 2>&1 || %s; q=; if %s -q 2>&1 | grep "
		"'requires an argument' >/dev/null; then q=-q0; fi; exec %s $q -U %s",
		program, missing, program, program, quoted);
}

/* Whichever is there, ours first for machines of ours. */
static char *helper_script(const struct uri *uri, bool readonly)
{
	bool ours = !strcmp(uri->scheme, "socle");
	g_autofree char *quoted = g_shell_quote(uri->name);

	return g_strdup_printf(
		"for h in %s; do if command -v $h >/dev/null 2>&1; then exec $h %s%s; "
		"fi; done; ",
		ours ? "socle-ssh-helper virt-ssh-helper" : "virt-ssh-helper socle-ssh-helper",
		readonly ? "-r " : "", quoted);
}

static char *remote_command(const struct uri *uri, bool readonly)
{
	g_autofree char *netcat = netcat_script(uri, readonly);
	g_autofree char *helper = helper_script(uri, readonly);
	g_autofree char *none =
		refuse("there is no socle-ssh-helper or virt-ssh-helper on that host, "
		       "which ?proxy=native wants");
	g_autofree char *script = NULL, *quoted = NULL;
	/* The helper looks for the socket by itself. */
	bool no_helper = uri->proxy == URI_PROXY_NETCAT || uri->socket || uri->netcat;

	if (uri->proxy == URI_PROXY_NATIVE)
		script = g_strconcat(helper, none, NULL);
	else if (no_helper)
		script = g_steal_pointer(&netcat);
	else
		script = g_strconcat(helper, netcat, NULL);
	quoted = g_shell_quote(script);
	return g_strdup_printf("sh -c %s", quoted);
}

static void add(GPtrArray *words, const char *a, const char *b)
{
	g_ptr_array_add(words, g_strdup(a));
	if (b)
		g_ptr_array_add(words, g_strdup(b));
}

char **dial_ssh_words(const struct uri *uri, bool readonly)
{
	GPtrArray *words = g_ptr_array_new();
	g_autofree char *port = g_strdup_printf("%u", uri->port);
	g_autofree char *command = remote_command(uri, readonly);

	add(words, uri->command ? uri->command : "ssh", NULL);
	if (uri->port)
		add(words, "-p", port);
	if (uri->user)
		add(words, "-l", uri->user);
	if (uri->keyfile)
		add(words, "-i", uri->keyfile);
	if (uri->no_tty) {
		add(words, "-o", "BatchMode=yes");
		add(words, "-o", "NumberOfPasswordPrompts=0");
	}
	if (uri->no_verify || uri->known_hosts == URI_KNOWN_HOSTS_IGNORE)
		add(words, "-o", "StrictHostKeyChecking=no");
	else if (uri->known_hosts == URI_KNOWN_HOSTS_AUTO)
		add(words, "-o", "StrictHostKeyChecking=accept-new");
	/* Neither a terminal nor a key that ends it; and a host's name is no option. */
	add(words, "-T", NULL);
	add(words, "-e", "none");
	add(words, "--", uri->host);
	add(words, command, NULL);
	g_ptr_array_add(words, NULL);
	return (char **)g_ptr_array_free(words, FALSE);
}

struct transport *dial_program(const struct uri *uri, bool readonly, GError **error)
{
	g_auto(GStrv) words = NULL;
	autofd int ours = -1, theirs = -1, said = -1;
	int fds[2], rc;

	if (uri->way == URI_SSH)
		words = dial_ssh_words(uri, readonly);
	else
		words = g_strsplit(uri->command, "\n", -1);
	rc = sys_socketpair(AF_UNIX, SOCK_STREAM, fds);
	if (rc < 0) {
		error_sys(error, rc, "cannot make a socket pair for '%s'", words[0]);
		return NULL;
	}
	ours = fds[0];
	theirs = fds[1];
	/* What it says is told if it fails. A file never makes it wait, and this one does not grow,
	 * whatever the far side has to say. */
	said = sys_memfd_fixed("socle-ssh", SAID_MAX);
	if (said < 0) {
		error_sys(error, said, "cannot make a file for what '%s' says", words[0]);
		return NULL;
	}
	/* GLib puts a process between: nobody has to wait for its end, which our hanging up brings. */
	if (!g_spawn_async_with_pipes_and_fds(NULL, (const char *const *)words, NULL,
					      G_SPAWN_SEARCH_PATH, NULL, NULL, theirs, theirs, said,
					      NULL, NULL, 0, NULL, NULL, NULL, NULL, error)) {
		g_prefix_error(error, "cannot run '%s': ", words[0]);
		return NULL;
	}
	return transport_new_program(fd_steal(&ours), fd_steal(&said), uri->way == URI_SSH);
}
