/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * info.c - what a domain is and how it is
 */
#include <string.h>

#include "base/error.h"
#include "manage/event-int.h"
#include "manage/handler-int.h"

static void on_get_state(struct call *call, const rpc_domain_get_state_args *args)
{
	struct vm *vm = call_vm(call, &args->dom);
	rpc_domain_get_state_ret ret;

	if (!vm || !call_flags(call, args->flags, 0))
		return;
	ret.state = (int)vm->dom.state;
	ret.reason = vm->dom.reason;
	call_reply(call, &ret);
}

static unsigned vcpus_now(const struct domain *domain)
{
	const struct domain_vcpu *vcpu = &domain->vcpu;

	return (unsigned)(vcpu->current.set ? vcpu->current.value : vcpu->count.value);
}

static void answer_info(struct call *call)
{
	const struct machine_stats *stats = call_stats(call);
	const struct vm *vm = call->vm;
	const struct domain *domain = vm_shown(vm);
	rpc_domain_get_info_ret ret = { .state = (unsigned char)vm->dom.state };

	if (domain) {
		ret.maxMem = (uint64_t)domain->memory.value;
		ret.memory = (uint64_t)domain->current_memory.value;
		ret.nrVirtCpu = (unsigned short)vcpus_now(domain);
	}
	if (stats->valid & MACHINE_QUERY_CPU)
		ret.cpuTime = stats->cpu_ns;
	call_query_reply(call, &ret);
}

static void on_get_info(struct call *call, const rpc_domain_get_info_args *args)
{
	struct vm *vm = call_vm(call, &args->dom);

	if (vm)
		call_query(call, vm, MACHINE_QUERY_CPU, answer_info);
}

static void on_get_os_type(struct call *call, const rpc_domain_get_os_type_args *args)
{
	struct vm *vm = call_vm(call, &args->dom);
	rpc_domain_get_os_type_ret ret;

	if (!vm)
		return;
	ret.type = vm_shown(vm)->os.type.name;
	call_reply(call, &ret);
}

static void on_is_active(struct call *call, const rpc_domain_is_active_args *args)
{
	struct vm *vm = call_vm(call, &args->dom);
	rpc_domain_is_active_ret ret;

	if (!vm)
		return;
	ret.active = vm_active(vm);
	call_reply(call, &ret);
}

static void on_is_persistent(struct call *call, const rpc_domain_is_persistent_args *args)
{
	struct vm *vm = call_vm(call, &args->dom);
	rpc_domain_is_persistent_ret ret;

	if (!vm)
		return;
	ret.persistent = vm->dom.config != NULL;
	call_reply(call, &ret);
}

static void on_is_updated(struct call *call, const rpc_domain_is_updated_args *args)
{
	struct vm *vm = call_vm(call, &args->dom);
	rpc_domain_is_updated_ret ret;

	if (!vm)
		return;
	ret.updated = vm->updated;
	call_reply(call, &ret);
}

/* == Autostart == */

static void on_get_autostart(struct call *call, const rpc_domain_get_autostart_args *args)
{
	struct vm *vm = call_vm(call, &args->dom);
	rpc_domain_get_autostart_ret ret;

	if (!vm)
		return;
	ret.autostart = vm->autostart;
	call_reply(call, &ret);
}

static void autostart_kept(struct call *call, const GError *error)
{
	if (error)
		call->vm->autostart = !call->vm->autostart;
	call_done(call, error);
}

static void autostart_run(struct call *call)
{
	const rpc_domain_set_autostart_args *args = call->args;
	struct vm *vm = call->vm;

	if (!call_still_there(call))
		return;
	if (!vm->dom.config) {
		call_fail(call, RPC_CODE_OPERATION_INVALID, RPC_FROM_QEMU,
			  "cannot set autostart for transient domain '%s'; define it first",
			  vm->dom.name);
		return;
	}
	if (vm->autostart == (args->autostart != 0)) {
		call_reply(call, NULL);
		return;
	}
	vm->autostart = args->autostart != 0;
	vm_keep_config(vm, call_task(call, autostart_kept));
}

static void on_set_autostart(struct call *call, const rpc_domain_set_autostart_args *args)
{
	struct vm *vm = call_vm(call, &args->dom);

	if (vm)
		call_job(call, vm, autostart_run);
}

/* == Saved states: there are none yet == */

