/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * state.c - a vCPU's state out and in
 *
 * A state that comes in may have been written by anybody. All of it is checked first; if something
 * is impossible, nothing changes. What no processor checks either (a selector that fits no table) is
 * taken as it is: the worst that a guest gets of it is a fault.
 */
#include "emu/sys-int.h"

#include <errno.h>
#include <string.h>

#include "base/bytes.h"

enum {
	XSAVE_MXCSR = 24,
	XSAVE_BV = 512,
	XSAVE_COMP_BV = 520,
};

#define RFLAGS_DEFINED 0x003f7fd7u
#define PHYS_RSVD      (~((1ull << 46) - 1))

/* MSRs that hold state and are no fields of struct x86_state. */
static const uint32_t saved_msrs[] = {
	MSR_STAR,
	MSR_LSTAR,
	MSR_CSTAR,
	MSR_SYSCALL_MASK,
	MSR_KERNEL_GS_BASE,
	MSR_TSC_AUX,
	MSR_SYSENTER_CS,
	MSR_SYSENTER_ESP,
	MSR_SYSENTER_EIP,
	MSR_PAT,
	MSR_MISC_ENABLE,
	MSR_MCG_STATUS,
	MSR_SPEC_CTRL,
	MSR_TSC_ADJUST,
	MSR_MTRR_DEF_TYPE,
	MSR_KVM_WALL_CLOCK,
	MSR_KVM_SYSTEM_TIME,
	MSR_MTRR_FIX64K,
	MSR_MTRR_FIX16K_80000,
	MSR_MTRR_FIX16K_A0000,
	0x268,
	0x269,
	0x26a,
	0x26b,
	0x26c,
	0x26d,
	0x26e,
	0x26f, /* MTRR_FIX4K */
	0x200,
	0x201,
	0x202,
	0x203,
	0x204,
	0x205,
	0x206,
	0x207, /* MTRR_PHYSBASE, _MASK */
	0x208,
	0x209,
	0x20a,
	0x20b,
	0x20c,
	0x20d,
	0x20e,
	0x20f,
};

static_assert(ARRAY_SIZE(saved_msrs) < X86_MSR_MAX, "and the TSC deadline");

/* ---- out ---- */

/* Requests of other vCPUs that wait in the APIC are carried out, so that none is lost. */
static void take_requests(struct vcpu *v)
{
	uint8_t sipi;
	unsigned req = lapic_requests(v->lapic, &sipi);

	if (req & LAPIC_REQ_NMI)
		v->nmi_pending = true;
	if (req & LAPIC_REQ_INIT)
		emu_init(v);
	if (req & LAPIC_REQ_SIPI)
		emu_sipi(v, sipi);
}

static void get_msrs(struct vcpu *v, struct x86_state *state, uint64_t deadline)
{
	for (unsigned i = 0; i < ARRAY_SIZE(saved_msrs); i++) {
		struct x86_msr *m = &state->msr[state->msr_count];

		m->index = saved_msrs[i];
		if (emu_msr_read(v, m->index, &m->value) == 0)
			state->msr_count++;
	}
	state->msr[state->msr_count++] = (struct x86_msr){ MSR_TSC_DEADLINE, deadline };
}

int emu_vcpu_get_state(struct vcpu *v, struct x86_state *state)
{
	uint64_t deadline;

	take_requests(v);
	memset(state, 0, sizeof(*state));
	memcpy(state->gpr, v->r, sizeof(state->gpr));
	state->rip = v->r[R_RIP];
	state->rflags = emu_eflags(v);
	memcpy(state->seg, v->seg, sizeof(state->seg));
	state->gdt = v->gdt;
	state->idt = v->idt;
	state->cr0 = v->cr0;
	state->cr2 = v->cr2;
	state->cr3 = v->cr3;
	state->cr4 = v->cr4;
	state->cr8 = lapic_cr8(v->lapic);
	state->efer = v->efer;
	state->apic_base = lapic_base(v->lapic);
	state->xcr0 = v->xcr0;
	memcpy(state->dr, v->dr, sizeof(state->dr));
	state->tsc = emu_tsc(v);
	if (v->inject) {
		state->exception_pending = true;
		state->exception = v->injected.vector;
		state->exception_has_code = v->injected.has_code;
		state->exception_code = v->injected.code;
	}
	state->interrupt_shadow = v->shadow;
	state->nmi_pending = v->nmi_pending;
	state->nmi_masked = v->nmi_masked;
	state->run_state = v->wait_sipi ? X86_WAIT_FOR_SIPI : v->halted ? X86_HALTED : X86_RUNNABLE;
	emu_fpu_get_xsave(v, state->xsave);
	lapic_get_state(v->lapic, state->lapic, &deadline);
	get_msrs(v, state, deadline);
	return 0;
}

