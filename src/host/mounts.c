/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mounts.c - what is mounted where, and arguments of those programs that mount and make file systems
 */
#include "host/mounts.h"

#include <glib.h>
#include <string.h>

#include "host/argv-int.h"

bool mounts_has(const char *path, const char *text)
{
	g_autofree char *read = NULL, *clean = g_canonicalize_filename(path, "/");
	g_auto(GStrv) lines = NULL;

	if (!text && !g_file_get_contents("/proc/self/mountinfo", &read, NULL, NULL))
		return false;
	lines = g_strsplit(text ? text : read, "\n", -1);
	for (unsigned i = 0; lines[i]; i++) {
		/* number, parent, device, root, place ...: spaces in it are \040. */
		g_auto(GStrv) words = g_strsplit(lines[i], " ", 6);
		g_autofree char *place =
			g_strv_length(words) > 4 ? g_strcompress(words[4]) : g_strdup("");

		if (!strcmp(place, clean))
			return true;
	}
	return false;
}

char **mounts_argv_mount(const char *type, const char *options, const char *what, const char *where)
{
	return type ? argv_new("mount", "-t", type, "-o", options, "--", what, where, NULL)
		    : argv_new("mount", "-o", options, "--", what, where, NULL);
}

char **mounts_argv_exports(const char *host)
{
	return argv_new("showmount", "--no-headers", "--exports", "--", host, NULL);
}

/* "/srv/images 10.0.0.0/8": the last word says who may. */
GPtrArray *mounts_parse_exports(const char *text)
{
	GPtrArray *folders = g_ptr_array_new_with_free_func(g_free);
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

	for (unsigned i = 0; lines[i]; i++) {
		char *line = g_strchomp(lines[i]);
		const char *last = strrchr(line, ' ');

		if (line[0] == '/')
			g_ptr_array_add(folders,
					g_strchomp(last ? g_strndup(line, (size_t)(last - line))
							: g_strdup(line)));
	}
	return folders;
}

char **mounts_argv_umount(const char *where)
{
	return argv_new("umount", "--", where, NULL);
}

char **mounts_argv_mkfs(const char *type, const char *device, bool overwrite)
{
	g_autofree char *program = g_strconcat("mkfs.", type, NULL);

	if (!strcmp(type, "ext2") || !strcmp(type, "ext3") || !strcmp(type, "ext4"))
		return overwrite ? argv_new(program, "-q", "-F", "--", device, NULL)
				 : argv_new(program, "-q", "--", device, NULL);
	if (!strcmp(type, "xfs"))
		return overwrite ? argv_new(program, "-q", "-f", "--", device, NULL)
				 : argv_new(program, "-q", "--", device, NULL);
	if (!strcmp(type, "vfat"))
		return argv_new(program, "--", device, NULL);
	return NULL;
}

char **mounts_argv_probe(const char *device)
{
	return argv_new("blkid", "--probe", "--", device, NULL);
}
