/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * local.c - a server in this process, for test:///default
 *
 * A thread has one client, its node of machines that are pretended, and a loop of its own. It may
 * wait while it writes: nobody but its client waits for it, who reads or hangs up. When the client has hung up the
 * thread ends.
 */
#include "client/local.h"

#include <glib-unix.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "base/sys.h"
#include "base/thread.h"
#include "manage/node.h"
#include "manage/peer.h"

struct local {
	int fd; /* the thread's end */
	struct thread *thread;
	GMainContext *context;
	GMainLoop *loop;
	GSource *input; /* while the client is to be read */
	struct node *node;
	struct peer *peer;
};

static struct node *open_node(void *opaque, const char *uri, const struct peer *peer,
			      GError **error)
{
	struct local *local = opaque;

	(void)peer;
	if (!strcmp(uri, "test:///default"))
		return local->node;
	error_set(error, SOCLE_ERROR_NOT_FOUND,
		  "this process has the machines of test:///default, not of '%s'", uri);
	return NULL;
}

static void send_message(void *opaque, struct rpc_message *msg, const int *fds, unsigned fd_count)
{
	struct local *local = opaque;
	struct span packet = rpc_message_packet(msg);

	if (sys_write_full(local->fd, packet.p, packet.len) < 0)
		g_main_loop_quit(local->loop);
	rpc_message_free(msg);
	for (unsigned i = 0; i < fd_count; i++)
		(void)close(fds[i]);
}

static void close_client(void *opaque)
{
	struct local *local = opaque;

	g_main_loop_quit(local->loop);
}

static gboolean on_input(int fd, GIOCondition condition, void *opaque)
{
	struct local *local = opaque;
	size_t room = 0;
	uint8_t *at = peer_buffer(local->peer, &room);
	ssize_t n = room ? sys_read(fd, at, room) : 0;

	(void)condition;
	if (n <= 0 || !peer_filled(local->peer, (size_t)n, NULL)) {
		g_main_loop_quit(local->loop);
		return G_SOURCE_CONTINUE;
	}
	if (peer_wants_input(local->peer))
		return G_SOURCE_CONTINUE;
	g_source_unref(g_steal_pointer(&local->input));
	return G_SOURCE_REMOVE;
}

static void want_input(struct local *local)
{
	if (local->input || !local->peer || !peer_wants_input(local->peer))
		return;
	local->input = g_unix_fd_source_new(local->fd, G_IO_IN | G_IO_HUP);
	g_source_set_callback(local->input, G_SOURCE_FUNC(on_input), local, NULL);
	g_source_attach(local->input, local->context);
}

static void on_changed(void *opaque)
{
	want_input(opaque);
}

static void serve(void *opaque)
{
	struct local *local = opaque;
	const struct server_config server_config = { .open = open_node, .opaque = local };
	const struct peer_config peer_config = {
		.secure = true,
		.who = "this process",
		.uid = (unsigned)getuid(),
		.send = send_message,
		.close = close_client,
		.changed = on_changed,
		.opaque = local,
	};
	struct server *server;

	g_main_context_push_thread_default(local->context);
	local->node = node_new_test();
	server = server_new(&server_config);
	local->peer = peer_new(server, &peer_config);
	want_input(local);
	g_main_loop_run(local->loop);
	if (local->input) {
		g_source_destroy(local->input);
		g_source_unref(local->input);
	}
	peer_free(local->peer);
	server_free(server);
	node_free(local->node);
	g_main_context_pop_thread_default(local->context);
}

static void local_free(struct local *local)
{
	if (local->fd >= 0)
		(void)close(local->fd);
	g_main_loop_unref(local->loop);
	g_main_context_unref(local->context);
	g_free(local);
}

static void stop(void *opaque)
{
	struct local *local = opaque;

	thread_join(local->thread);
	local_free(local);
}

bool local_server_open(const char *uri, struct local_server *ret, GError **error)
{
	struct local *local;
	int fds[2];
	int r;

	if (strcmp(uri, "test:///default") != 0)
		return error_set(
			error, SOCLE_ERROR_UNSUPPORTED,
			"no server in this process for '%s': there is test:///default; or name a "
			"daemon's socket, as in test+unix:///default?socket=PATH",
			uri);
	r = sys_socketpair(AF_UNIX, SOCK_STREAM, fds);
	if (r < 0)
		return error_sys(error, r, "cannot make a pair of sockets");
	local = g_new0(struct local, 1);
	local->fd = fds[0];
	local->context = g_main_context_new();
	local->loop = g_main_loop_new(local->context, FALSE);
	local->thread = thread_start("socle-test", serve, local, error);
	if (!local->thread) {
		(void)close(fds[1]);
		local_free(local);
		return false;
	}
	*ret = (struct local_server){ .fd = fds[1], .stop = stop, .opaque = local };
	return true;
}
