/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * snapshot-delete.c - snapshots are deleted, with the images that hold what came after them
 *
 * An external snapshot has made a new image for each of its disks. To delete it, what stands in that
 * image goes into the one behind it. One snapshot after the other, those without children first:
 *
 *  1. The machine, or the room block if it is off, merges. The chain reads as before at any moment.
 *  2. The state of a machine that runs is kept, by which the next daemon knows that its jobs are ours: it
 *     gives up those of nobody. Behind that a definition that names the image that was merged gets the one
 *     behind it, and is kept.
 *  3. Disks that use the image go over; until then the one behind it has every write, too.
 *  4. The descriptions are kept: without this one, the others with the right names.
 *  5. The files go.
 *
 * So a daemon may be killed in between: definition and chain fit, and the snapshot is still there to
 * be deleted again, which finds that images are merged already.
 */
#include <string.h>

#include "base/error.h"
#include "manage/handler-int.h"
#include "manage/snapshot-int.h"

enum {
	DELETE_CHILDREN = 1 << 0,
	DELETE_METADATA_ONLY = 1 << 1,
	DELETE_CHILDREN_ONLY = 1 << 2,
	DELETE_FLAGS = 7,
};

struct deletion {
	GPtrArray *names; /* of snapshots, in the order in which they go */
	unsigned at;
	struct machine_merge merge; /* of the one at hand */
	bool config_changed;        /* to be put back where disks do not go over */
	struct domain *old_config;  /* of a machine that is off */
	GError *why;                /* they do not */
};

static void release_merge(struct machine_merge *merge)
{
	for (unsigned i = 0; i < merge->count; i++) {
		g_free(merge->disks[i].top);
		g_free(merge->disks[i].base);
		g_free(merge->disks[i].base_format);
	}
	g_free(merge->disks);
	*merge = (struct machine_merge){ 0 };
}

static void deletion_free(void *data)
{
	struct deletion *d = data;

	g_ptr_array_unref(d->names);
	release_merge(&d->merge);
	domain_free(d->old_config);
	g_clear_error(&d->why);
	g_free(d);
}

static void next(struct call *call);

/* == Descriptions == */

/* Where @domain names what was merged, it gets what it was merged into. True: it did. */
static bool use_bases(struct domain *domain, const struct machine_merge *merge)
{
	bool changed = false;

	for (unsigned i = 0; domain && i < domain->devices.disk_count; i++) {
		struct domain_disk *disk = &domain->devices.disks[i];

		for (unsigned n = 0; n < merge->count; n++) {
			const struct machine_merge_disk *m = &merge->disks[n];

			if (g_strcmp0(disk_path(disk), m->top) != 0)
				continue;
			domain_disk_set_image(disk, m->base, m->base_format);
			changed = true;
			break;
		}
	}
	return changed;
}

static void take_out(struct vm *vm, struct snapshot *snapshot)
{
	struct snapshots *all = vm->snapshots;

	for (unsigned i = 0; i < all->list->len; i++) {
		struct snapshot *child = all->list->pdata[i];

		if (!g_strcmp0(child->parent.name, snapshot->name)) {
			g_free(child->parent.name);
			child->parent.name = g_strdup(snapshot->parent.name);
		}
	}
	if (all->current == snapshot)
		all->current =
			snapshot->parent.name ? snapshots_find(vm, snapshot->parent.name) : NULL;
	if (all->going_back == snapshot)
		all->going_back = NULL;
	g_ptr_array_remove(all->list, snapshot);
}

static struct snapshot *at_hand(struct call *call)
{
	struct deletion *d = call->subject;

	return snapshots_find(call->vm, d->names->pdata[d->at]);
}

static void descriptions_kept(struct call *call, const GError *error)
{
	struct deletion *d = call->subject;
	const struct machine_ops *ops = call->node->config.machines;

	if (error) {
		snapshots_fail_keeping(call, error);
		return;
	}
	g_clear_pointer(&call->data, g_free);
	if (d->merge.count && ops->merge_discard)
		ops->merge_discard(&call->vm->dom, &d->merge);
	release_merge(&d->merge);
	d->at++;
	next(call);
}

static void keep_descriptions(struct call *call)
{
	struct deletion *d = call->subject;
	struct vm *vm = call->vm;
	struct snapshot *gone = at_hand(call);

	snapshots_remember(call);
	for (unsigned i = 0; i < snapshots_count(vm); i++) {
		struct snapshot *other = vm->snapshots->list->pdata[i];

		if (other == gone)
			continue;
		(void)use_bases(other->domain, &d->merge);
		(void)use_bases(other->inactive, &d->merge);
	}
	if (gone)
		take_out(vm, gone);
	vm_keep_snapshots(vm, call_task(call, descriptions_kept));
}

/* == Images == */

