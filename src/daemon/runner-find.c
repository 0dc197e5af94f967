/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * runner-find.c - a machine that an earlier daemon has started, and a connection that was lost
 *
 * In both cases the machine has gone on meanwhile. It is asked what has become of it: whether it
 * runs, which devices it still has, which images its disks have, which jobs there are.
 *
 * The line of text that is kept: "pid=N start=N from=N names=ALIAS,... jobs=ALIAS:TYPE,... standing=1 own=PATH,...
 * dir=PATH". Paths in own= are escaped as in a URI, and are those of runner-grant.c. The names are those of disks and cards: a definition that is read again has lost them, and they are not
 * what would be made up now if some have been unplugged.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "daemon/runner-args.h"
#include "daemon/runner-int.h"

enum {
	STARTING_UP = 11 /* libvirt's reason of a pause */
};

enum {
	/* The type of an active commit that is part of deleting a snapshot. */
	OF_SNAPSHOT = MACHINE_BLOCK_ACTIVE_COMMIT + 1
};

enum {
	FIND_MS = 10000, /* a machine that says nothing for so long is taken as it was */
	WATCH_MS = 1000  /* what keeps us from watching it may be over */
};

static const char standing[] = " standing=1";

static unsigned name_count(const struct domain_devices *d)
{
	return d->disk_count + d->interface_count;
}

/* Of the disks, then of the cards. */
static char **name_at(struct domain_devices *d, unsigned index)
{
	return index < d->disk_count ? &d->disks[index].info.alias.name
				     : &d->interfaces[index - d->disk_count].info.alias.name;
}

static char *format_names(struct domain *live)
{
	g_autoptr(GString) names = g_string_new(NULL);

	for (unsigned i = 0; live && i < name_count(&live->devices); i++) {
		const char *name = *name_at(&live->devices, i);

		g_string_append_printf(names, "%s%s", i ? "," : "", name ? name : "");
	}
	return g_string_free(g_steal_pointer(&names), FALSE);
}

static void take_names(struct domain *live, const char *text)
{
	g_auto(GStrv) list = g_strsplit(text, ",", -1);

	if (g_strv_length(list) != name_count(&live->devices))
		return;
	for (unsigned i = 0; list[i]; i++) {
		char **name = name_at(&live->devices, i);

		g_free(*name);
		*name = *list[i] ? g_strdup(list[i]) : NULL;
	}
}

char *runner_state(struct machine *machine)
{
	struct runner *runner = runner_of(machine);
	g_autoptr(GString) jobs = g_string_new(NULL);
	g_autofree char *names = format_names(machine->dom->live);
	g_autofree char *own = runner_grants_format(runner);
	g_autofree char *dump = runner_dump_format(runner);

	for (unsigned i = 0; i < runner->jobs->len; i++) {
		const struct runner_job *job = g_ptr_array_index(runner->jobs, i);

		g_string_append_printf(jobs, "%s%s:%d", i ? "," : "", job->alias,
				       job->of_snapshot ? OF_SNAPSHOT : (int)job->type);
	}
	if (!runner->process && !runner->found_pid)
		return g_strdup("");
	return g_strdup_printf(
		"pid=%d start=%" PRIu64 " from=%" PRId64
		" names=%s jobs=%s%s dump=%s own=%s dir=%s",
		runner->process ? process_pid(runner->process) : runner->found_pid,
		runner->process ? process_start(runner->process) : runner->found_start,
		(int64_t)runner->log_from, names, jobs->str,
		runner->standing || runner->found_standing ? standing : "", dump, own, runner->dir);
}

static void take_jobs(struct runner *runner, const char *text)
{
	g_auto(GStrv) list = g_strsplit(text, ",", -1);

	for (unsigned i = 0; list[i]; i++) {
		char *colon = strrchr(list[i], ':');
		guint64 type = 0;

		if (!colon || !g_ascii_string_to_unsigned(colon + 1, 10, MACHINE_BLOCK_PULL,
							  OF_SNAPSHOT, &type, NULL))
			continue;
		*colon = '\0';
		if (type == OF_SNAPSHOT)
			runner_job_add(runner, list[i], MACHINE_BLOCK_ACTIVE_COMMIT)->of_snapshot =
				true;
		else
			(void)runner_job_add(runner, list[i], (enum machine_block_job)type);
	}
}

