/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * msr.c - model-specific registers, the TSC, kvmclock
 *
 * Sources: Intel SDM vol. 4; vol. 3 11.11 (MTRR), 17.17 (TSC); Linux Documentation/virt/kvm/x86/msr.rst
 * for the 0x4b564d00 range.
 *
 * emu_msr_check() says what a write would answer and changes nothing, so that a state from outside
 * is judged before any of it is loaded. What it accepts, store() carries out and cannot fail.
 *
 * kvmclock. All vCPUs get the same pair of TSC and time, so that they agree to the nanosecond; the
 * guest computes the rest from the TSC. The pair is fixed when the first of them asks.
 */
#include "emu/sys-int.h"

#include <errno.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/sys.h"

enum {
	MSR_SMI_COUNT = 0x34,
	MSR_PMC0 = 0xc1,
	MSR_PMC7 = 0xc8,
	MSR_PLATFORM_INFO = 0xce,
	MSR_PERFEVTSEL0 = 0x186,
	MSR_PERFEVTSEL7 = 0x18d,
	MSR_PERF_CTL = 0x199,
	MSR_DEBUGCTL = 0x1d9,
	MSR_FIXED_CTR0 = 0x309,
	MSR_FIXED_CTR2 = 0x30b,
	MSR_PERF_CAPABILITIES = 0x345,
	MSR_FIXED_CTR_CTRL = 0x38d,
	MSR_PERF_GLOBAL_OVF = 0x390,
	MTRR_CAP = 0x508, /* write combining, fixed ranges, 8 variable ones */
	MTRR_DEF_DEFINED = 0xcff,
	UNKNOWN_MAX = 32,
};

#define PHYS_RSVD (~((1ull << 46) - 1))

/* IA32_ARCH_CAPABILITIES: not vulnerable to anything with a name. */
#define ARCH_CAPS                                                                               \
	(1ull << 0 /* RDCL_NO */ | 1ull << 3 /* SKIP_L1DFL */ | 1ull << 4 /* SSB_NO */ |        \
	 1ull << 5 /* MDS_NO */ | 1ull << 6 /* IF_PSCHANGE_MC_NO */ | 1ull << 8 /* TAA_NO */ |  \
	 1ull << 13 /* SBDR_SSDP_NO */ | 1ull << 14 /* FBSDP_NO */ | 1ull << 15 /* PSDP_NO */ | \
	 1ull << 20 /* BHI_NO */ | 1ull << 24 /* PBRSB_NO */ | 1ull << 26 /* GDS_NO */ |        \
	 1ull << 27 /* RFDS_NO */ | 1ull << 62 /* ITS_NO */)

#define CPUID7_EDX_SPEC_CTRL  (1u << 26)
#define CPUID7_EDX_STIBP      (1u << 27)
#define CPUID7_EDX_ARCH_CAPS  (1u << 29)
#define CPUID7_EDX_SSBD       (1u << 31)
#define CPUID7_EBX_TSC_ADJUST (1u << 1)
#define CPUID81_EDX_RDTSCP    (1u << 27)

uint64_t emu_tsc(const struct vcpu *v)
{
	return sys_monotonic_ns() + (uint64_t)v->tsc_offset;
}

void emu_tsc_set(struct vcpu *v, uint64_t tsc)
{
	struct cpu_engine *e = v->engine;
	int64_t offset = (int64_t)(tsc - sys_monotonic_ns()), second = (int64_t)e->tsc_khz * 1000;

	pthread_mutex_lock(&e->clock_lock);
	/* States are loaded one vCPU after the other, but mean one moment. */
	if (offset - e->tsc_offset < second && e->tsc_offset - offset < second)
		offset = e->tsc_offset;
	else
		e->tsc_offset = offset;
	pthread_mutex_unlock(&e->clock_lock);
	v->tsc_offset = offset;
}

/* ---- kvmclock ---- */

enum {
	PVCLOCK_STABLE = 1,
	PVCLOCK_SIZE = 32,
	WALL_CLOCK_SIZE = 12
};