static void put_back_kept(struct call *call, const GError *error)
{
	struct deletion *d = call->subject;

	if (error)
		g_warning("domain '%s': its old definition cannot be kept again: %s",
			  call->vm->dom.name, error->message);
	call_fail_error(call, RPC_FROM_QEMU, d->why);
}

/* What the definition says of a disk that has stayed where it was. */
static void put_back_disk(struct vm *vm, const struct machine_merge_disk *m)
{
	const struct domain_disk *live;

	/* Of a machine that has ended @base has it all. */
	if (!vm->dom.live || m->disk >= vm->dom.live->devices.disk_count)
		return;
	live = &vm->dom.live->devices.disks[m->disk];
	for (unsigned i = 0; i < vm->dom.config->devices.disk_count; i++) {
		struct domain_disk *disk = &vm->dom.config->devices.disks[i];

		if (!g_strcmp0(disk->target.dev, live->target.dev) &&
		    !g_strcmp0(disk_path(disk), m->base) && !g_strcmp0(disk_path(live), m->top))
			domain_disk_set_image(disk, m->top, live->driver.type);
	}
}

static void put_back(struct call *call)
{
	struct deletion *d = call->subject;
	struct vm *vm = call->vm;

	if (!d->config_changed || !vm->dom.config) {
		put_back_kept(call, NULL);
		return;
	}
	for (unsigned i = 0; i < d->merge.count; i++)
		put_back_disk(vm, &d->merge.disks[i]);
	vm_keep_config(vm, call_task(call, put_back_kept));
}

/* Of a machine that is off: what could not be kept is forgotten. */
static void put_back_all(struct call *call)
{
	struct deletion *d = call->subject;
	struct dom *dom = &call->vm->dom;

	if (d->old_config) {
		domain_free(dom->config);
		dom->config = g_steal_pointer(&d->old_config);
	}
	put_back_kept(call, NULL);
}

static void given_up(struct call *call, const GError *error)
{
	(void)error;
	put_back(call);
}

static void gone_over(struct call *call, const GError *error)
{
	struct deletion *d = call->subject;

	if (error) {
		d->why = g_error_copy(error);
		put_back(call);
		return;
	}
	if (vm_active(call->vm))
		vm_keep_status(call->vm);
	keep_descriptions(call);
}

static void config_kept(struct call *call, const GError *error)
{
	struct deletion *d = call->subject;
	struct machine *machine = call->vm->dom.machine;

	if (error)
		d->why = g_error_copy(error);
	if (machine)
		machine->ops->merge_end(machine, &d->merge, !error,
					call_task(call, error ? given_up : gone_over));
	else if (error)
		put_back_all(call);
	else
		gone_over(call, NULL);
}

static void state_kept(struct call *call, const GError *error)
{
	struct deletion *d = call->subject;
	struct vm *vm = call->vm;

	domain_free(d->old_config);
	d->old_config = NULL;
	d->config_changed = false;
	if (error) {
		config_kept(call, error);
		return;
	}
	if (!vm->dom.live)
		d->old_config = domain_copy(vm->dom.config);
	d->config_changed = use_bases(vm->dom.config, &d->merge);
	if (d->config_changed)
		vm_keep_config(vm, call_task(call, config_kept));
	else
		config_kept(call, NULL);
}

static void merged(struct call *call, const GError *error)
{
	if (error)
		call_fail_error(call, RPC_FROM_QEMU, error);
	else if (vm_active(call->vm))
		vm_keep_status_for(call->vm, call_task(call, state_kept));
	else
		state_kept(call, NULL);
}

static const struct domain_disk *find_target(const struct domain *domain, const char *target,
					     unsigned *ret_index)
{
	for (unsigned i = 0; domain && i < domain->devices.disk_count; i++) {
		*ret_index = i;
		if (!g_strcmp0(domain->devices.disks[i].target.dev, target))
			return &domain->devices.disks[i];
	}
	return NULL;
}

/* False: the call has failed. */
static bool plan(struct call *call, const struct snapshot *snapshot)
{
	struct deletion *d = call->subject;
	const struct domain *shown = vm_shown(call->vm);
	struct machine_merge *merge = &d->merge;

	merge->disks = g_new0(struct machine_merge_disk, snapshot->disks.count);
	for (unsigned i = 0; i < snapshot->disks.count; i++) {
		const struct snapshot_disk *entry = &snapshot->disks.list[i];
		const char *top =
			entry->type == DISK_BLOCK ? entry->source.dev : entry->source.file;
		struct machine_merge_disk *m = &merge->disks[merge->count];
		const struct domain_disk *then, *now;
		unsigned unused;

		if (entry->where != SNAPSHOT_EXTERNAL)
			continue;
		then = find_target(snapshot->domain, entry->name, &unused);
		now = find_target(shown, entry->name, &m->disk);
		if (!top || !then || !disk_path(then) || !now || !disk_path(now)) {
			call_fail(
				call, RPC_CODE_OPERATION_INVALID, RPC_FROM_QEMU,
				"snapshot '%s' does not say which images disk '%.64s' had, or the "
				"domain has that disk no more; delete its metadata only",
				snapshot->name, entry->name);
			return false;
		}
		m->top = g_strdup(top);
		m->base = g_strdup(disk_path(then));
		m->base_format = g_strdup(then->driver.type);
		merge->count++;
	}
	return true;
}

