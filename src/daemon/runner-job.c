/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * runner-job.c - jobs that copy between images while the guest uses them
 *
 * A job has the name of its disk's device. When it is over the machine is asked which images its disks
 * have now; that is put into the live definition before anybody is told.
 */
#include <string.h>

#include "base/error.h"
#include "daemon/runner-int.h"

/* libvirt's VIR_DOMAIN_BLOCK_JOB_... */
enum {
	JOB_COMPLETED = 0,
	JOB_FAILED = 1,
	JOB_CANCELLED = 2,
	JOB_READY = 3,
};

void runner_job_free(void *opaque)
{
	struct runner_job *job = opaque;
	g_autoptr(GError) error = NULL;

	error_set(&error, SOCLE_ERROR_STATE, "the machine is gone");
	if (job->abort)
		task_end(job->abort, error);
	if (job->merging)
		runner_merge_part(job->merging, error);
	g_free(job->alias);
	g_free(job);
}

struct runner_job *runner_job_find(struct runner *runner, const char *alias)
{
	for (unsigned i = 0; alias && i < runner->jobs->len; i++) {
		struct runner_job *job = g_ptr_array_index(runner->jobs, i);

		if (!strcmp(job->alias, alias))
			return job;
	}
	return NULL;
}

struct runner_job *runner_job_add(struct runner *runner, const char *alias,
				  enum machine_block_job type)
{
	struct runner_job *job = runner_job_find(runner, alias);

	if (!job) {
		job = g_new0(struct runner_job, 1);
		job->alias = g_strdup(alias);
		g_ptr_array_add(runner->jobs, job);
	}
	job->type = type;
	return job;
}

/* == Which images there are == */

/* What a drive's tray is like, and that nothing is in it. True: something was changed. */
static bool drive_found(struct domain_disk *disk, const json_t *one)
{
	const bool open = json_is_true(json_object_get(one, "tray_open"));
	const bool emptied = !json_object_get(one, "inserted") && disk_path(disk);

	if (disk->device != DISK_CDROM || (!emptied && open == (disk->target.tray != NULL)))
		return false;
	g_free(disk->target.tray);
	disk->target.tray = open ? g_strdup("open") : NULL;
	if (emptied) {
		g_clear_pointer(&disk->source.file, g_free);
		g_clear_pointer(&disk->source.dev, g_free);
	}
	return true;
}

static void take_image(struct runner *runner, struct domain_disk *disk, const char *file,
		       const char *format)
{
	g_autofree char *old = g_strdup(disk_path(disk));

	domain_disk_set_image(disk, file, format);
	if (disk->device != DISK_CDROM)
		machine_image_changed(runner->machine.dom,
				      (unsigned)(disk - runner->machine.dom->live->devices.disks),
				      old);
}

bool runner_images_found(struct runner *runner, const json_t *disks)
{
	bool changed = false;
	json_t *one;
	size_t i;

	json_array_foreach(disks, i, one)
	{
		const char *qdev = json_string_value(json_object_get(one, "qdev"));
		const json_t *inserted = json_object_get(one, "inserted");
		const char *file = json_string_value(json_object_get(inserted, "file"));
		const char *format = json_string_value(json_object_get(inserted, "drv"));
		const char *slash = qdev ? strrchr(qdev, '/') : NULL;
		struct domain_disk *disk = slash ? runner_disk(runner, slash + 1, NULL) : NULL;

		if (disk)
			changed |= drive_found(disk, one);
		if (!disk || !file || !format || disk->transient.set || file[0] != '/' ||
		    (!g_strcmp0(disk_path(disk), file) && !g_strcmp0(disk->driver.type, format)))
			continue;
		take_image(runner, disk, file, format);
		changed = true;
	}
	return changed;
}

/* == The end of a job == */

struct finish {
	struct runner *runner;
	char *alias;
	enum machine_block_job type;
	int status;
	struct task *abort;
	struct merging *merging;
	char *why;
};

/* How it ended, for who waits; @error is NULL, or a sentence. */
static void end_merging(struct merging *merging, int status, const char *why)
{
	g_autoptr(GError) error = NULL;

	if (!merging)
		return;
	if (status != JOB_COMPLETED)
		error_set(&error, SOCLE_ERROR_FAILED, "the images could not be merged: %s",
			  why ? why : "the job was given up");
	runner_merge_part(merging, error);
}

