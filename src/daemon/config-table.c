/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * config-table.c - the options of socled, and what is printed about them
 */
#include <string.h>

#include "base/cleanup.h"
#include "daemon/config-int.h"

static const char *const log_words[] = { "warning", "info", "debug", NULL };
static const char *const auth_words[] = { "none", "polkit", NULL };

#define AT(member) offsetof(struct config, member)

/* In the order of --help. */
const struct config_option config_options[] = {
	{ "session", NULL, "Serve this user's own machines, not those of the system.",
	  "Needs no rights but the user's. A client starts such a daemon when it needs one.",
	  CONFIG_FLAG, AT(session), 0, 0, NULL, true },
	{ "config", "FILE", "Read this file (default /etc/socle/socled.conf).",
	  "A session has ~/.config/socle/socled.conf. The default need not exist. See FILES below.",
	  CONFIG_TEXT, AT(file), 0, 0, NULL, true },
	{ "listen", "PATH", "The socket for clients; PATH-ro is for those that only read.",
	  "The default is /run/socle/socled-sock, or $XDG_RUNTIME_DIR/socle/socled-sock in a "
	  "session.",
	  CONFIG_TEXT, AT(listen), 0, 0, NULL, false },
	{ "state", "DIR", "Keep definitions here (default /var/lib/socle).",
	  "A session has ~/.local/share/socle. One daemon at a time uses a folder.", CONFIG_TEXT,
	  AT(state), 0, 0, NULL, false },
	{ "run", "DIR", "Keep what a restart of the host ends here (default /run/socle).",
	  "A session has $XDG_RUNTIME_DIR/socle. If --state is given, the default is its folder "
	  "run.",
	  CONFIG_TEXT, AT(run), 0, 0, NULL, false },
	{ "log-dir", "DIR", "Keep what machines say here (default /var/log/socle).",
	  "A session, or a daemon with --state, has the folder log there.", CONFIG_TEXT,
	  AT(log_dir), 0, 0, NULL, false },
	{ "vm", "PATH", "The program that runs a machine (default: socle-vm beside socled).", NULL,
	  CONFIG_TEXT, AT(vm), 0, 0, NULL, false },
	{ "machine-user", "NAME", "Run the system's machines as this user.",
	  "Images that only root may open are lent to it by their access control lists while a "
	  "machine needs them; it has to be let through by folders, and what is behind an overlay "
	  "has to "
	  "be readable by it.",
	  CONFIG_TEXT, AT(machine_user), 0, 0, NULL, false },
	{ "policy", "FILE", "Who may do what (default /etc/socle/policy.conf).",
	  "Without such a file the permissions of the sockets decide. It is read again at SIGHUP. "
	  "See POLICY below.",
	  CONFIG_TEXT, AT(policy), 0, 0, NULL, false },
	{ "socket-group", "NAME", "Let this group connect to the system's socket (default socle).",
	  "The default is used if there is such a group; else the socket is root's alone.",
	  CONFIG_TEXT, AT(socket_group), 0, 0, NULL, false },
	{ "auth-rw", "none|polkit", "Whether polkit is asked about clients (default none).",
	  "The action is org.libvirt.unix.manage.", CONFIG_WORD, AT(auth_rw), 0, 0, auth_words,
	  false },
	{ "auth-ro", "none|polkit", "The same for the read-only socket (default none).",
	  "The action is org.libvirt.unix.monitor.", CONFIG_WORD, AT(auth_ro), 0, 0, auth_words,
	  false },
	{ "libvirt-sockets", NULL, "Listen where libvirt's clients look, too.",
	  "On virtqemud-sock and virtsocled-sock in /run/libvirt, or in $XDG_RUNTIME_DIR/libvirt "
	  "for a session, so that qemu:///system and socle:///system need nothing else. What a "
	  "libvirt daemon listens on is left to it.",
	  CONFIG_FLAG, AT(libvirt_sockets), 0, 0, NULL, false },
	{ "listen-tls", "ADDRESS:PORT",
	  "Listen for clients with certificates (libvirt's port is "
	  "16514).",
	  "As in [::]:16514. See TLS below.", CONFIG_TEXT, AT(listen_tls), 0, 0, NULL, false },
	{ "tls-ca", "FILE", "Who signs certificates (default /etc/pki/CA/cacert.pem).", NULL,
	  CONFIG_TEXT, AT(tls_ca), 0, 0, NULL, false },
	{ "tls-cert", "FILE", "Our own (default /etc/pki/libvirt/servercert.pem).", NULL,
	  CONFIG_TEXT, AT(tls_cert), 0, 0, NULL, false },
	{ "tls-key", "FILE", "Its key (default /etc/pki/libvirt/private/serverkey.pem).", NULL,
	  CONFIG_TEXT, AT(tls_key), 0, 0, NULL, false },
	{ "tls-crl", "FILE", "Certificates that were revoked.", NULL, CONFIG_TEXT, AT(tls_crl), 0,
	  0, NULL, false },
	{ "tls-allowed-dn", "PATTERN[;PATTERN...]", "Whose certificates are taken (default all).",
	  "Of distinguished names as in \"CN=admin*,O=Example\"; * and ? stand for others.",
	  CONFIG_TEXT, AT(tls_allowed_dn), 0, 0, NULL, false },
	{ "listen-tcp", "ADDRESS:PORT", "Listen without any protection, on loopback only.",
	  "Everybody on this host can do everything then. For tests.", CONFIG_TEXT, AT(listen_tcp),
	  0, 0, NULL, false },
	{ "timeout", "SECONDS", "End after that long without clients and machines.",
	  "0: never, which is the default, but 120 in a session.", CONFIG_NUMBER, AT(timeout_s), 0,
	  1000000, NULL, false },
	{ "deadline", "SECONDS", "Tell clients after that long that it takes longer (default 30).",
	  "What they wanted goes on.", CONFIG_NUMBER, AT(deadline_s), 1, 3600, NULL, false },
	{ "max-clients", "N", "How many clients there can be (default 5000).",
	  "Half of them from one user, unless it is root or the daemon's own.", CONFIG_NUMBER,
	  AT(max_clients), 1, 100000, NULL, false },
	{ "max-anonymous", "N", "How many of them have not said what they want (default 50).",
	  "One more, and the user that has the most of them loses the oldest.", CONFIG_NUMBER,
	  AT(max_anonymous), 1, 100000, NULL, false },
	{ "keepalive-interval", "SECONDS", "Ask a silent client whether it lives (default 5).",
	  "0: never.", CONFIG_NUMBER, AT(keepalive_interval_s), 0, 3600, NULL, false },
	{ "keepalive-count", "N", "How often before it is given up (default 5).", NULL,
	  CONFIG_NUMBER, AT(keepalive_count), 1, 1000, NULL, false },
	{ "pidfile", "FILE", "Keep the process number in this file while running.", NULL,
	  CONFIG_TEXT, AT(pidfile), 0, 0, NULL, false },
	{ "log", "warning|info|debug", "What is told on stderr (default info).", NULL, CONFIG_WORD,
	  AT(log), 0, 0, log_words, false },
	{ "help", NULL, "Print this text.", NULL, CONFIG_DO, AT(action), CONFIG_HELP, 0, NULL,
	  true },
	{ "version", NULL, "Print the version.", NULL, CONFIG_DO, AT(action), CONFIG_VERSION, 0,
	  NULL, true },
	{ "help-man", NULL, NULL, NULL, CONFIG_DO, AT(action), CONFIG_MAN, 0, NULL, true },
};

