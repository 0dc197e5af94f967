/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * daemonize.c - go to the background, and let the parent tell how it went
 */
#include "vmm/daemonize.h"

#include <fcntl.h>
#include <sys/wait.h>

#include "base/error.h"
#include "base/sys.h"

/* How did the child, which never got ready, end? */
static int exit_status(int pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return 1;
	return WEXITSTATUS(status);
}

bool daemonize_fork(struct daemonize *ret_daemon, GError **error)
{
	int fds[2], pid, r;
	char byte;

	r = sys_pipe(fds, 0);
	if (r < 0)
		return error_sys(error, r, "cannot go to the background");
	pid = sys_fork();
	if (pid < 0) {
		(void)close(fds[0]);
		(void)close(fds[1]);
		return error_sys(error, pid, "cannot go to the background");
	}
	(void)close(fds[pid ? 1 : 0]);
	if (pid == 0) {
		(void)setsid();
		*ret_daemon = (struct daemonize){ .fd = fds[1] };
		return true;
	}
	*ret_daemon = (struct daemonize){ .parent = true, .fd = -1 };
	if (sys_read(fds[0], &byte, 1) != 1)
		ret_daemon->status = exit_status(pid);
	(void)close(fds[0]);
	return true;
}

bool daemonize_ready(struct daemonize *daemon, GError **error)
{
	autofd int ready = fd_steal(&daemon->fd);
	autofd int null = sys_open("/dev/null", O_RDWR, 0);

	if (null < 0)
		return error_sys(error, null, "cannot open '/dev/null'");
	(void)sys_write(ready, "", 1);
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		(void)dup2(null, fd);
	return true;
}
