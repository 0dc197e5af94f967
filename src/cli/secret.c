/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * secret.c - secrets: which there are, how they come and go; their values are in secret-value.c
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/object.h"
#include "cli/table.h"
#include "model/secret.h"

/* ---- list ---- */

static json_t *secret_json(struct socle_secret *secret, bool is_private, bool ephemeral)
{
	return json_pack("{s:o, s:s, s:s, s:b, s:b}", "name",
			 cli_json_string(cli_secret_name(secret)), "uuid",
			 socle_secret_uuid_text(secret), "usage",
			 socle_secret_usage_name(socle_secret_usage_type(secret)), "private",
			 is_private, "ephemeral", ephemeral);
}

static void add_secret(struct socle_secret *secret, bool is_private, bool ephemeral,
		       struct table *table, json_t *list)
{
	table_add(table, cli_secret_name(secret));
	table_add(table, socle_secret_usage_name(socle_secret_usage_type(secret)));
	table_add(table, is_private ? "yes" : "no");
	table_add(table, ephemeral ? "yes" : "no");
	table_add(table, socle_secret_uuid_text(secret));
	json_array_append_new(list, secret_json(secret, is_private, ephemeral));
}

static int print_list(struct cli *cli, struct socle_secret *const *secrets, GError **error)
{
	autoptr(table) table = table_new("NAME|USAGE|PRIVATE|EPHEMERAL|UUID");
	g_autoptr(GHashTable) private = NULL;
	g_autoptr(GHashTable) ephemeral = NULL;
	json_t *list;

	if (cli->output == OUTPUT_NAME) {
		for (unsigned i = 0; secrets[i]; i++)
			cli_out_name(cli_secret_name(secrets[i]));
		return CLI_OK;
	}
	private = cli_uuids(cli, &object_secret, SOCLE_SECRET_LIST_PRIVATE, error);
	ephemeral =
		private ? cli_uuids(cli, &object_secret, SOCLE_SECRET_LIST_EPHEMERAL, error) : NULL;
	if (!ephemeral)
		return CLI_FAILED;
	list = json_array();
	for (unsigned i = 0; secrets[i]; i++) {
		const char *uuid = socle_secret_uuid_text(secrets[i]);

		add_secret(secrets[i], g_hash_table_contains(private, uuid),
			   g_hash_table_contains(ephemeral, uuid), table, list);
	}
	cli_out_list(cli, list, table, "no secrets");
	return CLI_OK;
}

static int run_list(struct cli *cli, const struct cli_args *args, GError **error)
{
	static const struct {
		const char *option;
		unsigned flag;
	} filters[] = {
		{ "private", SOCLE_SECRET_LIST_PRIVATE },
		{ "no-private", SOCLE_SECRET_LIST_NO_PRIVATE },
		{ "ephemeral", SOCLE_SECRET_LIST_EPHEMERAL },
		{ "no-ephemeral", SOCLE_SECRET_LIST_NO_EPHEMERAL },
	};
	struct socle_secret **secrets = NULL;
	struct socle_error *why = NULL;
	unsigned flags = 0;
	int status;

	for (unsigned i = 0; i < G_N_ELEMENTS(filters); i++)
		flags |= cli_args_has(args, filters[i].option) ? filters[i].flag : 0;
	if (!cli_connect(cli, error))
		return CLI_FAILED;
	if (socle_secret_list(cli->conn, flags, &secrets, &why) < 0)
		return cli_fail(error, why, NULL);
	status = print_list(cli, secrets, error);
	socle_secrets_free(secrets);
	return status;
}

const struct cli_command cli_secret_list = {
	.noun = "secret",
	.verb = "list",
	.names = "secret-list",
	.arguments = "",
	.summary = "List all secrets, or those that options choose; never their values",
	.options =
		(const struct cli_option[]){
			{ "private", 0, NULL, CLI_NOTHING, "whose values are told to nobody" },
			{ "no-private", 0, NULL, CLI_NOTHING, "the others" },
			{ "ephemeral", 0, NULL, CLI_NOTHING, "that go when the daemon ends" },
			{ "no-ephemeral", 0, NULL, CLI_NOTHING, "that stay" },
			CLI_ROW_END },
	.run = run_list,
};

/* ---- show ---- */

