/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * peek.c - what stands in a guest's memory and on its disks
 */
#include <inttypes.h>

#include "manage/disk-int.h"
#include "manage/handler-int.h"

/* libvirt's VIR_MEMORY_... */
enum {
	MEMORY_VIRTUAL = 1,
	MEMORY_PHYSICAL = 2,
};

/* Room for an answer. False: it would be too much, and the call has failed. */
static bool make_room(struct call *call, unsigned size, unsigned max)
{
	if (size <= max) {
		(void)call_data(call, MAX(size, 1));
		return true;
	}
	call_fail(call, RPC_CODE_INVALID_ARG, RPC_FROM_QEMU,
		  "at most %u bytes are read by one call; ask for them in pieces", max);
	return false;
}

/* == Memory == */

static void memory_done(struct call *call, const GError *error)
{
	const rpc_domain_memory_peek_args *args = call->args;
	rpc_domain_memory_peek_ret ret = { .buffer = { args->size, call->data } };

	if (error)
		call_fail_error(call, RPC_FROM_QEMU, error);
	else
		call_reply(call, &ret);
}

static void memory_run(struct call *call)
{
	const rpc_domain_memory_peek_args *args = call->args;
	struct machine *machine;

	if (!call_still_active(call))
		return;
	machine = call->vm->dom.machine;
	if (!machine->ops->memory_read)
		call_unsupported(call, "reading a guest's memory");
	else if (args->size == 0)
		memory_done(call, NULL);
	else
		machine->ops->memory_read(machine, args->offset, args->flags == MEMORY_VIRTUAL,
					  call->data, args->size, call_task(call, memory_done));
}

static void on_memory_peek(struct call *call, const rpc_domain_memory_peek_args *args)
{
	struct vm *vm = call_active(call, &args->dom);

	if (!vm || !make_room(call, args->size, RPC_MAX_DOMAIN_MEMORY_PEEK_BUFFER))
		return;
	if (args->flags != MEMORY_VIRTUAL && args->flags != MEMORY_PHYSICAL)
		call_fail(call, RPC_CODE_INVALID_ARG, RPC_FROM_QEMU,
			  "flags parameter must be VIR_MEMORY_VIRTUAL or VIR_MEMORY_PHYSICAL");
	else if (args->size > 0 && args->size - 1 > UINT64_MAX - args->offset)
		call_fail(call, RPC_CODE_INVALID_ARG, RPC_FROM_QEMU,
			  "the range goes beyond the last address");
	else
		call_job(call, vm, memory_run);
}

/* == Disks == */

static void block_done(struct call *call, const GError *error)
{
	const rpc_domain_block_peek_args *args = call->args;
	rpc_domain_block_peek_ret ret = { .buffer = { args->size, call->data } };

	if (error)
		call_fail_error(call, RPC_FROM_QEMU, error);
	else
		call_reply(call, &ret);
}

static void read_live(struct call *call, unsigned disk)
{
	const rpc_domain_block_peek_args *args = call->args;
	struct machine *machine = call->vm->dom.machine;

	if (!machine->ops->block_read)
		call_unsupported(call, "reading a guest's disk");
	else
		machine->ops->block_read(machine, disk, args->offset, call->data, args->size,
					 call_task(call, block_done));
}

static void read_offline(struct call *call, unsigned disk)
{
	const rpc_domain_block_peek_args *args = call->args;
	const struct machine_ops *machines = call->node->config.machines;
	struct dom *dom = &call->vm->dom;

	if (!machines->offline_block_read)
		call_unsupported(call, "reading the disk of a domain that is off");
	else
		machines->offline_block_read(dom, disk, args->offset, call->data, args->size,
					     call_task(call, block_done));
}

static void block_run(struct call *call)
{
	const rpc_domain_block_peek_args *args = call->args;
	int disk;

	if (!call_still_there(call))
		return;
	disk = call_disk(call, call->vm, args->path);
	if (disk < 0)
		return;
	if (args->size == 0)
		block_done(call, NULL);
	else if (vm_active(call->vm))
		read_live(call, (unsigned)disk);
	else
		read_offline(call, (unsigned)disk);
}

static void on_block_peek(struct call *call, const rpc_domain_block_peek_args *args)
{
	struct vm *vm = call_vm(call, &args->dom);

	if (vm && call_flags(call, args->flags, 0) &&
	    make_room(call, args->size, RPC_MAX_DOMAIN_BLOCK_PEEK_BUFFER))
		call_job(call, vm, block_run);
}

const struct call_entry peek_handlers[] = {
	HANDLE(RPC_PROC_DOMAIN_MEMORY_PEEK, rpc_domain_memory_peek_args, on_memory_peek),
	HANDLE(RPC_PROC_DOMAIN_BLOCK_PEEK, rpc_domain_block_peek_args, on_block_peek),
	HANDLERS_END,
};
