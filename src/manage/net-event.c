/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * net-event.c - what happens to networks, for those clients that have asked
 */
#include "manage/event-kind-int.h"
#include "manage/net-int.h"

static const struct event_kind network_events = { "network", RPC_FROM_NETWORK, 1000, 2 };

void event_network(struct net *net, enum net_event event)
{
	rpc_network_event_lifecycle_msg body = { .net = net_handle(net), .event = (int)event };

	event_kind_emit(net->virtnet.node, &network_events, 0, net->virtnet.uuid,
			RPC_PROC_NETWORK_EVENT_LIFECYCLE, &body);
}

void event_network_metadata(struct net *net, int type, const char *uri)
{
	char *nsuri = (char *)(uintptr_t)uri;
	rpc_network_event_callback_metadata_change_msg body = { .net = net_handle(net),
								.type = type,
								.nsuri = uri ? &nsuri : NULL };

	event_kind_emit(net->virtnet.node, &network_events, 1, net->virtnet.uuid,
			RPC_PROC_NETWORK_EVENT_CALLBACK_METADATA_CHANGE, &body);
}

static void on_register(struct call *call, const rpc_connect_network_event_register_any_args *args)
{
	event_kind_register(call, &network_events, args->eventID,
			    args->net ? args->net->uuid : NULL);
}

static void on_deregister(struct call *call,
			  const rpc_connect_network_event_deregister_any_args *args)
{
	event_kind_deregister(call, &network_events, args->callbackID);
}

const struct call_entry net_event_handlers[] = {
	HANDLE(RPC_PROC_CONNECT_NETWORK_EVENT_REGISTER_ANY,
	       rpc_connect_network_event_register_any_args, on_register),
	HANDLE(RPC_PROC_CONNECT_NETWORK_EVENT_DEREGISTER_ANY,
	       rpc_connect_network_event_deregister_any_args, on_deregister),
	HANDLERS_END,
};
