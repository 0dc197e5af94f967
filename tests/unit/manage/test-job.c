/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-job.c - who waits for whom, and how long; streams
 */
#include <string.h>

#include "client.h"
#include "rpc/stream.h"
#include "script.h"

static const char uuid_a[] = "00000000-0000-4000-8000-00000000000a";
static const char uuid_b[] = "00000000-0000-4000-8000-00000000000b";

struct setup {
	struct node *node;
	struct server *server;
	struct test_client *c;
	rpc_domain a, b;
};

static rpc_domain start_one(struct test_client *c, const char *name, const char *uuid)
{
	g_autofree char *xml = test_xml(name, uuid, NULL);
	rpc_domain dom = client_define(c, xml);

	g_assert_true(client_do(c, RPC_PROC_DOMAIN_CREATE, dom));
	return dom;
}

static struct setup begin_kept(bool store, unsigned deadline_ms)
{
	struct setup s = { 0 };

	script_reset();
	s.node = script_node(store, deadline_ms);
	s.server = test_server(s.node);
	s.c = client_open(s.server, false);
	return s;
}

static struct setup begin(unsigned deadline_ms)
{
	struct setup s = begin_kept(false, deadline_ms);

	s.a = start_one(s.c, "a", uuid_a);
	s.b = start_one(s.c, "b", uuid_b);
	return s;
}

static void end(struct setup *s)
{
	client_free(s->c);
	server_free(s->server);
	node_free(s->node);
	g_assert_cmpuint(script.machines, ==, 0);
}

static uint32_t send_domain(struct test_client *c, int proc, rpc_domain dom)
{
	return client_send_xdr(c, proc, (xdrproc_t)xdr_rpc_domain_create_args,
			       &(rpc_domain_create_args){ .dom = dom });
}

/* Changes of one domain come one after the other; queries and other domains wait for none. */
static void test_queue(void)
{
	struct setup s = begin(0);
	uint32_t first, second;

	script.hold = true;
	first = send_domain(s.c, RPC_PROC_DOMAIN_SUSPEND, s.a);
	second = send_domain(s.c, RPC_PROC_DOMAIN_RESUME, s.a);
	g_assert_cmpuint(script.held.length, ==, 1);
	g_assert_null(client_take(s.c, first));
	g_assert_cmpint(client_state(s.c, s.a, NULL), ==, 1);
	g_free(client_xml(s.c, s.a, 0));
	script.hold = false;
	g_assert_true(client_do(s.c, RPC_PROC_DOMAIN_SUSPEND, s.b));
	script.hold = true;
	script_release(NULL);
	g_assert_true(client_read(s.c, client_wait(s.c, first), NULL, NULL, 0));
	g_assert_cmpint(client_state(s.c, s.a, NULL), ==, 3);
	g_assert_null(client_take(s.c, second));
	script_release(NULL);
	g_assert_true(client_read(s.c, client_wait(s.c, second), NULL, NULL, 0));
	g_assert_cmpint(client_state(s.c, s.a, NULL), ==, 1);
	end(&s);
}

/* After the deadline the client is told, and it goes on; what had not begun never does. */
static void test_deadline(void)
{
	struct setup s = begin(50);
	rpc_connect_domain_event_callback_register_any_args events = { .eventID = 0 };
	rpc_domain_event_callback_lifecycle_msg msg;
	uint32_t first, second;

	client_call(s.c, RPC_PROC_CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY,
		    connect_domain_event_callback_register_any, &events);
	script.hold = true;
	first = send_domain(s.c, RPC_PROC_DOMAIN_SUSPEND, s.a);
	second = send_domain(s.c, RPC_PROC_DOMAIN_RESUME, s.a);
	g_assert_false(client_read(s.c, client_wait(s.c, first), NULL, NULL, 0));
	g_assert_cmpint(s.c->code, ==, RPC_CODE_OPERATION_TIMEOUT);
	g_assert_nonnull(strstr(s.c->error, "it goes on"));
	g_assert_false(client_read(s.c, client_wait(s.c, second), NULL, NULL, 0));
	g_assert_cmpint(s.c->code, ==, RPC_CODE_OPERATION_TIMEOUT);
	g_assert_nonnull(strstr(s.c->error, "was not begun"));
	/* The job is still there. */
	second = send_domain(s.c, RPC_PROC_DOMAIN_RESUME, s.a);
	g_assert_cmpuint(script.held.length, ==, 1);
	g_assert_cmpint(client_state(s.c, s.a, NULL), ==, 1);
	script_release(NULL);
	g_assert_cmpint(client_state(s.c, s.a, NULL), ==, 3);
	g_assert_true(client_event(s.c, RPC_PROC_DOMAIN_EVENT_CALLBACK_LIFECYCLE,
				   domain_event_callback_lifecycle, &msg));
	g_assert_cmpint(msg.event, ==, 3);
	rpc_body_release(rpc_domain_event_callback_lifecycle_msg, &msg);
	script_release(NULL);
	g_assert_true(client_read(s.c, client_wait(s.c, second), NULL, NULL, 0));
	end(&s);
}

