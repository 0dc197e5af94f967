/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * network.c - networks: handles, life, what they are, leases
 */
#include "client/socle-network.h"

#include <string.h>

#include "base/uuid.h"
#include "client/error-int.h"
#include "client/object-int.h"

/* == Handles == */

struct socle_network *client_network_new(struct socle_conn *conn, const rpc_network *wire)
{
	struct socle_network *net = g_new(struct socle_network, 1);

	*net = (struct socle_network){
		.refs = 1,
		.conn = socle_conn_ref(conn),
		.name = g_strdup(wire->name),
	};
	memcpy(net->uuid, wire->uuid, sizeof(net->uuid));
	uuid_write(net->uuid, net->uuid_text);
	return net;
}

rpc_network client_network_wire(const struct socle_network *net)
{
	rpc_network wire = { .name = net->name };

	memcpy(wire.uuid, net->uuid, sizeof(wire.uuid));
	return wire;
}

struct socle_network *socle_network_ref(struct socle_network *net)
{
	atomic_fetch_add(&net->refs, 1);
	return net;
}

void socle_network_unref(struct socle_network *net)
{
	if (!net || atomic_fetch_sub(&net->refs, 1) != 1)
		return;
	socle_conn_unref(net->conn);
	g_free(net->name);
	g_free(net);
}

void socle_networks_free(struct socle_network **nets)
{
	for (size_t i = 0; nets && nets[i]; i++)
		socle_network_unref(nets[i]);
	g_free(nets);
}

struct socle_conn *socle_network_conn(const struct socle_network *net)
{
	return net->conn;
}

const char *socle_network_name(const struct socle_network *net)
{
	return net->name;
}

const unsigned char *socle_network_uuid(const struct socle_network *net)
{
	return net->uuid;
}

const char *socle_network_uuid_text(const struct socle_network *net)
{
	return net->uuid_text;
}

/* == Finding == */

static struct socle_network *take(struct socle_conn *conn, rpc_network *wire)
{
	struct socle_network *net = client_network_new(conn, wire);

	rpc_body_release(rpc_network, wire);
	return net;
}

int socle_network_list(struct socle_conn *conn, unsigned flags, struct socle_network ***ret_nets,
		       struct socle_error **error)
{
	rpc_connect_list_all_networks_args args = {
		.need_results = ret_nets != NULL,
		.flags = flags,
	};
	rpc_connect_list_all_networks_ret ret;
	unsigned count;

	if (!CALL(conn, CONNECT_LIST_ALL_NETWORKS, connect_list_all_networks, &args, &ret, error))
		return -1;
	count = ret_nets ? ret.nets.nets_len : MIN(ret.ret, RPC_MAX_NETWORKS);
	if (ret_nets) {
		*ret_nets = g_new0(struct socle_network *, (size_t)count + 1);
		for (unsigned i = 0; i < count; i++)
			(*ret_nets)[i] = client_network_new(conn, &ret.nets.nets_val[i]);
	}
	rpc_body_release(rpc_connect_list_all_networks_ret, &ret);
	return (int)count;
}

struct socle_network *socle_network_by_name(struct socle_conn *conn, const char *name,
					    struct socle_error **error)
{
	rpc_network_lookup_by_name_args args = { .name = TEXT(name) };
	rpc_network_lookup_by_name_ret ret;

	if (!client_has(name, "name of a network", error) ||
	    !CALL(conn, NETWORK_LOOKUP_BY_NAME, network_lookup_by_name, &args, &ret, error))
		return NULL;
	return take(conn, &ret.net);
}

struct socle_network *socle_network_by_uuid(struct socle_conn *conn, const unsigned char *uuid,
					    struct socle_error **error)
{
	rpc_network_lookup_by_uuid_args args;
	rpc_network_lookup_by_uuid_ret ret;

	if (!client_has(uuid, "UUID", error))
		return NULL;
	memcpy(args.uuid, uuid, sizeof(args.uuid));
	if (!CALL(conn, NETWORK_LOOKUP_BY_UUID, network_lookup_by_uuid, &args, &ret, error))
		return NULL;
	return take(conn, &ret.net);
}

