/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * dump.c - a guest's memory into a file, and the job that this is
 *
 * It is the only job of a domain that is shown as one. It takes as long as it takes: who has asked for
 * it waits, and others look, or give it up.
 */
#include <string.h>

#include "base/error.h"
#include "manage/handler-int.h"
#include "manage/machine.h"

/* libvirt's numbers. */
enum {
	DUMP_CRASH = 1 << 0,
	DUMP_LIVE = 1 << 1,
	DUMP_BYPASS_CACHE = 1 << 2, /* it does not stay in the cache of a file system anyway */
	DUMP_RESET = 1 << 3,
	DUMP_MEMORY_ONLY = 1 << 4, /* ours always are */
	DUMP_FLAGS = (1 << 5) - 1,
	FORMAT_RAW = 0,
	JOB_UNBOUNDED = 2,
	OPERATION_DUMP = 8,
	STATS_COMPLETED = 1 << 0,

	DAY_MS = 24 * 3600 * 1000,
};

/* == The dump == */

struct dumping {
	char *path;
	unsigned flags;
};

static void dumping_free(void *data)
{
	struct dumping *dumping = data;

	g_free(dumping->path);
	g_free(dumping);
}

static void crashed(struct call *call, const GError *error)
{
	struct vm *vm = call->vm;

	if (!error)
		vm_ended(vm, MACHINE_END_CRASHED, "it was dumped with the flag 'crash'");
	call_done(call, error);
}

static void dumped(struct call *call, const GError *error)
{
	const struct dumping *dumping = call->data;
	struct vm *vm = call->vm;
	struct machine *machine = vm->dom.machine;

	vm->dumping = false;
	if (error)
		call_fail_error(call, RPC_FROM_QEMU, error);
	else if (!(dumping->flags & (DUMP_CRASH | DUMP_RESET)))
		call_reply(call, NULL);
	else if (!call_still_active(call))
		return;
	else if (dumping->flags & DUMP_CRASH)
		machine->ops->destroy(machine, false, call_task(call, crashed));
	else
		machine->ops->reset(machine, call_task(call, call_done));
}

/* Nobody is told that it takes long: that is no news. */
static void still_waits(struct call *call)
{
	call_deadline(call, DAY_MS, still_waits);
}

static void dump_run(struct call *call)
{
	const struct dumping *dumping = call->data;
	struct vm *vm = call->vm;
	struct machine *machine;

	if (!call_still_active(call))
		return;
	machine = vm->dom.machine;
	if (!machine->ops->core_dump) {
		call_unsupported(call, "a dump of a guest's memory");
		return;
	}
	if (call->peer)
		call_deadline(call, DAY_MS, still_waits);
	vm->dumping = true;
	vm->dump_since = g_get_monotonic_time();
	machine->ops->core_dump(machine, dumping->path, call_task(call, dumped));
}

static bool more_than_one(unsigned flags)
{
	flags &= DUMP_CRASH | DUMP_LIVE | DUMP_RESET;
	return (flags & (flags - 1)) != 0;
}

static void dump(struct call *call, struct vm *vm, const char *to, unsigned format, unsigned flags)
{
	struct dumping *dumping;

	if (!call_flags(call, flags, DUMP_FLAGS))
		return;
	if (more_than_one(flags)) {
		call_fail(call, RPC_CODE_INVALID_ARG, RPC_FROM_QEMU,
			  "of the flags crash, live and reset there can be one");
		return;
	}
	if (format != FORMAT_RAW) {
		call_fail(call, RPC_CODE_OPERATION_UNSUPPORTED, RPC_FROM_QEMU,
			  "dumps are ELF files without compression here; leave the format at elf, "
			  "and compress the file afterwards");
		return;
	}
	if (to[0] != '/') {
		call_fail(call, RPC_CODE_INVALID_ARG, RPC_FROM_QEMU,
			  "the file of a dump is named by its whole path, not '%.256s'", to);
		return;
	}
	dumping = call_data(call, sizeof(*dumping));
	*dumping = (struct dumping){ g_strdup(to), flags };
	call->data_free = dumping_free;
	call_job(call, vm, dump_run);
}

static void on_core_dump(struct call *call, const rpc_domain_core_dump_args *args)
{
	struct vm *vm = call_active(call, &args->dom);

	if (vm)
		dump(call, vm, args->to, FORMAT_RAW, args->flags);
}

static void on_core_dump_with_format(struct call *call,
				     const rpc_domain_core_dump_with_format_args *args)
{
	struct vm *vm = call_active(call, &args->dom);

	if (vm)
		dump(call, vm, args->to, args->dumpformat, args->flags);
}

