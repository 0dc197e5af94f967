/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * config.h - what socled is told by its command line and its file
 *
 * One array has the options: it is what is parsed, what the file may have in its group [socled], what
 * --help prints and what the man page lists. The command line overrides the file.
 */
#ifndef DAEMON_CONFIG_H
#define DAEMON_CONFIG_H

#include <glib.h>
#include <stdbool.h>

#include "base/log.h"

enum config_action {
	CONFIG_RUN,
	CONFIG_HELP,
	CONFIG_VERSION,
	CONFIG_MAN, /* the man page's list of options; for the build */
};

enum config_auth {
	CONFIG_AUTH_NONE,
	CONFIG_AUTH_POLKIT,
};

struct config {
	enum config_action action;
	bool session;
	char *file;   /* NULL: the default, if it is there */
	char *policy; /* the same */

	/* Never NULL once config_complete() was called. */
	char *listen;      /* the socket; its read-only twin has "-ro" behind */
	char *state, *run; /* folders */
	char *log_dir;     /* of what machines say */
	char *vm;          /* the path of socle-vm */

	char *pidfile;      /* or NULL */
	char *socket_group; /* or NULL */
	char *listen_tls, *listen_tcp;
	char *tls_ca, *tls_cert, *tls_key, *tls_crl;
	char *tls_allowed_dn; /* patterns with a semicolon between them, or NULL */
	char *machine_user;   /* whom machines belong to, or NULL */
	enum config_auth auth_rw, auth_ro;
	enum log_level log;
	bool libvirt_sockets;
	unsigned timeout_s; /* without clients and machines; 0: never ends by itself */
	bool timeout_given;
	unsigned max_clients, max_anonymous;
	unsigned keepalive_interval_s, keepalive_count;
	unsigned deadline_s;
};

/**
 * config_parse() - read a command line, and the file that it names or that is there
 * @ret_config: on success config_release() is the caller's
 * @error:      one sentence that names cause and remedy
 */
bool config_parse(struct config *ret_config, int argc, char **argv, GError **error);
void config_release(struct config *config);

/* The file of rules if nobody names one, which need not exist; g_free() it. */
char *config_policy_file(const struct config *config);

/* The text of --help, and the options in roff; g_free() it. */
char *config_help(void);
char *config_man(void);

#endif
