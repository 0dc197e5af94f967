/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * network-bridge.c - the bridge of a network, with its addresses
 *
 * A bridge of ours says so in its alias, with the network's UUID: it is found again, and no other one is taken
 * for it.
 */
#include "daemon/network-bridge.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "base/sys.h"
#include "host/link.h"
#include "model/network.h"

/* == Whose addresses == */

struct search {
	struct inet address;
	unsigned prefix;
	const char *except;
	char *found;
};

static int is_same(const struct link_address *other, void *opaque)
{
	struct search *s = opaque;
	struct inet inet = { .v6 = other->v6 };
	char text[INET_TEXT_MAX];
	const unsigned prefix = MIN(other->prefix, s->prefix);

	memcpy(inet.bytes, other->bytes, sizeof(inet.bytes));
	/* The way out leads to all. */
	if (inet.v6 != s->address.v6 || prefix == 0 || !g_strcmp0(other->link, s->except) ||
	    !inet_same_network(&inet, &s->address, prefix))
		return 0;
	inet_format(&inet, text);
	s->found = g_strdup_printf("'%s' (%s/%u)", other->link, text, other->prefix);
	return 1;
}

char *bridge_find_user(const struct inet *address, unsigned prefix, const char *except)
{
	struct search search = { *address, prefix, except, NULL };

	(void)link_each_address(is_same, &search);
	if (!search.found)
		(void)link_each_route(is_same, &search);
	return search.found;
}

static bool check_addresses(const struct network *n, GError **error)
{
	for (unsigned i = 0; i < n->ip_count; i++) {
		const unsigned prefix = (unsigned)network_ip_prefix(&n->ips[i]);
		g_autofree char *found = NULL;
		struct inet inet;

		if (inet_parse(n->ips[i].address, &inet))
			found = bridge_find_user(&inet, prefix, n->bridge.name);
		if (found)
			return error_set(error, SOCLE_ERROR_BUSY,
					 "its addresses %s/%u are in use by interface %s; give it "
					 "another <ip>, or take the addresses from there",
					 n->ips[i].address, prefix, found);
	}
	return true;
}

/* == Switches of the kernel == */

/* One that is not there cannot be set: a kernel without IPv6. */
static void set_switch(const char *path, const char *text)
{
	autofd int fd = sys_open(path, O_WRONLY, 0);

	if (fd >= 0 && sys_write(fd, text, strlen(text)) < 0)
		log_info("cannot write '%s' to '%s'", text, path);
}

static char *v6_switch(const char *link, const char *name)
{
	return g_strdup_printf("/proc/sys/net/ipv6/conf/%s/%s", link, name);
}

static void set_v6_switch(const char *link, const char *name, const char *text)
{
	g_autofree char *path = v6_switch(link, name);

	set_switch(path, text);
}

static bool v6_switch_is(const char *link, const char *name, char value)
{
	g_autofree char *path = v6_switch(link, name), *text = NULL;

	return g_file_get_contents(path, &text, NULL, NULL) && text[0] == value;
}

static bool has_v6(const struct network *n)
{
	struct inet inet;

	for (unsigned i = 0; i < n->ip_count; i++) {
		if (inet_parse(n->ips[i].address, &inet) && inet.v6)
			return true;
	}
	return n->ipv6 == TRI_YES;
}

static bool forwards(const struct network *n)
{
	const enum forward_mode mode = network_mode(n);

	return mode == FORWARD_NAT || mode == FORWARD_ROUTE || mode == FORWARD_OPEN;
}

/* A route that the kernel drops when it begins to forward, since routers do not listen to routers. */
static int is_lost(const struct link_address *route, void *opaque)
{
	char *ret_link = opaque;

	if (!route->v6 || !route->by_router || !v6_switch_is(route->link, "accept_ra", '1'))
		return 0;
	g_strlcpy(ret_link, route->link, LINK_NAME_SIZE);
	return 1;
}

static bool check_routers(const struct network *n, GError **error)
{
	char link[LINK_NAME_SIZE];

	if (!forwards(n) || !has_v6(n) || !v6_switch_is("all", "forwarding", '0') ||
	    link_each_route(is_lost, link) <= 0)
		return true;
	return error_set(
		error, SOCLE_ERROR_STATE,
		"this host would lose its IPv6 route over '%s', which a router advertises, "
		"when it begins to forward; let it listen on by 'sysctl "
		"net.ipv6.conf.%s.accept_ra=2', or give the network no IPv6",
		link, link);
}

static void set_switches(const struct network *n)
{
	const char *name = n->bridge.name;

	/* Guests do not tell the host where the way out is. */
	set_v6_switch(name, "accept_ra", "0");
	set_v6_switch(name, "autoconf", "0");
	set_v6_switch(name, "disable_ipv6", has_v6(n) ? "0" : "1");
	if (!forwards(n))
		return;
	set_switch("/proc/sys/net/ipv4/ip_forward", "1");
	if (has_v6(n))
		set_v6_switch("all", "forwarding", "1");
}

