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
 *   0x0100000000  RAM, the rest
 *   behind it     PCI: BARs above 4 GiB: the first 32 GiB that are aligned to their size. Thus a
 *                 machine with less than 28 GiB needs 36 bits of physical address only
 */
#ifndef MACHINE_MEMMAP_H
#define MACHINE_MEMMAP_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "mem/mem.h"

#define MEMMAP_EBDA          0x9fc00u
#define MEMMAP_GENERATION    0xdf000u /* 16 bytes in a page of their own */
#define MEMMAP_ACPI          0xe0000u /* RSDP and tables, up to 1 MiB */
#define MEMMAP_ACPI_END      0x100000u
#define MEMMAP_HIGH          0x100000u
#define MEMMAP_HOLE          0xc0000000ull
#define MEMMAP_WINDOW32      0xc0000000ull
#define MEMMAP_WINDOW32_END  0xe0000000ull
#define MEMMAP_ECAM          0xe0000000ull
#define MEMMAP_ECAM_END      0xf0000000ull
#define MEMMAP_VIRTIO        0xfeb00000ull
#define MEMMAP_ABOVE_4G      0x100000000ull
#define MEMMAP_WINDOW64_SIZE (1ull << 35)
#define MEMMAP_MIN_RAM       (1ull << 20)
#define MEMMAP_MAX_RAM       (1ull << 40) /* 1 TiB */

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
};

/* Add RAM of @size bytes (a multiple of 1 MiB within the limits above) to @mem, and say where. */
bool memmap_build(struct mem *mem, uint64_t size, struct memmap *ret_map, GError **error);

#endif
