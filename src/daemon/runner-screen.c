/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * runner-screen.c - the keyboard and the screen of a machine
 */
#include <fcntl.h>

#include "base/error.h"
#include "base/sys.h"
#include "daemon/runner-int.h"
#include "display/keys.h"

void runner_send_keys(struct machine *machine, const unsigned *keys, unsigned count,
		      unsigned hold_ms, struct task *task)
{
	g_autoptr(GError) error = NULL;
	json_t *list = json_array(), *args;

	for (unsigned i = 0; i < count && !error; i++) {
		uint8_t number = keys_by_linux(keys[i]);

		if (number)
			json_array_append_new(list, json_pack("{s:s,s:i}", "type", "number", "data",
							      (int)number));
		else
			error_set(&error, SOCLE_ERROR_USAGE,
				  "the machine's keyboard has no key with Linux' code %u", keys[i]);
	}
	args = json_pack("{s:o}", "keys", list);
	if (hold_ms)
		json_object_set_new(args, "hold-time", json_integer(hold_ms));
	if (!error) {
		runner_command(runner_of(machine), "send-key", args, task);
		return;
	}
	json_decref(args);
	task_end(task, error);
}

/* Its own, for as long as the machine has it. */
static char *give(struct runner *runner, int fd)
{
	static unsigned count;
	char *name = g_strdup_printf("socled%u", count++);

	runner_give_fd(runner, name, fd);
	return name;
}

void runner_screenshot(struct machine *machine, unsigned screen, int fd, const char **ret_mime,
		       struct task *task)
{
	struct runner *runner = runner_of(machine);
	g_autofree char *name = NULL;
	g_autoptr(GError) error = NULL;
	int theirs;

	*ret_mime = "image/png";
	if (screen) {
		error_set(&error, SOCLE_ERROR_USAGE,
			  "the machine has no screen %u; there is one, number 0", screen);
		task_end(task, error);
		return;
	}
	theirs = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (theirs < 0) {
		error_sys(&error, sys_last_error(), "cannot duplicate a descriptor");
		task_end(task, error);
		return;
	}
	name = give(runner, theirs);
	runner_command(runner, "screendump",
		       json_pack("{s:s,s:s}", "x-fdname", name, "format", "png"), task);
}

void runner_graphics(struct machine *machine, int fd, bool trusted, struct task *task)
{
	struct runner *runner = runner_of(machine);
	g_autofree char *name = give(runner, fd);

	runner_command(runner, "add_client",
		       json_pack("{s:s,s:s,s:b}", "protocol", "vnc", "fdname", name, "skipauth",
				 (int)trusted),
		       task);
}
