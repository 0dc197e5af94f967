/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pools.h - storage pools of this host, for the room manage (manage/pool.h)
 *
 * Threads: main loop.
 */
#ifndef DAEMON_POOLS_H
#define DAEMON_POOLS_H

#include <sys/types.h>

#include "base/cleanup.h"
#include "manage/pool.h"

struct pools;

struct pools_config {
	uid_t uid; /* whose new volumes are, unless they say so themselves: machines run as this user; */
	gid_t gid;            /* 0: ours */
	unsigned patience_ms; /* for a path that may lead to a server that is gone; 0: 1500 */
	uint32_t host;        /* another one on each host that may have the same volumes */
};

/* What is given to those of pools_ops that are about definitions. */
struct pools *pools_new(const struct pools_config *config);
/* What is under way is told to end, waited for, and ends; what hangs ends all the same. */
void pools_finish(struct pools *pools);
void pools_free(struct pools *pools);
DEFINE_AUTOPTR(pools, pools_free);

extern const struct pool_ops pools_ops;

#endif
