/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-stream.c - frames on a stream socket: framing, a peer that comes, goes and lies
 */
#include <fcntl.h>
#include <glib/gstdio.h>
#include <netinet/in.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/sys.h"
#include "card.h"
#include "net/offload.h"

static void pair_new(int fds[2])
{
	g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), ==,
			0);
}

/* A card on one end, the other end in *ret_peer. */
static struct card *card_pair(int *ret_peer)
{
	struct net_stream_config config = { .role = NET_SOCKET_FD };
	g_autoptr(GError) error = NULL;
	struct net_backend *net;
	int fds[2];

	pair_new(fds);
	config.fd = fds[0];
	*ret_peer = fds[1];
	net = net_stream_new(&config, &error);
	g_assert_no_error(error);
	g_assert_true(net->link_up);
	return card_new(net);
}

/* A frame in its framing; the bytes follow from its length. */
static size_t put_frame(uint8_t *p, size_t len)
{
	put_be32(p, (uint32_t)len);
	for (size_t i = 0; i < len; i++)
		p[4 + i] = (uint8_t)(len + i);
	return 4 + len;
}

static void assert_frame(const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		g_assert_cmpint(p[i], ==, (uint8_t)(len + i));
}

static void main_context(void)
{
	while (g_main_context_iteration(NULL, FALSE))
		;
}

static void test_byte_by_byte(void)
{
	autofd int peer = -1;
	autoptr(card) card = card_pair(&peer);
	static uint8_t bytes[4096];
	size_t len = put_frame(bytes, 14);

	len += put_frame(bytes + len, 60);
	len += put_frame(bytes + len, 1514);
	g_assert_cmpint(card_receive(card), ==, -EAGAIN);
	for (size_t i = 0, expect = 14; i < len; i++) {
		g_assert_cmpint(sys_write(peer, bytes + i, 1), ==, 1);
		card_settle(card);
		g_assert_cmpuint(card->readable, ==, i + 1);
		if (i == 17 || i == 17 + 64 || i == 17 + 64 + 1518) {
			g_assert_cmpint(card_receive(card), ==, (ssize_t)expect);
			assert_frame(card->frame, expect);
			g_assert_cmpint(card->header.flags, ==, 0);
			g_assert_cmpint(card->header.gso_type, ==, 0);
			expect = expect == 14 ? 60 : 1514;
		}
		g_assert_cmpint(card_receive(card), ==, -EAGAIN);
	}
}

/* Many at once, some that do not fit and some that are none. */
static void test_batch(void)
{
	autofd int peer = -1;
	autoptr(card) card = card_pair(&peer);
	static uint8_t bytes[40000];
	const size_t sizes[] = { 100, 0, 13, 14, 1600, 1500, 3, 1514, 9000, 64 };
	const size_t expected[] = { 100, 14, 1500, 1514, 64 };
	size_t len = 0;

	card->room = 1514;
	for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++)
		len += put_frame(bytes + len, sizes[i]);
	g_assert_cmpint(sys_write(peer, bytes, len), ==, (ssize_t)len);
	for (size_t i = 0; i < G_N_ELEMENTS(expected); i++) {
		g_assert_cmpint(card_receive(card), ==, (ssize_t)expected[i]);
		assert_frame(card->frame, expected[i]);
	}
	g_assert_cmpint(card_receive(card), ==, -EAGAIN);
	/* The largest there is. */
	card->room = sizeof(card->frame);
	g_autofree uint8_t *large = g_malloc(4 + NET_MAX_FRAME);
	size_t sent = 0;

	len = put_frame(large, NET_MAX_FRAME);
	while (sent < len) {
		ssize_t n = sys_write(peer, large + sent, len - sent);

		sent += n > 0 ? (size_t)n : 0;
		if (sent < len)
			g_assert_cmpint(card_receive(card), ==, -EAGAIN);
	}
	g_assert_cmpint(card_wait(card), ==, NET_MAX_FRAME);
	assert_frame(card->frame, NET_MAX_FRAME);
}

