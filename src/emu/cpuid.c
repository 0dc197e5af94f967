/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cpuid.c - what the software engine can do, in the form of CPUID
 *
 * Most of it the engine does by itself. The instructions that it does by executing them on the host
 * are offered where the host has them. No vendor: an interpreter does not speculate (cpu/model.c).
 */
#include <cpuid.h>

#include "emu/emu-int.h"

#define BIT(n) (1u << (n))

struct host {
	uint32_t ecx1, ebx7;
};

/* CPUID is slow where the host is a guest itself: asked once. */
static const struct host *host_features(void)
{
	static struct host host;
	static _Atomic(int) known;

	if (!atomic_load(&known)) {
		unsigned a, b, c, d;

		if (__get_cpuid(1, &a, &b, &c, &d))
			host.ecx1 = c;
		if (__get_cpuid_count(7, 0, &a, &b, &c, &d))
			host.ebx7 = b;
		atomic_store(&known, 1);
	}
	return &host;
}

static void add(struct cpuid_table *t, struct cpuid_leaf leaf)
{
	assert(t->count < CPUID_MAX_LEAVES);
	t->leaf[t->count++] = leaf;
}

void emu_cpuid_offer(struct cpuid_table *offer)
{
	const struct host *host = host_features();
	uint32_t ecx, ebx;

	offer->count = 0;

	/* SSE3 SSSE3 CX16 SSE4.1 SSE4.2 x2APIC POPCNT TSC-deadline XSAVE hypervisor; by the host:
	 * PCLMULQDQ MOVBE AES RDRAND */
	ecx = BIT(0) | BIT(9) | BIT(13) | BIT(19) | BIT(20) | BIT(21) | BIT(23) | BIT(24) |
	      BIT(26) | BIT(31);
	ecx |= host->ecx1 & (BIT(1) | BIT(22) | BIT(25) | BIT(30));
	/* FPU DE PSE TSC MSR PAE MCE CX8 APIC SEP MTRR PGE MCA CMOV PAT PSE36 CLFLUSH MMX FXSR SSE
	 * SSE2 */
	add(offer, (struct cpuid_leaf){
			   .leaf = 1,
			   .ebx = 8u << 8, /* CLFLUSH: 64 bytes */
			   .ecx = ecx,
			   .edx = 0x000003fdu | 0x0003f800u | BIT(19) | 0x07800000u,
		   });
	add(offer, (struct cpuid_leaf){ .leaf = 6, .eax = BIT(2) /* ARAT */ });
	/* FSGSBASE TSC_ADJUST FDP_EXCPTN_ONLY ERMS FCS_FDS_ZERO; by the host: RDSEED ADX SHA */
	ebx = BIT(0) | BIT(1) | BIT(6) | BIT(9) | BIT(13);
	ebx |= host->ebx7 & (BIT(18) | BIT(19) | BIT(29));
	add(offer, (struct cpuid_leaf){
			   .leaf = 7,
			   .by_subleaf = true,
			   .ebx = ebx,
			   .edx = BIT(4) | BIT(29), /* FSRM ARCH_CAPABILITIES */
		   });
	add(offer, (struct cpuid_leaf){
			   .leaf = 0xd,
			   .by_subleaf = true,
			   .eax = 3, /* x87 SSE */
			   .ebx = 576,
			   .ecx = 576,
		   });
	add(offer,
	    (struct cpuid_leaf){
		    .leaf = 0xd, .subleaf = 1, .by_subleaf = true, .eax = BIT(0), /* XSAVEOPT */
	    });
	add(offer, (struct cpuid_leaf){
			   .leaf = 0x40000000,
			   .eax = 0x40000001,
			   .ebx = 0x4b4d564b, /* "KVMKVMKVM" */
			   .ecx = 0x564b4d56,
			   .edx = 0x0000004d,
		   });
	/* CLOCKSOURCE2, CLOCKSOURCE_STABLE */
	add(offer, (struct cpuid_leaf){ .leaf = 0x40000001, .eax = BIT(3) | BIT(24) });
	add(offer, (struct cpuid_leaf){ .leaf = 0x80000000, .eax = 0x80000008 });
	/* LAHF; SYSCALL NX 1G-pages RDTSCP LM */
	add(offer, (struct cpuid_leaf){
			   .leaf = 0x80000001,
			   .ecx = BIT(0),
			   .edx = BIT(11) | BIT(20) | BIT(26) | BIT(27) | BIT(29),
		   });
	add(offer, (struct cpuid_leaf){ .leaf = 0x80000007, .edx = BIT(8) });
	add(offer, (struct cpuid_leaf){ .leaf = 0x80000008, .eax = 48u << 8 | 46 });
}
