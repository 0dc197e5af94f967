/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * event.c - what happens to a domain, for those clients that have asked
 */
#include "manage/event-int.h"

#include <limits.h>
#include <string.h>

#include "manage/peer-int.h"
#include "rpc/param.h"

enum {
	EVENT_LIFECYCLE_ID = 0,
	EVENT_METADATA_ID = 23,
	EVENT_COUNT = 27, /* of 9.0 */
};

/* By libvirt's number: the message, and the one of the old kind, which has no callback's number. */
static const struct {
	int message, old;
} events[EVENT_COUNT] = {
	[0] = { RPC_PROC_DOMAIN_EVENT_CALLBACK_LIFECYCLE, 107 },
	[1] = { RPC_PROC_DOMAIN_EVENT_CALLBACK_REBOOT, 169 },
	[2] = { RPC_PROC_DOMAIN_EVENT_CALLBACK_RTC_CHANGE, 170 },
	[3] = { RPC_PROC_DOMAIN_EVENT_CALLBACK_WATCHDOG, 171 },
	[4] = { RPC_PROC_DOMAIN_EVENT_CALLBACK_IO_ERROR, 172 },
	[5] = { RPC_PROC_DOMAIN_EVENT_CALLBACK_GRAPHICS, 173 },
	[6] = { RPC_PROC_DOMAIN_EVENT_CALLBACK_IO_ERROR_REASON, 195 },
	[7] = { RPC_PROC_DOMAIN_EVENT_CALLBACK_CONTROL_ERROR, 224 },
	[8] = { RPC_PROC_DOMAIN_EVENT_CALLBACK_BLOCK_JOB, 241 },
	[9] = { RPC_PROC_DOMAIN_EVENT_CALLBACK_DISK_CHANGE, 248 },
	[10] = { RPC_PROC_DOMAIN_EVENT_CALLBACK_TRAY_CHANGE, 268 },
	[11] = { RPC_PROC_DOMAIN_EVENT_CALLBACK_PMWAKEUP, 269 },
	[12] = { RPC_PROC_DOMAIN_EVENT_CALLBACK_PMSUSPEND, 270 },
	[13] = { RPC_PROC_DOMAIN_EVENT_CALLBACK_BALLOON_CHANGE, 276 },
	[14] = { RPC_PROC_DOMAIN_EVENT_CALLBACK_PMSUSPEND_DISK, 292 },
	[15] = { RPC_PROC_DOMAIN_EVENT_CALLBACK_DEVICE_REMOVED, 311 },
	[16] = { RPC_PROC_DOMAIN_EVENT_BLOCK_JOB_2, 0 },
	[17] = { RPC_PROC_DOMAIN_EVENT_CALLBACK_TUNABLE, 0 },
	[18] = { RPC_PROC_DOMAIN_EVENT_CALLBACK_AGENT_LIFECYCLE, 0 },
	[19] = { RPC_PROC_DOMAIN_EVENT_CALLBACK_DEVICE_ADDED, 0 },
	[20] = { RPC_PROC_DOMAIN_EVENT_CALLBACK_MIGRATION_ITERATION, 0 },
	[21] = { RPC_PROC_DOMAIN_EVENT_CALLBACK_JOB_COMPLETED, 0 },
	[22] = { RPC_PROC_DOMAIN_EVENT_CALLBACK_DEVICE_REMOVAL_FAILED, 0 },
	[23] = { RPC_PROC_DOMAIN_EVENT_CALLBACK_METADATA_CHANGE, 0 },
	[24] = { RPC_PROC_DOMAIN_EVENT_BLOCK_THRESHOLD, 0 },
	[25] = { RPC_PROC_DOMAIN_EVENT_MEMORY_FAILURE, 0 },
	[26] = { RPC_PROC_DOMAIN_EVENT_MEMORY_DEVICE_SIZE_CHANGE, 0 },
};

static struct rpc_message *new_event(int number)
{
	struct rpc_header header = { .program = RPC_PROGRAM_REMOTE,
				     .version = RPC_VERSION,
				     .procedure = number,
				     .type = RPC_TYPE_MESSAGE,
				     .serial = 1 };

	return rpc_message_new(&header);
}

