/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pool-event.c - what happens to storage pools, for those clients that have asked
 */
#include <string.h>

#include "manage/peer-int.h"
#include "manage/pool-int.h"

enum {
	/* Among subscriptions, away from the events of domains: see absent.c. */
	POOL_LIFECYCLE_ID = 1100,
	POOL_REFRESH_ID = 1101,
	POOL_EVENT_COUNT = 2,
};

/* @body begins with the callback's number. */
static void send_to(struct peer *peer, const struct subscription *sub, int number, void *body)
{
	const struct rpc_procedure *proc = rpc_procedure_find(number);
	struct rpc_header header = { .program = RPC_PROGRAM_REMOTE,
				     .version = RPC_VERSION,
				     .procedure = number,
				     .type = RPC_TYPE_MESSAGE,
				     .serial = 1 };
	struct rpc_message *msg = rpc_message_new(&header);

	memcpy(body, &sub->callback, sizeof(sub->callback));
	if (rpc_message_put_xdr(msg, proc->args.xdr, body, NULL))
		peer_send_event(peer, msg);
	else
		rpc_message_free(msg);
}

static void emit(struct pool *pool, int event, int number, void *body)
{
	GPtrArray *peers = pool->node->peers;

	for (unsigned i = 0; i < peers->len; i++) {
		struct peer *peer = peers->pdata[i];

		for (unsigned k = 0; k < peer->subscriptions->len; k++) {
			const struct subscription *sub =
				&g_array_index(peer->subscriptions, struct subscription, k);

			if (sub->event == event &&
			    (!sub->one || !memcmp(sub->uuid, pool->uuid, sizeof(sub->uuid))))
				send_to(peer, sub, number, body);
		}
	}
}

void event_pool(struct pool *pool, enum pool_event event)
{
	rpc_storage_pool_event_lifecycle_msg body = { .pool = pool_handle(pool),
						      .event = (int)event };

	emit(pool, POOL_LIFECYCLE_ID, RPC_PROC_STORAGE_POOL_EVENT_LIFECYCLE, &body);
}

void event_pool_refresh(struct pool *pool)
{
	rpc_storage_pool_event_refresh_msg body = { .pool = pool_handle(pool) };

	emit(pool, POOL_REFRESH_ID, RPC_PROC_STORAGE_POOL_EVENT_REFRESH, &body);
}

static void on_register(struct call *call,
			const rpc_connect_storage_pool_event_register_any_args *args)
{
	struct peer *peer = call->peer;
	struct subscription sub = { .callback = peer->next_callback,
				    .event = POOL_LIFECYCLE_ID + args->eventID };
	rpc_connect_storage_pool_event_register_any_ret ret = { .callbackID = sub.callback };

	if (args->eventID < 0 || args->eventID >= POOL_EVENT_COUNT) {
		call_fail(call, RPC_CODE_INVALID_ARG, RPC_FROM_STORAGE,
			  "unsupported event ID %d of a storage pool; there are 0 to %d",
			  args->eventID, POOL_EVENT_COUNT - 1);
		return;
	}
	if (peer->subscriptions->len >= PEER_EVENTS_MAX) {
		call_fail(call, RPC_CODE_OPERATION_FAILED, RPC_FROM_STORAGE,
			  "this connection has asked for %d kinds of events already; drop some",
			  PEER_EVENTS_MAX);
		return;
	}
	if (args->pool) {
		sub.one = true;
		memcpy(sub.uuid, args->pool->uuid, sizeof(sub.uuid));
	}
	peer->next_callback++;
	g_array_append_val(peer->subscriptions, sub);
	call_reply(call, &ret);
}

static void on_deregister(struct call *call,
			  const rpc_connect_storage_pool_event_deregister_any_args *args)
{
	GArray *list = call->peer->subscriptions;

	for (unsigned i = 0; i < list->len; i++) {
		const struct subscription *sub = &g_array_index(list, struct subscription, i);

		if (sub->callback != args->callbackID || sub->event < POOL_LIFECYCLE_ID ||
		    sub->event >= POOL_LIFECYCLE_ID + POOL_EVENT_COUNT)
			continue;
		g_array_remove_index(list, i);
		call_reply(call, NULL);
		return;
	}
	call_fail(call, RPC_CODE_INVALID_ARG, RPC_FROM_STORAGE,
		  "no event callback %d of a storage pool is registered on this connection",
		  args->callbackID);
}

const struct call_entry pool_event_handlers[] = {
	HANDLE(RPC_PROC_CONNECT_STORAGE_POOL_EVENT_REGISTER_ANY,
	       rpc_connect_storage_pool_event_register_any_args, on_register),
	HANDLE(RPC_PROC_CONNECT_STORAGE_POOL_EVENT_DEREGISTER_ANY,
	       rpc_connect_storage_pool_event_deregister_any_args, on_deregister),
	HANDLERS_END,
};
