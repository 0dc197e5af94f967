/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * facts-cells.c - NUMA cells, the CPUs in them, and how these make cores and sockets
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "host/facts-int.h"
#include "host/read-int.h"

static unsigned read_unsigned(const struct host_facts *facts, unsigned cpu, const char *file,
			      unsigned otherwise)
{
	uint64_t value;

	if (!host_read_number(&value, facts->root, "/sys/devices/system/cpu/cpu%u/topology/%s", cpu,
			      file) ||
	    value > INT32_MAX)
		return otherwise;
	return (unsigned)value;
}

/* Without topology each CPU is a core. */
static struct host_cpu read_cpu(const struct host_facts *facts, unsigned id, bool online)
{
	struct host_cpu cpu = { .id = id, .known = online };
	struct host_cpumap *map;
	char text[512];

	if (!online)
		return cpu;
	cpu.socket = read_unsigned(facts, id, "physical_package_id", 0);
	cpu.die = read_unsigned(facts, id, "die_id", 0);
	cpu.core = read_unsigned(facts, id, "core_id", id);
	host_read_text(text, sizeof(text), facts->root,
		       "/sys/devices/system/cpu/cpu%u/topology/thread_siblings_list", id);
	map = g_new(struct host_cpumap, 1);
	if (!host_cpumap_parse(map, text) || !host_cpumap_has(map, id)) {
		memset(map, 0, sizeof(*map));
		host_cpumap_add(map, id);
	}
	cpu.siblings = host_cpumap_format(map);
	g_free(map);
	return cpu;
}

static void read_cell_cpus(const struct host_facts *facts, struct host_cell *cell,
			   const struct host_cpumap *cpus, const struct host_cpumap *online)
{
	unsigned end = host_cpumap_end(cpus);

	cell->cpus = g_new0(struct host_cpu, host_cpumap_count(cpus));
	for (unsigned id = 0; id < end; id++) {
		if (host_cpumap_has(cpus, id))
			cell->cpus[cell->cpu_count++] =
				read_cpu(facts, id, host_cpumap_has(online, id));
	}
}

/* What is not in larger pages is in small ones. */
static void read_cell_pages(const struct host_facts *facts, struct host_cell *cell, bool node)
{
	uint64_t rest = cell->memory_kib;

	for (unsigned i = 1; i < facts->page_sizes; i++) {
		uint64_t size = facts->page_kib[i], count = 0;
		bool known;

		if (node)
			known = host_read_number(&count, facts->root,
						 "/sys/devices/system/node/node%u/hugepages/"
						 "hugepages-%" PRIu64 "kB/nr_hugepages",
						 cell->id, size);
		else
			known = host_read_number(&count, facts->root,
						 "/sys/kernel/mm/hugepages/"
						 "hugepages-%" PRIu64 "kB/nr_hugepages",
						 size);
		if (!known || count > rest / size)
			continue;
		cell->pages[i] = count;
		rest -= count * size;
	}
	cell->pages[0] = rest / facts->page_kib[0];
}

static void read_distances(struct host_facts *facts, struct host_cell *cell)
{
	unsigned *list = g_new(unsigned, facts->cell_count);
	const char *p;
	char text[HOST_LINE_MAX * 2];

	host_read_text(text, sizeof(text), facts->root, "/sys/devices/system/node/node%u/distance",
		       cell->id);
	p = text;
	for (unsigned i = 0; p && i < facts->cell_count; i++) {
		uint64_t value;

		p = host_scan_number(p + strspn(p, " "), &value);
		list[i] = p && value <= 255 ? (unsigned)value : 0;
	}
	if (p)
		cell->distances = g_steal_pointer(&list);
	g_free(list);
}