/* @body begins with the callback's number, in each message. */
static void send_to(struct peer *peer, const struct subscription *sub, void *body)
{
	const struct rpc_procedure *proc = rpc_procedure_find(events[sub->event].message);
	struct rpc_message *msg = new_event(proc->number), *old;
	struct span packet;

	memcpy(body, &sub->callback, sizeof(sub->callback));
	if (!rpc_message_put_xdr(msg, proc->args.xdr, body, NULL)) {
		rpc_message_free(msg);
		return;
	}
	if (sub->callback >= 0) {
		peer_send_event(peer, msg);
		return;
	}
	packet = rpc_message_packet(msg);
	old = new_event(events[sub->event].old);
	if (rpc_message_put_bytes(old, packet.p + RPC_PACKET_MIN + 4,
				  packet.len - RPC_PACKET_MIN - 4, NULL))
		peer_send_event(peer, old);
	else
		rpc_message_free(old);
	rpc_message_free(msg);
}

static void emit(struct vm *vm, int event, void *body)
{
	GPtrArray *peers = vm->dom.node->peers;

	for (unsigned i = 0; i < peers->len; i++) {
		struct peer *peer = peers->pdata[i];

		for (unsigned k = 0; k < peer->subscriptions->len; k++) {
			const struct subscription *sub =
				&g_array_index(peer->subscriptions, struct subscription, k);

			if (sub->event == event &&
			    (!sub->one || !memcmp(sub->uuid, vm->dom.uuid, sizeof(sub->uuid))))
				send_to(peer, sub, body);
		}
	}
}

/* XDR does not write through what it encodes. */
static char *text(const char *s)
{
	return (char *)(uintptr_t)(s ? s : "");
}

void event_lifecycle(struct vm *vm, enum event_lifecycle event, enum event_detail detail)
{
	rpc_domain_event_callback_lifecycle_msg body = { .dom = vm_handle(vm),
							 .event = (int)event,
							 .detail = (int)detail };

	emit(vm, EVENT_LIFECYCLE_ID, &body);
}

void event_reboot(struct vm *vm)
{
	rpc_domain_event_callback_reboot_msg body = { .dom = vm_handle(vm) };

	emit(vm, 1, &body);
}

void event_rtc_change(struct vm *vm, int64_t offset)
{
	rpc_domain_event_callback_rtc_change_msg body = { .dom = vm_handle(vm), .offset = offset };

	emit(vm, 2, &body);
}

void event_watchdog(struct vm *vm, int action)
{
	rpc_domain_event_callback_watchdog_msg body = { .dom = vm_handle(vm), .action = action };

	emit(vm, 3, &body);
}

void event_io_error(struct vm *vm, const char *path, const char *alias, int action,
		    const char *reason)
{
	rpc_domain_event_callback_io_error_msg body = { .dom = vm_handle(vm),
							.srcPath = text(path),
							.devAlias = text(alias),
							.action = action };
	rpc_domain_event_callback_io_error_reason_msg with = { .dom = vm_handle(vm),
							       .srcPath = text(path),
							       .devAlias = text(alias),
							       .action = action,
							       .reason = text(reason) };

	emit(vm, 4, &body);
	emit(vm, 6, &with);
}

void event_balloon_change(struct vm *vm, uint64_t kib)
{
	rpc_domain_event_callback_balloon_change_msg body = { .dom = vm_handle(vm), .actual = kib };

	emit(vm, 13, &body);
}

void event_device_added(struct vm *vm, const char *alias)
{
	rpc_domain_event_callback_device_added_msg body = { .dom = vm_handle(vm),
							    .devAlias = text(alias) };

	emit(vm, 19, &body);
}

void event_device_removed(struct vm *vm, const char *alias)
{
	rpc_domain_event_callback_device_removed_msg body = { .dom = vm_handle(vm),
							      .devAlias = text(alias) };

	emit(vm, 15, &body);
}

void event_tray_change(struct vm *vm, const char *alias, bool open)
{
	rpc_domain_event_callback_tray_change_msg body = { .dom = vm_handle(vm),
							   .devAlias = text(alias),
							   .reason = open ? 0 : 1 };

	emit(vm, 10, &body);
}

void event_device_removal_failed(struct vm *vm, const char *alias)
{
	rpc_domain_event_callback_device_removal_failed_msg body = { .dom = vm_handle(vm),
								     .devAlias = text(alias) };

	emit(vm, 22, &body);
}

