/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * clock.h - the thread that interrupts running vCPUs when their APIC timer is due
 *
 * A vCPU that sleeps in HLT waits with a time limit of its own; this is for those that execute.
 * They set vcpu.alarm_ns and call clock_alarm(); at that time PEND_TIMER is set.
 *
 * Threads: clock_alarm() from the vCPU's own; the others from the main loop.
 */
#ifndef EMU_CLOCK_H
#define EMU_CLOCK_H

#include "emu/emu-int.h"

struct clock_thread *clock_start(struct cpu_engine *engine, GError **error);
void clock_stop(struct clock_thread *clock);
/* The vCPU is complete: puts it into the engine's table, where the thread finds it. */
void clock_adopt(struct vcpu *v);
/* The vCPU goes: takes it out of the engine's table, after which nobody looks at it. */
void clock_forget(struct vcpu *v);
/* The vCPU's alarm is @when_ns (CLOCK_MONOTONIC) from now on; 0: none. */
void clock_alarm(struct vcpu *v, uint64_t when_ns);

#endif
