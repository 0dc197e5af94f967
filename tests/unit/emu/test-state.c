/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-state.c - a vCPU's state out and in: nothing is lost, nothing impossible is taken
 */
#include <errno.h>
#include <glib.h>
#include <string.h>

#include "base/bytes.h"
#include "cpu/msr.h"
#include "emu/emu.h"

struct fixture {
	struct mem *mem;
	struct io_space *pio, *mmio;
	struct cpu_engine *engine;
	struct vcpu *vcpu;
};

static void set_up(struct fixture *f, const void *data)
{
	g_autoptr(GError) error = NULL;
	struct cpu_config config = { .cpus = 1 };

	(void)data;
	f->mem = mem_new();
	g_assert_true(mem_add_ram(f->mem, 0, 1 << 20, &error));
	f->pio = io_space_new("pio", 0x10000);
	f->mmio = io_space_new("mmio", 1ull << 46);
	config.mem = f->mem;
	config.pio = f->pio;
	config.mmio = f->mmio;
	config.model = cpu_model_find("v2", &error);
	f->engine = emu_cpu_ops.open(&config, &error);
	g_assert_no_error(error);
	f->vcpu = emu_cpu_ops.vcpu_new(f->engine, 0, &error);
	g_assert_no_error(error);
}

static void tear_down(struct fixture *f, const void *data)
{
	(void)data;
	emu_cpu_ops.vcpu_free(f->vcpu);
	emu_cpu_ops.close(f->engine);
	io_space_free(f->mmio);
	io_space_free(f->pio);
	mem_free(f->mem);
}

/* 64-bit mode, ring 0. */
static void long_mode(struct x86_state *s)
{
	x86_state_reset(s);
	s->cr0 = CR0_PE | CR0_PG | CR0_ET | CR0_NE;
	s->cr3 = 0x1000;
	s->cr4 = CR4_PAE | CR4_OSFXSR;
	s->efer = EFER_LME | EFER_LMA | EFER_SCE | EFER_NXE;
	for (unsigned i = X86_ES; i <= X86_GS; i++)
		s->seg[i] = (struct x86_segment){ .limit = UINT32_MAX,
						  .selector = 0x10,
						  .access = 0xc093 };
	s->seg[X86_CS] =
		(struct x86_segment){ .limit = UINT32_MAX, .selector = 8, .access = 0xa09b };
	s->seg[X86_FS].base = 0xffff888000000000ull;
	s->rip = 0xffffffff81000000ull;
	s->rflags = 0x202;
	for (unsigned i = 0; i < X86_REG_COUNT; i++)
		s->gpr[i] = 0x0101010101010101ull * i;
	s->tsc = 1ull << 40;
	s->interrupt_shadow = true;
	s->nmi_masked = true;
	s->exception_pending = true;
	s->exception = EXC_PF;
	s->exception_has_code = true;
	s->exception_code = 2;
	s->msr[s->msr_count++] = (struct x86_msr){ MSR_LSTAR, 0xffffffff81800000ull };
	s->msr[s->msr_count++] = (struct x86_msr){ MSR_MTRR_DEF_TYPE, 0xc06 };
}

static uint64_t saved_msr(const struct x86_state *s, uint32_t index)
{
	for (unsigned i = 0; i < s->msr_count; i++) {
		if (s->msr[i].index == index)
			return s->msr[i].value;
	}
	g_assert_not_reached();
}

static void test_round_trip(struct fixture *f, const void *data)
{
	g_autofree struct x86_state *in = g_new0(struct x86_state, 1);
	g_autofree struct x86_state *out = g_new0(struct x86_state, 1);

	(void)data;
	long_mode(in);
	g_assert_cmpint(emu_cpu_ops.vcpu_set_state(f->vcpu, in), ==, 0);
	g_assert_cmpint(emu_cpu_ops.vcpu_get_state(f->vcpu, out), ==, 0);
	g_assert_cmpmem(in->gpr, sizeof(in->gpr), out->gpr, sizeof(out->gpr));
	g_assert_cmphex(out->rip, ==, in->rip);
	g_assert_cmphex(out->rflags, ==, in->rflags);
	g_assert_cmphex(out->efer, ==, in->efer);
	g_assert_cmphex(out->cr4, ==, in->cr4);
	g_assert_cmphex(out->seg[X86_FS].base, ==, in->seg[X86_FS].base);
	g_assert_cmpint(out->exception, ==, EXC_PF);
	g_assert_true(out->exception_pending && out->interrupt_shadow && out->nmi_masked);
	g_assert_cmphex(saved_msr(out, MSR_LSTAR), ==, 0xffffffff81800000ull);
	g_assert_cmphex(saved_msr(out, MSR_MTRR_DEF_TYPE), ==, 0xc06);
	g_assert_cmpuint(out->tsc - in->tsc, <, 10000000000ull);
	/* What came out goes in again. */
	g_assert_cmpint(emu_cpu_ops.vcpu_set_state(f->vcpu, out), ==, 0);
}

