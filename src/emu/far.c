/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * far.c - control transfers to another code segment: far CALL, JMP and RET, call gates
 *
 * Sources: Intel SDM vol. 2, CALL, JMP, RET; vol. 3, 5.8. The order of checks is the manual's.
 *
 * Task switches by hardware are not provided: a task gate or a TSS as target raises #GP(selector)
 * and is reported once.
 */
#include "emu/sys-int.h"

#include "base/log.h"

/* Where a transfer goes, once all is checked. */
struct target {
	struct desc cs;
	uint16_t sel;
	uint64_t ip;
	unsigned cpl;
};

_Noreturn static void no_task_switch(struct vcpu *v, uint16_t sel)
{
	static atomic_bool told;

	if (!atomic_exchange(&told, true))
		log_warning("the guest wants a task switch by hardware, which is not provided");
	emu_raise_sel(v, EXC_GP, sel);
}

/* May execution go on at @ip in this segment? Raises #GP(0). */
static void check_ip(struct vcpu *v, const struct desc *cs, uint64_t ip)
{
	struct x86_segment s;

	if (sys_lma(v) && cs->hi & DESC_L) {
		if (!sys_canonical(ip))
			emu_gp0(v, AT_RIP);
		return;
	}
	s = emu_desc_segment(cs, 0);
	if (ip > s.limit)
		emu_gp0(v, AT_RIP);
}

/* Both L and D: reserved. */
static bool bad_code_size(const struct vcpu *v, const struct desc *d)
{
	return sys_lma(v) && (d->hi & (DESC_L | DESC_DB)) == (DESC_L | DESC_DB);
}

static void set_cs(struct vcpu *v, const struct desc *d, uint16_t sel, unsigned cpl)
{
	v->seg[X86_CS] = emu_desc_segment(d, (uint16_t)((sel & 0xfffcu) | cpl));
	v->cpl = (uint8_t)cpl;
}

/* A code segment named by the instruction itself. */
static void check_direct(struct vcpu *v, struct target *t)
{
	unsigned dpl = desc_dpl(&t->cs);

	if (!desc_is_code(&t->cs) || bad_code_size(v, &t->cs))
		emu_raise_sel(v, EXC_GP, t->sel);
	if (t->cs.hi & DESC_CONFORM ? dpl > v->cpl : (t->sel & 3u) > v->cpl || dpl != v->cpl)
		emu_raise_sel(v, EXC_GP, t->sel);
	if (!(t->cs.hi & DESC_P))
		emu_raise_sel(v, EXC_NP, t->sel);
	t->cpl = v->cpl;
}

/* A call gate: fills in *t from it, and returns its size of slots and number of parameters. */
static unsigned check_gate(struct vcpu *v, struct target *t, bool call, unsigned *ret_params)
{
	struct desc gate = t->cs;
	uint16_t sel = t->sel;
	unsigned type = desc_type(&gate), size, dpl;
	uint64_t upper = 0;

	if (sys_lma(v)) {
		if (type != SYS_CALL32)
			emu_raise_sel(v, EXC_GP, sel);
	} else if (type != SYS_CALL32 && type != SYS_CALL16 && type != SYS_TASK_GATE &&
		   type != SYS_TSS16 && type != SYS_TSS32) {
		emu_raise_sel(v, EXC_GP, sel);
	}
	if (desc_dpl(&gate) < v->cpl || desc_dpl(&gate) < (sel & 3u))
		emu_raise_sel(v, EXC_GP, sel);
	if (sys_lma(v) && (!emu_desc_upper(v, sel, &gate, &upper) || upper >> 32 & 0x1f00))
		emu_raise_sel(v, EXC_GP, sel);
	if (!(gate.hi & DESC_P))
		emu_raise_sel(v, EXC_NP, sel);
	if (type != SYS_CALL32 && type != SYS_CALL16)
		no_task_switch(v, sel);

	t->sel = (uint16_t)(gate.lo >> 16);
	t->ip = gate.lo & 0xffff;
	if (type == SYS_CALL32)
		t->ip |= gate.hi & 0xffff0000u;
	t->ip |= upper << 32;
	*ret_params = sys_lma(v) ? 0 : gate.hi & 0x1f;
	size = sys_lma(v) ? 8 : type == SYS_CALL32 ? 4 : 2;

	if (!(t->sel & 0xfffc))
		emu_gp0(v, AT_RIP);
	if (!emu_desc_load(v, t->sel, &t->cs) || !desc_is_code(&t->cs))
		emu_raise_sel(v, EXC_GP, t->sel);
	dpl = desc_dpl(&t->cs);
	if (sys_lma(v) && (t->cs.hi & (DESC_L | DESC_DB)) != DESC_L)
		emu_raise_sel(v, EXC_GP, t->sel);
	if (dpl > v->cpl || (!call && !(t->cs.hi & DESC_CONFORM) && dpl != v->cpl))
		emu_raise_sel(v, EXC_GP, t->sel);
	if (!(t->cs.hi & DESC_P))
		emu_raise_sel(v, EXC_NP, t->sel);
	t->cpl = t->cs.hi & DESC_CONFORM ? v->cpl : dpl;
	return size;
}

