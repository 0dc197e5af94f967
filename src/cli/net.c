/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * net.c - networks: which there are, their life, leases, changes
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/object.h"
#include "cli/table.h"

/* ---- list ---- */

/* Three lists for all of them, not three calls for each. */
struct facts {
	GHashTable *active, *persistent, *autostart;
};

static void facts_release(struct facts *facts)
{
	g_clear_pointer(&facts->active, g_hash_table_unref);
	g_clear_pointer(&facts->persistent, g_hash_table_unref);
	g_clear_pointer(&facts->autostart, g_hash_table_unref);
}

static bool facts_init(struct facts *facts, struct cli *cli, GError **error)
{
	*facts = (struct facts){ .active = cli_uuids(cli, &object_network,
						     SOCLE_NETWORK_LIST_ACTIVE, error) };
	if (facts->active)
		facts->persistent =
			cli_uuids(cli, &object_network, SOCLE_NETWORK_LIST_PERSISTENT, error);
	if (facts->persistent)
		facts->autostart =
			cli_uuids(cli, &object_network, SOCLE_NETWORK_LIST_AUTOSTART, error);
	return facts->autostart != NULL;
}

static json_t *network_json(struct socle_network *net, const char *bridge, bool active,
			    bool persistent, bool autostart)
{
	return json_pack("{s:o, s:s, s:s, s:o, s:b, s:b}", "name",
			 cli_json_string(socle_network_name(net)), "uuid",
			 socle_network_uuid_text(net), "state", active ? "active" : "inactive",
			 "bridge", cli_json_string(bridge), "persistent", persistent, "autostart",
			 autostart);
}

static void add_network(struct socle_network *net, const struct facts *facts, struct table *table,
			bool uuids, json_t *list)
{
	const char *uuid = socle_network_uuid_text(net);
	bool active = g_hash_table_contains(facts->active, uuid);
	bool persistent = g_hash_table_contains(facts->persistent, uuid);
	bool autostart = g_hash_table_contains(facts->autostart, uuid);
	/* Not all have one. */
	char *bridge = socle_network_bridge(net, NULL);

	table_add(table, socle_network_name(net));
	table_add_colour(table, active ? "active" : "inactive", active ? COLOUR_GOOD : COLOUR_DIM);
	table_add(table, bridge);
	table_add(table, autostart ? "yes" : "no");
	table_add(table, persistent ? "yes" : "no");
	if (uuids)
		table_add(table, uuid);
	json_array_append_new(list, network_json(net, bridge, active, persistent, autostart));
	free(bridge);
}

static int run_list(struct cli *cli, const struct cli_args *args, GError **error)
{
	static const struct {
		const char *option;
		unsigned flag;
	} filters[] = {
		{ "active", SOCLE_NETWORK_LIST_ACTIVE },
		{ "inactive", SOCLE_NETWORK_LIST_INACTIVE },
		{ "persistent", SOCLE_NETWORK_LIST_PERSISTENT },
		{ "transient", SOCLE_NETWORK_LIST_TRANSIENT },
		{ "autostart", SOCLE_NETWORK_LIST_AUTOSTART },
		{ "no-autostart", SOCLE_NETWORK_LIST_NO_AUTOSTART },
	};
	bool uuids = cli_args_has(args, "uuid");
	autoptr(table) table = table_new(uuids ? "NAME|STATE|BRIDGE|AUTOSTART|PERSISTENT|UUID"
					       : "NAME|STATE|BRIDGE|AUTOSTART|PERSISTENT");
	struct socle_network **nets = NULL;
	struct facts facts = { .active = NULL };
	struct socle_error *why = NULL;
	unsigned flags = 0;
	json_t *list;

	for (unsigned i = 0; i < G_N_ELEMENTS(filters); i++)
		flags |= cli_args_has(args, filters[i].option) ? filters[i].flag : 0;
	if (!cli_connect(cli, error))
		return CLI_FAILED;
	if (socle_network_list(cli->conn, flags, &nets, &why) < 0)
		return cli_fail(error, why, NULL);
	if (cli->output != OUTPUT_NAME && !facts_init(&facts, cli, error)) {
		facts_release(&facts);
		socle_networks_free(nets);
		return CLI_FAILED;
	}
	list = json_array();
	for (unsigned i = 0; nets[i]; i++) {
		if (cli->output == OUTPUT_NAME)
			cli_out_name(socle_network_name(nets[i]));
		else
			add_network(nets[i], &facts, table, uuids, list);
	}
	cli_out_list(cli, list, table, "no networks");
	facts_release(&facts);
	socle_networks_free(nets);
	return CLI_OK;
}

