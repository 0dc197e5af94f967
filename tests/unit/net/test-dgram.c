/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-dgram.c - a frame a datagram
 */
#include <arpa/inet.h>
#include <glib/gstdio.h>
#include <netinet/in.h>
#include <sys/un.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/sys.h"
#include "card.h"

static struct card *card_dgram(const struct net_dgram_config *config)
{
	g_autoptr(GError) error = NULL;
	struct net_backend *net = net_dgram_new(config, &error);

	g_assert_no_error(error);
	return card_new(net);
}

static struct card *card_pair(int *ret_peer)
{
	struct net_dgram_config config = { 0 };
	int fds[2];

	g_assert_cmpint(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), ==,
			0);
	config.fd = fds[0];
	*ret_peer = fds[1];
	return card_dgram(&config);
}

static void test_frames(void)
{
	autofd int peer = -1;
	autoptr(card) card = card_pair(&peer);
	uint8_t bytes[2000], frame[1600];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 3);
	g_assert_cmpint(card_receive(card), ==, -EAGAIN);
	/* Runts and what does not fit are stepped over. */
	card->room = 1514;
	g_assert_cmpint(sys_write(peer, bytes, 13), ==, 13);
	g_assert_cmpint(sys_write(peer, bytes, 1515), ==, 1515);
	g_assert_cmpint(sys_write(peer, bytes, 1514), ==, 1514);
	card_settle(card);
	g_assert_cmpuint(card->readable, ==, 1);
	g_assert_cmpint(card_receive(card), ==, 1514);
	g_assert_cmpmem(card->frame, 1514, bytes, 1514);
	g_assert_cmpint(card->header.flags | card->header.gso_type, ==, 0);
	g_assert_cmpint(card_receive(card), ==, -EAGAIN);
	g_assert_cmpint(card_send(card, bytes, 1514), ==, 0);
	g_assert_cmpint(card_send(card, bytes, 13), ==, 0);
	g_assert_cmpint(sys_read(peer, frame, sizeof(frame)), ==, 1514);
	g_assert_cmpmem(frame, 1514, bytes, 1514);
	g_assert_cmpint(sys_read(peer, frame, sizeof(frame)), ==, -EAGAIN);
}

/* Lists longer than a system call's go through a buffer. */
static void test_long_lists(void)
{
	autofd int peer = -1;
	autoptr(card) card = card_pair(&peer);
	const struct net_header none = { 0 };
	struct net_header header;
	uint8_t out[200], in[200] = { 0 }, wire[300];
	struct iovec iov[200];

	for (size_t i = 0; i < 200; i++) {
		out[i] = (uint8_t)(i ^ 0x5a);
		iov[i] = (struct iovec){ out + i, 1 };
	}
	g_assert_cmpint(card->net->ops->send(card->net, 0, &none, iov, 200), ==, 0);
	g_assert_cmpint(sys_read(peer, wire, sizeof(wire)), ==, 200);
	g_assert_cmpmem(wire, 200, out, 200);
	for (size_t i = 0; i < 200; i++)
		iov[i].iov_base = in + i;
	g_assert_cmpint(sys_write(peer, wire, 201), ==, 201);
	g_assert_cmpint(sys_write(peer, wire, 200), ==, 200);
	g_assert_cmpint(card->net->ops->receive(card->net, 0, &header, iov, 200), ==, 200);
	g_assert_cmpmem(in, 200, out, 200);
}

/* A queue that is full makes the card wait, and tells it when it is not. */
static void test_back_pressure(void)
{
	autofd int peer = -1;
	autoptr(card) card = card_pair(&peer);
	static uint8_t frame[1500];
	unsigned sent = 0;
	int r = 0;

	while (r == 0 && sent < 100000) {
		r = card_send(card, frame, sizeof(frame));
		sent += r == 0;
	}
	g_assert_cmpint(r, ==, -EAGAIN);
	card_settle(card);
	g_assert_cmpuint(card->writable, ==, 0);
	for (unsigned i = 0; i < sent; i++)
		g_assert_cmpint(sys_read(peer, frame, sizeof(frame)), ==, sizeof(frame));
	for (unsigned i = 0; i < 50 && !card->writable; i++)
		card_settle(card);
	g_assert_cmpuint(card->writable, ==, 1);
	g_assert_cmpint(card_send(card, frame, sizeof(frame)), ==, 0);
}

