/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fake-network.c - networks in memory, for the driver "test"
 *
 * Their guests have the addresses that a DHCP server would give: what is reserved for them, or the next one.
 */
#include "manage/fake-int.h"
#include "manage/net-int.h"

static void fake_start(void *opaque, struct virtnet *net, struct task *task)
{
	(void)opaque;
	net->made = net;
	task_end(task, NULL);
}

static void fake_free(struct virtnet *net)
{
	(void)net;
}

static void fake_done(struct virtnet *net, struct task *task)
{
	(void)net;
	task_end(task, NULL);
}

/* Which card gets which address. */
struct giving {
	struct virtnet *net;
	const struct network_ip *ip;
	struct inet next;
	GPtrArray *list;
};

static const char *reserved_for(const struct network_ip *ip, const char *mac, const char **ret_name)
{
	for (unsigned i = 0; i < ip->dhcp.host_count; i++) {
		const struct dhcp_host *host = &ip->dhcp.hosts[i];

		if (host->mac && !g_ascii_strcasecmp(host->mac, mac)) {
			*ret_name = host->name;
			return host->ip;
		}
	}
	return NULL;
}

static bool give(struct vm *vm, struct domain_interface *card, void *opaque)
{
	struct giving *g = opaque;
	const char *name = NULL, *ip = reserved_for(g->ip, card->mac.address, &name);
	struct network_lease *lease = g_new0(struct network_lease, 1);

	lease->mac = g_ascii_strdown(card->mac.address, -1);
	lease->hostname = g_strdup(name ? name : vm->dom.name);
	lease->ip = ip ? g_strdup(ip) : g_malloc0(INET_TEXT_MAX);
	if (!ip) {
		inet_format(&g->next, lease->ip);
		for (int i = 3; i >= 0 && ++g->next.bytes[i] == 0; i--)
			;
	}
	lease->dev = g_strdup(g->net->live->bridge.name);
	lease->prefix = (unsigned)network_ip_prefix(g->ip);
	g_ptr_array_add(g->list, lease);
	return false;
}

static bool fake_leases(struct virtnet *net, GPtrArray *list, GError **error)
{
	(void)error;
	for (unsigned i = 0; i < net->live->ip_count; i++) {
		struct giving g = { .net = net, .ip = &net->live->ips[i], .list = list };

		if (!g.ip->dhcp.range_count || !inet_parse(g.ip->dhcp.ranges[0].start, &g.next) ||
		    g.next.v6)
			continue;
		net_each_card(net_of(net), give, &g);
		break;
	}
	return true;
}

const struct network_ops fake_networks = {
	.start = fake_start,
	.free = fake_free,
	.stop = fake_done,
	.update = fake_done,
	.leases = fake_leases,
};
