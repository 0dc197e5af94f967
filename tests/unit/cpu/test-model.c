/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-model.c - CPU models: order, what may not leak, dependencies, topology, clocks
 */
#include "cpu/model.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"

enum {
	EAX,
	EBX,
	ECX,
	EDX
};

#define BIT(n) (UINT32_C(1) << (n))

/* Everywhere that features stand: leaf, subleaf, register. */
static const struct {
	uint32_t leaf, subleaf;
	unsigned reg;
} places[] = {
	{ 1, 0, ECX },          { 1, 0, EDX },          { 7, 0, EBX },
	{ 7, 0, ECX },          { 7, 0, EDX },          { 7, 1, EAX },
	{ 7, 1, EDX },          { 0xd, 0, EAX },        { 0xd, 0, EDX },
	{ 0xd, 1, EAX },        { 0x80000001, 0, ECX }, { 0x80000001, 0, EDX },
	{ 0x80000007, 0, EDX }, { 0x80000008, 0, EBX },
};

/* The bits that stand there whatever the offer says. */
static uint32_t told_anyway(unsigned place)
{
	if (places[place].leaf == 1 && places[place].reg == ECX)
		return BIT(31); /* hypervisor */
	if (places[place].leaf == 1 && places[place].reg == EDX)
		return BIT(28); /* more than one in the package */
	return 0;
}

static void offer_leaf(struct cpuid_table *t, uint32_t leaf, int subleaf, const uint32_t regs[4])
{
	g_assert_cmpuint(t->count, <, CPUID_MAX_LEAVES);
	t->leaf[t->count++] = (struct cpuid_leaf){
		.leaf = leaf,
		.subleaf = subleaf < 0 ? 0 : (uint32_t)subleaf,
		.by_subleaf = subleaf >= 0,
		.eax = regs[EAX],
		.ebx = regs[EBX],
		.ecx = regs[ECX],
		.edx = regs[EDX],
	};
}

/* An engine that can do all there is, sizes of XSAVE components as on real CPUs. */
static void offer_all(struct cpuid_table *t)
{
	static const uint32_t all[4] = { UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX };
	static const uint32_t xsave[][3] = {
		{ 2, 256, 576 }, { 3, 64, 960 },   { 4, 64, 1024 },
		{ 5, 64, 1088 }, { 6, 512, 1152 }, { 7, 1024, 1664 },
		{ 9, 8, 2688 },  { 17, 64, 2752 }, { 18, 8192, 2816 },
	};

	memset(t, 0, sizeof(*t));
	offer_leaf(t, 1, -1, all);
	offer_leaf(t, 7, 0, all);
	offer_leaf(t, 7, 1, all);
	offer_leaf(t, 0xd, 0, all);
	offer_leaf(t, 0xd, 1, all);
	for (unsigned i = 0; i < ARRAY_SIZE(xsave); i++)
		offer_leaf(t, 0xd, (int)xsave[i][0],
			   (const uint32_t[4]){ xsave[i][1], xsave[i][2], 0, 0 });
	offer_leaf(t, 0x40000000, -1,
		   (const uint32_t[4]){ 0x40000001, 0x4b4d564b, 0x564b4d56, 0x4d });
	offer_leaf(t, 0x40000001, -1, (const uint32_t[4]){ 0x01000009, 0, 0, 0 });
	offer_leaf(t, 0x80000001, -1, all);
	offer_leaf(t, 0x80000007, -1, all);
	offer_leaf(t, 0x80000008, -1, (const uint32_t[4]){ 0x392e, UINT32_MAX, 0, 0 });
}

static void offer_vendor(struct cpuid_table *t, const char vendor[12], uint32_t signature)
{
	uint32_t regs[4] = { 0x20 };

	memcpy(&regs[EBX], vendor, 4);
	memcpy(&regs[EDX], vendor + 4, 4);
	memcpy(&regs[ECX], vendor + 8, 4);
	offer_leaf(t, 0, -1, regs);
	t->leaf[0].eax = signature; /* leaf 1 */
}

