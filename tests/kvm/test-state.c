/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-state.c - on the device: a guest goes on in another VM, and what RESET means
 */
#include <errno.h>
#include <glib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/sys.h"
#include "cpu/msr.h"
#include "guest.h"
#include "kvm/kvm.h"

enum {
	XSAVE_XMM = 160,
	XSAVE_BV = 512,
	APIC_TIMER_COUNT = 0x390
};

static struct x86_state *get(struct vcpu *vcpu)
{
	struct x86_state *state = g_new0(struct x86_state, 1);

	g_assert_cmpint(kvm_cpu_ops.vcpu_get_state(vcpu, state), ==, 0);
	return state;
}

static void set(struct vcpu *vcpu, const struct x86_state *state)
{
	g_assert_cmpint(kvm_cpu_ops.vcpu_set_state(vcpu, state), ==, 0);
}

static void assert_segment(const struct x86_segment *a, const struct x86_segment *b)
{
	g_assert_cmphex(a->base, ==, b->base);
	g_assert_cmphex(a->limit, ==, b->limit);
	g_assert_cmphex(a->selector, ==, b->selector);
	g_assert_cmphex(a->access, ==, b->access);
	g_assert_cmpint(a->unusable, ==, b->unusable);
}

/* The same but for clocks that go on. */
static void assert_same(const struct x86_state *a, const struct x86_state *b)
{
	g_assert_cmpmem(a->gpr, sizeof(a->gpr), b->gpr, sizeof(b->gpr));
	g_assert_cmphex(a->rip, ==, b->rip);
	g_assert_cmphex(a->rflags, ==, b->rflags);
	for (unsigned i = 0; i < X86_SEG_COUNT; i++)
		assert_segment(&a->seg[i], &b->seg[i]);
	g_assert_cmphex(a->gdt.base, ==, b->gdt.base);
	g_assert_cmphex(a->gdt.limit, ==, b->gdt.limit);
	g_assert_cmphex(a->idt.base, ==, b->idt.base);
	g_assert_cmphex(a->idt.limit, ==, b->idt.limit);
	g_assert_cmphex(a->cr0, ==, b->cr0);
	g_assert_cmphex(a->cr2, ==, b->cr2);
	g_assert_cmphex(a->cr3, ==, b->cr3);
	g_assert_cmphex(a->cr4, ==, b->cr4);
	g_assert_cmphex(a->cr8, ==, b->cr8);
	g_assert_cmphex(a->efer, ==, b->efer);
	g_assert_cmphex(a->apic_base, ==, b->apic_base);
	g_assert_cmphex(a->xcr0, ==, b->xcr0);
	g_assert_cmpmem(a->dr, sizeof(a->dr), b->dr, sizeof(b->dr));
	g_assert_cmpint(a->exception_pending, ==, b->exception_pending);
	g_assert_cmpint(a->interrupt_shadow, ==, b->interrupt_shadow);
	g_assert_cmpint(a->nmi_pending, ==, b->nmi_pending);
	g_assert_cmpint(a->nmi_masked, ==, b->nmi_masked);
	g_assert_cmpint(a->run_state, ==, b->run_state);
	g_assert_cmpmem(a->xsave, sizeof(a->xsave), b->xsave, sizeof(b->xsave));
	for (unsigned off = 0; off < X86_LAPIC_REGS; off += 0x10) {
		if (off != APIC_TIMER_COUNT)
			g_assert_cmphex(get_le32(a->lapic + off), ==, get_le32(b->lapic + off));
	}
	g_assert_cmpuint(a->msr_count, ==, b->msr_count);
	for (unsigned i = 0; i < a->msr_count; i++) {
		g_assert_cmphex(a->msr[i].index, ==, b->msr[i].index);
		g_assert_cmphex(a->msr[i].value, ==, b->msr[i].value);
	}
}

static uint64_t *find_msr(struct x86_state *state, uint32_t msr)
{
	for (unsigned i = 0; i < state->msr_count; i++) {
		if (state->msr[i].index == msr)
			return &state->msr[i].value;
	}
	g_error("the state has no MSR 0x%x", msr);
}

/* Things that no guest here sets by itself. */
static void decorate(struct x86_state *state)
{
	for (unsigned i = 0; i < 256; i++)
		state->xsave[XSAVE_XMM + i] = (uint8_t)(i ^ 0x5a);
	put_le64(state->xsave + XSAVE_BV, get_le64(state->xsave + XSAVE_BV) | 3);
	state->cr2 = 0x1234567000;
	state->dr[0] = 0x7000;
	state->dr[3] = 0xffff800000001000;
	/* Not those that the guest may be about to look at. */
	state->rflags |= RFLAGS_ID | RFLAGS_AC;
	state->seg[X86_FS].base = 0x7fff12345000;
	state->seg[X86_GS].base = 0xffff888000000000;
	*find_msr(state, MSR_PAT) = 0x0007010600070106;
	*find_msr(state, MSR_SYSENTER_EIP) = 0x81000000; /* AMD's has 32 bits */
	*find_msr(state, MSR_STAR) = 0x0023001000000000;
}