/* == The bridge == */

static void alias_of(const struct network *n, char ret_alias[LINK_ALIAS_SIZE])
{
	g_snprintf(ret_alias, LINK_ALIAS_SIZE, "socle network %s", n->uuid);
}

static bool is_ours(const struct network *n)
{
	char wanted[LINK_ALIAS_SIZE], alias[LINK_ALIAS_SIZE];

	alias_of(n, wanted);
	return link_alias(n->bridge.name, alias) >= 0 && !g_ascii_strcasecmp(alias, wanted);
}

static bool take_mac(const char *text, uint8_t mac[6])
{
	unsigned b[6];

	if (!text ||
	    sscanf(text, "%x:%x:%x:%x:%x:%x", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5]) != 6)
		return false;
	for (unsigned i = 0; i < 6; i++)
		mac[i] = (uint8_t)b[i];
	return true;
}

static bool add(const struct network *n, GError **error)
{
	char alias[LINK_ALIAS_SIZE];
	uint8_t mac[6];
	const bool has_mac = take_mac(n->mac.address, mac);
	const struct link_bridge bridge = {
		.alias = alias,
		.mac = has_mac ? mac : NULL,
		.mtu = n->mtu.size.set ? (unsigned)n->mtu.size.value : 0,
		/* A delay of 0 means that guests are heard at once, which the kernel has without STP only. */
		.stp = n->bridge.stp == TRI_YES && n->bridge.delay.value > 0,
		.forward_delay_s = (unsigned)MIN(n->bridge.delay.value, 30),
	};
	int r;

	alias_of(n, alias);
	r = link_bridge_add(n->bridge.name, &bridge);
	if (r == -EPERM)
		return error_sys(error, r,
				 "cannot make the bridge '%s'; run the daemon as root, or use a "
				 "session",
				 n->bridge.name);
	if (r == -EOPNOTSUPP)
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "this host's kernel has no bridges; load its module 'bridge'");
	return r >= 0 || error_sys(error, r, "cannot make the bridge '%s'", n->bridge.name);
}

static bool add_addresses(const struct network *n, GError **error)
{
	for (unsigned i = 0; i < n->ip_count; i++) {
		const struct network_ip *ip = &n->ips[i];
		struct link_address address = { .prefix = (unsigned)network_ip_prefix(ip) };
		struct inet inet;
		int r;

		if (!inet_parse(ip->address, &inet))
			continue;
		g_strlcpy(address.link, n->bridge.name, sizeof(address.link));
		address.v6 = inet.v6;
		memcpy(address.bytes, inet.bytes, sizeof(address.bytes));
		r = link_add_address(&address);
		if (r < 0)
			return error_sys(error, r, "cannot give '%s' the address %s/%u",
					 n->bridge.name, ip->address, address.prefix);
	}
	return true;
}

static int is_same_route(const struct link_address *other, void *opaque)
{
	struct search *s = opaque;

	if (other->v6 != s->address.v6 || other->prefix != s->prefix ||
	    memcmp(other->bytes, s->address.bytes, other->v6 ? 16 : 4) != 0)
		return 0;
	g_free(s->found);
	s->found = g_strdup(other->link);
	/* There may be more than one, of other metrics. */
	return !strcmp(other->link, s->except);
}

/* Is the route that is there already ours? */
static bool check_route(const struct network *n, const struct inet *to, unsigned prefix,
			GError **error)
{
	struct search search = { *to, prefix, n->bridge.name, NULL };
	const bool ours = link_each_route(is_same_route, &search) > 0;
	g_autofree char *found = search.found;
	char text[INET_TEXT_MAX];

	inet_format(to, text);
	return ours || error_set(error, SOCLE_ERROR_BUSY,
				 "the way to %s/%u leads over interface '%s' already; take that "
				 "route away, or the <route>, or give it another metric",
				 text, prefix, found ? found : "?");
}

static bool add_routes(const struct network *n, GError **error)
{
	for (unsigned i = 0; i < n->route_count; i++) {
		const struct network_route *route = &n->routes[i];
		struct link_address to = { .prefix = (unsigned)network_prefix(route->address,
									      route->netmask,
									      &route->prefix) };
		struct inet inet, gateway;
		int r;

		if (!inet_parse(route->address, &inet) || !inet_parse(route->gateway, &gateway))
			continue;
		g_strlcpy(to.link, n->bridge.name, sizeof(to.link));
		to.v6 = inet.v6;
		inet = inet_first(&inet, to.prefix);
		memcpy(to.bytes, inet.bytes, sizeof(to.bytes));
		r = link_add_route(&to, gateway.bytes,
				   route->metric.set ? (unsigned)route->metric.value : 0);
		if (r == -EEXIST && !check_route(n, &inet, to.prefix, error))
			return false;
		if (r < 0 && r != -EEXIST)
			return error_sys(error, r, "cannot add the route to %s/%u by %s",
					 route->address, to.prefix, route->gateway);
	}
	return true;
}

