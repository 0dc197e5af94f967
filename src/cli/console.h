/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * console.h - talk to a machine's console until it, or the user, has had enough
 */
#ifndef CLI_CONSOLE_H
#define CLI_CONSOLE_H

#include "cli/cli.h"

enum console_end {
	CONSOLE_LEAVES, /* the machine goes on */
	CONSOLE_ENDS,   /* it goes, too; whoever calls sees to that */
};

struct console_options {
	const char *device; /* alias; NULL: the first one */
	bool force;         /* whoever has it loses it */
	int escape;         /* see struct console_keys */
	bool starts_it;     /* its CPUs are stopped, until the console listens */
	bool *ret_left;     /* NULL, or set: was it the user who ended the talk? */
};

/**
 * console_attach() - talk to the console of a machine that runs
 * @options: NULL: the usual ones
 * @end:     what is told about leaving it
 *
 * Keys are ours if stdin is a terminal; else all bytes are the guest's, and the end of them is not
 * the end of the talk.
 * Return: exit status
 */
int console_attach(struct cli *cli, struct socle_domain *dom, const struct console_options *options,
		   enum console_end end, GError **error);

#endif
