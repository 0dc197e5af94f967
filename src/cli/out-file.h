/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * out-file.h - a file that gets what a command has for it: as a whole, or not at all
 *
 * A new file, or one in the place of an old one, is FILE.part until it is complete. What is there and is no
 * plain file itself (a device, a pipe, a link) stays what it is: it is written into.
 *
 * Threads: main.
 */
#ifndef CLI_OUT_FILE_H
#define CLI_OUT_FILE_H

#include <glib.h>
#include <stdbool.h>

struct out_file {
	int fd;
	bool plain;    /* it may have holes, and an end */
	char *written; /* what to call it when it cannot be written */
	char *path;    /* its name when it is complete, NULL: it has that already */
};

bool out_file_open(struct out_file *out, const char *path, GError **error);
/* @ok: it is complete; else what there is of it goes. Return: @ok, and it has its name */
bool out_file_close(struct out_file *out, bool ok, GError **error);

#endif
