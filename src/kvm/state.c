/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * state.c - the whole state of a vCPU out of KVM and into it
 *
 * The order of the calls matters.
 *  Out: KVM_GET_MP_STATE first, for it lets pending INIT and SIPI act on the registers.
 *  In:  segments and control registers (they hold APIC_BASE, which says in which mode the APIC page
 *       is to be read) before the page; the page, with its timer's mode, and the TSC before
 *       TSC_DEADLINE; general registers, which drop pending exceptions, before the events; the run
 *       state last, for others make a vCPU runnable.
 */
#include <assert.h>
#include <errno.h>
#include <linux/kvm.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/sys.h"
#include "cpu/msr.h"
#include "kvm/kvm-int.h"

enum {
	MSR_LIST_MAX = 1024
};

/* Room for all MSRs of a state and the TSC. */
struct msr_buffer {
	uint64_t room[MSR_ROOM(X86_MSR_MAX + 1)];
};

static struct kvm_msrs *buffer_msrs(struct msr_buffer *buffer)
{
	return (struct kvm_msrs *)buffer->room;
}

/* ---- which MSRs ---- */

static void add_msr(struct cpu_engine *engine, uint32_t msr)
{
	if (engine->msr_count < X86_MSR_MAX)
		engine->msr[engine->msr_count++] = msr;
}

/* KVM keeps the memory type range registers, but does not list them. */
static void add_mtrrs(struct cpu_engine *engine)
{
	add_msr(engine, MSR_MTRR_DEF_TYPE);
	for (uint32_t msr = MSR_MTRR_PHYSBASE0; msr <= MSR_MTRR_PHYSMASK7; msr++)
		add_msr(engine, msr);
	add_msr(engine, MSR_MTRR_FIX64K);
	add_msr(engine, MSR_MTRR_FIX16K_80000);
	add_msr(engine, MSR_MTRR_FIX16K_A0000);
	for (uint32_t msr = MSR_MTRR_FIX4K_C0000; msr <= MSR_MTRR_FIX4K_F8000; msr++)
		add_msr(engine, msr);
}

/* KVM reads up to the first one that this vCPU does not have: leave that out, and try again. */
static int drop_unreadable(struct vcpu *vcpu)
{
	struct cpu_engine *engine = vcpu->engine;

	for (;;) {
		struct msr_buffer buffer = { 0 };
		struct kvm_msrs *msrs = buffer_msrs(&buffer);
		unsigned read;
		int r;

		msrs->nmsrs = engine->msr_count;
		for (unsigned i = 0; i < engine->msr_count; i++)
			msrs->entries[i].index = engine->msr[i];
		r = sys_ioctl(vcpu->fd, KVM_GET_MSRS, msrs);
		if (r < 0)
			return r;
		read = (unsigned)r;
		if (read >= engine->msr_count)
			return 0;
		engine->msr_count--;
		memmove(&engine->msr[read], &engine->msr[read + 1],
			(engine->msr_count - read) * sizeof(engine->msr[0]));
	}
}

static int find_msrs_locked(struct vcpu *vcpu)
{
	struct cpu_engine *engine = vcpu->engine;
	g_autofree struct kvm_msr_list *list =
		g_malloc0(sizeof(*list) + MSR_LIST_MAX * sizeof(list->indices[0]));
	int r;

	list->nmsrs = MSR_LIST_MAX;
	r = sys_ioctl(engine->kvm_fd, KVM_GET_MSR_INDEX_LIST, list);
	if (r < 0)
		return r;
	for (unsigned i = 0; i < list->nmsrs; i++) {
		if (kvm_msr_is_state(list->indices[i]))
			add_msr(engine, list->indices[i]);
	}
	add_mtrrs(engine);
	r = drop_unreadable(vcpu);
	if (r < 0)
		engine->msr_count = 0;
	return r;
}

static int find_msrs(struct vcpu *vcpu)
{
	struct cpu_engine *engine = vcpu->engine;
	int r = 0;

	pthread_mutex_lock(&engine->msr_lock);
	if (!engine->msr_count)
		r = find_msrs_locked(vcpu);
	pthread_mutex_unlock(&engine->msr_lock);
	return r;
}

