/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tune.c - a domain's share of the host: typed parameters for cputune, memtune and blkiotune
 *
 * A table says which parameter is which member, so reading and writing cannot differ.
 */
#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "manage/event-int.h"
#include "manage/handler-int.h"

struct tunable {
	const char *name;
	enum rpc_param_type type;
	size_t offset;    /* of a struct number in struct domain */
	int64_t absent;   /* what is told if nothing is set */
	bool from_absent; /* that value takes it away */
};

#define TUNABLE(name_, type_, member, absent_, from)                                 \
	{                                                                            \
		(name_), (type_), offsetof(struct domain, member), (absent_), (from) \
	}

#define UNLIMITED_KIB INT64_C(9007199254740991) /* how libvirt says none */

static const struct tunable scheduler_tunables[] = {
	TUNABLE("cpu_shares", RPC_PARAM_ULLONG, cputune.shares, 1024, false),
	TUNABLE("vcpu_period", RPC_PARAM_ULLONG, cputune.period, 100000, false),
	TUNABLE("vcpu_quota", RPC_PARAM_LLONG, cputune.quota, -1, false),
	TUNABLE("emulator_period", RPC_PARAM_ULLONG, cputune.emulator_period, 100000, false),
	TUNABLE("emulator_quota", RPC_PARAM_LLONG, cputune.emulator_quota, -1, false),
	TUNABLE("global_period", RPC_PARAM_ULLONG, cputune.global_period, 100000, false),
	TUNABLE("global_quota", RPC_PARAM_LLONG, cputune.global_quota, -1, false),
	TUNABLE("iothread_period", RPC_PARAM_ULLONG, cputune.iothread_period, 100000, false),
	TUNABLE("iothread_quota", RPC_PARAM_LLONG, cputune.iothread_quota, -1, false),
};

static const struct tunable memory_tunables[] = {
	TUNABLE("hard_limit", RPC_PARAM_ULLONG, memtune.hard_limit, UNLIMITED_KIB, true),
	TUNABLE("soft_limit", RPC_PARAM_ULLONG, memtune.soft_limit, UNLIMITED_KIB, true),
	TUNABLE("swap_hard_limit", RPC_PARAM_ULLONG, memtune.swap_hard_limit, UNLIMITED_KIB, true),
};

static const struct tunable blkio_tunables[] = {
	TUNABLE("weight", RPC_PARAM_UINT, blkiotune.weight, 0, true),
};

static struct number *number_at(const struct tunable *t, const struct domain *domain)
{
	return (struct number *)(void *)((char *)(uintptr_t)domain + t->offset);
}

static void add_param(struct rpc_params *params, const struct tunable *t, int64_t value)
{
	if (t->type == RPC_PARAM_ULLONG)
		rpc_params_add_ullong(params, t->name, (uint64_t)value);
	else if (t->type == RPC_PARAM_LLONG)
		rpc_params_add_llong(params, t->name, value);
	else
		rpc_params_add_uint(params, t->name, (unsigned)value);
}

static void add_params(struct rpc_params *params, const struct domain *domain,
		       const struct tunable *tunables, size_t count)
{
	rpc_params_init(params);
	for (size_t i = 0; i < count; i++) {
		const struct number *n = number_at(&tunables[i], domain);

		add_param(params, &tunables[i], n->set ? n->value : tunables[i].absent);
	}
}

static int64_t param_value(const rpc_param *param)
{
	if (param->value.type == RPC_PARAM_ULLONG)
		return (int64_t)MIN(param->value.rpc_param_value_u.ul, (uint64_t)INT64_MAX);
	if (param->value.type == RPC_PARAM_LLONG)
		return param->value.rpc_param_value_u.l;
	return param->value.rpc_param_value_u.ui;
}