/* A call through a gate to an inner level. */
static void call_inner(struct vcpu *v, struct target *t, unsigned size, unsigned params,
		       uint64_t next)
{
	struct stack old = emu_stack(v), s;
	uint64_t param[31];

	emu_stack_inner(v, t->cpl, 0, &s);
	emu_stack_room(v, AT_RIP, &s, (4 + params) * size);
	check_ip(v, &t->cs, t->ip);
	for (unsigned i = 0; i < params; i++)
		param[i] = emu_stack_peek(v, &sys_at_rip_ss, &old, size, i * size);
	emu_stack_push(v, AT_RIP, &s, size, v->seg[X86_SS].selector);
	emu_stack_push(v, AT_RIP, &s, size, v->r[X86_RSP]);
	while (params--)
		emu_stack_push(v, AT_RIP, &s, size, param[params]);
	emu_stack_push(v, AT_RIP, &s, size, v->seg[X86_CS].selector);
	emu_stack_push(v, AT_RIP, &s, size, next);
	if (!s.seg.unusable)
		emu_desc_mark(v, &s.desc, DESC_ACCESSED);
	emu_desc_mark(v, &t->cs, DESC_ACCESSED);
	if (!s.seg.unusable)
		s.seg = emu_desc_segment(&s.desc, s.seg.selector);
	v->seg[X86_SS] = s.seg;
	v->r[X86_RSP] = s.sp;
}

static const struct uop *far_real(struct vcpu *v, const struct uop *u, uint16_t sel, uint64_t ip,
				  bool call)
{
	struct stack s = emu_stack(v);

	if (call)
		emu_stack_room(v, AT_RIP, &s, 2u * u->osize);
	if (ip > (v->eflags & RFLAGS_VM ? 0xffff : v->seg[X86_CS].limit))
		emu_gp0(v, AT_RIP);
	if (call) {
		emu_stack_push(v, &sys_at_rip_ss, &s, u->osize, v->seg[X86_CS].selector);
		emu_stack_push(v, &sys_at_rip_ss, &s, u->osize, v->r[R_RIP] + u->len);
		v->r[X86_RSP] = s.sp;
	}
	emu_set_cs_real(v, sel);
	v->r[R_RIP] = ip;
	emu_retire(v, 1);
	emu_mode_update(v);
	return NULL;
}

static const struct uop *far_to(struct vcpu *v, const struct uop *u, uint16_t sel, uint64_t ip,
				bool call)
{
	struct target t = { .sel = sel, .ip = u->osize == 2 ? (uint16_t)ip : ip };
	unsigned size = u->osize, params = 0;
	uint64_t next;

	sys_begin(v, u);
	next = v->r[R_RIP] + u->len;
	if (!sys_protected(v))
		return far_real(v, u, sel, t.ip, call);
	if (!(sel & 0xfffc))
		emu_gp0(v, AT_RIP);
	if (!emu_desc_load(v, sel, &t.cs))
		emu_raise_sel(v, EXC_GP, sel);
	if (t.cs.hi & DESC_S)
		check_direct(v, &t);
	else
		size = check_gate(v, &t, call, &params);

	if (call && t.cpl < v->cpl) {
		call_inner(v, &t, size, params, next);
	} else {
		struct stack s = emu_stack(v);

		if (call)
			emu_stack_room(v, AT_RIP, &s, 2 * size);
		check_ip(v, &t.cs, t.ip);
		if (call) {
			emu_stack_push(v, &sys_at_rip_ss, &s, size, v->seg[X86_CS].selector);
			emu_stack_push(v, &sys_at_rip_ss, &s, size, next);
		}
		emu_desc_mark(v, &t.cs, DESC_ACCESSED);
		v->r[X86_RSP] = s.sp;
	}
	set_cs(v, &t.cs, t.sel, t.cpl);
	v->r[R_RIP] = t.ip;
	emu_retire(v, 1);
	emu_mode_update(v);
	return NULL;
}

/* imm: selector in bits 47:32, offset below; a: CALL */
const struct uop *op_far_direct(struct vcpu *v, const struct uop *u)
{
	return far_to(v, u, (uint16_t)(u->imm >> 32), (uint32_t)u->imm, u->a);
}

/* a: CALL */
const struct uop *op_far_mem(struct vcpu *v, const struct uop *u)
{
	uint64_t lin = emu_ea_G(v, u, u->osize + 2u, false), ip;
	uint16_t sel;

	if (u->osize == 8)
		ip = emu_ld64(v, u, lin);
	else
		ip = u->osize == 4 ? emu_ld32(v, u, lin) : emu_ld16(v, u, lin);
	sel = emu_ld16(v, u, lin + u->osize);
	return far_to(v, u, sel, ip, u->a);
}

