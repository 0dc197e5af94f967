/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lapic.c - local APIC: registers, as memory and as MSRs, and the choice of the next interrupt
 *
 * Theory of operation. An interrupt for a vCPU is a bit in irr, set by any thread (lapic-route.c).
 * It may be taken when its class (the upper four bits) is above that of the processor priority PPR,
 * which is the higher one of the task priority and of the class in service. lapic_pending() finds
 * it, lapic_ack() moves it to isr, the guest's EOI takes it from there.
 *
 * lapic->maybe keeps lapic_pending() cheap. Invariant, between calls: if a vector in irr is above
 * PPR, then maybe is true or the thread that set the bit is just about to set it. lapic_pending()
 * clears it before it looks at irr, and sets it again if it found something; whatever lowers PPR
 * sets it. The same holds for the wire at LINT0, which is a level that external interrupts have, of
 * whom only the controller behind it knows more; they come first and know no priority.
 *
 * Not there: cluster and focus modes of old buses, EOI broadcast suppression, a writable ID,
 * another base address than 0xfee00000, the LVT entry for corrected machine checks.
 */
#include "cpu/lapic.h"

#include <assert.h>
#include <errno.h>

#include "base/bytes.h"
#include "cpu/lapic-int.h"
#include "cpu/msr.h"

#define SVR_WRITABLE    0x000003ffu
#define ICR_WRITABLE    0x000ccfffu
#define ICR_STATUS      0x00001000u
#define TDCR_WRITABLE   0x0000000bu
#define DFR_RESERVED    0x0fffffffu
#define LDR_WRITABLE    0xff000000u
#define TIMER_RESERVED3 LVT_MODE /* mode 3 */

static const uint32_t lvt_writable[LVT_COUNT] = {
	[LVT_TIMER] = LVT_VECTOR | LVT_MASKED | LVT_MODE,
	[LVT_THERMAL] = LVT_VECTOR | LVT_DELIVERY | LVT_MASKED,
	[LVT_PERF] = LVT_VECTOR | LVT_DELIVERY | LVT_MASKED,
	[LVT_LINT0] = LVT_VECTOR | LVT_DELIVERY | LVT_MASKED | 0xa000u, /* polarity, trigger */
	[LVT_LINT1] = LVT_VECTOR | LVT_DELIVERY | LVT_MASKED | 0xa000u,
	[LVT_ERROR] = LVT_VECTOR | LVT_MASKED,
};

/* ---- Set-up and reset ---- */

DATA_PATH static uint32_t x2apic_ldr(unsigned id)
{
	return (id >> 4) << 16 | 1u << (id & 15);
}

/* All registers but the ID and IA32_APIC_BASE as after power-up. */
DATA_PATH static void reset_registers(struct lapic *l)
{
	for (unsigned i = 0; i < 8; i++) {
		atomic_store(&l->irr[i], 0);
		atomic_store(&l->tmr[i], 0);
		l->isr[i] = 0;
	}
	for (unsigned i = 0; i < LVT_COUNT; i++)
		atomic_store(&l->lvt[i], LVT_MASKED);
	atomic_store(&l->ldr, lapic_is_x2apic(l) ? x2apic_ldr(l->cpu) : 0);
	atomic_store(&l->dfr, UINT32_MAX);
	atomic_store(&l->svr, 0xff);
	atomic_store(&l->esr_pending, 0);
	l->tpr = 0;
	l->esr = 0;
	l->icr_low = 0;
	l->icr_high = 0;
	lapic_timer_reset(l);
}

static uint64_t reset_base(unsigned cpu)
{
	return APIC_BASE_ADDR | APIC_BASE_ENABLE | (cpu == 0 ? APIC_BASE_BSP : 0);
}

struct lapic_set *lapic_set_new(unsigned cpus, const struct lapic_ops *ops, void *opaque)
{
	struct lapic_set *set;

	set = g_aligned_alloc0(1, sizeof(*set) + cpus * sizeof(set->lapic[0]), 64);
	set->ops = ops;
	set->opaque = opaque;
	set->cpus = cpus;
	for (unsigned i = 0; i < cpus; i++) {
		struct lapic *l = &set->lapic[i];

		l->set = set;
		l->cpu = i;
		atomic_store(&l->base, reset_base(i));
		/* Calls nobody back: the timer is off already. */
		reset_registers(l);
	}
	return set;
}

void lapic_set_free(struct lapic_set *set)
{
	g_aligned_free(set);
}

