/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * net-define.c - networks are defined, started, changed, stopped, and go
 *
 * A client is told that a definition is there when it is kept. If it cannot be kept all is as before.
 */
#include <string.h>

#include "base/error.h"
#include "manage/define-int.h"
#include "manage/handler-int.h"
#include "manage/net-int.h"

enum {
	DEFINE_VALIDATE = 1 << 0,
	XML_INACTIVE = 1 << 0,
};

void net_fail_xml(struct call *call, const GError *error)
{
	bool unsupported = g_error_matches(error, SOCLE_ERROR, SOCLE_ERROR_UNSUPPORTED);

	call_fail(call, unsupported ? RPC_CODE_CONFIG_UNSUPPORTED : RPC_CODE_XML_ERROR,
		  RPC_FROM_NETWORK, "%s%s", unsupported ? "" : "XML error: ", error->message);
}

static void free_network(void *data)
{
	network_free(data);
}

void net_not_kept(struct call *call, const GError *error)
{
	call_fail(call, call_code_of(error), RPC_FROM_NETWORK,
		  "the definition of network '%s' cannot be kept: %s",
		  net_of_call(call)->virtnet.name, error->message);
}

/* == From XML == */

/* Another network that has the bridge; NULL: none. */
static const struct net *bridge_owner(const struct node *node, const struct network *network)
{
	for (unsigned i = 0; i < node->nets->len; i++) {
		const struct net *net = node->nets->pdata[i];
		const struct network *other = net_shown(net);

		if (other && g_ascii_strcasecmp(net->virtnet.uuid_text, network->uuid) != 0 &&
		    network_has_own_bridge(other) &&
		    !g_strcmp0(other->bridge.name, network->bridge.name))
			return net;
	}
	return NULL;
}

/* The network that @network is another definition of, NULL: a new one. False: the call has failed. */
static bool find_same(struct call *call, const struct network *network, struct net **ret_net)
{
	struct net *by_name = net_by_name(call->node, network->name), *by_uuid;
	uint8_t uuid[16];

	net_read_uuid(network->uuid, uuid);
	by_uuid = net_by_uuid(call->node, uuid);
	if (by_uuid && strcmp(by_uuid->virtnet.name, network->name) != 0) {
		call_fail(call, RPC_CODE_OPERATION_FAILED, RPC_FROM_NETWORK,
			  "operation failed: network '%s' is already defined with uuid %s",
			  by_uuid->virtnet.name, by_uuid->virtnet.uuid_text);
		return false;
	}
	if (by_name && by_name != by_uuid) {
		call_fail(call, RPC_CODE_OPERATION_FAILED, RPC_FROM_NETWORK,
			  "operation failed: network '%s' already exists with uuid %s",
			  by_name->virtnet.name, by_name->virtnet.uuid_text);
		return false;
	}
	*ret_net = by_uuid;
	return true;
}

/* Read, filled in and checked; NULL: the call has failed. */
static struct network *take_xml(struct call *call, const char *xml, unsigned flags,
				struct net **ret_net)
{
	const struct net *other;
	autoptr(network) network = NULL;
	g_autoptr(GError) error = NULL;

	if (!call_flags(call, flags, DEFINE_VALIDATE))
		return NULL;
	if (!call->node->config.networks) {
		call_fail(call, RPC_CODE_NO_SUPPORT, RPC_FROM_NETWORK,
			  "networks are not supported here; use <interface type='user'>");
		return NULL;
	}
	network = network_parse(xml, strlen(xml),
				flags & DEFINE_VALIDATE ? NETWORK_PARSE_STRICT : 0, NULL, &error);
	if (network) {
		/* One without a UUID is the one that has its name. */
		const struct net *known = net_by_name(call->node, network->name);

		if (!network->uuid && known)
			network->uuid = g_strdup(known->virtnet.uuid_text);
		network_fill(network, &call->node->config.support);
	}
	if (!network || !network_check(network, NULL, &error)) {
		net_fail_xml(call, error);
		return NULL;
	}
	if (!find_same(call, network, ret_net))
		return NULL;
	net_choose_bridge(call->node, network);
	other = network_has_own_bridge(network) ? bridge_owner(call->node, network) : NULL;
	if (other) {
		call_fail(
			call, RPC_CODE_INTERNAL, RPC_FROM_NETWORK,
			"bridge name '%s' is already in use by network '%s'; give another one, or "
			"none",
			network->bridge.name, other->virtnet.name);
		return NULL;
	}
	return g_steal_pointer(&network);
}

/* == Define == */

