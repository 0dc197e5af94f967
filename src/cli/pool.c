/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pool.c - storage pools: which there are, and their life
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/object.h"
#include "cli/table.h"

/* ---- list ---- */

static enum cli_colour colour_of(int state)
{
	return state == SOCLE_POOL_RUNNING    ? COLOUR_GOOD
	       : state == SOCLE_POOL_INACTIVE ? COLOUR_DIM
					      : COLOUR_WARN;
}

static json_t *pool_json(struct socle_pool *pool, const struct socle_pool_info *info,
			 int persistent, int autostart)
{
	return json_pack("{s:o, s:s, s:s, s:b, s:b, s:I, s:I, s:I}", "name",
			 cli_json_string(socle_pool_name(pool)), "uuid", socle_pool_uuid_text(pool),
			 "state", socle_pool_state_name(info->state), "persistent", persistent > 0,
			 "autostart", autostart > 0, "capacity", (json_int_t)info->capacity,
			 "allocation", (json_int_t)info->allocation, "available",
			 (json_int_t)info->available);
}

static void add_size(struct table *table, const struct socle_pool_info *info, uint64_t bytes)
{
	table_take(table, info->state == SOCLE_POOL_INACTIVE ? g_strdup("-") : cli_size(bytes));
}

/* One that has gone meanwhile is left out. */
static void add_pool(struct socle_pool *pool, struct table *table, bool uuids, json_t *list)
{
	int autostart = socle_pool_get_autostart(pool, NULL);
	int persistent = socle_pool_is_persistent(pool, NULL);
	struct socle_pool_info info;

	if (socle_pool_info(pool, &info, NULL) < 0)
		return;
	table_add(table, socle_pool_name(pool));
	table_add_colour(table, socle_pool_state_name(info.state), colour_of(info.state));
	table_add(table, autostart > 0 ? "yes" : "no");
	table_add(table, persistent > 0 ? "yes" : "no");
	add_size(table, &info, info.capacity);
	add_size(table, &info, info.allocation);
	add_size(table, &info, info.available);
	if (uuids)
		table_add(table, socle_pool_uuid_text(pool));
	json_array_append_new(list, pool_json(pool, &info, persistent, autostart));
}

/* SOCLE_POOL_LIST_ flags of "dir,logical"; false with an error. */
static bool types_of(const char *text, unsigned *flags, GError **error)
{
	static const char *const types[] = { "dir",      "fs",          "netfs",   "logical",
					     "disk",     "iscsi",       "scsi",    "mpath",
					     "rbd",      "sheepdog",    "gluster", "zfs",
					     "vstorage", "iscsi-direct" };
	g_auto(GStrv) words = g_strsplit(text, ",", -1);

	for (unsigned i = 0; words[i]; i++) {
		unsigned place = 0;

		while (place < G_N_ELEMENTS(types) && strcmp(types[place], words[i]) != 0)
			place++;
		if (place == G_N_ELEMENTS(types))
			return error_set(
				error, SOCLE_ERROR_USAGE,
				"there is no kind of pools '%s'; there are dir, fs, netfs, "
				"logical, disk and more",
				words[i]);
		*flags |= (unsigned)SOCLE_POOL_LIST_DIR << place;
	}
	return true;
}

