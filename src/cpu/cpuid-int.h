/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cpuid-int.h - the registers of CPUID that hold feature bits, and what depends on what
 */
#ifndef CPU_CPUID_INT_H
#define CPU_CPUID_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "cpu/model.h"

enum feature_word {
	F_1_ECX,
	F_1_EDX,
	F_7_EBX,
	F_7_ECX,
	F_7_EDX,
	F_7_1_EAX,
	F_7_1_EDX,
	F_XCR0, /* 0xd.0 EAX: components that XCR0 may enable; the upper half is not offered */
	F_D_1_EAX,
	F_EXT_1_ECX,
	F_EXT_1_EDX,
	F_EXT_7_EDX,
	F_EXT_8_EBX,
	F_COUNT,
};

struct features {
	uint32_t word[F_COUNT];
};

#define BIT(n) (UINT32_C(1) << (n))

/* Bits that are named in more than one place. */
#define ONE_EDX_APIC         BIT(9)
#define ONE_EDX_HTT          BIT(28)
#define ONE_ECX_X2APIC       BIT(21)
#define ONE_ECX_TSC_DEADLINE BIT(24)
#define ONE_ECX_XSAVE        BIT(26)
#define ONE_ECX_OSXSAVE      BIT(27)
#define ONE_ECX_HYPERVISOR   BIT(31)
#define XCR0_X87             BIT(0)
#define XCR0_SSE             BIT(1)
#define XCR0_AVX             BIT(2)
#define XCR0_AVX512          (BIT(5) | BIT(6) | BIT(7))

/* Where in CPUID a word stands. */
struct feature_place {
	uint32_t leaf, subleaf;
	enum {
		CPUID_EAX,
		CPUID_EBX,
		CPUID_ECX,
		CPUID_EDX
	} reg;
};

extern const struct feature_place feature_places[F_COUNT];

/* The words as @table has them; 0 where it has no such leaf. */
void features_read(const struct cpuid_table *table, struct features *ret);
/* Take away what lacks something that it needs, until nothing changes. */
void features_settle(struct features *features);

#endif