static bool take_state(struct runner *runner, const char *state, GError **error)
{
	const char *names = strstr(state, " names="), *jobs = strstr(state, " jobs=");
	const char *files = strstr(state, " own="), *dir = strstr(state, " dir=");
	const char *dump = strstr(state, " dump="), *still = strstr(state, standing);
	g_autofree char *list = NULL, *own = NULL;
	int64_t from = 0;

	if (sscanf(state, "pid=%d start=%" SCNu64 " from=%" SCNd64, &runner->found_pid,
		   &runner->found_start, &from) != 3 ||
	    !names || !jobs || !dir || jobs < names || dir < jobs || dir[5] != '/' ||
	    runner->found_pid <= 1 || !runner->found_start)
		return error_set(error, SOCLE_ERROR_CORRUPT,
				 "what was kept of its process makes no sense: '%.128s'", state);
	runner->log_from = from;
	own = g_strndup(names + 7, (size_t)(jobs - names - 7));
	take_names(runner->machine.dom->live, own);
	runner->found_standing = still && still > jobs && still < dir;
	list = g_strndup(jobs + 6, strcspn(jobs + 6, " "));
	take_jobs(runner, list);
	if (dump && dump > jobs && dump < dir) {
		g_autofree char *escaped = g_strndup(dump + 6, strcspn(dump + 6, " "));

		runner_dump_take(runner, escaped);
	}
	if (files && files < dir) {
		g_autofree char *escaped = g_strndup(files + 5, (size_t)(dir - files - 5));

		runner_grants_take(runner, escaped);
	}
	g_free(runner->dir);
	g_free(runner->monitor);
	g_free(runner->exit_file);
	runner->dir = g_strdup(dir + 5);
	runner->monitor = g_build_filename(runner->dir, "monitor", NULL);
	runner->exit_file = g_build_filename(runner->dir, "end", NULL);
	return true;
}

static gboolean on_deadline(gpointer opaque)
{
	struct runner *runner = opaque;

	runner->deadline = 0;
	log_warning("machine '%s' does not answer; it is taken as it was",
		    runner->machine.dom->name);
	runner_begun(runner, NULL);
	return G_SOURCE_REMOVE;
}

/* A process that has ended while nobody looked. */
static void tell_end(struct runner *runner)
{
	enum machine_end end;
	g_autofree char *why = runner_end_reason(runner, &end);
	g_autoptr(GError) error = NULL;

	error_set(&error, end == MACHINE_END_CRASHED ? SOCLE_ERROR_FAILED : SOCLE_ERROR_NOT_ACTIVE,
		  "%s", why);
	machine_log_say(runner->log, "ended while there was no daemon: %s", why);
	runner_remove_files(runner);
	runner_dump_remove_left(runner);
	runner_grants_end(runner);
	runner_begun(runner, error);
}

static gboolean on_watch(gpointer opaque);

/* False: it has ended, and the runner is freed. */
static bool watch(struct runner *runner)
{
	const struct runner_config *config = runner->config;
	struct dom *dom = runner->machine.dom;
	g_autoptr(GError) error = NULL;

	runner->process = process_open(runner->found_pid, runner->found_start, runner_on_ended,
				       runner, &error);
	if (g_error_matches(error, SOCLE_ERROR, SOCLE_ERROR_NOT_FOUND)) {
		tell_end(runner);
		return false;
	}
	/* Too many open files perhaps: it is not taken for dead because of that. */
	if (!runner->process) {
		log_warning("machine '%s' is looked for again: %s", dom->name, error->message);
		runner->watch_timer = g_timeout_add(WATCH_MS, on_watch, runner);
		return true;
	}
	runner_produce(dom->live, runner->dir);
	if (config->cgroups)
		runner->cgroup = config->cgroups->open(config->cgroups_opaque, dom,
						       runner->found_pid, true, NULL);
	runner->deadline = g_timeout_add(FIND_MS, on_deadline, runner);
	runner_connect(runner);
	return true;
}

static gboolean on_watch(gpointer opaque)
{
	struct runner *runner = opaque;

	runner->watch_timer = 0;
	(void)watch(runner);
	return G_SOURCE_REMOVE;
}

struct machine *runner_find(struct dom *dom, const char *state, struct task *task)
{
	struct runner *runner = runner_new(dom);
	g_autoptr(GError) error = NULL;

	runner->begin = task;
	runner->finding = true;
	if (!take_state(runner, state, &error)) {
		runner_begun(runner, error);
		return NULL;
	}
	return watch(runner) ? &runner->machine : NULL;
}

/* == What has become of it == */

/* Answers, until the last one is there. */
struct look {
	struct runner *runner;
	json_t *status, *block, *jobs, *pci;
	unsigned calls;
};

