/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * convert.c - between KVM's structures and those of the cpu room; no system calls here
 */
#include <assert.h>
#include <linux/kvm.h>
#include <string.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "cpu/msr.h"
#include "kvm/kvm-int.h"

/* ---- CPUID ---- */

/*
 * Leaves that tell what the CPU can do. The others describe this host (caches, topology, encrypted
 * memory, tracing) or are the model's to fill in, and some hosts have more than a table can hold.
 */
static bool leaf_is_offer(uint32_t leaf)
{
	switch (leaf) {
	case 0:
	case 1:
	case 6:
	case 7:
	case 0xd:
	case 0x19:
	case 0x40000000:
	case 0x40000001:
	case 0x80000000:
	case 0x80000001:
	case 0x80000007:
	case 0x80000008:
	case 0x80000021:
		return true;
	default:
		return false;
	}
}

/* Features that are ours to add: KVM's APIC has them, but KVM_GET_SUPPORTED_CPUID need not say so. */
static void add_features(struct cpuid_leaf *leaf)
{
	enum {
		X2APIC = 1 << 21,
		TSC_DEADLINE = 1 << 24,
		ARAT = 1 << 2
	};

	if (leaf->leaf == 1)
		leaf->ecx |= X2APIC | TSC_DEADLINE | 1u << 31 /* runs in a virtual machine */;
	if (leaf->leaf == 6)
		leaf->eax |= ARAT;
}

void kvm_cpuid_to_table(const struct kvm_cpuid2 *from, struct cpuid_table *to)
{
	to->count = 0;
	for (unsigned i = 0; i < from->nent && to->count < CPUID_MAX_LEAVES; i++) {
		const struct kvm_cpuid_entry2 *entry = &from->entries[i];
		struct cpuid_leaf *leaf = &to->leaf[to->count];

		if (!leaf_is_offer(entry->function))
			continue;
		*leaf = (struct cpuid_leaf){
			.leaf = entry->function,
			.subleaf = entry->index,
			.by_subleaf = entry->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
			.eax = entry->eax,
			.ebx = entry->ebx,
			.ecx = entry->ecx,
			.edx = entry->edx,
		};
		add_features(leaf);
		to->count++;
	}
}

void kvm_cpuid_from_table(const struct cpuid_table *from, struct kvm_cpuid2 *to)
{
	to->nent = from->count;
	for (unsigned i = 0; i < from->count; i++) {
		const struct cpuid_leaf *leaf = &from->leaf[i];

		to->entries[i] = (struct kvm_cpuid_entry2){
			.function = leaf->leaf,
			.index = leaf->subleaf,
			.flags = leaf->by_subleaf ? KVM_CPUID_FLAG_SIGNIFCANT_INDEX : 0,
			.eax = leaf->eax,
			.ebx = leaf->ebx,
			.ecx = leaf->ecx,
			.edx = leaf->edx,
		};
	}
}

/* ---- segments ---- */

void kvm_segment_get(const struct kvm_segment *from, struct x86_segment *to)
{
	*to = (struct x86_segment){
		.base = from->base,
		.limit = from->limit,
		.selector = from->selector,
		.access = (uint16_t)((from->type & 15u) | (from->s & 1u) << 4 |
				     (from->dpl & 3u) << 5 | (from->present & 1u) << 7 |
				     (from->avl & 1u) << 12 | (from->l & 1u) << 13 |
				     (from->db & 1u) << 14 | (from->g & 1u) << 15),
		.unusable = from->unusable,
	};
}

void kvm_segment_set(const struct x86_segment *from, struct kvm_segment *to)
{
	unsigned access = from->access;

	*to = (struct kvm_segment){
		.base = from->base,
		.limit = from->limit,
		.selector = from->selector,
		.type = access & 15,
		.s = access >> 4 & 1,
		.dpl = access >> 5 & 3,
		.present = access >> 7 & 1,
		.avl = access >> 12 & 1,
		.l = access >> 13 & 1,
		.db = access >> 14 & 1,
		.g = access >> 15 & 1,
		.unusable = from->unusable,
	};
}

/* ---- events ---- */

/*
 * An interrupt or exception that KVM was about to inject is delivered anew by whoever loads the
 * state. An NMI in that place has masked further ones already, which is taken back for the same
 * reason; a second one that waited behind it is lost.
 */
