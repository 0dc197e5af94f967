/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * block-job.c - disks are copied, merged and flattened while they are in use
 */
#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "manage/disk-int.h"

enum {
	MIB = 1024 * 1024,
	PULL_BYTES = 1 << 6, /* of a pull: the rate is in bytes, not MiB */
	COMMIT_SHALLOW = 1 << 0,
	COMMIT_DELETE = 1 << 1,
	COMMIT_ACTIVE = 1 << 2,
	COMMIT_RELATIVE = 1 << 3,
	COMMIT_BYTES = 1 << 4,
	REBASE_SHALLOW = 1 << 0,
	REBASE_REUSE = 1 << 1,
	REBASE_COPY_RAW = 1 << 2,
	REBASE_COPY = 1 << 3,
	REBASE_RELATIVE = 1 << 4,
	REBASE_COPY_DEV = 1 << 5,
	REBASE_BYTES = 1 << 6,
	COPY_SHALLOW = 1 << 0,
	COPY_REUSE = 1 << 1,
	COPY_TRANSIENT = 1 << 2,
	ABORT_ASYNC = 1 << 0,
	ABORT_PIVOT = 1 << 1,
	INFO_BYTES = 1 << 0,
	SPEED_BYTES = 1 << 0,
};

static bool rate_of(struct call *call, uint64_t bandwidth, bool bytes, uint64_t *ret_rate)
{
	if (!bytes && bandwidth > INT64_MAX / MIB) {
		call_fail(call, RPC_CODE_INVALID_ARG, RPC_FROM_QEMU,
			  "a rate of %" PRIu64 " MiB in a second is too high", bandwidth);
		return false;
	}
	*ret_rate = bytes ? bandwidth : bandwidth * MIB;
	return true;
}

/* @spec has all but the disk. */
static void start(struct call *call, const char *name, struct machine_block_job_spec *spec)
{
	struct machine *machine = call->vm->dom.machine;
	int disk;

	if (!call_still_active(call))
		return;
	disk = call_disk(call, call->vm, name);
	if (disk < 0)
		return;
	spec->disk = (unsigned)disk;
	if (!machine->ops->block_job_start)
		call_unsupported(call, "a block job");
	else
		machine->ops->block_job_start(machine, spec, call_task(call, call_done));
}

/* == Pull, commit, copy == */

static void pull_run(struct call *call)
{
	const rpc_domain_block_pull_args *args = call->args;
	struct machine_block_job_spec spec = { .type = MACHINE_BLOCK_PULL };

	if (rate_of(call, args->bandwidth, args->flags & PULL_BYTES, &spec.bandwidth))
		start(call, args->path, &spec);
}

static void on_pull(struct call *call, const rpc_domain_block_pull_args *args)
{
	struct vm *vm = call_active(call, &args->dom);

	if (vm && call_flags(call, args->flags, PULL_BYTES))
		call_job(call, vm, pull_run);
}

static void commit_run(struct call *call)
{
	const rpc_domain_block_commit_args *args = call->args;
	struct machine_block_job_spec spec = { .type = MACHINE_BLOCK_COMMIT };
	const struct domain *live = call->vm->dom.live;
	const char *active;
	int disk;

	if (!call_still_active(call))
		return;
	disk = call_disk(call, call->vm, args->disk);
	if (disk < 0)
		return;
	active = disk_path(&live->devices.disks[disk]);
	spec.base = args->base ? *args->base : NULL;
	spec.top = args->top ? *args->top : NULL;
	spec.shallow = args->flags & COMMIT_SHALLOW;
	if (!spec.top || (active && !strcmp(spec.top, active))) {
		if (!(args->flags & COMMIT_ACTIVE)) {
			call_fail(call, RPC_CODE_INVALID_ARG, RPC_FROM_QEMU,
				  "commit of '%s' active layer requires active flag", args->disk);
			return;
		}
		spec.top = NULL;
		spec.type = MACHINE_BLOCK_ACTIVE_COMMIT;
	}
	if (rate_of(call, args->bandwidth, args->flags & COMMIT_BYTES, &spec.bandwidth))
		start(call, args->disk, &spec);
}