const struct cli_command cli_net_list = {
	.noun = "net",
	.verb = "list",
	.names = "net-list",
	.arguments = "",
	.summary = "List all networks, or those that options choose",
	.options =
		(const struct cli_option[]){
			{ "all", 'a', NULL, CLI_NOTHING, "all networks, which is the default" },
			{ "active", 0, NULL, CLI_NOTHING, "those that are active" },
			{ "inactive", 0, NULL, CLI_NOTHING, "those that are not" },
			{ "persistent", 0, NULL, CLI_NOTHING, "those that stay" },
			{ "transient", 0, NULL, CLI_NOTHING, "those that go when they stop" },
			{ "autostart", 0, NULL, CLI_NOTHING, "those that start with the host" },
			{ "no-autostart", 0, NULL, CLI_NOTHING, "those that do not" },
			{ "uuid", 'u', NULL, CLI_NOTHING, "show UUIDs, too" },
			CLI_ROW_END },
	.run = run_list,
};

/* ---- show ---- */

static int run_show(struct cli *cli, const struct cli_args *args, GError **error)
{
	SOCLE_AUTO(network) net = cli_network(cli, cli_args_word(args, 0), error);
	struct socle_error *why = NULL;
	g_autofree char *name = NULL, *plain = NULL;
	int active, persistent, autostart, leases;
	char *bridge;

	if (!net)
		return CLI_FAILED;
	active = socle_network_is_active(net, &why);
	if (active < 0)
		return cli_fail(error, why, "'%s'", cli_args_word(args, 0));
	/* What a daemon does not know of a network is no reason to say nothing. */
	persistent = socle_network_is_persistent(net, NULL);
	autostart = socle_network_get_autostart(net, NULL);
	bridge = socle_network_bridge(net, NULL);
	leases = active ? socle_network_leases(net, NULL, 0, NULL, NULL) : -1;
	name = cli_plain(socle_network_name(net));
	if (cli->output == OUTPUT_JSON) {
		json_t *json = network_json(net, bridge, active, persistent > 0, autostart > 0);

		json_object_set_new(json, "leases",
				    leases < 0 ? json_null() : json_integer(leases));
		cli_out_json(json);
	} else if (cli->output == OUTPUT_NAME) {
		cli_out("%s\n", name);
	} else {
		plain = cli_plain(bridge ? bridge : "-");
		cli_out("name        %s\nuuid        %s\nstate       %s\npersistent  %s\n"
			"autostart   %s\nbridge      %s\n",
			name, socle_network_uuid_text(net), active ? "active" : "inactive",
			persistent > 0 ? "yes" : "no", autostart > 0 ? "yes" : "no", plain);
		if (leases >= 0)
			cli_out("leases      %d\n", leases);
	}
	free(bridge);
	return CLI_OK;
}

const struct cli_command cli_net_show = {
	.noun = "net",
	.verb = "show",
	.names = "net-info",
	.arguments = "NETWORK",
	.summary = "Show what is known of a network",
	.what = { CLI_NETWORK },
	.min = 1,
	.max = 1,
	.run = run_show,
};

const struct cli_command cli_net_xml = {
	.noun = "net",
	.verb = "xml",
	.names = "net-dumpxml",
	.arguments = "NETWORK",
	.summary = "Print the definition of a network",
	.options = (const struct cli_option[]){ { "inactive", 0, NULL, CLI_NOTHING,
						  "as it will be at the next start" },
						CLI_ROW_END },
	.what = { CLI_NETWORK },
	.min = 1,
	.max = 1,
	.run = cli_object_xml,
};

const struct cli_command cli_net_uuid = {
	.noun = "net",
	.verb = "uuid",
	.names = "net-uuid",
	.arguments = "NETWORK",
	.summary = "Print the UUID of a network",
	.what = { CLI_NETWORK },
	.min = 1,
	.max = 1,
	.run = cli_object_uuid,
};

const struct cli_command cli_net_name = {
	.noun = "net",
	.verb = "name",
	.names = "net-name",
	.arguments = "NETWORK",
	.summary = "Print the name of a network",
	.what = { CLI_NETWORK },
	.min = 1,
	.max = 1,
	.run = cli_object_name,
};

