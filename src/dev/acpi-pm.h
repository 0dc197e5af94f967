/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * acpi-pm.h - ACPI hardware: PM1 registers, PM timer, power button, reset register, GPE block 0
 *
 * Threads: made, reset and freed on the main loop; the ports are used by any vCPU.
 */
#ifndef DEV_ACPI_PM_H
#define DEV_ACPI_PM_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "bus/irq.h"
#include "dev/clock.h"

struct acpi_pm;
struct io_space;

/* Offsets from the base port, for the FADT. */
enum {
	ACPI_PM_EVENT = 0, /* status and enable, 2 bytes each */
	ACPI_PM_EVENT_LEN = 4,
	ACPI_PM_CONTROL = 4,
	ACPI_PM_CONTROL_LEN = 2,
	ACPI_PM_TIMER = 8,
	ACPI_PM_TIMER_LEN = 4,
	ACPI_PM_GPE = 12, /* status and enable, 2 bytes each */
	ACPI_PM_GPE_LEN = 4,
	ACPI_PM_PORTS = 16,
	ACPI_PM_GPES = 16,
};

enum {
	ACPI_PM_SLP_TYP_S5 = 5, /* what \_S5 says */
	ACPI_PM_RESET_PORT = 0xcf9,
	ACPI_PM_RESET_VALUE = 0x06,
	ACPI_PM_TIMER_HZ = 3579545,
};

struct acpi_pm_config {
	struct io_space *pio;
	uint16_t base;
	struct irq_line sci; /* level, active high */
	struct dev_clock *clock;
	bool timer_24bit; /* else 32 */
	/* [any] The guest entered S5; it wrote to the reset register. */
	void (*power_off)(void *opaque);
	void (*reset)(void *opaque);
	void *opaque;
};

/* The configuration is copied; what it points to must outlive the device. */
struct acpi_pm *acpi_pm_new(const struct acpi_pm_config *config, GError **error);
void acpi_pm_free(struct acpi_pm *pm);
DEFINE_AUTOPTR(acpi_pm, acpi_pm_free);

void acpi_pm_reset(struct acpi_pm *pm);
/* [any] Press the power button. */
void acpi_pm_power_button(struct acpi_pm *pm);
/* [any] General purpose event @gpe has happened: the guest calls the method \_GPE._Exx for it. */
void acpi_pm_gpe(struct acpi_pm *pm, unsigned gpe);

#endif
