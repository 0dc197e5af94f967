/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * socle-disk.h - disks of domains: what they have done, their sizes, and their jobs
 */
#ifndef CLIENT_SOCLE_DISK_H
#define CLIENT_SOCLE_DISK_H

#include <stdbool.h>
#include <stdint.h>

#include "client/socle-domain.h"
#include "client/socle-error.h"
#include "client/socle-params.h"

/* == Disks == */

/* For socle_domain_block_stats(); -1: not known. */
struct socle_block_stats {
	int64_t rd_req;
	int64_t rd_bytes;
	int64_t wr_req;
	int64_t wr_bytes;
	int64_t errs;
};

/**
 * socle_domain_block_stats() - what a disk has done
 * @dom:       the domain, which runs
 * @disk:      its target, or its path; "" for all together
 * @ret_stats: set on success
 * @error:     says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_domain_block_stats(struct socle_domain *dom, const char *disk,
				       struct socle_block_stats *ret_stats,
				       struct socle_error **error);

/**
 * socle_domain_block_stats_params() - the same with all that is known
 * @dom:   the domain, which runs
 * @disk:  its target, or its path; "" for all together
 * @flags: 0
 * @error: says why not
 *
 * Return: for socle_params_free(); NULL on failure
 */
SOCLE_API struct socle_params *socle_domain_block_stats_params(struct socle_domain *dom,
							       const char *disk, unsigned flags,
							       struct socle_error **error);

/* For socle_domain_block_info(), in bytes. */
struct socle_block_info {
	uint64_t capacity;   /* as the guest sees it */
	uint64_t allocation; /* highest offset that is in use */
	uint64_t physical;   /* size of the file or device */
};

/**
 * socle_domain_block_info() - sizes of a disk
 * @dom:      the domain
 * @disk:     its target, or its path
 * @flags:    0
 * @ret_info: set on success
 * @error:    says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_domain_block_info(struct socle_domain *dom, const char *disk, unsigned flags,
				      struct socle_block_info *ret_info,
				      struct socle_error **error);

enum socle_block_resize_flags {
	SOCLE_BLOCK_RESIZE_BYTES = 1 << 0, /* size is in bytes, not in KiB */
};

/**
 * socle_domain_block_resize() - change the size of a disk
 * @dom:   the domain, which runs
 * @disk:  its target, or its path
 * @size:  in KiB, or in bytes
 * @flags: enum socle_block_resize_flags
 * @error: says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_domain_block_resize(struct socle_domain *dom, const char *disk, uint64_t size,
					unsigned flags, struct socle_error **error);

/* A disk that has failed. */
struct socle_disk_error {
	char *disk; /* its target */
	int error;  /* 1 not known, 2 no space */
};

/**
 * socle_domain_disk_errors() - disks that have failed
 * @dom:        the domain, which runs
 * @flags:      0
 * @ret_errors: one without a disk behind the last; for socle_disk_errors_free()
 * @error:      says why not
 *
 * Return: how many, or -1
 */
SOCLE_API int socle_domain_disk_errors(struct socle_domain *dom, unsigned flags,
				       struct socle_disk_error **ret_errors,
				       struct socle_error **error);

/**
 * socle_disk_errors_free() - give them back
 * @errors: may be NULL
 */
SOCLE_API void socle_disk_errors_free(struct socle_disk_error *errors);

/**
 * socle_domain_set_block_threshold() - be told when a disk grows beyond an offset
 * @dom:       the domain, which runs
 * @disk:      its target
 * @threshold: in bytes
 * @flags:     0
 * @error:     says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_domain_set_block_threshold(struct socle_domain *dom, const char *disk,
					       uint64_t threshold, unsigned flags,
					       struct socle_error **error);

/**
 * socle_domain_block_peek() - read a disk
 * @dom:    the domain
 * @disk:   its target, or its path
 * @offset: from its start
 * @size:   how many bytes, at most 4 MiB
 * @buffer: where they go
 * @error:  says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_domain_block_peek(struct socle_domain *dom, const char *disk, uint64_t offset,
				      unsigned size, void *buffer, struct socle_error **error);

/* == Jobs of disks == */

enum socle_block_job_type {
	SOCLE_BLOCK_JOB_UNKNOWN = 0,
	SOCLE_BLOCK_JOB_PULL = 1,
	SOCLE_BLOCK_JOB_COPY = 2,
	SOCLE_BLOCK_JOB_COMMIT = 3,
	SOCLE_BLOCK_JOB_ACTIVE_COMMIT = 4,
	SOCLE_BLOCK_JOB_BACKUP = 5,
};

enum socle_block_commit_flags {
	SOCLE_BLOCK_COMMIT_SHALLOW = 1 << 0, /* into the image right behind */
	SOCLE_BLOCK_COMMIT_DELETE = 1 << 1,
	SOCLE_BLOCK_COMMIT_ACTIVE = 1 << 2,
	SOCLE_BLOCK_COMMIT_RELATIVE = 1 << 3,
	SOCLE_BLOCK_COMMIT_BANDWIDTH_BYTES = 1 << 4,
};

