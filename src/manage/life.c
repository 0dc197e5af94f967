/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * life.c - how a machine begins and ends, whoever wants it
 *
 * A domain is active from when its machine is being made until it has ended. Starting is a job; an
 * end comes at any time, by a client, by the guest or by an accident, also in the middle of a job: the
 * job's task then ends with an error.
 */
#include <string.h>

#include "base/error.h"
#include "manage/event-int.h"
#include "manage/net-int.h"
#include "manage/peer-int.h"
#include "manage/pool-int.h"
#include "manage/snapshots-int.h"
#include "model/domain-own.h"
#include "model/plug.h"

static void forgotten(struct call *call, const GError *error)
{
	if (error)
		g_warning("domain '%s' is gone, and what was kept of its snapshots is not: %s",
			  call->vm->dom.name, error->message);
	call_reply(call, NULL);
}

void vm_leave(struct vm *vm)
{
	struct call *call;

	if (vm->object.gone || vm_active(vm) || vm->dom.config)
		return;
	vm_ref(vm);
	vm_remove(vm);
	/* A domain of the same UUID that comes later would have them. */
	if (snapshots_any(vm)) {
		snapshots_free(vm->snapshots);
		vm->snapshots = NULL;
		call = call_new(vm->dom.node);
		call_hold(call, vm);
		vm_keep_snapshots(vm, call_task(call, forgotten));
	}
	vm_unref(vm);
}

/* == Begin == */

/* The machine was kept before its guest ran; of what could not be written now it is asked then. */
static void start_kept(struct call *call, const GError *error)
{
	(void)error;
	call->vm->start_next(call, NULL);
}

static void start_ended(struct call *call, const GError *error)
{
	struct vm *vm = call->vm;
	call_next next = vm->start_next;

	/* At once: the machine is not even known yet. It is looked at when start() has returned. */
	if (vm->making) {
		vm->made = true;
		vm->made_error = error ? g_error_copy(error) : NULL;
		return;
	}

	vm->starting = false;
	if (error) {
		/* The machine is gone already, and let go. */
		vm->dom.machine = NULL;
		vm_set_inactive(vm, MACHINE_END_FAILED);
		vm_keep_status(vm);
		next(call, error);
		return;
	}
	if (vm->start_paused)
		vm_set_state(vm, DOM_PAUSED, 1);
	else
		vm_set_state(vm, DOM_RUNNING, 1);
	event_lifecycle(vm, EVENT_STARTED, EVENT_STARTED_BOOTED);
	if (vm->start_paused)
		event_lifecycle(vm, EVENT_SUSPENDED, EVENT_SUSPENDED_PAUSED);
	vm_keep_status_for(vm, call_task(call, start_kept));
}

static void begin_making(struct vm *vm)
{
	vm->starting = vm->making = true;
	vm->made = false;
}

static void end_making(struct call *call, struct machine *machine, call_next ended)
{
	struct vm *vm = call->vm;
	g_autoptr(GError) error = g_steal_pointer(&vm->made_error);

	vm->making = false;
	if (!error)
		vm->dom.machine = machine;
	if (vm->made)
		ended(call, error);
}

/* What starts is a copy, checked against what this host has now. */
static bool make_live(struct vm *vm, struct domain *domain, GError **error)
{
	const struct support *support = &vm->dom.node->config.support;

	if (!pools_resolve(vm->dom.node, domain, error) ||
	    !domain_check(domain, support, DOMAIN_CHECK_START, NULL, error) ||
	    !cards_connect(vm->dom.node, domain, error)) {
		domain_free(domain);
		return false;
	}
	vm->dom.live = domain;
	vm_set_active(vm, vm->dom.node->next_id);
	domain->id = number_of(vm->dom.id);
	domain_name_devices(domain);
	return true;
}

