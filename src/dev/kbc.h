/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kbc.h - the one wire of a keyboard controller that guests without a keyboard use: reset
 *
 * Writing 0xfe to port 0x64 pulses the CPU's reset line (Linux: reboot=k). Nothing else is there:
 * the ports read as all ones, which is how an operating system sees that there is no controller.
 *
 * Threads: made and freed on the main loop; the port is used by any vCPU.
 */
#ifndef DEV_KBC_H
#define DEV_KBC_H

#include <glib.h>

#include "base/cleanup.h"

struct io_space;
struct kbc;

enum {
	KBC_PORT = 0x64,
	KBC_RESET = 0xfe
};

/* @reset is called [any] on the vCPU's thread. @pio must outlive the device. */
struct kbc *kbc_new(struct io_space *pio, void (*reset)(void *opaque), void *opaque,
		    GError **error);
void kbc_free(struct kbc *kbc);
DEFINE_AUTOPTR(kbc, kbc_free);

#endif
