/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * runner-end.c - a machine's process ends: who wanted it, how it was, who is told
 *
 * The process itself says how it ended, in a file (--exit-file). A process that was killed has no such
 * file; if it was our child, the system tells the signal.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/scan.h"
#include "base/sys.h"
#include "daemon/runner-int.h"
#include "daemon/runner-tap.h"

enum {
	KILL_MS = 6000,      /* after that what does not end by itself is ended */
	GRACEFUL_MS = 15000, /* after that who wanted no harm is told that it goes on */
	TEXT_MAX = 2048,
};

/* The file's lines: "STATUS REASON", and a report. */
static bool read_end(const struct runner *runner, int *ret_status, char **ret_reason,
		     char **ret_report)
{
	autofd int fd = sys_open(runner->exit_file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
	char text[TEXT_MAX] = "";
	ssize_t n = fd < 0 ? fd : sys_read_full(fd, text, sizeof(text) - 1);
	const char *at = text, *line;
	uint64_t status;

	if (n <= 0 || !scan_number(&at, INT_MAX, &status) || !scan_text(&at, " ") ||
	    !scan_word(&at, ret_reason))
		return false;
	*ret_status = (int)status;
	line = strchr(text, '\n');
	g_strchomp(text);
	*ret_report = line && line[1] ? g_utf8_make_valid(line + 1, -1) : NULL;
	return true;
}

static char *killed_reason(struct runner *runner)
{
	g_autofree char *last = NULL;
	int status = 0;

	switch (process_status(runner->process, &status)) {
	case PROCESS_KILLED:
		return g_strdup_printf("its process was killed by signal %d (%s)", status,
				       g_strsignal(status));
	case PROCESS_EXITED:
		last = machine_log_last(runner->log, runner->log_from);
		if (last)
			return g_steal_pointer(&last);
		return g_strdup_printf("its process ended with status %d; its log '%s' may say why",
				       status, runner->log);
	case PROCESS_UNKNOWN:
	default:
		return g_strdup("its process was killed, or ended with the host");
	}
}

char *runner_end_reason(struct runner *runner, enum machine_end *ret_end)
{
	g_autofree char *reason = NULL, *report = NULL;
	int status = 0, unused;

	*ret_end = MACHINE_END_CRASHED;
	if (!read_end(runner, &status, &reason, &report))
		return runner->process ? killed_reason(runner)
				       : g_strdup("its process was killed, or ended with the host");
	/* It is no zombie any more. */
	if (runner->process)
		(void)process_status(runner->process, &unused);
	if (g_str_has_prefix(reason, "guest-") && !status) {
		*ret_end = MACHINE_END_SHUTDOWN;
		return g_strdup(strcmp(reason, "guest-reset") == 0
					? "the guest rebooted, which ends this machine"
					: "the guest powered off");
	}
	if (!status && report == NULL) {
		*ret_end = MACHINE_END_DESTROYED;
		return g_strdup_printf("it was ended by somebody (%s)", reason);
	}
	if (report)
		return g_steal_pointer(&report);
	return g_strdup_printf("it ended with status %d (%s)", status, reason);
}

/* It has not got as far as to be a machine. */
static void begin_failed(struct runner *runner, const char *why)
{
	g_autoptr(GError) error = g_steal_pointer(&runner->begin_error);

	if (!error)
		error_set(&error, SOCLE_ERROR_FAILED, "%s", why);
	runner_begun(runner, error);
}

void runner_remove_files(const struct runner *runner)
{
	const struct domain *live = runner->machine.dom->live;
	g_autoptr(GDir) dir = g_dir_open(runner->dir, 0, NULL);
	const char *name;

	/* Sockets of a process that was killed are among them. */
	while (dir && (name = g_dir_read_name(dir))) {
		g_autofree char *path = g_build_filename(runner->dir, name, NULL);

		(void)sys_unlink(path);
	}
	(void)rmdir(runner->dir);
	for (unsigned i = 0; live && i < live->devices.interface_count; i++)
		tap_remove(&live->devices.interfaces[i]);
}

static void clean(struct runner *runner)
{
	runner_remove_files(runner);
	runner_grants_end(runner);
	machine_log_rotate(runner->log, &runner->config->log);
	if (runner->cgroup)
		runner->config->cgroups->close(runner->cgroup, true);
	runner->cgroup = NULL;
}

void runner_on_ended(void *opaque)
{
	struct runner *runner = opaque;
	struct dom *dom = runner->machine.dom;
	enum machine_end end;
	g_autofree char *why = runner_end_reason(runner, &end);

	runner->ended = true;
	machine_log_say(runner->log, "ended: %s", why);
	clean(runner);
	if (runner->begin)
		begin_failed(runner, why);
	else if (runner->destroys->len)
		task_end(g_ptr_array_steal_index(runner->destroys, 0), NULL);
	else
		machine_ended(dom, end, why);
}

static gboolean on_kill(gpointer opaque)
{
	struct runner *runner = opaque;

	runner->kill_timer = 0;
	(void)process_signal(runner->process, SIGKILL, NULL);
	return G_SOURCE_REMOVE;
}

/* One who would wait; the others' are not his business. */
struct graceful {
	struct runner *runner;
	struct task *task;
};

static gboolean on_graceful(gpointer opaque)
{
	struct graceful *graceful = opaque;
	struct runner *runner = graceful->runner;
	g_autoptr(GError) error = NULL;

	runner->kill_timer = 0;
	if (g_ptr_array_remove(runner->destroys, graceful->task)) {
		error_set(&error, SOCLE_ERROR_BUSY,
			  "the machine was asked to end and does not; destroy it without "
			  "'graceful' to end it by force");
		task_end(graceful->task, error);
	}
	return G_SOURCE_REMOVE;
}

void runner_destroy(struct machine *machine, bool graceful, struct task *task)
{
	struct runner *runner = runner_of(machine);
	struct graceful *who = NULL;

	if (!runner->process && runner->finding) {
		g_autoptr(GError) error = NULL;

		error_set(
			&error, SOCLE_ERROR_BUSY,
			"the machine's process cannot be watched yet; look what the daemon says to "
			"that, and try again");
		task_end(task, error);
		return;
	}
	g_ptr_array_add(runner->destroys, task);
	if (!runner->process) {
		error_set(&runner->begin_error, SOCLE_ERROR_STATE,
			  "the machine was destroyed before it had begun");
		runner_begun(runner, runner->begin_error);
		return;
	}
	/* What fails here has ended meanwhile, of which we shall hear. */
	(void)process_signal(runner->process, SIGTERM, NULL);
	/* A stopped process does not hear of it otherwise. */
	(void)process_signal(runner->process, SIGCONT, NULL);
	if (runner->kill_timer)
		g_source_remove(runner->kill_timer);
	if (graceful) {
		who = g_new(struct graceful, 1);
		*who = (struct graceful){ runner, task };
		runner->kill_timer = g_timeout_add_full(G_PRIORITY_DEFAULT, GRACEFUL_MS,
							on_graceful, who, g_free);
	} else {
		runner->kill_timer = g_timeout_add(KILL_MS, on_kill, runner);
	}
}
