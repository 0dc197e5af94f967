/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * signals.h - signals that ask for an end: SIGTERM, SIGINT, SIGHUP
 *
 * Threads: main loop.
 */
#ifndef VMM_SIGNALS_H
#define VMM_SIGNALS_H

#include <glib.h>
#include <stdbool.h>

/**
 * signals_catch() - let the main loop call @fn when such a signal came
 *
 * One that is ignored already stays so: nohup has a say.
 */
bool signals_catch(void (*fn)(void *opaque, int sig), void *opaque, GError **error);

/* Call nobody any more. Such signals are without effect then: what calls this is ending. */
void signals_release(void);

#endif
