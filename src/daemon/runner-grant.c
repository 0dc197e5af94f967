/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * runner-grant.c - which files a machine may open because we have let it
 *
 * The list is kept with the machine's state, since what its disks are changes while it runs. A file may be on a
 * server that is gone: the daemon waits a moment for it, and goes on without.
 */
#include <string.h>

#include "base/aside.h"
#include "base/log.h"
#include "base/sys.h"
#include "daemon/grant.h"
#include "daemon/runner-int.h"

enum {
	PATIENCE_MS = 1000
};

struct granting {
	char *path, *machine;
	uid_t uid;
	gid_t gid;
	bool write, back;
	bool done;
};

/* [the thread] */
static void change(void *opaque)
{
	struct granting *g = opaque;

	if (g->back)
		grant_end(g->path, g->machine, g->uid);
	else
		g->done = grant(g->path, g->machine, g->uid, g->gid, g->write);
}

static void granting_free(void *opaque)
{
	struct granting *g = opaque;

	g_free(g->path);
	g_free(g->machine);
	g_free(g);
}

/* Takes @g over. True: it was done. */
static bool change_soon(struct granting *g, uint64_t deadline_ns)
{
	const struct aside_work what = {
		.name = "grant", .fn = change, .free = granting_free, .arg = g
	};
	autoptr(aside) aside = aside_start(&what, NULL);
	bool done;

	if (!aside) {
		change(g);
		done = g->done;
		granting_free(g);
		return done;
	}
	if (aside_wait(aside, deadline_ns))
		return g->done;
	log_warning("'%s' does not answer; who may open it stays as it is", g->path);
	return false;
}

static struct granting *granting_new(const struct runner *runner, const char *path)
{
	struct granting *g = g_new0(struct granting, 1);

	g->path = g_strdup(path);
	g->machine = g_strdup(runner->machine.dom->uuid_text);
	g->uid = runner->config->uid;
	g->gid = runner->config->gid;
	return g;
}

static uint64_t soon(void)
{
	return sys_monotonic_ns() + (uint64_t)PATIENCE_MS * 1000000;
}

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
	struct granting *g;

	if (!runner->config->uid || !path || path[0] != '/')
		return;
	g = granting_new(runner, path);
	g->write = write;
	if (change_soon(g, soon()) && find(runner, path) == runner->grants->len)
		g_ptr_array_add(runner->grants, g_strdup(path));
}

static void take_back(struct runner *runner, unsigned i, uint64_t deadline_ns)
{
	struct granting *g = granting_new(runner, runner->grants->pdata[i]);

	g->back = true;
	(void)change_soon(g, deadline_ns);
	g_ptr_array_remove_index(runner->grants, i);
}

void runner_grant_end(struct runner *runner, const char *path)
{
	const unsigned i = path ? find(runner, path) : runner->grants->len;

	if (i < runner->grants->len)
		take_back(runner, i, soon());
}

void runner_grants_end(struct runner *runner)
{
	const uint64_t deadline_ns = soon();

	while (runner->grants->len)
		take_back(runner, 0, deadline_ns);
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
