/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tool.h - programs of the host that do something once: lvm2, mount, mkfs, sfdisk
 *
 * They get an argument vector, never a line for a shell, and the language C. What they say is bounded; of
 * one that fails the last line is the reason.
 *
 * Threads: any; the caller waits.
 */
#ifndef HOST_TOOL_H
#define HOST_TOOL_H

#include <glib.h>
#include <stdbool.h>

/* Is it installed? Else @error names @package. */
bool host_tool_find(const char *program, const char *package, GError **error);

/**
 * host_tool_run() - run a program and wait until it has ended
 * @argv:       of which the first is looked for in PATH, and where an administrator's programs are
 * @input:      what it reads, or NULL
 * @ret_output: what it has written, or NULL if nobody wants to know
 *
 * Return: false if it could not be run, or has failed
 */
bool host_tool_run(const char *const *argv, const char *input, char **ret_output, GError **error);
/* The same for one that may hang, as on another host that is gone: after @limit_ms it is killed, with those that it
 * has started, and *ret_late is true. */
bool host_tool_run_within(const char *const *argv, unsigned limit_ms, bool *ret_late,
			  GError **error);
/* The same with "NAME=VALUE" more in its environment, which only its own user can see; NULL ends them. */
bool host_tool_run_env(const char *const *argv, const char *const *more, const char *input,
		       char **ret_output, GError **error);

#endif