static uint32_t send_autostart(struct test_client *c, rpc_domain dom)
{
	return client_send_xdr(c, RPC_PROC_DOMAIN_SET_AUTOSTART,
			       (xdrproc_t)xdr_rpc_domain_set_autostart_args,
			       &(rpc_domain_set_autostart_args){ .dom = dom, .autostart = 1 });
}

/* Clients that fill a domain's queue are refused; what the domain needs itself has a place in it. */
static void test_full_queue(void)
{
	enum {
		QUEUE_MAX = 64
	};
	struct setup s = begin_kept(true, 0);
	g_autofree char *xml = test_xml("a", uuid_a, "<on_poweroff>restart</on_poweroff>");
	struct test_client *others[] = { client_open(s.server, false),
					 client_open(s.server, false) };
	struct dom *dom;
	uint32_t last = 0;

	s.a = client_define(s.c, xml);
	g_assert_true(client_do(s.c, RPC_PROC_DOMAIN_CREATE, s.a));
	dom = script.last;
	script.store_hold = true;
	for (unsigned i = 0; i < QUEUE_MAX; i++)
		last = send_autostart(i < QUEUE_MAX / 2 ? s.c : others[0], s.a);
	g_assert_null(client_take(others[0], last));
	last = send_autostart(others[1], s.a);
	g_assert_false(client_read(others[1], client_wait(others[1], last), NULL, NULL, 0));
	g_assert_cmpint(others[1]->code, ==, RPC_CODE_RESOURCE_BUSY);
	/* The guest powers off, and its definition says that it begins anew. */
	machine_ended(dom, MACHINE_END_SHUTDOWN, NULL);
	g_assert_cmpuint(script.started, ==, 1);
	script.store_hold = false;
	while (script.store_held.length)
		script_store_release(NULL);
	g_assert_cmpuint(script.started, ==, 2);
	g_assert_cmpint(client_state(s.c, s.a, NULL), ==, 1);
	/* All of them are done: there is room again. */
	last = send_autostart(others[1], s.a);
	g_assert_true(client_read(others[1], client_wait(others[1], last), NULL, NULL, 0));
	client_free(others[0]);
	client_free(others[1]);
	end(&s);
}

/* What waits behind a job that the machine's end has ended finds a domain without a machine. */
static void test_create_behind_an_end(void)
{
	struct setup s = begin(0);
	uint32_t first, second;

	script.hold = true;
	first = send_domain(s.c, RPC_PROC_DOMAIN_SUSPEND, s.a);
	second = send_domain(s.c, RPC_PROC_DOMAIN_CREATE, s.a);
	script.hold = false;
	g_assert_true(client_do(s.c, RPC_PROC_DOMAIN_DESTROY, s.a));
	g_assert_false(client_read(s.c, client_wait(s.c, first), NULL, NULL, 0));
	g_assert_true(client_read(s.c, client_wait(s.c, second), NULL, NULL, 0));
	g_assert_cmpint(client_state(s.c, s.a, NULL), ==, 1);
	end(&s);
}

static void test_destroy_waits_for_nobody(void)
{
	struct setup s = begin(0);
	uint32_t first, second;

	script.hold = true;
	first = send_domain(s.c, RPC_PROC_DOMAIN_SUSPEND, s.a);
	second = send_domain(s.c, RPC_PROC_DOMAIN_RESUME, s.a);
	g_assert_true(client_do(s.c, RPC_PROC_DOMAIN_DESTROY, s.a));
	g_assert_false(client_read(s.c, client_wait(s.c, first), NULL, NULL, 0));
	g_assert_false(client_read(s.c, client_wait(s.c, second), NULL, NULL, 0));
	g_assert_cmpint(s.c->code, ==, RPC_CODE_OPERATION_INVALID);
	g_assert_cmpint(client_state(s.c, s.a, NULL), ==, 5);
	end(&s);
}

