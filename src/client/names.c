/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * names.c - words for states, reasons and events, as people know them from virsh
 */
#include <stddef.h>

#include "base/cleanup.h"
#include "client/socle.h"

/* Words by number, a NULL behind the last. */
typedef const char *const words[16];

static const char *word(const char *const *list, int number)
{
	for (int i = 0; list[i]; i++) {
		if (i == number)
			return list[i];
	}
	return "unknown";
}

static const char *word_of(const words *lists, size_t count, int which, int number)
{
	return which >= 0 && (size_t)which < count ? word(lists[which], number) : "unknown";
}

const char *socle_domain_state_name(int state)
{
	static const words states = { "no state",    "running",  "idle",    "paused",
				      "in shutdown", "shut off", "crashed", "pmsuspended" };

	return word(states, state);
}

const char *socle_domain_reason_name(int state, int reason)
{
	static const words reasons[] = {
		[SOCLE_DOMAIN_NOSTATE] = { "unknown" },
		[SOCLE_DOMAIN_RUNNING] = { "unknown", "booted", "migrated", "restored",
					   "from snapshot", "unpaused", "migration canceled",
					   "save canceled", "event wakeup", "crashed", "post-copy",
					   "post-copy failed" },
		[SOCLE_DOMAIN_BLOCKED] = { "unknown" },
		[SOCLE_DOMAIN_PAUSED] = { "unknown", "user", "migrating", "saving", "dumping",
					  "I/O error", "watchdog", "from snapshot", "shutting down",
					  "creating snapshot", "crashed", "starting up",
					  "post-copy", "post-copy failed" },
		[SOCLE_DOMAIN_SHUTDOWN] = { "unknown", "user" },
		[SOCLE_DOMAIN_SHUTOFF] = { "unknown", "shutdown", "destroyed", "crashed",
					   "migrated", "saved", "failed", "from snapshot",
					   "daemon" },
		[SOCLE_DOMAIN_CRASHED] = { "unknown", "panicked" },
		[SOCLE_DOMAIN_PMSUSPENDED] = { "unknown" },
	};

	return word_of(reasons, ARRAY_SIZE(reasons), state, reason);
}

const char *socle_domain_memory_stat_name(int stat)
{
	static const char *const names[SOCLE_MEMORY_STAT_COUNT] = {
		"swap_in",        "swap_out",    "major_fault", "minor_fault",
		"unused",         "available",   "actual",      "rss",
		"usable",         "last_update", "disk_caches", "hugetlb_pgalloc",
		"hugetlb_pgfail",
	};

	return stat >= 0 && stat < SOCLE_MEMORY_STAT_COUNT ? names[stat] : NULL;
}

const char *socle_pool_state_name(int state)
{
	static const words states = { "inactive", "building", "running", "degraded",
				      "inaccessible" };

	return word(states, state);
}

const char *socle_volume_type_name(int type)
{
	static const words types = { "file", "block", "dir", "network", "netdir", "ploop" };

	return word(types, type);
}

const char *socle_secret_usage_name(int type)
{
	static const words types = { "none", "volume", "ceph", "iscsi", "tls", "vtpm" };

	return word(types, type);
}

const char *socle_event_name(int id)
{
	static const char *const names[SOCLE_EVENT_DOMAIN_COUNT] = {
		"lifecycle",
		"reboot",
		"rtc-change",
		"watchdog",
		"io-error",
		"graphics",
		"io-error-reason",
		"control-error",
		"block-job",
		"disk-change",
		"tray-change",
		"pm-wakeup",
		"pm-suspend",
		"balloon-change",
		"pm-suspend-disk",
		"device-removed",
		"block-job-2",
		"tunable",
		"agent-lifecycle",
		"device-added",
		"migration-iteration",
		"job-completed",
		"device-removal-failed",
		"metadata-change",
		"block-threshold",
		"memory-failure",
		"memory-device-size-change",
	};
	static const char *const own[] = { "closed", "lost", "reopened", "dropped" };

	if (id >= 0 && id < SOCLE_EVENT_DOMAIN_COUNT)
		return names[id];
	if (id == SOCLE_EVENT_NETWORK_LIFECYCLE)
		return "network-lifecycle";
	if (id == SOCLE_EVENT_POOL_LIFECYCLE)
		return "pool-lifecycle";
	if (id == SOCLE_EVENT_POOL_REFRESH)
		return "pool-refresh";
	if (id == SOCLE_EVENT_SECRET_LIFECYCLE)
		return "secret-lifecycle";
	if (id == SOCLE_EVENT_SECRET_VALUE_CHANGED)
		return "secret-value-changed";
	if (id >= SOCLE_EVENT_CLOSED && id <= SOCLE_EVENT_DROPPED)
		return own[id - SOCLE_EVENT_CLOSED];
	return NULL;
}

const char *socle_event_lifecycle_name(int event)
{
	static const words names = { "defined", "undefined", "started",     "suspended", "resumed",
				     "stopped", "shutdown",  "pmsuspended", "crashed" };

	return word(names, event);
}

const char *socle_event_network_name(int event)
{
	static const words names = { "defined", "undefined", "started", "stopped" };

	return word(names, event);
}

const char *socle_event_pool_name(int event)
{
	static const words names = { "defined", "undefined", "started",
				     "stopped", "created",   "deleted" };

	return word(names, event);
}

const char *socle_event_secret_name(int event)
{
	static const words names = { "defined", "undefined" };

	return word(names, event);
}

const char *socle_event_detail_name(int event, int detail)
{
	static const words details[] = {
		[SOCLE_LIFECYCLE_DEFINED] = { "added", "updated", "renamed", "from snapshot" },
		[SOCLE_LIFECYCLE_UNDEFINED] = { "removed", "renamed" },
		[SOCLE_LIFECYCLE_STARTED] = { "booted", "migrated", "restored", "from snapshot",
					      "event wakeup" },
		[SOCLE_LIFECYCLE_SUSPENDED] = { "paused", "migrated", "I/O error", "watchdog",
						"restored", "from snapshot", "API error",
						"post-copy", "post-copy failed" },
		[SOCLE_LIFECYCLE_RESUMED] = { "unpaused", "migrated", "from snapshot", "post-copy",
					      "post-copy failed" },
		[SOCLE_LIFECYCLE_STOPPED] = { "shutdown", "destroyed", "crashed", "migrated",
					      "saved", "failed", "from snapshot" },
		[SOCLE_LIFECYCLE_SHUTDOWN] = { "finished", "guest", "host" },
		[SOCLE_LIFECYCLE_PMSUSPENDED] = { "memory", "disk" },
		[SOCLE_LIFECYCLE_CRASHED] = { "panicked", "crashloaded" },
	};

	return word_of(details, ARRAY_SIZE(details), event, detail);
}
