/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-domain.c - definitions, lives, events, and what is kept of them
 */
#include <string.h>

#include "client.h"
#include "manage/call.h"
#include "script.h"

static const char uuid_a[] = "00000000-0000-4000-8000-00000000000a";
static const char uuid_b[] = "00000000-0000-4000-8000-00000000000b";

struct setup {
	struct node *node;
	struct server *server;
	struct test_client *c;
};

static struct setup begin_with(bool store, unsigned deadline_ms)
{
	struct setup s;

	script_reset();
	s.node = script_node(store, deadline_ms);
	s.server = test_server(s.node);
	s.c = client_open(s.server, false);
	return s;
}

static struct setup begin(bool store)
{
	return begin_with(store, 0);
}

static void end(struct setup *s)
{
	client_free(s->c);
	server_free(s->server);
	node_free(s->node);
	g_assert_cmpuint(script.machines, ==, 0);
}

static bool define(struct test_client *c, const char *name, const char *uuid)
{
	g_autofree char *xml = test_xml(name, uuid, NULL);
	rpc_domain_define_xml_args args = { .xml = xml };

	return client_call(c, RPC_PROC_DOMAIN_DEFINE_XML, domain_define_xml, &args);
}

static bool create_xml(struct test_client *c, const char *name, const char *uuid, unsigned flags)
{
	g_autofree char *xml = test_xml(name, uuid, NULL);
	rpc_domain_create_xml_args args = { .xml_desc = xml, .flags = flags };

	return client_call(c, RPC_PROC_DOMAIN_CREATE_XML, domain_create_xml, &args);
}

static void want_events(struct test_client *c, int event, const rpc_domain *dom)
{
	rpc_connect_domain_event_callback_register_any_args args = {
		.eventID = event, .dom = (rpc_domain *)(uintptr_t)dom
	};

	g_assert_true(client_call(c, RPC_PROC_CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY,
				  connect_domain_event_callback_register_any, &args));
}

static void expect_lifecycle(struct test_client *c, int event, int detail)
{
	rpc_domain_event_callback_lifecycle_msg msg;

	g_assert_true(client_event(c, RPC_PROC_DOMAIN_EVENT_CALLBACK_LIFECYCLE,
				   domain_event_callback_lifecycle, &msg));
	g_assert_cmpint(msg.event, ==, event);
	g_assert_cmpint(msg.detail, ==, detail);
	rpc_body_release(rpc_domain_event_callback_lifecycle_msg, &msg);
}

/* The same name and another UUID, or the same UUID and another name, is a mistake. */
static void test_names(void)
{
	struct setup s = begin(false);

	g_assert_true(define(s.c, "a", uuid_a));
	g_assert_true(define(s.c, "a", uuid_a));
	g_assert_false(define(s.c, "a", uuid_b));
	g_assert_cmpint(s.c->code, ==, RPC_CODE_OPERATION_FAILED);
	g_assert_cmpint(s.c->from, ==, RPC_FROM_QEMU);
	g_assert_cmpstr(s.c->error, ==,
			"operation failed: domain 'a' already exists with uuid "
			"00000000-0000-4000-8000-00000000000a");
	g_assert_false(define(s.c, "b", uuid_a));
	g_assert_cmpint(s.c->code, ==, RPC_CODE_OPERATION_FAILED);
	g_assert_false(create_xml(s.c, "a", uuid_b, 0));
	g_assert_cmpint(s.c->code, ==, RPC_CODE_OPERATION_FAILED);
	g_assert_false(create_xml(s.c, "b", uuid_a, 0));
	g_assert_cmpint(s.c->code, ==, RPC_CODE_OPERATION_FAILED);
	g_assert_true(create_xml(s.c, "a", uuid_a, 0));
	g_assert_false(create_xml(s.c, "a", uuid_a, 0));
	g_assert_cmpint(s.c->code, ==, RPC_CODE_OPERATION_INVALID);
	g_assert_false(create_xml(s.c, "a", uuid_b, 0));
	g_assert_false(create_xml(s.c, "b", uuid_a, 0));
	g_assert_false(define(s.c, "", uuid_b));
	g_assert_false(define(s.c, "a/b", uuid_b));
	end(&s);
}