/* In the middle of its start. */
static void test_destroy_start(void)
{
	struct setup s = begin(0);
	uint32_t serial;

	g_assert_true(client_do(s.c, RPC_PROC_DOMAIN_DESTROY, s.a));
	script.hold = true;
	serial = send_domain(s.c, RPC_PROC_DOMAIN_CREATE, s.a);
	g_assert_cmpint(client_state(s.c, s.a, NULL), ==, 3);
	g_assert_true(client_do(s.c, RPC_PROC_DOMAIN_DESTROY, s.a));
	g_assert_false(client_read(s.c, client_wait(s.c, serial), NULL, NULL, 0));
	g_assert_cmpint(client_state(s.c, s.a, NULL), ==, 5);
	g_assert_cmpuint(script.machines, ==, 1);
	script.hold = false;
	g_assert_true(client_do(s.c, RPC_PROC_DOMAIN_CREATE, s.a));
	end(&s);
}

/* Its calls go on without it, and hold nobody up. */
static void test_client_goes(void)
{
	struct setup s = begin(0);
	struct test_client *other = client_open(s.server, false);

	script.hold = true;
	send_domain(other, RPC_PROC_DOMAIN_SUSPEND, s.a);
	client_free(other);
	script_release(NULL);
	g_assert_cmpint(client_state(s.c, s.a, NULL), ==, 3);
	end(&s);
}

static void test_open_calls(void)
{
	struct setup s = begin(0);
	uint32_t serials[PEER_CALLS_MAX];

	script.hold = true;
	for (unsigned i = 0; i < PEER_CALLS_MAX; i++) {
		g_assert_true(peer_wants_input(s.c->peer));
		serials[i] = send_domain(s.c, RPC_PROC_DOMAIN_SUSPEND, s.a);
	}
	g_assert_false(peer_wants_input(s.c->peer));
	script.hold = false;
	script_release(NULL);
	for (unsigned i = 0; i < PEER_CALLS_MAX; i++)
		rpc_message_free(client_wait(s.c, serials[i]));
	g_assert_true(peer_wants_input(s.c->peer));
	end(&s);
}

/* == A machine that hangs == */

static unsigned count_params(const rpc_domain_stats_record *record, const char *name)
{
	unsigned n = 0;

	for (unsigned i = 0; i < record->params.params_len; i++)
		n += !strcmp(record->params.params_val[i].field, name);
	return n;
}

static void test_hung_stats(void)
{
	struct setup s = begin(0);
	rpc_connect_get_all_domain_stats_args args = { .stats = 0 };
	rpc_connect_get_all_domain_stats_ret ret;
	gint64 began = g_get_monotonic_time();

	script.hold_queries = true;
	g_assert_true(client_ask(s.c, RPC_PROC_CONNECT_GET_ALL_DOMAIN_STATS,
				 connect_get_all_domain_stats, &args, &ret));
	g_assert_cmpint(g_get_monotonic_time() - began, <, 5 * G_USEC_PER_SEC);
	g_assert_cmpuint(ret.retStats.retStats_len, ==, 2);
	for (unsigned i = 0; i < 2; i++) {
		g_assert_cmpuint(count_params(&ret.retStats.retStats_val[i], "state.state"), ==, 1);
		g_assert_cmpuint(count_params(&ret.retStats.retStats_val[i], "balloon.maximum"), ==,
				 1);
		g_assert_cmpuint(count_params(&ret.retStats.retStats_val[i], "cpu.time"), ==, 0);
	}
	rpc_body_release(rpc_connect_get_all_domain_stats_ret, &ret);
	/* What is late is nobody's. */
	script_release(NULL);
	script_release("late, and wrong");
	script.hold_queries = false;
	g_assert_true(client_ask(s.c, RPC_PROC_CONNECT_GET_ALL_DOMAIN_STATS,
				 connect_get_all_domain_stats, &args, &ret));
	g_assert_cmpuint(count_params(&ret.retStats.retStats_val[0], "cpu.time"), ==, 1);
	rpc_body_release(rpc_connect_get_all_domain_stats_ret, &ret);
	end(&s);
}

static void test_hung_info(void)
{
	struct setup s = begin(0);
	rpc_domain_get_info_args args = { .dom = s.a };
	rpc_domain_get_info_ret ret;

	script.hold_queries = true;
	g_assert_true(client_ask(s.c, RPC_PROC_DOMAIN_GET_INFO, domain_get_info, &args, &ret));
	g_assert_cmpint(ret.state, ==, 1);
	g_assert_cmpuint(ret.maxMem, ==, 1024);
	g_assert_cmpuint(ret.cpuTime, ==, 0);
	g_assert_true(client_do(s.c, RPC_PROC_DOMAIN_DESTROY, s.a));
	end(&s);
}

