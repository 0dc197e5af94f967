/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * model.h - CPU models: what CPUID says to a guest
 *
 * A model names the features that a guest may see. An engine offers what it can do (its own table,
 * in the same form); the guest's CPUID is the model cut down to the offer. Leaves that describe the
 * machine (topology, APIC ID, TSC frequency, hypervisor) are filled in for each vCPU.
 */
#ifndef CPU_MODEL_H
#define CPU_MODEL_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

struct cpuid_leaf {
	uint32_t leaf, subleaf;
	bool by_subleaf; /* answers for this subleaf only; else for every subleaf */
	uint32_t eax, ebx, ecx, edx;
};

enum {
	CPUID_MAX_LEAVES = 64
};

struct cpuid_table {
	unsigned count;
	struct cpuid_leaf leaf[CPUID_MAX_LEAVES];
};

struct cpu_model;

/* By name ("v2", "max"), or NULL with @error listing those there are. */
const struct cpu_model *cpu_model_find(const char *name, GError **error);
/* The names, separated by ", ". */
const char *cpu_model_names(void);

struct cpu_topology {
	unsigned cpu;     /* number of this vCPU, which is its APIC ID too */
	unsigned cpus;    /* of all vCPUs: cores of one package */
	uint32_t tsc_khz; /* what the guest is told, 0 for nothing */
};

/**
 * cpu_model_cpuid() - the guest's CPUID for one vCPU
 * @model:  what the guest may see
 * @offer:  what the engine can do: feature leaves 1, 7, 0xd, 0x80000001, 0x80000007, 0x80000008 and
 *          the hypervisor leaves 0x40000000, 0x40000001 are honoured. Those that have subleaves (7,
 *          0xd) are offered by_subleaf. Leaf 0 is offered only by an engine that executes guest
 *          code on the host's CPU: then the guest sees that CPU's vendor, family and model, for
 *          the sake of mitigations. Without it the guest sees an in-order core, for which Linux
 *          applies none (see model.c).
 * @topo:   which vCPU, of how many, at which clock
 * @ret:    the table, sorted by leaf and subleaf
 */
void cpu_model_cpuid(const struct cpu_model *model, const struct cpuid_table *offer,
		     const struct cpu_topology *topo, struct cpuid_table *ret);

/**
 * cpuid_lookup() - what the CPUID instruction returns
 *
 * Leaves beyond the highest one of their range answer as the highest basic one does (Intel SDM vol.
 * 2, CPUID), for AMD's vendors zeros; unknown leaves between answer zeros.
 */
void cpuid_lookup(const struct cpuid_table *table, uint32_t leaf, uint32_t subleaf,
		  uint32_t ret_regs[4]);

/* The leaf itself, or NULL. */
const struct cpuid_leaf *cpuid_find(const struct cpuid_table *table, uint32_t leaf,
				    uint32_t subleaf);

#endif
