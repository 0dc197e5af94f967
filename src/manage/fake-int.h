/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fake-int.h - machines in memory, for the driver "test"
 */
#ifndef MANAGE_FAKE_INT_H
#define MANAGE_FAKE_INT_H

#include "manage/machine.h"
#include "manage/network.h"

/* What a node's machines_opaque is for them. */
struct fake_clock {
	int64_t (*now_us)(void *opaque); /* NULL: the host's monotonic clock */
	void *opaque;
};

extern const struct machine_ops fake_machines;
extern const struct network_ops fake_networks;

/* node_new_test() with a clock of the caller's. */
struct node *node_new_test_at(const struct fake_clock *clock);

#endif
