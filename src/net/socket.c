/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * socket.c - addresses and sockets for the back ends that speak to a peer
 */
#include "net/socket.h"

#include <errno.h>
#include <netdb.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/error.h"
#include "base/sys.h"

void socket_address_release(struct socket_address *address)
{
	g_clear_pointer(&address->name, g_free);
}

void socket_address_copy(struct socket_address *ret, const struct socket_address *address)
{
	*ret = *address;
	ret->name = g_strdup(address->name);
}

bool socket_address_unix(struct socket_address *ret, const char *path, GError **error)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	if (!*path)
		return error_set(error, SOCLE_ERROR_USAGE, "the path of a socket is empty");
	if (strlen(path) >= sizeof(addr.sun_path))
		return error_set(error, SOCLE_ERROR_LIMIT,
				 "socket path '%s' has %zu bytes and the system allows %zu; use a "
				 "shorter one, or a relative one",
				 path, strlen(path), sizeof(addr.sun_path) - 1);
	g_strlcpy(addr.sun_path, path, sizeof(addr.sun_path));
	*ret = (struct socket_address){ .len = sizeof(addr), .name = g_strdup(path) };
	memcpy(&ret->addr, &addr, sizeof(addr));
	return true;
}

bool socket_is_numeric(const char *host)
{
	const struct addrinfo hints = { .ai_flags = AI_NUMERICHOST };
	struct addrinfo *found = NULL;

	if (host && getaddrinfo(host, NULL, &hints, &found) != 0)
		return false;
	if (found)
		freeaddrinfo(found);
	return true;
}

bool socket_address_inet(struct socket_address *ret, const char *host, uint16_t port, int type,
			 bool passive, GError **error)
{
	const struct addrinfo hints = {
		.ai_flags = AI_NUMERICSERV | (passive ? AI_PASSIVE : 0),
		.ai_socktype = type,
	};
	struct addrinfo *found = NULL;
	char service[8];
	int r;

	if (!passive && port == 0)
		return error_set(error, SOCLE_ERROR_USAGE, "'%s' needs a port from 1 to 65535",
				 host ? host : "");
	(void)g_snprintf(service, sizeof(service), "%u", port);
	r = getaddrinfo(host, service, &hints, &found);
	if (r != 0 || !found)
		return error_set(error, SOCLE_ERROR_NOT_FOUND, "cannot find host '%s': %s",
				 host ? host : "", gai_strerror(r));
	*ret = (struct socket_address){
		.len = found->ai_addrlen,
		.name = g_strdup_printf(host && strchr(host, ':') ? "[%s]:%u" : "%s:%u",
					host ? host : "*", port),
	};
	memcpy(&ret->addr, found->ai_addr, found->ai_addrlen);
	freeaddrinfo(found);
	return true;
}

void socket_unlink(const struct socket_address *address)
{
	struct sockaddr_un addr;

	if (address->addr.ss_family != AF_UNIX)
		return;
	memcpy(&addr, &address->addr, sizeof(addr));
	(void)sys_unlink(addr.sun_path);
}

/* A socket file that is in the way: may it go? */
static bool is_stale(const struct socket_address *address, int type)
{
	struct sockaddr_un addr;
	struct stat st;
	autofd int fd = -1;

	if (address->addr.ss_family != AF_UNIX)
		return false;
	memcpy(&addr, &address->addr, sizeof(addr));
	if (lstat(addr.sun_path, &st) < 0 || !S_ISSOCK(st.st_mode))
		return false;
	fd = sys_socket(AF_UNIX, type | SOCK_NONBLOCK, 0);
	return fd >= 0 && sys_connect(fd, (const void *)&addr, sizeof(addr)) == -ECONNREFUSED;
}

/* bind(2); only this user may send to the file of a Unix socket, whatever the umask. */
static int bind_private(int fd, const struct socket_address *address)
{
	const struct sockaddr *any = (const void *)&address->addr;
	mode_t old;
	int r;

	if (address->addr.ss_family != AF_UNIX)
		return sys_bind(fd, any, address->len);
	old = umask(0177);
	r = sys_bind(fd, any, address->len);
	(void)umask(old);
	return r;
}

int socket_bind(const struct socket_address *address, int type, GError **error)
{
	bool unix_path = address->addr.ss_family == AF_UNIX;
	autofd int fd = sys_socket(address->addr.ss_family, type | SOCK_NONBLOCK, 0);
	int r;

	if (fd < 0) {
		error_sys(error, fd, "cannot make a socket");
		return -1;
	}
	if (!unix_path && type == SOCK_STREAM)
		(void)sys_setsockopt_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	r = bind_private(fd, address);
	if (r == -EADDRINUSE && is_stale(address, type)) {
		socket_unlink(address);
		r = bind_private(fd, address);
	}
	if (r == 0 && type == SOCK_STREAM) {
		r = sys_listen(fd, 1);
		if (r < 0 && unix_path)
			socket_unlink(address);
	}
	if (r == -EADDRINUSE) {
		error_set(error, SOCLE_ERROR_BUSY,
			  "cannot listen at '%s': it is in use; choose another address or end the "
			  "program that has it",
			  address->name);
		return -1;
	}
	if (r < 0) {
		error_sys(error, r, "cannot listen at '%s'", address->name);
		return -1;
	}
	return fd_steal(&fd);
}

bool socket_take_fd(int fd, int type, GError **error)
{
	int have = 0, r = sys_getsockopt_int(fd, SOL_SOCKET, SO_TYPE, &have);

	if (r < 0)
		return error_sys(error, r, "descriptor %d is not a socket", fd);
	if (have != type)
		return error_set(error, SOCLE_ERROR_USAGE, "descriptor %d is not a %s socket", fd,
				 type == SOCK_STREAM ? "stream" : "datagram");
	r = sys_set_nonblock(fd);
	if (r < 0)
		return error_sys(error, r, "cannot use descriptor %d", fd);
	return true;
}