static bool apply_params(struct domain *domain, const rpc_param *params, unsigned n,
			 const struct tunable *tunables, size_t count, GError **error)
{
	struct rpc_param_spec specs[16];

	g_assert(count <= ARRAY_SIZE(specs));
	for (size_t i = 0; i < count; i++)
		specs[i] = (struct rpc_param_spec){ tunables[i].name, tunables[i].type, false };
	if (!rpc_params_check(params, n, specs, count, error))
		return false;
	for (size_t i = 0; i < count; i++) {
		const rpc_param *param =
			rpc_params_find(params, n, tunables[i].name, tunables[i].type, NULL);
		int64_t value;

		if (!param)
			continue;
		value = param_value(param);
		if (tunables[i].from_absent &&
		    (tunables[i].absent ? value >= tunables[i].absent : value == 0))
			*number_at(&tunables[i], domain) = (struct number){ 0 };
		else
			*number_at(&tunables[i], domain) = number_of(value);
	}
	return true;
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

/* == Scheduler == */

static void on_scheduler_type(struct call *call, const rpc_domain_get_scheduler_type_args *args)
{
	char posix[] = "posix";
	rpc_domain_get_scheduler_type_ret ret = { .type = posix,
						  .nparams = ARRAY_SIZE(scheduler_tunables) };

	if (call_vm(call, &args->dom))
		call_reply(call, &ret);
}

static void get_scheduler(struct call *call, const rpc_domain *dom, int nparams, unsigned flags)
{
	struct vm *vm = call_vm(call, dom);
	const struct domain *domain;
	rpc_domain_get_scheduler_parameters_ret ret;
	struct rpc_params params;

	if (!vm || !call_flags(call, flags, AFFECT_BOTH | AFFECT_STRINGS))
		return;
	domain = call_which(call, vm, flags);
	if (!domain)
		return;
	add_params(&params, domain, scheduler_tunables, ARRAY_SIZE(scheduler_tunables));
	ret.params.params_val = params.items;
	ret.params.params_len = MIN(params.count, (unsigned)MAX(nparams, 0));
	call_reply(call, &ret);
	rpc_params_release(&params);
}

static void on_get_scheduler(struct call *call,
			     const rpc_domain_get_scheduler_parameters_args *args)
{
	get_scheduler(call, &args->dom, args->nparams, 0);
}

static void on_get_scheduler_flags(struct call *call,
				   const rpc_domain_get_scheduler_parameters_flags_args *args)
{
	get_scheduler(call, &args->dom, args->nparams, args->flags);
}

static bool apply_scheduler(struct call *call, struct domain *domain, GError **error)
{
	/* The older layout is the beginning of this one. */
	const rpc_domain_set_scheduler_parameters_flags_args *args = call->args;

	return apply_params(domain, args->params.params_val, args->params.params_len,
			    scheduler_tunables, ARRAY_SIZE(scheduler_tunables), error);
}

static void scheduler_done(struct call *call, bool live, bool config)
{
	const rpc_domain_set_scheduler_parameters_flags_args *args = call->args;

	(void)config;
	if (live)
		event_tunable(call->vm, "cputune", args->params.params_val, args->params.params_len,
			      NULL);
	call_reply(call, NULL);
}

static const struct change scheduler_change = { .apply = apply_scheduler,
						.machine = tell_tune,
						.done = scheduler_done };

static void on_set_scheduler(struct call *call,
			     const rpc_domain_set_scheduler_parameters_flags_args *args)
{
	struct vm *vm = call_vm(call, &args->dom);

	if (vm && call_flags(call, args->flags, AFFECT_BOTH))
		call_change(call, vm, &scheduler_change, args->flags);
}

static void on_set_scheduler_old(struct call *call,
				 const rpc_domain_set_scheduler_parameters_args *args)
{
	struct vm *vm = call_vm(call, &args->dom);

	if (vm)
		call_change(call, vm, &scheduler_change, AFFECT_CURRENT);
}

/* == Memory == */

static void on_get_memory(struct call *call, const rpc_domain_get_memory_parameters_args *args)
{
	struct vm *vm = call_vm(call, &args->dom);
	const struct domain *domain;
	rpc_domain_get_memory_parameters_ret ret;
	struct rpc_params params;

	if (!vm || !call_flags(call, args->flags, AFFECT_BOTH | AFFECT_STRINGS))
		return;
	domain = call_which(call, vm, args->flags);
	if (!domain)
		return;
	add_params(&params, domain, memory_tunables, ARRAY_SIZE(memory_tunables));
	ret.nparams = (int)params.count;
	ret.params.params_val = params.items;
	ret.params.params_len = MIN(params.count, (unsigned)MAX(args->nparams, 0));
	call_reply(call, &ret);
	rpc_params_release(&params);
}

static bool apply_memory(struct call *call, struct domain *domain, GError **error)
{
	const rpc_domain_set_memory_parameters_args *args = call->args;

	return apply_params(domain, args->params.params_val, args->params.params_len,
			    memory_tunables, ARRAY_SIZE(memory_tunables), error);
}

static const struct change memory_change = { .apply = apply_memory, .machine = tell_tune };

static void on_set_memory(struct call *call, const rpc_domain_set_memory_parameters_args *args)
{
	struct vm *vm = call_vm(call, &args->dom);

	if (vm && call_flags(call, args->flags, AFFECT_BOTH))
		call_change(call, vm, &memory_change, args->flags);
}

/* == Disks == */

/* The limits of each device, "path,value,path,value", by libvirt's names. */
static const struct {
	const char *name;
	size_t offset;
} device_tunables[] = {
	{ "device_weight", offsetof(struct blkio_device, weight) },
	{ "device_read_iops_sec", offsetof(struct blkio_device, read_iops_sec) },
	{ "device_write_iops_sec", offsetof(struct blkio_device, write_iops_sec) },
	{ "device_read_bytes_sec", offsetof(struct blkio_device, read_bytes_sec) },
	{ "device_write_bytes_sec", offsetof(struct blkio_device, write_bytes_sec) },
};

static struct number *device_number(struct blkio_device *device, size_t k)
{
	return (struct number *)(void *)((char *)device + device_tunables[k].offset);
}

static char *device_text(const struct domain *domain, size_t k)
{
	GString *text = g_string_new(NULL);

	for (unsigned i = 0; i < domain->blkiotune.device_count; i++) {
		struct blkio_device *device = &domain->blkiotune.devices[i];
		const struct number *n = device_number(device, k);

		if (n->set)
			g_string_append_printf(text, "%s%s,%" PRIi64, text->len ? "," : "",
					       device->path, n->value);
	}
	return g_string_free(text, FALSE);
}

static void on_get_blkio(struct call *call, const rpc_domain_get_blkio_parameters_args *args)
{
	struct vm *vm = call_vm(call, &args->dom);
	const struct domain *domain;
	rpc_domain_get_blkio_parameters_ret ret;
	struct rpc_params params;

	if (!vm || !call_flags(call, args->flags, AFFECT_BOTH | AFFECT_STRINGS))
		return;
	domain = call_which(call, vm, args->flags);
	if (!domain)
		return;
	add_params(&params, domain, blkio_tunables, ARRAY_SIZE(blkio_tunables));
	for (size_t k = 0; k < ARRAY_SIZE(device_tunables); k++) {
		g_autofree char *text = device_text(domain, k);

		rpc_params_add_string(&params, device_tunables[k].name, text);
	}
	ret.nparams = (int)params.count;
	ret.params.params_val = params.items;
	ret.params.params_len = MIN(params.count, (unsigned)MAX(args->nparams, 0));
	call_reply(call, &ret);
	rpc_params_release(&params);
}

static struct blkio_device *device_of(struct domain_blkiotune *tune, const char *path)
{
	for (unsigned i = 0; i < tune->device_count; i++) {
		if (!g_strcmp0(tune->devices[i].path, path))
			return &tune->devices[i];
	}
	tune->devices = g_renew(struct blkio_device, tune->devices, tune->device_count + 1);
	tune->devices[tune->device_count] = (struct blkio_device){ .path = g_strdup(path) };
	return &tune->devices[tune->device_count++];
}

static bool apply_device(struct domain *domain, size_t k, const char *text, GError **error)
{
	g_auto(GStrv) words = g_strsplit(text, ",", -1);
	guint count = g_strv_length(words);

	if (count % 2 || count > 2 * DEVICES_MAX)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "%s is 'PATH,VALUE,PATH,VALUE', not '%.64s'",
				 device_tunables[k].name, text);
	for (guint i = 0; i < count; i += 2) {
		guint64 value;

		if (words[i][0] != '/' ||
		    !g_ascii_string_to_unsigned(words[i + 1], 10, 0, INT64_MAX, &value, NULL))
			return error_set(error, SOCLE_ERROR_USAGE,
					 "%s: '%.64s,%.64s' is not a path and a number",
					 device_tunables[k].name, words[i], words[i + 1]);
		*device_number(device_of(&domain->blkiotune, words[i]), k) =
			value ? number_of((int64_t)value) : (struct number){ 0 };
	}
	return true;
}

