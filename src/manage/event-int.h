/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * event-int.h - what happens to a domain, for those clients that have asked
 *
 * Events go out before the answer to the call that has caused them.
 */
#ifndef MANAGE_EVENT_INT_H
#define MANAGE_EVENT_INT_H

#include "manage/vm-int.h"

/* libvirt's numbers of what happened, and how. */
enum event_lifecycle {
	EVENT_DEFINED = 0,
	EVENT_UNDEFINED = 1,
	EVENT_STARTED = 2,
	EVENT_SUSPENDED = 3,
	EVENT_RESUMED = 4,
	EVENT_STOPPED = 5,
	EVENT_SHUTDOWN = 6,
	EVENT_CRASHED = 8,
};

enum event_detail {
	EVENT_DEFINED_ADDED = 0,
	EVENT_DEFINED_UPDATED = 1,
	EVENT_DEFINED_RENAMED = 2,
	EVENT_DEFINED_FROM_SNAPSHOT = 3,
	EVENT_UNDEFINED_REMOVED = 0,
	EVENT_UNDEFINED_RENAMED = 1,
	EVENT_STARTED_BOOTED = 0,
	EVENT_STARTED_FROM_SNAPSHOT = 3,
	EVENT_SUSPENDED_PAUSED = 0,
	EVENT_SUSPENDED_IOERROR = 2,
	EVENT_SUSPENDED_WATCHDOG = 3,
	EVENT_SUSPENDED_FROM_SNAPSHOT = 5,
	EVENT_RESUMED_UNPAUSED = 0,
	EVENT_STOPPED_SHUTDOWN = 0,
	EVENT_STOPPED_DESTROYED = 1,
	EVENT_STOPPED_CRASHED = 2,
	EVENT_STOPPED_FAILED = 5,
	EVENT_STOPPED_FROM_SNAPSHOT = 6,
	EVENT_SHUTDOWN_GUEST = 1,
	EVENT_CRASHED_PANICKED = 0,
};

void event_lifecycle(struct vm *vm, enum event_lifecycle event, enum event_detail detail);
void event_reboot(struct vm *vm);
void event_rtc_change(struct vm *vm, int64_t offset);
void event_watchdog(struct vm *vm, int action);
/* Both that there are for it. */
void event_io_error(struct vm *vm, const char *path, const char *alias, int action,
		    const char *reason);
void event_balloon_change(struct vm *vm, uint64_t kib);
void event_device_added(struct vm *vm, const char *alias);
void event_device_removed(struct vm *vm, const char *alias);
void event_device_removal_failed(struct vm *vm, const char *alias);
void event_tray_change(struct vm *vm, const char *alias, bool open);
void event_agent(struct vm *vm, bool connected);
/* What runs was tuned: @params by their names behind "@group."; @disk: the target of whose, or NULL. */
void event_tunable(struct vm *vm, const char *group, const rpc_param *params, unsigned count,
		   const char *disk);
void event_metadata(struct vm *vm, int type, const char *uri);
void event_block_threshold(struct vm *vm, const char *target, const char *path, uint64_t threshold,
			   uint64_t excess);
/* Both that there are for it. */
void event_block_job(struct vm *vm, const char *path, const char *target, int type, int status);

#endif
