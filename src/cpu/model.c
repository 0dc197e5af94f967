/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * model.c - CPU models: what CPUID says to a guest
 *
 * "v2" (the default) is the level x86-64-v2 of the psABI, and from beyond it what makes guests
 * faster or start faster and costs engines little: AES, PCLMULQDQ, SHA, MOVBE, ADX, RDRAND, RDSEED,
 * FSGSBASE, fast string moves, RDTSCP, XSAVE, x2APIC, TSC deadline, invariant TSC. "max" is what
 * the engine offers, without what the seam cannot carry.
 *
 * Who the CPU claims to be. An engine that interprets offers no vendor (leaf 0). Then the guest
 * sees GenuineIntel, family 6, model 0x36, stepping 10: an in-order Atom, which does not speculate.
 * Linux knows that (cpu_vuln_whitelist[], NO_SPECULATION) and applies no mitigations: no page table
 * isolation, no retpolines, no buffer clearing. For an interpreter that is the truth, and it is
 * much faster. An engine that lets guests execute on the host's CPU offers that CPU's vendor, and
 * then the guest has to see vendor, family, model and stepping of the host, whatever the model,
 * and the features that mitigations need: a guest that believed in the in-order core would leave
 * its own kernel open to its own programs. (Vendors also differ in SYSCALL and SYSENTER.)
 *
 * Always said, whatever the offer: hypervisor bit; ARAT (timers of virtual APICs never stop).
 */
#include "cpu/model.h"

#include <assert.h>
#include <string.h>

#include "base/error.h"
#include "cpu/cpuid-int.h"
#include "cpu/lapic.h"
#include "cpu/state.h"

enum {
	MAX_BASIC = 0x16,
	MAX_BASIC_NO_TSC = 0xd,
	SIGNATURE = 0x3066a, /* family 6, model 0x36, stepping 10 */
	CLFLUSH_LINE = 64,
	XSAVE_LEGACY = 576, /* x87, SSE and the header */
	DEFAULT_ADDRESS_BITS = 48 << 8 | 40,
	TSC_NUMERATOR_MAX = 4294, /* times 1,000,000 kHz fits 32 bits: tsc_ratio() */
	LEAF6_ARAT = 1 << 2,
};

/* Features of leaf 1 EDX that AMD repeats in 0x80000001 EDX; Intel has zeros there. */
#define AMD_ALIASES    0x0183f3ffu
#define AMD_CMP_LEGACY BIT(1)
#define EXT7_INVARIANT BIT(8)

struct cpu_model {
	const char *name;
	struct features may; /* what a guest may see */
};

