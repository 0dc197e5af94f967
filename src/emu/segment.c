/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * segment.c - segments: limits, loading them, descriptors, stacks
 *
 * Sources: Intel SDM vol. 3 chapters 3 (segments) and 5 (protection), vol. 2 for MOV, POP, LAR,
 * LSL, VERR, ARPL, LLDT, LTR. The order of checks is the manual's. Far transfers are in far.c.
 *
 * Real mode loads a base and leaves limit and rights as they are, as processors do ("unreal" mode).
 */
#include "emu/sys-int.h"

const struct uop sys_at_rip = { .seg = X86_DS, .n = 1 };
const struct uop sys_at_rip_ss = { .seg = X86_SS, .n = 1 };

_Noreturn void emu_raise_sel(struct vcpu *v, unsigned vector, uint16_t sel)
{
	emu_raise_code(v, AT_RIP, vector, sel & 0xfffcu);
}

/* ---- limits ---- */

bool emu_limit_ok(const struct x86_segment *s, uint64_t off, unsigned size)
{
	uint64_t last = off + size - 1;

	if ((s->access & 0xc) == 0x4)
		return off > s->limit && last <= (s->access & SEG_ACCESS_DB ? UINT32_MAX : 0xffff);
	return last <= s->limit;
}

uint64_t emu_seg_check(struct vcpu *v, const struct uop *u, unsigned seg, uint64_t off,
		       unsigned size, bool write)
{
	const struct x86_segment *s = &v->seg[seg];

	/* Nearly always: data, writable, expands up. */
	if (likely((s->access & 0x9e) == 0x92 && !s->unusable && off + size - 1 <= s->limit))
		return (uint32_t)(s->base + off);
	if (v->mode & MODE_PE && !(v->mode & MODE_VM)) {
		if (s->unusable) {
			if (seg == X86_SS)
				emu_raise_code(v, u, EXC_SS, 0);
			emu_gp0(v, u);
		}
		/* Code is never written, and read only if it is readable. */
		if (write ? (s->access & 0xa) != 0x2 : (s->access & 0xa) == 0x8)
			emu_gp0(v, u);
	}
	if (!emu_limit_ok(s, off, size))
		emu_raise_code(v, u, seg == X86_SS ? EXC_SS : EXC_GP, 0);
	return (uint32_t)(s->base + off);
}

/* ---- descriptors ---- */

/* Where @size bytes of the descriptor are; false: outside the table. */
static bool desc_find(struct vcpu *v, uint16_t sel, unsigned size, uint64_t *ret_lin)
{
	unsigned off = sel & 0xfff8u;
	uint64_t base = v->gdt.base;
	uint32_t limit = v->gdt.limit;

	if (sel & 4) {
		if (v->seg[X86_LDT].unusable)
			return false;
		base = v->seg[X86_LDT].base;
		limit = v->seg[X86_LDT].limit;
	}
	if (off + size - 1 > limit)
		return false;
	*ret_lin = sys_lma(v) ? base + off : (uint32_t)(base + off);
	return true;
}

bool emu_desc_load(struct vcpu *v, uint16_t sel, struct desc *ret)
{
	uint64_t value;

	if (!desc_find(v, sel, 8, &ret->lin))
		return false;
	value = emu_load_sys(v, ret->lin, 8);
	ret->lo = (uint32_t)value;
	ret->hi = (uint32_t)(value >> 32);
	return true;
}

bool emu_desc_upper(struct vcpu *v, uint16_t sel, const struct desc *d, uint64_t *ret)
{
	uint64_t lin;

	if (!desc_find(v, sel, 16, &lin))
		return false;
	*ret = emu_load_sys(v, d->lin + 8, 8);
	return true;
}

void emu_desc_mark(struct vcpu *v, struct desc *d, uint32_t bits)
{
	if ((d->hi & bits) == bits)
		return;
	d->hi |= bits;
	emu_or_sys(v, d->lin + 5, (uint8_t)(bits >> 8));
}

static uint64_t desc_base(const struct desc *d)
{
	return d->lo >> 16 | (d->hi & 0xff) << 16 | (d->hi & 0xff000000u);
}

