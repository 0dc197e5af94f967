/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * generate.c - random instructions from a table of opcode forms, and random states
 *
 * Registers have habits, so that most memory operands hit the data pages: RBX, RBP, RSI, RDI, R12
 * and R13 start as pointers, R14 and R15 as small numbers, and they are seldom written to.
 *
 * Instructions that make sense behind others only come in pieces: POPF, IRET and far returns with
 * what they take from the stack, FXRSTOR with an image that it accepts. What FXSAVE and XSAVE store
 * of the processor's own is overwritten.
 *
 * Left out, because both sides may rightly differ: INT1 (a host that is a guest itself reports it as
 * a fault); what reads system tables, time or random
 * numbers; loads of segment registers; system calls; VEX and EVEX, SSE4A, BMI, and others that are
 * not offered.
 */
#include "diff.h"

#include <string.h>

enum {
	MR = 1 << 0,  /* ModRM */
	MEM = 1 << 1, /* memory operand only */
	REG = 1 << 2, /* register operand only */
	I8 = 1 << 3,  /* immediate byte */
	I16 = 1 << 4,
	IZ = 1 << 5,   /* 2 or 4 bytes by operand size */
	IV = 1 << 6,   /* 2, 4 or 8 bytes */
	LOCK = 1 << 7, /* sometimes with LOCK */
	REP = 1 << 8,
	SKIP8 = 1 << 9, /* a branch over instructions, 8 bits */
	SKIP32 = 1 << 10,
	OS = 1 << 11,    /* operand size by 66 and REX.W */
	W = 1 << 12,     /* REX.W means something */
	MOFFS = 1 << 13, /* absolute address */
	RARE = 1 << 14,
	X87 = 1 << 15,
};

/* Mandatory prefixes that are offered: none, 66, F3, F2. */
enum {
	N = 1,
	S = 2,
	T = 4,
	U = 8,
	ALL4 = 15,
	NS = 3
};

struct form {
	uint8_t map, first, last;
	uint8_t prefixes;
	uint32_t flags;
	uint8_t digits; /* allowed values of ModRM.reg as a mask, 0: a register */
};