/* What was sent in part and given up is not gone on with by the next one. */
static void test_forget(void)
{
	autofd int peer = -1;
	autoptr(card) card = card_pair(&peer);
	uint8_t frame[2000];
	unsigned got = 0;

	while (card_send_segment(card, 40000) == 0)
		;
	while (sys_read(peer, frame, sizeof(frame)) > 0)
		;
	card->net->ops->forget(card->net, 0);
	g_assert_cmpint(card_send_segment(card, 40000), ==, 0);
	while (sys_read(peer, frame, sizeof(frame)) > 0)
		g_assert_cmpuint(get_be32(frame + 38), ==, got++ * 1000);
	g_assert_cmpuint(got, ==, 40);
}

/*
 * A peer at a path whose queue is full, which poll() does not tell: looked at again after a while,
 * not all the time. Of a large segment nothing is lost, and nothing comes twice.
 */
static void test_back_pressure_unix(void)
{
	g_autofree char *dir = g_dir_make_tmp("socle-net-XXXXXX", NULL);
	g_autofree char *a_path = g_build_filename(dir, "a", NULL);
	g_autofree char *b_path = g_build_filename(dir, "b", NULL);
	const struct net_dgram_config config = { .local_path = a_path, .remote_path = b_path };
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	autofd int peer = sys_socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	autoptr(card) card = card_dgram(&config);
	uint8_t frame[2000];
	const unsigned sent = 400;
	unsigned segments = 0, got = 0, waits = 0;

	g_strlcpy(addr.sun_path, b_path, sizeof(addr.sun_path));
	g_assert_cmpint(sys_bind(peer, (void *)&addr, sizeof(addr)), ==, 0);
	while (segments < sent) {
		unsigned before = card->writable;
		ssize_t n;

		if (card_send_segment(card, 40000) == 0) {
			segments += 40;
			continue;
		}
		/* Nothing to do, until it is time. */
		waits++;
		card_settle(card);
		g_assert_false(io_loop_run(card->loop, false));
		g_assert_cmpuint(card->writable, ==, before);
		while ((n = sys_read(peer, frame, sizeof(frame))) > 0) {
			g_assert_cmpint(n, ==, 1054);
			g_assert_cmpuint(get_be32(frame + 38), ==, got++ % 40 * 1000);
		}
		card->now_ns += 10000000;
		card_settle(card);
		g_assert_cmpuint(card->writable, ==, before + 1);
	}
	g_assert_cmpuint(waits, >, 0);
	while (sys_read(peer, frame, sizeof(frame)) > 0)
		got++;
	g_assert_cmpuint(got, ==, sent);
	(void)g_unlink(b_path);
	g_clear_pointer(&card, card_free);
	g_assert_cmpint(g_rmdir(dir), ==, 0);
}

/* A peer that is not there yet, was there, and has closed. */
static void test_peer_gone(void)
{
	autofd int peer = -1;
	autoptr(card) card = card_pair(&peer);
	static uint8_t frame[100];

	g_assert_cmpint(card_receive(card), ==, -EAGAIN);
	fd_autoclose(&peer);
	g_assert_cmpint(card_send(card, frame, sizeof(frame)), ==, 0);
	card_settle(card);
	g_assert_false(io_loop_run(card->loop, false));
}

