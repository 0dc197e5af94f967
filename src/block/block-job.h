/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * block-job.h - a job on an image that a disk uses: its steps run on the image's keeper
 *
 * A job has a block with a keeper (keep.h) as long as it lives. What becomes of the chain when it is
 * ready is the caller's.
 *
 * Threads: main loop.
 */
#ifndef BLOCK_BLOCK_JOB_H
#define BLOCK_BLOCK_JOB_H

#include "block/block.h"
#include "block/job.h"

/* What becomes of it when an image cannot be read or written. */
enum block_job_policy {
	BLOCK_JOB_REPORT, /* it has failed */
	BLOCK_JOB_STOP,   /* it pauses; what could not be carried over is, when it goes on */
	BLOCK_JOB_ENOSPC, /* STOP if there is no space, else REPORT */
};

struct block_job_config {
	struct image_job *work; /* taken over; on images of the block, or that nobody else uses */
	bool follows;           /* it must hear of what is written to the block */
	uint64_t speed;         /* bytes a second; 0: as fast as it goes */
	enum block_job_policy on_source, on_target;
	void (*changed)(void *opaque); /* [any] it is ready, or there was an error */
	void *opaque;
};

struct block_job_status {
	uint64_t done, total;
	bool ready; /* all is carried over, and what is written still is */
	bool paused, failed;
	unsigned errors; /* how many there were; the last one: */
	bool error_on_target, error_nospace, error_stops;
};

struct block_job;

/* @block is held; the job begins when it is let go. There is one at a time. */
struct block_job *block_job_new(struct block *block, const struct block_job_config *config);
/* @block is held, or @job is NULL. It ends where it is. */
void block_job_free(struct block_job *job);

void block_job_status(struct block_job *job, struct block_job_status *ret_status);
/* The sentence of the last error; g_free() it. */
char *block_job_error(struct block_job *job);
void block_job_pause(struct block_job *job, bool pause);
void block_job_set_speed(struct block_job *job, uint64_t speed);

#endif
