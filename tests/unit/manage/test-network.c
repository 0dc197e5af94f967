/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-network.c - networks: definitions, lives, events, cards of machines, and what is kept
 */
#include <string.h>

#include "client.h"
#include "manage/call.h"
#include "manage/dom.h"
#include "model/domain.h"
#include "rpc/param.h"
#include "script.h"

static const char uuid_n[] = "00000000-0000-4000-8000-0000000000f1";
static const char uuid_m[] = "00000000-0000-4000-8000-0000000000f2";

struct setup {
	struct node *node;
	struct server *server;
	struct test_client *c;
};

static struct setup begin(bool store)
{
	struct setup s;

	script_reset();
	s.node = script_node(store, 0);
	s.server = test_server(s.node);
	s.c = client_open(s.server, false);
	return s;
}

static void end(struct setup *s)
{
	client_free(s->c);
	server_free(s->server);
	node_free(s->node);
	g_assert_cmpuint(script.machines, ==, 0);
	g_assert_cmpuint(script.networks, ==, 0);
}

static char *net_xml(const char *name, const char *uuid)
{
	return g_strdup_printf(
		"<network><name>%s</name><uuid>%s</uuid><forward mode='nat'/>"
		"<ip address='10.0.0.1' prefix='24'><dhcp>"
		"<range start='10.0.0.2' end='10.0.0.9'/></dhcp></ip>"
		"<portgroup name='slow'><bandwidth><inbound average='77'/></bandwidth>"
		"</portgroup></network>",
		name, uuid);
}

static bool define(struct test_client *c, const char *name, const char *uuid)
{
	g_autofree char *xml = net_xml(name, uuid);
	rpc_network_define_xml_args args = { .xml = xml };

	return client_call(c, RPC_PROC_NETWORK_DEFINE_XML, network_define_xml, &args);
}

static bool find(struct test_client *c, const char *name, rpc_network *ret_net)
{
	rpc_network_lookup_by_name_args args = { .name = (char *)(uintptr_t)name };
	rpc_network_lookup_by_name_ret ret;

	if (!client_ask(c, RPC_PROC_NETWORK_LOOKUP_BY_NAME, network_lookup_by_name, &args, &ret))
		return false;
	*ret_net = ret.net;
	ret_net->name = (char *)(uintptr_t)g_intern_string(ret.net.name);
	rpc_body_release(rpc_network_lookup_by_name_ret, &ret);
	return true;
}

/* Procedures whose only argument is a network. */
static bool do_net(struct test_client *c, int proc, const char *name)
{
	rpc_network_create_args args;

	return find(c, name, &args.net) && client_call(c, proc, network_create, &args);
}

static bool is_active(struct test_client *c, const char *name)
{
	rpc_network_is_active_args args;
	rpc_network_is_active_ret ret;

	g_assert_true(find(c, name, &args.net));
	g_assert_true(client_ask(c, RPC_PROC_NETWORK_IS_ACTIVE, network_is_active, &args, &ret));
	return ret.active;
}

static char *xml_of(struct test_client *c, const char *name, unsigned flags)
{
	rpc_network_get_xml_desc_args args = { .flags = flags };
	rpc_network_get_xml_desc_ret ret;
	char *copy;

	g_assert_true(find(c, name, &args.net));
	g_assert_true(
		client_ask(c, RPC_PROC_NETWORK_GET_XML_DESC, network_get_xml_desc, &args, &ret));
	copy = g_strdup(ret.xml);
	rpc_body_release(rpc_network_get_xml_desc_ret, &ret);
	return copy;
}

static void expect_event(struct test_client *c, int event)
{
	rpc_network_event_lifecycle_msg msg;

	g_assert_true(
		client_event(c, RPC_PROC_NETWORK_EVENT_LIFECYCLE, network_event_lifecycle, &msg));
	g_assert_cmpint(msg.event, ==, event);
	g_assert_cmpint(msg.callbackID, ==, 0);
	rpc_body_release(rpc_network_event_lifecycle_msg, &msg);
}