static int run_list(struct cli *cli, const struct cli_args *args, GError **error)
{
	static const struct {
		const char *option;
		unsigned flag;
	} filters[] = {
		{ "active", SOCLE_POOL_LIST_ACTIVE },
		{ "inactive", SOCLE_POOL_LIST_INACTIVE },
		{ "persistent", SOCLE_POOL_LIST_PERSISTENT },
		{ "transient", SOCLE_POOL_LIST_TRANSIENT },
		{ "autostart", SOCLE_POOL_LIST_AUTOSTART },
		{ "no-autostart", SOCLE_POOL_LIST_NO_AUTOSTART },
	};
	bool uuids = cli_args_has(args, "uuid");
	const char *types = cli_args_value(args, "type");
	autoptr(table) table =
		table_new(uuids ? "NAME|STATE|AUTOSTART|PERSISTENT|>CAPACITY|>USED|>FREE|UUID"
				: "NAME|STATE|AUTOSTART|PERSISTENT|>CAPACITY|>USED|>FREE");
	struct socle_pool **pools = NULL;
	struct socle_error *why = NULL;
	unsigned flags = 0;
	json_t *list;

	for (unsigned i = 0; i < G_N_ELEMENTS(filters); i++)
		flags |= cli_args_has(args, filters[i].option) ? filters[i].flag : 0;
	if (types && !types_of(types, &flags, error))
		return CLI_USAGE;
	if (!cli_connect(cli, error))
		return CLI_FAILED;
	if (socle_pool_list(cli->conn, flags, &pools, &why) < 0)
		return cli_fail(error, why, NULL);
	list = json_array();
	for (unsigned i = 0; pools[i]; i++) {
		if (cli->output == OUTPUT_NAME)
			cli_out_name(socle_pool_name(pools[i]));
		else
			add_pool(pools[i], table, uuids, list);
	}
	cli_out_list(cli, list, table, "no pools");
	socle_pools_free(pools);
	return CLI_OK;
}

const struct cli_command cli_pool_list = {
	.noun = "pool",
	.verb = "list",
	.names = "pool-list",
	.arguments = "",
	.summary = "List all storage pools, or those that options choose",
	.options =
		(const struct cli_option[]){
			{ "all", 'a', NULL, CLI_NOTHING, "all pools, which is the default" },
			{ "active", 0, NULL, CLI_NOTHING, "those that are active" },
			{ "inactive", 0, NULL, CLI_NOTHING, "those that are not" },
			{ "persistent", 0, NULL, CLI_NOTHING, "those that stay" },
			{ "transient", 0, NULL, CLI_NOTHING, "those that go when they stop" },
			{ "autostart", 0, NULL, CLI_NOTHING, "those that start with the host" },
			{ "no-autostart", 0, NULL, CLI_NOTHING, "those that do not" },
			{ "type", 0, "TYPE,...", CLI_TEXT,
			  "of these kinds only: dir, logical ..." },
			{ "details", 0, NULL, CLI_NOTHING, "with sizes, which is the default" },
			{ "uuid", 'u', NULL, CLI_NOTHING, "show UUIDs, too" },
			CLI_ROW_END },
	.run = run_list,
};

/* ---- show ---- */

static void show(struct socle_pool *pool, const struct socle_pool_info *info, int persistent,
		 int autostart)
{
	g_autofree char *name = cli_plain(socle_pool_name(pool));
	g_autofree char *capacity = cli_size(info->capacity);
	g_autofree char *allocation = cli_size(info->allocation);
	g_autofree char *available = cli_size(info->available);

	cli_out("name        %s\nuuid        %s\nstate       %s\npersistent  %s\n"
		"autostart   %s\n",
		name, socle_pool_uuid_text(pool), socle_pool_state_name(info->state),
		persistent > 0 ? "yes" : "no", autostart > 0 ? "yes" : "no");
	if (info->state != SOCLE_POOL_INACTIVE)
		cli_out("capacity    %s (%" PRIu64 " bytes)\nused        %s (%" PRIu64 " bytes)\n"
			"free        %s (%" PRIu64 " bytes)\n",
			capacity, info->capacity, allocation, info->allocation, available,
			info->available);
}

static int run_show(struct cli *cli, const struct cli_args *args, GError **error)
{
	SOCLE_AUTO(pool) pool = cli_pool(cli, cli_args_word(args, 0), error);
	struct socle_pool_info info;
	struct socle_error *why = NULL;
	int persistent, autostart;

	if (!pool)
		return CLI_FAILED;
	if (socle_pool_info(pool, &info, &why) < 0)
		return cli_fail(error, why, "pool '%s'", cli_args_word(args, 0));
	persistent = socle_pool_is_persistent(pool, NULL);
	autostart = socle_pool_get_autostart(pool, NULL);
	if (cli->output == OUTPUT_JSON)
		cli_out_json(pool_json(pool, &info, persistent, autostart));
	else if (cli->output == OUTPUT_NAME)
		cli_out_name(socle_pool_name(pool));
	else
		show(pool, &info, persistent, autostart);
	return CLI_OK;
}

