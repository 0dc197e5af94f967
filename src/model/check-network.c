/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * check-network.c - the step check, of a network
 *
 * Names, addresses and paths of a network become lines of other programs' configurations: what is
 * let through here has nothing in it that ends such a line or begins another word.
 */
#include <inttypes.h>
#include <string.h>

#include "model/check-int.h"
#include "model/domain.h"
#include "model/network.h"

static bool has_control(const char *text)
{
	for (const char *p = text; *p; p++) {
		if (g_ascii_iscntrl(*p))
			return true;
	}
	return false;
}

/* Of a host or a domain; "*" and "_" for those that are services or stand for all. */
static bool is_dns_name(const char *name)
{
	if (!name || !*name || strlen(name) > 253 || name[0] == '-' || name[0] == '.')
		return false;
	for (const char *p = name; *p; p++) {
		if (!g_ascii_isalnum(*p) && !strchr("-_.*", *p))
			return false;
	}
	return true;
}

/* Bytes of one or two digits: 00:03 as well as 0:3. */
static bool is_duid(const char *text)
{
	unsigned count = 0, digits = 0;

	for (; *text; text++) {
		if (*text == ':' ? digits == 0 : !g_ascii_isxdigit(*text) || digits == 2)
			return false;
		digits = *text == ':' ? 0 : digits + 1;
		count += *text == ':';
	}
	return digits > 0 && count < 130;
}

static bool check_identity(const struct check *c, const struct network *n)
{
	if (!n->name || !n->name[strspn(n->name, " ")])
		return wrong(c, "the network has no name; give it a <name>");
	if (strlen(n->name) > DOMAIN_NAME_MAX)
		return wrong(c, "the network's name has more than %d bytes; give it a shorter one",
			     DOMAIN_NAME_MAX);
	if (strchr(n->name, '/') || !strcmp(n->name, ".") || !strcmp(n->name, ".."))
		return wrong(c,
			     "the network's name '%s' cannot be a file's: it has a slash or is a "
			     "folder's; give it another one",
			     n->name);
	if (has_control(n->name))
		return wrong(c, "the network's name has a line break or another control character; "
				"remove it");
	if (!g_uuid_string_is_valid(n->uuid))
		return wrong(c, "the network's UUID '%.64s' is none; leave <uuid> out to get one",
			     n->uuid);
	if (n->title && strchr(n->title, '\n'))
		return wrong(c, "the network's title has more than one line; use <description>");
	return true;
}

/* == Addresses == */

struct subnet {
	struct inet address;
	unsigned prefix;
};

static bool subnet_of(const struct check *c, const struct network_ip *ip, struct subnet *ret)
{
	const int prefix = network_ip_prefix(ip);

	if (!inet_parse(ip->address, &ret->address))
		return wrong(c, "<ip>: '%.64s' is no address; give it as address='192.168.100.1'",
			     ip->address ? ip->address : "");
	if (ip->family && strcmp(ip->family, ret->address.v6 ? "ipv6" : "ipv4") != 0)
		return wrong(c, "<ip>: '%s' is not of family '%.16s'; give %s", ip->address,
			     ip->family, ret->address.v6 ? "ipv6" : "ipv4");
	if (prefix < 1 || prefix > (int)inet_bits(&ret->address))
		return wrong(c,
			     "<ip> %s has a netmask or prefix that is none; give one of both, like "
			     "prefix='24'",
			     ip->address);
	ret->prefix = (unsigned)prefix;
	return true;
}

static bool in_subnet(const struct subnet *net, const char *text, struct inet *ret)
{
	return inet_parse(text, ret) && ret->v6 == net->address.v6 &&
	       inet_same_network(ret, &net->address, net->prefix);
}

static bool check_lease(const struct check *c, const struct dhcp_lease *lease)
{
	static const char *const units[] = { "seconds", "minutes", "hours", NULL };
	const int64_t seconds = network_lease_seconds(lease);

	if (lease->unit && !is_one_of(lease->unit, units))
		return wrong(c,
			     "<lease>: unit '%.16s' is not known; give seconds, minutes or hours",
			     lease->unit);
	if (seconds && (seconds < 120 || seconds > UINT32_MAX))
		return wrong(c,
			     "<lease>: %" PRId64 " seconds are too few or too many; give two "
			     "minutes at least",
			     seconds);
	return true;
}

