/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * state.h - the whole architectural state of an x86-64 CPU, as engines exchange it
 *
 * What one engine saves, another can load: snapshots and migration carry this. Sources: Intel SDM
 * vol. 1 chapter 13 (XSAVE area), vol. 3 chapters 2, 3, 11 (system registers, segments, APIC).
 */
#ifndef CPU_STATE_H
#define CPU_STATE_H

#include <stdbool.h>
#include <stdint.h>

enum x86_reg {
	X86_RAX,
	X86_RCX,
	X86_RDX,
	X86_RBX,
	X86_RSP,
	X86_RBP,
	X86_RSI,
	X86_RDI,
	X86_R8,
	X86_R9,
	X86_R10,
	X86_R11,
	X86_R12,
	X86_R13,
	X86_R14,
	X86_R15,
	X86_REG_COUNT,
};

/* In the order of their numbers in instruction encodings; then the two system segments. */
enum x86_seg {
	X86_ES,
	X86_CS,
	X86_SS,
	X86_DS,
	X86_FS,
	X86_GS,
	X86_LDT,
	X86_TR,
	X86_SEG_COUNT,
};

enum {
	RFLAGS_CF = 1 << 0,
	RFLAGS_1 = 1 << 1,
	RFLAGS_PF = 1 << 2,
	RFLAGS_AF = 1 << 4,
	RFLAGS_ZF = 1 << 6,
	RFLAGS_SF = 1 << 7,
	RFLAGS_TF = 1 << 8,
	RFLAGS_IF = 1 << 9,
	RFLAGS_DF = 1 << 10,
	RFLAGS_OF = 1 << 11,
	RFLAGS_IOPL = 3 << 12,
	RFLAGS_NT = 1 << 14,
	RFLAGS_RF = 1 << 16,
	RFLAGS_VM = 1 << 17,
	RFLAGS_AC = 1 << 18,
	RFLAGS_VIF = 1 << 19,
	RFLAGS_VIP = 1 << 20,
	RFLAGS_ID = 1 << 21,
	RFLAGS_ARITH = RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF,
};

#define CR0_PE 0x00000001u
#define CR0_MP 0x00000002u
#define CR0_EM 0x00000004u
#define CR0_TS 0x00000008u
#define CR0_ET 0x00000010u
#define CR0_NE 0x00000020u
#define CR0_WP 0x00010000u
#define CR0_AM 0x00040000u
#define CR0_NW 0x20000000u
#define CR0_CD 0x40000000u
#define CR0_PG 0x80000000u

#define CR4_VME        (1u << 0)
#define CR4_PVI        (1u << 1)
#define CR4_TSD        (1u << 2)
#define CR4_DE         (1u << 3)
#define CR4_PSE        (1u << 4)
#define CR4_PAE        (1u << 5)
#define CR4_MCE        (1u << 6)
#define CR4_PGE        (1u << 7)
#define CR4_PCE        (1u << 8)
#define CR4_OSFXSR     (1u << 9)
#define CR4_OSXMMEXCPT (1u << 10)
#define CR4_UMIP       (1u << 11)
#define CR4_LA57       (1u << 12)
#define CR4_FSGSBASE   (1u << 16)
#define CR4_PCIDE      (1u << 17)
#define CR4_OSXSAVE    (1u << 18)
#define CR4_SMEP       (1u << 20)
#define CR4_SMAP       (1u << 21)

#define EFER_SCE 0x001u
#define EFER_LME 0x100u
#define EFER_LMA 0x400u
#define EFER_NXE 0x800u

enum {
	EXC_DE = 0,
	EXC_DB = 1,
	EXC_NMI = 2,
	EXC_BP = 3,
	EXC_OF = 4,
	EXC_BR = 5,
	EXC_UD = 6,
	EXC_NM = 7,
	EXC_DF = 8,
	EXC_TS = 10,
	EXC_NP = 11,
	EXC_SS = 12,
	EXC_GP = 13,
	EXC_PF = 14,
	EXC_MF = 16,
	EXC_AC = 17,
	EXC_MC = 18,
	EXC_XM = 19,
};

enum {
	PF_PRESENT = 1,
	PF_WRITE = 2,
	PF_USER = 4,
	PF_RSVD = 8,
	PF_FETCH = 16,
};

/*
 * A segment register with its hidden part. @access is the second dword of a descriptor shifted
 * right by 8: type 3:0, S 4, DPL 6:5, P 7, AVL 12, L 13, D/B 14, G 15; bits 11:8 are zero.
 * @limit is in bytes (already scaled by G). @unusable: loaded with a null selector.
 */
struct x86_segment {
	uint64_t base;
	uint32_t limit;
	uint16_t selector;
	uint16_t access;
	bool unusable;
};

#define SEG_ACCESS_TYPE 0x000fu
#define SEG_ACCESS_S    0x0010u
#define SEG_ACCESS_DPL  0x0060u
#define SEG_ACCESS_P    0x0080u
#define SEG_ACCESS_AVL  0x1000u
#define SEG_ACCESS_L    0x2000u
#define SEG_ACCESS_DB   0x4000u
#define SEG_ACCESS_G    0x8000u

struct x86_table {
	uint64_t base;
	uint16_t limit;
};

enum {
	X86_XSAVE_SIZE = 4096, /* legacy area 512, header 64, then components; standard format */
	X86_LAPIC_REGS = 1024, /* the register page as a guest sees it, as KVM_GET_LAPIC has it */
	X86_MSR_MAX = 64,
};

enum x86_run_state {
	X86_RUNNABLE,      /* executes */
	X86_HALTED,        /* HLT, waits for an interrupt */
	X86_WAIT_FOR_SIPI, /* after INIT */
};

struct x86_msr {
	uint32_t index;
	uint64_t value;
};

struct x86_state {
	uint64_t gpr[X86_REG_COUNT];
	uint64_t rip, rflags;
	struct x86_segment seg[X86_SEG_COUNT];
	struct x86_table gdt, idt;
	uint64_t cr0, cr2, cr3, cr4, cr8;
	uint64_t efer, apic_base, xcr0;
	uint64_t dr[8]; /* 4 and 5 unused */
	uint64_t tsc;   /* at the moment of the call */

	/* An event in delivery. Vectors from 0 to 31 as exceptions, else interrupts. */
	bool exception_pending, exception_has_code;
	uint8_t exception;
	uint32_t exception_code;
	bool interrupt_shadow; /* behind STI or MOV SS */
	bool nmi_pending, nmi_masked;
	bool sipi_pending;
	uint8_t sipi_vector;
	enum x86_run_state run_state;

	uint8_t xsave[X86_XSAVE_SIZE];
	uint8_t lapic[X86_LAPIC_REGS];

	/* All other MSRs that hold state; which ones is told by the engine that saved. */
	unsigned msr_count;
	struct x86_msr msr[X86_MSR_MAX];
};

/*
 * The state after RESET: real mode at f000:fff0 (Intel SDM vol. 3, table 10-1), of the boot CPU.
 * The MSRs listed are to be reset in every engine; one that does not know an MSR passes over it if
 * the value is 0.
 */
void x86_state_reset(struct x86_state *state);
/* The same for vCPU @cpu: its APIC ID; all but number 0 are no boot CPU and wait for a SIPI. */
void x86_state_reset_cpu(struct x86_state *state, unsigned cpu);

/* Several lines of text for a person: registers, segments, control registers. g_free() it. */
char *x86_state_format(const struct x86_state *state);

#endif