static void test_plug_fails(void)
{
	struct setup s = begin(0);
	char xml[] = "<disk><source file='/x'/><target dev='vdb'/></disk>";
	rpc_domain_attach_device_flags_args args = { .dom = s.a, .xml = xml, .flags = 3 };
	g_autofree char *live = NULL, *config = NULL;

	script.fail = "no slot";
	g_assert_false(client_call(s.c, RPC_PROC_DOMAIN_ATTACH_DEVICE_FLAGS,
				   domain_attach_device_flags, &args));
	g_assert_cmpstr(s.c->error, ==, "no slot");
	live = client_xml(s.c, s.a, 0);
	config = client_xml(s.c, s.a, 2);
	g_assert_null(strstr(live, "vdb"));
	g_assert_null(strstr(config, "vdb"));
	g_assert_true(client_call(s.c, RPC_PROC_DOMAIN_ATTACH_DEVICE_FLAGS,
				  domain_attach_device_flags, &args));
	g_free(live);
	g_free(config);
	live = client_xml(s.c, s.a, 0);
	config = client_xml(s.c, s.a, 2);
	g_assert_nonnull(strstr(live, "vdb"));
	g_assert_nonnull(strstr(config, "vdb"));
	g_assert_cmpuint(script.plugged, ==, 2);
	end(&s);
}

/* == The guest's agent, whose word is a stranger's == */

static bool ask_hostname(struct setup *s, const char *answer, char *ret_name)
{
	rpc_domain_get_hostname_args args = { .dom = s->a };
	rpc_domain_get_hostname_ret ret;

	script.agent = answer;
	if (!client_ask(s->c, RPC_PROC_DOMAIN_GET_HOSTNAME, domain_get_hostname, &args, &ret))
		return false;
	g_strlcpy(ret_name, ret.hostname, 32);
	rpc_body_release(rpc_domain_get_hostname_ret, &ret);
	return true;
}

static void test_agent(void)
{
	struct setup s = begin(0);
	char name[32];
	static const char *const nonsense[] = {
		NULL, "", "{", "[]", "{}", "{\"return\":7}", "{\"return\":{\"host-name\":[]}}"
	};
	rpc_domain_interface_addresses_args args = { .dom = s.a, .source = 1 };
	rpc_domain_interface_addresses_ret ret;

	g_assert_true(ask_hostname(&s, "{\"return\":{\"host-name\":\"guest\"}}", name));
	g_assert_cmpstr(name, ==, "guest");
	g_assert_cmpstr(script.asked, ==, "{\"execute\":\"guest-get-host-name\"}");
	for (size_t i = 0; i < G_N_ELEMENTS(nonsense); i++) {
		g_assert_false(ask_hostname(&s, nonsense[i], name));
		g_assert_cmpint(s.c->code, ==, RPC_CODE_AGENT_UNRESPONSIVE);
	}
	g_assert_false(ask_hostname(&s, "{\"error\":{\"desc\":\"not allowed\"}}", name));
	g_assert_cmpint(s.c->code, ==, RPC_CODE_OPERATION_FAILED);
	g_assert_nonnull(strstr(s.c->error, "not allowed"));
	script.agent =
		"{\"return\":[{\"name\":\"eth0\",\"hardware-address\":\"52:54:00:0:0:1\","
		"\"ip-addresses\":[{\"ip-address\":\"10.0.0.2\",\"ip-address-type\":\"ipv4\","
		"\"prefix\":24},{\"ip-address\":3}]},{\"name\":null},{\"name\":\"lo\"}]}";
	g_assert_true(client_ask(s.c, RPC_PROC_DOMAIN_INTERFACE_ADDRESSES,
				 domain_interface_addresses, &args, &ret));
	g_assert_cmpuint(ret.ifaces.ifaces_len, ==, 2);
	g_assert_cmpuint(ret.ifaces.ifaces_val[0].addrs.addrs_len, ==, 1);
	g_assert_cmpstr(ret.ifaces.ifaces_val[0].addrs.addrs_val[0].addr, ==, "10.0.0.2");
	g_assert_cmpuint(ret.ifaces.ifaces_val[0].addrs.addrs_val[0].prefix, ==, 24);
	g_assert_null(ret.ifaces.ifaces_val[1].hwaddr);
	rpc_body_release(rpc_domain_interface_addresses_ret, &ret);
	end(&s);
}