/* A length that no frame has ends the connection; the link goes down, on the main loop. */
static void test_hostile_length(void)
{
	const uint32_t lengths[] = { 65536 + 4096 + 1, 0x7fffffff, 0x80000000, 0xffffffff };

	for (size_t i = 0; i < G_N_ELEMENTS(lengths); i++) {
		autofd int peer = -1;
		autoptr(card) card = card_pair(&peer);
		uint8_t bytes[100];
		char c;

		memset(bytes, 0x55, sizeof(bytes));
		put_be32(bytes, lengths[i]);
		g_assert_cmpint(sys_write(peer, bytes, sizeof(bytes)), ==, sizeof(bytes));
		g_assert_cmpint(card_receive(card), ==, -EAGAIN);
		g_assert_cmpint(sys_read(peer, &c, 1), <=, 0);
		g_assert_cmpuint(card->link_changes, ==, 0);
		main_context();
		g_assert_cmpuint(card->link_changes, ==, 1);
		g_assert_false(card->link_up);
		g_assert_false(card->net->link_up);
		/* A card without a peer goes on. */
		g_assert_cmpint(card_send(card, bytes, 60), ==, 0);
		g_assert_cmpint(card_receive(card), ==, -EAGAIN);
		g_assert_false(io_loop_run(card->loop, false));
	}
}

static void test_send(void)
{
	autofd int peer = -1;
	autoptr(card) card = card_pair(&peer);
	static uint8_t frame[1600], bytes[4000];

	(void)put_frame(frame, 1514);
	/* Runts are nobody's. */
	g_assert_cmpint(card_send(card, frame + 4, 13), ==, 0);
	g_assert_cmpint(card_send(card, frame + 4, 1514), ==, 0);
	g_assert_cmpint(card_send(card, frame + 4, 14), ==, 0);
	/* A round sends them together. */
	g_assert_cmpint(sys_read(peer, bytes, sizeof(bytes)), ==, -EAGAIN);
	card_settle(card);
	g_assert_cmpint(sys_read(peer, bytes, sizeof(bytes)), ==, 1518 + 18);
	g_assert_cmpmem(bytes, 1518, frame, 1518);
	g_assert_cmpuint(get_be32(bytes + 1518), ==, 14);
	g_assert_cmpmem(bytes + 1522, 14, frame + 4, 14);
}

/* A peer that does not read: the card is told to wait, then to go on, and nothing is lost. */
static void test_back_pressure(void)
{
	autofd int peer = -1;
	autoptr(card) card = card_pair(&peer);
	static uint8_t frame[1600], bytes[1 << 20];
	size_t sent = 0, got = 0;
	int r = 0;

	(void)put_frame(frame, 1000);
	g_assert_cmpint(sys_setsockopt_int(peer, SOL_SOCKET, SO_RCVBUF, 4096), ==, 0);
	while (r == 0) {
		r = card_send(card, frame + 4, 1000);
		sent += r == 0 ? 1004 : 0;
		card_settle(card);
		g_assert_cmpuint(sent, <, 16 << 20);
	}
	g_assert_cmpint(r, ==, -EAGAIN);
	g_assert_cmpuint(card->writable, ==, 0);
	/* Nothing spins meanwhile. */
	g_assert_false(io_loop_run(card->loop, false));
	for (unsigned i = 0; i < 10000 && got < sent; i++) {
		ssize_t n = sys_read(peer, bytes, sizeof(bytes));

		for (ssize_t k = 0; k < n; k++)
			g_assert_cmpint(bytes[k], ==, frame[(got + (size_t)k) % 1004]);
		got += n > 0 ? (size_t)n : 0;
		card_settle(card);
	}
	g_assert_cmpuint(got, ==, sent);
	g_assert_cmpuint(card->writable, ==, 1);
	g_assert_cmpint(card_send(card, frame + 4, 1000), ==, 0);
}

/* Large segments are cut: there is no header on the wire. */
static void test_offload(void)
{
	autofd int peer = -1;
	autoptr(card) card = card_pair(&peer);
	static uint8_t bytes[8000];
	size_t off = 0, payload = 0;
	ssize_t len;

	g_assert_cmpint(card_send_segment(card, 5000), ==, 0);
	card_settle(card);
	len = sys_read(peer, bytes, sizeof(bytes));
	while ((ssize_t)off < len) {
		size_t n = get_be32(bytes + off);

		g_assert_cmpuint(n, <=, 1514);
		g_assert_cmphex(net_checksum_fold(net_checksum_add(0, bytes + off + 18, 20)), ==,
				0);
		payload += n - 54;
		off += 4 + n;
	}
	g_assert_cmpuint(payload, ==, 5000);
}

