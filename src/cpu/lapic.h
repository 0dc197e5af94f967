/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lapic.h - local APICs of a machine in software: xAPIC and x2APIC, timer, IPIs
 *
 * Source: Intel SDM vol. 3 chapter 11. One struct lapic for each vCPU, all of them in a struct
 * lapic_set, which routes messages. Used by the software engine; KVM has its own.
 *
 * Threads: registers belong to the vCPU's thread [vcpu]. What others do to an APIC, they do through
 * lapic_set_deliver() [any]: it sets bits in atomic request words and calls ops->kick. The vCPU's
 * thread then finds them with lapic_pending().
 */
#ifndef CPU_LAPIC_H
#define CPU_LAPIC_H

#include <glib.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "cpu/state.h"

struct lapic;
struct lapic_set;

struct lapic_ops {
	/* [any] Something became pending for vCPU @cpu: look at lapic_pending() and
	 * lapic_requests() soon. The I/O APIC's lock may be held: do not call it from here. */
	void (*kick)(void *opaque, unsigned cpu);
	/* [vcpu] The moment in which the timer of @cpu will next expire has changed. In the
	 * nanoseconds of now_ns(); 0: never. */
	void (*timer_changed)(void *opaque, unsigned cpu, uint64_t deadline_ns);
	/* [any] A monotonic clock. */
	uint64_t (*now_ns)(void *opaque);
	/* [vcpu] The guest's TSC of @cpu, and when (now_ns) it will reach @tsc. */
	uint64_t (*tsc)(void *opaque, unsigned cpu);
	uint64_t (*tsc_to_ns)(void *opaque, unsigned cpu, uint64_t tsc);
	/* [vcpu] The guest ended a level-triggered interrupt: tell the I/O APIC. */
	void (*eoi)(void *opaque, unsigned cpu, uint8_t vector);
	/* [vcpu] An interrupt that came by LINT0 is taken: its vector, or -1 if the wire has fallen
	 * meanwhile. NULL: nothing is at LINT0. */
	int (*external)(void *opaque, unsigned cpu);
};

enum {
	LAPIC_TIMER_HZ = 1000000000
}; /* the clock behind the timer's divider: 1 ns */

/* What lapic_requests() tells beside interrupts. */
enum {
	LAPIC_REQ_NMI = 1,
	LAPIC_REQ_INIT = 2,
	LAPIC_REQ_SIPI = 4,
	LAPIC_REQ_SMI = 8,     /* never set: there is no SMM */
	LAPIC_REQ_EXTINT = 16, /* by a message: nobody sends one */
};

enum {
	LAPIC_EXTERNAL = 256 /* no vector: the one behind LINT0 knows it */
};

enum lapic_delivery { /* bits 10:8 of ICR, LVT, MSI data and redirection entries */
	LAPIC_FIXED = 0,
	LAPIC_LOWEST = 1,
	LAPIC_SMI = 2,
	LAPIC_NMI = 4,
	LAPIC_INIT = 5,
	LAPIC_SIPI = 6,
	LAPIC_EXTINT = 7,
};

struct lapic_message {
	uint32_t dest;    /* APIC ID or logical set; 0xff (0xffffffff in x2APIC) is all */
	bool dest_x2apic; /* @dest is a 32-bit x2APIC destination (from an x2APIC ICR) */
	bool logical;
	enum lapic_delivery delivery;
	bool level;   /* level triggered: EOI is reported */
	bool assert_; /* for INIT: level assert; de-assert is ignored */
	uint8_t vector;
};

struct lapic_set *lapic_set_new(unsigned cpus, const struct lapic_ops *ops, void *opaque);
void lapic_set_free(struct lapic_set *set);
DEFINE_AUTOPTR(lapic_set, lapic_set_free);
struct lapic *lapic_set_get(struct lapic_set *set, unsigned cpu);

/* [any] Route a message. The number of APICs that took it. */
unsigned lapic_set_deliver(struct lapic_set *set, const struct lapic_message *msg);
/* [any] The same for a message-signalled interrupt in its PCI form (SDM 11.11). */
unsigned lapic_set_msi(struct lapic_set *set, uint64_t addr, uint32_t data);

/* [any] The wire to LINT0 of all APICs, and to the first CPU itself while its APIC is off. */
void lapic_set_lint0(struct lapic_set *set, bool level);

/* [vcpu] As after RESET; INIT keeps the ID and apic_base. */
void lapic_reset(struct lapic *lapic, bool init);

/* [vcpu] The memory-mapped page (only in xAPIC mode): 32-bit registers at 16-byte steps. */
uint32_t lapic_mmio_read(struct lapic *lapic, uint32_t off);
void lapic_mmio_write(struct lapic *lapic, uint32_t off, uint32_t value);
/* [vcpu] MSRs 0x800-0x8ff (only in x2APIC mode), 0x6e0 and 0x1b: 0, or -EINVAL for #GP(0). */
int lapic_msr_read(struct lapic *lapic, uint32_t msr, uint64_t *ret_value);
int lapic_msr_write(struct lapic *lapic, uint32_t msr, uint64_t value);
uint64_t lapic_base(const struct lapic *lapic); /* IA32_APIC_BASE */

/* [vcpu] CR8: the task priority class. */
uint8_t lapic_cr8(const struct lapic *lapic);
void lapic_set_cr8(struct lapic *lapic, uint8_t cr8);

/* [vcpu] Is an interrupt deliverable (IRR above PPR)? Its vector, LAPIC_EXTERNAL, or -1. Cheap. */
int lapic_pending(struct lapic *lapic);
/* [vcpu] Take it: moves it from IRR to ISR, or asks ops->external. The vector, or -1 if there is
 * none any more. */
int lapic_ack(struct lapic *lapic);

/* [vcpu] LAPIC_REQ_* that arrived; taken away by the call. *ret_sipi: vector of a SIPI. */
unsigned lapic_requests(struct lapic *lapic, uint8_t *ret_sipi);
/* [any] Are there any? */
bool lapic_has_requests(const struct lapic *lapic);

/* [vcpu] now_ns() has reached the deadline: fires, and sets the next one if periodic. */
void lapic_timer_expire(struct lapic *lapic);
/* [any] The deadline in now_ns() time, 0 if none. */
uint64_t lapic_timer_deadline(const struct lapic *lapic);

/* [vcpu] The register page in KVM_GET_LAPIC's form, IA32_APIC_BASE and the TSC deadline. The ID
 * stands as the mode has it (bits 31:24 in xAPIC mode, 31:0 in x2APIC mode); set_state does not take
 * it over, forgets requests, and cuts what cannot be. */
void lapic_get_state(struct lapic *lapic, uint8_t regs[X86_LAPIC_REGS], uint64_t *ret_tsc_deadline);
void lapic_set_state(struct lapic *lapic, const uint8_t regs[X86_LAPIC_REGS], uint64_t apic_base,
		     uint64_t tsc_deadline);

#endif
