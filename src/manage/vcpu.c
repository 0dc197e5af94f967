/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vcpu.c - a domain's CPUs: how many, where, and what they have used
 */
#include <string.h>

#include "base/error.h"
#include "host/cpumap.h"
#include "manage/event-int.h"
#include "manage/handler-int.h"
#include "manage/host-int.h"

enum {
	VCPU_MAXIMUM = 1 << 2, /* beside AFFECT_... */
	VCPU_GUEST = 1 << 3,
	VCPU_HOTPLUGGABLE = 1 << 4,
	VCPU_RUNNING = 1, /* libvirt's states */
	VCPU_OFFLINE = 0,
};

static unsigned count_now(const struct domain *domain)
{
	const struct domain_vcpu *vcpu = &domain->vcpu;

	return (unsigned)(vcpu->current.set ? vcpu->current.value : vcpu->count.value);
}

static void on_get_max_vcpus(struct call *call, const rpc_domain_get_max_vcpus_args *args)
{
	struct vm *vm = call_vm(call, &args->dom);
	rpc_domain_get_max_vcpus_ret ret;

	if (!vm)
		return;
	ret.num = (int)vm_shown(vm)->vcpu.count.value;
	call_reply(call, &ret);
}

static void on_get_vcpus_flags(struct call *call, const rpc_domain_get_vcpus_flags_args *args)
{
	struct vm *vm = call_vm(call, &args->dom);
	const struct domain *domain;
	rpc_domain_get_vcpus_flags_ret ret;

	if (!vm || !call_flags(call, args->flags, AFFECT_BOTH | VCPU_MAXIMUM | VCPU_GUEST))
		return;
	if (args->flags & VCPU_GUEST) {
		call_guest_cpu_count(call, vm);
		return;
	}
	domain = call_which(call, vm, args->flags);
	if (!domain)
		return;
	ret.num =
		args->flags & VCPU_MAXIMUM ? (int)domain->vcpu.count.value : (int)count_now(domain);
	call_reply(call, &ret);
}

/* == How many == */

static unsigned wanted_count(const struct call *call)
{
	if (call->proc->number == RPC_PROC_DOMAIN_SET_VCPUS)
		return ((const rpc_domain_set_vcpus_args *)call->args)->nvcpus;
	return ((const rpc_domain_set_vcpus_flags_args *)call->args)->nvcpus;
}

static bool apply_count(struct call *call, struct domain *domain, GError **error)
{
	unsigned n = wanted_count(call);

	if (n == 0 || n > domain->vcpu.count.value)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "a domain with at most %d CPUs cannot have %u; raise its maximum "
				 "first",
				 (int)domain->vcpu.count.value, n);
	domain->vcpu.current = number_of(n);
	domain->vcpu.current.set = n != domain->vcpu.count.value;
	return true;
}

static void tell_count(struct call *call, struct machine *machine, struct task *task)
{
	g_autoptr(GError) error = NULL;

	if (machine->ops->set_vcpus) {
		machine->ops->set_vcpus(machine, wanted_count(call), task);
		return;
	}
	error_set(&error, SOCLE_ERROR_UNSUPPORTED,
		  "CPUs of a running machine cannot come and go; change its configuration "
		  "(--config), which counts from the next start, or let the guest do without some "
		  "(--guest)");
	task_end(task, error);
}

static bool apply_max(struct call *call, struct domain *domain, GError **error)
{
	unsigned n = wanted_count(call);

	if (n == 0 || n > DOMAIN_VCPUS_MAX)
		return error_set(error, SOCLE_ERROR_USAGE, "a domain has 1 to %d CPUs, not %u",
				 DOMAIN_VCPUS_MAX, n);
	domain->vcpu.count = number_of(n);
	if (domain->vcpu.current.set && domain->vcpu.current.value >= n)
		domain->vcpu.current = (struct number){ 0 };
	return true;
}

static void tell_max(struct call *call, struct machine *machine, struct task *task)
{
	g_autoptr(GError) error = NULL;

	(void)call;
	(void)machine;
	error_set(&error, SOCLE_ERROR_STATE,
		  "the maximum of a running domain's CPUs cannot change; change its configuration");
	task_end(task, error);
}

