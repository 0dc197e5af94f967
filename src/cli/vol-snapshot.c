/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vol-snapshot.c - snapshots of logical volumes, and the way back
 *
 * In libvirt's words a snapshot is a volume of the same pool with another one behind it. There is no word for
 * the way back: it is a deletion with a flag of ours.
 */
#include <string.h>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/object.h"
#include "cli/vol.h"

/* False with an error: the pool's volumes are no block devices, so it has no such snapshots. */
static bool check(struct socle_volume *vol, const struct socle_volume_info *info, GError **error)
{
	return info->type == SOCLE_VOLUME_BLOCK ||
	       error_set(error, SOCLE_ERROR_UNSUPPORTED,
			 "volume '%s' is a file, of which pools make no snapshots; use 'socle vol "
			 "clone --linked', or 'socle snapshot create' for a machine",
			 socle_volume_name(vol));
}

/* @room: in bytes, 0: as much as can ever be needed. */
static struct socle_volume *snapshot(struct socle_pool *pool, struct socle_volume *from,
				     const char *name, uint64_t room, GError **error)
{
	autoptr(storage_vol) source = vol_definition(from, error);
	g_autofree char *copy = g_strdup(name), *xml = NULL;
	struct storage_vol wanted = { .name = copy };
	struct socle_error *why = NULL;
	struct socle_volume *vol;

	if (!source)
		return NULL;
	wanted.capacity = source->capacity;
	if (room)
		wanted.allocation = number_of((int64_t)room);
	wanted.backing.path = source->target.path;
	xml = storage_vol_format(&wanted);
	vol = socle_volume_create(pool, xml, 0, &why);
	if (!vol)
		cli_fail(error, why, "volume '%s'", name);
	return vol;
}

static int run_snapshot(struct cli *cli, const struct cli_args *args, GError **error)
{
	const char *size = cli_args_value(args, "size");
	SOCLE_AUTO(volume) from = NULL;
	SOCLE_AUTO(volume) vol = NULL;
	SOCLE_AUTO(pool) pool = NULL;
	struct socle_volume_info info;
	struct socle_error *why = NULL;
	uint64_t room = 0;

	if (size && !cli_parse_size("the size", size, 1, &room, error))
		return CLI_USAGE;
	from = cli_volume(cli, args, cli_args_word(args, 0), error);
	if (!from)
		return CLI_FAILED;
	pool = socle_volume_pool(from, &why);
	if (!pool || socle_volume_info(from, 0, &info, &why) < 0)
		return cli_fail(error, why, "volume '%s'", cli_args_word(args, 0));
	if (!check(from, &info, error))
		return CLI_FAILED;
	vol = snapshot(pool, from, cli_args_word(args, 1), room, error);
	if (!vol)
		return CLI_FAILED;
	cli_done_object(cli, &object_volume, vol, "snapshot", "is taken");
	return CLI_OK;
}

const struct cli_command cli_vol_snapshot = {
	.noun = "vol",
	.verb = "snapshot",
	.arguments = "VOLUME NAME",
	.summary = "Keep what a logical volume has now, as a volume NAME",
	.options = (const struct cli_option[]){ VOL_ROW_POOL,
						{ "size", 's', "SIZE", CLI_TEXT,
						  "room for what changes (default: for all of it); "
						  "a thin one needs none" },
						CLI_ROW_END },
	.what = { CLI_VOLUME, CLI_TEXT },
	.min = 2,
	.max = 2,
	.flags = CLI_WRITES,
	.run = run_snapshot,
};

/* Taken anew where it was, with its name and the room that it had. */
static bool keep(struct socle_pool *pool, const char *origin, const char *name, uint64_t room,
		 GError **error)
{
	struct socle_error *why = NULL;
	SOCLE_AUTO(volume) from = socle_volume_by_name(pool, origin, &why);
	SOCLE_AUTO(volume) vol = NULL;

	if (!from)
		return cli_fail(error, why, "volume '%s'", origin);
	vol = snapshot(pool, from, name, room, error);
	return vol != NULL;
}

static int run_restore(struct cli *cli, const struct cli_args *args, GError **error)
{
	SOCLE_AUTO(volume) vol = cli_volume(cli, args, cli_args_word(args, 0), error);
	autoptr(storage_vol) def = vol ? vol_definition(vol, error) : NULL;
	g_autofree char *origin =
		def && def->backing.path ? g_path_get_basename(def->backing.path) : NULL;
	g_autofree char *question = NULL, *done = NULL, *name = NULL;
	SOCLE_AUTO(pool) pool = NULL;
	struct socle_volume_info info;
	struct socle_error *why = NULL;

	if (!def)
		return CLI_FAILED;
	if (socle_volume_info(vol, 0, &info, &why) < 0 || !(pool = socle_volume_pool(vol, &why)))
		return cli_fail(error, why, "volume '%s'", cli_args_word(args, 0));
	if (!check(vol, &info, error))
		return CLI_FAILED;
	if (!origin)
		return error_set(
			error, SOCLE_ERROR_USAGE,
			"volume '%s' is no snapshot of another one; 'socle vol list' shows "
			"which there are",
			socle_volume_name(vol));
	name = cli_plain(origin);
	question = g_strdup_printf("Make volume '%s' what '%s' is? What it has now is lost.", name,
				   socle_volume_name(vol));
	if (!cli_confirm(cli, question, error))
		return CLI_FAILED;
	if (socle_volume_delete(vol, SOCLE_VOLUME_DELETE_RESTORE, &why) < 0)
		return cli_fail(error, why, "volume '%s'", cli_args_word(args, 0));
	if (cli_args_has(args, "keep") &&
	    !keep(pool, origin, socle_volume_name(vol), info.allocation, error))
		return CLI_FAILED;
	done = g_strdup_printf("is what volume '%s' has now", name);
	cli_done_object(cli, &object_volume, vol, "restore", done);
	return CLI_OK;
}

const struct cli_command cli_vol_restore = {
	.noun = "vol",
	.verb = "restore",
	.arguments = "SNAPSHOT",
	.summary = "Make a logical volume what its snapshot is; nobody may use it",
	.options = (const struct cli_option[]){ VOL_ROW_POOL,
						{ "keep", 'k', NULL, CLI_NOTHING,
						  "the snapshot stays; else it goes" },
						CLI_ROW_END },
	.what = { CLI_VOLUME },
	.min = 1,
	.max = 1,
	.flags = CLI_WRITES,
	.run = run_restore,
};
