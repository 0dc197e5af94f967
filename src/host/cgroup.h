/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cgroup.h - a control group for each machine: limits, and what was used
 *
 * Our own group, in which the host has started us, is where machines' groups are made, unless told:
 * OURS/socle/NAME-UUID. With the unified hierarchy (v2) a group that hands on controllers may have no
 * process itself, so we move to OURS/socle-daemon; a daemon that is started there, or in OURS again,
 * finds the same place. Who is root, and a unit of a systemd that does not start it there, has
 * /socle/NAME-UUID at the top instead. A machine that was left by an earlier daemon is looked for by
 * its process, wherever that is. Controllers that only the old hierarchies (v1) have are used there.
 *
 * A host may let us do nothing of that: then each controller that is missing is told once, by
 * host_cgroups_missing(), and limits that need it are refused when they are set. Machines run without.
 *
 * Nothing waits: these are files that the kernel makes up.
 *
 * Threads: any, one at a time for all groups of a struct host_cgroups.
 */
#ifndef HOST_CGROUP_H
#define HOST_CGROUP_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"

enum host_controller {
	HOST_CPU,
	HOST_CPUACCT, /* with the unified hierarchy a part of cpu */
	HOST_CPUSET,
	HOST_MEMORY,
	HOST_IO,
	HOST_CONTROLLER_COUNT
};

struct host_cgroups;
struct host_cgroup;

/**
 * host_cgroups_new() - find out what the host lets us do
 * @root:   "/" but for tests
 * @parent: NULL: our own group, which has to be delegated to us; or a group from the top of the
 *          hierarchies, "/machines", which is there or may be made by root
 *
 * Never fails. Moves this process, if that is needed.
 */
struct host_cgroups *host_cgroups_new(const char *root, const char *parent);
void host_cgroups_free(struct host_cgroups *groups);
DEFINE_AUTOPTR(host_cgroups, host_cgroups_free);

bool host_cgroups_have(const struct host_cgroups *groups, enum host_controller controller);
/* A sentence with cause and remedy on what is missing, or NULL. */
const char *host_cgroups_missing(const struct host_cgroups *groups);

/* Remove machines' groups in which no process is: their daemon was killed, or they ended without one. */
void host_cgroups_sweep(struct host_cgroups *groups);

/* The group's name for a machine: what may not be in a path is escaped. g_free() it. */
char *host_cgroup_name(const char *name, const char *uuid);

/**
 * host_cgroup_new() - the group of a machine, which is made if it is not there
 * @pid: a process that is in it if it was made by an earlier daemon, or 0
 *
 * Return: NULL with an error if it cannot be made. Where the host has none for us it is a group without
 *         limits
 */
struct host_cgroup *host_cgroup_new(struct host_cgroups *groups, const char *name, const char *uuid,
				    pid_t pid, GError **error);
/* The group itself stays. */
void host_cgroup_free(struct host_cgroup *group);
DEFINE_AUTOPTR(host_cgroup, host_cgroup_free);

/* Move a process with all its threads into it. */
bool host_cgroup_add(struct host_cgroup *group, pid_t pid, GError **error);
/* Remove it; SOCLE_ERROR_BUSY while there is a process in it. What is gone already is no error. */
bool host_cgroup_remove(struct host_cgroup *group, GError **error);

/* == Limits; each as libvirt's XML has it == */

/* A share of the CPUs, 2 to 262144, and with the unified hierarchy a weight of 1 to 10000: what is out
 * of range is taken for its end. */
bool host_cgroup_set_shares(struct host_cgroup *group, uint64_t shares, GError **error);
/* At most @quota_us of CPU time in @period_us, all vCPUs together; below 0: no limit. */
bool host_cgroup_set_quota(struct host_cgroup *group, uint64_t period_us, int64_t quota_us,
			   GError **error);
/* "0-3,8"; "" for all that the host has. */
bool host_cgroup_set_cpus(struct host_cgroup *group, const char *cpus, GError **error);

enum {
	HOST_NO_LIMIT = 0
};

struct host_memory_limits {
	uint64_t hard_kib, soft_kib, swap_hard_kib; /* of memory and swap together */
};

bool host_cgroup_set_memory(struct host_cgroup *group, const struct host_memory_limits *limits,
			    GError **error);

/* A weight of 10 to 1000 (v1) or 1 to 10000. */
bool host_cgroup_set_io_weight(struct host_cgroup *group, uint64_t weight, GError **error);

struct host_io_limits {
	uint64_t read_bytes, write_bytes, read_ops, write_ops; /* per second */
};

/* Of one disk of the host. */
bool host_cgroup_set_io_limits(struct host_cgroup *group, unsigned major, unsigned minor,
			       const struct host_io_limits *limits, GError **error);
/* Of one disk of the host; 0: that of the others. */
bool host_cgroup_set_device_weight(struct host_cgroup *group, unsigned major, unsigned minor,
				   uint64_t weight, GError **error);

/* == What was used; false, and nothing set, if that is not known == */

struct host_cgroup_cpu {
	uint64_t total_ns, user_ns, system_ns;
	uint64_t throttled_ns, throttled_periods;
};

bool host_cgroup_cpu(const struct host_cgroup *group, struct host_cgroup_cpu *ret);
bool host_cgroup_memory(const struct host_cgroup *group, uint64_t *ret_kib);

struct host_cgroup_io {
	uint64_t read_bytes, write_bytes, read_ops, write_ops; /* of all disks */
};

bool host_cgroup_io(const struct host_cgroup *group, struct host_cgroup_io *ret);

#endif
