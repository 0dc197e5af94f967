/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * net-card.c - cards of machines in networks
 *
 * A card that runs and is in a network has a port there, whose UUID stands in its live definition. So ports are
 * known as long as machines are, also by the next daemon, and nothing else has to be kept.
 */
#include <string.h>

#include "base/error.h"
#include "manage/handler-int.h"
#include "manage/net-int.h"

static bool is_in_network(const struct domain_interface *card)
{
	return card->type == INTERFACE_NETWORK && card->source.network;
}

/* The host's name for it, which a card has not that is no interface of the host. */
static char *card_name(struct domain_interface *card)
{
	return card->target.dev ? card->target.dev : card->info.alias.name;
}

void net_each_card(const struct net *net, net_card_fn fn, void *opaque)
{
	const GPtrArray *vms = net->virtnet.node->vms;

	for (unsigned i = 0; i < vms->len; i++) {
		struct vm *vm = vms->pdata[i];
		struct domain_devices *d = vm->dom.live ? &vm->dom.live->devices : NULL;

		for (unsigned k = 0; d && k < d->interface_count; k++) {
			struct domain_interface *card = &d->interfaces[k];

			if (is_in_network(card) && card->source.portid &&
			    !strcmp(card->source.network, net->virtnet.name) &&
			    fn(vm, card, opaque))
				return;
		}
	}
}

static bool count_card(struct vm *vm, struct domain_interface *card, void *opaque)
{
	(void)vm;
	(void)card;
	++*(unsigned *)opaque;
	return false;
}

unsigned net_connections(const struct net *net)
{
	unsigned count = 0;

	net_each_card(net, count_card, &count);
	return count;
}

/* == Networks that a machine needs == */

/* The first one that is not active; NULL with @error: it is not defined; NULL: all are there. */
static struct net *first_inactive(struct node *node, const struct domain *domain, GError **error)
{
	for (unsigned i = 0; i < domain->devices.interface_count; i++) {
		const struct domain_interface *card = &domain->devices.interfaces[i];
		struct net *net;

		if (!is_in_network(card))
			continue;
		net = net_by_name(node, card->source.network);
		if (!net || !net_shown(net)) {
			error_set(error, SOCLE_ERROR_NOT_FOUND,
				  "interface '%s' is in the network '%.64s', which is not defined; "
				  "define it, or name another one",
				  card->mac.address, card->source.network);
			return NULL;
		}
		if (!net_active(net) || net->starting)
			return net;
	}
	return NULL;
}

static void step(struct call *call, const GError *given)
{
	struct vm *vm = call->vm;
	g_autoptr(GError) error = given ? g_error_copy(given) : NULL;
	call_next next = vm->cards_next;
	struct net *net = NULL;

	if (!error)
		net = first_inactive(call->node, vm->cards_of, &error);
	if (net) {
		net_want(net, call_task(call, step));
		return;
	}
	vm->cards_of = NULL;
	next(call, error);
}

void cards_want(struct call *call, struct domain *domain, call_next next)
{
	if (!call->node->config.networks) {
		next(call, NULL);
		return;
	}
	call->vm->cards_of = domain;
	call->vm->cards_next = next;
	step(call, NULL);
}

/* == What a network means for a card == */

struct use {
	const char *dev;
	unsigned count;
};

static bool count_use(struct vm *vm, struct domain_interface *card, void *opaque)
{
	struct use *use = opaque;

	(void)vm;
	use->count += !g_strcmp0(card->source.dev, use->dev);
	return false;
}

/* The interface of the host that has the fewest cards. */
static const char *choose_device(const struct net *net, GError **error)
{
	const struct network_forward *f = &net->virtnet.live->forward;
	struct use best = { f->dev, 0 };

	for (unsigned i = 0; i < f->interface_count; i++) {
		struct use use = { f->interfaces[i].dev, 0 };

		net_each_card(net, count_use, &use);
		if (i == 0 || use.count < best.count)
			best = use;
	}
	if (!f->interface_count)
		net_each_card(net, count_use, &best);
	if (best.count && network_mode(net->virtnet.live) == FORWARD_PASSTHROUGH) {
		error_set(error, SOCLE_ERROR_BUSY,
			  "all interfaces of network '%s' are in use, each by one machine; give it "
			  "another <interface>",
			  net->virtnet.name);
		return NULL;
	}
	return best.dev;
}

