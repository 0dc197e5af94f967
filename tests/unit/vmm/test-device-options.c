/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-device-options.c - --disk, --net and their kin: what is understood, and what is not
 */
#include <glib.h>
#include <string.h>

#include "base/error.h"
#include "vmm/device-spec.h"
#include "vmm/options.h"

/* Split at blanks. */
static bool parse(struct options *options, const char *line, GError **error)
{
	g_autofree char *whole = g_strconcat("socle-vm --kernel k ", line, NULL);
	g_auto(GStrv) argv = g_strsplit(whole, " ", -1);

	return options_parse(options, (int)g_strv_length(argv), argv, error);
}

static const struct device_option *only(const struct options *options)
{
	g_assert_cmpuint(options->devices->len, ==, 1);
	return g_ptr_array_index(options->devices, 0);
}

static void test_disk(void)
{
	const struct device_option *disk;
	struct options options;

	g_assert_true(parse(&options,
			    "--disk path=/a,,b,readonly=on,serial=S1,cache=none,discard=ignore,"
			    "queues=3,id=d0,addr=0x5,werror=stop,rerror=ignore,bps=10M,bps_max=20M,"
			    "iops_rd=100,shared=on",
			    NULL));
	disk = only(&options);
	g_assert_cmpint(disk->device.kind, ==, DEVICE_DISK);
	g_assert_cmpstr(disk->node.open.path, ==, "/a,b");
	g_assert_cmpstr(disk->node.open.format, ==, "raw");
	g_assert_false(disk->node.format_given);
	g_assert_true(disk->node.open.read_only && disk->node.open.direct &&
		      disk->node.open.shared && !disk->node.open.no_flush);
	g_assert_cmpint(disk->node.open.discard, ==, BLOCK_DISCARD_IGNORE);
	g_assert_cmpstr(disk->device.disk.serial, ==, "S1");
	g_assert_cmpuint(disk->device.disk.queues, ==, 3);
	g_assert_cmpstr(disk->device.id, ==, "d0");
	g_assert_cmpuint(disk->device.slot, ==, 5);
	g_assert_cmpint(disk->device.disk.write_error, ==, DISK_ERROR_STOP);
	g_assert_cmpint(disk->device.disk.read_error, ==, DISK_ERROR_IGNORE);
	g_assert_cmpuint(disk->device.disk.limits.limit[DISK_LIMIT_BPS].avg, ==, 10 << 20);
	g_assert_cmpuint(disk->device.disk.limits.limit[DISK_LIMIT_BPS].max, ==, 20 << 20);
	g_assert_cmpuint(disk->device.disk.limits.limit[DISK_LIMIT_IOPS_RD].avg, ==, 100);
	options_release(&options);

	g_assert_true(parse(&options, "--disk path=a,cache=unsafe,format=raw,bus=mmio", NULL));
	disk = only(&options);
	g_assert_true(disk->node.open.no_flush && disk->node.format_given && disk->device.mmio);
	g_assert_cmpint(disk->device.disk.write_error, ==, DISK_ERROR_ENOSPC);
	options_release(&options);

	g_assert_true(parse(&options, "--disk path=a,cache=writethrough", NULL));
	g_assert_true(only(&options)->device.disk.no_write_cache);
	options_release(&options);

	g_assert_true(parse(&options, "--disk format=null,size=1G", NULL));
	g_assert_cmpuint(only(&options)->node.open.null_size, ==, 1 << 30);
	options_release(&options);
}

