/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * snapshot-make.c - snapshots are made, and gone back to
 *
 * Real machines have external snapshots of disks: the machine goes on in new images; and internal ones of
 * disks on logical volumes, to which they can go back. What needs the machine's memory is refused until it
 * can be kept; the machines of the driver "test" have it all.
 */
#include <string.h>

#include "base/error.h"
#include "manage/define-int.h"
#include "manage/event-int.h"
#include "manage/handler-int.h"
#include "manage/snapshot-int.h"

enum {
	CREATE_REDEFINE = 1 << 0,
	CREATE_CURRENT = 1 << 1,
	CREATE_NO_METADATA = 1 << 2,
	CREATE_HALT = 1 << 3,
	CREATE_DISK_ONLY = 1 << 4,
	CREATE_REUSE = 1 << 5,
	CREATE_QUIESCE = 1 << 6,
	CREATE_VALIDATE = 1 << 9,
	CREATE_FLAGS = 0x3ff,
	REVERT_RUNNING = 1 << 0,
	REVERT_PAUSED = 1 << 1,
	REVERT_FLAGS = 0xf,
};

static bool is_test(const struct call *call)
{
	return call->node->config.support.test;
}

void snapshots_remember(struct call *call)
{
	call->data = snapshots_format(call->vm);
	call->data_free = g_free;
}

/* == Make == */

static void free_snapshot(void *data)
{
	snapshot_free(data);
}

void snapshots_fail_keeping(struct call *call, const GError *error)
{
	snapshots_put_back(call->vm, call->data);
	call_fail(call, call_code_of(error), RPC_FROM_QEMU,
		  "the snapshots of domain '%s' cannot be kept: %s", call->vm->dom.name,
		  error->message);
}

static void halted(struct call *call, const GError *error)
{
	const rpc_domain_snapshot_create_xml_args *args = call->args;
	rpc_domain_snapshot_create_xml_ret ret;
	const struct snapshot *snapshot = call->subject;

	if (error) {
		call->vm->destroying = false;
		call_fail_error(call, RPC_FROM_QEMU, error);
		return;
	}
	if (args->flags & CREATE_HALT)
		vm_ended(call->vm, MACHINE_END_DESTROYED, NULL);
	ret.snap = snapshot_handle(call->vm, snapshot);
	call_reply(call, &ret);
}

static void created(struct call *call, const GError *error)
{
	const rpc_domain_snapshot_create_xml_args *args = call->args;
	struct machine *machine = call->vm->dom.machine;

	if (error) {
		snapshots_fail_keeping(call, error);
		return;
	}
	if (args->flags & CREATE_HALT && machine) {
		call->vm->destroying = true;
		machine->ops->destroy(machine, false, call_task(call, halted));
		return;
	}
	halted(call, NULL);
}

static void insert(struct call *call)
{
	const rpc_domain_snapshot_create_xml_args *args = call->args;
	struct snapshot *snapshot = call->subject;
	struct snapshots *all = snapshots_of(call->vm);
	struct snapshot *old = snapshots_find(call->vm, snapshot->name);

	snapshots_remember(call);
	if (args->flags & CREATE_NO_METADATA) {
		created(call, NULL);
		return;
	}
	if (old) {
		if (all->current == old)
			all->current = snapshot;
		g_ptr_array_remove(all->list, old);
	} else if (!(args->flags & CREATE_REDEFINE)) {
		g_free(snapshot->parent.name);
		snapshot->parent.name = all->current ? g_strdup(all->current->name) : NULL;
	}
	if (!(args->flags & CREATE_REDEFINE) || args->flags & CREATE_CURRENT)
		all->current = snapshot;
	g_ptr_array_add(all->list, snapshot);
	call->subject_free = NULL; /* it is in the list, and stays what the answer is about */
	vm_keep_snapshots(call->vm, call_task(call, created));
}

static struct domain_disk *disk_of(struct domain *domain, const char *target)
{
	for (unsigned i = 0; domain && i < domain->devices.disk_count; i++) {
		if (!g_strcmp0(domain->devices.disks[i].target.dev, target))
			return &domain->devices.disks[i];
	}
	return NULL;
}

