/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * system.c - the system part of the opcode map, and its instructions that have no file of their own
 *
 * Sources: Intel SDM vol. 2; the vCPU is an Intel one where vendors differ (SYSCALL, SYSRET,
 * SYSENTER). Not offered, so #UD: VMX, SVM, SMX, SMAP, MONITOR, PCID, CET. VMCALL and VMMCALL
 * answer "no such hypercall" to guests that were told of KVM, whose drivers try without asking.
 */
#include "emu/sys-int.h"

#include "base/bytes.h"

#define CPUID1_EDX_SEP     (1u << 11)
#define CPUID1_ECX_XSAVE   (1u << 26)
#define CPUID1_ECX_OSXSAVE (1u << 27)
#define CPUID1_EDX_APIC    (1u << 9)
#define CPUID81_EDX_RDTSCP (1u << 27)

enum {
	KVM_ENOSYS = 1000,
	KVM_EPERM = 1
};

/* ---- descriptor table registers ---- */

/* b: 1 for the IDT */
static const struct uop *op_lgdt(struct vcpu *v, const struct uop *u)
{
	bool is64 = v->mode & MODE_64;
	uint64_t lin, base;
	uint16_t limit;

	if (v->cpl)
		emu_gp0(v, u);
	lin = emu_ea_G(v, u, is64 ? 10 : 6, false);
	limit = emu_ld16(v, u, lin);
	base = is64 ? emu_ld64(v, u, lin + 2) : emu_ld32(v, u, lin + 2);
	if (is64 && !sys_canonical(base))
		emu_gp0(v, u);
	if (!is64 && u->osize == 2)
		base &= 0xffffff;
	*(u->b ? &v->idt : &v->gdt) = (struct x86_table){ .base = base, .limit = limit };
	NEXT(v, u);
}

static const struct uop *op_sgdt(struct vcpu *v, const struct uop *u)
{
	const struct x86_table *t = u->b ? &v->idt : &v->gdt;
	unsigned size = v->mode & MODE_64 ? 10 : 6;
	uint64_t lin = emu_ea_G(v, u, size, true);
	uint8_t buf[10];

	put_le16(buf, t->limit);
	put_le64(buf + 2, t->base);
	emu_store_bytes(v, u, lin, size, buf);
	NEXT_RETURN(u);
}

/* ---- caches and translations ---- */

static const struct uop *op_invlpg(struct vcpu *v, const struct uop *u)
{
	uint64_t lin = v->seg_base[u->seg] + emu_ea_offset(v, u);

	if (v->cpl)
		emu_gp0(v, u);
	if (!(v->mode & MODE_64))
		lin = (uint32_t)lin;
	/* Does not look at limits and swallows addresses that are not canonical. */
	if (sys_canonical(lin))
		emu_tlb_flush_page(v, lin);
	emu_done(v, u);
	emu_mode_update(v);
	return NULL;
}

static const struct uop *op_wbinvd(struct vcpu *v, const struct uop *u)
{
	if (v->cpl)
		emu_gp0(v, u);
	NEXT(v, u);
}

/* ---- HLT, CLI, STI, flags ---- */

static const struct uop *op_hlt(struct vcpu *v, const struct uop *u)
{
	if (v->cpl)
		emu_gp0(v, u);
	emu_done(v, u);
	v->halted = true;
	return NULL;
}

/* May this code change IF? */
static bool owns_if(const struct vcpu *v)
{
	if (!(v->mode & MODE_PE))
		return true;
	if (v->mode & MODE_VM)
		return sys_iopl(v) == 3;
	return v->cpl <= sys_iopl(v);
}

static const struct uop *op_cli(struct vcpu *v, const struct uop *u)
{
	if (!owns_if(v))
		emu_gp0(v, u);
	v->eflags &= ~(uint32_t)RFLAGS_IF;
	NEXT(v, u);
}

