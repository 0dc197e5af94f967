/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * job.h - long work on an image that is in use: copy it elsewhere, merge its chain
 *
 * A job is made of steps, between which the image is read and written as before. Who writes to the
 * image tells the job, which carries that over to where it has been already: a copy that is ready
 * stays one.
 *
 *   mirror  the target becomes equal to the source
 *   commit  what stands above a base in its chain is written to the base
 *   stream  what stands behind an image, down to a base, is written to the image itself
 *
 * What becomes of the images afterwards (the target is used in place of the source, what has been
 * merged leaves the chain) is the caller's.
 *
 * Threads: that on which the images are written to.
 */
#ifndef BLOCK_JOB_H
#define BLOCK_JOB_H

#include "block/image.h"

enum image_job_sync {
	IMAGE_JOB_FULL, /* all that a reader finds */
	IMAGE_JOB_TOP,  /* what the source itself has; the target has the same behind it */
	IMAGE_JOB_NONE, /* what is written from now on */
};

struct image_job;

struct image_job_progress {
	uint64_t done, total; /* bytes of the image */
	uint64_t moved;       /* bytes that this step has read and written */
	bool ready;           /* all is carried over; further steps do nothing */
};

/* The images stay the caller's. @target: as large as @source, or larger; open for writing. */
struct image_job *image_job_mirror(struct image *source, struct image *target,
				   enum image_job_sync sync);
/* @target: as large as @top, open for writing; @base: the same, where it is in the chain of @top;
 * NULL: that chain ends where the target would come. */
struct image_job *image_job_commit(struct image *top, const struct image *base,
				   struct image *target);
/* @base: of the chain of @image; NULL: all that is behind it. */
struct image_job *image_job_stream(struct image *image, const struct image *base);
void image_job_free(struct image_job *job);
DEFINE_AUTOPTR(image_job, image_job_free);

/* Some more, in at most a MiB of data. After an error the step can be tried again. */
bool image_job_step(struct image_job *job, struct image_job_progress *ret_progress, GError **error);

/* [off, off + len) of the source has been written to, made zero or discarded. False: the target
 * could not be, and is no copy any more. */
bool image_job_written(struct image_job *job, uint64_t off, uint64_t len, GError **error);

/* Was the last error one of the target? */
bool image_job_target_failed(const struct image_job *job);
/* From @off on nothing is carried over any more: after image_job_written() has failed. */
void image_job_rewind(struct image_job *job, uint64_t off);

#endif
