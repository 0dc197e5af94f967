/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * runner-merge.c - a snapshot of a machine that runs is deleted: its images are merged
 *
 * A block job for each disk. One in the middle of a chain ends by itself; one of the image that the
 * disk uses becomes ready, and goes over when the new definition has been kept. If the daemon is
 * killed in between, the next one finds the job by its mark, and lets it go over.
 */
#include <string.h>

#include "base/error.h"
#include "daemon/runner-int.h"

struct merging {
	struct runner *runner;
	struct machine_merge *merge;
	struct task *task;
	unsigned left; /* disks that have not ended, and the loop that begins them */
	GError *error;
};

struct part {
	struct task task;
	struct merging *merging;
};

/* None goes on for nothing. */
static void give_up(struct merging *merging)
{
	struct runner *runner = merging->runner;

	for (unsigned i = 0; !runner->ended && i < merging->merge->count; i++) {
		const char *alias = runner_disk_alias(runner, merging->merge->disks[i].disk, NULL);
		struct runner_job *job = runner_job_find(runner, alias);

		if (!job || !merging->merge->disks[i].merged)
			continue;
		job->cancelled = true;
		job->of_snapshot = false;
		runner_call(runner, "block-job-cancel", json_pack("{s:s}", "device", alias), 0,
			    NULL, NULL);
	}
}

void runner_merge_part(struct merging *merging, const GError *error)
{
	struct task *task = merging->task;
	g_autoptr(GError) why = NULL;

	if (error && !merging->error)
		merging->error = g_error_copy(error);
	if (--merging->left)
		return;
	why = merging->error;
	if (why)
		give_up(merging);
	g_free(merging);
	task_end(task, why);
}

void runner_merge_ready(struct runner *runner, struct runner_job *job)
{
	if (job->merging) {
		runner_merge_part(g_steal_pointer(&job->merging), NULL);
		return;
	}
	/* Who began it is gone, and the definition may name the other image already. */
	if (!job->of_snapshot || job->abort || !runner->finding)
		return;
	job->going_over = true;
	runner_call(runner, "block-job-complete", json_pack("{s:s}", "device", job->alias), 0, NULL,
		    NULL);
}

/* It has begun: its events tell the rest. */
static void begun(struct task *task, const GError *error)
{
	struct part *part = container_of(task, struct part, task);

	if (error)
		runner_merge_part(part->merging, error);
	g_free(part);
}

static const json_t *find_node(const json_t *nodes, const char *file)
{
	json_t *node;
	size_t i;

	json_array_foreach(nodes, i, node)
	{
		if (!g_strcmp0(json_string_value(json_object_get(node, "file")), file))
			return node;
	}
	return NULL;
}

static void merge_disk(struct merging *merging, struct machine_merge_disk *m)
{
	struct runner *runner = merging->runner;
	const char *alias = runner_disk_alias(runner, m->disk, NULL);
	const struct domain_disk *disk = alias ? runner_disk(runner, alias, NULL) : NULL;
	const bool active = disk && !g_strcmp0(disk_path(disk), m->top);
	struct machine_block_job_spec spec = { .type = active ? MACHINE_BLOCK_ACTIVE_COMMIT
							      : MACHINE_BLOCK_COMMIT,
					       .disk = m->disk,
					       .base = m->base,
					       .top = active ? NULL : m->top };
	struct runner_job *job = runner_job_find(runner, alias);
	struct part *part;

	merging->left++;
	m->merged = true;
	/* One that an earlier daemon began goes on. */
	if (!job || !job->of_snapshot || !active || job->going_over) {
		part = g_new(struct part, 1);
		*part = (struct part){ { begun }, merging };
		runner_job_start(&runner->machine, &spec, &part->task);
		/* One of somebody else is in the way, which has been said. */
		if (job) {
			m->merged = false;
			return;
		}
		job = runner_job_find(runner, alias);
	}
	if (!job)
		return;
	job->of_snapshot = active;
	job->merging = merging;
	if (job->ready)
		runner_merge_ready(runner, job);
}

/*
 * The disk goes over already, for who was killed: that is waited for. The machine may use the base by now;
 * we say so when its event has come.
 */
static bool wait_for_job(struct merging *merging, const struct machine_merge_disk *m)
{
	struct runner *runner = merging->runner;
	struct runner_job *job = runner_job_find(runner, runner_disk_alias(runner, m->disk, NULL));

	if (!job || !job->going_over || job->merging)
		return false;
	merging->left++;
	job->merging = merging;
	return true;
}

/* False: the snapshot's description does not fit the chain. */
static bool check_chain(const json_t *nodes, const struct machine_merge_disk *m, GError **error)
{
	const json_t *top = find_node(nodes, m->top);
	const char *behind = json_string_value(json_object_get(top, "backing_file"));

	if (top && g_strcmp0(behind, m->base) != 0)
		return error_set(error, SOCLE_ERROR_STATE,
				 "behind image '%s' stands '%s', and not '%s' as when the snapshot "
				 "was made; merge them by a block commit, and delete its metadata",
				 m->top, behind ? behind : "nothing", m->base);
	return true;
}

static void on_nodes(void *opaque, json_t *result, const GError *error)
{
	struct merging *merging = opaque;
	g_autoptr(GError) why = NULL;

	for (unsigned i = 0; result && !why && i < merging->merge->count; i++)
		(void)check_chain(result, &merging->merge->disks[i], &why);
	for (unsigned i = 0; result && !why && i < merging->merge->count; i++) {
		struct machine_merge_disk *m = &merging->merge->disks[i];

		if (!wait_for_job(merging, m) && find_node(result, m->top))
			merge_disk(merging, m);
	}
	runner_merge_part(merging, why ? why : error);
}

void runner_merge(struct machine *machine, struct machine_merge *merge, struct task *task)
{
	struct merging *merging = g_new0(struct merging, 1);

	*merging = (struct merging){ runner_of(machine), merge, task, 1, NULL };
	runner_call(merging->runner, "query-named-block-nodes", NULL, 0, on_nodes, merging);
}

/* == Over == */

static void ended(struct task *task, const GError *error)
{
	struct part *part = container_of(task, struct part, task);

	runner_merge_part(part->merging, error);
	g_free(part);
}

void runner_merge_end(struct machine *machine, struct machine_merge *merge, bool go_over,
		      struct task *task)
{
	struct runner *runner = runner_of(machine);
	struct merging *merging = g_new0(struct merging, 1);

	*merging = (struct merging){ runner, merge, task, 1, NULL };
	for (unsigned i = 0; i < merge->count; i++) {
		const char *alias = runner_disk_alias(runner, merge->disks[i].disk, NULL);
		const struct domain_disk *disk = alias ? runner_disk(runner, alias, NULL) : NULL;
		struct part *part;

		/* One in the middle of its chain has gone already. */
		if (!merge->disks[i].merged || !disk ||
		    g_strcmp0(disk_path(disk), merge->disks[i].top) != 0)
			continue;
		part = g_new(struct part, 1);
		*part = (struct part){ { ended }, merging };
		merging->left++;
		runner_job_abort(machine, merge->disks[i].disk, go_over, &part->task);
	}
	runner_merge_part(merging, NULL);
}
