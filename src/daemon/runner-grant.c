/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * runner-grant.c - which files a machine may open because we have let it
 *
 * The list is kept with the machine's state, since what its disks are changes while it runs.
 */
#include <string.h>

#include "daemon/grant.h"
#include "daemon/runner-int.h"

/* Where it is in the list, or its end. */
static unsigned find(const struct runner *runner, const char *path)
{
	unsigned i = 0;

	while (i < runner->grants->len && strcmp(runner->grants->pdata[i], path) != 0)
		i++;
	return i;
}

void runner_grant(struct runner *runner, const char *path, bool write)
{
	const struct runner_config *config = runner->config;

	if (!config->uid || !path || path[0] != '/' ||
	    !grant(path, runner->machine.dom->uuid_text, config->uid, config->gid, write))
		return;
	if (find(runner, path) == runner->grants->len)
		g_ptr_array_add(runner->grants, g_strdup(path));
}

void runner_grant_end(struct runner *runner, const char *path)
{
	const unsigned i = path ? find(runner, path) : runner->grants->len;

	if (i == runner->grants->len)
		return;
	grant_end(path, runner->machine.dom->uuid_text, runner->config->uid);
	g_ptr_array_remove_index(runner->grants, i);
}

void runner_grants_end(struct runner *runner)
{
	while (runner->grants->len)
		runner_grant_end(runner, runner->grants->pdata[0]);
}

char *runner_grants_format(const struct runner *runner)
{
	g_autoptr(GString) text = g_string_new(NULL);

	for (unsigned i = 0; i < runner->grants->len; i++) {
		g_autofree char *path = g_uri_escape_string(runner->grants->pdata[i], "/", FALSE);

		g_string_append_printf(text, "%s%s", i ? "," : "", path);
	}
	return g_string_free(g_steal_pointer(&text), FALSE);
}

void runner_grants_take(struct runner *runner, const char *text)
{
	g_auto(GStrv) list = g_strsplit(text, ",", -1);

	for (char **one = list; *one; one++) {
		char *path = **one == '/' ? g_uri_unescape_string(*one, NULL) : NULL;

		if (path)
			g_ptr_array_add(runner->grants, path);
	}
}
