/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stream.h - packets of streams: bytes, holes, ends
 *
 * A stream begins with a call whose answer is OK, and goes by that call's procedure and serial. Both
 * sides may send. A sender of a download tells the end of its data by an empty packet and waits;
 * the receiver then finishes, and is answered by a finish. An uploader finishes without the empty
 * packet. Either side may abort instead.
 *
 * Threads: any, one at a time for each message.
 */
#ifndef RPC_STREAM_H
#define RPC_STREAM_H

#include "rpc/message.h"

enum {
	/* Bytes in a packet that is sent: what clients of all ages take. */
	RPC_STREAM_DATA_MAX = 256 * 1024 - 24,
};

/**
 * rpc_stream_new_data() - a packet of bytes
 * @call: the header of the call that opened the stream, or of any packet of it
 * @len:  at most RPC_STREAM_DATA_MAX; with 0 it is the end of the data
 */
struct rpc_message *rpc_stream_new_data(const struct rpc_header *call, const void *data, size_t len,
					GError **error);

/* A packet of RPC_STREAM_DATA_MAX bytes that the caller fills; for rpc_message_cut(). NULL: no memory. */
struct rpc_message *rpc_stream_new_room(const struct rpc_header *call, uint8_t **ret_bytes);

/* @length zeroes, which are not sent; 0 or more. */
struct rpc_message *rpc_stream_new_hole(const struct rpc_header *call, int64_t length,
					GError **error);

/* All is well, and the stream over. */
struct rpc_message *rpc_stream_new_finish(const struct rpc_header *call);

/* The stream is given up: by a client, without a reason; a server uses rpc_message_new_error(). */
struct rpc_message *rpc_stream_new_abort(const struct rpc_header *call);

enum rpc_stream_what {
	RPC_STREAM_DATA,
	RPC_STREAM_END, /* no more data will come; the stream is still there */
	RPC_STREAM_HOLE,
	RPC_STREAM_FINISH,
	RPC_STREAM_ABORT,
};

struct rpc_stream_packet {
	enum rpc_stream_what what;
	struct span data; /* of DATA; of ABORT: a rpc_error, or nothing */
	int64_t length;   /* of HOLE */
};

/**
 * rpc_stream_read() - what a packet of a stream says
 * @received: not changed, so that the error of an abort can be got from it
 *
 * Return: false if it makes no sense; the stream, not the connection, has to be aborted
 */
bool rpc_stream_read(const struct rpc_received *received, struct rpc_stream_packet *ret_packet,
		     GError **error);

#endif
