/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * interrupt.h - Ctrl-C in a command that makes things: what is there goes again
 *
 * Between interrupt_begin() and interrupt_end() the first SIGINT, SIGTERM or SIGHUP is only noted; who
 * makes something looks between its steps, and undoes them. The second one ends the program at once.
 *
 * Threads: main; one of its own takes the signals during a call that they cut short.
 */
#ifndef CLI_INTERRUPT_H
#define CLI_INTERRUPT_H

#include <glib.h>
#include <stdbool.h>

#include "client/socle.h"

/* That it has begun already is fine. */
void interrupt_begin(void);
/* Signals do what they did before. What was noted stays so. */
void interrupt_end(void);

bool interrupted(void);
/* Go on? False with an error: it was interrupted. */
bool interrupt_check(GError **error);
/* The one sentence about it, instead of what its step has failed with. */
void interrupt_tell(const char *name, bool gone, GError **error);

/*
 * A call that takes long is under way: the signal closes its connection, by which the daemon gives it
 * up and leaves nothing. NULL: the call has come back.
 */
void interrupt_closes(struct socle_conn *conn);

#endif
