/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * x87.c - x87 instructions, D8 to DF and 9B, each executed by the host's own x87 unit
 *
 * Intel SDM vol. 1, chapter 8. Three ways to run an instruction:
 *   fast      the instruction stands in the handler, on registers or on guest memory in place
 *   general   by way of a stub, on a buffer: any address, and
 *   exact     the general way while the guest has exceptions unmasked (MODE_X87X): the host's unit
 *             runs with the guest's masks for this one instruction, so it leaves everything as it
 *             must be; what is then pending is only noted in the status word, because the host is
 *             masked again before the next instruction, and #MF is ours to raise.
 *
 * Pointers to the last instruction and operand: as on AMD processors they are kept for FNSTENV; the
 * opcode is kept if the instruction left an exception pending. CR0.NE is not looked at: errors are
 * #MF always, there is no FERR line.
 */
#include "base/bytes.h"
#include "emu/fpu-int.h"

/* ---- fast: registers ---- */

static ALWAYS_INLINE void track(struct vcpu *v, const struct uop *u)
{
	v->fpu.fip = v->r[R_RIP] + u->off;
}

#define PLAIN(op, modrm)                                        \
	OP(x87_##op##_##modrm)                                  \
	{                                                       \
		if (unlikely(!v->fpu.resident))                 \
			return x87_load_retry(v, u);            \
		__asm__ volatile(".byte 0x" #op ", 0x" #modrm); \
		track(v, u);                                    \
		NEXT(v, u);                                     \
	}

#define FCMOV(op, modrm)                                                                         \
	OP(x87_##op##_##modrm)                                                                   \
	{                                                                                        \
		if (unlikely(!v->fpu.resident))                                                  \
			return x87_load_retry(v, u);                                             \
		__asm__ volatile("sahf\n\t.byte 0x" #op ", 0x" #modrm : : "a"(v->flags) : "cc"); \
		track(v, u);                                                                     \
		NEXT(v, u);                                                                      \
	}

#define FCOMI(op, modrm)                                                              \
	OP(x87_##op##_##modrm)                                                        \
	{                                                                             \
		uint16_t flags;                                                       \
		if (unlikely(!v->fpu.resident))                                       \
			return x87_load_retry(v, u);                                  \
		__asm__ volatile(".byte 0x" #op ", 0x" #modrm "\n\tlahf\n\tseto %%al" \
				 : "=a"(flags)                                        \
				 :                                                    \
				 : "cc");                                             \
		v->flags = flags;                                                     \
		track(v, u);                                                          \
		NEXT(v, u);                                                           \
	}

#define LOW(X, op, h) \
	X(op, h##0)   \
	X(op, h##1) X(op, h##2) X(op, h##3) X(op, h##4) X(op, h##5) X(op, h##6) X(op, h##7)
#define HIGH(X, op, h) \
	X(op, h##8)    \
	X(op, h##9) X(op, h##a) X(op, h##b) X(op, h##c) X(op, h##d) X(op, h##e) X(op, h##f)
#define ROW(X, op, h) LOW(X, op, h) HIGH(X, op, h)
#define ALL(X, op)    ROW(X, op, c) ROW(X, op, d) ROW(X, op, e) ROW(X, op, f)

ALL(PLAIN, d8)
ALL(PLAIN, d9)
ROW(FCMOV, da, c)
ROW(FCMOV, da, d)
PLAIN(da, e9)
ROW(FCMOV, db, c)
ROW(FCMOV, db, d)
HIGH(FCOMI, db, e)
LOW(FCOMI, db, f)
ALL(PLAIN, dc)
ROW(PLAIN, dd, c)
ROW(PLAIN, dd, d)
ROW(PLAIN, dd, e)
ALL(PLAIN, de)
ROW(PLAIN, df, c)
ROW(PLAIN, df, d)
HIGH(FCOMI, df, e)
LOW(FCOMI, df, f)

#define ENTRY(op, modrm) [0x##modrm - 0xc0] = x87_##op##_##modrm,
static op_fn *const reg_ops[8][64] = {
	{ ALL(ENTRY, d8) },
	{ ALL(ENTRY, d9) },
	{ ROW(ENTRY, da, c) ROW(ENTRY, da, d) ENTRY(da, e9) },
	{ ROW(ENTRY, db, c) ROW(ENTRY, db, d) HIGH(ENTRY, db, e) LOW(ENTRY, db, f) },
	{ ALL(ENTRY, dc) },
	{ ROW(ENTRY, dd, c) ROW(ENTRY, dd, d) ROW(ENTRY, dd, e) },
	{ ALL(ENTRY, de) },
	{ ROW(ENTRY, df, c) ROW(ENTRY, df, d) HIGH(ENTRY, df, e) LOW(ENTRY, df, f) },
};

/* Holes in the table, besides those that are NULL. */
static bool reg_undefined(unsigned op, unsigned modrm)
{
	switch (op) {
	case 0xd9:
		return (modrm >= 0xd1 && modrm <= 0xd7) || modrm == 0xe2 || modrm == 0xe3 ||
		       modrm == 0xe6 || modrm == 0xe7 || modrm == 0xef;
	case 0xde:
		return modrm >= 0xd8 && modrm <= 0xdf && modrm != 0xd9;
	default:
		return reg_ops[op & 7][modrm - 0xc0] == NULL;
	}
}

/* ---- general and exact ---- */

/* Stubs of 8 bytes that jump back by R8: 512 register forms, then 64 memory forms on (%rdi). */
__asm__(".pushsection .text.emu_stubs, \"ax\", @progbits\n\t.balign 8\n"
	"x87_stubs:\n\t.set x87_i, 0\n\t.rept 512\n\t"
	".byte 0xd8 + (x87_i >> 6), 0xc0 + (x87_i & 63)\n\tjmp *%r8\n\t.balign 8\n\t"
	".set x87_i, x87_i + 1\n\t.endr\n"
	"x87_mem_stubs:\n\t.set x87_i, 0\n\t.rept 64\n\t"
	".byte 0xd8 + (x87_i >> 3), ((x87_i & 7) << 3) + 7\n\tjmp *%r8\n\t.balign 8\n\t"
	".set x87_i, x87_i + 1\n\t.endr\n\t.popsection");
enum {
	X87_STUB_SIZE = 8
};
extern const uint8_t x87_stubs[] __asm__("x87_stubs") __attribute__((visibility("hidden")));
extern const uint8_t x87_mem_stubs[] __asm__("x87_mem_stubs") __attribute__((visibility("hidden")));

/* u->imm: bits 10:0 as in the FOP register, the low bits of the opcode and ModRM. */
static const uint8_t *stub_of(const struct uop *u)
{
	unsigned op = u->imm >> 8 & 7, modrm = u->imm & 0xff;

	if (modrm >= 0xc0)
		return x87_stubs + X87_STUB_SIZE * (op * 64 + (modrm & 63));
	return x87_mem_stubs + X87_STUB_SIZE * (op * 8 + (modrm >> 3 & 7));
}

static uint16_t run_stub(const uint8_t *stub, void *operand, uint16_t flags)
{
	uint32_t ax = flags;

	__asm__ volatile("sahf\n\tleaq 1f(%%rip), %%r8\n\tjmp *%1\n1:\tlahf\n\tseto %%al"
			 : "+a"(ax)
			 : "r"(stub), "D"(operand)
			 : "r8", "cc", "memory");
	return (uint16_t)ax;
}

/* Run it on @operand. Return: exceptions that keep the result from being stored to memory. */
static unsigned run(struct vcpu *v, const struct uop *u, void *operand, uint64_t fdp)
{
	unsigned op = u->imm >> 8 & 7, modrm = u->imm & 0xff;
	bool sets_flags = (op == 3 || op == 7) && modrm >= 0xe8;
	uint16_t flags, sw, masked;

	if (!(v->mode & MODE_X87X)) {
		flags = run_stub(stub_of(u), operand, v->flags);
		sw = 0;
	} else {
		__asm__ volatile("fldcw %0" : : "m"(v->fpu.cw));
		flags = run_stub(stub_of(u), operand, v->flags);
		__asm__ volatile("fnstsw %0" : "=m"(sw));
		if (sw & SW_ES) {
			x87_mask_again(v);
			v->fpu.fop = u->imm & 0x7ff;
		} else {
			masked = v->fpu.cw | CW_MASKS;
			__asm__ volatile("fldcw %0" : : "m"(masked));
		}
	}
	if (sets_flags)
		v->flags = flags;
	track(v, u);
	if (modrm < 0xc0)
		v->fpu.fdp = fdp;
	return sw & ~v->fpu.cw & 0x1f; /* all but precision */
}

OP(x87_reg_G)
{
	x87_load(v);
	if (v->mode & MODE_X87X)
		x87_check_pending(v, u);
	(void)run(v, u, NULL, 0);
	NEXT(v, u);
}

/* Bytes of the memory operand, by opcode and ModRM.reg; environments are not here. */
static const uint8_t operand_sizes[8][8] = {
	{ 4, 4, 4, 4, 4, 4, 4, 4 },   { 4, 0, 4, 4, 0, 2, 0, 2 },   { 4, 4, 4, 4, 4, 4, 4, 4 },
	{ 4, 4, 4, 4, 0, 10, 0, 10 }, { 8, 8, 8, 8, 8, 8, 8, 8 },   { 8, 8, 8, 8, 0, 0, 0, 2 },
	{ 2, 2, 2, 2, 2, 2, 2, 2 },   { 2, 2, 2, 2, 10, 8, 10, 8 },
};

static unsigned operand_size(const struct uop *u)
{
	return operand_sizes[u->imm >> 8 & 7][u->imm >> 3 & 7];
}

/* Ten bytes in 64-bit code are two accesses: if both fault, the one of the low eight counts. */
static uint64_t operand_linear(struct vcpu *v, const struct uop *u, unsigned size, bool write)
{
	if (size == 10 && v->mode & MODE_64) {
		uint64_t lin = emu_ea_G(v, u, 8, write);

		if (write)
			emu_probe_write(v, u, lin, 8);
		else
			emu_probe_read(v, u, lin, 8);
	}
	return emu_ea_G(v, u, size, write);
}

NOINLINE OP(x87_load_G)
{
	unsigned size = operand_size(u);
	uint8_t buf[16];
	uint64_t lin;

	x87_load(v);
	if (v->mode & MODE_X87X)
		x87_check_pending(v, u);
	lin = operand_linear(v, u, size, false);
	emu_load_bytes(v, u, lin, size, buf);
	(void)run(v, u, buf, emu_ea_offset(v, u));
	NEXT_RETURN(u);
}

NOINLINE OP(x87_store_G)
{
	unsigned size = operand_size(u);
	uint8_t buf[16];
	uint64_t lin;

	x87_load(v);
	if (v->mode & MODE_X87X)
		x87_check_pending(v, u);
	lin = operand_linear(v, u, size, true);
	emu_probe_write(v, u, lin, size);
	if (run(v, u, buf, emu_ea_offset(v, u)) == 0)
		emu_store_bytes(v, u, lin, size, buf);
	NEXT_RETURN(u);
}

/* ---- fast: memory ---- */

struct u80_any {
	uint8_t v[10];
};

#define LOAD_FAST(insn, bits, K)                                                   \
	OP(x87_##insn##_##K)                                                       \
	{                                                                          \
		uint64_t lin = emu_ea_##K(v, u);                                   \
		const struct u##bits##_any *p = emu_host_read(v, lin, sizeof(*p)); \
		if (unlikely(!p || !v->fpu.resident))                              \
			return x87_load_G(v, u);                                   \
		__asm__ volatile(#insn " %0" : : "m"(*p));                         \
		track(v, u);                                                       \
		v->fpu.fdp = lin;                                                  \
		NEXT(v, u);                                                        \
	}
#define LOAD(insn, bits)         \
	LOAD_FAST(insn, bits, B) \
	LOAD_FAST(insn, bits, X)

#define STORE_FAST(insn, bits, K)                                             \
	OP(x87_##insn##_##K)                                                  \
	{                                                                     \
		uint64_t lin = emu_ea_##K(v, u);                              \
		struct u##bits##_any *p = emu_host_write(v, lin, sizeof(*p)); \
		if (unlikely(!p || !v->fpu.resident))                         \
			return x87_store_G(v, u);                             \
		__asm__ volatile(#insn " %0" : "=m"(*p));                     \
		track(v, u);                                                  \
		v->fpu.fdp = lin;                                             \
		NEXT(v, u);                                                   \
	}
#define STORE(insn, bits)         \
	STORE_FAST(insn, bits, B) \
	STORE_FAST(insn, bits, X)

/* The formatter takes a list of macros for one statement. */
/* clang-format off */
#define ARITH(LOAD_, s, i, fbits, ibits)                        \
	LOAD_(fadd##s, fbits) LOAD_(fmul##s, fbits)             \
	LOAD_(fcom##s, fbits) LOAD_(fcomp##s, fbits)            \
	LOAD_(fsub##s, fbits) LOAD_(fsubr##s, fbits)            \
	LOAD_(fdiv##s, fbits) LOAD_(fdivr##s, fbits)            \
	LOAD_(fiadd##i, ibits) LOAD_(fimul##i, ibits)           \
	LOAD_(ficom##i, ibits) LOAD_(ficomp##i, ibits)          \
	LOAD_(fisub##i, ibits) LOAD_(fisubr##i, ibits)          \
	LOAD_(fidiv##i, ibits) LOAD_(fidivr##i, ibits)
/* clang-format on */

/* After a suffix: s is 32 bits of floating point or 16 of integer, l is 64 or 32. */
ARITH(LOAD, s, l, 32, 32)
ARITH(LOAD, l, s, 64, 16)
LOAD(flds, 32)
STORE(fsts, 32)
STORE(fstps, 32)
LOAD(fildl, 32)
STORE(fisttpl, 32)
STORE(fistl, 32)
STORE(fistpl, 32)
LOAD(fldt, 80)
STORE(fstpt, 80)
LOAD(fldl, 64)
STORE(fisttpll, 64)
STORE(fstl, 64)
STORE(fstpl, 64)
LOAD(filds, 16)
STORE(fisttps, 16)
STORE(fists, 16)
STORE(fistps, 16)
LOAD(fildll, 64)
STORE(fistpll, 64)

#define L(insn)                                            \
	{                                                  \
		x87_##insn##_B, x87_##insn##_X, x87_load_G \
	}
#define S(insn)                                             \
	{                                                   \
		x87_##insn##_B, x87_##insn##_X, x87_store_G \
	}
#define EIGHT(p, s)                                                                           \
	L(p##add##s), L(p##mul##s), L(p##com##s), L(p##comp##s), L(p##sub##s), L(p##subr##s), \
		L(p##div##s), L(p##divr##s)
static op_fn *const mem_ops[8][8][3] = {
	{ EIGHT(f, s) },
	{ L(flds),
	  { NULL },
	  S(fsts),
	  S(fstps),
	  MEM1(x87_fldenv),
	  MEM1(x87_fldcw),
	  MEM1(x87_fnstenv),
	  MEM1(x87_fnstcw) },
	{ EIGHT(fi, l) },
	{ L(fildl), S(fisttpl), S(fistl), S(fistpl), { NULL }, L(fldt), { NULL }, S(fstpt) },
	{ EIGHT(f, l) },
	{ L(fldl),
	  S(fisttpll),
	  S(fstl),
	  S(fstpl),
	  MEM1(x87_frstor),
	  { NULL },
	  MEM1(x87_fnsave),
	  MEM1(x87_fnstsw) },
	{ EIGHT(fi, s) },
	{ L(filds), S(fisttps), S(fists), S(fistps), MEM1(x87_load_G), L(fildll), MEM1(x87_store_G),
	  S(fistpll) },
};

/* ---- decoding ---- */

/* FENI, FDISI, FSETPM: of the 8087 and 80287 */
OP(x87_nop)
{
	NEXT(v, u);
}

OP(op_fwait)
{
	if ((v->cr0 & (CR0_MP | CR0_TS)) == (CR0_MP | CR0_TS))
		emu_raise(v, u, EXC_NM);
	if (v->mode & MODE_X87X)
		x87_check_pending(v, u);
	NEXT(v, u);
}

static op_fn *control_op(unsigned op, unsigned modrm)
{
	if (op == 0xdf && modrm == 0xe0)
		return x87_fnstsw_ax;
	if (op != 0xdb)
		return NULL;
	switch (modrm) {
	case 0xe0:
	case 0xe1:
	case 0xe4:
		return x87_nop;
	case 0xe2:
		return x87_fnclex;
	case 0xe3:
		return x87_fninit;
	default:
		return NULL;
	}
}

bool decode_x87(struct decoder *d)
{
	struct uop *u = d->u;
	unsigned modrm;

	if (d->op == 0x9b) {
		u->fn = op_fwait;
		return true;
	}
	decode_modrm(d);
	modrm = d->mod << 6 | (d->reg & 7u) << 3 | (d->rm & 7u);
	u->imm = (d->op & 7u) << 8 | modrm;
	u->osize = d->osize;
	if (d->is_mem) {
		if (d->mode & MODE_X87X)
			d->ea = EA_G; /* exact */
		u->fn = decode_pick(d, mem_ops[d->op & 7][d->reg & 7]);
	} else {
		u->fn = control_op(d->op, modrm);
		if (!u->fn) {
			u->fn = reg_undefined(d->op, modrm) ? NULL
				: d->mode & MODE_X87X       ? x87_reg_G
							    : reg_ops[d->op & 7][modrm - 0xc0];
		}
	}
	if (!u->fn)
		return false;
	if (d->mode & MODE_NM) {
		u->fn = op_raise;
		u->imm = EXC_NM;
	}
	return true;
}
