/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * int-alu.c - handlers: arithmetic, logic, their locked forms, and compare-and-branch
 */
#include "emu/int-int.h"

/* d op= s with flags. ADC and SBB take CF from the guest's flags. */
#define DEFINE_FN(bits, op, ins, pre)                                                     \
	static inline __attribute__((always_inline))                                      \
	T_##bits fn_##op##_##bits(struct vcpu *v, T_##bits d, T_##bits s)                 \
	{                                                                                 \
		uint32_t f = v->flags;                                                    \
		__asm__(pre ins S_##bits " %" M_##bits "[s], %" M_##bits "[d]" KEEP_FLAGS \
			: [d] "+&q"(d), "+&a"(f)                                          \
			: [s] "q"(s)                                                      \
			: "cc");                                                          \
		v->flags = (uint16_t)f;                                                   \
		return d;                                                                 \
	}
/* Where no flag goes in, AX starts undefined: no load, no dependency on what was before. */
#define DEFINE_FN_NOIN(bits, op, ins)                                                 \
	static inline __attribute__((always_inline))                                  \
	T_##bits fn_##op##_##bits(struct vcpu *v, T_##bits d, T_##bits s)             \
	{                                                                             \
		uint32_t f;                                                           \
		__asm__(ins S_##bits " %" M_##bits "[s], %" M_##bits "[d]" KEEP_FLAGS \
			: [d] "+&q"(d), "=&a"(f)                                      \
			: [s] "q"(s)                                                  \
			: "cc");                                                      \
		v->flags = (uint16_t)f;                                               \
		return d;                                                             \
	}
FOR_BITS(DEFINE_FN_NOIN, add, "add")
FOR_BITS(DEFINE_FN_NOIN, or, "or")
FOR_BITS(DEFINE_FN, adc, "adc", LOAD_CF)
FOR_BITS(DEFINE_FN, sbb, "sbb", LOAD_CF)
FOR_BITS(DEFINE_FN_NOIN, and, "and")
FOR_BITS(DEFINE_FN_NOIN, sub, "sub")
FOR_BITS(DEFINE_FN_NOIN, xor, "xor")
FOR_BITS(DEFINE_FN_NOIN, cmp, "cmp")
FOR_BITS(DEFINE_FN_NOIN, test, "test")

/* The same on memory of the host, in one instruction, LOCKed or not. */
#define DEFINE_MEM(bits, op, ins, pre, lock, tag)                                             \
	static inline __attribute__((always_inline)) void mem##tag##_##op##_##bits(           \
		struct vcpu *v, void *p, T_##bits s)                                          \
	{                                                                                     \
		uint32_t f = v->flags;                                                        \
		__asm__ volatile(pre lock ins S_##bits " %" M_##bits "[s], (%[p])" KEEP_FLAGS \
				 : "+&a"(f)                                                   \
				 : [p] "r"(p), [s] "q"(s)                                     \
				 : "cc", "memory");                                           \
		v->flags = (uint16_t)f;                                                       \
	}
#define DEFINE_MEMS(bits, op, ins, pre)      \
	DEFINE_MEM(bits, op, ins, pre, "", ) \
	DEFINE_MEM(bits, op, ins, pre, "lock; ", lock)
FOR_BITS(DEFINE_MEMS, add, "add", "")
FOR_BITS(DEFINE_MEMS, or, "or", "")
FOR_BITS(DEFINE_MEMS, adc, "adc", LOAD_CF)
FOR_BITS(DEFINE_MEMS, sbb, "sbb", LOAD_CF)
FOR_BITS(DEFINE_MEMS, and, "and", "")
FOR_BITS(DEFINE_MEMS, sub, "sub", "")
FOR_BITS(DEFINE_MEMS, xor, "xor", "")

/* ---- handlers: registers ---- */