static void test_life(void)
{
	struct setup s = begin(true);
	rpc_connect_network_event_register_any_args want = { .eventID = 0 };

	g_assert_true(client_call(s.c, RPC_PROC_CONNECT_NETWORK_EVENT_REGISTER_ANY,
				  connect_network_event_register_any, &want));
	g_assert_true(define(s.c, "n", uuid_n));
	expect_event(s.c, 0);
	g_assert_false(define(s.c, "n", uuid_m));
	g_assert_cmpint(s.c->code, ==, RPC_CODE_OPERATION_FAILED);
	g_assert_false(define(s.c, "m", uuid_n));
	g_assert_false(is_active(s.c, "n"));
	g_assert_false(do_net(s.c, RPC_PROC_NETWORK_DESTROY, "n"));
	g_assert_cmpint(s.c->code, ==, RPC_CODE_OPERATION_INVALID);
	script.fail = "the bridge is broken";
	g_assert_false(do_net(s.c, RPC_PROC_NETWORK_CREATE, "n"));
	g_assert_cmpstr(s.c->error, ==, "network 'n' cannot be started: the bridge is broken");
	g_assert_true(do_net(s.c, RPC_PROC_NETWORK_CREATE, "n"));
	expect_event(s.c, 2);
	g_assert_false(do_net(s.c, RPC_PROC_NETWORK_CREATE, "n"));
	g_assert_true(is_active(s.c, "n"));
	g_assert_cmpuint(g_hash_table_size(script.kept[STORE_NETWORK_STATUS]), ==, 1);
	g_assert_true(do_net(s.c, RPC_PROC_NETWORK_UNDEFINE, "n"));
	expect_event(s.c, 1);
	g_assert_false(do_net(s.c, RPC_PROC_NETWORK_UNDEFINE, "n"));
	g_assert_true(do_net(s.c, RPC_PROC_NETWORK_DESTROY, "n"));
	expect_event(s.c, 3);
	g_assert_false(do_net(s.c, RPC_PROC_NETWORK_DESTROY, "n"));
	g_assert_cmpint(s.c->code, ==, RPC_CODE_NO_NETWORK);
	for (unsigned kind = 0; kind < STORE_KIND_COUNT; kind++)
		g_assert_cmpuint(g_hash_table_size(script.kept[kind]), ==, 0);
	end(&s);
}

/* Each gets a bridge's name that no other one has. */
static void test_bridges(void)
{
	struct setup s = begin(false);
	g_autofree char *n = NULL, *m = NULL;
	char taken[] = "<network><name>x</name><bridge name='virbr1'/></network>";
	rpc_network_define_xml_args args = { .xml = taken };

	g_assert_true(define(s.c, "n", uuid_n));
	g_assert_true(define(s.c, "m", uuid_m));
	n = xml_of(s.c, "n", 0);
	m = xml_of(s.c, "m", 0);
	g_assert_nonnull(strstr(n, "<bridge name='virbr0'"));
	g_assert_nonnull(strstr(m, "<bridge name='virbr1'"));
	g_assert_false(client_call(s.c, RPC_PROC_NETWORK_DEFINE_XML, network_define_xml, &args));
	g_assert_nonnull(strstr(s.c->error, "already in use by network 'm'"));
	end(&s);
}

static bool set_autostart(struct test_client *c, const char *name, bool on)
{
	rpc_network_set_autostart_args args = { .autostart = on };

	g_assert_true(find(c, name, &args.net));
	return client_call(c, RPC_PROC_NETWORK_SET_AUTOSTART, network_set_autostart, &args);
}

static bool has_autostart(struct test_client *c, const char *name)
{
	rpc_network_get_autostart_args args;
	rpc_network_get_autostart_ret ret;

	g_assert_true(find(c, name, &args.net));
	g_assert_true(
		client_ask(c, RPC_PROC_NETWORK_GET_AUTOSTART, network_get_autostart, &args, &ret));
	return ret.autostart;
}

static void test_not_kept(void)
{
	struct setup s = begin(true);
	rpc_network net;

	script.store_fail = "disk full";
	g_assert_false(define(s.c, "n", uuid_n));
	g_assert_false(find(s.c, "n", &net));
	script.store_fail = NULL;
	g_assert_true(define(s.c, "n", uuid_n));
	script.store_fail = "disk full";
	g_assert_false(do_net(s.c, RPC_PROC_NETWORK_UNDEFINE, "n"));
	g_assert_true(find(s.c, "n", &net));
	g_assert_false(set_autostart(s.c, "n", true));
	g_assert_false(has_autostart(s.c, "n"));
	script.store_fail = NULL;
	g_assert_true(set_autostart(s.c, "n", true));
	script.store_fail = "disk full";
	g_assert_false(set_autostart(s.c, "n", false));
	g_assert_true(has_autostart(s.c, "n"));
	script.store_fail = NULL;
	end(&s);
}

