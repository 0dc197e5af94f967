/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * runner-power.c - what is asked of a machine as a whole: to run, to stop, to shut down, to have less
 */
#include <string.h>

#include "base/error.h"
#include "daemon/runner-int.h"

void runner_pause(struct machine *machine, struct task *task)
{
	struct runner *runner = runner_of(machine);

	runner_command(runner, "stop", NULL, task);
}

void runner_resume(struct machine *machine, struct task *task)
{
	runner_command(runner_of(machine), "cont", NULL, task);
}

/* The agent's answer to guest-shutdown does not come: the guest is on its way. */
struct asking {
	struct task task, *then;
	struct runner *runner;
	const char *otherwise; /* the machine's command, NULL: none */
	char *answer;
};

static void agent_asked(struct task *task, const GError *error)
{
	struct asking *asking = container_of(task, struct asking, task);
	struct task *then = asking->then;

	if (error && asking->otherwise && !asking->runner->ended)
		runner_command(asking->runner, asking->otherwise, NULL, then);
	else
		task_end(then, error);
	g_free(asking->answer);
	g_free(asking);
}

/* By the agent, by the machine's own means, or by the first that works. */
static void ask_guest(struct machine *machine, enum machine_shutdown how, const char *mode,
		      const char *otherwise, struct task *task)
{
	struct runner *runner = runner_of(machine);
	struct asking *asking;
	g_autofree char *command = NULL;

	if (how == MACHINE_SHUTDOWN_ACPI ||
	    (how == MACHINE_SHUTDOWN_ANY && !runner_agent_path(runner))) {
		runner_command(runner, otherwise, NULL, task);
		return;
	}
	asking = g_new0(struct asking, 1);
	asking->task.end = agent_asked;
	asking->then = task;
	asking->runner = runner;
	asking->otherwise = how == MACHINE_SHUTDOWN_ANY ? otherwise : NULL;
	command = g_strdup_printf("{\"execute\":\"guest-shutdown\",\"arguments\":"
				  "{\"mode\":\"%s\"}}",
				  mode);
	runner_agent(machine, command, &asking->answer, &asking->task);
}

void runner_shutdown(struct machine *machine, enum machine_shutdown how, struct task *task)
{
	ask_guest(machine, how, "powerdown", "system_powerdown", task);
}

/* A guest without an agent hears of no reboot, so the machine is reset. */
void runner_reboot(struct machine *machine, enum machine_shutdown how, struct task *task)
{
	ask_guest(machine, how, "reboot", "system_reset", task);
}

void runner_reset(struct machine *machine, struct task *task)
{
	runner_command(runner_of(machine), "system_reset", NULL, task);
}

void runner_nmi(struct machine *machine, struct task *task)
{
	runner_command(runner_of(machine), "inject-nmi", NULL, task);
}

void runner_set_memory(struct machine *machine, uint64_t kib, struct task *task)
{
	json_t *args = json_pack("{s:I}", "value", (json_int_t)MIN(kib, G_MAXINT64 / 1024) * 1024);

	runner_command(runner_of(machine), "balloon", args, task);
}

void runner_tune(struct machine *machine, struct task *task)
{
	struct runner *runner = runner_of(machine);
	g_autoptr(GError) error = NULL;

	if (!runner->cgroup)
		error_set(&error, SOCLE_ERROR_UNSUPPORTED,
			  "this host has no control groups for machines, so nothing limits them; "
			  "run the daemon where it may make groups");
	else
		(void)runner->config->cgroups->tune(runner->cgroup, machine->dom,
						    process_pid(runner->process), runner->tids,
						    runner->tid_count, &error);
	task_end(task, error);
}

/* == QMP as it is == */

struct through {
	struct task *task;
	char **ret_answer;
};

/* As the monitor itself would say it. */
static void on_through(void *opaque, json_t *result, const GError *error)
{
	struct through *through = opaque;
	json_auto_t *answer = NULL;
	char *text;

	if (result)
		answer = json_pack("{s:O}", "return", result);
	else
		answer = json_pack("{s:{s:s,s:s}}", "error", "class",
				   g_error_matches(error, SOCLE_ERROR, SOCLE_ERROR_UNSUPPORTED)
					   ? "CommandNotFound"
					   : "GenericError",
				   "desc", error->message);
	text = json_dumps(answer, JSON_COMPACT);
	*through->ret_answer = g_strdup(text);
	free(text);
	task_end(through->task, NULL);
	g_free(through);
}

void runner_monitor(struct machine *machine, const char *command, char **ret_answer,
		    struct task *task)
{
	json_auto_t *request = json_loads(command, JSON_REJECT_DUPLICATES, NULL);
	const char *name = json_string_value(json_object_get(request, "execute"));
	json_t *args = json_object_get(request, "arguments");
	struct through *through;

	if (!name || (args && !json_is_object(args))) {
		g_autoptr(GError) error = NULL;

		error_set(&error, SOCLE_ERROR_USAGE,
			  "this is no command of QMP; write it like "
			  "{\"execute\":\"query-status\"}");
		task_end(task, error);
		return;
	}
	through = g_new(struct through, 1);
	*through = (struct through){ task, ret_answer };
	runner_call(runner_of(machine), name, json_incref(args), 0, on_through, through);
}
