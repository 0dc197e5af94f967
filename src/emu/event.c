/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * event.c - exceptions and interrupts: delivery, double faults, IRET, INT n; INIT and SIPI
 *
 * Sources: Intel SDM vol. 3 chapter 6 (delivery, error codes, table 6-5), 20.3 (virtual-8086);
 * vol. 2, INT n and IRET, whose order of checks is kept.
 *
 * Theory of operation. emu_deliver() raises nothing after it has begun to change registers. A fault
 * inside leaves through vcpu.escape with in_delivery set; the run loop then calls
 * emu_deliver_fault() again, which makes a double fault or a shutdown of it.
 *
 * RF in the pushed flags: set for faults, as they are for traps and interrupts (SDM 18.3.1.1). So
 * #DB by emu_deliver() is a trap or an instruction breakpoint, #DB by emu_raise() is a fault.
 */
#include "emu/sys-int.h"

#include "base/log.h"

#define DR7_GD (1u << 13)

enum {
	GATE_NONE = 0xff
};

struct event {
	unsigned vector;
	enum emu_event kind;
	bool has_code;
	uint32_t code;
	uint32_t flags; /* as they are pushed */
	uint64_t next;  /* RIP as it is pushed */
};

static bool is_soft(enum emu_event kind)
{
	return kind == EVENT_SOFT_INT || kind == EVENT_SOFT_EXC;
}

/* ---- raising ---- */

_Noreturn static void leave(struct vcpu *v, const struct uop *u, struct fault fault)
{
	if (u) {
		v->r[R_RIP] += u->off;
		if (!(v->mode & MODE_64))
			v->r[R_RIP] = (uint32_t)v->r[R_RIP];
		emu_retire(v, u->n - 1u);
	}
	if (v->split_held)
		emu_split_unlock(v);
	v->rmw_len = 0;
	v->fault = fault;
	longjmp(*v->escape, 1);
}

_Noreturn void emu_raise(struct vcpu *v, const struct uop *u, unsigned vector)
{
	leave(v, u, (struct fault){ .vector = (uint8_t)vector });
}

_Noreturn void emu_raise_code(struct vcpu *v, const struct uop *u, unsigned vector, uint32_t code)
{
	if (vector >= EXC_TS && vector <= EXC_GP)
		code |= v->ext;
	leave(v, u, (struct fault){ .vector = (uint8_t)vector, .has_code = true, .code = code });
}

_Noreturn void emu_raise_pf(struct vcpu *v, const struct uop *u, uint64_t lin, uint32_t code)
{
	v->cr2 = lin;
	leave(v, u, (struct fault){ .vector = EXC_PF, .has_code = true, .code = code });
}

/* ---- real mode ---- */

static void deliver_real(struct vcpu *v, const struct event *e)
{
	struct stack s = emu_stack(v);
	uint64_t entry;

	if (e->vector * 4 + 3 > v->idt.limit)
		emu_raise_code(v, AT_RIP, EXC_GP, e->vector * 8 + 2);
	entry = emu_load_sys(v, v->idt.base + (uint64_t)e->vector * 4, 4);
	emu_stack_room(v, AT_RIP, &s, 6);
	emu_stack_push(v, &sys_at_rip_ss, &s, 2, e->flags);
	emu_stack_push(v, &sys_at_rip_ss, &s, 2, v->seg[X86_CS].selector);
	emu_stack_push(v, &sys_at_rip_ss, &s, 2, e->next);
	v->r[X86_RSP] = s.sp;
	emu_set_cs_real(v, (uint16_t)(entry >> 16));
	v->r[R_RIP] = entry & 0xffff;
	v->eflags &= ~(uint32_t)(RFLAGS_IF | RFLAGS_TF | RFLAGS_AC | RFLAGS_RF);
}

/* ---- protected mode ---- */

struct gate {
	struct desc cs;
	uint16_t sel;
	uint64_t ip;
	unsigned size; /* of a slot on the stack */
	unsigned ist, cpl;
	bool interrupt; /* clears IF */
};

_Noreturn static void no_task_gate(struct vcpu *v, uint32_t code)
{
	static atomic_bool told;

	if (!atomic_exchange(&told, true))
		log_warning("the guest has a task gate in its IDT, which is not provided");
	emu_raise_code(v, AT_RIP, EXC_GP, code);
}

