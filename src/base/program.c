/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * program.c - where our other programs are
 */
#include "base/program.h"

#include <glib.h>
#include <stdbool.h>
#include <sys/auxv.h>

#include "base/cleanup.h"

enum {
	LINKS_MAX = 8 /* from a name to a program */
};

static char *absolute(const char *folder, const char *path)
{
	return g_path_is_absolute(path) ? g_strdup(path) : g_build_filename(folder, path, NULL);
}

static bool is_program(const char *path)
{
	return g_file_test(path, G_FILE_TEST_IS_EXECUTABLE) &&
	       !g_file_test(path, G_FILE_TEST_IS_DIR);
}

/* Of a program that stands where it was built, in src/ROOM: what ./dev build makes in bin. */
static char *built(const char *folder, const char *name)
{
	g_autofree char *src = g_path_get_dirname(folder);
	g_autofree char *root = g_path_get_dirname(src);

	return g_str_has_suffix(src, "/src") ? g_build_filename(root, "bin", name, NULL) : NULL;
}

char *program_beside(const char *self, const char *name)
{
	g_autofree char *here = g_get_current_dir();
	g_autofree char *path = absolute(here, self);

	for (unsigned i = 0; path && i < LINKS_MAX; i++) {
		g_autofree char *folder = g_path_get_dirname(path);
		g_autofree char *found = g_build_filename(folder, name, NULL);
		g_autofree char *made = built(folder, name);
		g_autofree char *target = g_file_read_link(path, NULL);

		if (is_program(found))
			return g_steal_pointer(&found);
		if (made && is_program(made))
			return g_steal_pointer(&made);
		g_free(path);
		path = target ? absolute(folder, target) : NULL;
	}
	return NULL;
}

char *program_find(const char *name)
{
	static const char *const folders[] = { SOCLE_BINDIR, SOCLE_SBINDIR };
	/* The name we were run by, which may be a link; /proc has the end of all links. */
	const char *run_by = (const char *)(uintptr_t)getauxval(AT_EXECFN);
	g_autofree char *found = run_by ? program_beside(run_by, name) : NULL;

	if (!found)
		found = program_beside("/proc/self/exe", name);
	for (unsigned i = 0; !found && i < ARRAY_SIZE(folders); i++) {
		found = g_build_filename(folders[i], name, NULL);
		if (!is_program(found))
			g_clear_pointer(&found, g_free);
	}
	return found ? g_steal_pointer(&found) : g_find_program_in_path(name);
}
