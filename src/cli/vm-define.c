/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vm-define.c - definitions come, are shown, changed and forgotten
 */
#include <string.h>

#include "base/error.h"
#include "cli/commands.h"

/* ---- create ---- */

static int run_create(struct cli *cli, const struct cli_args *args, GError **error)
{
	size_t len;
	g_autofree char *xml = cli_read_file(cli_args_word(args, 0), &len, error);
	bool transient = cli_args_has(args, "transient"), starts = cli_args_has(args, "start");
	bool checks = cli_args_has(args, "validate");
	struct socle_error *why = NULL;
	SOCLE_AUTO(domain) dom = NULL;

	if (!xml || !cli_connect(cli, error))
		return CLI_FAILED;
	if (transient)
		dom = socle_domain_create_xml(cli->conn, xml, checks ? SOCLE_START_VALIDATE : 0,
					      &why);
	else
		dom = socle_domain_define(cli->conn, xml, checks ? SOCLE_DEFINE_VALIDATE : 0, &why);
	if (!dom)
		return cli_fail(error, why, "'%s'", cli_args_word(args, 0));
	if (starts && !transient && socle_domain_create(dom, 0, &why) < 0)
		return cli_fail(error, why, "'%s' is defined, and does not start",
				socle_domain_name(dom));
	cli_done_machine(cli, dom, "create",
			 transient ? "started; it goes when it ends"
			 : starts  ? "defined and started"
				   : "defined");
	return CLI_OK;
}

const struct cli_command cli_vm_create = {
	.noun = "vm",
	.verb = "create",
	.names = "define",
	.arguments = "FILE",
	.summary = "Define a machine as XML says it, or define it anew ('-': from stdin)",
	.options = (const struct cli_option[]){ { "start", 0, NULL, CLI_NOTHING, "and start it" },
						{ "transient", 0, NULL, CLI_NOTHING,
						  "start it, and forget it when it ends" },
						{ "validate", 0, NULL, CLI_NOTHING,
						  "refuse what the schema does not know" },
						CLI_ROW_END },
	.what = { CLI_FILE },
	.min = 1,
	.max = 1,
	.flags = CLI_WRITES,
	.run = run_create,
};

/* ---- xml ---- */

static int run_xml(struct cli *cli, const struct cli_args *args, GError **error)
{
	SOCLE_AUTO(domain) dom = cli_machine(cli, cli_args_word(args, 0), error);
	unsigned flags = (cli_args_has(args, "inactive") ? SOCLE_XML_INACTIVE : 0) |
			 (cli_args_has(args, "security-info") ? SOCLE_XML_SECURE : 0) |
			 (cli_args_has(args, "update-cpu") ? SOCLE_XML_UPDATE_CPU : 0) |
			 (cli_args_has(args, "migratable") ? SOCLE_XML_MIGRATABLE : 0);
	struct socle_error *why = NULL;
	char *xml;

	if (!dom)
		return CLI_FAILED;
	xml = socle_domain_xml(dom, flags, &why);
	if (!xml)
		return cli_fail(error, why, "'%s'", cli_args_word(args, 0));
	if (cli->output == OUTPUT_JSON)
		cli_out_json(json_pack("{s:o, s:o}", "name",
				       cli_json_string(socle_domain_name(dom)), "xml",
				       cli_json_string(xml)));
	else
		cli_out_text(xml);
	free(xml);
	return CLI_OK;
}

const struct cli_command cli_vm_xml = {
	.noun = "vm",
	.verb = "xml",
	.names = "dumpxml",
	.arguments = "MACHINE",
	.summary = "Print the definition of a machine",
	.options =
		(const struct cli_option[]){
			{ "inactive", 0, NULL, CLI_NOTHING, "as it will be at the next start" },
			{ "security-info", 0, NULL, CLI_NOTHING, "with passwords" },
			{ "update-cpu", 0, NULL, CLI_NOTHING, "with the CPU as this host has it" },
			{ "migratable", 0, NULL, CLI_NOTHING, "as another host would get it" },
			CLI_ROW_END },
	.what = { CLI_MACHINE },
	.min = 1,
	.max = 1,
	.flags = CLI_BARE,
	.run = run_xml,
};

/* ---- undefine ---- */

static bool undefine(struct cli *cli, const struct cli_args *args, struct socle_domain *dom,
		     GError **error)
{
	unsigned flags =
		(cli_args_has(args, "managed-save") ? SOCLE_UNDEFINE_MANAGED_SAVE : 0) |
		(cli_args_has(args, "snapshots-metadata") ? SOCLE_UNDEFINE_SNAPSHOTS_METADATA : 0) |
		(cli_args_has(args, "nvram") ? SOCLE_UNDEFINE_NVRAM : 0) |
		(cli_args_has(args, "keep-nvram") ? SOCLE_UNDEFINE_KEEP_NVRAM : 0);
	g_autofree char *name = cli_name(dom);
	g_autofree char *question = g_strdup_printf("Forget the definition of '%s'?", name);
	struct socle_error *why = NULL;

	if (!cli_confirm(cli, question, error))
		return false;
	if (socle_domain_undefine(dom, flags, &why) < 0)
		return cli_fail(error, why, "'%s'", name);
	return true;
}

static int run_undefine(struct cli *cli, const struct cli_args *args, GError **error)
{
	return cli_each(cli, args, "undefine", "is forgotten; its disks stay", undefine, error);
}