/* ---- returns ---- */

/* The SS to return to, in *s: raises. */
static void return_stack(struct vcpu *v, uint16_t sel, const struct desc *cs, unsigned rpl,
			 struct stack *s)
{
	if (!(sel & 0xfffc)) {
		if (!sys_lma(v) || !(cs->hi & DESC_L) || rpl == 3)
			emu_gp0(v, AT_RIP);
		s->seg = emu_null_segment(sel, rpl);
		return;
	}
	if (!emu_desc_load(v, sel, &s->desc) || (sel & 3u) != rpl || !desc_is_writable(&s->desc) ||
	    desc_dpl(&s->desc) != rpl)
		emu_raise_sel(v, EXC_GP, sel);
	if (!(s->desc.hi & DESC_P))
		emu_raise_sel(v, EXC_SS, sel);
}

/* Segments that an outer level may not use become null. */
static void drop_segments(struct vcpu *v)
{
	static const uint8_t segs[] = { X86_ES, X86_DS, X86_FS, X86_GS };

	for (unsigned i = 0; i < ARRAY_SIZE(segs); i++) {
		struct x86_segment *s = &v->seg[segs[i]];

		if (!s->unusable && (s->access >> 5 & 3) < v->cpl && (s->access & 0xc) != 0xc)
			*s = emu_null_segment(0, 0);
	}
}

void emu_far_return(struct vcpu *v, const struct far_return *r)
{
	struct stack s = emu_stack(v), to = { .is64 = false };
	unsigned rpl = r->cs & 3u, dpl;
	struct desc cs;
	bool with_stack;
	uint64_t sp = 0;
	uint16_t ss;

	if (!(r->cs & 0xfffc))
		emu_gp0(v, AT_RIP);
	if (!emu_desc_load(v, r->cs, &cs) || !desc_is_code(&cs) || rpl < v->cpl ||
	    bad_code_size(v, &cs))
		emu_raise_sel(v, EXC_GP, r->cs);
	dpl = desc_dpl(&cs);
	if (cs.hi & DESC_CONFORM ? dpl > rpl : dpl != rpl)
		emu_raise_sel(v, EXC_GP, r->cs);
	if (!(cs.hi & DESC_P))
		emu_raise_sel(v, EXC_NP, r->cs);

	with_stack = rpl > v->cpl || r->with_stack;
	if (with_stack) {
		sp = emu_stack_peek(v, &sys_at_rip_ss, &s, r->size, r->outer);
		ss = (uint16_t)emu_stack_peek(v, &sys_at_rip_ss, &s, r->size, r->outer + r->size);
		return_stack(v, ss, &cs, rpl, &to);
	}
	check_ip(v, &cs, r->ip);
	emu_desc_mark(v, &cs, DESC_ACCESSED);
	if (with_stack) {
		if (ss & 0xfffc) {
			emu_desc_mark(v, &to.desc, DESC_ACCESSED);
			to.seg = emu_desc_segment(&to.desc, ss);
		}
		to.is64 = sys_lma(v) && cs.hi & DESC_L;
		/* Only SP comes from the frame if the new stack is a 16-bit one. */
		to.sp = to.is64 || to.seg.access & SEG_ACCESS_DB
				? sp
				: (v->r[X86_RSP] & 0xffff0000u) | (sp & 0xffff);
		v->seg[X86_SS] = to.seg;
		v->r[X86_RSP] = emu_stack_add(&to, r->skip);
	} else {
		v->r[X86_RSP] = emu_stack_add(&s, r->frame + r->skip);
	}
	dpl = v->cpl; /* the old level */
	set_cs(v, &cs, r->cs, rpl);
	v->r[R_RIP] = r->ip;
	if (rpl > dpl)
		drop_segments(v);
}

/* imm: bytes of parameters */
const struct uop *op_retf(struct vcpu *v, const struct uop *u)
{
	struct stack s = emu_stack(v);
	unsigned size = u->osize;
	struct far_return r = {
		.size = size,
		.skip = (unsigned)u->imm,
		.outer = 2 * size + (unsigned)u->imm,
		.frame = 2 * size,
	};

	sys_begin(v, u);
	r.ip = emu_stack_peek(v, &sys_at_rip_ss, &s, size, 0);
	r.cs = (uint16_t)emu_stack_peek(v, &sys_at_rip_ss, &s, size, size);
	if (sys_protected(v)) {
		emu_far_return(v, &r);
	} else {
		if (r.ip > (v->eflags & RFLAGS_VM ? 0xffff : v->seg[X86_CS].limit))
			emu_gp0(v, AT_RIP);
		emu_set_cs_real(v, r.cs);
		v->r[R_RIP] = r.ip;
		v->r[X86_RSP] = emu_stack_add(&s, r.frame + r.skip);
	}
	emu_retire(v, 1);
	emu_mode_update(v);
	return NULL;
}