static void test_garbled_xml(void)
{
	struct setup s = begin(false);
	char text[] = "<domain";
	rpc_domain_define_xml_args args = { .xml = text };
	char wrong[] = "<domain type='test'><name>x</name><memory>1</memory><os><type>hvm</type>"
		       "</os><nonsense/></domain>";
	rpc_domain_define_xml_flags_args strict = { .xml = wrong, .flags = 1 };

	g_assert_false(client_call(s.c, RPC_PROC_DOMAIN_DEFINE_XML, domain_define_xml, &args));
	g_assert_cmpint(s.c->code, ==, RPC_CODE_XML_ERROR);
	g_assert_false(client_call(s.c, RPC_PROC_DOMAIN_DEFINE_XML_FLAGS, domain_define_xml_flags,
				   &strict));
	g_assert_cmpint(s.c->code, ==, RPC_CODE_XML_ERROR);
	strict.flags = 0;
	g_assert_true(client_call(s.c, RPC_PROC_DOMAIN_DEFINE_XML_FLAGS, domain_define_xml_flags,
				  &strict));
	end(&s);
}

/* From each state each verb: what happens, and what is told. */
static void test_life(void)
{
	struct setup s = begin(true);
	g_autofree char *xml = test_xml("a", uuid_a, NULL);
	rpc_domain dom;
	int reason;

	want_events(s.c, 0, NULL);
	dom = client_define(s.c, xml);
	expect_lifecycle(s.c, 0, 0);
	g_assert_cmpint(client_state(s.c, dom, &reason), ==, 5);
	static const int on_running[] = { RPC_PROC_DOMAIN_SUSPEND,   RPC_PROC_DOMAIN_RESUME,
					  RPC_PROC_DOMAIN_DESTROY,   RPC_PROC_DOMAIN_SHUTDOWN,
					  RPC_PROC_DOMAIN_REBOOT,    RPC_PROC_DOMAIN_RESET,
					  RPC_PROC_DOMAIN_INJECT_NMI };
	for (size_t i = 0; i < G_N_ELEMENTS(on_running); i++) {
		g_assert_false(client_do(s.c, on_running[i], dom));
		g_assert_cmpint(s.c->code, ==, RPC_CODE_OPERATION_INVALID);
	}
	g_assert_true(client_do(s.c, RPC_PROC_DOMAIN_CREATE, dom));
	expect_lifecycle(s.c, 2, 0);
	g_assert_cmpint(client_state(s.c, dom, &reason), ==, 1);
	g_assert_cmpint(reason, ==, 1);
	g_assert_false(client_do(s.c, RPC_PROC_DOMAIN_CREATE, dom));
	g_assert_cmpint(s.c->code, ==, RPC_CODE_OPERATION_INVALID);
	g_assert_true(client_do(s.c, RPC_PROC_DOMAIN_SUSPEND, dom));
	expect_lifecycle(s.c, 3, 0);
	g_assert_cmpint(client_state(s.c, dom, &reason), ==, 3);
	g_assert_true(client_do(s.c, RPC_PROC_DOMAIN_RESUME, dom));
	expect_lifecycle(s.c, 4, 0);
	g_assert_cmpint(client_state(s.c, dom, &reason), ==, 1);
	g_assert_cmpint(reason, ==, 5);
	/* An undefined domain that runs is transient. */
	g_assert_true(client_do(s.c, RPC_PROC_DOMAIN_UNDEFINE, dom));
	expect_lifecycle(s.c, 1, 0);
	g_assert_true(define(s.c, "a", uuid_a));
	expect_lifecycle(s.c, 0, 0);
	g_assert_true(client_do(s.c, RPC_PROC_DOMAIN_DESTROY, dom));
	expect_lifecycle(s.c, 5, 1);
	g_assert_cmpint(client_state(s.c, dom, &reason), ==, 5);
	g_assert_cmpint(reason, ==, 2);
	g_assert_true(client_do(s.c, RPC_PROC_DOMAIN_UNDEFINE, dom));
	g_assert_false(client_find(s.c, "a", NULL));
	g_assert_cmpint(s.c->code, ==, RPC_CODE_NO_DOMAIN);
	end(&s);
}

