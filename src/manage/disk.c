/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * disk.c - a domain's disks: what they have done, how large they are, how fast they may be
 */
#include "manage/disk-int.h"
#include "manage/event-int.h"

#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "model/plug.h"

int disk_index(const struct domain *domain, const char *name)
{
	for (unsigned i = 0; i < domain->devices.disk_count; i++) {
		const struct domain_disk *disk = &domain->devices.disks[i];
		const char *path = disk_path(disk);

		if ((disk->target.dev && !strcmp(disk->target.dev, name)) ||
		    (path && !strcmp(path, name)))
			return (int)i;
	}
	return -1;
}

int call_disk(struct call *call, const struct vm *vm, const char *name)
{
	int i = disk_index(vm_shown(vm), name);

	if (i < 0)
		call_fail(call, RPC_CODE_INVALID_ARG, RPC_FROM_QEMU,
			  "domain '%s' has no disk '%.200s'; name a target or a path", vm->dom.name,
			  name);
	return i;
}

/* == Statistics == */

/* Of one disk, or of all if @name is empty. False: they are not known, and the call has failed. */
static bool sum_disks(struct call *call, const char *name, struct machine_disk_stats *sum)
{
	const struct machine_stats *stats = call_stats(call);
	const struct domain *live = call->vm->dom.live;
	int only = live && *name ? disk_index(live, name) : -1;

	memset(sum, 0, sizeof(*sum));
	for (unsigned i = 0; i < stats->disk_count; i++) {
		const struct machine_disk_stats *d = &stats->disks[i];

		if ((*name && (int)i != only) || !d->known)
			continue;
		sum->rd_req += d->rd_req;
		sum->rd_bytes += d->rd_bytes;
		sum->rd_ns += d->rd_ns;
		sum->wr_req += d->wr_req;
		sum->wr_bytes += d->wr_bytes;
		sum->wr_ns += d->wr_ns;
		sum->fl_req += d->fl_req;
		sum->fl_ns += d->fl_ns;
		sum->errors += d->errors;
		sum->allocation += d->allocation;
		sum->capacity += d->capacity;
		sum->physical += d->physical;
		sum->known = true;
	}
	if (stats->valid & MACHINE_QUERY_DISKS && (sum->known || !*name))
		return true;
	call_query_fail(call, RPC_CODE_OPERATION_FAILED,
			"domain '%s' does not tell about its disks now; try again",
			call->vm->dom.name);
	return false;
}

static void answer_stats(struct call *call)
{
	const rpc_domain_block_stats_args *args = call->args;
	struct machine_disk_stats sum;
	rpc_domain_block_stats_ret ret;

	if (!sum_disks(call, args->path, &sum))
		return;
	ret = (rpc_domain_block_stats_ret){ .rd_req = (int64_t)sum.rd_req,
					    .rd_bytes = (int64_t)sum.rd_bytes,
					    .wr_req = (int64_t)sum.wr_req,
					    .wr_bytes = (int64_t)sum.wr_bytes,
					    .errs = sum.errors ? (int64_t)sum.errors : -1 };
	call_query_reply(call, &ret);
}

static void on_block_stats(struct call *call, const rpc_domain_block_stats_args *args)
{
	struct vm *vm = call_active(call, &args->dom);

	if (vm && (!*args->path || call_disk(call, vm, args->path) >= 0))
		call_query(call, vm, MACHINE_QUERY_DISKS, answer_stats);
}

enum {
	BLOCK_STATS = 8
};

static void answer_stats_flags(struct call *call)
{
	const rpc_domain_block_stats_flags_args *args = call->args;
	struct machine_disk_stats sum;
	rpc_domain_block_stats_flags_ret ret;
	struct rpc_params params;

	if (!sum_disks(call, args->path, &sum))
		return;
	rpc_params_init(&params);
	rpc_params_add_llong(&params, "wr_bytes", (int64_t)sum.wr_bytes);
	rpc_params_add_llong(&params, "wr_operations", (int64_t)sum.wr_req);
	rpc_params_add_llong(&params, "rd_bytes", (int64_t)sum.rd_bytes);
	rpc_params_add_llong(&params, "rd_operations", (int64_t)sum.rd_req);
	rpc_params_add_llong(&params, "flush_operations", (int64_t)sum.fl_req);
	rpc_params_add_llong(&params, "wr_total_times", (int64_t)sum.wr_ns);
	rpc_params_add_llong(&params, "rd_total_times", (int64_t)sum.rd_ns);
	rpc_params_add_llong(&params, "flush_total_times", (int64_t)sum.fl_ns);
	g_assert(params.count == BLOCK_STATS);
	ret.nparams = (int)params.count;
	ret.params.params_val = params.items;
	ret.params.params_len = MIN(params.count, (unsigned)args->nparams);
	call_query_reply(call, &ret);
	rpc_params_release(&params);
}

