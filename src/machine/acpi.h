/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * acpi.h - ACPI tables: what the machine tells an operating system about itself
 *
 * RSDP, XSDT, FADT (revision 6, fixed hardware present), FACS, MADT, DSDT.
 */
#ifndef MACHINE_ACPI_H
#define MACHINE_ACPI_H

#include <glib.h>
#include <stdint.h>

struct acpi_config {
	unsigned cpus;
	uint16_t pm_base; /* of struct acpi_pm */
	unsigned sci;     /* its interrupt: level, active high */
	uint16_t serial_base;
	unsigned serial_irq;
	unsigned rtc_irq;
};

/**
 * acpi_build() - all tables in one piece, the RSDP at its start
 * @base: guest-physical address where the piece will lie, below 4 GiB, aligned to 64 bytes
 *
 * Return: bytes for the guest's memory; the caller frees them
 */
GByteArray *acpi_build(const struct acpi_config *config, uint64_t base);

#endif
