/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * snapshot.c - snapshots of machines
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/table.h"
#include "model/snapshot.h"

static struct socle_domain *machine_of(struct cli *cli, const struct cli_args *args, GError **error)
{
	return cli_machine(cli, cli_args_word(args, 0), error);
}

/* The one that the second word names. */
static struct socle_snapshot *named(const struct cli_args *args, struct socle_domain *dom,
				    GError **error)
{
	struct socle_error *why = NULL;
	struct socle_snapshot *snap;

	if (cli_args_words(args) < 2)
		snap = socle_snapshot_current(dom, 0, &why);
	else
		snap = socle_snapshot_by_name(dom, cli_args_word(args, 1), 0, &why);
	if (!snap)
		cli_fail(error, why, "'%s'", cli_args_word(args, 0));
	return snap;
}

static void done(const struct cli *cli, struct socle_domain *dom, struct socle_snapshot *snap,
		 const char *action, const char *text)
{
	g_autofree char *name = cli_plain(socle_snapshot_name(snap)), *machine = cli_name(dom);

	if (cli->output == OUTPUT_JSON)
		cli_out_json(json_pack("{s:o, s:o, s:s, s:b}", "machine",
				       cli_json_string(socle_domain_name(dom)), "snapshot",
				       cli_json_string(socle_snapshot_name(snap)), "action", action,
				       "ok", true));
	else if (cli->output == OUTPUT_NAME)
		cli_out("%s\n", name);
	else
		cli_done(cli, "snapshot '%s' of '%s' %s", name, machine, text);
}

/* ---- create ---- */

static char *create_xml(const struct cli_args *args)
{
	struct snapshot snap = { NULL };
	g_autofree char *name = g_strdup(cli_args_word(args, 1));
	g_autofree char *description = g_strdup(cli_args_value(args, "description"));

	snap.name = name;
	snap.description = description;
	return snapshot_format(&snap, 0);
}

static int run_create(struct cli *cli, const struct cli_args *args, GError **error)
{
	static const struct {
		const char *option;
		unsigned flag;
	} flags[] = {
		{ "disk-only", SOCLE_SNAPSHOT_CREATE_DISK_ONLY },
		{ "quiesce", SOCLE_SNAPSHOT_CREATE_QUIESCE },
		{ "halt", SOCLE_SNAPSHOT_CREATE_HALT },
		{ "reuse-external", SOCLE_SNAPSHOT_CREATE_REUSE_EXT },
		{ "no-metadata", SOCLE_SNAPSHOT_CREATE_NO_METADATA },
		{ "atomic", SOCLE_SNAPSHOT_CREATE_ATOMIC },
	};
	const char *file = cli_args_value(args, "file");
	g_autofree char *xml = NULL;
	SOCLE_AUTO(domain) dom = NULL;
	SOCLE_AUTO(snapshot) snap = NULL;
	struct socle_error *why = NULL;
	unsigned chosen = 0;
	size_t len;

	for (unsigned i = 0; i < G_N_ELEMENTS(flags); i++)
		chosen |= cli_args_has(args, flags[i].option) ? flags[i].flag : 0;
	xml = file ? cli_read_file(file, &len, error) : create_xml(args);
	if (!xml)
		return CLI_FAILED;
	dom = machine_of(cli, args, error);
	if (!dom)
		return CLI_FAILED;
	snap = socle_snapshot_create(dom, xml, chosen, &why);
	if (!snap)
		return cli_fail(error, why, "'%s'", cli_args_word(args, 0));
	done(cli, dom, snap, "create", "is taken");
	return CLI_OK;
}

const struct cli_command cli_snapshot_create = {
	.noun = "snapshot",
	.verb = "create",
	.names = "snapshot-create-as",
	.arguments = "MACHINE [NAME]",
	.summary = "Take a snapshot",
	.options =
		(const struct cli_option[]){
			{ "description", 'd', "TEXT", CLI_TEXT, "what it is for" },
			{ "disk-only", 0, NULL, CLI_NOTHING, "of disks, without memory" },
			{ "quiesce", 0, NULL, CLI_NOTHING,
			  "let the guest's agent hold file systems still" },
			{ "halt", 0, NULL, CLI_NOTHING, "end the machine behind it" },
			{ "reuse-external", 0, NULL, CLI_NOTHING, "new images are there already" },
			{ "no-metadata", 0, NULL, CLI_NOTHING,
			  "the daemon is to know nothing of it" },
			{ "atomic", 0, NULL, CLI_NOTHING, "all disks or none" },
			{ "file", 'f', "FILE", CLI_FILE, "as this XML says" },
			CLI_ROW_END },
	.what = { CLI_MACHINE, CLI_TEXT },
	.min = 1,
	.max = 2,
	.flags = CLI_WRITES,
	.run = run_create,
};

