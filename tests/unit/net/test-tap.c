/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-tap.c - taps: what is refused, and how; traffic in a network namespace of the test's own
 *
 * The namespace needs no privilege where the system allows user namespaces; else these cases are
 * skipped. They come last, for there is no way back.
 */
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/sys.h"
#include "card.h"
#include "net/offload.h"

enum {
	ETHER_TEST = 0x88b5, /* for experiments */
};

static void assert_refused(const struct net_tap_config *config, const char *text)
{
	g_autoptr(GError) error = NULL;
	struct net_backend *net = net_tap_new(config, &error);

	g_assert_null(net);
	g_assert_nonnull(error);
	if (!g_pattern_match_simple(text, error->message))
		g_error("'%s' is not '%s'", error->message, text);
}

static void test_names(void)
{
	const char *const bad[] = { "", "a-name-that-is-too-long", "a/b", "x%d" };

	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		const struct net_tap_config c = { .ifname = bad[i] };

		assert_refused(&c, "'*' is not a name of an interface; choose one of 1 to 15 *");
	}
	assert_refused(&(struct net_tap_config){ .queues = 17 }, "a tap has at most 16 queues*");
}

/* The device cannot be opened, or its tap cannot be made: what then? */
static void test_denied(void)
{
	const struct net_tap_config c = { .ifname = "socle-test0" };
	const struct net_tap_config two = { .ifname = "socle-test0", .queues = 2 };

	sys_fail_nth(SYS_OPEN, 1, EACCES);
	assert_refused(&c, "no permission to use tap 'socle-test0'; run as root, or have root run "
			   "'ip tuntap add dev socle-test0 mode tap user *', or use --net user");
	sys_fail_nth(SYS_OPEN, 1, EPERM);
	assert_refused(&two, "* multi_queue', or use --net user");
	sys_fail_nth(SYS_OPEN, 1, ENOENT);
	assert_refused(&c, "this host has no /dev/net/tun; *");
	sys_fail_nth(SYS_OPEN, 1, EMFILE);
	assert_refused(&c, "cannot open /dev/net/tun: Too many open files");
}

static void test_tunsetiff(void)
{
	static const struct {
		int err;
		const char *ifname, *text;
	} cases[] = {
		{ EPERM, "socle-test0", "no permission to use tap 'socle-test0'; *" },
		{ EBUSY, "socle-test0", "tap 'socle-test0' is in use by another program; *" },
		{ EINVAL, "lo", "interface 'lo' is not a tap of one queue; choose another name" },
		{ EINVAL, "socle-test0", "cannot make tap 'socle-test0': Invalid argument" },
	};

	if (sys_open("/dev/net/tun", O_RDWR, 0) < 0) {
		g_test_skip("no /dev/net/tun");
		return;
	}
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		const struct net_tap_config c = { .ifname = cases[i].ifname };

		sys_fail_nth(SYS_IOCTL, 1, cases[i].err);
		assert_refused(&c, cases[i].text);
	}
}

static void test_not_a_tap(void)
{
	int fd = sys_open("/dev/null", O_RDWR, 0);
	const struct net_tap_config c = { .fds = &fd, .fd_count = 1 };

	assert_refused(&c, "descriptor * is not an open tap");
	/* It was taken over. */
	g_assert_cmpint(sys_set_nonblock(fd), ==, -EBADF);
}

/* ---- traffic ---- */

/* False: skipped. */
static bool own_network(void)
{
	static int state; /* 0: not tried, 1: have it, 2: cannot */

	if (state == 0) {
		bool have =
			unshare(CLONE_NEWNET) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0;
		autofd int fd = have ? sys_open("/dev/net/tun", O_RDWR, 0) : -1;

		state = fd >= 0 ? 1 : 2;
	}
	if (state == 2)
		g_test_skip("no network namespace of our own, or no /dev/net/tun in it");
	return state == 1;
}

static struct card *card_tap(const struct net_tap_config *config)
{
	g_autoptr(GError) error = NULL;
	struct net_backend *net = net_tap_new(config, &error);

	g_assert_no_error(error);
	return card_new(net);
}

