/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * clock.c - the thread that interrupts running vCPUs when their APIC timer is due
 *
 * It sleeps until the earliest alarm. An alarm that is set later than that needs no wake-up: the
 * thread finds it when it looks around the next time. So a tick that is re-armed again and again
 * costs one wake-up for each tick, not one for each arming.
 */
#include "emu/clock.h"

#include <time.h>

#include "base/error.h"
#include "base/sys.h"
#include "base/thread.h"

struct clock_thread {
	struct cpu_engine *engine;
	struct thread *thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	_Atomic(uint64_t) wakes_ns; /* when the thread will look again; UINT64_MAX: when told */
	bool stop;                  /* under lock */
};

/* Fire what is due; when is the next one? */
static uint64_t look_around(struct cpu_engine *e)
{
	uint64_t now = sys_monotonic_ns(), next = UINT64_MAX;

	for (unsigned i = 0; i < e->config.cpus; i++) {
		struct vcpu *v = e->vcpu[i];
		uint64_t at = v ? atomic_load(&v->alarm_ns) : 0;

		if (!at)
			continue;
		if (at > now) {
			next = at < next ? at : next;
			continue;
		}
		/* It may have been set anew since; then it is looked at again. */
		if (atomic_compare_exchange_strong(&v->alarm_ns, &at, 0))
			emu_pend(v, PEND_TIMER);
		else if (at)
			next = at < next ? at : next;
	}
	return next;
}

static void clock_main(void *opaque)
{
	struct clock_thread *clock = opaque;

	pthread_mutex_lock(&clock->lock);
	while (!clock->stop) {
		uint64_t next;

		/* Whoever sets an alarm from here on sees UINT64_MAX and tells us. */
		atomic_store(&clock->wakes_ns, UINT64_MAX);
		next = look_around(clock->engine);
		atomic_store(&clock->wakes_ns, next);
		/* An alarm set between the look and the store waits for nobody: look again. */
		if (look_around(clock->engine) < next)
			continue;
		if (next == UINT64_MAX) {
			pthread_cond_wait(&clock->changed, &clock->lock);
		} else {
			struct timespec ts = { .tv_sec = (time_t)(next / 1000000000u),
					       .tv_nsec = (long)(next % 1000000000u) };

			pthread_cond_timedwait(&clock->changed, &clock->lock, &ts);
		}
	}
	pthread_mutex_unlock(&clock->lock);
}

struct clock_thread *clock_start(struct cpu_engine *engine, GError **error)
{
	struct clock_thread *clock = g_new0(struct clock_thread, 1);
	pthread_condattr_t attr;

	clock->engine = engine;
	pthread_mutex_init(&clock->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&clock->changed, &attr);
	pthread_condattr_destroy(&attr);
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
	pthread_mutex_lock(&clock->lock);
	clock->stop = true;
	pthread_cond_signal(&clock->changed);
	pthread_mutex_unlock(&clock->lock);
	thread_join(clock->thread);
	pthread_cond_destroy(&clock->changed);
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

	atomic_store(&v->alarm_ns, when_ns);
	if (!when_ns || when_ns >= atomic_load(&clock->wakes_ns))
		return;
	pthread_mutex_lock(&clock->lock);
	pthread_cond_signal(&clock->changed);
	pthread_mutex_unlock(&clock->lock);
}
