/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * partitions.h - sfdisk: what it is told, and what it says of a disk
 *
 * Threads: any.
 */
#ifndef HOST_PARTITIONS_H
#define HOST_PARTITIONS_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

struct partition {
	char *path;           /* /dev/sdb1 */
	uint64_t start, size; /* bytes */
};

/* Vectors for host_tool_run(), g_strfreev() them; some read a line. Those that append, resize and delete change the
 * table alone: the kernel is told by the others. */
char **partitions_argv_label(const char *device, bool overwrite);
char *partitions_input_label(const char *label);
char **partitions_argv_dump(const char *device);
char **partitions_argv_append(const char *device);
char **partitions_argv_resize(const char *device, unsigned number);
char *partitions_input_size(uint64_t bytes);
char **partitions_argv_delete(const char *device, unsigned number);
/* The kernel has the partitions of the table, but for such as are in use and have become another. */
char **partitions_argv_update(const char *device);
/* It has this one no more, and fails if it is in use. */
char **partitions_argv_forget(const char *device, unsigned number);

/* Of struct partition, owned: what a dump says. */
GPtrArray *partitions_parse(const char *text);
/* The number at the end of "sdb1" or "nvme0n1p1", on @device; 0: it is none of that disk. */
unsigned partitions_number(const char *device, const char *name);

#endif