static const struct cpu_model *model(const char *name)
{
	const struct cpu_model *m = cpu_model_find(name, NULL);

	g_assert_nonnull(m);
	return m;
}

static void make(const char *name, const struct cpuid_table *offer, unsigned cpu, unsigned cpus,
		 uint32_t khz, struct cpuid_table *ret)
{
	struct cpu_topology topo = { .cpu = cpu, .cpus = cpus, .tsc_khz = khz };

	cpu_model_cpuid(model(name), offer, &topo, ret);
}

static uint32_t reg(const struct cpuid_table *t, uint32_t leaf, uint32_t subleaf, unsigned which)
{
	uint32_t regs[4];

	cpuid_lookup(t, leaf, subleaf, regs);
	return regs[which];
}

/* The register of the leaf itself; 0 when the table has none. */
static uint32_t own_reg(const struct cpuid_table *t, uint32_t leaf, uint32_t subleaf,
			unsigned which)
{
	const struct cpuid_leaf *l = cpuid_find(t, leaf, subleaf);

	return l ? (const uint32_t[]){ l->eax, l->ebx, l->ecx, l->edx }[which] : 0;
}

static void check_sorted(const struct cpuid_table *t)
{
	g_assert_cmpuint(t->count, >, 0);
	g_assert_cmpuint(t->count, <=, CPUID_MAX_LEAVES);
	for (unsigned i = 1; i < t->count; i++) {
		const struct cpuid_leaf *a = &t->leaf[i - 1], *b = &t->leaf[i];

		g_assert_true(a->leaf < b->leaf || (a->leaf == b->leaf && a->subleaf < b->subleaf &&
						    a->by_subleaf && b->by_subleaf));
	}
}

static void test_names(void)
{
	g_autoptr(GError) error = NULL;

	g_assert_nonnull(cpu_model_find("v2", NULL));
	g_assert_nonnull(cpu_model_find("max", NULL));
	g_assert_null(cpu_model_find("v9", &error));
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_NOT_FOUND);
	g_assert_nonnull(strstr(error->message, "'v9'"));
	g_assert_nonnull(strstr(error->message, cpu_model_names()));
}

static void test_sorted(void)
{
	static const char *const names[] = { "v2", "max" };
	static const char *const vendors[] = { NULL, "GenuineIntel", "AuthenticAMD" };
	struct cpuid_table offer, ret;

	for (unsigned n = 0; n < ARRAY_SIZE(names); n++) {
		for (unsigned v = 0; v < ARRAY_SIZE(vendors); v++) {
			offer_all(&offer);
			if (vendors[v])
				offer_vendor(&offer, vendors[v], 0x806f8);
			make(names[n], &offer, 3, 255, 2500000, &ret);
			check_sorted(&ret);
			make(names[n], &offer, 0, 1, 0, &ret);
			check_sorted(&ret);
		}
		offer.count = 0;
		make(names[n], &offer, 0, 1, 2500000, &ret);
		check_sorted(&ret);
	}
}

static uint32_t most_bits(GRand *rand)
{
	uint32_t half = g_rand_int(rand);

	return half | g_rand_int(rand);
}