static uint32_t desc_limit(const struct desc *d)
{
	uint32_t limit = (d->lo & 0xffff) | (d->hi & 0xf0000);

	return d->hi & DESC_G ? limit << 12 | 0xfff : limit;
}

struct x86_segment emu_desc_segment(const struct desc *d, uint16_t sel)
{
	return (struct x86_segment){
		.base = desc_base(d),
		.limit = desc_limit(d),
		.selector = sel,
		.access = (uint16_t)(d->hi >> 8 & 0xf0ff),
	};
}

struct x86_segment emu_null_segment(uint16_t sel, unsigned dpl)
{
	return (struct x86_segment){
		.selector = sel,
		.access = (uint16_t)(dpl << 5),
		.unusable = true,
	};
}

void emu_set_cs_real(struct vcpu *v, uint16_t sel)
{
	struct x86_segment *s = &v->seg[X86_CS];

	s->selector = sel;
	s->base = (uint64_t)sel << 4;
	s->unusable = false;
	if (v->eflags & RFLAGS_VM) {
		s->limit = 0xffff;
		s->access = 0xf3;
	} else {
		s->access = (uint16_t)((s->access & (SEG_ACCESS_DB | SEG_ACCESS_G)) | 0x93);
	}
}

void emu_set_flat(struct vcpu *v, uint16_t cs, uint16_t ss, unsigned cpl, bool l)
{
	uint16_t dpl = (uint16_t)(cpl << 5);

	v->seg[X86_CS] = (struct x86_segment){
		.limit = UINT32_MAX,
		.selector = (uint16_t)((cs & 0xfffcu) | cpl),
		.access = (uint16_t)((l ? 0xa09b : 0xc09b) | dpl),
	};
	v->seg[X86_SS] = (struct x86_segment){
		.limit = UINT32_MAX,
		.selector = (uint16_t)((ss & 0xfffcu) | cpl),
		.access = (uint16_t)(0xc093 | dpl),
	};
	v->cpl = (uint8_t)cpl;
}

/* ---- loading data segments ---- */

static void load_ss(struct vcpu *v, uint16_t sel)
{
	struct desc d;

	if (!(sel & 0xfffc)) {
		if (!(v->mode & MODE_64) || v->cpl == 3 || (sel & 3) != v->cpl)
			emu_gp0(v, AT_RIP);
		v->seg[X86_SS] = emu_null_segment(sel, v->cpl);
		return;
	}
	if (!emu_desc_load(v, sel, &d) || (sel & 3) != v->cpl || !desc_is_writable(&d) ||
	    desc_dpl(&d) != v->cpl)
		emu_raise_sel(v, EXC_GP, sel);
	if (!(d.hi & DESC_P))
		emu_raise_sel(v, EXC_SS, sel);
	emu_desc_mark(v, &d, DESC_ACCESSED);
	v->seg[X86_SS] = emu_desc_segment(&d, sel);
}

static void load_data(struct vcpu *v, unsigned seg, uint16_t sel)
{
	struct desc d;

	if (!(sel & 0xfffc)) {
		v->seg[seg] = emu_null_segment(sel, 0);
		return;
	}
	if (!emu_desc_load(v, sel, &d))
		emu_raise_sel(v, EXC_GP, sel);
	/* Data, or code that can be read. */
	if (!(d.hi & DESC_S) || (d.hi & (DESC_CODE | DESC_WRITABLE)) == DESC_CODE)
		emu_raise_sel(v, EXC_GP, sel);
	if ((d.hi & (DESC_CODE | DESC_CONFORM)) != (DESC_CODE | DESC_CONFORM) &&
	    ((sel & 3) > desc_dpl(&d) || v->cpl > desc_dpl(&d)))
		emu_raise_sel(v, EXC_GP, sel);
	if (!(d.hi & DESC_P))
		emu_raise_sel(v, EXC_NP, sel);
	emu_desc_mark(v, &d, DESC_ACCESSED);
	v->seg[seg] = emu_desc_segment(&d, sel);
}

