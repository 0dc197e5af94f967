/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "script.h"

struct fixture {
	struct machine *machine;
	GArray *events; /* but for those that answer the user: */
	unsigned user_resets, quiet;
	GString *texts;
	bool free_it;
};

static void on_event(void *opaque, const struct machine_event *event)
{
	struct fixture *f = opaque;

	f->quiet += event->kind == MACHINE_QUIET;
	f->user_resets += event->kind == MACHINE_RESET && !event->guest;
	if (event->kind == MACHINE_QUIET || (event->kind == MACHINE_RESET && !event->guest))
		return;
	g_array_append_val(f->events, *event);
	if (event->text)
		g_string_append(f->texts, event->text);
	if (f->free_it)
		g_clear_pointer(&f->machine, machine_free);
}

static struct machine_config default_config(struct fixture *f)
{
	static char boot;

	return (struct machine_config){
		.engine = &script_ops,
		.cpus = CPUS,
		.memory = 16 << 20,
		.boot = (struct boot *)(void *)&boot, /* the loader above does not look */
		.debug_exit = true,
		.event = on_event,
		.opaque = f,
	};
}

static void setup(struct fixture *f, const void *data)
{
	(void)data;
	memset(&test, 0, sizeof(test));
	test.fail_vcpu = -1;
	f->events = g_array_new(FALSE, FALSE, sizeof(struct machine_event));
	f->texts = g_string_new(NULL);
}

static void teardown(struct fixture *f, const void *data)
{
	(void)data;
	machine_free(f->machine);
	while (g_main_context_iteration(NULL, FALSE))
		;
	g_assert_null(test.engine);
	g_array_unref(f->events);
	g_string_free(f->texts, TRUE);
}

static void make(struct fixture *f, const struct machine_config *config)
{
	g_autoptr(GError) error = NULL;

	f->machine = machine_new(config, &error);
	g_assert_no_error(error);
	g_assert_cmpint(machine_status(f->machine), ==, MACHINE_PRELAUNCH);
}

static void start(struct fixture *f)
{
	g_autoptr(GError) error = NULL;

	g_assert_true(machine_start(f->machine, &error));
	g_assert_no_error(error);
}

static const struct machine_event *event(struct fixture *f, unsigned n)
{
	while (f->events->len <= n)
		g_main_context_iteration(NULL, TRUE);
	return &g_array_index(f->events, struct machine_event, n);
}

/* Wait until vCPU @cpu has done @steps. */
static void wait_done(unsigned cpu, unsigned steps)
{
	pthread_mutex_lock(&test.engine->lock);
	while (test.engine->vcpu[cpu].done < steps)
		pthread_cond_wait(&test.engine->cond, &test.engine->lock);
	pthread_mutex_unlock(&test.engine->lock);
}

static unsigned steps_done(unsigned cpu)
{
	unsigned done;

	pthread_mutex_lock(&test.engine->lock);
	done = test.engine->vcpu[cpu].done;
	pthread_mutex_unlock(&test.engine->lock);
	return done;
}

static void assert_parked(void)
{
	pthread_mutex_lock(&test.engine->lock);
	for (unsigned i = 0; i < test.engine->config.cpus; i++)
		g_assert_false(test.engine->vcpu[i].running);
	pthread_mutex_unlock(&test.engine->lock);
}

static void no_more_events(struct fixture *f, unsigned count)
{
	while (g_main_context_iteration(NULL, FALSE))
		;
	g_assert_cmpuint(f->events->len, ==, count);
}

#define POWER_OFF                                         \
	{                                                 \
		STEP_OUT, 0x605, (5 << 10 | 1 << 13) >> 8 \
	}
#define RESET                         \
	{                             \
		STEP_OUT, 0xcf9, 0x06 \
	}
#define KBC_RESET                    \
	{                            \
		STEP_OUT, 0x64, 0xfe \
	}