/* For each bit of each word: taken out of the offer, it is out of the guest's CPUID. */
static void test_no_leak(void)
{
	static const char *const names[] = { "v2", "max" };
	struct cpuid_table offer, ret;
	GRand *rand = g_rand_new_with_seed(4711);

	for (unsigned round = 0; round < 2000; round++) {
		offer_all(&offer);
		if (round % 3)
			offer_vendor(&offer, round % 3 == 1 ? "GenuineIntel" : "AuthenticAMD",
				     0xa20f12);
		/* Three quarters of all bits stay. */
		for (unsigned i = 0; i < offer.count; i++) {
			struct cpuid_leaf *l = &offer.leaf[i];

			if (l->leaf == 0 || (l->leaf == 0xd && l->subleaf > 1))
				continue;
			l->eax &= l->leaf == 1 ? UINT32_MAX : most_bits(rand);
			l->ebx &= most_bits(rand);
			l->ecx &= most_bits(rand);
			l->edx &= most_bits(rand);
		}
		make(names[round & 1], &offer, 1, 2, 3000000, &ret);
		check_sorted(&ret);
		for (unsigned i = 0; i < ARRAY_SIZE(places); i++) {
			uint32_t have =
				own_reg(&ret, places[i].leaf, places[i].subleaf, places[i].reg);
			uint32_t may =
				own_reg(&offer, places[i].leaf, places[i].subleaf, places[i].reg);

			have &= ~told_anyway(i);
			/* AMD: more than one core in the package. */
			if (places[i].leaf == 0x80000001 && places[i].reg == ECX)
				have &= ~BIT(1);
			g_assert_cmphex(have & ~may, ==, 0);
		}
	}
	g_rand_free(rand);
}

static void test_nothing_offered(void)
{
	struct cpuid_table offer = { 0 }, ret;

	make("max", &offer, 0, 1, 0, &ret);
	g_assert_cmphex(reg(&ret, 1, 0, ECX), ==, BIT(31));
	g_assert_cmphex(reg(&ret, 1, 0, EDX), ==, 0);
	for (unsigned i = 2; i < ARRAY_SIZE(places); i++)
		g_assert_cmphex(own_reg(&ret, places[i].leaf, places[i].subleaf, places[i].reg), ==,
				0);
	g_assert_null(cpuid_find(&ret, 0x40000000, 0));
	g_assert_null(cpuid_find(&ret, 0xd, 0));
	g_assert_cmphex(reg(&ret, 0x80000008, 0, EAX), ==, 0x3028);
}

static void test_v2_features(void)
{
	struct cpuid_table offer, ret;

	offer_all(&offer);
	make("v2", &offer, 0, 1, 2400000, &ret);
	/* psABI level: CX16 SSE3 SSSE3 SSE4.1 SSE4.2 POPCNT, LAHF */
	g_assert_cmphex(reg(&ret, 1, 0, ECX) & 0x00982201, ==, 0x00982201);
	g_assert_cmphex(reg(&ret, 1, 0, EDX), ==, 0x078bfbff);
	g_assert_cmphex(reg(&ret, 0x80000001, 0, ECX), ==, 1);
	g_assert_cmphex(reg(&ret, 0x80000001, 0, EDX), ==, 0x2c100800);
	/* PCLMULQDQ x2APIC MOVBE TSC-deadline AES XSAVE RDRAND hypervisor; no MONITOR, VMX, SMX,
	 * FMA, PCID, OSXSAVE, AVX, F16C */
	g_assert_cmphex(reg(&ret, 1, 0, ECX), ==, 0xc7f82203);
	/* FSGSBASE ERMS RDSEED ADX SHA; no BMI, AVX2, SMEP, SMAP */
	g_assert_cmphex(reg(&ret, 7, 0, EBX), ==, 0x200c2241);
	g_assert_cmphex(reg(&ret, 7, 0, ECX), ==, 0);
	g_assert_cmphex(reg(&ret, 7, 0, EAX), ==, 0);
	g_assert_true(reg(&ret, 7, 0, EDX) & BIT(4));
	g_assert_true(reg(&ret, 7, 0, EDX) & BIT(29));
	g_assert_cmphex(reg(&ret, 6, 0, EAX), ==, 4);
	g_assert_cmphex(reg(&ret, 0x80000007, 0, EDX), ==, BIT(8));
	/* XSAVE of x87 and SSE only. */
	g_assert_cmphex(reg(&ret, 0xd, 0, EAX), ==, 3);
	g_assert_cmpuint(reg(&ret, 0xd, 0, EBX), ==, 576);
	g_assert_cmpuint(reg(&ret, 0xd, 0, ECX), ==, 576);
	g_assert_cmphex(reg(&ret, 0xd, 1, EAX), ==, 1);
	g_assert_null(cpuid_find(&ret, 0xd, 2));
	g_assert_cmphex(reg(&ret, 0x80000008, 0, EAX), ==, 0x392e);
}

