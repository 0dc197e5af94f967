/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * facts.h - what the host is: its CPUs, memory, names
 *
 * What stays is read once, by host_facts_new(). What moves (free memory, times, CPUs that come and
 * go, the host's name) is read when it is asked for, from files of the kernel that never wait,
 * without an allocation. What is not to be found out is unknown: 0, NULL, or left out. A container
 * may have nothing but /proc/stat.
 *
 * A host may be made up, for the driver "test": it has no root, and what would move stands still.
 *
 * Threads: any; whoever has it does not change it.
 */
#ifndef HOST_FACTS_H
#define HOST_FACTS_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "host/cpumap.h"

enum {
	HOST_CELLS_MAX = 1024,
	HOST_PAGE_SIZES_MAX = 8,
};

struct host_memory {
	uint64_t total_kib, free_kib;
	uint64_t available_kib, buffers_kib, cached_kib; /* 0 for a cell */
};

struct host_cpu_times {
	uint64_t user_ns, system_ns, idle_ns, iowait_ns;
};

struct host_cpu {
	unsigned id;
	bool known; /* the rest is: not of one that is offline */
	unsigned socket, die, core;
	char *siblings; /* threads of its core, "0,4" */
};

struct host_cell {
	unsigned id;
	uint64_t memory_kib;
	uint64_t pages[HOST_PAGE_SIZES_MAX]; /* how many, in the order of page_kib */
	struct host_cpu *cpus;
	unsigned cpu_count;
	unsigned *distances; /* to each cell in their order; NULL: unknown */
};

/* From the firmware; what is unknown is NULL. */
struct host_smbios {
	char *bios_vendor, *bios_version, *bios_date, *bios_release;
	char *system_vendor, *product, *version, *serial, *sku, *family;
	char *board_vendor, *board, *board_version, *board_serial;
	char *chassis_vendor, *chassis_version, *chassis_serial;
};

struct host_facts {
	char *root;       /* "": the host itself; NULL: made up */
	const char *arch; /* "x86_64" */
	char *cpu_model;  /* as the CPU calls itself */
	char *cpu_vendor; /* "Intel", "AMD", or as the CPU says it */
	char **features;  /* names that libvirt has for them, sorted; NULL-terminated, never NULL */
	bool vmx, svm;    /* it can run guests by itself, if the firmware lets it */
	unsigned mhz;
	unsigned sockets, dies, cores, threads; /* sockets in a cell, dies in a socket, cores in a
						   die; not below 1 */
	struct host_cell *cells;                /* one at least, with the CPUs that are theirs */
	unsigned cell_count;
	uint64_t page_kib[HOST_PAGE_SIZES_MAX]; /* ascending; 4 is the first */
	unsigned page_sizes;
	uint64_t memory_kib;
	char *uuid;    /* of the machine, else of its system; NULL: unknown */
	char *boot_id; /* another one after each start; NULL: unknown */
	struct host_smbios smbios;

	/* Of a host that is made up. */
	struct {
		const char *name;
		struct host_memory memory;
		struct host_cpu_times times;
	} still;
};

/* @root: "/" but for tests. Never fails. */
struct host_facts *host_facts_new(const char *root);
void host_facts_free(struct host_facts *facts);
DEFINE_AUTOPTR(host_facts, host_facts_free);

/* Does the CPU have it? By the name in libvirt's XML. */
bool host_facts_have(const struct host_facts *facts, const char *feature);

/* == What moves == */

bool host_memory(const struct host_facts *facts, struct host_memory *ret, GError **error);
/* Total and free of a cell, by its place in @facts->cells. */
bool host_cell_memory(const struct host_facts *facts, unsigned cell, struct host_memory *ret,
		      GError **error);
/* Free pages of one of the sizes in @facts->page_kib in a cell. */
bool host_free_pages(const struct host_facts *facts, unsigned cell, uint64_t page_kib,
		     uint64_t *ret, GError **error);
/* Since the host's start, of a CPU by its number, or of all together: -1. */
bool host_cpu_times(const struct host_facts *facts, int cpu, struct host_cpu_times *ret,
		    GError **error);
void host_cpus_online(const struct host_facts *facts, struct host_cpumap *ret);
void host_cpus_present(const struct host_facts *facts, struct host_cpumap *ret);
/* The host's name, "localhost" if it has none. */
void host_name(const struct host_facts *facts, char *buf, size_t size);

#endif