void emu_load_segment(struct vcpu *v, const struct uop *u, unsigned seg, uint16_t sel)
{
	struct x86_segment *s = &v->seg[seg];

	/* RIP is the instruction's: sys_begin() */
	assert(!u || u == AT_RIP);
	if (!sys_protected(v)) {
		s->selector = sel;
		s->base = (uint64_t)sel << 4;
		if (v->eflags & RFLAGS_VM) {
			s->limit = 0xffff;
			s->access = 0xf3;
		} else if (s->unusable) {
			s->limit = 0xffff;
			s->access = 0x93;
		}
		s->unusable = false;
	} else if (seg == X86_SS) {
		load_ss(v, sel);
	} else {
		load_data(v, seg, sel);
	}
}

/* ---- stacks ---- */

static uint64_t stack_mask(const struct stack *s)
{
	return s->is64 ? UINT64_MAX : s->seg.access & SEG_ACCESS_DB ? UINT32_MAX : 0xffff;
}

struct stack emu_stack(const struct vcpu *v)
{
	return (struct stack){
		.seg = v->seg[X86_SS],
		.is64 = v->mode & MODE_64,
		.sp = v->r[X86_RSP],
	};
}

uint64_t emu_stack_add(const struct stack *s, int64_t delta)
{
	uint64_t mask = stack_mask(s);

	if (mask == 0xffff)
		return (s->sp & 0xffff0000u) | ((s->sp + (uint64_t)delta) & 0xffff);
	return (s->sp + (uint64_t)delta) & mask;
}

/* Linear address of [off, off + size) on the stack; raises #SS. */
static uint64_t stack_linear(struct vcpu *v, const struct uop *u, const struct stack *s,
			     uint64_t off, unsigned size)
{
	if (s->is64) {
		if (!sys_canonical(off) || !sys_canonical(off + size - 1))
			emu_raise_code(v, u, EXC_SS, s->code);
		return off;
	}
	if ((s->seg.unusable && sys_protected(v)) || !emu_limit_ok(&s->seg, off, size))
		emu_raise_code(v, u, EXC_SS, s->code);
	return (uint32_t)(s->seg.base + off);
}

void emu_stack_room(struct vcpu *v, const struct uop *u, const struct stack *s, unsigned bytes)
{
	uint64_t mask = stack_mask(s), off = (s->sp - bytes) & mask;

	/* A stack whose pointer is 0 goes on at its top; one that wraps inside a frame does not. */
	stack_linear(v, u, s, off, bytes);
}

void emu_stack_probe(struct vcpu *v, const struct uop *u, const struct stack *s, unsigned size)
{
	emu_probe_write(v, u, stack_linear(v, u, s, s->sp & stack_mask(s), size), size);
}

void emu_stack_push(struct vcpu *v, const struct uop *u, struct stack *s, unsigned size,
		    uint64_t value)
{
	uint64_t off = (s->sp - size) & stack_mask(s);
	uint64_t lin = stack_linear(v, u, s, off, size);

	if (s->sys)
		emu_store_sys(v, lin, size, value);
	else if (size == 8)
		emu_st64(v, u, lin, value);
	else if (size == 4)
		emu_st32(v, u, lin, (uint32_t)value);
	else
		emu_st16(v, u, lin, (uint16_t)value);
	s->sp = emu_stack_add(s, -(int64_t)size);
}

uint64_t emu_stack_peek(struct vcpu *v, const struct uop *u, const struct stack *s, unsigned size,
			unsigned skip)
{
	uint64_t off = (s->sp + skip) & stack_mask(s);
	uint64_t lin = stack_linear(v, u, s, off, size);

	if (size == 8)
		return emu_ld64(v, u, lin);
	return size == 4 ? emu_ld32(v, u, lin) : emu_ld16(v, u, lin);
}

/* Raise #TS(TSS selector) unless the TSS has these bytes. */
static void tss_check(struct vcpu *v, unsigned off, unsigned size)
{
	if (off + size - 1 > v->seg[X86_TR].limit)
		emu_raise_sel(v, EXC_TS, v->seg[X86_TR].selector);
}

static uint64_t tss_read(struct vcpu *v, unsigned off, unsigned size)
{
	uint64_t lin = v->seg[X86_TR].base + off;

	return emu_load_sys(v, sys_lma(v) ? lin : (uint32_t)lin, size);
}

