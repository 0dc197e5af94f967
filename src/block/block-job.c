/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * block-job.c - a job on an image that a disk uses: its steps run on the image's keeper
 *
 * One step at a time, each an io_work of the keeper behind the requests that came meanwhile. Writes
 * of the guest are carried over at once, also while the job is paused: or it would not be what
 * image_job_written() promises.
 */
#include "block/block-job.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>

#include "base/error.h"
#include "base/rate.h"
#include "block/kept-int.h"

struct block_job {
	struct kept *kept;
	struct block_job_config config; /* but for the speed */
	struct rate rate;               /* [keeper] */

	pthread_mutex_t lock; /* guards what follows */
	struct block_job_status status;
	uint64_t speed;
	char *error;
};

bool block_job_follows(const struct block_job *job)
{
	return job->config.follows;
}

/* ---- [keeper] ---- */

static bool stops(enum block_job_policy policy, bool nospace)
{
	return policy == BLOCK_JOB_STOP || (policy == BLOCK_JOB_ENOSPC && nospace);
}

static void note_error(struct block_job *job, const GError *error)
{
	const bool target = image_job_target_failed(job->config.work);
	const bool nospace = g_error_matches(error, SYS_ERROR, ENOSPC);
	struct block_job_status *status = &job->status;

	pthread_mutex_lock(&job->lock);
	g_free(job->error);
	job->error = g_strdup(error->message);
	status->errors++;
	status->error_on_target = target;
	status->error_nospace = nospace;
	status->error_stops =
		stops(target ? job->config.on_target : job->config.on_source, nospace);
	status->ready = false;
	if (status->error_stops)
		status->paused = true;
	else
		status->failed = true;
	pthread_mutex_unlock(&job->lock);
	job->config.changed(job->config.opaque);
}

/* False: not now. */
static bool may_step(struct block_job *job, uint64_t now_ns)
{
	uint64_t speed, wait_ns;
	bool go;

	pthread_mutex_lock(&job->lock);
	go = !job->status.paused && !job->status.failed && !job->status.ready;
	speed = job->speed;
	pthread_mutex_unlock(&job->lock);
	if (!go)
		return false;
	if (speed != job->rate.avg)
		rate_set(&job->rate, speed, 0, 1);
	wait_ns = speed ? rate_wait_ns(&job->rate, now_ns) : 0;
	if (wait_ns)
		io_timer_set(job->kept->keeper, &job->kept->job_timer, now_ns + wait_ns);
	return !wait_ns;
}

static void note_progress(struct block_job *job, const struct image_job_progress *progress)
{
	pthread_mutex_lock(&job->lock);
	job->status.done = progress->done;
	job->status.total = progress->total;
	job->status.ready = progress->ready;
	pthread_mutex_unlock(&job->lock);
	if (progress->ready)
		job->config.changed(job->config.opaque);
	else
		io_loop_post(job->kept->keeper, &job->kept->job_work);
}

void block_job_run(void *opaque)
{
	struct kept *kept = opaque;
	struct block_job *job = kept->job;
	const uint64_t now_ns = io_loop_now_ns(kept->keeper);
	g_autoptr(GError) error = NULL;
	struct image_job_progress progress;

	if (!job || !may_step(job, now_ns))
		return;
	if (!image_job_step(job->config.work, &progress, &error)) {
		note_error(job, error);
		return;
	}
	if (job->rate.avg)
		rate_take(&job->rate, now_ns, progress.moved);
	note_progress(job, &progress);
}

void block_job_written(struct block_job *job, uint64_t off, uint64_t len)
{
	g_autoptr(GError) error = NULL;

	/* Only here and in block_job_run() it comes to fail. */
	if (!job->config.follows || job->status.failed ||
	    image_job_written(job->config.work, off, len, &error))
		return;
	image_job_rewind(job->config.work, off);
	note_error(job, error);
}

/* ---- [main] ---- */

struct block_job *block_job_new(struct block *block, const struct block_job_config *config)
{
	struct kept *kept = kept_of(block);
	struct block_job *job = g_new0(struct block_job, 1);

	assert(!kept->job);
	job->kept = kept;
	job->config = *config;
	job->speed = config->speed;
	job->status.total = kept->image->size;
	pthread_mutex_init(&job->lock, NULL);
	kept->job = job;
	return job;
}

void block_job_free(struct block_job *job)
{
	if (!job)
		return;
	job->kept->job = NULL;
	image_job_free(job->config.work);
	pthread_mutex_destroy(&job->lock);
	g_free(job->error);
	g_free(job);
}

void block_job_status(struct block_job *job, struct block_job_status *ret_status)
{
	pthread_mutex_lock(&job->lock);
	*ret_status = job->status;
	pthread_mutex_unlock(&job->lock);
}

char *block_job_error(struct block_job *job)
{
	char *text;

	pthread_mutex_lock(&job->lock);
	text = g_strdup(job->error);
	pthread_mutex_unlock(&job->lock);
	return text;
}

void block_job_pause(struct block_job *job, bool pause)
{
	pthread_mutex_lock(&job->lock);
	job->status.paused = pause;
	pthread_mutex_unlock(&job->lock);
	if (!pause)
		io_loop_post(job->kept->keeper, &job->kept->job_work);
}

void block_job_set_speed(struct block_job *job, uint64_t speed)
{
	pthread_mutex_lock(&job->lock);
	job->speed = speed;
	pthread_mutex_unlock(&job->lock);
	io_loop_post(job->kept->keeper, &job->kept->job_work);
}
