/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * terminal.c - raw mode of the terminal we run on, taken back whatever happens
 *
 * The orderly ways to end come by terminal_restore() from who uses it and, last, from atexit(). A
 * crash comes by the signal handler here. SIGKILL cannot be helped.
 */
#include "base/terminal.h"

#include <signal.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/log.h"
#include "base/sys.h"

static const int crash_signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGQUIT, SIGSYS };

static struct termios saved; /* valid while raw_fd is not -1 */
static atomic_int raw_fd = -1;

bool terminal_is(int fd)
{
	return isatty(fd);
}

bool terminal_size(int fd, uint16_t *ret_columns, uint16_t *ret_rows)
{
	struct winsize size;

	if (sys_ioctl(fd, TIOCGWINSZ, &size) < 0 || !size.ws_col || !size.ws_row)
		return false;
	*ret_columns = size.ws_col;
	*ret_rows = size.ws_row;
	return true;
}

void terminal_restore(void)
{
	int fd = atomic_exchange(&raw_fd, -1);
	sigset_t stop, old;

	if (fd < 0)
		return;
	/* In the background the change would stop us instead. */
	sigemptyset(&stop);
	sigaddset(&stop, SIGTTOU);
	pthread_sigmask(SIG_BLOCK, &stop, &old);
	/* What was typed and not read belongs to nobody: the shell must not execute it. Not
	 * TCSAFLUSH, which would wait for a terminal that is held by Ctrl-S. */
	(void)tcflush(fd, TCIFLUSH);
	(void)tcsetattr(fd, TCSANOW, &saved);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	log_set_raw_terminal(false);
}

static void on_crash(int sig)
{
	terminal_restore();
	/* SA_RESETHAND: now for real. */
	(void)raise(sig);
}

static void catch_crashes(void)
{
	struct sigaction action = { .sa_handler = on_crash, .sa_flags = SA_RESETHAND | SA_NODEFER };

	for (size_t i = 0; i < ARRAY_SIZE(crash_signals); i++) {
		struct sigaction old;

		/* Whoever waits for a signal already (a sanitizer, a parent that ignores it) goes on
		 * doing so. */
		if (sigaction(crash_signals[i], NULL, &old) == 0 && old.sa_handler == SIG_DFL)
			(void)sigaction(crash_signals[i], &action, NULL);
	}
}

bool terminal_raw(int fd, GError **error)
{
	struct termios raw;

	if (tcgetattr(fd, &saved) < 0)
		return error_set(error, SOCLE_ERROR_FAILED, "cannot read the terminal's mode");
	raw = saved;
	cfmakeraw(&raw);
	catch_crashes();
	atomic_store(&raw_fd, fd);
	if (tcsetattr(fd, TCSANOW, &raw) < 0) {
		atomic_store(&raw_fd, -1);
		return error_set(error, SOCLE_ERROR_FAILED, "cannot set the terminal to raw mode");
	}
	log_set_raw_terminal(true);
	return true;
}
