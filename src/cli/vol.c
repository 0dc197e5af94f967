/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vol.c - volumes of storage pools: which there are, and their life
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/object.h"
#include "cli/table.h"
#include "cli/vol.h"

static struct storage_vol *parse(char *xml, GError **error)
{
	struct storage_vol *parsed = storage_vol_skim(xml, strlen(xml));

	if (!parsed)
		parsed = storage_vol_parse(xml, strlen(xml), 0, NULL, error);
	free(xml);
	return parsed;
}

struct storage_vol *vol_definition(struct socle_volume *vol, GError **error)
{
	struct socle_error *why = NULL;
	char *xml = socle_volume_xml(vol, 0, &why);

	if (xml)
		return parse(xml, error);
	cli_fail(error, why, "volume '%s'", socle_volume_name(vol));
	return NULL;
}

/* ---- list, show ---- */

static json_t *volume_json(struct socle_volume *vol, const struct socle_volume_info *info,
			   const struct storage_vol *parsed)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:s, s:o, s:o, s:I, s:I}", "name",
			 cli_json_string(socle_volume_name(vol)), "pool",
			 cli_json_string(socle_volume_pool_name(vol)), "path",
			 cli_json_string(parsed->target.path), "key",
			 cli_json_string(socle_volume_key(vol)), "type",
			 socle_volume_type_name(info->type), "format",
			 cli_json_string(parsed->target.format.type), "backing",
			 cli_json_string(parsed->backing.path), "capacity",
			 (json_int_t)info->capacity, "allocation", (json_int_t)info->allocation);
}

/* What the definition says of them, which is what a question of its own would be answered. */
static struct socle_volume_info info_of(const struct storage_vol *parsed)
{
	return (struct socle_volume_info){
		.type = (int)(MAX(parsed->type, STORAGE_VOL_FILE) - STORAGE_VOL_FILE),
		.capacity = (uint64_t)parsed->capacity.value,
		.allocation = (uint64_t)parsed->allocation.value,
	};
}

/* What is printed of many: one of the two. */
struct listing {
	struct table *table; /* with a column for the pool, if with_pool */
	json_t *list;        /* NULL: it is the table */
	bool with_pool;
};

/* One that has gone meanwhile has no XML, and is left out. */
static void add_volume(struct socle_volume *vol, char *xml, void *opaque)
{
	const struct listing *to = opaque;
	autoptr(storage_vol) parsed = xml ? parse(xml, NULL) : NULL;
	struct socle_volume_info info;

	if (!parsed)
		return;
	info = info_of(parsed);
	if (to->list) {
		json_array_append_new(to->list, volume_json(vol, &info, parsed));
		return;
	}
	if (to->with_pool)
		table_add(to->table, socle_volume_pool_name(vol));
	table_add(to->table, socle_volume_name(vol));
	table_add(to->table, parsed->target.format.type ? parsed->target.format.type
							: socle_volume_type_name(info.type));
	table_take(to->table, cli_size(info.capacity));
	table_take(to->table, cli_size(info.allocation));
	table_add(to->table, parsed->target.path);
}

static void print_names(struct socle_pool *pool, struct socle_volume **vols, bool with_pool)
{
	g_autofree char *before = cli_plain(socle_pool_name(pool));

	for (unsigned i = 0; vols[i]; i++) {
		if (with_pool)
			cli_out("%s/", before);
		cli_out_name(socle_volume_name(vols[i]));
	}
}

static bool list_pool(struct cli *cli, struct socle_pool *pool, struct listing *to, GError **error)
{
	struct socle_volume **vols = NULL;
	struct socle_error *why = NULL;
	bool ok = true;

	if (socle_volume_list(pool, 0, &vols, &why) < 0)
		return cli_fail(error, why, "pool '%s'", socle_pool_name(pool));
	if (cli->output == OUTPUT_NAME)
		print_names(pool, vols, to->with_pool);
	else
		ok = socle_volumes_xml(vols, 0, add_volume, to, &why) == 0 ||
		     cli_fail(error, why, NULL);
	socle_volumes_free(vols);
	return ok;
}

static bool list_all(struct cli *cli, struct listing *to, GError **error)
{
	struct socle_pool **pools = NULL;
	struct socle_error *why = NULL;
	bool ok = true;

	if (!cli_connect(cli, error))
		return false;
	if (socle_pool_list(cli->conn, SOCLE_POOL_LIST_ACTIVE, &pools, &why) < 0)
		return cli_fail(error, why, NULL);
	for (unsigned i = 0; pools[i] && ok; i++)
		ok = list_pool(cli, pools[i], to, error);
	socle_pools_free(pools);
	return ok;
}

