/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * runner-events.c - what a machine tells by itself
 */
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "daemon/runner-int.h"

/* libvirt's numbers. */
enum {
	PAUSED_USER = 1,
	PAUSED_DUMP = 4,
	PAUSED_IO_ERROR = 5,
	PAUSED_WATCHDOG = 6,
	IO_ERROR_NONE = 0,
	IO_ERROR_PAUSE = 1,
	IO_ERROR_REPORT = 2,
	WATCHDOG_NONE = 0,
};

static const char *text(const json_t *data, const char *key)
{
	const char *value = json_string_value(json_object_get(data, key));

	return value ? value : "";
}

/* "/machine/peripheral/NAME". */
static const char *name_of_path(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static void on_stop(struct runner *runner, const json_t *data)
{
	(void)data;
	runner->paused = true;
	machine_paused(runner->machine.dom, runner->dump ? PAUSED_DUMP : PAUSED_USER);
}

static void on_resume(struct runner *runner, const json_t *data)
{
	(void)data;
	runner->paused = false;
	machine_resumed(runner->machine.dom);
}

static void on_reset(struct runner *runner, const json_t *data)
{
	(void)data;
	machine_rebooted(runner->machine.dom);
}

static void on_shutdown(struct runner *runner, const json_t *data)
{
	/* Who ended it from outside is told in another way. */
	if (json_is_true(json_object_get(data, "guest")))
		machine_shutting_down(runner->machine.dom);
}

static void on_balloon(struct runner *runner, const json_t *data)
{
	const json_int_t actual = json_integer_value(json_object_get(data, "actual"));

	runner->balloon = (uint64_t)MAX(actual, 0);
	machine_balloon_changed(runner->machine.dom, runner->balloon / 1024);
}

static void on_deleted(struct runner *runner, const json_t *data)
{
	const char *device = text(data, "device");
	g_autofree char *alias = g_strdup(*device ? device : name_of_path(text(data, "path")));

	runner_unplugged(runner, alias);
	machine_device_removed(runner->machine.dom, alias);
}

static void on_tray(struct runner *runner, const json_t *data)
{
	machine_tray_moved(runner->machine.dom, text(data, "id"),
			   json_is_true(json_object_get(data, "tray-open")));
}

static void on_io_error(struct runner *runner, const json_t *data)
{
	const char *alias = name_of_path(text(data, "qom-path")), *action = text(data, "action");
	const struct domain_disk *disk = runner_disk(runner, alias, NULL);
	const char *path = disk ? disk_path(disk) : NULL;
	const bool stops = !strcmp(action, "stop");
	const bool nospace = json_is_true(json_object_get(data, "nospace"));

	machine_io_error(runner->machine.dom, alias, path ? path : "",
			 stops                       ? IO_ERROR_PAUSE
			 : !strcmp(action, "report") ? IO_ERROR_REPORT
						     : IO_ERROR_NONE,
			 nospace ? "enospc" : text(data, "reason"));
	if (!stops)
		return;
	if (nospace)
		log_warning(
			"machine '%s' is paused: there is no space left for its disk '%s'; make "
			"some where that is, then resume the machine",
			runner->machine.dom->name, path ? path : alias);
	/* In front of the STOP that follows, which says nothing of why. */
	runner->paused = true;
	machine_paused(runner->machine.dom, PAUSED_IO_ERROR);
}

static void on_watchdog(struct runner *runner, const json_t *data)
{
	/* In the order of libvirt's VIR_DOMAIN_EVENT_WATCHDOG_... */
	static const char *const actions[] = { "none",     "pause", "reset",     "poweroff",
					       "shutdown", "debug", "inject-nmi" };
	const char *action = text(data, "action");
	int number = WATCHDOG_NONE;

	for (size_t i = 0; i < ARRAY_SIZE(actions); i++) {
		if (!strcmp(actions[i], action))
			number = (int)i;
	}
	machine_watchdog(runner->machine.dom, number);
	if (!strcmp(action, "pause")) {
		runner->paused = true;
		machine_paused(runner->machine.dom, PAUSED_WATCHDOG);
	}
}

static void on_threshold(struct runner *runner, const json_t *data)
{
	const struct domain_devices *d = &runner->machine.dom->live->devices;
	const char *alias = text(data, "device");

	for (unsigned i = 0; i < d->disk_count; i++) {
		if (g_strcmp0(d->disks[i].info.alias.name, alias) != 0)
			continue;
		machine_block_threshold(
			runner->machine.dom, i,
			(uint64_t)json_integer_value(json_object_get(data, "write-threshold")),
			(uint64_t)json_integer_value(json_object_get(data, "amount-exceeded")));
		return;
	}
}

static void on_dumped(struct runner *runner, const json_t *data)
{
	runner_dump_event(runner, data);
}

static const struct {
	const char *name;
	void (*take)(struct runner *runner, const json_t *data);
} events[] = {
	{ "STOP", on_stop },
	{ "RESUME", on_resume },
	{ "RESET", on_reset },
	{ "SHUTDOWN", on_shutdown },
	{ "BALLOON_CHANGE", on_balloon },
	{ "DEVICE_DELETED", on_deleted },
	{ "DEVICE_TRAY_MOVED", on_tray },
	{ "BLOCK_IO_ERROR", on_io_error },
	{ "WATCHDOG", on_watchdog },
	{ "DUMP_COMPLETED", on_dumped },
	{ "BLOCK_WRITE_THRESHOLD", on_threshold },
};

static void tell_as_is(struct runner *runner, const char *name, const json_t *data)
{
	char *details = data ? json_dumps(data, JSON_COMPACT) : NULL;

	machine_monitor_event(runner->machine.dom, name, details);
	free(details);
}

void runner_event(struct runner *runner, const char *name, const json_t *data)
{
	/* What happens before a machine is there is seen when it is asked then. */
	if (!runner->machine.dom->live)
		return;
	tell_as_is(runner, name, data);
	if (g_str_has_prefix(name, "BLOCK_JOB_")) {
		runner_job_event(runner, name, data);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(events); i++) {
		if (!strcmp(events[i].name, name))
			events[i].take(runner, data);
	}
}
