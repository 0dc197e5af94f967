/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * control.c - control and debug registers, what the mode follows from, RESET
 *
 * Sources: Intel SDM vol. 2, MOV to and from control and debug registers, LMSW, SMSW, CLTS;
 * vol. 3 2.5 (control registers), 9.8.5 (into long mode), 18.2 (debug registers), table 10-1.
 */
#include "emu/sys-int.h"

#include <string.h>

#define CR0_DEFINED                                                                                \
	(CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD | \
	 CR0_PG)
#define CR3_RSVD (~((1ull << 46) - 1))

#define DR6_FIXED    0xffff0ff0u
#define DR6_WRITABLE 0x0000e00fu
#define DR6_BD       0x00002000u
#define DR7_FIXED    0x00000400u
#define DR7_WRITABLE 0xffff23ffu
#define DR7_GD       0x00002000u

void emu_mode_update(struct vcpu *v)
{
	const struct x86_segment *cs = &v->seg[X86_CS];
	uint32_t mode = 0;

	for (unsigned i = 0; i < X86_SEG_COUNT; i++)
		v->seg_base[i] = v->seg[i].base;
	if (v->efer & EFER_LMA && cs->access & SEG_ACCESS_L) {
		mode |= MODE_64;
		v->seg_base[X86_ES] = v->seg_base[X86_CS] = 0;
		v->seg_base[X86_SS] = v->seg_base[X86_DS] = 0;
	} else {
		if (cs->access & SEG_ACCESS_DB && !(v->eflags & RFLAGS_VM))
			mode |= MODE_32;
		if (cs->limit != UINT32_MAX)
			mode |= MODE_LIMIT;
	}
	if (v->cr0 & CR0_PE)
		mode |= MODE_PE;
	if (v->eflags & RFLAGS_VM)
		mode |= MODE_VM;
	if (v->cpl == 3)
		mode |= MODE_USER;
	if (v->eflags & RFLAGS_TF || v->dr[7] & 0xff || v->shadow)
		mode |= MODE_STEP;
	if (v->cr0 & (CR0_TS | CR0_EM))
		mode |= MODE_NM;
	if (v->cr0 & CR0_EM)
		mode |= MODE_EM;
	if (v->cr0 & CR0_EM || !(v->cr4 & CR4_OSFXSR))
		mode |= MODE_NOSSE;
	if ((v->fpu.mxcsr & 0x1f80) != 0x1f80)
		mode |= MODE_XM;
	if ((v->fpu.cw & 0x3f) != 0x3f)
		mode |= MODE_X87X;
	v->mode = mode;
	v->tlb = &v->tlbs[v->cpl == 3];
	v->jkey = (v->jkey & ~(uint64_t)0xffff) | mode;
	v->jkey_global = (v->jkey_global & ~(uint64_t)0xffff) | mode;
}

/* ---- CR0 ---- */

/* Is PAE paging, which has registers for its top level, what these values make? */
static bool pae_paging(uint64_t cr0, uint64_t cr4, uint64_t efer)
{
	return cr0 & CR0_PG && cr4 & CR4_PAE && !(efer & EFER_LME);
}

static void set_cr0(struct vcpu *v, const struct uop *u, uint64_t value)
{
	uint64_t old = v->cr0, changed;

	if (value >> 32)
		emu_gp0(v, u);
	value = (value & CR0_DEFINED) | CR0_ET;
	if ((value & (CR0_PG | CR0_PE)) == CR0_PG || (value & (CR0_NW | CR0_CD)) == CR0_NW)
		emu_gp0(v, u);
	changed = value ^ old;
	if (changed & value & CR0_PG && v->efer & EFER_LME &&
	    (!(v->cr4 & CR4_PAE) || v->seg[X86_CS].access & SEG_ACCESS_L))
		emu_gp0(v, u);
	if (changed & old & CR0_PG && v->mode & MODE_64)
		emu_gp0(v, u);
	if (changed & (CR0_PG | CR0_CD | CR0_NW) && pae_paging(value, v->cr4, v->efer) &&
	    !emu_load_pdptes(v, v->cr3))
		emu_gp0(v, u);

	v->cr0 = value;
	if (value & CR0_PG && v->efer & EFER_LME)
		v->efer |= EFER_LMA;
	else
		v->efer &= ~(uint64_t)EFER_LMA;
	if (changed & CR0_PE)
		v->cpl = 0;
	if (changed & (CR0_PG | CR0_WP | CR0_PE))
		emu_tlb_flush(v, true);
}

/* ---- CR3, CR4 ---- */

static void set_cr3(struct vcpu *v, const struct uop *u, uint64_t value)
{
	if (v->mode & MODE_64 && value & CR3_RSVD)
		emu_gp0(v, u);
	if (pae_paging(v->cr0, v->cr4, v->efer) && !emu_load_pdptes(v, value))
		emu_gp0(v, u);
	v->cr3 = value;
	emu_tlb_flush(v, false);
}