/* ---- out ---- */

static int get_msrs(struct vcpu *vcpu, struct x86_state *state)
{
	const struct cpu_engine *engine = vcpu->engine;
	struct msr_buffer buffer = { 0 };
	struct kvm_msrs *msrs = buffer_msrs(&buffer);
	int r = find_msrs(vcpu);

	if (r < 0)
		return r;
	msrs->nmsrs = engine->msr_count + 1;
	msrs->entries[0].index = MSR_TSC;
	for (unsigned i = 0; i < engine->msr_count; i++)
		msrs->entries[i + 1].index = engine->msr[i];
	r = sys_ioctl(vcpu->fd, KVM_GET_MSRS, msrs);
	if (r < 0)
		return r;
	if ((unsigned)r != msrs->nmsrs)
		return -EIO;
	state->tsc = msrs->entries[0].data;
	state->msr_count = engine->msr_count;
	for (unsigned i = 0; i < engine->msr_count; i++)
		state->msr[i] = (struct x86_msr){ engine->msr[i], msrs->entries[i + 1].data };
	return 0;
}

static int get_regs(struct vcpu *vcpu, struct x86_state *state)
{
	struct kvm_regs regs;
	int r = sys_ioctl(vcpu->fd, KVM_GET_REGS, &regs);

	if (r < 0)
		return r;
	const uint64_t gpr[X86_REG_COUNT] = {
		regs.rax, regs.rcx, regs.rdx, regs.rbx, regs.rsp, regs.rbp, regs.rsi, regs.rdi,
		regs.r8,  regs.r9,  regs.r10, regs.r11, regs.r12, regs.r13, regs.r14, regs.r15,
	};
	memcpy(state->gpr, gpr, sizeof(gpr));
	state->rip = regs.rip;
	state->rflags = regs.rflags;
	return 0;
}

static int get_sregs(struct vcpu *vcpu, struct x86_state *state)
{
	struct kvm_sregs sregs;
	int r = sys_ioctl(vcpu->fd, KVM_GET_SREGS, &sregs);

	if (r < 0)
		return r;
	const struct kvm_segment *const seg[X86_SEG_COUNT] = {
		&sregs.es, &sregs.cs, &sregs.ss,  &sregs.ds,
		&sregs.fs, &sregs.gs, &sregs.ldt, &sregs.tr,
	};
	for (unsigned i = 0; i < X86_SEG_COUNT; i++)
		kvm_segment_get(seg[i], &state->seg[i]);
	state->gdt = (struct x86_table){ sregs.gdt.base, sregs.gdt.limit };
	state->idt = (struct x86_table){ sregs.idt.base, sregs.idt.limit };
	state->cr0 = sregs.cr0;
	state->cr2 = sregs.cr2;
	state->cr3 = sregs.cr3;
	state->cr4 = sregs.cr4;
	state->cr8 = sregs.cr8;
	state->efer = sregs.efer;
	state->apic_base = sregs.apic_base;
	return 0;
}

static int get_xsave(struct vcpu *vcpu, struct x86_state *state)
{
	size_t len = vcpu->engine->xsave_len;
	g_autofree uint8_t *large = NULL;
	int r;

	static_assert(sizeof(struct kvm_xsave) == X86_XSAVE_SIZE, "XSAVE area");
	if (len <= X86_XSAVE_SIZE)
		return sys_ioctl(vcpu->fd, KVM_GET_XSAVE, state->xsave);
	/* What lies beyond belongs to features that no model offers: it is in its initial state. */
	large = g_malloc0(len);
	r = sys_ioctl(vcpu->fd, KVM_GET_XSAVE2, large);
	memcpy(state->xsave, large, X86_XSAVE_SIZE);
	return r;
}