/* Read and check the gate itself, not yet where it leads. */
static void load_gate(struct vcpu *v, const struct event *e, struct gate *g)
{
	bool lma = sys_lma(v);
	uint32_t code = e->vector * 8 + 2;
	unsigned len = lma ? 16 : 8, type;
	uint64_t lin = v->idt.base + (uint64_t)e->vector * len, low, high = 0;
	struct desc d;

	if (e->vector * len + len - 1 > v->idt.limit)
		emu_raise_code(v, AT_RIP, EXC_GP, code);
	if (!lma)
		lin = (uint32_t)lin;
	low = emu_load_sys(v, lin, 8);
	if (lma)
		high = emu_load_sys(v, lin + 8, 8);
	d = (struct desc){ .lin = lin, .lo = (uint32_t)low, .hi = (uint32_t)(low >> 32) };
	type = desc_type(&d);
	if (d.hi & DESC_S ||
	    !(type == SYS_INT32 || type == SYS_TRAP32 ||
	      (!lma && (type == SYS_INT16 || type == SYS_TRAP16 || type == SYS_TASK_GATE))))
		emu_raise_code(v, AT_RIP, EXC_GP, code);
	if (is_soft(e->kind) && desc_dpl(&d) < v->cpl)
		emu_raise_code(v, AT_RIP, EXC_GP, code);
	if (!(d.hi & DESC_P))
		emu_raise_code(v, AT_RIP, EXC_NP, code);
	if (type == SYS_TASK_GATE)
		no_task_gate(v, code);

	g->sel = (uint16_t)(d.lo >> 16);
	g->ip = d.lo & 0xffff;
	if (type >= SYS_INT32)
		g->ip |= d.hi & 0xffff0000u;
	g->ip |= high << 32;
	g->size = lma ? 8 : type >= SYS_INT32 ? 4 : 2;
	g->ist = lma ? d.hi & 7 : 0;
	g->interrupt = !(type & 1);
}

/* Read and check the code segment that the gate names. */
static void load_gate_cs(struct vcpu *v, struct gate *g)
{
	bool vm = v->eflags & RFLAGS_VM;
	unsigned dpl;

	if (!(g->sel & 0xfffc))
		emu_gp0(v, AT_RIP);
	if (!emu_desc_load(v, g->sel, &g->cs) || !desc_is_code(&g->cs))
		emu_raise_sel(v, EXC_GP, g->sel);
	dpl = desc_dpl(&g->cs);
	if (dpl > v->cpl)
		emu_raise_sel(v, EXC_GP, g->sel);
	if (sys_lma(v) && (g->cs.hi & (DESC_L | DESC_DB)) != DESC_L)
		emu_raise_sel(v, EXC_GP, g->sel);
	if (!(g->cs.hi & DESC_P))
		emu_raise_sel(v, EXC_NP, g->sel);
	g->cpl = g->cs.hi & DESC_CONFORM ? v->cpl : dpl;
	/* Out of virtual-8086 mode only level 0 is reached. */
	if (vm && g->cpl != 0)
		emu_raise_sel(v, EXC_GP, g->sel);
}

static void push_frame(struct vcpu *v, const struct event *e, const struct gate *g, struct stack *s,
		       bool with_stack)
{
	const struct uop *at = &sys_at_rip_ss;
	bool vm = v->eflags & RFLAGS_VM;
	unsigned slots = 3u + (with_stack ? 2 : 0) + (vm ? 4 : 0) + (e->has_code ? 1 : 0);

	emu_stack_room(v, at, s, slots * g->size);
	if (sys_lma(v) ? !sys_canonical(g->ip) : g->ip > emu_desc_segment(&g->cs, g->sel).limit)
		emu_gp0(v, AT_RIP);
	if (vm) {
		emu_stack_push(v, at, s, g->size, v->seg[X86_GS].selector);
		emu_stack_push(v, at, s, g->size, v->seg[X86_FS].selector);
		emu_stack_push(v, at, s, g->size, v->seg[X86_DS].selector);
		emu_stack_push(v, at, s, g->size, v->seg[X86_ES].selector);
	}
	if (with_stack) {
		emu_stack_push(v, at, s, g->size, v->seg[X86_SS].selector);
		emu_stack_push(v, at, s, g->size, v->r[X86_RSP]);
	}
	emu_stack_push(v, at, s, g->size, e->flags);
	emu_stack_push(v, at, s, g->size, v->seg[X86_CS].selector);
	emu_stack_push(v, at, s, g->size, e->next);
	if (e->has_code)
		emu_stack_push(v, at, s, g->size, e->code);
}

