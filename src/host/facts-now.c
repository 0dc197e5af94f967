/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * facts-now.c - what the host is: what moves
 */
#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "host/facts.h"
#include "host/read-int.h"

struct wanted {
	const char *key;
	uint64_t *value;
};

/* "Key:   123 kB" for each key. Return: how many were found. */
static unsigned read_keys(struct host_lines *lines, size_t skip, const struct wanted *wanted,
			  unsigned count)
{
	unsigned found = 0;
	const char *line;

	while (found < count && (line = host_lines_next(lines)) != NULL) {
		if (strnlen(line, skip) < skip)
			continue;
		line += skip;
		for (unsigned i = 0; i < count; i++) {
			size_t len = strlen(wanted[i].key);
			const char *text;

			if (strncmp(line, wanted[i].key, len) != 0 || line[len] != ':')
				continue;
			text = line + len + 1;
			found +=
				host_scan_number(text + strspn(text, " "), wanted[i].value) != NULL;
		}
	}
	return found;
}

bool host_memory(const struct host_facts *facts, struct host_memory *ret, GError **error)
{
	struct host_memory memory = { 0 };
	const struct wanted wanted[] = {
		{ "MemTotal", &memory.total_kib },         { "MemFree", &memory.free_kib },
		{ "Buffers", &memory.buffers_kib },        { "Cached", &memory.cached_kib },
		{ "MemAvailable", &memory.available_kib },
	};
	struct host_lines lines;

	if (!facts->root) {
		*ret = facts->still.memory;
		return true;
	}
	if (host_lines_open(&lines, facts->root, "/proc/meminfo")) {
		read_keys(&lines, 0, wanted, G_N_ELEMENTS(wanted));
		host_lines_close(&lines);
	}
	if (!memory.total_kib)
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "the host does not tell its memory: /proc/meminfo is missing or "
				 "has no MemTotal; mount /proc");
	*ret = memory;
	return true;
}

static bool no_cell(GError **error, unsigned cell)
{
	return error_set(error, SOCLE_ERROR_USAGE,
			 "the host has no NUMA cell %u; see the cells in its capabilities", cell);
}

bool host_cell_memory(const struct host_facts *facts, unsigned cell, struct host_memory *ret,
		      GError **error)
{
	struct host_memory memory = { 0 };
	const struct wanted wanted[] = {
		{ "MemTotal", &memory.total_kib },
		{ "MemFree", &memory.free_kib },
	};
	struct host_lines lines;
	char prefix[32];
	int skip;

	if (cell >= facts->cell_count)
		return no_cell(error, cell);
	if (!facts->root) {
		memory.total_kib = facts->cells[cell].memory_kib;
		memory.free_kib = facts->still.memory.free_kib / facts->cell_count;
		*ret = memory;
		return true;
	}
	skip = g_snprintf(prefix, sizeof(prefix), "Node %u ", facts->cells[cell].id);
	if (host_lines_open(&lines, facts->root, "/sys/devices/system/node/node%u/meminfo",
			    facts->cells[cell].id)) {
		read_keys(&lines, (size_t)skip, wanted, G_N_ELEMENTS(wanted));
		host_lines_close(&lines);
	}
	/* Where the kernel has no cells, the only one has all. */
	if (!memory.total_kib && facts->cell_count == 1)
		return host_memory(facts, ret, error);
	*ret = memory;
	return true;
}

bool host_free_pages(const struct host_facts *facts, unsigned cell, uint64_t page_kib,
		     uint64_t *ret, GError **error)
{
	struct host_memory memory = { 0 };
	uint64_t count = 0;
	unsigned i = 0;

	if (cell >= facts->cell_count)
		return no_cell(error, cell);
	while (i < facts->page_sizes && facts->page_kib[i] != page_kib)
		i++;
	if (i == facts->page_sizes)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "the host has no pages of %" PRIu64
				 " KiB; see <pages> in its capabilities",
				 page_kib);
	if (i == 0) {
		if (!host_cell_memory(facts, cell, &memory, error))
			return false;
		count = memory.free_kib / page_kib;
	} else if (facts->root &&
		   !host_read_number(&count, facts->root,
				     "/sys/devices/system/node/node%u/hugepages/"
				     "hugepages-%" PRIu64 "kB/free_hugepages",
				     facts->cells[cell].id, page_kib) &&
		   facts->cell_count == 1) {
		(void)host_read_number(&count, facts->root,
				       "/sys/kernel/mm/hugepages/hugepages-%" PRIu64
				       "kB/free_hugepages",
				       page_kib);
	}
	*ret = count;
	return true;
}

