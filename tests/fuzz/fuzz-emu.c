/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz-emu.c - decoder and interpreter on arbitrary bytes, in all modes of the CPU
 *
 * An input: a byte for the mode, a byte of control register bits, 16 bytes that registers are made
 * of, then code, which is placed at 0x1000 of a guest with 1 MiB. The code has about 5 ms. What it
 * asserts: the engine comes back, and its state is one that it takes again.
 */
#include <assert.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/thread.h"
#include "emu/emu.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	CODE = 0x1000,
	TABLES = 0x80000, /* PML4, PDPT, PD */
	GDT = 0x84000,
	TSS = 0x84800,
	IDT = 0x85000,
	RAM = 1 << 20,
	HEAD = 18,
	CS16 = 0x08,
	CS32 = 0x10,
	CS64 = 0x18,
	DATA = 0x20,
	CS32_USER = 0x2b,
	CS64_USER = 0x33,
	DATA_USER = 0x3b,
	TSS_SEL = 0x40,
};

enum mode {
	REAL,
	PROTECTED16,
	PROTECTED32,
	PROTECTED32_USER,
	COMPAT32_USER,
	LONG,
	LONG_USER,
	MODES
};

static struct mem *mem;
static struct cpu_engine *engine;
static struct vcpu *vcpu;
static uint8_t *ram;
static atomic_uint running; /* ticks since the start, 0: not running */

static void watchdog(void *arg)
{
	(void)arg;
	for (;;) {
		unsigned ticks = atomic_load(&running);

		(void)usleep(2000);
		if (ticks == 0)
			continue;
		if (ticks >= 3)
			emu_cpu_ops.vcpu_kick(vcpu);
		(void)atomic_compare_exchange_strong(&running, &ticks, ticks + 1);
	}
}

static void set_up(void)
{
	struct cpu_config config = { .cpus = 1 };

	mem = mem_new();
	(void)mem_add_ram(mem, 0, RAM, NULL);
	config.mem = mem;
	config.model = cpu_model_find("max", NULL);
	config.pio = io_space_new("io", 0x10000);
	config.mmio = io_space_new("mmio", UINT64_MAX);
	engine = emu_cpu_ops.open(&config, NULL);
	vcpu = emu_cpu_ops.vcpu_new(engine, 0, NULL);
	ram = mem->region[0].host;
	assert(thread_start("watchdog", watchdog, NULL, NULL));
}

static void build_tables(enum mode mode)
{
	static const uint64_t gdt[] = {
		0,
		0x00009b000000ffff,
		0x00cf9b000000ffff,
		0x00af9b000000ffff,
		0x00cf93000000ffff,
		0x00cffb000000ffff,
		0x00affb000000ffff,
		0x00cff3000000ffff,
		0x00008b0000000067 | (uint64_t)(TSS & 0xffff) << 16 | (uint64_t)(TSS >> 16) << 32,
		0,
	};

	put_le64(ram + TABLES, (TABLES + 0x1000) | 7);
	put_le64(ram + TABLES + 0x1000, (TABLES + 0x2000) | 7);
	put_le64(ram + TABLES + 0x2000, 0x87);
	memcpy(ram + GDT, gdt, sizeof(gdt));
	put_le32(ram + TSS + 4, 0x70000); /* ESP0, SS0; or RSP0 */
	put_le32(ram + TSS + 8, mode >= COMPAT32_USER ? 0 : DATA);
	/* All vectors lead to the code: 32-bit gates are the first half of 64-bit ones. */
	for (unsigned i = 0; i < 256; i++) {
		uint64_t cs = mode >= COMPAT32_USER ? CS64 : CS32;
		uint64_t gate = CODE | cs << 16 | 0x8e00ull << 32;

		put_le64(ram + IDT + i * (mode >= COMPAT32_USER ? 16 : 8), gate);
	}
}

static struct x86_segment segment(uint16_t selector)
{
	uint64_t d = get_le64(ram + GDT + (selector & ~7));

	return (struct x86_segment){
		.selector = selector,
		.access = (uint16_t)(d >> 40 & 0xf0ff),
		.limit = d >> 55 & 1 ? 0xffffffff : 0xffff,
	};
}

static void set_mode(struct x86_state *s, enum mode mode)
{
	static const uint16_t code[MODES] = {
		0, CS16, CS32, CS32_USER, CS32_USER, CS64, CS64_USER
	};
	uint16_t data = code[mode] & 3 ? DATA_USER : DATA;

	if (mode == REAL) {
		s->seg[X86_CS].selector = 0;
		s->seg[X86_CS].base = 0;
		return;
	}
	s->cr0 |= CR0_PE;
	s->seg[X86_CS] = segment(code[mode]);
	for (unsigned i = 0; i < X86_LDT; i++)
		if (i != X86_CS)
			s->seg[i] = segment(data);
	s->seg[X86_TR] = (struct x86_segment){ TSS, 0x67, TSS_SEL, 0x8b, false };
	s->gdt = (struct x86_table){ GDT, 0x4f };
	s->idt = (struct x86_table){ IDT, 0xfff };
	if (mode >= COMPAT32_USER) {
		s->cr3 = TABLES;
		s->cr4 |= CR4_PAE;
		s->cr0 |= CR0_PG;
		s->efer = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct x86_state state;
	enum mode mode;
	uint8_t bits;

	if (size < HEAD + 1 || size > HEAD + 0x2000)
		return 0;
	if (!engine)
		set_up();
	mode = data[0] % MODES;
	bits = data[1];
	memset(ram, 0, RAM);
	build_tables(mode);
	memcpy(ram + CODE, data + HEAD, size - HEAD);
	for (unsigned i = 0; i < RAM; i += MEM_PAGE_SIZE)
		mem_written(mem, i, MEM_PAGE_SIZE);

	x86_state_reset(&state);
	state.cr0 = CR0_ET | (bits & 1 ? CR0_TS : 0) | (bits & 2 ? CR0_EM : 0) |
		    (bits & 4 ? CR0_MP | CR0_NE : 0) | (bits & 8 ? CR0_WP | CR0_AM : 0);
	state.cr4 = (bits & 16 ? 0 : CR4_OSFXSR | CR4_OSXMMEXCPT) | (bits & 32 ? CR4_OSXSAVE : 0);
	state.rflags |= (bits & 64 ? RFLAGS_TF : 0) | (bits & 128 ? RFLAGS_DF | 0x3000 : 0);
	set_mode(&state, mode);
	state.rip = CODE;
	for (unsigned i = 0; i < X86_REG_COUNT; i++)
		state.gpr[i] = (uint64_t)(int64_t)(int8_t)data[2 + i] * 0x101;
	state.gpr[X86_RSP] = 0x60000;
	if (emu_cpu_ops.vcpu_set_state(vcpu, &state) < 0)
		return 0;

	atomic_store(&running, 1);
	(void)emu_cpu_ops.vcpu_run(vcpu);
	atomic_store(&running, 0);
	assert(emu_cpu_ops.vcpu_get_state(vcpu, &state) == 0);
	assert(emu_cpu_ops.vcpu_set_state(vcpu, &state) == 0);
	return 0;
}