/* The disk goes on in its new image. */
static void use_image(struct domain_disk *disk, const struct snapshot_disk *entry)
{
	g_free(disk->source.file);
	g_free(disk->source.dev);
	g_free(disk->driver.type);
	disk->type = entry->type;
	disk->source.file = g_strdup(entry->source.file);
	disk->source.dev = g_strdup(entry->source.dev);
	disk->driver.type = g_strdup(entry->driver.type);
}

/* So does the definition, if the disk in it is this one: it may have another image by now. */
static void use_images(struct vm *vm, const struct snapshot_disk *entry)
{
	struct domain_disk *live = disk_of(vm->dom.live, entry->name);
	struct domain_disk *config = disk_of(vm->dom.config, entry->name);

	if (config && (!live || !g_strcmp0(disk_path(live), disk_path(config))))
		use_image(config, entry);
	if (live)
		use_image(live, entry);
}

static void images_kept(struct call *call, const GError *error)
{
	/* The machine uses them already: what is on disk is behind, and said to be. */
	if (error)
		g_warning("domain '%s': the names of its new images cannot be kept: %s",
			  call->vm->dom.name, error->message);
	insert(call);
}

static void images_made(struct call *call, const GError *error)
{
	const struct snapshot *snapshot = call->subject;
	struct vm *vm = call->vm;

	if (error) {
		call_fail_error(call, RPC_FROM_QEMU, error);
		return;
	}
	for (unsigned i = 0; i < snapshot->disks.count; i++) {
		const struct snapshot_disk *entry = &snapshot->disks.list[i];

		if (entry->where == SNAPSHOT_EXTERNAL)
			use_images(vm, entry);
	}
	vm_keep_status(vm);
	if (vm->dom.config)
		vm_keep_config(vm, call_task(call, images_kept));
	else
		insert(call);
}

bool snapshot_has_disks(const struct snapshot *snapshot, enum snapshot_where where)
{
	bool has = false;

	for (unsigned i = 0; i < snapshot->disks.count; i++)
		has |= snapshot->disks.list[i].where == where;
	return has;
}

static enum snapshot_state state_of(const struct vm *vm)
{
	switch (vm->dom.state) {
	case DOM_RUNNING:
	case DOM_BLOCKED:
		return SNAPSHOT_RUNNING;
	case DOM_PAUSED:
	case DOM_PMSUSPENDED:
		return SNAPSHOT_PAUSED;
	case DOM_CRASHED:
	case DOM_NOSTATE:
	case DOM_SHUTDOWN:
	case DOM_SHUTOFF:
	default:
		return SNAPSHOT_SHUTOFF;
	}
}

static bool is_in_images(const struct snapshot *snapshot, struct domain *domain)
{
	for (unsigned i = 0; i < snapshot->disks.count; i++) {
		const struct domain_disk *disk = disk_of(domain, snapshot->disks.list[i].name);

		if (snapshot->disks.list[i].where == SNAPSHOT_INTERNAL &&
		    !(disk && disk_keeps_snapshots(disk)))
			return true;
	}
	return false;
}

/* Can this host do it? False: the call has failed. */
static bool check_kind(struct call *call, const struct snapshot *snapshot)
{
	const struct vm *vm = call->vm;
	const rpc_domain_snapshot_create_xml_args *args = call->args;
	const struct machine_ops *ops = call->node->config.machines;

	if (args->flags & CREATE_QUIESCE) {
		call_fail(call, RPC_CODE_AGENT_UNRESPONSIVE, RPC_FROM_QEMU,
			  "no agent in the guest of '%s' holds its file systems still; leave "
			  "quiesce out",
			  vm->dom.name);
		return false;
	}
	if (is_test(call))
		return true;
	if (args->flags & CREATE_REUSE) {
		call_fail(
			call, RPC_CODE_OPERATION_UNSUPPORTED, RPC_FROM_QEMU,
			"the new images of a snapshot are made by it, not taken as they are; leave "
			"reuse-external out, and the files, too");
		return false;
	}
	if (snapshot->memory.where == SNAPSHOT_INTERNAL ||
	    snapshot->memory.where == SNAPSHOT_EXTERNAL) {
		call_fail(call, RPC_CODE_OPERATION_UNSUPPORTED, RPC_FROM_QEMU,
			  "memory of machines cannot be kept in a snapshot yet; ask for one of the "
			  "disks only");
		return false;
	}
	if (is_in_images(snapshot, vm_shown(vm))) {
		call_fail(call, RPC_CODE_OPERATION_UNSUPPORTED, RPC_FROM_QEMU,
			  "snapshots inside of images cannot be made for machines yet; ask for an "
			  "external one (disk-only)");
		return false;
	}
	if (vm_active(vm) ? ops->snapshot != NULL : ops->offline_snapshot != NULL)
		return true;
	call_unsupported(call, "a snapshot");
	return false;
}

