/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * terminal.c - raw mode of the terminal we run on, or one without an echo, taken back whatever happens
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
static const int end_signals[] = { SIGINT, SIGTERM, SIGHUP };

static struct termios saved; /* valid while changed_fd is not -1 */
static atomic_int changed_fd = -1;

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
	int fd = atomic_exchange(&changed_fd, -1);
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

static void on_end(int sig)
{
	terminal_restore();
	/* SA_RESETHAND: now for real. */
	(void)raise(sig);
}

static void catch_signals(const int *signals, size_t count)
{
	struct sigaction action = { .sa_handler = on_end, .sa_flags = SA_RESETHAND | SA_NODEFER };

	for (size_t i = 0; i < count; i++) {
		struct sigaction old;

		/* Whoever waits for a signal already (a sanitizer, a parent that ignores it) goes on
		 * doing so. */
		if (sigaction(signals[i], NULL, &old) == 0 && old.sa_handler == SIG_DFL)
			(void)sigaction(signals[i], &action, NULL);
	}
}

static bool save_mode(int fd, GError **error)
{
	return tcgetattr(fd, &saved) == 0 ||
	       error_set(error, SOCLE_ERROR_FAILED, "cannot read the terminal's mode");
}

static bool change_mode(int fd, const struct termios *mode, const char *what, GError **error)
{
	catch_signals(crash_signals, ARRAY_SIZE(crash_signals));
	atomic_store(&changed_fd, fd);
	if (tcsetattr(fd, TCSANOW, mode) == 0)
		return true;
	atomic_store(&changed_fd, -1);
	return error_set(error, SOCLE_ERROR_FAILED, "cannot set the terminal to %s", what);
}

bool terminal_raw(int fd, GError **error)
{
	struct termios mode;

	if (!save_mode(fd, error))
		return false;
	mode = saved;
	cfmakeraw(&mode);
	if (!change_mode(fd, &mode, "raw mode", error))
		return false;
	log_set_raw_terminal(true);
	return true;
}

bool terminal_hide(int fd, GError **error)
{
	struct termios mode;

	if (!save_mode(fd, error))
		return false;
	mode = saved;
	mode.c_lflag &= ~(tcflag_t)ECHO;
	mode.c_lflag |= ECHONL;
	mode.c_cc[VSUSP] = _POSIX_VDISABLE;
	catch_signals(end_signals, ARRAY_SIZE(end_signals));
	return change_mode(fd, &mode, "hide what is typed", error);
}
