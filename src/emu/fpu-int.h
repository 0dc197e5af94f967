/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fpu-int.h - inside the FPU part of the engine: where registers live, and how handlers are made
 *
 * Every operation is executed by the host's own instruction between memory operands, so a handler
 * is the same for a register and for a memory source: what differs is the pointer.
 *
 * XMM registers live in v->fpu.xmm. The x87 registers, which are the MMX registers too, are in one
 * of three places:
 *   resident          in the host's x87 unit, with all exceptions masked in the control word
 *   !resident, !mmx   in the image v->fpu.x87; the host's unit is empty
 *   !resident, mmx    in the image, which is in the form that an MMX instruction leaves: TOP is 0,
 *                     all tags valid. The host's unit may be in MMX state.
 * In the image, the fields that FXSAVE has for instruction and operand pointers are not used, nor
 * is the control word; bits ES and B of the status word are computed when they are asked for.
 */
#ifndef EMU_FPU_INT_H
#define EMU_FPU_INT_H

#include "emu/emu-int.h"

#define ALWAYS_INLINE inline __attribute__((always_inline))
#define NOINLINE      __attribute__((noinline))

/* A handler; and one that is no leaf, or rare. */
#define OP(name)        DATA_PATH static const struct uop *name(struct vcpu *v, const struct uop *u)
#define OP_GLOBAL(name) DATA_PATH const struct uop *name(struct vcpu *v, const struct uop *u)

/* Register operands: uops hold the number times 16 (XMM, MMX) or times 8 (general). */
#define XMM(v, o) ((union emu_vec *)(void *)((char *)(v)->fpu.xmm + (o)))
#define MM(v, o)  ((uint64_t *)(void *)((v)->fpu.x87 + X87_ST + (o)))

/* Where things are in an FXSAVE image. */
enum {
	X87_FCW = 0,
	X87_FSW = 2,
	X87_FTW = 4,
	X87_FOP = 6,
	X87_FIP = 8,
	X87_FDP = 16,
	X87_MXCSR = 24,
	X87_MXCSR_MASK = 28,
	X87_ST = 32,
	X87_XMM = 160,
	X87_IMAGE_END = 416,
};

enum {
	SW_EXCEPTIONS = 0x3f,
	SW_ES = 0x80,
	SW_B = 0x8000,
	CW_MASKS = 0x3f,
	CW_INIT = 0x37f,
	CW_VALID = 0x1f3f, /* what FLDCW takes over; bit 6 reads as 1 */
	CW_ONE = 0x40,
};

#define MXCSR_INIT       0x1f80u
#define MXCSR_MASKS      0x1f80u
#define MXCSR_EXCEPTIONS 0x3fu
#define MXCSR_VALID      0xffffu
#define MXCSR_FTZ        0x8000u
#define MXCSR_UM         0x0800u

static inline uint32_t host_mxcsr(void)
{
	uint32_t value;

	__asm__ volatile("stmxcsr %0" : "=m"(value));
	return value;
}

static inline void host_set_mxcsr(uint32_t value)
{
	__asm__ volatile("ldmxcsr %0" : : "m"(value));
}

/* Move the x87 registers: into the host's unit, into the image, into the image in MMX form. */
void x87_load(struct vcpu *v);
void x87_unload(struct vcpu *v);
void x87_enter_mmx(struct vcpu *v);
/* The same, then run the uop again: for handlers that found them elsewhere. */
op_fn x87_load_retry, x87_mmx_retry;

/* The status word with ES and B. */
uint16_t x87_status(struct vcpu *v);
/* Raises #MF if an unmasked exception is pending. */
void x87_check_pending(struct vcpu *v, const struct uop *u);
/* MODE_X87X no longer says what the control word says. */
static inline bool x87_mode_stale(const struct vcpu *v)
{
	return ((v->fpu.cw & CW_MASKS) != CW_MASKS) != ((v->mode & MODE_X87X) != 0);
}

