/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * jobs.c - block jobs as QMP has them: ids, states, events, ends
 *
 *	created -> running <-> paused          a stream, a commit of the middle
 *	              |-> ready <-> standby    the others, until they are told to end
 *	              +-> waiting -> pending -> concluded -> null
 *	any of these -> aborting -> concluded -> null
 */
#include "vmm/jobs.h"

#include <inttypes.h>

#include "base/error.h"
#include "block/keep.h"
#include "dev/clock.h"
#include "monitor/qmp-server.h"
#include "vmm/commands-int.h"
#include "vmm/nodes.h"
#include "vmm/vmm-int.h"

static const char *const type_names[JOB_KIND_COUNT] = {
	[JOB_COMMIT] = "commit",
	[JOB_COMMIT_ACTIVE] = "commit",
	[JOB_MIRROR] = "mirror",
	[JOB_STREAM] = "stream",
};

static const char *const status_names[JOB_STATUS_COUNT] = {
	[JOB_CREATED] = "created", [JOB_RUNNING] = "running",   [JOB_PAUSED] = "paused",
	[JOB_READY] = "ready",     [JOB_STANDBY] = "standby",   [JOB_WAITING] = "waiting",
	[JOB_PENDING] = "pending", [JOB_ABORTING] = "aborting", [JOB_CONCLUDED] = "concluded",
	[JOB_NULL] = "null",
};

void jobs_init(struct vmm *vmm)
{
	vmm->jobs = g_ptr_array_new_with_free_func(job_free);
}

const char *job_type(const struct vmm_job *job)
{
	return type_names[job->kind];
}

struct vmm_job *job_find(struct vmm *vmm, const char *id)
{
	for (unsigned i = 0; i < vmm->jobs->len; i++) {
		struct vmm_job *job = g_ptr_array_index(vmm->jobs, i);

		if (!g_strcmp0(job->id, id))
			return job;
	}
	return NULL;
}

/* ---- events ---- */

static void set_status(struct vmm_job *job, enum job_status status)
{
	if (job->status == status)
		return;
	job->status = status;
	qmp_server_event(job->vmm->monitor, "JOB_STATUS_CHANGE",
			 json_pack("{s:s,s:s}", "status", status_names[status], "id", job->id));
}

static void look(struct vmm_job *job)
{
	if (job->work)
		block_job_status(job->work, &job->progress);
}

static void tell(struct vmm_job *job, const char *event)
{
	json_t *data =
		json_pack("{s:s,s:s,s:I,s:I,s:I}", "type", job_type(job), "device", job->id, "len",
			  (json_int_t)job->progress.total, "offset", (json_int_t)job->progress.done,
			  "speed", (json_int_t)job->options.speed);

	if (job->error && !job->cancelled && job->status != JOB_READY)
		json_object_set_new(data, "error", json_text(job->error));
	qmp_server_event(job->vmm->monitor, event, data);
}

static void tell_error(struct vmm_job *job)
{
	const struct block_job_status *p = &job->progress;

	qmp_server_event(job->vmm->monitor, "BLOCK_JOB_ERROR",
			 json_pack("{s:s,s:s,s:s}", "device", job->id, "operation",
				   p->error_on_target ? "write" : "read", "action",
				   p->error_stops ? "stop" : "report"));
}

/* ---- the end ---- */

static void remove_job(struct vmm_job *job)
{
	set_status(job, JOB_NULL);
	g_ptr_array_remove(job->vmm->jobs, job);
}

/* The node is as it will be: tell. */
static void on_unkept(void *opaque, const GError *error)
{
	struct vmm_job *job = opaque;

	(void)error;
	tell(job, job->cancelled ? "BLOCK_JOB_CANCELLED" : "BLOCK_JOB_COMPLETED");
	set_status(job, JOB_CONCLUDED);
	if (!job->options.keep_concluded)
		remove_job(job);
}

/* No step any more. Then @well: its fruits are used; else all is as before. The disk's node. */
static struct vmm_node *stop_work(struct vmm_job *job, bool well)
{
	struct block *block = job->node->block;
	struct vmm_node *disk = NULL;
	g_autoptr(GError) error = NULL;

	block_hold(block);
	look(job);
	g_clear_pointer(&job->work, block_job_free);
	job->node->job = NULL;
	if (job->target)
		job->target->job = NULL;
	if (well && !job_end_well(job, &error)) {
		well = false;
		g_free(job->error);
		job->error = g_strdup(error->message);
	}
	if (!well)
		job_end_badly(job);
	block_let_go(block);
	/* Nodes may have changed places, and one of them may be gone. */
	for (unsigned i = 0; i < job->vmm->nodes->len && !disk; i++) {
		struct vmm_node *node = g_ptr_array_index(job->vmm->nodes, i);

		if (node->block == block)
			disk = node;
	}
	job->node = NULL;
	return disk;
}

