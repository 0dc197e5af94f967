/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * machines.h - what all machines of the daemon share (runner.h), out of its options
 */
#ifndef DAEMON_MACHINES_H
#define DAEMON_MACHINES_H

#include <glib.h>
#include <stdbool.h>

#include "daemon/runner.h"

struct config;
struct host_cgroups;

/* The texts that are not the config's. */
struct machines {
	struct runner_config runner;
	char *run_dir, *log_dir;
	struct host_cgroups *cgroups;
};

/* @config must outlive it. */
bool machines_init(struct machines *machines, const struct config *config, GError **error);
void machines_release(struct machines *machines);

#endif
