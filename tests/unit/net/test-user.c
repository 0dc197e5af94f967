/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-user.c - user mode networking: a guest of a few packets, and sockets of this host
 *
 * The guest answers ARP, and has a TCP that never loses anything.
 */
#include <arpa/inet.h>
#include <glib/gstdio.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/un.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/sys.h"
#include "card.h"
#include "net/offload.h"

static const uint8_t guest_mac[] = { 0x52, 0x54, 0, 0x12, 0x34, 0x56 };

enum {
	GUEST_IP = 0x0a00020f,
	HOST_IP = 0x0a000202,
	TCP_FIN = 1,
	TCP_SYN = 2,
	TCP_PSH = 8,
	TCP_ACK = 16,
	MSS = 1460,
};

/* ---- the guest ---- */

static size_t make_ip(uint8_t *p, uint8_t protocol, uint32_t from, uint32_t to, size_t len)
{
	static uint16_t id;

	memcpy(p, (const uint8_t[]){ 0x52, 0x55, 10, 0, 2, 2 }, 6);
	memcpy(p + 6, guest_mac, 6);
	put_be16(p + 12, 0x0800);
	p += 14;
	memset(p, 0, 20);
	p[0] = 0x45;
	put_be16(p + 2, (uint16_t)(20 + len));
	put_be16(p + 4, id++);
	p[8] = 64;
	p[9] = protocol;
	put_be32(p + 12, from);
	put_be32(p + 16, to);
	net_checksum_put(p + 10, net_checksum_add(0, p, 20));
	return 14 + 20 + len;
}

/* One end of a connection. */
struct tcp {
	struct card *card;
	uint16_t port, peer_port;
	uint32_t peer, seq, ack;
	unsigned frames; /* with data that came */
	GByteArray *in;
	bool fin;
};

static struct net_header tcp_header(size_t len)
{
	return (struct net_header){
		.flags = NET_HEADER_NEEDS_CSUM,
		.gso_type = len > MSS ? NET_GSO_TCPV4 : NET_GSO_NONE,
		.hdr_len = 54,
		.gso_size = len > MSS ? MSS : 0,
		.csum_start = 34,
		.csum_offset = 16,
	};
}

/* As a driver with checksums and segmentation sends it: only the pseudo header is summed. */
static void tcp_send(struct tcp *tcp, uint8_t flags, const void *data, size_t len)
{
	static uint8_t p[NET_MAX_FRAME];
	const size_t options = flags & TCP_SYN ? 4 : 0;
	const size_t total = make_ip(p, 6, GUEST_IP, tcp->peer, 20 + options + len);
	struct net_header header = tcp_header(len);
	const struct iovec iov = { p, total };
	uint8_t *t = p + 34;
	uint16_t sum;

	memset(t, 0, 24);
	put_be16(t, tcp->port);
	put_be16(t + 2, tcp->peer_port);
	put_be32(t + 4, tcp->seq);
	put_be32(t + 8, tcp->ack);
	t[12] = (uint8_t)((20 + options) / 4 << 4);
	t[13] = flags;
	put_be16(t + 14, 65535);
	if (options) {
		memcpy(t + 20, (const uint8_t[]){ 2, 4 }, 2);
		put_be16(t + 22, MSS);
	}
	if (len)
		memcpy(t + 20 + options, data, len);
	sum = (uint16_t)~net_checksum_fold(
		net_checksum_add(htobe16((uint16_t)(20 + options + len)) + htobe16(6), p + 26, 8));
	memcpy(t + 16, &sum, 2);
	g_assert_cmpint(tcp->card->net->ops->send(tcp->card->net, 0, &header, &iov, 1), ==, 0);
	tcp->seq += (uint32_t)len + (flags & (TCP_SYN | TCP_FIN) ? 1 : 0);
}

static void arp_reply(struct card *card)
{
	uint8_t p[42];

	memcpy(p, card->frame + 6, 6);
	memcpy(p + 6, guest_mac, 6);
	memcpy(p + 12, (const uint8_t[]){ 8, 6, 0, 1, 8, 0, 6, 4, 0, 2 }, 10);
	memcpy(p + 22, guest_mac, 6);
	memcpy(p + 28, card->frame + 38, 4);
	memcpy(p + 32, card->frame + 22, 10);
	g_assert_cmpint(card_send(card, p, sizeof(p)), ==, 0);
}

