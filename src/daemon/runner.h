/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * runner.h - the machines of socled: a process of socle-vm for each
 *
 * A machine is none of the daemon's: it is in a session of its own, has files where others would have
 * pipes to the daemon, and goes on when the daemon ends, is killed, or is replaced by a newer one, which
 * finds it again by what machine_ops.state() has said.
 *
 * Threads: main loop (the default GMainContext).
 */
#ifndef DAEMON_RUNNER_H
#define DAEMON_RUNNER_H

#include <sys/types.h>

#include "daemon/machine-log.h"
#include "manage/machine.h"

struct runner_cgroup;

/* The seam to control groups; each function is told the opaque pointer below. */
struct runner_cgroup_ops {
	/* A group for the machine of @dom->live, in which its process @pid is from now on, with the
	 * limits of the definition. @found: it has been there since an earlier daemon. NULL with
	 * @error. */
	struct runner_cgroup *(*open)(void *opaque, struct dom *dom, int pid, bool found,
				      GError **error);
	/* Limits and pins as @dom->live has them by now; @tids are the threads of the vCPUs. */
	bool (*tune)(struct runner_cgroup *group, struct dom *dom, int pid, const int *tids,
		     unsigned count, GError **error);
	/* Pins alone, when a machine has its threads. */
	bool (*pin)(struct dom *dom, int pid, const int *tids, unsigned count, GError **error);
	/* CPU time; false: not known. */
	bool (*cpu)(struct runner_cgroup *group, uint64_t *ret_ns, uint64_t *ret_user_ns,
		    uint64_t *ret_system_ns);
	/* @remove: the machine has ended. */
	void (*close)(struct runner_cgroup *group, bool remove);
};

/* What all machines of a node share: the node's machines_opaque. Texts are borrowed. */
struct runner_config {
	const char *program; /* socle-vm's path */
	/* Folders. In the first each machine gets one of its own; it is lost when the host restarts.
	 * Its name has to be short: paths of sockets have 107 bytes at most. */
	const char *run_dir, *log_dir;
	const char *engine; /* "kvm", "emu"; NULL: what the definition says */
	/* Whom machines run as, if the daemon is root; 0: root. */
	uid_t uid;
	gid_t gid;
	struct machine_log_limits log;
	unsigned start_ms; /* in this time a machine has to be there; 0: 30000 */
	const struct runner_cgroup_ops *cgroups; /* NULL: none */
	void *cgroups_opaque;
};

extern const struct machine_ops vm_machine_ops;

/* Has the guest of a process of socle-vm run? */
bool runner_guest_has_run(long pid);

#endif
