/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-peer.c - what a client may do, when, and how much of it
 */
#include <limits.h>
#include <string.h>

#include "client.h"
#include "manage/peer-int.h"
#include "rpc/procedure.h"

/* Enough of them are any procedure's arguments: empty texts, lists and options. */
static const uint8_t zeroes[4096];

static struct node *node;
static struct server *server;

static bool fails(struct test_client *c, int proc, int code, const char *text)
{
	uint32_t serial = client_send(c, proc, zeroes, sizeof(zeroes));

	if (client_read(c, client_wait(c, serial), NULL, NULL, 0))
		return false;
	if (c->code == code && (!text || strstr(c->error, text)))
		return true;
	g_test_message("procedure %d: code %d: %s", proc, c->code, c->error);
	return false;
}

static void test_prologue(void)
{
	struct test_client *c = client_new(server, false);
	rpc_connect_supports_feature_args feature = { .feature = 10 };
	rpc_connect_supports_feature_ret has;
	rpc_connect_open_args open = { .flags = 0 };

	g_assert_true(fails(c, RPC_PROC_CONNECT_OPEN, 45, "authentication required"));
	g_assert_true(fails(c, RPC_PROC_CONNECT_LIST_ALL_DOMAINS, 45, NULL));
	g_assert_true(client_call_xdr(c, RPC_PROC_AUTH_LIST, NULL, NULL, NULL, NULL, 0));
	g_assert_true(
		fails(c, RPC_PROC_CONNECT_LIST_ALL_DOMAINS, 1, "hypervisor connection not open"));
	g_assert_cmpint(c->from, ==, RPC_FROM_RPC);
	for (int f = 0; f < 20; f++) {
		feature.feature = f;
		g_assert_true(client_ask(c, RPC_PROC_CONNECT_SUPPORTS_FEATURE,
					 connect_supports_feature, &feature, &has));
		g_assert_cmpint(has.supported, ==, f == 4 || (f >= 6 && f <= 16));
	}
	g_assert_true(client_call(c, RPC_PROC_CONNECT_OPEN, connect_open, &open));
	g_assert_true(fails(c, 447, 39, "unknown procedure: 447"));
	g_assert_true(fails(c, RPC_PROC_DOMAIN_EVENT_CALLBACK_REBOOT, 39, "unknown procedure"));
	client_free(c);
}

static void test_open_twice(void)
{
	struct test_client *c = client_open(server, false);

	g_assert_true(fails(c, RPC_PROC_CONNECT_OPEN, 1, "connection already open"));
	g_assert_true(c->closed);
	client_free(c);
}

static void test_garbled(void)
{
	struct test_client *c = client_open(server, false);
	uint32_t serial = client_send(c, RPC_PROC_DOMAIN_GET_INFO, zeroes, 3);

	g_assert_false(client_read(c, client_wait(c, serial), NULL, NULL, 0));
	g_assert_cmpstr(c->error, ==, "Unable to decode message payload");
	g_assert_cmpint(c->code, ==, 39);
	g_assert_true(client_find(c, "test", NULL));
	/* A length that cannot be closes the connection. */
	client_feed(c, "\0\0\0\x1b", 4);
	g_assert_true(c->closed);
	client_free(c);
}

static void test_ping(void)
{
	struct test_client *c = client_new(server, false);
	struct rpc_message *ping = rpc_message_new_keepalive(RPC_KEEPALIVE_PING);
	struct rpc_received received;
	struct span packet = rpc_message_packet(ping);

	client_feed(c, packet.p, packet.len);
	rpc_message_free(ping);
	g_assert_cmpuint(client_pending(c), ==, 1);
	g_assert_true(
		rpc_received_init(&received, rpc_message_packet(c->messages.head->data), NULL));
	g_assert_cmpuint(received.header.program, ==, RPC_PROGRAM_KEEPALIVE);
	g_assert_cmpint(received.header.procedure, ==, RPC_KEEPALIVE_PONG);
	client_free(c);
}

static void test_keepalive(void)
{
	struct server_config config = { .keepalive_interval = 1, .keepalive_count = 1 };
	struct server *own = server_new(&config);
	struct test_client *quiet = client_new(own, false), *asks = client_new(own, false);
	rpc_connect_supports_feature_args feature = { .feature = 10 };

	client_call_xdr(asks, RPC_PROC_AUTH_LIST, NULL, NULL, NULL, NULL, 0);
	client_call(asks, RPC_PROC_CONNECT_SUPPORTS_FEATURE, connect_supports_feature, &feature);
	turn_ms(3300);
	/* Only who has asked for it is pinged, and given up. */
	g_assert_cmpuint(client_pending(asks), ==, 1);
	g_assert_true(asks->closed);
	g_assert_cmpuint(client_pending(quiet), ==, 0);
	g_assert_false(quiet->closed);
	client_free(asks);
	client_free(quiet);
	server_free(own);
}

