/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * portio.c - IN, OUT, INS, OUTS: permission, the ports themselves, repetition
 *
 * Sources: Intel SDM vol. 1 chapter 19 (I/O, permission bit map), vol. 2.
 *
 * INS checks that it may write before it reads the port, as reading may have effects that cannot
 * be taken back. Each repetition is complete before the next begins, so that a fault or a pending
 * request finds the registers right; RIP stays at the instruction until the last one.
 */
#include "emu/sys-int.h"

#include "bus/io.h"

/* The bits of the TSS for @size ports; raises #GP(0). RIP is the instruction's. */
static void check_bitmap(struct vcpu *v, unsigned port, unsigned size)
{
	const struct x86_segment *tr = &v->seg[X86_TR];
	uint64_t lin = tr->base;
	unsigned map, at, bits;

	if ((tr->access & 15) < SYS_TSS32 || tr->limit < 0x67)
		emu_gp0(v, AT_RIP);
	map = (unsigned)emu_load_sys(v, sys_lma(v) ? lin + 0x66 : (uint32_t)(lin + 0x66), 2);
	at = map + port / 8;
	/* Two bytes are always read. */
	if (at + 1 > tr->limit)
		emu_gp0(v, AT_RIP);
	lin += at;
	bits = (unsigned)emu_load_sys(v, sys_lma(v) ? lin : (uint32_t)lin, 2) >> (port & 7);
	if (bits & ((1u << size) - 1))
		emu_gp0(v, AT_RIP);
}

static void check_io(struct vcpu *v, const struct uop *u, unsigned port, unsigned size)
{
	uint64_t rip = v->r[R_RIP];

	if (likely(!(v->mode & MODE_PE) || (v->cpl <= sys_iopl(v) && !(v->eflags & RFLAGS_VM))))
		return;
	sys_begin(v, u);
	check_bitmap(v, port, size);
	v->r[R_RIP] = rip;
	v->instructions -= u->n - 1u;
}

/* An I/O breakpoint (CR4.DE, type 2) traps behind the instruction. */
static void watch_io(struct vcpu *v, unsigned port, unsigned size)
{
	static const uint8_t lens[4] = { 1, 2, 8, 4 };

	if (likely(!(v->dr[7] & 0xff)) || !(v->cr4 & CR4_DE))
		return;
	for (unsigned i = 0; i < 4; i++) {
		unsigned len = lens[v->dr[7] >> (18 + 4 * i) & 3];
		uint64_t at = v->dr[i] & ~(uint64_t)(len - 1);

		if (v->dr[7] >> (2 * i) & 3 && (v->dr[7] >> (16 + 4 * i) & 3) == 2 &&
		    port < at + len && at < port + size)
			v->debug_hit |= 1u << i;
	}
}

static uint64_t port_in(struct vcpu *v, unsigned port, unsigned size)
{
	watch_io(v, port, size);
	return emu_io_read(v, false, port, size);
}

static void port_out(struct vcpu *v, unsigned port, unsigned size, uint64_t value)
{
	watch_io(v, port, size);
	emu_io_write(v, false, port, size, value);
}

/* b: port in DX, else in imm */
static unsigned port_of(const struct vcpu *v, const struct uop *u)
{
	return u->b ? (uint16_t)v->r[X86_RDX] : (unsigned)u->imm;
}

const struct uop *op_in(struct vcpu *v, const struct uop *u)
{
	unsigned port = port_of(v, u);
	uint64_t value;

	check_io(v, u, port, u->osize);
	value = port_in(v, port, u->osize);
	if (u->osize == 1)
		R8(v, 0) = (uint8_t)value;
	else if (u->osize == 2)
		R16(v, 0) = (uint16_t)value;
	else
		R64(v, 0) = (uint32_t)value;
	NEXT(v, u);
}

const struct uop *op_out(struct vcpu *v, const struct uop *u)
{
	unsigned port = port_of(v, u), size = u->osize;
	uint64_t value = size == 1 ? R8(v, 0) : size == 2 ? R16(v, 0) : R32(v, 0);

	check_io(v, u, port, size);
	port_out(v, port, size, value);
	emu_done(v, u);
	return NULL;
}

/* ---- INS, OUTS ---- */

static uint64_t cut(uint64_t value, unsigned asize)
{
	return asize == 8 ? value : asize == 4 ? (uint32_t)value : (uint16_t)value;
}

static void put_reg(struct vcpu *v, unsigned reg, unsigned asize, uint64_t value)
{
	if (asize == 2)
		R16(v, reg * 8) = (uint16_t)value;
	else
		v->r[reg] = cut(value, asize);
}

static void step(struct vcpu *v, unsigned reg, const struct uop *u)
{
	int64_t delta = v->eflags & RFLAGS_DF ? -(int64_t)u->osize : u->osize;

	put_reg(v, reg, u->asize, v->r[reg] + (uint64_t)delta);
}

static void ins_once(struct vcpu *v, const struct uop *u)
{
	unsigned port = (uint16_t)v->r[X86_RDX], size = u->osize;
	uint64_t lin, value;

	check_io(v, u, port, size);
	lin = emu_linear(v, u, X86_ES, cut(v->r[X86_RDI], u->asize), size, true);
	emu_probe_write(v, u, lin, size);
	value = port_in(v, port, size);
	if (size == 1)
		emu_st8(v, u, lin, (uint8_t)value);
	else if (size == 2)
		emu_st16(v, u, lin, (uint16_t)value);
	else
		emu_st32(v, u, lin, (uint32_t)value);
	step(v, X86_RDI, u);
}

static void outs_once(struct vcpu *v, const struct uop *u)
{
	unsigned port = (uint16_t)v->r[X86_RDX], size = u->osize;
	uint64_t lin, value;

	check_io(v, u, port, size);
	lin = emu_linear(v, u, u->seg, cut(v->r[X86_RSI], u->asize), size, false);
	value = size == 1   ? emu_ld8(v, u, lin)
		: size == 2 ? emu_ld16(v, u, lin)
			    : emu_ld32(v, u, lin);
	port_out(v, port, size, value);
	step(v, X86_RSI, u);
}

/* a: with REP */
static const struct uop *repeat(struct vcpu *v, const struct uop *u,
				void (*once)(struct vcpu *v, const struct uop *u))
{
	if (!u->a) {
		once(v, u);
		emu_done(v, u);
		return NULL;
	}
	while (cut(v->r[X86_RCX], u->asize)) {
		once(v, u);
		put_reg(v, X86_RCX, u->asize, v->r[X86_RCX] - 1);
		if (!cut(v->r[X86_RCX], u->asize))
			break;
		if (atomic_load_explicit(&v->pending, memory_order_relaxed) ||
		    v->mode & MODE_STEP) {
			/* To be gone on with: RIP at this instruction. */
			sys_begin(v, u);
			return NULL;
		}
	}
	emu_done(v, u);
	return NULL;
}

const struct uop *op_ins(struct vcpu *v, const struct uop *u)
{
	return repeat(v, u, ins_once);
}

const struct uop *op_outs(struct vcpu *v, const struct uop *u)
{
	return repeat(v, u, outs_once);
}
