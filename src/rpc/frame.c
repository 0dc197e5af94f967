/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * frame.c - cut a stream of bytes into packets
 *
 *  (1) have <= room, and have <= len once len is known.
 *  (2) len is 0 until the length word is complete and has been found possible.
 *  (3) room is at most kept, or at most twice what has come of the packet.
 */
#include "rpc/frame.h"

#include <assert.h>
#include <string.h>

#include "base/error.h"
#include "rpc/message.h"

enum {
	/* What a packet starts with; most need no more. */
	FIRST = 1024,
	KEPT = 64 * 1024,
};

struct rpc_frame {
	uint8_t *packet;
	size_t room;
	size_t kept; /* more than this is given back behind a packet */
	size_t have;
	size_t len;
	bool complete; /* the packet has been told of; the next byte is another one's */
	bool broken;
};

struct rpc_frame *rpc_frame_new(void)
{
	struct rpc_frame *frame = g_new0(struct rpc_frame, 1);

	frame->kept = KEPT;
	frame->room = FIRST;
	frame->packet = g_malloc(frame->room);
	return frame;
}

void rpc_frame_keep(struct rpc_frame *frame, size_t len)
{
	frame->kept = MAX(len, (size_t)KEPT);
}

void rpc_frame_free(struct rpc_frame *frame)
{
	if (!frame)
		return;
	rpc_packet_forget(frame->packet, frame->have);
	g_free(frame->packet);
	g_free(frame);
}

static void start_over(struct rpc_frame *frame)
{
	rpc_packet_forget(frame->packet, frame->len);
	if (frame->room > frame->kept) {
		g_free(frame->packet);
		frame->room = FIRST;
		frame->packet = g_malloc(frame->room);
	}
	frame->have = 0;
	frame->len = 0;
	frame->complete = false;
}

uint8_t *rpc_frame_buffer(struct rpc_frame *frame, size_t *ret_len)
{
	size_t end;

	if (frame->broken) {
		*ret_len = 0;
		return frame->packet;
	}
	if (frame->complete)
		start_over(frame);
	end = frame->len > 0 ? frame->len : RPC_LENGTH_SIZE;
	if (frame->have == frame->room) {
		frame->room = MIN(frame->room * 2, end);
		frame->packet = g_realloc(frame->packet, frame->room);
	}
	*ret_len = MIN(end, frame->room) - frame->have;
	return frame->packet + frame->have;
}

/* The length word is there: is it possible? */
static bool take_length(struct rpc_frame *frame, GError **error)
{
	uint32_t len = get_be32(frame->packet);

	if (len < RPC_PACKET_MIN)
		return error_set(error, SOCLE_ERROR_CORRUPT,
				 "a packet of %u bytes has no header: the peer does not speak this "
				 "protocol",
				 len);
	if (len > RPC_PACKET_MAX)
		return error_set(
			error, SOCLE_ERROR_LIMIT,
			"a packet of %u bytes is more than the %d that the protocol allows", len,
			RPC_PACKET_MAX);
	frame->len = len;
	return true;
}

enum rpc_frame_result rpc_frame_filled(struct rpc_frame *frame, size_t len, GError **error)
{
	if (frame->broken) {
		error_set(error, SOCLE_ERROR_STATE, "the stream of packets is broken: reconnect");
		return RPC_FRAME_BROKEN;
	}
	assert(len <= frame->room - frame->have && !frame->complete);
	frame->have += len;
	if (frame->len == 0 && frame->have >= RPC_LENGTH_SIZE && !take_length(frame, error)) {
		frame->broken = true;
		return RPC_FRAME_BROKEN;
	}
	if (frame->len == 0 || frame->have < frame->len)
		return RPC_FRAME_MORE;
	frame->complete = true;
	return RPC_FRAME_PACKET;
}

size_t rpc_frame_feed(struct rpc_frame *frame, const uint8_t *data, size_t len,
		      enum rpc_frame_result *ret_result, GError **error)
{
	size_t taken = 0;

	*ret_result = RPC_FRAME_MORE;
	while (taken < len && *ret_result == RPC_FRAME_MORE) {
		size_t room;
		uint8_t *buffer = rpc_frame_buffer(frame, &room);

		room = MIN(room, len - taken);
		memcpy(buffer, data + taken, room);
		taken += room;
		*ret_result = rpc_frame_filled(frame, room, error);
	}
	return *ret_result == RPC_FRAME_BROKEN ? len : taken;
}

uint8_t *rpc_frame_take(struct rpc_frame *frame)
{
	uint8_t *packet;

	assert(frame->complete);
	/* Much room for little stays here. */
	if (frame->len <= frame->room / 2)
		return g_memdup2(frame->packet, frame->len);
	packet = frame->packet;
	/* The next one is often as long. */
	if (frame->room > frame->kept)
		frame->room = FIRST;
	frame->packet = g_malloc(frame->room);
	frame->have = frame->len = 0;
	frame->complete = false;
	return packet;
}

struct span rpc_frame_packet(const struct rpc_frame *frame)
{
	assert(frame->complete);
	return (struct span){ frame->packet, frame->len };
}

size_t rpc_frame_memory(const struct rpc_frame *frame)
{
	return frame->room;
}
