/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * img.h - what the commands of socle-img share: printing, opening, targets, progress
 *
 * Threads: main only, but img_is_zero().
 */
#ifndef IMG_IMG_H
#define IMG_IMG_H

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "block/image.h"
#include "img/args.h"

enum {
	IMG_PIECE = 2 << 20, /* bytes that are read or written at a time, at most */
	IMG_SECTOR = 512,
};

/* The commands, one a file; img_commands[] ends with NULL. */
extern const struct img_command img_create, img_info, img_check, img_convert, img_resize;
extern const struct img_command img_snapshot, img_rebase, img_commit, img_map, img_compare;
extern const struct img_command img_measure, img_amend, img_bitmap, img_dd, img_bench, img_doctor;
extern const struct img_command img_export;
extern const struct img_command *const img_commands[];

/* ---- output (output.c) ---- */

/* To stdout; that it failed is told by img_out_finish(). */
void img_out(const char *fmt, ...) G_GNUC_PRINTF(1, 2);
/* What the program is called by: messages begin with it. The string lives on. */
void img_set_program(const char *argv0);
const char *img_program(void);
/* To stderr, behind the program's name and ": ". */
void img_warn(const char *fmt, ...) G_GNUC_PRINTF(1, 2);
bool img_out_finish(GError **error);
/* As QEMU prints them; the caller's reference goes. */
void img_out_json(json_t *value);
/* A string of the host, which may not be UTF-8. */
json_t *img_json_string(const char *text);
/* "10 MiB"; g_free() it. */
char *img_human_size(uint64_t bytes);

/* How far it is: on a terminal, or if -p was given; never with -q. */
struct img_progress {
	bool shown, on_terminal;
	uint64_t total, last; /* in 1/100 % */
};
void img_progress_start(struct img_progress *progress, const struct img_args *args, uint64_t total);
void img_progress_at(struct img_progress *progress, uint64_t done);
void img_progress_end(struct img_progress *progress);

/* ---- lists (opts.c) ---- */

/* Up to the next single ','; two stand for one. Moves *p behind it. */
char *img_next_word(const char **p);
/* "name=value,..." by name; a first word without '=' is the value of @implied, if that is not NULL.
 * @what: in messages. */
GHashTable *img_parse_list(const char *what, const char *text, const char *implied, GError **error);
/* The same list as a JSON object, the names of what is within others with '.' in between. */
GHashTable *img_parse_json(const char *text, GError **error);
/* "json:{...}"; g_free() it. */
char *img_list_json(GHashTable *list);
/* The value of --object. */
struct secret *img_parse_object(const char *text, GError **error);

/* ---- names (names.c) ---- */

/* An image as a word names it: by its file, or by a list (--image-opts, json:). */
struct img_name {
	char *path, *format; /* the latter NULL: to be guessed */
	char *shown;         /* the whole list, if the path alone would not open it; or NULL */
	GHashTable *list;    /* or NULL */
	/* Of the images of its chain; NULL where nothing was said. */
	GPtrArray *secrets; /* struct secret, the arguments' */
	GPtrArray *paths, *formats;
	char *missing;          /* the id of a secret that was not given, or NULL */
	struct img_name *inner; /* the image that it is in, instead of a file; or NULL */
	struct img_name *data;  /* where its data is, instead of where it says; or NULL */
	uint64_t null_size;     /* of format null-co */
	bool null_zeroes;
	unsigned on, off; /* IMAGE_... that the list asks for, or does without */
};

/* "file:" in front of a name says that it is one; g_free() it. */
char *img_file_name(const char *word);

struct img_name *img_name_new(const struct img_args *args, const char *word, const char *format,
			      bool is_list, GError **error);
/* One that is named by such a list. */
struct img_name *img_name_of_list(const struct img_args *args, GHashTable *list, GError **error);
/* A list if --image-opts was given. */
struct img_name *img_name_of(const struct img_args *args, const char *word, const char *format,
			     GError **error);
void img_name_free(struct img_name *name);
DEFINE_AUTOPTR(img_name, img_name_free);
/* @flags, and what the list says of them. */
struct image *img_name_open(const struct img_name *name, unsigned flags, GError **error);
/* For the image that is @from behind the first one. */
struct image_keys img_name_keys(const struct img_name *name, unsigned from);

