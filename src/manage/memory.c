/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * memory.c - a domain's memory: how much, of what, how much it may be
 */
#include <inttypes.h>

#include "base/error.h"
#include "manage/handler-int.h"

enum {
	MEMORY_MAXIMUM = 1 << 2, /* beside AFFECT_... */
	TAG_BALLOON = 6,         /* libvirt's */
	TAG_RSS = 7,
};

static void on_get_max_memory(struct call *call, const rpc_domain_get_max_memory_args *args)
{
	struct vm *vm = call_vm(call, &args->dom);
	rpc_domain_get_max_memory_ret ret;

	if (!vm)
		return;
	ret.memory = (uint64_t)vm_shown(vm)->memory.value;
	call_reply(call, &ret);
}

/* == Statistics == */

static void answer_stats(struct call *call)
{
	const rpc_domain_memory_stats_args *args = call->args;
	const struct machine_stats *stats = call_stats(call);
	rpc_domain_memory_stat list[MACHINE_MEMORY_TAGS + 2];
	rpc_domain_memory_stats_ret ret = { { 0, list } };
	unsigned n = 0;

	if (!(stats->valid & MACHINE_QUERY_MEMORY)) {
		call_query_fail(call, RPC_CODE_OPERATION_FAILED,
				"domain '%s' does not tell about its memory now; try again",
				call->vm->dom.name);
		return;
	}
	list[n++] = (rpc_domain_memory_stat){ TAG_BALLOON, stats->balloon_kib };
	for (unsigned i = 0; i < MIN(stats->memory_count, MACHINE_MEMORY_TAGS); i++)
		list[n++] =
			(rpc_domain_memory_stat){ stats->memory[i].tag, stats->memory[i].value };
	if (stats->rss_kib)
		list[n++] = (rpc_domain_memory_stat){ TAG_RSS, stats->rss_kib };
	ret.stats.stats_len = MIN(n, args->maxStats);
	call_query_reply(call, &ret);
}

static void on_memory_stats(struct call *call, const rpc_domain_memory_stats_args *args)
{
	struct vm *vm = call_active(call, &args->dom);

	if (vm && call_flags(call, args->flags, 0))
		call_query(call, vm, MACHINE_QUERY_MEMORY, answer_stats);
}

/* == Changes == */

static uint64_t wanted_kib(const struct call *call)
{
	switch (call->proc->number) {
	case RPC_PROC_DOMAIN_SET_MEMORY:
		return ((const rpc_domain_set_memory_args *)call->args)->memory;
	case RPC_PROC_DOMAIN_SET_MAX_MEMORY:
		return ((const rpc_domain_set_max_memory_args *)call->args)->memory;
	default:
		return ((const rpc_domain_set_memory_flags_args *)call->args)->memory;
	}
}

static bool apply_memory(struct call *call, struct domain *domain, GError **error)
{
	uint64_t kib = wanted_kib(call);

	if (kib == 0)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "a domain cannot have no memory at all; give it some");
	if (kib > (uint64_t)domain->memory.value)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "cannot set memory to %" PRIu64 " KiB: the domain has at most "
				 "%" PRIi64 "; raise its maximum first",
				 kib, domain->memory.value);
	domain->current_memory = number_of((int64_t)kib);
	return true;
}

static void tell_memory(struct call *call, struct machine *machine, struct task *task)
{
	g_autoptr(GError) error = NULL;

	if (machine->ops->set_memory) {
		machine->ops->set_memory(machine, wanted_kib(call), task);
		return;
	}
	error_set(&error, SOCLE_ERROR_UNSUPPORTED, "this machine has no memory balloon");
	task_end(task, error);
}

static bool apply_maximum(struct call *call, struct domain *domain, GError **error)
{
	uint64_t kib = wanted_kib(call);

	if (kib == 0 || kib > INT64_MAX / 1024)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "a domain cannot have %" PRIu64 " KiB of memory", kib);
	domain->memory = number_of((int64_t)kib);
	if (domain->current_memory.value > domain->memory.value)
		domain->current_memory = domain->memory;
	return true;
}

static void tell_maximum(struct call *call, struct machine *machine, struct task *task)
{
	g_autoptr(GError) error = NULL;

	(void)call;
	(void)machine;
	error_set(&error, SOCLE_ERROR_STATE,
		  "the maximum memory of a running domain cannot change; change its configuration");
	task_end(task, error);
}

static const struct change memory_change = { .apply = apply_memory,
					     .machine = tell_memory,
					     .machine_first = true };
static const struct change maximum_change = { .apply = apply_maximum, .machine = tell_maximum };

static void on_set_memory(struct call *call, const rpc_domain_set_memory_args *args)
{
	struct vm *vm = call_vm(call, &args->dom);

	if (vm)
		call_change(call, vm, &memory_change, AFFECT_LIVE);
}

static void on_set_memory_flags(struct call *call, const rpc_domain_set_memory_flags_args *args)
{
	struct vm *vm = call_vm(call, &args->dom);

	if (vm && call_flags(call, args->flags, AFFECT_BOTH | MEMORY_MAXIMUM))
		call_change(call, vm,
			    args->flags & MEMORY_MAXIMUM ? &maximum_change : &memory_change,
			    args->flags & AFFECT_BOTH);
}

static void on_set_max_memory(struct call *call, const rpc_domain_set_max_memory_args *args)
{
	struct vm *vm = call_vm(call, &args->dom);

	if (vm)
		call_change(call, vm, &maximum_change, AFFECT_CURRENT);
}

/* How often the guest's balloon tells: our machines ask when they are asked. */
static bool apply_period(struct call *call, struct domain *domain, GError **error)
{
	const rpc_domain_set_memory_stats_period_args *args = call->args;

	if (!domain->devices.memballoon_count)
		return error_set(error, SOCLE_ERROR_STATE, "the domain has no memory balloon");
	if (args->period < 0)
		return error_set(error, SOCLE_ERROR_USAGE, "a period is 0 seconds or more");
	domain->devices.memballoons[0].stats.period =
		args->period ? number_of(args->period) : (struct number){ 0 };
	return true;
}

static const struct change period_change = { .apply = apply_period };

static void on_set_period(struct call *call, const rpc_domain_set_memory_stats_period_args *args)
{
	struct vm *vm = call_vm(call, &args->dom);

	if (vm && call_flags(call, args->flags, AFFECT_BOTH))
		call_change(call, vm, &period_change, args->flags);
}

const struct call_entry memory_handlers[] = {
	HANDLE(RPC_PROC_DOMAIN_GET_MAX_MEMORY, rpc_domain_get_max_memory_args, on_get_max_memory),
	HANDLE(RPC_PROC_DOMAIN_MEMORY_STATS, rpc_domain_memory_stats_args, on_memory_stats),
	HANDLE(RPC_PROC_DOMAIN_SET_MEMORY, rpc_domain_set_memory_args, on_set_memory),
	HANDLE(RPC_PROC_DOMAIN_SET_MEMORY_FLAGS, rpc_domain_set_memory_flags_args,
	       on_set_memory_flags),
	HANDLE(RPC_PROC_DOMAIN_SET_MAX_MEMORY, rpc_domain_set_max_memory_args, on_set_max_memory),
	HANDLE(RPC_PROC_DOMAIN_SET_MEMORY_STATS_PERIOD, rpc_domain_set_memory_stats_period_args,
	       on_set_period),
	HANDLERS_END,
};
