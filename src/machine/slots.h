/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * slots.h - the machine's pluggable devices: where they are, how they come and go
 *
 * Threads: main loop.
 */
#ifndef MACHINE_SLOTS_H
#define MACHINE_SLOTS_H

#include <glib.h>
#include <stdbool.h>

#include "bus/irq.h"
#include "machine/acpi.h"
#include "machine/machine.h"

struct slots;

/* Decides where the devices of the machine's configuration will be. The vCPUs are there, not yet
 * executing. */
struct slots *slots_new(struct machine *machine, struct irq_sink *sink, GError **error);
/* Puts them in. */
void slots_fill(struct slots *slots);
/* Devices on the PCI bus are the bus's to free, behind this. */
void slots_free(struct slots *slots);
DEFINE_AUTOPTR(slots, slots_free);

/* Reset the devices as far as it can be done at once. False: I/O is under way, and the machine will
 * hear of its end. No vCPU executes until slots_reset(). */
bool slots_try_reset(struct slots *slots);
/* The same, waiting at most so long. NULL, or a device that did not come to an end. */
const char *slots_reset_within(struct slots *slots, unsigned timeout_ms);
/* The devices hold, or go on. */
void slots_pause(struct slots *slots, bool pause);
/* Do all hold, with nothing under way? False: the machine will hear when to ask again. */
bool slots_quiet(struct slots *slots);
/* slots_try_reset() has succeeded. The machine is reset: so are the devices, and those that the
 * guest was asked to let go are gone. No vCPU executes. */
void slots_reset(struct slots *slots);
/* Which disks firmware is to boot, one a line, the first one first. */
void slots_boot_order(const struct slots *slots, GString *out);
/* What the ACPI tables have to tell. */
void slots_describe(const struct slots *slots, struct acpi_config *config);

#endif
