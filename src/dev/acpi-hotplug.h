/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * acpi-hotplug.h - how the DSDT's code learns which PCI slots have changed, and lets devices go
 *
 * Three registers of 32 bits, a bit for each slot of bus 0, in the style of QEMU's (its
 * docs/specs/acpi_pci_hotplug.rst), which operating systems have driven for many years:
 *
 *   0  inserted: slots with a new device; reading clears
 *   4  asked:    slots whose device the guest should let go; reading clears
 *   8  eject:    written with the bits of slots whose devices may be taken away; reads as 0
 *
 * A general purpose event, which is not this chip's, makes the guest look.
 *
 * Threads: made, reset and freed on the main loop; the ports are used by any vCPU.
 */
#ifndef DEV_ACPI_HOTPLUG_H
#define DEV_ACPI_HOTPLUG_H

#include <glib.h>
#include <stdint.h>

#include "base/cleanup.h"

struct acpi_hotplug;
struct io_space;

enum {
	ACPI_HOTPLUG_INSERTED = 0,
	ACPI_HOTPLUG_ASKED = 4,
	ACPI_HOTPLUG_EJECT = 8,
	ACPI_HOTPLUG_PORTS = 12,
};

struct acpi_hotplug_config {
	struct io_space *pio;
	uint16_t base;
	/* [any] The guest ejects the slots whose bits are set in @slots, never 0. */
	void (*eject)(void *opaque, uint32_t slots);
	void *opaque;
};

/* The configuration is copied; what it points to must outlive the device. */
struct acpi_hotplug *acpi_hotplug_new(const struct acpi_hotplug_config *config, GError **error);
void acpi_hotplug_free(struct acpi_hotplug *hotplug);
DEFINE_AUTOPTR(acpi_hotplug, acpi_hotplug_free);

/* What the guest has not read yet is void. */
void acpi_hotplug_reset(struct acpi_hotplug *hotplug);
/* [any] A device came into a slot; its predecessor's business is void. */
void acpi_hotplug_insert(struct acpi_hotplug *hotplug, unsigned slot);
/* [any] The guest should let the device of a slot go. */
void acpi_hotplug_ask(struct acpi_hotplug *hotplug, unsigned slot);
/* [any] The device of a slot is gone: nothing is to be told of it any more. */
void acpi_hotplug_forget(struct acpi_hotplug *hotplug, unsigned slot);

#endif
