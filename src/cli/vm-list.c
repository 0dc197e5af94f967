/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vm-list.c - which machines there are, and what each is
 */
#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/sample.h"
#include "cli/table.h"

static enum cli_colour colour_of(int state)
{
	switch (state) {
	case SOCLE_DOMAIN_RUNNING:
	case SOCLE_DOMAIN_BLOCKED:
		return COLOUR_GOOD;
	case SOCLE_DOMAIN_PAUSED:
	case SOCLE_DOMAIN_SHUTDOWN:
	case SOCLE_DOMAIN_PMSUSPENDED:
		return COLOUR_WARN;
	case SOCLE_DOMAIN_CRASHED:
		return COLOUR_BAD;
	default:
		return COLOUR_DIM;
	}
}

/* UUIDs of the machines that such flags name, as a set; NULL with an error. */
static GHashTable *uuids_of(struct cli *cli, unsigned flags, GError **error)
{
	struct socle_domain **doms = NULL;
	struct socle_error *why = NULL;
	GHashTable *set;

	if (socle_domain_list(cli->conn, flags, &doms, &why) < 0) {
		cli_fail(error, why, NULL);
		return NULL;
	}
	set = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	for (unsigned i = 0; doms[i]; i++)
		g_hash_table_add(set, g_strdup(socle_domain_uuid_text(doms[i])));
	socle_domains_free(doms);
	return set;
}

static json_t *sample_json(const struct sample *sample, GHashTable *persistent,
			   GHashTable *autostart)
{
	json_t *object = json_object();

	json_object_set_new(object, "name", cli_json_string(sample->real_name));
	json_object_set_new(object, "uuid", json_string(sample->uuid));
	json_object_set_new(object, "id", sample->id < 0 ? json_null() : json_integer(sample->id));
	json_object_set_new(object, "state", json_string(socle_domain_state_name(sample->state)));
	json_object_set_new(object, "vcpus", json_integer((json_int_t)sample->vcpus));
	json_object_set_new(object, "memory", json_integer((json_int_t)sample->memory_kib * 1024));
	json_object_set_new(object, "maximum_memory",
			    json_integer((json_int_t)sample->max_memory_kib * 1024));
	json_object_set_new(object, "persistent",
			    json_boolean(g_hash_table_contains(persistent, sample->uuid)));
	json_object_set_new(object, "autostart",
			    json_boolean(g_hash_table_contains(autostart, sample->uuid)));
	return object;
}

static bool list_json(struct cli *cli, const struct samples *samples, GError **error)
{
	g_autoptr(GHashTable) persistent = uuids_of(cli, SOCLE_LIST_PERSISTENT, error);
	g_autoptr(GHashTable) autostart = NULL;
	json_t *list;

	if (!persistent)
		return false;
	autostart = uuids_of(cli, SOCLE_LIST_AUTOSTART, error);
	if (!autostart)
		return false;
	list = json_array();
	for (unsigned i = 0; i < samples->list->len; i++)
		json_array_append_new(list,
				      sample_json(&g_array_index(samples->list, struct sample, i),
						  persistent, autostart));
	cli_out_json(list);
	return true;
}

static void list_table(const struct cli *cli, const struct samples *samples, bool uuids)
{
	autoptr(table) table = table_new(uuids ? "ID|NAME|STATE|>CPUS|>MEMORY|UUID"
					       : "ID|NAME|STATE|>CPUS|>MEMORY");

	for (unsigned i = 0; i < samples->list->len; i++) {
		const struct sample *sample = &g_array_index(samples->list, struct sample, i);

		table_take(table,
			   sample->id < 0 ? g_strdup("-") : g_strdup_printf("%d", sample->id));
		table_add(table, sample->name);
		table_add_colour(table, socle_domain_state_name(sample->state),
				 colour_of(sample->state));
		table_take(table, g_strdup_printf("%" PRIu64, sample->vcpus));
		table_take(table, cli_size(sample->memory_kib * 1024));
		if (uuids)
			table_add(table, sample->uuid);
	}
	if (samples->list->len)
		table_print(table);
	else
		cli_done(cli, "no machines");
}

