/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * decode.c - from instruction bytes to a uop: prefixes, ModRM, and the integer opcode map
 *
 * Source: Intel SDM vol. 2, chapter 2 and appendix A. The map is walked by switches; what belongs
 * to segments and system registers, x87, and vectors is decoded by decode_system(), decode_x87()
 * and decode_sse().
 */
#include "emu/ops.h"

#include "base/log.h"

/* ---- bytes ---- */

uint8_t decode_u8(struct decoder *d)
{
	if (d->pos >= d->avail) {
		d->truncated = true;
		return 0;
	}
	return d->p[d->pos++];
}

uint16_t decode_u16(struct decoder *d)
{
	uint16_t lo = decode_u8(d);

	return (uint16_t)(lo | decode_u8(d) << 8);
}

uint32_t decode_u32(struct decoder *d)
{
	uint32_t lo = decode_u16(d);

	return lo | (uint32_t)decode_u16(d) << 16;
}

uint64_t decode_u64(struct decoder *d)
{
	uint64_t lo = decode_u32(d);

	return lo | (uint64_t)decode_u32(d) << 32;
}

/* An immediate of 1, 2 or 4 bytes, sign-extended. */
static uint64_t imm_signed(struct decoder *d, unsigned size)
{
	switch (size) {
	case 1:
		return (uint64_t)(int8_t)decode_u8(d);
	case 2:
		return (uint64_t)(int16_t)decode_u16(d);
	default:
		return (uint64_t)(int32_t)decode_u32(d);
	}
}

/* Operand-sized, but never more than 4 bytes. */
static uint64_t imm_z(struct decoder *d)
{
	return imm_signed(d, d->osize == 2 ? 2 : 4);
}

uint8_t decode_reg8(const struct decoder *d, unsigned n)
{
	return (uint8_t)(d->rex || n < 4 ? n * 8 : (n - 4) * 8 + 1);
}

/* ---- ModRM ---- */

static void modrm_16(struct decoder *d)
{
	static const uint8_t bases[8] = { X86_RBX, X86_RBX, X86_RBP, X86_RBP,
					  X86_RSI, X86_RDI, X86_RBP, X86_RBX };
	static const uint8_t indexes[8] = { X86_RSI, X86_RDI, X86_RSI, X86_RDI,
					    R_ZERO,  R_ZERO,  R_ZERO,  R_ZERO };
	struct uop *u = d->u;

	u->base = (uint8_t)(bases[d->rm] * 8);
	u->index = (uint8_t)(indexes[d->rm] * 8);
	u->seg = bases[d->rm] == X86_RBP ? X86_SS : X86_DS;
	if (d->mod == 0 && d->rm == 6) {
		u->base = R_ZERO * 8;
		u->seg = X86_DS;
		u->disp = (int16_t)decode_u16(d);
	} else if (d->mod == 1) {
		u->disp = (int8_t)decode_u8(d);
	} else if (d->mod == 2) {
		u->disp = (int16_t)decode_u16(d);
	}
}

static void modrm_32_64(struct decoder *d)
{
	struct uop *u = d->u;
	unsigned base = d->rm & 7;

	u->index = R_ZERO * 8;
	if (base == 4) {
		uint8_t sib = decode_u8(d);
		unsigned index = (sib >> 3 & 7) | (d->rex & 2 ? 8 : 0);

		base = sib & 7;
		u->scale = sib >> 6;
		if (index != X86_RSP)
			u->index = (uint8_t)(index * 8);
		else
			u->scale = 0;
	}
	u->seg = X86_DS;
	if (base == 5 && d->mod == 0) {
		u->base = R_ZERO * 8;
		if (d->rm % 8 == 5 && d->mode & MODE_64) {
			u->base = R_RIP * 8;
			d->rip_relative = true;
		}
		u->disp = (int32_t)decode_u32(d);
		return;
	}
	base |= d->rex & 1 ? 8 : 0;
	u->base = (uint8_t)(base * 8);
	if (base == X86_RSP || base == X86_RBP)
		u->seg = X86_SS;
	if (d->mod == 1)
		u->disp = (int8_t)decode_u8(d);
	else if (d->mod == 2)
		u->disp = (int32_t)decode_u32(d);
}

/* The segment that an operand of @d lies in, @normal unless overridden. */
static uint8_t operand_seg(const struct decoder *d, uint8_t normal)
{
	if (d->seg < 0 || (d->mode & MODE_64 && d->seg != X86_FS && d->seg != X86_GS))
		return normal;
	return (uint8_t)d->seg;
}

static uint8_t address_size(const struct decoder *d)
{
	if (d->mode & MODE_64)
		return d->addrsize ? 4 : 8;
	return !(d->mode & MODE_32) != d->addrsize ? 2 : 4;
}

