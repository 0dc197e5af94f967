/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * aside.h - work that may take its time, or never end, on a thread of its own
 *
 * The main loop must not wait for a name server, or for a file system that hangs. So such work is
 * done aside: the main loop is told when it has ended, or waits for that with a limit. Work that does
 * not end is left to itself, with all that belongs to it.
 *
 * Threads: main loop, but for what is said to be called on the work's own.
 */
#ifndef BASE_ASIDE_H
#define BASE_ASIDE_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"

struct aside_work {
	const char *name;      /* of the thread, at most 15 bytes */
	void (*fn)(void *arg); /* on the thread */
	void (*end)(
		void *arg); /* on the main loop, when fn() has returned; may drop. NULL: nothing */
	/* When nobody needs @arg any more: in aside_drop(), or, if it was dropped before fn()
	 * returned, behind that on the thread. NULL: it is not the work's. */
	void (*free)(void *arg);
	void *arg;
};

struct aside;

/* NULL with @error: no thread could be had, and @work is as it was. [any, if there is no end()] */
struct aside *aside_start(const struct aside_work *work, GError **error);
/* Wait until CLOCK_MONOTONIC is @deadline_ns, UINT64_MAX: for ever. True: fn() has returned. [any] */
bool aside_wait(struct aside *aside, uint64_t deadline_ns);
/* Nothing is called on the main loop any more. Waits for nothing. NULL is fine. */
void aside_drop(struct aside *aside);
DEFINE_AUTOPTR(aside, aside_drop);

#endif