/* Nanoseconds = (ticks << shift, or >> -shift) * mul >> 32: as KVM computes them. */
static void clock_scale(uint32_t khz, uint32_t *ret_mul, int8_t *ret_shift)
{
	uint64_t hz = (uint64_t)khz * 1000;
	int8_t shift = 0;

	while (hz > 2000000000ull) {
		hz >>= 1;
		shift--;
	}
	while (hz <= 1000000000ull) {
		hz <<= 1;
		shift++;
	}
	*ret_mul = (uint32_t)((1000000000ull << 32) / hz);
	*ret_shift = shift;
}

/* The pair that all vCPUs share: TSC without offsets, and guest's clock. */
static void clock_pair(struct cpu_engine *e, uint64_t *ret_tsc, uint64_t *ret_ns)
{
	pthread_mutex_lock(&e->clock_lock);
	if (!e->clock_pair_tsc) {
		e->clock_pair_tsc = sys_monotonic_ns();
		e->clock_pair_ns = e->clock_pair_tsc + (uint64_t)e->clock_offset_ns;
	}
	*ret_tsc = e->clock_pair_tsc;
	*ret_ns = e->clock_pair_ns;
	pthread_mutex_unlock(&e->clock_lock);
}

void emu_clock_changed(struct cpu_engine *e)
{
	pthread_mutex_lock(&e->clock_lock);
	e->clock_pair_tsc = 0;
	pthread_mutex_unlock(&e->clock_lock);
	for (unsigned i = 0; i < e->config.cpus; i++) {
		if (e->vcpu[i])
			emu_clock_publish(e->vcpu[i]);
	}
}

void emu_clock_publish(struct vcpu *v)
{
	uint64_t gpa = v->kvm_system_time & ~1ull, tsc, ns;
	uint8_t info[PVCLOCK_SIZE] = { 0 };
	uint32_t version, mul;
	int8_t shift;

	if (!(v->kvm_system_time & 1) || mem_read(v->mem, gpa, &version, 4) < 0)
		return;
	clock_pair(v->engine, &tsc, &ns);
	clock_scale(v->engine->tsc_khz, &mul, &shift);
	/* Odd while it is being written: for readers on other vCPUs. */
	version |= 1;
	put_le64(info + 8, tsc + (uint64_t)v->tsc_offset);
	put_le64(info + 16, ns);
	put_le32(info + 24, mul);
	info[28] = (uint8_t)shift;
	info[29] = PVCLOCK_STABLE;
	(void)mem_write(v->mem, gpa, &version, 4);
	atomic_thread_fence(memory_order_release);
	(void)mem_write(v->mem, gpa + 4, info + 4, sizeof(info) - 4);
	atomic_thread_fence(memory_order_release);
	version++;
	(void)mem_write(v->mem, gpa, &version, 4);
}

static void write_wall_clock(struct vcpu *v, uint64_t gpa)
{
	uint64_t tsc, ns, boot, now;
	uint8_t info[WALL_CLOCK_SIZE];
	uint32_t version;

	if (mem_read(v->mem, gpa, &version, 4) < 0)
		return;
	clock_pair(v->engine, &tsc, &ns);
	(void)tsc;
	now = sys_monotonic_ns() + (uint64_t)v->engine->clock_offset_ns;
	boot = sys_realtime_ns() - now;
	version = (version | 1) + 1;
	put_le32(info, version);
	put_le32(info + 4, (uint32_t)(boot / 1000000000));
	put_le32(info + 8, (uint32_t)(boot % 1000000000));
	(void)mem_write(v->mem, gpa, info, sizeof(info));
}

/* ---- MTRR ---- */

static bool mtrr_type(uint64_t type)
{
	return type == 0 || type == 1 || (type >= 4 && type <= 6);
}

/* Number of a fixed-range register, or -1. */
static int mtrr_fixed(uint32_t msr)
{
	if (msr == MSR_MTRR_FIX64K)
		return 0;
	if (msr == MSR_MTRR_FIX16K_80000 || msr == MSR_MTRR_FIX16K_A0000)
		return 1 + (int)(msr - MSR_MTRR_FIX16K_80000);
	if (msr >= MSR_MTRR_FIX4K_C0000 && msr <= MSR_MTRR_FIX4K_F8000)
		return 3 + (int)(msr - MSR_MTRR_FIX4K_C0000);
	return -1;
}