static bool check_range(const struct check *c, const struct subnet *net,
			const struct dhcp_range *range)
{
	struct inet start, end;

	if (!in_subnet(net, range->start, &start) || !in_subnet(net, range->end, &end))
		return wrong(
			c,
			"the DHCP <range> from '%.64s' to '%.64s' is not in the network of its "
			"<ip>; give addresses that are",
			range->start ? range->start : "", range->end ? range->end : "");
	if (inet_compare(&start, &end) > 0)
		return wrong(c, "the DHCP <range> from %s to %s goes backwards; swap them",
			     range->start, range->end);
	if (inet_compare(&start, &net->address) <= 0 && inet_compare(&end, &net->address) >= 0 &&
	    !inet_compare(&start, &end))
		return wrong(c, "the DHCP <range> is the host's own address; give another one");
	return check_lease(c, &range->lease);
}

static bool check_host(const struct check *c, const struct subnet *net,
		       const struct dhcp_host *host)
{
	struct inet inet;

	if (!host->mac && !host->name && !host->id)
		return wrong(c, "a DHCP <host> has neither mac nor name; give one");
	if (host->mac && (!is_mac(host->mac) || g_ascii_xdigit_value(host->mac[1]) & 1))
		return wrong(c, "a DHCP <host>: '%.64s' is no MAC address of a card", host->mac);
	if (host->mac && net->address.v6)
		return wrong(c, "a DHCP <host> of IPv6 is known by its id or name, not by mac='%s'",
			     host->mac);
	if (host->id && !is_duid(host->id))
		return wrong(c, "a DHCP <host>: id='%.64s' is not made of bytes like 0:3:0:1",
			     host->id);
	if (host->name && (!is_dns_name(host->name) || strchr(host->name, '*')))
		return wrong(c,
			     "a DHCP <host>: '%.64s' is no name of a host; use letters and "
			     "digits",
			     host->name);
	if (!host->ip && net->address.v6)
		return wrong(c, "a DHCP <host> of IPv6 has no ip; give one");
	if (!host->ip && !host->name)
		return wrong(c, "the DHCP <host> '%s' has neither ip nor name; give one",
			     host->mac);
	if (host->ip && !in_subnet(net, host->ip, &inet))
		return wrong(
			c,
			"a DHCP <host>: ip='%.64s' is not in the network of its <ip>; give one "
			"that is",
			host->ip);
	return check_lease(c, &host->lease);
}

/* Of thousands of hosts, in less than the square of their number. */
static bool check_hosts(const struct check *c, const struct subnet *net,
			const struct network_dhcp *dhcp)
{
	g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

	for (unsigned i = 0; i < dhcp->host_count; i++) {
		const struct dhcp_host *host = &dhcp->hosts[i];
		const char *const keys[] = { host->mac, host->ip, host->id, host->name };

		if (!check_host(c, net, host))
			return false;
		for (size_t k = 0; k < ARRAY_SIZE(keys); k++) {
			char *key = keys[k] ? g_strdup_printf("%zu %s", k, keys[k]) : NULL;

			if (!key)
				continue;
			for (char *p = key; *p; p++)
				*p = g_ascii_tolower(*p);
			if (!g_hash_table_add(seen, key))
				return wrong(c, "two DHCP <host> have '%s'; take one out", keys[k]);
		}
	}
	return true;
}

static bool check_boot(const struct check *c, const struct network_ip *ip)
{
	const struct dhcp_bootp *bootp = &ip->dhcp.bootp;
	const char *root = ip->tftp.root;
	struct inet inet;

	if (root && (*root != '/' || has_control(root)))
		return wrong(c, "<tftp>: the root '%.64s' is no path from / on; give one", root);
	if (bootp->file && (has_control(bootp->file) || strlen(bootp->file) > 127))
		return wrong(c,
			     "<bootp>: the file's name is longer than 127 bytes, or has a control "
			     "character; give another one");
	if (bootp->server && !bootp->file)
		return wrong(c, "<bootp> has a server and no file; give that, too");
	if (bootp->server && !is_dns_name(bootp->server) && !inet_parse(bootp->server, &inet))
		return wrong(c, "<bootp>: '%.64s' is no server; give an address or a name",
			     bootp->server);
	return true;
}

