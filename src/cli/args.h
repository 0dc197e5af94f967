/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * args.h - commands of socle and their words: one table is parser, help, manual, completion
 *
 * Threads: main only.
 */
#ifndef CLI_ARGS_H
#define CLI_ARGS_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"

struct cli;
struct cli_args;

/* What a word stands for; shells are offered such. */
enum cli_what {
	CLI_NOTHING,
	CLI_TEXT,
	CLI_FILE,
	CLI_MACHINE,
	CLI_RUNNING, /* a machine that runs */
	CLI_STOPPED, /* one that does not */
	CLI_TEMPLATE,
	CLI_SNAPSHOT, /* of the machine that is named before it */
	CLI_DISK,     /* the same */
	CLI_NETWORK,
	CLI_POOL,
	CLI_VOLUME, /* of --pool, or POOL/NAME */
	CLI_SECRET,
	CLI_COMMAND,
};

struct cli_option {
	const char *name;  /* the long form; NULL ends a table */
	char letter;       /* or 0 */
	const char *value; /* what stands behind it; NULL: nothing; "a|b": one of these */
	enum cli_what what;
	const char *help;
};

enum {
	CLI_ANY_NUMBER = 1000, /* of words */
};

enum cli_flags {
	CLI_WRITES = 1 << 0, /* changes something: not with --readonly */
	CLI_LOCAL = 1 << 1,  /* may go without a daemon */
	CLI_HIDDEN = 1 << 2, /* for scripts of ours, not for people */
	CLI_BARE = 1 << 3,   /* the verb goes without its noun */
	CLI_BRIEF = 1 << 4,  /* makes its calls one behind the other, and waits for nobody else */
};

struct cli_command {
	const char *noun;      /* as in "vm start", or NULL */
	const char *verb;      /* "start" */
	const char *names;     /* other names in one word, with spaces between; or NULL */
	const char *arguments; /* for people */
	const char *summary;
	const struct cli_option *options; /* or NULL */
	enum cli_what what[3]; /* of its words; the last but CLI_NOTHING goes for the rest */
	unsigned min, max;     /* words */
	unsigned flags;
	/* The exit status; with @error set it is that of the error. */
	int (*run)(struct cli *cli, const struct cli_args *args, GError **error);
};

/* All commands, the last one followed by NULL; and what all of them take. */
extern const struct cli_command *const cli_commands[];
extern const struct cli_option cli_global_options[];

/* "a|b|c" in small letters are choices; a word in capitals is a name for anything. */
bool cli_is_choice(const char *value);

/* "vm start" as words; *ret_used of them name the command. NULL with an error if none is meant. */
const struct cli_command *cli_command_find(char *const *words, unsigned *ret_used, GError **error);
/* "vm start" or "top"; g_free() it. */
char *cli_command_name(const struct cli_command *command);
/* Words that may follow "socle", or @noun; a GPtrArray of const char *. */
GPtrArray *cli_command_words(const char *noun);
bool cli_is_noun(const char *word);

/**
 * cli_args_parse() - what stands on the command line behind "socle"
 *
 * Options may stand before, within and behind the words of the command.
 * Return: NULL with an error of kind USAGE; cli_args_command() is NULL if no command was named.
 */
struct cli_args *cli_args_parse(char **words, GError **error);
void cli_args_free(struct cli_args *args);
DEFINE_AUTOPTR(cli_args, cli_args_free);

const struct cli_command *cli_args_command(const struct cli_args *args);
/* @name must be one that the tables have. */
bool cli_args_has(const struct cli_args *args, const char *name);
/* The value that it was given last, NULL if it was not. */
const char *cli_args_value(const struct cli_args *args, const char *name);
/* All of its values, in order: the @n-th, or NULL. */
const char *cli_args_nth(const struct cli_args *args, const char *name, unsigned n);
unsigned cli_args_words(const struct cli_args *args);
/* NULL if there is none. */
const char *cli_args_word(const struct cli_args *args, unsigned n);

/* A number between these; *ret stays what it is if the option was not given. */
bool cli_args_number(const struct cli_args *args, const char *name, uint64_t min, uint64_t max,
		     uint64_t *ret, GError **error);
/* Seconds with a fraction, as milliseconds. */
bool cli_args_seconds(const struct cli_args *args, const char *name, uint64_t *ret_ms,
		      GError **error);
/* Bytes from "512M"; a bare number counts in @unit. @what stands in the message. */
bool cli_parse_size(const char *what, const char *text, uint64_t unit, uint64_t *ret_bytes,
		    GError **error);

#endif
