/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * runner.c - the machines of socled: what they are made of, and who does what
 */
#include "daemon/runner.h"

#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/sys.h"
#include "daemon/runner-args.h"
#include "daemon/runner-int.h"
#include "manage/node.h"

enum {
	LOG_LOOK_S = 60, /* how often it is looked whether a log has become too large */
};

/* == Commands == */

/* A call that cannot be made: its answer must not come before runner_call() has returned. */
struct no_call {
	qmp_client_fn fn;
	void *opaque;
};

static void end_no_calls(struct runner *runner)
{
	g_autoptr(GError) error = NULL;
	struct no_call *call;

	error_set(&error, SOCLE_ERROR_STATE,
		  "there is no connection to the machine's monitor; try again");
	while ((call = g_queue_pop_head(&runner->no_calls))) {
		call->fn(call->opaque, NULL, error);
		g_free(call);
	}
}

static gboolean on_no_calls(gpointer opaque)
{
	struct runner *runner = opaque;

	runner->no_call_idle = 0;
	end_no_calls(runner);
	return G_SOURCE_REMOVE;
}

void runner_call(struct runner *runner, const char *command, json_t *args, unsigned deadline_ms,
		 qmp_client_fn fn, void *opaque)
{
	struct no_call *call;

	if (runner->qmp) {
		qmp_client_call(runner->qmp, command, args, deadline_ms, fn, opaque);
		return;
	}
	json_decref(args);
	if (!fn)
		return;
	call = g_new(struct no_call, 1);
	*call = (struct no_call){ fn, opaque };
	g_queue_push_tail(&runner->no_calls, call);
	if (!runner->no_call_idle)
		runner->no_call_idle = g_idle_add(on_no_calls, runner);
}

bool runner_connected(const struct runner *runner)
{
	return runner->qmp && qmp_client_ready(runner->qmp);
}

void runner_give_fd(struct runner *runner, const char *name, int fd)
{
	if (runner->qmp)
		qmp_client_give_fd(runner->qmp, name, fd);
	else
		fd_autoclose(&fd);
}

static void on_command(void *opaque, json_t *result, const GError *error)
{
	(void)result;
	task_end(opaque, error);
}

void runner_command(struct runner *runner, const char *command, json_t *args, struct task *task)
{
	runner_call(runner, command, args, 0, on_command, task);
}

static gboolean on_changed(gpointer opaque)
{
	struct runner *runner = opaque;

	runner->changed_idle = 0;
	machine_changed(runner->machine.dom);
	return G_SOURCE_REMOVE;
}

void runner_changed(struct runner *runner)
{
	if (!runner->changed_idle)
		runner->changed_idle = g_idle_add(on_changed, runner);
}

/* == The live definition == */

struct domain_disk *runner_disk(struct runner *runner, const char *alias, unsigned *ret_index)
{
	struct domain *live = runner->machine.dom->live;

	for (unsigned i = 0; live && i < live->devices.disk_count; i++) {
		struct domain_disk *disk = &live->devices.disks[i];

		if (g_strcmp0(disk->info.alias.name, alias) != 0)
			continue;
		if (ret_index)
			*ret_index = i;
		return disk;
	}
	return NULL;
}

const char *runner_disk_alias(struct runner *runner, unsigned disk, GError **error)
{
	const struct domain *live = runner->machine.dom->live;

	if (!live || disk >= live->devices.disk_count ||
	    live->devices.disks[disk].info.fate == FATE_LEFT_OUT) {
		error_set(error, SOCLE_ERROR_NOT_FOUND, "the machine does not have this disk");
		return NULL;
	}
	return live->devices.disks[disk].info.alias.name;
}

uid_t runner_uid(const struct runner *runner)
{
	return runner->config->uid ? runner->config->uid : geteuid();
}

/* == Begin and end == */

static gboolean on_log_timer(gpointer opaque)
{
	struct runner *runner = opaque;

	machine_log_rotate(runner->log, &runner->config->log);
	return G_SOURCE_CONTINUE;
}

struct runner *runner_new(struct dom *dom)
{
	const struct runner_config *config = node_machines_opaque(dom->node);
	struct runner *runner = g_new0(struct runner, 1);
	g_autofree char *log = g_strconcat(dom->name, ".log", NULL);

	runner->machine = (struct machine){ .ops = &vm_machine_ops, .dom = dom };
	runner->config = config;
	runner->dir = g_build_filename(config->run_dir, dom->uuid_text, NULL);
	runner->monitor = g_build_filename(runner->dir, "monitor", NULL);
	runner->exit_file = g_build_filename(runner->dir, "end", NULL);
	runner->log = g_build_filename(config->log_dir, log, NULL);
	runner->destroys = g_ptr_array_new();
	runner->agents = g_ptr_array_new();
	runner->grants = g_ptr_array_new_with_free_func(g_free);
	runner->media = g_ptr_array_new();
	g_queue_init(&runner->no_calls);
	runner->orphan = -1;
	runner->jobs = g_ptr_array_new_with_free_func(runner_job_free);
	runner->log_timer = g_timeout_add_seconds(LOG_LOOK_S, on_log_timer, runner);
	return runner;
}

