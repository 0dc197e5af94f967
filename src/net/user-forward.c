/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * user-forward.c - user mode networking: ports of the host, and services of the guest's network
 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/un.h>

#include "base/error.h"
#include "base/sys.h"
#include "net/user-int.h"

struct forward_call {
	struct net_user *user;
	const struct sockaddr *host, *guest;
	socklen_t host_len, guest_len;
	int flags, result;
};

static socklen_t address_len(const struct sockaddr_storage *addr)
{
	return addr->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6)
					   : sizeof(struct sockaddr_in);
}

/* An address in figures; names are not looked up. */
static bool parse_address(const char *text, uint16_t port, struct sockaddr_storage *ret)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

	memset(ret, 0, sizeof(*ret));
	if (inet_pton(AF_INET, text, &v4.sin_addr) == 1) {
		memcpy(ret, &v4, sizeof(v4));
		return true;
	}
	if (inet_pton(AF_INET6, text, &v6.sin6_addr) == 1) {
		memcpy(ret, &v6, sizeof(v6));
		return true;
	}
	return false;
}

static const char *protocol_name(const struct net_forward *forward)
{
	return forward->udp ? "udp" : "tcp";
}

/* "127.0.0.1 tcp port 2222" */
static char *host_name(const struct net_forward *forward)
{
	if (!forward->host || !*forward->host)
		return g_strdup_printf("%s port %u", protocol_name(forward), forward->host_port);
	return g_strdup_printf("%s port %u of %s", protocol_name(forward), forward->host_port,
			       forward->host);
}

static bool check_host(const struct net_forward *forward, struct sockaddr_storage *ret_host,
		       GError **error)
{
	const char *host = forward->host && *forward->host ? forward->host : "0.0.0.0";

	if (forward->host_port == 0)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "cannot forward %s port 0; name a port from 1 to 65535",
				 protocol_name(forward));
	if (!parse_address(host, forward->host_port, ret_host))
		return error_set(error, SOCLE_ERROR_USAGE,
				 "host address '%s' of a forwarded port is not an IP address",
				 host);
	return true;
}

static bool check_guest(struct net_user *user, const struct net_forward *forward,
			const struct sockaddr_storage *host, struct sockaddr_storage *ret_guest,
			GError **error)
{
	const char *guest = forward->guest;
	struct sockaddr_in v4;

	if (forward->guest_port == 0)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "cannot forward to %s port 0 of the guest; name a port from 1 to "
				 "65535",
				 protocol_name(forward));
	if (!guest || !*guest) {
		if (host->ss_family == AF_INET6)
			return error_set(error, SOCLE_ERROR_USAGE,
					 "a port forwarded from IPv6 needs the guest's IPv6 "
					 "address; add it");
		guest = "0.0.0.0";
	}
	if (!parse_address(guest, forward->guest_port, ret_guest))
		return error_set(error, SOCLE_ERROR_USAGE,
				 "guest address '%s' of a forwarded port is not an IP address",
				 guest);
	if (ret_guest->ss_family != host->ss_family)
		return error_set(
			error, SOCLE_ERROR_USAGE,
			"cannot forward between IPv4 and IPv6; name addresses of one kind");
	if (ret_guest->ss_family == AF_INET6 ? user->no_ipv6 : user->no_ipv4)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "cannot forward to %s: its protocol is switched off", guest);
	if (ret_guest->ss_family != AF_INET)
		return true;
	memcpy(&v4, ret_guest, sizeof(v4));
	if (v4.sin_addr.s_addr != 0 &&
	    (v4.sin_addr.s_addr & user->mask.s_addr) != user->network.s_addr)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "guest address %s of a forwarded port is outside the guest's "
				 "network; choose one inside",
				 guest);
	return true;
}

static void call_add(void *opaque)
{
	struct forward_call *call = opaque;

	sys_clear_error();
	call->result = slirp_add_hostxfwd(call->user->slirp, call->host, call->host_len,
					  call->guest, call->guest_len, call->flags);
	if (call->result < 0)
		call->result = sys_last_error();
	user_poll_changed(call->user);
}

static void call_remove(void *opaque)
{
	struct forward_call *call = opaque;

	call->result =
		slirp_remove_hostxfwd(call->user->slirp, call->host, call->host_len, call->flags);
	user_poll_changed(call->user);
}

/* libslirp belongs to the loop while there is one. */
static void call_slirp(struct net_user *user, void (*fn)(void *opaque), struct forward_call *call)
{
	if (user->loop)
		io_loop_call(user->loop, fn, call);
	else
		fn(call);
}

static struct user_forward **find_forward(struct net_user *user, bool udp,
					  const struct sockaddr_storage *host)
{
	struct user_forward **p = &user->forwards;

	while (*p &&
	       ((*p)->forward.udp != udp || memcmp(&(*p)->host, host, address_len(host)) != 0))
		p = &(*p)->next;
	return p;
}

static void forward_free(struct user_forward *entry)
{
	g_free((void *)(uintptr_t)entry->forward.host);
	g_free((void *)(uintptr_t)entry->forward.guest);
	g_free(entry);
}

void user_free_forwards(struct net_user *user)
{
	struct user_forward *entry = user->forwards;

	while (entry) {
		struct user_forward *next = entry->next;

		forward_free(entry);
		entry = next;
	}
	user->forwards = NULL;
}

