/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain-save.c - domains saved to files and restored; their jobs
 */
#include "client/error-int.h"
#include "client/object-int.h"
#include "client/params-int.h"
#include "client/socle-save.h"

int socle_domain_save(struct socle_domain *dom, const char *to, const char *xml, unsigned flags,
		      struct socle_error **error)
{
	rpc_domain_save_flags_args args = {
		.dom = domain_wire(dom),
		.to = TEXT(to),
		.dxml = OPTIONAL(xml),
		.flags = flags,
	};

	if (!client_has(to, "path", error))
		return -1;
	return CALL_ARGS(dom->conn, DOMAIN_SAVE_FLAGS, domain_save_flags, &args, error);
}

int socle_domain_restore(struct socle_conn *conn, const char *from, const char *xml, unsigned flags,
			 struct socle_error **error)
{
	rpc_domain_restore_flags_args args = {
		.from = TEXT(from),
		.dxml = OPTIONAL(xml),
		.flags = flags,
	};

	if (!client_has(from, "path", error))
		return -1;
	return CALL_ARGS(conn, DOMAIN_RESTORE_FLAGS, domain_restore_flags, &args, error);
}

char *socle_save_image_xml(struct socle_conn *conn, const char *file, unsigned flags,
			   struct socle_error **error)
{
	rpc_domain_save_image_get_xml_desc_args args = { .file = TEXT(file), .flags = flags };
	rpc_domain_save_image_get_xml_desc_ret ret;

	if (!client_has(file, "path", error) ||
	    !CALL(conn, DOMAIN_SAVE_IMAGE_GET_XML_DESC, domain_save_image_get_xml_desc, &args, &ret,
		  error))
		return NULL;
	return ret.xml;
}

int socle_save_image_define(struct socle_conn *conn, const char *file, const char *xml,
			    unsigned flags, struct socle_error **error)
{
	rpc_domain_save_image_define_xml_args args = {
		.file = TEXT(file),
		.dxml = TEXT(xml),
		.flags = flags,
	};

	if (!client_has(file, "path", error) || !client_has(xml, "XML", error))
		return -1;
	return CALL_ARGS(conn, DOMAIN_SAVE_IMAGE_DEFINE_XML, domain_save_image_define_xml, &args,
			 error);
}

int socle_domain_managed_save(struct socle_domain *dom, unsigned flags, struct socle_error **error)
{
	rpc_domain_managed_save_args args = { .dom = domain_wire(dom), .flags = flags };

	return CALL_ARGS(dom->conn, DOMAIN_MANAGED_SAVE, domain_managed_save, &args, error);
}

int socle_domain_has_managed_save(struct socle_domain *dom, unsigned flags,
				  struct socle_error **error)
{
	rpc_domain_has_managed_save_image_args args = { .dom = domain_wire(dom), .flags = flags };
	rpc_domain_has_managed_save_image_ret ret;

	if (!CALL(dom->conn, DOMAIN_HAS_MANAGED_SAVE_IMAGE, domain_has_managed_save_image, &args,
		  &ret, error))
		return -1;
	return ret.result != 0;
}

int socle_domain_managed_save_remove(struct socle_domain *dom, unsigned flags,
				     struct socle_error **error)
{
	rpc_domain_managed_save_remove_args args = { .dom = domain_wire(dom), .flags = flags };

	return CALL_ARGS(dom->conn, DOMAIN_MANAGED_SAVE_REMOVE, domain_managed_save_remove, &args,
			 error);
}

int socle_domain_core_dump(struct socle_domain *dom, const char *to, unsigned format,
			   unsigned flags, struct socle_error **error)
{
	rpc_domain_core_dump_with_format_args args = {
		.dom = domain_wire(dom),
		.to = TEXT(to),
		.dumpformat = format,
		.flags = flags,
	};

	if (!client_has(to, "path", error))
		return -1;
	return CALL_ARGS(dom->conn, DOMAIN_CORE_DUMP_WITH_FORMAT, domain_core_dump_with_format,
			 &args, error);
}

int socle_domain_job_info(struct socle_domain *dom, struct socle_job_info *ret_info,
			  struct socle_error **error)
{
	rpc_domain_get_job_info_args args = { .dom = domain_wire(dom) };
	rpc_domain_get_job_info_ret ret;

	if (!CALL(dom->conn, DOMAIN_GET_JOB_INFO, domain_get_job_info, &args, &ret, error))
		return -1;
	*ret_info = (struct socle_job_info){
		.type = (enum socle_job_type)ret.type,
		.time_elapsed = ret.timeElapsed,
		.time_remaining = ret.timeRemaining,
		.data_total = ret.dataTotal,
		.data_processed = ret.dataProcessed,
		.data_remaining = ret.dataRemaining,
		.mem_total = ret.memTotal,
		.mem_processed = ret.memProcessed,
		.mem_remaining = ret.memRemaining,
		.file_total = ret.fileTotal,
		.file_processed = ret.fileProcessed,
		.file_remaining = ret.fileRemaining,
	};
	return 0;
}

struct socle_params *socle_domain_job_stats(struct socle_domain *dom, unsigned flags, int *ret_type,
					    struct socle_error **error)
{
	rpc_domain_get_job_stats_args args = { .dom = domain_wire(dom), .flags = flags };
	rpc_domain_get_job_stats_ret ret;

	if (!CALL(dom->conn, DOMAIN_GET_JOB_STATS, domain_get_job_stats, &args, &ret, error))
		return NULL;
	if (ret_type)
		*ret_type = ret.type;
	return client_params_take(&ret.params.params_val, &ret.params.params_len);
}

int socle_domain_abort_job(struct socle_domain *dom, struct socle_error **error)
{
	rpc_domain_abort_job_args args = { .dom = domain_wire(dom) };

	return CALL_ARGS(dom->conn, DOMAIN_ABORT_JOB, domain_abort_job, &args, error);
}

int socle_domain_control_info(struct socle_domain *dom, unsigned flags,
			      struct socle_control_info *ret_info, struct socle_error **error)
{
	rpc_domain_get_control_info_args args = { .dom = domain_wire(dom), .flags = flags };
	rpc_domain_get_control_info_ret ret;

	if (!CALL(dom->conn, DOMAIN_GET_CONTROL_INFO, domain_get_control_info, &args, &ret, error))
		return -1;
	*ret_info = (struct socle_control_info){
		.state = (enum socle_control_state)ret.state,
		.details = ret.details,
		.state_time_ms = ret.stateTime,
	};
	return 0;
}