void decode_modrm(struct decoder *d)
{
	uint8_t modrm = decode_u8(d);

	d->mod = modrm >> 6;
	d->reg = (uint8_t)((modrm >> 3 & 7) | (d->rex & 4 ? 8 : 0));
	d->rm = (uint8_t)((modrm & 7) | (d->rex & 1 ? 8 : 0));
	d->is_mem = d->mod != 3;
	if (!d->is_mem)
		return;
	d->u->disp = 0;
	d->u->scale = 0;
	d->u->asize = address_size(d);
	if (d->u->asize == 2) {
		d->rm &= 7;
		modrm_16(d);
	} else {
		modrm_32_64(d);
	}
	d->u->seg = operand_seg(d, d->u->seg);
	if (!(d->mode & MODE_64) || d->u->asize != 8 || d->u->seg == X86_FS || d->u->seg == X86_GS)
		d->ea = EA_G;
	else
		d->ea = d->u->index == R_ZERO * 8 ? EA_B : EA_X;
}

/* ---- small helpers ---- */

/* 0 to 3 for 1 to 8 bytes. */
static unsigned size_index(unsigned size)
{
	return (unsigned)__builtin_ctz(size);
}

/* Byte offset of register @n, in an operand of @size bytes. */
static uint8_t reg_off(const struct decoder *d, unsigned n, unsigned size)
{
	return size == 1 ? decode_reg8(d, n) : (uint8_t)(n * 8);
}

static bool has_feature(const struct decoder *d, uint32_t leaf, char reg, unsigned bit)
{
	const struct cpuid_leaf *l = cpuid_find(&d->v->cpuid, leaf, 0);

	return l && (reg == 'b' ? l->ebx : l->ecx) >> bit & 1;
}

/* A uop of register or memory form: ModRM follows. a = rm (or b), b = reg (or a). */
static bool emit_alu_modrm(struct decoder *d, enum alu op, unsigned size, bool to_reg)
{
	unsigned si = size_index(size);

	decode_modrm(d);
	if (to_reg) {
		d->u->a = reg_off(d, d->reg, size);
		d->u->b = reg_off(d, d->rm, size);
	} else {
		d->u->a = reg_off(d, d->rm, size);
		d->u->b = reg_off(d, d->reg, size);
	}
	if (!d->is_mem) {
		d->u->fn = ops_alu_rr[op][si];
		if (op == ALU_XOR && d->u->a == d->u->b)
			d->u->fn = ops_zero[si];
	} else if (to_reg) {
		d->u->fn = ops_alu_rm[op][si][d->ea];
	} else if (d->lock && ops_alu_lock_mr[op][si]) {
		d->lock = false;
		d->u->fn = ops_alu_lock_mr[op][si];
	} else {
		d->u->b = reg_off(d, d->reg, size);
		d->u->fn = ops_alu_mr[op][si][d->ea];
	}
	return true;
}

/* ModRM is decoded: op rm, imm. */
static bool emit_alu_imm(struct decoder *d, enum alu op, unsigned size, unsigned imm_size)
{
	unsigned si = size_index(size);

	d->u->imm = imm_signed(d, imm_size);
	d->u->a = reg_off(d, d->rm, size);
	if (!d->is_mem) {
		d->u->fn = ops_alu_ri[op][si];
	} else if (d->lock && ops_alu_lock_mi[op][si]) {
		d->lock = false;
		d->u->fn = ops_alu_lock_mi[op][si];
	} else {
		d->u->fn = ops_alu_mi[op][si][d->ea];
	}
	return true;
}

/* A relative branch: within the page it can be linked. */
static void emit_branch(struct decoder *d, uint64_t rel, op_fn *near, op_fn *far)
{
	int64_t delta = (int64_t)rel + d->u->off + (int64_t)d->pos;
	int64_t in_page = delta + d->page_off;

	d->u->osize = d->mode & MODE_64 ? 8 : d->osize;
	if (d->mode & MODE_64 && in_page >= 0 && in_page < PAGE_SIZE_) {
		d->u->fn = near;
		d->u->disp = (int32_t)delta;
		d->u->link = NULL;
	} else {
		d->u->fn = far;
		d->u->imm = rel;
	}
}

static void emit_jcc(struct decoder *d, unsigned cc, uint64_t rel)
{
	d->u->a = (uint8_t)cc;
	emit_branch(d, rel, ops_jcc_l[cc], ops_jcc_f[cc]);
}

/* Operand size of instructions that are 64 bits wide in 64-bit code without REX.W. */
static uint8_t stack_osize(const struct decoder *d)
{
	return d->mode & MODE_64 ? (d->osize == 2 ? 2 : 8) : d->osize;
}

/* Push and pop of a register: 64-bit code has its own. */
static void emit_stack_reg(struct decoder *d, unsigned reg, op_fn *fn64, op_fn *fn)
{
	d->u->a = (uint8_t)(reg * 8);
	d->u->seg = X86_SS;
	d->u->osize = stack_osize(d);
	d->u->fn = d->u->osize == 8 ? fn64 : fn;
}

/* ---- groups of the one-byte map ---- */

static bool decode_shift(struct decoder *d, unsigned size, unsigned count_from)
{
	unsigned op, si = size_index(size);

	decode_modrm(d);
	op = d->reg & 7;
	d->u->a = reg_off(d, d->rm, size);
	if (count_from == 2) {
		d->u->fn = d->is_mem ? ops_shift_mc[op][si] : ops_shift_rc[op][si];
		return true;
	}
	d->u->imm = count_from == 1 ? 1 : decode_u8(d);
	if (!d->is_mem && ops_shift_nz[op][si] && d->u->imm & (size == 8 ? 63 : 31)) {
		d->u->fn = ops_shift_nz[op][si];
		return true;
	}
	d->u->fn = d->is_mem ? ops_shift_mi[op][si] : ops_shift_ri[op][si];
	return true;
}