static bool apply_blkio(struct call *call, struct domain *domain, GError **error)
{
	const rpc_domain_set_blkio_parameters_args *args = call->args;
	const rpc_param *params = args->params.params_val;
	g_autofree rpc_param *numbers = g_new(rpc_param, MAX(args->params.params_len, 1));
	unsigned n = 0;

	for (unsigned i = 0; i < args->params.params_len; i++) {
		size_t k = 0;

		while (k < ARRAY_SIZE(device_tunables) &&
		       strcmp(device_tunables[k].name, params[i].field) != 0)
			k++;
		if (k == ARRAY_SIZE(device_tunables) || params[i].value.type != RPC_PARAM_STRING)
			numbers[n++] = params[i];
		else if (!apply_device(domain, k, params[i].value.rpc_param_value_u.s, error))
			return false;
	}
	return apply_params(domain, numbers, n, blkio_tunables, ARRAY_SIZE(blkio_tunables), error);
}

static const struct change blkio_change = { .apply = apply_blkio, .machine = tell_tune };

static void on_set_blkio(struct call *call, const rpc_domain_set_blkio_parameters_args *args)
{
	struct vm *vm = call_vm(call, &args->dom);

	if (vm && call_flags(call, args->flags, AFFECT_BOTH))
		call_change(call, vm, &blkio_change, args->flags);
}

