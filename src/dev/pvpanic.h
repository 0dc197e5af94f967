/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pvpanic.h - a guest tells that it has crashed (QEMU docs/specs/pvpanic.txt, the PCI device)
 *
 * Threads: main loop; the register is used by any vCPU.
 */
#ifndef DEV_PVPANIC_H
#define DEV_PVPANIC_H

#include <stdbool.h>

#include "bus/pci.h"

enum {
	PVPANIC_PANICKED = 1,
	PVPANIC_CRASH_LOADED = 2, /* it will dump itself and then reboot */
};

/* @told: [any vCPU] with one of the bits above. */
struct pci_device *pvpanic_new(void (*told)(void *opaque, unsigned event), void *opaque);

#endif
