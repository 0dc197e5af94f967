/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * snapshot-make.c - snapshots are made
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
};

void snapshots_remember(struct call *call)
{
	g_free(call->data);
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
	const bool was_making = all->making && !(args->flags & CREATE_REDEFINE);

	snapshots_remember(call);
	if (was_making)
		snapshots_set_making(call->vm, NULL);
	if (args->flags & CREATE_NO_METADATA) {
		if (was_making)
			vm_keep_snapshots(call->vm, call_task(call, created));
		else
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

struct domain_disk *snapshot_disk_of(struct domain *domain, const char *target)
{
	for (unsigned i = 0; domain && i < domain->devices.disk_count; i++) {
		if (!g_strcmp0(domain->devices.disks[i].target.dev, target))
			return &domain->devices.disks[i];
	}
	return NULL;
}

/* The disk goes on in its new image. */
void snapshot_use_image(struct domain_disk *disk, const struct snapshot_disk *entry)
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
	struct domain_disk *live = snapshot_disk_of(vm->dom.live, entry->name);
	struct domain_disk *config = snapshot_disk_of(vm->dom.config, entry->name);

	if (config && (!live || !g_strcmp0(disk_path(live), disk_path(config))))
		snapshot_use_image(config, entry);
	if (live)
		snapshot_use_image(live, entry);
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
		snapshots_give_up(call, error);
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

bool snapshot_is_in_images(const struct snapshot *snapshot, struct domain *domain)
{
	for (unsigned i = 0; i < snapshot->disks.count; i++) {
		const struct domain_disk *disk =
			snapshot_disk_of(domain, snapshot->disks.list[i].name);

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
	if (snapshots_are_fake(call))
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
	if (snapshot_is_in_images(snapshot, vm_shown(vm))) {
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
		domain_free(snapshot->inactive);
		snapshot->domain = snapshot->inactive = NULL;
	}
	/* What runs is not what starts: that is what a domain goes back to. */
	if (!(args->flags & CREATE_REDEFINE) && vm_active(vm) && vm->dom.config)
		snapshot->inactive = domain_copy(vm->dom.config);
	snapshot_fill(snapshot, vm_shown(vm), &request);
	ok = snapshot_check(snapshot, vm_shown(vm), &error) &&
	     snapshot_check_text(snapshot, &error);
	/* Images of the driver "test" hold whatever they are asked to. */
	if (!ok && snapshots_are_fake(call) &&
	    g_error_matches(error, SOCLE_ERROR, SOCLE_ERROR_UNSUPPORTED))
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

static GError *not_kept(const struct call *call, const GError *error)
{
	GError *copy = g_error_copy(error);

	g_prefix_error(&copy, "the snapshots of domain '%s' cannot be kept: ", call->vm->dom.name);
	return copy;
}

/* That it is being made is kept, or cannot be; of a machine that runs. */
static void make_on(struct call *call, const GError *given)
{
	struct machine *machine = call->vm->dom.machine;
	g_autoptr(GError) error = given ? not_kept(call, given) : NULL;

	if (!error && !machine)
		error_set(&error, SOCLE_ERROR_NOT_ACTIVE, "domain '%s' has ended meanwhile",
			  call->vm->dom.name);
	if (error)
		snapshots_give_up(call, error);
	else
		machine->ops->snapshot(machine, call->subject, call_task(call, images_made));
}

/* The same of one that is off, and stays so in our turn. */
static void make_off(struct call *call, const GError *given)
{
	const struct machine_ops *ops = call->node->config.machines;
	g_autoptr(GError) error = given ? not_kept(call, given) : NULL;

	if (error)
		snapshots_give_up(call, error);
	else
		ops->offline_snapshot(&call->vm->dom, call->subject, call_task(call, images_made));
}

static void create_run(struct call *call)
{
	const rpc_domain_snapshot_create_xml_args *args = call->args;
	struct snapshot *snapshot = call->subject;
	struct vm *vm = call->vm;
	bool redefine = args->flags & CREATE_REDEFINE;
	g_autoptr(GError) error = NULL;

	if (!call_still_there(call) || !fill_and_check(call, snapshot))
		return;
	if (!snapshots_agree(vm, &error)) {
		call_fail_error(call, RPC_FROM_QEMU, error);
		return;
	}
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
	    (snapshots_are_fake(call) || !snapshot_has_disks(snapshot, SNAPSHOT_INTERNAL)))
		insert(call);
	else if (vm->dom.machine)
		snapshots_begin(vm, snapshot, call_task(call, make_on));
	else if (!vm_active(vm))
		snapshots_begin(vm, snapshot, call_task(call, make_off));
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

const struct call_entry snapshot_handlers[] = {
	HANDLE(RPC_PROC_DOMAIN_SNAPSHOT_CREATE_XML, rpc_domain_snapshot_create_xml_args, on_create),
	HANDLERS_END,
};
