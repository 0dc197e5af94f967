/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * process.h - what the kernel tells of a process and its threads
 *
 * A number of a process is used again when it has ended. Who keeps one, across his own restart, keeps
 * its start time as well: number and time together are one process. A pidfd is one, too, but does
 * not outlive its owner.
 *
 * Nothing here waits. @root: "/", or "" but for tests. Functions return 0 or more, or
 * -errno: -ESRCH if there is no such process.
 *
 * Threads: any.
 */
#ifndef HOST_PROCESS_H
#define HOST_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	HOST_COMM_MAX = 16 /* a thread's name, with its NUL */
};

struct host_process {
	char state;     /* 'R', 'S', 'D', 'Z' ... */
	uint64_t start; /* in ticks since the host's start; never 0 */
	uint64_t user_ns, system_ns;
	uint64_t rss_kib;
	unsigned threads;
};

struct host_thread {
	pid_t tid;
	char name[HOST_COMM_MAX];
	char state;
	int cpu; /* where it ran last; -1: unknown */
	uint64_t user_ns, system_ns;
	uint64_t run_ns, wait_ns; /* exactly; had to wait for a CPU. 0: unknown */
};

int host_process(const char *root, pid_t pid, struct host_process *ret);
int host_thread(const char *root, pid_t pid, pid_t tid, struct host_thread *ret);
/* The first with this name. Return: its number, or -ESRCH. */
pid_t host_thread_named(const char *root, pid_t pid, const char *name);

/**
 * host_process_open() - a pidfd of the process that has this number and start time
 * @start: 0 for whichever has the number
 *
 * Return: a descriptor, or -ESRCH also for another process of the same number
 */
int host_process_open(const char *root, pid_t pid, uint64_t start);
/* Has it ended? By its pidfd. */
bool host_process_ended(int pidfd);

/* Let a thread, 0: this one, run on these CPUs only; bit n % 8 of byte n / 8 is CPU n. */
int host_pin_thread(pid_t tid, const uint8_t *map, size_t len);

#endif
