/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * check-snapshot.c - the step check, of a snapshot
 */
#include <string.h>

#include "model/domain.h"
#include "model/say-int.h"
#include "model/snapshot.h"

static bool check_name(const struct snapshot *snapshot, GError **error)
{
	const char *name = snapshot->name;

	if (!name || !*name)
		return model_error(error, SOCLE_ERROR_USAGE,
				   "the snapshot has no name; give it a <name>");
	if (name[0] == '.' || strchr(name, '/') || strlen(name) > DOMAIN_NAME_MAX)
		return model_error(
			error, SOCLE_ERROR_USAGE,
			"the snapshot's name '%.64s' cannot be part of a file's: it has a "
			"slash, starts with a dot or is too long; give it another one",
			name);
	for (const char *p = name; *p; p++) {
		if (g_ascii_iscntrl(*p))
			return model_error(
				error, SOCLE_ERROR_USAGE,
				"the snapshot's name has a line break or another control "
				"character; remove it");
	}
	if (snapshot->parent.name && !strcmp(snapshot->parent.name, name))
		return model_error(error, SOCLE_ERROR_USAGE,
				   "the snapshot '%s' is its own parent; give it another name",
				   name);
	return true;
}

static const struct domain_disk *find(const struct domain *domain, const char *name)
{
	for (unsigned i = 0; i < domain->devices.disk_count; i++) {
		const char *dev = domain->devices.disks[i].target.dev;

		if (dev && name && !strcmp(dev, name))
			return &domain->devices.disks[i];
	}
	return NULL;
}

bool disk_keeps_snapshots(const struct domain_disk *disk)
{
	return disk->type == DISK_BLOCK &&
	       (!disk->driver.type || !strcmp(disk->driver.type, "raw"));
}

static bool check_internal(const struct domain_disk *disk, GError **error)
{
	if (disk_keeps_snapshots(disk) || !g_strcmp0(disk->driver.type, "qcow2"))
		return true;
	return model_error(error, SOCLE_ERROR_UNSUPPORTED,
			   "disk '%s' cannot hold a snapshot: its image is not qcow2; ask for an "
			   "external one, or convert it",
			   disk->target.dev);
}

static bool check_external(const struct snapshot_disk *entry, const struct domain_disk *disk,
			   GError **error)
{
	const char *file = entry->type == DISK_BLOCK ? entry->source.dev : entry->source.file;
	const char *now = disk_path(disk);

	if (entry->type != DISK_FILE && entry->type != DISK_BLOCK)
		return model_error(
			error, SOCLE_ERROR_UNSUPPORTED,
			"disk '%s': a new image is a file or a block device; give its path in "
			"<source>",
			entry->name);
	if (strcmp(entry->driver.type, "qcow2") != 0)
		return model_error(error, SOCLE_ERROR_UNSUPPORTED,
				   "disk '%s': a new image is qcow2, not '%.64s'; remove <driver>",
				   entry->name, entry->driver.type);
	if (!file || file[0] != '/')
		return model_error(
			error, SOCLE_ERROR_USAGE,
			"disk '%s': the path of its new image does not start with '/'; give a "
			"whole one in <source>",
			entry->name);
	if (now && !strcmp(file, now))
		return model_error(error, SOCLE_ERROR_USAGE,
				   "disk '%s': its new image would be the one it has; give another "
				   "<source>",
				   entry->name);
	return true;
}

static bool check_disk(const struct snapshot *snapshot, unsigned index, const struct domain *domain,
		       GError **error)
{
	const struct snapshot_disk *entry = &snapshot->disks.list[index];
	const struct domain_disk *disk = find(domain, entry->name);

	if (!disk)
		return model_error(error, SOCLE_ERROR_NOT_FOUND,
				   "the domain has no disk '%.64s'; name one by its target dev",
				   entry->name ? entry->name : "");
	for (unsigned i = 0; i < index; i++) {
		if (!strcmp(snapshot->disks.list[i].name, entry->name))
			return model_error(error, SOCLE_ERROR_USAGE,
					   "the snapshot names disk '%s' twice; remove one",
					   entry->name);
	}
	if (entry->where == SNAPSHOT_INTERNAL)
		return check_internal(disk, error);
	if (entry->where == SNAPSHOT_EXTERNAL)
		return check_external(entry, disk, error);
	return true;
}

static bool check_memory(const struct snapshot *snapshot, GError **error)
{
	const struct snapshot_memory *memory = &snapshot->memory;

	if (memory->where == SNAPSHOT_MANUAL)
		return model_error(
			error, SOCLE_ERROR_USAGE,
			"memory is not saved by hand; give 'internal', 'external' or 'no'");
	if (memory->where == SNAPSHOT_EXTERNAL && (!memory->file || memory->file[0] != '/'))
		return model_error(
			error, SOCLE_ERROR_USAGE,
			"external memory wants a file whose path starts with '/'; give it");
	if (memory->where != SNAPSHOT_EXTERNAL && memory->file)
		return model_error(error, SOCLE_ERROR_USAGE,
				   "only external memory has a file; remove it");
	if (snapshot->state == SNAPSHOT_DISK_ONLY && memory->where != SNAPSHOT_NO)
		return model_error(error, SOCLE_ERROR_USAGE,
				   "a snapshot of disks only has no <memory>; remove it");
	return true;
}

bool snapshot_check(const struct snapshot *snapshot, const struct domain *domain, GError **error)
{
	bool inside = false, outside = false;

	if (!check_name(snapshot, error) || !check_memory(snapshot, error))
		return false;
	for (unsigned i = 0; i < snapshot->disks.count; i++) {
		inside |= snapshot->disks.list[i].where == SNAPSHOT_INTERNAL;
		outside |= snapshot->disks.list[i].where == SNAPSHOT_EXTERNAL;
		if (!check_disk(snapshot, i, domain, error))
			return false;
	}
	if (inside && outside)
		return model_error(
			error, SOCLE_ERROR_UNSUPPORTED,
			"some disks are saved in their images and some in new ones, and one "
			"snapshot is of one kind; choose");
	return true;
}