static bool mtrr_ok(uint32_t msr, uint64_t value)
{
	if (mtrr_fixed(msr) >= 0) {
		for (unsigned i = 0; i < 64; i += 8) {
			if (!mtrr_type(value >> i & 0xff))
				return false;
		}
		return true;
	}
	if (msr == MSR_MTRR_DEF_TYPE)
		return !(value & ~(uint64_t)MTRR_DEF_DEFINED) && mtrr_type(value & 0xff);
	if (msr & 1)
		return !(value & (PHYS_RSVD | 0x7ff));
	return !(value & (PHYS_RSVD | 0xf00)) && mtrr_type(value & 0xff);
}

static bool pat_ok(uint64_t value)
{
	for (unsigned i = 0; i < 64; i += 8) {
		uint64_t type = value >> i & 0xff;

		if (!mtrr_type(type) && type != 7)
			return false;
	}
	return true;
}

/* ---- which there are ---- */

static bool is_mtrr(uint32_t msr)
{
	return (msr >= MSR_MTRR_PHYSBASE0 && msr <= MSR_MTRR_PHYSMASK7) || mtrr_fixed(msr) >= 0 ||
	       msr == MSR_MTRR_DEF_TYPE;
}

static bool is_lapic(uint32_t msr)
{
	return msr == MSR_APIC_BASE || msr == MSR_TSC_DEADLINE ||
	       (msr >= MSR_X2APIC_FIRST && msr <= MSR_X2APIC_LAST);
}

/* Counters that are not there: read 0, writes are swallowed. */
static bool is_perf(uint32_t msr)
{
	return (msr >= MSR_PMC0 && msr <= MSR_PMC7) ||
	       (msr >= MSR_PERFEVTSEL0 && msr <= MSR_PERFEVTSEL7) ||
	       (msr >= MSR_FIXED_CTR0 && msr <= MSR_FIXED_CTR2) ||
	       (msr >= MSR_FIXED_CTR_CTRL && msr <= MSR_PERF_GLOBAL_OVF) ||
	       msr == MSR_PERF_CAPABILITIES || msr == MSR_PERF_CTL || msr == MSR_DEBUGCTL;
}

static bool has_kvmclock(const struct vcpu *v)
{
	return sys_cpuid(v, 0x40000001, 0, 0) & 1u << 3;
}

static uint64_t spec_ctrl_bits(const struct vcpu *v)
{
	uint32_t edx = sys_cpuid(v, 7, 0, 3);

	return (edx & CPUID7_EDX_SPEC_CTRL ? 1 : 0) | (edx & CPUID7_EDX_STIBP ? 2 : 0) |
	       (edx & CPUID7_EDX_SSBD ? 4 : 0);
}

static void log_unknown(const struct vcpu *v, uint32_t msr, const char *what)
{
	static _Atomic(uint32_t) told[UNKNOWN_MAX];
	static atomic_uint count;
	unsigned n = atomic_load(&count);

	for (unsigned i = 0; i < n && i < UNKNOWN_MAX; i++) {
		if (atomic_load(&told[i]) == msr)
			return;
	}
	n = atomic_fetch_add(&count, 1);
	if (n >= UNKNOWN_MAX) {
		atomic_store(&count, UNKNOWN_MAX);
		return;
	}
	atomic_store(&told[n], msr);
	/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): @v is there */
	log_debug("vCPU %u: %s of MSR 0x%x, which is not there", v->index, what, msr);
}

/* ---- reading ---- */