static void on_block_stats_flags(struct call *call, const rpc_domain_block_stats_flags_args *args)
{
	struct vm *vm = call_active(call, &args->dom);
	rpc_domain_block_stats_flags_ret ret = { .nparams = BLOCK_STATS };

	if (!vm || !call_flags(call, args->flags, AFFECT_STRINGS) ||
	    (*args->path && call_disk(call, vm, args->path) < 0))
		return;
	if (args->nparams <= 0)
		call_reply(call, &ret);
	else
		call_query(call, vm, MACHINE_QUERY_DISKS, answer_stats_flags);
}

/* == Sizes == */

static void answer_info(struct call *call)
{
	const rpc_domain_get_block_info_args *args = call->args;
	struct machine_disk_stats sum;
	rpc_domain_get_block_info_ret ret;

	if (!sum_disks(call, args->path, &sum))
		return;
	ret = (rpc_domain_get_block_info_ret){ .allocation = sum.allocation,
					       .capacity = sum.capacity,
					       .physical = sum.physical };
	call_query_reply(call, &ret);
}

static void on_get_block_info(struct call *call, const rpc_domain_get_block_info_args *args)
{
	struct vm *vm = call_active(call, &args->dom);

	if (vm && call_flags(call, args->flags, 0) && call_disk(call, vm, args->path) >= 0)
		call_query(call, vm, MACHINE_QUERY_DISKS, answer_info);
}

enum {
	RESIZE_BYTES = 1 << 0
};

static void resize_run(struct call *call)
{
	const rpc_domain_block_resize_args *args = call->args;
	struct machine *machine = call->vm->dom.machine;
	uint64_t unit = args->flags & RESIZE_BYTES ? 1 : 1024;
	int disk;

	if (!call_still_active(call))
		return;
	disk = call_disk(call, call->vm, args->disk);
	if (disk < 0)
		return;
	if (args->size == 0 || args->size > INT64_MAX / unit) {
		call_fail(call, RPC_CODE_INVALID_ARG, RPC_FROM_QEMU,
			  "a disk cannot have a size of %" PRIu64 " %s", args->size,
			  unit == 1 ? "bytes" : "KiB");
		return;
	}
	if (!machine->ops->block_resize)
		call_unsupported(call, "another size of a running machine's disk");
	else
		machine->ops->block_resize(machine, (unsigned)disk, args->size * unit,
					   call_task(call, call_done));
}

static void on_block_resize(struct call *call, const rpc_domain_block_resize_args *args)
{
	struct vm *vm = call_active(call, &args->dom);

	if (vm && call_flags(call, args->flags, RESIZE_BYTES))
		call_job(call, vm, resize_run);
}

static void threshold_run(struct call *call)
{
	const rpc_domain_set_block_threshold_args *args = call->args;
	struct machine *machine = call->vm->dom.machine;
	int disk;

	if (!call_still_active(call))
		return;
	disk = call_disk(call, call->vm, args->dev);
	if (disk < 0)
		return;
	if (args->threshold > INT64_MAX)
		call_fail(call, RPC_CODE_INVALID_ARG, RPC_FROM_QEMU,
			  "an image never has %" PRIu64 " bytes", args->threshold);
	else if (!machine->ops->block_threshold)
		call_unsupported(call, "a threshold for a disk");
	else
		machine->ops->block_threshold(machine, (unsigned)disk, args->threshold,
					      call_task(call, call_done));
}

static void on_set_threshold(struct call *call, const rpc_domain_set_block_threshold_args *args)
{
	struct vm *vm = call_active(call, &args->dom);

	if (vm && call_flags(call, args->flags, 0))
		call_job(call, vm, threshold_run);
}

/* == How fast == */

/* What is set together: who sets one of a group takes away what he does not name. */
enum tune_group {
	TUNE_BYTES,
	TUNE_IOPS,
	TUNE_BYTES_MAX,
	TUNE_IOPS_MAX,
	TUNE_SIZE,
	TUNE_ALONE, /* each for itself */
};

