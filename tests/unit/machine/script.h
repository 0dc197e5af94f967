/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * script.h - a machine whose engine executes a script instead of guest code, and whose loader does
 * not load
 *
 * Each vCPU has a list of steps, which go on where they stopped, also after a reset. When there are
 * none left it idles until kicked.
 */
#ifndef TESTS_UNIT_MACHINE_SCRIPT_H
#define TESTS_UNIT_MACHINE_SCRIPT_H

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "machine/boot.h"
#include "machine/machine.h"

enum {
	CPUS = 4,
	STEPS = 8,
	RIP_RESET = 0xfff0,
	RIP_KERNEL = 0x1000000
};

enum step_kind {
	STEP_NONE,
	STEP_OUT,      /* a byte */
	STEP_OUT32,    /* 32 bits */
	STEP_OUT_IDLE, /* a byte, and wait for a kick before the access is over */
	STEP_SHUTDOWN,
	STEP_FAIL,
	STEP_AGAIN, /* from the first step */
};

struct step {
	enum step_kind kind;
	uint16_t port;
	uint32_t value;
};

struct vcpu {
	struct cpu_engine *engine;
	unsigned index;
	bool kicked, running;
	unsigned next, done; /* steps */
	struct x86_state state;
};

struct cpu_engine {
	struct irq_sink sink;
	struct cpu_config config;
	pthread_mutex_t lock;
	pthread_cond_t cond; /* a kick, a step done */
	struct cpu_chip_state chips;
	bool level[24];
	unsigned rises[24];
	unsigned notifies; /* that are set */
	struct vcpu vcpu[CPUS];
};

/* The engine of the test that runs; scripts are written before it is started. */
static struct {
	struct cpu_engine *engine;
	struct step script[CPUS][STEPS];
	int fail_vcpu; /* vcpu_new() of this number fails, and get_state() of ... */
	bool fail_open, fail_get, fail_load;
	unsigned vcpus, loads;
} test;

static void sink_set_line(struct irq_sink *sink, unsigned gsi, bool level)
{
	struct cpu_engine *engine = container_of(sink, struct cpu_engine, sink);

	g_assert_cmpuint(gsi, <, 24);
	engine->rises[gsi] += level && !engine->level[gsi];
	engine->level[gsi] = level;
}

static const struct irq_sink_ops sink_ops = { .set_line = sink_set_line };

static struct cpu_engine *script_open(const struct cpu_config *config, GError **error)
{
	if (test.fail_open) {
		error_set(error, SOCLE_ERROR_UNSUPPORTED, "no such luck");
		return NULL;
	}
	g_assert_cmpuint(config->cpus, <=, CPUS);
	g_assert_cmpuint(mem_size(config->mem), >, 0);
	test.engine = g_new0(struct cpu_engine, 1);
	test.engine->config = *config;
	test.engine->sink.ops = &sink_ops;
	pthread_mutex_init(&test.engine->lock, NULL);
	pthread_cond_init(&test.engine->cond, NULL);
	return test.engine;
}

static void script_close(struct cpu_engine *engine)
{
	if (!engine)
		return;
	g_assert_cmpuint(test.vcpus, ==, 0);
	g_assert_cmpuint(engine->notifies, ==, 0);
	pthread_mutex_destroy(&engine->lock);
	pthread_cond_destroy(&engine->cond);
	g_free(engine);
	test.engine = NULL;
}

static struct irq_sink *script_irq_sink(struct cpu_engine *engine)
{
	return &engine->sink;
}

static int script_notify(struct cpu_engine *engine, const struct io_notify *notify, bool on)
{
	(void)notify;
	engine->notifies += on ? 1 : -1u;
	return 0;
}

static int script_get_chips(struct cpu_engine *engine, struct cpu_chip_state *ret_state)
{
	*ret_state = engine->chips;
	return 0;
}

static int script_set_chips(struct cpu_engine *engine, const struct cpu_chip_state *state)
{
	engine->chips = *state;
	return 0;
}

static struct vcpu *script_vcpu_new(struct cpu_engine *engine, unsigned index, GError **error)
{
	struct vcpu *vcpu = &engine->vcpu[index];

	if (test.fail_vcpu == (int)index) {
		error_set(error, SOCLE_ERROR_LIMIT, "no more vCPUs");
		return NULL;
	}
	test.vcpus++;
	*vcpu = (struct vcpu){ .engine = engine, .index = index };
	vcpu->state.rip = RIP_RESET;
	vcpu->state.run_state = index ? X86_WAIT_FOR_SIPI : X86_RUNNABLE;
	put_le32(vcpu->state.lapic + 0x20, index << 24);
	return vcpu;
}

