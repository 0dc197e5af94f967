/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * runner-args-net.c - network cards, as socle-vm's command line and as QMP
 */
#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "daemon/runner-args-int.h"
#include "daemon/runner-tap.h"
#include "model/inet.h"

enum {
	FORWARDS_MAX = 32 /* of one card, in socle-vm */
};

static bool add_forward(struct keys *keys, const struct port_forward *forward, int64_t port,
			int64_t to, unsigned *count, const char *mac, GError **error)
{
	const bool v6 = forward->address && strchr(forward->address, ':');
	g_autofree char *text = NULL;

	if (port < 1 || port > 65535 || to < 1 || to > 65535)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "interface '%s': ports to be forwarded are from 1 to 65535", mac);
	if ((*count)++ == FORWARDS_MAX)
		return error_set(error, SOCLE_ERROR_LIMIT,
				 "interface '%s' forwards more than %d ports; take some out", mac,
				 FORWARDS_MAX);
	text = g_strdup_printf("%s:%s%s%s:%" PRId64 "-:%" PRId64, forward->proto, v6 ? "[" : "",
			       forward->address ? forward->address : "", v6 ? "]" : "", port, to);
	keys_append(keys, "hostfwd", text);
	return true;
}

static bool add_forwards(struct keys *keys, const struct domain_interface *card, GError **error)
{
	unsigned count = 0;

	for (unsigned i = 0; i < card->forward_count; i++) {
		const struct port_forward *forward = &card->forwards[i];

		for (unsigned j = 0; j < forward->range_count; j++) {
			const struct forward_range *range = &forward->ranges[j];
			const int64_t start = range->start.value;
			const int64_t end = range->end.set ? range->end.value : start;
			const int64_t to = range->to.set ? range->to.value : start;

			for (int64_t port = start; port <= end; port++) {
				if (!add_forward(keys, forward, port, to + port - start, &count,
						 card->mac.address, error))
					return false;
			}
		}
	}
	return true;
}

static bool add_user(struct keys *keys, const struct domain_interface *card, GError **error)
{
	const char *domain;

	for (unsigned i = 0; i < card->ip_count; i++) {
		const struct interface_ip *ip = &card->ips[i];
		const bool v6 = ip->family && !strcmp(ip->family, "ipv6");

		const int64_t prefix = ip->prefix.set ? ip->prefix.value : (v6 ? 64 : 24);
		char text[INET_TEXT_MAX];
		struct inet inet;

		if (!ip->address || !inet_parse(ip->address, &inet) || prefix > inet_bits(&inet))
			continue;
		inet = inet_first(&inet, (unsigned)prefix);
		inet_format(&inet, text);
		keys_printf(keys, v6 ? "ipv6-net" : "net", "%s/%" PRId64, text, prefix);
		/* The guest's address, and that of the host as it sees it. */
		if (ip->peer)
			keys_add(keys, v6 ? "ipv6-host" : "host", ip->peer);
		if (ip->peer && !v6)
			keys_add(keys, "dhcpstart", ip->address);
	}
	keys_add(keys, "tftp", card->user.tftp);
	keys_add(keys, "bootfile", card->user.bootfile);
	for (unsigned i = 0; i < card->user.name_count; i++)
		keys_printf(keys, "dnshost", "%s/%s", card->user.names[i].address,
			    card->user.names[i].name);
	/* From all but what is forwarded to it. */
	if (card->port.isolated == TRI_YES)
		keys_bool(keys, "restrict", true);
	keys_add(keys, "hostname", card->backend.hostname);
	/* Behind the guest's own name. */
	domain = card->backend.fqdn ? strchr(card->backend.fqdn, '.') : NULL;
	keys_add(keys, "domainname", domain ? domain + 1 : NULL);
	return add_forwards(keys, card, error);
}

static void add_stream(struct keys *keys, const struct domain_interface *card)
{
	const char *host = card->source.address;

	if (card->type == INTERFACE_SERVER)
		keys_bool(keys, "server", true);
	keys_add(keys, "addr.type", "inet");
	keys_add(keys, "addr.host", host ? host : "127.0.0.1");
	keys_printf(keys, "addr.port", "%" PRId64, card->source.port.value);
}

