/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * define.c - definitions come, change and go
 *
 * A client is told that a definition is there when it is kept. If it cannot be kept all is as before.
 */
#include <string.h>

#include "base/error.h"
#include "manage/define-int.h"
#include "manage/event-int.h"
#include "manage/snapshots-int.h"

enum {
	DEFINE_VALIDATE = 1 << 0,
	UNDEFINE_MANAGED_SAVE = 1 << 0,
	UNDEFINE_SNAPSHOTS_METADATA = 1 << 1,
	UNDEFINE_NVRAM = 1 << 2,
	UNDEFINE_KEEP_NVRAM = 1 << 3,
	UNDEFINE_CHECKPOINTS_METADATA = 1 << 4,
	UNDEFINE_FLAGS = 0x3f,
};

void call_fail_xml(struct call *call, const GError *error)
{
	bool unsupported = g_error_matches(error, SOCLE_ERROR, SOCLE_ERROR_UNSUPPORTED);

	call_fail(call, unsupported ? RPC_CODE_CONFIG_UNSUPPORTED : RPC_CODE_XML_ERROR,
		  unsupported ? RPC_FROM_QEMU : RPC_FROM_DOMAIN, "%s%s",
		  unsupported ? "" : "XML error: ", error->message);
}

struct domain *call_domain(struct call *call, const char *xml, bool strict)
{
	const struct support *support = &call->node->config.support;
	g_autoptr(GError) error = NULL;
	autoptr(domain) domain =
		domain_parse(xml, strlen(xml), strict ? DOMAIN_PARSE_STRICT : 0, NULL, &error);

	if (domain) {
		domain_fill(domain, support);
		if (domain_check(domain, support, 0, NULL, &error) &&
		    domain_check_text(domain, &error))
			return g_steal_pointer(&domain);
	}
	call_fail_xml(call, error);
	return NULL;
}

/* The domain that @domain is a new definition of. Whose name or UUID it would take has failed the call. */
bool call_same(struct call *call, const struct domain *domain, struct vm **ret_vm)
{
	struct vm *by_name = vm_by_name(call->node, domain->name);
	struct vm *by_uuid = vm_by_uuid_text(call->node, domain->uuid);

	if (by_uuid && strcmp(by_uuid->dom.name, domain->name) != 0) {
		call_fail(call, RPC_CODE_OPERATION_FAILED, RPC_FROM_QEMU,
			  "operation failed: domain '%s' is already defined with uuid %s",
			  by_uuid->dom.name, by_uuid->dom.uuid_text);
		return false;
	}
	if (by_name && by_name != by_uuid) {
		call_fail(call, RPC_CODE_OPERATION_FAILED, RPC_FROM_QEMU,
			  "operation failed: domain '%s' already exists with uuid %s",
			  by_name->dom.name, by_name->dom.uuid_text);
		return false;
	}
	*ret_vm = by_uuid;
	return true;
}

/* == Define == */

struct define {
	struct domain *config; /* the new one; afterwards the old one */
	bool added;
};

static void define_data_free(void *data)
{
	struct define *define = data;

	domain_free(define->config);
	g_free(define);
}

static void swap_config(struct vm *vm, struct define *define)
{
	struct domain *config = vm->dom.config;

	vm->dom.config = define->config;
	define->config = config;
}

static void defined(struct call *call, const GError *error)
{
	struct define *define = call->data;
	struct vm *vm = call->vm;
	/* Both layouts are the same. */
	rpc_domain_define_xml_ret ret = { .dom = vm_handle(vm) };

	if (error) {
		swap_config(vm, define);
		if (!vm_active(vm) && !vm->dom.config)
			vm_remove(vm);
		call_fail(call, call_code_of(error), RPC_FROM_QEMU,
			  "the definition of domain '%s' cannot be kept: %s", vm->dom.name,
			  error->message);
		return;
	}
	if (vm_active(vm)) {
		vm->updated = true;
		vm_keep_status(vm);
	}
	event_lifecycle(vm, EVENT_DEFINED,
			define->added ? EVENT_DEFINED_ADDED : EVENT_DEFINED_UPDATED);
	call_reply(call, &ret);
}

