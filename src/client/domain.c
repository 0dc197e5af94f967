/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain.c - domains: found, made, started and ended
 */
#include <string.h>

#include "client/error-int.h"
#include "client/object-int.h"
#include "client/socle.h"

/* == Finding == */

int socle_domain_list(struct socle_conn *conn, unsigned flags, struct socle_domain ***ret_doms,
		      struct socle_error **error)
{
	rpc_connect_list_all_domains_args args = {
		.need_results = ret_doms != NULL,
		.flags = flags,
	};
	rpc_connect_list_all_domains_ret ret;
	unsigned count;

	if (!CALL(conn, CONNECT_LIST_ALL_DOMAINS, connect_list_all_domains, &args, &ret, error))
		return -1;
	count = ret_doms ? ret.domains.domains_len : MIN(ret.ret, RPC_MAX_DOMAINS);
	if (ret_doms) {
		*ret_doms = g_new0(struct socle_domain *, (size_t)count + 1);
		for (unsigned i = 0; i < count; i++)
			(*ret_doms)[i] = domain_new(conn, &ret.domains.domains_val[i]);
	}
	rpc_body_release(rpc_connect_list_all_domains_ret, &ret);
	return (int)count;
}

/* Those answers that have a domain and nothing else look alike. */
static struct socle_domain *take(struct socle_conn *conn, rpc_domain *wire)
{
	struct socle_domain *dom = domain_new(conn, wire);

	rpc_body_release(rpc_domain, wire);
	return dom;
}

struct socle_domain *socle_domain_by_name(struct socle_conn *conn, const char *name,
					  struct socle_error **error)
{
	rpc_domain_lookup_by_name_args args = { .name = TEXT(name) };
	rpc_domain_lookup_by_name_ret ret;

	if (!client_has(name, "name of a domain", error) ||
	    !CALL(conn, DOMAIN_LOOKUP_BY_NAME, domain_lookup_by_name, &args, &ret, error))
		return NULL;
	return take(conn, &ret.dom);
}

struct socle_domain *socle_domain_by_uuid(struct socle_conn *conn, const unsigned char *uuid,
					  struct socle_error **error)
{
	rpc_domain_lookup_by_uuid_args args;
	rpc_domain_lookup_by_uuid_ret ret;

	if (!client_has(uuid, "UUID", error))
		return NULL;
	memcpy(args.uuid, uuid, sizeof(args.uuid));
	if (!CALL(conn, DOMAIN_LOOKUP_BY_UUID, domain_lookup_by_uuid, &args, &ret, error))
		return NULL;
	return take(conn, &ret.dom);
}

struct socle_domain *socle_domain_by_uuid_text(struct socle_conn *conn, const char *uuid,
					       struct socle_error **error)
{
	unsigned char bytes[16];

	return client_uuid(uuid, bytes, error) ? socle_domain_by_uuid(conn, bytes, error) : NULL;
}

struct socle_domain *socle_domain_by_id(struct socle_conn *conn, int id, struct socle_error **error)
{
	rpc_domain_lookup_by_id_args args = { .id = id };
	rpc_domain_lookup_by_id_ret ret;

	if (!CALL(conn, DOMAIN_LOOKUP_BY_ID, domain_lookup_by_id, &args, &ret, error))
		return NULL;
	return take(conn, &ret.dom);
}

int socle_domain_get_id(struct socle_domain *dom, int *ret_id, struct socle_error **error)
{
	SOCLE_AUTO(domain) now = socle_domain_by_uuid(dom->conn, dom->uuid, error);

	if (!now)
		return -1;
	*ret_id = now->id;
	return 0;
}

/* == Life == */

struct socle_domain *socle_domain_define(struct socle_conn *conn, const char *xml, unsigned flags,
					 struct socle_error **error)
{
	rpc_domain_define_xml_flags_args args = { .xml = TEXT(xml), .flags = flags };
	rpc_domain_define_xml_flags_ret ret;

	if (!client_has(xml, "XML", error) ||
	    !CALL(conn, DOMAIN_DEFINE_XML_FLAGS, domain_define_xml_flags, &args, &ret, error))
		return NULL;
	return take(conn, &ret.dom);
}

