/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * io-shell.c - socle-io's commands: the table, and how a line becomes one of them
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "img/img.h"
#include "img/io.h"

enum {
	MAX_WORDS = 4096,
};

const struct io_command *const io_commands[] = {
	&io_command_abort,
	&io_command_aio_flush,
	&io_command_aio_read,
	&io_command_aio_write,
	&io_command_alloc,
	&io_command_close,
	&io_command_discard,
	&io_command_flush,
	&io_command_help,
	&io_command_info,
	&io_command_length,
	&io_command_map,
	&io_command_open,
	&io_command_quit,
	&io_command_read,
	&io_command_readv,
	&io_command_reopen,
	&io_command_sigraise,
	&io_command_sleep,
	&io_command_truncate,
	&io_command_write,
	&io_command_writev,
	NULL,
};

bool io_fail(GError *error)
{
	img_warn("%s", error->message);
	g_error_free(error);
	return false;
}

static const struct io_command *find(const char *name)
{
	for (unsigned i = 0; io_commands[i]; i++) {
		if (!strcmp(io_commands[i]->name, name) || !g_strcmp0(io_commands[i]->alias, name))
			return io_commands[i];
	}
	return NULL;
}

void io_print_usage(const struct io_command *command)
{
	img_out("%s%s%s -- %s\n", command->name, command->arguments ? " " : "",
		command->arguments ? command->arguments : "", command->summary);
}

/* The command's options and words; @argv is sorted: options first. */
static bool parse(const struct io_command *command, int argc, char **argv, struct io_words *words)
{
	int letter;

	*words = (struct io_words){ .count = 0 };
	optind = 0; /* from the start, and without the state of the last command */
	opterr = 0;
	while ((letter = getopt(argc, argv, command->letters)) != -1) {
		if (letter == '?' || letter >= (int)ARRAY_SIZE(words->option))
			return false;
		words->option[letter] = optarg ? optarg : "";
	}
	words->word = argv + optind;
	words->count = argc - optind;
	return true;
}

static bool check_count(const struct io_command *command, const struct io_words *words)
{
	const int min = command->min, max = command->max;

	if (words->count >= min && (max < 0 || words->count <= max))
		return true;
	if (max < 0)
		img_warn("bad argument count %d to %s, expected at least %d arguments",
			 words->count, command->name, min);
	else if (min == max)
		img_warn("bad argument count %d to %s, expected %d arguments", words->count,
			 command->name, min);
	else
		img_warn("bad argument count %d to %s, expected between %d and %d arguments",
			 words->count, command->name, min, max);
	return false;
}

static bool run(struct io *io, int argc, char **argv)
{
	const struct io_command *command = find(argv[0]);
	struct io_words words;

	if (!command) {
		img_warn("command \"%s\" not found; 'help' lists those there are", argv[0]);
		return false;
	}
	if (!command->no_image && !io->image) {
		(void)fflush(stdout);
		(void)fputs("no file open, try 'help open'\n", stderr);
		return false;
	}
	if (!parse(command, argc, argv, &words)) {
		io_print_usage(command);
		return false;
	}
	if (!check_count(command, &words))
		return false;
	if (command->writes && !(io->image->flags & IMAGE_WRITE)) {
		img_warn("Block node is read-only");
		return false;
	}
	return command->run(io, &words);
}

bool io_line(struct io *io, const char *line)
{
	g_auto(GStrv) parts = g_strsplit_set(line, " \t\r\n", MAX_WORDS);
	g_autofree char **argv = g_new0(char *, g_strv_length(parts) + 1);
	int argc = 0;

	for (unsigned i = 0; parts[i]; i++) {
		if (*parts[i])
			argv[argc++] = parts[i];
	}
	return !argc || run(io, argc, argv);
}

bool io_help(struct io *io, const struct io_words *words)
{
	const struct io_command *command = words->count ? find(words->word[0]) : NULL;

	(void)io;
	if (words->count && !command) {
		img_warn("command \"%s\" not found; 'help' lists those there are", words->word[0]);
		return false;
	}
	for (unsigned i = 0; io_commands[i]; i++) {
		if (!command || command == io_commands[i])
			io_print_usage(io_commands[i]);
	}
	return true;
}
