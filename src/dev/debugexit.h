/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * debugexit.h - debug exit: test guests end the machine by writing a byte to port 0xf4
 *
 * Threads: made and freed on the main loop; the port is used by any vCPU.
 */
#ifndef DEV_DEBUGEXIT_H
#define DEV_DEBUGEXIT_H

#include <glib.h>
#include <stdint.h>

#include "base/cleanup.h"

struct debugexit;
struct io_space;

/* Four ports, because some guests write 32 bits; the low byte counts. */
enum {
	DEBUGEXIT_PORT = 0xf4,
	DEBUGEXIT_PORTS = 4
};

/* @call is called [any] on the vCPU's thread. @pio must outlive the device. */
struct debugexit *debugexit_new(struct io_space *pio, void (*call)(void *opaque, uint8_t status),
				void *opaque, GError **error);
void debugexit_free(struct debugexit *debugexit);
DEFINE_AUTOPTR(debugexit, debugexit_free);

#endif
