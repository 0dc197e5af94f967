/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-network.c - a network as rules and as dnsmasq's files, and its leases
 */
#include <string.h>
#include <unistd.h>

#include "daemon/network-dnsmasq.h"
#include "daemon/network-legacy.h"
#include "daemon/network-rules.h"
#include "manage/network.h"
#include "model/network.h"

static struct network *parse(const char *inside)
{
	static const struct support support = { .networks = true };
	g_autofree char *xml = g_strdup_printf(
		"<network><name>n</name><bridge name='virbr-1.x'/>%s</network>", inside);
	struct network *network = network_parse(xml, strlen(xml), 0, NULL, NULL);
	g_autoptr(GError) error = NULL;

	g_assert_nonnull(network);
	network_fill(network, &support);
	if (!network_check(network, NULL, &error))
		g_error("%s: %s", inside, error->message);
	return network;
}

#define IP4 "<ip address='10.0.0.1' prefix='24'/>"

static void assert_has(const char *text, const char *words)
{
	if (!strstr(text, words))
		g_error("'%s' is not in:\n%s", words, text);
}

static void assert_lacks(const char *text, const char *words)
{
	if (strstr(text, words))
		g_error("'%s' is in:\n%s", words, text);
}

static void test_rules(void)
{
	autoptr(network) nat = parse("<forward mode='nat' dev='eth0'><nat ipv6='yes'>"
				     "<address start='1.2.3.4' end='1.2.3.5'/>"
				     "<port start='500' end='600'/></nat></forward>" IP4
				     "<ip family='ipv6' address='fd00::1' prefix='64'/>");
	autoptr(network) isolated = parse(IP4);
	autoptr(network) open = parse("<forward mode='open'/>" IP4);
	autoptr(network) route =
		parse("<forward mode='route'/>" IP4
		      "<route address='10.9.0.0' prefix='16' gateway='10.0.0.9'/>");
	g_autofree char *table = network_table(nat), *text = network_rules(nat);
	g_autofree char *none = network_rules(open), *alone = network_rules(isolated);
	g_autofree char *routed = network_rules(route);

	/* A name that is no word in nftables' language. */
	g_assert_true(g_str_has_prefix(table, "socle_virbr_1_x_"));
	g_assert_cmpuint(strspn(table, "abcdefghijklmnopqrstuvwxyz_0123456789"), ==, strlen(table));
	assert_has(text, "iifname \"virbr-1.x\" oifname \"eth0\" ip saddr 10.0.0.0/24 accept");
	assert_has(text,
		   "oifname \"eth0\" meta l4proto { tcp, udp } snat ip to 1.2.3.4-1.2.3.5:500-600");
	assert_has(text, "ip6 saddr fd00::/64 ip6 daddr != fd00::/64 oifname \"eth0\" meta l4proto "
			 "{ tcp, udp } masquerade to :500-600");
	assert_has(alone, "iifname \"virbr-1.x\" reject");
	assert_lacks(alone, "postrouting");
	assert_lacks(alone, "saddr");
	assert_has(routed, "oifname \"virbr-1.x\" ip daddr 10.0.0.0/24 accept");
	assert_has(routed, "ip saddr 10.9.0.0/16 accept");
	assert_lacks(routed, "masquerade");
	assert_lacks(none, "chain");
}

static void test_limits(void)
{
	static const char outbound[] =
		"<bandwidth><inbound average='9'/><outbound average='256' burst='70'/></bandwidth>";
	g_autofree char *inside = g_strconcat("<forward mode='open'/>", outbound, NULL);
	autoptr(network) n = parse(outbound);
	autoptr(network) open = parse(inside);
	g_autofree char *text = network_rules(n), *limited = network_rules(open);

	/* One bucket for both ways out of the bridge. */
	assert_has(text, "limit outbound { rate over 256 kbytes/second burst 70 kbytes; }");
	assert_has(text, "hook input priority filter; policy accept;\n\t\tiifname \"virbr-1.x\" "
			 "limit name \"outbound\" drop\n");
	assert_has(text, "oifname \"virbr-1.x\" accept\n\t\tiifname \"virbr-1.x\" limit name "
			 "\"outbound\" drop\n");
	assert_has(limited, "limit name \"outbound\" drop");
	assert_lacks(limited, "reject");
}