static bool update(struct test_client *c, const char *name, unsigned flags, const char *host)
{
	rpc_network_update_args args = { .command = 3,
					 .section = 4,
					 .parentIndex = -1,
					 .xml = (char *)(uintptr_t)host,
					 .flags = flags };

	g_assert_true(find(c, name, &args.net));
	return client_call(c, RPC_PROC_NETWORK_UPDATE, network_update, &args);
}

/* All or nothing, in both definitions. */
static void test_update(void)
{
	static const char host[] = "<host name='a' ip='10.0.0.5'/>";
	struct setup s = begin(true);
	g_autofree char *live = NULL, *config = NULL;

	g_assert_true(define(s.c, "n", uuid_n));
	g_assert_false(update(s.c, "n", 1, host));
	g_assert_cmpint(s.c->code, ==, RPC_CODE_OPERATION_INVALID);
	g_assert_true(do_net(s.c, RPC_PROC_NETWORK_CREATE, "n"));
	script.fail = "dnsmasq is broken";
	g_assert_false(update(s.c, "n", 1, host));
	live = xml_of(s.c, "n", 0);
	g_assert_null(strstr(live, "10.0.0.5"));
	g_assert_true(update(s.c, "n", 2, host));
	g_assert_false(update(s.c, "n", 3, host));
	g_assert_true(update(s.c, "n", 1, host));
	g_free(live);
	live = xml_of(s.c, "n", 0);
	config = xml_of(s.c, "n", 1);
	g_assert_nonnull(strstr(live, "10.0.0.5"));
	g_assert_nonnull(strstr(config, "10.0.0.5"));
	g_assert_false(update(s.c, "n", 1, "<host name='a' ip='10.9.0.5'/>"));
	g_assert_false(update(s.c, "n", 1, "<hos"));
	end(&s);
}

/* == Machines == */

static const char card[] = "<devices><interface type='network'><mac address='52:54:00:00:00:07'/>"
			   "<source network='n' portgroup='slow'/></interface></devices>";

static bool set_metadata(struct setup *s, int type, const char *text, const char *uri,
			 unsigned flags)
{
	static char key[] = "k";
	char *words[] = { (char *)(uintptr_t)text, key, (char *)(uintptr_t)uri };
	rpc_network_set_metadata_args args = { .type = type,
					       .metadata = text ? &words[0] : NULL,
					       .key = uri ? &words[1] : NULL,
					       .uri = uri ? &words[2] : NULL,
					       .flags = flags };

	g_assert_true(find(s->c, "n", &args.net));
	return client_call(s->c, RPC_PROC_NETWORK_SET_METADATA, network_set_metadata, &args);
}

/* NULL: it is not there, or that cannot be asked: then the client has a code. */
static char *get_metadata(struct setup *s, int type, const char *uri, unsigned flags)
{
	char *word = (char *)(uintptr_t)uri, *text;
	rpc_network_get_metadata_args args = { .type = type,
					       .uri = uri ? &word : NULL,
					       .flags = flags };
	rpc_network_get_metadata_ret ret;

	g_assert_true(find(s->c, "n", &args.net));
	if (!client_ask(s->c, RPC_PROC_NETWORK_GET_METADATA, network_get_metadata, &args, &ret))
		return NULL;
	text = g_strdup(ret.metadata);
	rpc_body_release(rpc_network_get_metadata_ret, &ret);
	return text;
}

