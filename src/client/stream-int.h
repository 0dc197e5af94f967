/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stream-int.h - inside a stream: bytes that go beside the calls of a connection
 *
 * The lock of the connection guards them. A stream is in the connection's table, which does not own it,
 * from before its call is sent until it is over:
 *
 *	OPENING -> OPEN -> FINISHING -> OVER	by answers, and by socle_stream_finish()
 *	any but OVER -> OVER, with an error	if it is aborted, or the connection is lost
 *
 * What has come before the end can be received behind it.
 */
#ifndef CLIENT_STREAM_INT_H
#define CLIENT_STREAM_INT_H

#include "base/bytes.h"
#include "client/conn-int.h"

enum stream_state {
	STREAM_OPENING,
	STREAM_OPEN,
	STREAM_FINISHING,
	STREAM_OVER,
};

/* Bytes or a hole, waiting to be received. */
struct chunk {
	struct packet *packet; /* NULL: a hole */
	struct span rest;
	int64_t hole;
};

struct socle_stream {
	atomic_uint refs;
	struct socle_conn *conn;
	struct rpc_header header; /* of the call that opened it */
	bool nonblock;
	enum stream_state state;
	bool no_more;              /* the server has told the end of its data */
	bool unwanted;             /* given up before its call was answered */
	struct socle_error *error; /* why it is over, or NULL: all was well */
	GQueue in;                 /* of struct chunk */
	size_t in_bytes;
	size_t out_bytes;
	pthread_cond_t changed;
	struct flag_fd readable, writable;
};

bool stream_is_readable_locked(const struct socle_stream *s);
bool stream_is_writable_locked(const struct socle_stream *s);
/* Something has changed: all who wait look again. */
void stream_tell_locked(struct socle_stream *s);
/* The first chunk has been taken; all of them. */
void stream_pop_locked(struct socle_stream *s);
void stream_drop_in_locked(struct socle_stream *s);
/* Give it up, and tell the server. @error is owned from now on. */
void stream_abort_locked(struct socle_stream *s, struct socle_error *error);

#endif
