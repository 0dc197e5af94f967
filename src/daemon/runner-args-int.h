/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * runner-args-int.h - keys of devices, for the command line and for QMP
 */
#ifndef DAEMON_RUNNER_ARGS_INT_H
#define DAEMON_RUNNER_ARGS_INT_H

#include "daemon/keys.h"
#include "daemon/runner-args.h"

/* The slot that a device has on the one bus, by its address; 0: none. */
unsigned info_slot(const struct device_info *info);
/* Name and place of a device: id, addr. A place that is not on the one bus is not asked for. */
void keys_of_info(struct keys *keys, const struct device_info *info);

/* Of an image; of a disk but for its image. */
void keys_of_image(struct keys *keys, const struct domain_disk *disk);
void keys_of_disk(struct keys *keys, const struct domain_disk *disk);
/* Of what is in a CD drive. */
void keys_of_medium(struct keys *keys, const struct domain_disk *disk);
/* @all: what is not limited is said, too. */
void keys_of_limits(struct keys *keys, const struct disk_iotune *tune, bool all);

/* The kind of network, then its keys; @tap: -1 if there is none. */
bool keys_of_network(struct keys *keys, const struct domain_interface *card, int tap,
		     const char **ret_type, GError **error);
void keys_of_card(struct keys *keys, const struct domain_interface *card);

#endif