static const char *direct_mode(const struct network *network)
{
	switch (network_mode(network)) {
	case FORWARD_PRIVATE:
		return "private";
	case FORWARD_VEPA:
		return "vepa";
	case FORWARD_PASSTHROUGH:
		return "passthrough";
	case FORWARD_MODE_ABSENT:
	case FORWARD_NAT:
	case FORWARD_ROUTE:
	case FORWARD_OPEN:
	case FORWARD_BRIDGE:
	case FORWARD_HOSTDEV:
	case FORWARD_MODE_COUNT:
	default:
		return "bridge";
	}
}

static void replace(char **text, const char *value)
{
	char *copy = g_strdup(value);

	g_free(*text);
	*text = copy;
}

/* What is reserved for a card; NULL: nothing is. */
static const struct dhcp_host *host_for(const struct network_ip *ip, const char *mac)
{
	for (unsigned i = 0; i < ip->dhcp.host_count; i++) {
		const struct dhcp_host *host = &ip->dhcp.hosts[i];

		if (host->mac && !g_ascii_strcasecmp(host->mac, mac))
			return host;
	}
	return NULL;
}

/* Its address, by the definition: what is reserved for it, or the first one. */
static const char *address_for(const struct network_ip *ip, const struct dhcp_host *host)
{
	if (host && host->ip)
		return host->ip;
	return ip->dhcp.range_count ? ip->dhcp.ranges[0].start : NULL;
}

/* What DHCP calls it. */
static void name_card(struct domain_interface *card, const struct network *network,
		      const struct dhcp_host *host)
{
	struct interface_backend *backend = &card->backend;
	const char *domain = network->domain.name;

	if (!backend->hostname && host && host->name)
		backend->hostname = g_strdup(host->name);
	if (!backend->fqdn && domain)
		backend->fqdn = g_strdup_printf(
			"%s.%s", backend->hostname ? backend->hostname : "guest", domain);
}

/* Ports that lead to @address. */
static void add_forwards(struct domain_interface *card, const struct network *network,
			 const char *address)
{
	g_autoptr(GArray) forwards = network_forwards(network, NULL);
	struct inet own;

	for (unsigned i = 0; forwards && inet_parse(address, &own) && i < forwards->len; i++) {
		const struct network_forward_port *f =
			&g_array_index(forwards, struct network_forward_port, i);
		struct port_forward *forward;

		if (inet_compare(&f->to, &own) != 0)
			continue;
		card->forwards =
			g_renew(struct port_forward, card->forwards, card->forward_count + 1);
		forward = &card->forwards[card->forward_count++];
		*forward = (struct port_forward){ .proto = g_strdup(f->udp ? "udp" : "tcp"),
						  .ranges = g_new0(struct forward_range, 1),
						  .range_count = 1 };
		if (!f->any) {
			forward->address = g_malloc0(INET_TEXT_MAX);
			inet_format(&f->address, forward->address);
		}
		forward->ranges[0].start = number_of(f->port);
		forward->ranges[0].end = number_of(f->end);
		forward->ranges[0].to = number_of(f->to_port);
	}
}

/* As dnsmasq with expand-hosts: a name without a dot is one in the network's domain, too. */
static void add_name(struct domain_interface *card, const struct network *network, const char *name,
		     const char *address)
{
	struct interface_user *user = &card->user;
	const bool both = network->domain.name && !strchr(name, '.');

	user->names = g_renew(struct user_name, user->names, user->name_count + 1 + both);
	user->names[user->name_count++] = (struct user_name){ g_strdup(name), g_strdup(address) };
	if (both)
		user->names[user->name_count++] =
			(struct user_name){ g_strconcat(name, ".", network->domain.name, NULL),
					    g_strdup(address) };
}

