/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-message.c - bodies and headers: golden bytes, round trips, limits, ends that come too soon
 */
#include <string.h>

#include <glib.h>

#include "base/error.h"
#include "rpc/frame.h"
#include "rpc/procedure.h"

#include "hex.h"

static const struct rpc_header reply = {
	.program = RPC_PROGRAM_REMOTE,
	.version = RPC_VERSION,
	.procedure = 16,
	.type = RPC_TYPE_REPLY,
	.serial = 7,
	.status = RPC_STATUS_OK,
};

static void test_header(void)
{
	autoptr(rpc_message) msg = rpc_message_new(&reply);
	g_autofree char *hex = to_hex(rpc_message_packet(msg));
	struct rpc_received r;

	g_assert_cmpstr(hex, ==, "0000001c 20008086 00000001 00000010 00000001 00000007 00000000");
	g_assert_true(rpc_received_init(&r, rpc_message_packet(msg), NULL));
	g_assert_cmpmem(&r.header, sizeof(r.header), &reply, sizeof(reply));
	g_assert_cmpuint(r.body.len, ==, 0);
	g_assert_cmpuint(r.fds, ==, 0);
}

static void test_keepalive(void)
{
	autoptr(rpc_message) ping = rpc_message_new_keepalive(RPC_KEEPALIVE_PING);
	autoptr(rpc_message) pong = rpc_message_new_keepalive(RPC_KEEPALIVE_PONG);
	g_autofree char *ping_hex = to_hex(rpc_message_packet(ping));
	g_autofree char *pong_hex = to_hex(rpc_message_packet(pong));

	g_assert_cmpstr(ping_hex, ==,
			"0000001c 6b656570 00000001 00000001 00000002 00000000 00000000");
	g_assert_cmpstr(pong_hex, ==,
			"0000001c 6b656570 00000001 00000002 00000002 00000000 00000000");
}

/* What char, unsigned char and unsigned short are on the wire: sizes were recorded with libvirtd. */
static void test_narrow_types(void)
{
	autoptr(rpc_message) node = rpc_message_new(&reply);
	autoptr(rpc_message) info = rpc_message_new(&reply);
	autoptr(rpc_message) label = rpc_message_new(&reply);
	autoptr(rpc_message) sasl = rpc_message_new(&reply);
	rpc_node_get_info_ret node_ret = { .model = "x86_64", .memory = 1, .threads = 2 };
	rpc_domain_get_info_ret info_ret = {
		.state = 1, .maxMem = 0x100000000, .memory = 2, .nrVirtCpu = 65535, .cpuTime = 3
	};
	char text[] = "a\xff";
	rpc_domain_get_security_label_ret label_ret = { { sizeof(text), text }, 1 };
	rpc_auth_sasl_step_args sasl_args = { .nil = 0, .data = { 2, text } };

	g_assert_true(rpc_message_put(node, rpc_node_get_info_ret, &node_ret, NULL));
	g_assert_cmpuint(rpc_message_packet(node).len, ==, 188);
	g_assert_true(rpc_message_put(info, rpc_domain_get_info_ret, &info_ret, NULL));
	g_assert_cmpuint(rpc_message_packet(info).len, ==, 60);
	assert_body(info,
		    "00000001 00000001 00000000 00000000 00000002 0000ffff 00000000 00000003");
	g_assert_true(rpc_message_put(label, rpc_domain_get_security_label_ret, &label_ret, NULL));
	assert_body(label, "00000003 00000061 ffffffff 00000000 00000001");
	g_assert_true(rpc_message_put(sasl, rpc_auth_sasl_step_args, &sasl_args, NULL));
	assert_body(sasl, "00000000 00000002 00000061 ffffffff");
}

/* Recorded: 68 bytes for a name of 4 letters. */
static void test_event(void)
{
	autoptr(rpc_message) msg = rpc_message_new(&reply);
	rpc_domain_event_callback_lifecycle_msg body = {
		.callbackID = 0,
		.dom = { .name = (char *)(uintptr_t) "test", .id = -1 },
		.event = 5,
		.detail = 1,
	};

	memset(body.dom.uuid, 0xab, sizeof(body.dom.uuid));
	g_assert_true(rpc_message_put(msg, rpc_domain_event_callback_lifecycle_msg, &body, NULL));
	g_assert_cmpuint(rpc_message_packet(msg).len, ==, 68);
	assert_body(msg, "00000000 00000004 74657374 abababab abababab abababab abababab ffffffff "
			 "00000005 00000001");
}

