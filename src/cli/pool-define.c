/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pool-define.c - storage pools come, by XML or by words; what they could be made of
 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/object.h"
#include "cli/table.h"
#include "model/storage.h"

/* ---- by XML ---- */

static unsigned create_flags(const struct cli_args *args)
{
	return (cli_args_has(args, "build") ? SOCLE_POOL_CREATE_BUILD : 0) |
	       (cli_args_has(args, "overwrite") ? SOCLE_POOL_CREATE_BUILD_OVERWRITE : 0) |
	       (cli_args_has(args, "no-overwrite") ? SOCLE_POOL_CREATE_BUILD_NO_OVERWRITE : 0);
}

/* A pool that stays, and what the options ask for besides. */
static int define(struct cli *cli, const struct cli_args *args, const char *xml, unsigned flags,
		  const char *word, GError **error)
{
	bool starts = cli_args_has(args, "start");
	struct socle_error *why = NULL;
	SOCLE_AUTO(pool) pool = NULL;

	pool = socle_pool_define(cli->conn, xml, flags, &why);
	if (!pool)
		return cli_fail(error, why, "'%s'", word);
	if (cli_args_has(args, "autostart") && socle_pool_set_autostart(pool, true, &why) < 0)
		return cli_fail(error, why, "'%s' is defined, and will not start with the host",
				socle_pool_name(pool));
	if (starts && socle_pool_create(pool, create_flags(args), &why) < 0)
		return cli_fail(error, why, "'%s' is defined, and does not start",
				socle_pool_name(pool));
	if (!starts && cli_args_has(args, "build") && socle_pool_build(pool, 0, &why) < 0)
		return cli_fail(error, why, "'%s' is defined, and cannot be built",
				socle_pool_name(pool));
	cli_done_object(cli, &object_pool, pool, "define",
			starts ? "is defined and started" : "is defined");
	return CLI_OK;
}

static int create(struct cli *cli, const struct cli_args *args, const char *xml, const char *word,
		  GError **error)
{
	struct socle_error *why = NULL;
	SOCLE_AUTO(pool) pool = socle_pool_create_xml(cli->conn, xml, create_flags(args), &why);

	if (!pool)
		return cli_fail(error, why, "'%s'", word);
	cli_done_object(cli, &object_pool, pool, "create", "started; it goes when it stops");
	return CLI_OK;
}

static int run_define(struct cli *cli, const struct cli_args *args, GError **error)
{
	size_t len;
	g_autofree char *xml = cli_read_file(cli_args_word(args, 0), &len, error);

	if (!xml || !cli_connect(cli, error))
		return CLI_FAILED;
	return define(cli, args, xml,
		      cli_args_has(args, "validate") ? SOCLE_POOL_DEFINE_VALIDATE : 0,
		      cli_args_word(args, 0), error);
}

#define ROWS_DEFINE                                                             \
	{ "start", 0, NULL, CLI_NOTHING, "and start it" },                      \
	{                                                                       \
		"autostart", 0, NULL, CLI_NOTHING, "let it start with the host" \
	}

