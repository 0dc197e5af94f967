/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * network-dnsmasq-config.c - a network as dnsmasq's files
 *
 * The check of the definition has seen to it that no text has a line break or another control character; texts
 * that may have commas and blanks are quoted.
 */
#include <inttypes.h>
#include <string.h>

#include "daemon/network-dnsmasq.h"
#include "model/network.h"

bool dnsmasq_wanted(const struct network *network)
{
	return network_has_own_bridge(network) && network->ip_count;
}

static void line(GString *out, const char *fmt, ...) G_GNUC_PRINTF(2, 3);

static void line(GString *out, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	g_string_append_vprintf(out, fmt, ap);
	va_end(ap);
	g_string_append_c(out, '\n');
}

/* In quotes a comma is no separator, and a # no comment. For g_free(). */
static char *quote(const char *text)
{
	GString *out = g_string_new("\"");

	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			g_string_append_c(out, '\\');
		g_string_append_c(out, *text);
	}
	return g_string_free(g_string_append_c(out, '"'), FALSE);
}

static char *lease_text(const struct dhcp_lease *lease)
{
	const int64_t seconds = network_lease_seconds(lease);

	return seconds ? g_strdup_printf("%" PRId64, seconds) : g_strdup("infinite");
}

/* == Names == */

static void add_service(GString *out, const struct dns_service *s)
{
	g_string_append_printf(out, "srv-host=_%s._%s", s->service, s->protocol);
	if (s->domain)
		g_string_append_printf(out, ".%s", s->domain);
	if (s->target)
		g_string_append_printf(out, ",%s,%" PRId64 ",%" PRId64 ",%" PRId64,
				       strcmp(s->target, ".") ? s->target : "",
				       s->port.set ? s->port.value : 1, s->priority.value,
				       s->weight.value);
	g_string_append_c(out, '\n');
}

static void add_forwarder(GString *out, const struct dns_forwarder *f)
{
	const char *port = f->port ? f->port : NULL;

	line(out, "server=%s%s%s%s%s%s", f->domain ? "/" : "", f->domain ? f->domain : "",
	     f->domain ? "/" : "", f->addr ? f->addr : "#", port ? "#" : "", port ? port : "");
}

static bool has_upstream(const struct network_dns *dns)
{
	for (unsigned i = 0; i < dns->forwarder_count; i++) {
		if (!dns->forwarders[i].domain)
			return true;
	}
	return false;
}

static void add_dns(GString *out, const struct network *n)
{
	const struct network_dns *dns = &n->dns;
	const bool upstream = has_upstream(dns);
	/* Guests that reach nobody need nobody's names; what we do not know does not exist. */
	const bool alone = !upstream && network_mode(n) == FORWARD_MODE_ABSENT;

	if (dns->enable == TRI_NO) {
		line(out, "port=0");
		return;
	}
	line(out, "strict-order");
	if (n->domain.name) {
		line(out, "domain=%s", n->domain.name);
		line(out, "expand-hosts");
		if (n->domain.local_only == TRI_YES)
			line(out, "local=/%s/", n->domain.name);
	}
	if (dns->forward_plain_names == TRI_NO) {
		line(out, "domain-needed");
		line(out, "local=//");
	}
	if (alone)
		line(out, "local=/#/");
	for (unsigned i = 0; i < dns->forwarder_count; i++)
		add_forwarder(out, &dns->forwarders[i]);
	if (upstream || network_mode(n) == FORWARD_MODE_ABSENT)
		line(out, "no-resolv");
	for (unsigned i = 0; i < dns->text_count; i++) {
		g_autofree char *value = quote(dns->texts[i].value);

		line(out, "txt-record=%s,%s", dns->texts[i].name, value);
	}
	for (unsigned i = 0; i < dns->service_count; i++)
		add_service(out, &dns->services[i]);
}

char *dnsmasq_names(const struct network *n)
{
	GString *out = g_string_new(NULL);

	for (unsigned i = 0; i < n->dns.host_count; i++) {
		const struct dns_host *host = &n->dns.hosts[i];

		g_string_append(out, host->ip);
		for (unsigned k = 0; k < host->name_count; k++)
			g_string_append_printf(out, " %s", host->names[k].name);
		g_string_append_c(out, '\n');
	}
	return g_string_free(out, FALSE);
}

/* == Addresses == */

char *dnsmasq_hosts(const struct network *n)
{
	GString *out = g_string_new(NULL);

	for (unsigned i = 0; i < n->ip_count; i++) {
		const struct network_dhcp *dhcp = &n->ips[i].dhcp;

		for (unsigned k = 0; k < dhcp->host_count; k++) {
			const struct dhcp_host *host = &dhcp->hosts[k];
			const bool v6 = host->ip && strchr(host->ip, ':');
			g_autofree char *time =
				host->lease.expiry.set ? lease_text(&host->lease) : NULL;

			if (host->id)
				g_string_append_printf(out, "id:%s,", host->id);
			else if (host->mac)
				g_string_append_printf(out, "%s,", host->mac);
			if (host->name)
				g_string_append_printf(out, "%s,", host->name);
			if (host->ip)
				g_string_append_printf(out, v6 ? "[%s]," : "%s,", host->ip);
			if (time)
				g_string_append(out, time);
			else
				g_string_truncate(out, out->len - 1);
			g_string_append_c(out, '\n');
		}
	}
	return g_string_free(out, FALSE);
}

