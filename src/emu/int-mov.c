/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * int-mov.c - handlers: moves, stack, conditional moves and sets, branches
 */
#include "emu/int-int.h"

#define ROW4(op, form)                                                                \
	{                                                                             \
		op##_##form##_8, op##_##form##_16, op##_##form##_32, op##_##form##_64 \
	}
#define EA3(name)                            \
	{                                    \
		name##_B, name##_X, name##_G \
	}

/* ---- MOV ---- */

#define DEFINE_MOV_RR(bits)                               \
	SOP(mov_rr_##bits)                                \
	{                                                 \
		SET_##bits(v, u->a, GET_##bits(v, u->b)); \
		NEXT(v, u);                               \
	}                                                 \
	SOP(mov_ri_##bits)                                \
	{                                                 \
		SET_##bits(v, u->a, u->imm);              \
		NEXT(v, u);                               \
	}
FOR_BITS(DEFINE_MOV_RR)

/* A load of @bits that goes through @stmt, which sees it as m. */
#define DEFINE_LOADING(name, bits, ea, stmt)                \
	SOP(name##_##ea)                                    \
	{                                                   \
		LIN_##ea(name);                             \
		FAST_LOAD(bits, m, name##_slow(v, u, lin)); \
		stmt;                                       \
		NEXT(v, u);                                 \
	}
#define DEFINE_LOAD(name, bits, stmt)                                      \
	SLOW(name)                                                         \
	{                                                                  \
		T_##bits m = (T_##bits)emu_load_slow(v, u, lin, bits / 8); \
		stmt;                                                      \
		NEXT(v, u);                                                \
	}                                                                  \
	LEGACY(name, bits, false)                                          \
	DEFINE_LOADING(name, bits, B, stmt)                                \
	DEFINE_LOADING(name, bits, X, stmt)                                \
	DEFINE_LOADING(name, bits, G, stmt)

#define DEFINE_STORING(name, bits, ea, value)                                \
	SOP(name##_##ea)                                                     \
	{                                                                    \
		LIN_##ea(name);                                              \
		FAST_HOST(bits, p, name##_slow(v, u, lin));                  \
		((volatile struct u##bits##_any *)p)->v = (T_##bits)(value); \
		NEXT(v, u);                                                  \
	}
#define DEFINE_STORE(name, bits, value)                                 \
	SLOW(name)                                                      \
	{                                                               \
		emu_store_slow(v, u, lin, bits / 8, (T_##bits)(value)); \
		NEXT(v, u);                                             \
	}                                                               \
	LEGACY(name, bits, true)                                        \
	DEFINE_STORING(name, bits, B, value)                            \
	DEFINE_STORING(name, bits, X, value)                            \
	DEFINE_STORING(name, bits, G, value)

#define DEFINE_MOV(bits)                                         \
	DEFINE_LOAD(mov_rm_##bits, bits, SET_##bits(v, u->a, m)) \
	DEFINE_STORE(mov_mr_##bits, bits, GET_##bits(v, u->b))   \
	DEFINE_STORE(mov_mi_##bits, bits, u->imm)
FOR_BITS(DEFINE_MOV)

op_fn *const ops_mov_rr[4] = ROW4(mov, rr);
op_fn *const ops_mov_ri[4] = ROW4(mov, ri);
op_fn *const ops_mov_rm[4][3] = { EA3(mov_rm_8), EA3(mov_rm_16), EA3(mov_rm_32), EA3(mov_rm_64) };
op_fn *const ops_mov_mr[4][3] = { EA3(mov_mr_8), EA3(mov_mr_16), EA3(mov_mr_32), EA3(mov_mr_64) };
op_fn *const ops_mov_mi[4][3] = { EA3(mov_mi_8), EA3(mov_mi_16), EA3(mov_mi_32), EA3(mov_mi_64) };

/* MOV between AL..RAX and an absolute offset. */
static uint64_t moffs(struct vcpu *v, const struct uop *u, unsigned size, bool write)
{
	return emu_linear(v, u, u->seg, u->imm, size, write);
}

#define DEFINE_MOVABS(bits)                                                                   \
	SOP(movabs_load_##bits)                                                               \
	{                                                                                     \
		SET_##bits(v, X86_RAX * 8, emu_ld##bits(v, u, moffs(v, u, bits / 8, false))); \
		NEXT(v, u);                                                                   \
	}                                                                                     \
	SOP(movabs_store_##bits)                                                              \
	{                                                                                     \
		emu_st##bits(v, u, moffs(v, u, bits / 8, true), GET_##bits(v, X86_RAX * 8));  \
		NEXT(v, u);                                                                   \
	}
FOR_BITS(DEFINE_MOVABS)
op_fn *const ops_movabs_load[4] = ROW4(movabs, load);
op_fn *const ops_movabs_store[4] = ROW4(movabs, store);

/* ---- MOVZX, MOVSX, MOVSXD ---- */

#define DEFINE_EXTEND(from, to) DEFINE_ZERO_EXTEND(from, to) DEFINE_SIGN_EXTEND(from, to)
#define DEFINE_ZERO_EXTEND(from, to)                    \
	SOP(movzx_r_##from##_##to)                      \
	{                                               \
		SET_##to(v, u->a, GET_##from(v, u->b)); \
		NEXT(v, u);                             \
	}                                               \
	DEFINE_LOAD(movzx_m_##from##_##to, from, SET_##to(v, u->a, m))
#define DEFINE_SIGN_EXTEND(from, to)                                                \
	SOP(movsx_r_##from##_##to)                                                  \
	{                                                                           \
		SET_##to(v, u->a, (T_##to)(ST_##to)(ST_##from)GET_##from(v, u->b)); \
		NEXT(v, u);                                                         \
	}                                                                           \
	DEFINE_LOAD(movsx_m_##from##_##to, from, SET_##to(v, u->a, (T_##to)(ST_##to)(ST_##from)m))
DEFINE_EXTEND(8, 16)
DEFINE_EXTEND(8, 32)
DEFINE_EXTEND(8, 64)
DEFINE_EXTEND(16, 16)
DEFINE_EXTEND(16, 32)
DEFINE_EXTEND(16, 64)
DEFINE_SIGN_EXTEND(32, 16)
DEFINE_SIGN_EXTEND(32, 32)
DEFINE_SIGN_EXTEND(32, 64)

op_fn *const ops_movzx_r[2][4] = {
	{ NULL, movzx_r_8_16, movzx_r_8_32, movzx_r_8_64 },
	{ NULL, movzx_r_16_16, movzx_r_16_32, movzx_r_16_64 },
};
op_fn *const ops_movsx_r[3][4] = {
	{ NULL, movsx_r_8_16, movsx_r_8_32, movsx_r_8_64 },
	{ NULL, movsx_r_16_16, movsx_r_16_32, movsx_r_16_64 },
	{ NULL, movsx_r_32_16, movsx_r_32_32, movsx_r_32_64 },
};
op_fn *const ops_movzx_m[2][4][3] = {
	{ { NULL }, EA3(movzx_m_8_16), EA3(movzx_m_8_32), EA3(movzx_m_8_64) },
	{ { NULL }, EA3(movzx_m_16_16), EA3(movzx_m_16_32), EA3(movzx_m_16_64) },
};
op_fn *const ops_movsx_m[3][4][3] = {
	{ { NULL }, EA3(movsx_m_8_16), EA3(movsx_m_8_32), EA3(movsx_m_8_64) },
	{ { NULL }, EA3(movsx_m_16_16), EA3(movsx_m_16_32), EA3(movsx_m_16_64) },
	{ { NULL }, EA3(movsx_m_32_16), EA3(movsx_m_32_32), EA3(movsx_m_32_64) },
};

/* ---- LEA ---- */

#define DEFINE_LEA(bits)                                  \
	SOP(lea_##bits##_B)                               \
	{                                                 \
		SET_##bits(v, u->a, emu_ea_B(v, u));      \
		NEXT(v, u);                               \
	}                                                 \
	SOP(lea_##bits##_X)                               \
	{                                                 \
		SET_##bits(v, u->a, emu_ea_X(v, u));      \
		NEXT(v, u);                               \
	}                                                 \
	SOP(lea_##bits##_G)                               \
	{                                                 \
		SET_##bits(v, u->a, emu_ea_offset(v, u)); \
		NEXT(v, u);                               \
	}
FOR_BITS3(DEFINE_LEA)
op_fn *const ops_lea[4][3] = { { NULL }, EA3(lea_16), EA3(lea_32), EA3(lea_64) };

/* ---- SETcc, CMOVcc ---- */

#define DEFINE_CC(cc)                                                       \
	SOP(set_r_##cc)                                                     \
	{                                                                   \
		R8(v, u->a) = cond(cc, v->flags);                           \
		NEXT(v, u);                                                 \
	}                                                                   \
	SOP(set_m_##cc)                                                     \
	{                                                                   \
		emu_st8(v, u, emu_ea_G(v, u, 1, true), cond(cc, v->flags)); \
		NEXT(v, u);                                                 \
	}                                                                   \
	DEFINE_CMOV(cc, 16)                                                 \
	DEFINE_CMOV(cc, 32)                                                 \
	DEFINE_CMOV(cc, 64)
/* The source is read always; 32-bit forms clear the upper half always. */
#define DEFINE_CMOV(cc, bits)                                                                \
	SOP(cmov_rr_##cc##_##bits)                                                           \
	{                                                                                    \
		T_##bits x = cond(cc, v->flags) ? GET_##bits(v, u->b) : GET_##bits(v, u->a); \
		SET_##bits(v, u->a, x);                                                      \
		NEXT(v, u);                                                                  \
	}                                                                                    \
	SOP(cmov_rm_##cc##_##bits)                                                           \
	{                                                                                    \
		T_##bits m = emu_ld##bits(v, u, emu_ea_G(v, u, bits / 8, false));            \
		SET_##bits(v, u->a, cond(cc, v->flags) ? m : GET_##bits(v, u->a));           \
		NEXT(v, u);                                                                  \
	}
FOR_CC(DEFINE_CC)
#define NAME_SET_R(cc)   set_r_##cc,
#define NAME_SET_M(cc)   set_m_##cc,
#define NAME_CMOV_RR(cc) { NULL, cmov_rr_##cc##_16, cmov_rr_##cc##_32, cmov_rr_##cc##_64 },
#define NAME_CMOV_RM(cc) { NULL, cmov_rm_##cc##_16, cmov_rm_##cc##_32, cmov_rm_##cc##_64 },
op_fn *const ops_setcc_r[16] = { FOR_CC(NAME_SET_R) };
op_fn *const ops_setcc_m[16] = { FOR_CC(NAME_SET_M) };
op_fn *const ops_cmov_rr[16][4] = { FOR_CC(NAME_CMOV_RR) };
op_fn *const ops_cmov_rm[16][4] = { FOR_CC(NAME_CMOV_RM) };

/* ---- stack, 64-bit code ---- */

/* A slow push leaves the stack pointer alone until the store is done. */
SLOW(push64)
{
	emu_store_slow(v, u, lin, 8, R64(v, u->a));
	v->r[X86_RSP] = lin;
	NEXT(v, u);
}

OP(op_push64_r)
{
	uint64_t lin = v->r[X86_RSP] - 8;
	FAST_HOST(64, p, push64_slow(v, u, lin));

	((volatile struct u64_any *)p)->v = R64(v, u->a);
	v->r[X86_RSP] = lin;
	NEXT(v, u);
}

OP(op_push64_i)
{
	uint64_t lin = v->r[X86_RSP] - 8;

	emu_st64(v, u, lin, u->imm);
	v->r[X86_RSP] = lin;
	NEXT(v, u);
}

SLOW(pop64)
{
	uint64_t value = emu_load_slow(v, u, lin, 8);

	v->r[X86_RSP] += 8;
	R64(v, u->a) = value; /* POP RSP: the popped value wins */
	NEXT(v, u);
}

OP(op_pop64_r)
{
	uint64_t lin = v->r[X86_RSP];
	FAST_LOAD(64, value, pop64_slow(v, u, lin));

	v->r[X86_RSP] = lin + 8;
	R64(v, u->a) = value;
	NEXT(v, u);
}

OP(op_leave64)
{
	uint64_t lin = v->r[X86_RBP];
	uint64_t value = emu_ld64(v, u, lin);

	v->r[X86_RSP] = lin + 8;
	v->r[X86_RBP] = value;
	NEXT(v, u);
}

/* ---- stack, every mode ---- */

/* Width of the stack pointer in bytes. */
static unsigned stack_size(const struct vcpu *v)
{
	return v->mode & MODE_64 ? 8 : v->seg[X86_SS].access & SEG_ACCESS_DB ? 4 : 2;
}

static uint64_t cut(uint64_t value, unsigned size)
{
	return size == 8 ? value : size == 4 ? (uint32_t)value : (uint16_t)value;
}

static void set_sp(struct vcpu *v, uint64_t sp)
{
	switch (stack_size(v)) {
	case 2:
		R16(v, X86_RSP * 8) = (uint16_t)sp;
		break;
	case 4:
		v->r[X86_RSP] = (uint32_t)sp;
		break;
	default:
		v->r[X86_RSP] = sp;
		break;
	}
}

/* Faults of the stack are #SS whatever segment the uop's own operand is in. */
static struct uop stack_uop(const struct uop *u)
{
	struct uop s = u ? *u : (struct uop){ 0 };

	s.seg = X86_SS;
	return s;
}

void emu_push(struct vcpu *v, const struct uop *u, unsigned size, uint64_t value)
{
	struct uop s = stack_uop(u);
	uint64_t sp = cut(v->r[X86_RSP] - size, stack_size(v));

	emu_store_slow(v, &s, emu_linear(v, &s, X86_SS, sp, size, true), size, value);
	set_sp(v, sp);
}

uint64_t emu_peek(struct vcpu *v, const struct uop *u, unsigned size, unsigned skip)
{
	struct uop s = stack_uop(u);
	uint64_t sp = cut(v->r[X86_RSP] + skip, stack_size(v));

	return emu_load_slow(v, &s, emu_linear(v, &s, X86_SS, sp, size, false), size);
}

void emu_sp_add(struct vcpu *v, int64_t delta)
{
	set_sp(v, v->r[X86_RSP] + (uint64_t)delta);
}

static uint64_t get_sized(struct vcpu *v, unsigned reg, unsigned size)
{
	return cut(R64(v, reg), size);
}

static void set_sized(struct vcpu *v, unsigned reg, unsigned size, uint64_t value)
{
	if (size == 2)
		R16(v, reg) = (uint16_t)value;
	else
		R64(v, reg) = cut(value, size);
}

OP(op_push_r)
{
	emu_push(v, u, u->osize, get_sized(v, u->a, u->osize));
	NEXT(v, u);
}

OP(op_push_i)
{
	emu_push(v, u, u->osize, u->imm);
	NEXT(v, u);
}

OP(op_push_m)
{
	uint64_t value = emu_load_slow(v, u, emu_ea_G(v, u, u->osize, false), u->osize);

	emu_push(v, u, u->osize, value);
	NEXT(v, u);
}

OP(op_pop_r)
{
	uint64_t value = emu_peek(v, u, u->osize, 0);

	emu_sp_add(v, u->osize);
	set_sized(v, u->a, u->osize, value);
	NEXT(v, u);
}

/* The address is computed with the stack pointer as it is after the pop (SDM, POP). */
OP(op_pop_m)
{
	uint64_t value = emu_peek(v, u, u->osize, 0), old = v->r[X86_RSP], lin;

	emu_sp_add(v, u->osize);
	lin = emu_ea_offset(v, u);
	v->r[X86_RSP] = old; /* a fault leaves it alone */
	lin = emu_linear(v, u, u->seg, lin, u->osize, true);
	emu_store_slow(v, u, lin, u->osize, value);
	emu_sp_add(v, u->osize);
	NEXT(v, u);
}

OP(op_leave)
{
	struct uop s = stack_uop(u);
	unsigned size = stack_size(v);
	uint64_t sp = cut(v->r[X86_RBP], size), value;

	value = emu_load_slow(v, &s, emu_linear(v, &s, X86_SS, sp, u->osize, false), u->osize);
	set_sp(v, sp + u->osize);
	set_sized(v, X86_RBP * 8, u->osize, value);
	NEXT_RETURN(u);
}

OP(op_pusha)
{
	uint64_t sp = v->r[X86_RSP];

	/* All places first, so that a fault comes before any change. */
	for (unsigned i = 0; i < 8; i++) {
		struct uop s = stack_uop(u);
		uint64_t at = cut(sp - (i + 1) * (uint64_t)u->osize, stack_size(v));

		emu_probe_write(v, &s, emu_linear(v, &s, X86_SS, at, u->osize, true), u->osize);
	}
	for (unsigned i = 0; i < 8; i++)
		emu_push(v, u, u->osize, i == X86_RSP ? sp : v->r[i]);
	NEXT(v, u);
}

OP(op_popa)
{
	uint64_t value[8];

	for (unsigned i = 0; i < 8; i++)
		value[i] = emu_peek(v, u, u->osize, i * u->osize);
	for (unsigned i = 0; i < 8; i++) {
		if (7 - i != X86_RSP)
			set_sized(v, (7 - i) * 8, u->osize, value[i]);
	}
	emu_sp_add(v, 8 * (int)u->osize);
	NEXT(v, u);
}

/* ---- branches within 64-bit code ---- */

#define DEFINE_JCC(cc)                         \
	SOP(jcc_l_##cc)                        \
	{                                      \
		if (cond(cc, v->flags))        \
			TAKE_LINK(v, u);       \
		NEXT(v, u);                    \
	}                                      \
	SOP(jcc_f_##cc)                        \
	{                                      \
		if (cond(cc, v->flags))        \
			return op_jmp_f(v, u); \
		NEXT(v, u);                    \
	}
FOR_CC(DEFINE_JCC)
#define NAME_JCC_L(cc) jcc_l_##cc,
#define NAME_JCC_F(cc) jcc_f_##cc,
op_fn *const ops_jcc_l[16] = { FOR_CC(NAME_JCC_L) };
op_fn *const ops_jcc_f[16] = { FOR_CC(NAME_JCC_F) };

/* Control goes to @rip, which has been checked. */
#define BRANCH(v, u, rip)              \
	do {                           \
		uint64_t rip_ = (rip); \
		emu_retire(v, (u)->n); \
		(v)->r[R_RIP] = rip_;  \
		JUMP(v);               \
	} while (0)

OP(op_jmp_l)
{
	TAKE_LINK(v, u);
}

OP(op_jmp_f)
{
	BRANCH(v, u, check_target(v, u, uop_next_rip(v, u) + u->imm));
}

OP(op_call_l)
{
	uint64_t sp = v->r[X86_RSP] - 8;

	emu_st64(v, u, sp, uop_next_rip(v, u));
	v->r[X86_RSP] = sp;
	TAKE_LINK(v, u);
}

OP(op_call_f)
{
	uint64_t next = uop_next_rip(v, u), rip = check_target(v, u, next + u->imm);

	emu_push(v, u, u->osize, next);
	BRANCH(v, u, rip);
}

OP(op_call64_f)
{
	uint64_t next = uop_next_rip(v, u), rip = check_target(v, u, next + u->imm);
	uint64_t sp = v->r[X86_RSP] - 8;

	emu_st64(v, u, sp, next);
	v->r[X86_RSP] = sp;
	BRANCH(v, u, rip);
}

OP(op_jmp64_r)
{
	BRANCH(v, u, check_target(v, u, R64(v, u->a)));
}

OP(op_jmp64_m)
{
	BRANCH(v, u, check_target(v, u, emu_ld64(v, u, emu_ea_G(v, u, 8, false))));
}

static inline const struct uop *call64(struct vcpu *v, const struct uop *u, uint64_t rip)
{
	uint64_t sp = v->r[X86_RSP] - 8;

	rip = check_target(v, u, rip);
	emu_st64(v, u, sp, uop_next_rip(v, u));
	v->r[X86_RSP] = sp;
	BRANCH(v, u, rip);
}

OP(op_call64_r)
{
	return call64(v, u, R64(v, u->a));
}

OP(op_call64_m)
{
	return call64(v, u, emu_ld64(v, u, emu_ea_G(v, u, 8, false)));
}

SLOW(ret64)
{
	uint64_t rip = check_target(v, u, emu_load_slow(v, u, lin, 8));

	v->r[X86_RSP] = lin + 8;
	BRANCH(v, u, rip);
}

OP(op_ret64)
{
	uint64_t lin = v->r[X86_RSP];
	FAST_LOAD(64, rip, ret64_slow(v, u, lin));

	if (unlikely(!is_canonical(rip)))
		return ret64_slow(v, u, lin);
	v->r[X86_RSP] = lin + 8;
	BRANCH(v, u, rip);
}

OP(op_ret64_i)
{
	uint64_t lin = v->r[X86_RSP];
	uint64_t rip = check_target(v, u, emu_ld64(v, u, lin));

	v->r[X86_RSP] = lin + 8 + u->imm;
	BRANCH(v, u, rip);
}

/* ---- branches in every mode ---- */

static const struct uop *call_any(struct vcpu *v, const struct uop *u, uint64_t rip)
{
	rip = check_target(v, u, rip);
	emu_push(v, u, u->osize, uop_next_rip(v, u));
	BRANCH(v, u, rip);
}

OP(op_jmp_r)
{
	BRANCH(v, u, check_target(v, u, get_sized(v, u->a, u->osize)));
}

OP(op_jmp_m)
{
	uint64_t rip = emu_load_slow(v, u, emu_ea_G(v, u, u->osize, false), u->osize);

	BRANCH(v, u, check_target(v, u, rip));
}

OP(op_call_r)
{
	return call_any(v, u, get_sized(v, u->a, u->osize));
}

OP(op_call_m)
{
	return call_any(v, u, emu_load_slow(v, u, emu_ea_G(v, u, u->osize, false), u->osize));
}

OP(op_ret_i)
{
	uint64_t rip = check_target(v, u, emu_peek(v, u, u->osize, 0));

	emu_sp_add(v, u->osize + (int64_t)u->imm);
	BRANCH(v, u, rip);
}

/* The counter is CX, ECX or RCX by address size. */
static uint64_t count_down(struct vcpu *v, const struct uop *u)
{
	set_sized(v, X86_RCX * 8, u->asize, v->r[X86_RCX] - 1);
	return get_sized(v, X86_RCX * 8, u->asize);
}

/* A taken LOOP must not have counted when its target faults. */
static const struct uop *loop_if(struct vcpu *v, const struct uop *u, bool zf_wanted, bool zf)
{
	uint64_t left = cut(v->r[X86_RCX] - 1, u->asize), rip = 0;
	bool taken = left != 0 && (!zf_wanted || zf);

	if (taken)
		rip = check_target(v, u, uop_next_rip(v, u) + u->imm);
	(void)count_down(v, u);
	if (!taken)
		NEXT(v, u);
	BRANCH(v, u, rip);
}

OP(op_loop)
{
	return loop_if(v, u, false, false);
}

OP(op_loope)
{
	return loop_if(v, u, true, v->flags & 0x4000);
}

OP(op_loopne)
{
	return loop_if(v, u, true, !(v->flags & 0x4000));
}

OP(op_jcxz)
{
	if (get_sized(v, X86_RCX * 8, u->asize) == 0)
		return op_jmp_f(v, u);
	NEXT(v, u);
}