/* Is the frame in hand well formed TCP for us, sums included? */
static bool tcp_is_ours(struct tcp *tcp, struct net_packet *packet)
{
	struct card *card = tcp->card;
	const uint8_t *p = card->frame;
	size_t len = (size_t)card->len;
	uint64_t pseudo;

	if (!net_packet_parse(packet, p, len) || packet->protocol != 6)
		return false;
	g_assert_cmpint(get_be16(p + 16), ==, len - 14);
	pseudo = net_packet_pseudo_sum(packet, p, len - packet->transport);
	if (card->header.flags & NET_HEADER_NEEDS_CSUM) {
		uint16_t sum;

		g_assert_cmpint(card->header.csum_start, ==, packet->transport);
		g_assert_cmpint(card->header.csum_offset, ==, 16);
		memcpy(&sum, p + packet->transport + 16, 2);
		g_assert_cmphex((uint16_t)~net_checksum_fold(pseudo), ==, sum);
	} else {
		pseudo = net_checksum_add(pseudo, p + packet->transport, len - packet->transport);
		g_assert_cmphex(net_checksum_fold(pseudo), ==, 0);
	}
	return get_be16(p + packet->transport + 2) == tcp->port;
}

/* Handle one frame if there is one. */
static bool tcp_step(struct tcp *tcp)
{
	struct card *card = tcp->card;
	struct net_packet packet;
	const uint8_t *t;
	size_t part;

	if (card_wait(card) < 0)
		return false;
	if (get_be16(card->frame + 12) == 0x0806) {
		arp_reply(card);
		return true;
	}
	if (!tcp_is_ours(tcp, &packet))
		return true;
	t = card->frame + packet.transport;
	part = (size_t)card->len - packet.payload;
	tcp->peer = get_be32(card->frame + packet.ip + 12);
	tcp->peer_port = get_be16(t);
	if (t[13] & TCP_SYN) {
		tcp->ack = get_be32(t + 4) + 1;
		tcp_send(tcp, t[13] & TCP_ACK ? TCP_ACK : TCP_SYN | TCP_ACK, NULL, 0);
		return true;
	}
	if (get_be32(t + 4) != tcp->ack)
		return true;
	if (part) {
		g_byte_array_append(tcp->in, card->frame + packet.payload, (guint)part);
		tcp->frames++;
	}
	tcp->ack += (uint32_t)part + (t[13] & TCP_FIN ? 1 : 0);
	tcp->fin |= (t[13] & TCP_FIN) != 0;
	if (part || t[13] & TCP_FIN)
		tcp_send(tcp, TCP_ACK, NULL, 0);
	return true;
}

/* ---- the host ---- */

static int listen_loopback(uint16_t *ret_port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(addr);
	int fd = sys_socket(AF_INET, SOCK_STREAM, 0);

	g_assert_cmpint(sys_bind(fd, (void *)&addr, len), ==, 0);
	g_assert_cmpint(sys_listen(fd, 4), ==, 0);
	g_assert_cmpint(getsockname(fd, (void *)&addr, &len), ==, 0);
	*ret_port = ntohs(addr.sin_port);
	return fd;
}

/* A port that is free now. */
static uint16_t free_port(void)
{
	uint16_t port = 0;
	int fd = listen_loopback(&port);

	(void)close(fd);
	return port;
}

