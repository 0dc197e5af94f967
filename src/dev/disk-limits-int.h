/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * disk-limits-int.h - how long a disk's next request must wait for its limits
 *
 * Six leaky buckets (base/rate.h): bytes and requests a second, of reads, of writes, of both.
 * A request passes when none of those that concern it is full. Pure computation.
 */
#ifndef DEV_DISK_LIMITS_INT_H
#define DEV_DISK_LIMITS_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/rate.h"
#include "dev/virtio-blk.h"

struct disk_throttle {
	struct disk_limits limits;
	bool limited; /* there is a limit at all */
	struct rate rate[DISK_LIMIT_COUNT];
};

/* @limits were checked. What has passed already still counts. */
void disk_throttle_set(struct disk_throttle *throttle, const struct disk_limits *limits);
/* Nanoseconds until the next read or write may pass; 0: now. */
uint64_t disk_throttle_wait_ns(struct disk_throttle *throttle, bool write, uint64_t now_ns);
/* A read or write of so many bytes passes. */
void disk_throttle_take(struct disk_throttle *throttle, bool write, uint64_t now_ns,
			uint64_t bytes);

#endif