void event_agent(struct vm *vm, bool connected)
{
	rpc_domain_event_callback_agent_lifecycle_msg body = { .dom = vm_handle(vm),
							       .state = connected ? 1 : 2,
							       .reason = 2 }; /* the channel */

	emit(vm, 18, &body);
}

static void add_tunable(struct rpc_params *list, const char *name, const rpc_param_value *value)
{
	if (value->type == RPC_PARAM_STRING)
		rpc_params_add_string(list, name, value->rpc_param_value_u.s);
	else if (value->type == RPC_PARAM_ULLONG)
		rpc_params_add_ullong(list, name, value->rpc_param_value_u.ul);
	else if (value->type == RPC_PARAM_LLONG)
		rpc_params_add_llong(list, name, value->rpc_param_value_u.l);
}

void event_tunable(struct vm *vm, const char *group, const rpc_param *params, unsigned count,
		   const char *disk)
{
	rpc_domain_event_callback_tunable_msg body = { .dom = vm_handle(vm) };
	struct rpc_params list;

	rpc_params_init(&list);
	if (disk) {
		g_autofree char *name = g_strconcat(group, ".disk", NULL);

		rpc_params_add_string(&list, name, disk);
	}
	for (unsigned i = 0; i < count; i++) {
		g_autofree char *name = g_strconcat(group, ".", params[i].field, NULL);

		add_tunable(&list, name, &params[i].value);
	}
	body.params.params_val = list.items;
	body.params.params_len = list.count;
	emit(vm, 17, &body);
	rpc_params_release(&list);
}

void event_metadata(struct vm *vm, int type, const char *uri)
{
	char *nsuri = text(uri);
	rpc_domain_event_callback_metadata_change_msg body = { .dom = vm_handle(vm),
							       .type = type,
							       .nsuri = uri ? &nsuri : NULL };

	emit(vm, EVENT_METADATA_ID, &body);
}

void event_block_threshold(struct vm *vm, const char *target, const char *path, uint64_t threshold,
			   uint64_t excess)
{
	char *name = text(path);
	rpc_domain_event_block_threshold_msg body = { .dom = vm_handle(vm),
						      .dev = text(target),
						      .path = path ? &name : NULL,
						      .threshold = threshold,
						      .excess = excess };

	emit(vm, 24, &body);
}

void event_block_job(struct vm *vm, const char *path, const char *target, int type, int status)
{
	rpc_domain_event_callback_block_job_msg body = {
		.dom = vm_handle(vm), .path = text(path), .type = type, .status = status
	};
	rpc_domain_event_block_job_2_msg second = {
		.dom = vm_handle(vm), .dst = text(target), .type = type, .status = status
	};

	emit(vm, 8, &body);
	emit(vm, 16, &second);
}

/* == Who has asked == */

static bool has_callback(const struct peer *peer, int callback)
{
	for (unsigned i = 0; i < peer->subscriptions->len; i++) {
		if (g_array_index(peer->subscriptions, struct subscription, i).callback == callback)
			return true;
	}
	return false;
}

/* They begin anew behind the highest, and then some are still in use. */
static int free_callback(struct peer *peer)
{
	int callback;

	do {
		callback = peer->next_callback;
		peer->next_callback = callback < INT_MAX ? callback + 1 : 0;
	} while (has_callback(peer, callback));
	return callback;
}

int call_subscribe(struct call *call, struct subscription sub, bool numbered, enum rpc_from from)
{
	struct peer *peer = call->peer;

	if (peer->subscriptions->len >= PEER_EVENTS_MAX) {
		call_fail(call, RPC_CODE_OPERATION_FAILED, from,
			  "this connection has asked for %d kinds of events already; drop some",
			  PEER_EVENTS_MAX);
		return -1;
	}
	sub.callback = numbered ? free_callback(peer) : -1;
	g_array_append_val(peer->subscriptions, sub);
	return numbered ? sub.callback : 0;
}