static int connect_loopback(uint16_t port)
{
	const struct sockaddr_in addr = { .sin_family = AF_INET,
					  .sin_port = htons(port),
					  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = sys_socket(AF_INET, SOCK_STREAM, 0);

	g_assert_cmpint(sys_connect(fd, (const void *)&addr, sizeof(addr)), ==, 0);
	g_assert_cmpint(sys_set_nonblock(fd), ==, 0);
	return fd;
}

static struct card *card_user(const struct net_user_config *config)
{
	g_autoptr(GError) error = NULL;
	struct net_backend *net = net_user_new(config, &error);

	g_assert_no_error(error);
	return card_new(net);
}

static uint8_t pattern(size_t i)
{
	return (uint8_t)(i * 7 + (i >> 8) * 13 + (i >> 16));
}

static GByteArray *pattern_new(size_t len)
{
	GByteArray *array = g_byte_array_sized_new((guint)len);

	g_byte_array_set_size(array, (guint)len);
	for (size_t i = 0; i < len; i++)
		array->data[i] = pattern(i);
	return array;
}

/* ---- tests ---- */

static void test_arp(void)
{
	const struct net_user_config config = { 0 };
	autoptr(card) card = card_user(&config);
	uint8_t p[42] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

	memcpy(p + 6, guest_mac, 6);
	memcpy(p + 12, (const uint8_t[]){ 8, 6, 0, 1, 8, 0, 6, 4, 0, 1 }, 10);
	memcpy(p + 22, guest_mac, 6);
	put_be32(p + 28, GUEST_IP);
	put_be32(p + 38, HOST_IP);
	g_assert_cmpint(card_send(card, p, sizeof(p)), ==, 0);
	g_assert_cmpint(card_receive(card), >=, 42);
	g_assert_cmpmem(card->frame, 6, guest_mac, 6);
	g_assert_cmphex(get_be16(card->frame + 20), ==, 2);
	g_assert_cmphex(get_be32(card->frame + 28), ==, HOST_IP);
	g_assert_cmpint(card->header.flags, ==, 0);
	g_assert_cmpint(card_receive(card), ==, -EAGAIN);
	/* Now it waits, so it is told; once. */
	g_assert_cmpint(card_send(card, p, sizeof(p)), ==, 0);
	g_assert_cmpuint(card->readable, ==, 0);
	card_settle(card);
	g_assert_cmpuint(card->readable, ==, 1);
	g_assert_cmpint(card_send(card, p, sizeof(p)), ==, 0);
	card_settle(card);
	g_assert_cmpuint(card->readable, ==, 1);
	/* A driver that does not check sums is told that there is no need to. */
	card->net->ops->configure(card->net, NET_OFFLOAD_CSUM, 1);
	g_assert_cmpint(card_receive(card), ==, -EAGAIN);
	g_assert_cmpint(card_send(card, p, sizeof(p)), ==, 0);
	g_assert_cmpint(card_receive(card), >=, 42);
	g_assert_cmpint(card->header.flags, ==, NET_HEADER_DATA_VALID);
}

static void test_dhcp(void)
{
	const struct net_user_config config = { .net = "192.168.77.0/24", .hostname = "guest" };
	autoptr(card) card = card_user(&config);
	uint8_t p[400];
	uint8_t *udp = p + 34, *bootp = p + 42;
	size_t len = 8 + 300;
	const uint8_t *reply = card->frame + 42;

	memset(p, 0, sizeof(p));
	len = make_ip(p, 17, 0, 0xffffffff, len);
	memset(p, 0xff, 6);
	put_be16(udp, 68);
	put_be16(udp + 2, 67);
	put_be16(udp + 4, 308);
	memcpy(bootp, (const uint8_t[]){ 1, 1, 6, 0, 1, 2, 3, 4 }, 8);
	memcpy(bootp + 28, guest_mac, 6);
	memcpy(bootp + 236, (const uint8_t[]){ 0x63, 0x82, 0x53, 0x63, 53, 1, 1, 255 }, 8);
	g_assert_cmpint(card_send(card, p, len), ==, 0);
	g_assert_cmpint(card_wait(card), >, 42 + 240);
	g_assert_cmpint(reply[0], ==, 2);
	g_assert_cmphex(get_be32(reply + 4), ==, 0x01020304);
	g_assert_cmphex(get_be32(reply + 16), ==, 0xc0a84d0f); /* yours: .15 */
	g_assert_cmphex(get_be32(card->frame + 26), ==, 0xc0a84d02);
}

/* Somebody connects to a port of the host; large segments in both directions. */
static void check_forward(unsigned offloads, size_t max_frames, uint16_t mtu)
{
	uint16_t port = free_port();
	const struct net_forward forward = { .host = "127.0.0.1",
					     .host_port = port,
					     .guest_port = 22 };
	const struct net_user_config config = { .mtu = mtu,
						.forwards = &forward,
						.forward_count = 1 };
	autoptr(card) card = card_user(&config);
	g_autoptr(GByteArray) in = g_byte_array_new();
	g_autoptr(GByteArray) data = pattern_new(3000000);
	struct tcp tcp = { .card = card, .port = 22, .seq = 1000, .in = in };
	g_autofree uint8_t *back = g_malloc(data->len);
	size_t sent = 0, got = 0;
	autofd int fd = -1;

	card->net->ops->configure(card->net, offloads, 1);
	fd = connect_loopback(port);
	for (unsigned i = 0; i < 20000 && in->len < data->len; i++) {
		ssize_t n = sys_write(fd, data->data + sent, data->len - sent);

		sent += n > 0 ? (size_t)n : 0;
		(void)tcp_step(&tcp);
		card->now_ns += 100000;
	}
	g_assert_cmpmem(in->data, in->len, data->data, data->len);
	g_assert_cmpuint(tcp.frames, <=, max_frames);
	/* And back, in segments of 40,000 bytes, each when the one before has come through. */
	while (got < data->len) {
		size_t part = MIN(40000, data->len - got), end = got + part;

		tcp_send(&tcp, TCP_ACK | TCP_PSH, data->data + got, part);
		for (unsigned i = 0; i < 2000 && got < end; i++) {
			ssize_t n = sys_read(fd, back + got, data->len - got);

			got += n > 0 ? (size_t)n : 0;
			card_settle(card);
		}
		g_assert_cmpuint(got, ==, end);
		while (card_receive(card) >= 0)
			;
	}
	g_assert_cmpmem(back, got, data->data, data->len);
	/* The end, in both directions. */
	fd_autoclose(&fd);
	for (unsigned i = 0; i < 100 && !tcp.fin; i++) {
		card->now_ns += 10000000;
		(void)tcp_step(&tcp);
	}
	g_assert_true(tcp.fin);
}

/* A driver that merges gets few large frames. */
static void test_forward_large(void)
{
	check_forward(NET_OFFLOAD_CSUM | NET_OFFLOAD_TSO4 | NET_OFFLOAD_TSO6, 400, 0);
}

static void test_forward_plain(void)
{
	check_forward(0, 3000000 / 1000, 0);
}

static void test_forward_small_mtu(void)
{
	/* The guest's SYN has promised more, so each is cut in two. */
	check_forward(NET_OFFLOAD_CSUM, 2 * 3000000 / 1400, 1280);
}

/* Segments made for a driver that merged, when it does not any more. */
static void test_offloads_withdrawn(void)
{
	uint16_t port = free_port();
	const struct net_forward forward = { .host_port = port, .guest_port = 80 };
	const struct net_user_config config = { .forwards = &forward, .forward_count = 1 };
	autoptr(card) card = card_user(&config);
	g_autoptr(GByteArray) in = g_byte_array_new();
	g_autoptr(GByteArray) data = pattern_new(60000);
	struct tcp tcp = { .card = card, .port = 80, .seq = 5, .in = in };
	autofd int fd = -1;

	card->net->ops->configure(card->net, NET_OFFLOAD_CSUM | NET_OFFLOAD_TSO4, 1);
	fd = connect_loopback(port);
	for (unsigned i = 0; i < 20; i++)
		(void)tcp_step(&tcp);
	card->net->ops->configure(card->net, 0, 1);
	g_assert_cmpint(sys_write(fd, data->data, data->len), ==, (ssize_t)data->len);
	for (unsigned i = 0; i < 500 && in->len < data->len; i++) {
		(void)tcp_step(&tcp);
		if (card->len >= 0) {
			g_assert_cmpint(card->len, <=, 1514);
			g_assert_cmpint(card->header.gso_type, ==, NET_GSO_NONE);
		}
		card->now_ns += 1000000;
	}
	g_assert_cmpmem(in->data, in->len, data->data, data->len);
}

/* The guest connects to a service of its network that is a socket of the host. */
static void test_guestfwd(void)
{
	g_autofree char *dir = g_dir_make_tmp("socle-net-XXXXXX", NULL);
	g_autofree char *path = g_build_filename(dir, "s", NULL);
	const struct net_guestfwd fwd = { .server = "10.0.2.100", .port = 7, .unix_path = path };
	const struct net_user_config config = { .guestfwds = &fwd, .guestfwd_count = 1 };
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	autoptr(card) card = card_user(&config);
	g_autoptr(GByteArray) in = g_byte_array_new();
	struct tcp tcp = {
		.card = card, .port = 4000, .peer = 0x0a000264, .peer_port = 7, .seq = 77, .in = in
	};
	autofd int listener = sys_socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0), fd = -1;
	char buf[8] = "";

	g_strlcpy(addr.sun_path, path, sizeof(addr.sun_path));
	g_assert_cmpint(sys_bind(listener, (void *)&addr, sizeof(addr)), ==, 0);
	g_assert_cmpint(sys_listen(listener, 1), ==, 0);
	tcp_send(&tcp, TCP_SYN, NULL, 0);
	for (unsigned i = 0; i < 10; i++)
		(void)tcp_step(&tcp);
	g_assert_cmphex(tcp.ack, !=, 0);
	fd = sys_accept(listener, 0);
	g_assert_cmpint(fd, >=, 0);
	tcp_send(&tcp, TCP_ACK | TCP_PSH, "ping", 4);
	card_settle(card);
	g_assert_cmpint(sys_read(fd, buf, sizeof(buf)), ==, 4);
	g_assert_cmpstr(buf, ==, "ping");
	g_assert_cmpint(sys_write(fd, "pong", 4), ==, 4);
	for (unsigned i = 0; i < 10 && !in->len; i++)
		(void)tcp_step(&tcp);
	g_assert_cmpmem(in->data, in->len, "pong", 4);
	(void)g_unlink(path);
	(void)g_rmdir(dir);
}