static void test_power_off(struct fixture *f, const void *data)
{
	struct machine_config config = default_config(f);

	(void)data;
	/* What follows the power-off is not executed. */
	test.script[2][0] = (struct step)POWER_OFF;
	test.script[2][1] = (struct step)RESET;
	make(f, &config);
	g_assert_cmpuint(test.loads, ==, 1);
	g_assert_cmphex(test.engine->vcpu[0].state.rip, ==, RIP_KERNEL);
	start(f);
	g_assert_cmpint(event(f, 0)->kind, ==, MACHINE_POWEROFF);
	g_assert_cmpuint(event(f, 0)->cpu, ==, 2);
	g_assert_cmpint(machine_status(f->machine), ==, MACHINE_STOPPED);
	assert_parked();
	no_more_events(f, 1);
	g_assert_cmpuint(test.engine->vcpu[2].done, ==, 1);
	/* Only a reset brings it back. */
	machine_resume(f->machine);
	g_assert_cmpint(machine_status(f->machine), ==, MACHINE_STOPPED);
}

static void test_reset(struct fixture *f, const void *data)
{
	struct machine_config config = default_config(f);

	test.script[1][0] = data ? (struct step)KBC_RESET : (struct step)RESET;
	test.script[1][1] = (struct step)POWER_OFF;
	make(f, &config);
	/* As the guest left it. */
	for (unsigned i = 0; i < CPUS; i++) {
		test.engine->vcpu[i].state.rip = 0x1234;
		test.engine->vcpu[i].state.run_state = X86_HALTED;
		put_le32(test.engine->vcpu[i].state.lapic + 0x20, 0x55);
	}
	test.engine->chips.ioapic_redir[4] = 0x34;
	test.engine->chips.clock_ns = 5;
	g_assert_cmpint(mem_write(machine_mem(f->machine), 0xe0000, "\xcc", 1), ==, 0);
	start(f);
	g_assert_cmpint(event(f, 0)->kind, ==, MACHINE_RESET);
	g_assert_cmpuint(event(f, 0)->cpu, ==, 1);
	g_assert_cmpint(event(f, 1)->kind, ==, MACHINE_POWEROFF);
	g_assert_cmpuint(test.loads, ==, 2);
	g_assert_cmphex(test.engine->vcpu[0].state.rip, ==, RIP_KERNEL);
	for (unsigned i = 0; i < CPUS; i++) {
		const struct x86_state *state = &test.engine->vcpu[i].state;

		g_assert_cmphex(state->rip, ==, i ? RIP_RESET : RIP_KERNEL);
		g_assert_cmpint(state->run_state, ==, i ? X86_WAIT_FOR_SIPI : X86_RUNNABLE);
		g_assert_cmphex(get_le32(state->lapic + 0x20), ==, i << 24);
	}
	g_assert_cmphex(test.engine->chips.ioapic_redir[4], ==, 0);
	g_assert_cmphex(test.engine->chips.clock_ns, ==, 5);
}

static void test_no_reboot(struct fixture *f, const void *data)
{
	struct machine_config config = default_config(f);
	g_autoptr(GError) error = NULL;

	(void)data;
	config.no_reboot = true;
	test.script[0][0] = (struct step)RESET;
	test.script[0][1] = (struct step){ STEP_OUT, 0xf4, 0x21 };
	make(f, &config);
	start(f);
	g_assert_cmpint(event(f, 0)->kind, ==, MACHINE_RESET);
	g_assert_cmpint(machine_status(f->machine), ==, MACHINE_STOPPED);
	g_assert_cmpuint(test.loads, ==, 1);
	g_assert_cmpuint(test.engine->vcpu[0].done, ==, 1);
	/* The user may. */
	g_assert_true(machine_reset(f->machine, &error));
	g_assert_cmpint(machine_status(f->machine), ==, MACHINE_RUNNING);
	g_assert_cmpuint(f->user_resets, ==, 1);
	g_assert_cmpint(event(f, 1)->kind, ==, MACHINE_DEBUG_EXIT);
	g_assert_cmphex(event(f, 1)->status, ==, 0x21);
}