static char *guest_info(struct setup *s, unsigned types)
{
	rpc_domain_get_guest_info_args args = { .dom = s->a, .types = types };
	rpc_domain_get_guest_info_ret ret;
	GString *text = g_string_new(NULL);

	if (!client_ask(s->c, RPC_PROC_DOMAIN_GET_GUEST_INFO, domain_get_guest_info, &args, &ret)) {
		g_string_free(text, TRUE);
		return NULL;
	}
	for (unsigned i = 0; i < ret.params.params_len; i++) {
		const rpc_param *p = &ret.params.params_val[i];

		g_string_append_printf(text, "%s", p->field);
		if (p->value.type == RPC_PARAM_STRING)
			g_string_append_printf(text, "=%s", p->value.rpc_param_value_u.s);
		g_string_append_c(text, ' ');
	}
	rpc_body_release(rpc_domain_get_guest_info_ret, &ret);
	return g_string_free(text, FALSE);
}

/* Kinds that the agent does not know are left out, unless they were asked for by name. */
static void test_guest_info(void)
{
	static const struct {
		unsigned types;
		const char *answer, *result;
	} cases[] = {
		{ 1, "[{\"user\":\"u\",\"login-time\":1.5},7]",
		  "user.count user.0.name=u user.0.login-time user.1.login-time " },
		{ 2, "{\"id\":\"debian\",\"variant\":3}", "os.id=debian " },
		{ 4, "{\"zone\":\"UTC\",\"offset\":0}", "timezone.name=UTC timezone.offset " },
		{ 8, "{\"host-name\":\"g\"}", "hostname=g " },
		{ 16,
		  "[{\"name\":\"vda1\",\"mountpoint\":\"/\",\"type\":\"ext4\",\"total-bytes\":9,"
		  "\"used-bytes\":-1,\"disk\":[{\"serial\":\"s\",\"dev\":\"/dev/vda\"}]}]",
		  "fs.count fs.0.name=vda1 fs.0.mountpoint=/ fs.0.fstype=ext4 fs.0.total-bytes "
		  "fs.0.disk.count fs.0.disk.0.serial=s fs.0.disk.0.device=/dev/vda " },
		{ 32, "[{\"name\":\"/dev/vda\",\"partition\":false,\"dependencies\":[\"x\",1]}]",
		  "disk.count disk.0.name=/dev/vda disk.0.partition disk.0.dependency.count "
		  "disk.0.dependency.0.name=x " },
		{ 64,
		  "[{\"name\":\"lo\",\"ip-addresses\":[{\"ip-address\":\"::1\",\"prefix\":128}]}]",
		  "if.count if.0.name=lo if.0.addr.count if.0.addr.0.addr=::1 "
		  "if.0.addr.0.prefix " },
		{ 9, "{\"host-name\":\"g\"}", "user.count hostname=g " },
	};
	struct setup s = begin(0);
	g_autofree char *all = NULL;

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *answer = g_strdup_printf("{\"return\":%s}", cases[i].answer);
		g_autofree char *text = NULL;

		script.agent = answer;
		text = guest_info(&s, cases[i].types);
		g_assert_cmpstr(text, ==, cases[i].result);
	}
	script.agent = "{\"error\":{\"class\":\"CommandNotFound\",\"desc\":\"no such command\"}}";
	g_assert_null(guest_info(&s, 1));
	g_assert_cmpint(s.c->code, ==, RPC_CODE_OPERATION_FAILED);
	all = guest_info(&s, 0);
	g_assert_cmpstr(all, ==, "");
	script.agent = NULL;
	g_assert_null(guest_info(&s, 0));
	g_assert_null(guest_info(&s, 128));
	g_assert_cmpint(s.c->code, ==, RPC_CODE_OPERATION_UNSUPPORTED);
	end(&s);
}

#define CPU(id, on, off) "{\"logical-id\":" id ",\"online\":" on ",\"can-offline\":" off "}"
#define CPUS                                                                            \
	"{\"return\":[" CPU("0", "true", "false") "," CPU("1", "true", "true") "," CPU( \
		"2", "false", "true") "]}"

static bool set_guest_cpus(struct setup *s, const char *map, int state)
{
	rpc_domain_set_guest_vcpus_args args = { .dom = s->a,
						 .cpumap = (char *)(uintptr_t)map,
						 .state = state };

	return client_call(s->c, RPC_PROC_DOMAIN_SET_GUEST_VCPUS, domain_set_guest_vcpus, &args);
}

