/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * port-b.h - system control port B of a PC: the reason of an NMI, and the timer's counter 2
 *
 * A kernel that gets an NMI reads port 0x61: all ones, as where nothing is, would be a parity error
 * of the memory and one of the bus, for which Linux has handlers of their own (default_do_nmi() in
 * arch/x86); so an NMI that a user or a watchdog sends would never be the "unknown" one on which it
 * can be told to panic (unknown_nmi_panic).
 *
 * In a machine without an interval timer bit 5, that timer's output, stays set: those who wait for it
 * go on at once, and writes change nothing. With one, bit 0 is the gate of its counter 2, bit 1 the
 * speaker that is not there, bit 5 the counter's output, and bit 4 changes every 15 us, as the
 * refresh of memory once did.
 *
 * Threads: made and freed on the main loop; the port is used by any vCPU.
 */
#ifndef DEV_PORT_B_H
#define DEV_PORT_B_H

#include <glib.h>

#include "base/cleanup.h"
#include "dev/clock.h"

struct io_space;
struct pit;
struct port_b;

enum {
	PORT_B_PORT = 0x61,
	PORT_B_TIMER_GATE = 1 << 0,
	PORT_B_SPEAKER = 1 << 1,
	PORT_B_REFRESH = 1 << 4,
	PORT_B_TIMER_OUT = 1 << 5,
	PORT_B_BUS_ERROR = 1 << 6,
	PORT_B_MEMORY_ERROR = 1 << 7
};

struct port_b_config {
	struct io_space *pio;
	struct pit *pit; /* or NULL; then without a clock, too */
	struct dev_clock *clock;
};

/* The configuration is copied; what it points to must outlive the device. */
struct port_b *port_b_new(const struct port_b_config *config, GError **error);
void port_b_free(struct port_b *port_b);
DEFINE_AUTOPTR(port_b, port_b_free);
void port_b_reset(struct port_b *port_b);

#endif