const struct cli_command cli_pool_define = {
	.noun = "pool",
	.verb = "define",
	.names = "pool-define",
	.arguments = "FILE",
	.summary = "Define a pool as XML says it, or define it anew ('-': from stdin)",
	.options = (const struct cli_option[]){ ROWS_DEFINE,
						{ "validate", 0, NULL, CLI_NOTHING,
						  "refuse what the schema does not know" },
						POOL_ROWS_BUILD,
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

	if (!xml || !cli_connect(cli, error))
		return CLI_FAILED;
	return create(cli, args, xml, cli_args_word(args, 0), error);
}

const struct cli_command cli_pool_create = {
	.noun = "pool",
	.verb = "create",
	.names = "pool-create",
	.arguments = "FILE",
	.summary = "Start a pool as XML says it, which is forgotten when it stops",
	.options = (const struct cli_option[]){ POOL_ROWS_BUILD, CLI_ROW_END },
	.what = { CLI_FILE },
	.min = 1,
	.max = 1,
	.flags = CLI_WRITES,
	.run = run_create,
};

/* ---- by words ---- */

/* What an option says, or the word in the place where virsh has it; "-" there is nothing. */
static char *said(const struct cli_args *args, const char *option, unsigned place)
{
	const char *value = cli_args_value(args, option);
	const char *word = place ? cli_args_word(args, place) : NULL;

	return g_strdup(value ? value : g_strcmp0(word, "-") ? word : NULL);
}

static enum storage_pool_type type_of(const char *word, GError **error)
{
	g_autoptr(GString) known = g_string_new(NULL);

	for (unsigned i = 1; i < STORAGE_POOL_TYPE_COUNT; i++) {
		if (!strcmp(storage_pool_type_names[i], word))
			return (enum storage_pool_type)i;
		g_string_append_printf(known, "%s%s", i > 1 ? ", " : "",
				       storage_pool_type_names[i]);
	}
	error_set(error, SOCLE_ERROR_USAGE, "there is no kind of pools '%s'; there are %s", word,
		  known->str);
	return STORAGE_POOL_ABSENT;
}

static bool check_target(enum storage_pool_type type, const char *target, GError **error)
{
	bool needed =
		type == STORAGE_POOL_DIR || type == STORAGE_POOL_FS || type == STORAGE_POOL_NETFS;

	if (!target && needed)
		return error_set(
			error, SOCLE_ERROR_USAGE,
			"a pool of kind '%s' has its volumes in a folder; say in which one "
			"by '--target'",
			storage_pool_type_names[type]);
	if (target && *target != '/')
		return error_set(error, SOCLE_ERROR_USAGE,
				 "the target '%s' is no path from / on; give one", target);
	return true;
}

/* The definition that the words mean, for g_free(); NULL with an error. */
static char *xml_of(const struct cli_args *args, GError **error)
{
	const char *word = cli_args_words(args) > 1 ? cli_args_word(args, 1) : "dir";
	g_autofree char *name = g_strdup(cli_args_word(args, 0));
	g_autofree char *host = said(args, "source-host", 2), *dir = said(args, "source-path", 3);
	g_autofree char *dev = said(args, "source-dev", 4), *source = said(args, "source-name", 5);
	g_autofree char *target = said(args, "target", 6), *format = said(args, "source-format", 0);
	g_autofree char *initiator = said(args, "source-initiator", 0);
	struct storage_host hosts[] = { { .name = host } };
	struct storage_device devices[] = { { .path = dev } };
	struct storage_pool pool = {
		.type = type_of(word, error),
		.name = name,
		.source = {
			.hosts = host ? hosts : NULL,
			.host_count = host != NULL,
			.devices = dev ? devices : NULL,
			.device_count = dev != NULL,
			.dir.path = dir,
			.name = source,
			.format.type = format,
			.initiator.iqn.name = initiator,
		},
		.target.path = target,
	};

	if (pool.type == STORAGE_POOL_ABSENT || !check_target(pool.type, target, error))
		return NULL;
	return storage_pool_format(&pool);
}

static int run_define_as(struct cli *cli, const struct cli_args *args, GError **error)
{
	g_autofree char *xml = xml_of(args, error);

	if (!xml)
		return CLI_USAGE;
	if (cli_args_has(args, "print-xml")) {
		cli_out_text(xml);
		return CLI_OK;
	}
	if (!cli_connect(cli, error))
		return CLI_FAILED;
	return define(cli, args, xml, 0, cli_args_word(args, 0), error);
}

#define ROWS_AS                                                                          \
	{ "target", 0, "PATH", CLI_TEXT, "where its volumes are: the folder of a dir" }, \
		{ "source-host", 0, "HOST", CLI_TEXT, "who has it: netfs, iscsi ..." },  \
		{ "source-path", 0, "PATH", CLI_TEXT, "what is shared there" },          \
		{ "source-dev", 0, "PATH", CLI_TEXT, "device: of fs, logical, disk" },   \
		{ "source-name", 0, "NAME", CLI_TEXT, "volume group, or pool of rbd" },  \
		{ "source-format", 0, "FORMAT", CLI_TEXT, "ext4, lvm2, gpt, nfs ..." },  \
		{ "source-initiator", 0, "IQN", CLI_TEXT, "who we are: iscsi-direct" },  \
	{                                                                                \
		"print-xml", 0, NULL, CLI_NOTHING, "print the definition, and no more"   \
	}

const struct cli_command cli_pool_define_as = {
	.noun = "pool",
	.verb = "define-as",
	.names = "pool-define-as",
	.arguments = "NAME [TYPE [HOST PATH DEV SOURCE TARGET]]",
	.summary = "Define a pool by words: a folder, if no TYPE says otherwise",
	.options =
		(const struct cli_option[]){ ROWS_AS, ROWS_DEFINE, POOL_ROWS_BUILD, CLI_ROW_END },
	.what = { CLI_TEXT },
	.min = 1,
	.max = 7,
	.flags = CLI_WRITES,
	.run = run_define_as,
};

static int run_create_as(struct cli *cli, const struct cli_args *args, GError **error)
{
	g_autofree char *xml = xml_of(args, error);

	if (!xml)
		return CLI_USAGE;
	if (cli_args_has(args, "print-xml")) {
		cli_out_text(xml);
		return CLI_OK;
	}
	if (!cli_connect(cli, error))
		return CLI_FAILED;
	return create(cli, args, xml, cli_args_word(args, 0), error);
}

const struct cli_command cli_pool_create_as = {
	.noun = "pool",
	.verb = "create-as",
	.names = "pool-create-as",
	.arguments = "NAME [TYPE [HOST PATH DEV SOURCE TARGET]]",
	.summary = "Start a pool by words, which is forgotten when it stops",
	.options = (const struct cli_option[]){ ROWS_AS, POOL_ROWS_BUILD, CLI_ROW_END },
	.what = { CLI_TEXT },
	.min = 1,
	.max = 7,
	.flags = CLI_WRITES,
	.run = run_create_as,
};

/* ---- what there could be ---- */

static int print_xml(struct cli *cli, char *xml)
{
	if (cli->output == OUTPUT_JSON)
		cli_out_json(json_pack("{s:o}", "xml", cli_json_string(xml)));
	else
		cli_out_text(xml);
	free(xml);
	return CLI_OK;
}

/* <source> with a host, as virsh's find-storage-pool-sources-as makes it; NULL if none is named. */
static char *source_of(const struct cli_args *args)
{
	const char *host = cli_args_value(args, "host"), *port = cli_args_value(args, "port");
	const char *initiator = cli_args_value(args, "initiator");
	g_autofree char *port_text = NULL, *initiator_text = NULL;

	if (!host)
		return NULL;
	port_text = port ? g_markup_printf_escaped(" port='%s'", port) : g_strdup("");
	initiator_text = initiator ? g_markup_printf_escaped(
					     "<initiator><iqn name='%s'/></initiator>", initiator)
				   : g_strdup("");
	{
		g_autofree char *name = g_markup_escape_text(host, -1);

		return g_strdup_printf("<source><host name='%s'%s/>%s</source>", name, port_text,
				       initiator_text);
	}
}

static int run_sources(struct cli *cli, const struct cli_args *args, GError **error)
{
	const char *file = cli_args_word(args, 1);
	struct socle_error *why = NULL;
	size_t len;
	g_autofree char *spec = file ? cli_read_file(file, &len, error) : source_of(args);
	char *xml;

	if ((file && !spec) || !cli_connect(cli, error))
		return CLI_FAILED;
	xml = socle_pool_find_sources(cli->conn, cli_args_word(args, 0), spec, 0, &why);
	if (!xml)
		return cli_fail(error, why, "pools of kind '%s'", cli_args_word(args, 0));
	return print_xml(cli, xml);
}

const struct cli_command cli_pool_sources = {
	.noun = "pool",
	.verb = "sources",
	.names = "find-storage-pool-sources find-storage-pool-sources-as",
	.arguments = "TYPE [FILE]",
	.summary = "Find what pools of a kind could be made of; FILE has a <source>",
	.options = (const struct cli_option[]){ { "host", 0, "HOST", CLI_TEXT, "who is asked" },
						{ "port", 0, "PORT", CLI_TEXT, "of that host" },
						{ "initiator", 0, "IQN", CLI_TEXT, "who we are" },
						CLI_ROW_END },
	.what = { CLI_TEXT, CLI_FILE },
	.min = 1,
	.max = 2,
	.flags = CLI_WRITES,
	.run = run_sources,
};

static int run_capabilities(struct cli *cli, const struct cli_args *args, GError **error)
{
	struct socle_error *why = NULL;
	char *xml;

	(void)args;
	if (!cli_connect(cli, error))
		return CLI_FAILED;
	xml = socle_pool_capabilities(cli->conn, 0, &why);
	if (!xml)
		return cli_fail(error, why, NULL);
	return print_xml(cli, xml);
}

const struct cli_command cli_pool_capabilities = {
	.noun = "pool",
	.verb = "capabilities",
	.names = "pool-capabilities",
	.arguments = "",
	.summary = "Print which kinds of pools the daemon has, in XML",
	.run = run_capabilities,
};