static void swap_config(struct call *call)
{
	struct virtnet *v = &net_of_call(call)->virtnet;
	struct network *config = v->config;

	v->config = call->data;
	call->data = config;
}

static void defined(struct call *call, const GError *error)
{
	struct net *net = net_of_call(call);
	/* Both layouts are the same. */
	rpc_network_define_xml_ret ret = { .net = net_handle(net) };

	if (error) {
		swap_config(call);
		net_not_kept(call, error);
		if (!net_shown(net))
			net_remove(net);
		return;
	}
	event_network(net, NET_DEFINED);
	call_reply(call, &ret);
}

static void define_run(struct call *call)
{
	if (!call_net_still_there(call))
		return;
	swap_config(call);
	net_keep_config(net_of_call(call), call_task(call, defined));
}

static void define_xml(struct call *call, const char *xml, unsigned flags)
{
	struct net *net = NULL;
	struct network *network = take_xml(call, xml, flags, &net);

	if (!network)
		return;
	call->data = network;
	call->data_free = free_network;
	if (!net)
		net = net_new(call->node, network);
	call_job_object(call, &net->object, define_run);
}

static void on_define(struct call *call, const rpc_network_define_xml_args *args)
{
	define_xml(call, args->xml, 0);
}

static void on_define_flags(struct call *call, const rpc_network_define_xml_flags_args *args)
{
	define_xml(call, args->xml, args->flags);
}

static void on_undefined(struct call *call, const GError *error)
{
	struct net *net = net_of_call(call);

	if (error) {
		net_not_kept(call, error);
		return;
	}
	network_free(net->virtnet.config);
	net->virtnet.config = NULL;
	net->autostart = false;
	event_network(net, NET_UNDEFINED);
	if (!net_active(net))
		net_forget(net);
	call_reply(call, NULL);
}

static void undefine_run(struct call *call)
{
	struct net *net = net_of_call(call);

	if (!call_net_still_there(call))
		return;
	if (net->virtnet.config)
		net_keep_no_config(net, call_task(call, on_undefined));
	else
		call_fail(call, RPC_CODE_OPERATION_INVALID, RPC_FROM_NETWORK,
			  "network '%s' is transient and has no definition; destroy it",
			  net->virtnet.name);
}

static void on_undefine(struct call *call, const rpc_network_undefine_args *args)
{
	struct net *net = call_net(call, &args->net);

	if (net)
		call_job_object(call, &net->object, undefine_run);
}

/* == Start and stop == */

static void began(struct call *call, const GError *error)
{
	struct net *net = net_of_call(call);
	rpc_network_create_xml_ret ret = { .net = net_handle(net) };

	if (error) {
		bool unsupported = g_error_matches(error, SOCLE_ERROR, SOCLE_ERROR_UNSUPPORTED);

		call_fail(call, unsupported ? RPC_CODE_CONFIG_UNSUPPORTED : call_code_of(error),
			  RPC_FROM_NETWORK, "network '%s' cannot be started: %s", net->virtnet.name,
			  error->message);
		if (!net->virtnet.config)
			net_remove(net);
		return;
	}
	call_reply(call, call->proc->number == RPC_PROC_NETWORK_CREATE ? NULL : &ret);
}

static bool is_stopped(struct call *call)
{
	const struct net *net = net_of_call(call);

	if (!net_active(net))
		return true;
	call_fail(call, RPC_CODE_OPERATION_INVALID, RPC_FROM_NETWORK,
		  "Requested operation is not valid: network '%s' is already active",
		  net->virtnet.name);
	return false;
}

static void create_run(struct call *call)
{
	struct net *net = net_of_call(call);

	if (call_net_still_there(call) && is_stopped(call))
		net_start(call, network_copy(net->virtnet.config), began);
}

static void on_create(struct call *call, const rpc_network_create_args *args)
{
	struct net *net = call_net(call, &args->net);

	if (net)
		call_job_object(call, &net->object, create_run);
}

static void create_xml_run(struct call *call)
{
	if (call_net_still_there(call) && is_stopped(call))
		net_start(call, g_steal_pointer(&call->data), began);
}

static void on_create_xml(struct call *call, const rpc_network_create_xml_args *args)
{
	struct net *net = NULL;
	struct network *network = take_xml(call, args->xml, 0, &net);

	if (!network)
		return;
	call->data = network;
	call->data_free = free_network;
	if (!net)
		net = net_new(call->node, network);
	call_job_object(call, &net->object, create_xml_run);
}

static void ended(struct call *call, const GError *error)
{
	if (error)
		call_fail_error(call, RPC_FROM_NETWORK, error);
	else
		call_reply(call, NULL);
}