/* ---- opening (open.c) ---- */

/* writeback, none, ...: IMAGE_... flags. NULL is writeback. */
bool img_cache_flags(const char *cache, unsigned *ret_flags, GError **error);
/* Flags of -U and of the cache option @cache_id (0: none), and the format of 'f'. */
struct image *img_open_arg(const struct img_args *args, const char *word, int cache_id,
			   unsigned flags, GError **error);
/* The same with another format. */
struct image *img_open_word(const struct img_args *args, const char *word, const char *format,
			    int cache_id, unsigned flags, GError **error);
/* The same for a file that is to be changed. @implied: the format if none is given, or NULL. */
struct image *img_open_write(const struct img_args *args, const char *word, const char *implied,
			     unsigned flags, GError **error);

/* -l: "NAME", or "snapshot.id=ID" or "snapshot.name=NAME" with commas in between; could it be one? */
bool img_check_snapshot(const struct img_args *args, GError **error);
/* An image that is open for reading has what it had then, if -l was given. */
bool img_show_snapshot(const struct img_args *args, struct image *image, GError **error);

/* Can an image of this format name one behind it? */
bool img_may_have_backing(const char *format);

/* Words of -o, all of them, by name. Those that neither @format nor @more (or NULL) knows are
 * refused. */
GHashTable *img_create_options(const struct img_args *args, const char *format,
			       const struct image_option *more, GError **error);
/* The secret that such a word names; *ret NULL: none was named. */
bool img_option_secret(const struct img_args *args, GHashTable *words, const char *name,
		       const struct secret **ret, GError **error);
/* The same for a new image, whatever the format calls it. */
bool img_create_hints(GHashTable *words, struct image_create *what, GError **error);
bool img_create_secret(const struct img_args *args, GHashTable *words, struct image_create *what,
		       GError **error);
/* -o help: print them. */
bool img_wants_options_help(const struct img_args *args);
bool img_out_options_help(const char *format, GError **error);

/* ---- targets (target.c) ---- */

/*
 * A new image gets a name of its own beside the final one, which it takes over when it is complete.
 * Until then nothing is left of it, whether by error or by SIGINT or SIGTERM.
 */
struct img_target;
/* @name_given may exist: it is replaced, unless somebody uses it. */
struct img_target *img_target_new(const char *name_given, GError **error);
/* Make the image; it has the owner and the mode of the file that it is to replace. */
bool img_target_create(struct img_target *target, const char *format, struct image_create *what,
		       GError **error);
/* Is the image @path another one than that behind it? */
bool img_target_is_new(const char *path, const char *backing_file, GError **error);
/* The image must be closed. */
bool img_target_finish(struct img_target *target, GError **error);
void img_target_free(struct img_target *target);
DEFINE_AUTOPTR(img_target, img_target_free);
/* Remove what is not complete when such a signal comes. */
bool img_target_catch_signals(GError **error);

/* ---- sizes (resize.c) ---- */

/* Grow or shrink; @how: preallocation of what is new, NULL for none. */
bool img_grow(struct image *image, uint64_t size, const char *how, GError **error);

/* ---- contents ---- */

/* zero.c; any thread. */
bool img_is_zero(const void *bytes, size_t len);
/* How many bytes from the start, in sectors, are alike: all zero or not (*ret_zero). */
size_t img_zero_run(const uint8_t *bytes, size_t len, size_t unit, bool *ret_zero);

/*
 * same.c: compare what two chains have from @off on, by metadata where they share files.
 * *ret_off: of the first sector that differs, or UINT64_MAX. NULL stands for zeroes.
 */
struct img_same {
	struct image *a, *b;
	/* From these on, the first of such, all that is behind is the same; NULL: there are none. */
	const struct image *shared_a, *shared_b;
	uint8_t *buf_a, *buf_b; /* of IMG_PIECE bytes */
};
void img_same_init(struct img_same *same, struct image *a, struct image *b);
void img_same_release(struct img_same *same);
/* Of [off, off + len), in part: *ret_len bytes were looked at. */
bool img_same_piece(struct img_same *same, uint64_t off, uint64_t len, uint64_t *ret_len,
		    uint64_t *ret_differ, GError **error);

#endif