static void define_run(struct call *call)
{
	struct define *define = call->data;

	struct vm *vm;

	/* It may have got another name while this waited. */
	if (!call_still_there(call) || !call_same(call, define->config, &vm))
		return;
	define->added |= !call->vm->dom.config;
	swap_config(call->vm, define);
	vm_keep_config(call->vm, call_task(call, defined));
}

/* The domain is new: it is there for others as soon as for its own job. */
static void define_new_run(struct call *call)
{
	if (call_still_there(call))
		vm_keep_config(call->vm, call_task(call, defined));
}

static void define_xml(struct call *call, const char *xml, unsigned flags)
{
	struct domain *config;
	struct define *define;
	struct vm *vm;

	if (flags & ~(unsigned)DEFINE_VALIDATE) {
		call_fail(call, RPC_CODE_INVALID_ARG, RPC_FROM_QEMU,
			  "unsupported flags (0x%x) for a definition", flags & ~1u);
		return;
	}
	config = call_domain(call, xml, flags & DEFINE_VALIDATE);
	if (!config)
		return;
	if (!call_same(call, config, &vm)) {
		domain_free(config);
		return;
	}
	define = call_data(call, sizeof(*define));
	call->data_free = define_data_free;
	if (vm) {
		define->config = config;
		call_job(call, vm, define_run);
	} else {
		define->added = true;
		call_job(call, vm_new(call->node, config, NULL), define_new_run);
	}
}

static void on_define(struct call *call, const rpc_domain_define_xml_args *args)
{
	define_xml(call, args->xml, 0);
}

static void on_define_flags(struct call *call, const rpc_domain_define_xml_flags_args *args)
{
	define_xml(call, args->xml, args->flags);
}

/* == Undefine == */

static void fail_undefine(struct call *call, const GError *error)
{
	call_fail(call, call_code_of(error), RPC_FROM_QEMU,
		  "the definition of domain '%s' cannot be removed: %s", call->vm->dom.name,
		  error->message);
}

static void free_error(void *data)
{
	g_error_free(data);
}

static void snapshots_back(struct call *call, const GError *error)
{
	if (error)
		g_warning("domain '%s': its snapshots cannot be kept again: %s", call->vm->dom.name,
			  error->message);
	fail_undefine(call, call->subject);
}

static void undefined(struct call *call, const GError *error)
{
	struct vm *vm = call->vm;

	if (error && call->data) {
		snapshots_put_back(vm, call->data);
		call->subject = g_error_copy(error);
		call->subject_free = free_error;
		vm_keep_snapshots(vm, call_task(call, snapshots_back));
		return;
	}
	if (error) {
		fail_undefine(call, error);
		return;
	}
	domain_free(vm->dom.config);
	vm->dom.config = NULL;
	vm->autostart = false;
	event_lifecycle(vm, EVENT_UNDEFINED, EVENT_UNDEFINED_REMOVED);
	if (vm_active(vm))
		vm_keep_status(vm);
	vm_leave(vm);
	call_reply(call, NULL);
}

static void snapshots_forgotten(struct call *call, const GError *error)
{
	if (error) {
		snapshots_put_back(call->vm, call->data);
		fail_undefine(call, error);
		return;
	}
	vm_keep_no_config(call->vm, call_task(call, undefined));
}

static unsigned undefine_flags(const struct call *call)
{
	return call->proc->number == RPC_PROC_DOMAIN_UNDEFINE
		       ? 0
		       : ((const rpc_domain_undefine_flags_args *)call->args)->flags;
}

