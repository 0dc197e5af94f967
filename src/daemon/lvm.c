/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lvm.c - logical volumes: what storage pools and snapshots of machines both do with them
 */
#include "daemon/lvm.h"

#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "host/tool.h"

enum {
	EXTENT = 4 << 20, /* lvm2's own, of which snapshots are given multiples */
	/* What changes is noted in pieces of 4 KiB, with 16 bytes for each. */
	NOTES_PART = 128,
};

bool lvm_run(char **argv, char **ret_output, GError **error)
{
	bool ok = host_tool_run((const char *const *)argv, NULL, ret_output, error);

	g_strfreev(argv);
	return ok;
}

bool lvm_run_for(char **argv, const char *group, const char *name, uint64_t bytes, GError **error)
{
	g_autoptr(GError) why = NULL;
	g_autofree char *output = NULL;
	struct lvm_group now;

	if (lvm_run(argv, NULL, &why))
		return true;
	if (lvm_run(lvm_argv_report_group(group), &output, NULL) && lvm_parse_group(output, &now) &&
	    now.free < bytes)
		return error_set(error, SOCLE_ERROR_LIMIT,
				 "volume group '%s' has %" PRIu64 " bytes free, and volume '%s' "
				 "needs %" PRIu64 "; add a disk to the pool, or delete a volume",
				 group, now.free, name, bytes);
	g_propagate_error(error, g_steal_pointer(&why));
	return false;
}

GPtrArray *lvm_volumes(const char *group, GError **error)
{
	g_autofree char *output = NULL;

	return lvm_run(lvm_argv_report_volumes(group), &output, error) ? lvm_parse_volumes(output)
								       : NULL;
}

const struct lvm_volume *lvm_find(const GPtrArray *volumes, const char *name)
{
	for (unsigned i = 0; i < volumes->len; i++) {
		const struct lvm_volume *volume = volumes->pdata[i];

		if (!strcmp(volume->name, name))
			return volume;
	}
	return NULL;
}

bool lvm_place(const char *path, char **ret_group, char **ret_name, GError **error)
{
	g_autofree char *output = NULL;

	return host_tool_find("lvs", "lvm2", error) &&
	       lvm_run(lvm_argv_report_place(path), &output, error) &&
	       (lvm_parse_pair(output, ret_group, ret_name) ||
		error_set(error, SOCLE_ERROR_UNSUPPORTED, "'%s' is no logical volume", path));
}

static const struct lvm_volume *find_or_fail(const GPtrArray *volumes, const char *group,
					     const char *name, GError **error)
{
	const struct lvm_volume *volume = volumes ? lvm_find(volumes, name) : NULL;

	if (volumes && !volume)
		error_set(error, SOCLE_ERROR_NOT_FOUND,
			  "there is no volume '%s' in volume group '%s'", name, group);
	return volume;
}

/* How much a snapshot needs that can hold as much as its origin. */
static uint64_t whole_room(uint64_t size)
{
	return size + size / NOTES_PART;
}

bool lvm_snapshot(const char *group, const char *name, const char *origin, uint64_t room,
		  const char *tag, GError **error)
{
	g_autoptr(GPtrArray) volumes = lvm_volumes(group, error);
	const struct lvm_volume *volume = find_or_fail(volumes, group, origin, error);

	if (!volume)
		return false;
	if (volume->pool)
		return lvm_run(lvm_argv_snapshot(group, name, origin, 0, tag), NULL, error);
	if (volume->origin)
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "volume '%s' is a snapshot itself, of which there can be none; "
				 "take one of '%s'",
				 origin, volume->origin);
	if (!room || room >= volume->size)
		room = whole_room(volume->size);
	room = (room + EXTENT - 1) / EXTENT * EXTENT;
	return lvm_run_for(lvm_argv_snapshot(group, name, origin, room, tag), group, name, room,
			   error);
}

static bool is_free(const struct lvm_volume *volume, GError **error)
{
	return !volume || !volume->open ||
	       error_set(error, SOCLE_ERROR_BUSY,
			 "volume '%s' is in use; stop the machine that has it first", volume->name);
}

static bool is_whole(const struct lvm_volume *snapshot, GError **error)
{
	if (snapshot->lost)
		return error_set(
			error, SOCLE_ERROR_STATE,
			"snapshot '%s' is lost: more of '%s' has changed than the %" PRIu64
			" bytes that it had room for; delete it, and give the next one more",
			snapshot->name, snapshot->origin ? snapshot->origin : "its origin",
			snapshot->size);
	return snapshot->origin ||
	       error_set(error, SOCLE_ERROR_USAGE,
			 "volume '%s' is no snapshot of another one that is still there",
			 snapshot->name);
}

static bool can_restore(const GPtrArray *volumes, const struct lvm_volume *snapshot, bool later,
			GError **error)
{
	return is_whole(snapshot, error) &&
	       (later ||
		(is_free(snapshot, error) && is_free(lvm_find(volumes, snapshot->origin), error)));
}

bool lvm_restore_check(const char *group, const char *name, bool later, GError **error)
{
	g_autoptr(GPtrArray) volumes = lvm_volumes(group, error);
	const struct lvm_volume *snapshot = find_or_fail(volumes, group, name, error);

	return snapshot && can_restore(volumes, snapshot, later, error);
}

bool lvm_restore(const char *group, const char *name, GError **error)
{
	g_autoptr(GPtrArray) volumes = lvm_volumes(group, error);
	const struct lvm_volume *snapshot = find_or_fail(volumes, group, name, error);

	return snapshot && can_restore(volumes, snapshot, false, error) &&
	       lvm_run(lvm_argv_merge(group, name), NULL, error);
}

/* Which others go with @volume: snapshots that hold only what differs, volumes of a thin pool. */
static char *dependants(const GPtrArray *volumes, const struct lvm_volume *volume)
{
	g_autoptr(GString) names = g_string_new(NULL);

	for (unsigned i = 0; i < volumes->len; i++) {
		const struct lvm_volume *other = volumes->pdata[i];

		if ((!other->pool && !g_strcmp0(other->origin, volume->name)) ||
		    !g_strcmp0(other->pool, volume->name))
			g_string_append_printf(names, "%s'%s'", names->len ? ", " : "",
					       other->name);
	}
	return names->len ? g_string_free(g_steal_pointer(&names), FALSE) : NULL;
}

bool lvm_remove(const char *group, const char *name, bool all, GError **error)
{
	g_autoptr(GPtrArray) volumes = lvm_volumes(group, error);
	const struct lvm_volume *volume = find_or_fail(volumes, group, name, error);
	bool thin_pool = volume && volume->kind == 't';
	g_autofree char *others =
		volume && (!all || thin_pool) ? dependants(volumes, volume) : NULL;

	if (!volume)
		return false;
	/* A thin pool is open as long as it has active volumes. */
	if (others)
		return error_set(error, SOCLE_ERROR_BUSY,
				 "volume '%s' would take %s with it; delete those first%s", name,
				 others,
				 thin_pool ? "" : ", or ask for its snapshots to be deleted, too");
	return (thin_pool || is_free(volume, error)) &&
	       lvm_run(lvm_argv_lvremove(group, name), NULL, error);
}

bool lvm_remove_tagged(const char *group, const char *name, const char *tag, GError **error)
{
	return lvm_run(lvm_argv_lvremove_tagged(group, name, tag), NULL, error);
}