static const struct uop *op_sti(struct vcpu *v, const struct uop *u)
{
	if (!owns_if(v))
		emu_gp0(v, u);
	emu_done(v, u);
	if (v->eflags & RFLAGS_IF)
		return NULL;
	v->eflags |= RFLAGS_IF;
	v->shadow = true;
	emu_mode_update(v);
	return NULL;
}

static const struct uop *op_pushf(struct vcpu *v, const struct uop *u)
{
	struct stack s = emu_stack(v);

	if (v->mode & MODE_VM && sys_iopl(v) < 3)
		emu_gp0(v, u);
	emu_stack_push(v, u, &s, u->osize, emu_eflags(v) & ~(uint32_t)(RFLAGS_VM | RFLAGS_RF));
	v->r[X86_RSP] = s.sp;
	NEXT_RETURN(u);
}

static const struct uop *op_popf(struct vcpu *v, const struct uop *u)
{
	struct stack s = emu_stack(v);
	uint32_t mask = RFLAGS_ARITH | RFLAGS_TF | RFLAGS_DF | RFLAGS_NT, value;
	bool vm = v->mode & MODE_VM;

	if (vm && sys_iopl(v) < 3)
		emu_gp0(v, u);
	value = (uint32_t)emu_stack_peek(v, u, &s, u->osize, 0);
	if (u->osize > 2)
		mask |= RFLAGS_AC | RFLAGS_ID;
	if (vm || v->cpl <= sys_iopl(v))
		mask |= RFLAGS_IF;
	if (v->cpl == 0) {
		mask |= RFLAGS_IOPL;
		if (u->osize > 2) {
			value &= ~(uint32_t)(RFLAGS_VIF | RFLAGS_VIP);
			mask |= RFLAGS_VIF | RFLAGS_VIP;
		}
	}
	value = (emu_eflags(v) & ~(mask | RFLAGS_RF)) | (value & mask);
	emu_set_eflags(v, value);
	v->r[X86_RSP] = emu_stack_add(&s, u->osize);
	emu_done(v, u);
	emu_mode_update(v);
	return NULL;
}

/* ---- time, CPUID, MSRs ---- */

static void put_edx_eax(struct vcpu *v, uint64_t value)
{
	v->r[X86_RAX] = (uint32_t)value;
	v->r[X86_RDX] = value >> 32;
}

static uint64_t get_edx_eax(const struct vcpu *v)
{
	return (uint64_t)(uint32_t)v->r[X86_RDX] << 32 | (uint32_t)v->r[X86_RAX];
}

/* b: RDTSCP */
static const struct uop *op_rdtsc(struct vcpu *v, const struct uop *u)
{
	if (v->cr4 & CR4_TSD && v->cpl)
		emu_gp0(v, u);
	put_edx_eax(v, emu_tsc(v));
	if (u->b)
		v->r[X86_RCX] = v->tsc_aux;
	NEXT(v, u);
}

static const struct uop *op_cpuid(struct vcpu *v, const struct uop *u)
{
	uint32_t leaf = (uint32_t)v->r[X86_RAX], regs[4];

	emu_count(v, CPU_STAT_CPUID);
	cpuid_lookup(&v->cpuid, leaf, (uint32_t)v->r[X86_RCX], regs);
	if (leaf == 1) {
		if (regs[2] & CPUID1_ECX_XSAVE && v->cr4 & CR4_OSXSAVE)
			regs[2] |= CPUID1_ECX_OSXSAVE;
		else
			regs[2] &= ~CPUID1_ECX_OSXSAVE;
		if (!(lapic_base(v->lapic) & APIC_BASE_ENABLE))
			regs[3] &= ~CPUID1_EDX_APIC;
	}
	v->r[X86_RAX] = regs[0];
	v->r[X86_RBX] = regs[1];
	v->r[X86_RCX] = regs[2];
	v->r[X86_RDX] = regs[3];
	NEXT_RETURN(u);
}

