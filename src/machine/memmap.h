/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * memmap.h - the guest's physical address space: where RAM, tables and windows lie
 *
 *   0x0000000000  RAM (640 KiB less the EBDA), boot structures at 0x500 and from 0x6000
 *   0x000009fc00  reserved up to 1 MiB; VM generation ID at 0xdf000, ACPI tables from 0xe0000
 *   0x0000100000  RAM, up to 3 GiB
 *   0x00c0000000  PCI: BARs below 4 GiB
 *   0x00e0000000  PCI: configuration (ECAM) of 256 buses, reserved
 *   0x00feb00000  virtio devices with registers in memory, 512 bytes each
 *   0x00fec00000  I/O APIC; local APICs at 0xfee00000
 *   0x0100000000  RAM, the rest; firmware ends here
 *   behind it     PCI: BARs above 4 GiB: the first 32 GiB that are aligned to their size. Thus a
 *                 machine with less than 28 GiB needs 36 bits of physical address only
 *
 * With firmware there are no tables, and from 0xa0000 to 0xc0000 is the screen, or nothing.
 * The VM generation ID is in the last page of RAM below 3 GiB. BARs below 4 GiB are from 0xf0000000 to
 * 0xfec00000: SeaBIOS begins at the upper end. Devices with registers in memory lie among them, at the
 * lower end of the last MiB, which SeaBIOS does not reach with less than a MiB of BARs.
 */
#ifndef MACHINE_MEMMAP_H
#define MACHINE_MEMMAP_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "mem/mem.h"

#define MEMMAP_EBDA           0x9fc00u
#define MEMMAP_SCREEN         0xa0000u
#define MEMMAP_SCREEN_END     0xc0000u
#define MEMMAP_GENERATION     0xdf000u /* 16 bytes in a page of their own */
#define MEMMAP_ACPI           0xe0000u /* RSDP and tables, up to 1 MiB */
#define MEMMAP_ACPI_END       0x100000u
#define MEMMAP_HIGH           0x100000u
#define MEMMAP_HOLE           0xc0000000ull
#define MEMMAP_WINDOW32       0xc0000000ull
#define MEMMAP_WINDOW32_END   0xe0000000ull
#define MEMMAP_ECAM           0xe0000000ull
#define MEMMAP_ECAM_END       0xf0000000ull
#define MEMMAP_FIRMWARE32     0xf0000000ull /* BARs below 4 GiB, with firmware */
#define MEMMAP_FIRMWARE32_END 0xfec00000ull
#define MEMMAP_VIRTIO         0xfeb00000ull
#define MEMMAP_ABOVE_4G       0x100000000ull
#define MEMMAP_WINDOW64_SIZE  (1ull << 35)
#define MEMMAP_MIN_RAM        (1ull << 20)
#define MEMMAP_MAX_RAM        (1ull << 40) /* 1 TiB */
#define FIRMWARE_GRANULE      (64ull << 10)
#define FIRMWARE_LOW          (128ull << 10) /* so much of its end is below 1 MiB, too */
#define FIRMWARE_MAX          (8ull << 20)
#define FIRMWARE_MIN_RAM      (4ull << 20) /* what SeaBIOS needs */

enum {
	E820_RAM = 1,
	E820_RESERVED = 2,
	E820_ACPI = 3,
	E820_NVS = 4
};

struct memmap_entry {
	uint64_t addr, size;
	uint32_t type; /* E820_ */
};

enum {
	MEMMAP_MAX_ENTRIES = 16
};

/* What firmware would tell an operating system: ascending, not overlapping. */
struct memmap {
	unsigned count;
	struct memmap_entry entry[MEMMAP_MAX_ENTRIES];
	uint64_t window64, window64_end; /* for PCI; the end does not belong to it */
	uint64_t window32, window32_end;
	uint64_t generation; /* where a VM generation ID is */
};

/* Add RAM of @size bytes (a multiple of 1 MiB within the limits above) to @mem, and say where. With
 * @firmware bytes of firmware, which are RAM to the engine, or 0. */
bool memmap_build(struct mem *mem, uint64_t size, uint64_t firmware, struct memmap *ret_map,
		  GError **error);

#endif
