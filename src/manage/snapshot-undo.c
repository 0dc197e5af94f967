/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * snapshot-undo.c - a snapshot that devices keep leaves nothing if it does not come to be
 *
 * That it is being made is kept before anything is made, and until it is a snapshot or nothing. A daemon that
 * finds it so has it taken back. Where that fails (a volume group may come later than the daemon) the machine's next
 * snapshot tries it once more.
 */
#include "base/error.h"
#include "manage/snapshot-int.h"

static const struct machine_ops *ops_of(const struct vm *vm)
{
	return vm->dom.node->config.machines;
}

static const struct snapshot *left_of(const struct vm *vm)
{
	const struct snapshot *making = vm->snapshots ? vm->snapshots->making : NULL;

	/* Of a file that was made by hand anything may be missing. */
	return making && making->domain && ops_of(vm)->snapshot_undo ? making : NULL;
}

static void warn(const struct vm *vm, const GError *error)
{
	g_warning("domain '%s': what a daemon that ended had made of snapshot '%s' cannot be "
		  "removed: %s",
		  vm->dom.name, vm->snapshots->making->name, error->message);
}

/* == Before one is made == */

struct beginning {
	struct task task;
	struct vm *vm; /* the caller holds it */
	const struct snapshot *snapshot;
	struct task *then;
};

static void keep_making(struct vm *vm, const struct snapshot *snapshot, struct task *then)
{
	if (!snapshot_has_disks(snapshot, SNAPSHOT_INTERNAL) || !ops_of(vm)->snapshot_undo) {
		task_end(then, NULL);
		return;
	}
	snapshots_set_making(vm, snapshot);
	vm_keep_snapshots(vm, then);
}

static void cleared(struct task *task, const GError *error)
{
	struct beginning *beginning = container_of(task, struct beginning, task);
	const struct beginning b = *beginning;

	g_free(beginning);
	if (error)
		warn(b.vm, error);
	snapshots_set_making(b.vm, NULL);
	keep_making(b.vm, b.snapshot, b.then);
}

void snapshots_begin(struct vm *vm, const struct snapshot *snapshot, struct task *task)
{
	const struct snapshot *left = left_of(vm);
	struct beginning *beginning;

	if (!left) {
		keep_making(vm, snapshot, task);
		return;
	}
	beginning = g_new(struct beginning, 1);
	*beginning = (struct beginning){ { cleared }, vm, snapshot, task };
	ops_of(vm)->snapshot_undo(&vm->dom, left, &beginning->task);
}

/* == It was not made == */

static void nothing_kept(struct call *call, const GError *error)
{
	if (error)
		g_warning("domain '%s': that no snapshot is being made cannot be kept: %s",
			  call->vm->dom.name, error->message);
	call_reply(call, NULL);
}

void snapshots_give_up(struct call *call, const GError *error)
{
	struct vm *vm = call->vm;

	if (!left_of(vm)) {
		call_fail_error(call, RPC_FROM_QEMU, error);
		return;
	}
	call_fail_late(call, call_code_of(error), RPC_FROM_QEMU, error->message);
	snapshots_set_making(vm, NULL);
	vm_keep_snapshots(vm, call_task(call, nothing_kept));
}

/* == At the daemon's start == */

static void undone(struct call *call, const GError *error)
{
	struct vm *vm = call->vm;

	if (error) {
		warn(vm, error);
		call_reply(call, NULL);
		return;
	}
	snapshots_set_making(vm, NULL);
	vm_keep_snapshots(vm, call_task(call, nothing_kept));
}

static void undo_run(struct call *call)
{
	struct vm *vm = call->vm;

	if (vm->object.gone || !left_of(vm))
		call_reply(call, NULL);
	else
		ops_of(vm)->snapshot_undo(&vm->dom, left_of(vm), call_task(call, undone));
}

void snapshots_loaded(struct vm *vm)
{
	if (left_of(vm))
		call_job(call_new(vm->dom.node), vm, undo_run);
}
