/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qemu-net.c - QEMU without a guest as the peer: its hub and its user network behind our sockets
 *
 * A frame that asks for the address of 10.0.2.2 goes over a stream or a datagram socket into QEMU's
 * hub, and its user network answers. What was captured of it is read by tcpdump.
 */
#include <errno.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>

#include "base/bytes.h"
#include "base/io-loop.h"
#include "net/net.h"

struct peer {
	char *dir, *ours, *theirs, *capture;
	GPid pid;
	struct io_loop *loop;
	struct net_backend *net;
	unsigned readable;
};

static void on_queue(void *opaque, unsigned queue)
{
	(void)queue;
	((struct peer *)opaque)->readable++;
}

static void on_link(void *opaque, bool up)
{
	(void)opaque;
	(void)up;
}

static const struct net_front front = {
	.readable = on_queue,
	.writable = on_queue,
	.link_changed = on_link,
};

/* False: skipped. @net: how QEMU reaches us. */
static bool peer_start(struct peer *peer, const char *netdev)
{
	const char *argv[] = { "qemu-system-x86_64",
			       "-M",
			       "none",
			       "-display",
			       "none",
			       "-nodefaults",
			       "-netdev",
			       netdev,
			       "-netdev",
			       "hubport,id=h1,hubid=0,netdev=s",
			       "-netdev",
			       "user,id=u",
			       "-netdev",
			       "hubport,id=h2,hubid=0,netdev=u",
			       NULL };
	g_autofree char *qemu = g_find_program_in_path(argv[0]);

	if (!qemu) {
		g_test_skip("no qemu-system-x86_64");
		return false;
	}
	return g_spawn_async(NULL, (char **)(uintptr_t)argv, NULL,
			     G_SPAWN_SEARCH_PATH | G_SPAWN_STDERR_TO_DEV_NULL |
				     G_SPAWN_DO_NOT_REAP_CHILD,
			     NULL, NULL, &peer->pid, NULL);
}

static void peer_init(struct peer *peer)
{
	*peer = (struct peer){ .dir = g_dir_make_tmp("socle-net-XXXXXX", NULL) };
	peer->ours = g_build_filename(peer->dir, "ours", NULL);
	peer->theirs = g_build_filename(peer->dir, "theirs", NULL);
	peer->capture = g_build_filename(peer->dir, "capture", NULL);
	peer->loop = io_loop_new_manual(IO_LOOP_AUTO, NULL, NULL, NULL);
	g_assert_nonnull(peer->loop);
}

static void peer_release(struct peer *peer)
{
	net_free(peer->net);
	io_loop_free(peer->loop);
	if (peer->pid) {
		(void)kill(peer->pid, SIGKILL);
		g_spawn_close_pid(peer->pid);
	}
	(void)g_unlink(peer->ours);
	(void)g_unlink(peer->theirs);
	(void)g_unlink(peer->capture);
	(void)g_rmdir(peer->dir);
	g_free(peer->dir);
	g_free(peer->ours);
	g_free(peer->theirs);
	g_free(peer->capture);
}

static void peer_attach(struct peer *peer, struct net_backend *net)
{
	g_assert_nonnull(net);
	peer->net = net_dump_new(net, peer->capture, 0, NULL);
	g_assert_nonnull(peer->net);
	g_assert_true(net_attach(peer->net, peer->loop, &front, peer, NULL));
	peer->net->ops->configure(peer->net, 0, 1);
}

/* Ask until there is an answer; QEMU takes a moment to start. */
static void ask(struct peer *peer)
{
	static const uint8_t mac[] = { 0x52, 0x54, 0, 1, 2, 3 };
	static uint8_t room[NET_MAX_FRAME];
	const struct net_header none = { 0 };
	struct net_header header;
	uint8_t p[60] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	const struct iovec out = { p, sizeof(p) }, in = { room, sizeof(room) };
	ssize_t len = -EAGAIN;

	memcpy(p + 6, mac, 6);
	memcpy(p + 12, (const uint8_t[]){ 8, 6, 0, 1, 8, 0, 6, 4, 0, 1 }, 10);
	memcpy(p + 22, mac, 6);
	put_be32(p + 28, 0x0a00020f);
	put_be32(p + 38, 0x0a000202);
	for (unsigned i = 0; i < 3000; i++) {
		(void)peer->net->ops->send(peer->net, 0, &none, &out, 1);
		for (unsigned k = 0; k < 5; k++)
			(void)io_loop_run(peer->loop, false);
		while ((len = peer->net->ops->receive(peer->net, 0, &header, &in, 1)) >= 0) {
			if (get_be16(room + 12) == 0x0806 && get_be16(room + 20) == 2)
				break;
		}
		if (len >= 0)
			break;
		g_usleep(10000);
	}
	g_assert_cmpint(len, >=, 42);
	g_assert_cmphex(get_be32(room + 28), ==, 0x0a000202);
	g_assert_cmpmem(room, 6, mac, 6);
	(void)io_loop_run(peer->loop, false);
}

static void check_capture(struct peer *peer)
{
	const char *argv[] = { "tcpdump", "-nr", peer->capture, NULL };
	g_autofree char *tcpdump = g_find_program_in_path(argv[0]), *out = NULL, *err = NULL;
	int status = 0;

	if (!tcpdump)
		return;
	g_assert_true(g_spawn_sync(NULL, (char **)(uintptr_t)argv, NULL, G_SPAWN_SEARCH_PATH, NULL,
				   NULL, &out, &err, &status, NULL));
	g_assert_cmpint(status, ==, 0);
	g_assert_nonnull(strstr(out, "ARP, Request who-has 10.0.2.2 tell 10.0.2.15"));
	g_assert_nonnull(strstr(out, "ARP, Reply 10.0.2.2 is-at 52:55:0a:00:02:02"));
	g_assert_null(strstr(err, "truncated"));
}

static void test_stream(void)
{
	struct peer peer;
	g_autofree char *netdev = NULL;

	peer_init(&peer);
	const struct net_stream_config config = { .role = NET_SOCKET_LISTEN,
						  .unix_path = peer.ours };

	netdev = g_strdup_printf("stream,id=s,server=off,addr.type=unix,addr.path=%s", peer.ours);
	peer_attach(&peer, net_stream_new(&config, NULL));
	if (peer_start(&peer, netdev)) {
		ask(&peer);
		check_capture(&peer);
	}
	peer_release(&peer);
}

static void test_dgram(void)
{
	struct peer peer;
	g_autofree char *netdev = NULL;

	peer_init(&peer);
	const struct net_dgram_config config = { .local_path = peer.ours,
						 .remote_path = peer.theirs };

	netdev = g_strdup_printf("dgram,id=s,local.type=unix,local.path=%s,remote.type=unix,"
				 "remote.path=%s",
				 peer.theirs, peer.ours);
	peer_attach(&peer, net_dgram_new(&config, NULL));
	if (peer_start(&peer, netdev)) {
		ask(&peer);
		check_capture(&peer);
	}
	peer_release(&peer);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/interop/qemu/stream", test_stream);
	g_test_add_func("/interop/qemu/dgram", test_dgram);
	return g_test_run();
}
