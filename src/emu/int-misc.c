/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * int-misc.c - handlers: shifts, multiply and divide, bits, exchanges, decimal, and the odd ones
 */
#include "emu/int-int.h"

#include <string.h>

#define ROW4(op, form)                                                                \
	{                                                                             \
		op##_##form##_8, op##_##form##_16, op##_##form##_32, op##_##form##_64 \
	}
#define ROW3(op, form)                                                     \
	{                                                                  \
		NULL, op##_##form##_16, op##_##form##_32, op##_##form##_64 \
	}

/*
 * Memory forms here are not hot. MEM_RMW runs @stmt on the variable m of @bits, loaded from and
 * stored to memory that is known to be writable before anything changes. LOCKed ones that are not
 * listed in ops.h as such do not exist.
 */
#define MEM_RMW(bits, stmt)                                    \
	do {                                                   \
		uint64_t lin = emu_ea_G(v, u, bits / 8, true); \
		T_##bits m;                                    \
		emu_probe_write(v, u, lin, bits / 8);          \
		m = emu_ld##bits(v, u, lin);                   \
		stmt;                                          \
		emu_st##bits(v, u, lin, m);                    \
	} while (0)

/* ---- shifts and rotates ---- */

/* Flags go in, as a count of 0 keeps all and rotates keep most. */
#define DEFINE_SHIFT_FN(bits, op)                                                      \
	static inline T_##bits fn_##op##_##bits(struct vcpu *v, T_##bits d, uint8_t n) \
	{                                                                              \
		uint32_t f = v->flags;                                                 \
		__asm__(LOAD_FLAGS #op S_##bits " %%cl, %" M_##bits "[d]" KEEP_FLAGS   \
			: [d] "+&q"(d), "+&a"(f)                                       \
			: "c"(n)                                                       \
			: "cc");                                                       \
		v->flags = (uint16_t)f;                                                \
		return d;                                                              \
	}
