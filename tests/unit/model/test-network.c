/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-network.c - networks: what comes back, what is refused and why, what an update does
 */
#include "lab.h"
#include "model/network.h"

static struct network *parse(const char *xml)
{
	g_autoptr(GError) error = NULL;
	struct network *network =
		network_parse(xml, strlen(xml), NETWORK_PARSE_STRICT, NULL, &error);

	g_assert_no_error(error);
	network_fill(network, &rich_host);
	return network;
}

static struct network *everything(void)
{
	g_autofree char *path = g_test_build_filename(G_TEST_DIST, "network.xml", NULL);
	g_autofree char *text = NULL;

	g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
	return parse(text);
}

static void test_stable(void)
{
	autoptr(network) network = everything();
	autoptr(network) copy = network_copy(network);
	autoptr(network) again = NULL;
	g_autofree char *first = network_format(network, 0), *second = NULL, *third = NULL;
	g_autoptr(GError) error = NULL;

	g_assert_true(network_check(network, NULL, &error));
	again = parse(first);
	second = network_format(again, 0);
	third = network_format(copy, 0);
	g_assert_cmpstr(first, ==, second);
	g_assert_cmpstr(first, ==, third);
	if (have_schema("network")) {
		struct schema schema = schema_open("network");

		assert_valid(&schema, first);
		schema_close(&schema);
	}
}

/* What libvirt's package defines. */
static void test_default(void)
{
	autoptr(network) network =
		parse("<network><name>default</name><bridge name='virbr0'/><forward/>"
		      "<ip address='192.168.122.1' netmask='255.255.255.0'><dhcp>"
		      "<range start='192.168.122.2' end='192.168.122.254'/></dhcp></ip></network>");
	g_autofree char *text = NULL;

	g_free(network->uuid);
	network->uuid = g_strdup("11111111-1111-4111-8111-111111111111");
	g_free(network->mac.address);
	network->mac.address = g_strdup("52:54:00:00:00:01");
	g_assert_true(network_check(network, NULL, NULL));
	text = network_format(network, NETWORK_FORMAT_INACTIVE);
	g_assert_cmpstr(text, ==,
			"<network>\n"
			"  <name>default</name>\n"
			"  <uuid>11111111-1111-4111-8111-111111111111</uuid>\n"
			"  <forward mode='nat'/>\n"
			"  <bridge name='virbr0' stp='on' delay='0'/>\n"
			"  <mac address='52:54:00:00:00:01'/>\n"
			"  <ip address='192.168.122.1' netmask='255.255.255.0'>\n"
			"    <dhcp>\n"
			"      <range start='192.168.122.2' end='192.168.122.254'/>\n"
			"    </dhcp>\n"
			"  </ip>\n"
			"</network>\n");
}

static void refused(const char *inside, const char *words)
{
	g_autofree char *xml = g_strdup_printf("<network><name>n</name>%s</network>", inside);
	autoptr(network) network = network_parse(xml, strlen(xml), 0, NULL, NULL);
	g_autoptr(GError) error = NULL;

	g_assert_nonnull(network);
	network_fill(network, &rich_host);
	if (network_check(network, NULL, &error))
		g_error("not refused: %s", inside);
	if (!strstr(error->message, words))
		g_error("'%s' does not say '%s'", error->message, words);
}

#define IP(more)   "<ip address='10.0.0.1' prefix='24'>" more "</ip>"
#define DHCP(more) IP("<dhcp>" more "</dhcp>")