static int subscribe(struct call *call, int event, const rpc_domain *dom, bool old)
{
	struct subscription sub = { .event = event };

	if (event < 0 || event >= EVENT_COUNT || (old && !events[event].old)) {
		call_fail(call, RPC_CODE_INVALID_ARG, RPC_FROM_QEMU,
			  "unsupported event ID %d; this daemon has 0 to %d", event,
			  EVENT_COUNT - 1);
		return -1;
	}
	if (dom) {
		sub.one = true;
		memcpy(sub.uuid, dom->uuid, sizeof(sub.uuid));
	}
	return call_subscribe(call, sub, !old, RPC_FROM_QEMU);
}

static bool unsubscribe(struct peer *peer, int callback, int event)
{
	for (unsigned i = 0; i < peer->subscriptions->len; i++) {
		const struct subscription *sub =
			&g_array_index(peer->subscriptions, struct subscription, i);

		if (sub->callback != callback || (callback < 0 && sub->event != event))
			continue;
		g_array_remove_index(peer->subscriptions, i);
		return true;
	}
	return false;
}

static void say_not_asked(struct call *call)
{
	call_fail(call, RPC_CODE_INVALID_ARG, RPC_FROM_QEMU,
		  "no event callback of this number is registered on this connection");
}

static void on_register(struct call *call,
			const rpc_connect_domain_event_callback_register_any_args *args)
{
	rpc_connect_domain_event_callback_register_any_ret ret = {
		.callbackID = subscribe(call, args->eventID, args->dom, false)
	};

	if (ret.callbackID >= 0)
		call_reply(call, &ret);
}

static void on_deregister(struct call *call,
			  const rpc_connect_domain_event_callback_deregister_any_args *args)
{
	if (args->callbackID < 0 || !unsubscribe(call->peer, args->callbackID, 0))
		say_not_asked(call);
	else
		call_reply(call, NULL);
}

static void on_old_register(struct call *call,
			    const rpc_connect_domain_event_register_any_args *args)
{
	unsubscribe(call->peer, -1, args->eventID);
	if (subscribe(call, args->eventID, NULL, true) >= 0)
		call_reply(call, NULL);
}

static void on_old_deregister(struct call *call,
			      const rpc_connect_domain_event_deregister_any_args *args)
{
	if (!unsubscribe(call->peer, -1, args->eventID))
		say_not_asked(call);
	else
		call_reply(call, NULL);
}

static void on_oldest_register(struct call *call, const void *args)
{
	rpc_connect_domain_event_register_ret ret = { .cb_registered = 1 };

	(void)args;
	unsubscribe(call->peer, -1, EVENT_LIFECYCLE_ID);
	if (subscribe(call, EVENT_LIFECYCLE_ID, NULL, true) >= 0)
		call_reply(call, &ret);
}

static void on_oldest_deregister(struct call *call, const void *args)
{
	rpc_connect_domain_event_deregister_ret ret = { .cb_registered = 0 };

	(void)args;
	if (!unsubscribe(call->peer, -1, EVENT_LIFECYCLE_ID))
		say_not_asked(call);
	else
		call_reply(call, &ret);
}

void peer_forget_node(struct peer *peer)
{
	struct node *node = peer->node;

	if (!node)
		return;
	peer->node = NULL;
	g_array_set_size(peer->subscriptions, 0);
	g_ptr_array_set_size(peer->monitor_watches, 0);
	g_ptr_array_remove_fast(node->peers, peer);
	vms_destroy_with(node, peer);
}

const struct call_entry event_handlers[] = {
	HANDLE(RPC_PROC_CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY,
	       rpc_connect_domain_event_callback_register_any_args, on_register),
	HANDLE(RPC_PROC_CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY,
	       rpc_connect_domain_event_callback_deregister_any_args, on_deregister),
	HANDLE(RPC_PROC_CONNECT_DOMAIN_EVENT_REGISTER_ANY,
	       rpc_connect_domain_event_register_any_args, on_old_register),
	HANDLE(RPC_PROC_CONNECT_DOMAIN_EVENT_DEREGISTER_ANY,
	       rpc_connect_domain_event_deregister_any_args, on_old_deregister),
	HANDLE_BARE(RPC_PROC_CONNECT_DOMAIN_EVENT_REGISTER, on_oldest_register),
	HANDLE_BARE(RPC_PROC_CONNECT_DOMAIN_EVENT_DEREGISTER, on_oldest_deregister),
	HANDLERS_END,
};
