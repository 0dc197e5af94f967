/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * clock.c - the thread that interrupts running vCPUs when their APIC timer is due
 *
 * It sleeps until the earliest alarm. An alarm that is set later than that needs no wake-up: the
 * thread finds it when it looks around the next time. And after an alarm the next one is expected as
 * much later as this one came after the one before; so a tick, which the guest arms only when the
 * last one has arrived, costs one wake-up for each tick, and the vCPU need not tell.
 */
#include "emu/clock.h"

#include "base/error.h"
#include "base/sys.h"
#include "base/thread.h"

enum {
	TICK_MAX_NS = 20000000, /* no ticks are further apart */
	LATE_NS = 10000,        /* ticks are not exact, and no thread wakes up sooner */
};

struct clock_thread {
	struct cpu_engine *engine;
	struct thread *thread;
	pthread_mutex_t lock; /* the engine's table of vCPUs; what is marked [clock] in them */
	atomic_uint told;     /* changes when somebody tells */
	_Atomic(uint64_t) wakes_ns; /* when the thread will look again; UINT64_MAX: when told */
	atomic_bool stop;
};

/* The alarm of @at_ns is given; there may be another. */
static void expect_next(struct vcpu *v, uint64_t at_ns)
{
	uint64_t period = at_ns - v->alarm_last_ns;

	v->alarm_last_ns = at_ns;
	v->alarm_next_ns = period <= TICK_MAX_NS ? at_ns + period : 0;
}

/* Fire what is due; when is the next one? */
static uint64_t look_around(struct clock_thread *clock)
{
	struct cpu_engine *e = clock->engine;
	uint64_t now = sys_monotonic_ns(), next = UINT64_MAX;

	pthread_mutex_lock(&clock->lock);
	for (unsigned i = 0; i < e->config.cpus; i++) {
		struct vcpu *v = e->vcpu[i];
		uint64_t at = v ? atomic_load(&v->alarm_ns) : 0;

		/* It may have been set anew since; then it is looked at again. */
		if (at && at <= now && atomic_compare_exchange_strong(&v->alarm_ns, &at, 0)) {
			expect_next(v, at);
			emu_pend(v, PEND_TIMER);
			at = 0;
		}
		if (v && !at && v->alarm_next_ns > now)
			at = v->alarm_next_ns;
		if (at)
			next = MIN(next, at);
	}
	pthread_mutex_unlock(&clock->lock);
	return next;
}

static void clock_main(void *opaque)
{
	struct clock_thread *clock = opaque;

	while (!atomic_load(&clock->stop)) {
		unsigned told = atomic_load(&clock->told);
		uint64_t next, now;

		/* Whoever sets an alarm from here on sees UINT64_MAX and tells us. */
		atomic_store(&clock->wakes_ns, UINT64_MAX);
		next = look_around(clock);
		atomic_store(&clock->wakes_ns, next);
		/* An alarm set between the look and the store waits for nobody: look again. */
		if (look_around(clock) < next)
			continue;
		now = sys_monotonic_ns();
		if (next == UINT64_MAX)
			sys_futex_wait(&clock->told, told, UINT64_MAX);
		else if (next > now)
			sys_futex_wait(&clock->told, told, next - now);
	}
}

static void tell(struct clock_thread *clock)
{
	atomic_fetch_add(&clock->told, 1);
	sys_futex_wake(&clock->told);
}

struct clock_thread *clock_start(struct cpu_engine *engine, GError **error)
{
	struct clock_thread *clock = g_new0(struct clock_thread, 1);

	clock->engine = engine;
	pthread_mutex_init(&clock->lock, NULL);
	atomic_store(&clock->wakes_ns, UINT64_MAX);
	clock->thread = thread_start("emu-clock", clock_main, clock, error);
	if (!clock->thread) {
		clock_stop(clock);
		return NULL;
	}
	return clock;
}

void clock_stop(struct clock_thread *clock)
{
	if (!clock)
		return;
	atomic_store(&clock->stop, true);
	tell(clock);
	thread_join(clock->thread);
	pthread_mutex_destroy(&clock->lock);
	g_free(clock);
}

void clock_adopt(struct vcpu *v)
{
	struct cpu_engine *e = v->engine;

	pthread_mutex_lock(&e->clock->lock);
	e->vcpu[v->index] = v;
	pthread_mutex_unlock(&e->clock->lock);
}

void clock_forget(struct vcpu *v)
{
	struct cpu_engine *e = v->engine;

	pthread_mutex_lock(&e->clock->lock);
	if (e->vcpu[v->index] == v)
		e->vcpu[v->index] = NULL;
	pthread_mutex_unlock(&e->clock->lock);
}

void clock_alarm(struct vcpu *v, uint64_t when_ns)
{
	struct clock_thread *clock = v->engine->clock;
	uint64_t wakes_ns;

	atomic_store(&v->alarm_ns, when_ns);
	if (!when_ns)
		return;
	wakes_ns = atomic_load(&clock->wakes_ns);
	if (wakes_ns == UINT64_MAX || when_ns + LATE_NS < wakes_ns)
		tell(clock);
}