static int forward_flags(const struct net_forward *forward, const struct sockaddr_storage *host)
{
	return (forward->udp ? SLIRP_HOSTFWD_UDP : 0) |
	       (host->ss_family == AF_INET6 ? SLIRP_HOSTFWD_V6ONLY : 0);
}

/* What the system said, and what can be done about it. */
static bool explain(const struct net_forward *forward, int result, GError **error)
{
	g_autofree char *name = host_name(forward);

	switch (result) {
	case -EADDRINUSE:
		return error_set(error, SOCLE_ERROR_BUSY,
				 "cannot forward %s: it is in use; choose another port or end the "
				 "program that listens there",
				 name);
	case -EACCES:
	case -EPERM:
		return error_set(error, SOCLE_ERROR_DENIED,
				 "cannot forward %s: no permission; choose a port above 1023",
				 name);
	case -EADDRNOTAVAIL:
		return error_set(error, SOCLE_ERROR_USAGE,
				 "cannot forward %s: this host does not have that address", name);
	default:
		return error_sys(error, result, "cannot forward %s", name);
	}
}

bool user_add_forward(struct net_user *user, const struct net_forward *forward, GError **error)
{
	struct sockaddr_storage host = { 0 }, guest = { 0 };
	struct user_forward **p, *entry;
	struct forward_call call;

	if (!check_host(forward, &host, error) || !check_guest(user, forward, &host, &guest, error))
		return false;
	p = find_forward(user, forward->udp, &host);
	if (*p)
		return explain(forward, -EADDRINUSE, error);
	call = (struct forward_call){
		.user = user,
		.host = (const void *)&host,
		.guest = (const void *)&guest,
		.host_len = address_len(&host),
		.guest_len = address_len(&guest),
		.flags = forward_flags(forward, &host),
	};
	call_slirp(user, call_add, &call);
	if (call.result < 0)
		return explain(forward, call.result, error);
	entry = g_new(struct user_forward, 1);
	*entry = (struct user_forward){ .forward = *forward, .host = host };
	entry->forward.host = g_strdup(forward->host);
	entry->forward.guest = g_strdup(forward->guest);
	*p = entry;
	return true;
}

bool net_user_add_forward(struct net_backend *net, const struct net_forward *forward,
			  GError **error)
{
	struct net_user *user = net_user_from(net, error);

	return user && user_add_forward(user, forward, error);
}

bool net_user_remove_forward(struct net_backend *net, const struct net_forward *forward,
			     GError **error)
{
	struct net_user *user = net_user_from(net, error);
	struct user_forward **p, *entry;
	struct sockaddr_storage host = { 0 };
	struct forward_call call;

	if (!user || !check_host(forward, &host, error))
		return false;
	p = find_forward(user, forward->udp, &host);
	entry = *p;
	if (!entry) {
		g_autofree char *name = host_name(forward);

		return error_set(error, SOCLE_ERROR_NOT_FOUND, "%s is not forwarded", name);
	}
	call = (struct forward_call){
		.user = user,
		.host = (const void *)&host,
		.host_len = address_len(&host),
		.flags = forward_flags(forward, &host),
	};
	call_slirp(user, call_remove, &call);
	*p = entry->next;
	forward_free(entry);
	return true;
}

static bool check_unix_path(const char *path, GError **error)
{
	if (strlen(path) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
		return error_set(error, SOCLE_ERROR_LIMIT,
				 "socket path '%s' is too long; use a shorter one", path);
	return true;
}

bool user_add_guestfwd(struct net_user *user, const struct net_guestfwd *fwd, GError **error)
{
	struct in_addr server = { 0 };
	int r;

	if (!fwd->server || inet_pton(AF_INET, fwd->server, &server) != 1 || !server.s_addr)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "server address '%s' is not an IPv4 address",
				 fwd->server ? fwd->server : "");
	if (fwd->port == 0)
		return error_set(error, SOCLE_ERROR_USAGE, "server %s needs a port from 1 to 65535",
				 fwd->server);
	if (!fwd->unix_path == !fwd->command)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "server %s:%u needs either a socket or a command", fwd->server,
				 fwd->port);
	if (fwd->unix_path && !check_unix_path(fwd->unix_path, error))
		return false;
	if (fwd->command && !g_shell_parse_argv(fwd->command, NULL, NULL, error)) {
		g_prefix_error(error, "cannot read command of server %s:%u: ", fwd->server,
			       fwd->port);
		return false;
	}
	r = fwd->unix_path ? slirp_add_unix(user->slirp, fwd->unix_path, &server, fwd->port)
			   : slirp_add_exec(user->slirp, fwd->command, &server, fwd->port);
	if (r < 0)
		return error_set(
			error, SOCLE_ERROR_USAGE,
			"server %s:%u is not a free address of the guest's network; choose "
			"another inside, neither the host's nor the name server's",
			fwd->server, fwd->port);
	return true;
}

char *user_describe_forwards(struct net_user *user)
{
	GString *text = g_string_new(NULL);

	for (struct user_forward *p = user->forwards; p; p = p->next) {
		const struct net_forward *f = &p->forward;
		char guest[INET_ADDRSTRLEN];

		(void)inet_ntop(AF_INET, &user->dhcp_start, guest, sizeof(guest));
		g_string_append_printf(text, ", %s %s:%u -> %s:%u", protocol_name(f),
				       f->host && *f->host ? f->host : "*", f->host_port,
				       f->guest && *f->guest ? f->guest : guest, f->guest_port);
	}
	return g_string_free(text, FALSE);
}