static bool check_ips(const struct check *c, const struct network *n)
{
	bool dhcp[2] = { false, false };

	for (unsigned i = 0; i < n->ip_count; i++) {
		const struct network_ip *ip = &n->ips[i];
		struct subnet net;

		if (!subnet_of(c, ip, &net) || !check_boot(c, ip))
			return false;
		if (ip->dhcp.set && dhcp[net.address.v6])
			return refuse(c,
				      "two <ip> of one family have a <dhcp>; take it out of one");
		dhcp[net.address.v6] |= ip->dhcp.set;
		for (unsigned k = 0; k < ip->dhcp.range_count; k++) {
			if (!check_range(c, &net, &ip->dhcp.ranges[k]))
				return false;
		}
		if (!check_hosts(c, &net, &ip->dhcp))
			return false;
	}
	return true;
}

static bool check_routes(const struct check *c, const struct network *n)
{
	for (unsigned i = 0; i < n->route_count; i++) {
		const struct network_route *route = &n->routes[i];
		const int prefix = network_prefix(route->address, route->netmask, &route->prefix);
		struct inet to, gateway;
		bool reached = false;

		if (prefix < 0 || !inet_parse(route->address, &to) ||
		    !inet_parse(route->gateway, &gateway) || to.v6 != gateway.v6)
			return wrong(c, "<route> wants an address, its prefix and a gateway of the "
					"same kind; give them");
		for (unsigned k = 0; k < n->ip_count; k++) {
			struct subnet net;

			if (!subnet_of(c, &n->ips[k], &net))
				return false;
			reached |= net.address.v6 == gateway.v6 &&
				   inet_same_network(&net.address, &gateway, net.prefix);
		}
		if (!reached)
			return wrong(c,
				     "<route>: the gateway %s is not in the network of any <ip>; "
				     "give one that guests have",
				     route->gateway);
	}
	return true;
}

/* == Names == */

static bool check_services(const struct check *c, const struct network_dns *dns)
{
	static const char *const protocols[] = { "tcp", "udp", NULL };

	for (unsigned i = 0; i < dns->service_count; i++) {
		const struct dns_service *srv = &dns->services[i];

		if (!is_dns_name(srv->service) || strchr(srv->service, '.') ||
		    !is_one_of(srv->protocol, protocols))
			return wrong(c, "<srv> wants a service like 'http' and the protocol tcp or "
					"udp; give both");
		if ((srv->domain && !is_dns_name(srv->domain)) ||
		    (srv->target && strcmp(srv->target, ".") != 0 && !is_dns_name(srv->target)))
			return wrong(c, "<srv> of '%s': its domain or target is no name",
				     srv->service);
		if (!srv->target && (srv->port.set || srv->priority.set || srv->weight.set))
			return wrong(c, "<srv> of '%s' has a port and no target; give that, too",
				     srv->service);
	}
	return true;
}

static bool check_dns(const struct check *c, const struct network *n)
{
	const struct network_dns *dns = &n->dns;
	struct inet inet;

	if (n->domain.name && !is_dns_name(n->domain.name))
		return wrong(c,
			     "<domain>: '%.64s' is no name of a domain; use letters, digits and "
			     "dots",
			     n->domain.name);
	for (unsigned i = 0; i < dns->forwarder_count; i++) {
		const struct dns_forwarder *f = &dns->forwarders[i];

		if (!f->addr && !f->domain)
			return wrong(c, "a <forwarder> has neither addr nor domain; give one");
		if ((f->addr && !inet_parse(f->addr, &inet)) ||
		    (f->domain && !is_dns_name(f->domain)) ||
		    (f->port && !g_ascii_string_to_unsigned(f->port, 10, 1, 65535, NULL, NULL)))
			return wrong(c, "a <forwarder> has an addr, port or domain that is none");
	}
	for (unsigned i = 0; i < dns->text_count; i++) {
		const char *value = dns->texts[i].value;

		if (!is_dns_name(dns->texts[i].name) || !value || has_control(value) ||
		    strlen(value) > 255)
			return wrong(c, "<txt> wants a name, and a value of up to 255 bytes");
	}
	for (unsigned i = 0; i < dns->host_count; i++) {
		const struct dns_host *host = &dns->hosts[i];

		if (!inet_parse(host->ip, &inet) || !host->name_count)
			return wrong(c, "<host> in <dns> wants an ip, and a <hostname> in it");
		for (unsigned k = 0; k < host->name_count; k++) {
			if (!is_dns_name(host->names[k].name))
				return wrong(c, "<host> %s in <dns>: '%.64s' is no name", host->ip,
					     host->names[k].name ? host->names[k].name : "");
		}
	}
	return check_services(c, dns);
}

