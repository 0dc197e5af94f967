/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-engine.c - the software engine by its operations: real-mode code of a few bytes
 *
 * Code stands at CODE, a handler for #GP at HANDLER. A guest ends by a write to DONE, which is a
 * notification that kicks.
 */
#include <errno.h>
#include <glib.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "base/bytes.h"
#include "emu/emu-int.h"
#include "emu/emu.h"

enum {
	RAM = 1 << 20,
	CODE = 0x1000,
	HANDLER = 0x2000,
	DATA = 0x10000,
	DONE = 0x10,
	BELL = 0x20,
};

/* Ends a guest. */
#define END 0xe6, DONE, 0xfa, 0xf4

struct fixture {
	struct mem *mem;
	struct io_space *pio, *mmio;
	struct cpu_engine *engine;
	struct vcpu *vcpu;
	struct io_notify done;
	struct io_idle idle;
	unsigned ended, rung;
};

static void on_done(void *opaque)
{
	struct fixture *f = opaque;

	f->ended++;
	emu_cpu_ops.vcpu_kick(f->vcpu);
}

static void on_bell(void *opaque)
{
	struct fixture *f = opaque;

	f->rung++;
}

static void set_up(struct fixture *f, const void *data)
{
	static const uint8_t handler[] = { 0xb0, 0xee, END }; /* mov $0xee, %al */
	g_autoptr(GError) error = NULL;
	struct cpu_config config = { .cpus = 1 };
	uint8_t vector[4];

	(void)data;
	f->mem = mem_new();
	g_assert_true(mem_add_ram(f->mem, 0, RAM, &error));
	f->pio = io_space_new("pio", 0x10000);
	f->mmio = io_space_new("mmio", 1ull << 46);
	f->idle = IO_IDLE_INITIALIZER;
	config.idle = &f->idle;
	config.mem = f->mem;
	config.pio = f->pio;
	config.mmio = f->mmio;
	config.model = cpu_model_find("v2", &error);
	f->engine = emu_cpu_ops.open(&config, &error);
	g_assert_no_error(error);
	f->vcpu = emu_cpu_ops.vcpu_new(f->engine, 0, &error);
	g_assert_no_error(error);
	f->done = (struct io_notify){ .addr = DONE, .eventfd = -1, .call = on_done, .opaque = f };
	g_assert_cmpint(emu_cpu_ops.notify(f->engine, &f->done, true), ==, 0);
	put_le32(vector, HANDLER);
	g_assert_cmpint(mem_write(f->mem, 4 * EXC_GP, vector, sizeof(vector)), ==, 0);
	g_assert_cmpint(mem_write(f->mem, 4 * EXC_UD, vector, sizeof(vector)), ==, 0);
	g_assert_cmpint(mem_write(f->mem, HANDLER, handler, sizeof(handler)), ==, 0);
}

static void tear_down(struct fixture *f, const void *data)
{
	(void)data;
	emu_cpu_ops.vcpu_free(f->vcpu);
	emu_cpu_ops.close(f->engine);
	io_space_free(f->mmio);
	io_space_free(f->pio);
	mem_free(f->mem);
}

/* Run what stands at CODE, with DS at DATA; the guest's AL at its end. */
static unsigned run(struct fixture *f)
{
	g_autofree struct x86_state *s = g_new0(struct x86_state, 1);
	unsigned before = f->ended;

	x86_state_reset(s);
	s->seg[X86_CS].selector = 0;
	s->seg[X86_CS].base = 0;
	s->seg[X86_DS].selector = s->seg[X86_ES].selector = DATA >> 4;
	s->seg[X86_DS].base = s->seg[X86_ES].base = DATA;
	s->rip = CODE;
	s->gpr[X86_RSP] = 0x8000;
	g_assert_cmpint(emu_cpu_ops.vcpu_set_state(f->vcpu, s), ==, 0);
	while (f->ended == before)
		g_assert_cmpint(emu_cpu_ops.vcpu_run(f->vcpu), ==, CPU_EXIT_KICKED);
	g_assert_cmpint(emu_cpu_ops.vcpu_get_state(f->vcpu, s), ==, 0);
	return s->gpr[X86_RAX] & 0xff;
}

