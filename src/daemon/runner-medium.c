/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * runner-medium.c - another medium for a CD drive of a machine that runs
 *
 * The machine exchanges it by one command, so a daemon that is killed finds either the old one or the
 * new one in the drive (runner_images_found()). A guest that uses the medium has locked the tray: it
 * is asked to let go, and has some time for that, unless the change is forced.
 */
#include <string.h>

#include "base/error.h"
#include "daemon/runner-args.h"
#include "daemon/runner-int.h"

enum {
	LOOK_MS = 200,     /* how often it is looked whether the guest has let go */
	LET_GO_MS = 10000, /* and how long */
};

struct medium {
	struct runner *runner;
	struct task *task;
	char *alias;
	json_t *change; /* of blockdev-change-medium; without a file, of eject */
	bool insert, force;
	bool same; /* the file is the one that is in it already */
	bool asked;
	unsigned waited_ms;
	guint timer;
};

static void look(struct medium *medium);

static void medium_end(struct medium *medium, const GError *error)
{
	struct task *task = medium->task;

	g_ptr_array_remove(medium->runner->media, medium);
	if (medium->timer)
		g_source_remove(medium->timer);
	json_decref(medium->change);
	g_free(medium->alias);
	g_free(medium);
	task_end(task, error);
}

/* Those that wait for a guest; the others have a call, which has its answer. */
void runner_media_end(struct runner *runner)
{
	g_autoptr(GError) error = NULL;

	error_set(&error, SOCLE_ERROR_NOT_ACTIVE, "the machine has ended");
	while (runner->media->len)
		medium_end(g_ptr_array_index(runner->media, 0), error);
}

static void on_done(void *opaque, json_t *result, const GError *error)
{
	(void)result;
	medium_end(opaque, error);
}

static void on_ejected(void *opaque, json_t *result, const GError *error)
{
	struct medium *medium = opaque;

	(void)result;
	if (error)
		medium_end(medium, error);
	else
		runner_call(medium->runner, "blockdev-close-tray",
			    json_pack("{s:s}", "id", medium->alias), 0, on_done, medium);
}

static void change(struct medium *medium)
{
	json_t *args = g_steal_pointer(&medium->change);

	if (medium->insert)
		runner_call(medium->runner, "blockdev-change-medium", args, 0, on_done, medium);
	else
		runner_call(medium->runner, "eject", args, 0, on_ejected, medium);
}

static gboolean on_look(gpointer opaque)
{
	struct medium *medium = opaque;

	medium->timer = 0;
	medium->waited_ms += LOOK_MS;
	look(medium);
	return G_SOURCE_REMOVE;
}

static void wait_for_guest(struct medium *medium)
{
	g_autoptr(GError) error = NULL;

	if (medium->waited_ms >= LET_GO_MS) {
		error_set(
			&error, SOCLE_ERROR_BUSY,
			"the guest has locked the tray of drive '%s' and does not open it; unmount "
			"the medium there, or force the change (virsh change-media --force)",
			medium->alias);
		medium_end(medium, error);
		return;
	}
	/* Its answer is that the tray is locked; and the guest hears of it. */
	if (!medium->asked)
		runner_call(medium->runner, "blockdev-open-tray",
			    json_pack("{s:s}", "id", medium->alias), 0, NULL, NULL);
	medium->asked = true;
	medium->timer = g_timeout_add(LOOK_MS, on_look, medium);
}

static const json_t *find_drive(const json_t *disks, const char *alias)
{
	json_t *one;
	size_t i;

	json_array_foreach(disks, i, one)
	{
		const char *qdev = json_string_value(json_object_get(one, "qdev"));
		const char *slash = qdev ? strrchr(qdev, '/') : NULL;

		if (slash && !strcmp(slash + 1, alias))
			return one;
	}
	return NULL;
}

static void on_looked(void *opaque, json_t *result, const GError *error)
{
	struct medium *medium = opaque;
	const json_t *drive = find_drive(result, medium->alias);
	const bool open = json_is_true(json_object_get(drive, "tray_open"));
	const bool locked = json_is_true(json_object_get(drive, "locked"));
	const bool full = json_object_get(drive, "inserted");

	if (error)
		medium_end(medium, error);
	else if (!open && (medium->insert ? full && medium->same : !full))
		medium_end(medium, NULL);
	else if (locked && !open && !medium->force)
		wait_for_guest(medium);
	else
		change(medium);
}

static void look(struct medium *medium)
{
	runner_call(medium->runner, "query-block", NULL, 0, on_looked, medium);
}

void runner_change_medium(struct runner *runner, const struct domain_disk *now,
			  struct domain_disk *disk, bool force, struct task *task)
{
	struct medium *medium = g_new0(struct medium, 1);

	g_free(disk->info.alias.name);
	disk->info.alias.name = g_strdup(now->info.alias.name);
	*medium = (struct medium){ .runner = runner,
				   .task = task,
				   .alias = g_strdup(now->info.alias.name),
				   .change = runner_disk_medium(disk, force),
				   .insert = disk_path(disk) != NULL,
				   .same = !g_strcmp0(disk_path(now), disk_path(disk)) &&
					   !g_strcmp0(now->driver.type, disk->driver.type),
				   .force = force };
	g_ptr_array_add(runner->media, medium);
	look(medium);
}