/* ---- life ---- */

static int run_define(struct cli *cli, const struct cli_args *args, GError **error)
{
	size_t len;
	g_autofree char *xml = cli_read_file(cli_args_word(args, 0), &len, error);
	unsigned flags = cli_args_has(args, "validate") ? SOCLE_NETWORK_DEFINE_VALIDATE : 0;
	struct socle_error *why = NULL;
	SOCLE_AUTO(network) net = NULL;

	if (!xml || !cli_connect(cli, error))
		return CLI_FAILED;
	net = socle_network_define(cli->conn, xml, flags, &why);
	if (!net)
		return cli_fail(error, why, "'%s'", cli_args_word(args, 0));
	if (cli_args_has(args, "autostart") && socle_network_set_autostart(net, true, &why) < 0)
		return cli_fail(error, why, "'%s' is defined, and will not start with the host",
				socle_network_name(net));
	if (cli_args_has(args, "start") && socle_network_create(net, &why) < 0)
		return cli_fail(error, why, "'%s' is defined, and does not start",
				socle_network_name(net));
	cli_done_object(cli, &object_network, net, "define",
			cli_args_has(args, "start") ? "is defined and started" : "is defined");
	return CLI_OK;
}

const struct cli_command cli_net_define = {
	.noun = "net",
	.verb = "define",
	.names = "net-define",
	.arguments = "FILE",
	.summary = "Define a network as XML says it, or define it anew ('-': from stdin)",
	.options = (const struct cli_option[]){ { "start", 0, NULL, CLI_NOTHING, "and start it" },
						{ "autostart", 0, NULL, CLI_NOTHING,
						  "let it start with the host" },
						{ "validate", 0, NULL, CLI_NOTHING,
						  "refuse what the schema does not know" },
						CLI_ROW_END },
	.what = { CLI_FILE },
	.min = 1,
	.max = 1,
	.flags = CLI_WRITES,
	.run = run_define,
};

static int run_create(struct cli *cli, const struct cli_args *args, GError **error)
{
	size_t len;
	g_autofree char *xml = cli_read_file(cli_args_word(args, 0), &len, error);
	struct socle_error *why = NULL;
	SOCLE_AUTO(network) net = NULL;

	if (!xml || !cli_connect(cli, error))
		return CLI_FAILED;
	net = socle_network_create_xml(cli->conn, xml, &why);
	if (!net)
		return cli_fail(error, why, "'%s'", cli_args_word(args, 0));
	cli_done_object(cli, &object_network, net, "create", "started; it goes when it stops");
	return CLI_OK;
}

const struct cli_command cli_net_create = {
	.noun = "net",
	.verb = "create",
	.names = "net-create",
	.arguments = "FILE",
	.summary = "Start a network as XML says it, which is forgotten when it stops",
	.what = { CLI_FILE },
	.min = 1,
	.max = 1,
	.flags = CLI_WRITES,
	.run = run_create,
};

static bool start(struct cli *cli, const struct cli_args *args, void *net, GError **error)
{
	struct socle_error *why = NULL;

	(void)cli;
	(void)args;
	return socle_network_create(net, &why) == 0 ||
	       cli_fail(error, why, "network '%s'", socle_network_name(net));
}

static int run_start(struct cli *cli, const struct cli_args *args, GError **error)
{
	return cli_each_object(cli, args, &object_network, "start", "started", start, error);
}

const struct cli_command cli_net_start = {
	.noun = "net",
	.verb = "start",
	.names = "net-start",
	.arguments = "NETWORK...",
	.summary = "Start networks",
	.what = { CLI_NETWORK },
	.min = 1,
	.max = CLI_ANY_NUMBER,
	.flags = CLI_WRITES,
	.run = run_start,
};

static bool stop(struct cli *cli, const struct cli_args *args, void *net, GError **error)
{
	g_autofree char *name = cli_plain(socle_network_name(net));
	g_autofree char *question = g_strdup_printf("Stop network '%s', whoever is in it?", name);
	struct socle_error *why = NULL;

	(void)args;
	if (!cli_confirm(cli, question, error))
		return false;
	return socle_network_destroy(net, &why) == 0 || cli_fail(error, why, "network '%s'", name);
}

static int run_stop(struct cli *cli, const struct cli_args *args, GError **error)
{
	return cli_each_object(cli, args, &object_network, "stop", "stopped", stop, error);
}

