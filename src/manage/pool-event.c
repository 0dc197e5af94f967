/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pool-event.c - what happens to storage pools, for those clients that have asked
 */
#include "manage/event-kind-int.h"
#include "manage/pool-int.h"

enum {
	POOL_LIFECYCLE,
	POOL_REFRESH,
	POOL_EVENT_COUNT,
};

static const struct event_kind pool_events = { "storage pool", RPC_FROM_STORAGE, 1100,
					       POOL_EVENT_COUNT };

void event_pool(struct pool *pool, enum pool_event event)
{
	rpc_storage_pool_event_lifecycle_msg body = { .pool = pool_handle(pool),
						      .event = (int)event };

	event_kind_emit(pool->node, &pool_events, POOL_LIFECYCLE, pool->uuid,
			RPC_PROC_STORAGE_POOL_EVENT_LIFECYCLE, &body);
}

void event_pool_refresh(struct pool *pool)
{
	rpc_storage_pool_event_refresh_msg body = { .pool = pool_handle(pool) };

	event_kind_emit(pool->node, &pool_events, POOL_REFRESH, pool->uuid,
			RPC_PROC_STORAGE_POOL_EVENT_REFRESH, &body);
}

static void on_register(struct call *call,
			const rpc_connect_storage_pool_event_register_any_args *args)
{
	event_kind_register(call, &pool_events, args->eventID,
			    args->pool ? args->pool->uuid : NULL);
}

static void on_deregister(struct call *call,
			  const rpc_connect_storage_pool_event_deregister_any_args *args)
{
	event_kind_deregister(call, &pool_events, args->callbackID);
}

const struct call_entry pool_event_handlers[] = {
	HANDLE(RPC_PROC_CONNECT_STORAGE_POOL_EVENT_REGISTER_ANY,
	       rpc_connect_storage_pool_event_register_any_args, on_register),
	HANDLE(RPC_PROC_CONNECT_STORAGE_POOL_EVENT_DEREGISTER_ANY,
	       rpc_connect_storage_pool_event_deregister_any_args, on_deregister),
	HANDLERS_END,
};
