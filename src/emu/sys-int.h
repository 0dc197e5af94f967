/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sys-int.h - what the system files share: RIP in slow handlers, descriptors, stacks
 *
 * Theory of operation. A handler of the system part may read descriptor tables and the TSS and use
 * two stacks, and what it calls does not know the uop. So it begins with sys_begin(), after which
 * r[R_RIP] is that of its own instruction, and passes AT_RIP where a uop is asked for, whose offset
 * is 0. The effective address of a memory operand must be computed before, since it may be relative
 * to the block's RIP. Such a handler ends its block.
 *
 * Error codes with a selector are given without the EXT bit: emu_raise_code() adds it while an
 * event that is not the program's own is in delivery (vcpu.ext).
 */
#ifndef EMU_SYS_INT_H
#define EMU_SYS_INT_H

#include "emu/emu-int.h"

#define RSP_OFF (X86_RSP * 8)

/* Uops that stand for "at r[R_RIP]": for data, and for the stack. */
extern const struct uop sys_at_rip, sys_at_rip_ss;
#define AT_RIP (&sys_at_rip)

static inline void sys_begin(struct vcpu *v, const struct uop *u)
{
	v->r[R_RIP] += u->off;
	emu_retire(v, u->n - 1u);
	if (!(v->mode & MODE_64))
		v->r[R_RIP] = (uint32_t)v->r[R_RIP];
	v->cur = AT_RIP;
}

/* After sys_begin(): behind the instruction. */
static inline const struct uop *sys_end(struct vcpu *v, const struct uop *u)
{
	v->r[R_RIP] += u->len;
	emu_retire(v, 1);
	if (!(v->mode & MODE_64))
		v->r[R_RIP] = (uint32_t)v->r[R_RIP];
	return NULL;
}

/* The same where the mode may have changed. */
static inline const struct uop *sys_end_mode(struct vcpu *v, const struct uop *u)
{
	sys_end(v, u);
	emu_mode_update(v);
	return NULL;
}

static inline bool sys_canonical(uint64_t lin)
{
	return (uint64_t)((int64_t)(lin << 16) >> 16) == lin;
}

static inline bool sys_lma(const struct vcpu *v)
{
	return v->efer & EFER_LMA;
}

/* Protected mode and not virtual-8086: selectors name descriptors. */
static inline bool sys_protected(const struct vcpu *v)
{
	return v->cr0 & CR0_PE && !(v->eflags & RFLAGS_VM);
}

static inline unsigned sys_iopl(const struct vcpu *v)
{
	return v->eflags >> 12 & 3;
}

/* A word of CPUID as the guest has it: 0 EAX to 3 EDX. */
static inline uint32_t sys_cpuid(const struct vcpu *v, uint32_t leaf, uint32_t subleaf,
				 unsigned reg)
{
	const struct cpuid_leaf *l = cpuid_find(&v->cpuid, leaf, subleaf);

	if (!l)
		return 0;
	return reg == 0 ? l->eax : reg == 1 ? l->ebx : reg == 2 ? l->ecx : l->edx;
}

/* ---- descriptors (segment.c) ---- */

struct desc {
	uint64_t lin; /* where it is */
	uint32_t lo, hi;
};

#define DESC_TYPE     0x00000f00u
#define DESC_ACCESSED 0x00000100u
#define DESC_BUSY     0x00000200u
#define DESC_WRITABLE 0x00000200u /* data; readable for code */
#define DESC_CONFORM  0x00000400u /* code; expand-down for data */
#define DESC_CODE     0x00000800u
#define DESC_S        0x00001000u
#define DESC_P        0x00008000u
#define DESC_L        0x00200000u
#define DESC_DB       0x00400000u
#define DESC_G        0x00800000u

enum { /* types of system descriptors */
	SYS_TSS16 = 1,
	SYS_LDT = 2,
	SYS_TSS16_BUSY = 3,
	SYS_CALL16 = 4,
	SYS_TASK_GATE = 5,
	SYS_INT16 = 6,
	SYS_TRAP16 = 7,
	SYS_TSS32 = 9,
	SYS_TSS32_BUSY = 11,
	SYS_CALL32 = 12,
	SYS_INT32 = 14,
	SYS_TRAP32 = 15,
};

static inline unsigned desc_type(const struct desc *d)
{
	return d->hi >> 8 & 15;
}

static inline unsigned desc_dpl(const struct desc *d)
{
	return d->hi >> 13 & 3;
}

static inline bool desc_is_code(const struct desc *d)
{
	return (d->hi & (DESC_S | DESC_CODE)) == (DESC_S | DESC_CODE);
}

static inline bool desc_is_writable(const struct desc *d)
{
	return (d->hi & (DESC_S | DESC_CODE | DESC_WRITABLE)) == (DESC_S | DESC_WRITABLE);
}

