/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * io-main.c - socle-io: an image is read and written by commands, for tests and for curious people
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/log.h"
#include "img/img.h"
#include "img/io.h"

static const struct img_option options[] = {
	{ 'c', "cmd", "LINE", "a command; may be given again" },
	{ 'f', "format", "FORMAT", "of the image; must be given if it is to be written to" },
	{ 'r', "read-only", NULL, "do not write to it" },
	{ 's', "snapshot", NULL, "what is written goes to memory, and is forgotten" },
	{ 'n', "nocache", NULL, "as -t none" },
	{ 't', "cache", "CACHE", "writethrough (default): each write is flushed; writeback, ..." },
	{ 'C', "copy-on-read", NULL, "keep what is read from the images behind it" },
	{ 'd', "discard", "MODE", "accepted; space is always given back" },
	{ 'i', "aio", "MODE", "accepted" },
	{ 'k', "native-aio", NULL, "accepted" },
	{ 'm', "misalign", NULL, "accepted" },
	IMG_ROW_OBJECT,
	IMG_ROW_IMAGE_OPTS,
	IMG_ROW_SHARED,
	{ 'V', "version", NULL, "tell the version" },
	{ IMG_OPTION_HELP_MAN, "help-man", NULL, "the same for the manual" },
	{ 0, NULL, NULL, NULL },
};

static const struct img_command program = {
	.name = "socle-io",
	.options = options,
	.max = 1,
	.wanted = "expecting one image file name at most",
};

static void print_help(void)
{
	g_autoptr(GString) rows = g_string_new(NULL);

	img_options_help(options, rows);
	img_out("usage: socle-io [OPTION...] [IMAGE]\n\nRead and write an image by commands: those "
		"of -c, or else the lines of stdin\n\n%s\nCommands:\n",
		rows->str);
	for (unsigned i = 0; io_commands[i]; i++) {
		img_out("  ");
		io_print_usage(io_commands[i]);
	}
}

static void print_man(void)
{
	for (const struct img_option *row = options; row->id; row++) {
		img_out(".TP\n.B ");
		if (row->id < 128)
			img_out("\\-%c, ", row->id);
		img_out("\\-\\-%s%s%s\n%s\n", row->name, row->value ? " " : "",
			row->value ? row->value : "", row->help);
	}
	img_out(".SH COMMANDS\n");
	for (unsigned i = 0; io_commands[i]; i++) {
		const struct io_command *command = io_commands[i];

		img_out(".TP\n.B %s", command->name);
		if (command->alias)
			img_out(", %s", command->alias);
		img_out("\\fR %s\n%s\n", command->arguments ? command->arguments : "",
			command->summary);
	}
}

static bool lines_of_stdin(struct io *io)
{
	g_autofree char *line = NULL;
	size_t room = 0;
	bool ok = true;

	while (!io->quit) {
		img_out("%s> ", img_program());
		(void)fflush(stdout);
		if (getline(&line, &room, stdin) < 0)
			break;
		ok &= io_line(io, line);
	}
	return ok;
}

static bool work(const struct img_args *args, struct io *io)
{
	const unsigned lines = img_args_count(args, 'c');
	const char *path = img_args_word(args, 0);
	bool ok = true;

	if (path && !(io->image_options ? io_open(io, NULL, io->flags, path)
					: io_open(io, path, io->flags, NULL)))
		return false;
	for (unsigned i = 0; i < lines && !io->quit; i++)
		ok &= io_line(io, img_args_nth(args, 'c', i));
	if (!lines)
		ok = lines_of_stdin(io);
	return io_close(io) && ok;
}

static bool start(const struct img_args *args)
{
	struct io io = { .args = args, .format = img_args_value(args, 'f'), .write_through = true };
	const char *cache = img_args_value(args, 't');
	bool ok;

	io.flags = IMAGE_BACKING | (img_args_has(args, 'r') ? 0 : IMAGE_WRITE) |
		   (img_args_has(args, 'U') ? IMAGE_SHARED : 0);
	io.image_options = img_args_has(args, IMG_OPTION_IMAGE_OPTS);
	io.snapshot = img_args_has(args, 's');
	io.copy_on_read = img_args_has(args, 'C');
	if (io.image_options && io.format) {
		img_warn("--image-opts and -f are mutually exclusive");
		return false;
	}
	if (!cache && img_args_has(args, 'n'))
		cache = "none";
	ok = (!cache || io_cache(cache, &io, &io.flags)) && work(args, &io);
	img_name_free(io.name);
	return ok;
}

int main(int argc, char **argv)
{
	g_autoptr(GError) error = NULL;
	autoptr(img_args) args = NULL;
	bool ok = true;

	img_set_program(argc ? argv[0] : "socle-io");
	log_set_program(img_program());
	args = img_args_parse(&program, argv + MIN(argc, 1), &error);
	if (!args) {
		img_warn("%s", error->message);
		(void)fprintf(stderr, "Try '%s --help' for more information\n", img_program());
		return EXIT_FAILURE;
	}
	if (img_args_help(args))
		print_help();
	else if (img_args_has(args, IMG_OPTION_HELP_MAN))
		print_man();
	else if (img_args_has(args, 'V'))
		img_out("socle-io " SOCLE_VERSION "\n");
	else
		ok = start(args);
	if (!img_out_finish(&error)) {
		img_warn("%s", error->message);
		ok = false;
	}
	return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
