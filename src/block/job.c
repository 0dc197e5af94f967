/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * job.c - long work on an image that is in use: copy it elsewhere, merge its chain
 *
 * A job goes through the image once, from the front. What lies before @off is carried over, and is
 * kept so by image_job_written(); what lies behind it is read when its turn comes. So there is no
 * map of what has changed, and the end does not run away from a guest that writes much.
 */
#include "block/job.h"

enum {
	STEP_LEN = 1 << 20,      /* of data */
	STEP_ZERO_LEN = 1 << 30, /* of what need not be read */
};

struct image_job {
	struct image *source, *target; /* the same for a stream */
	const struct image *until;     /* this one and those behind it are left out; or NULL */
	uint64_t off;
	bool all; /* what nobody has is zero in the target, too */
	bool target_failed;
	uint64_t moved;
	uint8_t *buf;
};

static struct image_job *job_new(struct image *source, struct image *target,
				 const struct image *until)
{
	struct image_job *job = g_new0(struct image_job, 1);

	job->source = source;
	job->target = target;
	job->until = until;
	job->buf = g_malloc(STEP_LEN);
	return job;
}

struct image_job *image_job_mirror(struct image *source, struct image *target,
				   enum image_job_sync sync)
{
	struct image_job *job =
		job_new(source, target, sync == IMAGE_JOB_TOP ? source->backing : NULL);

	job->all = sync == IMAGE_JOB_FULL;
	if (sync == IMAGE_JOB_NONE)
		job->off = source->size;
	return job;
}

struct image_job *image_job_commit(struct image *top, const struct image *base,
				   struct image *target)
{
	return job_new(top, target, base);
}

struct image_job *image_job_stream(struct image *image, const struct image *base)
{
	return job_new(image, image, base);
}

void image_job_free(struct image_job *job)
{
	if (!job)
		return;
	g_free(job->buf);
	g_free(job);
}

static bool copy(struct image_job *job, uint64_t off, uint64_t len, GError **error)
{
	job->target_failed = false;
	if (!image_read(job->source, off, job->buf, len, error))
		return false;
	job->target_failed = true;
	job->moved += len;
	return image_write(job->target, off, job->buf, len, error);
}

/* Carry over some bytes from @off on; how many is *ret_len. */
static bool carry(struct image_job *job, uint64_t off, uint64_t len, uint64_t *ret_len,
		  GError **error)
{
	struct image_extent extent;
	bool stream = job->source == job->target;

	job->target_failed = false;
	if (!image_map_above(job->source, job->until, off, MIN(len, (uint64_t)STEP_ZERO_LEN),
			     &extent, error))
		return false;
	*ret_len = extent.len;
	if (stream && !extent.depth)
		return true; /* it is there already, or nowhere */
	if (extent.kind == IMAGE_DATA) {
		*ret_len = MIN(extent.len, (uint64_t)STEP_LEN);
		return copy(job, off, *ret_len, error);
	}
	if (extent.kind == IMAGE_ABSENT && !job->all)
		return true;
	job->target_failed = true;
	return image_zero(job->target, off, *ret_len, true, error);
}

bool image_job_step(struct image_job *job, struct image_job_progress *ret_progress, GError **error)
{
	uint64_t size = job->source->size, len;

	job->moved = 0;
	if (job->off < size) {
		if (!carry(job, job->off, size - job->off, &len, error))
			return false;
		job->off += len;
	}
	*ret_progress = (struct image_job_progress){
		.done = MIN(job->off, size),
		.total = size,
		.moved = job->moved,
		.ready = job->off >= size,
	};
	return true;
}

bool image_job_written(struct image_job *job, uint64_t off, uint64_t len, GError **error)
{
	uint64_t end = MIN(off + len, job->off), n;

	if (job->source == job->target)
		return true;
	for (; off < end; off += n) {
		if (!carry(job, off, end - off, &n, error))
			return false;
	}
	return true;
}

bool image_job_target_failed(const struct image_job *job)
{
	return job->target_failed;
}

void image_job_rewind(struct image_job *job, uint64_t off)
{
	job->off = MIN(job->off, off);
}