static bool decode_group3(struct decoder *d, unsigned size)
{
	unsigned si = size_index(size), op;
	enum unary un;

	decode_modrm(d);
	op = d->reg & 7;
	d->u->a = reg_off(d, d->rm, size);
	if (op < 2)
		return emit_alu_imm(d, ALU_TEST, size, size == 8 ? 4 : size);
	if (op >= 4) {
		d->u->fn = d->is_mem ? ops_muldiv_m[op - 4][si] : ops_muldiv_r[op - 4][si];
		return true;
	}
	un = op == 2 ? UN_NOT : UN_NEG;
	if (d->is_mem && d->lock) {
		d->lock = false;
		d->u->fn = ops_un_lock_m[un][si];
	} else {
		d->u->fn = d->is_mem ? ops_un_m[un][si][d->ea] : ops_un_r[un][si];
	}
	return true;
}

static bool decode_inc_dec(struct decoder *d, unsigned size)
{
	unsigned si = size_index(size);
	enum unary un = d->reg & 7 ? UN_DEC : UN_INC;

	d->u->a = reg_off(d, d->rm, size);
	if (d->is_mem && d->lock) {
		d->lock = false;
		d->u->fn = ops_un_lock_m[un][si];
	} else {
		d->u->fn = d->is_mem ? ops_un_m[un][si][d->ea] : ops_un_r[un][si];
	}
	return true;
}

/* FF: INC DEC CALL CALLF JMP JMPF PUSH */
static bool decode_group5(struct decoder *d)
{
	bool is64 = d->mode & MODE_64;

	decode_modrm(d);
	switch (d->reg & 7) {
	case 0:
	case 1:
		return decode_inc_dec(d, d->osize);
	case 2:
		d->ends = true;
		d->u->osize = is64 ? 8 : d->osize;
		d->u->a = (uint8_t)(d->rm * 8);
		if (d->is_mem)
			d->u->fn = is64 ? op_call64_m : op_call_m;
		else
			d->u->fn = is64 ? op_call64_r : op_call_r;
		return true;
	case 4:
		d->ends = true;
		d->u->osize = is64 ? 8 : d->osize;
		d->u->a = (uint8_t)(d->rm * 8);
		if (d->is_mem)
			d->u->fn = is64 ? op_jmp64_m : op_jmp_m;
		else
			d->u->fn = is64 ? op_jmp64_r : op_jmp_r;
		return true;
	case 3:
	case 5:
		return decode_system(d);
	case 6:
		if (!d->is_mem) {
			emit_stack_reg(d, d->rm, op_push64_r, op_push_r);
			return true;
		}
		d->u->osize = stack_osize(d);
		d->u->fn = op_push_m;
		return true;
	default:
		return false;
	}
}

static bool decode_mov(struct decoder *d, unsigned size, bool to_reg)
{
	unsigned si = size_index(size);

	decode_modrm(d);
	if (to_reg) {
		d->u->a = reg_off(d, d->reg, size);
		d->u->b = reg_off(d, d->rm, size);
		d->u->fn = d->is_mem ? ops_mov_rm[si][d->ea] : ops_mov_rr[si];
	} else {
		d->u->a = reg_off(d, d->rm, size);
		d->u->b = reg_off(d, d->reg, size);
		d->u->fn = d->is_mem ? ops_mov_mr[si][d->ea] : ops_mov_rr[si];
	}
	return true;
}

static bool decode_xchg(struct decoder *d, unsigned size)
{
	unsigned si = size_index(size);

	decode_modrm(d);
	d->u->a = reg_off(d, d->rm, size);
	d->u->b = reg_off(d, d->reg, size);
	if (d->is_mem)
		d->lock = false;
	d->u->fn = d->is_mem ? ops_xchg_mr[si] : ops_xchg_rr[si];
	return true;
}

static bool decode_string(struct decoder *d)
{
	unsigned si = d->op & 1 ? size_index(d->osize) : 0;

	d->u->imm = d->rep;
	d->u->asize = address_size(d);
	d->u->seg = operand_seg(d, X86_DS);
	switch (d->op & ~1u) {
	case 0xa4:
		d->u->fn = ops_movs[si];
		break;
	case 0xa6:
		d->u->fn = ops_cmps[si];
		break;
	case 0xaa:
		d->u->fn = ops_stos[si];
		break;
	case 0xac:
		d->u->fn = ops_lods[si];
		break;
	default:
		d->u->fn = ops_scas[si];
		break;
	}
	/* F2 and F3 mean the same where nothing is compared. */
	if (d->rep && (d->op & ~1u) != 0xa6 && (d->op & ~1u) != 0xae)
		d->u->imm = 0xf3;
	return true;
}