void emu_stack_inner(struct vcpu *v, unsigned cpl, unsigned ist, struct stack *ret)
{
	unsigned off;
	uint16_t sel;

	*ret = (struct stack){ .sys = true };
	if (sys_lma(v)) {
		off = ist ? 0x24 + (ist - 1) * 8 : 4 + cpl * 8;
		tss_check(v, off, 8);
		ret->is64 = true;
		ret->sp = tss_read(v, off, 8);
		ret->seg = emu_null_segment((uint16_t)cpl, cpl);
		return;
	}
	if ((v->seg[X86_TR].access & 15) >= SYS_TSS32) {
		off = 4 + cpl * 8;
		tss_check(v, off, 6);
		ret->sp = tss_read(v, off, 4);
		sel = (uint16_t)tss_read(v, off + 4, 2);
	} else {
		off = 2 + cpl * 4;
		tss_check(v, off, 4);
		ret->sp = tss_read(v, off, 2);
		sel = (uint16_t)tss_read(v, off + 2, 2);
	}
	ret->code = sel & 0xfffc;
	if (!(sel & 0xfffc) || !emu_desc_load(v, sel, &ret->desc) || (sel & 3) != cpl ||
	    desc_dpl(&ret->desc) != cpl || !desc_is_writable(&ret->desc))
		emu_raise_sel(v, EXC_TS, sel);
	if (!(ret->desc.hi & DESC_P))
		emu_raise_sel(v, EXC_SS, sel);
	ret->seg = emu_desc_segment(&ret->desc, sel);
}

/* ---- MOV, PUSH, POP, LDS and kin ---- */

/* b: segment register; a: register */
const struct uop *op_mov_from_sreg_r(struct vcpu *v, const struct uop *u)
{
	uint16_t sel = v->seg[u->b].selector;

	if (u->osize == 2)
		R16(v, u->a) = sel;
	else
		R64(v, u->a) = sel;
	NEXT(v, u);
}

const struct uop *op_mov_from_sreg_m(struct vcpu *v, const struct uop *u)
{
	emu_st16(v, u, emu_ea_G(v, u, 2, true), v->seg[u->b].selector);
	NEXT(v, u);
}

static const struct uop *load_sreg(struct vcpu *v, const struct uop *u, unsigned seg, uint16_t sel)
{
	sys_begin(v, u);
	emu_load_segment(v, AT_RIP, seg, sel);
	/* MOV SS and POP SS hold interrupts off until the stack pointer is there, too. */
	if (seg == X86_SS)
		v->shadow = v->shadow_ss = true;
	return sys_end_mode(v, u);
}

const struct uop *op_mov_to_sreg_r(struct vcpu *v, const struct uop *u)
{
	return load_sreg(v, u, u->b, R16(v, u->a));
}

const struct uop *op_mov_to_sreg_m(struct vcpu *v, const struct uop *u)
{
	return load_sreg(v, u, u->b, emu_ld16(v, u, emu_ea_G(v, u, 2, false)));
}

const struct uop *op_push_sreg(struct vcpu *v, const struct uop *u)
{
	struct stack s = emu_stack(v);

	emu_stack_push(v, u, &s, u->osize, v->seg[u->b].selector);
	v->r[X86_RSP] = s.sp;
	NEXT_RETURN(u);
}

const struct uop *op_pop_sreg(struct vcpu *v, const struct uop *u)
{
	struct stack s = emu_stack(v);
	/* Only the selector is read, whatever the operand size. */
	uint16_t sel = (uint16_t)emu_stack_peek(v, u, &s, u->osize, 0);

	sys_begin(v, u);
	emu_load_segment(v, AT_RIP, u->b, sel);
	v->r[X86_RSP] = emu_stack_add(&s, u->osize);
	if (u->b == X86_SS)
		v->shadow = v->shadow_ss = true;
	return sys_end_mode(v, u);
}