static const struct uop *op_rdmsr(struct vcpu *v, const struct uop *u)
{
	uint64_t value;

	if (v->cpl)
		emu_gp0(v, u);
	emu_count(v, CPU_STAT_MSR);
	if (emu_msr_read(v, (uint32_t)v->r[X86_RCX], &value) < 0)
		emu_gp0(v, u);
	put_edx_eax(v, value);
	NEXT_RETURN(u);
}

static const struct uop *op_wrmsr(struct vcpu *v, const struct uop *u)
{
	if (v->cpl)
		emu_gp0(v, u);
	emu_count(v, CPU_STAT_MSR);
	if (emu_msr_write(v, (uint32_t)v->r[X86_RCX], get_edx_eax(v)) < 0)
		emu_gp0(v, u);
	emu_done(v, u);
	emu_mode_update(v);
	return NULL;
}

static const struct uop *op_rdpmc(struct vcpu *v, const struct uop *u)
{
	/* No counters: no number is valid. */
	emu_gp0(v, u);
}

static const struct uop *op_xgetbv(struct vcpu *v, const struct uop *u)
{
	if (!(v->cr4 & CR4_OSXSAVE))
		emu_ud(v, u);
	if ((uint32_t)v->r[X86_RCX])
		emu_gp0(v, u);
	put_edx_eax(v, v->xcr0);
	NEXT(v, u);
}

uint64_t emu_xcr0_bits(const struct vcpu *v)
{
	return sys_cpuid(v, 0xd, 0, 0) | (uint64_t)sys_cpuid(v, 0xd, 0, 3) << 32;
}

static const struct uop *op_xsetbv(struct vcpu *v, const struct uop *u)
{
	uint64_t value = get_edx_eax(v);

	if (!(v->cr4 & CR4_OSXSAVE))
		emu_ud(v, u);
	if (v->cpl || (uint32_t)v->r[X86_RCX] || !(value & 1) || value & ~emu_xcr0_bits(v))
		emu_gp0(v, u);
	v->xcr0 = value;
	emu_done(v, u);
	return NULL;
}

static const struct uop *op_hypercall(struct vcpu *v, const struct uop *u)
{
	v->r[X86_RAX] = (uint64_t) - (int64_t)(v->cpl ? KVM_EPERM : KVM_ENOSYS);
	if (!(v->mode & MODE_64))
		v->r[X86_RAX] = (uint32_t)v->r[X86_RAX];
	NEXT(v, u);
}

/* ---- segment bases ---- */

static const struct uop *op_swapgs(struct vcpu *v, const struct uop *u)
{
	uint64_t base = v->seg[X86_GS].base;

	if (v->cpl)
		emu_gp0(v, u);
	v->seg[X86_GS].base = v->seg_base[X86_GS] = v->kernel_gs_base;
	v->kernel_gs_base = base;
	NEXT(v, u);
}

/* a: general register; b: segment */
static const struct uop *op_rdbase(struct vcpu *v, const struct uop *u)
{
	uint64_t base = v->seg[u->b].base;

	if (!(v->cr4 & CR4_FSGSBASE))
		emu_ud(v, u);
	R64(v, u->a) = u->osize == 8 ? base : (uint32_t)base;
	NEXT(v, u);
}

static const struct uop *op_wrbase(struct vcpu *v, const struct uop *u)
{
	uint64_t base = u->osize == 8 ? R64(v, u->a) : R32(v, u->a);

	if (!(v->cr4 & CR4_FSGSBASE))
		emu_ud(v, u);
	if (!sys_canonical(base))
		emu_gp0(v, u);
	v->seg[u->b].base = v->seg_base[u->b] = base;
	NEXT(v, u);
}

/* ---- SYSCALL, SYSRET, SYSENTER, SYSEXIT ---- */

