/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * facts-int.h - the parts of host_facts_new(), each for what it knows
 */
#ifndef HOST_FACTS_INT_H
#define HOST_FACTS_INT_H

#include "host/facts.h"

/* Cells, their memory and pages, and the CPUs in them; page sizes and memory must be known. */
void facts_read_cells(struct host_facts *facts);
/* sockets, dies, cores and threads from the CPUs of all cells. */
void facts_count_topology(struct host_facts *facts);

/* Names as libvirt has them, from the words of "flags" in /proc/cpuinfo. */
char **facts_features(const char *flags);

#endif