static const struct change count_change = { .apply = apply_count,
					    .machine = tell_count,
					    .machine_first = true };
static const struct change max_change = { .apply = apply_max, .machine = tell_max };

static void on_set_vcpus(struct call *call, const rpc_domain_set_vcpus_args *args)
{
	struct vm *vm = call_vm(call, &args->dom);

	if (vm)
		call_change(call, vm, &count_change, AFFECT_LIVE);
}

static void on_set_vcpus_flags(struct call *call, const rpc_domain_set_vcpus_flags_args *args)
{
	struct vm *vm = call_vm(call, &args->dom);

	if (!vm || !call_flags(call, args->flags,
			       AFFECT_BOTH | VCPU_MAXIMUM | VCPU_GUEST | VCPU_HOTPLUGGABLE))
		return;
	if (args->flags & VCPU_GUEST) {
		call_guest_cpu_wish(call, vm);
		return;
	}
	call_change(call, vm, args->flags & VCPU_MAXIMUM ? &max_change : &count_change,
		    args->flags & AFFECT_BOTH);
}

/* Which ones, by number: they would have to come and go. */
static void on_set_vcpu(struct call *call, const rpc_domain_set_vcpu_args *args)
{
	if (call_vm(call, &args->dom))
		call_fail(call, RPC_CODE_OPERATION_UNSUPPORTED, RPC_FROM_QEMU,
			  "CPUs of a machine are counted, not chosen; use 'virsh setvcpus'");
}

/* == Where == */

static const char *pin_of(const struct domain *domain, unsigned vcpu)
{
	const struct domain_cputune *tune = &domain->cputune;

	for (unsigned i = 0; i < tune->pin_count; i++) {
		if (tune->pins[i].vcpu.value == vcpu)
			return tune->pins[i].cpuset;
	}
	return domain->vcpu.cpuset;
}

/* Without a word, all that the host has. */
static void fill_map(const struct vm *vm, const char *cpuset, uint8_t *map, size_t len)
{
	struct host_cpumap cpus;

	/* The step check has looked at the text. */
	if (!cpuset || !host_cpumap_parse(&cpus, cpuset))
		host_cpus_present(node_facts(vm->dom.node), &cpus);
	memset(map, 0, len);
	memcpy(map, cpus.bits, MIN(len, sizeof(cpus.bits)));
}

static bool check_maps(struct call *call, int count, int len)
{
	if (count >= 0 && len >= 0 && len <= RPC_MAX_CPUMAP && count <= RPC_MAX_VCPU_INFO &&
	    (int64_t)count * len <= RPC_MAX_CPUMAPS)
		return true;
	call_fail(call, RPC_CODE_RPC, RPC_FROM_RPC, "%d maps of %d bytes are more than fit", count,
		  len);
	return false;
}

static void on_get_pin_info(struct call *call, const rpc_domain_get_vcpu_pin_info_args *args)
{
	struct vm *vm = call_vm(call, &args->dom);
	const struct domain *domain;
	rpc_domain_get_vcpu_pin_info_ret ret;
	g_autofree uint8_t *maps = NULL;
	unsigned n;

	if (!vm || !call_flags(call, args->flags, AFFECT_BOTH) ||
	    !check_maps(call, args->ncpumaps, args->maplen))
		return;
	domain = call_which(call, vm, args->flags);
	if (!domain)
		return;
	n = MIN((unsigned)args->ncpumaps, (unsigned)domain->vcpu.count.value);
	maps = g_malloc0(MAX(n * (size_t)args->maplen, 1));
	for (unsigned i = 0; i < n; i++)
		fill_map(vm, pin_of(domain, i), maps + i * (size_t)args->maplen,
			 (size_t)args->maplen);
	ret.num = (int)n;
	ret.cpumaps.cpumaps_val = (char *)maps;
	ret.cpumaps.cpumaps_len = n * (unsigned)args->maplen;
	call_reply(call, &ret);
}