static void test_metadata(void)
{
	static const char uri[] = "http://example.org/n";
	struct setup s = begin(true);
	rpc_connect_network_event_register_any_args want = { .eventID = 1 };
	rpc_network_event_callback_metadata_change_msg msg;
	g_autofree char *text = NULL, *title = NULL;

	g_assert_true(client_call(s.c, RPC_PROC_CONNECT_NETWORK_EVENT_REGISTER_ANY,
				  connect_network_event_register_any, &want));
	g_assert_true(define(s.c, "n", uuid_n));
	g_assert_null(get_metadata(&s, 0, NULL, 0));
	g_assert_cmpint(s.c->code, ==, RPC_CODE_NO_NETWORK_METADATA);
	g_assert_true(set_metadata(&s, 2, "<a><b/></a>", uri, 0));
	g_assert_true(client_event(s.c, RPC_PROC_NETWORK_EVENT_CALLBACK_METADATA_CHANGE,
				   network_event_callback_metadata_change, &msg));
	g_assert_cmpint(msg.type, ==, 2);
	g_assert_cmpstr(*msg.nsuri, ==, uri);
	rpc_body_release(rpc_network_event_callback_metadata_change_msg, &msg);
	text = get_metadata(&s, 2, uri, 2);
	g_assert_nonnull(strstr(text, "<k:b/>"));

	/* What is active has its own. */
	g_assert_true(do_net(s.c, RPC_PROC_NETWORK_CREATE, "n"));
	g_assert_true(set_metadata(&s, 1, "now", NULL, 1));
	g_assert_null(get_metadata(&s, 1, NULL, 2));
	title = get_metadata(&s, 1, NULL, 0);
	g_assert_cmpstr(title, ==, "now");
	g_assert_false(set_metadata(&s, 1, "two\nlines", NULL, 3));
	g_assert_false(set_metadata(&s, 7, "x", NULL, 3));
	g_assert_null(get_metadata(&s, 1, NULL, 3));
	g_assert_true(set_metadata(&s, 2, NULL, uri, 3));
	g_assert_null(get_metadata(&s, 2, uri, 0));
	g_assert_true(do_net(s.c, RPC_PROC_NETWORK_DESTROY, "n"));
	g_assert_false(set_metadata(&s, 1, "now", NULL, 1));
	/* One that cannot be kept is not there. */
	script.store_fail = "disk full";
	g_assert_false(set_metadata(&s, 0, "lost", NULL, 2));
	script.store_fail = NULL;
	g_assert_null(get_metadata(&s, 0, NULL, 2));
	end(&s);
}

static rpc_domain define_machine(struct test_client *c, const char *devices)
{
	g_autofree char *xml = test_xml("a", NULL, devices);

	return client_define(c, xml);
}

/* A machine's network starts with it. */
static void test_on_demand(void)
{
	struct setup s = begin(false);
	g_autofree char *live = NULL, *net = NULL, *config = NULL;
	rpc_domain dom = define_machine(s.c, card);

	g_assert_false(client_do(s.c, RPC_PROC_DOMAIN_CREATE, dom));
	g_assert_nonnull(strstr(s.c->error, "in the network 'n', which is not defined"));
	g_assert_true(define(s.c, "n", uuid_n));
	script.fail = "no dnsmasq";
	g_assert_false(client_do(s.c, RPC_PROC_DOMAIN_CREATE, dom));
	g_assert_cmpstr(s.c->error, ==,
			"network 'n' is not active, and cannot be started: no dnsmasq");
	g_assert_false(is_active(s.c, "n"));
	g_assert_true(client_do(s.c, RPC_PROC_DOMAIN_CREATE, dom));
	g_assert_true(is_active(s.c, "n"));
	live = client_xml(s.c, dom, 0);
	g_assert_nonnull(strstr(live, "bridge='virbr0'"));
	g_assert_nonnull(strstr(live, "portid='"));
	g_assert_nonnull(strstr(live, "<inbound average='77'/>"));
	config = client_xml(s.c, dom, 2);
	g_assert_null(strstr(config, "virbr0"));
	net = xml_of(s.c, "n", 0);
	g_assert_nonnull(strstr(net, "<network connections='1'>"));
	/* Its card is in the bridge that is made anew. */
	g_assert_true(do_net(s.c, RPC_PROC_NETWORK_DESTROY, "n"));
	g_assert_true(do_net(s.c, RPC_PROC_NETWORK_CREATE, "n"));
	g_assert_true(client_do(s.c, RPC_PROC_DOMAIN_DESTROY, dom));
	g_free(net);
	net = xml_of(s.c, "n", 0);
	g_assert_null(strstr(net, "connections"));
	end(&s);
}