static unsigned run_code(struct fixture *f, const uint8_t *code, size_t len)
{
	g_assert_cmpint(mem_write(f->mem, CODE, code, len), ==, 0);
	return run(f);
}

static struct cpu_stats stats(struct fixture *f)
{
	struct cpu_stats s;

	emu_cpu_ops.vcpu_stats(f->vcpu, &s);
	return s;
}

/* ---- decoding ---- */

static void test_length(struct fixture *f, const void *data)
{
	/* mov $0x11, %al; prefixes; mov %al, %al */
	(void)data;
	for (unsigned prefixes = 0; prefixes <= 16; prefixes++) {
		uint8_t code[32] = { 0xb0, 0x11 }, rest[] = { 0x88, 0xc0, END };
		unsigned n = 2;

		for (unsigned i = 0; i < prefixes; i++)
			code[n++] = (const uint8_t[]){ 0x2e, 0x66, 0x67, 0x3e, 0x26 }[i % 5];
		memcpy(code + n, rest, sizeof(rest));
		g_assert_cmphex(run_code(f, code, sizeof(code)), ==,
				prefixes <= 13 ? 0x11u : 0xeeu);
	}
}

static void test_lock(struct fixture *f, const void *data)
{
	static const uint8_t good[] = { 0xb0, 0x11, 0xf0, 0xfe, 0x06, 0, 0, END };
	static const uint8_t bad[] = { 0xb0, 0x11, 0xf0, 0x88, 0x06, 0, 0, END };
	static const uint8_t reg[] = { 0xb0, 0x11, 0xf0, 0xfe, 0xc0, END };

	(void)data;
	g_assert_cmphex(run_code(f, good, sizeof(good)), ==, 0x11);
	g_assert_cmphex(run_code(f, bad, sizeof(bad)), ==, 0xee);
	g_assert_cmphex(run_code(f, reg, sizeof(reg)), ==, 0xee);
}

/* ---- code that is written ---- */

static void test_code_written(struct fixture *f, const void *data)
{
	static const uint8_t code[] = { 0xb0, 0x11, END };
	const uint8_t other = 0x22;
	uint64_t before;
	uint8_t *p;

	(void)data;
	g_assert_cmphex(run_code(f, code, sizeof(code)), ==, 0x11);
	g_assert_cmphex(run(f), ==, 0x11);
	before = stats(f).count[CPU_STAT_SMC];
	g_assert_cmpint(mem_write(f->mem, CODE + 1, &other, 1), ==, 0);
	g_assert_cmphex(run(f), ==, 0x22);
	g_assert_cmpuint(stats(f).count[CPU_STAT_SMC], >, before);
	p = mem_ptr_write(f->mem, CODE + 1, 1);
	*p = 0x33;
	mem_written(f->mem, CODE + 1, 1);
	g_assert_cmphex(run(f), ==, 0x33);
	/* Elsewhere in the page: nothing is thrown away. */
	before = stats(f).count[CPU_STAT_DECODE];
	g_assert_cmpint(mem_write(f->mem, CODE + 0x800, &other, 1), ==, 0);
	g_assert_cmphex(run(f), ==, 0x33);
	g_assert_cmpuint(stats(f).count[CPU_STAT_DECODE], ==, before);
}

static void test_code_writes_itself(struct fixture *f, const void *data)
{
	/* cs movb $0x44, CODE + 7; mov $0x11, %al: the very next instruction is another one. */
	static const uint8_t code[] = { 0x2e, 0xc6, 0x06, 0x07, CODE >> 8, 0x44, 0xb0, 0x11, END };

	(void)data;
	for (unsigned i = 0; i < 3; i++)
		g_assert_cmphex(run_code(f, code, sizeof(code)), ==, 0x44);
}

/* ---- the dirty log ---- */

static uint64_t dirty_pages(struct fixture *f)
{
	uint64_t bitmap[RAM >> 12 >> 6] = { 0 };

	g_assert_cmpint(emu_cpu_ops.dirty_fetch(f->engine, 0, RAM >> 12, bitmap), ==, 0);
	g_assert_cmphex(bitmap[1] | bitmap[2] | bitmap[3], ==, 0);
	return bitmap[0];
}

