/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sse-move.c - loads, stores and moves of MMX and XMM registers, insertion and extraction
 *
 * Intel SDM vol. 2. Non-temporal moves are plain ones.
 */
#include "emu/fpu-int.h"

/* ---- loads and moves into XMM ---- */

DO_XW(load16, "movups", union emu_vec)
OPS_XX(load16, union emu_vec, 16, 0)
OPS_MEM_AS(load16a, load16, union emu_vec, DST_X, 16, 15)

DO_XW(movss_load, "movss", struct u32_any)
OPS_MEM(movss_load, struct u32_any, DST_X, 4, 0)
DO_XW(movsd_load, "movsd", struct u64_any)
OPS_XX(movsd_load, struct u64_any, 8, 0) /* from a register: MOVQ */
DO_XX(movlps, "movlps", struct u64_any)
OPS_MEM(movlps, struct u64_any, DST_X, 8, 0)
DO_XX(movhps, "movhps", struct u64_any)
OPS_MEM(movhps, struct u64_any, DST_X, 8, 0)
XX_OP(movsldup, "movsldup")
XX_OP(movshdup, "movshdup")
DO_XW(movddup, "movddup", struct u64_any)
OPS_XX(movddup, struct u64_any, 8, 0)
XX_OP(unpcklps, "unpcklps")
XX_OP(unpcklpd, "unpcklpd")
XX_OP(unpckhps, "unpckhps")
XX_OP(unpckhpd, "unpckhpd")

