/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * message.c - packets that are put together, and packets that are taken apart
 */
#include "rpc/message.h"

#include <assert.h>
#include <string.h>

#include "base/error.h"
#include "rpc/frame.h"

struct rpc_message {
	uint8_t *packet;
	size_t len;
	size_t room;
};

struct rpc_header rpc_header_answer(const struct rpc_header *call, enum rpc_status status)
{
	struct rpc_header answer = *call;
	bool stream = call->type == RPC_TYPE_STREAM || call->type == RPC_TYPE_STREAM_HOLE;

	answer.type = stream ? RPC_TYPE_STREAM : RPC_TYPE_REPLY;
	answer.status = status;
	return answer;
}

void rpc_body_release_xdr(xdrproc_t xdr, void *body, size_t size)
{
	xdr_free(xdr, body);
	memset(body, 0, size);
}

struct rpc_message *rpc_message_new(const struct rpc_header *header)
{
	struct rpc_message *msg = g_new0(struct rpc_message, 1);
	uint8_t *p;

	msg->room = 128;
	msg->len = RPC_PACKET_MIN;
	p = msg->packet = g_malloc(msg->room);
	put_be32(p, RPC_PACKET_MIN);
	put_be32(p + 4, header->program);
	put_be32(p + 8, header->version);
	put_be32(p + 12, (uint32_t)header->procedure);
	put_be32(p + 16, header->type);
	put_be32(p + 20, header->serial);
	put_be32(p + 24, header->status);
	return msg;
}

void rpc_message_free(struct rpc_message *msg)
{
	if (!msg)
		return;
	rpc_packet_forget(msg->packet, msg->len);
	g_free(msg->packet);
	g_free(msg);
}

/* Room for @len more bytes, which are in the packet from now on; NULL: there is none. */
static uint8_t *extend(struct rpc_message *msg, size_t len, GError **error)
{
	if (len > RPC_PACKET_MAX - msg->len) {
		error_set(error, SOCLE_ERROR_LIMIT,
			  "a message of %zu bytes is more than the %d of a packet: ask for less",
			  len, RPC_PACKET_MAX);
		return NULL;
	}
	if (len > msg->room - msg->len) {
		size_t room = MAX(msg->len + len, msg->room * 2);
		uint8_t *packet = g_try_realloc(msg->packet, room);

		if (!packet) {
			error_set(error, SOCLE_ERROR_LIMIT,
				  "no memory for a message of %zu bytes: ask for less", len);
			return NULL;
		}
		msg->packet = packet;
		msg->room = room;
	}
	msg->len += len;
	put_be32(msg->packet, (uint32_t)msg->len);
	return msg->packet + msg->len - len;
}

bool rpc_message_put_xdr(struct rpc_message *msg, xdrproc_t xdr, void *body, GError **error)
{
	/* Also tells whether all is within its limits: 0 if not. No body has no bytes. */
	size_t len = xdr_sizeof(xdr, body);
	uint8_t *p;
	XDR out;

	if (len == 0)
		return error_set(error, SOCLE_ERROR_LIMIT,
				 "the answer has more entries, or a longer text, than the protocol "
				 "allows: ask for less");
	p = extend(msg, len, error);
	if (!p)
		return false;
	xdrmem_create(&out, (char *)p, (u_int)len, XDR_ENCODE);
	if (!xdr(&out, body) || xdr_getpos(&out) != len)
		g_assert_not_reached();
	return true;
}

bool rpc_message_put_bytes(struct rpc_message *msg, const void *data, size_t len, GError **error)
{
	uint8_t *p = extend(msg, len, error);

	if (!p)
		return false;
	if (len > 0)
		memcpy(p, data, len);
	return true;
}

uint8_t *rpc_message_put_room(struct rpc_message *msg, size_t len, GError **error)
{
	return extend(msg, len, error);
}

void rpc_message_cut(struct rpc_message *msg, size_t unused)
{
	assert(unused <= msg->len - RPC_PACKET_MIN);
	msg->len -= unused;
	put_be32(msg->packet, (uint32_t)msg->len);
}