/* What the guest uses of its CPUs, and what it is asked to do without. */
static void test_guest_cpus(void)
{
	enum {
		BY_GUEST = 1 << 3
	};
	struct setup s = begin(0);
	rpc_domain_get_guest_vcpus_args args = { .dom = s.a };
	rpc_domain_get_guest_vcpus_ret ret;
	rpc_domain_get_vcpus_flags_args count_args = { .dom = s.a, .flags = BY_GUEST };
	rpc_domain_get_vcpus_flags_ret count;
	rpc_domain_set_vcpus_flags_args set = { .dom = s.a, .nvcpus = 1, .flags = BY_GUEST };

	script.agent = CPUS;
	g_assert_true(client_ask(s.c, RPC_PROC_DOMAIN_GET_GUEST_VCPUS, domain_get_guest_vcpus,
				 &args, &ret));
	g_assert_cmpuint(ret.params.params_len, ==, 3);
	g_assert_cmpstr(ret.params.params_val[0].value.rpc_param_value_u.s, ==, "0-2");
	g_assert_cmpstr(ret.params.params_val[1].value.rpc_param_value_u.s, ==, "0-1");
	g_assert_cmpstr(ret.params.params_val[2].value.rpc_param_value_u.s, ==, "1-2");
	rpc_body_release(rpc_domain_get_guest_vcpus_ret, &ret);
	g_assert_true(client_ask(s.c, RPC_PROC_DOMAIN_GET_VCPUS_FLAGS, domain_get_vcpus_flags,
				 &count_args, &count));
	g_assert_cmpint(count.num, ==, 2);
	/* The answer that comes again is no count of what was done. */
	g_assert_false(set_guest_cpus(&s, "1", 0));
	g_assert_cmpint(s.c->code, ==, RPC_CODE_OPERATION_FAILED);
	g_assert_cmpstr(script.asked, ==,
			"{\"execute\":\"guest-set-vcpus\",\"arguments\":{\"vcpus\":"
			"[{\"logical-id\":1,\"online\":false}]}}");
	g_assert_false(set_guest_cpus(&s, "0", 0));
	g_assert_cmpint(s.c->code, ==, RPC_CODE_INVALID_ARG);
	g_assert_false(set_guest_cpus(&s, "x", 0));
	g_assert_false(set_guest_cpus(&s, "7", 1));
	g_assert_false(
		client_call(s.c, RPC_PROC_DOMAIN_SET_VCPUS_FLAGS, domain_set_vcpus_flags, &set));
	g_assert_nonnull(strstr(script.asked, "[{\"logical-id\":1,\"online\":false}]"));
	set.nvcpus = 3;
	g_assert_false(
		client_call(s.c, RPC_PROC_DOMAIN_SET_VCPUS_FLAGS, domain_set_vcpus_flags, &set));
	g_assert_nonnull(strstr(script.asked, "[{\"logical-id\":2,\"online\":true}]"));
	set.nvcpus = 2;
	g_assert_true(
		client_call(s.c, RPC_PROC_DOMAIN_SET_VCPUS_FLAGS, domain_set_vcpus_flags, &set));
	set.nvcpus = 4;
	g_assert_false(
		client_call(s.c, RPC_PROC_DOMAIN_SET_VCPUS_FLAGS, domain_set_vcpus_flags, &set));
	g_assert_nonnull(strstr(s.c->error, "has 3 CPUs"));
	script.agent = "{\"return\":[{\"logical-id\":-1}]}";
	g_assert_false(set_guest_cpus(&s, "1", 0));
	g_assert_cmpint(s.c->code, ==, RPC_CODE_AGENT_UNRESPONSIVE);
	end(&s);
}

static void test_guest_keys(void)
{
	struct setup s = begin(0);
	char user[] = "root", key[] = "ssh-ed25519 A";
	rpc_text keys[] = { key };
	rpc_domain_authorized_ssh_keys_get_args get = { .dom = s.a, .user = user };
	rpc_domain_authorized_ssh_keys_get_ret ret;
	rpc_domain_authorized_ssh_keys_set_args set = { .dom = s.a,
							.user = user,
							.keys = { 1, keys } };

	script.agent = "{\"return\":{\"keys\":[\"a\",7,\"b\"]}}";
	g_assert_true(client_ask(s.c, RPC_PROC_DOMAIN_AUTHORIZED_SSH_KEYS_GET,
				 domain_authorized_ssh_keys_get, &get, &ret));
	g_assert_cmpuint(ret.keys.keys_len, ==, 2);
	g_assert_cmpstr(ret.keys.keys_val[1], ==, "b");
	rpc_body_release(rpc_domain_authorized_ssh_keys_get_ret, &ret);
	script.agent = "{\"return\":{}}";
	g_assert_true(client_call(s.c, RPC_PROC_DOMAIN_AUTHORIZED_SSH_KEYS_SET,
				  domain_authorized_ssh_keys_set, &set));
	g_assert_cmpstr(
		script.asked, ==,
		"{\"execute\":\"guest-ssh-add-authorized-keys\",\"arguments\":{\"username\":"
		"\"root\",\"keys\":[\"ssh-ed25519 A\"],\"reset\":true}}");
	set.flags = 2;
	g_assert_true(client_call(s.c, RPC_PROC_DOMAIN_AUTHORIZED_SSH_KEYS_SET,
				  domain_authorized_ssh_keys_set, &set));
	g_assert_nonnull(strstr(script.asked, "guest-ssh-remove-authorized-keys"));
	set.flags = 3;
	g_assert_false(client_call(s.c, RPC_PROC_DOMAIN_AUTHORIZED_SSH_KEYS_SET,
				   domain_authorized_ssh_keys_set, &set));
	end(&s);
}