static bool decode_imul3(struct decoder *d, bool imm8)
{
	unsigned si = size_index(d->osize);

	decode_modrm(d);
	d->u->a = (uint8_t)(d->reg * 8);
	d->u->b = (uint8_t)(d->rm * 8);
	d->u->imm = imm8 ? imm_signed(d, 1) : imm_z(d);
	d->u->fn = d->is_mem ? ops_imul_rmi[si][d->ea] : ops_imul_rri[si];
	return true;
}

static bool decode_movsxd(struct decoder *d)
{
	unsigned si = size_index(d->osize);

	decode_modrm(d);
	d->u->a = (uint8_t)(d->reg * 8);
	d->u->b = (uint8_t)(d->rm * 8);
	if (d->osize == 2) /* moves 16 bits */
		d->u->fn = d->is_mem ? ops_mov_rm[1][d->ea] : ops_mov_rr[1];
	else
		d->u->fn = d->is_mem ? ops_movsx_m[2][si][d->ea] : ops_movsx_r[2][si];
	return true;
}

static bool set_fn(struct decoder *d, op_fn *fn)
{
	d->u->fn = fn;
	return true;
}

static bool decode_ret(struct decoder *d, bool with_imm)
{
	d->u->imm = with_imm ? decode_u16(d) : 0;
	d->u->osize = d->mode & MODE_64 ? 8 : d->osize;
	d->u->seg = X86_SS;
	d->ends = true;
	if (d->mode & MODE_64)
		return set_fn(d, with_imm ? op_ret64_i : op_ret64);
	return set_fn(d, op_ret_i);
}

static bool decode_loop(struct decoder *d)
{
	static op_fn *const fns[4] = { op_loopne, op_loope, op_loop, op_jcxz };

	d->u->imm = imm_signed(d, 1);
	d->u->osize = d->mode & MODE_64 ? 8 : d->osize;
	d->u->asize = address_size(d);
	return set_fn(d, fns[d->op & 3]);
}

/* What only exists outside 64-bit code. */
static bool decode_legacy_only(struct decoder *d)
{
	static op_fn *const decimal[4] = { op_daa, op_das, op_aaa, op_aas };

	if (d->mode & MODE_64)
		return false;
	switch (d->op) {
	case 0x27:
	case 0x2f:
	case 0x37:
	case 0x3f:
		return set_fn(d, decimal[d->op >> 3 & 3]);
	case 0x60:
		d->u->osize = d->osize;
		return set_fn(d, op_pusha);
	case 0x61:
		d->u->osize = d->osize;
		return set_fn(d, op_popa);
	case 0xd4:
		d->u->imm = decode_u8(d);
		return set_fn(d, op_aam);
	case 0xd5:
		d->u->imm = decode_u8(d);
		return set_fn(d, op_aad);
	default:
		return set_fn(d, op_salc);
	}
}

static bool decode_accumulator(struct decoder *d)
{
	unsigned size = d->op & 1 ? d->osize : 1, si = size_index(size);

	d->u->a = X86_RAX * 8;
	if (d->op >= 0xa8) {
		d->u->imm = imm_signed(d, size == 8 ? 4 : size);
		return set_fn(d, ops_alu_ri[ALU_TEST][si]);
	}
	/* A0..A3: an absolute offset of the address size */
	d->u->asize = address_size(d);
	d->u->imm = d->u->asize == 8   ? decode_u64(d)
		    : d->u->asize == 4 ? decode_u32(d)
				       : decode_u16(d);
	d->u->seg = operand_seg(d, X86_DS);
	return set_fn(d, d->op < 0xa2 ? ops_movabs_load[si] : ops_movabs_store[si]);
}