static void deliver_protected(struct vcpu *v, const struct event *e)
{
	struct gate g;
	struct stack s;
	bool inner, with_stack, vm = v->eflags & RFLAGS_VM;

	load_gate(v, e, &g);
	load_gate_cs(v, &g);
	inner = g.cpl < v->cpl;
	with_stack = inner || sys_lma(v);
	if (inner || g.ist) {
		emu_stack_inner(v, g.cpl, g.ist, &s);
	} else {
		s = emu_stack(v);
		s.is64 = sys_lma(v);
	}
	if (s.is64)
		s.sp &= ~(uint64_t)15;
	push_frame(v, e, &g, &s, with_stack);
	emu_desc_mark(v, &g.cs, DESC_ACCESSED);
	if (inner && !s.seg.unusable) {
		emu_desc_mark(v, &s.desc, DESC_ACCESSED);
		s.seg = emu_desc_segment(&s.desc, s.seg.selector);
	}

	if (inner)
		v->seg[X86_SS] = s.seg;
	v->r[X86_RSP] = s.sp;
	v->seg[X86_CS] = emu_desc_segment(&g.cs, (uint16_t)((g.sel & 0xfffcu) | g.cpl));
	v->cpl = (uint8_t)g.cpl;
	v->r[R_RIP] = g.ip;
	v->eflags &= ~(uint32_t)(RFLAGS_TF | RFLAGS_NT | RFLAGS_VM | RFLAGS_RF);
	if (g.interrupt)
		v->eflags &= ~(uint32_t)RFLAGS_IF;
	if (vm) {
		v->seg[X86_GS] = v->seg[X86_FS] = emu_null_segment(0, 0);
		v->seg[X86_DS] = v->seg[X86_ES] = emu_null_segment(0, 0);
	}
}

static void deliver(struct vcpu *v, const struct event *e)
{
	v->in_delivery = true;
	v->trap_flag = false; /* the handler begins, no single-step trap before it */
	v->delivering = e->kind == EVENT_EXCEPTION ? (uint8_t)e->vector : GATE_NONE;
	v->ext = !is_soft(e->kind);
	v->cur = AT_RIP;
	if (is_soft(e->kind))
		emu_count(v, CPU_STAT_EXCEPTION);
	if (v->cr0 & CR0_PE)
		deliver_protected(v, e);
	else
		deliver_real(v, e);
	if (e->vector == EXC_DB && e->kind == EVENT_EXCEPTION)
		v->dr[7] &= ~(uint64_t)DR7_GD;
	v->in_delivery = false;
	v->ext = 0;
	v->halted = false;
	v->shadow = v->shadow_ss = false;
	v->trap_flag = false;
	emu_mode_update(v);
}

void emu_deliver(struct vcpu *v, unsigned vector, enum emu_event kind, bool has_code, uint32_t code)
{
	struct event e = {
		.vector = vector,
		.kind = kind,
		.has_code = has_code,
		.code = code,
		.flags = emu_eflags(v),
		.next = v->r[R_RIP],
	};

	deliver(v, &e);
}

/* SDM vol. 3, table 6-5 */
static bool is_contributory(unsigned vector)
{
	return vector == EXC_DE || (vector >= EXC_TS && vector <= EXC_GP);
}

static bool is_fault(unsigned vector)
{
	return vector != EXC_DF && vector != EXC_MC && vector != EXC_NMI;
}

