/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * runner-snapshot.c - snapshots of disks in use: all of one moment, or none
 */
#include <string.h>

#include "base/error.h"
#include "base/sys.h"
#include "daemon/runner-int.h"
#include "model/snapshot.h"

struct saving {
	struct task *task;
	GPtrArray *made; /* files that are of no use when it fails */
};

static const char *file_of(const struct snapshot_disk *entry)
{
	return entry->type == DISK_BLOCK ? entry->source.dev : entry->source.file;
}

static const struct domain_disk *disk_of(const struct domain *domain,
					 const struct snapshot_disk *entry)
{
	for (unsigned i = 0; i < domain->devices.disk_count; i++) {
		const struct domain_disk *disk = &domain->devices.disks[i];

		if (disk->info.fate != FATE_LEFT_OUT && !g_strcmp0(disk->target.dev, entry->name))
			return disk;
	}
	return NULL;
}

static void on_saved(void *opaque, json_t *result, const GError *error)
{
	struct saving *saving = opaque;

	(void)result;
	for (unsigned i = 0; error && i < saving->made->len; i++)
		(void)sys_unlink(g_ptr_array_index(saving->made, i));
	task_end(saving->task, error);
	g_ptr_array_unref(saving->made);
	g_free(saving);
}

/* The machine makes overlays as whom it runs, with the backing format in them. An existing file would be
 * overwritten, so it is refused. */
static bool add_external(json_t *actions, const struct snapshot_disk *entry, const char *alias,
			 GPtrArray *made, GError **error)
{
	const char *file = file_of(entry);
	struct stat st;

	if (entry->type == DISK_FILE && sys_stat(file, &st) == 0 && st.st_size > 0)
		return error_set(error, SOCLE_ERROR_EXISTS,
				 "disk '%s': the file '%s' exists; name another one, or remove it",
				 entry->name, file);
	if (entry->type == DISK_FILE)
		g_ptr_array_add(made, g_strdup(file));
	json_array_append_new(actions, json_pack("{s:s,s:{s:s,s:s,s:s}}", "type",
						 "blockdev-snapshot-sync", "data", "device", alias,
						 "snapshot-file", file, "format", "qcow2"));
	return true;
}

static bool add_action(json_t *actions, const struct domain *live, const struct snapshot *snapshot,
		       const struct snapshot_disk *entry, GPtrArray *made, GError **error)
{
	const struct domain_disk *disk;

	if (entry->where != SNAPSHOT_EXTERNAL && entry->where != SNAPSHOT_INTERNAL)
		return true;
	disk = disk_of(live, entry);
	if (!disk)
		return error_set(error, SOCLE_ERROR_NOT_FOUND, "the machine has no disk '%s'",
				 entry->name);
	if (entry->where == SNAPSHOT_EXTERNAL)
		return add_external(actions, entry, disk->info.alias.name, made, error);
	json_array_append_new(actions,
			      json_pack("{s:s,s:{s:s,s:s}}", "type",
					"blockdev-snapshot-internal-sync", "data", "device",
					disk->info.alias.name, "name", snapshot->name));
	return true;
}

void runner_snapshot(struct machine *machine, const struct snapshot *snapshot, struct task *task)
{
	struct saving *saving;
	json_t *actions;
	g_autoptr(GError) error = NULL;
	bool ok = true;

	if (runner_lvm_wants(machine->dom->live, snapshot)) {
		runner_lvm_snapshot(machine, snapshot, task);
		return;
	}
	saving = g_new(struct saving, 1);
	actions = json_array();
	*saving = (struct saving){ task, g_ptr_array_new_with_free_func(g_free) };
	for (unsigned i = 0; ok && i < snapshot->disks.count; i++)
		ok = add_action(actions, machine->dom->live, snapshot, &snapshot->disks.list[i],
				saving->made, &error);
	if (ok && !json_array_size(actions))
		ok = error_set(&error, SOCLE_ERROR_USAGE,
			       "the snapshot has no disk in it; name one whose image is a file");
	if (!ok) {
		json_decref(actions);
		/* They were not made. */
		g_ptr_array_set_size(saving->made, 0);
		on_saved(saving, NULL, error);
		return;
	}
	runner_call(runner_of(machine), "transaction", json_pack("{s:o}", "actions", actions), 0,
		    on_saved, saving);
}