static const struct cpu_model models[] = {
	{
		.name = "v2",
		.may.word = {
			/* SSE3 PCLMULQDQ SSSE3 CX16 SSE4.1 SSE4.2 x2APIC MOVBE POPCNT
			 * TSC-deadline AES XSAVE RDRAND */
			[F_1_ECX] = BIT(0) | BIT(1) | BIT(9) | BIT(13) | BIT(19) | BIT(20) |
				    ONE_ECX_X2APIC | BIT(22) | BIT(23) | ONE_ECX_TSC_DEADLINE |
				    BIT(25) | ONE_ECX_XSAVE | BIT(30),
			/* FPU VME DE PSE TSC MSR PAE MCE CX8 APIC, SEP MTRR PGE MCA CMOV PAT
			 * PSE36, CLFLUSH, MMX FXSR SSE SSE2 */
			[F_1_EDX] = 0x000003ff | 0x0003f800 | BIT(19) | 0x07800000,
			/* FSGSBASE ERMS RDSEED ADX SHA, and what x87 pointers are like:
			 * FDP_EXCPTN_ONLY FCS_FDS_ZERO */
			[F_7_EBX] = BIT(0) | BIT(9) | BIT(18) | BIT(19) | BIT(29) | BIT(6) |
				    BIT(13),
			/* FSRM ARCH_CAPABILITIES, and against speculation on real silicon:
			 * MD_CLEAR SPEC_CTRL STIBP L1D_FLUSH SSBD */
			[F_7_EDX] = BIT(4) | BIT(10) | BIT(26) | BIT(27) | BIT(28) | BIT(29) |
				    BIT(31),
			[F_XCR0] = XCR0_X87 | XCR0_SSE,
			[F_D_1_EAX] = BIT(0), /* XSAVEOPT */
			[F_EXT_1_ECX] = BIT(0), /* LAHF in long mode */
			/* SYSCALL NX 1G RDTSCP LM */
			[F_EXT_1_EDX] = BIT(11) | BIT(20) | BIT(26) | BIT(27) | BIT(29),
			[F_EXT_7_EDX] = EXT7_INVARIANT,
			/* AMD's names for the same: IBPB IBRS STIBP, their preferences, SSBD
			 * VIRT_SSBD SSB_NO */
			[F_EXT_8_EBX] = BIT(12) | BIT(14) | BIT(15) | BIT(17) | BIT(24) | BIT(25) |
					BIT(26),
		},
	},
	{
		.name = "max",
		.may.word = {
			/* not DTES64 MONITOR DS-CPL VMX SMX EST TM2 CNXT-ID SDBG xTPR PDCM DCA;
			 * OSXSAVE follows CR4, the hypervisor bit is ours */
			[F_1_ECX] = ~(BIT(2) | BIT(3) | BIT(4) | BIT(5) | BIT(6) | BIT(7) |
				      BIT(8) | BIT(10) | BIT(11) | BIT(14) | BIT(15) | BIT(18) |
				      ONE_ECX_OSXSAVE | ONE_ECX_HYPERVISOR),
			/* not PSN DS ACPI TM IA64 PBE; HTT is topology */
			[F_1_EDX] = ~(BIT(18) | BIT(21) | BIT(22) | ONE_EDX_HTT | BIT(29) |
				      BIT(30) | BIT(31)),
			/* not SGX PQM PQE PT */
			[F_7_EBX] = ~(BIT(2) | BIT(12) | BIT(15) | BIT(25)),
			/* not WAITPKG CET_SS TME KEY_LOCKER SGX_LC PKS; OSPKE follows CR4 */
			[F_7_ECX] = ~(BIT(4) | BIT(5) | BIT(7) | BIT(13) | BIT(23) | BIT(30) |
				      BIT(31)),
			/* not UINTR HYBRID PCONFIG LBR CET_IBT, AMX: its state is too large */
			[F_7_EDX] = ~(BIT(5) | BIT(15) | BIT(18) | BIT(19) | BIT(20) | BIT(22) |
				      BIT(24) | BIT(25)),
			/* not PERFMON_EXT FRED NMI_SOURCE AMX_FP16 HRESET */
			[F_7_1_EAX] = ~(BIT(8) | BIT(17) | BIT(20) | BIT(21) | BIT(22)),
			/* VNNI_INT8 NE_CONVERT VNNI_INT16 PREFETCHI */
			[F_7_1_EDX] = BIT(4) | BIT(5) | BIT(10) | BIT(14),
			/* not AMX; what does not fit is taken away by size */
			[F_XCR0] = XCR0_X87 | XCR0_SSE | XCR0_AVX | BIT(3) | BIT(4) | XCR0_AVX512 |
				   BIT(9),
			[F_D_1_EAX] = BIT(0) | BIT(1) | BIT(2) | BIT(3),
			/* not CMP_LEGACY SVM EXTAPIC OSVW IBS SKINIT WDT LWP NODEID TOPOEXT, the
			 * counters, MONITORX */
			[F_EXT_1_ECX] = ~(BIT(1) | BIT(2) | BIT(3) | BIT(9) | BIT(10) | BIT(12) |
					  BIT(13) | BIT(15) | BIT(19) | BIT(22) | BIT(23) |
					  BIT(24) | BIT(26) | BIT(27) | BIT(28) | BIT(29)),
			[F_EXT_1_EDX] = UINT32_MAX,
			[F_EXT_7_EDX] = EXT7_INVARIANT,
			/* not INVLPGB RDPRU MCOMMIT INT_WBINVD LMSLE PPIN */
			[F_EXT_8_EBX] = ~(BIT(3) | BIT(4) | BIT(8) | BIT(13) | BIT(20) | BIT(23)),
		},
	},
};

const struct cpu_model *cpu_model_find(const char *name, GError **error)
{
	for (unsigned i = 0; i < ARRAY_SIZE(models); i++) {
		if (strcmp(models[i].name, name) == 0)
			return &models[i];
	}
	error_set(error, SOCLE_ERROR_NOT_FOUND, "no CPU model '%s': there are %s", name,
		  cpu_model_names());
	return NULL;
}

const char *cpu_model_names(void)
{
	return "v2, max";
}

/* ---- Putting a table together ---- */

struct identity {
	uint32_t vendor[3]; /* EBX, EDX, ECX of leaf 0 */
	uint32_t signature; /* leaf 1 EAX */
	bool amd;           /* AMD, Hygon: leaves 2 and 4 are reserved, others are not */
};

