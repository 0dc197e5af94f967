/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * io.h - what the parts of socle-io share: the open image, and the words of a command
 *
 * Threads: main only.
 */
#ifndef IMG_IO_H
#define IMG_IO_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "block/image.h"
#include "img/img.h"

/* Bytes of one request, at most: whole sectors, in a signed 32-bit number. */
#define IO_MAX_LEN ((uint64_t)(INT32_MAX / 512 * 512))

struct io {
	const struct img_args *args;
	struct img_name *name; /* of the image that is or was open, or NULL */
	struct image *image;   /* or NULL: none is open */
	const char *format;    /* -f; NULL: guessed, which is for reading only */
	unsigned flags;        /* IMAGE_..., as the command line has it */
	bool image_options;    /* images are named by driver=...,file.filename=... */
	bool copy_on_read, write_through;
	bool snapshot; /* what is written goes to memory, and is forgotten */
	bool quit;
};

/* What getopt() found in the words of one command. */
struct io_words {
	const char *option[128]; /* by letter: NULL, "" for a switch, or the value */
	char **word;             /* what is no option */
	int count;
};

struct io_command {
	const char *name, *alias, *arguments, *summary, *letters;
	int min, max;  /* words that are no options; -1: any number */
	bool no_image; /* it needs none */
	bool writes;   /* to the image */
	bool (*run)(struct io *io, const struct io_words *words);
};

/* ---- io-shell.c ---- */

/* One line of commands; false: it failed, which it has told. */
bool io_line(struct io *io, const char *line);
void io_print_usage(const struct io_command *command);
/* The sentence on stderr. False. */
bool io_fail(GError *error);
bool io_help(struct io *io, const struct io_words *words);

extern const struct io_command *const io_commands[]; /* by name; ends with NULL */
extern const struct io_command io_command_aio_flush, io_command_aio_read, io_command_aio_write;
extern const struct io_command io_command_read, io_command_readv, io_command_write;
extern const struct io_command io_command_writev, io_command_discard, io_command_flush;
extern const struct io_command io_command_alloc, io_command_map, io_command_length;
extern const struct io_command io_command_info, io_command_truncate, io_command_open;
extern const struct io_command io_command_reopen, io_command_close, io_command_quit;
extern const struct io_command io_command_sleep, io_command_sigraise, io_command_abort;
extern const struct io_command io_command_help;

/* ---- io-open.c ---- */

/* @path, or @words that name it, or both. False: told. */
bool io_open(struct io *io, const char *path, unsigned flags, const char *words);
/* False if what was written could not be flushed; it is closed all the same. */
bool io_close(struct io *io);
bool io_cache(const char *cache, struct io *io, unsigned *flags);

/* ---- io-print.c ---- */

/* "64 KiB", "1.500 MiB"; g_free() it. */
char *io_size(double bytes);
/* A number of bytes: 512, 0x200, 64k, 1.5M. False: told on stdout. */
bool io_parse_size(const char *text, uint64_t *ret_size);
/* What one request did; "" as @done is for what has no report but a line of numbers. */
void io_report(const char *done, uint64_t off, uint64_t len, uint64_t total, uint64_t ns,
	       bool by_comma);
void io_dump(const uint8_t *bytes, uint64_t off, size_t len);

/* ---- io-transfer.c ---- */

/* Any offset and length; sectors that are written in parts are read first. */
bool io_write_bytes(struct image *image, uint64_t off, const uint8_t *bytes, size_t len,
		    GError **error);
bool io_write_zeroes(struct image *image, uint64_t off, uint64_t len, bool unmap, GError **error);
/* Whole clusters, and the last one of the image. */
bool io_write_packed(struct image *image, uint64_t off, const uint8_t *bytes, size_t len,
		     GError **error);
/* What is read from an image behind is put into this one. */
bool io_copy_on_read(struct image *image, uint64_t off, uint64_t len, GError **error);

#endif
