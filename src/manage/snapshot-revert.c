/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * snapshot-revert.c - a domain goes back to a snapshot
 *
 * Images that were in use at a snapshot may stand behind others now, so nobody writes to them: each disk goes on
 * in a new image in front of the one that it had then. Files in which it went on from there stay as they are; other
 * snapshots may need them. Logical volumes go back themselves. A domain that runs is ended first, since what it has
 * in memory belongs to another time.
 *
 * Machines of the driver "test" have neither files nor a past: for them a definition is all.
 */
#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "manage/define-int.h"
#include "manage/event-int.h"
#include "manage/handler-int.h"
#include "manage/snapshot-int.h"

enum {
	REVERT_RUNNING = 1 << 0,
	REVERT_PAUSED = 1 << 1,
	REVERT_FLAGS = 0xf,
};

bool snapshots_are_fake(const struct call *call)
{
	return call->node->config.support.test;
}

static struct snapshot *wanted(struct call *call)
{
	const rpc_domain_revert_to_snapshot_args *args = call->args;

	return snapshots_find(call->vm, args->snap.name);
}

static bool wants_running(struct call *call, bool *ret_paused)
{
	const rpc_domain_revert_to_snapshot_args *args = call->args;
	const struct snapshot *snapshot = wanted(call);

	*ret_paused = args->flags & REVERT_PAUSED ||
		      (snapshot->state == SNAPSHOT_PAUSED && !(args->flags & REVERT_RUNNING));
	return args->flags & (REVERT_RUNNING | REVERT_PAUSED) ||
	       snapshot->state == SNAPSHOT_RUNNING || snapshot->state == SNAPSHOT_PAUSED;
}

static void started(struct call *call, const GError *error)
{
	if (!error) {
		call_reply(call, NULL);
		return;
	}
	vm_leave(call->vm);
	call_fail_error(call, RPC_FROM_QEMU, error);
}

/* == The driver test == */

/* As it was then; its identity is the one that it has. */
static struct domain *fake_domain(struct call *call)
{
	struct domain *domain = domain_copy(wanted(call)->domain);

	g_free(domain->name);
	g_free(domain->uuid);
	domain->name = g_strdup(call->vm->dom.name);
	domain->uuid = g_strdup(call->vm->dom.uuid_text);
	domain->id = (struct number){ 0 };
	return domain;
}

static void marked(struct call *call, const GError *error)
{
	struct vm *vm = call->vm;
	bool paused;

	if (error)
		snapshots_fail_keeping(call, error);
	else if (wants_running(call, &paused))
		vm_start(call,
			 snapshots_are_fake(call) ? fake_domain(call) : domain_copy(vm->dom.config),
			 paused ? MACHINE_START_PAUSED : 0, started);
	else
		call_reply(call, NULL);
}

/* All is as it was then, and is kept so before it runs. */
static void has_gone_back(struct call *call)
{
	struct vm *vm = call->vm;
	bool paused;

	if (!wants_running(call, &paused))
		vm_set_state(vm, DOM_SHUTOFF, 7); /* from a snapshot */
	snapshots_remember(call);
	vm->snapshots->current = wanted(call);
	vm->snapshots->going_back = NULL;
	vm_keep_snapshots(vm, call_task(call, marked));
}

static void fake_stopped(struct call *call)
{
	struct vm *vm = call->vm;

	if (vm->dom.config) {
		domain_free(vm->dom.config);
		vm->dom.config = fake_domain(call);
	}
	has_gone_back(call);
}

static void fake_run(struct call *call)
{
	struct vm *vm = call->vm;
	bool paused;

	if (!call_still_there(call))
		return;
	if (!wanted(call) || !wanted(call)->domain) {
		call_fail(call, RPC_CODE_NO_DOMAIN_SNAPSHOT, RPC_FROM_DOMAIN_SNAPSHOT,
			  "the snapshot is not there any more, or says nothing of its domain");
		return;
	}
	if (!vm_active(vm)) {
		fake_stopped(call);
		return;
	}
	if (!vm->dom.config && !wants_running(call, &paused)) {
		call_fail(call, RPC_CODE_OPERATION_INVALID, RPC_FROM_QEMU,
			  "transient domain '%s' needs to be running after it went back; ask for "
			  "running or paused",
			  vm->dom.name);
		return;
	}
	/* In memory a machine is let go and made anew without anybody seeing it. */
	vm->dom.machine->ops->free(vm->dom.machine);
	vm->dom.machine = NULL;
	vm_set_inactive(vm, 7);
	event_lifecycle(vm, EVENT_STOPPED, EVENT_STOPPED_FROM_SNAPSHOT);
	fake_stopped(call);
}

/* == Machines with images == */

/* Of the domain that goes back, while its images are made. */
struct revert {
	struct snapshot *images; /* the new ones, as a snapshot names them */
	struct domain *other;    /* its definition, or the one before */
	bool again;              /* it was on the way to there already */
	GError *why;             /* it could not */
};

