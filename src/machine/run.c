/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * run.c - the threads of a machine's vCPUs
 *
 * Each thread executes its vCPU while there is no reason not to (enum run_hold). The main loop sets
 * reasons and waits until all are parked; a vCPU never waits for the main loop, so that this ends.
 * What a guest asks for in an access (power-off, reset) runs on its vCPU's thread: there it is only
 * written down, all are kicked, and the main loop is woken to do it.
 *
 *  (1) executing counts the vCPUs whose thread is between its look at hold and its return from
 *      vcpu_run(), both under the lock. Hence: hold set and executing 0 = nobody executes guest
 *      code before hold is clear again.
 *  (2) A vCPU that counts has been kicked after hold was set. A kick that comes before vcpu_run()
 *      is remembered by the engine; one that comes after it ends the next run early, which is
 *      harmless.
 *  (3) has_request implies RUN_HOLD_REQUEST. Only vCPUs make requests, so while requested() is
 *      being called there are no new ones.
 */
#include "machine/run.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>

#include "base/error.h"
#include "base/thread.h"

struct run_cpu {
	struct run *run;
	unsigned index;
	struct vcpu *vcpu;
	struct thread *thread;
	int thread_id;
	bool executing;
};

struct run {
	struct run_config config;
	struct dev_timer *bell;

	pthread_mutex_t lock; /* guards all below, and what changes in cpu[] */
	pthread_cond_t go;    /* hold became 0, or quit */
	pthread_cond_t came;  /* executing became 0, or a thread has started */
	unsigned hold;
	unsigned executing;
	unsigned started;
	bool quit;
	bool has_request;
	struct machine_event request;

	struct run_cpu cpu[];
};

/* Which vCPU's thread this is. */
static _Thread_local const struct run_cpu *self;

static void kick_all_locked(struct run *run)
{
	for (unsigned i = 0; i < run->config.cpus; i++) {
		if (run->cpu[i].executing)
			run->config.ops->vcpu_kick(run->cpu[i].vcpu);
	}
}

static void wait_parked_locked(struct run *run)
{
	while (run->executing)
		pthread_cond_wait(&run->came, &run->lock);
}

static void request_locked(struct run *run, enum machine_event_kind kind, uint8_t status)
{
	if (run->has_request || (run->hold & (RUN_HOLD_STOPPED | RUN_HOLD_REQUEST)))
		return;
	run->has_request = true;
	run->request = (struct machine_event){
		.kind = kind,
		.cpu = self && self->run == run ? self->index : 0,
		.status = status,
	};
	run->hold |= RUN_HOLD_REQUEST;
	kick_all_locked(run);
	dev_timer_set(run->bell, 0);
}

void run_request(struct run *run, enum machine_event_kind kind, uint8_t status)
{
	pthread_mutex_lock(&run->lock);
	request_locked(run, kind, status);
	pthread_mutex_unlock(&run->lock);
}

void run_forget_request(struct run *run)
{
	pthread_mutex_lock(&run->lock);
	assert(run->executing == 0);
	run->has_request = false;
	run->hold &= ~(unsigned)RUN_HOLD_REQUEST;
	if (!run->hold)
		pthread_cond_broadcast(&run->go);
	pthread_mutex_unlock(&run->lock);
}

/* On the main loop. */
static void run_bell(void *opaque)
{
	struct run *run = opaque;
	struct machine_event event;
	bool any;

	pthread_mutex_lock(&run->lock);
	any = run->has_request;
	if (any) {
		wait_parked_locked(run);
		event = run->request;
		run->has_request = false;
		if (event.kind == MACHINE_FAILED)
			event.text = run->config.ops->vcpu_failure(run->cpu[event.cpu].vcpu);
	}
	pthread_mutex_unlock(&run->lock);
	if (any)
		run->config.requested(run->config.opaque, &event);
}

/* Execute until kicked, with the lock held before and after. */
static void execute_locked(struct run_cpu *cpu)
{
	struct run *run = cpu->run;
	enum cpu_exit reason;

	cpu->executing = true;
	run->executing++;
	pthread_mutex_unlock(&run->lock);
	reason = run->config.ops->vcpu_run(cpu->vcpu);
	pthread_mutex_lock(&run->lock);
	cpu->executing = false;
	if (--run->executing == 0)
		pthread_cond_signal(&run->came);
	if (reason == CPU_EXIT_SHUTDOWN)
		request_locked(run, MACHINE_CRASH, 0);
	else if (reason == CPU_EXIT_FAILED)
		request_locked(run, MACHINE_FAILED, 0);
}

