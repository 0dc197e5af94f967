/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz-network-xml.c - a network of a client, and an update of one, through the four steps
 *
 * Properties: what was read once is given back the same; filling in twice is filling in once; the check
 * changes nothing; an error has one line; what the check lets through has no line break in what becomes a line
 * of another program's configuration. See xml-fuzz.h for the digit that an input may begin with: of an update
 * it is the command.
 */
#include "xml-fuzz.h"

#include <assert.h>

#include "model/network.h"

static const struct support host = { .bridges = true, .networks = true };

static void check_verdict(bool ok, GError *error)
{
	assert(ok == !error);
	assert(!error || (*error->message && !strchr(error->message, '\n')));
	g_clear_error(&error);
}

static void check_plain(const char *text)
{
	for (; text && *text; text++)
		assert(!g_ascii_iscntrl(*text));
}

/* What daemons write into files and rules. */
static void check_harmless(const struct network *n)
{
	g_autoptr(GArray) forwards = network_forwards(n, NULL);
	g_auto(GStrv) options = network_dnsmasq_options(n, NULL);

	assert(forwards && options);
	check_plain(n->name);
	check_plain(n->domain.name);
	assert(!n->bridge.name || network_is_device_name(n->bridge.name));
	for (unsigned i = 0; i < n->ip_count; i++) {
		const struct network_ip *ip = &n->ips[i];

		check_plain(ip->address);
		check_plain(ip->tftp.root);
		check_plain(ip->dhcp.bootp.file);
		check_plain(ip->dhcp.bootp.server);
		for (unsigned k = 0; k < ip->dhcp.host_count; k++) {
			check_plain(ip->dhcp.hosts[k].mac);
			check_plain(ip->dhcp.hosts[k].name);
			check_plain(ip->dhcp.hosts[k].id);
		}
	}
	for (unsigned i = 0; i < n->dns.text_count; i++)
		check_plain(n->dns.texts[i].value);
	for (unsigned i = 0; options[i]; i++)
		check_plain(options[i]);
}

static void check_stable(const char *first)
{
	autoptr(network) again = network_parse(first, strlen(first), 0, NULL, NULL);
	g_autofree char *second = NULL;

	/* Only what was at a limit may have grown beyond it. */
	if (!again)
		return;
	second = network_format(again, 0);
	assert(!strcmp(first, second));
}

static void check_read(const struct network *network)
{
	g_autofree char *text = network_format(network, 0);

	check_stable(text);
}

static void check_filled(struct network *network)
{
	g_autofree char *once = NULL, *after = NULL;
	struct notes notes = { 0 };
	GError *error = NULL;
	bool ok;

	network_fill(network, &host);
	once = network_format(network, 0);
	network_fill(network, &host);
	ok = network_check(network, &notes, &error);
	check_verdict(ok, error);
	after = network_format(network, 0);
	assert(!strcmp(once, after));
	if (ok)
		check_harmless(network);
	notes_release(&notes);
}

static void try_network(const char *xml, size_t len, int mode)
{
	struct notes notes = { 0 };
	GError *error = NULL;
	autoptr(network) network = network_parse(xml, len, 0, &notes, &error);

	check_verdict(network != NULL, error);
	notes_release(&notes);
	if (network && (mode == XML_ALL || mode % 2 == 0))
		check_read(network);
	if (network && (mode == XML_ALL || mode % 2 == 1))
		check_filled(network);
}

static void try_update(const char *xml, size_t len, int mode)
{
	/* Which element a section takes. */
	static const char *const elements[NETWORK_SECTION_COUNT] = {
		[NETWORK_DHCP_HOST] = "host",
		[NETWORK_DHCP_RANGE] = "range",
		[NETWORK_FORWARD_INTERFACE] = "interface",
		[NETWORK_PORTGROUP] = "portgroup",
		[NETWORK_DNS_HOST] = "host",
		[NETWORK_DNS_TEXT] = "txt",
		[NETWORK_DNS_SERVICE] = "srv",
	};
	static const char base[] =
		"<network><name>n</name><forward/><dns><host ip='10.0.0.9'><hostname>a</hostname>"
		"</host><txt name='a' value='b'/></dns><ip address='10.0.0.1' prefix='24'><dhcp>"
		"<range start='10.0.0.2' end='10.0.0.8'/><host name='b' ip='10.0.0.3'/></dhcp></ip>"
		"<portgroup name='g'/></network>";

	static struct network *before;

	if (!before)
		before = network_parse(base, strlen(base), 0, NULL, NULL);
	for (unsigned section = 0; section < NETWORK_SECTION_COUNT; section++) {
		for (unsigned command = NETWORK_MODIFY; command <= NETWORK_ADD_FIRST; command++) {
			autoptr(network) network = NULL;
			GError *error = NULL;
			bool ok;

			if (mode != XML_ALL && (!elements[section] || (unsigned)mode != command ||
						!xml_root_is(xml, len, elements[section])))
				continue;
			network = network_copy(before);
			ok = network_update(network, command, section, -1, xml, len, &error);
			check_verdict(ok, error);
			if (ok)
				check_read(network);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const int mode = xml_mode(&data, &size);
	const char *xml = (const char *)data;
	const bool network = xml_root_is(xml, size, "network");

	if (mode == XML_ALL || network)
		try_network(xml, size, mode);
	/* Sections are chosen by the element's name, so most of them end at once. */
	if (mode == XML_ALL ? size > 1 && data[0] == '<' && data[1] != 'n' : !network)
		try_update(xml, size, mode);
	return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	static const struct xml_root roots[] = {
		{ "network", &network_record },     { "network", &network_record },
		{ "host", &dhcp_host_record },      { "range", &dhcp_range_record },
		{ "host", &dns_host_record },       { "interface", &forward_interface_record },
		{ "portgroup", &portgroup_record }, { "txt", &dns_text_record },
		{ "srv", &dns_service_record },
	};

	return xml_mutate(roots, G_N_ELEMENTS(roots), NETWORK_ADD_FIRST + 1, data, size, max_size,
			  seed);
}