static void test_max_features(void)
{
	struct cpuid_table offer, ret;

	offer_all(&offer);
	make("max", &offer, 0, 1, 2400000, &ret);
	/* AVX, FMA, AVX2, AVX-512F; VMX, MONITOR, SMX, SVM, OSXSAVE, PDCM never. */
	g_assert_true(reg(&ret, 1, 0, ECX) & BIT(28));
	g_assert_true(reg(&ret, 1, 0, ECX) & BIT(12));
	g_assert_true(reg(&ret, 7, 0, EBX) & BIT(5));
	g_assert_true(reg(&ret, 7, 0, EBX) & BIT(16));
	g_assert_cmphex(reg(&ret, 1, 0, ECX) & (BIT(3) | BIT(5) | BIT(6) | BIT(15) | BIT(27)), ==,
			0);
	g_assert_cmphex(reg(&ret, 0x80000001, 0, ECX) & BIT(2), ==, 0);
	/* State that does not fit into struct x86_state: AMX. */
	g_assert_cmphex(reg(&ret, 0xd, 0, EAX), ==, 0x2ff);
	g_assert_cmphex(reg(&ret, 7, 0, EDX) & (BIT(22) | BIT(24) | BIT(25)), ==, 0);
	g_assert_cmpuint(reg(&ret, 0xd, 0, ECX), ==, 2696);
	g_assert_cmpuint(reg(&ret, 0xd, 2, EAX), ==, 256);
	g_assert_cmpuint(reg(&ret, 0xd, 2, EBX), ==, 576);
	g_assert_cmphex(reg(&ret, 0xd, 1, ECX), ==, 0); /* nothing in XSS */
	g_assert_null(cpuid_find(&ret, 0xd, 8));
	g_assert_null(cpuid_find(&ret, 0xd, 18));
	g_assert_cmphex(reg(&ret, 7, 0, EAX), ==, 1);
	g_assert_true(reg(&ret, 7, 1, EAX) & BIT(4));
}

