/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * runner-args.h - a definition as socle-vm's command line
 *
 * Nothing here looks at the host. What the step check has left out is not there; what it has mapped is
 * what it was mapped to. There is no secret among the arguments, for everybody can read them.
 *
 * Threads: any.
 */
#ifndef DAEMON_RUNNER_ARGS_H
#define DAEMON_RUNNER_ARGS_H

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>

#include "model/domain.h"

struct runner_places {
	const char *program, *dir; /* of socle-vm; of the machine, for its sockets */
	const char *engine;        /* NULL: what the definition says */
	const int *secrets;        /* of the disks, in their order, -1: none; or NULL */
	const int *taps;           /* of the interfaces, in their order, -1: none; or NULL */
	int vnc_fd;                /* a socket that listens, -1: none */
	bool paused;
};

/* What a machine has and a definition need not: names of devices, paths of sockets, a CID. */
void runner_produce(struct domain *live, const char *dir);

/* g_strfreev() it; NULL with @error: it cannot be said. */
char **runner_argv(const struct domain *live, const struct runner_places *places, GError **error);

/* What socle-vm calls the secret that a disk's host wants. g_free() it. */
char *runner_disk_secret(const struct domain_disk *disk);

/* The same in QMP, for one device. NULL with @error. */
json_t *runner_disk_node(const struct domain_disk *disk, const char *node_name);
/* Of blockdev-change-medium, or of eject if the drive is to be empty. */
json_t *runner_disk_medium(const struct domain_disk *disk, bool force);
/* @node_name NULL: of an empty drive. */
json_t *runner_disk_device(const struct domain_disk *disk, const char *node_name);
json_t *runner_netdev(const struct domain_interface *card, const char *id, GError **error);
json_t *runner_card_device(const struct domain_interface *card, const char *id);
/* For x-set-card-limits: both ways. */
json_t *runner_card_limits(const struct domain_interface *card, const char *alias);
/* For block_set_io_throttle: all of them, so that what is not said any more has no limit. */
json_t *runner_disk_limits(const struct domain_disk *disk);

#endif