static unsigned children_of(const struct vm *vm, const struct snapshot *snapshot)
{
	unsigned count = 0;

	for (unsigned i = 0; i < snapshots_count(vm); i++) {
		const struct snapshot *child = vm->snapshots->list->pdata[i];

		count += !g_strcmp0(child->parent.name, snapshot->name);
	}
	return count;
}

static void merge_images(struct call *call, const struct snapshot *snapshot)
{
	struct deletion *d = call->subject;
	struct vm *vm = call->vm;
	const struct machine_ops *ops = call->node->config.machines;

	if (children_of(vm, snapshot) > 1) {
		call_fail(call, RPC_CODE_OPERATION_UNSUPPORTED, RPC_FROM_QEMU,
			  "snapshot '%s' has several children, which all stand on its images; "
			  "delete those first",
			  snapshot->name);
		return;
	}
	if (!(vm_active(vm) ? ops->merge && ops->merge_end : ops->offline_merge != NULL)) {
		call_unsupported(call, "deleting a snapshot with its images");
		return;
	}
	if (!plan(call, snapshot))
		return;
	if (vm->dom.machine)
		ops->merge(vm->dom.machine, &d->merge, call_task(call, merged));
	else if (!vm_active(vm))
		ops->offline_merge(&vm->dom, &d->merge, call_task(call, merged));
	else
		call_still_active(call);
}

/* What devices have kept is there no more. */
static void dropped(struct call *call, const GError *error)
{
	if (error)
		call_fail_error(call, RPC_FROM_QEMU, error);
	else
		keep_descriptions(call);
}

/* == Which == */

static void next(struct call *call)
{
	const rpc_domain_snapshot_delete_args *args = call->args;
	const struct machine_ops *ops = call->node->config.machines;
	struct deletion *d = call->subject;
	const struct snapshot *snapshot;

	if (d->at == d->names->len) {
		call_reply(call, NULL);
		return;
	}
	snapshot = at_hand(call);
	if (call->node->config.support.test || args->flags & DELETE_METADATA_ONLY)
		snapshot = NULL;
	if (snapshot && snapshot_has_disks(snapshot, SNAPSHOT_INTERNAL) && snapshot->domain &&
	    ops->snapshot_drop)
		ops->snapshot_drop(&call->vm->dom, snapshot, call_task(call, dropped));
	else if (snapshot && snapshot_has_disks(snapshot, SNAPSHOT_EXTERNAL))
		merge_images(call, snapshot);
	else
		keep_descriptions(call);
}

/* Those that descend from @from, the last made first: none comes behind one that it stands on. */
static void choose(struct call *call, const struct snapshot *from, unsigned flags)
{
	struct deletion *d = call->subject;
	struct vm *vm = call->vm;

	if (flags & (DELETE_CHILDREN | DELETE_CHILDREN_ONLY)) {
		g_autoptr(GHashTable) below = snapshots_below(vm, from);

		for (unsigned i = snapshots_count(vm); i-- > 0;) {
			struct snapshot *child = vm->snapshots->list->pdata[i];

			if (g_hash_table_contains(below, child))
				g_ptr_array_add(d->names, g_strdup(child->name));
		}
	}
	if (!(flags & DELETE_CHILDREN_ONLY))
		g_ptr_array_add(d->names, g_strdup(from->name));
}

static void delete_run(struct call *call)
{
	const rpc_domain_snapshot_delete_args *args = call->args;
	struct deletion *d;
	struct snapshot *snapshot;
	struct vm *vm;

	if (!call_still_there(call))
		return;
	snapshot = call_snapshot(call, &args->snap, &vm);
	if (!snapshot)
		return;
	d = g_new0(struct deletion, 1);
	d->names = g_ptr_array_new_with_free_func(g_free);
	call->subject = d;
	call->subject_free = deletion_free;
	choose(call, snapshot, args->flags);
	next(call);
}

static void on_delete(struct call *call, const rpc_domain_snapshot_delete_args *args)
{
	struct vm *vm;

	if (call_snapshot(call, &args->snap, &vm) && call_flags(call, args->flags, DELETE_FLAGS))
		call_job(call, vm, delete_run);
}

const struct call_entry snapshot_delete_handlers[] = {
	HANDLE(RPC_PROC_DOMAIN_SNAPSHOT_DELETE, rpc_domain_snapshot_delete_args, on_delete),
	HANDLERS_END,
};