static void test_dirty_log(struct fixture *f, const void *data)
{
	static const uint8_t code[] = {
		0xc6, 0x06, 0x00, 0x10, 0x01, /* movb $1, 0x1000 */
		0xa1, 0x00, 0x20,             /* mov 0x2000, %ax */
		0xff, 0x06, 0xff, 0x3f,       /* incw 0x3fff: two pages */
		0xbf, 0xfe, 0x6f,             /* mov $0x6ffe, %di */
		0xb9, 0x04, 0x00,             /* mov $4, %cx */
		0xf3, 0xaa,                   /* rep stosb: two pages */
		0x50,                         /* push %ax: 0x7ffe */
		END,
	};
	const unsigned at = DATA >> 12;

	(void)data;
	run_code(f, code, sizeof(code)); /* fast tags are there when the log starts */
	g_assert_cmpint(emu_cpu_ops.dirty_log(f->engine, true), ==, 0);
	g_assert_cmphex(dirty_pages(f), ==, 0);
	for (unsigned i = 0; i < 3; i++) {
		run(f);
		g_assert_cmphex(dirty_pages(f), ==,
				(UINT64_C(1) << 1 | UINT64_C(3) << 3 | UINT64_C(3) << 6) << at |
					UINT64_C(1) << 7);
		g_assert_cmphex(dirty_pages(f), ==, 0);
	}
	g_assert_cmpint(mem_write(f->mem, 0x5000, code, 1), ==, 0);
	g_assert_cmphex(dirty_pages(f), ==, 1 << 5);
	g_assert_cmpint(emu_cpu_ops.dirty_log(f->engine, false), ==, 0);
}

/* ---- notifications, kicks, counters ---- */

/* When there is no room the device is told so, and is reached by its register. */
static void test_notify_full(struct fixture *f, const void *data)
{
	enum {
		MANY = 4096
	};
	g_autofree struct io_notify *many = g_new0(struct io_notify, MANY);
	unsigned n = 0;

	(void)data;
	while (n < MANY) {
		many[n] = (struct io_notify){ .addr = 0x100 + n, .size = 1, .eventfd = -1 };
		if (emu_cpu_ops.notify(f->engine, &many[n], true) == -ENOSPC)
			break;
		n++;
	}
	g_assert_cmpuint(n, >, 64);
	g_assert_cmpuint(n, <, MANY);
	/* A place that is given back is taken again. */
	g_assert_cmpint(emu_cpu_ops.notify(f->engine, &many[1], false), ==, 0);
	g_assert_cmpint(emu_cpu_ops.notify(f->engine, &many[n], true), ==, 0);
	g_assert_cmpint(emu_cpu_ops.notify(f->engine, &many[1], true), ==, -ENOSPC);
	for (unsigned i = 0; i <= n; i++) {
		if (i != 1)
			g_assert_cmpint(emu_cpu_ops.notify(f->engine, &many[i], false), ==, 0);
	}
}

static void test_notify(struct fixture *f, const void *data)
{
	static const uint8_t code[] = {
		0xb8, 0x07,     0x00, 0xe7, BELL, /* outw 7 */
		0xb0, 0x08,     0xe7, BELL,       /* outw 8: another value */
		0xb0, 0x07,     0xe6, BELL,       /* outb 7: another size */
		0xe7, BELL + 1,                   /* outw 7: another port */
		END,
	};
	const struct io_notify bell = {
		.addr = BELL,
		.size = 2,
		.match = true,
		.value = 7,
		.eventfd = -1,
		.call = on_bell,
		.opaque = f,
	};

	(void)data;
	g_assert_cmpint(emu_cpu_ops.notify(f->engine, &bell, false), ==, -ENOENT);
	g_assert_cmpint(emu_cpu_ops.notify(f->engine, &bell, true), ==, 0);
	g_assert_cmpint(emu_cpu_ops.notify(f->engine, &bell, true), ==, -EEXIST);
	run_code(f, code, sizeof(code));
	g_assert_cmpuint(f->rung, ==, 1);
	g_assert_cmpint(emu_cpu_ops.notify(f->engine, &bell, false), ==, 0);
	/* A guest may move a device's registers as often as it likes. */
	for (unsigned i = 0; i < 10000; i++) {
		g_assert_cmpint(emu_cpu_ops.notify(f->engine, &bell, true), ==, 0);
		g_assert_cmpint(emu_cpu_ops.notify(f->engine, &bell, false), ==, 0);
	}
	run(f);
	g_assert_cmpuint(f->rung, ==, 1);
}

