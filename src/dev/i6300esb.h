/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * i6300esb.h - watchdog timer of the Intel 6300ESB I/O controller hub (datasheet 300641-004, 16)
 *
 * Threads: main loop; the registers are used by any vCPU.
 */
#ifndef DEV_I6300ESB_H
#define DEV_I6300ESB_H

#include <stdbool.h>

#include "bus/pci.h"
#include "dev/clock.h"

struct i6300esb_config {
	struct dev_clock *clock;
	void (*expired)(void *opaque); /* [main] the guest did not feed it */
	void *opaque;
};

struct pci_device *i6300esb_new(const struct i6300esb_config *config);
/* While a machine is paused its guest cannot feed the dog: hold it, and time does not count. */
void i6300esb_hold(struct pci_device *pci, bool hold);

#endif
