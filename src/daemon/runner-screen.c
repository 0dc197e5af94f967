/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * runner-screen.c - the keyboard of a machine
 */
#include "base/error.h"
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