static const struct form integer_forms[] = {
	{ 0, 0x00, 0x03, N, MR | OS | LOCK, 0 },
	{ 0, 0x08, 0x0b, N, MR | OS | LOCK, 0 },
	{ 0, 0x10, 0x13, N, MR | OS | LOCK, 0 },
	{ 0, 0x18, 0x1b, N, MR | OS | LOCK, 0 },
	{ 0, 0x20, 0x23, N, MR | OS | LOCK, 0 },
	{ 0, 0x28, 0x2b, N, MR | OS | LOCK, 0 },
	{ 0, 0x30, 0x33, N, MR | OS | LOCK, 0 },
	{ 0, 0x38, 0x3b, N, MR | OS, 0 },
	{ 0, 0x04, 0x04, N, I8, 0 },
	{ 0, 0x05, 0x05, N, IZ | OS, 0 },
	{ 0, 0x0c, 0x0c, N, I8, 0 },
	{ 0, 0x0d, 0x0d, N, IZ | OS, 0 },
	{ 0, 0x14, 0x14, N, I8, 0 },
	{ 0, 0x15, 0x15, N, IZ | OS, 0 },
	{ 0, 0x1c, 0x1c, N, I8, 0 },
	{ 0, 0x1d, 0x1d, N, IZ | OS, 0 },
	{ 0, 0x24, 0x24, N, I8, 0 },
	{ 0, 0x25, 0x25, N, IZ | OS, 0 },
	{ 0, 0x2c, 0x2c, N, I8, 0 },
	{ 0, 0x2d, 0x2d, N, IZ | OS, 0 },
	{ 0, 0x34, 0x34, N, I8, 0 },
	{ 0, 0x35, 0x35, N, IZ | OS, 0 },
	{ 0, 0x3c, 0x3c, N, I8, 0 },
	{ 0, 0x3d, 0x3d, N, IZ | OS, 0 },
	{ 0, 0x50, 0x57, N, OS, 0 },
	{ 0, 0x58, 0x5f, N, OS | RARE, 0 },
	{ 0, 0x63, 0x63, N, MR | W, 0 }, /* with 66: 16 bits are read, AMD: 32 */
	{ 0, 0x68, 0x68, N, IZ | OS, 0 },
	{ 0, 0x69, 0x69, N, MR | IZ | OS, 0 },
	{ 0, 0x6a, 0x6a, N, I8 | OS, 0 },
	{ 0, 0x6b, 0x6b, N, MR | I8 | OS, 0 },
	{ 0, 0x6c, 0x6f, N, RARE, 0 },
	{ 0, 0x70, 0x7f, N, SKIP8, 0 },
	{ 0, 0x80, 0x80, N, MR | I8 | LOCK, 0xff },
	{ 0, 0x81, 0x81, N, MR | IZ | OS | LOCK, 0xff },
	{ 0, 0x83, 0x83, N, MR | I8 | OS | LOCK, 0xff },
	{ 0, 0x84, 0x8b, N, MR | OS, 0 },
	{ 0, 0x86, 0x87, N, MR | OS | LOCK, 0 },
	{ 0, 0x8c, 0x8c, N, MR | OS, 0x3f }, /* selectors are those of Linux */
	{ 0, 0x8d, 0x8d, N, MR | MEM | OS, 0 },
	{ 0, 0x8f, 0x8f, N, MR | OS, 1 },
	{ 0, 0x90, 0x97, N, OS | RARE, 0 },
	{ 0, 0x98, 0x99, N, OS, 0 },
	{ 0, 0x9c, 0x9c, N, OS, 0 },
	{ 0, 0x9e, 0x9f, N, 0, 0 },
	{ 0, 0xa0, 0xa3, N, MOFFS | OS, 0 },
	{ 0, 0xa4, 0xa7, N, REP | OS, 0 },
	{ 0, 0xa8, 0xa8, N, I8, 0 },
	{ 0, 0xa9, 0xa9, N, IZ | OS, 0 },
	{ 0, 0xaa, 0xaf, N, REP | OS, 0 },
	{ 0, 0xb0, 0xb7, N, I8, 0 },
	{ 0, 0xb8, 0xbf, N, IV | OS | RARE, 0 },
	{ 0, 0xc0, 0xc1, N, MR | I8 | OS, 0xff },
	{ 0, 0xc2, 0xc2, N, I16 | RARE, 0 },
	{ 0, 0xc3, 0xc3, N, RARE, 0 },
	{ 0, 0xc6, 0xc6, N, MR | I8, 1 },
	{ 0, 0xc7, 0xc7, N, MR | IZ | OS, 1 },
	{ 0, 0xc8, 0xc8, N, I16 | I8 | RARE, 0 },
	{ 0, 0xc9, 0xc9, N, OS | RARE, 0 },
	{ 0, 0xcc, 0xcc, N, RARE, 0 },
	{ 0, 0xd0, 0xd3, N, MR | OS, 0xff },
	{ 0, 0xd7, 0xd7, N, 0, 0 },
	{ 0, 0xe0, 0xe3, N, SKIP8, 0 },
	{ 0, 0xe4, 0xe7, N, I8 | RARE, 0 },
	{ 0, 0xec, 0xef, N, RARE, 0 },
	{ 0, 0xe8, 0xe9, N, SKIP32, 0 },
	{ 0, 0xeb, 0xeb, N, SKIP8, 0 },
	{ 0, 0xf4, 0xf4, N, RARE, 0 },
	{ 0, 0xf5, 0xf5, N, 0, 0 },
	{ 0, 0xf6, 0xf6, N, MR | I8, 3 },
	{ 0, 0xf7, 0xf7, N, MR | IZ | OS, 3 },
	{ 0, 0xf6, 0xf7, N, MR | OS | LOCK, 0x0c },
	{ 0, 0xf6, 0xf7, N, MR | OS, 0x30 },
	{ 0, 0xf6, 0xf7, N, MR | OS, 0xc0 },
	{ 0, 0xf8, 0xf9, N, 0, 0 },
	{ 0, 0xfa, 0xfb, N, RARE, 0 },
	{ 0, 0xfc, 0xfd, N, 0, 0 },
	{ 0, 0xfe, 0xff, N, MR | OS | LOCK, 3 },
	{ 0, 0xff, 0xff, N, MR | OS, 0x40 },
	{ 0, 0xff, 0xff, N, MR | RARE, 0x14 },
	{ 1, 0x0b, 0x0b, N, RARE, 0 },
	{ 1, 0x0d, 0x0d, N, MR | MEM, 3 },
	{ 1, 0x18, 0x1f, N, MR | OS, 0 },
	{ 1, 0x40, 0x4f, N, MR | OS, 0 },
	{ 1, 0x80, 0x8f, N, SKIP32, 0 },
	{ 1, 0x90, 0x9f, N, MR, 0 },
	{ 1, 0xa0, 0xa0, N, OS | RARE, 0 },
	{ 1, 0xa8, 0xa8, N, OS | RARE, 0 },
	{ 1, 0xa3, 0xa3, N, MR | OS, 0 },
	{ 1, 0xab, 0xab, N, MR | OS | LOCK, 0 },
	{ 1, 0xb3, 0xb3, N, MR | OS | LOCK, 0 },
	{ 1, 0xbb, 0xbb, N, MR | OS | LOCK, 0 },
	{ 1, 0xa4, 0xa4, N, MR | I8 | OS, 0 },
	{ 1, 0xa5, 0xa5, N, MR | OS, 0 },
	{ 1, 0xac, 0xac, N, MR | I8 | OS, 0 },
	{ 1, 0xad, 0xad, N, MR | OS, 0 },
	{ 1, 0xaf, 0xaf, N, MR | OS, 0 },
	{ 1, 0xb0, 0xb1, N, MR | OS | LOCK, 0 },
	{ 1, 0xb6, 0xb7, N, MR | OS, 0 },
	{ 1, 0xb8, 0xb8, T, MR | OS, 0 },
	{ 1, 0xba, 0xba, N, MR | I8 | OS | LOCK, 0xf0 },
	{ 1, 0xbc, 0xbd, N, MR | OS, 0 },
	{ 1, 0xbe, 0xbf, N, MR | OS, 0 },
	{ 1, 0xc0, 0xc1, N, MR | OS | LOCK, 0 },
	{ 1, 0xc3, 0xc3, N, MR | MEM | W, 0 },
	{ 1, 0xc7, 0xc7, N, MR | MEM | LOCK | W, 2 },
	{ 1, 0xc8, 0xcf, N, OS | RARE, 0 },
	{ 2, 0xf0, 0xf1, N, MR | MEM | OS, 0 },
	{ 2, 0xf0, 0xf1, U, MR | OS, 0 },
	{ 2, 0xf6, 0xf6, S | T, MR | W, 0 },
};

