/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fill-snapshot.c - the step fill in, of a snapshot
 */
#include <inttypes.h>
#include <string.h>

#include "model/domain.h"
#include "model/fields-int.h"
#include "model/fill-int.h"
#include "model/snapshot.h"

static struct snapshot_disk *find(struct snapshot_disks *disks, const struct domain_disk *disk)
{
	const char *path = disk_path(disk);

	for (unsigned i = 0; i < disks->count; i++) {
		const char *name = disks->list[i].name;

		if (name && ((disk->target.dev && !strcmp(name, disk->target.dev)) ||
			     (path && !strcmp(name, path))))
			return &disks->list[i];
	}
	return NULL;
}

/* The image's name, with the snapshot's in place of what is behind its last dot. */
static char *new_image(const char *path, const char *name)
{
	const char *slash = strrchr(path, '/');
	const char *dot = strrchr(slash ? slash : path, '.');
	size_t len = dot && dot[1] ? (size_t)(dot - path) : strlen(path);

	return g_strdup_printf("%.*s.%s", (int)len, path, name);
}

static void fill_disk(struct snapshot_disk *entry, const struct domain_disk *disk,
		      const struct snapshot *snapshot, const struct snapshot_request *request)
{
	const char *path = disk_path(disk);
	bool outside = request->disk_only || snapshot->memory.where == SNAPSHOT_EXTERNAL;

	g_free(entry->name);
	entry->name = g_strdup(disk->target.dev);
	if (entry->where == SNAPSHOT_ABSENT) {
		if (!path || disk->readonly || disk->device != DISK_DISK ||
		    !g_strcmp0(disk->snapshot, "no"))
			entry->where = SNAPSHOT_NO;
		else if (entry->source.file || entry->source.dev ||
			 (outside && !disk_keeps_snapshots(disk)))
			entry->where = SNAPSHOT_EXTERNAL;
		else
			entry->where = SNAPSHOT_INTERNAL;
	}
	if (entry->where != SNAPSHOT_EXTERNAL)
		return;
	if (entry->type == DISK_TYPE_ABSENT)
		entry->type = entry->source.dev ? DISK_BLOCK : DISK_FILE;
	text_default(&entry->driver.type, "qcow2");
	if (entry->type == DISK_FILE && !entry->source.file && path && snapshot->name)
		entry->source.file = new_image(path, snapshot->name);
}

void snapshot_fill(struct snapshot *snapshot, const struct domain *domain,
		   const struct snapshot_request *request)
{
	const struct domain_devices *d = &domain->devices;

	number_default(&snapshot->creation_time, request->now);
	if (!snapshot->name)
		snapshot->name = g_strdup_printf("%" PRId64, snapshot->creation_time.value);
	if (snapshot->state == SNAPSHOT_STATE_ABSENT)
		snapshot->state = request->disk_only ? SNAPSHOT_DISK_ONLY : request->state;
	if (snapshot->memory.where == SNAPSHOT_ABSENT) {
		if (snapshot->memory.file)
			snapshot->memory.where = SNAPSHOT_EXTERNAL;
		else if (snapshot->state == SNAPSHOT_RUNNING || snapshot->state == SNAPSHOT_PAUSED)
			snapshot->memory.where = SNAPSHOT_INTERNAL;
		else
			snapshot->memory.where = SNAPSHOT_NO;
	}
	for (unsigned i = 0; i < d->disk_count; i++) {
		struct snapshot_disk *entry = find(&snapshot->disks, &d->disks[i]);

		if (!d->disks[i].target.dev)
			continue;
		if (!entry)
			entry = list_add(&snapshot_disk_record, &snapshot->disks.list,
					 &snapshot->disks.count);
		text_default(&entry->name, d->disks[i].target.dev);
		fill_disk(entry, &d->disks[i], snapshot, request);
	}
	if (!snapshot->domain)
		snapshot->domain = domain_copy(domain);
}