/* ---- list, show ---- */

static const char *state_text(const struct snapshot *snap)
{
	static const char *const names[] = {
		"-",        "running", "blocked", "paused",
		"shutdown", "shutoff", "crashed", "disk-snapshot",
	};

	G_STATIC_ASSERT(G_N_ELEMENTS(names) == SNAPSHOT_STATE_COUNT);
	return names[snap->state];
}

static struct snapshot *description(struct socle_snapshot *snap, GError **error)
{
	struct socle_error *why = NULL;
	char *xml = socle_snapshot_xml(snap, 0, &why);
	struct snapshot *parsed;

	if (!xml) {
		cli_fail(error, why, "snapshot '%s'", socle_snapshot_name(snap));
		return NULL;
	}
	parsed = snapshot_parse(xml, strlen(xml), 0, NULL, error);
	free(xml);
	return parsed;
}

static char *time_text(const struct snapshot *snap)
{
	g_autoptr(GDateTime) time =
		snap->creation_time.set ? g_date_time_new_from_unix_local(snap->creation_time.value)
					: NULL;

	return time ? g_date_time_format(time, "%Y-%m-%d %H:%M:%S") : g_strdup("-");
}

static json_t *snapshot_json(const struct snapshot *snap, bool current)
{
	return json_pack("{s:o, s:o, s:s, s:o, s:o, s:b}", "name", cli_json_string(snap->name),
			 "description", cli_json_string(snap->description), "state",
			 state_text(snap), "created",
			 snap->creation_time.set ? json_integer(snap->creation_time.value)
						 : json_null(),
			 "parent", cli_json_string(snap->parent.name), "current", current);
}

/* Its name, or NULL if there is none. */
static char *current_name(struct socle_domain *dom)
{
	SOCLE_AUTO(snapshot) snap = socle_snapshot_current(dom, 0, NULL);

	return snap ? g_strdup(socle_snapshot_name(snap)) : NULL;
}

static bool add_row(struct socle_snapshot *snap, const char *current, struct table *table,
		    json_t *list, GError **error)
{
	autoptr(snapshot) parsed = description(snap, error);
	bool is_current = !g_strcmp0(current, socle_snapshot_name(snap));

	if (!parsed)
		return false;
	table_add(table, is_current ? "*" : "");
	table_add(table, parsed->name);
	table_take(table, time_text(parsed));
	table_add(table, state_text(parsed));
	table_add(table, parsed->parent.name);
	json_array_append_new(list, snapshot_json(parsed, is_current));
	return true;
}

static int run_list(struct cli *cli, const struct cli_args *args, GError **error)
{
	SOCLE_AUTO(domain) dom = machine_of(cli, args, error);
	autoptr(table) table = table_new(" |NAME|CREATED|STATE|PARENT");
	g_autofree char *current = NULL;
	struct socle_snapshot **snaps = NULL;
	struct socle_error *why = NULL;
	json_t *list;
	int count;
	bool ok = true;

	if (!dom)
		return CLI_FAILED;
	count = socle_snapshot_list(dom, 0, &snaps, &why);
	if (count < 0)
		return cli_fail(error, why, "'%s'", cli_args_word(args, 0));
	current = current_name(dom);
	list = json_array();
	for (int i = 0; i < count && ok; i++) {
		if (cli->output == OUTPUT_NAME)
			cli_out_name(socle_snapshot_name(snaps[i]));
		else
			ok = add_row(snaps[i], current, table, list, error);
	}
	socle_snapshots_free(snaps);
	if (!ok) {
		json_decref(list);
		return CLI_FAILED;
	}
	cli_out_list(cli, list, table, "no snapshots");
	return CLI_OK;
}

