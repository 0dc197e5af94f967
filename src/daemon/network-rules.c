/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * network-rules.c - what packets may do at a network, as nftables' rules
 *
 * Text only: host/nft.h carries it out. All that stands in it are names and addresses that the check of the
 * definition has let through.
 *
 * The own table decides: it has the last word for what it drops, and what it accepts still goes through
 * the chains of others. In those that are known to drop the rest ("doors") there is a rule in front for the
 * network's interface, no narrower than that, since the own table is. Rules there are such that iptables can show them.
 */
#include "daemon/network-rules.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "model/network.h"

/* == The own table == */

char *network_table(const struct network *network)
{
	g_autofree char *name = g_strdup(network->bridge.name);
	bool changed = false;

	for (char *p = name; *p; p++) {
		changed |= !g_ascii_isalnum(*p);
		if (!g_ascii_isalnum(*p))
			*p = '_';
	}
	if (!changed)
		return g_strconcat("socle_", name, NULL);
	return g_strdup_printf("socle_%s_%08x", name, g_str_hash(network->bridge.name));
}

static bool has_limit(const struct network *n)
{
	return n->bandwidth.outbound.average.value > 0;
}

bool network_has_table(const struct network *network)
{
	g_autoptr(GArray) forwards = network_forwards(network, NULL);

	/* An open one is left to the administrator, but for what he wants of us. */
	return network_mode(network) != FORWARD_OPEN || has_limit(network) ||
	       (forwards && forwards->len);
}

static void line(GString *out, const char *fmt, ...) G_GNUC_PRINTF(2, 3);

static void line(GString *out, const char *fmt, ...)
{
	va_list ap;

	g_string_append(out, "\t\t");
	va_start(ap, fmt);
	g_string_append_vprintf(out, fmt, ap);
	va_end(ap);
	g_string_append_c(out, '\n');
}

/* "10.0.0.0/24" */
static void subnet_text(const struct network_ip *ip, bool *ret_v6, char ret_text[INET_TEXT_MAX + 4])
{
	const unsigned prefix = (unsigned)network_ip_prefix(ip);
	struct inet inet = { 0 };
	char text[INET_TEXT_MAX];

	(void)inet_parse(ip->address, &inet);
	inet = inet_first(&inet, prefix);
	inet_format(&inet, text);
	*ret_v6 = inet.v6;
	g_snprintf(ret_text, INET_TEXT_MAX + 4, "%s/%u", text, prefix);
}

static bool has_nat(const struct network *n, bool v6)
{
	return network_mode(n) == FORWARD_NAT && (!v6 || n->forward.nat.ipv6 == TRI_YES);
}

/* ' oifname "eth0"', for the way out; or nothing. */
static char *way(const struct network *n, const char *word)
{
	const char *dev = n->forward.dev               ? n->forward.dev
			  : n->forward.interface_count ? n->forward.interfaces[0].dev
						       : NULL;

	return dev ? g_strdup_printf(" %s \"%s\"", word, dev) : g_strdup("");
}

/* KiB in a second, of what guests send to the host and through it; what is beyond is dropped, and TCP slows down. */
static void add_limit(GString *out, const struct bandwidth_way *w)
{
	const int64_t burst = w->burst.set ? w->burst.value : w->average.value;

	g_string_append_printf(out,
			       "\tlimit outbound { rate over %" PRId64
			       " kbytes/second burst %" PRId64 " kbytes; }\n",
			       w->average.value, CLAMP(burst, 64, UINT32_MAX >> 10));
}

static void add_limited(GString *out, const struct network *n)
{
	if (has_limit(n))
		line(out, "iifname \"%s\" limit name \"outbound\" drop", n->bridge.name);
}

static void add_input_chain(GString *out, const struct network *n)
{
	g_string_append(out, "\tchain input {\n");
	line(out, "type filter hook input priority filter; policy accept;");
	add_limited(out, n);
	g_string_append(out, "\t}\n");
}