static void test_net(void)
{
	static const uint8_t mac[] = { 0x52, 0x54, 0, 0xab, 0xcd, 0xef };
	const struct device_option *net;
	struct options options;

	g_assert_true(parse(&options,
			    "--net user,hostfwd=tcp:127.0.0.1:2222-:22,hostfwd=udp::53-10.0.2.9:53,"
			    "hostfwd=tcp:[::1]:80-[fec0::5]:81,guestfwd=tcp:10.0.2.100:7-unix:/x,"
			    "dnssearch=a,dnssearch=b,dnshost=10.1.0.9/web,dnshost=fd00::9/"
			    "web,restrict=on,ipv6=off,mac=52:54:00:ab:CD:ef,"
			    "net=10.1.0.0/16,mtu=9000,id=n",
			    NULL));
	net = only(&options);
	g_assert_cmpint(net->netdev.kind, ==, NETDEV_USER);
	g_assert_cmpuint(net->netdev.user.forward_count, ==, 3);
	g_assert_cmpstr(net->netdev.forwards[0].host, ==, "127.0.0.1");
	g_assert_cmpuint(net->netdev.forwards[0].host_port, ==, 2222);
	g_assert_null(net->netdev.forwards[0].guest);
	g_assert_cmpuint(net->netdev.forwards[0].guest_port, ==, 22);
	g_assert_true(net->netdev.forwards[1].udp);
	g_assert_null(net->netdev.forwards[1].host);
	g_assert_cmpstr(net->netdev.forwards[1].guest, ==, "10.0.2.9");
	g_assert_cmpstr(net->netdev.forwards[2].host, ==, "::1");
	g_assert_cmpstr(net->netdev.forwards[2].guest, ==, "fec0::5");
	g_assert_cmpstr(net->netdev.guestfwds[0].unix_path, ==, "/x");
	g_assert_cmpstr(net->netdev.user.dns_search[1], ==, "b");
	g_assert_null(net->netdev.user.dns_search[2]);
	g_assert_cmpuint(net->netdev.user.name_count, ==, 2);
	g_assert_cmpstr(net->netdev.user.names[1].address, ==, "fd00::9");
	g_assert_cmpstr(net->netdev.user.names[1].name, ==, "web");
	g_assert_true(net->netdev.user.restricted && net->netdev.user.no_ipv6 &&
		      !net->netdev.user.no_ipv4);
	g_assert_cmpstr(net->netdev.user.net, ==, "10.1.0.0/16");
	g_assert_cmpuint(net->netdev.user.mtu, ==, 9000);
	g_assert_cmpuint(net->device.net.mtu, ==, 9000);
	g_assert_true(net->device.has_mac);
	g_assert_cmpmem(net->device.net.mac, NET_MAC_LEN, mac, sizeof(mac));
	options_release(&options);

	g_assert_true(parse(&options,
			    "--net user,rx-bps=1M,rx-peak=2M,rx-burst=10M,tx-bps=1K,tx-burst=5K,"
			    "tx-pps=7",
			    NULL));
	net = only(&options);
	g_assert_cmpuint(net->device.net.rx.bps, ==, 1 << 20);
	g_assert_cmpuint(net->device.net.rx.bps_peak, ==, 2 << 20);
	g_assert_cmpuint(net->device.net.rx.burst, ==, 10 << 20);
	g_assert_cmpuint(net->device.net.tx.bps, ==, 1 << 10);
	g_assert_cmpuint(net->device.net.tx.burst, ==, 5 << 10);
	g_assert_cmpuint(net->device.net.tx.pps, ==, 7);
	options_release(&options);

	g_assert_true(parse(&options, "--net tap,ifname=t0,queues=4,offload=off", NULL));
	net = only(&options);
	g_assert_cmpint(net->netdev.kind, ==, NETDEV_TAP);
	g_assert_cmpstr(net->netdev.tap.ifname, ==, "t0");
	g_assert_cmpuint(net->netdev.tap.queues, ==, 4);
	g_assert_cmpuint(net->device.net.queue_pairs, ==, 4);
	g_assert_true(net->device.net.no_offload);
	options_release(&options);

	g_assert_true(parse(&options, "--net fd=7,mac=52:54:00:00:00:01", NULL));
	g_assert_cmpint(only(&options)->netdev.kind, ==, NETDEV_FD);
	g_assert_cmpint(only(&options)->netdev.fds[0], ==, 7);
	options_release(&options);

	g_assert_true(parse(&options, "--net stream,server=on,addr.type=unix,addr.path=/s", NULL));
	g_assert_cmpint(only(&options)->netdev.stream.role, ==, NET_SOCKET_LISTEN);
	g_assert_cmpstr(only(&options)->netdev.stream.unix_path, ==, "/s");
	options_release(&options);
}

