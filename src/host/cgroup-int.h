/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cgroup-int.h - hierarchies of control groups, and a group in them
 */
#ifndef HOST_CGROUP_INT_H
#define HOST_CGROUP_INT_H

#include "host/cgroup.h"

enum {
	/* The unified one, and a v1 hierarchy for each controller at most. */
	HIERARCHIES_MAX = 1 + HOST_CONTROLLER_COUNT
};

struct hierarchy {
	bool unified;
	char *mount;  /* where it is mounted, with the root in front */
	char *top;    /* which of its groups is there, "" for the one at the top */
	char *parent; /* the folder of the group below which ours are to be, a whole path */
	char *base;   /* the folder of machines' groups; NULL: it cannot be made */
	int err;      /* why */
};

struct host_cgroups {
	char *root;
	struct hierarchy hierarchies[HIERARCHIES_MAX];
	unsigned count;
	struct hierarchy *by_controller[HOST_CONTROLLER_COUNT]; /* NULL: not there for us */
	bool may_move; /* we are in our own group, which may not stay so */
	char *missing;
};

struct host_cgroup {
	struct host_cgroups *groups;
	char *paths[HIERARCHIES_MAX]; /* in the order of hierarchies; NULL: not used there */
};

extern const char *const host_controller_names[HOST_CONTROLLER_COUNT];

/* The folder of the group where a controller acts, or NULL. */
const char *cgroup_path(const struct host_cgroup *group, enum host_controller controller,
			bool *ret_unified);
/* Write into a file of a folder; -errno. */
int cgroup_write(const char *dir, const char *file, const char *fmt, ...) G_GNUC_PRINTF(3, 4);

/* Fill in hierarchies by /proc/self/mountinfo and /proc/self/cgroup. */
void cgroups_find(struct host_cgroups *groups, const char *parent);
void cgroups_release(struct host_cgroups *groups);
/* The path of a process in a hierarchy, by /proc/PID/cgroup; g_free() it. @pid 0: ours. */
char *cgroups_of(const struct host_cgroups *groups, const struct hierarchy *h, pid_t pid);

#endif