static void copy_memory(const struct guest *from, struct guest *to)
{
	for (unsigned i = 0; i < from->mem->count; i++)
		memcpy(to->mem->region[i].host, from->mem->region[i].host,
		       from->mem->region[i].size);
}

static bool was_written(const struct guest *guest, uint64_t value)
{
	for (unsigned i = 0; i < guest->count; i++) {
		if (guest->access[i].write && guest->access[i].value == value)
			return true;
	}
	return false;
}

/* A guest is stopped, taken to a second VM, and there finds all as it was. */
static void test_move(void)
{
	autoptr(guest) from = guest_new(1);
	autoptr(guest) to = guest_new(1);
	g_autofree struct x86_state *state = NULL, *copy = NULL, *again = NULL;
	struct cpu_chip_state chips, chips2;

	guest_enter(from, guest_state, NULL);
	guest_start(from, 0);
	guest_wait_ready(from, 1);
	guest_stop(from, 0);
	state = get(from->cpu[0].vcpu);
	g_assert_cmphex(state->gpr[X86_R8], ==, 0x8888888888888888);
	g_assert_cmphex(state->cr8, ==, 5);
	g_assert_cmphex(*find_msr(state, MSR_LSTAR), ==, 0xffff800012345678);
	g_assert_cmphex(get_le32(state->lapic + 0xf0), ==, 0x1ff);
	decorate(state);

	g_assert_cmpint(kvm_cpu_ops.get_chips(from->engine, &chips), ==, 0);
	chips.ioapic_redir[7] = 0x0100000000018039;
	chips.ioapic_id = 9 << 24;
	chips.ioapic_select = 0x1e;
	chips.clock_ns = UINT64_C(5000000000000);
	g_assert_cmpint(kvm_cpu_ops.set_chips(to->engine, &chips), ==, 0);
	g_assert_cmpint(kvm_cpu_ops.get_chips(to->engine, &chips2), ==, 0);
	g_assert_cmpmem(chips.ioapic_redir, sizeof(chips.ioapic_redir), chips2.ioapic_redir,
			sizeof(chips2.ioapic_redir));
	g_assert_cmphex(chips2.ioapic_id, ==, chips.ioapic_id);
	g_assert_cmphex(chips2.ioapic_select, ==, chips.ioapic_select);
	g_assert_cmphex(chips2.ioapic_irr, ==, chips.ioapic_irr);
	g_assert_cmpuint(chips2.clock_ns, >=, chips.clock_ns);
	g_assert_cmpuint(chips2.clock_ns, <, chips.clock_ns + UINT64_C(1000000000));

	copy_memory(from, to);
	set(to->cpu[0].vcpu, state);
	copy = get(to->cpu[0].vcpu);
	assert_same(state, copy);
	g_assert_cmpuint(copy->tsc, >=, state->tsc);

	/* It goes on there, for a while, and is the same again. */
	guest_start(to, 0);
	g_usleep(20000);
	guest_stop(to, 0);
	g_assert_false(atomic_load(&to->cpu[0].ended));
	again = get(to->cpu[0].vcpu);
	g_assert_cmpmem(again->xsave + XSAVE_XMM, 256, state->xsave + XSAVE_XMM, 256);
	g_assert_cmphex(again->seg[X86_GS].base, ==, state->seg[X86_GS].base);
	g_assert_cmphex(again->dr[3], ==, state->dr[3]);
	g_assert_cmpuint(again->tsc, >, copy->tsc);
	*(uint8_t *)guest_ptr(to, FLAG) = 1;
	guest_run(to);
	g_assert_true(was_written(to, PASSED));
	g_assert_false(was_written(to, BROKEN));
}

/* An event that waits, HLT, and waiting for a SIPI. */
static void test_events(void)
{
	autoptr(guest) guest = guest_new(2);
	struct vcpu *vcpu = guest->cpu[0].vcpu;
	g_autofree struct x86_state *state = NULL, *copy = NULL, *ap = NULL;

	guest_enter(guest, guest_spin, NULL);
	state = get(vcpu);
	state->exception_pending = true;
	state->exception = EXC_PF;
	state->exception_has_code = true;
	state->exception_code = PF_WRITE;
	state->interrupt_shadow = true;
	state->nmi_masked = true;
	state->nmi_pending = true;
	set(vcpu, state);
	copy = get(vcpu);
	assert_same(state, copy);
	g_assert_cmpint(copy->exception, ==, EXC_PF);
	g_assert_cmpint(copy->exception_code, ==, PF_WRITE);
	g_free(copy);

	state->exception = 0x41;
	state->exception_has_code = false;
	state->exception_code = 0;
	state->run_state = X86_HALTED;
	set(vcpu, state);
	copy = get(vcpu);
	assert_same(state, copy);
	g_assert_cmpint(copy->exception, ==, 0x41);
	g_free(copy);

	state->exception_pending = state->nmi_pending = state->nmi_masked = false;
	state->interrupt_shadow = false;
	state->run_state = X86_WAIT_FOR_SIPI;
	set(vcpu, state);
	copy = get(vcpu);
	assert_same(state, copy);

	ap = get(guest->cpu[1].vcpu);
	g_assert_cmpint(ap->run_state, ==, X86_WAIT_FOR_SIPI);
}

