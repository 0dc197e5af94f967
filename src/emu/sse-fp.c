/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sse-fp.c - SSE floating point: arithmetic, comparisons, conversions
 *
 * The host's MXCSR has the guest's rounding and gathers its flags, with all exceptions masked. A
 * guest that unmasks some gets the checked handlers (prefix x_): they compute into a copy with
 * fresh flags, and raise #XM with the destination unchanged if an unmasked exception came up
 * (Intel SDM vol. 1, section 11.5).
 *  (1) Unmasked exceptions of the operands (invalid, denormal, divide by zero) keep those of the
 *      result from being reported.
 *  (2) A tiny result raises an unmasked underflow even if it is exact; the host, which runs it
 *      masked, does not flag that, so results are looked at.
 */
#include "emu/fpu-int.h"

enum {
	FLAG_IE = 1,
	FLAG_DE = 2,
	FLAG_ZE = 4,
	FLAG_OE = 8,
	FLAG_UE = 16,
	FLAG_PE = 32
};

/* What a result consists of, for tiny ones. */
enum result {
	RESULT_NONE,
	RESULT_SS,
	RESULT_SD,
	RESULT_PS,
	RESULT_PD
};

static bool tiny32(uint32_t x)
{
	return (x & 0x7f800000) == 0 && (x & 0x7fffff) != 0;
}

static bool tiny64(uint64_t x)
{
	return (x & 0x7ff0000000000000) == 0 && (x & 0xfffffffffffff) != 0;
}

static bool tiny(const union emu_vec *d, enum result kind)
{
	switch (kind) {
	case RESULT_NONE:
		return false;
	case RESULT_SS:
		return tiny32(d->u32[0]);
	case RESULT_SD:
		return tiny64(d->u64[0]);
	case RESULT_PS:
		return tiny32(d->u32[0]) || tiny32(d->u32[1]) || tiny32(d->u32[2]) ||
		       tiny32(d->u32[3]);
	case RESULT_PD:
		return tiny64(d->u64[0]) || tiny64(d->u64[1]);
	}
	return false;
}

/* Fresh flags for one operation; returns what was there. */
static inline uint32_t checked_begin(struct vcpu *v)
{
	uint32_t old = host_mxcsr();
	uint32_t now = old & ~MXCSR_EXCEPTIONS;

	if (!(v->fpu.mxcsr & MXCSR_UM))
		now &= ~MXCSR_FTZ; /* takes effect with underflow masked only */
	host_set_mxcsr(now);
	return old;
}

static NOINLINE void checked_end(struct vcpu *v, const struct uop *u, uint32_t old,
				 const union emu_vec *d, enum result kind)
{
	uint32_t flags = host_mxcsr() & MXCSR_EXCEPTIONS;
	uint32_t unmasked = ~(v->fpu.mxcsr >> 7) & MXCSR_EXCEPTIONS;

	if ((unmasked & FLAG_UE) && !(flags & unmasked & (FLAG_IE | FLAG_DE | FLAG_ZE)) &&
	    tiny(d, kind))
		flags |= FLAG_UE;
	if (flags & unmasked & (FLAG_IE | FLAG_DE | FLAG_ZE))
		flags &= FLAG_IE | FLAG_DE | FLAG_ZE;
	host_set_mxcsr(old | flags);
	if (flags & unmasked)
		emu_raise(v, u, v->cr4 & CR4_OSXMMEXCPT ? EXC_XM : EXC_UD);
}