/* None that writes may pass, and none that only reads is held up for that reason. */
static void test_read_only(void)
{
	for (size_t i = 0; i < rpc_procedures_count; i++) {
		const struct rpc_procedure *proc = &rpc_procedures[i];
		struct test_client *c;

		if (proc->access != RPC_ACCESS_WRITE && proc->access != RPC_ACCESS_READ)
			continue;
		c = client_open(server, true);
		if (proc->access == RPC_ACCESS_WRITE)
			g_assert_true(fails(c, proc->number, 29,
					    "operation forbidden: read only access prevents vir"));
		else
			g_assert_false(fails(c, proc->number, 29, NULL));
		client_free(c);
	}
}

static void test_read_only_flags(void)
{
	struct test_client *c = client_open(server, true);
	rpc_domain dom;
	rpc_domain_get_xml_desc_args xml = { .flags = 0 };
	rpc_domain_get_vcpus_flags_args vcpus = { .flags = 8 };
	rpc_domain_interface_addresses_args addresses = { .source = 1 };

	g_assert_true(client_find(c, "test", &dom));
	xml.dom = vcpus.dom = addresses.dom = dom;
	g_assert_true(client_call(c, RPC_PROC_DOMAIN_GET_XML_DESC, domain_get_xml_desc, &xml));
	xml.flags = 1;
	g_assert_false(client_call(c, RPC_PROC_DOMAIN_GET_XML_DESC, domain_get_xml_desc, &xml));
	g_assert_cmpint(c->code, ==, 29);
	g_assert_cmpstr(c->error, ==,
			"operation forbidden: read only access prevents virDomainGetXMLDesc");
	xml.flags = 8;
	g_assert_false(client_call(c, RPC_PROC_DOMAIN_GET_XML_DESC, domain_get_xml_desc, &xml));
	g_assert_cmpint(c->code, ==, 29);
	g_assert_false(
		client_call(c, RPC_PROC_DOMAIN_GET_VCPUS_FLAGS, domain_get_vcpus_flags, &vcpus));
	g_assert_cmpint(c->code, ==, 29);
	g_assert_false(client_call(c, RPC_PROC_DOMAIN_INTERFACE_ADDRESSES,
				   domain_interface_addresses, &addresses));
	g_assert_cmpint(c->code, ==, 29);
	client_free(c);
}

/* A client that opens read-only on the socket for all is held to its word. */
static void test_read_only_by_choice(void)
{
	struct test_client *c = client_new(server, false);
	rpc_connect_open_args open = { .flags = 1 };

	client_call_xdr(c, RPC_PROC_AUTH_LIST, NULL, NULL, NULL, NULL, 0);
	g_assert_true(client_call(c, RPC_PROC_CONNECT_OPEN, connect_open, &open));
	g_assert_true(fails(c, RPC_PROC_DOMAIN_CREATE, 29, "virDomainCreate"));
	g_assert_true(peer_read_only(c->peer));
	client_free(c);
}

/* As a client opens that has no rights of root, and a session: it means nothing to us. */
static void test_open_session(void)
{
	struct test_client *c = client_new(server, false);
	rpc_connect_open_args open = { .flags = 2 | 4 };

	client_call_xdr(c, RPC_PROC_AUTH_LIST, NULL, NULL, NULL, NULL, 0);
	g_assert_true(client_call(c, RPC_PROC_CONNECT_OPEN, connect_open, &open));
	g_assert_false(peer_read_only(c->peer));
	client_free(c);
	c = client_new(server, false);
	open.flags = 8;
	client_call_xdr(c, RPC_PROC_AUTH_LIST, NULL, NULL, NULL, NULL, 0);
	g_assert_false(client_call(c, RPC_PROC_CONNECT_OPEN, connect_open, &open));
	client_free(c);
}

/* Each call has one answer, whatever stands in it. */
static void test_every_procedure(void)
{
	struct node *own_node = node_new_test();
	struct server *own = test_server(own_node);
	struct test_client *c = client_open(own, false);

	for (size_t i = 0; i < rpc_procedures_count; i++) {
		const struct rpc_procedure *proc = &rpc_procedures[i];
		uint32_t serial;

		if (proc->access == RPC_ACCESS_EVENT || proc->number == RPC_PROC_CONNECT_OPEN ||
		    proc->number == RPC_PROC_CONNECT_CLOSE)
			continue;
		serial = client_send(c, proc->number, zeroes, sizeof(zeroes));
		rpc_message_free(client_wait(c, serial));
		g_assert_null(client_take(c, serial));
	}
	g_assert_false(c->closed);
	g_assert_true(client_find(c, "test", NULL));
	client_free(c);
	server_free(own);
	node_free(own_node);
}

