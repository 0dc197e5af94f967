/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * snapshot-list.c - which snapshots a domain has, and what they look like
 */
#include <string.h>

#include "manage/handler-int.h"
#include "manage/snapshot-int.h"

rpc_domain_snapshot snapshot_handle(const struct vm *vm, const struct snapshot *snapshot)
{
	return (rpc_domain_snapshot){ .name = snapshot->name, .dom = vm_handle(vm) };
}

struct snapshot *call_snapshot(struct call *call, const rpc_domain_snapshot *handle,
			       struct vm **ret_vm)
{
	struct vm *vm = call_vm(call, &handle->dom);
	struct snapshot *snapshot;

	if (!vm)
		return NULL;
	snapshot = snapshots_find(vm, handle->name);
	if (snapshot)
		*ret_vm = vm;
	else
		call_fail(
			call, RPC_CODE_NO_DOMAIN_SNAPSHOT, RPC_FROM_DOMAIN_SNAPSHOT,
			"Domain snapshot not found: no domain snapshot with matching name '%.255s'",
			handle->name);
	return snapshot;
}

static bool is_child(const struct snapshot *snapshot, const struct snapshot *parent)
{
	return !g_strcmp0(snapshot->parent.name, parent->name);
}

/* For each name of a parent, those that name it: of struct snapshot. */
static GHashTable *by_parent(const struct vm *vm)
{
	GHashTable *children = g_hash_table_new_full(g_str_hash, g_str_equal, NULL,
						     (GDestroyNotify)g_ptr_array_unref);

	for (unsigned i = 0; i < snapshots_count(vm); i++) {
		struct snapshot *snapshot = vm->snapshots->list->pdata[i];
		char *parent = snapshot->parent.name;
		GPtrArray *list = parent ? g_hash_table_lookup(children, parent) : NULL;

		if (parent && !list) {
			list = g_ptr_array_new();
			g_hash_table_insert(children, parent, list);
		}
		if (parent)
			g_ptr_array_add(list, snapshot);
	}
	return children;
}

GHashTable *snapshots_below(const struct vm *vm, const struct snapshot *from)
{
	g_autoptr(GHashTable) children = by_parent(vm);
	g_autoptr(GPtrArray) todo = g_ptr_array_new();
	GHashTable *below = g_hash_table_new(NULL, NULL);

	g_ptr_array_add(todo, (void *)(uintptr_t)from);
	while (todo->len) {
		const struct snapshot *parent = g_ptr_array_steal_index_fast(todo, todo->len - 1);
		const GPtrArray *list = g_hash_table_lookup(children, parent->name);

		/* A file may have been made by hand: a circle has an end, too. */
		for (unsigned i = 0; list && i < list->len; i++) {
			if (list->pdata[i] != from && g_hash_table_add(below, list->pdata[i]))
				g_ptr_array_add(todo, list->pdata[i]);
		}
	}
	return below;
}

/* == Lists == */

static unsigned state_bit(const struct snapshot *snapshot)
{
	if (snapshot->state == SNAPSHOT_DISK_ONLY)
		return SNAPSHOT_LIST_DISK_ONLY;
	return snapshot->state == SNAPSHOT_RUNNING || snapshot->state == SNAPSHOT_PAUSED ||
			       snapshot->state == SNAPSHOT_BLOCKED
		       ? SNAPSHOT_LIST_ACTIVE
		       : SNAPSHOT_LIST_INACTIVE;
}

static bool is_external(const struct snapshot *snapshot)
{
	bool external = snapshot->memory.where == SNAPSHOT_EXTERNAL;

	for (unsigned i = 0; i < snapshot->disks.count; i++)
		external |= snapshot->disks.list[i].where == SNAPSHOT_EXTERNAL;
	return external;
}