static void test_transient(void)
{
	struct setup s = begin(true);
	rpc_domain dom;

	g_assert_true(create_xml(s.c, "a", uuid_a, 1));
	g_assert_true(client_find(s.c, "a", &dom));
	g_assert_cmpint(client_state(s.c, dom, NULL), ==, 3);
	g_assert_false(client_do(s.c, RPC_PROC_DOMAIN_UNDEFINE, dom));
	g_assert_cmpint(s.c->code, ==, RPC_CODE_OPERATION_INVALID);
	g_assert_cmpuint(g_hash_table_size(script.kept[STORE_DOMAIN]), ==, 0);
	g_assert_cmpuint(g_hash_table_size(script.kept[STORE_STATUS]), ==, 1);
	g_assert_true(client_do(s.c, RPC_PROC_DOMAIN_DESTROY, dom));
	g_assert_false(client_find(s.c, "a", NULL));
	g_assert_cmpuint(g_hash_table_size(script.kept[STORE_STATUS]), ==, 0);
	/* A start that fails leaves nothing. */
	script.fail = "no machine today";
	g_assert_false(create_xml(s.c, "a", uuid_a, 0));
	g_assert_cmpstr(s.c->error, ==, "no machine today");
	g_assert_false(client_find(s.c, "a", NULL));
	g_assert_cmpuint(node_active(s.node), ==, 0);
	end(&s);
}

static void test_autodestroy(void)
{
	struct setup s = begin(false);
	struct test_client *other = client_open(s.server, false);

	g_assert_true(create_xml(other, "a", uuid_a, 2));
	g_assert_true(create_xml(other, "b", uuid_b, 0));
	client_free(other);
	g_assert_false(client_find(s.c, "a", NULL));
	g_assert_true(client_find(s.c, "b", NULL));
	g_assert_cmpuint(script.destroyed, ==, 1);
	end(&s);
}

/* Also if the client goes, or was told that it takes longer, before there is a machine. */
static void test_autodestroy_early(void)
{
	g_autofree char *xml = test_xml("a", uuid_a, NULL);
	rpc_domain_create_xml_args args = { .xml_desc = xml, .flags = 2 };
	struct setup s = begin(false);
	struct test_client *other = client_open(s.server, false);

	script.hold = true;
	client_send_xdr(other, RPC_PROC_DOMAIN_CREATE_XML,
			(xdrproc_t)xdr_rpc_domain_create_xml_args, &args);
	g_assert_cmpuint(script.machines, ==, 1);
	client_free(other);
	g_assert_false(client_find(s.c, "a", NULL));
	g_assert_cmpuint(script.machines, ==, 0);
	end(&s);
}

/* A client that is there still has its machine, however long that took. */
static void test_autodestroy_late(void)
{
	g_autofree char *xml = test_xml("a", uuid_a, NULL);
	rpc_domain_create_xml_args args = { .xml_desc = xml, .flags = 2 };
	struct setup s = begin_with(false, 20);
	struct test_client *other = client_open(s.server, false);
	uint32_t serial;

	script.hold = true;
	serial = client_send_xdr(other, RPC_PROC_DOMAIN_CREATE_XML,
				 (xdrproc_t)xdr_rpc_domain_create_xml_args, &args);
	g_assert_false(client_read(other, client_wait(other, serial), NULL, NULL, 0));
	g_assert_cmpint(other->code, ==, RPC_CODE_OPERATION_TIMEOUT);
	script.hold = false;
	script_release(NULL);
	g_assert_true(client_find(s.c, "a", NULL));
	g_assert_cmpuint(script.machines, ==, 1);
	client_free(other);
	g_assert_cmpuint(script.machines, ==, 0);
	end(&s);
}