static const struct form vector_forms[] = {
	{ 1, 0x10, 0x11, ALL4, MR, 0 },
	{ 1, 0x12, 0x12, ALL4, MR, 0 },
	{ 1, 0x13, 0x13, NS, MR | MEM, 0 },
	{ 1, 0x14, 0x15, NS, MR, 0 },
	{ 1, 0x16, 0x16, N | S | T, MR, 0 },
	{ 1, 0x17, 0x17, NS, MR | MEM, 0 },
	{ 1, 0x28, 0x29, NS, MR, 0 },
	{ 1, 0x2a, 0x2a, ALL4, MR | W, 0 },
	{ 1, 0x2b, 0x2b, NS, MR | MEM, 0 },
	{ 1, 0x2c, 0x2d, ALL4, MR | W, 0 },
	{ 1, 0x2e, 0x2f, NS, MR, 0 },
	{ 1, 0x50, 0x50, NS, MR | REG, 0 },
	{ 1, 0x51, 0x51, ALL4, MR, 0 },
	{ 1, 0x52, 0x53, N | T, MR, 0 },
	{ 1, 0x54, 0x57, NS, MR, 0 },
	{ 1, 0x58, 0x59, ALL4, MR, 0 },
	{ 1, 0x5a, 0x5a, ALL4, MR, 0 },
	{ 1, 0x5b, 0x5b, N | S | T, MR, 0 },
	{ 1, 0x5c, 0x5f, ALL4, MR, 0 },
	{ 1, 0x60, 0x6b, NS, MR, 0 },
	{ 1, 0x6c, 0x6d, S, MR, 0 },
	{ 1, 0x6e, 0x6e, NS, MR | W, 0 },
	{ 1, 0x6f, 0x6f, N | S | T, MR, 0 },
	{ 1, 0x70, 0x70, ALL4, MR | I8, 0 },
	{ 1, 0x71, 0x72, NS, MR | I8 | REG, 0x54 },
	{ 1, 0x73, 0x73, S, MR | I8 | REG, 0xcc },
	{ 1, 0x73, 0x73, N, MR | I8 | REG, 0x44 },
	{ 1, 0x74, 0x76, NS, MR, 0 },
	{ 1, 0x77, 0x77, N, RARE, 0 },
	{ 1, 0x7c, 0x7d, S | U, MR, 0 },
	{ 1, 0x7e, 0x7e, N | S | T, MR | W, 0 },
	{ 1, 0x7f, 0x7f, N | S | T, MR, 0 },
	{ 1, 0xae, 0xae, N, MR | MEM, 0x8c }, /* LDMXCSR, STMXCSR, CLFLUSH */
	{ 1, 0xae, 0xae, N, MR | REG, 0xe0 },
	{ 1, 0xc2, 0xc2, ALL4, MR | I8, 0 },
	{ 1, 0xc4, 0xc4, NS, MR | I8, 0 },
	{ 1, 0xc5, 0xc5, NS, MR | I8 | REG, 0 },
	{ 1, 0xc6, 0xc6, NS, MR | I8, 0 },
	{ 1, 0xd0, 0xd0, S | U, MR, 0 },
	{ 1, 0xd1, 0xd5, NS, MR, 0 },
	{ 1, 0xd6, 0xd6, S, MR, 0 },
	{ 1, 0xd6, 0xd6, T | U, MR | REG, 0 },
	{ 1, 0xd7, 0xd7, NS, MR | REG, 0 },
	{ 1, 0xd8, 0xe5, NS, MR, 0 },
	{ 1, 0xe6, 0xe6, S | T | U, MR, 0 },
	{ 1, 0xe7, 0xe7, NS, MR | MEM, 0 },
	{ 1, 0xe8, 0xef, NS, MR, 0 },
	{ 1, 0xf0, 0xf0, U, MR | MEM, 0 },
	{ 1, 0xf1, 0xf6, NS, MR, 0 },
	{ 1, 0xf7, 0xf7, NS, MR | REG, 0 },
	{ 1, 0xf8, 0xfe, NS, MR, 0 },
	{ 2, 0x00, 0x0b, NS, MR, 0 },
	{ 2, 0x1c, 0x1e, NS, MR, 0 },
	{ 2, 0x10, 0x10, S, MR, 0 },
	{ 2, 0x14, 0x15, S, MR, 0 },
	{ 2, 0x17, 0x17, S, MR, 0 },
	{ 2, 0x20, 0x25, S, MR, 0 },
	{ 2, 0x28, 0x29, S, MR, 0 },
	{ 2, 0x2a, 0x2a, S, MR | MEM, 0 },
	{ 2, 0x2b, 0x2b, S, MR, 0 },
	{ 2, 0x30, 0x35, S, MR, 0 },
	{ 2, 0x37, 0x41, S, MR, 0 },
	{ 2, 0xc8, 0xcd, N, MR, 0 },
	{ 2, 0xdb, 0xdf, S, MR, 0 },
	{ 3, 0x08, 0x0e, S, MR | I8, 0 },
	{ 3, 0x0f, 0x0f, NS, MR | I8, 0 },
	{ 3, 0x14, 0x17, S, MR | I8 | W, 0 },
	{ 3, 0x20, 0x22, S, MR | I8 | W, 0 },
	{ 3, 0x40, 0x42, S, MR | I8, 0 },
	{ 3, 0x44, 0x44, S, MR | I8, 0 },
	{ 3, 0x60, 0x63, S, MR | I8 | W, 0 },
	{ 3, 0xcc, 0xcc, N, MR | I8, 0 },
	{ 3, 0xdf, 0xdf, S, MR | I8, 0 },
};

static const struct form x87_forms[] = {
	{ 0, 0xd8, 0xdf, N, MR | X87, 0 },
	{ 0, 0xd8, 0xdf, N, MR | REG | X87, 0 },
	{ 0, 0xd9, 0xd9, N, MR | MEM | X87, 0xac }, /* FST FSTP FLDCW FNSTCW */
	{ 0, 0xdd, 0xdd, N, MR | MEM | X87, 0x8d }, /* FLD FST FSTP FNSTSW */
	{ 0, 0x9b, 0x9b, N, 0, 0 },
};

/* ---- instructions ---- */

static void put(struct insn *insn, uint64_t value, unsigned bytes)
{
	memcpy(insn->bytes + insn->len, &value, bytes);
	insn->len = (uint8_t)(insn->len + bytes);
}

static unsigned data_register(struct rng *rng)
{
	static const uint8_t plain[] = { 0, 1, 2, 8, 9, 10, 11 };

	return rng_percent(rng, 96) ? plain[rng_below(rng, sizeof(plain))] : rng_below(rng, 16);
}

static unsigned pointer_register(struct rng *rng)
{
	static const uint8_t pointers[] = { 3, 5, 6, 7, 12, 13, 4 };

	return rng_percent(rng, 97) ? pointers[rng_below(rng, sizeof(pointers))]
				    : rng_below(rng, 16);
}

static int32_t displacement(struct rng *rng)
{
	int32_t disp = (int32_t)rng_below(rng, 256) - 128;

	if (rng_percent(rng, 60))
		disp &= ~15;
	if (rng_percent(rng, 3))
		disp = (int32_t)rng_next(rng);
	return disp;
}

static uint64_t data_address(struct rng *rng)
{
	uint64_t addr = DATA_ADDR + rng_below(rng, 2 * PAGE + 64);

	if (rng_percent(rng, 60))
		addr &= ~UINT64_C(15);
	if (rng_percent(rng, 3))
		addr = RO_ADDR + rng_below(rng, PAGE + 64);
	return addr;
}

