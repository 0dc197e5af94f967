/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * run.h - the threads of a machine's vCPUs: letting them run, stopping them, hearing from them
 *
 * Threads: as marked; all else on the main loop.
 */
#ifndef MACHINE_RUN_H
#define MACHINE_RUN_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "cpu/cpu.h"
#include "dev/clock.h"
#include "machine/machine.h"

struct run;

/* Reasons for which no vCPU may execute. Each is set and taken back by itself. */
enum run_hold {
	RUN_HOLD_START = 1 << 0,   /* not started yet */
	RUN_HOLD_PAUSED = 1 << 1,  /* the user wants it */
	RUN_HOLD_STOPPED = 1 << 2, /* the guest's life is over */
	RUN_HOLD_REQUEST = 1 << 3, /* the main loop has to do something first */
	RUN_HOLD_BRIEF = 1 << 4,   /* the main loop does something in between */
	RUN_HOLD_EJECT = 1 << 5,   /* the guest let a device go: the main loop takes it out */
	RUN_HOLD_RESET = 1 << 6,   /* a reset waits for devices */
};

struct run_config {
	const struct cpu_ops *ops;
	struct cpu_engine *engine;
	unsigned cpus;
	struct dev_clock *clock;
	/* [main] A vCPU asked for something, or ended. None executes: RUN_HOLD_REQUEST is set and
	 * must be released when it is done. The struct run may be freed by it. */
	void (*requested)(void *opaque, const struct machine_event *event);
	void *opaque;
};

/* Makes the vCPUs, not yet their threads. All that it is given must outlive it. */
struct run *run_new(const struct run_config *config, GError **error);
/* Ends the threads and frees the vCPUs. */
void run_free(struct run *run);
DEFINE_AUTOPTR(run, run_free);

/* Start the threads. They execute once nothing holds them. */
bool run_start(struct run *run, GError **error);

/* Set reasons of enum run_hold, and wait until no vCPU executes. */
void run_hold(struct run *run, unsigned reasons);
void run_release(struct run *run, unsigned reasons);
/* [any] Set reasons without waiting. A vCPU that does it inside an access of the guest is stopped
 * behind it. */
void run_hold_soon(struct run *run, unsigned reasons);
/* [any] The reasons there are. */
unsigned run_held(struct run *run);

/* [any] Stop all vCPUs and let the main loop call requested(), once: until then, others that ask
 * are not heard. A vCPU that asks from inside an access of the guest is stopped behind it. */
void run_request(struct run *run, enum machine_event_kind kind, uint8_t status);
/* Forget a request that requested() was not called for yet. None may be executing. */
void run_forget_request(struct run *run);

struct vcpu *run_vcpu(const struct run *run, unsigned cpu);
/* The host's number of its thread, 0 before run_start(). */
int run_thread_id(const struct run *run, unsigned cpu);

#endif