/* == Streams, with the machines of the driver "test" == */

static uint32_t open_console(struct test_client *c, rpc_domain dom, unsigned flags)
{
	rpc_domain_open_console_args args = { .dom = dom, .flags = flags };

	return client_send_xdr(c, RPC_PROC_DOMAIN_OPEN_CONSOLE,
			       (xdrproc_t)xdr_rpc_domain_open_console_args, &args);
}

static struct rpc_header console_header(uint32_t serial)
{
	return (struct rpc_header){ .program = RPC_PROGRAM_REMOTE,
				    .version = RPC_VERSION,
				    .procedure = RPC_PROC_DOMAIN_OPEN_CONSOLE,
				    .type = RPC_TYPE_CALL,
				    .serial = serial };
}

static void feed(struct test_client *c, struct rpc_message *msg)
{
	struct span packet = rpc_message_packet(msg);

	client_feed(c, packet.p, packet.len);
	rpc_message_free(msg);
}

static enum rpc_stream_what next_part(struct test_client *c, uint32_t serial, char *text)
{
	struct rpc_message *msg = client_wait(c, serial);
	struct rpc_received received;
	struct rpc_stream_packet part;

	g_assert_true(rpc_received_init(&received, rpc_message_packet(msg), NULL));
	g_assert_true(rpc_stream_read(&received, &part, NULL));
	if (part.what == RPC_STREAM_DATA && text)
		memcpy(text, part.data.p, part.data.len);
	rpc_message_free(msg);
	return part.what;
}

static void test_console(void)
{
	struct node *node = node_new_test();
	struct server *server = test_server(node);
	struct test_client *c = client_open(server, false), *other = client_open(server, false);
	struct rpc_header header;
	char text[64] = "";
	uint32_t serial, second;
	rpc_domain dom;

	g_assert_true(client_find(c, "test", &dom));
	serial = open_console(c, dom, 0);
	g_assert_true(client_read(c, client_wait(c, serial), NULL, NULL, 0));
	header = console_header(serial);
	feed(c, rpc_stream_new_data(&header, "hello", 5, NULL));
	g_assert_cmpint(next_part(c, serial, text), ==, RPC_STREAM_DATA);
	g_assert_cmpstr(text, ==, "hello");
	/* One client at a time, unless it is forced. */
	second = open_console(other, dom, 0);
	g_assert_false(client_read(other, client_wait(other, second), NULL, NULL, 0));
	g_assert_cmpint(other->code, ==, RPC_CODE_OPERATION_INVALID);
	g_assert_true(
		g_str_has_prefix(other->error, "Active console session exists for this domain"));
	second = open_console(other, dom, 1);
	g_assert_true(client_read(other, client_wait(other, second), NULL, NULL, 0));
	g_assert_cmpint(next_part(c, serial, NULL), ==, RPC_STREAM_ABORT);
	header = console_header(second);
	feed(other, rpc_stream_new_finish(&header));
	g_assert_cmpint(next_part(other, second, NULL), ==, RPC_STREAM_FINISH);
	/* A machine that ends ends its consoles. */
	serial = open_console(c, dom, 0);
	g_assert_true(client_read(c, client_wait(c, serial), NULL, NULL, 0));
	g_assert_true(client_do(other, RPC_PROC_DOMAIN_DESTROY, dom));
	g_assert_cmpint(next_part(c, serial, NULL), ==, RPC_STREAM_END);
	header = console_header(serial);
	feed(c, rpc_stream_new_abort(&header));
	g_assert_cmpint(next_part(c, serial, NULL), ==, RPC_STREAM_ABORT);
	client_free(other);
	client_free(c);
	server_free(server);
	node_free(node);
}