/* What the network's name server knows. Names of other guests are none: a card of a session does not reach them. */
static void add_names(struct domain_interface *card, const struct network *network)
{
	const struct network_dns *dns = &network->dns;

	for (unsigned i = 0; dns->enable != TRI_NO && i < dns->host_count; i++) {
		for (unsigned k = 0; k < dns->hosts[i].name_count; k++)
			add_name(card, network, dns->hosts[i].names[k].name, dns->hosts[i].ip);
	}
}

static void add_ip(struct domain_interface *card, const struct network_ip *ip, bool v6,
		   const char *address)
{
	card->ips = g_renew(struct interface_ip, card->ips, card->ip_count + 1);
	card->ips[card->ip_count++] = (struct interface_ip){
		.family = g_strdup(v6 ? "ipv6" : "ipv4"),
		.address = g_strdup(address ? address : ip->address),
		.peer = address || v6 ? g_strdup(ip->address) : NULL,
		.prefix = number_of(network_ip_prefix(ip)),
	};
}

static void add_v4(struct domain_interface *card, const struct network *network,
		   const struct network_ip *ip)
{
	const struct dhcp_host *host = host_for(ip, card->mac.address);
	const char *address = address_for(ip, host);

	add_ip(card, ip, false, address);
	card->user.tftp = g_strdup(ip->tftp.root);
	card->user.bootfile = g_strdup(ip->dhcp.bootp.file);
	name_card(card, network, host);
	if (address && card->backend.hostname && network->dns.enable != TRI_NO)
		add_name(card, network, card->backend.hostname, address);
	add_forwards(card, network, address);
}

/* A user network of its own, with the addresses of the definition: the first one of each family. */
static void connect_user(struct domain_interface *card, const struct network *network)
{
	const bool has_own = card->ip_count > 0;
	bool has_v4 = false, has_v6 = false;

	/* Where there is no way out, there is nobody. */
	if (network_mode(network) == FORWARD_MODE_ABSENT)
		card->port.isolated = TRI_YES;
	for (unsigned i = 0; i < network->ip_count && !has_own; i++) {
		struct inet inet;

		if (!inet_parse(network->ips[i].address, &inet) || (inet.v6 ? has_v6 : has_v4))
			continue;
		if (inet.v6)
			add_ip(card, &network->ips[i], true, NULL);
		else
			add_v4(card, network, &network->ips[i]);
		has_v4 |= !inet.v6;
		has_v6 |= inet.v6;
	}
	add_names(card, network);
}

static bool connect_card(const struct net *net, struct domain_interface *card, GError **error)
{
	const struct virtnet *v = &net->virtnet;
	const struct network *live = v->live;
	const struct portgroup *group = network_portgroup(live, card->source.portgroup);
	const char *dev;

	if (card->source.portgroup && !group)
		return error_set(error, SOCLE_ERROR_NOT_FOUND,
				 "network '%s' has no portgroup '%.64s'; add it, or name another "
				 "one",
				 v->name, card->source.portgroup);
	if (group && !card->bandwidth.inbound.average.set)
		card->bandwidth.inbound = group->bandwidth.inbound;
	if (group && !card->bandwidth.outbound.average.set)
		card->bandwidth.outbound = group->bandwidth.outbound;
	if (!card->mtu.size.set)
		card->mtu = live->mtu;
	if (live->port.isolated == TRI_YES && !v->node->config.networks->is_user)
		card->port = live->port;
	if (v->node->config.networks->is_user) {
		connect_user(card, live);
	} else if (live->bridge.name) {
		replace(&card->source.bridge, live->bridge.name);
	} else {
		dev = choose_device(net, error);
		if (!dev)
			return false;
		replace(&card->source.dev, dev);
		replace(&card->source.mode, direct_mode(live));
	}
	g_free(card->source.portid);
	card->source.portid = g_uuid_string_random();
	return true;
}

bool cards_connect(struct node *node, struct domain *domain, GError **error)
{
	for (unsigned i = 0; i < domain->devices.interface_count; i++) {
		struct domain_interface *card = &domain->devices.interfaces[i];
		const struct net *net =
			is_in_network(card) ? net_by_name(node, card->source.network) : NULL;

		if (!node->config.networks || !is_in_network(card))
			continue;
		if (!net || !net_active(net))
			return error_set(error, SOCLE_ERROR_NOT_ACTIVE,
					 "network '%.64s' is not active; start it",
					 card->source.network);
		if (!connect_card(net, card, error))
			return false;
	}
	return true;
}