/* Its networks are there, or one cannot be. */
static void networks_ready(struct call *call, const GError *given)
{
	struct vm *vm = call->vm;
	struct node *node = vm->dom.node;
	struct domain *domain = g_steal_pointer(&vm->start_of);
	g_autoptr(GError) error = given ? g_error_copy(given) : NULL;
	const unsigned flags = vm->start_paused ? MACHINE_START_PAUSED : 0;
	struct machine *machine;

	if (error)
		domain_free(domain);
	if (error || !make_live(vm, domain, &error)) {
		vm->start_next(call, error);
		return;
	}
	/* Starting up; a daemon that is killed now lets it run when it is back, unless it is to wait. */
	vm_set_state(vm, DOM_PAUSED, vm->start_paused ? 1 : 11);
	begin_making(vm);
	machine = node->config.machines->start(&vm->dom, flags, call_task(call, start_ended));
	end_making(call, machine, start_ended);
}

static bool may_start(struct vm *vm, const struct domain *domain, GError **error)
{
	if (domain_is_template(domain))
		return error_set(
			error, SOCLE_ERROR_STATE,
			"it is a template, from which machines are made and which is not started; "
			"'socle create NAME --template %s' makes one",
			vm->dom.name);
	return snapshots_agree(vm, error);
}

/* Nobody needs its disks as they are, or it cannot be. */
static void linked_checked(struct call *call, const GError *error)
{
	if (error)
		networks_ready(call, error);
	else
		cards_want(call, call->vm->start_of, networks_ready);
}

void vm_start(struct call *call, struct domain *domain, unsigned flags, call_next next)
{
	g_autoptr(GError) error = NULL;
	struct vm *vm = call->vm;

	vm->start_paused = flags & MACHINE_START_PAUSED;
	vm->start_next = next;
	vm->start_of = domain;
	if (may_start(vm, domain, &error))
		vm_check_linked(vm, domain, call_task(call, linked_checked));
	else
		networks_ready(call, error);
}

/* == End == */

static enum event_detail stopped_detail(enum machine_end end)
{
	switch (end) {
	case MACHINE_END_DESTROYED:
		return EVENT_STOPPED_DESTROYED;
	case MACHINE_END_CRASHED:
		return EVENT_STOPPED_CRASHED;
	case MACHINE_END_FAILED:
		return EVENT_STOPPED_FAILED;
	case MACHINE_END_SHUTDOWN:
	default:
		return EVENT_STOPPED_SHUTDOWN;
	}
}

static void restarted(struct call *call, const GError *error)
{
	if (error) {
		g_warning("domain '%s' is to run again, and does not: %s", call->vm->dom.name,
			  error->message);
		vm_leave(call->vm);
	}
	call_reply(call, NULL);
}

static void restart_run(struct call *call)
{
	struct domain *domain = g_steal_pointer(&call->data);

	if (call->vm->object.gone || vm_active(call->vm)) {
		domain_free(domain);
		call_reply(call, NULL);
		return;
	}
	vm_start(call, domain, 0, restarted);
}

static void free_domain(void *data)
{
	domain_free(data);
}

/* Its definition may say that a machine which ends begins anew; what was destroyed does not. */
static struct domain *wants_restart(const struct vm *vm, enum machine_end end)
{
	const struct domain *live = vm->dom.live;
	enum on_event on = end == MACHINE_END_SHUTDOWN  ? live->on_poweroff
			   : end == MACHINE_END_CRASHED ? live->on_crash
							: ON_DESTROY;

	if (vm->starting || (on != ON_RESTART && on != ON_RENAME_RESTART))
		return NULL;
	return domain_copy(vm->dom.config ? vm->dom.config : live);
}

