/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "machine/memmap.h"

#include "base/error.h"

#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)
#define TIB ((uint64_t)1 << 40)

static void assert_map(uint64_t size, const struct memmap_entry *expected, unsigned count,
		       uint64_t window64)
{
	g_autoptr(GError) error = NULL;
	autoptr(mem) mem = mem_new();
	struct memmap map;

	g_assert_true(memmap_build(mem, size, 0, &map, &error));
	g_assert_no_error(error);
	g_assert_cmpuint(map.count, ==, count);
	for (unsigned i = 0; i < count; i++) {
		g_assert_cmphex(map.entry[i].addr, ==, expected[i].addr);
		g_assert_cmphex(map.entry[i].size, ==, expected[i].size);
		g_assert_cmpuint(map.entry[i].type, ==, expected[i].type);
		/* What is told is there, and ECAM is told but is no memory. */
		g_assert_cmpint(mem_ptr(mem, map.entry[i].addr, map.entry[i].size) != NULL, ==,
				map.entry[i].addr != MEMMAP_ECAM);
		if (i)
			g_assert_cmphex(map.entry[i].addr, >=,
					map.entry[i - 1].addr + map.entry[i - 1].size);
	}
	g_assert_cmphex(map.window64, ==, window64);
	g_assert_cmphex(map.window64_end, ==, window64 + 32 * GIB);
	if (size != 31 * GIB)
		g_assert_null(mem_ptr(mem, map.window64 - 1, 1));
	g_assert_null(mem_ptr(mem, map.window64, 1));
	g_assert_cmphex(mem_size(mem), ==, size);
	g_assert_nonnull(mem_ptr(mem, MEMMAP_ACPI, MEMMAP_ACPI_END - MEMMAP_ACPI));
	g_assert_null(mem_ptr(mem, MEMMAP_HOLE, 1));
	g_assert_null(mem_ptr(mem, MEMMAP_ABOVE_4G - 1, 1));
}

static void test_sizes(void)
{
	struct memmap_entry map[] = {
		{ 0, 0x9fc00, E820_RAM }, { 0x9fc00, 0x60400, E820_RESERVED },
		{ MIB, 0, E820_RAM },     { MEMMAP_ECAM, 256 * MIB, E820_RESERVED },
		{ 4 * GIB, 0, E820_RAM },
	};
	const struct memmap_entry least[] = { map[0], map[1], map[3] };

	assert_map(MIB, least, 3, 32 * GIB);
	map[2].size = MIB;
	assert_map(2 * MIB, map, 4, 32 * GIB);
	map[2].size = 3 * GIB - MIB;
	assert_map(3 * GIB, map, 4, 32 * GIB);
	map[4].size = MIB;
	assert_map(3 * GIB + MIB, map, 5, 32 * GIB);
	map[4].size = 28 * GIB;
	assert_map(31 * GIB, map, 5, 32 * GIB);
	map[4].size += MIB;
	assert_map(31 * GIB + MIB, map, 5, 64 * GIB);
	map[4].size = 61 * GIB;
	assert_map(64 * GIB, map, 5, 96 * GIB);
	map[4].size = TIB - 3 * GIB;
	assert_map(TIB, map, 5, TIB + 32 * GIB);
}

static void test_impossible(void)
{
	static const struct {
		uint64_t size;
		int code;
		const char *text;
	} cases[] = {
		{ 0, SOCLE_ERROR_LIMIT, "memory of 0 bytes is not possible: give 1 MiB to 1 TiB" },
		{ MIB - 1, SOCLE_ERROR_LIMIT,
		  "memory of 1048575 bytes is not possible: give 1 MiB to 1 TiB" },
		{ TIB + MIB, SOCLE_ERROR_LIMIT,
		  "memory of 1099512676352 bytes is not possible: give 1 MiB to 1 TiB" },
		{ MIB + 4096, SOCLE_ERROR_USAGE,
		  "memory of 1052672 bytes is not possible: give whole MiB" },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		g_autoptr(GError) error = NULL;
		autoptr(mem) mem = mem_new();
		struct memmap map;

		g_assert_false(memmap_build(mem, cases[i].size, 0, &map, &error));
		g_assert_error(error, SOCLE_ERROR, cases[i].code);
		g_assert_cmpstr(error->message, ==, cases[i].text);
		g_assert_cmpuint(mem_size(mem), ==, 0);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/machine/memmap/sizes", test_sizes);
	g_test_add_func("/machine/memmap/impossible", test_impossible);
	return g_test_run();
}