/* ---- in: checks ---- */

static bool control_ok(const struct vcpu *v, const struct x86_state *s)
{
	uint32_t edx = sys_cpuid(v, 0x80000001, 0, 3);
	uint64_t efer = EFER_LMA;
	bool lma = s->efer & EFER_LMA;

	efer |= edx & 1u << 11 ? EFER_SCE : 0;
	efer |= edx & 1u << 20 ? EFER_NXE : 0;
	efer |= edx & 1u << 29 ? EFER_LME : 0;
	if (s->cr0 >> 32 || (s->cr0 & (CR0_PG | CR0_PE)) == CR0_PG ||
	    (s->cr0 & (CR0_NW | CR0_CD)) == CR0_NW)
		return false;
	if (s->cr4 & ~emu_cr4_bits(v) || s->efer & ~efer || s->cr8 > 15)
		return false;
	if (lma != (s->efer & EFER_LME && s->cr0 & CR0_PG) || (lma && !(s->cr4 & CR4_PAE)))
		return false;
	if (lma ? (s->cr3 & PHYS_RSVD) != 0 : (s->cr3 >> 32) != 0)
		return false;
	if (!(s->xcr0 & 1) || s->xcr0 & ~(emu_xcr0_bits(v) | 1))
		return false;
	return !(s->dr[6] >> 32) && !(s->dr[7] >> 32);
}

/* The privilege level that a state means, or -1 if it makes no sense. */
static int state_cpl(const struct x86_state *s)
{
	const struct x86_segment *cs = &s->seg[X86_CS], *ss = &s->seg[X86_SS];
	int cpl, dpl = cs->access >> 5 & 3;

	if (!(s->cr0 & CR0_PE))
		return 0;
	if (s->rflags & RFLAGS_VM)
		return 3;
	cpl = ss->unusable ? cs->selector & 3 : ss->access >> 5 & 3;
	if (cs->unusable || !(cs->access & SEG_ACCESS_P) || !(cs->access & SEG_ACCESS_S))
		return -1;
	/* Real mode left data rights in CS: fine until it is loaded. */
	if ((cs->access & 0xc) == 0xc ? dpl > cpl : dpl != cpl)
		return -1;
	return cpl;
}

static bool segments_ok(const struct x86_state *s)
{
	bool lma = s->efer & EFER_LMA;
	const struct x86_segment *cs = &s->seg[X86_CS];

	for (unsigned i = 0; i < X86_SEG_COUNT; i++) {
		uint64_t base = s->seg[i].base;

		if (lma && i >= X86_FS ? !sys_canonical(base) : base >> 32 != 0)
			return false;
		if (s->seg[i].access & 0x0f00)
			return false;
	}
	if (lma ? !sys_canonical(s->gdt.base) || !sys_canonical(s->idt.base)
		: s->gdt.base >> 32 || s->idt.base >> 32)
		return false;
	if (lma && cs->access & SEG_ACCESS_L) {
		if (cs->access & SEG_ACCESS_DB || !sys_canonical(s->rip))
			return false;
	} else if (s->rip >> 32) {
		return false;
	}
	return state_cpl(s) >= 0;
}

static bool flags_ok(const struct x86_state *s)
{
	if (s->rflags & ~(uint64_t)RFLAGS_DEFINED || !(s->rflags & RFLAGS_1))
		return false;
	return !(s->rflags & RFLAGS_VM) || (s->cr0 & CR0_PE && !(s->efer & EFER_LMA));
}

static bool apic_ok(uint64_t base)
{
	if ((base & ~(uint64_t)(APIC_BASE_BSP | APIC_BASE_X2APIC | APIC_BASE_ENABLE)) !=
	    APIC_BASE_ADDR)
		return false;
	return base & APIC_BASE_ENABLE || !(base & APIC_BASE_X2APIC);
}

static bool xsave_ok(const struct x86_state *s)
{
	return !(get_le32(s->xsave + XSAVE_MXCSR) & 0xffff0000u) &&
	       !(get_le64(s->xsave + XSAVE_BV) & ~3ull) && !get_le64(s->xsave + XSAVE_COMP_BV);
}