static void undefine_run(struct call *call)
{
	unsigned flags = undefine_flags(call);
	struct vm *vm = call->vm;

	if (!call_still_there(call))
		return;
	if (!vm->dom.config) {
		call_fail(call, RPC_CODE_OPERATION_INVALID, RPC_FROM_QEMU,
			  "domain '%s' is transient and has no definition; destroy it",
			  vm->dom.name);
		return;
	}
	if (!vm_active(vm) && snapshots_count(vm) && !(flags & UNDEFINE_SNAPSHOTS_METADATA)) {
		call_fail(call, RPC_CODE_OPERATION_INVALID, RPC_FROM_QEMU,
			  "cannot delete inactive domain '%s' with %u snapshots; delete them, or "
			  "undefine it with their metadata",
			  vm->dom.name, snapshots_count(vm));
		return;
	}
	if (vm->dom.config->os.nvram.path && !(flags & (UNDEFINE_NVRAM | UNDEFINE_KEEP_NVRAM))) {
		call_fail(call, RPC_CODE_OPERATION_INVALID, RPC_FROM_QEMU,
			  "cannot undefine domain '%s' with nvram; say whether its file is to be "
			  "removed or kept",
			  vm->dom.name);
		return;
	}
	if (!vm_active(vm) && snapshots_any(vm)) {
		call->data = snapshots_format(vm);
		call->data_free = g_free;
		snapshots_free(vm->snapshots);
		vm->snapshots = NULL;
		vm_keep_snapshots(vm, call_task(call, snapshots_forgotten));
		return;
	}
	snapshots_forgotten(call, NULL);
}

static void undefine(struct call *call, const rpc_domain *dom, unsigned flags)
{
	struct vm *vm = call_vm(call, dom);

	if (!vm)
		return;
	if (flags & ~(unsigned)UNDEFINE_FLAGS) {
		call_fail(call, RPC_CODE_INVALID_ARG, RPC_FROM_QEMU,
			  "unsupported flags (0x%x) for undefine",
			  flags & ~(unsigned)UNDEFINE_FLAGS);
		return;
	}
	if (flags & UNDEFINE_NVRAM && flags & UNDEFINE_KEEP_NVRAM) {
		call_fail(call, RPC_CODE_INVALID_ARG, RPC_FROM_QEMU,
			  "the firmware's variables cannot be removed and kept; choose one");
		return;
	}
	call_job(call, vm, undefine_run);
}

static void on_undefine(struct call *call, const rpc_domain_undefine_args *args)
{
	undefine(call, &args->dom, 0);
}

static void on_undefine_flags(struct call *call, const rpc_domain_undefine_flags_args *args)
{
	undefine(call, &args->dom, args->flags);
}

/* == What it looks like == */

enum {
	XML_SECURE = 1,
	XML_INACTIVE = 2,
	XML_UPDATE_CPU = 4,
	XML_MIGRATABLE = 8,
};

static void on_get_xml(struct call *call, const rpc_domain_get_xml_desc_args *args)
{
	struct vm *vm = call_vm(call, &args->dom);
	rpc_domain_get_xml_desc_ret ret;
	const struct domain *domain;
	g_autofree char *xml = NULL;
	unsigned flags = 0;

	if (!vm)
		return;
	if (args->flags & ~15u) {
		call_fail(call, RPC_CODE_INVALID_ARG, RPC_FROM_QEMU,
			  "unsupported flags (0x%x) for XML", args->flags & ~15u);
		return;
	}
	domain = vm_shown(vm);
	if (args->flags & XML_INACTIVE && vm->dom.config)
		domain = vm->dom.config;
	if (args->flags & XML_SECURE)
		flags |= DOMAIN_FORMAT_SECURE;
	if (args->flags & (XML_INACTIVE | XML_MIGRATABLE) || domain == vm->dom.config)
		flags |= DOMAIN_FORMAT_INACTIVE;
	xml = domain_format(domain, flags);
	ret.xml = xml;
	call_reply(call, &ret);
}

const struct call_entry define_handlers[] = {
	HANDLE(RPC_PROC_DOMAIN_DEFINE_XML, rpc_domain_define_xml_args, on_define),
	HANDLE(RPC_PROC_DOMAIN_DEFINE_XML_FLAGS, rpc_domain_define_xml_flags_args, on_define_flags),
	HANDLE(RPC_PROC_DOMAIN_UNDEFINE, rpc_domain_undefine_args, on_undefine),
	HANDLE(RPC_PROC_DOMAIN_UNDEFINE_FLAGS, rpc_domain_undefine_flags_args, on_undefine_flags),
	HANDLE(RPC_PROC_DOMAIN_GET_XML_DESC, rpc_domain_get_xml_desc_args, on_get_xml),
	HANDLERS_END,
};