/* == NUMA: there is nothing to tune, and that can be read == */

static void on_get_numa(struct call *call, const rpc_domain_get_numa_parameters_args *args)
{
	rpc_domain_get_numa_parameters_ret ret = { .nparams = 0 };

	if (call_vm(call, &args->dom) &&
	    call_flags(call, args->flags, AFFECT_BOTH | AFFECT_STRINGS))
		call_reply(call, &ret);
}

static void on_set_numa(struct call *call, const rpc_domain_set_numa_parameters_args *args)
{
	if (call_vm(call, &args->dom))
		call_unsupported(call, "tuning by NUMA nodes");
}

const struct call_entry tune_handlers[] = {
	HANDLE(RPC_PROC_DOMAIN_GET_SCHEDULER_TYPE, rpc_domain_get_scheduler_type_args,
	       on_scheduler_type),
	HANDLE(RPC_PROC_DOMAIN_GET_SCHEDULER_PARAMETERS, rpc_domain_get_scheduler_parameters_args,
	       on_get_scheduler),
	HANDLE(RPC_PROC_DOMAIN_GET_SCHEDULER_PARAMETERS_FLAGS,
	       rpc_domain_get_scheduler_parameters_flags_args, on_get_scheduler_flags),
	HANDLE(RPC_PROC_DOMAIN_SET_SCHEDULER_PARAMETERS_FLAGS,
	       rpc_domain_set_scheduler_parameters_flags_args, on_set_scheduler),
	HANDLE(RPC_PROC_DOMAIN_SET_SCHEDULER_PARAMETERS, rpc_domain_set_scheduler_parameters_args,
	       on_set_scheduler_old),
	HANDLE(RPC_PROC_DOMAIN_GET_MEMORY_PARAMETERS, rpc_domain_get_memory_parameters_args,
	       on_get_memory),
	HANDLE(RPC_PROC_DOMAIN_SET_MEMORY_PARAMETERS, rpc_domain_set_memory_parameters_args,
	       on_set_memory),
	HANDLE(RPC_PROC_DOMAIN_GET_BLKIO_PARAMETERS, rpc_domain_get_blkio_parameters_args,
	       on_get_blkio),
	HANDLE(RPC_PROC_DOMAIN_SET_BLKIO_PARAMETERS, rpc_domain_set_blkio_parameters_args,
	       on_set_blkio),
	HANDLE(RPC_PROC_DOMAIN_GET_NUMA_PARAMETERS, rpc_domain_get_numa_parameters_args,
	       on_get_numa),
	HANDLE(RPC_PROC_DOMAIN_SET_NUMA_PARAMETERS, rpc_domain_set_numa_parameters_args,
	       on_set_numa),
	HANDLERS_END,
};
