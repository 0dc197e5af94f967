/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * device.c - devices are plugged in, taken out and changed
 */
#include <string.h>

#include "base/error.h"
#include "manage/define-int.h"
#include "manage/event-int.h"
#include "manage/handler-int.h"
#include "manage/net-int.h"
#include "manage/pool-int.h"
#include "model/plug.h"

enum {
	UPDATE_FORCE = 1 << 2, /* beside AFFECT_... */
};

/* What a client has sent, and what it is in the one and in the other definition. */
struct subject {
	struct domain *device;        /* as it came; NULL: only an alias did */
	struct domain *live, *config; /* filled in and checked for each */
	char *alias;                  /* of the one that the machine is told about */
	bool force;
	struct task checked; /* before a disk is plugged in */
	struct vm *vm;
	struct task *then;
};

static void subject_free(void *data)
{
	struct subject *subject = data;

	domain_free(subject->device);
	domain_free(subject->live);
	domain_free(subject->config);
	g_free(subject->alias);
	g_free(subject);
}

static struct subject *subject_new(struct call *call)
{
	struct subject *subject = g_new0(struct subject, 1);

	call->subject = subject;
	call->subject_free = subject_free;
	return subject;
}

/* A MAC address is made up once, or the definition and the machine would have two. */
static void settle(struct call *call, struct domain *device, const struct domain *domain)
{
	autoptr(domain) filled = domain_copy(device);

	domain_fill_device(filled, domain, &call->node->config.support);
	for (unsigned i = 0; i < device->devices.interface_count; i++) {
		struct domain_interface *card = &device->devices.interfaces[i];

		if (!card->mac.address)
			card->mac.address = g_strdup(filled->devices.interfaces[i].mac.address);
	}
}

/* False: the call has failed. */
static bool take_device(struct call *call, const struct vm *vm, const char *xml)
{
	struct subject *subject = subject_new(call);
	g_autoptr(GError) error = NULL;

	subject->device = domain_parse_device(xml, strlen(xml), 0, NULL, &error);
	if (!subject->device) {
		call_fail_xml(call, error);
		return false;
	}
	if (!domain_one_device(subject->device, NULL)) {
		call_fail(call, RPC_CODE_CONFIG_UNSUPPORTED, RPC_FROM_QEMU,
			  "devices of this kind cannot be plugged or unplugged");
		return false;
	}
	settle(call, subject->device, vm_shown(vm));
	return true;
}

/* The device for this definition: only what runs has an id. */
static struct domain *device_for(struct call *call, const struct domain *domain, GError **error)
{
	struct subject *subject = call->subject;
	struct domain **made = domain->id.set ? &subject->live : &subject->config;
	const struct support *support = &call->node->config.support;
	autoptr(domain) device = NULL;

	if (*made)
		return *made;
	device = domain_copy(subject->device);
	domain_fill_device(device, domain, support);
	if (domain->id.set && !pools_resolve(call->node, device, error))
		return NULL;
	if (!domain_check_device(device, domain, support, domain->id.set ? DOMAIN_CHECK_START : 0,
				 NULL, error))
		return NULL;
	if (domain->id.set) {
		if (!cards_connect(call->node, device, error))
			return NULL;
		domain_name_device(device, domain);
	}
	*made = g_steal_pointer(&device);
	return *made;
}

/* == In == */

static bool apply_attach(struct call *call, struct domain *domain, GError **error)
{
	const struct domain *device = device_for(call, domain, error);

	if (!device)
		return false;
	if (device->devices.disk_count && domain_find_device(domain, device, NULL))
		return error_set(error, SOCLE_ERROR_EXISTS,
				 "target '%.64s' already exists; choose another one",
				 device->devices.disks[0].target.dev);
	domain_add_device(domain, device);
	return true;
}

/* Nobody needs the disk as it is, or it stays out. */
static void linked_checked(struct task *task, const GError *given)
{
	struct subject *subject = container_of(task, struct subject, checked);
	struct machine *machine = subject->vm->dom.machine;
	g_autoptr(GError) error = given ? g_error_copy(given) : NULL;

	if (!error && !machine)
		error_set(&error, SOCLE_ERROR_STATE, "domain '%s' has ended meanwhile",
			  subject->vm->dom.name);
	if (error)
		task_end(subject->then, error);
	else
		machine->ops->plug(machine, subject->live, subject->then);
}

