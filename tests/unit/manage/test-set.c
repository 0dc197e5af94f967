/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-set.c - what a client sets: limits in groups, flags that mean nothing here, numbers that cannot be
 */
#include <string.h>

#include "client.h"
#include "rpc/param.h"
#include "script.h"

static struct node *node;
static struct server *server;
static struct test_client *c;
static rpc_domain dom;

static void begin(void)
{
	node = node_new_test();
	server = test_server(node);
	c = client_open(server, false);
	g_assert_true(client_find(c, "test", &dom));
}

static void end(void)
{
	client_free(c);
	server_free(server);
	node_free(node);
}

static char disk_name[] = "vda", card_name[] = "testnet0";

static bool set_io(const char *name, uint64_t value)
{
	rpc_domain_set_block_io_tune_args args = { .dom = dom, .disk = disk_name, .flags = 1 };
	struct rpc_params params;
	bool ok;

	rpc_params_init(&params);
	rpc_params_add_ullong(&params, name, value);
	args.params.params_val = params.items;
	args.params.params_len = params.count;
	ok = client_call(c, RPC_PROC_DOMAIN_SET_BLOCK_IO_TUNE, domain_set_block_io_tune, &args);
	rpc_params_release(&params);
	return ok;
}

static bool xml_has(const char *text)
{
	g_autofree char *xml = client_xml(c, dom, 0);

	return strstr(xml, text) != NULL;
}

/* Who limits the total takes the limit of reads away, and leaves those of other groups. */
static void test_io_groups(void)
{
	begin();
	g_assert_true(set_io("read_bytes_sec", 4096));
	g_assert_true(set_io("read_iops_sec", 17));
	g_assert_true(set_io("total_bytes_sec", 8192));
	g_assert_true(xml_has("<total_bytes_sec>8192</total_bytes_sec>"));
	g_assert_false(xml_has("<read_bytes_sec>"));
	g_assert_true(xml_has("<read_iops_sec>17</read_iops_sec>"));
	g_assert_true(set_io("total_bytes_sec", 0));
	g_assert_false(xml_has("bytes_sec"));
	end();
}

struct set_card {
	const char *name; /* "inbound.average" */
	unsigned value;
};

static bool set_card(unsigned count, const struct set_card *list)
{
	rpc_domain_set_interface_parameters_args args = { .dom = dom,
							  .device = card_name,
							  .flags = 1 };
	struct rpc_params params;
	bool ok;

	rpc_params_init(&params);
	for (unsigned i = 0; i < count; i++)
		rpc_params_add_uint(&params, list[i].name, list[i].value);
	args.params.params_val = params.items;
	args.params.params_len = params.count;
	ok = client_call(c, RPC_PROC_DOMAIN_SET_INTERFACE_PARAMETERS,
			 domain_set_interface_parameters, &args);
	rpc_params_release(&params);
	return ok;
}

#define SET_CARD(...)                                                      \
	set_card(G_N_ELEMENTS(((const struct set_card[]){ __VA_ARGS__ })), \
		 (const struct set_card[]){ __VA_ARGS__ })

/* An average of 0 is how clients take a limit away. */
static void test_bandwidth(void)
{
	begin();
	g_assert_true(SET_CARD({ "inbound.average", 1000 }, { "inbound.peak", 2000 }));
	g_assert_true(xml_has("<inbound average='1000' peak='2000'/>"));
	/* A peak alone is another peak; with an average the whole way is another one. */
	g_assert_true(SET_CARD({ "inbound.peak", 3000 }, { "inbound.burst", 500 }));
	g_assert_true(xml_has("<inbound average='1000' peak='3000' burst='500'/>"));
	g_assert_true(SET_CARD({ "inbound.average", 4000 }, { "outbound.average", 50 }));
	g_assert_true(xml_has("<inbound average='4000'/>"));
	g_assert_true(SET_CARD({ "outbound.burst", 9 }, { "outbound.average", 60 }));
	g_assert_true(xml_has("<outbound average='60' burst='9'/>"));
	g_assert_true(xml_has("<inbound average='4000'/>"));
	g_assert_true(SET_CARD({ "inbound.average", 0 }));
	g_assert_false(xml_has("<inbound"));
	g_assert_true(xml_has("<outbound average='60' burst='9'/>"));
	end();
}

