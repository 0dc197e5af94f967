/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cpuset-int.h - sets of CPUs: "0-3,^2" in XML, a bit for each on the wire
 */
#ifndef MANAGE_CPUSET_INT_H
#define MANAGE_CPUSET_INT_H

#include <glib.h>
#include <stddef.h>
#include <stdint.h>

/* Set in @map, of @len bytes, those that @text names; what is beyond its end is left out. */
void cpuset_to_map(const char *text, uint8_t *map, size_t len);
/* The text for a map; NULL if no bit is set. */
char *cpuset_of_map(const uint8_t *map, size_t len);

#endif
