/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vga.h - a standard VGA with Bochs' extensions (PCI 1234:1111), as QEMU's -vga std is
 *
 * Threads: made and freed on the main loop, where pictures are drawn, too; registers and memory are
 * used by any vCPU.
 */
#ifndef DEV_VGA_H
#define DEV_VGA_H

#include <glib.h>
#include <stdbool.h>

#include "bus/pci.h"

struct surface;

enum {
	VGA_VENDOR = 0x1234,
	VGA_DEVICE = 0x1111,
};

struct vga_config {
	struct io_space *pio, *mmio; /* for the legacy ports and window; must outlive the device */
};

/* For pci_plug(), which takes it over. */
struct pci_device *vga_new(const struct vga_config *config, GError **error);
/* Draw what has changed since the last time into @surface, the same each time. */
void vga_draw(struct pci_device *pci, struct surface *surface);

#endif
