/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mounts.h - what is mounted where, and arguments of those programs that mount and make file systems
 *
 * Threads: any.
 */
#ifndef HOST_MOUNTS_H
#define HOST_MOUNTS_H

#include <glib.h>
#include <stdbool.h>

#include "base/cleanup.h"

struct mount_entry {
	int id;
	unsigned major, minor; /* of its device, if it has one */
	char *source;          /* as mount was told */
};

void mount_entry_free(struct mount_entry *entry);
DEFINE_AUTOPTR(mount_entry, mount_entry_free);

/* What is mounted on @path itself, the last one of several; NULL: nothing is. @text: of /proc/self/mountinfo, or
 * NULL: it is read. The file system itself, which may hang, is not asked. */
struct mount_entry *mounts_find(const char *path, const char *text);
/* Another process that has something of it open, or 0: none that we may look at. It is not asked either. */
int mounts_user(const struct mount_entry *entry);

/* Vectors for host_tool_run(), g_strfreev() them. @type NULL: the program finds out. */
char **mounts_argv_mount(const char *type, const char *options, const char *what,
			 const char *where);
/* What a host has for others, by NFS. */
char **mounts_argv_exports(const char *host);
/* Their folders, owned. */
GPtrArray *mounts_parse_exports(const char *text);
/* @force: what waits for its server fails. */
char **mounts_argv_umount(const char *where, bool force);
/* NULL: file systems of that type are not made here. */
char **mounts_argv_mkfs(const char *type, const char *device, bool overwrite);
/* It fails if there is nothing on the device that is known. */
char **mounts_argv_probe(const char *device);

#endif