/* Those that a field of the vCPU holds. */
static uint64_t *msr_field(struct vcpu *v, uint32_t msr)
{
	if (msr >= MSR_MTRR_PHYSBASE0 && msr <= MSR_MTRR_PHYSMASK7)
		return &v->mtrr_var[msr - MSR_MTRR_PHYSBASE0];
	if (mtrr_fixed(msr) >= 0)
		return &v->mtrr_fix[mtrr_fixed(msr)];
	switch (msr) {
	case MSR_STAR:
		return &v->star;
	case MSR_LSTAR:
		return &v->lstar;
	case MSR_CSTAR:
		return &v->cstar;
	case MSR_SYSCALL_MASK:
		return &v->sfmask;
	case MSR_KERNEL_GS_BASE:
		return &v->kernel_gs_base;
	case MSR_FS_BASE:
		return &v->seg[X86_FS].base;
	case MSR_GS_BASE:
		return &v->seg[X86_GS].base;
	case MSR_SYSENTER_CS:
		return &v->sysenter_cs;
	case MSR_SYSENTER_ESP:
		return &v->sysenter_esp;
	case MSR_SYSENTER_EIP:
		return &v->sysenter_eip;
	case MSR_PAT:
		return &v->pat;
	case MSR_MTRR_DEF_TYPE:
		return &v->mtrr_def;
	case MSR_MISC_ENABLE:
		return &v->misc_enable;
	case MSR_MCG_STATUS:
		return &v->mcg_status;
	case MSR_EFER:
		return &v->efer;
	case MSR_FEATURE_CONTROL:
		return &v->feature_control;
	case MSR_TSC_AUX:
		return sys_cpuid(v, 0x80000001, 0, 3) & CPUID81_EDX_RDTSCP ? &v->tsc_aux : NULL;
	case MSR_TSC_ADJUST:
		return sys_cpuid(v, 7, 0, 1) & CPUID7_EBX_TSC_ADJUST ? &v->tsc_adjust : NULL;
	case MSR_SPEC_CTRL:
		return spec_ctrl_bits(v) ? &v->spec_ctrl : NULL;
	case MSR_KVM_WALL_CLOCK:
		return has_kvmclock(v) ? &v->kvm_wall_clock : NULL;
	case MSR_KVM_SYSTEM_TIME:
		return has_kvmclock(v) ? &v->kvm_system_time : NULL;
	default:
		return NULL;
	}
}

/* Those that always read the same. */
static int read_constant(const struct vcpu *v, uint32_t msr, uint64_t *ret_value)
{
	switch (msr) {
	case MSR_MTRRCAP:
		*ret_value = MTRR_CAP;
		return 0;
	case MSR_BIOS_SIGN_ID:
		*ret_value = 1ull << 32;
		return 0;
	case MSR_PLATFORM_ID:
	case MSR_MCG_CAP:
	case MSR_PERF_STATUS:
	case MSR_PLATFORM_INFO:
	case MSR_SMI_COUNT:
		*ret_value = 0;
		return 0;
	case MSR_ARCH_CAPABILITIES:
		if (!(sys_cpuid(v, 7, 0, 3) & CPUID7_EDX_ARCH_CAPS))
			return -EINVAL;
		*ret_value = ARCH_CAPS;
		return 0;
	default:
		if (!is_perf(msr))
			return -EINVAL;
		*ret_value = 0;
		return 0;
	}
}

int emu_msr_read(struct vcpu *v, uint32_t msr, uint64_t *ret_value)
{
	const uint64_t *field = msr_field(v, msr);

	if (field) {
		*ret_value = *field;
		return 0;
	}
	if (is_lapic(msr))
		return lapic_msr_read(v->lapic, msr, ret_value);
	if (msr == MSR_TSC) {
		*ret_value = emu_tsc(v);
		return 0;
	}
	if (read_constant(v, msr, ret_value) < 0) {
		log_unknown(v, msr, "read");
		return -EINVAL;
	}
	return 0;
}

/* ---- writing ---- */

static int check_efer(const struct vcpu *v, uint64_t value)
{
	uint32_t edx = sys_cpuid(v, 0x80000001, 0, 3);
	uint64_t bits = EFER_LMA;

	bits |= edx & 1u << 11 ? EFER_SCE : 0;
	bits |= edx & 1u << 20 ? EFER_NXE : 0;
	bits |= edx & 1u << 29 ? EFER_LME : 0;
	if (value & ~bits)
		return -EINVAL;
	if (v->cr0 & CR0_PG && (value ^ v->efer) & EFER_LME)
		return -EINVAL;
	return 0;
}

