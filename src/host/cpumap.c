/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cpumap.c - a set of CPUs, as bits and as text
 */
#include "host/cpumap.h"

#include <glib.h>
#include <string.h>

#include "host/read-int.h"

unsigned host_cpumap_count(const struct host_cpumap *map)
{
	unsigned count = 0;

	for (size_t i = 0; i < sizeof(map->bits); i++)
		count += (unsigned)__builtin_popcount(map->bits[i]);
	return count;
}

unsigned host_cpumap_end(const struct host_cpumap *map)
{
	size_t i = sizeof(map->bits);

	while (i > 0 && !map->bits[i - 1])
		i--;
	if (i == 0)
		return 0;
	return (unsigned)(i * 8) - ((unsigned)__builtin_clz(map->bits[i - 1]) - 24);
}

static const char *parse_range(struct host_cpumap *map, const char *text)
{
	void (*take)(struct host_cpumap *, unsigned) =
		*text == '^' ? host_cpumap_remove : host_cpumap_add;
	uint64_t first, last;

	text = host_scan_number(text + (*text == '^'), &first);
	if (!text)
		return NULL;
	last = first;
	if (*text == '-')
		text = host_scan_number(text + 1, &last);
	if (!text || last < first)
		return NULL;
	for (uint64_t cpu = first; cpu <= last && cpu < HOST_CPUS_MAX; cpu++)
		take(map, (unsigned)cpu);
	return text;
}

bool host_cpumap_parse(struct host_cpumap *ret_map, const char *text)
{
	memset(ret_map, 0, sizeof(*ret_map));
	while (g_ascii_isspace(*text))
		text++;
	if (!*text)
		return true;
	for (;; text++) {
		text = parse_range(ret_map, text);
		if (!text || *text != ',')
			break;
	}
	while (text && g_ascii_isspace(*text))
		text++;
	if (text && !*text)
		return true;
	memset(ret_map, 0, sizeof(*ret_map));
	return false;
}

char *host_cpumap_format(const struct host_cpumap *map)
{
	GString *text = g_string_new(NULL);
	unsigned end = host_cpumap_end(map);

	for (unsigned cpu = 0; cpu < end; cpu++) {
		unsigned first = cpu;

		if (!host_cpumap_has(map, cpu))
			continue;
		while (host_cpumap_has(map, cpu + 1))
			cpu++;
		g_string_append_printf(text, "%s%u", text->len ? "," : "", first);
		if (cpu > first)
			g_string_append_printf(text, "-%u", cpu);
	}
	return g_string_free(text, FALSE);
}
