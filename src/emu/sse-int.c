/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sse-int.c - packed integer instructions, MMX to SSE4.2, AES and SHA
 *
 * Intel SDM vol. 2. Each is the host's own instruction; see fpu-int.h for the scheme.
 */
#include "emu/fpu-int.h"

/* ---- the same operation on MMX and XMM registers ---- */

#define BOTH(name, msize)                       \
	XX_OP(name, #name)                      \
	DO_MM(mm_##name, #name)                 \
	OPS_MMX(mm_##name, MM, uint64_t, SRC_M) \
	OPS_MMX_MEM(mm_##name, MM, uint64_t, msize, 0)

BOTH(punpcklbw, 4)
BOTH(punpcklwd, 4)
BOTH(punpckldq, 4)
BOTH(packsswb, 8)
BOTH(pcmpgtb, 8)
BOTH(pcmpgtw, 8)
BOTH(pcmpgtd, 8)
BOTH(packuswb, 8)
BOTH(punpckhbw, 8)
BOTH(punpckhwd, 8)
BOTH(punpckhdq, 8)
BOTH(packssdw, 8)
BOTH(pcmpeqb, 8)
BOTH(pcmpeqw, 8)
BOTH(pcmpeqd, 8)
BOTH(psrlw, 8)
BOTH(psrld, 8)
BOTH(psrlq, 8)
BOTH(paddq, 8)
BOTH(pmullw, 8)
BOTH(psubusb, 8)
BOTH(psubusw, 8)
BOTH(pminub, 8)
BOTH(pand, 8)
BOTH(paddusb, 8)
BOTH(paddusw, 8)
BOTH(pmaxub, 8)
BOTH(pandn, 8)
BOTH(pavgb, 8)
BOTH(psraw, 8)
BOTH(psrad, 8)
BOTH(pavgw, 8)
BOTH(pmulhuw, 8)
BOTH(pmulhw, 8)
BOTH(psubsb, 8)
BOTH(psubsw, 8)
BOTH(pminsw, 8)
BOTH(por, 8)
BOTH(paddsb, 8)
BOTH(paddsw, 8)
BOTH(pmaxsw, 8)
BOTH(pxor, 8)
BOTH(psllw, 8)
BOTH(pslld, 8)
BOTH(psllq, 8)
BOTH(pmuludq, 8)
BOTH(pmaddwd, 8)
BOTH(psadbw, 8)
BOTH(psubb, 8)
BOTH(psubw, 8)
BOTH(psubd, 8)
BOTH(psubq, 8)
BOTH(paddb, 8)
BOTH(paddw, 8)
BOTH(paddd, 8)

BOTH(pshufb, 8)
BOTH(phaddw, 8)
BOTH(phaddd, 8)
BOTH(phaddsw, 8)
BOTH(pmaddubsw, 8)
BOTH(phsubw, 8)
BOTH(phsubd, 8)
BOTH(phsubsw, 8)
BOTH(psignb, 8)
BOTH(psignw, 8)
BOTH(psignd, 8)
BOTH(pmulhrsw, 8)
BOTH(pabsb, 8)
BOTH(pabsw, 8)
BOTH(pabsd, 8)

/* ---- XMM only ---- */

XX_OP(punpcklqdq, "punpcklqdq")
XX_OP(punpckhqdq, "punpckhqdq")
XX_OP(pmuldq, "pmuldq")
XX_OP(pcmpeqq, "pcmpeqq")
XX_OP(packusdw, "packusdw")
XX_OP(pcmpgtq, "pcmpgtq")
XX_OP(pminsb, "pminsb")
XX_OP(pminsd, "pminsd")
XX_OP(pminuw, "pminuw")
XX_OP(pminud, "pminud")
XX_OP(pmaxsb, "pmaxsb")
XX_OP(pmaxsd, "pmaxsd")
XX_OP(pmaxuw, "pmaxuw")
XX_OP(pmaxud, "pmaxud")
XX_OP(pmulld, "pmulld")
XX_OP(phminposuw, "phminposuw")
XX_OP(aesimc, "aesimc")
XX_OP(aesenc, "aesenc")
XX_OP(aesenclast, "aesenclast")
XX_OP(aesdec, "aesdec")
XX_OP(aesdeclast, "aesdeclast")

/* SHA: operands need not be aligned on processors of AMD, which nobody misses. */
#define SHA_OP(name)                                                                \
	DO(name, union emu_vec, union emu_vec)                                      \
	{                                                                           \
		UNUSED_V_U;                                                         \
		__asm__ volatile("movaps %0, %%xmm0\n\tmovups %1, %%xmm1\n\t" #name \
				 " %%xmm1, %%xmm0\n\tmovaps %%xmm0, %0"             \
				 : "+m"(*d)                                         \
				 : "m"(*s)                                          \
				 : "xmm0", "xmm1");                                 \
	}                                                                           \
	OPS_XX(name, union emu_vec, 16, 0)

SHA_OP(sha1nexte)
SHA_OP(sha1msg1)
SHA_OP(sha1msg2)
SHA_OP(sha256msg1)
SHA_OP(sha256msg2)

DO(sha256rnds2, union emu_vec, union emu_vec)
{
	(void)u;
	__asm__ volatile("movaps %2, %%xmm0\n\tmovaps %0, %%xmm1\n\tmovups %1, %%xmm2\n\t"
			 "sha256rnds2 %%xmm0, %%xmm2, %%xmm1\n\tmovaps %%xmm1, %0"
			 : "+m"(*d)
			 : "m"(*s), "m"(v->fpu.xmm[0])
			 : "xmm0", "xmm1", "xmm2");
}
OPS_XX(sha256rnds2, union emu_vec, 16, 0)

#define PMOV(name, ST, size)   \
	DO_XW(name, #name, ST) \
	OPS_XX(name, ST, size, 0)

PMOV(pmovsxbw, struct u64_any, 8)
PMOV(pmovsxbd, struct u32_any, 4)
PMOV(pmovsxbq, struct u16_any, 2)
PMOV(pmovsxwd, struct u64_any, 8)
PMOV(pmovsxwq, struct u32_any, 4)
PMOV(pmovsxdq, struct u64_any, 8)
PMOV(pmovzxbw, struct u64_any, 8)
PMOV(pmovzxbd, struct u32_any, 4)
PMOV(pmovzxbq, struct u16_any, 2)
PMOV(pmovzxwd, struct u64_any, 8)
PMOV(pmovzxwq, struct u32_any, 4)
PMOV(pmovzxdq, struct u64_any, 8)

/* XMM0 is a third operand. */
#define XX0_OP(name)                                                                \
	DO(name, union emu_vec, union emu_vec)                                      \
	{                                                                           \
		(void)u;                                                            \
		__asm__ volatile("movaps %2, %%xmm0\n\tmovaps %0, %%xmm1\n\t" #name \
				 " %%xmm0, %1, %%xmm1\n\tmovaps %%xmm1, %0"         \
				 : "+m"(*d)                                         \
				 : "m"(*s), "m"(v->fpu.xmm[0])                      \
				 : "xmm0", "xmm1");                                 \
	}                                                                           \
	OPS_XX(name, union emu_vec, 16, 15)

XX0_OP(pblendvb)
XX0_OP(blendvps)
XX0_OP(blendvpd)

DO(ptest, union emu_vec, union emu_vec)
{
	uint16_t flags;

	(void)u;
	__asm__ volatile("movaps %1, %%xmm0\n\tptest %2, %%xmm0\n\tlahf\n\tseto %%al"
			 : "=&a"(flags)
			 : "m"(*d), "m"(*s)
			 : "xmm0", "cc");
	v->flags = flags;
}
OPS_XX(ptest, union emu_vec, 16, 15)

/* ---- shifts by an immediate: those by a register, with the count from u->imm ---- */

#define SHIFT_IMM(name)                                                           \
	OP(name##_i)                                                              \
	{                                                                         \
		__asm__ volatile("movaps %0, %%xmm0\n\tmovq %1, %%xmm1\n\t" #name \
				 " %%xmm1, %%xmm0\n\tmovaps %%xmm0, %0"           \
				 : "+m"(*XMM(v, u->a))                            \
				 : "m"(u->imm)                                    \
				 : "xmm0", "xmm1");                               \
		NEXT(v, u);                                                       \
	}                                                                         \
	OP(mm_##name##_i)                                                         \
	{                                                                         \
		uint64_t *d = MM(v, u->a);                                        \
		if (unlikely(!v->fpu.mmx))                                        \
			return x87_mmx_retry(v, u);                               \
		do_mm_##name(v, u, d, &u->imm);                                   \
		NEXT(v, u);                                                       \
	}

SHIFT_IMM(psrlw)
SHIFT_IMM(psrld)
SHIFT_IMM(psrlq)
SHIFT_IMM(psraw)
SHIFT_IMM(psrad)
SHIFT_IMM(psllw)
SHIFT_IMM(pslld)
SHIFT_IMM(psllq)

STUBS(psrldq, "psrldq $sse_i, %xmm0");
STUBS(pslldq, "pslldq $sse_i, %xmm0");
OP(shift_bytes)
{
	union emu_vec *d = XMM(v, u->a);

	__asm__ volatile("movaps %0, %%xmm0\n\t" CALL_STUB("%1") "movaps %%xmm0, %0"
			 : "+m"(*d)
			 : "m"(u->imm)
			 : "xmm0", "r8");
	NEXT(v, u);
}

/* ---- with an immediate byte ---- */

#define XX_STUB(name)                               \
	STUBS(name, #name " $sse_i, %xmm1, %xmm0"); \
	DO_XX_STUB(name, "movaps", union emu_vec)   \
	OPS_XX(name, union emu_vec, 16, 15)

XX_STUB(pshufd)
XX_STUB(pshufhw)
XX_STUB(pshuflw)
XX_STUB(palignr)
XX_STUB(pblendw)
XX_STUB(mpsadbw)
XX_STUB(pclmulqdq)
XX_STUB(aeskeygenassist)

STUBS(sha1rnds4, "sha1rnds4 $sse_i, %xmm1, %xmm0");
DO_XX_STUB(sha1rnds4, "movups", union emu_vec)
OPS_XX(sha1rnds4, union emu_vec, 16, 0)

#define MM_STUB(name)                                                                           \
	STUBS(mm_##name, #name " $sse_i, %mm1, %mm0");                                          \
	DO(mm_##name, uint64_t, uint64_t)                                                       \
	{                                                                                       \
		(void)v;                                                                        \
		__asm__ volatile(                                                               \
			"movq %0, %%mm0\n\tmovq %1, %%mm1\n\t" CALL_STUB("%2") "movq %%mm0, %0" \
			: "+m"(*d)                                                              \
			: "m"(*s), "m"(u->imm)                                                  \
			: "mm0", "mm1", "r8");                                                  \
		mm_written(d);                                                                  \
	}                                                                                       \
	OPS_MMX(mm_##name, MM, uint64_t, SRC_M)                                                 \
	OPS_MMX_MEM(mm_##name, MM, uint64_t, 8, 0)

MM_STUB(pshufw)
MM_STUB(palignr)

/* ---- string comparisons: packed strings, result in ECX or XMM0, lengths in EAX and EDX ---- */

STUBS(pcmpestrm, "pcmpestrm $sse_i, %xmm1, %xmm0");
STUBS(pcmpestri, "pcmpestri $sse_i, %xmm1, %xmm0");
STUBS(pcmpistrm, "pcmpistrm $sse_i, %xmm1, %xmm0");
STUBS(pcmpistri, "pcmpistri $sse_i, %xmm1, %xmm0");

/* A 64-bit length as 32 bits: beyond 16 elements only the sign matters. */
static inline int32_t clamp_length(const struct uop *u, uint64_t reg)
{
	int64_t length = u->osize == 8 ? (int64_t)reg : (int32_t)reg;

	return length > 100 ? 100 : length < -100 ? -100 : (int32_t)length;
}

static ALWAYS_INLINE uint32_t compare_strings(struct vcpu *v, const struct uop *u, union emu_vec *d,
					      const union emu_vec *s)
{
	uint32_t index = 0;
	uint32_t flags = (uint32_t)clamp_length(u, v->r[X86_RAX]);

	__asm__ volatile("movaps %2, %%xmm0\n\tmovups %3, %%xmm1\n\t" CALL_STUB(
				 "%4") "lahf\n\tseto %%al\n\tmovaps %%xmm0, %5"
			 : "+&a"(flags), "+&c"(index)
			 : "m"(*d), "m"(*s), "m"(u->imm), "m"(v->fpu.mask),
			   "d"(clamp_length(u, v->r[X86_RDX]))
			 : "xmm0", "xmm1", "r8", "cc", "memory");
	v->flags = (uint16_t)flags;
	return index;
}

DO(pcmpstri, union emu_vec, union emu_vec)
{
	v->r[X86_RCX] = compare_strings(v, u, d, s);
}

DO(pcmpstrm, union emu_vec, union emu_vec)
{
	(void)compare_strings(v, u, d, s);
	v->fpu.xmm[0] = v->fpu.mask;
}

OPS_XX(pcmpstri, union emu_vec, 16, 0)
OPS_XX(pcmpstrm, union emu_vec, 16, 0)

#define BOTH_OP(op_, name)                                                    \
	{ .map = 1,                                                           \
	  .prefix = NP,                                                       \
	  .op = op_,                                                          \
	  .form = MMM,                                                        \
	  .reg = mm_##name##_r,                                               \
	  .mem = MEM1(mm_##name##_G) },                                       \
	{                                                                     \
		.map = 1, .prefix = P66, .op = op_, .form = XX, REG_MEM(name) \
	}
#define BOTH_OP2(op_, name)                                                   \
	{ .map = 2,                                                           \
	  .prefix = NP,                                                       \
	  .op = op_,                                                          \
	  .form = MMM,                                                        \
	  .reg = mm_##name##_r,                                               \
	  .mem = MEM1(mm_##name##_G) },                                       \
	{                                                                     \
		.map = 2, .prefix = P66, .op = op_, .form = XX, REG_MEM(name) \
	}
#define X_OP(map_, prefix_, op_, name, flags)                                                  \
	{                                                                                      \
		.map = map_, .prefix = prefix_, .op = op_, .form = XX | (flags), REG_MEM(name) \
	}
#define X_STUB(map_, prefix_, op_, name, flags)                                          \
	{                                                                                \
		.map = map_, .prefix = prefix_, .op = op_, .form = XX | F_IMM | (flags), \
		REG_MEM(name), .stub = sse_stub_##name                                   \
	}
#define M_STUB(map_, op_, name)                                                                  \
	{                                                                                        \
		.map = map_, .prefix = NP, .op = op_, .form = MMM | F_IMM, .reg = mm_##name##_r, \
		.mem = MEM1(mm_##name##_G), .stub = sse_stub_mm_##name                           \
	}
#define STR(op_, name, handler)                                                           \
	{                                                                                 \
		.map = 3, .prefix = P66, .op = op_, .form = XX | F_IMM, REG_MEM(handler), \
		.stub = sse_stub_##name                                                   \
	}

const struct sse_op sse_int_ops[] = {
	BOTH_OP(0x60, punpcklbw),
	BOTH_OP(0x61, punpcklwd),
	BOTH_OP(0x62, punpckldq),
	BOTH_OP(0x63, packsswb),
	BOTH_OP(0x64, pcmpgtb),
	BOTH_OP(0x65, pcmpgtw),
	BOTH_OP(0x66, pcmpgtd),
	BOTH_OP(0x67, packuswb),
	BOTH_OP(0x68, punpckhbw),
	BOTH_OP(0x69, punpckhwd),
	BOTH_OP(0x6a, punpckhdq),
	BOTH_OP(0x6b, packssdw),
	BOTH_OP(0x74, pcmpeqb),
	BOTH_OP(0x75, pcmpeqw),
	BOTH_OP(0x76, pcmpeqd),
	BOTH_OP(0xd1, psrlw),
	BOTH_OP(0xd2, psrld),
	BOTH_OP(0xd3, psrlq),
	BOTH_OP(0xd4, paddq),
	BOTH_OP(0xd5, pmullw),
	BOTH_OP(0xd8, psubusb),
	BOTH_OP(0xd9, psubusw),
	BOTH_OP(0xda, pminub),
	BOTH_OP(0xdb, pand),
	BOTH_OP(0xdc, paddusb),
	BOTH_OP(0xdd, paddusw),
	BOTH_OP(0xde, pmaxub),
	BOTH_OP(0xdf, pandn),
	BOTH_OP(0xe0, pavgb),
	BOTH_OP(0xe1, psraw),
	BOTH_OP(0xe2, psrad),
	BOTH_OP(0xe3, pavgw),
	BOTH_OP(0xe4, pmulhuw),
	BOTH_OP(0xe5, pmulhw),
	BOTH_OP(0xe8, psubsb),
	BOTH_OP(0xe9, psubsw),
	BOTH_OP(0xea, pminsw),
	BOTH_OP(0xeb, por),
	BOTH_OP(0xec, paddsb),
	BOTH_OP(0xed, paddsw),
	BOTH_OP(0xee, pmaxsw),
	BOTH_OP(0xef, pxor),
	BOTH_OP(0xf1, psllw),
	BOTH_OP(0xf2, pslld),
	BOTH_OP(0xf3, psllq),
	BOTH_OP(0xf4, pmuludq),
	BOTH_OP(0xf5, pmaddwd),
	BOTH_OP(0xf6, psadbw),
	BOTH_OP(0xf8, psubb),
	BOTH_OP(0xf9, psubw),
	BOTH_OP(0xfa, psubd),
	BOTH_OP(0xfb, psubq),
	BOTH_OP(0xfc, paddb),
	BOTH_OP(0xfd, paddw),
	BOTH_OP(0xfe, paddd),
	X_OP(1, P66, 0x6c, punpcklqdq, 0),
	X_OP(1, P66, 0x6d, punpckhqdq, 0),
	M_STUB(1, 0x70, pshufw),
	X_STUB(1, P66, 0x70, pshufd, 0),
	X_STUB(1, PF3, 0x70, pshufhw, 0),
	X_STUB(1, PF2, 0x70, pshuflw, 0),

	BOTH_OP2(0x00, pshufb),
	BOTH_OP2(0x01, phaddw),
	BOTH_OP2(0x02, phaddd),
	BOTH_OP2(0x03, phaddsw),
	BOTH_OP2(0x04, pmaddubsw),
	BOTH_OP2(0x05, phsubw),
	BOTH_OP2(0x06, phsubd),
	BOTH_OP2(0x07, phsubsw),
	BOTH_OP2(0x08, psignb),
	BOTH_OP2(0x09, psignw),
	BOTH_OP2(0x0a, psignd),
	BOTH_OP2(0x0b, pmulhrsw),
	BOTH_OP2(0x1c, pabsb),
	BOTH_OP2(0x1d, pabsw),
	BOTH_OP2(0x1e, pabsd),
	X_OP(2, P66, 0x10, pblendvb, 0),
	X_OP(2, P66, 0x14, blendvps, 0),
	X_OP(2, P66, 0x15, blendvpd, 0),
	X_OP(2, P66, 0x17, ptest, 0),
	X_OP(2, P66, 0x20, pmovsxbw, 0),
	X_OP(2, P66, 0x21, pmovsxbd, 0),
	X_OP(2, P66, 0x22, pmovsxbq, 0),
	X_OP(2, P66, 0x23, pmovsxwd, 0),
	X_OP(2, P66, 0x24, pmovsxwq, 0),
	X_OP(2, P66, 0x25, pmovsxdq, 0),
	X_OP(2, P66, 0x28, pmuldq, 0),
	X_OP(2, P66, 0x29, pcmpeqq, 0),
	X_OP(2, P66, 0x2b, packusdw, 0),
	X_OP(2, P66, 0x30, pmovzxbw, 0),
	X_OP(2, P66, 0x31, pmovzxbd, 0),
	X_OP(2, P66, 0x32, pmovzxbq, 0),
	X_OP(2, P66, 0x33, pmovzxwd, 0),
	X_OP(2, P66, 0x34, pmovzxwq, 0),
	X_OP(2, P66, 0x35, pmovzxdq, 0),
	X_OP(2, P66, 0x37, pcmpgtq, 0),
	X_OP(2, P66, 0x38, pminsb, 0),
	X_OP(2, P66, 0x39, pminsd, 0),
	X_OP(2, P66, 0x3a, pminuw, 0),
	X_OP(2, P66, 0x3b, pminud, 0),
	X_OP(2, P66, 0x3c, pmaxsb, 0),
	X_OP(2, P66, 0x3d, pmaxsd, 0),
	X_OP(2, P66, 0x3e, pmaxuw, 0),
	X_OP(2, P66, 0x3f, pmaxud, 0),
	X_OP(2, P66, 0x40, pmulld, 0),
	X_OP(2, P66, 0x41, phminposuw, 0),
	X_OP(2, NP, 0xc8, sha1nexte, F_SHA),
	X_OP(2, NP, 0xc9, sha1msg1, F_SHA),
	X_OP(2, NP, 0xca, sha1msg2, F_SHA),
	X_OP(2, NP, 0xcb, sha256rnds2, F_SHA),
	X_OP(2, NP, 0xcc, sha256msg1, F_SHA),
	X_OP(2, NP, 0xcd, sha256msg2, F_SHA),
	X_OP(2, P66, 0xdb, aesimc, F_AES),
	X_OP(2, P66, 0xdc, aesenc, F_AES),
	X_OP(2, P66, 0xdd, aesenclast, F_AES),
	X_OP(2, P66, 0xde, aesdec, F_AES),
	X_OP(2, P66, 0xdf, aesdeclast, F_AES),

	X_STUB(3, P66, 0x0e, pblendw, 0),
	M_STUB(3, 0x0f, palignr),
	X_STUB(3, P66, 0x0f, palignr, 0),
	X_STUB(3, P66, 0x42, mpsadbw, 0),
	X_STUB(3, P66, 0x44, pclmulqdq, F_CLMUL),
	STR(0x60, pcmpestrm, pcmpstrm),
	STR(0x61, pcmpestri, pcmpstri),
	STR(0x62, pcmpistrm, pcmpstrm),
	STR(0x63, pcmpistri, pcmpstri),
	X_STUB(3, NP, 0xcc, sha1rnds4, F_SHA),
	X_STUB(3, P66, 0xdf, aeskeygenassist, F_AES),
};
const unsigned sse_int_count = ARRAY_SIZE(sse_int_ops);

/* 0F 71, 72, 73: register operand in ModRM.rm, what to do in ModRM.reg. */
bool decode_shift_imm(struct decoder *d)
{
	static op_fn *const shifts[3][8][2] = {
		{ [2] = { mm_psrlw_i, psrlw_i },
		  [4] = { mm_psraw_i, psraw_i },
		  [6] = { mm_psllw_i, psllw_i } },
		{ [2] = { mm_psrld_i, psrld_i },
		  [4] = { mm_psrad_i, psrad_i },
		  [6] = { mm_pslld_i, pslld_i } },
		{ [2] = { mm_psrlq_i, psrlq_i },
		  [3] = { NULL, shift_bytes },
		  [6] = { mm_psllq_i, psllq_i },
		  [7] = { NULL, shift_bytes } },
	};
	unsigned digit;

	decode_modrm(d);
	digit = d->reg & 7;
	d->u->imm = decode_u8(d);
	if (d->is_mem || d->rep)
		return false;
	d->u->fn = shifts[d->op - 0x71][digit][d->opsize16];
	d->u->a = (uint8_t)((d->opsize16 ? d->rm : d->rm & 7) * 16);
	if (d->op == 0x73 && (digit & 3) == 3)
		d->u->imm = (uintptr_t)((digit == 3 ? sse_stub_psrldq : sse_stub_pslldq) +
					d->u->imm * STUB_SIZE);
	return d->u->fn != NULL;
}
