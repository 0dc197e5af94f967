/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * runner-graphics.c - where a machine's screen is shown, and to whom
 *
 * The socket at which VNC clients come in is ours: bound before the machine is there, so that a port
 * that was found free is free, and the definition says which. The machine inherits it. A path is bound
 * by the machine, who may not be allowed to.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "base/error.h"
#include "base/sys.h"
#include "daemon/runner-int.h"

enum {
	FIRST_PORT = 5900,
	LAST_PORT = 65535,
	BACKLOG = 16,
};

static bool is_there(const struct device_info *info)
{
	return info->fate != FATE_LEFT_OUT;
}

struct domain_graphics *runner_vnc(struct domain *live)
{
	for (unsigned i = 0; i < live->devices.graphics_count; i++) {
		if (is_there(&live->devices.graphics[i].info))
			return &live->devices.graphics[i];
	}
	return NULL;
}

/* Which of the kinds of "listen"; the first counts. */
static const char *kind_of(const struct domain_graphics *graphics)
{
	if (graphics->socket)
		return "socket";
	if (graphics->listen_count && graphics->listens[0].type)
		return graphics->listens[0].type;
	return "address";
}

static bool find_address(const char *text, struct sockaddr_storage *ret, socklen_t *ret_len)
{
	struct sockaddr_in *in = (void *)ret;
	struct sockaddr_in6 *in6 = (void *)ret;

	if (!g_strcmp0(text, "localhost"))
		text = "127.0.0.1";
	memset(ret, 0, sizeof(*ret));
	if (inet_pton(AF_INET, text, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		*ret_len = sizeof(*in);
		return true;
	}
	if (inet_pton(AF_INET6, text, &in6->sin6_addr) == 1) {
		in6->sin6_family = AF_INET6;
		*ret_len = sizeof(*in6);
		return true;
	}
	return false;
}

/* A socket that listens, or -errno. */
static int listen_at(struct sockaddr_storage *addr, socklen_t len, uint16_t port)
{
	autofd int fd = sys_socket(addr->ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	int r;

	if (fd < 0)
		return fd;
	if (addr->ss_family == AF_INET)
		((struct sockaddr_in *)(void *)addr)->sin_port = htons(port);
	else
		((struct sockaddr_in6 *)(void *)addr)->sin6_port = htons(port);
	(void)sys_setsockopt_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	r = sys_bind(fd, (const struct sockaddr *)(const void *)addr, len);
	if (r == 0)
		r = sys_listen(fd, BACKLOG);
	return r < 0 ? r : fd_steal(&fd);
}

static int open_tcp(struct domain_graphics *graphics, GError **error)
{
	const char *address = graphics->listen ? graphics->listen : "127.0.0.1";
	const bool any = graphics->autoport == TRI_YES || graphics->port.value <= 0;
	const int first = any ? FIRST_PORT : (int)graphics->port.value;
	const int last = any ? LAST_PORT : first;
	struct sockaddr_storage addr;
	socklen_t len;
	int fd = -EADDRINUSE, port = first;

	if (!find_address(address, &addr, &len)) {
		error_set(error, SOCLE_ERROR_UNSUPPORTED,
			  "<graphics>: '%s' is no address; give one in figures, as 127.0.0.1",
			  address);
		return -1;
	}
	for (; port <= last && fd == -EADDRINUSE; port++)
		fd = listen_at(&addr, len, (uint16_t)port);
	if (fd >= 0) {
		graphics->port = (struct number){ .value = port - 1, .set = true };
		return fd;
	}
	if (fd == -EADDRINUSE && !any)
		error_set(error, SOCLE_ERROR_BUSY,
			  "<graphics>: port %d is in use; give another one, or autoport='yes'",
			  first);
	else
		error_sys(error, fd, "<graphics>: cannot listen at '%s'", address);
	return -1;
}

/* A listen that says nothing of its path gets one in the machine's folder. */
static void give_path(struct domain_graphics *graphics, const char *dir)
{
	if (graphics->listen_count && !graphics->listens[0].socket)
		graphics->listens[0].socket = graphics->socket
						      ? g_strdup(graphics->socket)
						      : g_build_filename(dir, "vnc.sock", NULL);
}

bool runner_open_vnc(struct domain *live, const char *dir, int *ret_fd, GError **error)
{
	struct domain_graphics *graphics = runner_vnc(live);
	const char *kind;

	*ret_fd = -1;
	if (!graphics)
		return true;
	/* Clients look at the live definition for what there is. */
	graphics->type = GRAPHICS_VNC;
	kind = kind_of(graphics);
	if (!strcmp(kind, "none"))
		return true;
	if (!strcmp(kind, "socket")) {
		give_path(graphics, dir);
		return true;
	}
	if (strcmp(kind, "address") != 0)
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "<graphics>: <listen type='%.64s'/> is not supported; give "
				 "type='address', 'socket' or 'none'",
				 kind);
	*ret_fd = open_tcp(graphics, error);
	return *ret_fd >= 0;
}

/* ---- passwords ---- */

static const char *text_of_time(const struct domain_graphics *graphics, char *buf, size_t size)
{
	g_autoptr(GTimeZone) utc = g_time_zone_new_utc();
	g_autoptr(GDateTime) when = NULL;

	if (!graphics->passwd_valid_to)
		return "never";
	when = g_date_time_new_from_iso8601(graphics->passwd_valid_to, utc);
	if (!when)
		return "now";
	(void)g_snprintf(buf, size, "%" G_GINT64_FORMAT, g_date_time_to_unix(when));
	return buf;
}

void runner_set_password(struct runner *runner, const struct domain_graphics *graphics,
			 qmp_client_fn fn, void *opaque)
{
	const char *connected = graphics->connected ? graphics->connected : "keep";
	char when[32];

	runner_call(runner, "expire_password",
		    json_pack("{s:s,s:s}", "protocol", "vnc", "time",
			      text_of_time(graphics, when, sizeof(when))),
		    0, NULL, NULL);
	runner_call(runner, "set_password",
		    json_pack("{s:s,s:s,s:s}", "protocol", "vnc", "password", graphics->passwd,
			      "connected", connected),
		    0, fn, opaque);
}

static void on_updated(void *opaque, json_t *result, const GError *error)
{
	(void)result;
	task_end(opaque, error);
}

void runner_update_vnc(struct runner *runner, const struct domain_graphics *now,
		       const struct domain_graphics *next, struct task *task)
{
	g_autoptr(GError) error = NULL;

	if (!now->passwd != !next->passwd)
		error_set(&error, SOCLE_ERROR_UNSUPPORTED,
			  "whether VNC asks for a password cannot change while the machine runs; "
			  "change its configuration");
	else if (next->port.value > 0 && now->port.value != next->port.value)
		error_set(&error, SOCLE_ERROR_UNSUPPORTED,
			  "the port of VNC cannot change while the machine runs; change its "
			  "configuration");
	if (!error && next->passwd)
		runner_set_password(runner, next, on_updated, task);
	else
		task_end(task, error);
}
