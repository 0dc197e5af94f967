/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * dial.c - get a transport to the server that a URI names
 */
#include "client/dial-int.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>

#include "base/error.h"
#include "base/sys.h"
#include "client/local.h"

enum {
	PORT_TCP = 16509,
	PORT_TLS = 16514,
};

struct uri_dialer {
	struct dialer dialer;
	struct uri *uri;
	bool readonly;
	bool autostart;
};

static struct transport *dial_local(const struct uri *uri, GError **error)
{
	struct local_server server = { .fd = -1 };

	if (!local_server_open(uri->name, &server, error))
		return NULL;
	return transport_new_local(&server);
}

static struct transport *uri_dial(struct dialer *dialer, bool again, uint64_t deadline,
				  char **ret_name, GError **error)
{
	struct uri_dialer *d = container_of(dialer, struct uri_dialer, dialer);
	struct transport *transport = NULL;

	*ret_name = NULL;
	switch (d->uri->way) {
	case URI_UNIX:
		return dial_unix(d->uri, d->readonly, d->autostart && !again, deadline, ret_name,
				 error);
	case URI_LOCAL:
		transport = dial_local(d->uri, error);
		break;
	case URI_TCP:
	case URI_TLS:
		transport = dial_net(d->uri, deadline, error);
		break;
	case URI_SSH:
	case URI_EXT:
		transport = dial_program(d->uri, d->readonly, error);
		break;
	}
	if (transport)
		*ret_name = g_strdup(d->uri->name);
	return transport;
}

static void uri_dialer_free(struct dialer *dialer)
{
	struct uri_dialer *d = container_of(dialer, struct uri_dialer, dialer);

	uri_free(d->uri);
	g_free(d);
}

static const struct dialer_ops uri_dialer_ops = {
	.dial = uri_dial,
	.free = uri_dialer_free,
};

struct dialer *dialer_new(struct uri *uri, bool readonly, bool autostart)
{
	struct uri_dialer *d = g_new(struct uri_dialer, 1);

	*d = (struct uri_dialer){
		.dialer = { .ops = &uri_dialer_ops,
			    .slow = uri->way == URI_SSH || uri->way == URI_EXT },
		.uri = uri,
		.readonly = readonly,
		.autostart = autostart,
	};
	return &d->dialer;
}

void dialer_free(struct dialer *dialer)
{
	if (dialer)
		dialer->ops->free(dialer);
}

/* Return: 0, or -errno. */
static int connect_in_time(int fd, const struct addrinfo *to, uint64_t deadline)
{
	struct transport waiter = { .fd = fd };
	int rc = sys_connect(fd, to->ai_addr, to->ai_addrlen), value = 0;

	if (rc != -EINPROGRESS)
		return rc;
	do {
		struct pollfd poll_fd = { .fd = fd, .events = POLLOUT };

		if (!transport_wait(&waiter, POLLOUT, deadline, NULL))
			return -ETIMEDOUT;
		rc = sys_poll(&poll_fd, 1, 0);
	} while (rc == 0);
	if (rc < 0)
		return rc;
	rc = sys_getsockopt_int(fd, SOL_SOCKET, SO_ERROR, &value);
	return rc < 0 ? rc : -value;
}

static int try_addresses(const struct addrinfo *list, uint64_t deadline, int *ret_reason)
{
	for (const struct addrinfo *a = list; a; a = a->ai_next) {
		autofd int fd = sys_socket(a->ai_family, a->ai_socktype | SOCK_NONBLOCK, 0);
		int rc = fd < 0 ? fd : connect_in_time(fd, a, deadline);

		if (rc == 0) {
			/* Calls are small, and answers are waited for. */
			(void)sys_setsockopt_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
			return fd_steal(&fd);
		}
		*ret_reason = rc;
	}
	return -1;
}

struct transport *dial_net(const struct uri *uri, uint64_t deadline, GError **error)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG };
	unsigned port = uri->port ? uri->port : uri->way == URI_TLS ? PORT_TLS : PORT_TCP;
	g_autofree char *service = g_strdup_printf("%u", port);
	struct addrinfo *list = NULL;
	int rc, reason = -EHOSTUNREACH, fd;

	rc = getaddrinfo(uri->host, service, &hints, &list);
	if (rc != 0) {
		error_set(error, SOCLE_ERROR_NOT_FOUND, "cannot find host '%s': %s", uri->host,
			  gai_strerror(rc));
		return NULL;
	}
	fd = try_addresses(list, deadline, &reason);
	freeaddrinfo(list);
	if (fd < 0) {
		error_sys(error, reason, "cannot connect to port %u of '%s'", port, uri->host);
		return NULL;
	}
	if (uri->way == URI_TLS)
		return transport_new_tls(fd, uri->host, uri->pkipath, uri->no_verify, deadline,
					 error);
	return transport_new_socket(fd, false);
}