void kvm_events_get(const struct kvm_vcpu_events *from, uint32_t mp_state, struct x86_state *to)
{
	to->exception_pending = from->exception.injected || from->exception.pending;
	to->exception = from->exception.nr;
	to->exception_has_code = from->exception.has_error_code;
	to->exception_code = from->exception.error_code;
	if (!to->exception_pending && from->interrupt.injected && !from->interrupt.soft) {
		to->exception_pending = true;
		to->exception = from->interrupt.nr;
		to->exception_has_code = false;
		to->exception_code = 0;
	}
	to->interrupt_shadow = from->interrupt.shadow;
	to->nmi_pending = from->nmi.pending || from->nmi.injected;
	to->nmi_masked = from->nmi.masked && !from->nmi.injected;
	to->sipi_pending = mp_state == KVM_MP_STATE_SIPI_RECEIVED;
	to->sipi_vector = (uint8_t)from->sipi_vector;
	switch (mp_state) {
	case KVM_MP_STATE_HALTED:
		to->run_state = X86_HALTED;
		break;
	case KVM_MP_STATE_UNINITIALIZED:
	case KVM_MP_STATE_INIT_RECEIVED:
	case KVM_MP_STATE_SIPI_RECEIVED:
		to->run_state = X86_WAIT_FOR_SIPI;
		break;
	default:
		to->run_state = X86_RUNNABLE;
		break;
	}
}

void kvm_events_set(const struct x86_state *from, struct kvm_vcpu_events *to,
		    uint32_t *ret_mp_state)
{
	bool is_exception = from->exception < 32;

	*to = (struct kvm_vcpu_events){
		.interrupt.shadow = from->interrupt_shadow ? KVM_X86_SHADOW_INT_STI : 0,
		.nmi = { .pending = from->nmi_pending, .masked = from->nmi_masked },
		.sipi_vector = from->sipi_vector,
		.flags = KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SIPI_VECTOR |
			 KVM_VCPUEVENT_VALID_SHADOW,
	};
	if (from->exception_pending && is_exception) {
		to->exception.injected = 1;
		to->exception.nr = from->exception;
		to->exception.has_error_code = from->exception_has_code;
		to->exception.error_code = from->exception_code;
	} else if (from->exception_pending) {
		to->interrupt.injected = 1;
		to->interrupt.nr = from->exception;
	}
	switch (from->run_state) {
	case X86_HALTED:
		*ret_mp_state = KVM_MP_STATE_HALTED;
		break;
	case X86_WAIT_FOR_SIPI:
		*ret_mp_state = from->sipi_pending ? KVM_MP_STATE_SIPI_RECEIVED
						   : KVM_MP_STATE_INIT_RECEIVED;
		break;
	case X86_RUNNABLE:
	default:
		*ret_mp_state = KVM_MP_STATE_RUNNABLE;
		break;
	}
}

/* ---- MSRs ---- */

/*
 * Those that a guest can change and that no other part of the state holds. Left out: what describes
 * the host (microcode, platform, capabilities), performance counters, nested virtualisation, all of
 * which no model offers; the APIC's, which are in its page; EFER and the segment bases, which are
 * registers to KVM; TSC, which is a member of its own.
 */
static const uint32_t state_msrs[] = {
	0x11, /* wall clock and */
	0x12, /* system time of the first kvmclock */
	MSR_FEATURE_CONTROL,
	MSR_TSC_ADJUST,
	MSR_SPEC_CTRL,
	0xe1,  /* UMWAIT_CONTROL */
	0x122, /* TSX_CTRL */
	0x140, /* MISC_FEATURES_ENABLES */
	MSR_SYSENTER_CS,
	MSR_SYSENTER_ESP,
	MSR_SYSENTER_EIP,
	MSR_MCG_STATUS,
	MSR_MCG_CTL,
	MSR_MISC_ENABLE,
	0x1c4, /* XFD */
	0x1c5, /* XFD_ERR */
	0x1d9, /* DEBUGCTL */
	MSR_PAT,
	MSR_TSC_DEADLINE,
	0xda0, /* XSS */
	MSR_KVM_WALL_CLOCK,
	MSR_KVM_SYSTEM_TIME,
	MSR_KVM_ASYNC_PF_EN,
	MSR_KVM_STEAL_TIME,
	MSR_KVM_PV_EOI_EN,
	0x4b564d05, /* POLL_CONTROL */
	0x4b564d06, /* ASYNC_PF_INT */
	0x4b564d08, /* MIGRATION_CONTROL */
	MSR_STAR,
	MSR_LSTAR,
	MSR_CSTAR,
	MSR_SYSCALL_MASK,
	MSR_KERNEL_GS_BASE,
	MSR_TSC_AUX,
	0xc001011f, /* VIRT_SPEC_CTRL */
};