/* The image gets another TOP: registers keep their number, the image is in the stack's order. */
void x87_turn(struct vcpu *v, unsigned top);
/* As after FNINIT. */
void x87_init(struct vcpu *v);
/* The host's unit has run with the guest's masks: mask all again. */
void x87_mask_again(struct vcpu *v);
/* Behind an instruction that may have changed masks: on in this block, or leave it. */
const struct uop *fpu_go_on(struct vcpu *v, const struct uop *u);

/* New masks and control bits for SSE: false if reserved bits are set, nothing changed. Outside
 * vcpu_run as well. */
bool sse_set_mxcsr(struct vcpu *v, uint32_t value);
/* MODE_XM no longer says what MXCSR says. */
static inline bool sse_mode_stale(const struct vcpu *v)
{
	return ((v->fpu.mxcsr & MXCSR_MASKS) != MXCSR_MASKS) != ((v->mode & MODE_XM) != 0);
}

/* State instructions (fpu-state.c): u->osize is 8 with REX.W. */
op_fn fpu_fxsave, fpu_fxrstor, fpu_ldmxcsr, fpu_stmxcsr, fpu_xsave, fpu_xrstor, fpu_emms;

/* x87 control instructions (x87-control.c). */
op_fn x87_fldcw, x87_fnstcw, x87_fnstsw, x87_fnstsw_ax, x87_fninit, x87_fnclex;
op_fn x87_fldenv, x87_fnstenv, x87_frstor, x87_fnsave;

/* ---- the opcode table (sse.c) ---- */

enum {
	NP,
	P66,
	PF3,
	PF2
};

/* Kinds of operand, and flags of an instruction. */
enum {
	A_X = 0x00,
	A_M = 0x01,
	A_G = 0x02,
	B_X = 0x00,
	B_M = 0x04,
	B_G = 0x08,
	F_IMM = 0x10,   /* an immediate byte follows */
	F_STORE = 0x20, /* ModRM.rm is operand a */
	F_W = 0x40,     /* another entry follows, for REX.W */
	F_NOFPU = 0x80, /* does not touch MMX or XMM registers */
	F_AES = 0x100,
	F_CLMUL = 0x200,
	F_SHA = 0x400,
	F_M_X87 = 0x800, /* MMX only if the operand is a register */
	XX = A_X | B_X,
	XG = A_X | B_G,
	GX = A_G | B_X,
	XM = A_X | B_M,
	MX = A_M | B_X,
	MMM = A_M | B_M,
	MG = A_M | B_G,
	GM = A_G | B_M,
	GG = A_G | B_G,
};

struct sse_op {
	uint8_t map, prefix, op;
	uint16_t form;
	op_fn *reg;          /* NULL: no register form */
	op_fn *mem[3];       /* NULL: no memory form */
	op_fn *xreg, *xmem;  /* with MODE_XM; NULL: no difference */
	const uint8_t *stub; /* 256 stubs of STUB_SIZE bytes, one for each immediate */
};

extern const struct sse_op sse_move_ops[], sse_int_ops[], sse_fp_ops[];
extern const unsigned sse_move_count, sse_int_count, sse_fp_count;

/* Build the look-up of these tables: before the first decode_sse(). */
void sse_init(void);

/* 0F 71, 72, 73 (sse-int.c). */
bool decode_shift_imm(struct decoder *d);

/* ---- making handlers ---- */

/* One operation: void do_NAME(v, u, d, s). U: what u is for. */
#define DO(name, DT, ST) \
	static ALWAYS_INLINE void do_##name(struct vcpu *v, const struct uop *u, DT *d, const ST *s)

#define UNUSED_V_U ((void)v, (void)u)

/* d = d INSN s */
#define DO_XX(name, insn, ST)                                                   \
	DO(name, union emu_vec, ST)                                             \
	{                                                                       \
		UNUSED_V_U;                                                     \
		__asm__ volatile("movaps %0, %%xmm0\n\t" insn " %1, %%xmm0\n\t" \
				 "movaps %%xmm0, %0"                            \
				 : "+m"(*d)                                     \
				 : "m"(*s)                                      \
				 : "xmm0");                                     \
	}

