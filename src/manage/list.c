/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * list.c - lists of domains, and how they are found
 */
#include "manage/list-int.h"

#include <string.h>

#include "base/uuid.h"
#include "manage/handler-int.h"
#include "manage/snapshots-int.h"

static unsigned state_bit(const struct vm *vm)
{
	switch (vm->dom.state) {
	case DOM_RUNNING:
		return 16;
	case DOM_PAUSED:
		return 32;
	case DOM_SHUTOFF:
		return 64;
	case DOM_NOSTATE:
	case DOM_BLOCKED:
	case DOM_SHUTDOWN:
	case DOM_CRASHED:
	case DOM_PMSUSPENDED:
	default:
		return 128;
	}
}

bool list_wants(const struct vm *vm, unsigned flags)
{
	return list_in_group(flags, 1 | 2, vm_active(vm) ? 1 : 2) &&
	       list_in_group(flags, 4 | 8, vm->dom.config ? 4 : 8) &&
	       list_in_group(flags, 16 | 32 | 64 | 128, state_bit(vm)) &&
	       list_in_group(flags, 256 | 512, 512) &&
	       list_in_group(flags, 1024 | 2048, vm->autostart ? 1024 : 2048) &&
	       list_in_group(flags, 4096 | 8192, snapshots_count(vm) ? 4096 : 8192) &&
	       list_in_group(flags, 16384 | 32768, 32768);
}

static void on_list_all(struct call *call, const rpc_connect_list_all_domains_args *args)
{
	GPtrArray *vms = call->node->vms;
	rpc_connect_list_all_domains_ret ret = { .ret = 0 };
	g_autofree rpc_domain *handles = NULL;

	if (args->flags & ~(unsigned)LIST_FLAGS) {
		call_fail(call, RPC_CODE_INVALID_ARG, RPC_FROM_QEMU,
			  "unsupported flags (0x%x) for a list of domains",
			  args->flags & ~(unsigned)LIST_FLAGS);
		return;
	}
	if (args->need_results)
		handles = g_new(rpc_domain, MAX(vms->len, 1));
	for (unsigned i = 0; i < vms->len; i++) {
		const struct vm *vm = vms->pdata[i];

		if (!list_wants(vm, args->flags))
			continue;
		if (handles)
			handles[ret.ret] = vm_handle(vm);
		ret.ret++;
	}
	if (handles && ret.ret > RPC_MAX_DOMAINS) {
		call_fail(call, RPC_CODE_RPC, RPC_FROM_RPC,
			  "there are %u domains, and %d fit into an answer; ask for fewer by flags",
			  ret.ret, RPC_MAX_DOMAINS);
		return;
	}
	ret.domains.domains_val = handles;
	ret.domains.domains_len = handles ? ret.ret : 0;
	call_reply(call, &ret);
}

static int count_if(const struct node *node, bool active)
{
	int n = 0;

	for (unsigned i = 0; i < node->vms->len; i++)
		n += vm_active(node->vms->pdata[i]) == active;
	return n;
}

static void on_num(struct call *call, const void *args)
{
	rpc_connect_num_of_domains_ret ret = { .num = count_if(call->node, true) };

	(void)args;
	call_reply(call, &ret);
}

static void on_num_defined(struct call *call, const void *args)
{
	rpc_connect_num_of_defined_domains_ret ret = { .num = count_if(call->node, false) };

	(void)args;
	call_reply(call, &ret);
}

/* Room for what the client asked for; more than there is is not needed. */
static bool check_max(struct call *call, int max)
{
	if (max >= 0 && max <= RPC_MAX_DOMAINS)
		return true;
	call_fail(call, RPC_CODE_RPC, RPC_FROM_RPC, "a list of %d domains: it has 0 to %d", max,
		  RPC_MAX_DOMAINS);
	return false;
}