/* What finds no room goes later: of a large segment nothing is lost, and nothing goes twice. */
static void test_offload_back_pressure(void)
{
	autofd int peer = -1;
	autoptr(card) card = card_pair(&peer);
	const unsigned sent = 60 * 40;
	unsigned segments = 0, got = 0, waits = 0;
	uint8_t bytes[4 + 1054];
	size_t have = 0;

	while (got < sent) {
		bool wait = segments < sent && card_send_segment(card, 60000) == -EAGAIN;
		ssize_t n = 1;

		card_settle(card);
		if (segments < sent && !wait) {
			segments += 60;
			continue;
		}
		waits += wait;
		while (n > 0) {
			n = sys_read(peer, bytes + have, sizeof(bytes) - have);
			have += n > 0 ? (size_t)n : 0;
			if (have < sizeof(bytes))
				continue;
			have = 0;
			g_assert_cmpuint(get_be32(bytes), ==, 1054);
			g_assert_cmpuint(get_be32(bytes + 4 + 38), ==, got++ % 60 * 1000);
		}
	}
	g_assert_cmpuint(waits, >, 0);
}

/* The peer goes when the card has no buffers (lesson 19): no spinning, and it is noticed. */
static void test_lesson_19_hangup(void)
{
	autofd int peer = -1;
	autoptr(card) card = card_pair(&peer);
	static uint8_t bytes[200];
	size_t len = put_frame(bytes, 100);

	g_assert_cmpint(card_receive(card), ==, -EAGAIN);
	g_assert_cmpint(sys_write(peer, bytes, len), ==, (ssize_t)len);
	card_settle(card);
	g_assert_cmpuint(card->readable, ==, 1);
	fd_autoclose(&peer);
	card_settle(card);
	g_assert_false(io_loop_run(card->loop, false));
	/* The frame of before is still there; then the end is. */
	g_assert_cmpint(card_receive(card), ==, 100);
	g_assert_cmpint(card_receive(card), ==, -EAGAIN);
	main_context();
	g_assert_false(card->net->link_up);
}

/* A directory with one socket's path. */
struct place {
	char *dir, *path;
};

static struct place *place_new(void)
{
	struct place *place = g_new0(struct place, 1);

	place->dir = g_dir_make_tmp("socle-net-XXXXXX", NULL);
	place->path = g_build_filename(place->dir, "s", NULL);
	return place;
}

static void place_free(struct place *place)
{
	(void)g_unlink(place->path);
	g_assert_cmpint(g_rmdir(place->dir), ==, 0);
	g_free(place->dir);
	g_free(place->path);
	g_free(place);
}
DEFINE_AUTOPTR(place, place_free);

/* A listener and one that connects; the listener goes and comes back. */
static void test_reconnect(void)
{
	autoptr(place) place = place_new();
	const struct net_stream_config server = { .role = NET_SOCKET_LISTEN,
						  .unix_path = place->path };
	const struct net_stream_config client = { .role = NET_SOCKET_CONNECT,
						  .unix_path = place->path,
						  .reconnect_s = 2 };
	autoptr(card) b = card_new(net_stream_new(&client, NULL));
	static uint8_t frame[100];

	(void)put_frame(frame, 90);
	g_assert_false(b->net->link_up);
	g_assert_cmpint(card_receive(b), ==, -EAGAIN);
	card_settle(b);
	for (unsigned i = 0; i < 3; i++) {
		autoptr(card) a = card_new(net_stream_new(&server, NULL));
		g_autofree char *text = NULL;

		g_assert_false(a->net->link_up);
		g_assert_cmpint(card_receive(a), ==, -EAGAIN);
		card_settle(b);
		main_context();
		g_assert_false(b->net->link_up);
		b->now_ns += 2000000000;
		for (unsigned k = 0; k < 10; k++) {
			card_settle(b);
			card_settle(a);
		}
		main_context();
		g_assert_true(a->net->link_up);
		g_assert_true(b->net->link_up);
		g_assert_cmpuint(b->link_changes, ==, 2 * i + 1);
		text = net_describe(a->net);
		g_assert_true(g_str_has_prefix(text, "stream: listening at "));
		g_assert_true(g_str_has_suffix(text, "/s, connected"));
		g_assert_cmpint(card_send(b, frame + 4, 90), ==, 0);
		card_settle(b);
		g_assert_cmpint(card_wait(a), ==, 90);
		g_assert_cmpint(card_send(a, frame + 4, 90), ==, 0);
		card_settle(a);
		g_assert_cmpint(card_wait(b), ==, 90);
		assert_frame(b->frame, 90);
		g_assert_cmpint(card_receive(b), ==, -EAGAIN);
		/* The server ends: its card and its socket go. */
		card_free(g_steal_pointer(&a));
		card_settle(b);
		g_assert_cmpint(card_receive(b), ==, -EAGAIN);
		main_context();
		g_assert_false(b->net->link_up);
	}
}