/* A session: the card of a machine in the network 'n', which has @inside; the machine runs. */
static const struct domain_interface *own_card(struct setup *s, const char *inside)
{
	g_autofree char *xml = g_strdup_printf("<network><name>n</name><uuid>%s</uuid>%s</network>",
					       uuid_n, inside);
	rpc_network_define_xml_args args = { .xml = xml };

	script_reset();
	script.user = true;
	s->node = script_node(false, 0);
	s->server = test_server(s->node);
	s->c = client_open(s->server, false);
	g_assert_true(client_call(s->c, RPC_PROC_NETWORK_DEFINE_XML, network_define_xml, &args));
	g_assert_true(
		client_do(s->c, RPC_PROC_DOMAIN_CREATE,
			  define_machine(s->c, "<devices><interface type='network'>"
					       "<mac address='52:54:00:00:00:07'/>"
					       "<source network='n'/></interface></devices>")));
	return &script.last->live->devices.interfaces[0];
}

/* What a network means for a card that has it for itself. */
static void test_session(void)
{
	struct setup s;
	const struct domain_interface *own = own_card(
		&s, "<ip address='10.0.0.1' prefix='24'/><ip family='ipv6' address='fd00::1' "
		    "prefix='64'/><ip address='10.0.9.1' prefix='24'/>");

	/* Where there is no way out, there is none here, either. */
	g_assert_cmpint(own->port.isolated, ==, TRI_YES);
	g_assert_cmpuint(own->ip_count, ==, 2);
	g_assert_cmpstr(own->ips[0].address, ==, "10.0.0.1");
	g_assert_cmpstr(own->ips[1].peer, ==, "fd00::1");
	g_assert_cmpuint(own->user.name_count, ==, 0);
	end(&s);

	own = own_card(&s,
		       "<forward mode='nat'/><port isolated='yes'/><domain name='lab'/>"
		       "<dns><host ip='fd00::9'><hostname>a.b</hostname><hostname>c</hostname>"
		       "</host></dns><ip address='10.0.0.1' prefix='24'><tftp root='/t'/><dhcp>"
		       "<host mac='52:54:00:00:00:07' name='me' ip='10.0.0.7'/><bootp file='f'/>"
		       "</dhcp></ip>");
	/* It is alone anyway: what the others may does not take its way out. */
	g_assert_cmpint(own->port.isolated, ==, TRI_ABSENT);
	g_assert_cmpstr(own->user.tftp, ==, "/t");
	g_assert_cmpstr(own->user.bootfile, ==, "f");
	g_assert_cmpuint(own->user.name_count, ==, 5);
	g_assert_cmpstr(own->user.names[1].name, ==, "me.lab");
	g_assert_cmpstr(own->user.names[1].address, ==, "10.0.0.7");
	g_assert_cmpstr(own->user.names[2].name, ==, "a.b");
	g_assert_cmpstr(own->user.names[4].name, ==, "c.lab");
	end(&s);

	own = own_card(&s,
		       "<forward mode='nat'/><dns enable='no'><host ip='10.0.0.9'>"
		       "<hostname>c</hostname></host></dns><ip address='10.0.0.1' prefix='24'/>");
	g_assert_cmpuint(own->user.name_count, ==, 0);
	end(&s);
}

static bool set_port(struct test_client *c, rpc_network_port port, const char *name, unsigned value)
{
	rpc_network_port_set_parameters_args args = { .port = port };
	struct rpc_params params;
	bool ok;

	rpc_params_init(&params);
	rpc_params_add_uint(&params, name, value);
	args.params.params_val = params.items;
	args.params.params_len = params.count;
	ok = client_call(c, RPC_PROC_NETWORK_PORT_SET_PARAMETERS, network_port_set_parameters,
			 &args);
	rpc_params_release(&params);
	return ok;
}

