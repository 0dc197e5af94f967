/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-stream.c - packets of streams: bytes, limits, what makes no sense
 */
#include <string.h>

#include <glib.h>

#include "base/error.h"
#include "rpc/stream.h"

#include "hex.h"

/* virsh's vol-upload, as it was recorded: procedure 208. */
static const struct rpc_header call = { RPC_PROGRAM_REMOTE, 1, 208, RPC_TYPE_CALL, 9, 0 };

static void assert_packet(const struct rpc_message *msg, const char *want)
{
	g_autofree char *got = to_hex(rpc_message_packet(msg));

	g_assert_cmpstr(got, ==, want);
}

static struct rpc_stream_packet read_back(const struct rpc_message *msg)
{
	struct rpc_stream_packet packet;
	struct rpc_received r;

	g_assert_true(rpc_received_init(&r, rpc_message_packet(msg), NULL));
	g_assert_true(rpc_stream_read(&r, &packet, NULL));
	return packet;
}

static void test_bytes(void)
{
	autoptr(rpc_message) data = rpc_stream_new_data(&call, "abcde", 5, NULL);
	autoptr(rpc_message) end = rpc_stream_new_data(&call, NULL, 0, NULL);
	autoptr(rpc_message) hole = rpc_stream_new_hole(&call, 0x100000002, NULL);
	autoptr(rpc_message) finish = rpc_stream_new_finish(&call);
	autoptr(rpc_message) abort = rpc_stream_new_abort(&call);
	struct rpc_stream_packet packet = read_back(data);

	assert_packet(data, "00000021 20008086 00000001 000000d0 00000003 00000009 00000002 "
			    "61626364 65");
	g_assert_cmpint(packet.what, ==, RPC_STREAM_DATA);
	g_assert_cmpmem(packet.data.p, packet.data.len, "abcde", 5);
	assert_packet(end, "0000001c 20008086 00000001 000000d0 00000003 00000009 00000002");
	g_assert_cmpint(read_back(end).what, ==, RPC_STREAM_END);
	assert_packet(hole, "00000028 20008086 00000001 000000d0 00000006 00000009 00000002 "
			    "00000001 00000002 00000000");
	packet = read_back(hole);
	g_assert_cmpint(packet.what, ==, RPC_STREAM_HOLE);
	g_assert_cmpint(packet.length, ==, 0x100000002);
	assert_packet(finish, "0000001c 20008086 00000001 000000d0 00000003 00000009 00000000");
	g_assert_cmpint(read_back(finish).what, ==, RPC_STREAM_FINISH);
	assert_packet(abort, "0000001c 20008086 00000001 000000d0 00000003 00000009 00000001");
	g_assert_cmpint(read_back(abort).what, ==, RPC_STREAM_ABORT);
}

static void test_limits(void)
{
	g_autofree char *data = g_malloc0(RPC_STREAM_DATA_MAX + 1);
	autoptr(rpc_message) most = rpc_stream_new_data(&call, data, RPC_STREAM_DATA_MAX, NULL);
	g_autoptr(GError) error = NULL;

	/* As virsh sends it. */
	g_assert_cmpuint(rpc_message_packet(most).len, ==, 262148);
	g_assert_null(rpc_stream_new_data(&call, data, RPC_STREAM_DATA_MAX + 1, &error));
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_LIMIT);
	g_clear_error(&error);
	g_assert_null(rpc_stream_new_hole(&call, -1, &error));
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_USAGE);
}

/* A server that aborts says why. */
static void test_abort_with_reason(void)
{
	struct rpc_header stream = call;
	struct rpc_received r;
	struct rpc_stream_packet packet;
	rpc_error body;

	stream.type = RPC_TYPE_STREAM;
	autoptr(rpc_message) msg = rpc_message_new_error(&stream, RPC_FROM_STREAMS,
							 RPC_CODE_SYSTEM_ERROR, "disk full");

	g_assert_true(rpc_received_init(&r, rpc_message_packet(msg), NULL));
	g_assert_true(rpc_stream_read(&r, &packet, NULL));
	g_assert_cmpint(packet.what, ==, RPC_STREAM_ABORT);
	g_assert_true(rpc_received_get(&r, rpc_error, &body, NULL));
	g_assert_cmpstr(*body.message, ==, "disk full");
	rpc_body_release(rpc_error, &body);
}

static void test_nonsense(void)
{
	static const struct {
		uint32_t type, status;
		const char *body, *error;
	} cases[] = {
		{ RPC_TYPE_STREAM_HOLE, 2, "00000000 00000001",
		  "Unable to decode message payload" },
		{ RPC_TYPE_STREAM_HOLE, 2, "ffffffff ffffffff 00000000", "a hole of -1 bytes" },
		{ RPC_TYPE_STREAM_HOLE, 2, "00000000 00000001 00000002",
		  "a hole with flags 0x2: there are none" },
		{ RPC_TYPE_STREAM_HOLE, 0, "00000000 00000001 00000000",
		  "a hole has status 2, not 0" },
		{ RPC_TYPE_STREAM, 0, "61", "the end of a stream with 1 bytes of data" },
		{ RPC_TYPE_STREAM, 3, "", "a stream has no status 3" },
		{ RPC_TYPE_REPLY, 0, "", "type 1 is no part of a stream" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct rpc_received r = { .header = call, .body = from_hex(cases[i].body) };
		struct span body = r.body;
		struct rpc_stream_packet packet;
		g_autoptr(GError) error = NULL;

		r.header.type = cases[i].type;
		r.header.status = cases[i].status;
		g_assert_false(rpc_stream_read(&r, &packet, &error));
		g_assert_cmpstr(error->message, ==, cases[i].error);
		g_free((void *)(uintptr_t)body.p);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/rpc/stream/bytes", test_bytes);
	g_test_add_func("/rpc/stream/limits", test_limits);
	g_test_add_func("/rpc/stream/abort-with-reason", test_abort_with_reason);
	g_test_add_func("/rpc/stream/nonsense", test_nonsense);
	return g_test_run();
}
