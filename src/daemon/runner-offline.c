/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * runner-offline.c - snapshots of a machine that is off
 *
 * External ones are new images in front of those there are, made by the room block itself. File systems may
 * take their time, so it is done on a thread of its own, with copies of all it needs.
 */
#include <string.h>

#include "base/aside.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/sys.h"
#include "block/chain.h"
#include "block/image.h"
#include "daemon/runner-int.h"
#include "model/snapshot.h"

struct overlay {
	char *path, *behind, *format;
};

struct offline {
	struct task *task;
	struct aside *aside;
	GArray *overlays; /* of struct overlay */
	uid_t uid;        /* whose they are to be, 0: ours */
	gid_t gid;
	GError *error;
};

static void overlay_clear(void *opaque)
{
	struct overlay *overlay = opaque;

	g_free(overlay->path);
	g_free(overlay->behind);
	g_free(overlay->format);
}

static void offline_free(void *opaque)
{
	struct offline *offline = opaque;

	g_array_unref(offline->overlays);
	g_clear_error(&offline->error);
	g_free(offline);
}

/* [the thread] */
static bool make(const struct offline *offline, const struct overlay *overlay, GError **error)
{
	autoptr(image) behind = image_open(overlay->behind, overlay->format, IMAGE_LOCKED, error);
	g_autofree char *name = NULL;
	struct image_create what;
	struct stat st;

	if (!behind)
		return false;
	if (sys_stat(overlay->path, &st) == 0 && st.st_size > 0)
		return error_set(error, SOCLE_ERROR_EXISTS,
				 "the file '%s' exists; name another one, or remove it",
				 overlay->path);
	name = image_chain_name(overlay->path, overlay->behind);
	what = (struct image_create){ .path = overlay->path,
				      .size = behind->size,
				      .backing_file = name,
				      .backing_format = overlay->format };
	if (!image_create("qcow2", &what, error))
		return false;
	/* Whoever the image behind it belongs to. */
	if (offline->uid && sys_stat(overlay->behind, &st) == 0)
		(void)sys_chown(overlay->path, st.st_uid, st.st_gid);
	return true;
}

/* [the thread] All or none. */
static void work(void *opaque)
{
	struct offline *offline = opaque;
	unsigned done = 0;

	while (done < offline->overlays->len &&
	       make(offline, &g_array_index(offline->overlays, struct overlay, done),
		    &offline->error))
		done++;
	while (offline->error && done-- > 0)
		(void)sys_unlink(g_array_index(offline->overlays, struct overlay, done).path);
}

static void worked(void *opaque)
{
	struct offline *offline = opaque;

	task_end(offline->task, offline->error);
	aside_drop(offline->aside);
}

static bool add(struct offline *offline, const struct domain *config,
		const struct snapshot_disk *entry, GError **error)
{
	const char *path = entry->type == DISK_BLOCK ? entry->source.dev : entry->source.file;

	if (entry->where == SNAPSHOT_INTERNAL)
		return error_set(
			error, SOCLE_ERROR_UNSUPPORTED,
			"disk '%s': a machine that is off has external snapshots only; ask "
			"for snapshot='external'",
			entry->name);
	for (unsigned i = 0; i < config->devices.disk_count; i++) {
		const struct domain_disk *disk = &config->devices.disks[i];
		struct overlay overlay;

		if (g_strcmp0(disk->target.dev, entry->name) != 0 || !disk_path(disk))
			continue;
		overlay = (struct overlay){ g_strdup(path), g_strdup(disk_path(disk)),
					    g_strdup(disk->driver.type) };
		g_array_append_val(offline->overlays, overlay);
		return true;
	}
	return error_set(error, SOCLE_ERROR_NOT_FOUND, "the domain has no disk '%s' with an image",
			 entry->name);
}

void runner_offline_snapshot(struct dom *dom, const struct snapshot *snapshot, struct task *task)
{
	const struct aside_work work_to_do = {
		.name = "snapshot", .fn = work, .end = worked, .free = offline_free
	};
	struct offline *offline;
	struct aside_work what = work_to_do;
	g_autoptr(GError) error = NULL;
	bool ok = true;

	if (runner_lvm_wants(dom->config, snapshot)) {
		runner_lvm_offline_snapshot(dom, snapshot, task);
		return;
	}
	offline = g_new0(struct offline, 1);
	offline->task = task;
	offline->overlays = g_array_new(FALSE, FALSE, sizeof(struct overlay));
	g_array_set_clear_func(offline->overlays, overlay_clear);
	offline->uid = getuid() == 0 ? 1 : 0;
	for (unsigned i = 0; ok && i < snapshot->disks.count; i++) {
		const struct snapshot_disk *entry = &snapshot->disks.list[i];

		if (entry->where == SNAPSHOT_EXTERNAL || entry->where == SNAPSHOT_INTERNAL)
			ok = add(offline, dom->config, entry, &error);
	}
	what.arg = offline;
	if (ok)
		offline->aside = aside_start(&what, &error);
	if (!offline->aside) {
		task_end(task, error);
		offline_free(offline);
	}
}