static const struct uop *op_syscall(struct vcpu *v, const struct uop *u)
{
	uint16_t cs = (uint16_t)(v->star >> 32 & 0xfffc);

	if (!(v->efer & EFER_SCE) || !(v->mode & MODE_64))
		emu_ud(v, u);
	emu_done(v, u);
	v->r[X86_RCX] = v->r[R_RIP];
	v->r[X86_R11] = emu_eflags(v) & ~(uint32_t)RFLAGS_RF;
	v->r[R_RIP] = v->lstar;
	emu_set_eflags(v, emu_eflags(v) & ~(uint32_t)(v->sfmask | RFLAGS_RF));
	if (!(v->eflags & RFLAGS_TF))
		v->trap_flag = false; /* a step ends here only if the kernel is stepped, too */
	emu_set_flat(v, cs, (uint16_t)(cs + 8), 0, true);
	emu_mode_update(v);
	return NULL;
}

static const struct uop *op_sysret(struct vcpu *v, const struct uop *u)
{
	uint16_t base = (uint16_t)(v->star >> 48);
	bool is64 = u->osize == 8;

	if (!(v->efer & EFER_SCE) || !(v->mode & MODE_64))
		emu_ud(v, u);
	if (v->cpl || (is64 && !sys_canonical(v->r[X86_RCX])))
		emu_gp0(v, u);
	emu_done(v, u);
	v->r[R_RIP] = is64 ? v->r[X86_RCX] : (uint32_t)v->r[X86_RCX];
	emu_set_eflags(v, (uint32_t)v->r[X86_R11] & 0x3c7fd7);
	emu_set_flat(v, (uint16_t)(base + (is64 ? 16 : 0)), (uint16_t)(base + 8), 3, is64);
	emu_mode_update(v);
	return NULL;
}

static const struct uop *op_sysenter(struct vcpu *v, const struct uop *u)
{
	uint16_t cs = (uint16_t)(v->sysenter_cs & 0xfffc);
	bool lma = sys_lma(v);

	if (!(v->mode & MODE_PE) || !cs)
		emu_gp0(v, u);
	emu_done(v, u);
	v->eflags &= ~(uint32_t)(RFLAGS_VM | RFLAGS_IF | RFLAGS_RF);
	v->r[X86_RSP] = lma ? v->sysenter_esp : (uint32_t)v->sysenter_esp;
	v->r[R_RIP] = lma ? v->sysenter_eip : (uint32_t)v->sysenter_eip;
	emu_set_flat(v, cs, (uint16_t)(cs + 8), 0, lma);
	emu_mode_update(v);
	return NULL;
}

static const struct uop *op_sysexit(struct vcpu *v, const struct uop *u)
{
	uint16_t cs = (uint16_t)(v->sysenter_cs & 0xfffc);
	bool is64 = u->osize == 8;

	if (!(v->mode & MODE_PE) || !cs || v->cpl)
		emu_gp0(v, u);
	if (is64 && (!sys_canonical(v->r[X86_RCX]) || !sys_canonical(v->r[X86_RDX])))
		emu_gp0(v, u);
	emu_done(v, u);
	v->r[X86_RSP] = is64 ? v->r[X86_RCX] : (uint32_t)v->r[X86_RCX];
	v->r[R_RIP] = is64 ? v->r[X86_RDX] : (uint32_t)v->r[X86_RDX];
	if (is64)
		emu_set_flat(v, (uint16_t)(cs + 32), (uint16_t)(cs + 40), 3, true);
	else
		emu_set_flat(v, (uint16_t)(cs + 16), (uint16_t)(cs + 24), 3, false);
	emu_mode_update(v);
	return NULL;
}

/* ---- ENTER, BOUND ---- */

static void set_bp(struct vcpu *v, unsigned size, uint64_t value)
{
	if (size == 2)
		R16(v, X86_RBP * 8) = (uint16_t)value;
	else
		v->r[X86_RBP] = size == 4 ? (uint32_t)value : value;
}