uint64_t emu_cr4_bits(const struct vcpu *v)
{
	uint32_t edx = sys_cpuid(v, 1, 0, 3), ecx = sys_cpuid(v, 1, 0, 2);
	uint32_t ebx7 = sys_cpuid(v, 7, 0, 1);
	uint64_t bits = CR4_PCE;

	bits |= edx & 1u << 4 ? CR4_TSD : 0;
	bits |= edx & 1u << 2 ? CR4_DE : 0;
	bits |= edx & 1u << 3 ? CR4_PSE : 0;
	bits |= edx & 1u << 6 ? CR4_PAE : 0;
	bits |= edx & 1u << 7 ? CR4_MCE : 0;
	bits |= edx & 1u << 13 ? CR4_PGE : 0;
	bits |= edx & 1u << 24 ? CR4_OSFXSR : 0;
	bits |= edx & 1u << 25 ? CR4_OSXMMEXCPT : 0;
	bits |= ecx & 1u << 26 ? CR4_OSXSAVE : 0;
	bits |= ebx7 & 1u << 0 ? CR4_FSGSBASE : 0;
	return bits;
}

static void set_cr4(struct vcpu *v, const struct uop *u, uint64_t value)
{
	uint64_t changed = value ^ v->cr4;

	if (value & ~emu_cr4_bits(v))
		emu_gp0(v, u);
	if (changed & CR4_PAE && v->efer & EFER_LMA)
		emu_gp0(v, u);
	if (changed & (CR4_PGE | CR4_PSE | CR4_PAE) && pae_paging(v->cr0, value, v->efer) &&
	    !emu_load_pdptes(v, v->cr3))
		emu_gp0(v, u);
	v->cr4 = value;
	if (changed & (CR4_PGE | CR4_PSE | CR4_PAE))
		emu_tlb_flush(v, true);
}

/* ---- MOV CRn ---- */

/* a: general register; b: number of the control register; osize 8 in 64-bit mode */
const struct uop *op_mov_from_cr(struct vcpu *v, const struct uop *u)
{
	uint64_t value;

	if (v->cpl)
		emu_gp0(v, u);
	switch (u->b) {
	case 0:
		value = v->cr0;
		break;
	case 2:
		value = v->cr2;
		break;
	case 3:
		value = v->cr3;
		break;
	case 4:
		value = v->cr4;
		break;
	default:
		value = lapic_cr8(v->lapic);
		break;
	}
	R64(v, u->a) = u->osize == 8 ? value : (uint32_t)value;
	NEXT(v, u);
}

const struct uop *op_mov_to_cr(struct vcpu *v, const struct uop *u)
{
	uint64_t value = u->osize == 8 ? R64(v, u->a) : R32(v, u->a);

	if (v->cpl)
		emu_gp0(v, u);
	switch (u->b) {
	case 0:
		set_cr0(v, u, value);
		break;
	case 2:
		v->cr2 = value;
		break;
	case 3:
		set_cr3(v, u, value);
		break;
	case 4:
		set_cr4(v, u, value);
		break;
	default:
		if (value & ~(uint64_t)15)
			emu_gp0(v, u);
		lapic_set_cr8(v->lapic, (uint8_t)value);
		break;
	}
	emu_done(v, u);
	emu_mode_update(v);
	return NULL;
}

const struct uop *op_clts(struct vcpu *v, const struct uop *u)
{
	if (v->cpl)
		emu_gp0(v, u);
	v->cr0 &= ~(uint64_t)CR0_TS;
	emu_done(v, u);
	emu_mode_update(v);
	return NULL;
}

static const struct uop *lmsw(struct vcpu *v, const struct uop *u, uint16_t value)
{
	/* PE can be set by it, and not cleared. */
	uint64_t cr0 = (v->cr0 & ~(uint64_t)(CR0_MP | CR0_EM | CR0_TS)) | (value & 15);

	set_cr0(v, u, cr0);
	emu_done(v, u);
	emu_mode_update(v);
	return NULL;
}

const struct uop *op_lmsw_r(struct vcpu *v, const struct uop *u)
{
	if (v->cpl)
		emu_gp0(v, u);
	return lmsw(v, u, R16(v, u->b));
}

const struct uop *op_lmsw_m(struct vcpu *v, const struct uop *u)
{
	if (v->cpl)
		emu_gp0(v, u);
	return lmsw(v, u, emu_ld16(v, u, emu_ea_G(v, u, 2, false)));
}

const struct uop *op_smsw_r(struct vcpu *v, const struct uop *u)
{
	if (u->osize == 2)
		R16(v, u->b) = (uint16_t)v->cr0;
	else
		R64(v, u->b) = (uint32_t)v->cr0;
	NEXT(v, u);
}

