/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lifecycle.c - the procedures that start, stop and pause machines
 */
#include <string.h>

#include "base/error.h"
#include "manage/define-int.h"
#include "manage/event-int.h"
#include "manage/handler-int.h"
#include "manage/peer-int.h"

enum {
	START_PAUSED = 1 << 0,
	START_AUTODESTROY = 1 << 1,
	START_BYPASS_CACHE = 1 << 2,
	START_FORCE_BOOT = 1 << 3,
	START_VALIDATE = 1 << 4,
	START_RESET_NVRAM = 1 << 5,
	START_FLAGS = 0x3f,
	SHUTDOWN_ACPI = 1 << 0,
	SHUTDOWN_AGENT = 1 << 1, /* others are for containers and other hosts */
	SHUTDOWN_FLAGS = SHUTDOWN_ACPI | SHUTDOWN_AGENT,
	DESTROY_GRACEFUL = 1 << 0,
	DESTROY_FLAGS = 3,
};

bool call_flags(struct call *call, unsigned flags, unsigned known)
{
	if (!(flags & ~known))
		return true;
	call_fail(call, RPC_CODE_INVALID_ARG, RPC_FROM_QEMU, "unsupported flags (0x%x) in %s",
		  flags & ~known, call->proc ? call->proc->name : "our own call");
	return false;
}

/* == Start == */

static void answer_domain(struct call *call)
{
	/* All answers that have a domain have nothing else. */
	rpc_domain_create_with_flags_ret ret = { .dom = vm_handle(call->vm) };

	call_reply(call, &ret);
}

static void fail_start(struct call *call, const GError *error)
{
	bool unsupported = g_error_matches(error, SOCLE_ERROR, SOCLE_ERROR_UNSUPPORTED);

	call_fail(call, unsupported ? RPC_CODE_CONFIG_UNSUPPORTED : call_code_of(error),
		  RPC_FROM_QEMU, "%s", error->message);
}

static unsigned create_flags(const struct call *call)
{
	switch (call->proc->number) {
	case RPC_PROC_DOMAIN_CREATE_WITH_FLAGS:
		return ((const rpc_domain_create_with_flags_args *)call->args)->flags;
	case RPC_PROC_DOMAIN_CREATE_XML:
		return ((const rpc_domain_create_xml_args *)call->args)->flags;
	default:
		return 0;
	}
}

static void began(struct call *call, const GError *error)
{
	struct vm *vm = call->vm;

	if (error) {
		event_lifecycle(vm, EVENT_STOPPED, EVENT_STOPPED_FAILED);
		vm_leave(vm);
		fail_start(call, error);
		return;
	}
	if (call->proc->number == RPC_PROC_DOMAIN_CREATE)
		call_reply(call, NULL);
	else
		answer_domain(call);
}

static bool is_stopped(struct call *call)
{
	struct vm *vm = call->vm;

	if (!vm_active(vm))
		return true;
	call_fail(call, RPC_CODE_OPERATION_INVALID, RPC_FROM_QEMU,
		  "Requested operation is not valid: domain '%s' is already running", vm->dom.name);
	return false;
}

/* @domain is taken over. */
static void start(struct call *call, struct domain *domain)
{
	unsigned flags = create_flags(call);

	/* From the beginning: the client may go, or be told that it takes longer, before there is a machine. */
	if (flags & START_AUTODESTROY)
		call->vm->destroy_with = call->peer;
	vm_start(call, domain, flags & START_PAUSED ? MACHINE_START_PAUSED : 0, began);
}

/* Would its machine end with a client that is gone already? Then nobody wants it any more. */
static bool is_wanted(struct call *call)
{
	if (call->peer || !(create_flags(call) & START_AUTODESTROY))
		return true;
	vm_leave(call->vm);
	call_fail(call, RPC_CODE_OPERATION_ABORTED, RPC_FROM_QEMU, "its client is gone");
	return false;
}

static void create_run(struct call *call)
{
	if (call_still_there(call) && is_stopped(call) && is_wanted(call))
		start(call, domain_copy(call->vm->dom.config));
}

static void on_create(struct call *call, const rpc_domain_create_args *args)
{
	struct vm *vm = call_vm(call, &args->dom);

	if (vm)
		call_job(call, vm, create_run);
}

static void on_create_flags(struct call *call, const rpc_domain_create_with_flags_args *args)
{
	struct vm *vm = call_vm(call, &args->dom);

	if (vm && call_flags(call, args->flags, START_FLAGS & ~START_VALIDATE))
		call_job(call, vm, create_run);
}

static void free_domain(void *data)
{
	domain_free(data);
}

/* A transient machine, or one that has a definition and runs another one this time. */
static void create_xml_run(struct call *call)
{
	struct vm *vm;

	/* It may have got another name while this waited. */
	if (call_still_there(call) && is_stopped(call) && call_same(call, call->data, &vm) &&
	    is_wanted(call))
		start(call, g_steal_pointer(&call->data));
}