static bool wants(const struct snapshot *snapshot, bool leaf, unsigned flags)
{
	return list_in_group(flags, SNAPSHOT_LIST_METADATA | SNAPSHOT_LIST_NO_METADATA,
			     SNAPSHOT_LIST_METADATA) &&
	       list_in_group(flags, SNAPSHOT_LIST_LEAVES | SNAPSHOT_LIST_NO_LEAVES,
			     leaf ? SNAPSHOT_LIST_LEAVES : SNAPSHOT_LIST_NO_LEAVES) &&
	       list_in_group(flags,
			     SNAPSHOT_LIST_INACTIVE | SNAPSHOT_LIST_ACTIVE |
				     SNAPSHOT_LIST_DISK_ONLY,
			     state_bit(snapshot)) &&
	       list_in_group(flags, SNAPSHOT_LIST_INTERNAL | SNAPSHOT_LIST_EXTERNAL,
			     is_external(snapshot) ? SNAPSHOT_LIST_EXTERNAL
						   : SNAPSHOT_LIST_INTERNAL);
}

/* In the order in which they were made, so a parent stands before its children. */
static GPtrArray *choose(const struct vm *vm, const struct snapshot *from, unsigned flags)
{
	GPtrArray *list = g_ptr_array_new();
	g_autoptr(GHashTable) children = by_parent(vm);
	g_autoptr(GHashTable) below = from ? snapshots_below(vm, from) : NULL;

	for (unsigned i = 0; i < snapshots_count(vm); i++) {
		struct snapshot *snapshot = vm->snapshots->list->pdata[i];
		bool leaf = !g_hash_table_contains(children, snapshot->name);
		bool here;

		/* One flag has two names: of a domain only roots, of a snapshot all below. */
		if (from)
			here = flags & SNAPSHOT_LIST_ROOTS ? g_hash_table_contains(below, snapshot)
							   : is_child(snapshot, from);
		else
			here = !(flags & SNAPSHOT_LIST_ROOTS) || !snapshot->parent.name;
		if (here && wants(snapshot, leaf, flags))
			g_ptr_array_add(list, snapshot);
	}
	return list;
}

static void answer_list(struct call *call, const struct vm *vm, const struct snapshot *from,
			unsigned flags, bool need_results)
{
	g_autoptr(GPtrArray) list = choose(vm, from, flags);
	g_autofree rpc_domain_snapshot *handles = g_new(rpc_domain_snapshot, MAX(list->len, 1));
	/* Both layouts are the same. */
	rpc_domain_list_all_snapshots_ret ret = { .ret = (int)list->len };

	for (unsigned i = 0; i < list->len; i++)
		handles[i] = snapshot_handle(vm, list->pdata[i]);
	ret.snapshots.snapshots_val = handles;
	ret.snapshots.snapshots_len = need_results ? list->len : 0;
	call_reply(call, &ret);
}

static void on_list_all(struct call *call, const rpc_domain_list_all_snapshots_args *args)
{
	struct vm *vm = call_vm(call, &args->dom);

	if (vm && call_flags(call, args->flags, SNAPSHOT_LIST_FLAGS))
		answer_list(call, vm, NULL, args->flags, args->need_results);
}

static void on_list_children(struct call *call,
			     const rpc_domain_snapshot_list_all_children_args *args)
{
	struct vm *vm;
	const struct snapshot *from = call_snapshot(call, &args->snap, &vm);

	if (from && call_flags(call, args->flags, SNAPSHOT_LIST_FLAGS))
		answer_list(call, vm, from, args->flags, args->need_results);
}

static void on_num(struct call *call, const rpc_domain_snapshot_num_args *args)
{
	struct vm *vm = call_vm(call, &args->dom);
	g_autoptr(GPtrArray) list = NULL;
	rpc_domain_snapshot_num_ret ret;

	if (!vm || !call_flags(call, args->flags, SNAPSHOT_LIST_FLAGS))
		return;
	list = choose(vm, NULL, args->flags);
	ret.num = (int)list->len;
	call_reply(call, &ret);
}

static void on_num_children(struct call *call, const rpc_domain_snapshot_num_children_args *args)
{
	struct vm *vm;
	const struct snapshot *from = call_snapshot(call, &args->snap, &vm);
	g_autoptr(GPtrArray) list = NULL;
	rpc_domain_snapshot_num_children_ret ret;

	if (!from || !call_flags(call, args->flags, SNAPSHOT_LIST_FLAGS))
		return;
	list = choose(vm, from, args->flags);
	ret.num = (int)list->len;
	call_reply(call, &ret);
}