/* ModRM, SIB and displacement of a memory operand; returns the bits of REX it needs. */
static unsigned memory_operand(struct rng *rng, struct insn *tail, unsigned reg)
{
	unsigned base = pointer_register(rng), index = 4, scale = 0, rex = 0, mod;
	int32_t disp = displacement(rng);
	unsigned kind = rng_below(rng, 100);

	if (kind < 8) { /* RIP-relative */
		put(tail, (reg & 7) << 3 | 5, 1);
		tail->disp_at = tail->len;
		tail->target = data_address(rng);
		put(tail, 0, 4);
		return 0;
	}
	if (kind < 12) { /* absolute */
		put(tail, (reg & 7) << 3 | 4, 1);
		put(tail, 0x25, 1);
		put(tail, data_address(rng), 4);
		return 0;
	}
	if (kind < 45) {
		index = rng_percent(rng, 90) ? 14 + rng_below(rng, 2) : rng_below(rng, 16);
		scale = rng_below(rng, 4);
	}
	mod = disp >= -128 && disp < 128 ? 1 : 2;
	if (disp == 0 && (base & 7) != 5)
		mod = 0;
	if (rng_percent(rng, 10) && mod == 1)
		mod = 2;
	rex |= base >> 3;
	if (index != 4 || (base & 7) == 4) {
		rex |= index >> 3 << 1;
		put(tail, mod << 6 | (reg & 7) << 3 | 4, 1);
		put(tail, scale << 6 | (index & 7) << 3 | (base & 7), 1);
	} else {
		put(tail, mod << 6 | (reg & 7) << 3 | (base & 7), 1);
	}
	if (mod == 1)
		put(tail, (uint8_t)disp, 1);
	else if (mod == 2)
		put(tail, (uint32_t)disp, 4);
	return rex;
}

static unsigned pick_bit(struct rng *rng, unsigned mask)
{
	unsigned bit;

	do {
		bit = rng_below(rng, 8);
	} while (!(mask >> bit & 1));
	return bit;
}

/* Undefined, or the environment and state from random memory. */
static bool x87_unwanted(unsigned op, unsigned modrm, struct rng *rng)
{
	unsigned digit = modrm >> 3 & 7;

	if (modrm >= 0xc0)
		return false;
	if ((op == 0xd9 || op == 0xdd) && digit == 6) /* FOP: see diff.c */
		return true;
	if ((op == 0xd9 && digit == 4) || (op == 0xdd && digit == 4))
		return rng_percent(rng, 80);
	return (op == 0xd9 && digit == 5) && rng_percent(rng, 60);
}

static void immediates(struct rng *rng, const struct form *f, struct insn *tail, unsigned osize)
{
	uint64_t imm = rng_next(rng);

	if (rng_percent(rng, 30))
		imm = (uint64_t)(int64_t)((int)rng_below(rng, 16) - 8);
	if (f->flags & I16)
		put(tail, imm & 0x1ff, 2);
	if (f->flags & I8)
		put(tail, f->flags & I16 ? imm >> 16 & 3 : imm, 1);
	if (f->flags & IZ)
		put(tail, imm, osize == 2 ? 2 : 4);
	if (f->flags & IV)
		put(tail, imm, osize);
}

static void generate_insn(struct rng *rng, struct insn *insn, const struct form *f)
{
	unsigned op = f->first + rng_below(rng, f->last - f->first + 1u);
	unsigned prefix = 1u << pick_bit(rng, f->prefixes), rex = 0, osize = 4, reg;
	bool address32 = rng_percent(rng, 3), size16 = false, memory = false;
	struct insn tail = { 0 };

	memset(insn, 0, sizeof(*insn));
	if (f->flags & OS) {
		unsigned kind = rng_below(rng, 4);

		size16 = kind == 0;
		rex = kind == 1 || kind == 2 ? 8 : 0;
		osize = rex ? 8 : size16 ? 2 : 4;
	}
	if ((f->flags & W) && rng_percent(rng, 50))
		rex = 8;

	if (f->flags & MR) {
		do {
			tail = (struct insn){ 0 };
			rex &= 8;
			reg = f->digits ? pick_bit(rng, f->digits) : data_register(rng);
			if (f->map == 1 && !f->digits && !(f->flags & (OS | W)))
				reg = rng_below(rng, 16);
			if (f->flags & X87)
				reg = f->digits ? pick_bit(rng, f->digits) : rng_below(rng, 8);
			rex |= reg >> 3 << 2;
			memory = !(f->flags & REG) && (f->flags & MEM || rng_percent(rng, 45));
			if (memory) {
				rex |= memory_operand(rng, &tail, reg);
			} else {
				unsigned rm = f->flags & (OS | W) || f->map == 0
						      ? data_register(rng)
						      : rng_below(rng, 16);

				if (f->flags & X87)
					rm = rng_below(rng, 8);
				rex |= rm >> 3;
				put(&tail, 0xc0 | (reg & 7) << 3 | (rm & 7), 1);
			}
		} while ((f->flags & X87) && x87_unwanted(op, tail.bytes[0], rng));
	} else if ((op >= 0x50 && op < 0x60 && f->map == 0) ||
		   ((op & 0xf0) == 0x90 && f->map == 0) || (op >= 0xb0 && op < 0xc0 && !f->map)) {
		rex |= rng_below(rng, 2);
	}
	immediates(rng, f, &tail, osize);

	/* prefixes */
	if ((f->flags & LOCK) && memory && rng_percent(rng, 25))
		put(insn, 0xf0, 1);
	else if ((f->flags & LOCK) && rng_below(rng, 1000) < 2)
		put(insn, 0xf0, 1); /* #UD */
	if (memory && rng_percent(rng, 3))
		put(insn, 0x65, 1); /* GS: base DATA_ADDR */
	if (address32)
		put(insn, 0x67, 1);
	if (size16 || prefix == S)
		put(insn, 0x66, 1);
	if (prefix == T)
		put(insn, 0xf3, 1);
	if (prefix == U)
		put(insn, 0xf2, 1);
	if ((f->flags & REP) && rng_percent(rng, 60))
		put(insn, rng_percent(rng, 60) ? 0xf3 : 0xf2, 1);
	if (rex || rng_percent(rng, 15))
		put(insn, 0x40 | rex, 1);
	if (f->map)
		put(insn, 0x0f, 1);
	if (f->map >= 2)
		put(insn, f->map == 2 ? 0x38 : 0x3a, 1);
	put(insn, op, 1);

	if (f->flags & MOFFS) {
		put(insn, data_address(rng), address32 ? 4 : 8);
	} else if (f->flags & (SKIP8 | SKIP32)) {
		insn->skip = (uint8_t)rng_below(rng, 3);
		insn->rel_size = f->flags & SKIP8 ? 1 : 4;
		put(insn, 0, insn->rel_size);
	} else {
		if (tail.disp_at) {
			insn->disp_at = (uint8_t)(insn->len + tail.disp_at);
			insn->target = tail.target;
		}
		memcpy(insn->bytes + insn->len, tail.bytes, tail.len);
		insn->len = (uint8_t)(insn->len + tail.len);
	}
}

