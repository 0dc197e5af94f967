/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cpuid.c - look-up in CPUID tables, and dependencies between features
 */
#include "base/cleanup.h"
#include "cpu/cpuid-int.h"

const struct feature_place feature_places[F_COUNT] = {
	[F_1_ECX] = { 1, 0, CPUID_ECX },
	[F_1_EDX] = { 1, 0, CPUID_EDX },
	[F_7_EBX] = { 7, 0, CPUID_EBX },
	[F_7_ECX] = { 7, 0, CPUID_ECX },
	[F_7_EDX] = { 7, 0, CPUID_EDX },
	[F_7_1_EAX] = { 7, 1, CPUID_EAX },
	[F_7_1_EDX] = { 7, 1, CPUID_EDX },
	[F_XCR0] = { 0xd, 0, CPUID_EAX },
	[F_D_1_EAX] = { 0xd, 1, CPUID_EAX },
	[F_EXT_1_ECX] = { 0x80000001, 0, CPUID_ECX },
	[F_EXT_1_EDX] = { 0x80000001, 0, CPUID_EDX },
	[F_EXT_7_EDX] = { 0x80000007, 0, CPUID_EDX },
	[F_EXT_8_EBX] = { 0x80000008, 0, CPUID_EBX },
};

const struct cpuid_leaf *cpuid_find(const struct cpuid_table *table, uint32_t leaf,
				    uint32_t subleaf)
{
	for (unsigned i = 0; i < table->count; i++) {
		const struct cpuid_leaf *l = &table->leaf[i];

		if (l->leaf == leaf && (!l->by_subleaf || l->subleaf == subleaf))
			return l;
	}
	return NULL;
}

/* The leaf that begins the range which @leaf is in. */
static uint32_t range_of(uint32_t leaf)
{
	if (leaf >= 0x40000000 && leaf <= 0x4fffffff)
		return leaf & 0xffffff00;
	if (leaf >= 0xc0000000)
		return 0xc0000000;
	return leaf & 0x80000000;
}

/* Only Intel's CPUs answer for leaves that they do not have. */
static bool is_intel(const struct cpuid_leaf *basic)
{
	return basic->ebx == 0x756e6547;
}

void cpuid_lookup(const struct cpuid_table *table, uint32_t leaf, uint32_t subleaf,
		  uint32_t ret_regs[4])
{
	const struct cpuid_leaf *basic = cpuid_find(table, 0, 0);
	const struct cpuid_leaf *first = cpuid_find(table, range_of(leaf), 0);
	const struct cpuid_leaf *l;

	if (basic && is_intel(basic) && (!first || leaf > first->eax))
		leaf = basic->eax;
	l = cpuid_find(table, leaf, subleaf);
	ret_regs[0] = l ? l->eax : 0;
	ret_regs[1] = l ? l->ebx : 0;
	ret_regs[2] = l ? l->ecx : 0;
	ret_regs[3] = l ? l->edx : 0;
	/* Levels of the topology that are not there still tell their number and the APIC ID. */
	if (!l && leaf == 0xb && (l = cpuid_find(table, leaf, 0))) {
		ret_regs[2] = subleaf & 0xff;
		ret_regs[3] = l->edx;
	}
}

static uint32_t leaf_reg(const struct cpuid_leaf *l, unsigned reg)
{
	const uint32_t regs[] = { l->eax, l->ebx, l->ecx, l->edx };

	return regs[reg];
}

void features_read(const struct cpuid_table *table, struct features *ret)
{
	for (unsigned i = 0; i < F_COUNT; i++) {
		const struct feature_place *place = &feature_places[i];
		const struct cpuid_leaf *l = cpuid_find(table, place->leaf, place->subleaf);

		ret->word[i] = l ? leaf_reg(l, place->reg) : 0;
	}
}

