/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mounts.c - what is mounted where, and arguments of those programs that mount and make file systems
 */
#include "host/mounts.h"

#include <fcntl.h>
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/sys.h"
#include "host/argv-int.h"

/* == What is mounted == */

void mount_entry_free(struct mount_entry *entry)
{
	if (!entry)
		return;
	g_free(entry->source);
	g_free(entry);
}

/* "number parent device root place options tags... - type source ...": spaces in a word are \040. */
static struct mount_entry *parse_entry(const char *line, const char *place)
{
	g_auto(GStrv) words = g_strsplit(line, " ", -1);
	g_autofree char *own = g_strv_length(words) > 5 ? g_strcompress(words[4]) : NULL;
	struct mount_entry *entry;
	unsigned i = 6;

	if (!own || strcmp(own, place) != 0)
		return NULL;
	while (words[i] && strcmp(words[i], "-") != 0)
		i++;
	entry = g_new0(struct mount_entry, 1);
	entry->id = (int)strtol(words[0], NULL, 10);
	if (sscanf(words[2], "%u:%u", &entry->major, &entry->minor) != 2)
		entry->major = entry->minor = 0;
	entry->source = words[i] && words[i + 1] && words[i + 2] ? g_strcompress(words[i + 2])
								 : g_strdup("");
	return entry;
}

static struct mount_entry *find_place(const char *place, const char *text)
{
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	unsigned i = g_strv_length(lines);
	struct mount_entry *entry = NULL;

	while (!entry && i-- > 0)
		entry = parse_entry(lines[i], place);
	return entry;
}

/* @path without links in its folders, of which there may be some on the way. */
static char *resolve_folder(const char *path)
{
	g_autofree char *folder = g_path_get_dirname(path), *name = g_path_get_basename(path);
	g_autofree char *real = realpath(folder, NULL);

	return real && strcmp(path, "/") != 0 ? g_build_filename(real, name, NULL) : g_strdup(path);
}

struct mount_entry *mounts_find(const char *path, const char *text)
{
	g_autofree char *read = NULL, *clean = g_canonicalize_filename(path, "/");
	g_autofree char *place = resolve_folder(clean), *real = NULL;
	struct mount_entry *entry;

	if (!text && !g_file_get_contents("/proc/self/mountinfo", &read, NULL, NULL))
		return NULL;
	entry = find_place(place, text ? text : read);
	if (entry)
		return entry;
	/* So nothing hangs behind that name itself, which may be a link. */
	real = realpath(place, NULL);
	return real && strcmp(real, place) != 0 ? find_place(real, text ? text : read) : NULL;
}

/* == Who uses it == */

struct users {
	int mount;
	pid_t pid; /* who is looked at */
	pid_t found;
};

static void look_at_file(void *opaque, const char *name)
{
	struct users *users = opaque;
	g_autofree char *path = g_strdup_printf("/proc/%d/fdinfo/%s", (int)users->pid, name);
	g_autofree char *text = NULL;
	const char *id;

	if (users->found || !g_file_get_contents(path, &text, NULL, NULL))
		return;
	id = strstr(text, "mnt_id:");
	if (id && strtol(id + strlen("mnt_id:"), NULL, 10) == users->mount)
		users->found = users->pid;
}

static void look_at_process(void *opaque, const char *name)
{
	struct users *users = opaque;
	g_autofree char *path = g_strdup_printf("/proc/%s/fdinfo", name);
	autofd int dir = -1;

	users->pid = (pid_t)strtol(name, NULL, 10);
	if (users->found || users->pid <= 0 || users->pid == getpid())
		return;
	dir = sys_open(path, O_RDONLY | O_DIRECTORY, 0);
	if (dir >= 0)
		(void)sys_list_dir(dir, look_at_file, users);
}

int mounts_user(const struct mount_entry *entry)
{
	struct users users = { .mount = entry->id };
	autofd int dir = sys_open("/proc", O_RDONLY | O_DIRECTORY, 0);

	if (dir >= 0)
		(void)sys_list_dir(dir, look_at_process, &users);
	return (int)users.found;
}

/* == Programs == */

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

char **mounts_argv_umount(const char *where, bool force)
{
	return force ? argv_new("umount", "--force", "--", where, NULL)
		     : argv_new("umount", "--", where, NULL);
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
