/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * machines.c - what all machines of the daemon share, out of its options
 */
#include "daemon/machines.h"

#include <unistd.h>

#include "base/account.h"
#include "base/error.h"
#include "base/log.h"
#include "daemon/config.h"
#include "daemon/folders.h"
#include "daemon/runner-cgroup.h"
#include "host/cgroup.h"

/* Without a name they are this user's, that is in a system root's. */
static bool find_user(struct machines *machines, const char *name, GError **error)
{
	uid_t uid;
	gid_t gid;

	if (!name)
		return true;
	if (!account_user(name, &uid, &gid))
		return error_set(
			error, SOCLE_ERROR_NOT_FOUND,
			"there is no user '%s' on this host; make one with useradd --system "
			"%s, or name another one with --machine-user",
			name, name);
	if (geteuid() != 0 && uid != geteuid())
		return error_set(error, SOCLE_ERROR_DENIED,
				 "--machine-user %s: only root can run machines as somebody else",
				 name);
	machines->runner.uid = geteuid() == 0 ? uid : 0;
	machines->runner.gid = geteuid() == 0 ? gid : 0;
	return true;
}

bool machines_init(struct machines *machines, const struct config *config, GError **error)
{
	*machines = (struct machines){
		.run_dir = g_build_filename(config->run, "vm", NULL),
		.log_dir = g_strdup(config->log_dir),
	};
	machines->runner = (struct runner_config){
		.program = config->vm,
		.run_dir = machines->run_dir,
		.log_dir = machines->log_dir,
	};
	/* A session has none of its own unless its service manager has handed one on. */
	machines->cgroups = host_cgroups_new("/", NULL);
	host_cgroups_sweep(machines->cgroups);
	if (host_cgroups_missing(machines->cgroups))
		log_info("%s", host_cgroups_missing(machines->cgroups));
	machines->runner.cgroups = &runner_host_cgroups;
	machines->runner.cgroups_opaque = machines->cgroups;
	return find_user(machines, config->machine_user, error) &&
	       folders_make(machines->run_dir, config->session ? 0700 : 0711, error) &&
	       folders_make(machines->log_dir, 0700, error);
}

void machines_release(struct machines *machines)
{
	host_cgroups_free(machines->cgroups);
	g_free(machines->run_dir);
	g_free(machines->log_dir);
	*machines = (struct machines){ 0 };
}