/* Ends by themselves, and what the definition says about them. */
static void test_ends(void)
{
	struct setup s = begin(false);
	g_autofree char *xml = test_xml("a", uuid_a, "<on_crash>restart</on_crash>");
	rpc_domain dom = client_define(s.c, xml);
	int reason;

	want_events(s.c, 0, &dom);
	g_assert_true(client_do(s.c, RPC_PROC_DOMAIN_CREATE, dom));
	expect_lifecycle(s.c, 2, 0);
	machine_paused(script.last, 5);
	expect_lifecycle(s.c, 3, 2);
	g_assert_cmpint(client_state(s.c, dom, &reason), ==, 3);
	g_assert_cmpint(reason, ==, 5);
	machine_resumed(script.last);
	expect_lifecycle(s.c, 4, 0);
	/* A crash: it begins anew, with another identity. */
	machine_ended(script.last, MACHINE_END_CRASHED, "killed");
	expect_lifecycle(s.c, 5, 2);
	expect_lifecycle(s.c, 2, 0);
	g_assert_true(client_find(s.c, "a", &dom));
	g_assert_cmpint(dom.id, ==, 2);
	machine_shutting_down(script.last);
	expect_lifecycle(s.c, 6, 1);
	machine_ended(script.last, MACHINE_END_SHUTDOWN, NULL);
	expect_lifecycle(s.c, 5, 0);
	g_assert_cmpint(client_state(s.c, dom, &reason), ==, 5);
	g_assert_cmpint(reason, ==, 1);
	g_assert_cmpuint(script.machines, ==, 0);
	end(&s);
}

static void test_events_are_asked_for(void)
{
	struct setup s = begin(false);
	struct test_client *deaf = client_open(s.server, false),
			   *old = client_open(s.server, false);
	g_autofree char *xml_a = test_xml("a", uuid_a, NULL), *xml_b = test_xml("b", uuid_b, NULL);
	rpc_domain a = client_define(s.c, xml_a), b = client_define(s.c, xml_b);
	rpc_connect_domain_event_callback_deregister_any_args drop = { .callbackID = 0 };
	rpc_connect_domain_event_callback_register_any_args wrong = { .eventID = 27 };
	rpc_connect_domain_event_register_ret ret;
	uint32_t serial;
	struct rpc_received received;

	g_assert_false(client_call(s.c, RPC_PROC_CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY,
				   connect_domain_event_callback_register_any, &wrong));
	want_events(s.c, 0, &b);
	g_assert_true(client_call_xdr(old, RPC_PROC_CONNECT_DOMAIN_EVENT_REGISTER, NULL, NULL,
				      (xdrproc_t)xdr_rpc_connect_domain_event_register_ret, &ret,
				      sizeof(ret)));
	g_assert_true(client_do(s.c, RPC_PROC_DOMAIN_CREATE, a));
	g_assert_cmpuint(client_pending(s.c), ==, 0);
	/* The event is there before the answer to the call that has caused it. */
	serial = client_send_xdr(s.c, RPC_PROC_DOMAIN_CREATE, (xdrproc_t)xdr_rpc_domain_create_args,
				 &(rpc_domain_create_args){ .dom = b });
	g_assert_cmpuint(client_pending(s.c), ==, 2);
	g_assert_true(
		rpc_received_init(&received, rpc_message_packet(s.c->messages.head->data), NULL));
	g_assert_cmpint(received.header.procedure, ==, RPC_PROC_DOMAIN_EVENT_CALLBACK_LIFECYCLE);
	g_assert_cmpuint(received.header.serial, ==, 1);
	rpc_message_free(client_take(s.c, serial));
	expect_lifecycle(s.c, 2, 0);
	g_assert_cmpuint(client_pending(deaf), ==, 0);
	/* The old kind has no callback's number. */
	g_assert_cmpuint(client_pending(old), ==, 2);
	g_assert_true(
		rpc_received_init(&received, rpc_message_packet(old->messages.head->data), NULL));
	g_assert_cmpint(received.header.procedure, ==, 107);
	g_assert_cmpuint(received.body.len, ==, 8 + 16 + 4 + 8);
	g_assert_true(client_call(s.c, RPC_PROC_CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY,
				  connect_domain_event_callback_deregister_any, &drop));
	g_assert_false(client_call(s.c, RPC_PROC_CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY,
				   connect_domain_event_callback_deregister_any, &drop));
	g_assert_true(client_do(s.c, RPC_PROC_DOMAIN_DESTROY, b));
	g_assert_cmpuint(client_pending(s.c), ==, 0);
	client_free(deaf);
	client_free(old);
	end(&s);
}