/* imm: size of the frame in bits 15:0, nesting level in bits 23:16 */
static const struct uop *op_enter(struct vcpu *v, const struct uop *u)
{
	unsigned alloc = u->imm & 0xffff, level = u->imm >> 16 & 31, size = u->osize;
	struct stack s = emu_stack(v), frames = s, end;
	uint64_t frame;

	emu_stack_push(v, u, &s, size, v->r[X86_RBP]);
	frame = s.sp;
	if (level > 0) {
		/* Pointers of outer frames, found below BP. */
		frames.sp = v->r[X86_RBP];
		for (unsigned i = 1; i < level; i++) {
			frames.sp = emu_stack_add(&frames, -(int64_t)size);
			emu_stack_push(v, u, &s, size, emu_stack_peek(v, u, &frames, size, 0));
		}
		emu_stack_push(v, u, &s, size, frame);
	}
	/* The new top must be writable already (SDM: #PF, #SS), as far as a push would write. */
	end = s;
	end.sp = emu_stack_add(&s, -(int64_t)alloc);
	emu_stack_probe(v, u, &end, size);
	set_bp(v, size, frame);
	v->r[X86_RSP] = end.sp;
	NEXT_RETURN(u);
}

static const struct uop *op_bound(struct vcpu *v, const struct uop *u)
{
	uint64_t lin = emu_ea_G(v, u, 2u * u->osize, false);
	int32_t index, low, high;

	if (u->osize == 2) {
		index = (int16_t)R16(v, u->a);
		low = (int16_t)emu_ld16(v, u, lin);
		high = (int16_t)emu_ld16(v, u, lin + 2);
	} else {
		index = (int32_t)R32(v, u->a);
		low = (int32_t)emu_ld32(v, u, lin);
		high = (int32_t)emu_ld32(v, u, lin + 4);
	}
	if (index < low || index > high)
		emu_raise(v, u, EXC_BR);
	NEXT(v, u);
}

/* ---- decoding ---- */

static bool in64(const struct decoder *d)
{
	return d->mode & MODE_64;
}

/* Operand size of what defaults to 64 bits in 64-bit mode. */
static uint8_t stack_size(const struct decoder *d)
{
	if (!in64(d))
		return d->osize;
	return d->opsize16 && !(d->rex & 8) ? 2 : 8;
}

static uint8_t address_size(const struct decoder *d)
{
	if (in64(d))
		return d->addrsize ? 4 : 8;
	return !(d->mode & MODE_32) == d->addrsize ? 4 : 2;
}

static bool decode_plain(struct decoder *d, op_fn *fn, bool ends)
{
	d->u->fn = fn;
	d->ends = ends;
	return true;
}

/* Segment registers by the middle bits of 06, 0E, 16, 1E and 0F A0, A8. */
static bool decode_sreg(struct decoder *d, unsigned seg, bool pop)
{
	if (in64(d) && seg < X86_FS)
		return false;
	d->u->b = (uint8_t)seg;
	d->u->osize = stack_size(d);
	return decode_plain(d, pop ? op_pop_sreg : op_push_sreg, pop);
}

static bool decode_mov_sreg(struct decoder *d)
{
	bool to = d->op == 0x8e;
	unsigned seg;

	decode_modrm(d);
	seg = d->reg & 7;
	if (seg > X86_GS || (to && seg == X86_CS))
		return false;
	d->u->a = (uint8_t)(d->rm * 8);
	d->u->b = (uint8_t)seg;
	d->u->osize = d->osize;
	if (to)
		return decode_plain(d, d->is_mem ? op_mov_to_sreg_m : op_mov_to_sreg_r, true);
	return decode_plain(d, d->is_mem ? op_mov_from_sreg_m : op_mov_from_sreg_r, false);
}

static bool decode_load_far(struct decoder *d, unsigned seg)
{
	decode_modrm(d);
	if (!d->is_mem)
		return false;
	d->u->a = (uint8_t)(d->reg * 8);
	d->u->b = (uint8_t)seg;
	d->u->osize = d->osize;
	return decode_plain(d, op_load_far, true);
}

