/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cpumap.h - a set of CPUs, as bits and as text: the kernel's "0-3,8", and that of definitions, in which
 * "^" takes out what stands before it: "0-3,^2"
 *
 * Threads: any, one at a time for each set.
 */
#ifndef HOST_CPUMAP_H
#define HOST_CPUMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	HOST_CPUS_MAX = 16384 /* as many as a map of the protocol has bits */
};

/* CPU n is bit n % 8 of byte n / 8. */
struct host_cpumap {
	uint8_t bits[HOST_CPUS_MAX / 8];
};

static inline bool host_cpumap_has(const struct host_cpumap *map, unsigned cpu)
{
	return cpu < HOST_CPUS_MAX && (map->bits[cpu / 8] >> cpu % 8 & 1);
}

static inline void host_cpumap_add(struct host_cpumap *map, unsigned cpu)
{
	if (cpu < HOST_CPUS_MAX)
		map->bits[cpu / 8] |= (uint8_t)(1 << cpu % 8);
}

static inline void host_cpumap_remove(struct host_cpumap *map, unsigned cpu)
{
	if (cpu < HOST_CPUS_MAX)
		map->bits[cpu / 8] &= (uint8_t) ~(1 << cpu % 8);
}

/* How many are in it. */
unsigned host_cpumap_count(const struct host_cpumap *map);
/* One more than the highest; 0: it is empty. */
unsigned host_cpumap_end(const struct host_cpumap *map);

/* A text that is no list is refused, and @ret_map empty; CPUs that have no place in the map are left
 * out. */
bool host_cpumap_parse(struct host_cpumap *ret_map, const char *text);
/* g_free() it; "" if it is empty. */
char *host_cpumap_format(const struct host_cpumap *map);

#endif