static void expect_pin(struct test_client *c, const char *name)
{
	rpc_domain_event_callback_tunable_msg msg;

	g_assert_true(client_event(c, RPC_PROC_DOMAIN_EVENT_CALLBACK_TUNABLE,
				   domain_event_callback_tunable, &msg));
	g_assert_cmpuint(msg.params.params_len, ==, 1);
	g_assert_cmpstr(msg.params.params_val[0].field, ==, name);
	g_assert_cmpint(msg.params.params_val[0].value.type, ==, RPC_PARAM_STRING);
	g_assert_cmpstr(msg.params.params_val[0].value.rpc_param_value_u.s, ==, "0");
	rpc_body_release(rpc_domain_event_callback_tunable_msg, &msg);
}

/* Where a machine runs from now on is told; where it will run when it starts is not. */
static void test_pin_events(void)
{
	enum {
		LIVE = 1,
		CONFIG = 2,
		TUNABLE = 17,
	};
	struct setup s = begin(false);
	char first[] = { 1 };
	g_autofree char *xml = test_xml("a", uuid_a, NULL);
	rpc_domain dom = client_define(s.c, xml);
	rpc_domain_pin_vcpu_flags_args vcpu = { .dom = dom, .cpumap = { 1, first } };
	rpc_domain_pin_emulator_args emulator = { .dom = dom, .cpumap = { 1, first } };

	want_events(s.c, TUNABLE, NULL);
	g_assert_true(client_do(s.c, RPC_PROC_DOMAIN_CREATE, dom));
	vcpu.flags = emulator.flags = CONFIG;
	g_assert_true(
		client_call(s.c, RPC_PROC_DOMAIN_PIN_VCPU_FLAGS, domain_pin_vcpu_flags, &vcpu));
	g_assert_true(
		client_call(s.c, RPC_PROC_DOMAIN_PIN_EMULATOR, domain_pin_emulator, &emulator));
	g_assert_cmpuint(client_pending(s.c), ==, 0);
	vcpu.flags = emulator.flags = LIVE;
	g_assert_true(
		client_call(s.c, RPC_PROC_DOMAIN_PIN_VCPU_FLAGS, domain_pin_vcpu_flags, &vcpu));
	expect_pin(s.c, "cputune.vcpupin0");
	g_assert_true(
		client_call(s.c, RPC_PROC_DOMAIN_PIN_EMULATOR, domain_pin_emulator, &emulator));
	expect_pin(s.c, "cputune.emulatorpin");
	g_assert_true(client_do(s.c, RPC_PROC_DOMAIN_DESTROY, dom));
	end(&s);
}

/* == What cannot be kept has not happened == */

