/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * template.c - machines that are there to make others of, and are not started
 *
 * A template is a machine whose metadata say so; what its clones refer to stands in theirs. The daemon
 * starts no template, and deletes no volume that either of them needs. It goes by what paths lead to; so do we,
 * where its files are ours, to refuse before half is done.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/sys.h"
#include "cli/commands.h"
#include "cli/table.h"
#include "cli/template.h"
#include "cli/vol.h"
#include "model/domain-own.h"
#include "model/domain.h"

/* ---- what a machine is ---- */

bool template_is(struct socle_domain *dom)
{
	autoptr(domain) domain = machine_definition(dom, SOCLE_XML_INACTIVE, NULL);

	return domain && domain_is_template(domain);
}

struct socle_domain *template_find(struct cli *cli, const char *word, GError **error)
{
	SOCLE_AUTO(domain) dom = cli_machine(cli, word, error);
	g_autofree char *name = dom ? cli_name(dom) : NULL;

	if (!dom || template_is(dom))
		return g_steal_pointer(&dom);
	error_set(error, SOCLE_ERROR_STATE,
		  "'%s' is a machine, and no template; 'socle template create %s' makes it one",
		  name, name);
	return NULL;
}

/* ---- mark, and take the mark off ---- */

static bool mark(struct socle_domain *dom, bool is_template, GError **error)
{
	autoptr(domain) domain = machine_definition(dom, SOCLE_XML_INACTIVE, error);
	struct socle_error *why = NULL;
	g_autofree char *text = NULL;
	struct domain_own own;
	int ret;

	if (!domain)
		return false;
	domain_own_read(domain, &own);
	own.is_template = is_template;
	text = domain_own_text(&own);
	domain_own_release(&own);
	ret = socle_domain_set_metadata(dom, SOCLE_METADATA_ELEMENT, text, "socle",
					DOMAIN_OWN_NAMESPACE, SOCLE_AFFECT_CONFIG, &why);
	return ret >= 0 || cli_fail(error, why, "'%s'", socle_domain_name(dom));
}

static bool act_create(struct cli *cli, const struct cli_args *args, struct socle_domain *dom,
		       GError **error)
{
	g_autofree char *name = cli_name(dom);

	(void)cli;
	(void)args;
	if (socle_domain_is_active(dom, NULL) > 0)
		return error_set(error, SOCLE_ERROR_STATE,
				 "'%s' runs, and a template does not; 'socle stop --wait %s' first",
				 name, name);
	if (socle_domain_has_managed_save(dom, 0, NULL) > 0)
		return error_set(
			error, SOCLE_ERROR_STATE,
			"'%s' is saved, and a template is shut off; start and stop it first, or "
			"'socle save-remove %s'",
			name, name);
	/* Else it would be tried at each start of the host. */
	(void)socle_domain_set_autostart(dom, false, NULL);
	return mark(dom, true, error);
}

static int run_create(struct cli *cli, const struct cli_args *args, GError **error)
{
	return cli_each(cli, args, "template create",
			"is a template now; 'socle create NAME --template' makes machines of it",
			act_create, error);
}

const struct cli_command cli_template_create = {
	.noun = "template",
	.verb = "create",
	.arguments = "MACHINE...",
	.summary = "Make a machine that is shut off a template",
	.what = { CLI_STOPPED },
	.min = 1,
	.max = CLI_ANY_NUMBER,
	.flags = CLI_WRITES,
	.run = run_create,
};

static bool is_template(struct socle_domain *dom, GError **error)
{
	g_autofree char *name = cli_name(dom);

	return template_is(dom) ||
	       error_set(error, SOCLE_ERROR_STATE, "'%s' is a machine, and no template", name);
}

/* ---- who refers to it ---- */