/* == How it is connected == */

static bool check_nat(const struct check *c, const struct network *n)
{
	const struct network_nat *nat = &n->forward.nat;
	struct inet start, end;

	if (nat->set && network_mode(n) != FORWARD_NAT)
		return wrong(c, "<nat> is for <forward mode='nat'>; remove it");
	if ((nat->addresses.start || nat->addresses.end) &&
	    (!inet_parse(nat->addresses.start, &start) || !inet_parse(nat->addresses.end, &end) ||
	     start.v6 || end.v6 || inet_compare(&start, &end) > 0))
		return wrong(c, "<nat>: <address> wants a start and an end behind it, of IPv4");
	if (nat->ports.start.set != nat->ports.end.set ||
	    (nat->ports.start.set && nat->ports.start.value > nat->ports.end.value))
		return wrong(c, "<nat>: <port> wants a start and an end behind it");
	return true;
}

static bool check_devices(const struct check *c, const struct network *n)
{
	const struct network_forward *f = &n->forward;

	if (n->bridge.name && !network_is_device_name(n->bridge.name))
		return wrong(c,
			     "'%.64s' is no name for a bridge; give one of up to %d letters and "
			     "digits",
			     n->bridge.name, BRIDGE_NAME_MAX);
	if (f->dev && !network_is_device_name(f->dev))
		return wrong(c, "<forward>: '%.64s' is no interface's name", f->dev);
	for (unsigned i = 0; i < f->interface_count; i++) {
		if (!network_is_device_name(f->interfaces[i].dev))
			return wrong(c, "<forward>: an <interface> wants a dev with its name");
	}
	if (f->dev && f->interface_count && strcmp(f->dev, f->interfaces[0].dev) != 0)
		return wrong(c,
			     "<forward>: dev='%s' is not the first <interface>, '%s'; make them "
			     "the same",
			     f->dev, f->interfaces[0].dev);
	return true;
}

/* Without a bridge of ours. */
static bool check_others_bridge(const struct check *c, const struct network *n)
{
	const struct network_forward *f = &n->forward;
	const bool has_device = f->dev || f->interface_count;

	if (network_mode(n) == FORWARD_HOSTDEV)
		return refuse(c, "devices of the host are not handed to guests; give "
				 "<forward mode='bridge'>");
	if (n->ip_count || n->dns.set || n->domain.name || n->route_count)
		return wrong(c, "addresses and names of such a network are not the host's to give; "
				"remove <ip>, <dns>, <domain> and <route>");
	if (network_mode(n) == FORWARD_BRIDGE && n->bridge.name)
		return !has_device || wrong(c, "<forward mode='bridge'> has a <bridge> and "
					       "interfaces; remove one of them");
	if (n->bridge.name)
		return wrong(c, "only <forward mode='bridge'> has a <bridge>; remove it");
	return has_device || wrong(c, "<forward> names neither a <bridge> nor an <interface>; give "
				      "one of the host's");
}

static bool check_forward(const struct check *c, const struct network *n)
{
	if (!check_nat(c, n) || !check_devices(c, n))
		return false;
	if (!network_has_own_bridge(n))
		return check_others_bridge(c, n);
	if (n->forward.kept_address || n->forward.kept_pf)
		return refuse(c, "devices of the host are not handed to guests; remove <address> "
				 "and <pf> of <forward>");
	if (network_mode(n) == FORWARD_NAT && !n->ip_count)
		return wrong(c, "<forward mode='nat'> wants an address; give the network an <ip>");
	if (network_mode(n) == FORWARD_OPEN && n->forward.dev)
		return wrong(c,
			     "<forward mode='open'> has no rules, so dev='%s' means nothing; "
			     "remove it",
			     n->forward.dev);
	if (n->mac.address &&
	    (!is_mac(n->mac.address) || g_ascii_xdigit_value(n->mac.address[1]) & 1))
		return wrong(c,
			     "<mac>: '%.64s' is no MAC address of a bridge; leave it out to get "
			     "one",
			     n->mac.address);
	return true;
}

