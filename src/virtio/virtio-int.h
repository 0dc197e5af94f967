/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-int.h - notifications that do not come as register writes, for both transports
 *
 * Each queue has an eventfd, which the device's loop watches, for engines that signal one; engines
 * that call get a function. Which it is only the engine knows. Where it has no room, or the host no
 * descriptors, nothing is lost: the register itself kicks as well.
 */
#ifndef VIRTIO_VIRTIO_INT_H
#define VIRTIO_VIRTIO_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/io-loop.h"
#include "bus/notify.h"
#include "virtio/virtio.h"

struct virtio_notify {
	struct virtio_notifiers *all;
	struct io_notify notify; /* its eventfd is -1 until it is needed */
	struct io_watch watch;
	bool set, watched;
};

struct virtio_notifiers {
	struct virtio_device *dev;
	struct io_notifier notifier;
	struct io_work watch_work;
	/* guarded by the device's lock: */
	struct virtio_notify queue[VIRTIO_MAX_QUEUES];
};

void virtio_notifiers_init(struct virtio_notifiers *n, struct virtio_device *dev,
			   const struct io_notifier *notifier);
/* [any, device's lock held] Queue i is notified at @first's address + i * @stride, and by the value
 * i if @first matches values. Nothing happens if it is set already. */
void virtio_notifiers_set(struct virtio_notifiers *n, const struct io_notify *first,
			  unsigned stride);
/* [any, device's lock held] No more. */
void virtio_notifiers_clear(struct virtio_notifiers *n);
/* [main] They are cleared, and the device is detached. */
void virtio_notifiers_release(struct virtio_notifiers *n);

#endif