void emu_deliver_fault(struct vcpu *v)
{
	struct event e = {
		.vector = v->fault.vector,
		.kind = EVENT_EXCEPTION,
		.has_code = v->fault.has_code,
		.code = v->fault.code,
		.flags = emu_eflags(v),
		.next = v->r[R_RIP],
	};

	if (v->in_delivery) {
		unsigned first = v->delivering, second = e.vector;
		bool bad = is_contributory(second) || second == EXC_PF;

		if (first == EXC_DF && bad) {
			v->in_delivery = false;
			v->ext = 0;
			v->shutdown = true;
			return;
		}
		if ((first == EXC_PF && bad) ||
		    (is_contributory(first) && is_contributory(second))) {
			e.vector = EXC_DF;
			e.has_code = true;
			e.code = 0;
		}
	}
	if (is_fault(e.vector))
		e.flags |= RFLAGS_RF;
	deliver(v, &e);
}

void emu_inject(struct vcpu *v)
{
	struct event e = {
		.vector = v->injected.vector,
		.kind = v->injected.vector < 32 ? EVENT_EXCEPTION : EVENT_INTERRUPT,
		.has_code = v->injected.has_code,
		.code = v->injected.code,
		.flags = emu_eflags(v),
		.next = v->r[R_RIP],
	};

	if (!v->inject)
		return;
	v->inject = false;
	if (e.kind == EVENT_EXCEPTION && is_fault(e.vector) && e.vector != EXC_DB)
		e.flags |= RFLAGS_RF;
	deliver(v, &e);
}

/* ---- INT n, INT3, INTO, INT1 ---- */

static const struct uop *soft(struct vcpu *v, const struct uop *u, unsigned vector,
			      enum emu_event kind)
{
	struct event e = {
		.vector = vector,
		.kind = kind,
		.flags = emu_eflags(v),
	};

	sys_begin(v, u);
	if (kind == EVENT_SOFT_INT && v->eflags & RFLAGS_VM && sys_iopl(v) < 3)
		emu_gp0(v, AT_RIP);
	/* A fault in the delivery is this instruction's: RIP is not behind it yet. */
	e.next = v->r[R_RIP] + u->len;
	deliver(v, &e);
	emu_retire(v, 1);
	return NULL;
}

const struct uop *op_int(struct vcpu *v, const struct uop *u)
{
	return soft(v, u, (unsigned)u->imm, EVENT_SOFT_INT);
}

const struct uop *op_int3(struct vcpu *v, const struct uop *u)
{
	return soft(v, u, EXC_BP, EVENT_SOFT_EXC);
}

const struct uop *op_int1(struct vcpu *v, const struct uop *u)
{
	return soft(v, u, EXC_DB, EVENT_EXCEPTION);
}

const struct uop *op_into(struct vcpu *v, const struct uop *u)
{
	if (!(v->flags & 1)) {
		emu_done(v, u);
		return NULL;
	}
	return soft(v, u, EXC_OF, EVENT_SOFT_EXC);
}

/* ---- IRET ---- */

#define FLAGS_ALWAYS (RFLAGS_ARITH | RFLAGS_TF | RFLAGS_DF | RFLAGS_NT)

/* Flags that IRET may change, by the level it starts from. */
static uint32_t iret_mask(const struct vcpu *v, unsigned size)
{
	uint32_t mask = FLAGS_ALWAYS;

	if (size > 2)
		mask |= RFLAGS_RF | RFLAGS_AC | RFLAGS_ID;
	if (v->cpl <= sys_iopl(v))
		mask |= RFLAGS_IF;
	if (v->cpl == 0) {
		mask |= RFLAGS_IOPL;
		if (size > 2)
			mask |= RFLAGS_VIF | RFLAGS_VIP;
	}
	return mask;
}

static void set_flags(struct vcpu *v, uint32_t value, uint32_t mask)
{
	value = (emu_eflags(v) & ~mask) | (value & mask);
	/* RF matters to instruction breakpoints only; it is gone after one instruction anyway. */
	if (!(v->dr[7] & 0xff))
		value &= ~(uint32_t)RFLAGS_RF;
	emu_set_eflags(v, value);
}