const unsigned config_option_count = ARRAY_SIZE(config_options);

char *config_help(void)
{
	GString *text = g_string_new("Usage: socled [OPTION...]\n"
				     "Manage the machines of this host for libvirt's clients.\n\n");

	for (unsigned i = 0; i < config_option_count; i++) {
		const struct config_option *option = &config_options[i];
		g_autofree char *left = g_strconcat("--", option->name, option->value ? " " : "",
						    option->value, NULL);

		if (!option->help)
			continue;
		if (strlen(left) > 22)
			g_string_append_printf(text, "  %s\n%26s%s\n", left, "", option->help);
		else
			g_string_append_printf(text, "  %-22s  %s\n", left, option->help);
	}
	g_string_append(
		text, "\nMachines go on when socled ends, and it finds them again.\n"
		      "Exit status: 0 ended as asked, 1 an error, 3 another socled is there.\n"
		      "\n"
		      "A session's daemon is started by clients: virsh -c \"$(socle uri)\" list\n");
	return g_string_free(text, FALSE);
}

/* Text with what roff would take for its own made harmless. */
static void append_roff(GString *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '\\')
			g_string_append(out, "\\e");
		else if (*text == '-')
			g_string_append(out, "\\-");
		else
			g_string_append_c(out, *text);
	}
	g_string_append_c(out, '\n');
}

char *config_man(void)
{
	GString *out = g_string_new(NULL);

	for (unsigned i = 0; i < config_option_count; i++) {
		const struct config_option *option = &config_options[i];
		g_autofree char *left = g_strconcat("--", option->name, NULL);

		if (!option->help)
			continue;
		g_string_append(out, ".TP\n.B ");
		append_roff(out, left);
		if (option->value) {
			g_string_truncate(out, out->len - 1);
			g_string_append_printf(out, " \\fI%s\\fR\n", option->value);
		}
		append_roff(out, option->help);
		if (option->more)
			append_roff(out, option->more);
	}
	return g_string_free(out, FALSE);
}