static void script_vcpu_free(struct vcpu *vcpu)
{
	g_assert_false(vcpu->running);
	test.vcpus--;
}

static void idle_locked(struct vcpu *vcpu)
{
	while (!vcpu->kicked)
		pthread_cond_wait(&vcpu->engine->cond, &vcpu->engine->lock);
}

static enum cpu_exit step_locked(struct vcpu *vcpu)
{
	struct cpu_engine *engine = vcpu->engine;
	const struct step *step = &test.script[vcpu->index][vcpu->next];

	if (step->kind == STEP_NONE || step->kind == STEP_AGAIN) {
		if (step->kind == STEP_NONE)
			idle_locked(vcpu);
		else
			vcpu->next = 0;
		return CPU_EXIT_KICKED;
	}
	vcpu->next++;
	if (step->kind <= STEP_OUT_IDLE) {
		pthread_mutex_unlock(&engine->lock);
		io_write(engine->config.pio, step->port, step->kind == STEP_OUT32 ? 4 : 1,
			 step->value);
		pthread_mutex_lock(&engine->lock);
	}
	if (step->kind == STEP_OUT_IDLE)
		idle_locked(vcpu);
	vcpu->done++;
	pthread_cond_broadcast(&engine->cond);
	if (step->kind == STEP_SHUTDOWN)
		return CPU_EXIT_SHUTDOWN;
	return step->kind == STEP_FAIL ? CPU_EXIT_FAILED : CPU_EXIT_KICKED;
}

static enum cpu_exit script_vcpu_run(struct vcpu *vcpu)
{
	enum cpu_exit reason = CPU_EXIT_KICKED;

	pthread_mutex_lock(&vcpu->engine->lock);
	g_assert_false(vcpu->running);
	vcpu->running = true;
	while (!vcpu->kicked && reason == CPU_EXIT_KICKED)
		reason = step_locked(vcpu);
	vcpu->kicked = false;
	vcpu->running = false;
	pthread_mutex_unlock(&vcpu->engine->lock);
	return reason;
}

static void script_vcpu_kick(struct vcpu *vcpu)
{
	pthread_mutex_lock(&vcpu->engine->lock);
	vcpu->kicked = true;
	pthread_cond_broadcast(&vcpu->engine->cond);
	pthread_mutex_unlock(&vcpu->engine->lock);
}

static const char *script_vcpu_failure(struct vcpu *vcpu)
{
	g_assert_false(vcpu->running);
	return "the script says so";
}

static int script_get_state(struct vcpu *vcpu, struct x86_state *ret_state)
{
	g_assert_false(vcpu->running);
	if (test.fail_get)
		return -EIO;
	*ret_state = vcpu->state;
	return 0;
}

static int script_set_state(struct vcpu *vcpu, const struct x86_state *state)
{
	g_assert_false(vcpu->running);
	vcpu->state = *state;
	return 0;
}

static void script_vcpu_stats(struct vcpu *vcpu, struct cpu_stats *ret_stats)
{
	*ret_stats = (struct cpu_stats){ .instructions = vcpu->done };
}

static const struct cpu_ops script_ops = {
	.name = "script",
	.open = script_open,
	.close = script_close,
	.irq_sink = script_irq_sink,
	.notify = script_notify,
	.get_chips = script_get_chips,
	.set_chips = script_set_chips,
	.vcpu_new = script_vcpu_new,
	.vcpu_free = script_vcpu_free,
	.vcpu_run = script_vcpu_run,
	.vcpu_kick = script_vcpu_kick,
	.vcpu_failure = script_vcpu_failure,
	.vcpu_get_state = script_get_state,
	.vcpu_set_state = script_set_state,
	.vcpu_stats = script_vcpu_stats,
};

/* In place of the boot loaders. */
bool boot_load(struct boot *boot, struct mem *mem, const struct memmap *map, uint64_t rsdp,
	       struct x86_state *state, GError **error)
{
	char signature[8];

	(void)boot;
	g_assert_cmpint(mem_read(mem, rsdp, signature, sizeof(signature)), ==, 0);
	g_assert_cmpmem(signature, 8, "RSD PTR ", 8);
	g_assert_cmpuint(map->count, ==, 4);
	g_assert_cmphex(state->rip, ==, RIP_RESET);
	if (test.fail_load)
		return error_set(error, SOCLE_ERROR_CORRUPT, "the kernel has gone");
	state->rip = RIP_KERNEL;
	test.loads++;
	return true;
}

#endif