/* The domain comes last where power management is the matter. */
static void test_event_order(void)
{
	autoptr(rpc_message) msg = rpc_message_new(&reply);
	rpc_domain_event_callback_pmsuspend_msg body = {
		.callbackID = 1, .reason = 2, .dom = { .name = (char *)(uintptr_t) "a", .id = 3 }
	};

	g_assert_true(rpc_message_put(msg, rpc_domain_event_callback_pmsuspend_msg, &body, NULL));
	assert_body(msg, "00000001 00000002 00000001 61000000 00000000 00000000 00000000 00000000 "
			 "00000003");
}

static void test_error(void)
{
	struct rpc_header call = reply;
	struct rpc_received r;
	rpc_error body;

	call.type = RPC_TYPE_CALL;
	autoptr(rpc_message) msg =
		rpc_message_new_error(&call, RPC_FROM_RPC, RPC_CODE_RPC, "no\xff");
	g_autofree char *hex = to_hex(rpc_message_packet(msg));

	g_assert_cmpstr(hex, ==,
			"00000060 20008086 00000001 00000010 00000001 00000007 00000001 "
			"00000027 00000007 00000001 00000005 6e6fefbf bd000000 00000002 00000000 "
			"00000001 00000005 6e6fefbf bd000000 00000000 00000000 ffffffff ffffffff "
			"00000000");
	g_assert_true(rpc_received_init(&r, rpc_message_packet(msg), NULL));
	g_assert_true(rpc_received_get(&r, rpc_error, &body, NULL));
	g_assert_cmpint(body.code, ==, RPC_CODE_RPC);
	g_assert_cmpstr(*body.message, ==, "no\xef\xbf\xbd");
	g_assert_null(body.dom);
	rpc_body_release(rpc_error, &body);

	/* In a stream it is the stream's. */
	call.type = RPC_TYPE_STREAM_HOLE;
	autoptr(rpc_message) aborted =
		rpc_message_new_error(&call, RPC_FROM_STREAMS, RPC_CODE_OPERATION_FAILED, "x");

	g_assert_true(rpc_received_init(&r, rpc_message_packet(aborted), NULL));
	g_assert_cmpuint(r.header.type, ==, RPC_TYPE_STREAM);
	g_assert_cmpuint(r.header.status, ==, RPC_STATUS_ERROR);
}

static void test_long_error(void)
{
	g_autofree char *text = g_strnfill(10 * 1024 * 1024, 'x');
	autoptr(rpc_message) msg = rpc_message_new_error(&reply, RPC_FROM_RPC, RPC_CODE_RPC, text);

	g_assert_cmpuint(rpc_message_packet(msg).len, <, 2 * RPC_ERROR_TEXT_MAX + 128);
}

static void test_text_limit(void)
{
	g_autofree char *text = g_strnfill(RPC_MAX_TEXT + 1, 'x');
	autoptr(rpc_message) msg = rpc_message_new(&reply);
	g_autoptr(GError) error = NULL;
	rpc_connect_get_type_ret body = { .type = text }, got;
	struct rpc_received r;

	g_assert_false(rpc_message_put(msg, rpc_connect_get_type_ret, &body, &error));
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_LIMIT);
	g_assert_cmpuint(rpc_message_packet(msg).len, ==, 28);

	text[RPC_MAX_TEXT] = '\0';
	g_assert_true(rpc_message_put(msg, rpc_connect_get_type_ret, &body, NULL));
	g_assert_cmpuint(rpc_message_packet(msg).len, ==, 28 + 4 + RPC_MAX_TEXT);
	g_assert_true(rpc_received_init(&r, rpc_message_packet(msg), NULL));
	g_assert_true(rpc_received_get(&r, rpc_connect_get_type_ret, &got, NULL));
	g_assert_cmpstr(got.type, ==, text);
	g_assert_cmpuint(r.body.len, ==, 0);
	rpc_body_release(rpc_connect_get_type_ret, &got);
	g_assert_null(got.type);
}

/* As many domains as the protocol knows, and one more, out and in. */
static void test_list_limit(void)
{
	g_autofree rpc_domain *domains = g_new0(rpc_domain, RPC_MAX_DOMAINS + 1);
	autoptr(rpc_message) msg = rpc_message_new(&reply);
	rpc_connect_list_all_domains_ret body = { { RPC_MAX_DOMAINS + 1, domains }, 1 }, got;
	g_autoptr(GError) error = NULL;
	struct rpc_received r;

	for (size_t i = 0; i <= RPC_MAX_DOMAINS; i++)
		domains[i].name = (char *)(uintptr_t) "n";
	g_assert_false(rpc_message_put(msg, rpc_connect_list_all_domains_ret, &body, &error));
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_LIMIT);
	body.domains.domains_len--;
	g_assert_true(rpc_message_put(msg, rpc_connect_list_all_domains_ret, &body, NULL));
	g_assert_true(rpc_received_init(&r, rpc_message_packet(msg), NULL));
	g_assert_true(rpc_received_get(&r, rpc_connect_list_all_domains_ret, &got, NULL));
	g_assert_cmpuint(got.domains.domains_len, ==, RPC_MAX_DOMAINS);
	rpc_body_release(rpc_connect_list_all_domains_ret, &got);

	/* The same by a peer who does not mind. */
	struct span many = from_hex("00004001 00000000");

	r.body = many;
	g_clear_error(&error);
	g_assert_false(rpc_received_get(&r, rpc_connect_list_all_domains_ret, &got, &error));
	g_assert_cmpstr(error->message, ==, "Unable to decode message payload");
	g_assert_cmpuint(r.body.len, ==, 8);
	g_free((void *)(uintptr_t)many.p);
}

