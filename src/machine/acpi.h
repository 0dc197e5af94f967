/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * acpi.h - ACPI tables: what the machine tells an operating system about itself
 *
 * RSDP, XSDT, FADT (revision 6, fixed hardware present), FACS, MADT, MCFG, DSDT (dsdt.h).
 */
#ifndef MACHINE_ACPI_H
#define MACHINE_ACPI_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define ACPI_ECAM_LEN     0x10000000u /* 256 buses */
#define ACPI_ECAM_BUS_LEN 0x100000u

enum {
	ACPI_MAX_MMIO = 8,
	ACPI_RSDP_LEN = 36
};

/* What has to change when the tables get another place. */
struct acpi_link {
	uint32_t at;         /* offset of the pointer or of the sum's byte */
	uint8_t size;        /* of the pointer; 0: it is a sum */
	uint32_t start, len; /* what the sum is over */
};

/* General purpose events. */
enum {
	ACPI_GPE_PCI = 1,        /* look into struct acpi_hotplug */
	ACPI_GPE_GENERATION = 2, /* the VM generation ID has changed */
};

/* A virtio device with registers in memory. */
struct acpi_mmio {
	uint64_t base;
	unsigned gsi; /* level, active high, may be shared */
};

struct acpi_config {
	unsigned cpus;
	uint16_t pm_base; /* of struct acpi_pm */
	unsigned sci;     /* its interrupt: level, active high */
	uint16_t serial_base;
	unsigned serial_irq;
	unsigned rtc_irq;

	uint64_t ecam; /* ACPI_ECAM_LEN bytes */
	/* Where BARs may be; the ends do not belong to them. */
	uint64_t window32, window32_end, window64, window64_end;
	unsigned pci_gsi[4];   /* pin P of slot S is pci_gsi[(S + P) % 4] */
	uint16_t hotplug_base; /* of struct acpi_hotplug */
	unsigned mmio_count;
	struct acpi_mmio mmio[ACPI_MAX_MMIO];
	uint64_t generation_id; /* address of the 16 bytes; 0: there is none */
	bool vga;               /* there is a screen */
	bool keyboard;          /* there is an i8042 with keyboard and mouse: */
	unsigned keyboard_irq, mouse_irq;
	bool pics;     /* there are 8259s, and a timer at ISA interrupt 0 and GSI 2 */
	GArray *links; /* of struct acpi_link, to be added to; or NULL */
};

/**
 * acpi_build() - all tables in one piece, the RSDP at its start
 * @base: guest-physical address where the piece will lie, below 4 GiB, aligned to 64 bytes
 *
 * Return: bytes for the guest's memory; the caller frees them
 */
GByteArray *acpi_build(const struct acpi_config *config, uint64_t base);

#endif