static void on_get_emulator_pin(struct call *call,
				const rpc_domain_get_emulator_pin_info_args *args)
{
	struct vm *vm = call_vm(call, &args->dom);
	const struct domain *domain;
	rpc_domain_get_emulator_pin_info_ret ret = { .ret = 1 };
	g_autofree uint8_t *map = NULL;

	if (!vm || !call_flags(call, args->flags, AFFECT_BOTH) ||
	    !check_maps(call, 1, args->maplen))
		return;
	domain = call_which(call, vm, args->flags);
	if (!domain)
		return;
	map = g_malloc0((size_t)MAX(args->maplen, 1));
	fill_map(vm,
		 domain->cputune.emulator.cpuset ? domain->cputune.emulator.cpuset
						 : domain->vcpu.cpuset,
		 map, (size_t)args->maplen);
	ret.cpumaps.cpumaps_val = (char *)map;
	ret.cpumaps.cpumaps_len = (unsigned)args->maplen;
	call_reply(call, &ret);
}

static void tell_tune(struct call *call, struct machine *machine, struct task *task)
{
	g_autoptr(GError) error = NULL;

	(void)call;
	if (machine->ops->tune) {
		machine->ops->tune(machine, task);
		return;
	}
	error_set(&error, SOCLE_ERROR_UNSUPPORTED, "running machines cannot be tuned here");
	task_end(task, error);
}

static void set_pin(struct domain_cputune *tune, unsigned vcpu, char *cpuset)
{
	for (unsigned i = 0; i < tune->pin_count; i++) {
		if (tune->pins[i].vcpu.value == vcpu) {
			g_free(tune->pins[i].cpuset);
			tune->pins[i].cpuset = cpuset;
			return;
		}
	}
	tune->pins = g_renew(struct pin, tune->pins, tune->pin_count + 1);
	tune->pins[tune->pin_count++] = (struct pin){ .vcpu = number_of(vcpu), .cpuset = cpuset };
}

static char *wanted_set(const char *map, unsigned len, GError **error)
{
	struct host_cpumap cpus = { 0 };

	if (len)
		memcpy(cpus.bits, map, MIN(len, sizeof(cpus.bits)));
	if (host_cpumap_end(&cpus))
		return host_cpumap_format(&cpus);
	error_set(error, SOCLE_ERROR_USAGE, "the set of CPUs is empty; name one or more");
	return NULL;
}

struct pin_wanted {
	bool emulator;
	unsigned vcpu;
	const char *map;
	unsigned len;
};

static struct pin_wanted pin_wanted(const struct call *call)
{
	const rpc_domain_pin_vcpu_flags_args *with = call->args;
	const rpc_domain_pin_emulator_args *emulator = call->args;
	const rpc_domain_pin_vcpu_args *bare = call->args;

	if (call->proc->number == RPC_PROC_DOMAIN_PIN_EMULATOR)
		return (struct pin_wanted){ true, 0, emulator->cpumap.cpumap_val,
					    emulator->cpumap.cpumap_len };
	if (call->proc->number == RPC_PROC_DOMAIN_PIN_VCPU_FLAGS)
		return (struct pin_wanted){ false, with->vcpu, with->cpumap.cpumap_val,
					    with->cpumap.cpumap_len };
	return (struct pin_wanted){ false, bare->vcpu, bare->cpumap.cpumap_val,
				    bare->cpumap.cpumap_len };
}

static bool apply_pin(struct call *call, struct domain *domain, GError **error)
{
	struct pin_wanted wanted = pin_wanted(call);
	char *text;

	if (!wanted.emulator && wanted.vcpu >= domain->vcpu.count.value)
		return error_set(error, SOCLE_ERROR_USAGE, "the domain has no CPU %u", wanted.vcpu);
	text = wanted_set(wanted.map, wanted.len, error);
	if (!text)
		return false;
	if (wanted.emulator) {
		g_free(domain->cputune.emulator.cpuset);
		domain->cputune.emulator.cpuset = text;
	} else {
		set_pin(&domain->cputune, wanted.vcpu, text);
	}
	return true;
}