/* Lesson 19: a guest that takes no frames holds up the sender, and nothing grows or spins. */
static void test_lesson_19_no_buffers(void)
{
	uint16_t port = free_port();
	const struct net_forward forward = { .host_port = port, .guest_port = 80 };
	const struct net_user_config config = { .forwards = &forward, .forward_count = 1 };
	autoptr(card) card = card_user(&config);
	g_autoptr(GByteArray) in = g_byte_array_new();
	struct tcp tcp = { .card = card, .port = 80, .seq = 5, .in = in };
	static const uint8_t zeros[65536];
	int fds[40];
	size_t sent = 0;

	for (unsigned i = 0; i < G_N_ELEMENTS(fds); i++) {
		fds[i] = connect_loopback(port);
		/* Each has a port of its own; the same handshake for all. */
		for (unsigned k = 0; k < 6; k++)
			(void)tcp_step(&tcp);
	}
	for (unsigned round = 0; round < 50; round++) {
		for (unsigned i = 0; i < G_N_ELEMENTS(fds); i++) {
			ssize_t n = sys_write(fds[i], zeros, sizeof(zeros));

			sent += n > 0 ? (size_t)n : 0;
		}
		card->now_ns += 1000000;
		card_settle(card);
	}
	g_assert_cmpuint(sent, >, 1000000);
	/* Quiet, though sockets could be read: no event is left to handle. */
	g_assert_false(io_loop_run(card->loop, false));
	/* What waits is bounded; and when it has been taken, more comes. */
	sent = 0;
	while (card_receive(card) >= 0)
		sent += (size_t)card->len;
	g_assert_cmpuint(sent, >, 10000);
	g_assert_cmpuint(sent, <, 2 << 20);
	for (unsigned i = 0; i < G_N_ELEMENTS(fds); i++)
		(void)close(fds[i]);
	/* Nobody has acknowledged anything: it is sent again. */
	for (unsigned i = 0; i < 20 && card->len < 0; i++) {
		card->now_ns += 500000000;
		(void)card_wait(card);
	}
	g_assert_cmpint(card->len, >, 0);
}

