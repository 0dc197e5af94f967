/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kept-int.h - an image with a keeper, for kept.c and who changes it while it is in use
 */
#ifndef BLOCK_KEPT_INT_H
#define BLOCK_KEPT_INT_H

#include <pthread.h>

#include "block/block-int.h"
#include "block/epoch.h"
#include "block/image.h"

struct block_job;

struct kept {
	struct block base;
	struct image *image; /* [keeper], or who holds it; [loop] between enter and leave */
	struct io_loop *keeper;
	uint8_t *bounce; /* for what the guest has in many places */
	bool told;       /* [keeper] that it is not what it should be */

	/* Who is on the short way; the keeper closes and opens it. */
	struct epoch *epoch;

	/* [keeper], or who holds it. */
	struct block_job *job; /* or NULL */
	struct io_work job_work;
	struct io_timer job_timer;

	struct io_work hold_work;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool held, wanted; /* guarded by lock */
};

static inline struct kept *kept_of(struct block *block)
{
	return container_of(block, struct kept, base);
}

/* [main] A block for an image, which is taken over, also if that fails. */
struct block *kept_new(struct image *owned, const struct block_open *options, GError **error);
/* [main] Held: what the block tells of its image is that of the one it has now. */
void kept_refresh(struct kept *kept);
/* The flags of an image that is opened with these options. */
unsigned kept_image_flags(const struct block_open *options);

/* ---- block-job.c ---- */

/* [keeper] The image has been written to. */
void block_job_written(struct block_job *job, uint64_t off, uint64_t len);
/* [keeper] kept->job_work and job_timer. */
void block_job_run(void *opaque);
/* Must it hear of writes? */
bool block_job_follows(const struct block_job *job);

#endif
