/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * acceptor.c - takes clients from a listening socket, with patience
 *
 * The descriptor that others wait for is an epoll instance with the socket and a clock in it. When a
 * client cannot be accepted, the socket is muted and the clock set; when the clock rings, the next
 * call takes the mute back.
 */
#include "base/acceptor.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/epoll.h>

#include "base/error.h"
#include "base/sys.h"

static const uint64_t patience_ns = 100000000;

struct acceptor {
	int fd, clock, epoll;
	bool muted;
};

/* Both are watched, the socket for nothing while it is muted. */
static int set_up(struct acceptor *acceptor)
{
	int ret;

	acceptor->clock = sys_timerfd_create();
	if (acceptor->clock < 0)
		return acceptor->clock;
	acceptor->epoll = sys_epoll_create();
	if (acceptor->epoll < 0)
		return acceptor->epoll;
	ret = sys_epoll_ctl(acceptor->epoll, EPOLL_CTL_ADD, acceptor->clock, EPOLLIN, 0);
	if (ret < 0)
		return ret;
	return sys_epoll_ctl(acceptor->epoll, EPOLL_CTL_ADD, acceptor->fd, EPOLLIN, 0);
}

struct acceptor *acceptor_new(int fd, GError **error)
{
	autoptr(acceptor) acceptor = g_new(struct acceptor, 1);
	int ret;

	*acceptor = (struct acceptor){ .fd = fd, .clock = -1, .epoll = -1 };
	ret = set_up(acceptor);
	if (ret < 0) {
		error_sys(error, ret, "cannot wait for clients");
		return NULL;
	}
	return g_steal_pointer(&acceptor);
}

void acceptor_free(struct acceptor *acceptor)
{
	if (!acceptor)
		return;
	fd_autoclose(&acceptor->epoll);
	fd_autoclose(&acceptor->clock);
	fd_autoclose(&acceptor->fd);
	g_free(acceptor);
}

int acceptor_fd(const struct acceptor *acceptor)
{
	return acceptor->epoll;
}

/* Neither call needs a descriptor. Should one fail, we spin, and come here again. */
static void mute(struct acceptor *acceptor, bool on)
{
	if (sys_timerfd_set(acceptor->clock, on ? patience_ns : 0) < 0)
		return;
	if (sys_epoll_ctl(acceptor->epoll, EPOLL_CTL_MOD, acceptor->fd, on ? 0 : EPOLLIN, 0) == 0)
		acceptor->muted = on;
}

int acceptor_accept(struct acceptor *acceptor)
{
	int client;

	/* The one who calls has seen the clock ring, or does not wait for us. */
	if (acceptor->muted)
		mute(acceptor, false);
	client = sys_accept(acceptor->fd, SOCK_NONBLOCK);
	if (client == -EMFILE || client == -ENFILE || client == -ENOMEM || client == -ENOBUFS) {
		mute(acceptor, true);
		return -EAGAIN;
	}
	/* A client that has gone meanwhile is none. */
	return client == -ECONNABORTED ? -EAGAIN : client;
}