/* NOLINTNEXTLINE(readability-function-size): a map of opcodes reads best in one piece */
static bool decode_map0_rest(struct decoder *d)
{
	uint8_t op = d->op;
	unsigned low = (op & 7) | (d->rex & 1 ? 8 : 0);
	unsigned size = op & 1 ? d->osize : 1;

	switch (op) {
	case 0x40 ... 0x4f: /* not in 64-bit code: REX */
		d->u->a = reg_off(d, op & 7, d->osize);
		return set_fn(d, ops_un_r[op < 0x48 ? UN_INC : UN_DEC][size_index(d->osize)]);
	case 0x50 ... 0x57:
		emit_stack_reg(d, low, op_push64_r, op_push_r);
		return true;
	case 0x58 ... 0x5f:
		emit_stack_reg(d, low, op_pop64_r, op_pop_r);
		return true;
	case 0x63:
		return d->mode & MODE_64 ? decode_movsxd(d) : decode_system(d);
	case 0x68:
	case 0x6a:
		d->u->imm = op == 0x6a ? imm_signed(d, 1) : imm_z(d);
		d->u->seg = X86_SS;
		d->u->osize = stack_osize(d);
		return set_fn(d, d->u->osize == 8 ? op_push64_i : op_push_i);
	case 0x69:
	case 0x6b:
		return decode_imul3(d, op == 0x6b);
	case 0x70 ... 0x7f:
		emit_jcc(d, op & 15, imm_signed(d, 1));
		return true;
	case 0x80:
	case 0x81:
	case 0x83:
		decode_modrm(d);
		return emit_alu_imm(d, (enum alu)(d->reg & 7), size,
				    op == 0x81 ? (size == 8 ? 4 : size) : 1);
	case 0x82:
		if (d->mode & MODE_64)
			return false;
		decode_modrm(d);
		return emit_alu_imm(d, (enum alu)(d->reg & 7), 1, 1);
	case 0x84:
	case 0x85:
		return emit_alu_modrm(d, ALU_TEST, size, false);
	case 0x86:
	case 0x87:
		return decode_xchg(d, size);
	case 0x88:
	case 0x89:
		return decode_mov(d, size, false);
	case 0x8a:
	case 0x8b:
		return decode_mov(d, size, true);
	case 0x8d:
		decode_modrm(d);
		d->u->a = (uint8_t)(d->reg * 8);
		return d->is_mem &&
		       set_fn(d, ops_lea[size_index(d->osize)]
					[d->u->asize == 8 && d->ea == EA_G ? EA_X : d->ea]);
	case 0x8f:
		decode_modrm(d);
		if (d->reg & 7)
			return false;
		if (!d->is_mem) {
			emit_stack_reg(d, d->rm, op_pop64_r, op_pop_r);
			return true;
		}
		d->u->osize = stack_osize(d);
		return set_fn(d, op_pop_m);
	case 0x90:
		if (low == 0)
			return set_fn(d, d->rep == 0xf3 ? op_pause : op_nop);
		__attribute__((fallthrough));
	case 0x91 ... 0x97:
		d->u->a = X86_RAX * 8;
		d->u->b = (uint8_t)(low * 8);
		return set_fn(d, ops_xchg_rr[size_index(d->osize)]);
	case 0x98:
		return set_fn(d, d->osize == 2 ? op_cbw : d->osize == 4 ? op_cwde : op_cdqe);
	case 0x99:
		return set_fn(d, d->osize == 2 ? op_cwd : d->osize == 4 ? op_cdq : op_cqo);
	case 0x9e:
		return set_fn(d, op_sahf);
	case 0x9f:
		return set_fn(d, op_lahf);
	case 0xa0 ... 0xa3:
	case 0xa8:
	case 0xa9:
		return decode_accumulator(d);
	case 0xa4 ... 0xa7:
	case 0xaa ... 0xaf:
		return decode_string(d);
	case 0xb0 ... 0xb7:
		d->u->a = decode_reg8(d, low);
		d->u->imm = decode_u8(d);
		return set_fn(d, ops_mov_ri[0]);
	case 0xb8 ... 0xbf:
		d->u->a = (uint8_t)(low * 8);
		d->u->imm = d->osize == 8   ? decode_u64(d)
			    : d->osize == 4 ? decode_u32(d)
					    : decode_u16(d);
		return set_fn(d, ops_mov_ri[size_index(d->osize)]);
	case 0xc0:
	case 0xc1:
		return decode_shift(d, size, 0);
	case 0xd0:
	case 0xd1:
		return decode_shift(d, size, 1);
	case 0xd2:
	case 0xd3:
		return decode_shift(d, size, 2);
	case 0xc2:
	case 0xc3:
		return decode_ret(d, op == 0xc2);
	case 0xc6:
	case 0xc7:
		/* Its immediate counts for the length, which is checked before the opcode. */
		decode_modrm(d);
		d->u->a = reg_off(d, d->rm, size);
		d->u->imm = imm_signed(d, size == 8 ? 4 : size);
		if (d->reg & 7)
			return false;
		return set_fn(d, d->is_mem ? ops_mov_mi[size_index(size)][d->ea]
					   : ops_mov_ri[size_index(size)]);
	case 0xc9:
		d->u->seg = X86_SS;
		d->u->osize = stack_osize(d);
		return set_fn(d, d->u->osize == 8 ? op_leave64 : op_leave);
	case 0xd7:
		d->u->asize = address_size(d);
		d->u->seg = operand_seg(d, X86_DS);
		return set_fn(d, op_xlat);
	case 0xe0 ... 0xe3:
		return decode_loop(d);
	case 0xe8: {
		uint64_t rel =
			d->osize == 2 && !(d->mode & MODE_64) ? imm_signed(d, 2) : imm_signed(d, 4);

		d->ends = true;
		d->u->seg = X86_SS;
		emit_branch(d, rel, op_call_l, d->mode & MODE_64 ? op_call64_f : op_call_f);
		return true;
	}
	case 0xe9:
		d->ends = true;
		emit_branch(d,
			    d->osize == 2 && !(d->mode & MODE_64) ? imm_signed(d, 2)
								  : imm_signed(d, 4),
			    op_jmp_l, op_jmp_f);
		return true;
	case 0xeb:
		d->ends = true;
		emit_branch(d, imm_signed(d, 1), op_jmp_l, op_jmp_f);
		return true;
	case 0xf5:
		return set_fn(d, op_cmc);
	case 0xf6:
	case 0xf7:
		return decode_group3(d, size);
	case 0xf8:
		return set_fn(d, op_clc);
	case 0xf9:
		return set_fn(d, op_stc);
	case 0xfc:
		return set_fn(d, op_cld);
	case 0xfd:
		return set_fn(d, op_std);
	case 0xfe:
		decode_modrm(d);
		return (d->reg & 7) < 2 && decode_inc_dec(d, 1);
	case 0xff:
		return decode_group5(d);
	case 0x27:
	case 0x2f:
	case 0x37:
	case 0x3f:
	case 0x60:
	case 0x61:
	case 0xd4 ... 0xd6:
		return decode_legacy_only(d);
	case 0x9b:
	case 0xd8 ... 0xdf:
		return decode_x87(d);
	default:
		return decode_system(d);
	}
}

