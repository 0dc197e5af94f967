/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * runner-spawn.h - start a program that is to outlive us, as somebody with fewer rights
 *
 * What fails in the new process before the program runs is told by it on its standard error, which
 * is the machine's log, in one sentence.
 *
 * Threads: main loop.
 */
#ifndef DAEMON_RUNNER_SPAWN_H
#define DAEMON_RUNNER_SPAWN_H

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

struct spawn_path {
	const char *path;
	bool write;
};

struct spawn {
	char *const *argv;
	const char *dir; /* its current folder */
	int log;         /* its standard error */
	const int *fds;  /* that it keeps, by their numbers */
	unsigned fd_count;
	uid_t uid; /* 0: who we are */
	gid_t gid;
	/* What it will have to open: looked at as whom it runs, so that a refusal says what to do. */
	const struct spawn_path *paths;
	unsigned path_count;
};

/* The process's number, or -1 with @error. It is our child. */
int spawn(const struct spawn *what, GError **error);

#endif