static void add_forward_chain(GString *out, const struct network *n, bool forwards)
{
	const char *br = n->bridge.name;
	g_autofree char *to = way(n, "oifname"), *from = way(n, "iifname");

	g_string_append(out, "\tchain forward {\n");
	line(out, "type filter hook forward priority filter; policy accept;");
	line(out, "iifname \"%s\" oifname \"%s\" accept", br, br);
	add_limited(out, n);
	if (forwards) {
		line(out, "oifname \"%s\" ct status dnat accept", br);
		line(out, "iifname \"%s\" ct status dnat accept", br);
	}
	for (unsigned i = 0; network_mode(n) != FORWARD_MODE_ABSENT && i < n->ip_count; i++) {
		char subnet[INET_TEXT_MAX + 4];
		bool v6;
		const char *family;

		subnet_text(&n->ips[i], &v6, subnet);
		family = v6 ? "ip6" : "ip";
		line(out, "oifname \"%s\"%s %s daddr %s %saccept", br, from, family, subnet,
		     has_nat(n, v6) ? "ct state established,related " : "");
		line(out, "iifname \"%s\"%s %s saddr %s accept", br, to, family, subnet);
	}
	/* A route behind a guest. */
	for (unsigned i = 0; network_mode(n) == FORWARD_ROUTE && i < n->route_count; i++) {
		const char *family = strchr(n->routes[i].address, ':') ? "ip6" : "ip";
		int prefix = network_prefix(n->routes[i].address, n->routes[i].netmask,
					    &n->routes[i].prefix);

		line(out, "oifname \"%s\"%s %s daddr %s/%d accept", br, from, family,
		     n->routes[i].address, prefix);
		line(out, "iifname \"%s\"%s %s saddr %s/%d accept", br, to, family,
		     n->routes[i].address, prefix);
	}
	/* Who comes and goes in an open one is not our matter. */
	if (network_mode(n) != FORWARD_OPEN) {
		line(out, "iifname \"%s\" reject", br);
		line(out, "oifname \"%s\" reject", br);
	}
	g_string_append(out, "\t}\n");
}

static void add_nat(GString *out, const struct network *n, const struct network_ip *ip)
{
	const struct network_nat *nat = &n->forward.nat;
	g_autofree char *to = way(n, "oifname"), *ports = NULL, *act = NULL;
	char subnet[INET_TEXT_MAX + 4];
	const char *family;
	bool v6;

	subnet_text(ip, &v6, subnet);
	if (!has_nat(n, v6))
		return;
	family = v6 ? "ip6" : "ip";
	ports = g_strdup_printf(":%" PRId64 "-%" PRId64,
				nat->ports.start.set ? nat->ports.start.value : 1024,
				nat->ports.end.set ? nat->ports.end.value : 65535);
	if (!v6)
		line(out, "ip saddr %s ip daddr { 224.0.0.0/24, 255.255.255.255 } return", subnet);
	if (!v6 && nat->addresses.start)
		act = g_strdup_printf("snat ip to %s-%s", nat->addresses.start, nat->addresses.end);
	/* A range of addresses has its ports behind it, masquerading behind "to". */
	line(out, "%s saddr %s %s daddr != %s%s meta l4proto { tcp, udp } %s%s%s", family, subnet,
	     family, subnet, to, act ? act : "masquerade", act ? "" : " to ", ports);
	line(out, "%s saddr %s %s daddr != %s%s %s", family, subnet, family, subnet, to,
	     act ? act : "masquerade");
}

/* One port, or several that keep their numbers. */
static void add_dnat(GString *out, const struct network_forward_port *f, unsigned port,
		     unsigned end, unsigned to_port)
{
	const char *family = f->to.v6 ? "ip6" : "ip";
	char text[INET_TEXT_MAX], own[INET_TEXT_MAX];
	g_autofree char *at = NULL, *to = NULL;

	inet_format(&f->to, text);
	inet_format(&f->address, own);
	at = f->any ? g_strdup_printf("meta nfproto %s fib daddr type local",
				      f->to.v6 ? "ipv6" : "ipv4")
		    : g_strdup_printf("%s daddr %s", family, own);
	to = port == to_port ? g_strdup(text)
			     : g_strdup_printf(f->to.v6 ? "[%s]:%u" : "%s:%u", text, to_port);
	line(out, "%s %s dport %u-%u dnat %s to %s", at, f->udp ? "udp" : "tcp", port, end, family,
	     to);
}

