/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * terminal.h - raw mode of the terminal we run on, or one without an echo, taken back whatever happens
 *
 * Threads: main loop, except terminal_restore(), which may be called from a signal handler.
 */
#ifndef BASE_TERMINAL_H
#define BASE_TERMINAL_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

bool terminal_is(int fd);

/* Pass every key on as it is. From now on a crash of ours restores the terminal, too. */
bool terminal_raw(int fd, GError **error);

/*
 * Do not show what is typed, only that a line has ended. Ctrl-C and other signals restore the terminal before they
 * end us, and Ctrl-Z is an ordinary key: a shell would get the terminal as it is.
 */
bool terminal_hide(int fd, GError **error);

/* Columns and rows; false if @fd is no terminal, or has none. */
bool terminal_size(int fd, uint16_t *ret_columns, uint16_t *ret_rows);

/* As it was before. Does nothing if it is. */
void terminal_restore(void);

#endif