static int run_list(struct cli *cli, const struct cli_args *args, GError **error)
{
	const char *word =
		cli_args_words(args) ? cli_args_word(args, 0) : cli_args_value(args, "pool");
	autoptr(table) table = table_new(word ? "NAME|FORMAT|>CAPACITY|>USED|PATH"
					      : "POOL|NAME|FORMAT|>CAPACITY|>USED|PATH");
	struct listing to = { .table = table, .with_pool = !word };
	SOCLE_AUTO(pool) pool = NULL;

	if (word) {
		pool = cli_pool(cli, word, error);
		if (!pool)
			return CLI_FAILED;
	}
	to.list = cli->output == OUTPUT_JSON ? json_array() : NULL;
	if (!(pool ? list_pool(cli, pool, &to, error) : list_all(cli, &to, error))) {
		json_decref(to.list);
		return CLI_FAILED;
	}
	cli_out_list(cli, to.list, table, "no volumes");
	return CLI_OK;
}

const struct cli_command cli_vol_list = {
	.noun = "vol",
	.verb = "list",
	.names = "vol-list",
	.arguments = "[POOL]",
	.summary = "List the volumes of a pool, or of all that are active",
	.options = (const struct cli_option[]){ VOL_ROW_POOL,
						{ "details", 0, NULL, CLI_NOTHING,
						  "with sizes, which is the default" },
						CLI_ROW_END },
	.what = { CLI_POOL },
	.max = 1,
	.run = run_list,
};

static void show(struct socle_volume *vol, const struct socle_volume_info *info,
		 const struct storage_vol *parsed)
{
	g_autofree char *name = cli_plain(socle_volume_name(vol));
	g_autofree char *pool = cli_plain(socle_volume_pool_name(vol));
	g_autofree char *path = cli_plain(parsed->target.path ? parsed->target.path : "-");
	g_autofree char *backing = cli_plain(parsed->backing.path ? parsed->backing.path : "-");
	g_autofree char *format =
		cli_plain(parsed->target.format.type ? parsed->target.format.type : "-");
	g_autofree char *capacity = cli_size(info->capacity);
	g_autofree char *allocation = cli_size(info->allocation);

	cli_out("name      %s\npool      %s\ntype      %s\nformat    %s\npath      %s\n"
		"backing   %s\ncapacity  %s (%" PRIu64 " bytes)\nused      %s (%" PRIu64
		" bytes)\n",
		name, pool, socle_volume_type_name(info->type), format, path, backing, capacity,
		info->capacity, allocation, info->allocation);
}

static int run_show(struct cli *cli, const struct cli_args *args, GError **error)
{
	SOCLE_AUTO(volume) vol = cli_volume(cli, args, cli_args_word(args, 0), error);
	unsigned flags = cli_args_has(args, "physical") ? SOCLE_VOLUME_INFO_PHYSICAL : 0;
	autoptr(storage_vol) parsed = vol ? vol_definition(vol, error) : NULL;
	struct socle_volume_info info;
	struct socle_error *why = NULL;

	if (!parsed)
		return CLI_FAILED;
	if (socle_volume_info(vol, flags, &info, &why) < 0)
		return cli_fail(error, why, "volume '%s'", cli_args_word(args, 0));
	if (cli->output == OUTPUT_JSON)
		cli_out_json(volume_json(vol, &info, parsed));
	else if (cli->output == OUTPUT_NAME)
		cli_out_name(socle_volume_name(vol));
	else
		show(vol, &info, parsed);
	return CLI_OK;
}

const struct cli_command cli_vol_show = {
	.noun = "vol",
	.verb = "show",
	.names = "vol-info",
	.arguments = "VOLUME",
	.summary = "Show what is known of a volume",
	.options = (const struct cli_option[]){ VOL_ROW_POOL,
						{ "physical", 0, NULL, CLI_NOTHING,
						  "the size of its file as what is used" },
						{ "bytes", 0, NULL, CLI_NOTHING,
						  "sizes in bytes, which are always there" },
						CLI_ROW_END },
	.what = { CLI_VOLUME },
	.min = 1,
	.max = 1,
	.run = run_show,
};

