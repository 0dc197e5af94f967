/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dsdt.h - the code and the devices in the ACPI table DSDT
 */
#ifndef MACHINE_DSDT_H
#define MACHINE_DSDT_H

#include <glib.h>

#include "machine/acpi.h"

/* What stands behind the table's header. */
void dsdt_write(GByteArray *out, const struct acpi_config *config);

#endif
