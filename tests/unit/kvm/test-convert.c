/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-convert.c - between KVM's structures and ours, without a device
 */
#include <glib.h>
#include <linux/kvm.h>
#include <string.h>

#include "base/bytes.h"
#include "cpu/msr.h"
#include "kvm/kvm-int.h"

/* ---- CPUID ---- */

static struct kvm_cpuid2 *cpuid_new(unsigned entries)
{
	struct kvm_cpuid2 *cpuid = g_malloc0(sizeof(*cpuid) + entries * sizeof(cpuid->entries[0]));

	cpuid->nent = entries;
	return cpuid;
}

static void test_cpuid_offer(void)
{
	g_autofree struct kvm_cpuid2 *cpuid = cpuid_new(5);
	struct cpuid_table table;
	const struct kvm_cpuid_entry2 entries[] = {
		{ .function = 1, .eax = 0x11, .ecx = 1 },
		{ .function = 4, .index = 0, .flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX, .eax = 9 },
		{ .function = 6 },
		{ .function = 7, .index = 1, .flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX, .edx = 5 },
		{ .function = 0x40000001, .eax = 0x1000008 },
	};

	memcpy(cpuid->entries, entries, sizeof(entries));
	kvm_cpuid_to_table(cpuid, &table);
	/* Leaf 4 describes the host's caches: no offer. */
	g_assert_cmpuint(table.count, ==, 4);
	g_assert_cmphex(table.leaf[0].leaf, ==, 1);
	g_assert_false(table.leaf[0].by_subleaf);
	g_assert_cmphex(table.leaf[0].ecx, ==, 1u << 31 | 1u << 24 | 1u << 21 | 1);
	g_assert_cmphex(table.leaf[1].eax, ==, 4); /* ARAT */
	g_assert_true(table.leaf[2].by_subleaf);
	g_assert_cmphex(table.leaf[2].subleaf, ==, 1);
	g_assert_cmphex(table.leaf[2].edx, ==, 5);
	g_assert_cmphex(table.leaf[3].eax, ==, 0x1000008);
}

/* A host may have more leaves than a table holds; none may be written beyond its end. */
static void test_cpuid_too_many(void)
{
	g_autofree struct kvm_cpuid2 *cpuid = cpuid_new(KVM_CPUID_MAX);
	struct cpuid_table table;

	for (unsigned i = 0; i < KVM_CPUID_MAX; i++)
		cpuid->entries[i] = (struct kvm_cpuid_entry2){ .function = 0xd, .index = i };
	kvm_cpuid_to_table(cpuid, &table);
	g_assert_cmpuint(table.count, ==, CPUID_MAX_LEAVES);
}

static void test_cpuid_back(void)
{
	static const struct cpuid_table table = {
		.count = 2,
		.leaf = {
			{ .leaf = 0, .eax = 7, .ebx = 1, .ecx = 2, .edx = 3 },
			{ .leaf = 0xd, .subleaf = 2, .by_subleaf = true, .eax = 0x100 },
		},
	};
	g_autofree struct kvm_cpuid2 *cpuid = cpuid_new(CPUID_MAX_LEAVES);

	kvm_cpuid_from_table(&table, cpuid);
	g_assert_cmpuint(cpuid->nent, ==, 2);
	g_assert_cmphex(cpuid->entries[0].function, ==, 0);
	g_assert_cmphex(cpuid->entries[0].flags, ==, 0);
	g_assert_cmphex(cpuid->entries[0].ebx, ==, 1);
	g_assert_cmphex(cpuid->entries[0].ecx, ==, 2);
	g_assert_cmphex(cpuid->entries[0].edx, ==, 3);
	g_assert_cmphex(cpuid->entries[1].index, ==, 2);
	g_assert_cmphex(cpuid->entries[1].flags, ==, KVM_CPUID_FLAG_SIGNIFCANT_INDEX);
	g_assert_cmphex(cpuid->entries[1].eax, ==, 0x100);
}

/* ---- segments ---- */

static void test_segment(void)
{
	/* Each bit of the access word alone, and all of them. */
	for (unsigned i = 0; i < 17; i++) {
		unsigned access = i < 16 ? 1u << i : 0xf0ff;
		struct x86_segment in = {
			.base = 0x123456789a,
			.limit = 0xfffff,
			.selector = 0x33,
			.access = (uint16_t)(access & 0xf0ff),
			.unusable = i & 1,
		};
		struct x86_segment out;
		struct kvm_segment kvm;

		kvm_segment_set(&in, &kvm);
		kvm_segment_get(&kvm, &out);
		g_assert_cmphex(out.base, ==, in.base);
		g_assert_cmphex(out.limit, ==, in.limit);
		g_assert_cmphex(out.selector, ==, in.selector);
		g_assert_cmphex(out.access, ==, in.access);
		g_assert_cmpint(out.unusable, ==, in.unusable);
	}
}