/* A new vCPU is as after RESET, and our own RESET state can be loaded and means the same. */
static void test_reset(void)
{
	autoptr(guest) guest = guest_new(2);

	for (unsigned i = 0; i < 2; i++) {
		g_autofree struct x86_state *fresh = get(guest->cpu[i].vcpu), *loaded = NULL;
		g_autofree struct x86_state *reset = g_new0(struct x86_state, 1);

		x86_state_reset_cpu(reset, i);
		g_assert_cmphex(fresh->rip, ==, reset->rip);
		g_assert_cmphex(fresh->apic_base, ==, reset->apic_base);
		g_assert_cmpint(fresh->run_state, ==, reset->run_state);
		fresh->seg[X86_CS].access |= 1; /* KVM on SVM has it not accessed yet */
		assert_segment(&fresh->seg[X86_CS], &reset->seg[X86_CS]);
		set(guest->cpu[i].vcpu, reset);
		loaded = get(guest->cpu[i].vcpu);
		g_assert_cmphex(loaded->rip, ==, reset->rip);
		g_assert_cmphex(loaded->cr0, ==, reset->cr0);
		g_assert_cmpint(loaded->run_state, ==, reset->run_state);
		/* LINT0 is masked: nothing comes from the 8259. */
		g_assert_cmphex(get_le32(loaded->lapic + 0x350), ==, 0x10000);
		g_assert_cmphex(get_le32(loaded->lapic + 0x20), ==, i << 24);
	}
}

/* After a reset the guest runs as it did the first time. */
static void test_run_after_reset(void)
{
	autoptr(guest) guest = guest_new(1);

	for (unsigned i = 0; i < 3; i++) {
		g_autofree struct x86_state *reset = g_new0(struct x86_state, 1);

		x86_state_reset_cpu(reset, 0);
		set(guest->cpu[0].vcpu, reset);
		put_le32(guest_ptr(guest, TOTAL), 0);
		guest_enter(guest, guest_timer, NULL);
		guest_run(guest);
		g_assert_cmpuint(guest_read32(guest, TOTAL), ==, 1);
	}
}

/* States that no CPU can be in, and calls that fail: an error. */
static void test_refused(void)
{
	autoptr(guest) guest = guest_new(1);
	struct vcpu *vcpu = guest->cpu[0].vcpu;
	g_autofree struct x86_state *good = get(vcpu), *bad = g_new0(struct x86_state, 1);
	unsigned failed = 0;

	*bad = *good;
	bad->msr_count = X86_MSR_MAX + 1;
	g_assert_cmpint(kvm_cpu_ops.vcpu_set_state(vcpu, bad), ==, -EINVAL);
	*bad = *good;
	bad->cr4 = UINT64_C(1) << 40;
	g_assert_cmpint(kvm_cpu_ops.vcpu_set_state(vcpu, bad), <, 0);
	*bad = *good;
	bad->msr[0] = (struct x86_msr){ 0x12345, 1 };
	g_assert_cmpint(kvm_cpu_ops.vcpu_set_state(vcpu, bad), <, 0);
	/* An MSR that KVM does not have does not matter while it is empty. */
	bad->msr[0].value = 0;
	g_assert_cmpint(kvm_cpu_ops.vcpu_set_state(vcpu, bad), ==, 0);
	set(vcpu, good);

	for (unsigned nth = 1; nth <= 10; nth++) {
		sys_fail_nth(SYS_IOCTL, nth, EIO);
		failed += kvm_cpu_ops.vcpu_get_state(vcpu, bad) < 0;
		sys_fail_nth(SYS_IOCTL, nth, EIO);
		failed += kvm_cpu_ops.vcpu_set_state(vcpu, good) < 0;
	}
	sys_fail_nth(SYS_IOCTL, 0, 0);
	g_assert_cmpuint(failed, >=, 18);
	set(vcpu, good);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	guest_need_kvm();
	g_test_add_func("/kvm/state/move", test_move);
	g_test_add_func("/kvm/state/events", test_events);
	g_test_add_func("/kvm/state/reset", test_reset);
	g_test_add_func("/kvm/state/run-after-reset", test_run_after_reset);
	g_test_add_func("/kvm/state/refused", test_refused);
	return g_test_run();
}