static void test_unix(void)
{
	g_autofree char *dir = g_dir_make_tmp("socle-net-XXXXXX", NULL);
	g_autofree char *a_path = g_build_filename(dir, "a", NULL);
	g_autofree char *b_path = g_build_filename(dir, "b", NULL);
	const struct net_dgram_config ac = { .local_path = a_path, .remote_path = b_path };
	const struct net_dgram_config bc = { .local_path = b_path, .remote_path = a_path };
	uint8_t frame[64] = { 1, 2, 3 };

	{
		autoptr(card) a = card_dgram(&ac);
		g_autofree char *text = net_describe(a->net), *expected = NULL;

		expected = g_strdup_printf("dgram: %s to %s", a_path, b_path);
		g_assert_cmpstr(text, ==, expected);
		/* Lost: there is no peer. */
		g_assert_cmpint(card_send(a, frame, sizeof(frame)), ==, 0);
		autoptr(card) b = card_dgram(&bc);

		g_assert_cmpint(card_send(a, frame, sizeof(frame)), ==, 0);
		g_assert_cmpint(card_wait(b), ==, sizeof(frame));
		g_assert_cmpint(card_send(b, frame, 20), ==, 0);
		g_assert_cmpint(card_wait(a), ==, 20);
	}
	/* Both files are gone. */
	g_assert_cmpint(g_rmdir(dir), ==, 0);
}

static uint16_t free_port(void)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(addr);
	autofd int fd = sys_socket(AF_INET, SOCK_DGRAM, 0);

	g_assert_cmpint(sys_bind(fd, (void *)&addr, len), ==, 0);
	g_assert_cmpint(getsockname(fd, (void *)&addr, &len), ==, 0);
	return ntohs(addr.sin_port);
}

static void test_udp(void)
{
	const uint16_t a_port = free_port(), b_port = free_port();
	const struct net_dgram_config ac = { .local_host = "127.0.0.1",
					     .local_port = a_port,
					     .remote_host = "127.0.0.1",
					     .remote_port = b_port };
	const struct net_dgram_config bc = { .local_port = b_port,
					     .remote_host = "127.0.0.1",
					     .remote_port = a_port };
	autoptr(card) a = card_dgram(&ac);
	uint8_t frame[64] = { 1, 2, 3 };

	g_assert_cmpint(card_receive(a), ==, -EAGAIN);
	g_assert_cmpint(card_send(a, frame, sizeof(frame)), ==, 0);
	card_settle(a);
	autoptr(card) b = card_dgram(&bc);

	g_assert_cmpint(card_send(a, frame, sizeof(frame)), ==, 0);
	g_assert_cmpint(card_wait(b), ==, sizeof(frame));
	g_assert_cmpint(card_send(b, frame, 20), ==, 0);
	g_assert_cmpint(card_wait(a), ==, 20);
}

static void assert_refused(const struct net_dgram_config *config, const char *text)
{
	g_autoptr(GError) error = NULL;
	struct net_backend *net = net_dgram_new(config, &error);

	g_assert_null(net);
	g_assert_nonnull(error);
	if (!g_pattern_match_simple(text, error->message))
		g_error("'%s' is not '%s'", error->message, text);
}

static void test_refusals(void)
{
	struct net_dgram_config c = { .local_path = "/nonexistent/a" };

	assert_refused(&c, "*needs a local and a remote path*");
	c.remote_path = "/nonexistent/b";
	assert_refused(&c, "cannot listen at '/nonexistent/a': *");
	c = (struct net_dgram_config){ .local_host = "127.0.0.1" };
	assert_refused(&c, "*needs a remote host and port*");
	c.remote_host = "127.0.0.1";
	assert_refused(&c, "'127.0.0.1' needs a port*");
	c.remote_host = "::1";
	c.remote_port = 9;
	assert_refused(&c, "*not of one address family*");
	c = (struct net_dgram_config){ .fd = sys_socket(AF_UNIX, SOCK_STREAM, 0) };
	assert_refused(&c, "descriptor * is not a datagram socket");
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/net/dgram/frames", test_frames);
	g_test_add_func("/net/dgram/long-lists", test_long_lists);
	g_test_add_func("/net/dgram/back-pressure", test_back_pressure);
	g_test_add_func("/net/dgram/forget", test_forget);
	g_test_add_func("/net/dgram/back-pressure-unix", test_back_pressure_unix);
	g_test_add_func("/net/dgram/peer-gone", test_peer_gone);
	g_test_add_func("/net/dgram/unix", test_unix);
	g_test_add_func("/net/dgram/udp", test_udp);
	g_test_add_func("/net/dgram/refusals", test_refusals);
	return g_test_run();
}
