/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * device-events.c - what devices tell, and what becomes of it: events, a pause, an end
 */
#include "vmm/device-events.h"

#include <string.h>

#include "base/log.h"
#include "dev/clock.h"
#include "dev/pvpanic.h"
#include "machine/machine.h"
#include "monitor/qmp-server.h"
#include "vmm/backends.h"
#include "vmm/devices.h"
#include "vmm/event-limit.h"
#include "vmm/vmm-int.h"

static const char *action_name(enum disk_error_policy action)
{
	switch (action) {
	case DISK_ERROR_STOP:
		return "stop";
	case DISK_ERROR_IGNORE:
		return "ignore";
	case DISK_ERROR_REPORT:
	case DISK_ERROR_ENOSPC:
		break;
	}
	return "report";
}

void tell_disk_error(void *opaque, json_t *data)
{
	struct vmm *vmm = opaque;

	qmp_server_event(vmm->monitor, "BLOCK_IO_ERROR", data);
}

void tell_watchdog(void *opaque, json_t *data)
{
	struct vmm *vmm = opaque;

	qmp_server_event(vmm->monitor, "WATCHDOG", data);
}

void tell_crash_loaded(void *opaque, json_t *data)
{
	struct vmm *vmm = opaque;

	qmp_server_event(vmm->monitor, "GUEST_CRASHLOADED", data);
}

void on_disk_error(void *opaque, const struct disk_error *error)
{
	struct vmm_device *device = opaque;
	g_autofree char *path = device_path(device);
	json_t *data =
		json_pack("{s:s,s:s,s:s,s:s,s:b,s:s,s:s}", "device", "", "qom-path", path,
			  "node-name", device->node->name, "operation",
			  error->write ? "write" : "read", "nospace", (int)error->nospace, "action",
			  action_name(error->action), "reason", g_strerror(-error->err));

	/* One that stops the machine is not followed by others. */
	if (error->action != DISK_ERROR_STOP) {
		event_limit_post(device->io_errors, data);
		return;
	}
	tell_disk_error(device->vmm, data);
	device->io_failed = true;
	if (!device->vmm->io_error)
		log_warning("disk '%s' failed (%s): the machine is stopped; mend it, then 'cont'",
			    device->id, g_strerror(-error->err));
	device->vmm->io_error = true;
	vmm_stop(device->vmm);
}

void on_filter_changed(void *opaque)
{
	struct vmm_device *device = opaque;
	g_autofree char *path = device_path(device);

	if (device->filter_told)
		return;
	device->filter_told = true;
	qmp_server_event(device->vmm->monitor, "NIC_RX_FILTER_CHANGED",
			 json_pack("{s:s,s:s}", "name", device->id, "path", path));
}

void on_balloon_changed(void *opaque, uint64_t actual)
{
	struct vmm_device *device = opaque;

	qmp_server_event(device->vmm->monitor, "BALLOON_CHANGE",
			 json_pack("{s:I}", "actual", (json_int_t)actual));
}

void on_watchdog(void *opaque)
{
	struct vmm *vmm = opaque;
	g_autoptr(GError) error = NULL;

	/* It may come in the same turn of the main loop as the end. */
	if (vmm->ended)
		return;
	event_limit_post(vmm->watchdog_events,
			 json_pack("{s:s}", "action", watchdog_action_names[vmm->watchdog]));
	switch (vmm->watchdog) {
	case WATCHDOG_RESET:
		if (!vmm_reset(vmm, &error))
			log_warning("the watchdog cannot reset the machine: %s", error->message);
		break;
	case WATCHDOG_SHUTDOWN:
		vmm_power_button(vmm);
		break;
	case WATCHDOG_POWEROFF:
		vmm_end(vmm, VMM_EXIT_OK, false, "host-error");
		break;
	case WATCHDOG_PAUSE:
		vmm_stop(vmm);
		break;
	case WATCHDOG_INJECT_NMI:
		machine_nmi(vmm->machine);
		break;
	case WATCHDOG_NONE:
		break;
	}
}

void on_panic(void *opaque, unsigned event)
{
	struct vmm *vmm = opaque;

	atomic_fetch_or(&vmm->panics, event);
	dev_timer_set(vmm->panic_timer, 0);
}

void panic_told(void *opaque)
{
	struct vmm *vmm = opaque;
	unsigned events = atomic_exchange(&vmm->panics, 0);

	if (events & PVPANIC_CRASH_LOADED)
		event_limit_post(vmm->crash_events, json_pack("{s:s}", "action", "run"));
	if (!(events & PVPANIC_PANICKED))
		return;
	qmp_server_event(vmm->monitor, "GUEST_PANICKED", json_pack("{s:s}", "action", "poweroff"));
	if (!vmm->ended)
		vmm->report = g_strdup("the guest's kernel panicked");
	vmm_end(vmm, VMM_EXIT_CRASHED, true, "guest-panic");
}