static void test_refused(void)
{
	refused("<forward/>", "wants an address");
	refused("<bridge name='a b'/>", "no name for a bridge");
	refused("<bandwidth><inbound peak='2'/></bandwidth>", "without an average");
	refused("<bandwidth><outbound average='3' peak='2'/></bandwidth>",
		"<bandwidth> of the network has a peak below its average; raise it");
	refused("<portgroup name='g'><bandwidth><inbound average='3' peak='2'/></bandwidth>"
		"</portgroup>",
		"peak below its average");
	refused("<bridge name='0123456789abcdef'/>", "no name for a bridge");
	refused("<bridge name='br0;x'/>", "no name for a bridge");
	refused("<ip address='10.0.0'/>", "no address");
	refused("<ip address='10.0.0.1' netmask='255.0.255.0'/>", "netmask or prefix");
	refused("<ip address='10.0.0.1' prefix='33'/>", "netmask or prefix");
	refused("<ip address='10.0.0.1' family='ipv6'/>", "not of family");
	refused(DHCP("<range start='10.0.1.2' end='10.0.1.9'/>"), "not in the network");
	refused(DHCP("<range start='10.0.0.9' end='10.0.0.2'/>"), "backwards");
	refused(DHCP("<range start='10.0.0.2' end='10.0.0.9'><lease expiry='1'/></range>"),
		"two minutes");
	refused(DHCP("<host ip='10.0.0.3'/>"), "neither mac nor name");
	refused(DHCP("<host mac='01:00:00:00:00:01' ip='10.0.0.3'/>"), "no MAC address");
	refused(DHCP("<host name='a,b' ip='10.0.0.3'/>"), "no name of a host");
	refused(DHCP("<host name='a&#10;b' ip='10.0.0.3'/>"), "no name of a host");
	refused(DHCP("<host name='a' ip='10.1.0.3'/>"), "not in the network");
	refused(DHCP("<host name='a' ip='10.0.0.3'/><host name='b' ip='10.0.0.3'/>"),
		"two DHCP <host>");
	refused(DHCP("<host name='a' ip='10.0.0.3'/><host name='A' ip='10.0.0.4'/>"),
		"two DHCP <host>");
	refused(IP("<tftp root='x'/>"), "no path from /");
	refused(IP("<tftp root='/x&#10;dhcp-script=/bin/sh'/>"), "no path from /");
	refused(DHCP("<bootp file='x&#10;y'/>"), "control character");
	refused(DHCP("") DHCP(""), "two <ip> of one family");
	refused("<domain name='a b'/>", "no name of a domain");
	refused("<dns><txt name='a' value='b&#10;c'/></dns>", "<txt> wants");
	refused("<dns><host ip='1.2.3.4'><hostname>a b</hostname></host></dns>", "no name");
	refused("<dns><srv service='a,b' protocol='tcp'/></dns>", "<srv> wants");
	refused("<dns><forwarder/></dns>", "neither addr nor domain");
	refused(IP("") "<route address='10.9.0.0' prefix='16' gateway='10.0.1.2'/>",
		"not in the network of any");
	refused("<forward mode='bridge'/>", "neither a <bridge> nor");
	refused("<forward mode='bridge'/><bridge name='br0'/>" IP(""), "not the host's to give");
	refused("<forward mode='hostdev'/>", "not handed to guests");
	refused("<forward mode='route'><nat/></forward>" IP(""), "<nat> is for");
	refused("<forward mode='open' dev='eth0'/>" IP(""), "no rules");
	refused("<vlan><tag id='1'/></vlan>", "frames are not tagged");
	refused("<virtualport type='openvswitch'/>", "plain one");
	refused("<portgroup name='a'/><portgroup name='a'/>", "take one out");
	refused("<portgroup name='a' default='yes'/><portgroup name='b' default='yes'/>",
		"are the default");
	refused("<options xmlns='http://libvirt.org/schemas/network/dnsmasq/1.0'>"
		"<option value='dhcp-script=/bin/sh'/></options>",
		"is not passed on");
	refused("<options xmlns='http://libvirt.org/schemas/network/dnsmasq/1.0'>"
		"<option value='server=1.2.3.4&#10;dhcp-script=/x'/></options>",
		"control character");
#define FORWARD(x) "<metadata><f:forwards xmlns:f='urn:socle:network'>" x "</f:forwards></metadata>"
	refused(FORWARD("<f:forward port='0' to='10.0.0.2'/>") IP(""), "from 1 to 65535");
	refused(FORWARD("<f:forward port='80' to='10.1.0.2'/>") IP(""), "not in the network");
	refused(FORWARD("<f:forward port='80' to='10.0.0.2'/><f:forward port='70' end='90' "
			"to='10.0.0.3'/>") IP(""),
		"forwarded twice");
}

/* == Updates == */

static bool update(struct network **network, unsigned command, unsigned section, const char *xml,
		   GError **error)
{
	autoptr(network) copy = network_copy(*network);

	if (!network_update(copy, command, section, -1, xml, strlen(xml), error))
		return false;
	network_free(*network);
	*network = g_steal_pointer(&copy);
	return true;
}