static void test_forwards(void)
{
	autoptr(network) n = parse("<metadata><f:forwards xmlns:f='urn:socle:network'>"
				   "<f:forward port='80' to='10.0.0.2'/>"
				   "<f:forward proto='udp' port='10' end='12' to='10.0.0.2' "
				   "to-port='20' address='9.9.9.9'/>"
				   "</f:forwards></metadata>" IP4);
	g_autofree char *text = network_rules(n);

	assert_has(text,
		   "meta nfproto ipv4 fib daddr type local tcp dport 80-80 dnat ip to 10.0.0.2\n");
	for (unsigned i = 0; i < 3; i++) {
		g_autofree char *one =
			g_strdup_printf("ip daddr 9.9.9.9 udp dport %u-%u dnat ip to "
					"10.0.0.2:%u\n",
					10 + i, 10 + i, 20 + i);

		assert_has(text, one);
	}
	assert_has(text, "ct status dnat accept");
}

/* An open network has no rules but those that lead to its guests. */
static void test_open_forwards(void)
{
	autoptr(network) n = parse("<metadata><f:forwards xmlns:f='urn:socle:network'>"
				   "<f:forward port='80' to='10.0.0.2'/></f:forwards></metadata>"
				   "<forward mode='open'/>" IP4);
	g_autofree char *text = network_rules(n);

	assert_has(text, "tcp dport 80-80 dnat ip to 10.0.0.2\n");
	assert_lacks(text, "reject");
}

static void test_doors(void)
{
	autoptr(network) n = parse(IP4);
	g_autofree char *closed = network_open_door(
		n, &network_doors[0], "table ip filter {\n\tchain FORWARD {\n\t\tcounter drop\n");
	static const char listing[] =
		"\t\tiifname \"virbr-1.x\" counter accept comment \"socle\" # handle 7\n"
		"\t\tiifname \"virbr-1.xy\" counter accept # handle 8\n"
		"\t\toifname \"virbr-1.x\" counter accept # handle 9\n";
	g_autofree char *opened = network_open_door(n, &network_doors[0], listing);
	g_autofree char *close = network_close_door(n, &network_doors[0], listing);

	g_assert_cmpstr(
		closed, ==,
		"insert rule ip filter FORWARD iifname \"virbr-1.x\" counter accept comment "
		"\"socle\"\n"
		"insert rule ip filter FORWARD oifname \"virbr-1.x\" counter accept comment "
		"\"socle\"\n");
	g_assert_null(opened);
	g_assert_cmpstr(close, ==,
			"delete rule ip filter FORWARD handle 7\n"
			"delete rule ip filter FORWARD handle 9\n");
	g_assert_null(network_close_door(n, &network_doors[0], "\t\tcounter drop # handle 1\n"));
}

/* Frames within a bridge that is the host's. */
static void test_bridged(void)
{
	static const char xml[] = "<network><name>b</name><forward mode='bridge'/>"
				  "<bridge name='br9'/></network>";
	autoptr(network) n = network_parse(xml, strlen(xml), 0, NULL, NULL);
	g_autofree char *opened = network_open_door(n, &network_doors[0], "");

	g_assert_cmpstr(opened, ==,
			"add rule ip filter FORWARD iifname \"br9\" oifname \"br9\" counter accept "
			"comment \"socle\"\n");
	g_assert_null(network_open_door(n, &network_doors[1], ""));
	/* Behind the last word of that chain nothing is heard. */
	g_assert_null(network_open_door(n, &network_doors[4], ""));
}

static void test_legacy(void)
{
	autoptr(network) n = parse(IP4);
	static const char saved[] =
		"*filter\n:INPUT ACCEPT [0:0]\n"
		"-A INPUT -i virbr-1.x -p icmp -m comment --comment socle -j ACCEPT\n"
		"-A INPUT -i virbr-1.x -p udp -m udp --dport 53 -j ACCEPT\n"
		"-A FORWARD -o virbr-1.x -m comment --comment socle -j ACCEPT\nCOMMIT\n";
	g_autofree char *open = legacy_commands(n, false, true, saved);
	g_autofree char *close = legacy_commands(n, false, false, saved);
	g_autofree char *six = legacy_commands(n, true, true, "");
	static const char tail[] = " -m comment --comment socle -j ACCEPT\n";
	g_autofree char *wanted = g_strconcat(
		"*filter\n-I FORWARD -i virbr-1.x", tail,
		"-I INPUT -i virbr-1.x -p udp -m udp --dport 53", tail,
		"-I INPUT -i virbr-1.x -p tcp -m tcp --dport 53", tail,
		"-I INPUT -i virbr-1.x -p udp -m udp --dport 69", tail,
		"-I INPUT -i virbr-1.x -p udp -m udp --dport 67", tail, "COMMIT\n", NULL);

	g_assert_cmpstr(open, ==, wanted);
	g_assert_cmpstr(close, ==,
			"*filter\n-D FORWARD -o virbr-1.x -m comment --comment socle -j ACCEPT\n"
			"-D INPUT -i virbr-1.x -p icmp -m comment --comment socle -j ACCEPT\n"
			"COMMIT\n");
	assert_has(six, "-I INPUT -i virbr-1.x -p ipv6-icmp -m comment");
	g_assert_null(legacy_commands(n, false, false, ""));
}