static void test_segment_code64(void)
{
	struct x86_segment in = { .selector = 8, .limit = 0xffffffff, .access = 0xa09b };
	struct kvm_segment kvm;

	kvm_segment_set(&in, &kvm);
	g_assert_cmpint(kvm.type, ==, 11);
	g_assert_cmpint(kvm.s, ==, 1);
	g_assert_cmpint(kvm.dpl, ==, 0);
	g_assert_cmpint(kvm.present, ==, 1);
	g_assert_cmpint(kvm.l, ==, 1);
	g_assert_cmpint(kvm.db, ==, 0);
	g_assert_cmpint(kvm.g, ==, 1);
}

/* ---- events ---- */

static void test_events_exception(void)
{
	struct kvm_vcpu_events events = {
		.exception = { .injected = 1, .nr = 14, .has_error_code = 1, .error_code = 7 },
		.interrupt.shadow = KVM_X86_SHADOW_INT_MOV_SS,
	};
	g_autofree struct x86_state *state = g_new0(struct x86_state, 1);
	uint32_t mp;

	kvm_events_get(&events, KVM_MP_STATE_RUNNABLE, state);
	g_assert_true(state->exception_pending);
	g_assert_cmpint(state->exception, ==, 14);
	g_assert_true(state->interrupt_shadow);
	g_assert_cmpint(state->run_state, ==, X86_RUNNABLE);

	kvm_events_set(state, &events, &mp);
	g_assert_cmpint(events.exception.injected, ==, 1);
	g_assert_cmpint(events.exception.nr, ==, 14);
	g_assert_cmpint(events.exception.error_code, ==, 7);
	g_assert_cmpint(events.interrupt.injected, ==, 0);
	g_assert_cmpint(mp, ==, KVM_MP_STATE_RUNNABLE);
}

static void test_events_interrupt(void)
{
	struct kvm_vcpu_events events = { .interrupt = { .injected = 1, .nr = 0x41 } };
	g_autofree struct x86_state *state = g_new0(struct x86_state, 1);
	uint32_t mp;

	kvm_events_get(&events, KVM_MP_STATE_HALTED, state);
	g_assert_true(state->exception_pending);
	g_assert_false(state->exception_has_code);
	g_assert_cmpint(state->exception, ==, 0x41);
	g_assert_cmpint(state->run_state, ==, X86_HALTED);

	kvm_events_set(state, &events, &mp);
	g_assert_cmpint(events.exception.injected, ==, 0);
	g_assert_cmpint(events.interrupt.injected, ==, 1);
	g_assert_cmpint(events.interrupt.nr, ==, 0x41);
	g_assert_cmpint(mp, ==, KVM_MP_STATE_HALTED);
}

/* An NMI half delivered is delivered again, so it must not find itself masked. */
static void test_events_nmi(void)
{
	struct kvm_vcpu_events events = { .nmi = { .injected = 1, .masked = 1 } };
	g_autofree struct x86_state *state = g_new0(struct x86_state, 1);
	uint32_t mp;

	kvm_events_get(&events, KVM_MP_STATE_RUNNABLE, state);
	g_assert_true(state->nmi_pending);
	g_assert_false(state->nmi_masked);

	events = (struct kvm_vcpu_events){ .nmi = { .pending = 1, .masked = 1 } };
	kvm_events_get(&events, KVM_MP_STATE_RUNNABLE, state);
	kvm_events_set(state, &events, &mp);
	g_assert_cmpint(events.nmi.pending, ==, 1);
	g_assert_cmpint(events.nmi.masked, ==, 1);
	g_assert_cmpint(events.nmi.injected, ==, 0);
}

static void test_events_sipi(void)
{
	struct kvm_vcpu_events events = { .sipi_vector = 0x9a };
	g_autofree struct x86_state *state = g_new0(struct x86_state, 1);
	uint32_t mp;

	kvm_events_get(&events, KVM_MP_STATE_SIPI_RECEIVED, state);
	g_assert_true(state->sipi_pending);
	g_assert_cmphex(state->sipi_vector, ==, 0x9a);
	g_assert_cmpint(state->run_state, ==, X86_WAIT_FOR_SIPI);
	kvm_events_set(state, &events, &mp);
	g_assert_cmpint(mp, ==, KVM_MP_STATE_SIPI_RECEIVED);
	g_assert_cmphex(events.sipi_vector, ==, 0x9a);

	kvm_events_get(&events, KVM_MP_STATE_UNINITIALIZED, state);
	g_assert_cmpint(state->run_state, ==, X86_WAIT_FOR_SIPI);
	kvm_events_set(state, &events, &mp);
	g_assert_cmpint(mp, ==, KVM_MP_STATE_INIT_RECEIVED);
}