static void pin_done(struct call *call, bool live, bool config)
{
	struct pin_wanted wanted = pin_wanted(call);
	g_autofree char *cpus = live ? wanted_set(wanted.map, wanted.len, NULL) : NULL;
	g_autofree char *name = wanted.emulator ? g_strdup("emulatorpin")
						: g_strdup_printf("vcpupin%u", wanted.vcpu);
	const rpc_param param = {
		.field = name, .value = { .type = RPC_PARAM_STRING, .rpc_param_value_u.s = cpus }
	};

	(void)config;
	if (cpus)
		event_tunable(call->vm, "cputune", &param, 1, NULL);
	call_reply(call, NULL);
}

static const struct change pin_change = { .apply = apply_pin,
					  .machine = tell_tune,
					  .done = pin_done };

static void on_pin_vcpu(struct call *call, const rpc_domain_pin_vcpu_args *args)
{
	struct vm *vm = call_vm(call, &args->dom);

	if (vm)
		call_change(call, vm, &pin_change, AFFECT_LIVE);
}

static void on_pin_vcpu_flags(struct call *call, const rpc_domain_pin_vcpu_flags_args *args)
{
	struct vm *vm = call_vm(call, &args->dom);

	if (vm && call_flags(call, args->flags, AFFECT_BOTH))
		call_change(call, vm, &pin_change, args->flags);
}

static void on_pin_emulator(struct call *call, const rpc_domain_pin_emulator_args *args)
{
	struct vm *vm = call_vm(call, &args->dom);

	if (vm && call_flags(call, args->flags, AFFECT_BOTH))
		call_change(call, vm, &pin_change, args->flags);
}

/* == What they have used == */

static void answer_vcpus(struct call *call)
{
	const rpc_domain_get_vcpus_args *args = call->args;
	const struct machine_stats *stats = call_stats(call);
	const struct vm *vm = call->vm;
	const struct domain *live = vm->dom.live;
	unsigned n = live ? MIN((unsigned)args->maxinfo, count_now(live)) : 0;
	g_autofree rpc_vcpu_info *info = g_new0(rpc_vcpu_info, MAX(n, 1));
	g_autofree uint8_t *maps = g_malloc0(MAX(n * (size_t)args->maplen, 1));
	rpc_domain_get_vcpus_ret ret = { { n, info },
					 { n * (unsigned)args->maplen, (char *)maps } };

	for (unsigned i = 0; i < n; i++) {
		info[i] = (rpc_vcpu_info){ .number = i, .state = VCPU_RUNNING, .cpu = -1 };
		if (stats->valid & MACHINE_QUERY_VCPUS && i < stats->vcpu_count) {
			info[i].cpu_time = stats->vcpus[i].time_ns;
			info[i].cpu = stats->vcpus[i].host_cpu;
		}
		fill_map(vm, pin_of(live, i), maps + i * (size_t)args->maplen,
			 (size_t)args->maplen);
	}
	call_query_reply(call, &ret);
}

static void on_get_vcpus(struct call *call, const rpc_domain_get_vcpus_args *args)
{
	struct vm *vm = call_active(call, &args->dom);

	if (vm && check_maps(call, args->maxinfo, args->maplen))
		call_query(call, vm, MACHINE_QUERY_VCPUS, answer_vcpus);
}

static void answer_cpu_stats(struct call *call)
{
	const rpc_domain_get_cpu_stats_args *args = call->args;
	const struct machine_stats *stats = call_stats(call);
	rpc_domain_get_cpu_stats_ret ret = { .nparams = 0 };
	struct rpc_params params;

	if (!(stats->valid & MACHINE_QUERY_CPU)) {
		call_query_fail(call, RPC_CODE_OPERATION_FAILED,
				"domain '%s' does not tell about its CPU time now; try again",
				call->vm->dom.name);
		return;
	}
	rpc_params_init(&params);
	rpc_params_add_ullong(&params, "cpu_time", stats->cpu_ns);
	if (args->start_cpu == -1) {
		rpc_params_add_ullong(&params, "user_time", stats->user_ns);
		rpc_params_add_ullong(&params, "system_time", stats->system_ns);
	}
	ret.nparams = (int)params.count;
	ret.params.params_val = params.items;
	ret.params.params_len = MIN(params.count, args->nparams);
	call_query_reply(call, &ret);
	rpc_params_release(&params);
}