const struct cli_command cli_vol_xml = {
	.noun = "vol",
	.verb = "xml",
	.names = "vol-dumpxml",
	.arguments = "VOLUME",
	.summary = "Print what a volume is, in XML",
	.options = (const struct cli_option[]){ VOL_ROW_POOL, CLI_ROW_END },
	.what = { CLI_VOLUME },
	.min = 1,
	.max = 1,
	.run = cli_object_xml,
};

/* One fact on one line. */
static int print_fact(struct cli *cli, const char *what, const char *fact)
{
	g_autofree char *plain = cli_plain(fact);

	if (cli->output == OUTPUT_JSON)
		cli_out_json(json_pack("{s:o}", what, cli_json_string(fact)));
	else
		cli_out("%s\n", plain);
	return CLI_OK;
}

static int run_path(struct cli *cli, const struct cli_args *args, GError **error)
{
	SOCLE_AUTO(volume) vol = cli_volume(cli, args, cli_args_word(args, 0), error);
	struct socle_error *why = NULL;
	char *path;

	if (!vol)
		return CLI_FAILED;
	path = socle_volume_path(vol, &why);
	if (!path)
		return cli_fail(error, why, "volume '%s'", cli_args_word(args, 0));
	print_fact(cli, "path", path);
	free(path);
	return CLI_OK;
}

const struct cli_command cli_vol_path = {
	.noun = "vol",
	.verb = "path",
	.names = "vol-path",
	.arguments = "VOLUME",
	.summary = "Print where a volume is on the daemon's host",
	.options = (const struct cli_option[]){ VOL_ROW_POOL, CLI_ROW_END },
	.what = { CLI_VOLUME },
	.min = 1,
	.max = 1,
	.run = run_path,
};

static int run_key(struct cli *cli, const struct cli_args *args, GError **error)
{
	SOCLE_AUTO(volume) vol = cli_volume(cli, args, cli_args_word(args, 0), error);

	return vol ? print_fact(cli, "key", socle_volume_key(vol)) : CLI_FAILED;
}

const struct cli_command cli_vol_key = {
	.noun = "vol",
	.verb = "key",
	.names = "vol-key",
	.arguments = "VOLUME",
	.summary = "Print the key of a volume, which no other one has",
	.options = (const struct cli_option[]){ VOL_ROW_POOL, CLI_ROW_END },
	.what = { CLI_VOLUME },
	.min = 1,
	.max = 1,
	.run = run_key,
};

const struct cli_command cli_vol_name = {
	.noun = "vol",
	.verb = "name",
	.names = "vol-name",
	.arguments = "VOLUME",
	.summary = "Print the name of the volume with a path or key",
	.options = (const struct cli_option[]){ VOL_ROW_POOL, CLI_ROW_END },
	.what = { CLI_VOLUME },
	.min = 1,
	.max = 1,
	.run = cli_object_name,
};

static int run_pool(struct cli *cli, const struct cli_args *args, GError **error)
{
	SOCLE_AUTO(volume) vol = cli_volume(cli, NULL, cli_args_word(args, 0), error);
	SOCLE_AUTO(pool) pool = NULL;
	struct socle_error *why = NULL;

	if (!vol)
		return CLI_FAILED;
	pool = socle_volume_pool(vol, &why);
	if (!pool)
		return cli_fail(error, why, "volume '%s'", cli_args_word(args, 0));
	return print_fact(cli, "pool", socle_pool_name(pool));
}

const struct cli_command cli_vol_pool = {
	.noun = "vol",
	.verb = "pool",
	.names = "vol-pool",
	.arguments = "VOLUME",
	.summary = "Print the pool of a volume",
	.what = { CLI_VOLUME },
	.min = 1,
	.max = 1,
	.run = run_pool,
};

/* ---- life ---- */

static bool delete (struct cli *cli, const struct cli_args *args, void *vol, GError **error)
{
	g_autofree char *name = cli_plain(socle_volume_name(vol));
	g_autofree char *question =
		g_strdup_printf("Delete volume '%s'? What it has is lost.", name);
	unsigned flags =
		cli_args_has(args, "delete-snapshots") ? SOCLE_VOLUME_DELETE_WITH_SNAPSHOTS : 0;
	struct socle_error *why = NULL;

	if (!cli_confirm(cli, question, error))
		return false;
	return socle_volume_delete(vol, flags, &why) == 0 ||
	       cli_fail(error, why, "volume '%s'", name);
}

static int run_delete(struct cli *cli, const struct cli_args *args, GError **error)
{
	return cli_each_object(cli, args, &object_volume, "delete", "is deleted", delete, error);
}

