/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * config-int.h - the table of options
 */
#ifndef DAEMON_CONFIG_INT_H
#define DAEMON_CONFIG_INT_H

#include <stddef.h>

#include "daemon/config.h"

enum config_kind {
	CONFIG_TEXT,   /* char *, not empty */
	CONFIG_FLAG,   /* bool; yes or no in the file */
	CONFIG_NUMBER, /* unsigned, from min to max */
	CONFIG_WORD,   /* an enum, of the words */
	CONFIG_DO,     /* enum config_action, in min; hidden if it has no help */
};

struct config_option {
	const char *name;
	const char *value; /* what --help calls the value; NULL: takes none */
	const char *help;  /* one sentence for --help and the man page */
	const char *more;  /* further sentences for the man page, or NULL */
	enum config_kind kind;
	size_t member; /* offset in struct config */
	unsigned min, max;
	const char *const *words;
	bool no_file; /* only for the command line */
};

extern const struct config_option config_options[];
extern const unsigned config_option_count;

/* What nobody said: by session or system. [config-defaults.c] */
void config_defaults(struct config *config);
void config_complete(struct config *config);
/* The default's path of a file: "socled.conf". */
char *config_default_file(const struct config *config, const char *name);

#endif
