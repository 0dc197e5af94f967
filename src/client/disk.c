/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * disk.c - disks of domains: what they have done, their sizes, and their jobs
 */
#include <string.h>

#include "client/error-int.h"
#include "client/object-int.h"
#include "client/params-int.h"
#include "client/socle-disk.h"
#include "client/socle-save.h"
#include "client/tune-int.h"

static bool has_disk(const char *disk, struct socle_error **error)
{
	return client_has(disk, "disk", error);
}

int socle_domain_block_stats(struct socle_domain *dom, const char *disk,
			     struct socle_block_stats *ret_stats, struct socle_error **error)
{
	rpc_domain_block_stats_args args = { .dom = domain_wire(dom), .path = TEXT(disk) };
	rpc_domain_block_stats_ret ret;

	if (!has_disk(disk, error) ||
	    !CALL(dom->conn, DOMAIN_BLOCK_STATS, domain_block_stats, &args, &ret, error))
		return -1;
	*ret_stats = (struct socle_block_stats){
		.rd_req = ret.rd_req,
		.rd_bytes = ret.rd_bytes,
		.wr_req = ret.wr_req,
		.wr_bytes = ret.wr_bytes,
		.errs = ret.errs,
	};
	return 0;
}

struct socle_params *socle_domain_block_stats_params(struct socle_domain *dom, const char *disk,
						     unsigned flags, struct socle_error **error)
{
	rpc_domain_block_stats_flags_args args = {
		.dom = domain_wire(dom),
		.path = TEXT(disk),
		.flags = flags | TUNE_STRINGS,
	};
	rpc_domain_block_stats_flags_ret ret;

	if (!has_disk(disk, error) || !CALL(dom->conn, DOMAIN_BLOCK_STATS_FLAGS,
					    domain_block_stats_flags, &args, &ret, error))
		return NULL;
	args.nparams = ret.nparams;
	rpc_body_release(rpc_domain_block_stats_flags_ret, &ret);
	if (!CALL(dom->conn, DOMAIN_BLOCK_STATS_FLAGS, domain_block_stats_flags, &args, &ret,
		  error))
		return NULL;
	return client_params_take(&ret.params.params_val, &ret.params.params_len);
}

int socle_domain_block_info(struct socle_domain *dom, const char *disk, unsigned flags,
			    struct socle_block_info *ret_info, struct socle_error **error)
{
	rpc_domain_get_block_info_args args = {
		.dom = domain_wire(dom),
		.path = TEXT(disk),
		.flags = flags,
	};
	rpc_domain_get_block_info_ret ret;

	if (!has_disk(disk, error) ||
	    !CALL(dom->conn, DOMAIN_GET_BLOCK_INFO, domain_get_block_info, &args, &ret, error))
		return -1;
	*ret_info = (struct socle_block_info){
		.capacity = ret.capacity,
		.allocation = ret.allocation,
		.physical = ret.physical,
	};
	return 0;
}

int socle_domain_block_resize(struct socle_domain *dom, const char *disk, uint64_t size,
			      unsigned flags, struct socle_error **error)
{
	rpc_domain_block_resize_args args = {
		.dom = domain_wire(dom),
		.disk = TEXT(disk),
		.size = size,
		.flags = flags,
	};

	if (!has_disk(disk, error))
		return -1;
	return CALL_ARGS(dom->conn, DOMAIN_BLOCK_RESIZE, domain_block_resize, &args, error);
}

int socle_domain_disk_errors(struct socle_domain *dom, unsigned flags,
			     struct socle_disk_error **ret_errors, struct socle_error **error)
{
	rpc_domain_get_disk_errors_args args = {
		.dom = domain_wire(dom),
		.maxerrors = RPC_MAX_DOMAIN_DISK_ERRORS,
		.flags = flags,
	};
	rpc_domain_get_disk_errors_ret ret;
	unsigned count;

	if (!CALL(dom->conn, DOMAIN_GET_DISK_ERRORS, domain_get_disk_errors, &args, &ret, error))
		return -1;
	count = ret.errors.errors_len;
	*ret_errors = g_new0(struct socle_disk_error, (size_t)count + 1);
	for (unsigned i = 0; i < count; i++)
		(*ret_errors)[i] = (struct socle_disk_error){
			.disk = g_strdup(ret.errors.errors_val[i].disk),
			.error = ret.errors.errors_val[i].error,
		};
	rpc_body_release(rpc_domain_get_disk_errors_ret, &ret);
	return (int)count;
}

void socle_disk_errors_free(struct socle_disk_error *errors)
{
	for (size_t i = 0; errors && errors[i].disk; i++)
		g_free(errors[i].disk);
	g_free(errors);
}

int socle_domain_set_block_threshold(struct socle_domain *dom, const char *disk, uint64_t threshold,
				     unsigned flags, struct socle_error **error)
{
	rpc_domain_set_block_threshold_args args = {
		.dom = domain_wire(dom),
		.dev = TEXT(disk),
		.threshold = threshold,
		.flags = flags,
	};

	if (!has_disk(disk, error))
		return -1;
	return CALL_ARGS(dom->conn, DOMAIN_SET_BLOCK_THRESHOLD, domain_set_block_threshold, &args,
			 error);
}

/* == Peeking == */

static bool took_all(void *buffer, unsigned size, const char *data, unsigned len,
		     struct socle_error **error)
{
	if (len != size)
		return client_error(error, SOCLE_ERR_RPC,
				    "the server sends %u bytes where %u were asked for", len, size);
	if (size > 0)
		memcpy(buffer, data, size);
	return true;
}