static int get_rest(struct vcpu *vcpu, uint32_t mp_state, struct x86_state *state)
{
	struct kvm_xcrs xcrs = { 0 };
	struct kvm_debugregs debug = { 0 };
	struct kvm_vcpu_events events = { 0 };
	int r = 0;

	static_assert(sizeof(state->lapic) == sizeof(struct kvm_lapic_state), "register page");
	state->xcr0 = 1;
	if (vcpu->engine->has_xcrs)
		r = sys_ioctl(vcpu->fd, KVM_GET_XCRS, &xcrs);
	for (unsigned i = 0; i < xcrs.nr_xcrs && i < KVM_MAX_XCRS; i++) {
		if (xcrs.xcrs[i].xcr == 0)
			state->xcr0 = xcrs.xcrs[i].value;
	}
	if (r == 0)
		r = sys_ioctl(vcpu->fd, KVM_GET_DEBUGREGS, &debug);
	if (r == 0)
		r = sys_ioctl(vcpu->fd, KVM_GET_VCPU_EVENTS, &events);
	if (r == 0)
		r = sys_ioctl(vcpu->fd, KVM_GET_LAPIC, state->lapic);
	if (r < 0)
		return r;
	memcpy(state->dr, debug.db, sizeof(debug.db));
	state->dr[6] = debug.dr6;
	state->dr[7] = debug.dr7;
	kvm_events_get(&events, mp_state, state);
	return 0;
}

int kvm_vcpu_get_state(struct vcpu *vcpu, struct x86_state *ret_state)
{
	g_autofree struct x86_state *state = g_new0(struct x86_state, 1);
	struct kvm_mp_state mp;
	int r = sys_ioctl(vcpu->fd, KVM_GET_MP_STATE, &mp);

	if (r == 0)
		r = get_regs(vcpu, state);
	if (r == 0)
		r = get_sregs(vcpu, state);
	if (r == 0)
		r = get_xsave(vcpu, state);
	if (r == 0)
		r = get_rest(vcpu, mp.mp_state, state);
	if (r == 0)
		r = get_msrs(vcpu, state);
	if (r == 0)
		*ret_state = *state;
	return r;
}

/* ---- in ---- */

/*
 * Set them, those but TSC_DEADLINE or that one alone. A state from another host or engine may have
 * an MSR that this KVM lacks; that matters only if there is something in it.
 */
static int set_msrs(struct vcpu *vcpu, const struct x86_state *state, bool deadline)
{
	struct msr_buffer buffer = { 0 };
	struct kvm_msrs *msrs = buffer_msrs(&buffer);
	unsigned left = 0;

	if (!deadline)
		msrs->entries[left++] =
			(struct kvm_msr_entry){ .index = MSR_TSC, .data = state->tsc };
	for (unsigned i = 0; i < state->msr_count; i++) {
		const struct x86_msr *msr = &state->msr[i];

		if ((msr->index == MSR_TSC_DEADLINE) == deadline)
			msrs->entries[left++] =
				(struct kvm_msr_entry){ .index = msr->index, .data = msr->value };
	}
	while (left) {
		unsigned done;
		int r;

		msrs->nmsrs = left;
		r = sys_ioctl(vcpu->fd, KVM_SET_MSRS, msrs);
		if (r < 0)
			return r;
		done = (unsigned)r;
		if (done >= left)
			break;
		/* KVM stopped at entry number done: go on behind it, or fail because of it. */
		if (msrs->entries[done].data != 0)
			return -EINVAL;
		left -= done + 1;
		memmove(&msrs->entries[0], &msrs->entries[done + 1],
			left * sizeof(msrs->entries[0]));
	}
	return 0;
}