const struct cli_command cli_net_stop = {
	.noun = "net",
	.verb = "stop",
	.names = "net-destroy",
	.arguments = "NETWORK...",
	.summary = "Stop networks, whoever is in them; definitions stay",
	.what = { CLI_NETWORK },
	.min = 1,
	.max = CLI_ANY_NUMBER,
	.flags = CLI_WRITES,
	.run = run_stop,
};

const struct cli_command cli_net_undefine = {
	.noun = "net",
	.verb = "undefine",
	.names = "net-undefine",
	.arguments = "NETWORK...",
	.summary = "Forget the definitions of networks; who is active stays until it stops",
	.what = { CLI_NETWORK },
	.min = 1,
	.max = CLI_ANY_NUMBER,
	.flags = CLI_WRITES,
	.run = cli_object_undefine,
};

const struct cli_command cli_net_autostart = {
	.noun = "net",
	.verb = "autostart",
	.names = "net-autostart",
	.arguments = "NETWORK...",
	.summary = "Let networks start with the host",
	.options = (const struct cli_option[]){ { "disable", 0, NULL, CLI_NOTHING, "not any more" },
						CLI_ROW_END },
	.what = { CLI_NETWORK },
	.min = 1,
	.max = CLI_ANY_NUMBER,
	.flags = CLI_WRITES,
	.run = cli_object_autostart,
};

/* ---- leases ---- */

static char *time_text(int64_t expiry_s)
{
	g_autoptr(GDateTime) time = expiry_s ? g_date_time_new_from_unix_local(expiry_s) : NULL;

	return time ? g_date_time_format(time, "%Y-%m-%d %H:%M:%S") : g_strdup("never");
}

static json_t *lease_json(const struct socle_lease *lease)
{
	return json_pack("{s:o, s:o, s:i, s:s, s:o, s:o, s:o, s:o, s:o}", "mac",
			 cli_json_string(lease->mac), "address", cli_json_string(lease->address),
			 "prefix", (int)lease->prefix, "type", lease->type ? "ipv6" : "ipv4",
			 "hostname", cli_json_string(lease->hostname), "client_id",
			 cli_json_string(lease->client_id), "iaid", cli_json_string(lease->iaid),
			 "interface", cli_json_string(lease->iface), "expires",
			 lease->expiry_s ? json_integer(lease->expiry_s) : json_null());
}

static int run_leases(struct cli *cli, const struct cli_args *args, GError **error)
{
	SOCLE_AUTO(network) net = cli_network(cli, cli_args_word(args, 0), error);
	const char *mac =
		cli_args_words(args) > 1 ? cli_args_word(args, 1) : cli_args_value(args, "mac");
	autoptr(table) table = table_new("EXPIRES|MAC|ADDRESS|HOSTNAME|CLIENT ID");
	struct socle_lease *leases = NULL;
	struct socle_error *why = NULL;
	json_t *list;
	int count;

	if (!net)
		return CLI_FAILED;
	count = socle_network_leases(net, mac, 0, &leases, &why);
	if (count < 0)
		return cli_fail(error, why, "network '%s'", cli_args_word(args, 0));
	list = json_array();
	for (int i = 0; i < count; i++) {
		if (cli->output == OUTPUT_NAME)
			cli_out_name(leases[i].address);
		table_take(table, time_text(leases[i].expiry_s));
		table_add(table, leases[i].mac);
		table_take(table, g_strdup_printf("%s/%u", leases[i].address, leases[i].prefix));
		table_add(table, leases[i].hostname);
		table_add(table, leases[i].client_id);
		json_array_append_new(list, lease_json(&leases[i]));
	}
	cli_out_list(cli, list, table, "no leases");
	socle_leases_free(leases);
	return CLI_OK;
}

const struct cli_command cli_net_leases = {
	.noun = "net",
	.verb = "leases",
	.names = "net-dhcp-leases",
	.arguments = "NETWORK [MAC]",
	.summary = "List who has got an address by DHCP",
	.options = (const struct cli_option[]){ { "mac", 0, "MAC", CLI_TEXT, "of this card only" },
						CLI_ROW_END },
	.what = { CLI_NETWORK, CLI_TEXT },
	.min = 1,
	.max = 2,
	.run = run_leases,
};

/* ---- update ---- */

