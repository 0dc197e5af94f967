/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * snapshot.c - snapshots of domains
 */
#include "client/error-int.h"
#include "client/object-int.h"

static struct socle_snapshot *take(struct socle_conn *conn, rpc_domain_snapshot *wire)
{
	struct socle_snapshot *snap = snapshot_new(conn, wire);

	rpc_body_release(rpc_domain_snapshot, wire);
	return snap;
}

/* A list becomes the caller's, if he wants it; a server that sends none tells the number only. */
static int take_list(struct socle_conn *conn, const rpc_domain_snapshot *wire, unsigned len,
		     int number, struct socle_snapshot ***ret_snaps)
{
	if (!ret_snaps)
		return CLAMP(number, 0, RPC_MAX_SNAPSHOTS);
	*ret_snaps = g_new0(struct socle_snapshot *, (size_t)len + 1);
	for (unsigned i = 0; i < len; i++)
		(*ret_snaps)[i] = snapshot_new(conn, &wire[i]);
	return (int)len;
}

struct socle_snapshot *socle_snapshot_create(struct socle_domain *dom, const char *xml,
					     unsigned flags, struct socle_error **error)
{
	rpc_domain_snapshot_create_xml_args args = {
		.dom = domain_wire(dom),
		.xml_desc = TEXT(xml),
		.flags = flags,
	};
	rpc_domain_snapshot_create_xml_ret ret;

	if (!client_has(xml, "XML", error) || !CALL(dom->conn, DOMAIN_SNAPSHOT_CREATE_XML,
						    domain_snapshot_create_xml, &args, &ret, error))
		return NULL;
	return take(dom->conn, &ret.snap);
}

int socle_snapshot_list(struct socle_domain *dom, unsigned flags,
			struct socle_snapshot ***ret_snaps, struct socle_error **error)
{
	rpc_domain_list_all_snapshots_args args = {
		.dom = domain_wire(dom),
		.need_results = ret_snaps != NULL,
		.flags = flags,
	};
	rpc_domain_list_all_snapshots_ret ret;
	int count;

	if (!CALL(dom->conn, DOMAIN_LIST_ALL_SNAPSHOTS, domain_list_all_snapshots, &args, &ret,
		  error))
		return -1;
	count = take_list(dom->conn, ret.snapshots.snapshots_val, ret.snapshots.snapshots_len,
			  ret.ret, ret_snaps);
	rpc_body_release(rpc_domain_list_all_snapshots_ret, &ret);
	return count;
}

int socle_snapshot_children(struct socle_snapshot *snap, unsigned flags,
			    struct socle_snapshot ***ret_snaps, struct socle_error **error)
{
	rpc_domain_snapshot_list_all_children_args args = {
		.snap = snapshot_wire(snap),
		.need_results = ret_snaps != NULL,
		.flags = flags,
	};
	rpc_domain_snapshot_list_all_children_ret ret;
	int count;

	if (!CALL(snap->dom->conn, DOMAIN_SNAPSHOT_LIST_ALL_CHILDREN,
		  domain_snapshot_list_all_children, &args, &ret, error))
		return -1;
	count = take_list(snap->dom->conn, ret.snapshots.snapshots_val, ret.snapshots.snapshots_len,
			  ret.ret, ret_snaps);
	rpc_body_release(rpc_domain_snapshot_list_all_children_ret, &ret);
	return count;
}

struct socle_snapshot *socle_snapshot_by_name(struct socle_domain *dom, const char *name,
					      unsigned flags, struct socle_error **error)
{
	rpc_domain_snapshot_lookup_by_name_args args = {
		.dom = domain_wire(dom),
		.name = TEXT(name),
		.flags = flags,
	};
	rpc_domain_snapshot_lookup_by_name_ret ret;

	if (!client_has(name, "name of a snapshot", error) ||
	    !CALL(dom->conn, DOMAIN_SNAPSHOT_LOOKUP_BY_NAME, domain_snapshot_lookup_by_name, &args,
		  &ret, error))
		return NULL;
	return take(dom->conn, &ret.snap);
}