/* Take one thing out of an offer of everything, and see what goes with it. */
static void test_dependencies(void)
{
	static const struct {
		unsigned place; /* of the bit that is not offered */
		uint32_t bit;
		unsigned gone_place;
		uint32_t gone;
	} cases[] = {
		/* XSAVE: AVX, FMA, F16C; AVX2 and AVX-512; XCR0, XSAVEOPT */
		{ 0, BIT(26), 0, BIT(26) | BIT(28) | BIT(12) | BIT(29) },
		{ 0, BIT(26), 2, BIT(5) | BIT(16) | BIT(17) | BIT(28) | BIT(30) | BIT(31) },
		{ 0, BIT(26), 3, BIT(9) | BIT(10) | BIT(3) | BIT(11) },
		{ 0, BIT(26), 4, BIT(2) | BIT(3) | BIT(23) },
		{ 0, BIT(26), 7, UINT32_MAX },
		{ 0, BIT(26), 9, UINT32_MAX },
		/* AVX state: AVX */
		{ 7, BIT(2), 0, BIT(28) | BIT(12) | BIT(29) },
		{ 7, BIT(2), 7, BIT(5) | BIT(6) | BIT(7) },
		{ 7, BIT(2), 5, BIT(4) | BIT(5) },
		/* AVX: AVX state, and with it AVX-512 */
		{ 0, BIT(28), 7, BIT(2) | BIT(5) | BIT(6) | BIT(7) },
		{ 0, BIT(28), 2, BIT(5) | BIT(16) },
		{ 0, BIT(28), 10, BIT(11) | BIT(16) },
		/* one part of the AVX-512 state: all of it */
		{ 7, BIT(6), 7, BIT(5) | BIT(6) | BIT(7) },
		{ 7, BIT(6), 2, BIT(16) | BIT(30) },
		{ 2, BIT(16), 7, BIT(5) | BIT(6) | BIT(7) },
		/* SSE state: no XSAVE at all */
		{ 7, BIT(1), 0, BIT(26) | BIT(28) },
		/* the line of SSE */
		{ 1, BIT(24), 1, BIT(25) | BIT(26) },
		{ 1, BIT(26), 0, BIT(0) | BIT(1) | BIT(9) | BIT(19) | BIT(20) | BIT(25) | BIT(28) },
		{ 1, BIT(26), 2, BIT(29) },
		{ 0, BIT(9), 0, BIT(19) | BIT(20) },
		/* APIC */
		{ 1, BIT(9), 0, BIT(21) | BIT(24) },
		{ 1, BIT(4), 0, BIT(24) },
		/* long mode */
		{ 1, BIT(6), 11, BIT(29) | BIT(26) | BIT(20) },
		{ 11, BIT(29), 0, BIT(13) | BIT(17) },
		{ 11, BIT(29), 2, BIT(0) | BIT(10) },
		{ 0, BIT(17), 2, BIT(10) },
		/* MPX, PKU */
		{ 7, BIT(3), 2, BIT(14) },
		{ 7, BIT(9), 3, BIT(3) },
		{ 3, BIT(3), 7, BIT(9) },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cpuid_table offer, ret;
		unsigned g = cases[i].gone_place;
		uint32_t before, after;

		offer_all(&offer);
		make("max", &offer, 0, 1, 0, &ret);
		before = own_reg(&ret, places[g].leaf, places[g].subleaf, places[g].reg);
		g_assert_cmphex(before & cases[i].gone, !=, 0);
		for (unsigned j = 0; j < offer.count; j++) {
			struct cpuid_leaf *l = &offer.leaf[j];
			uint32_t *regs[] = { &l->eax, &l->ebx, &l->ecx, &l->edx };

			if (l->leaf == places[cases[i].place].leaf &&
			    l->subleaf == places[cases[i].place].subleaf)
				*regs[places[cases[i].place].reg] &= ~cases[i].bit;
		}
		make("max", &offer, 0, 1, 0, &ret);
		after = own_reg(&ret, places[g].leaf, places[g].subleaf, places[g].reg);
		g_assert_cmphex(after & cases[i].gone, ==, 0);
		/* AVX must not go with AVX-512, SSE3 not with SSSE3. */
		if (cases[i].place == 7 && cases[i].bit == BIT(6))
			g_assert_true(reg(&ret, 1, 0, ECX) & BIT(28));
		if (cases[i].place == 0 && cases[i].bit == BIT(9))
			g_assert_true(reg(&ret, 1, 0, ECX) & BIT(0));
	}
}

/* Components whose size or place is odd or unknown are not enabled. */
static void test_xsave_sizes(void)
{
	static const uint32_t bad[][2] = {
		{ 0, 0 }, { 256, 0 }, { 256, 4000 }, { UINT32_MAX, 1000 }, { 8, UINT32_MAX },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		struct cpuid_table offer, ret;

		offer_all(&offer);
		for (unsigned j = 0; j < offer.count; j++) {
			if (offer.leaf[j].leaf == 0xd && offer.leaf[j].subleaf == 2) {
				offer.leaf[j].eax = bad[i][0];
				offer.leaf[j].ebx = bad[i][1];
			}
		}
		make("max", &offer, 0, 1, 0, &ret);
		g_assert_cmphex(reg(&ret, 0xd, 0, EAX), ==, 0x21b);
		g_assert_cmphex(reg(&ret, 1, 0, ECX) & BIT(28), ==, 0);
	}
}

