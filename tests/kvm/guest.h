/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guest.h - a tiny machine around the KVM engine, for the guests of code.S
 *
 * RAM at 0 and at 4 GiB, page tables, an IDT whose gates lead to the handlers of code.S; one device
 * that writes down what the guest does to LOG_PORT and MMIO, and a port that ends a vCPU's run.
 */
#ifndef GUEST_H
#define GUEST_H

#include <glib.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/thread.h"
#include "code.h"
#include "cpu/cpu.h"

enum {
	GUEST_CPUS = 2,
	GUEST_LOG = 64,
	GUEST_TIMEOUT_MS = 20000
};

struct guest_access {
	bool mmio, write;
	uint64_t off;
	unsigned size;
	uint64_t value;
};

struct guest;

struct guest_cpu {
	struct guest *guest;
	struct vcpu *vcpu;
	struct thread *thread;
	enum cpu_exit exit;
	atomic_bool stop;  /* come back at the next kick */
	atomic_bool ended; /* the guest wrote to DONE_PORT */
	atomic_bool returned;
};

struct guest {
	struct mem *mem;
	struct io_space *pio, *mmio;
	struct cpu_engine *engine;
	struct irq_sink *sink;
	struct io_range log, done, device;
	struct guest_cpu cpu[GUEST_CPUS];
	pthread_mutex_t lock; /* guards what follows */
	unsigned count;
	struct guest_access access[GUEST_LOG];
	atomic_uint ready;      /* times that READY was written to LOG_PORT */
	atomic_uint read_value; /* what LOG_PORT reads as */
};

/* Can KVM be used at all? Else ends the process with status 77 and a reason. */
void guest_need_kvm(void);

struct guest *guest_new(unsigned cpus);
void guest_free(struct guest *guest);
DEFINE_AUTOPTR(guest, guest_free);

/* Put vCPU 0 at @entry of code.S, in long mode. *state is a copy of what was set, if not NULL. */
void guest_enter(struct guest *guest, const uint8_t *entry, struct x86_state *state);

/* Run a vCPU in a thread of its own until it ends, and wait for that. */
void guest_start(struct guest *guest, unsigned cpu);
enum cpu_exit guest_wait(struct guest *guest, unsigned cpu);
/* guest_start(), guest_wait() of vCPU 0; it must have come to DONE_PORT. */
void guest_run(struct guest *guest);
/* Let the vCPU come back with CPU_EXIT_KICKED. */
void guest_stop(struct guest *guest, unsigned cpu);
/* Wait until the guest has written READY for the nth time. */
void guest_wait_ready(struct guest *guest, unsigned nth);

void *guest_ptr(struct guest *guest, uint64_t gpa);
uint32_t guest_read32(struct guest *guest, uint64_t gpa);

extern const uint8_t guest_code[], guest_end[], guest_ap[], guest_ap_end[];
extern const uint8_t guest_io[], guest_timer[], guest_wait_irq[], guest_notify[], guest_dirty[],
	guest_state[], guest_spin[], guest_chatter[], guest_smp[], guest_triple[], guest_internal[],
	guest_unknown[];
extern const uint8_t guest_on_nmi[], guest_on_timer[], guest_on_line[], guest_on_msi[],
	guest_on_msi2[];

#endif