static void test_refused(void)
{
	rpc_domain_set_memory_args memory = { .memory = 0 };
	rpc_domain_shutdown_flags_args shutdown = { .flags = 4 };
	rpc_domain_reboot_args reboot = { .flags = 8 };

	begin();
	memory.dom = shutdown.dom = reboot.dom = dom;
	g_assert_false(client_call(c, RPC_PROC_DOMAIN_SET_MEMORY, domain_set_memory, &memory));
	g_assert_cmpint(c->code, ==, RPC_CODE_INVALID_ARG);
	g_assert_false(
		client_call(c, RPC_PROC_DOMAIN_SHUTDOWN_FLAGS, domain_shutdown_flags, &shutdown));
	g_assert_cmpint(c->code, ==, RPC_CODE_INVALID_ARG);
	g_assert_false(client_call(c, RPC_PROC_DOMAIN_REBOOT, domain_reboot, &reboot));
	g_assert_cmpint(c->code, ==, RPC_CODE_INVALID_ARG);
	end();
}

/* A domain that is named often is asked, and told of, once. */
static void test_stats_once(void)
{
	rpc_domain twice[2];
	rpc_connect_get_all_domain_stats_args args = { .doms = { 2, twice } };
	rpc_connect_get_all_domain_stats_ret ret;

	begin();
	twice[0] = twice[1] = dom;
	g_assert_true(client_ask(c, RPC_PROC_CONNECT_GET_ALL_DOMAIN_STATS,
				 connect_get_all_domain_stats, &args, &ret));
	g_assert_cmpuint(ret.retStats.retStats_len, ==, 1);
	rpc_body_release(rpc_connect_get_all_domain_stats_ret, &ret);
	end();
}

/* What happens while a machine is told of a change stays, also if it refuses that. */
static void test_refused_change(void)
{
	g_autofree char *xml = test_xml("a", NULL, NULL);
	rpc_domain_set_scheduler_parameters_flags_args args = { .flags = 1 };
	struct rpc_params params;
	uint32_t serial;

	script_reset();
	node = script_node(false, 0);
	server = test_server(node);
	c = client_open(server, false);
	dom = args.dom = client_define(c, xml);
	g_assert_true(client_do(c, RPC_PROC_DOMAIN_CREATE, dom));
	rpc_params_init(&params);
	rpc_params_add_ullong(&params, "cpu_shares", 17);
	args.params.params_val = params.items;
	args.params.params_len = params.count;
	script.hold = true;
	serial = client_send_xdr(c, RPC_PROC_DOMAIN_SET_SCHEDULER_PARAMETERS_FLAGS,
				 (xdrproc_t)xdr_rpc_domain_set_scheduler_parameters_flags_args,
				 &args);
	rpc_params_release(&params);
	machine_balloon_changed(script.last, 512);
	g_assert_true(xml_has("<shares>17</shares>"));
	script.hold = false;
	script_release("no");
	g_assert_false(client_read(c, client_wait(c, serial), NULL, NULL, 0));
	g_assert_false(xml_has("<shares>"));
	g_assert_true(xml_has("<currentMemory unit='KiB'>512</currentMemory>"));
	end();
}

static bool ask_time(rpc_domain of, const char *answer)
{
	rpc_domain_get_time_args args = { .dom = of };
	rpc_domain_get_time_ret ret;

	script.agent = answer;
	return client_ask(c, RPC_PROC_DOMAIN_GET_TIME, domain_get_time, &args, &ret);
}

/* The guest says what it likes. */
static void test_guest_time(void)
{
	g_autofree char *xml = test_xml("a", NULL, NULL);
	rpc_domain a;

	script_reset();
	node = script_node(false, 0);
	server = test_server(node);
	c = client_open(server, false);
	a = client_define(c, xml);
	g_assert_true(client_do(c, RPC_PROC_DOMAIN_CREATE, a));
	g_assert_true(ask_time(a, "{\"return\":1700000000123456789}"));
	g_assert_false(ask_time(a, "{\"return\":-9223372036854775808}"));
	g_assert_false(ask_time(a, "{\"return\":\"now\"}"));
	end();
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/set/io-groups", test_io_groups);
	g_test_add_func("/set/bandwidth", test_bandwidth);
	g_test_add_func("/set/refused", test_refused);
	g_test_add_func("/set/stats-once", test_stats_once);
	g_test_add_func("/set/refused-change", test_refused_change);
	g_test_add_func("/set/guest-time", test_guest_time);
	return g_test_run();
}
