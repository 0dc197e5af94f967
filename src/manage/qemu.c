/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qemu.c - program qemu: a machine's monitor and its guest's agent, as they are
 *
 * Who speaks to a monitor can do all that the machine can do, behind the back of its definition:
 * such a domain is tainted until it ends.
 */
#include <jansson.h>
#include <string.h>

#include "base/error.h"
#include "manage/handler-int.h"
#include "manage/peer-int.h"

enum {
	MONITOR_HMP = 1 << 0, /* a line for people, not JSON */
	EVENT_REGEX = 1 << 0,
	EVENT_NOCASE = 1 << 1,
	PATTERN_MAX = 256,
};

/* == Commands == */

static char *lend(char *text)
{
	return text ? text : (char *)(uintptr_t) "";
}

/* What a line for people has brought, out of the JSON around it. */
static void answer_line(struct call *call, const char *text)
{
	json_t *answer = json_loads(text, 0, NULL);
	const json_t *failed = json_object_get(answer, "error");
	const char *why = json_string_value(json_object_get(failed, "desc"));
	const char *line = json_string_value(json_object_get(answer, "return"));
	rpc_qemu_domain_monitor_command_ret ret = { (char *)(uintptr_t)line };

	if (line)
		call_reply(call, &ret);
	else
		call_fail(call, RPC_CODE_OPERATION_FAILED, RPC_FROM_QEMU,
			  "the machine's monitor refused: %.512s", why ? why : "without a reason");
	json_decref(answer);
}

static void monitor_answered(struct call *call, const GError *error)
{
	const rpc_qemu_domain_monitor_command_args *args = call->args;
	char **answer = call->data;
	rpc_qemu_domain_monitor_command_ret ret = { lend(*answer) };

	if (error)
		call_fail_error(call, RPC_FROM_QEMU, error);
	else if (args->flags & MONITOR_HMP)
		answer_line(call, ret.result);
	else
		call_reply(call, &ret);
}

static void answer_free(void *data)
{
	char **answer = data;

	g_free(*answer);
	g_free(answer);
}

static char *line_command(const char *line)
{
	json_t *command = json_pack("{s:s,s:{s:s}}", "execute", "human-monitor-command",
				    "arguments", "command-line", line);
	char *dumped = command ? json_dumps(command, JSON_COMPACT) : NULL;
	char *text = g_strdup(dumped);

	free(dumped);
	json_decref(command);
	return text;
}

static void monitor_run(struct call *call)
{
	const rpc_qemu_domain_monitor_command_args *args = call->args;
	g_autofree char *command = NULL;
	struct machine *machine;

	if (!call_still_active(call))
		return;
	machine = call->vm->dom.machine;
	command = args->flags & MONITOR_HMP ? line_command(args->cmd) : g_strdup(args->cmd);
	if (!machine->ops->monitor) {
		call_unsupported(call, "a command for its monitor");
		return;
	}
	if (!command) {
		call_fail(call, RPC_CODE_INVALID_ARG, RPC_FROM_QEMU,
			  "the command is no UTF-8; write it so");
		return;
	}
	call->vm->tainted = true;
	call_data(call, sizeof(char *));
	call->data_free = answer_free;
	machine->ops->monitor(machine, command, call->data, call_task(call, monitor_answered));
}

static void on_monitor(struct call *call, const rpc_qemu_domain_monitor_command_args *args)
{
	struct vm *vm = call_active(call, &args->dom);

	if (vm && call_flags(call, args->flags, MONITOR_HMP))
		call_job(call, vm, monitor_run);
}

static void agent_answered(struct call *call, const GError *error)
{
	char **answer = call->data;
	rpc_qemu_domain_agent_command_ret ret = { answer };

	if (error)
		call_fail(call, RPC_CODE_AGENT_UNRESPONSIVE, RPC_FROM_QEMU,
			  "Guest agent is not responding: %s", error->message);
	else
		call_reply(call, &ret);
}

static void on_agent(struct call *call, const rpc_qemu_domain_agent_command_args *args)
{
	struct vm *vm = call_active(call, &args->dom);
	struct machine *machine;

	if (!vm || !call_flags(call, args->flags, 0))
		return;
	machine = vm->dom.machine;
	if (!machine || !machine->ops->agent) {
		call_unsupported(call, "a command for its agent");
		return;
	}
	call_data(call, sizeof(char *));
	call->data_free = answer_free;
	call_hold(call, vm);
	/* How long is waited is the machine's business, whatever the client says. */
	machine->ops->agent(machine, args->cmd, call->data, call_task(call, agent_answered));
}

/* == Events == */

struct watch {
	int callback;
	bool one; /* only of the domain with this UUID */
	uint8_t uuid[16];
	char *name;    /* of the event, NULL: all */
	GRegex *regex; /* or of those that are like this */
	bool nocase;
};

void monitor_watch_free(void *data)
{
	struct watch *watch = data;

	g_free(watch->name);
	if (watch->regex)
		g_regex_unref(watch->regex);
	g_free(watch);
}

static bool wants(const struct watch *watch, const struct vm *vm, const char *event)
{
	if (watch->one && memcmp(watch->uuid, vm->dom.uuid, sizeof(watch->uuid)) != 0)
		return false;
	if (watch->regex)
		return g_regex_match(watch->regex, event, 0, NULL);
	if (!watch->name)
		return true;
	return watch->nocase ? !g_ascii_strcasecmp(watch->name, event)
			     : !strcmp(watch->name, event);
}