static int run_list(struct cli *cli, const struct cli_args *args, GError **error)
{
	static const struct {
		const char *option;
		unsigned flag;
	} filters[] = {
		{ "running", SOCLE_LIST_ACTIVE },
		{ "stopped", SOCLE_LIST_INACTIVE },
		{ "paused", SOCLE_LIST_PAUSED },
		{ "transient", SOCLE_LIST_TRANSIENT },
		{ "persistent", SOCLE_LIST_PERSISTENT },
		{ "autostart", SOCLE_LIST_AUTOSTART },
		{ "with-snapshot", SOCLE_LIST_HAS_SNAPSHOT },
	};
	autoptr(samples) samples = NULL;
	unsigned flags = 0;

	for (unsigned i = 0; i < G_N_ELEMENTS(filters); i++)
		flags |= cli_args_has(args, filters[i].option) ? filters[i].flag : 0;
	if (!cli_connect(cli, error))
		return CLI_FAILED;
	samples = samples_take(cli->conn, flags, error);
	if (!samples)
		return CLI_FAILED;
	if (cli->output == OUTPUT_JSON)
		return list_json(cli, samples, error) ? CLI_OK : CLI_FAILED;
	if (cli->output == OUTPUT_NAME) {
		for (unsigned i = 0; i < samples->list->len; i++)
			cli_out_name(g_array_index(samples->list, struct sample, i).name);
		return CLI_OK;
	}
	list_table(cli, samples, cli_args_has(args, "uuid"));
	return CLI_OK;
}

const struct cli_command cli_vm_list = {
	.noun = "vm",
	.verb = "list",
	.names = "ls",
	.arguments = "",
	.summary = "List all machines, or those that options choose",
	.options =
		(const struct cli_option[]){
			{ "all", 'a', NULL, CLI_NOTHING, "all machines, which is the default" },
			{ "running", 0, NULL, CLI_NOTHING, "those that run, or are paused" },
			{ "stopped", 0, NULL, CLI_NOTHING, "those that do not" },
			{ "paused", 0, NULL, CLI_NOTHING, "those that are paused" },
			{ "transient", 0, NULL, CLI_NOTHING, "those that go when they end" },
			{ "persistent", 0, NULL, CLI_NOTHING, "those that stay" },
			{ "autostart", 0, NULL, CLI_NOTHING, "those that start with the host" },
			{ "with-snapshot", 0, NULL, CLI_NOTHING, "those that have snapshots" },
			{ "uuid", 'u', NULL, CLI_NOTHING, "show UUIDs, too" },
			CLI_ROW_END },
	.flags = CLI_BARE,
	.run = run_list,
};

/* ---- show ---- */

struct facts {
	int state, reason, persistent, autostart, saved, snapshots, updated;
	struct socle_domain_info info;
};

/* What a daemon does not know is -1, and left out. */
static bool facts_get(struct facts *facts, struct socle_domain *dom, GError **error)
{
	struct socle_error *why = NULL;

	if (socle_domain_state(dom, 0, &facts->state, &facts->reason, &why) < 0 ||
	    socle_domain_info(dom, &facts->info, &why) < 0)
		return cli_fail(error, why, "'%s'", socle_domain_name(dom));
	facts->persistent = socle_domain_is_persistent(dom, NULL);
	facts->updated = socle_domain_is_updated(dom, NULL);
	facts->autostart = socle_domain_get_autostart(dom, NULL);
	facts->saved = socle_domain_has_managed_save(dom, 0, NULL);
	facts->snapshots = socle_snapshot_list(dom, 0, NULL, NULL);
	return true;
}

static json_t *facts_json(const struct facts *facts, struct socle_domain *dom)
{
	json_t *object = json_object();
	int id = socle_domain_id(dom);
	const struct {
		const char *name;
		int value;
	} known[] = {
		{ "persistent", facts->persistent },
		{ "updated", facts->updated },
		{ "autostart", facts->autostart },
		{ "managed_save", facts->saved },
	};

	json_object_set_new(object, "name", cli_json_string(socle_domain_name(dom)));
	json_object_set_new(object, "uuid", json_string(socle_domain_uuid_text(dom)));
	json_object_set_new(object, "id", id < 0 ? json_null() : json_integer(id));
	json_object_set_new(object, "state", json_string(socle_domain_state_name(facts->state)));
	json_object_set_new(object, "reason",
			    json_string(socle_domain_reason_name(facts->state, facts->reason)));
	json_object_set_new(object, "vcpus", json_integer(facts->info.vcpus));
	json_object_set_new(object, "memory",
			    json_integer((json_int_t)facts->info.memory_kib * 1024));
	json_object_set_new(object, "maximum_memory",
			    json_integer((json_int_t)facts->info.max_memory_kib * 1024));
	json_object_set_new(object, "cpu_time_ns",
			    json_integer((json_int_t)facts->info.cpu_time_ns));
	for (unsigned i = 0; i < G_N_ELEMENTS(known); i++) {
		if (known[i].value >= 0)
			json_object_set_new(object, known[i].name, json_boolean(known[i].value));
	}
	if (facts->snapshots >= 0)
		json_object_set_new(object, "snapshots", json_integer(facts->snapshots));
	return object;
}