/* CMPXCHG of registers: whether a failed one clears the upper half of a 32-bit destination depends
 * on the vendor. */
static bool unsure_cmpxchg(const struct insn *insn)
{
	unsigned i = 0;
	bool narrow = false;

	while (insn->bytes[i] != 0x0f)
		narrow |= insn->bytes[i++] == 0x66;
	narrow |= insn->bytes[i + 1] == 0xb0;
	return insn->bytes[i + 2] >= 0xc0 && !narrow &&
	       (i == 0 || (insn->bytes[i - 1] & 0xf8) != 0x48);
}

#define PICK(rng, table) (&(table)[rng_below(rng, sizeof(table) / sizeof((table)[0]))])

/* Division leaves all flags undefined: a comparison follows in the same piece. */
static bool define_flags(struct insn *insn, struct rng *rng)
{
	if (insn->len > 13)
		return false;
	put(insn, 0x3c, 1);
	put(insn, rng_next(rng), 1);
	return true;
}

static bool is_division(const struct form *f)
{
	return f->map == 0 && f->first == 0xf6 && f->digits == 0xc0;
}

/* A comparison and a conditional branch, which the engine makes one. */
static void generate_fused(struct rng *rng, struct insn *insn)
{
	unsigned a = data_register(rng), b = rng_percent(rng, 30) ? a : data_register(rng);
	unsigned w = rng_percent(rng, 50) ? 8 : 0, kind = rng_below(rng, 4);
	static const uint8_t ops[4] = { 0x39, 0x85, 0x83, 0x81 };

	memset(insn, 0, sizeof(*insn));
	if (kind >= 2)
		b = 7;
	put(insn, 0x40 | w | b >> 3 << 2 | a >> 3, 1);
	put(insn, ops[kind], 1);
	put(insn, 0xc0 | (b & 7) << 3 | (a & 7), 1);
	if (kind >= 2)
		put(insn, rng_percent(rng, 50) ? rng_below(rng, 16) - 8u : rng_next(rng),
		    kind == 2 ? 1 : 4);
	if (rng_percent(rng, 70)) {
		put(insn, 0x70 | rng_below(rng, 16), 1);
		insn->rel_size = 1;
	} else {
		put(insn, 0x0f, 1);
		put(insn, 0x80 | rng_below(rng, 16), 1);
		insn->rel_size = 4;
	}
	insn->skip = (uint8_t)rng_below(rng, 3);
	put(insn, 0, insn->rel_size);
}

static void generate_any(struct rng *rng, struct insn *insn, unsigned flavour)
{
	const struct form *f;
	unsigned kind = rng_below(rng, 100);
	/* by flavour of the case: integer, mixed, vectors, x87 */
	static const uint8_t integer_share[4] = { 92, 45, 15, 12 };
	static const uint8_t vector_share[4] = { 97, 85, 97, 22 };

	if (kind < integer_share[flavour] && rng_percent(rng, 8)) {
		generate_fused(rng, insn);
		return;
	}
	do {
		do {
			f = kind < integer_share[flavour]  ? PICK(rng, integer_forms)
			    : kind < vector_share[flavour] ? PICK(rng, vector_forms)
							   : PICK(rng, x87_forms);
		} while ((f->flags & RARE) && !rng_percent(rng, 15));
		generate_insn(rng, insn, f);
	} while (insn->len > 15 || (is_division(f) && !define_flags(insn, rng)) ||
		 (f->map == 1 && f->first == 0xb0 && unsure_cmpxchg(insn)));
}

/* ---- pieces ---- */

/* C7 /0: store an immediate of @size bytes; 8: sign-extended. */
static void put_store(struct insn *insn, uint64_t addr, unsigned size, uint32_t imm)
{
	if (size == 2)
		put(insn, 0x66, 1);
	if (size == 8)
		put(insn, 0x48, 1);
	put(insn, 0x2504c7, 3);
	put(insn, addr, 4);
	put(insn, imm, size == 2 ? 2 : 4);
}

/* 0F AE /digit with an absolute address. */
static void put_0fae(struct insn *insn, struct rng *rng, unsigned digit, uint64_t addr)
{
	if (rng_percent(rng, 50))
		put(insn, 0x48, 1);
	put(insn, 0x2504ae0f | digit << 19, 4);
	put(insn, addr, 4);
}

/* What POPF and IRET may change in ring 3, and what not; but for TF, NT, AC and ID, which the
 * host's kernel and the next case would meet. */
static uint32_t any_flags(struct rng *rng)
{
	return rng_next(rng) & 0x33ed5;
}

static void put_push_return(struct insn *insn, unsigned behind)
{
	put(insn, 0x336a, 2);   /* push CS */
	put(insn, 0x0d8d48, 3); /* lea behind(%rip), %rcx */
	put(insn, behind, 4);
	put(insn, 0x51, 1); /* push %rcx */
}

static void piece_stack(struct rng *rng, struct insn *insn, unsigned kind)
{
	switch (kind) {
	case 0:
		put(insn, 0x68, 1);
		put(insn, any_flags(rng), 4);
		if (rng_percent(rng, 20))
			put(insn, 0x66, 1);
		put(insn, 0x9d, 1); /* popf */
		break;
	case 1:
		put(insn, 0xe08948, 3);   /* mov %rsp, %rax */
		put(insn, 0x68502b6a, 4); /* push SS, %rax, flags */
		put(insn, any_flags(rng), 4);
		put_push_return(insn, 3);
		put(insn, 0xcf48, 2); /* iretq */
		break;
	default:
		put_push_return(insn, 3);
		put(insn, 0xcb48, 2); /* lretq */
		break;
	}
}

/* Behind FXSAVE and XSAVE: FOP, selectors and the mask of MXCSR, which processors keep or not; of the
 * pointers the low half stays. */