static void vcpu_main(void *arg)
{
	struct run_cpu *cpu = arg;
	struct run *run = cpu->run;

	self = cpu;
	pthread_mutex_lock(&run->lock);
	cpu->thread_id = thread_id_self();
	run->started++;
	pthread_cond_signal(&run->came);
	while (!run->quit) {
		if (run->hold)
			pthread_cond_wait(&run->go, &run->lock);
		else
			execute_locked(cpu);
	}
	pthread_mutex_unlock(&run->lock);
}

struct run *run_new(const struct run_config *config, GError **error)
{
	struct run *run = g_malloc0(sizeof(*run) + config->cpus * sizeof(run->cpu[0]));

	run->config = *config;
	run->hold = RUN_HOLD_START;
	pthread_mutex_init(&run->lock, NULL);
	pthread_cond_init(&run->go, NULL);
	pthread_cond_init(&run->came, NULL);
	run->bell = dev_timer_new(config->clock, run_bell, run);
	for (unsigned i = 0; i < config->cpus; i++) {
		run->cpu[i].run = run;
		run->cpu[i].index = i;
		run->cpu[i].vcpu = config->ops->vcpu_new(config->engine, i, error);
		if (!run->cpu[i].vcpu) {
			run_free(run);
			return NULL;
		}
	}
	return run;
}

void run_free(struct run *run)
{
	if (!run)
		return;
	pthread_mutex_lock(&run->lock);
	run->quit = true;
	run->hold |= RUN_HOLD_STOPPED;
	kick_all_locked(run);
	pthread_cond_broadcast(&run->go);
	pthread_mutex_unlock(&run->lock);
	for (unsigned i = 0; i < run->config.cpus; i++)
		thread_join(run->cpu[i].thread);
	for (unsigned i = 0; i < run->config.cpus; i++) {
		if (run->cpu[i].vcpu)
			run->config.ops->vcpu_free(run->cpu[i].vcpu);
	}
	dev_timer_free(run->bell);
	pthread_cond_destroy(&run->came);
	pthread_cond_destroy(&run->go);
	pthread_mutex_destroy(&run->lock);
	g_free(run);
}

bool run_start(struct run *run, GError **error)
{
	for (unsigned i = 0; i < run->config.cpus; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "vcpu%u", i);
		run->cpu[i].thread = thread_start(name, vcpu_main, &run->cpu[i], error);
		if (!run->cpu[i].thread)
			return false;
	}
	pthread_mutex_lock(&run->lock);
	while (run->started < run->config.cpus)
		pthread_cond_wait(&run->came, &run->lock);
	pthread_mutex_unlock(&run->lock);
	run_release(run, RUN_HOLD_START);
	return true;
}

void run_hold(struct run *run, unsigned reasons)
{
	pthread_mutex_lock(&run->lock);
	run->hold |= reasons;
	kick_all_locked(run);
	wait_parked_locked(run);
	pthread_mutex_unlock(&run->lock);
}

void run_hold_soon(struct run *run, unsigned reasons)
{
	pthread_mutex_lock(&run->lock);
	run->hold |= reasons;
	kick_all_locked(run);
	pthread_mutex_unlock(&run->lock);
}

void run_release(struct run *run, unsigned reasons)
{
	pthread_mutex_lock(&run->lock);
	run->hold &= ~reasons;
	if (!run->hold)
		pthread_cond_broadcast(&run->go);
	pthread_mutex_unlock(&run->lock);
}

unsigned run_held(struct run *run)
{
	unsigned hold;

	pthread_mutex_lock(&run->lock);
	hold = run->hold;
	pthread_mutex_unlock(&run->lock);
	return hold;
}

struct vcpu *run_vcpu(const struct run *run, unsigned cpu)
{
	return run->cpu[cpu].vcpu;
}

int run_thread_id(const struct run *run, unsigned cpu)
{
	/* Written before run_start() returned. */
	return run->cpu[cpu].thread_id;
}
