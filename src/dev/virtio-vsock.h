/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-vsock.h - sockets between guest and host (virtio 1.2, 5.10), on Unix sockets of the host
 *
 * As Firecracker has it: a program of the host connects to @path, writes "CONNECT PORT\n" and is
 * answered "OK PORT\n"; a guest that connects to port P of CID 2 reaches who listens at @path_P.
 *
 * Threads: main loop; the device works on its loop (virtio.h).
 */
#ifndef DEV_VIRTIO_VSOCK_H
#define DEV_VIRTIO_VSOCK_H

#include <glib.h>
#include <stdint.h>

#include "virtio/virtio.h"

struct virtio_vsock_config {
	struct io_loop *loop;
	uint64_t cid; /* the guest's, 3 or more, below 2^32 - 1 */
	const char *path;
};

struct virtio_device *virtio_vsock_new(const struct virtio_vsock_config *config, GError **error);

/* All connections end, and the guest is told that its CID may be another (5.10.6.7): it is another
 * machine now, restored from a snapshot. */
void virtio_vsock_transport_reset(struct virtio_device *dev);

#endif
