/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * jobs.h - block jobs as QMP has them: ids, states, events, ends
 *
 * States and their changes are those of QEMU (qapi/job.json). A job has a node, whose keeper runs it
 * (block/block-job.h), from its start until it is concluded.
 *
 * Threads: main loop.
 */
#ifndef VMM_JOBS_H
#define VMM_JOBS_H

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>

#include "block/block-job.h"
#include "block/image.h"

struct vmm;
struct vmm_node;

enum job_kind {
	JOB_COMMIT,        /* images of the middle into one behind them */
	JOB_COMMIT_ACTIVE, /* all in front of an image into that, which then is the disk's */
	JOB_MIRROR,
	JOB_STREAM,
	JOB_KIND_COUNT,
};

enum job_status {
	JOB_CREATED,
	JOB_RUNNING,
	JOB_PAUSED,
	JOB_READY,
	JOB_STANDBY, /* ready, and paused */
	JOB_WAITING,
	JOB_PENDING, /* for job-finalize */
	JOB_ABORTING,
	JOB_CONCLUDED, /* for job-dismiss */
	JOB_NULL,
	JOB_STATUS_COUNT,
};

struct job_options {
	const char *id; /* NULL: that of the disk */
	uint64_t speed;
	enum block_job_policy on_source, on_target;
	bool keep_pending, keep_concluded; /* auto-finalize, auto-dismiss are false */
	bool completes;                    /* by itself, when it is ready */
};

struct vmm_job {
	struct vmm *vmm;
	char *id;
	enum job_kind kind;
	enum job_status status;
	struct job_options options; /* but for the id */
	struct vmm_node *node;      /* NULL: it is concluded */
	struct block_job *work;
	struct block_job_status progress; /* as it was last, when it is concluded */

	struct vmm_node *target; /* MIRROR */
	enum image_job_sync sync;
	bool owns_target;  /* drive-mirror has made it */
	struct image *top; /* COMMIT: the first that is merged */
	/* COMMIT: of the chain, open for writing; STREAM: what stays behind, or NULL */
	struct image *base;
	char *backing_name; /* how that is to be named; or NULL */

	bool told_ready;
	bool ending, pivot; /* as soon as it is ready; and the disk goes over to the target */
	bool cancelled;
	unsigned told_errors;
	char *error;
	struct dev_timer *bell;
};

void jobs_init(struct vmm *vmm);
/* All end where they are. Then the disks may go; and when they are gone: */
void jobs_stop(struct vmm *vmm);
void jobs_release(struct vmm *vmm);

/* "mirror" */
const char *job_type(const struct vmm_job *job);
struct vmm_job *job_find(struct vmm *vmm, const char *id);
/* May there be a job of that id on the node? */
bool job_check(struct vmm *vmm, const struct vmm_node *node, const struct job_options *options,
	       GError **error);
/* A job that is not begun yet. @node has a keeper. */
struct vmm_job *job_new(struct vmm *vmm, enum job_kind kind, struct vmm_node *node,
			const struct job_options *options);
/* Its node is held: it begins when that is let go. @work is taken over. */
void job_begin(struct vmm_job *job, struct image_job *work);
/* It never began. */
void job_free(void *job);

/* False: it is in no state for that. */
bool job_complete(struct vmm_job *job, GError **error);
bool job_cancel(struct vmm_job *job, bool force, GError **error);
bool job_pause(struct vmm_job *job, bool pause, GError **error);
bool job_finalize(struct vmm_job *job, GError **error);
bool job_dismiss(struct vmm_job *job, GError **error);
bool job_set_speed(struct vmm_job *job, uint64_t speed, GError **error);

json_t *job_block_info(struct vmm_job *job); /* BlockJobInfo; NULL: it is none any more */
json_t *job_info(struct vmm_job *job);       /* JobInfo */

/* The disk is gone, and its node goes. */
void job_node_gone(struct vmm_node *node);

/* ---- job-ends.c: its node is held, and so is the target's; the work has ended ---- */

/* What was copied is used from now on. */
bool job_end_well(struct vmm_job *job, GError **error);
/* The chain is as it was. */
void job_end_badly(struct vmm_job *job);

#endif
