/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * thread.h - start a thread that has a name, and wait for its end
 */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include <glib.h>

#include "base/cleanup.h"

struct thread;

/**
 * thread_start() - run fn(arg) in a new thread, all signals blocked but those of a crash
 * @name: at most 15 bytes, shown by ps and gdb
 *
 * Return: the thread, for thread_join(), or NULL with @error set
 */
struct thread *thread_start(const char *name, void (*fn)(void *arg), void *arg, GError **error);

/* Wait until it ends, and free it. NULL is fine. */
void thread_join(struct thread *thread);

/* [the thread itself] Nobody will wait for it: what thread_start() made goes now. */
void thread_detach(struct thread *thread);

/* [the thread itself] Another name than it was started with. */
void thread_set_own_name(const char *name);

/* Send a signal to the thread, which must not have been joined. */
void thread_signal(struct thread *thread, int sig);

/* Nanoseconds of CPU time that the thread used, 0 if the system does not tell. */
unsigned long long thread_cpu_ns(struct thread *thread);

/* The kernel's number of the calling thread. */
int thread_id_self(void);

#endif
