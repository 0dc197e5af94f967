/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * runner-offline-merge.c - a snapshot of a machine that is off is deleted: its images are merged
 *
 * The image behind is written and flushed first, then the one in front, if there is one, gets another
 * name in its header: a chain that is read in between has the same in it. It is done on a thread of
 * its own, with copies of all it needs.
 */
#include <string.h>

#include "base/aside.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/log.h"
#include "base/sys.h"
#include "block/chain.h"
#include "block/image.h"
#include "block/job.h"
#include "daemon/runner-int.h"

struct chain {
	char *front, *format, *top, *base;
	bool merged;
};

struct merging {
	struct task *task;
	struct aside *aside;
	struct machine_merge *merge; /* the caller's: of the main loop */
	struct chain *chains;
	unsigned count;
	GError *error;
};

static void merging_free(void *opaque)
{
	struct merging *merging = opaque;

	for (unsigned i = 0; i < merging->count; i++) {
		g_free(merging->chains[i].front);
		g_free(merging->chains[i].format);
		g_free(merging->chains[i].top);
		g_free(merging->chains[i].base);
	}
	g_free(merging->chains);
	g_clear_error(&merging->error);
	g_free(merging);
}

/* [the thread, as all up to work()] */
static struct image *find_path(struct image *image, const char *path)
{
	while (image && strcmp(image->path, path) != 0)
		image = image->backing;
	return image;
}

static bool copy(struct image *top, struct image *base, GError **error)
{
	autoptr(image_job) job = NULL;
	struct image_job_progress at = { .ready = false };

	if (top->size > base->size && !image_resize(base, top->size, error))
		return false;
	job = image_job_commit(top, NULL, base);
	while (!at.ready) {
		if (!image_job_step(job, &at, error))
			return false;
	}
	return image_flush(base, error);
}

/* @above, opened by itself, is to have @base behind it. */
static bool note(const char *path, const char *format, const struct image *base, GError **error)
{
	autoptr(image) above = image_open(path, format, IMAGE_WRITE, error);

	return above && image_chain_note(above, base, NULL, error) && image_flush(above, error);
}

static bool merge_parts(const struct chain *chain, const char *top_format, const char *base_format,
			const char *above, const char *above_format, GError **error)
{
	autoptr(image) top = image_open(chain->top, top_format, 0, error);
	autoptr(image) base = NULL;

	if (!top)
		return false;
	base = image_open(chain->base, base_format, IMAGE_WRITE | IMAGE_BACKING, error);
	if (!base || !copy(top, base, error))
		return false;
	return !above || note(above, above_format, base, error);
}

static bool merge_one(struct chain *chain, GError **error)
{
	autoptr(image) front = image_open(chain->front, chain->format, IMAGE_BACKING, error);
	const struct image *top, *above;
	g_autofree char *name = NULL;
	const char *above_format, *top_format, *base_format;

	if (!front)
		return false;
	top = find_path(front, chain->top);
	if (!top)
		return true; /* an earlier attempt has come so far */
	if (!top->backing || strcmp(top->backing->path, chain->base) != 0)
		return error_set(error, SOCLE_ERROR_STATE,
				 "behind image '%s' stands '%s', and not '%s' as when the snapshot "
				 "was made; merge them with socle-img commit, and delete its "
				 "metadata",
				 chain->top, top->backing ? top->backing->path : "nothing",
				 chain->base);
	above = image_chain_above(front, top);
	name = above ? g_strdup(above->path) : NULL;
	/* They are static. */
	above_format = above ? above->ops->format : NULL;
	top_format = top->ops->format;
	base_format = top->backing->ops->format;
	/* It must not hold the files that are to be written. */
	g_clear_pointer(&front, image_close);
	chain->merged = merge_parts(chain, top_format, base_format, name, above_format, error);
	return chain->merged;
}

static void work(void *opaque)
{
	struct merging *merging = opaque;

	for (unsigned i = 0; i < merging->count && !merging->error; i++)
		(void)merge_one(&merging->chains[i], &merging->error);
}

static void worked(void *opaque)
{
	struct merging *merging = opaque;

	for (unsigned i = 0; i < merging->count; i++)
		merging->merge->disks[i].merged = merging->chains[i].merged;
	task_end(merging->task, merging->error);
	aside_drop(merging->aside);
}

void runner_offline_merge(struct dom *dom, struct machine_merge *merge, struct task *task)
{
	const struct aside_work work_to_do = {
		.name = "merge", .fn = work, .end = worked, .free = merging_free
	};
	struct merging *merging = g_new0(struct merging, 1);
	struct aside_work what = work_to_do;
	g_autoptr(GError) error = NULL;

	merging->task = task;
	merging->merge = merge;
	merging->count = merge->count;
	merging->chains = g_new0(struct chain, merge->count);
	for (unsigned i = 0; i < merge->count; i++) {
		const struct machine_merge_disk *m = &merge->disks[i];
		const struct domain_disk *disk = &dom->config->devices.disks[m->disk];

		merging->chains[i] = (struct chain){ .front = g_strdup(disk_path(disk)),
						     .format = g_strdup(disk->driver.type),
						     .top = g_strdup(m->top),
						     .base = g_strdup(m->base) };
	}
	what.arg = merging;
	merging->aside = aside_start(&what, &error);
	if (!merging->aside) {
		task_end(task, error);
		merging_free(merging);
	}
}

void runner_merge_discard(struct dom *dom, const struct machine_merge *merge)
{
	for (unsigned i = 0; i < merge->count; i++) {
		const char *path = merge->disks[i].top;
		struct stat st;
		int r;

		if (!merge->disks[i].merged) {
			log_info(
				"machine '%s': image '%s' was merged before, and stays where it is",
				dom->name, path);
			continue;
		}
		/* A block device is not ours to remove. */
		if (sys_stat(path, &st) < 0 || !S_ISREG(st.st_mode))
			continue;
		r = sys_unlink(path);
		if (r < 0)
			log_warning("machine '%s': image '%s' is of no use any more, and cannot be "
				    "removed: %s",
				    dom->name, path, g_strerror(-r));
	}
}
