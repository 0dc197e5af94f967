/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * metadata.c - what people call a domain, and what programs keep with it
 */
#include "model/metadata.h"

#include <string.h>

#include "base/error.h"
#include "manage/event-int.h"
#include "manage/handler-int.h"

enum {
	METADATA_DESCRIPTION = 0, /* libvirt's numbers */
	METADATA_TITLE = 1,
	METADATA_ELEMENT = 2,
};

char *metadata_text(const char *description, const char *title, const char *metadata, int type,
		    const char *uri)
{
	if (type == METADATA_DESCRIPTION)
		return g_strdup(description);
	if (type == METADATA_TITLE)
		return g_strdup(title);
	return type == METADATA_ELEMENT && uri ? metadata_get(metadata, uri) : NULL;
}

static void set_text(char **member, const char *text)
{
	g_free(*member);
	*member = text && *text ? g_strdup(text) : NULL;
}

bool metadata_change_text(const struct metadata_place *place, int type, const char *text,
			  const char *key, const char *uri, GError **error)
{
	switch (type) {
	case METADATA_DESCRIPTION:
		set_text(place->description, text);
		return true;
	case METADATA_TITLE:
		if (text && strchr(text, '\n'))
			return error_set(error, SOCLE_ERROR_USAGE,
					 "a title has one line; use the description");
		set_text(place->title, text);
		return true;
	case METADATA_ELEMENT:
		if (!uri || (text && !key))
			return error_set(error, SOCLE_ERROR_USAGE,
					 "metadata of a program need its namespace and a key");
		return metadata_set(place->metadata, key, uri, text, error);
	default:
		return error_set(error, SOCLE_ERROR_USAGE, "metadata of type %d are not known",
				 type);
	}
}

static void on_get(struct call *call, const rpc_domain_get_metadata_args *args)
{
	struct vm *vm = call_vm(call, &args->dom);
	const struct domain *domain;
	rpc_domain_get_metadata_ret ret;
	g_autofree char *text = NULL;

	if (!vm || !call_flags(call, args->flags, AFFECT_BOTH))
		return;
	domain = call_which(call, vm, args->flags);
	if (!domain)
		return;
	text = metadata_text(domain->description, domain->title, domain->metadata, args->type,
			     args->uri ? *args->uri : NULL);
	if (!text) {
		call_fail(call, RPC_CODE_NO_DOMAIN_METADATA, RPC_FROM_QEMU,
			  "Requested metadata element is not present in domain '%s'", vm->dom.name);
		return;
	}
	ret.metadata = text;
	call_reply(call, &ret);
}

static bool apply(struct call *call, struct domain *domain, GError **error)
{
	const rpc_domain_set_metadata_args *args = call->args;
	const struct metadata_place place = { &domain->description, &domain->title,
					      &domain->metadata };

	return metadata_change_text(&place, args->type, args->metadata ? *args->metadata : NULL,
				    args->key ? *args->key : NULL, args->uri ? *args->uri : NULL,
				    error);
}

static void done(struct call *call, bool live, bool config)
{
	const rpc_domain_set_metadata_args *args = call->args;

	(void)live;
	(void)config;
	event_metadata(call->vm, args->type, args->uri ? *args->uri : NULL);
	call_reply(call, NULL);
}

static const struct change metadata_change = { .apply = apply, .done = done };

static void on_set(struct call *call, const rpc_domain_set_metadata_args *args)
{
	struct vm *vm = call_vm(call, &args->dom);

	if (vm && call_flags(call, args->flags, AFFECT_BOTH))
		call_change(call, vm, &metadata_change, args->flags);
}

/* == Another name == */

static void renamed(struct call *call, const GError *error)
{
	rpc_domain_rename_ret ret = { .retcode = 0 };
	struct vm *vm = call->vm;
	struct domain *config = vm->dom.config;

	if (error) {
		g_free(config->name);
		config->name = g_strdup(vm->dom.name);
		vm_free_name(vm);
		call_fail(call, call_code_of(error), RPC_FROM_QEMU,
			  "the new name of domain '%s' cannot be kept: %s", vm->dom.name,
			  error->message);
		return;
	}
	event_lifecycle(vm, EVENT_UNDEFINED, EVENT_UNDEFINED_RENAMED);
	vm_take_name(vm);
	event_lifecycle(vm, EVENT_DEFINED, EVENT_DEFINED_RENAMED);
	call_reply(call, &ret);
}

static void rename_run(struct call *call)
{
	const rpc_domain_rename_args *args = call->args;
	struct vm *vm = call->vm;
	autoptr(domain) copy = NULL;
	g_autoptr(GError) error = NULL;

	if (!call_still_there(call))
		return;
	if (vm_active(vm) || !vm->dom.config) {
		call_fail(call, RPC_CODE_OPERATION_INVALID, RPC_FROM_QEMU,
			  "cannot rename domain '%s' while it runs; shut it down first",
			  vm->dom.name);
		return;
	}
	if (vm_by_name(call->node, *args->new_name)) {
		call_fail(call, RPC_CODE_OPERATION_INVALID, RPC_FROM_QEMU,
			  "domain with name '%.255s' already exists", *args->new_name);
		return;
	}
	copy = domain_copy(vm->dom.config);
	g_free(copy->name);
	copy->name = g_strdup(*args->new_name);
	if (!domain_check(copy, &call->node->config.support, 0, NULL, &error) ||
	    !domain_check_text(copy, &error)) {
		call_fail(call, RPC_CODE_INVALID_ARG, RPC_FROM_QEMU, "%s", error->message);
		return;
	}
	/* While it is being kept somebody else may want the name. */
	vm_reserve_name(vm, *args->new_name);
	g_free(vm->dom.config->name);
	vm->dom.config->name = g_strdup(*args->new_name);
	vm_keep_config(vm, call_task(call, renamed));
}

static void on_rename(struct call *call, const rpc_domain_rename_args *args)
{
	struct vm *vm = call_vm(call, &args->dom);

	if (!vm || !call_flags(call, args->flags, 0))
		return;
	if (!args->new_name || !**args->new_name) {
		call_fail(call, RPC_CODE_INVALID_ARG, RPC_FROM_QEMU, "a new name is needed");
		return;
	}
	call_job(call, vm, rename_run);
}

const struct call_entry metadata_handlers[] = {
	HANDLE(RPC_PROC_DOMAIN_GET_METADATA, rpc_domain_get_metadata_args, on_get),
	HANDLE(RPC_PROC_DOMAIN_SET_METADATA, rpc_domain_set_metadata_args, on_set),
	HANDLE(RPC_PROC_DOMAIN_RENAME, rpc_domain_rename_args, on_rename),
	HANDLERS_END,
};
