/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * unix-listener.c - a Unix socket in the file system that waits for clients
 */
#include "base/unix-listener.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/acceptor.h"
#include "base/error.h"
#include "base/sys.h"
#include "base/unix-connect.h"

enum {
	BACKLOG = 128
};

struct unix_listener {
	struct acceptor *acceptor;
	char *path;
	dev_t dev; /* of the file, to know it again */
	ino_t ino;
};

/* Is the file at @path a socket that nobody listens on? Else tell what it is. */
static bool check_stale(const char *path, GError **error)
{
	autofd int fd = -1;
	struct stat st;

	if (lstat(path, &st) == 0 && !S_ISSOCK(st.st_mode))
		return error_set(
			error, SOCLE_ERROR_EXISTS,
			"'%s' exists and is not a socket; remove it or choose another path", path);
	fd = unix_connect(path, SOCK_NONBLOCK);
	if (fd == -ECONNREFUSED || fd == -ENOENT)
		return true;
	if (fd >= 0 || fd == -EAGAIN)
		return error_set(error, SOCLE_ERROR_BUSY,
				 "socket '%s' is in use by another process; choose another path or "
				 "end that process",
				 path);
	return error_sys(error, fd, "cannot replace socket '%s'", path);
}

/* bind(), without a moment in which others may connect. */
static int bind_private(int fd, const struct sockaddr_un *addr)
{
	const struct sockaddr *any = (const void *)addr;
	mode_t old = umask(0177);
	int r = sys_bind(fd, any, sizeof(*addr));

	(void)umask(old);
	return r;
}

struct unix_listener *unix_listener_new(const char *path, GError **error)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct unix_listener *listener;
	struct acceptor *acceptor = NULL;
	autofd int fd = -1;
	struct stat st = { 0 };
	int r;

	if (strlen(path) >= sizeof(addr.sun_path)) {
		error_set(error, SOCLE_ERROR_LIMIT,
			  "socket path '%s' has %zu bytes and the system allows %zu; use a shorter "
			  "one, or a relative one",
			  path, strlen(path), sizeof(addr.sun_path) - 1);
		return NULL;
	}
	g_strlcpy(addr.sun_path, path, sizeof(addr.sun_path));
	fd = sys_socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (fd < 0) {
		error_sys(error, fd, "cannot make a socket");
		return NULL;
	}
	r = bind_private(fd, &addr);
	if (r == -EADDRINUSE) {
		if (!check_stale(path, error))
			return NULL;
		(void)sys_unlink(path);
		r = bind_private(fd, &addr);
	}
	if (r < 0) {
		error_sys(error, r, "cannot create socket '%s'", path);
		return NULL;
	}
	(void)lstat(path, &st);
	r = sys_listen(fd, BACKLOG);
	if (r < 0)
		error_sys(error, r, "cannot listen on socket '%s'", path);
	else
		acceptor = acceptor_new(fd_steal(&fd), error);
	if (!acceptor) {
		(void)sys_unlink(path);
		return NULL;
	}
	listener = g_new(struct unix_listener, 1);
	*listener = (struct unix_listener){
		.acceptor = acceptor,
		.path = g_strdup(path),
		.dev = st.st_dev,
		.ino = st.st_ino,
	};
	return listener;
}

void unix_listener_free(struct unix_listener *listener)
{
	struct stat st;

	if (!listener)
		return;
	if (lstat(listener->path, &st) == 0 && st.st_dev == listener->dev &&
	    st.st_ino == listener->ino)
		(void)sys_unlink(listener->path);
	acceptor_free(listener->acceptor);
	g_free(listener->path);
	g_free(listener);
}

int unix_listener_accept(struct unix_listener *listener)
{
	return acceptor_accept(listener->acceptor);
}

int unix_listener_fd(const struct unix_listener *listener)
{
	return acceptor_fd(listener->acceptor);
}
