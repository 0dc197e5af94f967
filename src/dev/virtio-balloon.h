/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-balloon.h - memory that the guest gives back (virtio 1.2, 5.5)
 *
 * Threads: [main] = main loop; the device works on its loop (virtio.h).
 */
#ifndef DEV_VIRTIO_BALLOON_H
#define DEV_VIRTIO_BALLOON_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "dev/clock.h"
#include "virtio/virtio.h"

/* By VIRTIO_BALLOON_S_; UINT64_MAX: not told. */
enum balloon_stat {
	BALLOON_STAT_SWAP_IN,
	BALLOON_STAT_SWAP_OUT,
	BALLOON_STAT_MAJOR_FAULTS,
	BALLOON_STAT_MINOR_FAULTS,
	BALLOON_STAT_FREE_MEMORY,
	BALLOON_STAT_TOTAL_MEMORY,
	BALLOON_STAT_AVAILABLE_MEMORY,
	BALLOON_STAT_DISK_CACHES,
	BALLOON_STAT_HTLB_PGALLOC,
	BALLOON_STAT_HTLB_PGFAIL,
	BALLOON_STAT_COUNT,
};

struct balloon_stats {
	uint64_t value[BALLOON_STAT_COUNT];
	int64_t updated_s; /* realtime of the last update, 0: never */
};

struct virtio_balloon_config {
	struct io_loop *loop;
	struct dev_clock *clock;
	uint64_t memory; /* bytes of the machine */
	bool deflate_on_oom, free_page_reporting;
	/* [main] The guest has another size now, at most once a second. */
	void (*changed)(void *opaque, uint64_t actual);
	void *opaque;
};

struct virtio_device *virtio_balloon_new(const struct virtio_balloon_config *config,
					 GError **error);

/* All [main]. The machine is to have @bytes of memory; no more than it started with. */
void virtio_balloon_set_target(struct virtio_device *dev, uint64_t bytes);
/* What it has, by what the guest says. */
uint64_t virtio_balloon_actual(struct virtio_device *dev);
/* Ask for statistics each @seconds; 0: not. */
void virtio_balloon_set_poll(struct virtio_device *dev, unsigned seconds);
unsigned virtio_balloon_poll(struct virtio_device *dev);
void virtio_balloon_stats(struct virtio_device *dev, struct balloon_stats *ret_stats);

#endif