static void tell_attach(struct call *call, struct machine *machine, struct task *task)
{
	struct subject *subject = call->subject;
	g_autoptr(GError) error = NULL;

	if (machine->ops->plug) {
		subject->checked.end = linked_checked;
		subject->vm = call->vm;
		subject->then = task;
		vm_check_linked(call->vm, subject->live, &subject->checked);
		return;
	}
	error_set(&error, SOCLE_ERROR_UNSUPPORTED,
		  "devices cannot be plugged into a running machine; change its configuration");
	task_end(task, error);
}

static void attached(struct call *call, bool live, bool config)
{
	struct subject *subject = call->subject;
	const struct device_info *info = live ? domain_one_device(subject->live, NULL) : NULL;

	(void)config;
	if (info && info->alias.name)
		event_device_added(call->vm, info->alias.name);
	call_reply(call, NULL);
}

static const struct change attach_change = {
	.apply = apply_attach, .machine = tell_attach, .machine_first = true, .done = attached
};

static void attach(struct call *call, const rpc_domain *dom, const char *xml, unsigned flags)
{
	struct vm *vm = call_vm(call, dom);

	if (vm && call_flags(call, flags, AFFECT_BOTH) && take_device(call, vm, xml))
		call_change(call, vm, &attach_change, flags);
}

static void on_attach(struct call *call, const rpc_domain_attach_device_args *args)
{
	attach(call, &args->dom, args->xml, AFFECT_LIVE);
}

static void on_attach_flags(struct call *call, const rpc_domain_attach_device_flags_args *args)
{
	attach(call, &args->dom, args->xml, args->flags);
}

/* == Out == */

static struct device_info *find(struct call *call, struct domain *domain, GError **error)
{
	struct subject *subject = call->subject;
	struct device_info *info;

	if (subject->device)
		return domain_find_device(domain, subject->device, error);
	info = domain_find_alias(domain, subject->alias);
	if (!info)
		error_set(error, SOCLE_ERROR_NOT_FOUND, "the domain has no device '%.64s'",
			  subject->alias);
	return info;
}

static bool apply_detach(struct call *call, struct domain *domain, GError **error)
{
	struct subject *subject = call->subject;
	struct device_info *info = find(call, domain, error);

	if (!info)
		return false;
	if (domain->id.set && !subject->alias)
		subject->alias = g_strdup(info->alias.name);
	domain_remove_device(domain, info);
	return true;
}

static void tell_detach(struct call *call, struct machine *machine, struct task *task)
{
	struct subject *subject = call->subject;
	g_autoptr(GError) error = NULL;

	if (machine->ops->unplug && subject->alias) {
		machine->ops->unplug(machine, subject->alias, task);
		return;
	}
	error_set(&error, SOCLE_ERROR_UNSUPPORTED,
		  "this device cannot be taken out of a running machine; change its configuration");
	task_end(task, error);
}

static const struct change detach_change = { .apply = apply_detach,
					     .machine = tell_detach,
					     .machine_only = true };

static void detach(struct call *call, const rpc_domain *dom, const char *xml, unsigned flags)
{
	struct vm *vm = call_vm(call, dom);

	if (vm && call_flags(call, flags, AFFECT_BOTH) && take_device(call, vm, xml))
		call_change(call, vm, &detach_change, flags);
}

static void on_detach(struct call *call, const rpc_domain_detach_device_args *args)
{
	detach(call, &args->dom, args->xml, AFFECT_LIVE);
}

static void on_detach_flags(struct call *call, const rpc_domain_detach_device_flags_args *args)
{
	detach(call, &args->dom, args->xml, args->flags);
}

static void on_detach_alias(struct call *call, const rpc_domain_detach_device_alias_args *args)
{
	struct vm *vm = call_vm(call, &args->dom);

	if (!vm || !call_flags(call, args->flags, AFFECT_BOTH))
		return;
	subject_new(call)->alias = g_strdup(args->alias);
	call_change(call, vm, &detach_change, args->flags);
}

/* == Changed == */

static void take_text(char **to, const char *from)
{
	if (!*to)
		*to = g_strdup(from);
}

