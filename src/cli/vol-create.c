/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vol-create.c - volumes come: by XML, by words, from others
 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/object.h"
#include "cli/vol.h"

static unsigned prealloc(const struct cli_args *args)
{
	return cli_args_has(args, "prealloc-metadata") ? SOCLE_VOLUME_CREATE_PREALLOC_METADATA : 0;
}

static unsigned reflink(const struct cli_args *args)
{
	return cli_args_has(args, "reflink") ? SOCLE_VOLUME_CREATE_REFLINK : 0;
}

static unsigned validate(const struct cli_args *args)
{
	return cli_args_has(args, "validate") ? SOCLE_VOLUME_CREATE_VALIDATE : 0;
}

unsigned vol_no_sync(const struct cli_args *args)
{
	return cli_args_has(args, "no-sync") ? SOCLE_VOLUME_CREATE_NO_SYNC : 0;
}

#define ROW_PREALLOC                                                                             \
	{                                                                                        \
		"prealloc-metadata", 0, NULL, CLI_NOTHING, "make a qcow2 image's tables at once" \
	}
#define ROW_REFLINK                                                                               \
	{                                                                                         \
		"reflink", 0, NULL, CLI_NOTHING, "share what is equal, where the file system can" \
	}
#define ROW_VALIDATE                                                                     \
	{                                                                                \
		"validate", 0, NULL, CLI_NOTHING, "refuse what the schema does not know" \
	}

/* The end of all of these. */
static int made(const struct cli *cli, struct socle_volume *vol, struct socle_error *why,
		const char *name, const char *action, GError **error)
{
	if (!vol)
		return cli_fail(error, why, "volume '%s'", name);
	cli_done_object(cli, &object_volume, vol, action, "is made");
	return CLI_OK;
}

/* ---- by XML ---- */

static int run_create(struct cli *cli, const struct cli_args *args, GError **error)
{
	size_t len;
	g_autofree char *xml = cli_read_file(cli_args_word(args, 1), &len, error);
	SOCLE_AUTO(pool) pool = xml ? cli_pool(cli, cli_args_word(args, 0), error) : NULL;
	SOCLE_AUTO(volume) vol = NULL;
	struct socle_error *why = NULL;

	if (!pool)
		return CLI_FAILED;
	vol = socle_volume_create(pool, xml, prealloc(args) | validate(args), &why);
	return made(cli, vol, why, cli_args_word(args, 1), "create", error);
}

const struct cli_command cli_vol_create = {
	.noun = "vol",
	.verb = "create",
	.names = "vol-create",
	.arguments = "POOL FILE",
	.summary = "Make a volume as XML says it ('-': from stdin)",
	.options = (const struct cli_option[]){ ROW_PREALLOC, ROW_VALIDATE, CLI_ROW_END },
	.what = { CLI_POOL, CLI_FILE },
	.min = 2,
	.max = 2,
	.flags = CLI_WRITES,
	.run = run_create,
};

static int run_create_from(struct cli *cli, const struct cli_args *args, GError **error)
{
	size_t len;
	g_autofree char *xml = cli_read_file(cli_args_word(args, 1), &len, error);
	const char *input = cli_args_value(args, "inputpool");
	const char *word = cli_args_word(args, 2);
	g_autofree char *place = input ? g_strdup_printf("%s/%s", input, word) : g_strdup(word);
	SOCLE_AUTO(pool) pool = xml ? cli_pool(cli, cli_args_word(args, 0), error) : NULL;
	SOCLE_AUTO(volume) from = pool ? cli_volume(cli, NULL, place, error) : NULL;
	SOCLE_AUTO(volume) vol = NULL;
	struct socle_error *why = NULL;

	if (!from)
		return CLI_FAILED;
	vol = socle_volume_create_from(pool, xml, from,
				       prealloc(args) | reflink(args) | validate(args), &why);
	return made(cli, vol, why, cli_args_word(args, 1), "create", error);
}

const struct cli_command cli_vol_create_from = {
	.noun = "vol",
	.verb = "create-from",
	.names = "vol-create-from",
	.arguments = "POOL FILE VOLUME",
	.summary = "Make a volume as XML says it, with what another one has",
	.options = (const struct cli_option[]){ { "inputpool", 0, "POOL", CLI_POOL,
						  "the pool of VOLUME" },
						ROW_PREALLOC,
						ROW_REFLINK,
						ROW_VALIDATE,
						CLI_ROW_END },
	.what = { CLI_POOL, CLI_FILE, CLI_VOLUME },
	.min = 3,
	.max = 3,
	.flags = CLI_WRITES,
	.run = run_create_from,
};

/* ---- by words ---- */

