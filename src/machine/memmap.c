/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * memmap.c - the guest's physical address space: where RAM, tables and windows lie
 */
#include "machine/memmap.h"

#include "base/error.h"

static void add_entry(struct memmap *map, uint64_t addr, uint64_t end, uint32_t type)
{
	if (addr < end)
		map->entry[map->count++] = (struct memmap_entry){ addr, end - addr, type };
}

/* What is there without firmware, for a kernel. */
static bool add_for_kernel(struct mem *mem, uint64_t below, struct memmap *map, GError **error)
{
	if (!mem_add_ram(mem, 0, below, error))
		return false;
	/* The reserved part is RAM too: the tables lie there. */
	add_entry(map, 0, MEMMAP_EBDA, E820_RAM);
	add_entry(map, MEMMAP_EBDA, MEMMAP_HIGH, E820_RESERVED);
	add_entry(map, MEMMAP_HIGH, below, E820_RAM);
	map->generation = MEMMAP_GENERATION;
	map->window32 = MEMMAP_WINDOW32;
	map->window32_end = MEMMAP_WINDOW32_END;
	return true;
}

/* What it takes from the first MiB, the firmware tells the operating system. */
static bool add_for_firmware(struct mem *mem, uint64_t below, uint64_t firmware, struct memmap *map,
			     GError **error)
{
	if (!mem_add_ram(mem, 0, MEMMAP_SCREEN, error) ||
	    !mem_add_ram(mem, MEMMAP_SCREEN_END, below - MEMMAP_SCREEN_END, error) ||
	    !mem_add_ram(mem, MEMMAP_ABOVE_4G - firmware, firmware, error))
		return false;
	map->generation = below - MEM_PAGE_SIZE;
	map->window32 = MEMMAP_FIRMWARE32;
	map->window32_end = MEMMAP_FIRMWARE32_END;
	add_entry(map, 0, map->generation, E820_RAM);
	add_entry(map, map->generation, below, E820_RESERVED);
	return true;
}

bool memmap_build(struct mem *mem, uint64_t size, uint64_t firmware, struct memmap *ret_map,
		  GError **error)
{
	uint64_t below = MIN(size, MEMMAP_HOLE);
	uint64_t above = size - below;
	struct memmap map = { .count = 0 };

	if (size < MEMMAP_MIN_RAM || size > MEMMAP_MAX_RAM)
		return error_set(error, SOCLE_ERROR_LIMIT,
				 "memory of %" G_GUINT64_FORMAT
				 " bytes is not possible: give 1 MiB to 1 TiB",
				 size);
	if (size % MEMMAP_MIN_RAM)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "memory of %" G_GUINT64_FORMAT
				 " bytes is not possible: give whole MiB",
				 size);
	if (firmware && size < FIRMWARE_MIN_RAM)
		return error_set(error, SOCLE_ERROR_LIMIT,
				 "memory of %" G_GUINT64_FORMAT
				 " MiB is too little for firmware: give 4 MiB or more",
				 size >> 20);
	if (!(firmware ? add_for_firmware(mem, below, firmware, &map, error)
		       : add_for_kernel(mem, below, &map, error)))
		return false;
	if (above && !mem_add_ram(mem, MEMMAP_ABOVE_4G, above, error))
		return false;
	/* Linux uses ECAM only if it is reserved. */
	add_entry(&map, MEMMAP_ECAM, MEMMAP_ECAM_END, E820_RESERVED);
	add_entry(&map, MEMMAP_ABOVE_4G, MEMMAP_ABOVE_4G + above, E820_RAM);
	map.window64 =
		(MEMMAP_ABOVE_4G + above + MEMMAP_WINDOW64_SIZE - 1) & ~(MEMMAP_WINDOW64_SIZE - 1);
	map.window64_end = map.window64 + MEMMAP_WINDOW64_SIZE;
	*ret_map = map;
	return true;
}
