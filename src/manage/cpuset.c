/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cpuset.c - sets of CPUs: "0-3,^2" in XML, a bit for each on the wire
 */
#include "manage/cpuset-int.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static void set_bits(uint8_t *map, size_t len, unsigned long from, unsigned long to, bool on)
{
	for (unsigned long i = from; i <= to && i / 8 < len; i++) {
		uint8_t bit = (uint8_t)(1u << i % 8);

		map[i / 8] = on ? map[i / 8] | bit : map[i / 8] & (uint8_t)~bit;
	}
}

void cpuset_to_map(const char *text, uint8_t *map, size_t len)
{
	memset(map, 0, len);
	while (*text) {
		bool on = *text != '^';
		unsigned long from, to;
		char *end;

		if (!on)
			text++;
		from = to = strtoul(text, &end, 10);
		if (end == text)
			return;
		if (*end == '-')
			to = strtoul(end + 1, &end, 10);
		set_bits(map, len, from, to, on);
		if (*end != ',')
			return;
		text = end + 1;
	}
}

static bool has_bit(const uint8_t *map, size_t len, size_t i)
{
	return i / 8 < len && map[i / 8] & 1u << i % 8;
}

char *cpuset_of_map(const uint8_t *map, size_t len)
{
	GString *text = g_string_new(NULL);

	for (size_t i = 0; i < len * 8; i++) {
		size_t last = i;

		if (!has_bit(map, len, i))
			continue;
		while (has_bit(map, len, last + 1))
			last++;
		g_string_append_printf(text, "%s%zu", text->len ? "," : "", i);
		if (last > i)
			g_string_append_printf(text, "-%zu", last);
		i = last;
	}
	return g_string_free(text, text->len == 0);
}