#define REG_MOVE(name, insn)                                                       \
	OP(name##_r)                                                               \
	{                                                                          \
		__asm__ volatile("movaps %0, %%xmm0\n\tmovaps %1, %%xmm1\n\t" insn \
				 " %%xmm1, %%xmm0\n\tmovaps %%xmm0, %0"            \
				 : "+m"(*XMM(v, u->a))                             \
				 : "m"(*XMM(v, u->b))                              \
				 : "xmm0", "xmm1");                                \
		NEXT(v, u);                                                        \
	}

REG_MOVE(movss, "movss")
REG_MOVE(movsd, "movsd")
REG_MOVE(movhlps, "movhlps")
REG_MOVE(movlhps, "movlhps")

/* MOVD and MOVQ from general registers and memory */
DO_XW(movd, "movd", struct u32_any)
OPS_REG(movd, struct u32_any, DST_X, SRC_G)
OPS_MEM(movd, struct u32_any, DST_X, 4, 0)
OPS_REG_AS(movq_g, movsd_load, struct u64_any, DST_X, SRC_G)

/* ---- stores ---- */

static ALWAYS_INLINE void put16(void *p, const void *s)
{
	__asm__ volatile("movaps %1, %%xmm0\n\tmovups %%xmm0, %0"
			 : "=m"(*(union emu_vec *)p)
			 : "m"(*(const union emu_vec *)s)
			 : "xmm0");
}

static ALWAYS_INLINE void put8(void *p, const void *s)
{
	((volatile struct u64_any *)p)->v = *(const uint64_t *)s;
}

static ALWAYS_INLINE void put4(void *p, const void *s)
{
	((volatile struct u32_any *)p)->v = *(const uint32_t *)s;
}

#define STORE(name, size, align, src)                      \
	NOINLINE OP(name##_G)                              \
	{                                                  \
		uint64_t lin = emu_ea_G(v, u, size, true); \
		if (unlikely((lin & (align)) != 0))        \
			emu_gp0(v, u);                     \
		emu_store_bytes(v, u, lin, size, src);     \
		NEXT(v, u);                                \
	}                                                  \
	STORE_FAST(name, size, align, src, B)              \
	STORE_FAST(name, size, align, src, X)

#define STORE_FAST(name, size, align, src, K)             \
	OP(name##_##K)                                    \
	{                                                 \
		uint64_t lin = emu_ea_##K(v, u);          \
		void *p = emu_host_write(v, lin, size);   \
		if (unlikely(!p || (lin & (align)) != 0)) \
			return name##_G(v, u);            \
		put##size(p, src);                        \
		NEXT(v, u);                               \
	}

STORE(store16, 16, 0, XMM(v, u->b))
STORE(store16a, 16, 15, XMM(v, u->b))
STORE(store8, 8, 0, XMM(v, u->b))
STORE(store8h, 8, 0, &XMM(v, u->b)->u64[1])
STORE(store4, 4, 0, XMM(v, u->b))
STORE(store_g8, 8, 0, &R64(v, u->b))
STORE(store_g4, 4, 0, &R64(v, u->b))

OP(movd_to_g)
{
	R64(v, u->a) = XMM(v, u->b)->u32[0];
	NEXT(v, u);
}

OP(movq_to_g)
{
	R64(v, u->a) = XMM(v, u->b)->u64[0];
	NEXT(v, u);
}

/* ---- MMX moves ---- */

DO(mm_movd, uint64_t, struct u32_any)
{
	UNUSED_V_U;
	*d = s->v;
	mm_written(d);
}

DO(mm_movq, uint64_t, struct u64_any)
{
	UNUSED_V_U;
	*d = s->v;
	mm_written(d);
}

OPS_MMX(mm_movd, MM, struct u32_any, SRC_G)
OPS_MMX_MEM(mm_movd, MM, struct u32_any, 4, 0)
OPS_MMX(mm_movq, MM, struct u64_any, SRC_M)
OPS_MMX_MEM(mm_movq, MM, struct u64_any, 8, 0)
OPS_MMX_AS(mm_movq_g, mm_movq, MM, struct u64_any, SRC_G)
OPS_MMX_AS(movdq2q, mm_movq, MM, struct u64_any, SRC_X)

DO(movq2dq, union emu_vec, uint64_t)
{
	UNUSED_V_U;
	d->u64[0] = *s;
	d->u64[1] = 0;
}
OPS_MMX(movq2dq, XMM, uint64_t, SRC_M)

#define MMX_STORE(name, size)                                  \
	OP(name)                                               \
	{                                                      \
		uint64_t lin;                                  \
		mmx_check(v, u);                               \
		lin = emu_ea_G(v, u, size, true);              \
		emu_probe_write(v, u, lin, size);              \
		MMX_READY(v);                                  \
		emu_store_bytes(v, u, lin, size, MM(v, u->b)); \
		NEXT(v, u);                                    \
	}

MMX_STORE(mm_store4, 4)
MMX_STORE(mm_store8, 8)

OP(mm_movd_to_g)
{
	if (unlikely(!v->fpu.mmx))
		return x87_mmx_retry(v, u);
	R64(v, u->a) = (uint32_t)*MM(v, u->b);
	NEXT(v, u);
}

OP(mm_movq_to_g)
{
	if (unlikely(!v->fpu.mmx))
		return x87_mmx_retry(v, u);
	R64(v, u->a) = *MM(v, u->b);
	NEXT(v, u);
}

/* ---- masks ---- */

#define MASK(name)                                                           \
	OP(name##_r)                                                         \
	{                                                                    \
		uint32_t mask;                                               \
		__asm__ volatile("movaps %1, %%xmm0\n\t" #name " %%xmm0, %0" \
				 : "=r"(mask)                                \
				 : "m"(*XMM(v, u->b))                        \
				 : "xmm0");                                  \
		R64(v, u->a) = mask;                                         \
		NEXT(v, u);                                                  \
	}

MASK(movmskps)
MASK(movmskpd)
MASK(pmovmskb)

OP(mm_pmovmskb)
{
	uint32_t mask;

	if (unlikely(!v->fpu.mmx))
		return x87_mmx_retry(v, u);
	__asm__ volatile("movq %1, %%mm0\n\tpmovmskb %%mm0, %0"
			 : "=r"(mask)
			 : "m"(*MM(v, u->b))
			 : "mm0");
	R64(v, u->a) = mask;
	NEXT(v, u);
}

/* MASKMOVQ, MASKMOVDQU: bytes of operand a to DS:rDI where operand b has bit 7 set. Whether bytes
 * that are not written can fault is up to the processor: here all of them do. */
static void masked_store(struct vcpu *v, const struct uop *u, unsigned size, uint64_t lin,
			 const uint8_t *data, const uint8_t *mask)
{
	for (unsigned i = 0; i < size; i += 8)
		emu_probe_write(v, u, lin + i, 8);
	for (unsigned i = 0; i < size; i++)
		if (mask[i] & 0x80)
			emu_st8(v, u, lin + i, data[i]);
}

OP(maskmovdqu)
{
	uint64_t lin = emu_ea_G(v, u, 16, true);

	masked_store(v, u, 16, lin, XMM(v, u->a)->u8, XMM(v, u->b)->u8);
	NEXT(v, u);
}

/* Enters MMX state even if it then faults. */
OP(maskmovq)
{
	uint64_t lin;

	if (unlikely(!v->fpu.mmx))
		return x87_mmx_retry(v, u);
	lin = emu_ea_G(v, u, 8, true);
	masked_store(v, u, 8, lin, (const uint8_t *)MM(v, u->a), (const uint8_t *)MM(v, u->b));
	NEXT(v, u);
}

/* ---- insertion and extraction: which element is in u->imm, masked by the decoder ---- */

#define INSERT(name, bits, member, mask)                  \
	DO(name, union emu_vec, struct u##bits##_any)     \
	{                                                 \
		(void)v;                                  \
		d->member[u->imm & (mask)] = s->v;        \
	}                                                 \
	OPS_REG(name, struct u##bits##_any, DST_X, SRC_G) \
	OPS_MEM(name, struct u##bits##_any, DST_X, bits / 8, 0)

INSERT(pinsrb, 8, u8, 15)
INSERT(pinsrw, 16, u16, 7)
INSERT(pinsrd, 32, u32, 3)
INSERT(pinsrq, 64, u64, 1)

DO(mm_pinsrw, uint64_t, struct u16_any)
{
	(void)v;
	((struct u16_any *)d)[u->imm & 3].v = s->v;
	mm_written(d);
}
OPS_MMX(mm_pinsrw, MM, struct u16_any, SRC_G)
OPS_MMX_MEM(mm_pinsrw, MM, struct u16_any, 2, 0)

OP(mm_pextrw)
{
	if (unlikely(!v->fpu.mmx))
		return x87_mmx_retry(v, u);
	R64(v, u->a) = ((const struct u16_any *)MM(v, u->b))[u->imm & 3].v;
	NEXT(v, u);
}

#define EXTRACT(name, bits, member, mask)                                       \
	OP(name##_r)                                                            \
	{                                                                       \
		R64(v, u->a) = XMM(v, u->b)->member[u->imm & (mask)];           \
		NEXT(v, u);                                                     \
	}                                                                       \
	OP(name##_G)                                                            \
	{                                                                       \
		uint64_t lin = emu_ea_G(v, u, bits / 8, true);                  \
		emu_st##bits(v, u, lin, XMM(v, u->b)->member[u->imm & (mask)]); \
		NEXT(v, u);                                                     \
	}

EXTRACT(pextrb, 8, u8, 15)
EXTRACT(pextrw, 16, u16, 7)
EXTRACT(pextrd, 32, u32, 3)
EXTRACT(pextrq, 64, u64, 1)

#define L(prefix_, op_, name)                                                     \
	{                                                                         \
		.map = 1, .prefix = prefix_, .op = op_, .form = XX, REG_MEM(name) \
	}
#define LOAD(prefix_, op_, r, m)                                                             \
	{                                                                                    \
		.map = 1, .prefix = prefix_, .op = op_, .form = XX, .reg = r, .mem = MEM3(m) \
	}
#define ST(prefix_, op_, r, m)                                                          \
	{                                                                               \
		.map = 1, .prefix = prefix_, .op = op_, .form = XX | F_STORE, .reg = r, \
		.mem = MEM3(m)                                                          \
	}

const struct sse_op sse_move_ops[] = {
	L(NP, 0x10, load16),
	L(P66, 0x10, load16),
	LOAD(PF3, 0x10, movss_r, movss_load),
	LOAD(PF2, 0x10, movsd_r, movsd_load),
	ST(NP, 0x11, load16_r, store16),
	ST(P66, 0x11, load16_r, store16),
	ST(PF3, 0x11, movss_r, store4),
	ST(PF2, 0x11, movsd_r, store8),
	LOAD(NP, 0x12, movhlps_r, movlps),
	LOAD(P66, 0x12, NULL, movlps),
	L(PF3, 0x12, movsldup),
	L(PF2, 0x12, movddup),
	ST(NP, 0x13, NULL, store8),
	ST(P66, 0x13, NULL, store8),
	L(NP, 0x14, unpcklps),
	L(P66, 0x14, unpcklpd),
	L(NP, 0x15, unpckhps),
	L(P66, 0x15, unpckhpd),
	LOAD(NP, 0x16, movlhps_r, movhps),
	LOAD(P66, 0x16, NULL, movhps),
	L(PF3, 0x16, movshdup),
	ST(NP, 0x17, NULL, store8h),
	ST(P66, 0x17, NULL, store8h),
	LOAD(NP, 0x28, load16_r, load16a),
	LOAD(P66, 0x28, load16_r, load16a),
	ST(NP, 0x29, load16_r, store16a),
	ST(P66, 0x29, load16_r, store16a),
	ST(NP, 0x2b, NULL, store16a),
	ST(P66, 0x2b, NULL, store16a),
	{ .map = 1, .prefix = NP, .op = 0x50, .form = GX, .reg = movmskps_r },
	{ .map = 1, .prefix = P66, .op = 0x50, .form = GX, .reg = movmskpd_r },

	{ .map = 1,
	  .prefix = NP,
	  .op = 0x6e,
	  .form = MG | F_W,
	  .reg = mm_movd_r,
	  .mem = MEM1(mm_movd_G) },
	{ .map = 1,
	  .prefix = NP,
	  .op = 0x6e,
	  .form = MG,
	  .reg = mm_movq_g_r,
	  .mem = MEM1(mm_movq_G) },
	{ .map = 1, .prefix = P66, .op = 0x6e, .form = XG | F_W, REG_MEM(movd) },
	{ .map = 1,
	  .prefix = P66,
	  .op = 0x6e,
	  .form = XG,
	  .reg = movq_g_r,
	  .mem = MEM3(movsd_load) },
	{ .map = 1,
	  .prefix = NP,
	  .op = 0x6f,
	  .form = MMM,
	  .reg = mm_movq_r,
	  .mem = MEM1(mm_movq_G) },
	LOAD(P66, 0x6f, load16_r, load16a),
	LOAD(PF3, 0x6f, load16_r, load16),
	{ .map = 1,
	  .prefix = NP,
	  .op = 0x7e,
	  .form = GM | F_W | F_STORE,
	  .reg = mm_movd_to_g,
	  .mem = MEM1(mm_store4) },
	{ .map = 1,
	  .prefix = NP,
	  .op = 0x7e,
	  .form = GM | F_STORE,
	  .reg = mm_movq_to_g,
	  .mem = MEM1(mm_store8) },
	{ .map = 1,
	  .prefix = P66,
	  .op = 0x7e,
	  .form = GX | F_W | F_STORE,
	  .reg = movd_to_g,
	  .mem = MEM3(store4) },
	{ .map = 1,
	  .prefix = P66,
	  .op = 0x7e,
	  .form = GX | F_STORE,
	  .reg = movq_to_g,
	  .mem = MEM3(store8) },
	L(PF3, 0x7e, movsd_load),
	{ .map = 1,
	  .prefix = NP,
	  .op = 0x7f,
	  .form = MMM | F_STORE,
	  .reg = mm_movq_r,
	  .mem = MEM1(mm_store8) },
	ST(P66, 0x7f, load16_r, store16a),
	ST(PF3, 0x7f, load16_r, store16),
	{ .map = 1,
	  .prefix = NP,
	  .op = 0xc3,
	  .form = GG | F_STORE | F_NOFPU | F_W,
	  .mem = MEM3(store_g4) },
	{ .map = 1,
	  .prefix = NP,
	  .op = 0xc3,
	  .form = GG | F_STORE | F_NOFPU,
	  .mem = MEM3(store_g8) },
	{ .map = 1,
	  .prefix = NP,
	  .op = 0xc4,
	  .form = MG | F_IMM,
	  .reg = mm_pinsrw_r,
	  .mem = MEM1(mm_pinsrw_G) },
	{ .map = 1, .prefix = P66, .op = 0xc4, .form = XG | F_IMM, REG_MEM(pinsrw) },
	{ .map = 1, .prefix = NP, .op = 0xc5, .form = GM | F_IMM, .reg = mm_pextrw },
	{ .map = 1, .prefix = P66, .op = 0xc5, .form = GX | F_IMM, .reg = pextrw_r },
	ST(P66, 0xd6, movsd_load_r, store8),
	{ .map = 1, .prefix = PF3, .op = 0xd6, .form = XM, .reg = movq2dq_r },
	{ .map = 1, .prefix = PF2, .op = 0xd6, .form = MX, .reg = movdq2q_r },
	{ .map = 1, .prefix = NP, .op = 0xd7, .form = GM, .reg = mm_pmovmskb },
	{ .map = 1, .prefix = P66, .op = 0xd7, .form = GX, .reg = pmovmskb_r },
	{ .map = 1, .prefix = NP, .op = 0xe7, .form = MMM | F_STORE, .mem = MEM1(mm_store8) },
	ST(P66, 0xe7, NULL, store16a),
	LOAD(PF2, 0xf0, NULL, load16),
	{ .map = 1, .prefix = NP, .op = 0xf7, .form = MMM, .reg = maskmovq },
	{ .map = 1, .prefix = P66, .op = 0xf7, .form = XX, .reg = maskmovdqu },

	{ .map = 2, .prefix = P66, .op = 0x2a, .form = XX, .mem = MEM3(load16a) },

	{ .map = 3,
	  .prefix = P66,
	  .op = 0x14,
	  .form = GX | F_STORE | F_IMM,
	  .reg = pextrb_r,
	  .mem = MEM1(pextrb_G) },
	{ .map = 3,
	  .prefix = P66,
	  .op = 0x15,
	  .form = GX | F_STORE | F_IMM,
	  .reg = pextrw_r,
	  .mem = MEM1(pextrw_G) },
	{ .map = 3,
	  .prefix = P66,
	  .op = 0x16,
	  .form = GX | F_STORE | F_IMM | F_W,
	  .reg = pextrd_r,
	  .mem = MEM1(pextrd_G) },
	{ .map = 3,
	  .prefix = P66,
	  .op = 0x16,
	  .form = GX | F_STORE | F_IMM,
	  .reg = pextrq_r,
	  .mem = MEM1(pextrq_G) },
	{ .map = 3,
	  .prefix = P66,
	  .op = 0x17,
	  .form = GX | F_STORE | F_IMM,
	  .reg = pextrd_r,
	  .mem = MEM1(pextrd_G) },
	{ .map = 3, .prefix = P66, .op = 0x20, .form = XG | F_IMM, REG_MEM(pinsrb) },
	{ .map = 3, .prefix = P66, .op = 0x22, .form = XG | F_IMM | F_W, REG_MEM(pinsrd) },
	{ .map = 3, .prefix = P66, .op = 0x22, .form = XG | F_IMM, REG_MEM(pinsrq) },
};
const unsigned sse_move_count = ARRAY_SIZE(sse_move_ops);