static const char *const update_commands[] = {
	[SOCLE_NETWORK_MODIFY] = "modify",
	[SOCLE_NETWORK_DELETE] = "delete",
	[SOCLE_NETWORK_ADD_LAST] = "add-last",
	[SOCLE_NETWORK_ADD_FIRST] = "add-first",
};

static const char *const update_sections[] = {
	[SOCLE_NETWORK_BRIDGE] = "bridge",
	[SOCLE_NETWORK_DOMAIN] = "domain",
	[SOCLE_NETWORK_IP] = "ip",
	[SOCLE_NETWORK_IP_DHCP_HOST] = "ip-dhcp-host",
	[SOCLE_NETWORK_IP_DHCP_RANGE] = "ip-dhcp-range",
	[SOCLE_NETWORK_FORWARD] = "forward",
	[SOCLE_NETWORK_FORWARD_INTERFACE] = "forward-interface",
	[SOCLE_NETWORK_FORWARD_PF] = "forward-pf",
	[SOCLE_NETWORK_PORTGROUP] = "portgroup",
	[SOCLE_NETWORK_DNS_HOST] = "dns-host",
	[SOCLE_NETWORK_DNS_TXT] = "dns-txt",
	[SOCLE_NETWORK_DNS_SRV] = "dns-srv",
};

/* The place of a word in a list, 0 with an error. */
static unsigned place_of(const char *const *list, size_t count, const char *word, const char *what,
			 GError **error)
{
	g_autoptr(GString) known = g_string_new(NULL);

	for (size_t i = 1; i < count; i++) {
		if (!strcmp(list[i], word))
			return (unsigned)i;
		g_string_append_printf(known, "%s%s", known->len ? ", " : "", list[i]);
	}
	error_set(error, SOCLE_ERROR_USAGE, "there is no %s '%s'; there are %s", what, word,
		  known->str);
	return 0;
}

static int run_update(struct cli *cli, const struct cli_args *args, GError **error)
{
	const char *verb = cli_args_word(args, 1), *element = cli_args_word(args, 3);
	unsigned command = !strcmp(verb, "add")
				   ? SOCLE_NETWORK_ADD_LAST
				   : place_of(update_commands, G_N_ELEMENTS(update_commands), verb,
					      "command", error);
	unsigned section = command ? place_of(update_sections, G_N_ELEMENTS(update_sections),
					      cli_args_word(args, 2), "section", error)
				   : 0;
	unsigned flags = (cli_args_has(args, "live") ? SOCLE_NETWORK_UPDATE_LIVE : 0) |
			 (cli_args_has(args, "config") ? SOCLE_NETWORK_UPDATE_CONFIG : 0);
	SOCLE_AUTO(network) net = NULL;
	struct socle_error *why = NULL;
	g_autofree char *xml = NULL;
	uint64_t parent = UINT64_MAX;
	size_t len;

	if (!section || !cli_args_number(args, "parent-index", 0, INT_MAX, &parent, error))
		return CLI_USAGE;
	xml = g_str_has_prefix(element, "<") ? g_strdup(element)
					     : cli_read_file(element, &len, error);
	net = xml ? cli_network(cli, cli_args_word(args, 0), error) : NULL;
	if (!net)
		return CLI_FAILED;
	if (socle_network_update(net, command, section, parent == UINT64_MAX ? -1 : (int)parent,
				 xml, flags, &why) < 0)
		return cli_fail(error, why, "network '%s'", cli_args_word(args, 0));
	cli_done_object(cli, &object_network, net, "update", "is changed");
	return CLI_OK;
}

const struct cli_command cli_net_update = {
	.noun = "net",
	.verb = "update",
	.names = "net-update",
	.arguments = "NETWORK add|add-first|modify|delete SECTION XML|FILE",
	.summary = "Change one thing of a network, such as ip-dhcp-host, also while it is active",
	.options =
		(const struct cli_option[]){
			{ "live", 0, NULL, CLI_NOTHING, "for the network as it is, only" },
			{ "config", 0, NULL, CLI_NOTHING, "for its definition: the next start" },
			{ "parent-index", 0, "N", CLI_TEXT, "which of several <ip>, from 0" },
			CLI_ROW_END },
	.what = { CLI_NETWORK, CLI_TEXT, CLI_FILE },
	.min = 4,
	.max = 4,
	.flags = CLI_WRITES,
	.run = run_update,
};
