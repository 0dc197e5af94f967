/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * log.h - what happens inside, for the person who debugs it
 *
 * Not for errors: those travel as values to a main, the monitor or the RPC dispatcher, which print
 * them. Goes to stderr by default. Any thread.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <glib.h>
#include <stdbool.h>

enum log_level {
	LOG_WARNING, /* something the user should hear about once, though the program goes on */
	LOG_INFO,
	LOG_DEBUG,
};

/* What is printed: this level and the ones before it. LOG_WARNING unless set. */
void log_set_level(enum log_level level);
/* Lines end in "\r\n" while a terminal of ours is in raw mode. */
void log_set_raw_terminal(bool raw);
/* A line tells the system's journal how important it is, if that is what reads stderr. */
void log_set_journal(void);
/* "progname: " in front of each line; the string must live on. */
void log_set_program(const char *name);

void log_warning(const char *fmt, ...) G_GNUC_PRINTF(1, 2);
void log_info(const char *fmt, ...) G_GNUC_PRINTF(1, 2);
void log_debug(const char *fmt, ...) G_GNUC_PRINTF(1, 2);

#endif
