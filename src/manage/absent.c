/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * absent.c - kinds of objects of which this daemon has none: interfaces, filters of packets
 *
 * Clients ask for them when they start, whether they need one or not, and go on if the answer is that
 * there is none: lists are empty, look-ups fail with the code of the kind, events may be asked for and
 * never come. What would make one is refused.
 */
#include <string.h>

#include "base/uuid.h"
#include "manage/event-kind-int.h"
#include "manage/peer-int.h"

struct kind {
	const char *noun;
	enum rpc_code code; /* there is none of this name */
	enum rpc_from from;
	struct event_kind events;
	const char *remedy;
};

static const struct kind interface = {
	"interface",
	RPC_CODE_NO_INTERFACE,
	RPC_FROM_INTERFACE,
	{ "interface", RPC_FROM_INTERFACE, 0, 0 },
	"the host's interfaces are not configured from here; use the host's own means",
};
static const struct kind filter = {
	"nwfilter",
	RPC_CODE_NO_NWFILTER,
	RPC_FROM_NWFILTER,
	{ "nwfilter", RPC_FROM_NWFILTER, 0, 0 },
	"filters of packets are not supported; use the host's firewall",
};
static const struct kind device = {
	"node device",
	RPC_CODE_NO_NODE_DEVICE,
	RPC_FROM_NODEDEV,
	{ "node device", RPC_FROM_NODEDEV, 1300, 2 },
	"",
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
NAMED(interface)
REFUSED(interface)
NAMED(filter)
OF_UUID(filter)
REFUSED(filter)

/* == Events: they never come, but who has asked can take it back. All kinds begin with the event's number. == */

#define EVENTS(kind)                                                                 \
	static void want_##kind(struct call *call, const void *args)                 \
	{                                                                            \
		event_kind_register(call, &(kind).events, *(const int *)args, NULL); \
	}                                                                            \
	static void drop_##kind(struct call *call, const void *args)                 \
	{                                                                            \
		event_kind_deregister(call, &(kind).events, *(const int *)args);     \
	}
EVENTS(device)

const struct call_entry absent_handlers[] = {

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

	HANDLE_BARE(RPC_PROC_CONNECT_NODE_DEVICE_EVENT_REGISTER_ANY, want_device),
	HANDLE_BARE(RPC_PROC_CONNECT_NODE_DEVICE_EVENT_DEREGISTER_ANY, drop_device),
	HANDLERS_END,
};
