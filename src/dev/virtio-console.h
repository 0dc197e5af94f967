/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-console.h - consoles and ports for agents (virtio 1.2, 5.3)
 *
 * Threads: [main] = main loop; the device works on its loop (virtio.h).
 */
#ifndef DEV_VIRTIO_CONSOLE_H
#define DEV_VIRTIO_CONSOLE_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/io-loop.h"
#include "dev/chardev.h"
#include "dev/clock.h"
#include "virtio/virtio.h"

enum {
	VIRTIO_CONSOLE_MAX_PORTS = 16 /* two queues each, and two for control */
};

struct virtio_console_port {
	struct chardev *chr; /* borrowed; NULL: nobody is there */
	const char *name;    /* /dev/virtio-ports/NAME; NULL: none */
	bool console;        /* hvcN, with a size */
};

struct virtio_console_config {
	struct io_loop *loop;
	struct dev_clock *clock;
	const struct virtio_console_port *ports;
	unsigned count; /* 1 to VIRTIO_CONSOLE_MAX_PORTS */
};

struct virtio_device *virtio_console_new(const struct virtio_console_config *config,
					 GError **error);

/* [main] The terminal behind a port has another size. */
void virtio_console_resize(struct virtio_device *dev, unsigned port, uint16_t columns,
			   uint16_t rows);
/* [main] Has the guest opened the port? */
bool virtio_console_guest_open(struct virtio_device *dev, unsigned port);

#endif
