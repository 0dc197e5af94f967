/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-state.c - the state after RESET, as text, and the names of the statistics
 */
#include "cpu/state.h"

#include <string.h>

#include "base/bytes.h"
#include "cpu/cpu.h"
#include "cpu/msr.h"

static void test_reset(void)
{
	g_autofree struct x86_state *s = g_new(struct x86_state, 1);

	memset(s, 0xa5, sizeof(*s));
	x86_state_reset(s);
	g_assert_cmphex(s->seg[X86_CS].base + s->rip, ==, 0xfffffff0);
	g_assert_cmphex(s->seg[X86_CS].selector, ==, 0xf000);
	g_assert_cmphex(s->rflags, ==, 2);
	g_assert_cmphex(s->cr0, ==, 0x60000010);
	g_assert_cmphex(s->cr4, ==, 0);
	g_assert_cmphex(s->efer, ==, 0);
	g_assert_cmphex(s->dr[6], ==, 0xffff0ff0);
	g_assert_cmphex(s->dr[7], ==, 0x400);
	g_assert_cmphex(s->apic_base, ==, 0xfee00900);
	g_assert_cmphex(s->xcr0, ==, 1);
	g_assert_cmphex(s->gdt.limit, ==, 0xffff);
	g_assert_cmphex(s->idt.limit, ==, 0xffff);
	for (unsigned i = 0; i < X86_SEG_COUNT; i++) {
		g_assert_cmphex(s->seg[i].limit, ==, 0xffff);
		g_assert_true(s->seg[i].access & SEG_ACCESS_P);
		g_assert_false(s->seg[i].unusable);
	}
	for (unsigned i = 0; i < X86_REG_COUNT; i++)
		g_assert_cmphex(s->gpr[i], ==, i == X86_RDX ? 0x600 : 0);
	g_assert_cmpint(s->run_state, ==, X86_RUNNABLE);
	g_assert_false(s->exception_pending);
	g_assert_cmphex(get_le16(s->xsave), ==, 0x37f);
	g_assert_cmphex(get_le32(s->xsave + 24), ==, 0x1f80);
	g_assert_cmphex(get_le64(s->xsave + 512), ==, 3);
	/* The APIC: disabled by software, all entries masked, flat. */
	g_assert_cmphex(get_le32(s->lapic + 0xf0), ==, 0xff);
	g_assert_cmphex(get_le32(s->lapic + 0xe0), ==, UINT32_MAX);
	g_assert_cmphex(get_le32(s->lapic + 0x30), ==, 0x50014);
	for (unsigned off = 0x320; off <= 0x370; off += 0x10)
		g_assert_cmphex(get_le32(s->lapic + off), ==, 0x10000);
}

static void test_reset_msrs(void)
{
	g_autofree struct x86_state *s = g_new0(struct x86_state, 1);
	bool pat = false;

	x86_state_reset(s);
	g_assert_cmpuint(s->msr_count, >, 0);
	for (unsigned i = 0; i < s->msr_count; i++) {
		if (s->msr[i].index == MSR_PAT) {
			pat = true;
			g_assert_cmphex(s->msr[i].value, ==, 0x0007040600070406);
		} else {
			/* Engines pass over what they do not know, if it is 0. */
			g_assert_cmphex(s->msr[i].value, ==, 0);
		}
		for (unsigned j = 0; j < i; j++)
			g_assert_cmphex(s->msr[j].index, !=, s->msr[i].index);
	}
	g_assert_true(pat);
}

static void test_reset_cpu(void)
{
	g_autofree struct x86_state *s = g_new(struct x86_state, 1);

	x86_state_reset_cpu(s, 0);
	g_assert_cmphex(s->apic_base, ==, 0xfee00900);
	g_assert_cmpint(s->run_state, ==, X86_RUNNABLE);
	x86_state_reset_cpu(s, 254);
	g_assert_cmphex(s->apic_base, ==, 0xfee00800);
	g_assert_cmpint(s->run_state, ==, X86_WAIT_FOR_SIPI);
	g_assert_cmphex(get_le32(s->lapic + 0x20), ==, 0xfe000000);
}

static void assert_says(const struct x86_state *s, const char *what)
{
	g_autofree char *text = x86_state_format(s);

	if (!strstr(text, what))
		g_error("'%s' is not in:\n%s", what, text);
}

static void test_format(void)
{
	g_autofree struct x86_state *s = g_new(struct x86_state, 1);

	x86_state_reset(s);
	assert_says(s, "real mode\n");
	assert_says(s, "rip 000000000000fff0");
	assert_says(s, "cs  f000 base 00000000ffff0000 limit 0000ffff access 009b\n");
	s->gpr[X86_R15] = UINT64_MAX;
	assert_says(s, "r15 ffffffffffffffff\n");
	s->gpr[X86_R9] = 0x1234;
	assert_says(s, "r9  0000000000001234 ");
	s->cr2 = 0xdeadbeef;
	assert_says(s, "cr2 00000000deadbeef");
	s->run_state = X86_HALTED;
	assert_says(s, "real mode, halted\n");
	s->run_state = X86_WAIT_FOR_SIPI;
	assert_says(s, "waits for SIPI\n");
	s->run_state = X86_RUNNABLE;
	s->seg[X86_FS].unusable = true;
	assert_says(s, "access 0093 unusable\n");

	s->cr0 |= CR0_PE;
	assert_says(s, "16-bit protected mode\n");
	s->seg[X86_CS].access |= SEG_ACCESS_DB;
	assert_says(s, "32-bit protected mode\n");
	s->rflags |= RFLAGS_VM;
	assert_says(s, "virtual-8086 mode\n");
	s->rflags = 2;
	s->efer = EFER_LMA;
	assert_says(s, "32-bit compatibility mode\n");
	s->seg[X86_CS].access &= (uint16_t)~SEG_ACCESS_DB;
	assert_says(s, "16-bit compatibility mode\n");
	s->seg[X86_CS].access |= SEG_ACCESS_L;
	s->seg[X86_SS].access |= SEG_ACCESS_DPL;
	assert_says(s, "cpl 3, 64-bit mode\n");
}

static void test_stat_names(void)
{
	for (unsigned i = 0; i < CPU_STAT_COUNT; i++) {
		g_assert_nonnull(cpu_stat_names[i]);
		for (unsigned j = 0; j < i; j++)
			g_assert_cmpstr(cpu_stat_names[i], !=, cpu_stat_names[j]);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/state/reset", test_reset);
	g_test_add_func("/state/reset-msrs", test_reset_msrs);
	g_test_add_func("/state/reset-cpu", test_reset_cpu);
	g_test_add_func("/state/format", test_format);
	g_test_add_func("/state/stat-names", test_stat_names);
	return g_test_run();
}