/* d = INSN s */
#define DO_XW(name, insn, ST)                                            \
	DO(name, union emu_vec, ST)                                      \
	{                                                                \
		UNUSED_V_U;                                              \
		__asm__ volatile(insn " %1, %%xmm0\n\tmovaps %%xmm0, %0" \
				 : "=m"(*d)                              \
				 : "m"(*s)                               \
				 : "xmm0");                              \
	}

/* MMX: d = d INSN s; bits 79:64 of the register become ones. */
#define DO_MM(name, insn)                                                                 \
	DO(name, uint64_t, uint64_t)                                                      \
	{                                                                                 \
		UNUSED_V_U;                                                               \
		__asm__ volatile("movq %0, %%mm0\n\t" insn " %1, %%mm0\n\tmovq %%mm0, %0" \
				 : "+m"(*d)                                               \
				 : "m"(*s)                                                \
				 : "mm0");                                                \
		mm_written(d);                                                            \
	}

/* NOLINTNEXTLINE(readability-non-const-parameter): what follows the number is written */
static inline void mm_written(uint64_t *mm)
{
	((struct u16_any *)(mm + 1))->v = 0xffff;
}

/*
 * Instructions with an immediate byte are called by way of a table of stubs, which work on XMM0 (or
 * MM0) with XMM1 (MM1) as source and jump back by R8: no stack is touched. u->imm is the address of
 * the right stub.
 */
enum {
	STUB_SIZE = 16
};
#define STUBS(name, insn)                                                         \
	__asm__(".pushsection .text.emu_stubs, \"ax\", @progbits\n\t.balign 16\n" \
		"sse_stub_" #name ":\n\t.set sse_i, 0\n\t.rept 256\n\t" insn      \
		"\n\tjmp *%r8\n\t.balign 16\n\t.set sse_i, sse_i + 1\n\t.endr\n"  \
		"\t.popsection");                                                 \
	extern const uint8_t sse_stub_##name[] __asm__("sse_stub_" #name)         \
		__attribute__((visibility("hidden")))

#define CALL_STUB(stub) "leaq 1f(%%rip), %%r8\n\tjmp *" stub "\n1:\n\t"

/* d = d INSN s, imm; @load: how s comes into XMM1 */
#define DO_XX_STUB(name, load, ST)                                                     \
	DO(name, union emu_vec, ST)                                                    \
	{                                                                              \
		(void)v;                                                               \
		__asm__ volatile("movaps %0, %%xmm0\n\t" load                          \
				 " %1, %%xmm1\n\t" CALL_STUB("%2") "movaps %%xmm0, %0" \
				 : "+m"(*d)                                            \
				 : "m"(*s), "m"(u->imm)                                \
				 : "xmm0", "xmm1", "r8", "cc");                        \
	}

/*
 * Handlers of do_NAME: register source (@sreg its place), and a memory source of @size bytes at
 * each kind of address. @align: mask that the address must not meet, 15 or 0. B and X leave what is
 * not plain to G.
 */
#define SRC_X(v, u) (XMM(v, (u)->b))
#define SRC_G(v, u) (&R64(v, (u)->b))
#define SRC_M(v, u) (MM(v, (u)->b))
#define DST_X(v, u) (XMM(v, (u)->a))
#define DST_G(v, u) (&R64(v, (u)->a))

