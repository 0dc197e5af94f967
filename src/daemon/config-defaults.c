/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * config-defaults.c - what socled does if nobody says anything else: where its files are
 */
#include <unistd.h>

#include "base/account.h"
#include "base/program.h"
#include "base/session.h"
#include "daemon/config-int.h"

enum {
	SESSION_TIMEOUT_S = 120,
	CLIENTS = 5000,
	ANONYMOUS = 50,
	KEEPALIVE_INTERVAL_S = 5,
	KEEPALIVE_COUNT = 5,
	DEADLINE_S = 30,
};

void config_defaults(struct config *config)
{
	config->log = LOG_INFO;
	config->max_clients = CLIENTS;
	config->max_anonymous = ANONYMOUS;
	config->keepalive_interval_s = KEEPALIVE_INTERVAL_S;
	config->keepalive_count = KEEPALIVE_COUNT;
	config->deadline_s = DEADLINE_S;
}

char *config_default_file(const struct config *config, const char *name)
{
	return config->session ? g_build_filename(g_get_user_config_dir(), "socle", name, NULL)
			       : g_build_filename(SOCLE_SYSCONFDIR, "socle", name, NULL);
}

char *config_policy_file(const struct config *config)
{
	return config_default_file(config, "policy.conf");
}

/* Where it should be if it is nowhere: starting a machine tells what is missing. */
static char *find_vm(void)
{
	char *found = program_find("socle-vm");

	return found ? found : g_strdup(SOCLE_BINDIR "/socle-vm");
}

static void fill(char **member, char *value)
{
	if (*member)
		g_free(value);
	else
		*member = value;
}

/* A daemon's folder is "/", or it is where it was started: a path means the same for ever. */
static void make_absolute(char **member)
{
	char *absolute = *member ? g_canonicalize_filename(*member, NULL) : NULL;

	g_free(*member);
	*member = absolute;
}

void config_complete(struct config *config)
{
	g_autofree char *runtime = session_runtime_dir(config->session);

	if (config->state && !config->run)
		config->run = g_build_filename(config->state, "run", NULL);
	if (!config->log_dir && !config->state && !config->session)
		config->log_dir = g_strdup("/var/log/socle");
	fill(&config->run, g_build_filename(runtime, "socle", NULL));
	fill(&config->state, config->session
				     ? g_build_filename(g_get_user_data_dir(), "socle", NULL)
				     : g_strdup("/var/lib/socle"));
	fill(&config->listen, session_socket(config->session, false));
	fill(&config->vm, find_vm());
	fill(&config->log_dir, g_build_filename(config->state, "log", NULL));
	make_absolute(&config->run);
	make_absolute(&config->log_dir);
	make_absolute(&config->state);
	make_absolute(&config->listen);
	make_absolute(&config->vm);
	make_absolute(&config->policy);
	make_absolute(&config->pidfile);
	if (!config->session && !config->socket_group && geteuid() == 0 &&
	    account_group("socle", NULL))
		config->socket_group = g_strdup("socle");
	if (config->listen_tls) {
		fill(&config->tls_ca, g_strdup("/etc/pki/CA/cacert.pem"));
		fill(&config->tls_cert, g_strdup("/etc/pki/libvirt/servercert.pem"));
		fill(&config->tls_key, g_strdup("/etc/pki/libvirt/private/serverkey.pem"));
	}
	if (!config->timeout_given && config->session)
		config->timeout_s = SESSION_TIMEOUT_S;
}