const struct cli_command cli_snapshot_list = {
	.noun = "snapshot",
	.verb = "list",
	.names = "snapshot-list",
	.arguments = "MACHINE",
	.summary = "List the snapshots of a machine",
	.what = { CLI_MACHINE },
	.min = 1,
	.max = 1,
	.run = run_list,
};

static int run_show(struct cli *cli, const struct cli_args *args, GError **error)
{
	SOCLE_AUTO(domain) dom = machine_of(cli, args, error);
	SOCLE_AUTO(snapshot) snap = dom ? named(args, dom, error) : NULL;
	autoptr(snapshot) parsed = snap ? description(snap, error) : NULL;
	g_autofree char *time = NULL, *text = NULL, *name = NULL, *parent = NULL;
	bool current;

	if (!parsed)
		return CLI_FAILED;
	current = socle_snapshot_is_current(snap, 0, NULL) > 0;
	if (cli->output == OUTPUT_JSON) {
		cli_out_json(snapshot_json(parsed, current));
		return CLI_OK;
	}
	name = cli_plain(socle_snapshot_name(snap));
	if (cli->output == OUTPUT_NAME) {
		cli_out("%s\n", name);
		return CLI_OK;
	}
	time = time_text(parsed);
	text = cli_plain(parsed->description ? parsed->description : "-");
	parent = cli_plain(parsed->parent.name ? parsed->parent.name : "-");
	cli_out("name         %s\ndescription  %s\ncreated      %s\nstate        %s\n"
		"parent       %s\ncurrent      %s\n",
		name, text, time, state_text(parsed), parent, current ? "yes" : "no");
	return CLI_OK;
}

const struct cli_command cli_snapshot_show = {
	.noun = "snapshot",
	.verb = "show",
	.names = "snapshot-info",
	.arguments = "MACHINE [NAME]",
	.summary = "Show what is known of a snapshot, or of the current one",
	.what = { CLI_MACHINE, CLI_SNAPSHOT },
	.min = 1,
	.max = 2,
	.run = run_show,
};

static int run_xml(struct cli *cli, const struct cli_args *args, GError **error)
{
	SOCLE_AUTO(domain) dom = machine_of(cli, args, error);
	SOCLE_AUTO(snapshot) snap = dom ? named(args, dom, error) : NULL;
	unsigned flags = cli_args_has(args, "security-info") ? SOCLE_XML_SECURE : 0;
	struct socle_error *why = NULL;
	char *xml;

	if (!snap)
		return CLI_FAILED;
	xml = socle_snapshot_xml(snap, flags, &why);
	if (!xml)
		return cli_fail(error, why, "'%s'", cli_args_word(args, 0));
	if (cli->output == OUTPUT_JSON)
		cli_out_json(json_pack("{s:o, s:o}", "name",
				       cli_json_string(socle_snapshot_name(snap)), "xml",
				       cli_json_string(xml)));
	else
		cli_out_text(xml);
	free(xml);
	return CLI_OK;
}

const struct cli_command cli_snapshot_xml = {
	.noun = "snapshot",
	.verb = "xml",
	.names = "snapshot-dumpxml",
	.arguments = "MACHINE [NAME]",
	.summary = "Print the description of a snapshot, or of the current one",
	.options =
		(const struct cli_option[]){
			{ "security-info", 0, NULL, CLI_NOTHING, "with passwords" }, CLI_ROW_END },
	.what = { CLI_MACHINE, CLI_SNAPSHOT },
	.min = 1,
	.max = 2,
	.run = run_xml,
};

static int run_current(struct cli *cli, const struct cli_args *args, GError **error)
{
	SOCLE_AUTO(domain) dom = machine_of(cli, args, error);
	SOCLE_AUTO(snapshot) snap = dom ? named(args, dom, error) : NULL;
	g_autofree char *name = NULL;

	if (!snap)
		return CLI_FAILED;
	name = cli_plain(socle_snapshot_name(snap));
	if (cli->output == OUTPUT_JSON)
		cli_out_json(
			json_pack("{s:o}", "name", cli_json_string(socle_snapshot_name(snap))));
	else
		cli_out("%s\n", name);
	return CLI_OK;
}

const struct cli_command cli_snapshot_current = {
	.noun = "snapshot",
	.verb = "current",
	.names = "snapshot-current",
	.arguments = "MACHINE",
	.summary = "Print the name of the snapshot that a machine comes from",
	.what = { CLI_MACHINE },
	.min = 1,
	.max = 1,
	.run = run_current,
};

