/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cli.h - what the commands of socle share: the connection, machines by name, exit status
 *
 * Threads: main only.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "cli/args.h"
#include "cli/output.h"
#include "client/socle.h"

/* man/socle.1 tells them. */
enum cli_status {
	CLI_OK = 0,
	CLI_FAILED = 1,
	CLI_USAGE = 2,
	CLI_NOT_FOUND = 3,
	CLI_NO_CONNECTION = 4,
	CLI_DENIED = 5,
	CLI_WRONG_STATE = 6, /* not running, already running, busy, there is one of that name */
	CLI_LATE = 7,
	CLI_INTERRUPTED = 130, /* as a shell says of Ctrl-C */
};

enum cli_output {
	OUTPUT_TABLE,
	OUTPUT_JSON,
	OUTPUT_NAME,
};

struct cli {
	const char *uri; /* NULL: the library's choice */
	bool readonly, quiet, yes;
	unsigned open_flags; /* enum socle_open_flags, of every connection */
	uint64_t timeout_ms; /* 0: none */
	enum cli_output output;
	struct socle_conn *conn; /* NULL until cli_connect() */
	char *where;             /* the URI for messages, "the default" */
};

/* ---- errors (status.c) ---- */

#define CLIENT_ERROR (cli_client_error_quark())
/* Errors of libsocle; codes are those of enum socle_error_code. */
GQuark cli_client_error_quark(void);
/* Hands @from over to @error, behind "text: " if @fmt is not NULL. False, for callers to return. */
bool cli_fail(GError **error, struct socle_error *from, const char *fmt, ...) G_GNUC_PRINTF(3, 4);
enum cli_status cli_status_of(const GError *error);

/* ---- connection and machines (connect.c) ---- */

bool cli_connect(struct cli *cli, GError **error);
/* What the user has said, by -c or the environment; NULL: nothing. */
const char *cli_given_uri(const struct cli *cli);
/* The URI by which any client of libvirt comes to the same daemon; g_free() it. NULL with an error. */
char *cli_uri(struct cli *cli, GError **error);
/* Extra flags of enum socle_open_flags. */
bool cli_connect_flags(struct cli *cli, unsigned flags, GError **error);
void cli_disconnect(struct cli *cli);
/* Another connection to the same daemon, where the one that there was has ended. */
bool cli_reconnect(struct cli *cli, GError **error);

/* The machine that @word means; for socle_domain_unref(). */
struct socle_domain *cli_machine(struct cli *cli, const char *word, GError **error);
/* All that the words from @first on mean, each once; g_ptr_array of struct socle_domain. */
GPtrArray *cli_machines(struct cli *cli, const struct cli_args *args, unsigned first,
			GError **error);
/* Its name, fit to be shown; g_free() it. */
char *cli_name(const struct socle_domain *dom);
/* Is there a machine that runs? false with an error if not. */
bool cli_must_run(struct socle_domain *dom, GError **error);

/* Is there no machine of that name? false with an error if there is one. */
bool cli_must_be_new(struct cli *cli, const char *name, GError **error);
/* @wanted, or the best type of machines that the daemon offers; NULL with an error (run.c). */
const char *cli_choose_type(struct cli *cli, const char *wanted, GError **error);

/*
 * Do @act to each of the machines, tell "'x' @done" for each, go on after errors; the status is
 * that of the first error. @text: what --output=json calls it.
 */
typedef bool cli_act(struct cli *cli, const struct cli_args *args, struct socle_domain *dom,
		     GError **error);
int cli_each(struct cli *cli, const struct cli_args *args, const char *text, const char *done,
	     cli_act *act, GError **error);
struct table;
/*
 * The end of a command that lists: prints @list for JSON, @table for people, or @none if it is empty.
 * Names alone were printed by the caller. The reference to @list goes.
 */
void cli_out_list(const struct cli *cli, json_t *list, const struct table *table, const char *none);
/* Tell that something is done, unless --quiet or JSON say otherwise. */
void cli_done(const struct cli *cli, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
/* The same for what has a machine and JSON: {"machine", "action", "ok"}. */
void cli_done_machine(const struct cli *cli, struct socle_domain *dom, const char *action,
		      const char *done);

/* Ask a person; true without asking with --yes, or if there is no terminal to ask on. */
bool cli_confirm(const struct cli *cli, const char *question, GError **error);
/* SOCLE_AFFECT_ flags of --live and --config. */
unsigned cli_affect(const struct cli_args *args);
/* A file, or stdin for "-"; bounded. */
char *cli_read_file(const char *path, size_t *ret_len, GError **error);

/* ---- help.c ---- */

void cli_help(void);
void cli_help_noun(const char *noun);
void cli_help_command(const struct cli_command *command);
/* For the man page. */
void cli_help_man(void);

#endif