/* What the machine has stays, if it is in the same network; where it is plugged in may have changed. */
static void keep_produced(const struct domain *domain, struct domain *device)
{
	for (unsigned i = 0; i < device->devices.interface_count; i++) {
		struct domain_interface *card = &device->devices.interfaces[i];

		for (unsigned k = 0; k < domain->devices.interface_count; k++) {
			const struct domain_interface *old = &domain->devices.interfaces[k];

			if (g_ascii_strcasecmp(old->mac.address, card->mac.address) != 0)
				continue;
			take_text(&card->target.dev, old->target.dev);
			if (card->source.portid && old->source.portid &&
			    !g_strcmp0(card->source.network, old->source.network)) {
				g_free(card->source.portid);
				card->source.portid = g_strdup(old->source.portid);
			}
		}
	}
}

/* The port that a machine was given is not in a definition that leaves it open. */
static void keep_port(const struct domain *domain, struct domain *device)
{
	for (unsigned i = 0; i < device->devices.graphics_count; i++) {
		struct domain_graphics *graphics = &device->devices.graphics[i];

		if (i < domain->devices.graphics_count && graphics->port.value <= 0)
			graphics->port = domain->devices.graphics[i].port;
	}
}

static bool apply_update(struct call *call, struct domain *domain, GError **error)
{
	struct subject *subject = call->subject;
	struct device_info *info = domain_find_device(domain, subject->device, error);
	struct domain **made = domain->id.set ? &subject->live : &subject->config;
	autoptr(domain) without = NULL;

	if (!info)
		return false;
	if (domain->id.set && !subject->alias)
		subject->alias = g_strdup(info->alias.name);
	if (!*made) {
		struct domain *device;

		/* It is judged as if the old one were not there. */
		without = domain_copy(domain);
		domain_remove_device(without, domain_find_device(without, subject->device, NULL));
		device = device_for(call, without, error);
		if (!device)
			return false;
		if (domain->id.set) {
			keep_produced(domain, device);
			keep_port(domain, device);
		}
	}
	domain_replace_device(domain, info, *made);
	return true;
}

static void tell_update(struct call *call, struct machine *machine, struct task *task)
{
	struct subject *subject = call->subject;
	g_autoptr(GError) error = NULL;

	/* A screen has no name; there is one. */
	if (machine->ops->update && (subject->alias || subject->live->devices.graphics_count)) {
		machine->ops->update(machine, subject->alias, subject->live, subject->force, task);
		return;
	}
	error_set(&error, SOCLE_ERROR_UNSUPPORTED,
		  "this device of a running machine cannot change; change its configuration");
	task_end(task, error);
}

static const struct change update_change = { .apply = apply_update,
					     .machine = tell_update,
					     .machine_first = true };

static void on_update(struct call *call, const rpc_domain_update_device_flags_args *args)
{
	struct vm *vm = call_vm(call, &args->dom);

	struct subject *subject;

	if (!vm || !call_flags(call, args->flags, AFFECT_BOTH | UPDATE_FORCE) ||
	    !take_device(call, vm, args->xml))
		return;
	subject = call->subject;
	subject->force = args->flags & UPDATE_FORCE;
	call_change(call, vm, &update_change, args->flags & AFFECT_BOTH);
}

const struct call_entry device_handlers[] = {
	HANDLE(RPC_PROC_DOMAIN_ATTACH_DEVICE, rpc_domain_attach_device_args, on_attach),
	HANDLE(RPC_PROC_DOMAIN_ATTACH_DEVICE_FLAGS, rpc_domain_attach_device_flags_args,
	       on_attach_flags),
	HANDLE(RPC_PROC_DOMAIN_DETACH_DEVICE, rpc_domain_detach_device_args, on_detach),
	HANDLE(RPC_PROC_DOMAIN_DETACH_DEVICE_FLAGS, rpc_domain_detach_device_flags_args,
	       on_detach_flags),
	HANDLE(RPC_PROC_DOMAIN_DETACH_DEVICE_ALIAS, rpc_domain_detach_device_alias_args,
	       on_detach_alias),
	HANDLE(RPC_PROC_DOMAIN_UPDATE_DEVICE_FLAGS, rpc_domain_update_device_flags_args, on_update),
	HANDLERS_END,
};