static bool has_device(const json_t *pci, const char *alias)
{
	json_t *bus, *device;
	size_t i, j;

	json_array_foreach(pci, i, bus)
	{
		json_array_foreach(json_object_get(bus, "devices"), j, device)
		{
			const char *id = json_string_value(json_object_get(device, "qdev_id"));

			if (id && !strcmp(id, alias))
				return true;
		}
	}
	return false;
}

/* Disks and cards that the guest has let go. Names first: telling changes the list. */
static void tell_removed(struct runner *runner, const json_t *pci)
{
	g_autoptr(GPtrArray) gone = g_ptr_array_new_with_free_func(g_free);
	const struct domain_devices *d = &runner->machine.dom->live->devices;

	for (unsigned i = 0; i < d->disk_count; i++) {
		if (d->disks[i].info.fate != FATE_LEFT_OUT &&
		    !has_device(pci, d->disks[i].info.alias.name))
			g_ptr_array_add(gone, g_strdup(d->disks[i].info.alias.name));
	}
	for (unsigned i = 0; i < d->interface_count; i++) {
		if (d->interfaces[i].info.fate != FATE_LEFT_OUT &&
		    !has_device(pci, d->interfaces[i].info.alias.name))
			g_ptr_array_add(gone, g_strdup(d->interfaces[i].info.alias.name));
	}
	for (unsigned i = 0; i < gone->len; i++) {
		runner_unplugged(runner, g_ptr_array_index(gone, i));
		machine_device_removed(runner->machine.dom, g_ptr_array_index(gone, i));
	}
}

static void tell_status(struct runner *runner, const json_t *status)
{
	const char *word = json_string_value(json_object_get(status, "status"));
	struct dom *dom = runner->machine.dom;

	if (!word)
		return;
	runner->paused = strcmp(word, "running") != 0;
	if (runner->paused &&
	    (runner->found_standing || (dom->state == DOM_PAUSED && dom->reason == STARTING_UP)))
		/* The daemon was killed in the middle of a start, or of a snapshot: here is the rest of it. */
		runner_call(runner, "cont", NULL, 0, NULL, NULL);
	else if (!runner->paused)
		machine_resumed(dom);
	else if (!strcmp(word, "io-error"))
		machine_paused(dom, 5);
	else
		machine_paused(dom, 1);
	runner->found_standing = false;
}

static void look_done(struct look *look)
{
	struct runner *runner = look->runner;
	struct dom *dom = runner->machine.dom;

	if (!runner->ended && dom->live && runner_connected(runner)) {
		if (runner->begin)
			runner_begun(runner, NULL);
		if (look->block)
			runner_jobs_found(runner, look->jobs, look->block);
		if (look->pci && json_array_size(look->pci))
			tell_removed(runner, look->pci);
		tell_status(runner, look->status);
		if (runner->balloon)
			machine_balloon_changed(dom, runner->balloon / 1024);
	}
	json_decref(look->status);
	json_decref(look->block);
	json_decref(look->jobs);
	json_decref(look->pci);
	g_free(look);
}

static void on_status(void *opaque, json_t *result, const GError *error)
{
	struct look *look = opaque;

	(void)error;
	look->status = json_incref(result);
	look_done(look);
}

/* Last, and told at once: an event that comes before the others' answers is not undone by an older status. */
static void ask_status(struct look *look)
{
	if (!runner_connected(look->runner))
		look_done(look);
	else
		runner_call(look->runner, "query-status", NULL, 0, on_status, look);
}

#define LOOK_ANSWER(member)                                                        \
	static void on_##member(void *opaque, json_t *result, const GError *error) \
	{                                                                          \
		struct look *look = opaque;                                        \
                                                                                   \
		(void)error;                                                       \
		look->member = json_incref(result);                                \
		if (!--look->calls)                                                \
			ask_status(look);                                          \
	}

LOOK_ANSWER(block)
LOOK_ANSWER(jobs)
LOOK_ANSWER(pci)

void runner_look(struct runner *runner)
{
	struct look *look = g_new0(struct look, 1);

	look->runner = runner;
	look->calls = 3;
	runner_dump_look(runner);
	runner_call(runner, "query-block", NULL, 0, on_block, look);
	runner_call(runner, "query-block-jobs", NULL, 0, on_jobs, look);
	runner_call(runner, "query-pci", NULL, 0, on_pci, look);
}

void runner_found(struct runner *runner)
{
	/* The names of ptys, threads and the balloon first; it comes back here when they are known. */
	if (!runner->tids)
		runner_ask_basics(runner);
	else
		runner_look(runner);
}
