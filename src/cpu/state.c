/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * state.c - the architectural state of an x86-64 CPU: after RESET, and as text
 */
#include "cpu/state.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "cpu/lapic-int.h"
#include "cpu/msr.h"

enum {
	XSAVE_FCW = 0,
	XSAVE_MXCSR = 24,
	XSAVE_XSTATE_BV = 512,
	FCW_INIT = 0x37f,
	MXCSR_INIT = 0x1f80,
	ACCESS_CODE = 0x9b, /* present, code, readable, accessed */
	ACCESS_DATA = 0x93, /* present, data, writable, accessed */
	ACCESS_LDT = 0x82,
	ACCESS_TSS = 0x8b, /* 32 bits, busy */
	DR6_INIT = 0xffff0ff0,
	DR7_INIT = 0x400,
};

/*
 * Those that a stopped guest must not leave behind, in every engine: where system calls go, what
 * memory types mean, and memory that a paravirtual clock is written to.
 */
static const struct x86_msr reset_msr[] = {
	{ MSR_SYSENTER_CS, 0 },
	{ MSR_SYSENTER_ESP, 0 },
	{ MSR_SYSENTER_EIP, 0 },
	{ MSR_STAR, 0 },
	{ MSR_LSTAR, 0 },
	{ MSR_CSTAR, 0 },
	{ MSR_SYSCALL_MASK, 0 },
	{ MSR_KERNEL_GS_BASE, 0 },
	{ MSR_TSC_AUX, 0 },
	{ MSR_TSC_DEADLINE, 0 },
	{ MSR_PAT, UINT64_C(0x0007040600070406) },
	{ MSR_MTRR_DEF_TYPE, 0 },
	{ MSR_KVM_WALL_CLOCK, 0 },
	{ MSR_KVM_SYSTEM_TIME, 0 },
	{ MSR_KVM_ASYNC_PF_EN, 0 },
	{ MSR_KVM_STEAL_TIME, 0 },
	{ MSR_KVM_PV_EOI_EN, 0 },
};

static_assert(ARRAY_SIZE(reset_msr) <= X86_MSR_MAX, "they must fit");

static void reset_segments(struct x86_state *state)
{
	for (unsigned i = 0; i < X86_SEG_COUNT; i++)
		state->seg[i] = (struct x86_segment){ .limit = 0xffff, .access = ACCESS_DATA };
	state->seg[X86_CS].selector = 0xf000;
	state->seg[X86_CS].base = 0xffff0000;
	state->seg[X86_CS].access = ACCESS_CODE;
	state->seg[X86_LDT].access = ACCESS_LDT;
	state->seg[X86_TR].access = ACCESS_TSS;
	state->gdt.limit = 0xffff;
	state->idt.limit = 0xffff;
}

static void reset_lapic(uint8_t regs[X86_LAPIC_REGS])
{
	put_le32(regs + APIC_VERSION, LAPIC_VERSION);
	put_le32(regs + APIC_DFR, UINT32_MAX);
	put_le32(regs + APIC_SVR, 0xff);
	for (unsigned off = APIC_LVT; off <= APIC_LVT_LAST; off += APIC_STEP)
		put_le32(regs + off, LVT_MASKED);
}

/*
 * The FPU is as FNINIT leaves it, where hardware has it after RESET in a state (FCW 0x40, tags
 * valid) that firmware ends at once: kernels are entered here without firmware. KVM does the same.
 */
void x86_state_reset(struct x86_state *state)
{
	memset(state, 0, sizeof(*state));
	state->gpr[X86_RDX] = 0x600; /* family 6 */
	state->rip = 0xfff0;
	state->rflags = RFLAGS_1;
	reset_segments(state);
	state->cr0 = CR0_ET | CR0_NW | CR0_CD;
	state->apic_base = APIC_BASE_ADDR | APIC_BASE_ENABLE | APIC_BASE_BSP;
	state->xcr0 = 1;
	state->dr[6] = DR6_INIT;
	state->dr[7] = DR7_INIT;
	put_le16(state->xsave + XSAVE_FCW, FCW_INIT);
	put_le32(state->xsave + XSAVE_MXCSR, MXCSR_INIT);
	put_le64(state->xsave + XSAVE_XSTATE_BV, 3);
	reset_lapic(state->lapic);
	memcpy(state->msr, reset_msr, sizeof(reset_msr));
	state->msr_count = ARRAY_SIZE(reset_msr);
}

