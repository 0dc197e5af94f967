/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * peer-int.h - a client, as this room sees it
 */
#ifndef MANAGE_PEER_INT_H
#define MANAGE_PEER_INT_H

#include "manage/call.h"
#include "manage/peer.h"
#include "rpc/frame.h"
#include "rpc/procedure.h"

enum {
	PEER_EVENTS_MAX = 1024,              /* subscriptions of one client */
	PEER_STREAM_BYTES_MAX = 1024 * 1024, /* beyond which its packets are not read */
};

struct server {
	struct server_config config;
	GPtrArray *peers;
	call_handler *handlers; /* by number */
};

/* A client wants to be told of a kind of events. */
struct subscription {
	int callback; /* the number by which the client knows it; -1: of the old kind */
	int event;    /* libvirt's number */
	bool one;     /* only of the domain with this UUID */
	uint8_t uuid[16];
};

struct peer {
	struct server *server;
	struct peer_config config; /* its who is ours */
	struct node *node;         /* NULL before CONNECT_OPEN */
	enum rpc_access has;
	struct rpc_frame *frame;
	bool wants_close_event;
	bool closing;   /* nothing is sent or read any more */
	bool keepalive; /* it answers pings */
	gint64 heard;   /* when bytes came; monotonic, microseconds */
	unsigned pings; /* without an answer */
	GSource *timer;
	GQueue calls; /* of struct call: without an answer */
	unsigned open_calls;
	size_t queued;
	/* A packet that waits for its descriptors. */
	unsigned fds_wanted, fd_count;
	int fds[RPC_FDS_MAX];
	GArray *subscriptions;
	GPtrArray *monitor_watches; /* of qemu.c: who wants what machines' monitors tell */
	int next_callback;
	GQueue streams;      /* of struct stream */
	size_t stream_bytes; /* of them, which wait to be taken */
};

/* qemu.c */
void monitor_watch_free(void *watch);

/* @msg is taken over, as are @fds. */
void peer_send(struct peer *peer, struct rpc_message *msg, const int *fds, unsigned fd_count);
/* An event: @msg is taken over; a client that does not read is not waited for. */
void peer_send_event(struct peer *peer, struct rpc_message *msg);
/* The connection is to be closed behind what was sent. */
void peer_close(struct peer *peer);
void peer_changed(struct peer *peer);
/*
 * On this host, and with the daemon's own rights. Only then it may have its files copied: one that is slow
 * for ever keeps a thread of ours, and what is written to one is ours by any quota.
 */
bool peer_is_ourselves(const struct peer *peer);

/* == Parts of a peer, in other files == */

/* dispatch.c */
call_handler *dispatch_new(void);
bool dispatch_packet(struct peer *peer, struct span packet, GError **error);

/* event.c */
/* The client of @call is told of @sub from now on, by a number that it gets. -1: the call has failed. */
int call_subscribe(struct call *call, struct subscription sub, bool numbered, enum rpc_from from);
void peer_forget_node(struct peer *peer);

/* stream.c */
void peer_stream_packet(struct peer *peer, const struct rpc_received *received);
void peer_close_streams(struct peer *peer);
void peer_wake_streams(struct peer *peer);

#endif
