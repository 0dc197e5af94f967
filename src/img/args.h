/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * args.h - the words behind a command of socle-img, by one table that is its help, too
 *
 * Threads: main only.
 */
#ifndef IMG_ARGS_H
#define IMG_ARGS_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"

/* Options without a letter have numbers that are none. */
enum {
	IMG_OPTION_OUTPUT = 256,
	IMG_OPTION_BACKING_CHAIN,
	IMG_OPTION_START_OFFSET,
	IMG_OPTION_MAX_LENGTH,
	IMG_OPTION_SIZE,
	IMG_OPTION_SHRINK,
	IMG_OPTION_PREALLOCATION,
	IMG_OPTION_TARGET_IS_ZERO,
	IMG_OPTION_BITMAPS,
	IMG_OPTION_SALVAGE,
	IMG_OPTION_FLUSH_INTERVAL,
	IMG_OPTION_NO_DRAIN,
	IMG_OPTION_PATTERN,
	IMG_OPTION_MERGE,
	IMG_OPTION_ADD,
	IMG_OPTION_REMOVE,
	IMG_OPTION_CLEAR,
	IMG_OPTION_ENABLE,
	IMG_OPTION_DISABLE,
	IMG_OPTION_FORCE,
	IMG_OPTION_JOURNAL,
	IMG_OPTION_REPAIR,
	IMG_OPTION_SKIP_BROKEN_BITMAPS,
	IMG_OPTION_UNDO,
	IMG_OPTION_PERSISTENT,
	IMG_OPTION_OBJECT,
	IMG_OPTION_IMAGE_OPTS,
	IMG_OPTION_TARGET_IMAGE_OPTS,
	IMG_OPTION_HELP_MAN,
};

struct img_option {
	int id;            /* a letter, or IMG_OPTION_...; 0 ends the table */
	const char *name;  /* the long form, or NULL */
	const char *value; /* what stands behind it; NULL: nothing */
	const char *help;
};

/* Rows that many tables have. */
#define IMG_ROW_FORMAT                                                            \
	{                                                                         \
		'f', "format", "FORMAT", "format of the image (default: guessed)" \
	}
#define IMG_ROW_QUIET                                        \
	{                                                    \
		'q', "quiet", NULL, "say nothing but errors" \
	}
#define IMG_ROW_PROGRESS                                    \
	{                                                   \
		'p', "progress", NULL, "show how far it is" \
	}
#define IMG_ROW_SHARED                                                    \
	{                                                                 \
		'U', "force-share", NULL, "though others may write to it" \
	}
#define IMG_ROW_CACHE                                                                    \
	{                                                                                \
		't', "cache", "CACHE", "how it is written: writeback, none, unsafe, ..." \
	}
#define IMG_ROW_SOURCE_CACHE                                                    \
	{                                                                       \
		'T', "source-cache", "CACHE", "how it is read: writeback, none" \
	}
#define IMG_ROW_IMAGE_OPTIONS                                        \
	{                                                            \
		IMG_OPTION_IMAGE_OPTS, "image-opts", NULL,           \
			"images are named by driver=,file.filename=" \
	}
#define IMG_ROW_OUTPUT                                                                 \
	{                                                                              \
		IMG_OPTION_OUTPUT, "output", "human|json", "how the result is printed" \
	}
#define IMG_ROW_OBJECT                                                 \
	{                                                              \
		IMG_OPTION_OBJECT, "object", "secret,id=ID,file=FILE", \
			"what opens encrypted images"                  \
	}
#define IMG_ROW_IMAGE_OPTS                                                                        \
	{                                                                                         \
		IMG_OPTION_IMAGE_OPTS, "image-opts", NULL,                                        \
			"IMAGE is a list: driver=FORMAT,file.filename=FILE,encrypt.key-secret=ID" \
	}

struct img_args;
struct secret;

struct img_command {
	const char *name, *arguments, *summary;
	const struct img_option *options;
	unsigned min, max;   /* arguments that are no options */
	const char *wanted;  /* said if there are fewer or more */
	int failure;         /* exit status when @run fails */
	bool signed_numbers; /* "-5G" is no option */
	/* The exit status; with @error set: to be printed. */
	int (*run)(const struct img_args *args, GError **error);
};

struct img_args *img_args_parse(const struct img_command *command, char **words, GError **error);
void img_args_free(struct img_args *args);
DEFINE_AUTOPTR(img_args, img_args_free);

bool img_args_help(const struct img_args *args); /* -h or --help was given */
unsigned img_args_count(const struct img_args *args, int id);
bool img_args_has(const struct img_args *args, int id);
/* The n-th time it was given, or the last; NULL if it was not. */
const char *img_args_nth(const struct img_args *args, int id, unsigned n);
const char *img_args_value(const struct img_args *args, int id);
/* In the order of the command line: the @i-th option, 0 behind the last. */
int img_args_id(const struct img_args *args, unsigned i, const char **ret_value);
/* Of those that --object gave; they live as long as @args. */
const struct secret *img_args_secret(const struct img_args *args, const char *id, GError **error);
/* What is no option. */
unsigned img_args_words(const struct img_args *args);
const char *img_args_word(const struct img_args *args, unsigned n);

/* A number of bytes below 2^63, as in 512, 0x200, 64k, 1.5G. What is too large is a LIMIT. */
bool img_parse_size(const char *text, uint64_t *ret_size, GError **error);
/* The same for a word of the command line, in other words. */
bool img_parse_size_word(const char *text, uint64_t *ret_size, GError **error);
/* The value of @id, or @otherwise. @what stands in the message. */
bool img_args_size(const struct img_args *args, int id, const char *what, uint64_t otherwise,
		   uint64_t *ret_size, GError **error);
/* The same for a number; *ret_number stays what it is if there is none. */
bool img_args_number(const struct img_args *args, int id, const char *what, uint64_t min,
		     uint64_t max, uint64_t *ret_number, GError **error);
/* --output. */
bool img_args_json(const struct img_args *args, bool *ret_json, GError **error);

/* The rows of a table, one a line. */
void img_options_help(const struct img_option *options, GString *out);

#endif
