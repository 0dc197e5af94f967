/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * serial.h - serial port: a 16550A UART
 *
 * Threads: made, reset and freed on the main loop; the ports are used by any vCPU.
 */
#ifndef DEV_SERIAL_H
#define DEV_SERIAL_H

#include <glib.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "bus/irq.h"
#include "dev/clock.h"

struct chardev;
struct io_space;
struct serial;

enum {
	SERIAL_PORTS = 8
};

struct serial_config {
	struct io_space *pio;
	uint16_t base; /* SERIAL_PORTS ports from here */
	struct irq_line irq;
	struct chardev *chr; /* borrowed; NULL: what is sent is lost, nothing is received */
	struct dev_clock *clock;
};

/* The configuration is copied; what it points to must outlive the device. */
struct serial *serial_new(const struct serial_config *config, GError **error);
void serial_free(struct serial *serial);
DEFINE_AUTOPTR(serial, serial_free);

/* As the reset line does. Input that waits at the host is kept. */
void serial_reset(struct serial *serial);

#endif
