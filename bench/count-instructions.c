/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * count-instructions.c - how many instructions the timed part of a workload has, by stepping
 *
 * usage: count-instructions PROGRAM [ARGUMENT...]
 *
 * The program prints a line with "begin" before the part that counts and one with "end" after it,
 * as guestbench -m does. What it prints goes to standard error, the count to standard output. It
 * is good to a hundred instructions or so, and for short runs only: some ten thousand a second.
 * It works where there are no performance counters.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	/* So many steps between two looks at what the program has printed. */
	STRIDE = 64,
};

static char text[65536];
static size_t text_len;

/* Take what the program has printed so far; is the word in it? */
static bool printed(int fd, const char *word)
{
	ssize_t n = read(fd, text + text_len, sizeof(text) - 1 - text_len);

	if (n > 0)
		text_len += (size_t)n;
	text[text_len] = '\0';
	return strstr(text, word) != NULL;
}

/* Let it go on until it stops or ends; false at its end. */
static bool go(pid_t child, int how, int *status)
{
	return ptrace(how, child, NULL, NULL) == 0 && waitpid(child, status, 0) == child &&
	       WIFSTOPPED(*status);
}

int main(int argc, char **argv)
{
	unsigned long long count = 0;
	bool stopped = true;
	int status, fds[2];
	pid_t child;

	if (argc < 2 || pipe2(fds, O_NONBLOCK | O_CLOEXEC) < 0) {
		(void)fprintf(stderr, "usage: count-instructions PROGRAM [ARGUMENT...]\n");
		return 1;
	}
	child = fork();
	if (child == 0) {
		(void)dup2(fds[1], STDOUT_FILENO);
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0)
			(void)execv(argv[1], argv + 1);
		_exit(127);
	}
	if (child < 0 || waitpid(child, &status, 0) != child || !WIFSTOPPED(status)) {
		(void)fprintf(stderr, "count-instructions: cannot trace '%s'\n", argv[1]);
		return 1;
	}
	while (stopped && !printed(fds[0], "\"begin\""))
		stopped = go(child, PTRACE_SYSCALL, &status);
	while (stopped && (count % STRIDE || !printed(fds[0], "\"end\""))) {
		stopped = go(child, PTRACE_SINGLESTEP, &status);
		count++;
	}
	while (stopped)
		stopped = go(child, PTRACE_CONT, &status);
	(void)printed(fds[0], "");
	(void)fputs(text, stderr);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		(void)fprintf(stderr, "count-instructions: '%s' failed\n", argv[1]);
		return 1;
	}
	printf("%llu\n", count);
	return 0;
}