static uint64_t kib(const struct number *number)
{
	return number->value > 0 ? (uint64_t)MIN(number->value, INT64_MAX >> 10) << 10 : 0;
}

/* To guests; what comes from them is the rules' matter. */
static bool set_rate(const struct network *n, GError **error)
{
	const struct bandwidth_way *way = &n->bandwidth.inbound;
	const struct link_rate rate = { kib(&way->average), kib(&way->peak), kib(&way->burst) };
	int r = link_set_rate(n->bridge.name, rate.rate ? &rate : NULL);

	if (r == -ENOENT)
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "this host's kernel cannot limit the bandwidth of '%s'; load its "
				 "module 'sch_tbf', or take <inbound> away",
				 n->bridge.name);
	return r >= 0 || error_sys(error, r, "cannot limit the bandwidth of '%s'", n->bridge.name);
}

static bool fill(const struct network *n, GError **error)
{
	int r;

	set_switches(n);
	if (!add_addresses(n, error))
		return false;
	r = link_set_up(n->bridge.name);
	if (r < 0)
		return error_sys(error, r, "cannot switch the bridge '%s' on", n->bridge.name);
	return add_routes(n, error) && set_rate(n, error);
}

bool bridge_make(const struct network *n, GError **error)
{
	if (!check_addresses(n, error) || !check_routers(n, error))
		return false;
	if (link_index(n->bridge.name) >= 0 && !is_ours(n))
		return error_set(error, SOCLE_ERROR_BUSY,
				 "there is an interface '%s' already, which is not this network's; "
				 "remove it by 'ip link delete %s', or give the network another "
				 "<bridge name=.../>",
				 n->bridge.name, n->bridge.name);
	if (link_index(n->bridge.name) < 0 && !add(n, error))
		return false;
	if (fill(n, error))
		return true;
	bridge_remove(n);
	return false;
}

bool bridge_mend(const struct network *n, bool *ret_anew, GError **error)
{
	*ret_anew = !is_ours(n);
	if (*ret_anew)
		return bridge_make(n, error);
	return fill(n, error);
}

struct count {
	const struct network *network;
	unsigned found;
};

static int count_address(const struct link_address *other, void *opaque)
{
	struct count *count = opaque;
	const struct network *n = count->network;

	for (unsigned i = 0; !strcmp(other->link, n->bridge.name) && i < n->ip_count; i++) {
		struct inet inet;

		count->found += inet_parse(n->ips[i].address, &inet) && inet.v6 == other->v6 &&
				network_ip_prefix(&n->ips[i]) == (int)other->prefix &&
				!memcmp(inet.bytes, other->bytes, inet.v6 ? 16 : 4);
	}
	return 0;
}

bool bridge_is_whole(const struct network *n)
{
	struct count count = { n, 0 };

	if (!is_ours(n) || !link_is_up(n->bridge.name))
		return false;
	(void)link_each_address(count_address, &count);
	return count.found >= n->ip_count;
}

void bridge_remove(const struct network *n)
{
	if (is_ours(n) && link_delete(n->bridge.name) < 0)
		log_warning("the bridge '%s' cannot be removed", n->bridge.name);
}

bool bridge_check_others(const struct network *n, GError **error)
{
	const struct network_forward *f = &n->forward;
	const char *dev = f->dev ? f->dev : NULL;
	char kind[LINK_NAME_SIZE];

	if (n->bridge.name) {
		if (link_kind(n->bridge.name, kind) < 0)
			return error_set(error, SOCLE_ERROR_NOT_FOUND,
					 "there is no bridge '%s'; make it by 'ip link add %s type "
					 "bridge', or name another one",
					 n->bridge.name, n->bridge.name);
		return !strcmp(kind, "bridge") ||
		       error_set(error, SOCLE_ERROR_USAGE,
				 "'%s' is not a bridge; name one, or write "
				 "<interface dev='%s'/> into <forward>",
				 n->bridge.name, n->bridge.name);
	}
	for (unsigned i = 0; i < f->interface_count || dev; i++) {
		dev = dev ? dev : f->interfaces[i].dev;
		if (link_index(dev) < 0)
			return error_set(error, SOCLE_ERROR_NOT_FOUND,
					 "this host has no interface '%s'; name one that it has",
					 dev);
		dev = NULL;
		if (!f->interface_count)
			break;
	}
	return true;
}