/* Datagrams longer than the link come in fragments. */
static void test_udp_fragments(void)
{
	const struct net_user_config config = { 0 };
	autoptr(card) card = card_user(&config);
	static uint8_t p[14 + 20 + 8 + 600];
	struct sockaddr_in addr = { .sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) },
			   from = { 0 };
	socklen_t addr_len = sizeof(addr), from_len = sizeof(from);
	autofd int fd = sys_socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	g_autoptr(GByteArray) data = pattern_new(5000);
	g_autofree uint8_t *got = g_malloc0(5008);
	size_t len = make_ip(p, 17, GUEST_IP, HOST_IP, 8 + 600), sum = 0;
	char buf[1000];

	g_assert_cmpint(sys_bind(fd, (void *)&addr, addr_len), ==, 0);
	g_assert_cmpint(getsockname(fd, (void *)&addr, &addr_len), ==, 0);
	put_be16(p + 34, 5555);
	put_be16(p + 36, ntohs(addr.sin_port));
	put_be16(p + 38, 608);
	g_assert_cmpint(card_send(card, p, len), ==, 0);
	card_settle(card);
	g_assert_cmpint(recvfrom(fd, buf, sizeof(buf), 0, (void *)&from, &from_len), ==, 600);
	g_assert_cmpint(sendto(fd, data->data, data->len, 0, (void *)&from, from_len), ==, 5000);
	for (unsigned i = 0; i < 20 && sum < 5008; i++) {
		const uint8_t *ip = card->frame + 14;
		size_t off, part;

		if (card_wait(card) < 0)
			break;
		if (get_be16(card->frame + 12) == 0x0806) {
			arp_reply(card);
			continue;
		}
		g_assert_cmpint(card->len, <=, 1514);
		g_assert_cmphex(net_checksum_fold(net_checksum_add(0, ip, 20)), ==, 0);
		off = (size_t)(get_be16(ip + 6) & 0x1fff) * 8;
		part = (size_t)card->len - 34;
		g_assert_cmpuint(get_be16(ip + 2), ==, part + 20);
		g_assert_cmpint(!!(get_be16(ip + 6) & 0x2000), ==, off + part < 5008);
		g_assert_cmpuint(off + part, <=, 5008);
		memcpy(got + off, ip + 20, part);
		sum += part;
	}
	g_assert_cmpuint(sum, ==, 5008);
	g_assert_cmpmem(got + 8, 5000, data->data, 5000);
}

/* Forwards come and go while the card runs. */
static void test_forwards(void)
{
	const struct net_user_config config = { 0 };
	autoptr(card) card = card_user(&config);
	struct net_forward forward = { .host = "127.0.0.1",
				       .host_port = free_port(),
				       .guest_port = 22 };
	g_autoptr(GError) error = NULL;
	g_autofree char *before = net_describe(card->net), *with = NULL, *after = NULL,
			*expected = NULL;

	g_assert_cmpstr(before, ==, "user: 10.0.2.0/24, fec0::/64");
	for (unsigned i = 0; i < 3; i++) {
		autofd int fd = -1;

		g_assert_true(net_user_add_forward(card->net, &forward, &error));
		g_free(with);
		with = net_describe(card->net);
		fd = connect_loopback(forward.host_port);
		g_assert_cmpint(fd, >=, 0);
		card_settle(card);
		g_assert_false(net_user_add_forward(card->net, &forward, &error));
		g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_BUSY);
		g_clear_error(&error);
		g_assert_true(net_user_remove_forward(card->net, &forward, &error));
		g_assert_no_error(error);
		card_settle(card);
	}
	expected =
		g_strdup_printf("%s, tcp 127.0.0.1:%u -> 10.0.2.15:22", before, forward.host_port);
	g_assert_cmpstr(with, ==, expected);
	after = net_describe(card->net);
	g_assert_cmpstr(after, ==, before);
	g_assert_false(net_user_remove_forward(card->net, &forward, &error));
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_NOT_FOUND);
	g_clear_error(&error);
	/* UDP, and IPv6 where the host has it. */
	forward.udp = true;
	g_assert_true(net_user_add_forward(card->net, &forward, &error));
	g_assert_true(net_user_remove_forward(card->net, &forward, &error));
	forward = (struct net_forward){ .host = "::1",
					.host_port = forward.host_port,
					.guest = "fec0::5055",
					.guest_port = 22 };
	if (net_user_add_forward(card->net, &forward, &error))
		g_assert_true(net_user_remove_forward(card->net, &forward, &error));
}