/* LDS LES LSS LFS LGS: b segment register, a register */
const struct uop *op_load_far(struct vcpu *v, const struct uop *u)
{
	uint64_t lin = emu_ea_G(v, u, u->osize + 2u, false), off;
	uint16_t sel;

	if (u->osize == 8)
		off = emu_ld64(v, u, lin);
	else
		off = u->osize == 4 ? emu_ld32(v, u, lin) : emu_ld16(v, u, lin);
	sel = emu_ld16(v, u, lin + u->osize);
	sys_begin(v, u);
	emu_load_segment(v, AT_RIP, u->b, sel);
	if (u->osize == 2)
		R16(v, u->a) = (uint16_t)off;
	else
		R64(v, u->a) = off;
	return sys_end_mode(v, u);
}

/* ---- LAR, LSL, VERR, VERW, ARPL ---- */

static void set_zf(struct vcpu *v, bool on)
{
	v->flags = (uint16_t)((v->flags & ~0x4000u) | (on ? 0x4000u : 0));
}

/* A selector that a program may look at; @types: allowed types of system descriptors. */
static bool visible(struct vcpu *v, uint16_t sel, uint32_t types, struct desc *d)
{
	if (!(sel & 0xfffc) || !emu_desc_load(v, sel, d))
		return false;
	if (!(d->hi & DESC_S) && !(types >> desc_type(d) & 1))
		return false;
	if ((d->hi & (DESC_S | DESC_CODE | DESC_CONFORM)) == (DESC_S | DESC_CODE | DESC_CONFORM))
		return true;
	return desc_dpl(d) >= v->cpl && desc_dpl(d) >= (sel & 3);
}

#define BIT(n)         (1u << (n))
#define TYPES_LSL_LONG (BIT(SYS_LDT) | BIT(SYS_TSS32) | BIT(SYS_TSS32_BUSY))
#define TYPES_LSL      (TYPES_LSL_LONG | BIT(SYS_TSS16) | BIT(SYS_TSS16_BUSY))
#define TYPES_LAR_LONG (TYPES_LSL_LONG | BIT(SYS_CALL32))
#define TYPES_LAR      (TYPES_LSL | BIT(SYS_CALL32) | BIT(SYS_CALL16) | BIT(SYS_TASK_GATE))

static const struct uop *look(struct vcpu *v, const struct uop *u, uint16_t sel, bool limit)
{
	struct desc d;
	uint32_t types, value;
	bool ok;

	sys_begin(v, u);
	if (limit)
		types = sys_lma(v) ? TYPES_LSL_LONG : TYPES_LSL;
	else
		types = sys_lma(v) ? TYPES_LAR_LONG : TYPES_LAR;
	ok = visible(v, sel, types, &d);
	if (ok) {
		value = limit ? desc_limit(&d) : d.hi & 0x00ffff00;
		if (u->osize == 2)
			R16(v, u->a) = (uint16_t)value;
		else
			R64(v, u->a) = value;
	}
	set_zf(v, ok);
	return sys_end(v, u);
}

static const struct uop *verify(struct vcpu *v, const struct uop *u, uint16_t sel, bool write)
{
	struct desc d;
	bool ok;

	sys_begin(v, u);
	ok = visible(v, sel, 0, &d);
	if (ok && write)
		ok = desc_is_writable(&d);
	else if (ok)
		ok = !desc_is_code(&d) || d.hi & DESC_WRITABLE;
	set_zf(v, ok);
	return sys_end(v, u);
}

/* Register and memory forms of instructions with a 16-bit operand. */
#define SELECTOR_OP(name, privileged, call)                                  \
	const struct uop *op_##name##_r(struct vcpu *v, const struct uop *u) \
	{                                                                    \
		uint16_t sel = R16(v, u->b);                                 \
		if ((privileged) && v->cpl)                                  \
			emu_gp0(v, u);                                       \
		return call;                                                 \
	}                                                                    \
	const struct uop *op_##name##_m(struct vcpu *v, const struct uop *u) \
	{                                                                    \
		uint16_t sel;                                                \
		if ((privileged) && v->cpl)                                  \
			emu_gp0(v, u);                                       \
		sel = emu_ld16(v, u, emu_ea_G(v, u, 2, false));              \
		return call;                                                 \
	}

SELECTOR_OP(lar, false, look(v, u, sel, false))
SELECTOR_OP(lsl, false, look(v, u, sel, true))
SELECTOR_OP(verr, false, verify(v, u, sel, false))
SELECTOR_OP(verw, false, verify(v, u, sel, true))