/* What goes into the leaves of one vCPU. */
struct draft {
	const struct cpuid_table *offer;
	const struct cpu_topology *topo;
	struct identity who;
	struct features f;
	unsigned id_bits; /* of an APIC ID that tell the core */
	struct cpuid_table *ret;
};

static void add(struct draft *d, struct cpuid_leaf leaf)
{
	struct cpuid_table *t = d->ret;

	assert(t->count < CPUID_MAX_LEAVES);
	t->leaf[t->count++] = leaf;
}

#define LEAF(number, ...) add(d, (struct cpuid_leaf){ .leaf = (number), __VA_ARGS__ })
#define SUBLEAF(number, sub, ...)   \
	add(d, (struct cpuid_leaf){ \
		       .leaf = (number), .subleaf = (sub), .by_subleaf = true, __VA_ARGS__ })

static struct identity identify(const struct cpuid_table *offer)
{
	static const struct identity in_order = { { 0x756e6547, 0x49656e69, 0x6c65746e },
						  SIGNATURE,
						  false };
	const struct cpuid_leaf *vendor = cpuid_find(offer, 0, 0);
	const struct cpuid_leaf *features = cpuid_find(offer, 1, 0);
	struct identity who;

	if (!vendor || !vendor->ebx || !features)
		return in_order;
	who = (struct identity){ { vendor->ebx, vendor->edx, vendor->ecx }, features->eax, false };
	who.amd = vendor->ebx == 0x68747541 || vendor->ebx == 0x6f677948; /* "Auth", "Hygo" */
	return who;
}

/* Bytes of the XSAVE area up to the end of component @i, 0 if nothing is known of it. */
static uint32_t component_end(const struct cpuid_table *offer, unsigned i)
{
	const struct cpuid_leaf *l = cpuid_find(offer, 0xd, i);

	if (!l || !l->by_subleaf || !l->eax || l->eax > X86_XSAVE_SIZE || l->ebx > X86_XSAVE_SIZE)
		return 0;
	return l->eax + l->ebx;
}

/* What the guest sees of the offer. */
static void choose_features(struct draft *d, const struct cpu_model *model)
{
	features_read(d->offer, &d->f);
	for (unsigned i = 0; i < F_COUNT; i++)
		d->f.word[i] &= model->may.word[i];
	if (d->who.amd) {
		struct features offered;

		features_read(d->offer, &offered);
		d->f.word[F_EXT_1_EDX] |=
			offered.word[F_EXT_1_EDX] & d->f.word[F_1_EDX] & AMD_ALIASES;
	}
	for (unsigned i = 2; i < 32; i++) {
		uint32_t end = component_end(d->offer, i);

		if (end < XSAVE_LEGACY || end > X86_XSAVE_SIZE)
			d->f.word[F_XCR0] &= ~BIT(i);
	}
	features_settle(&d->f);
	if (d->who.amd)
		d->f.word[F_EXT_1_EDX] &= ~AMD_ALIASES | d->f.word[F_1_EDX];
	else
		d->f.word[F_EXT_1_EDX] &= ~AMD_ALIASES;
	/* These are true whatever the offer says. */
	d->f.word[F_1_ECX] |= ONE_ECX_HYPERVISOR;
	if (d->topo->cpus > 1) {
		d->f.word[F_1_EDX] |= ONE_EDX_HTT;
		if (d->who.amd)
			d->f.word[F_EXT_1_ECX] |= AMD_CMP_LEGACY;
	}
}

static unsigned bits_for(unsigned count)
{
	unsigned bits = 0;

	while ((1u << bits) < count)
		bits++;
	return bits;
}

static uint32_t at_most(uint32_t value, uint32_t limit)
{
	return value < limit ? value : limit;
}

static void add_identity(struct draft *d)
{
	const struct cpu_topology *topo = d->topo;
	uint32_t ids = at_most(1u << d->id_bits, 255);

	LEAF(0, .eax = topo->tsc_khz ? MAX_BASIC : MAX_BASIC_NO_TSC, .ebx = d->who.vendor[0],
	     .edx = d->who.vendor[1], .ecx = d->who.vendor[2]);
	LEAF(1, .eax = d->who.signature,
	     .ebx = (topo->cpu & 0xff) << 24 | ids << 16 | (CLFLUSH_LINE / 8) << 8,
	     .ecx = d->f.word[F_1_ECX], .edx = d->f.word[F_1_EDX]);
	/* One descriptor: look at leaf 4. */
	if (!d->who.amd)
		LEAF(2, .eax = 0x0000ff01);
}

