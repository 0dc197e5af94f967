/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * net-list.c - lists of networks, and what is asked of one: its state, leases, ports
 */
#include <string.h>

#include "base/error.h"
#include "base/uuid.h"
#include "manage/handler-int.h"
#include "manage/net-int.h"

enum {
	LIST_INACTIVE = 1 << 0,
	LIST_ACTIVE = 1 << 1,
	LIST_PERSISTENT = 1 << 2,
	LIST_TRANSIENT = 1 << 3,
	LIST_AUTOSTART = 1 << 4,
	LIST_NO_AUTOSTART = 1 << 5,
	LIST_FLAGS = 0x3f,
};

/* XDR does not write through what it encodes. */
static char *lend(const char *text)
{
	return (char *)(uintptr_t)(text ? text : "");
}

/* == Lists == */

static bool is_wanted(const struct net *net, unsigned flags)
{
	return net_shown(net) &&
	       list_in_group(flags, LIST_ACTIVE | LIST_INACTIVE,
			     net_active(net) ? LIST_ACTIVE : LIST_INACTIVE) &&
	       list_in_group(flags, LIST_PERSISTENT | LIST_TRANSIENT,
			     net->virtnet.config ? LIST_PERSISTENT : LIST_TRANSIENT) &&
	       list_in_group(flags, LIST_AUTOSTART | LIST_NO_AUTOSTART,
			     net->autostart ? LIST_AUTOSTART : LIST_NO_AUTOSTART);
}

static void on_list_all(struct call *call, const rpc_connect_list_all_networks_args *args)
{
	const GPtrArray *nets = call->node->nets;
	rpc_connect_list_all_networks_ret ret = { .ret = 0 };
	g_autofree rpc_network *handles = NULL;

	if (!call_flags(call, args->flags, LIST_FLAGS))
		return;
	if (args->need_results)
		handles = g_new(rpc_network, MAX(nets->len, 1));
	for (unsigned i = 0; i < nets->len; i++) {
		const struct net *net = nets->pdata[i];

		if (!is_wanted(net, args->flags) || ret.ret == RPC_MAX_NETWORKS)
			continue;
		if (handles)
			handles[ret.ret] = net_handle(net);
		ret.ret++;
	}
	ret.nets.nets_val = handles;
	ret.nets.nets_len = handles ? ret.ret : 0;
	call_reply(call, &ret);
}

static void count(struct call *call, unsigned flags)
{
	/* Both layouts are the same. */
	rpc_connect_num_of_networks_ret ret = { .num = 0 };

	for (unsigned i = 0; i < call->node->nets->len; i++)
		ret.num += is_wanted(call->node->nets->pdata[i], flags);
	call_reply(call, &ret);
}

static void on_num(struct call *call, const void *args)
{
	(void)args;
	count(call, LIST_ACTIVE);
}

static void on_num_defined(struct call *call, const void *args)
{
	(void)args;
	count(call, LIST_INACTIVE);
}

/* Both procedures have the same layouts. */
static void list_names(struct call *call, int max, unsigned flags)
{
	const GPtrArray *nets = call->node->nets;
	rpc_connect_list_networks_ret ret = { { 0 } };
	g_autofree rpc_text *names = g_new(rpc_text, MAX(nets->len, 1));

	if (max < 0 || max > RPC_MAX_NETWORKS) {
		call_fail(call, RPC_CODE_RPC, RPC_FROM_RPC, "a list of %d networks: it has 0 to %d",
			  max, RPC_MAX_NETWORKS);
		return;
	}
	for (unsigned i = 0; i < nets->len && ret.names.names_len < (unsigned)max; i++) {
		const struct net *net = nets->pdata[i];

		if (is_wanted(net, flags))
			names[ret.names.names_len++] = net->virtnet.name;
	}
	ret.names.names_val = names;
	call_reply(call, &ret);
}

static void on_list(struct call *call, const rpc_connect_list_networks_args *args)
{
	list_names(call, args->maxnames, LIST_ACTIVE);
}

static void on_list_defined(struct call *call, const rpc_connect_list_defined_networks_args *args)
{
	list_names(call, args->maxnames, LIST_INACTIVE);
}

static void on_by_name(struct call *call, const rpc_network_lookup_by_name_args *args)
{
	const struct net *net = net_by_name(call->node, args->name);
	rpc_network_lookup_by_name_ret ret;

	if (!net || !net_shown(net)) {
		call_fail(call, RPC_CODE_NO_NETWORK, RPC_FROM_NETWORK,
			  "Network not found: no network with matching name '%.256s'", args->name);
		return;
	}
	ret.net = net_handle(net);
	call_reply(call, &ret);
}

static void on_by_uuid(struct call *call, const rpc_network_lookup_by_uuid_args *args)
{
	const uint8_t *uuid = (const uint8_t *)args->uuid;
	const struct net *net = net_by_uuid(call->node, uuid);
	rpc_network_lookup_by_uuid_ret ret;

	if (!net || !net_shown(net)) {
		char text[UUID_TEXT_SIZE];

		uuid_write(uuid, text);
		call_fail(call, RPC_CODE_NO_NETWORK, RPC_FROM_NETWORK,
			  "Network not found: no network with matching uuid '%s'", text);
		return;
	}
	ret.net = net_handle(net);
	call_reply(call, &ret);
}