/* All ask at once: one is heard. */
static void test_once(struct fixture *f, const void *data)
{
	struct machine_config config = default_config(f);

	(void)data;
	for (unsigned i = 0; i < CPUS; i++)
		test.script[i][0] = (struct step){ STEP_OUT_IDLE, 0xf4, (uint8_t)(0x10 + i) };
	make(f, &config);
	start(f);
	g_assert_cmpint(event(f, 0)->kind, ==, MACHINE_DEBUG_EXIT);
	g_assert_cmphex(event(f, 0)->status, ==, 0x10 + event(f, 0)->cpu);
	no_more_events(f, 1);
}

static void test_no_debug_exit(struct fixture *f, const void *data)
{
	struct machine_config config = default_config(f);

	(void)data;
	config.debug_exit = false;
	test.script[0][0] = (struct step){ STEP_OUT, 0xf4, 1 };
	test.script[0][1] = (struct step)POWER_OFF;
	make(f, &config);
	start(f);
	g_assert_cmpint(event(f, 0)->kind, ==, MACHINE_POWEROFF);
}

static void test_crash(struct fixture *f, const void *data)
{
	struct machine_config config = default_config(f);
	g_autofree struct x86_state *state = g_new(struct x86_state, 1);
	g_autoptr(GError) error = NULL;

	(void)data;
	test.script[3][0].kind = STEP_SHUTDOWN;
	test.script[3][1].kind = STEP_FAIL;
	make(f, &config);
	test.engine->vcpu[3].state.rip = 0xdead;
	start(f);
	g_assert_cmpint(event(f, 0)->kind, ==, MACHINE_CRASH);
	g_assert_cmpuint(event(f, 0)->cpu, ==, 3);
	g_assert_true(machine_cpu_state(f->machine, 3, state, &error));
	g_assert_cmphex(state->rip, ==, 0xdead);
	g_assert_cmpint(machine_status(f->machine), ==, MACHINE_STOPPED);
	no_more_events(f, 1);

	/* Another life, in which the engine fails. */
	g_assert_true(machine_reset(f->machine, &error));
	g_assert_cmpint(event(f, 1)->kind, ==, MACHINE_FAILED);
	g_assert_cmpuint(event(f, 1)->cpu, ==, 3);
	g_assert_cmpstr(f->texts->str, ==, "the script says so");
	g_assert_cmpint(machine_status(f->machine), ==, MACHINE_STOPPED);
}

static void test_pause(struct fixture *f, const void *data)
{
	struct machine_config config = default_config(f);
	g_autoptr(GError) error = NULL;

	(void)data;
	test.script[0][0] = (struct step){ STEP_OUT, 0x3ff, 1 };
	test.script[0][1] = (struct step){ STEP_OUT, 0x3ff, 2 };
	test.script[0][2].kind = STEP_AGAIN;
	make(f, &config);
	/* Paused before it was started. */
	machine_pause(f->machine);
	g_assert_cmpint(machine_status(f->machine), ==, MACHINE_PRELAUNCH);
	start(f);
	g_assert_cmpint(machine_status(f->machine), ==, MACHINE_PAUSED);
	assert_parked();
	g_assert_cmpuint(test.engine->vcpu[0].done, ==, 0);

	for (unsigned i = 1; i <= 100; i++) {
		machine_resume(f->machine);
		g_assert_cmpint(machine_status(f->machine), ==, MACHINE_RUNNING);
		wait_done(0, steps_done(0) + 1);
		machine_pause(f->machine);
		assert_parked();
	}
	g_assert_cmpuint(f->quiet, ==, 101);
	/* Reset keeps it paused. */
	g_assert_true(machine_reset(f->machine, &error));
	g_assert_cmpuint(f->user_resets, ==, 1);
	g_assert_cmpint(machine_status(f->machine), ==, MACHINE_PAUSED);
	g_assert_cmpuint(test.loads, ==, 2);
	machine_resume(f->machine);
	no_more_events(f, 0);
}