/* Per host CPU nobody counts: all time is told for the first, or for all together. */
static void on_get_cpu_stats(struct call *call, const rpc_domain_get_cpu_stats_args *args)
{
	struct vm *vm = call_active(call, &args->dom);
	rpc_domain_get_cpu_stats_ret ret = { .nparams = 0 };

	if (!vm || !call_flags(call, args->flags, AFFECT_STRINGS))
		return;
	if (args->start_cpu < -1 || (args->start_cpu == -1 && args->ncpus != 1)) {
		call_fail(call, RPC_CODE_INVALID_ARG, RPC_FROM_QEMU,
			  "the sum of all CPUs is asked for with a start of -1 and a count of 1");
		return;
	}
	if (args->start_cpu != -1 && args->ncpus == 0) {
		ret.nparams = 1; /* how many CPUs could be asked for */
		call_reply(call, &ret);
		return;
	}
	if (args->start_cpu > 0) {
		call_fail(call, RPC_CODE_INVALID_ARG, RPC_FROM_QEMU,
			  "time is counted for all CPUs together; ask for the total");
		return;
	}
	if (args->nparams == 0) {
		ret.nparams = args->start_cpu == -1 ? 3 : 1;
		call_reply(call, &ret);
		return;
	}
	call_query(call, vm, MACHINE_QUERY_CPU, answer_cpu_stats);
}

static void on_get_iothreads(struct call *call, const rpc_domain_get_iothread_info_args *args)
{
	struct vm *vm = call_vm(call, &args->dom);
	rpc_domain_get_iothread_info_ret ret = { .ret = 0 };

	if (vm && call_flags(call, args->flags, AFFECT_BOTH))
		call_reply(call, &ret);
}

const struct call_entry vcpu_handlers[] = {
	HANDLE(RPC_PROC_DOMAIN_GET_MAX_VCPUS, rpc_domain_get_max_vcpus_args, on_get_max_vcpus),
	HANDLE(RPC_PROC_DOMAIN_GET_VCPUS_FLAGS, rpc_domain_get_vcpus_flags_args,
	       on_get_vcpus_flags),
	HANDLE(RPC_PROC_DOMAIN_SET_VCPUS, rpc_domain_set_vcpus_args, on_set_vcpus),
	HANDLE(RPC_PROC_DOMAIN_SET_VCPU, rpc_domain_set_vcpu_args, on_set_vcpu),
	HANDLE(RPC_PROC_DOMAIN_SET_VCPUS_FLAGS, rpc_domain_set_vcpus_flags_args,
	       on_set_vcpus_flags),
	HANDLE(RPC_PROC_DOMAIN_GET_VCPU_PIN_INFO, rpc_domain_get_vcpu_pin_info_args,
	       on_get_pin_info),
	HANDLE(RPC_PROC_DOMAIN_GET_EMULATOR_PIN_INFO, rpc_domain_get_emulator_pin_info_args,
	       on_get_emulator_pin),
	HANDLE(RPC_PROC_DOMAIN_PIN_VCPU, rpc_domain_pin_vcpu_args, on_pin_vcpu),
	HANDLE(RPC_PROC_DOMAIN_PIN_VCPU_FLAGS, rpc_domain_pin_vcpu_flags_args, on_pin_vcpu_flags),
	HANDLE(RPC_PROC_DOMAIN_PIN_EMULATOR, rpc_domain_pin_emulator_args, on_pin_emulator),
	HANDLE(RPC_PROC_DOMAIN_GET_VCPUS, rpc_domain_get_vcpus_args, on_get_vcpus),
	HANDLE(RPC_PROC_DOMAIN_GET_CPU_STATS, rpc_domain_get_cpu_stats_args, on_get_cpu_stats),
	HANDLE(RPC_PROC_DOMAIN_GET_IOTHREAD_INFO, rpc_domain_get_iothread_info_args,
	       on_get_iothreads),
	HANDLERS_END,
};
