/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stream.c - packets of streams: bytes, holes, ends
 */
#include "rpc/stream.h"

#include "base/error.h"

static struct rpc_message *new_packet(const struct rpc_header *call, enum rpc_type type,
				      enum rpc_status status)
{
	struct rpc_header header = *call;

	header.type = type;
	header.status = status;
	return rpc_message_new(&header);
}

struct rpc_message *rpc_stream_new_data(const struct rpc_header *call, const void *data, size_t len,
					GError **error)
{
	autoptr(rpc_message) msg = new_packet(call, RPC_TYPE_STREAM, RPC_STATUS_CONTINUE);

	if (len > RPC_STREAM_DATA_MAX) {
		error_set(error, SOCLE_ERROR_LIMIT,
			  "%zu bytes are more than the %d of a stream's packet: send several", len,
			  RPC_STREAM_DATA_MAX);
		return NULL;
	}
	if (!rpc_message_put_bytes(msg, data, len, error))
		return NULL;
	return g_steal_pointer(&msg);
}

struct rpc_message *rpc_stream_new_room(const struct rpc_header *call, uint8_t **ret_bytes)
{
	struct rpc_message *msg = new_packet(call, RPC_TYPE_STREAM, RPC_STATUS_CONTINUE);

	*ret_bytes = rpc_message_put_room(msg, RPC_STREAM_DATA_MAX, NULL);
	if (*ret_bytes)
		return msg;
	rpc_message_free(msg);
	return NULL;
}

struct rpc_message *rpc_stream_new_hole(const struct rpc_header *call, int64_t length,
					GError **error)
{
	autoptr(rpc_message) msg = new_packet(call, RPC_TYPE_STREAM_HOLE, RPC_STATUS_CONTINUE);
	rpc_stream_hole hole = { .length = length };

	if (length < 0) {
		error_set(error, SOCLE_ERROR_USAGE, "a hole cannot be shorter than nothing");
		return NULL;
	}
	if (!rpc_message_put(msg, rpc_stream_hole, &hole, error))
		return NULL;
	return g_steal_pointer(&msg);
}

struct rpc_message *rpc_stream_new_finish(const struct rpc_header *call)
{
	return new_packet(call, RPC_TYPE_STREAM, RPC_STATUS_OK);
}

struct rpc_message *rpc_stream_new_abort(const struct rpc_header *call)
{
	return new_packet(call, RPC_TYPE_STREAM, RPC_STATUS_ERROR);
}

static bool read_hole(const struct rpc_received *received, struct rpc_stream_packet *ret_packet,
		      GError **error)
{
	struct rpc_received copy = *received;
	rpc_stream_hole hole;

	if (received->header.status != RPC_STATUS_CONTINUE)
		return error_set(error, SOCLE_ERROR_CORRUPT, "a hole has status 2, not %u",
				 received->header.status);
	if (!rpc_received_get(&copy, rpc_stream_hole, &hole, error))
		return false;
	if (hole.length < 0)
		return error_set(error, SOCLE_ERROR_CORRUPT, "a hole of %ld bytes", hole.length);
	if (hole.flags != 0)
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "a hole with flags 0x%x: there are none", hole.flags);
	*ret_packet = (struct rpc_stream_packet){ .what = RPC_STREAM_HOLE, .length = hole.length };
	return true;
}

bool rpc_stream_read(const struct rpc_received *received, struct rpc_stream_packet *ret_packet,
		     GError **error)
{
	struct rpc_stream_packet packet = { .data = received->body };

	if (received->header.type == RPC_TYPE_STREAM_HOLE)
		return read_hole(received, ret_packet, error);
	if (received->header.type != RPC_TYPE_STREAM)
		return error_set(error, SOCLE_ERROR_CORRUPT, "type %u is no part of a stream",
				 received->header.type);
	switch (received->header.status) {
	case RPC_STATUS_CONTINUE:
		packet.what = packet.data.len > 0 ? RPC_STREAM_DATA : RPC_STREAM_END;
		break;
	case RPC_STATUS_OK:
		if (packet.data.len > 0)
			return error_set(error, SOCLE_ERROR_CORRUPT,
					 "the end of a stream with %zu bytes of data",
					 packet.data.len);
		packet.what = RPC_STREAM_FINISH;
		break;
	case RPC_STATUS_ERROR:
		packet.what = RPC_STREAM_ABORT;
		break;
	default:
		return error_set(error, SOCLE_ERROR_CORRUPT, "a stream has no status %u",
				 received->header.status);
	}
	*ret_packet = packet;
	return true;
}