void vm_ended(struct vm *vm, enum machine_end end, const char *why)
{
	struct machine *machine = vm->dom.machine;
	struct domain *again;

	if (!vm_active(vm))
		return;
	if (vm->destroying)
		end = MACHINE_END_DESTROYED;
	if (why && end != MACHINE_END_SHUTDOWN && end != MACHINE_END_DESTROYED)
		g_message("domain '%s' has ended: %s", vm->dom.name, why);
	vm_ref(vm);
	again = wants_restart(vm, end);
	vm->dom.machine = NULL;
	/* What waited for the machine ends by that, and what stands behind it begins when all is done: it
	 * would find a domain that is active without a machine, or give it one that we then took away. */
	vm->object.ending++;
	if (machine)
		machine->ops->free(machine);
	vm->object.ending--;
	/* If it was its start that has ended, all is done. */
	if (vm_active(vm)) {
		vm_set_inactive(vm, (int)end);
		vm_keep_status(vm);
		event_lifecycle(vm, EVENT_STOPPED, stopped_detail(end));
	}
	if (again) {
		struct call *call = call_new(vm->dom.node);

		call->data = again;
		call->data_free = free_domain;
		call_job(call, vm, restart_run);
	} else {
		vm_leave(vm);
	}
	object_next_job(&vm->object);
	vm_unref(vm);
}

/* It has ended, whatever its file says. */
static void end_kept(struct call *call, const GError *error)
{
	(void)error;
	call_reply(call, NULL);
}

static void destroyed(struct call *call, const GError *error)
{
	struct vm *vm = call->vm;

	if (error) {
		vm->destroying = false;
		call_fail_error(call, RPC_FROM_QEMU, error);
		return;
	}
	vm_ended(vm, MACHINE_END_DESTROYED, NULL);
	vm_keep_status_for(vm, call_task(call, end_kept));
}

void vm_destroy(struct call *call, struct vm *vm, bool graceful)
{
	struct machine *machine = vm->dom.machine;

	call_hold(call, vm);
	if (!machine) {
		call_fail(call, RPC_CODE_OPERATION_INVALID, RPC_FROM_QEMU,
			  "domain '%s' is only just beginning; try again", vm->dom.name);
		return;
	}
	vm->destroying = true;
	machine->ops->destroy(machine, graceful, call_task(call, destroyed));
}

void vms_destroy_with(struct node *node, struct peer *peer)
{
	g_autoptr(GPtrArray) vms = g_ptr_array_new();

	for (unsigned i = 0; i < node->vms->len; i++) {
		struct vm *vm = node->vms->pdata[i];

		if (vm->destroy_with == peer)
			g_ptr_array_add(vms, vm);
	}
	for (unsigned i = 0; i < vms->len; i++) {
		struct vm *vm = vms->pdata[i];

		vm->destroy_with = NULL;
		vm_destroy(call_new(node), vm, false);
	}
}

/* == What a machine tells == */

void machine_ended(struct dom *dom, enum machine_end end, const char *why)
{
	vm_ended(vm_of(dom), end, why);
}

void machine_paused(struct dom *dom, int reason)
{
	struct vm *vm = vm_of(dom);
	enum event_detail detail = reason == 5   ? EVENT_SUSPENDED_IOERROR
				   : reason == 6 ? EVENT_SUSPENDED_WATCHDOG
						 : EVENT_SUSPENDED_PAUSED;

	if (!vm_active(vm) || vm->starting || vm->dom.state == DOM_PAUSED)
		return;
	if (reason == 10) { /* the guest has panicked */
		vm_set_state(vm, DOM_CRASHED, 1);
		event_lifecycle(vm, EVENT_CRASHED, EVENT_CRASHED_PANICKED);
	} else {
		vm_set_state(vm, DOM_PAUSED, reason);
		event_lifecycle(vm, EVENT_SUSPENDED, detail);
	}
	vm_keep_status(vm);
}

void machine_resumed(struct dom *dom)
{
	struct vm *vm = vm_of(dom);

	if (!vm_active(vm) || vm->starting || vm->dom.state == DOM_RUNNING)
		return;
	vm_set_state(vm, DOM_RUNNING, 5);
	event_lifecycle(vm, EVENT_RESUMED, EVENT_RESUMED_UNPAUSED);
	vm_keep_status(vm);
}