/* The path and format of what @word means: a volume that the daemon knows, or any path. */
static bool backing_of(struct cli *cli, const struct cli_args *args, struct socle_pool *pool,
		       struct storage_backing *ret, GError **error)
{
	const char *word = cli_args_value(args, "backing-vol");
	const char *format = cli_args_value(args, "backing-vol-format");
	SOCLE_AUTO(volume) vol = NULL;
	autoptr(storage_vol) parsed = NULL;

	if (!word)
		return true;
	/* As virsh looks: the pool itself, then key and path. */
	vol = socle_volume_by_name(pool, word, NULL);
	if (!vol)
		vol = cli_volume(cli, NULL, word, error);
	parsed = vol ? vol_definition(vol, error) : NULL;
	if (!parsed)
		return false;
	ret->path = g_strdup(parsed->target.path);
	ret->format.type = g_strdup(format ? format : parsed->target.format.type);
	return true;
}

static bool sizes_of(const struct cli_args *args, struct storage_vol *vol, GError **error)
{
	const char *allocation = cli_args_value(args, "allocation");
	uint64_t bytes;

	if (!cli_parse_size("the size", cli_args_word(args, 2), 1, &bytes, error))
		return false;
	vol->capacity = number_of((int64_t)bytes);
	if (!allocation)
		return true;
	if (!cli_parse_size("the allocation", allocation, 1, &bytes, error))
		return false;
	vol->allocation = number_of((int64_t)bytes);
	return true;
}

static int run_create_as(struct cli *cli, const struct cli_args *args, GError **error)
{
	g_autofree char *xml = NULL;
	autoptr(storage_vol) wanted = g_new0(struct storage_vol, 1);
	SOCLE_AUTO(pool) pool = NULL;
	SOCLE_AUTO(volume) vol = NULL;
	struct socle_error *why = NULL;

	wanted->name = g_strdup(cli_args_word(args, 1));
	wanted->target.format.type = g_strdup(cli_args_value(args, "format"));
	if (!sizes_of(args, wanted, error))
		return CLI_USAGE;
	pool = cli_pool(cli, cli_args_word(args, 0), error);
	if (!pool || !backing_of(cli, args, pool, &wanted->backing, error))
		return CLI_FAILED;
	xml = storage_vol_format(wanted);
	if (cli_args_has(args, "print-xml")) {
		cli_out_text(xml);
		return CLI_OK;
	}
	vol = socle_volume_create(pool, xml, prealloc(args), &why);
	return made(cli, vol, why, wanted->name, "create", error);
}

const struct cli_command cli_vol_create_as = {
	.noun = "vol",
	.verb = "create-as",
	.names = "vol-create-as",
	.arguments = "POOL NAME SIZE",
	.summary = "Make a volume by words",
	.options =
		(const struct cli_option[]){
			{ "format", 'f', "FORMAT", CLI_TEXT,
			  "raw, qcow2 ... (default: the pool's)" },
			{ "allocation", 0, "SIZE", CLI_TEXT, "take so much room at once" },
			{ "backing-vol", 0, "VOLUME", CLI_VOLUME, "it begins as that one is" },
			{ "backing-vol-format", 0, "FORMAT", CLI_TEXT, "the format of that one" },
			{ "print-xml", 0, NULL, CLI_NOTHING, "print the XML, and no more" },
			ROW_PREALLOC,
			CLI_ROW_END },
	.what = { CLI_POOL, CLI_TEXT },
	.min = 3,
	.max = 3,
	.flags = CLI_WRITES,
	.run = run_create_as,
};

/* ---- clone ---- */

/* A volume of that name by the connection that there is now; NULL: there is none, or none of both. */
static struct socle_volume *vol_again(struct cli *cli, const char *pool_name, const char *name)
{
	SOCLE_AUTO(pool) pool = NULL;

	if (!socle_conn_is_alive(cli->conn) && !cli_reconnect(cli, NULL))
		return NULL;
	pool = socle_pool_by_name(cli->conn, pool_name, NULL);
	return pool ? socle_volume_by_name(pool, name, NULL) : NULL;
}

/*
 * A copy takes as long as its bytes; who interrupts it hangs up, by which the daemon gives it up. If it
 * was done by then, but nobody had heard of it, it goes now.
 */
static struct socle_volume *copy_volume(struct cli *cli, struct socle_pool *pool, const char *xml,
					struct socle_volume *from, const char *name, unsigned flags,
					struct socle_error **ret_why)
{
	struct socle_volume *vol;

	interrupt_closes(socle_pool_conn(pool));
	vol = socle_volume_create_from(pool, xml, from, flags, ret_why);
	interrupt_closes(NULL);
	if (!vol && interrupted() && !socle_conn_is_alive(socle_pool_conn(pool))) {
		SOCLE_AUTO(volume) there = vol_again(cli, socle_pool_name(pool), name);

		if (there)
			(void)socle_volume_delete(there, 0, NULL);
	}
	return vol;
}