static void destroy_run(struct call *call)
{
	const struct net *net = net_of_call(call);

	if (!call_net_still_there(call))
		return;
	if (net_active(net))
		net_stop(call, ended);
	else
		call_fail(call, RPC_CODE_OPERATION_INVALID, RPC_FROM_NETWORK,
			  "Requested operation is not valid: network '%s' is not active",
			  net->virtnet.name);
}

static void on_destroy(struct call *call, const rpc_network_destroy_args *args)
{
	struct net *net = call_active_net(call, &args->net);

	if (net)
		call_job_object(call, &net->object, destroy_run);
}

/* == Autostart == */

static void autostart_kept(struct call *call, const GError *error)
{
	const rpc_network_set_autostart_args *args = call->args;

	if (error) {
		net_of_call(call)->autostart = !args->autostart;
		net_not_kept(call, error);
		return;
	}
	call_reply(call, NULL);
}

static void autostart_run(struct call *call)
{
	const rpc_network_set_autostart_args *args = call->args;
	struct net *net = net_of_call(call);

	if (!call_net_still_there(call))
		return;
	if (!net->virtnet.config) {
		call_fail(call, RPC_CODE_OPERATION_INVALID, RPC_FROM_NETWORK,
			  "cannot set autostart for transient network '%s'; define it",
			  net->virtnet.name);
	} else if (net->autostart == !!args->autostart) {
		call_reply(call, NULL);
	} else {
		net->autostart = args->autostart;
		net_keep_config(net, call_task(call, autostart_kept));
	}
}

static void on_set_autostart(struct call *call, const rpc_network_set_autostart_args *args)
{
	struct net *net = call_net(call, &args->net);

	if (net)
		call_job_object(call, &net->object, autostart_run);
}

/* == What it looks like == */

static void on_get_xml(struct call *call, const rpc_network_get_xml_desc_args *args)
{
	struct net *net = call_net(call, &args->net);
	rpc_network_get_xml_desc_ret ret;
	g_autofree char *xml = NULL;
	unsigned connections;
	struct network *network;

	if (!net || !call_flags(call, args->flags, XML_INACTIVE))
		return;
	network = args->flags & XML_INACTIVE && net->virtnet.config ? net->virtnet.config
								    : net_shown(net);
	connections = network == net->virtnet.live ? net_connections(net) : 0;
	network->connections =
		connections ? number_of(connections) : (struct number){ .set = false };
	xml = network_format(network, network == net->virtnet.live ? 0 : NETWORK_FORMAT_INACTIVE);
	ret.xml = xml;
	call_reply(call, &ret);
}

const struct call_entry net_handlers[] = {
	HANDLE(RPC_PROC_NETWORK_DEFINE_XML, rpc_network_define_xml_args, on_define),
	HANDLE(RPC_PROC_NETWORK_DEFINE_XML_FLAGS, rpc_network_define_xml_flags_args,
	       on_define_flags),
	HANDLE(RPC_PROC_NETWORK_UNDEFINE, rpc_network_undefine_args, on_undefine),
	HANDLE(RPC_PROC_NETWORK_CREATE, rpc_network_create_args, on_create),
	HANDLE(RPC_PROC_NETWORK_CREATE_XML, rpc_network_create_xml_args, on_create_xml),
	HANDLE(RPC_PROC_NETWORK_DESTROY, rpc_network_destroy_args, on_destroy),
	HANDLE(RPC_PROC_NETWORK_SET_AUTOSTART, rpc_network_set_autostart_args, on_set_autostart),
	HANDLE(RPC_PROC_NETWORK_GET_XML_DESC, rpc_network_get_xml_desc_args, on_get_xml),
	HANDLERS_END,
};

/* == Our own == */

static void default_kept(struct task *task, const GError *error)
{
	if (error)
		g_warning("the network 'default' cannot be kept: %s", error->message);
	g_free(task);
}

void net_default(struct node *node, struct network *network, bool autostart)
{
	struct net *net = net_new(node, network);
	struct task *task = g_new(struct task, 1);

	net->virtnet.config = network;
	net->autostart = autostart;
	task->end = default_kept;
	net_keep_config(net, task);
}

void node_default_network(struct node *node, const char *xml, bool autostart)
{
	struct network *network;

	if (node->nets->len)
		return;
	network = network_parse(xml, strlen(xml), NETWORK_PARSE_STRICT, NULL, NULL);
	g_assert(network);
	network_fill(network, &node->config.support);
	net_choose_bridge(node, network);
	net_default(node, network, autostart);
}