/* Caches as such cores have them; the last one belongs to all. */
static void add_caches(struct draft *d)
{
	enum {
		DATA = 1,
		CODE = 2,
		UNIFIED = 3,
		LINE = 64
	};
	static const struct {
		uint32_t type, level, ways, sets;
		bool shared;
	} caches[] = {
		{ DATA, 1, 8, 64, false },       /* 32 KiB */
		{ CODE, 1, 8, 64, false },       /* 32 KiB */
		{ UNIFIED, 2, 16, 1024, false }, /* 1 MiB */
		{ UNIFIED, 3, 16, 16384, true }, /* 16 MiB */
	};
	uint32_t ids = 1u << d->id_bits;

	if (d->who.amd)
		return;
	for (uint32_t i = 0; i < ARRAY_SIZE(caches); i++)
		SUBLEAF(4, i,
			.eax = caches[i].type | caches[i].level << 5 | 1u << 8 |
			       (caches[i].shared ? ids - 1 : 0) << 14 | at_most(ids - 1, 63) << 26,
			.ebx = (LINE - 1) | (caches[i].ways - 1) << 22, .ecx = caches[i].sets - 1);
}

static void add_features(struct draft *d)
{
	const struct features *f = &d->f;
	bool second = f->word[F_7_1_EAX] || f->word[F_7_1_EDX];

	LEAF(6, .eax = LEAF6_ARAT);
	SUBLEAF(7, 0, .eax = second ? 1 : 0, .ebx = f->word[F_7_EBX], .ecx = f->word[F_7_ECX],
		.edx = f->word[F_7_EDX]);
	if (second)
		SUBLEAF(7, 1, .eax = f->word[F_7_1_EAX], .edx = f->word[F_7_1_EDX]);
}

/* Threads: one for each core; then cores. */
static void add_topology(struct draft *d)
{
	SUBLEAF(0xb, 0, .eax = 0, .ebx = 1, .ecx = 0 | 1 << 8, .edx = d->topo->cpu);
	SUBLEAF(0xb, 1, .eax = d->id_bits, .ebx = d->topo->cpus, .ecx = 1 | 2 << 8,
		.edx = d->topo->cpu);
}

/*
 * EBX of subleaf 0 is the size for what XCR0 has enabled now. The table has that of RESET; engines
 * that let a guest enable more have to answer for themselves.
 */
static void add_xsave(struct draft *d)
{
	uint32_t xcr0 = d->f.word[F_XCR0], size = XSAVE_LEGACY;

	if (!xcr0)
		return;
	for (unsigned i = 2; i < 32; i++) {
		uint32_t end = xcr0 & BIT(i) ? component_end(d->offer, i) : 0;

		if (end > size)
			size = end;
	}
	SUBLEAF(0xd, 0, .eax = xcr0, .ebx = XSAVE_LEGACY, .ecx = size);
	SUBLEAF(0xd, 1, .eax = d->f.word[F_D_1_EAX],
		.ebx = d->f.word[F_D_1_EAX] & (BIT(1) | BIT(3)) ? XSAVE_LEGACY : 0);
	for (unsigned i = 2; i < 32; i++) {
		const struct cpuid_leaf *l = cpuid_find(d->offer, 0xd, i);

		/* ECX: 1 is whether it belongs to XSS, 2 is its alignment when compacted. */
		if (xcr0 & BIT(i) && l)
			SUBLEAF(0xd, i, .eax = l->eax, .ebx = l->ebx, .ecx = l->ecx & 2);
	}
}

/*
 * The TSC's frequency as a fraction of the crystal's, which is that of the APIC timer (Linux takes
 * one for the other). Linux computes crystal kHz * numerator in 32 bits, so with 1 GHz the
 * numerator must be small. Of the fractions that are left the one that gives the exact number of
 * kHz, rounded down, or else the nearest.
 */
static void tsc_ratio(uint32_t tsc_khz, uint32_t *ret_num, uint32_t *ret_den)
{
	const uint32_t crystal_khz = LAPIC_TIMER_HZ / 1000;
	uint32_t best = UINT32_MAX;

	*ret_num = 0;
	*ret_den = 0;
	for (uint32_t num = 1; num <= TSC_NUMERATOR_MAX && best; num++) {
		uint32_t den = crystal_khz * num / tsc_khz;

		/* One is exact or too large, the next one too small. */
		for (uint32_t end = den + 1; den <= end; den++) {
			uint32_t khz = den ? crystal_khz * num / den : 0;
			uint32_t off = khz > tsc_khz ? khz - tsc_khz : tsc_khz - khz;

			if (den && off < best) {
				best = off;
				*ret_num = num;
				*ret_den = den;
			}
		}
	}
}

