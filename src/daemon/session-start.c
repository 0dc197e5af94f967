/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * session-start.c - connect to a daemon, and start that of this user's session if there is none
 *
 * Two processes are forked: the first ends at once, so the daemon is nobody's child, and nobody has
 * to wait for it.
 */
#include "daemon/session-start.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "base/error.h"
#include "base/sys.h"

enum {
	PATIENCE_MS = 10000,
	PAUSE_US = 20000,
};

int session_connect(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	autofd int fd = -1;
	int r;

	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	g_strlcpy(addr.sun_path, path, sizeof(addr.sun_path));
	fd = sys_socket(AF_UNIX, SOCK_STREAM, 0);
	if (fd < 0)
		return fd;
	r = sys_connect(fd, (const struct sockaddr *)&addr, sizeof(addr));
	return r < 0 ? r : fd_steal(&fd);
}

/* $SOCLED_PATH, or beside this program, or where it is installed. */
static char *find_program(void)
{
	const char *given = g_getenv("SOCLED_PATH");
	g_autofree char *self = g_file_read_link("/proc/self/exe", NULL);
	g_autofree char *folder = self ? g_path_get_dirname(self) : NULL;
	g_autofree char *beside = folder ? g_build_filename(folder, "socled", NULL) : NULL;

	if (given && *given)
		return g_strdup(given);
	if (beside && g_file_test(beside, G_FILE_TEST_IS_EXECUTABLE))
		return g_steal_pointer(&beside);
	return g_strdup(SOCLE_SBINDIR "/socled");
}

/* In the second child. Only what may be called between fork and exec. */
static void become(const char *program, int null)
{
	static char session_option[] = "--session";
	char *const argv[] = { (char *)(uintptr_t)program, session_option, NULL };

	(void)setsid();
	if (chdir("/") < 0)
		_exit(127);
	for (int fd = 0; fd < 3; fd++)
		(void)dup2(null, fd);
	(void)signal(SIGPIPE, SIG_DFL);
	(void)execv(program, argv);
	_exit(127);
}

static bool spawn(const char *program, GError **error)
{
	autofd int null = sys_open("/dev/null", O_RDWR, 0);
	int pid, status;

	if (null < 0)
		return error_sys(error, null, "cannot open /dev/null");
	pid = sys_fork();
	if (pid < 0)
		return error_sys(error, pid, "cannot start '%s'", program);
	if (pid == 0) {
		pid = sys_fork();
		if (pid == 0)
			become(program, null);
		_exit(pid < 0);
	}
	while (waitpid(pid, &status, 0) < 0 && sys_last_error() == -EINTR)
		;
	return true;
}

int session_start(const char *path, GError **error)
{
	g_autofree char *program = find_program();
	gint64 end = g_get_monotonic_time() + PATIENCE_MS * 1000ll;
	int fd;

	if (access(program, X_OK) < 0) {
		error_set(error, SOCLE_ERROR_NOT_FOUND,
			  "there is no daemon at '%s' and no program '%s' to start; install "
			  "socled, or "
			  "set SOCLED_PATH",
			  path, program);
		return -1;
	}
	if (!spawn(program, error))
		return -1;
	do {
		g_usleep(PAUSE_US);
		fd = session_connect(path);
	} while (fd < 0 && g_get_monotonic_time() < end);
	if (fd < 0)
		error_sys(
			error, fd,
			"'%s --session' was started and is not at '%s' after %d seconds; run it by "
			"hand to see why",
			program, path, PATIENCE_MS / 1000);
	return fd < 0 ? -1 : fd;
}