static void no_pae(struct x86_state *s)
{
	s->cr4 = 0;
}
static void pg_without_pe(struct x86_state *s)
{
	s->cr0 &= ~(uint64_t)CR0_PE;
}
static void cr0_high(struct x86_state *s)
{
	s->cr0 |= 1ull << 32;
}
static void cr3_high(struct x86_state *s)
{
	s->cr3 = 1ull << 50;
}
static void cr4_unknown(struct x86_state *s)
{
	s->cr4 |= CR4_SMAP;
}
static void lma_alone(struct x86_state *s)
{
	s->efer &= ~(uint64_t)EFER_LME;
}
static void lme_without_lma(struct x86_state *s)
{
	s->efer &= ~(uint64_t)EFER_LMA;
}
static void efer_unknown(struct x86_state *s)
{
	s->efer |= 1 << 15;
}
static void vm86(struct x86_state *s)
{
	s->rflags |= RFLAGS_VM;
}
static void flags_bit_1(struct x86_state *s)
{
	s->rflags = 0;
}
static void flags_high(struct x86_state *s)
{
	s->rflags |= 1ull << 40;
}
static void rip_not_canonical(struct x86_state *s)
{
	s->rip = 1ull << 47;
}
static void base_not_canonical(struct x86_state *s)
{
	s->seg[X86_GS].base = 1ull << 47;
}
static void gdt_not_canonical(struct x86_state *s)
{
	s->gdt.base = 1ull << 47;
}
static void l_and_d(struct x86_state *s)
{
	s->seg[X86_CS].access |= SEG_ACCESS_DB;
}
static void cpl_differs(struct x86_state *s)
{
	s->seg[X86_SS].access |= 0x60;
}
static void cr8(struct x86_state *s)
{
	s->cr8 = 16;
}
static void xcr0_none(struct x86_state *s)
{
	s->xcr0 = 0;
}
static void xcr0_avx(struct x86_state *s)
{
	s->xcr0 = 7;
}
static void mxcsr(struct x86_state *s)
{
	put_le32(s->xsave + 24, 0x10000);
}
static void xstate(struct x86_state *s)
{
	put_le64(s->xsave + 512, 4);
}
static void dr7(struct x86_state *s)
{
	s->dr[7] = 1ull << 32;
}
static void apic_base(struct x86_state *s)
{
	s->apic_base = 0x12345800;
}
static void run_state(struct x86_state *s)
{
	s->run_state = (enum x86_run_state)7;
}
static void vector(struct x86_state *s)
{
	s->exception = 25;
}
static void msr_count(struct x86_state *s)
{
	s->msr_count = 1u << 30;
}
static void bad_msr(struct x86_state *s)
{
	s->msr[s->msr_count++] = (struct x86_msr){ MSR_LSTAR, 1ull << 47 };
}
static void bad_pat(struct x86_state *s)
{
	s->msr[s->msr_count++] = (struct x86_msr){ MSR_PAT, 2 };
}
static void no_msr(struct x86_state *s)
{
	s->msr[s->msr_count++] = (struct x86_msr){ 0xdead, 1 };
}

static void test_impossible(struct fixture *f, const void *data)
{
	static void (*const spoil[])(struct x86_state * s) = {
		no_pae,
		pg_without_pe,
		cr0_high,
		cr3_high,
		cr4_unknown,
		lma_alone,
		lme_without_lma,
		efer_unknown,
		vm86,
		flags_bit_1,
		flags_high,
		rip_not_canonical,
		base_not_canonical,
		gdt_not_canonical,
		l_and_d,
		cpl_differs,
		cr8,
		xcr0_none,
		xcr0_avx,
		mxcsr,
		xstate,
		dr7,
		apic_base,
		run_state,
		vector,
		msr_count,
		bad_msr,
		bad_pat,
		no_msr,
	};
	g_autofree struct x86_state *before = g_new0(struct x86_state, 1);
	g_autofree struct x86_state *in = g_new0(struct x86_state, 1);
	g_autofree struct x86_state *out = g_new0(struct x86_state, 1);

	(void)data;
	g_assert_cmpint(emu_cpu_ops.vcpu_get_state(f->vcpu, before), ==, 0);
	for (unsigned i = 0; i < G_N_ELEMENTS(spoil); i++) {
		long_mode(in);
		spoil[i](in);
		g_test_message("case %u", i);
		g_assert_cmpint(emu_cpu_ops.vcpu_set_state(f->vcpu, in), ==, -EINVAL);
		g_assert_cmpint(emu_cpu_ops.vcpu_get_state(f->vcpu, out), ==, 0);
		out->tsc = before->tsc;
		g_assert_cmpmem(out, sizeof(*out), before, sizeof(*before));
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add("/emu/state/round-trip", struct fixture, NULL, set_up, test_round_trip,
		   tear_down);
	g_test_add("/emu/state/impossible", struct fixture, NULL, set_up, test_impossible,
		   tear_down);
	return g_test_run();
}