static bool check_rate(const struct check *c, const struct interface_bandwidth *b, const char *of)
{
	const struct bandwidth_way *const ways[] = { &b->inbound, &b->outbound };

	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		if (!ways[i]->average.set && (ways[i]->peak.set || ways[i]->burst.set))
			return wrong(c,
				     "<bandwidth> of %s has a peak or burst without an average; "
				     "give that, too",
				     of);
		if (ways[i]->peak.set && ways[i]->peak.value < ways[i]->average.value)
			return wrong(c, "<bandwidth> of %s has a peak below its average; raise it",
				     of);
		if (ways[i]->floor.set)
			return refuse(c, "<bandwidth> of %s: none is guaranteed; remove 'floor'",
				      of);
	}
	return true;
}

static bool check_portgroups(const struct check *c, const struct network *n)
{
	bool has_default = false;

	for (unsigned i = 0; i < n->portgroup_count; i++) {
		const struct portgroup *group = &n->portgroups[i];
		g_autofree char *of = NULL;

		if (!group->name || has_control(group->name))
			return wrong(c, "a <portgroup> has no name; give it one");
		of = g_strdup_printf("<portgroup> '%.64s'", group->name);
		for (unsigned k = 0; k < i; k++) {
			if (!strcmp(n->portgroups[k].name, group->name))
				return wrong(c, "two %s; take one out", of);
		}
		if (has_default && group->is_default == TRI_YES)
			return wrong(c, "two <portgroup> are the default; take that out of one");
		has_default |= group->is_default == TRI_YES;
		if (group->kept_vlan)
			return refuse(c, "%s has a <vlan>: frames are not tagged; remove it", of);
		if (group->kept_virtualport)
			return refuse(c,
				      "%s has a <virtualport>: the bridge is a plain one; remove "
				      "it",
				      of);
		if (!check_rate(c, &group->bandwidth, of))
			return false;
	}
	return true;
}

static bool check_own(const struct check *c, const struct network *n)
{
	g_autoptr(GArray) forwards = network_forwards(n, c->error);
	g_auto(GStrv) options = forwards ? network_dnsmasq_options(n, c->error) : NULL;

	if (!options)
		return false;
	for (unsigned i = 0; i < forwards->len; i++) {
		const struct network_forward_port *f =
			&g_array_index(forwards, struct network_forward_port, i);
		char text[INET_TEXT_MAX];
		bool reached = false;

		for (unsigned k = 0; k < n->ip_count; k++) {
			struct subnet net;

			if (!subnet_of(c, &n->ips[k], &net))
				return false;
			reached |= net.address.v6 == f->to.v6 &&
				   inet_same_network(&net.address, &f->to, net.prefix);
		}
		inet_format(&f->to, text);
		if (!reached)
			return wrong(
				c,
				"port %u is forwarded to %s, which is not in the network; give "
				"a guest's address",
				f->port, text);
	}
	return true;
}

bool network_check(const struct network *n, struct notes *notes, GError **error)
{
	const struct check c = { .notes = notes, .error = error };
	const struct kept kept[] = {
		{ n->kept_vlan, "vlan", "frames are not tagged; remove it" },
		{ n->kept_virtualport, "virtualport", "the bridge is a plain one; remove it" },
		{ n->bridge.zone, "bridge zone", NULL },
		{ n->bridge.mac_table_manager, "bridge macTableManager", NULL },
		{ n->forward.kept_driver, "forward driver", NULL },
	};

	return check_identity(&c, n) && check_forward(&c, n) && check_ips(&c, n) &&
	       check_routes(&c, n) && check_dns(&c, n) && check_portgroups(&c, n) &&
	       check_rate(&c, &n->bandwidth, "the network") && check_own(&c, n) &&
	       check_kept(&c, "the network", kept, ARRAY_SIZE(kept));
}