enum socle_block_rebase_flags {
	SOCLE_BLOCK_REBASE_SHALLOW = 1 << 0,
	SOCLE_BLOCK_REBASE_REUSE_EXT = 1 << 1,
	SOCLE_BLOCK_REBASE_COPY_RAW = 1 << 2,
	SOCLE_BLOCK_REBASE_COPY = 1 << 3,
	SOCLE_BLOCK_REBASE_RELATIVE = 1 << 4,
	SOCLE_BLOCK_REBASE_COPY_DEV = 1 << 5,
	SOCLE_BLOCK_REBASE_BANDWIDTH_BYTES = 1 << 6, /* also for socle_domain_block_pull() */
};

enum socle_block_copy_flags {
	SOCLE_BLOCK_COPY_SHALLOW = 1 << 0,
	SOCLE_BLOCK_COPY_REUSE_EXT = 1 << 1,
	SOCLE_BLOCK_COPY_TRANSIENT_JOB = 1 << 2,
	SOCLE_BLOCK_COPY_SYNCHRONOUS_WRITES = 1 << 3,
};

enum socle_block_job_abort_flags {
	SOCLE_BLOCK_JOB_ABORT_ASYNC = 1 << 0, /* do not wait */
	SOCLE_BLOCK_JOB_ABORT_PIVOT = 1 << 1, /* go on with the copy */
};

/**
 * socle_domain_block_commit() - move data from images to one that stands behind them
 * @dom:       the domain, which runs
 * @disk:      its target, or its path
 * @base:      where to; NULL: the last one
 * @top:       from where; NULL: the first one
 * @bandwidth: MiB/s, 0: no limit
 * @flags:     enum socle_block_commit_flags
 * @error:     says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_domain_block_commit(struct socle_domain *dom, const char *disk,
					const char *base, const char *top, uint64_t bandwidth,
					unsigned flags, struct socle_error **error);

/**
 * socle_domain_block_pull() - move data from all images behind to the first one
 * @dom:       the domain, which runs
 * @disk:      its target, or its path
 * @bandwidth: MiB/s, 0: no limit
 * @flags:     SOCLE_BLOCK_REBASE_BANDWIDTH_BYTES or 0
 * @error:     says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_domain_block_pull(struct socle_domain *dom, const char *disk,
				      uint64_t bandwidth, unsigned flags,
				      struct socle_error **error);

/**
 * socle_domain_block_rebase() - the same down to an image that stays behind, or a copy
 * @dom:       the domain, which runs
 * @disk:      its target, or its path
 * @base:      what stays, or where the copy goes; may be NULL
 * @bandwidth: MiB/s, 0: no limit
 * @flags:     enum socle_block_rebase_flags
 * @error:     says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_domain_block_rebase(struct socle_domain *dom, const char *disk,
					const char *base, uint64_t bandwidth, unsigned flags,
					struct socle_error **error);

/**
 * socle_domain_block_copy() - copy a disk while it is written to
 * @dom:    the domain, which runs
 * @disk:   its target, or its path
 * @xml:    a <disk>: where to
 * @params: "bandwidth", "granularity", "buf-size"; may be NULL
 * @flags:  enum socle_block_copy_flags
 * @error:  says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_domain_block_copy(struct socle_domain *dom, const char *disk, const char *xml,
				      const struct socle_params *params, unsigned flags,
				      struct socle_error **error);

/**
 * socle_domain_block_job_abort() - end the job of a disk
 * @dom:   the domain, which runs
 * @disk:  its target, or its path
 * @flags: enum socle_block_job_abort_flags
 * @error: says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_domain_block_job_abort(struct socle_domain *dom, const char *disk,
					   unsigned flags, struct socle_error **error);

/* For socle_domain_block_job_info(). */
struct socle_block_job_info {
	enum socle_block_job_type type;
	uint64_t bandwidth; /* MiB/s, or bytes/s if flags is 1; 0: no limit */
	uint64_t cur;
	uint64_t end; /* it is done when cur is end */
};

/**
 * socle_domain_block_job_info() - how far the job of a disk is
 * @dom:      the domain, which runs
 * @disk:     its target, or its path
 * @flags:    1: bandwidth in bytes
 * @ret_info: set if there is one
 * @error:    says why not
 *
 * Return: 1, 0 if it has no job, or -1
 */
SOCLE_API int socle_domain_block_job_info(struct socle_domain *dom, const char *disk,
					  unsigned flags, struct socle_block_job_info *ret_info,
					  struct socle_error **error);

/**
 * socle_domain_block_job_set_speed() - how fast it may be
 * @dom:       the domain, which runs
 * @disk:      its target, or its path
 * @bandwidth: MiB/s, 0: no limit
 * @flags:     1: bandwidth in bytes
 * @error:     says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_domain_block_job_set_speed(struct socle_domain *dom, const char *disk,
					       uint64_t bandwidth, unsigned flags,
					       struct socle_error **error);

#endif