static bool decode_map0(struct decoder *d)
{
	uint8_t op = d->op;
	enum alu alu = (enum alu)(op >> 3 & 7);

	if (op >= 0x40 || (op & 7) > 5)
		return decode_map0_rest(d);
	switch (op & 7) {
	case 0:
	case 1:
		return emit_alu_modrm(d, alu, op & 1 ? d->osize : 1, false);
	case 2:
	case 3:
		return emit_alu_modrm(d, alu, op & 1 ? d->osize : 1, true);
	default:
		d->mod = 3;
		d->rm = X86_RAX;
		d->is_mem = false;
		if (op & 1)
			return emit_alu_imm(d, alu, d->osize, d->osize == 2 ? 2 : 4);
		return emit_alu_imm(d, alu, 1, 1);
	}
}

/* ---- 0F ---- */

static bool decode_bit_test(struct decoder *d, unsigned op, bool imm)
{
	unsigned si = size_index(d->osize);

	if (!imm)
		decode_modrm(d);
	d->u->a = (uint8_t)(d->rm * 8);
	d->u->b = (uint8_t)(d->reg * 8);
	if (imm)
		d->u->imm = decode_u8(d);
	if (!d->is_mem)
		return set_fn(d, imm ? ops_bt_ri[op][si] : ops_bt_rr[op][si]);
	if (d->lock && op) {
		d->lock = false;
		return set_fn(d, imm ? ops_bt_lock_mi[op][si] : ops_bt_lock_mr[op][si]);
	}
	return set_fn(d, imm ? ops_bt_mi[op][si] : ops_bt_mr[op][si]);
}

static bool decode_group8(struct decoder *d)
{
	bool ok;

	decode_modrm(d);
	ok = decode_bit_test(d, d->reg & 3u, true);
	return (d->reg & 7) >= 4 && ok;
}

static bool decode_double_shift(struct decoder *d)
{
	unsigned op = d->op >= 0xac, si = size_index(d->osize);

	decode_modrm(d);
	d->u->a = (uint8_t)(d->rm * 8);
	d->u->b = (uint8_t)(d->reg * 8);
	if (d->op & 1)
		return set_fn(d, d->is_mem ? ops_shd_mc[op][si] : ops_shd_rc[op][si]);
	d->u->imm = decode_u8(d);
	return set_fn(d, d->is_mem ? ops_shd_mi[op][si] : ops_shd_ri[op][si]);
}

/* xadd and cmpxchg, locked or not */
static bool decode_exchange(struct decoder *d, op_fn *const rr[4], op_fn *const mr[4])
{
	unsigned size = d->op & 1 ? d->osize : 1, si = size_index(size);

	decode_modrm(d);
	d->u->a = reg_off(d, d->rm, size);
	d->u->b = reg_off(d, d->reg, size);
	if (d->is_mem)
		d->lock = false; /* the handlers lock always */
	return set_fn(d, d->is_mem ? mr[si] : rr[si]);
}

static bool decode_extend(struct decoder *d)
{
	unsigned from = d->op & 1, si = size_index(d->osize);
	unsigned size = from ? 2 : 1;

	decode_modrm(d);
	d->u->a = (uint8_t)(d->reg * 8);
	d->u->b = reg_off(d, d->rm, size);
	if (d->op < 0xb8)
		return set_fn(d, d->is_mem ? ops_movzx_m[from][si][d->ea] : ops_movzx_r[from][si]);
	return set_fn(d, d->is_mem ? ops_movsx_m[from][si][d->ea] : ops_movsx_r[from][si]);
}

static bool decode_scan(struct decoder *d, op_fn *const r[4], op_fn *const m[4])
{
	unsigned si = size_index(d->osize);

	decode_modrm(d);
	d->u->a = (uint8_t)(d->reg * 8);
	d->u->b = (uint8_t)(d->rm * 8);
	return set_fn(d, d->is_mem ? m[si] : r[si]);
}

/* C7: CMPXCHG8B, CMPXCHG16B, RDRAND, RDSEED */
static bool decode_group9(struct decoder *d)
{
	unsigned si = size_index(d->osize);

	decode_modrm(d);
	d->u->a = (uint8_t)(d->rm * 8);
	switch (d->reg & 7) {
	case 1:
		if (!d->is_mem)
			return false;
		d->lock = false;
		if (d->rex & 8)
			return has_feature(d, 1, 'c', 13) && set_fn(d, op_cmpxchg16b);
		return set_fn(d, op_cmpxchg8b);
	case 6:
		return !d->is_mem && d->rep != 0xf3 && has_feature(d, 1, 'c', 30) &&
		       set_fn(d, ops_rdrand[si]);
	case 7:
		return !d->is_mem && d->rep != 0xf3 && has_feature(d, 7, 'b', 18) &&
		       set_fn(d, ops_rdseed[si]);
	default:
		return false;
	}
}