/* Who says goodbye is answered, and then the connection is closed. */
static void test_goodbye(void)
{
	struct test_client *c = client_open(server, false);

	g_assert_true(client_call_xdr(c, RPC_PROC_CONNECT_CLOSE, NULL, NULL, NULL, NULL, 0));
	g_assert_true(c->closed);
	g_assert_false(peer_wants_input(c->peer));
	client_free(c);
}

static int register_event(struct test_client *c)
{
	rpc_connect_domain_event_callback_register_any_args args = { .eventID = 0 };
	rpc_connect_domain_event_callback_register_any_ret ret;

	g_assert_true(client_ask(c, RPC_PROC_CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY,
				 connect_domain_event_callback_register_any, &args, &ret));
	return ret.callbackID;
}

/* Numbers of callbacks begin anew behind the highest; those in use are not given again. */
static void test_callback_numbers(void)
{
	struct test_client *c = client_open(server, false);

	g_assert_cmpint(register_event(c), ==, 0);
	c->peer->next_callback = INT_MAX - 1;
	g_assert_cmpint(register_event(c), ==, INT_MAX - 1);
	g_assert_cmpint(register_event(c), ==, INT_MAX);
	g_assert_cmpint(register_event(c), ==, 1);
	client_free(c);
}

static void test_output_bound(void)
{
	struct test_client *c = client_open(server, false);
	rpc_connect_domain_event_callback_register_any_args args = { .eventID = 0 };
	rpc_domain dom;

	client_call(c, RPC_PROC_CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY,
		    connect_domain_event_callback_register_any, &args);
	g_assert_true(peer_wants_input(c->peer));
	peer_set_queued(c->peer, PEER_OUTPUT_MAX);
	g_assert_false(peer_wants_input(c->peer));
	peer_set_queued(c->peer, 0);
	g_assert_true(peer_wants_input(c->peer));
	/* Who does not read his events at all is given up. */
	peer_set_queued(c->peer, 2 * PEER_OUTPUT_MAX);
	{
		struct test_client *other = client_open(server, false);

		g_assert_true(client_find(other, "test", &dom));
		g_assert_true(client_do(other, RPC_PROC_DOMAIN_SUSPEND, dom));
		g_assert_true(client_do(other, RPC_PROC_DOMAIN_RESUME, dom));
		client_free(other);
	}
	g_assert_true(c->closed);
	client_free(c);
}

static void test_server_closes(void)
{
	struct node *own_node = node_new_test();
	struct server *own = test_server(own_node);
	struct test_client *c = client_open(own, false);
	rpc_connect_event_connection_closed_msg msg;

	g_assert_true(client_call_xdr(c, RPC_PROC_CONNECT_REGISTER_CLOSE_CALLBACK, NULL, NULL, NULL,
				      NULL, 0));
	server_free(own);
	g_assert_true(client_event(c, RPC_PROC_CONNECT_EVENT_CONNECTION_CLOSED,
				   connect_event_connection_closed, &msg));
	g_assert_true(c->closed);
	client_free(c);
	node_free(own_node);
}

int main(int argc, char **argv)
{
	int r;

	g_test_init(&argc, &argv, NULL);
	node = node_new_test();
	server = test_server(node);
	g_test_add_func("/peer/prologue", test_prologue);
	g_test_add_func("/peer/open-twice", test_open_twice);
	g_test_add_func("/peer/garbled", test_garbled);
	g_test_add_func("/peer/ping", test_ping);
	g_test_add_func("/peer/keepalive", test_keepalive);
	g_test_add_func("/peer/read-only", test_read_only);
	g_test_add_func("/peer/read-only-flags", test_read_only_flags);
	g_test_add_func("/peer/read-only-by-choice", test_read_only_by_choice);
	g_test_add_func("/peer/open-session", test_open_session);
	g_test_add_func("/peer/every-procedure", test_every_procedure);
	g_test_add_func("/peer/goodbye", test_goodbye);
	g_test_add_func("/peer/callback-numbers", test_callback_numbers);
	g_test_add_func("/peer/output-bound", test_output_bound);
	g_test_add_func("/peer/server-closes", test_server_closes);
	r = g_test_run();
	server_free(server);
	node_free(node);
	return r;
}