void x86_state_reset_cpu(struct x86_state *state, unsigned cpu)
{
	x86_state_reset(state);
	put_le32(state->lapic + APIC_ID, cpu << 24);
	if (cpu == 0)
		return;
	state->apic_base &= ~(uint64_t)APIC_BASE_BSP;
	state->run_state = X86_WAIT_FOR_SIPI;
}

static const char *mode_name(const struct x86_state *state)
{
	const struct x86_segment *cs = &state->seg[X86_CS];

	if (!(state->cr0 & CR0_PE))
		return "real mode";
	if (state->rflags & RFLAGS_VM)
		return "virtual-8086 mode";
	if (state->efer & EFER_LMA && cs->access & SEG_ACCESS_L)
		return "64-bit mode";
	if (state->efer & EFER_LMA)
		return cs->access & SEG_ACCESS_DB ? "32-bit compatibility mode"
						  : "16-bit compatibility mode";
	return cs->access & SEG_ACCESS_DB ? "32-bit protected mode" : "16-bit protected mode";
}

static void format_registers(GString *text, const struct x86_state *state)
{
	static const char *const names[X86_REG_COUNT] = {
		"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
		"r8 ", "r9 ", "r10", "r11", "r12", "r13", "r14", "r15",
	};

	for (unsigned i = 0; i < X86_REG_COUNT; i++)
		g_string_append_printf(text, "%s %016" PRIx64 "%c", names[i], state->gpr[i],
				       i % 4 == 3 ? '\n' : ' ');
}

char *x86_state_format(const struct x86_state *state)
{
	static const char *const segments[X86_SEG_COUNT] = {
		"es ", "cs ", "ss ", "ds ", "fs ", "gs ", "ldt", "tr ",
	};
	static const char *const run_states[] = { "", ", halted", ", waits for SIPI" };
	GString *text = g_string_new(NULL);
	unsigned run_state = state->run_state;

	g_string_append_printf(text, "rip %016" PRIx64 " rflags %08" PRIx64 " cpl %u, %s%s\n",
			       state->rip, state->rflags,
			       (state->seg[X86_SS].access & SEG_ACCESS_DPL) >> 5, mode_name(state),
			       run_state < ARRAY_SIZE(run_states) ? run_states[run_state] : "");
	format_registers(text, state);
	for (unsigned i = 0; i < X86_SEG_COUNT; i++) {
		const struct x86_segment *seg = &state->seg[i];

		g_string_append_printf(text,
				       "%s %04x base %016" PRIx64 " limit %08x access %04x%s\n",
				       segments[i], seg->selector, seg->base, seg->limit,
				       seg->access, seg->unusable ? " unusable" : "");
	}
	g_string_append_printf(text,
			       "gdt base %016" PRIx64 " limit %04x\n"
			       "idt base %016" PRIx64 " limit %04x\n"
			       "cr0 %08" PRIx64 " cr2 %016" PRIx64 " cr3 %016" PRIx64
			       " cr4 %08" PRIx64 " cr8 %" PRIx64 "\n"
			       "efer %04" PRIx64 " apic_base %08" PRIx64 " xcr0 %" PRIx64
			       " dr6 %08" PRIx64 " dr7 %08" PRIx64 "\n",
			       state->gdt.base, state->gdt.limit, state->idt.base, state->idt.limit,
			       state->cr0, state->cr2, state->cr3, state->cr4, state->cr8,
			       state->efer, state->apic_base, state->xcr0, state->dr[6],
			       state->dr[7]);
	return g_string_free(text, FALSE);
}