static int set_regs(struct vcpu *vcpu, const struct x86_state *state)
{
	const uint64_t *gpr = state->gpr;
	struct kvm_regs regs = {
		.rax = gpr[X86_RAX],
		.rcx = gpr[X86_RCX],
		.rdx = gpr[X86_RDX],
		.rbx = gpr[X86_RBX],
		.rsp = gpr[X86_RSP],
		.rbp = gpr[X86_RBP],
		.rsi = gpr[X86_RSI],
		.rdi = gpr[X86_RDI],
		.r8 = gpr[X86_R8],
		.r9 = gpr[X86_R9],
		.r10 = gpr[X86_R10],
		.r11 = gpr[X86_R11],
		.r12 = gpr[X86_R12],
		.r13 = gpr[X86_R13],
		.r14 = gpr[X86_R14],
		.r15 = gpr[X86_R15],
		.rip = state->rip,
		.rflags = state->rflags,
	};

	return sys_ioctl(vcpu->fd, KVM_SET_REGS, &regs);
}

static int set_sregs(struct vcpu *vcpu, const struct x86_state *state)
{
	struct kvm_sregs sregs = {
		.gdt = { .base = state->gdt.base, .limit = state->gdt.limit },
		.idt = { .base = state->idt.base, .limit = state->idt.limit },
		.cr0 = state->cr0,
		.cr2 = state->cr2,
		.cr3 = state->cr3,
		.cr4 = state->cr4,
		.cr8 = state->cr8,
		.efer = state->efer,
		.apic_base = state->apic_base,
	};
	struct kvm_segment *const seg[X86_SEG_COUNT] = {
		&sregs.es, &sregs.cs, &sregs.ss,  &sregs.ds,
		&sregs.fs, &sregs.gs, &sregs.ldt, &sregs.tr,
	};

	for (unsigned i = 0; i < X86_SEG_COUNT; i++)
		kvm_segment_set(&state->seg[i], seg[i]);
	return sys_ioctl(vcpu->fd, KVM_SET_SREGS, &sregs);
}

static int set_xsave(struct vcpu *vcpu, const struct x86_state *state)
{
	/* KVM only reads it, but its declaration does not say so. */
	g_autofree uint8_t *area = g_malloc0(vcpu->engine->xsave_len);

	memcpy(area, state->xsave, X86_XSAVE_SIZE);
	return sys_ioctl(vcpu->fd, KVM_SET_XSAVE, area);
}

static int set_rest(struct vcpu *vcpu, const struct x86_state *state)
{
	struct kvm_xcrs xcrs = { .nr_xcrs = 1, .xcrs[0] = { .xcr = 0, .value = state->xcr0 } };
	struct kvm_debugregs debug = { .dr6 = state->dr[6], .dr7 = state->dr[7] };
	struct kvm_lapic_state lapic;
	struct kvm_vcpu_events events;
	struct kvm_mp_state mp;
	int r = 0;

	memcpy(debug.db, state->dr, sizeof(debug.db));
	kvm_lapic_set(state, vcpu->index, &lapic);
	kvm_events_set(state, &events, &mp.mp_state);
	if (vcpu->engine->has_xcrs)
		r = sys_ioctl(vcpu->fd, KVM_SET_XCRS, &xcrs);
	else if (state->xcr0 > 1)
		r = -EINVAL;
	if (r == 0)
		r = sys_ioctl(vcpu->fd, KVM_SET_DEBUGREGS, &debug);
	if (r == 0)
		r = set_msrs(vcpu, state, false);
	if (r == 0)
		r = sys_ioctl(vcpu->fd, KVM_SET_LAPIC, &lapic);
	if (r == 0)
		r = set_msrs(vcpu, state, true);
	if (r == 0)
		r = sys_ioctl(vcpu->fd, KVM_SET_VCPU_EVENTS, &events);
	if (r == 0)
		r = sys_ioctl(vcpu->fd, KVM_SET_MP_STATE, &mp);
	return r;
}

int kvm_vcpu_set_state(struct vcpu *vcpu, const struct x86_state *state)
{
	int r;

	if (state->msr_count > X86_MSR_MAX)
		return -EINVAL;
	/* These two refuse most of what can be wrong. */
	r = set_xsave(vcpu, state);
	if (r == 0)
		r = set_sregs(vcpu, state);
	if (r == 0)
		r = set_regs(vcpu, state);
	if (r == 0)
		r = set_rest(vcpu, state);
	return r;
}