static void on_list(struct call *call, const rpc_connect_list_domains_args *args)
{
	GPtrArray *vms = call->node->vms;
	rpc_connect_list_domains_ret ret = { { 0 } };
	g_autofree int *ids = NULL;

	if (!check_max(call, args->maxids))
		return;
	ids = g_new(int, MAX(vms->len, 1));
	for (unsigned i = 0; i < vms->len && ret.ids.ids_len < (unsigned)args->maxids; i++) {
		const struct vm *vm = vms->pdata[i];

		if (vm_active(vm))
			ids[ret.ids.ids_len++] = vm->dom.id;
	}
	ret.ids.ids_val = ids;
	call_reply(call, &ret);
}

static void on_list_defined(struct call *call, const rpc_connect_list_defined_domains_args *args)
{
	GPtrArray *vms = call->node->vms;
	rpc_connect_list_defined_domains_ret ret = { { 0 } };
	g_autofree rpc_text *names = NULL;

	if (!check_max(call, args->maxnames))
		return;
	names = g_new(rpc_text, MAX(vms->len, 1));
	for (unsigned i = 0; i < vms->len && ret.names.names_len < (unsigned)args->maxnames; i++) {
		const struct vm *vm = vms->pdata[i];

		if (!vm_active(vm))
			names[ret.names.names_len++] = vm->dom.name;
	}
	ret.names.names_val = names;
	call_reply(call, &ret);
}

static void on_by_id(struct call *call, const rpc_domain_lookup_by_id_args *args)
{
	struct vm *vm = vm_by_id(call->node, args->id);
	rpc_domain_lookup_by_id_ret ret;

	if (!vm) {
		call_fail(call, RPC_CODE_NO_DOMAIN, RPC_FROM_QEMU,
			  "Domain not found: no domain with matching id %d", args->id);
		return;
	}
	ret.dom = vm_handle(vm);
	call_reply(call, &ret);
}

static void on_by_name(struct call *call, const rpc_domain_lookup_by_name_args *args)
{
	struct vm *vm = vm_by_name(call->node, args->name);
	rpc_domain_lookup_by_name_ret ret;

	if (!vm) {
		call_fail(call, RPC_CODE_NO_DOMAIN, RPC_FROM_QEMU,
			  "Domain not found: no domain with matching name '%s'", args->name);
		return;
	}
	ret.dom = vm_handle(vm);
	call_reply(call, &ret);
}

static void on_by_uuid(struct call *call, const rpc_domain_lookup_by_uuid_args *args)
{
	struct vm *vm = vm_by_uuid(call->node, (const uint8_t *)args->uuid);
	rpc_domain_lookup_by_uuid_ret ret;

	if (!vm) {
		char text[UUID_TEXT_SIZE];

		uuid_write((const uint8_t *)args->uuid, text);
		call_fail(call, RPC_CODE_NO_DOMAIN, RPC_FROM_QEMU,
			  "Domain not found: no domain with matching uuid '%s'", text);
		return;
	}
	ret.dom = vm_handle(vm);
	call_reply(call, &ret);
}

const struct call_entry list_handlers[] = {
	HANDLE(RPC_PROC_CONNECT_LIST_ALL_DOMAINS, rpc_connect_list_all_domains_args, on_list_all),
	HANDLE_BARE(RPC_PROC_CONNECT_NUM_OF_DOMAINS, on_num),
	HANDLE_BARE(RPC_PROC_CONNECT_NUM_OF_DEFINED_DOMAINS, on_num_defined),
	HANDLE(RPC_PROC_CONNECT_LIST_DOMAINS, rpc_connect_list_domains_args, on_list),
	HANDLE(RPC_PROC_CONNECT_LIST_DEFINED_DOMAINS, rpc_connect_list_defined_domains_args,
	       on_list_defined),
	HANDLE(RPC_PROC_DOMAIN_LOOKUP_BY_ID, rpc_domain_lookup_by_id_args, on_by_id),
	HANDLE(RPC_PROC_DOMAIN_LOOKUP_BY_NAME, rpc_domain_lookup_by_name_args, on_by_name),
	HANDLE(RPC_PROC_DOMAIN_LOOKUP_BY_UUID, rpc_domain_lookup_by_uuid_args, on_by_uuid),
	HANDLERS_END,
};