static void end_abort(struct task *task, int status, const char *why)
{
	g_autoptr(GError) error = NULL;

	if (!task)
		return;
	if (status == JOB_FAILED)
		error_set(&error, SOCLE_ERROR_FAILED, "the job failed: %s",
			  why ? why : "the machine does not say why");
	task_end(task, error);
}

static void on_images(void *opaque, json_t *result, const GError *error)
{
	struct finish *finish = opaque;
	struct runner *runner = finish->runner;
	struct dom *dom = runner->machine.dom;
	unsigned disk;

	(void)error;
	if (!runner->ended && dom->live) {
		(void)runner_images_found(runner, result);
		if (runner_disk(runner, finish->alias, &disk))
			machine_block_job(dom, disk, finish->type, finish->status);
		runner_changed(runner);
	}
	end_abort(finish->abort, finish->status, finish->why);
	end_merging(finish->merging, finish->status, finish->why);
	g_free(finish->alias);
	g_free(finish->why);
	g_free(finish);
}

static void finish_job(struct runner *runner, struct runner_job *job, int status, const char *why)
{
	struct finish *finish = g_new(struct finish, 1);

	*finish = (struct finish){ .runner = runner,
				   .alias = g_strdup(job->alias),
				   .type = job->type,
				   .status = status,
				   .abort = g_steal_pointer(&job->abort),
				   .merging = g_steal_pointer(&job->merging),
				   .why = g_strdup(why) };
	g_ptr_array_remove(runner->jobs, job);
	runner_call(runner, "query-block", NULL, 0, on_images, finish);
}

void runner_job_event(struct runner *runner, const char *name, const json_t *data)
{
	struct runner_job *job =
		runner_job_find(runner, json_string_value(json_object_get(data, "device")));
	const char *why = json_string_value(json_object_get(data, "error"));
	unsigned disk;

	if (!job)
		return;
	if (!strcmp(name, "BLOCK_JOB_READY")) {
		job->ready = true;
		runner_merge_ready(runner, job);
		if (runner_disk(runner, job->alias, &disk))
			machine_block_job(runner->machine.dom, disk, job->type, JOB_READY);
	} else if (!strcmp(name, "BLOCK_JOB_CANCELLED")) {
		finish_job(runner, job, JOB_CANCELLED, NULL);
	} else if (!strcmp(name, "BLOCK_JOB_COMPLETED")) {
		finish_job(runner, job,
			   why              ? JOB_FAILED
			   : job->cancelled ? JOB_CANCELLED
					    : JOB_COMPLETED,
			   why);
	}
}

static const json_t *find_found(const json_t *jobs, const char *alias)
{
	json_t *job;
	size_t i;

	json_array_foreach(jobs, i, job)
	{
		const char *device = json_string_value(json_object_get(job, "device"));

		if (device && !strcmp(device, alias))
			return job;
	}
	return NULL;
}

static enum machine_block_job type_found(const json_t *job)
{
	const char *type = json_string_value(json_object_get(job, "type"));

	return !g_strcmp0(type, "stream")   ? MACHINE_BLOCK_PULL
	       : !g_strcmp0(type, "mirror") ? MACHINE_BLOCK_COPY
					    : MACHINE_BLOCK_COMMIT;
}

/* Jobs of our disks that were begun, and of which nobody was told before the daemon was killed. */
static void cancel_unknown(struct runner *runner, const json_t *jobs)
{
	json_t *job;
	size_t i;

	json_array_foreach(jobs, i, job)
	{
		const char *alias = json_string_value(json_object_get(job, "device"));

		if (!alias || !runner_disk(runner, alias, NULL) || runner_job_find(runner, alias))
			continue;
		/* Nothing else is begun on the disk before its end has been told. */
		runner_job_add(runner, alias, type_found(job))->cancelled = true;
		runner_call(runner, "block-job-cancel", json_pack("{s:s}", "device", alias), 0,
			    NULL, NULL);
	}
}

