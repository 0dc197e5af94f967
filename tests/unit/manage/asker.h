/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * asker.h - a client in the same process: it asks, and has the answer when it looks
 *
 * For procedures that answer at once.
 */
#ifndef TESTS_MANAGE_ASKER_H
#define TESTS_MANAGE_ASKER_H

#include <glib.h>
#include <string.h>

#include "base/cleanup.h"
#include "manage/node.h"
#include "manage/peer.h"
#include "rpc/message.h"

struct asker {
	struct node *node;
	struct server *server;
	struct peer *peer;
	struct rpc_message *answer;
	uint32_t serial;
};

static inline struct node *asker_open_node(void *opaque, const char *uri, const struct peer *peer,
					   GError **error)
{
	struct asker *asker = opaque;

	(void)uri;
	(void)peer;
	(void)error;
	return asker->node;
}

static inline void asker_take(void *opaque, struct rpc_message *msg, const int *fds,
			      unsigned fd_count)
{
	struct asker *asker = opaque;

	(void)fds;
	g_assert_cmpuint(fd_count, ==, 0);
	rpc_message_free(asker->answer);
	asker->answer = msg;
}

static inline void asker_closed(void *opaque)
{
	(void)opaque;
	g_error("the connection was closed");
}

static inline void asker_feed(struct asker *asker, struct span packet)
{
	while (packet.len) {
		size_t room;
		uint8_t *at = peer_buffer(asker->peer, &room);

		g_assert_cmpuint(room, >, 0);
		room = MIN(room, packet.len);
		memcpy(at, packet.p, room);
		g_assert_true(peer_filled(asker->peer, room, NULL));
		packet.p += room;
		packet.len -= room;
	}
}

/* The answer's header and body, until the next question. */
static inline struct rpc_received asker_ask(struct asker *asker, int procedure, xdrproc_t xdr,
					    void *args)
{
	struct rpc_header header = { .program = RPC_PROGRAM_REMOTE,
				     .version = RPC_VERSION,
				     .procedure = procedure,
				     .type = RPC_TYPE_CALL,
				     .serial = ++asker->serial };
	struct rpc_message *msg = rpc_message_new(&header);
	struct rpc_received received;

	if (xdr)
		g_assert_true(rpc_message_put_xdr(msg, xdr, args, NULL));
	g_clear_pointer(&asker->answer, rpc_message_free);
	asker_feed(asker, rpc_message_packet(msg));
	rpc_message_free(msg);
	g_assert_nonnull(asker->answer);
	g_assert_true(rpc_received_init(&received, rpc_message_packet(asker->answer), NULL));
	g_assert_cmpuint(received.header.serial, ==, asker->serial);
	return received;
}

/* What has failed is told by the test that it fails in. */
static inline void asker_assert_ok(struct rpc_received *received)
{
	rpc_error error = { 0 };

	if (received->header.status == RPC_STATUS_OK)
		return;
	g_assert_true(rpc_received_get(received, rpc_error, &error, NULL));
	g_error("procedure %d has failed: %s", received->header.procedure, *error.message);
}

static inline void asker_assert_fails(struct rpc_received *received, int code, const char *words)
{
	rpc_error error = { 0 };

	g_assert_cmpuint(received->header.status, ==, RPC_STATUS_ERROR);
	g_assert_true(rpc_received_get(received, rpc_error, &error, NULL));
	if (error.code != code || !strstr(*error.message, words))
		g_error("procedure %d: code %d, '%s'; not code %d with '%s'",
			received->header.procedure, error.code, *error.message, code, words);
	rpc_body_release(rpc_error, &error);
}

/* Ask with arguments of a type, and get an answer of a type; release the answer. */
#define ASK(asker, name, args_type, args, ret_type, ret)                                \
	do {                                                                            \
		struct rpc_received r_ =                                                \
			asker_ask((asker), RPC_PROC_##name, (xdrproc_t)xdr_##args_type, \
				  RPC_BODY(args_type, args));                           \
		asker_assert_ok(&r_);                                                   \
		g_assert_true(rpc_received_get(&r_, ret_type, ret, NULL));              \
		g_assert_cmpuint(r_.body.len, ==, 0);                                   \
	} while (0)
#define ASK_BARE(asker, name, ret_type, ret)                                              \
	do {                                                                              \
		struct rpc_received r_ = asker_ask((asker), RPC_PROC_##name, NULL, NULL); \
		asker_assert_ok(&r_);                                                     \
		g_assert_true(rpc_received_get(&r_, ret_type, ret, NULL));                \
		g_assert_cmpuint(r_.body.len, ==, 0);                                     \
	} while (0)
#define ASK_FAILS(asker, name, args_type, args, code, words)                            \
	do {                                                                            \
		struct rpc_received r_ =                                                \
			asker_ask((asker), RPC_PROC_##name, (xdrproc_t)xdr_##args_type, \
				  RPC_BODY(args_type, args));                           \
		asker_assert_fails(&r_, code, words);                                   \
	} while (0)

/* @node is taken over. */
static inline struct asker *asker_new(struct node *node)
{
	struct asker *asker = g_new0(struct asker, 1);
	struct server_config config = { .open = asker_open_node, .opaque = asker };
	struct peer_config peer = { .secure = true,
				    .who = "a test",
				    .send = asker_take,
				    .close = asker_closed,
				    .opaque = asker };
	rpc_connect_open_args open = { 0 };
	struct rpc_received received;

	asker->node = node;
	asker->server = server_new(&config);
	asker->peer = peer_new(asker->server, &peer);
	(void)asker_ask(asker, RPC_PROC_AUTH_LIST, NULL, NULL);
	received = asker_ask(asker, RPC_PROC_CONNECT_OPEN, (xdrproc_t)xdr_rpc_connect_open_args,
			     &open);
	asker_assert_ok(&received);
	return asker;
}

static inline void asker_free(struct asker *asker)
{
	peer_free(asker->peer);
	server_free(asker->server);
	node_free(asker->node);
	rpc_message_free(asker->answer);
	g_free(asker);
}
DEFINE_AUTOPTR(asker, asker_free);

#endif