struct socle_volume *vol_clone(struct cli *cli, struct socle_pool *pool, struct socle_volume *from,
			       const char *name, bool linked, unsigned flags, GError **error)
{
	autoptr(storage_vol) source = vol_definition(from, error);
	g_autofree char *copy = g_strdup(name), *xml = NULL;
	char qcow2[] = "qcow2";
	struct storage_vol wanted = { .name = copy };
	struct socle_error *why = NULL;
	struct socle_volume *vol;

	if (!source)
		return NULL;
	wanted.capacity = source->capacity;
	if (linked) {
		wanted.target.format.type = qcow2;
		wanted.backing.path = source->target.path;
		wanted.backing.format.type = source->target.format.type;
	} else {
		wanted.allocation = source->allocation;
		wanted.target.format.type = source->target.format.type;
	}
	xml = storage_vol_format(&wanted);
	/* An image that only refers to one gets no bytes. */
	vol = linked ? socle_volume_create(pool, xml, flags & ~SOCLE_VOLUME_CREATE_NO_SYNC, &why)
		     : copy_volume(cli, pool, xml, from, name, flags, &why);
	if (!vol)
		cli_fail(error, why, "volume '%s'", name);
	return vol;
}

/* By the handle that there is, or another one if its connection has ended. */
static bool take_back(struct cli *cli, struct socle_volume *vol, struct socle_error **ret_why)
{
	SOCLE_AUTO(volume) again = NULL;

	if (socle_conn_is_alive(socle_volume_conn(vol)))
		return socle_volume_delete(vol, 0, ret_why) >= 0;
	again = vol_again(cli, socle_volume_pool_name(vol), socle_volume_name(vol));
	return again && socle_volume_delete(again, 0, ret_why) >= 0;
}

bool vols_take_back(struct cli *cli, const GPtrArray *vols)
{
	bool all = true;

	/* From the last on: it may refer to an earlier one. */
	for (unsigned i = vols->len; i-- > 0;) {
		struct socle_volume *vol = g_ptr_array_index(vols, i);
		g_autofree char *name = cli_plain(socle_volume_name(vol));
		struct socle_error *why = NULL;

		if (!take_back(cli, vol, &why)) {
			cli_warn("volume '%s' stays: %s", name,
				 why ? socle_error_message(why) : "the daemon is not there");
			all = false;
		}
		socle_error_free(why);
	}
	return all;
}

void vols_undo(struct cli *cli, const GPtrArray *vols, const char *name, GError **error)
{
	bool gone = vols_take_back(cli, vols);

	if (interrupted())
		interrupt_tell(name, gone, error);
}

static int run_clone(struct cli *cli, const struct cli_args *args, GError **error)
{
	SOCLE_AUTO(pool) own = NULL;
	SOCLE_AUTO(volume) from = cli_volume_in(cli, args, cli_args_word(args, 0), &own, error);
	const char *to = cli_args_value(args, "to");
	SOCLE_AUTO(pool) pool = NULL;
	SOCLE_AUTO(volume) vol = NULL;
	struct socle_error *why = NULL;

	if (!from)
		return CLI_FAILED;
	if (to)
		pool = cli_pool(cli, to, error);
	else
		pool = own ? socle_pool_ref(own) : socle_volume_pool(from, &why);
	if (!pool)
		return to ? CLI_FAILED : (int)cli_fail(error, why, "'%s'", cli_args_word(args, 0));
	interrupt_begin();
	vol = vol_clone(cli, pool, from, cli_args_word(args, 1), cli_args_has(args, "linked"),
			prealloc(args) | reflink(args) | vol_no_sync(args), error);
	interrupt_end();
	if (!vol && interrupted())
		interrupt_tell(cli_args_word(args, 1), true, error);
	if (!vol)
		return CLI_FAILED;
	cli_done_object(cli, &object_volume, vol, "clone", "is made");
	return CLI_OK;
}

const struct cli_command cli_vol_clone = {
	.noun = "vol",
	.verb = "clone",
	.names = "vol-clone",
	.arguments = "VOLUME NAME",
	.summary = "Make a volume that has what another one has",
	.options =
		(const struct cli_option[]){
			VOL_ROW_POOL,
			{ "to", 0, "POOL", CLI_POOL, "in that pool (default: that of VOLUME)" },
			{ "linked", 'l', NULL, CLI_NOTHING,
			  "a qcow2 image that refers to VOLUME, which must stay as it is" },
			ROW_PREALLOC,
			ROW_REFLINK,
			VOL_ROW_NO_SYNC,
			CLI_ROW_END },
	.what = { CLI_VOLUME, CLI_TEXT },
	.min = 2,
	.max = 2,
	.flags = CLI_WRITES | CLI_BRIEF,
	.run = run_clone,
};