static void add_dnats(GString *out, GArray *forwards)
{
	for (unsigned i = 0; i < forwards->len; i++) {
		const struct network_forward_port *f =
			&g_array_index(forwards, struct network_forward_port, i);

		if (f->port == f->to_port)
			add_dnat(out, f, f->port, f->end, f->port);
		for (unsigned k = 0; f->port != f->to_port && f->port + k <= f->end; k++)
			add_dnat(out, f, f->port + k, f->port + k, f->to_port + k);
	}
}

static void add_forwards(GString *out, GArray *forwards)
{
	g_string_append(out, "\tchain prerouting {\n");
	line(out, "type nat hook prerouting priority dstnat; policy accept;");
	add_dnats(out, forwards);
	g_string_append(out, "\t}\n\tchain output {\n");
	line(out, "type nat hook output priority -100; policy accept;");
	/* What stays on loopback has an address that no guest can answer to. */
	line(out, "oifname \"lo\" ip daddr 127.0.0.0/8 return");
	line(out, "ip6 daddr ::1 return");
	add_dnats(out, forwards);
	g_string_append(out, "\t}\n");
}

static void add_postrouting(GString *out, const struct network *n, bool forwards)
{
	g_string_append(out, "\tchain postrouting {\n");
	line(out, "type nat hook postrouting priority srcnat; policy accept;");
	for (unsigned i = 0; i < n->ip_count; i++) {
		char subnet[INET_TEXT_MAX + 4];
		bool v6;

		subnet_text(&n->ips[i], &v6, subnet);
		/* A guest that asks its neighbour by the host's address: the answer has to come back this way. */
		if (forwards)
			line(out, "%s saddr %s %s daddr %s ct status dnat masquerade",
			     v6 ? "ip6" : "ip", subnet, v6 ? "ip6" : "ip", subnet);
		add_nat(out, n, &n->ips[i]);
	}
	g_string_append(out, "\t}\n");
}

char *network_no_rules(const struct network *network)
{
	g_autofree char *table = network_table(network);

	/* What is not there cannot be deleted. */
	return g_strdup_printf("add table inet %s\ndelete table inet %s\n", table, table);
}

char *network_rules(const struct network *n)
{
	g_autoptr(GArray) forwards = network_forwards(n, NULL);
	const bool has_forwards = forwards && forwards->len;
	g_autofree char *table = network_table(n), *clear = network_no_rules(n);
	GString *out = g_string_new(clear);

	if (!network_has_table(n))
		return g_string_free(out, FALSE);
	g_string_append_printf(out, "table inet %s {\n", table);
	if (has_limit(n)) {
		add_limit(out, &n->bandwidth.outbound);
		add_input_chain(out, n);
	}
	add_forward_chain(out, n, has_forwards);
	if (has_forwards)
		add_forwards(out, forwards);
	if (has_forwards || network_mode(n) == FORWARD_NAT)
		add_postrouting(out, n, has_forwards);
	g_string_append(out, "}\n");
	return g_string_free(out, FALSE);
}

/* == Doors == */

const struct network_door network_doors[] = {
	{ "ip filter FORWARD", false, true },
	{ "ip filter INPUT", true, true },
	{ "ip6 filter FORWARD", false, true },
	{ "ip6 filter INPUT", true, true },
	{ "inet firewalld filter_FORWARD", false, false },
	{ "inet firewalld filter_INPUT", true, false },
};
const unsigned network_door_count = ARRAY_SIZE(network_doors);

/* What is put in front; the bridge's name is %s. In the form in which nft lists them. */
static const char *const through[] = {
	"iifname \"%s\" counter accept",
	"oifname \"%s\" counter accept",
	NULL,
};
/* Frames within a bridge of the host's, which come here if the kernel's br_netfilter is told so, as Docker does. They
 * are let through behind all that others say of them. */
