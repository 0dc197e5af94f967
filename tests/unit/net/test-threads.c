/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-threads.c - back ends on loops with threads of their own, for the race detector too
 */
#include <glib.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/io-loop.h"
#include "base/sys.h"
#include "net/net.h"

enum {
	FRAMES = 3000,
	FRAME_LEN = 1000,
};

/* A card that sends FRAMES frames and takes what comes. */
struct card {
	struct io_loop *loop;
	struct net_backend *net;
	struct io_work work;
	unsigned sent; /* on the loop */
	atomic_uint received;
	unsigned link_changes; /* on the main loop */
	bool link_up;
};

static void take_all(struct card *card)
{
	static _Thread_local uint8_t room[2000];
	const struct iovec iov = { room, sizeof(room) };
	struct net_header header;

	while (card->net->ops->receive(card->net, 0, &header, &iov, 1) == FRAME_LEN)
		atomic_fetch_add(&card->received, 1);
}

static void send_all(void *opaque)
{
	static _Thread_local uint8_t frame[FRAME_LEN];
	struct card *card = opaque;
	const struct iovec iov = { frame, sizeof(frame) };
	const struct net_header none = { 0 };

	take_all(card);
	while (card->sent < FRAMES && card->net->ops->send(card->net, 0, &none, &iov, 1) == 0)
		card->sent++;
}

static void on_readable(void *opaque, unsigned queue)
{
	(void)queue;
	take_all(opaque);
}

static void on_writable(void *opaque, unsigned queue)
{
	(void)queue;
	send_all(opaque);
}

static void on_link(void *opaque, bool up)
{
	struct card *card = opaque;

	card->link_changes++;
	card->link_up = up;
}

static const struct net_front front = {
	.readable = on_readable,
	.writable = on_writable,
	.link_changed = on_link,
};

static void configure(void *opaque)
{
	struct card *card = opaque;

	card->net->ops->configure(card->net, NET_OFFLOAD_CSUM, 1);
}

static struct card *card_new(struct net_backend *net)
{
	struct card *card = g_new0(struct card, 1);

	g_assert_nonnull(net);
	card->net = net;
	card->work = (struct io_work){ .fn = send_all, .opaque = card };
	card->loop = io_loop_new("card", IO_LOOP_AUTO, NULL);
	g_assert_nonnull(card->loop);
	g_assert_true(net_attach(net, card->loop, &front, card, NULL));
	io_loop_call(card->loop, configure, card);
	return card;
}

static void card_free(struct card *card)
{
	net_free(card->net);
	io_loop_free(card->loop);
	g_free(card);
}
DEFINE_AUTOPTR(card, card_free);

/* Let the main loop run until it is so; a machine under load may take its time. */
static void wait_for(bool (*done)(struct card *card), struct card *card)
{
	while (!done(card)) {
		if (!g_main_context_iteration(NULL, FALSE))
			g_usleep(100);
	}
}

static bool has_all(struct card *card)
{
	return atomic_load(&card->received) == FRAMES;
}

static bool is_down(struct card *card)
{
	return card->link_changes == 1 && !card->link_up;
}

static void test_stream(void)
{
	struct net_stream_config config = { .role = NET_SOCKET_FD };
	int fds[2];

	g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), ==, 0);
	config.fd = fds[0];
	autoptr(card) a = card_new(net_stream_new(&config, NULL));
	config.fd = fds[1];
	autoptr(card) b = card_new(net_stream_new(&config, NULL));

	/* Both at once, and both buffers full at times. */
	io_loop_post(a->loop, &a->work);
	io_loop_post(b->loop, &b->work);
	wait_for(has_all, a);
	wait_for(has_all, b);
	card_free(g_steal_pointer(&a));
	wait_for(is_down, b);
}

/* Forwards come and go under the eyes of somebody who connects. */
static void test_user(void)
{
	const struct net_user_config config = { 0 };
	autoptr(card) card = card_new(net_user_new(&config, NULL));
	struct sockaddr_in addr = { .sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(addr);
	struct net_forward forward = { .host = "127.0.0.1", .guest_port = 22 };
	int probe = sys_socket(AF_INET, SOCK_STREAM, 0);

	g_assert_cmpint(sys_bind(probe, (void *)&addr, len), ==, 0);
	g_assert_cmpint(getsockname(probe, (void *)&addr, &len), ==, 0);
	(void)close(probe);
	forward.host_port = ntohs(addr.sin_port);
	io_loop_post(card->loop, &card->work);
	for (unsigned i = 0; i < 50; i++) {
		g_autoptr(GError) error = NULL;
		autofd int fd = sys_socket(AF_INET, SOCK_STREAM, 0);

		g_assert_true(net_user_add_forward(card->net, &forward, &error));
		g_assert_no_error(error);
		g_assert_cmpint(sys_connect(fd, (void *)&addr, len), ==, 0);
		g_assert_true(net_user_remove_forward(card->net, &forward, &error));
		if (i == 25) {
			net_detach(card->net);
			g_assert_true(net_attach(card->net, card->loop, &front, card, NULL));
		}
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/net/threads/stream", test_stream);
	g_test_add_func("/net/threads/user", test_user);
	return g_test_run();
}