/* Checked handlers for a destination in XMM registers. */
#define CHECKED(name, ST, sreg, size, align, kind)                         \
	OP(x_##name##_r)                                                   \
	{                                                                  \
		union emu_vec d = *XMM(v, u->a);                           \
		uint32_t old = checked_begin(v);                           \
		do_##name(v, u, &d, (const ST *)(const void *)sreg(v, u)); \
		checked_end(v, u, old, &d, kind);                          \
		*XMM(v, u->a) = d;                                         \
		NEXT_RETURN(u);                                            \
	}                                                                  \
	CHECKED_MEM(name, ST, size, align, kind)

#define CHECKED_MEM(name, ST, size, align, kind)                    \
	OP(x_##name##_G)                                            \
	{                                                           \
		union emu_vec d = *XMM(v, u->a);                    \
		uint64_t lin = emu_ea_G(v, u, size, false);         \
		__attribute__((aligned(16))) uint8_t buf[16];       \
		uint32_t old;                                       \
		if (unlikely((lin & (align)) != 0))                 \
			emu_gp0(v, u);                              \
		emu_load_bytes(v, u, lin, size, buf);               \
		old = checked_begin(v);                             \
		do_##name(v, u, &d, (const ST *)(const void *)buf); \
		checked_end(v, u, old, &d, kind);                   \
		*XMM(v, u->a) = d;                                  \
		NEXT_RETURN(u);                                     \
	}

/* d INSN= s, four times */
#define ARITH_PACKED(name, insn, kind) \
	XX_OP(name, insn)              \
	CHECKED(name, union emu_vec, SRC_X, 16, 15, kind)
#define ARITH_SS(name, insn, kind)         \
	DO_XX(name, insn, struct u32_any)  \
	OPS_XX(name, struct u32_any, 4, 0) \
	CHECKED(name, struct u32_any, SRC_X, 4, 0, kind)
#define ARITH_SD(name, insn, kind)         \
	DO_XX(name, insn, struct u64_any)  \
	OPS_XX(name, struct u64_any, 8, 0) \
	CHECKED(name, struct u64_any, SRC_X, 8, 0, kind)
#define ARITH(name)                                   \
	ARITH_PACKED(name##ps, #name "ps", RESULT_PS) \
	ARITH_PACKED(name##pd, #name "pd", RESULT_PD) \
	ARITH_SS(name##ss, #name "ss", RESULT_SS)     \
	ARITH_SD(name##sd, #name "sd", RESULT_SD)
/* a choice among the operands: never an underflow */
#define CHOICE(name)                                    \
	ARITH_PACKED(name##ps, #name "ps", RESULT_NONE) \
	ARITH_PACKED(name##pd, #name "pd", RESULT_NONE) \
	ARITH_SS(name##ss, #name "ss", RESULT_NONE)     \
	ARITH_SD(name##sd, #name "sd", RESULT_NONE)

ARITH(add)
ARITH(mul)
ARITH(sub)
ARITH(div)
ARITH(sqrt)
CHOICE(min)
CHOICE(max)
ARITH_PACKED(haddps, "haddps", RESULT_PS)
ARITH_PACKED(haddpd, "haddpd", RESULT_PD)
ARITH_PACKED(hsubps, "hsubps", RESULT_PS)
ARITH_PACKED(hsubpd, "hsubpd", RESULT_PD)
ARITH_PACKED(addsubps, "addsubps", RESULT_PS)
ARITH_PACKED(addsubpd, "addsubpd", RESULT_PD)

/* No exceptions: approximations and logic */
XX_OP(rsqrtps, "rsqrtps")
XX_OP(rcpps, "rcpps")
DO_XX(rsqrtss, "rsqrtss", struct u32_any)
OPS_XX(rsqrtss, struct u32_any, 4, 0)
DO_XX(rcpss, "rcpss", struct u32_any)
OPS_XX(rcpss, struct u32_any, 4, 0)
XX_OP(andps, "andps")
XX_OP(andnps, "andnps")
XX_OP(orps, "orps")
XX_OP(xorps, "xorps")

/* ---- conversions into XMM ---- */

#define CONVERT(name, ST, size, align, kind) \
	DO_XX(name, #name, ST)               \
	OPS_XX(name, ST, size, align)        \
	CHECKED(name, ST, SRC_X, size, align, kind)

CONVERT(cvtps2pd, struct u64_any, 8, 0, RESULT_NONE)
CONVERT(cvtpd2ps, union emu_vec, 16, 15, RESULT_PS)
CONVERT(cvtss2sd, struct u32_any, 4, 0, RESULT_NONE)
CONVERT(cvtsd2ss, struct u64_any, 8, 0, RESULT_SS)
CONVERT(cvtdq2ps, union emu_vec, 16, 15, RESULT_NONE)
CONVERT(cvtps2dq, union emu_vec, 16, 15, RESULT_NONE)
CONVERT(cvttps2dq, union emu_vec, 16, 15, RESULT_NONE)
CONVERT(cvttpd2dq, union emu_vec, 16, 15, RESULT_NONE)
CONVERT(cvtdq2pd, struct u64_any, 8, 0, RESULT_NONE)
CONVERT(cvtpd2dq, union emu_vec, 16, 15, RESULT_NONE)

#define CONVERT_G(name, insn, ST, size)   \
	DO_XX(name, insn, ST)             \
	OPS_REG(name, ST, DST_X, SRC_G)   \
	OPS_MEM(name, ST, DST_X, size, 0) \
	CHECKED(name, ST, SRC_G, size, 0, RESULT_NONE)

CONVERT_G(cvtsi2ss, "cvtsi2ssl", struct u32_any, 4)
CONVERT_G(cvtsi2ss64, "cvtsi2ssq", struct u64_any, 8)
CONVERT_G(cvtsi2sd, "cvtsi2sdl", struct u32_any, 4)
CONVERT_G(cvtsi2sd64, "cvtsi2sdq", struct u64_any, 8)

/* From MMX registers. Each form of CVTPI2PS, and CVTPI2PD of a register, enters MMX state. */
#define CONVERT_FROM_MM(name)                                             \
	DO_XX(name, #name, struct u64_any)                                \
	OPS_MMX(name, XMM, struct u64_any, SRC_M)                         \
	OP(x_##name##_r)                                                  \
	{                                                                 \
		union emu_vec d = *XMM(v, u->a);                          \
		uint32_t old;                                             \
		if (unlikely(!v->fpu.mmx))                                \
			return x87_mmx_retry(v, u);                       \
		old = checked_begin(v);                                   \
		do_##name(v, u, &d, (const struct u64_any *)MM(v, u->b)); \
		checked_end(v, u, old, &d, RESULT_NONE);                  \
		*XMM(v, u->a) = d;                                        \
		NEXT_RETURN(u);                                           \
	}                                                                 \
	OPS_MEM(name, struct u64_any, DST_X, 8, 0)                        \
	CHECKED_MEM(name, struct u64_any, 8, 0, RESULT_NONE)

CONVERT_FROM_MM(cvtpi2ps)
CONVERT_FROM_MM(cvtpi2pd)

/* ---- conversions into general registers ---- */

#define CONVERT_TO_G(name, insn, type, ST, size)                                 \
	DO(name, uint64_t, ST)                                                   \
	{                                                                        \
		type value;                                                      \
		UNUSED_V_U;                                                      \
		__asm__ volatile(insn " %1, %0" : "=r"(value) : "m"(*s));        \
		*d = value;                                                      \
	}                                                                        \
	OPS_REG(name, ST, DST_G, SRC_X)                                          \
	OPS_MEM(name, ST, DST_G, size, 0)                                        \
	OP(x_##name##_r)                                                         \
	{                                                                        \
		uint64_t value;                                                  \
		uint32_t old = checked_begin(v);                                 \
		do_##name(v, u, &value, (const ST *)(const void *)XMM(v, u->b)); \
		checked_end(v, u, old, NULL, RESULT_NONE);                       \
		R64(v, u->a) = value;                                            \
		NEXT_RETURN(u);                                                  \
	}                                                                        \
	OP(x_##name##_G)                                                         \
	{                                                                        \
		uint64_t value, lin = emu_ea_G(v, u, size, false);               \
		uint8_t buf[8];                                                  \
		uint32_t old;                                                    \
		emu_load_bytes(v, u, lin, size, buf);                            \
		old = checked_begin(v);                                          \
		do_##name(v, u, &value, (const ST *)(const void *)buf);          \
		checked_end(v, u, old, NULL, RESULT_NONE);                       \
		R64(v, u->a) = value;                                            \
		NEXT_RETURN(u);                                                  \
	}

CONVERT_TO_G(cvttss2si, "cvttss2si", uint32_t, struct u32_any, 4)
CONVERT_TO_G(cvttss2si64, "cvttss2si", uint64_t, struct u32_any, 4)
CONVERT_TO_G(cvtss2si, "cvtss2si", uint32_t, struct u32_any, 4)
CONVERT_TO_G(cvtss2si64, "cvtss2si", uint64_t, struct u32_any, 4)
CONVERT_TO_G(cvttsd2si, "cvttsd2si", uint32_t, struct u64_any, 8)
CONVERT_TO_G(cvttsd2si64, "cvttsd2si", uint64_t, struct u64_any, 8)
CONVERT_TO_G(cvtsd2si, "cvtsd2si", uint32_t, struct u64_any, 8)
CONVERT_TO_G(cvtsd2si64, "cvtsd2si", uint64_t, struct u64_any, 8)

/* ---- conversions into MMX registers; checked always, as they are rare ---- */

#define CONVERT_TO_MM(name, size, align)                                                          \
	static ALWAYS_INLINE uint64_t run_##name(const void *s)                                   \
	{                                                                                         \
		uint64_t value;                                                                   \
		__asm__ volatile(#name " %1, %%mm0\n\tmovq %%mm0, %0"                             \
				 : "=m"(value)                                                    \
				 : "m"(*(const union emu_vec *)s)                                 \
				 : "mm0");                                                        \
		return value;                                                                     \
	}                                                                                         \
	static ALWAYS_INLINE const struct uop *finish_##name(struct vcpu *v, const struct uop *u, \
							     const void *s)                       \
	{                                                                                         \
		uint64_t value;                                                                   \
		uint32_t old;                                                                     \
		MMX_READY(v);                                                                     \
		old = checked_begin(v);                                                           \
		value = run_##name(s);                                                            \
		checked_end(v, u, old, NULL, RESULT_NONE);                                        \
		*MM(v, u->a) = value;                                                             \
		mm_written(MM(v, u->a));                                                          \
		NEXT_RETURN(u);                                                                   \
	}                                                                                         \
	OP(name##_r)                                                                              \
	{                                                                                         \
		mmx_check(v, u);                                                                  \
		return finish_##name(v, u, XMM(v, u->b));                                         \
	}                                                                                         \
	OP(name##_G)                                                                              \
	{                                                                                         \
		uint64_t lin;                                                                     \
		__attribute__((aligned(16))) uint8_t buf[16];                                     \
		mmx_check(v, u);                                                                  \
		lin = emu_ea_G(v, u, size, false);                                                \
		if (unlikely((lin & (align)) != 0))                                               \
			emu_gp0(v, u);                                                            \
		emu_load_bytes(v, u, lin, size, buf);                                             \
		return finish_##name(v, u, buf);                                                  \
	}

CONVERT_TO_MM(cvttps2pi, 8, 0)
CONVERT_TO_MM(cvtps2pi, 8, 0)
CONVERT_TO_MM(cvttpd2pi, 16, 15)
CONVERT_TO_MM(cvtpd2pi, 16, 15)

/* ---- comparisons that set flags ---- */

#define COMPARE(name, load, ST, size)                                                              \
	static ALWAYS_INLINE uint16_t run_##name(const union emu_vec *d, const ST *s)              \
	{                                                                                          \
		uint16_t flags;                                                                    \
		__asm__ volatile("movaps %1, %%xmm0\n\t" #name " %2, %%xmm0\n\tlahf\n\tseto %%al"  \
				 : "=&a"(flags)                                                    \
				 : "m"(*d), "m"(*s)                                                \
				 : "xmm0", "cc");                                                  \
		return flags;                                                                      \
	}                                                                                          \
	DO(name, union emu_vec, ST)                                                                \
	{                                                                                          \
		(void)u;                                                                           \
		v->flags = run_##name(d, s);                                                       \
	}                                                                                          \
	OPS_XX(name, ST, size, 0)                                                                  \
	OP(x_##name##_r)                                                                           \
	{                                                                                          \
		uint32_t old = checked_begin(v);                                                   \
		uint16_t flags = run_##name(XMM(v, u->a), (const ST *)(const void *)XMM(v, u->b)); \
		checked_end(v, u, old, NULL, RESULT_NONE);                                         \
		v->flags = flags;                                                                  \
		NEXT_RETURN(u);                                                                    \
	}                                                                                          \
	OP(x_##name##_G)                                                                           \
	{                                                                                          \
		uint64_t lin = emu_ea_G(v, u, size, false);                                        \
		uint8_t buf[8];                                                                    \
		uint32_t old;                                                                      \
		uint16_t flags;                                                                    \
		emu_load_bytes(v, u, lin, size, buf);                                              \
		old = checked_begin(v);                                                            \
		flags = run_##name(XMM(v, u->a), (const ST *)(const void *)buf);                   \
		checked_end(v, u, old, NULL, RESULT_NONE);                                         \
		v->flags = flags;                                                                  \
		NEXT_RETURN(u);                                                                    \
	}

COMPARE(ucomiss, "movss", struct u32_any, 4)
COMPARE(ucomisd, "movsd", struct u64_any, 8)
COMPARE(comiss, "movss", struct u32_any, 4)
COMPARE(comisd, "movsd", struct u64_any, 8)

/* ---- with an immediate byte ---- */

#define FP_STUB(name, load, ST, size, align, kind)  \
	STUBS(name, #name " $sse_i, %xmm1, %xmm0"); \
	DO_XX_STUB(name, load, ST)                  \
	OPS_XX(name, ST, size, align)               \
	CHECKED(name, ST, SRC_X, size, align, kind)

#define CMP_STUB(name, prefix, load, ST, size, align)  \
	STUBS(name, prefix "0x0f, 0xc2, 0xc1, sse_i"); \
	DO_XX_STUB(name, load, ST)                     \
	OPS_XX(name, ST, size, align)                  \
	CHECKED(name, ST, SRC_X, size, align, RESULT_NONE)

CMP_STUB(cmpps, ".byte ", "movaps", union emu_vec, 16, 15)
CMP_STUB(cmppd, ".byte 0x66, ", "movaps", union emu_vec, 16, 15)
CMP_STUB(cmpss, ".byte 0xf3, ", "movss", struct u32_any, 4, 0)
CMP_STUB(cmpsd, ".byte 0xf2, ", "movsd", struct u64_any, 8, 0)
FP_STUB(roundps, "movaps", union emu_vec, 16, 15, RESULT_NONE)
FP_STUB(roundpd, "movaps", union emu_vec, 16, 15, RESULT_NONE)
FP_STUB(roundss, "movss", struct u32_any, 4, 0, RESULT_NONE)
FP_STUB(roundsd, "movsd", struct u64_any, 8, 0, RESULT_NONE)
FP_STUB(dpps, "movaps", union emu_vec, 16, 15, RESULT_PS)
FP_STUB(dppd, "movaps", union emu_vec, 16, 15, RESULT_PD)

#define PLAIN_STUB(name)                            \
	STUBS(name, #name " $sse_i, %xmm1, %xmm0"); \
	DO_XX_STUB(name, "movaps", union emu_vec)   \
	OPS_XX(name, union emu_vec, 16, 15)

PLAIN_STUB(shufps)
PLAIN_STUB(shufpd)
PLAIN_STUB(blendps)
PLAIN_STUB(blendpd)

/* From a register any element of it, from memory the 32 bits there (the decoder clears the rest of
 * the selection). */
STUBS(insertps, "insertps $sse_i, %xmm1, %xmm0");
DO_XX_STUB(insertps, "movaps", union emu_vec)
OPS_REG(insertps, union emu_vec, DST_X, SRC_X)
DO_XX_STUB(insertps_m, "movss", struct u32_any)
OPS_MEM(insertps_m, struct u32_any, DST_X, 4, 0)

#define P(prefix_, op_, name)                                                     \
	{                                                                         \
		.map = 1, .prefix = prefix_, .op = op_, .form = XX, REG_MEM(name) \
	}
#define CH(name) .xreg = x_##name##_r, .xmem = x_##name##_G
#define C(prefix_, op_, name)                                                               \
	{                                                                                   \
		.map = 1, .prefix = prefix_, .op = op_, .form = XX, REG_MEM(name), CH(name) \
	}
#define FOUR(op_, name) \
	C(NP, op_, name##ps), C(P66, op_, name##pd), C(PF3, op_, name##ss), C(PF2, op_, name##sd)
#define WIDE(prefix_, op_, form_, name, name64)                                                    \
	{ .map = 1,                                                                                \
	  .prefix = prefix_,                                                                       \
	  .op = op_,                                                                               \
	  .form = (form_) | F_W,                                                                   \
	  REG_MEM(name),                                                                           \
	  CH(name) },                                                                              \
	{                                                                                          \
		.map = 1, .prefix = prefix_, .op = op_, .form = form_, REG_MEM(name64), CH(name64) \
	}
#define TO_MM(prefix_, op_, name)                                                    \
	{                                                                            \
		.map = 1, .prefix = prefix_, .op = op_, .form = MX, .reg = name##_r, \
		.mem = MEM1(name##_G)                                                \
	}
#define S(map_, prefix_, op_, name)                                                           \
	{                                                                                     \
		.map = map_, .prefix = prefix_, .op = op_, .form = XX | F_IMM, REG_MEM(name), \
		.stub = sse_stub_##name                                                       \
	}
#define SC(map_, prefix_, op_, name)                                                          \
	{                                                                                     \
		.map = map_, .prefix = prefix_, .op = op_, .form = XX | F_IMM, REG_MEM(name), \
		CH(name), .stub = sse_stub_##name                                             \
	}

const struct sse_op sse_fp_ops[] = {
	{ .map = 1, .prefix = NP, .op = 0x2a, .form = XM, REG_MEM(cvtpi2ps), CH(cvtpi2ps) },
	{ .map = 1,
	  .prefix = P66,
	  .op = 0x2a,
	  .form = XM | F_M_X87,
	  REG_MEM(cvtpi2pd),
	  CH(cvtpi2pd) },
	WIDE(PF3, 0x2a, XG, cvtsi2ss, cvtsi2ss64),
	WIDE(PF2, 0x2a, XG, cvtsi2sd, cvtsi2sd64),
	TO_MM(NP, 0x2c, cvttps2pi),
	TO_MM(P66, 0x2c, cvttpd2pi),
	WIDE(PF3, 0x2c, GX, cvttss2si, cvttss2si64),
	WIDE(PF2, 0x2c, GX, cvttsd2si, cvttsd2si64),
	TO_MM(NP, 0x2d, cvtps2pi),
	TO_MM(P66, 0x2d, cvtpd2pi),
	WIDE(PF3, 0x2d, GX, cvtss2si, cvtss2si64),
	WIDE(PF2, 0x2d, GX, cvtsd2si, cvtsd2si64),
	C(NP, 0x2e, ucomiss),
	C(P66, 0x2e, ucomisd),
	C(NP, 0x2f, comiss),
	C(P66, 0x2f, comisd),
	FOUR(0x51, sqrt),
	P(NP, 0x52, rsqrtps),
	P(PF3, 0x52, rsqrtss),
	P(NP, 0x53, rcpps),
	P(PF3, 0x53, rcpss),
	P(NP, 0x54, andps),
	P(P66, 0x54, andps),
	P(NP, 0x55, andnps),
	P(P66, 0x55, andnps),
	P(NP, 0x56, orps),
	P(P66, 0x56, orps),
	P(NP, 0x57, xorps),
	P(P66, 0x57, xorps),
	FOUR(0x58, add),
	FOUR(0x59, mul),
	C(NP, 0x5a, cvtps2pd),
	C(P66, 0x5a, cvtpd2ps),
	C(PF3, 0x5a, cvtss2sd),
	C(PF2, 0x5a, cvtsd2ss),
	C(NP, 0x5b, cvtdq2ps),
	C(P66, 0x5b, cvtps2dq),
	C(PF3, 0x5b, cvttps2dq),
	FOUR(0x5c, sub),
	FOUR(0x5d, min),
	FOUR(0x5e, div),
	FOUR(0x5f, max),
	C(P66, 0x7c, haddpd),
	C(PF2, 0x7c, haddps),
	C(P66, 0x7d, hsubpd),
	C(PF2, 0x7d, hsubps),
	SC(1, NP, 0xc2, cmpps),
	SC(1, P66, 0xc2, cmppd),
	SC(1, PF3, 0xc2, cmpss),
	SC(1, PF2, 0xc2, cmpsd),
	S(1, NP, 0xc6, shufps),
	S(1, P66, 0xc6, shufpd),
	C(P66, 0xd0, addsubpd),
	C(PF2, 0xd0, addsubps),
	C(P66, 0xe6, cvttpd2dq),
	C(PF3, 0xe6, cvtdq2pd),
	C(PF2, 0xe6, cvtpd2dq),

	SC(3, P66, 0x08, roundps),
	SC(3, P66, 0x09, roundpd),
	SC(3, P66, 0x0a, roundss),
	SC(3, P66, 0x0b, roundsd),
	S(3, P66, 0x0c, blendps),
	S(3, P66, 0x0d, blendpd),
	{ .map = 3,
	  .prefix = P66,
	  .op = 0x21,
	  .form = XX | F_IMM,
	  .reg = insertps_r,
	  .mem = MEM3(insertps_m),
	  .stub = sse_stub_insertps },
	SC(3, P66, 0x40, dpps),
	SC(3, P66, 0x41, dppd),
};
const unsigned sse_fp_count = ARRAY_SIZE(sse_fp_ops);