static void on_names(struct call *call, const rpc_domain_snapshot_list_names_args *args)
{
	struct vm *vm = call_vm(call, &args->dom);
	g_autoptr(GPtrArray) list = NULL;
	g_autofree rpc_text *names = NULL;
	rpc_domain_snapshot_list_names_ret ret = { { 0 } };

	if (!vm || !call_flags(call, args->flags, SNAPSHOT_LIST_FLAGS))
		return;
	list = choose(vm, NULL, args->flags);
	names = g_new(rpc_text, MAX(list->len, 1));
	for (unsigned i = 0; i < list->len && (int)i < args->maxnames; i++) {
		const struct snapshot *snapshot = list->pdata[i];

		names[ret.names.names_len++] = snapshot->name;
	}
	ret.names.names_val = names;
	call_reply(call, &ret);
}

/* == One == */

static void on_lookup(struct call *call, const rpc_domain_snapshot_lookup_by_name_args *args)
{
	rpc_domain_snapshot handle = { .name = args->name, .dom = args->dom };
	struct vm *vm;
	const struct snapshot *snapshot;
	rpc_domain_snapshot_lookup_by_name_ret ret;

	if (!call_flags(call, args->flags, 0))
		return;
	snapshot = call_snapshot(call, &handle, &vm);
	if (!snapshot)
		return;
	ret.snap = snapshot_handle(vm, snapshot);
	call_reply(call, &ret);
}

static void on_xml(struct call *call, const rpc_domain_snapshot_get_xml_desc_args *args)
{
	struct vm *vm;
	const struct snapshot *snapshot = call_snapshot(call, &args->snap, &vm);
	rpc_domain_snapshot_get_xml_desc_ret ret;
	g_autofree char *xml = NULL;

	if (!snapshot || !call_flags(call, args->flags, 1))
		return;
	xml = snapshot_format(snapshot, args->flags & 1 ? DOMAIN_FORMAT_SECURE : 0);
	ret.xml = xml;
	call_reply(call, &ret);
}

static void on_has_current(struct call *call, const rpc_domain_has_current_snapshot_args *args)
{
	struct vm *vm = call_vm(call, &args->dom);
	rpc_domain_has_current_snapshot_ret ret;

	if (!vm || !call_flags(call, args->flags, 0))
		return;
	ret.result = vm->snapshots && vm->snapshots->current;
	call_reply(call, &ret);
}

static void on_current(struct call *call, const rpc_domain_snapshot_current_args *args)
{
	struct vm *vm = call_vm(call, &args->dom);
	rpc_domain_snapshot_current_ret ret;

	if (!vm || !call_flags(call, args->flags, 0))
		return;
	if (!vm->snapshots || !vm->snapshots->current) {
		call_fail(call, RPC_CODE_NO_DOMAIN_SNAPSHOT, RPC_FROM_DOMAIN_SNAPSHOT,
			  "Domain snapshot not found: domain '%s' does not have a current snapshot",
			  vm->dom.name);
		return;
	}
	ret.snap = snapshot_handle(vm, vm->snapshots->current);
	call_reply(call, &ret);
}

static void on_is_current(struct call *call, const rpc_domain_snapshot_is_current_args *args)
{
	struct vm *vm;
	const struct snapshot *snapshot = call_snapshot(call, &args->snap, &vm);
	rpc_domain_snapshot_is_current_ret ret;

	if (!snapshot || !call_flags(call, args->flags, 0))
		return;
	ret.current = vm->snapshots->current == snapshot;
	call_reply(call, &ret);
}

static void on_has_metadata(struct call *call, const rpc_domain_snapshot_has_metadata_args *args)
{
	struct vm *vm;
	rpc_domain_snapshot_has_metadata_ret ret = { .metadata = 1 };

	if (call_snapshot(call, &args->snap, &vm) && call_flags(call, args->flags, 0))
		call_reply(call, &ret);
}

