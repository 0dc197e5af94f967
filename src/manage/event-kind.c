/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * event-kind.c - events of what are no domains: who has asked for them, and who is told
 */
#include "manage/event-kind-int.h"

#include <string.h>

#include "manage/node-int.h"
#include "manage/peer-int.h"

void event_kind_register(struct call *call, const struct event_kind *kind, int event,
			 const void *uuid)
{
	struct subscription sub = { .one = uuid != NULL };
	/* All kinds answer with nothing but that. */
	rpc_connect_network_event_register_any_ret ret;

	if (event < 0 || event >= kind->count) {
		call_fail(call, RPC_CODE_INVALID_ARG, kind->from,
			  "unsupported event ID %d of a %s; there are 0 to %d", event, kind->noun,
			  kind->count - 1);
		return;
	}
	sub.event = kind->base + event;
	if (uuid)
		memcpy(sub.uuid, uuid, sizeof(sub.uuid));
	ret.callbackID = call_subscribe(call, sub, true, kind->from);
	if (ret.callbackID >= 0)
		call_reply(call, &ret);
}

void event_kind_deregister(struct call *call, const struct event_kind *kind, int callback)
{
	GArray *list = call->peer->subscriptions;

	for (unsigned i = 0; i < list->len; i++) {
		const struct subscription *sub = &g_array_index(list, struct subscription, i);

		if (sub->callback != callback || sub->event < kind->base ||
		    sub->event >= kind->base + kind->count)
			continue;
		g_array_remove_index(list, i);
		call_reply(call, NULL);
		return;
	}
	call_fail(call, RPC_CODE_INVALID_ARG, kind->from,
		  "no event callback %d of a %s is registered on this connection", callback,
		  kind->noun);
}

static void send_to(struct peer *peer, int callback, int message, void *body)
{
	const struct rpc_procedure *proc = rpc_procedure_find(message);
	struct rpc_header header = { .program = RPC_PROGRAM_REMOTE,
				     .version = RPC_VERSION,
				     .procedure = message,
				     .type = RPC_TYPE_MESSAGE,
				     .serial = 1 };
	struct rpc_message *msg = rpc_message_new(&header);

	memcpy(body, &callback, sizeof(callback));
	if (rpc_message_put_xdr(msg, proc->args.xdr, body, NULL))
		peer_send_event(peer, msg);
	else
		rpc_message_free(msg);
}

void event_kind_emit(struct node *node, const struct event_kind *kind, int event, const void *uuid,
		     int message, void *body)
{
	for (unsigned i = 0; i < node->peers->len; i++) {
		struct peer *peer = node->peers->pdata[i];

		for (unsigned k = 0; k < peer->subscriptions->len; k++) {
			const struct subscription *sub =
				&g_array_index(peer->subscriptions, struct subscription, k);

			if (sub->event == kind->base + event &&
			    (!sub->one || !memcmp(sub->uuid, uuid, sizeof(sub->uuid))))
				send_to(peer, sub->callback, message, body);
		}
	}
}