/* == The job == */

static uint64_t elapsed_ms(const struct vm *vm)
{
	return (uint64_t)(g_get_monotonic_time() - vm->dump_since) / 1000;
}

static void answer_info(struct call *call, const GError *error)
{
	const struct machine_dump_info *info = call->data;
	rpc_domain_get_job_info_ret ret = { .type = 0 };

	(void)error; /* it has ended meanwhile, or says nothing: no numbers, then */
	if (call->vm->dumping)
		ret = (rpc_domain_get_job_info_ret){
			.type = JOB_UNBOUNDED,
			.timeElapsed = elapsed_ms(call->vm),
			.dataTotal = info->total,
			.dataProcessed = info->done,
			.dataRemaining = info->total - MIN(info->done, info->total),
			.memTotal = info->total,
			.memProcessed = info->done,
			.memRemaining = info->total - MIN(info->done, info->total),
		};
	call_reply(call, &ret);
}

static void answer_stats(struct call *call, const GError *error)
{
	const struct machine_dump_info *info = call->data;
	rpc_domain_get_job_stats_ret ret = { .type = 0 };
	uint64_t remaining = info->total - MIN(info->done, info->total);
	struct rpc_params params;

	(void)error;
	rpc_params_init(&params);
	if (call->vm->dumping) {
		ret.type = JOB_UNBOUNDED;
		rpc_params_add_int(&params, "operation", OPERATION_DUMP);
		rpc_params_add_ullong(&params, "time_elapsed", elapsed_ms(call->vm));
		rpc_params_add_ullong(&params, "data_total", info->total);
		rpc_params_add_ullong(&params, "data_processed", info->done);
		rpc_params_add_ullong(&params, "data_remaining", remaining);
		rpc_params_add_ullong(&params, "memory_total", info->total);
		rpc_params_add_ullong(&params, "memory_processed", info->done);
		rpc_params_add_ullong(&params, "memory_remaining", remaining);
	}
	ret.params.params_val = params.items;
	ret.params.params_len = params.count;
	call_reply(call, &ret);
	rpc_params_release(&params);
}

static void ask_job(struct call *call, struct vm *vm, bool current, call_next answer)
{
	struct machine *machine = vm->dom.machine;

	(void)call_data(call, sizeof(struct machine_dump_info));
	call_hold(call, vm);
	if (current && vm->dumping && machine)
		machine->ops->core_dump_query(machine, call->data, call_task(call, answer));
	else
		answer(call, NULL);
}

static void on_get_job_info(struct call *call, const rpc_domain_get_job_info_args *args)
{
	struct vm *vm = call_vm(call, &args->dom);

	if (vm)
		ask_job(call, vm, true, answer_info);
}

static void on_get_job_stats(struct call *call, const rpc_domain_get_job_stats_args *args)
{
	struct vm *vm = call_vm(call, &args->dom);
	rpc_domain_get_job_stats_ret ret = { .type = 0 };

	if (!vm || !call_flags(call, args->flags, 3))
		return;
	/* What there was is not remembered. */
	if (args->flags & STATS_COMPLETED)
		call_reply(call, &ret);
	else
		ask_job(call, vm, true, answer_stats);
}

static void on_abort_job(struct call *call, const rpc_domain_abort_job_args *args)
{
	struct vm *vm = call_active(call, &args->dom);
	struct machine *machine = vm ? vm->dom.machine : NULL;

	if (!vm)
		return;
	if (!vm->dumping || !machine) {
		call_fail(call, RPC_CODE_OPERATION_INVALID, RPC_FROM_QEMU,
			  "Requested operation is not valid: no job is active on domain '%s'",
			  vm->dom.name);
		return;
	}
	call_hold(call, vm);
	machine->ops->core_dump_abort(machine, call_task(call, call_done));
}

const struct call_entry dump_handlers[] = {
	HANDLE(RPC_PROC_DOMAIN_CORE_DUMP, rpc_domain_core_dump_args, on_core_dump),
	HANDLE(RPC_PROC_DOMAIN_CORE_DUMP_WITH_FORMAT, rpc_domain_core_dump_with_format_args,
	       on_core_dump_with_format),
	HANDLE(RPC_PROC_DOMAIN_GET_JOB_INFO, rpc_domain_get_job_info_args, on_get_job_info),
	HANDLE(RPC_PROC_DOMAIN_GET_JOB_STATS, rpc_domain_get_job_stats_args, on_get_job_stats),
	HANDLE(RPC_PROC_DOMAIN_ABORT_JOB, rpc_domain_abort_job_args, on_abort_job),
	HANDLERS_END,
};
