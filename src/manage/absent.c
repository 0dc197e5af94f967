/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * absent.c - kinds of objects of which this daemon has none: networks, interfaces, filters of packets,
 * secrets
 *
 * Clients ask for them when they start, whether they need one or not, and go on if the answer is that
 * there is none: lists are empty, look-ups fail with the code of the kind, events may be asked for and
 * never come. What would make one is refused.
 */
#include <string.h>

#include "base/uuid.h"
#include "manage/peer-int.h"

struct kind {
	const char *noun;
	enum rpc_code code; /* there is none of this name */
	enum rpc_from from;
	int event; /* its events are numbered from here among subscriptions, away from those of domains */
	int events; /* how many there are */
	const char *remedy;
};

static const struct kind network = {
	"network",
	RPC_CODE_NO_NETWORK,
	RPC_FROM_NETWORK,
	1000,
	1,
	"networks are not supported; use <interface type='user'>",
};
static const struct kind network_port = {
	"network port",
	RPC_CODE_NO_NETWORK_PORT,
	RPC_FROM_NETWORK,
	0,
	0,
	"networks are not supported; use <interface type='user'>",
};
static const struct kind interface = {
	"interface",
	RPC_CODE_NO_INTERFACE,
	RPC_FROM_INTERFACE,
	0,
	0,
	"the host's interfaces are not configured from here; use the host's own means",
};
static const struct kind filter = {
	"nwfilter",
	RPC_CODE_NO_NWFILTER,
	RPC_FROM_NWFILTER,
	0,
	0,
	"filters of packets are not supported; use the host's firewall",
};
static const struct kind secret = {
	"secret",
	RPC_CODE_NO_SECRET,
	RPC_FROM_SECRET,
	1200,
	2,
	"secrets are not supported; use disks without encryption",
};
static const struct kind device = {
	"node device", RPC_CODE_NO_NODE_DEVICE, RPC_FROM_NODEDEV, 1300, 2, "",
};

/* A number of 0, or a list of nothing. */
static void on_none(struct call *call, const void *args)
{
	static const uint64_t zeroes[8];

	(void)args;
	g_assert(call->proc->ret.size <= sizeof(zeroes));
	call_reply(call, zeroes);
}

/* @args begin with a text: a name, or a handle that begins with one. */
static void none_named(struct call *call, const struct kind *kind, const void *args)
{
	const char *name = *(char *const *)args;

	call_fail(call, kind->code, kind->from, "no %s with matching name '%.256s'", kind->noun,
		  name);
}

static void none_of_uuid(struct call *call, const struct kind *kind, const void *args)
{
	char text[UUID_TEXT_SIZE];

	uuid_write(args, text);
	call_fail(call, kind->code, kind->from, "no %s with matching uuid '%s'", kind->noun, text);
}

static void refuse(struct call *call, const struct kind *kind)
{
	call_fail(call, RPC_CODE_NO_SUPPORT, kind->from, "%s", kind->remedy);
}

#define NAMED(kind)                                                        \
	static void no_##kind##_named(struct call *call, const void *args) \
	{                                                                  \
		none_named(call, &(kind), args);                           \
	}
#define OF_UUID(kind)                                                        \
	static void no_##kind##_of_uuid(struct call *call, const void *args) \
	{                                                                    \
		none_of_uuid(call, &(kind), args);                           \
	}
#define REFUSED(kind)                                                  \
	static void refuse_##kind(struct call *call, const void *args) \
	{                                                              \
		(void)args;                                            \
		refuse(call, &(kind));                                 \
	}
NAMED(network)
OF_UUID(network)
REFUSED(network)
NAMED(network_port)
NAMED(interface)
REFUSED(interface)
NAMED(filter)
OF_UUID(filter)
REFUSED(filter)
OF_UUID(secret)
REFUSED(secret)

static void no_secret_of_usage(struct call *call, const rpc_secret_lookup_by_usage_args *args)
{
	call_fail(call, RPC_CODE_NO_SECRET, RPC_FROM_SECRET,
		  "no secret with matching usage '%.256s'", args->usageID);
}

/* == Events: they never come, but who has asked can take it back == */