struct lapic *lapic_set_get(struct lapic_set *set, unsigned cpu)
{
	assert(cpu < set->cpus);
	return &set->lapic[cpu];
}

void lapic_reset(struct lapic *l, bool init)
{
	if (!init) {
		atomic_store(&l->base, reset_base(l->cpu));
		atomic_store(&l->requests, 0);
	}
	reset_registers(l);
}

/* ---- The next interrupt ---- */

/* The highest bit that is set in 256, or -1. */
DATA_PATH static int highest(const uint32_t words[8])
{
	for (int i = 7; i >= 0; i--) {
		if (words[i])
			return i * 32 + 31 - __builtin_clz(words[i]);
	}
	return -1;
}

DATA_PATH static int highest_irr(const struct lapic *l)
{
	for (int i = 7; i >= 0; i--) {
		uint32_t word = atomic_load(&l->irr[i]);

		if (word)
			return i * 32 + 31 - __builtin_clz(word);
	}
	return -1;
}

DATA_PATH static uint32_t ppr(const struct lapic *l)
{
	int serving = highest(l->isr);
	uint32_t class = serving < 0 ? 0 : (uint32_t)serving & 0xf0u;

	return (l->tpr & 0xf0u) >= class ? l->tpr : class;
}

DATA_PATH int lapic_pending(struct lapic *l)
{
	int vector;

	if (likely(!atomic_load_explicit(&l->maybe, memory_order_acquire)))
		return -1;
	atomic_store(&l->maybe, false);
	if (atomic_load(&l->set->lint0) && lapic_lint0_open(l)) {
		atomic_store(&l->maybe, true);
		return LAPIC_EXTERNAL;
	}
	if (!lapic_enabled(l))
		return -1;
	vector = highest_irr(l);
	if (vector < 0 || ((uint32_t)vector & 0xf0u) <= (ppr(l) & 0xf0u))
		return -1;
	atomic_store(&l->maybe, true);
	return vector;
}

DATA_PATH int lapic_ack(struct lapic *l)
{
	int vector = lapic_pending(l);
	uint32_t bit;

	if (vector < 0)
		return -1;
	if (unlikely(vector == LAPIC_EXTERNAL))
		return l->set->ops->external(l->set->opaque, l->cpu);
	bit = 1u << (vector % 32);
	atomic_fetch_and(&l->irr[vector / 32], ~bit);
	l->isr[vector / 32] |= bit;
	return vector;
}

/* PPR may have sunk: is there something to do now? */
DATA_PATH static void look_again(struct lapic *l)
{
	atomic_store(&l->maybe, true);
	if (lapic_pending(l) >= 0)
		l->set->ops->kick(l->set->opaque, l->cpu);
}

DATA_PATH unsigned lapic_requests(struct lapic *l, uint8_t *ret_sipi)
{
	uint32_t requests = atomic_exchange(&l->requests, 0);

	if (requests & LAPIC_REQ_SIPI)
		*ret_sipi = (uint8_t)(requests >> 8);
	return requests & 0xff;
}

DATA_PATH bool lapic_has_requests(const struct lapic *l)
{
	return atomic_load(&l->requests) != 0;
}

DATA_PATH uint8_t lapic_cr8(const struct lapic *l)
{
	return (uint8_t)(l->tpr >> 4);
}

DATA_PATH static void set_tpr(struct lapic *l, uint32_t tpr)
{
	uint32_t old = l->tpr;

	l->tpr = tpr & 0xff;
	if (l->tpr < old)
		look_again(l);
}

DATA_PATH void lapic_set_cr8(struct lapic *l, uint8_t cr8)
{
	set_tpr(l, (uint32_t)(cr8 & 0xf) << 4);
}

/* ---- Registers that do something when written ---- */

DATA_PATH static void end_of_interrupt(struct lapic *l)
{
	int vector = highest(l->isr);
	uint32_t bit;

	if (vector < 0)
		return;
	bit = 1u << (vector % 32);
	l->isr[vector / 32] &= ~bit;
	if (atomic_load(&l->tmr[vector / 32]) & bit)
		l->set->ops->eoi(l->set->opaque, l->cpu, (uint8_t)vector);
	look_again(l);
}

DATA_PATH static void set_svr(struct lapic *l, uint32_t value)
{
	atomic_store(&l->svr, value & SVR_WRITABLE);
	if (value & SVR_ENABLED)
		return;
	for (unsigned i = 0; i < LVT_COUNT; i++)
		atomic_fetch_or(&l->lvt[i], LVT_MASKED);
}