/* How much may go through a card, from the network's side. */
static void test_port(void)
{
	struct setup s = begin(false);
	rpc_domain dom = define_machine(s.c, card);
	rpc_network_list_all_ports_args list = { .need_results = 1 };
	rpc_network_list_all_ports_ret ports;
	rpc_network_port_get_parameters_args get = { .nparams = RPC_MAX_NETWORK_PORT_PARAMS };
	rpc_network_port_get_parameters_ret ret;
	g_autofree char *live = NULL, *config = NULL;
	const rpc_param *param;

	g_assert_true(define(s.c, "n", uuid_n));
	g_assert_true(client_do(s.c, RPC_PROC_DOMAIN_CREATE, dom));
	g_assert_true(find(s.c, "n", &list.net));
	g_assert_true(client_ask(s.c, RPC_PROC_NETWORK_LIST_ALL_PORTS, network_list_all_ports,
				 &list, &ports));
	g_assert_cmpuint(ports.ports.ports_len, ==, 1);
	get.port = ports.ports.ports_val[0];
	g_assert_true(set_port(s.c, get.port, "outbound.average", 55));
	g_assert_false(set_port(s.c, get.port, "sideways.average", 55));
	g_assert_true(client_ask(s.c, RPC_PROC_NETWORK_PORT_GET_PARAMETERS,
				 network_port_get_parameters, &get, &ret));
	param = rpc_params_find(ret.params.params_val, ret.params.params_len, "inbound.average",
				RPC_PARAM_UINT, NULL);
	g_assert_cmpuint(param->value.rpc_param_value_u.ui, ==, 77);
	rpc_body_release(rpc_network_port_get_parameters_ret, &ret);
	live = client_xml(s.c, dom, 0);
	config = client_xml(s.c, dom, 2);
	g_assert_nonnull(strstr(live, "<outbound average='55'/>"));
	g_assert_null(strstr(config, "outbound"));
	g_assert_true(client_do(s.c, RPC_PROC_DOMAIN_DESTROY, dom));
	g_assert_false(set_port(s.c, get.port, "outbound.average", 55));
	g_assert_cmpint(s.c->code, ==, RPC_CODE_NO_NETWORK_PORT);
	rpc_body_release(rpc_network_list_all_ports_ret, &ports);
	end(&s);
}

static bool change_card(struct test_client *c, rpc_domain dom, const char *net, const char *link)
{
	g_autofree char *xml = g_strdup_printf(
		"<interface type='network'><mac address='52:54:00:00:00:0a'/><source network='%s'/>"
		"<link state='%s'/></interface>",
		net, link);
	rpc_domain_update_device_flags_args args = { .dom = dom, .xml = xml, .flags = 1 };

	return client_call(c, RPC_PROC_DOMAIN_UPDATE_DEVICE_FLAGS, domain_update_device_flags,
			   &args);
}

/* Of the one card that the machine has. */
static char *port_of(struct test_client *c, rpc_domain dom)
{
	g_autofree char *live = client_xml(c, dom, 0);
	const char *at = strstr(live, "portid='");

	g_assert_nonnull(at);
	return g_strndup(at + strlen("portid='"), 36);
}

/* A card keeps its port as long as it stays in its network. */
static void test_card_changes(void)
{
	struct setup s = begin(false);
	rpc_domain dom = define_machine(
		s.c, "<devices><interface type='network'><mac address='52:54:00:00:00:0a'/>"
		     "<source network='n'/><model type='virtio'/></interface></devices>");
	g_autofree char *first = NULL, *still = NULL, *other = NULL, *live = NULL;

	g_assert_true(define(s.c, "n", uuid_n));
	g_assert_true(define(s.c, "m", uuid_m));
	g_assert_true(do_net(s.c, RPC_PROC_NETWORK_CREATE, "m"));
	g_assert_true(client_do(s.c, RPC_PROC_DOMAIN_CREATE, dom));
	first = port_of(s.c, dom);
	g_assert_true(change_card(s.c, dom, "n", "down"));
	still = port_of(s.c, dom);
	g_assert_cmpstr(still, ==, first);
	live = client_xml(s.c, dom, 0);
	g_assert_nonnull(strstr(live, "<link state='down'/>"));
	g_assert_true(change_card(s.c, dom, "m", "up"));
	other = port_of(s.c, dom);
	g_assert_cmpstr(other, !=, first);
	g_assert_true(client_do(s.c, RPC_PROC_DOMAIN_DESTROY, dom));
	end(&s);
}

/* What is defined out of a running machine's XML has no traces of it. */
static void test_traces(void)
{
	struct setup s = begin(false);
	g_autofree char *live = NULL, *config = NULL;
	rpc_domain dom = define_machine(s.c, card);

	g_assert_true(define(s.c, "n", uuid_n));
	g_assert_true(client_do(s.c, RPC_PROC_DOMAIN_CREATE, dom));
	live = client_xml(s.c, dom, 0);
	dom = client_define(s.c, live);
	config = client_xml(s.c, dom, 2);
	g_assert_null(strstr(config, "portid"));
	g_assert_null(strstr(config, "virbr0"));
	g_assert_true(client_do(s.c, RPC_PROC_DOMAIN_DESTROY, dom));
	end(&s);
}

