/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sse.c - decoding of MMX and SSE, and of what else the integer decoder leaves of the 0F maps
 */
#include "emu/fpu-int.h"

#include <cpuid.h>

/* [map - 1][prefix][opcode]: 1 + position in the tables laid end to end, 0 for nothing. */
static uint16_t op_index[3][4][256];
static bool host_has_sha, host_has_aes, host_has_clmul;
static pthread_once_t op_index_once = PTHREAD_ONCE_INIT;

static const struct {
	const struct sse_op *ops;
	const unsigned *count;
} tables[] = {
	{ sse_move_ops, &sse_move_count },
	{ sse_int_ops, &sse_int_count },
	{ sse_fp_ops, &sse_fp_count },
};

static void build_index(void)
{
	unsigned position = 0;
	uint32_t a = 0, b = 0, c = 0, d = 0;

	for (unsigned t = 0; t < ARRAY_SIZE(tables); t++)
		for (unsigned i = 0; i < *tables[t].count; i++) {
			const struct sse_op *e = &tables[t].ops[i];
			uint16_t *slot = &op_index[e->map - 1][e->prefix][e->op];

			position++;
			if (*slot == 0)
				*slot = (uint16_t)position;
			else /* the second form, which follows the first */
				assert(*slot == position - 1 && (e[-1].form & F_W));
		}

	if (__get_cpuid(1, &a, &b, &c, &d)) {
		host_has_aes = (c & bit_AES) != 0;
		host_has_clmul = (c & bit_PCLMUL) != 0;
	}
	if (__get_cpuid_count(7, 0, &a, &b, &c, &d))
		host_has_sha = (b & bit_SHA) != 0;
}

void sse_init(void)
{
	(void)pthread_once(&op_index_once, build_index);
}

static const struct sse_op *find_op(unsigned map, unsigned prefix, unsigned op)
{
	unsigned position = op_index[map - 1][prefix][op];

	if (position == 0)
		return NULL;
	position--;
	for (unsigned t = 0; t < ARRAY_SIZE(tables); t++) {
		if (position < *tables[t].count)
			return &tables[t].ops[position];
		position -= *tables[t].count;
	}
	return NULL;
}

/* The instruction is there, but this mode has another answer. */
static bool raise_instead(struct decoder *d, unsigned vector)
{
	d->u->fn = op_raise;
	d->u->imm = vector;
	return true;
}

static uint8_t operand(unsigned kind, unsigned number)
{
	switch (kind) {
	case A_X:
		return (uint8_t)(number * 16);
	case A_M:
		return (uint8_t)((number & 7) * 16);
	default:
		return (uint8_t)(number * 8);
	}
}

static bool host_lacks(unsigned form)
{
	return ((form & F_AES) && !host_has_aes) || ((form & F_CLMUL) && !host_has_clmul) ||
	       ((form & F_SHA) && !host_has_sha);
}

/* MASKMOVQ, MASKMOVDQU: the memory operand is DS:rDI. */
static void address_by_rdi(struct decoder *d)
{
	struct uop *u = d->u;

	u->base = X86_RDI * 8;
	u->index = R_ZERO * 8;
	u->scale = 0;
	u->disp = 0;
	u->seg = X86_DS;
	if (d->seg >= 0 && (!(d->mode & MODE_64) || d->seg == X86_FS || d->seg == X86_GS))
		u->seg = (uint8_t)d->seg;
	if (d->mode & MODE_64)
		u->asize = d->addrsize ? 4 : 8;
	else
		u->asize = ((d->mode & MODE_32) != 0) != d->addrsize ? 4 : 2;
}

static bool decode_table(struct decoder *d, const struct sse_op *e)
{
	struct uop *u = d->u;
	bool uses_xmm, uses_mm;
	unsigned kind_a, kind_b;

	decode_modrm(d);
	if (e->form & F_IMM)
		u->imm = decode_u8(d);
	if ((e->form & F_W) && (d->rex & 8))
		e++;
	if (host_lacks(e->form))
		return false;

	kind_a = e->form & 3;
	kind_b = e->form >> 2 & 3;
	u->a = operand(kind_a, e->form & F_STORE ? d->rm : d->reg);
	u->b = operand(kind_b, e->form & F_STORE ? d->reg : d->rm);
	u->osize = d->rex & 8 ? 8 : 4;
	if (e->stub) {
		if (e->map == 3 && e->op == 0x21 && d->is_mem)
			u->imm &= 0x3f; /* INSERTPS: memory has one element */
		u->imm = (uintptr_t)(e->stub + u->imm * STUB_SIZE);
	}

	if (!d->is_mem)
		u->fn = e->reg;
	else
		u->fn = decode_pick(d, e->mem);
	if (!u->fn)
		return false;
	if ((d->mode & MODE_XM) && (d->is_mem ? e->xmem : e->xreg))
		u->fn = d->is_mem ? e->xmem : e->xreg;
	if (e->map == 1 && e->op == 0xf7)
		address_by_rdi(d);

	if (e->form & F_NOFPU)
		return true;
	uses_xmm = kind_a == A_X || kind_b == A_X;
	uses_mm = kind_a == A_M || kind_b == A_M;
	if ((uses_xmm && (d->mode & MODE_NOSSE)) || (uses_mm && (d->mode & MODE_EM)))
		return raise_instead(d, EXC_UD);
	if (d->mode & MODE_NM)
		return raise_instead(d, EXC_NM);
	return true;
}