static void assert_refused(const struct net_user_config *config, const char *text)
{
	g_autoptr(GError) error = NULL;
	struct net_backend *net = net_user_new(config, &error);

	g_assert_null(net);
	g_assert_nonnull(error);
	if (!g_pattern_match_simple(text, error->message))
		g_error("'%s' is not '%s'", error->message, text);
}

static void test_refusals(void)
{
	uint16_t port = 0;
	autofd int fd = listen_loopback(&port);
	struct net_forward forward = { .host = "127.0.0.1", .host_port = port, .guest_port = 22 };
	struct net_guestfwd fwd = { .server = "10.0.2.100", .port = 7, .unix_path = "/x" };
	struct net_user_config c = { .forwards = &forward, .forward_count = 1 };
	g_autofree char *in_use = g_strdup_printf(
		"cannot forward tcp port %u of 127.0.0.1: it is in use; choose *", port);

	assert_refused(&c, in_use);
	forward.host_port = 0;
	assert_refused(&c, "cannot forward tcp port 0; *");
	forward.host_port = port;
	forward.guest_port = 0;
	assert_refused(&c, "cannot forward to tcp port 0 *");
	forward.guest_port = 22;
	forward.host = "localhost.example";
	assert_refused(&c, "host address 'localhost.example' *not an IP address");
	forward.host = "192.0.2.1";
	assert_refused(&c, "*does not have that address");
	forward.host = "127.0.0.1";
	forward.guest = "10.0.3.1";
	assert_refused(&c, "guest address 10.0.3.1 *outside*");
	forward.guest = "fec0::1";
	assert_refused(&c, "cannot forward between IPv4 and IPv6*");
	c = (struct net_user_config){ .net = "10.0.2.0" };
	assert_refused(&c, "network '10.0.2.0' is not of the form*");
	c.net = "10.0.2.0/33";
	assert_refused(&c, "network '10.0.2.0/33' is not of the form*");
	c.net = "10.0.2.1/24";
	assert_refused(&c, "network '10.0.2.1/24' has bits set*");
	c.net = "10.0.x.0/24";
	assert_refused(&c, "network '10.0.x.0' is not an IPv4 address");
	c = (struct net_user_config){ .host = "10.0.3.2" };
	assert_refused(&c, "host address 10.0.3.2 is outside*");
	c.host = "10.0.2.255";
	assert_refused(&c, "host address 10.0.2.255 is the network's own*");
	c.host = "10.0.2.3";
	assert_refused(&c, "*not all different*");
	c = (struct net_user_config){ .host6 = "fe80::1" };
	assert_refused(&c, "host address fe80::1 is outside*");
	c = (struct net_user_config){ .mtu = 100 };
	assert_refused(&c, "MTU 100 *");
	c = (struct net_user_config){ .tftp = "/nonexistent" };
	assert_refused(&c, "cannot serve '/nonexistent' *");
	c = (struct net_user_config){ .no_ipv4 = true, .no_ipv6 = true };
	assert_refused(&c, "both IPv4 and IPv6 *");
	c = (struct net_user_config){ .guestfwds = &fwd, .guestfwd_count = 1 };
	fwd.port = 0;
	assert_refused(&c, "server 10.0.2.100 needs a port*");
	fwd.port = 7;
	fwd.server = "10.0.2.2";
	assert_refused(&c, "server 10.0.2.2:7 is not a free address*");
	fwd.server = "10.0.2.100";
	fwd.command = "x";
	assert_refused(&c, "server 10.0.2.100:7 needs either*");
	fwd.unix_path = NULL;
	fwd.command = "'x";
	assert_refused(&c, "cannot read command of server *");
}

static unsigned open_descriptors(void)
{
	g_autoptr(GDir) dir = g_dir_open("/proc/self/fd", 0, NULL);
	unsigned count = 0;

	while (g_dir_read_name(dir))
		count++;
	return count;
}