/* Read the descriptor of a selector; false: outside its table, or no LDT. May raise #PF. */
bool emu_desc_load(struct vcpu *v, uint16_t sel, struct desc *ret);
/* The upper half of a 16-byte system descriptor: false if it is outside the table. */
bool emu_desc_upper(struct vcpu *v, uint16_t sel, const struct desc *d, uint64_t *ret);
/* Set bits of the second dword's byte 1 (accessed, busy) in memory, as a locked access. */
void emu_desc_mark(struct vcpu *v, struct desc *d, uint32_t bits);
/* The hidden part of a code or data segment. */
struct x86_segment emu_desc_segment(const struct desc *d, uint16_t sel);
/* What a null selector leaves behind; @dpl is kept for SS. */
struct x86_segment emu_null_segment(uint16_t sel, unsigned dpl);

/* Is [off, off + size) inside the segment? Regards expand-down. */
bool emu_limit_ok(const struct x86_segment *s, uint64_t off, unsigned size);

/* Raise @vector with a selector as error code. */
_Noreturn void emu_raise_sel(struct vcpu *v, unsigned vector, uint16_t sel);

/* Load CS in real or virtual-8086 mode. */
void emu_set_cs_real(struct vcpu *v, uint16_t sel);
/* Flat CS and SS of SYSCALL and kin: 64-bit code if @l, else 32-bit. */
void emu_set_flat(struct vcpu *v, uint16_t cs, uint16_t ss, unsigned cpl, bool l);

/* ---- stacks (segment.c) ---- */

struct stack {
	struct x86_segment seg; /* what SS is or will be */
	struct desc desc;       /* of a new SS that is not null */
	bool is64;              /* flat, no limits */
	bool sys;               /* accessed as supervisor */
	uint16_t code;          /* selector in the error code of #SS */
	uint64_t sp;
};

/* The stack in use. */
struct stack emu_stack(const struct vcpu *v);
/* That of an inner level, from the TSS: raises #TS, #SS, #PF. @ist: 1 to 7, or 0. */
void emu_stack_inner(struct vcpu *v, unsigned cpl, unsigned ist, struct stack *ret);
/* Raise #SS if @bytes more do not fit within the limits. */
void emu_stack_room(struct vcpu *v, const struct uop *u, const struct stack *s, unsigned bytes);
/* Raise what a write of @size bytes at the stack pointer would. */
void emu_stack_probe(struct vcpu *v, const struct uop *u, const struct stack *s, unsigned size);
void emu_stack_push(struct vcpu *v, const struct uop *u, struct stack *s, unsigned size,
		    uint64_t value);
/* Read @skip bytes above the stack pointer. */
uint64_t emu_stack_peek(struct vcpu *v, const struct uop *u, const struct stack *s, unsigned size,
			unsigned skip);
/* The stack pointer after adding @delta, within its size. */
uint64_t emu_stack_add(const struct stack *s, int64_t delta);

/* ---- returns (segment.c): RETF and IRET in protected mode ---- */

struct far_return {
	unsigned size; /* of a slot */
	uint64_t ip;
	uint16_t cs;
	unsigned outer;  /* offset of the outer stack pointer in the frame */
	unsigned skip;   /* bytes to release on both stacks */
	unsigned frame;  /* bytes of the frame without SP and SS */
	bool with_stack; /* IRET in 64-bit mode: SP and SS always */
};

/* Check everything, raise or commit CS, SS, RIP, RSP, CPL and cleared data segments. */
void emu_far_return(struct vcpu *v, const struct far_return *r);

/* Handlers that are in one file and chosen in another. */
op_fn op_mov_from_sreg_r, op_mov_from_sreg_m, op_mov_to_sreg_r, op_mov_to_sreg_m;
op_fn op_push_sreg, op_pop_sreg, op_load_far;
op_fn op_lar_r, op_lar_m, op_lsl_r, op_lsl_m, op_verr_r, op_verr_m, op_verw_r, op_verw_m;
op_fn op_arpl_r, op_arpl_m, op_lldt_r, op_lldt_m, op_ltr_r, op_ltr_m;
op_fn op_sldt_r, op_sldt_m, op_str_r, op_str_m;
op_fn op_far_direct, op_far_mem, op_retf;
op_fn op_iret, op_int, op_int3, op_int1, op_into;
op_fn op_mov_from_cr, op_mov_to_cr, op_mov_from_dr, op_mov_to_dr;
op_fn op_clts, op_lmsw_r, op_lmsw_m, op_smsw_r, op_smsw_m;
op_fn op_in, op_out, op_ins, op_outs;

/* ---- MSRs and clocks (msr.c) ---- */

/* Would emu_msr_write() take it? Changes nothing. */
int emu_msr_check(const struct vcpu *v, uint32_t msr, uint64_t value);
/* Set the guest's TSC; vCPUs that are set to about the same within a second agree exactly. */
void emu_tsc_set(struct vcpu *v, uint64_t tsc);
/* CR4 bits that this vCPU has. */
uint64_t emu_cr4_bits(const struct vcpu *v);
/* XCR0 bits that this vCPU has. */
uint64_t emu_xcr0_bits(const struct vcpu *v);

#endif