bool kvm_msr_is_state(uint32_t msr)
{
	for (size_t i = 0; i < ARRAY_SIZE(state_msrs); i++) {
		if (state_msrs[i] == msr)
			return true;
	}
	return false;
}

/* ---- local APIC ---- */

enum {
	APIC_ID = 0x20
};

void kvm_lapic_set(const struct x86_state *state, unsigned index, struct kvm_lapic_state *to)
{
	static_assert(sizeof(to->regs) == sizeof(state->lapic), "register page");
	memcpy(to->regs, state->lapic, sizeof(to->regs));
	put_le32(to->regs + APIC_ID, index << 24);
}

/* ---- failures ---- */

static void describe_internal(const struct kvm_run *run, unsigned index, uint64_t rip,
			      char text[KVM_FAILURE_MAX])
{
	static const char *const what[] = {
		[KVM_INTERNAL_ERROR_EMULATION] = "an instruction that it cannot emulate",
		[KVM_INTERNAL_ERROR_SIMUL_EX] = "two exceptions at once",
		[KVM_INTERNAL_ERROR_DELIVERY_EV] = "an exit while it delivered an event",
		[KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON] = "an exit that it does not know",
	};
	uint32_t suberror = run->internal.suberror;
	const char *name = suberror < ARRAY_SIZE(what) ? what[suberror] : NULL;
	char bytes[64] = "";
	size_t at = 0;

	if (suberror == KVM_INTERNAL_ERROR_EMULATION && run->emulation_failure.ndata >= 3 &&
	    run->emulation_failure.flags & KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES) {
		size_t size = MIN(run->emulation_failure.insn_size,
				  sizeof(run->emulation_failure.insn_bytes));

		for (size_t i = 0; i < size; i++)
			at += (size_t)g_snprintf(bytes + at, sizeof(bytes) - at, " %02x",
						 run->emulation_failure.insn_bytes[i]);
	}
	g_snprintf(text, KVM_FAILURE_MAX,
		   "KVM gave up on vCPU %u at rip 0x%" G_GINT64_MODIFIER
		   "x: %s (internal error, suberror %u)%s%s",
		   index, rip, name ? name : "an error without a name", suberror,
		   at ? "; instruction bytes:" : "", bytes);
}

void kvm_describe_exit(const struct kvm_run *run, unsigned index, uint64_t rip,
		       char text[KVM_FAILURE_MAX])
{
	switch (run->exit_reason) {
	case KVM_EXIT_INTERNAL_ERROR:
		describe_internal(run, index, rip, text);
		break;
	case KVM_EXIT_FAIL_ENTRY:
		g_snprintf(text, KVM_FAILURE_MAX,
			   "KVM cannot enter the guest on vCPU %u at rip 0x%" G_GINT64_MODIFIER
			   "x: hardware reason 0x%" G_GINT64_MODIFIER "x on host CPU %u",
			   index, rip, (uint64_t)run->fail_entry.hardware_entry_failure_reason,
			   run->fail_entry.cpu);
		break;
	case KVM_EXIT_UNKNOWN:
		g_snprintf(text, KVM_FAILURE_MAX,
			   "KVM does not know why vCPU %u left the guest at rip "
			   "0x%" G_GINT64_MODIFIER "x: hardware reason 0x%" G_GINT64_MODIFIER "x",
			   index, rip, (uint64_t)run->hw.hardware_exit_reason);
		break;
	case KVM_EXIT_SYSTEM_EVENT:
		g_snprintf(text, KVM_FAILURE_MAX,
			   "KVM ended vCPU %u at rip 0x%" G_GINT64_MODIFIER "x: system event %u",
			   index, rip, run->system_event.type);
		break;
	default:
		g_snprintf(text, KVM_FAILURE_MAX,
			   "KVM ended vCPU %u at rip 0x%" G_GINT64_MODIFIER
			   "x for a reason unknown to socle: exit %u",
			   index, rip, run->exit_reason);
		break;
	}
}