static void tell(struct peer *peer, rpc_qemu_domain_monitor_event_msg *body)
{
	const struct rpc_procedure *proc =
		rpc_qemu_procedure_find(RPC_PROC_QEMU_DOMAIN_MONITOR_EVENT);
	const struct rpc_header header = { .program = RPC_PROGRAM_QEMU,
					   .version = RPC_VERSION,
					   .procedure = proc->number,
					   .type = RPC_TYPE_MESSAGE,
					   .serial = 1 };
	struct rpc_message *msg = rpc_message_new(&header);

	if (rpc_message_put_xdr(msg, proc->args.xdr, body, NULL))
		peer_send_event(peer, msg);
	else
		rpc_message_free(msg);
}

void machine_monitor_event(struct dom *dom, const char *event, const char *details)
{
	const int64_t now_us = g_get_real_time();
	const struct vm *vm = vm_of(dom);
	char *text = (char *)(uintptr_t)details;
	rpc_qemu_domain_monitor_event_msg body = {
		.dom = vm_handle(vm),
		.event = (char *)(uintptr_t)event,
		.seconds = now_us / G_USEC_PER_SEC,
		.micros = (unsigned)(now_us % G_USEC_PER_SEC),
		.details = details ? &text : NULL,
	};

	for (unsigned i = 0; i < dom->node->peers->len; i++) {
		struct peer *peer = dom->node->peers->pdata[i];

		for (unsigned k = 0; k < peer->monitor_watches->len; k++) {
			const struct watch *watch = peer->monitor_watches->pdata[k];

			body.callbackID = watch->callback;
			if (wants(watch, vm, event))
				tell(peer, &body);
		}
	}
}

/* False: the call has failed. */
static bool take_pattern(struct call *call, struct watch *watch, const char *event, unsigned flags)
{
	g_autoptr(GError) error = NULL;

	watch->nocase = flags & EVENT_NOCASE;
	if (event && strlen(event) > PATTERN_MAX)
		error_set(&error, SOCLE_ERROR_LIMIT, "it has more than %d bytes", PATTERN_MAX);
	else if (event && flags & EVENT_REGEX)
		watch->regex = g_regex_new(event, watch->nocase ? G_REGEX_CASELESS : 0, 0, &error);
	else
		watch->name = g_strdup(event);
	if (error)
		call_fail(call, RPC_CODE_INVALID_ARG, RPC_FROM_QEMU,
			  "the name of the events makes no sense: %s", error->message);
	return !error;
}

static void on_register(struct call *call,
			const rpc_qemu_connect_domain_monitor_event_register_args *args)
{
	struct peer *peer = call->peer;
	rpc_qemu_connect_domain_monitor_event_register_ret ret;
	struct watch *watch;

	if (!call_flags(call, args->flags, EVENT_REGEX | EVENT_NOCASE))
		return;
	if (peer->monitor_watches->len >= PEER_EVENTS_MAX) {
		call_fail(call, RPC_CODE_OPERATION_FAILED, RPC_FROM_QEMU,
			  "this connection has asked for %d kinds of events already; drop some",
			  PEER_EVENTS_MAX);
		return;
	}
	watch = g_new0(struct watch, 1);
	if (!take_pattern(call, watch, args->event ? *args->event : NULL, args->flags)) {
		monitor_watch_free(watch);
		return;
	}
	if (args->dom) {
		watch->one = true;
		memcpy(watch->uuid, args->dom->uuid, sizeof(watch->uuid));
	}
	watch->callback = ret.callbackID = peer->next_callback++;
	g_ptr_array_add(peer->monitor_watches, watch);
	call_reply(call, &ret);
}

static void on_deregister(struct call *call,
			  const rpc_qemu_connect_domain_monitor_event_deregister_args *args)
{
	GPtrArray *watches = call->peer->monitor_watches;

	for (unsigned i = 0; i < watches->len; i++) {
		const struct watch *watch = watches->pdata[i];

		if (watch->callback != args->callbackID)
			continue;
		g_ptr_array_remove_index(watches, i);
		call_reply(call, NULL);
		return;
	}
	call_fail(call, RPC_CODE_INVALID_ARG, RPC_FROM_QEMU,
		  "no event callback of this number is registered on this connection");
}

const struct call_entry qemu_handlers[] = {
	HANDLE(QEMU_PROCEDURES + RPC_PROC_QEMU_DOMAIN_MONITOR_COMMAND,
	       rpc_qemu_domain_monitor_command_args, on_monitor),
	HANDLE(QEMU_PROCEDURES + RPC_PROC_QEMU_DOMAIN_AGENT_COMMAND,
	       rpc_qemu_domain_agent_command_args, on_agent),
	HANDLE(QEMU_PROCEDURES + RPC_PROC_QEMU_CONNECT_DOMAIN_MONITOR_EVENT_REGISTER,
	       rpc_qemu_connect_domain_monitor_event_register_args, on_register),
	HANDLE(QEMU_PROCEDURES + RPC_PROC_QEMU_CONNECT_DOMAIN_MONITOR_EVENT_DEREGISTER,
	       rpc_qemu_connect_domain_monitor_event_deregister_args, on_deregister),
	HANDLERS_END,
};
