/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * peer.c - a client that is connected: bytes, descriptors, and whether it is still alive
 */
#include "manage/peer.h"

#include <assert.h>
#include <unistd.h>

#include "base/error.h"
#include "base/sys.h"
#include "manage/peer-int.h"
#include "manage/timer-int.h"

static void peer_tick(struct peer *peer);

static gboolean timer_fired(void *data)
{
	peer_tick(data);
	return G_SOURCE_CONTINUE;
}

/* Once in an interval: who has not said a word is pinged, and given up after some pings. */
static void peer_tick(struct peer *peer)
{
	const struct server_config *config;

	/* Behind its end the server may be gone. */
	if (peer->closing || !peer->keepalive)
		return;
	config = &peer->server->config;
	if (g_get_monotonic_time() - peer->heard <
	    (gint64)config->keepalive_interval * G_USEC_PER_SEC)
		return;
	if (peer->pings >= config->keepalive_count) {
		g_debug("client %s has not answered %u pings", peer->config.who, peer->pings);
		peer_close(peer);
		return;
	}
	peer->pings++;
	peer_send(peer, rpc_message_new_keepalive(RPC_KEEPALIVE_PING), NULL, 0);
}

struct peer *peer_new(struct server *server, const struct peer_config *config)
{
	struct peer *peer = g_new0(struct peer, 1);

	peer->server = server;
	peer->config = *config;
	peer->config.who = g_strdup(config->who ? config->who : "?");
	peer->has = RPC_ACCESS_NONE;
	peer->frame = rpc_frame_new();
	peer->heard = g_get_monotonic_time();
	peer->subscriptions = g_array_new(FALSE, FALSE, sizeof(struct subscription));
	peer->monitor_watches = g_ptr_array_new_with_free_func(monitor_watch_free);
	g_ptr_array_add(server->peers, peer);
	if (server->config.keepalive_interval)
		peer->timer =
			timer_start(server->config.keepalive_interval * 1000, timer_fired, peer);
	return peer;
}

static void drop_fds(struct peer *peer)
{
	for (unsigned i = 0; i < peer->fd_count; i++)
		fd_autoclose(&peer->fds[i]);
	peer->fd_count = peer->fds_wanted = 0;
}

void peer_free(struct peer *peer)
{
	struct call *call;

	if (!peer)
		return;
	peer->closing = true;
	timer_stop(&peer->timer);
	peer_close_streams(peer);
	while ((call = g_queue_peek_head(&peer->calls)))
		call_forget_peer(call);
	peer_forget_node(peer);
	drop_fds(peer);
	if (peer->server)
		g_ptr_array_remove_fast(peer->server->peers, peer);
	g_array_unref(peer->subscriptions);
	g_ptr_array_unref(peer->monitor_watches);
	rpc_frame_free(peer->frame);
	g_free((char *)(uintptr_t)peer->config.who);
	g_free(peer);
}

uint8_t *peer_buffer(struct peer *peer, size_t *ret_len)
{
	return rpc_frame_buffer(peer->frame, ret_len);
}

bool peer_filled(struct peer *peer, size_t len, GError **error)
{
	struct rpc_received received;

	if (peer->closing)
		return error_set(error, SOCLE_ERROR_STATE, "the connection is being closed");
	assert(!peer->fds_wanted);
	peer->heard = g_get_monotonic_time();
	peer->pings = 0;
	switch (rpc_frame_filled(peer->frame, len, error)) {
	case RPC_FRAME_MORE:
		return true;
	case RPC_FRAME_BROKEN:
		return false;
	case RPC_FRAME_PACKET:
	default:
		break;
	}
	if (!rpc_received_init(&received, rpc_frame_packet(peer->frame), error))
		return false;
	if (received.fds) {
		if (!peer->config.local)
			return error_set(error, SOCLE_ERROR_UNSUPPORTED,
					 "descriptors cannot come over this connection; use a Unix "
					 "socket");
		peer->fds_wanted = received.fds;
		return true;
	}
	return dispatch_packet(peer, rpc_frame_packet(peer->frame), error);
}

unsigned peer_wants_fds(const struct peer *peer)
{
	return peer->fds_wanted - peer->fd_count;
}

void peer_add_fd(struct peer *peer, int fd)
{
	g_autoptr(GError) error = NULL;

	if (!peer_wants_fds(peer)) {
		fd_autoclose(&fd);
		return;
	}
	peer->fds[peer->fd_count++] = fd;
	if (peer_wants_fds(peer))
		return;
	if (!dispatch_packet(peer, rpc_frame_packet(peer->frame), &error)) {
		g_debug("client %s: %s", peer->config.who, error->message);
		peer_close(peer);
	}
	drop_fds(peer);
}

bool peer_is_ourselves(const struct peer *peer)
{
	return peer->config.local && peer->config.uid == geteuid();
}

bool peer_wants_input(const struct peer *peer)
{
	return !peer->closing && peer->open_calls < PEER_CALLS_MAX &&
	       peer->queued < PEER_OUTPUT_MAX && peer->stream_bytes < PEER_STREAM_BYTES_MAX;
}

void peer_changed(struct peer *peer)
{
	if (!peer->closing && peer->config.changed)
		peer->config.changed(peer->config.opaque);
}

void peer_set_queued(struct peer *peer, size_t bytes)
{
	bool wanted = peer_wants_input(peer);

	peer->queued = bytes;
	if (peer->closing)
		return;
	peer_wake_streams(peer);
	if (peer_wants_input(peer) != wanted)
		peer_changed(peer);
}

void peer_send(struct peer *peer, struct rpc_message *msg, const int *fds, unsigned fd_count)
{
	if (peer->closing) {
		rpc_message_free(msg);
		for (unsigned i = 0; i < fd_count; i++)
			(void)close(fds[i]);
		return;
	}
	peer->config.send(peer->config.opaque, msg, fds, fd_count);
}

void peer_send_event(struct peer *peer, struct rpc_message *msg)
{
	/* Answers are bounded since no call is read; events come whether it reads or not. */
	if (!peer->closing && peer->queued >= 2 * (size_t)PEER_OUTPUT_MAX) {
		g_debug("client %s does not read its events", peer->config.who);
		peer_close(peer);
	}
	peer_send(peer, msg, NULL, 0);
}

void peer_close(struct peer *peer)
{
	if (peer->closing)
		return;
	peer->closing = true;
	if (peer->config.close)
		peer->config.close(peer->config.opaque);
}

const char *peer_who(const struct peer *peer)
{
	return peer->config.who;
}

bool peer_read_only(const struct peer *peer)
{
	return peer->has != RPC_ACCESS_WRITE;
}

unsigned peer_uid(const struct peer *peer)
{
	return peer->config.uid;
}