static void on_has_managed_save(struct call *call,
				const rpc_domain_has_managed_save_image_args *args)
{
	rpc_domain_has_managed_save_image_ret ret = { .result = 0 };

	if (call_vm(call, &args->dom) && call_flags(call, args->flags, 0))
		call_reply(call, &ret);
}

static void on_managed_save_remove(struct call *call,
				   const rpc_domain_managed_save_remove_args *args)
{
	if (call_vm(call, &args->dom) && call_flags(call, args->flags, 0))
		call_reply(call, NULL);
}

static void no_saving(struct call *call)
{
	call_fail(call, RPC_CODE_OPERATION_UNSUPPORTED, RPC_FROM_QEMU,
		  "machines of this host cannot be saved to a file yet; pause the domain, or shut "
		  "it down");
}

#define ON_SAVE(name)                                                                  \
	static void on_##name(struct call *call, const rpc_domain_##name##_args *args) \
	{                                                                              \
		if (call_active(call, &args->dom))                                     \
			no_saving(call);                                               \
	}

ON_SAVE(save)
ON_SAVE(save_flags)
ON_SAVE(save_params)
ON_SAVE(managed_save)

static void on_restore(struct call *call, const void *args)
{
	(void)args;
	call_fail(call, RPC_CODE_OPERATION_UNSUPPORTED, RPC_FROM_QEMU,
		  "machines of this host cannot be restored from a file yet; start the domain");
}

/* == Control == */

static void on_get_control_info(struct call *call, const rpc_domain_get_control_info_args *args)
{
	struct vm *vm = call_active(call, &args->dom);
	rpc_domain_get_control_info_ret ret = { .state = 0 };

	if (!vm || !call_flags(call, args->flags, 0))
		return;
	if (!g_queue_is_empty(&vm->object.jobs)) {
		ret.state = 1; /* a job */
		ret.stateTime = (uint64_t)(g_get_monotonic_time() - vm->object.job_since) / 1000;
	}
	call_reply(call, &ret);
}

/* == What else dominfo shows == */

static void on_get_security_label(struct call *call, const rpc_domain_get_security_label_args *args)
{
	rpc_domain_get_security_label_ret ret = { .enforcing = 0 };

	if (call_vm(call, &args->dom))
		call_reply(call, &ret);
}

/* The check tells each time, so what is told is true of this host now. */
static void on_get_messages(struct call *call, const rpc_domain_get_messages_args *args)
{
	struct vm *vm = call_vm(call, &args->dom);
	rpc_domain_get_messages_ret ret = { { 0 } };
	struct notes notes = { .count = 0 };
	autoptr(domain) copy = NULL;

	if (!vm || !call_flags(call, args->flags, 3))
		return;
	copy = domain_copy(vm_shown(vm));
	if (!domain_check(copy, &call->node->config.support, 0, &notes, NULL))
		notes_add(&notes, "this host would not start it again");
	if (vm->tainted && vm_active(vm))
		notes_add(&notes, "tainted: use of custom monitor control commands");
	/* Nothing of ours is deprecated. */
	if (args->flags != 1) {
		ret.msgs.msgs_val = notes.text;
		ret.msgs.msgs_len = notes.count;
	}
	call_reply(call, &ret);
	notes_release(&notes);
}

static void on_get_perf(struct call *call, const rpc_domain_get_perf_events_args *args)
{
	rpc_domain_get_perf_events_ret ret = { { 0 } };

	if (call_vm(call, &args->dom) && call_flags(call, args->flags, 7))
		call_reply(call, &ret);
}

static void on_get_launch_security(struct call *call,
				   const rpc_domain_get_launch_security_info_args *args)
{
	rpc_domain_get_launch_security_info_ret ret = { { 0 } };

	if (call_vm(call, &args->dom))
		call_reply(call, &ret);
}

static void on_get_disk_errors(struct call *call, const rpc_domain_get_disk_errors_args *args)
{
	rpc_domain_get_disk_errors_ret ret = { .nerrors = 0 };
	struct vm *vm = call_active(call, &args->dom);

	if (vm && call_flags(call, args->flags, 0))
		call_reply(call, &ret);
}

static void on_pm_suspend(struct call *call, const rpc_domain_pm_suspend_for_duration_args *args)
{
	if (call_active(call, &args->dom))
		call_unsupported(call, "putting a guest to sleep");
}