DATA_PATH static void set_lvt(struct lapic *l, enum lapic_lvt which, uint32_t value)
{
	uint32_t old = atomic_load(&l->lvt[which]);

	value &= lvt_writable[which];
	if (which == LVT_TIMER && (value & LVT_MODE) == TIMER_RESERVED3)
		value &= ~LVT_MODE;
	if (!(atomic_load(&l->svr) & SVR_ENABLED))
		value |= LVT_MASKED;
	atomic_store(&l->lvt[which], value);
	if (which == LVT_TIMER)
		lapic_timer_lvt(l, old, value);
	else if (which == LVT_LINT0)
		look_again(l);
}

/* Writing shows what has come together since the last time. */
DATA_PATH static void latch_esr(struct lapic *l)
{
	l->esr = atomic_exchange(&l->esr_pending, 0);
}

/* ---- Reading and writing by offset, what is common to both forms ---- */

DATA_PATH static uint32_t word_at(const _Atomic(uint32_t) words[8], uint32_t off)
{
	return atomic_load(&words[(off >> 4) & 7]);
}

/* False: no such register. */
DATA_PATH static bool read_register(const struct lapic *l, uint32_t off, uint32_t *ret)
{
	if (off >= APIC_LVT && off <= APIC_LVT_LAST) {
		*ret = atomic_load(&l->lvt[(off - APIC_LVT) / APIC_STEP]);
		return true;
	}
	switch (off & ~0x70u) {
	case APIC_ISR:
		*ret = l->isr[(off >> 4) & 7];
		return true;
	case APIC_TMR:
		*ret = word_at(l->tmr, off);
		return true;
	case APIC_IRR:
		*ret = word_at(l->irr, off);
		return true;
	default:
		break;
	}
	switch (off) {
	case APIC_ID:
		*ret = lapic_is_x2apic(l) ? l->cpu : l->cpu << 24;
		return true;
	case APIC_VERSION:
		*ret = LAPIC_VERSION;
		return true;
	case APIC_TPR:
		*ret = l->tpr;
		return true;
	case APIC_PPR:
		*ret = ppr(l);
		return true;
	case APIC_LDR:
		*ret = atomic_load(&l->ldr);
		return true;
	case APIC_SVR:
		*ret = atomic_load(&l->svr);
		return true;
	case APIC_ESR:
		*ret = l->esr;
		return true;
	case APIC_ICR:
		*ret = l->icr_low;
		return true;
	case APIC_ICR_HIGH:
		*ret = l->icr_high;
		return true;
	case APIC_TMICT:
		*ret = l->timer_count;
		return true;
	case APIC_TMCCT:
		*ret = lapic_timer_current(l);
		return true;
	case APIC_TDCR:
		*ret = l->timer_divide;
		return true;
	default:
		return false;
	}
}

/* The registers that are written alike in both forms, reserved bits left out. */
DATA_PATH static bool write_register(struct lapic *l, uint32_t off, uint32_t value)
{
	if (off >= APIC_LVT && off <= APIC_LVT_LAST) {
		set_lvt(l, (off - APIC_LVT) / APIC_STEP, value);
		return true;
	}
	switch (off) {
	case APIC_TPR:
		set_tpr(l, value);
		return true;
	case APIC_EOI:
		end_of_interrupt(l);
		return true;
	case APIC_SVR:
		set_svr(l, value);
		return true;
	case APIC_ESR:
		latch_esr(l);
		return true;
	case APIC_TMICT:
		lapic_timer_set_count(l, value);
		return true;
	case APIC_TDCR:
		lapic_timer_set_divide(l, value);
		return true;
	default:
		return false;
	}
}

/* ---- The memory-mapped page ---- */

DATA_PATH uint32_t lapic_mmio_read(struct lapic *l, uint32_t off)
{
	uint32_t value = 0;

	if (!lapic_enabled(l) || lapic_is_x2apic(l))
		return UINT32_MAX;
	if (off % APIC_STEP)
		return 0;
	switch (off) {
	case APIC_DFR:
		return atomic_load(&l->dfr);
	case APIC_APR:
	case APIC_EOI:
	case APIC_RRD:
		return 0;
	default:
		if (!read_register(l, off, &value))
			lapic_error(l, ESR_ILLEGAL_REGISTER);
		return value;
	}
}

