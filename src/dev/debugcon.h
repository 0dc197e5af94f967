/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * debugcon.h - debug console of firmware: what it writes to port 0x402 goes to somebody by the line
 *
 * Reading gives 0xe9, which is how firmware finds it.
 *
 * Threads: made, reset and freed on the main loop; the port is used by any vCPU.
 */
#ifndef DEV_DEBUGCON_H
#define DEV_DEBUGCON_H

#include <glib.h>

#include "base/cleanup.h"

struct debugcon;
struct io_space;

enum {
	DEBUGCON_PORT = 0x402,
	DEBUGCON_MAGIC = 0xe9,
	DEBUGCON_LINE = 160 /* longer lines come in pieces */
};

/* @line is called [any] on the vCPU's thread, with a lock held: printable text without a line end.
 * @pio must outlive the device. */
struct debugcon *debugcon_new(struct io_space *pio, void (*line)(void *opaque, const char *text),
			      void *opaque, GError **error);
void debugcon_free(struct debugcon *con);
DEFINE_AUTOPTR(debugcon, debugcon_free);
void debugcon_reset(struct debugcon *con);

#endif