static int by_name(gconstpointer a, gconstpointer b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* @here: of a daemon on this host. */
static bool is_same_file(const char *a, const char *b, bool here)
{
	struct stat a_st, b_st;

	if (!strcmp(a, b))
		return true;
	return here && sys_stat(a, &a_st) >= 0 && sys_stat(b, &b_st) >= 0 &&
	       a_st.st_dev == b_st.st_dev && a_st.st_ino == b_st.st_ino;
}

/* Does a disk of @domain refer to one of @template's? */
static bool is_linked(const struct domain *domain, const struct domain *template, bool here)
{
	struct domain_own own;
	bool linked = false;

	domain_own_read(domain, &own);
	for (unsigned i = 0; i < own.linked->len && !linked; i++) {
		for (unsigned d = 0; d < template->devices.disk_count && !linked; d++) {
			const char *path = disk_path(&template->devices.disks[d]);

			linked = path && is_same_file(own.linked->pdata[i], path, here);
		}
	}
	domain_own_release(&own);
	return linked;
}

/* Names of machines whose disks refer to those of @template; char *. */
static GPtrArray *linked_names(struct cli *cli, const struct domain *template)
{
	GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
	struct socle_domain **doms = NULL;
	int count = socle_domain_list(cli->conn, 0, &doms, NULL);
	char *here = socle_conn_socket(cli->conn);

	for (int i = 0; i < count; i++) {
		autoptr(domain) domain = machine_definition(doms[i], SOCLE_XML_INACTIVE, NULL);

		if (domain && is_linked(domain, template, here))
			g_ptr_array_add(names, g_strdup(socle_domain_name(doms[i])));
	}
	if (count >= 0)
		socle_domains_free(doms);
	free(here);
	g_ptr_array_sort(names, by_name);
	return names;
}

/* "'a', 'b'"; NULL: there is none. */
static char *linked_text(struct cli *cli, const struct domain *template)
{
	g_autoptr(GPtrArray) names = linked_names(cli, template);
	g_autoptr(GString) text = g_string_new(NULL);

	for (unsigned i = 0; i < names->len; i++) {
		g_autofree char *plain = cli_plain(names->pdata[i]);

		g_string_append_printf(text, "%s'%s'", i ? ", " : "", plain);
	}
	return names->len ? g_strdup(text->str) : NULL;
}

static bool act_release(struct cli *cli, const struct cli_args *args, struct socle_domain *dom,
			GError **error)
{
	autoptr(domain) domain = machine_definition(dom, SOCLE_XML_INACTIVE, error);
	g_autofree char *name = cli_name(dom), *linked = NULL;

	(void)args;
	if (!domain || !is_template(dom, error))
		return false;
	linked = linked_text(cli, domain);
	return linked ? error_set(error, SOCLE_ERROR_BUSY,
				  "disks of %s refer to those of '%s', which must not change",
				  linked, name)
		      : mark(dom, false, error);
}

static int run_release(struct cli *cli, const struct cli_args *args, GError **error)
{
	return cli_each(cli, args, "template release", "is a machine again", act_release, error);
}

const struct cli_command cli_template_release = {
	.noun = "template",
	.verb = "release",
	.arguments = "TEMPLATE...",
	.summary = "Make a template a machine again, that can be started",
	.what = { CLI_TEMPLATE },
	.min = 1,
	.max = CLI_ANY_NUMBER,
	.flags = CLI_WRITES,
	.run = run_release,
};

/* ---- delete ---- */

/* Volumes that are its own; of its CDs only the one for cloud-init. */
static GPtrArray *volumes_of(struct cli *cli, const struct domain *domain)
{
	GPtrArray *vols = g_ptr_array_new_with_free_func((GDestroyNotify)socle_volume_unref);
	g_autofree char *seed = g_strdup_printf("%s-seed.iso", domain->name);

	for (unsigned i = 0; i < domain->devices.disk_count; i++) {
		const struct domain_disk *disk = &domain->devices.disks[i];
		const char *path = disk_path(disk);
		struct socle_volume *vol =
			path ? socle_volume_by_path(cli->conn, path, NULL) : NULL;

		if (vol && !disk->shareable &&
		    (disk->device == DISK_DISK || !strcmp(socle_volume_name(vol), seed)))
			g_ptr_array_add(vols, vol);
		else
			socle_volume_unref(vol);
	}
	return vols;
}

static bool act_delete(struct cli *cli, const struct cli_args *args, struct socle_domain *dom,
		       GError **error)
{
	autoptr(domain) domain = machine_definition(dom, SOCLE_XML_INACTIVE, error);
	g_autofree char *name = cli_name(dom), *linked = NULL;
	struct socle_error *why = NULL;
	GPtrArray *vols;

	if (!domain || !is_template(dom, error))
		return false;
	linked = linked_text(cli, domain);
	if (linked)
		return error_set(error, SOCLE_ERROR_BUSY,
				 "disks of %s refer to those of '%s'; delete those machines first",
				 linked, name);
	vols = cli_args_has(args, "keep-disks") ? g_ptr_array_new() : volumes_of(cli, domain);
	if (socle_domain_undefine(dom, 0, &why) < 0) {
		g_ptr_array_unref(vols);
		return cli_fail(error, why, "'%s'", name);
	}
	(void)vols_take_back(cli, vols);
	g_ptr_array_unref(vols);
	return true;
}

static int run_delete(struct cli *cli, const struct cli_args *args, GError **error)
{
	if (!cli_connect(cli, error) ||
	    !cli_confirm(cli, "Delete templates and their disks?", error))
		return CLI_FAILED;
	return cli_each(cli, args, "template delete", "is deleted", act_delete, error);
}

const struct cli_command cli_template_delete = {
	.noun = "template",
	.verb = "delete",
	.arguments = "TEMPLATE...",
	.summary = "Delete templates with their disks, if no machine's disk refers to them",
	.options = (const struct cli_option[]){ { "keep-disks", 0, NULL, CLI_NOTHING,
						  "delete the definition only" },
						CLI_ROW_END },
	.what = { CLI_TEMPLATE },
	.min = 1,
	.max = CLI_ANY_NUMBER,
	.flags = CLI_WRITES,
	.run = run_delete,
};

/* ---- list and show ---- */

static json_t *template_json(struct cli *cli, struct socle_domain *dom, const struct domain *domain)
{
	g_autoptr(GPtrArray) linked = linked_names(cli, domain);
	json_t *list = json_array(), *disks = json_array();

	for (unsigned i = 0; i < linked->len; i++)
		json_array_append_new(list, cli_json_string(linked->pdata[i]));
	for (unsigned i = 0; i < domain->devices.disk_count; i++) {
		if (disk_path(&domain->devices.disks[i]))
			json_array_append_new(
				disks, cli_json_string(disk_path(&domain->devices.disks[i])));
	}
	return json_pack(
		"{s:o, s:s, s:I, s:I, s:o, s:o}", "name", cli_json_string(socle_domain_name(dom)),
		"uuid", socle_domain_uuid_text(dom), "memory_kib", (json_int_t)domain->memory.value,
		"vcpus", (json_int_t)MAX(domain->vcpu.count.value, 1), "disks", disks, "linked",
		list);
}

static int run_list(struct cli *cli, const struct cli_args *args, GError **error)
{
	struct socle_domain **doms = NULL;
	struct socle_error *why = NULL;
	json_t *list;
	struct table *table;
	int count;

	(void)args;
	if (!cli_connect(cli, error))
		return CLI_FAILED;
	count = socle_domain_list(cli->conn, SOCLE_LIST_INACTIVE, &doms, &why);
	if (count < 0)
		return cli_fail(error, why, NULL);
	list = json_array();
	table = table_new("NAME|>MEMORY|LINKED CLONES");
	for (int i = 0; i < count; i++) {
		autoptr(domain) domain = machine_definition(doms[i], SOCLE_XML_INACTIVE, NULL);

		if (!domain || !domain_is_template(domain))
			continue;
		if (cli->output == OUTPUT_NAME)
			cli_out_name(socle_domain_name(doms[i]));
		json_array_append_new(list, template_json(cli, doms[i], domain));
		table_take(table, cli_name(doms[i]));
		table_take(table, cli_size((uint64_t)domain->memory.value * 1024));
		table_take(table, linked_text(cli, domain));
	}
	socle_domains_free(doms);
	cli_out_list(cli, list, table, "no templates");
	table_free(table);
	return CLI_OK;
}

const struct cli_command cli_template_list = {
	.noun = "template",
	.verb = "list",
	.arguments = "",
	.summary = "List templates, and the machines whose disks refer to theirs",
	.run = run_list,
};

static int run_show(struct cli *cli, const struct cli_args *args, GError **error)
{
	SOCLE_AUTO(domain) dom = template_find(cli, cli_args_word(args, 0), error);
	autoptr(domain) domain = dom ? machine_definition(dom, SOCLE_XML_INACTIVE, error) : NULL;
	g_autofree char *linked = NULL, *memory = NULL, *name = NULL;

	if (!domain)
		return CLI_FAILED;
	if (cli->output == OUTPUT_JSON) {
		cli_out_json(template_json(cli, dom, domain));
		return CLI_OK;
	}
	name = cli_name(dom);
	if (cli->output == OUTPUT_NAME) {
		cli_out_name(name);
		return CLI_OK;
	}
	linked = linked_text(cli, domain);
	memory = cli_size((uint64_t)domain->memory.value * 1024);
	cli_out("name           %s\nUUID           %s\nmemory         %s\nCPUs           %u\n",
		name, socle_domain_uuid_text(dom), memory,
		(unsigned)MAX(domain->vcpu.count.value, 1));
	for (unsigned i = 0; i < domain->devices.disk_count; i++) {
		const char *path = disk_path(&domain->devices.disks[i]);
		g_autofree char *plain = path ? cli_plain(path) : NULL;

		if (plain)
			cli_out("disk           %s\n", plain);
	}
	cli_out("linked clones  %s\n", linked ? linked : "-");
	return CLI_OK;
}

const struct cli_command cli_template_show = {
	.noun = "template",
	.verb = "show",
	.arguments = "TEMPLATE",
	.summary = "What a template has, and who refers to it",
	.what = { CLI_TEMPLATE },
	.min = 1,
	.max = 1,
	.run = run_show,
};
