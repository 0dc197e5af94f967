/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * features.c - features of a CPU: the kernel's names to those in libvirt's XML
 *
 * Only what both know stands here. What the kernel puts together by itself (ibrs, ssbd) does not:
 * its words do not tell which bit of CPUID they come from.
 */
#include <stdlib.h>
#include <string.h>

#include "host/facts-int.h"

/* The same in both. */
static const char *const same[] = {
	"3dnow",       "3dnowext",   "3dnowprefetch", "abm",         "adx",          "aes",
	"apic",        "arat",       "avic",          "avx",         "avx2",         "avx512bw",
	"avx512cd",    "avx512dq",   "avx512er",      "avx512f",     "avx512ifma",   "avx512pf",
	"avx512vbmi",  "avx512vl",   "bmi1",          "bmi2",        "cldemote",     "clflush",
	"clflushopt",  "clwb",       "clzero",        "cmov",        "cmp_legacy",   "cx16",
	"cx8",         "de",         "decodeassists", "erms",        "extapic",      "f16c",
	"flushbyasid", "fma",        "fma4",          "fpu",         "fsgsbase",     "fsrm",
	"fxsr",        "fxsr_opt",   "gfni",          "hle",         "ht",           "hypervisor",
	"ibs",         "invpcid",    "la57",          "lahf_lm",     "lbrv",         "lm",
	"lwp",         "mca",        "mce",           "misalignsse", "mmx",          "mmxext",
	"monitor",     "movbe",      "movdir64b",     "movdiri",     "mpx",          "msr",
	"mtrr",        "nodeid_msr", "npt",           "nx",          "osvw",         "pae",
	"pat",         "pcid",       "pconfig",       "pdpe1gb",     "perfctr_core", "perfctr_nb",
	"pfthreshold", "pge",        "pku",           "pks",         "pni",          "popcnt",
	"pse",         "pse36",      "rdpid",         "rdrand",      "rdseed",       "rdtscp",
	"rtm",         "sep",        "serialize",     "skinit",      "smap",         "smep",
	"ss",          "sse",        "sse2",          "sse4a",       "ssse3",        "svm",
	"syscall",     "tbm",        "tce",           "topoext",     "tsc",          "tsc_adjust",
	"umip",        "vaes",       "vgif",          "vme",         "vmx",          "vpclmulqdq",
	"waitpkg",     "wbnoinvd",   "wdt",           "x2apic",      "xgetbv1",      "xop",
	"xsave",       "xsavec",     "xsaveerptr",    "xsaveopt",    "xsaves",
};

static const struct {
	const char *kernel, *name;
} other[] = {
	{ "amx_bf16", "amx-bf16" },
	{ "amx_int8", "amx-int8" },
	{ "amx_tile", "amx-tile" },
	{ "arch_capabilities", "arch-capabilities" },
	{ "avx512_4fmaps", "avx512-4fmaps" },
	{ "avx512_4vnniw", "avx512-4vnniw" },
	{ "avx512_bf16", "avx512-bf16" },
	{ "avx512_bitalg", "avx512bitalg" },
	{ "avx512_fp16", "avx512-fp16" },
	{ "avx512_vbmi2", "avx512vbmi2" },
	{ "avx512_vnni", "avx512vnni" },
	{ "avx512_vp2intersect", "avx512-vp2intersect" },
	{ "avx512_vpopcntdq", "avx512-vpopcntdq" },
	{ "avx_vnni", "avx-vnni" },
	{ "cr8_legacy", "cr8legacy" },
	{ "intel_pt", "intel-pt" },
	{ "md_clear", "md-clear" },
	{ "nonstop_tsc", "invtsc" },
	{ "nrip_save", "nrip-save" },
	{ "pausefilter", "pause-filter" },
	{ "pclmulqdq", "pclmuldq" },
	{ "sha_ni", "sha-ni" },
	{ "sse4_1", "sse4.1" },
	{ "sse4_2", "sse4.2" },
	{ "svm_lock", "svm-lock" },
	{ "tsc_deadline_timer", "tsc-deadline" },
	{ "tsc_scale", "tsc-scale" },
	{ "v_vmsave_vmload", "v-vmsave-vmload" },
	{ "vmcb_clean", "vmcb-clean" },
};

static const char *find(const char *word)
{
	for (size_t i = 0; i < G_N_ELEMENTS(same); i++) {
		if (!strcmp(same[i], word))
			return same[i];
	}
	for (size_t i = 0; i < G_N_ELEMENTS(other); i++) {
		if (!strcmp(other[i].kernel, word))
			return other[i].name;
	}
	return NULL;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

char **facts_features(const char *flags)
{
	g_auto(GStrv) words = g_strsplit_set(flags, " \t\n", 4096);
	GPtrArray *names = g_ptr_array_new();

	for (unsigned i = 0; words[i]; i++) {
		const char *name = find(words[i]);

		if (name)
			g_ptr_array_add(names, g_strdup(name));
	}
	if (names->len > 1)
		qsort(names->pdata, names->len, sizeof(names->pdata[0]), by_name);
	g_ptr_array_add(names, NULL);
	return (char **)g_ptr_array_free(names, FALSE);
}

bool host_facts_have(const struct host_facts *facts, const char *feature)
{
	return bsearch(&feature, facts->features, g_strv_length(facts->features),
		       sizeof(facts->features[0]), by_name) != NULL;
}