static bool fill_and_check(struct call *call, struct snapshot *snapshot)
{
	const rpc_domain_snapshot_create_xml_args *args = call->args;
	const struct vm *vm = call->vm;
	struct snapshot_request request = { .state = state_of(vm),
					    .now = g_get_real_time() / G_USEC_PER_SEC,
					    .disk_only = args->flags & CREATE_DISK_ONLY };
	g_autoptr(GError) error = NULL;
	bool ok;

	if (!(args->flags & CREATE_REDEFINE)) {
		/* What a client says of the past is only listened to when it is defined anew. */
		snapshot->state = SNAPSHOT_STATE_ABSENT;
		snapshot->creation_time.set = false;
		domain_free(snapshot->domain);
		snapshot->domain = NULL;
	}
	snapshot_fill(snapshot, vm_shown(vm), &request);
	ok = snapshot_check(snapshot, vm_shown(vm), &error) &&
	     snapshot_check_text(snapshot, &error);
	/* Images of the driver "test" hold whatever they are asked to. */
	if (!ok && is_test(call) && g_error_matches(error, SOCLE_ERROR, SOCLE_ERROR_UNSUPPORTED))
		ok = true;
	if (!ok)
		call_fail_xml(call, error);
	return ok;
}

/* The tree stays one, whatever a client says of the past. False: the call has failed. */
static bool check_parent(struct call *call, const struct snapshot *snapshot)
{
	const struct vm *vm = call->vm;
	const struct snapshot *at = snapshot;

	for (unsigned i = 0; at->parent.name && i <= snapshots_count(vm); i++) {
		at = snapshots_find(vm, at->parent.name);
		if (!at && i > 0)
			return true; /* of a file that was made by hand */
		if (!at) {
			call_fail(call, RPC_CODE_INVALID_ARG, RPC_FROM_DOMAIN_SNAPSHOT,
				  "parent '%.255s' of snapshot '%s' not found; define that first",
				  snapshot->parent.name, snapshot->name);
			return false;
		}
		if (!strcmp(at->name, snapshot->name)) {
			call_fail(call, RPC_CODE_INVALID_ARG, RPC_FROM_DOMAIN_SNAPSHOT,
				  "parent '%.255s' would create a cycle to '%s'; name another one",
				  snapshot->parent.name, snapshot->name);
			return false;
		}
	}
	return true;
}

static void create_run(struct call *call)
{
	const rpc_domain_snapshot_create_xml_args *args = call->args;
	const struct machine_ops *ops = call->node->config.machines;
	struct snapshot *snapshot = call->subject;
	struct vm *vm = call->vm;
	bool redefine = args->flags & CREATE_REDEFINE;

	if (!call_still_there(call) || !fill_and_check(call, snapshot))
		return;
	if (snapshots_find(vm, snapshot->name) && !redefine) {
		call_fail(call, RPC_CODE_OPERATION_FAILED, RPC_FROM_QEMU,
			  "domain '%s' already has a snapshot '%s'; give it another name",
			  vm->dom.name, snapshot->name);
		return;
	}
	if (snapshots_count(vm) >= RPC_MAX_SNAPSHOTS) {
		call_fail(call, RPC_CODE_OPERATION_FAILED, RPC_FROM_QEMU,
			  "domain '%s' has %d snapshots; delete some", vm->dom.name,
			  RPC_MAX_SNAPSHOTS);
		return;
	}
	if (redefine) {
		if (check_parent(call, snapshot))
			insert(call);
		return;
	}
	if (!check_kind(call, snapshot))
		return;
	if (!snapshot_has_disks(snapshot, SNAPSHOT_EXTERNAL) &&
	    (is_test(call) || !snapshot_has_disks(snapshot, SNAPSHOT_INTERNAL)))
		insert(call);
	else if (vm->dom.machine)
		ops->snapshot(vm->dom.machine, snapshot, call_task(call, images_made));
	else if (!vm_active(vm))
		ops->offline_snapshot(&vm->dom, snapshot, call_task(call, images_made));
	else
		call_still_active(call);
}