static void revert_free(void *data)
{
	struct revert *revert = data;

	snapshot_free(revert->images);
	domain_free(revert->other);
	g_clear_error(&revert->why);
	g_free(revert);
}

/* Can it be had by disks alone? False: the call has failed. */
static bool check_kind(struct call *call, const struct snapshot *snapshot)
{
	const struct machine_ops *machines = call->node->config.machines;

	if (!call->vm->dom.config) {
		call_fail(call, RPC_CODE_OPERATION_INVALID, RPC_FROM_QEMU,
			  "transient domain '%s' is gone when it ends; define it first",
			  call->vm->dom.name);
		return false;
	}
	if (snapshot->memory.where == SNAPSHOT_INTERNAL ||
	    snapshot->memory.where == SNAPSHOT_EXTERNAL ||
	    snapshot_is_in_images(snapshot, snapshot->domain)) {
		call_fail(call, RPC_CODE_OPERATION_UNSUPPORTED, RPC_FROM_QEMU,
			  "machines cannot go back to memory, or to snapshots inside of images, "
			  "yet; go back to a snapshot of disks (disk-only)");
		return false;
	}
	if (snapshot_has_disks(snapshot, SNAPSHOT_INTERNAL)
		    ? machines->offline_revert && machines->revert_check
		    : machines->offline_snapshot != NULL)
		return true;
	call_unsupported(call, "going back to a snapshot");
	return false;
}

/* The definition of then. What was taken of a machine that ran, by an older daemon, says only which images it had. */
static struct domain *past_config(struct call *call, const struct snapshot *snapshot)
{
	struct domain *past;

	if (snapshot->inactive || !snapshot->domain->id.set) {
		past = domain_copy(snapshot->inactive ? snapshot->inactive : snapshot->domain);
		g_free(past->name);
		g_free(past->uuid);
		past->name = g_strdup(call->vm->dom.name);
		past->uuid = g_strdup(call->vm->dom.uuid_text);
		return past;
	}
	past = domain_copy(call->vm->dom.config);
	for (unsigned i = 0; i < snapshot->domain->devices.disk_count; i++) {
		const struct domain_disk *then = &snapshot->domain->devices.disks[i];
		struct domain_disk *disk = snapshot_disk_of(past, then->target.dev);
		struct snapshot_disk entry = { .type = then->type,
					       .driver.type = then->driver.type };

		entry.source.file = then->source.file;
		entry.source.dev = then->source.dev;
		if (disk)
			snapshot_use_image(disk, &entry);
	}
	return past;
}

/* A new image for each disk that has had one in the snapshot. */
static struct snapshot *new_images(const struct snapshot *snapshot, const struct domain *past,
				   GError **error)
{
	int64_t now = g_get_real_time() / G_USEC_PER_SEC;
	struct snapshot_request request = { .state = SNAPSHOT_SHUTOFF,
					    .now = now,
					    .disk_only = true };
	autoptr(snapshot) images = g_new0(struct snapshot, 1);

	images->name = g_strdup_printf("%s-%" PRId64, snapshot->name, now);
	snapshot_fill(images, past, &request);
	for (unsigned i = 0; i < images->disks.count; i++) {
		struct snapshot_disk *entry = &images->disks.list[i];
		bool wanted = false;

		for (unsigned k = 0; k < snapshot->disks.count; k++)
			wanted |= snapshot->disks.list[k].where == SNAPSHOT_EXTERNAL &&
				  !g_strcmp0(snapshot->disks.list[k].name, entry->name);
		if (!wanted)
			entry->where = SNAPSHOT_NO;
		if (entry->where != SNAPSHOT_INTERNAL)
			continue;
		/* There is no folder beside it, and nothing may be written to it either. */
		error_set(
			error, SOCLE_ERROR_UNSUPPORTED,
			"disk '%s' is on a block device, and went on in a file; define the domain "
			"with a new image in front of it, which snapshot '%s' names",
			entry->name, snapshot->name);
		return NULL;
	}
	return snapshot_check(images, past, error) ? g_steal_pointer(&images) : NULL;
}

static void swap_config(struct call *call)
{
	struct revert *revert = call->subject;
	struct domain *before = call->vm->dom.config;

	call->vm->dom.config = revert->other;
	revert->other = before;
}

static void config_kept(struct call *call, const GError *error)
{
	struct vm *vm = call->vm;

	if (error) {
		swap_config(call);
		call_fail(call, call_code_of(error), RPC_FROM_QEMU,
			  "the definition of domain '%s' cannot be kept: %s", vm->dom.name,
			  error->message);
		return;
	}
	event_lifecycle(vm, EVENT_DEFINED, EVENT_DEFINED_FROM_SNAPSHOT);
	has_gone_back(call);
}

static void not_gone(struct call *call, const GError *error)
{
	const struct revert *revert = call->subject;

	if (error)
		g_warning("domain '%s': that its disks are not on the way back cannot be kept: %s",
			  call->vm->dom.name, error->message);
	call_fail_error(call, RPC_FROM_QEMU, revert->why);
}