const struct cli_command cli_pool_show = {
	.noun = "pool",
	.verb = "show",
	.names = "pool-info",
	.arguments = "POOL",
	.summary = "Show the state of a pool, and how much it has",
	.options = (const struct cli_option[]){ { "bytes", 0, NULL, CLI_NOTHING,
						  "sizes in bytes, which are always there" },
						CLI_ROW_END },
	.what = { CLI_POOL },
	.min = 1,
	.max = 1,
	.run = run_show,
};

const struct cli_command cli_pool_xml = {
	.noun = "pool",
	.verb = "xml",
	.names = "pool-dumpxml",
	.arguments = "POOL",
	.summary = "Print the definition of a pool",
	.options = (const struct cli_option[]){ { "inactive", 0, NULL, CLI_NOTHING,
						  "as it will be at the next start" },
						CLI_ROW_END },
	.what = { CLI_POOL },
	.min = 1,
	.max = 1,
	.run = cli_object_xml,
};

const struct cli_command cli_pool_uuid = {
	.noun = "pool",
	.verb = "uuid",
	.names = "pool-uuid",
	.arguments = "POOL",
	.summary = "Print the UUID of a pool",
	.what = { CLI_POOL },
	.min = 1,
	.max = 1,
	.run = cli_object_uuid,
};

const struct cli_command cli_pool_name = {
	.noun = "pool",
	.verb = "name",
	.names = "pool-name",
	.arguments = "POOL",
	.summary = "Print the name of a pool",
	.what = { CLI_POOL },
	.min = 1,
	.max = 1,
	.run = cli_object_name,
};

/* ---- life ---- */

static unsigned build_flags(const struct cli_args *args)
{
	return (cli_args_has(args, "overwrite") ? SOCLE_POOL_BUILD_OVERWRITE : 0) |
	       (cli_args_has(args, "no-overwrite") ? SOCLE_POOL_BUILD_NO_OVERWRITE : 0);
}

static unsigned create_flags(const struct cli_args *args)
{
	return (cli_args_has(args, "build") ? SOCLE_POOL_CREATE_BUILD : 0) |
	       (cli_args_has(args, "overwrite") ? SOCLE_POOL_CREATE_BUILD_OVERWRITE : 0) |
	       (cli_args_has(args, "no-overwrite") ? SOCLE_POOL_CREATE_BUILD_NO_OVERWRITE : 0);
}

static bool start(struct cli *cli, const struct cli_args *args, void *pool, GError **error)
{
	struct socle_error *why = NULL;

	(void)cli;
	return socle_pool_create(pool, create_flags(args), &why) == 0 ||
	       cli_fail(error, why, "pool '%s'", socle_pool_name(pool));
}

static int run_start(struct cli *cli, const struct cli_args *args, GError **error)
{
	return cli_each_object(cli, args, &object_pool, "start", "started", start, error);
}

const struct cli_command cli_pool_start = {
	.noun = "pool",
	.verb = "start",
	.names = "pool-start",
	.arguments = "POOL...",
	.summary = "Start pools: their volumes can be used",
	.options = (const struct cli_option[]){ POOL_ROWS_BUILD, CLI_ROW_END },
	.what = { CLI_POOL },
	.min = 1,
	.max = CLI_ANY_NUMBER,
	.flags = CLI_WRITES,
	.run = run_start,
};

static bool stop(struct cli *cli, const struct cli_args *args, void *pool, GError **error)
{
	struct socle_error *why = NULL;

	(void)cli;
	(void)args;
	return socle_pool_destroy(pool, &why) == 0 ||
	       cli_fail(error, why, "pool '%s'", socle_pool_name(pool));
}

static int run_stop(struct cli *cli, const struct cli_args *args, GError **error)
{
	return cli_each_object(cli, args, &object_pool, "stop", "stopped", stop, error);
}

const struct cli_command cli_pool_stop = {
	.noun = "pool",
	.verb = "stop",
	.names = "pool-destroy",
	.arguments = "POOL...",
	.summary = "Stop pools; nothing is lost",
	.what = { CLI_POOL },
	.min = 1,
	.max = CLI_ANY_NUMBER,
	.flags = CLI_WRITES,
	.run = run_stop,
};