static void on_pm_wakeup(struct call *call, const rpc_domain_pm_wakeup_args *args)
{
	struct vm *vm = call_active(call, &args->dom);

	if (vm)
		call_fail(call, RPC_CODE_OPERATION_INVALID, RPC_FROM_QEMU,
			  "Unable to wake up domain '%s': it does not sleep", vm->dom.name);
}

const struct call_entry info_handlers[] = {
	HANDLE(RPC_PROC_DOMAIN_GET_STATE, rpc_domain_get_state_args, on_get_state),
	HANDLE(RPC_PROC_DOMAIN_GET_INFO, rpc_domain_get_info_args, on_get_info),
	HANDLE(RPC_PROC_DOMAIN_GET_OS_TYPE, rpc_domain_get_os_type_args, on_get_os_type),
	HANDLE(RPC_PROC_DOMAIN_IS_ACTIVE, rpc_domain_is_active_args, on_is_active),
	HANDLE(RPC_PROC_DOMAIN_IS_PERSISTENT, rpc_domain_is_persistent_args, on_is_persistent),
	HANDLE(RPC_PROC_DOMAIN_IS_UPDATED, rpc_domain_is_updated_args, on_is_updated),
	HANDLE(RPC_PROC_DOMAIN_GET_AUTOSTART, rpc_domain_get_autostart_args, on_get_autostart),
	HANDLE(RPC_PROC_DOMAIN_SET_AUTOSTART, rpc_domain_set_autostart_args, on_set_autostart),
	HANDLE(RPC_PROC_DOMAIN_HAS_MANAGED_SAVE_IMAGE, rpc_domain_has_managed_save_image_args,
	       on_has_managed_save),
	HANDLE(RPC_PROC_DOMAIN_MANAGED_SAVE_REMOVE, rpc_domain_managed_save_remove_args,
	       on_managed_save_remove),
	HANDLE(RPC_PROC_DOMAIN_SAVE, rpc_domain_save_args, on_save),
	HANDLE(RPC_PROC_DOMAIN_SAVE_FLAGS, rpc_domain_save_flags_args, on_save_flags),
	HANDLE(RPC_PROC_DOMAIN_SAVE_PARAMS, rpc_domain_save_params_args, on_save_params),
	HANDLE(RPC_PROC_DOMAIN_MANAGED_SAVE, rpc_domain_managed_save_args, on_managed_save),
	HANDLE_BARE(RPC_PROC_DOMAIN_RESTORE, on_restore),
	HANDLE_BARE(RPC_PROC_DOMAIN_RESTORE_FLAGS, on_restore),
	HANDLE_BARE(RPC_PROC_DOMAIN_RESTORE_PARAMS, on_restore),
	HANDLE_BARE(RPC_PROC_DOMAIN_SAVE_IMAGE_GET_XML_DESC, on_restore),
	HANDLE_BARE(RPC_PROC_DOMAIN_SAVE_IMAGE_DEFINE_XML, on_restore),
	HANDLE(RPC_PROC_DOMAIN_GET_CONTROL_INFO, rpc_domain_get_control_info_args,
	       on_get_control_info),
	HANDLE(RPC_PROC_DOMAIN_GET_SECURITY_LABEL, rpc_domain_get_security_label_args,
	       on_get_security_label),
	HANDLE(RPC_PROC_DOMAIN_GET_MESSAGES, rpc_domain_get_messages_args, on_get_messages),
	HANDLE(RPC_PROC_DOMAIN_GET_PERF_EVENTS, rpc_domain_get_perf_events_args, on_get_perf),
	HANDLE(RPC_PROC_DOMAIN_GET_LAUNCH_SECURITY_INFO, rpc_domain_get_launch_security_info_args,
	       on_get_launch_security),
	HANDLE(RPC_PROC_DOMAIN_GET_DISK_ERRORS, rpc_domain_get_disk_errors_args,
	       on_get_disk_errors),
	HANDLE(RPC_PROC_DOMAIN_PM_SUSPEND_FOR_DURATION, rpc_domain_pm_suspend_for_duration_args,
	       on_pm_suspend),
	HANDLE(RPC_PROC_DOMAIN_PM_WAKEUP, rpc_domain_pm_wakeup_args, on_pm_wakeup),
	HANDLERS_END,
};