#define DEFINE_RR(bits, op)                                                                      \
	SOP(op##_rr_##bits)                                                                      \
	{                                                                                        \
		SET_##bits(v, u->a,                                                              \
			   fn_##op##_##bits(v, GET_##bits(v, u->a), GET_##bits(v, u->b)));       \
		NEXT(v, u);                                                                      \
	}                                                                                        \
	SOP(op##_ri_##bits)                                                                      \
	{                                                                                        \
		SET_##bits(v, u->a, fn_##op##_##bits(v, GET_##bits(v, u->a), (T_##bits)u->imm)); \
		NEXT(v, u);                                                                      \
	}
/* CMP and TEST write nothing back. */
#define DEFINE_RR_NOWRITE(bits, op)                                                  \
	SOP(op##_rr_##bits)                                                          \
	{                                                                            \
		(void)fn_##op##_##bits(v, GET_##bits(v, u->a), GET_##bits(v, u->b)); \
		NEXT(v, u);                                                          \
	}                                                                            \
	SOP(op##_ri_##bits)                                                          \
	{                                                                            \
		(void)fn_##op##_##bits(v, GET_##bits(v, u->a), (T_##bits)u->imm);    \
		NEXT(v, u);                                                          \
	}

/* ---- handlers: memory ---- */

#define DEFINE_LOADING(bits, op, ea, form, stmt)                            \
	SOP(op##_##form##_##bits##_##ea)                                    \
	{                                                                   \
		LIN_##ea(op##_##form##_##bits);                             \
		FAST_LOAD(bits, m, op##_##form##_##bits##_slow(v, u, lin)); \
		stmt;                                                       \
		NEXT(v, u);                                                 \
	}
#define DEFINE_LOAD_FORM(bits, op, form, stmt)                             \
	SLOW(op##_##form##_##bits)                                         \
	{                                                                  \
		T_##bits m = (T_##bits)emu_load_slow(v, u, lin, bits / 8); \
		stmt;                                                      \
		NEXT(v, u);                                                \
	}                                                                  \
	LEGACY(op##_##form##_##bits, bits, false)                          \
	DEFINE_LOADING(bits, op, B, form, stmt)                            \
	DEFINE_LOADING(bits, op, X, form, stmt)                            \
	DEFINE_LOADING(bits, op, G, form, stmt)

#define DEFINE_RMW(bits, op, ea, src, form, suffix, tag)                    \
	SOP(op##_##suffix##_##bits##_##ea)                                  \
	{                                                                   \
		LIN_##ea(op##_##form##_##bits);                             \
		FAST_HOST(bits, p, op##_##form##_##bits##_slow(v, u, lin)); \
		mem##tag##_##op##_##bits(v, p, (T_##bits)(src));            \
		NEXT(v, u);                                                 \
	}
/* The slow twin serves LOCKed forms too: it uses the LOCKed instruction always. */
#define DEFINE_RMW_FORM(bits, op, form, src)                                              \
	SLOW(op##_##form##_##bits)                                                        \
	{                                                                                 \
		T_##bits d, s = (T_##bits)(src);                                          \
		void *p = emu_rmw_slow(v, u, lin, bits / 8);                              \
		if (p) {                                                                  \
			memlock_##op##_##bits(v, p, s);                                   \
			emu_rmw_done(v);                                                  \
			NEXT(v, u);                                                       \
		}                                                                         \
		emu_split_lock(v);                                                        \
		d = fn_##op##_##bits(v, (T_##bits)emu_load_slow(v, u, lin, bits / 8), s); \
		emu_store_slow(v, u, lin, bits / 8, d);                                   \
		emu_split_unlock(v);                                                      \
		NEXT(v, u);                                                               \
	}                                                                                 \
	LEGACY(op##_##form##_##bits, bits, true)                                          \
	DEFINE_RMW(bits, op, B, src, form, form, )                                        \
	DEFINE_RMW(bits, op, X, src, form, form, )                                        \
	DEFINE_RMW(bits, op, G, src, form, form, )                                        \
	DEFINE_RMW(bits, op, G, src, form, l##form, lock)

#define DEFINE_ALL(bits, op)                                                               \
	DEFINE_RR(bits, op)                                                                \
	DEFINE_LOAD_FORM(bits, op, rm,                                                     \
			 SET_##bits(v, u->a, fn_##op##_##bits(v, GET_##bits(v, u->a), m))) \
	DEFINE_RMW_FORM(bits, op, mr, GET_##bits(v, u->b))                                 \
	DEFINE_RMW_FORM(bits, op, mi, u->imm)
#define DEFINE_COMPARE(bits, op)                                                          \
	DEFINE_RR_NOWRITE(bits, op)                                                       \
	DEFINE_LOAD_FORM(bits, op, rm, (void)fn_##op##_##bits(v, GET_##bits(v, u->a), m)) \
	DEFINE_LOAD_FORM(bits, op, mr, (void)fn_##op##_##bits(v, m, GET_##bits(v, u->b))) \
	DEFINE_LOAD_FORM(bits, op, mi, (void)fn_##op##_##bits(v, m, (T_##bits)u->imm))

FOR_BITS(DEFINE_ALL, add)
FOR_BITS(DEFINE_ALL, or)
FOR_BITS(DEFINE_ALL, adc)
FOR_BITS(DEFINE_ALL, sbb)
FOR_BITS(DEFINE_ALL, and)
FOR_BITS(DEFINE_ALL, sub)
FOR_BITS(DEFINE_ALL, xor)
FOR_BITS(DEFINE_COMPARE, cmp)
FOR_BITS(DEFINE_COMPARE, test)

/* XOR of a register with itself: a zero, whatever it held. */
#define DEFINE_ZERO(bits)               \
	SOP(zero_##bits)                \
	{                               \
		SET_##bits(v, u->a, 0); \
		v->flags = 0x4600;      \
		NEXT(v, u);             \
	}
FOR_BITS(DEFINE_ZERO)

#define ROW4(op, form)                                                                \
	{                                                                             \
		op##_##form##_8, op##_##form##_16, op##_##form##_32, op##_##form##_64 \
	}
#define EA3(op, form, bits)                                                                  \
	{                                                                                    \
		op##_##form##_##bits##_B, op##_##form##_##bits##_X, op##_##form##_##bits##_G \
	}
#define ROW4X3(op, form)                                                                  \
	{                                                                                 \
		EA3(op, form, 8), EA3(op, form, 16), EA3(op, form, 32), EA3(op, form, 64) \
	}
#define ROW4G(op, form)                                                                       \
	{                                                                                     \
		op##_##form##_8_G, op##_##form##_16_G, op##_##form##_32_G, op##_##form##_64_G \
	}
#define ALU_TABLE(ROW, form)                                                                      \
	{                                                                                         \
		[ALU_ADD] = ROW(add, form), [ALU_OR] = ROW(or, form), [ALU_ADC] = ROW(adc, form), \
		[ALU_SBB] = ROW(sbb, form), [ALU_AND] = ROW(and, form),                           \
		[ALU_SUB] = ROW(sub, form), [ALU_XOR] = ROW(xor, form),                           \
		[ALU_CMP] = ROW(cmp, form), [ALU_TEST] = ROW(test, form)                          \
	}
#define ALU_TABLE_WRITING(ROW, form)                                                              \
	{                                                                                         \
		[ALU_ADD] = ROW(add, form), [ALU_OR] = ROW(or, form), [ALU_ADC] = ROW(adc, form), \
		[ALU_SBB] = ROW(sbb, form), [ALU_AND] = ROW(and, form),                           \
		[ALU_SUB] = ROW(sub, form), [ALU_XOR] = ROW(xor, form)                            \
	}

op_fn *const ops_alu_rr[ALU_COUNT][4] = ALU_TABLE(ROW4, rr);
op_fn *const ops_alu_ri[ALU_COUNT][4] = ALU_TABLE(ROW4, ri);
op_fn *const ops_alu_rm[ALU_COUNT][4][3] = ALU_TABLE(ROW4X3, rm);
op_fn *const ops_alu_mr[ALU_COUNT][4][3] = ALU_TABLE(ROW4X3, mr);
op_fn *const ops_alu_mi[ALU_COUNT][4][3] = ALU_TABLE(ROW4X3, mi);
op_fn *const ops_alu_lock_mr[ALU_COUNT][4] = ALU_TABLE_WRITING(ROW4G, lmr);
op_fn *const ops_alu_lock_mi[ALU_COUNT][4] = ALU_TABLE_WRITING(ROW4G, lmi);
op_fn *const ops_zero[4] = { zero_8, zero_16, zero_32, zero_64 };

/* ---- compare and branch: two instructions, two uops, one handler ---- */

#define DEFINE_CMP_JCC(cc, bits, op, form, src)                                  \
	SOP(op##_##form##_##bits##_j##cc)                                        \
	{                                                                        \
		(void)fn_##op##_##bits(v, GET_##bits(v, u->a), (T_##bits)(src)); \
		if (cond(cc, v->flags)) {                                        \
			u++;                                                     \
			TAKE_LINK(v, u);                                         \
		}                                                                \
		GO(v, u + 2);                                                    \
	}
#define CMP_RR_32(cc)  DEFINE_CMP_JCC(cc, 32, cmp, rr, GET_32(v, u->b))
#define CMP_RR_64(cc)  DEFINE_CMP_JCC(cc, 64, cmp, rr, GET_64(v, u->b))
#define CMP_RI_32(cc)  DEFINE_CMP_JCC(cc, 32, cmp, ri, u->imm)
#define CMP_RI_64(cc)  DEFINE_CMP_JCC(cc, 64, cmp, ri, u->imm)
#define TEST_RR_32(cc) DEFINE_CMP_JCC(cc, 32, test, rr, GET_32(v, u->b))
#define TEST_RR_64(cc) DEFINE_CMP_JCC(cc, 64, test, rr, GET_64(v, u->b))
FOR_CC(CMP_RR_32)
FOR_CC(CMP_RR_64)
FOR_CC(CMP_RI_32)
FOR_CC(CMP_RI_64)
FOR_CC(TEST_RR_32)
FOR_CC(TEST_RR_64)

#define NAME_CMP_RR_32(cc)  cmp_rr_32_j##cc,
#define NAME_CMP_RR_64(cc)  cmp_rr_64_j##cc,
#define NAME_CMP_RI_32(cc)  cmp_ri_32_j##cc,
#define NAME_CMP_RI_64(cc)  cmp_ri_64_j##cc,
#define NAME_TEST_RR_32(cc) test_rr_32_j##cc,
#define NAME_TEST_RR_64(cc) test_rr_64_j##cc,
op_fn *const ops_cmp_rr_jcc[2][16] = { { FOR_CC(NAME_CMP_RR_32) }, { FOR_CC(NAME_CMP_RR_64) } };
op_fn *const ops_cmp_ri_jcc[2][16] = { { FOR_CC(NAME_CMP_RI_32) }, { FOR_CC(NAME_CMP_RI_64) } };
op_fn *const ops_test_rr_jcc[2][16] = { { FOR_CC(NAME_TEST_RR_32) }, { FOR_CC(NAME_TEST_RR_64) } };

/* ---- INC DEC NOT NEG ---- */

#define DEFINE_UN_FN(bits, op, ins, pre)                                                           \
	static inline __attribute__((always_inline))                                               \
	T_##bits fn_##op##_##bits(struct vcpu *v, T_##bits d)                                      \
	{                                                                                          \
		uint32_t f = v->flags;                                                             \
		__asm__(pre ins S_##bits " %" M_##bits "[d]" KEEP_FLAGS                            \
			: [d] "+&q"(d), "+&a"(f)                                                   \
			:                                                                          \
			: "cc");                                                                   \
		v->flags = (uint16_t)f;                                                            \
		return d;                                                                          \
	}                                                                                          \
	static inline                                                                              \
		__attribute__((always_inline)) void mem_##op##_##bits(struct vcpu *v, void *p)     \
	{                                                                                          \
		uint32_t f = v->flags;                                                             \
		__asm__ volatile(pre ins S_##bits " (%[p])" KEEP_FLAGS                             \
				 : "+&a"(f)                                                        \
				 : [p] "r"(p)                                                      \
				 : "cc", "memory");                                                \
		v->flags = (uint16_t)f;                                                            \
	}                                                                                          \
	static inline                                                                              \
		__attribute__((always_inline)) void memlock_##op##_##bits(struct vcpu *v, void *p) \
	{                                                                                          \
		uint32_t f = v->flags;                                                             \
		__asm__ volatile(pre "lock; " ins S_##bits " (%[p])" KEEP_FLAGS                    \
				 : "+&a"(f)                                                        \
				 : [p] "r"(p)                                                      \
				 : "cc", "memory");                                                \
		v->flags = (uint16_t)f;                                                            \
	}
FOR_BITS(DEFINE_UN_FN, inc, "inc", LOAD_CF)
FOR_BITS(DEFINE_UN_FN, dec, "dec", LOAD_CF)
FOR_BITS(DEFINE_UN_FN, neg, "neg", "")
/* NOT leaves the flags alone, so they all go through. */
FOR_BITS(DEFINE_UN_FN, not, "not", LOAD_FLAGS)

#define DEFINE_UN_MEM(bits, op, ea, form, tag)                       \
	SOP(op##_##form##_##bits##_##ea)                             \
	{                                                            \
		LIN_##ea(op##_m_##bits);                             \
		FAST_HOST(bits, p, op##_m_##bits##_slow(v, u, lin)); \
		mem##tag##_##op##_##bits(v, p);                      \
		NEXT(v, u);                                          \
	}
#define DEFINE_UN(bits, op)                                                            \
	SOP(op##_r_##bits)                                                             \
	{                                                                              \
		SET_##bits(v, u->a, fn_##op##_##bits(v, GET_##bits(v, u->a)));         \
		NEXT(v, u);                                                            \
	}                                                                              \
	SLOW(op##_m_##bits)                                                            \
	{                                                                              \
		T_##bits d;                                                            \
		void *p = emu_rmw_slow(v, u, lin, bits / 8);                           \
		if (p) {                                                               \
			memlock_##op##_##bits(v, p);                                   \
			emu_rmw_done(v);                                               \
			NEXT(v, u);                                                    \
		}                                                                      \
		emu_split_lock(v);                                                     \
		d = fn_##op##_##bits(v, (T_##bits)emu_load_slow(v, u, lin, bits / 8)); \
		emu_store_slow(v, u, lin, bits / 8, d);                                \
		emu_split_unlock(v);                                                   \
		NEXT(v, u);                                                            \
	}                                                                              \
	LEGACY(op##_m_##bits, bits, true)                                              \
	DEFINE_UN_MEM(bits, op, B, m, )                                                \
	DEFINE_UN_MEM(bits, op, X, m, )                                                \
	DEFINE_UN_MEM(bits, op, G, m, )                                                \
	DEFINE_UN_MEM(bits, op, G, lm, lock)
FOR_BITS(DEFINE_UN, inc)
FOR_BITS(DEFINE_UN, dec)
FOR_BITS(DEFINE_UN, not )
FOR_BITS(DEFINE_UN, neg)

op_fn *const ops_un_r[UN_COUNT][4] = { ROW4(inc, r), ROW4(dec, r), ROW4(not, r), ROW4(neg, r) };
op_fn *const ops_un_m[UN_COUNT][4][3] = { ROW4X3(inc, m), ROW4X3(dec, m), ROW4X3(not, m),
					  ROW4X3(neg, m) };
op_fn *const ops_un_lock_m[UN_COUNT][4] = { ROW4G(inc, lm), ROW4G(dec, lm), ROW4G(not, lm),
					    ROW4G(neg, lm) };

/* ---- ADCX, ADOX ---- */

#define DEFINE_ADX(bits, op, ins, source, form)                          \
	OP(op_##op##_##form##bits)                                       \
	{                                                                \
		T_##bits src = source, d = GET_##bits(v, u->a);          \
		uint32_t f = v->flags;                                   \
		__asm__(LOAD_FLAGS ins S_##bits " %[s], %[d]" KEEP_FLAGS \
			: [d] "+&r"(d), "+&a"(f)                         \
			: [s] "r"(src)                                   \
			: "cc");                                         \
		v->flags = (uint16_t)f;                                  \
		SET_##bits(v, u->a, d);                                  \
		NEXT(v, u);                                              \
	}
DEFINE_ADX(32, adcx, "adcx", GET_32(v, u->b), r)
DEFINE_ADX(64, adcx, "adcx", GET_64(v, u->b), r)
DEFINE_ADX(32, adox, "adox", GET_32(v, u->b), r)
DEFINE_ADX(64, adox, "adox", GET_64(v, u->b), r)
DEFINE_ADX(32, adcx, "adcx", emu_ld32(v, u, emu_ea_G(v, u, 4, false)), m)
DEFINE_ADX(64, adcx, "adcx", emu_ld64(v, u, emu_ea_G(v, u, 8, false)), m)
DEFINE_ADX(32, adox, "adox", emu_ld32(v, u, emu_ea_G(v, u, 4, false)), m)
DEFINE_ADX(64, adox, "adox", emu_ld64(v, u, emu_ea_G(v, u, 8, false)), m)
