/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * i8042.h - a PC's keyboard controller with a keyboard and a mouse
 *
 * Threads: made, reset and freed on the main loop; keys and motion come from the main loop; the ports
 * are used by any vCPU.
 */
#ifndef DEV_I8042_H
#define DEV_I8042_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "bus/irq.h"

struct i8042;
struct io_space;

enum {
	I8042_DATA = 0x60,
	I8042_COMMAND = 0x64,

	I8042_LEFT = 1 << 0, /* buttons */
	I8042_RIGHT = 1 << 1,
	I8042_MIDDLE = 1 << 2,
	I8042_SIDE = 1 << 3,
	I8042_EXTRA = 1 << 4,
};

struct i8042_config {
	struct io_space *pio; /* must outlive the device */
	struct irq_line keyboard, mouse;
	void (*reset)(void *opaque); /* [any] the CPU's reset line; on the vCPU's thread */
	void *opaque;
};

struct i8042 *i8042_new(const struct i8042_config *config, GError **error);
void i8042_free(struct i8042 *i8042);
DEFINE_AUTOPTR(i8042, i8042_free);
void i8042_reset(struct i8042 *i8042);

/* The user presses or releases a key (display/keys.h). */
void i8042_key(struct i8042 *i8042, uint8_t number, bool down);
/* The mouse moved to the right, down and (its wheel) towards the user; buttons as they are now. */
void i8042_move(struct i8042 *i8042, int dx, int dy, int dz, unsigned buttons);

#endif