static void on_create(struct call *call, const rpc_domain_snapshot_create_xml_args *args)
{
	struct vm *vm = call_vm(call, &args->dom);
	g_autoptr(GError) error = NULL;
	struct snapshot *snapshot;

	if (!vm || !call_flags(call, args->flags, CREATE_FLAGS))
		return;
	snapshot = snapshot_parse(args->xml_desc, strlen(args->xml_desc),
				  args->flags & CREATE_VALIDATE ? SNAPSHOT_PARSE_STRICT : 0, NULL,
				  &error);
	if (!snapshot) {
		call_fail_xml(call, error);
		return;
	}
	call->subject = snapshot;
	call->subject_free = free_snapshot;
	call_job(call, vm, create_run);
}

/* == Go back == */

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

static void revert_kept(struct call *call, const GError *error)
{
	if (error)
		snapshots_fail_keeping(call, error);
	else
		call_reply(call, NULL);
}

static void keep_revert(struct call *call)
{
	snapshots_remember(call);
	call->vm->snapshots->current = wanted(call);
	vm_keep_snapshots(call->vm, call_task(call, revert_kept));
}

static void revert_started(struct call *call, const GError *error)
{
	if (!error) {
		keep_revert(call);
		return;
	}
	vm_leave(call->vm);
	call_fail_error(call, RPC_FROM_QEMU, error);
}

/* As it was then; its identity is the one that it has. */
static struct domain *past_domain(struct call *call)
{
	struct domain *domain = domain_copy(wanted(call)->domain);

	g_free(domain->name);
	g_free(domain->uuid);
	domain->name = g_strdup(call->vm->dom.name);
	domain->uuid = g_strdup(call->vm->dom.uuid_text);
	domain->id = (struct number){ 0 };
	return domain;
}

static void revert_stopped(struct call *call, const GError *error)
{
	struct vm *vm = call->vm;
	bool paused;

	if (error) {
		call_fail_error(call, RPC_FROM_QEMU, error);
		return;
	}
	if (vm->dom.config) {
		domain_free(vm->dom.config);
		vm->dom.config = past_domain(call);
	}
	if (!wants_running(call, &paused)) {
		vm_set_state(vm, DOM_SHUTOFF, 7); /* from a snapshot */
		keep_revert(call);
		return;
	}
	vm_start(call, past_domain(call), paused ? MACHINE_START_PAUSED : 0, revert_started);
}

static void revert_run(struct call *call)
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
		revert_stopped(call, NULL);
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
	revert_stopped(call, NULL);
}

/* == Go back, of a real machine: it is off, and stays so unless the client wants it to run == */

static void real_config_kept(struct call *call, const GError *error)
{
	struct vm *vm = call->vm;
	bool paused;

	/* What the disks have has changed already. */
	if (error)
		g_warning("domain '%s': its definition of then cannot be kept: %s", vm->dom.name,
			  error->message);
	if (!wants_running(call, &paused)) {
		vm_set_state(vm, DOM_SHUTOFF, 7); /* from a snapshot */
		keep_revert(call);
		return;
	}
	vm_start(call, domain_copy(vm->dom.config), paused ? MACHINE_START_PAUSED : 0,
		 revert_started);
}