static void test_daemon_ends(void)
{
	struct setup s = begin(false);
	rpc_domain dom = define_machine(s.c, card);
	rpc_domain_create_args args = { .dom = dom };

	g_assert_true(define(s.c, "n", uuid_n));
	script.hold = true;
	/* The network is just being made, and the machine waits for it. */
	(void)client_send_xdr(s.c, RPC_PROC_DOMAIN_CREATE, (xdrproc_t)xdr_rpc_domain_create_args,
			      &args);
	turn();
	g_assert_cmpuint(script.held.length, ==, 1);
	end(&s);
}

/* == Kept == */

static void load(struct node *node, enum store_kind kind, GHashTable *kept)
{
	GHashTableIter iter;
	void *key, *text;

	g_hash_table_iter_init(&iter, kept);
	while (g_hash_table_iter_next(&iter, &key, &text)) {
		g_autoptr(GError) error = NULL;

		node_load(node, kind, key, text, &error);
		g_assert_no_error(error);
	}
}

static void test_restart(void)
{
	struct setup s = begin(true);
	GHashTable *kept[STORE_KIND_COUNT];
	g_autofree char *before = NULL, *after = NULL;
	rpc_network_set_autostart_args autostart = { .autostart = 1 };

	g_assert_true(define(s.c, "n", uuid_n));
	g_assert_true(define(s.c, "m", uuid_m));
	g_assert_true(find(s.c, "m", &autostart.net));
	g_assert_true(client_call(s.c, RPC_PROC_NETWORK_SET_AUTOSTART, network_set_autostart,
				  &autostart));
	g_assert_true(do_net(s.c, RPC_PROC_NETWORK_CREATE, "n"));
	before = xml_of(s.c, "n", 0);
	for (unsigned i = 0; i < STORE_KIND_COUNT; i++)
		kept[i] = g_hash_table_ref(script.kept[i]);
	end(&s);

	s = begin(true);
	load(s.node, STORE_NETWORK, kept[STORE_NETWORK]);
	load(s.node, STORE_NETWORK_STATUS, kept[STORE_NETWORK_STATUS]);
	g_assert_true(is_active(s.c, "n"));
	node_loaded(s.node, true);
	turn();
	g_assert_cmpuint(script.found, ==, 1);
	g_assert_true(is_active(s.c, "n"));
	g_assert_true(is_active(s.c, "m"));
	after = xml_of(s.c, "n", 0);
	g_assert_cmpstr(before, ==, after);
	/* It is the first that has no networks that gets one. */
	node_default_network(s.node, "<network><name>default</name></network>", true);
	g_assert_false(find(s.c, "default", &autostart.net));
	for (unsigned i = 0; i < STORE_KIND_COUNT; i++)
		g_hash_table_unref(kept[i]);
	end(&s);
}

static void test_garbled(void)
{
	static const char *const texts[] = {
		"",
		"<network/>",
		"<!--\nsocle domain\n-->\n<network><name>n</name></network>",
		"<!--\nsocle network\n-->\n<network><name>n</name></network>",
		("<!--\nsocle network\n-->\n<network><name>n</name>"
		 "<uuid>00000000-0000-4000-8000-0000000000f1</uuid><forward/></network>"),
	};
	struct setup s = begin(true);

	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
		g_autoptr(GError) error = NULL;

		g_assert_false(node_load(s.node, STORE_NETWORK, uuid_n, texts[i], &error));
		g_assert_nonnull(error);
		g_assert_false(node_load(s.node, STORE_NETWORK_STATUS, uuid_n, texts[i], NULL));
	}
	end(&s);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/network/life", test_life);
	g_test_add_func("/network/bridges", test_bridges);
	g_test_add_func("/network/not-kept", test_not_kept);
	g_test_add_func("/network/update", test_update);
	g_test_add_func("/network/metadata", test_metadata);
	g_test_add_func("/network/port", test_port);
	g_test_add_func("/network/card-changes", test_card_changes);
	g_test_add_func("/network/on-demand", test_on_demand);
	g_test_add_func("/network/session", test_session);
	g_test_add_func("/network/traces", test_traces);
	g_test_add_func("/network/daemon-ends", test_daemon_ends);
	g_test_add_func("/network/restart", test_restart);
	g_test_add_func("/network/garbled", test_garbled);
	return g_test_run();
}
