/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * port-b.h - system control port B of a PC, of which the reason of an NMI is what matters
 *
 * A kernel that gets an NMI reads port 0x61: all ones, as where nothing is, would be a parity error
 * of the memory and one of the bus, for which Linux has handlers of their own (default_do_nmi() in
 * arch/x86); so an NMI that a user or a watchdog sends would never be the "unknown" one on which it
 * can be told to panic (unknown_nmi_panic). Bit 5, the output of a timer that is not there, stays
 * set: those who wait for it go on at once. Writes change nothing.
 *
 * Threads: made and freed on the main loop; the port is used by any vCPU.
 */
#ifndef DEV_PORT_B_H
#define DEV_PORT_B_H

#include <glib.h>

#include "base/cleanup.h"

struct io_space;
struct port_b;

enum {
	PORT_B_PORT = 0x61,
	PORT_B_TIMER_OUT = 1 << 5,
	PORT_B_BUS_ERROR = 1 << 6,
	PORT_B_MEMORY_ERROR = 1 << 7
};

/* @pio must outlive the device. */
struct port_b *port_b_new(struct io_space *pio, GError **error);
void port_b_free(struct port_b *port_b);
DEFINE_AUTOPTR(port_b, port_b_free);

#endif