void runner_jobs_found(struct runner *runner, const json_t *jobs, const json_t *disks)
{
	const bool changed = runner_images_found(runner, disks);

	cancel_unknown(runner, jobs);
	for (unsigned i = runner->jobs->len; i-- > 0;) {
		struct runner_job *job = g_ptr_array_index(runner->jobs, i);
		const json_t *found = find_found(jobs, job->alias);
		const bool waits =
			job->type == MACHINE_BLOCK_COPY || job->type == MACHINE_BLOCK_ACTIVE_COMMIT;
		unsigned disk;

		if (!jobs)
			continue;
		/* One that was to wait for us and is gone has gone over, or was given up. */
		if (!found) {
			finish_job(runner, job, waits && !changed ? JOB_CANCELLED : JOB_COMPLETED,
				   NULL);
		} else if (!job->ready && json_is_true(json_object_get(found, "ready"))) {
			job->ready = true;
			if (runner_disk(runner, job->alias, &disk))
				machine_block_job(runner->machine.dom, disk, job->type, JOB_READY);
			runner_merge_ready(runner, job);
		}
	}
	if (changed)
		runner_changed(runner);
}

/* == What is asked for == */

struct starting {
	struct runner *runner;
	char *alias;
	struct task *task;
};

static void on_started(void *opaque, json_t *result, const GError *error)
{
	struct starting *starting = opaque;
	struct runner *runner = starting->runner;
	struct runner_job *job = runner->ended ? NULL : runner_job_find(runner, starting->alias);

	(void)result;
	if (error && job) {
		job->merging = NULL; /* it hears by the task */
		g_ptr_array_remove(runner->jobs, job);
	}
	if (!runner->ended)
		runner_changed(runner);
	task_end(starting->task, error);
	g_free(starting->alias);
	g_free(starting);
}

static void set_speed(json_t *args, uint64_t bandwidth)
{
	if (bandwidth)
		json_object_set_new(args, "speed", json_integer((json_int_t)bandwidth));
}

static json_t *copy_args(const struct machine_block_job_spec *spec, const char *alias)
{
	json_t *args = json_pack("{s:s,s:s,s:s,s:s,s:s}", "job-id", alias, "device", alias,
				 "target", spec->dest, "sync", spec->shallow ? "top" : "full",
				 "mode", spec->reuse ? "existing" : "absolute-paths");

	if (spec->dest_type && args)
		json_object_set_new(args, "format", json_string(spec->dest_type));
	return args;
}

static json_t *plain_args(const struct machine_block_job_spec *spec, const char *alias)
{
	json_t *args = json_pack("{s:s,s:s}", "job-id", alias, "device", alias);

	if (spec->base)
		json_object_set_new(args, "base", json_string(spec->base));
	if (spec->type == MACHINE_BLOCK_COMMIT && spec->top)
		json_object_set_new(args, "top", json_string(spec->top));
	return args;
}

void runner_job_start(struct machine *machine, const struct machine_block_job_spec *spec,
		      struct task *task)
{
	static const char *const commands[] = {
		[MACHINE_BLOCK_PULL] = "block-stream",
		[MACHINE_BLOCK_COPY] = "drive-mirror",
		[MACHINE_BLOCK_COMMIT] = "block-commit",
		[MACHINE_BLOCK_ACTIVE_COMMIT] = "block-commit",
	};
	struct runner *runner = runner_of(machine);
	g_autoptr(GError) error = NULL;
	const char *alias = runner_disk_alias(runner, spec->disk, &error);
	struct starting *starting;
	json_t *args;

	if (alias && runner_job_find(runner, alias))
		error_set(&error, SOCLE_ERROR_BUSY,
			  "the disk has a job already; wait for it, or abort it");
	if (error) {
		task_end(task, error);
		return;
	}
	args = spec->type == MACHINE_BLOCK_COPY ? copy_args(spec, alias) : plain_args(spec, alias);
	if (args)
		set_speed(args, spec->bandwidth);
	starting = g_new(struct starting, 1);
	*starting = (struct starting){ runner, g_strdup(alias), task };
	/* Its events may come in front of the answer. */
	(void)runner_job_add(runner, alias, spec->type);
	runner_call(runner, commands[spec->type], args, 0, on_started, starting);
}

struct asking {
	struct runner *runner;
	char *alias;
	enum machine_block_job type;
	struct machine_block_job_info *info;
	struct task *task;
};

static void on_asked(void *opaque, json_t *result, const GError *error)
{
	struct asking *asking = opaque;
	const json_t *found = result ? find_found(result, asking->alias) : NULL;

	*asking->info = (struct machine_block_job_info){ .type = MACHINE_BLOCK_NONE };
	if (found)
		*asking->info = (struct machine_block_job_info){
			.type = asking->type,
			.bandwidth = (uint64_t)json_integer_value(json_object_get(found, "speed")),
			.cur = (uint64_t)json_integer_value(json_object_get(found, "offset")),
			.end = (uint64_t)json_integer_value(json_object_get(found, "len")),
			.ready = json_is_true(json_object_get(found, "ready")),
		};
	task_end(asking->task, error);
	g_free(asking->alias);
	g_free(asking);
}

