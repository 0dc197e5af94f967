/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pool-disk.c - disks of a volume group come and go, while its volumes are in use
 *
 * The definition gets the disks that the group has, and the one that comes, or without those that go. Then
 * the pool is built, which makes the group so. What cannot be built leaves the definition as it was.
 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/object.h"
#include "model/storage.h"

/* What the pool is to be at its next start: the definition that stays. */
static struct storage_pool *definition_of(struct socle_pool *pool, char **ret_xml, GError **error)
{
	struct socle_error *why = NULL;
	char *xml = socle_pool_xml(pool, SOCLE_POOL_XML_INACTIVE, &why);
	struct storage_pool *def;

	if (!xml) {
		cli_fail(error, why, "pool '%s'", socle_pool_name(pool));
		return NULL;
	}
	def = storage_pool_parse(xml, strlen(xml), 0, NULL, error);
	*ret_xml = g_strdup(xml);
	free(xml);
	if (def && def->type != STORAGE_POOL_LOGICAL) {
		error_set(
			error, SOCLE_ERROR_UNSUPPORTED,
			"pool '%s' is no volume group; only pools of type logical have disks that "
			"come and go",
			socle_pool_name(pool));
		g_clear_pointer(&def, storage_pool_free);
	}
	return def;
}

/* Those of the group itself, of which the definition need not know. */
static bool take_disks(struct cli *cli, struct storage_pool *def, GError **error)
{
	struct socle_error *why = NULL;
	char *xml = socle_pool_find_sources(cli->conn, "logical", NULL, 0, &why);
	g_autoptr(GPtrArray) found = NULL;

	if (!xml)
		return cli_fail(error, why, "pool '%s'", def->name);
	found = storage_sources_parse(xml, strlen(xml), error);
	free(xml);
	for (unsigned i = 0; found && i < found->len; i++) {
		const struct storage_pool_source *source =
			&((const struct storage_pool *)found->pdata[i])->source;

		if (g_strcmp0(source->name, def->source.name) != 0)
			continue;
		while (def->source.device_count)
			(void)storage_source_remove_device(&def->source,
							   def->source.devices[0].path);
		for (unsigned n = 0; n < source->device_count; n++)
			storage_source_add_device(&def->source, source->devices[n].path);
	}
	return found;
}

static bool has(const struct storage_pool *def, const char *path)
{
	for (unsigned i = 0; i < def->source.device_count; i++) {
		if (!g_strcmp0(def->source.devices[i].path, path))
			return true;
	}
	return false;
}

static bool change(struct storage_pool *def, const char *path, bool add, GError **error)
{
	g_autoptr(GString) names = g_string_new(NULL);

	if (add && has(def, path))
		return error_set(error, SOCLE_ERROR_EXISTS, "pool '%s' has the disk '%s' already",
				 def->name, path);
	if (add) {
		storage_source_add_device(&def->source, path);
		return true;
	}
	for (unsigned i = 0; i < def->source.device_count; i++)
		g_string_append_printf(names, "%s%s", i ? ", " : "", def->source.devices[i].path);
	return storage_source_remove_device(&def->source, path) ||
	       error_set(error, SOCLE_ERROR_NOT_FOUND,
			 "pool '%s' has no disk '%s'; it has %s, and names are lvm2's", def->name,
			 path, names->str);
}

static bool define(struct cli *cli, const char *xml, const char *name, GError **error)
{
	struct socle_error *why = NULL;
	struct socle_pool *pool = socle_pool_define(cli->conn, xml, 0, &why);

	if (!pool)
		return cli_fail(error, why, "pool '%s'", name);
	socle_pool_unref(pool);
	return true;
}

static bool apply(struct cli *cli, struct socle_pool *pool, const struct storage_pool *def,
		  const char *before, unsigned flags, GError **error)
{
	g_autofree char *xml = storage_pool_format(def);
	struct socle_error *why = NULL;

	if (!define(cli, xml, def->name, error))
		return false;
	if (socle_pool_build(pool, flags, &why) == 0)
		return true;
	(void)define(cli, before, def->name, NULL);
	return cli_fail(error, why, "pool '%s'", def->name);
}

static int run(struct cli *cli, const struct cli_args *args, bool add, GError **error)
{
	SOCLE_AUTO(pool) pool = cli_pool(cli, cli_args_word(args, 0), error);
	g_autofree char *before = NULL;
	autoptr(storage_pool) def = pool ? definition_of(pool, &before, error) : NULL;
	unsigned flags = add ? 0 : SOCLE_POOL_BUILD_RESIZE;
	bool ok = def && take_disks(cli, def, error);

	for (unsigned i = 1; ok && i < cli_args_words(args); i++)
		ok = change(def, cli_args_word(args, i), add, error);
	if (ok && !def->source.device_count)
		ok = error_set(error, SOCLE_ERROR_USAGE,
			       "pool '%s' would have no disk; 'socle pool delete' takes it apart",
			       def->name);
	if (add && cli_args_has(args, "overwrite"))
		flags |= SOCLE_POOL_BUILD_OVERWRITE;
	if (!ok || !apply(cli, pool, def, before, flags, error))
		return CLI_FAILED;
	cli_done_object(cli, &object_pool, pool, add ? "add-disk" : "remove-disk",
			add ? "has more room" : "does without it");
	return CLI_OK;
}

static int run_add(struct cli *cli, const struct cli_args *args, GError **error)
{
	return run(cli, args, true, error);
}

const struct cli_command cli_pool_add_disk = {
	.noun = "pool",
	.verb = "add-disk",
	.arguments = "POOL DEVICE...",
	.summary = "Give a volume group more disks, while it is in use",
	.options = (const struct cli_option[]){ { "overwrite", 0, NULL, CLI_NOTHING,
						  "whatever is on them is lost" },
						CLI_ROW_END },
	.what = { CLI_POOL, CLI_FILE },
	.min = 2,
	.max = CLI_ANY_NUMBER,
	.flags = CLI_WRITES,
	.run = run_add,
};

static int run_remove(struct cli *cli, const struct cli_args *args, GError **error)
{
	return run(cli, args, false, error);
}

const struct cli_command cli_pool_remove_disk = {
	.noun = "pool",
	.verb = "remove-disk",
	.arguments = "POOL DEVICE...",
	.summary = "Take disks out of a volume group; what is on them goes to the others",
	.what = { CLI_POOL, CLI_FILE },
	.min = 2,
	.max = CLI_ANY_NUMBER,
	.flags = CLI_WRITES,
	.run = run_remove,
};