void machine_rebooted(struct dom *dom)
{
	event_reboot(vm_of(dom));
}

void machine_shutting_down(struct dom *dom)
{
	struct vm *vm = vm_of(dom);

	if (!vm_active(vm) || vm->dom.state == DOM_SHUTDOWN)
		return;
	vm_set_state(vm, DOM_SHUTDOWN, 1);
	event_lifecycle(vm, EVENT_SHUTDOWN, EVENT_SHUTDOWN_GUEST);
}

void machine_balloon_changed(struct dom *dom, uint64_t kib)
{
	struct vm *vm = vm_of(dom);

	if (!vm_active(vm))
		return;
	dom->live->current_memory = number_of((int64_t)kib);
	if (vm->before)
		vm->before->current_memory = dom->live->current_memory;
	event_balloon_change(vm, kib);
	vm_keep_status(vm);
}

void machine_device_removed(struct dom *dom, const char *alias)
{
	struct vm *vm = vm_of(dom);
	struct device_info *info = vm_active(vm) ? domain_find_alias(dom->live, alias) : NULL;

	if (!info)
		return;
	/* @alias may be the one that goes with the device. */
	{
		g_autofree char *name = g_strdup(alias);

		domain_remove_device(dom->live, info);
		info = vm->before ? domain_find_alias(vm->before, name) : NULL;
		if (info)
			domain_remove_device(vm->before, info);
		event_device_removed(vm, name);
	}
	vm_keep_status(vm);
}

void machine_tray_moved(struct dom *dom, const char *alias, bool open)
{
	struct domain_devices *d = &dom->live->devices;

	for (unsigned i = 0; i < d->disk_count; i++) {
		struct domain_disk *disk = &d->disks[i];

		if (g_strcmp0(disk->info.alias.name, alias) != 0)
			continue;
		g_free(disk->target.tray);
		disk->target.tray = open ? g_strdup("open") : NULL;
		event_tray_change(vm_of(dom), alias, open);
		machine_changed(dom);
		return;
	}
}

void machine_io_error(struct dom *dom, const char *alias, const char *path, int action,
		      const char *reason)
{
	event_io_error(vm_of(dom), path, alias, action, reason);
}

void machine_block_threshold(struct dom *dom, unsigned disk, uint64_t threshold, uint64_t excess)
{
	const struct domain_disk *d = &dom->live->devices.disks[disk];

	event_block_threshold(vm_of(dom), d->target.dev, disk_path(d), threshold, excess);
}

void machine_watchdog(struct dom *dom, int action)
{
	event_watchdog(vm_of(dom), action);
}

void machine_block_job(struct dom *dom, unsigned disk, enum machine_block_job type, int status)
{
	struct vm *vm = vm_of(dom);
	const struct domain_disk *d;
	const char *path;

	if (!vm_active(vm) || disk >= dom->live->devices.disk_count)
		return;
	d = &dom->live->devices.disks[disk];
	path = disk_path(d);
	event_block_job(vm, path ? path : "", d->target.dev, (int)type, status);
	vm_keep_status(vm);
}

static void followed(struct task *task, const GError *error)
{
	if (error)
		g_warning("the new image of a disk cannot be kept: %s", error->message);
	g_free(task);
}

void machine_image_changed(struct dom *dom, unsigned disk, const char *old)
{
	const struct domain_disk *now = &dom->live->devices.disks[disk];

	for (unsigned i = 0; dom->config && i < dom->config->devices.disk_count; i++) {
		struct domain_disk *config = &dom->config->devices.disks[i];
		struct task *task;

		if (g_strcmp0(config->target.dev, now->target.dev) != 0 ||
		    g_strcmp0(disk_path(config), old) != 0)
			continue;
		domain_disk_set_image(config, disk_path(now), now->driver.type);
		task = g_new0(struct task, 1);
		task->end = followed;
		vm_keep_config(vm_of(dom), task);
		return;
	}
}