static void test_store_fails(void)
{
	struct setup s = begin(true);
	g_autofree char *xml = test_xml("a", uuid_a, "<title>old</title>"), *shown = NULL;
	g_autofree char *other = test_xml("a", uuid_a, "<title>new</title>");
	rpc_domain dom;
	rpc_domain_set_autostart_args start = { .autostart = 1 };
	rpc_domain_get_autostart_ret starts;
	char title[] = "new", *title_text = title, name[] = "b", *name_text = name;
	rpc_domain_set_metadata_args metadata = { .type = 1, .metadata = &title_text };
	rpc_domain_rename_args rename = { .new_name = &name_text };
	char empty[] = "<domainsnapshot/>";
	rpc_domain_snapshot_create_xml_args snapshot = { .xml_desc = empty };
	rpc_domain_snapshot_num_ret num;

	script.store_fail = "the disk is full";
	g_assert_false(define(s.c, "a", uuid_a));
	g_assert_nonnull(strstr(s.c->error, "the disk is full"));
	g_assert_false(client_find(s.c, "a", NULL));
	script.store_fail = NULL;
	dom = client_define(s.c, xml);
	start.dom = metadata.dom = rename.dom = snapshot.dom = dom;
	script.store_fail = "the disk is full";
	{
		rpc_domain_define_xml_args args = { .xml = other };

		g_assert_false(
			client_call(s.c, RPC_PROC_DOMAIN_DEFINE_XML, domain_define_xml, &args));
	}
	g_assert_false(
		client_call(s.c, RPC_PROC_DOMAIN_SET_METADATA, domain_set_metadata, &metadata));
	shown = client_xml(s.c, dom, 0);
	g_assert_nonnull(strstr(shown, "<title>old</title>"));
	g_assert_false(
		client_call(s.c, RPC_PROC_DOMAIN_SET_AUTOSTART, domain_set_autostart, &start));
	g_assert_true(client_ask(s.c, RPC_PROC_DOMAIN_GET_AUTOSTART, domain_get_autostart,
				 &(rpc_domain_get_autostart_args){ .dom = dom }, &starts));
	g_assert_cmpint(starts.autostart, ==, 0);
	g_assert_false(client_call(s.c, RPC_PROC_DOMAIN_RENAME, domain_rename, &rename));
	g_assert_true(client_find(s.c, "a", NULL));
	g_assert_false(client_find(s.c, "b", NULL));
	g_assert_false(client_call(s.c, RPC_PROC_DOMAIN_SNAPSHOT_CREATE_XML,
				   domain_snapshot_create_xml, &snapshot));
	g_assert_true(client_ask(s.c, RPC_PROC_DOMAIN_SNAPSHOT_NUM, domain_snapshot_num,
				 &(rpc_domain_snapshot_num_args){ .dom = dom }, &num));
	g_assert_cmpint(num.num, ==, 0);
	g_assert_false(client_do(s.c, RPC_PROC_DOMAIN_UNDEFINE, dom));
	g_assert_true(client_find(s.c, "a", NULL));
	script.store_fail = NULL;
	g_assert_true(client_do(s.c, RPC_PROC_DOMAIN_UNDEFINE, dom));
	end(&s);
}

/* == A daemon that starts anew has all that the old one had == */