/* How many addresses there are between two, at most 65535. */
static uint64_t range_size(const struct dhcp_range *range)
{
	struct inet start, end;
	uint64_t size = 0;

	if (!inet_parse(range->start, &start) || !inet_parse(range->end, &end))
		return 0;
	for (unsigned i = 0; i < inet_bits(&start) / 8; i++) {
		int64_t more = (int64_t)end.bytes[i] - start.bytes[i];

		size = (uint64_t)CLAMP((int64_t)(size << 8) + more, 0, 65535);
	}
	return size + 1;
}

static void add_range(GString *out, const struct network_ip *ip, const struct dhcp_range *range)
{
	const unsigned prefix = (unsigned)network_ip_prefix(ip);
	g_autofree char *time = lease_text(&range->lease);
	struct inet inet, mask = { .v6 = false };
	char text[INET_TEXT_MAX];

	if (!inet_parse(ip->address, &inet))
		return;
	mask = inet_last(&(struct inet){ .v6 = false }, 0);
	mask = inet_first(&mask, MIN(prefix, 32));
	inet_format(&mask, text);
	if (inet.v6)
		line(out, "dhcp-range=%s,%s,%u,%s", range->start, range->end, prefix, time);
	else
		line(out, "dhcp-range=%s,%s,%s,%s", range->start, range->end, text, time);
}

/* Hosts are known by name only. */
static void add_static(GString *out, const struct network_ip *ip)
{
	const unsigned prefix = (unsigned)network_ip_prefix(ip);
	struct inet inet;
	char text[INET_TEXT_MAX];

	if (!inet_parse(ip->address, &inet))
		return;
	inet = inet_first(&inet, prefix);
	inet_format(&inet, text);
	if (inet.v6)
		line(out, "dhcp-range=%s,static,%u", text, prefix);
	else
		line(out, "dhcp-range=%s,static", text);
}

static uint64_t add_ip(GString *out, const struct network *n, const struct network_ip *ip)
{
	const struct network_dhcp *dhcp = &ip->dhcp;
	struct inet inet;
	uint64_t leases = dhcp->host_count;

	if (!inet_parse(ip->address, &inet))
		return 0;
	for (unsigned i = 0; i < dhcp->range_count; i++) {
		add_range(out, ip, &dhcp->ranges[i]);
		leases += range_size(&dhcp->ranges[i]);
	}
	if (dhcp->host_count && !dhcp->range_count)
		add_static(out, ip);
	if (inet.v6) {
		inet = inet_first(&inet, (unsigned)network_ip_prefix(ip));
		if (!dhcp->range_count && !dhcp->host_count) {
			char text[INET_TEXT_MAX];

			inet_format(&inet, text);
			line(out, "dhcp-range=%s,ra-only", text);
		}
		line(out, "enable-ra");
		return leases;
	}
	if (dhcp->set && network_mode(n) == FORWARD_MODE_ABSENT)
		/* No router: nothing is behind the host. */
		line(out, "dhcp-option=3");
	if (dhcp->bootp.file) {
		g_autofree char *file = quote(dhcp->bootp.file);

		if (dhcp->bootp.server)
			line(out, "dhcp-boot=%s,,%s", file, dhcp->bootp.server);
		else
			line(out, "dhcp-boot=%s", file);
	}
	return leases;
}

static void add_tftp(GString *out, const struct network *n)
{
	for (unsigned i = 0; i < n->ip_count; i++) {
		g_autofree char *root = n->ips[i].tftp.root ? quote(n->ips[i].tftp.root) : NULL;

		if (!root)
			continue;
		line(out, "enable-tftp");
		line(out, "tftp-root=%s", root);
		return;
	}
}

char *dnsmasq_config(const struct network *n, const struct dnsmasq_places *places)
{
	g_auto(GStrv) options = network_dnsmasq_options(n, NULL);
	GString *out = g_string_new("# Written by socled: what is changed here is lost.\n");
	uint64_t leases = 0;
	bool dhcp = false;

	line(out, "pid-file=%s/pid", places->folder);
	if (places->user)
		line(out, "user=%s", places->user);
	line(out, "log-facility=-");
	line(out, "bind-dynamic");
	line(out, "except-interface=lo");
	line(out, "interface=%s", n->bridge.name);
	add_dns(out, n);
	line(out, "addn-hosts=%s/names", places->folder);
	for (unsigned i = 0; i < n->ip_count; i++) {
		leases += add_ip(out, n, &n->ips[i]);
		dhcp |= n->ips[i].dhcp.set;
	}
	if (dhcp) {
		line(out, "dhcp-authoritative");
		line(out, "dhcp-no-override");
		/* Who has an address stands in the leases; asking the air takes three seconds for each. */
		line(out, "no-ping");
		/* Clones of a machine make the same identifier of the same machine-id; cards are their own. */
		line(out, "dhcp-ignore-clid");
		line(out, "quiet-dhcp");
		line(out, "quiet-dhcp6");
		line(out, "dhcp-lease-max=%" PRIu64, MIN(leases + 1, 1000000));
		line(out, "dhcp-hostsfile=%s/hosts", places->folder);
		line(out, "dhcp-leasefile=%s", places->leases);
	}
	line(out, "quiet-ra");
	add_tftp(out, n);
	for (unsigned i = 0; options && options[i]; i++)
		line(out, "%s", options[i]);
	return g_string_free(out, FALSE);
}