static void forget(struct insn *insn, uint64_t addr)
{
	put_store(insn, addr + 6, 2, 0);
	put_store(insn, addr + 12, 4, 0);
	put_store(insn, addr + 20, 4, 0);
	put_store(insn, addr + 28, 4, 0);
}

/* FNSTENV and FNSAVE, of both sizes; the pointers are forgotten. */
static void piece_fnstenv(struct rng *rng, struct insn *insn)
{
	uint64_t addr = DATA_ADDR + rng_below(rng, 2 * PAGE - 128);
	bool size16 = rng_percent(rng, 50);

	if (size16)
		put(insn, 0x66, 1);
	put(insn, rng_percent(rng, 50) ? 0x2534d9 : 0x2534dd, 3);
	put(insn, addr, 4);
	for (unsigned i = 0; i < (size16 ? 2u : 4u); i++)
		put_store(insn, addr + (size16 ? 6 : 12) + 4 * i, 4, 0);
}

static void piece_fxsave(struct rng *rng, struct insn *insn, unsigned kind)
{
	bool xsave = kind & 2;
	uint64_t addr = DATA_ADDR + rng_below(rng, (2 * PAGE - 576) / 64) * 64;
	uint32_t mxcsr = 0x1f80 ^ (rng_next(rng) & 0xe07f);

	if (rng_percent(rng, 3))
		addr += 1 + rng_below(rng, 63);
	if (rng_percent(rng, 10))
		mxcsr ^= rng_next(rng) & 0x1ffff;
	if (xsave) {
		put(insn, 0xd231, 2); /* xor %edx, %edx */
		put(insn, 0xb8, 1);   /* mov to %eax */
		put(insn, rng_percent(rng, 60) ? 3 : rng_below(rng, 4), 4);
	}
	if (kind & 1) { /* XRSTOR, FXRSTOR */
		/* Pointers that are not canonical lose bits, how many depends on LA57. */
		put_store(insn, addr + 8, 8, (uint32_t)rng_next(rng));
		put_store(insn, addr + 16, 8, (uint32_t)rng_next(rng));
		put_store(insn, addr + 24, 4, mxcsr);
		for (unsigned i = 0; xsave && i < 3; i++)
			put_store(insn, addr + 512 + 8 * i, 8, i ? 0 : rng_below(rng, 4));
		put_0fae(insn, rng, xsave ? 5 : 1, addr);
	} else {
		put_0fae(insn, rng, xsave ? 4 : 0, addr);
		forget(insn, addr);
	}
}

static void generate_piece(struct rng *rng, struct insn *insn)
{
	unsigned kind = rng_below(rng, 9), vector;

	memset(insn, 0, sizeof(*insn));
	if (kind < 3) {
		piece_stack(rng, insn, kind);
	} else if (kind < 7) {
		piece_fxsave(rng, insn, kind - 3);
	} else if (kind == 7) {
		piece_fnstenv(rng, insn);
	} else {
		do {
			vector = rng_below(rng, 256);
		} while (vector == 3 || vector == 4 || vector == 0x80);
		put(insn, vector << 8 | 0xcd, 2);
	}
}

/* ---- states ---- */

static const uint64_t numbers[] = {
	0,
	1,
	2,
	3,
	8,
	16,
	64,
	0x7f,
	0x80,
	0xff,
	0x7fff,
	0x8000,
	0xffff,
	0x7fffffff,
	0x80000000,
	0xffffffff,
	0x7fffffffffffffff,
	0x8000000000000000,
	UINT64_MAX,
	0x00007fffffffffff,
	0x0000800000000000,
	0xffff800000000000,
};

static uint64_t any_number(struct rng *rng)
{
	uint64_t value = rng_next(rng);

	switch (rng_below(rng, 4)) {
	case 0:
		return numbers[rng_below(rng, sizeof(numbers) / sizeof(numbers[0]))];
	case 1:
		return value >> rng_below(rng, 64);
	default:
		return value;
	}
}

/* 64 bits that make sense as one double, two floats, or integers. */
static uint64_t any_float(struct rng *rng)
{
	static const uint64_t doubles[] = {
		0,
		0x8000000000000000,
		0x3ff0000000000000,
		0xbff0000000000000,
		0x4000000000000000,
		0x7ff0000000000000,
		0xfff0000000000000,
		0x7ff8000000000000,
		0x7ff4000000000000,
		0x000fffffffffffff,
		1,
		0x0010000000000000,
		0x7fefffffffffffff,
		0x43e0000000000000,
		0x41dfffffffc00000,
		0x3fe0000000000000,
		0x4008000000000000,
	};
	static const uint32_t floats[] = {
		0,          0x80000000, 0x3f800000, 0xbf800000, 0x40000000, 0x7f800000,
		0xff800000, 0x7fc00000, 0x7fa00000, 0x007fffff, 1,          0x00800000,
		0x7f7fffff, 0x4f000000, 0x3f000000, 0x40400000,
	};
	uint64_t a, b;

	switch (rng_below(rng, 5)) {
	case 0:
		return doubles[rng_below(rng, sizeof(doubles) / sizeof(doubles[0]))];
	case 1:
		a = floats[rng_below(rng, sizeof(floats) / sizeof(floats[0]))];
		b = floats[rng_below(rng, sizeof(floats) / sizeof(floats[0]))];
		return a | b << 32;
	case 2: /* near one */
		return (rng_next(rng) & 0x800fffffffffffff) | (0x3f0 + rng_next(rng) % 32) << 52;
	case 3:
		a = (rng_next(rng) & 0x807fffff) | (0x70 + rng_next(rng) % 32) << 23;
		b = (rng_next(rng) & 0x807fffff) | (0x70 + rng_next(rng) % 32) << 23;
		return a | b << 32;
	default:
		return any_number(rng);
	}
}

void case_memory(uint64_t seed, uint8_t mem[DATA_PAGES][PAGE])
{
	struct rng rng = { seed ^ 0x6d656d };
	uint64_t chunk[64];

	for (unsigned i = 0; i < 64; i++)
		chunk[i] = any_float(&rng);
	for (unsigned page = 0; page < DATA_PAGES; page++)
		for (unsigned off = 0; off < PAGE; off += 8) {
			uint64_t value = chunk[(off / 8 * 7 + page) & 63];

			memcpy(mem[page] + off, &value, 8);
		}
}