int socle_domain_block_peek(struct socle_domain *dom, const char *disk, uint64_t offset,
			    unsigned size, void *buffer, struct socle_error **error)
{
	rpc_domain_block_peek_args args = {
		.dom = domain_wire(dom),
		.path = TEXT(disk),
		.offset = offset,
		.size = size,
	};
	rpc_domain_block_peek_ret ret;
	bool ok;

	if (!has_disk(disk, error) ||
	    !CALL(dom->conn, DOMAIN_BLOCK_PEEK, domain_block_peek, &args, &ret, error))
		return -1;
	ok = took_all(buffer, size, ret.buffer.buffer_val, ret.buffer.buffer_len, error);
	rpc_body_release(rpc_domain_block_peek_ret, &ret);
	return ok ? 0 : -1;
}

int socle_domain_memory_peek(struct socle_domain *dom, uint64_t address, unsigned size,
			     unsigned flags, void *buffer, struct socle_error **error)
{
	rpc_domain_memory_peek_args args = {
		.dom = domain_wire(dom),
		.offset = address,
		.size = size,
		.flags = flags,
	};
	rpc_domain_memory_peek_ret ret;
	bool ok;

	if (!CALL(dom->conn, DOMAIN_MEMORY_PEEK, domain_memory_peek, &args, &ret, error))
		return -1;
	ok = took_all(buffer, size, ret.buffer.buffer_val, ret.buffer.buffer_len, error);
	rpc_body_release(rpc_domain_memory_peek_ret, &ret);
	return ok ? 0 : -1;
}

/* == Jobs == */

int socle_domain_block_commit(struct socle_domain *dom, const char *disk, const char *base,
			      const char *top, uint64_t bandwidth, unsigned flags,
			      struct socle_error **error)
{
	rpc_domain_block_commit_args args = {
		.dom = domain_wire(dom),
		.disk = TEXT(disk),
		.base = OPTIONAL(base),
		.top = OPTIONAL(top),
		.bandwidth = bandwidth,
		.flags = flags,
	};

	if (!has_disk(disk, error))
		return -1;
	return CALL_ARGS(dom->conn, DOMAIN_BLOCK_COMMIT, domain_block_commit, &args, error);
}

int socle_domain_block_pull(struct socle_domain *dom, const char *disk, uint64_t bandwidth,
			    unsigned flags, struct socle_error **error)
{
	rpc_domain_block_pull_args args = {
		.dom = domain_wire(dom),
		.path = TEXT(disk),
		.bandwidth = bandwidth,
		.flags = flags,
	};

	if (!has_disk(disk, error))
		return -1;
	return CALL_ARGS(dom->conn, DOMAIN_BLOCK_PULL, domain_block_pull, &args, error);
}

int socle_domain_block_rebase(struct socle_domain *dom, const char *disk, const char *base,
			      uint64_t bandwidth, unsigned flags, struct socle_error **error)
{
	rpc_domain_block_rebase_args args = {
		.dom = domain_wire(dom),
		.path = TEXT(disk),
		.base = OPTIONAL(base),
		.bandwidth = bandwidth,
		.flags = flags,
	};

	if (!has_disk(disk, error))
		return -1;
	return CALL_ARGS(dom->conn, DOMAIN_BLOCK_REBASE, domain_block_rebase, &args, error);
}

int socle_domain_block_copy(struct socle_domain *dom, const char *disk, const char *xml,
			    const struct socle_params *params, unsigned flags,
			    struct socle_error **error)
{
	rpc_domain_block_copy_args args = {
		.dom = domain_wire(dom),
		.path = TEXT(disk),
		.destxml = TEXT(xml),
		.flags = flags,
	};

	if (!has_disk(disk, error) || !client_has(xml, "XML", error))
		return -1;
	args.params.params_val = client_params_wire(params, &args.params.params_len);
	return CALL_ARGS(dom->conn, DOMAIN_BLOCK_COPY, domain_block_copy, &args, error);
}

int socle_domain_block_job_abort(struct socle_domain *dom, const char *disk, unsigned flags,
				 struct socle_error **error)
{
	rpc_domain_block_job_abort_args args = {
		.dom = domain_wire(dom),
		.path = TEXT(disk),
		.flags = flags,
	};

	if (!has_disk(disk, error))
		return -1;
	return CALL_ARGS(dom->conn, DOMAIN_BLOCK_JOB_ABORT, domain_block_job_abort, &args, error);
}

int socle_domain_block_job_info(struct socle_domain *dom, const char *disk, unsigned flags,
				struct socle_block_job_info *ret_info, struct socle_error **error)
{
	rpc_domain_get_block_job_info_args args = {
		.dom = domain_wire(dom),
		.path = TEXT(disk),
		.flags = flags,
	};
	rpc_domain_get_block_job_info_ret ret;

	if (!has_disk(disk, error) || !CALL(dom->conn, DOMAIN_GET_BLOCK_JOB_INFO,
					    domain_get_block_job_info, &args, &ret, error))
		return -1;
	if (!ret.found)
		return 0;
	*ret_info = (struct socle_block_job_info){
		.type = (enum socle_block_job_type)ret.type,
		.bandwidth = ret.bandwidth,
		.cur = ret.cur,
		.end = ret.end,
	};
	return 1;
}

int socle_domain_block_job_set_speed(struct socle_domain *dom, const char *disk, uint64_t bandwidth,
				     unsigned flags, struct socle_error **error)
{
	rpc_domain_block_job_set_speed_args args = {
		.dom = domain_wire(dom),
		.path = TEXT(disk),
		.bandwidth = bandwidth,
		.flags = flags,
	};

	if (!has_disk(disk, error))
		return -1;
	return CALL_ARGS(dom->conn, DOMAIN_BLOCK_JOB_SET_SPEED, domain_block_job_set_speed, &args,
			 error);
}