static void test_packet_limit(void)
{
	g_autofree uint8_t *data = g_malloc0(RPC_PACKET_MAX);
	autoptr(rpc_message) msg = rpc_message_new(&reply);
	g_autoptr(GError) error = NULL;

	g_assert_true(rpc_message_put_bytes(msg, data, RPC_PACKET_MAX - RPC_PACKET_MIN - 1, NULL));
	g_assert_false(rpc_message_put_bytes(msg, data, 2, &error));
	g_assert_cmpstr(error->message, ==,
			"a message of 2 bytes is more than the 33554436 of a packet: ask for less");
	g_assert_true(rpc_message_put_bytes(msg, data, 1, NULL));
	g_assert_true(rpc_message_put_bytes(msg, NULL, 0, NULL));
	g_assert_cmpuint(get_be32(rpc_message_packet(msg).p), ==, RPC_PACKET_MAX);
}

static void test_fds(void)
{
	struct rpc_header header = reply;
	struct rpc_received r;

	header.type = RPC_TYPE_REPLY_WITH_FDS;
	for (unsigned count = 0; count <= RPC_FDS_MAX + 1; count++) {
		autoptr(rpc_message) msg = rpc_message_new(&header);

		g_assert_true(rpc_message_put_fds(msg, count, NULL) == (count <= RPC_FDS_MAX));
		if (count > RPC_FDS_MAX)
			continue;
		g_assert_true(rpc_received_init(&r, rpc_message_packet(msg), NULL));
		g_assert_cmpuint(r.fds, ==, count);
		g_assert_cmpuint(r.body.len, ==, 0);
	}
	struct span many =
		from_hex("00000020 20008086 00000001 00000001 00000004 00000000 00000000 "
			 "00000021");
	struct span none =
		from_hex("0000001e 20008086 00000001 00000001 00000005 00000000 00000000 "
			 "0000");
	g_autoptr(GError) error = NULL;

	g_assert_false(rpc_received_init(&r, many, &error));
	g_assert_cmpstr(error->message, ==, "33 descriptors are more than the 32 of a packet");
	g_clear_error(&error);
	g_assert_false(rpc_received_init(&r, none, &error));
	g_assert_cmpstr(error->message, ==, "a packet ends before the number of its descriptors");
	g_free((void *)(uintptr_t)many.p);
	g_free((void *)(uintptr_t)none.p);
}

/* What is no packet, at each length. */
static void test_no_packet(void)
{
	autoptr(rpc_message) msg = rpc_message_new(&reply);
	struct span packet = rpc_message_packet(msg);
	struct rpc_received r;

	for (size_t len = 0; len < packet.len; len++) {
		g_autoptr(GError) error = NULL;

		g_assert_false(rpc_received_init(&r, (struct span){ packet.p, len }, &error));
		g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_CORRUPT);
	}
}

static bool get_layout(struct span body, const struct rpc_layout *layout, void *ret_body,
		       size_t *ret_left)
{
	struct rpc_received r = { .body = body };
	bool ok = rpc_received_get_xdr(&r, layout->xdr, ret_body, layout->size, NULL);

	*ret_left = r.body.len;
	return ok;
}

/*
 * The smallest body of each layout: zeroes, as many as it takes. It comes out as it went in, and cut
 * off anywhere it is refused.
 */
static void check_smallest(const struct rpc_layout *layout)
{
	static const uint8_t zeroes[4096];
	autoptr(rpc_message) msg = rpc_message_new(&reply);
	g_autofree void *body = g_malloc0(layout->size);
	size_t left, len;
	struct span got;

	if (!layout->xdr)
		return;
	g_assert_true(get_layout((struct span){ zeroes, sizeof(zeroes) }, layout, body, &left));
	len = sizeof(zeroes) - left;
	g_assert_true(rpc_message_put_xdr(msg, layout->xdr, body, NULL));
	rpc_body_release_xdr(layout->xdr, body, layout->size);
	got = rpc_message_packet(msg);
	g_assert_cmpmem(got.p + RPC_PACKET_MIN, got.len - RPC_PACKET_MIN, zeroes, len);
	for (size_t cut = 0; cut < len; cut++) {
		g_assert_false(get_layout((struct span){ zeroes, cut }, layout, body, &left));
		g_assert_cmpuint(left, ==, cut);
	}
}

