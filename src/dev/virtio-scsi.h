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

struct virtio_scsi_config {
	struct block *block; /* the medium; outlives the device */
	struct io_loop *loop;
};

struct virtio_device *virtio_scsi_new(const struct virtio_scsi_config *config, GError **error);

#endif
