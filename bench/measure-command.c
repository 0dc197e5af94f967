/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * measure-command.c - how long a command takes, how much CPU time, and how much memory at most
 *
 * usage: measure-command PROGRAM [ARGUMENT...]
 *
 * Prints "WALL-SECONDS CPU-SECONDS PEAK-KIB STATUS"; what the command prints to standard output is
 * dropped. A small program does this as a child inherits its parent's peak memory.
 */
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now_s(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double seconds(const struct timeval *t)
{
	return (double)t->tv_sec + (double)t->tv_usec / 1e6;
}

int main(int argc, char **argv)
{
	posix_spawn_file_actions_t actions;
	struct rusage usage;
	double begin;
	int status, ret;
	pid_t child;

	if (argc < 2 || posix_spawn_file_actions_init(&actions) != 0 ||
	    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0)) {
		(void)fprintf(stderr, "usage: measure-command PROGRAM [ARGUMENT...]\n");
		return 1;
	}
	begin = now_s();
	ret = posix_spawnp(&child, argv[1], &actions, NULL, argv + 1, environ);
	if (ret != 0 || wait4(child, &status, 0, &usage) != child) {
		(void)fprintf(stderr, "measure-command: cannot run '%s'\n", argv[1]);
		return 1;
	}
	printf("%.9f %.6f %ld %d\n", now_s() - begin,
	       seconds(&usage.ru_utime) + seconds(&usage.ru_stime), usage.ru_maxrss,
	       WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
	(void)posix_spawn_file_actions_destroy(&actions);
	return 0;
}
