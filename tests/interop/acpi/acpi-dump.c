/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * acpi-dump.c - write the ACPI tables of a machine to files: acpi-dump FOLDER CPUS MMIO,
 * the last being how many virtio devices have registers in memory, and whether there is a VM
 * generation ID
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
	struct acpi_config config = {
		.pm_base = 0x600,
		.sci = 9,
		.serial_base = 0x3f8,
		.serial_irq = 4,
		.rtc_irq = 8,
		.ecam = 0xe0000000,
		.window32 = 0xc0000000,
		.window32_end = 0xe0000000,
		.window64 = 0x800000000,
		.window64_end = 0x1000000000,
		.pci_gsi = { 16, 17, 18, 19 },
		.hotplug_base = 0xae00,
	};
	uint64_t xsdt, fadt, madt, mcfg;
	const uint8_t *p;

	if (argc != 4) {
		(void)fprintf(stderr, "usage: acpi-dump FOLDER CPUS MMIO\n");
		return 1;
	}
	config.cpus = (unsigned)strtoul(argv[2], NULL, 10);
	config.mmio_count = (unsigned)strtoul(argv[3], NULL, 10) % (ACPI_MAX_MMIO + 1);
	config.generation_id = config.mmio_count ? 0xdf000 : 0;
	for (unsigned i = 0; i < config.mmio_count; i++)
		config.mmio[i] = (struct acpi_mmio){ 0xfeb00000 + 0x200ull * i, 20 + i % 4 };
	all = acpi_build(&config, BASE);
	xsdt = get_le64(all->data + 24);
	fadt = get_le64(all->data + (xsdt - BASE) + 36);
	madt = get_le64(all->data + (xsdt - BASE) + 44);
	mcfg = get_le64(all->data + (xsdt - BASE) + 52);
	p = all->data + (fadt - BASE);
	if (!dump(all, xsdt, argv[1], "xsdt") || !dump(all, fadt, argv[1], "facp") ||
	    !dump(all, madt, argv[1], "apic") || !dump(all, mcfg, argv[1], "mcfg") ||
	    !dump(all, get_le32(p + 36), argv[1], "facs") ||
	    !dump(all, get_le32(p + 40), argv[1], "dsdt"))
		return 1;
	return 0;
}