DATA_PATH void lapic_mmio_write(struct lapic *l, uint32_t off, uint32_t value)
{
	uint32_t ignored;

	if (!lapic_enabled(l) || lapic_is_x2apic(l) || off % APIC_STEP)
		return;
	switch (off) {
	case APIC_LDR:
		atomic_store(&l->ldr, value & LDR_WRITABLE);
		break;
	case APIC_DFR:
		atomic_store(&l->dfr, value | DFR_RESERVED);
		break;
	case APIC_ICR:
		l->icr_low = value & ICR_WRITABLE & ~ICR_STATUS;
		lapic_send_icr(l);
		break;
	case APIC_ICR_HIGH:
		l->icr_high = value & 0xff000000u;
		break;
	case APIC_APR:
	case APIC_RRD:
		break;
	default:
		/* Registers that can only be read swallow writes. */
		if (!write_register(l, off, value) && !read_register(l, off, &ignored))
			lapic_error(l, ESR_ILLEGAL_REGISTER);
		break;
	}
}

/* ---- MSRs ---- */

/* Bits that may be set in a register of x2APIC mode; all others raise #GP. */
DATA_PATH static uint32_t x2apic_writable(uint32_t off)
{
	if (off >= APIC_LVT && off <= APIC_LVT_LAST) {
		const unsigned which = (off - APIC_LVT) / APIC_STEP;

		return lvt_writable[which] | LVT_STATUS |
		       (which == LVT_LINT0 || which == LVT_LINT1 ? LVT_REMOTE_IRR : 0);
	}
	switch (off) {
	case APIC_TPR:
		return 0xff;
	case APIC_SVR:
		return SVR_WRITABLE;
	case APIC_TMICT:
		return UINT32_MAX;
	case APIC_TDCR:
		return TDCR_WRITABLE;
	default: /* EOI and ESR: nothing but 0 */
		return 0;
	}
}

DATA_PATH static int x2apic_write(struct lapic *l, uint32_t off, uint64_t value)
{
	if (off == APIC_ICR) {
		if (value & UINT32_MAX & ~(uint64_t)(ICR_WRITABLE | ICR_STATUS))
			return -EINVAL;
		l->icr_low = (uint32_t)value & ICR_WRITABLE & ~ICR_STATUS;
		l->icr_high = (uint32_t)(value >> 32);
		lapic_send_icr(l);
		return 0;
	}
	if (off == APIC_SELF_IPI) {
		if (value > 0xff)
			return -EINVAL;
		lapic_send_self(l, (uint8_t)value);
		return 0;
	}
	if (value & ~(uint64_t)x2apic_writable(off))
		return -EINVAL;
	if (off == APIC_LVT && (value & LVT_MODE) == TIMER_RESERVED3)
		return -EINVAL;
	return write_register(l, off, (uint32_t)value) ? 0 : -EINVAL;
}

DATA_PATH static int x2apic_read(struct lapic *l, uint32_t off, uint64_t *ret_value)
{
	uint32_t value;

	if (off == APIC_ICR_HIGH || !read_register(l, off, &value))
		return -EINVAL;
	*ret_value = value;
	if (off == APIC_ICR)
		*ret_value |= (uint64_t)l->icr_high << 32;
	return 0;
}

/*
 * SDM 11.12.5: off - xAPIC - x2APIC - off is the only way round. Off loses everything but the ID.
 * The BSP flag stays as it is.
 */
DATA_PATH static int set_base(struct lapic *l, uint64_t value)
{
	const uint64_t mode = APIC_BASE_ENABLE | APIC_BASE_X2APIC;
	uint64_t old = atomic_load(&l->base);

	if ((value & ~(mode | APIC_BASE_BSP)) != APIC_BASE_ADDR)
		return -EINVAL;
	if ((value & mode) == APIC_BASE_X2APIC)
		return -EINVAL;
	if ((old & mode) == mode && (value & mode) == APIC_BASE_ENABLE)
		return -EINVAL;
	if (!(old & mode) && (value & mode) == mode)
		return -EINVAL;
	if ((old & mode) == (value & mode))
		return 0;
	atomic_store(&l->base, (value & ~(uint64_t)APIC_BASE_BSP) | (old & APIC_BASE_BSP));
	if (!(value & APIC_BASE_ENABLE)) {
		reset_registers(l);
		look_again(l); /* LINT0 goes to the CPU itself now */
	} else if (value & APIC_BASE_X2APIC) {
		atomic_store(&l->ldr, x2apic_ldr(l->cpu));
		l->icr_low = 0;
		l->icr_high = 0;
	}
	return 0;
}

