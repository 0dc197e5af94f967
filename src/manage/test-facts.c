/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-facts.c - the host of the driver "test": two cells of two sockets of two cores of two threads
 */
#include "manage/host-int.h"

enum {
	CELLS = 2,
	CELL_CPUS = 8,
};

static void make_cell(struct host_cell *cell, unsigned id, uint64_t memory_kib)
{
	*cell = (struct host_cell){ .id = id,
				    .memory_kib = memory_kib,
				    .pages = { memory_kib / 4 },
				    .cpus = g_new0(struct host_cpu, CELL_CPUS),
				    .cpu_count = CELL_CPUS };
	for (unsigned i = 0; i < CELL_CPUS; i++) {
		unsigned cpu = id * CELL_CPUS + i;

		cell->cpus[i] = (struct host_cpu){ .id = cpu,
						   .known = true,
						   .socket = id * 2 + i / 4,
						   .core = i / 2 % 2,
						   .siblings = g_strdup_printf("%u-%u", cpu & ~1u,
									       cpu | 1u) };
	}
}

static struct host_facts *make_facts(void)
{
	struct host_facts *facts = g_new0(struct host_facts, 1);

	facts->arch = "x86_64";
	facts->features = g_new0(char *, 1);
	facts->mhz = 1400;
	facts->sockets = facts->cores = facts->threads = 2;
	facts->dies = 1;
	facts->cells = g_new(struct host_cell, CELLS);
	facts->cell_count = CELLS;
	make_cell(&facts->cells[0], 0, 1048576);
	make_cell(&facts->cells[1], 1, 2097152);
	facts->page_kib[0] = 4;
	facts->page_kib[1] = 2048;
	facts->page_sizes = 2;
	facts->memory_kib = 3145728;
	facts->still.name = "test";
	facts->still.memory = (struct host_memory){ .total_kib = 3145728,
						    .free_kib = 2097152,
						    .available_kib = 2097152,
						    .buffers_kib = 65536,
						    .cached_kib = 524288 };
	facts->still.times = (struct host_cpu_times){ .user_ns = UINT64_C(9797400000000),
						      .system_ns = UINT64_C(34678723400000),
						      .idle_ns = UINT64_C(87264900000000),
						      .iowait_ns = UINT64_C(763600000000) };
	return facts;
}

const struct host_facts *node_facts(const struct node *node)
{
	static struct host_facts *made_up;

	if (node->config.facts)
		return node->config.facts;
	if (g_once_init_enter(&made_up))
		g_once_init_leave(&made_up, make_facts());
	return made_up;
}