/* A guest that opens one socket after the other does not get all of the machine's descriptors. */
static void test_socket_limit(void)
{
	const struct net_user_config config = { 0 };
	struct rlimit old, low;

	g_assert_cmpint(getrlimit(RLIMIT_NOFILE, &old), ==, 0);
	low = old;
	low.rlim_cur = 256;
	g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &low), ==, 0);
	for (unsigned kind = 0; kind < 3; kind++) {
		autoptr(card) card = card_user(&config);
		struct tcp tcp = { .card = card, .peer = HOST_IP, .peer_port = 9 };
		uint8_t p[100];

		for (uint16_t i = 0; i < 1000; i++) {
			memset(p, 0, sizeof(p));
			if (kind == 0) {
				tcp.port = (uint16_t)(2000 + i);
				tcp_send(&tcp, TCP_SYN, NULL, 0);
			} else {
				size_t len = make_ip(p, kind == 1 ? 17 : 1, GUEST_IP, HOST_IP, 16);

				put_be16(p + 34, kind == 1 ? (uint16_t)(2000 + i) : 0x0800);
				put_be16(p + 36, kind == 1 ? 9 : 0);
				put_be16(p + 38, kind == 1 ? 16 : i);
				if (kind == 2)
					net_checksum_put(p + 36, net_checksum_add(0, p + 34, 16));
				g_assert_cmpint(card_send(card, p, len), ==, 0);
			}
			if (i % 100 == 0)
				card_settle(card);
		}
		g_assert_cmpuint(open_descriptors(), <, 200);
	}
	g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &old), ==, 0);
}

/* ---- names ---- */

static const struct net_name names[] = {
	{ "Web.lab", "192.0.2.7" },
	{ "web.lab", "192.0.2.8" },
	{ "web.lab", "2001:db8::7" },
	{ "four", "192.0.2.4" },
};
static const struct net_user_config named = { .names = names, .name_count = 4 };

/* A question of one name for the name server at 10.0.2.3; the length of the frame. */
static size_t make_question(uint8_t *p, const char *name, uint16_t type)
{
	static const uint8_t head[] = { 0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0 };
	uint8_t *dns = p + 42;
	g_auto(GStrv) labels = g_strsplit(name, ".", -1);
	size_t at = sizeof(head), len;

	memcpy(dns, head, sizeof(head));
	for (unsigned i = 0; labels[i]; i++) {
		dns[at] = (uint8_t)strlen(labels[i]);
		memcpy(dns + at + 1, labels[i], dns[at]);
		at += dns[at] + 1u;
	}
	dns[at++] = 0;
	put_be16(dns + at, type);
	put_be16(dns + at + 2, 1);
	len = make_ip(p, 17, GUEST_IP, 0x0a000203, 8 + at + 4);
	put_be16(p + 34, 4000);
	put_be16(p + 36, 53);
	put_be16(p + 38, (uint16_t)(8 + at + 4));
	put_be16(p + 40, 0);
	return len;
}

/* The answers' count; -1: it is not answered here. The message is in card->frame + 42. */
static int asked(struct card *card, const char *name, uint16_t type)
{
	uint8_t p[600];
	const size_t len = make_question(p, name, type);
	const uint8_t *f = card->frame;
	struct net_packet packet;
	uint64_t sum;

	g_assert_cmpint(card_send(card, p, len), ==, 0);
	if (card_receive(card) < 0)
		return -1;
	/* Turned round, and whole. */
	g_assert_true(net_packet_parse(&packet, f, (size_t)card->len));
	g_assert_cmpmem(f, 6, guest_mac, 6);
	g_assert_cmphex(get_be32(f + 26), ==, 0x0a000203);
	g_assert_cmphex(get_be32(f + 30), ==, GUEST_IP);
	g_assert_cmpuint(get_be16(f + 34), ==, 53);
	g_assert_cmpuint(get_be16(f + 36), ==, 4000);
	g_assert_cmpuint(get_be16(f + 16), ==, (size_t)card->len - 14);
	g_assert_cmphex(net_checksum_fold(net_checksum_add(0, f + 14, 20)), ==, 0);
	sum = net_packet_pseudo_sum(&packet, f, (size_t)card->len - 34);
	g_assert_cmphex(net_checksum_fold(net_checksum_add(sum, f + 34, (size_t)card->len - 34)),
			==, 0);
	g_assert_cmphex(get_be32(f + 42), ==, 0x12348580);
	g_assert_cmpmem(f + 54, len - 54, p + 54, len - 54);
	return get_be16(f + 48);
}