static void print_secret(const struct cli *cli, struct socle_secret *secret,
			 const struct secret_def *def)
{
	const char *usage = socle_secret_usage_name(socle_secret_usage_type(secret));
	bool is_private = def->private == TRI_YES, ephemeral = def->ephemeral == TRI_YES;
	g_autofree char *name = cli_plain(cli_secret_name(secret)), *description = NULL;

	if (cli->output == OUTPUT_JSON) {
		json_t *json = secret_json(secret, is_private, ephemeral);

		json_object_set_new(json, "description", cli_json_string(def->description));
		cli_out_json(json);
	} else if (cli->output == OUTPUT_NAME) {
		cli_out("%s\n", name);
	} else {
		cli_out("name         %s\nuuid         %s\nusage        %s\nprivate      %s\n"
			"ephemeral    %s\n",
			name, socle_secret_uuid_text(secret), usage, is_private ? "yes" : "no",
			ephemeral ? "yes" : "no");
		description = def->description ? cli_plain(def->description) : NULL;
		if (description)
			cli_out("description  %s\n", description);
	}
}

static int run_show(struct cli *cli, const struct cli_args *args, GError **error)
{
	SOCLE_AUTO(secret) secret = cli_secret(cli, cli_args_word(args, 0), error);
	struct socle_error *why = NULL;
	autoptr(secret_def) def = NULL;
	char *xml;

	if (!secret)
		return CLI_FAILED;
	xml = socle_secret_xml(secret, 0, &why);
	if (!xml)
		return cli_fail(error, why, "secret '%s'", cli_args_word(args, 0));
	def = secret_def_parse(xml, strlen(xml), 0, NULL, error);
	free(xml);
	if (!def)
		return CLI_FAILED;
	print_secret(cli, secret, def);
	return CLI_OK;
}

const struct cli_command cli_secret_show = {
	.noun = "secret",
	.verb = "show",
	.arguments = "SECRET",
	.summary = "Show what is told of a secret, which is not its value",
	.what = { CLI_SECRET },
	.min = 1,
	.max = 1,
	.run = run_show,
};

const struct cli_command cli_secret_xml = {
	.noun = "secret",
	.verb = "xml",
	.names = "secret-dumpxml",
	.arguments = "SECRET",
	.summary = "Print the definition of a secret, which is not its value",
	.what = { CLI_SECRET },
	.min = 1,
	.max = 1,
	.run = cli_object_xml,
};

const struct cli_command cli_secret_uuid = {
	.noun = "secret",
	.verb = "uuid",
	.arguments = "SECRET",
	.summary = "Print the UUID of a secret",
	.what = { CLI_SECRET },
	.min = 1,
	.max = 1,
	.run = cli_object_uuid,
};

/* ---- define, create ---- */

static int define(struct cli *cli, const char *xml, unsigned flags, const char *word,
		  const char *action, GError **error)
{
	struct socle_error *why = NULL;
	SOCLE_AUTO(secret) secret = socle_secret_define(cli->conn, xml, flags, &why);
	g_autofree char *done = NULL;

	if (!secret)
		return cli_fail(error, why, "'%s'", word);
	done = g_strdup_printf("is defined, with the UUID %s", socle_secret_uuid_text(secret));
	cli_done_object(cli, &object_secret, secret, action, done);
	return CLI_OK;
}

static int run_define(struct cli *cli, const struct cli_args *args, GError **error)
{
	const char *file = cli_args_word(args, 0);
	unsigned flags = cli_args_has(args, "validate") ? SOCLE_SECRET_DEFINE_VALIDATE : 0;
	size_t len;
	g_autofree char *xml = cli_read_file(file, &len, error);

	if (!xml || !cli_connect(cli, error))
		return CLI_FAILED;
	return define(cli, xml, flags, file, "define", error);
}

const struct cli_command cli_secret_define = {
	.noun = "secret",
	.verb = "define",
	.names = "secret-define",
	.arguments = "FILE",
	.summary = "Define a secret as XML says it, or define it anew ('-': from stdin)",
	.options = (const struct cli_option[]){ { "validate", 0, NULL, CLI_NOTHING,
						  "refuse what the schema does not know" },
						CLI_ROW_END },
	.what = { CLI_FILE },
	.min = 1,
	.max = 1,
	.flags = CLI_WRITES,
	.run = run_define,
};

/* libvirt's numbers, as libsocle has them. */
static_assert((int)SECRET_USE_COUNT == (int)SOCLE_SECRET_USAGE_COUNT, "each kind has its word");