static void test_closed(void)
{
	static const char listing[] =
		"table ip filter {\n\tchain FORWARD {\n\t\ttype filter hook forward priority "
		"filter; "
		"policy drop;\n\t}\n}\ntable inet mine {\n\tchain a {\n\t\ttype filter hook input "
		"priority 0; policy drop;\n\t}\n\tchain b {\n\t\ttype filter hook forward priority "
		"0; "
		"policy drop;\n\t}\n}\n";
	g_autofree char *chain = network_closed_chain(listing, false);

	g_autofree char *input = network_closed_chain(listing, true);

	g_assert_cmpstr(chain, ==, "inet mine b");
	g_assert_cmpstr(input, ==, "inet mine a");
	g_assert_null(network_closed_chain("", false));
	g_assert_null(network_closed_chain("hook forward policy drop", false));
}

static void test_config(void)
{
	const struct dnsmasq_places places = { "/d", "/run/x", "/l", "nobody" };
	autoptr(network) n = parse(
		"<forward/><domain name='lab' localOnly='yes'/><dns forwardPlainNames='no'>"
		"<forwarder addr='8.8.8.8'/><forwarder domain='a.b' addr='1.1.1.1'/>"
		"<txt name='t' value='say &quot;a, b&quot; \\ #'/>"
		"<srv service='http' protocol='tcp' domain='lab' target='w.lab' port='8' "
		"weight='2'/>"
		"<host ip='10.0.0.9'><hostname>x</hostname><hostname>y</hostname></host></dns>"
		"<ip address='10.0.0.1' prefix='24'><tftp root='/a, b'/><dhcp>"
		"<range start='10.0.0.2' end='10.0.0.9'><lease expiry='2' unit='hours'/></range>"
		"<host mac='52:54:00:00:00:01' name='h' ip='10.0.0.4'><lease expiry='0'/></host>"
		"<host name='z' ip='10.0.0.5'/><bootp file='p,x' server='10.0.0.7'/></dhcp></ip>"
		"<ip family='ipv6' address='fd00::1' prefix='64'><dhcp>"
		"<range start='fd00::10' end='fd00::20'/><host name='s' "
		"ip='fd00::5'/></dhcp></ip>");
	g_autofree char *config = dnsmasq_config(n, &places), *hosts = dnsmasq_hosts(n);
	g_autofree char *names = dnsmasq_names(n);

	g_assert_cmpstr(config, ==,
			"# Written by socled: what is changed here is lost.\n"
			"pid-file=/run/x/pid\n"
			"user=nobody\n"
			"log-facility=-\n"
			"bind-dynamic\n"
			"except-interface=lo\n"
			"interface=virbr-1.x\n"
			"strict-order\n"
			"domain=lab\n"
			"expand-hosts\n"
			"local=/lab/\n"
			"domain-needed\n"
			"local=//\n"
			"server=8.8.8.8\n"
			"server=/a.b/1.1.1.1\n"
			"no-resolv\n"
			"txt-record=t,\"say \\\"a, b\\\" \\\\ #\"\n"
			"srv-host=_http._tcp.lab,w.lab,8,0,2\n"
			"addn-hosts=/run/x/names\n"
			"dhcp-range=10.0.0.2,10.0.0.9,255.255.255.0,7200\n"
			"dhcp-boot=\"p,x\",,10.0.0.7\n"
			"dhcp-range=fd00::10,fd00::20,64,3600\n"
			"enable-ra\n"
			"dhcp-authoritative\n"
			"dhcp-no-override\n"
			"no-ping\n"
			"dhcp-ignore-clid\n"
			"quiet-dhcp\n"
			"quiet-dhcp6\n"
			"dhcp-lease-max=29\n"
			"dhcp-hostsfile=/run/x/hosts\n"
			"dhcp-leasefile=/l\n"
			"quiet-ra\n"
			"enable-tftp\n"
			"tftp-root=\"/a, b\"\n");
	g_assert_cmpstr(hosts, ==,
			"52:54:00:00:00:01,h,10.0.0.4,infinite\n"
			"z,10.0.0.5\n"
			"s,[fd00::5]\n");
	g_assert_cmpstr(names, ==, "10.0.0.9 x y\n");
}