const struct cli_command cli_vm_undefine = {
	.noun = "vm",
	.verb = "undefine",
	.arguments = "MACHINE...",
	.summary = "Forget the definitions of machines; disks stay",
	.options =
		(const struct cli_option[]){
			{ "managed-save", 0, NULL, CLI_NOTHING, "and what 'save' has written" },
			{ "snapshots-metadata", 0, NULL, CLI_NOTHING,
			  "and what is known of snapshots" },
			{ "nvram", 0, NULL, CLI_NOTHING, "and the firmware's variables" },
			{ "keep-nvram", 0, NULL, CLI_NOTHING, "but not the firmware's variables" },
			CLI_ROW_END },
	.what = { CLI_MACHINE },
	.min = 1,
	.max = CLI_ANY_NUMBER,
	.flags = CLI_WRITES | CLI_BARE,
	.run = run_undefine,
};

/* ---- rename, title, autostart ---- */

static int run_rename(struct cli *cli, const struct cli_args *args, GError **error)
{
	SOCLE_AUTO(domain) dom = cli_machine(cli, cli_args_word(args, 0), error);
	g_autofree char *done = NULL, *plain = cli_plain(cli_args_word(args, 1));
	struct socle_error *why = NULL;

	if (!dom)
		return CLI_FAILED;
	if (socle_domain_rename(dom, cli_args_word(args, 1), 0, &why) < 0)
		return cli_fail(error, why, "'%s'", cli_args_word(args, 0));
	done = g_strdup_printf("is now '%s'", plain);
	cli_done_machine(cli, dom, "rename", done);
	return CLI_OK;
}

const struct cli_command cli_vm_rename = {
	.noun = "vm",
	.verb = "rename",
	.names = "domrename",
	.arguments = "MACHINE NAME",
	.summary = "Give a machine another name",
	.what = { CLI_MACHINE, CLI_TEXT },
	.min = 2,
	.max = 2,
	.flags = CLI_WRITES | CLI_BARE,
	.run = run_rename,
};

static int run_title(struct cli *cli, const struct cli_args *args, GError **error)
{
	SOCLE_AUTO(domain) dom = cli_machine(cli, cli_args_word(args, 0), error);
	bool description = cli_args_has(args, "description");
	int type = description ? SOCLE_METADATA_DESCRIPTION : SOCLE_METADATA_TITLE;
	struct socle_error *why = NULL;
	char *text;

	if (!dom)
		return CLI_FAILED;
	if (cli_args_words(args) > 1) {
		if (cli->readonly) {
			error_set(error, SOCLE_ERROR_DENIED,
				  "a text cannot be changed with --readonly");
			return CLI_DENIED;
		}
		if (socle_domain_set_metadata(dom, type, cli_args_word(args, 1), NULL, NULL,
					      cli_affect(args), &why) < 0)
			return cli_fail(error, why, "'%s'", cli_args_word(args, 0));
		cli_done_machine(cli, dom, "title", "has the text");
		return CLI_OK;
	}
	text = socle_domain_get_metadata(dom, type, NULL, cli_affect(args), &why);
	if (!text && socle_error_code(why) != SOCLE_ERR_NO_DOMAIN_METADATA)
		return cli_fail(error, why, "'%s'", cli_args_word(args, 0));
	socle_error_free(why);
	if (cli->output == OUTPUT_JSON) {
		cli_out_json(json_pack("{s:o}", description ? "description" : "title",
				       cli_json_string(text)));
	} else if (text) {
		g_autofree char *plain = cli_plain(text);

		cli_out("%s\n", plain);
	}
	free(text);
	return CLI_OK;
}

const struct cli_command cli_vm_title = {
	.noun = "vm",
	.verb = "title",
	.names = "desc",
	.arguments = "MACHINE [TEXT]",
	.summary = "Print the title of a machine, or give it another one",
	.options = (const struct cli_option[]){ { "description", 0, NULL, CLI_NOTHING,
						  "the long text instead" },
						CLI_ROW_LIVE,
						CLI_ROW_CONFIG,
						CLI_ROW_END },
	.what = { CLI_MACHINE, CLI_TEXT },
	.min = 1,
	.max = 2,
	.flags = CLI_BARE,
	.run = run_title,
};

static bool autostart(struct cli *cli, const struct cli_args *args, struct socle_domain *dom,
		      GError **error)
{
	struct socle_error *why = NULL;

	(void)cli;
	if (socle_domain_set_autostart(dom, !cli_args_has(args, "disable"), &why) < 0)
		return cli_fail(error, why, "'%s'", socle_domain_name(dom));
	return true;
}

static int run_autostart(struct cli *cli, const struct cli_args *args, GError **error)
{
	return cli_each(cli, args, "autostart",
			cli_args_has(args, "disable") ? "does not start with the host any more"
						      : "starts with the host",
			autostart, error);
}

const struct cli_command cli_vm_autostart = {
	.noun = "vm",
	.verb = "autostart",
	.arguments = "MACHINE...",
	.summary = "Let machines start with the host",
	.options = (const struct cli_option[]){ { "disable", 0, NULL, CLI_NOTHING, "not any more" },
						CLI_ROW_END },
	.what = { CLI_MACHINE },
	.min = 1,
	.max = CLI_ANY_NUMBER,
	.flags = CLI_WRITES | CLI_BARE,
	.run = run_autostart,
};