/* ---- APIC page, MSRs ---- */

static void test_lapic(void)
{
	g_autofree struct x86_state *state = g_new0(struct x86_state, 1);
	struct kvm_lapic_state page;

	/* The page is kept, except for the ID. */
	put_le32(state->lapic + 0x20, 0x7000000);
	put_le32(state->lapic + 0x30, 0x50014);
	put_le32(state->lapic + 0xf0, 0x1ff);
	kvm_lapic_set(state, 2, &page);
	g_assert_cmphex(get_le32(page.regs + 0x20), ==, 2u << 24);
	g_assert_cmphex(get_le32(page.regs + 0xf0), ==, 0x1ff);
}

static void test_msr(void)
{
	g_assert_true(kvm_msr_is_state(MSR_LSTAR));
	g_assert_true(kvm_msr_is_state(MSR_TSC_DEADLINE));
	g_assert_true(kvm_msr_is_state(MSR_KVM_SYSTEM_TIME));
	/* Members of x86_state, features, performance counters. */
	g_assert_false(kvm_msr_is_state(MSR_TSC));
	g_assert_false(kvm_msr_is_state(MSR_EFER));
	g_assert_false(kvm_msr_is_state(MSR_ARCH_CAPABILITIES));
	g_assert_false(kvm_msr_is_state(0xc1));
}

/* ---- sentences ---- */

static void test_describe_emulation(void)
{
	struct kvm_run run = { .exit_reason = KVM_EXIT_INTERNAL_ERROR };
	char text[KVM_FAILURE_MAX];

	run.emulation_failure.suberror = KVM_INTERNAL_ERROR_EMULATION;
	run.emulation_failure.ndata = 3;
	run.emulation_failure.flags = KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES;
	run.emulation_failure.insn_size = 2;
	run.emulation_failure.insn_bytes[0] = 0xcc;
	run.emulation_failure.insn_bytes[1] = 0x90;
	kvm_describe_exit(&run, 1, 0xffff0, text);
	g_assert_cmpstr(text, ==,
			"KVM gave up on vCPU 1 at rip 0xffff0: an instruction that it cannot "
			"emulate (internal error, suberror 1); instruction bytes: cc 90");

	/* More bytes than there are, and none at all. */
	run.emulation_failure.insn_size = 255;
	kvm_describe_exit(&run, 1, 0xffff0, text);
	g_assert_true(g_str_has_suffix(text, " cc 90 00 00 00 00 00 00 00 00 00 00 00 00 00"));
	run.emulation_failure.ndata = 0;
	kvm_describe_exit(&run, 1, 0xffff0, text);
	g_assert_true(g_str_has_suffix(text, "suberror 1)"));
}

static void test_describe_others(void)
{
	struct kvm_run run = { .exit_reason = KVM_EXIT_FAIL_ENTRY };
	char text[KVM_FAILURE_MAX];

	run.fail_entry.hardware_entry_failure_reason = 0x80000021;
	run.fail_entry.cpu = 3;
	kvm_describe_exit(&run, 0, 0x1000, text);
	g_assert_cmpstr(text, ==,
			"KVM cannot enter the guest on vCPU 0 at rip 0x1000: hardware reason "
			"0x80000021 on host CPU 3");
	run = (struct kvm_run){ .exit_reason = KVM_EXIT_INTERNAL_ERROR, .internal.suberror = 77 };
	kvm_describe_exit(&run, 0, 0, text);
	g_assert_nonnull(strstr(text, "an error without a name (internal error, suberror 77)"));
	run = (struct kvm_run){ .exit_reason = 999 };
	kvm_describe_exit(&run, 0, 0, text);
	g_assert_true(g_str_has_suffix(text, "exit 999"));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/kvm/cpuid/offer", test_cpuid_offer);
	g_test_add_func("/kvm/cpuid/too-many", test_cpuid_too_many);
	g_test_add_func("/kvm/cpuid/back", test_cpuid_back);
	g_test_add_func("/kvm/segment/bits", test_segment);
	g_test_add_func("/kvm/segment/code64", test_segment_code64);
	g_test_add_func("/kvm/events/exception", test_events_exception);
	g_test_add_func("/kvm/events/interrupt", test_events_interrupt);
	g_test_add_func("/kvm/events/nmi", test_events_nmi);
	g_test_add_func("/kvm/events/sipi", test_events_sipi);
	g_test_add_func("/kvm/lapic", test_lapic);
	g_test_add_func("/kvm/msr", test_msr);
	g_test_add_func("/kvm/describe/emulation", test_describe_emulation);
	g_test_add_func("/kvm/describe/others", test_describe_others);
	return g_test_run();
}
