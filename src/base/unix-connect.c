/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * unix-connect.c - to who listens on a Unix socket
 */
#include "base/unix-connect.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/un.h>

#include "base/sys.h"

int unix_connect(const char *path, int flags)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	const struct sockaddr *any = (const void *)&addr;
	size_t len = strlen(path);
	autofd int fd = -1;
	int r;

	if (len >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	memcpy(addr.sun_path, path, len);
	fd = sys_socket(AF_UNIX, SOCK_STREAM | flags, 0);
	r = fd < 0 ? fd : sys_connect(fd, any, sizeof(addr));
	return r < 0 ? r : fd_steal(&fd);
}

char *unix_peer_path(int fd)
{
	struct sockaddr_un addr = { .sun_family = AF_UNSPEC };
	socklen_t len = sizeof(addr);

	if (getpeername(fd, (void *)&addr, &len) < 0 || addr.sun_family != AF_UNIX ||
	    len <= offsetof(struct sockaddr_un, sun_path) || addr.sun_path[0] == '\0')
		return NULL;
	/* A path that fills all of it has no zero behind. */
	return strndup(addr.sun_path, len - offsetof(struct sockaddr_un, sun_path));
}