static void on_commit(struct call *call, const rpc_domain_block_commit_args *args)
{
	struct vm *vm = call_active(call, &args->dom);

	if (vm && call_flags(call, args->flags,
			     COMMIT_SHALLOW | COMMIT_DELETE | COMMIT_ACTIVE | COMMIT_RELATIVE |
				     COMMIT_BYTES))
		call_job(call, vm, commit_run);
}

static void rebase_run(struct call *call)
{
	const rpc_domain_block_rebase_args *args = call->args;
	struct machine_block_job_spec spec = { .type = MACHINE_BLOCK_PULL };
	const char *base = args->base ? *args->base : NULL;

	if (args->flags & REBASE_COPY) {
		if (!base) {
			call_fail(call, RPC_CODE_INVALID_ARG, RPC_FROM_QEMU,
				  "a copy needs a file to copy to");
			return;
		}
		spec.type = MACHINE_BLOCK_COPY;
		spec.dest = base;
		spec.dest_type = args->flags & REBASE_COPY_RAW ? "raw" : NULL;
		spec.reuse = args->flags & REBASE_REUSE;
		spec.shallow = args->flags & REBASE_SHALLOW;
	} else {
		spec.base = base;
	}
	if (rate_of(call, args->bandwidth, args->flags & REBASE_BYTES, &spec.bandwidth))
		start(call, args->path, &spec);
}

static void on_rebase(struct call *call, const rpc_domain_block_rebase_args *args)
{
	struct vm *vm = call_active(call, &args->dom);

	if (vm && call_flags(call, args->flags, 0x7f))
		call_job(call, vm, rebase_run);
}

static void free_domain(void *data)
{
	domain_free(data);
}

/* <disk> with only what says where to: it may have no target. */
static const struct domain_disk *take_destination(struct call *call, const char *xml)
{
	g_autoptr(GError) error = NULL;
	struct domain *device = domain_parse_device(xml, strlen(xml), 0, NULL, &error);

	if (!device) {
		call_fail(call, RPC_CODE_XML_ERROR, RPC_FROM_DOMAIN, "XML error: %s",
			  error->message);
		return NULL;
	}
	call->subject = device;
	call->subject_free = free_domain;
	if (device->devices.disk_count == 1 && disk_path(&device->devices.disks[0]))
		return &device->devices.disks[0];
	call_fail(call, RPC_CODE_INVALID_ARG, RPC_FROM_QEMU,
		  "the destination of a copy is a <disk> with a file or a block device");
	return NULL;
}

static void copy_run(struct call *call)
{
	const rpc_domain_block_copy_args *args = call->args;
	const struct domain *device = call->subject;
	const struct domain_disk *to = &device->devices.disks[0];
	struct machine_block_job_spec spec = { .type = MACHINE_BLOCK_COPY,
					       .dest = disk_path(to),
					       .dest_type = to->driver.type,
					       .reuse = args->flags & COPY_REUSE,
					       .shallow = args->flags & COPY_SHALLOW };
	const rpc_param *rate = rpc_params_find(args->params.params_val, args->params.params_len,
						"bandwidth", RPC_PARAM_ULLONG, NULL);

	if (rate)
		spec.bandwidth = rate->value.rpc_param_value_u.ul;
	start(call, args->path, &spec);
}

static void on_copy(struct call *call, const rpc_domain_block_copy_args *args)
{
	static const struct rpc_param_spec specs[] = {
		{ "bandwidth", RPC_PARAM_ULLONG, false },
		{ "granularity", RPC_PARAM_UINT, false },
		{ "buf-size", RPC_PARAM_ULLONG, false },
	};
	struct vm *vm = call_active(call, &args->dom);
	g_autoptr(GError) error = NULL;

	if (!vm || !call_flags(call, args->flags, COPY_SHALLOW | COPY_REUSE | COPY_TRANSIENT))
		return;
	if (!rpc_params_check(args->params.params_val, args->params.params_len, specs,
			      ARRAY_SIZE(specs), &error)) {
		call_fail_error(call, RPC_FROM_QEMU, error);
		return;
	}
	if (take_destination(call, args->destxml))
		call_job(call, vm, copy_run);
}

/* == What goes on == */