/* == Addresses of guests == */

/* A card that has a network of its own gets what that network gives. */
static bool add_own_lease(struct vm *vm, struct domain_interface *card, void *opaque)
{
	GPtrArray *list = opaque;

	(void)vm;
	for (unsigned i = 0; i < card->ip_count; i++) {
		const struct interface_ip *ip = &card->ips[i];
		struct network_lease *lease;
		struct inet inet;

		/* An address of IPv6 is the guest's own choice. */
		if (!ip->peer || !inet_parse(ip->address, &inet) || inet.v6)
			continue;
		lease = g_new0(struct network_lease, 1);
		lease->mac = g_strdup(card->mac.address);
		lease->ip = g_strdup(ip->address);
		lease->prefix = (unsigned)ip->prefix.value;
		lease->hostname = g_strdup(card->backend.hostname);
		lease->dev = g_strdup(card_name(card));
		g_ptr_array_add(list, lease);
	}
	return false;
}

bool net_leases(struct net *net, GPtrArray *list, GError **error)
{
	const struct network_ops *ops = net->virtnet.node->config.networks;

	if (ops->is_user)
		net_each_card(net, add_own_lease, list);
	return !ops->leases || !net->virtnet.made || ops->leases(&net->virtnet, list, error);
}

static void add_leases(struct vm *vm, const struct domain_interface *card, bool heard,
		       GPtrArray *list)
{
	struct node *node = vm->dom.node;
	const struct network_ops *ops = node->config.networks;
	struct net *net = is_in_network(card) ? net_by_name(node, card->source.network) : NULL;
	const char *bridge = card->source.bridge;

	if (heard && ops && ops->neighbours && bridge)
		(void)ops->neighbours(node->config.networks_opaque, bridge, list, NULL);
	else if (!heard && net && net_active(net))
		(void)net_leases(net, list, NULL);
}

static unsigned take_addresses(const struct domain_interface *card, GPtrArray *list,
			       rpc_ip_addr *addrs)
{
	unsigned n = 0;

	for (unsigned i = 0; i < list->len; i++) {
		const struct network_lease *lease = list->pdata[i];

		if (lease->mac && card->mac.address && n < RPC_MAX_DOMAIN_IP_ADDR &&
		    !g_ascii_strcasecmp(lease->mac, card->mac.address))
			addrs[n++] = (rpc_ip_addr){ .type = lease->v6,
						    .addr = lease->ip,
						    .prefix = lease->prefix };
	}
	return n;
}

void call_card_addresses(struct call *call, struct vm *vm, bool heard)
{
	struct domain_devices *d = &vm->dom.live->devices;
	g_autoptr(GPtrArray) lists =
		g_ptr_array_new_with_free_func((GDestroyNotify)g_ptr_array_unref);
	g_autofree rpc_domain_interface *cards =
		g_new0(rpc_domain_interface, MAX(d->interface_count, 1));
	rpc_domain_interface_addresses_ret ret = { { 0, cards } };

	for (unsigned i = 0; i < d->interface_count; i++) {
		struct domain_interface *card = &d->interfaces[i];
		rpc_domain_interface *out = &cards[ret.ifaces.ifaces_len];
		GPtrArray *list = g_ptr_array_new_with_free_func(network_lease_free);

		g_ptr_array_add(lists, list);
		add_leases(vm, card, heard, list);
		if (!list->len || !card_name(card))
			continue;
		out->addrs.addrs_val = g_new(rpc_ip_addr, list->len);
		out->addrs.addrs_len = take_addresses(card, list, out->addrs.addrs_val);
		out->name = card_name(card);
		out->hwaddr = &card->mac.address;
		ret.ifaces.ifaces_len += out->addrs.addrs_len > 0;
		if (!out->addrs.addrs_len)
			g_clear_pointer(&out->addrs.addrs_val, g_free);
	}
	call_reply(call, &ret);
	for (unsigned i = 0; i < ret.ifaces.ifaces_len; i++)
		g_free(cards[i].addrs.addrs_val);
}
