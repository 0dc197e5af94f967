/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vm.c - a domain in the tables of its node: names, identities, states
 */
#include "manage/vm-int.h"

#include <string.h>

#include "base/uuid.h"
#include "manage/snapshots-int.h"
#include "manage/stream-int.h"
#include "manage/timer-int.h"

static void add_to_tables(struct vm *vm)
{
	struct node *node = vm->dom.node;

	g_hash_table_replace(node->by_uuid, vm->dom.uuid, vm);
	g_hash_table_replace(node->by_name, vm->dom.name, vm);
	g_ptr_array_add(node->vms, vm);
}

static void vm_free(struct object *object);

static const struct object_kind vm_kind = {
	"domain",
	RPC_FROM_QEMU,
	"destroy the domain",
	vm_free,
};

struct vm *vm_new_empty(struct node *node, const struct domain *domain)
{
	struct vm *vm = g_new0(struct vm, 1);

	vm->dom = (struct dom){
		.node = node, .name = g_strdup(domain->name), .id = -1, .state = DOM_SHUTOFF
	};
	object_init(&vm->object, &vm_kind, vm->dom.name);
	/* The step check has looked at it. */
	(void)uuid_read(domain->uuid, vm->dom.uuid);
	uuid_write(vm->dom.uuid, vm->dom.uuid_text);
	vm->state_since = g_get_monotonic_time();
	add_to_tables(vm);
	return vm;
}

struct vm *vm_new(struct node *node, struct domain *config, struct domain *live)
{
	struct vm *vm = vm_new_empty(node, live ? live : config);

	vm->dom.config = config;
	vm->dom.live = live;
	return vm;
}

struct vm *vm_ref(struct vm *vm)
{
	object_ref(&vm->object);
	return vm;
}

void vm_unref(struct vm *vm)
{
	if (vm)
		object_unref(&vm->object);
}

static void vm_free(struct object *object)
{
	struct vm *vm = container_of(object, struct vm, object);

	if (vm->streams)
		g_ptr_array_unref(vm->streams);
	timer_stop(&vm->status_timer);
	snapshots_free(vm->snapshots);
	domain_free(vm->dom.config);
	domain_free(vm->dom.live);
	g_free(vm->found_state);
	g_free(vm->dom.name);
	g_free(vm);
}

void vm_remove(struct vm *vm)
{
	struct node *node = vm->dom.node;

	if (vm->object.gone)
		return;
	vm->object.gone = true;
	g_hash_table_remove(node->by_uuid, vm->dom.uuid);
	g_hash_table_remove(node->by_name, vm->dom.name);
	vm_free_name(vm);
	if (vm->dom.id >= 0)
		g_hash_table_remove(node->by_id, GINT_TO_POINTER(vm->dom.id));
	g_ptr_array_remove(node->vms, vm);
	vm_unref(vm);
}

void vm_reserve_name(struct vm *vm, const char *name)
{
	vm->next_name = g_strdup(name);
	g_hash_table_insert(vm->dom.node->by_name, vm->next_name, vm);
}

void vm_take_name(struct vm *vm)
{
	g_hash_table_remove(vm->dom.node->by_name, vm->dom.name);
	g_free(vm->dom.name);
	vm->object.name = vm->dom.name = g_steal_pointer(&vm->next_name);
}

void vm_free_name(struct vm *vm)
{
	if (vm->next_name)
		g_hash_table_remove(vm->dom.node->by_name, vm->next_name);
	g_clear_pointer(&vm->next_name, g_free);
}

struct vm *vm_by_uuid(struct node *node, const uint8_t uuid[16])
{
	return g_hash_table_lookup(node->by_uuid, uuid);
}

struct vm *vm_by_uuid_text(struct node *node, const char *text)
{
	uint8_t uuid[UUID_BYTES];

	return uuid_read(text, uuid) ? vm_by_uuid(node, uuid) : NULL;
}

struct vm *vm_by_name(struct node *node, const char *name)
{
	return g_hash_table_lookup(node->by_name, name);
}

struct vm *vm_by_id(struct node *node, int id)
{
	return g_hash_table_lookup(node->by_id, GINT_TO_POINTER(id));
}

static void say_no_domain(struct call *call, const char *name)
{
	call_fail(call, RPC_CODE_NO_DOMAIN, RPC_FROM_QEMU,
		  "Domain not found: no domain with matching name or uuid '%s'", name);
}

struct vm *call_vm(struct call *call, const rpc_domain *handle)
{
	struct vm *vm = vm_by_uuid(call->node, (const uint8_t *)handle->uuid);

	/* One that has ended, is to begin anew, and has no definition, is between two lives. */
	if (vm && vm_shown(vm))
		return vm;
	say_no_domain(call, handle->name);
	return NULL;
}

static bool say_inactive(struct call *call, const struct vm *vm)
{
	call_fail(call, RPC_CODE_OPERATION_INVALID, RPC_FROM_QEMU,
		  "Requested operation is not valid: domain '%s' is not running; start it first",
		  vm->dom.name);
	return false;
}

struct vm *call_active(struct call *call, const rpc_domain *handle)
{
	struct vm *vm = call_vm(call, handle);

	if (vm && !vm_active(vm)) {
		say_inactive(call, vm);
		return NULL;
	}
	return vm;
}

bool call_still_there(struct call *call)
{
	if (!call->vm->object.gone)
		return true;
	say_no_domain(call, call->vm->dom.name);
	return false;
}

bool call_still_active(struct call *call)
{
	if (!call_still_there(call))
		return false;
	return call->vm->dom.machine || say_inactive(call, call->vm);
}

rpc_domain vm_handle(const struct vm *vm)
{
	rpc_domain handle = { .name = vm->dom.name, .id = vm->dom.id };

	memcpy(handle.uuid, vm->dom.uuid, sizeof(handle.uuid));
	return handle;
}

void vm_set_state(struct vm *vm, enum dom_state state, int reason)
{
	vm->dom.state = state;
	vm->dom.reason = reason;
	vm->state_since = g_get_monotonic_time();
}

void vm_set_active(struct vm *vm, int id)
{
	struct node *node = vm->dom.node;

	vm->dom.id = id;
	node->next_id = MAX(node->next_id, id + 1);
	node->active++;
	g_hash_table_replace(node->by_id, GINT_TO_POINTER(id), vm);
	vm->destroying = vm->updated = false;
}

void vm_set_inactive(struct vm *vm, int reason)
{
	struct node *node = vm->dom.node;

	if (vm->dom.id >= 0) {
		g_hash_table_remove(node->by_id, GINT_TO_POINTER(vm->dom.id));
		node->active--;
	}
	vm_close_streams(vm);
	vm->dom.id = -1;
	vm->dom.machine = NULL;
	domain_free(vm->dom.live);
	vm->dom.live = NULL;
	vm->destroy_with = NULL;
	vm->destroying = vm->starting = vm->updated = vm->tainted = false;
	vm_set_state(vm, DOM_SHUTOFF, reason);
}
