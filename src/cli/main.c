/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * main.c - socle: the command line of machines
 */
#include <signal.h>
#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/interrupt.h"

static enum cli_output output_of(const char *word)
{
	if (!g_strcmp0(word, "json"))
		return OUTPUT_JSON;
	return g_strcmp0(word, "name") ? OUTPUT_TABLE : OUTPUT_NAME;
}

static int fail(const GError *error)
{
	enum cli_status status = cli_status_of(error);

	cli_warn("%s", error->message);
	return (int)status;
}

static int run(const struct cli_args *args)
{
	const struct cli_command *command = cli_args_command(args);
	struct cli cli = {
		.uri = cli_args_value(args, "connect"),
		.readonly = cli_args_has(args, "readonly"),
		.quiet = cli_args_has(args, "quiet"),
		.yes = cli_args_has(args, "yes"),
		.output = output_of(cli_args_value(args, "output")),
		.open_flags = command->flags & CLI_BRIEF ? SOCLE_OPEN_BRIEF : 0,
	};
	g_autoptr(GError) error = NULL;
	int status;

	if (!cli_args_seconds(args, "timeout", &cli.timeout_ms, &error))
		return fail(error);
	if (cli.readonly && command->flags & CLI_WRITES) {
		g_autofree char *name = cli_command_name(command);

		cli_warn("'socle %s' changes something, which --readonly does not allow", name);
		return CLI_DENIED;
	}
	status = command->run(&cli, args, &error);
	cli_disconnect(&cli);
	if (error) {
		status = fail(error);
		return interrupted() ? CLI_INTERRUPTED : status;
	}
	if (!cli_out_finish(&error))
		return fail(error);
	return status;
}

static int help(const struct cli_args *args)
{
	const struct cli_command *command = cli_args_command(args);
	g_autoptr(GError) error = NULL;

	if (command)
		cli_help_command(command);
	else if (cli_args_words(args) > 0)
		cli_help_noun(cli_args_word(args, 0));
	else
		cli_help();
	return cli_out_finish(&error) ? CLI_OK : fail(error);
}

int main(int argc, char **argv)
{
	g_autoptr(GError) error = NULL;
	autoptr(cli_args) args = NULL;

	log_set_program("socle");
	/* A reader that has gone is an error of write(), not the end of us with a raw terminal. */
	(void)signal(SIGPIPE, SIG_IGN);
	if (argc == 2 && !strcmp(argv[1], "--help-man")) {
		cli_help_man();
		return cli_out_finish(&error) ? CLI_OK : fail(error);
	}
	args = cli_args_parse(argv + (argc > 0), &error);
	if (!args)
		return fail(error);
	if (cli_args_has(args, "help"))
		return help(args);
	if (cli_args_has(args, "version")) {
		cli_out("socle " SOCLE_VERSION "\n");
		return cli_out_finish(&error) ? CLI_OK : fail(error);
	}
	if (!cli_args_command(args)) {
		cli_warn("no command was given; 'socle --help' lists them");
		return CLI_USAGE;
	}
	return run(args);
}
