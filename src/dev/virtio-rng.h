/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-rng.h - entropy from the host (virtio 1.2, 5.4), rate-limited
 *
 * Threads: main loop; the device works on its loop (virtio.h).
 */
#ifndef DEV_VIRTIO_RNG_H
#define DEV_VIRTIO_RNG_H

#include <glib.h>
#include <stdint.h>

#include "virtio/virtio.h"

struct virtio_rng_config {
	struct io_loop *loop;
	uint64_t bps; /* bytes per second, 0: no limit */
};

struct virtio_device *virtio_rng_new(const struct virtio_rng_config *config, GError **error);

#endif