/* Of a line "cpu3 1 2 3 ..." of /proc/stat. */
static void parse_times(const char *text, struct host_cpu_times *ret)
{
	enum {
		USER,
		NICE,
		SYSTEM,
		IDLE,
		IOWAIT,
		IRQ,
		SOFTIRQ,
		COUNT
	};
	static const uint64_t tick_ns = UINT64_C(10) * 1000 * 1000; /* USER_HZ is 100 on x86 */
	uint64_t ticks[COUNT] = { 0 };

	for (unsigned i = 0; text && i < COUNT; i++)
		text = host_scan_number(text + strspn(text, " "), &ticks[i]);
	*ret = (struct host_cpu_times){
		.user_ns = (ticks[USER] + ticks[NICE]) * tick_ns,
		.system_ns = (ticks[SYSTEM] + ticks[IRQ] + ticks[SOFTIRQ]) * tick_ns,
		.idle_ns = ticks[IDLE] * tick_ns,
		.iowait_ns = ticks[IOWAIT] * tick_ns,
	};
}

bool host_cpu_times(const struct host_facts *facts, int cpu, struct host_cpu_times *ret,
		    GError **error)
{
	struct host_lines lines;
	bool found = false;
	char key[24] = "cpu ";
	const char *line;
	size_t len;

	if (!facts->root) {
		*ret = facts->still.times;
		return true;
	}
	if (cpu >= 0)
		(void)g_snprintf(key, sizeof(key), "cpu%d ", cpu);
	len = strlen(key);
	if (host_lines_open(&lines, facts->root, "/proc/stat")) {
		while (!found && (line = host_lines_next(&lines)) != NULL &&
		       g_str_has_prefix(line, "cpu")) {
			found = !strncmp(line, key, len);
			if (found)
				parse_times(line + len, ret);
		}
		host_lines_close(&lines);
	}
	if (!found && cpu < 0)
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "the host does not tell the time of its CPUs: /proc/stat is "
				 "missing; mount /proc");
	if (!found)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "the host has no CPU %d that is online; see its CPU map", cpu);
	return true;
}

static void made_up_cpus(const struct host_facts *facts, struct host_cpumap *ret)
{
	for (unsigned i = 0; i < facts->cell_count; i++) {
		for (unsigned j = 0; j < facts->cells[i].cpu_count; j++)
			host_cpumap_add(ret, facts->cells[i].cpus[j].id);
	}
}

/* All that /proc/stat counts the time of, or the one that reads this. */
static void counted_cpus(const struct host_facts *facts, struct host_cpumap *ret)
{
	struct host_lines lines;
	const char *line;
	uint64_t cpu;

	if (host_lines_open(&lines, facts->root, "/proc/stat")) {
		while ((line = host_lines_next(&lines)) != NULL && g_str_has_prefix(line, "cpu")) {
			if (host_scan_number(line + 3, &cpu) && cpu < HOST_CPUS_MAX)
				host_cpumap_add(ret, (unsigned)cpu);
		}
		host_lines_close(&lines);
	}
	if (!host_cpumap_end(ret))
		host_cpumap_add(ret, 0);
}

static bool read_cpus(const struct host_facts *facts, const char *file, struct host_cpumap *ret)
{
	char text[HOST_LINE_MAX];

	return host_read_text(text, sizeof(text), facts->root, "/sys/devices/system/cpu/%s", file) >
		       0 &&
	       host_cpumap_parse(ret, text) && host_cpumap_end(ret) > 0;
}

void host_cpus_online(const struct host_facts *facts, struct host_cpumap *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (!facts->root)
		made_up_cpus(facts, ret);
	else if (!read_cpus(facts, "online", ret))
		counted_cpus(facts, ret);
}

void host_cpus_present(const struct host_facts *facts, struct host_cpumap *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (!facts->root)
		made_up_cpus(facts, ret);
	else if (!read_cpus(facts, "present", ret))
		host_cpus_online(facts, ret);
}

void host_name(const struct host_facts *facts, char *buf, size_t size)
{
	if (!facts->root)
		(void)g_strlcpy(buf, facts->still.name, size);
	else if (host_read_text(buf, size, facts->root, "/proc/sys/kernel/hostname") <= 0)
		(void)g_strlcpy(buf, "localhost", size);
}