static void test_others(void)
{
	struct options options;

	g_assert_true(parse(&options,
			    "--rng on --balloon deflate-on-oom=on --vsock cid=3,path=/v --watchdog "
			    "on,action=pause --pvpanic on --rng off --console stdio --console "
			    "pty,name=org.a.0",
			    NULL));
	g_assert_cmpuint(options.devices->len, ==, 5);
	g_assert_cmpuint(options.consoles->len, ==, 2);
	g_assert_cmpint(options.serial.kind, ==, CHAR_NONE);
	options_release(&options);
	g_assert_true(
		parse(&options, "--generation-id 01234567-89ab-cdef-0123-456789ABCDEF", NULL));
	g_assert_true(options.has_generation);
	g_assert_cmphex(options.generation[0], ==, 0x01);
	g_assert_cmphex(options.generation[15], ==, 0xef);
	options_release(&options);
}

static void test_refused(void)
{
	static const struct {
		const char *line, *words;
	} cases[] = {
		{ "--disk a.img", "'a.img' is no list; write path=a.img" },
		{ "--disk readonly=on", "there is no image; give path=FILE" },
		{ "--disk path=", "there is no image" },
		{ "--disk path=a,size", "'size' needs a value" },
		{ "--disk path=a,sector=1", "unknown key 'sector'; there are path, format" },
		{ "--disk path=a,path=b", "'path' is given twice" },
		{ "--disk path=a,readonly=yes", "readonly=yes: give on or off" },
		{ "--disk path=a,cache=best", "cache=best: give one of writeback" },
		{ "--disk path=a,serial=123456789012345678901", "longer than 20 bytes" },
		{ "--disk path=a,queue-size=100", "no power of two" },
		{ "--disk path=a,queues=65", "queues=65: give a number from 1 to 64" },
		{ "--disk path=a,addr=32", "no slot" },
		{ "--disk path=a,bus=mmio,addr=3", "addr is a slot of PCI" },
		{ "--disk path=a,id=1a", "an id is a letter" },
		{ "--disk format=null", "there is no image" },
		{ "--disk path=a,bps=1,bps_rd=1", "bps" },
		{ "--net wifi", "there is no network 'wifi'" },
		{ "--net user,mac=52:54:00:12:34", "no address of a card" },
		{ "--net user,mac=01:54:00:12:34:56", "a group's address" },
		{ "--net user,mac=00:00:00:00:00:00", "nobody's address" },
		{ "--net user,hostfwd=tcp:22-22", "not of the form" },
		{ "--net user,hostfwd=tcp::0-:22", "not of the form" },
		{ "--net user,hostfwd=tcp::70000-:22", "not of the form" },
		{ "--net user,ifname=t", "unknown key 'ifname'" },
		{ "--net user,dnshost=10.0.0.1", "not of the form ADDRESS/NAME" },
		{ "--net user,dnshost=10.0.0.1/", "not of the form ADDRESS/NAME" },
		{ "--net user,rx-peak=9", "without an average; give rx-bps" },
		{ "--net user,tx-burst=9", "without an average; give tx-bps" },
		{ "--net user,rx-bps=9,rx-peak=8", "rx-peak is below rx-bps; raise it" },
		{ "--net fd=1", "3 or more" },
		{ "--net tap,ifname=a,fd=5", "give one of" },
		{ "--net stream", "needs an address" },
		{ "--net dgram,local.port=1", "both ends" },
		{ "--vsock cid=2,path=a", "cid=2: give a number from 3" },
		{ "--vsock cid=3", "needs an address for the guest and a path" },
		{ "--watchdog action=bark", "action=bark: give one of reset" },
		{ "--watchdog on,bus=mmio", "for PCI only" },
		{ "--console tty", "none of stdio" },
		{ "--console stdio --serial stdio", "wanted by more than one" },
		{ "--console stdio --daemonize", "no terminal for the console port" },
		{ "--generation-id 1", "neither auto nor a UUID" },
		{ "--rng maybe", "unknown key 'maybe'" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		struct options options;

		g_assert_false(parse(&options, cases[i].line, &error));
		g_assert_nonnull(error);
		if (!strstr(error->message, cases[i].words))
			g_test_fail_printf("%s: %s", cases[i].line, error->message);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/vmm/device-options/disk", test_disk);
	g_test_add_func("/vmm/device-options/net", test_net);
	g_test_add_func("/vmm/device-options/others", test_others);
	g_test_add_func("/vmm/device-options/refused", test_refused);
	return g_test_run();
}
