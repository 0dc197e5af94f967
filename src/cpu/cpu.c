/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cpu.c - what engines have in common without running anything: names of the statistics
 */
#include "cpu/cpu.h"

const char *const cpu_stat_names[CPU_STAT_COUNT] = {
	[CPU_STAT_PIO] = "pio",
	[CPU_STAT_MMIO] = "mmio",
	[CPU_STAT_HLT] = "hlt",
	[CPU_STAT_MSR] = "msr",
	[CPU_STAT_CPUID] = "cpuid",
	[CPU_STAT_INTERRUPT] = "interrupt",
	[CPU_STAT_EXCEPTION] = "exception",
	[CPU_STAT_TLB_FILL] = "tlb-fill",
	[CPU_STAT_DECODE] = "decode",
	[CPU_STAT_SMC] = "smc",
	[CPU_STAT_KICK] = "kick",
	[CPU_STAT_OTHER] = "other",
};