const struct cli_command cli_vol_delete = {
	.noun = "vol",
	.verb = "delete",
	.names = "vol-delete",
	.arguments = "VOLUME...",
	.summary = "Delete volumes: what they have is lost",
	.options = (const struct cli_option[]){ VOL_ROW_POOL,
						{ "delete-snapshots", 0, NULL, CLI_NOTHING,
						  "with their snapshots, where a pool has such" },
						CLI_ROW_END },
	.what = { CLI_VOLUME },
	.min = 1,
	.max = CLI_ANY_NUMBER,
	.flags = CLI_WRITES,
	.run = run_delete,
};

static int run_resize(struct cli *cli, const struct cli_args *args, GError **error)
{
	const char *size = cli_args_word(args, 1);
	bool delta = cli_args_has(args, "delta") || size[0] == '+';
	unsigned flags = (cli_args_has(args, "allocate") ? SOCLE_VOLUME_RESIZE_ALLOCATE : 0) |
			 (delta ? SOCLE_VOLUME_RESIZE_DELTA : 0) |
			 (cli_args_has(args, "shrink") ? SOCLE_VOLUME_RESIZE_SHRINK : 0);
	SOCLE_AUTO(volume) vol = NULL;
	struct socle_error *why = NULL;
	uint64_t bytes;

	if (!cli_parse_size("the size", size + (size[0] == '+'), 1, &bytes, error))
		return CLI_USAGE;
	vol = cli_volume(cli, args, cli_args_word(args, 0), error);
	if (!vol)
		return CLI_FAILED;
	if (socle_volume_resize(vol, bytes, flags, &why) < 0)
		return cli_fail(error, why, "volume '%s'", cli_args_word(args, 0));
	cli_done_object(cli, &object_volume, vol, "resize", "has its new size");
	return CLI_OK;
}

const struct cli_command cli_vol_resize = {
	.noun = "vol",
	.verb = "resize",
	.names = "vol-resize",
	.arguments = "VOLUME [+]SIZE",
	.summary = "Make a volume larger, or smaller",
	.options =
		(const struct cli_option[]){
			VOL_ROW_POOL,
			{ "allocate", 0, NULL, CLI_NOTHING, "take the room for it at once" },
			{ "delta", 0, NULL, CLI_NOTHING, "by so much, as '+' says, too" },
			{ "shrink", 0, NULL, CLI_NOTHING, "smaller is meant; the rest is lost" },
			CLI_ROW_END },
	.what = { CLI_VOLUME, CLI_TEXT },
	.min = 2,
	.max = 2,
	.flags = CLI_WRITES,
	.run = run_resize,
};

/* In the order of enum socle_volume_wipe. */
#define WIPE_ALGORITHMS "zero|nnsa|dod|bsi|gutmann|schneier|pfitzner7|pfitzner33|random|trim"

static unsigned algorithm_of(const char *word)
{
	g_auto(GStrv) words = g_strsplit(WIPE_ALGORITHMS, "|", -1);
	unsigned place = 0;

	while (word && words[place] && strcmp(words[place], word) != 0)
		place++;
	return place;
}

static int run_wipe(struct cli *cli, const struct cli_args *args, GError **error)
{
	SOCLE_AUTO(volume) vol = cli_volume(cli, args, cli_args_word(args, 0), error);
	g_autofree char *question = NULL, *name = NULL;
	struct socle_error *why = NULL;

	if (!vol)
		return CLI_FAILED;
	name = cli_plain(socle_volume_name(vol));
	question = g_strdup_printf("Write over all that volume '%s' has?", name);
	if (!cli_confirm(cli, question, error))
		return CLI_FAILED;
	if (socle_volume_wipe(vol, algorithm_of(cli_args_value(args, "algorithm")), 0, &why) < 0)
		return cli_fail(error, why, "volume '%s'", cli_args_word(args, 0));
	cli_done_object(cli, &object_volume, vol, "wipe", "is wiped");
	return CLI_OK;
}

const struct cli_command cli_vol_wipe = {
	.noun = "vol",
	.verb = "wipe",
	.names = "vol-wipe",
	.arguments = "VOLUME",
	.summary = "Write over all that a volume has",
	.options = (const struct cli_option[]){ VOL_ROW_POOL,
						{ "algorithm", 0, WIPE_ALGORITHMS, CLI_TEXT,
						  "with what (default: zero)" },
						CLI_ROW_END },
	.what = { CLI_VOLUME },
	.min = 1,
	.max = 1,
	.flags = CLI_WRITES,
	.run = run_wipe,
};