DATA_PATH uint64_t lapic_base(const struct lapic *l)
{
	return atomic_load(&l->base);
}

DATA_PATH int lapic_msr_read(struct lapic *l, uint32_t msr, uint64_t *ret_value)
{
	if (msr == MSR_APIC_BASE) {
		*ret_value = lapic_base(l);
		return 0;
	}
	if (msr == MSR_TSC_DEADLINE) {
		*ret_value = lapic_timer_tsc_deadline(l);
		return 0;
	}
	if (msr < MSR_X2APIC_FIRST || msr > MSR_X2APIC_LAST || !lapic_is_x2apic(l))
		return -EINVAL;
	return x2apic_read(l, (msr - MSR_X2APIC_FIRST) * APIC_STEP, ret_value);
}

DATA_PATH int lapic_msr_write(struct lapic *l, uint32_t msr, uint64_t value)
{
	if (msr == MSR_APIC_BASE)
		return set_base(l, value);
	if (msr == MSR_TSC_DEADLINE) {
		lapic_timer_set_tsc_deadline(l, value);
		return 0;
	}
	if (msr < MSR_X2APIC_FIRST || msr > MSR_X2APIC_LAST || !lapic_is_x2apic(l))
		return -EINVAL;
	return x2apic_write(l, (msr - MSR_X2APIC_FIRST) * APIC_STEP, value);
}

/* ---- State ---- */

void lapic_get_state(struct lapic *l, uint8_t regs[X86_LAPIC_REGS], uint64_t *ret_tsc_deadline)
{
	memset(regs, 0, X86_LAPIC_REGS);
	for (uint32_t off = 0; off < X86_LAPIC_REGS; off += APIC_STEP) {
		uint32_t value;

		if (read_register(l, off, &value))
			put_le32(regs + off, value);
	}
	put_le32(regs + APIC_DFR, atomic_load(&l->dfr));
	*ret_tsc_deadline = lapic_timer_tsc_deadline(l);
}

static void load_vectors(struct lapic *l, const uint8_t *regs)
{
	for (size_t i = 0; i < 8; i++) {
		uint32_t mask = i ? UINT32_MAX : UINT32_MAX << VECTOR_FIRST;

		l->isr[i] = get_le32(regs + APIC_ISR + i * APIC_STEP) & mask;
		atomic_store(&l->tmr[i], get_le32(regs + APIC_TMR + i * APIC_STEP) & mask);
		atomic_store(&l->irr[i], get_le32(regs + APIC_IRR + i * APIC_STEP) & mask);
	}
}

/* @regs may come from a stream that nobody vouches for: everything is cut to what can be. */
void lapic_set_state(struct lapic *l, const uint8_t regs[X86_LAPIC_REGS], uint64_t apic_base,
		     uint64_t tsc_deadline)
{
	uint64_t base = APIC_BASE_ADDR | (apic_base & (APIC_BASE_BSP | APIC_BASE_ENABLE));

	if (base & APIC_BASE_ENABLE)
		base |= apic_base & APIC_BASE_X2APIC;
	atomic_store(&l->base, base);
	atomic_store(&l->requests, 0);
	reset_registers(l);

	load_vectors(l, regs);
	l->tpr = get_le32(regs + APIC_TPR) & 0xff;
	if (!lapic_is_x2apic(l))
		atomic_store(&l->ldr, get_le32(regs + APIC_LDR) & LDR_WRITABLE);
	atomic_store(&l->dfr, get_le32(regs + APIC_DFR) | DFR_RESERVED);
	l->esr = get_le32(regs + APIC_ESR);
	l->icr_low = get_le32(regs + APIC_ICR) & ICR_WRITABLE & ~ICR_STATUS;
	l->icr_high = get_le32(regs + APIC_ICR_HIGH);
	l->timer_divide = get_le32(regs + APIC_TDCR) & TDCR_WRITABLE;
	set_svr(l, get_le32(regs + APIC_SVR));
	for (uint32_t off = APIC_LVT; off <= APIC_LVT_LAST; off += APIC_STEP)
		set_lvt(l, (off - APIC_LVT) / APIC_STEP, get_le32(regs + off));
	l->timer_count = get_le32(regs + APIC_TMICT);
	lapic_timer_restore(l, get_le32(regs + APIC_TMCCT), tsc_deadline);
	look_again(l);
}