/* The kernel's end: what goes over the interface, both ways. */
static int packet_socket(const char *ifname)
{
	struct sockaddr_ll addr = { .sll_family = AF_PACKET,
				    .sll_protocol = htobe16(3), /* all */
				    .sll_ifindex = (int)if_nametoindex(ifname) };
	int fd = sys_socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, htobe16(3));

	g_assert_cmpint(addr.sll_ifindex, >, 0);
	g_assert_cmpint(fd, >=, 0);
	g_assert_cmpint(sys_bind(fd, (void *)&addr, sizeof(addr)), ==, 0);
	return fd;
}

static void make_frame(uint8_t *p, size_t len, unsigned type)
{
	memset(p, 0xff, 6);
	memcpy(p + 6, (const uint8_t[]){ 2, 0, 0, 0, 0, 1 }, 6);
	put_be16(p + 12, (uint16_t)type);
	for (size_t i = 14; i < len; i++)
		p[i] = (uint8_t)(len + i);
}

/* The next frame of the kind on the kernel's end; its length, or 0. The kernel has much to say. */
static size_t kernel_receive(int fd, uint8_t *frame, size_t room, unsigned type)
{
	for (unsigned i = 0; i < 100; i++) {
		ssize_t n = sys_read(fd, frame, room);

		if (n < 0)
			return 0;
		if (n >= 14 && get_be16(frame + 12) == type)
			return (size_t)n;
	}
	return 0;
}

/* The same on the card's end. */
static ssize_t card_receive_test(struct card *card)
{
	while (card_receive(card) >= 0) {
		if (get_be16(card->frame + 12) == ETHER_TEST)
			break;
	}
	return card->len;
}

static void test_traffic(void)
{
	struct net_tap_config config = { .ifname = "tap0" };
	static uint8_t frame[2000], got[2000];

	if (!own_network())
		return;
	for (unsigned plain = 0; plain < 2; plain++) {
		config.no_vnet_hdr = plain;
		autoptr(card) card = card_tap(&config);
		g_autofree char *text = net_describe(card->net);
		autofd int fd = packet_socket("tap0");

		g_assert_cmpstr(text, ==,
				plain ? "tap: tap0, 1 queue, no offloads" : "tap: tap0, 1 queue");
		make_frame(frame, 1000, ETHER_TEST);
		g_assert_cmpint(card_send(card, frame, 13), ==, 0);
		g_assert_cmpint(card_send(card, frame, 1000), ==, 0);
		g_assert_cmpuint(kernel_receive(fd, got, sizeof(got), ETHER_TEST), ==, 1000);
		g_assert_cmpmem(got, 1000, frame, 1000);
		/* Lesson 9: what does not fit is dropped, the next one is taken. */
		g_assert_cmpint(card_receive_test(card), ==, -EAGAIN);
		make_frame(frame, 1500, ETHER_TEST);
		g_assert_cmpint(sys_write(fd, frame, 1500), ==, 1500);
		make_frame(frame, 600, ETHER_TEST);
		g_assert_cmpint(sys_write(fd, frame, 600), ==, 600);
		card_settle(card);
		g_assert_cmpuint(card->readable, >=, 1);
		card->room = 1499;
		g_assert_cmpint(card_receive_test(card), ==, 600);
		g_assert_cmpmem(card->frame, 600, frame, 600);
		g_assert_cmpint(card->header.flags | card->header.gso_type, ==, 0);
		card->room = 600;
		g_assert_cmpint(sys_write(fd, frame, 600), ==, 600);
		g_assert_cmpint(card_receive_test(card), ==, 600);
	}
}

