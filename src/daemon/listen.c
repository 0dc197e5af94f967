/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * listen.c - where clients can come
 */
#include "daemon/listen.h"

#include <errno.h>
#include <glib-unix.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/un.h>

#include "base/acceptor.h"
#include "base/account.h"
#include "base/error.h"
#include "base/sys.h"
#include "base/unix-listener.h"
#include "daemon/activation.h"
#include "daemon/clients.h"

enum {
	BACKLOG = 128,
	AT_ONCE = 16, /* clients in one turn */
};

/* One of the two is not NULL. */
struct listener {
	struct unix_listener *file;
	struct acceptor *acceptor;
	guint source;
	struct clients *clients;
	struct clients_door door;
};

struct listeners {
	struct clients *clients;
	GPtrArray *all; /* of struct listener */
};

static void listener_free(void *opaque)
{
	struct listener *listener = opaque;

	if (listener->source)
		g_source_remove(listener->source);
	unix_listener_free(listener->file);
	acceptor_free(listener->acceptor);
	g_free(listener);
}

static int accept_one(struct listener *listener)
{
	return listener->file ? unix_listener_accept(listener->file)
			      : acceptor_accept(listener->acceptor);
}

static gboolean on_clients(gint fd, GIOCondition condition, gpointer opaque)
{
	struct listener *listener = opaque;

	(void)fd;
	(void)condition;
	for (unsigned i = 0; i < AT_ONCE; i++) {
		int client = accept_one(listener);

		if (client < 0)
			break;
		if (!listener->door.local) {
			/* Answers are small; a client whose host is gone is to be found out. */
			(void)sys_setsockopt_int(client, IPPROTO_TCP, TCP_NODELAY, 1);
			(void)sys_setsockopt_int(client, SOL_SOCKET, SO_KEEPALIVE, 1);
		}
		clients_add(listener->clients, client, &listener->door);
	}
	return G_SOURCE_CONTINUE;
}

/* @file or @acceptor is taken over. */
static void add(struct listeners *listeners, struct unix_listener *file, struct acceptor *acceptor,
		const struct clients_door *door)
{
	struct listener *listener = g_new(struct listener, 1);

	*listener = (struct listener){
		.file = file,
		.acceptor = acceptor,
		.clients = listeners->clients,
		.door = *door,
	};
	listener->source = g_unix_fd_add(file ? unix_listener_fd(file) : acceptor_fd(acceptor),
					 G_IO_IN, on_clients, listener);
	g_ptr_array_add(listeners->all, listener);
}

struct listeners *listeners_new(struct clients *clients)
{
	struct listeners *listeners = g_new(struct listeners, 1);

	*listeners = (struct listeners){
		.clients = clients,
		.all = g_ptr_array_new_with_free_func(listener_free),
	};
	return listeners;
}

void listeners_free(struct listeners *listeners)
{
	if (!listeners)
		return;
	g_ptr_array_unref(listeners->all);
	g_free(listeners);
}

/* == In the file system == */

static bool let_in(const char *path, const char *group, mode_t mode, GError **error)
{
	gid_t gid = 0;
	int r = 0;

	if (group && !account_group(group, &gid))
		return error_set(
			error, SOCLE_ERROR_NOT_FOUND,
			"there is no group '%s'; make it with groupadd --system %s, or name "
			"another one with --socket-group",
			group, group);
	if (group)
		r = sys_chown(path, (uid_t)-1, gid);
	if (r == 0)
		r = sys_chmod(path, mode);
	if (r < 0)
		return error_sys(error, r, "cannot set who may use socket '%s'", path);
	return true;
}

static bool add_file(struct listeners *listeners, const char *path, const char *group, mode_t mode,
		     bool read_only, GError **error)
{
	struct clients_door door = { .read_only = read_only, .local = true };
	autoptr(unix_listener) file = unix_listener_new(path, error);

	if (!file || !let_in(path, group, mode, error))
		return false;
	add(listeners, g_steal_pointer(&file), NULL, &door);
	return true;
}

