/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lapic-int.h - what the parts of the local APIC share: registers, delivery, timer
 *
 * Numbers of registers are offsets in the memory-mapped page; the MSR is 0x800 + offset / 16.
 */
#ifndef CPU_LAPIC_INT_H
#define CPU_LAPIC_INT_H

#include "cpu/lapic.h"

enum {
	APIC_ID = 0x20,
	APIC_VERSION = 0x30,
	APIC_TPR = 0x80,
	APIC_APR = 0x90,
	APIC_PPR = 0xa0,
	APIC_EOI = 0xb0,
	APIC_RRD = 0xc0,
	APIC_LDR = 0xd0,
	APIC_DFR = 0xe0,
	APIC_SVR = 0xf0,
	APIC_ISR = 0x100,
	APIC_TMR = 0x180,
	APIC_IRR = 0x200,
	APIC_ESR = 0x280,
	APIC_ICR = 0x300,
	APIC_ICR_HIGH = 0x310,
	APIC_LVT = 0x320,
	APIC_LVT_LAST = 0x370,
	APIC_TMICT = 0x380,
	APIC_TMCCT = 0x390,
	APIC_TDCR = 0x3e0,
	APIC_SELF_IPI = 0x3f0,
	APIC_STEP = 0x10,
};

/* The local vector table, in the order of its registers. */
enum lapic_lvt {
	LVT_TIMER,
	LVT_THERMAL,
	LVT_PERF,
	LVT_LINT0,
	LVT_LINT1,
	LVT_ERROR,
	LVT_COUNT,
};

#define LAPIC_VERSION  0x00050014u /* integrated, six LVT entries */
#define LVT_VECTOR     0x000000ffu
#define LVT_DELIVERY   0x00000700u
#define LVT_STATUS     0x00001000u /* read only */
#define LVT_REMOTE_IRR 0x00004000u /* of LINT0 and LINT1, read only */
#define LVT_MASKED     0x00010000u
#define LVT_MODE       0x00060000u /* of the timer */
#define LVT_MODE_SHIFT 17
#define SVR_ENABLED    0x00000100u

enum lapic_timer_mode {
	TIMER_ONE_SHOT,
	TIMER_PERIODIC,
	TIMER_TSC_DEADLINE
};

/* Bits of ESR. */
enum {
	ESR_SEND_ILLEGAL_VECTOR = 1 << 5,
	ESR_RECEIVE_ILLEGAL_VECTOR = 1 << 6,
	ESR_ILLEGAL_REGISTER = 1 << 7,
};

enum {
	VECTOR_FIRST = 16
}; /* below are exceptions: illegal */

enum lapic_shorthand {
	DEST_FIELD,
	DEST_SELF,
	DEST_ALL,
	DEST_OTHERS
};

/*
 * [v] written by the vCPU's thread, read by any to route messages
 * [a] written by any
 * The others belong to the vCPU's thread.
 */
struct lapic {
	struct lapic_set *set;
	unsigned cpu; /* number and APIC ID; fixed */

	_Atomic(uint64_t) base;           /* [v] IA32_APIC_BASE */
	_Atomic(uint32_t) ldr, dfr;       /* [v] */
	_Atomic(uint32_t) svr;            /* [v] */
	_Atomic(uint32_t) lvt[LVT_COUNT]; /* [v] */

	_Atomic(uint32_t) irr[8], tmr[8]; /* [a] */
	/* [a] Something may be deliverable: set after a bit of irr, when LINT0 rises while an
	 * external interrupt may come by it, and whenever PPR may sink or that may change.
	 * While it is false, lapic_pending() need not look. */
	atomic_bool maybe;
	_Atomic(uint32_t) requests;    /* [a] LAPIC_REQ_*, and the vector of a SIPI in bits 15:8 */
	_Atomic(uint32_t) esr_pending; /* [a] not latched yet */

	uint32_t isr[8];
	uint32_t tpr, esr, icr_low, icr_high;

	uint32_t timer_count, timer_divide; /* initial count; divide configuration register */
	uint64_t tsc_deadline;
	_Atomic(uint64_t) deadline; /* [v] in now_ns() time; 0: the timer is off */
} __attribute__((aligned(64)));

struct lapic_set {
	const struct lapic_ops *ops;
	void *opaque;
	unsigned cpus;
	_Atomic(uint32_t) turn; /* of lowest-priority arbitration */
	atomic_bool lint0;      /* level of the wire */
	struct lapic lapic[];
};

static inline bool lapic_enabled(const struct lapic *l)
{
	return (atomic_load_explicit(&l->base, memory_order_relaxed) & (1u << 11)) != 0;
}

static inline bool lapic_is_x2apic(const struct lapic *l)
{
	return (atomic_load_explicit(&l->base, memory_order_relaxed) & (1u << 10)) != 0;
}

/* lapic-route.c. [any] */
/* May external interrupts come by LINT0? */
bool lapic_lint0_open(const struct lapic *l);
void lapic_raise(struct lapic *l, uint8_t vector, bool level);
void lapic_raise_lvt(struct lapic *l, enum lapic_lvt which);
void lapic_error(struct lapic *l, uint32_t esr_bits);
/* [vcpu] The guest has written ICR or SELF IPI. */
void lapic_send_icr(struct lapic *l);
void lapic_send_self(struct lapic *l, uint8_t vector);
unsigned lapic_route(struct lapic_set *set, const struct lapic_message *msg,
		     const struct lapic *source, enum lapic_shorthand shorthand);

/* lapic-timer.c. [vcpu] */
void lapic_timer_reset(struct lapic *l);
/* The LVT timer register goes from @old to @now. */
void lapic_timer_lvt(struct lapic *l, uint32_t old, uint32_t now);
void lapic_timer_set_count(struct lapic *l, uint32_t count);
uint32_t lapic_timer_current(const struct lapic *l);
void lapic_timer_set_divide(struct lapic *l, uint32_t divide);
uint64_t lapic_timer_tsc_deadline(const struct lapic *l);
void lapic_timer_set_tsc_deadline(struct lapic *l, uint64_t tsc);
/* All registers are loaded; @current was the current count. */
void lapic_timer_restore(struct lapic *l, uint32_t current, uint64_t tsc_deadline);

#endif