static void test_names(void)
{
	static const uint8_t v6[] = { 0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7 };
	autoptr(card) card = card_user(&named);
	const uint8_t *f = card->frame;

	g_assert_cmpint(asked(card, "wEb.lab", 1), ==, 2);
	g_assert_cmphex(get_be32(f + card->len - 4), ==, 0xc0000208);
	g_assert_cmphex(get_be32(f + card->len - 20), ==, 0xc0000207);
	g_assert_cmpint(asked(card, "web.lab", 28), ==, 1);
	g_assert_cmpmem(f + card->len - 16, 16, v6, 16);
	g_assert_cmpint(asked(card, "web.lab", 255), ==, 3);
	/* Known, but not of this kind. */
	g_assert_cmpint(asked(card, "four", 28), ==, 0);
	g_assert_cmpint(asked(card, "four", 15), ==, 0);
	g_assert_cmpint(asked(card, "4.2.0.192.in-addr.arpa", 12), ==, 1);
	g_assert_cmpmem(f + card->len - 6, 6, "\4four", 6);
	g_assert_cmpint(asked(card,
			      "7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2."
			      "ip6.arpa",
			      12),
			==, 1);
	/* Of others the host's name server is asked, which does not answer at once. */
	g_assert_cmpint(asked(card, "web.lab.x", 1), ==, -1);
	g_assert_cmpint(asked(card, "fou", 1), ==, -1);
	g_assert_cmpint(asked(card, "4.2.0.192.in-addr.arpa", 1), ==, -1);
}

/* More than a datagram holds is left out; what is malformed, or cut at any byte, is no question of ours. */
static void test_names_hostile(void)
{
	struct net_name many[100];
	const struct net_user_config config = { .names = many, .name_count = 100 };
	autoptr(card) card = NULL;
	uint8_t p[700];
	size_t len;

	for (unsigned i = 0; i < 100; i++)
		many[i] = (struct net_name){ "x", "fd00::1" };
	card = card_user(&config);
	g_assert_cmpint(asked(card, "x", 28), ==, (512 - 12 - 7) / 28);
	for (unsigned cut = 0;; cut++) {
		len = make_question(p, "x", 28);
		if (42 + cut >= len)
			break;
		put_be16(p + 38, (uint16_t)(8 + cut));
		g_assert_cmpint(card_send(card, p, 42 + cut), ==, 0);
		g_assert_cmpint(card_receive(card), <, 0);
	}
	/* A pointer, an answer, two questions, another class; a length that is too long. */
	for (unsigned i = 0; i < 5; i++) {
		static const struct {
			size_t at;
			uint8_t value;
		} bad[] = { { 54, 0xc0 }, { 44, 0x80 }, { 47, 2 }, { 60, 3 }, { 38, 9 } };

		len = make_question(p, "x", 28);
		p[bad[i].at] = bad[i].value;
		g_assert_cmpint(card_send(card, p, len), ==, 0);
		g_assert_cmpint(card_receive(card), <, 0);
	}
}

/* Frames of any size and content do no harm. */
static void test_junk(void)
{
	const struct net_user_config config = { 0 };
	autoptr(card) card = card_user(&config);
	GRand *rand = g_rand_new_with_seed(9);
	static uint8_t p[NET_MAX_FRAME + 1];

	for (unsigned i = 0; i < 3000; i++) {
		size_t len = i < 100 ? i : (size_t)g_rand_int_range(rand, 0, 2000);

		for (size_t k = 0; k < len; k++)
			p[k] = (uint8_t)g_rand_int(rand);
		if (i % 2)
			(void)make_ip(p, i % 4 ? 6 : 17, GUEST_IP, HOST_IP, 0);
		g_assert_cmpint(card_send(card, p, len), ==, 0);
		(void)card_receive(card);
	}
	g_assert_cmpint(card_send(card, p, sizeof(p)), ==, 0);
	g_rand_free(rand);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/net/user/arp", test_arp);
	g_test_add_func("/net/user/dhcp", test_dhcp);
	g_test_add_func("/net/user/forward/large", test_forward_large);
	g_test_add_func("/net/user/forward/plain", test_forward_plain);
	g_test_add_func("/net/user/forward/small-mtu", test_forward_small_mtu);
	g_test_add_func("/net/user/forward/withdrawn", test_offloads_withdrawn);
	g_test_add_func("/net/user/guestfwd", test_guestfwd);
	g_test_add_func("/net/user/lesson-19-no-buffers", test_lesson_19_no_buffers);
	g_test_add_func("/net/user/udp-fragments", test_udp_fragments);
	g_test_add_func("/net/user/forwards", test_forwards);
	g_test_add_func("/net/user/refusals", test_refusals);
	g_test_add_func("/net/user/socket-limit", test_socket_limit);
	g_test_add_func("/net/user/names", test_names);
	g_test_add_func("/net/user/names-hostile", test_names_hostile);
	g_test_add_func("/net/user/junk", test_junk);
	return g_test_run();
}
