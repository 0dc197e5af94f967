/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * absent.c - kinds of objects that are not here: lists of them are empty, and none is found
 *
 * Clients list them all before they show a domain. Networks, pools and volumes move out of here when
 * there are some.
 */
#include "manage/handler-int.h"
#include "manage/peer-int.h"

/* == Empty lists: an answer of zeroes says so, in each of them == */

static void answer_zeroes(struct call *call, const void *args)
{
	g_autofree void *ret = g_malloc0(call->proc->ret.size);

	(void)args;
	call_reply(call, ret);
}

/* == Not found == */

#define NOT_FOUND(what, code, from, text)                                   \
	static void no_##what(struct call *call, const void *args)          \
	{                                                                   \
		(void)args;                                                 \
		call_fail(call, RPC_CODE_NO_##code, RPC_FROM_##from, text); \
	}

NOT_FOUND(network, NETWORK, NETWORK, "Network not found: there are none on this host")
NOT_FOUND(pool, STORAGE_POOL, STORAGE, "Storage pool not found: there are none on this host")
NOT_FOUND(volume, STORAGE_VOL, STORAGE, "Storage volume not found: there are none on this host")
NOT_FOUND(interface, INTERFACE, INTERFACE, "Interface not found: none is managed here")
NOT_FOUND(device, NODE_DEVICE, NODEDEV, "Node device not found: none is listed here")
NOT_FOUND(nwfilter, NWFILTER, NWFILTER, "Network filter not found: there are none on this host")
NOT_FOUND(secret, SECRET, SECRET, "Secret not found: there are none on this host")
NOT_FOUND(checkpoint, DOMAIN_CHECKPOINT, DOMAIN_CHECKPOINT,
	  "Domain checkpoint not found: there are none on this host")

/* == Events that will never come may be asked for == */

static void answer_register(struct call *call, const void *args)
{
	/* The five layouts of the answer are the same. */
	rpc_connect_network_event_register_any_ret ret = { .callbackID =
								   call->peer->next_callback++ };

	(void)args;
	call_reply(call, &ret);
}

static void answer_nothing(struct call *call, const void *args)
{
	(void)args;
	call_reply(call, NULL);
}

const struct call_entry absent_handlers[] = {
	HANDLE_BARE(RPC_PROC_CONNECT_LIST_ALL_NETWORKS, answer_zeroes),
	HANDLE_BARE(RPC_PROC_CONNECT_NUM_OF_NETWORKS, answer_zeroes),
	HANDLE_BARE(RPC_PROC_CONNECT_LIST_NETWORKS, answer_zeroes),
	HANDLE_BARE(RPC_PROC_CONNECT_NUM_OF_DEFINED_NETWORKS, answer_zeroes),
	HANDLE_BARE(RPC_PROC_CONNECT_LIST_DEFINED_NETWORKS, answer_zeroes),
	HANDLE_BARE(RPC_PROC_NETWORK_LOOKUP_BY_NAME, no_network),
	HANDLE_BARE(RPC_PROC_NETWORK_LOOKUP_BY_UUID, no_network),
	HANDLE_BARE(RPC_PROC_CONNECT_LIST_ALL_STORAGE_POOLS, answer_zeroes),
	HANDLE_BARE(RPC_PROC_CONNECT_NUM_OF_STORAGE_POOLS, answer_zeroes),
	HANDLE_BARE(RPC_PROC_CONNECT_LIST_STORAGE_POOLS, answer_zeroes),
	HANDLE_BARE(RPC_PROC_CONNECT_NUM_OF_DEFINED_STORAGE_POOLS, answer_zeroes),
	HANDLE_BARE(RPC_PROC_CONNECT_LIST_DEFINED_STORAGE_POOLS, answer_zeroes),
	HANDLE_BARE(RPC_PROC_STORAGE_POOL_LOOKUP_BY_NAME, no_pool),
	HANDLE_BARE(RPC_PROC_STORAGE_POOL_LOOKUP_BY_UUID, no_pool),
	HANDLE_BARE(RPC_PROC_STORAGE_POOL_LOOKUP_BY_VOLUME, no_pool),
	HANDLE_BARE(RPC_PROC_STORAGE_POOL_LOOKUP_BY_TARGET_PATH, no_pool),
	HANDLE_BARE(RPC_PROC_STORAGE_VOL_LOOKUP_BY_NAME, no_volume),
	HANDLE_BARE(RPC_PROC_STORAGE_VOL_LOOKUP_BY_KEY, no_volume),
	HANDLE_BARE(RPC_PROC_STORAGE_VOL_LOOKUP_BY_PATH, no_volume),
	HANDLE_BARE(RPC_PROC_CONNECT_LIST_ALL_INTERFACES, answer_zeroes),
	HANDLE_BARE(RPC_PROC_CONNECT_NUM_OF_INTERFACES, answer_zeroes),
	HANDLE_BARE(RPC_PROC_CONNECT_LIST_INTERFACES, answer_zeroes),
	HANDLE_BARE(RPC_PROC_INTERFACE_LOOKUP_BY_NAME, no_interface),
	HANDLE_BARE(RPC_PROC_INTERFACE_LOOKUP_BY_MAC_STRING, no_interface),
	HANDLE_BARE(RPC_PROC_CONNECT_LIST_ALL_NODE_DEVICES, answer_zeroes),
	HANDLE_BARE(RPC_PROC_NODE_NUM_OF_DEVICES, answer_zeroes),
	HANDLE_BARE(RPC_PROC_NODE_LIST_DEVICES, answer_zeroes),
	HANDLE_BARE(RPC_PROC_NODE_DEVICE_LOOKUP_BY_NAME, no_device),
	HANDLE_BARE(RPC_PROC_NODE_DEVICE_GET_XML_DESC, no_device),
	HANDLE_BARE(RPC_PROC_NODE_DEVICE_GET_PARENT, no_device),
	HANDLE_BARE(RPC_PROC_CONNECT_LIST_ALL_NWFILTERS, answer_zeroes),
	HANDLE_BARE(RPC_PROC_CONNECT_NUM_OF_NWFILTERS, answer_zeroes),
	HANDLE_BARE(RPC_PROC_CONNECT_LIST_NWFILTERS, answer_zeroes),
	HANDLE_BARE(RPC_PROC_CONNECT_LIST_ALL_NWFILTER_BINDINGS, answer_zeroes),
	HANDLE_BARE(RPC_PROC_NWFILTER_LOOKUP_BY_NAME, no_nwfilter),
	HANDLE_BARE(RPC_PROC_NWFILTER_LOOKUP_BY_UUID, no_nwfilter),
	HANDLE_BARE(RPC_PROC_CONNECT_LIST_ALL_SECRETS, answer_zeroes),
	HANDLE_BARE(RPC_PROC_CONNECT_NUM_OF_SECRETS, answer_zeroes),
	HANDLE_BARE(RPC_PROC_CONNECT_LIST_SECRETS, answer_zeroes),
	HANDLE_BARE(RPC_PROC_SECRET_LOOKUP_BY_UUID, no_secret),
	HANDLE_BARE(RPC_PROC_SECRET_LOOKUP_BY_USAGE, no_secret),
	HANDLE_BARE(RPC_PROC_DOMAIN_LIST_ALL_CHECKPOINTS, answer_zeroes),
	HANDLE_BARE(RPC_PROC_DOMAIN_CHECKPOINT_LOOKUP_BY_NAME, no_checkpoint),
	HANDLE_BARE(RPC_PROC_CONNECT_NETWORK_EVENT_REGISTER_ANY, answer_register),
	HANDLE_BARE(RPC_PROC_CONNECT_NETWORK_EVENT_DEREGISTER_ANY, answer_nothing),
	HANDLE_BARE(RPC_PROC_CONNECT_STORAGE_POOL_EVENT_REGISTER_ANY, answer_register),
	HANDLE_BARE(RPC_PROC_CONNECT_STORAGE_POOL_EVENT_DEREGISTER_ANY, answer_nothing),
	HANDLE_BARE(RPC_PROC_CONNECT_NODE_DEVICE_EVENT_REGISTER_ANY, answer_register),
	HANDLE_BARE(RPC_PROC_CONNECT_NODE_DEVICE_EVENT_DEREGISTER_ANY, answer_nothing),
	HANDLE_BARE(RPC_PROC_CONNECT_SECRET_EVENT_REGISTER_ANY, answer_register),
	HANDLE_BARE(RPC_PROC_CONNECT_SECRET_EVENT_DEREGISTER_ANY, answer_nothing),
	HANDLERS_END,
};
