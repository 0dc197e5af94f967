/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * job.c - long work on an image that is in use: copy it elsewhere, merge its chain
 *
 * A job goes through the image once, from the front. What lies before @off is carried over, and is
 * kept so by image_job_written(); what lies behind it is read when its turn comes. So there is no
 * map of what has changed, and the end does not run away from a guest that writes much.
 *
 * A target that names an image behind it which is not open cannot copy on write: its clusters are
 * written whole, from what a reader finds in the source.
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
	uint64_t unit; /* what is written to the target begins and ends at multiples of it */
	bool all;      /* what nobody has is zero in the target, too */
	bool target_failed;
	uint64_t moved;
	uint64_t step; /* how much there is room for */
	uint8_t *buf;
};

static struct image_job *job_new(struct image *source, struct image *target,
				 const struct image *until)
{
	struct image_job *job = g_new0(struct image_job, 1);

	job->source = source;
	job->target = target;
	job->until = until;
	job->unit = target->backing_file && !target->backing ? MAX(target->cluster_size, 1u) : 1;
	job->step = MAX(job->unit, (uint64_t)STEP_LEN);
	job->buf = g_malloc(job->step);
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

/* The end of the unit that @off is in, or of the image. */
static uint64_t unit_end(const struct image_job *job, uint64_t off)
{
	return MIN(off + job->unit - 1 - (off + job->unit - 1) % job->unit, job->source->size);
}

/* Copy from @off on, up to @len bytes, which end with a unit then. */
static bool copy_units(struct image_job *job, uint64_t off, uint64_t len, uint64_t *ret_len,
		       GError **error)
{
	*ret_len = unit_end(job, off + MIN(len, job->step - job->unit + 1)) - off;
	return copy(job, off, *ret_len, error);
}

/* Carry over some bytes from @off on, where a unit begins; how many is *ret_len. */
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
	if (extent.kind == IMAGE_DATA)
		return copy_units(job, off, extent.len, ret_len, error);
	if (off + extent.len < job->source->size)
		*ret_len -= extent.len % job->unit;
	if (!*ret_len)
		return copy_units(job, off, 1, ret_len, error); /* of several kinds */
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
	uint64_t end = MIN(unit_end(job, off + len), job->off), n;

	if (job->source == job->target)
		return true;
	for (off -= off % job->unit; off < end; off += n) {
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
	job->off = MIN(job->off, off - off % job->unit);
}
