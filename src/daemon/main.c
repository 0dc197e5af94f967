/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * main.c - socled: the machines of a host, for libvirt's clients
 */
#include <stdio.h>

#include "base/error.h"
#include "base/log.h"
#include "daemon/config.h"
#include "daemon/daemon.h"

static int fail(const GError *error)
{
	(void)fprintf(stderr, "socled: %s\n", error->message);
	return g_error_matches(error, SOCLE_ERROR, SOCLE_ERROR_BUSY) ? DAEMON_EXIT_OTHER
								     : DAEMON_EXIT_ERROR;
}

/* Print @text, for g_free(); a full disk behind stdout is an error too. */
static int print(char *text)
{
	bool ok = fputs(text, stdout) >= 0 && fflush(stdout) == 0;

	g_free(text);
	if (!ok)
		(void)fputs("socled: cannot write to stdout\n", stderr);
	return ok ? DAEMON_EXIT_OK : DAEMON_EXIT_ERROR;
}

static int run(const struct config *config)
{
	g_autoptr(GError) error = NULL;
	autoptr(daemon) daemon = daemon_new(config, &error);

	if (!daemon)
		return fail(error);
	daemon_run(daemon);
	return DAEMON_EXIT_OK;
}

int main(int argc, char **argv)
{
	g_autoptr(GError) error = NULL;
	struct config config;
	int status = DAEMON_EXIT_OK;

	log_set_program("socled");
	log_set_journal();
	if (!config_parse(&config, argc, argv, &error)) {
		(void)fprintf(stderr, "socled: %s\n", error->message);
		return DAEMON_EXIT_ERROR;
	}
	log_set_level(config.log);
	switch (config.action) {
	case CONFIG_HELP:
		status = print(config_help());
		break;
	case CONFIG_MAN:
		status = print(config_man());
		break;
	case CONFIG_VERSION:
		status = print(g_strdup("socled " SOCLE_VERSION "\n"));
		break;
	case CONFIG_RUN:
		status = run(&config);
		break;
	}
	config_release(&config);
	return status;
}
