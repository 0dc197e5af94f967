/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * machine-log.h - what a machine's process says, in a file that does not grow for ever
 *
 * The process has the file as its standard error, opened for appending: no pipe whose other end could be
 * missing. The daemon writes a line in front of each start and behind each end. When the file is
 * too large, its content becomes NAME.1, NAME.1 becomes NAME.2 and so on, and the file is emptied, which
 * those who append do not notice.
 *
 * Threads: main loop.
 */
#ifndef DAEMON_MACHINE_LOG_H
#define DAEMON_MACHINE_LOG_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct machine_log_limits {
	uint64_t size; /* bytes, 0: 1 MiB */
	unsigned keep; /* old ones, 0: 3 */
};

/* Make room in the file if it is over its limit. Whatever fails leaves it as it is. */
void machine_log_rotate(const char *path, const struct machine_log_limits *limits);
/* Open for appending, for a process: the descriptor, or -1 with @error. */
int machine_log_open(const char *path, GError **error);
/* "TIME: text" as a line. */
void machine_log_say(const char *path, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
/* The command line, as a shell would read it. */
void machine_log_command(const char *path, char *const *argv);

/* How long it is. */
off_t machine_log_size(const char *path);
/* The last line behind @from that is not empty, without "socle-vm: "; g_free() it; or NULL. */
char *machine_log_last(const char *path, off_t from);

#endif
