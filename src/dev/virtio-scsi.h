/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-scsi.h - a SCSI controller (virtio 1.2, 5.6) with one CD drive
 *
 * Firmware boots CDs from SCSI, not from virtio disks, and operating systems know it as a CD.
 *
 * Threads: made on the main loop; see virtio.h.
 */
#ifndef DEV_VIRTIO_SCSI_H
#define DEV_VIRTIO_SCSI_H

#include <glib.h>

#include "virtio/virtio.h"

struct block;
struct dev_clock;
struct disk_stats;

struct virtio_scsi_config {
	struct block *block; /* the medium, borrowed; NULL: there is none */
	struct io_loop *loop;
	struct dev_clock *clock;
	/* [main] The driver has opened or closed the tray. May be NULL. */
	void (*tray)(void *opaque, bool open);
	void *opaque;
};

struct virtio_device *virtio_scsi_new(const struct virtio_scsi_config *config, GError **error);

/* All [main]. */
struct virtio_scsi_tray {
	bool open;
	bool locked; /* the driver is using the medium */
};
void virtio_scsi_tray(struct virtio_device *dev, struct virtio_scsi_tray *ret_tray);
/* What was read (dev/virtio-blk.h). */
void virtio_scsi_stats(struct virtio_device *dev, struct disk_stats *ret_stats);
/* The user's hand: a lock does not hold it. config.tray() is not called. */
void virtio_scsi_set_tray(struct virtio_device *dev, bool open);
/* Ask the driver to open the tray, which it may not do. */
void virtio_scsi_request_eject(struct virtio_device *dev);
/* Another medium, or NULL for none, while the tray is open. @changed is called once, [main], when the
 * last read of the old one is over, which is of no use to the drive any more; or !@done, the drive
 * has gone before that. False with @error: the tray is not open, or it is at it already. */
bool virtio_scsi_change(struct virtio_device *dev, struct block *block,
			void (*changed)(void *opaque, bool done), void *opaque, GError **error);

#endif