/* == State == */

static void on_is_active(struct call *call, const rpc_network_is_active_args *args)
{
	const struct net *net = call_net(call, &args->net);
	rpc_network_is_active_ret ret;

	if (!net)
		return;
	ret.active = net_active(net);
	call_reply(call, &ret);
}

static void on_is_persistent(struct call *call, const rpc_network_is_persistent_args *args)
{
	const struct net *net = call_net(call, &args->net);
	rpc_network_is_persistent_ret ret;

	if (!net)
		return;
	ret.persistent = net->virtnet.config != NULL;
	call_reply(call, &ret);
}

static void on_get_autostart(struct call *call, const rpc_network_get_autostart_args *args)
{
	const struct net *net = call_net(call, &args->net);
	rpc_network_get_autostart_ret ret;

	if (!net)
		return;
	ret.autostart = net->autostart;
	call_reply(call, &ret);
}

static void on_bridge_name(struct call *call, const rpc_network_get_bridge_name_args *args)
{
	const struct net *net = call_net(call, &args->net);
	rpc_network_get_bridge_name_ret ret;

	if (!net)
		return;
	ret.name = net_shown(net)->bridge.name;
	if (ret.name)
		call_reply(call, &ret);
	else
		call_fail(call, RPC_CODE_INTERNAL, RPC_FROM_NETWORK,
			  "network '%s' does not have a bridge name.", net->virtnet.name);
}

/* == Leases == */

static char **or_null(char **text)
{
	return *text ? text : NULL;
}

static rpc_network_dhcp_lease encode_lease(struct network_lease *lease)
{
	return (rpc_network_dhcp_lease){
		.iface = lend(lease->dev),
		.expirytime = lease->expiry,
		.type = lease->v6,
		.mac = or_null(&lease->mac),
		.iaid = or_null(&lease->iaid),
		.ipaddr = lend(lease->ip),
		.prefix = lease->prefix,
		.hostname = or_null(&lease->hostname),
		.clientid = or_null(&lease->clientid),
	};
}

static void on_leases(struct call *call, const rpc_network_get_dhcp_leases_args *args)
{
	struct net *net = call_active_net(call, &args->net);
	g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func(network_lease_free);
	g_autofree rpc_network_dhcp_lease *leases = NULL;
	rpc_network_get_dhcp_leases_ret ret = { .ret = 0 };
	g_autoptr(GError) error = NULL;

	if (!net || !call_flags(call, args->flags, 0))
		return;
	if (!net_leases(net, list, &error)) {
		call_fail_error(call, RPC_FROM_NETWORK, error);
		return;
	}
	leases = g_new(rpc_network_dhcp_lease, MAX(list->len, 1));
	for (unsigned i = 0; i < list->len && ret.ret < RPC_MAX_NETWORK_DHCP_LEASES; i++) {
		struct network_lease *lease = list->pdata[i];

		if (!args->mac || !g_ascii_strcasecmp(*args->mac, lease->mac ? lease->mac : ""))
			leases[ret.ret++] = encode_lease(lease);
	}
	ret.leases.leases_val = leases;
	ret.leases.leases_len = args->need_results ? ret.ret : 0;
	call_reply(call, &ret);
}

const struct call_entry net_list_handlers[] = {
	HANDLE(RPC_PROC_CONNECT_LIST_ALL_NETWORKS, rpc_connect_list_all_networks_args, on_list_all),
	HANDLE(RPC_PROC_CONNECT_LIST_NETWORKS, rpc_connect_list_networks_args, on_list),
	HANDLE(RPC_PROC_CONNECT_LIST_DEFINED_NETWORKS, rpc_connect_list_defined_networks_args,
	       on_list_defined),
	HANDLE_BARE(RPC_PROC_CONNECT_NUM_OF_NETWORKS, on_num),
	HANDLE_BARE(RPC_PROC_CONNECT_NUM_OF_DEFINED_NETWORKS, on_num_defined),
	HANDLE(RPC_PROC_NETWORK_LOOKUP_BY_NAME, rpc_network_lookup_by_name_args, on_by_name),
	HANDLE(RPC_PROC_NETWORK_LOOKUP_BY_UUID, rpc_network_lookup_by_uuid_args, on_by_uuid),
	HANDLE(RPC_PROC_NETWORK_IS_ACTIVE, rpc_network_is_active_args, on_is_active),
	HANDLE(RPC_PROC_NETWORK_IS_PERSISTENT, rpc_network_is_persistent_args, on_is_persistent),
	HANDLE(RPC_PROC_NETWORK_GET_AUTOSTART, rpc_network_get_autostart_args, on_get_autostart),
	HANDLE(RPC_PROC_NETWORK_GET_BRIDGE_NAME, rpc_network_get_bridge_name_args, on_bridge_name),
	HANDLE(RPC_PROC_NETWORK_GET_DHCP_LEASES, rpc_network_get_dhcp_leases_args, on_leases),
	HANDLERS_END,
};