static void test_queries(struct fixture *f, const void *data)
{
	struct machine_config config = default_config(f);
	struct cpu_stats stats;

	(void)data;
	test.script[0][0] = (struct step){ STEP_OUT, 0x3ff, 1 };
	make(f, &config);
	g_assert_cmpuint(machine_cpus(f->machine), ==, CPUS);
	g_assert_cmpuint(machine_memory(f->machine), ==, 16 << 20);
	g_assert_cmpint(machine_cpu_thread(f->machine, 0), ==, 0);
	start(f);
	for (unsigned i = 0; i < CPUS; i++)
		g_assert_cmpint(machine_cpu_thread(f->machine, i), >, 0);
	wait_done(0, 1);
	g_assert_false(machine_cpu_halted(f->machine, 0));
	g_assert_true(machine_cpu_halted(f->machine, 1));
	g_assert_cmpint(machine_status(f->machine), ==, MACHINE_RUNNING);
	machine_pause(f->machine);
	machine_cpu_stats(f->machine, 0, &stats);
	g_assert_cmpuint(stats.instructions, ==, 1);
}

/* The guest asked, then the user paused, before the main loop came to it. */
static void test_pause_with_request(struct fixture *f, const void *data)
{
	struct machine_config config = default_config(f);
	g_autoptr(GError) error = NULL;

	(void)data;
	test.script[0][0] = (struct step)RESET;
	test.script[0][1] = (struct step)POWER_OFF;
	test.script[0][2] = (struct step)POWER_OFF;
	make(f, &config);
	start(f);
	wait_done(0, 1);
	machine_pause(f->machine);
	g_assert_cmpint(event(f, 0)->kind, ==, MACHINE_RESET);
	g_assert_cmpint(machine_status(f->machine), ==, MACHINE_PAUSED);
	assert_parked();
	machine_resume(f->machine);
	/* Now the user resets it before the main loop hears of the power-off. */
	wait_done(0, 2);
	g_assert_true(machine_reset(f->machine, &error));
	g_assert_cmpint(machine_status(f->machine), ==, MACHINE_RUNNING);
	g_assert_cmpint(event(f, 1)->kind, ==, MACHINE_POWEROFF);
	g_assert_cmpuint(test.engine->vcpu[0].done, ==, 3);
	no_more_events(f, 2);
}

static void test_power_button(struct fixture *f, const void *data)
{
	struct machine_config config = default_config(f);

	(void)data;
	test.script[0][0] = (struct step){ STEP_OUT, 0x603, 0x01 }; /* enables it */
	make(f, &config);
	start(f);
	wait_done(0, 1);
	machine_pause(f->machine);
	g_assert_false(test.engine->level[9]);
	machine_power_button(f->machine);
	g_assert_true(test.engine->level[9]);
}

static void test_free_from_event(struct fixture *f, const void *data)
{
	struct machine_config config = default_config(f);

	(void)data;
	test.script[0][0] = (struct step)POWER_OFF;
	f->free_it = true;
	make(f, &config);
	start(f);
	event(f, 0);
	g_assert_null(f->machine);
}

static void test_free_early(struct fixture *f, const void *data)
{
	struct machine_config config = default_config(f);

	(void)data;
	/* Never started; running; with a request that nobody heard. */
	make(f, &config);
	g_clear_pointer(&f->machine, machine_free);
	make(f, &config);
	start(f);
	g_clear_pointer(&f->machine, machine_free);
	test.script[0][0] = (struct step)POWER_OFF;
	make(f, &config);
	start(f);
	wait_done(0, 1);
	g_clear_pointer(&f->machine, machine_free);
	no_more_events(f, 0);
}

static void test_kernel_has_gone(struct fixture *f, const void *data)
{
	struct machine_config config = default_config(f);
	g_autoptr(GError) error = NULL;

	(void)data;
	test.script[0][0] = (struct step)RESET;
	make(f, &config);
	test.fail_load = true;
	start(f);
	g_assert_cmpint(event(f, 0)->kind, ==, MACHINE_FAILED);
	g_assert_cmpstr(f->texts->str, ==, "the kernel has gone");
	g_assert_cmpint(machine_status(f->machine), ==, MACHINE_STOPPED);
	g_assert_false(machine_reset(f->machine, &error));
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_CORRUPT);
	g_assert_cmpint(machine_status(f->machine), ==, MACHINE_STOPPED);
	assert_parked();
}