static void volumes_back(struct call *call, const GError *error)
{
	struct vm *vm = call->vm;
	struct revert *revert = call->subject;

	if (!error) {
		vm_keep_config(vm, call_task(call, config_kept));
		return;
	}
	swap_config(call);
	if (g_error_matches(error, SOCLE_ERROR, SOCLE_ERROR_PARTLY)) {
		call_fail_error(call, RPC_FROM_QEMU, error);
		return;
	}
	revert->why = g_error_copy(error);
	vm->snapshots->going_back = NULL;
	vm_keep_snapshots(vm, call_task(call, not_gone));
}

/* That they are on their way. */
static void going_kept(struct call *call, const GError *error)
{
	const struct revert *revert = call->subject;

	if (!error) {
		call->node->config.machines->offline_revert(
			&call->vm->dom, wanted(call), revert->again, call_task(call, volumes_back));
		return;
	}
	swap_config(call);
	snapshots_fail_keeping(call, error);
}

static void images_made(struct call *call, const GError *error)
{
	const struct revert *revert = call->subject;
	struct vm *vm = call->vm;

	if (error) {
		swap_config(call);
		call_fail_error(call, RPC_FROM_QEMU, error);
		return;
	}
	for (unsigned i = 0; i < revert->images->disks.count; i++) {
		const struct snapshot_disk *entry = &revert->images->disks.list[i];

		if (entry->where == SNAPSHOT_EXTERNAL)
			snapshot_use_image(snapshot_disk_of(vm->dom.config, entry->name), entry);
	}
	if (!snapshot_has_disks(wanted(call), SNAPSHOT_INTERNAL)) {
		volumes_back(call, NULL);
		return;
	}
	/* Last, since it cannot be taken back. Who is killed meanwhile shall know. */
	snapshots_remember(call);
	vm->snapshots->going_back = wanted(call);
	vm_keep_snapshots(vm, call_task(call, going_kept));
}

static void stopped(struct call *call, const GError *error)
{
	struct vm *vm = call->vm;
	struct revert *revert = call->subject;

	if (error) {
		vm->destroying = false;
		call_fail_error(call, RPC_FROM_QEMU, error);
		return;
	}
	if (vm_active(vm))
		vm_ended(vm, MACHINE_END_DESTROYED, NULL);
	swap_config(call);
	if (snapshot_has_disks(revert->images, SNAPSHOT_EXTERNAL))
		call->node->config.machines->offline_snapshot(&vm->dom, revert->images,
							      call_task(call, images_made));
	else
		images_made(call, NULL);
}

/* It could go back, as far as is known before it ends. */
static void checked(struct call *call, const GError *error)
{
	struct vm *vm = call->vm;

	if (error) {
		call_fail_error(call, RPC_FROM_QEMU, error);
	} else if (!vm_active(vm)) {
		stopped(call, NULL);
	} else if (!vm->dom.machine) {
		call_still_active(call);
	} else {
		vm->destroying = true;
		vm->dom.machine->ops->destroy(vm->dom.machine, false, call_task(call, stopped));
	}
}

static void run(struct call *call)
{
	struct vm *vm = call->vm;
	g_autoptr(GError) error = NULL;
	const struct snapshot *snapshot;
	struct revert *revert;

	if (!call_still_there(call))
		return;
	snapshot = wanted(call);
	if (!snapshot || !snapshot->domain) {
		call_fail(call, RPC_CODE_NO_DOMAIN_SNAPSHOT, RPC_FROM_DOMAIN_SNAPSHOT,
			  "the snapshot is not there any more, or says nothing of its domain");
		return;
	}
	if (vm->snapshots->going_back != snapshot && !snapshots_agree(vm, &error)) {
		call_fail_error(call, RPC_FROM_QEMU, error);
		return;
	}
	if (!check_kind(call, snapshot))
		return;
	revert = g_new0(struct revert, 1);
	revert->again = vm->snapshots->going_back == snapshot;
	call->subject = revert;
	call->subject_free = revert_free;
	revert->other = past_config(call, snapshot);
	domain_fill(revert->other, &call->node->config.support);
	if (domain_check(revert->other, &call->node->config.support, 0, NULL, &error))
		revert->images = new_images(snapshot, revert->other, &error);
	if (!revert->images) {
		call_fail_xml(call, error);
		return;
	}
	if (snapshot_has_disks(snapshot, SNAPSHOT_INTERNAL))
		call->node->config.machines->revert_check(&vm->dom, snapshot, revert->again,
							  call_task(call, checked));
	else
		checked(call, NULL);
}

static void on_revert(struct call *call, const rpc_domain_revert_to_snapshot_args *args)
{
	struct vm *vm;

	if (!call_snapshot(call, &args->snap, &vm) || !call_flags(call, args->flags, REVERT_FLAGS))
		return;
	call_job(call, vm, snapshots_are_fake(call) ? fake_run : run);
}

const struct call_entry snapshot_revert_handlers[] = {
	HANDLE(RPC_PROC_DOMAIN_REVERT_TO_SNAPSHOT, rpc_domain_revert_to_snapshot_args, on_revert),
	HANDLERS_END,
};