/* All kinds begin with the event's number. */
static void want_events(struct call *call, const struct kind *kind, const void *args)
{
	int event = *(const int *)args;
	struct subscription sub = { 0 };
	rpc_connect_network_event_register_any_ret ret;

	if (event < 0 || event >= kind->events) {
		call_fail(call, RPC_CODE_INVALID_ARG, kind->from,
			  "unsupported event ID %d of a %s; there are 0 to %d", event, kind->noun,
			  kind->events - 1);
		return;
	}
	sub.event = kind->event + event;
	ret.callbackID = call_subscribe(call, sub, true, kind->from);
	if (ret.callbackID >= 0)
		call_reply(call, &ret);
}

static void drop_events(struct call *call, const struct kind *kind, const void *args)
{
	GArray *list = call->peer->subscriptions;
	int callback = *(const int *)args;

	for (unsigned i = 0; i < list->len; i++) {
		const struct subscription *sub = &g_array_index(list, struct subscription, i);

		if (sub->callback != callback || sub->event < kind->event ||
		    sub->event >= kind->event + kind->events)
			continue;
		g_array_remove_index(list, i);
		call_reply(call, NULL);
		return;
	}
	call_fail(call, RPC_CODE_INVALID_ARG, kind->from,
		  "no event callback %d of a %s is registered on this connection", callback,
		  kind->noun);
}

#define EVENTS(kind)                                                 \
	static void want_##kind(struct call *call, const void *args) \
	{                                                            \
		want_events(call, &(kind), args);                    \
	}                                                            \
	static void drop_##kind(struct call *call, const void *args) \
	{                                                            \
		drop_events(call, &(kind), args);                    \
	}
EVENTS(network)
EVENTS(secret)
EVENTS(device)