static void on_create_xml(struct call *call, const rpc_domain_create_xml_args *args)
{
	struct domain *domain;
	struct vm *vm;

	if (!call_flags(call, args->flags, START_FLAGS))
		return;
	domain = call_domain(call, args->xml_desc, args->flags & START_VALIDATE);
	if (!domain)
		return;
	if (!call_same(call, domain, &vm)) {
		domain_free(domain);
		return;
	}
	if (vm && vm_active(vm)) {
		call_fail(call, RPC_CODE_OPERATION_INVALID, RPC_FROM_QEMU,
			  "Requested operation is not valid: domain is already active as '%s'",
			  vm->dom.name);
		domain_free(domain);
		return;
	}
	call->data = domain;
	call->data_free = free_domain;
	if (!vm)
		vm = vm_new_empty(call->node, domain);
	call_job(call, vm, create_xml_run);
}

/* == Pause == */

static void suspended(struct call *call, const GError *error)
{
	struct vm *vm = call->vm;

	if (error) {
		call_fail_error(call, RPC_FROM_QEMU, error);
		return;
	}
	/* The machine may have told it already. */
	if (vm->dom.state != DOM_PAUSED || vm->dom.reason != 1) {
		bool told = vm->dom.state == DOM_PAUSED;

		vm_set_state(vm, DOM_PAUSED, 1);
		vm_keep_status(vm);
		if (!told)
			event_lifecycle(vm, EVENT_SUSPENDED, EVENT_SUSPENDED_PAUSED);
	}
	call_reply(call, NULL);
}

static void suspend_run(struct call *call)
{
	struct machine *machine = call->vm->dom.machine;

	if (!call_still_active(call))
		return;
	if (call->vm->dom.state == DOM_PAUSED) {
		call_reply(call, NULL);
		return;
	}
	machine->ops->pause(machine, call_task(call, suspended));
}

static void resumed(struct call *call, const GError *error)
{
	struct vm *vm = call->vm;

	if (error) {
		call_fail_error(call, RPC_FROM_QEMU, error);
		return;
	}
	if (vm->dom.state != DOM_RUNNING) {
		vm_set_state(vm, DOM_RUNNING, 5);
		vm_keep_status(vm);
		event_lifecycle(vm, EVENT_RESUMED, EVENT_RESUMED_UNPAUSED);
	}
	call_reply(call, NULL);
}

static void resume_run(struct call *call)
{
	struct machine *machine = call->vm->dom.machine;

	if (!call_still_active(call))
		return;
	if (call->vm->dom.state == DOM_RUNNING) {
		call_fail(call, RPC_CODE_OPERATION_INVALID, RPC_FROM_QEMU,
			  "Requested operation is not valid: domain '%s' is already running",
			  call->vm->dom.name);
		return;
	}
	machine->ops->resume(machine, call_task(call, resumed));
}

/* == Shut down, reboot, reset == */

void call_done(struct call *call, const GError *error)
{
	if (error)
		call_fail_error(call, RPC_FROM_QEMU, error);
	else
		call_reply(call, NULL);
}

static enum machine_shutdown how_of(unsigned flags)
{
	if (flags == SHUTDOWN_AGENT)
		return MACHINE_SHUTDOWN_AGENT;
	return flags == SHUTDOWN_ACPI ? MACHINE_SHUTDOWN_ACPI : MACHINE_SHUTDOWN_ANY;
}

static void shutdown_run(struct call *call)
{
	struct machine *machine = call->vm->dom.machine;
	unsigned flags = call->proc->number == RPC_PROC_DOMAIN_SHUTDOWN_FLAGS
				 ? ((const rpc_domain_shutdown_flags_args *)call->args)->flags
				 : 0;

	if (call_still_active(call))
		machine->ops->shutdown(machine, how_of(flags), call_task(call, call_done));
}

static void reboot_run(struct call *call)
{
	struct machine *machine = call->vm->dom.machine;
	const rpc_domain_reboot_args *args = call->args;

	if (call_still_active(call))
		machine->ops->reboot(machine, how_of(args->flags), call_task(call, call_done));
}

static void reset_run(struct call *call)
{
	struct machine *machine = call->vm->dom.machine;

	if (call_still_active(call))
		machine->ops->reset(machine, call_task(call, call_done));
}

static void nmi_run(struct call *call)
{
	struct machine *machine = call->vm->dom.machine;

	if (!call_still_active(call))
		return;
	if (!machine->ops->nmi)
		call_unsupported(call, "an NMI");
	else
		machine->ops->nmi(machine, call_task(call, call_done));
}

void call_unsupported(struct call *call, const char *what)
{
	call_fail(call, RPC_CODE_OPERATION_UNSUPPORTED, RPC_FROM_QEMU,
		  "%s is not supported by the machines of this host", what);
}

