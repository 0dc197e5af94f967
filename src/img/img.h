/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * img.h - socle-img: what its commands share
 *
 * Options, output and exit codes are those of qemu-img, whose scripts shall go on working. A
 * command is a function of its own arguments; it prints its result on stdout, and returns the exit
 * status. Errors are printed by img_fail().
 */
#ifndef IMG_IMG_H
#define IMG_IMG_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "block/image.h"

enum img_status {
	IMG_OK = 0,
	IMG_FAILED = 1,
};

struct img_command {
	const char *name;
	const char *arguments; /* behind the options, for the help */
	const char *summary;
	int (*run)(const struct img_command *command, int argc, char **argv);
};

int img_amend(const struct img_command *command, int argc, char **argv);
int img_bench(const struct img_command *command, int argc, char **argv);
int img_check(const struct img_command *command, int argc, char **argv);
int img_commit(const struct img_command *command, int argc, char **argv);
int img_compare(const struct img_command *command, int argc, char **argv);
int img_convert(const struct img_command *command, int argc, char **argv);
int img_create(const struct img_command *command, int argc, char **argv);
int img_dd(const struct img_command *command, int argc, char **argv);
int img_doctor(const struct img_command *command, int argc, char **argv);
int img_export(const struct img_command *command, int argc, char **argv);
int img_info(const struct img_command *command, int argc, char **argv);
int img_map(const struct img_command *command, int argc, char **argv);
int img_measure(const struct img_command *command, int argc, char **argv);
int img_rebase(const struct img_command *command, int argc, char **argv);
int img_resize(const struct img_command *command, int argc, char **argv);
int img_snapshot(const struct img_command *command, int argc, char **argv);

/* ---- options (options.c) ---- */

/*
 * Parse by @entries; what is left are the arguments, which must be @min to @max. Prints what is
 * wrong, or the help.
 *
 * Return: go on; else *ret_status is what the command returns
 */
bool img_parse(const struct img_command *command, const GOptionEntry *entries, int *argc,
	       char ***argv, int min, int max, int *ret_status);

/* "512", "10M", "1.5G"; factors of 1024 by k M G T P E. */
bool img_size(const char *text, uint64_t *ret_size, GError **error);
/* --output: false is human, true json. */
bool img_output(const char *text, bool *ret_json, GError **error);
/* A cache mode of QEMU's: flags IMAGE_DIRECT, IMAGE_NO_FLUSH. */
bool img_cache(const char *text, unsigned *ret_flags, GError **error);

/**
 * img_create_options() - "-o a=b,c=d", given once or more often
 * @texts:   ends with NULL; NULL: none
 * @ops:     of the format, whose options these are
 * @options: gets them; g_hash_table_new_full() with g_free() for both
 */
bool img_create_options(char **texts, const struct image_ops *ops, GHashTable *options,
			GError **error);
/* Does one of them say "help"? */
bool img_wants_help(char **texts);
/* The list that "-o help" prints. */
void img_print_options(const struct image_ops *ops);

/* ---- output (output.c) ---- */

/* "socle-img: <message>" on stderr. IMG_FAILED. */
int img_fail(const GError *error);
int img_fail_text(const char *fmt, ...) G_GNUC_PRINTF(1, 2);
/* "1.5 MiB"; g_free() it. */
char *img_human(uint64_t bytes);

struct img_progress {
	bool on, dirty; /* dirty: something stands on the line */
	unsigned last;  /* hundredths of a per cent */
};

/* @wanted: -p; without it a bar is shown if stderr is a terminal and @quiet is not set. */
void img_progress_begin(struct img_progress *progress, bool wanted, bool quiet);
void img_progress(struct img_progress *progress, uint64_t done, uint64_t total);
/* Ends the line. */
void img_progress_end(struct img_progress *progress);

/* ---- interruption (output.c) ---- */

/* From now on SIGINT and SIGTERM only set what img_interrupted() tells. */
void img_catch_signals(void);
/* False, and an error, once one has come. */
bool img_go_on(GError **error);

/* ---- bytes (bytes.c) ---- */

/* Is it all zero? */
bool img_is_zero(const uint8_t *buf, size_t len);
/* How many bytes from the start are all zero, or all not, in steps of @step; *ret_zero tells which.
 * A run that is zero is at least @least bytes long, or goes to the end. */
size_t img_run(const uint8_t *buf, size_t len, size_t step, size_t least, bool *ret_zero);

#endif
