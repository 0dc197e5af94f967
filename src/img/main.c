/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * main.c - socle-img: disk images are made, looked at, changed and converted
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "img/img.h"

static void print_help(void)
{
	img_out("usage: socle-img COMMAND [OPTION...] IMAGE...\n\nCommands:\n");
	for (unsigned i = 0; img_commands[i]; i++)
		img_out("  %-10s %s\n", img_commands[i]->name, img_commands[i]->summary);
	img_out("\n'socle-img COMMAND --help' tells the options of a command.\n"
		"Sizes are bytes, if need be with k, M, G, T, P or E (powers of 1024).\n\n"
		"Supported formats:");
	for (unsigned i = 0; image_formats[i]; i++)
		img_out(" %s", image_formats[i]->format);
	img_out("\n");
}

static void print_command_help(const struct img_command *command)
{
	g_autoptr(GString) rows = g_string_new(NULL);

	img_options_help(command->options, rows);
	img_out("usage: socle-img %s [OPTION...] %s\n\n%s\n\n%s", command->name, command->arguments,
		command->summary, rows->str);
}

/* For the man page: each command with its options. */
static void print_man(void)
{
	for (unsigned i = 0; img_commands[i]; i++) {
		const struct img_command *command = img_commands[i];

		img_out(".TP\n.B %s \\fR[\\fIOPTION\\fR...] \\fI%s\\fR\n%s.\n.RS\n.nf\n",
			command->name, command->arguments, command->summary);
		for (const struct img_option *row = command->options; row->id; row++) {
			if (row->id < 128)
				img_out("\\-%c%s", row->id, row->name ? ", " : "");
			if (row->name)
				img_out("\\-\\-%s", row->name);
			img_out("%s%s: %s\n", row->value ? " " : "", row->value ? row->value : "",
				row->help);
		}
		img_out(".fi\n.RE\n");
	}
}

static int fail(const GError *error, int status)
{
	img_warn("%s", error->message);
	if (g_error_matches(error, SOCLE_ERROR, SOCLE_ERROR_USAGE) && status == EXIT_FAILURE)
		(void)fprintf(stderr, "Try '%s --help' for more information\n", img_program());
	return status;
}

static int run(const struct img_command *command, char **words)
{
	g_autoptr(GError) error = NULL;
	autoptr(img_args) args = img_args_parse(command, words, &error);
	int status = EXIT_SUCCESS;

	if (!args)
		return fail(error, EXIT_FAILURE);
	if (img_args_help(args))
		print_command_help(command);
	else if (!img_target_catch_signals(&error))
		status = EXIT_FAILURE;
	else
		status = command->run(args, &error);
	if (error) {
		img_warn("%s", error->message);
		return status ? status : command->failure;
	}
	if (!img_out_finish(&error))
		return fail(error, command->failure);
	return status;
}

int main(int argc, char **argv)
{
	if (argc)
		img_set_program(argv[0]);
	log_set_program(img_program());
	if (argc < 2) {
		img_warn("not enough arguments");
		(void)fprintf(stderr, "Try '%s --help' for more information\n", img_program());
		return EXIT_FAILURE;
	}
	for (unsigned i = 0; img_commands[i]; i++) {
		if (!strcmp(argv[1], img_commands[i]->name))
			return run(img_commands[i], argv + 2);
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
		print_help();
	} else if (!strcmp(argv[1], "--help-man")) {
		print_man();
	} else if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
		img_out("socle-img " SOCLE_VERSION "\n");
	} else {
		img_warn("there is no command '%s'", argv[1]);
		(void)fprintf(stderr, "Try '%s --help' for more information\n", img_program());
		return EXIT_FAILURE;
	}
	return img_out_finish(NULL) ? EXIT_SUCCESS : EXIT_FAILURE;
}
