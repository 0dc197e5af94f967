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

bool memmap_build(struct mem *mem, uint64_t size, struct memmap *ret_map, GError **error)
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
	if (!mem_add_ram(mem, 0, below, error))
		return false;
	if (above && !mem_add_ram(mem, MEMMAP_ABOVE_4G, above, error))
		return false;

	/* The reserved part is RAM too: the tables lie there. */
	add_entry(&map, 0, MEMMAP_EBDA, E820_RAM);
	add_entry(&map, MEMMAP_EBDA, MEMMAP_HIGH, E820_RESERVED);
	add_entry(&map, MEMMAP_HIGH, below, E820_RAM);
	/* Linux uses ECAM only if it is reserved. */
	add_entry(&map, MEMMAP_ECAM, MEMMAP_ECAM_END, E820_RESERVED);
	add_entry(&map, MEMMAP_ABOVE_4G, MEMMAP_ABOVE_4G + above, E820_RAM);
	map.window64 =
		(MEMMAP_ABOVE_4G + above + MEMMAP_WINDOW64_SIZE - 1) & ~(MEMMAP_WINDOW64_SIZE - 1);
	map.window64_end = map.window64 + MEMMAP_WINDOW64_SIZE;
	*ret_map = map;
	return true;
}