static void test_restart(void)
{
	struct setup s = begin(true);
	g_autofree char *xml_a = test_xml("a", uuid_a,
					  "<devices><disk><source file='/x'/><target "
					  "dev='vda'/></disk></devices>");
	g_autofree char *before = NULL, *after = NULL;
	rpc_domain a = client_define(s.c, xml_a);
	rpc_domain_set_autostart_args start = { .dom = a, .autostart = 1 };
	char text[] = "<domainsnapshot><name>one</name></domainsnapshot>";
	rpc_domain_snapshot_create_xml_args snapshot = { .dom = a, .xml_desc = text };
	rpc_domain_has_current_snapshot_ret current;
	struct node *node;
	int reason;

	g_assert_true(
		client_call(s.c, RPC_PROC_DOMAIN_SET_AUTOSTART, domain_set_autostart, &start));
	g_assert_true(client_call(s.c, RPC_PROC_DOMAIN_SNAPSHOT_CREATE_XML,
				  domain_snapshot_create_xml, &snapshot));
	g_assert_true(create_xml(s.c, "b", uuid_b, 0));
	before = client_xml(s.c, a, 0);
	client_free(s.c);
	server_free(s.server);
	node_free(s.node);
	/* The machine went on: the old daemon has only let it go. */
	g_assert_cmpuint(g_hash_table_size(script.kept[STORE_STATUS]), ==, 1);
	node = script_node(true, 0);
	script_load(node);
	node_loaded(node, true);
	s.node = node;
	s.server = test_server(node);
	s.c = client_open(s.server, false);
	{
		rpc_domain b;

		g_assert_true(client_find(s.c, "b", &b));
		g_assert_cmpint(client_state(s.c, b, NULL), ==, 1);
		g_assert_cmpint(b.id, ==, 1);
	}
	/* It was to start with the host, and its identity is new. */
	g_assert_cmpint(client_state(s.c, a, &reason), ==, 1);
	after = client_xml(s.c, a, 2);
	g_assert_cmpstr(before, ==, after);
	g_assert_true(client_ask(s.c, RPC_PROC_DOMAIN_HAS_CURRENT_SNAPSHOT,
				 domain_has_current_snapshot,
				 &(rpc_domain_has_current_snapshot_args){ .dom = a }, &current));
	g_assert_cmpint(current.result, ==, 1);
	end(&s);
}

/* A machine that has ended meanwhile is told so. */
static void test_restart_ended(void)
{
	struct setup s = begin(true);
	g_autofree char *xml = test_xml("a", uuid_a, NULL), *status = NULL;
	rpc_domain a = client_define(s.c, xml);
	char *at;
	int reason;

	g_assert_true(client_do(s.c, RPC_PROC_DOMAIN_CREATE, a));
	client_free(s.c);
	server_free(s.server);
	node_free(s.node);
	status = g_strdup(g_hash_table_lookup(script.kept[STORE_STATUS], uuid_a));
	at = strstr(status, "machine alive");
	g_assert_nonnull(at);
	memcpy(at, "machine gone.", 13);
	g_hash_table_replace(script.kept[STORE_STATUS], g_strdup(uuid_a), g_strdup(status));
	s.node = script_node(true, 0);
	script_load(s.node);
	node_loaded(s.node, false);
	s.server = test_server(s.node);
	s.c = client_open(s.server, false);
	g_assert_cmpint(client_state(s.c, a, &reason), ==, 5);
	g_assert_cmpint(reason, ==, 3);
	g_assert_cmpuint(g_hash_table_size(script.kept[STORE_STATUS]), ==, 0);
	end(&s);
}

static void test_load_nonsense(void)
{
	struct node *node = script_node(true, 0);
	static const char *const texts[] = {
		"",
		"<domain/>",
		"<!--\nsocle domain\n",
		"<!--\nsocle domain\n-->\n",
		"<!--\nsocle status\n-->\n<domain type='test'><name>a</name></domain>",
		"<!--\nsocle domain\n-->\n<domain type='test'><name>a</name></domain>",
		"<!--\nsocle snapshots\n-->\n<!-- snapshot 99999 -->\n<x/>",
	};

	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
		for (unsigned kind = 0; kind < STORE_KIND_COUNT; kind++) {
			g_autoptr(GError) error = NULL;

			g_assert_false(node_load(node, kind, uuid_a, texts[i], &error));
			g_assert_nonnull(error);
		}
	}
	node_free(node);
}

/* == What is told of a machine that runs is kept before == */

static uint32_t send_do(struct test_client *c, int proc, rpc_domain dom)
{
	rpc_domain_create_args args = { .dom = dom };

	return client_send_xdr(c, proc, (xdrproc_t)xdr_rpc_domain_create_args, &args);
}