static void test_isolated_config(void)
{
	const struct dnsmasq_places places = { "/d", "/r", "/l", NULL };
	autoptr(network) n = parse("<dns enable='no'/><ip address='10.0.0.1' prefix='24'><dhcp>"
				   "<host name='a' ip='10.0.0.2'/></dhcp></ip>"
				   "<ip family='ipv6' address='fd00::1' prefix='64'/>"
				   "<ip family='ipv6' address='fd00:1::1' prefix='112'><dhcp>"
				   "<host id='0:3:0:1:52:54:0:0:7:1' ip='fd00:1::9'/></dhcp></ip>");
	g_autofree char *config = dnsmasq_config(n, &places);

	assert_has(config, "dhcp-range=fd00:1::,static,112\n");
	assert_has(config, "port=0\n");
	assert_has(config, "dhcp-range=10.0.0.0,static\n");
	assert_has(config, "dhcp-option=3\n");
	assert_has(config, "dhcp-range=fd00::,ra-only\n");
	assert_lacks(config, "user=");
}

static void test_leases(void)
{
	static const char text[] =
		"9999999999 52:54:00:00:00:01 10.0.0.7 one 01:52:54:00:00:00:01\n"
		"1 52:54:00:00:00:02 10.0.0.8 old *\n"
		"0 52:54:00:00:00:03 10.0.0.9 * *\n"
		"nonsense\n"
		"9999999999 52:54:00:00:00:04 not-an-address x *\n"
		"9999999999 52:54:00:00:00:05 10.0.0.10 \xff *\n"
		"duid 00:01:00:01:18\n"
		"9999999999 123 fd00::7 six 00:01:00:01:18:aa:62:fe:52:54:00:00:00:06\n";
	autoptr(network) n = parse("<ip address='10.0.0.1' prefix='20'/>"
				   "<ip family='ipv6' address='fd00::1' prefix='64'/>");
	g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func(network_lease_free);
	g_autofree char *path = NULL;
	const struct network_lease *lease;
	int fd = g_file_open_tmp("leases-XXXXXX", &path, NULL);

	g_assert_true(fd >= 0 && close(fd) == 0);
	g_assert_true(g_file_set_contents(path, text, -1, NULL));
	g_assert_true(dnsmasq_leases(path, n, list, NULL));
	(void)unlink(path);
	g_assert_cmpuint(list->len, ==, 4);
	lease = list->pdata[0];
	g_assert_cmpstr(lease->mac, ==, "52:54:00:00:00:01");
	g_assert_cmpstr(lease->ip, ==, "10.0.0.7");
	g_assert_cmpstr(lease->hostname, ==, "one");
	g_assert_cmpstr(lease->clientid, ==, "01:52:54:00:00:00:01");
	g_assert_cmpuint(lease->prefix, ==, 20);
	g_assert_cmpstr(lease->dev, ==, "virbr-1.x");
	lease = list->pdata[1];
	g_assert_true(!lease->hostname && !lease->clientid && lease->expiry == 0);
	lease = list->pdata[2];
	g_assert_true(g_utf8_validate(lease->hostname, -1, NULL));
	lease = list->pdata[3];
	g_assert_true(lease->v6 && lease->prefix == 64);
	g_assert_cmpstr(lease->iaid, ==, "123");
	g_assert_cmpstr(lease->mac, ==, "52:54:00:00:00:06");
	/* A network that has never been started has none. */
	g_assert_true(dnsmasq_leases("/nonexistent/leases", n, list, NULL));
	g_assert_cmpuint(list->len, ==, 4);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/network/rules", test_rules);
	g_test_add_func("/network/limits", test_limits);
	g_test_add_func("/network/forwards", test_forwards);
	g_test_add_func("/network/open-forwards", test_open_forwards);
	g_test_add_func("/network/doors", test_doors);
	g_test_add_func("/network/bridged", test_bridged);
	g_test_add_func("/network/legacy", test_legacy);
	g_test_add_func("/network/closed", test_closed);
	g_test_add_func("/network/config", test_config);
	g_test_add_func("/network/isolated-config", test_isolated_config);
	g_test_add_func("/network/leases", test_leases);
	return g_test_run();
}
