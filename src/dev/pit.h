/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pit.h - the interval timer of a PC: three counters at 1.193182 MHz (Intel 8254 data sheet)
 *
 * Counter 0 interrupts, counter 1 once refreshed memory, counter 2 has its gate and its output at
 * port 0x61 (port-b.h).
 *
 * Threads: made, reset and freed on the main loop; all else from any.
 */
#ifndef DEV_PIT_H
#define DEV_PIT_H

#include <glib.h>
#include <stdbool.h>

#include "base/cleanup.h"
#include "bus/irq.h"
#include "dev/clock.h"

struct io_space;
struct pit;

enum {
	PIT_PORT = 0x40,
	PIT_PORTS = 4,
	PIT_HZ = 1193182
};

struct pit_config {
	struct io_space *pio;
	struct irq_line irq; /* edge */
	struct dev_clock *clock;
};

/* The configuration is copied; what it points to must outlive the device. */
struct pit *pit_new(const struct pit_config *config, GError **error);
void pit_free(struct pit *pit);
DEFINE_AUTOPTR(pit, pit_free);
void pit_reset(struct pit *pit);

/* Counter 2 at port 0x61. */
void pit_set_gate(struct pit *pit, bool gate);
bool pit_gate(struct pit *pit);
bool pit_out(struct pit *pit);

#endif