/* Lesson 19: frames come when the guest has no buffers. Nothing spins; later they are there. */
static void test_lesson_19_no_buffers(void)
{
	const struct net_tap_config config = { .ifname = "tap0" };
	static uint8_t frame[100];

	if (!own_network())
		return;
	autoptr(card) card = card_tap(&config);
	autofd int fd = packet_socket("tap0");

	make_frame(frame, sizeof(frame), ETHER_TEST);
	for (unsigned round = 0; round < 3; round++) {
		g_assert_cmpint(card_receive_test(card), ==, -EAGAIN);
		card->readable = 0;
		for (unsigned i = 0; i < 50; i++)
			g_assert_cmpint(sys_write(fd, frame, sizeof(frame)), ==, sizeof(frame));
		card_settle(card);
		g_assert_cmpuint(card->readable, ==, 1);
		g_assert_false(io_loop_run(card->loop, false));
		for (unsigned i = 0; i < 50; i++)
			g_assert_cmpint(card_receive_test(card), ==, sizeof(frame));
	}
}

/* A large segment: the kernel's to cut, or ours. */
static void test_segments(void)
{
	struct net_tap_config config = { .ifname = "tap0" };
	static uint8_t frame[54 + 14600], got[70000];
	const struct net_header header = {
		.flags = NET_HEADER_NEEDS_CSUM,
		.gso_type = NET_GSO_TCPV4,
		.hdr_len = 54,
		.gso_size = 1460,
		.csum_start = 34,
		.csum_offset = 16,
		.num_buffers = 0xffff,
	};
	struct iovec iov[100];

	if (!own_network())
		return;
	make_frame(frame, sizeof(frame), 0x0800);
	memset(frame + 14, 0, 40);
	frame[14] = 0x45;
	put_be16(frame + 16, sizeof(frame) - 14);
	frame[22] = 64;
	frame[23] = 6;
	put_be32(frame + 26, 0x0a000001);
	put_be32(frame + 30, 0x0a000002);
	net_checksum_put(frame + 24, net_checksum_add(0, frame + 14, 20));
	frame[46] = 0x50;
	frame[47] = 0x10;
	for (size_t i = 0; i < 100; i++)
		iov[i] = (struct iovec){ frame + i * 146, i == 99 ? 54 + 14600 - 99 * 146 : 146 };
	for (unsigned i = 0; i < 4; i++) {
		bool plain = i / 2, pieces = i % 2;

		config.no_vnet_hdr = plain;
		autoptr(card) card = card_tap(&config);
		autofd int fd = packet_socket("tap0");
		const struct iovec whole = { frame, sizeof(frame) };
		size_t sum = 0, n, count = 0;

		g_assert_cmpint(card->net->ops->send(card->net, 0, &header, pieces ? iov : &whole,
						     pieces ? 100 : 1),
				==, 0);
		while ((n = kernel_receive(fd, got, sizeof(got), 0x0800))) {
			sum += n - 54;
			count++;
		}
		g_assert_cmpuint(sum, ==, 14600);
		g_assert_cmpuint(count, ==, plain ? 10 : 1);
		g_assert_cmpuint(card->net->offloads & NET_OFFLOAD_TSO4, ==,
				 plain ? 0 : NET_OFFLOAD_TSO4);
	}
}

static void test_queues(void)
{
	const struct net_tap_config config = { .ifname = "tapq", .queues = 4 };
	const struct net_tap_config one = { .ifname = "tapq" };
	struct net_header header;
	static uint8_t frame[100];
	const struct iovec iov = { frame, sizeof(frame) };

	if (!own_network())
		return;
	autoptr(card) card = card_tap(&config);
	autofd int fd = packet_socket("tapq");

	g_assert_cmpuint(card->net->queues, ==, 4);
	assert_refused(&one, "interface 'tapq' is not a tap of one queue; *");
	/* Any queue sends; frames come on those that are in use. */
	card->net->ops->configure(card->net, NET_OFFLOAD_CSUM, 4);
	make_frame(frame, sizeof(frame), ETHER_TEST);
	for (unsigned i = 0; i < 4; i++) {
		g_assert_cmpint(
			card->net->ops->send(card->net, i, &(struct net_header){ 0 }, &iov, 1), ==,
			0);
		g_assert_cmpuint(kernel_receive(fd, frame, sizeof(frame), ETHER_TEST), ==,
				 sizeof(frame));
	}
	card->net->ops->configure(card->net, 0, 1);
	for (unsigned i = 0; i < 20; i++)
		g_assert_cmpint(sys_write(fd, frame, sizeof(frame)), ==, sizeof(frame));
	for (unsigned i = 0; i < 20; i++)
		g_assert_cmpint(card_receive_test(card), ==, sizeof(frame));
	g_assert_cmpint(card->net->ops->receive(card->net, 3, &header, &iov, 1), <, 0);
	card_settle(card);
	g_assert_false(io_loop_run(card->loop, false));
}