/* A second peer waits until the first has gone. */
static void test_one_peer(void)
{
	autoptr(place) place = place_new();
	const struct net_stream_config server = { .role = NET_SOCKET_LISTEN,
						  .unix_path = place->path };
	const struct net_stream_config client = { .role = NET_SOCKET_CONNECT,
						  .unix_path = place->path };
	autoptr(card) a = card_new(net_stream_new(&server, NULL));
	autoptr(card) b = card_new(net_stream_new(&client, NULL));
	autoptr(card) c = card_new(net_stream_new(&client, NULL));
	static uint8_t frame[100];

	(void)put_frame(frame, 50);
	g_assert_cmpint(card_receive(a), ==, -EAGAIN);
	card_settle(a);
	g_assert_cmpint(card_send(c, frame + 4, 50), ==, 0);
	card_settle(c);
	card_settle(a);
	g_assert_cmpint(card_receive(a), ==, -EAGAIN);
	card_free(g_steal_pointer(&b));
	g_assert_cmpint(card_wait(a), ==, 50);
}

/* Only this user connects, whatever the umask; who comes when there is no descriptor waits. */
static void test_listener(void)
{
	autoptr(place) place = place_new();
	const struct net_stream_config server = { .role = NET_SOCKET_LISTEN,
						  .unix_path = place->path };
	const struct net_stream_config client = { .role = NET_SOCKET_CONNECT,
						  .unix_path = place->path };
	mode_t old = umask(0);
	autoptr(card) a = card_new(net_stream_new(&server, NULL));
	autoptr(card) b = card_new(net_stream_new(&client, NULL));
	struct stat st;

	(void)umask(old);
	g_assert_cmpint(stat(place->path, &st), ==, 0);
	g_assert_cmpint(st.st_mode & 0777, ==, 0600);
	g_assert_cmpint(card_receive(b), ==, -EAGAIN);
	sys_fail_nth(SYS_ACCEPT, 1, EMFILE);
	card_settle(a);
	g_assert_cmpuint(sys_fail_pending(SYS_ACCEPT), ==, 0);
	g_assert_false(io_loop_run(a->loop, false));
	main_context();
	g_assert_false(a->net->link_up);
	while (!a->net->link_up) {
		(void)io_loop_run(a->loop, true);
		main_context();
	}
	g_assert_true(b->net->link_up);
	g_clear_pointer(&a, card_free);
}

/* A peer that does not answer holds up nobody; it is connected to when it does. */
static void test_slow_peer(void)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	autofd int listener = sys_socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	int filler[3];
	socklen_t len = sizeof(addr);
	struct net_stream_config config = { .role = NET_SOCKET_CONNECT, .host = "127.0.0.1" };
	autoptr(net_backend) net = NULL;
	uint64_t start;

	/* A queue of one, which is full: the next one is not answered. */
	g_assert_cmpint(sys_bind(listener, (void *)&addr, len), ==, 0);
	g_assert_cmpint(sys_listen(listener, 0), ==, 0);
	g_assert_cmpint(getsockname(listener, (void *)&addr, &len), ==, 0);
	for (unsigned i = 0; i < ARRAY_SIZE(filler); i++) {
		filler[i] = sys_socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)sys_connect(filler[i], (void *)&addr, len);
	}
	config.port = ntohs(addr.sin_port);
	start = sys_monotonic_ns();
	net = net_stream_new(&config, NULL);
	g_assert_nonnull(net);
	g_assert_cmpuint(sys_monotonic_ns() - start, <, 5000000000);
	g_assert_false(net->link_up);
	autoptr(card) card = card_new(g_steal_pointer(&net));

	g_assert_cmpint(card_receive(card), ==, -EAGAIN);
	card_settle(card);
	/* The attempt outlives a card. */
	net_detach(card->net);
	g_assert_true(net_attach(card->net, card->loop, &card_front, card, NULL));
	fd_autoclose(&listener);
	for (unsigned i = 0; i < ARRAY_SIZE(filler); i++)
		fd_autoclose(&filler[i]);
	card_settle(card);
}