static void test_each_layout(void)
{
	for (size_t i = 0; i < rpc_procedures_count; i++) {
		check_smallest(&rpc_procedures[i].args);
		check_smallest(&rpc_procedures[i].ret);
	}
}

/* A body with something in every member, cut off at each byte, is refused, and nothing leaks. */
static void test_truncated(void)
{
	autoptr(rpc_message) msg = rpc_message_new(&reply);
	char name[] = "domain", field[] = "state.state", text[] = "on";
	rpc_param params[] = {
		{ field, { RPC_PARAM_INT, { .i = -1 } } },
		{ field, { RPC_PARAM_STRING, { .s = text } } },
		{ field, { RPC_PARAM_DOUBLE, { .d = 1.5 } } },
	};
	rpc_domain_stats_record records[] = { { { name, { 1 }, 4 }, { 3, params } },
					      { { name, { 2 }, 5 }, { 1, params } } };
	rpc_connect_get_all_domain_stats_ret body = { { 2, records } }, got;
	struct rpc_received r;
	struct span whole;

	g_assert_true(rpc_message_put(msg, rpc_connect_get_all_domain_stats_ret, &body, NULL));
	g_assert_true(rpc_received_init(&r, rpc_message_packet(msg), NULL));
	whole = r.body;
	for (size_t len = 0; len < whole.len; len++) {
		g_autoptr(GError) error = NULL;

		r.body = span_sub(whole, 0, len);
		g_assert_false(
			rpc_received_get(&r, rpc_connect_get_all_domain_stats_ret, &got, &error));
		g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_CORRUPT);
	}
	r.body = whole;
	g_assert_true(rpc_received_get(&r, rpc_connect_get_all_domain_stats_ret, &got, NULL));
	g_assert_cmpuint(got.retStats.retStats_len, ==, 2);
	g_assert_cmpint(got.retStats.retStats_val[1].dom.id, ==, 5);
	g_assert_cmpstr(got.retStats.retStats_val[0].params.params_val[1].value.rpc_param_value_u.s,
			==, "on");
	rpc_body_release(rpc_connect_get_all_domain_stats_ret, &got);
}

/* Of a packet with a value nothing is left, of others all. */
static void test_forget(void)
{
	static const int procedures[] = { RPC_PROC_SECRET_SET_VALUE, RPC_PROC_SECRET_GET_VALUE,
					  RPC_PROC_SECRET_GET_XML_DESC };
	static const uint8_t zeroes[RPC_PACKET_MIN + 8];

	for (unsigned i = 0; i < G_N_ELEMENTS(procedures); i++) {
		struct rpc_header header = reply;
		autoptr(rpc_message) msg = NULL;
		g_autofree uint8_t *packet = NULL;
		struct span bytes;

		header.procedure = procedures[i];
		msg = rpc_message_new(&header);
		g_assert_true(rpc_message_put_bytes(msg, "\0\0\0\4word", 8, NULL));
		bytes = rpc_message_packet(msg);
		packet = g_memdup2(bytes.p, bytes.len);
		rpc_packet_forget(packet, bytes.len);
		if (i < 2)
			g_assert_cmpmem(packet, bytes.len, zeroes, sizeof(zeroes));
		else
			g_assert_cmpmem(packet, bytes.len, bytes.p, bytes.len);
	}
	/* What broke off before the header ends is none. */
	rpc_packet_forget(NULL, 0);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/rpc/message/header", test_header);
	g_test_add_func("/rpc/message/keepalive", test_keepalive);
	g_test_add_func("/rpc/message/narrow-types", test_narrow_types);
	g_test_add_func("/rpc/message/event", test_event);
	g_test_add_func("/rpc/message/event-order", test_event_order);
	g_test_add_func("/rpc/message/error", test_error);
	g_test_add_func("/rpc/message/long-error", test_long_error);
	g_test_add_func("/rpc/message/text-limit", test_text_limit);
	g_test_add_func("/rpc/message/list-limit", test_list_limit);
	g_test_add_func("/rpc/message/packet-limit", test_packet_limit);
	g_test_add_func("/rpc/message/fds", test_fds);
	g_test_add_func("/rpc/message/no-packet", test_no_packet);
	g_test_add_func("/rpc/message/each-layout", test_each_layout);
	g_test_add_func("/rpc/message/truncated", test_truncated);
	g_test_add_func("/rpc/message/forget", test_forget);
	return g_test_run();
}
