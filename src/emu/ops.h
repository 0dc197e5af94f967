/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ops.h - the handlers of integer instructions, as tables for the decoder
 *
 * Sizes are 0 to 3 for 1, 2, 4, 8 bytes. The last index of memory forms is an enum emu_ea_kind.
 * Operands: a and b are byte offsets into the register file, imm the immediate.
 */
#ifndef EMU_OPS_H
#define EMU_OPS_H

#include "emu/emu-int.h"

enum alu {
	ALU_ADD,
	ALU_OR,
	ALU_ADC,
	ALU_SBB,
	ALU_AND,
	ALU_SUB,
	ALU_XOR,
	ALU_CMP,
	ALU_TEST,
	ALU_COUNT
};
extern op_fn *const ops_alu_rr[ALU_COUNT][4];      /* a op= b */
extern op_fn *const ops_zero[4];                   /* xor a, a */
extern op_fn *const ops_alu_ri[ALU_COUNT][4];      /* a op= imm */
extern op_fn *const ops_alu_rm[ALU_COUNT][4][3];   /* a op= mem */
extern op_fn *const ops_alu_mr[ALU_COUNT][4][3];   /* mem op= b */
extern op_fn *const ops_alu_mi[ALU_COUNT][4][3];   /* mem op= imm */
extern op_fn *const ops_alu_lock_mr[ALU_COUNT][4]; /* LOCK, any address; NULL: #UD */
extern op_fn *const ops_alu_lock_mi[ALU_COUNT][4];
/* cmp or test, fused with the jcc in the next uop: [condition] */
extern op_fn *const ops_cmp_rr_jcc[2][16], *const ops_cmp_ri_jcc[2][16]; /* [0]: 4, [1]: 8 bytes */
extern op_fn *const ops_test_rr_jcc[2][16];

enum unary {
	UN_INC,
	UN_DEC,
	UN_NOT,
	UN_NEG,
	UN_COUNT
};
extern op_fn *const ops_un_r[UN_COUNT][4];
extern op_fn *const ops_un_m[UN_COUNT][4][3];
extern op_fn *const ops_un_lock_m[UN_COUNT][4];

/* ROL ROR RCL RCR SHL SHR SAL SAR by their numbers; count in imm or CL */
extern op_fn *const ops_shift_ri[8][4], *const ops_shift_rc[8][4];
extern op_fn *const ops_shift_nz[8][4]; /* imm, known not to be 0 when masked; else NULL */
extern op_fn *const ops_shift_mi[8][4], *const ops_shift_mc[8][4];
/* SHLD, SHRD: a (or mem) by bits of b; size 1 to 3 */
extern op_fn *const ops_shd_ri[2][4], *const ops_shd_rc[2][4];
extern op_fn *const ops_shd_mi[2][4], *const ops_shd_mc[2][4];

extern op_fn *const ops_mov_rr[4], *const ops_mov_ri[4];
extern op_fn *const ops_mov_rm[4][3], *const ops_mov_mr[4][3], *const ops_mov_mi[4][3];
extern op_fn *const ops_movabs_load[4], *const ops_movabs_store[4]; /* offset in imm; RAX */
/* [from: 0 = 1 byte, 1 = 2, 2 = 4][to size] */
extern op_fn *const ops_movzx_r[2][4], *const ops_movsx_r[3][4];
extern op_fn *const ops_movzx_m[2][4][3], *const ops_movsx_m[3][4][3];
extern op_fn *const ops_lea[4][3];
extern op_fn *const ops_xchg_rr[4], *const ops_xchg_mr[4];
extern op_fn *const ops_xadd_rr[4], *const ops_xadd_mr[4], *const ops_xadd_lock_mr[4];
extern op_fn *const ops_cmpxchg_rr[4], *const ops_cmpxchg_mr[4], *const ops_cmpxchg_lock_mr[4];
extern op_fn op_cmpxchg8b, op_cmpxchg16b; /* imm: 1 = LOCK */

/* MUL IMUL DIV IDIV of F6/F7 by numbers 4 to 7, less 4 */
extern op_fn *const ops_muldiv_r[4][4], *const ops_muldiv_m[4][4];
extern op_fn *const ops_imul_rr[4], *const ops_imul_rm[4][3];   /* a *= src */
extern op_fn *const ops_imul_rri[4], *const ops_imul_rmi[4][3]; /* a = src * imm32 */

extern op_fn *const ops_setcc_r[16], *const ops_setcc_m[16];
extern op_fn *const ops_cmov_rr[16][4], *const ops_cmov_rm[16][4];

/* BT BTS BTR BTC: [op][size] */
extern op_fn *const ops_bt_rr[4][4], *const ops_bt_ri[4][4];
extern op_fn *const ops_bt_mr[4][4], *const ops_bt_mi[4][4]; /* not locked */
extern op_fn *const ops_bt_lock_mr[4][4], *const ops_bt_lock_mi[4][4];
extern op_fn *const ops_bsf_r[4], *const ops_bsr_r[4], *const ops_popcnt_r[4];
extern op_fn *const ops_bsf_m[4], *const ops_bsr_m[4], *const ops_popcnt_m[4];
extern op_fn op_bswap32, op_bswap64, op_bswap16;
extern op_fn *const ops_movbe_load[4], *const ops_movbe_store[4];
extern op_fn op_adcx_r32, op_adcx_r64, op_adox_r32, op_adox_r64;
extern op_fn op_adcx_m32, op_adcx_m64, op_adox_m32, op_adox_m64;
extern op_fn *const ops_rdrand[4], *const ops_rdseed[4];

extern op_fn op_nop, op_cbw, op_cwde, op_cdqe, op_cwd, op_cdq, op_cqo;
extern op_fn op_clc, op_stc, op_cmc, op_cld, op_std, op_lahf, op_sahf, op_salc, op_xlat;
extern op_fn op_daa, op_das, op_aaa, op_aas, op_aam, op_aad;

/* Stack. 64-bit forms, and general ones for every mode and size (osize). */
extern op_fn op_push64_r, op_push64_i, op_pop64_r, op_leave64;
extern op_fn op_push_r, op_push_i, op_push_m, op_pop_r, op_pop_m, op_leave, op_pusha, op_popa;

/* Branches. _l: 64-bit mode, target in the same page: delta from the block in disp, link. _f: all
 * others: delta in imm. */
extern op_fn *const ops_jcc_l[16], *const ops_jcc_f[16];
extern op_fn op_jmp_l, op_jmp_f, op_call_l, op_call_f, op_call64_f;
extern op_fn op_jmp64_r, op_call64_r, op_jmp64_m, op_call64_m, op_ret64, op_ret64_i;
extern op_fn op_jmp_r, op_call_r, op_jmp_m, op_call_m, op_ret_i; /* every mode; ret_i: imm 0 too */
extern op_fn op_loop, op_loope, op_loopne, op_jcxz;              /* delta in imm, asize */

/* String instructions: [size]; imm: 0, 0xf2, 0xf3 for the REP prefix */
extern op_fn *const ops_movs[4], *const ops_stos[4], *const ops_lods[4];
extern op_fn *const ops_scas[4], *const ops_cmps[4];

#endif