static void assert_impossible(const struct machine_config *config, const char *text)
{
	g_autoptr(GError) error = NULL;

	g_assert_null(machine_new(config, &error));
	g_assert_nonnull(error);
	g_assert_cmpstr(error->message, ==, text);
	g_assert_null(test.engine);
}

static void test_impossible(struct fixture *f, const void *data)
{
	struct machine_config config = default_config(f);

	(void)data;
	config.cpus = 0;
	assert_impossible(&config, "a machine with 0 CPUs is not possible: give 1 to 255");
	config.cpus = 256;
	assert_impossible(&config, "a machine with 256 CPUs is not possible: give 1 to 255");
	config = default_config(f);
	config.memory = 0;
	assert_impossible(&config, "memory of 0 bytes is not possible: give 1 MiB to 1 TiB");
	config = default_config(f);
	test.fail_open = true;
	assert_impossible(&config, "no such luck");
	test.fail_open = false;
	test.fail_vcpu = 2;
	assert_impossible(&config, "no more vCPUs");
	test.fail_vcpu = -1;
	test.fail_get = true;
	assert_impossible(&config, "cannot read the state of the new machine: Input/output error");
	test.fail_get = false;
	test.fail_load = true;
	assert_impossible(&config, "the kernel has gone");
}

/* Guests that reset all the time while the user pauses and looks. */
static void test_turmoil(struct fixture *f, const void *data)
{
	enum {
		RESETS = 300
	};
	struct machine_config config = default_config(f);
	g_autofree struct x86_state *state = g_new(struct x86_state, 1);
	g_autoptr(GError) error = NULL;
	unsigned rounds = 0;

	(void)data;
	for (unsigned i = 0; i < CPUS; i++) {
		test.script[i][0] = (struct step){ STEP_OUT, 0x3f8, 'x' };
		test.script[i][1] = i % 2 ? (struct step)RESET : (struct step)KBC_RESET;
		test.script[i][2].kind = STEP_AGAIN;
	}
	make(f, &config);
	start(f);
	while (f->events->len < RESETS) {
		g_main_context_iteration(NULL, FALSE);
		switch (rounds++ % 4) {
		case 0:
			machine_pause(f->machine);
			assert_parked();
			break;
		case 1:
			g_assert_true(machine_cpu_state(f->machine, 1, state, &error));
			break;
		case 2:
			machine_resume(f->machine);
			break;
		default:
			if (rounds % 32 == 0)
				g_assert_true(machine_reset(f->machine, &error));
			break;
		}
	}
	for (unsigned i = 0; i < RESETS; i++)
		g_assert_cmpint(event(f, i)->kind, ==, MACHINE_RESET);
	g_assert_cmpuint(test.loads, >, RESETS);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *path;
		void (*fn)(struct fixture *f, const void *data);
		const void *data;
	} tests[] = {
		{ "/machine/machine/power-off", test_power_off, NULL },
		{ "/machine/machine/reset", test_reset, NULL },
		{ "/machine/machine/reset-kbc", test_reset, "kbc" },
		{ "/machine/machine/no-reboot", test_no_reboot, NULL },
		{ "/machine/machine/once", test_once, NULL },
		{ "/machine/machine/no-debug-exit", test_no_debug_exit, NULL },
		{ "/machine/machine/crash", test_crash, NULL },
		{ "/machine/machine/pause", test_pause, NULL },
		{ "/machine/machine/queries", test_queries, NULL },
		{ "/machine/machine/pause-with-request", test_pause_with_request, NULL },
		{ "/machine/machine/power-button", test_power_button, NULL },
		{ "/machine/machine/free-from-event", test_free_from_event, NULL },
		{ "/machine/machine/free-early", test_free_early, NULL },
		{ "/machine/machine/kernel-has-gone", test_kernel_has_gone, NULL },
		{ "/machine/machine/impossible", test_impossible, NULL },
		{ "/machine/machine/turmoil", test_turmoil, NULL },
	};

	g_test_init(&argc, &argv, NULL);
	for (unsigned i = 0; i < ARRAY_SIZE(tests); i++)
		g_test_add(tests[i].path, struct fixture, tests[i].data, setup, tests[i].fn,
			   teardown);
	return g_test_run();
}