static void test_identity(void)
{
	static const char *const names[] = { "v2", "max" };
	struct cpuid_table offer, ret;
	char text[49] = "";

	for (unsigned i = 0; i < 2; i++) {
		/* An interpreter: the in-order core. */
		offer_all(&offer);
		make(names[i], &offer, 0, 1, 0, &ret);
		g_assert_cmphex(reg(&ret, 0, 0, EBX), ==, 0x756e6547);
		g_assert_cmphex(reg(&ret, 0, 0, EDX), ==, 0x49656e69);
		g_assert_cmphex(reg(&ret, 0, 0, ECX), ==, 0x6c65746e);
		g_assert_cmphex(reg(&ret, 1, 0, EAX), ==, 0x0003066a);
		g_assert_cmphex(reg(&ret, 0x80000001, 0, EDX) & 0x0183f3ff, ==, 0);
		g_assert_cmphex(reg(&ret, 0x80000000, 0, EBX), ==, 0);
		/* The host's CPU: its own name, else its weaknesses would go unmitigated. */
		offer_vendor(&offer, "AuthenticAMD", 0xa20f12);
		make(names[i], &offer, 0, 2, 0, &ret);
		g_assert_cmphex(reg(&ret, 0, 0, EBX), ==, 0x68747541);
		g_assert_cmphex(reg(&ret, 1, 0, EAX), ==, 0xa20f12);
		g_assert_cmphex(reg(&ret, 0x80000000, 0, EBX), ==, 0x68747541);
		g_assert_cmphex(reg(&ret, 0x80000001, 0, EDX) & 0x0183f3ff, ==,
				reg(&ret, 1, 0, EDX) & 0x0183f3ff);
		g_assert_true(reg(&ret, 0x80000001, 0, ECX) & BIT(1));
		g_assert_null(cpuid_find(&ret, 4, 0));
		g_assert_true(reg(&ret, 7, 0, EDX) & BIT(26)); /* SPEC_CTRL */
	}
	for (size_t i = 0; i < 12; i++) {
		uint32_t word = reg(&ret, 0x80000002 + (uint32_t)i / 4, 0, i % 4);

		memcpy(text + 4 * i, &word, 4);
	}
	g_assert_cmpstr(text, ==, "Socle virtual CPU");
}

static void test_topology(void)
{
	static const unsigned counts[] = { 1, 2, 3, 4, 8, 64, 65, 128, 254, 255 };
	struct cpuid_table offer, ret;

	offer_all(&offer);
	for (unsigned i = 0; i < ARRAY_SIZE(counts); i++) {
		unsigned cpus = counts[i], cpu = cpus - 1, shift;

		make("v2", &offer, cpu, cpus, 0, &ret);
		g_assert_cmpuint(reg(&ret, 1, 0, EBX) >> 24, ==, cpu);
		g_assert_cmpuint(reg(&ret, 1, 0, EBX) >> 8 & 0xff, ==, 8);
		g_assert_cmpuint(reg(&ret, 1, 0, EBX) >> 16 & 0xff, >=, MIN(cpus, 255));
		g_assert_cmpint((reg(&ret, 1, 0, EDX) & BIT(28)) != 0, ==, cpus > 1);
		/* One thread for each core ... */
		g_assert_cmphex(reg(&ret, 0xb, 0, EAX), ==, 0);
		g_assert_cmphex(reg(&ret, 0xb, 0, EBX), ==, 1);
		g_assert_cmphex(reg(&ret, 0xb, 0, ECX), ==, 0x100);
		g_assert_cmphex(reg(&ret, 0xb, 0, EDX), ==, cpu);
		/* ... all cores in one package */
		shift = reg(&ret, 0xb, 1, EAX);
		g_assert_cmpuint(cpu >> shift, ==, 0);
		g_assert_true(shift == 0 || (cpus - 1) >> (shift - 1) != 0);
		g_assert_cmpuint(reg(&ret, 0xb, 1, EBX), ==, cpus);
		g_assert_cmphex(reg(&ret, 0xb, 1, ECX), ==, 0x201);
		g_assert_cmphex(reg(&ret, 0xb, 1, EDX), ==, cpu);
		/* no more levels */
		g_assert_cmphex(reg(&ret, 0xb, 2, EBX), ==, 0);
		g_assert_cmphex(reg(&ret, 0xb, 7, ECX), ==, 7);
		g_assert_cmphex(reg(&ret, 0xb, 7, EDX), ==, cpu);
		/* The last cache is shared by all, the first by nobody. */
		g_assert_cmphex(reg(&ret, 4, 0, EAX) >> 14 & 0xfff, ==, 0);
		g_assert_cmphex(reg(&ret, 4, 3, EAX) >> 14 & 0xfff, ==, (1u << shift) - 1);
		g_assert_cmphex(reg(&ret, 4, 4, EAX), ==, 0);
	}
}