#define ON_ACTIVE(name)                                                                \
	static void on_##name(struct call *call, const rpc_domain_##name##_args *args) \
	{                                                                              \
		struct vm *vm = call_active(call, &args->dom);                         \
                                                                                       \
		if (vm)                                                                \
			call_job(call, vm, name##_run);                                \
	}

ON_ACTIVE(suspend)
ON_ACTIVE(resume)
ON_ACTIVE(shutdown)

static void on_shutdown_flags(struct call *call, const rpc_domain_shutdown_flags_args *args)
{
	struct vm *vm = call_active(call, &args->dom);

	if (vm && call_flags(call, args->flags, SHUTDOWN_FLAGS))
		call_job(call, vm, shutdown_run);
}

static void on_reboot(struct call *call, const rpc_domain_reboot_args *args)
{
	struct vm *vm = call_active(call, &args->dom);

	if (vm && call_flags(call, args->flags, SHUTDOWN_FLAGS))
		call_job(call, vm, reboot_run);
}

static void on_reset(struct call *call, const rpc_domain_reset_args *args)
{
	struct vm *vm = call_active(call, &args->dom);

	if (vm && call_flags(call, args->flags, 0))
		call_job(call, vm, reset_run);
}

static void on_nmi(struct call *call, const rpc_domain_inject_nmi_args *args)
{
	struct vm *vm = call_active(call, &args->dom);

	if (vm && call_flags(call, args->flags, 0))
		call_job(call, vm, nmi_run);
}

/* == Destroy: waits for nobody == */

static void on_destroy(struct call *call, const rpc_domain_destroy_args *args)
{
	struct vm *vm = call_active(call, &args->dom);

	if (vm)
		vm_destroy(call, vm, false);
}

static void on_destroy_flags(struct call *call, const rpc_domain_destroy_flags_args *args)
{
	struct vm *vm = call_active(call, &args->dom);

	if (vm && call_flags(call, args->flags, DESTROY_FLAGS))
		vm_destroy(call, vm, args->flags & DESTROY_GRACEFUL);
}

/* == Keys == */

static void send_key_run(struct call *call)
{
	struct machine *machine = call->vm->dom.machine;
	const rpc_domain_send_key_args *args = call->args;

	if (!call_still_active(call))
		return;
	if (!machine->ops->send_keys)
		call_unsupported(call, "a keyboard");
	else
		machine->ops->send_keys(machine, args->keycodes.keycodes_val,
					args->keycodes.keycodes_len, args->holdtime,
					call_task(call, call_done));
}

static void on_send_key(struct call *call, const rpc_domain_send_key_args *args)
{
	struct vm *vm = call_active(call, &args->dom);

	if (!vm || !call_flags(call, args->flags, 0))
		return;
	if (args->codeset != 0) {
		call_fail(call, RPC_CODE_OPERATION_UNSUPPORTED, RPC_FROM_QEMU,
			  "keys are known by Linux's codes only; use --codeset linux");
		return;
	}
	call_job(call, vm, send_key_run);
}

const struct call_entry lifecycle_handlers[] = {
	HANDLE(RPC_PROC_DOMAIN_CREATE, rpc_domain_create_args, on_create),
	HANDLE(RPC_PROC_DOMAIN_CREATE_WITH_FLAGS, rpc_domain_create_with_flags_args,
	       on_create_flags),
	HANDLE(RPC_PROC_DOMAIN_CREATE_XML, rpc_domain_create_xml_args, on_create_xml),
	HANDLE(RPC_PROC_DOMAIN_SUSPEND, rpc_domain_suspend_args, on_suspend),
	HANDLE(RPC_PROC_DOMAIN_RESUME, rpc_domain_resume_args, on_resume),
	HANDLE(RPC_PROC_DOMAIN_SHUTDOWN, rpc_domain_shutdown_args, on_shutdown),
	HANDLE(RPC_PROC_DOMAIN_SHUTDOWN_FLAGS, rpc_domain_shutdown_flags_args, on_shutdown_flags),
	HANDLE(RPC_PROC_DOMAIN_REBOOT, rpc_domain_reboot_args, on_reboot),
	HANDLE(RPC_PROC_DOMAIN_RESET, rpc_domain_reset_args, on_reset),
	HANDLE(RPC_PROC_DOMAIN_INJECT_NMI, rpc_domain_inject_nmi_args, on_nmi),
	HANDLE(RPC_PROC_DOMAIN_DESTROY, rpc_domain_destroy_args, on_destroy),
	HANDLE(RPC_PROC_DOMAIN_DESTROY_FLAGS, rpc_domain_destroy_flags_args, on_destroy_flags),
	HANDLE(RPC_PROC_DOMAIN_SEND_KEY, rpc_domain_send_key_args, on_send_key),
	HANDLERS_END,
};