static void add_clocks(struct draft *d)
{
	uint32_t khz = d->topo->tsc_khz, mhz = (khz + 500) / 1000, num, den;

	if (!khz)
		return;
	tsc_ratio(khz, &num, &den);
	LEAF(0x15, .eax = den, .ebx = num, .ecx = LAPIC_TIMER_HZ);
	LEAF(0x16, .eax = mhz, .ebx = mhz, .ecx = 100);
}

static void add_hypervisor(struct draft *d)
{
	const struct cpuid_leaf *signature = cpuid_find(d->offer, 0x40000000, 0);
	const struct cpuid_leaf *features = cpuid_find(d->offer, 0x40000001, 0);

	if (!signature)
		return;
	LEAF(0x40000000, .eax = d->topo->tsc_khz ? 0x40000010 : 0x40000001, .ebx = signature->ebx,
	     .ecx = signature->ecx, .edx = signature->edx);
	if (features)
		LEAF(0x40000001, .eax = features->eax, .ebx = features->ebx, .ecx = features->ecx,
		     .edx = features->edx);
	/* TSC and APIC timer in kHz, as VMware, and QEMU after it, have it. */
	if (d->topo->tsc_khz)
		LEAF(0x40000010, .eax = d->topo->tsc_khz, .ebx = LAPIC_TIMER_HZ / 1000);
}

static void add_brand(struct draft *d)
{
	char brand[48] = "Socle virtual CPU";
	uint32_t words[12];

	memcpy(words, brand, sizeof(words));
	for (uint32_t i = 0; i < 3; i++) {
		const uint32_t *w = &words[(size_t)4 * i];

		LEAF(0x80000002 + i, .eax = w[0], .ebx = w[1], .ecx = w[2], .edx = w[3]);
	}
}

static void add_extended(struct draft *d)
{
	const struct cpuid_leaf *sizes = cpuid_find(d->offer, 0x80000008, 0);
	struct cpuid_leaf first = { .leaf = 0x80000000, .eax = 0x80000008 };

	if (d->who.amd) {
		first.ebx = d->who.vendor[0];
		first.edx = d->who.vendor[1];
		first.ecx = d->who.vendor[2];
	}
	add(d, first);
	LEAF(0x80000001, .eax = d->who.amd ? d->who.signature : 0, .ecx = d->f.word[F_EXT_1_ECX],
	     .edx = d->f.word[F_EXT_1_EDX]);
	add_brand(d);
	/* Sizes in KiB, ways, lines of 64 bytes: L1 32 KiB, L2 1 MiB 16 ways, L3 16 MiB 16 ways. */
	if (d->who.amd)
		LEAF(0x80000005, .ecx = 32u << 24 | 8 << 16 | 1 << 8 | 64,
		     .edx = 32u << 24 | 8 << 16 | 1 << 8 | 64);
	LEAF(0x80000006, .ecx = 1024u << 16 | 8 << 12 | 64,
	     .edx = d->who.amd ? 32u << 18 | 8 << 12 | 1 << 8 | 64 : 0);
	LEAF(0x80000007, .edx = d->f.word[F_EXT_7_EDX]);
	LEAF(0x80000008, .eax = sizes ? sizes->eax & 0xffff : DEFAULT_ADDRESS_BITS,
	     .ebx = d->f.word[F_EXT_8_EBX],
	     .ecx = d->who.amd ? (d->topo->cpus - 1) | d->id_bits << 12 : 0);
}

void cpu_model_cpuid(const struct cpu_model *model, const struct cpuid_table *offer,
		     const struct cpu_topology *topo, struct cpuid_table *ret)
{
	struct draft d = {
		.offer = offer,
		.topo = topo,
		.who = identify(offer),
		.id_bits = bits_for(topo->cpus),
		.ret = ret,
	};

	choose_features(&d, model);
	memset(ret, 0, sizeof(*ret));
	/* In the order of their numbers. */
	add_identity(&d);
	add_caches(&d);
	add_features(&d);
	add_topology(&d);
	add_xsave(&d);
	add_clocks(&d);
	add_hypervisor(&d);
	add_extended(&d);
}