/* Those that are told by fields of the state: they are not looked at in the list. */
static bool has_field(uint32_t msr)
{
	return msr == MSR_EFER || msr == MSR_FS_BASE || msr == MSR_GS_BASE || msr == MSR_TSC ||
	       msr == MSR_APIC_BASE || msr == MSR_TSC_DEADLINE;
}

static bool msrs_ok(struct vcpu *v, const struct x86_state *s)
{
	if (s->msr_count > X86_MSR_MAX)
		return false;
	for (unsigned i = 0; i < s->msr_count; i++) {
		const struct x86_msr *m = &s->msr[i];
		uint64_t now;

		/* An MSR that we do not have may be listed as 0, a constant as what it is. */
		if (has_field(m->index) || emu_msr_check(v, m->index, m->value) == 0 || !m->value)
			continue;
		if (emu_msr_read(v, m->index, &now) < 0 || now != m->value)
			return false;
	}
	return true;
}

static bool event_ok(const struct x86_state *s)
{
	return s->run_state <= X86_WAIT_FOR_SIPI &&
	       (!s->exception_pending || s->exception >= 32 || s->exception <= EXC_XM);
}

/* ---- in ---- */

static void set_msrs(struct vcpu *v, const struct x86_state *s)
{
	for (unsigned i = 0; i < s->msr_count; i++) {
		const struct x86_msr *m = &s->msr[i];

		if (has_field(m->index) || emu_msr_check(v, m->index, m->value) < 0)
			continue;
		/* The TSC is told; the wall clock's page is part of the memory. */
		if (m->index == MSR_TSC_ADJUST)
			v->tsc_adjust = m->value;
		else if (m->index == MSR_KVM_WALL_CLOCK)
			v->kvm_wall_clock = m->value;
		else
			(void)emu_msr_write(v, m->index, m->value);
	}
}

static void set_lapic(struct vcpu *v, const struct x86_state *s)
{
	uint64_t deadline = 0;

	for (unsigned i = 0; i < s->msr_count; i++) {
		if (s->msr[i].index == MSR_TSC_DEADLINE)
			deadline = s->msr[i].value;
	}
	lapic_set_state(v->lapic, s->lapic, s->apic_base, deadline);
	lapic_set_cr8(v->lapic, (uint8_t)s->cr8);
}

int emu_vcpu_set_state(struct vcpu *v, const struct x86_state *s)
{
	bool pae = s->cr0 & CR0_PG && s->cr4 & CR4_PAE && !(s->efer & EFER_LME);

	if (!control_ok(v, s) || !flags_ok(s) || !segments_ok(s) || !apic_ok(s->apic_base) ||
	    !xsave_ok(s) || !event_ok(s) || !msrs_ok(v, s))
		return -EINVAL;
	if (pae && !emu_load_pdptes(v, s->cr3))
		return -EINVAL;

	memcpy(v->r, s->gpr, sizeof(s->gpr));
	v->r[R_RIP] = s->rip;
	emu_set_eflags(v, (uint32_t)s->rflags);
	memcpy(v->seg, s->seg, sizeof(v->seg));
	v->gdt = s->gdt;
	v->idt = s->idt;
	v->cr0 = s->cr0 | CR0_ET;
	v->cr2 = s->cr2;
	v->cr3 = s->cr3;
	v->cr4 = s->cr4;
	v->efer = s->efer;
	v->xcr0 = s->xcr0;
	memcpy(v->dr, s->dr, sizeof(v->dr));
	v->dr[6] |= 0xffff0ff0u;
	v->dr[7] |= 0x400;
	v->cpl = (uint8_t)state_cpl(s);
	emu_tsc_set(v, s->tsc);
	v->inject = s->exception_pending;
	v->injected = (struct fault){ .vector = s->exception,
				      .has_code = s->exception_has_code,
				      .code = s->exception_code };
	v->in_delivery = v->shutdown = false;
	v->ext = 0;
	v->debug_hit = 0;
	v->shadow = s->interrupt_shadow;
	v->nmi_pending = s->nmi_pending;
	v->nmi_masked = s->nmi_masked;
	v->halted = s->run_state == X86_HALTED;
	v->wait_sipi = s->run_state == X86_WAIT_FOR_SIPI;
	set_lapic(v, s);
	set_msrs(v, s);
	emu_fpu_set_xsave(v, s->xsave);
	emu_tlb_flush(v, true);
	emu_mode_update(v);
	if (v->wait_sipi && s->sipi_pending)
		emu_sipi(v, s->sipi_vector);
	return 0;
}