static void stop_timers(struct runner *runner)
{
	guint *const timers[] = { &runner->log_timer,    &runner->deadline,
				  &runner->kill_timer,   &runner->changed_idle,
				  &runner->no_call_idle, &runner->orphan_timer,
				  &runner->watch_timer };

	for (size_t i = 0; i < ARRAY_SIZE(timers); i++) {
		if (*timers[i])
			g_source_remove(*timers[i]);
		*timers[i] = 0;
	}
}

static void release(struct runner *runner)
{
	g_autoptr(GError) error = NULL;
	struct task *begin = g_steal_pointer(&runner->begin);

	runner->ended = true;
	stop_timers(runner);
	runner_disconnect(runner);
	end_no_calls(runner);
	runner_keeping_end(runner);
	runner_agents_end(runner);
	runner_dump_end(runner);
	g_ptr_array_unref(runner->agents);
	g_ptr_array_unref(runner->grants);
	runner_media_end(runner);
	g_ptr_array_unref(runner->media);
	g_clear_pointer(&runner->jobs, g_ptr_array_unref);
	if (begin) {
		error_set(&error, SOCLE_ERROR_STATE, "the machine was let go before it was there");
		task_end(begin, error);
	}
	/* What one of them asked for has happened to all. */
	for (unsigned i = 0; i < runner->destroys->len; i++)
		task_end(g_ptr_array_index(runner->destroys, i), NULL);
	g_ptr_array_unref(runner->destroys);
	if (runner->cgroup)
		runner->config->cgroups->close(runner->cgroup, !runner->process);
	process_free(runner->process);
	fd_autoclose(&runner->orphan);
	g_clear_error(&runner->begin_error);
	g_free(runner->tids);
	g_free(runner->dir);
	g_free(runner->monitor);
	g_free(runner->exit_file);
	g_free(runner->left_dump);
	g_free(runner->log);
	g_free(runner);
}

void runner_free(struct machine *machine)
{
	if (machine)
		release(runner_of(machine));
}

void runner_begun(struct runner *runner, const GError *error)
{
	struct task *task = g_steal_pointer(&runner->begin);
	/* It may be the runner's own. */
	g_autoptr(GError) copy = error ? g_error_copy(error) : NULL;
	GPtrArray *destroys;

	if (runner->deadline)
		g_source_remove(runner->deadline);
	runner->deadline = 0;
	if (!copy) {
		task_end(task, NULL);
		return;
	}
	/* Whoever wanted its end hears of that when it is known that it was never there. */
	destroys = runner->destroys;
	runner->destroys = g_ptr_array_new();
	release(runner);
	task_end(task, copy);
	for (unsigned i = 0; i < destroys->len; i++)
		task_end(g_ptr_array_index(destroys, i), NULL);
	g_ptr_array_unref(destroys);
}

const struct machine_ops vm_machine_ops = {
	.name = "socle-vm",
	.start = runner_start,
	.find = runner_find,
	.state = runner_state,
	.free = runner_free,
	.destroy = runner_destroy,
	.pause = runner_pause,
	.resume = runner_resume,
	.shutdown = runner_shutdown,
	.reboot = runner_reboot,
	.reset = runner_reset,
	.nmi = runner_nmi,
	.send_keys = runner_send_keys,
	.screenshot = runner_screenshot,
	.graphics = runner_graphics,
	.query = runner_query,
	.set_memory = runner_set_memory,
	.tune = runner_tune,
	.plug = runner_plug,
	.unplug = runner_unplug,
	.update = runner_update,
	.block_resize = runner_block_resize,
	.block_threshold = runner_block_threshold,
	.block_job_start = runner_job_start,
	.block_job_query = runner_job_query,
	.block_job_abort = runner_job_abort,
	.block_job_speed = runner_job_speed,
	.snapshot = runner_snapshot,
	.console = runner_console,
	.agent = runner_agent,
	.monitor = runner_monitor,
	.memory_read = runner_memory_read,
	.block_read = runner_block_read,
	.offline_block_read = runner_offline_block_read,
	.core_dump = runner_core_dump,
	.core_dump_query = runner_core_dump_query,
	.core_dump_abort = runner_core_dump_abort,
	.offline_snapshot = runner_offline_snapshot,
	.revert_check = runner_revert_check,
	.offline_revert = runner_offline_revert,
	.snapshot_undo = runner_snapshot_undo,
	.snapshot_drop = runner_snapshot_drop,
	.merge = runner_merge,
	.merge_end = runner_merge_end,
	.offline_merge = runner_offline_merge,
	.merge_discard = runner_merge_discard,
};
