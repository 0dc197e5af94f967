/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lvm.h - lvm2: what its programs are told, and what their reports say
 *
 * The functions that make arguments are pure. Names were checked before: they do not begin with '-', have no
 * slash and no control character; what else lvm2 does not like of them it says itself.
 *
 * Threads: any.
 */
#ifndef HOST_LVM_H
#define HOST_LVM_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

struct lvm_volume {
	char *name;
	uint64_t size;
	/* lv_attr's first letter: '-' linear, 'V' thin, 'o' with snapshots, 's' a snapshot, 't' a thin
	 * pool, 'S' or 'O' while the origin becomes what its snapshot is ... */
	char kind;
	bool active;
	bool open;            /* somebody uses it */
	bool lost;            /* a snapshot that had not enough room */
	char *origin;         /* of a snapshot, or NULL */
	uint64_t origin_size; /* of it: what a snapshot shows is as large */
	char *pool;           /* thin pool, or NULL */
	double data_percent; /* of a thin one: how much of it is there; of a snapshot: of its room */
};

struct lvm_group {
	uint64_t size, free;
};

/* Each returns a vector for host_tool_run(), g_strfreev() it. */
char **lvm_argv_pvcreate(const char *device, bool overwrite);
char **lvm_argv_vgcreate(const char *group, const char *const *devices);
char **lvm_argv_vgextend(const char *group, const char *const *devices);
/* What is on @device goes to the others of its group ... */
char **lvm_argv_pvmove(const char *device);
/* ... which does without it. */
char **lvm_argv_vgreduce(const char *group, const char *device);
char **lvm_argv_vgremove(const char *group);
char **lvm_argv_pvremove(const char *device);
char **lvm_argv_activate(const char *group, bool active);
/* @thin_pool: NULL: all of it is allocated. */
char **lvm_argv_lvcreate(const char *group, const char *name, uint64_t bytes,
			 const char *thin_pool);
/* One that thin volumes share. */
char **lvm_argv_thin_pool(const char *group, const char *name, uint64_t bytes);
/* Of @origin; @bytes: room for what changes, 0: it is thin and needs none. @tag: NULL: it has none. */
char **lvm_argv_snapshot(const char *group, const char *name, const char *origin, uint64_t bytes,
			 const char *tag);
/* The origin becomes what its snapshot is, and that goes; it waits until that is done. */
char **lvm_argv_merge(const char *group, const char *snapshot);
char **lvm_argv_lvresize(const char *group, const char *name, uint64_t bytes, bool shrink);
char **lvm_argv_lvrename(const char *group, const char *name, const char *new_name);
char **lvm_argv_lvremove(const char *group, const char *name);
/* Only if it has the tag; that there is none is no error. */
char **lvm_argv_lvremove_tagged(const char *group, const char *name, const char *tag);
char **lvm_argv_report_group(const char *group);
char **lvm_argv_report_volumes(const char *group);
/* Group and name of the volume that a path means. */
char **lvm_argv_report_place(const char *path);
char **lvm_argv_report_devices(const char *group);
/* Of each group and each of its devices. */
char **lvm_argv_report_groups(void);

/* What the reports say; lines that make no sense are left out. */
bool lvm_parse_group(const char *text, struct lvm_group *ret_group);
/* Of struct lvm_volume, owned. */
GPtrArray *lvm_parse_volumes(const char *text);
/* Two words of a line, both for g_free(): group and device, or group and volume. */
bool lvm_parse_pair(const char *line, char **ret_group, char **ret_other);
/* The first words of lines, owned. */
GPtrArray *lvm_parse_names(const char *text);

#endif