void case_ro_page(uint8_t page[PAGE])
{
	for (unsigned i = 0; i < PAGE; i++)
		page[i] = (uint8_t)(i * 37 + (i >> 8));
}

static uint64_t any_pointer(struct rng *rng)
{
	uint64_t p = DATA_ADDR + 256 + rng_below(rng, 2 * PAGE - 512);
	unsigned kind = rng_below(rng, 100);

	if (kind < 65)
		p &= ~UINT64_C(15);
	else if (kind < 72)
		p = DATA_ADDR + 2 * PAGE - rng_below(rng, 32); /* into the read-only page */
	else if (kind < 80)
		p = DATA_ADDR + PAGE - rng_below(rng, 32);
	else if (kind < 83)
		p = RO_ADDR + rng_below(rng, PAGE + 16);
	else if (kind < 84)
		p = 0x00007ffffffffff0 + rng_below(rng, 32);
	return p;
}

static void random_x87(struct rng *rng, uint8_t *fx)
{
	uint16_t cw = 0x007f, sw = (uint16_t)(rng_next(rng) & 0x7f00);

	cw |= (uint16_t)(rng_next(rng) & 0x0f00);
	if (rng_percent(rng, 50))
		cw = 0x037f;
	if (rng_percent(rng, 12))
		cw &= (uint16_t)(rng_next(rng) | 0xff40);
	if (rng_percent(rng, 30))
		sw |= rng_next(rng) & 0x7f & cw;
	memcpy(fx, &cw, 2);
	memcpy(fx + 2, &sw, 2);
	fx[4] = 0xff;
	if (!rng_percent(rng, 40)) {
		fx[4] = (uint8_t)rng_next(rng);
		fx[4] |= (uint8_t)rng_next(rng);
	}
	for (unsigned i = 0; i < 8; i++) {
		uint64_t mantissa = rng_next(rng) | 1ull << 63;
		uint16_t exponent = (uint16_t)(0x3ff0 + rng_below(rng, 32));
		unsigned kind = rng_below(rng, 100);

		if (kind < 20)
			mantissa = 1ull << 63 | rng_next(rng) << 50;
		else if (kind < 28)
			exponent = (uint16_t)rng_next(rng) & 0x7fff;
		else if (kind < 34)
			mantissa = exponent = 0;
		else if (kind < 38)
			exponent = 0x7fff, mantissa = 1ull << 63;
		else if (kind < 42)
			exponent = 0x7fff;
		else if (kind < 45)
			mantissa &= ~(1ull << 63), exponent = 0;
		else if (kind < 46)
			mantissa &= ~(1ull << 63);
		exponent |= (uint16_t)(rng_next(rng) & 0x8000);
		memcpy(fx + 32 + 16 * i, &mantissa, 8);
		memcpy(fx + 40 + 16 * i, &exponent, 2);
	}
}

static void random_state(struct rng *rng, struct regs *r)
{
	static const uint8_t pointers[] = { 3, 5, 6, 7, 12, 13 };
	uint32_t mxcsr = 0x1f80;

	memset(r, 0, sizeof(*r));
	for (unsigned i = 0; i < 16; i++)
		r->gpr[i] = any_number(rng);
	for (unsigned i = 0; i < sizeof(pointers); i++)
		r->gpr[pointers[i]] = any_pointer(rng);
	r->gpr[4] = STACK_ADDR + PAGE + (rng_below(rng, 256) & ~7u);
	r->gpr[14] = rng_below(rng, 64);
	r->gpr[15] = rng_below(rng, 4) * 16;
	if (rng_percent(rng, 60))
		r->gpr[1] = rng_below(rng, 40);
	r->rflags = 0x202 | (rng_next(rng) & 0x8d5);
	if (rng_percent(rng, 25))
		r->rflags |= 0x400;

	random_x87(rng, r->fx);
	if (rng_percent(rng, 40))
		mxcsr |= rng_next(rng) & 0xe07f;
	if (rng_percent(rng, 10))
		mxcsr &= (uint32_t)rng_next(rng) | 0xffffe07f;
	memcpy(r->fx + 24, &mxcsr, 4);
	for (unsigned i = 0; i < 32; i++) {
		uint64_t value = any_float(rng);

		memcpy(r->fx + 160 + 8 * i, &value, 8);
	}
}

void case_finish(struct test_case *c)
{
	struct rng rng = { c->seed };
	unsigned at[CASE_MAX_INSNS + 1] = { 0 };
	bool step = c->regs.rflags & 0x100;

	random_state(&rng, &c->regs);
	c->regs.rip = CODE_ADDR + 64 + rng_below(&rng, 64);
	if (rng_percent(&rng, 10)) /* across the end of the page */
		c->regs.rip = CODE_ADDR + PAGE - 1 - rng_below(&rng, 40);
	if (step)
		c->regs.rflags |= 0x100;

	for (unsigned i = 0; i < c->count; i++)
		at[i + 1] = at[i] + c->insn[i].len;
	for (unsigned i = 0; i < c->count; i++) {
		struct insn *insn = &c->insn[i];
		unsigned to = i + 1u + insn->skip < c->count ? i + 1u + insn->skip : c->count;

		if (insn->rel_size) {
			uint32_t rel = at[to] - at[i + 1];

			memcpy(insn->bytes + insn->len - insn->rel_size, &rel, insn->rel_size);
		}
		if (insn->disp_at) {
			uint32_t disp = (uint32_t)(insn->target - (c->regs.rip + at[i + 1]));

			memcpy(insn->bytes + insn->disp_at, &disp, 4);
		}
		memcpy(c->code + at[i], insn->bytes, insn->len);
	}
	c->code_len = at[c->count];
	c->code[c->code_len++] = 0x0f;
	c->code[c->code_len++] = 0x0b;
}

/* AMD's have a bit MXCSR.MM, which shows at the end of a case: unless a piece loads MXCSR again. */
static bool loads_mxcsr(const struct test_case *c)
{
	static const uint8_t opcode[] = { 0x0f, 0xae };

	for (unsigned i = 0; i < c->count; i++) {
		const uint8_t *p = memmem(c->insn[i].bytes, 15, opcode, sizeof(opcode));

		if (p && (p[2] & 0x38) == 0x10)
			return true;
	}
	return false;
}

