/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-mmio.h - virtio over memory-mapped registers (virtio 1.2, 4.2; version 2 only)
 *
 * Threads: main loop; the registers are used by any vCPU.
 */
#ifndef VIRTIO_VIRTIO_MMIO_H
#define VIRTIO_VIRTIO_MMIO_H

#include <glib.h>

#include "base/cleanup.h"
#include "bus/io.h"
#include "bus/irq.h"
#include "bus/notify.h"
#include "virtio/virtio.h"

struct virtio_mmio;

enum {
	VIRTIO_MMIO_LEN = 0x200
};

struct virtio_mmio_config {
	struct mem *mem;
	struct io_space *mmio;
	uint64_t base;
	struct irq_line irq; /* level-triggered, this device's alone */
	struct io_notifier notifier;
};

/* @dev is taken over on success. */
struct virtio_mmio *virtio_mmio_new(struct virtio_device *dev,
				    const struct virtio_mmio_config *config, GError **error);
void virtio_mmio_reset(struct virtio_mmio *mmio);
/* Takes the registers away, frees the device. No vCPU executes. NULL is fine. */
void virtio_mmio_free(struct virtio_mmio *mmio);
DEFINE_AUTOPTR(virtio_mmio, virtio_mmio_free);

#endif