#define TUNE(member, group)                                                        \
	{                                                                          \
#member, offsetof(struct domain_disk, iotune.member), TUNE_##group \
	}
static const struct {
	const char *name;
	size_t offset;
	enum tune_group group;
} tunes[] = {
	TUNE(total_bytes_sec, BYTES),
	TUNE(read_bytes_sec, BYTES),
	TUNE(write_bytes_sec, BYTES),
	TUNE(total_iops_sec, IOPS),
	TUNE(read_iops_sec, IOPS),
	TUNE(write_iops_sec, IOPS),
	TUNE(total_bytes_sec_max, BYTES_MAX),
	TUNE(read_bytes_sec_max, BYTES_MAX),
	TUNE(write_bytes_sec_max, BYTES_MAX),
	TUNE(total_iops_sec_max, IOPS_MAX),
	TUNE(read_iops_sec_max, IOPS_MAX),
	TUNE(write_iops_sec_max, IOPS_MAX),
	TUNE(size_iops_sec, SIZE),
	TUNE(total_bytes_sec_max_length, ALONE),
	TUNE(read_bytes_sec_max_length, ALONE),
	TUNE(write_bytes_sec_max_length, ALONE),
	TUNE(total_iops_sec_max_length, ALONE),
	TUNE(read_iops_sec_max_length, ALONE),
	TUNE(write_iops_sec_max_length, ALONE),
};

static struct number *tune_at(struct domain_disk *disk, size_t i)
{
	return (struct number *)(void *)((char *)disk + tunes[i].offset);
}

static void on_get_io_tune(struct call *call, const rpc_domain_get_block_io_tune_args *args)
{
	struct vm *vm = call_vm(call, &args->dom);
	const struct domain *domain;
	struct domain_disk *disk;
	rpc_domain_get_block_io_tune_ret ret;
	struct rpc_params params;
	int index;

	if (!vm || !call_flags(call, args->flags, AFFECT_BOTH | AFFECT_STRINGS))
		return;
	domain = call_which(call, vm, args->flags);
	if (!domain)
		return;
	index = args->disk ? disk_index(domain, *args->disk) : 0;
	if (index < 0 || (unsigned)index >= domain->devices.disk_count) {
		call_fail(call, RPC_CODE_INVALID_ARG, RPC_FROM_QEMU,
			  "domain '%s' has no such disk; name a target or a path", vm->dom.name);
		return;
	}
	disk = &domain->devices.disks[index];
	rpc_params_init(&params);
	for (size_t i = 0; i < ARRAY_SIZE(tunes); i++)
		rpc_params_add_ullong(&params, tunes[i].name, (uint64_t)tune_at(disk, i)->value);
	rpc_params_add_string(&params, "group_name",
			      disk->iotune.group_name ? disk->iotune.group_name : "");
	ret.nparams = (int)params.count;
	ret.params.params_val = params.items;
	ret.params.params_len = MIN(params.count, (unsigned)MAX(args->nparams, 0));
	call_reply(call, &ret);
	rpc_params_release(&params);
}

static bool check_tunes(const rpc_domain_set_block_io_tune_args *args, GError **error)
{
	struct rpc_param_spec specs[ARRAY_SIZE(tunes) + 1];

	for (size_t i = 0; i < ARRAY_SIZE(tunes); i++)
		specs[i] = (struct rpc_param_spec){ tunes[i].name, RPC_PARAM_ULLONG, false };
	specs[ARRAY_SIZE(tunes)] = (struct rpc_param_spec){ "group_name", RPC_PARAM_STRING, false };
	return rpc_params_check(args->params.params_val, args->params.params_len, specs,
				ARRAY_SIZE(specs), error);
}

static const rpc_param *wanted_tune(const rpc_domain_set_block_io_tune_args *args, size_t i)
{
	return rpc_params_find(args->params.params_val, args->params.params_len, tunes[i].name,
			       RPC_PARAM_ULLONG, NULL);
}

/* Which groups the client sets a member of, a bit for each. */
static unsigned wanted_groups(const rpc_domain_set_block_io_tune_args *args)
{
	unsigned groups = 0;

	for (size_t i = 0; i < ARRAY_SIZE(tunes); i++) {
		if (wanted_tune(args, i))
			groups |= 1u << tunes[i].group;
	}
	return groups & ~(1u << TUNE_ALONE);
}