static void test_caches(void)
{
	static const struct {
		uint32_t type_level, size;
	} want[] = {
		{ 0x21, 32 << 10 }, { 0x22, 32 << 10 }, { 0x43, 1 << 20 }, { 0x63, 16 << 20 }
	};
	struct cpuid_table offer, ret;

	offer_all(&offer);
	make("v2", &offer, 0, 4, 0, &ret);
	for (uint32_t i = 0; i < ARRAY_SIZE(want); i++) {
		uint32_t eax = reg(&ret, 4, i, EAX), ebx = reg(&ret, 4, i, EBX), size;

		g_assert_cmphex(eax & 0xff, ==, want[i].type_level);
		size = ((ebx >> 22) + 1) * ((ebx >> 12 & 0x3ff) + 1) * ((ebx & 0xfff) + 1) *
		       (reg(&ret, 4, i, ECX) + 1);
		g_assert_cmpuint(size, ==, want[i].size);
	}
	g_assert_cmphex(reg(&ret, 2, 0, EAX), ==, 0xff01);
}

/* Linux: crystal_khz * numerator in 32 bits, then divided. */
static uint32_t linux_tsc_khz(const struct cpuid_table *t)
{
	uint32_t crystal_khz = reg(t, 0x15, 0, ECX) / 1000;
	uint32_t num = reg(t, 0x15, 0, EBX), den = reg(t, 0x15, 0, EAX);

	g_assert_cmpuint(den, !=, 0);
	g_assert_cmpuint((uint64_t)crystal_khz * num, <=, UINT32_MAX);
	return crystal_khz * num / den;
}

static void test_clocks(void)
{
	static const uint32_t exact[] = { 1000,    800000,  1000000, 1996800, 2000000,
					  2100000, 2400000, 2500000, 2595000, 2800000,
					  3000000, 3333333, 3700000, 4200000, 5000000 };
	struct cpuid_table offer, ret;

	offer_all(&offer);
	for (unsigned i = 0; i < ARRAY_SIZE(exact); i++) {
		make("v2", &offer, 0, 1, exact[i], &ret);
		g_assert_cmpuint(linux_tsc_khz(&ret), ==, exact[i]);
		g_assert_cmpuint(reg(&ret, 0x15, 0, ECX), ==, 1000000000);
		g_assert_cmpuint(reg(&ret, 0x16, 0, EAX), ==, (exact[i] + 500) / 1000);
		g_assert_cmpuint(reg(&ret, 0x40000010, 0, EAX), ==, exact[i]);
		g_assert_cmpuint(reg(&ret, 0x40000010, 0, EBX), ==, 1000000);
	}
	/* Any other: off by 125 in a million at the very worst, next to a simple fraction. */
	for (uint32_t khz = 600001; khz < 5200000; khz += 4567) {
		uint32_t told;

		make("v2", &offer, 0, 1, khz, &ret);
		told = linux_tsc_khz(&ret);
		g_assert_cmpuint(told > khz ? told - khz : khz - told, <=, khz / 8000);
	}
	/* Nothing to tell: the leaves are not there. */
	make("v2", &offer, 0, 1, 0, &ret);
	g_assert_null(cpuid_find(&ret, 0x15, 0));
	g_assert_null(cpuid_find(&ret, 0x16, 0));
	g_assert_null(cpuid_find(&ret, 0x40000010, 0));
	g_assert_cmphex(reg(&ret, 0x40000000, 0, EAX), ==, 0x40000001);
}