const struct call_entry absent_handlers[] = {
	HANDLE_BARE(RPC_PROC_CONNECT_LIST_ALL_NETWORKS, on_none),
	HANDLE_BARE(RPC_PROC_CONNECT_LIST_NETWORKS, on_none),
	HANDLE_BARE(RPC_PROC_CONNECT_LIST_DEFINED_NETWORKS, on_none),
	HANDLE_BARE(RPC_PROC_CONNECT_NUM_OF_NETWORKS, on_none),
	HANDLE_BARE(RPC_PROC_CONNECT_NUM_OF_DEFINED_NETWORKS, on_none),
	HANDLE_BARE(RPC_PROC_NETWORK_LOOKUP_BY_NAME, no_network_named),
	HANDLE_BARE(RPC_PROC_NETWORK_LOOKUP_BY_UUID, no_network_of_uuid),
	HANDLE_BARE(RPC_PROC_NETWORK_CREATE, no_network_named),
	HANDLE_BARE(RPC_PROC_NETWORK_DESTROY, no_network_named),
	HANDLE_BARE(RPC_PROC_NETWORK_UNDEFINE, no_network_named),
	HANDLE_BARE(RPC_PROC_NETWORK_GET_XML_DESC, no_network_named),
	HANDLE_BARE(RPC_PROC_NETWORK_GET_AUTOSTART, no_network_named),
	HANDLE_BARE(RPC_PROC_NETWORK_SET_AUTOSTART, no_network_named),
	HANDLE_BARE(RPC_PROC_NETWORK_GET_BRIDGE_NAME, no_network_named),
	HANDLE_BARE(RPC_PROC_NETWORK_IS_ACTIVE, no_network_named),
	HANDLE_BARE(RPC_PROC_NETWORK_IS_PERSISTENT, no_network_named),
	HANDLE_BARE(RPC_PROC_NETWORK_UPDATE, no_network_named),
	HANDLE_BARE(RPC_PROC_NETWORK_GET_DHCP_LEASES, no_network_named),
	HANDLE_BARE(RPC_PROC_NETWORK_LIST_ALL_PORTS, no_network_named),
	HANDLE_BARE(RPC_PROC_NETWORK_PORT_CREATE_XML, no_network_named),
	HANDLE_BARE(RPC_PROC_NETWORK_PORT_LOOKUP_BY_UUID, no_network_named),
	HANDLE_BARE(RPC_PROC_NETWORK_PORT_GET_XML_DESC, no_network_port_named),
	HANDLE_BARE(RPC_PROC_NETWORK_PORT_DELETE, no_network_port_named),
	HANDLE_BARE(RPC_PROC_NETWORK_CREATE_XML, refuse_network),
	HANDLE_BARE(RPC_PROC_NETWORK_DEFINE_XML, refuse_network),
	HANDLE_BARE(RPC_PROC_NETWORK_DEFINE_XML_FLAGS, refuse_network),
	HANDLE_BARE(RPC_PROC_CONNECT_NETWORK_EVENT_REGISTER_ANY, want_network),
	HANDLE_BARE(RPC_PROC_CONNECT_NETWORK_EVENT_DEREGISTER_ANY, drop_network),

	HANDLE_BARE(RPC_PROC_CONNECT_LIST_ALL_INTERFACES, on_none),
	HANDLE_BARE(RPC_PROC_CONNECT_LIST_INTERFACES, on_none),
	HANDLE_BARE(RPC_PROC_CONNECT_NUM_OF_INTERFACES, on_none),
	HANDLE_BARE(RPC_PROC_INTERFACE_LOOKUP_BY_NAME, no_interface_named),
	HANDLE_BARE(RPC_PROC_INTERFACE_LOOKUP_BY_MAC_STRING, no_interface_named),
	HANDLE_BARE(RPC_PROC_INTERFACE_GET_XML_DESC, no_interface_named),
	HANDLE_BARE(RPC_PROC_INTERFACE_IS_ACTIVE, no_interface_named),
	HANDLE_BARE(RPC_PROC_INTERFACE_UNDEFINE, no_interface_named),
	HANDLE_BARE(RPC_PROC_INTERFACE_CREATE, no_interface_named),
	HANDLE_BARE(RPC_PROC_INTERFACE_DESTROY, no_interface_named),
	HANDLE_BARE(RPC_PROC_INTERFACE_DEFINE_XML, refuse_interface),

	HANDLE_BARE(RPC_PROC_CONNECT_LIST_ALL_NWFILTERS, on_none),
	HANDLE_BARE(RPC_PROC_CONNECT_LIST_NWFILTERS, on_none),
	HANDLE_BARE(RPC_PROC_CONNECT_NUM_OF_NWFILTERS, on_none),
	HANDLE_BARE(RPC_PROC_CONNECT_LIST_ALL_NWFILTER_BINDINGS, on_none),
	HANDLE_BARE(RPC_PROC_NWFILTER_LOOKUP_BY_NAME, no_filter_named),
	HANDLE_BARE(RPC_PROC_NWFILTER_LOOKUP_BY_UUID, no_filter_of_uuid),
	HANDLE_BARE(RPC_PROC_NWFILTER_GET_XML_DESC, no_filter_named),
	HANDLE_BARE(RPC_PROC_NWFILTER_UNDEFINE, no_filter_named),
	HANDLE_BARE(RPC_PROC_NWFILTER_DEFINE_XML, refuse_filter),

	HANDLE_BARE(RPC_PROC_CONNECT_LIST_ALL_SECRETS, on_none),
	HANDLE_BARE(RPC_PROC_CONNECT_LIST_SECRETS, on_none),
	HANDLE_BARE(RPC_PROC_CONNECT_NUM_OF_SECRETS, on_none),
	HANDLE_BARE(RPC_PROC_SECRET_LOOKUP_BY_UUID, no_secret_of_uuid),
	HANDLE(RPC_PROC_SECRET_LOOKUP_BY_USAGE, rpc_secret_lookup_by_usage_args,
	       no_secret_of_usage),
	HANDLE_BARE(RPC_PROC_SECRET_GET_XML_DESC, no_secret_of_uuid),
	HANDLE_BARE(RPC_PROC_SECRET_SET_VALUE, no_secret_of_uuid),
	HANDLE_BARE(RPC_PROC_SECRET_GET_VALUE, no_secret_of_uuid),
	HANDLE_BARE(RPC_PROC_SECRET_UNDEFINE, no_secret_of_uuid),
	HANDLE_BARE(RPC_PROC_SECRET_DEFINE_XML, refuse_secret),
	HANDLE_BARE(RPC_PROC_CONNECT_SECRET_EVENT_REGISTER_ANY, want_secret),
	HANDLE_BARE(RPC_PROC_CONNECT_SECRET_EVENT_DEREGISTER_ANY, drop_secret),

	HANDLE_BARE(RPC_PROC_CONNECT_NODE_DEVICE_EVENT_REGISTER_ANY, want_device),
	HANDLE_BARE(RPC_PROC_CONNECT_NODE_DEVICE_EVENT_DEREGISTER_ANY, drop_device),
	HANDLERS_END,
};