struct socle_network *socle_network_by_uuid_text(struct socle_conn *conn, const char *uuid,
						 struct socle_error **error)
{
	unsigned char bytes[16];

	return client_uuid(uuid, bytes, error) ? socle_network_by_uuid(conn, bytes, error) : NULL;
}

/* == Life == */

struct socle_network *socle_network_define(struct socle_conn *conn, const char *xml, unsigned flags,
					   struct socle_error **error)
{
	rpc_network_define_xml_args args = { .xml = TEXT(xml) };
	rpc_network_define_xml_flags_args flags_args = { .xml = TEXT(xml), .flags = flags };
	/* The two answers look alike. */
	rpc_network_define_xml_ret ret;
	rpc_network_define_xml_flags_ret flags_ret;

	if (!client_has(xml, "XML", error))
		return NULL;
	/* Who asks for nothing new is understood by old servers, too. */
	if (!flags)
		return CALL(conn, NETWORK_DEFINE_XML, network_define_xml, &args, &ret, error)
			       ? take(conn, &ret.net)
			       : NULL;
	return CALL(conn, NETWORK_DEFINE_XML_FLAGS, network_define_xml_flags, &flags_args,
		    &flags_ret, error)
		       ? take(conn, &flags_ret.net)
		       : NULL;
}

struct socle_network *socle_network_create_xml(struct socle_conn *conn, const char *xml,
					       struct socle_error **error)
{
	rpc_network_create_xml_args args = { .xml = TEXT(xml) };
	rpc_network_create_xml_ret ret;

	if (!client_has(xml, "XML", error) ||
	    !CALL(conn, NETWORK_CREATE_XML, network_create_xml, &args, &ret, error))
		return NULL;
	return take(conn, &ret.net);
}

int socle_network_create(struct socle_network *net, struct socle_error **error)
{
	rpc_network_create_args args = { .net = client_network_wire(net) };

	return CALL_ARGS(net->conn, NETWORK_CREATE, network_create, &args, error);
}

int socle_network_destroy(struct socle_network *net, struct socle_error **error)
{
	rpc_network_destroy_args args = { .net = client_network_wire(net) };

	return CALL_ARGS(net->conn, NETWORK_DESTROY, network_destroy, &args, error);
}

int socle_network_undefine(struct socle_network *net, struct socle_error **error)
{
	rpc_network_undefine_args args = { .net = client_network_wire(net) };

	return CALL_ARGS(net->conn, NETWORK_UNDEFINE, network_undefine, &args, error);
}

int socle_network_update(struct socle_network *net, unsigned command, unsigned section, int parent,
			 const char *xml, unsigned flags, struct socle_error **error)
{
	rpc_network_update_args args = {
		.net = client_network_wire(net),
		.command = command,
		.section = section,
		.parentIndex = parent,
		.xml = TEXT(xml),
		.flags = flags,
	};

	if (!client_has(xml, "XML", error))
		return -1;
	return CALL_ARGS(net->conn, NETWORK_UPDATE, network_update, &args, error);
}

/* == What it is == */

char *socle_network_xml(struct socle_network *net, unsigned flags, struct socle_error **error)
{
	rpc_network_get_xml_desc_args args = { .net = client_network_wire(net), .flags = flags };
	rpc_network_get_xml_desc_ret ret;

	if (!CALL(net->conn, NETWORK_GET_XML_DESC, network_get_xml_desc, &args, &ret, error))
		return NULL;
	return ret.xml;
}

char *socle_network_bridge(struct socle_network *net, struct socle_error **error)
{
	rpc_network_get_bridge_name_args args = { .net = client_network_wire(net) };
	rpc_network_get_bridge_name_ret ret;

	if (!CALL(net->conn, NETWORK_GET_BRIDGE_NAME, network_get_bridge_name, &args, &ret, error))
		return NULL;
	return ret.name;
}

int socle_network_get_autostart(struct socle_network *net, struct socle_error **error)
{
	rpc_network_get_autostart_args args = { .net = client_network_wire(net) };
	rpc_network_get_autostart_ret ret;

	if (!CALL(net->conn, NETWORK_GET_AUTOSTART, network_get_autostart, &args, &ret, error))
		return -1;
	return ret.autostart != 0;
}