bool listeners_add_pair(struct listeners *listeners, const char *path, const char *group, bool open,
			GError **error)
{
	g_autofree char *read_only = g_strconcat(path, "-ro", NULL);

	return add_file(listeners, path, group, group ? 0770 : 0700, false, error) &&
	       add_file(listeners, read_only, NULL, open ? 0777 : 0700, true, error);
}

/* == In the network == */

static int listen_at(const struct addrinfo *addr)
{
	autofd int fd = sys_socket(addr->ai_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	int r;

	if (fd < 0)
		return fd;
	(void)sys_setsockopt_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	r = sys_bind(fd, addr->ai_addr, addr->ai_addrlen);
	if (r == 0)
		r = sys_listen(fd, BACKLOG);
	return r < 0 ? r : fd_steal(&fd);
}

/* "[::]:16514", "0.0.0.0:16514", "localhost:16509" */
static bool split(const char *where, char **ret_host, char **ret_port, GError **error)
{
	const char *colon = strrchr(where, ':');
	size_t len = colon ? (size_t)(colon - where) : 0;

	if (len && where[0] == '[' && where[len - 1] == ']') {
		where++;
		len -= 2;
	} else if (len && memchr(where, ':', len)) {
		len = 0;
	}
	if (!len || !colon[1])
		return error_set(error, SOCLE_ERROR_USAGE,
				 "'%s' is not of the form ADDRESS:PORT, as 0.0.0.0:16514 or "
				 "[::]:16514",
				 where);
	*ret_host = g_strndup(where, len);
	*ret_port = g_strdup(colon + 1);
	return true;
}

bool listeners_add_inet(struct listeners *listeners, const char *where, struct tls *tls,
			GError **error)
{
	struct clients_door door = { .tls = tls };
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE }, *list;
	g_autofree char *host = NULL, *port = NULL;
	struct acceptor *acceptor;
	int r, fd = -EADDRNOTAVAIL;

	if (!split(where, &host, &port, error))
		return false;
	r = getaddrinfo(host, port, &hints, &list);
	if (r)
		return error_set(error, SOCLE_ERROR_USAGE, "'%s' is no address to listen at: %s",
				 where, gai_strerror(r));
	for (struct addrinfo *at = list; at && fd < 0; at = at->ai_next)
		fd = listen_at(at);
	freeaddrinfo(list);
	if (fd < 0)
		return error_sys(error, fd, "cannot listen at '%s'", where);
	acceptor = acceptor_new(fd, error);
	if (!acceptor)
		return false;
	add(listeners, NULL, acceptor, &door);
	return true;
}

/* == From a service manager == */

static bool add_activated(struct listeners *listeners, int fd, struct tls *tls, unsigned *local,
			  GError **error)
{
	union {
		struct sockaddr any;
		struct sockaddr_un file;
		struct sockaddr_storage space;
	} addr = { 0 };
	socklen_t len = sizeof(addr);
	struct clients_door door = { .tls = tls };
	struct acceptor *acceptor;

	if (getsockname(fd, &addr.any, &len) < 0) {
		error_set(error, SOCLE_ERROR_USAGE,
			  "descriptor %d of the service manager is no socket; mend the unit file",
			  fd);
		fd_autoclose(&fd);
		return false;
	}
	if (addr.any.sa_family == AF_UNIX) {
		door = (struct clients_door){ .local = true };
		door.read_only = g_str_has_suffix(addr.file.sun_path, "-ro");
		(*local)++;
	} else if (!tls) {
		fd_autoclose(&fd);
		return error_set(
			error, SOCLE_ERROR_USAGE,
			"the service manager has given a socket of the network, and there are "
			"no certificates; name them with --tls-ca, --tls-cert and --tls-key");
	}
	(void)sys_set_nonblock(fd);
	acceptor = acceptor_new(fd, error);
	if (!acceptor)
		return false;
	add(listeners, NULL, acceptor, &door);
	return true;
}

bool listeners_add_activated(struct listeners *listeners, struct tls *tls, unsigned *ret_local,
			     GError **error)
{
	unsigned count = activation_fds();

	*ret_local = 0;
	for (unsigned i = 0; i < count; i++) {
		if (!add_activated(listeners, ACTIVATION_FIRST_FD + (int)i, tls, ret_local, error))
			return false;
	}
	return true;
}