/* A queue is switched off while its card waits to send: it need not, and nothing spins. */
static void test_off_while_waiting(void)
{
	const struct net_tap_config config = { .ifname = "tapq", .queues = 2 };
	static uint8_t frame[100];
	const struct iovec iov = { frame, sizeof(frame) };
	const struct net_header none = { 0 };

	if (!own_network())
		return;
	autoptr(card) card = card_tap(&config);

	card->net->ops->configure(card->net, 0, 2);
	make_frame(frame, sizeof(frame), ETHER_TEST);
	sys_fail_nth(SYS_WRITE, 1, EAGAIN);
	g_assert_cmpint(card->net->ops->send(card->net, 1, &none, &iov, 1), ==, -EAGAIN);
	card->net->ops->configure(card->net, 0, 1);
	card_settle(card);
	g_assert_cmpuint(card->writable, ==, 1);
	g_assert_false(io_loop_run(card->loop, false));
	g_assert_cmpint(card->net->ops->send(card->net, 1, &none, &iov, 1), ==, 0);
}

/* Take an interface away, as "ip link delete" does. */
static void delete_interface(const char *name)
{
	struct {
		struct nlmsghdr header;
		struct ifinfomsg info;
	} request = {
		.header = { .nlmsg_len = sizeof(request),
			    .nlmsg_type = RTM_DELLINK,
			    .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK },
		.info = { .ifi_index = (int)if_nametoindex(name) },
	};
	struct {
		struct nlmsghdr header;
		struct nlmsgerr error;
		uint8_t rest[256];
	} answer;
	autofd int fd = sys_socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);

	g_assert_cmpint(fd, >=, 0);
	g_assert_cmpint(sys_write(fd, &request, sizeof(request)), ==, sizeof(request));
	g_assert_cmpint(sys_read(fd, &answer, sizeof(answer)), >, 0);
	g_assert_cmpint(answer.header.nlmsg_type, ==, NLMSG_ERROR);
	g_assert_cmpint(answer.error.error, ==, 0);
}

/*
 * The interface goes while the card waits for it: from then on the kernel tells of an error and nothing
 * else. The card goes on, all that it sends is lost, and the loop does not spin.
 */
static void test_gone_while_waiting(void)
{
	const struct net_tap_config config = { .ifname = "tapg", .queues = 2 };
	static uint8_t frame[100];
	const struct iovec iov = { frame, sizeof(frame) };
	const struct net_header none = { 0 };

	if (!own_network())
		return;
	autoptr(card) card = card_tap(&config);

	card->net->ops->configure(card->net, 0, 2);
	make_frame(frame, sizeof(frame), ETHER_TEST);
	/* The host's own may have something to say. */
	while (card_receive(card) >= 0)
		;
	sys_fail_nth(SYS_WRITE, 1, EAGAIN);
	g_assert_cmpint(card->net->ops->send(card->net, 0, &none, &iov, 1), ==, -EAGAIN);
	delete_interface("tapg");
	card_settle(card);
	g_assert_cmpuint(card->writable, ==, 1);
	g_assert_false(io_loop_run(card->loop, false));
	g_assert_cmpint(card->net->ops->send(card->net, 0, &none, &iov, 1), ==, 0);
}