void runner_job_query(struct machine *machine, unsigned disk, struct machine_block_job_info *info,
		      struct task *task)
{
	struct runner *runner = runner_of(machine);
	g_autoptr(GError) error = NULL;
	const char *alias = runner_disk_alias(runner, disk, &error);
	const struct runner_job *job = runner_job_find(runner, alias);
	struct asking *asking;

	*info = (struct machine_block_job_info){ .type = MACHINE_BLOCK_NONE };
	if (!job) {
		task_end(task, error);
		return;
	}
	asking = g_new(struct asking, 1);
	*asking = (struct asking){ runner, g_strdup(alias), job->type, info, task };
	runner_call(runner, "query-block-jobs", NULL, RUNNER_QUERY_MS * 10, on_asked, asking);
}

static void on_abort(void *opaque, json_t *result, const GError *error)
{
	struct starting *starting = opaque;
	struct runner *runner = starting->runner;
	struct runner_job *job = runner->ended ? NULL : runner_job_find(runner, starting->alias);

	(void)result;
	/* The end of the job is what is waited for; it may have been told already. */
	if (error && job && job->abort == starting->task) {
		job->abort = NULL;
		job->cancelled = false;
		task_end(starting->task, error);
	}
	g_free(starting->alias);
	g_free(starting);
}

void runner_job_abort(struct machine *machine, unsigned disk, bool pivot, struct task *task)
{
	struct runner *runner = runner_of(machine);
	g_autoptr(GError) error = NULL;
	const char *alias = runner_disk_alias(runner, disk, &error);
	struct runner_job *job = runner_job_find(runner, alias);
	struct starting *starting;

	if (alias && !job)
		error_set(&error, SOCLE_ERROR_NOT_ACTIVE, "the disk has no job");
	else if (job && job->abort)
		error_set(&error, SOCLE_ERROR_BUSY, "the job is being ended already");
	else if (job && pivot && job->type != MACHINE_BLOCK_COPY &&
		 job->type != MACHINE_BLOCK_ACTIVE_COMMIT)
		error_set(&error, SOCLE_ERROR_STATE,
			  "this job has nothing to go over to; abort it without a pivot");
	if (!job || error) {
		task_end(task, error);
		return;
	}
	job->abort = task;
	job->cancelled = !pivot;
	starting = g_new(struct starting, 1);
	*starting = (struct starting){ runner, g_strdup(alias), task };
	runner_call(runner, pivot ? "block-job-complete" : "block-job-cancel",
		    json_pack("{s:s}", "device", alias), 0, on_abort, starting);
}

void runner_job_speed(struct machine *machine, unsigned disk, uint64_t bandwidth, struct task *task)
{
	struct runner *runner = runner_of(machine);
	g_autoptr(GError) error = NULL;
	const char *alias = runner_disk_alias(runner, disk, &error);

	if (!alias) {
		task_end(task, error);
		return;
	}
	runner_command(runner, "block-job-set-speed",
		       json_pack("{s:s,s:I}", "device", alias, "speed", (json_int_t)bandwidth),
		       task);
}

void runner_block_threshold(struct machine *machine, unsigned disk, uint64_t bytes,
			    struct task *task)
{
	struct runner *runner = runner_of(machine);
	g_autoptr(GError) error = NULL;
	const char *alias = runner_disk_alias(runner, disk, &error);

	if (!alias) {
		task_end(task, error);
		return;
	}
	runner_command(
		runner, "block-set-write-threshold",
		json_pack("{s:s,s:I}", "device", alias, "write-threshold", (json_int_t)bytes),
		task);
}

void runner_block_resize(struct machine *machine, unsigned disk, uint64_t bytes, struct task *task)
{
	struct runner *runner = runner_of(machine);
	g_autoptr(GError) error = NULL;
	const char *alias = runner_disk_alias(runner, disk, &error);

	if (!alias) {
		task_end(task, error);
		return;
	}
	runner_command(runner, "block_resize",
		       json_pack("{s:s,s:I}", "device", alias, "size",
				 (json_int_t)MIN(bytes, (uint64_t)G_MAXINT64)),
		       task);
}