static void line(const char *what, const char *value)
{
	g_autofree char *plain = cli_plain(value);

	cli_out("%-14s %s\n", what, plain);
}

static void yes_no(const char *what, int value)
{
	if (value >= 0)
		line(what, value ? "yes" : "no");
}

static void facts_out(const struct facts *facts, struct socle_domain *dom)
{
	g_autofree char *memory = cli_size(facts->info.memory_kib * 1024);
	g_autofree char *maximum = cli_size(facts->info.max_memory_kib * 1024);
	g_autofree char *both = g_strdup_printf("%s of %s", memory, maximum);
	const char *reason = socle_domain_reason_name(facts->state, facts->reason);
	g_autofree char *state =
		strcmp(reason, "unknown") != 0
			? g_strdup_printf("%s (%s)", socle_domain_state_name(facts->state), reason)
			: g_strdup(socle_domain_state_name(facts->state));
	g_autofree char *time = cli_duration(facts->info.cpu_time_ns / 1000000000);

	line("name", socle_domain_name(dom));
	line("UUID", socle_domain_uuid_text(dom));
	if (socle_domain_id(dom) >= 0)
		cli_out("%-14s %d\n", "number", socle_domain_id(dom));
	line("state", state);
	cli_out("%-14s %u\n", "CPUs", facts->info.vcpus);
	line("memory", both);
	line("CPU time", time);
	yes_no("persistent", facts->persistent);
	if (facts->updated > 0)
		line("definition", "another one than what runs; it goes for the next start");
	yes_no("autostart", facts->autostart);
	yes_no("saved", facts->saved);
	if (facts->snapshots >= 0)
		cli_out("%-14s %d\n", "snapshots", facts->snapshots);
}

static int run_show(struct cli *cli, const struct cli_args *args, GError **error)
{
	g_autoptr(GPtrArray) doms = cli_machines(cli, args, 0, error);
	json_t *list;

	if (!doms)
		return CLI_FAILED;
	list = json_array();
	for (unsigned i = 0; i < doms->len; i++) {
		struct socle_domain *dom = g_ptr_array_index(doms, i);
		struct facts facts;

		if (!facts_get(&facts, dom, error)) {
			json_decref(list);
			return CLI_FAILED;
		}
		if (cli->output == OUTPUT_NAME)
			cli_out_name(socle_domain_name(dom));
		else if (cli->output == OUTPUT_JSON)
			json_array_append_new(list, facts_json(&facts, dom));
		else
			facts_out(&facts, dom);
		if (cli->output == OUTPUT_TABLE && i + 1 < doms->len)
			cli_out("\n");
	}
	if (cli->output == OUTPUT_JSON)
		cli_out_json(json_incref(list));
	json_decref(list);
	return CLI_OK;
}

const struct cli_command cli_vm_show = {
	.noun = "vm",
	.verb = "show",
	.names = "dominfo",
	.arguments = "MACHINE...",
	.summary = "Show what a machine is and does",
	.what = { CLI_MACHINE },
	.min = 1,
	.max = CLI_ANY_NUMBER,
	.flags = CLI_BARE,
	.run = run_show,
};

/* ---- one fact, for scripts ---- */

static int run_state(struct cli *cli, const struct cli_args *args, GError **error)
{
	SOCLE_AUTO(domain) dom = cli_machine(cli, cli_args_word(args, 0), error);
	struct socle_error *why = NULL;
	int state, reason;

	if (!dom)
		return CLI_FAILED;
	if (socle_domain_state(dom, 0, &state, &reason, &why) < 0)
		return cli_fail(error, why, "'%s'", cli_args_word(args, 0));
	if (cli->output == OUTPUT_JSON)
		cli_out_json(json_pack("{s:s, s:s}", "state", socle_domain_state_name(state),
				       "reason", socle_domain_reason_name(state, reason)));
	else if (cli_args_has(args, "reason"))
		cli_out("%s (%s)\n", socle_domain_state_name(state),
			socle_domain_reason_name(state, reason));
	else
		cli_out("%s\n", socle_domain_state_name(state));
	return CLI_OK;
}