/* A client that does not take what it has is sent no more; when it does, all comes. */
static void test_slow_client(void)
{
	struct node *node = node_new_test();
	struct server *server = test_server(node);
	struct test_client *c = client_open(server, false);
	struct rpc_header header;
	char text[64] = "";
	uint32_t serial;
	rpc_domain dom;

	g_assert_true(client_find(c, "test", &dom));
	serial = open_console(c, dom, 0);
	g_assert_true(client_read(c, client_wait(c, serial), NULL, NULL, 0));
	header = console_header(serial);
	peer_set_queued(c->peer, 1024 * 1024);
	feed(c, rpc_stream_new_data(&header, "one", 3, NULL));
	/* What it notices when the first is there. */
	g_assert_cmpint(next_part(c, serial, text), ==, RPC_STREAM_DATA);
	feed(c, rpc_stream_new_data(&header, "two", 3, NULL));
	turn();
	g_assert_cmpuint(client_pending(c), ==, 0);
	peer_set_queued(c->peer, 0);
	g_assert_cmpint(next_part(c, serial, text), ==, RPC_STREAM_DATA);
	g_assert_cmpstr(text, ==, "two");
	client_free(c);
	server_free(server);
	node_free(node);
}

/* What a stream could not hand on counts as long as there is the stream. */
static void test_stream_that_waits(void)
{
	enum {
		PIECE = 200000, /* bytes; more than 1 MiB of them stop the client */
		PIECES = 10,
	};
	struct node *node = node_new_test();
	struct server *server = test_server(node);
	struct test_client *c = client_open(server, false);
	g_autofree char *piece = g_malloc0(PIECE);
	struct rpc_header header;
	uint32_t serial;
	rpc_domain dom;

	g_assert_true(client_find(c, "test", &dom));
	serial = open_console(c, dom, 0);
	g_assert_true(client_read(c, client_wait(c, serial), NULL, NULL, 0));
	header = console_header(serial);
	/* The main loop does not turn, and so nobody reads at the other end. */
	for (unsigned i = 0; i < PIECES; i++)
		feed(c, rpc_stream_new_data(&header, piece, PIECE, NULL));
	g_assert_false(peer_wants_input(c->peer));
	feed(c, rpc_stream_new_abort(&header));
	g_assert_true(peer_wants_input(c->peer));
	client_free(c);
	server_free(server);
	node_free(node);
}

static void test_many_streams(void)
{
	struct node *node = node_new_test();
	struct server *server = test_server(node);
	struct test_client *c = client_open(server, false);

	for (unsigned i = 0; i <= PEER_STREAMS_MAX; i++) {
		g_autofree char *name = g_strdup_printf("m%u", i);
		g_autofree char *uuid = g_strdup_printf("00000000-0000-4000-8000-%012x", 0x100 + i);
		g_autofree char *xml =
			test_xml(name, uuid, "<devices><console type='pty'/></devices>");
		rpc_domain dom = client_define(c, xml);
		uint32_t serial;

		g_assert_true(client_do(c, RPC_PROC_DOMAIN_CREATE, dom));
		serial = open_console(c, dom, 0);
		g_assert_cmpint(client_read(c, client_wait(c, serial), NULL, NULL, 0), ==,
				i < PEER_STREAMS_MAX);
	}
	g_assert_cmpint(c->code, ==, RPC_CODE_OPERATION_FAILED);
	g_assert_nonnull(strstr(c->error, "64 streams open"));
	client_free(c);
	server_free(server);
	node_free(node);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/job/queue", test_queue);
	g_test_add_func("/job/deadline", test_deadline);
	g_test_add_func("/job/destroy", test_destroy_waits_for_nobody);
	g_test_add_func("/job/destroy-start", test_destroy_start);
	g_test_add_func("/job/client-goes", test_client_goes);
	g_test_add_func("/job/open-calls", test_open_calls);
	g_test_add_func("/job/full-queue", test_full_queue);
	g_test_add_func("/job/create-behind-an-end", test_create_behind_an_end);
	g_test_add_func("/job/hung-stats", test_hung_stats);
	g_test_add_func("/job/hung-info", test_hung_info);
	g_test_add_func("/job/plug-fails", test_plug_fails);
	g_test_add_func("/job/agent", test_agent);
	g_test_add_func("/job/guest-info", test_guest_info);
	g_test_add_func("/job/guest-cpus", test_guest_cpus);
	g_test_add_func("/job/guest-keys", test_guest_keys);
	g_test_add_func("/job/console", test_console);
	g_test_add_func("/job/slow-client", test_slow_client);
	g_test_add_func("/job/stream-that-waits", test_stream_that_waits);
	g_test_add_func("/job/many-streams", test_many_streams);
	return g_test_run();
}
