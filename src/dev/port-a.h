/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * port-a.h - system control port A of a PC: the gate of address line 20, and a reset
 *
 * Line 20 is always on: no CPU of today needs it to be off, and no engine can switch it. What is
 * written to bit 1 of port 0x92 is only kept. Writing 1 to bit 0 resets the machine.
 *
 * Threads: made, reset and freed on the main loop; the port is used by any vCPU.
 */
#ifndef DEV_PORT_A_H
#define DEV_PORT_A_H

#include <glib.h>

#include "base/cleanup.h"

struct io_space;
struct port_a;

enum {
	PORT_A_PORT = 0x92,
	PORT_A_RESET = 1 << 0,
	PORT_A_LINE20 = 1 << 1
};

/* @reset is called [any] on the vCPU's thread. @pio must outlive the device. */
struct port_a *port_a_new(struct io_space *pio, void (*reset)(void *opaque), void *opaque,
			  GError **error);
void port_a_free(struct port_a *port_a);
DEFINE_AUTOPTR(port_a, port_a_free);
void port_a_reset(struct port_a *port_a);

#endif
