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

/* Is a file system mounted on @path itself? @text: of /proc/self/mountinfo, or NULL: it is read. */
bool mounts_has(const char *path, const char *text);

/* Vectors for host_tool_run(), g_strfreev() them. @type NULL: the program finds out. */
char **mounts_argv_mount(const char *type, const char *options, const char *what,
			 const char *where);
/* What a host has for others, by NFS. */
char **mounts_argv_exports(const char *host);
/* Their folders, owned. */
GPtrArray *mounts_parse_exports(const char *text);
char **mounts_argv_umount(const char *where);
/* NULL: file systems of that type are not made here. */
char **mounts_argv_mkfs(const char *type, const char *device, bool overwrite);
/* It fails if there is nothing on the device that is known. */
char **mounts_argv_probe(const char *device);

#endif
