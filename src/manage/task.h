/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * task.h - something that was begun and will end, once, on the main loop
 *
 * Who wants something done embeds a task in what he has to remember, and gets it back by
 * container_of(). Who does it keeps the pointer and calls task_end() when it is done: at once, or
 * later. It is never dropped: a machine that is gone ends its tasks with an error.
 *
 * Threads: main loop.
 */
#ifndef MANAGE_TASK_H
#define MANAGE_TASK_H

#include <glib.h>

struct task {
	/* Called by task_end(). @error is NULL if it was done; it stays the caller's. */
	void (*end)(struct task *task, const GError *error);
};

static inline void task_end(struct task *task, const GError *error)
{
	task->end(task, error);
}

#endif
