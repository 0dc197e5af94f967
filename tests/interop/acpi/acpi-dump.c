/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * acpi-dump.c - write the ACPI tables of a machine to files: acpi-dump FOLDER CPUS
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "machine/acpi.h"

enum {
	BASE = 0xe0000
};

/* The table at a guest-physical address goes to FOLDER/NAME.dat. */
static bool dump(const GByteArray *all, uint64_t addr, const char *folder, const char *name)
{
	const uint8_t *table = all->data + (addr - BASE);
	g_autofree char *path = g_strdup_printf("%s/%s.dat", folder, name);
	g_autoptr(GError) error = NULL;

	if (g_file_set_contents(path, (const char *)table, get_le32(table + 4), &error))
		return true;
	(void)fprintf(stderr, "acpi-dump: %s\n", error->message);
	return false;
}

int main(int argc, char **argv)
{
	g_autoptr(GByteArray) all = NULL;
	uint64_t xsdt, fadt, madt;
	const uint8_t *p;

	if (argc != 3) {
		(void)fprintf(stderr, "usage: acpi-dump FOLDER CPUS\n");
		return 1;
	}
	all = acpi_build(
		&(struct acpi_config){
			.cpus = (unsigned)strtoul(argv[2], NULL, 10),
			.pm_base = 0x600,
			.sci = 9,
			.serial_base = 0x3f8,
			.serial_irq = 4,
			.rtc_irq = 8,
		},
		BASE);
	xsdt = get_le64(all->data + 24);
	fadt = get_le64(all->data + (xsdt - BASE) + 36);
	madt = get_le64(all->data + (xsdt - BASE) + 44);
	p = all->data + (fadt - BASE);
	if (!dump(all, xsdt, argv[1], "xsdt") || !dump(all, fadt, argv[1], "facp") ||
	    !dump(all, madt, argv[1], "apic") || !dump(all, get_le32(p + 36), argv[1], "facs") ||
	    !dump(all, get_le32(p + 40), argv[1], "dsdt"))
		return 1;
	return 0;
}