const struct uop *op_arpl_r(struct vcpu *v, const struct uop *u)
{
	unsigned rpl = R16(v, u->b) & 3;
	bool less = (R16(v, u->a) & 3u) < rpl;

	if (less)
		R16(v, u->a) = (uint16_t)((R16(v, u->a) & ~3u) | rpl);
	set_zf(v, less);
	NEXT(v, u);
}

const struct uop *op_arpl_m(struct vcpu *v, const struct uop *u)
{
	uint64_t lin = emu_ea_G(v, u, 2, true);
	unsigned rpl = R16(v, u->b) & 3;
	uint16_t sel;

	emu_probe_write(v, u, lin, 2);
	sel = emu_ld16(v, u, lin);
	if ((sel & 3u) < rpl) {
		emu_st16(v, u, lin, (uint16_t)((sel & ~3u) | rpl));
		set_zf(v, true);
	} else {
		set_zf(v, false);
	}
	NEXT(v, u);
}

/* ---- LLDT, LTR, SLDT, STR ---- */

/* Base of a 16-byte descriptor; raises #GP(selector). */
static uint64_t long_base(struct vcpu *v, uint16_t sel, const struct desc *d)
{
	uint64_t upper, base;

	if (!emu_desc_upper(v, sel, d, &upper) || upper >> 32 & 0x1f00)
		emu_raise_sel(v, EXC_GP, sel);
	base = desc_base(d) | upper << 32;
	if (!sys_canonical(base))
		emu_raise_sel(v, EXC_GP, sel);
	return base;
}

static const struct uop *load_system(struct vcpu *v, const struct uop *u, unsigned seg,
				     uint16_t sel)
{
	struct x86_segment s;
	struct desc d;
	bool ldt = seg == X86_LDT;
	unsigned type;

	sys_begin(v, u);
	if (!(sel & 0xfffc)) {
		if (!ldt)
			emu_gp0(v, AT_RIP);
		v->seg[seg] = emu_null_segment(sel, 0);
		return sys_end_mode(v, u);
	}
	if (sel & 4 || !emu_desc_load(v, sel, &d) || d.hi & DESC_S)
		emu_raise_sel(v, EXC_GP, sel);
	type = desc_type(&d);
	if (ldt ? type != SYS_LDT : type != SYS_TSS32 && (type != SYS_TSS16 || sys_lma(v)))
		emu_raise_sel(v, EXC_GP, sel);
	if (!(d.hi & DESC_P))
		emu_raise_sel(v, EXC_NP, sel);
	s = emu_desc_segment(&d, sel);
	if (sys_lma(v))
		s.base = long_base(v, sel, &d);
	if (!ldt) {
		emu_desc_mark(v, &d, DESC_BUSY);
		s.access |= DESC_BUSY >> 8;
	}
	v->seg[seg] = s;
	return sys_end_mode(v, u);
}

SELECTOR_OP(lldt, true, load_system(v, u, X86_LDT, sel))
SELECTOR_OP(ltr, true, load_system(v, u, X86_TR, sel))

static const struct uop *store_r(struct vcpu *v, const struct uop *u, unsigned seg)
{
	if (u->osize == 2)
		R16(v, u->b) = v->seg[seg].selector;
	else
		R64(v, u->b) = v->seg[seg].selector;
	NEXT(v, u);
}

static const struct uop *store_m(struct vcpu *v, const struct uop *u, unsigned seg)
{
	emu_st16(v, u, emu_ea_G(v, u, 2, true), v->seg[seg].selector);
	NEXT(v, u);
}

const struct uop *op_sldt_r(struct vcpu *v, const struct uop *u)
{
	return store_r(v, u, X86_LDT);
}

const struct uop *op_sldt_m(struct vcpu *v, const struct uop *u)
{
	return store_m(v, u, X86_LDT);
}

const struct uop *op_str_r(struct vcpu *v, const struct uop *u)
{
	return store_r(v, u, X86_TR);
}

const struct uop *op_str_m(struct vcpu *v, const struct uop *u)
{
	return store_m(v, u, X86_TR);
}
