/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * process.h - a process that is watched, whether or not it is our child
 *
 * It is known by its number and the time of its start, so that another one that has its number by now is
 * never taken for it. Its death is noticed by a pidfd.
 *
 * Threads: main loop (the default GMainContext).
 */
#ifndef DAEMON_PROCESS_H
#define DAEMON_PROCESS_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"

struct process;

/**
 * process_open() - a process that runs
 * @start: when it was started, as process_start() said; 0: whoever has that number now
 * @ended: called once, when it has ended; then process_status() tells what it can
 *
 * Return: NULL with @error; SOCLE_ERROR_NOT_FOUND: there is no such process any more
 */
struct process *process_open(int pid, uint64_t start, void (*ended)(void *opaque), void *opaque,
			     GError **error);
/* It goes on. NULL is fine. */
void process_free(struct process *process);
DEFINE_AUTOPTR(process, process_free);

int process_pid(const struct process *process);
uint64_t process_start(const struct process *process);
/* Has it ended? Without waiting. */
bool process_ended(const struct process *process);
bool process_signal(const struct process *process, int sig, GError **error);

enum process_end {
	PROCESS_UNKNOWN, /* it was not our child */
	PROCESS_EXITED,  /* *ret: its status */
	PROCESS_KILLED,  /* *ret: the signal */
};

/* How it ended, once; behind ended(). */
enum process_end process_status(struct process *process, int *ret);

struct process_usage {
	uint64_t cpu_ns, user_ns, system_ns, rss_kib;
};

struct process_thread_usage {
	uint64_t time_ns, wait_ns;
	int host_cpu;
};

/* From /proc. False: it has ended. */
bool process_usage(const struct process *process, struct process_usage *ret);
bool process_thread_usage(const struct process *process, int tid, struct process_thread_usage *ret);

#endif