static void conclude(struct vmm_job *job, bool well)
{
	struct vmm *vmm = job->vmm;
	struct vmm_node *disk = stop_work(job, well), *target = job->target;

	job->target = NULL;
	if (target && target != disk && job->owns_target)
		node_drop(vmm, target);
	if (!well || job->error)
		set_status(job, JOB_ABORTING);
	node_unkeep(vmm, disk, on_unkept, job);
}

/* All is copied; and nobody waits for a command, or that has come. */
static void to_end(struct vmm_job *job)
{
	set_status(job, JOB_WAITING);
	set_status(job, JOB_PENDING);
	if (job->options.keep_pending)
		qmp_server_event(job->vmm->monitor, "BLOCK_JOB_PENDING",
				 json_pack("{s:s,s:s}", "type", job_type(job), "id", job->id));
	else
		conclude(job, true);
}

static bool waits_for_command(const struct vmm_job *job)
{
	return job->kind == JOB_MIRROR || job->kind == JOB_COMMIT_ACTIVE;
}

static void on_ready(struct vmm_job *job)
{
	if (job->status == JOB_PAUSED || job->status == JOB_STANDBY)
		return;
	if (!waits_for_command(job) || job->ending) {
		if (job->status != JOB_PENDING)
			to_end(job);
		return;
	}
	if (job->told_ready)
		return;
	job->told_ready = true;
	set_status(job, JOB_READY);
	tell(job, "BLOCK_JOB_READY");
}

static enum job_status paused_or_not(const struct vmm_job *job, bool pause)
{
	if (pause)
		return job->told_ready ? JOB_STANDBY : JOB_PAUSED;
	return job->told_ready ? JOB_READY : JOB_RUNNING;
}

/* On the main loop: the work says that something has changed. */
static void ring(void *opaque)
{
	struct vmm_job *job = opaque;

	if (!job->work)
		return;
	look(job);
	if (job->progress.errors != job->told_errors) {
		job->told_errors = job->progress.errors;
		g_free(job->error);
		job->error = block_job_error(job->work);
		tell_error(job);
		if (job->progress.paused)
			set_status(job, paused_or_not(job, true));
	}
	if (job->progress.failed)
		conclude(job, false);
	else if (job->progress.ready)
		on_ready(job);
}

static void on_changed(void *opaque)
{
	struct vmm_job *job = opaque;

	dev_timer_set(job->bell, 0);
}

/* ---- the beginning ---- */

bool job_check(struct vmm *vmm, const struct vmm_node *node, const struct job_options *options,
	       GError **error)
{
	const char *id = options->id ? options->id : node->user ? node->user : node->name;

	if (!*id || !g_ascii_isalpha(*id))
		return error_set(error, SOCLE_ERROR_USAGE, "Invalid job ID '%s'", id);
	if (job_find(vmm, id))
		return error_set(error, SOCLE_ERROR_EXISTS, "Job ID '%s' already in use", id);
	return node_is_free(node, error);
}

struct vmm_job *job_new(struct vmm *vmm, enum job_kind kind, struct vmm_node *node,
			const struct job_options *options)
{
	const char *id = options->id ? options->id : node->user ? node->user : node->name;
	struct vmm_job *job = g_new0(struct vmm_job, 1);

	job->vmm = vmm;
	job->id = g_strdup(id);
	job->kind = kind;
	job->node = node;
	job->options = *options;
	job->options.id = NULL;
	job->ending = job->pivot = options->completes;
	job->bell = dev_timer_new(dev_clock_host(), ring, job);
	return job;
}

void job_begin(struct vmm_job *job, struct image_job *work)
{
	job->work = block_job_new(job->node->block, &(struct block_job_config){
							    .work = work,
							    .follows = waits_for_command(job),
							    .speed = job->options.speed,
							    .on_source = job->options.on_source,
							    .on_target = job->options.on_target,
							    .changed = on_changed,
							    .opaque = job,
						    });
	job->node->job = job;
	if (job->target)
		job->target->job = job;
	g_ptr_array_add(job->vmm->jobs, job);
	qmp_server_event(job->vmm->monitor, "JOB_STATUS_CHANGE",
			 json_pack("{s:s,s:s}", "status", "created", "id", job->id));
	set_status(job, JOB_RUNNING);
}

void job_free(void *opaque)
{
	struct vmm_job *job = opaque;

	dev_timer_free(job->bell);
	g_free(job->backing_name);
	g_free(job->error);
	g_free(job->id);
	g_free(job);
}