const struct cli_command cli_vm_state = {
	.noun = "vm",
	.verb = "state",
	.names = "domstate",
	.arguments = "MACHINE",
	.summary = "Print the state of a machine",
	.options =
		(const struct cli_option[]){
			{ "reason", 0, NULL, CLI_NOTHING, "and why it is in it" }, CLI_ROW_END },
	.what = { CLI_MACHINE },
	.min = 1,
	.max = 1,
	.flags = CLI_BARE,
	.run = run_state,
};

static int run_fact(struct cli *cli, const struct cli_args *args, GError **error)
{
	SOCLE_AUTO(domain) dom = cli_machine(cli, cli_args_word(args, 0), error);
	const char *verb = cli_args_command(args)->verb;
	g_autofree char *name = NULL;
	int id;

	if (!dom)
		return CLI_FAILED;
	id = socle_domain_id(dom);
	name = cli_name(dom);
	if (cli->output == OUTPUT_JSON)
		cli_out_json(json_pack("{s:o, s:s, s:o}", "name",
				       cli_json_string(socle_domain_name(dom)), "uuid",
				       socle_domain_uuid_text(dom), "id",
				       id < 0 ? json_null() : json_integer(id)));
	else if (!strcmp(verb, "uuid"))
		cli_out("%s\n", socle_domain_uuid_text(dom));
	else if (!strcmp(verb, "name"))
		cli_out("%s\n", name);
	else if (id < 0)
		cli_out("-\n");
	else
		cli_out("%d\n", id);
	return CLI_OK;
}

const struct cli_command cli_vm_id = {
	.noun = "vm",
	.verb = "id",
	.names = "domid",
	.arguments = "MACHINE",
	.summary = "Print the number of a machine that runs, '-' for others",
	.what = { CLI_MACHINE },
	.min = 1,
	.max = 1,
	.flags = CLI_BARE,
	.run = run_fact,
};

const struct cli_command cli_vm_uuid = {
	.noun = "vm",
	.verb = "uuid",
	.names = "domuuid",
	.arguments = "MACHINE",
	.summary = "Print the UUID of a machine",
	.what = { CLI_MACHINE },
	.min = 1,
	.max = 1,
	.flags = CLI_BARE,
	.run = run_fact,
};

const struct cli_command cli_vm_name = {
	.noun = "vm",
	.verb = "name",
	.names = "domname",
	.arguments = "MACHINE",
	.summary = "Print the name of a machine",
	.what = { CLI_MACHINE },
	.min = 1,
	.max = 1,
	.flags = CLI_BARE,
	.run = run_fact,
};

static int run_messages(struct cli *cli, const struct cli_args *args, GError **error)
{
	SOCLE_AUTO(domain) dom = cli_machine(cli, cli_args_word(args, 0), error);
	struct socle_error *why = NULL;
	char **messages = NULL;
	json_t *list;

	if (!dom)
		return CLI_FAILED;
	if (socle_domain_messages(dom, 0, &messages, &why) < 0)
		return cli_fail(error, why, "'%s'", cli_args_word(args, 0));
	list = json_array();
	for (unsigned i = 0; messages[i]; i++) {
		g_autofree char *plain = cli_plain(messages[i]);

		if (cli->output != OUTPUT_JSON)
			cli_out("%s\n", plain);
		json_array_append_new(list, cli_json_string(messages[i]));
	}
	if (cli->output == OUTPUT_JSON)
		cli_out_json(json_incref(list));
	json_decref(list);
	socle_strings_free(messages);
	return CLI_OK;
}

const struct cli_command cli_vm_messages = {
	.noun = "vm",
	.verb = "messages",
	.names = "dommessages",
	.arguments = "MACHINE",
	.summary = "Print what the daemon has to say about a machine",
	.what = { CLI_MACHINE },
	.min = 1,
	.max = 1,
	.flags = CLI_BARE,
	.run = run_messages,
};