static void on_parent(struct call *call, const rpc_domain_snapshot_get_parent_args *args)
{
	struct vm *vm;
	const struct snapshot *snapshot = call_snapshot(call, &args->snap, &vm);
	const struct snapshot *parent;
	rpc_domain_snapshot_get_parent_ret ret;

	if (!snapshot || !call_flags(call, args->flags, 0))
		return;
	parent = snapshot->parent.name ? snapshots_find(vm, snapshot->parent.name) : NULL;
	if (!parent) {
		call_fail(call, RPC_CODE_NO_DOMAIN_SNAPSHOT, RPC_FROM_DOMAIN_SNAPSHOT,
			  "Domain snapshot not found: snapshot '%s' does not have a parent",
			  snapshot->name);
		return;
	}
	ret.snap = snapshot_handle(vm, parent);
	call_reply(call, &ret);
}

/* == Checkpoints: there are none == */

static void on_list_checkpoints(struct call *call, const rpc_domain_list_all_checkpoints_args *args)
{
	rpc_domain_list_all_checkpoints_ret ret = { .ret = 0 };

	if (call_vm(call, &args->dom))
		call_reply(call, &ret);
}

static void on_lookup_checkpoint(struct call *call,
				 const rpc_domain_checkpoint_lookup_by_name_args *args)
{
	if (call_vm(call, &args->dom))
		call_fail(call, RPC_CODE_NO_DOMAIN_CHECKPOINT, RPC_FROM_DOMAIN_CHECKPOINT,
			  "Domain checkpoint not found: no domain checkpoint with matching name "
			  "'%.255s'",
			  args->name);
}

const struct call_entry snapshot_list_handlers[] = {
	HANDLE(RPC_PROC_DOMAIN_LIST_ALL_CHECKPOINTS, rpc_domain_list_all_checkpoints_args,
	       on_list_checkpoints),
	HANDLE(RPC_PROC_DOMAIN_CHECKPOINT_LOOKUP_BY_NAME, rpc_domain_checkpoint_lookup_by_name_args,
	       on_lookup_checkpoint),
	HANDLE(RPC_PROC_DOMAIN_LIST_ALL_SNAPSHOTS, rpc_domain_list_all_snapshots_args, on_list_all),
	HANDLE(RPC_PROC_DOMAIN_SNAPSHOT_LIST_ALL_CHILDREN,
	       rpc_domain_snapshot_list_all_children_args, on_list_children),
	HANDLE(RPC_PROC_DOMAIN_SNAPSHOT_NUM, rpc_domain_snapshot_num_args, on_num),
	HANDLE(RPC_PROC_DOMAIN_SNAPSHOT_NUM_CHILDREN, rpc_domain_snapshot_num_children_args,
	       on_num_children),
	HANDLE(RPC_PROC_DOMAIN_SNAPSHOT_LIST_NAMES, rpc_domain_snapshot_list_names_args, on_names),
	HANDLE(RPC_PROC_DOMAIN_SNAPSHOT_LOOKUP_BY_NAME, rpc_domain_snapshot_lookup_by_name_args,
	       on_lookup),
	HANDLE(RPC_PROC_DOMAIN_SNAPSHOT_GET_XML_DESC, rpc_domain_snapshot_get_xml_desc_args,
	       on_xml),
	HANDLE(RPC_PROC_DOMAIN_HAS_CURRENT_SNAPSHOT, rpc_domain_has_current_snapshot_args,
	       on_has_current),
	HANDLE(RPC_PROC_DOMAIN_SNAPSHOT_CURRENT, rpc_domain_snapshot_current_args, on_current),
	HANDLE(RPC_PROC_DOMAIN_SNAPSHOT_IS_CURRENT, rpc_domain_snapshot_is_current_args,
	       on_is_current),
	HANDLE(RPC_PROC_DOMAIN_SNAPSHOT_HAS_METADATA, rpc_domain_snapshot_has_metadata_args,
	       on_has_metadata),
	HANDLE(RPC_PROC_DOMAIN_SNAPSHOT_GET_PARENT, rpc_domain_snapshot_get_parent_args, on_parent),
	HANDLERS_END,
};