static bool decode_map1(struct decoder *d)
{
	uint8_t op = d->op;
	unsigned cc = op & 15, si = size_index(d->osize);

	switch (op) {
	case 0x0b: /* UD2 */
		d->u->imm = EXC_UD;
		d->ends = true;
		return set_fn(d, op_raise);
	case 0xb9: /* UD1, UD0: with ModRM */
	case 0xff:
		decode_modrm(d);
		d->u->imm = EXC_UD;
		d->ends = true;
		return set_fn(d, op_raise);
	case 0x0d:
	case 0x18 ... 0x1f:
		decode_modrm(d);
		return set_fn(d, op_nop);
	case 0x40 ... 0x4f:
		decode_modrm(d);
		d->u->a = (uint8_t)(d->reg * 8);
		d->u->b = (uint8_t)(d->rm * 8);
		return set_fn(d, d->is_mem ? ops_cmov_rm[cc][si] : ops_cmov_rr[cc][si]);
	case 0x80 ... 0x8f:
		emit_jcc(d, cc,
			 d->osize == 2 && !(d->mode & MODE_64) ? imm_signed(d, 2)
							       : imm_signed(d, 4));
		return true;
	case 0x90 ... 0x9f:
		decode_modrm(d);
		d->u->a = decode_reg8(d, d->rm);
		return set_fn(d, d->is_mem ? ops_setcc_m[cc] : ops_setcc_r[cc]);
	case 0xa3:
	case 0xab:
	case 0xb3:
	case 0xbb:
		return decode_bit_test(d, op >> 3 & 3, false);
	case 0xba:
		return decode_group8(d);
	case 0xa4:
	case 0xa5:
	case 0xac:
	case 0xad:
		return decode_double_shift(d);
	case 0xaf:
		decode_modrm(d);
		d->u->a = (uint8_t)(d->reg * 8);
		d->u->b = (uint8_t)(d->rm * 8);
		return set_fn(d, d->is_mem ? ops_imul_rm[si][d->ea] : ops_imul_rr[si]);
	case 0xb0:
	case 0xb1:
		return decode_exchange(d, ops_cmpxchg_rr, ops_cmpxchg_mr);
	case 0xc0:
	case 0xc1:
		return decode_exchange(d, ops_xadd_rr, ops_xadd_mr);
	case 0xb6:
	case 0xb7:
	case 0xbe:
	case 0xbf:
		return decode_extend(d);
	case 0xb8:
		return d->rep == 0xf3 && has_feature(d, 1, 'c', 23) &&
		       decode_scan(d, ops_popcnt_r, ops_popcnt_m);
	case 0xbc:
		return decode_scan(d, ops_bsf_r, ops_bsf_m);
	case 0xbd:
		return decode_scan(d, ops_bsr_r, ops_bsr_m);
	case 0xc7:
		return decode_group9(d);
	case 0xc8 ... 0xcf:
		d->u->a = (uint8_t)(((op & 7) | (d->rex & 1 ? 8 : 0)) * 8);
		return set_fn(d, d->osize == 8   ? op_bswap64
				 : d->osize == 4 ? op_bswap32
						 : op_bswap16);
	case 0xae:
		if (d->rep == 0xf3 && d->pos < d->avail && d->p[d->pos] >= 0xc0) {
			decode_modrm(d);
			return (d->reg & 7) < 4 && decode_system(d);
		}
		return decode_sse(d);
	case 0x00 ... 0x03:
	case 0x05 ... 0x09:
	case 0x20 ... 0x23:
	case 0x30 ... 0x37:
	case 0xa0 ... 0xa2:
	case 0xa8 ... 0xaa:
	case 0xb2:
	case 0xb4:
	case 0xb5:
		return decode_system(d);
	default:
		return decode_sse(d);
	}
}

/* 0F 38: MOVBE, ADCX, ADOX; the rest are vectors. */
static bool decode_map2(struct decoder *d)
{
	unsigned si = size_index(d->osize);
	bool wide = d->rex & 8;

	if ((d->op == 0xf0 || d->op == 0xf1) && !d->rep && has_feature(d, 1, 'c', 22)) {
		decode_modrm(d);
		d->u->a = d->u->b = (uint8_t)(d->reg * 8);
		return d->is_mem &&
		       set_fn(d, d->op == 0xf0 ? ops_movbe_load[si] : ops_movbe_store[si]);
	}
	if (d->op == 0xf6 && has_feature(d, 7, 'b', 19) && (d->rep == 0xf3 || d->opsize16)) {
		decode_modrm(d);
		d->u->a = (uint8_t)(d->reg * 8);
		d->u->b = (uint8_t)(d->rm * 8);
		if (d->rep == 0xf3 && d->is_mem)
			return set_fn(d, wide ? op_adox_m64 : op_adox_m32);
		if (d->rep == 0xf3)
			return set_fn(d, wide ? op_adox_r64 : op_adox_r32);
		if (d->is_mem)
			return set_fn(d, wide ? op_adcx_m64 : op_adcx_m32);
		return set_fn(d, wide ? op_adcx_r64 : op_adcx_r32);
	}
	return decode_sse(d);
}

