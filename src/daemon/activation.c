/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * activation.c - what a service manager gives us in the environment, and wants to hear
 */
#include "daemon/activation.h"

#include <fcntl.h>
#include <glib.h>
#include <string.h>
#include <sys/un.h>

#include "base/sys.h"

enum {
	FDS_MAX = 64
};

unsigned activation_fds(void)
{
	const char *pid_text = g_getenv("LISTEN_PID"), *fds_text = g_getenv("LISTEN_FDS");
	guint64 pid = 0, fds = 0;

	if (!pid_text || !fds_text ||
	    !g_ascii_string_to_unsigned(pid_text, 10, 1, G_MAXINT32, &pid, NULL) ||
	    !g_ascii_string_to_unsigned(fds_text, 10, 0, FDS_MAX, &fds, NULL) ||
	    (pid_t)pid != getpid())
		fds = 0;
	g_unsetenv("LISTEN_PID");
	g_unsetenv("LISTEN_FDS");
	g_unsetenv("LISTEN_FDNAMES");
	for (int i = 0; i < (int)fds; i++)
		(void)fcntl(ACTIVATION_FIRST_FD + i, F_SETFD, FD_CLOEXEC);
	return (unsigned)fds;
}

void activation_notify(const char *what)
{
	const char *path = g_getenv("NOTIFY_SOCKET");
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct iovec iov = { (void *)(uintptr_t)what, strlen(what) };
	struct msghdr msg = { .msg_name = &addr, .msg_iov = &iov, .msg_iovlen = 1 };
	autofd int fd = -1;

	if (!path || strlen(path) < 2 || strlen(path) >= sizeof(addr.sun_path))
		return;
	memcpy(addr.sun_path, path, strlen(path));
	msg.msg_namelen = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
	/* A name that is not in the file system. */
	if (path[0] == '@')
		addr.sun_path[0] = '\0';
	fd = sys_socket(AF_UNIX, SOCK_DGRAM, 0);
	if (fd >= 0)
		(void)sys_sendmsg(fd, &msg, MSG_DONTWAIT);
}