static void test_update(void)
{
	autoptr(network) n = everything();
	g_autoptr(GError) error = NULL;
	const struct network_dhcp *dhcp;

	g_assert_true(update(&n, NETWORK_ADD_FIRST, NETWORK_DHCP_HOST,
			     "<host mac='52:54:00:00:00:01' ip='192.168.100.20'/>", &error));
	dhcp = &n->ips[0].dhcp;
	g_assert_cmpuint(dhcp->host_count, ==, 3);
	g_assert_cmpstr(dhcp->hosts[0].ip, ==, "192.168.100.20");
	g_assert_false(update(&n, NETWORK_ADD_LAST, NETWORK_DHCP_HOST,
			      "<host mac='52:54:00:00:00:02' ip='192.168.100.20'/>", &error));
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_STATE);
	g_clear_error(&error);
	g_assert_true(update(&n, NETWORK_MODIFY, NETWORK_DHCP_HOST,
			     "<host mac='52:54:00:00:00:01' ip='192.168.100.21'/>", &error));
	g_assert_cmpstr(n->ips[0].dhcp.hosts[0].ip, ==, "192.168.100.21");
	g_assert_true(update(&n, NETWORK_DELETE, NETWORK_DHCP_HOST,
			     "<host mac='52:54:00:00:00:01'/>", &error));
	g_assert_cmpuint(n->ips[0].dhcp.host_count, ==, 2);
	g_assert_false(update(&n, NETWORK_DELETE, NETWORK_DHCP_HOST, "<host/>", NULL));
	/* That of IPv6 goes to the <ip> of IPv6. */
	g_assert_true(update(&n, NETWORK_ADD_LAST, NETWORK_DHCP_HOST,
			     "<host name='six' ip='2001:db8:ca2:2:3::2'/>", &error));
	g_assert_cmpuint(n->ips[1].dhcp.host_count, ==, 2);
	g_assert_true(update(&n, NETWORK_ADD_LAST, NETWORK_DNS_HOST,
			     "<host ip='192.168.100.3'><hostname>x</hostname></host>", &error));
	g_assert_false(update(&n, NETWORK_ADD_LAST, NETWORK_DNS_HOST,
			      "<host ip='192.168.100.4'><hostname>X</hostname></host>", NULL));
	g_assert_false(update(&n, NETWORK_MODIFY, NETWORK_DNS_TEXT, "<txt name='example'/>", NULL));
	g_assert_true(update(&n, NETWORK_DELETE, NETWORK_DNS_TEXT, "<txt name='example'/>", NULL));
	g_assert_true(
		update(&n, NETWORK_DELETE, NETWORK_DNS_SERVICE, "<srv service='http'/>", NULL));
	g_assert_true(update(&n, NETWORK_DELETE, NETWORK_FORWARD_INTERFACE,
			     "<interface dev='eth0'/>", NULL));
	g_assert_false(update(&n, NETWORK_ADD_LAST, 1, "<bridge/>", NULL));
	g_assert_false(update(&n, 9, NETWORK_PORTGROUP, "<portgroup name='x'/>", NULL));
	g_assert_false(update(&n, NETWORK_ADD_LAST, NETWORK_PORTGROUP, "<host/>", NULL));
	g_assert_false(network_update(n, NETWORK_ADD_LAST, NETWORK_DHCP_HOST, 7,
				      "<host name='a' ip='192.168.100.9'/>", 35, NULL));
}

static void test_meaning(void)
{
	autoptr(network) n = everything();
	g_autoptr(GArray) forwards = network_forwards(n, NULL);
	g_auto(GStrv) options = network_dnsmasq_options(n, NULL);
	const struct network_forward_port *f;

	g_assert_cmpuint(forwards->len, ==, 2);
	f = &g_array_index(forwards, struct network_forward_port, 1);
	g_assert_true(f->udp && !f->any && f->port == 5000 && f->end == 5010 && f->to_port == 5000);
	g_assert_cmpstr(options[0], ==, "dhcp-option=42,192.168.100.1");
	g_assert_null(options[1]);
	g_assert_cmpint(network_lease_seconds(&n->ips[0].dhcp.ranges[0].lease), ==, 24 * 3600);
	g_assert_cmpint(network_lease_seconds(&n->ips[0].dhcp.hosts[1].lease), ==, 0);
	g_assert_cmpint(network_ip_prefix(&n->ips[0]), ==, 24);
	g_assert_cmpstr(network_portgroup(n, NULL)->name, ==, "engineering");
	g_assert_null(network_portgroup(n, "none"));
}

static void test_port(void)
{
	const struct interface_bandwidth bandwidth = { .inbound.average = { 1000, true } };
	const struct network_port port = {
		.uuid = "5d744f21-ba4a-4d6e-bdb2-30a35ff3207d",
		.owner = "plop",
		.owner_uuid = "b952e5d0-42f6-4d2c-b4c4-5a2f6b7b8d6b",
		.portgroup = "g",
		.mac = "52:54:00:7b:35:93",
		.bridge = "virbr0",
		.bandwidth = &bandwidth,
	};
	g_autofree char *xml = network_port_format(&port);
	struct schema schema;

	g_assert_nonnull(strstr(xml, "<inbound average='1000'/>"));
	if (!have_schema("networkport"))
		return;
	schema = schema_open("networkport");
	assert_valid(&schema, xml);
	schema_close(&schema);
}

static void test_inet(void)
{
	struct inet inet, other;
	char text[INET_TEXT_MAX];

	g_assert_true(inet_parse("10.1.2.3", &inet));
	other = inet_first(&inet, 20);
	inet_format(&other, text);
	g_assert_cmpstr(text, ==, "10.1.0.0");
	other = inet_last(&inet, 20);
	inet_format(&other, text);
	g_assert_cmpstr(text, ==, "10.1.15.255");
	g_assert_false(inet_parse("10.1.2", &inet));
	g_assert_false(inet_parse(NULL, &inet));
	g_assert_cmpint(inet_prefix_of_mask("255.255.240.0"), ==, 20);
	g_assert_cmpint(inet_prefix_of_mask("0.0.0.0"), ==, 0);
	g_assert_cmpint(inet_prefix_of_mask("255.255.240.1"), ==, -1);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/network/stable", test_stable);
	g_test_add_func("/network/default", test_default);
	g_test_add_func("/network/refused", test_refused);
	g_test_add_func("/network/update", test_update);
	g_test_add_func("/network/meaning", test_meaning);
	g_test_add_func("/network/port", test_port);
	g_test_add_func("/network/inet", test_inet);
	return g_test_run();
}
