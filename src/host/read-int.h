/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * read-int.h - the small text files of /proc and /sys, below a root that the caller names
 *
 * A root is "" for the host itself, so that a path is always root and path in one. Files that are
 * not there, not readable or not what they should be are the usual case in a container: no function
 * here has more to say than "not known".
 *
 * Threads: any.
 */
#ifndef HOST_READ_INT_H
#define HOST_READ_INT_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	HOST_PATH_MAX = 1024,
	HOST_LINE_MAX = 1024,
};

/* Files that are read whole have at most this; the rest is not seen. */
static const size_t host_file_max = (size_t)4 * 1024 * 1024;

/* The root as it is kept: without a slash at its end. */
char *host_root_dup(const char *root);

/* All of a file, for g_free(), or NULL. */
char *host_read_all(const char *root, const char *fmt, ...) G_GNUC_PRINTF(2, 3);

/**
 * host_read_text() - the first line of a file, without spaces around it
 *
 * Return: its length, or -errno; @buf then is empty
 */
int host_read_text(char *buf, size_t size, const char *root, const char *fmt, ...)
	G_GNUC_PRINTF(4, 5);

/* A number in base 10 that fills the first line; false, and nothing is set, for all else. */
bool host_read_number(uint64_t *ret_value, const char *root, const char *fmt, ...)
	G_GNUC_PRINTF(3, 4);

/* Unsigned digits at the front of @text, saturated. Return: what is behind them, or NULL. */
const char *host_scan_number(const char *text, uint64_t *ret_value);

/* A file line by line, without an allocation; what is longer than HOST_LINE_MAX is cut off. */
struct host_lines {
	int fd;
	size_t pos, end;
	bool eof, cut;
	char buf[HOST_LINE_MAX];
};

bool host_lines_open(struct host_lines *lines, const char *root, const char *fmt, ...)
	G_GNUC_PRINTF(3, 4);
/* NULL: that was all. The line is there until the next call. */
char *host_lines_next(struct host_lines *lines);
void host_lines_close(struct host_lines *lines);

#endif