/* Without all bits of @need in @on, the bits @what of @word go. Intel SDM vol. 1 and 2. */
static const struct {
	enum feature_word word;
	uint32_t what;
	enum feature_word on;
	uint32_t need;
} dependencies[] = {
	/* SSE: FXSR, then each on the one before; AES, PCLMULQDQ and SHA on SSE2 */
	{ F_1_EDX, BIT(25), F_1_EDX, BIT(24) },
	{ F_1_EDX, BIT(26), F_1_EDX, BIT(25) },
	{ F_1_ECX, BIT(0) | BIT(1) | BIT(25), F_1_EDX, BIT(26) },
	{ F_7_EBX, BIT(29), F_1_EDX, BIT(26) },
	{ F_1_ECX, BIT(9), F_1_ECX, BIT(0) },
	{ F_1_ECX, BIT(19), F_1_ECX, BIT(9) },
	{ F_1_ECX, BIT(20), F_1_ECX, BIT(19) },
	{ F_7_ECX, BIT(8), F_1_EDX, BIT(26) }, /* GFNI */

	/* APIC: x2APIC, TSC deadline */
	{ F_1_ECX, ONE_ECX_X2APIC | ONE_ECX_TSC_DEADLINE, F_1_EDX, ONE_EDX_APIC },
	{ F_1_ECX, ONE_ECX_TSC_DEADLINE, F_1_EDX, BIT(4) }, /* TSC */

	/* long mode: PAE, MSR; NX and gigabyte pages, PCID, 57-bit addresses need it */
	{ F_EXT_1_EDX, BIT(29), F_1_EDX, BIT(6) | BIT(5) },
	{ F_EXT_1_EDX, BIT(26), F_EXT_1_EDX, BIT(29) },
	{ F_EXT_1_EDX, BIT(20), F_1_EDX, BIT(6) },
	{ F_1_ECX, BIT(13) | BIT(17), F_EXT_1_EDX, BIT(29) },
	{ F_7_EBX, BIT(0), F_EXT_1_EDX, BIT(29) }, /* FSGSBASE */
	{ F_7_ECX, BIT(16), F_EXT_1_EDX, BIT(29) },
	{ F_7_EBX, BIT(10), F_1_ECX, BIT(17) }, /* INVPCID on PCID */

	/* XSAVE: its variants, and state that XCR0 enables */
	{ F_1_ECX, ONE_ECX_XSAVE, F_1_EDX, BIT(24) },
	{ F_1_ECX, ONE_ECX_XSAVE, F_XCR0, XCR0_X87 | XCR0_SSE },
	{ F_XCR0, UINT32_MAX, F_1_ECX, ONE_ECX_XSAVE },
	{ F_D_1_EAX, UINT32_MAX, F_1_ECX, ONE_ECX_XSAVE },
	{ F_D_1_EAX, BIT(3), F_D_1_EAX, BIT(1) }, /* XSAVES on XSAVEC */
	{ F_XCR0, XCR0_AVX512, F_XCR0, XCR0_AVX },
	{ F_XCR0, XCR0_AVX512, F_XCR0, XCR0_AVX512 },
	{ F_XCR0, BIT(3) | BIT(4), F_XCR0, BIT(3) | BIT(4) },
	{ F_7_EBX, BIT(14), F_XCR0, BIT(3) | BIT(4) }, /* MPX */
	{ F_7_ECX, BIT(3), F_XCR0, BIT(9) },           /* PKU */
	{ F_XCR0, BIT(9), F_7_ECX, BIT(3) },

	/* AVX: SSE4.2 and XSAVE; FMA, F16C, AVX2, XOP, FMA4, vector AES and PCLMULQDQ need it */
	{ F_1_ECX, BIT(28), F_XCR0, XCR0_AVX },
	{ F_1_ECX, BIT(28), F_1_ECX, BIT(20) },
	{ F_XCR0, XCR0_AVX, F_1_ECX, BIT(28) },
	{ F_1_ECX, BIT(12) | BIT(29), F_1_ECX, BIT(28) },
	{ F_7_EBX, BIT(5), F_1_ECX, BIT(28) },
	{ F_7_ECX, BIT(9) | BIT(10), F_1_ECX, BIT(28) },
	{ F_EXT_1_ECX, BIT(11) | BIT(16), F_1_ECX, BIT(28) },
	/* AVX-VNNI, AVX-IFMA; VNNI-INT8, NE-CONVERT, VNNI-INT16; SHA512, SM3, SM4 */
	{ F_7_1_EAX, BIT(0) | BIT(1) | BIT(2) | BIT(4) | BIT(23), F_7_EBX, BIT(5) },
	{ F_7_1_EDX, BIT(4) | BIT(5) | BIT(10), F_7_EBX, BIT(5) },

	/* AVX-512: foundation on AVX2 and its state, the others on the foundation */
	{ F_7_EBX, BIT(16), F_7_EBX, BIT(5) },
	{ F_7_EBX, BIT(16), F_XCR0, XCR0_AVX512 },
	{ F_XCR0, XCR0_AVX512, F_7_EBX, BIT(16) },
	{ F_7_EBX, BIT(17) | BIT(21) | BIT(26) | BIT(27) | BIT(28) | BIT(30) | BIT(31), F_7_EBX,
	  BIT(16) },
	{ F_7_ECX, BIT(1) | BIT(6) | BIT(11) | BIT(12) | BIT(14), F_7_EBX, BIT(16) },
	{ F_7_EDX, BIT(2) | BIT(3) | BIT(8) | BIT(23), F_7_EBX, BIT(16) },
	{ F_7_1_EAX, BIT(5), F_7_EBX, BIT(16) },
};

void features_settle(struct features *features)
{
	bool changed;

	do {
		changed = false;
		for (unsigned i = 0; i < ARRAY_SIZE(dependencies); i++) {
			uint32_t *word = &features->word[dependencies[i].word];
			uint32_t on = features->word[dependencies[i].on];

			if (!(*word & dependencies[i].what) ||
			    (on & dependencies[i].need) == dependencies[i].need)
				continue;
			*word &= ~dependencies[i].what;
			changed = true;
		}
	} while (changed);
}
