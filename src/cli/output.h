/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * output.h - what socle prints: text, colours, JSON
 *
 * What comes from a daemon (names, titles, messages) is shown by cli_plain(): no byte of it can
 * command the terminal. Threads: main only.
 */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum cli_colour {
	COLOUR_NONE,
	COLOUR_GOOD,
	COLOUR_WARN,
	COLOUR_BAD,
	COLOUR_DIM,
	COLOUR_BOLD,
	COLOUR_COUNT
};

/* To stdout; that it failed is told by cli_out_finish(). */
void cli_out(const char *fmt, ...) G_GNUC_PRINTF(1, 2);
/* As it is, unless its last character is no line end: then with one. */
void cli_out_text(const char *text);
/* A line with a name of others and nothing else, for --output=name; "-" for NULL. */
void cli_out_name(const char *name);
/* One line to stderr, behind "socle: ", fit to be shown. */
void cli_warn(const char *fmt, ...) G_GNUC_PRINTF(1, 2);
bool cli_out_finish(GError **error);
/* With two spaces a level; the caller's reference goes. */
void cli_out_json(json_t *value);
/* On one line, for those who read line by line. */
void cli_out_json_line(json_t *value);
/* A string of others, which may not be UTF-8; NULL is null. */
json_t *cli_json_string(const char *text);

/* Colours are for terminals whose user has not set NO_COLOR. */
bool cli_colours(int fd);
/* "\033[32m" or the like; COLOUR_NONE is back to normal. */
const char *cli_colour_code(enum cli_colour colour);

/* Valid UTF-8 without control characters, for one line; g_free() it. */
char *cli_plain(const char *text);
/* May so many bytes go to a terminal as they are? Such text, of any number of lines. */
bool cli_is_plain(const char *bytes, size_t len);
/* How many columns it takes on a terminal. */
unsigned cli_width(const char *text);

/* "512 MiB", "1.5 GiB": three digits at most; g_free() it. */
char *cli_size(uint64_t bytes);
/* "3d 04:05:06"; g_free() it. */
char *cli_duration(uint64_t seconds);

#endif