int socle_snapshot_has_current(struct socle_domain *dom, unsigned flags, struct socle_error **error)
{
	rpc_domain_has_current_snapshot_args args = { .dom = domain_wire(dom), .flags = flags };
	rpc_domain_has_current_snapshot_ret ret;

	if (!CALL(dom->conn, DOMAIN_HAS_CURRENT_SNAPSHOT, domain_has_current_snapshot, &args, &ret,
		  error))
		return -1;
	return ret.result != 0;
}

struct socle_snapshot *socle_snapshot_current(struct socle_domain *dom, unsigned flags,
					      struct socle_error **error)
{
	rpc_domain_snapshot_current_args args = { .dom = domain_wire(dom), .flags = flags };
	rpc_domain_snapshot_current_ret ret;

	if (!CALL(dom->conn, DOMAIN_SNAPSHOT_CURRENT, domain_snapshot_current, &args, &ret, error))
		return NULL;
	return take(dom->conn, &ret.snap);
}

struct socle_snapshot *socle_snapshot_parent(struct socle_snapshot *snap, unsigned flags,
					     struct socle_error **error)
{
	rpc_domain_snapshot_get_parent_args args = { .snap = snapshot_wire(snap), .flags = flags };
	rpc_domain_snapshot_get_parent_ret ret;

	if (!CALL(snap->dom->conn, DOMAIN_SNAPSHOT_GET_PARENT, domain_snapshot_get_parent, &args,
		  &ret, error))
		return NULL;
	return take(snap->dom->conn, &ret.snap);
}

int socle_snapshot_is_current(struct socle_snapshot *snap, unsigned flags,
			      struct socle_error **error)
{
	rpc_domain_snapshot_is_current_args args = { .snap = snapshot_wire(snap), .flags = flags };
	rpc_domain_snapshot_is_current_ret ret;

	if (!CALL(snap->dom->conn, DOMAIN_SNAPSHOT_IS_CURRENT, domain_snapshot_is_current, &args,
		  &ret, error))
		return -1;
	return ret.current != 0;
}

int socle_snapshot_has_metadata(struct socle_snapshot *snap, unsigned flags,
				struct socle_error **error)
{
	rpc_domain_snapshot_has_metadata_args args = {
		.snap = snapshot_wire(snap),
		.flags = flags,
	};
	rpc_domain_snapshot_has_metadata_ret ret;

	if (!CALL(snap->dom->conn, DOMAIN_SNAPSHOT_HAS_METADATA, domain_snapshot_has_metadata,
		  &args, &ret, error))
		return -1;
	return ret.metadata != 0;
}

char *socle_snapshot_xml(struct socle_snapshot *snap, unsigned flags, struct socle_error **error)
{
	rpc_domain_snapshot_get_xml_desc_args args = {
		.snap = snapshot_wire(snap),
		.flags = flags,
	};
	rpc_domain_snapshot_get_xml_desc_ret ret;

	if (!CALL(snap->dom->conn, DOMAIN_SNAPSHOT_GET_XML_DESC, domain_snapshot_get_xml_desc,
		  &args, &ret, error))
		return NULL;
	return ret.xml;
}

int socle_snapshot_revert(struct socle_snapshot *snap, unsigned flags, struct socle_error **error)
{
	rpc_domain_revert_to_snapshot_args args = { .snap = snapshot_wire(snap), .flags = flags };

	return CALL_ARGS(snap->dom->conn, DOMAIN_REVERT_TO_SNAPSHOT, domain_revert_to_snapshot,
			 &args, error);
}

int socle_snapshot_delete(struct socle_snapshot *snap, unsigned flags, struct socle_error **error)
{
	rpc_domain_snapshot_delete_args args = { .snap = snapshot_wire(snap), .flags = flags };

	return CALL_ARGS(snap->dom->conn, DOMAIN_SNAPSHOT_DELETE, domain_snapshot_delete, &args,
			 error);
}
