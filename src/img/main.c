/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * main.c - socle-img: disk images
 */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "img/img.h"

static const struct img_command commands[] = {
	{ "amend", "FILE", "change options of an image", img_amend },
	{ "bench", "FILE", "measure how fast an image is", img_bench },
	{ "check", "FILE", "look for what is wrong with an image, and mend it", img_check },
	{ "commit", "FILE", "write an image's changes to the one behind it", img_commit },
	{ "compare", "FILE1 FILE2", "tell whether two images have the same contents", img_compare },
	{ "convert", "FILE... TARGET", "copy an image into another format", img_convert },
	{ "create", "FILE [SIZE]", "make an image", img_create },
	{ "dd", "if=FILE of=FILE [bs=SIZE] [count=N] [skip=N]", "copy a part of an image", img_dd },
	{ "doctor", "FILE", "explain what is wrong with an image, and mend it", img_doctor },
	{ "export", "FILE", "serve an image to NBD clients", img_export },
	{ "info", "FILE", "tell what an image is", img_info },
	{ "map", "FILE", "tell where the data of an image is", img_map },
	{ "measure", "[FILE]", "tell how large an image would become", img_measure },
	{ "rebase", "FILE", "put another image behind an image", img_rebase },
	{ "resize", "FILE [+|-]SIZE", "make an image larger or smaller", img_resize },
	{ "snapshot", "FILE", "list, make, apply or delete internal snapshots", img_snapshot },
};

static void help(void)
{
	g_autoptr(GString) formats = g_string_new(NULL);

	printf("usage: socle-img COMMAND [OPTION...] [ARGUMENT...]\n\n"
	       "Disk images: make, look at, check, convert, and change them.\n\ncommands:\n");
	for (size_t i = 0; i < G_N_ELEMENTS(commands); i++)
		printf("  %-9s %s\n", commands[i].name, commands[i].summary);
	for (unsigned i = 0; image_formats[i]; i++)
		g_string_append_printf(formats, " %s", image_formats[i]->format);
	printf("\nsocle-img COMMAND --help tells the options of a command.\n"
	       "formats:%s\n",
	       formats->str);
}

int main(int argc, char **argv)
{
	log_set_program("socle-img");
	if (argc < 2)
		return img_fail_text("there is no command; socle-img --help lists them");
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
		help();
		return IMG_OK;
	}
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
		printf("socle-img %s\n", SOCLE_VERSION);
		return IMG_OK;
	}
	for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) {
		if (!strcmp(argv[1], commands[i].name))
			return commands[i].run(&commands[i], argc - 1, argv + 1);
	}
	return img_fail_text("there is no command '%s'; socle-img --help lists them", argv[1]);
}