/* ---- revert, delete ---- */

/* "Do it to snapshot 'x' of 'y'?" */
static bool confirm(const struct cli *cli, struct socle_domain *dom, struct socle_snapshot *snap,
		    const char *before, const char *behind, GError **error)
{
	g_autofree char *machine = cli_name(dom), *name = cli_plain(socle_snapshot_name(snap));
	g_autofree char *text =
		g_strdup_printf("%s snapshot '%s' of '%s'%s?", before, name, machine, behind);

	return cli_confirm(cli, text, error);
}

static int run_revert(struct cli *cli, const struct cli_args *args, GError **error)
{
	unsigned flags = (cli_args_has(args, "running") ? SOCLE_SNAPSHOT_REVERT_RUNNING : 0) |
			 (cli_args_has(args, "paused") ? SOCLE_SNAPSHOT_REVERT_PAUSED : 0) |
			 (cli_args_has(args, "force") ? SOCLE_SNAPSHOT_REVERT_FORCE : 0);
	SOCLE_AUTO(domain) dom = machine_of(cli, args, error);
	SOCLE_AUTO(snapshot) snap = dom ? named(args, dom, error) : NULL;
	struct socle_error *why = NULL;

	if (!snap || !confirm(cli, dom, snap, "Go back to", ", and lose what came later", error))
		return CLI_FAILED;
	if (socle_snapshot_revert(snap, flags, &why) < 0)
		return cli_fail(error, why, "'%s'", cli_args_word(args, 0));
	done(cli, dom, snap, "revert", "is what the machine is now");
	return CLI_OK;
}

const struct cli_command cli_snapshot_revert = {
	.noun = "snapshot",
	.verb = "revert",
	.names = "snapshot-revert",
	.arguments = "MACHINE [NAME]",
	.summary = "Make a machine what it was at a snapshot, or at the current one",
	.options =
		(const struct cli_option[]){
			{ "running", 0, NULL, CLI_NOTHING, "and let it run" },
			{ "paused", 0, NULL, CLI_NOTHING, "and leave it paused" },
			{ "force", 0, NULL, CLI_NOTHING, "also if that is risky" },
			CLI_ROW_END },
	.what = { CLI_MACHINE, CLI_SNAPSHOT },
	.min = 1,
	.max = 2,
	.flags = CLI_WRITES,
	.run = run_revert,
};

static int run_delete(struct cli *cli, const struct cli_args *args, GError **error)
{
	unsigned flags =
		(cli_args_has(args, "children") ? SOCLE_SNAPSHOT_DELETE_CHILDREN : 0) |
		(cli_args_has(args, "children-only") ? SOCLE_SNAPSHOT_DELETE_CHILDREN_ONLY : 0) |
		(cli_args_has(args, "metadata") ? SOCLE_SNAPSHOT_DELETE_METADATA_ONLY : 0);
	SOCLE_AUTO(domain) dom = machine_of(cli, args, error);
	SOCLE_AUTO(snapshot) snap = dom ? named(args, dom, error) : NULL;
	struct socle_error *why = NULL;

	if (!snap || !confirm(cli, dom, snap, "Delete", "", error))
		return CLI_FAILED;
	if (socle_snapshot_delete(snap, flags, &why) < 0)
		return cli_fail(error, why, "'%s'", cli_args_word(args, 0));
	done(cli, dom, snap, "delete", "is deleted");
	return CLI_OK;
}

const struct cli_command cli_snapshot_delete = {
	.noun = "snapshot",
	.verb = "delete",
	.names = "snapshot-delete",
	.arguments = "MACHINE NAME",
	.summary = "Delete a snapshot; the machine stays what it is",
	.options =
		(const struct cli_option[]){
			{ "children", 0, NULL, CLI_NOTHING, "with all that come from it" },
			{ "children-only", 0, NULL, CLI_NOTHING, "these, and not itself" },
			{ "metadata", 0, NULL, CLI_NOTHING, "only what the daemon knows of it" },
			CLI_ROW_END },
	.what = { CLI_MACHINE, CLI_SNAPSHOT },
	.min = 2,
	.max = 2,
	.flags = CLI_WRITES,
	.run = run_delete,
};