struct socle_domain *socle_domain_create_xml(struct socle_conn *conn, const char *xml,
					     unsigned flags, struct socle_error **error)
{
	rpc_domain_create_xml_args args = { .xml_desc = TEXT(xml), .flags = flags };
	rpc_domain_create_xml_ret ret;

	if (!client_has(xml, "XML", error) ||
	    !CALL(conn, DOMAIN_CREATE_XML, domain_create_xml, &args, &ret, error))
		return NULL;
	return take(conn, &ret.dom);
}

int socle_domain_create(struct socle_domain *dom, unsigned flags, struct socle_error **error)
{
	rpc_domain_create_with_flags_args args = { .dom = domain_wire(dom), .flags = flags };

	return CALL_ARGS(dom->conn, DOMAIN_CREATE_WITH_FLAGS, domain_create_with_flags, &args,
			 error);
}

int socle_domain_undefine(struct socle_domain *dom, unsigned flags, struct socle_error **error)
{
	rpc_domain_undefine_flags_args args = { .dom = domain_wire(dom), .flags = flags };

	return CALL_ARGS(dom->conn, DOMAIN_UNDEFINE_FLAGS, domain_undefine_flags, &args, error);
}

int socle_domain_suspend(struct socle_domain *dom, struct socle_error **error)
{
	rpc_domain_suspend_args args = { .dom = domain_wire(dom) };

	return CALL_ARGS(dom->conn, DOMAIN_SUSPEND, domain_suspend, &args, error);
}

int socle_domain_resume(struct socle_domain *dom, struct socle_error **error)
{
	rpc_domain_resume_args args = { .dom = domain_wire(dom) };

	return CALL_ARGS(dom->conn, DOMAIN_RESUME, domain_resume, &args, error);
}

int socle_domain_shutdown(struct socle_domain *dom, unsigned flags, struct socle_error **error)
{
	rpc_domain_shutdown_flags_args args = { .dom = domain_wire(dom), .flags = flags };

	return CALL_ARGS(dom->conn, DOMAIN_SHUTDOWN_FLAGS, domain_shutdown_flags, &args, error);
}

int socle_domain_reboot(struct socle_domain *dom, unsigned flags, struct socle_error **error)
{
	rpc_domain_reboot_args args = { .dom = domain_wire(dom), .flags = flags };

	return CALL_ARGS(dom->conn, DOMAIN_REBOOT, domain_reboot, &args, error);
}

int socle_domain_reset(struct socle_domain *dom, unsigned flags, struct socle_error **error)
{
	rpc_domain_reset_args args = { .dom = domain_wire(dom), .flags = flags };

	return CALL_ARGS(dom->conn, DOMAIN_RESET, domain_reset, &args, error);
}

int socle_domain_destroy(struct socle_domain *dom, unsigned flags, struct socle_error **error)
{
	rpc_domain_destroy_flags_args args = { .dom = domain_wire(dom), .flags = flags };

	return CALL_ARGS(dom->conn, DOMAIN_DESTROY_FLAGS, domain_destroy_flags, &args, error);
}

int socle_domain_rename(struct socle_domain *dom, const char *name, unsigned flags,
			struct socle_error **error)
{
	rpc_domain_rename_args args = {
		.dom = domain_wire(dom),
		.new_name = OPTIONAL(name),
		.flags = flags,
	};

	if (!client_has(name, "new name", error))
		return -1;
	return CALL_ARGS(dom->conn, DOMAIN_RENAME, domain_rename, &args, error);
}

int socle_domain_pm_suspend(struct socle_domain *dom, unsigned target, uint64_t duration_s,
			    unsigned flags, struct socle_error **error)
{
	rpc_domain_pm_suspend_for_duration_args args = {
		.dom = domain_wire(dom),
		.target = target,
		.duration = duration_s,
		.flags = flags,
	};

	return CALL_ARGS(dom->conn, DOMAIN_PM_SUSPEND_FOR_DURATION, domain_pm_suspend_for_duration,
			 &args, error);
}

int socle_domain_pm_wakeup(struct socle_domain *dom, unsigned flags, struct socle_error **error)
{
	rpc_domain_pm_wakeup_args args = { .dom = domain_wire(dom), .flags = flags };

	return CALL_ARGS(dom->conn, DOMAIN_PM_WAKEUP, domain_pm_wakeup, &args, error);
}
