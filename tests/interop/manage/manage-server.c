/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * manage-server.c - a server for libvirt's clients, of the room manage alone: the driver "test"
 *
 * usage: manage-server SOCKET. It says "ready" when clients can come. It blocks while it writes, which
 * no daemon may; clients of tests read.
 */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <glib-unix.h>
#include <glib.h>

#include "base/sys.h"
#include "host/facts.h"
#include "manage/node.h"
#include "manage/peer.h"
#include "rpc/frame.h"

struct connection {
	int fd;
	struct peer *peer;
	GSource *source;
	bool closed;
};

static struct node *node, *host;

/* "socle:///system" and "qemu:///session" are a node of this host, which runs no machine. */
static struct node *open_node(void *opaque, const char *uri, const struct peer *peer,
			      GError **error)
{
	(void)opaque;
	(void)peer;
	(void)error;
	return g_str_has_prefix(uri, "socle:") || !strcmp(uri, "qemu:///session") ? host : node;
}

static void send_message(void *opaque, struct rpc_message *msg, const int *fds, unsigned fd_count)
{
	struct connection *c = opaque;
	struct span packet = rpc_message_packet(msg);

	if (sys_write_full(c->fd, packet.p, packet.len) < 0)
		c->closed = true;
	rpc_message_free(msg);
	for (unsigned i = 0; i < fd_count; i++)
		(void)close(fds[i]);
}

static void close_connection(void *opaque)
{
	struct connection *c = opaque;

	c->closed = true;
}

static gboolean input(int fd, GIOCondition condition, void *data)
{
	struct connection *c = data;
	g_autoptr(GError) error = NULL;
	size_t room;
	uint8_t *at = peer_buffer(c->peer, &room);
	ssize_t n = room ? sys_read(fd, at, room) : -1;

	(void)condition;
	if (n > 0 && peer_filled(c->peer, (size_t)n, &error) && !c->closed)
		return G_SOURCE_CONTINUE;
	peer_free(c->peer);
	(void)close(fd);
	g_free(c);
	return G_SOURCE_REMOVE;
}

static gboolean accept_one(int fd, GIOCondition condition, void *data)
{
	struct connection *c = g_new0(struct connection, 1);
	struct peer_config config = { .secure = true,
				      .local = true,
				      .who = "a test",
				      .send = send_message,
				      .close = close_connection,
				      .opaque = c };

	(void)condition;
	c->fd = sys_accept(fd, 0);
	if (c->fd < 0) {
		g_free(c);
		return G_SOURCE_CONTINUE;
	}
	c->peer = peer_new(data, &config);
	g_unix_fd_add(c->fd, G_IO_IN | G_IO_HUP, input, c);
	return G_SOURCE_CONTINUE;
}

static gboolean stop(void *data)
{
	g_main_loop_quit(data);
	return G_SOURCE_REMOVE;
}

int main(int argc, char **argv)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct server_config config = { .open = open_node,
					.keepalive_interval = 5,
					.keepalive_count = 5 };
	struct host_facts *facts = host_facts_new("/");
	struct node_config host_config = {
		.uri = "socle:///system",
		.type = "QEMU",
		.support = { .emulator = "/usr/bin/socle-vm", .kvm = true, .bios = true },
		.facts = facts,
	};
	GMainLoop *loop = g_main_loop_new(NULL, FALSE);
	struct server *server;
	int fd;

	if (argc != 2 || strlen(argv[1]) >= sizeof(addr.sun_path))
		return 2;
	g_strlcpy(addr.sun_path, argv[1], sizeof(addr.sun_path));
	fd = sys_socket(AF_UNIX, SOCK_STREAM, 0);
	if (fd < 0 || sys_bind(fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0 ||
	    sys_listen(fd, 16) < 0)
		return 1;
	node = node_new_test();
	host = node_new(&host_config);
	server = server_new(&config);
	g_unix_fd_add(fd, G_IO_IN, accept_one, server);
	g_unix_signal_add(SIGTERM, stop, loop);
	puts("ready");
	(void)fflush(stdout);
	g_main_loop_run(loop);
	server_free(server);
	node_free(node);
	node_free(host);
	host_facts_free(facts);
	g_main_loop_unref(loop);
	(void)close(fd);
	return 0;
}