/* Detached and attached again, the connection and what is half sent live on. */
static void test_attach_again(void)
{
	autofd int peer = -1;
	autoptr(card) card = card_pair(&peer);
	static uint8_t frame[100], bytes[300];

	(void)put_frame(frame, 70);
	g_assert_cmpint(card_send(card, frame + 4, 70), ==, 0);
	net_detach(card->net);
	g_assert_cmpint(sys_read(peer, bytes, sizeof(bytes)), ==, 74);
	g_assert_true(net_attach(card->net, card->loop, &card_front, card, NULL));
	g_assert_false(net_attach(card->net, card->loop, &card_front, card, NULL));
	g_assert_cmpint(sys_write(peer, frame, 74), ==, 74);
	g_assert_cmpint(card_wait(card), ==, 70);
}

static void assert_refused(const struct net_stream_config *config, const char *text)
{
	g_autoptr(GError) error = NULL;
	struct net_backend *net = net_stream_new(config, &error);

	g_assert_null(net);
	g_assert_nonnull(error);
	if (!g_pattern_match_simple(text, error->message))
		g_error("'%s' is not '%s'", error->message, text);
}

static void test_refusals(void)
{
	autoptr(place) place = place_new();
	g_autofree char *elsewhere = g_build_filename(place->dir, "no", "s", NULL);
	char *too_long = g_strnfill(200, 'x');
	struct net_stream_config c = { .role = NET_SOCKET_CONNECT, .unix_path = place->path };
	autoptr(net_backend) first = NULL;

	assert_refused(&c, "cannot connect to '*': No such file *");
	c.unix_path = too_long;
	assert_refused(&c, "socket path *200 bytes*");
	c.unix_path = elsewhere;
	c.role = NET_SOCKET_LISTEN;
	assert_refused(&c, "cannot create socket '*': No such file *");
	c.unix_path = place->path;
	first = net_stream_new(&c, NULL);
	g_assert_nonnull(first);
	assert_refused(&c, "socket '*' is in use by another process; *");
	c = (struct net_stream_config){ .role = NET_SOCKET_CONNECT, .host = "127.0.0.1" };
	assert_refused(&c, "'127.0.0.1' needs a port *");
	c = (struct net_stream_config){ .role = NET_SOCKET_FD,
					.fd = sys_open("/dev/null", O_RDWR, 0) };
	assert_refused(&c, "descriptor * is not a socket*");
	c.fd = sys_socket(AF_UNIX, SOCK_DGRAM, 0);
	assert_refused(&c, "descriptor * is not a stream socket");
	g_free(too_long);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/net/stream/byte-by-byte", test_byte_by_byte);
	g_test_add_func("/net/stream/batch", test_batch);
	g_test_add_func("/net/stream/hostile-length", test_hostile_length);
	g_test_add_func("/net/stream/send", test_send);
	g_test_add_func("/net/stream/back-pressure", test_back_pressure);
	g_test_add_func("/net/stream/offload", test_offload);
	g_test_add_func("/net/stream/offload-back-pressure", test_offload_back_pressure);
	g_test_add_func("/net/stream/lesson-19-hangup", test_lesson_19_hangup);
	g_test_add_func("/net/stream/reconnect", test_reconnect);
	g_test_add_func("/net/stream/one-peer", test_one_peer);
	g_test_add_func("/net/stream/listener", test_listener);
	g_test_add_func("/net/stream/slow-peer", test_slow_peer);
	g_test_add_func("/net/stream/attach-again", test_attach_again);
	g_test_add_func("/net/stream/refusals", test_refusals);
	return g_test_run();
}
