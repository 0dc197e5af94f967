/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Devices whose loops hang, as in a write that does not end: nobody waits for them one by one. */
#include <semaphore.h>
#include <stdio.h>

#include "base/sys.h"
#include "dev/acpi-hotplug.h"
#include "tests/lib/virtio-toy.h"

#include "script.h"

enum {
	HOTPLUG = 0xae00,
	DEVICES = 24, /* at 50 ms each, more than a second */
};

struct hung {
	struct io_loop *loop;
	struct io_work work;
	sem_t go;
	char id[8];
};

struct fixture {
	struct hung hung[DEVICES];
	struct machine *machine;
	unsigned resets, gone;
};

static void on_event(void *opaque, const struct machine_event *event)
{
	struct fixture *f = opaque;

	f->resets += event->kind == MACHINE_RESET;
	f->gone += event->kind == MACHINE_UNPLUGGED;
}

static void hang(void *opaque)
{
	struct hung *hung = opaque;

	while (sem_wait(&hung->go))
		;
}

static void setup(struct fixture *f, const void *data)
{
	struct machine_device devices[DEVICES];
	struct machine_config config = {
		.engine = &script_ops,
		.cpus = 2,
		.memory = 16 << 20,
		.devices = devices,
		.device_count = DEVICES,
		.event = on_event,
		.opaque = f,
	};
	g_autoptr(GError) error = NULL;

	(void)data;
	memset(&test, 0, sizeof(test));
	test.fail_vcpu = -1;
	for (unsigned i = 0; i < DEVICES; i++) {
		struct hung *hung = &f->hung[i];

		(void)snprintf(hung->id, sizeof(hung->id), "d%u", i);
		sem_init(&hung->go, 0, 0);
		hung->loop = io_loop_new(hung->id, IO_LOOP_THREADS, &error);
		g_assert_no_error(error);
		devices[i] = (struct machine_device){ .id = hung->id,
						      .virtio = &toy_new(hung->loop, 8)->dev,
						      .slot = i + 1 };
	}
	f->machine = machine_new(&config, &error);
	g_assert_no_error(error);
	g_assert_true(machine_start(f->machine, &error));
	for (unsigned i = 0; i < DEVICES; i++) {
		f->hung[i].work = (struct io_work){ .fn = hang, .opaque = &f->hung[i] };
		io_loop_post(f->hung[i].loop, &f->hung[i].work);
	}
}

static void let_go(struct fixture *f)
{
	for (unsigned i = 0; i < DEVICES; i++)
		sem_post(&f->hung[i].go);
}

static void teardown(struct fixture *f, const void *data)
{
	(void)data;
	machine_free(f->machine);
	for (unsigned i = 0; i < DEVICES; i++) {
		io_loop_free(f->hung[i].loop);
		sem_destroy(&f->hung[i].go);
	}
}

static void assert_short(uint64_t begin_ns)
{
	g_assert_cmpuint(sys_monotonic_ns() - begin_ns, <, 800000000);
}

static void test_reset(struct fixture *f, const void *data)
{
	uint64_t begin_ns = sys_monotonic_ns();

	(void)data;
	g_assert_true(machine_reset(f->machine, NULL));
	assert_short(begin_ns);
	g_assert_cmpuint(f->resets, ==, 0);
	let_go(f);
	while (!f->resets)
		g_main_context_iteration(NULL, TRUE);
}

static void test_eject(struct fixture *f, const void *data)
{
	uint64_t begin_ns = sys_monotonic_ns();

	(void)data;
	io_write(test.engine->config.pio, HOTPLUG + ACPI_HOTPLUG_EJECT, 4,
		 ((1u << DEVICES) - 1) << 1);
	while (g_main_context_iteration(NULL, FALSE))
		;
	assert_short(begin_ns);
	g_assert_cmpuint(f->gone, ==, 0);
	let_go(f);
	while (f->gone < DEVICES)
		g_main_context_iteration(NULL, TRUE);
}

/* The end waits once for all, and says who is to blame. */
static void test_quiesce(struct fixture *f, const void *data)
{
	uint64_t begin_ns = sys_monotonic_ns();

	(void)data;
	g_assert_cmpstr(machine_quiesce(f->machine, 60), ==, "d0");
	assert_short(begin_ns);
	sem_post(&f->hung[0].go);
	g_assert_cmpstr(machine_quiesce(f->machine, 60), ==, "d1");
	for (unsigned i = 1; i < DEVICES; i++)
		sem_post(&f->hung[i].go);
	g_assert_null(machine_quiesce(f->machine, 60000));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add("/machine/slots-hung/reset", struct fixture, NULL, setup, test_reset, teardown);
	g_test_add("/machine/slots-hung/eject", struct fixture, NULL, setup, test_eject, teardown);
	g_test_add("/machine/slots-hung/quiesce", struct fixture, NULL, setup, test_quiesce,
		   teardown);
	return g_test_run();
}