#define OPS_REG(name, ST, dst, sreg) OPS_REG_AS(name, name, ST, dst, sreg)
#define OPS_REG_AS(name, what, ST, dst, sreg)                                     \
	OP(name##_r)                                                              \
	{                                                                         \
		do_##what(v, u, dst(v, u), (const ST *)(const void *)sreg(v, u)); \
		NEXT(v, u);                                                       \
	}

#define OPS_MEM(name, ST, dst, size, align) OPS_MEM_AS(name, name, ST, dst, size, align)
#define OPS_MEM_AS(name, what, ST, dst, size, align)            \
	NOINLINE OP(name##_G)                                   \
	{                                                       \
		uint64_t lin = emu_ea_G(v, u, size, false);     \
		const void *p;                                  \
		__attribute__((aligned(16))) uint8_t buf[16];   \
		if (unlikely((lin & (align)) != 0))             \
			emu_gp0(v, u);                          \
		p = emu_host_read(v, lin, size);                \
		if (unlikely(!p || ((uintptr_t)p & (align)))) { \
			emu_load_bytes(v, u, lin, size, buf);   \
			p = buf;                                \
		}                                               \
		do_##what(v, u, dst(v, u), (const ST *)p);      \
		NEXT_RETURN(u);                                 \
	}                                                       \
	OPS_MEM_FAST(name, what, ST, dst, size, align, B)       \
	OPS_MEM_FAST(name, what, ST, dst, size, align, X)

#define OPS_MEM_FAST(name, what, ST, dst, size, align, K)    \
	OP(name##_##K)                                       \
	{                                                    \
		uint64_t lin = emu_ea_##K(v, u);             \
		const void *p = emu_host_read(v, lin, size); \
		if (unlikely(!p || (lin & (align)) != 0))    \
			return name##_G(v, u);               \
		do_##what(v, u, dst(v, u), (const ST *)p);   \
		NEXT(v, u);                                  \
	}

#define MEM3(name)                           \
	{                                    \
		name##_B, name##_X, name##_G \
	}
#define MEM1(fn)           \
	{                  \
		fn, fn, fn \
	}
#define REG_MEM(name) .reg = name##_r, .mem = MEM3(name)

/* All of it for d XMM, s XMM or memory. */
#define OPS_XX(name, ST, size, align)   \
	OPS_REG(name, ST, DST_X, SRC_X) \
	OPS_MEM(name, ST, DST_X, size, align)

/* 16 bytes, aligned: most of packed SSE. */
#define XX_OP(name, insn)                \
	DO_XX(name, insn, union emu_vec) \
	OPS_XX(name, union emu_vec, 16, 15)

/* An MMX source may not be looked at before pending x87 exceptions; the registers go into MMX form
 * when nothing can fault any more. */
static inline void mmx_check(struct vcpu *v, const struct uop *u)
{
	if (unlikely(v->mode & MODE_X87X) && !v->fpu.mmx)
		x87_check_pending(v, u);
}

#define MMX_READY(v)                         \
	do {                                 \
		if (unlikely(!(v)->fpu.mmx)) \
			x87_enter_mmx(v);    \
	} while (0)

#define OPS_MMX(name, DST, ST, sreg) OPS_MMX_AS(name, name, DST, ST, sreg)
#define OPS_MMX_AS(name, what, DST, ST, sreg)                                        \
	OP(name##_r)                                                                 \
	{                                                                            \
		if (unlikely(!v->fpu.mmx))                                           \
			return x87_mmx_retry(v, u);                                  \
		do_##what(v, u, DST(v, u->a), (const ST *)(const void *)sreg(v, u)); \
		NEXT(v, u);                                                          \
	}

#define OPS_MMX_MEM(name, DST, ST, size, align)                               \
	OP(name##_G)                                                          \
	{                                                                     \
		uint64_t lin;                                                 \
		__attribute__((aligned(16))) uint8_t buf[16] = { 0 };         \
		mmx_check(v, u);                                              \
		lin = emu_ea_G(v, u, size, false);                            \
		if (unlikely((lin & (align)) != 0))                           \
			emu_gp0(v, u);                                        \
		emu_load_bytes(v, u, lin, size, buf);                         \
		MMX_READY(v);                                                 \
		do_##name(v, u, DST(v, u->a), (const ST *)(const void *)buf); \
		NEXT_RETURN(u);                                               \
	}

#endif