static void test_hypervisor(void)
{
	struct cpuid_table offer, ret;

	offer_all(&offer);
	make("v2", &offer, 0, 1, 2500000, &ret);
	g_assert_cmphex(reg(&ret, 0x40000000, 0, EAX), ==, 0x40000010);
	g_assert_cmphex(reg(&ret, 0x40000000, 0, EBX), ==, 0x4b4d564b);
	g_assert_cmphex(reg(&ret, 0x40000000, 0, ECX), ==, 0x564b4d56);
	g_assert_cmphex(reg(&ret, 0x40000000, 0, EDX), ==, 0x4d);
	g_assert_cmphex(reg(&ret, 0x40000001, 0, EAX), ==, 0x01000009);
}

static void test_lookup(void)
{
	struct cpuid_table offer, ret;

	offer_all(&offer);
	make("v2", &offer, 0, 1, 2500000, &ret);
	/* Unknown ones between: zeros. */
	g_assert_cmphex(reg(&ret, 3, 0, EAX), ==, 0);
	g_assert_cmphex(reg(&ret, 0xa, 0, EAX), ==, 0);
	g_assert_cmphex(reg(&ret, 0x80000005, 0, ECX), ==, 0);
	g_assert_cmphex(reg(&ret, 0x40000005, 0, EAX), ==, 0);
	g_assert_cmphex(reg(&ret, 7, 5, EBX), ==, 0);
	/* Beyond the highest: what the highest basic one says. */
	g_assert_cmphex(reg(&ret, 0, 0, EAX), ==, 0x16);
	g_assert_cmphex(reg(&ret, 0x17, 0, EAX), ==, 2500);
	g_assert_cmphex(reg(&ret, 0x3fffffff, 9, ECX), ==, 100);
	g_assert_cmphex(reg(&ret, 0x40000011, 0, EAX), ==, 2500);
	g_assert_cmphex(reg(&ret, 0x80000009, 0, EAX), ==, 2500);
	g_assert_cmphex(reg(&ret, 0xc0000000, 0, EAX), ==, 2500);
	/* Leaves without subleaves answer for each. */
	g_assert_cmphex(reg(&ret, 1, 77, EAX), ==, 0x3066a);
	/* AMD: zeros. */
	offer_vendor(&offer, "AuthenticAMD", 0xa20f12);
	make("v2", &offer, 0, 1, 2500000, &ret);
	g_assert_cmphex(reg(&ret, 0x17, 0, EAX), ==, 0);
	g_assert_cmphex(reg(&ret, 0x80000009, 0, EAX), ==, 0);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/model/names", test_names);
	g_test_add_func("/model/sorted", test_sorted);
	g_test_add_func("/model/no-leak", test_no_leak);
	g_test_add_func("/model/nothing-offered", test_nothing_offered);
	g_test_add_func("/model/v2", test_v2_features);
	g_test_add_func("/model/max", test_max_features);
	g_test_add_func("/model/dependencies", test_dependencies);
	g_test_add_func("/model/xsave-sizes", test_xsave_sizes);
	g_test_add_func("/model/identity", test_identity);
	g_test_add_func("/model/topology", test_topology);
	g_test_add_func("/model/caches", test_caches);
	g_test_add_func("/model/clocks", test_clocks);
	g_test_add_func("/model/hypervisor", test_hypervisor);
	g_test_add_func("/model/lookup", test_lookup);
	return g_test_run();
}