const struct uop *op_smsw_m(struct vcpu *v, const struct uop *u)
{
	emu_st16(v, u, emu_ea_G(v, u, 2, true), (uint16_t)v->cr0);
	NEXT(v, u);
}

/* ---- MOV DRn ---- */

/* The register that is meant: 4 and 5 are others' names unless CR4.DE. Raises. */
static unsigned debug_register(struct vcpu *v, const struct uop *u)
{
	unsigned n = u->b;

	if ((n == 4 || n == 5) && v->cr4 & CR4_DE)
		emu_ud(v, u);
	if (v->cpl)
		emu_gp0(v, u);
	if (v->dr[7] & DR7_GD) {
		v->dr[6] |= DR6_BD;
		emu_raise(v, u, EXC_DB);
	}
	return n == 4 || n == 5 ? n + 2 : n;
}

const struct uop *op_mov_from_dr(struct vcpu *v, const struct uop *u)
{
	uint64_t value = v->dr[debug_register(v, u)];

	R64(v, u->a) = u->osize == 8 ? value : (uint32_t)value;
	NEXT(v, u);
}

const struct uop *op_mov_to_dr(struct vcpu *v, const struct uop *u)
{
	unsigned n = debug_register(v, u);
	uint64_t value = u->osize == 8 ? R64(v, u->a) : R32(v, u->a);
	uint64_t old = v->dr[7];

	if (n >= 6 && value >> 32)
		emu_gp0(v, u);
	if (n == 6)
		v->dr[6] = (value & DR6_WRITABLE) | DR6_FIXED;
	else if (n == 7)
		v->dr[7] = (value & DR7_WRITABLE) | DR7_FIXED;
	else
		v->dr[n] = value;
	/* Watched pages are kept off the fast path. */
	if ((old | v->dr[7]) & 0xff)
		emu_tlb_flush(v, true);
	emu_done(v, u);
	emu_mode_update(v);
	return NULL;
}

/* ---- RESET, INIT ---- */

static void reset_segments(struct vcpu *v)
{
	for (unsigned i = 0; i < X86_SEG_COUNT; i++)
		v->seg[i] = (struct x86_segment){ .limit = 0xffff, .access = 0x93 };
	v->seg[X86_CS] = (struct x86_segment){
		.base = 0xffff0000,
		.limit = 0xffff,
		.selector = 0xf000,
		.access = 0x9b,
	};
	v->seg[X86_LDT].access = 0x82;
	v->seg[X86_TR].access = 0x8b;
	v->gdt = v->idt = (struct x86_table){ .base = 0, .limit = 0xffff };
}

/* What INIT leaves alone. */
static void reset_msrs(struct vcpu *v)
{
	v->star = v->lstar = v->cstar = v->sfmask = v->kernel_gs_base = v->tsc_aux = 0;
	v->sysenter_cs = v->sysenter_esp = v->sysenter_eip = 0;
	v->pat = 0x0007040600070406ull;
	v->misc_enable = 1 | 1u << 11 | 1u << 12; /* fast strings; no BTS, no PEBS */
	v->mtrr_def = 0;
	memset(v->mtrr_fix, 0, sizeof(v->mtrr_fix));
	memset(v->mtrr_var, 0, sizeof(v->mtrr_var));
	v->spec_ctrl = v->mcg_status = 0;
	v->feature_control = 1;
	v->kvm_system_time = v->kvm_wall_clock = 0;
	v->xcr0 = 1;
	v->tsc_adjust = 0;
	emu_tsc_set(v, 0);
}

void emu_vcpu_reset(struct vcpu *v, bool init)
{
	memset(v->r, 0, sizeof(v->r));
	v->r[X86_RDX] = sys_cpuid(v, 1, 0, 0);
	v->r[R_RIP] = 0xfff0;
	emu_set_eflags(v, RFLAGS_1);
	v->cpl = 0;
	v->shadow = v->shadow_ss = v->halted = v->wait_sipi = v->in_delivery = false;
	v->shutdown = v->inject = false;
	v->nmi_masked = v->nmi_pending = false;
	v->ext = 0;
	v->debug_hit = 0;
	reset_segments(v);
	v->cr0 = CR0_ET | (init ? v->cr0 & (CR0_CD | CR0_NW) : CR0_CD | CR0_NW);
	v->cr2 = v->cr3 = v->cr4 = v->efer = 0;
	memset(v->dr, 0, sizeof(v->dr));
	v->dr[6] = DR6_FIXED;
	v->dr[7] = DR7_FIXED;
	if (!init)
		reset_msrs(v);
	if (v->lapic)
		lapic_reset(v->lapic, init);
	emu_fpu_reset(v, init);
	emu_tlb_flush(v, true);
	emu_mode_update(v);
}
