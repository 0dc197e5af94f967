/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain-info.c - what domains are, and what they are called
 */
#include "client/error-int.h"
#include "client/list-int.h"
#include "client/object-int.h"

char *socle_domain_xml(struct socle_domain *dom, unsigned flags, struct socle_error **error)
{
	rpc_domain_get_xml_desc_args args = { .dom = domain_wire(dom), .flags = flags };
	rpc_domain_get_xml_desc_ret ret;

	if (!CALL(dom->conn, DOMAIN_GET_XML_DESC, domain_get_xml_desc, &args, &ret, error))
		return NULL;
	return ret.xml;
}

int socle_domain_state(struct socle_domain *dom, unsigned flags, int *ret_state, int *ret_reason,
		       struct socle_error **error)
{
	rpc_domain_get_state_args args = { .dom = domain_wire(dom), .flags = flags };
	rpc_domain_get_state_ret ret;

	if (!CALL(dom->conn, DOMAIN_GET_STATE, domain_get_state, &args, &ret, error))
		return -1;
	*ret_state = ret.state;
	if (ret_reason)
		*ret_reason = ret.reason;
	return 0;
}

int socle_domain_info(struct socle_domain *dom, struct socle_domain_info *ret_info,
		      struct socle_error **error)
{
	rpc_domain_get_info_args args = { .dom = domain_wire(dom) };
	rpc_domain_get_info_ret ret;

	if (!CALL(dom->conn, DOMAIN_GET_INFO, domain_get_info, &args, &ret, error))
		return -1;
	*ret_info = (struct socle_domain_info){
		.state = (enum socle_domain_state)ret.state,
		.max_memory_kib = ret.maxMem,
		.memory_kib = ret.memory,
		.vcpus = ret.nrVirtCpu,
		.cpu_time_ns = ret.cpuTime,
	};
	return 0;
}

char *socle_domain_os_type(struct socle_domain *dom, struct socle_error **error)
{
	rpc_domain_get_os_type_args args = { .dom = domain_wire(dom) };
	rpc_domain_get_os_type_ret ret;

	if (!CALL(dom->conn, DOMAIN_GET_OS_TYPE, domain_get_os_type, &args, &ret, error))
		return NULL;
	return ret.type;
}

int socle_domain_is_active(struct socle_domain *dom, struct socle_error **error)
{
	rpc_domain_is_active_args args = { .dom = domain_wire(dom) };
	rpc_domain_is_active_ret ret;

	if (!CALL(dom->conn, DOMAIN_IS_ACTIVE, domain_is_active, &args, &ret, error))
		return -1;
	return ret.active != 0;
}

int socle_domain_is_persistent(struct socle_domain *dom, struct socle_error **error)
{
	rpc_domain_is_persistent_args args = { .dom = domain_wire(dom) };
	rpc_domain_is_persistent_ret ret;

	if (!CALL(dom->conn, DOMAIN_IS_PERSISTENT, domain_is_persistent, &args, &ret, error))
		return -1;
	return ret.persistent != 0;
}

int socle_domain_is_updated(struct socle_domain *dom, struct socle_error **error)
{
	rpc_domain_is_updated_args args = { .dom = domain_wire(dom) };
	rpc_domain_is_updated_ret ret;

	if (!CALL(dom->conn, DOMAIN_IS_UPDATED, domain_is_updated, &args, &ret, error))
		return -1;
	return ret.updated != 0;
}

int socle_domain_get_autostart(struct socle_domain *dom, struct socle_error **error)
{
	rpc_domain_get_autostart_args args = { .dom = domain_wire(dom) };
	rpc_domain_get_autostart_ret ret;

	if (!CALL(dom->conn, DOMAIN_GET_AUTOSTART, domain_get_autostart, &args, &ret, error))
		return -1;
	return ret.autostart != 0;
}

int socle_domain_set_autostart(struct socle_domain *dom, bool autostart, struct socle_error **error)
{
	rpc_domain_set_autostart_args args = { .dom = domain_wire(dom), .autostart = autostart };

	return CALL_ARGS(dom->conn, DOMAIN_SET_AUTOSTART, domain_set_autostart, &args, error);
}

int socle_domain_messages(struct socle_domain *dom, unsigned flags, char ***ret_messages,
			  struct socle_error **error)
{
	rpc_domain_get_messages_args args = { .dom = domain_wire(dom), .flags = flags };
	rpc_domain_get_messages_ret ret;

	if (!CALL(dom->conn, DOMAIN_GET_MESSAGES, domain_get_messages, &args, &ret, error))
		return -1;
	return client_take_texts(&ret.msgs.msgs_val, &ret.msgs.msgs_len, ret_messages);
}

char *socle_domain_get_metadata(struct socle_domain *dom, int type, const char *uri, unsigned flags,
				struct socle_error **error)
{
	rpc_domain_get_metadata_args args = {
		.dom = domain_wire(dom),
		.type = type,
		.uri = OPTIONAL(uri),
		.flags = flags,
	};
	rpc_domain_get_metadata_ret ret;

	if (!CALL(dom->conn, DOMAIN_GET_METADATA, domain_get_metadata, &args, &ret, error))
		return NULL;
	return ret.metadata;
}

int socle_domain_set_metadata(struct socle_domain *dom, int type, const char *text, const char *key,
			      const char *uri, unsigned flags, struct socle_error **error)
{
	rpc_domain_set_metadata_args args = {
		.dom = domain_wire(dom),
		.type = type,
		.metadata = OPTIONAL(text),
		.key = OPTIONAL(key),
		.uri = OPTIONAL(uri),
		.flags = flags,
	};

	return CALL_ARGS(dom->conn, DOMAIN_SET_METADATA, domain_set_metadata, &args, error);
}

int socle_domain_security_label(struct socle_domain *dom, char **ret_label, bool *ret_enforcing,
				struct socle_error **error)
{
	rpc_domain_get_security_label_args args = { .dom = domain_wire(dom) };
	rpc_domain_get_security_label_ret ret;

	if (!CALL(dom->conn, DOMAIN_GET_SECURITY_LABEL, domain_get_security_label, &args, &ret,
		  error))
		return -1;
	*ret_label = client_take_chars(ret.label.label_val, ret.label.label_len);
	if (ret_enforcing)
		*ret_enforcing = ret.enforcing != 0;
	rpc_body_release(rpc_domain_get_security_label_ret, &ret);
	return 0;
}