#define DEFINE_SHIFT(bits, op)                                                                     \
	DEFINE_SHIFT_FN(bits, op)                                                                  \
	SOP(op##_ri_##bits)                                                                        \
	{                                                                                          \
		SET_##bits(v, u->a, fn_##op##_##bits(v, GET_##bits(v, u->a), (uint8_t)u->imm));    \
		NEXT(v, u);                                                                        \
	}                                                                                          \
	SOP(op##_rc_##bits)                                                                        \
	{                                                                                          \
		SET_##bits(v, u->a, fn_##op##_##bits(v, GET_##bits(v, u->a), R8(v, X86_RCX * 8))); \
		NEXT(v, u);                                                                        \
	}                                                                                          \
	SOP(op##_mi_##bits)                                                                        \
	{                                                                                          \
		MEM_RMW(bits, m = fn_##op##_##bits(v, m, (uint8_t)u->imm));                        \
		NEXT(v, u);                                                                        \
	}                                                                                          \
	SOP(op##_mc_##bits)                                                                        \
	{                                                                                          \
		MEM_RMW(bits, m = fn_##op##_##bits(v, m, R8(v, X86_RCX * 8)));                     \
		NEXT(v, u);                                                                        \
	}
FOR_BITS(DEFINE_SHIFT, rol)
FOR_BITS(DEFINE_SHIFT, ror)
FOR_BITS(DEFINE_SHIFT, rcl)
FOR_BITS(DEFINE_SHIFT, rcr)
FOR_BITS(DEFINE_SHIFT, shl)
FOR_BITS(DEFINE_SHIFT, shr)
FOR_BITS(DEFINE_SHIFT, sar)
/* SHL, SHR, SAR by a count that is not 0 after masking write all flags: none go in. */
#define DEFINE_SHIFT_NZ(bits, op)                                         \
	SOP(op##_nz_##bits)                                               \
	{                                                                 \
		T_##bits d = GET_##bits(v, u->a);                         \
		uint32_t f;                                               \
		__asm__(#op S_##bits " %%cl, %" M_##bits "[d]" KEEP_FLAGS \
			: [d] "+&q"(d), "=&a"(f)                          \
			: "c"((uint8_t)u->imm)                            \
			: "cc");                                          \
		v->flags = (uint16_t)f;                                   \
		SET_##bits(v, u->a, d);                                   \
		NEXT(v, u);                                               \
	}
DEFINE_SHIFT_NZ(32, shl)
DEFINE_SHIFT_NZ(64, shl)
DEFINE_SHIFT_NZ(32, shr)
DEFINE_SHIFT_NZ(64, shr)
DEFINE_SHIFT_NZ(32, sar)
DEFINE_SHIFT_NZ(64, sar)
op_fn *const ops_shift_nz[8][4] = {
	[4] = { NULL, NULL, shl_nz_32, shl_nz_64 },
	[5] = { NULL, NULL, shr_nz_32, shr_nz_64 },
	[6] = { NULL, NULL, shl_nz_32, shl_nz_64 },
	[7] = { NULL, NULL, sar_nz_32, sar_nz_64 },
};

#define SHIFT_TABLE(form)                                                                  \
	{                                                                                  \
		ROW4(rol, form), ROW4(ror, form), ROW4(rcl, form), ROW4(rcr, form),        \
			ROW4(shl, form), ROW4(shr, form), ROW4(shl, form), ROW4(sar, form) \
	}
op_fn *const ops_shift_ri[8][4] = SHIFT_TABLE(ri);
op_fn *const ops_shift_rc[8][4] = SHIFT_TABLE(rc);
op_fn *const ops_shift_mi[8][4] = SHIFT_TABLE(mi);
op_fn *const ops_shift_mc[8][4] = SHIFT_TABLE(mc);

#define DEFINE_SHD(bits, op)                                                                       \
	static inline T_##bits fn_##op##_##bits(struct vcpu *v, T_##bits d, T_##bits s, uint8_t n) \
	{                                                                                          \
		uint32_t f = v->flags;                                                             \
		__asm__(LOAD_FLAGS #op S_##bits " %%cl, %" M_##bits "[s], %" M_##bits              \
			"[d]" KEEP_FLAGS                                                           \
			: [d] "+&r"(d), "+&a"(f)                                                   \
			: [s] "r"(s), "c"(n)                                                       \
			: "cc");                                                                   \
		v->flags = (uint16_t)f;                                                            \
		return d;                                                                          \
	}                                                                                          \
	SOP(op##_ri_##bits)                                                                        \
	{                                                                                          \
		SET_##bits(v, u->a,                                                                \
			   fn_##op##_##bits(v, GET_##bits(v, u->a), GET_##bits(v, u->b),           \
					    (uint8_t)u->imm));                                     \
		NEXT(v, u);                                                                        \
	}                                                                                          \
	SOP(op##_rc_##bits)                                                                        \
	{                                                                                          \
		SET_##bits(v, u->a,                                                                \
			   fn_##op##_##bits(v, GET_##bits(v, u->a), GET_##bits(v, u->b),           \
					    R8(v, X86_RCX * 8)));                                  \
		NEXT(v, u);                                                                        \
	}                                                                                          \
	SOP(op##_mi_##bits)                                                                        \
	{                                                                                          \
		MEM_RMW(bits, m = fn_##op##_##bits(v, m, GET_##bits(v, u->b), (uint8_t)u->imm));   \
		NEXT(v, u);                                                                        \
	}                                                                                          \
	SOP(op##_mc_##bits)                                                                        \
	{                                                                                          \
		MEM_RMW(bits,                                                                      \
			m = fn_##op##_##bits(v, m, GET_##bits(v, u->b), R8(v, X86_RCX * 8)));      \
		NEXT(v, u);                                                                        \
	}
FOR_BITS3(DEFINE_SHD, shld)
FOR_BITS3(DEFINE_SHD, shrd)
op_fn *const ops_shd_ri[2][4] = { ROW3(shld, ri), ROW3(shrd, ri) };
op_fn *const ops_shd_rc[2][4] = { ROW3(shld, rc), ROW3(shrd, rc) };
op_fn *const ops_shd_mi[2][4] = { ROW3(shld, mi), ROW3(shrd, mi) };
op_fn *const ops_shd_mc[2][4] = { ROW3(shld, mc), ROW3(shrd, mc) };

/* ---- MUL, IMUL, DIV, IDIV on the accumulator ---- */

/* The product and the flags of one instruction; RAX is needed for LAHF, so the product moves. */
#define DEFINE_MUL(bits, op)                                                                    \
	static void do_##op##_##bits(struct vcpu *v, const struct uop *u, T_##bits s)           \
	{                                                                                       \
		uint64_t lo = v->r[X86_RAX], hi = 0, f = v->flags;                              \
		(void)u;                                                                        \
		__asm__("xchgq %%rax, %[f]\n\t" LOAD_FLAGS "xchgq %%rax, %[f]\n\t" #op S_##bits \
			" %" M_##bits "[s]\n\tmovq %%rax, %[f]\n\tlahf\n\t"                     \
				      "seto %%al\n\txchgq %%rax, %[f]"                          \
			: "+&a"(lo), "+&d"(hi), [f] "+&r"(f)                                    \
			: [s] "r"(s)                                                            \
			: "cc");                                                                \
		SET_##bits(v, X86_RDX * 8, hi);                                                 \
		SET_##bits(v, X86_RAX * 8, lo);                                                 \
		v->flags = (uint16_t)f;                                                         \
	}
FOR_BITS3(DEFINE_MUL, mul)
FOR_BITS3(DEFINE_MUL, imul)

#define DEFINE_MUL8(op)                                                                \
	static void do_##op##_8(struct vcpu *v, const struct uop *u, uint8_t s)        \
	{                                                                              \
		uint64_t ax = v->r[X86_RAX], f = v->flags;                             \
		(void)u;                                                               \
		__asm__("xchgq %%rax, %[f]\n\t" LOAD_FLAGS "xchgq %%rax, %[f]\n\t" #op \
			"b %b[s]\n\tmovq %%rax, %[f]\n\tlahf\n\tseto %%al\n\t"         \
			"xchgq %%rax, %[f]"                                            \
			: "+&a"(ax), [f] "+&r"(f)                                      \
			: [s] "q"(s)                                                   \
			: "cc");                                                       \
		R16(v, X86_RAX * 8) = (uint16_t)ax;                                    \
		v->flags = (uint16_t)f;                                                \
	}
DEFINE_MUL8(mul)
DEFINE_MUL8(imul)

/* Quotients that do not fit are #DE, so they are found before the host divides. Flags are left as
 * they were (undefined by the manual). */
#define DEFINE_DIV(bits, wide, swide)                                                              \
	static void do_div_##bits(struct vcpu *v, const struct uop *u, T_##bits s)                 \
	{                                                                                          \
		wide d = (wide)GET_##bits(v, X86_RDX * 8) << (bits % 64 + (bits == 64 ? 64 : 0)) | \
			 GET_##bits(v, X86_RAX * 8);                                               \
		if (GET_##bits(v, X86_RDX * 8) >= s)                                               \
			emu_raise(v, u, EXC_DE);                                                   \
		SET_##bits(v, X86_RAX * 8, d / s);                                                 \
		SET_##bits(v, X86_RDX * 8, d % s);                                                 \
	}                                                                                          \
	static void do_idiv_##bits(struct vcpu *v, const struct uop *u, T_##bits us)               \
	{                                                                                          \
		wide d = (wide)GET_##bits(v, X86_RDX * 8) << (bits % 64 + (bits == 64 ? 64 : 0)) | \
			 GET_##bits(v, X86_RAX * 8);                                               \
		swide n = (swide)d, q;                                                             \
		ST_##bits s = (ST_##bits)us;                                                       \
		if (!s || (s == -1 && n == (swide)((wide)1 << (2 * bits - 1))))                    \
			emu_raise(v, u, EXC_DE);                                                   \
		q = n / s;                                                                         \
		if (q != (ST_##bits)q)                                                             \
			emu_raise(v, u, EXC_DE);                                                   \
		SET_##bits(v, X86_RAX * 8, q);                                                     \
		SET_##bits(v, X86_RDX * 8, n % s);                                                 \
	}
DEFINE_DIV(16, uint32_t, int32_t)
DEFINE_DIV(32, uint64_t, int64_t)

static void do_div_8(struct vcpu *v, const struct uop *u, uint8_t s)
{
	uint16_t d = R16(v, X86_RAX * 8);

	if (!s || d / s > 0xff)
		emu_raise(v, u, EXC_DE);
	R16(v, X86_RAX * 8) = (uint16_t)(d / s | d % s << 8);
}

static void do_idiv_8(struct vcpu *v, const struct uop *u, uint8_t us)
{
	int n = (int16_t)R16(v, X86_RAX * 8), s = (int8_t)us;

	if (!s || n / s != (int8_t)(n / s))
		emu_raise(v, u, EXC_DE);
	R16(v, X86_RAX * 8) = (uint16_t)((uint8_t)(n / s) | (uint8_t)(n % s) << 8);
}

/* By the host's own instruction: the compiler's 128-bit division is a slow library call. */
static void do_div_64(struct vcpu *v, const struct uop *u, uint64_t s)
{
	if (v->r[X86_RDX] >= s)
		emu_raise(v, u, EXC_DE);
	__asm__("divq %2" : "+a"(v->r[X86_RAX]), "+d"(v->r[X86_RDX]) : "r"(s) : "cc");
}

static void do_idiv_64(struct vcpu *v, const struct uop *u, uint64_t us)
{
	__int128 n = (__int128)((unsigned __int128)v->r[X86_RDX] << 64 | v->r[X86_RAX]);
	unsigned __int128 an = n < 0 ? -(unsigned __int128)n : (unsigned __int128)n;
	uint64_t as = (int64_t)us < 0 ? -us : us, q, r;
	bool negative = (n < 0) != ((int64_t)us < 0);

	if ((uint64_t)(an >> 64) >= as)
		emu_raise(v, u, EXC_DE);
	__asm__("divq %4"
		: "=a"(q), "=d"(r)
		: "0"((uint64_t)an), "1"((uint64_t)(an >> 64)), "r"(as)
		: "cc");
	if (q > (uint64_t)INT64_MAX + negative)
		emu_raise(v, u, EXC_DE);
	v->r[X86_RAX] = negative ? -q : q;
	v->r[X86_RDX] = n < 0 ? -r : r;
}

#define DEFINE_MULDIV(bits, op)                                                              \
	SOP(op##_r_##bits)                                                                   \
	{                                                                                    \
		do_##op##_##bits(v, u, GET_##bits(v, u->a));                                 \
		NEXT(v, u);                                                                  \
	}                                                                                    \
	SOP(op##_m_##bits)                                                                   \
	{                                                                                    \
		do_##op##_##bits(v, u, emu_ld##bits(v, u, emu_ea_G(v, u, bits / 8, false))); \
		NEXT(v, u);                                                                  \
	}
FOR_BITS(DEFINE_MULDIV, mul)
FOR_BITS(DEFINE_MULDIV, imul)
FOR_BITS(DEFINE_MULDIV, div)
FOR_BITS(DEFINE_MULDIV, idiv)
op_fn *const ops_muldiv_r[4][4] = { ROW4(mul, r), ROW4(imul, r), ROW4(div, r), ROW4(idiv, r) };
op_fn *const ops_muldiv_m[4][4] = { ROW4(mul, m), ROW4(imul, m), ROW4(div, m), ROW4(idiv, m) };

/* IMUL with two and three operands. */
#define DEFINE_IMUL(bits)                                                                          \
	static inline T_##bits fn_imul2_##bits(struct vcpu *v, T_##bits d, T_##bits s)             \
	{                                                                                          \
		uint32_t f = v->flags; /* some flags stay, on some processors */                   \
		__asm__(LOAD_FLAGS "imul" S_##bits " %" M_##bits "[s], %" M_##bits                 \
			"[d]" KEEP_FLAGS                                                           \
			: [d] "+&r"(d), "+&a"(f)                                                   \
			: [s] "r"(s)                                                               \
			: "cc");                                                                   \
		v->flags = (uint16_t)f;                                                            \
		return d;                                                                          \
	}                                                                                          \
	SOP(imul_rr_##bits)                                                                        \
	{                                                                                          \
		SET_##bits(v, u->a, fn_imul2_##bits(v, GET_##bits(v, u->a), GET_##bits(v, u->b))); \
		NEXT(v, u);                                                                        \
	}                                                                                          \
	SOP(imul_rri_##bits)                                                                       \
	{                                                                                          \
		SET_##bits(v, u->a, fn_imul2_##bits(v, (T_##bits)u->imm, GET_##bits(v, u->b)));    \
		NEXT(v, u);                                                                        \
	}                                                                                          \
	SOP(imul_rm_##bits##_G)                                                                    \
	{                                                                                          \
		T_##bits m = emu_ld##bits(v, u, emu_ea_G(v, u, bits / 8, false));                  \
		SET_##bits(v, u->a, fn_imul2_##bits(v, GET_##bits(v, u->a), m));                   \
		NEXT(v, u);                                                                        \
	}                                                                                          \
	SOP(imul_rmi_##bits##_G)                                                                   \
	{                                                                                          \
		T_##bits m = emu_ld##bits(v, u, emu_ea_G(v, u, bits / 8, false));                  \
		SET_##bits(v, u->a, fn_imul2_##bits(v, (T_##bits)u->imm, m));                      \
		NEXT(v, u);                                                                        \
	}
FOR_BITS3(DEFINE_IMUL)
op_fn *const ops_imul_rr[4] = ROW3(imul, rr);
op_fn *const ops_imul_rri[4] = ROW3(imul, rri);
#define SAME3(f)        \
	{               \
		f, f, f \
	}
op_fn *const ops_imul_rm[4][3] = {
	{ NULL }, SAME3(imul_rm_16_G), SAME3(imul_rm_32_G), SAME3(imul_rm_64_G)
};
op_fn *const ops_imul_rmi[4][3] = {
	{ NULL }, SAME3(imul_rmi_16_G), SAME3(imul_rmi_32_G), SAME3(imul_rmi_64_G)
};

/* ---- BT, BTS, BTR, BTC ---- */

/* The host's instruction on a register: CF is the bit, the other flags stay as it leaves them. */
#define DEFINE_BT_FN(bits, op)                                                                   \
	static inline T_##bits fn_##op##_##bits(struct vcpu *v, T_##bits d, T_##bits n)          \
	{                                                                                        \
		uint32_t f = v->flags;                                                           \
		__asm__(LOAD_FLAGS #op S_##bits " %" M_##bits "[n], %" M_##bits "[d]" KEEP_FLAGS \
			: [d] "+&r"(d), "+&a"(f)                                                 \
			: [n] "r"(n)                                                             \
			: "cc");                                                                 \
		v->flags = (uint16_t)f;                                                          \
		return d;                                                                        \
	}
#define DEFINE_BT_LOCK(bits, op)                                                   \
	static inline void lock_##op##_##bits(struct vcpu *v, void *p, T_##bits n) \
	{                                                                          \
		uint32_t f = v->flags;                                             \
		__asm__ volatile(LOAD_FLAGS "lock; " #op S_##bits " %" M_##bits    \
				 "[n], (%[p])" KEEP_FLAGS                          \
				 : "+&a"(f)                                        \
				 : [n] "r"((T_##bits)(n & (bits - 1))), [p] "r"(p) \
				 : "cc", "memory");                                \
		v->flags = (uint16_t)f;                                            \
	}

/* A bit offset in a register reaches beyond the operand: it moves the address. */
#define BT_LIN(bits, write)                                                                      \
	emu_linear(v, u, u->seg, bt_offset(v, u, (int64_t)(ST_##bits)GET_##bits(v, u->b), bits), \
		   bits / 8, write)
static uint64_t bt_offset(struct vcpu *v, const struct uop *u, int64_t bit, unsigned bits)
{
	uint64_t ea =
		emu_ea_offset(v, u) + (uint64_t)((bit >> __builtin_ctz(bits)) * (int)(bits / 8));

	return u->asize == 8 ? ea : u->asize == 4 ? (uint32_t)ea : (uint16_t)ea;
}

#define DEFINE_BT_RMW(bits, op, form, lin_expr, n_expr)                   \
	SOP(op##_##form##_##bits)                                         \
	{                                                                 \
		uint64_t lin = lin_expr;                                  \
		T_##bits n = (T_##bits)(n_expr);                          \
		void *p = emu_rmw(v, u, lin, bits / 8);                   \
		if (likely(p != NULL)) {                                  \
			lock_##op##_##bits(v, p, n);                      \
		} else {                                                  \
			T_##bits m;                                       \
			emu_split_lock(v);                                \
			m = (T_##bits)emu_load_slow(v, u, lin, bits / 8); \
			m = fn_##op##_##bits(v, m, n);                    \
			emu_store_slow(v, u, lin, bits / 8, m);           \
			emu_split_unlock(v);                              \
		}                                                         \
		emu_rmw_done(v);                                          \
		NEXT(v, u);                                               \
	}
#define DEFINE_BT_READ(bits, op, form, lin_expr, n_expr)                                     \
	SOP(op##_##form##_##bits)                                                            \
	{                                                                                    \
		(void)fn_##op##_##bits(v, emu_ld##bits(v, u, lin_expr), (T_##bits)(n_expr)); \
		NEXT(v, u);                                                                  \
	}
#define DEFINE_BT_REGS(bits, op, set)                                                       \
	DEFINE_BT_FN(bits, op)                                                              \
	SOP(op##_rr_##bits)                                                                 \
	{                                                                                   \
		T_##bits d = fn_##op##_##bits(v, GET_##bits(v, u->a), GET_##bits(v, u->b)); \
		set;                                                                        \
		NEXT(v, u);                                                                 \
	}                                                                                   \
	SOP(op##_ri_##bits)                                                                 \
	{                                                                                   \
		T_##bits d = fn_##op##_##bits(v, GET_##bits(v, u->a), (T_##bits)u->imm);    \
		set;                                                                        \
		NEXT(v, u);                                                                 \
	}
#define DEFINE_BTX(bits, op)                                                 \
	DEFINE_BT_LOCK(bits, op)                                             \
	DEFINE_BT_REGS(bits, op, SET_##bits(v, u->a, d))                     \
	DEFINE_BT_RMW(bits, op, mr, BT_LIN(bits, true), GET_##bits(v, u->b)) \
	DEFINE_BT_RMW(bits, op, mi, emu_ea_G(v, u, bits / 8, true), u->imm)
#define DEFINE_BT(bits, op)                                                    \
	DEFINE_BT_REGS(bits, op, (void)d)                                      \
	DEFINE_BT_READ(bits, op, mr, BT_LIN(bits, false), GET_##bits(v, u->b)) \
	DEFINE_BT_READ(bits, op, mi, emu_ea_G(v, u, bits / 8, false), u->imm)
FOR_BITS3(DEFINE_BT, bt)
FOR_BITS3(DEFINE_BTX, bts)
FOR_BITS3(DEFINE_BTX, btr)
FOR_BITS3(DEFINE_BTX, btc)
#define BT_TABLE(form)                                                            \
	{                                                                         \
		ROW3(bt, form), ROW3(bts, form), ROW3(btr, form), ROW3(btc, form) \
	}
op_fn *const ops_bt_rr[4][4] = BT_TABLE(rr);
op_fn *const ops_bt_ri[4][4] = BT_TABLE(ri);
/* The unlocked memory forms lock too: no guest can tell. */
op_fn *const ops_bt_mr[4][4] = BT_TABLE(mr);
op_fn *const ops_bt_mi[4][4] = BT_TABLE(mi);
op_fn *const ops_bt_lock_mr[4][4] = { { NULL }, ROW3(bts, mr), ROW3(btr, mr), ROW3(btc, mr) };
op_fn *const ops_bt_lock_mi[4][4] = { { NULL }, ROW3(bts, mi), ROW3(btr, mi), ROW3(btc, mi) };

/* ---- BSF, BSR, POPCNT ---- */

#define DEFINE_SCAN(bits, op)                                                                    \
	static inline T_##bits fn_##op##_##bits(struct vcpu *v, T_##bits d, T_##bits s)          \
	{                                                                                        \
		uint32_t f = v->flags;                                                           \
		__asm__(LOAD_FLAGS #op S_##bits " %" M_##bits "[s], %" M_##bits "[d]" KEEP_FLAGS \
			: [d] "+&r"(d), "+&a"(f)                                                 \
			: [s] "r"(s)                                                             \
			: "cc");                                                                 \
		v->flags = (uint16_t)f;                                                          \
		return d;                                                                        \
	}                                                                                        \
	SOP(op##_r_##bits)                                                                       \
	{                                                                                        \
		T_##bits s = GET_##bits(v, u->b), d;                                             \
		d = fn_##op##_##bits(v, GET_##bits(v, u->a), s);                                 \
		/* BSF and BSR of 0 leave the whole register alone. */                           \
		if (s || #op[0] == 'p')                                                          \
			SET_##bits(v, u->a, d);                                                  \
		NEXT(v, u);                                                                      \
	}                                                                                        \
	SOP(op##_m_##bits)                                                                       \
	{                                                                                        \
		T_##bits s = emu_ld##bits(v, u, emu_ea_G(v, u, bits / 8, false)), d;             \
		d = fn_##op##_##bits(v, GET_##bits(v, u->a), s);                                 \
		if (s || #op[0] == 'p')                                                          \
			SET_##bits(v, u->a, d);                                                  \
		NEXT(v, u);                                                                      \
	}
FOR_BITS3(DEFINE_SCAN, bsf)
FOR_BITS3(DEFINE_SCAN, bsr)
FOR_BITS3(DEFINE_SCAN, popcnt)
op_fn *const ops_bsf_r[4] = ROW3(bsf, r);
op_fn *const ops_bsr_r[4] = ROW3(bsr, r);
op_fn *const ops_popcnt_r[4] = ROW3(popcnt, r);
op_fn *const ops_bsf_m[4] = ROW3(bsf, m);
op_fn *const ops_bsr_m[4] = ROW3(bsr, m);
op_fn *const ops_popcnt_m[4] = ROW3(popcnt, m);

/* ---- byte order ---- */

OP(op_bswap16) /* undefined by the manual; processors clear the register's low half */
{
	R16(v, u->a) = 0;
	NEXT(v, u);
}

OP(op_bswap32)
{
	R64(v, u->a) = __builtin_bswap32(R32(v, u->a));
	NEXT(v, u);
}

OP(op_bswap64)
{
	R64(v, u->a) = __builtin_bswap64(R64(v, u->a));
	NEXT(v, u);
}

#define DEFINE_MOVBE(bits)                                                        \
	SOP(movbe_load_##bits)                                                    \
	{                                                                         \
		T_##bits m = emu_ld##bits(v, u, emu_ea_G(v, u, bits / 8, false)); \
		SET_##bits(v, u->a, __builtin_bswap##bits(m));                    \
		NEXT(v, u);                                                       \
	}                                                                         \
	SOP(movbe_store_##bits)                                                   \
	{                                                                         \
		emu_st##bits(v, u, emu_ea_G(v, u, bits / 8, true),                \
			     __builtin_bswap##bits(GET_##bits(v, u->b)));         \
		NEXT(v, u);                                                       \
	}
FOR_BITS3(DEFINE_MOVBE)
op_fn *const ops_movbe_load[4] = ROW3(movbe, load);
op_fn *const ops_movbe_store[4] = ROW3(movbe, store);

/* ---- random numbers: the host's ---- */

#define DEFINE_RANDOM(bits, op)                                              \
	SOP(op##_r_##bits)                                                   \
	{                                                                    \
		T_##bits x;                                                  \
		bool ok;                                                     \
		__asm__ volatile(#op " %0" : "=r"(x), "=@ccc"(ok) : : "cc"); \
		SET_##bits(v, u->a, ok ? x : 0);                             \
		v->flags = ok ? 0x0300 : 0x0200;                             \
		NEXT(v, u);                                                  \
	}
FOR_BITS3(DEFINE_RANDOM, rdrand)
FOR_BITS3(DEFINE_RANDOM, rdseed)
op_fn *const ops_rdrand[4] = ROW3(rdrand, r);
op_fn *const ops_rdseed[4] = ROW3(rdseed, r);

/* ---- XCHG, XADD, CMPXCHG ---- */

#define DEFINE_XCHG(bits)                                                        \
	SOP(xchg_rr_##bits)                                                      \
	{                                                                        \
		T_##bits x = GET_##bits(v, u->a);                                \
		SET_##bits(v, u->a, GET_##bits(v, u->b));                        \
		SET_##bits(v, u->b, x);                                          \
		NEXT(v, u);                                                      \
	}                                                                        \
	SOP(xchg_mr_##bits) /* always locked */                                  \
	{                                                                        \
		uint64_t lin = emu_ea_G(v, u, bits / 8, true);                   \
		T_##bits x = GET_##bits(v, u->b);                                \
		void *p = emu_rmw(v, u, lin, bits / 8);                          \
		if (likely(p != NULL)) {                                         \
			__asm__ volatile("xchg" S_##bits " %" M_##bits "0, (%1)" \
					 : "+q"(x)                               \
					 : "r"(p)                                \
					 : "memory");                            \
		} else {                                                         \
			T_##bits m;                                              \
			emu_split_lock(v);                                       \
			m = (T_##bits)emu_load_slow(v, u, lin, bits / 8);        \
			emu_store_slow(v, u, lin, bits / 8, x);                  \
			emu_split_unlock(v);                                     \
			x = m;                                                   \
		}                                                                \
		emu_rmw_done(v);                                                 \
		SET_##bits(v, u->b, x);                                          \
		NEXT(v, u);                                                      \
	}
FOR_BITS(DEFINE_XCHG)
op_fn *const ops_xchg_rr[4] = ROW4(xchg, rr);
op_fn *const ops_xchg_mr[4] = ROW4(xchg, mr);

#define DEFINE_XADD(bits)                                                               \
	static inline T_##bits fn_add_##bits(struct vcpu *v, T_##bits d, T_##bits s)    \
	{                                                                               \
		uint32_t f;                                                             \
		__asm__("add" S_##bits " %" M_##bits "[s], %" M_##bits "[d]" KEEP_FLAGS \
			: [d] "+&q"(d), "=&a"(f)                                        \
			: [s] "q"(s)                                                    \
			: "cc");                                                        \
		v->flags = (uint16_t)f;                                                 \
		return d;                                                               \
	}                                                                               \
	SOP(xadd_rr_##bits)                                                             \
	{                                                                               \
		T_##bits d = GET_##bits(v, u->a), s = GET_##bits(v, u->b);              \
		SET_##bits(v, u->b, d);                                                 \
		SET_##bits(v, u->a, fn_add_##bits(v, d, s)); /* the sum wins */         \
		NEXT(v, u);                                                             \
	}                                                                               \
	SOP(xadd_mr_##bits)                                                             \
	{                                                                               \
		uint64_t lin = emu_ea_G(v, u, bits / 8, true);                          \
		T_##bits s = GET_##bits(v, u->b);                                       \
		void *p = emu_rmw(v, u, lin, bits / 8);                                 \
		if (likely(p != NULL)) {                                                \
			uint32_t f;                                                     \
			__asm__ volatile("lock; xadd" S_##bits " %" M_##bits            \
					 "[s], (%[p])" KEEP_FLAGS                       \
					 : [s] "+&q"(s), "=&a"(f)                       \
					 : [p] "r"(p)                                   \
					 : "cc", "memory");                             \
			v->flags = (uint16_t)f;                                         \
			SET_##bits(v, u->b, s);                                         \
		} else {                                                                \
			T_##bits m;                                                     \
			emu_split_lock(v);                                              \
			m = (T_##bits)emu_load_slow(v, u, lin, bits / 8);               \
			emu_store_slow(v, u, lin, bits / 8, fn_add_##bits(v, m, s));    \
			emu_split_unlock(v);                                            \
			SET_##bits(v, u->b, m);                                         \
		}                                                                       \
		emu_rmw_done(v);                                                        \
		NEXT(v, u);                                                             \
	}
FOR_BITS(DEFINE_XADD)
op_fn *const ops_xadd_rr[4] = ROW4(xadd, rr);
op_fn *const ops_xadd_mr[4] = ROW4(xadd, mr);
op_fn *const ops_xadd_lock_mr[4] = ROW4(xadd, mr);

/* The destination is written always: with its old value when the comparison failed. */
#define DEFINE_CMPXCHG(bits)                                                                   \
	static inline bool fn_cmp_##bits(struct vcpu *v, T_##bits d, T_##bits s)               \
	{                                                                                      \
		uint32_t f;                                                                    \
		__asm__("cmp" S_##bits " %" M_##bits "[s], %" M_##bits "[d]" KEEP_FLAGS        \
			: "=&a"(f)                                                             \
			: [d] "q"(d), [s] "q"(s)                                               \
			: "cc");                                                               \
		v->flags = (uint16_t)f;                                                        \
		return d == s;                                                                 \
	}                                                                                      \
	SOP(cmpxchg_rr_##bits)                                                                 \
	{                                                                                      \
		T_##bits d = GET_##bits(v, u->a);                                              \
		if (fn_cmp_##bits(v, GET_##bits(v, X86_RAX * 8), d)) {                         \
			SET_##bits(v, u->a, GET_##bits(v, u->b));                              \
		} else {                                                                       \
			SET_##bits(v, u->a, d);                                                \
			SET_##bits(v, X86_RAX * 8, d);                                         \
		}                                                                              \
		NEXT(v, u);                                                                    \
	}                                                                                      \
	SOP(cmpxchg_mr_##bits)                                                                 \
	{                                                                                      \
		uint64_t lin = emu_ea_G(v, u, bits / 8, true);                                 \
		T_##bits s = GET_##bits(v, u->b), acc = GET_##bits(v, X86_RAX * 8), old = acc; \
		void *p = emu_rmw(v, u, lin, bits / 8);                                        \
		if (likely(p != NULL)) {                                                       \
			__asm__ volatile("lock; cmpxchg" S_##bits " %" M_##bits "[s], (%[p])"  \
					 : "+a"(old)                                           \
					 : [s] "q"(s), [p] "r"(p)                              \
					 : "cc", "memory");                                    \
		} else {                                                                       \
			emu_split_lock(v);                                                     \
			old = (T_##bits)emu_load_slow(v, u, lin, bits / 8);                    \
			emu_store_slow(v, u, lin, bits / 8, old == acc ? s : old);             \
			emu_split_unlock(v);                                                   \
		}                                                                              \
		emu_rmw_done(v);                                                               \
		if (!fn_cmp_##bits(v, acc, old))                                               \
			SET_##bits(v, X86_RAX * 8, old);                                       \
		NEXT(v, u);                                                                    \
	}
FOR_BITS(DEFINE_CMPXCHG)
op_fn *const ops_cmpxchg_rr[4] = ROW4(cmpxchg, rr);
op_fn *const ops_cmpxchg_mr[4] = ROW4(cmpxchg, mr);
op_fn *const ops_cmpxchg_lock_mr[4] = ROW4(cmpxchg, mr);

static void set_zf(struct vcpu *v, bool zf)
{
	v->flags = (uint16_t)((v->flags & ~0x4000) | (zf ? 0x4000 : 0));
}

OP(op_cmpxchg8b)
{
	uint64_t lin = emu_ea_G(v, u, 8, true);
	uint64_t acc = (uint64_t)R32(v, X86_RDX * 8) << 32 | R32(v, X86_RAX * 8), old = acc;
	uint64_t new = (uint64_t)R32(v, X86_RCX * 8) << 32 | R32(v, X86_RBX * 8);
	uint64_t *p = emu_rmw(v, u, lin, 8);

	if (likely(p != NULL)) {
		__asm__ volatile("lock; cmpxchgq %[n], (%[p])"
				 : "+a"(old)
				 : [n] "r"(new), [p] "r"(p)
				 : "cc", "memory");
	} else {
		emu_split_lock(v);
		old = emu_load_slow(v, u, lin, 8);
		emu_store_slow(v, u, lin, 8, old == acc ? new : old);
		emu_split_unlock(v);
	}
	emu_rmw_done(v);
	set_zf(v, old == acc);
	if (old != acc) {
		v->r[X86_RAX] = (uint32_t)old;
		v->r[X86_RDX] = old >> 32;
	}
	NEXT(v, u);
}

OP(op_cmpxchg16b)
{
	uint64_t lin = emu_ea_G(v, u, 16, true), old[2], new[2];
	bool same;
	void *p;

	if (lin & 15)
		emu_gp0(v, u);
	p = emu_rmw(v, u, lin, 16);
	old[0] = v->r[X86_RAX];
	old[1] = v->r[X86_RDX];
	if (likely(p != NULL)) {
		__asm__ volatile("lock; cmpxchg16b (%[p])"
				 : "+a"(old[0]), "+d"(old[1]), "=@ccz"(same)
				 : "b"(v->r[X86_RBX]), "c"(v->r[X86_RCX]), [p] "r"(p)
				 : "cc", "memory");
	} else {
		emu_split_lock(v);
		emu_load_bytes(v, u, lin, 16, old);
		same = old[0] == v->r[X86_RAX] && old[1] == v->r[X86_RDX];
		memcpy(new, old, sizeof(new));
		if (same) {
			new[0] = v->r[X86_RBX];
			new[1] = v->r[X86_RCX];
		}
		emu_store_bytes(v, u, lin, 16, new);
		emu_split_unlock(v);
	}
	emu_rmw_done(v);
	set_zf(v, same);
	if (!same) {
		v->r[X86_RAX] = old[0];
		v->r[X86_RDX] = old[1];
	}
	NEXT_RETURN(u);
}

/* ---- the small ones ---- */

OP(op_nop)
{
	NEXT(v, u);
}

OP(op_cbw)
{
	R16(v, X86_RAX * 8) = (uint16_t)(int8_t)R8(v, X86_RAX * 8);
	NEXT(v, u);
}

OP(op_cwde)
{
	v->r[X86_RAX] = (uint32_t)(int16_t)R16(v, X86_RAX * 8);
	NEXT(v, u);
}

OP(op_cdqe)
{
	v->r[X86_RAX] = (uint64_t)(int32_t)R32(v, X86_RAX * 8);
	NEXT(v, u);
}

OP(op_cwd)
{
	R16(v, X86_RDX * 8) = (int16_t)R16(v, X86_RAX * 8) < 0 ? 0xffff : 0;
	NEXT(v, u);
}

OP(op_cdq)
{
	v->r[X86_RDX] = (int32_t)R32(v, X86_RAX * 8) < 0 ? 0xffffffffu : 0;
	NEXT(v, u);
}

OP(op_cqo)
{
	v->r[X86_RDX] = (int64_t)v->r[X86_RAX] < 0 ? ~(uint64_t)0 : 0;
	NEXT(v, u);
}

OP(op_clc)
{
	v->flags &= (uint16_t)~0x0100;
	NEXT(v, u);
}

OP(op_stc)
{
	v->flags |= 0x0100;
	NEXT(v, u);
}

OP(op_cmc)
{
	v->flags ^= 0x0100;
	NEXT(v, u);
}

OP(op_cld)
{
	v->eflags &= ~(uint32_t)RFLAGS_DF;
	NEXT(v, u);
}

OP(op_std)
{
	v->eflags |= RFLAGS_DF;
	NEXT(v, u);
}

OP(op_lahf)
{
	R8(v, X86_RAX * 8 + 1) = (uint8_t)(v->flags >> 8);
	NEXT(v, u);
}

OP(op_sahf)
{
	v->flags = (uint16_t)((R8(v, X86_RAX * 8 + 1) & 0xd5) << 8 | 0x0200 | (v->flags & 1));
	NEXT(v, u);
}

OP(op_salc) /* D6: undocumented, in all processors; not in 64-bit code */
{
	R8(v, X86_RAX * 8) = v->flags & 0x0100 ? 0xff : 0;
	NEXT(v, u);
}

OP(op_xlat)
{
	uint64_t off = v->r[X86_RBX] + R8(v, X86_RAX * 8);

	off = u->asize == 8 ? off : u->asize == 4 ? (uint32_t)off : (uint16_t)off;
	R8(v, X86_RAX * 8) = emu_ld8(v, u, emu_linear(v, u, u->seg, off, 1, false));
	NEXT(v, u);
}

/* ---- decimal arithmetic, outside 64-bit code (SDM vol. 2) ---- */

/* SF, ZF, PF by the byte in AL; AF and CF as told. */
static void decimal_flags(struct vcpu *v, bool af, bool cf)
{
	uint8_t al = R8(v, X86_RAX * 8);

	v->flags = (uint16_t)(0x0200 | (al & 0x80 ? 0x8000 : 0) | (al ? 0 : 0x4000) |
			      (__builtin_parity(al) ? 0 : 0x0400) | (af ? 0x1000 : 0) |
			      (cf ? 0x0100 : 0));
}

static void decimal_adjust(struct vcpu *v, bool subtract)
{
	uint8_t al = R8(v, X86_RAX * 8), old = al;
	bool old_cf = v->flags & 0x0100, af = false, cf = false;

	if ((al & 15) > 9 || v->flags & 0x1000) {
		cf = old_cf || (subtract ? al < 6 : al > 0xf9);
		al = (uint8_t)(subtract ? al - 6 : al + 6);
		af = true;
	}
	if (old > 0x99 || old_cf) {
		al = (uint8_t)(subtract ? al - 0x60 : al + 0x60);
		cf = true;
	} else if (!subtract) {
		cf = false;
	}
	R8(v, X86_RAX * 8) = al;
	decimal_flags(v, af, cf);
}

OP(op_daa)
{
	decimal_adjust(v, false);
	NEXT(v, u);
}

OP(op_das)
{
	decimal_adjust(v, true);
	NEXT(v, u);
}

static void ascii_adjust(struct vcpu *v, int step)
{
	bool adjust = (R8(v, X86_RAX * 8) & 15) > 9 || v->flags & 0x1000;

	if (adjust)
		R16(v, X86_RAX * 8) = (uint16_t)(R16(v, X86_RAX * 8) + step);
	R8(v, X86_RAX * 8) &= 15;
	decimal_flags(v, adjust, adjust);
}

OP(op_aaa)
{
	ascii_adjust(v, 0x106);
	NEXT(v, u);
}

OP(op_aas)
{
	ascii_adjust(v, -0x106);
	NEXT(v, u);
}

OP(op_aam)
{
	uint8_t al = R8(v, X86_RAX * 8), base = (uint8_t)u->imm;

	if (!base)
		emu_raise(v, u, EXC_DE);
	R16(v, X86_RAX * 8) = (uint16_t)(al / base << 8 | al % base);
	decimal_flags(v, false, false);
	NEXT(v, u);
}

OP(op_aad)
{
	R16(v, X86_RAX * 8) = (uint8_t)(R8(v, X86_RAX * 8) + R8(v, X86_RAX * 8 + 1) * u->imm);
	decimal_flags(v, false, false);
	NEXT(v, u);
}