static bool build(struct cli *cli, const struct cli_args *args, void *pool, GError **error)
{
	struct socle_error *why = NULL;

	(void)cli;
	return socle_pool_build(pool, build_flags(args), &why) == 0 ||
	       cli_fail(error, why, "pool '%s'", socle_pool_name(pool));
}

static int run_build(struct cli *cli, const struct cli_args *args, GError **error)
{
	return cli_each_object(cli, args, &object_pool, "build", "is built", build, error);
}

const struct cli_command cli_pool_build = {
	.noun = "pool",
	.verb = "build",
	.names = "pool-build",
	.arguments = "POOL...",
	.summary = "Make what pools are on: a folder, a file system, a volume group",
	.options =
		(const struct cli_option[]){
			{ "overwrite", 0, NULL, CLI_NOTHING, "whatever is there is lost" },
			{ "no-overwrite", 0, NULL, CLI_NOTHING, "only if nothing is there" },
			CLI_ROW_END },
	.what = { CLI_POOL },
	.min = 1,
	.max = CLI_ANY_NUMBER,
	.flags = CLI_WRITES,
	.run = run_build,
};

static bool refresh(struct cli *cli, const struct cli_args *args, void *pool, GError **error)
{
	struct socle_error *why = NULL;

	(void)cli;
	(void)args;
	return socle_pool_refresh(pool, 0, &why) == 0 ||
	       cli_fail(error, why, "pool '%s'", socle_pool_name(pool));
}

static int run_refresh(struct cli *cli, const struct cli_args *args, GError **error)
{
	return cli_each_object(cli, args, &object_pool, "refresh", "is refreshed", refresh, error);
}

const struct cli_command cli_pool_refresh = {
	.noun = "pool",
	.verb = "refresh",
	.names = "pool-refresh",
	.arguments = "POOL...",
	.summary = "Look again which volumes pools have",
	.what = { CLI_POOL },
	.min = 1,
	.max = CLI_ANY_NUMBER,
	.flags = CLI_WRITES,
	.run = run_refresh,
};

const struct cli_command cli_pool_undefine = {
	.noun = "pool",
	.verb = "undefine",
	.names = "pool-undefine",
	.arguments = "POOL...",
	.summary = "Forget the definitions of pools; volumes stay",
	.what = { CLI_POOL },
	.min = 1,
	.max = CLI_ANY_NUMBER,
	.flags = CLI_WRITES,
	.run = cli_object_undefine,
};

static bool delete (struct cli *cli, const struct cli_args *args, void *pool, GError **error)
{
	g_autofree char *name = cli_plain(socle_pool_name(pool));
	g_autofree char *question =
		g_strdup_printf("Delete what pool '%s' is on? What it had is lost.", name);
	struct socle_error *why = NULL;

	(void)args;
	if (!cli_confirm(cli, question, error))
		return false;
	return socle_pool_delete(pool, 0, &why) == 0 || cli_fail(error, why, "pool '%s'", name);
}

static int run_delete(struct cli *cli, const struct cli_args *args, GError **error)
{
	return cli_each_object(cli, args, &object_pool, "delete",
			       "is deleted; its definition stays", delete, error);
}

const struct cli_command cli_pool_delete = {
	.noun = "pool",
	.verb = "delete",
	.names = "pool-delete",
	.arguments = "POOL...",
	.summary = "Delete what pools are on: what they had is lost",
	.what = { CLI_POOL },
	.min = 1,
	.max = CLI_ANY_NUMBER,
	.flags = CLI_WRITES,
	.run = run_delete,
};

const struct cli_command cli_pool_autostart = {
	.noun = "pool",
	.verb = "autostart",
	.names = "pool-autostart",
	.arguments = "POOL...",
	.summary = "Let pools start with the host",
	.options = (const struct cli_option[]){ { "disable", 0, NULL, CLI_NOTHING, "not any more" },
						CLI_ROW_END },
	.what = { CLI_POOL },
	.min = 1,
	.max = CLI_ANY_NUMBER,
	.flags = CLI_WRITES,
	.run = cli_object_autostart,
};