/* ---- the whole ---- */

/* Prefixes; returns the first byte of the opcode. */
static uint8_t decode_prefixes(struct decoder *d)
{
	for (;;) {
		uint8_t byte = decode_u8(d);

		if (d->truncated)
			return 0;
		switch (byte) {
		case 0x26:
			d->seg = X86_ES;
			break;
		case 0x2e:
			d->seg = X86_CS;
			break;
		case 0x36:
			d->seg = X86_SS;
			break;
		case 0x3e:
			d->seg = X86_DS;
			break;
		case 0x64:
			d->seg = X86_FS;
			break;
		case 0x65:
			d->seg = X86_GS;
			break;
		case 0x66:
			d->opsize16 = true;
			break;
		case 0x67:
			d->addrsize = true;
			break;
		case 0xf0:
			d->lock = true;
			break;
		case 0xf2:
		case 0xf3:
			d->rep = byte;
			break;
		default:
			if (!(d->mode & MODE_64) || (byte & 0xf0) != 0x40)
				return byte;
			/* REX counts only right before the opcode. */
			d->rex = byte;
			continue;
		}
		d->rex = 0;
	}
}

void emu_decode(struct decoder *d)
{
	uint8_t byte = decode_prefixes(d);
	bool ok;

	if (d->mode & MODE_64)
		d->osize = d->rex & 8 ? 8 : d->opsize16 ? 2 : 4;
	else
		d->osize = !(d->mode & MODE_32) != d->opsize16 ? 2 : 4;
	if (byte == 0x0f) {
		d->map = 1;
		byte = decode_u8(d);
		if (byte == 0x38 || byte == 0x3a) {
			d->map = byte == 0x38 ? 2 : 3;
			byte = decode_u8(d);
		}
	}
	d->op = byte;
	d->u->osize = d->osize;
	d->u->base = d->u->index = R_ZERO * 8;
	ok = !d->truncated && (d->map == 0   ? decode_map0(d)
			       : d->map == 1 ? decode_map1(d)
			       : d->map == 2 ? decode_map2(d)
					     : decode_sse(d));
	if (d->truncated) {
		/* Longer than 15 bytes: #GP. Fewer bytes were there: the caller tries again. */
		d->u->fn = op_gp0;
		d->ends = true;
		return;
	}
	if (!ok || d->lock || !d->u->fn) {
		d->u->fn = op_ud;
		d->ends = true;
		return;
	}
	if (d->rip_relative)
		d->u->disp += (int32_t)(d->u->off + d->pos);
}

unsigned decode_fuse(struct decoder *d, struct uop *uops, unsigned count)
{
	struct uop *jcc = &uops[count], *cmp = jcc - 1;
	unsigned cc = jcc->a & 15;

	if (count == 0 || d->is_mem || jcc->fn != ops_jcc_l[cc])
		return 1;
	for (unsigned i = 0; i < 2; i++) {
		if (cmp->fn == ops_alu_rr[ALU_CMP][2 + i])
			cmp->fn = ops_cmp_rr_jcc[i][cc];
		else if (cmp->fn == ops_alu_ri[ALU_CMP][2 + i])
			cmp->fn = ops_cmp_ri_jcc[i][cc];
		else if (cmp->fn == ops_alu_rr[ALU_TEST][2 + i])
			cmp->fn = ops_test_rr_jcc[i][cc];
	}
	return 1;
}

/* ---- handlers that raise ---- */

const struct uop *op_raise(struct vcpu *v, const struct uop *u)
{
	emu_raise(v, u, (unsigned)u->imm);
}

const struct uop *op_gp0(struct vcpu *v, const struct uop *u)
{
	emu_gp0(v, u);
}

/* Once for each opcode: what a guest tried that is not there. */
static void log_missing(struct vcpu *v, const struct uop *u)
{
	static _Atomic(uint64_t) seen[4 * 256 / 64];
	uint64_t lin = v->seg_base[X86_CS] + v->r[R_RIP] + u->off;
	char text[15 * 3 + 1] = "";
	uint8_t bytes[15] = { 0 };
	struct decoder d = {
		.v = v, .mode = v->mode, .p = bytes, .seg = -1, .u = &(struct uop){ 0 }
	};
	unsigned n;

	for (n = 0; n < u->len && n < 15; n++) {
		uint64_t gpa = emu_translate_debug(v, lin + n);
		const uint8_t *p = gpa == UINT64_MAX ? NULL : mem_ptr(v->mem, gpa, 1);

		if (!p)
			break;
		bytes[n] = *p;
		(void)g_snprintf(text + 3 * n, 4, "%02x ", *p);
	}
	d.avail = n;
	emu_decode(&d);
	n = d.map * 256u + d.op;
	if (atomic_fetch_or(&seen[n / 64], (uint64_t)1 << n % 64) >> n % 64 & 1)
		return;
	log_warning("no such instruction at %#llx: %s(#UD in the guest, told once)",
		    (unsigned long long)v->r[R_RIP] + u->off, text);
}

const struct uop *op_ud(struct vcpu *v, const struct uop *u)
{
	log_missing(v, u);
	emu_ud(v, u);
}
