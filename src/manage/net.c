/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * net.c - a network in the list of its node
 */
#include <string.h>

#include "manage/net-int.h"
#include "manage/peer-int.h"

void network_lease_free(void *data)
{
	struct network_lease *lease = data;

	g_free(lease->mac);
	g_free(lease->iaid);
	g_free(lease->ip);
	g_free(lease->hostname);
	g_free(lease->clientid);
	g_free(lease->dev);
	g_free(lease);
}

static void net_free(struct object *object)
{
	struct net *net = net_of_object(object);

	network_free(net->virtnet.config);
	network_free(net->virtnet.live);
	g_free(net->virtnet.name);
	g_free(net->found_state);
	g_free(net);
}

static const struct object_kind net_kind = {
	"network",
	RPC_FROM_NETWORK,
	"destroy the network",
	net_free,
};

struct net *net_new(struct node *node, const struct network *network)
{
	struct net *net = g_new0(struct net, 1);
	struct virtnet *v = &net->virtnet;

	v->node = node;
	v->name = g_strdup(network->name);
	net_read_uuid(network->uuid, v->uuid);
	g_strlcpy(v->uuid_text, network->uuid, sizeof(v->uuid_text));
	for (char *p = v->uuid_text; *p; p++)
		*p = g_ascii_tolower(*p);
	object_init(&net->object, &net_kind, v->name);
	g_ptr_array_add(node->nets, net);
	return net;
}

void net_remove(struct net *net)
{
	if (net->object.gone)
		return;
	net->object.gone = true;
	g_ptr_array_remove(net->virtnet.node->nets, net);
	object_unref(&net->object);
}

void net_forget(struct net *net)
{
	const struct node_config *config = &net->virtnet.node->config;

	if (config->networks->forget)
		config->networks->forget(config->networks_opaque, &net->virtnet);
	net_remove(net);
}

struct net *net_by_name(const struct node *node, const char *name)
{
	for (unsigned i = 0; name && i < node->nets->len; i++) {
		struct net *net = node->nets->pdata[i];

		if (!strcmp(net->virtnet.name, name))
			return net;
	}
	return NULL;
}

struct net *net_by_uuid(const struct node *node, const uint8_t uuid[16])
{
	for (unsigned i = 0; i < node->nets->len; i++) {
		struct net *net = node->nets->pdata[i];

		if (!memcmp(net->virtnet.uuid, uuid, sizeof(net->virtnet.uuid)))
			return net;
	}
	return NULL;
}

rpc_network net_handle(const struct net *net)
{
	rpc_network handle = { .name = net->virtnet.name };

	memcpy(handle.uuid, net->virtnet.uuid, sizeof(handle.uuid));
	return handle;
}

static void let_go(struct net *net)
{
	const struct network_ops *ops = net->virtnet.node->config.networks;
	struct call *call;

	object_ref(&net->object);
	while ((call = g_queue_peek_tail(&net->object.jobs)) && !call->running)
		call_fail(call, RPC_CODE_OPERATION_ABORTED, RPC_FROM_NETWORK,
			  "the daemon is being stopped");
	if (net->virtnet.made)
		ops->free(&net->virtnet);
	net->virtnet.made = NULL;
	net_remove(net);
	object_unref(&net->object);
}

void nets_let_go(struct node *node)
{
	while (node->nets->len)
		let_go(node->nets->pdata[node->nets->len - 1]);
}

void call_say_no_net(struct call *call, const char *name)
{
	call_fail(call, RPC_CODE_NO_NETWORK, RPC_FROM_NETWORK,
		  "Network not found: no network with matching name or uuid '%.256s'", name);
}

struct net *call_net(struct call *call, const rpc_network *handle)
{
	struct net *net = net_by_uuid(call->node, (const uint8_t *)handle->uuid);

	if (net && net_shown(net))
		return net;
	call_say_no_net(call, handle->name);
	return NULL;
}

struct net *call_active_net(struct call *call, const rpc_network *handle)
{
	struct net *net = call_net(call, handle);

	if (!net || net_active(net))
		return net;
	call_fail(call, RPC_CODE_OPERATION_INVALID, RPC_FROM_NETWORK,
		  "Requested operation is not valid: network '%s' is not active; start it first",
		  net->virtnet.name);
	return NULL;
}

bool call_net_still_there(struct call *call)
{
	const struct net *net = net_of_call(call);

	if (!net->object.gone)
		return true;
	call_say_no_net(call, net->virtnet.name);
	return false;
}