int emu_msr_check(const struct vcpu *v, uint32_t msr, uint64_t value)
{
	bool ok;

	switch (msr) {
	case MSR_EFER:
		return check_efer(v, value);
	case MSR_LSTAR:
	case MSR_CSTAR:
	case MSR_FS_BASE:
	case MSR_GS_BASE:
	case MSR_KERNEL_GS_BASE:
	case MSR_SYSENTER_ESP:
	case MSR_SYSENTER_EIP:
		ok = sys_canonical(value);
		break;
	case MSR_STAR:
	case MSR_SYSENTER_CS:
	case MSR_MISC_ENABLE:
	case MSR_TSC:
	case MSR_BIOS_UPDT_TRIG:
	case MSR_BIOS_SIGN_ID:
		ok = true;
		break;
	case MSR_SYSCALL_MASK:
		ok = !(value >> 32);
		break;
	case MSR_TSC_AUX:
		ok = !(value >> 32) && sys_cpuid(v, 0x80000001, 0, 3) & CPUID81_EDX_RDTSCP;
		break;
	case MSR_TSC_ADJUST:
		ok = sys_cpuid(v, 7, 0, 1) & CPUID7_EBX_TSC_ADJUST;
		break;
	case MSR_PAT:
		ok = pat_ok(value);
		break;
	case MSR_MCG_STATUS:
		ok = !value;
		break;
	case MSR_SPEC_CTRL:
		ok = spec_ctrl_bits(v) && !(value & ~spec_ctrl_bits(v));
		break;
	case MSR_PRED_CMD:
		ok = spec_ctrl_bits(v) && !(value & ~1ull);
		break;
	case MSR_KVM_WALL_CLOCK:
		ok = has_kvmclock(v);
		break;
	case MSR_KVM_SYSTEM_TIME:
		ok = has_kvmclock(v) && !(value & 2);
		break;
	default:
		if (is_mtrr(msr))
			ok = mtrr_ok(msr, value);
		else
			ok = is_perf(msr) ? msr != MSR_DEBUGCTL || !value : is_lapic(msr);
		break;
	}
	return ok ? 0 : -EINVAL;
}

static void set_tsc(struct vcpu *v, int64_t delta)
{
	uint64_t deadline;

	v->tsc_offset += delta;
	/* The moment in which the deadline comes has moved. */
	if (v->lapic && lapic_msr_read(v->lapic, MSR_TSC_DEADLINE, &deadline) == 0 && deadline)
		(void)lapic_msr_write(v->lapic, MSR_TSC_DEADLINE, deadline);
	emu_clock_publish(v);
}

static void store_efer(struct vcpu *v, uint64_t value)
{
	uint64_t old = v->efer;

	v->efer = (value & ~(uint64_t)EFER_LMA) | (old & EFER_LMA);
	if ((old ^ v->efer) & EFER_NXE)
		emu_tlb_flush(v, true);
}

int emu_msr_write(struct vcpu *v, uint32_t msr, uint64_t value)
{
	uint64_t *field;

	if (is_lapic(msr))
		return lapic_msr_write(v->lapic, msr, value);
	if (emu_msr_check(v, msr, value) < 0) {
		uint64_t now;

		if (!msr_field(v, msr) && read_constant(v, msr, &now) < 0)
			log_unknown(v, msr, "write");
		return -EINVAL;
	}
	switch (msr) {
	case MSR_EFER:
		store_efer(v, value);
		return 0;
	case MSR_TSC: {
		int64_t delta = (int64_t)(value - emu_tsc(v));

		v->tsc_adjust += (uint64_t)delta;
		set_tsc(v, delta);
		return 0;
	}
	case MSR_TSC_ADJUST: {
		int64_t delta = (int64_t)(value - v->tsc_adjust);

		v->tsc_adjust = value;
		set_tsc(v, delta);
		return 0;
	}
	case MSR_KVM_WALL_CLOCK:
		v->kvm_wall_clock = value;
		if (value)
			write_wall_clock(v, value);
		return 0;
	case MSR_KVM_SYSTEM_TIME:
		v->kvm_system_time = value;
		emu_clock_publish(v);
		return 0;
	default:
		break;
	}
	field = msr_field(v, msr);
	if (field)
		*field = value;
	if (msr == MSR_FS_BASE)
		v->seg_base[X86_FS] = value;
	else if (msr == MSR_GS_BASE)
		v->seg_base[X86_GS] = value;
	return 0;
}