static bool decode_far_direct(struct decoder *d)
{
	uint64_t off;

	if (in64(d))
		return false;
	off = d->osize == 2 ? decode_u16(d) : decode_u32(d);
	d->u->imm = off | (uint64_t)decode_u16(d) << 32;
	d->u->a = d->op == 0x9a;
	d->u->osize = d->osize;
	return decode_plain(d, op_far_direct, true);
}

/* E4-E7, EC-EF, 6C-6F */
static bool decode_io(struct decoder *d)
{
	struct uop *u = d->u;

	u->osize = !(d->op & 1) ? 1 : d->osize == 2 ? 2 : 4;
	if (d->op >= 0xe4) {
		u->b = d->op >= 0xec;
		u->imm = u->b ? 0 : decode_u8(d);
		return decode_plain(d, d->op & 2 ? op_out : op_in, d->op & 2);
	}
	u->asize = address_size(d);
	u->seg = (uint8_t)(d->seg >= 0 ? d->seg : X86_DS);
	u->a = d->rep != 0;
	return decode_plain(d, d->op < 0x6e ? op_ins : op_outs, true);
}

static bool decode_enter(struct decoder *d)
{
	d->u->imm = decode_u16(d);
	d->u->imm |= (uint64_t)decode_u8(d) << 16;
	d->u->osize = stack_size(d);
	d->u->seg = X86_SS;
	return decode_plain(d, op_enter, false);
}

static bool decode_bound(struct decoder *d)
{
	if (in64(d))
		return false;
	decode_modrm(d);
	if (!d->is_mem)
		return false;
	d->u->a = (uint8_t)(d->reg * 8);
	d->u->osize = d->osize;
	return decode_plain(d, op_bound, false);
}

static bool decode_arpl(struct decoder *d)
{
	if (in64(d) || !(d->mode & MODE_PE) || d->mode & MODE_VM)
		return false;
	decode_modrm(d);
	d->u->a = (uint8_t)(d->rm * 8);
	d->u->b = (uint8_t)(d->reg * 8);
	return decode_plain(d, d->is_mem ? op_arpl_m : op_arpl_r, false);
}

/* FF /3, /5: ModRM is parsed */
static bool decode_far_mem(struct decoder *d)
{
	if (!d->is_mem)
		return false;
	d->u->a = (d->reg & 7) == 3;
	d->u->osize = d->osize;
	return decode_plain(d, op_far_mem, true);
}

static bool decode_map0(struct decoder *d)
{
	struct uop *u = d->u;

	switch (d->op) {
	case 0x06:
	case 0x0e:
	case 0x16:
	case 0x1e:
		return decode_sreg(d, d->op >> 3, false);
	case 0x07:
	case 0x17:
	case 0x1f:
		return decode_sreg(d, d->op >> 3, true);
	case 0x62:
		return decode_bound(d);
	case 0x63:
		return decode_arpl(d);
	case 0x6c ... 0x6f:
	case 0xe4 ... 0xe7:
	case 0xec ... 0xef:
		return decode_io(d);
	case 0x8c:
	case 0x8e:
		return decode_mov_sreg(d);
	case 0x9a:
	case 0xea:
		return decode_far_direct(d);
	case 0x9c:
	case 0x9d:
		u->osize = stack_size(d);
		u->seg = X86_SS;
		return decode_plain(d, d->op == 0x9c ? op_pushf : op_popf, d->op == 0x9d);
	case 0xc4:
	case 0xc5:
		return !in64(d) && decode_load_far(d, d->op == 0xc4 ? X86_ES : X86_DS);
	case 0xc8:
		return decode_enter(d);
	case 0xca:
	case 0xcb:
		u->imm = d->op == 0xca ? decode_u16(d) : 0;
		u->osize = d->osize;
		return decode_plain(d, op_retf, true);
	case 0xcc:
		return decode_plain(d, op_int3, true);
	case 0xcd:
		u->imm = decode_u8(d);
		return decode_plain(d, op_int, true);
	case 0xce:
		return !in64(d) && decode_plain(d, op_into, true);
	case 0xcf:
		u->osize = d->osize;
		return decode_plain(d, op_iret, true);
	case 0xf1:
		return decode_plain(d, op_int1, true);
	case 0xf4:
		return decode_plain(d, op_hlt, true);
	case 0xfa:
		return decode_plain(d, op_cli, false);
	case 0xfb:
		return decode_plain(d, op_sti, true);
	case 0xff:
		return decode_far_mem(d);
	default:
		return false;
	}
}