/* Of those that the option can have. */
static enum secret_use use_of(const char *word)
{
	enum secret_use use = SECRET_USE_NONE;

	for (unsigned i = 0; i < SECRET_USE_COUNT; i++) {
		if (!g_strcmp0(socle_secret_usage_name((int)i), word))
			use = (enum secret_use)i;
	}
	return use;
}

static bool check_use(const char *name, const char *usage, GError **error)
{
	if (name && !*name)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "the name is empty; give what the secret is for");
	if (name && !usage)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "say what '%s' is by '--usage': volume, ceph, iscsi, tls or vtpm",
				 name);
	if (!name && usage)
		return error_set(
			error, SOCLE_ERROR_USAGE,
			"a secret for %s wants a name: socle secret create NAME --usage %s", usage,
			usage);
	return true;
}

/* The definition that the words mean, for g_free(); NULL with an error. */
static char *xml_of(const struct cli_args *args, GError **error)
{
	const char *usage = cli_args_value(args, "usage");
	g_autofree char *name = g_strdup(cli_args_word(args, 0));
	g_autofree char *description = g_strdup(cli_args_value(args, "description"));
	struct secret_def def = {
		.ephemeral = cli_args_has(args, "ephemeral") ? TRI_YES : TRI_NO,
		.private = cli_args_has(args, "private") ? TRI_YES : TRI_NO,
		.description = description,
	};

	if (!check_use(name, usage, error))
		return NULL;
	def.usage.type = use_of(usage);
	if (def.usage.type == SECRET_USE_VOLUME)
		def.usage.volume = name;
	else if (def.usage.type == SECRET_USE_ISCSI)
		def.usage.target = name;
	else
		def.usage.name = name;
	return secret_def_format(&def);
}

static int run_create(struct cli *cli, const struct cli_args *args, GError **error)
{
	const char *word = cli_args_word(args, 0);
	g_autofree char *xml = xml_of(args, error);

	if (!xml)
		return CLI_USAGE;
	if (cli_args_has(args, "print-xml")) {
		cli_out_text(xml);
		return CLI_OK;
	}
	if (!cli_connect(cli, error))
		return CLI_FAILED;
	return define(cli, xml, 0, word ? word : "secret", "create", error);
}

const struct cli_command cli_secret_create = {
	.noun = "secret",
	.verb = "create",
	.arguments = "[NAME]",
	.summary = "Make a secret by words, to which 'socle secret set' gives its value; NAME is "
		   "what it is for",
	.options =
		(const struct cli_option[]){
			{ "usage", 'u', "volume|ceph|iscsi|tls|vtpm", CLI_TEXT,
			  "what NAME is; a volume's is its path" },
			{ "private", 0, NULL, CLI_NOTHING,
			  "its value is told to nobody, only used" },
			{ "ephemeral", 0, NULL, CLI_NOTHING,
			  "it is kept in memory, and goes with the daemon" },
			{ "description", 'd', "TEXT", CLI_TEXT, "what people should know of it" },
			{ "print-xml", 0, NULL, CLI_NOTHING, "print the definition, and no more" },
			CLI_ROW_END },
	.what = { CLI_TEXT },
	.max = 1,
	.flags = CLI_WRITES,
	.run = run_create,
};

/* ---- delete ---- */

static bool delete_one(struct cli *cli, const struct cli_args *args, void *secret, GError **error)
{
	g_autofree char *name = cli_plain(cli_secret_name(secret));
	g_autofree char *question = g_strdup_printf("Delete secret '%s' and its value?", name);
	struct socle_error *why = NULL;

	(void)args;
	if (!cli_confirm(cli, question, error))
		return false;
	return socle_secret_undefine(secret, &why) == 0 ||
	       cli_fail(error, why, "secret '%s'", name);
}

static int run_delete(struct cli *cli, const struct cli_args *args, GError **error)
{
	return cli_each_object(cli, args, &object_secret, "delete", "is deleted, and its value",
			       delete_one, error);
}

const struct cli_command cli_secret_delete = {
	.noun = "secret",
	.verb = "delete",
	.names = "secret-undefine",
	.arguments = "SECRET...",
	.summary = "Delete secrets and their values; who needs one will not start",
	.what = { CLI_SECRET },
	.min = 1,
	.max = CLI_ANY_NUMBER,
	.flags = CLI_WRITES,
	.run = run_delete,
};
