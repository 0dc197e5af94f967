/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * netlink.c - to be told by the kernel when others change something
 */
#include "host/netlink.h"

#include <errno.h>
#include <linux/netlink.h>

#include "base/sys.h"

int netlink_watch(int protocol, uint32_t groups)
{
	const struct sockaddr_nl addr = { .nl_family = AF_NETLINK, .nl_groups = groups };
	autofd int fd = sys_socket(AF_NETLINK, SOCK_RAW, protocol);
	int r;

	if (fd < 0)
		return fd;
	r = sys_bind(fd, (const struct sockaddr *)(const void *)&addr, sizeof(addr));
	if (r >= 0)
		r = sys_set_nonblock(fd);
	return r < 0 ? r : fd_steal(&fd);
}

void netlink_drain(int fd)
{
	char bytes[2048];
	ssize_t n;

	/* What did not fit is an error, and a change as well. */
	do {
		n = sys_read(fd, bytes, sizeof(bytes));
	} while (n > 0 || n == -ENOBUFS);
}