/* Descriptors that somebody else has opened, with a header or without. */
static void test_fds(void)
{
	if (!own_network())
		return;
	for (unsigned vnet = 0; vnet < 2; vnet++) {
		struct ifreq req = { .ifr_name = "tapf" };
		int tap = sys_open("/dev/net/tun", O_RDWR, 0);
		const struct net_tap_config config = { .fds = &tap, .fd_count = 1 };
		g_autofree char *text = NULL;

		req.ifr_flags = (short)(IFF_TAP | IFF_NO_PI | (vnet ? IFF_VNET_HDR : 0));
		g_assert_cmpint(sys_ioctl(tap, TUNSETIFF, &req), ==, 0);
		autoptr(card) card = card_tap(&config);

		text = net_describe(card->net);
		g_assert_cmpstr(text, ==,
				vnet ? "tap: tapf, 1 queue" : "tap: tapf, 1 queue, no offloads");
		g_assert_cmpint(card->net->offloads != 0, ==, vnet);
	}
	/* A tun is not a tap. */
	struct ifreq req = { .ifr_name = "tunf", .ifr_flags = IFF_TUN | IFF_NO_PI };
	int tun = sys_open("/dev/net/tun", O_RDWR, 0);
	const struct net_tap_config config = { .fds = &tun, .fd_count = 1 };

	g_assert_cmpint(sys_ioctl(tun, TUNSETIFF, &req), ==, 0);
	assert_refused(&config, "descriptor * is not a tap without packet information; *");
}

static void test_bridge(void)
{
	struct net_tap_config config = { .ifname = "tapb", .bridge = "br0" };
	autofd int fd = -1;

	if (!own_network())
		return;
	fd = sys_socket(AF_INET, SOCK_DGRAM, 0);
	assert_refused(&config, "there is no bridge 'br0'; make it with *");
	config.bridge = "lo";
	assert_refused(&config, "interface 'lo' is not a bridge");
	if (sys_ioctl(fd, SIOCBRADDBR, (void *)(uintptr_t) "br0") < 0) {
		g_test_skip("no bridges here");
		return;
	}
	config.bridge = "br0";
	for (unsigned i = 0; i < 2; i++) {
		autoptr(card) card = card_tap(&config);
		struct ifreq req = { .ifr_name = "br0" };

		/* It is in it: a second time is refused by the kernel. */
		req.ifr_ifindex = (int)if_nametoindex("tapb");
		g_assert_cmpint(sys_ioctl(fd, SIOCBRADDIF, &req), ==, -EBUSY);
		g_strlcpy(req.ifr_name, "tapb", sizeof(req.ifr_name));
		g_assert_cmpint(sys_ioctl(fd, SIOCGIFFLAGS, &req), ==, 0);
		g_assert_true(req.ifr_flags & IFF_UP);
	}
	sys_fail_nth(SYS_IOCTL, 5, EPERM);
	assert_refused(&config, "no permission to join bridge 'br0'; *");
}

static void test_busy(void)
{
	const struct net_tap_config config = { .ifname = "tap0" };
	const struct net_tap_config any = { 0 };

	if (!own_network())
		return;
	autoptr(card) card = card_tap(&config);
	autoptr(card) other = card_tap(&any);
	g_autofree char *text = net_describe(other->net);

	assert_refused(&config, "tap 'tap0' is in use by another program; *");
	/* The kernel names it. */
	g_assert_cmpstr(text, ==, "tap: tap1, 1 queue");
	assert_refused(&(struct net_tap_config){ .ifname = "lo" }, "interface 'lo' is not a tap *");
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/net/tap/names", test_names);
	g_test_add_func("/net/tap/denied", test_denied);
	g_test_add_func("/net/tap/tunsetiff", test_tunsetiff);
	g_test_add_func("/net/tap/not-a-tap", test_not_a_tap);
	g_test_add_func("/net/tap/traffic", test_traffic);
	g_test_add_func("/net/tap/lesson-19-no-buffers", test_lesson_19_no_buffers);
	g_test_add_func("/net/tap/segments", test_segments);
	g_test_add_func("/net/tap/queues", test_queues);
	g_test_add_func("/net/tap/off-while-waiting", test_off_while_waiting);
	g_test_add_func("/net/tap/gone-while-waiting", test_gone_while_waiting);
	g_test_add_func("/net/tap/fds", test_fds);
	g_test_add_func("/net/tap/bridge", test_bridge);
	g_test_add_func("/net/tap/busy", test_busy);
	return g_test_run();
}