static void test_start_is_kept(void)
{
	struct setup s = begin(true);
	g_autofree char *xml = test_xml("a", uuid_a, NULL);
	rpc_domain dom = client_define(s.c, xml);
	struct rpc_message *answer;
	uint32_t serial;

	/* The file, then the answer; the same at its end. */
	static const int procs[] = { RPC_PROC_DOMAIN_CREATE, RPC_PROC_DOMAIN_DESTROY };
	for (size_t i = 0; i < ARRAY_SIZE(procs); i++) {
		script.store_hold = true;
		serial = send_do(s.c, procs[i], dom);
		turn();
		g_assert_null(client_take(s.c, serial));
		script.store_hold = false;
		script_store_release(NULL);
		turn();
		answer = client_take(s.c, serial);
		g_assert_nonnull(answer);
		rpc_message_free(answer);
		g_assert_cmpuint(g_hash_table_size(script.kept[STORE_STATUS]), ==, i == 0);
	}
	end(&s);
}

static void test_live_is_kept(void)
{
	struct setup s = begin(true);
	g_autofree char *xml = test_xml("a", uuid_a, "<title>old</title>"), *shown = NULL;
	rpc_domain dom = client_define(s.c, xml);
	char title[] = "new", *title_text = title;
	rpc_domain_set_metadata_args args = {
		.dom = dom, .type = 1, .metadata = &title_text, .flags = 1 /* live */
	};

	g_assert_true(client_do(s.c, RPC_PROC_DOMAIN_CREATE, dom));
	g_test_expect_message(NULL, G_LOG_LEVEL_WARNING, "*cannot be kept for now*");
	script.store_fail = "the disk is full";
	g_assert_false(client_call(s.c, RPC_PROC_DOMAIN_SET_METADATA, domain_set_metadata, &args));
	g_assert_nonnull(strstr(s.c->error, "the disk is full"));
	shown = client_xml(s.c, dom, 0);
	g_assert_nonnull(strstr(shown, "<title>old</title>"));
	g_test_assert_expected_messages();
	/* Whatever else happens to it meanwhile is kept as soon as that is possible. */
	g_assert_true(client_do(s.c, RPC_PROC_DOMAIN_SUSPEND, dom));
	g_hash_table_remove_all(script.kept[STORE_STATUS]);
	script.store_fail = NULL;
	turn_ms(1100);
	g_assert_cmpuint(g_hash_table_size(script.kept[STORE_STATUS]), ==, 1);
	g_assert_true(client_call(s.c, RPC_PROC_DOMAIN_SET_METADATA, domain_set_metadata, &args));
	g_assert_true(client_do(s.c, RPC_PROC_DOMAIN_DESTROY, dom));
	end(&s);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/domain/names", test_names);
	g_test_add_func("/domain/garbled-xml", test_garbled_xml);
	g_test_add_func("/domain/life", test_life);
	g_test_add_func("/domain/transient", test_transient);
	g_test_add_func("/domain/autodestroy", test_autodestroy);
	g_test_add_func("/domain/autodestroy-early", test_autodestroy_early);
	g_test_add_func("/domain/autodestroy-late", test_autodestroy_late);
	g_test_add_func("/domain/ends", test_ends);
	g_test_add_func("/domain/events", test_events_are_asked_for);
	g_test_add_func("/domain/pin-events", test_pin_events);
	g_test_add_func("/domain/store-fails", test_store_fails);
	g_test_add_func("/domain/start-is-kept", test_start_is_kept);
	g_test_add_func("/domain/live-is-kept", test_live_is_kept);
	g_test_add_func("/domain/restart", test_restart);
	g_test_add_func("/domain/restart-ended", test_restart_ended);
	g_test_add_func("/domain/load-nonsense", test_load_nonsense);
	return g_test_run();
}