int socle_network_set_autostart(struct socle_network *net, bool on, struct socle_error **error)
{
	rpc_network_set_autostart_args args = { .net = client_network_wire(net), .autostart = on };

	return CALL_ARGS(net->conn, NETWORK_SET_AUTOSTART, network_set_autostart, &args, error);
}

int socle_network_is_active(struct socle_network *net, struct socle_error **error)
{
	rpc_network_is_active_args args = { .net = client_network_wire(net) };
	rpc_network_is_active_ret ret;

	if (!CALL(net->conn, NETWORK_IS_ACTIVE, network_is_active, &args, &ret, error))
		return -1;
	return ret.active != 0;
}

int socle_network_is_persistent(struct socle_network *net, struct socle_error **error)
{
	rpc_network_is_persistent_args args = { .net = client_network_wire(net) };
	rpc_network_is_persistent_ret ret;

	if (!CALL(net->conn, NETWORK_IS_PERSISTENT, network_is_persistent, &args, &ret, error))
		return -1;
	return ret.persistent != 0;
}

char *socle_network_get_metadata(struct socle_network *net, int type, const char *uri,
				 unsigned flags, struct socle_error **error)
{
	rpc_network_get_metadata_args args = {
		.net = client_network_wire(net),
		.type = type,
		.uri = OPTIONAL(uri),
		.flags = flags,
	};
	rpc_network_get_metadata_ret ret;

	if (!CALL(net->conn, NETWORK_GET_METADATA, network_get_metadata, &args, &ret, error))
		return NULL;
	return ret.metadata;
}

int socle_network_set_metadata(struct socle_network *net, int type, const char *text,
			       const char *key, const char *uri, unsigned flags,
			       struct socle_error **error)
{
	rpc_network_set_metadata_args args = {
		.net = client_network_wire(net),
		.type = type,
		.metadata = OPTIONAL(text),
		.key = OPTIONAL(key),
		.uri = OPTIONAL(uri),
		.flags = flags,
	};

	return CALL_ARGS(net->conn, NETWORK_SET_METADATA, network_set_metadata, &args, error);
}

/* == Leases == */

static char *copy_optional(rpc_text *text)
{
	return text ? g_strdup(*text) : NULL;
}

static struct socle_lease copy_lease(const rpc_network_dhcp_lease *wire)
{
	return (struct socle_lease){
		.iface = g_strdup(wire->iface),
		.expiry_s = wire->expirytime,
		.type = wire->type,
		.mac = copy_optional(wire->mac),
		.iaid = copy_optional(wire->iaid),
		.address = g_strdup(wire->ipaddr),
		.prefix = wire->prefix,
		.hostname = copy_optional(wire->hostname),
		.client_id = copy_optional(wire->clientid),
	};
}

int socle_network_leases(struct socle_network *net, const char *mac, unsigned flags,
			 struct socle_lease **ret_leases, struct socle_error **error)
{
	rpc_network_get_dhcp_leases_args args = {
		.net = client_network_wire(net),
		.mac = OPTIONAL(mac),
		.need_results = ret_leases != NULL,
		.flags = flags,
	};
	rpc_network_get_dhcp_leases_ret ret;
	unsigned count;

	if (!CALL(net->conn, NETWORK_GET_DHCP_LEASES, network_get_dhcp_leases, &args, &ret, error))
		return -1;
	count = ret_leases ? ret.leases.leases_len : MIN(ret.ret, RPC_MAX_NETWORK_DHCP_LEASES);
	if (ret_leases) {
		*ret_leases = g_new0(struct socle_lease, (size_t)count + 1);
		for (unsigned i = 0; i < count; i++)
			(*ret_leases)[i] = copy_lease(&ret.leases.leases_val[i]);
	}
	rpc_body_release(rpc_network_get_dhcp_leases_ret, &ret);
	return (int)count;
}

void socle_leases_free(struct socle_lease *leases)
{
	for (size_t i = 0; leases && leases[i].address; i++) {
		g_free(leases[i].iface);
		g_free(leases[i].mac);
		g_free(leases[i].iaid);
		g_free(leases[i].address);
		g_free(leases[i].hostname);
		g_free(leases[i].client_id);
	}
	g_free(leases);
}