static const char *const within[] = {
	"iifname \"%s\" oifname \"%s\" counter accept",
	NULL,
};
/* DHCP, DNS and TFTP of the host's, of both kinds. */
static const char *const to_host[] = {
	"iifname \"%s\" udp dport 53 counter accept",
	"iifname \"%s\" tcp dport 53 counter accept",
	"iifname \"%s\" udp dport 67 counter accept",
	"iifname \"%s\" udp dport 547 counter accept",
	"iifname \"%s\" udp dport 69 counter accept",
	"iifname \"%s\" meta l4proto 1 counter accept",
	"iifname \"%s\" meta l4proto 58 counter accept",
	NULL,
};

/* The line of @listing that is @rule, whatever comment is behind it; or NULL. */
static const char *find_rule(const char *listing, const char *rule)
{
	const size_t len = strlen(rule);

	for (const char *p = listing; p && *p; p = strchr(p, '\n')) {
		p += strspn(p, "\n\t ");
		if (!strncmp(p, rule, len) && (p[len] == ' ' || p[len] == '\n'))
			return p;
	}
	return NULL;
}

static char *rule_text(const char *form, const char *bridge)
{
	GString *text = g_string_new(form);

	g_string_replace(text, "%s", bridge, 0);
	return g_string_free(text, FALSE);
}

static const char *const *rules_of(const struct network *network, const struct network_door *door)
{
	static const char *const none[] = { NULL };

	if (network_has_own_bridge(network))
		return door->input ? to_host : through;
	return door->input || !door->by_policy ? none : within;
}

char *network_open_door(const struct network *network, const struct network_door *door,
			const char *listing)
{
	g_autoptr(GString) out = g_string_new(NULL);

	for (const char *const *form = rules_of(network, door); *form; form++) {
		g_autofree char *rule = rule_text(*form, network->bridge.name);

		if (!find_rule(listing, rule))
			g_string_append_printf(out, "%s rule %s %s comment \"socle\"\n",
					       network_has_own_bridge(network) ? "insert" : "add",
					       door->chain, rule);
	}
	return out->len ? g_string_free(g_steal_pointer(&out), FALSE) : NULL;
}

char *network_close_door(const struct network *network, const struct network_door *door,
			 const char *listing)
{
	static const char key[] = "# handle ";
	g_autoptr(GString) out = g_string_new(NULL);

	for (const char *const *form = rules_of(network, door); *form; form++) {
		g_autofree char *rule = rule_text(*form, network->bridge.name);

		for (const char *p = find_rule(listing, rule); p; p = find_rule(p, rule)) {
			const char *end = strchrnul(p, '\n');
			const char *handle = g_strstr_len(p, end - p, key);

			if (handle)
				g_string_append_printf(
					out, "delete rule %s handle %" G_GUINT64_FORMAT "\n",
					door->chain,
					g_ascii_strtoull(handle + strlen(key), NULL, 10));
			p = end;
		}
	}
	return out->len ? g_string_free(g_steal_pointer(&out), FALSE) : NULL;
}

static bool is_door(const char *family, const char *table, const char *chain)
{
	g_autofree char *name = g_strdup_printf("%s %s %s", family, table, chain);

	for (unsigned i = 0; i < network_door_count; i++) {
		if (!strcmp(network_doors[i].chain, name))
			return true;
	}
	return false;
}

char *network_closed_chain(const char *chains, bool input)
{
	const char *hook = input ? "hook input" : "hook forward";
	g_auto(GStrv) lines = g_strsplit(chains, "\n", -1);
	char family[16] = "", table[64] = "", chain[64] = "";

	for (unsigned i = 0; lines[i]; i++) {
		const char *text = g_strstrip(lines[i]);

		if (g_str_has_prefix(text, "table "))
			(void)sscanf(text, "table %15s %63s", family, table);
		else if (g_str_has_prefix(text, "chain "))
			(void)sscanf(text, "chain %63s", chain);
		else if (strstr(text, hook) && strstr(text, "policy drop") &&
			 (!strcmp(family, "ip") || !strcmp(family, "ip6") ||
			  !strcmp(family, "inet")) &&
			 !is_door(family, table, chain))
			return g_strdup_printf("%s %s %s", family, table, chain);
	}
	return NULL;
}