/* 0F 00: protected mode only */
static bool decode_group6(struct decoder *d)
{
	static op_fn *const fns[6][2] = {
		{ op_sldt_r, op_sldt_m }, { op_str_r, op_str_m },   { op_lldt_r, op_lldt_m },
		{ op_ltr_r, op_ltr_m },   { op_verr_r, op_verr_m }, { op_verw_r, op_verw_m },
	};
	unsigned n;

	if (!(d->mode & MODE_PE) || d->mode & MODE_VM)
		return false;
	decode_modrm(d);
	n = d->reg & 7;
	if (n > 5)
		return false;
	d->u->b = (uint8_t)(d->rm * 8);
	d->u->osize = d->osize;
	return decode_plain(d, fns[n][d->is_mem], n >= 2);
}

static bool has_kvm(const struct decoder *d)
{
	return cpuid_find(&d->v->cpuid, 0x40000001, 0);
}

/* 0F 01 with a register form: opcodes of their own */
static bool decode_0f01_reg(struct decoder *d)
{
	bool np = !d->opsize16 && !d->rep;

	switch ((d->reg & 7) << 3 | (d->rm & 7)) {
	case 0x01: /* C1 VMCALL */
	case 0x19: /* D9 VMMCALL */
		return np && has_kvm(d) && decode_plain(d, op_hypercall, false);
	case 0x10: /* D0 */
		return np && decode_plain(d, op_xgetbv, false);
	case 0x11: /* D1 */
		return np && decode_plain(d, op_xsetbv, true);
	case 0x38: /* F8 */
		return in64(d) && decode_plain(d, op_swapgs, false);
	case 0x39: /* F9 */
		d->u->b = 1;
		return sys_cpuid(d->v, 0x80000001, 0, 3) & CPUID81_EDX_RDTSCP &&
		       decode_plain(d, op_rdtsc, false);
	default:
		return false;
	}
}

static bool decode_group7(struct decoder *d)
{
	unsigned n;

	decode_modrm(d);
	n = d->reg & 7;
	d->u->osize = d->osize;
	switch (n) {
	case 4:
		d->u->b = (uint8_t)(d->rm * 8);
		return decode_plain(d, d->is_mem ? op_smsw_m : op_smsw_r, false);
	case 6:
		d->u->b = (uint8_t)(d->rm * 8);
		return decode_plain(d, d->is_mem ? op_lmsw_m : op_lmsw_r, true);
	default:
		break;
	}
	if (!d->is_mem)
		return decode_0f01_reg(d);
	switch (n) {
	case 0:
	case 1:
		d->u->b = (uint8_t)n;
		return decode_plain(d, op_sgdt, false);
	case 2:
	case 3:
		d->u->b = n == 3;
		return decode_plain(d, op_lgdt, false);
	case 7:
		return decode_plain(d, op_invlpg, true);
	default:
		return false;
	}
}

