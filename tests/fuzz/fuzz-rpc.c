/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz-rpc.c - bytes of a peer through framing, headers, sorting, and every layout
 *
 * The first byte says how the rest is split, and which side we are. Properties: the packets are the
 * same however the stream is split; a body that is understood is put into bytes, and those are
 * understood, and come out the same once more; what a stream's packet says lies within it.
 */
#include <assert.h>
#include <string.h>

#include <glib.h>

#include "base/bytes.h"
#include "rpc/frame.h"
#include "rpc/procedure.h"
#include "rpc/stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct rpc_message *put_again(const struct rpc_layout *layout, void *body)
{
	static const struct rpc_header header;
	struct rpc_message *msg = rpc_message_new(&header);

	/* What came in within the limits goes out within them. */
	if (!rpc_message_put_xdr(msg, layout->xdr, body, NULL))
		assert(!"a body cannot be put together again");
	return msg;
}

/* A text ends at its first NUL, which XDR does not know of: so it is the second time that counts. */
static void try_layout(const struct rpc_received *received, const struct rpc_layout *layout)
{
	struct rpc_received r = *received, r2;
	struct rpc_message *first, *second;
	struct span a, b;
	void *body;

	if (!layout->xdr)
		return;
	body = g_malloc0(layout->size);
	if (rpc_received_get_xdr(&r, layout->xdr, body, layout->size, NULL)) {
		assert(r.body.len <= received->body.len);
		first = put_again(layout, body);
		rpc_body_release_xdr(layout->xdr, body, layout->size);
		a = rpc_message_packet(first);
		if (!rpc_received_init(&r2, a, NULL) ||
		    !rpc_received_get_xdr(&r2, layout->xdr, body, layout->size, NULL))
			assert(!"what was put together cannot be taken apart");
		assert(r2.body.len == 0);
		second = put_again(layout, body);
		rpc_body_release_xdr(layout->xdr, body, layout->size);
		b = rpc_message_packet(second);
		assert(a.len == b.len && !memcmp(a.p, b.p, a.len));
		rpc_message_free(first);
		rpc_message_free(second);
	}
	g_free(body);
}

static void try_stream(const struct rpc_received *received)
{
	struct rpc_stream_packet packet;

	if (!rpc_stream_read(received, &packet, NULL))
		return;
	assert(packet.length >= 0);
	assert(packet.data.len <= received->body.len);
	assert(packet.what != RPC_STREAM_END || packet.data.len == 0);
}

static void try_packet(struct span packet, bool server)
{
	static const struct rpc_layout error_layout = { "rpc_error", (xdrproc_t)xdr_rpc_error,
							sizeof(rpc_error) };
	const struct rpc_procedure *proc = NULL;
	struct rpc_received received;
	GError *error = NULL;
	enum rpc_sort sort;

	if (!rpc_received_init(&received, packet, NULL))
		return;
	assert(received.fds <= RPC_FDS_MAX);
	sort = server ? rpc_sort_for_server(&received.header, &proc, &error)
		      : rpc_sort_for_client(&received.header, &proc, &error);
	assert((error != NULL) == (sort == RPC_SORT_REFUSE || sort == RPC_SORT_DROP));
	if (sort == RPC_SORT_REFUSE)
		rpc_message_free(rpc_message_new_error(&received.header, RPC_FROM_RPC, RPC_CODE_RPC,
						       error->message));
	g_clear_error(&error);
	if (proc) {
		try_layout(&received, &proc->args);
		try_layout(&received, &proc->ret);
	}
	try_layout(&received, &error_layout);
	try_stream(&received);
}

/* All packets of a stream that comes in pieces of @step, one behind the other. */
static GByteArray *cut(const uint8_t *data, size_t size, size_t step)
{
	GByteArray *all = g_byte_array_new();
	autoptr(rpc_frame) frame = rpc_frame_new();
	size_t off = 0;

	while (off < size) {
		enum rpc_frame_result result;
		size_t len = MIN(step, size - off);
		size_t taken = rpc_frame_feed(frame, data + off, len, &result, NULL);
		struct span packet;

		assert(taken > 0 && taken <= len);
		assert(rpc_frame_memory(frame) <= MAX(1024, 2 * size));
		off += taken;
		if (result == RPC_FRAME_PACKET) {
			packet = rpc_frame_packet(frame);
			g_byte_array_append(all, packet.p, (unsigned)packet.len);
		} else if (result == RPC_FRAME_BROKEN) {
			break;
		}
	}
	return all;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	GByteArray *whole, *pieces;

	if (size < 2)
		return 0;
	whole = cut(data + 1, size - 1, size);
	pieces = cut(data + 1, size - 1, data[0] % 64u + 1);
	assert(whole->len == pieces->len);
	assert(whole->len == 0 || !memcmp(whole->data, pieces->data, whole->len));
	for (size_t off = 0; off < whole->len; off += get_be32(whole->data + off)) {
		struct span packet = { whole->data + off, get_be32(whole->data + off) };

		try_packet(packet, data[0] & 0x80);
	}
	g_byte_array_free(whole, TRUE);
	g_byte_array_free(pieces, TRUE);
	return 0;
}