static void test_kick_before_run(struct fixture *f, const void *data)
{
	static const uint8_t code[] = { 0xb0, 0x11, END };
	uint64_t before;

	(void)data;
	run_code(f, code, sizeof(code));
	before = stats(f).instructions;
	emu_cpu_ops.vcpu_kick(f->vcpu);
	g_assert_cmpint(emu_cpu_ops.vcpu_run(f->vcpu), ==, CPU_EXIT_KICKED);
	g_assert_cmpuint(stats(f).instructions, ==, before);
	g_assert_cmpuint(f->ended, ==, 1);
}

static void *run_halted(void *opaque)
{
	struct fixture *f = opaque;

	g_assert_cmpint(emu_cpu_ops.vcpu_run(f->vcpu), ==, CPU_EXIT_KICKED);
	return NULL;
}

/* Who has been woken does not wait any more, though it may not run yet. */
static void test_halt(struct fixture *f, const void *data)
{
	static const uint8_t code[] = { END };
	pthread_t thread;

	(void)data;
	g_assert_true(f->idle.told);
	run_code(f, code, sizeof(code));
	for (unsigned i = 0; i < 100; i++) {
		g_assert_cmpint(pthread_create(&thread, NULL, run_halted, f), ==, 0);
		while (!atomic_load(&f->vcpu->sleeping))
			sched_yield();
		g_assert_cmpuint(atomic_load(&f->idle.halted), ==, 1);
		emu_cpu_ops.vcpu_kick(f->vcpu);
		g_assert_cmpuint(atomic_load(&f->idle.halted), ==, 0);
		pthread_join(thread, NULL);
		g_assert_cmpuint(atomic_load(&f->idle.halted), ==, 0);
	}
}

static void test_stats(struct fixture *f, const void *data)
{
	/* mov $100, %cx; 1: inc %ax; loop 1b */
	static const uint8_t code[] = { 0xb9, 100, 0, 0x40, 0xe2, 0xfd, END };
	struct cpu_stats before, after;

	(void)data;
	run_code(f, code, sizeof(code));
	before = stats(f);
	run(f);
	after = stats(f);
	/* CLI and HLT may come or not. */
	g_assert_cmpuint(after.instructions - before.instructions, >=, 202);
	g_assert_cmpuint(after.instructions - before.instructions, <=, 204);
	g_assert_cmpuint(after.count[CPU_STAT_PIO] - before.count[CPU_STAT_PIO], ==, 1);
	g_assert_cmpuint(after.count[CPU_STAT_KICK] - before.count[CPU_STAT_KICK], ==, 1);
	g_assert_cmpuint(after.count[CPU_STAT_DECODE], ==, before.count[CPU_STAT_DECODE]);
	g_assert_cmpuint(after.count[CPU_STAT_EXCEPTION], ==, before.count[CPU_STAT_EXCEPTION]);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *path;
		void (*fn)(struct fixture *f, const void *data);
	} tests[] = {
		{ "/engine/length", test_length },
		{ "/engine/lock", test_lock },
		{ "/engine/code-written", test_code_written },
		{ "/engine/code-writes-itself", test_code_writes_itself },
		{ "/engine/dirty-log", test_dirty_log },
		{ "/engine/notify", test_notify },
		{ "/engine/notify-full", test_notify_full },
		{ "/engine/kick-before-run", test_kick_before_run },
		{ "/engine/halt", test_halt },
		{ "/engine/stats", test_stats },
	};

	g_test_init(&argc, &argv, NULL);
	for (unsigned i = 0; i < G_N_ELEMENTS(tests); i++)
		g_test_add(tests[i].path, struct fixture, NULL, set_up, tests[i].fn, tear_down);
	return g_test_run();
}
