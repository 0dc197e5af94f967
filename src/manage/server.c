/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * server.c - all clients of a daemon
 */
#include "manage/peer-int.h"

struct server *server_new(const struct server_config *config)
{
	struct server *server = g_new0(struct server, 1);

	server->config = *config;
	server->peers = g_ptr_array_new();
	server->handlers = dispatch_new();
	return server;
}

static void say_closed(struct peer *peer)
{
	struct rpc_header header = { .program = RPC_PROGRAM_REMOTE,
				     .version = RPC_VERSION,
				     .procedure = RPC_PROC_CONNECT_EVENT_CONNECTION_CLOSED,
				     .type = RPC_TYPE_MESSAGE,
				     .serial = 1 };
	rpc_connect_event_connection_closed_msg body = { .reason = 1 }; /* end of file */
	struct rpc_message *msg = rpc_message_new(&header);

	if (rpc_message_put(msg, rpc_connect_event_connection_closed_msg, &body, NULL))
		peer_send_event(peer, msg);
	else
		rpc_message_free(msg);
}

void server_free(struct server *server)
{
	if (!server)
		return;
	while (server->peers->len) {
		struct peer *peer = g_ptr_array_steal_index_fast(server->peers, 0);

		if (peer->wants_close_event)
			say_closed(peer);
		peer_close(peer);
		/* Its owner frees it later: there is nothing of ours that it may still use. */
		peer->server = NULL;
	}
	g_ptr_array_unref(server->peers);
	g_free(server->handlers);
	g_free(server);
}
