/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * chars.h - back ends of chardevs: this terminal, a pty, a file, a socket, nothing
 *
 * Threads: main loop; what chardev.h says for the calls of a front end.
 */
#ifndef VMM_CHARS_H
#define VMM_CHARS_H

#include <glib.h>

#include "dev/chardev.h"
#include "vmm/options.h"

/* What keys on the terminal ask for. */
struct console_ops {
	/* Ctrl-A X */
	void (*quit)(void *opaque);
	/* A line for the human monitor; its answer, to be freed with g_free(). */
	char *(*command)(void *opaque, const char *line);
};

/**
 * char_open() - make a back end
 * @spec:     which
 * @ops:      for CHAR_STDIO
 * @opaque:   for @ops
 * @ret_name: what it is, as QEMU's query-chardev says it: "pty:/dev/pts/3"; for g_free()
 *
 * CHAR_STDIO sets a terminal to raw mode with console_start().
 */
struct chardev *char_open(const struct char_spec *spec, const struct console_ops *ops, void *opaque,
			  char **ret_name, GError **error);

/* One function for each kind; CHAR_NONE is in chars.c. */
struct chardev *console_new(const struct console_ops *ops, void *opaque, GError **error);
struct chardev *char_pty_new(char **ret_path, GError **error);
struct chardev *char_file_new(const char *path, GError **error);
struct chardev *char_unix_new(const char *path, GError **error);

/* The terminal is ours from here to chardev_free(). */
bool console_start(struct chardev *chr, GError **error);

#endif
