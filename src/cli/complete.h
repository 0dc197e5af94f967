/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * complete.h - what may stand where the cursor is, by the tables of the commands
 */
#ifndef CLI_COMPLETE_H
#define CLI_COMPLETE_H

#include <glib.h>

#include "cli/args.h"

struct complete {
	const char *uri, *noun, *pool;     /* as the words before say; or NULL */
	const struct cli_command *command; /* the same */
	GPtrArray *words;                  /* of the command, before the cursor */
	GPtrArray *out;                    /* char *, what is offered; ":file" for files */
	/* Offers machines, snapshots, disks, networks, volumes; NULL: there is nobody to ask. */
	void (*names)(struct complete *complete, enum cli_what what, const char *prefix);
};

/* The last of @words is the one that the cursor is at the end of. */
void complete_words(struct complete *complete, char *const *words, unsigned count);

#endif