bool rpc_message_put_fds(struct rpc_message *msg, unsigned count, GError **error)
{
	uint8_t word[4];

	if (count > RPC_FDS_MAX)
		return error_set(error, SOCLE_ERROR_LIMIT,
				 "%u descriptors are more than the %d of a packet", count,
				 RPC_FDS_MAX);
	assert(msg->len == RPC_PACKET_MIN);
	put_be32(word, count);
	return rpc_message_put_bytes(msg, word, sizeof(word), error);
}

struct span rpc_message_packet(const struct rpc_message *msg)
{
	return (struct span){ msg->packet, msg->len };
}

void rpc_packet_forget(uint8_t *packet, size_t len)
{
	int32_t procedure;

	if (len <= RPC_PACKET_MIN || get_be32(packet + 4) != RPC_PROGRAM_REMOTE)
		return;
	procedure = (int32_t)get_be32(packet + 12);
	if (procedure == RPC_PROC_SECRET_SET_VALUE || procedure == RPC_PROC_SECRET_GET_VALUE)
		explicit_bzero(packet, len);
}

struct rpc_message *rpc_message_new_error(const struct rpc_header *call, enum rpc_from from,
					  enum rpc_code code, const char *text)
{
	struct rpc_header header = rpc_header_answer(call, RPC_STATUS_ERROR);
	struct rpc_message *msg = rpc_message_new(&header);
	/* Not g_strndup(), which would fill as many bytes as there may be. */
	const size_t len = strnlen(text, RPC_ERROR_TEXT_MAX);
	g_autofree char *valid = g_utf8_make_valid(text, (gssize)len);
	rpc_error body = {
		.code = (int)code,
		.domain = (int)from,
		.message = &valid,
		.level = RPC_LEVEL_ERROR,
		.str1 = &valid,
		.int1 = -1,
		.int2 = -1,
	};

	/* It is far below all limits. */
	if (!rpc_message_put(msg, rpc_error, &body, NULL))
		g_assert_not_reached();
	return msg;
}

struct rpc_message *rpc_message_new_keepalive(int procedure)
{
	return rpc_message_new(&(struct rpc_header){
		.program = RPC_PROGRAM_KEEPALIVE,
		.version = RPC_VERSION,
		.procedure = procedure,
		.type = RPC_TYPE_MESSAGE,
	});
}

bool rpc_received_init(struct rpc_received *received, struct span packet, GError **error)
{
	const uint8_t *p = packet.p;
	struct rpc_received r;

	if (packet.len < RPC_PACKET_MIN || get_be32(p) != packet.len)
		return error_set(error, SOCLE_ERROR_CORRUPT,
				 "%zu bytes are no packet: the peer does not speak this protocol",
				 packet.len);
	r = (struct rpc_received){
		.header = { .program = get_be32(p + 4),
			    .version = get_be32(p + 8),
			    .procedure = (int32_t)get_be32(p + 12),
			    .type = get_be32(p + 16),
			    .serial = get_be32(p + 20),
			    .status = get_be32(p + 24) },
		.body = { p + RPC_PACKET_MIN, packet.len - RPC_PACKET_MIN },
	};
	if (r.header.type == RPC_TYPE_CALL_WITH_FDS || r.header.type == RPC_TYPE_REPLY_WITH_FDS) {
		if (r.body.len < 4)
			return error_set(error, SOCLE_ERROR_CORRUPT,
					 "a packet ends before the number of its descriptors");
		r.fds = get_be32(r.body.p);
		if (r.fds > RPC_FDS_MAX)
			return error_set(error, SOCLE_ERROR_LIMIT,
					 "%u descriptors are more than the %d of a packet", r.fds,
					 RPC_FDS_MAX);
		r.body = span_sub(r.body, 4, r.body.len - 4);
	}
	*received = r;
	return true;
}

bool rpc_received_get_xdr(struct rpc_received *received, xdrproc_t xdr, void *body, size_t size,
			  GError **error)
{
	struct span rest = received->body;
	g_autofree void *got = g_malloc0(size);
	XDR in;

	xdrmem_create(&in, (char *)(uintptr_t)rest.p, (u_int)rest.len, XDR_DECODE);
	if (!xdr(&in, got)) {
		xdr_free(xdr, got);
		/* Clients know these words. */
		return error_set(error, SOCLE_ERROR_CORRUPT, "Unable to decode message payload");
	}
	received->body = span_sub(rest, xdr_getpos(&in), rest.len - xdr_getpos(&in));
	memcpy(body, got, size);
	return true;
}