static void iret_real(struct vcpu *v, unsigned size)
{
	struct stack s = emu_stack(v);
	const struct uop *at = &sys_at_rip_ss;
	bool vm = v->eflags & RFLAGS_VM;
	uint64_t ip;
	uint32_t flags, mask;
	uint16_t cs;

	if (vm && sys_iopl(v) < 3)
		emu_gp0(v, AT_RIP);
	ip = emu_stack_peek(v, at, &s, size, 0);
	cs = (uint16_t)emu_stack_peek(v, at, &s, size, size);
	flags = (uint32_t)emu_stack_peek(v, at, &s, size, 2 * size);
	if (ip > (vm ? 0xffff : v->seg[X86_CS].limit))
		emu_gp0(v, AT_RIP);
	mask = FLAGS_ALWAYS | RFLAGS_IF | (vm ? 0 : RFLAGS_IOPL);
	if (size == 4)
		mask |= RFLAGS_RF | RFLAGS_AC | RFLAGS_ID;
	emu_set_cs_real(v, cs);
	v->r[R_RIP] = ip;
	v->r[X86_RSP] = emu_stack_add(&s, 3 * size);
	set_flags(v, flags, mask);
}

/* From protected mode, level 0, with VM set in the frame. */
static void iret_to_vm86(struct vcpu *v, uint64_t ip, uint16_t cs, uint32_t flags)
{
	static const uint8_t order[] = { X86_ES, X86_DS, X86_FS, X86_GS };
	const struct uop *at = &sys_at_rip_ss;
	struct stack s = emu_stack(v);
	uint16_t sel[4], ss;
	uint64_t sp;

	sp = emu_stack_peek(v, at, &s, 4, 12);
	ss = (uint16_t)emu_stack_peek(v, at, &s, 4, 16);
	for (unsigned i = 0; i < 4; i++)
		sel[i] = (uint16_t)emu_stack_peek(v, at, &s, 4, 20 + 4 * i);
	if (ip > 0xffff)
		emu_gp0(v, AT_RIP);
	set_flags(v, flags,
		  FLAGS_ALWAYS | RFLAGS_RF | RFLAGS_AC | RFLAGS_ID | RFLAGS_IF | RFLAGS_IOPL |
			  RFLAGS_VIF | RFLAGS_VIP | RFLAGS_VM);
	v->cpl = 3;
	emu_set_cs_real(v, cs);
	v->r[R_RIP] = ip;
	emu_load_segment(v, AT_RIP, X86_SS, ss);
	v->r[X86_RSP] = sp;
	for (unsigned i = 0; i < 4; i++)
		emu_load_segment(v, AT_RIP, order[i], sel[i]);
}

static void iret_protected(struct vcpu *v, unsigned size)
{
	const struct uop *at = &sys_at_rip_ss;
	struct stack s = emu_stack(v);
	struct far_return r = {
		.size = size,
		.outer = 3 * size,
		.frame = 3 * size,
		.with_stack = v->mode & MODE_64,
	};
	uint32_t flags, mask = iret_mask(v, size);

	if (v->eflags & RFLAGS_NT) {
		static atomic_bool told;

		if (!sys_lma(v) && !atomic_exchange(&told, true))
			log_warning("the guest returns to another task by hardware, "
				    "which is not provided");
		emu_gp0(v, AT_RIP);
	}
	r.ip = emu_stack_peek(v, at, &s, size, 0);
	r.cs = (uint16_t)emu_stack_peek(v, at, &s, size, size);
	flags = (uint32_t)emu_stack_peek(v, at, &s, size, 2 * size);
	if (size == 4 && flags & RFLAGS_VM && v->cpl == 0 && !sys_lma(v)) {
		iret_to_vm86(v, r.ip, r.cs, flags);
		return;
	}
	emu_far_return(v, &r);
	set_flags(v, flags, mask);
}

const struct uop *op_iret(struct vcpu *v, const struct uop *u)
{
	sys_begin(v, u);
	v->nmi_masked = false;
	if (sys_protected(v))
		iret_protected(v, u->osize);
	else
		iret_real(v, u->osize);
	emu_retire(v, 1);
	emu_mode_update(v);
	return NULL;
}

/* ---- INIT, SIPI ---- */

void emu_init(struct vcpu *v)
{
	emu_vcpu_reset(v, true);
	v->wait_sipi = v->index != 0;
}

void emu_sipi(struct vcpu *v, uint8_t vector)
{
	if (!v->wait_sipi)
		return;
	v->wait_sipi = false;
	v->seg[X86_CS].selector = (uint16_t)(vector << 8);
	v->seg[X86_CS].base = (uint64_t)vector << 12;
	v->r[R_RIP] = 0;
	emu_mode_update(v);
}