static bool apply_io_tune(struct call *call, struct domain *domain, GError **error)
{
	const rpc_domain_set_block_io_tune_args *args = call->args;
	int index = disk_index(domain, args->disk);
	unsigned groups = wanted_groups(args);
	const rpc_param *param;
	struct domain_disk *disk;

	if (index < 0)
		return error_set(error, SOCLE_ERROR_USAGE, "the domain has no disk '%.200s'",
				 args->disk);
	if (!check_tunes(args, error))
		return false;
	disk = &domain->devices.disks[index];
	for (size_t i = 0; i < ARRAY_SIZE(tunes); i++) {
		param = wanted_tune(args, i);
		if (param && param->value.rpc_param_value_u.ul > INT64_MAX)
			return error_set(error, SOCLE_ERROR_USAGE, "%s is too large",
					 tunes[i].name);
		if (param || groups & 1u << tunes[i].group)
			*tune_at(disk, i) = (struct number){ 0 };
		if (param && param->value.rpc_param_value_u.ul)
			*tune_at(disk, i) = number_of((int64_t)param->value.rpc_param_value_u.ul);
	}
	param = rpc_params_find(args->params.params_val, args->params.params_len, "group_name",
				RPC_PARAM_STRING, NULL);
	if (param) {
		g_free(disk->iotune.group_name);
		disk->iotune.group_name = g_strdup(param->value.rpc_param_value_u.s);
	}
	return true;
}

static void free_domain(void *data)
{
	domain_free(data);
}

void tell_device(struct call *call, struct machine *machine, const struct device_info *info,
		 struct task *task)
{
	g_autoptr(GError) error = NULL;

	if (machine->ops->update) {
		call->subject = domain_extract_device(machine->dom->live, info);
		call->subject_free = free_domain;
		machine->ops->update(machine, info->alias.name, call->subject, false, task);
		return;
	}
	error_set(&error, SOCLE_ERROR_UNSUPPORTED,
		  "devices of a running machine cannot change here");
	task_end(task, error);
}

static void tell_io_tune(struct call *call, struct machine *machine, struct task *task)
{
	const rpc_domain_set_block_io_tune_args *args = call->args;
	const struct domain *live = machine->dom->live;
	int index = disk_index(live, args->disk);

	tell_device(call, machine, &live->devices.disks[index].info, task);
}

static void io_tune_done(struct call *call, bool live, bool config)
{
	const rpc_domain_set_block_io_tune_args *args = call->args;
	const struct domain *domain = call->vm->dom.live;
	int index = live && domain ? disk_index(domain, args->disk) : -1;

	(void)config;
	if (index >= 0)
		event_tunable(call->vm, "blkdeviotune", args->params.params_val,
			      args->params.params_len, domain->devices.disks[index].target.dev);
	call_reply(call, NULL);
}

static const struct change io_tune_change = { .apply = apply_io_tune,
					      .machine = tell_io_tune,
					      .done = io_tune_done };

static void on_set_io_tune(struct call *call, const rpc_domain_set_block_io_tune_args *args)
{
	struct vm *vm = call_vm(call, &args->dom);

	if (vm && call_flags(call, args->flags, AFFECT_BOTH))
		call_change(call, vm, &io_tune_change, args->flags);
}

const struct call_entry disk_handlers[] = {
	HANDLE(RPC_PROC_DOMAIN_BLOCK_STATS, rpc_domain_block_stats_args, on_block_stats),
	HANDLE(RPC_PROC_DOMAIN_BLOCK_STATS_FLAGS, rpc_domain_block_stats_flags_args,
	       on_block_stats_flags),
	HANDLE(RPC_PROC_DOMAIN_GET_BLOCK_INFO, rpc_domain_get_block_info_args, on_get_block_info),
	HANDLE(RPC_PROC_DOMAIN_BLOCK_RESIZE, rpc_domain_block_resize_args, on_block_resize),
	HANDLE(RPC_PROC_DOMAIN_SET_BLOCK_THRESHOLD, rpc_domain_set_block_threshold_args,
	       on_set_threshold),
	HANDLE(RPC_PROC_DOMAIN_GET_BLOCK_IO_TUNE, rpc_domain_get_block_io_tune_args,
	       on_get_io_tune),
	HANDLE(RPC_PROC_DOMAIN_SET_BLOCK_IO_TUNE, rpc_domain_set_block_io_tune_args,
	       on_set_io_tune),
	HANDLERS_END,
};