/* ---- CRC32 ---- */

#define CRC32(name, type, suffix, regs)                                             \
	DO(name, uint64_t, type)                                                    \
	{                                                                           \
		uint64_t crc = *d;                                                  \
		UNUSED_V_U;                                                         \
		__asm__("crc32" suffix " %1, %" regs "0" : "+r"(crc) : "rm"(s->v)); \
		*d = crc;                                                           \
	}                                                                           \
	OPS_REG(name, type, DST_G, SRC_G)                                           \
	OPS_MEM(name, type, DST_G, sizeof(type), 0)

CRC32(crc32_8, struct u8_any, "b", "k")
CRC32(crc32_16, struct u16_any, "w", "k")
CRC32(crc32_32, struct u32_any, "l", "k")
CRC32(crc32_64, struct u64_any, "q", "")

static bool decode_crc32(struct decoder *d)
{
	static op_fn *const regs[] = { crc32_8_r, crc32_16_r, crc32_32_r, crc32_64_r };
	static op_fn *const mems[][3] = { MEM3(crc32_8), MEM3(crc32_16), MEM3(crc32_32),
					  MEM3(crc32_64) };
	unsigned size;

	decode_modrm(d);
	size = d->op == 0xf0 ? 0 : d->osize == 2 ? 1 : d->osize == 4 ? 2 : 3;
	d->u->a = (uint8_t)(d->reg * 8);
	d->u->b = size == 0 && !d->is_mem ? decode_reg8(d, d->rm) : (uint8_t)(d->rm * 8);
	d->u->fn = d->is_mem ? decode_pick(d, mems[size]) : regs[size];
	return true;
}

/* ---- fences and cache lines ---- */

OP(op_mfence)
{
	atomic_thread_fence(memory_order_seq_cst);
	NEXT(v, u);
}

OP(op_lfence)
{
	__asm__ volatile("lfence" : : : "memory");
	NEXT(v, u);
}

OP(op_sfence)
{
	__asm__ volatile("sfence" : : : "memory");
	NEXT(v, u);
}

/* CLFLUSH, CLFLUSHOPT, CLWB: guest memory is coherent; what is left is that they can fault. */
OP(op_clflush)
{
	emu_probe_read(v, u, emu_ea_G(v, u, 1, false), 1);
	NEXT(v, u);
}

/* 0F AE; F3 with a register operand is not ours. */
static bool decode_ae(struct decoder *d)
{
	static op_fn *const state[] = {
		fpu_fxsave, fpu_fxrstor, fpu_ldmxcsr, fpu_stmxcsr, fpu_xsave, fpu_xrstor, fpu_xsave,
	};
	unsigned digit;

	decode_modrm(d);
	digit = d->reg & 7;
	if (d->rep)
		return false;
	if (!d->is_mem) {
		d->u->fn = digit == 5 ? op_lfence : digit == 6 ? op_mfence : op_sfence;
		return digit >= 5 && !d->opsize16;
	}
	if (digit == 7 || (digit == 6 && d->opsize16)) {
		d->u->fn = op_clflush;
		return true;
	}
	if (d->opsize16)
		return false;

	d->u->fn = state[digit];
	d->u->osize = d->rex & 8 ? 8 : 4;
	if ((digit == 2 || digit == 3) && (d->mode & MODE_NOSSE))
		return raise_instead(d, EXC_UD);
	if (digit <= 3 && (d->mode & MODE_NM))
		return raise_instead(d, EXC_NM);
	return true;
}

static bool decode_emms(struct decoder *d)
{
	if (d->rep || d->opsize16)
		return false;
	d->u->fn = fpu_emms;
	if (d->mode & MODE_EM)
		return raise_instead(d, EXC_UD);
	if (d->mode & MODE_NM)
		return raise_instead(d, EXC_NM);
	return true;
}

bool decode_sse(struct decoder *d)
{
	unsigned prefix = d->rep == 0xf3 ? PF3 : d->rep == 0xf2 ? PF2 : d->opsize16 ? P66 : NP;
	const struct sse_op *e;

	if (d->map < 1 || d->map > 3)
		return false;
	if (d->map == 1) {
		if (d->op >= 0x71 && d->op <= 0x73) {
			if (!decode_shift_imm(d))
				return false;
			if (d->mode & (d->opsize16 ? MODE_NOSSE : MODE_EM))
				return raise_instead(d, EXC_UD);
			return d->mode & MODE_NM ? raise_instead(d, EXC_NM) : true;
		}
		if (d->op == 0x77)
			return decode_emms(d);
		if (d->op == 0xae)
			return decode_ae(d);
	}
	if (d->map == 2 && (d->op == 0xf0 || d->op == 0xf1))
		return d->rep == 0xf2 ? decode_crc32(d) : false;

	e = find_op(d->map, prefix, d->op);
	return e && decode_table(d, e);
}