static void disks_back(struct call *call, const GError *error)
{
	struct vm *vm = call->vm;

	if (error) {
		call_fail_error(call, RPC_FROM_QEMU, error);
		return;
	}
	/* What ran then may have said more than its definition. */
	if (wanted(call)->state != SNAPSHOT_SHUTOFF) {
		real_config_kept(call, NULL);
		return;
	}
	domain_free(vm->dom.config);
	vm->dom.config = past_domain(call);
	vm_keep_config(vm, call_task(call, real_config_kept));
}

static void real_revert_off(struct call *call, const GError *error)
{
	struct vm *vm = call->vm;

	if (error) {
		vm->destroying = false;
		call_fail_error(call, RPC_FROM_QEMU, error);
		return;
	}
	if (vm_active(vm))
		vm_ended(vm, MACHINE_END_DESTROYED, NULL);
	call->node->config.machines->offline_revert(&vm->dom, wanted(call),
						    call_task(call, disks_back));
}

static void real_revert_can(struct call *call, const GError *error)
{
	struct vm *vm = call->vm;

	if (error) {
		call_fail_error(call, RPC_FROM_QEMU, error);
	} else if (!vm_active(vm)) {
		real_revert_off(call, NULL);
	} else if (!vm->dom.machine) {
		call_fail(call, RPC_CODE_OPERATION_INVALID, RPC_FROM_QEMU,
			  "domain '%s' is only just beginning; try again", vm->dom.name);
	} else {
		vm->destroying = true;
		vm->dom.machine->ops->destroy(vm->dom.machine, false,
					      call_task(call, real_revert_off));
	}
}

static void real_revert_run(struct call *call)
{
	struct vm *vm = call->vm;
	const struct snapshot *snapshot;

	if (!call_still_there(call))
		return;
	snapshot = wanted(call);
	if (!snapshot || !snapshot->domain) {
		call_fail(call, RPC_CODE_NO_DOMAIN_SNAPSHOT, RPC_FROM_DOMAIN_SNAPSHOT,
			  "the snapshot is not there any more, or says nothing of its domain");
	} else if (!vm->dom.config) {
		call_fail(call, RPC_CODE_OPERATION_INVALID, RPC_FROM_QEMU,
			  "transient domain '%s' cannot be off, as it has to be to go back; define "
			  "it "
			  "first",
			  vm->dom.name);
	} else {
		call->node->config.machines->revert_check(&vm->dom, snapshot,
							  call_task(call, real_revert_can));
	}
}

/* Are all of its disks such that their devices keep it? */
static bool can_go_back(const struct call *call, const struct snapshot *snapshot)
{
	return call->node->config.machines->offline_revert &&
	       call->node->config.machines->revert_check && snapshot->domain &&
	       snapshot_has_disks(snapshot, SNAPSHOT_INTERNAL) &&
	       !snapshot_has_disks(snapshot, SNAPSHOT_EXTERNAL) &&
	       !is_in_images(snapshot, snapshot->domain);
}

static void on_revert(struct call *call, const rpc_domain_revert_to_snapshot_args *args)
{
	struct vm *vm;
	const struct snapshot *snapshot = call_snapshot(call, &args->snap, &vm);

	if (!snapshot || !call_flags(call, args->flags, REVERT_FLAGS))
		return;
	if (is_test(call))
		call_job(call, vm, revert_run);
	else if (can_go_back(call, snapshot))
		call_job(call, vm, real_revert_run);
	else
		call_fail(call, RPC_CODE_OPERATION_UNSUPPORTED, RPC_FROM_QEMU,
			  "machines of this host cannot go back to a snapshot yet whose disks went "
			  "on "
			  "in new images; define the domain with the images that it had, which "
			  "snapshot '%.255s' names",
			  args->snap.name);
}

const struct call_entry snapshot_handlers[] = {
	HANDLE(RPC_PROC_DOMAIN_SNAPSHOT_CREATE_XML, rpc_domain_snapshot_create_xml_args, on_create),
	HANDLE(RPC_PROC_DOMAIN_REVERT_TO_SNAPSHOT, rpc_domain_revert_to_snapshot_args, on_revert),
	HANDLERS_END,
};