void machine_changed(struct dom *dom)
{
	vm_keep_status(vm_of(dom));
}

void machine_keep(struct dom *dom, struct task *task)
{
	vm_keep_status_for(vm_of(dom), task);
}

/* == At the daemon's start == */

static void found(struct call *call, const GError *error)
{
	struct vm *vm = call->vm;

	if (vm->making) {
		vm->made = true;
		vm->made_error = error ? g_error_copy(error) : NULL;
		return;
	}
	vm->starting = false;
	if (error) {
		enum machine_end end = g_error_matches(error, SOCLE_ERROR, SOCLE_ERROR_NOT_ACTIVE)
					       ? MACHINE_END_SHUTDOWN
					       : MACHINE_END_CRASHED;

		g_message("domain '%s' has ended while there was no daemon: %s", vm->dom.name,
			  error->message);
		vm->dom.machine = NULL;
		vm_set_inactive(vm, (int)end);
		vm_keep_status(vm);
		event_lifecycle(vm, EVENT_STOPPED, stopped_detail(end));
		vm_leave(vm);
	} else {
		vm_keep_status(vm);
	}
	call_reply(call, NULL);
}

static void find_run(struct call *call)
{
	struct vm *vm = call->vm;
	const struct machine_ops *ops = vm->dom.node->config.machines;
	g_autofree char *state = g_steal_pointer(&vm->found_state);
	g_autoptr(GError) error = NULL;
	struct machine *machine;

	if (!ops->find ||
	    !domain_check(vm->dom.live, &vm->dom.node->config.support, 0, NULL, &error)) {
		if (!error)
			error_set(&error, SOCLE_ERROR_UNSUPPORTED,
				  "machines of this kind end with their daemon");
		found(call, error);
		return;
	}
	begin_making(vm);
	machine = ops->find(&vm->dom, state ? state : "", call_task(call, found));
	end_making(call, machine, found);
}

static void autostarted(struct call *call, const GError *error)
{
	if (error)
		g_warning("domain '%s' cannot be started: %s", call->vm->dom.name, error->message);
	call_reply(call, NULL);
}

static void autostart_run(struct call *call)
{
	struct vm *vm = call->vm;

	if (vm->object.gone || vm_active(vm) || !vm->dom.config) {
		call_reply(call, NULL);
		return;
	}
	vm_start(call, domain_copy(vm->dom.config), 0, autostarted);
}

/* Its disks are volumes: their pools have to be active first. */
static bool needs_pools(const struct vm *vm)
{
	const struct domain_devices *devices = vm->dom.config ? &vm->dom.config->devices : NULL;

	for (unsigned i = 0; devices && i < devices->disk_count; i++) {
		if (devices->disks[i].type == DISK_VOLUME)
			return true;
	}
	return false;
}

void vms_pools_ready(struct node *node)
{
	g_autoptr(GPtrArray) vms = g_ptr_array_copy(node->vms, NULL, NULL);

	for (unsigned i = 0; node->autostart && i < vms->len; i++) {
		struct vm *vm = vms->pdata[i];

		if (vm->autostart && needs_pools(vm))
			call_job(call_new(node), vm, autostart_run);
	}
}

void node_loaded(struct node *node, bool autostart)
{
	g_autoptr(GPtrArray) vms = g_ptr_array_new_with_free_func((GDestroyNotify)vm_unref);

	nets_loaded(node, autostart);
	node->autostart = autostart;
	for (unsigned i = 0; i < node->vms->len; i++)
		g_ptr_array_add(vms, vm_ref(node->vms->pdata[i]));
	for (unsigned i = 0; i < vms->len; i++) {
		struct vm *vm = vms->pdata[i];

		if (vm_active(vm))
			call_job(call_new(node), vm, find_run);
		else if (autostart && vm->autostart && !needs_pools(vm))
			call_job(call_new(node), vm, autostart_run);
		snapshots_loaded(vm);
	}
	pools_loaded(node);
}