void jobs_stop(struct vmm *vmm)
{
	for (unsigned i = 0; i < vmm->jobs->len; i++) {
		struct vmm_job *job = g_ptr_array_index(vmm->jobs, i);

		if (job->node)
			(void)stop_work(job, false);
	}
}

void jobs_release(struct vmm *vmm)
{
	g_ptr_array_unref(vmm->jobs);
}

void job_node_gone(struct vmm_node *node)
{
	struct vmm_job *job = node->job;
	struct vmm_node *target;

	if (!job)
		return;
	target = job->target;
	job->cancelled = true;
	set_status(job, JOB_ABORTING);
	(void)stop_work(job, false);
	job->target = NULL;
	if (target && job->owns_target)
		node_drop(job->vmm, target);
	on_unkept(job, NULL);
}

/* ---- commands ---- */

static bool refuse(const struct vmm_job *job, const char *verb, GError **error)
{
	return error_set(error, SOCLE_ERROR_USAGE,
			 "Job '%s' in state '%s' cannot accept command verb '%s'", job->id,
			 status_names[job->status], verb);
}

static void end_soon(struct vmm_job *job, bool pivot)
{
	job->ending = true;
	job->pivot = pivot;
	on_changed(job);
}

bool job_complete(struct vmm_job *job, GError **error)
{
	if (job->status != JOB_READY || job->ending)
		return refuse(job, "complete", error);
	end_soon(job, true);
	return true;
}

bool job_cancel(struct vmm_job *job, bool force, GError **error)
{
	if (!job->node)
		return refuse(job, "cancel", error);
	/* A copy that is ready stays one, and was made in vain only if @force says so. */
	if (job->status == JOB_READY && !force) {
		if (!job->ending)
			end_soon(job, false);
		return true;
	}
	job->cancelled = true;
	conclude(job, false);
	return true;
}

bool job_pause(struct vmm_job *job, bool pause, GError **error)
{
	const bool paused = job->status == JOB_PAUSED || job->status == JOB_STANDBY;

	if (!paused && job->status != JOB_RUNNING && job->status != JOB_READY)
		return refuse(job, pause ? "pause" : "resume", error);
	if (paused == pause)
		return error_set(error, SOCLE_ERROR_USAGE,
				 pause ? "Job is already paused"
				       : "Can't resume a job that was not paused");
	g_clear_pointer(&job->error, g_free);
	set_status(job, paused_or_not(job, pause));
	block_job_pause(job->work, pause);
	/* It may have become ready meanwhile. */
	on_changed(job);
	return true;
}

bool job_finalize(struct vmm_job *job, GError **error)
{
	if (job->status != JOB_PENDING)
		return refuse(job, "finalize", error);
	conclude(job, true);
	return true;
}

bool job_dismiss(struct vmm_job *job, GError **error)
{
	if (job->status != JOB_CONCLUDED)
		return refuse(job, "dismiss", error);
	remove_job(job);
	return true;
}

bool job_set_speed(struct vmm_job *job, uint64_t speed, GError **error)
{
	if (!job->work)
		return refuse(job, "set-speed", error);
	job->options.speed = speed;
	block_job_set_speed(job->work, speed);
	return true;
}

/* ---- queries ---- */

static const char *io_status(const struct vmm_job *job)
{
	if (!job->progress.errors || !job->progress.paused || !job->error)
		return "ok";
	return job->progress.error_nospace ? "nospace" : "failed";
}

json_t *job_block_info(struct vmm_job *job)
{
	const bool paused = job->status == JOB_PAUSED || job->status == JOB_STANDBY;
	json_t *info;

	look(job);
	info = json_pack(
		"{s:s,s:s,s:I,s:I,s:b,s:b,s:I,s:s,s:b,s:s,s:b,s:b}", "type", job_type(job),
		"device", job->id, "len", (json_int_t)job->progress.total, "offset",
		(json_int_t)job->progress.done, "busy", job->work && !paused, "paused", (int)paused,
		"speed", (json_int_t)job->options.speed, "io-status", io_status(job), "ready",
		(int)job->told_ready, "status", status_names[job->status], "auto-finalize",
		(int)!job->options.keep_pending, "auto-dismiss", (int)!job->options.keep_concluded);
	if (job->error && job->status == JOB_CONCLUDED)
		json_object_set_new(info, "error", json_text(job->error));
	return info;
}

json_t *job_info(struct vmm_job *job)
{
	json_t *info;

	look(job);
	info = json_pack("{s:s,s:s,s:s,s:I,s:I}", "id", job->id, "type", job_type(job), "status",
			 status_names[job->status], "current-progress",
			 (json_int_t)job->progress.done, "total-progress",
			 (json_int_t)job->progress.total);
	if (job->error && job->status == JOB_CONCLUDED)
		json_object_set_new(info, "error", json_text(job->error));
	return info;
}