static const char *type_of(const struct domain_interface *card, int tap)
{
	switch (card->type) {
	case INTERFACE_USER:
		return "user";
	case INTERFACE_NETWORK:
		/* One that is not there has no tap. */
		return tap < 0 && !tap_wanted(card) ? "user" : "tap";
	case INTERFACE_DIRECT:
	case INTERFACE_BRIDGE:
	case INTERFACE_ETHERNET:
		return "tap";
	case INTERFACE_SERVER:
	case INTERFACE_CLIENT:
		return "stream";
	case INTERFACE_ABSENT:
	case INTERFACE_VHOSTUSER:
	case INTERFACE_INTERNAL:
	case INTERFACE_MCAST:
	case INTERFACE_UDP:
	case INTERFACE_HOSTDEV:
	case INTERFACE_VDPA:
	case INTERFACE_NULL:
	case INTERFACE_VDS:
	case INTERFACE_COUNT:
		break;
	}
	return NULL;
}

bool keys_of_network(struct keys *keys, const struct domain_interface *card, int tap,
		     const char **ret_type, GError **error)
{
	const char *type = type_of(card, tap);

	const bool is_tap = type && !strcmp(type, "tap");

	/* A machine that runs opens it by its name. */
	if (!type || (is_tap && tap < 0 && !card->target.dev))
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "interface '%s': a machine cannot be connected in this way; give "
				 "type='user'",
				 card->mac.address);
	*ret_type = type;
	keys_word(keys, type);
	if (!strcmp(type, "user"))
		return add_user(keys, card, error);
	if (is_tap && tap < 0)
		keys_add(keys, "ifname", card->target.dev);
	else if (is_tap)
		keys_number(keys, "fd", tap);
	else
		add_stream(keys, card);
	return true;
}

/* KiB, or KiB in a second; one that is not given is 0. */
static void add_kib(struct keys *keys, const char *way, const char *name, const struct number *kib)
{
	g_autofree char *key = g_strconcat(way, name, NULL);

	if (kib->value > 0)
		keys_number(keys, key, MIN(kib->value, INT64_MAX >> 10) * 1024);
}

static void add_rate(struct keys *keys, const char *way, const struct bandwidth_way *rate)
{
	add_kib(keys, way, "-bps", &rate->average);
	add_kib(keys, way, "-peak", &rate->peak);
	add_kib(keys, way, "-burst", &rate->burst);
}

void keys_of_card(struct keys *keys, const struct domain_interface *card)
{
	keys_of_info(keys, &card->info);
	keys_add(keys, "mac", card->mac.address);
	if (card->driver.rx_queue_size.set)
		keys_number(keys, "queue-size", card->driver.rx_queue_size.value);
	if (card->driver.packed == TRI_NO)
		keys_bool(keys, "packed", false);
	if (card->mtu.size.set)
		keys_number(keys, "mtu", card->mtu.size.value);
	add_rate(keys, "rx", &card->bandwidth.inbound);
	add_rate(keys, "tx", &card->bandwidth.outbound);
}

json_t *runner_netdev(const struct domain_interface *card, const char *id, GError **error)
{
	struct keys keys = keys_object();
	const char *type = NULL;

	if (!keys_of_network(&keys, card, -1, &type, error)) {
		json_decref(keys.object);
		return NULL;
	}
	keys_add(&keys, "type", type);
	keys_add(&keys, "id", id);
	return keys.object;
}

json_t *runner_card_limits(const struct domain_interface *card, const char *alias)
{
	struct keys keys = keys_object();

	keys_add(&keys, "name", alias);
	/* The same keys as at the start, but 0 where there is no limit. */
	keys_number(&keys, "rx-bps", 0);
	keys_number(&keys, "tx-bps", 0);
	add_rate(&keys, "rx", &card->bandwidth.inbound);
	add_rate(&keys, "tx", &card->bandwidth.outbound);
	return keys.object;
}

json_t *runner_card_device(const struct domain_interface *card, const char *id)
{
	struct keys keys = keys_object();

	keys_add(&keys, "driver", "virtio-net-pci");
	keys_add(&keys, "netdev", id);
	keys_of_card(&keys, card);
	return keys.object;
}
