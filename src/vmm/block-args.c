/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * block-args.c - what commands on images have in common: their arguments, a node that gets a keeper
 */
#include "vmm/block-args.h"

#include <string.h>

#include "base/error.h"
#include "vmm/jobs.h"
#include "vmm/nodes.h"
#include "vmm/vmm-int.h"

const char *arg_text(const json_t *args, const char *name)
{
	return json_string_value(json_object_get(args, name));
}

bool arg_bool(const json_t *args, const char *name, bool otherwise)
{
	const json_t *value = json_object_get(args, name);

	return value ? json_is_true(value) : otherwise;
}

bool arg_choice(const json_t *args, const char *name, const char *const *names, unsigned otherwise,
		unsigned *ret, GError **error)
{
	const char *text = arg_text(args, name);

	*ret = otherwise;
	for (unsigned i = 0; text && names[i]; i++) {
		if (strcmp(names[i], text) != 0)
			continue;
		*ret = i;
		return true;
	}
	return !text || error_set(error, SOCLE_ERROR_USAGE,
				  "Parameter '%s' does not accept value '%s'", name, text);
}

bool arg_refuse(const json_t *args, const char *const *names, GError **error)
{
	for (unsigned i = 0; names[i]; i++) {
		if (json_object_get(args, names[i]))
			return error_set(error, SOCLE_ERROR_UNSUPPORTED,
					 "there is no '%s' here; leave it out", names[i]);
	}
	return true;
}

/* "ignore" would be to go on at once with what fails. */
static bool take_policy(const json_t *args, const char *name, enum block_job_policy *ret,
			GError **error)
{
	static const char *const names[] = {
		[BLOCK_JOB_REPORT] = "report",
		[BLOCK_JOB_STOP] = "stop",
		[BLOCK_JOB_ENOSPC] = "enospc",
		NULL,
	};
	unsigned policy;

	if (!arg_choice(args, name, names, *ret, &policy, error))
		return false;
	*ret = (enum block_job_policy)policy;
	return true;
}

bool job_options_take(struct job_options *ret, const json_t *args, GError **error)
{
	const json_int_t speed = json_integer_value(json_object_get(args, "speed"));
	struct job_options options = {
		.id = arg_text(args, "job-id"),
		.speed = (uint64_t)speed,
		.keep_pending = !arg_bool(args, "auto-finalize", true),
		.keep_concluded = !arg_bool(args, "auto-dismiss", true),
	};

	if (speed < 0)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "Parameter 'speed' expects a non-negative value");
	if (!take_policy(args, "on-error", &options.on_source, error))
		return false;
	options.on_target = options.on_source;
	if (!take_policy(args, "on-source-error", &options.on_source, error) ||
	    !take_policy(args, "on-target-error", &options.on_target, error))
		return false;
	*ret = options;
	return true;
}

struct command {
	struct vmm *vmm;
	char *name; /* of the node, which may be gone by then */
	json_t *args;
	node_command fn;
	node_command_end end;
	void *opaque;
	GError *error;
};

static void finish(void *opaque, const GError *unused)
{
	struct command *command = opaque;

	(void)unused;
	command->end(command->opaque, command->error);
	g_clear_error(&command->error);
	json_decref(command->args);
	g_free(command->name);
	g_free(command);
}

static void on_kept(void *opaque, const GError *error)
{
	struct command *command = opaque;
	struct vmm_node *node = node_lookup(command->vmm, command->name);

	if (error)
		command->error = g_error_copy(error);
	else if (!command->fn(command->vmm, node, command->args, &command->error)) {
		node_unkeep(command->vmm, node, finish, command);
		return;
	}
	finish(command, NULL);
}

void node_command_run(struct vmm *vmm, const char *key, const json_t *args, node_command fn,
		      node_command_end end, void *opaque)
{
	const char *name = arg_text(args, key);
	g_autoptr(GError) error = NULL;
	struct vmm_node *node = node_find_device(vmm, name ? name : "", &error);
	struct command *command;

	if (!node || !node_may_change(node, &error)) {
		end(opaque, error);
		return;
	}
	command = g_new(struct command, 1);
	*command = (struct command){ .vmm = vmm,
				     .name = g_strdup(node->name),
				     .args = json_deep_copy(args),
				     .fn = fn,
				     .end = end,
				     .opaque = opaque };
	node_keep(vmm, node, on_kept, command);
}

static void answer(void *opaque, const GError *error)
{
	qmp_request_answer(opaque, error ? NULL : json_object(), error);
}

void node_command_start(struct vmm *vmm, const char *key, const json_t *args,
			struct qmp_request *request, node_command fn)
{
	node_command_run(vmm, key, args, fn, answer, request);
}