/* The kernel tells of cells. */
static bool read_nodes(struct host_facts *facts, const struct host_cpumap *online)
{
	g_autofree struct host_cpumap *nodes = g_new0(struct host_cpumap, 1);
	g_autofree struct host_cpumap *cpus = g_new0(struct host_cpumap, 1);
	char text[512];
	unsigned end;

	host_read_text(text, sizeof(text), facts->root, "/sys/devices/system/node/online");
	if (!host_cpumap_parse(nodes, text))
		return false;
	end = MIN(host_cpumap_end(nodes), HOST_CELLS_MAX);
	if (end == 0)
		return false;
	facts->cells = g_new0(struct host_cell, end);
	for (unsigned id = 0; id < end; id++) {
		struct host_cell *cell = &facts->cells[facts->cell_count];
		struct host_memory memory;
		g_autofree char *list = NULL;

		if (!host_cpumap_has(nodes, id))
			continue;
		cell->id = id;
		facts->cell_count++;
		list = host_read_all(facts->root, "/sys/devices/system/node/node%u/cpulist", id);
		if (list && host_cpumap_parse(cpus, list))
			read_cell_cpus(facts, cell, cpus, online);
		if (host_cell_memory(facts, facts->cell_count - 1, &memory, NULL))
			cell->memory_kib = memory.total_kib;
		read_cell_pages(facts, cell, true);
	}
	for (unsigned i = 0; i < facts->cell_count; i++)
		read_distances(facts, &facts->cells[i]);
	return true;
}

static bool any_cpu(const struct host_facts *facts)
{
	for (unsigned i = 0; i < facts->cell_count; i++) {
		if (facts->cells[i].cpu_count > 0)
			return true;
	}
	return false;
}

void facts_read_cells(struct host_facts *facts)
{
	g_autofree struct host_cpumap *online = g_new0(struct host_cpumap, 1);
	g_autofree struct host_cpumap *present = g_new0(struct host_cpumap, 1);

	host_cpus_online(facts, online);
	host_cpus_present(facts, present);
	if (!read_nodes(facts, online)) {
		facts->cells = g_new0(struct host_cell, 1);
		facts->cell_count = 1;
		facts->cells[0].memory_kib = facts->memory_kib;
		read_cell_pages(facts, &facts->cells[0], false);
	}
	/* Cells without lists of CPUs: the first has all. */
	if (!any_cpu(facts))
		read_cell_cpus(facts, &facts->cells[0], present, online);
}

/* Where a thread is: cell, socket, die, core. */
enum {
	PLACE_PARTS = 4
};
struct place {
	unsigned part[PLACE_PARTS];
};

static int by_place(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	for (unsigned i = 0; i < PLACE_PARTS; i++) {
		if (x->part[i] != y->part[i])
			return x->part[i] < y->part[i] ? -1 : 1;
	}
	return 0;
}

/* How many parts @p and @q have in common from the left. */
static unsigned common(const struct place *p, const struct place *q)
{
	unsigned i = 0;

	while (i < PLACE_PARTS && p->part[i] == q->part[i])
		i++;
	return i;
}

/* Sockets in a cell, dies in a socket, cores in a die, threads in a core: the most of each. */
static void count_parts(const struct place *places, unsigned count, unsigned ret_most[PLACE_PARTS])
{
	unsigned now[PLACE_PARTS] = { 0 };

	for (unsigned i = 0; i < count; i++) {
		unsigned same = i ? common(&places[i - 1], &places[i]) : 0;

		/* What the thread begins anew: of these there is one; of what it is in, one more. */
		for (unsigned j = same; j < PLACE_PARTS; j++)
			now[j] = 1;
		if (same > 0)
			now[same - 1]++;
		for (unsigned j = 0; j < PLACE_PARTS; j++)
			ret_most[j] = MAX(ret_most[j], now[j]);
	}
}

void facts_count_topology(struct host_facts *facts)
{
	unsigned most[PLACE_PARTS] = { 1, 1, 1, 1 };
	struct place *places;
	unsigned count = 0;

	for (unsigned i = 0; i < facts->cell_count; i++)
		count += facts->cells[i].cpu_count;
	places = g_new(struct place, count + 1);
	count = 0;
	for (unsigned i = 0; i < facts->cell_count; i++) {
		for (unsigned j = 0; j < facts->cells[i].cpu_count; j++) {
			const struct host_cpu *cpu = &facts->cells[i].cpus[j];

			if (cpu->known)
				places[count++] =
					(struct place){ { i, cpu->socket, cpu->die, cpu->core } };
		}
	}
	qsort(places, count, sizeof(places[0]), by_place);
	count_parts(places, count, most);
	g_free(places);
	facts->sockets = most[0];
	facts->dies = most[1];
	facts->cores = most[2];
	facts->threads = most[3];
}