static void info_known(struct call *call, const GError *error)
{
	const rpc_domain_get_block_job_info_args *args = call->args;
	const struct machine_block_job_info *info = call->data;
	rpc_domain_get_block_job_info_ret ret = { .found = 0 };

	if (error) {
		call_fail_error(call, RPC_FROM_QEMU, error);
		return;
	}
	if (info->type != MACHINE_BLOCK_NONE) {
		ret.found = 1;
		ret.type = (int)info->type;
		ret.bandwidth = args->flags & INFO_BYTES ? info->bandwidth : info->bandwidth / MIB;
		/* For clients the end is what tells that it is done or ready: not before it is. */
		ret.end = info->end;
		ret.cur = info->cur;
		if (!info->ready && ret.cur >= ret.end)
			ret.end = ret.cur + 1;
	}
	call_reply(call, &ret);
}

static void on_job_info(struct call *call, const rpc_domain_get_block_job_info_args *args)
{
	struct vm *vm = call_active(call, &args->dom);
	struct machine *machine;
	int disk;

	if (!vm || !call_flags(call, args->flags, INFO_BYTES))
		return;
	disk = call_disk(call, vm, args->path);
	if (disk < 0)
		return;
	machine = vm->dom.machine;
	call_data(call, sizeof(struct machine_block_job_info));
	call_hold(call, vm);
	if (!machine || !machine->ops->block_job_query)
		info_known(call, NULL);
	else
		machine->ops->block_job_query(machine, (unsigned)disk, call->data,
					      call_task(call, info_known));
}

static void abort_run(struct call *call)
{
	const rpc_domain_block_job_abort_args *args = call->args;
	struct machine *machine = call->vm->dom.machine;
	int disk;

	if (!call_still_active(call))
		return;
	disk = call_disk(call, call->vm, args->path);
	if (disk < 0)
		return;
	if (!machine->ops->block_job_abort)
		call_unsupported(call, "a block job");
	else
		machine->ops->block_job_abort(machine, (unsigned)disk, args->flags & ABORT_PIVOT,
					      call_task(call, call_done));
}

static void on_abort(struct call *call, const rpc_domain_block_job_abort_args *args)
{
	struct vm *vm = call_active(call, &args->dom);

	if (vm && call_flags(call, args->flags, ABORT_ASYNC | ABORT_PIVOT))
		call_job(call, vm, abort_run);
}

static void speed_run(struct call *call)
{
	const rpc_domain_block_job_set_speed_args *args = call->args;
	struct machine *machine = call->vm->dom.machine;
	uint64_t rate;
	int disk;

	if (!call_still_active(call))
		return;
	disk = call_disk(call, call->vm, args->path);
	if (disk < 0 || !rate_of(call, args->bandwidth, args->flags & SPEED_BYTES, &rate))
		return;
	if (!machine->ops->block_job_speed)
		call_unsupported(call, "a block job");
	else
		machine->ops->block_job_speed(machine, (unsigned)disk, rate,
					      call_task(call, call_done));
}

static void on_speed(struct call *call, const rpc_domain_block_job_set_speed_args *args)
{
	struct vm *vm = call_active(call, &args->dom);

	if (vm && call_flags(call, args->flags, SPEED_BYTES))
		call_job(call, vm, speed_run);
}

const struct call_entry block_job_handlers[] = {
	HANDLE(RPC_PROC_DOMAIN_BLOCK_PULL, rpc_domain_block_pull_args, on_pull),
	HANDLE(RPC_PROC_DOMAIN_BLOCK_COMMIT, rpc_domain_block_commit_args, on_commit),
	HANDLE(RPC_PROC_DOMAIN_BLOCK_REBASE, rpc_domain_block_rebase_args, on_rebase),
	HANDLE(RPC_PROC_DOMAIN_BLOCK_COPY, rpc_domain_block_copy_args, on_copy),
	HANDLE(RPC_PROC_DOMAIN_GET_BLOCK_JOB_INFO, rpc_domain_get_block_job_info_args, on_job_info),
	HANDLE(RPC_PROC_DOMAIN_BLOCK_JOB_ABORT, rpc_domain_block_job_abort_args, on_abort),
	HANDLE(RPC_PROC_DOMAIN_BLOCK_JOB_SET_SPEED, rpc_domain_block_job_set_speed_args, on_speed),
	HANDLERS_END,
};
