/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * socle-save.h - a domain is saved to a file and goes on from there; its memory; its jobs
 */
#ifndef CLIENT_SOCLE_SAVE_H
#define CLIENT_SOCLE_SAVE_H

#include <stdbool.h>
#include <stdint.h>

#include "client/socle-domain.h"
#include "client/socle-error.h"
#include "client/socle-params.h"

enum socle_save_flags {
	SOCLE_SAVE_BYPASS_CACHE = 1 << 0,
	SOCLE_SAVE_RUNNING = 1 << 1, /* let it run when it is restored */
	SOCLE_SAVE_PAUSED = 1 << 2,
	SOCLE_SAVE_RESET_NVRAM = 1 << 3,
};

enum socle_dump_flags {
	SOCLE_DUMP_CRASH = 1 << 0, /* the domain is ended */
	SOCLE_DUMP_LIVE = 1 << 1,  /* it is not paused */
	SOCLE_DUMP_BYPASS_CACHE = 1 << 2,
	SOCLE_DUMP_RESET = 1 << 3,
	SOCLE_DUMP_MEMORY_ONLY = 1 << 4,
};

/* == Saving == */

/**
 * socle_domain_save() - write its memory to a file and end it
 * @dom:   the domain
 * @to:    path on the server's host
 * @xml:   what it is to be when it is restored, or NULL
 * @flags: enum socle_save_flags
 * @error: says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_domain_save(struct socle_domain *dom, const char *to, const char *xml,
				unsigned flags, struct socle_error **error);

/**
 * socle_domain_restore() - go on from such a file
 * @conn:  the connection
 * @from:  path on the server's host
 * @xml:   what it is to be, or NULL
 * @flags: enum socle_save_flags
 * @error: says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_domain_restore(struct socle_conn *conn, const char *from, const char *xml,
				   unsigned flags, struct socle_error **error);

/**
 * socle_save_image_xml() - the definition in such a file
 * @conn:  the connection
 * @file:  path on the server's host
 * @flags: SOCLE_XML_SECURE or 0
 * @error: says why not
 *
 * Return: for free(3); NULL on failure
 */
SOCLE_API char *socle_save_image_xml(struct socle_conn *conn, const char *file, unsigned flags,
				     struct socle_error **error);

/**
 * socle_save_image_define() - change the definition in such a file
 * @conn:  the connection
 * @file:  path on the server's host
 * @xml:   the new one
 * @flags: enum socle_save_flags
 * @error: says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_save_image_define(struct socle_conn *conn, const char *file, const char *xml,
				      unsigned flags, struct socle_error **error);

/**
 * socle_domain_managed_save() - save it where the server likes; its next start goes on from there
 * @dom:   the domain
 * @flags: enum socle_save_flags
 * @error: says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_domain_managed_save(struct socle_domain *dom, unsigned flags,
					struct socle_error **error);

/**
 * socle_domain_has_managed_save() - is there such an image?
 * @dom:   the domain
 * @flags: 0
 * @error: says why not
 *
 * Return: 1, 0, or -1
 */
SOCLE_API int socle_domain_has_managed_save(struct socle_domain *dom, unsigned flags,
					    struct socle_error **error);

/**
 * socle_domain_managed_save_remove() - throw it away
 * @dom:   the domain
 * @flags: 0
 * @error: says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_domain_managed_save_remove(struct socle_domain *dom, unsigned flags,
					       struct socle_error **error);

/**
 * socle_domain_core_dump() - write its memory to a file for debuggers
 * @dom:    the domain
 * @to:     path on the server's host
 * @format: 0: raw; 1, 2, 3: kdump with zlib, lzo, snappy; 4: for Windows
 * @flags:  enum socle_dump_flags
 * @error:  says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_domain_core_dump(struct socle_domain *dom, const char *to, unsigned format,
				     unsigned flags, struct socle_error **error);

/* == Jobs == */

enum socle_job_type {
	SOCLE_JOB_NONE = 0,
	SOCLE_JOB_BOUNDED = 1,
	SOCLE_JOB_UNBOUNDED = 2,
	SOCLE_JOB_COMPLETED = 3,
	SOCLE_JOB_FAILED = 4,
	SOCLE_JOB_CANCELLED = 5,
};

enum socle_job_flags {
	SOCLE_JOB_STATS_COMPLETED = 1 << 0, /* of the last one that has ended */
	SOCLE_JOB_STATS_KEEP_COMPLETED = 1 << 1,
};

/* For socle_domain_job_info(): times in ms, all else in bytes. */
struct socle_job_info {
	enum socle_job_type type;
	uint64_t time_elapsed, time_remaining;
	uint64_t data_total, data_processed, data_remaining;
	uint64_t mem_total, mem_processed, mem_remaining;
	uint64_t file_total, file_processed, file_remaining;
};

/**
 * socle_domain_job_info() - how far the job is that it has
 * @dom:      the domain
 * @ret_info: set on success
 * @error:    says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_domain_job_info(struct socle_domain *dom, struct socle_job_info *ret_info,
				    struct socle_error **error);

/**
 * socle_domain_job_stats() - the same with all that is known
 * @dom:      the domain
 * @flags:    enum socle_job_flags
 * @ret_type: enum socle_job_type; may be NULL
 * @error:    says why not
 *
 * Return: for socle_params_free(); NULL on failure
 */
SOCLE_API struct socle_params *socle_domain_job_stats(struct socle_domain *dom, unsigned flags,
						      int *ret_type, struct socle_error **error);

/**
 * socle_domain_abort_job() - give the job up
 * @dom:   the domain
 * @error: says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_domain_abort_job(struct socle_domain *dom, struct socle_error **error);

enum socle_control_state {
	SOCLE_CONTROL_OK = 0,
	SOCLE_CONTROL_JOB = 1,      /* a job goes on */
	SOCLE_CONTROL_OCCUPIED = 2, /* it is asked something, and has not answered yet */
	SOCLE_CONTROL_ERROR = 3,
};

/* For socle_domain_control_info(). */
struct socle_control_info {
	enum socle_control_state state;
	unsigned details; /* of an error: 1 not known, 2 its monitor does not answer, 3 internal */
	uint64_t state_time_ms;
};

/**
 * socle_domain_control_info() - can the server talk to the machine?
 * @dom:      the domain
 * @flags:    0
 * @ret_info: set on success
 * @error:    says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_domain_control_info(struct socle_domain *dom, unsigned flags,
					struct socle_control_info *ret_info,
					struct socle_error **error);

/* == Memory == */

enum socle_memory_peek_flags {
	SOCLE_MEMORY_PEEK_VIRTUAL = 1 << 0,
	SOCLE_MEMORY_PEEK_PHYSICAL = 1 << 1,
};

/**
 * socle_domain_memory_peek() - read its memory
 * @dom:     the domain, which runs
 * @address: in the guest
 * @size:    how many bytes, at most 4 MiB
 * @flags:   one of enum socle_memory_peek_flags
 * @buffer:  where they go
 * @error:   says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_domain_memory_peek(struct socle_domain *dom, uint64_t address, unsigned size,
				       unsigned flags, void *buffer, struct socle_error **error);

#endif