void generate(struct test_case *c, uint64_t seed)
{
	struct rng rng = { seed ^ 0xc0de };
	unsigned flavour = rng_below(&rng, 4);

	memset(c, 0, sizeof(*c));
	c->seed = seed;
	c->count = 4 + rng_below(&rng, CASE_MAX_INSNS - 4);
	for (unsigned i = 0; i < c->count; i++)
		generate_any(&rng, &c->insn[i], flavour);
	/* Not the first one: stepping would end before its end. */
	if (rng_percent(&rng, 12) && !loads_mxcsr(c))
		generate_piece(&rng, &c->insn[1 + rng_below(&rng, c->count - 1)]);
	/* Stepping ends before the comparison behind a division. */
	if (rng_percent(&rng, 4) &&
	    (c->insn[0].len < 4 || c->insn[0].bytes[c->insn[0].len - 2] != 0x3c))
		c->regs.rflags |= 0x100;
	case_finish(c);
}

/* ---- random bytes ---- */

static bool map0_allowed(unsigned op, unsigned prefix, unsigned next)
{
	switch (op) {
	case 0x6c ... 0x6f: /* whether REP with RCX 0 checks for permission */
		return prefix == 0;
	case 0xe0 ... 0xe3: /* AMD's take REP for part of the condition */
		return prefix == 0;
	case 0xff: /* far branches: AMD has no 64-bit offsets */
		return (next >> 3 & 7) != 3 && (next >> 3 & 7) != 5;
	case 0xf6: /* DIV, IDIV: flags */
	case 0xf7:
		return (next >> 3 & 7) < 6;
	case 0x62: /* EVEX */
	case 0x63: /* see above */
	case 0x8c: /* segment registers */
	case 0x8e:
	case 0x8f: /* XOP */
	case 0x9a:
	case 0x9d: /* POPF: AC, ID, NT */
	case 0xc4: /* VEX */
	case 0xc5:
	case 0xca: /* far returns, INT, IRET */
	case 0xcb:
	case 0xcd:
	case 0xcf:
	case 0xea:
	case 0xf1:
		return false;
	default:
		return true;
	}
}

static bool map1_allowed(unsigned op, unsigned prefix, unsigned next)
{
	switch (op) {
	case 0x00 ... 0x03: /* system tables, LAR, LSL */
	case 0x05 ... 0x09: /* SYSCALL; cache control */
	case 0x0d ... 0x0f: /* 3DNow */
	case 0x20 ... 0x23: /* LOCK MOV CR0 is MOV CR8 */
	case 0x1e:          /* RDSSP, ENDBR */
	case 0x31 ... 0x37: /* RDTSC, SYSENTER */
	case 0x78:          /* SSE4A */
	case 0x79:
	case 0xa0 ... 0xa2: /* FS, GS, CPUID */
	case 0xa8 ... 0xaa:
	case 0xae:
	case 0xb2: /* LSS, LFS, LGS */
	case 0xb4:
	case 0xb5:
	case 0xc7: /* RDRAND, RDPID, XSAVEC */
	case 0xff: /* UD0: vendors differ in length */
		return false;
	case 0x2b:
		return prefix != 0xf2 && prefix != 0xf3;
	case 0xb1: /* CMPXCHG of registers: see above */
		return next < 0xc0;
	case 0xbc: /* TZCNT, LZCNT */
	case 0xbd:
		return prefix != 0xf3;
	default:
		return true;
	}
}

/* Vendors differ in what 66 does to near branches in 64-bit code; ours is Intel's way. */
static bool is_branch(unsigned op, unsigned next)
{
	return (op & 0xf0) == 0x70 || (op & 0xfc) == 0xe0 || (op & 0xfe) == 0xe8 || op == 0xeb ||
	       (op & 0xfe) == 0xc2 || op == 0xff || (op == 0x0f && (next & 0xf0) == 0x80);
}

bool bytes_allowed(const uint8_t *p, unsigned len)
{
	unsigned i = 0, prefix = 0;
	bool size16 = false;

	for (; i < len; i++) {
		size16 |= p[i] == 0x66;
		if (p[i] == 0xf2 || p[i] == 0xf3)
			prefix = p[i];
		else if (p[i] == 0x64 || (p[i] == 0x65))
			return false; /* FS is the host program's own */
		else if (p[i] != 0x66 && p[i] != 0x67 && p[i] != 0x2e && p[i] != 0x36 &&
			 p[i] != 0x3e && p[i] != 0x26 && p[i] != 0xf0 && (p[i] & 0xf0) != 0x40)
			break;
	}
	if (i + 2 >= len)
		return false;
	if (size16 && is_branch(p[i], p[i + 1]))
		return false;
	if (p[i] != 0x0f)
		return map0_allowed(p[i], prefix, p[i + 1]);
	if (p[i + 1] == 0x38)
		return p[i + 2] < 0xf0 && p[i + 2] != 0x80 && p[i + 2] != 0x81 &&
		       p[i + 2] != 0x82 && p[i + 2] != 0xcf; /* BMI, CET and their like; GFNI */
	if (p[i + 1] == 0x3a)
		return p[i + 2] < 0xce || p[i + 2] > 0xcf;
	return map1_allowed(p[i + 1], prefix, p[i + 2]);
}

void generate_bytes(struct test_case *c, uint64_t seed)
{
	static const uint8_t prefixes[] = { 0x66, 0x66, 0xf2, 0xf3, 0x67, 0xf0,
					    0x2e, 0x36, 0x48, 0x41, 0x44, 0x4f };
	static const uint8_t escapes[] = { 0x38, 0x3a };
	struct rng rng = { seed ^ 0xb17e5 };
	struct insn *insn = &c->insn[0];

	memset(c, 0, sizeof(*c));
	c->seed = seed;
	c->count = 1;
	c->regs.rflags = 0x100;
	do {
		insn->len = 0;
		while (rng_percent(&rng, 40) && insn->len < 5)
			insn->bytes[insn->len++] = prefixes[rng_below(&rng, sizeof(prefixes))];
		if (rng_percent(&rng, 60)) {
			insn->bytes[insn->len++] = 0x0f;
			if (rng_percent(&rng, 40))
				insn->bytes[insn->len++] = escapes[rng_below(&rng, 2)];
		}
		while (insn->len < 16)
			insn->bytes[insn->len++] = (uint8_t)rng_next(&rng);
	} while (!bytes_allowed(insn->bytes, insn->len));
	case_finish(c);
}
