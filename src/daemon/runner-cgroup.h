/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * runner-cgroup.h - control groups of the room host, as runner.h wants them
 */
#ifndef DAEMON_RUNNER_CGROUP_H
#define DAEMON_RUNNER_CGROUP_H

#include "daemon/runner.h"

/* Their opaque pointer is a struct host_cgroups. */
extern const struct runner_cgroup_ops runner_host_cgroups;

#endif