/* 0F 20 to 23: mod is taken for 3 whatever it says */
static bool decode_mov_cr(struct decoder *d)
{
	uint8_t modrm = decode_u8(d);
	unsigned reg = (modrm >> 3 & 7) | (d->rex & 4 ? 8 : 0);

	d->u->a = (uint8_t)(((modrm & 7) | (d->rex & 1 ? 8 : 0)) * 8);
	d->u->b = (uint8_t)reg;
	d->u->osize = in64(d) ? 8 : 4;
	if (d->op & 1) {
		if (reg > 7)
			return false;
		return decode_plain(d, d->op == 0x21 ? op_mov_from_dr : op_mov_to_dr,
				    d->op == 0x23);
	}
	if (reg != 0 && reg != 2 && reg != 3 && reg != 4 && reg != 8)
		return false;
	return decode_plain(d, d->op == 0x20 ? op_mov_from_cr : op_mov_to_cr, d->op == 0x22);
}

/* F3 0F AE /0 to /3: ModRM is parsed */
static bool decode_base(struct decoder *d)
{
	unsigned n = d->reg & 7;

	if (!in64(d) || n > 3 || d->is_mem || d->rep != 0xf3)
		return false;
	d->u->a = (uint8_t)(d->rm * 8);
	d->u->b = n & 1 ? X86_GS : X86_FS;
	d->u->osize = d->osize == 8 ? 8 : 4;
	return decode_plain(d, n < 2 ? op_rdbase : op_wrbase, false);
}

static bool decode_look(struct decoder *d)
{
	if (!(d->mode & MODE_PE) || d->mode & MODE_VM)
		return false;
	decode_modrm(d);
	d->u->a = (uint8_t)(d->reg * 8);
	d->u->b = (uint8_t)(d->rm * 8);
	d->u->osize = d->osize;
	if (d->op == 0x02)
		return decode_plain(d, d->is_mem ? op_lar_m : op_lar_r, true);
	return decode_plain(d, d->is_mem ? op_lsl_m : op_lsl_r, true);
}

static bool decode_map1(struct decoder *d)
{
	switch (d->op) {
	case 0x00:
		return decode_group6(d);
	case 0x01:
		return decode_group7(d);
	case 0x02:
	case 0x03:
		return decode_look(d);
	case 0x05:
		return decode_plain(d, op_syscall, true);
	case 0x06:
		return decode_plain(d, op_clts, true);
	case 0x07:
		d->u->osize = d->osize;
		return decode_plain(d, op_sysret, true);
	case 0x08:
	case 0x09:
		return decode_plain(d, op_wbinvd, false);
	case 0x20 ... 0x23:
		return decode_mov_cr(d);
	case 0x30:
		return decode_plain(d, op_wrmsr, true);
	case 0x31:
		return decode_plain(d, op_rdtsc, false);
	case 0x32:
		return decode_plain(d, op_rdmsr, false);
	case 0x33:
		return decode_plain(d, op_rdpmc, false);
	case 0x34:
		return sys_cpuid(d->v, 1, 0, 3) & CPUID1_EDX_SEP &&
		       decode_plain(d, op_sysenter, true);
	case 0x35:
		d->u->osize = d->osize;
		return sys_cpuid(d->v, 1, 0, 3) & CPUID1_EDX_SEP &&
		       decode_plain(d, op_sysexit, true);
	case 0xa0:
	case 0xa8:
		return decode_sreg(d, d->op == 0xa0 ? X86_FS : X86_GS, false);
	case 0xa1:
	case 0xa9:
		return decode_sreg(d, d->op == 0xa1 ? X86_FS : X86_GS, true);
	case 0xa2:
		return decode_plain(d, op_cpuid, false);
	case 0xae:
		return decode_base(d);
	case 0xb2:
		return decode_load_far(d, X86_SS);
	case 0xb4:
		return decode_load_far(d, X86_FS);
	case 0xb5:
		return decode_load_far(d, X86_GS);
	default:
		return false;
	}
}

bool decode_system(struct decoder *d)
{
	if (d->map == 0)
		return decode_map0(d);
	return d->map == 1 && decode_map1(d);
}
